/*
 * Element-wise kernels of training on bf16 activations: norms and rotations forwards and backwards, gated activations backwards
 * (convert.cu has these forwards). rmsnorm.cu, normbackward.cu, rope.cu and activation.cu are the same on f32.
 *
 * Rows and heads are multiples of eight elements, all tensors start at multiples of 16 bytes. A thread takes eight elements, then the next a
 * team, or a whole grid, further on. Sums over a row are in double. Bytes: each operand once, 2 or 4 an element (a norm's second reading
 * hits the cache).
 */
#include "activation.cuh"
#include "formats.cuh"
#include "half.cuh"

enum { THREADS = 256 };

/* A tensor of f32 or bf16, in eights. */
struct eights_of {
    void *data;
    int half;

    __device__ __forceinline__ eight load(int64_t i) const {
        if (half) {
            return unpack8(((const uint4 *)data)[i]);
        }
        const float4 a = ((const float4 *)data)[2 * i], b = ((const float4 *)data)[2 * i + 1];
        return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
    }
    __device__ __forceinline__ void store(int64_t i, const eight &e) const {
        if (half) {
            ((uint4 *)data)[i] = e.rounded();
        } else {
            ((float4 *)data)[2 * i] = make_float4(e.v[0], e.v[1], e.v[2], e.v[3]);
            ((float4 *)data)[2 * i + 1] = make_float4(e.v[4], e.v[5], e.v[6], e.v[7]);
        }
    }
};

/* Eight weights of a norm. */
INLINE eight weights_at(const uint8_t *weight, int type, int64_t i) {
    if (type == T2L_F32 && (uintptr_t)weight % 16 == 0) {
        return eights_of{(void *)weight, 0}.load(i);
    }
    if (type == T2L_BF16 && (uintptr_t)weight % 16 == 0) {
        return eights_of{(void *)weight, 1}.load(i);
    }
    eight e;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        e.v[j] = row_element(weight, type, 8 * i + j);
    }
    return e;
}

/* The threads that share a row: a block, or for short rows a warp. */
template <bool BLOCK> struct team {
    static __device__ __forceinline__ int64_t row() {
        return BLOCK ? blockIdx.x : blockIdx.x * (int64_t)(THREADS / WARP) + threadIdx.x / WARP;
    }
    static __device__ __forceinline__ int first() {
        return BLOCK ? threadIdx.x : threadIdx.x % WARP;
    }
    static __device__ __forceinline__ int size() {
        return BLOCK ? THREADS : WARP;
    }
    static __device__ __forceinline__ double sum(double v) {
        return BLOCK ? block_sum(v) : warp_sum(v);
    }
};

/* out = x / sqrt(mean(x^2) + eps) * (weight + offset), and x itself rounded to `copy` unless that is null; d in eights. */
template <bool BLOCK>
INLINE void norm(const eights_of &out, uint4 *copy, const eights_of &x, int64_t n, int d, const uint8_t *weight, int type, float eps, float offset) {
    typedef team<BLOCK> T;
    const int64_t row = T::row() * d;
    if (T::row() >= n) {
        return;
    }
    double squares = 0;
    for (int i = T::first(); i < d; i += T::size()) {
        const eight e = x.load(row + i);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            squares += (double)e.v[j] * e.v[j];
        }
    }
    const float factor = (float)(1 / sqrt(T::sum(squares) / (8.0 * d) + eps));
    for (int i = T::first(); i < d; i += T::size()) {
        eight e = x.load(row + i);
        if (copy != nullptr) {
            copy[row + i] = e.rounded();
        }
        const eight w = weights_at(weight, type, i);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            e.v[j] = e.v[j] * factor * (w.v[j] + offset);
        }
        out.store(row + i, e);
    }
}

/* Grid: rows, or eights of rows if `wide` is 0. */
KERNEL mixed_norm(void *out, int half_out, uint4 *copy, void *x, int half, int64_t n, int d, const uint8_t *weight, int type, float eps, float offset, int wide) {
    if (wide) {
        norm<true>({out, half_out}, copy, {x, half}, n, d, weight, type, eps, offset);
    } else {
        norm<false>({out, half_out}, copy, {x, half}, n, d, weight, type, eps, offset);
    }
}

/* As rms_norm_backward (normbackward.cu): dx, which may be added to, and its rounded copy. */
template <bool BLOCK>
INLINE void norm_backward(const eights_of &dx, uint4 *copy, const eights_of &dy, const uint4 *x, int64_t n, int d, const uint8_t *weight, int type, float eps, float offset,
                          int add) {
    typedef team<BLOCK> T;
    const int64_t row = T::row() * d;
    if (T::row() >= n) {
        return;
    }
    double squares = 0, dot = 0;
    for (int i = T::first(); i < d; i += T::size()) {
        const eight e = unpack8(x[row + i]), g = dy.load(row + i), w = weights_at(weight, type, i);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            squares += (double)e.v[j] * e.v[j];
            dot += (double)e.v[j] * (g.v[j] * (w.v[j] + offset));
        }
    }
    const double factor = 1 / sqrt(T::sum(squares) / (8.0 * d) + eps);
    const float pull = (float)(T::sum(dot) * factor * factor * factor / (8.0 * d));
    for (int i = T::first(); i < d; i += T::size()) {
        const eight e = unpack8(x[row + i]), g = dy.load(row + i), w = weights_at(weight, type, i);
        eight sum = {};
        if (add) {
            sum = dx.load(row + i);
        }
#pragma unroll
        for (int j = 0; j < 8; j++) {
            sum.v[j] += g.v[j] * (w.v[j] + offset) * (float)factor - e.v[j] * pull;
        }
        dx.store(row + i, sum);
        if (copy != nullptr) {
            copy[row + i] = sum.rounded();
        }
    }
}

/* Grid as mixed_norm's. */
KERNEL mixed_norm_backward(void *dx, int half_dx, uint4 *copy, void *dy, int half_dy, const uint4 *x, int64_t n, int d, const uint8_t *weight, int type, float eps, float offset,
                           int add, int wide) {
    if (wide) {
        norm_backward<true>({dx, half_dx}, copy, {dy, half_dy}, x, n, d, weight, type, eps, offset, add);
    } else {
        norm_backward<false>({dx, half_dx}, copy, {dy, half_dy}, x, n, d, weight, type, eps, offset, add);
    }
}

/* The fused steps as in rope.cu. */
INLINE void rotate(float &a, float &b, float c, float s) {
    const float before = a;
    a = fmaf(a, c, -__fmul_rn(b, s));
    b = fmaf(b, c, __fmul_rn(before, s));
}

/* As rope (rope.cu), h a multiple of eight: sixteen elements a thread. x [n, heads * 2h], angles [n, 2h]. */
KERNEL mixed_rope(uint4 *x, int64_t n, int heads, int h, const float *angles, int interleaved) {
    const int chunks = h / 8; /* of a head */
    for (int64_t at = blockIdx.x * (int64_t)THREADS + threadIdx.x; at < n * heads * chunks; at += (int64_t)gridDim.x * THREADS) {
        const int chunk = (int)(at % chunks);
        const float *row = angles + at / chunks / heads * 2 * h;
        uint4 *head = x + at / chunks * 2 * chunks;
        const eights_of cosines = {(void *)row, 0}, sines = {(void *)(row + h), 0};
        if (interleaved) { /* pairs 8 chunk .. 8 chunk + 7 */
            const eight c = cosines.load(chunk), s = sines.load(chunk);
#pragma unroll
            for (int part = 0; part < 2; part++) {
                eight e = unpack8(head[2 * chunk + part]);
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    rotate(e.v[2 * j], e.v[2 * j + 1], c.v[4 * part + j], s.v[4 * part + j]);
                }
                head[2 * chunk + part] = e.rounded();
            }
        } else {
            const eight c = cosines.load(chunk), s = sines.load(chunk);
            eight a = unpack8(head[chunk]), b = unpack8(head[chunk + chunks]);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                rotate(a.v[j], b.v[j], c.v[j], s.v[j]);
            }
            head[chunk] = a.rounded();
            head[chunk + chunks] = b.rounded();
        }
    }
}

/* f(x) and f'(x), as precise as bf16 can hold. */
template <int F> INLINE void apply_with_slope(float x, float &value, float &derivative) {
    if (F == T2L_SILU) {
        const float s = __fdividef(1, 1 + exp2_approximate(-1.44269504f * x));
        value = x * s;
        derivative = s * (1 + x * (1 - s));
    } else {
        value = apply<F>(x);
        derivative = slope<F>(x);
    }
}

template <int F> INLINE void gated_back(uint4 *dgate, uint4 *dup, const uint4 *dy, const uint4 *gate, const uint4 *up, int64_t n) {
    for (int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x; i < n; i += (int64_t)gridDim.x * THREADS) {
        eight g = unpack8(gate[i]), u = unpack8(up[i]);
        const eight d = unpack8(dy[i]);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            float value, derivative;
            apply_with_slope<F>(g.v[j], value, derivative);
            g.v[j] = d.v[j] * u.v[j] * derivative;
            u.v[j] = d.v[j] * value;
        }
        dgate[i] = g.rounded();
        dup[i] = u.rounded();
    }
}

/* As gated_backward (activation.cu); n in eights. dgate may be gate, dup may be up. */
KERNEL mixed_gated_backward(uint4 *dgate, uint4 *dup, const uint4 *dy, const uint4 *gate, const uint4 *up, int64_t n, int f) {
    switch (f) {
    case T2L_SILU:
        return gated_back<T2L_SILU>(dgate, dup, dy, gate, up, n);
    case T2L_GELU:
        return gated_back<T2L_GELU>(dgate, dup, dy, gate, up, n);
    case T2L_GELU_TANH:
        return gated_back<T2L_GELU_TANH>(dgate, dup, dy, gate, up, n);
    default:
        return gated_back<T2L_RELU>(dgate, dup, dy, gate, up, n);
    }
}
