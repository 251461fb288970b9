package dev.t2l.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfig;
import dev.t2l.io.SafeTensors;
import dev.t2l.io.TorchArchive;
import dev.t2l.model.SentenceModules;
import dev.t2l.tensor.Weights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code t2l inspect}: what a file or folder holds, without computing anything. */
@Command(name = "inspect", description = {"Shows what a file or folder holds: its kind, sizes, types, parameters and metadata or configuration.", "",
        "Reads safetensors files and their indices, GGUF models and adapters, PyTorch archives (.pt, .bin), and folders: models, PEFT adapters, "
                + "Text-to-LoRA checkpoints. Long values are abbreviated. A damaged file gives the reason and exit code 1."})
final class Inspect implements Callable<Integer> {
    @Parameters(paramLabel = "FILE|FOLDER", description = "What to look into; a hub id means its folder in the cache.")
    private String path;

    @Option(names = "--tensors", description = "List the tensors too, with type, shape and size.")
    private boolean tensors;

    @Mixin
    private SourceOption source;

    @Mixin
    private Result result;

    @Override
    public Integer call() {
        Path found = source.resolve(path);
        result.print(switch (FileKind.of(found)) {
            case GGUF -> gguf(found);
            case SAFETENSORS, INDEX -> safeTensors(found);
            case TORCH -> torch(found);
            case MODEL -> model(found);
            case PEFT -> peft(found);
            case CHECKPOINT -> checkpoint(found);
        }, Inspection::text);
        return 0;
    }

    private Inspection gguf(Path file) {
        try (Gguf gguf = Gguf.open(file)) {
            String type = gguf.string("general.type", gguf.weights().tensors().isEmpty() ? "vocabulary" : "model");
            return inspection(file, "GGUF " + type + ", version " + gguf.version(), gguf.weights(), Abbreviated.map(gguf.metadata()));
        }
    }

    private Inspection safeTensors(Path file) {
        try (SafeTensors open = SafeTensors.open(file)) {
            return inspection(file, FileKind.of(file).label(), open.weights(), Abbreviated.map(open.metadata()));
        }
    }

    private Inspection torch(Path file) {
        try (TorchArchive open = TorchArchive.open(file)) {
            return inspection(file, FileKind.TORCH.label(), open.weights(), Map.of());
        }
    }

    private Inspection model(Path folder) {
        Path transformer = SentenceModules.read(folder).transformer();
        Path config = transformer.resolve("config.json");
        Map<String, Object> about = Files.exists(config) ? Abbreviated.members(json(config)) : Map.of();
        try (SafeTensors open = SafeTensors.open(transformer)) {
            return inspection(folder, FileKind.MODEL.label(), open.weights(), about);
        }
    }

    private Inspection peft(Path folder) {
        PeftConfig config = PeftConfig.read(folder);
        Map<String, Object> about = new LinkedHashMap<>();
        about.put("base model", Abbreviated.of(config.baseModel()));
        about.put("rank", config.scaling().rank());
        about.put("alpha", config.scaling().alpha());
        about.put("rsLoRA", config.scaling().rsLora());
        about.put("targets", Abbreviated.of(config.targets().expression() == null ? config.targets().modules() : config.targets().expression()));
        if (!config.scaling().rankPattern().isEmpty()) {
            about.put("rank pattern", Abbreviated.map(config.scaling().rankPattern()));
        }
        if (!config.scaling().alphaPattern().isEmpty()) {
            about.put("alpha pattern", Abbreviated.map(config.scaling().alphaPattern()));
        }
        about.put("pairs", PeftAdapter.read(folder).weights().pairs().size());
        Path old = folder.resolve("adapter_model.bin");
        if (Files.exists(folder.resolve(PeftAdapter.FILE)) || !Files.exists(old)) {
            try (SafeTensors open = SafeTensors.open(folder.resolve(PeftAdapter.FILE))) {
                return inspection(folder, FileKind.PEFT.label(), open.weights(), about);
            }
        }
        try (TorchArchive open = TorchArchive.open(old)) {
            return inspection(folder, FileKind.PEFT.label(), open.weights(), about);
        }
    }

    private Inspection checkpoint(Path folder) {
        try (HyperCheckpoint open = HyperCheckpoint.load(folder)) {
            return inspection(folder, FileKind.CHECKPOINT.label(), open.weights(), Abbreviated.map(open.describe()));
        }
    }

    private Inspection inspection(Path at, String kind, Weights weights, Map<String, Object> about) {
        return Inspection.of(at.toString(), kind, size(at), weights, about, tensors);
    }

    private static JsonNode json(Path file) {
        try {
            JsonNode node = new ObjectMapper().readTree(file.toFile());
            if (!node.isObject()) {
                throw new FormatException(file, "start", "wanted a JSON object, found " + node.getNodeType());
            }
            return node;
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "JSON", e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long size(Path at) {
        try (Stream<Path> files = Files.walk(at)) {
            return files.filter(Files::isRegularFile).mapToLong(file -> {
                try {
                    return Files.size(file);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }).sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
