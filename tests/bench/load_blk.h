/* SPDX-License-Identifier: BSD-3-Clause */
/* Block load: random requests of one size, a fixed number in flight. */
#ifndef AVPS_BENCH_LOAD_BLK_H
#define AVPS_BENCH_LOAD_BLK_H

#include "load.h"

#define LOAD_DISK 0x4000000U /* bytes of the disk that the back ends must offer */

/* `what`: "read" and "write" on a disk that keeps what is written; "null-read" and "null-write" on
 * one that reads as zeroes. `len`: 4096..65536, a power of two. `depth`: 1..128. Exits if it knows
 * no such load. */
const struct load *load_blk(const char *what, uint32_t len, uint32_t depth);

#endif
