/* SPDX-License-Identifier: BSD-3-Clause */
/* The hypervisor's time: the counter as nanoseconds, and one deadline by the EL2 physical timer. */
#ifndef HYP_CLOCK_H
#define HYP_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

uint64_t clock_now_ns(void);

/* Interrupt (GIC_PPI_HYP_TIMER) at `deadline_ns`, once; replaces the one before. */
void clock_arm(uint64_t deadline_ns);

/* The interrupt was taken. */
void clock_quiet(void);

#endif
