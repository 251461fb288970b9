package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.experiment.Experiments;
import dev.t2l.experiment.TinyLab;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExperimentTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    Path folder;

    private int run(String... args) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(Stream.concat(Stream.of("experiment"), Stream.of(args)).toArray(String[]::new));
    }

    @AfterEach
    void quiet() {
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
    }

    @Test
    void severalInOneCommand() throws IOException {
        TinyLab.write(folder);
        String[] command = {"oracles", "sft-recon", "--config", folder.resolve("sft.yaml").toString(), "--config", folder.resolve("recon.yaml").toString(), "--config",
            folder.resolve("lora.yaml").toString(), "--out", folder.resolve("out").toString(), "--backend", "java", "--examples", "1", "--budget", "0.5", "--set", "lora:steps=1",
            "--tasks", "other", "--json"};
        assertEquals(0, run(command), err::toString);
        JsonNode reports = new ObjectMapper().readTree(out.toString());
        assertEquals(2, reports.size());
        assertEquals("sft-recon", reports.get(1).path("experiment").textValue());
        assertEquals(TinyLab.TRAINING, reports.get(0).path("rows").size());
        assertTrue(err.toString().contains("trains L, fine-tuned in ") && err.toString().contains("step 1/5"), err.toString());
        String table = Files.readString(folder.resolve("out/sft-recon/table.md"));
        assertTrue(table.contains("means over 1 tasks") && table.contains("--set lora:steps=1"), table);
        assertEquals(0, run(Stream.of(command).filter(word -> !word.equals("--json")).toArray(String[]::new)), err::toString);
        assertTrue(out.toString().contains("Fine-tuning less reconstruction"), out.toString());
        assertTrue(!err.toString().contains("trains "), err.toString());
        assertEquals(1, run(Stream.of(command).map(word -> word.equals("other") ? "task3" : word).toArray(String[]::new)));
        assertTrue(err.toString().contains("'task3' is trained on"), err.toString());
    }

    @Test
    void theHelpListsThemAndMistakesAreUsage() {
        assertEquals(0, run("--help"));
        Experiments.all().forEach(experiment -> assertTrue(out.toString().contains("  " + experiment.name() + " "), out.toString()));
        assertEquals(2, run("variant"));
        assertTrue(err.toString().contains("did you mean 'variants'?"), err.toString());
        assertEquals(2, run("variants", "--budget", "0"));
        assertEquals(2, run());
    }
}
