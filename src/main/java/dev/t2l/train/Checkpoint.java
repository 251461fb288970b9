package dev.t2l.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.FormatException;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * All that a run needs to go on as if nothing had been: a folder with {@code state.safetensors} (values and both moments of every
 * parameter) and {@code state.json} (how many steps were taken, the seed, the best validation, and a checksum of the tensors). Random
 * generators have no state: what is random in a step is a function of seed and step.
 *
 * @param steps   taken so far
 * @param backend that took them
 */
record Checkpoint(Path folder, long steps, long seed, String backend, Best best) {
    private static final String TENSORS = "state.safetensors";
    private static final String STATE = "state.json";
    private static final JsonMapper JSON = new JsonMapper();

    /** The lowest validation loss, and after how many steps it was; infinite and 0 before the first. */
    record Best(double loss, long steps) {
        static final Best NONE = new Best(Double.POSITIVE_INFINITY, 0);
    }

    /** The three blocks of tensors, by the prefix of their names in the file. */
    private static Map<String, Weights> blocks(Parameters parameters) {
        Map<String, Weights> blocks = new LinkedHashMap<>();
        blocks.put("value.", parameters.values());
        blocks.put("first_moment.", parameters.firstMoments());
        blocks.put("second_moment.", parameters.secondMoments());
        return blocks;
    }

    /** Writes the folder, whole or not at all. */
    void write(Parameters parameters) {
        ReplacedFolder.write(folder, fresh -> {
            try (Arena arena = Arena.ofConfined()) {
                Map<String, Tensor> tensors = new LinkedHashMap<>();
                blocks(parameters).forEach((prefix, block) -> parameters.download(block, arena).forEach((name, tensor) -> tensors.put(prefix + name, tensor)));
                SafeTensors.write(fresh.resolve(TENSORS), tensors, Map.of());
            }
            ObjectNode state = JSON.createObjectNode().put("steps", steps).put("seed", seed).put("backend", backend).put("crc32c", checksum(fresh.resolve(TENSORS)));
            if (best.steps() > 0) {
                state.put("best_loss", best.loss()).put("best_steps", best.steps());
            }
            try {
                AtomicFile.write(fresh.resolve(STATE), JSON.writeValueAsBytes(state));
            } catch (JsonProcessingException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /**
     * Reads a folder's state; tensors are checked, not kept.
     *
     * @throws FormatException if it is not whole
     */
    static Checkpoint read(Path folder) {
        Path file = folder.resolve(STATE);
        if (!Files.isRegularFile(file) || !Files.isRegularFile(folder.resolve(TENSORS))) {
            throw damaged(folder, "wanted " + STATE + " and " + TENSORS);
        }
        try {
            JsonNode state = JSON.readTree(file.toFile());
            if (!state.path("steps").isIntegralNumber() || !state.path("seed").isIntegralNumber() || !state.path("crc32c").isIntegralNumber()) {
                throw damaged(folder, STATE + " lacks steps, seed or crc32c");
            }
            if (state.get("crc32c").longValue() != checksum(folder.resolve(TENSORS))) {
                throw damaged(folder, TENSORS + " is not the file that was written");
            }
            Best best = state.has("best_steps") ? new Best(state.path("best_loss").doubleValue(), state.get("best_steps").longValue()) : Best.NONE;
            return new Checkpoint(folder, state.get("steps").longValue(), state.get("seed").longValue(), state.path("backend").asText(), best);
        } catch (JsonProcessingException e) {
            throw damaged(folder, STATE + ": " + e.getOriginalMessage());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static FormatException damaged(Path folder, String why) {
        return new FormatException(folder, "checkpoint", why + "; HINT: without this folder the run resumes from an earlier checkpoint");
    }

    /** Puts the tensors back where they were. */
    void restore(Parameters parameters, Optimiser optimiser) {
        try (SafeTensors file = SafeTensors.open(folder.resolve(TENSORS))) {
            blocks(parameters).forEach((prefix, block) -> {
                Map<String, Tensor> stored = new LinkedHashMap<>();
                block.tensors().keySet().forEach(name -> stored.put(name, file.weights().get(prefix + name)));
                parameters.upload(block, new Weights(stored, () -> { }));
            });
        } catch (IllegalArgumentException e) {
            throw new FormatException(folder.resolve(TENSORS), "tensors", "are not those of this run: " + e.getMessage(), e);
        }
        optimiser.resume(steps);
    }

    private static long checksum(Path file) {
        var crc = new CRC32C();
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
            while (channel.read(buffer.clear()) >= 0) {
                crc.update(buffer.flip());
            }
            return crc.getValue();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
