/* SPDX-License-Identifier: BSD-3-Clause */
/* The physical CPUs: each has a stack and the virtual CPU that runs on it. */
#ifndef HYP_CPU_H
#define HYP_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "vcpu.h"

#define CPU_MAX 8U

struct cpu {
    uintptr_t stack_top; /* start.S and vectors.S know these two */
    uint64_t pad;
    uint32_t index;
    uint64_t mpidr;
    uintptr_t redistributor;
    struct vcpu *vcpu; /* set before the CPU starts; NULL: nothing to run here */
    uint64_t exited;   /* counter at the last exit */
};

_Static_assert(offsetof(struct cpu, stack_top) == 0, "start.S, vectors.S");

/* The CPU that calls. */
struct cpu *cpu_self(void);

/* CPU `index`, below cpu_count(). */
struct cpu *cpu_at(uint32_t index);
uint32_t cpu_count(void);

/* The first CPU becomes number 0: its stack is the one it is on. */
void cpu_init(uint64_t mpidr);

/* Add a CPU that is off. */
void cpu_add(uint64_t mpidr);

/* Start the others, those that have a virtual CPU. They come out in cpu_main. @return NULL, or what is
 * wrong. */
const char *cpu_start_all(void);

/* What a CPU does outside of a guest; on an empty stack. */
_Noreturn void cpu_main(void);

/* Leave the guest: go to cpu_main with an empty stack. */
_Noreturn void cpu_rest(void);

/* Sleep until an interrupt is pending; it is not taken. */
void cpu_wait(void);

#endif
