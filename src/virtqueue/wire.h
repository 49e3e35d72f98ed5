/* SPDX-License-Identifier: BSD-3-Clause */
/* Little-endian wire types: byte structs, so that an unconverted use does not compile. */
#ifndef AVPS_WIRE_H
#define AVPS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t b[2];
} avps_le16;

typedef struct {
    uint8_t b[4];
} avps_le32;

typedef struct {
    uint8_t b[8];
} avps_le64;

/* Put one under every wire struct. */
#define AVPS_WIRE_SIZE(type, size)                                                                 \
    _Static_assert(sizeof(type) == (size), #type " is " #size " bytes")

#define AVPS_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define AVPS_CONTAINER_OF(pointer, type, member)                                                   \
    ((type *)(void *)((uint8_t *)(pointer)-offsetof(type, member)))

static inline uint16_t avps_le16_get(avps_le16 v)
{
    return (uint16_t)(v.b[0] | (uint16_t)(v.b[1] << 8));
}

static inline uint32_t avps_le32_get(avps_le32 v)
{
    return (uint32_t)v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 |
           (uint32_t)v.b[3] << 24;
}

static inline uint64_t avps_le64_get(avps_le64 v)
{
    uint64_t value = 0;

    for (unsigned int i = 8; i > 0U; i--) {
        value = value << 8 | v.b[i - 1U];
    }
    return value;
}

static inline avps_le16 avps_le16_of(uint16_t value)
{
    const avps_le16 v = {{(uint8_t)value, (uint8_t)(value >> 8)}};
    return v;
}

static inline avps_le32 avps_le32_of(uint32_t value)
{
    const avps_le32 v = {
        {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)}};
    return v;
}

static inline avps_le64 avps_le64_of(uint64_t value)
{
    avps_le64 v;

    for (unsigned int i = 0; i < 8U; i++) {
        v.b[i] = (uint8_t)(value >> (8U * i));
    }
    return v;
}

#endif
