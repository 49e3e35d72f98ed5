/* SPDX-License-Identifier: BSD-3-Clause */
/* The hypervisor's own power calls to the machine, by PSCI. */
#ifndef HYP_MACHINE_H
#define HYP_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

_Noreturn void machine_off(void);

/* Have the CPU with affinity `mpidr` start at `entry`, at EL2 with the MMU off and x0 `context`. */
bool machine_cpu_on(uint64_t mpidr, uintptr_t entry, uintptr_t context);

#endif
