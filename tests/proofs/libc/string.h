/* SPDX-License-Identifier: BSD-3-Clause */
/* The four functions of <string.h> that the library calls, as functions on bytes. */
#ifndef AVPS_PROOF_STRING_H
#define AVPS_PROOF_STRING_H

#include <stddef.h>
#include <stdint.h>

/*@ requires \valid((uint8_t *)dst + (0 .. n - 1)) && \valid_read((uint8_t *)src + (0 .. n - 1));
  @ requires \separated((uint8_t *)dst + (0 .. n - 1), (uint8_t *)src + (0 .. n - 1));
  @ assigns ((uint8_t *)dst)[0 .. n - 1] \from ((uint8_t *)src)[0 .. n - 1];
  @ assigns \result \from dst;
  @ ensures \result == dst;
  @ ensures \forall integer i; 0 <= i < n ==> ((uint8_t *)dst)[i] == \old(((uint8_t *)src)[i]); */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);

/*@ requires \valid((uint8_t *)dst + (0 .. n - 1)) && \valid_read((uint8_t *)src + (0 .. n - 1));
  @ assigns ((uint8_t *)dst)[0 .. n - 1] \from ((uint8_t *)src)[0 .. n - 1];
  @ assigns \result \from dst;
  @ ensures \result == dst; */
void *memmove(void *dst, const void *src, size_t n);

/*@ requires \valid((uint8_t *)dst + (0 .. n - 1)) && 0 <= c <= 255;
  @ assigns ((uint8_t *)dst)[0 .. n - 1] \from c;
  @ assigns \result \from dst;
  @ ensures \result == dst;
  @ ensures \forall integer i; 0 <= i < n ==> ((uint8_t *)dst)[i] == c; */
void *memset(void *dst, int c, size_t n);

/*@ requires \valid_read((uint8_t *)a + (0 .. n - 1)) && \valid_read((uint8_t *)b + (0 .. n - 1));
  @ assigns \result \from ((uint8_t *)a)[0 .. n - 1], ((uint8_t *)b)[0 .. n - 1]; */
int memcmp(const void *a, const void *b, size_t n);

#endif
