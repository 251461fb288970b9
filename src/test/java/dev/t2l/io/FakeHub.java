package dev.t2l.io;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A hub with the one model owner/model, as Hugging Face's answers: large files lie on another server, behind a redirection. */
final class FakeHub implements AutoCloseable {
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    private record File(byte[] content, String checksum, boolean large) {
    }

    private final HttpServer server;
    private final HttpServer storage;
    private final Map<String, File> files = new LinkedHashMap<>();
    private final Map<String, Integer> breaks = new ConcurrentHashMap<>();
    /** Paths whose content was asked for, Range headers, and Authorization by path ("null" is absent). */
    final List<String> bodies = Collections.synchronizedList(new ArrayList<>());
    final List<String> ranges = Collections.synchronizedList(new ArrayList<>());
    final Map<String, String> tokens = Collections.synchronizedMap(new HashMap<>());

    FakeHub() throws IOException {
        server = start("/", this::answer);
        storage = start("/storage/", this::store);
    }

    private static HttpServer start(String path, HttpHandler handler) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext(path, exchange -> {
            try (exchange) {
                handler.handle(exchange);
            }
        });
        server.start();
        return server;
    }

    private static URI uri(HttpServer server) {
        return URI.create("http://" + server.getAddress().getHostString() + ":" + server.getAddress().getPort());
    }

    URI uri() {
        return uri(server);
    }

    void small(String name, byte[] content) {
        files.put(name, new File(content, digest("SHA-1", ("blob " + content.length + "\0").getBytes(), content), false));
    }

    void large(String name, byte[] content) {
        files.put(name, new File(content, digest("SHA-256", new byte[0], content), true));
    }

    String checksum(String name) {
        return files.get(name).checksum();
    }

    /** The next answer for this file ends after so many bytes. */
    void breakAfter(String name, int bytes) {
        breaks.put(name, bytes);
    }

    void corrupt(String name) {
        File good = files.get(name);
        byte[] bad = good.content().clone();
        bad[bad.length / 2] ^= 1;
        files.put(name, new File(bad, good.checksum(), good.large()));
    }

    private static String digest(String algorithm, byte[] head, byte[] content) {
        try {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(head);
            return HexFormat.of().formatHex(digest.digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        tokens.put(path, exchange.getRequestHeaders().getFirst("Authorization"));
        String resolve = "/owner/model/resolve/" + COMMIT + "/";
        if (path.equals("/api/models/owner/model/revision/main")) {
            var names = files.keySet().stream().map(f -> "{\"rfilename\":\"" + f + "\"}").toList();
            send(exchange, 200, ("{\"sha\":\"" + COMMIT + "\",\"siblings\":[" + String.join(",", names) + "]}").getBytes());
        } else if (path.startsWith(resolve) && files.containsKey(path.substring(resolve.length()))) {
            String name = path.substring(resolve.length());
            File file = files.get(name);
            var headers = exchange.getResponseHeaders();
            if (file.large()) {
                headers.set("X-Linked-Etag", "\"" + file.checksum() + "\"");
                headers.set("X-Linked-Size", Integer.toString(file.content().length));
                headers.set("Location", uri(storage) + "/storage/" + name);
                exchange.sendResponseHeaders(302, -1);
            } else {
                headers.set("ETag", "\"" + file.checksum() + "\"");
                content(exchange, name, file);
            }
        } else {
            send(exchange, 404, new byte[0]);
        }
    }

    private void store(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        tokens.put(path, exchange.getRequestHeaders().getFirst("Authorization"));
        String name = path.substring("/storage/".length());
        content(exchange, name, files.get(name));
    }

    private void content(HttpExchange exchange, String name, File file) throws IOException {
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(file.content().length));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        bodies.add(name);
        String range = exchange.getRequestHeaders().getFirst("Range");
        int from = 0;
        if (range != null) {
            ranges.add(range);
            from = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
            exchange.getResponseHeaders().set("Content-Range", "bytes " + from + "-" + (file.content().length - 1) + "/" + file.content().length);
        }
        int rest = file.content().length - from;
        exchange.sendResponseHeaders(range == null ? 200 : 206, rest);
        Integer broken = breaks.remove(name);
        exchange.getResponseBody().write(file.content(), from, broken == null ? rest : broken);
        exchange.getResponseBody().flush();
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }

    @Override
    public void close() {
        server.stop(0);
        storage.stop(0);
    }
}
