/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows of virtio-mmio devices: which device an access is for, and what is where none is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "avps/rng.h"
#include "avps_common/windows.h"
#include "avps_sim/entropy.h"
#include "support/driver.h"

#define FIRST  0x0a000000U
#define SECOND 0x0a000200U
#define EMPTY  0x0a000400U

static struct {
    struct test_driver driver;
    struct avps_sim_entropy entropy;
    struct avps_queue queues[2];
    struct avps_rng rng[2];
    struct avps_window storage[3];
    struct avps_windows windows;
} fixture;

static void set_level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    (void)high;
}

static const struct avps_irq_ops irq_ops = {.set_level = set_level};

static enum avps_status add(struct avps_device *device, avps_gpa gpa)
{
    const struct avps_mmio_config config = {.device = device, .irq = &irq_ops};

    return avps_windows_add(&fixture.windows, &config, gpa);
}

static int setup(void **state)
{
    (void)state;
    test_driver_init(&fixture.driver, TEST_MEM_REGIONS);
    avps_sim_entropy_init(&fixture.entropy, 1, 4096);
    fixture.windows = (struct avps_windows){fixture.storage, 3, 0};
    for (uint32_t i = 0; i < 2U; i++) {
        struct avps_rng_config config = {.ops = avps_sim_entropy_ops(), .ctx = &fixture.entropy};

        config.base = test_driver_base(&fixture.driver, &fixture.queues[i], 1, 8);
        assert_int_equal(avps_rng_init(&fixture.rng[i], &config), AVPS_OK);
    }
    assert_int_equal(add(&fixture.rng[0].base, FIRST), AVPS_OK);
    assert_int_equal(add(&fixture.rng[1].base, SECOND), AVPS_OK);
    assert_int_equal(add(NULL, EMPTY), AVPS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_driver_free(&fixture.driver);
    return 0;
}

static uint64_t load(avps_gpa gpa, uint32_t width)
{
    struct avps_window_access access = {.gpa = gpa, .value = 0xaa, .width = width};
    struct avps_device *work = NULL;

    assert_true(avps_windows_access(&fixture.windows, &access, &work));
    assert_null(work);
    return access.value;
}

static struct avps_device *store(avps_gpa gpa, uint32_t value)
{
    struct avps_window_access access = {.gpa = gpa, .value = value, .width = 4, .is_write = true};
    struct avps_device *work = NULL;

    assert_true(avps_windows_access(&fixture.windows, &access, &work));
    return work;
}

static void test_leads_each_access_to_its_device(void **state)
{
    (void)state;
    assert_null(store(SECOND + 0x70U, 1));
    assert_int_equal(load(FIRST + 0x70U, 4), 0);
    assert_int_equal(load(SECOND + 0x70U, 4), 1);
    assert_int_equal(load(SECOND - 1U, 1), 0); /* the last byte of the first */
}

static void test_shows_a_window_without_a_device(void **state)
{
    (void)state;
    assert_int_equal(load(EMPTY, 4), 0x74726976);
    assert_int_equal(load(EMPTY + 4U, 4), 2);
    assert_int_equal(load(EMPTY, 8), 0);
    assert_int_equal(load(EMPTY + 4U, 2), 0);
    for (uint32_t offset = 8; offset < AVPS_MMIO_SIZE; offset += 4U) {
        assert_null(store(EMPTY + offset, UINT32_MAX));
        assert_int_equal(load(EMPTY + offset, 4), 0);
    }
}

static void test_leaves_alone_what_is_outside(void **state)
{
    const avps_gpa outside[] = {0, FIRST - 1U, EMPTY + AVPS_MMIO_SIZE, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        struct avps_window_access access = {.gpa = outside[i], .value = 5, .width = 4};
        struct avps_device *work = &fixture.rng[0].base;

        assert_false(avps_windows_access(&fixture.windows, &access, &work));
        assert_null(work);
        assert_int_equal(access.value, 5);
    }
}

static void store_address(uint32_t offset, avps_gpa gpa)
{
    assert_null(store(FIRST + offset, (uint32_t)gpa));
    assert_null(store(FIRST + offset + 4U, (uint32_t)(gpa >> 32)));
}

static void test_says_which_device_has_work(void **state)
{
    const avps_gpa ring = test_mem_alloc(&fixture.driver.mem, 0x3000, 4096);

    (void)state;
    assert_null(store(FIRST + 0x70U, 3));
    assert_null(store(FIRST + 0x24U, 1));
    assert_null(store(FIRST + 0x20U, 1));
    assert_null(store(FIRST + 0x70U, 11));
    assert_null(store(FIRST + 0x38U, 8));
    store_address(0x80, ring);
    store_address(0x90, ring + 0x1000U);
    store_address(0xa0, ring + 0x2000U);
    (void)store(FIRST + 0x44U, 1);
    (void)store(FIRST + 0x70U, 15);
    (void)avps_poll(&fixture.rng[0].base, 8);
    assert_ptr_equal(store(FIRST + AVPS_MMIO_QUEUE_NOTIFY, 0), &fixture.rng[0].base);
}

static void test_adds_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    assert_int_equal(add(NULL, 0x0b000000), AVPS_E_NOSPACE);
    fixture.windows.count = 2;
    assert_int_equal(add(&fixture.rng[0].base, 0x0b000000), AVPS_E_STATE); /* it has a transport */
    assert_int_equal(fixture.windows.count, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_leads_each_access_to_its_device),     TEST(test_shows_a_window_without_a_device),
        TEST(test_leaves_alone_what_is_outside),        TEST(test_says_which_device_has_work),
        TEST(test_adds_no_more_than_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
