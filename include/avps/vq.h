/* SPDX-License-Identifier: BSD-3-Clause */
/** @file vq.h
 *  Virtqueues, device side: an activated queue of either ring format, and the chains taken from it.
 *
 *  Memory: the caller's. Threads: one caller per queue at a time; different queues are independent
 *  but for `struct avps_mem`, so give each CPU that polls its own handle.
 *  Guest: every ring byte is read once into private memory, checked, and only then used.
 *
 *  Device models use this through device.h; poll-mode users may use it directly:
 *  pop chains, read and write them with the cursor calls, push, publish, notify.
 */
#ifndef AVPS_VQ_H
#define AVPS_VQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/config.h"
#include "avps/mem.h"
#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A request as the driver built it: readable bytes, then writable bytes. Cursors move forward
 *  only. Fields are private; use the calls below. */
struct avps_chain {
    struct avps_seg *segs;  /**< Storage of `seg_cap` segments, the caller's. */
    uint32_t seg_cap;       /**< How many fit. */
    uint32_t readable_segs; /**< Segments the device reads: the first ones. */
    uint32_t writable_segs; /**< Segments the device writes: the rest. */
    uint32_t readable_len;  /**< Bytes left to read. */
    uint32_t writable_len;  /**< Bytes left to write. */
    uint32_t written;       /**< Bytes written from the first writable byte on. */
    uint32_t read_seg;      /**< Cursor: segment. */
    uint32_t read_off;      /**< Cursor: offset in it. */
    uint32_t write_seg;     /**< Cursor: segment. */
    uint32_t write_off;     /**< Cursor: offset in it. */
    uint32_t tail_len;      /**< Writable bytes kept back for avps_chain_write_tail. */
    uint16_t id;            /**< Head index (split) or buffer id (packed). */
    uint16_t slots;         /**< Ring slots the chain takes (packed), 1 (split). */
    struct avps_mem *mem;   /**< How its bytes are reached. */
    uint64_t map_handle;    /**< Of the port's map op. */
    bool mapped;            /**< map_handle is live. */
    bool replayed;          /**< Came from a tracker; only where there is one. */
};

/** A chain of one descriptor in one piece of host memory: all that a burst keeps of it. Private. */
struct avps_plain {
    struct avps_seg seg; /**< Its bytes. */
    uint32_t written;    /**< Bytes written from the first one on. */
    uint16_t id;         /**< Head index (split) or buffer id (packed). */
};

/** Where one ring area is. Private. */
struct avps_ring_area {
    uint8_t *fast; /**< Plain coherent memory: accessed directly; else NULL. */
    uint8_t *ptr;  /**< Mapped but with hooks; else NULL: copied. */
    avps_gpa gpa;  /**< Guest address. */
    uint32_t len;  /**< Bytes. */
    bool pinned;   /**< Undo with unpin. */
};

/** One descriptor of a chain, for trackers. A split ring's chain is told by its head alone: `id`,
 *  the rest 0. In a packed ring `id` is that of the chain in its last descriptor only. */
struct avps_vq_desc {
    avps_gpa addr;  /**< Buffer, or indirect table. */
    uint32_t len;   /**< Bytes. */
    uint16_t id;    /**< Head index (split) or buffer id (packed). */
    uint16_t flags; /**< As in the ring. */
};

/** What you implement to follow the chains of a queue, so that those in flight outlive the process
 *  that serves them: an in-flight log in memory that stays. Called in the queue's context; must not
 *  call the library. All are required. What `replay` hands out may be hostile: it is checked like a
 *  ring. */
struct avps_tracker_ops {
    /** One descriptor of a chain that is taken from the ring: once (split) or once a ring slot
     *  (packed), from `first` to `last`. From the last on the chain is in flight. */
    void (*take)(void *ctx, const struct avps_vq_desc *desc, bool first, bool last);
    /** Chain `id`, in flight, is in flight no more and was not returned: put back into the ring, or
     *  given up by a reset. */
    void (*forget)(void *ctx, uint16_t id);
    /** Chain `id` was returned. The driver does not see it yet. */
    void (*give)(void *ctx, uint16_t id);
    /** What was given is about to be shown; the used index or position will be this. */
    void (*publish)(void *ctx, uint16_t used_idx, bool used_wrap);
    /** It has been shown. */
    void (*published)(void *ctx);
    /** Descriptor `n` of the chain to be served again next: asked for when a queue starts, before
     *  anything is taken from the ring. Split: only n == 0, the head.
     *  @return false if there is no such chain (n == 0) or descriptor. */
    bool (*replay)(void *ctx, uint32_t n, struct avps_vq_desc *desc);
    /** That chain was taken (`forward`), or the one taken last that way was put back. */
    void (*replayed)(void *ctx, bool forward);
};

/** A tracker: its ops and their context. Borrowed while the queue is enabled. */
struct avps_tracker {
    const struct avps_tracker_ops *ops; /**< Required. */
    void *ctx;                          /**< Handed to every op. */
};

/** What a driver asked for, checked by avps_vq_enable. */
struct avps_vq_config {
    uint32_t size;        /**< Descriptors: 1..AVPS_QUEUE_SIZE_MAX; split: a power of two. */
    avps_gpa desc;        /**< Descriptor table or ring, aligned to 16. */
    avps_gpa driver;      /**< Available ring (2) or driver event area (4). */
    avps_gpa device;      /**< Used ring (4) or device event area (4). */
    bool packed;          /**< VIRTIO_F_RING_PACKED. */
    bool indirect;        /**< VIRTIO_F_INDIRECT_DESC. */
    bool event_idx;       /**< VIRTIO_F_EVENT_IDX. */
    uint16_t avail_start; /**< Resume at this available index / position; 0 for a new queue. */
    uint16_t used_start;  /**< Resume at this used index / position; 0 for a new queue. */
    bool avail_wrap;      /**< Packed: wrap counter at avail_start; true for a new queue. */
    bool used_wrap;       /**< Packed: wrap counter at used_start; true for a new queue. */
    const struct avps_tracker *tracker; /**< NULL: none. Else the chains between `used_start` and
                                             `avail_start` are those that it replays. */
};

/** An activated queue: a validated private copy of its configuration. Fields are private. */
struct avps_vq {
    struct avps_ring_area desc;   /**< Descriptor table or ring. */
    struct avps_ring_area driver; /**< Written by the driver. */
    struct avps_ring_area device; /**< Written by the device. */
    struct avps_mem *mem;         /**< Guest memory. */
    uint32_t size;                /**< Descriptors. */
    uint16_t avail_idx;           /**< Next available index (split) or ring position (packed). */
    uint16_t avail_seen;          /**< Split: the driver's index as last read. */
    uint16_t used_idx;            /**< Next used index or position, not yet published. */
    uint16_t published_idx;       /**< Used index or position that the driver can see. */
    uint16_t in_flight;           /**< Chains popped and not pushed. */
    uint16_t slots_in_flight;     /**< Ring slots of these (packed). */
    uint16_t batch_flags;         /**< Packed: flags withheld until publish. */
    bool avail_wrap;              /**< Packed. */
    bool used_wrap;               /**< Packed. */
    bool published_wrap;          /**< Packed: wrap counter at published_idx. */
    bool packed;                  /**< Ring format. */
    bool indirect;                /**< Feature. */
    bool event_idx;               /**< Feature. */
    bool live;                    /**< Enabled. */
    bool suppressed;              /**< The driver was told not to kick. */
    bool replaying;               /**< The tracker may have chains to be served again. */
    const struct avps_tracker *tracker;          /**< Follows the chains, or NULL. */
    enum avps_status fault;                      /**< AVPS_OK, or the latched guest fault. */
    uint32_t busy[AVPS_QUEUE_SIZE_MAX / 32 + 1]; /**< One bit per chain id in flight. */
};

/** Give a chain its segment storage; once, before the first pop.
 *  @param segs  Borrowed for the chain's life. @param count  1..32768. */
void avps_chain_init(struct avps_chain *chain, struct avps_seg *segs, uint32_t count);

/** Activate a queue. Checks size, alignment (drv.split-1.1, drv.packed-1.1), overlap, and that
 *  each area lies in one piece of guest memory.
 *  @return AVPS_OK; AVPS_E_GUEST_SIZE, AVPS_E_GUEST_DESC (alignment, overlap), AVPS_E_GUEST_ADDR or
 *  AVPS_E_GUEST_ACCESS; AVPS_E_IO or AVPS_AGAIN from the port; AVPS_E_UNSUPPORTED for a packed ring in
 *  cached memory (avps_mem_ops.rings_uncached). Not OK: the queue is not live. */
AVPS_NODISCARD enum avps_status avps_vq_enable(struct avps_vq *vq, struct avps_mem *mem,
                                               const struct avps_vq_config *config);

/** Stop using a queue: unpins its areas, forgets chains in flight (give those back first with
 *  avps_vq_drop when they are mapped). Harmless on a queue that is not live. */
void avps_vq_disable(struct avps_vq *vq);

/** Take the next chain.
 *  @return AVPS_OK; AVPS_EMPTY; AVPS_E_STATE if not live; AVPS_AGAIN or AVPS_E_IO from the port
 *  (nothing consumed); a guest fault, which latches: every later pop returns it again. */
AVPS_NODISCARD enum avps_status avps_vq_pop(struct avps_vq *vq, struct avps_chain *chain);

/** Take up to `max` chains in one go.
 *  @param[out] count  How many were taken: chains[0 .. count) are valid, whatever is returned.
 *  @return AVPS_OK: `max` were taken; else why the next one was not: like avps_vq_pop. */
AVPS_NODISCARD enum avps_status avps_vq_pop_burst(struct avps_vq *vq, struct avps_chain *chains,
                                                  uint32_t max, uint32_t *count);

/** Put back the chains popped last, newest first: the ring is as if they had not been popped. Only
 *  before a later chain was popped or any of these pushed; nothing may have been written. */
void avps_vq_unpop(struct avps_vq *vq, struct avps_chain *chain);

/** Return a chain to the driver with `chain->written` bytes; it is seen at the next publish.
 *  @return AVPS_OK; AVPS_E_STATE if not live or not in flight; AVPS_E_IO from a port's write. */
AVPS_NODISCARD enum avps_status avps_vq_push(struct avps_vq *vq, struct avps_chain *chain);

/** Return `count` chains in order. @return AVPS_OK; else the status of the first that failed: it
 *  and those after it are still in flight. */
AVPS_NODISCARD enum avps_status avps_vq_push_burst(struct avps_vq *vq, struct avps_chain *chains,
                                                   uint32_t count);

/** Forget a chain without returning it: unmaps it. For resets. */
void avps_vq_drop(struct avps_vq *vq, struct avps_chain *chain);

/** Make all pushed chains visible at once and decide about the interrupt.
 *  @param[out] notify  Whether the driver wants a notification now (false when nothing was new).
 *  @return AVPS_OK; AVPS_E_STATE if not live; AVPS_E_IO. */
AVPS_NODISCARD enum avps_status avps_vq_publish(struct avps_vq *vq, bool *notify);

/** Whether the driver has switched used buffer notifications off altogether. A notification that
 *  was due earlier and held back is looked at again with this; positions (EVENT_IDX) do not count. */
bool avps_vq_is_muted(const struct avps_vq *vq);

/** Advise the driver not to kick while the queue is being worked on. */
void avps_vq_suppress(struct avps_vq *vq);

/** Ask for kicks again and look once more.
 *  @param[out] more  A chain is there already, or the driver could not be asked: keep polling. */
void avps_vq_arm(struct avps_vq *vq, bool *more);

/** Whether a pop may find something now: a chain, or a ring that cannot be read. A latched queue
 *  has nothing. */
bool avps_vq_has_work(struct avps_vq *vq);

/** Bytes left to read. */
static inline uint32_t avps_chain_readable(const struct avps_chain *chain)
{
    return chain->readable_len;
}

/** Bytes left to write. */
static inline uint32_t avps_chain_writable(const struct avps_chain *chain)
{
    return chain->writable_len;
}

/** Copy the next `len` readable bytes out; the cursor moves.
 *  @return AVPS_OK; AVPS_E_GUEST_SIZE if fewer are left (cursor unmoved); AVPS_E_IO and guest
 *  faults from the read op. */
AVPS_NODISCARD enum avps_status avps_chain_read(struct avps_chain *chain, void *dst, uint32_t len);

/** Copy `len` bytes to the next writable ones; the cursor moves. Like avps_chain_read. */
AVPS_NODISCARD enum avps_status avps_chain_write(struct avps_chain *chain, const void *src,
                                                 uint32_t len);

/** Set the next `len` writable bytes to zero. Like avps_chain_write. */
AVPS_NODISCARD enum avps_status avps_chain_write_zeroes(struct avps_chain *chain, uint32_t len);

/** Move the read cursor. @return AVPS_OK; AVPS_E_GUEST_SIZE if fewer bytes are left. */
AVPS_NODISCARD enum avps_status avps_chain_skip(struct avps_chain *chain, uint32_t len);

/** Take `len` bytes off the writable end, to be written later with avps_chain_write_tail.
 *  Only once, before that. @return AVPS_OK; AVPS_E_GUEST_SIZE if fewer are left. */
AVPS_NODISCARD enum avps_status avps_chain_reserve_tail(struct avps_chain *chain, uint32_t len);

/** Write the reserved tail (a status byte at the very end). The used length then covers all bytes
 *  before it only if they were written or zeroed; else it stays at what was written in front.
 *  @return like avps_chain_write. */
AVPS_NODISCARD enum avps_status avps_chain_write_tail(struct avps_chain *chain, const void *src,
                                                      uint32_t len);

/** Zero copy: the readable (or writable) bytes at the cursor as segments with host pointers.
 *  @param      writable  Which half.
 *  @param[out] segs      Filled, at most `max`; each has ptr and len.
 *  @param      max       Capacity, at least 1.
 *  @param      limit     At most so many bytes.
 *  @param[out] count     Segments filled.
 *  @return AVPS_OK; AVPS_E_UNSUPPORTED under the read/write contract; AVPS_E_NOSPACE if `max` is
 *  too small for the bytes asked for (count is then what fitted). The cursor does not move. */
AVPS_NODISCARD enum avps_status avps_chain_segments(const struct avps_chain *chain, bool writable,
                                                    struct avps_seg *segs, uint32_t max,
                                                    uint32_t limit, uint32_t *count);

/** Bytes were written behind the cursor's back through avps_chain_segments: move past them.
 *  @return AVPS_OK; AVPS_E_GUEST_SIZE if fewer are left. */
AVPS_NODISCARD enum avps_status avps_chain_wrote(struct avps_chain *chain, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
