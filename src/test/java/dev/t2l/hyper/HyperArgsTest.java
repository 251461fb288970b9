package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** args.yaml in the styles that PyYAML writes, and what a file from elsewhere must not do. */
class HyperArgsTest {
    private static final String STYLES = """
            additional_eval_descs:
            - one;two;three;
            - '9@#/.x,s''2^0: {a}'
            - '# hash first'
            delta_w_scaling: 25
            emb_model: ''
            eval_ds_info:
              t0:
                descriptions:
                - 'A long description, folded
                  over two lines: with a colon, and a ''quote''.'
                - "Caf\\xE9 \\u2014 na\\xEFve \\u4EFB\\u52A1, folded in double quotes,\\
                  \\ over two lines. \\U0001F600"
                - 'multi

                  line'
                - 'true'
                - 12e3
                ds_kwargs:
                  split: train[:10]
            lr: 2.5e-05
            mt_lora_path: null
            save_freq: %s
            shared_AB_head: true
            train_ds_names:
            - t0
            - 'yes'
            - '007'
            - 1e5
            """.formatted(BigInteger.TEN.pow(100));

    @TempDir
    Path folder;

    private HyperArgs args(String yaml) throws IOException {
        Path file = folder.resolve("args.yaml");
        Files.writeString(file, yaml);
        return HyperArgs.read(file);
    }

    @Test
    void everyStyleOfPyYaml() throws IOException {
        HyperArgs args = args(STYLES);
        assertEquals(List.of("t0", "yes", "007", "1e5"), args.texts("train_ds_names"));
        assertEquals(25, args.number("delta_w_scaling", 10_000));
        assertEquals(2.5e-5, args.number("lr", 0));
        assertTrue(args.flag("shared_AB_head"));
        assertTrue(args.text("emb_model").isEmpty());
        assertTrue(args.text("mt_lora_path").isEmpty());
        assertEquals(BigInteger.TEN.pow(100), args.values().get("save_freq"));
        var info = (Map<?, ?>) ((Map<?, ?>) args.values().get("eval_ds_info")).get("t0");
        assertEquals(List.of("A long description, folded over two lines: with a colon, and a 'quote'.",
                "Café — naïve 任务, folded in double quotes, over two lines. 😀", "multi\nline", "true", "12e3"), info.get("descriptions"));
    }

    @Test
    void missingAndNullKeysTakeTheDefaults() throws IOException {
        HyperArgs args = args("head_in_size: null\n");
        assertEquals(512, args.integer("head_in_size", 512));
        assertEquals(128, args.integer("hypernet_latent_size", 128));
        assertFalse(args.flag("autoreg_gen"));
        assertEquals(List.of(), args.texts("train_ds_names"));
    }

    @Test
    void writtenAndReadAgain() throws IOException {
        HyperArgs args = args(STYLES);
        Path copy = folder.resolve("copy.yaml");
        args.write(copy);
        assertEquals(args.values(), HyperArgs.read(copy).values());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "a: !!python/object/apply:os.system [ls]", "a: !!java.io.File [x]", "a: {b: [}", "a: 1\na: 2", "- a list", "plain", "",
        "a: 1\n---\nb: 2", "a: *nothing", "\t- x"})
    void refused(String yaml) {
        FormatException e = assertThrows(FormatException.class, () -> args(yaml));
        assertTrue(e.getMessage().contains("args.yaml"), e.getMessage());
    }

    @Test
    void refusedByLimits() {
        assertThrows(FormatException.class, () -> args("a: " + "[".repeat(100_000)));
        assertThrows(FormatException.class, () -> args("a: !!int " + "9".repeat(1_000_000)));
        Path file = folder.resolve("latin1.yaml");
        assertThrows(FormatException.class, () -> HyperArgs.read(Files.write(file, "a: é".getBytes(StandardCharsets.ISO_8859_1))));
    }

    @Test
    void wrongKindsAreNamed() throws IOException {
        HyperArgs args = args("flag: 1\nsize: 1e3\nnames: [a, 7]\nbig: 99999999999\n");
        assertThrows(FormatException.class, () -> args.flag("flag"));
        assertThrows(FormatException.class, () -> args.integer("size", 1));
        assertThrows(FormatException.class, () -> args.integer("big", 1));
        FormatException e = assertThrows(FormatException.class, () -> args.texts("names"));
        assertTrue(e.getMessage().contains("'names'") && e.getMessage().contains("'7'"), e.getMessage());
    }
}
