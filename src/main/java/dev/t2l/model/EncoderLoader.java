package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/** Encoders on disk: which kind a Hugging Face folder or a GGUF file holds, and how it becomes one of ours. */
final class EncoderLoader {
    private EncoderLoader() {
    }

    static Encoder load(Path path, Backend backend) {
        return Files.isDirectory(path) ? fromFolder(path, backend) : fromGguf(path, backend);
    }

    static boolean isEncoder(Path folder) {
        return List.of("bert", "new").contains(JsonConfig.read(folder.resolve("config.json")).text("model_type", ""));
    }

    private static Encoder fromFolder(Path folder, Backend backend) {
        JsonConfig json = JsonConfig.read(folder.resolve("config.json"));
        return switch (json.text("model_type", "")) {
            case "bert" -> {
                BertConfig config = BertConfig.of(json);
                yield guarded(SafeTensors.open(folder), file -> {
                    var tensors = ModelTensors.ofHuggingFace(folder, file.weights().tensors(), "bert.", backend);
                    return new BertEncoder(backend, config, BertWeights.of(tensors, config), file::close);
                }, SafeTensors::close);
            }
            case "new" -> {
                GteConfig config = GteConfig.of(json);
                yield guarded(SafeTensors.open(folder), file -> {
                    var tensors = ModelTensors.ofHuggingFace(folder, file.weights().tensors(), "new.", backend);
                    return new GteEncoder(backend, config, GteWeights.of(tensors, config), file::close);
                }, SafeTensors::close);
            }
            default -> throw json.refuse("model_type", "wanted an encoder, 'bert' or 'new' (gte-v1.5)");
        };
    }

    private static Encoder fromGguf(Path path, Backend backend) {
        return guarded(Gguf.open(path), file -> {
            if (!file.string("general.architecture").equals("bert")) {
                throw file.problem("general.architecture", "wanted an encoder, 'bert', found '" + file.string("general.architecture") + "'");
            }
            BertConfig config = GgufBert.config(file);
            var tensors = new ModelTensors(path, file.weights().tensors(), GgufBert.NAMES, backend);
            return new BertEncoder(backend, config, BertWeights.of(tensors, config), file::close);
        }, Gguf::close);
    }

    /** Closes the file unless an encoder was made from it. */
    private static <F> Encoder guarded(F file, Function<F, Encoder> make, Consumer<F> close) {
        try {
            return make.apply(file);
        } catch (RuntimeException e) {
            close.accept(file);
            throw e;
        }
    }
}
