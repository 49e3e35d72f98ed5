/* SPDX-License-Identifier: BSD-3-Clause */
/* 32-bit encodings -> compressed ones -> values. */
#include "rv_decode.h"

#define RV_OPCODE_LOAD  0x03U
#define RV_OPCODE_STORE 0x23U
#define RV_ANY          31U /* a register field of 5 bits */
#define RV_LOW          7U  /* one of 3 bits: x8 to x15 */

static bool rv_decode_long(uint32_t insn, struct rv_access *access)
{
    const uint32_t opcode = insn & 0x7fU;
    const uint32_t kind = (insn >> 12) & 7U; /* log2 of the width; 4 added: zero-extended */

    access->length = 4;
    access->width = (uint8_t)(1U << (kind & 3U));
    access->write = opcode == RV_OPCODE_STORE;
    access->sign_extend = kind < 4U;
    access->reg = (uint8_t)((insn >> (access->write ? 20U : 7U)) & RV_ANY);
    return (opcode == RV_OPCODE_LOAD && kind != 7U) || (opcode == RV_OPCODE_STORE && kind < 4U);
}

/* C.LW C.LD C.SW C.SD, and the same relative to the stack pointer: bits 13 to 15 say which. */
static bool rv_decode_compressed(uint32_t insn, struct rv_access *access)
{
    const uint32_t quadrant = insn & 3U;
    const uint32_t kind = (insn >> 13) & 7U; /* 2: integer; 1 added: doubleword; 4 added: store */

    access->length = 2;
    access->width = (kind & 1U) != 0U ? 8U : 4U;
    access->write = (kind & 4U) != 0U;
    access->sign_extend = true;
    access->reg = (uint8_t)(quadrant == 0U ? 8U + ((insn >> 2) & RV_LOW)
                                           : (insn >> (access->write ? 2U : 7U)) & RV_ANY);
    const bool reserved = quadrant == 2U && !access->write && access->reg == 0U;

    return quadrant != 1U && (kind & 2U) != 0U && !reserved;
}

bool rv_decode(uint32_t insn, struct rv_access *access)
{
    return (insn & 3U) == 3U ? rv_decode_long(insn, access) : rv_decode_compressed(insn, access);
}

static uint64_t rv_mask(uint32_t width)
{
    return UINT64_MAX >> (64U - 8U * width);
}

uint64_t rv_stored(const struct rv_access *access, const uint64_t x[32])
{
    return access->reg == 0U ? 0U : x[access->reg] & rv_mask(access->width);
}

void rv_loaded(const struct rv_access *access, uint64_t x[32], uint64_t value)
{
    const uint64_t mask = rv_mask(access->width);

    value &= mask;
    if (access->sign_extend && value > mask / 2U) {
        value |= ~mask;
    }
    if (access->reg != 0U) {
        x[access->reg] = value;
    }
}
