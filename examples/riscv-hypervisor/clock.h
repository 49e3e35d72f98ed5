/* SPDX-License-Identifier: BSD-3-Clause */
/* Time from the `time` CSR, which counts at 10 MHz on QEMU's virt machine. */
#ifndef HYP_CLOCK_H
#define HYP_CLOCK_H

#include "csr.h"
#include "sbi.h"

#define CLOCK_TICK_NS 100U

static inline uint64_t clock_now_ns(void)
{
    return csr_time() * CLOCK_TICK_NS;
}

/* The next timer interrupt, which is then no longer pending. */
static inline void clock_arm_in(uint64_t ns)
{
    (void)sbi_call(SBI_TIME, csr_time() + ns / CLOCK_TICK_NS, 0U);
}

#endif
