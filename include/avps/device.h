/* SPDX-License-Identifier: BSD-3-Clause */
/** @file device.h
 *  What every device has in common: configuration, life cycle, polling, counters, saved state.
 *
 *  Memory: the caller's; nothing is allocated. Threads: one context at a time per device, except
 *  avps_kick, which any context may call; avps_poll_queue may run on one CPU per queue for devices
 *  whose header says so. Guest: reaches a device only through a transport (mmio.h) and its queues.
 *
 *  A device's life: `avps_<name>_init`, a transport's init, then `avps_kick` for doorbells and
 *  `avps_poll` whenever there is work.
 */
#ifndef AVPS_DEVICE_H
#define AVPS_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/atomic.h"
#include "avps/config.h"
#include "avps/mem.h"
#include "avps/port.h"
#include "avps/status.h"
#include "avps/vq.h"

#ifdef __cplusplus
extern "C" {
#endif

struct avps_admin;
struct avps_device;
struct avps_device_ops;
struct avps_transport_ops;

/** A set of feature bits, 0..127. */
struct avps_features {
    uint32_t word[4]; /**< Bit n is bit n % 32 of word n / 32. */
};

/** Device-independent feature bits, for `avps_device_config.withhold` and reports. */
enum avps_feature_bit {
    AVPS_F_INDIRECT_DESC = 28,     /**< Indirect descriptors. */
    AVPS_F_EVENT_IDX = 29,         /**< Notification suppression by index. */
    AVPS_F_VERSION_1 = 32,         /**< Always offered, always required. */
    AVPS_F_ACCESS_PLATFORM = 33,   /**< Addresses are translated or restricted by the platform. */
    AVPS_F_RING_PACKED = 34,       /**< Packed virtqueues. */
    AVPS_F_IN_ORDER = 35,          /**< Buffers are used in the order made available. */
    AVPS_F_ORDER_PLATFORM = 36,    /**< Platform memory ordering. */
    AVPS_F_NOTIFICATION_DATA = 38, /**< Extra data in doorbells. */
    AVPS_F_NOTIF_CONFIG_DATA = 39, /**< Doorbells carry what the device asks for; PCI only. */
    AVPS_F_RING_RESET = 40,        /**< Single queues can be reset. */
    AVPS_F_ADMIN_VQ = 41,          /**< Administration virtqueue; PCI only. */
    AVPS_F_SUSPEND = 43            /**< Device suspend. */
};

/** Whether bit `n` (0..127) is in the set; false above. */
static inline bool avps_features_has(const struct avps_features *set, unsigned int n)
{
    return n < 128U && ((set->word[n / 32U] >> (n % 32U)) & 1U) != 0U;
}

/** Add bit `n` (0..127) to the set; others are ignored. */
static inline void avps_features_add(struct avps_features *set, unsigned int n)
{
    if (n < 128U) {
        set->word[n / 32U] |= (uint32_t)1 << (n % 32U);
    }
}

/** Take bit `n` (0..127) out of the set. */
static inline void avps_features_remove(struct avps_features *set, unsigned int n)
{
    if (n < 128U) {
        set->word[n / 32U] &= ~((uint32_t)1 << (n % 32U));
    }
}

/** Classes of guest faults, for counters. */
enum avps_fault_class {
    AVPS_FAULT_ADDR,     /**< Outside guest memory. */
    AVPS_FAULT_ACCESS,   /**< Access not allowed. */
    AVPS_FAULT_DESC,     /**< Malformed ring, descriptor or chain. */
    AVPS_FAULT_SIZE,     /**< Wrong buffer sizes. */
    AVPS_FAULT_PROTOCOL, /**< Invalid request. */
    AVPS_FAULT_CLASSES   /**< How many classes there are. */
};

/** Counters of one queue; they run on through resets. One ABI for every device and port. */
struct avps_queue_counters {
    uint64_t kicks;       /**< Doorbells that reached the queue while it was live. */
    uint64_t chains;      /**< Chains taken. */
    uint64_t used;        /**< Chains returned. */
    uint64_t interrupts;  /**< Used buffer notifications sent. */
    uint64_t bytes_read;  /**< Readable bytes in chains taken. */
    uint64_t written;     /**< Bytes reported in used lengths. */
    uint64_t late;        /**< Completions that came after a reset and were dropped. */
    uint64_t port_errors; /**< Port or back end failures seen by the queue. */
};

/** Counters of a device. */
struct avps_device_counters {
    uint64_t resets;                     /**< Driver resets. */
    uint64_t negotiations;               /**< FEATURES_OK accepted. */
    uint64_t refusals;                   /**< FEATURES_OK refused. */
    uint64_t config_interrupts;          /**< Configuration change notifications sent. */
    uint64_t bad_accesses;               /**< Register accesses that the transport dropped. */
    uint64_t spurious_kicks;             /**< Doorbells for queues that are not live. */
    uint64_t faults[AVPS_FAULT_CLASSES]; /**< Guest faults by class. */
    uint64_t needs_reset;                /**< Times DEVICE_NEEDS_RESET was set. */
};

/** The register file of one queue: what the driver wrote. Not the activated queue. Private. */
struct avps_queue_regs {
    uint32_t size;     /**< Queue size. */
    avps_gpa desc;     /**< Descriptor area. */
    avps_gpa driver;   /**< Driver area. */
    avps_gpa device;   /**< Device area. */
    bool resetting;    /**< A queue reset waits for requests in flight. */
    bool starting;     /**< Enabled by the driver; its areas cannot be reached yet. */
    bool stopping;     /**< A stop waits for them. */
    bool stopped;      /**< Stopped at `stop_idx`, with what belongs to the queue kept. */
    bool stop_wrap;    /**< Packed: wrap counter there. */
    uint16_t stop_idx; /**< Available index or position there, or where it is to start. */
};

/** An asynchronous request: a chain that the device keeps. Private; the storage is the caller's. */
struct avps_request {
    struct avps_chain chain;   /**< The chain. */
    struct avps_request *next; /**< Next in flight on the same queue, in order of availability. */
    uint32_t generation;       /**< Counts its uses: a late completion is recognised by it. */
    uint16_t queue;            /**< Queue index. */
    bool busy;                 /**< In flight. */
    bool done;                 /**< Completed, waits for its turn (IN_ORDER). */
};

/** What an event without a message-signalled interrupt is mapped to. */
#define AVPS_NO_VECTOR 0xffffU

/** One virtqueue of a device. Private; the storage is the caller's. */
struct avps_queue {
    struct avps_queue_regs regs;         /**< What the driver wrote. */
    struct avps_mem mem;                 /**< Its own handle: queues share nothing that changes. */
    struct avps_vq vq;                   /**< The activated queue. */
    atomic_uint kicked;                  /**< 1: work may be there. A word: it is exchanged, which
                                              RISC-V cannot do with a byte. */
    atomic_uint kicks;                   /**< Doorbells not yet counted. */
    atomic_uint vector;                  /**< MSI-X vector, or AVPS_NO_VECTOR; PCI only. */
    struct avps_request *first;          /**< Oldest request in flight. */
    struct avps_request *last;           /**< Newest. */
    struct avps_queue_counters counters; /**< Counters. */
    struct avps_chain scratch;           /**< Chain of the request being served. */
    struct avps_seg segs[AVPS_CHAIN_SEGS]; /**< Its segments. */
};

/** What is common in every device's configuration. Copied at init; pointers are borrowed. */
struct avps_device_config {
    const struct avps_mem *mem;    /**< Required: an initialised handle, copied. That of a bounce
                                        window or an IOTLB needs `access_platform`. */
    const struct avps_port *port;  /**< NULL: no events, no clock. Copied. */
    struct avps_queue *queues;     /**< Required: storage for `queue_count` queues, and one more
                                        behind them with `admin`. */
    uint16_t queue_count;          /**< As the device's header says. */
    uint16_t queue_size_max;       /**< Largest size a driver may choose: a power of two from
                                        2 to AVPS_QUEUE_SIZE_MAX. */
    struct avps_features withhold; /**< Features not to offer, e.g. AVPS_F_RING_PACKED; VERSION_1
                                        cannot be withheld. */
    bool access_platform;          /**< Offer and require ACCESS_PLATFORM [feat-1.3]. */
    bool order_platform;           /**< Offer ORDER_PLATFORM. */
    struct avps_admin *admin;      /**< NULL: no administration virtqueue; see admin.h. Borrowed. */
};

/** Largest configuration space of a device, in bytes. */
#define AVPS_CONFIG_SPACE_MAX 128U

/** Base of every device; embedded as the member `base`. Fields are private. */
struct avps_device {
    const struct avps_device_ops *ops;          /**< The device model. */
    const struct avps_transport_ops *transport; /**< How notifications leave. */
    void *transport_ctx;                        /**< The transport. */
    struct avps_mem mem;                        /**< Guest memory. */
    struct avps_port port;                      /**< Port. */
    struct avps_admin *admin;                   /**< Of the administration virtqueue, or NULL. */
    struct avps_queue *queues;                  /**< Queues. */
    uint16_t queue_count;                       /**< How many, the administration virtqueue too. */
    uint16_t model_queues;                      /**< How many without it. */
    uint16_t queue_size_max;                    /**< Largest size. */
    uint8_t status;                             /**< Device status. */
    bool suspending;                            /**< SUSPEND waits for requests in flight. */
    bool resetting;                             /**< A reset waits for requests in flight. */
    bool paused;                                /**< avps_quiesce was called. */
    bool polled;                                /**< avps_poll_always was called. */
    bool held;                                  /**< The transport lets no chain be taken. */
    bool config_pending;                        /**< A notification is owed after resume. */
    bool in_poll;                               /**< Re-entry guard. */
    bool again;                                 /**< A queue was asked for during the poll. */
    bool access_required;                       /**< ACCESS_PLATFORM must be accepted. */
    uint32_t config_generation;                 /**< Configuration generation. */
    uint32_t reset_generation;                  /**< Resets so far. */
    atomic_uint spurious;                  /**< Doorbells of unknown queues, not yet counted. */
    struct avps_features withheld;         /**< Not to be offered. */
    struct avps_features offered;          /**< Offered to the driver. */
    struct avps_features elsewhere;        /**< Of these, what the transport's far side serves. */
    struct avps_features wanted;           /**< Written by the driver, not yet accepted. */
    struct avps_features accepted;         /**< Latched at FEATURES_OK. */
    struct avps_device_counters counters;  /**< Counters. */
    uint8_t frozen[AVPS_CONFIG_SPACE_MAX]; /**< What the driver reads while suspended. */
};

/** What a poll left behind. */
enum avps_poll_result {
    AVPS_POLL_IDLE,   /**< Nothing to do until a kick or a wake. */
    AVPS_POLL_MORE,   /**< The budget ran out: call again. */
    AVPS_POLL_PENDING /**< Requests are in flight in a back end, and a wake will come; or your memory
                           ops answered AVPS_AGAIN or AVPS_E_IO, for a chain or for the areas of a
                           queue that was enabled: poll again when they can do more. */
};

/** A doorbell rang. O(1), lock-free, calls nothing: any context, any CPU, also an interrupt.
 *  Follow it with avps_poll in the device's context. Unknown queues are counted and ignored
 *  [split-6.5].
 *  @param queue      Queue index, any value.
 *  @param notif_data next_off and next_wrap of NOTIFICATION_DATA, or 0; a hint, never an index. */
void avps_kick(struct avps_device *dev, uint32_t queue, uint16_t notif_data);

/** Serve all queues.
 *  @param budget  Chains per queue at most, at least 1; the device bounds the work per chain.
 *  @return What remains. IDLE for a device that is not live. */
enum avps_poll_result avps_poll(struct avps_device *dev, uint32_t budget);

/** Serve one queue; for devices that allow one CPU per queue. Like avps_poll. Device counters and the
 *  one interrupt of an MMIO window are shared: with that transport, or where faults must be counted
 *  exactly, let one CPU at a time poll the device. */
enum avps_poll_result avps_poll_queue(struct avps_device *dev, uint16_t queue, uint32_t budget);

/** Poll mode: you call avps_poll all the time, kick or no kick. Every poll then looks at every live
 *  queue, and drivers are asked not to kick. Device context.
 *  @param on  false: kicks are asked for again; poll once more afterwards. */
void avps_poll_always(struct avps_device *dev, bool on);

/** Whether a poll would find something to do; any context. */
bool avps_has_work(const struct avps_device *dev);

/** Reset as the driver would; for guest reboot. Device context. Requests in flight are cancelled in
 *  the back end: once the reset is complete no guest memory is touched any more.
 *  @return AVPS_OK; AVPS_PENDING if a back end could not cancel at once: the reset completes with
 *  its last completion, until then the driver reads a status other than 0. */
enum avps_status avps_reset(struct avps_device *dev);

/** Stop taking chains and wait for those in flight, before avps_save. Undo with avps_resume.
 *  @return AVPS_OK when nothing is in flight; AVPS_PENDING: poll and call again. */
AVPS_NODISCARD enum avps_status avps_quiesce(struct avps_device *dev);

/** Take chains again after avps_quiesce. Device context; poll afterwards. */
void avps_resume(struct avps_device *dev);

/** Write the device's state: versioned, little-endian, the same on every host.
 *  @param[out] buffer  May be NULL to ask for the size. @param size  Bytes there.
 *  @param[out] used    Bytes written, or needed.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if requests are in flight; AVPS_E_NOSPACE. */
AVPS_NODISCARD enum avps_status avps_save(struct avps_device *dev, void *buffer, size_t size,
                                          size_t *used);

/** Restore a state into a freshly initialised device of the same kind and configuration, with its
 *  transport attached. The state is treated as hostile: every field is checked as a driver's write
 *  would be.
 *  @return AVPS_OK; AVPS_E_PARAM if it is malformed, of another device, or asks for what this one
 *  does not offer: the device is then reset; AVPS_E_STATE if it is in use. */
AVPS_NODISCARD enum avps_status avps_load(struct avps_device *dev, const void *buffer, size_t size);

/** Device id as the driver sees it (virtio device type). */
uint32_t avps_device_id(const struct avps_device *dev);

/** Device status as the driver sees it. */
uint8_t avps_device_status(const struct avps_device *dev);

/** Features offered to the driver: what it can see in the transport's registers. Those that depend on
 *  the transport are there once it is attached. */
const struct avps_features *avps_device_offered(const struct avps_device *dev);

/** Features accepted by the driver; all zero before FEATURES_OK. */
const struct avps_features *avps_device_features(const struct avps_device *dev);

/** Counters of the device; valid as long as it is. */
const struct avps_device_counters *avps_device_counters(const struct avps_device *dev);

/** Counters of a queue. @return NULL for an unknown queue. */
const struct avps_queue_counters *avps_queue_counters(const struct avps_device *dev,
                                                      uint16_t queue);

#ifdef __cplusplus
}
#endif
#endif
