package dev.t2l.io;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The header of a safetensors file, checked: eight bytes of length, a JSON object, and tensors that cover the data without
 * overlap or hole.
 *
 * @param dataStart byte of the file where tensor data begins
 */
record SafeTensorsHeader(long dataStart, Map<String, Entry> tensors, Map<String, String> metadata) {
    /** The format's limit on the JSON text. */
    static final long MAX_HEADER = 100_000_000;
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final Set<String> SUB_BYTE = Set.of("F4", "F6_E2M3", "F6_E3M2");
    /** The plain types of the format, each under its own name. */
    static final Set<DType> TYPES = Set.of(DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8_E4M3, DType.F8_E5M2, DType.F8_E8M0,
            DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ, DType.C64, DType.I64, DType.I32, DType.I16, DType.I8, DType.U64, DType.U32, DType.U16,
            DType.U8, DType.BOOL);

    /** Type, shape and the bytes [begin, end) of the data. */
    record Entry(DType dtype, long[] shape, long begin, long end) {
    }

    /** @throws FormatException if the header breaks the format */
    static SafeTensorsHeader read(MappedFile file) {
        if (file.size() < 8) {
            throw file.problem("byte 0", "wanted 8 bytes of header length, the file has " + file.size());
        }
        long length = file.bytes().get(U64, 0);
        if (length < 0 || length > MAX_HEADER) {
            throw file.problem("byte 0", "header length " + Long.toUnsignedString(length) + " is over the format's limit of " + MAX_HEADER);
        }
        if (length > file.size() - 8) {
            throw file.problem("byte 0", "header length " + length + " reaches past the end of a file of " + file.size() + " bytes");
        }
        return new Parser(file).parse(file.bytes().asSlice(8, length).toArray(ValueLayout.JAVA_BYTE));
    }

    private static final class Parser {
        private final MappedFile file;
        private final Map<String, Entry> tensors = new LinkedHashMap<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        Parser(MappedFile file) {
            this.file = file;
        }

        SafeTensorsHeader parse(byte[] text) {
            if (text.length == 0 || text[0] != '{') {
                throw file.problem("byte 8", "the header must begin with '{'");
            }
            try (JsonParser json = StrictJson.parser(StrictJson.utf8(text))) {
                json.nextToken();
                while (json.nextToken() != JsonToken.END_OBJECT) {
                    String name = wellFormed(json.currentName(), "a name");
                    json.nextToken();
                    if (name.equals("__metadata__")) {
                        metadata(json);
                    } else {
                        tensors.put(name, entry(json, "tensor '" + name + "'"));
                    }
                }
                if (json.nextToken() != null) {
                    throw file.problem("header", "text after the JSON object");
                }
            } catch (CharacterCodingException e) {
                throw new FormatException(file.path(), "header", "is not valid UTF-8", e);
            } catch (JsonProcessingException e) {
                throw new FormatException(file.path(), "header, " + StrictJson.place(e), StrictJson.cause(e), e);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            long dataStart = 8L + text.length;
            checkCover(file.size() - dataStart);
            return new SafeTensorsHeader(dataStart, tensors, metadata);
        }

        private void metadata(JsonParser json) throws IOException {
            require(json.currentToken() == JsonToken.START_OBJECT, "__metadata__", "wanted an object of strings", json);
            while (json.nextToken() != JsonToken.END_OBJECT) {
                String key = wellFormed(json.currentName(), "__metadata__");
                require(json.nextToken() == JsonToken.VALUE_STRING, "__metadata__ '" + key + "'", "wanted a string", json);
                metadata.put(key, wellFormed(json.getText(), "__metadata__ '" + key + "'"));
            }
        }

        private Entry entry(JsonParser json, String place) throws IOException {
            require(json.currentToken() == JsonToken.START_OBJECT, place, "wanted an object with dtype, shape and data_offsets", json);
            DType dtype = null;
            long[] shape = null;
            long[] offsets = null;
            while (json.nextToken() != JsonToken.END_OBJECT) {
                String field = json.currentName();
                json.nextToken();
                switch (field) {
                    case "dtype" -> dtype = dtype(json, place);
                    case "shape" -> shape = naturals(json, place + ", shape");
                    case "data_offsets" -> offsets = naturals(json, place + ", data_offsets");
                    default -> json.skipChildren();
                }
            }
            if (dtype == null || shape == null || offsets == null) {
                throw file.problem(place, (dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets") + " is missing");
            }
            if (offsets.length != 2 || offsets[0] > offsets[1]) {
                throw file.problem(place, "data_offsets " + Arrays.toString(offsets) + " are no [begin, end]");
            }
            checkSize(dtype, shape, offsets, place);
            return new Entry(dtype, shape, offsets[0], offsets[1]);
        }

        private void checkSize(DType dtype, long[] shape, long[] offsets, String place) {
            long bytes;
            try {
                bytes = dtype.bytes(Tensor.elements(shape));
            } catch (ArithmeticException e) {
                throw new FormatException(file.path(), place, "the size of " + dtype + Arrays.toString(shape) + " does not fit 64 bits", e);
            }
            if (bytes != offsets[1] - offsets[0]) {
                throw file.problem(place, dtype + Arrays.toString(shape) + " takes " + bytes + " bytes, data_offsets "
                        + Arrays.toString(offsets) + " hold " + (offsets[1] - offsets[0]));
            }
        }

        private DType dtype(JsonParser json, String place) throws IOException {
            require(json.currentToken() == JsonToken.VALUE_STRING, place + ", dtype", "wanted a string", json);
            String name = json.getText();
            if (SUB_BYTE.contains(name)) {
                throw file.problem(place, "dtype " + name + " (less than a byte an element) is not supported");
            }
            return TYPES.stream().filter(t -> t.name().equals(name)).findFirst()
                    .orElseThrow(() -> file.problem(place, "unknown dtype '" + name + "'"));
        }

        private long[] naturals(JsonParser json, String place) throws IOException {
            require(json.currentToken() == JsonToken.START_ARRAY, place, "wanted a list of integers", json);
            List<Long> values = new ArrayList<>();
            while (json.nextToken() != JsonToken.END_ARRAY) {
                require(json.currentToken() == JsonToken.VALUE_NUMBER_INT, place, "wanted an integer", json);
                JsonParser.NumberType type = json.getNumberType();
                require(type != JsonParser.NumberType.BIG_INTEGER, place, "wanted an integer of 64 bits", json);
                require(json.getLongValue() >= 0, place, "wanted no negative number", json);
                values.add(json.getLongValue());
            }
            return values.stream().mapToLong(Long::longValue).toArray();
        }

        private void checkCover(long dataSize) {
            List<Map.Entry<String, Entry>> sorted = new ArrayList<>(tensors.entrySet());
            sorted.sort(Comparator.comparing(Map.Entry::getValue, Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end)));
            long next = 0;
            for (var e : sorted) {
                if (e.getValue().begin() != next) {
                    throw file.problem("tensor '" + e.getKey() + "'", "begins at data byte " + e.getValue().begin()
                            + (e.getValue().begin() < next ? ", inside the tensor before it, which ends at " : ", leaving a hole after ") + next);
                }
                next = e.getValue().end();
            }
            if (next != dataSize) {
                throw file.problem("data", "the tensors take " + next + " bytes, the file holds " + dataSize);
            }
        }

        private String wellFormed(String text, String place) {
            if (!StrictJson.wellFormed(text)) {
                throw file.problem(place, "holds half a surrogate pair");
            }
            return text;
        }

        private void require(boolean fits, String place, String wanted, JsonParser json) throws IOException {
            if (!fits) {
                throw file.problem(place, wanted + ", found " + (json.currentToken() == null ? "the end" : json.getText()));
            }
        }
    }
}
