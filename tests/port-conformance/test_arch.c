/* SPDX-License-Identifier: BSD-3-Clause */
/* The suite finds a compiler and CPU seam that is wrong: built once more with broken_arch.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ports/broken_arch.h"
#include "ports/model.h"

enum arch_bug arch_bug;
const uint8_t *arch_begin;
const uint8_t *arch_end;
_Thread_local struct arch_kept arch_kept;

static struct avps_pc pc;
static struct model model;
static const char *wanted;
static bool found;
static unsigned int failures;

static void look(void *ctx, const char *line)
{
    (void)ctx;
    if (strncmp(line, "not ok ", 7) == 0) {
        failures++;
        found = found || (wanted != NULL && strstr(line, wanted) != NULL);
    }
}

static void run_with(enum arch_bug bug, const char *sentence)
{
    model_init(&model, MODEL_TRANSLATE, BUG_NONE);
    model.target.print = look;
    model.target.devices = 0; /* the seam alone */
    (void)memset(&pc, 0, sizeof pc);
    wanted = sentence;
    found = false;
    failures = 0;
    arch_begin = (const uint8_t *)&pc.litmus;
    arch_end = arch_begin + sizeof pc.litmus;
    arch_bug = bug;
    (void)!avps_pc_run(&pc, &model.target);
    arch_bug = ARCH_GOOD;
    model_free(&model);
}

static void finds(enum arch_bug bug, const char *sentence)
{
    run_with(bug, sentence);
    assert_true(found);
}

static void test_arch_without_a_bug_passes(void **state)
{
    (void)state;
    run_with(ARCH_GOOD, NULL);
    assert_int_equal(failures, 0);
}

static void test_arch_finds_loads_in_the_wrong_order(void **state)
{
    (void)state;
    finds(ARCH_LOAD_SWAPPED, "loads of rings are little-endian");
}

static void test_arch_finds_stores_that_touch_more(void **state)
{
    (void)state;
    finds(ARCH_STORE_WIDE, "stores to rings are little-endian and touch nothing else");
}

static void test_arch_finds_values_in_the_wrong_order(void **state)
{
    (void)state;
    finds(ARCH_LE_SWAPPED, "values are put into the guest's byte order");
}

static void test_arch_finds_a_short_copy(void **state)
{
    (void)state;
    finds(ARCH_COPY_SHORT, "copies from the guest are exact");
}

static void test_arch_finds_a_torn_load(void **state)
{
    (void)state;
    finds(ARCH_LOAD_TORN, "loads of rings are not torn");
}

static void test_arch_finds_a_release_that_orders_nothing(void **state)
{
    (void)state;
    finds(ARCH_RELEASE_NOTHING, "what is released before is seen by who acquires after");
}

static void test_arch_finds_a_release_fence_that_orders_nothing(void **state)
{
    (void)state;
    finds(ARCH_FENCE_RELEASE_NOTHING, "a release fence orders stores");
}

static void test_arch_finds_a_full_fence_that_orders_nothing(void **state)
{
    (void)state;
    finds(ARCH_FENCE_FULL_NOTHING, "a full fence orders a store before a load");
}

static void test_arch_finds_a_descriptor_read_low_half_first(void **state)
{
    (void)state;
    finds(ARCH_LOW_HALF_FIRST, "the low half of a descriptor is not older than the high half");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arch_without_a_bug_passes),
        cmocka_unit_test(test_arch_finds_loads_in_the_wrong_order),
        cmocka_unit_test(test_arch_finds_stores_that_touch_more),
        cmocka_unit_test(test_arch_finds_values_in_the_wrong_order),
        cmocka_unit_test(test_arch_finds_a_short_copy),
        cmocka_unit_test(test_arch_finds_a_torn_load),
        cmocka_unit_test(test_arch_finds_a_release_that_orders_nothing),
        cmocka_unit_test(test_arch_finds_a_release_fence_that_orders_nothing),
        cmocka_unit_test(test_arch_finds_a_full_fence_that_orders_nothing),
        cmocka_unit_test(test_arch_finds_a_descriptor_read_low_half_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
