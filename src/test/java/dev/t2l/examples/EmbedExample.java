package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Models;
import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A text encoder by itself: sentences become vectors that can be compared. */
@Tag("models")
class EmbedExample {

    @Test
    void comparesSentences() {
        try (var backend = Backend.best();
             var encoder = TextEncoder.load(Models.require("all-MiniLM-L6-v2"), backend)) {
            float[][] vectors = encoder.embed(List.of("How old are you?", "What is your age?", "The train is late."));

            assertTrue(cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2]) + 0.5);
        }
    }

    /** Of vectors of length 1, which MiniLM's are. */
    private static double cosine(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
