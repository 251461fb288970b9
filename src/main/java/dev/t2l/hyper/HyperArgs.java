package dev.t2l.hyper;

import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;

/**
 * The training arguments of a checkpoint, {@code args.yaml}: a Python yaml.dump of them all, of which a few matter here and the
 * others are kept. A missing or null key takes the default of the training script.
 */
final class HyperArgs {
    private static final long MAX_FILE = 64L << 20;

    private final Path file;
    private final Map<String, Object> values;

    private HyperArgs(Path file, Map<String, Object> values) {
        this.file = file;
        this.values = values;
    }

    /**
     * @throws FormatException if the file is no YAML map of plain data
     * @throws UncheckedIOException if it cannot be read
     */
    static HyperArgs read(Path file) {
        Object root;
        try {
            root = PyYaml.load(text(file));
        } catch (MarkedYAMLException e) {
            var mark = e.getProblemMark();
            String place = mark == null ? "YAML" : "line " + (mark.getLine() + 1) + ", column " + (mark.getColumn() + 1);
            throw new FormatException(file, place, e.getProblem(), e);
        } catch (YAMLException e) {
            throw new FormatException(file, "YAML", e.getMessage(), e);
        }
        if (!(root instanceof Map<?, ?> map)) {
            throw new FormatException(file, "root", "wanted a map of arguments, found " + FormatException.inWords(root));
        }
        Map<String, Object> values = new LinkedHashMap<>();
        map.forEach((key, value) -> values.put(String.valueOf(key), value));
        return new HyperArgs(file, values);
    }

    /** What the published training script would write about a network, and {@code more}, which wins. Keys are sorted, as by yaml.dump. */
    static HyperArgs of(HyperConfig config, Map<String, Object> more) {
        Map<String, Object> values = new TreeMap<>();
        var arch = config.architecture();
        values.put("shared_AB_head", arch.sharedAbHead());
        values.put("autoreg_gen", arch.autoregGen());
        values.put("learnable_pos_emb", arch.learnablePosEmb());
        values.put("learnable_AB_offset", false);
        values.put("hypernet_latent_size", arch.latent());
        values.put("head_in_size", arch.headIn());
        values.put("encoder_type", "linear");
        values.put("exp_setup", "hyper_lora");
        values.put("training_task", config.training().task().name().toLowerCase(Locale.ROOT));
        values.put("pred_z_score", config.training().zScore());
        values.put("factorized", config.training().factorized());
        values.put("delta_w_scaling", config.training().deltaWScaling());
        values.put("emb_model", config.origin().embModel().orElse(""));
        values.put("model_dir", config.origin().baseModel());
        values.put("train_ds_names", config.origin().trainTasks());
        values.put("use_one_hot_task_emb", config.origin().condition() == Condition.ONE_HOT);
        values.put("use_inp_as_desc", config.origin().condition() == Condition.INPUT);
        values.put("use_per_task_emb", config.origin().condition() != Condition.INPUT);
        values.put("target_modules", config.targets().stream().map(t -> t.projection().peftName()).toList());
        values.put("mt_lora_path", null);
        values.putAll(more);
        return new HyperArgs(Path.of("args.yaml"), values);
    }

    private static String text(Path file) {
        try {
            long size = Files.size(file);
            if (size > MAX_FILE) {
                throw new FormatException(file, "size", size + " bytes; more than " + MAX_FILE + " are not read");
            }
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(Files.readAllBytes(file))).toString();
        } catch (CharacterCodingException e) {
            throw new FormatException(file, "text", "is not valid UTF-8", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void write(Path to) {
        AtomicFile.write(to, PyYaml.dump(values).getBytes(StandardCharsets.UTF_8));
    }

    /** Every argument, as read. */
    Map<String, Object> values() {
        return Collections.unmodifiableMap(values);
    }

    boolean flag(String key) {
        return typed(key, Boolean.class, false, "true or false");
    }

    int integer(String key, int missing) {
        return typed(key, Integer.class, missing, "an integer of at most 32 bits");
    }

    double number(String key, double missing) {
        return typed(key, Number.class, missing, "a number").doubleValue();
    }

    private <T> T typed(String key, Class<T> type, T missing, String wanted) {
        Object value = values.get(key);
        if (value == null) {
            return missing;
        }
        if (type.isInstance(value)) {
            return type.cast(value);
        }
        throw problem(key, wanted, value);
    }

    /** Empty where missing, null or "". */
    Optional<String> text(String key) {
        Object value = values.get(key);
        if (value == null || value.equals("")) {
            return Optional.empty();
        }
        if (value instanceof String text) {
            return Optional.of(text);
        }
        throw problem(key, "text", value);
    }

    /** Empty where missing or null. */
    List<String> texts(String key) {
        Object value = values.get(key);
        if (value == null) {
            return List.of();
        }
        if (!(value instanceof List<?> list)) {
            throw problem(key, "a list of texts", value);
        }
        return list.stream().map(e -> {
            if (e instanceof String text) {
                return text;
            }
            throw problem(key, "a list of texts (quote numbers and words like yes)", e);
        }).toList();
    }

    FormatException problem(String key, String wanted, Object found) {
        return new FormatException(file, "key '" + key + "'", "wanted " + wanted + ", found " + FormatException.inWords(found));
    }
}
