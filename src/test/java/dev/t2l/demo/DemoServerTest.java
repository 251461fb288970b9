package dev.t2l.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.Drawing;
import dev.t2l.backend.Backend;
import java.io.IOException;
import java.io.PrintStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The demo's page and what stands behind it, on a tiny model; the page in a real browser where there is one. */
class DemoServerTest {
    private static final String WISH = "{\"description\": \"%s\", \"other\": \"\", \"share\": 0.5, \"strength\": %s, \"prompt\": \"%s\"}";

    private static Backend backend;
    private static DemoModels models;
    private static LiveTier live;
    private static DemoServer server;

    private final HttpClient client = HttpClient.newHttpClient();

    @BeforeAll
    static void open(@TempDir Path folder) throws Exception {
        backend = Backend.best();
        models = TinyDemo.open(folder, backend);
        live = new LiveTier(models, new LiveTier.Effort(1, 1, 4, 12, 1));
        var recorded = new RecordedTier(new RecordedTier.About("It is so.", "abc", List.of("t2l eval <x>"), "a GPU", "log"), List.of(List.of("task", "t2l"), List.of("one", "20.0")), List.of());
        server = DemoServer.start(models, live, Optional.of(recorded), 0);
    }

    @AfterAll
    static void close() {
        server.close();
        models.close();
        backend.close();
    }

    private HttpResponse<String> post(String path, String body, String... headers) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(server.address().resolve(path)).POST(HttpRequest.BodyPublishers.ofString(body));
        return client.send((headers.length > 0 ? request.headers(headers) : request).build(), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void bothAnswersStreamAsTheLibraryGivesThem() throws Exception {
        HttpResponse<String> response = post("/api/answer", WISH.formatted("Answer with yes or no.", "1", "once"));
        assertEquals(200, response.statusCode(), response.body());
        var base = new StringBuilder();
        var adapted = new StringBuilder();
        for (String line : response.body().lines().toList()) {
            JsonNode piece = new JsonMapper().readTree(line);
            (piece.get("to").asText().equals("base") ? base : adapted).append(piece.get("text").asText());
        }
        var wantedBase = new StringBuilder();
        var wanted = new StringBuilder();
        live.base("once", wantedBase::append);
        live.adapted("Answer with yes or no.", "once", wanted::append);
        assertEquals(wantedBase.toString(), base.toString());
        assertEquals(wanted.toString(), adapted.toString());
    }

    @Test
    void wrongRequestsAreToldWhy() throws Exception {
        for (String body : List.of("{", "[]", "null", WISH.formatted("", "1", "x"), WISH.formatted("a", "3", "x"), "{\"description\": \"a\", \"more\": 1}")) {
            HttpResponse<String> response = post("/api/adapter", body);
            assertEquals(400, response.statusCode(), body);
            assertFalse(new JsonMapper().readTree(response.body()).get("error").asText().isBlank(), body);
        }
        assertEquals(400, post("/api/answer", WISH.formatted("a", "1", " ")).statusCode());
        assertEquals(413, post("/api/adapter", "x".repeat(1 << 17)).statusCode());
    }

    @Test
    void onlyThisMachinesBrowserMayAsk() throws Exception {
        assertEquals("127.0.0.1", server.address().getHost());
        assertEquals(403, post("/api/adapter", WISH.formatted("a", "1", "x"), "Origin", "http://elsewhere.example").statusCode());
        try (var socket = new Socket("127.0.0.1", server.address().getPort()); var out = new PrintStream(socket.getOutputStream(), true, StandardCharsets.US_ASCII)) {
            out.print("GET /api/about HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n");
            assertTrue(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8).startsWith("HTTP/1.1 403"));
        }
        HttpResponse<String> page = client.send(HttpRequest.newBuilder(server.address()).build(), HttpResponse.BodyHandlers.ofString());
        assertTrue(page.headers().firstValue("Content-Security-Policy").orElse("").startsWith("default-src 'self'"));
        assertFalse(page.body().contains("http"), "the page names no other place");
    }

    @Test
    void thePageWorksInABrowser(@TempDir(cleanup = CleanupMode.NEVER) Path profile) throws Exception {
        Drawing.assumePossible(); // Chromium finds its fonts where Java does, and ends on this page if there are none
        try (var browser = new Chromium(server.address(), profile)) {
            browser.await("document.querySelectorAll('#examples button').length === 4 && document.querySelectorAll('#norms .cell').length > 0");
            assertEquals("3", browser.value("document.querySelectorAll('#map .dot').length"), "training tasks");
            assertTrue(browser.value("at('recorded').innerText").contains("t2l eval <x>"));

            browser.value("at('description').value = 'Answer with yes or no.', at('prompt').value = 'once', at('run').click()");
            browser.await("at('state').textContent === 'done'");
            assertEquals(answer(Optional.empty()), browser.value("at('base').textContent"));
            assertEquals(answer(Optional.of("Answer with yes or no.")), browser.value("at('adapted').textContent"));
            assertTrue(browser.value("at('position').textContent").startsWith("Nearest training task: truth, cosine 1.00"));
            assertEquals("1", browser.value("document.querySelectorAll('#map .here').length"));
            String norm = browser.value("document.querySelector('#norms title').textContent");

            browser.value("at('strength').value = 0, at('strength').oninput(), at('strength').onchange()");
            browser.await("at('state').textContent === 'done' && at('strength-value').textContent === '0.00' && at('adapted').textContent === at('base').textContent");
            assertNotEquals(norm, browser.value("document.querySelector('#norms title').textContent"));

            browser.value("at('mixing').open = true, at('strength').value = 2, at('share').value = 1, at('run').click()");
            browser.await("at('state').textContent === 'done'");
            Path png = Files.createDirectories(Path.of("target/demo")).resolve("page.png");
            browser.screenshot(png);
            assertTrue(Files.size(png) > 10_000);
            for (String asked : browser.requests()) {
                assertEquals(server.address().getAuthority(), URI.create(asked).getAuthority(), "no request leaves this machine");
            }
            assertEquals(List.of(), browser.complaints());
        }
    }

    private static String answer(Optional<String> description) {
        var text = new StringBuilder();
        description.ifPresentOrElse(d -> live.adapted(d, "once", text::append), () -> live.base("once", text::append));
        return text.toString();
    }
}
