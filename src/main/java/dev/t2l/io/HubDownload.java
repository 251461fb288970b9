package dev.t2l.io;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Downloads models of a hub into the shared cache: only the files that models here are made of, each resumed where an earlier try
 * ended, checked against the hub's checksum, and put in place when whole.
 */
public final class HubDownload implements FileSource {
    private static final String PUBLIC_HUB = "https://huggingface.co";
    private static final Set<String> WANTED = Set.of("json", "txt", "model", "safetensors", "gguf", "jinja", "pt", "yaml", "yml");
    private static final Duration CONNECT = Duration.ofSeconds(3);
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final int MAX_REDIRECTS = 5;

    /** Told after every piece of a file. */
    @FunctionalInterface
    public interface Progress {
        /** @param total size of the file, -1 if the hub does not say */
        void downloaded(String file, long bytes, long total);
    }

    /** A file that is not what the hub says it is. */
    static final class ChecksumException extends IOException {
        private static final long serialVersionUID = 1;

        ChecksumException(String message) {
            super(message);
        }
    }

    /** What the hub says of a file: the checksum is a SHA-256, or of small files git's SHA-1. */
    record RemoteFile(String name, URI location, String checksum, long size) {
    }

    private final URI endpoint;
    private final String token;
    private final Progress progress;
    private final HttpClient hub = client(HttpClient.Redirect.NEVER);
    private final HttpClient storage = client(HttpClient.Redirect.NORMAL);

    /**
     * @param endpoint the hub
     * @param token    sent to the hub, for models behind a licence; null for none
     */
    public HubDownload(URI endpoint, String token, Progress progress) {
        this.endpoint = endpoint;
        this.token = token;
        this.progress = progress;
    }

    /** The hub and token that the environment names ({@code HF_ENDPOINT}, {@code HF_TOKEN}), else the public one. */
    public static HubDownload standard(Progress progress) {
        String chosen = System.getenv("HF_ENDPOINT");
        return new HubDownload(URI.create(chosen == null ? PUBLIC_HUB : chosen), System.getenv("HF_TOKEN"), progress);
    }

    /** Brings a model into the cache and returns its place there. */
    Path fetch(HubId id, HubCache cache) {
        try {
            JsonNode model = json(id, uri("/api/models/" + id.repository() + "/revision/" + encoded(id.revision())));
            String commit = model.path("sha").asText();
            if (!HubCache.isCommit(commit)) {
                throw new IOException(id + ": the hub names no commit");
            }
            for (String file : wanted(id, model.path("siblings"))) {
                RemoteFile remote = describe(id, file, uri("/" + id.repository() + "/resolve/" + commit + "/" + encodedPath(file)));
                Path blob = cache.blob(id, remote.checksum());
                if (!Files.exists(blob)) {
                    new BlobDownload(storage, this::authorised, remote, blob, progress).run();
                }
                link(cache.snapshot(id, commit).resolve(file), blob);
            }
            cache.remember(id, commit);
            return cache.snapshot(id, commit).resolve(id.path());
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage() == null ? id + ": no answer from " + endpoint + " (" + e.getClass().getSimpleName() + ")" : e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UncheckedIOException(new IOException(id + ": the download was interrupted", e));
        }
    }

    @Override
    public String label() {
        return "the hub " + endpoint;
    }

    @Override
    public void fetch(PublishedFile file, Path target) throws IOException, InterruptedException {
        HubId id = file.hub();
        RemoteFile there;
        try {
            there = describe(id, file.name(), uri("/" + id.repository() + "/resolve/" + encoded(id.revision()) + "/" + encodedPath(id.path())));
        } catch (ConnectException | HttpTimeoutException e) {
            throw new IOException("no answer (" + e.getClass().getSimpleName() + ")", e);
        }
        if (!there.checksum().equals(file.sha256())) {
            throw new ChecksumException("its " + id + " has another checksum: " + there.checksum());
        }
        var download = new BlobDownload(storage, this::authorised, new RemoteFile(file.name(), there.location(), file.sha256(), file.bytes()), target, progress);
        boolean resumed = download.begun();
        try {
            download.run();
        } catch (ChecksumException e) {
            if (!resumed) {
                throw e;
            }
            download.run(); // what an earlier try had left was no part of the file
        }
    }

    private static HttpClient client(HttpClient.Redirect redirect) {
        return HttpClient.newBuilder().followRedirects(redirect).connectTimeout(CONNECT).build();
    }

    private URI uri(String path) {
        return URI.create(endpoint.toString().replaceAll("/+$", "") + path);
    }

    private static String encoded(String part) {
        return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private static String encodedPath(String path) {
        return Arrays.stream(path.split("/")).map(HubDownload::encoded).collect(Collectors.joining("/"));
    }

    /** A request with the token, where it goes to the hub itself. */
    private HttpRequest.Builder authorised(URI uri) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).timeout(TIMEOUT).header("User-Agent", "t2l");
        return token != null && endpoint.getAuthority().equals(uri.getAuthority()) ? request.header("Authorization", "Bearer " + token) : request;
    }

    private JsonNode json(HubId id, URI uri) throws IOException, InterruptedException {
        for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
            HttpResponse<String> response = hub.send(authorised(uri).build(), HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() == 200) {
                return StrictJson.parse(response.body());
            }
            uri = redirected(id, uri, response);
        }
        throw new IOException(id + ": too many redirections");
    }

    private static URI redirected(HubId id, URI uri, HttpResponse<?> response) throws IOException {
        int status = response.statusCode();
        if (status / 100 == 3 && response.headers().firstValue("Location").isPresent()) {
            return uri.resolve(response.headers().firstValue("Location").get());
        }
        throw new IOException(id + ": " + uri + " answered " + status + switch (status) {
            case 401, 403 -> "; HINT: a model behind a licence needs HF_TOKEN, and another name may be meant";
            case 404 -> ": there is no such model, revision or file";
            default -> "";
        });
    }

    private static List<String> wanted(HubId id, JsonNode siblings) throws IOException {
        List<String> files = new ArrayList<>();
        for (JsonNode sibling : siblings) {
            String file = sibling.path("rfilename").asText();
            if (!HubId.safe(file) || file.isEmpty()) {
                throw new IOException(id + ": the hub names a file '" + file + "' that would lie outside the model's folder");
            }
            boolean below = id.path().isEmpty() || file.equals(id.path()) || file.startsWith(id.path() + "/");
            if (below && (file.equals(id.path()) || WANTED.contains(file.substring(file.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT)))) {
                files.add(file);
            }
        }
        List<String> ggufs = files.stream().filter(f -> f.endsWith(".gguf")).toList();
        if (ggufs.size() > 1) {
            throw new IOException(id + " has " + ggufs.size() + " GGUF files; HINT: name one, such as " + id.repository() + "/" + ggufs.getFirst());
        }
        if (files.isEmpty()) {
            throw new IOException(id + ": there is nothing of a model");
        }
        return files;
    }

    private RemoteFile describe(HubId id, String file, URI uri) throws IOException, InterruptedException {
        for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
            HttpResponse<Void> response = hub.send(authorised(uri).method("HEAD", HttpRequest.BodyPublishers.noBody()).build(), HttpResponse.BodyHandlers.discarding());
            var headers = response.headers();
            String linked = headers.firstValue("X-Linked-Etag").orElse(null);
            if (response.statusCode() == 200 || linked != null && response.statusCode() / 100 == 3) {
                String checksum = (linked != null ? linked : headers.firstValue("ETag").orElse("")).replaceAll("^W/|\"", "");
                if (!checksum.matches("[0-9a-f]{40}|[0-9a-f]{64}")) {
                    throw new IOException(id + ": the hub gives no checksum for " + file);
                }
                long size = headers.firstValueAsLong("X-Linked-Size").orElse(response.statusCode() == 200 ? headers.firstValueAsLong("Content-Length").orElse(-1) : -1);
                return new RemoteFile(file, response.statusCode() == 200 ? uri : redirected(id, uri, response), checksum, size);
            }
            uri = redirected(id, uri, response);
        }
        throw new IOException(id + ": too many redirections for " + file);
    }

    /** A relative link as Hugging Face's libraries make it; a copy where there are no links. */
    private static void link(Path link, Path blob) throws IOException {
        Files.createDirectories(link.getParent());
        if (Files.exists(link) && Files.isSameFile(link, blob)) {
            return;
        }
        Files.deleteIfExists(link);
        try {
            Files.createSymbolicLink(link, link.getParent().relativize(blob));
        } catch (FileAlreadyExistsException e) { // another process was faster
            return;
        } catch (UnsupportedOperationException | FileSystemException e) {
            Files.copy(blob, link);
        }
    }
}
