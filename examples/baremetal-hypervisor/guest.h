/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest: prepare EL1, run it, and handle each of its exits. */
#ifndef HYP_GUEST_H
#define HYP_GUEST_H

#include <stdint.h>

#include "vcpu.h"

/* Enter at `entry` with the device tree at `dtb` (guest addresses). */
_Noreturn void guest_run(uint64_t entry, uint64_t dtb);

/* Called by vectors.S. */
void guest_exit_sync(struct vcpu *vcpu);
void guest_exit_irq(struct vcpu *vcpu);
void guest_exit_serror(struct vcpu *vcpu);

#endif
