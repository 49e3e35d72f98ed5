/* SPDX-License-Identifier: BSD-3-Clause */
/* The interrupt controller of the bare-metal example on any host: which interrupts get into list
 * registers and when, and that a guest reaches no interrupt but its own. System registers are
 * variables, the GIC's frames are memory; the guest takes and ends what list registers show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_arch.h" /* before what includes arch.h */

#include "../../examples/baremetal-hypervisor/gic.c"  /* NOLINT(bugprone-suspicious-include) */
#include "../../examples/baremetal-hypervisor/vgic.c" /* NOLINT(bugprone-suspicious-include) */

#define LRS     4U
#define MESSAGE GIC_MESSAGE_BASE
#define LINE    GIC_VIRTUAL_BASE
#define FOREIGN 33U /* the machine's UART */

static struct {
    _Alignas(8) uint8_t distributor[GICD_SIZE];
    _Alignas(8) uint8_t redistributor[GICR_SIZE];
} machine;

static uint32_t *word(uint8_t *frame, uint32_t offset, uint32_t intid)
{
    return (uint32_t *)(void *)&frame[offset + intid / 32U * 4U];
}

static void enable(uint32_t intid)
{
    uint8_t *frame = intid < 32U ? &machine.redistributor[GICR_SGI_BASE] : machine.distributor;

    *word(frame, GICD_ISENABLER, intid) |= 1U << (intid % 32U);
    frame[GICD_IPRIORITYR + intid] = (uint8_t)intid;
}

static int setup(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    memset(&gic, 0, sizeof gic);
    cpu_ich_vtr_el2 = LRS - 1U;
    gic_init((uintptr_t)machine.distributor, (uintptr_t)machine.redistributor);
    memset(&machine, 0, sizeof machine);
    gic_guest_enable(true);
    for (uint32_t n = 0; n < 32U; n++) {
        enable(MESSAGE + n);
        enable(LINE + n);
    }
    return 0;
}

/* ---- the guest ---- */

static uint64_t list_register(uint32_t intid)
{
    const uint32_t at = gic_find(intid);

    return at < gic.lr_count ? gic_lrs[at].read() : 0U;
}

/* "-" not there, "P" pending, "A" active, "PA" both. */
static const char *shown(uint32_t intid)
{
    static const char *const names[] = {"-", "P", "A", "PA"};

    return names[list_register(intid) >> 62];
}

static void takes(uint32_t intid)
{
    const uint64_t lr = list_register(intid);

    assert_true((lr & LR_PENDING) != 0U);
    gic_lrs[gic_find(intid)].write((lr & ~LR_STATE) | LR_ACTIVE);
}

static void ends(uint32_t intid)
{
    const uint64_t lr = list_register(intid);

    assert_true((lr & LR_ACTIVE) != 0U);
    gic_lrs[gic_find(intid)].write(lr & ~LR_ACTIVE);
}

/* ---- messages ---- */

static void test_gic_shows_a_message_once(void **state)
{
    (void)state;
    gic_send_messages(1U << 5);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 5U), "P");
    assert_int_equal(list_register(MESSAGE + 5U) & ~LR_STATE,
                     LR_GROUP1 | LR_PRIORITY(MESSAGE + 5U) | (MESSAGE + 5U));
    assert_int_equal(gic_messages(), 0);
    takes(MESSAGE + 5U);
    ends(MESSAGE + 5U);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 5U), "-");
}

static void test_gic_puts_a_message_on_top_of_one_in_service(void **state)
{
    (void)state;
    gic_send_messages(1U);
    gic_deliver();
    takes(MESSAGE);
    gic_send_messages(1U);
    gic_deliver();
    assert_string_equal(shown(MESSAGE), "PA");
    assert_int_equal(gic_messages(), 0);
    ends(MESSAGE);
    gic_deliver();
    assert_string_equal(shown(MESSAGE), "P");
}

static void test_gic_merges_messages_that_were_not_taken(void **state)
{
    (void)state;
    gic_send_messages(1U);
    gic_deliver();
    gic_send_messages(1U);
    gic_deliver();
    assert_string_equal(shown(MESSAGE), "P");
    takes(MESSAGE);
    ends(MESSAGE);
    gic_deliver();
    assert_string_equal(shown(MESSAGE), "-");
}

static void test_gic_keeps_a_message_while_it_is_disabled(void **state)
{
    (void)state;
    *word(machine.distributor, GICD_ISENABLER, MESSAGE) = 0;
    gic_send_messages(1U << 31);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 31U), "-");
    assert_int_equal(gic_messages(), 1U << 31);
    enable(MESSAGE + 31U);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 31U), "P");
}

static void test_gic_lets_messages_wait_for_a_list_register(void **state)
{
    (void)state;
    gic_send_messages(0x3fU);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 3U), "P");
    assert_int_equal(gic_messages(), 0x30);
    assert_int_equal(gic_waited(), 1);
    assert_true((cpu_ich_hcr_el2 & ICH_HCR_UIE) != 0U);
    takes(MESSAGE + 1U);
    ends(MESSAGE + 1U);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 4U), "P");
    assert_int_equal(gic_messages(), 0x20);
    for (uint32_t n = 0; n < 5U; n += n == 0U ? 2U : 1U) {
        takes(MESSAGE + n);
        ends(MESSAGE + n);
    }
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 5U), "P");
    assert_int_equal(cpu_ich_hcr_el2 & ICH_HCR_UIE, 0);
}

static void test_gic_shows_nothing_while_the_distributor_is_off(void **state)
{
    (void)state;
    gic_guest_enable(false);
    gic_send_messages(1U);
    gic_set_level(0, true);
    gic_deliver();
    assert_string_equal(shown(MESSAGE), "-");
    assert_string_equal(shown(LINE), "-");
    gic_guest_enable(true);
    gic_deliver();
    assert_string_equal(shown(MESSAGE), "P");
    assert_string_equal(shown(LINE), "P");
}

/* ---- lines, software interrupts, timers ---- */

static void test_gic_repeats_a_line_that_stays_high(void **state)
{
    (void)state;
    gic_set_level(2, true);
    gic_deliver();
    assert_true((list_register(LINE + 2U) & LR_EOI) != 0U);
    takes(LINE + 2U);
    gic_deliver();
    assert_string_equal(shown(LINE + 2U), "A");
    ends(LINE + 2U);
    gic_deliver();
    assert_string_equal(shown(LINE + 2U), "P");
}

static void test_gic_withdraws_a_line_that_fell(void **state)
{
    (void)state;
    gic_set_level(2, true);
    gic_set_level(3, true);
    gic_deliver();
    takes(LINE + 3U);
    gic_set_level(2, false);
    gic_set_level(3, false);
    gic_deliver();
    assert_string_equal(shown(LINE + 2U), "-");
    assert_string_equal(shown(LINE + 3U), "A");
}

static void test_gic_delivers_software_interrupts_and_timers(void **state)
{
    (void)state;
    enable(7);
    enable(GIC_PPI_TIMER);
    gic_send_sgi(7);
    gic_forward(GIC_PPI_TIMER);
    gic_deliver();
    assert_string_equal(shown(7), "P");
    assert_int_equal(list_register(7) & (LR_HW | LR_EOI), 0);
    assert_true((list_register(GIC_PPI_TIMER) & LR_HW) != 0U);
    assert_int_equal(list_register(GIC_PPI_TIMER) >> 32 & 0x3ffU, GIC_PPI_TIMER);
    assert_int_equal(cpu_icc_eoir1_el1, GIC_PPI_TIMER);
}

/* ---- the guest's registers ---- */

static void test_vgic_lets_a_guest_repeat_and_drop_messages(void **state)
{
    (void)state;
    assert_int_equal(vgic_distributor(GICD_ISPENDR + MESSAGE / 8U, 4, 1, 0x82), 0);
    assert_int_equal(vgic_distributor(GICD_ISPENDR + MESSAGE / 8U, 4, 0, 0), 0x82);
    assert_int_equal(vgic_distributor(GICD_ICPENDR + MESSAGE / 8U, 4, 1, 0x80), 0);
    assert_int_equal(vgic_distributor(GICD_ICPENDR + MESSAGE / 8U, 4, 0, 0), 0x02);
    gic_deliver();
    assert_string_equal(shown(MESSAGE + 1U), "P");
    assert_string_equal(shown(MESSAGE + 7U), "-");
}

static void test_vgic_keeps_a_guest_from_pending_what_is_not_a_message(void **state)
{
    (void)state;
    for (uint32_t intid = 32; intid < 1020U; intid += 32U) {
        if (intid != MESSAGE) {
            (void)vgic_distributor(GICD_ISPENDR + intid / 8U, 4, 1, UINT32_MAX);
            assert_int_equal(*word(machine.distributor, GICD_ISPENDR, intid), 0);
        }
    }
    assert_int_equal(gic_messages(), 0);
    gic_deliver();
    assert_string_equal(shown(FOREIGN), "-");
    assert_string_equal(shown(LINE), "-");
}

static void test_vgic_enables_only_the_guests_interrupts(void **state)
{
    (void)state;
    for (uint32_t intid = 32; intid < 160U; intid += 32U) {
        *word(machine.distributor, GICD_ISENABLER, intid) = 0;
        (void)vgic_distributor(GICD_ISENABLER + intid / 8U, 4, 1, UINT32_MAX);
    }
    assert_int_equal(*word(machine.distributor, GICD_ISENABLER, 32), 0xffff0000U); /* from 48 */
    assert_int_equal(*word(machine.distributor, GICD_ISENABLER, 64), 0x0000ffffU); /* to 79 */
    assert_int_equal(*word(machine.distributor, GICD_ISENABLER, 96), UINT32_MAX);
    assert_int_equal(*word(machine.distributor, GICD_ISENABLER, 128), 0);
}

static void test_vgic_offers_no_lpis_and_no_messages_to_the_distributor(void **state)
{
    (void)state;
    *word(machine.distributor, GICD_TYPER, 0) = GICD_TYPER_LPIS | GICD_TYPER_MBIS | 7U;
    assert_int_equal(vgic_distributor(GICD_TYPER, 4, 0, 0), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_gic_shows_a_message_once, setup),
        cmocka_unit_test_setup(test_gic_puts_a_message_on_top_of_one_in_service, setup),
        cmocka_unit_test_setup(test_gic_merges_messages_that_were_not_taken, setup),
        cmocka_unit_test_setup(test_gic_keeps_a_message_while_it_is_disabled, setup),
        cmocka_unit_test_setup(test_gic_lets_messages_wait_for_a_list_register, setup),
        cmocka_unit_test_setup(test_gic_shows_nothing_while_the_distributor_is_off, setup),
        cmocka_unit_test_setup(test_gic_repeats_a_line_that_stays_high, setup),
        cmocka_unit_test_setup(test_gic_withdraws_a_line_that_fell, setup),
        cmocka_unit_test_setup(test_gic_delivers_software_interrupts_and_timers, setup),
        cmocka_unit_test_setup(test_vgic_lets_a_guest_repeat_and_drop_messages, setup),
        cmocka_unit_test_setup(test_vgic_keeps_a_guest_from_pending_what_is_not_a_message, setup),
        cmocka_unit_test_setup(test_vgic_enables_only_the_guests_interrupts, setup),
        cmocka_unit_test_setup(test_vgic_offers_no_lpis_and_no_messages_to_the_distributor, setup),
    };

    return cmocka_run_group_tests_name("examples/gic", tests, NULL, NULL);
}
