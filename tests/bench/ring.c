/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver's half: descriptors -> publish -> reap. Little-endian hosts only. */
#include "ring.h"

#include <stdatomic.h>
#include <string.h>

#define F_NEXT     1U
#define F_WRITE    2U
#define F_INDIRECT 4U
#define F_AVAIL    0x80U
#define F_USED     0x8000U

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t a; /* split: flags; packed: id */
    uint16_t b; /* split: next; packed: flags */
};

static struct desc *ring_desc(const struct bench_ring *ring, uint32_t i)
{
    return (struct desc *)(void *)(ring->mem + RING_DESC) + i;
}

static uint16_t *ring_u16(const struct bench_ring *ring, uint32_t off)
{
    return (uint16_t *)(void *)(ring->mem + off);
}

static void store_release(uint16_t *p, uint16_t v)
{
    atomic_store_explicit((_Atomic uint16_t *)p, v, memory_order_release);
}

static uint16_t load_acquire(uint16_t *p)
{
    return atomic_load_explicit((_Atomic uint16_t *)p, memory_order_acquire);
}

void bench_ring_init(struct bench_ring *ring, uint8_t *mem, uint64_t gpa, bool packed)
{
    memset(mem, 0, RING_AREA);
    mem[RING_DRIVER + (packed ? 2U : 0U)] = 1; /* no interrupts, please */
    *ring = (struct bench_ring){
        .mem = mem, .gpa = gpa, .packed = packed, .wrap = true, .seen_wrap = true};
}

/* ---- tables ---- */

static void fill_table(struct bench_ring *ring, uint32_t slot, const uint64_t *gpa,
                       const uint32_t *len, uint32_t n, uint32_t readable)
{
    struct desc *table = (struct desc *)(void *)(ring->mem + RING_TABLES) + (size_t)slot * 8U;

    for (uint32_t i = 0; i < n; i++) {
        const uint16_t write = i < readable ? 0 : F_WRITE;

        table[i].addr = gpa[i];
        table[i].len = len[i];
        table[i].a = ring->packed ? 0 : (uint16_t)(write | (i + 1U < n ? F_NEXT : 0U));
        table[i].b = ring->packed ? write : (uint16_t)(i + 1U);
    }
}

static uint64_t table_gpa(const struct bench_ring *ring, uint32_t slot)
{
    return ring->gpa + RING_TABLES + (uint64_t)slot * 8U * sizeof(struct desc);
}

/* ---- split ---- */

static void split_add(struct bench_ring *ring, const uint64_t *gpa, const uint32_t *len, uint32_t n,
                      uint32_t readable, bool indirect)
{
    const uint16_t head = ring->ids;
    const uint32_t slots = indirect ? 1U : n;

    for (uint32_t i = 0; i < slots; i++) {
        struct desc *d = ring_desc(ring, head + i);

        d->addr = indirect ? table_gpa(ring, head) : gpa[i];
        d->len = indirect ? n * 16U : len[i];
        d->a = indirect ? F_INDIRECT
                        : (uint16_t)((i < readable ? 0U : F_WRITE) | (i + 1U < n ? F_NEXT : 0U));
        d->b = (uint16_t)(head + i + 1U);
    }
    if (indirect) {
        fill_table(ring, head, gpa, len, n, readable);
    }
    *ring_u16(ring, RING_DRIVER + 4U + 2U * (ring->next % RING_SIZE)) = head;
    ring->next++;
    ring->ids = (uint16_t)(head + slots + n <= RING_SIZE ? head + slots : 0U);
}

static bool split_reap(struct bench_ring *ring, uint32_t *len)
{
    if (load_acquire(ring_u16(ring, RING_DEVICE + 2U)) == ring->seen) {
        return false;
    }
    const uint32_t off = RING_DEVICE + 4U + 8U * (ring->seen % RING_SIZE);
    memcpy(len, ring->mem + off + 4U, sizeof *len);
    ring->seen++;
    return true;
}

/* ---- packed ---- */

static uint16_t packed_flags(bool wrap)
{
    return wrap ? F_AVAIL : F_USED;
}

static void packed_step(uint16_t *pos, bool *wrap, uint32_t slots)
{
    *pos = (uint16_t)(*pos + slots);
    if (*pos >= RING_SIZE) {
        *pos = (uint16_t)(*pos - RING_SIZE);
        *wrap = !*wrap;
    }
}

static void packed_add(struct bench_ring *ring, const uint64_t *gpa, const uint32_t *len,
                       uint32_t n, uint32_t readable, bool indirect)
{
    const uint32_t slots = indirect ? 1U : n;
    const uint16_t head = ring->next;
    const uint16_t head_flags =
        (uint16_t)((indirect ? F_INDIRECT : (readable == 0U ? F_WRITE : 0U)) |
                   (slots > 1U ? F_NEXT : 0U) | packed_flags(ring->wrap));

    if (indirect) {
        fill_table(ring, head, gpa, len, n, readable);
    }
    for (uint32_t i = 0; i < slots; i++) {
        struct desc *d = ring_desc(ring, ring->next);

        d->addr = indirect ? table_gpa(ring, head) : gpa[i];
        d->len = indirect ? n * 16U : len[i];
        d->a = ring->ids;
        if (i != 0U) {
            d->b = (uint16_t)((i < readable ? 0U : F_WRITE) | (i + 1U < n ? F_NEXT : 0U) |
                              packed_flags(ring->wrap));
        }
        packed_step(&ring->next, &ring->wrap, 1);
    }
    store_release(&ring_desc(ring, head)->b, head_flags);
    ring->ids = (uint16_t)((ring->ids + 1U) % RING_SIZE);
}

static bool packed_reap(struct bench_ring *ring, uint32_t slots, uint32_t *len)
{
    struct desc *d = ring_desc(ring, ring->seen);
    const uint16_t flags = load_acquire(&d->b);
    const bool avail = (flags & F_AVAIL) != 0U;
    const bool used = (flags & F_USED) != 0U;

    if (avail != used || used != ring->seen_wrap) {
        return false;
    }
    *len = d->len;
    packed_step(&ring->seen, &ring->seen_wrap, slots);
    return true;
}

/* ---- both ---- */

void bench_ring_add(struct bench_ring *ring, const uint64_t *gpa, const uint32_t *len, uint32_t n,
                    uint32_t readable, bool indirect)
{
    if (ring->packed) {
        packed_add(ring, gpa, len, n, readable, indirect);
    } else {
        split_add(ring, gpa, len, n, readable, indirect);
    }
}

void bench_ring_publish(struct bench_ring *ring)
{
    if (!ring->packed) {
        store_release(ring_u16(ring, RING_DRIVER + 2U), ring->next);
    }
}

bool bench_ring_reap(struct bench_ring *ring, uint32_t slots, uint32_t *len)
{
    return ring->packed ? packed_reap(ring, slots, len) : split_reap(ring, len);
}
