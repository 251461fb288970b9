package dev.t2l.io;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.Function;

/** One file of a hub: into {@code <blob>.incomplete}, from where an earlier try ended, then checked and moved to {@code blob}. */
final class BlobDownload {
    private static final System.Logger LOG = System.getLogger("dev.t2l.io");
    private static final int TRIES = 5;
    private static final int BUFFER = 1 << 16;

    private final HttpClient client;
    private final Function<URI, HttpRequest.Builder> requests;
    private final HubDownload.RemoteFile remote;
    private final Path blob;
    private final HubDownload.Progress progress;

    BlobDownload(HttpClient client, Function<URI, HttpRequest.Builder> requests, HubDownload.RemoteFile remote, Path blob, HubDownload.Progress progress) {
        this.client = client;
        this.requests = requests;
        this.remote = remote;
        this.blob = blob;
        this.progress = progress;
    }

    /** Whether an earlier try left something to go on from. */
    boolean begun() {
        return Files.exists(incomplete());
    }

    private Path incomplete() {
        return blob.resolveSibling(blob.getFileName() + ".incomplete");
    }

    void run() throws IOException, InterruptedException {
        Files.createDirectories(blob.getParent());
        Path incomplete = incomplete();
        try (FileChannel channel = FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            lock(channel);
            if (Files.exists(blob)) {
                Files.deleteIfExists(incomplete);
                return;
            }
            receiveAll(channel);
            if (!checksum(channel).equals(remote.checksum())) {
                Files.delete(incomplete);
                throw new HubDownload.ChecksumException(remote.name() + ": the checksum of what was downloaded is wrong (wanted " + remote.checksum()
                        + "); it was thrown away");
            }
            AtomicFile.move(incomplete, blob);
        }
    }

    /** Another process may load the same file; the lock goes with the channel. */
    private void lock(FileChannel channel) throws IOException {
        try {
            channel.lock();
        } catch (OverlappingFileLockException e) {
            throw new IOException(remote.name() + " is being downloaded by another thread", e);
        }
    }

    private void receiveAll(FileChannel channel) throws IOException, InterruptedException {
        for (int failures = 0;;) {
            long before = channel.size();
            try {
                receive(channel);
                if (remote.size() < 0 || channel.size() == remote.size()) {
                    return;
                }
                if (channel.size() > remote.size()) {
                    channel.truncate(0);
                    throw new IOException("more than the " + remote.size() + " bytes announced");
                }
                throw new IOException("ended after " + channel.size() + " of " + remote.size() + " bytes");
            } catch (IOException e) {
                failures = channel.size() > before ? 1 : failures + 1;
                if (failures == TRIES) {
                    throw new IOException(remote.name() + ": " + e.getMessage() + "; HINT: the next try goes on from here", e);
                }
                LOG.log(System.Logger.Level.DEBUG, "{0}: going on after {1}", remote.name(), e.getMessage());
            }
        }
    }

    private void receive(FileChannel channel) throws IOException, InterruptedException {
        long at = channel.size();
        if (at > 0 && at == remote.size()) {
            return;
        }
        HttpRequest.Builder request = requests.apply(remote.location());
        if (at > 0) {
            request.header("Range", "bytes=" + at + "-");
        }
        HttpResponse<InputStream> response = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream in = response.body()) {
            boolean resumed = response.statusCode() == 206 && response.headers().firstValue("Content-Range").orElse("").startsWith("bytes " + at + "-");
            if (!resumed) {
                channel.truncate(0);
                at = 0;
                if (response.statusCode() != 200) {
                    throw new IOException("the server answered " + response.statusCode());
                }
            }
            channel.position(at);
            byte[] buffer = new byte[BUFFER];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                AtomicFile.put(channel, ByteBuffer.wrap(buffer, 0, n));
                progress.downloaded(remote.name(), channel.position(), remote.size());
            }
        }
    }

    /** SHA-256, or git's SHA-1 of a blob, by the length of the one that is wanted. */
    private String checksum(FileChannel channel) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance(remote.checksum().length() == 64 ? "SHA-256" : "SHA-1");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has both
        }
        if (remote.checksum().length() == 40) {
            digest.update(("blob " + channel.size() + "\0").getBytes(StandardCharsets.US_ASCII));
        }
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
        channel.position(0);
        while (channel.read(buffer.clear()) >= 0) {
            digest.update(buffer.flip());
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
