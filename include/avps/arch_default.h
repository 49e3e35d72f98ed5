/* SPDX-License-Identifier: BSD-3-Clause */
/** @file arch_default.h
 *  The compiler and CPU seam in plain C11: ordered loads and stores of shared memory, and fences.
 *
 *  A port with better instructions names a header of its own by
 *  `-DAVPS_PORT_ARCH_HEADER="\"my_arch.h\""`; it must supply every function below with the same
 *  meaning. Used by the library's sources only.
 *  Memory: `p` is aligned to the access. Threads: any. Guest: may change the bytes at any instant;
 *  each function reads each byte once.
 */
#ifndef AVPS_ARCH_DEFAULT_H
#define AVPS_ARCH_DEFAULT_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* Byte order: nonzero on big-endian hosts. */
#ifndef AVPS_BIG_ENDIAN
#if defined(__BYTE_ORDER__) && defined(__ORDER_BIG_ENDIAN__)
#define AVPS_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#else
#error "define AVPS_BIG_ENDIAN to 0 or 1 for this compiler"
#endif
#endif

/** 16-bit value between host and little-endian order. */
static inline uint16_t avps_arch_le16(uint16_t v)
{
#if AVPS_BIG_ENDIAN
    return (uint16_t)((v << 8) | (v >> 8));
#else
    return v;
#endif
}

/** 32-bit value between host and little-endian order. */
static inline uint32_t avps_arch_le32(uint32_t v)
{
#if AVPS_BIG_ENDIAN
    return (v << 24) | ((v & 0xff00U) << 8) | ((v >> 8) & 0xff00U) | (v >> 24);
#else
    return v;
#endif
}

/** One 16-bit load, ordered before everything after it. */
static inline uint16_t avps_arch_load16_acquire(void *p)
{
    return avps_arch_le16(atomic_load_explicit((_Atomic uint16_t *)p, memory_order_acquire));
}

/** One 16-bit load. */
static inline uint16_t avps_arch_load16(void *p)
{
    return avps_arch_le16(atomic_load_explicit((_Atomic uint16_t *)p, memory_order_relaxed));
}

/** One 32-bit load. */
static inline uint32_t avps_arch_load32(void *p)
{
    return avps_arch_le32(atomic_load_explicit((_Atomic uint32_t *)p, memory_order_relaxed));
}

/** Two 32-bit loads, low word first: 64 bits that are no single object of the protocol. */
static inline uint64_t avps_arch_load64(void *p)
{
#if UINTPTR_MAX > 0xffffffffU && !AVPS_BIG_ENDIAN
    return atomic_load_explicit((_Atomic uint64_t *)p, memory_order_relaxed);
#else
    const uint32_t low = avps_arch_load32(p);
    return low | (uint64_t)avps_arch_load32((uint8_t *)p + 4) << 32;
#endif
}

/** 64 bits whose high half is read no later than the low half and before everything after it: a
 *  packed descriptor's length, id and flags. */
static inline uint64_t avps_arch_load64_acquire(void *p)
{
#if UINTPTR_MAX > 0xffffffffU && !AVPS_BIG_ENDIAN
    return atomic_load_explicit((_Atomic uint64_t *)p, memory_order_acquire);
#else
    const uint32_t high = avps_arch_le32(
        atomic_load_explicit((_Atomic uint32_t *)(void *)((uint8_t *)p + 4), memory_order_acquire));
    return (uint64_t)high << 32 | avps_arch_load32(p);
#endif
}

/** One 16-bit store, ordered after everything before it. */
static inline void avps_arch_store16_release(void *p, uint16_t v)
{
    atomic_store_explicit((_Atomic uint16_t *)p, avps_arch_le16(v), memory_order_release);
}

/** One 16-bit store. */
static inline void avps_arch_store16(void *p, uint16_t v)
{
    atomic_store_explicit((_Atomic uint16_t *)p, avps_arch_le16(v), memory_order_relaxed);
}

/** One 32-bit store. */
static inline void avps_arch_store32(void *p, uint32_t v)
{
    atomic_store_explicit((_Atomic uint32_t *)p, avps_arch_le32(v), memory_order_relaxed);
}

/** Orders all earlier stores before all later loads: publish, then look at the other side. */
static inline void avps_arch_fence_full(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/** Orders all earlier stores before all later stores. */
static inline void avps_arch_fence_release(void)
{
    atomic_thread_fence(memory_order_release);
}

/** Copy out of guest memory; afterwards the compiler may not read the source again. */
static inline void avps_arch_copy_in(void *dst, const void *src, size_t len)
{
    (void)memcpy(dst, src, len);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif
