/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts of guests: from devices and calls of any CPU into a guest's controller, and from there into
 * the list registers of the CPUs that run it. */
#ifndef HYP_INTERRUPT_H
#define HYP_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "bm_gic.h"
#include "vcpu.h"

/* Any CPU may call these for any guest. */
void interrupt_level(struct guest *guest, uint32_t line, bool high);
void interrupt_message(struct guest *guest, uint64_t address, uint32_t data);

/* A guest access to its GIC; `access` as in bm_gic.h. */
void interrupt_distributor(struct vcpu *vcpu, struct bm_gic_access *access);
void interrupt_redistributor(struct vcpu *vcpu, struct bm_gic_access *access);
void interrupt_frame(struct vcpu *vcpu, struct bm_gic_access *access);

/* The guest writes ICC_SGI1R_EL1. */
void interrupt_software(struct vcpu *vcpu, uint64_t value);

/* The timer of the calling CPU, which `vcpu` runs on, fired. */
void interrupt_timer(struct vcpu *vcpu);

/* Fill the list registers of the calling CPU; before every return to the guest. */
void interrupt_deliver(struct vcpu *vcpu);

/* Have the CPUs of a guest that `set` names look: they leave the guest, and come back. */
void interrupt_call(const struct guest *guest, uint32_t set);

#endif
