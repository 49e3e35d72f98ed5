/* SPDX-License-Identifier: BSD-3-Clause */
/* The message frame of the bare-metal example: what a guest reads of it, and that no message of its
 * devices reaches an interrupt that is not one of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../examples/baremetal-hypervisor/v2m.c" /* NOLINT(bugprone-suspicious-include) */

#define TYPER  0x008U
#define SETSPI 0x040U

static uint32_t sent_count;
static uint32_t sent_last;

void gic_send_messages(uint32_t set)
{
    sent_last = set;
    sent_count++;
}

static int setup(void **state)
{
    (void)state;
    sent_count = 0;
    sent_last = 0;
    v2m_count = (struct v2m_counters){0};
    return 0;
}

static void test_v2m_tells_its_range_of_interrupts(void **state)
{
    (void)state;
    assert_int_equal(v2m_access(TYPER, 4, 0, 0), 96U << 16 | 32U);
}

static void test_v2m_reads_zero_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(v2m_access(TYPER, 8, 0, 0), 0);
    assert_int_equal(v2m_access(TYPER + 1U, 1, 0, 0), 0);
    for (uint32_t offset = 0; offset < V2M_SIZE; offset += 4U) {
        if (offset != TYPER) {
            assert_int_equal(v2m_access(offset, 4, 0, 0), 0);
        }
    }
    assert_int_equal(sent_count, 0);
}

static void test_v2m_sends_every_interrupt_of_its_range(void **state)
{
    (void)state;
    for (uint32_t data = 96; data < 128U; data++) {
        v2m_send(GUEST_V2M + SETSPI, data);
        assert_int_equal(sent_last, 1U << (data - 96U));
    }
    assert_int_equal(sent_count, 32);
    assert_int_equal(v2m_counters()->sent, 32);
    assert_int_equal(v2m_counters()->lost, 0);
}

static void test_v2m_loses_messages_with_a_foreign_number(void **state)
{
    static const uint32_t foreign[] = {0, 27, 48, 95, 128, 1023, 96U | 1U << 16, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        v2m_send(GUEST_V2M + SETSPI, foreign[i]);
    }
    assert_int_equal(sent_count, 0);
    assert_int_equal(v2m_counters()->lost, sizeof foreign / sizeof foreign[0]);
}

static void test_v2m_loses_messages_to_a_foreign_address(void **state)
{
    static const uint64_t foreign[] = {0,
                                       GUEST_V2M,
                                       GUEST_V2M + SETSPI + 4U,
                                       GUEST_GICD + SETSPI,
                                       GUEST_RAM,
                                       GUEST_V2M + SETSPI + (1ULL << 32),
                                       UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        v2m_send(foreign[i], 96);
    }
    assert_int_equal(sent_count, 0);
    assert_int_equal(v2m_counters()->lost, sizeof foreign / sizeof foreign[0]);
}

static void test_v2m_takes_the_guests_own_store(void **state)
{
    (void)state;
    assert_int_equal(v2m_access(SETSPI, 4, 1, 127), 0);
    assert_int_equal(sent_last, 1U << 31);
    assert_int_equal(v2m_access(SETSPI, 2, 1, 127), 0);
    assert_int_equal(v2m_access(TYPER, 4, 1, 127), 0);
    assert_int_equal(sent_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_v2m_tells_its_range_of_interrupts, setup),
        cmocka_unit_test_setup(test_v2m_reads_zero_elsewhere, setup),
        cmocka_unit_test_setup(test_v2m_sends_every_interrupt_of_its_range, setup),
        cmocka_unit_test_setup(test_v2m_loses_messages_with_a_foreign_number, setup),
        cmocka_unit_test_setup(test_v2m_loses_messages_to_a_foreign_address, setup),
        cmocka_unit_test_setup(test_v2m_takes_the_guests_own_store, setup),
    };

    return cmocka_run_group_tests_name("examples/v2m", tests, NULL, NULL);
}
