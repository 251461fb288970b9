package dev.t2l.train;

/**
 * The learning rate by step: linear warm-up from 0, then linear decay to 0, as {@code get_linear_schedule_with_warmup} of transformers. The
 * first step has rate 0 if there is a warm-up.
 *
 * @param peak   rate after the warm-up
 * @param warmUp steps of the warm-up
 * @param steps  of the whole training
 */
public record Schedule(double peak, long warmUp, long steps) {
    public Schedule {
        if (!(peak >= 0) || Double.isInfinite(peak) || warmUp < 0 || steps < 1 || warmUp > steps) {
            throw new IllegalArgumentException("a schedule needs a rate of at least 0 and a warm-up within its steps; got rate " + peak + ", warm-up "
                    + warmUp + ", steps " + steps);
        }
    }

    /** With a share of the steps, rounded down, as warm-up. */
    public static Schedule ofFraction(double peak, double warmUpFraction, long steps) {
        return new Schedule(peak, (long) (warmUpFraction * steps), steps);
    }

    /** The rate of step t, counted from 0; 0 from {@code steps} on. */
    public double rate(long t) {
        if (t < warmUp) {
            return peak * ((double) t / warmUp);
        }
        return peak * Math.max(0, (double) (steps - t) / Math.max(1, steps - warmUp));
    }
}
