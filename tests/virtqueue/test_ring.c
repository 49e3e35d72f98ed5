/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtqueues with a well-behaved driver, each test over both ring formats and, where memory
 * matters, over every memory contract: chains -> used elements -> positions and wraps ->
 * notifications -> bursts. */
#include "support/queue.h"

/* ---- chains ---- */

static void test_ring_serves_a_request_under_every_memory_contract(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);

        for (int i = 0; i < 40; i++) {
            test_vq_round(q);
        }
        assert_int_equal(q->vq.in_flight, 0);
        test_vq_free(q);
    }
}

/* (d) row 14, I7, [split-1.1] [packed-3.1] any arrangement of descriptors is the same request */
static void test_ring_sees_the_same_bytes_in_any_framing(void **state)
{
    static const uint32_t frames[][4] = {{12, 0, 0, 0}, {1, 11, 0, 0}, {5, 3, 4, 0}, {3, 3, 3, 3}};

    for (size_t f = 0; f < 4U; f++) {
        struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
        struct test_desc table[4];
        uint8_t bytes[12] = {0};
        uint32_t count = 0;
        uint32_t off = 0;

        for (; count < 4U && frames[f][count] != 0U; count++) {
            table[count].gpa = test_mem_alloc(&q->mem, frames[f][count], 1);
            table[count].len = frames[f][count];
            table[count].flags = 0;
            test_mem_put(&q->mem, table[count].gpa, &"hello, world"[off], frames[f][count]);
            off += frames[f][count];
        }
        (void)test_ring_add(&q->ring, table, count);
        struct avps_chain *chain = test_vq_take(q, 0);
        assert_int_equal(chain->readable_segs, count);
        assert_int_equal(avps_chain_read(chain, bytes, 12), AVPS_OK);
        assert_memory_equal(bytes, "hello, world", 12);
        test_vq_free(q);
    }
}

/* (d) row 8, I2: a zero-length descriptor is an empty element */
static void test_ring_accepts_zero_length_descriptors(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 16, 1);
        const struct test_desc table[] = {{TEST_HOLE_GPA, 0, 0},
                                          {gpa, 4, 0},
                                          {gpa, 0, 0},
                                          {TEST_HOLE_GPA, 0, TEST_WRITE},
                                          {gpa + 8U, 8, TEST_WRITE},
                                          {gpa, 0, TEST_WRITE}};
        const uint16_t id = test_ring_add(&q->ring, table, 6);
        struct avps_chain *chain = test_vq_take(q, 0);

        assert_int_equal(chain->readable_segs, 1);
        assert_int_equal(chain->writable_segs, 1);
        assert_int_equal(avps_chain_readable(chain), 4);
        assert_int_equal(avps_chain_writable(chain), 8);
        assert_int_equal(avps_chain_write(chain, "12345678", 8), AVPS_OK);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 8);
        test_vq_free(q);
    }
}

/* (d) row 8: a chain of nothing is legal and comes back with length 0 */
static void test_ring_returns_an_empty_chain(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);
        const struct test_desc table[] = {{0, 0, 0}, {0, 0, TEST_WRITE}};
        const uint16_t id = test_ring_add(&q->ring, table, 2);
        struct avps_chain *chain = test_vq_take(q, 0);

        assert_int_equal(avps_chain_readable(chain), 0);
        assert_int_equal(avps_chain_writable(chain), 0);
        assert_int_equal(q->mem.map_calls, 0);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 0);
        test_vq_free(q);
    }
}

static void test_ring_follows_a_chain_as_long_as_the_queue(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 64);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 64, 1);
    struct test_desc table[64];

    for (uint32_t i = 0; i < 64U; i++) {
        table[i] = (struct test_desc){gpa + i, 1, i < 32U ? 0 : TEST_WRITE};
    }
    for (int round = 0; round < 3; round++) {
        const uint16_t id = test_ring_add(&q->ring, table, 64);
        struct avps_chain *chain = test_vq_take(q, 0);

        assert_int_equal(chain->readable_segs, 32);
        assert_int_equal(chain->writable_segs, 32);
        assert_int_equal(test_vq_pop(q, 1), AVPS_EMPTY);
        assert_int_equal(avps_chain_write_zeroes(chain, 32), AVPS_OK);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 32);
    }
    test_vq_free(q);
}

/* [split-3.2] [packed-3.1]: an indirect table, read and written through */
static void test_ring_follows_an_indirect_table(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 4);
        q->config.indirect = true;
        test_vq_enable(q);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 32, 1);
        const struct test_desc inner[] = {
            {gpa, 6, 0}, {gpa + 6U, 2, 0}, {gpa + 8U, 8, TEST_WRITE}, {gpa + 16U, 16, TEST_WRITE}};
        const struct test_desc outer = {test_ring_table(&q->ring, inner, 4), 64, TEST_INDIRECT};
        uint8_t bytes[8] = {0};

        test_mem_put(&q->mem, gpa, "indirect", 8);
        const uint16_t id = test_ring_add(&q->ring, &outer, 1);
        struct avps_chain *chain = test_vq_take(q, 0);
        assert_int_equal(avps_chain_read(chain, bytes, 8), AVPS_OK);
        assert_memory_equal(bytes, "indirect", 8);
        assert_int_equal(avps_chain_writable(chain), 24);
        assert_int_equal(avps_chain_write(chain, "0123456789", 10), AVPS_OK);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 10);
        assert_memory_equal(test_mem_host(&q->mem, gpa + 8U, 10), "0123456789", 10);
        test_vq_free(q);
    }
}

/* (d) row 4: the table of an indirect chain may be longer than the queue */
static void test_ring_follows_an_indirect_table_longer_than_the_queue(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
    q->config.indirect = true;
    test_vq_enable(q);
    struct test_desc inner[200];
    const avps_gpa gpa = test_mem_alloc(&q->mem, 200, 1);

    for (uint32_t i = 0; i < 200U; i++) {
        inner[i] = (struct test_desc){gpa + i, 1, TEST_WRITE};
    }
    const struct test_desc outer = {test_ring_table(&q->ring, inner, 200), 3200, TEST_INDIRECT};
    const uint16_t id = test_ring_add(&q->ring, &outer, 1);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(chain->writable_segs, 200);
    assert_int_equal(avps_chain_write_zeroes(chain, 200), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, id, 200);
    test_vq_free(q);
}

/* A table at an odd address is read by copies, a page-crossing one entry by entry. */
static void test_ring_reads_indirect_tables_anywhere(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 4);
        q->config.indirect = true;
        test_vq_enable(q);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 16, 1);
        /* over the seam of RAM and SECOND, which is also a page border, at an odd address */
        const avps_gpa at = TEST_RAM_GPA + TEST_RAM_SIZE - 16U - 7U;
        const uint16_t next = (uint16_t)(q->config.packed ? 0U : TEST_NEXT);

        test_ring_raw_at(&q->ring, at, gpa, 8, next, 1);
        test_ring_raw_at(&q->ring, at + 16U, gpa + 8U, 8, TEST_WRITE, 0);
        const struct test_desc outer = {at, 32, TEST_INDIRECT};
        const uint16_t id = test_ring_add(&q->ring, &outer, 1);
        struct avps_chain *chain = test_vq_take(q, 0);
        assert_int_equal(avps_chain_readable(chain), 8);
        assert_int_equal(avps_chain_writable(chain), 8);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 0);
        test_vq_free(q);
    }
}

/* (d) row 13, [split-3.1]: WRITE on the descriptor of the table says nothing */
static void test_ring_ignores_write_on_the_indirect_descriptor(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
    q->config.indirect = true;
    test_vq_enable(q);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 16, 1);
    const struct test_desc inner[] = {{gpa, 8, 0}, {gpa + 8U, 8, TEST_WRITE}};
    const struct test_desc outer = {test_ring_table(&q->ring, inner, 2), 32,
                                    TEST_INDIRECT | TEST_WRITE};

    (void)test_ring_add(&q->ring, &outer, 1);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(avps_chain_readable(chain), 8);
    assert_int_equal(avps_chain_writable(chain), 8);
    test_vq_free(q);
}

/* (d) row 14, I6, [split-3.2]: direct descriptors, then one table */
static void test_ring_follows_direct_descriptors_then_a_table(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    q->config.indirect = true;
    test_vq_enable(q);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 32, 1);
    const struct test_desc inner[] = {{gpa + 8U, 8, 0}, {gpa + 16U, 16, TEST_WRITE}};
    const struct test_desc outer[] = {
        {gpa, 4, 0}, {gpa + 4U, 4, 0}, {test_ring_table(&q->ring, inner, 2), 32, TEST_INDIRECT}};
    uint8_t bytes[16] = {0};

    test_mem_put(&q->mem, gpa, "sixteen bytes!!!", 16);
    const uint16_t id = test_ring_add(&q->ring, outer, 3);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(avps_chain_read(chain, bytes, 16), AVPS_OK);
    assert_memory_equal(bytes, "sixteen bytes!!!", 16);
    assert_int_equal(avps_chain_writable(chain), 16);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, id, 0);
    test_vq_free(q);
}

/* (d) rows 11 and 54: in a packed table only WRITE counts */
static void test_ring_packed_table_is_positional(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
    q->config.indirect = true;
    test_vq_enable(q);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 24, 1);
    const avps_gpa at = test_mem_alloc(&q->mem, 48, 16);

    test_ring_raw_at(&q->ring, at, gpa, 8, TEST_NEXT | TEST_AVAIL, 0xffff);
    test_ring_raw_at(&q->ring, at + 16U, gpa + 8U, 8, TEST_INDIRECT | TEST_USED, 77);
    test_ring_raw_at(&q->ring, at + 32U, gpa + 16U, 8, TEST_WRITE | TEST_NEXT, 3);
    const struct test_desc outer = {at, 48, TEST_INDIRECT};
    const uint16_t id = test_ring_add(&q->ring, &outer, 1);
    struct avps_chain *chain = test_vq_take(q, 0);
    assert_int_equal(chain->id, id);
    assert_int_equal(avps_chain_readable(chain), 16);
    assert_int_equal(avps_chain_writable(chain), 8);
    test_vq_free(q);
}

/* (d) row 15: a range over the seam of two regions becomes two segments */
static void test_ring_splits_a_buffer_at_a_region_border(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);
        const avps_gpa seam = TEST_RAM_GPA + TEST_RAM_SIZE;
        const struct test_desc table[] = {{seam - 4U, 12, TEST_WRITE}};
        const uint16_t id = test_ring_add(&q->ring, table, 1);
        struct avps_chain *chain = test_vq_take(q, 0);

        assert_int_equal(avps_chain_writable(chain), 12);
        assert_int_equal(avps_chain_write(chain, "over the top", 12), AVPS_OK);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 12);
        assert_memory_equal(test_mem_host(&q->mem, seam - 4U, 4), "over", 4);
        assert_memory_equal(test_mem_host(&q->mem, seam, 8), " the top", 8);
        test_vq_free(q);
    }
}

/* The last byte of the address space is an address like any other. */
static void test_ring_reaches_the_end_of_the_address_space(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);
        const struct test_desc table[] = {{UINT64_MAX - 7U, 8, 0}, {UINT64_MAX, 1, TEST_WRITE}};
        uint8_t bytes[8] = {0};

        test_mem_put(&q->mem, UINT64_MAX - 7U, "very end", 8);
        const uint16_t id = test_ring_add(&q->ring, table, 2);
        struct avps_chain *chain = test_vq_take(q, 0);
        assert_int_equal(avps_chain_read(chain, bytes, 8), AVPS_OK);
        assert_memory_equal(bytes, "very end", 8);
        assert_int_equal(avps_chain_write(chain, "!", 1), AVPS_OK);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 1);
        test_vq_free(q);
    }
}

/* [split-2.1] [packed-2.1]: nothing but the writable bytes and the ring is written */
static void test_ring_writes_nothing_but_what_it_reports(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const avps_gpa out = test_mem_alloc(&q->mem, 64, 1);
        const avps_gpa in = test_mem_alloc(&q->mem, 64, 1);
        const struct test_desc table[] = {{out, 64, 0}, {in, 64, TEST_WRITE}};

        (void)test_ring_add(&q->ring, table, 2);
        test_mem_freeze(&q->mem);
        struct avps_chain *chain = test_vq_take(q, 0);
        assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
        assert_int_equal(avps_chain_write(chain, "abc", 3), AVPS_OK);
        (void)test_vq_finish(q, 0);
        const struct test_buffer allowed[] = {
            {in, 3},
            {q->config.packed ? test_ring_desc_at(&q->ring, 0) + 8U : q->ring.device + 2U,
             q->config.packed ? 8 : 10}};
        assert_int_equal(test_mem_changed(&q->mem, allowed, 2), 0);
        test_vq_free(q);
    }
}

/* ---- used elements ---- */

/* [packed-1.1] [packed-1.2]: taken in order, returned in the order of completion */
static void test_ring_returns_chains_out_of_order(void **state)
{
    static const size_t order[] = {2, 0, 3, 1};
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 16);
    const avps_gpa gpa = test_mem_alloc(&q->mem, 64, 1);

    for (int round = 0; round < 20; round++) {
        uint16_t ids[4];

        for (uint32_t i = 0; i < 4U; i++) {
            const struct test_desc table[] = {
                {gpa, 1, 0}, {gpa + 1U, 2, 0}, {gpa + 8U + i, 1, TEST_WRITE}};
            ids[i] = test_ring_add(&q->ring, table, 1U + i % 3U);
        }
        for (size_t i = 0; i < 4U; i++) {
            assert_int_equal(test_vq_take(q, i)->id, ids[i]);
        }
        assert_int_equal(q->vq.in_flight, 4);
        for (size_t i = 0; i < 4U; i++) {
            (void)test_vq_finish(q, order[i]);
            test_vq_expect_used(q, ids[order[i]], 0);
        }
        test_vq_expect_none(q);
    }
    test_vq_free(q);
}

/* [split-5.1] I25: elements are not visible before the publish, then all are */
static void test_ring_publishes_a_batch_at_once(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 8, 1);
        const struct test_desc table[] = {{gpa, 8, TEST_WRITE}};
        uint16_t ids[3];
        bool notify = false;

        for (size_t i = 0; i < 3U; i++) {
            ids[i] = test_ring_add(&q->ring, table, 1);
        }
        for (size_t i = 0; i < 3U; i++) {
            struct avps_chain *chain = test_vq_take(q, i);
            assert_int_equal(avps_chain_write_zeroes(chain, (uint32_t)i), AVPS_OK);
            assert_int_equal(avps_vq_push(&q->vq, chain), AVPS_OK);
            test_vq_expect_none(q);
        }
        assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
        assert_true(notify);
        for (uint32_t i = 0; i < 3U; i++) {
            test_vq_expect_used(q, ids[i], i);
        }
        test_vq_expect_none(q);
        assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
        assert_false(notify); /* nothing new */
        test_vq_free(q);
    }
}

/* I10: a chain can be returned once only, and only one that was taken */
static void test_ring_refuses_to_return_a_chain_twice(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 8, 0}};

    const uint16_t id = test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, id, 0);
    test_mem_freeze(&q->mem);
    assert_int_equal(avps_vq_push(&q->vq, &q->chain[0]), AVPS_E_STATE);
    q->chain[1].id = 8;
    assert_int_equal(avps_vq_push(&q->vq, &q->chain[1]), AVPS_E_STATE);
    avps_vq_unpop(&q->vq, &q->chain[0]);
    avps_vq_drop(&q->vq, &q->chain[0]);
    assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
    assert_int_equal(q->vq.in_flight, 0);
    test_vq_round(q);
    test_vq_free(q);
}

static void test_ring_takes_the_same_chain_again_after_unpop(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);

        for (int i = 0; i < 11; i++) { /* over every ring position */
            const avps_gpa gpa = test_mem_alloc(&q->mem, 8, 1);
            const struct test_desc table[] = {{gpa, 4, 0}, {gpa + 4U, 4, TEST_WRITE}};
            const uint16_t id = test_ring_add(&q->ring, table, 2);
            const uint16_t second = test_ring_add(&q->ring, table, 2);

            assert_int_equal(test_vq_take(q, 0)->id, id);
            assert_int_equal(test_vq_take(q, 1)->id, second);
            avps_vq_unpop(&q->vq, &q->chain[1]); /* newest first */
            avps_vq_unpop(&q->vq, &q->chain[0]);
            assert_int_equal(q->vq.in_flight, 0);
            assert_true(avps_vq_has_work(&q->vq));
            assert_int_equal(test_vq_take(q, 0)->id, id);
            assert_int_equal(test_vq_take(q, 1)->id, second);
            (void)test_vq_finish(q, 0);
            (void)test_vq_finish(q, 1);
            test_vq_expect_used(q, id, 0);
            test_vq_expect_used(q, second, 0);
        }
        test_vq_free(q);
    }
}

static void test_ring_forgets_dropped_chains(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 4);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 8, 1);
        const struct test_desc table[] = {{gpa, 8, TEST_WRITE}, {gpa, 8, TEST_WRITE}};

        (void)test_ring_add(&q->ring, table, 2);
        struct avps_chain *chain = test_vq_take(q, 0);
        avps_vq_drop(&q->vq, chain);
        assert_int_equal(q->vq.in_flight, 0);
        assert_int_equal(q->vq.slots_in_flight, 0);
        assert_int_equal(test_mem_live_maps(&q->mem), 0);
        assert_int_equal(avps_vq_push(&q->vq, chain), AVPS_E_STATE);
        test_vq_expect_none(q);
        test_vq_free(q);
    }
}

/* I10, (d) row 57: in flight is bounded by the queue, also when every slot is taken */
static void test_ring_holds_as_many_chains_as_it_has_descriptors(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
    uint16_t ids[8];

    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < 8U; i++) {
            ids[i] = test_ring_add(&q->ring, table, 1);
            assert_int_equal(test_vq_take(q, i)->id, ids[i]);
        }
        assert_int_equal(q->vq.in_flight, 8);
        assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
        assert_false(avps_vq_has_work(&q->vq));
        for (size_t i = 8; i > 0U; i--) {
            (void)test_vq_finish(q, i - 1U);
            test_vq_expect_used(q, ids[i - 1U], 0);
        }
    }
    test_vq_free(q);
}

/* ---- positions and wraps ---- */

/* (d) row 58: 16-bit indices pass 65535 */
static void test_ring_wraps_its_indices(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
    if (!q->config.packed) {
        q->config.avail_start = 65530;
        q->config.used_start = 65530;
    }
    test_vq_enable(q);
    for (int i = 0; i < 20; i++) {
        test_vq_round(q);
    }
    if (!q->config.packed) {
        assert_int_equal(q->vq.avail_idx, 14);
        assert_int_equal(test_ring_used_idx(&q->ring), 14);
    }
    test_vq_free(q);
}

/* (d) row 58: all 65536 indices and more, with a batch across the wrap */
static void test_ring_runs_for_seventy_thousand_requests(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 16);
    const struct test_desc table[] = {{TEST_RAM_GPA, 4, 0}, {TEST_RAM_GPA + 4U, 4, TEST_WRITE}};

    for (uint32_t i = 0; i < 70000U; i += 5U) {
        uint16_t ids[5];

        for (size_t k = 0; k < 5U; k++) {
            ids[k] = test_ring_put(&q->ring, table, 2);
        }
        test_ring_publish(&q->ring);
        for (size_t k = 0; k < 5U; k++) {
            assert_int_equal(test_vq_take(q, k)->id, ids[k]);
            assert_int_equal(avps_vq_push(&q->vq, &q->chain[k]), AVPS_OK);
        }
        bool notify = false;
        assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
        for (size_t k = 0; k < 5U; k++) {
            test_vq_expect_used(q, ids[k], 0);
        }
    }
    assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
    test_vq_free(q);
}

/* (d) row 20: every size of a small packed queue, every power of two of a split one; chains of
 * every length at every position (d) row 51 */
static void test_ring_works_at_every_small_size(void **state)
{
    for (uint32_t size = 1; size <= 17U; size++) {
        if (!test_is_packed(state) && (size & (size - 1U)) != 0U) {
            continue;
        }
        struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, size);
        struct test_desc table[17];

        for (uint32_t i = 0; i < 17U; i++) {
            table[i] = (struct test_desc){TEST_RAM_GPA + i, 1, 0};
        }
        for (uint32_t round = 0; round < 6U * size + 3U; round++) {
            const uint32_t count = round % size + 1U;
            const uint16_t id = test_ring_add(&q->ring, table, count);

            assert_int_equal(avps_chain_readable(test_vq_take(q, 0)), count);
            (void)test_vq_finish(q, 0);
            test_vq_expect_used(q, id, 0);
        }
        test_vq_free(q);
    }
}

/* (d) row 20: sizes at the upper end */
static void test_ring_works_at_the_largest_sizes(void **state)
{
    static const uint32_t sizes[] = {32768, 16384, 32767, 20001};

    for (size_t s = 0; s < 4U; s++) {
        if (!test_is_packed(state) && s >= 2U) {
            continue;
        }
        struct test_vq *q = test_vq_new_sized(state, TEST_MEM_REGIONS, sizes[s], 0x200000);
        q->config.avail_start = (uint16_t)(sizes[s] - 3U);
        q->config.used_start = q->config.avail_start;
        test_vq_enable(q);
        for (int i = 0; i < 5; i++) {
            test_vq_round(q); /* over the end of the ring */
        }
        test_vq_free(q);
    }
}

/* All 32768 descriptors in flight, each a chain of its own; I10 */
static void test_ring_fills_the_largest_queue(void **state)
{
    struct test_vq *q = test_vq_new_sized(state, TEST_MEM_REGIONS, 32768, 0x200000);
    test_vq_enable(q);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
    struct avps_chain chain = {0};
    struct avps_seg seg;
    struct test_used used = {0, 0};
    bool notify = false;

    for (uint32_t i = 0; i < 32768U; i++) {
        (void)test_ring_put(&q->ring, table, 1);
    }
    test_ring_publish(&q->ring);
    avps_chain_init(&chain, &seg, 1);
    for (uint32_t i = 0; i < 32768U; i++) {
        assert_int_equal(avps_vq_pop(&q->vq, &chain), AVPS_OK);
        assert_int_equal(chain.id, i);
    }
    assert_int_equal(q->vq.in_flight, 32768);
    assert_int_equal(avps_vq_pop(&q->vq, &chain), AVPS_EMPTY);
    for (uint32_t i = 32768; i > 0U; i--) {
        chain.id = (uint16_t)(i - 1U);
        chain.slots = 1;
        assert_int_equal(avps_vq_push(&q->vq, &chain), AVPS_OK);
    }
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    assert_true(notify);
    for (uint32_t i = 32768; i > 0U; i--) {
        assert_true(test_ring_reap(&q->ring, &used));
        assert_int_equal(used.id, i - 1U);
    }
    assert_int_equal(q->vq.in_flight, 0);
    test_vq_free(q);
}

/* Resume in the middle, with each wrap counter. */
static void test_ring_resumes_at_a_position(void **state)
{
    for (uint16_t position = 0; position < 6U; position++) {
        for (int wrap = 0; wrap < 2; wrap++) {
            struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, test_is_packed(state) ? 6 : 8);
            q->config.avail_start = position;
            q->config.used_start = position;
            q->config.avail_wrap = wrap != 0;
            q->config.used_wrap = wrap != 0;
            test_vq_enable(q);
            assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
            for (int i = 0; i < 9; i++) {
                test_vq_round(q);
            }
            test_vq_free(q);
        }
    }
}

/* (d) row 51: AVAIL and USED of the descriptors behind the ring's end are those of the next lap */
static void test_ring_packed_chain_wraps_the_end_of_the_ring(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 5);
    q->config.avail_start = 3;
    q->config.used_start = 3;
    test_vq_enable(q);
    const struct test_desc table[] = {
        {TEST_RAM_GPA, 1, 0}, {TEST_RAM_GPA, 1, 0}, {TEST_RAM_GPA, 1, 0}, {TEST_RAM_GPA, 1, 0}};
    const uint16_t id = test_ring_add(&q->ring, table, 4);

    assert_int_equal(test_mem_get16(&q->mem, test_ring_desc_at(&q->ring, 0) + 14U),
                     TEST_USED | TEST_NEXT);
    assert_int_equal(test_vq_take(q, 0)->slots, 4);
    assert_int_equal(q->vq.avail_idx, 2);
    assert_false(q->vq.avail_wrap);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, id, 0);
    test_vq_round(q);
    test_vq_free(q);
}

/* ---- notifications ---- */

/* [split-4.2] [split-4.3]: by flag, without EVENT_IDX */
static void test_ring_obeys_the_interrupt_flag(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};

    for (int on = 0; on < 2; on++) {
        test_ring_interrupts(&q->ring, on != 0);
        (void)test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, 0);
        assert_int_equal(test_vq_finish(q, 0), on);
    }
    test_vq_free(q);
}

/* (d) row 49: undefined bits of the driver's flags are ignored */
static void test_ring_ignores_undefined_flag_bits(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
    const avps_gpa flags = q->ring.driver + (q->config.packed ? 2U : 0U);

    test_mem_put16(&q->mem, flags, 0xfffc);
    (void)test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    assert_true(test_vq_finish(q, 0));
    test_mem_put16(&q->mem, flags, 0xfffd);
    (void)test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    assert_false(test_vq_finish(q, 0));
    test_vq_free(q);
}

/* (d) row 48, [split-4.1]: without EVENT_IDX the event position means nothing */
static void test_ring_ignores_the_event_without_event_idx(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};

    for (uint16_t event = 0; event < 20U; event++) {
        if (q->config.packed) { /* (d) row 55: DESC without EVENT_IDX is "enable" */
            test_ring_event(&q->ring, event, true, 2);
        } else {
            test_ring_used_event(&q->ring, event);
        }
        (void)test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, 0);
        assert_true(test_vq_finish(q, 0));
        test_vq_expect_used(q, q->chain[0].id, 0);
    }
    test_vq_free(q);
}

/* (d) row 47, [split-4.4]: with EVENT_IDX the lower flag bit means nothing */
static void test_ring_split_ignores_the_flag_with_event_idx(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    q->config.event_idx = true;
    test_vq_enable(q);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};

    test_ring_interrupts(&q->ring, false);
    test_ring_used_event(&q->ring, 0);
    (void)test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    assert_true(test_vq_finish(q, 0));
    test_vq_free(q);
}

/* Whether the step of a batch from `old` to `now` passes `event`, counted one by one. */
static bool passes(uint32_t old, uint32_t now, uint32_t event)
{
    return event >= old && event < now;
}

/* [split-4.5] [split-4.6]: exactly when the index passes used_event, at every place, over the wrap
 */
static void test_ring_split_notifies_exactly_at_used_event(void **state)
{
    for (uint32_t start = 65533; start < 65536U + 2U; start++) {
        for (uint32_t event = 65530; event < 65536U + 8U; event++) {
            for (uint32_t batch = 1; batch <= 4U; batch++) {
                struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
                q->config.event_idx = true;
                q->config.avail_start = (uint16_t)start;
                q->config.used_start = (uint16_t)start;
                test_vq_enable(q);
                const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
                bool notify = false;

                test_ring_used_event(&q->ring, (uint16_t)event);
                for (size_t i = 0; i < batch; i++) {
                    (void)test_ring_add(&q->ring, table, 1);
                    (void)test_vq_take(q, i);
                    assert_int_equal(avps_vq_push(&q->vq, &q->chain[i]), AVPS_OK);
                }
                assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
                assert_int_equal(notify, passes(start, start + batch, event));
                test_vq_free(q);
            }
        }
    }
}

/* [packed-x3] the same for off_wrap, at every place of a ring of odd size */
static void test_ring_packed_notifies_exactly_at_the_event_position(void **state)
{
    const uint32_t size = 5;

    for (uint32_t start = 0; start < 2U * size; start++) {
        for (uint32_t event = 0; event < 2U * size; event++) {
            for (uint32_t batch = 1; batch <= size; batch++) {
                struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, size);
                q->config.event_idx = true;
                q->config.avail_start = (uint16_t)(start % size);
                q->config.used_start = q->config.avail_start;
                q->config.avail_wrap = start < size;
                q->config.used_wrap = start < size;
                test_vq_enable(q);
                const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
                bool notify = false;

                test_ring_event(&q->ring, (uint16_t)(event % size), event < size, 2);
                for (size_t i = 0; i < batch; i++) {
                    (void)test_ring_add(&q->ring, table, 1);
                    (void)test_vq_take(q, i);
                    assert_int_equal(avps_vq_push(&q->vq, &q->chain[i]), AVPS_OK);
                }
                assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
                /* two laps: the event is where it is in this pair of laps or in the next */
                assert_int_equal(notify, passes(start, start + batch, event) ||
                                             passes(start, start + batch, event + 2U * size));
                test_vq_free(q);
            }
        }
    }
}

/* (d) row 55: reserved flags and positions outside the ring mean "enable" */
static void test_ring_packed_notifies_for_nonsense_events(void **state)
{
    static const uint16_t offs[] = {8, 9, 0x7fff, 0, 0};
    static const uint16_t flags[] = {2, 2, 2, 3, 0xfffc};
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    q->config.event_idx = true;
    test_vq_enable(q);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};

    for (size_t i = 0; i < 5U; i++) {
        test_ring_event(&q->ring, offs[i], i % 2U == 0U, flags[i]);
        (void)test_ring_add(&q->ring, table, 1);
        (void)test_vq_take(q, 0);
        assert_true(test_vq_finish(q, 0));
        test_vq_expect_used(q, q->chain[0].id, 0);
    }
    test_ring_event(&q->ring, 0, true, 1);
    (void)test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    assert_false(test_vq_finish(q, 0));
    test_vq_free(q);
}

/* (d) row 47: used_event garbage only ever costs notifications */
static void test_ring_survives_any_event_value(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    q->config.event_idx = true;
    test_vq_enable(q);
    for (uint32_t event = 0; event <= 0xffffU; event += 257U) {
        if (q->config.packed) {
            test_ring_event(&q->ring, (uint16_t)event, (event & 0x8000U) != 0U, (uint16_t)event);
        } else {
            test_ring_used_event(&q->ring, (uint16_t)event);
        }
        test_vq_round(q);
    }
    test_vq_free(q);
}

/* [split-6.1] [split-6.2] [split-x8] [packed-x3]: suppressed while polling, wanted after arm */
static void test_ring_suppresses_kicks_while_it_works(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
        bool more = true;

        assert_true(test_ring_wants_kick(&q->ring) || q->config.packed);
        avps_vq_suppress(&q->vq);
        avps_vq_suppress(&q->vq); /* no second write */
        (void)test_ring_add(&q->ring, table, 1);
        assert_false(test_ring_wants_kick(&q->ring));
        (void)test_vq_take(q, 0);
        avps_vq_arm(&q->vq, &more);
        assert_false(more);
        (void)test_ring_add(&q->ring, table, 1);
        assert_true(test_ring_wants_kick(&q->ring));
        avps_vq_arm(&q->vq, &more);
        assert_true(more);
        test_vq_free(q);
    }
}

/* [split-6.3] [split-6.4]: with EVENT_IDX the flags stay 0 and the event index decides */
static void test_ring_asks_for_a_kick_at_its_own_position(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 4);
    q->config.event_idx = true;
    test_vq_enable(q);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
    bool more = true;

    for (int i = 0; i < 20; i++) {
        avps_vq_suppress(&q->vq);
        avps_vq_arm(&q->vq, &more);
        assert_false(more);
        (void)test_ring_add(&q->ring, table, 1);
        assert_true(test_ring_wants_kick(&q->ring));
        avps_vq_suppress(&q->vq);
        (void)test_ring_add(&q->ring, table, 1);
        assert_false(test_ring_wants_kick(&q->ring));
        for (size_t k = 0; k < 2U; k++) {
            (void)test_vq_take(q, k);
            (void)test_vq_finish(q, k);
            test_vq_expect_used(q, q->chain[k].id, 0);
        }
        if (!q->config.packed) {
            assert_int_equal(test_mem_get16(&q->mem, q->ring.device), 0);
        }
    }
    test_vq_free(q);
}

/* I25: what came in between the last pop and arm is seen */
static void test_ring_looks_again_after_asking_for_kicks(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 1, 0}};
    bool more = false;

    avps_vq_suppress(&q->vq);
    assert_int_equal(test_vq_pop(q, 0), AVPS_EMPTY);
    (void)test_ring_add(&q->ring, table, 1);
    assert_false(test_ring_wants_kick(&q->ring));
    avps_vq_arm(&q->vq, &more);
    assert_true(more);
    assert_true(avps_vq_has_work(&q->vq));
    (void)test_vq_take(q, 0);
    assert_false(avps_vq_has_work(&q->vq));
    test_vq_free(q);
}

/* What a held-back notification asks again: only "off altogether" counts. */
static void test_ring_tells_whether_the_driver_muted_it(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        for (int event_idx = 0; event_idx < 2; event_idx++) {
            struct test_vq *q = test_vq_new(state, (enum test_mem_kind)kind, 8);
            q->config.event_idx = event_idx != 0;
            assert_true(avps_vq_is_muted(&q->vq)); /* not live: nobody to tell */
            test_vq_enable(q);
            assert_false(avps_vq_is_muted(&q->vq));
            test_ring_interrupts(&q->ring, false);
            assert_int_equal(avps_vq_is_muted(&q->vq), q->config.packed || event_idx == 0);
            test_ring_interrupts(&q->ring, true);
            if (q->config.packed) {
                test_ring_event(&q->ring, 3, true, 2); /* a position is no mute */
            } else {
                test_ring_used_event(&q->ring, 3);
            }
            assert_false(avps_vq_is_muted(&q->vq));
            if (kind == TEST_MEM_COPY) { /* unknown wishes: not muted */
                test_ring_interrupts(&q->ring, false);
                test_fail_at(&q->mem.fail, 1, AVPS_E_IO);
                assert_false(avps_vq_is_muted(&q->vq));
            }
            test_vq_free(q);
        }
    }
}

/* ---- bursts ---- */

static void test_ring_moves_bursts(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 16);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 8, 1);
        const struct test_desc table[] = {{gpa, 4, 0}, {gpa + 4U, 4, TEST_WRITE}};
        uint32_t count = 99;
        bool notify = false;

        for (int round = 0; round < 7; round++) {
            uint16_t ids[5];

            for (size_t i = 0; i < 5U; i++) {
                ids[i] = test_ring_put(&q->ring, table, 2);
            }
            test_ring_publish(&q->ring);
            assert_int_equal(avps_vq_pop_burst(&q->vq, q->chain, 3, &count), AVPS_OK);
            assert_int_equal(count, 3);
            assert_int_equal(avps_vq_pop_burst(&q->vq, q->chain + 3, 5, &count), AVPS_EMPTY);
            assert_int_equal(count, 2);
            assert_int_equal(avps_vq_push_burst(&q->vq, q->chain, 5), AVPS_OK);
            assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
            assert_true(notify);
            for (size_t i = 0; i < 5U; i++) {
                test_vq_expect_used(q, ids[i], 0);
            }
        }
        assert_int_equal(avps_vq_pop_burst(&q->vq, q->chain, 0, &count), AVPS_OK);
        assert_int_equal(count, 0);
        assert_int_equal(avps_vq_push_burst(&q->vq, q->chain, 0), AVPS_OK);
        test_vq_free(q);
    }
}

/* I19: a burst ends at the bad chain; those before it are good */
static void test_ring_burst_stops_at_a_bad_chain(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 16);
    const struct test_desc good[] = {{TEST_RAM_GPA, 4, 0}};
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 4, 0}};
    uint32_t count = 0;
    bool notify = false;

    const uint16_t id = test_ring_add(&q->ring, good, 1);
    (void)test_ring_add(&q->ring, bad, 1);
    (void)test_ring_add(&q->ring, good, 1);
    assert_int_equal(avps_vq_pop_burst(&q->vq, q->chain, 8, &count), AVPS_E_GUEST_ADDR);
    assert_int_equal(count, 1);
    assert_int_equal(avps_vq_push_burst(&q->vq, q->chain, 1), AVPS_OK);
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    test_vq_expect_used(q, id, 0);
    test_vq_expect_none(q);
    assert_int_equal(avps_vq_pop_burst(&q->vq, q->chain, 8, &count), AVPS_E_GUEST_ADDR);
    assert_int_equal(count, 0);
    test_vq_free(q);
}

/* A push that fails in the middle leaves the rest in flight. */
static void test_ring_burst_push_stops_at_a_foreign_chain(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {{TEST_RAM_GPA, 4, 0}};
    const uint16_t id = test_ring_add(&q->ring, table, 1);
    bool notify = false;

    (void)test_ring_add(&q->ring, table, 1);
    (void)test_vq_take(q, 0);
    (void)test_vq_take(q, 2);
    assert_int_equal(avps_vq_push_burst(&q->vq, q->chain, 3), AVPS_E_STATE);
    assert_int_equal(q->vq.in_flight, 1);
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    test_vq_expect_used(q, id, 0);
    test_vq_expect_none(q);
    test_vq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_ring_serves_a_request_under_every_memory_contract, NULL, NULL),
        TEST_BOTH(test_ring_sees_the_same_bytes_in_any_framing, NULL, NULL),
        TEST_BOTH(test_ring_accepts_zero_length_descriptors, NULL, NULL),
        TEST_BOTH(test_ring_returns_an_empty_chain, NULL, NULL),
        TEST_BOTH(test_ring_follows_a_chain_as_long_as_the_queue, NULL, NULL),
        TEST_BOTH(test_ring_follows_an_indirect_table, NULL, NULL),
        TEST_BOTH(test_ring_follows_an_indirect_table_longer_than_the_queue, NULL, NULL),
        TEST_BOTH(test_ring_reads_indirect_tables_anywhere, NULL, NULL),
        TEST_BOTH(test_ring_ignores_write_on_the_indirect_descriptor, NULL, NULL),
        TEST_SPLIT(test_ring_follows_direct_descriptors_then_a_table, NULL, NULL),
        TEST_PACKED(test_ring_packed_table_is_positional, NULL, NULL),
        TEST_BOTH(test_ring_splits_a_buffer_at_a_region_border, NULL, NULL),
        TEST_BOTH(test_ring_reaches_the_end_of_the_address_space, NULL, NULL),
        TEST_BOTH(test_ring_writes_nothing_but_what_it_reports, NULL, NULL),
        TEST_BOTH(test_ring_returns_chains_out_of_order, NULL, NULL),
        TEST_BOTH(test_ring_publishes_a_batch_at_once, NULL, NULL),
        TEST_BOTH(test_ring_refuses_to_return_a_chain_twice, NULL, NULL),
        TEST_BOTH(test_ring_takes_the_same_chain_again_after_unpop, NULL, NULL),
        TEST_BOTH(test_ring_forgets_dropped_chains, NULL, NULL),
        TEST_BOTH(test_ring_holds_as_many_chains_as_it_has_descriptors, NULL, NULL),
        TEST_BOTH(test_ring_wraps_its_indices, NULL, NULL),
        TEST_BOTH(test_ring_runs_for_seventy_thousand_requests, NULL, NULL),
        TEST_BOTH(test_ring_works_at_every_small_size, NULL, NULL),
        TEST_BOTH(test_ring_works_at_the_largest_sizes, NULL, NULL),
        TEST_BOTH(test_ring_fills_the_largest_queue, NULL, NULL),
        TEST_BOTH(test_ring_resumes_at_a_position, NULL, NULL),
        TEST_PACKED(test_ring_packed_chain_wraps_the_end_of_the_ring, NULL, NULL),
        TEST_BOTH(test_ring_obeys_the_interrupt_flag, NULL, NULL),
        TEST_BOTH(test_ring_ignores_undefined_flag_bits, NULL, NULL),
        TEST_BOTH(test_ring_ignores_the_event_without_event_idx, NULL, NULL),
        TEST_SPLIT(test_ring_split_ignores_the_flag_with_event_idx, NULL, NULL),
        TEST_SPLIT(test_ring_split_notifies_exactly_at_used_event, NULL, NULL),
        TEST_PACKED(test_ring_packed_notifies_exactly_at_the_event_position, NULL, NULL),
        TEST_PACKED(test_ring_packed_notifies_for_nonsense_events, NULL, NULL),
        TEST_BOTH(test_ring_survives_any_event_value, NULL, NULL),
        TEST_BOTH(test_ring_suppresses_kicks_while_it_works, NULL, NULL),
        TEST_BOTH(test_ring_asks_for_a_kick_at_its_own_position, NULL, NULL),
        TEST_BOTH(test_ring_looks_again_after_asking_for_kicks, NULL, NULL),
        TEST_BOTH(test_ring_tells_whether_the_driver_muted_it, NULL, NULL),
        TEST_BOTH(test_ring_moves_bursts, NULL, NULL),
        TEST_BOTH(test_ring_burst_stops_at_a_bad_chain, NULL, NULL),
        TEST_BOTH(test_ring_burst_push_stops_at_a_foreign_chain, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
