package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.train.TrainingListener.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** How fast a run goes and how much memory it took: sums over steps, of which older ones count less and less. */
final class Pace {
    private static final double OLDER = 0.95;
    private static final int MEMORY_EVERY = 20;
    private static final Path PROCESS = Path.of("/proc/self/status");

    private final Backend backend;
    private final OptionalDouble ceiling;
    private double seconds;
    private double tokens;
    private double flops;
    private double count;
    private long told;
    private OptionalLong peak = OptionalLong.empty();

    Pace(TrainingModels models) {
        this.backend = models.backend();
        this.ceiling = models.ceiling();
    }

    /** @param time of this step, in seconds */
    Progress after(long step, long steps, double rate, Trainee.Step now, double time) {
        seconds = OLDER * seconds + time;
        tokens = OLDER * tokens + now.tokens();
        flops = OLDER * flops + now.flops();
        count = OLDER * count + 1;
        if (told++ % MEMORY_EVERY == 0) {
            peak = peakMib();
        }
        double done = flops / seconds;
        return new Progress(step, steps, rate, now.result(), tokens / seconds, ceiling.isPresent() ? OptionalDouble.of(done / ceiling.getAsDouble()) : OptionalDouble.empty(),
                (steps - step) * seconds / count, peak);
    }

    private OptionalLong peakMib() {
        OptionalLong device = backend.memoryInUse();
        if (device.isPresent()) {
            return OptionalLong.of(Math.max(peak.orElse(0), device.getAsLong() >> 20));
        }
        try {
            return Files.isReadable(PROCESS) ? Files.readAllLines(PROCESS).stream().filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) >> 10).findFirst() : OptionalLong.empty();
        } catch (IOException | NumberFormatException _) {
            return OptionalLong.empty();
        }
    }
}
