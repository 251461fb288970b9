package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A model whose matrices get another type while it is loaded. */
class ConvertedMatricesTest {
    static List<String> backends() {
        return EachBackend.available();
    }

    private static float[] values(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            return backend.host(arena, tensor).toFloats();
        }
    }

    /** Each value rounded by itself; vectors untouched. */
    @ParameterizedTest
    @MethodSource("backends")
    void matricesAreRoundedAndVectorsStay(String name) {
        try (Backend backend = Backend.open(name); DecoderFile file = DecoderFile.open(Tiny.BASE, backend); DecoderFile bf16 = DecoderFile.open(Tiny.BASE, backend, DType.BF16)) {
            for (Projection p : Projection.values()) {
                Tensor got = bf16.weights().layers().getLast().at(p).weight();
                float[] want = values(backend, file.weights().layers().getLast().at(p).weight());
                for (int i = 0; i < want.length; i++) {
                    want[i] = Elements.bfloat16ToFloat(Elements.floatToBfloat16(want[i]));
                }
                assertEquals(DType.BF16, got.dtype());
                assertArrayEquals(want, values(backend, got), p.name());
            }
            assertEquals(DType.BF16, bf16.weights().embedding().dtype());
            assertEquals(file.weights().finalNorm().dtype(), bf16.weights().finalNorm().dtype());
            assertArrayEquals(values(backend, file.weights().finalNorm()), values(backend, bf16.weights().finalNorm()));
            assertArrayEquals(values(backend, file.weights().invFreq()), values(backend, bf16.weights().invFreq()));
        }
    }

    @Test
    void quantisedBlocksAreUnpackedRowByRow() {
        try (Backend backend = Backend.open("java"); ConvertedMatrices converted = new ConvertedMatrices(backend.placement(), DType.F32)) {
            float[] values = new float[3 * 64];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) Math.sin(i) * (1 + i / 64);
            }
            Tensor blocks = Quantise.tensor(Tensor.ofFloats(values, 3, 64), DType.Q4_1);
            assertArrayEquals(blocks.toFloats(), converted.place(blocks).toFloats());
            Tensor plain = Tensor.ofFloats(values, 3, 64);
            assertEquals(plain, converted.place(plain), "nothing is copied for nothing");
        }
    }

    @Test
    void anotherTypeIsRefused() {
        try (Backend backend = Backend.open("java")) {
            String message = assertThrows(IllegalArgumentException.class, () -> DecoderFile.open(Tiny.BASE, backend, DType.Q8_0)).getMessage();
            assertTrue(message.contains("Q8_0") && message.contains("BF16"), message);
        }
    }
}
