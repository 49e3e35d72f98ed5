/* SPDX-License-Identifier: BSD-3-Clause */
/* Stage 2 translation for one guest: 39 bits of guest addresses, 2 MiB blocks, VMID 1. */
#include "stage2.h"

#include "arch.h"

#define STAGE2_TABLE    3ULL
#define STAGE2_BLOCK    1ULL
#define STAGE2_NORMAL   (0xfULL << 2)
#define STAGE2_RW       (3ULL << 6)
#define STAGE2_INNER    (3ULL << 8)
#define STAGE2_ACCESSED (1ULL << 10)
#define STAGE2_RAM      (STAGE2_NORMAL | STAGE2_RW | STAGE2_INNER | STAGE2_ACCESSED | STAGE2_BLOCK)

/* 39 bits, start at level 1, walks cacheable and inner shareable, 4 KiB granule; 31 is RES1. */
#define STAGE2_VTCR (25ULL | (1ULL << 6) | (1ULL << 8) | (1ULL << 10) | (3ULL << 12) | (1ULL << 31))
#define STAGE2_VMID (1ULL << 48)

static uint64_t stage2_level1[512] __attribute__((aligned(4096)));
static uint64_t stage2_ram[512] __attribute__((aligned(4096)));

void stage2_init(uint64_t ipa, uint64_t host, uint64_t size)
{
    const uint64_t pa_range = arch_read_id_aa64mmfr0_el1() & 7U;

    for (uint64_t offset = 0; offset < size; offset += STAGE2_GRAIN) {
        stage2_ram[((ipa + offset) / STAGE2_GRAIN) % 512U] = (host + offset) | STAGE2_RAM;
    }
    stage2_level1[ipa / STAGE2_MAX] = (uintptr_t)stage2_ram | STAGE2_TABLE;
    arch_write_vtcr_el2(STAGE2_VTCR | (pa_range << 16));
    arch_write_vttbr_el2((uintptr_t)stage2_level1 | STAGE2_VMID);
    arch_flush_guest_tlb();
}
