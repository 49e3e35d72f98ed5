/* SPDX-License-Identifier: BSD-3-Clause */
/* From the doorbell to the poll, and back from the back end: kicks -> spurious ones -> wake-ups ->
 * data. */
#include "suite_internal.h"

#include <string.h>

/* ---- kicks ---- */

static void case_kick(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < 1000U; i++) {
        const struct pc_request request = avps_pc_read_request(pc, 0, i % AVPS_PC_SECTORS);

        if (!avps_pc_do(pc, 0, &request)) {
            return;
        }
    }
}

/* Both devices are served, each by its own doorbell. */
static void case_kick_own(struct avps_pc *pc)
{
    uint32_t slots[2];

    for (uint32_t unit = 0; unit < 2U; unit++) {
        const struct pc_request request = avps_pc_read_request(pc, unit, unit);

        (void)avps_pc_do(pc, unit,
                         &request); /* a queue that has just started is looked at unasked */
        (void)memset(pc->units[unit].disk, (int)(0x30U + unit), sizeof pc->units[unit].disk);
        slots[unit] = avps_pc_put(pc, unit, &request);
    }
    avps_pc_kick(pc, 1, 0);
    avps_pc_turn(pc);
    avps_pc_equal(pc, "requests of the device that did not ring", avps_pc_used(pc, 0), 0);
    (void)avps_pc_served(pc, 1, slots[1]);
    avps_pc_kick(pc, 0, 0);
    avps_pc_turn(pc);
    (void)avps_pc_served(pc, 0, slots[0]);
    for (uint32_t unit = 0; unit < 2U; unit++) {
        avps_pc_equal(pc, "the data is that of its own device",
                      *avps_pc_guest(pc, avps_pc_read_request(pc, unit, unit).data), 0x30U + unit);
    }
}

static void case_kick_many(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    for (uint32_t i = 0; i < AVPS_PC_REQUESTS; i++) {
        (void)avps_pc_put(pc, 0, &request);
    }
    avps_pc_kick(pc, 0, 0);
    for (uint32_t i = 0; i < 50U && avps_pc_used(pc, 0) != AVPS_PC_REQUESTS; i++) {
        avps_pc_turn(pc);
    }
    avps_pc_equal(pc, "requests served after one kick", avps_pc_used(pc, 0), AVPS_PC_REQUESTS);
}

/* A doorbell rings while a request of a device is being served, as from the driver's other CPU. */
static void ring_inside(struct avps_pc *pc, uint32_t served, uint32_t rung)
{
    const struct pc_request request = avps_pc_read_request(pc, served, 0);
    const uint16_t want = served == rung ? 2U : 1U;
    uint32_t slot = 0;

    pc->units[served].ring_inside = &pc->units[rung];
    (void)avps_pc_put(pc, served, &request);
    avps_pc_kick(pc, served, 0);
    for (uint32_t i = 0;
         i < 50U && (avps_pc_used(pc, served) < want || avps_pc_used(pc, rung) < want); i++) {
        avps_pc_turn(pc);
    }
    avps_pc_equal(pc, "requests of the device that was being served", avps_pc_used(pc, served),
                  want);
    avps_pc_equal(pc, "requests of the device that rang meanwhile", avps_pc_used(pc, rung), want);
    while (avps_pc_reap(pc, served, &slot) || avps_pc_reap(pc, rung, &slot)) {
    }
}

static void case_kick_inside(struct avps_pc *pc)
{
    for (uint32_t round = 0; round < 50U && pc->what == NULL; round++) {
        ring_inside(pc, 0, 0);
        if (avps_pc_has(pc, PC_TWO_UNITS)) {
            ring_inside(pc, 0, 1);
            ring_inside(pc, 1, 0);
        }
    }
}

/* ---- spurious kicks ---- */

static void case_spurious_empty(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint32_t before = avps_pc_irq(pc, 0).count;

    for (uint32_t i = 0; i < 100U; i++) {
        avps_pc_kick(pc, 0, 0);
        avps_pc_turn(pc);
    }
    avps_pc_equal(pc, "requests returned", avps_pc_used(pc, 0), 0);
    avps_pc_equal(pc, "interrupts", avps_pc_irq(pc, 0).count, before);
    avps_pc_equal(pc, "status of the device", avps_pc_status(pc, 0), PC_STATUS_OK);
    (void)avps_pc_do(pc, 0, &request);
}

static void case_spurious_queue(struct avps_pc *pc)
{
    static const uint32_t queues[] = {1, 2, 0xffff};
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const uint64_t before = avps_device_counters(&pc->units[0].blk.base)->spurious_kicks;

    for (size_t i = 0; i < PC_COUNT_OF(queues); i++) {
        avps_pc_kick(pc, 0, queues[i]);
        avps_pc_turn(pc);
    }
    (void)avps_pc_do(pc, 0, &request); /* the poll that counts */
    avps_pc_equal(pc, "spurious kicks counted",
                  avps_device_counters(&pc->units[0].blk.base)->spurious_kicks,
                  before + PC_COUNT_OF(queues));
    avps_pc_equal(pc, "status of the device", avps_pc_status(pc, 0), PC_STATUS_OK);
}

static void case_kick_counted(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const struct avps_queue_counters *counters = avps_queue_counters(&pc->units[0].blk.base, 0);
    const uint64_t before = counters->kicks;

    for (uint32_t i = 0; i < 10U; i++) {
        (void)avps_pc_do(pc, 0, &request);
    }
    avps_pc_true(pc, "every kick was counted", counters->kicks >= before + 10U);
}

/* ---- wake-ups ---- */

static void case_wake(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    for (uint32_t i = 0; i < 100U && pc->what == NULL; i++) {
        pc->units[0].hold = true;
        const uint32_t slot = avps_pc_put(pc, 0, &request);

        avps_pc_kick(pc, 0, 0);
        avps_pc_turn(pc);
        avps_pc_equal(pc, "operations kept", pc->units[0].held_count, 1);
        avps_pc_answer_held(pc, 0);
        avps_pc_turn(pc);
        (void)avps_pc_served(pc, 0, slot);
    }
}

/* Whether a poll came: in poll mode every poll serves what is there, rung or not. */
static bool was_polled(struct avps_pc *pc)
{
    uint32_t slot = 0;

    return avps_pc_reap(pc, 0, &slot);
}

static void case_wake_op(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);
    const struct avps_port *port = pc->units[0].port;

    avps_poll_always(&pc->units[0].blk.base, true);
    for (uint32_t i = 0; i < 50U && pc->what == NULL; i++) {
        (void)avps_pc_put(pc, 0, &request);
        port->event->wake(port->event_ctx);
        if (i % 2U != 0U) {
            port->event->wake(port->event_ctx); /* two may become one */
        }
        avps_pc_turn(pc);
        avps_pc_true(pc, "a poll followed the wake", was_polled(pc));
    }
    avps_poll_always(&pc->units[0].blk.base, false);
    avps_pc_kick(pc, 0, 0);
    avps_pc_turn(pc);
}

/* ---- data ---- */

static void data_round(struct avps_pc *pc, avps_gpa data, uint32_t len, uint32_t seed)
{
    struct pc_request request = {.write = true, .sector = 2, .data = data, .len = len};

    avps_pc_fill(pc, data, len, seed);
    if (!avps_pc_do(pc, 0, &request)) {
        return;
    }
    avps_pc_true(
        pc, "the disk has what the guest wrote",
        avps_pc_bytes_are(pc->units[0].disk + (size_t)2 * AVPS_BLK_SECTOR, data, len, seed));
    avps_pc_fill(pc, data, len, seed + 1U);
    request.write = false;
    if (avps_pc_do(pc, 0, &request)) {
        avps_pc_true(pc, "the guest reads what the disk has", avps_pc_holds(pc, data, len, seed));
    }
}

static void case_data(struct avps_pc *pc)
{
    static const uint32_t offs[] = {0, 1, 2, 3, 511, 4095, 4096, 4099};

    for (size_t i = 0; i < PC_COUNT_OF(offs); i++) {
        data_round(pc, pc->work + PC_SCRATCH + offs[i], 8U * AVPS_BLK_SECTOR, (uint32_t)i * 3U);
    }
}

static void case_data_adjacent(struct avps_pc *pc)
{
    for (uint32_t i = 0; i + 1U < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];

        if (span->gpa + span->size == pc->target->spans[i + 1U].gpa && span->size >= 700U &&
            pc->target->spans[i + 1U].size >= AVPS_BLK_SECTOR &&
            (span->access & pc->target->spans[i + 1U].access) == AVPS_ACCESS_RW) {
            data_round(pc, span->gpa + span->size - 700U, 2U * AVPS_BLK_SECTOR, 40);
        }
    }
}

static const struct pc_case cases[] = {
    {"a thousand kicks are a thousand requests", "avps/device.h: avps_kick", PC_UNIT, case_kick},
    {"each doorbell reaches its own device", "avps/device.h: avps_kick", PC_UNIT | PC_TWO_UNITS,
     case_kick_own},
    {"one kick serves all that is there", "avps/device.h: AVPS_POLL_MORE", PC_UNIT, case_kick_many},
    {"a kick during a poll is not lost", "avps/device.h: avps_kick", PC_UNIT, case_kick_inside},
    {"kicks are counted", "avps/device.h: avps_queue_counters", PC_UNIT, case_kick_counted},
    {"a kick for an empty ring does nothing", "avps/device.h: avps_kick", PC_UNIT,
     case_spurious_empty},
    {"a kick for an unknown queue is counted and ignored", "avps/device.h: avps_kick",
     PC_UNIT | PC_WINDOW, case_spurious_queue},
    {"an answer of the back end reaches the driver", "avps/port.h: avps_event_ops.wake", PC_UNIT,
     case_wake},
    {"a wake is followed by a poll", "avps/port.h: avps_event_ops.wake", PC_UNIT | PC_WAKE,
     case_wake_op},
    {"data is moved exactly both ways", "avps/mem.h: struct avps_mem", PC_UNIT, case_data},
    {"data across two adjacent spans is moved exactly", "avps/mem.h: struct avps_mem",
     PC_UNIT | PC_ADJACENT, case_data_adjacent},
};

const struct pc_group avps_pc_event_group = {cases, PC_COUNT_OF(cases)};
