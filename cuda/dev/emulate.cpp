/* The scheduler of emulate.h. */
#include "emulate.h"

namespace emulation {
std::vector<fibre> fibres;
fibre *running;
jmp_buf scheduler;
std::vector<block_state> cluster;
meeting cluster_meeting;
dim3 block_size, grid_size;
uint32_t dynamic_shared_bytes;
static const std::function<void()> *work;

static void start() {
    (*work)();
    running->done = true;
    yield();
}

static void begin(block_state &block, dim3 index, int threads, fibre *first) {
    block.index = index;
    std::fill(block.memory.begin(), block.memory.end(), 0xff);
    block.warps.assign((threads + 31) / 32, meeting());
    block.all = meeting();
    for (meeting &some : block.some) {
        some = meeting();
    }
    for (int i = 0; i < threads; i++) {
        fibre &f = first[i];
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack.data();
        f.context.uc_stack.ss_size = f.stack.size();
        f.context.uc_link = nullptr;
        f.thread = make_uint3(i, 0, 0);
        f.block = &block;
        f.begun = f.done = false;
        f.copies.assign(1, {});
        makecontext(&f.context, start, 0);
    }
}

/* Until it yields. */
static void go_on(fibre &f) {
    running = &f;
    if (_setjmp(scheduler) == 0) {
        if (f.begun) {
            _longjmp(f.place, 1);
        }
        f.begun = true;
        setcontext(&f.context);
    }
}

void run(dim3 grid, int threads, size_t shared, const std::function<void()> &body, int together) {
    work = &body;
    grid_size = grid;
    block_size = dim3(threads);
    const int count = threads * together;
    if (grid.x % together != 0) {
        fprintf(stderr, "a grid of %u is no whole number of clusters of %d\n", grid.x, together);
        abort();
    }
    while (fibres.size() < (size_t)count) {
        fibres.emplace_back();
        fibres.back().stack.resize(128 << 10);
    }
    dynamic_shared_bytes = (uint32_t)shared;
    cluster = std::vector<block_state>(together);
    for (block_state &block : cluster) {
        block.memory.resize(shared + 2048);
        block.shared = block.memory.data() + (1024 - (uintptr_t)block.memory.data() % 1024) % 1024;
    }
    for (unsigned z = 0; z < grid.z; z++) {
        for (unsigned y = 0; y < grid.y; y++) {
            for (unsigned x = 0; x < grid.x; x += together) {
                cluster_meeting = meeting();
                for (int b = 0; b < together; b++) {
                    begin(cluster[b], dim3(x + b, y, z), threads, &fibres[b * threads]);
                }
                for (int left = count; left > 0;) {
                    for (int i = 0; i < count; i++) {
                        if (!fibres[i].done) {
                            go_on(fibres[i]);
                            left -= running->done;
                        }
                    }
                }
                for (block_state &block : cluster) {
                    for (uint8_t *p = block.shared + shared; p < block.memory.data() + block.memory.size(); p++) {
                        if (*p != 0xff) {
                            fprintf(stderr, "a block wrote beyond its %zu bytes of shared memory\n", shared);
                            abort();
                        }
                    }
                }
            }
        }
    }
}
} // namespace emulation

cudaError_t cudaMalloc(void **p, size_t bytes) {
    return posix_memalign(p, 256, max(bytes, (size_t)1)) == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void *p) {
    free(p);
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind) {
    memcpy(to, from, bytes);
    return cudaSuccess;
}
cudaError_t cudaMemset(void *to, int value, size_t bytes) {
    memset(to, value, bytes);
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
    return cudaSuccess;
}
cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
const char *cudaGetErrorString(cudaError_t) {
    return "error";
}
