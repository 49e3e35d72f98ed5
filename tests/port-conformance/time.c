/* SPDX-License-Identifier: BSD-3-Clause */
/* Clock: direction, unit, width -> wall clock -> timer. */
#include "suite_internal.h"

#define MS        UINT64_C(1000000)
#define SOME_TIME (20U * MS)
#define LONG_TIME (UINT64_C(4400) * MS)   /* past 2^32 nanoseconds */
#define AGES      (UINT64_C(600000) * MS) /* what a wrong unit would make of it */
#define YEAR_2020 UINT64_C(1577836800000000000)
#define YEAR_2200 UINT64_C(7258118400000000000)

static const struct avps_sys_ops *sys_of(const struct avps_pc *pc)
{
    return pc->units[0].port->sys;
}

static uint64_t now(const struct avps_pc *pc)
{
    return sys_of(pc)->now_ns(pc->units[0].port->sys_ctx);
}

static uint64_t wall(const struct avps_pc *pc)
{
    return sys_of(pc)->wall_ns(pc->units[0].port->sys_ctx);
}

static void advance(const struct avps_pc *pc, uint64_t ns)
{
    pc->target->advance(pc->target->ctx, ns);
}

/* ---- clock ---- */

static void case_forward(struct avps_pc *pc)
{
    uint64_t before = now(pc);

    for (uint32_t i = 0; i < 20000U; i++) {
        const uint64_t after = now(pc);

        if (!avps_pc_true(pc, "a later reading is not smaller", after >= before)) {
            return;
        }
        before = after;
        if (i % 5000U == 0U && avps_pc_has(pc, PC_ADVANCE)) {
            advance(pc, MS);
        }
    }
}

static void passes(struct avps_pc *pc, uint64_t (*clock)(const struct avps_pc *pc), uint64_t ns)
{
    const uint64_t before = clock(pc);

    advance(pc, ns);
    const uint64_t after = clock(pc);

    avps_pc_true(pc, "as much time passes as is let pass", after - before >= ns - ns / 100U);
    avps_pc_true(pc, "and no ages", after - before < AGES);
}

static void case_unit(struct avps_pc *pc)
{
    passes(pc, now, SOME_TIME);
}

static void case_width(struct avps_pc *pc)
{
    passes(pc, now, LONG_TIME);
}

static void case_wall(struct avps_pc *pc)
{
    avps_pc_true(pc, "it is after 2020", wall(pc) > YEAR_2020);
    avps_pc_true(pc, "it is before 2200", wall(pc) < YEAR_2200);
    passes(pc, wall, SOME_TIME);
}

/* ---- timer ---- */

static void set_timer(const struct avps_pc *pc, uint64_t deadline_ns)
{
    sys_of(pc)->timer(pc->units[0].port->sys_ctx, deadline_ns);
}

/* In poll mode a request that nobody rang for shows whether a poll came. */
static void watch_polls(struct avps_pc *pc)
{
    const struct pc_request request = avps_pc_read_request(pc, 0, 0);

    avps_poll_always(&pc->units[0].blk.base, true);
    avps_pc_turn(pc);
    (void)avps_pc_put(pc, 0, &request);
}

static bool was_polled(struct avps_pc *pc)
{
    uint32_t slot = 0;

    avps_pc_turn(pc);
    return avps_pc_reap(pc, 0, &slot);
}

static void watch_no_more(struct avps_pc *pc)
{
    set_timer(pc, 0);
    avps_poll_always(&pc->units[0].blk.base, false);
}

static void case_timer(struct avps_pc *pc)
{
    watch_polls(pc);
    for (uint32_t i = 0; i < 3U && pc->what == NULL; i++) {
        const struct pc_request request = avps_pc_read_request(pc, 0, 0);
        const uint64_t deadline = now(pc) + SOME_TIME;

        set_timer(pc, deadline);
        const bool early = was_polled(pc);

        if (now(pc) < deadline) {
            avps_pc_true(pc, "no poll comes before the deadline", !early);
        }
        advance(pc, SOME_TIME + MS);
        avps_pc_true(pc, "a poll comes at the deadline", was_polled(pc) || early);
        (void)avps_pc_put(pc, 0, &request);
        advance(pc, SOME_TIME);
        avps_pc_true(pc, "and only once", !was_polled(pc));
        pc->units[0].port->event->wake(pc->units[0].port->event_ctx);
        (void)was_polled(pc);
        (void)avps_pc_put(pc, 0, &request);
    }
    watch_no_more(pc);
}

static void case_timer_past(struct avps_pc *pc)
{
    watch_polls(pc);
    set_timer(pc, now(pc) > MS ? now(pc) - MS : 1U);
    advance(pc, MS);
    avps_pc_true(pc, "a poll comes for a deadline that is past", was_polled(pc));
    watch_no_more(pc);
}

static void case_timer_off(struct avps_pc *pc)
{
    watch_polls(pc);
    set_timer(pc, now(pc) + SOME_TIME);
    set_timer(pc, 0);
    advance(pc, 2U * SOME_TIME);
    avps_pc_true(pc, "no poll comes for a timer that was disarmed", !was_polled(pc));
    set_timer(pc, now(pc) + SOME_TIME);
    set_timer(pc, now(pc) + AGES);
    advance(pc, 2U * SOME_TIME);
    avps_pc_true(pc, "no poll comes for a deadline that was replaced", !was_polled(pc));
    watch_no_more(pc);
}

static const struct pc_case cases[] = {
    {"the clock never goes back", "avps/port.h: avps_sys_ops.now_ns", PC_CLOCK, case_forward},
    {"the clock counts nanoseconds", "avps/port.h: avps_sys_ops.now_ns", PC_CLOCK | PC_ADVANCE,
     case_unit},
    {"the clock does not wrap at 2^32", "avps/port.h: avps_sys_ops.now_ns", PC_CLOCK | PC_ADVANCE,
     case_width},
    {"the wall clock counts nanoseconds since 1970", "avps/port.h: avps_sys_ops.wall_ns",
     PC_WALL | PC_ADVANCE, case_wall},
    {"a timer makes one poll at its deadline", "avps/port.h: avps_sys_ops.timer",
     PC_UNIT | PC_TIMER | PC_ADVANCE | PC_WAKE, case_timer},
    {"a timer in the past makes a poll", "avps/port.h: avps_sys_ops.timer",
     PC_UNIT | PC_TIMER | PC_ADVANCE, case_timer_past},
    {"a timer can be disarmed and moved", "avps/port.h: avps_sys_ops.timer",
     PC_UNIT | PC_TIMER | PC_ADVANCE, case_timer_off},
};

const struct pc_group avps_pc_time_group = {cases, PC_COUNT_OF(cases)};
