/*
 * The thread pool. Between the kernels of one step a worker spins for some tens of microseconds, then it sleeps. Pieces are
 * handed out one at a time, so a worker that the system has put aside delays nobody who does not need its current piece.
 *
 * `ticket` packs a job's generation (high 32 bits) and its next piece (low 32 bits). A worker reads the ticket, then the job's
 * fields, and claims the piece by compare-and-swap. It succeeds only if the fields belong to the ticket: before a job's fields
 * are written, the ticket is closed (its piece is CLOSED, beyond all pieces), and it was exhausted before.
 */
#define _GNU_SOURCE
#include "engine.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SPIN_NANOS = 40 * 1000, SPINS_PER_CLOCK_READ = 64, WORKER_STACK = 512 * 1024 };
#define CLOSED UINT64_C(0xffffffff)

struct t2l_pool {
    _Alignas(64) _Atomic uint64_t ticket;
    _Atomic(t2l_task *) task;
    _Atomic(const void *) job;
    _Atomic uint64_t pieces;
    _Alignas(64) _Atomic uint64_t done;
    _Alignas(64) _Atomic int32_t sleepers;
    _Atomic int32_t caller_sleeps;
    pthread_mutex_t lock; /* guards the sleeping on both conditions */
    pthread_cond_t wake, finished;

    pthread_mutex_t queue_lock; /* guards the queue of callers */
    pthread_cond_t queue_moved;
    uint64_t next_caller;
    _Atomic uint64_t serving;

    int32_t threads, started;
    char *scratch; /* threads * T2L_SCRATCH_BYTES; the caller's is the first */
};

typedef struct {
    t2l_pool *pool;
    int32_t index;
} worker_start;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanos(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int expired(int64_t *until) {
    int64_t now = nanos();
    if (*until == 0) {
        *until = now + SPIN_NANOS;
    }
    return now > *until;
}

/* Spins until the value appears (returns 1) or the patience ends (returns 0). */
static int spin_until(_Atomic uint64_t *place, uint64_t value) {
    int64_t until = 0;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK_READ; i++) {
            if (atomic_load_explicit(place, memory_order_acquire) == value) {
                return 1;
            }
            relax();
        }
    } while (!expired(&until));
    return 0;
}

static int has_work(t2l_pool *p) {
    return (atomic_load(&p->ticket) & CLOSED) < atomic_load(&p->pieces);
}

/* Spins until the ticket shows an unclaimed piece (returns 1) or the patience ends (returns 0). */
static int work_appears(t2l_pool *p) {
    int64_t until = 0;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK_READ; i++) {
            if (has_work(p)) {
                return 1;
            }
            relax();
        }
    } while (!expired(&until));
    return 0;
}

static void finish_piece(t2l_pool *p, uint64_t pieces) {
    if (atomic_fetch_add(&p->done, 1) + 1 == pieces && atomic_load(&p->caller_sleeps)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->finished);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Claims and runs pieces until none is left. */
static void take_part(t2l_pool *p, void *scratch) {
    uint64_t ticket = atomic_load_explicit(&p->ticket, memory_order_acquire);
    for (;;) {
        t2l_task *task = atomic_load_explicit(&p->task, memory_order_acquire);
        const void *job = atomic_load_explicit(&p->job, memory_order_acquire);
        uint64_t pieces = atomic_load_explicit(&p->pieces, memory_order_acquire);
        uint64_t piece = ticket & CLOSED;
        if (piece >= pieces) {
            return;
        }
        if (atomic_compare_exchange_weak_explicit(&p->ticket, &ticket, ticket + 1, memory_order_acq_rel, memory_order_acquire)) {
            task(job, (int64_t)piece, scratch);
            finish_piece(p, pieces);
            ticket = atomic_load_explicit(&p->ticket, memory_order_acquire);
        }
    }
}

static void sleep_until_work(t2l_pool *p) {
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!has_work(p)) {
        pthread_cond_wait(&p->wake, &p->lock);
    }
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker(void *argument) {
    worker_start start = *(worker_start *)argument;
    free(argument);
    char name[16];
    snprintf(name, sizeof name, "t2l-%d", start.index);
#if defined(__APPLE__)
    pthread_setname_np(name);
#elif defined(__linux__)
    pthread_setname_np(pthread_self(), name);
#endif
    void *scratch = start.pool->scratch + (int64_t)start.index * T2L_SCRATCH_BYTES;
    for (;;) {
        if (!work_appears(start.pool)) {
            sleep_until_work(start.pool);
        }
        take_part(start.pool, scratch);
    }
    return NULL;
}

/* Signals belong to the JVM's own threads. A thread that cannot be started is one fewer: the others do its work. */
static void start_workers(t2l_pool *p) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, WORKER_STACK);
    for (int32_t i = 1; i < p->threads; i++) {
        worker_start *start = malloc(sizeof *start);
        if (start == NULL) {
            break;
        }
        *start = (worker_start){p, i};
        pthread_t thread;
        if (pthread_create(&thread, &attributes, worker, start) != 0) {
            free(start);
            break;
        }
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

t2l_pool *t2l_pool_new(int32_t threads) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(t2l_pool)) != 0) {
        return NULL;
    }
    t2l_pool *p = memory;
    *p = (t2l_pool){.threads = threads};
    if (posix_memalign(&memory, 64, (size_t)threads * T2L_SCRATCH_BYTES) != 0) {
        free(p);
        return NULL;
    }
    p->scratch = memory;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->finished, NULL);
    pthread_mutex_init(&p->queue_lock, NULL);
    pthread_cond_init(&p->queue_moved, NULL);
    return p;
}

/* Waits for the caller's turn: first come, first served. */
static void enter(t2l_pool *p) {
    pthread_mutex_lock(&p->queue_lock);
    uint64_t mine = p->next_caller++;
    pthread_mutex_unlock(&p->queue_lock);
    if (spin_until(&p->serving, mine)) {
        return;
    }
    pthread_mutex_lock(&p->queue_lock);
    while (p->serving != mine) {
        pthread_cond_wait(&p->queue_moved, &p->queue_lock);
    }
    pthread_mutex_unlock(&p->queue_lock);
}

static void leave(t2l_pool *p) {
    pthread_mutex_lock(&p->queue_lock);
    p->serving++;
    if (p->serving != p->next_caller) {
        pthread_cond_broadcast(&p->queue_moved);
    }
    pthread_mutex_unlock(&p->queue_lock);
}

static void publish(t2l_pool *p, t2l_task *task, const void *job, uint64_t pieces) {
    uint64_t generation = (atomic_load_explicit(&p->ticket, memory_order_relaxed) >> 32) + 1;
    atomic_store(&p->ticket, generation << 32 | CLOSED);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->task, task, memory_order_relaxed);
    atomic_store_explicit(&p->job, job, memory_order_relaxed);
    atomic_store_explicit(&p->pieces, pieces, memory_order_relaxed);
    atomic_store(&p->ticket, (generation + 1) << 32);
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
}

static void await_others(t2l_pool *p, uint64_t pieces) {
    if (spin_until(&p->done, pieces)) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->caller_sleeps, 1);
    while (atomic_load(&p->done) < pieces) {
        pthread_cond_wait(&p->finished, &p->lock);
    }
    atomic_store(&p->caller_sleeps, 0);
    pthread_mutex_unlock(&p->lock);
}

void t2l_parallel(t2l_pool *p, t2l_task *task, const void *job, int64_t pieces, int64_t work) {
    enter(p);
    if (p->threads == 1 || pieces < 2 || work < T2L_WORTH_SHARING) {
        for (int64_t i = 0; i < pieces; i++) {
            task(job, i, p->scratch);
        }
    } else {
        if (!p->started) {
            p->started = 1;
            start_workers(p);
        }
        publish(p, task, job, (uint64_t)pieces);
        take_part(p, p->scratch);
        await_others(p, (uint64_t)pieces);
    }
    leave(p);
}
