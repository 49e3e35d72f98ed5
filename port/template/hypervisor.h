/* SPDX-License-Identifier: BSD-3-Clause */
/* What the template asks of a hypervisor. Replace each declaration by the call that yours has, then
 * delete this header. `guest` is whatever names a guest there. */
#ifndef TEMPLATE_HYPERVISOR_H
#define TEMPLATE_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

/* Drive a wired interrupt of the guest; any CPU, may be called with the level it has already. */
void hv_set_irq(uint32_t guest, uint32_t line, bool high);

/* Run the guest's device context soon: raise a soft interrupt, post a semaphore, set a bit. */
void hv_schedule(uint32_t guest);

/* Nanoseconds of a clock that never goes back. */
uint64_t hv_now_ns(void);

/* Note a coded event; must not take long. */
void hv_trace(uint32_t guest, uint32_t code, uint64_t a, uint64_t b);

#endif
