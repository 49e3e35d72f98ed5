/* SPDX-License-Identifier: BSD-3-Clause */
/* The four functions of <string.h> that the library calls, as functions on bytes: included ahead of
 * a file under proof, in place of Frama-C's own header, whose `char` is no `uint8_t` to WP. */
#ifndef AVPS_PROOF_BYTES_H
#define AVPS_PROOF_BYTES_H

#define __FC_STRING_H_
#define __FC_WCHAR_H

#include <stddef.h>
#include <stdint.h>

#include "bits.h"

/*@ axiomatic shifts { // likewise
      axiom shift_32: \forall integer x; (x << 32) == x * 0x100000000;
    } */

/*@ requires \valid(dst + (0 .. n - 1)) && \valid_read(src + (0 .. n - 1));
  @ requires \separated(dst + (0 .. n - 1), src + (0 .. n - 1));
  @ assigns dst[0 .. n - 1] \from src[0 .. n - 1];
  @ assigns \result \from dst;
  @ ensures \result == dst;
  @ ensures \forall integer i; 0 <= i < n ==> dst[i] == \old(src[i]); */
uint8_t *memcpy(uint8_t *restrict dst, const uint8_t *restrict src, size_t n);

/*@ requires \valid(dst + (0 .. n - 1)) && \valid_read(src + (0 .. n - 1));
  @ assigns dst[0 .. n - 1] \from src[0 .. n - 1];
  @ assigns \result \from dst;
  @ ensures \result == dst; */
uint8_t *memmove(uint8_t *dst, const uint8_t *src, size_t n);

/*@ requires \valid(dst + (0 .. n - 1)) && 0 <= c <= 255;
  @ assigns dst[0 .. n - 1] \from c;
  @ assigns \result \from dst;
  @ ensures \result == dst;
  @ ensures \forall integer i; 0 <= i < n ==> dst[i] == c; */
uint8_t *memset(uint8_t *dst, int c, size_t n);

/*@ requires \valid_read(a + (0 .. n - 1)) && \valid_read(b + (0 .. n - 1));
  @ assigns \result \from a[0 .. n - 1], b[0 .. n - 1]; */
int memcmp(const uint8_t *a, const uint8_t *b, size_t n);

#endif
