/* SPDX-License-Identifier: BSD-3-Clause */
/* In the place of the example's arch.h, for any host: system registers are variables, cpu_<reg>; loads
 * and stores go to memory. */
#ifndef FAKE_ARCH_H
#define FAKE_ARCH_H
#define HYP_ARCH_H

#include <stdint.h>

#define ARCH_SYSREG(reg)                                                                           \
    static uint64_t cpu_##reg;                                                                     \
    static inline uint64_t arch_read_##reg(void)                                                   \
    {                                                                                              \
        return cpu_##reg;                                                                          \
    }                                                                                              \
    static inline void arch_write_##reg(uint64_t value)                                            \
    {                                                                                              \
        cpu_##reg = value;                                                                         \
    }
ARCH_SYSREG(icc_ctlr_el1)
ARCH_SYSREG(icc_dir_el1)
ARCH_SYSREG(icc_eoir1_el1)
ARCH_SYSREG(icc_iar1_el1)
ARCH_SYSREG(icc_igrpen1_el1)
ARCH_SYSREG(icc_pmr_el1)
ARCH_SYSREG(icc_sre_el2)
ARCH_SYSREG(ich_hcr_el2)
ARCH_SYSREG(ich_vmcr_el2)
ARCH_SYSREG(ich_vtr_el2)
ARCH_SYSREG(mpidr_el1)

#define ARCH_MMIO(bits)                                                                            \
    static inline uint##bits##_t arch_mmio_read##bits(uintptr_t address)                           \
    {                                                                                              \
        return *(const volatile uint##bits##_t *)address;                                          \
    }                                                                                              \
    static inline void arch_mmio_write##bits(uintptr_t address, uint##bits##_t value)              \
    {                                                                                              \
        *(volatile uint##bits##_t *)address = value;                                               \
    }
ARCH_MMIO(8)
ARCH_MMIO(32)
ARCH_MMIO(64)

static inline void arch_isb(void)
{
}

#endif
