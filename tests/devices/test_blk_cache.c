/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device: when writes are durable. The simulated disk forgets at a power cut what was not
 * flushed, so a promise that was not kept shows. */
#include "test_blk.h"

enum { CFG_WRITEBACK = 32 };

static void blk_write_through(struct blk_test *t)
{
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0);
}

/* Write, cut the power. @return whether the data survived. */
static bool blk_survives(struct blk_test *t, uint64_t sector)
{
    uint8_t bytes[512];

    (void)memset(bytes, 0x99, sizeof bytes);
    assert_int_equal(blk_write(t, sector, bytes, 512), BLK_OK);
    avps_sim_ramdisk_power_cut(&t->disk);
    const bool kept = blk_disk_is(t, sector, 1, 0x99);
    assert_true(kept || blk_disk_is_first(t, sector, 1));
    return kept;
}

static void test_blk_write_back_may_lose_what_was_not_flushed(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_false(blk_survives(t, 4));
    assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->ops[AVPS_BLK_FLUSH], 0);
    blk_free(t);
}

/* [blk-2.11] case 3 [AVPS BLK-2] */
static void test_blk_flush_makes_completed_writes_durable(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[512];

    blk_start(t);
    (void)memset(bytes, 0x42, sizeof bytes);
    assert_int_equal(blk_write(t, 4, bytes, 512), BLK_OK);
    assert_int_equal(blk_do(t, BLK_T_FLUSH, 0, NULL, 0, 0), BLK_OK);
    avps_sim_ramdisk_power_cut(&t->disk);
    assert_true(blk_disk_is(t, 4, 1, 0x42));
    blk_free(t);
}

/* [blk-2.11] case 2 [AVPS BLK-3] By a flush of the device's own, or by FUA. */
static void test_blk_write_through_is_durable(void **state)
{
    for (unsigned int fua = 0; fua < 2U; fua++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        t->config.fua = fua != 0U;
        blk_start(t);
        blk_write_through(t);
        assert_true(blk_survives(t, 4));
        assert_int_equal(t->log[0].fua, fua != 0U);
        assert_int_equal(t->logged, fua != 0U ? 1 : 2);
        if (fua == 0U) {
            blk_expect_io(t, 1, AVPS_BLK_FLUSH, 0, 0);
        }
        blk_free(t);
    }
}

/* [blk-2.11] case 1 */
static void test_blk_is_durable_for_a_driver_that_cannot_flush(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_refuse(t, BLK_F_FLUSH);
    blk_refuse(t, BLK_F_CONFIG_WCE);
    blk_start(t);
    assert_true(blk_survives(t, 4));
    blk_free(t);
}

/* [blk-1.2] [blk-2.11] Such a driver gets no volatile writes, even if it asks for them. */
static void test_blk_is_durable_without_flush_whatever_the_mode(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_refuse(t, BLK_F_FLUSH);
    blk_start(t);
    assert_true(blk_survives(t, 4));
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 1);
    assert_true(blk_survives(t, 5));
    blk_free(t);
}

/* [blk-2.12] */
static void test_blk_is_durable_where_flush_was_not_offered(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    avps_features_add(&t->config.base.withhold, BLK_F_FLUSH);
    blk_start(t);
    assert_true(blk_survives(t, 4));
    blk_free(t);
}

static void test_blk_write_through_covers_zeroes_and_erases(void **state)
{
    static const uint32_t types[] = {BLK_T_WRITE_ZEROES, BLK_T_SECURE_ERASE};

    for (size_t i = 0; i < 2U; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        blk_start(t);
        blk_write_through(t);
        assert_int_equal(blk_do_range(t, types[i], 8, 4, 0), BLK_OK);
        assert_int_equal(t->logged, 2);
        blk_expect_io(t, 1, AVPS_BLK_FLUSH, 0, 0);
        avps_sim_ramdisk_power_cut(&t->disk);
        assert_true(blk_disk_is(t, 8, 4, 0));
        blk_free(t);
    }
}

static void test_blk_write_through_flushes_once_after_the_last_range(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t ranges[32];

    blk_start(t);
    blk_write_through(t);
    blk_range(ranges, 1, 1, 0);
    blk_range(ranges + 16, 3, 1, 0);
    assert_int_equal(blk_do(t, BLK_T_WRITE_ZEROES, 0, ranges, 32, 0), BLK_OK);
    assert_int_equal(t->logged, 3);
    blk_expect_io(t, 2, AVPS_BLK_FLUSH, 0, 0);
    blk_free(t);
}

static void test_blk_write_through_does_not_flush_reads_and_discards(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[512];

    blk_start(t);
    blk_write_through(t);
    assert_int_equal(blk_read(t, 0, bytes, 512), BLK_OK);
    assert_int_equal(blk_do_range(t, BLK_T_DISCARD, 0, 1, 0), BLK_OK);
    assert_int_equal(t->logged, 2);
    assert_int_equal(avps_sim_ramdisk_counters(&t->disk)->ops[AVPS_BLK_FLUSH], 0);
    blk_free(t);
}

/* The write is not answered before its flush is. */
static void test_blk_write_through_waits_for_the_flush(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    struct test_request r;

    blk_asynchronous(t);
    blk_start(t);
    blk_write_through(t);
    blk_send(t, 0, &r, BLK_T_OUT, 4, t->data, 512, 0);
    assert_int_equal(blk_answer(t), 1);
    blk_expect_none(t, 0);
    assert_int_equal(t->logged, 2);
    blk_expect_io(t, 1, AVPS_BLK_FLUSH, 0, 0);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r, BLK_OK, 1);
    blk_free(t);
}

static void test_blk_write_through_reports_a_flush_that_fails(void **state)
{
    const struct avps_sim_fault fault = {
        .ops = AVPS_SIM_OP(AVPS_BLK_FLUSH), .times = 1, .status = AVPS_E_IO};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    blk_write_through(t);
    avps_sim_ramdisk_fault(&t->disk, &fault);
    assert_int_equal(blk_do(t, BLK_T_OUT, 4, t->data, 512, 0), BLK_IOERR);
    assert_int_equal(t->logged, 2);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_write_through_does_not_flush_a_write_that_failed(void **state)
{
    const struct avps_sim_fault fault = {.ops = AVPS_SIM_OP(AVPS_BLK_WRITE), .status = AVPS_E_IO};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    blk_write_through(t);
    avps_sim_ramdisk_fault(&t->disk, &fault);
    assert_int_equal(blk_do(t, BLK_T_OUT, 4, t->data, 512, 0), BLK_IOERR);
    assert_int_equal(t->logged, 1);
    blk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_blk_write_back_may_lose_what_was_not_flushed, NULL, NULL),
        TEST_BOTH(test_blk_flush_makes_completed_writes_durable, NULL, NULL),
        TEST_BOTH(test_blk_write_through_is_durable, NULL, NULL),
        TEST_BOTH(test_blk_is_durable_for_a_driver_that_cannot_flush, NULL, NULL),
        TEST_BOTH(test_blk_is_durable_without_flush_whatever_the_mode, NULL, NULL),
        TEST_BOTH(test_blk_is_durable_where_flush_was_not_offered, NULL, NULL),
        TEST_BOTH(test_blk_write_through_covers_zeroes_and_erases, NULL, NULL),
        TEST_BOTH(test_blk_write_through_flushes_once_after_the_last_range, NULL, NULL),
        TEST_BOTH(test_blk_write_through_does_not_flush_reads_and_discards, NULL, NULL),
        TEST_BOTH(test_blk_write_through_waits_for_the_flush, NULL, NULL),
        TEST_BOTH(test_blk_write_through_reports_a_flush_that_fails, NULL, NULL),
        TEST_BOTH(test_blk_write_through_does_not_flush_a_write_that_failed, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
