/* SPDX-License-Identifier: BSD-3-Clause */
/** @file remote.h
 *  A transport whose register file lives elsewhere: in a VMM, a kernel or another process, which
 *  tells over a protocol of its own (vhost-user, VDUSE) what its driver did.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: whatever the far side says is as
 *  hostile as a driver's write, and checked by the same rules.
 *
 *  Order of a device's life behind it: avps_remote_init; then, again and again, guest memory
 *  (avps_remote_set_mem), features and status as a driver would write them, queues started
 *  (avps_remote_start_queue), kicks (avps_kick) and polls (avps_poll), queues stopped
 *  (avps_remote_stop_queue), avps_reset.
 */
#ifndef AVPS_REMOTE_H
#define AVPS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps/status.h"
#include "avps/vq.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of the device status, as avps_remote_write_status takes and avps_device_status gives them. */
enum avps_status_bit {
    AVPS_S_ACKNOWLEDGE = 1,  /**< The driver has seen the device. */
    AVPS_S_DRIVER = 2,       /**< It knows how to drive it. */
    AVPS_S_DRIVER_OK = 4,    /**< It drives it. */
    AVPS_S_FEATURES_OK = 8,  /**< Features are negotiated. */
    AVPS_S_SUSPEND = 16,     /**< Suspended. */
    AVPS_S_NEEDS_RESET = 64, /**< The device gave up: only a reset helps. */
    AVPS_S_FAILED = 128      /**< The driver gave up. */
};

/** How notifications leave. Called from inside avps_poll or another call of yours; none may call
 *  the library. */
struct avps_remote_ops {
    /** Used buffers of `queue` were published and the driver wants to know. Required. */
    void (*notify_queue)(void *ctx, uint16_t queue);
    /** The configuration space changed, or AVPS_S_NEEDS_RESET was set. Required. */
    void (*notify_config)(void *ctx);
    /** All notifications of this poll have been given: flush once. May be NULL. */
    void (*batch_end)(void *ctx);
    /** The device is reset, at once or after its last request came back. May be NULL. */
    void (*reset)(void *ctx);
};

/** What the embedder chooses. Copied at init; ops are borrowed. */
struct avps_remote_config {
    struct avps_device *device;        /**< Required: initialised. */
    const struct avps_remote_ops *ops; /**< Required. */
    void *ctx;                         /**< Handed to every op. */
    /** Features that the far side may serve itself. Its driver has them although they are not named
     *  to this device: what needs them is accepted all the same. For a network, CTRL_VQ: pairs of
     *  queues are then used as they are started. */
    struct avps_features elsewhere;
};

/** One device's far register file. Fields are private. */
struct avps_remote {
    struct avps_device *device;        /**< The device. */
    const struct avps_remote_ops *ops; /**< Notifications. */
    void *ctx;                         /**< Their context. */
};

/** A place in a ring. */
struct avps_remote_position {
    uint16_t idx; /**< Split: free-running index. Packed: position, below the queue's size. */
    bool wrap;    /**< Packed: wrap counter, true for a new queue. Split: true. */
};

/** A queue to be started. */
struct avps_remote_queue {
    uint32_t size;                      /**< Descriptors, any value: checked. */
    avps_gpa desc;                      /**< Descriptor area, any value. */
    avps_gpa driver;                    /**< Driver area, any value. */
    avps_gpa device;                    /**< Device area, any value. */
    struct avps_remote_position avail;  /**< Next chain to be taken. */
    struct avps_remote_position used;   /**< Next one to be returned: the same as `avail`, but for
                                             what a tracker replays. */
    const struct avps_tracker *tracker; /**< NULL: none. Borrowed until the queue is stopped. */
};

/** Put a device behind it; once per device.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if the device has a transport already. */
AVPS_NODISCARD enum avps_status avps_remote_init(struct avps_remote *remote,
                                                 const struct avps_remote_config *config);

/** Replace guest memory, also what the device's configuration named. Devices that are initialised
 *  before any guest memory is known are given operations that know no address.
 *  @param mem  An initialised handle, copied.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE while a queue is enabled. */
AVPS_NODISCARD enum avps_status avps_remote_set_mem(struct avps_remote *remote,
                                                    const struct avps_mem *mem);

/** What the device offers. */
void avps_remote_read_features(const struct avps_remote *remote, struct avps_features *set);

/** What the driver wants, all 128 bits; judged when AVPS_S_FEATURES_OK is written.
 *  @return AVPS_OK; AVPS_E_STATE after FEATURES_OK or while a reset is going on. */
AVPS_NODISCARD enum avps_status avps_remote_write_features(struct avps_remote *remote,
                                                           const struct avps_features *set);

/** The driver's write of the status register, any value; 0 resets. Read back with
 *  avps_device_status what came of it: FEATURES_OK stays clear when the features are refused. */
void avps_remote_write_status(struct avps_remote *remote, uint8_t value);

/** Queues of the device, without an administration virtqueue: no front end asks for one. */
uint16_t avps_remote_queue_count(const struct avps_remote *remote);

/** Largest queue size, in descriptors. */
uint16_t avps_remote_queue_size_max(const struct avps_remote *remote);

/** Enable a queue at a position. Chains that are there already are served at the next poll.
 *  @return AVPS_OK; AVPS_E_PARAM for an unknown queue; AVPS_E_STATE before FEATURES_OK, or if it is
 *  enabled or being reset; else what avps_vq_enable says of the values, AVPS_AGAIN and AVPS_E_IO
 *  from memory operations included: nothing is enabled then and you may try again. */
AVPS_NODISCARD enum avps_status avps_remote_start_queue(struct avps_remote *remote, uint32_t queue,
                                                        const struct avps_remote_queue *config);

/** Stop a queue for good or for a while: no chain is taken any more; when all that were taken are
 *  back, it is disabled. What the device model keeps for the queue stays and is good for a start at
 *  the position returned.
 *  @param[out] at  Where it stopped: everything before it has been returned.
 *  @return AVPS_OK; AVPS_PENDING: chains are in flight, poll and call again; AVPS_E_PARAM for an
 *  unknown queue; AVPS_E_STATE if it is not enabled. */
AVPS_NODISCARD enum avps_status avps_remote_stop_queue(struct avps_remote *remote, uint32_t queue,
                                                       struct avps_remote_position *at);

/** Whether a queue is enabled; false for an unknown one. */
bool avps_remote_queue_is_enabled(const struct avps_remote *remote, uint32_t queue);

/** Whether a queue has latched a guest fault; false for an unknown one. */
bool avps_remote_queue_has_fault(const struct avps_remote *remote, uint32_t queue);

/** Bytes of configuration space. */
uint32_t avps_remote_config_size(const struct avps_remote *remote);

/** Read configuration space; bytes outside it are 0.
 *  @param[out] bytes  `len` of them. */
void avps_remote_read_config(const struct avps_remote *remote, uint32_t off, uint8_t *bytes,
                             uint32_t len);

/** The driver's write to configuration space.
 *  @return AVPS_OK: handed to the device, which ignores what is read-only; AVPS_E_GUEST_SIZE if not
 *  all of it is inside; AVPS_E_UNSUPPORTED if the device has nothing that can be written. */
AVPS_NODISCARD enum avps_status avps_remote_write_config(struct avps_remote *remote, uint32_t off,
                                                         const uint8_t *bytes, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
