/* SPDX-License-Identifier: BSD-3-Clause */
/* The program itself failed. Called by vectors.S, and by what the compiler put into libfdt. */
#ifndef HYP_FAULT_H
#define HYP_FAULT_H

#include <stdint.h>

_Noreturn void hyp_fault(uint64_t esr, uint64_t elr, uint64_t far);

#endif
