package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.Output;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The element-wise map {@code v * scale + shift} from a head's values to LoRA weights: the multi-task offset of fine-tuned
 * networks, the statistics of reconstruction-trained ones. Owns its tensors, in one allocation on the backend.
 */
final class OutputAffine implements AutoCloseable {
    /** The reference adds it to every standard deviation. */
    private static final float STD_EPSILON = 1e-10f;

    private final Weights tensors;

    private OutputAffine(Weights tensors) {
        this.tensors = tensors;
    }

    /** @param weights a hypernetwork's tensors, on the host */
    static OutputAffine of(HyperConfig config, Weights weights, Backend backend) {
        Map<String, float[]> values = new LinkedHashMap<>();
        var table = new TensorTable();
        for (Target t : config.targets()) {
            for (char factor : new char[] {'A', 'B'}) {
                String site = factor + "." + t.projection().peftName();
                put(values, table, "scale." + site, scale(config, weights, site), weights.get("AB_offset." + site));
                put(values, table, "shift." + site, shift(config, weights, site), weights.get("AB_offset." + site));
            }
        }
        Weights tensors = table.carve(backend::allocate);
        values.forEach((name, v) -> backend.upload(tensors.get(name), Tensor.ofFloats(v, v.length).data()));
        return new OutputAffine(tensors);
    }

    /** What training adds to a head's values: the offset where that is trained upon, else nothing, for the targets are what a head gives. */
    static OutputAffine ofTraining(HyperConfig config, Weights weights, Backend backend) {
        return config.training().output() == Output.OFFSET ? of(config, weights, backend) : new OutputAffine(new Weights(Map.of(), () -> { }));
    }

    private static void put(Map<String, float[]> values, TensorTable table, String name, float[] value, Tensor like) {
        if (value != null) {
            values.put(name, value);
            table.add(name, DType.F32, like.shape());
        }
    }

    /** Null for 1. */
    private static float[] scale(HyperConfig config, Weights weights, String site) {
        Output output = config.training().output();
        if (output == Output.Z_SCORE) {
            float[] std = weights.get("std_recon_target." + site).toFloats();
            for (int i = 0; i < std.length; i++) {
                std[i] += STD_EPSILON;
            }
            return std;
        }
        if (output == Output.DELTA_W) {
            float[] constant = new float[Math.toIntExact(weights.get("AB_offset." + site).elements())];
            Arrays.fill(constant, (float) (1 / Math.sqrt(config.training().deltaWScaling())));
            return constant;
        }
        return null;
    }

    /** Null for 0. */
    private static float[] shift(HyperConfig config, Weights weights, String site) {
        return switch (config.training().output()) {
            case Z_SCORE -> weights.get("mean_recon_target." + site).toFloats();
            case OFFSET -> {
                float[] offset = weights.get("AB_offset." + site).toFloats();
                yield isZero(offset) ? null : offset;
            }
            case DELTA_W, RAW -> null;
        };
    }

    private static boolean isZero(float[] values) {
        for (float v : values) {
            if (v != 0) {
                return false;
            }
        }
        return true;
    }

    /** f32 of the factor's shape, or null for 1. */
    Tensor scale(char factor, Projection module) {
        return tensors.tensors().get("scale." + factor + "." + module.peftName());
    }

    /** f32 of the factor's shape, or null for 0. */
    Tensor shift(char factor, Projection module) {
        return tensors.tensors().get("shift." + factor + "." + module.peftName());
    }

    @Override
    public void close() {
        tensors.close();
    }
}
