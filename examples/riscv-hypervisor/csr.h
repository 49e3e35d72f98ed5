/* SPDX-License-Identifier: BSD-3-Clause */
/* The control and status registers that the hypervisor uses, one inline function each. Those of the H
 * extension by number: gcc 12 does not know their names. */
#ifndef HYP_CSR_H
#define HYP_CSR_H

#include <stdint.h>

/* Define csr_read_<name>() and csr_write_<name>(). */
#define CSR(name, number)                                                                          \
    static inline uint64_t csr_read_##name(void)                                                   \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("csrr %0, " #number : "=r"(value)::"memory");                             \
        return value;                                                                              \
    }                                                                                              \
    static inline void csr_write_##name(uint64_t value)                                            \
    {                                                                                              \
        __asm__ volatile("csrw " #number ", %0" ::"r"(value) : "memory");                          \
    }

CSR(sstatus, 0x100)
CSR(sie, 0x104)
CSR(scounteren, 0x106)
CSR(scause, 0x142)
CSR(stval, 0x143)
CSR(vsstatus, 0x200)
CSR(vsie, 0x204)
CSR(vstvec, 0x205)
CSR(vsscratch, 0x240)
CSR(vsepc, 0x241)
CSR(vscause, 0x242)
CSR(vstval, 0x243)
CSR(vsatp, 0x280)
CSR(hstatus, 0x600)
CSR(hedeleg, 0x602)
CSR(hideleg, 0x603)
CSR(hie, 0x604)
CSR(htimedelta, 0x605)
CSR(hcounteren, 0x606)
CSR(htval, 0x643)
CSR(hvip, 0x645)
CSR(hgatp, 0x680)

#define SSTATUS_SPIE (1ULL << 5)
#define SSTATUS_SPP  (1ULL << 8)
#define SIE_TIMER    (1ULL << 5)
#define HSTATUS_SPV  (1ULL << 7)
#define HSTATUS_SPVP (1ULL << 8)
#define HSTATUS_VS64 (2ULL << 32)
#define VS_SOFT      (1ULL << 2) /* in hideleg and hvip */
#define VS_TIMER     (1ULL << 6)
#define VS_EXTERNAL  (1ULL << 10)

static inline uint64_t csr_time(void)
{
    uint64_t value;

    __asm__ volatile("rdtime %0" : "=r"(value));
    return value;
}

/* Forget every cached translation of guests (hfence.gvma, hfence.vvma), and instructions. */
static inline void csr_fence_guest(void)
{
    __asm__ volatile(".option push\n\t.option arch, +h, +zifencei\n\thfence.gvma\n\thfence.vvma\n\t"
                     "fence.i\n\t.option pop" ::
                         : "memory");
}

#endif
