package dev.t2l.io;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Lays tensors out and writes them as one safetensors file. */
final class SafeTensorsWriter {
    private static final JsonMapper JSON = JsonMapper.builder().disable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    private final Map<String, Tensor> tensors;
    private final Map<String, String> metadata;
    private final List<Tensor> inFileOrder;
    private final Map<String, Long> offsets = new HashMap<>();

    SafeTensorsWriter(Map<String, Tensor> tensors, Map<String, String> metadata) {
        this.tensors = tensors;
        this.metadata = new TreeMap<>(metadata); // so that the same tensors are the same bytes
        tensors.forEach(SafeTensorsWriter::check);
        List<Map.Entry<String, Tensor>> sorted = new ArrayList<>(tensors.entrySet());
        sorted.sort(Comparator.comparingInt(e -> -e.getValue().dtype().blockBytes()));
        long next = 0;
        for (var e : sorted) {
            offsets.put(e.getKey(), next);
            next = Math.addExact(next, e.getValue().bytes());
        }
        inFileOrder = sorted.stream().map(Map.Entry::getValue).toList();
    }

    private static void check(String name, Tensor tensor) {
        if (name.equals("__metadata__") || !StrictJson.wellFormed(name)) {
            throw new IllegalArgumentException("'" + name + "' can be no tensor's name");
        }
        if (!SafeTensorsHeader.TYPES.contains(tensor.dtype())) {
            throw new IllegalArgumentException("tensor '" + name + "': safetensors has no type " + tensor.dtype());
        }
        if (tensor.data().byteSize() < tensor.bytes()) {
            throw new IllegalArgumentException("tensor '" + name + "': " + tensor + " is not in host memory");
        }
    }

    void write(Path file) {
        AtomicFile.write(file, channel -> {
            byte[] header = header();
            AtomicFile.put(channel, ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length));
            AtomicFile.put(channel, ByteBuffer.wrap(header));
            for (Tensor t : inFileOrder) {
                putData(channel, t);
            }
        });
    }

    private static void putData(FileChannel channel, Tensor tensor) throws IOException {
        AtomicFile.put(channel, tensor.data().asSlice(0, tensor.bytes()));
    }

    /** The JSON text, padded with spaces to a multiple of 8. */
    private byte[] header() throws IOException {
        var text = new ByteArrayOutputStream();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectField("__metadata__", metadata);
            }
            for (var e : tensors.entrySet()) {
                long begin = offsets.get(e.getKey());
                json.writeObjectFieldStart(e.getKey());
                json.writeStringField("dtype", e.getValue().dtype().name());
                json.writeObjectField("shape", e.getValue().shape());
                json.writeObjectField("data_offsets", new long[] {begin, begin + e.getValue().bytes()});
                json.writeEndObject();
            }
            json.writeEndObject();
        }
        while (text.size() % 8 != 0) {
            text.write(' ');
        }
        return text.toByteArray();
    }
}
