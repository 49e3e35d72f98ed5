/* SPDX-License-Identifier: BSD-3-Clause */
/* A CPU whose loads of guest memory spoil it: in the ranges that a test names, each byte is inverted
 * right after it was read, and its reads are counted. Code that reads a byte twice gets two values.
 * For AVPS_PORT_ARCH_HEADER; everything but the loads is as in arch_default.h. */
#ifndef TEST_SUPPORT_ONCE_ARCH_H
#define TEST_SUPPORT_ONCE_ARCH_H

#define avps_arch_load16_acquire once_load16_acquire
#define avps_arch_load16         once_load16
#define avps_arch_load32         once_load32
#define avps_arch_load64         once_load64
#define avps_arch_load64_acquire once_load64_acquire
#define avps_arch_copy_in        once_copy_in
#include "avps/arch_default.h"
#undef avps_arch_load16_acquire
#undef avps_arch_load16
#undef avps_arch_load32
#undef avps_arch_load64
#undef avps_arch_load64_acquire
#undef avps_arch_copy_in

#define ONCE_RANGES 2U
#define ONCE_BYTES  1024U

/* One watched range; the test's. */
struct once_range {
    uint8_t *begin;
    uint32_t len; /* at most ONCE_BYTES; 0: none */
    uint32_t reads[ONCE_BYTES];
};

extern struct once_range once_ranges[ONCE_RANGES];

static inline void once_spoil(uint8_t *p, size_t len)
{
    for (uint32_t r = 0; r < ONCE_RANGES; r++) {
        struct once_range *range = &once_ranges[r];

        for (size_t i = 0; i < len; i++) {
            if (p + i >= range->begin && p + i < range->begin + range->len) {
                range->reads[p + i - range->begin]++;
                p[i] = (uint8_t)~p[i];
            }
        }
    }
}

static inline uint16_t avps_arch_load16_acquire(void *p)
{
    const uint16_t v = once_load16_acquire(p);

    once_spoil(p, sizeof v);
    return v;
}

static inline uint16_t avps_arch_load16(void *p)
{
    const uint16_t v = once_load16(p);

    once_spoil(p, sizeof v);
    return v;
}

static inline uint32_t avps_arch_load32(void *p)
{
    const uint32_t v = once_load32(p);

    once_spoil(p, sizeof v);
    return v;
}

static inline uint64_t avps_arch_load64(void *p)
{
    const uint64_t v = once_load64(p);

    once_spoil(p, sizeof v);
    return v;
}

static inline uint64_t avps_arch_load64_acquire(void *p)
{
    const uint64_t v = once_load64_acquire(p);

    once_spoil(p, sizeof v);
    return v;
}

static inline void avps_arch_copy_in(void *dst, const void *src, size_t len)
{
    once_copy_in(dst, src, len);
}

#endif
