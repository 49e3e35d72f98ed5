/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts: by a device behind the port -> by the port's table. */
#include "suite_internal.h"

/* ---- by a device ---- */

static bool irqs_are(struct avps_pc *pc, const char *what, uint32_t unit, uint32_t want)
{
    return avps_pc_equal(pc, what, avps_pc_irq(pc, unit).count, want);
}

static void case_irq_once(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    for (uint32_t i = 0; i < 20U; i++) {
        const uint32_t before = avps_pc_irq(pc, 0).count;

        if (!avps_pc_do(pc, 0, &request) ||
            !irqs_are(pc, "interrupts of one request", 0, before + 1U)) {
            return;
        }
        avps_pc_ack(pc, 0);
        avps_pc_turn(pc);
    }
}

static void case_irq_not_early(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint32_t before = avps_pc_irq(pc, 0).count;

    pc->units[0].hold = true;
    (void)avps_pc_put(pc, 0, &request);
    avps_pc_kick(pc, 0, 0);
    avps_pc_turn(pc);
    avps_pc_equal(pc, "operations started", pc->units[0].held_count, 1);
    irqs_are(pc, "interrupts before the answer", 0, before);
    avps_pc_answer_held(pc, 0);
    avps_pc_turn(pc);
    irqs_are(pc, "interrupts after the answer", 0, before + 1U);
}

static void case_irq_own(struct avps_pc *pc)
{
    if (pc->target->shared) {
        pc->why_skipped = "the devices share one line";
        return;
    }
    for (uint32_t unit = 0; unit < 2U; unit++) {
        const struct pc_request request = avps_pc_read_request(pc, unit, 0);
        const uint32_t other = 1U - unit;
        const uint32_t before = avps_pc_irq(pc, unit).count;
        const uint32_t before_other = avps_pc_irq(pc, other).count;

        if (!avps_pc_do(pc, unit, &request) ||
            !irqs_are(pc, "interrupts of the device that was used", unit, before + 1U) ||
            !irqs_are(pc, "interrupts of the other device", other, before_other)) {
            return;
        }
        avps_pc_ack(pc, unit);
    }
}

static void case_irq_level(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    avps_pc_true(pc, "the line is low before", !avps_pc_irq(pc, 0).high);
    if (avps_pc_do(pc, 0, &request)) {
        avps_pc_true(pc, "the line is high until it is acknowledged", avps_pc_irq(pc, 0).high);
        avps_pc_turn(pc);
        avps_pc_true(pc, "and stays high", avps_pc_irq(pc, 0).high);
        avps_pc_ack(pc, 0);
        avps_pc_true(pc, "the line is low after that", !avps_pc_irq(pc, 0).high);
    }
}

/* A second request is returned before the first is acknowledged: afterwards everything is known. */
static void case_irq_two(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint32_t before = avps_pc_irq(pc, 0).count;

    for (uint32_t i = 0; i < 2U; i++) {
        if (!avps_pc_do(pc, 0, &request)) {
            return;
        }
    }
    if (pc->target->wired) {
        avps_pc_true(pc, "the line is high", avps_pc_irq(pc, 0).high);
        avps_pc_ack(pc, 0);
        avps_pc_true(pc, "the line is low once both are acknowledged", !avps_pc_irq(pc, 0).high);
        avps_pc_true(pc, "a request after that is told", avps_pc_do(pc, 0, &request));
        avps_pc_true(pc, "by a new interrupt", avps_pc_irq(pc, 0).count > before + 1U);
    } else {
        irqs_are(pc, "messages of two requests", 0, before + 2U);
    }
}

static void case_irq_unwanted(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint32_t before = avps_pc_irq(pc, 0).count;

    avps_pc_irq_wanted(pc, 0, false);
    if (avps_pc_do(pc, 0, &request)) {
        irqs_are(pc, "interrupts that the driver does not want", 0, before);
        avps_pc_irq_wanted(pc, 0, true);
        (void)avps_pc_do(pc, 0, &request);
        irqs_are(pc, "interrupts once it wants them", 0, before + 1U);
    }
}

static void case_irq_masked(struct avps_pc *pc)
{
    const struct avps_pc_target *t = pc->target;
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint32_t before = avps_pc_irq(pc, 0).count;

    t->mask(t->ctx, 0, true);
    if (avps_pc_do(pc, 0, &request)) {
        irqs_are(pc, "interrupts while it is masked", 0, before);
    }
    t->mask(t->ctx, 0, false);
    avps_pc_turn(pc);
    irqs_are(pc, "interrupts once it is unmasked", 0, before + 1U);
    avps_pc_ack(pc, 0);
    avps_pc_turn(pc);
    irqs_are(pc, "interrupts after it was acknowledged", 0, before + 1U);
}

static void case_irq_reset(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    if (!avps_pc_do(pc, 0, &request)) {
        return;
    }
    const uint32_t before = avps_pc_irq(pc, 0).count;

    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
    avps_pc_true(pc, "the line is low after a reset", !avps_pc_irq(pc, 0).high);
    avps_pc_turn(pc);
    irqs_are(pc, "interrupts after a reset", 0, before);
}

static void case_irq_fault(struct avps_pc *pc)
{
    struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint32_t before = avps_pc_irq(pc, 0).count;

    request.data = UINT64_MAX - 100U; /* wraps */
    (void)avps_pc_put(pc, 0, &request);
    avps_pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 200U && avps_pc_irq(pc, 0).count == before; i++) {
        avps_pc_turn(pc);
    }
    irqs_are(pc, "interrupts that tell of a fault", 0, before + 1U);
}

/* ---- by the table ---- */

static void table_flush(struct avps_pc *pc)
{
    const struct avps_pc_target *t = pc->target;

    if (t->irq_ops->batch_end != NULL) {
        t->irq_ops->batch_end(t->irq_ctx);
    }
    avps_pc_turn(pc);
}

static void case_set_level(struct avps_pc *pc)
{
    const struct avps_pc_target *t = pc->target;

    for (uint32_t i = 0; i < 20U; i++) {
        const uint32_t before = avps_pc_irq(pc, 0).count;

        t->irq_ops->set_level(t->irq_ctx, t->irq_line, true);
        table_flush(pc);
        avps_pc_true(pc, "a line that was raised is high", avps_pc_irq(pc, 0).high);
        irqs_are(pc, "rising edges", 0, before + 1U);
        t->irq_ops->set_level(t->irq_ctx, t->irq_line, false);
        table_flush(pc);
        avps_pc_true(pc, "a line that was lowered is low", !avps_pc_irq(pc, 0).high);
        irqs_are(pc, "rising edges after it was lowered", 0, before + 1U);
    }
}

static void message_arrives(struct avps_pc *pc)
{
    const struct avps_pc_target *t = pc->target;
    const uint32_t before = avps_pc_irq(pc, 0).count;

    t->irq_ops->msi(t->irq_ctx, 0, t->msi_address, t->msi_data);
    table_flush(pc);
    const struct avps_pc_irq seen = avps_pc_irq(pc, 0);

    avps_pc_equal(pc, "messages that arrived", seen.count, before + 1U);
    avps_pc_equal(pc, "address of the message", seen.address, t->msi_address);
    avps_pc_equal(pc, "data of the message", seen.data, t->msi_data);
}

static void case_msi(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < 20U; i++) {
        message_arrives(pc);
    }
}

/* What a guest may have written into its table. */
static void case_msi_hostile(struct avps_pc *pc)
{
    static const struct {
        uint64_t address;
        uint32_t data;
    } messages[] = {{0, 0},
                    {UINT64_MAX, UINT32_MAX},
                    {UINT64_MAX - 3U, 0},
                    {UINT64_C(0x8000000000000000), 1},
                    {3, 0xffff}};
    const struct avps_pc_target *t = pc->target;

    for (size_t i = 0; i < PC_COUNT_OF(messages); i++) {
        t->irq_ops->msi(t->irq_ctx, 0, messages[i].address, messages[i].data);
        table_flush(pc);
    }
    message_arrives(pc);
}

static const struct pc_case cases[] = {
    {"one request raises one interrupt", "avps/port.h: avps_irq_ops", PC_UNIT | PC_IRQ,
     case_irq_once},
    {"no interrupt comes before the answer", "avps/port.h: avps_irq_ops", PC_UNIT | PC_IRQ,
     case_irq_not_early},
    {"an interrupt is that of its own device", "avps/port.h: avps_irq_ops",
     PC_UNIT | PC_TWO_UNITS | PC_IRQ, case_irq_own},
    {"a line is high until it is acknowledged", "avps/port.h: avps_irq_ops.set_level",
     PC_UNIT | PC_WIRED | PC_WINDOW, case_irq_level},
    {"a second request before the acknowledgement is not lost", "avps/port.h: avps_irq_ops",
     PC_UNIT | PC_IRQ, case_irq_two},
    {"an interrupt that the driver does not want does not come", "avps/port.h: avps_irq_ops",
     PC_UNIT | PC_IRQ, case_irq_unwanted},
    {"a masked interrupt comes once when it is unmasked", "avps/port.h: avps_irq_ops",
     PC_UNIT | PC_IRQ | PC_MASK, case_irq_masked},
    {"after a reset no interrupt is pending", "avps/port.h: avps_irq_ops.set_level",
     PC_UNIT | PC_IRQ, case_irq_reset},
    {"a fault of the device is told by one interrupt", "avps/port.h: avps_irq_ops",
     PC_UNIT | PC_IRQ, case_irq_fault},
    {"set_level drives the line", "avps/port.h: avps_irq_ops.set_level", PC_SET_LEVEL,
     case_set_level},
    {"a message arrives once, as the guest chose it", "avps/port.h: avps_irq_ops.msi", PC_MSI,
     case_msi},
    {"messages to anywhere do no harm", "avps/port.h: avps_irq_ops.msi", PC_MSI, case_msi_hostile},
};

const struct pc_group avps_pc_irq_group = {cases, PC_COUNT_OF(cases)};
