/* SPDX-License-Identifier: BSD-3-Clause */
/* When things go wrong: hostile guests -> memory operations that fail -> resets with requests in
 * flight. */
#include "suite_internal.h"

/* ---- hostile guests ---- */

static void ask_badly(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    const struct pc_request request = {.write = false, .sector = 0, .data = data, .len = len};

    (void)avps_pc_put(pc, 0, &request);
    avps_pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 200U && (avps_pc_status(pc, 0) & PC_STATUS_NEEDS_RESET) == 0U &&
                         avps_pc_used(pc, 0) == 0U;
         i++) {
        avps_pc_turn(pc);
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
    avps_pc_equal(pc, "status after a request for what is no memory", avps_pc_status(pc, 0),
                  PC_STATUS_OK | PC_STATUS_NEEDS_RESET);
    avps_pc_equal(pc, "faults counted", faults(pc), before + 1U);
    avps_pc_equal(pc, "requests returned", avps_pc_used(pc, 0), 0);
    ask_badly(pc, data, len); /* once more: nothing happens */
    avps_pc_equal(pc, "faults counted after that", faults(pc), before + 1U);
    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
    avps_pc_equal(pc, "status after a reset", avps_pc_status(pc, 0), 0);
}

/* Where bytes are only copied, data is looked at when it is moved: the request then fails. */
static bool moves_copies(const struct avps_pc *pc)
{
    return avps_pc_has(pc, PC_READ | PC_WRITE) && !avps_pc_has(pc, PC_MAP);
}

static void is_answered_badly(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    uint32_t slot = 0;

    ask_badly(pc, data, len);
    avps_pc_equal(pc, "requests returned", avps_pc_used(pc, 0), 1);
    avps_pc_true(pc, "a used element is there", avps_pc_reap(pc, 0, &slot));
    avps_pc_equal(pc, "status byte of a request for what is no memory", avps_pc_answer(pc, 0, slot),
                  1);
    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
}

/* Nobody says that there is no memory: the request waits, and the driver resets the device. */
static void is_not_served(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    ask_badly(pc, data, len);
    avps_pc_equal(pc, "requests returned", avps_pc_used(pc, 0), 0);
    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
    avps_pc_equal(pc, "status after a reset", avps_pc_status(pc, 0), 0);
}

static void is_refused(struct avps_pc *pc, avps_gpa data, uint32_t len)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const bool wraps = len - 1U > UINT64_MAX - data;

    if (pc->target->misses_wait && !wraps && avps_pc_span_of(pc, data + (len - 1U)) == NULL) {
        is_not_served(pc, data, len);
    } else if (moves_copies(pc) && !wraps) {
        is_answered_badly(pc, data, len);
    } else {
        is_latched(pc, data, len);
    }
    if (pc->what == NULL && avps_pc_unit_start(pc, 0)) {
        (void)avps_pc_do(pc, 0, &request);
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
            avps_pc_fill(pc, span->gpa, 512, 21);
            is_refused(pc, span->gpa, 512);
            avps_pc_true(pc, "nothing was written", avps_pc_holds(pc, span->gpa, 512, 21));
        }
    }
}

static void case_hostile_alone(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 1, 0);
    const uint32_t slot = avps_pc_put(pc, 1, &request);

    ask_badly(pc, UINT64_MAX - 4096U, 8192);
    avps_pc_equal(pc, "status of the faulty device", avps_pc_status(pc, 0),
                  PC_STATUS_OK | PC_STATUS_NEEDS_RESET);
    avps_pc_kick(pc, 1, 0);
    avps_pc_turn(pc);
    (void)avps_pc_served(pc, 1, slot);
    avps_pc_equal(pc, "status of the other device", avps_pc_status(pc, 1), PC_STATUS_OK);
    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
    (void)avps_pc_do(pc, 1, &request);
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
    const uint32_t put = avps_pc_put(pc, 0, &request);

    avps_pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 200U && avps_pc_used(pc, 0) == 0U; i++) {
        avps_pc_turn(pc);
        avps_pc_kick(pc, 0, 0); /* drivers do that after a timeout */
    }
    const bool was_hit = pc->wrap.fail_at == 0U;

    pc->wrap.fail_at = 0;
    avps_pc_turn(pc);
    avps_pc_equal(pc, "requests returned", avps_pc_used(pc, 0), 1);
    avps_pc_true(pc, "it is the one that was made", avps_pc_reap(pc, 0, &slot) && slot == put);
    avps_pc_true(pc, "it is answered well or with an error", avps_pc_answer(pc, 0, put) <= 1U);
    avps_pc_equal(pc, "requests counted as used", counters->used, used + 1U);
    avps_pc_equal(pc, "status of the device", avps_pc_status(pc, 0), PC_STATUS_OK);
    if (!was_hit) {
        avps_pc_equal(pc, "status byte of a request without a failure", avps_pc_answer(pc, 0, put),
                      0);
        avps_pc_equal(pc, "failures counted without one", counters->port_errors, errors);
    }
}

static void survive_each(struct avps_pc *pc, enum avps_status how)
{
    const uint32_t pins = pc->wrap.pins - pc->wrap.unpins;

    for (uint32_t n = 1; n < 60U && pc->what == NULL; n++) {
        survives(pc, n, how);
    }
    avps_pc_equal(pc, "maps that were not undone", pc->wrap.maps, pc->wrap.unmaps);
    avps_pc_equal(pc, "pins since", pc->wrap.pins - pc->wrap.unpins, pins);
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
    struct pc_request request = avps_pc_read_request(pc, 0, 0);

    pc->units[0].hold = true;
    for (uint32_t i = 0; i < count; i++) {
        request.write = i % 2U != 0U;
        (void)avps_pc_put(pc, 0, &request);
    }
    avps_pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 50U && pc->units[0].held_count < count; i++) {
        avps_pc_turn(pc);
    }
    avps_pc_equal(pc, "operations in flight", pc->units[0].held_count, count);
}

/* Nothing of the old life may be left. */
static void is_reset(struct avps_pc *pc)
{
    avps_pc_equal(pc, "status after a reset", avps_pc_status(pc, 0), 0);
    avps_pc_equal(pc, "maps that were not undone", pc->wrap.maps, pc->wrap.unmaps);
    avps_pc_true(pc, "the line is low after a reset", !avps_pc_irq(pc, 0).high);
}

static void case_reset_in_flight(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    for (uint32_t i = 0; i < 50U && pc->what == NULL; i++) {
        put_in_flight(pc, 1U + i % AVPS_PC_REQUESTS);
        const uint32_t before = avps_pc_irq(pc, 0).count;

        avps_pc_reset(pc, 0);
        for (uint32_t turn = 0; turn < 200U && avps_pc_status(pc, 0) != 0U; turn++) {
            avps_pc_turn(pc);
        }
        is_reset(pc);
        avps_pc_fill(pc, pc->units[0].base, 4096, 22);
        avps_pc_answer_held(pc, 0); /* too late */
        avps_pc_turn(pc);
        avps_pc_true(pc, "late answers do not touch memory",
                     avps_pc_holds(pc, pc->units[0].base, 4096, 22));
        avps_pc_equal(pc, "interrupts of late answers", avps_pc_irq(pc, 0).count, before);
        if (pc->what == NULL && avps_pc_unit_start(pc, 0)) {
            (void)avps_pc_do(pc, 0, &request);
            avps_pc_ack(pc, 0);
        }
    }
}

static void case_reset_waits(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    put_in_flight(pc, 3);
    pc->units[0].cancel_waits = true;
    const uint32_t before = avps_pc_irq(pc, 0).count;

    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
    avps_pc_true(pc, "status while requests are in flight", avps_pc_status(pc, 0) != 0U);
    avps_pc_answer_held(pc, 0);
    for (uint32_t turn = 0; turn < 200U && avps_pc_status(pc, 0) != 0U; turn++) {
        avps_pc_turn(pc);
    }
    is_reset(pc);
    avps_pc_equal(pc, "interrupts of a device that is being reset", avps_pc_irq(pc, 0).count,
                  before);
    if (pc->what == NULL && avps_pc_unit_start(pc, 0)) {
        (void)avps_pc_do(pc, 0, &request);
    }
}

static void case_reboot(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    put_in_flight(pc, 2);
    avps_pc_gave(pc, "status of avps_reset", avps_reset(&pc->units[0].blk.base), AVPS_OK);
    is_reset(pc);
    avps_pc_answer_held(pc, 0);
    avps_pc_turn(pc);
    avps_pc_reset(pc, 0);
    avps_pc_turn(pc);
    if (pc->what == NULL && avps_pc_unit_start(pc, 0)) {
        (void)avps_pc_do(pc, 0, &request);
    }
}

/* Pins and maps of a hundred lives. */
static void case_reset_leaves_nothing(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    uint32_t before = 0;

    for (uint32_t i = 0; i < 100U && pc->what == NULL; i++) {
        (void)avps_pc_do(pc, 0, &request);
        put_in_flight(pc, 2);
        avps_pc_reset(pc, 0);
        for (uint32_t turn = 0; turn < 200U && avps_pc_status(pc, 0) != 0U; turn++) {
            avps_pc_turn(pc);
        }
        before = i == 0U ? avps_pc_mapped(pc) : before;
        avps_pc_equal(pc, "mappings held after a reset", avps_pc_mapped(pc), before);
        avps_pc_answer_held(pc, 0);
        avps_pc_turn(pc);
        (void)avps_pc_unit_start(pc, 0);
    }
}

static const struct pc_case cases[] = {
    {"a request for what is no memory is refused", "avps/mem.h: AVPS_E_GUEST_ADDR", PC_UNIT,
     case_hostile},
    {"a request to write what may only be read is refused", "avps/mem.h: AVPS_E_GUEST_ACCESS",
     PC_UNIT | PC_READ_ONLY, case_hostile_read_only},
    {"a faulty device does not disturb another", "avps/device.h: avps_poll", PC_UNIT | PC_TWO_UNITS,
     case_hostile_alone},
    {"a memory operation that says not now loses nothing", "avps/mem.h: AVPS_AGAIN",
     PC_UNIT | PC_WRAPPED, case_not_now},
    {"a memory operation that fails loses nothing", "avps/mem.h: AVPS_E_IO", PC_UNIT | PC_WRAPPED,
     case_io_error},
    {"a reset with requests in flight leaves nothing behind", "avps/device.h: avps_reset", PC_UNIT,
     case_reset_in_flight},
    {"a reset that has to wait ends with the last answer", "avps/device.h: AVPS_PENDING", PC_UNIT,
     case_reset_waits},
    {"a reset by the host is a reset", "avps/device.h: avps_reset", PC_UNIT | PC_WINDOW,
     case_reboot},
    {"after many resets no mapping is left", "avps/mem.h: avps_mem_ops.unmap", PC_UNIT | PC_MAPPED,
     case_reset_leaves_nothing},
};

const struct pc_group avps_pc_fault_group = {cases, PC_COUNT_OF(cases)};
