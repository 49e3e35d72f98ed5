/* SPDX-License-Identifier: BSD-3-Clause */
#include "machine.h"

#define MACHINE_CPU_ON     0xc4000003U
#define MACHINE_SYSTEM_OFF 0x84000008U

static uint64_t machine_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return x0;
}

_Noreturn void machine_off(void)
{
    (void)machine_call(MACHINE_SYSTEM_OFF, 0U, 0U, 0U);
    for (;;) {
        __asm__ volatile("wfi");
    }
}

bool machine_cpu_on(uint64_t mpidr, uintptr_t entry, uintptr_t context)
{
    return machine_call(MACHINE_CPU_ON, mpidr, entry, context) == 0U;
}
