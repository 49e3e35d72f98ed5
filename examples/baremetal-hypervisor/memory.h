/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool of machine memory that disks and guests' memories are taken from, before guests run. Nothing is
 * given twice, nothing comes back. */
#ifndef HYP_MEMORY_H
#define HYP_MEMORY_H

#include <stdint.h>

/* The pool is [HOST_POOL, end). */
void memory_init(uint64_t end);

/* `size` bytes on a 2 MiB boundary, zero. @return their machine address; 0: there are not enough. */
uint64_t memory_take(uint64_t size);

#endif
