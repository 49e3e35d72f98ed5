/* SPDX-License-Identifier: BSD-3-Clause */
/* When things go wrong: hostile guests -> memory operations that fail -> resets with requests in
 * flight. */
#include "suite_internal.h"

/* ---- hostile guests ---- */

static void ask_badly(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    const struct pc_request request = {.write = false, .sector = 0, .data = data, .len = len};

    (void)pc_put(pc, 0, &request);
    pc_kick(pc, 0, 0);
    for (uint32_t i = 0;
         i < 200U && (pc_status(pc, 0) & PC_STATUS_NEEDS_RESET) == 0U && pc_used(pc, 0) == 0U; i++) {
        pc_run(pc);
    }
}

static uint64_t faults(const struct avps_pc *pc)
{
    const struct avps_device_counters *counters = avps_device_counters(&pc->units[0].blk.base);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < AVPS_FAULT_CLASSES; i++) {
        sum += counters->faults[i];
    }
    return sum;
}

static void is_latched(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    const uint64_t before = faults(pc);

    ask_badly(pc, data, len);
    pc_equal(pc, "status after a request for what is no memory", pc_status(pc, 0),
             PC_STATUS_OK | PC_STATUS_NEEDS_RESET);
    pc_equal(pc, "faults counted", faults(pc), before + 1U);
    pc_equal(pc, "requests returned", pc_used(pc, 0), 0);
    ask_badly(pc, data, len); /* once more: nothing happens */
    pc_equal(pc, "faults counted after that", faults(pc), before + 1U);
    pc_reset(pc, 0);
    pc_run(pc);
    pc_equal(pc, "status after a reset", pc_status(pc, 0), 0);
}

/* Where bytes are only copied, data is looked at when it is moved: the request then fails. */
static bool moves_copies(const struct avps_pc *pc)
{
    return pc_has(pc, PC_READ | PC_WRITE) && !pc_has(pc, PC_MAP);
}

static void is_answered_badly(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    uint32_t slot = 0;

    ask_badly(pc, data, len);
    pc_equal(pc, "requests returned", pc_used(pc, 0), 1);
    pc_true(pc, "a used element is there", pc_reap(pc, 0, &slot));
    pc_equal(pc, "status byte of a request for what is no memory", pc_answer(pc, 0, slot), 1);
    pc_reset(pc, 0);
    pc_run(pc);
}

static void is_refused(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    const struct pc_request request = pc_read_request(pc, 0, 0);

    if (moves_copies(pc) && len - 1U <= UINT64_MAX - data) {
        is_answered_badly(pc, data, len);
    } else {
        is_latched(pc, data, len);
    }
    if (pc->what == NULL && pc_unit_start(pc, 0)) {
        (void)pc_do(pc, 0, &request);
    }
}

static void case_hostile(struct avps_pc *pc)
{
    const struct avps_pc_span *last = &pc->target->spans[pc->target->span_count - 1U];
    const avps_gpa end = last->gpa + last->size;

    is_refused(pc, UINT64_MAX - 4096U, 8192);
    if (end != 0U && end < UINT64_MAX - 8192U && pc->what == NULL) {
        is_refused(pc, end - 100U, 512);
        is_refused(pc, end, 512);
    }
}

static void case_hostile_read_only(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];

        if (span->access == AVPS_ACCESS_READ && span->size >= 512U) {
            pc_fill(pc, span->gpa, 512, 21);
            is_refused(pc, span->gpa, 512);
            pc_true(pc, "nothing was written", pc_holds(pc, span->gpa, 512, 21));
        }
    }
}

static void case_hostile_alone(struct avps_pc *pc)
{
    const struct pc_request request = pc_read_request(pc, 1, 0);
    const uint32_t slot = pc_put(pc, 1, &request);

    ask_badly(pc, UINT64_MAX - 4096U, 8192);
    pc_equal(pc, "status of the faulty device", pc_status(pc, 0),
             PC_STATUS_OK | PC_STATUS_NEEDS_RESET);
    pc_kick(pc, 1, 0);
    pc_run(pc);
    (void)pc_served(pc, 1, slot);
    pc_equal(pc, "status of the other device", pc_status(pc, 1), PC_STATUS_OK);
    pc_reset(pc, 0);
    pc_run(pc);
    (void)pc_do(pc, 1, &request);
}

/* ---- memory operations that fail ---- */

/* The n-th call from now on fails; the request is served all the same, once. */
static void survives(struct avps_pc *pc, uint32_t n, enum avps_status how)
{
    const struct pc_request request = {
        .write = n % 2U != 0U, .sector = 1, .data = pc->work + PC_SCRATCH + 4000U, .len = 1024};
    const struct avps_queue_counters *counters = avps_queue_counters(&pc->units[0].blk.base, 0);
    const uint64_t errors = counters->port_errors;
    const uint64_t used = counters->used;
    uint32_t slot = 0;

    pc->wrap.calls = 0;
    pc->wrap.fail_at = n;
    pc->wrap.fail_with = how;
    const uint32_t put = pc_put(pc, 0, &request);

    pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 200U && pc_used(pc, 0) == 0U; i++) {
        pc_run(pc);
        pc_kick(pc, 0, 0); /* drivers do that after a timeout */
    }
    const bool was_hit = pc->wrap.fail_at == 0U;

    pc->wrap.fail_at = 0;
    pc_run(pc);
    pc_equal(pc, "requests returned", pc_used(pc, 0), 1);
    pc_true(pc, "it is the one that was made", pc_reap(pc, 0, &slot) && slot == put);
    pc_true(pc, "it is answered well or with an error", pc_answer(pc, 0, put) <= 1U);
    pc_equal(pc, "requests counted as used", counters->used, used + 1U);
    pc_equal(pc, "status of the device", pc_status(pc, 0), PC_STATUS_OK);
    if (!was_hit) {
        pc_equal(pc, "status byte of a request without a failure", pc_answer(pc, 0, put), 0);
        pc_equal(pc, "failures counted without one", counters->port_errors, errors);
    }
}

static void survive_each(struct avps_pc *pc, enum avps_status how)
{
    const uint32_t pins = pc->wrap.pins - pc->wrap.unpins;

    for (uint32_t n = 1; n < 60U && pc->what == NULL; n++) {
        survives(pc, n, how);
    }
    pc_equal(pc, "maps that were not undone", pc->wrap.maps, pc->wrap.unmaps);
    pc_equal(pc, "pins since", pc->wrap.pins - pc->wrap.unpins, pins);
}

static void case_not_now(struct avps_pc *pc)
{
    survive_each(pc, AVPS_AGAIN);
}

static void case_io_error(struct avps_pc *pc)
{
    survive_each(pc, AVPS_E_IO);
}

/* ---- resets with requests in flight ---- */

static void put_in_flight(struct avps_pc *pc, uint32_t count)
{
    struct pc_request request = pc_read_request(pc, 0, 0);

    pc->units[0].hold = true;
    for (uint32_t i = 0; i < count; i++) {
        request.write = i % 2U != 0U;
        (void)pc_put(pc, 0, &request);
    }
    pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 50U && pc->units[0].held_count < count; i++) {
        pc_run(pc);
    }
    pc_equal(pc, "operations in flight", pc->units[0].held_count, count);
}

/* Nothing of the old life may be left. */
static void is_reset(struct avps_pc *pc)
{
    pc_equal(pc, "status after a reset", pc_status(pc, 0), 0);
    pc_equal(pc, "maps that were not undone", pc->wrap.maps, pc->wrap.unmaps);
    pc_true(pc, "the line is low after a reset", !pc_irq(pc, 0).high);
}

static void case_reset_in_flight(struct avps_pc *pc)
{
    const struct pc_request request = pc_read_request(pc, 0, 0);

    for (uint32_t i = 0; i < 50U && pc->what == NULL; i++) {
        put_in_flight(pc, 1U + i % AVPS_PC_REQUESTS);
        const uint32_t before = pc_irq(pc, 0).count;

        pc_reset(pc, 0);
        for (uint32_t turn = 0; turn < 200U && pc_status(pc, 0) != 0U; turn++) {
            pc_run(pc);
        }
        is_reset(pc);
        pc_fill(pc, pc->units[0].base, 4096, 22);
        pc_answer_held(pc, 0); /* too late */
        pc_run(pc);
        pc_true(pc, "late answers do not touch memory",
                pc_holds(pc, pc->units[0].base, 4096, 22));
        pc_equal(pc, "interrupts of late answers", pc_irq(pc, 0).count, before);
        if (pc->what == NULL && pc_unit_start(pc, 0)) {
            (void)pc_do(pc, 0, &request);
            pc_ack(pc, 0);
        }
    }
}

static void case_reset_waits(struct avps_pc *pc)
{
    const struct pc_request request = pc_read_request(pc, 0, 0);

    put_in_flight(pc, 3);
    pc->units[0].cancel_waits = true;
    const uint32_t before = pc_irq(pc, 0).count;

    pc_reset(pc, 0);
    pc_run(pc);
    pc_true(pc, "status while requests are in flight", pc_status(pc, 0) != 0U);
    pc_answer_held(pc, 0);
    for (uint32_t turn = 0; turn < 200U && pc_status(pc, 0) != 0U; turn++) {
        pc_run(pc);
    }
    is_reset(pc);
    pc_equal(pc, "interrupts of a device that is being reset", pc_irq(pc, 0).count, before);
    if (pc->what == NULL && pc_unit_start(pc, 0)) {
        (void)pc_do(pc, 0, &request);
    }
}

static void case_reboot(struct avps_pc *pc)
{
    const struct pc_request request = pc_read_request(pc, 0, 0);

    put_in_flight(pc, 2);
    pc_gave(pc, "status of avps_reset", avps_reset(&pc->units[0].blk.base), AVPS_OK);
    is_reset(pc);
    pc_answer_held(pc, 0);
    pc_run(pc);
    pc_reset(pc, 0);
    pc_run(pc);
    if (pc->what == NULL && pc_unit_start(pc, 0)) {
        (void)pc_do(pc, 0, &request);
    }
}

/* Pins and maps of a hundred lives. */
static void case_reset_leaves_nothing(struct avps_pc *pc)
{
    const struct pc_request request = pc_read_request(pc, 0, 0);
    uint32_t before = 0;

    for (uint32_t i = 0; i < 100U && pc->what == NULL; i++) {
        (void)pc_do(pc, 0, &request);
        put_in_flight(pc, 2);
        pc_reset(pc, 0);
        for (uint32_t turn = 0; turn < 200U && pc_status(pc, 0) != 0U; turn++) {
            pc_run(pc);
        }
        before = i == 0U ? pc_mapped(pc) : before;
        pc_equal(pc, "mappings held after a reset", pc_mapped(pc), before);
        pc_answer_held(pc, 0);
        pc_run(pc);
        (void)pc_unit_start(pc, 0);
    }
}

static const struct pc_case cases[] = {
    {"a request for what is no memory is refused", "avps/mem.h: AVPS_E_GUEST_ADDR",
     PC_UNIT, case_hostile},
    {"a request to write what may only be read is refused",
     "avps/mem.h: AVPS_E_GUEST_ACCESS", PC_UNIT | PC_READ_ONLY, case_hostile_read_only},
    {"a faulty device does not disturb another", "avps/device.h: avps_poll",
     PC_UNIT | PC_TWO_UNITS, case_hostile_alone},
    {"a memory operation that says not now loses nothing", "avps/mem.h: AVPS_AGAIN",
     PC_UNIT | PC_WRAPPED, case_not_now},
    {"a memory operation that fails loses nothing", "avps/mem.h: AVPS_E_IO",
     PC_UNIT | PC_WRAPPED, case_io_error},
    {"a reset with requests in flight leaves nothing behind", "avps/device.h: avps_reset",
     PC_UNIT, case_reset_in_flight},
    {"a reset that has to wait ends with the last answer", "avps/device.h: AVPS_PENDING", PC_UNIT,
     case_reset_waits},
    {"a reset by the host is a reset", "avps/device.h: avps_reset", PC_UNIT | PC_WINDOW,
     case_reboot},
    {"after many resets no mapping is left", "avps/mem.h: avps_mem_ops.unmap",
     PC_UNIT | PC_MAPPED, case_reset_leaves_nothing},
};

const struct pc_group pc_fault_group = {cases, PC_COUNT_OF(cases)};
