/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls one level down: of the hypervisor to the firmware, of the guest to the hypervisor. */
#ifndef HYP_SBI_H
#define HYP_SBI_H

#include <stdint.h>

#define SBI_TIME     0x54494d45U
#define SBI_RESET    0x53525354U /* system reset; a0: how */
#define SBI_SHUTDOWN 0U
#define SBI_REBOOT   1U

#define SBI_NOT_SUPPORTED (-2LL)

/* Function 0 of an extension, with two arguments. */
static inline int64_t sbi_call(uint64_t extension, uint64_t arg0, uint64_t arg1)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
    return (int64_t)a0;
}

/* Does not return unless the level below has no such call. */
static inline void sbi_reset(uint64_t how)
{
    (void)sbi_call(SBI_RESET, how, 0U);
}

#endif
