/* SPDX-License-Identifier: BSD-3-Clause */
/* PSCI of the bare-metal port: which calls start, park and end, and what every wrong one is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../port/baremetal-aarch64/bm_psci.c" /* NOLINT(bugprone-suspicious-include) */

#define RAM   0x80000000U
#define SIZE  0x10000000U
#define ENTRY (RAM + 0x200000U)

static struct bm_psci psci;
static uint64_t x[31];

static int setup(void **state)
{
    (void)state;
    memset(&psci, 0, sizeof psci);
    bm_psci_init(&psci, 3, ENTRY, 0x1234);
    bm_psci_memory(&psci, RAM, SIZE);
    assert_true(bm_psci_begin(&psci, 0));
    return 0;
}

/* Call `function` on CPU `cpu`. */
static enum bm_psci_action call(uint32_t cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    x[0] = function;
    x[1] = a;
    x[2] = b;
    x[3] = c;
    return bm_psci_call(&psci, cpu, x);
}

/* The answer of a call that does nothing else. */
static int64_t answer(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    assert_int_equal(call(0, function, a, b, c), BM_PSCI_RESUME);
    return (int64_t)x[0];
}

static void test_psci_begins_with_the_first_cpu(void **state)
{
    (void)state;
    assert_int_equal(psci.cpus[0].entry, ENTRY);
    assert_int_equal(psci.cpus[0].context, 0x1234);
    assert_false(bm_psci_begin(&psci, 0));
    assert_false(bm_psci_begin(&psci, 1));
}

static void test_psci_starts_a_cpu_once(void **state)
{
    (void)state;
    assert_int_equal(call(0, PSCI_CPU_ON | PSCI_WIDE, 1, ENTRY + 4U, 77), BM_PSCI_START);
    assert_int_equal(x[0], PSCI_SUCCESS);
    assert_int_equal(psci.target, 1);
    assert_int_equal(answer(PSCI_AFFINITY_INFO, 1, 0, 0), PSCI_AFFINITY_PENDING);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 1, ENTRY, 0), PSCI_ON_PENDING);
    assert_true(bm_psci_begin(&psci, 1));
    assert_int_equal(psci.cpus[1].entry, ENTRY + 4U);
    assert_int_equal(psci.cpus[1].context, 77);
    assert_int_equal(answer(PSCI_AFFINITY_INFO, 1, 0, 0), PSCI_AFFINITY_ON);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 1, ENTRY, 0), PSCI_ALREADY_ON);
}

static void test_psci_refuses_cpus_and_entries_that_do_not_exist(void **state)
{
    (void)state;
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 3, ENTRY, 0), PSCI_INVALID);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, UINT64_MAX, ENTRY, 0), PSCI_INVALID);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 1ULL << 32, ENTRY, 0), PSCI_INVALID);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 1, RAM - 4U, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 1, (uint64_t)RAM + SIZE, 0),
                     PSCI_INVALID_ADDRESS);
    assert_int_equal(answer(PSCI_CPU_ON | PSCI_WIDE, 1, ENTRY + 2U, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(answer(PSCI_AFFINITY_INFO | PSCI_WIDE, 3, 0, 0), PSCI_INVALID);
    assert_int_equal(answer(PSCI_AFFINITY_INFO | PSCI_WIDE, 0, 1, 0), PSCI_INVALID);
    assert_int_equal(answer(PSCI_AFFINITY_INFO | PSCI_WIDE, 2, 0, 0), PSCI_AFFINITY_OFF);
    assert_int_equal(psci.cpus[1].state, BM_PSCI_CPU_OFF);
}

static void test_psci_reads_32_bits_of_a_32_bit_calls_arguments(void **state)
{
    (void)state;
    assert_int_equal(
        call(0, PSCI_CPU_ON, 0xffffffff00000002U, 0xdead000000000000U | ENTRY, 0x5555555500000007U),
        BM_PSCI_START);
    assert_int_equal(psci.target, 2);
    assert_int_equal(psci.cpus[2].entry, ENTRY);
    assert_int_equal(psci.cpus[2].context, 7);
}

static void test_psci_parks_a_cpu_but_not_the_last(void **state)
{
    (void)state;
    assert_int_equal(answer(PSCI_CPU_OFF, 0, 0, 0), PSCI_DENIED);
    (void)call(0, PSCI_CPU_ON | PSCI_WIDE, 1, ENTRY, 0);
    assert_true(bm_psci_begin(&psci, 1));
    assert_int_equal(call(0, PSCI_CPU_OFF, 0, 0, 0), BM_PSCI_PARK);
    assert_int_equal(psci.cpus[0].state, BM_PSCI_CPU_OFF);
    assert_int_equal(call(1, PSCI_CPU_OFF, 0, 0, 0), BM_PSCI_RESUME);
    assert_int_equal(x[0], PSCI_DENIED);
    assert_int_equal(call(1, PSCI_CPU_ON | PSCI_WIDE, 0, ENTRY, 0), BM_PSCI_START);
}

static void test_psci_ends_the_guest(void **state)
{
    (void)state;
    assert_int_equal(call(0, PSCI_SYSTEM_OFF, 0, 0, 0), BM_PSCI_OFF);
    assert_int_equal(call(0, PSCI_SYSTEM_RESET, 0, 0, 0), BM_PSCI_RESET);
}

static void test_psci_tells_what_it_has(void **state)
{
    (void)state;
    assert_int_equal(answer(PSCI_VERSION, 0, 0, 0), PSCI_VERSION_1_1);
    assert_int_equal(answer(PSCI_SMCCC_VERSION, 0, 0, 0), PSCI_VERSION_1_1);
    assert_int_equal(answer(PSCI_MIGRATE_INFO, 0, 0, 0), PSCI_MIGRATE_NOT_NEEDED);
    assert_int_equal(answer(PSCI_FEATURES, PSCI_CPU_ON | PSCI_WIDE, 0, 0), PSCI_SUCCESS);
    assert_int_equal(answer(PSCI_FEATURES, 0x84000001U, 0, 0), -1);
    assert_int_equal(answer(PSCI_FEATURES, PSCI_SYSTEM_OFF | PSCI_WIDE, 0, 0), -1);
}

static void test_psci_answers_everything_else_not_supported(void **state)
{
    (void)state;
    for (uint64_t function = 0x8400000bU; function < 0x84000100U; function++) {
        assert_int_equal(answer(function, 1, ENTRY, 0), -1);
        assert_int_equal(answer(function | PSCI_WIDE, 1, ENTRY, 0), -1);
    }
    assert_int_equal(answer(0, 0, 0, 0), -1);
    assert_int_equal(answer(UINT64_MAX, 0, 0, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_psci_begins_with_the_first_cpu, setup),
        cmocka_unit_test_setup(test_psci_starts_a_cpu_once, setup),
        cmocka_unit_test_setup(test_psci_refuses_cpus_and_entries_that_do_not_exist, setup),
        cmocka_unit_test_setup(test_psci_reads_32_bits_of_a_32_bit_calls_arguments, setup),
        cmocka_unit_test_setup(test_psci_parks_a_cpu_but_not_the_last, setup),
        cmocka_unit_test_setup(test_psci_ends_the_guest, setup),
        cmocka_unit_test_setup(test_psci_tells_what_it_has, setup),
        cmocka_unit_test_setup(test_psci_answers_everything_else_not_supported, setup),
    };

    return cmocka_run_group_tests_name("port/bm_psci", tests, NULL, NULL);
}
