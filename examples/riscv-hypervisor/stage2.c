/* SPDX-License-Identifier: BSD-3-Clause */
/* Sv39x4: a root of four pages with 1 GiB an entry, one table below it with 2 MiB an entry. */
#include "stage2.h"

#include "csr.h"

#define STAGE2_VALID  (1ULL << 0)
#define STAGE2_RWX    (7ULL << 1)
#define STAGE2_USER   (1ULL << 4) /* the second stage treats every access as a user's */
#define STAGE2_USED   (3ULL << 6) /* accessed and dirty: no hardware update, no fault */
#define STAGE2_MODE   (8ULL << 60)
#define STAGE2_VMID   (1ULL << 44)
#define STAGE2_SMALL  21U /* log2 of a page here */
#define STAGE2_LARGE  30U
#define STAGE2_ROOT   2048U
#define STAGE2_LEVEL1 512U

static uint64_t stage2_root[STAGE2_ROOT] __attribute__((aligned(16384)));
static uint64_t stage2_ram[STAGE2_LEVEL1] __attribute__((aligned(4096)));

static uint64_t stage2_entry(uint64_t address, uint64_t flags)
{
    return address >> 12 << 10 | flags | STAGE2_VALID;
}

void stage2_init(uint64_t gpa, uint64_t host)
{
    stage2_ram[(gpa >> STAGE2_SMALL) % STAGE2_LEVEL1] =
        stage2_entry(host, STAGE2_RWX | STAGE2_USER | STAGE2_USED);
    stage2_root[gpa >> STAGE2_LARGE] = stage2_entry((uintptr_t)stage2_ram, 0U);
    csr_write_hgatp(STAGE2_MODE | STAGE2_VMID | (uintptr_t)stage2_root >> 12);
    csr_fence_guest();
}
