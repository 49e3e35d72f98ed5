/* SPDX-License-Identifier: BSD-3-Clause */
/* In the place of block_uring.c where liburing is not: opening is refused, the rest is not reached. */
#include "block_internal.h"

enum avps_status block_uring_open(struct avps_posix_block *block, struct avps_posix_loop *loop,
                                  uint32_t depth)
{
    (void)block;
    (void)loop;
    (void)depth;
    return AVPS_E_UNSUPPORTED;
}

void block_uring_start(struct avps_posix_block *block, struct block_slot *slot)
{
    (void)block;
    (void)slot;
}

uint32_t block_uring_poll(struct avps_posix_block *block)
{
    (void)block;
    return 0;
}

void block_uring_close(struct avps_posix_block *block)
{
    (void)block;
}
