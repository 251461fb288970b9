package dev.t2l.cli;

import dev.t2l.eval.Benchmark;
import dev.t2l.io.HubId;
import dev.t2l.io.ModelSource;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Whether all that an evaluation reads is there, asked before anything is opened: what is missing, each with where to get it. */
final class EvalInputs {
    private final boolean download;
    private final List<String> missing = new ArrayList<>();

    /** @param download whether hub ids will be fetched */
    EvalInputs(boolean download) {
        this.download = download;
    }

    /** A model, hypernetwork or encoder. */
    void model(String what, String source) {
        if (download && HubId.parse(source).isPresent()) {
            return;
        }
        try {
            ModelSource.resolve(source);
        } catch (UncheckedIOException e) {
            missing.add(what + " " + source + ": " + (HubId.parse(source).isPresent() ? "neither a path nor in the Hugging Face cache; --download fetches it from https://huggingface.co/"
                    + source.replaceAll("@[^/]*", "").replaceAll("^([^/]+/[^/]+)/.*", "$1") : "there is no such file or folder"));
        }
    }

    /** A folder of the user's. */
    void folder(String what, Path folder, String hint) {
        if (!Files.isDirectory(folder)) {
            missing.add(what + " " + folder + ": there is no such folder; " + hint);
        }
    }

    /**
     * A file of the user's.
     *
     * @param wanted where it was looked for
     */
    void file(String what, Path wanted, String hint) {
        if (!Files.isRegularFile(wanted)) {
            missing.add(what + " " + wanted + ": there is no such file; " + hint);
        }
    }

    /** A benchmark's file in a folder. */
    Optional<Path> benchmark(Benchmark benchmark, Path folder) {
        Optional<Path> file = benchmark.in(folder);
        if (file.isEmpty()) {
            missing.add("benchmark " + folder.resolve(benchmark.key() + ".jsonl") + ": there is no such file; it is the dataset " + benchmark.source()
                    + ", on https://huggingface.co/datasets/" + benchmark.source().replaceAll(",.*", "") + ", written as JSON, one record a line");
        }
        return file;
    }

    List<String> missing() {
        return List.copyOf(missing);
    }
}
