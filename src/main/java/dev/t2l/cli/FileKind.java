package dev.t2l.cli;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What a path holds, as far as names and first bytes tell. */
enum FileKind {
    GGUF("GGUF file"), SAFETENSORS("safetensors file"), INDEX("index of safetensors files"), TORCH("PyTorch archive"),
    MODEL("model folder"), PEFT("PEFT adapter"), CHECKPOINT("Text-to-LoRA checkpoint");

    private static final List<String> TORCH_ENDINGS = List.of(".pt", ".pth", ".bin", ".ckpt");

    private final String label;

    FileKind(String label) {
        this.label = label;
    }

    String label() {
        return label;
    }

    /**
     * @throws FormatException if it is nothing known
     * @throws UncheckedIOException if there is no such file or it cannot be read
     */
    static FileKind of(Path path) {
        if (!Files.exists(path)) {
            throw new UncheckedIOException(new NoSuchFileException(path.toString()));
        }
        return Files.isDirectory(path) ? ofFolder(path) : ofFile(path);
    }

    private static FileKind ofFolder(Path folder) {
        if (any(folder, "hypermod.pt", "hypermod.safetensors", "hypermod.gguf")) {
            return CHECKPOINT;
        }
        if (any(folder, "adapter_config.json")) {
            return PEFT;
        }
        if (any(folder, "config.json", "modules.json", "model.safetensors", "model.safetensors.index.json")) {
            return MODEL;
        }
        throw new FormatException(folder, "folder", "wanted a model (config.json), a PEFT adapter (adapter_config.json) or a checkpoint (hypermod.pt, .safetensors or .gguf), found none");
    }

    private static boolean any(Path folder, String... names) {
        return Stream.of(names).anyMatch(name -> Files.exists(folder.resolve(name)));
    }

    private static FileKind ofFile(Path file) {
        String name = file.getFileName().toString();
        String start = start(file);
        if (name.endsWith(".gguf") || start.startsWith("GGUF")) {
            return GGUF;
        }
        if (name.endsWith(".safetensors")) {
            return SAFETENSORS;
        }
        if (name.endsWith(".index.json")) {
            return INDEX;
        }
        if (start.startsWith("PK") || TORCH_ENDINGS.stream().anyMatch(name::endsWith)) {
            return TORCH;
        }
        throw new FormatException(file, "name", "wanted a .gguf, .safetensors, .index.json or .pt file, or a folder");
    }

    private static String start(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return new String(in.readNBytes(4), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
