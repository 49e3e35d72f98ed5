/* SPDX-License-Identifier: BSD-3-Clause */
/* Freestanding string functions: words where both sides allow it, bytes otherwise. Built with
 * -fno-builtin, so that the loops do not become calls of themselves. */
#define _POSIX_C_SOURCE 200809L /* strnlen; NOLINT(readability-identifier-naming) */
#include <stdint.h>
#include <string.h>

#include "report.h"

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

void *memchr(const void *mem, int byte, size_t len)
{
    const uint8_t *at = mem;

    for (size_t i = 0; i < len; i++) {
        if (at[i] == (uint8_t)byte) {
            return (void *)(uintptr_t)&at[i];
        }
    }
    return NULL;
}

size_t strnlen(const char *text, size_t max)
{
    size_t len = 0;

    while (len < max && text[len] != '\0') {
        len++;
    }
    return len;
}

size_t strlen(const char *text)
{
    return strnlen(text, SIZE_MAX);
}

char *strchr(const char *text, int byte)
{
    return memchr(text, byte, strlen(text) + 1U);
}

char *strrchr(const char *text, int byte)
{
    char *found = NULL;

    for (size_t i = 0, len = strlen(text); i <= len; i++) {
        if (text[i] == (char)byte) {
            found = (char *)(uintptr_t)&text[i];
        }
    }
    return found;
}

/* Debian's libfdt is built with stack protection, whose names the compiler gives.
 * NOLINTBEGIN(readability-identifier-naming) */
extern uintptr_t __stack_chk_guard;
void __stack_chk_fail(void);

uintptr_t __stack_chk_guard = 0x5af3107a4000ff0dU;

void __stack_chk_fail(void)
{
    hyp_fault(0U, (uintptr_t)__builtin_return_address(0), 0U);
}
/* NOLINTEND(readability-identifier-naming) */
