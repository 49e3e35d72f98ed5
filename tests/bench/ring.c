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
    ring->added++;
    ring->ids = (uint16_t)(head + slots + n <= RING_SIZE ? head + slots : 0U);
}

static bool split_ready(const struct bench_ring *ring)
{
    return load_acquire(ring_u16(ring, RING_DEVICE + 2U)) != ring->seen;
}

static bool split_take(struct bench_ring *ring, uint16_t *id, uint32_t *len)
{
    if (!split_ready(ring)) {
        return false;
    }
    const uint32_t off = RING_DEVICE + 4U + 8U * (ring->seen % RING_SIZE);
    memcpy(id, ring->mem + off, sizeof *id);
    memcpy(len, ring->mem + off + 4U, sizeof *len);
    ring->seen++;
    return true;
}

/* Has the index passed `event` in its last `added` steps up to `next`? */
static bool ring_passed(uint16_t event, uint16_t next, uint16_t added)
{
    return (uint16_t)(next - event - 1U) < added;
}

static bool split_wants_kick(const struct bench_ring *ring)
{
    if (!ring->event_idx) {
        return (*ring_u16(ring, RING_DEVICE) & 1U) == 0U;
    }
    return ring_passed(*ring_u16(ring, RING_DEVICE + 4U + 8U * RING_SIZE), ring->next, ring->added);
}

static void split_ask_calls(struct bench_ring *ring, bool wanted)
{
    *ring_u16(ring, RING_DRIVER) = (uint16_t)(wanted || ring->event_idx ? 0U : 1U);
    if (ring->event_idx) { /* unwanted: behind everything that can be outstanding */
        *ring_u16(ring, RING_DRIVER + 4U + 2U * RING_SIZE) =
            (uint16_t)(ring->seen - (wanted ? 0U : 1U));
    }
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
        fill_table(ring, ring->ids, gpa, len, n, readable);
    }
    for (uint32_t i = 0; i < slots; i++) {
        struct desc *d = ring_desc(ring, ring->next);

        d->addr = indirect ? table_gpa(ring, ring->ids) : gpa[i];
        d->len = indirect ? n * 16U : len[i];
        d->a = ring->ids;
        if (i != 0U) {
            d->b = (uint16_t)((i < readable ? 0U : F_WRITE) | (i + 1U < n ? F_NEXT : 0U) |
                              packed_flags(ring->wrap));
        }
        packed_step(&ring->next, &ring->wrap, 1);
    }
    if (ring->held) {
        store_release(&ring_desc(ring, head)->b, head_flags);
    } else { /* the device stops here until the batch is published */
        ring->held = true;
        ring->first = head;
        ring->first_flags = head_flags;
    }
    ring->added = (uint16_t)(ring->added + slots);
    ring->ids = (uint16_t)((ring->ids + 1U) % RING_SIZE);
}

static void packed_publish(struct bench_ring *ring)
{
    if (ring->held) {
        store_release(&ring_desc(ring, ring->first)->b, ring->first_flags);
        ring->held = false;
    }
}

static bool packed_ready(const struct bench_ring *ring)
{
    const uint16_t flags = load_acquire(&ring_desc(ring, ring->seen)->b);
    const bool avail = (flags & F_AVAIL) != 0U;
    const bool used = (flags & F_USED) != 0U;

    return avail == used && used == ring->seen_wrap;
}

static bool packed_take(struct bench_ring *ring, uint32_t slots, uint16_t *id, uint32_t *len)
{
    const struct desc *d = ring_desc(ring, ring->seen);

    if (!packed_ready(ring)) {
        return false;
    }
    *id = d->a;
    *len = d->len;
    packed_step(&ring->seen, &ring->seen_wrap, slots);
    return true;
}

#define EVENT_OFF  1U
#define EVENT_DESC 2U

static bool packed_wants_kick(const struct bench_ring *ring)
{
    const uint16_t flags = *ring_u16(ring, RING_DEVICE + 2U);
    const uint16_t at = *ring_u16(ring, RING_DEVICE);
    const uint16_t lap = ((at >> 15) != 0U) == ring->wrap ? 0U : RING_SIZE;

    if (flags != EVENT_DESC) {
        return flags != EVENT_OFF;
    }
    return ring_passed((uint16_t)((at & 0x7fffU) - lap), ring->next, ring->added);
}

static void packed_ask_calls(struct bench_ring *ring, bool wanted)
{
    *ring_u16(ring, RING_DRIVER) = (uint16_t)(ring->seen | (ring->seen_wrap ? 0x8000U : 0U));
    *ring_u16(ring, RING_DRIVER + 2U) =
        (uint16_t)(!wanted ? EVENT_OFF : (ring->event_idx ? EVENT_DESC : 0U));
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
    if (ring->packed) {
        packed_publish(ring);
    } else {
        store_release(ring_u16(ring, RING_DRIVER + 2U), ring->next);
    }
}

void bench_ring_add_as(struct bench_ring *ring, uint16_t id, const uint64_t *gpa,
                       const uint32_t *len, uint32_t n, uint32_t readable, bool indirect)
{
    ring->ids = id;
    bench_ring_add(ring, gpa, len, n, readable, indirect);
}

bool bench_ring_wants_kick(struct bench_ring *ring)
{
    atomic_thread_fence(memory_order_seq_cst); /* what was published is seen before we look */
    const bool wanted = ring->packed ? packed_wants_kick(ring) : split_wants_kick(ring);

    ring->added = 0;
    return wanted;
}

void bench_ring_ask_calls(struct bench_ring *ring, bool wanted)
{
    if (ring->packed) {
        packed_ask_calls(ring, wanted);
    } else {
        split_ask_calls(ring, wanted);
    }
    atomic_thread_fence(memory_order_seq_cst); /* asked before the caller looks once more */
}

bool bench_ring_ready(const struct bench_ring *ring)
{
    return ring->packed ? packed_ready(ring) : split_ready(ring);
}

bool bench_ring_take(struct bench_ring *ring, uint32_t slots, uint16_t *id, uint32_t *len)
{
    return ring->packed ? packed_take(ring, slots, id, len) : split_take(ring, id, len);
}

bool bench_ring_reap(struct bench_ring *ring, uint32_t slots, uint32_t *len)
{
    uint16_t id;

    return bench_ring_take(ring, slots, &id, len);
}
