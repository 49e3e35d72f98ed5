/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a run: counters of every device, then the machine goes off. */
#ifndef HYP_REPORT_H
#define HYP_REPORT_H

#include <stdint.h>

/* @param end  How the guest ended: "off", "reset" or "crash". */
_Noreturn void report_and_stop(const char *end);

/* The hypervisor itself faulted; called by vectors.S. */
_Noreturn void hyp_fault(uint64_t esr, uint64_t elr, uint64_t far);

#endif
