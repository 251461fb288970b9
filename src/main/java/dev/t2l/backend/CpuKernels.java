package dev.t2l.backend;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * The functions of {@code native/t2l.h}, one handle each; addresses are longs, 0 is null. Calling one allocates nothing.
 * {@link NativeLibrary#open()} must have succeeded before.
 */
final class CpuKernels {
    static final MethodHandle BEST_ISA = bind("best_isa", FunctionDescriptor.of(JAVA_INT));
    static final MethodHandle OPEN = bind("open", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_INT));

    static final MethodHandle GATHER = kernel("gather", "ALLAILLALF");
    static final MethodHandle SCATTER = kernel("scatter", "ALAALL");
    static final MethodHandle MEAN_ROWS = kernel("mean_rows", "AALLAL");
    static final MethodHandle ADD = kernel("add", "AALF");
    static final MethodHandle ACTIVATION = kernel("activation", "AALI");
    static final MethodHandle GATED = kernel("gated", "AAALI");
    static final MethodHandle SOFTCAP = kernel("softcap", "ALF");
    static final MethodHandle RMS_NORM = kernel("rms_norm", "AALLAIFF");
    static final MethodHandle LAYER_NORM = kernel("layer_norm", "AALLAIAIF");
    static final MethodHandle L2_NORMALISE = kernel("l2_normalise", "ALLF");
    static final MethodHandle LINEAR = kernel("linear", "ALALLAILAI");
    static final MethodHandle LORA = kernel("lora", "AALLLALAALL");
    static final MethodHandle ROUTE = kernel("route", "AALLALAAAL");
    static final MethodHandle LORA_FACTOR = kernel("lora_factor", "ALLLALLIAA");
    static final MethodHandle ROPE_ANGLES = kernel("rope_angles", "AALALF");
    static final MethodHandle ROPE = kernel("rope", "ALLLAI");
    static final MethodHandle ATTENTION = kernel("attention", "AALAALALLLLFF");

    static final MethodHandle LINEAR_BACKWARD = kernel("linear_backward", "AALLAILLI");
    static final MethodHandle LINEAR_GRADIENT = kernel("linear_gradient", "AAAALLL");
    static final MethodHandle LORA_BACKWARD = kernel("lora_backward", "AAALLLAALL");
    static final MethodHandle LORA_FACTOR_BACKWARD = kernel("lora_factor_backward", "AALLLLLIA");
    static final MethodHandle ACTIVATION_BACKWARD = kernel("activation_backward", "AAALI");
    static final MethodHandle GATED_BACKWARD = kernel("gated_backward", "AAAAALI");
    static final MethodHandle SOFTCAP_BACKWARD = kernel("softcap_backward", "AALF");
    static final MethodHandle FILL = kernel("fill", "ALF");
    static final MethodHandle CONVERT = kernel("convert", "AIAIL");
    static final MethodHandle DROPOUT = kernel("dropout", "AALIFL");
    static final MethodHandle ADD_NOISE = kernel("add_noise", "ALLAL");
    static final MethodHandle SCATTER_ADD = kernel("scatter_add", "ALLALLALF");
    static final MethodHandle RMS_NORM_BACKWARD = kernel("rms_norm_backward", "AAALLAIFFI");
    static final MethodHandle LAYER_NORM_BACKWARD = kernel("layer_norm_backward", "AAAAALLAIFI");
    static final MethodHandle ATTENTION_BACKWARD = kernel("attention_backward", "AAAAAAAALAALLLLFF");
    static final MethodHandle CROSS_ENTROPY = kernel("cross_entropy", "AALLAAF");
    static final MethodHandle DISTANCE = kernel("distance", "AAAALFI");
    static final MethodHandle SUM_SQUARES = kernel("sum_squares", "AAL");
    static final MethodHandle ADAM_W = kernel("adam_w", "AAAALFFFFFLF");

    private CpuKernels() {
    }

    /** A kernel's handle; after the engine come the parameters: A address, L int64, I int32, F float. */
    private static MethodHandle kernel(String name, String parameters) {
        var layouts = new MemoryLayout[parameters.length() + 1];
        layouts[0] = JAVA_LONG;
        for (int i = 0; i < parameters.length(); i++) {
            layouts[i + 1] = switch (parameters.charAt(i)) {
                case 'A', 'L' -> JAVA_LONG;
                case 'I' -> JAVA_INT;
                case 'F' -> JAVA_FLOAT;
                default -> throw new AssertionError(parameters);
            };
        }
        return bind(name, FunctionDescriptor.of(JAVA_INT, layouts));
    }

    private static MethodHandle bind(String name, FunctionDescriptor type) {
        SymbolLookup library = NativeLibrary.open();
        return Linker.nativeLinker().downcallHandle(library.findOrThrow("t2l_" + name), type);
    }
}
