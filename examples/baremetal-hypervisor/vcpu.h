/* SPDX-License-Identifier: BSD-3-Clause */
/* The registers of the guest's CPU while the hypervisor runs. vectors.S knows the offsets. */
#ifndef HYP_VCPU_H
#define HYP_VCPU_H

#include <stddef.h>
#include <stdint.h>

struct vcpu {
    uint64_t x[31];
    uint64_t elr;  /* guest pc */
    uint64_t spsr; /* guest pstate */
    uint64_t pad;
};

_Static_assert(offsetof(struct vcpu, elr) == 248, "vectors.S");
_Static_assert(offsetof(struct vcpu, spsr) == 256, "vectors.S");
_Static_assert(sizeof(struct vcpu) == 272, "vectors.S");

/* Run the guest from this state; exits come back through the vectors. */
_Noreturn void vcpu_enter(const struct vcpu *vcpu);

#endif
