/* SPDX-License-Identifier: BSD-3-Clause */
/* Letting the guest take one step from inside C: step_run enters it and returns when an exit has
 * called step_done. */
#ifndef CONFORMANCE_STEP_H
#define CONFORMANCE_STEP_H

#include "../vcpu.h"

/* Run `main` on a stack of its own, as exits use the hypervisor's. */
_Noreturn void step_begin(void (*main)(void), void *stack_top);

void step_run(struct vcpu *vcpu);
_Noreturn void step_done(void);

/* The guest's code: one access at a0 each, of or to a1, then a call of the hypervisor. */
extern const uint8_t step_code[];
extern const uint8_t step_code_end[];
extern const uint8_t step_load1[], step_load2[], step_load4[], step_load8[];
extern const uint8_t step_store1[], step_store2[], step_store4[], step_store8[];

#endif
