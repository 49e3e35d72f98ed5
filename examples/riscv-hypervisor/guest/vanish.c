/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's own translation, Sv39 with two entries of 1 GiB: devices and memory. Then the second one
 * is taken away under the code that runs. The CPU goes on from its translation cache, to a load that
 * the hypervisor has to emulate, and whose instruction it cannot find any more. */
#include "vanish.h"

#include "machine.h"

#define VANISH_ENTRY(gib) ((uint64_t)(gib) << 28 | 0xcfU) /* valid, readable, ..., dirty */
#define VANISH_SATP       (8ULL << 60)                    /* Sv39 */

static uint64_t vanish_root[512] __attribute__((aligned(4096)));

void vanish_and_load(void)
{
    vanish_root[0] = VANISH_ENTRY(0);
    vanish_root[1] = VANISH_ENTRY(1);
    __asm__ volatile(
        "csrw satp, %0\n\tsfence.vma\n\t"
        "sd zero, 8(%1)\n\tlw t0, 0(%2)" ::"r"(VANISH_SATP | (uintptr_t)vanish_root >> 12),
        "r"(vanish_root), "r"(machine_console.base)
        : "t0", "memory");
}
