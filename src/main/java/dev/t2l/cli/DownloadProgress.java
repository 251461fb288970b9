package dev.t2l.cli;

import dev.t2l.io.HubDownload;

/** A progress bar for each file of a download. */
final class DownloadProgress implements HubDownload.Progress, AutoCloseable {
    private String file;
    private Progress bar;

    @Override
    public void downloaded(String name, long done, long total) {
        if (!name.equals(file)) {
            close();
            file = name;
            bar = Progress.of(name, total, "MiB", 1 << 20);
        }
        bar.advanceTo(done);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
