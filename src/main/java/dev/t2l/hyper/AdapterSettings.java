package dev.t2l.hyper;

import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfig;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * The kind of adapters that a hypernetwork emits: PEFT's LoraConfig, {@code adapter_config.json}, which is kept as it is.
 *
 * @param content the file
 */
record AdapterSettings(Path file, PeftConfig peft, byte[] content) {

    /**
     * @throws FormatException if the file is no LoRA configuration, or has ranks or alphas of single modules
     * @throws UncheckedIOException if it cannot be read
     */
    static AdapterSettings read(Path file) {
        PeftConfig peft = PeftConfig.read(file);
        if (!peft.scaling().rankPattern().isEmpty() || !peft.scaling().alphaPattern().isEmpty()) {
            throw new FormatException(file, "rank_pattern or alpha_pattern", "wanted none, for a hypernetwork has one rank and one alpha, found "
                    + peft.scaling().rankPattern() + " and " + peft.scaling().alphaPattern());
        }
        try {
            return new AdapterSettings(file, peft, Files.readAllBytes(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Of a network that was made here. */
    static AdapterSettings of(PeftConfig peft) {
        return new AdapterSettings(Path.of(PeftConfig.FILE), peft, peft.toJson());
    }

    LoraShape shape(int layers) {
        return new LoraShape(peft.scaling().rank(), peft.scaling().alpha(), peft.scaling().rsLora(), layers);
    }

    /** Refuses targets that are not the modules with a head. Their order is that of a Python set and means nothing. */
    void checkTargets(List<Projection> heads, int layers) {
        for (Projection p : Projection.values()) {
            for (int l = 0; l < layers; l++) {
                boolean targeted = peft.targets().matches(PeftAdapter.module(new Site(l, p)));
                boolean headless = targeted && !heads.contains(p) && peft.targets().expression() == null;
                if (headless || !targeted && heads.contains(p)) {
                    throw new FormatException(file, "target_modules", "wanted the modules of the heads, " + names(heads) + ", in " + layers
                            + " layers, found that " + p.peftName() + " of layer " + l + " is " + (targeted ? "a target" : "none"));
                }
            }
        }
    }

    private static List<String> names(List<Projection> modules) {
        return Arrays.stream(Projection.values()).filter(modules::contains).map(Projection::peftName).toList();
    }

    void write(Path to) {
        AtomicFile.write(to, content);
    }
}
