package dev.t2l.demo;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A page in a headless Chromium, driven by the Chrome DevTools protocol. */
final class Chromium implements AutoCloseable {
    private static final List<Path> PLACES = List.of(Path.of("/usr/bin/chromium"), Path.of("/usr/bin/chromium-browser"), Path.of("/usr/bin/google-chrome"));
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Process process;
    private final HttpClient client = HttpClient.newHttpClient();
    private final JsonMapper json = new JsonMapper();
    private final BlockingQueue<JsonNode> messages = new LinkedBlockingQueue<>();
    private final List<String> requests = new ArrayList<>();
    private final List<String> complaints = new ArrayList<>();
    private final WebSocket socket;
    private int calls;

    /** Shows a page; skips the test where there is no Chromium. */
    Chromium(URI page, Path profile) throws IOException, InterruptedException {
        Path binary = PLACES.stream().filter(Files::isExecutable).findFirst().orElse(null);
        assumeTrue(binary != null, "none of " + PLACES + " is installed");
        process = new ProcessBuilder(binary.toString(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                "--disable-background-networking", "--disable-component-update", "--window-size=1240,1400", "--remote-debugging-port=0", "--user-data-dir=" + profile, "about:blank")
                .redirectErrorStream(true).redirectOutput(profile.resolve("chromium.log").toFile()).start();
        Path port = profile.resolve("DevToolsActivePort");
        for (long end = System.nanoTime() + PATIENCE.toNanos(); !Files.exists(port) || Files.readAllLines(port).size() < 2; Thread.sleep(50)) {
            if (System.nanoTime() > end || !process.isAlive()) {
                process.destroyForcibly();
                throw new IOException("Chromium does not start: " + Files.readString(profile.resolve("chromium.log")));
            }
        }
        var list = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + Files.readAllLines(port).getFirst() + "/json/list")).build();
        JsonNode tabs = json.readTree(client.send(list, HttpResponse.BodyHandlers.ofString()).body());
        String target = Stream.iterate(0, i -> i < tabs.size(), i -> i + 1).map(tabs::get).filter(tab -> tab.path("type").asText().equals("page")).findFirst().orElseThrow()
                .path("webSocketDebuggerUrl").asText();
        socket = client.newWebSocketBuilder().buildAsync(URI.create(target), new Listener()).join();
        call("Network.enable", Map.of());
        call("Runtime.enable", Map.of());
        call("Page.enable", Map.of());
        call("Page.navigate", Map.of("url", page.toString()));
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                try {
                    messages.add(json.readTree(text.toString()));
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
                text.setLength(0);
            }
            from.request(1);
            return null;
        }
    }

    private JsonNode call(String method, Map<String, Object> parameters) throws InterruptedException, IOException {
        int id = ++calls;
        socket.sendText(json.writeValueAsString(Map.of("id", id, "method", method, "params", parameters)), true).join();
        while (true) {
            JsonNode message = messages.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            if (message == null) {
                throw new IOException("Chromium does not answer " + method);
            }
            if (message.path("id").asInt() == id) {
                return message.path("result");
            }
            switch (message.path("method").asText()) {
                case "Network.requestWillBeSent" -> requests.add(message.path("params").path("request").path("url").asText());
                case "Runtime.exceptionThrown" -> complaints.add(message.path("params").toString());
                case "Runtime.consoleAPICalled" -> complaints.add(message.path("params").path("args").toString());
                default -> { }
            }
        }
    }

    /** The value of a JavaScript expression as text. */
    String value(String expression) throws IOException, InterruptedException {
        JsonNode answer = call("Runtime.evaluate", Map.of("expression", "String(" + expression + ")"));
        if (answer.has("exceptionDetails")) {
            throw new IOException(expression + ": " + answer.path("exceptionDetails"));
        }
        return answer.path("result").path("value").asText();
    }

    /** Waits until an expression is true. */
    void await(String expression) throws IOException, InterruptedException {
        for (long end = System.nanoTime() + PATIENCE.toNanos(); !value(expression).equals("true"); Thread.sleep(50)) {
            if (System.nanoTime() > end) {
                throw new IOException("still not true: " + expression + "; the page says " + value("document.body.innerText") + "; complaints " + complaints);
            }
        }
    }

    /** Writes what the page looks like. */
    void screenshot(Path png) throws IOException, InterruptedException {
        Files.write(png, Base64.getDecoder().decode(call("Page.captureScreenshot", Map.of("captureBeyondViewport", true)).path("data").asText()));
    }

    /** Every address that the page asked for. */
    List<String> requests() {
        return List.copyOf(requests);
    }

    /** Exceptions of its scripts, and what they wrote to the console. */
    List<String> complaints() {
        return List.copyOf(complaints);
    }

    @Override
    public void close() {
        socket.abort();
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
