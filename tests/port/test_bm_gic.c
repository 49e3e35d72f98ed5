/* SPDX-License-Identifier: BSD-3-Clause */
/* The emulated GIC of the bare-metal port on any host: which interrupts get into which CPU's list registers
 * and when, and that a guest reaches no interrupt but its own. The guest takes and ends what list
 * registers show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../port/baremetal-aarch64/bm_gic.c" /* NOLINT(bugprone-suspicious-include) */

#define LRS     4U
#define MESSAGE BM_GIC_MESSAGES
#define LINE    BM_GIC_LINES
#define SET_SPI FRAME_SETSPI_NS

static struct bm_gic gic;

/* ---- the guest ---- */

static uint64_t load(uint32_t (*window)(struct bm_gic *, struct bm_gic_access *), uint64_t offset,
                     uint32_t width)
{
    struct bm_gic_access access = {offset, width, false, UINT64_MAX};

    assert_int_equal(window(&gic, &access), 0);
    return access.value;
}

static uint32_t store(uint32_t (*window)(struct bm_gic *, struct bm_gic_access *), uint64_t offset,
                      uint32_t width, uint64_t value)
{
    struct bm_gic_access access = {offset, width, true, value};

    return window(&gic, &access);
}

/* Offset of the word or doubleword of `intid` in an array. */
static uint64_t bit_of(uint32_t array, uint32_t intid)
{
    return array + intid / 32U * 4U;
}

static void enable(uint32_t intid)
{
    (void)store(bm_gic_distributor, bit_of(GICD_ISENABLER, intid), 4, 1U << (intid % 32U));
}

static void route(uint32_t intid, uint64_t cpu)
{
    (void)store(bm_gic_distributor, GICD_IROUTER + intid * 8U, 8, cpu);
}

/* The register `array` of a private interrupt of `cpu`. */
static uint64_t private_of(uint32_t cpu, uint32_t array)
{
    return (uint64_t)cpu * BM_GIC_REDISTRIBUTOR_SIZE + GICR_SGI_BASE + array;
}

static uint64_t *list_register(uint32_t cpu, uint32_t intid)
{
    static uint64_t none;

    none = 0;
    for (uint32_t i = 0; i < BM_GIC_LRS; i++) {
        uint64_t *lr = &gic.cpus[cpu].lr[i];

        if (*lr != 0U && LR_INTID(*lr) == intid) {
            return lr;
        }
    }
    return &none;
}

/* "-" not there, "P" pending, "A" active, "PA" both. */
static const char *shown_to(uint32_t cpu, uint32_t intid)
{
    static const char *const names[] = {"-", "P", "A", "PA"};

    return names[*list_register(cpu, intid) >> 62];
}

static const char *shown(uint32_t intid)
{
    return shown_to(0, intid);
}

static void takes(uint32_t intid)
{
    uint64_t *lr = list_register(0, intid);

    assert_true((*lr & LR_PENDING) != 0U);
    *lr = (*lr & ~LR_STATE) | 2ULL << 62;
}

static void ends(uint32_t intid)
{
    uint64_t *lr = list_register(0, intid);

    assert_true((*lr & 2ULL << 62) != 0U);
    *lr &= ~(2ULL << 62);
}

static bool fill(void)
{
    return bm_gic_fill(&gic, 0);
}

static void message(uint32_t n)
{
    (void)bm_gic_message(&gic, SET_SPI, MESSAGE + n);
}

/* A guest of two CPUs that enabled all of its interrupts. */
static int setup(void **state)
{
    (void)state;
    memset(&gic, 0, sizeof gic);
    bm_gic_reset(&gic, 2, LRS);
    (void)store(bm_gic_distributor, GICD_CTLR, 4, 2);
    for (uint32_t intid = 32; intid < BM_GIC_INTIDS; intid++) {
        enable(intid);
        (void)store(bm_gic_distributor, GICD_IPRIORITYR + intid, 1, intid);
    }
    for (uint32_t cpu = 0; cpu < 2U; cpu++) {
        (void)store(bm_gic_redistributor, private_of(cpu, GICD_ISENABLER), 4, UINT32_MAX);
    }
    return 0;
}

/* ---- messages ---- */

static void test_gic_shows_a_message_once(void **state)
{
    (void)state;
    message(5);
    (void)fill();
    assert_string_equal(shown(MESSAGE + 5U), "P");
    assert_int_equal(*list_register(0, MESSAGE + 5U) & ~LR_STATE,
                     LR_GROUP1 | LR_PRIORITY(MESSAGE + 5U) | (MESSAGE + 5U));
    assert_int_equal(gic.edge, 0);
    takes(MESSAGE + 5U);
    ends(MESSAGE + 5U);
    (void)fill();
    assert_string_equal(shown(MESSAGE + 5U), "-");
}

static void test_gic_puts_a_message_on_top_of_one_in_service(void **state)
{
    (void)state;
    message(0);
    (void)fill();
    takes(MESSAGE);
    message(0);
    (void)fill();
    assert_string_equal(shown(MESSAGE), "PA");
    assert_int_equal(gic.edge, 0);
    ends(MESSAGE);
    (void)fill();
    assert_string_equal(shown(MESSAGE), "P");
}

static void test_gic_merges_messages_that_were_not_taken(void **state)
{
    (void)state;
    message(0);
    (void)fill();
    message(0);
    (void)fill();
    assert_string_equal(shown(MESSAGE), "P");
    takes(MESSAGE);
    ends(MESSAGE);
    (void)fill();
    assert_string_equal(shown(MESSAGE), "-");
}

static void test_gic_keeps_a_message_while_it_is_disabled(void **state)
{
    (void)state;
    (void)store(bm_gic_distributor, bit_of(GICD_ICENABLER, MESSAGE), 4, UINT32_MAX);
    message(31);
    (void)fill();
    assert_string_equal(shown(MESSAGE + 31U), "-");
    assert_int_equal(gic.edge, 1U << 31);
    enable(MESSAGE + 31U);
    (void)fill();
    assert_string_equal(shown(MESSAGE + 31U), "P");
}

static void test_gic_takes_back_a_message_that_is_disabled_before_it_is_taken(void **state)
{
    (void)state;
    message(3);
    (void)fill();
    (void)store(bm_gic_distributor, bit_of(GICD_ICENABLER, MESSAGE), 4, 1U << 3);
    (void)fill();
    assert_string_equal(shown(MESSAGE + 3U), "-");
    assert_int_equal(gic.edge, 1U << 3);
}

static void test_gic_lets_messages_wait_for_a_list_register(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 6U; n++) {
        message(n);
    }
    assert_true(fill());
    assert_string_equal(shown(MESSAGE + 3U), "P");
    assert_int_equal(gic.edge, 0x30);
    assert_int_equal(gic.counters.waited, 1);
    takes(MESSAGE + 1U);
    ends(MESSAGE + 1U);
    assert_true(fill());
    assert_string_equal(shown(MESSAGE + 4U), "P");
    assert_int_equal(gic.edge, 0x20);
    takes(MESSAGE);
    ends(MESSAGE);
    assert_false(fill());
    assert_string_equal(shown(MESSAGE + 5U), "P");
}

static void test_gic_shows_nothing_while_the_distributor_is_off(void **state)
{
    (void)state;
    (void)store(bm_gic_distributor, GICD_CTLR, 4, 0);
    message(0);
    (void)bm_gic_set_level(&gic, 0, true);
    (void)fill();
    assert_string_equal(shown(MESSAGE), "-");
    assert_string_equal(shown(LINE), "-");
    (void)store(bm_gic_distributor, GICD_CTLR, 4, 2);
    (void)fill();
    assert_string_equal(shown(MESSAGE), "P");
    assert_string_equal(shown(LINE), "P");
}

/* ---- the message frame ---- */

static void test_frame_tells_its_range_of_interrupts(void **state)
{
    (void)state;
    assert_int_equal(load(bm_gic_frame, FRAME_TYPER, 4), MESSAGE << 16 | 32U);
    assert_int_equal(load(bm_gic_frame, FRAME_TYPER, 8), 0);
    assert_int_equal(load(bm_gic_frame, SET_SPI, 4), 0);
    assert_int_equal(load(bm_gic_frame, 0xffc, 4), 0);
}

static void test_frame_takes_the_guests_own_store(void **state)
{
    (void)state;
    assert_int_equal(store(bm_gic_frame, SET_SPI, 4, MESSAGE + 9U), 1);
    assert_int_equal(gic.edge, 1U << 9);
    assert_int_equal(store(bm_gic_frame, SET_SPI, 2, MESSAGE + 8U), 0);
    assert_int_equal(gic.edge, 1U << 9);
}

static void test_frame_loses_messages_with_a_foreign_number_or_place(void **state)
{
    const uint32_t foreign[] = {0, 27, 33, LINE, MESSAGE - 1U, MESSAGE + 32U, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_int_equal(bm_gic_message(&gic, SET_SPI, foreign[i]), 0);
    }
    for (uint64_t offset = 0; offset < 0x1000U; offset += 4U) {
        assert_int_equal(bm_gic_message(&gic, offset, MESSAGE), offset == SET_SPI ? 1 : 0);
    }
    assert_int_equal(gic.edge, 1);
    assert_int_equal(gic.counters.messages, 1);
    assert_int_equal(gic.counters.messages_lost, 7 + 0x400 - 1);
}

/* ---- lines, software interrupts, timers ---- */

static void test_gic_repeats_a_line_that_stays_high(void **state)
{
    (void)state;
    (void)bm_gic_set_level(&gic, 2, true);
    (void)fill();
    assert_true((*list_register(0, LINE + 2U) & LR_EOI) != 0U);
    takes(LINE + 2U);
    (void)fill();
    assert_string_equal(shown(LINE + 2U), "A");
    ends(LINE + 2U);
    (void)fill();
    assert_string_equal(shown(LINE + 2U), "P");
}

static void test_gic_withdraws_a_line_that_fell(void **state)
{
    (void)state;
    (void)bm_gic_set_level(&gic, 2, true);
    (void)bm_gic_set_level(&gic, 3, true);
    (void)fill();
    takes(LINE + 3U);
    (void)bm_gic_set_level(&gic, 2, false);
    (void)bm_gic_set_level(&gic, 3, false);
    (void)fill();
    assert_string_equal(shown(LINE + 2U), "-");
    assert_string_equal(shown(LINE + 3U), "A");
}

static void test_gic_links_the_timer_to_the_physical_one(void **state)
{
    (void)state;
    bm_gic_timer(&gic, 0);
    (void)fill();
    assert_string_equal(shown(BM_GIC_TIMER), "P");
    assert_true((*list_register(0, BM_GIC_TIMER) & LR_HW) != 0U);
    assert_int_equal(*list_register(0, BM_GIC_TIMER) >> 32 & 0x3ffU, BM_GIC_TIMER);
    assert_int_equal(gic.cpus[0].pending, 0);
    (void)store(bm_gic_redistributor, private_of(0, GICD_ICENABLER), 4, 1U << BM_GIC_TIMER);
    (void)fill();
    assert_string_equal(shown(BM_GIC_TIMER), "-");
    assert_int_equal(gic.cpus[0].pending, 1U << BM_GIC_TIMER);
}

static void test_gic_sends_software_interrupts_to_the_cpus_named(void **state)
{
    (void)state;
    assert_int_equal(bm_gic_software(&gic, 0, 7ULL << 24 | 2U), 2);
    assert_int_equal(bm_gic_software(&gic, 0, 8ULL << 24 | 1U), 1);
    assert_int_equal(bm_gic_software(&gic, 0, 1ULL << 40 | 9ULL << 24), 2);
    assert_int_equal(gic.cpus[0].pending, 1U << 8);
    assert_int_equal(gic.cpus[1].pending, 1U << 7 | 1U << 9);
    (void)bm_gic_fill(&gic, 1);
    assert_string_equal(shown_to(1, 7), "P");
    assert_string_equal(shown_to(0, 7), "-");
}

static void test_gic_loses_software_interrupts_to_cpus_that_do_not_exist(void **state)
{
    (void)state;
    assert_int_equal(bm_gic_software(&gic, 0, 0xfffcU), 0);         /* CPUs 2 to 15 */
    assert_int_equal(bm_gic_software(&gic, 0, 1ULL << 16 | 1U), 0); /* other clusters */
    assert_int_equal(bm_gic_software(&gic, 0, 1ULL << 32 | 1U), 0);
    assert_int_equal(bm_gic_software(&gic, 0, 1ULL << 48 | 1U), 0);
    assert_int_equal(bm_gic_software(&gic, 0, 1ULL << 44 | 1U), 0); /* CPUs 16 to 31 */
    assert_int_equal(gic.cpus[0].pending | gic.cpus[1].pending, 0);
}

/* ---- several CPUs ---- */

static void test_gic_gives_a_shared_interrupt_to_the_cpu_it_is_routed_to(void **state)
{
    (void)state;
    route(LINE + 4U, 1);
    route(MESSAGE + 4U, 1);
    assert_int_equal(bm_gic_set_level(&gic, 4, true), 2);
    assert_int_equal(bm_gic_message(&gic, SET_SPI, MESSAGE + 4U), 2);
    (void)fill();
    assert_string_equal(shown(LINE + 4U), "-");
    assert_string_equal(shown(MESSAGE + 4U), "-");
    (void)bm_gic_fill(&gic, 1);
    assert_string_equal(shown_to(1, LINE + 4U), "P");
    assert_string_equal(shown_to(1, MESSAGE + 4U), "P");
}

static void test_gic_moves_an_interrupt_that_was_not_taken(void **state)
{
    (void)state;
    message(4);
    (void)fill();
    route(MESSAGE + 4U, 1);
    (void)bm_gic_fill(&gic, 1);
    assert_string_equal(shown_to(1, MESSAGE + 4U), "-"); /* the first CPU still has it */
    (void)fill();
    (void)bm_gic_fill(&gic, 1);
    assert_string_equal(shown(MESSAGE + 4U), "-");
    assert_string_equal(shown_to(1, MESSAGE + 4U), "P");
}

static void test_gic_serves_a_line_on_one_cpu_at_a_time(void **state)
{
    (void)state;
    (void)bm_gic_set_level(&gic, 4, true);
    (void)fill();
    takes(LINE + 4U);
    route(LINE + 4U, 1);
    (void)bm_gic_fill(&gic, 1);
    assert_string_equal(shown_to(1, LINE + 4U), "-");
    ends(LINE + 4U);
    (void)fill();
    (void)bm_gic_fill(&gic, 1);
    assert_string_equal(shown_to(1, LINE + 4U), "P");
}

static void test_gic_refuses_routes_to_cpus_that_do_not_exist(void **state)
{
    const uint64_t wrong[] = {2, 0x80000000U, 1ULL << 32, UINT64_MAX};

    (void)state;
    route(LINE, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        route(LINE, wrong[i]);
        assert_int_equal(load(bm_gic_distributor, GICD_IROUTER + LINE * 8U, 8), 1);
    }
    route(40, 1); /* no such interrupt */
    assert_int_equal(load(bm_gic_distributor, GICD_IROUTER + 40U * 8U, 8), 0);
}

/* ---- registers ---- */

static void test_gic_lets_a_guest_repeat_and_drop_messages(void **state)
{
    (void)state;
    assert_int_equal(store(bm_gic_distributor, bit_of(GICD_ISPENDR, MESSAGE), 4, 0x82), 3);
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ISPENDR, MESSAGE), 4), 0x82);
    (void)store(bm_gic_distributor, bit_of(GICD_ICPENDR, MESSAGE), 4, 0x80);
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ICPENDR, MESSAGE), 4), 0x02);
    (void)fill();
    assert_string_equal(shown(MESSAGE + 1U), "P");
    assert_string_equal(shown(MESSAGE + 7U), "-");
}

static void test_gic_keeps_a_guest_from_pending_what_is_not_a_message(void **state)
{
    (void)state;
    for (uint32_t intid = 0; intid < 1024U; intid += 32U) {
        if (intid != MESSAGE) {
            (void)store(bm_gic_distributor, bit_of(GICD_ISPENDR, intid), 4, UINT32_MAX);
        }
    }
    (void)store(bm_gic_redistributor, private_of(0, GICD_ISPENDR), 4, UINT32_MAX);
    assert_int_equal(gic.edge, 0);
    (void)fill();
    for (uint32_t i = 0; i < LRS; i++) {
        assert_int_equal(gic.cpus[0].lr[i], 0);
    }
}

static void test_gic_has_only_the_guests_interrupts(void **state)
{
    (void)state;
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ISENABLER, 0), 4), 0);
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ISENABLER, 32), 4), 0xffff0000U);
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ISENABLER, 64), 4), 0x0000ffffU);
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ISENABLER, 96), 4), UINT32_MAX);
    assert_int_equal(load(bm_gic_distributor, bit_of(GICD_ISENABLER, 128), 4), 0);
    assert_int_equal(load(bm_gic_redistributor, private_of(1, GICD_ISENABLER), 4), 0x0800ffffU);
    assert_int_equal(load(bm_gic_distributor, GICD_TYPER, 4) & (1U << 16 | 1U << 17), 0); /* LPIs */
    assert_int_equal(load(bm_gic_distributor, GICD_TYPER, 4) & 31U, 3);
}

static void test_gic_keeps_priorities_and_triggers(void **state)
{
    (void)state;
    (void)store(bm_gic_redistributor, private_of(1, GICD_IPRIORITYR + 4U), 4, 0x40302010U);
    assert_int_equal(load(bm_gic_redistributor, private_of(1, GICD_IPRIORITYR + 4U), 4),
                     0x40302010U);
    assert_int_equal(load(bm_gic_redistributor, private_of(0, GICD_IPRIORITYR + 4U), 4), 0);
    assert_int_equal(load(bm_gic_distributor, GICD_IPRIORITYR + LINE, 1), LINE);
    assert_int_equal(load(bm_gic_distributor, GICD_IPRIORITYR + 40U, 1), 0);
    (void)store(bm_gic_distributor, GICD_ICFGR + LINE / 4U, 4, UINT32_MAX);
    assert_int_equal(load(bm_gic_distributor, GICD_ICFGR + LINE / 4U, 4), 0);
    assert_int_equal(load(bm_gic_distributor, GICD_ICFGR + MESSAGE / 4U, 4), 0xaaaaaaaaU);
}

static void test_gic_describes_a_redistributor_per_cpu(void **state)
{
    const uint64_t second = BM_GIC_REDISTRIBUTOR_SIZE + GICR_TYPER;

    (void)state;
    assert_int_equal(load(bm_gic_redistributor, GICR_TYPER, 8), 0);
    assert_int_equal(load(bm_gic_redistributor, second, 8), 1ULL << 32 | 1U << 8 | 1U << 4);
    assert_int_equal(load(bm_gic_redistributor, second, 4), 1U << 8 | 1U << 4);
    assert_int_equal(load(bm_gic_redistributor, second + 4U, 4), 1);
    assert_int_equal(load(bm_gic_redistributor, 2U * BM_GIC_REDISTRIBUTOR_SIZE + GICR_TYPER, 8), 0);
    assert_int_equal(load(bm_gic_redistributor, GICD_PIDR2, 4) >> 4, 3);
}

/* Every register of both windows, in every width, aligned or not, with ones: nothing outside of the state is
 * touched (the sanitizers watch), and nothing but the guest's interrupts is enabled. */
static void test_gic_survives_a_sweep_of_all_registers(void **state)
{
    static uint32_t (*const windows[])(struct bm_gic *, struct bm_gic_access *) = {
        bm_gic_distributor, bm_gic_redistributor, bm_gic_frame};

    (void)state;
    for (size_t window = 0; window < 3U; window++) {
        for (uint64_t offset = 0; offset < 3U * BM_GIC_REDISTRIBUTOR_SIZE; offset++) {
            for (uint32_t width = 1; width <= 8U; width *= 2U) {
                (void)store(windows[window], offset, width, UINT64_MAX);
                (void)load(windows[window], offset, width);
            }
        }
    }
    assert_int_equal(gic.cpus[0].enabled, 0); /* the last store cleared it */
    for (uint32_t i = 0; i < BM_GIC_INTIDS; i++) {
        assert_true(gic.route[i] < 2U);
    }
    (void)fill();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_gic_shows_a_message_once, setup),
        cmocka_unit_test_setup(test_gic_puts_a_message_on_top_of_one_in_service, setup),
        cmocka_unit_test_setup(test_gic_merges_messages_that_were_not_taken, setup),
        cmocka_unit_test_setup(test_gic_keeps_a_message_while_it_is_disabled, setup),
        cmocka_unit_test_setup(test_gic_takes_back_a_message_that_is_disabled_before_it_is_taken,
                               setup),
        cmocka_unit_test_setup(test_gic_lets_messages_wait_for_a_list_register, setup),
        cmocka_unit_test_setup(test_gic_shows_nothing_while_the_distributor_is_off, setup),
        cmocka_unit_test_setup(test_frame_tells_its_range_of_interrupts, setup),
        cmocka_unit_test_setup(test_frame_takes_the_guests_own_store, setup),
        cmocka_unit_test_setup(test_frame_loses_messages_with_a_foreign_number_or_place, setup),
        cmocka_unit_test_setup(test_gic_repeats_a_line_that_stays_high, setup),
        cmocka_unit_test_setup(test_gic_withdraws_a_line_that_fell, setup),
        cmocka_unit_test_setup(test_gic_links_the_timer_to_the_physical_one, setup),
        cmocka_unit_test_setup(test_gic_sends_software_interrupts_to_the_cpus_named, setup),
        cmocka_unit_test_setup(test_gic_loses_software_interrupts_to_cpus_that_do_not_exist, setup),
        cmocka_unit_test_setup(test_gic_gives_a_shared_interrupt_to_the_cpu_it_is_routed_to, setup),
        cmocka_unit_test_setup(test_gic_moves_an_interrupt_that_was_not_taken, setup),
        cmocka_unit_test_setup(test_gic_serves_a_line_on_one_cpu_at_a_time, setup),
        cmocka_unit_test_setup(test_gic_refuses_routes_to_cpus_that_do_not_exist, setup),
        cmocka_unit_test_setup(test_gic_lets_a_guest_repeat_and_drop_messages, setup),
        cmocka_unit_test_setup(test_gic_keeps_a_guest_from_pending_what_is_not_a_message, setup),
        cmocka_unit_test_setup(test_gic_has_only_the_guests_interrupts, setup),
        cmocka_unit_test_setup(test_gic_keeps_priorities_and_triggers, setup),
        cmocka_unit_test_setup(test_gic_describes_a_redistributor_per_cpu, setup),
        cmocka_unit_test_setup(test_gic_survives_a_sweep_of_all_registers, setup),
    };

    return cmocka_run_group_tests_name("port/bm_gic", tests, NULL, NULL);
}
