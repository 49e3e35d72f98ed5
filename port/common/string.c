/* SPDX-License-Identifier: BSD-3-Clause */
/* The four functions of a C library that the core asks for, where there is none: words where both
 * sides allow it, bytes otherwise. Built with -fno-builtin, so that the loops do not become calls of
 * themselves. */
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) string_word;

static int string_aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) % sizeof(string_word)) == 0U;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
    return memmove(dst, src, len);
}

static void string_copy_up(uint8_t *to, const uint8_t *from, size_t len)
{
    if (string_aligned(to, from)) {
        for (; len >= sizeof(string_word); len -= sizeof(string_word)) {
            *(string_word *)(void *)to = *(const string_word *)(const void *)from;
            to += sizeof(string_word);
            from += sizeof(string_word);
        }
    }
    while (len-- > 0U) {
        *to++ = *from++;
    }
}

void *memmove(void *dst, const void *src, size_t len)
{
    uint8_t *to = dst;
    const uint8_t *from = src;

    if ((uintptr_t)to - (uintptr_t)from >= len) {
        string_copy_up(to, from, len);
    } else {
        while (len-- > 0U) {
            to[len] = from[len];
        }
    }
    return dst;
}

void *memset(void *dst, int byte, size_t len)
{
    uint8_t *to = dst;
    const string_word word = (uint8_t)byte * 0x0101010101010101ULL;

    if (string_aligned(to, NULL)) {
        for (; len >= sizeof word; len -= sizeof word) {
            *(string_word *)(void *)to = word;
            to += sizeof word;
        }
    }
    while (len-- > 0U) {
        *to++ = (uint8_t)byte;
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *left = a;
    const uint8_t *right = b;

    for (size_t i = 0; i < len; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
