/* SPDX-License-Identifier: BSD-3-Clause */
/** @file null.h
 *  Back ends without input or output, for measurements and tests: a disk that is all zeroes, and a
 *  network that swallows frames, makes them, or sends them back.
 *
 *  Memory: the caller's. Threads: the device's context; with workers, the echo of each queue pair has
 *  that pair's. Guest: reaches nothing but itself.
 */
#ifndef AVPS_POSIX_NULL_H
#define AVPS_POSIX_NULL_H

#include "avps/blk.h"
#include "avps/net.h"
#include "avps_posix/loop.h"
#include "avps_posix/worker.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- disk ---- */

/** Fill in ops, capacity, block size, discard and write zeroes of a disk that reads as zeroes and
 *  drops what is written. Everything is done at once.
 *  @param sectors  Capacity. */
void avps_posix_null_disk(struct avps_blk_config *config, uint64_t sectors);

/* ---- network ---- */

/** Shortest frame that avps_posix_null_net makes: it holds a sequence number. */
#define AVPS_POSIX_NULL_FRAME_MIN 24U

/** Longest one. */
#define AVPS_POSIX_NULL_FRAME_MAX 9216U

/** Frames that are made before their storage is used again. */
#define AVPS_POSIX_NULL_FRAMES 256U

/** What it does with frames. */
enum avps_posix_null_mode {
    AVPS_POSIX_NULL_ECHO, /**< Gives each one back on the queue pair it came from. */
    AVPS_POSIX_NULL_SINK  /**< Copies each one and forgets it. */
};

/** Which network. */
struct avps_posix_null_net_config {
    struct avps_posix_loop *loop;   /**< Required. */
    enum avps_posix_null_mode mode; /**< What to do. */
    uint32_t frame_len; /**< SINK: whenever the guest has buffers, frames of so many bytes
                                         come, AVPS_POSIX_NULL_FRAME_MIN to _MAX; 0: none come.
                                         Broadcast, EtherType 0x88b5, a sequence number of 8 bytes,
                                         lowest first, at byte 16, zeroes behind. */
    struct avps_posix_worker *workers; /**< ECHO: queue pair n is polled by worker n, for all pairs
                                            of the device. NULL: by the loop. */
    uint16_t worker_count;             /**< Workers. */
};

/** What an echo does for one queue pair, or for all. Private. */
struct avps_posix_null_echo {
    struct avps_posix_null_net *null; /**< Its network. */
    struct avps_posix_task resume;    /**< Frames that were held back may go on. */
    uint16_t pair;                    /**< With workers: pair. */
};

/** A network without a network. Fields are private. */
struct avps_posix_null_net {
    struct avps_posix_null_net_config config; /**< As configured. */
    struct avps_net *net;                     /**< The device. */
    struct avps_posix_task produce;           /**< Frames are to be made. */
    struct avps_posix_null_echo *echoes;      /**< One for each worker, or one. */
    bool live;                                /**< There is a driver. */
    uint64_t sequence;                        /**< Of the next frame. */
    uint8_t *frames;                          /**< Storage of frames. */
    uint8_t *sink;                            /**< Where frames from the guest are copied to. */
    uint32_t sink_next;                       /**< Place in it. */
};

/** Set up. @return AVPS_OK; AVPS_E_PARAM; AVPS_E_NOSPACE. */
AVPS_NODISCARD enum avps_status
avps_posix_null_net_init(struct avps_posix_null_net *null,
                         const struct avps_posix_null_net_config *config);

/** Give the storage back. Nothing happens if it is all zero. */
void avps_posix_null_net_free(struct avps_posix_null_net *null);

/** Fill in ops, ctx and offloads. */
void avps_posix_null_net_describe(struct avps_posix_null_net *null, struct avps_net_config *config);

/** Name the device, after avps_net_init. */
void avps_posix_null_net_attach(struct avps_posix_null_net *null, struct avps_net *net);

#ifdef __cplusplus
}
#endif
#endif
