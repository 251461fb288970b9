package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code t2l bench} at tiny size. */
class BenchTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int t2l(String... args) {
        String[] all = Stream.concat(Stream.of(args), Stream.of("--seconds", "0", "--warm-up", "0")).toArray(String[]::new);
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(all);
    }

    private List<JsonNode> lines(String... args) throws IOException {
        assertEquals(0, t2l(Stream.concat(Stream.of(args), Stream.of("--json")).toArray(String[]::new)), err.toString());
        List<JsonNode> lines = new ArrayList<>();
        for (String line : out.toString().lines().toList()) {
            lines.add(new ObjectMapper().readTree(line));
        }
        return lines;
    }

    @AfterEach
    void quiet() {
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
    }

    @ParameterizedTest
    @CsvSource({"decode, tokens/s, true", "prefill, tokens/s, true", "encode, texts/s, true", "hypernetwork, adapters/s, true", "adapt, adapters/s, true",
        "first-token, requests/s, false", "sft, tokens/s, true"})
    void eachTellsItsTimesAndRates(String bench, String unit, boolean rates) throws IOException {
        List<JsonNode> lines = lines("bench", bench, "--shape", "tiny", "--tokens", "8", "--prompt", "4", "--callers", "3", "--descriptions", "2");
        assertEquals(1, lines.size());
        JsonNode line = lines.getFirst();
        assertEquals(bench, line.get("bench").asText());
        assertEquals(unit, line.get("unit").asText());
        double median = line.get("medianMillis").asDouble();
        assertTrue(median > 0 && line.get("p99Millis").asDouble() >= median && line.get("n").asInt() > 0, line::toString);
        assertTrue(line.get("rate").asDouble() > 0 && line.get("bandwidthGigabytesPerSecond").asDouble() > 0, line::toString);
        assertEquals(rates, line.has("gigabytesPerSecond"));
        if (rates) {
            assertEquals(line.get("gigabytesPerSecond").asDouble() / line.get("bandwidthGigabytesPerSecond").asDouble(), line.get("shareOfBandwidth").asDouble(), 1e-9);
            assertTrue(line.get("teraflopsPerSecond").asDouble() > 0, line::toString);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q4_k", "q6_k", "q4_k_m"})
    void everyFormatIsMade(String dtype) throws IOException {
        assertEquals(dtype, lines("bench", "prefill", "--shape", "tiny", "--dtype", dtype, "--tokens", "5").getFirst().get("weights").asText());
    }

    @Test
    void listsGiveACaseEach() throws IOException {
        List<JsonNode> lines = lines("bench", "decode", "hypernetwork", "--shape", "tiny,t2l-S", "--dtype", "bf16,q8_0", "--batch", "2,3", "--adapters", "0,2",
                "--targets", "q,down", "--rank", "4", "--tokens", "4", "--descriptions", "1,2", "--t2l-dtype", "f32");
        assertEquals(10, lines.size());
        assertEquals(List.of("bf16 2 0", "bf16 2 2", "bf16 3 0", "bf16 3 2", "q8_0 2 0", "q8_0 2 2", "q8_0 3 0", "q8_0 3 2"), lines.stream().limit(8)
                .map(l -> l.get("weights").asText() + " " + l.get("batch") + " " + l.get("adapters")).toList());
        assertEquals("[\"q\",\"down\"]", lines.get(1).get("targets").toString());
        assertFalse(lines.getFirst().has("targets"));
        assertEquals("t2l-S", lines.getLast().get("shape").asText());
        assertEquals("f32", lines.getLast().get("weights").asText());
    }

    @Test
    void theTableHasARowForEachAndSaysWhatItIsHeldAgainst() {
        assertEquals(0, t2l("bench", "all", "--shape", "tiny"), err.toString());
        List<String> lines = out.toString().lines().toList();
        assertTrue(lines.get(1).contains(" GB/s: "), lines.get(1));
        List<String> table = lines.stream().filter(l -> l.startsWith("|")).toList();
        assertEquals(2 + 15, table.size());
        long columns = table.getFirst().chars().filter(c -> c == '|').count();
        assertTrue(table.stream().allMatch(l -> l.chars().filter(c -> c == '|').count() == columns), out.toString());
        for (String bench : List.of("decode", "prefill", "encode", "hypernetwork", "adapt", "first-token")) {
            assertTrue(table.stream().anyMatch(l -> l.startsWith("| " + bench)), bench);
        }
        assertEquals("", err.toString());
    }

    private void wrong(String part, String... args) {
        err.getBuffer().setLength(0);
        assertEquals(2, t2l(args), out.toString());
        assertTrue(err.toString().contains(part), err.toString());
        assertEquals("", out.toString());
    }

    @Test
    void wrongUsage() {
        wrong("no shape is called 'gpt-5'; there are tiny, smollm2, mistral-7b", "bench", "decode", "--shape", "gpt-5");
        wrong("no weights are called 'q3_k'; there are f32, f16, bf16", "bench", "decode", "--shape", "tiny", "--dtype", "q3_k");
        wrong("--t2l-dtype: wanted one of f32, f16, bf16", "bench", "encode", "--shape", "tiny", "--t2l-dtype", "q8_0");
        wrong("no benchmark is called 'fly'; there are decode, prefill", "bench", "fly", "--shape", "tiny");
        wrong("BENCH", "bench", "--shape", "tiny");
        wrong("q4_k wants rows of whole blocks of 256 weights", "bench", "decode", "--shape", "smollm2", "--dtype", "q4_k");
        wrong("HINT: --batch 2", "bench", "decode", "--shape", "tiny", "--adapters", "2");
        wrong("no projection is called 'z'", "bench", "decode", "--shape", "tiny", "--targets", "z");
        wrong("batch: wanted at least 1, got 0", "bench", "prefill", "--shape", "tiny", "--batch", "0");
    }

    @Test
    void oneThatFailsIsToldAndTheOthersGoOn() {
        assertEquals(1, t2l("bench", "prefill", "--shape", "tiny", "--tokens", "9999,5"));
        assertTrue(err.toString().contains("9999") && err.toString().contains("HINT"), err.toString());
        assertEquals(1, err.toString().lines().count());
        assertEquals(1, out.toString().lines().filter(l -> l.startsWith("| prefill")).count());
    }
}
