/* SPDX-License-Identifier: BSD-3-Clause */
#include "cpu.h"

#include "arch.h"
#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "mmu.h"

#define CPU_STACK_STRIDE 0x11000U /* a guard page and 64 KiB; hypervisor.ld */

extern char hyp_stacks[];
void cpu_entry(void);
void cpu_started(void);

static struct cpu cpu_all[CPU_MAX];
static uint32_t cpu_number;

struct cpu *cpu_self(void)
{
    return (struct cpu *)(uintptr_t)arch_read_tpidr_el2();
}

struct cpu *cpu_at(uint32_t index)
{
    return &cpu_all[index];
}

uint32_t cpu_count(void)
{
    return cpu_number;
}

void cpu_add(uint64_t mpidr)
{
    if (cpu_number == CPU_MAX) {
        return; /* more than can be used */
    }
    struct cpu *cpu = &cpu_all[cpu_number];

    cpu->index = cpu_number;
    cpu->mpidr = mpidr;
    cpu_number++;
    cpu->stack_top = (uintptr_t)hyp_stacks + (uintptr_t)cpu_number * CPU_STACK_STRIDE;
}

void cpu_init(uint64_t mpidr)
{
    cpu_add(mpidr);
    arch_write_tpidr_el2((uintptr_t)&cpu_all[0]);
}

const char *cpu_start_all(void)
{
    mmu_clean(cpu_all, sizeof cpu_all); /* they start with their caches off */
    for (uint32_t i = 1; i < cpu_number; i++) {
        if (cpu_all[i].vcpu != NULL &&
            !machine_cpu_on(cpu_all[i].mpidr, (uintptr_t)cpu_entry, (uintptr_t)&cpu_all[i])) {
            return "a CPU does not start";
        }
    }
    return NULL;
}

/* Called by start.S on a CPU that was started. */
void cpu_started(void)
{
    mmu_enter();
    gic_init_cpu();
    cpu_main();
}

_Noreturn void cpu_main(void)
{
    struct vcpu *vcpu = cpu_self()->vcpu;

    guest_init_cpu(vcpu);
    guest_run(vcpu);
}

void cpu_wait(void)
{
    __asm__ volatile("dsb sy\n\twfi" ::: "memory");
}
