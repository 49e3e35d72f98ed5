/* SPDX-License-Identifier: BSD-3-Clause */
/** @file blk.h
 *  Block device (virtio device id 2): a disk on a back end of yours, which may answer at once or
 *  later [AVPS BLK-1].
 *
 *  Memory: the caller's; one `avps_blk_request` per request in flight. Threads: one context, or,
 *  without zones, one per queue: avps_poll_queue and avps_blk_done for queue n run in n's context
 *  and share nothing that changes; everything else needs all queues at rest. Guest: every byte of
 *  a request is read once and checked; the back end sees only ranges inside the capacity.
 *  Queues: any number up to AVPS_BLK_QUEUES, all alike.
 *
 *  What the driver is offered follows from the configuration. FLUSH, CONFIG_WCE and SEG_MAX always
 *  are; withhold them in `base.withhold` if need be.
 *
 *  Saved state (avps_save) holds the cache mode and the zones; capacity and limits are those of the
 *  configuration.
 *
 *  What a bad request gets: no status byte to write to, the device is faulted; an unknown or not
 *  negotiated type or flag, "unsupported"; anything else that is wrong, "I/O error".
 */
#ifndef AVPS_BLK_H
#define AVPS_BLK_H

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes in a sector, whatever the block size. */
#define AVPS_BLK_SECTOR 512U

/** Bytes of the identity string. */
#define AVPS_BLK_ID_BYTES 20U

/** "Every queue" for `avps_blk_ops.cancel`. */
#define AVPS_BLK_ALL_QUEUES 0xffffffffU

struct avps_blk;
struct avps_blk_request;

/* ---- what you implement ---- */

/** Operations of a back end. */
enum avps_blk_op {
    AVPS_BLK_READ,         /**< Sectors to the guest. */
    AVPS_BLK_WRITE,        /**< Sectors from the guest. */
    AVPS_BLK_FLUSH,        /**< Make all completed writes durable. No range. */
    AVPS_BLK_DISCARD,      /**< The range's content is not needed any more. A hint. */
    AVPS_BLK_WRITE_ZEROES, /**< The range reads as zeroes from now on. */
    AVPS_BLK_SECURE_ERASE  /**< Erase the range and all copies of it. */
};

/** One operation. It stays where it is until it is answered. */
struct avps_blk_io {
    enum avps_blk_op op;              /**< What to do. */
    bool fua;                         /**< Durable before it is answered (only with
                                           `avps_blk_config.fua`). */
    bool unmap;                       /**< Write zeroes: may deallocate. */
    uint16_t queue;                   /**< Queue that it came from. */
    uint32_t count;                   /**< Sectors. */
    uint64_t sector;                  /**< First sector; the range is inside the capacity. */
    uint64_t token;                   /**< Names it to avps_blk_done. */
    struct avps_blk_request *request; /**< Private. */
};

/** Wear of the medium, as the driver may ask for it. Values above the limits are reserved and are
 *  never sent. */
struct avps_blk_lifetime {
    uint16_t pre_eol_info; /**< Reserve blocks: 0 unknown, 1 normal, 2 warning, 3 urgent. */
    uint16_t estimate_a;   /**< SLC wear in tenths: 0 unknown, 1..10, 11 exceeded. */
    uint16_t estimate_b;   /**< MLC wear, likewise. */
};

struct avps_blk_zone;

/** A back end. Only `submit` is required. No op calls the library, except the avps_blk_io calls
 *  and avps_blk_done from `submit`. */
struct avps_blk_ops {
    /** Start an operation. At most one per request slot is outstanding, so a back end with
     *  `request_count` places never has to refuse.
     *  @return AVPS_OK if it is done; AVPS_PENDING: answered later with avps_blk_done;
     *  AVPS_E_UNSUPPORTED: the driver is told so; anything else: I/O error. */
    enum avps_status (*submit)(void *ctx, const struct avps_blk_io *io);
    /** Abandon what is outstanding of one queue, or of AVPS_BLK_ALL_QUEUES. NULL: nothing can be
     *  abandoned, a reset waits for the answers.
     *  @return AVPS_OK: no guest memory is touched from now on, answers are not needed;
     *  AVPS_PENDING: each will be answered with avps_blk_done, after this call. */
    enum avps_status (*cancel)(void *ctx, uint32_t queue);
    /** Wear of the medium. NULL: LIFETIME is not offered. @return AVPS_OK, else I/O error. */
    enum avps_status (*lifetime)(void *ctx, struct avps_blk_lifetime *lifetime);
    /** Zone `index` changed: to be stored with the medium. May be NULL. */
    void (*zone_changed)(void *ctx, uint32_t index, const struct avps_blk_zone *zone);
};

/* ---- configuration ---- */

/** Zoned models. */
enum avps_blk_zone_model {
    AVPS_BLK_ZONED_NONE = 0,         /**< Managed by the drive: no zones to be seen. */
    AVPS_BLK_ZONED_HOST_MANAGED = 1, /**< Conventional and write-required zones. */
    AVPS_BLK_ZONED_HOST_AWARE = 2    /**< Conventional and write-preferred zones. */
};

/** Zone types. */
enum avps_blk_zone_type {
    AVPS_BLK_ZONE_CONVENTIONAL = 1, /**< Random writes. */
    AVPS_BLK_ZONE_SEQ_REQUIRED = 2, /**< Sequential write required. */
    AVPS_BLK_ZONE_SEQ_PREFERRED = 3 /**< Sequential write preferred. */
};

/** Zone states. */
enum avps_blk_zone_state {
    AVPS_BLK_ZONE_NOT_WP = 0,        /**< Conventional: no write pointer. */
    AVPS_BLK_ZONE_EMPTY = 1,         /**< Nothing written. */
    AVPS_BLK_ZONE_IMPLICIT_OPEN = 2, /**< Opened by a write. */
    AVPS_BLK_ZONE_EXPLICIT_OPEN = 3, /**< Opened by a request. */
    AVPS_BLK_ZONE_CLOSED = 4,        /**< Partly written. */
    AVPS_BLK_ZONE_READ_ONLY = 13,    /**< Not writable any more. */
    AVPS_BLK_ZONE_FULL = 14,         /**< Written, or finished. */
    AVPS_BLK_ZONE_OFFLINE = 15       /**< Lost. */
};

/** One zone. The table is yours; the device changes it. Zone n starts at n * zone_sectors. */
struct avps_blk_zone {
    uint64_t wp;       /**< First sector not written; the zone's start for conventional ones. */
    uint32_t capacity; /**< Writable sectors, 1..size of the zone. */
    uint8_t type;      /**< enum avps_blk_zone_type. */
    uint8_t state;     /**< enum avps_blk_zone_state. */
};

/** Zones. */
struct avps_blk_zoned {
    enum avps_blk_zone_model model; /**< NONE: the fields below are ignored. */
    struct avps_blk_zone *zones;    /**< As many as cover the capacity; borrowed. Zones that are
                                         open are closed by init. */
    uint32_t zone_count;            /**< How many. */
    uint32_t zone_sectors;          /**< Size of every zone; the last one may be cut. */
    uint32_t max_open;              /**< 0: no limit. Host-aware: must be 0. */
    uint32_t max_active;            /**< 0: no limit. Host-aware: must be 0. */
    uint32_t max_append_sectors;    /**< Longest append; 0: append is not supported. */
    uint32_t write_granularity;     /**< Bytes, a multiple of 512; 0: 512. */
};

/** Disk geometry for old software. */
struct avps_blk_geometry {
    uint16_t cylinders; /**< 0: GEOMETRY is not offered. */
    uint8_t heads;      /**< Heads. */
    uint8_t sectors;    /**< Sectors per track. */
};

/** How to align accesses. All 0: TOPOLOGY is not offered. */
struct avps_blk_topology {
    uint8_t physical_block_exp; /**< log2 of logical blocks per physical block. */
    uint8_t alignment_offset;   /**< First aligned logical block. */
    uint16_t min_io_size;       /**< Smallest good access in blocks. */
    uint32_t opt_io_size;       /**< Best access in blocks. */
};

/** Limits of discard, write zeroes and secure erase. */
struct avps_blk_limits {
    uint32_t max_sectors; /**< Most sectors in a range; 0: not offered. */
    uint32_t max_ranges;  /**< Most ranges in a request, up to AVPS_BLK_RANGES; 0: that many. */
    uint32_t alignment;   /**< Good alignment in sectors (not for write zeroes). */
};

/** Configuration. */
struct avps_blk_config {
    struct avps_device_config base;     /**< Common part. Several queues: MQ is offered. */
    const struct avps_blk_ops *ops;     /**< Required; outlives the device. */
    void *ctx;                          /**< Handed to the ops. */
    struct avps_blk_request *requests;  /**< Required; queue n uses the n-th equal share. */
    uint32_t request_count;             /**< At least one per queue. */
    uint64_t capacity;                  /**< Sectors of 512 bytes. */
    uint32_t block_size;                /**< Good block size, a power of two from 512; 0: BLK_SIZE
                                             is not offered. */
    uint32_t seg_max;                   /**< Most data segments in a request, up to
                                             AVPS_BLK_SEGS - 2; 0: what fits in a slot and queue. */
    uint32_t size_max;                  /**< Most bytes in a segment; 0: SIZE_MAX not offered. */
    struct avps_blk_geometry geometry;  /**< Geometry. */
    struct avps_blk_topology topology;  /**< Topology. */
    struct avps_blk_limits discard;     /**< Discard [AVPS BLK-4]. */
    struct avps_blk_limits zeroes;      /**< Write zeroes [AVPS BLK-5]. */
    struct avps_blk_limits erase;       /**< Secure erase. */
    const struct avps_blk_zoned *zoned; /**< NULL: not a zoned device. Copied. */
    char id[AVPS_BLK_ID_BYTES];         /**< Identity, padded with NUL. */
    bool read_only;                     /**< No writes. */
    bool write_through;                 /**< Cache mode after a reset; the driver can change it. */
    bool fua;                           /**< The back end honours `fua`; else a flush follows each
                                             write that must be durable. */
    bool zeroes_may_unmap;              /**< Write zeroes may deallocate. */
};

/* ---- the device; fields are private ---- */

/** Counters of one queue of a block device. */
struct avps_blk_counters {
    uint64_t reads;           /**< Read requests answered well. */
    uint64_t writes;          /**< Writes and appends. */
    uint64_t flushes;         /**< Flush requests. */
    uint64_t ranges;          /**< Discard, write zeroes and secure erase requests. */
    uint64_t others;          /**< Identity, lifetime and zone requests. */
    uint64_t sectors_read;    /**< Sectors read. */
    uint64_t sectors_written; /**< Sectors written. */
    uint64_t io_errors;       /**< Requests answered "I/O error". */
    uint64_t unsupported;     /**< Requests answered "unsupported". */
    uint64_t zone_errors;     /**< Requests answered with a zone error. */
    uint64_t late;            /**< Answers of the back end that named no outstanding operation. */
};

/** One range of a request. */
struct avps_blk_range {
    uint64_t sector; /**< First. */
    uint32_t count;  /**< Sectors left. */
    bool unmap;      /**< May deallocate. */
};

/** Storage of a request in flight. */
struct avps_blk_request {
    struct avps_request base;                      /**< For the queue. */
    struct avps_seg segs[AVPS_BLK_SEGS];           /**< The chain's segments. */
    struct avps_blk_io io;                         /**< Operation outstanding. */
    struct avps_blk_range ranges[AVPS_BLK_RANGES]; /**< What is left to do. */
    uint64_t append_sector;                        /**< Where an append went. */
    uint32_t type;                                 /**< Request type. */
    uint32_t sectors;                              /**< Sectors moved. */
    uint32_t generation;                           /**< Of the operation. */
    uint32_t io_left;                              /**< Bytes the operation may still move. */
    enum avps_status answer;                       /**< Given inside submit. */
    uint8_t op;                                    /**< Operation for the ranges. */
    uint8_t state;                                 /**< Of the operation. */
    uint8_t range_count;                           /**< Ranges. */
    uint8_t range_next;                            /**< The one to go on with. */
    bool zero_copy;                                /**< The back end has the segments. */
    bool flush;                                    /**< A flush is to come. */
    bool fua;                                      /**< Operations carry FUA. */
};

/** What belongs to one queue. */
struct avps_blk_lane {
    uint32_t next;                     /**< Where to look for a free slot. */
    struct avps_blk_counters counters; /**< Counters. */
};

/** A block device. */
struct avps_blk {
    struct avps_device base;                     /**< The device. */
    const struct avps_blk_ops *ops;              /**< Back end. */
    void *ctx;                                   /**< Its context. */
    struct avps_blk_request *requests;           /**< Slots. */
    uint32_t lane_slots;                         /**< Slots per queue. */
    uint32_t block_size;                         /**< As configured. */
    uint32_t seg_max;                            /**< As offered. */
    uint32_t size_max;                           /**< As configured. */
    uint64_t capacity;                           /**< Sectors. */
    struct avps_blk_geometry geometry;           /**< As configured. */
    struct avps_blk_topology topology;           /**< As configured. */
    struct avps_blk_limits discard;              /**< As configured. */
    struct avps_blk_limits zeroes;               /**< As configured. */
    struct avps_blk_limits erase;                /**< As configured. */
    struct avps_blk_zoned zoned;                 /**< Zones; zone_count 0 without. */
    uint32_t open_zones;                         /**< Open, of either kind. */
    uint32_t active_zones;                       /**< Open or closed. */
    char id[AVPS_BLK_ID_BYTES];                  /**< Identity. */
    bool read_only;                              /**< As configured. */
    bool write_through;                          /**< After a reset. */
    bool fua;                                    /**< As configured. */
    bool zeroes_may_unmap;                       /**< As configured or set. */
    atomic_uchar writeback;                      /**< What the driver wrote: 0, 1, or nothing. */
    struct avps_blk_lane lanes[AVPS_BLK_QUEUES]; /**< Per queue. */
};

/* ---- what you call ---- */

/** Initialise.
 *  @return AVPS_OK; AVPS_E_PARAM: something required is missing, a limit is out of range, or the
 *  zone table does not fit the capacity or contradicts itself. */
AVPS_NODISCARD enum avps_status avps_blk_init(struct avps_blk *blk,
                                              const struct avps_blk_config *config);

/** Answer an operation that `submit` left pending, in its queue's context. An answer that names no
 *  outstanding operation (late after a reset, or given twice) is counted, reported as
 *  AVPS_EVENT_LATE_COMPLETION and dropped.
 *  @param status  As from `submit`. */
void avps_blk_done(struct avps_blk *blk, uint64_t token, enum avps_status status);

/** Change the capacity and tell the driver [AVPS BLK-1]. Requests accepted before keep their range.
 *  @return AVPS_OK; AVPS_E_UNSUPPORTED for a device with zones. */
AVPS_NODISCARD enum avps_status avps_blk_set_capacity(struct avps_blk *blk, uint64_t sectors);

/** Change whether write zeroes may deallocate, and tell the driver. */
void avps_blk_set_zeroes_may_unmap(struct avps_blk *blk, bool may_unmap);

/** A zone failed: make it read-only or offline.
 *  @return AVPS_OK; AVPS_E_PARAM for an unknown zone, a conventional one, or another state;
 *  AVPS_E_STATE for a zone that is offline already. */
AVPS_NODISCARD enum avps_status avps_blk_fail_zone(struct avps_blk *blk, uint32_t index,
                                                   enum avps_blk_zone_state state);

/** Whether completed writes may still be volatile: the cache mode now in force. */
bool avps_blk_is_writeback(const struct avps_blk *blk);

/** Counters of a queue. @return NULL for an unknown queue. */
const struct avps_blk_counters *avps_blk_counters(const struct avps_blk *blk, uint16_t queue);

/** Zero copy: the operation's data as host segments, valid until it is answered.
 *  @param[out] segs   Filled with at most `max`.
 *  @param[out] count  How many.
 *  @return AVPS_OK; AVPS_E_UNSUPPORTED when guest memory can only be copied; AVPS_E_NOSPACE if
 *  `max` is too small (use AVPS_BLK_SEGS); AVPS_E_STATE if the operation is not outstanding. */
AVPS_NODISCARD enum avps_status avps_blk_io_segments(const struct avps_blk_io *io,
                                                     struct avps_seg *segs, uint32_t max,
                                                     uint32_t *count);

/** AVPS_BLK_WRITE: copy the next `len` bytes from the guest. Works with every kind of memory.
 *  @return AVPS_OK; AVPS_E_PARAM if fewer bytes are left; AVPS_E_STATE if the operation is not
 *  an outstanding write; a guest fault or AVPS_E_IO from guest memory. */
AVPS_NODISCARD enum avps_status avps_blk_io_read(const struct avps_blk_io *io, void *dst,
                                                 uint32_t len);

/** AVPS_BLK_READ: copy the next `len` bytes to the guest. Like avps_blk_io_read. */
AVPS_NODISCARD enum avps_status avps_blk_io_write(const struct avps_blk_io *io, const void *src,
                                                  uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
