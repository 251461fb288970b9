package dev.t2l.cli;

import dev.t2l.AdapterMix;
import dev.t2l.AdapterRouter;
import dev.t2l.backend.Backend;
import java.util.List;
import picocli.CommandLine.Option;

/** {@code --arrow} and how many adapters a token chooses, how sharply. */
final class ArrowOptions {
    @Option(names = "--arrow", required = true, description = "Each token chooses among the adapters by itself, at each layer and projection, instead of all being added (Arrow). "
            + "An adapter's SCALE counts when it is chosen.")
    private boolean arrow;

    @Option(names = "--arrow-top-k", defaultValue = "3", paramLabel = "K", description = "So many. Default: ${DEFAULT-VALUE}.")
    private int topK = AdapterRouter.TOP_K;

    @Option(names = "--arrow-temperature", defaultValue = "1", paramLabel = "T", description = "Temperature of their weights. Default: ${DEFAULT-VALUE}.")
    private float temperature = 1;

    AdapterRouter router(List<AdapterMix.Part> library, Backend backend) {
        return AdapterRouter.arrow(library, topK, temperature, backend);
    }
}
