/* SPDX-License-Identifier: BSD-3-Clause */
/* The hypervisor's own translation: identity map, caches on, code read-only, data not executable. */
#ifndef HYP_MMU_H
#define HYP_MMU_H

#include <stddef.h>

/* The first CPU makes the tables and turns its MMU on; the others use them. */
void mmu_init(void);
void mmu_enter(void);

/* Write back [start, start + size): for what a guest reads before it turns its caches on. */
void mmu_clean(const void *start, size_t size);

#endif
