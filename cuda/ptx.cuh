/*
 * The instructions of sm_80 that products are made of and that C++ has no word for. dev/emulate.h has a second body for each, so
 * that the checks of dev/ run on a processor, too.
 */
#pragma once

#include "common.cuh"

#ifdef T2L_EMULATE
#include "dev/emulate_ptx.h"
#else

/* The block's dynamic shared memory, aligned to 16 bytes. */
#define DYNAMIC_SHARED(name) extern __shared__ uint4 name##_raw[]; uint8_t *const name = (uint8_t *)name##_raw

/* Its size, in bytes. */
INLINE uint32_t dynamic_shared_size() {
    uint32_t bytes;
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
    return bytes;
}

INLINE uint32_t shared_address(const void *p) {
    return (uint32_t)__cvta_generic_to_shared(p);
}

/* Begins to copy 16 bytes to shared memory: `bytes` of them from `from`, zeros for the rest. Both aligned to 16. */
INLINE void copy_async(void *to, const void *from, int bytes) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}

/* Ends a group of the calling thread's copies. */
INLINE void copy_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Waits until at most PENDING of the calling thread's groups are under way. */
template <int PENDING> INLINE void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

/* Two f32 rounded to bf16, `low` in the low half. */
INLINE uint32_t pack_bf16(float low, float high) {
    uint32_t d;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
    return d;
}

/* Two f32 rounded to f16, `low` in the low half. */
INLINE uint32_t pack_f16(float low, float high) {
    uint32_t d;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
    return d;
}

/*
 * c[16 x 8] += a[16 x 16] b[16 x 8], bf16 and f32. With g = lane / 4 and t = lane % 4: a = rows (g, g+8, g, g+8), columns 2t and 2t+1
 * (2t+8 and 2t+9 in the last two); b = column g, rows 2t and 2t+1 (2t+8 and 2t+9); c = row g (g+8 in the last two), columns 2t and 2t+1.
 */
INLINE void mma(float c[4], const uint4 &a, uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

/* The same of f16, and with a sum to start from: d = c + a b. */
INLINE void mma_f16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const float c[4]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}

INLINE void mma_bf16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const float c[4]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}

/* Four 8 x 8 matrices of 16 bits from shared memory; lanes 8i to 8i+7 give the addresses of the rows of matrix i. */
INLINE uint4 load_matrices(const void *row) {
    uint4 d;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d.x), "=r"(d.y), "=r"(d.z), "=r"(d.w)
                 : "r"(shared_address(row))
                 : "memory");
    return d;
}

/* The same, each matrix transposed. */
INLINE uint4 load_matrices_transposed(const void *row) {
    uint4 d;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d.x), "=r"(d.y), "=r"(d.z), "=r"(d.w)
                 : "r"(shared_address(row))
                 : "memory");
    return d;
}

/* 2^x within 2^-22 of itself; 1 for 0, 0 for -infinity and for results too small for a normal number. */
INLINE float exp2_approximate(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* 16 bytes that are read once and need no place in the first cache. */
INLINE uint4 load_stream(const void *p) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}
#endif

/* The f16 in the low half. */
INLINE float half_value(uint32_t pair) {
    return __half2float(__ushort_as_half((unsigned short)pair));
}

/* bf16 high parts of (a, b, c, d) and what they leave over, as a row g of the a operand of mma has them: high (a, b), low (a, b),
 * high (c, d), low (c, d); the low parts thus belong to row g + 8. */
INLINE uint4 split4(float a, float b, float c, float d) {
    uint4 v;
    v.x = pack_bf16(a, b);
    v.z = pack_bf16(c, d);
    v.y = pack_bf16(a - __uint_as_float(v.x << 16), b - __uint_as_float(v.x & 0xffff0000));
    v.w = pack_bf16(c - __uint_as_float(v.z << 16), d - __uint_as_float(v.z & 0xffff0000));
    return v;
}

/* x[k .. k+3] of a row of n, zeros beyond its end; `vector` says that the row starts at a multiple of 16 bytes and n is one of 4. */
INLINE float4 load4(const float *__restrict__ x, int64_t k, int64_t n, bool vector) {
    float4 v = make_float4(0, 0, 0, 0);
    if (vector) {
        if (k < n) {
            v = __ldg((const float4 *)(x + k));
        }
    } else {
        v.x = k < n ? x[k] : 0;
        v.y = k + 1 < n ? x[k + 1] : 0;
        v.z = k + 2 < n ? x[k + 2] : 0;
        v.w = k + 3 < n ? x[k + 3] : 0;
    }
    return v;
}

/* Whether rows of n floats may be read four at a time. */
INLINE bool vectors(const float *x, int64_t n) {
    return ((uintptr_t)x | (uintptr_t)(n * 4)) % 16 == 0;
}
