/* SPDX-License-Identifier: BSD-3-Clause */
/* Chain cursors: reading -> writing -> the tail -> zero copy -> failures of the copy ops. */
#include "support/queue.h"

#define OUT_LEN 20U
#define IN_LEN  30U

static avps_gpa out_gpa;
static avps_gpa in_gpa;

/* A chain of 7 + 13 readable and 1 + 9 + 20 writable bytes. */
static struct avps_chain *chain_of(struct test_vq *q)
{
    out_gpa = test_mem_alloc(&q->mem, OUT_LEN, 1);
    in_gpa = test_mem_alloc(&q->mem, IN_LEN, 1);
    const struct test_desc table[] = {{out_gpa, 7, 0},
                                      {out_gpa + 7U, 13, 0},
                                      {in_gpa, 1, TEST_WRITE},
                                      {in_gpa + 1U, 9, TEST_WRITE},
                                      {in_gpa + 10U, 20, TEST_WRITE}};

    test_mem_put(&q->mem, out_gpa, "abcdefghijklmnopqrst", OUT_LEN);
    (void)test_ring_add(&q->ring, table, 5);
    return test_vq_take(q, 0);
}

/* Run `body` on such a chain for every memory contract; everything is given back afterwards. */
static void each_memory(void **state, void (*body)(struct test_vq *q, struct avps_chain *chain))
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);

        body(q, chain_of(q));
        test_vq_free(q);
    }
}

/* ---- reading ---- */

static void read_in_pieces(struct test_vq *q, struct avps_chain *chain)
{
    uint8_t bytes[OUT_LEN] = {0};

    (void)q;
    assert_int_equal(avps_chain_readable(chain), OUT_LEN);
    assert_int_equal(avps_chain_read(chain, bytes, 3), AVPS_OK);
    assert_int_equal(avps_chain_read(chain, bytes + 3, 0), AVPS_OK);
    assert_int_equal(avps_chain_read(chain, bytes + 3, 10), AVPS_OK); /* over the border */
    assert_int_equal(avps_chain_readable(chain), 7);
    assert_int_equal(avps_chain_read(chain, bytes + 13, 7), AVPS_OK);
    assert_int_equal(avps_chain_readable(chain), 0);
    assert_memory_equal(bytes, "abcdefghijklmnopqrst", OUT_LEN);
}

static void test_chain_reads_across_descriptors(void **state)
{
    each_memory(state, read_in_pieces);
}

static void read_too_much(struct test_vq *q, struct avps_chain *chain)
{
    uint8_t bytes[OUT_LEN + 1U];

    (void)q;
    (void)memset(bytes, 0x11, sizeof bytes);
    assert_int_equal(avps_chain_read(chain, bytes, OUT_LEN + 1U), AVPS_E_GUEST_SIZE);
    assert_int_equal(bytes[0], 0x11); /* nothing was copied */
    assert_int_equal(avps_chain_readable(chain), OUT_LEN);
    assert_int_equal(avps_chain_skip(chain, OUT_LEN + 1U), AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_chain_read(chain, bytes, OUT_LEN), AVPS_OK);
    assert_int_equal(avps_chain_read(chain, bytes, 1), AVPS_E_GUEST_SIZE);
}

/* I7, I31: short requests are errors, the cursor stays */
static void test_chain_refuses_to_read_past_the_end(void **state)
{
    each_memory(state, read_too_much);
}

static void skip_some(struct test_vq *q, struct avps_chain *chain)
{
    uint8_t byte = 0;

    (void)q;
    assert_int_equal(avps_chain_skip(chain, 0), AVPS_OK);
    assert_int_equal(avps_chain_skip(chain, 9), AVPS_OK);
    assert_int_equal(avps_chain_read(chain, &byte, 1), AVPS_OK);
    assert_int_equal(byte, 'j');
    assert_int_equal(avps_chain_skip(chain, 10), AVPS_OK);
    assert_int_equal(avps_chain_readable(chain), 0);
}

static void test_chain_skips_readable_bytes(void **state)
{
    each_memory(state, skip_some);
}

/* ---- writing ---- */

static void write_in_pieces(struct test_vq *q, struct avps_chain *chain)
{
    assert_int_equal(avps_chain_writable(chain), IN_LEN);
    assert_int_equal(avps_chain_write(chain, "0123", 4), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "x", 0), AVPS_OK);
    assert_int_equal(avps_chain_write_zeroes(chain, 8), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "456789", 6), AVPS_OK);
    assert_int_equal(avps_chain_writable(chain), 12);
    assert_int_equal(chain->written, 18);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 18);
    assert_memory_equal(test_mem_host(&q->mem, in_gpa, 18), "0123\0\0\0\0\0\0\0\000456789", 18);
    assert_true(test_mem_is(&q->mem, in_gpa + 18U, TEST_UNWRITTEN, 12)); /* I8 */
}

/* I8, [split-5.2]: the used length is what was written, from the first byte on */
static void test_chain_reports_what_it_wrote(void **state)
{
    each_memory(state, write_in_pieces);
}

static void write_too_much(struct test_vq *q, struct avps_chain *chain)
{
    const uint8_t bytes[IN_LEN + 1U] = {0};

    assert_int_equal(avps_chain_write(chain, bytes, IN_LEN + 1U), AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_chain_write_zeroes(chain, IN_LEN + 1U), AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_chain_wrote(chain, IN_LEN + 1U), AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_chain_reserve_tail(chain, IN_LEN + 1U), AVPS_E_GUEST_SIZE);
    assert_int_equal(chain->written, 0);
    assert_int_equal(avps_chain_writable(chain), IN_LEN);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 0);
    assert_true(test_mem_is(&q->mem, in_gpa, TEST_UNWRITTEN, IN_LEN));
}

/* I8 */
static void test_chain_refuses_to_write_past_the_end(void **state)
{
    each_memory(state, write_too_much);
}

static void zero_it_all(struct test_vq *q, struct avps_chain *chain)
{
    assert_int_equal(avps_chain_write_zeroes(chain, IN_LEN), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, IN_LEN);
    assert_true(test_mem_is(&q->mem, in_gpa, 0, IN_LEN));
}

static void test_chain_zeroes_all_of_it(void **state)
{
    each_memory(state, zero_it_all);
}

/* Longer than the piece of zeroes that is written at once. */
static void test_chain_zeroes_long_buffers(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
        const avps_gpa gpa = test_mem_alloc(&q->mem, 1000, 1);
        const struct test_desc table[] = {{gpa, 1000, TEST_WRITE}};

        const uint16_t id = test_ring_add(&q->ring, table, 1);
        assert_int_equal(avps_chain_write_zeroes(test_vq_take(q, 0), 999), AVPS_OK);
        (void)test_vq_finish(q, 0);
        test_vq_expect_used(q, id, 999);
        assert_true(test_mem_is(&q->mem, gpa, 0, 999));
        assert_true(test_mem_is(&q->mem, gpa + 999U, TEST_UNWRITTEN, 1));
        test_vq_free(q);
    }
}

/* ---- the tail ---- */

static void tail_after_all(struct test_vq *q, struct avps_chain *chain)
{
    assert_int_equal(avps_chain_reserve_tail(chain, 2), AVPS_OK);
    assert_int_equal(avps_chain_writable(chain), IN_LEN - 2U);
    assert_int_equal(avps_chain_reserve_tail(chain, 1), AVPS_E_GUEST_SIZE); /* once only */
    assert_int_equal(avps_chain_write_zeroes(chain, IN_LEN - 2U), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "x", 1), AVPS_E_GUEST_SIZE); /* kept back */
    assert_int_equal(avps_chain_write_tail(chain, "xyz", 3), AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_chain_write_tail(chain, "OK", 2), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, IN_LEN);
    assert_memory_equal(test_mem_host(&q->mem, in_gpa + 28U, 2), "OK", 2);
}

static void test_chain_writes_a_status_at_the_very_end(void **state)
{
    each_memory(state, tail_after_all);
}

static void tail_after_some(struct test_vq *q, struct avps_chain *chain)
{
    assert_int_equal(avps_chain_reserve_tail(chain, 1), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "abc", 3), AVPS_OK);
    assert_int_equal(avps_chain_write_tail(chain, "!", 1), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 3); /* the bytes between were not written */
    assert_memory_equal(test_mem_host(&q->mem, in_gpa, 3), "abc", 3);
    assert_true(test_mem_is(&q->mem, in_gpa + 3U, TEST_UNWRITTEN, 26));
    assert_memory_equal(test_mem_host(&q->mem, in_gpa + 29U, 1), "!", 1);
}

/* I8, [split-5.3]: a tail behind a hole is written but not counted */
static void test_chain_does_not_count_a_tail_behind_a_hole(void **state)
{
    each_memory(state, tail_after_some);
}

static void tail_over_descriptors(struct test_vq *q, struct avps_chain *chain)
{
    assert_int_equal(avps_chain_reserve_tail(chain, 25), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "01234", 5), AVPS_OK);
    assert_int_equal(avps_chain_write_tail(chain, "abcdefghijklmnopqrstuvwxy", 25), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, IN_LEN);
    assert_memory_equal(test_mem_host(&q->mem, in_gpa, IN_LEN), "01234abcdefghijklmnopqrstuvwxy",
                        IN_LEN);
}

/* I7, [split-1.1]: any split of the status across descriptors */
static void test_chain_writes_a_tail_across_descriptors(void **state)
{
    each_memory(state, tail_over_descriptors);
}

/* A status is all there is: the tail begins where the chain does. */
static void test_chain_writes_a_tail_that_is_the_whole_chain(void **state)
{
    for (int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        for (uint32_t parts = 1; parts <= 2U; parts++) {
            struct test_vq *q = test_vq_live(state, (enum test_mem_kind)kind, 8);
            const avps_gpa gpa = test_mem_alloc(&q->mem, 4, 1);
            const struct test_desc table[] = {{gpa, 4U / parts, TEST_WRITE},
                                              {gpa + 2U, 2, TEST_WRITE}};
            const uint16_t id = test_ring_add(&q->ring, table, parts);
            struct avps_chain *chain = test_vq_take(q, 0);

            assert_int_equal(avps_chain_reserve_tail(chain, 4), AVPS_OK);
            assert_int_equal(avps_chain_write_tail(chain, "done", 4), AVPS_OK);
            (void)test_vq_finish(q, 0);
            test_vq_expect_used(q, id, 4);
            assert_memory_equal(test_mem_host(&q->mem, gpa, 4), "done", 4);
            test_vq_free(q);
        }
    }
}

static void tail_never_reserved(struct test_vq *q, struct avps_chain *chain)
{
    assert_int_equal(avps_chain_write_tail(chain, "x", 1), AVPS_E_GUEST_SIZE);
    assert_int_equal(avps_chain_write_tail(chain, "x", 0), AVPS_E_GUEST_SIZE);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 0);
    assert_true(test_mem_is(&q->mem, in_gpa, TEST_UNWRITTEN, IN_LEN));
}

static void test_chain_has_no_tail_unless_reserved(void **state)
{
    each_memory(state, tail_never_reserved);
}

/* ---- zero copy ---- */

static void segments_of(struct test_vq *q, struct avps_chain *chain)
{
    struct avps_seg segs[4];
    uint32_t count = 99;
    uint8_t byte = 0;

    if (q->mem.kind == TEST_MEM_COPY) {
        assert_int_equal(avps_chain_segments(chain, false, segs, 4, 100, &count),
                         AVPS_E_UNSUPPORTED);
        assert_int_equal(count, 0);
        return;
    }
    assert_int_equal(avps_chain_read(chain, &byte, 1), AVPS_OK);
    assert_int_equal(avps_chain_segments(chain, false, segs, 4, 100, &count), AVPS_OK);
    assert_int_equal(count, 2);
    assert_true(segs[0].gpa == out_gpa + 1U && segs[0].len == 6U && segs[1].len == 13U);
    assert_memory_equal(segs[0].ptr, "bcdefg", 6);
    assert_memory_equal(segs[1].ptr, "hijklmnopqrst", 13);
    assert_int_equal(avps_chain_readable(chain), 19); /* the cursor did not move */
    assert_int_equal(avps_chain_segments(chain, true, segs, 2, 100, &count), AVPS_E_NOSPACE);
    assert_int_equal(count, 2);
    assert_int_equal(avps_chain_segments(chain, true, segs, 2, 8, &count), AVPS_OK);
    assert_int_equal(count, 2);
    assert_true(segs[1].gpa == in_gpa + 1U && segs[1].len == 7U);
    assert_int_equal(avps_chain_segments(chain, true, segs, 4, 0, &count), AVPS_OK);
    assert_int_equal(count, 0);
    segs[0].ptr[0] = 'z';
}

static void test_chain_gives_segments_without_copies(void **state)
{
    each_memory(state, segments_of);
}

static void wrote_behind(struct test_vq *q, struct avps_chain *chain)
{
    struct avps_seg segs[4];
    uint32_t count = 0;

    if (q->mem.kind == TEST_MEM_COPY) {
        return;
    }
    assert_int_equal(avps_chain_segments(chain, true, segs, 4, 12, &count), AVPS_OK);
    for (uint32_t i = 0; i < count; i++) {
        (void)memset(segs[i].ptr, 'w', segs[i].len);
    }
    assert_int_equal(avps_chain_wrote(chain, 12), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "end", 3), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 15);
    assert_memory_equal(test_mem_host(&q->mem, in_gpa, 15), "wwwwwwwwwwwwend", 15);
    assert_true(test_mem_is(&q->mem, in_gpa + 15U, TEST_UNWRITTEN, 15));
}

static void test_chain_counts_bytes_written_through_segments(void **state)
{
    each_memory(state, wrote_behind);
}

/* ---- failures ---- */

/* I31: a failed read is an error, whatever was copied before */
static void test_chain_reports_a_failing_read(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    struct avps_chain *chain = chain_of(q);
    uint8_t bytes[OUT_LEN];

    test_fail_at(&q->mem.fail, 2, AVPS_E_IO); /* the second descriptor */
    assert_int_equal(avps_chain_read(chain, bytes, OUT_LEN), AVPS_E_IO);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 0);
    test_vq_free(q);
}

/* I8, I31: after a failed write the used length covers only bytes that were written, also when a
 * status follows */
static void test_chain_counts_no_bytes_behind_a_failed_write(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    struct avps_chain *chain = chain_of(q);
    const uint8_t bytes[IN_LEN] = {0};

    assert_int_equal(avps_chain_reserve_tail(chain, 1), AVPS_OK);
    test_fail_at(&q->mem.fail, 3, AVPS_E_IO); /* the third descriptor */
    assert_int_equal(avps_chain_write(chain, bytes, IN_LEN - 1U), AVPS_E_IO);
    assert_int_equal(chain->written, 10);
    assert_int_equal(avps_chain_write_tail(chain, "E", 1), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 10);
    assert_true(test_mem_is(&q->mem, in_gpa + 10U, TEST_UNWRITTEN, 19));
    assert_true(test_mem_is(&q->mem, in_gpa + 29U, 'E', 1));
    test_vq_free(q);
}

/* The cursor stays at the failed piece: it can be written again. */
static void test_chain_can_repeat_a_failed_write(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    struct avps_chain *chain = chain_of(q);

    test_fail_at(&q->mem.fail, 1, AVPS_AGAIN);
    assert_int_equal(avps_chain_write(chain, "a", 1), AVPS_AGAIN);
    assert_int_equal(avps_chain_writable(chain), IN_LEN);
    assert_int_equal(avps_chain_write(chain, "b", 1), AVPS_OK);
    test_fail_at(&q->mem.fail, 1, AVPS_E_IO);
    assert_int_equal(avps_chain_write_zeroes(chain, 4), AVPS_E_IO);
    assert_int_equal(avps_chain_write_zeroes(chain, 4), AVPS_OK);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 5);
    assert_memory_equal(test_mem_host(&q->mem, in_gpa, 5), "b\0\0\0\0", 5);
    test_vq_free(q);
}

static void test_chain_reports_a_failing_tail(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_COPY, 8);
    struct avps_chain *chain = chain_of(q);

    assert_int_equal(avps_chain_reserve_tail(chain, 25), AVPS_OK);
    assert_int_equal(avps_chain_write(chain, "01234", 5), AVPS_OK);
    test_fail_at(&q->mem.fail, 2, AVPS_E_GUEST_ACCESS);
    assert_int_equal(avps_chain_write_tail(chain, "abcdefghijklmnopqrstuvwxy", 25),
                     AVPS_E_GUEST_ACCESS);
    (void)test_vq_finish(q, 0);
    test_vq_expect_used(q, 0, 5);
    test_vq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_chain_reads_across_descriptors, NULL, NULL),
        TEST_BOTH(test_chain_refuses_to_read_past_the_end, NULL, NULL),
        TEST_BOTH(test_chain_skips_readable_bytes, NULL, NULL),
        TEST_BOTH(test_chain_reports_what_it_wrote, NULL, NULL),
        TEST_BOTH(test_chain_refuses_to_write_past_the_end, NULL, NULL),
        TEST_BOTH(test_chain_zeroes_all_of_it, NULL, NULL),
        TEST_BOTH(test_chain_zeroes_long_buffers, NULL, NULL),
        TEST_BOTH(test_chain_writes_a_status_at_the_very_end, NULL, NULL),
        TEST_BOTH(test_chain_does_not_count_a_tail_behind_a_hole, NULL, NULL),
        TEST_BOTH(test_chain_writes_a_tail_across_descriptors, NULL, NULL),
        TEST_BOTH(test_chain_writes_a_tail_that_is_the_whole_chain, NULL, NULL),
        TEST_BOTH(test_chain_has_no_tail_unless_reserved, NULL, NULL),
        TEST_BOTH(test_chain_gives_segments_without_copies, NULL, NULL),
        TEST_BOTH(test_chain_counts_bytes_written_through_segments, NULL, NULL),
        TEST_BOTH(test_chain_reports_a_failing_read, NULL, NULL),
        TEST_BOTH(test_chain_counts_no_bytes_behind_a_failed_write, NULL, NULL),
        TEST_BOTH(test_chain_can_repeat_a_failed_write, NULL, NULL),
        TEST_BOTH(test_chain_reports_a_failing_tail, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
