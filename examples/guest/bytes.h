/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that can be told from each other: noise made from a seed, a checksum, numbers in network
 * order. Shared by the guests' programs and by those that answer them. */
#ifndef GUEST_BYTES_H
#define GUEST_BYTES_H

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* CRC-32 of `len` bytes, going on from `crc` (0 at the start). */
static inline uint32_t bytes_crc(uint32_t crc, const uint8_t *data, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static inline void bytes_put(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}

static inline uint32_t bytes_get(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return ntohl(value);
}

static inline void bytes_noise(uint8_t *data, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525U + 1013904223U;
        data[i] = (uint8_t)(seed >> 24);
    }
}

#endif
