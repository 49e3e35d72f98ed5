/* SPDX-License-Identifier: BSD-3-Clause */
/* PSCI: power state calls of the guest, and the hypervisor's own to the machine. */
#ifndef HYP_PSCI_H
#define HYP_PSCI_H

#include "vcpu.h"

enum psci_action {
    PSCI_RESUME, /* answered in x0 */
    PSCI_OFF,    /* the guest switched itself off */
    PSCI_RESET   /* the guest asked for a reset */
};

/* Serve the HVC or SMC whose registers are in `vcpu`. */
enum psci_action psci_call(struct vcpu *vcpu);

/* Switch the machine off. */
_Noreturn void psci_machine_off(void);

#endif
