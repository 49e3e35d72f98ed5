/* SPDX-License-Identifier: BSD-3-Clause */
/* A compiler and CPU seam with one bug at a time, chosen while it runs. Weak ordering is imitated:
 * a store that is not ordered is kept back for a moment. */
#ifndef PORTS_BROKEN_ARCH_H
#define PORTS_BROKEN_ARCH_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#define avps_arch_le16            good_le16
#define avps_arch_le32            good_le32
#define avps_arch_load16_acquire  good_load16_acquire
#define avps_arch_load16          good_load16
#define avps_arch_load32          good_load32
#define avps_arch_load64          good_load64
#define avps_arch_load64_acquire  good_load64_acquire
#define avps_arch_store16_release good_store16_release
#define avps_arch_store16         good_store16
#define avps_arch_store32         good_store32
#define avps_arch_fence_full      good_fence_full
#define avps_arch_fence_release   good_fence_release
#define avps_arch_copy_in         good_copy_in
#include "avps/arch_default.h"
#undef avps_arch_le16
#undef avps_arch_le32
#undef avps_arch_load16_acquire
#undef avps_arch_load16
#undef avps_arch_load32
#undef avps_arch_load64
#undef avps_arch_load64_acquire
#undef avps_arch_store16_release
#undef avps_arch_store16
#undef avps_arch_store32
#undef avps_arch_fence_full
#undef avps_arch_fence_release
#undef avps_arch_copy_in

enum arch_bug {
    ARCH_GOOD,
    ARCH_LOAD_SWAPPED,
    ARCH_STORE_WIDE,
    ARCH_LE_SWAPPED,
    ARCH_COPY_SHORT,
    ARCH_LOAD_TORN,
    ARCH_RELEASE_NOTHING,
    ARCH_FENCE_RELEASE_NOTHING,
    ARCH_FENCE_FULL_NOTHING,
    ARCH_LOW_HALF_FIRST
};

/* Defined by the test. Only stores to [arch_begin, arch_end) are kept, which outlives them. */
extern enum arch_bug arch_bug;
extern const uint8_t *arch_begin;
extern const uint8_t *arch_end;
extern _Thread_local struct arch_kept {
    void *at;
    uint32_t value;
} arch_kept;

static inline void arch_flush(void)
{
    if (arch_kept.at != NULL) {
        good_store32(arch_kept.at, arch_kept.value);
        arch_kept.at = NULL;
    }
}

static inline bool arch_keeps(const uint8_t *at)
{
    return at >= arch_begin && at < arch_end &&
           (arch_bug == ARCH_RELEASE_NOTHING || arch_bug == ARCH_FENCE_RELEASE_NOTHING ||
            arch_bug == ARCH_FENCE_FULL_NOTHING);
}

static inline uint16_t avps_arch_le16(uint16_t v)
{
    const uint16_t good = good_le16(v);

    return arch_bug == ARCH_LE_SWAPPED ? (uint16_t)(good << 8 | good >> 8) : good;
}

static inline uint32_t avps_arch_le32(uint32_t v)
{
    return good_le32(v);
}

static inline uint16_t avps_arch_load16_acquire(void *p)
{
    return good_load16_acquire(p);
}

static inline uint16_t avps_arch_load16(void *p)
{
    const uint16_t v = good_load16(p);

    return arch_bug == ARCH_LOAD_SWAPPED ? (uint16_t)(v << 8 | v >> 8) : v;
}

static inline uint32_t avps_arch_load32(void *p)
{
    if (arch_bug != ARCH_LOAD_TORN) {
        return good_load32(p);
    }
    const uint32_t low = good_load16(p);

    (void)sched_yield();
    return low | (uint32_t)good_load16((uint8_t *)p + 2) << 16;
}

static inline uint64_t avps_arch_load64(void *p)
{
    return good_load64(p);
}

static inline uint64_t avps_arch_load64_acquire(void *p)
{
    if (arch_bug != ARCH_LOW_HALF_FIRST) {
        return good_load64_acquire(p);
    }
    const uint32_t low = good_load32(p);

    (void)sched_yield();
    return low | (uint64_t)good_load32((uint8_t *)p + 4) << 32;
}

static inline void avps_arch_store16_release(void *p, uint16_t v)
{
    if (arch_bug != ARCH_RELEASE_NOTHING) {
        arch_flush();
    }
    good_store16_release(p, v);
    if (arch_bug == ARCH_RELEASE_NOTHING && arch_kept.at != NULL) {
        (void)sched_yield();
    }
    arch_flush();
}

static inline void avps_arch_store16(void *p, uint16_t v)
{
    good_store16(p, v);
    if (arch_bug == ARCH_FENCE_RELEASE_NOTHING && arch_kept.at != NULL) {
        (void)sched_yield();
    }
    arch_flush();
}

static inline void avps_arch_store32(void *p, uint32_t v)
{
    uint8_t *after = (uint8_t *)p - 1;

    arch_flush();
    if (arch_keeps(p)) {
        arch_kept = (struct arch_kept){.at = p, .value = v};
        return;
    }
    good_store32(p, v);
    if (arch_bug == ARCH_STORE_WIDE) {
        *after = 0;
    }
}

static inline void avps_arch_fence_full(void)
{
    if (arch_bug != ARCH_FENCE_FULL_NOTHING) {
        arch_flush();
    }
    good_fence_full();
}

static inline void avps_arch_fence_release(void)
{
    if (arch_bug != ARCH_FENCE_RELEASE_NOTHING) {
        arch_flush();
    }
    good_fence_release();
}

static inline void avps_arch_copy_in(void *dst, const void *src, size_t len)
{
    good_copy_in(dst, src, arch_bug == ARCH_COPY_SHORT && len > 64U ? 64U : len);
}

#endif
