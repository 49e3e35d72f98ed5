/* SPDX-License-Identifier: BSD-3-Clause */
/* Conversions split off whole seconds, so that the products stay inside 64 bits. */
#include "clock.h"

#include "arch.h"

#define CLOCK_SECOND 1000000000ULL

uint64_t clock_now_ns(void)
{
    const uint64_t frequency = arch_read_cntfrq_el0();

    arch_isb(); /* the counter may be read early otherwise */
    const uint64_t ticks = arch_read_cntpct_el0();

    return ticks / frequency * CLOCK_SECOND + ticks % frequency * CLOCK_SECOND / frequency;
}

uint64_t clock_us(uint64_t ticks)
{
    return ticks / (arch_read_cntfrq_el0() / 1000000U);
}

void clock_arm(uint64_t deadline_ns)
{
    const uint64_t frequency = arch_read_cntfrq_el0();

    if (deadline_ns == CLOCK_NEVER) {
        clock_quiet();
        return;
    }
    arch_write_cnthp_cval_el2(deadline_ns / CLOCK_SECOND * frequency +
                              deadline_ns % CLOCK_SECOND * frequency / CLOCK_SECOND + 1U);
    arch_write_cnthp_ctl_el2(1U);
}

void clock_quiet(void)
{
    arch_write_cnthp_ctl_el2(0U);
}
