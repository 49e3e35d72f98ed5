/* SPDX-License-Identifier: BSD-3-Clause */
/* What libfdt asks of a C library beyond port/common/string.c. Built with -fno-builtin, so that the
 * loops do not become calls of themselves. */
#define _POSIX_C_SOURCE 200809L /* strnlen; NOLINT(readability-identifier-naming) */
#include <stdint.h>
#include <string.h>

#include "fault.h"

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
