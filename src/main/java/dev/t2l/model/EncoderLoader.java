package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.io.SafeTensors;
import java.nio.file.Path;

/** Encoders on disk: which kind a Hugging Face folder or a GGUF file holds, and how it becomes one of ours. */
final class EncoderLoader {
    private EncoderLoader() {
    }

    static Encoder load(Path path, Backend backend) {
        JsonConfig json = JsonConfig.read(path.resolve("config.json"));
        SafeTensors file = SafeTensors.open(path);
        try {
            return switch (json.text("model_type", "")) {
                case "bert" -> {
                    BertConfig config = BertConfig.of(json);
                    var tensors = new EncoderTensors(path, file.weights().tensors(), "bert.", backend);
                    yield new BertEncoder(backend, config, BertWeights.of(tensors, config), file::close);
                }
                case "new" -> {
                    GteConfig config = GteConfig.of(json);
                    var tensors = new EncoderTensors(path, file.weights().tensors(), "new.", backend);
                    yield new GteEncoder(backend, config, GteWeights.of(tensors, config), file::close);
                }
                default -> throw json.refuse("model_type", "wanted an encoder, 'bert' or 'new' (gte-v1.5)");
            };
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }
}
