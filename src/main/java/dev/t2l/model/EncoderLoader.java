package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.io.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

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
                SafeTensors file = SafeTensors.open(folder);
                yield Placed.model(backend, file::close, (placement, release) -> {
                    var tensors = ModelTensors.ofHuggingFace(folder, file.weights().tensors(), "bert.", placement);
                    return new BertEncoder(backend, config, BertWeights.of(tensors, config), release);
                });
            }
            case "new" -> {
                GteConfig config = GteConfig.of(json);
                SafeTensors file = SafeTensors.open(folder);
                yield Placed.model(backend, file::close, (placement, release) -> {
                    var tensors = ModelTensors.ofHuggingFace(folder, file.weights().tensors(), "new.", placement);
                    return new GteEncoder(backend, config, GteWeights.of(tensors, config), release);
                });
            }
            default -> throw json.refuse("model_type", "wanted an encoder, 'bert' or 'new' (gte-v1.5)");
        };
    }

    private static Encoder fromGguf(Path path, Backend backend) {
        Gguf file = Gguf.open(path);
        return Placed.model(backend, file::close, (placement, release) -> {
            if (!file.string("general.architecture").equals("bert")) {
                throw file.problem("general.architecture", "wanted an encoder, 'bert', found '" + file.string("general.architecture") + "'");
            }
            BertConfig config = GgufBert.config(file);
            var tensors = new ModelTensors(path, file.weights().tensors(), GgufBert.NAMES, placement);
            return new BertEncoder(backend, config, BertWeights.of(tensors, config), release);
        });
    }
}
