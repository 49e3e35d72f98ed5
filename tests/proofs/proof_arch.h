/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler and CPU seam for the proof: contracts only, no bodies. A load may give any value at
 * every call and a store changes nothing that the library reads back, which covers every schedule
 * of a guest that rewrites its memory at any instant. */
#ifndef AVPS_PROOF_ARCH_H
#define AVPS_PROOF_ARCH_H

#include <stdint.h>
#include <string.h>

#include "model.h"

/*@ assigns \result \from v; */
uint16_t avps_arch_le16(uint16_t v);
/*@ assigns \result \from v; */
uint32_t avps_arch_le32(uint32_t v);

/*@ requires \valid(p + (0 .. 1)); assigns \result \from \nothing; */
uint16_t avps_arch_load16_acquire(uint8_t *p);
/*@ requires \valid(p + (0 .. 1)); assigns \result \from \nothing; */
uint16_t avps_arch_load16(uint8_t *p);
/*@ requires \valid(p + (0 .. 3)); assigns \result \from \nothing; */
uint32_t avps_arch_load32(uint8_t *p);
/*@ requires \valid(p + (0 .. 7)); assigns \result \from \nothing; */
uint64_t avps_arch_load64(uint8_t *p);
/*@ requires \valid(p + (0 .. 7)); assigns \result \from \nothing; */
uint64_t avps_arch_load64_acquire(uint8_t *p);
/*@ requires \valid(p + (0 .. 1)); assigns \nothing; */
void avps_arch_store16_release(uint8_t *p, uint16_t v);
/*@ requires \valid(p + (0 .. 1)); assigns \nothing; */
void avps_arch_store16(uint8_t *p, uint16_t v);
/*@ requires \valid(p + (0 .. 3)); assigns \nothing; */
void avps_arch_store32(uint8_t *p, uint32_t v);
/*@ assigns \nothing; */
void avps_arch_fence_full(void);
/*@ assigns \nothing; */
void avps_arch_fence_release(void);
/*@ requires \valid(dst + (0 .. len - 1)) && \valid_read(src + (0 .. len - 1));
  @ assigns dst[0 .. len - 1] \from \nothing; */
void avps_arch_copy_in(uint8_t *dst, const uint8_t *src, size_t len);

#endif
