package dev.t2l.io;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Tensors in the safetensors format: one file, or several with an index. The files are mapped, the tensors lie in the
 * mapping, little-endian and possibly unaligned.
 *
 * <p>Every type of the format is read, except those of less than a byte an element (F4, F6_E2M3, F6_E3M2), which are refused.
 * Format: the safetensors README of the Hugging Face project, with its rules taken strictly.
 */
public final class SafeTensors implements AutoCloseable {
    /** Name of a model's only file. */
    static final String FILE = "model.safetensors";
    /** Name of a sharded model's index. */
    static final String INDEX = FILE + ".index.json";

    private final Weights weights;
    private final Map<String, String> metadata;

    private SafeTensors(Map<String, Tensor> tensors, Map<String, String> metadata, List<MappedFile> files) {
        this.weights = new Weights(tensors, () -> files.forEach(MappedFile::close));
        this.metadata = Collections.unmodifiableMap(metadata);
    }

    /**
     * Opens a {@code .safetensors} file, an {@code *.index.json} with the files it names, or a folder with either.
     *
     * @throws FormatException if a file breaks the format or an index does not fit its files
     * @throws UncheckedIOException if a file cannot be read
     */
    public static SafeTensors open(Path path) {
        Path file = Files.isDirectory(path) ? inFolder(path) : path;
        try (var opened = new OpenFiles()) {
            return file.getFileName().toString().endsWith(".json") ? sharded(file, opened) : single(file, opened);
        }
    }

    /** All tensors, in the order of the header or of the index; closing them closes this. */
    public Weights weights() {
        return weights;
    }

    /** The strings of {@code __metadata__}; with an index, those of its first file. */
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public void close() {
        weights.close();
    }

    /**
     * Writes one file. The header keeps the order of {@code tensors}; the data is ordered by element size, largest first, so
     * that every tensor is aligned.
     *
     * @param tensors host tensors of plain types
     */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        new SafeTensorsWriter(tensors, metadata).write(file);
    }

    private static Path inFolder(Path folder) {
        for (String name : List.of(INDEX, FILE)) {
            if (Files.exists(folder.resolve(name))) {
                return folder.resolve(name);
            }
        }
        try (Stream<Path> all = Files.list(folder)) {
            List<Path> found = all.filter(p -> p.getFileName().toString().endsWith(".safetensors")).sorted().toList();
            if (found.size() == 1) {
                return found.getFirst();
            }
            throw new FormatException(folder, "folder", "wanted " + INDEX + ", " + FILE + " or one other .safetensors file, found "
                    + (found.isEmpty() ? "none" : found.stream().map(Path::getFileName).toList()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static SafeTensors single(Path path, OpenFiles opened) {
        MappedFile file = opened.add(path);
        SafeTensorsHeader header = SafeTensorsHeader.read(file);
        return new SafeTensors(views(file, header), header.metadata(), opened.keep());
    }

    private static Map<String, Tensor> views(MappedFile file, SafeTensorsHeader header) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        header.tensors().forEach((name, e) -> tensors.put(name,
                Tensor.of(e.dtype(), file.bytes().asSlice(header.dataStart() + e.begin(), e.end() - e.begin()), e.shape())));
        return tensors;
    }

    private static SafeTensors sharded(Path index, OpenFiles opened) {
        JsonNode map = StrictJson.object(index).path("weight_map");
        if (!map.isObject()) {
            throw new FormatException(index, "weight_map", map.isMissingNode() ? "is missing" : "wanted an object, found " + map.getNodeType());
        }
        Map<String, Map<String, Tensor>> shards = new LinkedHashMap<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (var entry : map.properties()) {
            String place = "weight_map '" + entry.getKey() + "'";
            if (!entry.getValue().isTextual()) {
                throw new FormatException(index, place, "wanted a file name, found " + entry.getValue().getNodeType());
            }
            String shard = entry.getValue().textValue();
            if (!shards.containsKey(shard)) {
                MappedFile file = opened.add(shardPath(index, place, shard));
                SafeTensorsHeader header = SafeTensorsHeader.read(file);
                if (shards.isEmpty()) {
                    metadata.putAll(header.metadata());
                }
                shards.put(shard, views(file, header));
            }
            Tensor tensor = shards.get(shard).get(entry.getKey());
            if (tensor == null) {
                throw new FormatException(index, place, "there is no such tensor in " + shard);
            }
            tensors.put(entry.getKey(), tensor);
        }
        return new SafeTensors(tensors, metadata, opened.keep());
    }

    private static Path shardPath(Path index, String place, String name) {
        Path shard;
        try {
            shard = Path.of(name);
        } catch (InvalidPathException e) {
            throw new FormatException(index, place, "'" + name + "' is no file name", e);
        }
        if (shard.isAbsolute() || name.isEmpty() || !shard.normalize().equals(shard) || shard.startsWith("..")) {
            throw new FormatException(index, place, "the file '" + name + "' would lie outside the model's folder");
        }
        Path path = index.resolveSibling(shard);
        if (!Files.isRegularFile(path)) {
            throw new FormatException(index, place, "there is no file '" + name + "' beside the index");
        }
        return path;
    }
}
