/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk: an operation as a series of steps, each one a system call; the two engines that carry steps
 * out; the disk itself. Deciding (block_step.c) is apart from doing (block.c, block_uring.c). */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include <sys/types.h>
#include <sys/uio.h>

#include "avps_posix/block.h"

#define BLOCK_BUFFER     65536U /* bytes of the bounce and of the zero buffer */
#define BLOCK_ALIGN_MAX  4096U  /* alignment of both */
#define BLOCK_IOV_MAX    1024U  /* what the kernel takes in one call */
#define BLOCK_ZERO_IOVS  16U    /* zero buffers written in one step */
#define BLOCK_ZERO_LIMIT 32768U /* sectors that one write zeroes may cover: bounds the fall-back */
#define BLOCK_RETRIES    16U    /* of a step that was interrupted */

/* The call that comes next. */
enum block_call {
    BLOCK_READV,
    BLOCK_WRITEV,
    BLOCK_FALLOCATE,
    BLOCK_FDATASYNC,
    BLOCK_DISCARD_DEVICE /* ioctl: no engine does it in the background */
};

/* One operation being carried out. */
struct block_slot {
    struct block_slot *next_free;
    const struct avps_blk_io *io;
    uint64_t token;
    enum block_call call;
    int fd;
    int flags;       /* RWF_* or FALLOC_FL_* */
    uint64_t offset; /* bytes, of what is left */
    uint64_t left;   /* bytes */
    uint32_t tries;
    int error;      /* errno of the step that failed; 0: none */
    bool must_sync; /* fdatasync at the end */
    uint32_t iov_first;
    uint32_t iov_count;
    struct iovec iov[AVPS_BLK_SEGS];
};

struct block_uring;

struct avps_posix_block {
    int fd;          /* through the page cache; holds the lock */
    int direct_fd;   /* past it, or -1 */
    uint32_t align;  /* of offset and length for direct_fd */
    uint32_t memory; /* of addresses for direct_fd */
    bool device;     /* block device */
    bool read_only;
    uint32_t block_size;
    uint64_t sectors;
    uint64_t limit; /* discard granularity is 1 sector; sectors per discard */
    struct avps_blk *blk;
    struct avps_posix_block *lanes[AVPS_BLK_QUEUES]; /* queue n's; the first one is itself */
    uint16_t lane_count;
    struct block_uring *uring; /* NULL: at once */
    uint32_t outstanding;
    struct block_slot *slots;
    struct block_slot *free;
    uint8_t *bounce;
    uint8_t *zeroes;
    struct avps_seg segs[AVPS_BLK_SEGS];
    struct avps_posix_block_counters counters;
};

/* ---- deciding ---- */

/* The first step of slot->io, whose iov is filled in for reads and writes. @return false: there is
 * no such operation. */
bool block_first(const struct avps_posix_block *block, struct block_slot *slot);

/* A step returned `result` (>= 0, or -errno). @return true: *status is the answer; false: the slot
 * holds the next step. */
bool block_next(const struct avps_posix_block *block, struct block_slot *slot, int64_t result,
                enum avps_status *status);

/* ---- doing ---- */

/* Carry the step out now. @return its result, or -errno. */
int64_t block_perform(struct avps_posix_block *block, const struct block_slot *slot);

/* An operation is over: its slot is free. */
void block_finished(struct avps_posix_block *block, struct block_slot *slot,
                    enum avps_status status);

/* ---- io_uring; without liburing, open answers AVPS_E_UNSUPPORTED ---- */

enum avps_status block_uring_open(struct avps_posix_block *block, struct avps_posix_loop *loop,
                                  uint32_t depth);
void block_uring_start(struct avps_posix_block *block, struct block_slot *slot);
uint32_t block_uring_poll(struct avps_posix_block *block);
/* Wait for everything; nothing is answered. */
void block_uring_close(struct avps_posix_block *block);

#endif
