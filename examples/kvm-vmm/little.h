/* SPDX-License-Identifier: BSD-3-Clause */
/* Little-endian numbers of up to 8 bytes: saved states, tables, and data that virtual CPUs move. */
#ifndef LITTLE_H
#define LITTLE_H

#include <stdint.h>

static inline uint64_t little_get(const uint8_t *bytes, uint32_t width)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < width; i++) {
        value |= (uint64_t)bytes[i] << (8U * i);
    }
    return value;
}

static inline void little_put(uint8_t *bytes, uint32_t width, uint64_t value)
{
    for (uint32_t i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> (8U * i));
    }
}

#endif
