/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtual CPU. Each has a physical CPU of its own, whose stack holds its registers while the hypervisor
 * runs. vectors.S knows the offsets. */
#ifndef HYP_VCPU_H
#define HYP_VCPU_H

#include <stddef.h>
#include <stdint.h>

/* The guest's registers during an exit. */
struct regs {
    uint64_t x[31];
    uint64_t elr;  /* guest pc */
    uint64_t spsr; /* guest pstate */
    uint64_t pad;
};

_Static_assert(offsetof(struct regs, elr) == 248, "vectors.S");
_Static_assert(offsetof(struct regs, spsr) == 256, "vectors.S");
_Static_assert(sizeof(struct regs) == 272, "vectors.S");

struct cpu;
struct guest;

struct vcpu {
    struct guest *guest;
    struct cpu *cpu;
    uint32_t index;
    uint64_t exits;
    uint64_t hypervisor; /* ticks of the counter from exits to returns */
};

/* Run the guest from this state on the calling CPU's empty stack; exits come back through the vectors. */
_Noreturn void vcpu_enter(const struct regs *regs);

#endif
