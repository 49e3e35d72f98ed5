/* SPDX-License-Identifier: BSD-3-Clause */
/* Cost of pop + push + publish in batches of 32, by chain shape, region count and ring format.
 * Prints one line a case: name, p10 and median nanoseconds per chain.
 * usage: bench_vq | bench_vq --names | bench_vq ROUNDS [CASE]   (no times: for callgrind) */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "avps/vq.h"
#include "ring.h"
#include "virtqueue/plain.h"

#define BATCH   32U
#define WINDOWS 400U
#define ROUNDS  64U

struct bench_case {
    const char *name;
    bool packed;
    uint32_t segs;
    bool indirect;
    uint32_t regions;
    bool run; /* taken as a run of plain chains, as network bursts do */
};

static const struct bench_case cases[] = {
    {"split 1 desc, 1 region", false, 1, false, 1, false},
    {"split 3 desc, 1 region", false, 3, false, 1, false},
    {"split indirect 3, 1 region", false, 3, true, 1, false},
    {"split 1 desc, 8 regions", false, 1, false, 8, false},
    {"split 3 desc, 8 regions", false, 3, false, 8, false},
    {"split indirect 3, 8 regions", false, 3, true, 8, false},
    {"packed 1 desc, 1 region", true, 1, false, 1, false},
    {"packed 3 desc, 1 region", true, 3, false, 1, false},
    {"packed indirect 3, 1 region", true, 3, true, 1, false},
    {"packed 1 desc, 8 regions", true, 1, false, 8, false},
    {"packed 3 desc, 8 regions", true, 3, false, 8, false},
    {"packed indirect 3, 8 regions", true, 3, true, 8, false},
    {"split run of 1 desc", false, 1, false, 1, true},
    {"packed run of 1 desc", true, 1, false, 1, true},
};

#define BUFFER_AREA 0x100000U

struct bench {
    uint8_t *mem;
    struct avps_mem_region regions[8];
    struct avps_mem handle;
    struct avps_vq vq;
    struct bench_ring ring;
    struct avps_chain chains[BATCH];
    struct avps_seg segs[BATCH][8];
    struct avps_plain plain[BATCH];
    uint64_t sum;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_vq: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Rings and buffers are in the last region. */
static void bench_setup(struct bench *b, const struct bench_case *c)
{
    const uint64_t gpa = RING_GPA + (uint64_t)(c->regions - 1U) * 0x10000000U;

    for (uint32_t i = 0; i < c->regions; i++) {
        b->regions[i] = (struct avps_mem_region){RING_GPA + (uint64_t)i * 0x10000000U,
                                                 RING_AREA + BUFFER_AREA, b->mem, AVPS_ACCESS_RW};
    }
    bench_ring_init(&b->ring, b->mem, gpa, c->packed);
    if (avps_mem_init_regions(&b->handle, b->regions, c->regions, NULL, NULL) != AVPS_OK) {
        fail("regions refused");
    }
    const struct avps_vq_config config = {.size = RING_SIZE,
                                          .desc = gpa + RING_DESC,
                                          .driver = gpa + RING_DRIVER,
                                          .device = gpa + RING_DEVICE,
                                          .packed = c->packed,
                                          .indirect = true,
                                          .avail_wrap = true,
                                          .used_wrap = true};
    if (avps_vq_enable(&b->vq, &b->handle, &config) != AVPS_OK) {
        fail("queue refused");
    }
    for (uint32_t i = 0; i < BATCH; i++) {
        avps_chain_init(&b->chains[i], b->segs[i], 8);
    }
}

static void driver_fill(struct bench *b, const struct bench_case *c)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        uint64_t gpa[3];
        uint32_t len[3];

        for (uint32_t k = 0; k < c->segs; k++) {
            gpa[k] = b->ring.gpa + RING_AREA + (i * 3U + k) * 2048U;
            len[k] = 64U + k;
        }
        bench_ring_add(&b->ring, gpa, len, c->segs, 1, c->indirect);
    }
    bench_ring_publish(&b->ring);
}

/* The shipped paths: these are what is measured. */
static __attribute__((noinline)) void device_batch(struct bench *b)
{
    bool notify = false;
    uint32_t n = 0;

    if (avps_vq_pop_burst(&b->vq, b->chains, BATCH, &n) != AVPS_OK) {
        fail("pop");
    }
    for (uint32_t i = 0; i < n; i++) {
        b->sum += b->chains[i].readable_len;
    }
    if (avps_vq_push_burst(&b->vq, b->chains, n) != AVPS_OK) {
        fail("push");
    }
    if (avps_vq_publish(&b->vq, &notify) != AVPS_OK) {
        fail("publish");
    }
}

static __attribute__((noinline)) void device_batch_run(struct bench *b)
{
    bool notify = false;
    const uint32_t n = avps_vq_take_plain(&b->vq, AVPS_ACCESS_READ, b->plain, BATCH);

    if (n != BATCH) {
        fail("run");
    }
    for (uint32_t i = 0; i < n; i++) {
        b->sum += b->plain[i].seg.len;
    }
    (void)avps_vq_give_plain(&b->vq, b->plain, n);
    if (avps_vq_publish(&b->vq, &notify) != AVPS_OK) {
        fail("publish");
    }
}

static void driver_reap(struct bench *b, const struct bench_case *c)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < BATCH; i++) {
        if (!bench_ring_reap(&b->ring, c->indirect ? 1U : c->segs, &len) || len != 0U) {
            fail("a chain is missing");
        }
    }
}

static double bench_window(struct bench *b, const struct bench_case *c, uint32_t rounds)
{
    double total = 0;

    for (uint32_t r = 0; r < rounds; r++) {
        driver_fill(b, c);
        const double start = now_ns();
        if (c->run) {
            device_batch_run(b);
        } else {
            device_batch(b);
        }
        total += now_ns() - start;
        driver_reap(b, c);
    }
    return total / rounds / BATCH;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void bench_case_run(struct bench *b, const struct bench_case *c)
{
    static double samples[WINDOWS];

    bench_setup(b, c);
    (void)bench_window(b, c, ROUNDS);
    for (uint32_t w = 0; w < WINDOWS; w++) {
        samples[w] = bench_window(b, c, ROUNDS);
    }
    qsort(samples, WINDOWS, sizeof samples[0], compare);
    printf("| %-30s | p10 %6.1f | median %6.1f ns/chain |\n", c->name, samples[WINDOWS / 10],
           samples[WINDOWS / 2]);
}

int main(int argc, char **argv)
{
    static struct bench b;
    const bool names = argc > 1 && strcmp(argv[1], "--names") == 0;
    const uint32_t only = argc > 2 ? (uint32_t)atoi(argv[2]) : UINT32_MAX;

    b.mem = aligned_alloc(4096, RING_AREA + BUFFER_AREA);
    if (b.mem == NULL) {
        fail("no memory");
    }
    memset(b.mem, 0, RING_AREA + BUFFER_AREA);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (names) {
            puts(cases[i].name);
        } else if (argc > 1 && (only == UINT32_MAX || only == i)) {
            bench_setup(&b, &cases[i]);
            (void)bench_window(&b, &cases[i], (uint32_t)atoi(argv[1]));
        } else if (argc <= 1) {
            bench_case_run(&b, &cases[i]);
        }
    }
    return !names && b.sum == 0U;
}
