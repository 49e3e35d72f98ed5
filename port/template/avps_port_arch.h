/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler and CPU seam for compilers that have GCC's __atomic builtins but no stdatomic.h:
 * same functions and meaning as avps/arch_default.h. A CPU that needs other barriers towards its
 * guests (ORDER_PLATFORM) puts them into the acquire, release and fence functions. */
#ifndef AVPS_PORT_ARCH_H
#define AVPS_PORT_ARCH_H

#include <stdint.h>
#include <string.h>

#define AVPS_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* [arch] */
static inline uint16_t avps_arch_le16(uint16_t v)
{
    return AVPS_BIG_ENDIAN ? __builtin_bswap16(v) : v;
}

static inline uint32_t avps_arch_le32(uint32_t v)
{
    return AVPS_BIG_ENDIAN ? __builtin_bswap32(v) : v;
}

static inline uint16_t avps_arch_load16_acquire(void *p)
{
    return avps_arch_le16(__atomic_load_n((uint16_t *)p, __ATOMIC_ACQUIRE));
}

static inline uint16_t avps_arch_load16(void *p)
{
    return avps_arch_le16(__atomic_load_n((uint16_t *)p, __ATOMIC_RELAXED));
}

static inline uint32_t avps_arch_load32(void *p)
{
    return avps_arch_le32(__atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED));
}
/* [arch] */

/* Two loads, low word first. */
static inline uint64_t avps_arch_load64(void *p)
{
    const uint32_t low = avps_arch_load32(p);

    return low | (uint64_t)avps_arch_load32((uint8_t *)p + 4) << 32;
}

/* The high half first: it says whether the low half may be read. */
static inline uint64_t avps_arch_load64_acquire(void *p)
{
    const uint32_t high =
        avps_arch_le32(__atomic_load_n((uint32_t *)(void *)((uint8_t *)p + 4), __ATOMIC_ACQUIRE));

    return (uint64_t)high << 32 | avps_arch_load32(p);
}

static inline void avps_arch_store16_release(void *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)p, avps_arch_le16(v), __ATOMIC_RELEASE);
}

static inline void avps_arch_store16(void *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)p, avps_arch_le16(v), __ATOMIC_RELAXED);
}

static inline void avps_arch_store32(void *p, uint32_t v)
{
    __atomic_store_n((uint32_t *)p, avps_arch_le32(v), __ATOMIC_RELAXED);
}

static inline void avps_arch_fence_full(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void avps_arch_fence_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void avps_arch_copy_in(void *dst, const void *src, size_t len)
{
    (void)memcpy(dst, src, len);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
