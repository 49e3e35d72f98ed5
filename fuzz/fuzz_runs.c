/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of plain chains against single pops: two queues over the same bytes, one whose memory is
 * direct and which takes runs, one whose memory has a hook and which takes each chain by itself.
 * Chains, used elements, positions and faults must be the same. */
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "virtqueue/plain.h"

#define RAM        0x2000U
#define BASE       0x10000ULL
#define DRIVER     0x400U
#define DEVICE     0x600U
#define BUFFERS    0x1000U
#define QUEUE_SIZE 64U
#define RUN        8U
#define SEGS       8U
#define ROUNDS     32U

struct side {
    _Alignas(16) uint8_t ram[RAM];
    struct avps_mem_region regions[3];
    struct avps_mem mem;
    struct avps_vq vq;
};

static struct {
    const uint8_t *input;
    size_t size;
    size_t pos;
    struct side with; /* runs */
    struct side without;
    struct avps_plain plain[RUN];
    struct avps_chain chains[RUN];
    struct avps_seg segs[RUN + 1U][SEGS];
    struct avps_chain chain; /* of the side with runs */
    uint16_t next;           /* where the driver writes next */
    bool wrap;
} run;

static uint8_t next_u8(void)
{
    return run.pos < run.size ? run.input[run.pos++] : 0U;
}

static void no_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    (void)ctx;
    (void)gpa;
    (void)len;
}

static const struct avps_mem_ops hooks = {.dirty = no_dirty};

/* ---- the driver ---- */

static void put(uint32_t off, const void *bytes, size_t len)
{
    memcpy(run.with.ram + off, bytes, len);
    memcpy(run.without.ram + off, bytes, len);
}

static void put16(uint32_t off, uint32_t value)
{
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

    put(off, bytes, sizeof bytes);
}

static void put_desc(uint32_t index, uint64_t addr, uint32_t len, uint32_t third, uint32_t fourth)
{
    uint8_t raw[12];

    for (unsigned int i = 0; i < 8U; i++) {
        raw[i] = (uint8_t)(addr >> (8U * i));
    }
    for (unsigned int i = 0; i < 4U; i++) {
        raw[8U + i] = (uint8_t)(len >> (8U * i));
    }
    put(16U * index, raw, sizeof raw);
    put16(16U * index + 12U, third);
    put16(16U * index + 14U, fourth);
}

/* One descriptor where the device looks next; `odd` bits make it something else. */
static void driver_add(void)
{
    const uint32_t size = run.with.vq.size;
    const uint8_t odd = next_u8();
    const uint64_t addr = BASE + BUFFERS + 16U * next_u8();
    const uint32_t len = (odd & 0xe0U) == 0xe0U ? (uint32_t)next_u8() << 24 : 1U + (odd >> 3);
    const uint32_t id = (odd & 0x1cU) == 0x1cU ? next_u8() : run.next % size;
    const uint32_t flags = (odd & 0x98U) == 0x98U ? next_u8() & 7U : odd & 2U;

    if (run.with.vq.packed) {
        const bool stale = (odd & 0x58U) == 0x58U;

        put_desc(run.next, addr, len, id, flags | (run.wrap != stale ? 0x80U : 0x8000U));
        run.next++;
        if (run.next == size) {
            run.next = 0;
            run.wrap = !run.wrap;
        }
        return;
    }
    put_desc(id % size, addr, len, flags, (id + 1U) % size);
    put16(DRIVER + 4U + 2U * (run.next % size), id);
    run.next++;
    put16(DRIVER + 2U, run.next);
}

static void driver_poke(void)
{
    const uint32_t off = next_u8() * 8U;
    const uint8_t bytes[2] = {next_u8(), next_u8()};

    put(off, bytes, sizeof bytes);
}

/* ---- the device, twice ---- */

static void check_alike(void)
{
    const struct avps_vq *a = &run.with.vq;
    const struct avps_vq *b = &run.without.vq;

    FUZZ_CHECK(memcmp(run.with.ram, run.without.ram, RAM) == 0);
    FUZZ_CHECK(a->avail_idx == b->avail_idx && a->avail_wrap == b->avail_wrap);
    FUZZ_CHECK(a->used_idx == b->used_idx && a->used_wrap == b->used_wrap);
    FUZZ_CHECK(a->in_flight == b->in_flight && a->slots_in_flight == b->slots_in_flight);
    FUZZ_CHECK(a->fault == b->fault && memcmp(a->busy, b->busy, sizeof a->busy) == 0);
}

/* Take a run, and the same chains one by one; give some back, put the rest back. */
static uint32_t device_run(enum avps_access access, uint8_t how)
{
    const bool write = access == AVPS_ACCESS_WRITE;
    const uint32_t count =
        avps_vq_take_plain(&run.with.vq, access, run.plain, 1U + (how & (RUN - 1U)));
    const uint32_t kept = (how & 0x10U) != 0U ? count / 2U : count;

    for (uint32_t i = 0; i < count; i++) {
        struct avps_plain *plain = &run.plain[i];
        struct avps_chain *chain = &run.chains[i];

        FUZZ_CHECK(avps_vq_pop(&run.without.vq, chain) == AVPS_OK);
        FUZZ_CHECK(chain->id == plain->id && chain->slots == 1U);
        FUZZ_CHECK(chain->readable_segs == (write ? 0U : 1U));
        FUZZ_CHECK(chain->writable_segs == (write ? 1U : 0U));
        FUZZ_CHECK(chain->segs[0].gpa == plain->seg.gpa && chain->segs[0].len == plain->seg.len);
        FUZZ_CHECK(plain->seg.ptr >= run.with.ram &&
                   plain->seg.len <= (uint32_t)(run.with.ram + RAM - plain->seg.ptr));
        plain->written = write ? plain->seg.len / 2U : 0U;
        chain->written = plain->written;
    }
    for (uint32_t i = count; i > kept; i--) {
        avps_vq_unpop(&run.without.vq, &run.chains[i - 1U]);
    }
    avps_vq_put_back_plain(&run.with.vq, &run.plain[kept], count - kept);
    (void)avps_vq_give_plain(&run.with.vq, run.plain, kept);
    FUZZ_CHECK(avps_vq_push_burst(&run.without.vq, run.chains, kept) == AVPS_OK);
    return kept;
}

/* One chain of any shape. @return whether there was one. */
static bool device_pop(void)
{
    const enum avps_status status = avps_vq_pop(&run.with.vq, &run.chain);

    FUZZ_CHECK(avps_vq_pop(&run.without.vq, &run.chains[0]) == status);
    if (status != AVPS_OK) {
        return false;
    }
    FUZZ_CHECK(run.chain.id == run.chains[0].id && run.chain.slots == run.chains[0].slots);
    FUZZ_CHECK(run.chain.readable_len == run.chains[0].readable_len);
    FUZZ_CHECK(run.chain.writable_len == run.chains[0].writable_len);
    FUZZ_CHECK(avps_vq_push(&run.with.vq, &run.chain) == AVPS_OK);
    FUZZ_CHECK(avps_vq_push(&run.without.vq, &run.chains[0]) == AVPS_OK);
    return true;
}

static void device_serve(uint8_t how)
{
    bool notify[2] = {false, false};

    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t taken =
            device_run(AVPS_ACCESS_WRITE, how) + device_run(AVPS_ACCESS_READ, how);

        check_alike();
        if (taken == 0U && !device_pop()) {
            break;
        }
    }
    FUZZ_CHECK(avps_vq_publish(&run.with.vq, &notify[0]) == AVPS_OK);
    FUZZ_CHECK(avps_vq_publish(&run.without.vq, &notify[1]) == AVPS_OK);
    FUZZ_CHECK(notify[0] == notify[1]);
    check_alike();
}

/* ---- the program ---- */

static void side_start(struct side *side, const struct avps_mem_ops *ops,
                       const struct avps_vq_config *config)
{
    side->regions[0] = (struct avps_mem_region){BASE, 0x1800, side->ram, AVPS_ACCESS_RW};
    side->regions[1] =
        (struct avps_mem_region){BASE + 0x1800, 0x400, side->ram + 0x1800, AVPS_ACCESS_RW};
    side->regions[2] =
        (struct avps_mem_region){BASE + 0x1c00, 0x400, side->ram + 0x1c00, AVPS_ACCESS_READ};
    FUZZ_CHECK(avps_mem_init_regions(&side->mem, side->regions, 3, ops, NULL) == AVPS_OK);
    FUZZ_CHECK(avps_vq_enable(&side->vq, &side->mem, config) == AVPS_OK);
}

static void start(void)
{
    const uint8_t shape = next_u8();
    const bool packed = (shape & 1U) != 0U;
    const uint32_t size = packed ? 1U + (shape >> 1) % QUEUE_SIZE : 1U << ((shape >> 1) % 7U);
    const uint16_t at = (uint16_t)(packed ? next_u8() % size : 0xff80U + next_u8());
    const struct avps_vq_config config = {
        .size = size,
        .desc = BASE,
        .driver = BASE + DRIVER,
        .device = BASE + DEVICE,
        .packed = packed,
        .indirect = true,
        .event_idx = (shape & 0x80U) != 0U,
        .avail_start = at,
        .used_start = at,
        .avail_wrap = true,
        .used_wrap = true,
    };

    side_start(&run.with, NULL, &config);
    side_start(&run.without, &hooks, &config);
    run.next = at;
    run.wrap = true;
    if (!packed) {
        put16(DRIVER + 2U, at);
    }
    avps_chain_init(&run.chain, run.segs[RUN], SEGS);
    for (uint32_t i = 0; i < RUN; i++) {
        avps_chain_init(&run.chains[i], run.segs[i], SEGS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    memset(&run, 0, sizeof run);
    run.input = input;
    run.size = size;
    start();
    while (run.pos < run.size) {
        const uint8_t op = next_u8();

        if ((op & 7U) == 7U) {
            driver_poke();
        } else if ((op & 7U) == 6U) {
            device_serve(op >> 3);
        } else {
            driver_add();
        }
    }
    device_serve(7);
    return 0;
}
