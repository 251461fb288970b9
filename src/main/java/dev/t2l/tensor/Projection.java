package dev.t2l.tensor;

import java.util.Arrays;
import java.util.Optional;

/** The linear layers of a decoder block that a LoRA adapter can target, by their PEFT name. */
public enum Projection {
    Q("self_attn", "q_proj", "attn_q"), K("self_attn", "k_proj", "attn_k"), V("self_attn", "v_proj", "attn_v"),
    O("self_attn", "o_proj", "attn_output"),
    GATE("mlp", "gate_proj", "ffn_gate"), UP("mlp", "up_proj", "ffn_up"), DOWN("mlp", "down_proj", "ffn_down");

    private final String parent;
    private final String peftName;
    private final String ggufName;

    Projection(String parent, String peftName, String ggufName) {
        this.parent = parent;
        this.peftName = peftName;
        this.ggufName = ggufName;
    }

    /** As in PEFT's target_modules: {@code q_proj}. */
    public String peftName() {
        return peftName;
    }

    /** As in GGUF tensor names: {@code attn_q}. */
    public String ggufName() {
        return ggufName;
    }

    /** The path below a layer: {@code self_attn.q_proj}. */
    public String path() {
        return parent + "." + peftName;
    }

    /** By PEFT name. */
    public static Optional<Projection> byPeftName(String name) {
        return Arrays.stream(values()).filter(p -> p.peftName.equals(name)).findFirst();
    }

    /** By GGUF name. */
    public static Optional<Projection> byGgufName(String name) {
        return Arrays.stream(values()).filter(p -> p.ggufName.equals(name)).findFirst();
    }
}
