/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device: discard, write zeroes, secure erase. */
#include "test_blk.h"

static const struct {
    uint32_t type;
    enum avps_blk_op op;
    uint32_t max_sectors;
    uint32_t max_ranges;
} range_types[] = {{BLK_T_DISCARD, AVPS_BLK_DISCARD, 32, 4},
                   {BLK_T_WRITE_ZEROES, AVPS_BLK_WRITE_ZEROES, 16, 3},
                   {BLK_T_SECURE_ERASE, AVPS_BLK_SECURE_ERASE, 24, 2}};

#define RANGE_TYPES (sizeof range_types / sizeof range_types[0])

/* Refused: nothing reached the back end, nothing changed. */
static void blk_expect_untouched(struct blk_test *t, uint8_t result, uint8_t expected)
{
    assert_int_equal(result, expected);
    assert_int_equal(t->used_len, 1);
    assert_int_equal(t->logged, 0);
    assert_true(blk_disk_is_first(t, 0, BLK_SECTORS));
}

/* [blk-2.6] [AVPS BLK-4] */
static void test_blk_discard_reaches_the_back_end(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);

        blk_start(t);
        assert_int_equal(blk_do_range(t, BLK_T_DISCARD, 8, 16, 0), BLK_OK);
        assert_int_equal(t->used_len, 1);
        assert_int_equal(t->logged, 1);
        blk_expect_io(t, 0, AVPS_BLK_DISCARD, 8, 16);
        assert_false(t->log[0].fua);
        assert_int_equal(avps_blk_counters(&t->blk, 0)->ranges, 1);
        blk_still_works(t);
        blk_free(t);
    }
}

/* [blk-2.8] [AVPS BLK-5] With unmap and without. */
static void test_blk_write_zeroes_reads_back_as_zeroes(void **state)
{
    for (uint32_t unmap = 0; unmap < 2U; unmap++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        static const uint8_t zeroes[8U * 512U] = {0};
        uint8_t bytes[8 * 512];

        blk_start(t);
        assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 20, 8, unmap), BLK_OK);
        assert_int_equal(blk_read(t, 20, bytes, sizeof bytes), BLK_OK);
        assert_memory_equal(bytes, zeroes, sizeof bytes);
        assert_true(blk_disk_is_first(t, 0, 20));
        assert_true(blk_disk_is_first(t, 28, BLK_SECTORS - 28U));
        blk_free(t);
    }
}

/* [blk-2.7] */
static void test_blk_write_zeroes_hands_unmap_on(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 0, 1, 1), BLK_OK);
    assert_true(t->log[0].unmap);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 0, 1, 0), BLK_OK);
    assert_false(t->log[1].unmap);
    blk_free(t);
}

/* [blk-2.9] */
static void test_blk_write_zeroes_never_unmaps_where_it_says_so(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->config.zeroes_may_unmap = false;
    blk_start(t);
    assert_int_equal(test_driver_config(&t->d, 56, 1), 0);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 0, 1, 1), BLK_OK);
    assert_false(t->log[0].unmap);
    blk_free(t);
}

static void test_blk_secure_erase_reaches_the_back_end(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(blk_do_range(t, BLK_T_SECURE_ERASE, 16, 8, 0), BLK_OK);
    blk_expect_io(t, 0, AVPS_BLK_SECURE_ERASE, 16, 8);
    assert_true(blk_disk_is(t, 16, 8, 0));
    blk_free(t);
}

static void test_blk_carries_ranges_out_in_their_order(void **state)
{
    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        uint8_t ranges[4 * 16];

        blk_start(t);
        for (uint32_t n = 0; n < range_types[i].max_ranges; n++) {
            blk_range(ranges + 16U * n, 40U - 8U * n, 2U + n, 0);
        }
        assert_int_equal(
            blk_do(t, range_types[i].type, 0, ranges, 16U * range_types[i].max_ranges, 0), BLK_OK);
        assert_int_equal(t->used_len, 1);
        assert_int_equal(t->logged, range_types[i].max_ranges);
        for (uint32_t n = 0; n < range_types[i].max_ranges; n++) {
            blk_expect_io(t, n, range_types[i].op, 40U - 8U * n, 2U + n);
        }
        blk_free(t);
    }
}

static void test_blk_skips_empty_ranges(void **state)
{
    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        uint8_t ranges[32];

        blk_start(t);
        blk_range(ranges, 5, 0, 0);
        blk_range(ranges + 16, 6, 1, 0);
        assert_int_equal(blk_do(t, range_types[i].type, 0, ranges, 32, 0), BLK_OK);
        assert_int_equal(t->logged, 1);
        blk_expect_io(t, 0, range_types[i].op, 6, 1);
        blk_free(t);
    }
}

static void test_blk_accepts_ranges_in_pieces(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_COPY);
    uint8_t bytes[16 + 32];

    blk_start(t);
    blk_header(bytes, BLK_T_DISCARD, 0);
    blk_range(bytes + 16, 1, 2, 0);
    blk_range(bytes + 32, 4, 3, 0);
    t->last = (struct test_request){
        .out = {{bytes, 20}, {bytes + 20, 1}, {bytes + 21, 16}, {bytes + 37, 11}}, .in = {1}};
    assert_int_equal(blk_run(t), BLK_OK);
    blk_expect_io(t, 0, AVPS_BLK_DISCARD, 1, 2);
    blk_expect_io(t, 1, AVPS_BLK_DISCARD, 4, 3);
    blk_free(t);
}

/* [blk-2.4] Even in the last of several ranges, and nothing is done. */
static void test_blk_refuses_unknown_range_flags(void **state)
{
    static const uint32_t bad[] = {2, 3, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};

    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        uint8_t ranges[32];

        blk_start(t);
        for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
            blk_range(ranges, 0, 1, 0);
            blk_range(ranges + 16, 1, 1, bad[n]);
            blk_expect_untouched(t, blk_do(t, range_types[i].type, 0, ranges, 32, 0), BLK_UNSUPP);
            blk_expect_untouched(t, blk_do_range(t, range_types[i].type, 0, 1, bad[n]), BLK_UNSUPP);
        }
        blk_still_works(t);
        blk_free(t);
    }
}

/* [blk-2.5] */
static void test_blk_refuses_a_discard_with_unmap(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    blk_expect_untouched(t, blk_do_range(t, BLK_T_DISCARD, 0, 1, 1), BLK_UNSUPP);
    blk_expect_untouched(t, blk_do_range(t, BLK_T_SECURE_ERASE, 0, 1, 1), BLK_UNSUPP);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_refuses_bad_flags_before_bad_ranges(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    blk_expect_untouched(t, blk_do_range(t, BLK_T_DISCARD, UINT64_MAX, 1, 1), BLK_UNSUPP);
    blk_free(t);
}

/* I29 */
static void test_blk_refuses_ranges_beyond_the_disk(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t count;
    } bad[] = {{BLK_SECTORS, 1},     {BLK_SECTORS - 1U, 2}, {UINT64_MAX, 1},
               {UINT64_MAX, 2},      {UINT64_MAX - 7U, 8},  {UINT64_C(1) << 63, 8},
               {BLK_SECTORS + 1, 0}, {UINT64_C(1) << 55, 1}};

    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        blk_start(t);
        for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
            blk_expect_untouched(
                t, blk_do_range(t, range_types[i].type, bad[n].sector, bad[n].count, 0), BLK_IOERR);
        }
        blk_still_works(t);
        blk_free(t);
    }
}

static void test_blk_refuses_a_bad_last_range_before_the_first_is_done(void **state)
{
    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        uint8_t ranges[32];

        blk_start(t);
        blk_range(ranges, 0, 1, 0);
        blk_range(ranges + 16, BLK_SECTORS, 1, 0);
        blk_expect_untouched(t, blk_do(t, range_types[i].type, 0, ranges, 32, 0), BLK_IOERR);
        blk_free(t);
    }
}

static void test_blk_refuses_ranges_that_are_too_long(void **state)
{
    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        const uint32_t max = range_types[i].max_sectors;

        blk_start(t);
        blk_expect_untouched(t, blk_do_range(t, range_types[i].type, 0, max + 1U, 0), BLK_IOERR);
        blk_expect_untouched(t, blk_do_range(t, range_types[i].type, 0, UINT32_MAX, 0), BLK_IOERR);
        assert_int_equal(blk_do_range(t, range_types[i].type, 0, max, 0), BLK_OK);
        blk_expect_io(t, 0, range_types[i].op, 0, max);
        blk_free(t);
    }
}

static void test_blk_refuses_too_many_ranges(void **state)
{
    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        static uint8_t ranges[64 * 16];
        const uint32_t max = range_types[i].max_ranges;

        blk_start(t);
        blk_expect_untouched(t, blk_do(t, range_types[i].type, 0, ranges, 16U * (max + 1U), 0),
                             BLK_IOERR);
        blk_expect_untouched(t, blk_do(t, range_types[i].type, 0, ranges, sizeof ranges, 0),
                             BLK_IOERR);
        blk_free(t);
    }
}

static void test_blk_refuses_ranges_of_a_wrong_size(void **state)
{
    static const uint32_t bad[] = {0, 1, 8, 15, 17, 31};

    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        static const uint8_t ranges[32] = {0};

        blk_start(t);
        for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
            blk_expect_untouched(t, blk_do(t, range_types[i].type, 0, ranges, bad[n], 0),
                                 BLK_IOERR);
        }
        blk_still_works(t);
        blk_free(t);
    }
}

static void test_blk_stops_at_the_range_that_fails(void **state)
{
    for (size_t i = 0; i < RANGE_TYPES; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
        const struct avps_sim_fault fault = {
            .ops = UINT32_MAX, .sector = 9, .count = 1, .status = AVPS_E_IO};
        uint8_t ranges[32];

        blk_start(t);
        avps_sim_ramdisk_fault(&t->disk, &fault);
        blk_range(ranges, 8, 4, 0);
        blk_range(ranges + 16, 20, 4, 0);
        assert_int_equal(blk_do(t, range_types[i].type, 0, ranges, 32, 0), BLK_IOERR);
        assert_int_equal(t->used_len, 1);
        assert_int_equal(t->logged, 1);
        blk_free(t);
    }
}

static void test_blk_reports_ranges_that_cannot_be_read(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_COPY);
    uint8_t header[16];
    struct test_used used = {0, 0};

    blk_start(t);
    blk_header(header, BLK_T_DISCARD, 0);
    const avps_gpa hdr = test_mem_alloc(&t->d.mem, 16, 1);
    const avps_gpa status = test_mem_alloc(&t->d.mem, 1, 1);
    test_mem_put(&t->d.mem, hdr, header, 16);
    const struct test_desc table[] = {
        {hdr, 16, 0}, {TEST_HOLE_GPA, 16, 0}, {status, 1, TEST_WRITE}};
    (void)test_ring_add(&t->d.ring[0], table, 3);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    assert_true(test_driver_reap(&t->d, 0, &used));
    assert_true(test_mem_is(&t->d.mem, status, BLK_IOERR, 1));
    assert_int_equal(t->logged, 0);
    blk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_blk_discard_reaches_the_back_end, NULL, NULL),
        TEST_BOTH(test_blk_write_zeroes_reads_back_as_zeroes, NULL, NULL),
        TEST_BOTH(test_blk_write_zeroes_hands_unmap_on, NULL, NULL),
        TEST_BOTH(test_blk_write_zeroes_never_unmaps_where_it_says_so, NULL, NULL),
        TEST_BOTH(test_blk_secure_erase_reaches_the_back_end, NULL, NULL),
        TEST_BOTH(test_blk_carries_ranges_out_in_their_order, NULL, NULL),
        TEST_BOTH(test_blk_skips_empty_ranges, NULL, NULL),
        TEST_BOTH(test_blk_accepts_ranges_in_pieces, NULL, NULL),
        TEST_BOTH(test_blk_refuses_unknown_range_flags, NULL, NULL),
        TEST_BOTH(test_blk_refuses_a_discard_with_unmap, NULL, NULL),
        TEST_BOTH(test_blk_refuses_bad_flags_before_bad_ranges, NULL, NULL),
        TEST_BOTH(test_blk_refuses_ranges_beyond_the_disk, NULL, NULL),
        TEST_BOTH(test_blk_refuses_a_bad_last_range_before_the_first_is_done, NULL, NULL),
        TEST_BOTH(test_blk_refuses_ranges_that_are_too_long, NULL, NULL),
        TEST_BOTH(test_blk_refuses_too_many_ranges, NULL, NULL),
        TEST_BOTH(test_blk_refuses_ranges_of_a_wrong_size, NULL, NULL),
        TEST_BOTH(test_blk_stops_at_the_range_that_fails, NULL, NULL),
        TEST_BOTH(test_blk_reports_ranges_that_cannot_be_read, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
