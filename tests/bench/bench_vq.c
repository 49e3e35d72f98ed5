/* SPDX-License-Identifier: BSD-3-Clause */
/* Cost of pop + push + publish in batches of 32, by chain shape, region count, memory contract and
 * ring format.
 * Prints one line a case: name, p10 and median nanoseconds per chain.
 * usage: bench_vq | bench_vq --names | bench_vq ROUNDS [CASE]   (no times: for callgrind) */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "avps/iotlb.h"
#include "avps/vq.h"
#include "ring.h"
#include "virtqueue/plain.h"

#define BATCH   32U
#define WINDOWS 400U
#define ROUNDS  64U

/* How memory is reached; the port's part does as little as it can. */
enum contract { REGIONS, TRANSLATED, MAPPED, COPIED, CACHED, TRANSLATED_BY_IOTLB };

struct bench_case {
    const char *name;
    bool packed;
    uint32_t segs;
    bool indirect;
    uint32_t regions;
    bool run; /* taken as a run of plain chains, as network bursts do */
    enum contract contract;
};

static const struct bench_case cases[] = {
    {"split 1 desc, 1 region", false, 1, false, 1, false, REGIONS},
    {"split 3 desc, 1 region", false, 3, false, 1, false, REGIONS},
    {"split indirect 3, 1 region", false, 3, true, 1, false, REGIONS},
    {"split 1 desc, 8 regions", false, 1, false, 8, false, REGIONS},
    {"split 3 desc, 8 regions", false, 3, false, 8, false, REGIONS},
    {"split indirect 3, 8 regions", false, 3, true, 8, false, REGIONS},
    {"packed 1 desc, 1 region", true, 1, false, 1, false, REGIONS},
    {"packed 3 desc, 1 region", true, 3, false, 1, false, REGIONS},
    {"packed indirect 3, 1 region", true, 3, true, 1, false, REGIONS},
    {"packed 1 desc, 8 regions", true, 1, false, 8, false, REGIONS},
    {"packed 3 desc, 8 regions", true, 3, false, 8, false, REGIONS},
    {"packed indirect 3, 8 regions", true, 3, true, 8, false, REGIONS},
    {"split run of 1 desc", false, 1, false, 1, true, REGIONS},
    {"packed run of 1 desc", true, 1, false, 1, true, REGIONS},
    {"split 3 desc, translate", false, 3, false, 1, false, TRANSLATED},
    {"split 3 desc, map", false, 3, false, 1, false, MAPPED},
    {"split indirect 3, map", false, 3, true, 1, false, MAPPED},
    {"split 3 desc, copies", false, 3, false, 1, false, COPIED},
    {"split 3 desc, cache hooks", false, 3, false, 1, false, CACHED},
    {"split 3 desc, IOTLB", false, 3, false, 1, false, TRANSLATED_BY_IOTLB},
    {"packed 3 desc, IOTLB", true, 3, false, 1, false, TRANSLATED_BY_IOTLB},
};

#define BUFFER_AREA 0x100000U
#define PAGE        4096U
#define PAGES       ((RING_AREA + BUFFER_AREA) / PAGE)

struct bench {
    uint8_t *mem;
    struct avps_mem_region regions[8];
    struct avps_mem handle;
    struct avps_vq vq;
    struct bench_ring ring;
    struct avps_chain chains[BATCH];
    struct avps_seg segs[BATCH][8];
    struct avps_plain plain[BATCH];
    struct avps_iotlb tlb;
    struct avps_iotlb_entry entries[PAGES];
    struct avps_iotlb_question question;
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

/* ---- contracts ---- */

static enum avps_status port_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                       uint64_t *len, uint8_t **ptr)
{
    const struct bench *b = ctx;

    (void)access;
    (void)len;
    *ptr = b->mem + (gpa - RING_GPA);
    return AVPS_OK;
}

static enum avps_status port_map(void *ctx, struct avps_seg *segs, uint32_t count,
                                 uint32_t readable, uint64_t *handle)
{
    const struct bench *b = ctx;

    for (uint32_t i = 0; i < count; i++) {
        segs[i].ptr = b->mem + (segs[i].gpa - RING_GPA);
    }
    *handle = readable;
    return AVPS_OK;
}

static void port_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    (void)ctx;
    (void)handle;
    (void)segs;
    (void)count;
}

static enum avps_status port_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                                 uint8_t **ptr)
{
    return port_translate(ctx, gpa, access, &len, ptr);
}

static enum avps_status port_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    const struct bench *b = ctx;

    memcpy(dst, b->mem + (gpa - RING_GPA), len);
    return AVPS_OK;
}

static enum avps_status port_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    const struct bench *b = ctx;

    memcpy(b->mem + (gpa - RING_GPA), src, len);
    return AVPS_OK;
}

static void port_cache(void *ctx, const uint8_t *ptr, size_t len)
{
    (void)ctx;
    (void)ptr;
    (void)len;
}

static enum avps_status port_lookup(void *ctx, avps_gpa iova, enum avps_access access,
                                    struct avps_iotlb_range *range)
{
    (void)ctx;
    (void)access;
    *range =
        (struct avps_iotlb_range){iova / PAGE * PAGE, PAGE, iova / PAGE * PAGE, AVPS_ACCESS_RW};
    return AVPS_OK;
}

static const struct avps_mem_ops port_ops[] = {
    [TRANSLATED] = {.translate = port_translate},
    [MAPPED] = {.map = port_map, .unmap = port_unmap, .pin = port_pin},
    [COPIED] = {.read = port_read, .write = port_write},
    [CACHED] = {.cache_clean = port_cache, .cache_inval = port_cache},
};
static const struct avps_iotlb_ops port_iotlb_ops = {.lookup = port_lookup};

static enum avps_status bench_iotlb(struct bench *b)
{
    const struct avps_iotlb_config config = {.regions = b->regions,
                                             .region_count = 1,
                                             .entries = b->entries,
                                             .entry_count = PAGES,
                                             .questions = &b->question,
                                             .question_count = 1,
                                             .ops = &port_iotlb_ops};
    const enum avps_status status = avps_iotlb_init(&b->tlb, &config);

    return status == AVPS_OK ? avps_iotlb_mem(&b->tlb, &b->handle) : status;
}

static enum avps_status bench_memory(struct bench *b, const struct bench_case *c)
{
    const bool hooks = c->contract == CACHED;

    if (c->contract == REGIONS || hooks) {
        return avps_mem_init_regions(&b->handle, b->regions, c->regions,
                                     hooks ? &port_ops[CACHED] : NULL, b);
    }
    return c->contract == TRANSLATED_BY_IOTLB
               ? bench_iotlb(b)
               : avps_mem_init_ops(&b->handle, &port_ops[c->contract], b);
}

/* ---- cases ---- */

/* Rings and buffers are in the last region. */
static void bench_setup(struct bench *b, const struct bench_case *c)
{
    const uint64_t gpa = RING_GPA + (uint64_t)(c->regions - 1U) * 0x10000000U;

    for (uint32_t i = 0; i < c->regions; i++) {
        b->regions[i] = (struct avps_mem_region){RING_GPA + (uint64_t)i * 0x10000000U,
                                                 RING_AREA + BUFFER_AREA, b->mem, AVPS_ACCESS_RW};
    }
    bench_ring_init(&b->ring, b->mem, gpa, c->packed);
    if (bench_memory(b, c) != AVPS_OK) {
        fail("memory refused");
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
