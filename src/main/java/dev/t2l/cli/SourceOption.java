package dev.t2l.cli;

import dev.t2l.io.HubDownload;
import dev.t2l.io.ModelSource;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The option {@code --download} of commands that open models: {@code @Mixin private SourceOption source;}. */
final class SourceOption {
    @Option(names = "--download", description = "Fetch models that are hub ids (owner/name) into the Hugging Face cache. Without it, none of these is downloaded.")
    private boolean download;

    /** Whether hub ids are fetched. */
    boolean download() {
        return download;
    }

    /** A folder or file, or the cached (with {@code --download}: fetched) snapshot of a hub id. */
    Path resolve(String model) {
        if (!download) {
            return ModelSource.resolve(model);
        }
        try (var progress = new DownloadProgress()) {
            return ModelSource.resolve(model, HubDownload.standard(progress));
        }
    }
}
