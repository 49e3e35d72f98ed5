/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads and stores of RV64, 16 and 32 bits long: what a guest-page fault leaves to be found out where
 * htinst is 0. Memory: none. Threads: any. Guest: any bits are safe. */
#ifndef RV_DECODE_H
#define RV_DECODE_H

#include <stdbool.h>
#include <stdint.h>

struct rv_access {
    uint8_t width;  /* bytes moved: 1, 2, 4 or 8 */
    uint8_t reg;    /* 0..31, loaded or stored */
    uint8_t length; /* bytes of the instruction: 2 or 4 */
    bool write;
    bool sign_extend;
};

/* Decode `insn`, of which 16 bits count if it is a compressed one.
 * @return false for all that is not a load or store of one integer register: atomics, floating point,
 * and any other instruction. */
bool rv_decode(uint32_t insn, struct rv_access *access);

/* The value that a store writes, and putting a load's result into its register; x[0] stays. */
uint64_t rv_stored(const struct rv_access *access, const uint64_t x[32]);
void rv_loaded(const struct rv_access *access, uint64_t x[32], uint64_t value);

#endif
