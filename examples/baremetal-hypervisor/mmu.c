/* SPDX-License-Identifier: BSD-3-Clause */
/* EL2 stage 1: addresses equal; devices below 1 GiB, RAM above, 4 KiB pages for the image. */
#include "mmu.h"

#include <stdbool.h>
#include <stdint.h>

#include "arch.h"

#define MMU_TABLE      3ULL
#define MMU_BLOCK      1ULL
#define MMU_PAGE       3ULL
#define MMU_ATTR(n)    ((uint64_t)(n) << 2)
#define MMU_RES1       (1ULL << 6)
#define MMU_READ_ONLY  (1ULL << 7)
#define MMU_INNER      (3ULL << 8)
#define MMU_ACCESSED   (1ULL << 10)
#define MMU_NO_EXECUTE (1ULL << 54)

#define MMU_DEVICE (MMU_ATTR(0) | MMU_RES1 | MMU_ACCESSED | MMU_NO_EXECUTE)
#define MMU_NORMAL (MMU_ATTR(1) | MMU_RES1 | MMU_ACCESSED | MMU_INNER)
#define MMU_DATA   (MMU_NORMAL | MMU_NO_EXECUTE)

#define MMU_MAIR 0xff00ULL /* attribute 0: device nGnRnE; 1: write-back, allocate */
/* 4 GiB of addresses, 4 KiB granule, walks cacheable and inner shareable; 23 and 31 are RES1. */
#define MMU_TCR (32ULL | (1ULL << 8) | (1ULL << 10) | (3ULL << 12) | (1ULL << 23) | (1ULL << 31))
/* RES1 bits, MMU, data cache, stack alignment, instruction cache, writable implies no-execute. */
#define MMU_SCTLR                                                                                  \
    (0x30c50830ULL | (1ULL << 0) | (1ULL << 2) | (1ULL << 3) | (1ULL << 12) | (1ULL << 19))

#define MMU_RAM_BASE 0x40000000ULL
#define MMU_SIZE_2M  0x200000ULL
#define MMU_SIZE_4K  0x1000ULL

extern char hyp_image_start[], hyp_rodata_start[], hyp_data_start[], hyp_stacks[], hyp_stacks_end[];

#define MMU_STACK 0x11000U /* a guard page and a stack; hypervisor.ld */

static uint64_t mmu_level1[4] __attribute__((aligned(4096)));
static uint64_t mmu_ram[512] __attribute__((aligned(4096)));
static uint64_t mmu_image[512] __attribute__((aligned(4096)));

/* What the page at `address` inside the image may be used for; 0: nothing. */
static uint64_t mmu_page_attributes(uint64_t address)
{
    if (address < (uintptr_t)hyp_rodata_start) {
        return MMU_NORMAL | MMU_READ_ONLY;
    }
    if (address < (uintptr_t)hyp_data_start) {
        return MMU_DATA | MMU_READ_ONLY;
    }
    const uint64_t in_stacks = address - (uintptr_t)hyp_stacks;
    const bool guard = address >= (uintptr_t)hyp_stacks && address < (uintptr_t)hyp_stacks_end &&
                       in_stacks % MMU_STACK == 0U;

    return guard ? 0U : MMU_DATA;
}

static void mmu_fill_tables(void)
{
    const uint64_t image = (uintptr_t)hyp_image_start;

    for (uint64_t i = 0; i < 512U; i++) {
        const uint64_t attributes = mmu_page_attributes(image + i * MMU_SIZE_4K);

        mmu_ram[i] = (MMU_RAM_BASE + i * MMU_SIZE_2M) | MMU_DATA | MMU_BLOCK;
        mmu_image[i] = attributes == 0U ? 0U : (image + i * MMU_SIZE_4K) | attributes | MMU_PAGE;
    }
    mmu_ram[(image - MMU_RAM_BASE) / MMU_SIZE_2M] = (uintptr_t)mmu_image | MMU_TABLE;
    mmu_level1[0] = MMU_DEVICE | MMU_BLOCK;
    mmu_level1[1] = (uintptr_t)mmu_ram | MMU_TABLE;
}

void mmu_init(void)
{
    mmu_fill_tables();
    mmu_enter();
}

void mmu_enter(void)
{
    const uint64_t pa_range = arch_read_id_aa64mmfr0_el1() & 7U;

    arch_write_mair_el2(MMU_MAIR);
    arch_write_tcr_el2(MMU_TCR | (pa_range << 16));
    arch_write_ttbr0_el2((uintptr_t)mmu_level1);
    arch_flush_el2_tlb();
    arch_write_sctlr_el2(MMU_SCTLR);
    arch_isb();
}

void mmu_clean(const void *start, size_t size)
{
    const uintptr_t line = (uintptr_t)4U << ((arch_read_ctr_el0() >> 16) & 15U);
    const uintptr_t end = (uintptr_t)start + size;

    for (uintptr_t at = (uintptr_t)start & ~(line - 1U); at < end; at += line) {
        arch_clean_line(at);
    }
    arch_dsb();
}
