/*
 * What the checks of this folder share: random numbers, device memory, launches, times, one line a result. A check fails by printing FAIL
 * and counting; main returns the count. Compiled by nvcc for a GPU, or with T2L_EMULATE for a processor (checks only, no times).
 */
#pragma once

#ifdef T2L_EMULATE
#include "emulate.h"
#else
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>
#endif

static int failures = 0;

#define CHECK(call)                                                                                       \
    do {                                                                                                  \
        auto code = (call);                                                                               \
        if (code != cudaSuccess) {                                                                        \
            printf("FAIL %s:%d %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(code));           \
            exit(1);                                                                                      \
        }                                                                                                 \
    } while (0)

/* SplitMix64. */
struct random_numbers {
    uint64_t state;
    uint64_t next() {
        uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    int below(int n) {
        return (int)(next() % (uint64_t)n);
    }
    /* About normal: a sum of four, of variance 1. */
    float normal() {
        double sum = 0;
        for (int i = 0; i < 4; i++) {
            sum += (double)(next() >> 11) / (1ull << 53) - 0.5;
        }
        return (float)(sum * 1.7320508);
    }
};

static std::vector<float> normals(size_t n, random_numbers &r) {
    std::vector<float> v(n);
    for (float &f : v) {
        f = r.normal();
    }
    return v;
}

/* Device memory that starts `skew` bytes after an allocation of 256, filled from the host; followed by a strip of NaN. */
template <typename T> struct device {
    uint8_t *memory = nullptr;
    T *data = nullptr;
    size_t count = 0;
    device() {
    }
    explicit device(size_t n, int skew = 0) : count(n) {
        CHECK(cudaMalloc(&memory, n * sizeof(T) + skew + 256));
        CHECK(cudaMemset(memory, 0xff, n * sizeof(T) + skew + 256));
        data = (T *)(memory + skew);
    }
    explicit device(const std::vector<T> &values, int skew = 0) : device(values.size(), skew) {
        CHECK(cudaMemcpy(data, values.data(), count * sizeof(T), cudaMemcpyHostToDevice));
    }
    device(device &&o) : memory(o.memory), data(o.data), count(o.count) {
        o.memory = nullptr;
    }
    device(const device &) = delete;
    device &operator=(device &&o) {
        std::swap(memory, o.memory);
        std::swap(data, o.data);
        std::swap(count, o.count);
        return *this;
    }
    ~device() {
        if (memory != nullptr) {
            cudaFree(memory);
        }
    }
    std::vector<T> host() const {
        std::vector<T> values(count);
        CHECK(cudaMemcpy(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
        return values;
    }
};

#ifndef T2L_EMULATE
static cudaStream_t make_stream() {
    cudaStream_t s;
    CHECK(cudaStreamCreate(&s));
    return s;
}
static const cudaStream_t stream = make_stream();
#endif

template <typename... P, typename... A> void launch(void (*kernel)(P...), dim3 grid, int threads, int shared, A... arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) {
        return;
    }
#ifdef T2L_EMULATE
    emulation::run(grid, threads, shared, [=] { kernel((P)arguments...); });
#else
    if (shared > 48 << 10) {
        CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
    }
    kernel<<<grid, threads, shared, stream>>>((P)arguments...);
    CHECK(cudaGetLastError());
#endif
}

/* ||out - expected|| / ||expected||, NaN if anything is. */
static double relative_error(const std::vector<float> &out, const std::vector<double> &expected) {
    double difference = 0;
    double norm = 0;
    for (size_t i = 0; i < out.size(); i++) {
        difference += (out[i] - expected[i]) * (out[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return sqrt(difference / (norm > 0 ? norm : 1));
}

/* The largest difference over the norm of a typical element: finds one wrong element that the norm would hide. */
static double worst_error(const std::vector<float> &out, const std::vector<double> &expected) {
    double norm = 0;
    double worst = 0;
    for (size_t i = 0; i < out.size(); i++) {
        norm += expected[i] * expected[i];
        double difference = fabs(out[i] - expected[i]);
        if (!(difference <= worst)) {
            worst = difference;
        }
    }
    return worst / sqrt(std::max(norm / out.size(), 1e-300));
}

/* Prints and counts; both errors at most `limit` (the worst element's ten times that). */
static void expect(const char *what, const std::vector<float> &out, const std::vector<double> &expected, double limit) {
    double error = relative_error(out, expected);
    double worst = worst_error(out, expected);
    bool right = error <= limit && worst <= 10 * limit;
    failures += !right;
    if (!right || getenv("VERBOSE")) {
        printf("%s %-58s error %.2e, worst %.2e, allowed %.0e\n", right ? "ok  " : "FAIL", what, error, worst, limit);
        int shown = 0;
        for (size_t i = 0; i < out.size() && shown < 6 && !right; i++) {
            if (!(fabs(out[i] - expected[i]) <= 10 * limit * std::max(1.0, fabs(expected[i])))) {
                printf("     %zu of %zu: %g, wanted %g\n", i, out.size(), out[i], expected[i]);
                shown++;
            }
        }
    }
}

static void expect_true(const char *what, bool right) {
    failures += !right;
    if (!right || getenv("VERBOSE")) {
        printf("%s %s\n", right ? "ok  " : "FAIL", what);
    }
}

/* As launch, in clusters of `together` blocks along x; `early`: may begin before the launches before it have ended. */
template <typename... P, typename... A>
void launch_clusters(void (*kernel)(P...), dim3 grid, int threads, int shared, int together, bool early, A... arguments) {
#ifdef T2L_EMULATE
    (void)early;
    emulation::run(grid, threads, shared, [=] { kernel((P)arguments...); }, together);
#else
    CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
    cudaLaunchAttribute attributes[2];
    attributes[0].id = cudaLaunchAttributeClusterDimension;
    attributes[0].val.clusterDim = {(unsigned)together, 1, 1};
    attributes[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[1].val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {grid, dim3(threads), (size_t)shared, stream, attributes, early ? 2u : 1u};
    CHECK(cudaLaunchKernelEx(&config, kernel, (P)arguments...));
#endif
}

#ifndef T2L_EMULATE
/*
 * Microseconds of one call within a graph of `inner`: the median over replays. `call` gets 0 .. inner-1 to rotate buffers by, so that
 * none is read again before the second cache has seen more than it holds.
 */
static double time_us(const std::function<void(int)> &call, int inner = 24, int samples = 11) {
    cudaGraph_t graph;
    cudaGraphExec_t replay;
    cudaEvent_t from, to;
    CHECK(cudaEventCreate(&from));
    CHECK(cudaEventCreate(&to));
    call(0); /* sets attributes, loads modules */
    CHECK(cudaStreamSynchronize(stream));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    for (int i = 0; i < inner; i++) {
        call(i);
    }
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&replay, graph, 0));
    std::vector<double> times;
    for (int s = -3; s < samples; s++) {
        CHECK(cudaEventRecord(from, stream));
        CHECK(cudaGraphLaunch(replay, stream));
        CHECK(cudaEventRecord(to, stream));
        CHECK(cudaEventSynchronize(to));
        float ms;
        CHECK(cudaEventElapsedTime(&ms, from, to));
        if (s >= 0) {
            times.push_back(ms * 1e3 / inner);
        }
    }
    CHECK(cudaGraphExecDestroy(replay));
    CHECK(cudaGraphDestroy(graph));
    CHECK(cudaEventDestroy(from));
    CHECK(cudaEventDestroy(to));
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

/* Bytes read and written a microsecond by a large copy on this device, measured now. */
static double copy_bandwidth() {
    size_t bytes = 1ull << 30;
    device<uint8_t> a(bytes), b(bytes);
    return 2.0 * bytes / time_us([&](int) { CHECK(cudaMemcpyAsync(b.data, a.data, bytes, cudaMemcpyDeviceToDevice, stream)); }, 3);
}
#endif

static int finish(const char *what) {
#ifndef T2L_EMULATE
    CHECK(cudaDeviceSynchronize());
#endif
    printf("%s: %s\n", what, failures == 0 ? "all checks passed" : "FAILED");
    return failures == 0 ? 0 : 1;
}
