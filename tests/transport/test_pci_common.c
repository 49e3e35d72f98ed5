/* SPDX-License-Identifier: BSD-3-Clause */
/* Common configuration of a PCI function: access rules -> features -> status -> queue registers ->
 * queue_enable and queue_reset. */
#include "transport/test_pci.h"

/* ---- access rules ---- */

/* Natural width of what begins at an offset, by the specification's table. */
static uint32_t natural(uint32_t offset)
{
    static const uint8_t width[TEST_C_SIZE] = {
        [0] = 4,  [4] = 4,  [8] = 4,  [12] = 4, [16] = 2, [18] = 2, [20] = 1, [21] = 1,
        [22] = 2, [24] = 2, [26] = 2, [28] = 2, [30] = 2, [32] = 4, [36] = 4, [40] = 4,
        [44] = 4, [48] = 4, [52] = 4, [56] = 2, [58] = 2, [60] = 2, [62] = 2};

    return width[offset];
}

static const uint32_t widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 0xffffffff};

/* [drv.pci-2.1] (d) row 44: fields are read in their own width only */
static void test_pci_common_reads_whole_fields_only(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    for (uint32_t offset = 0; offset < TEST_C_SIZE; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            const uint64_t bad = pci_bad_accesses(t);
            const bool good = widths[w] != 0U && widths[w] == natural(offset);
            const uint64_t value =
                avps_pci_bar_read(&t->p.pci, 0, t->p.common.offset + offset, widths[w]);

            assert_true(good || value == 0U);
            assert_int_equal(pci_bad_accesses(t), bad + (good ? 0U : 1U));
        }
    }
    pci_free(t);
}

/* [drv.pci-2.1] (d) row 44: another width writes nothing */
static void test_pci_common_writes_whole_fields_only(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const struct pci_picture before = pci_picture_of(t);
    const uint64_t count = pci_bad_accesses(t);
    uint64_t bad = 0;

    for (uint32_t offset = 0; offset < TEST_C_SIZE; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            if (widths[w] != 0U && widths[w] == natural(offset)) {
                continue;
            }
            avps_pci_bar_write(&t->p.pci, 0, t->p.common.offset + offset, widths[w], 0);
            avps_pci_bar_write(&t->p.pci, 0, t->p.common.offset + offset, widths[w], UINT64_MAX);
            bad += 2U;
        }
    }
    assert_int_equal(pci_bad_accesses(t), count + bad);
    pci_expect_unchanged(t, &before);
    pci_echo(t, 0);
    pci_free(t);
}

/* [drv.pci-4.1] */
static void test_pci_common_keeps_what_is_read_only(void **state)
{
    static const uint32_t fields[] = {TEST_C_DEVICE_FEATURE, TEST_C_NUM_QUEUES, TEST_C_GENERATION,
                                      TEST_C_ADMIN_INDEX, TEST_C_ADMIN_NUM};

    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const struct pci_picture before = pci_picture_of(t);
    const uint64_t bad = pci_bad_accesses(t);

    for (size_t i = 0; i < AVPS_COUNT_OF(fields); i++) {
        const uint64_t value = test_pci_common(&t->p, fields[i]);

        test_pci_common_set(&t->p, fields[i], ~value & 0xffffffffU);
        assert_true(test_pci_common(&t->p, fields[i]) == value);
    }
    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_NOTIFY_OFF, 1);
    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_NOTIF_DATA, 1);
    assert_int_equal(pci_bad_accesses(t), bad + 7U);
    pci_expect_unchanged(t, &before);
    pci_free(t);
}

/* Fields that features bring read 0 without them. */
static void test_pci_common_fields_of_features_read_zero_without(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    assert_int_equal(test_pci_queue(&t->p, 2, TEST_C_QUEUE_NOTIF_DATA), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_ADMIN_INDEX), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_ADMIN_NUM), 0);
    pci_free(t);
    t = pci_new(TEST_FAKE_SYNC);
    test_driver_want(&t->d, AVPS_F_NOTIF_CONFIG_DATA);
    pci_start(t, state);
    assert_int_equal(test_pci_queue(&t->p, 2, TEST_C_QUEUE_NOTIF_DATA), 2);
    pci_free(t);
}

/* ---- features ---- */

/* [pci-5.3] (d) row 46: four words, and nothing for any other selector */
static void test_pci_offers_128_feature_bits(void **state)
{
    static const uint32_t none[] = {4, 5, 31, 32, 0x80000000, 0xffffffff};

    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    for (uint32_t word = 0; word < 4U; word++) {
        test_pci_common_set(&t->p, TEST_C_DEVICE_FEATURE_SELECT, word);
        assert_int_equal(test_pci_common(&t->p, TEST_C_DEVICE_FEATURE_SELECT), word);
        assert_true(test_pci_common(&t->p, TEST_C_DEVICE_FEATURE) ==
                    t->fake.base.offered.word[word]);
    }
    assert_true(test_driver_offers(&t->d, AVPS_F_VERSION_1));
    assert_true(test_driver_offers(&t->d, TEST_FAKE_F_HIGH));
    for (size_t i = 0; i < AVPS_COUNT_OF(none); i++) {
        test_pci_common_set(&t->p, TEST_C_DEVICE_FEATURE_SELECT, none[i]);
        assert_int_equal(test_pci_common(&t->p, TEST_C_DEVICE_FEATURE), 0);
    }
    pci_free(t);
}

/* [pci-5.4] [pci-5.5] */
static void test_pci_shows_the_features_that_the_driver_wrote(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    for (uint32_t word = 0; word < 4U; word++) {
        test_pci_common_set(&t->p, TEST_C_DRIVER_FEATURE_SELECT, word);
        assert_int_equal(test_pci_common(&t->p, TEST_C_DRIVER_FEATURE), 0);
        test_pci_common_set(&t->p, TEST_C_DRIVER_FEATURE, 0xdead0000U + word);
    }
    for (uint32_t word = 0; word < 4U; word++) {
        test_pci_common_set(&t->p, TEST_C_DRIVER_FEATURE_SELECT, word);
        assert_int_equal(test_pci_common(&t->p, TEST_C_DRIVER_FEATURE_SELECT), word);
        assert_true(test_pci_common(&t->p, TEST_C_DRIVER_FEATURE) == 0xdead0000U + word);
    }
    test_pci_common_set(&t->p, TEST_C_DRIVER_FEATURE_SELECT, 4);
    test_pci_common_set(&t->p, TEST_C_DRIVER_FEATURE, 0xffffffffU);
    assert_int_equal(test_pci_common(&t->p, TEST_C_DRIVER_FEATURE), 0);
    pci_free(t);
}

/* ---- status and configuration ---- */

/* [pci-5.7] [pci-5.8] [pci-5.9] [pci-12.7] */
static void test_pci_status_zero_resets_the_device(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);
    const uint64_t generation = test_pci_common(&t->p, TEST_C_GENERATION);

    assert_int_equal(test_pci_common(&t->p, TEST_C_STATUS), TEST_S_LIVE);
    assert_int_equal(test_pci_queue(&t->p, 1, TEST_C_QUEUE_VECTOR), 2);
    test_pci_common_set(&t->p, TEST_C_STATUS, 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_STATUS), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_CONFIG_VECTOR), 0xffff);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SELECT), 0);
    for (uint16_t i = 0; i < TEST_FAKE_QUEUES; i++) {
        assert_int_equal(test_pci_queue(&t->p, i, TEST_C_QUEUE_ENABLE), 0);
        assert_int_equal(test_pci_queue(&t->p, i, TEST_C_QUEUE_RESET), 0);
        assert_int_equal(test_pci_queue(&t->p, i, TEST_C_QUEUE_SIZE), 256);
        assert_int_equal(test_pci_queue(&t->p, i, TEST_C_QUEUE_VECTOR), 0xffff);
        assert_true(test_pci_queue(&t->p, i, TEST_C_QUEUE_DESC) == 0U);
    }
    assert_int_equal(test_pci_common(&t->p, TEST_C_GENERATION), generation);
    pci_free(t);
}

/* (d) row 35, [pci-5.7]: not 0 before the last request is back */
static void test_pci_status_is_zero_when_the_reset_is_over(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    struct pci_test *t = pci_run(state, TEST_FAKE_ASYNC);

    t->fake.cancel_answer = AVPS_PENDING;
    (void)test_driver_send(&t->d, 0, &r);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    test_pci_common_set(&t->p, TEST_C_STATUS, 0);
    assert_int_not_equal(test_pci_common(&t->p, TEST_C_STATUS), 0);
    test_pci_common_set(&t->p, TEST_C_STATUS, 0);
    assert_int_not_equal(test_pci_common(&t->p, TEST_C_STATUS), 0);
    test_fake_complete(&t->fake, 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_STATUS), 0);
    pci_free(t);
}

/* (d) row 43, [pci-5.6] */
static void test_pci_generation_follows_the_configuration(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    for (unsigned int i = 0; i < 300U; i++) {
        const uint64_t before = test_pci_common(&t->p, TEST_C_GENERATION);

        t->fake.config[0]++;
        avps_device_config_changed(&t->fake.base);
        assert_int_equal(test_pci_read(&t->p, t->p.device.offset, 1), t->fake.config[0]);
        assert_int_equal(test_pci_common(&t->p, TEST_C_GENERATION), (before + 1U) & 0xffU);
        assert_int_equal(test_pci_common(&t->p, TEST_C_GENERATION), (before + 1U) & 0xffU);
    }
    (void)test_pci_read(&t->p, t->p.isr.offset, 1);
    pci_free(t);
}

/* ---- queue registers ---- */

/* (d) rows 26, 27, [pci-5.14]: a queue that is not there reads 0 and takes nothing */
static void test_pci_queue_select_out_of_range_selects_nothing(void **state)
{
    static const uint16_t queues[] = {
        TEST_FAKE_QUEUES, TEST_FAKE_QUEUES + 1U, 255, 256, 0x7fff, 0xffff};
    static const uint32_t fields[] = {
        TEST_C_QUEUE_SIZE,   TEST_C_QUEUE_ENABLE, TEST_C_QUEUE_NOTIFY_OFF, TEST_C_QUEUE_DESC,
        TEST_C_QUEUE_DRIVER, TEST_C_QUEUE_DEVICE, TEST_C_QUEUE_NOTIF_DATA, TEST_C_QUEUE_RESET};

    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    assert_int_equal(test_pci_common(&t->p, TEST_C_NUM_QUEUES), TEST_FAKE_QUEUES);
    test_pci_common_set(&t->p, TEST_C_QUEUE_SELECT, 0);
    const struct pci_picture before = pci_picture_of(t);
    for (size_t i = 0; i < AVPS_COUNT_OF(queues); i++) {
        const uint64_t bad = pci_bad_accesses(t);

        for (size_t f = 0; f < AVPS_COUNT_OF(fields); f++) {
            assert_true(test_pci_queue(&t->p, queues[i], fields[f]) == 0U);
            test_pci_queue_set(&t->p, queues[i], fields[f], 1);
        }
        assert_int_equal(pci_bad_accesses(t), bad + AVPS_COUNT_OF(fields) + 3U); /* two halves */
        assert_int_equal(test_pci_queue(&t->p, queues[i], TEST_C_QUEUE_VECTOR), 0xffff);
        test_pci_queue_set(&t->p, queues[i], TEST_C_QUEUE_VECTOR, 1);
        assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_VECTOR), 0xffff);
    }
    test_pci_common_set(&t->p, TEST_C_QUEUE_SELECT, 0);
    pci_expect_unchanged(t, &before);
    pci_echo(t, 0);
    pci_free(t);
}

/* [pci-3.1] Each half of an address by itself. */
static void test_pci_queue_addresses_are_written_in_halves(void **state)
{
    static const uint32_t fields[] = {TEST_C_QUEUE_DESC, TEST_C_QUEUE_DRIVER, TEST_C_QUEUE_DEVICE};

    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    test_pci_common_set(&t->p, TEST_C_QUEUE_SELECT, 1);
    for (size_t f = 0; f < AVPS_COUNT_OF(fields); f++) {
        test_pci_write(&t->p, fields[f] + 4U, 4, 0x11223344U + f);
        assert_true(test_pci_common(&t->p, fields[f]) == (uint64_t)(0x11223344U + f) << 32);
        test_pci_write(&t->p, fields[f], 4, 0x55667788U);
        assert_true(test_pci_common(&t->p, fields[f]) ==
                    ((uint64_t)(0x11223344U + f) << 32 | 0x55667788U));
    }
    for (size_t f = 0; f < AVPS_COUNT_OF(fields); f++) {
        assert_true(test_pci_queue(&t->p, 0, fields[f]) == 0U);
        assert_true(test_pci_queue(&t->p, 1, fields[f]) ==
                    ((uint64_t)(0x11223344U + f) << 32 | 0x55667788U));
    }
    pci_free(t);
}

/* (d) row 20, [pci-5.15] [drv.pci-4.2] [drv.pci-4.3] */
static void test_pci_queue_size_is_one_that_the_ring_can_have(void **state)
{
    static const uint16_t sizes[] = {0,   1,   2,   3,   5,   6,      7,     100,
                                     128, 255, 256, 257, 512, 0x8000, 0xffff};

    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const bool packed = test_is_packed(state);
    if (packed) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    assert_true(test_driver_negotiate(&t->d));
    for (size_t i = 0; i < AVPS_COUNT_OF(sizes); i++) {
        const uint32_t size = sizes[i];
        const bool good = size >= 1U && size <= 256U && (packed || (size & (size - 1U)) == 0U);
        const uint64_t bad = pci_bad_accesses(t);

        test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_SIZE, 64);
        test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_SIZE, size);
        assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SIZE), good ? size : 64U);
        assert_int_equal(pci_bad_accesses(t), bad + (good ? 0U : 1U));
    }
    pci_free(t);
}

/* ---- queue_enable and queue_reset ---- */

/* (d) row 22, [drv.pci-4.6]: 0 and other values do not stop a queue */
static void test_pci_queue_enable_only_enables(void **state)
{
    static const uint16_t values[] = {0, 2, 3, 0x100, 0xffff};

    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const uint64_t bad = pci_bad_accesses(t);
    for (size_t i = 0; i < AVPS_COUNT_OF(values); i++) {
        test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_ENABLE, values[i]);
        assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_ENABLE), 1);
    }
    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_ENABLE, 1); /* again changes nothing */
    assert_int_equal(pci_bad_accesses(t), bad + AVPS_COUNT_OF(values));
    pci_echo(t, 0);
    pci_free(t);
}

/* (d) row 21, I14: registers of an enabled queue are frozen */
static void test_pci_enabled_queue_is_frozen(void **state)
{
    static const uint32_t fields[] = {TEST_C_QUEUE_SIZE, TEST_C_QUEUE_DESC, TEST_C_QUEUE_DRIVER,
                                      TEST_C_QUEUE_DEVICE};

    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    test_pci_common_set(&t->p, TEST_C_QUEUE_SELECT, 0);
    const struct pci_picture before = pci_picture_of(t);
    for (size_t f = 0; f < AVPS_COUNT_OF(fields); f++) {
        test_pci_common_set(&t->p, fields[f], 8);
    }
    pci_expect_unchanged(t, &before);
    pci_echo(t, 0);
    pci_free(t);
}

static void test_pci_queue_is_not_enabled_before_features_ok(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_ENABLE, 1);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_ENABLE), 0);
    pci_free(t);
}

/* [pci-5.10] [pci-5.11] [pci-5.13] [drv.pci-4.8] [drv.pci-4.9] */
static void test_pci_queue_reset_stops_one_queue(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    pci_echo(t, 1);
    test_pci_queue_set(&t->p, 1, TEST_C_QUEUE_RESET, 2); /* no command */
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_ENABLE), 1);
    test_pci_common_set(&t->p, TEST_C_QUEUE_RESET, 1);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_RESET), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_ENABLE), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SIZE), 256);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_VECTOR), 0xffff);
    pci_echo(t, 0); /* the others go on */
    assert_true(test_driver_queue(&t->d, 1, 8));
    assert_int_equal(test_pci_queue(&t->p, 1, TEST_C_QUEUE_RESET), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SIZE), 8);
    pci_echo(t, 1);
    pci_free(t);
}

/* (d) row 24, [pci-5.12] [pci-5.13] [drv.pci-4.7] */
static void test_pci_queue_reset_reads_one_until_it_is_over(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    struct test_used used = {0, 0};
    struct pci_test *t = pci_run(state, TEST_FAKE_ASYNC);

    t->fake.cancel_answer = AVPS_PENDING;
    (void)test_driver_send(&t->d, 1, &r);
    test_driver_kick(&t->d, 1);
    (void)test_driver_poll(&t->d);
    test_pci_queue_set(&t->p, 1, TEST_C_QUEUE_RESET, 1);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_RESET), 1);
    test_pci_common_set(&t->p, TEST_C_QUEUE_RESET, 1);
    test_pci_common_set(&t->p, TEST_C_QUEUE_SIZE, 8); /* not now */
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SIZE), 16);
    test_fake_complete(&t->fake, 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_RESET), 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_ENABLE), 0);
    assert_false(test_driver_reap(&t->d, 1, &used));
    pci_free(t);
}

static void test_pci_queue_reset_needs_its_feature(void **state)
{
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    test_pci_attach(&t->p, &t->d, &t->config);
    if (test_is_packed(state)) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&t->d);
    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_RESET, 1);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_ENABLE), 1);
    (void)test_driver_poll(&t->d);
    pci_echo(t, 0);
    pci_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_pci_common_reads_whole_fields_only, NULL, NULL),
        TEST_BOTH(test_pci_common_writes_whole_fields_only, NULL, NULL),
        cmocka_unit_test(test_pci_common_keeps_what_is_read_only),
        TEST_BOTH(test_pci_common_fields_of_features_read_zero_without, NULL, NULL),
        cmocka_unit_test(test_pci_offers_128_feature_bits),
        cmocka_unit_test(test_pci_shows_the_features_that_the_driver_wrote),
        TEST_BOTH(test_pci_status_zero_resets_the_device, NULL, NULL),
        TEST_BOTH(test_pci_status_is_zero_when_the_reset_is_over, NULL, NULL),
        TEST_BOTH(test_pci_generation_follows_the_configuration, NULL, NULL),
        TEST_BOTH(test_pci_queue_select_out_of_range_selects_nothing, NULL, NULL),
        cmocka_unit_test(test_pci_queue_addresses_are_written_in_halves),
        TEST_BOTH(test_pci_queue_size_is_one_that_the_ring_can_have, NULL, NULL),
        TEST_BOTH(test_pci_queue_enable_only_enables, NULL, NULL),
        TEST_BOTH(test_pci_enabled_queue_is_frozen, NULL, NULL),
        cmocka_unit_test(test_pci_queue_is_not_enabled_before_features_ok),
        TEST_BOTH(test_pci_queue_reset_stops_one_queue, NULL, NULL),
        TEST_BOTH(test_pci_queue_reset_reads_one_until_it_is_over, NULL, NULL),
        TEST_BOTH(test_pci_queue_reset_needs_its_feature, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
