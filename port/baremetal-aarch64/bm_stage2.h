/* SPDX-License-Identifier: BSD-3-Clause */
/* Stage 2 tables of one guest: what it sees as physical memory. 39 bits of guest addresses, 2 MiB blocks;
 * what is not mapped traps. Only builds tables in memory: registers and TLBs are the caller's.
 *
 * Memory: the caller's, identity-mapped in the hypervisor. Threads: before the guest runs. */
#ifndef BM_STAGE2_H
#define BM_STAGE2_H

#include <stdint.h>

#include "avps/status.h"

#define BM_STAGE2_GRAIN  0x200000ULL /* addresses and sizes are multiples of this */
#define BM_STAGE2_WINDOW 0x40000000ULL
#define BM_STAGE2_LIMIT  0x8000000000ULL /* guest addresses end here */

/* GiB of guest addresses, aligned, in which something is mapped. */
#ifndef BM_STAGE2_TABLES
#define BM_STAGE2_TABLES 2U
#endif

struct bm_stage2 {
    _Alignas(4096) uint64_t level1[512];
    uint64_t level2[BM_STAGE2_TABLES][512];
    uint32_t tables; /* of level2 that are in use */
};

/* Nothing is mapped. */
void bm_stage2_init(struct bm_stage2 *map);

/* Show machine memory [host, host + size) at guest address `ipa`, to read, write and execute, write-back.
 * @return AVPS_OK; AVPS_E_PARAM: not aligned, empty, above the limit, or something is mapped there:
 * nothing has changed; AVPS_E_NOSPACE: too many windows. */
AVPS_NODISCARD enum avps_status bm_stage2_map(struct bm_stage2 *map, uint64_t ipa, uint64_t host,
                                              uint64_t size);

/* Machine address of guest address `ipa`. @return AVPS_OK; AVPS_E_GUEST_ADDR: it would trap. */
AVPS_NODISCARD enum avps_status bm_stage2_find(struct bm_stage2 *map, uint64_t ipa, uint64_t *host);

/* VTTBR_EL2 for the guest with VMID `vmid`, and VTCR_EL2 for a machine with ID_AA64MMFR0_EL1.PARange
 * `pa_range`. */
uint64_t bm_stage2_vttbr(const struct bm_stage2 *map, uint8_t vmid);
uint64_t bm_stage2_vtcr(uint32_t pa_range);

#endif
