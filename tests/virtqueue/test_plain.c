/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of plain chains: what ends one -> giving back, putting back, forgetting -> the same answers as
 * from avps_vq_pop and avps_vq_push, on rings of good and hostile chains. */
#include "support/queue.h"

#include "virtqueue/plain.h"

#define PLAIN_MAX 40U

static struct avps_plain plain[PLAIN_MAX];

static uint32_t take(struct test_vq *q, enum avps_access access, uint32_t max)
{
    return avps_vq_take_plain(&q->vq, access, plain, max);
}

static void add_good(struct test_vq *q, uint32_t count, uint16_t flags)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct test_desc desc = {TEST_RAM_GPA + 64U * i, 32U + i, flags};

        (void)test_ring_add(&q->ring, &desc, 1);
    }
}

/* ---- what a run takes ---- */

static void test_plain_run_takes_the_chains_in_order(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);

    add_good(q, 5, 0);
    assert_int_equal(take(q, AVPS_ACCESS_READ, 3), 3);
    for (uint32_t i = 0; i < 3U; i++) {
        assert_int_equal(plain[i].id, i);
        assert_int_equal(plain[i].written, 0);
        assert_true(plain[i].seg.gpa == TEST_RAM_GPA + 64U * i);
        assert_int_equal(plain[i].seg.len, 32U + i);
        assert_ptr_equal(plain[i].seg.ptr, test_mem_host(&q->mem, plain[i].seg.gpa, 1));
    }
    assert_int_equal(q->vq.in_flight, 3);
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 2);
    assert_int_equal(plain[0].id, 3);
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 0);
    q->vq.fault = AVPS_E_GUEST_DESC;
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 0);
    avps_vq_disable(&q->vq);
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 0);
    memset(q->vq.busy, 0, sizeof q->vq.busy);
    q->vq.in_flight = 0;
    test_vq_free(q);
}

/* Two good chains, an odd one, a good one: the run ends before the odd one, which a pop then judges
 * as it would have without the run. */
static void expect_run_ends(void **state, const struct test_desc *odd, uint32_t count,
                            enum avps_status status)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);

    q->config.indirect = true;
    test_vq_enable(q);
    add_good(q, 2, TEST_WRITE);
    (void)test_ring_add(&q->ring, odd, count);
    add_good(q, 1, TEST_WRITE);
    assert_int_equal(take(q, AVPS_ACCESS_WRITE, PLAIN_MAX), 2);
    assert_int_equal(q->vq.in_flight, 2);
    assert_int_equal(test_vq_pop(q, 0), status);
    if (status == AVPS_OK) {
        assert_int_equal(take(q, AVPS_ACCESS_WRITE, PLAIN_MAX - 2U), 1);
        avps_vq_drop_plain(&q->vq, plain, 1);
    }
    (void)memset(plain, 0, sizeof plain);
    plain[1].id = 1;
    avps_vq_drop_plain(&q->vq, plain, 2);
    test_vq_free(q);
}

static void test_plain_run_ends_at_a_chain_that_is_not_plain(void **state)
{
    const struct test_desc read[] = {{TEST_RAM_GPA, 8, 0}};
    const struct test_desc two[] = {{TEST_RAM_GPA, 8, TEST_WRITE}, {TEST_RAM_GPA, 8, TEST_WRITE}};
    const struct test_desc empty[] = {{TEST_RAM_GPA, 0, TEST_WRITE}};
    const struct test_desc border[] = {{TEST_RAM_GPA + TEST_RAM_SIZE - 4U, 8, TEST_WRITE}};

    expect_run_ends(state, read, 1, AVPS_OK);
    expect_run_ends(state, two, 2, AVPS_OK);
    expect_run_ends(state, empty, 1, AVPS_OK);
    expect_run_ends(state, border, 1, AVPS_OK);
}

static void test_plain_run_ends_at_an_indirect_table(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    const struct test_desc inner = {TEST_RAM_GPA, 8, TEST_WRITE};

    q->config.indirect = true;
    test_vq_enable(q);
    const struct test_desc outer = {test_ring_table(&q->ring, &inner, 1), 16,
                                    TEST_INDIRECT | TEST_WRITE};
    (void)test_ring_add(&q->ring, &outer, 1);
    assert_int_equal(take(q, AVPS_ACCESS_WRITE, PLAIN_MAX), 0);
    assert_int_equal(test_vq_take(q, 0)->writable_len, 8);
    test_vq_free(q);
}

/* I2 */
static void test_plain_run_ends_at_an_address_that_is_not_good(void **state)
{
    const struct test_desc hole[] = {{TEST_HOLE_GPA, 8, TEST_WRITE}};
    const struct test_desc rom[] = {{TEST_ROM_GPA, 8, TEST_WRITE}};
    const struct test_desc beyond[] = {{TEST_ROM_GPA + TEST_ROM_SIZE - 4U, 8, TEST_WRITE}};
    const struct test_desc wraps[] = {{UINT64_MAX - 3U, 8, TEST_WRITE}};

    expect_run_ends(state, hole, 1, AVPS_E_GUEST_ADDR);
    expect_run_ends(state, rom, 1, AVPS_E_GUEST_ACCESS);
    expect_run_ends(state, beyond, 1, AVPS_E_GUEST_ACCESS);
    expect_run_ends(state, wraps, 1, AVPS_E_GUEST_ADDR);
}

static void test_plain_run_goes_from_region_to_region(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const avps_gpa gpa[] = {TEST_RAM_GPA, TEST_HIGH_GPA,      TEST_RAM_GPA + TEST_RAM_SIZE,
                            TEST_ROM_GPA, UINT64_MAX - 0x7fU, TEST_RAM_GPA};

    for (uint32_t i = 0; i < 6U; i++) {
        const struct test_desc desc = {gpa[i], 0x80, 0};

        (void)test_ring_add(&q->ring, &desc, 1);
    }
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 6);
    for (uint32_t i = 0; i < 6U; i++) {
        assert_ptr_equal(plain[i].seg.ptr, test_mem_host(&q->mem, gpa[i], 0x80));
    }
    avps_vq_drop_plain(&q->vq, plain, 6);
    test_vq_free(q);
}

/* I5, I10: an id outside the queue, one in flight, one twice in the same run */
static void test_plain_run_ends_at_an_id_that_is_not_free(void **state)
{
    for (uint32_t kind = 0; kind < 3U; kind++) {
        struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
        const uint16_t bad = kind == 0U ? 8U : (uint16_t)(kind - 1U);

        add_good(q, 1, 0);
        (void)test_vq_take(q, 0); /* id 0 */
        add_good(q, 1, 0);        /* id 1 */
        if (q->config.packed) {
            test_ring_raw(&q->ring, q->ring.avail, TEST_RAM_GPA, 8, test_ring_avail_bits(&q->ring),
                          bad);
        } else {
            test_ring_raw_head(&q->ring, bad);
        }
        assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 1);
        assert_int_equal(test_vq_pop(q, 1), AVPS_E_GUEST_DESC);
        avps_vq_drop_plain(&q->vq, plain, 1);
        test_vq_free(q);
    }
}

/* Split: an index that jumped ahead or went back is left to the pop. */
static void test_plain_run_does_not_start_at_a_bad_index(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);

    test_ring_raw_idx(&q->ring, 9);
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 0);
    assert_int_equal(q->vq.fault, AVPS_OK);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
    test_vq_free(q);
}

static void no_take(void *ctx, const struct avps_vq_desc *desc, bool first, bool last)
{
    (void)ctx;
    (void)desc;
    (void)first;
    (void)last;
}

static bool no_replay(void *ctx, uint32_t n, struct avps_vq_desc *desc)
{
    (void)ctx;
    (void)n;
    (void)desc;
    return false;
}

static void no_id(void *ctx, uint16_t id)
{
    (void)ctx;
    (void)id;
}

/* Hooks, copies, and a tracker must hear of every chain: such queues have no runs. */
static void test_plain_run_needs_direct_memory_and_no_tracker(void **state)
{
    static const struct avps_tracker_ops ops = {
        .take = no_take, .replay = no_replay, .forget = no_id, .give = no_id};
    static const struct avps_tracker tracker = {.ops = &ops};

    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const struct test_desc desc = {TEST_RAM_GPA, 8, 0};

        (void)test_ring_add(&q->ring, &desc, 1);
        assert_int_equal(take(q, AVPS_ACCESS_READ, 1), kind == TEST_MEM_REGIONS ? 1 : 0);
        avps_vq_drop_plain(&q->vq, plain, q->vq.in_flight);
        test_vq_free(q);
    }
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    q->config.tracker = &tracker;
    test_vq_enable(q);
    add_good(q, 1, 0);
    assert_int_equal(take(q, AVPS_ACCESS_READ, 1), 0);
    (void)test_vq_take(q, 0);
    test_vq_free(q);
}

/* ---- giving back ---- */

/* [split-5.1] [packed-1.2] The driver sees a batch when it is published, and all of it. */
static void test_plain_chains_are_seen_together_at_publish(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    bool notify = false;

    add_good(q, 3, TEST_WRITE);
    assert_int_equal(take(q, AVPS_ACCESS_WRITE, PLAIN_MAX), 3);
    plain[0].written = 7;
    plain[2].written = 9;
    assert_int_equal(avps_vq_give_plain(&q->vq, plain, 3), 16);
    assert_int_equal(q->vq.in_flight, 0);
    test_vq_expect_none(q);
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    assert_true(notify);
    test_vq_expect_used(q, 0, 7);
    test_vq_expect_used(q, 1, 0);
    test_vq_expect_used(q, 2, 9);
    assert_int_equal(avps_vq_give_plain(&q->vq, plain, 0), 0);
    test_vq_expect_none(q);
    test_vq_round(q);
    test_vq_free(q);
}

/* Lap after lap, in runs of every length: positions, wrap counters, the index at 65535. */
static void test_plain_runs_wrap_the_ring(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, test_is_packed(state) ? 7 : 8);
    bool notify = false;

    q->config.avail_start = test_is_packed(state) ? 5 : 65530;
    q->config.used_start = q->config.avail_start;
    test_vq_enable(q);
    for (uint32_t round = 0; round < 40U; round++) {
        const uint32_t count = 1U + round % 7U;

        add_good(q, count, 0);
        assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), count);
        for (uint32_t i = 0; i < count; i++) {
            plain[i].written = i;
        }
        (void)avps_vq_give_plain(&q->vq, plain, count);
        assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
        for (uint32_t i = 0; i < count; i++) {
            test_vq_expect_used(q, plain[i].id, i);
        }
    }
    test_vq_round(q);
    test_vq_free(q);
}

/* Some given back, some put back, some in flight as ordinary chains. */
static void test_plain_chains_can_be_put_back(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    bool notify = false;

    add_good(q, 6, 0);
    assert_int_equal(test_vq_take(q, 0)->id, 0);
    assert_int_equal(take(q, AVPS_ACCESS_READ, 4), 4);
    avps_vq_put_back_plain(&q->vq, &plain[1], 3);
    assert_int_equal(q->vq.in_flight, 2);
    (void)avps_vq_give_plain(&q->vq, plain, 1); /* not all that is in flight */
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    test_vq_expect_used(q, 1, 0);
    assert_int_equal(take(q, AVPS_ACCESS_READ, PLAIN_MAX), 4);
    assert_int_equal(plain[0].id, 2);
    assert_int_equal(plain[3].id, 5);
    avps_vq_drop_plain(&q->vq, plain, 4);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 0);
    test_vq_free(q);
}

/* Ids far apart, and more than are forgotten at once: every one is free afterwards. I10 */
static void test_plain_ids_of_a_large_queue_are_free_again(void **state)
{
    static struct avps_plain many[4096];
    struct test_vq *q = test_vq_new_sized(state, TEST_MEM_REGIONS, 4096, 0x200000);
    bool notify = false;
    const struct test_desc desc = {TEST_RAM_GPA, 1, 0};

    test_vq_enable(q);
    for (uint32_t lap = 0; lap < 2U; lap++) {
        for (uint32_t i = 0; i < 4096U; i++) {
            (void)test_ring_put(&q->ring, &desc, 1);
        }
        test_ring_publish(&q->ring);
        assert_int_equal(avps_vq_take_plain(&q->vq, AVPS_ACCESS_READ, many, 5000), 4096);
        (void)avps_vq_give_plain(&q->vq, many, 4096);
        assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
        for (uint32_t i = 0; i < 4096U; i++) {
            test_vq_expect_used(q, many[i].id, 0);
        }
        for (uint32_t i = 0; i < 4096U / 32U; i++) {
            assert_int_equal(q->vq.busy[i], 0);
        }
    }
    test_vq_free(q);
}

/* ---- the same answers ---- */

#define TRACE_MAX 64U

/* What a device sees of a chain. */
struct seen {
    avps_gpa gpa; /* of the first segment */
    uint32_t id;
    uint32_t segs;
    uint32_t readable;
    uint32_t writable;
};

struct trace {
    struct seen seen[TRACE_MAX];
    uint32_t count;
    uint32_t runs; /* chains that came in runs */
    enum avps_status status;
    uint8_t rings[3][512];
    struct avps_vq vq;
};

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (random_state >> 8) % below;
}

/* Mostly a good plain chain; else anything. */
static struct test_desc draw_desc(void)
{
    static const avps_gpa odd[] = {TEST_HOLE_GPA,  TEST_ROM_GPA,
                                   TEST_WOM_GPA,   TEST_HIGH_GPA,
                                   UINT64_MAX - 7, TEST_RAM_GPA + TEST_RAM_SIZE - 4U};
    struct test_desc desc = {TEST_RAM_GPA + draw(4096), 1U + draw(64),
                             draw(4) != 0U ? TEST_WRITE : 0U};

    switch (draw(24)) {
    case 0:
        desc.gpa = odd[draw(6)];
        break;
    case 1:
        desc.len = draw(2) != 0U ? 0U : UINT32_MAX - draw(2);
        break;
    case 2:
        desc.flags = (uint16_t)draw(8);
        break;
    case 3:
        desc.flags = (uint16_t)(desc.flags | TEST_NEXT);
        break;
    default:
        break;
    }
    return desc;
}

/* A few descriptors where the device looks next; now and then one is not what it should be. */
static void draw_ring(struct test_vq *q, uint32_t count)
{
    uint32_t at = q->vq.avail_idx;
    bool wrap = q->vq.avail_wrap;

    for (uint32_t i = 0; i < count; i++) {
        const struct test_desc desc = draw_desc();
        const uint16_t id =
            (uint16_t)(draw(40) == 0U ? draw(20) : (q->vq.avail_idx + i) % q->config.size);

        if (!q->config.packed) {
            test_ring_raw(&q->ring, id % q->config.size, desc.gpa, desc.len, desc.flags,
                          (uint16_t)((id + 1U) % q->config.size));
            test_mem_put16(&q->mem, q->ring.driver + 4U + 2U * ((at + i) % q->config.size), id);
            continue;
        }
        const uint16_t bits = (wrap != (draw(60) == 0U)) ? TEST_AVAIL : TEST_USED;
        test_ring_raw(&q->ring, at, desc.gpa, desc.len, desc.flags | bits, id);
        at++;
        if (at == q->config.size) {
            at = 0;
            wrap = !wrap;
        }
    }
    if (!q->config.packed) {
        test_ring_raw_idx(&q->ring, (uint16_t)(at + (draw(60) == 0U ? draw(65536) : count)));
    }
}

static void see(struct trace *trace, struct seen seen)
{
    assert_true(trace->count < TRACE_MAX);
    trace->seen[trace->count++] = seen;
}

static void see_run(struct trace *trace, enum avps_access access, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t len = plain[i].seg.len;
        const bool write = access == AVPS_ACCESS_WRITE;

        see(trace,
            (struct seen){plain[i].seg.gpa, plain[i].id, 1, write ? 0U : len, write ? len : 0U});
        plain[i].written = write ? len / 2U : 0U;
    }
    trace->runs += count;
}

/* Take one chain in the ordinary way, fill half of it, return it. */
static enum avps_status serve_one(struct test_vq *q, struct trace *trace)
{
    struct avps_chain *c = &q->chain[0];
    const enum avps_status status = test_vq_pop(q, 0);

    if (status == AVPS_OK) {
        const uint32_t segs = c->readable_segs + c->writable_segs;

        see(trace, (struct seen){segs != 0U ? c->segs[0].gpa : 0U, c->id, segs, c->readable_len,
                                 c->writable_len});
        c->written = c->writable_len / 2U;
        assert_int_equal(avps_vq_push(&q->vq, c), AVPS_OK);
    }
    return status;
}

/* Runs in both directions until there are none, then one pop; until a pop gives nothing. */
static void serve_in_runs(struct test_vq *q, struct trace *trace)
{
    static const enum avps_access directions[] = {AVPS_ACCESS_WRITE, AVPS_ACCESS_READ};

    do {
        uint32_t got = 1;

        for (uint32_t turn = 0; got != 0U || turn % 2U != 0U; turn++) {
            const enum avps_access access = directions[turn % 2U];

            got = take(q, access, 1U + (q->vq.avail_idx + turn) % 5U);
            see_run(trace, access, got);
            (void)avps_vq_give_plain(&q->vq, plain, got);
        }
        trace->status = serve_one(q, trace);
    } while (trace->status == AVPS_OK);
}

static void serve_one_by_one(struct test_vq *q, struct trace *trace)
{
    do {
        trace->status = serve_one(q, trace);
    } while (trace->status == AVPS_OK);
}

/* One scenario: a ring at any position, three fillings. */
static void play(void **state, uint32_t seed, bool runs, struct trace *trace)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, test_is_packed(state) ? 13 : 16);
    bool notify = false;

    memset(trace, 0, sizeof *trace);
    random_state = seed;
    q->config.indirect = true;
    q->config.avail_start = (uint16_t)(test_is_packed(state) ? draw(13) : 65536U - draw(32));
    q->config.used_start = q->config.avail_start;
    q->config.avail_wrap = draw(2) != 0U;
    q->config.used_wrap = q->config.avail_wrap;
    test_vq_enable(q);
    for (uint32_t filling = 0; filling < 3U && trace->status != AVPS_E_GUEST_DESC; filling++) {
        draw_ring(q, 1U + draw(q->config.size));
        if (runs) {
            serve_in_runs(q, trace);
        } else {
            serve_one_by_one(q, trace);
        }
        assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    }
    test_mem_get(&q->mem, q->ring.desc, trace->rings[0], 16U * q->config.size);
    test_mem_get(&q->mem, q->ring.device, trace->rings[1], q->config.packed ? 4 : 134);
    test_mem_get(&q->mem, q->ring.driver, trace->rings[2], q->config.packed ? 4 : 38);
    trace->vq = q->vq;
    test_vq_free(q);
}

/* Chains, ids, lengths, used elements, positions, busy bits, and the fault, if there is one. */
static void test_plain_runs_give_the_answers_of_single_pops(void **state)
{
    static struct trace with;
    static struct trace without;
    uint32_t taken = 0;
    uint32_t faults = 0;

    for (uint32_t seed = 1; seed <= 2000U; seed++) {
        play(state, seed, true, &with);
        play(state, seed, false, &without);
        assert_int_equal(with.count, without.count);
        assert_memory_equal(with.seen, without.seen, sizeof with.seen);
        assert_int_equal(with.status, without.status);
        assert_memory_equal(with.rings, without.rings, sizeof with.rings);
        assert_int_equal(with.vq.avail_idx, without.vq.avail_idx);
        assert_int_equal(with.vq.avail_wrap, without.vq.avail_wrap);
        assert_int_equal(with.vq.used_idx, without.vq.used_idx);
        assert_int_equal(with.vq.used_wrap, without.vq.used_wrap);
        assert_int_equal(with.vq.in_flight, without.vq.in_flight);
        assert_int_equal(with.vq.slots_in_flight, without.vq.slots_in_flight);
        assert_int_equal(with.vq.fault, without.vq.fault);
        assert_memory_equal(with.vq.busy, without.vq.busy, sizeof with.vq.busy);
        taken += with.runs;
        faults += with.vq.fault != AVPS_OK ? 1U : 0U;
    }
    assert_true(taken > 10000U && faults > 250U && faults < 1750U); /* both were met */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_plain_run_takes_the_chains_in_order, NULL, NULL),
        TEST_BOTH(test_plain_run_ends_at_a_chain_that_is_not_plain, NULL, NULL),
        TEST_BOTH(test_plain_run_ends_at_an_indirect_table, NULL, NULL),
        TEST_BOTH(test_plain_run_ends_at_an_address_that_is_not_good, NULL, NULL),
        TEST_BOTH(test_plain_run_goes_from_region_to_region, NULL, NULL),
        TEST_BOTH(test_plain_run_ends_at_an_id_that_is_not_free, NULL, NULL),
        TEST_SPLIT(test_plain_run_does_not_start_at_a_bad_index, NULL, NULL),
        TEST_BOTH(test_plain_run_needs_direct_memory_and_no_tracker, NULL, NULL),
        TEST_BOTH(test_plain_chains_are_seen_together_at_publish, NULL, NULL),
        TEST_BOTH(test_plain_runs_wrap_the_ring, NULL, NULL),
        TEST_BOTH(test_plain_chains_can_be_put_back, NULL, NULL),
        TEST_BOTH(test_plain_ids_of_a_large_queue_are_free_again, NULL, NULL),
        TEST_BOTH(test_plain_runs_give_the_answers_of_single_pops, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
