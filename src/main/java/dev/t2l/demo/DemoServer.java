package dev.t2l.demo;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.javalin.Javalin;
import io.javalin.http.Context;
import io.javalin.http.ForbiddenResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * The demo as a page for a browser on this machine. It listens on the loopback interface alone, answers only requests that were addressed to
 * it by that name, and the page may load nothing from elsewhere.
 */
public final class DemoServer implements AutoCloseable {
    private static final String LOOPBACK = "127.0.0.1";
    private static final long LONGEST_REQUEST = 1 << 16;
    private static final Map<String, String> FILES = Map.of("/", "index.html", "/page.css", "page.css", "/page.js", "page.js");
    private static final Map<String, String> TYPES = Map.of("html", "text/html", "css", "text/css", "js", "text/javascript");

    private final DemoModels models;
    private final Playground playground;
    private final Optional<RecordedTier> recorded;
    private final JsonMapper json = new JsonMapper();
    private final Javalin app;

    /** A description and prompts to begin with. */
    record Example(String title, String description, List<String> prompts) {
    }

    /**
     * What the page shows before anything is asked.
     *
     * @param map    of the training tasks; empty if the checkpoint does not come with their embeddings
     * @param mixing two descriptions that ask for different things of one prompt
     */
    record About(String base, String backend, int trainingTasks, List<Example> examples, List<String> mixing, List<TaskMap.Point> map, RecordedTier recorded) {
    }

    /** As the page is told; fields that do not apply are null. */
    record Made(double millis, List<AdapterNorms.Norm> norms, LiveTier.Position position, TaskMap.Point place) {
    }

    /** A piece of one of the two answers. */
    record Piece(String to, String text) {
    }

    private DemoServer(DemoModels models, LiveTier live, Optional<RecordedTier> recorded, int port) {
        this.models = models;
        this.playground = new Playground(models, live);
        this.recorded = recorded;
        this.app = Javalin.create(config -> {
            config.showJavalinBanner = false;
            config.http.maxRequestSize = LONGEST_REQUEST;
        });
        app.before(this::guard);
        FILES.forEach((path, file) -> app.get(path, context -> context.contentType(TYPES.get(file.substring(file.indexOf('.') + 1))).result(resource(file))));
        app.get("/api/about", context -> reply(context, about()));
        app.post("/api/adapter", context -> reply(context, made(wish(context))));
        app.post("/api/answer", this::answer);
        app.exception(IllegalArgumentException.class, (e, context) -> reply(context.status(400), Map.of("error", e.getMessage())));
        app.start(LOOPBACK, port);
    }

    /**
     * Serves until it is closed.
     *
     * @param port 0 for any free one
     */
    public static DemoServer start(DemoModels models, LiveTier live, Optional<RecordedTier> recorded, int port) {
        return new DemoServer(models, live, recorded, port);
    }

    public URI address() {
        return URI.create("http://" + LOOPBACK + ":" + app.port() + "/");
    }

    /** Another site's page that a browser on this machine shows could otherwise ask, by a name that leads here. */
    private void guard(Context context) {
        String port = ":" + app.port();
        if (!Set.of(LOOPBACK + port, "localhost" + port).contains(Optional.ofNullable(context.host()).orElse(""))) {
            throw new ForbiddenResponse("this is " + address());
        }
        String origin = context.header("Origin");
        if (origin != null && !Set.of("http://" + LOOPBACK + port, "http://localhost" + port).contains(origin)) {
            throw new ForbiddenResponse("this page is not for " + origin);
        }
        context.header("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        context.header("X-Content-Type-Options", "nosniff").header("Referrer-Policy", "no-referrer").header("Cache-Control", "no-store");
    }

    private static byte[] resource(String file) throws IOException {
        try (InputStream in = DemoServer.class.getResourceAsStream("web/" + file)) {
            return in.readAllBytes();
        }
    }

    private About about() {
        DemoTasks tasks = DemoTasks.load();
        List<Example> examples = tasks.tasks().stream()
                .map(task -> new Example(task.title(), task.description(), task.examples().stream().limit(4).map(DemoTasks.Example::input).toList())).toList();
        return new About(models.base().path().getFileName().toString(), models.backend().description(), models.t2l().config().origin().trainTasks().size(), examples,
                tasks.twoWays().stream().flatMap(two -> two.ways().stream()).map(DemoTasks.Way::description).toList(), models.neighbours().map(near -> near.map().points()).orElse(List.of()), recorded.orElse(null));
    }

    private Made made(Playground.Wish wish) {
        Playground.Made made = playground.make(wish);
        return new Made(made.millis(), made.norms(), made.position().orElse(null), made.place().orElse(null));
    }

    private Playground.Wish wish(Context context) {
        try {
            Playground.Wish wish = json.readValue(context.body(), Playground.Wish.class);
            if (wish == null) {
                throw new IllegalArgumentException("no such request: null");
            }
            return wish;
        } catch (JsonProcessingException e) {
            Throwable cause = e.getCause() instanceof IllegalArgumentException refused ? refused : e;
            throw new IllegalArgumentException(cause == e ? "no such request: " + e.getOriginalMessage() : cause.getMessage());
        }
    }

    private void reply(Context context, Object value) {
        context.contentType("application/json").result(bytes(value));
    }

    private byte[] bytes(Object value) {
        try {
            return json.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Both answers as they come, a line of JSON a piece; a browser that goes away ends them. */
    private void answer(Context context) {
        Playground.Wish wish = wish(context).withPrompt();
        var gone = new AtomicBoolean();
        OutputStream out = context.contentType("application/x-ndjson").outputStream();
        Consumer<Object> line = value -> {
            synchronized (out) {
                try {
                    out.write(bytes(value));
                    out.write('\n');
                    out.flush();
                } catch (IOException e) {
                    gone.set(true);
                }
            }
        };
        try {
            playground.answer(wish, text -> line.accept(new Piece("base", text)), text -> line.accept(new Piece("adapted", text)), gone::get);
        } catch (IllegalArgumentException e) { // such as a prompt that is too long for the model
            line.accept(Map.of("error", e.getMessage()));
        }
    }

    @Override
    public void close() {
        app.stop();
    }
}
