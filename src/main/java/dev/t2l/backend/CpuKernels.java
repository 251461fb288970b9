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
    static final MethodHandle LORA_FACTOR = kernel("lora_factor", "ALLLALLIAA");
    static final MethodHandle ROPE_ANGLES = kernel("rope_angles", "AALALF");
    static final MethodHandle ROPE = kernel("rope", "ALLLAI");
    static final MethodHandle ATTENTION = kernel("attention", "AALAALALLLLFF");

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
