/* The scheduler of emulate.h. */
#include "emulate.h"

namespace emulation {
std::vector<fibre> fibres;
fibre *running;
ucontext_t scheduler;
std::vector<meeting> warps;
meeting block;
dim3 block_index, block_size, grid_size;
uint8_t *dynamic_shared;
uint32_t dynamic_shared_bytes;
static const std::function<void()> *work;

static void start() {
    (*work)();
    running->done = true;
    yield();
}

void run(dim3 grid, int threads, size_t shared, const std::function<void()> &body) {
    work = &body;
    grid_size = grid;
    block_size = dim3(threads);
    if (fibres.size() < (size_t)threads) {
        fibres = std::vector<fibre>(threads);
        for (fibre &f : fibres) {
            f.stack.resize(128 << 10);
        }
    }
    std::vector<uint8_t> memory(shared + 32);
    dynamic_shared_bytes = (uint32_t)shared;
    dynamic_shared = memory.data() + (16 - (uintptr_t)memory.data() % 16) % 16;
    for (unsigned z = 0; z < grid.z; z++) {
        for (unsigned y = 0; y < grid.y; y++) {
            for (unsigned x = 0; x < grid.x; x++) {
                block_index = dim3(x, y, z);
                memset(memory.data(), 0xff, memory.size());
                warps.assign((threads + 31) / 32, meeting());
                block = meeting();
                for (int i = 0; i < threads; i++) {
                    fibre &f = fibres[i];
                    getcontext(&f.context);
                    f.context.uc_stack.ss_sp = f.stack.data();
                    f.context.uc_stack.ss_size = f.stack.size();
                    f.context.uc_link = nullptr;
                    f.thread = make_uint3(i, 0, 0);
                    f.done = false;
                    f.copies.assign(1, {});
                    makecontext(&f.context, start, 0);
                }
                for (int left = threads; left > 0;) {
                    for (int i = 0; i < threads; i++) {
                        if (!fibres[i].done) {
                            running = &fibres[i];
                            swapcontext(&scheduler, &running->context);
                            left -= running->done;
                        }
                    }
                }
                for (uint8_t *p = dynamic_shared + shared; p < memory.data() + memory.size(); p++) {
                    if (*p != 0xff) {
                        fprintf(stderr, "a block wrote beyond its %zu bytes of shared memory\n", shared);
                        abort();
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
