/* SPDX-License-Identifier: BSD-3-Clause */
/* Address spaces of avps-kvm: who answers, what nobody answers, what may not overlap. */
#include "support/mem.h"

#include "bus.h"

static struct bus bus;
static struct bus_access seen;

static void serve(void *ctx, struct bus_access *access)
{
    seen = *access;
    if (!access->is_write) {
        access->value = *(const uint64_t *)ctx;
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&bus, 0, sizeof bus);
    memset(&seen, 0, sizeof seen);
    return 0;
}

static void test_an_access_reaches_its_range_at_an_offset(void **state)
{
    static uint64_t first = 0x11;
    static uint64_t second = 0x22;
    struct bus_access access = {.width = 4};

    (void)state;
    assert_true(bus_add(&bus, 0x1000, 0x200, serve, &first));
    assert_true(bus_add(&bus, 0x1200, 0x200, serve, &second));
    assert_true(bus_serve_at(&bus, 0x11fc, &access));
    assert_int_equal(access.value, 0x11);
    assert_int_equal(seen.offset, 0x1fc);
    assert_true(bus_serve_at(&bus, 0x1200, &access));
    assert_int_equal(access.value, 0x22);
    assert_int_equal(seen.offset, 0);
}

static void test_what_nobody_answers_reads_as_ones(void **state)
{
    static uint64_t value = 1;
    struct bus_access access = {.width = 4};

    (void)state;
    assert_false(bus_serve_at(&bus, 0x1000, &access));
    assert_int_equal(access.value, UINT64_MAX);
    assert_true(bus_add(&bus, 0x1000, 0x100, serve, &value));
    assert_false(bus_serve_at(&bus, 0x0fff, &access));
    assert_false(bus_serve_at(&bus, 0x10fd, &access)); /* half of it is outside */
    assert_false(bus_serve_at(&bus, UINT64_MAX, &access));
}

static void test_ranges_do_not_overlap(void **state)
{
    (void)state;
    assert_true(bus_add(&bus, 0x1000, 0x100, serve, NULL));
    assert_false(bus_add(&bus, 0x10ff, 1, serve, NULL));
    assert_false(bus_add(&bus, 0x0f00, 0x1000, serve, NULL));
    assert_true(bus_add(&bus, 0x1100, 1, serve, NULL));
}

static void test_there_is_room_for_so_many(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < BUS_RANGES; i++) {
        assert_true(bus_add(&bus, i * 16U, 16, serve, NULL));
    }
    assert_false(bus_add(&bus, 0x10000, 16, serve, NULL));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_access_reaches_its_range_at_an_offset),
        TEST(test_what_nobody_answers_reads_as_ones),
        TEST(test_ranges_do_not_overlap),
        TEST(test_there_is_room_for_so_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
