/* SPDX-License-Identifier: BSD-3-Clause */
/* The hypervisor's time: the counter as nanoseconds, and one deadline per CPU by its EL2 physical timer. */
#ifndef HYP_CLOCK_H
#define HYP_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

uint64_t clock_now_ns(void);

/* Microseconds that `ticks` of the counter take. */
uint64_t clock_us(uint64_t ticks);

/* Interrupt (GIC_PPI_HYP_TIMER) at `deadline_ns`, once, on the calling CPU; replaces the one before. */
void clock_arm(uint64_t deadline_ns);

/* The interrupt was taken. */
void clock_quiet(void);

#endif
