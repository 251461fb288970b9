package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Adapter;
import dev.t2l.Chat;
import dev.t2l.LanguageModel;
import dev.t2l.Models;
import dev.t2l.Sampling;
import dev.t2l.TextEncoder;
import dev.t2l.TextToLora;
import dev.t2l.backend.Backend;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One sentence becomes an adapter, and the model answers with it. */
@Tag("models")
class QuickStartExample {

    @Test
    void fromOneSentenceToAdaptedText(@TempDir Path out) {
        Path smolLm2 = Models.require("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf");
        Path miniLm = Models.require("all-MiniLM-L6-v2");
        Path trained = Models.require("t2l-smollm2");
        var answer = new StringBuilder();

        try (var backend = Backend.best();
             var lm = LanguageModel.load(smolLm2, backend);
             var encoder = TextEncoder.load(miniLm, backend);
             var t2l = TextToLora.load(trained, lm, encoder)) {
            Adapter adapter = t2l.generate("A movie or series title is given; return the language of its undubbed version.");
            lm.generate(Chat.user("Brice de Nice"), adapter, Sampling.greedy(), answer::append);
            adapter.save(out.resolve("film-language"));
        }

        assertEquals("French", answer.toString());
        assertTrue(Files.exists(out.resolve("film-language/adapter_model.safetensors")));
    }
}
