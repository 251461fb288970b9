package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An embedder sees in a flight recording where a request's time went. */
class FlightRecorderTest {

    @Test
    void everyStageIsAnEvent(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("requests.jfr");
        String description;
        List<Completion> done;
        try (var recording = new Recording()) {
            for (String name : List.of("Load", "Adapt", "Encode", "Prefill", "Decode")) {
                recording.enable("dev.t2l." + name).withoutThreshold();
            }
            recording.start();
            try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
                description = backend.description();
                List<Adapter> adapters = t2l.generate(List.of("One task.", "Another task."));
                done = lm.generate(adapters.stream().map(a -> Request.raw("prompt", a, Sampling.greedy().withMaxTokens(7))).toList());
                adapters.forEach(Adapter::close);
            }
            recording.stop();
            recording.dump(file);
        }
        Map<String, List<RecordedEvent>> events = RecordingFile.readAllEvents(file).stream().collect(Collectors.groupingBy(e -> e.getEventType().getName()));
        List<RecordedEvent> loads = events.get("dev.t2l.Load");
        assertEquals(List.of(Tiny.BASE.toString(), Tiny.T2L.toString()), loads.stream().map(e -> e.getString("path")).toList());
        assertEquals(List.of(description, description), loads.stream().map(e -> e.getString("backend")).toList());
        assertEquals(2, only(events, "Adapt").getInt("descriptions"));
        assertEquals(2, only(events, "Encode").getInt("texts"));
        assertTrue(only(events, "Encode").getLong("tokens") > 8);
        assertEquals(2, only(events, "Prefill").getInt("sequences"));
        assertEquals(done.stream().mapToInt(Completion::promptTokens).sum(), only(events, "Prefill").getInt("tokens"));
        assertEquals(2, only(events, "Decode").getInt("sequences"));
        assertEquals(done.stream().mapToInt(c -> c.tokens().length).sum(), only(events, "Decode").getInt("tokens"));
        assertTrue(events.values().stream().flatMap(List::stream).allMatch(e -> e.getDuration().isPositive()));
        assertTrue(only(events, "Adapt").getDuration().compareTo(only(events, "Encode").getDuration()) > 0, "encoding is part of adapting");
    }

    private static RecordedEvent only(Map<String, List<RecordedEvent>> events, String name) {
        assertEquals(1, events.get("dev.t2l." + name).size(), name);
        return events.get("dev.t2l." + name).getFirst();
    }
}
