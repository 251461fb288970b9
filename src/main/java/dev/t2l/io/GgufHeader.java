package dev.t2l.io;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Everything before the tensor data of a GGUF file, checked: metadata and where each tensor lies.
 *
 * @param tensors by name; shapes row-major (ggml's dimensions reversed), begin as a byte of the file
 */
record GgufHeader(int version, Map<String, GgufValue> values, Map<String, Entry> tensors) {
    static final int MAGIC = 0x46554747; // "GGUF"
    static final String ALIGNMENT_KEY = "general.alignment";
    static final int DEFAULT_ALIGNMENT = 32;
    static final int MAX_NAME = 64;
    private static final int MAX_DIMS = 4;
    private static final int MAX_KEY = 65535;
    private static final int MAX_ARRAY_DEPTH = 4;
    private static final int MIN_KEY_VALUE_BYTES = 8 + 4 + 1;
    private static final int MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;

    /** Type, shape and first byte of a tensor. */
    record Entry(DType dtype, long[] shape, long begin) {
        long bytes() {
            return dtype.bytes(Tensor.elements(shape));
        }
    }

    /** @throws FormatException if the header breaks the format */
    static GgufHeader read(MappedFile file) {
        return new Parser(file).parse();
    }

    private static final class Parser {
        private final MappedFile file;
        private final FileCursor in;
        private final Map<String, GgufValue> values = new LinkedHashMap<>();
        private final Map<String, Entry> tensors = new LinkedHashMap<>();

        Parser(MappedFile file) {
            this.file = file;
            this.in = new FileCursor(file, 0, file.size());
        }

        GgufHeader parse() {
            if (in.int32("magic") != MAGIC) {
                throw file.problem("byte 0", "does not begin with 'GGUF'");
            }
            int version = in.int32("version");
            if (version != 2 && version != 3) {
                throw file.problem("byte 4", Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3
                        ? "a big-endian file; only little-endian ones are read" : "version " + Integer.toUnsignedString(version) + "; versions 2 and 3 are read");
            }
            long tensorCount = in.count(1, "tensor count");
            long keyCount = in.count(MIN_KEY_VALUE_BYTES, "metadata count");
            for (long i = 0; i < keyCount; i++) {
                keyValue();
            }
            in.checkCount(tensorCount, MIN_TENSOR_BYTES, "tensor count");
            long alignment = alignment();
            for (long i = 0; i < tensorCount; i++) {
                tensor(alignment);
            }
            return new GgufHeader(version, values, placed(Math.ceilDiv(in.position(), alignment) * alignment));
        }

        private void keyValue() {
            long length = in.count(1, "key length");
            if (length == 0 || length > MAX_KEY) {
                throw in.problem("a key of " + length + " bytes; the limit is " + MAX_KEY);
            }
            String key = in.utf8(length, "a key");
            GgufValue value = value(type("key '" + key + "'"), "key '" + key + "'", 0);
            if (values.put(key, value) != null) {
                throw file.problem("key '" + key + "'", "is there twice");
            }
        }

        private GgufValue.Type type(String what) {
            long number = in.uint32("type of " + what);
            if (number >= GgufValue.Type.values().length) {
                throw file.problem(what, "unknown value type " + number);
            }
            return GgufValue.Type.values()[(int) number];
        }

        private GgufValue value(GgufValue.Type type, String what, int depth) {
            return switch (type) {
                case ARRAY -> array(what, depth + 1);
                case UINT64 -> {
                    long bits = in.int64(what);
                    yield GgufValue.of(type, bits >= 0 ? (Object) bits : new BigInteger(Long.toUnsignedString(bits)));
                }
                case FLOAT32 -> GgufValue.of(type, Float.intBitsToFloat(in.int32(what)));
                case FLOAT64 -> GgufValue.of(type, Double.longBitsToDouble(in.int64(what)));
                case BOOL -> GgufValue.of(type, bool(what));
                case STRING -> GgufValue.of(type, string(what));
                default -> GgufValue.of(type, integer(type, what));
            };
        }

        private long integer(GgufValue.Type type, String what) {
            return switch (type) {
                case UINT8 -> in.uint8(what);
                case INT8 -> in.int8(what);
                case UINT16 -> in.uint16(what);
                case INT16 -> in.int16(what);
                case UINT32 -> in.uint32(what);
                case INT32 -> in.int32(what);
                default -> in.int64(what);
            };
        }

        private boolean bool(String what) {
            int bits = in.uint8(what);
            if (bits > 1) {
                throw file.problem(what, "a bool of " + bits + "; wanted 0 or 1");
            }
            return bits == 1;
        }

        private String string(String what) {
            return in.utf8(in.count(1, what), what);
        }

        private GgufValue array(String what, int depth) {
            if (depth > MAX_ARRAY_DEPTH) {
                throw file.problem(what, "arrays nested more than " + MAX_ARRAY_DEPTH + " deep");
            }
            GgufValue.Type element = type("elements of " + what);
            long count = in.count(element.minBytes, "array length of " + what);
            if (count > Integer.MAX_VALUE - 8) {
                throw file.problem(what, "an array of " + count + " elements is too long");
            }
            int n = (int) count;
            return GgufValue.array(element, switch (element) {
                case ARRAY -> nested(n, what, depth);
                case STRING -> {
                    String[] strings = new String[n];
                    Arrays.setAll(strings, i -> string(what));
                    yield strings;
                }
                case BOOL -> {
                    boolean[] bools = new boolean[n];
                    for (int i = 0; i < n; i++) {
                        bools[i] = bool(what);
                    }
                    yield bools;
                }
                case FLOAT32 -> {
                    float[] floats = new float[n];
                    for (int i = 0; i < n; i++) {
                        floats[i] = Float.intBitsToFloat(in.int32(what));
                    }
                    yield floats;
                }
                case FLOAT64 -> {
                    double[] doubles = new double[n];
                    Arrays.setAll(doubles, i -> Double.longBitsToDouble(in.int64(what)));
                    yield doubles;
                }
                default -> integers(element, n, what);
            });
        }

        private List<GgufValue> nested(int n, String what, int depth) {
            List<GgufValue> arrays = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                arrays.add(array(what, depth + 1));
            }
            return arrays;
        }

        private long[] integers(GgufValue.Type element, int n, String what) {
            long[] integers = new long[n];
            for (int i = 0; i < n; i++) {
                integers[i] = integer(element, what);
                if (element == GgufValue.Type.UINT64 && integers[i] < 0) {
                    throw file.problem(what, "element " + i + " is " + Long.toUnsignedString(integers[i]) + ", more than 63 bits");
                }
            }
            return integers;
        }

        private long alignment() {
            GgufValue value = values.get(ALIGNMENT_KEY);
            if (value == null) {
                return DEFAULT_ALIGNMENT;
            }
            if (value.type() != GgufValue.Type.UINT32) {
                throw file.problem("key '" + ALIGNMENT_KEY + "'", "wanted UINT32, found " + value.typeName());
            }
            long alignment = (Long) value.value();
            if (Long.bitCount(alignment) != 1) {
                throw file.problem("key '" + ALIGNMENT_KEY + "'", alignment + " is no power of two");
            }
            return alignment;
        }

        /** Puts the tensor into the table with its offset in the data as begin. */
        private void tensor(long alignment) {
            long length = in.count(1, "length of a tensor's name");
            if (length > MAX_NAME) {
                throw in.problem("a tensor's name of " + length + " bytes; the limit is " + MAX_NAME);
            }
            String name = in.utf8(length, "a tensor's name");
            String place = "tensor '" + name + "'";
            long dims = in.uint32("dimension count of " + place);
            if (dims < 1 || dims > MAX_DIMS) {
                throw file.problem(place, dims + " dimensions; wanted 1 to " + MAX_DIMS);
            }
            long[] shape = new long[(int) dims];
            for (int i = shape.length - 1; i >= 0; i--) {
                shape[i] = in.int64("dimensions of " + place);
                if (shape[i] <= 0) {
                    throw file.problem(place, "a dimension of " + Long.toUnsignedString(shape[i]));
                }
            }
            DType dtype = GgufTypes.dtype(in.uint32("type of " + place), file, place);
            long offset = in.int64("offset of " + place);
            if (offset < 0 || offset % alignment != 0) {
                throw file.problem(place, "offset " + Long.toUnsignedString(offset) + " is no multiple of the alignment " + alignment);
            }
            var entry = new Entry(dtype, shape, offset);
            checkSize(entry, place);
            if (tensors.put(name, entry) != null) {
                throw file.problem(place, "is there twice");
            }
        }

        private void checkSize(Entry e, String place) {
            long row = e.shape()[e.shape().length - 1];
            if (row % e.dtype().blockSize() != 0) {
                throw file.problem(place, "a row of " + row + " is no whole number of " + e.dtype() + " blocks of " + e.dtype().blockSize());
            }
            try {
                e.bytes();
            } catch (ArithmeticException overflow) {
                throw new FormatException(file.path(), place, "the size of " + e.dtype() + Arrays.toString(e.shape()) + " does not fit 64 bits", overflow);
            }
        }

        /** Offsets turned into bytes of the file; every tensor inside it, none inside another. */
        private Map<String, Entry> placed(long dataStart) {
            long dataBytes = file.size() - dataStart;
            List<Map.Entry<String, Entry>> sorted = new ArrayList<>(tensors.entrySet());
            sorted.sort(Comparator.comparingLong(e -> e.getValue().begin()));
            long end = 0;
            for (var named : sorted) {
                Entry e = named.getValue();
                String place = "tensor '" + named.getKey() + "'";
                if (e.begin() > dataBytes || e.bytes() > dataBytes - e.begin()) {
                    throw file.problem(place, "offset " + e.begin() + " and " + e.bytes() + " bytes reach past the end: the file holds "
                            + Math.max(0, dataBytes) + " bytes of data");
                }
                if (e.begin() < end) {
                    throw file.problem(place, "offset " + e.begin() + " lies inside the tensor before it, which ends at " + end);
                }
                end = e.begin() + e.bytes();
            }
            Map<String, Entry> placed = new LinkedHashMap<>();
            tensors.forEach((name, e) -> placed.put(name, new Entry(e.dtype(), e.shape(), dataStart + e.begin())));
            return placed;
        }
    }
}
