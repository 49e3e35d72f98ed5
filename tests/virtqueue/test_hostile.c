/* SPDX-License-Identifier: BSD-3-Clause */
/* Hostile rings: indices -> chains -> addresses -> indirect tables -> packed flags and ids -> memory
 * that changes. Each test has one exact oracle: the status, nothing written, the queue latched
 * without another look, good again after a reset (I19). */
#include "support/queue.h"

/* Run `body` for every memory contract on a fresh live queue with indirect descriptors. */
static void each_memory(void **state, uint32_t size, void (*body)(struct test_vq *q))
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, size);

        q->config.indirect = true;
        test_vq_enable(q);
        test_vq_round(q);
        body(q);
        test_vq_free(q);
    }
}

/* Under read/write memory addresses are checked when they are used, else when a chain is taken. */
static bool checks_late(const struct test_vq *q)
{
    return q->mem.kind == TEST_MEM_COPY;
}

/* ---- indices ---- */

static void avail_jump(struct test_vq *q)
{
    test_ring_raw_idx(&q->ring, (uint16_t)(q->ring.avail + 9U));
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 1, I10: avail.idx more than the queue size ahead */
static void test_hostile_avail_idx_jump_is_latched(void **state)
{
    each_memory(state, 8, avail_jump);
}

static void avail_back(struct test_vq *q)
{
    test_ring_raw_idx(&q->ring, (uint16_t)(q->ring.avail - 1U));
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 1: avail.idx goes back */
static void test_hostile_avail_idx_going_back_is_latched(void **state)
{
    each_memory(state, 8, avail_back);
}

/* (d) rows 1 and 58: every distance at the wrap of the index is judged alike */
static void test_hostile_avail_idx_is_judged_near_the_wrap(void **state)
{
    for (uint32_t step = 0; step <= 12U; step++) {
        struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
        q->config.avail_start = 65533;
        q->config.used_start = 65533;
        test_vq_enable(q);
        test_ring_raw_idx(&q->ring, (uint16_t)(65533U + step));
        if (step > 8U) {
            test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
        } else {
            /* heads are all 0: the second one is a duplicate */
            assert_int_equal(test_vq_pop(q, 0), step == 0U ? AVPS_EMPTY : AVPS_OK);
        }
        test_vq_free(q);
    }
}

/* (d) row 57, I10: with chains in flight there is room for fewer new ones */
static void test_hostile_overrun_of_chains_in_flight_is_latched(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 4);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};

    for (size_t i = 0; i < 3U; i++) {
        (void)test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, i);
    }
    test_ring_raw(&q->ring, 3, TEST_RAM_GPA, 1, 0, 0); /* the next head would be good */
    test_mem_put16(&q->mem, q->ring.driver + 4U + 2U * 3U, 3);
    test_ring_raw_idx(&q->ring, (uint16_t)(q->ring.avail + 2U)); /* only one may come */
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
    test_vq_free(q);
}

static void head_at_size(struct test_vq *q)
{
    test_ring_raw_head(&q->ring, 8);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

static void head_at_maximum(struct test_vq *q)
{
    test_ring_raw_head(&q->ring, 0xffff);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 2, I5 */
static void test_hostile_head_outside_the_table_is_latched(void **state)
{
    each_memory(state, 8, head_at_size);
    each_memory(state, 8, head_at_maximum);
}

static void duplicate_in_flight(struct test_vq *q)
{
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};

    if (q->config.packed) {
        const uint16_t id = test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, 0);
        test_ring_raw(&q->ring, q->ring.avail, TEST_RAM_GPA, 8, test_ring_avail_bits(&q->ring), id);
    } else {
        const uint16_t head = test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, 0);
        test_ring_raw_head(&q->ring, head);
    }
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) rows 5 and 53, I10: a head or id that is in flight comes again */
static void test_hostile_duplicate_in_flight_is_latched(void **state)
{
    each_memory(state, 8, duplicate_in_flight);
}

/* (d) row 5: the same head again after it was returned is a new request */
static void test_hostile_head_may_be_reused_after_its_return(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);

    test_ring_raw(&q->ring, 3, TEST_RAM_GPA, 8, 0, 0);
    for (int i = 0; i < 20; i++) {
        test_ring_raw_head(&q->ring, 3);
        assert_int_equal(test_vq_take(q, 0)->id, 3);
        (void)test_vq_finish(q, 0);
    }
    assert_int_equal(test_ring_used_idx(&q->ring), 20);
    test_vq_free(q);
}

/* ---- chains ---- */

static void next_outside(struct test_vq *q)
{
    test_ring_raw(&q->ring, 2, TEST_RAM_GPA, 8, TEST_NEXT, 8);
    test_ring_raw_head(&q->ring, 2);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 3, I5 */
static void test_hostile_next_outside_the_table_is_latched(void **state)
{
    each_memory(state, 8, next_outside);
}

static void loop_of_one(struct test_vq *q)
{
    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 1, TEST_NEXT, 0);
    test_ring_raw_head(&q->ring, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

static void loop_of_eight(struct test_vq *q)
{
    for (uint16_t i = 0; i < 8U; i++) {
        test_ring_raw(&q->ring, i, TEST_RAM_GPA, 0, TEST_NEXT, (uint16_t)((i + 1U) % 8U));
    }
    test_ring_raw_head(&q->ring, 5);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 4, I3: loops, also of empty descriptors, end after as many steps as the table has */
static void test_hostile_loop_ends_and_is_latched(void **state)
{
    each_memory(state, 8, loop_of_one);
    each_memory(state, 8, loop_of_eight);
}

/* I3: counted read by read: the index, the head, each descriptor of the table once */
static void test_hostile_loop_takes_no_more_steps_than_the_table_has(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_COPY, 8);
    const avps_gpa at = test_mem_alloc(&q->mem, 80, 16);
    q->config.indirect = true;
    test_vq_enable(q);

    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 1, TEST_NEXT, 0);
    test_ring_raw_head(&q->ring, 0);
    unsigned int reads = q->mem.reads;
    assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_DESC);
    assert_int_equal(q->mem.reads - reads, 2 + 8);
    test_vq_restart(q);
    for (uint16_t i = 0; i < 5U; i++) {
        test_ring_raw_at(&q->ring, at + 16U * (uint64_t)i, TEST_RAM_GPA, 1, TEST_NEXT, 1);
    }
    test_ring_raw(&q->ring, 0, at, 80, TEST_INDIRECT, 0);
    test_ring_raw_head(&q->ring, 0);
    reads = q->mem.reads;
    assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_DESC);
    assert_int_equal(q->mem.reads - reads, 2 + 1 + 5);
    test_vq_free(q);
}

/* (d) row 52, I3: NEXT in every descriptor of a packed ring */
static void packed_next_for_ever(struct test_vq *q)
{
    for (uint32_t i = 0; i < 8U; i++) {
        const uint32_t at = (q->ring.avail + i) % 8U;
        const bool wrap = q->ring.avail + i >= 8U ? !q->ring.avail_wrap : q->ring.avail_wrap;
        test_ring_raw(&q->ring, at, TEST_RAM_GPA, 1,
                      (uint16_t)(TEST_NEXT | (wrap ? TEST_AVAIL : TEST_USED)), 0);
    }
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

static void test_hostile_packed_next_for_ever_is_latched(void **state)
{
    each_memory(state, 8, packed_next_for_ever);
}

/* (d) row 52: a packed chain longer than what is not in flight */
static void test_hostile_packed_chain_over_slots_in_flight_is_latched(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 4);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}, {TEST_RAM_GPA, 1, 0}};

    (void)test_ring_add(&q->ring, table, 2);
    (void)test_vq_take(q, 0);
    for (uint32_t i = 0; i < 4U; i++) { /* also over the two that are in flight */
        const bool wrap = i >= 2U;
        test_ring_raw(&q->ring, (2U + i) % 4U, TEST_RAM_GPA, 1,
                      (uint16_t)(TEST_NEXT | (wrap ? TEST_USED : TEST_AVAIL)), 1);
    }
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
    test_vq_free(q);
}

static void readable_after_writable(struct test_vq *q)
{
    const struct test_desc table[] = {
        {TEST_RAM_GPA, 8, 0}, {TEST_RAM_GPA, 8, TEST_WRITE}, {TEST_RAM_GPA, 8, 0}};

    (void)test_ring_add(&q->ring, table, 3);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

static void readable_after_writable_in_a_table(struct test_vq *q)
{
    const struct test_desc inner[] = {{TEST_RAM_GPA, 8, TEST_WRITE}, {TEST_RAM_GPA, 8, 0}};
    const struct test_desc outer = {test_ring_table(&q->ring, inner, 2), 32, TEST_INDIRECT};

    (void)test_ring_add(&q->ring, &outer, 1);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 7, I7, [split-2.1] [packed-2.1] */
static void test_hostile_readable_after_writable_is_latched(void **state)
{
    each_memory(state, 8, readable_after_writable);
    each_memory(state, 8, readable_after_writable_in_a_table);
}

/* (d) row 6, I4: the sum of all lengths stays below 2^32 */
static void test_hostile_total_length_over_32_bits_is_latched(void **state)
{
    /* under copies no address is checked early, so that lengths may be anything */
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    const struct test_desc table[] = {
        {TEST_RAM_GPA, 0xffffffffU, 0}, {TEST_RAM_GPA, 0, 0}, {TEST_RAM_GPA, 1, TEST_WRITE}};
    (void)test_ring_add(&q->ring, table, 3);
    test_vq_expect_fault(q, AVPS_E_GUEST_SIZE);
    (void)test_ring_add(&q->ring, table, 2); /* 2^32 - 1 is still fine */
    assert_int_equal(avps_chain_readable(test_vq_take(q, 0)), 0xffffffffU);
    test_vq_free(q);
}

/* (d) row 68, I3, [split-1.2] [packed-3.2]: more segments than the chain's storage */
static void test_hostile_too_many_segments_are_latched(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const struct test_desc table[] = {
            {TEST_RAM_GPA, 1, 0}, {TEST_RAM_GPA, 1, 0}, {TEST_RAM_GPA, 1, TEST_WRITE}};

        q->chain[TEST_CHAINS - 1U].seg_cap = 2;
        (void)test_ring_add(&q->ring, table, 3);
        assert_int_equal(test_vq_pop(q, TEST_CHAINS - 1U), AVPS_E_GUEST_SIZE);
        assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_SIZE);
        assert_int_equal(test_mem_live_maps(&q->mem), 0);
        test_vq_restart(q);
        test_vq_round(q); /* two segments fit */
        test_vq_free(q);
    }
}

/* (d) row 68: a buffer of 4 GiB is refused unless memory has it */
static void huge_length(struct test_vq *q)
{
    const struct test_desc table[] = {{TEST_RAM_GPA, 0xffffffffU, TEST_WRITE}};

    (void)test_ring_add(&q->ring, table, 1);
    if (!checks_late(q)) {
        test_vq_expect_fault(q, AVPS_E_GUEST_ADDR);
    } else {
        assert_int_equal(avps_chain_writable(test_vq_take(q, 0)), 0xffffffffU);
    }
}

static void test_hostile_huge_buffers_are_latched(void **state)
{
    each_memory(state, 8, huge_length);
}

/* ---- addresses ---- */

/* One descriptor with this range must fail, at the pop or at the first access. */
static void expect_bad_range(struct test_vq *q, const struct test_desc *desc,
                             enum avps_status status)
{
    uint8_t bytes[16] = {0};

    (void)test_ring_add(&q->ring, desc, 1);
    if (!checks_late(q) || desc->len - 1U > UINT64_MAX - desc->gpa) {
        test_vq_expect_fault(q, status);
        return;
    }
    struct avps_chain *chain = test_vq_take(q, 0);
    test_mem_freeze(&q->mem);
    if ((desc->flags & TEST_WRITE) != 0U) {
        assert_int_equal(avps_chain_write(chain, bytes, desc->len), status);
        assert_int_equal(chain->written, 0);
    } else {
        assert_int_equal(avps_chain_read(chain, bytes, desc->len), status);
    }
    test_vq_restart(q);
    test_vq_round(q);
}

static void bad_readable(struct test_vq *q)
{
    static const struct test_desc bad[] = {{TEST_HOLE_GPA, 8, 0},
                                           {0, 8, 0},
                                           {TEST_RAM_GPA - 4U, 8, 0},
                                           {TEST_ROM_GPA + TEST_ROM_SIZE - 4U, 8, 0},
                                           {TEST_HIGH_GPA + TEST_HIGH_SIZE - 1U, 2, 0},
                                           {UINT64_MAX - 3U, 8, 0},
                                           {UINT64_MAX, 2, 0}};

    for (size_t i = 0; i < 7U; i++) {
        expect_bad_range(q, &bad[i], AVPS_E_GUEST_ADDR);
    }
}

/* (d) row 15, I2: holes, before, after, over the end, over 2^64 */
static void test_hostile_range_outside_memory_is_refused_for_reading(void **state)
{
    each_memory(state, 8, bad_readable);
}

static void bad_writable(struct test_vq *q)
{
    static const struct test_desc bad[] = {
        {TEST_HOLE_GPA, 8, TEST_WRITE},      {0, 8, TEST_WRITE},
        {TEST_RAM_GPA - 4U, 8, TEST_WRITE},  {TEST_WOM_GPA + TEST_WOM_SIZE, 1, TEST_WRITE},
        {TEST_HIGH_GPA - 1U, 8, TEST_WRITE}, {UINT64_MAX - 3U, 8, TEST_WRITE},
        {UINT64_MAX, 2, TEST_WRITE}};

    for (size_t i = 0; i < 7U; i++) {
        expect_bad_range(q, &bad[i], AVPS_E_GUEST_ADDR);
    }
}

/* (d) row 15, I2 */
static void test_hostile_range_outside_memory_is_refused_for_writing(void **state)
{
    each_memory(state, 8, bad_writable);
}

static void bad_access(struct test_vq *q)
{
    const struct test_desc rom = {TEST_ROM_GPA, 8, TEST_WRITE};
    const struct test_desc wom = {TEST_WOM_GPA, 8, 0};

    expect_bad_range(q, &rom, AVPS_E_GUEST_ACCESS);
    expect_bad_range(q, &wom, AVPS_E_GUEST_ACCESS);
}

/* (d) row 15: read-only memory is not written, write-only memory is not read */
static void test_hostile_access_against_the_region_is_refused(void **state)
{
    each_memory(state, 8, bad_access);
}

static void good_access(struct test_vq *q)
{
    const struct test_desc table[] = {{TEST_ROM_GPA, 8, 0}, {TEST_WOM_GPA, 8, TEST_WRITE}};
    uint8_t bytes[8] = {0};

    test_mem_put(&q->mem, TEST_ROM_GPA, "read me!", 8);
    (void)test_ring_add(&q->ring, table, 2);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(avps_chain_read(chain, bytes, 8), AVPS_OK);
    assert_memory_equal(bytes, "read me!", 8);
    assert_int_equal(avps_chain_write(chain, "written!", 8), AVPS_OK);
    (void)test_vq_finish(q, 0);
    assert_memory_equal(test_mem_host(&q->mem, TEST_WOM_GPA, 8), "written!", 8);
}

/* The same regions with the access that they allow. */
static void test_hostile_access_with_the_region_is_served(void **state)
{
    each_memory(state, 8, good_access);
}

/* (d) row 15: in a later descriptor of the chain; nothing of the first is touched */
static void test_hostile_range_of_a_later_descriptor_is_refused(void **state)
{
    for (int kind = 0; kind < TEST_MEM_COPY; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const struct test_desc table[] = {
            {TEST_RAM_GPA, 8, 0}, {TEST_RAM_GPA + 64U, 8, TEST_WRITE}, {0, 8, TEST_WRITE}};

        (void)test_ring_add(&q->ring, table, 3);
        test_vq_expect_fault(q, AVPS_E_GUEST_ADDR);
        test_vq_free(q);
    }
}

/* (d) row 19, I26: buffers on the rings themselves hurt only the guest: the device's indices are
 * private */
static void test_hostile_buffer_over_the_used_ring_is_tolerated(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);
        const uint32_t len = q->config.packed ? 64 : 38;
        const struct test_desc table[] = {
            {q->config.packed ? q->ring.desc : q->ring.device, len, TEST_WRITE}};
        uint8_t junk[64];

        (void)memset(junk, 0xff, sizeof junk);
        (void)test_ring_add(&q->ring, table, 1);
        struct avps_chain *chain = test_vq_take(q, 0);
        assert_int_equal(avps_chain_write(chain, junk, len), AVPS_OK);
        (void)test_vq_finish(q, 0);
        assert_int_equal(q->vq.used_idx, 1);
        assert_int_equal(q->vq.in_flight, 0);
        test_vq_restart(q);
        test_vq_round(q);
        test_vq_free(q);
    }
}

/* (d) row 59, I19: the ring itself is no longer in memory: latched, never retried */
static void test_hostile_ring_that_vanishes_is_latched(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};

    (void)test_ring_add(&q->ring, table, 1);
    test_fail_at(&q->mem.fail, 1, AVPS_E_GUEST_ADDR);
    assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_ADDR);
    assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_ADDR);
    assert_int_equal(q->mem.fail.calls, 1);
    test_vq_restart(q);
    test_vq_round(q);
    test_vq_free(q);
}

/* (d) row 18, I19: a used ring that cannot be written is found out, not polled for ever */
static void test_hostile_used_ring_in_read_only_memory_is_latched(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_COPY, 8);
    bool more = true;

    q->config.device = TEST_ROM_GPA;
    test_vq_enable(q); /* copies cannot tell beforehand */
    assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
    avps_vq_arm(&q->vq, &more);
    assert_true(more); /* look again, and be told */
    assert_int_equal(test_vq_pop(q, 0), AVPS_E_GUEST_ACCESS);
    avps_vq_arm(&q->vq, &more);
    assert_false(more);
    test_vq_free(q);
}

/* ---- indirect tables ---- */

/* A head that points to a table of `len` bytes at `gpa`. */
static void add_table(struct test_vq *q, avps_gpa gpa, uint32_t len, uint16_t flags)
{
    const struct test_desc outer = {gpa, len, (uint16_t)(TEST_INDIRECT | flags)};

    (void)test_ring_add(&q->ring, &outer, 1);
}

static void table_of_bad_length(struct test_vq *q)
{
    static const uint32_t lens[] = {0, 1, 15, 17, 31, 16U * 32768U + 16U, 0xfffffff0U, 0xffffffffU};

    for (size_t i = 0; i < 8U; i++) {
        add_table(q, TEST_RAM_GPA + TEST_RAM_SIZE / 2U, lens[i], 0);
        test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
    }
}

/* (d) row 9, I6 */
static void test_hostile_indirect_table_of_bad_length_is_latched(void **state)
{
    each_memory(state, 8, table_of_bad_length);
}

/* (d) row 10, I6: INDIRECT without the feature */
static void test_hostile_indirect_without_the_feature_is_latched(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const struct test_desc inner = {TEST_RAM_GPA, 8, 0};

        add_table(q, test_ring_table(&q->ring, &inner, 1), 16, 0);
        test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
        test_vq_free(q);
    }
}

static void nested_table(struct test_vq *q)
{
    const struct test_desc leaf = {TEST_RAM_GPA, 8, 0};
    const struct test_desc inner = {test_ring_table(&q->ring, &leaf, 1), 16, TEST_INDIRECT};

    add_table(q, test_ring_table(&q->ring, &inner, 1), 16, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 11, I6 */
static void test_hostile_nested_table_is_latched(void **state)
{
    each_memory(state, 8, nested_table);
}

/* (d) row 12, I6: INDIRECT with NEXT */
static void indirect_and_next(struct test_vq *q)
{
    const struct test_desc inner = {TEST_RAM_GPA, 8, 0};
    const struct test_desc outer[] = {{test_ring_table(&q->ring, &inner, 1), 16, TEST_INDIRECT},
                                      {TEST_RAM_GPA, 8, TEST_WRITE}};

    (void)test_ring_add(&q->ring, outer, 2);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

static void test_hostile_indirect_with_next_is_latched(void **state)
{
    each_memory(state, 8, indirect_and_next);
}

/* (d) row 14: a packed buffer is one table or direct descriptors, not both */
static void direct_then_table(struct test_vq *q)
{
    const struct test_desc inner = {TEST_RAM_GPA, 8, 0};
    const struct test_desc outer[] = {{TEST_RAM_GPA, 8, 0},
                                      {test_ring_table(&q->ring, &inner, 1), 16, TEST_INDIRECT}};

    (void)test_ring_add(&q->ring, outer, 2);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

static void test_hostile_packed_table_after_direct_descriptors_is_latched(void **state)
{
    each_memory(state, 8, direct_then_table);
}

static void table_outside(struct test_vq *q)
{
    add_table(q, TEST_HOLE_GPA, 32, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_ADDR);
    add_table(q, UINT64_MAX - 15U, 32, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_ADDR);
    test_ring_raw_at(&q->ring, TEST_ROM_GPA + TEST_ROM_SIZE - 16U, TEST_RAM_GPA, 8,
                     (uint16_t)(q->config.packed ? 0U : TEST_NEXT), 1);
    add_table(q, TEST_ROM_GPA + TEST_ROM_SIZE - 16U, 32, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_ADDR);
    add_table(q, TEST_WOM_GPA, 32, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_ACCESS);
}

/* (d) rows 9 and 15, I2, I6: the table's range is checked like a buffer's */
static void test_hostile_indirect_table_outside_memory_is_latched(void **state)
{
    each_memory(state, 8, table_outside);
}

static void table_next_outside(struct test_vq *q)
{
    const avps_gpa at = test_mem_alloc(&q->mem, 64, 16);

    test_ring_raw_at(&q->ring, at + 48U, TEST_RAM_GPA, 8, 0, 0); /* good, but outside */
    test_ring_raw_at(&q->ring, at, TEST_RAM_GPA, 8, TEST_NEXT, 3);
    add_table(q, at, 48, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 3, I5: next within the queue's size but outside the table */
static void test_hostile_table_next_outside_the_table_is_latched(void **state)
{
    each_memory(state, 8, table_next_outside);
}

static void table_loop(struct test_vq *q)
{
    const avps_gpa at = test_mem_alloc(&q->mem, 48, 16);

    test_ring_raw_at(&q->ring, at, TEST_RAM_GPA, 1, TEST_NEXT, 1);
    test_ring_raw_at(&q->ring, at + 16U, TEST_RAM_GPA, 0, TEST_NEXT, 2);
    test_ring_raw_at(&q->ring, at + 32U, TEST_RAM_GPA, 1, TEST_NEXT, 1);
    add_table(q, at, 48, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 4, I3 */
static void test_hostile_table_loop_is_latched(void **state)
{
    each_memory(state, 8, table_loop);
}

/* A table may be the ring itself: read, never written. */
static void table_over_the_ring(struct test_vq *q)
{
    add_table(q, q->ring.desc, 16, 0);
    if (q->config.packed) { /* its one entry is read as a plain descriptor over the ring */
        assert_int_equal(avps_chain_readable(test_vq_take(q, 0)), 16);
    } else {
        test_vq_expect_fault(q, AVPS_E_GUEST_DESC); /* it names itself: nested */
    }
}

static void test_hostile_table_over_the_ring_is_bounded(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);
        q->config.indirect = true;
        test_vq_enable(q);
        table_over_the_ring(q);
        test_vq_free(q);
    }
}

/* ---- packed flags and ids ---- */

/* (d) row 50, [packed-2.2]: nothing is available unless AVAIL is the wrap counter and USED not */
static void test_hostile_packed_stale_flags_are_never_available(void **state)
{
    static const uint16_t flags[] = {0, TEST_USED, TEST_AVAIL | TEST_USED};

    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);

        for (size_t i = 0; i < 3U; i++) {
            test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 8, flags[i], 0);
            test_mem_freeze(&q->mem);
            assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
            assert_false(avps_vq_has_work(&q->vq));
            assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
        }
        test_ring_reset(&q->ring);
        test_vq_round(q);
        test_vq_free(q);
    }
}

/* (d) row 50: after one lap the meaning of the bits has turned */
static void test_hostile_packed_flags_of_the_last_lap_are_not_available(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 2);

    test_vq_round(q); /* two slots: one lap */
    assert_false(q->vq.avail_wrap);
    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 8, TEST_AVAIL, 0);
    assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 8, TEST_USED, 0);
    assert_int_equal(test_vq_pop(q, 0), AVPS_OK);
    test_vq_free(q);
}

static void packed_broken_chain(struct test_vq *q)
{
    test_ring_raw(&q->ring, q->ring.avail, TEST_RAM_GPA, 8,
                  (uint16_t)(test_ring_avail_bits(&q->ring) | TEST_NEXT), 0);
    test_ring_raw(&q->ring, (q->ring.avail + 1U) % 8U, TEST_RAM_GPA, 8, 0, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
}

/* (d) row 50: a chain whose second descriptor is not available */
static void test_hostile_packed_chain_with_a_stale_descriptor_is_latched(void **state)
{
    each_memory(state, 8, packed_broken_chain);
}

/* (d) row 51: the descriptor behind the ring's end with the bits of this lap */
static void test_hostile_packed_chain_with_wrong_wrap_is_latched(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
    q->config.avail_start = 3;
    q->config.used_start = 3;
    test_vq_enable(q);
    test_ring_raw(&q->ring, 3, TEST_RAM_GPA, 8, TEST_AVAIL | TEST_NEXT, 0);
    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 8, TEST_AVAIL, 0);
    test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
    test_vq_free(q);
}

static void packed_id_outside(struct test_vq *q)
{
    static const uint16_t ids[] = {8, 9, 0x7fff, 0x8000, 0xffff};

    for (size_t i = 0; i < 5U; i++) {
        test_ring_raw(&q->ring, q->ring.avail, TEST_RAM_GPA, 8, test_ring_avail_bits(&q->ring),
                      ids[i]);
        test_vq_expect_fault(q, AVPS_E_GUEST_DESC);
    }
}

/* (d) row 53, I26: ids are below the queue size here, as every known driver's are */
static void test_hostile_packed_id_outside_the_queue_is_latched(void **state)
{
    each_memory(state, 8, packed_id_outside);
}

/* (d) row 53: the id of a chain is that of its last descriptor */
static void test_hostile_packed_ids_of_inner_descriptors_are_ignored(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 4);

    test_ring_raw(&q->ring, 1, TEST_RAM_GPA, 8, TEST_AVAIL, 2);
    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 8, TEST_AVAIL | TEST_NEXT, 0xffff);
    assert_int_equal(test_vq_take(q, 0)->id, 2);
    (void)test_vq_finish(q, 0);
    assert_int_equal(test_mem_get16(&q->mem, test_ring_desc_at(&q->ring, 0) + 12U), 2);
    test_vq_free(q);
}

/* (d) row 57, I10: a driver that reuses slots it was not given back makes no room */
static void test_hostile_packed_overrun_takes_no_slot_in_flight(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 2);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}, {TEST_RAM_GPA, 8, 0}};

    (void)test_ring_add(&q->ring, table, 2);
    (void)test_vq_take(q, 0);
    test_ring_raw(&q->ring, 0, TEST_RAM_GPA, 8, TEST_USED, 1);
    assert_int_equal(test_vq_pop(q, 1), AVPS_EMPTY);
    assert_false(avps_vq_has_work(&q->vq));
    assert_int_equal(q->vq.slots_in_flight, 2);
    test_vq_free(q);
}

/* [packed-2.3]: a descriptor marked used is not written again while nothing new is there */
static void test_hostile_packed_used_descriptors_are_left_alone(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 4);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};
    bool flag = false;

    (void)test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    (void)test_vq_finish(q, 0);
    test_mem_freeze(&q->mem);
    assert_int_equal(avps_vq_publish(&q->vq, &flag), AVPS_OK);
    assert_int_equal(avps_vq_push(&q->vq, &q->chain[0]), AVPS_E_STATE);
    assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
    assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
    test_vq_free(q);
}

/* ---- memory that changes ---- */

/* (d) row 16, I1: descriptors, tables and buffers change after each read of them; the request is the
 * one that was read first, and no byte is fetched twice */
static void test_hostile_bytes_that_change_are_read_once(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_COPY, 8);
    q->config.indirect = true;
    test_vq_enable(q);
    const avps_gpa out = test_mem_alloc(&q->mem, 16, 1);
    const avps_gpa in = test_mem_alloc(&q->mem, 16, 1);
    const struct test_desc inner[] = {{out, 8, 0}, {out + 8U, 8, 0}, {in, 16, TEST_WRITE}};
    const avps_gpa at = test_ring_table(&q->ring, inner, 3);
    const struct test_desc outer = {at, 48, TEST_INDIRECT};
    uint8_t bytes[16] = {0};

    test_mem_put(&q->mem, out, "sixteen bytes!!!", 16);
    const uint16_t id = test_ring_add(&q->ring, &outer, 1);
    test_mem_race(&q->mem, at, 48);
    test_mem_race(&q->mem, out, 16);
    test_mem_race(&q->mem, q->ring.desc, q->config.packed ? 12 : 128);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(chain->id, id);
    assert_int_equal(avps_chain_writable(chain), 16);
    assert_int_equal(avps_chain_read(chain, bytes, 16), AVPS_OK);
    assert_memory_equal(bytes, "sixteen bytes!!!", 16);
    assert_int_equal(avps_chain_write(chain, "answer", 6), AVPS_OK);
    assert_int_equal(q->mem.rereads, 0);
    (void)test_vq_finish(q, 0);
    assert_memory_equal(test_mem_host(&q->mem, in, 6), "answer", 6);
    test_vq_free(q);
}

/* (d) row 16, I26: flags of a packed descriptor that change under the device's eyes: the first
 * reading decides */
static void test_hostile_packed_flags_that_change_count_as_first_read(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 4);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};

    (void)test_ring_add(&q->ring, table, 1);
    test_mem_race(&q->mem, q->ring.desc + 14U, 2);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(avps_chain_readable(chain), 8); /* the flip would have made it WRITE|NEXT */
    assert_int_equal(avps_chain_writable(chain), 0);
    assert_int_equal(chain->slots, 1);
    test_vq_free(q);
}

/* (d) row 16: the available ring changes after the head was read */
static void test_hostile_split_head_that_changes_counts_as_first_read(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};
    const uint16_t id = test_ring_add(&q->ring, table, 1);

    test_mem_race(&q->mem, q->ring.driver + 2U, 4); /* idx and the first entry */
    assert_int_equal(test_vq_take(q, 0)->id, id);
    assert_int_equal(q->mem.rereads, 0);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, id, 0);
    test_vq_free(q);
}

/* I1, I36: any bytes at all, from a stream: every call ends in a documented status */
static void test_hostile_random_memory_never_breaks_the_parser(void **state)
{
    static uint8_t noise[4096];
    uint32_t seed = 12345;

    for (int round = 0; round < 400; round++) {
        struct test_vq *q = test_vq_new(state, TEST_MEM_STREAM, 16);
        q->config.indirect = (round & 1) != 0;
        q->config.event_idx = (round & 2) != 0;
        for (size_t i = 0; i < sizeof noise; i++) {
            seed = seed * 1664525U + 1013904223U;
            noise[i] = (uint8_t)((seed >> 24) & (round % 3 == 0 ? 0xffU : 0x87U));
        }
        assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_OK);
        q->mem.stream = noise;
        q->mem.stream_len = sizeof noise;
        for (size_t i = 0; i < TEST_CHAINS; i++) {
            const enum avps_status status = test_vq_pop(q, i);
            uint8_t byte = 0;

            if (status == AVPS_OK) {
                assert_true(q->chain[i].id < 16U);
                assert_true(q->chain[i].readable_segs + q->chain[i].writable_segs <=
                            TEST_CHAIN_SEGS);
                if (avps_chain_readable(&q->chain[i]) != 0U) {
                    assert_int_equal(avps_chain_read(&q->chain[i], &byte, 1), AVPS_OK);
                }
                (void)test_vq_finish(q, i);
            } else {
                assert_true(status == AVPS_EMPTY || avps_status_is_guest_fault(status));
            }
        }
        assert_int_equal(q->vq.in_flight, 0);
        test_vq_free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SPLIT(test_hostile_avail_idx_jump_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_avail_idx_going_back_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_avail_idx_is_judged_near_the_wrap, NULL, NULL),
        TEST_SPLIT(test_hostile_overrun_of_chains_in_flight_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_head_outside_the_table_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_duplicate_in_flight_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_head_may_be_reused_after_its_return, NULL, NULL),
        TEST_SPLIT(test_hostile_next_outside_the_table_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_loop_ends_and_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_loop_takes_no_more_steps_than_the_table_has, NULL, NULL),
        TEST_PACKED(test_hostile_packed_next_for_ever_is_latched, NULL, NULL),
        TEST_PACKED(test_hostile_packed_chain_over_slots_in_flight_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_readable_after_writable_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_total_length_over_32_bits_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_too_many_segments_are_latched, NULL, NULL),
        TEST_BOTH(test_hostile_huge_buffers_are_latched, NULL, NULL),
        TEST_BOTH(test_hostile_range_outside_memory_is_refused_for_reading, NULL, NULL),
        TEST_BOTH(test_hostile_range_outside_memory_is_refused_for_writing, NULL, NULL),
        TEST_BOTH(test_hostile_access_against_the_region_is_refused, NULL, NULL),
        TEST_BOTH(test_hostile_access_with_the_region_is_served, NULL, NULL),
        TEST_BOTH(test_hostile_range_of_a_later_descriptor_is_refused, NULL, NULL),
        TEST_BOTH(test_hostile_buffer_over_the_used_ring_is_tolerated, NULL, NULL),
        TEST_BOTH(test_hostile_ring_that_vanishes_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_used_ring_in_read_only_memory_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_indirect_table_of_bad_length_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_indirect_without_the_feature_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_nested_table_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_indirect_with_next_is_latched, NULL, NULL),
        TEST_PACKED(test_hostile_packed_table_after_direct_descriptors_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_indirect_table_outside_memory_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_table_next_outside_the_table_is_latched, NULL, NULL),
        TEST_SPLIT(test_hostile_table_loop_is_latched, NULL, NULL),
        TEST_BOTH(test_hostile_table_over_the_ring_is_bounded, NULL, NULL),
        TEST_PACKED(test_hostile_packed_stale_flags_are_never_available, NULL, NULL),
        TEST_PACKED(test_hostile_packed_flags_of_the_last_lap_are_not_available, NULL, NULL),
        TEST_PACKED(test_hostile_packed_chain_with_a_stale_descriptor_is_latched, NULL, NULL),
        TEST_PACKED(test_hostile_packed_chain_with_wrong_wrap_is_latched, NULL, NULL),
        TEST_PACKED(test_hostile_packed_id_outside_the_queue_is_latched, NULL, NULL),
        TEST_PACKED(test_hostile_packed_ids_of_inner_descriptors_are_ignored, NULL, NULL),
        TEST_PACKED(test_hostile_packed_overrun_takes_no_slot_in_flight, NULL, NULL),
        TEST_PACKED(test_hostile_packed_used_descriptors_are_left_alone, NULL, NULL),
        TEST_BOTH(test_hostile_bytes_that_change_are_read_once, NULL, NULL),
        TEST_PACKED(test_hostile_packed_flags_that_change_count_as_first_read, NULL, NULL),
        TEST_SPLIT(test_hostile_split_head_that_changes_counts_as_first_read, NULL, NULL),
        TEST_BOTH(test_hostile_random_memory_never_breaks_the_parser, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
