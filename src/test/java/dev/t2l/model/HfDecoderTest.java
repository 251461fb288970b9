package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** config.json in its old and new spellings. */
class HfDecoderTest {
    private static final String SIZES = "\"vocab_size\": 10, \"hidden_size\": 8, \"intermediate_size\": 16, \"num_hidden_layers\": 4, \"num_attention_heads\": 2";

    @TempDir
    Path folder;

    private DecoderConfig read(String more) throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, "{" + SIZES + ", " + more + "}");
        return HfDecoder.config(file);
    }

    @Test
    void readsOldAndNewRopeKeysAlike() throws IOException {
        DecoderConfig old = read("\"model_type\": \"llama\", \"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0,"
                + " \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}");
        DecoderConfig now = read("\"model_type\": \"llama\", \"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"llama3\", \"factor\": 8.0,"
                + " \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}");
        assertArrayEquals(old.rope().invFreq(), now.rope().invFreq());
        assertEquals(1, old.rope().invFreq()[0]);
        assertEquals((float) (1 / Math.sqrt(500000) / 8), old.rope().invFreq()[1], 1e-9);
    }

    @Test
    void windowsFollowTheArchitecture() throws IOException {
        assertArrayEquals(new boolean[] {true, true, true, true}, read("\"model_type\": \"mistral\", \"sliding_window\": 7").attention().windowed());
        assertArrayEquals(new boolean[4], read("\"model_type\": \"mistral\", \"sliding_window\": null").attention().windowed());
        assertArrayEquals(new boolean[] {true, false, true, false}, read("\"model_type\": \"gemma2\", \"sliding_window\": 7").attention().windowed());
        assertArrayEquals(new boolean[4], read("\"model_type\": \"qwen2\", \"sliding_window\": 7").attention().windowed());
        assertArrayEquals(new boolean[] {false, false, true, true},
                read("\"model_type\": \"qwen3\", \"sliding_window\": 7, \"use_sliding_window\": true, \"max_window_layers\": 2").attention().windowed());
        assertArrayEquals(new boolean[] {false, true, false, true}, read("\"model_type\": \"mistral\", \"sliding_window\": 7,"
                + " \"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\", \"sliding_attention\"]").attention().windowed());
    }

    @Test
    void refusesWhatItWouldGetWrong() {
        for (String bad : new String[] {"\"model_type\": \"gpt_neox\"", "\"model_type\": \"llama\", \"hidden_act\": \"mish\"",
            "\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0}",
            "\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"linear\"}",
            "\"model_type\": \"llama\", \"partial_rotary_factor\": 0.5", "\"model_type\": \"llama\", \"num_key_value_heads\": 3",
            "\"model_type\": \"mistral\", \"sliding_window\": 7, \"layer_types\": [\"full_attention\"]"}) {
            FormatException e = assertThrows(FormatException.class, () -> read(bad), bad);
            assertTrue(e.getMessage().contains("config.json"), e.getMessage());
        }
    }
}
