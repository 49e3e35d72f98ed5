/* SPDX-License-Identifier: BSD-3-Clause */
/* All that the library asks of a C library, for toolchains that come without one. */
#ifndef AVPS_FREESTANDING_STRING_H
#define AVPS_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

#endif
