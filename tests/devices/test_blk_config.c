/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device: what is offered, the configuration space, the cache mode, init. */
#include "test_blk.h"

#include "devices/device_internal.h"

/* Offsets in the configuration space. */
enum {
    CFG_CAPACITY = 0,
    CFG_SIZE_MAX = 8,
    CFG_SEG_MAX = 12,
    CFG_CYLINDERS = 16,
    CFG_HEADS = 18,
    CFG_SECTORS = 19,
    CFG_BLK_SIZE = 20,
    CFG_PHYSICAL_EXP = 24,
    CFG_ALIGNMENT = 25,
    CFG_MIN_IO = 26,
    CFG_OPT_IO = 28,
    CFG_WRITEBACK = 32,
    CFG_UNUSED0 = 33,
    CFG_NUM_QUEUES = 34,
    CFG_DISCARD = 36,
    CFG_ZEROES = 48,
    CFG_MAY_UNMAP = 56,
    CFG_UNUSED1 = 57,
    CFG_ERASE = 60,
    CFG_ZONED = 72,
    CFG_SIZE = 96
};

static uint32_t cfg32(struct blk_test *t, uint32_t off)
{
    return (uint32_t)test_driver_config(&t->d, off, 4);
}

static uint8_t cfg8(struct blk_test *t, uint32_t off)
{
    return (uint8_t)test_driver_config(&t->d, off, 1);
}

/* Everything that a device without zones can have. */
static void blk_configure_all(struct blk_test *t)
{
    t->config.base = test_driver_base(&t->d, t->queues, 2, 64);
    t->config.block_size = 4096;
    t->config.size_max = 65536;
    t->config.seg_max = 20;
    t->config.geometry = (struct avps_blk_geometry){0x1234, 5, 6};
    t->config.topology = (struct avps_blk_topology){3, 1, 0x0203, 0x04050607};
}

static void blk_expect_all_fields(struct blk_test *t)
{
    assert_int_equal(test_driver_config(&t->d, CFG_CAPACITY, 8), BLK_SECTORS);
    assert_int_equal(cfg32(t, CFG_SIZE_MAX), 65536);
    assert_int_equal(cfg32(t, CFG_SEG_MAX), 20);
    assert_int_equal(test_driver_config(&t->d, CFG_CYLINDERS, 2), 0x1234);
    assert_int_equal(cfg8(t, CFG_HEADS), 5);
    assert_int_equal(cfg8(t, CFG_SECTORS), 6);
    assert_int_equal(cfg32(t, CFG_BLK_SIZE), 4096);
    assert_int_equal(cfg8(t, CFG_PHYSICAL_EXP), 3);
    assert_int_equal(cfg8(t, CFG_ALIGNMENT), 1);
    assert_int_equal(test_driver_config(&t->d, CFG_MIN_IO, 2), 0x0203);
    assert_int_equal(cfg32(t, CFG_OPT_IO), 0x04050607);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 1);
    assert_int_equal(test_driver_config(&t->d, CFG_NUM_QUEUES, 2), 2);
    assert_int_equal(cfg32(t, CFG_DISCARD), 32);
    assert_int_equal(cfg32(t, CFG_DISCARD + 4), 4);
    assert_int_equal(cfg32(t, CFG_DISCARD + 8), 8);
    assert_int_equal(cfg32(t, CFG_ZEROES), 16);
    assert_int_equal(cfg32(t, CFG_ZEROES + 4), 3);
    assert_int_equal(cfg8(t, CFG_MAY_UNMAP), 1);
    assert_int_equal(cfg32(t, CFG_ERASE), 24);
    assert_int_equal(cfg32(t, CFG_ERASE + 4), 2);
    assert_int_equal(cfg32(t, CFG_ERASE + 8), 8);
}

static void test_blk_shows_every_field_of_its_configuration(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_configure_all(t);
    blk_init(t);
    blk_expect_all_fields(t); /* before the driver says anything: [core-4.1] */
    test_driver_start(&t->d);
    blk_expect_all_fields(t);
    blk_free(t);
}

/* [blk-1.3] [blk-1.6] [blk-1.17] Padding, and zones that are not there. */
static void test_blk_padding_is_zero(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_configure_all(t);
    blk_start(t);
    assert_int_equal(cfg8(t, CFG_UNUSED0), 0);
    for (uint32_t off = CFG_UNUSED1; off < CFG_ERASE; off++) {
        assert_int_equal(cfg8(t, off), 0);
    }
    for (uint32_t off = CFG_ZONED; off < CFG_SIZE + 16; off++) {
        assert_int_equal(cfg8(t, off), 0);
    }
    blk_free(t);
}

static const struct {
    unsigned int bit;
    uint32_t off;
    uint32_t width;
} fields[] = {{BLK_F_SIZE_MAX, CFG_SIZE_MAX, 4},      {BLK_F_SEG_MAX, CFG_SEG_MAX, 4},
              {BLK_F_GEOMETRY, CFG_CYLINDERS, 4},     {BLK_F_BLK_SIZE, CFG_BLK_SIZE, 4},
              {BLK_F_TOPOLOGY, CFG_PHYSICAL_EXP, 8},  {BLK_F_CONFIG_WCE, CFG_WRITEBACK, 1},
              {BLK_F_MQ, CFG_NUM_QUEUES, 2},          {BLK_F_DISCARD, CFG_DISCARD, 4},
              {BLK_F_DISCARD, CFG_DISCARD + 4, 8},    {BLK_F_WRITE_ZEROES, CFG_ZEROES, 8},
              {BLK_F_WRITE_ZEROES, CFG_MAY_UNMAP, 1}, {BLK_F_SECURE_ERASE, CFG_ERASE, 4},
              {BLK_F_SECURE_ERASE, CFG_ERASE + 4, 8}};

static void test_blk_hides_fields_of_features_that_were_refused(void **state)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        blk_configure_all(t);
        blk_refuse(t, fields[i].bit);
        if (fields[i].bit == BLK_F_MQ) {
            t->d.queue_count = 1;
        }
        blk_init(t);
        assert_int_not_equal(test_driver_config(&t->d, fields[i].off, fields[i].width), 0);
        assert_true(test_driver_negotiate(&t->d));
        assert_int_equal(test_driver_config(&t->d, fields[i].off, fields[i].width), 0);
        blk_free(t);
    }
}

static void test_blk_offers_what_it_was_configured_for(void **state)
{
    static const unsigned int bits[] = {BLK_F_SIZE_MAX, BLK_F_GEOMETRY,     BLK_F_BLK_SIZE,
                                        BLK_F_TOPOLOGY, BLK_F_MQ,           BLK_F_DISCARD,
                                        BLK_F_RO,       BLK_F_WRITE_ZEROES, BLK_F_SECURE_ERASE,
                                        BLK_F_LIFETIME, BLK_F_ZONED};
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->config.discard.max_sectors = 0;
    t->config.zeroes.max_sectors = 0;
    t->config.erase.max_sectors = 0;
    t->ops.lifetime = NULL;
    blk_start(t);
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        assert_false(test_driver_offers(&t->d, bits[i]));
    }
    assert_true(test_driver_offers(&t->d, BLK_F_SEG_MAX));
    blk_still_works(t);
    blk_free(t);
}

/* [blk-1.4] No zones, no ZONED; and no device without VERSION_1. */
static void test_blk_without_zones_offers_no_zoned(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_configure_all(t);
    blk_init(t);
    assert_false(test_driver_offers(&t->d, BLK_F_ZONED));
    avps_features_remove(&t->d.want, AVPS_F_VERSION_1);
    assert_false(test_driver_negotiate(&t->d));
    blk_free(t);
}

/* [AVPS BLK-1] Each feature alone can be left out, and the device serves. */
static void test_blk_serves_without_each_feature(void **state)
{
    for (unsigned int bit = 0; bit < 24U; bit++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        blk_configure_all(t);
        blk_refuse(t, bit);
        if (bit == BLK_F_MQ) {
            t->d.queue_count = 1;
        }
        blk_start(t);
        blk_still_works(t);
        blk_free(t);
    }
}

static void test_blk_default_seg_max_fits_slot_and_queue(void **state)
{
    static const struct {
        uint16_t queue;
        uint32_t seg_max;
    } good[] = {{2, 1}, {4, 2}, {64, 62}, {128, 126}, {256, AVPS_BLK_SEGS - 2}};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

        t->config.base.queue_size_max = good[i].queue;
        blk_init(t);
        assert_int_equal(cfg32(t, CFG_SEG_MAX), good[i].seg_max);
        blk_free(t);
    }
}

/* ---- cache mode ---- */

/* [blk-1.1] [AVPS BLK-2] [AVPS BLK-3] */
static void test_blk_always_offers_flush_and_config_wce(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_init(t);
    assert_true(test_driver_offers(&t->d, BLK_F_FLUSH));
    assert_true(test_driver_offers(&t->d, BLK_F_CONFIG_WCE));
    blk_free(t);
}

/* [blk-1.1] */
static void test_blk_withholds_config_wce_with_flush(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    avps_features_add(&t->config.base.withhold, BLK_F_FLUSH);
    blk_start(t);
    assert_false(test_driver_offers(&t->d, BLK_F_FLUSH));
    assert_false(test_driver_offers(&t->d, BLK_F_CONFIG_WCE));
    assert_false(avps_blk_is_writeback(&t->blk));
    blk_free(t);
}

/* [blk-1.2] */
static void test_blk_starts_in_write_through_for_a_driver_that_cannot_flush(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_refuse(t, BLK_F_FLUSH);
    blk_init(t);
    assert_true(test_driver_negotiate(&t->d));
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 0);
    test_driver_start(&t->d);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 0);
    assert_false(avps_blk_is_writeback(&t->blk));
    blk_free(t);
}

/* [AVPS BLK-3] */
static void test_blk_driver_switches_the_cache_mode(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 1);
    assert_true(avps_blk_is_writeback(&t->blk));
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 0);
    assert_false(avps_blk_is_writeback(&t->blk));
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 1);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 1);
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0);
    test_driver_start(&t->d); /* a reset brings the first mode back */
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 1);
    blk_free(t);
}

static void test_blk_can_start_in_write_through(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->config.write_through = true;
    blk_start(t);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 0);
    assert_false(avps_blk_is_writeback(&t->blk));
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 1);
    assert_true(avps_blk_is_writeback(&t->blk));
    blk_free(t);
}

static void test_blk_ignores_bad_writes_to_the_configuration(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_configure_all(t);
    blk_start(t);
    for (uint32_t off = 0; off < CFG_SIZE; off++) {
        if (off != CFG_WRITEBACK) {
            test_driver_config_set(&t->d, off, 1, 0);
            test_driver_config_set(&t->d, off, 1, 0xff);
        }
    }
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0);
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 2);
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0xff);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 0);
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 1);
    test_driver_config_set(&t->d, CFG_CAPACITY, 8, UINT64_MAX);
    test_driver_config_set(&t->d, CFG_OPT_IO, 4, 0);
    blk_expect_all_fields(t);
    blk_still_works(t);
    blk_free(t);
}

static void test_blk_takes_writeback_from_a_wider_write(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_configure_all(t);
    blk_start(t);
    const uint8_t bytes[4] = {0, 9, 9, 9};

    /* PCI lets a driver write more than the field */
    avps_device_config_write(&t->blk.base, CFG_WRITEBACK, bytes, 4);
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 0);
    assert_int_equal(test_driver_config(&t->d, CFG_NUM_QUEUES, 2), 2);
    blk_free(t);
}

static void test_blk_cache_mode_is_fixed_without_config_wce(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_refuse(t, BLK_F_CONFIG_WCE);
    blk_start(t);
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0);
    assert_true(avps_blk_is_writeback(&t->blk));
    test_driver_reset(&t->d);
    test_driver_config_set(&t->d, CFG_WRITEBACK, 1, 0); /* before negotiation */
    assert_int_equal(cfg8(t, CFG_WRITEBACK), 1);
    blk_free(t);
}

/* ---- run-time changes ---- */

/* [blk-2.1] [blk-2.2] */
static void test_blk_tells_the_driver_about_a_new_capacity(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    uint8_t bytes[512];

    t->config.capacity = 32;
    blk_start(t);
    const uint32_t generation = test_driver_get(&t->d, TEST_CONFIG_GENERATION);
    assert_int_equal(blk_do(t, BLK_T_IN, 40, NULL, 0, 512), BLK_IOERR);
    (void)test_driver_ack(&t->d);
    assert_int_equal(avps_blk_set_capacity(&t->blk, BLK_SECTORS), AVPS_OK);
    assert_int_equal(test_driver_ack(&t->d), 2);
    assert_int_not_equal(test_driver_get(&t->d, TEST_CONFIG_GENERATION), generation);
    assert_int_equal(test_driver_config(&t->d, CFG_CAPACITY, 8), BLK_SECTORS);
    assert_int_equal(blk_read(t, 40, bytes, 512), BLK_OK);
    assert_int_equal(avps_blk_set_capacity(&t->blk, 8), AVPS_OK);
    assert_int_equal(blk_do(t, BLK_T_IN, 8, NULL, 0, 512), BLK_IOERR);
    blk_free(t);
}

static void test_blk_does_not_tell_of_a_capacity_that_stays(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    (void)test_driver_ack(&t->d);
    assert_int_equal(avps_blk_set_capacity(&t->blk, BLK_SECTORS), AVPS_OK);
    avps_blk_set_zeroes_may_unmap(&t->blk, true);
    assert_int_equal(test_driver_ack(&t->d), 0);
    blk_free(t);
}

/* [blk-2.10] */
static void test_blk_tells_the_driver_when_zeroes_cannot_unmap_any_more(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_start(t);
    (void)test_driver_ack(&t->d);
    avps_blk_set_zeroes_may_unmap(&t->blk, false);
    assert_int_equal(test_driver_ack(&t->d), 2);
    assert_int_equal(cfg8(t, CFG_MAY_UNMAP), 0);
    assert_int_equal(blk_do_range(t, BLK_T_WRITE_ZEROES, 0, 1, 1), BLK_OK);
    assert_false(t->log[0].unmap);
    blk_free(t);
}

/* ---- init ---- */

static void blk_expect_bad(struct blk_test *t)
{
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_E_PARAM);
}

static void test_blk_init_refuses_what_is_missing(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    const struct avps_blk_config good = t->config;
    static const struct avps_blk_ops none = {0};

    assert_int_equal(avps_blk_init(NULL, &t->config), AVPS_E_PARAM);
    assert_int_equal(avps_blk_init(&t->blk, NULL), AVPS_E_PARAM);
    t->config.ops = NULL;
    blk_expect_bad(t);
    t->config.ops = &none;
    blk_expect_bad(t);
    t->config = good;
    t->config.requests = NULL;
    blk_expect_bad(t);
    t->config = good;
    t->config.base.mem = NULL;
    blk_expect_bad(t);
    t->config = good;
    assert_int_equal(avps_blk_init(&t->blk, &t->config), AVPS_OK);
    blk_free(t);
}

static void test_blk_init_refuses_what_is_out_of_range(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    const struct avps_blk_config good = t->config;
    static const uint32_t sizes[] = {1, 256, 511, 513, 768, 4095};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        t->config.block_size = sizes[i];
        blk_expect_bad(t);
    }
    t->config = good;
    t->config.seg_max = 63; /* the queue has 64 */
    blk_expect_bad(t);
    t->config = good;
    t->config.base.queue_size_max = 256;
    t->config.seg_max = AVPS_BLK_SEGS - 1U;
    blk_expect_bad(t);
    t->config = good;
    t->config.base.queue_count = 0;
    blk_expect_bad(t);
    t->config.base.queue_count = AVPS_BLK_QUEUES + 1U;
    blk_expect_bad(t);
    t->config = good;
    t->config.request_count = 0;
    blk_expect_bad(t);
    t->config.base.queue_count = 2;
    t->config.request_count = 1;
    blk_expect_bad(t);
    blk_free(t);
}

static void test_blk_init_refuses_more_ranges_than_a_slot_holds(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);
    const struct avps_blk_config good = t->config;

    t->config.discard.max_ranges = AVPS_BLK_RANGES + 1U;
    blk_expect_bad(t);
    t->config = good;
    t->config.zeroes.max_ranges = AVPS_BLK_RANGES + 1U;
    blk_expect_bad(t);
    t->config = good;
    t->config.erase.max_ranges = AVPS_BLK_RANGES + 1U;
    blk_expect_bad(t);
    t->config = good;
    t->config.discard.max_ranges = 0;
    blk_init(t);
    assert_int_equal(cfg32(t, CFG_DISCARD + 4), AVPS_BLK_RANGES);
    blk_free(t);
}

static void test_blk_counters_of_an_unknown_queue_are_null(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    blk_init(t);
    assert_non_null(avps_blk_counters(&t->blk, 0));
    assert_null(avps_blk_counters(&t->blk, 1));
    blk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_blk_shows_every_field_of_its_configuration, NULL, NULL),
        TEST_BOTH(test_blk_padding_is_zero, NULL, NULL),
        TEST_BOTH(test_blk_hides_fields_of_features_that_were_refused, NULL, NULL),
        TEST_BOTH(test_blk_offers_what_it_was_configured_for, NULL, NULL),
        TEST_BOTH(test_blk_without_zones_offers_no_zoned, NULL, NULL),
        TEST_BOTH(test_blk_serves_without_each_feature, NULL, NULL),
        TEST_BOTH(test_blk_default_seg_max_fits_slot_and_queue, NULL, NULL),
        TEST_BOTH(test_blk_always_offers_flush_and_config_wce, NULL, NULL),
        TEST_BOTH(test_blk_withholds_config_wce_with_flush, NULL, NULL),
        TEST_BOTH(test_blk_starts_in_write_through_for_a_driver_that_cannot_flush, NULL, NULL),
        TEST_BOTH(test_blk_driver_switches_the_cache_mode, NULL, NULL),
        TEST_BOTH(test_blk_can_start_in_write_through, NULL, NULL),
        TEST_BOTH(test_blk_ignores_bad_writes_to_the_configuration, NULL, NULL),
        TEST_BOTH(test_blk_takes_writeback_from_a_wider_write, NULL, NULL),
        TEST_BOTH(test_blk_cache_mode_is_fixed_without_config_wce, NULL, NULL),
        TEST_BOTH(test_blk_tells_the_driver_about_a_new_capacity, NULL, NULL),
        TEST_BOTH(test_blk_does_not_tell_of_a_capacity_that_stays, NULL, NULL),
        TEST_BOTH(test_blk_tells_the_driver_when_zeroes_cannot_unmap_any_more, NULL, NULL),
        TEST_SPLIT(test_blk_init_refuses_what_is_missing, NULL, NULL),
        TEST_SPLIT(test_blk_init_refuses_what_is_out_of_range, NULL, NULL),
        TEST_SPLIT(test_blk_init_refuses_more_ranges_than_a_slot_holds, NULL, NULL),
        TEST_SPLIT(test_blk_counters_of_an_unknown_queue_are_null, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
