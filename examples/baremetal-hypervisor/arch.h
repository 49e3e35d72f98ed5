/* SPDX-License-Identifier: BSD-3-Clause */
/* The AArch64 system registers and barriers that the hypervisor uses, one inline function each. */
#ifndef HYP_ARCH_H
#define HYP_ARCH_H

#include <stdint.h>

/* Define arch_read_<reg>() and arch_write_<reg>(). */
#define ARCH_SYSREG(reg)                                                                           \
    static inline uint64_t arch_read_##reg(void)                                                   \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mrs %0, " #reg : "=r"(value)::"memory");                                 \
        return value;                                                                              \
    }                                                                                              \
    static inline void arch_write_##reg(uint64_t value)                                            \
    {                                                                                              \
        __asm__ volatile("msr " #reg ", %0" ::"r"(value) : "memory");                              \
    }

ARCH_SYSREG(cnthctl_el2)
ARCH_SYSREG(cnthp_ctl_el2)
ARCH_SYSREG(cnthp_cval_el2)
ARCH_SYSREG(cntvoff_el2)
ARCH_SYSREG(cntv_ctl_el0)
ARCH_SYSREG(cptr_el2)
ARCH_SYSREG(hcr_el2)
ARCH_SYSREG(hstr_el2)
ARCH_SYSREG(mair_el2)
ARCH_SYSREG(mdcr_el2)
ARCH_SYSREG(elr_el1)
ARCH_SYSREG(esr_el1)
ARCH_SYSREG(sctlr_el1)
ARCH_SYSREG(sctlr_el2)
ARCH_SYSREG(spsr_el1)
ARCH_SYSREG(tcr_el2)
ARCH_SYSREG(tpidr_el2)
ARCH_SYSREG(ttbr0_el2)
ARCH_SYSREG(vmpidr_el2)
ARCH_SYSREG(vpidr_el2)
ARCH_SYSREG(vtcr_el2)
ARCH_SYSREG(vttbr_el2)
ARCH_SYSREG(icc_ctlr_el1)
ARCH_SYSREG(icc_igrpen1_el1)
ARCH_SYSREG(icc_pmr_el1)
ARCH_SYSREG(icc_sre_el2)
ARCH_SYSREG(ich_hcr_el2)
ARCH_SYSREG(ich_vmcr_el2)

/* Registers that are only read, or only written. */
#define ARCH_READ(name, reg)                                                                       \
    static inline uint64_t arch_read_##name(void)                                                  \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mrs %0, " #reg : "=r"(value)::"memory");                                 \
        return value;                                                                              \
    }
#define ARCH_WRITE(name, reg)                                                                      \
    static inline void arch_write_##name(uint64_t value)                                           \
    {                                                                                              \
        __asm__ volatile("msr " #reg ", %0" ::"r"(value) : "memory");                              \
    }

ARCH_READ(cntfrq_el0, cntfrq_el0)
ARCH_READ(cntpct_el0, cntpct_el0)
ARCH_READ(ctr_el0, ctr_el0)
ARCH_READ(currentel, currentel)
ARCH_READ(elr_el2, elr_el2)
ARCH_READ(esr_el2, esr_el2)
ARCH_READ(far_el2, far_el2)
ARCH_READ(hpfar_el2, hpfar_el2)
ARCH_READ(id_aa64mmfr0_el1, id_aa64mmfr0_el1)
ARCH_READ(midr_el1, midr_el1)
ARCH_READ(vbar_el1, vbar_el1)
ARCH_READ(mpidr_el1, mpidr_el1)
ARCH_READ(icc_iar1_el1, icc_iar1_el1)
ARCH_READ(ich_vtr_el2, ich_vtr_el2)
ARCH_WRITE(icc_dir_el1, icc_dir_el1)
ARCH_WRITE(icc_eoir1_el1, icc_eoir1_el1)
ARCH_WRITE(icc_sgi1r_el1, icc_sgi1r_el1)
ARCH_WRITE(ich_ap0r0_el2, ich_ap0r0_el2)
ARCH_WRITE(ich_ap1r0_el2, ich_ap1r0_el2)

static inline void arch_isb(void)
{
    __asm__ volatile("isb" ::: "memory");
}

static inline void arch_dsb(void)
{
    __asm__ volatile("dsb sy" ::: "memory");
}

/* Write the data cache line that holds `address` back to memory: the guest starts uncached. */
static inline void arch_clean_line(uintptr_t address)
{
    __asm__ volatile("dc cvac, %0" ::"r"(address) : "memory");
}

/* Forget every cached translation of EL2. */
static inline void arch_flush_el2_tlb(void)
{
    __asm__ volatile("dsb ish\n\ttlbi alle2\n\tdsb ish\n\tisb" ::: "memory");
}

/* Forget what the current guest's translations were, and what was fetched from its memory. */
static inline void arch_flush_guest(void)
{
    __asm__ volatile("dsb ish\n\ttlbi vmalls12e1is\n\tic ialluis\n\tdsb ish\n\tisb" ::: "memory");
}

static inline uint8_t arch_mmio_read8(uintptr_t address)
{
    return *(const volatile uint8_t *)address;
}

static inline void arch_mmio_write8(uintptr_t address, uint8_t value)
{
    *(volatile uint8_t *)address = value;
}

static inline uint32_t arch_mmio_read32(uintptr_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline void arch_mmio_write32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline uint64_t arch_mmio_read64(uintptr_t address)
{
    return *(const volatile uint64_t *)address;
}

static inline void arch_mmio_write64(uintptr_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}

#endif
