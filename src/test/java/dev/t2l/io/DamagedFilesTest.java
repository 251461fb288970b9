package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Good files with a few bytes changed, or cut: each is read whole or refused with a FormatException, and never takes long. */
class DamagedFilesTest {
    private static final int TRIES = 300;

    @TempDir
    Path folder;

    @Test
    void safetensors() throws IOException {
        Path good = folder.resolve("good.safetensors");
        SafeTensors.write(good, tensors(), Map.of("format", "pt"));
        damage(good, path -> SafeTensors.open(path).weights());
    }

    @Test
    void gguf() throws IOException {
        Path good = folder.resolve("good.gguf");
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.alignment", 32);
        metadata.put("tokens", new String[] {"a", "bc"});
        metadata.put("scores", new float[] {1, 2});
        metadata.put("n", 3L << 40);
        Map<String, Tensor> tensors = new LinkedHashMap<>(tensors());
        tensors.put("q", Quantise.tensor(Tensor.ofFloats(new float[64], 2, 32), DType.Q4_0));
        Gguf.write(good, metadata, tensors);
        damage(good, path -> Gguf.open(path).weights());
    }

    @Test
    void torchArchives() throws IOException {
        Path good = folder.resolve("good.pt");
        writeTorch(good);
        try (Weights weights = TorchArchive.open(good).weights()) {
            assertTrue(weights.has("w"), "the undamaged archive is read");
        }
        damage(good, path -> TorchArchive.open(path).weights());
    }

    private static Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("a", Tensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
        tensors.put("ids", Tensor.ofInts(new int[] {1, 2}, 2));
        return tensors;
    }

    /** {"w": a 2x3 tensor} as torch.save writes it: pickle protocol 2 and a stored zip. */
    private static void writeTorch(Path path) throws IOException {
        String pickle = "\u0080\u0002}q\u0000X\u0001\u0000\u0000\u0000wctorch._utils\n_rebuild_tensor_v2\n((X\u0007\u0000\u0000\u0000storagectorch\nFloatStorage\n"
                + "X\u0001\u0000\u0000\u00000X\u0003\u0000\u0000\u0000cpuK\u0006tQK\u0000K\u0002K\u0003\u0086K\u0003K\u0001\u0086\u0089ccollections\nOrderedDict\n)RtRs.";
        try (var zip = new ZipOutputStream(Files.newOutputStream(path))) {
            store(zip, "archive/data.pkl", pickle.getBytes(StandardCharsets.ISO_8859_1));
            store(zip, "archive/data/0", new byte[24]);
            store(zip, "archive/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        }
    }

    private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
        var entry = new ZipEntry(name);
        var crc = new CRC32();
        crc.update(content);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    private void damage(Path good, Function<Path, Weights> open) throws IOException {
        byte[] bytes = Files.readAllBytes(good);
        var random = new Random(7);
        Path bad = folder.resolve("bad");
        int[] outcomes = new int[2];
        assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            for (int i = 0; i < TRIES; i++) {
                byte[] changed = i % 10 == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes.clone();
                for (int n = random.nextInt(4); n >= 0 && changed.length > 0 && i % 10 != 0; n--) {
                    int value = random.nextInt(3) == 0 ? 0xff : random.nextInt(256);
                    changed[random.nextInt(changed.length)] = (byte) value;
                }
                Files.write(bad, changed);
                outcomes[readOrRefused(bad, open, i) ? 0 : 1]++;
            }
        });
        assertTrue(outcomes[0] > 0 && outcomes[1] > 0, "read " + outcomes[0] + ", refused " + outcomes[1]);
    }

    private static boolean readOrRefused(Path path, Function<Path, Weights> open, int attempt) {
        try (Weights weights = open.apply(path)) {
            for (Tensor tensor : weights.tensors().values()) {
                tensor.data().asSlice(0, tensor.bytes()).toArray(ValueLayout.JAVA_BYTE);
            }
            return true;
        } catch (FormatException e) {
            return false;
        } catch (UncheckedIOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            return fail("try " + attempt, e);
        }
    }
}
