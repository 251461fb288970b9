package dev.t2l.train;

/**
 * What a step of the optimiser showed.
 *
 * @param loss         of the language model, over all batches of the step
 * @param penalty      on generated weights, 0 where there is none
 * @param gradientNorm of both together, before clipping
 */
public record StepResult(double loss, double penalty, double gradientNorm) {
}
