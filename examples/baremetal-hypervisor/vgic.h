/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's view of the GICv3 distributor and of its redistributor. */
#ifndef HYP_VGIC_H
#define HYP_VGIC_H

#include <stdint.h>

/* A guest access to the distributor or the redistributor (both frames) at `offset`.
 * A read returns the value; a write returns 0. `width` is in bytes. */
uint64_t vgic_distributor(uint64_t offset, uint32_t width, int write, uint64_t value);
uint64_t vgic_redistributor(uint64_t offset, uint32_t width, int write, uint64_t value);

#endif
