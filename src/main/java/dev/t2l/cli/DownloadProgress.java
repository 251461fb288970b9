package dev.t2l.cli;

import dev.t2l.io.HubDownload;

/** A progress bar for each file of a download; says what to do when the process is stopped meanwhile. */
final class DownloadProgress implements HubDownload.Progress, AutoCloseable {
    private final Thread stopped = new Thread(this::tellStopped);
    private volatile String file;
    private Progress bar;

    @Override
    public void downloaded(String name, long done, long total) {
        if (!name.equals(file)) {
            if (bar == null) {
                Runtime.getRuntime().addShutdownHook(stopped);
            } else {
                bar.close();
            }
            file = name;
            bar = Progress.of(name, total, "MiB", 1 << 20);
        }
        bar.advanceTo(done);
    }

    private void tellStopped() {
        System.err.println(System.lineSeparator() + "stopped while fetching " + file + "; nothing is damaged, run it again to go on");
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            try {
                Runtime.getRuntime().removeShutdownHook(stopped);
            } catch (IllegalStateException _) {
                // the JVM is ending: it is told
            }
        }
    }
}
