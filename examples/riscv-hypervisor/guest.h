/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's CPU: starting it, its exits, its end. */
#ifndef HYP_GUEST_H
#define HYP_GUEST_H

#include <stdint.h>

#include "vcpu.h"

/* Put the guest's image at `ram` and run it. */
_Noreturn void guest_run(uint8_t *ram);

/* Called by start.S. */
void guest_exit(struct vcpu *vcpu);

/* Print what the devices counted and how the guest ended, and switch the machine off. */
_Noreturn void guest_stop(const char *end);

#endif
