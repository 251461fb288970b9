package dev.t2l.io;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;

/**
 * A metadata value of a GGUF file with its exact type.
 *
 * @param type    the type of the value
 * @param element the element type of an array, else null
 * @param value   {@link Long} for integers ({@link BigInteger} for unsigned ones from 2^63 on), {@link Float}, {@link Double},
 *                {@link Boolean}, {@link String}; arrays {@code long[]}, {@code float[]}, {@code double[]}, {@code boolean[]},
 *                {@code String[]}, or a {@link List} of {@code GgufValue} for arrays of arrays
 */
public record GgufValue(Type type, Type element, Object value) {

    /** Types by their number in the file. */
    public enum Type {
        UINT8(1), INT8(1), UINT16(2), INT16(2), UINT32(4), INT32(4), FLOAT32(4), BOOL(1), STRING(8), ARRAY(12), UINT64(8), INT64(8), FLOAT64(8);

        final int minBytes;

        Type(int minBytes) {
            this.minBytes = minBytes;
        }

        boolean integer() {
            return this != FLOAT32 && this != FLOAT64 && this != BOOL && this != STRING && this != ARRAY;
        }
    }

    /** A single value. */
    static GgufValue of(Type type, Object value) {
        return new GgufValue(type, null, value);
    }

    /** An array. */
    static GgufValue array(Type element, Object values) {
        return new GgufValue(Type.ARRAY, element, values);
    }

    /**
     * The type that llama.cpp expects of a Java value: {@link Integer} and {@link Long} become uint32 where they fit (else int32,
     * int64), {@link Float} float32, {@link Double} float64, {@link Boolean} bool, {@link String} string; {@code String[]} or a
     * list of strings, {@code float[]}, {@code double[]}, {@code boolean[]}, {@code byte[]} (uint8), {@code int[]} (int32) and
     * {@code long[]} (int32 where all fit, else int64) arrays. A {@code GgufValue} keeps its own.
     *
     * @throws IllegalArgumentException for anything else
     */
    static GgufValue natural(Object value) {
        return switch (value) {
            case GgufValue typed -> typed;
            case Integer i -> natural(i.longValue());
            case Long l when l >= 0 && l < 1L << 32 -> of(Type.UINT32, l);
            case Long l -> of(l == l.intValue() ? Type.INT32 : Type.INT64, l);
            case BigInteger big -> of(Type.UINT64, big);
            case Float f -> of(Type.FLOAT32, f);
            case Double d -> of(Type.FLOAT64, d);
            case Boolean b -> of(Type.BOOL, b);
            case String s -> of(Type.STRING, s);
            case String[] strings -> array(Type.STRING, strings);
            case float[] floats -> array(Type.FLOAT32, floats);
            case double[] doubles -> array(Type.FLOAT64, doubles);
            case boolean[] booleans -> array(Type.BOOL, booleans);
            case byte[] bytes -> array(Type.UINT8, unsigned(bytes));
            case int[] ints -> array(Type.INT32, Arrays.stream(ints).asLongStream().toArray());
            case long[] longs -> array(Arrays.stream(longs).allMatch(l -> l == (int) l) ? Type.INT32 : Type.INT64, longs);
            case List<?> list when list.stream().allMatch(String.class::isInstance) -> array(Type.STRING, list.toArray(String[]::new));
            default -> throw new IllegalArgumentException("no GGUF type for a " + value.getClass().getName());
        };
    }

    private static long[] unsigned(byte[] bytes) {
        long[] values = new long[bytes.length];
        Arrays.setAll(values, i -> bytes[i] & 0xff);
        return values;
    }

    /** {@code UINT32}, {@code ARRAY of STRING}. */
    String typeName() {
        return type == Type.ARRAY ? "ARRAY of " + element : type.toString();
    }
}
