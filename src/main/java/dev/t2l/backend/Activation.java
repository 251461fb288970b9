package dev.t2l.backend;

/** Element-wise functions; the order is that of {@code t2l.h}. */
public enum Activation {
    /** {@code x / (1 + exp(-x))}. */
    SILU,
    /** {@code x/2 (1 + erf(x / sqrt 2))}. */
    GELU,
    /** {@code x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))}. */
    GELU_TANH,
    /** {@code max(x, 0)}. */
    RELU
}
