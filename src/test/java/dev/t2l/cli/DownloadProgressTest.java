package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** What a process that is stopped says of its download. */
class DownloadProgressTest {
    private static Process start(String end) throws Exception {
        return new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", System.getProperty("java.class.path"), Fetching.class.getName(), end).start();
    }

    @Test
    void aStoppedDownloadSaysHowToGoOn() throws Exception {
        Process process = start("never");
        assertEquals("begun", process.inputReader().readLine());
        process.toHandle().destroy(); // the streams stay open
        String said = process.errorReader().readAllAsString();
        assertTrue(said.contains("stopped while fetching model.gguf") && said.contains("run it again"), said);
    }

    @Test
    void oneThatEndedSaysNothing() throws Exception {
        Process process = start("at once");
        assertEquals("begun", process.inputReader().readLine());
        assertEquals("", process.errorReader().readAllAsString());
        assertEquals(0, process.waitFor());
    }

    /** The first file is done, the second is not. */
    static final class Fetching {
        public static void main(String... args) throws InterruptedException {
            try (var progress = new DownloadProgress()) {
                progress.downloaded("config.json", 1, 1);
                progress.downloaded("model.gguf", 1, 2);
                System.out.println("begun");
                if (args[0].equals("never")) {
                    new CountDownLatch(1).await();
                }
            }
        }
    }
}
