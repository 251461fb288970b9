package dev.t2l.io;

import dev.t2l.tensor.DType;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;

/** The tensor types of GGUF files by their number (ggml's {@code ggml_type}). */
final class GgufTypes {
    private static final Map<Integer, DType> BY_NUMBER = new HashMap<>();
    private static final Map<DType, Integer> BY_TYPE = new EnumMap<>(DType.class);
    private static final Map<Integer, String> REFUSED = Map.ofEntries(
            Map.entry(4, "Q4_2 (removed from ggml)"), Map.entry(5, "Q4_3 (removed from ggml)"),
            Map.entry(31, "Q4_0_4_4 (removed from ggml)"), Map.entry(32, "Q4_0_4_8 (removed from ggml)"),
            Map.entry(33, "Q4_0_8_8 (removed from ggml)"), Map.entry(36, "IQ4_NL_4_4 (removed from ggml)"),
            Map.entry(37, "IQ4_NL_4_8 (removed from ggml)"), Map.entry(38, "IQ4_NL_8_8 (removed from ggml)"),
            Map.entry(40, "NVFP4"), Map.entry(41, "Q1_0"));

    static {
        put(0, DType.F32, DType.F16, DType.Q4_0, DType.Q4_1);
        put(6, DType.Q5_0, DType.Q5_1, DType.Q8_0, DType.Q8_1, DType.Q2_K, DType.Q3_K, DType.Q4_K, DType.Q5_K, DType.Q6_K, DType.Q8_K,
                DType.IQ2_XXS, DType.IQ2_XS, DType.IQ3_XXS, DType.IQ1_S, DType.IQ4_NL, DType.IQ3_S, DType.IQ2_S, DType.IQ4_XS,
                DType.I8, DType.I16, DType.I32, DType.I64, DType.F64, DType.IQ1_M, DType.BF16);
        put(34, DType.TQ1_0, DType.TQ2_0);
        put(39, DType.MXFP4);
    }

    private GgufTypes() {
    }

    private static void put(int first, DType... types) {
        for (int i = 0; i < types.length; i++) {
            BY_NUMBER.put(first + i, types[i]);
            BY_TYPE.put(types[i], first + i);
        }
    }

    /** @throws FormatException naming the type if it is unknown or not supported */
    static DType dtype(long number, MappedFile file, String place) {
        DType dtype = number <= Integer.MAX_VALUE ? BY_NUMBER.get((int) number) : null;
        if (dtype == null) {
            String name = number <= Integer.MAX_VALUE ? REFUSED.get((int) number) : null;
            throw file.problem(place, name == null ? "unknown tensor type " + number : "tensor type " + name + " is not supported");
        }
        return dtype;
    }

    /** @throws IllegalArgumentException if GGUF has no such type */
    static int number(DType dtype) {
        Integer number = BY_TYPE.get(dtype);
        if (number == null) {
            throw new IllegalArgumentException("GGUF has no tensor type " + dtype);
        }
        return number;
    }
}
