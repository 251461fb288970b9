package dev.t2l.bench;

/**
 * What a run has to do at least: the two numbers under which no version gets.
 *
 * @param bytes that must move through memory: each input read once, each output written once
 * @param flops operations of its products, a multiplication and an addition being two
 */
public record Work(long bytes, double flops) {
    Work plus(Work other) {
        return new Work(bytes + other.bytes, flops + other.flops);
    }
}
