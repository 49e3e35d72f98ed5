/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guest sees as physical memory: one window of RAM; everything else traps. */
#ifndef HYP_STAGE2_H
#define HYP_STAGE2_H

#include <stdint.h>

#define STAGE2_GRAIN 0x200000ULL /* the window's addresses and size are multiples of this */
#define STAGE2_MAX   0x40000000ULL

/* Show [host, host + size) to the guest at `ipa`, which must not cross a GiB. */
void stage2_init(uint64_t ipa, uint64_t host, uint64_t size);

#endif
