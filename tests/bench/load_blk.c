/* SPDX-License-Identifier: BSD-3-Clause */
/* Block load. `depth` requests are in flight all the time, each at a random place where no other is.
 * Every word on the disk tells its place and how often that block was written. While the time runs
 * a read is checked at the first and last word of each 4 KiB, and each 64th as a whole; what was
 * written is read back as a whole at the end. */
#include "load_blk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK      4096U
#define BLOCKS     (LOAD_DISK / BLOCK)
#define WORD       8U
#define DEPTH_MAX  128U
#define HEADERS    (LOAD_QUEUES * RING_AREA) /* in the memory: a line per request */
#define DATA       (HEADERS + 0x4000U)
#define FULL_EVERY 64U
#define PART       64U /* requests of a span, at least */

#define F_FLUSH (1ULL << 9) /* the driver may flush: writes need not be durable at once */
#define BLK_IN  0U
#define BLK_OUT 1U

struct header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    uint8_t status; /* behind what the device reads */
};

struct request {
    uint32_t type;
    uint32_t block; /* first one */
};

struct blk {
    uint64_t random;
    uint64_t checked; /* reads */
    bool wrote;
    struct request request[DEPTH_MAX];
    uint8_t busy[BLOCKS];
    uint8_t version[BLOCKS]; /* how often it was written */
};

static bool blk_null;
static uint32_t blk_type;
static uint32_t blk_len;
static uint32_t blk_depth;

/* ---- contents ---- */

static uint64_t word_at(const struct blk *blk, uint32_t block, uint32_t at)
{
    const uint64_t place = (uint64_t)block * BLOCK + at;

    return blk_null ? 0U : (place + 1U) * 0x9e3779b97f4a7c15ULL + blk->version[block];
}

static uint8_t *data_of(const struct side *side, uint32_t slot)
{
    return side->front.mem + DATA + (size_t)slot * blk_len;
}

static void data_write(struct side *side, uint32_t slot)
{
    const struct blk *blk = side->load;
    const uint32_t first = blk->request[slot].block;

    for (uint32_t at = 0; at < blk_len; at += WORD) {
        const uint64_t word = word_at(blk, first + at / BLOCK, at % BLOCK);
        memcpy(data_of(side, slot) + at, &word, WORD);
    }
}

static void word_check(const struct side *side, uint32_t slot, uint32_t at)
{
    const struct blk *blk = side->load;
    const uint32_t block = blk->request[slot].block + at / BLOCK;
    uint64_t got = 0;

    memcpy(&got, data_of(side, slot) + at, WORD);
    if (got != word_at(blk, block, at % BLOCK)) {
        load_fail(side, "wrong contents in block", block);
    }
}

/* Each `step` bytes, and the last word of each such step. */
static void data_check(const struct side *side, uint32_t slot, uint32_t step)
{
    for (uint32_t at = 0; at < blk_len; at += step) {
        word_check(side, slot, at);
        word_check(side, slot, at + step - WORD);
    }
}

/* So that a read that leaves the buffer alone is found out. */
static void data_spoil(struct side *side, uint32_t slot)
{
    for (uint32_t at = 0; at < blk_len; at += BLOCK) {
        memset(data_of(side, slot) + at, 0x5a, WORD);
        memset(data_of(side, slot) + at + BLOCK - WORD, 0x5a, WORD);
    }
}

/* ---- requests ---- */

static struct header *header_of(const struct side *side, uint32_t slot)
{
    return (struct header *)(void *)(side->front.mem + HEADERS + (size_t)slot * 64U);
}

static void mark(struct blk *blk, uint32_t block, bool busy)
{
    memset(blk->busy + block, busy, blk_len / BLOCK);
}

static uint32_t random_block(struct blk *blk)
{
    uint32_t block = 0;

    do { /* requests lie at multiples of their size: the first block tells of all */
        blk->random ^= blk->random << 13;
        blk->random ^= blk->random >> 7;
        blk->random ^= blk->random << 17;
        block = (uint32_t)(blk->random >> 20) % (LOAD_DISK / blk_len) * (blk_len / BLOCK);
    } while (blk->busy[block] != 0U);
    return block;
}

static void submit(struct side *side, uint32_t slot, uint32_t type, uint32_t block)
{
    struct blk *blk = side->load;
    struct header *header = header_of(side, slot);
    const uint64_t header_gpa = LOAD_GUEST + HEADERS + (uint64_t)slot * 64U;
    const uint64_t gpa[3] = {header_gpa, LOAD_GUEST + DATA + (uint64_t)slot * blk_len,
                             header_gpa + offsetof(struct header, status)};
    const uint32_t len[3] = {offsetof(struct header, status), blk_len, 1};

    blk->request[slot] = (struct request){type, block};
    mark(blk, block, true);
    *header = (struct header){type, 0, (uint64_t)block * (BLOCK / 512U), 0xff};
    if (type == BLK_IN) {
        data_spoil(side, slot);
    } else if (!blk_null) {
        for (uint32_t i = 0; i < blk_len / BLOCK; i++) {
            blk->version[block + i]++;
        }
        blk->wrote = true;
        data_write(side, slot);
    }
    bench_ring_add_as(&side->ring[0], (uint16_t)slot, gpa, len, 3, type == BLK_IN ? 1U : 2U, true);
}

static void complete(struct side *side, uint32_t slot)
{
    struct blk *blk = side->load;

    if (slot >= blk_depth) {
        load_fail(side, "the back end gave back a request that it does not have", slot);
    }
    if (header_of(side, slot)->status != 0U) {
        load_fail(side, "a request failed with status", header_of(side, slot)->status);
    }
    if (blk->request[slot].type == BLK_IN) {
        data_check(side, slot, blk->checked++ % FULL_EVERY == 0U ? 2U * WORD : BLOCK);
    }
    mark(blk, blk->request[slot].block, false);
    side->done++;
}

static void go(struct side *side)
{
    bench_ring_publish(&side->ring[0]);
    load_kick(side, 0);
}

/* One finished request; waits for it. */
static uint32_t finished(struct side *side)
{
    uint32_t tries = 0;
    uint16_t slot = 0;
    uint32_t len = 0;

    while (!bench_ring_take(&side->ring[0], 1, &slot, &len)) {
        load_wait(side, 0, &tries);
    }
    side->polls++;
    complete(side, slot);
    return slot;
}

/* ---- a window ---- */

/* Take back all that is there, at least one; as many new ones in their place. */
static void exchange(struct side *side)
{
    do {
        const uint32_t slot = finished(side);
        submit(side, slot, blk_type, random_block(side->load));
    } while (bench_ring_ready(&side->ring[0]));
    go(side);
}

static void blk_window(struct side *side, double until_ns)
{
    double start = 0;
    double now = 0;

    for (uint32_t slot = 0; slot < blk_depth; slot++) {
        submit(side, slot, blk_type, random_block(side->load));
    }
    go(side);
    now = load_now_ns();
    do {
        const uint64_t before = side->done;

        start = now;
        while (side->done - before < PART) {
            exchange(side);
        }
        now = load_now_ns();
        load_span(side, (now - start) / (double)(side->done - before));
    } while (now < until_ns);
    for (uint32_t i = 0; i < blk_depth; i++) {
        (void)finished(side);
    }
}

/* ---- start and end: the whole disk, one request at a time ---- */

static void whole_disk(struct side *side, uint32_t type)
{
    for (uint32_t block = 0; block < BLOCKS; block += blk_len / BLOCK) {
        submit(side, 0, type, block);
        go(side);
        (void)finished(side);
        if (type == BLK_IN) {
            data_check(side, 0, 2U * WORD);
        }
    }
}

static void blk_start(struct side *side)
{
    struct blk *blk = calloc(1, sizeof *blk);

    if (blk == NULL) {
        load_fail(side, "no memory", sizeof *blk);
    }
    blk->random = 0x2545f4914f6cdd1dULL;
    side->load = blk;
    if (!blk_null) {
        whole_disk(side, BLK_OUT);
        blk->wrote = false; /* reads check this themselves */
    }
}

static void blk_finish(struct side *side)
{
    const struct blk *blk = side->load;

    if (!blk_null && blk->wrote) {
        whole_disk(side, BLK_IN);
    }
}

const struct load *load_blk(const char *what, uint32_t len, uint32_t depth)
{
    static struct load load = {.features = F_FLUSH,
                               .queues = 1,
                               .start = blk_start,
                               .window = blk_window,
                               .finish = blk_finish};

    blk_null = strncmp(what, "null-", 5) == 0;
    what += blk_null ? 5 : 0;
    blk_type = strcmp(what, "write") == 0 ? BLK_OUT : BLK_IN;
    blk_len = len;
    blk_depth = depth;
    if ((blk_type == BLK_IN && strcmp(what, "read") != 0) || len < BLOCK || len > 65536U ||
        (len & (len - 1U)) != 0U || depth == 0U || depth > DEPTH_MAX) {
        load_fail(NULL,
                  "the load is [null-]read or [null-]write of 4096 to 65536 bytes at depth 1 "
                  "to 128, not",
                  len);
    }
    load.memory = 0x4000U + (uint64_t)depth * len;
    return &load;
}
