/* SPDX-License-Identifier: BSD-3-Clause */
/* The in-flight region: any bytes are taken over or refused; what was taken over is then used, and
 * what this side has written it must take over itself, with the same requests in flight. */
#include <string.h>

#include "../port/vhost-user/inflight.h"
#include "guest.h"

#define SIZE_MAX_QUEUE 16U
#define REGION_BYTES   1024U

static uint8_t region[REGION_BYTES] __attribute__((aligned(64)));
static struct fuzz_guest in;
static uint16_t ring_flags;

static bool flags_at(void *ctx, uint16_t idx, uint16_t *flags)
{
    (void)ctx;
    (void)idx;
    *flags = ring_flags;
    return ring_flags != 0xffffU;
}

/* Chains in flight by id: as the library's own bits. */
struct model {
    bool busy[SIZE_MAX_QUEUE];
    uint16_t slots[SIZE_MAX_QUEUE];
    uint32_t slots_in_flight;
    uint16_t given[SIZE_MAX_QUEUE];
    uint32_t given_count;
    uint16_t used_idx;
    bool used_wrap;
};

static bool start(struct vu_inflight_queue *q, const struct vu_inflight_ring *ring,
                  struct avps_remote_position *avail, struct avps_remote_position *used)
{
    struct vu_inflight inflight = {.queues = 1, .queue_size = SIZE_MAX_QUEUE};

    inflight.mapping.data = region;
    inflight.mapping.size = REGION_BYTES;
    return vu_inflight_start(&inflight, 0, q, ring, avail, used) == NULL;
}

/* Take every chain that is handed out, as the library does. */
static void take_over(struct vu_inflight_queue *q, struct model *m, uint16_t size)
{
    const struct avps_tracker_ops *ops = q->tracker.ops;
    struct avps_vq_desc desc;

    while (ops->replay(q->tracker.ctx, 0, &desc)) {
        uint32_t n = 1;

        while (n < size && ops->replay(q->tracker.ctx, n, &desc)) {
            n++;
        }
        FUZZ_CHECK(!ops->replay(q->tracker.ctx, size, &desc));
        FUZZ_CHECK(desc.id < size && !m->busy[desc.id]);
        m->busy[desc.id] = true;
        m->slots[desc.id] = (uint16_t)n;
        m->slots_in_flight += n;
        ops->replayed(q->tracker.ctx, true);
    }
    FUZZ_CHECK(m->slots_in_flight <= size);
}

static void advance(struct model *m, bool packed, uint16_t size, uint32_t slots)
{
    const uint32_t idx = m->used_idx + slots;

    if (!packed) {
        m->used_idx = (uint16_t)idx;
    } else {
        m->used_wrap = m->used_wrap != (idx >= size);
        m->used_idx = (uint16_t)(idx % size);
    }
}

static void take(struct vu_inflight_queue *q, struct model *m, uint16_t size, bool packed)
{
    const uint16_t id = fuzz_u8(&in) % size;
    const uint32_t wish = packed ? 1U + fuzz_u8(&in) % 4U : 1U;
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < m->given_count; i++) {
        waiting += m->slots[m->given[i]]; /* the driver cannot have reused them */
        if (m->given[i] == id) {
            return;
        }
    }
    if (m->busy[id] || m->slots_in_flight + waiting + wish > size) {
        return;
    }
    for (uint32_t n = 0; n < wish; n++) {
        const struct avps_vq_desc desc = {.addr = n, .len = 1, .id = id, .flags = n + 1U < wish};

        q->tracker.ops->take(q->tracker.ctx, &desc, n == 0U, n + 1U == wish);
    }
    m->busy[id] = true;
    m->slots[id] = (uint16_t)wish;
    m->slots_in_flight += wish;
}

static void give(struct vu_inflight_queue *q, struct model *m, uint16_t size, bool forget)
{
    const uint16_t id = fuzz_u8(&in) % size;

    if (!m->busy[id]) {
        return;
    }
    m->busy[id] = false;
    m->slots_in_flight -= m->slots[id];
    if (forget) {
        q->tracker.ops->forget(q->tracker.ctx, id);
        return;
    }
    q->tracker.ops->give(q->tracker.ctx, id);
    m->given[m->given_count] = id;
    m->given_count++;
}

static void publish(struct vu_inflight_queue *q, struct model *m, uint16_t size, bool packed)
{
    if (m->given_count == 0U) {
        return;
    }
    for (uint32_t i = 0; i < m->given_count; i++) {
        advance(m, packed, size, m->slots[m->given[i]]);
    }
    m->given_count = 0;
    q->tracker.ops->publish(q->tracker.ctx, m->used_idx, m->used_wrap);
    q->tracker.ops->published(q->tracker.ctx);
}

/* What is in flight, and where, is found again. A chain given and not shown is in flight still. */
static void expect_same(const struct vu_inflight_ring *told, const struct model *m)
{
    struct vu_inflight_ring ring = *told;
    struct vu_inflight_queue q;
    struct avps_remote_position avail;
    struct avps_remote_position used;
    struct model again = {.used_wrap = true};
    struct model want = *m;

    for (uint32_t i = 0; i < m->given_count; i++) {
        want.busy[m->given[i]] = true;
    }
    ring.used_idx = m->used_idx;
    FUZZ_CHECK(start(&q, &ring, &avail, &used));
    FUZZ_CHECK(used.idx == m->used_idx && (!ring.packed || used.wrap == m->used_wrap));
    take_over(&q, &again, ring.size);
    FUZZ_CHECK(memcmp(again.busy, want.busy, sizeof want.busy) == 0);
    vu_inflight_stop(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct vu_inflight_queue q;
    struct avps_remote_position avail;
    struct avps_remote_position used;
    struct model m = {.used_wrap = true};

    in.input = input;
    in.size = size;
    in.pos = 0;
    const uint8_t what = fuzz_u8(&in);
    const bool packed = (what & 1U) != 0U;
    const bool lies = (what & 2U) != 0U;
    struct vu_inflight_ring ring = {.packed = packed,
                                    .size =
                                        (uint16_t)(packed ? 1U + (what >> 4) : 1U << (what >> 6)),
                                    .used_idx = (uint16_t)fuzz_u32(&in),
                                    .flags_at = flags_at};
    ring_flags = (uint16_t)fuzz_u32(&in);
    ring.base = (struct avps_remote_position){(uint16_t)(ring.used_idx % ring.size), true};
    memset(region, 0, sizeof region);
    if (lies) {
        fuzz_bytes(&in, region, sizeof region / 2U);
    }
    if (!start(&q, &ring, &avail, &used)) {
        FUZZ_CHECK(lies); /* a new region is never refused */
        return 0;
    }
    m.used_idx = used.idx;
    m.used_wrap = used.wrap;
    FUZZ_CHECK(!packed || (avail.idx < ring.size && used.idx < ring.size));
    take_over(&q, &m, ring.size);
    for (uint32_t steps = 0; steps < 200U && in.pos < in.size; steps++) {
        const uint8_t op = fuzz_u8(&in);

        switch (op % 4U) {
        case 0:
            take(&q, &m, ring.size, packed);
            break;
        case 1:
            publish(&q, &m, ring.size, packed);
            break;
        default:
            give(&q, &m, ring.size, op >= 224U);
            break;
        }
    }
    vu_inflight_stop(&q);
    expect_same(&ring, &m);
    return 0;
}
