package dev.t2l.train;

import dev.t2l.train.Checkpoint.Best;
import dev.t2l.train.TrainingListener.Progress;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A run from its first step, or from its last checkpoint, to its end. Every step is written to the metrics as it ends; what was trained is
 * saved as {@code best} when a validation is the lowest so far, and as {@code final} at the end.
 */
final class TrainingRun {
    private static final System.Logger LOG = System.getLogger("dev.t2l.train");

    private final TrainingConfig config;
    private final Trainee trainee;
    private final Schedule schedule;
    private final TrainingModels models;
    private final TrainingListener listener;
    private Best best = Best.NONE;

    TrainingRun(TrainingConfig config, Trainee trainee, Schedule schedule, TrainingModels models, TrainingListener listener) {
        this.config = config;
        this.trainee = trainee;
        this.schedule = schedule;
        this.models = models;
        this.listener = listener;
    }

    /** @throws TrainingException if a loss or gradient is not finite; the last checkpoint stays */
    Training.Result run(RunFolder folder) {
        Optional<Checkpoint> from = folder.latest();
        from.ifPresent(this::goOn);
        long done = from.map(Checkpoint::steps).orElse(0L);
        listener.note(trainee.plan());
        folder.begin();
        try (var metrics = new MetricsLog(folder.metrics(), done)) {
            var pace = new Pace(models);
            long saved = done;
            for (long t = done; t < schedule.steps(); t++) {
                step(t, saved, pace, metrics);
                validate(t + 1, folder, metrics);
                if ((t + 1) % config.run().checkpointEvery() == 0 || t + 1 == schedule.steps()) {
                    new Checkpoint(folder.checkpoint(t + 1), t + 1, config.seed(), models.backend().name(), best).write(trainee.parameters());
                    folder.keep(config.run().keep());
                    saved = t + 1;
                }
            }
        }
        if (done < schedule.steps() || !Files.exists(folder.end())) {
            ReplacedFolder.write(folder.end(), trainee::save);
        }
        return new Training.Result(folder.end(), best.steps() > 0 ? Optional.of(folder.best()) : Optional.empty(), schedule.steps());
    }

    private void goOn(Checkpoint from) {
        if (from.seed() != config.seed() || from.steps() > schedule.steps()) {
            throw new IllegalArgumentException(from.folder() + " is of another run: " + from.steps() + " steps with seed " + from.seed() + ", while this one has "
                    + schedule.steps() + " with seed " + config.seed());
        }
        if (!from.backend().equals(models.backend().name())) {
            LOG.log(System.Logger.Level.WARNING, "the run began on the backend {0} and goes on on {1}: not with the bits that it would have had", from.backend(), models.backend().name());
        }
        from.restore(trainee.parameters(), trainee.optimiser());
        best = from.best();
        listener.note("goes on after step " + from.steps());
    }

    private void step(long t, long saved, Pace pace, MetricsLog metrics) {
        double rate = schedule.rate(t);
        long start = System.nanoTime();
        Trainee.Step now = checked(t, saved, rate);
        double seconds = (System.nanoTime() - start) * 1e-9;
        Progress progress = pace.after(t + 1, schedule.steps(), rate, now, seconds);
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("step", t + 1);
        line.put("loss", now.result().loss());
        line.put("penalty", now.result().penalty());
        line.put("gradient_norm", now.result().gradientNorm());
        line.put("rate", rate);
        line.put("tokens", now.tokens());
        line.put("seconds", seconds);
        progress.utilisation().ifPresent(share -> line.put("utilisation", share));
        progress.peakMib().ifPresent(mib -> line.put("peak_mib", mib));
        metrics.add(line);
        listener.step(progress);
    }

    private Trainee.Step checked(long t, long saved, double rate) {
        try {
            Trainee.Step now = trainee.step(t, rate);
            if (!Double.isFinite(now.result().loss()) || !Double.isFinite(now.result().penalty())) {
                throw new TrainingException("step " + (t + 1) + ": the loss is not finite: " + now.result().loss() + ", penalty " + now.result().penalty());
            }
            return now;
        } catch (TrainingException e) {
            throw new TrainingException(e.getMessage() + (saved == 0 ? "; there is no checkpoint yet" : "; the last checkpoint is of step " + saved));
        }
    }

    private void validate(long step, RunFolder folder, MetricsLog metrics) {
        int every = config.run().validationEvery();
        if (every == 0 || step % every != 0 && step != schedule.steps()) {
            return;
        }
        OptionalDouble loss = trainee.validate();
        if (loss.isEmpty()) {
            return;
        }
        boolean lowest = loss.getAsDouble() < best.loss();
        if (lowest) {
            best = new Best(loss.getAsDouble(), step);
            ReplacedFolder.write(folder.best(), trainee::save);
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("step", step);
        line.put("validation_loss", loss.getAsDouble());
        line.put("best", lowest);
        metrics.add(line);
        listener.validated(step, loss.getAsDouble(), lowest);
    }
}
