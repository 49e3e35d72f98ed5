/* SPDX-License-Identifier: BSD-3-Clause */
/* What the provers do not learn from WP: lemmas of its own library about & and <<, and what converting a
 * negative difference to 64 bits gives [C11 6.3.1.3]. */
#ifndef AVPS_PROOF_BITS_H
#define AVPS_PROOF_BITS_H

#include <stdint.h>

/*@ axiomatic bits {
      axiom land_left: \forall integer x, y; 0 <= x ==> 0 <= (x & y) <= x;
      axiom land_right: \forall integer x, y; 0 <= y ==> 0 <= (x & y) <= y;
      axiom land_low_16: \forall integer x; 0 <= x ==> (x & 0xffff) == x % 0x10000;
      axiom shift_16: \forall integer x; 0 <= x ==> (x << 16) == x * 0x10000;

      axiom wrap_64: \forall integer x; -0x10000000000000000 <= x < 0 ==>
        (uint64_t)x == x + 0x10000000000000000;
    } */

#endif
