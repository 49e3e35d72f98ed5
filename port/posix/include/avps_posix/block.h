/* SPDX-License-Identifier: BSD-3-Clause */
/** @file block.h
 *  Disk on a file or block device: a back end for avps/blk.h.
 *
 *  Memory: allocated at open, given back at close. Threads: the loop's context,
 *  or that of each queue's loop (`beside`). Guest: reads and
 *  writes go straight between its memory and the file; memory that can only be copied goes through
 *  a buffer.
 *
 *  Order: avps_posix_block_open, avps_posix_block_describe into the device's configuration,
 *  avps_blk_init, avps_posix_block_attach; at the end the device is quiesced or reset, then
 *  avps_posix_block_close.
 *
 *  With io_uring operations run while the loop goes on. Without it (not built in, not allowed by the
 *  kernel, or not wanted) each one is done inside `submit`, which waits for the medium.
 *  Discard punches holes; write zeroes keeps the space unless it may deallocate. A write that must be
 *  durable is written through (RWF_DSYNC), or synced behind where the kernel cannot. An error of the host reaches the guest as an I/O error.
 */
#ifndef AVPS_POSIX_BLOCK_H
#define AVPS_POSIX_BLOCK_H

#include "avps/blk.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How operations are carried out. */
enum avps_posix_block_engine {
    AVPS_POSIX_BLOCK_AUTO, /**< io_uring where it works and pays, else at once: always for a file
                                in memory (tmpfs). */
    AVPS_POSIX_BLOCK_SYNC, /**< At once, with preadv and pwritev. */
    AVPS_POSIX_BLOCK_URING /**< io_uring, or not at all. */
};

/** What to open. */
struct avps_posix_block_config {
    const char *path;                    /**< Required: file or block device. */
    struct avps_posix_loop *loop;        /**< Required but for SYNC. */
    enum avps_posix_block_engine engine; /**< How. */
    uint32_t depth;                      /**< Operations outstanding at most, 1..4096: the device's
                                              `request_count`. */
    bool read_only;                      /**< Open for reading. */
    bool direct;                         /**< Past the host's page cache (O_DIRECT). */
    /** Serve the next queue of a disk that is open: queues are polled beside each other, each in the
     *  context of its loop. `path` and `read_only` are those of that one, which stands for all
     *  afterwards and closes all. NULL: a disk of its own, serving all queues. */
    struct avps_posix_block *beside;
};

/** An open disk. */
struct avps_posix_block;

/** What happened. */
struct avps_posix_block_counters {
    uint64_t operations; /**< Operations started. */
    uint64_t calls;      /**< System calls, or io_uring entries, that served them. */
    uint64_t submits;    /**< io_uring_enter calls that handed entries over. */
    uint64_t copies;     /**< Operations that went through a buffer. */
    uint64_t buffered; /**< With `direct`: operations too small for it, served by the page cache. */
    uint64_t failed;   /**< Operations that failed. */
    int last_error;    /**< errno of the last one; 0: none failed. */
};

/** Open and lock: for writing by one, or for reading by several programs; a block device that is
 *  mounted is refused for writing.
 *  @param[out] block  The disk; yours to close.
 *  @param[out] error  Why not. May be NULL.
 *  @return AVPS_OK; AVPS_E_PARAM: configuration; AVPS_E_STATE: in use elsewhere;
 *  AVPS_E_UNSUPPORTED: io_uring or direct access is not to be had; AVPS_E_IO: anything else. */
AVPS_NODISCARD enum avps_status avps_posix_block_open(struct avps_posix_block **block,
                                                      const struct avps_posix_block_config *config,
                                                      struct avps_posix_error *error);

/** Wait for what is outstanding (it is not answered any more), make everything durable, close.
 *  NULL is allowed.
 *  @return AVPS_OK; AVPS_E_IO if not everything is known to be durable. */
AVPS_NODISCARD enum avps_status avps_posix_block_close(struct avps_posix_block *block);

/** Fill in what follows from the disk: ops, ctx, capacity, block_size, topology, limits of discard
 *  and write zeroes, read_only, fua, zeroes_may_unmap. The rest of the configuration is left alone. */
void avps_posix_block_describe(struct avps_posix_block *block, struct avps_blk_config *config);

/** Name the device that is answered. */
void avps_posix_block_attach(struct avps_posix_block *block, struct avps_blk *blk);

/** Answer what has been completed, without waiting for the loop to see it; for busy polling.
 *  @return Operations answered. */
uint32_t avps_posix_block_poll(struct avps_posix_block *block);

/** Look at the size again, after the file was made larger or smaller.
 *  @param[out] sectors  For avps_blk_set_capacity.
 *  @return AVPS_OK; AVPS_E_IO if it cannot be told. */
AVPS_NODISCARD enum avps_status avps_posix_block_resize(struct avps_posix_block *block,
                                                        uint64_t *sectors);

/** Whether io_uring is used. */
bool avps_posix_block_is_async(const struct avps_posix_block *block);

/** Counters; valid until close. */
const struct avps_posix_block_counters *
avps_posix_block_counters(const struct avps_posix_block *block);

#ifdef __cplusplus
}
#endif
#endif
