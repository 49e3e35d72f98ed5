/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's CPU while the hypervisor runs. start.S knows the offsets. */
#ifndef HYP_VCPU_H
#define HYP_VCPU_H

#include <stdint.h>

struct vcpu {
    uint64_t x[32]; /* x[0] is unused */
    uint64_t sepc;
    uint64_t sstatus;
    uint64_t hstatus;
    uint64_t cause; /* of the exit, and the guest address that it is about: rv_fetch loses both */
    uint64_t gpa;
};

/* Enter the guest; exits call guest_exit and come back here. */
_Noreturn void vcpu_enter(struct vcpu *vcpu);

#endif
