package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * One of several products of the same input, for {@link Backend#products} and its kin: {@code y = x w^T + bias}, with the rows'
 * adapters added.
 *
 * @param y    f32 [n, out]
 * @param w    any float or block-quantised type [out, in]
 * @param bias any float type [out], or null
 * @param lora each row's adapters, or null for none
 */
public record Product(Tensor y, Tensor w, Tensor bias, LoraRows lora) {
}
