/* SPDX-License-Identifier: BSD-3-Clause */
/* What a device model and a transport see of the device core. A model fills one `avps_device_ops`;
 * the status machine, negotiation, the queue loop, resets and saved state are written once, in
 * device.c. */
#ifndef AVPS_DEVICE_INTERNAL_H
#define AVPS_DEVICE_INTERNAL_H

#include <string.h>

#include "avps/admin.h"
#include "avps/device.h"
#include "devices/state.h"
#include "virtqueue/wire.h"

#define VIRTIO_STATUS_ACKNOWLEDGE 1U
#define VIRTIO_STATUS_DRIVER      2U
#define VIRTIO_STATUS_DRIVER_OK   4U
#define VIRTIO_STATUS_FEATURES_OK 8U
#define VIRTIO_STATUS_SUSPEND     16U
#define VIRTIO_STATUS_NEEDS_RESET 64U
#define VIRTIO_STATUS_FAILED      128U

#define AVPS_ALL_QUEUES 0xffffffffU

/* ---- administration commands ---- */

/* How a command ended; admin.c has the status and qualifier of each. */
enum avps_admin_result {
    AVPS_ADMIN_OK,
    AVPS_ADMIN_NO_SUCH,    /* no such capability or object */
    AVPS_ADMIN_BUSY,       /* other objects depend on it */
    AVPS_ADMIN_EXISTS,     /* the id is taken */
    AVPS_ADMIN_NO_SPACE,   /* beyond a limit */
    AVPS_ADMIN_BAD_FIELD,  /* the data make no sense */
    AVPS_ADMIN_BAD_OPCODE, /* not a command that the driver may use now */
    AVPS_ADMIN_BAD_GROUP,
    AVPS_ADMIN_BAD_MEMBER
};

/* A resource object as a command names it. `bytes` are private, `len` of them are there, at least
 * `room` may be read: behind `len` they are 0 [admin-2.1]. */
struct avps_admin_object {
    uint16_t type;
    uint32_t id;
    uint64_t flags;
    const uint8_t *bytes;
    uint32_t len;
    uint32_t room;
};

/* What a command gives back: `bytes` of AVPS_ADMIN_DATA_MAX, all 0 before; the model sets `len`. */
struct avps_admin_out {
    uint8_t *bytes;
    uint32_t len;
};

/* Capabilities and resource objects of a device model. Whatever does not end with AVPS_ADMIN_OK has
 * changed nothing [admin-1.7] [admin-1.8]. */
struct avps_admin_model {
    const uint16_t *caps; /* ids, ascending */
    size_t cap_count;
    enum avps_admin_result (*cap_get)(const struct avps_device *dev, uint16_t id,
                                      struct avps_admin_out *out);
    enum avps_admin_result (*cap_set)(struct avps_device *dev, uint16_t id, const uint8_t *bytes,
                                      uint32_t room);
    enum avps_admin_result (*create)(struct avps_device *dev,
                                     const struct avps_admin_object *object);
    enum avps_admin_result (*modify)(struct avps_device *dev,
                                     const struct avps_admin_object *object);
    enum avps_admin_result (*query)(const struct avps_device *dev, uint16_t type, uint32_t id,
                                    struct avps_admin_out *out);
    enum avps_admin_result (*destroy)(struct avps_device *dev, uint16_t type, uint32_t id);
};

/* How the core serves an administration virtqueue; a table, so that a product without one links none
 * of it. */
struct avps_admin_ops {
    enum avps_status (*request)(struct avps_device *dev, struct avps_chain *chain);
    void (*reset)(struct avps_device *dev);
    void (*save)(struct avps_device *dev, struct avps_state *state);
    void (*load)(struct avps_device *dev, struct avps_state *state);
};

/* ---- a device model ---- */

enum avps_feature_flags {
    AVPS_FEATURE_OFFERED = 0, /* the driver may accept it */
    AVPS_FEATURE_REQUIRED = 1 /* FEATURES_OK is refused without it */
};

/* One row of a device's feature table. `needs`: bit + 1 that must come with it, 0 for none;
 * `any`: bits + 1 of which one must, when any[0] is not 0. */
struct avps_feature {
    uint8_t bit;
    uint8_t flags;
    uint8_t needs;
    uint8_t any[2];
};

#define AVPS_FEATURE(bit, flags)                                                                   \
    {                                                                                              \
        (bit), (flags), 0,                                                                         \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define AVPS_FEATURE_NEEDS(bit, flags, needs)                                                      \
    {                                                                                              \
        (bit), (flags), (needs) + 1,                                                               \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define AVPS_FEATURE_NEEDS_ANY(bit, flags, a, b)                                                   \
    {                                                                                              \
        (bit), (flags), 0,                                                                         \
        {                                                                                          \
            (a) + 1, (b) + 1                                                                       \
        }                                                                                          \
    }
#define AVPS_FEATURE_NEEDS_AND_ANY(bit, flags, needs, a, b)                                        \
    {                                                                                              \
        (bit), (flags), (needs) + 1,                                                               \
        {                                                                                          \
            (a) + 1, (b) + 1                                                                       \
        }                                                                                          \
    }

enum avps_queue_kind {
    AVPS_QUEUE_REQUEST, /* chains are taken by the queue loop and handed to `request` */
    AVPS_QUEUE_SUPPLY,  /* buffers for the device: taken when it has something; `supply` says so */
    AVPS_QUEUE_BURST    /* requests that the model takes itself, many at once, in `burst` */
};

/* The const description of a device model. Optional members may be NULL. */
struct avps_device_ops {
    uint32_t device_id;
    uint32_t config_size; /* bytes of configuration space, <= AVPS_CONFIG_SPACE_MAX */
    const struct avps_feature *features; /* its own bits */
    size_t feature_count;

    /* Kind of a queue; NULL: all are AVPS_QUEUE_REQUEST. */
    enum avps_queue_kind (*queue_kind)(const struct avps_device *dev, uint16_t queue);
    /* Fill the whole configuration image (config_size bytes, zeroed before). */
    void (*config_get)(const struct avps_device *dev, uint8_t *image);
    /* The driver wrote `len` bytes at `off`, inside the space. NULL: read-only. */
    void (*config_put)(struct avps_device *dev, uint32_t off, const uint8_t *bytes, uint32_t len);
    /* May refuse a negotiated set beyond what the table says. NULL: accept. */
    bool (*features_ok)(const struct avps_device *dev, const struct avps_features *set);
    /* DRIVER_OK was set, or a state loaded: features are final. */
    void (*activate)(struct avps_device *dev);
    /* Storage for the next request of an asynchronous device. NULL op: the queue's own chain.
     * NULL result: none free, the queue waits for a completion. */
    struct avps_request *(*get_request)(struct avps_device *dev, uint16_t queue);
    /* Serve one chain.
     *  AVPS_OK      answered: it is returned with chain->written bytes.
     *  AVPS_PENDING kept; avps_device_complete returns it (only from get_request's storage).
     *  AVPS_AGAIN   nothing done: it is put back, the queue waits for avps_device_retry.
     *  guest fault  unanswerable: the device is faulted.
     *  other        host fault: counted, returned with what was written. */
    enum avps_status (*request)(struct avps_device *dev, uint16_t queue, struct avps_chain *chain);
    /* A supply queue has been kicked. */
    void (*supply)(struct avps_device *dev, uint16_t queue);
    /* Take, serve, push and arm a burst queue; at most `*budget` chains, which are subtracted.
     * Returns whether chains may be left. */
    bool (*burst)(struct avps_device *dev, uint16_t queue, uint32_t *budget);
    /* Background work at every poll; returns whether there is more. */
    bool (*work)(struct avps_device *dev, uint32_t budget);
    /* Abandon requests in flight of one queue, or AVPS_ALL_QUEUES.
     *  AVPS_OK: no buffer is touched from now on; AVPS_PENDING: each will be completed. */
    enum avps_status (*cancel)(struct avps_device *dev, uint32_t queue);
    /* Forget everything that the driver said. Called after queues are stopped. */
    void (*reset)(struct avps_device *dev);
    /* Forget what belongs to one queue. */
    void (*queue_reset)(struct avps_device *dev, uint16_t queue);
    /* State of its own. A load marks `state->failed` for anything it does not accept. */
    void (*save)(struct avps_device *dev, struct avps_state *state);
    void (*load)(struct avps_device *dev, struct avps_state *state);
    /* Capabilities and objects that this instance has; NULL op or result: none. */
    const struct avps_admin_model *(*admin)(const struct avps_device *dev);
};

/* What every init does first. `offer`: the model's own bits that this configuration can serve;
 * bits whose needs are not offered are left out [core-2.1]. Checks `config` and the counts. */
enum avps_status avps_device_init(struct avps_device *dev, const struct avps_device_ops *ops,
                                  const struct avps_device_config *config,
                                  const struct avps_features *offer);

/* Whether chains may be taken and notifications sent. */
bool avps_device_is_live(const struct avps_device *dev);

/* Whether chains may be taken from live queues now. */
static inline bool avps_device_is_taking(const struct avps_device *dev)
{
    return !dev->paused && !dev->held;
}

/* Whether the driver accepted a feature. */
static inline bool avps_device_has(const struct avps_device *dev, unsigned int bit)
{
    return avps_features_has(&dev->accepted, bit);
}

/* Whether a queue is the administration virtqueue, which no model sees. */
static inline bool avps_device_queue_is_admin(const struct avps_device *dev, uint16_t queue)
{
    return queue == dev->model_queues;
}

/* The guest broke the protocol: latch DEVICE_NEEDS_RESET [core-1.2] [core-1.3]. */
void avps_device_fault(struct avps_device *dev, enum avps_status status);

/* The configuration changed: generation, notification. */
void avps_device_config_changed(struct avps_device *dev);

/* Return an asynchronous request's chain. Drops nothing: the caller has checked that it is its own
 * and current. Wakes the embedder when called outside a poll. */
void avps_device_complete(struct avps_device *dev, struct avps_request *request);

/* Give an asynchronous request up because its answer cannot be written: not returned, the queue
 * latched, the device faulted. From inside `request`: return AVPS_PENDING afterwards. */
void avps_device_abandon(struct avps_device *dev, struct avps_request *request,
                         enum avps_status status);

/* Look at a queue again at the next poll; wakes the embedder when called outside a poll. */
void avps_device_retry(struct avps_device *dev, uint16_t queue);
/* The same at the next poll, whenever that is: memory said AVPS_AGAIN or AVPS_E_IO, and the embedder
 * knows when it can do more. A poll says AVPS_POLL_PENDING, so that nobody loops over it. */
void avps_device_wait(struct avps_device *dev, uint16_t queue);

/* Look at every enabled queue at the next poll. */
void avps_device_kick_all(struct avps_device *dev);

/* Whether a queue is live: enabled by the driver, on a live device, without a fault. */
bool avps_device_queue_is_live(const struct avps_device *dev, uint16_t queue);

/* Supply queues: take and return chains on the device's own account.
 *  pop: AVPS_OK; AVPS_EMPTY also when the queue is not live; faults are latched here. */
enum avps_status avps_device_pop(struct avps_device *dev, uint16_t index, struct avps_chain *chain);
void avps_device_unpop(struct avps_device *dev, uint16_t index, struct avps_chain *chain);
void avps_device_push(struct avps_device *dev, uint16_t index, struct avps_chain *chain);
/* The same for many at once: chains[0 .. *count) were taken, whatever pop_burst returns. */
enum avps_status avps_device_pop_burst(struct avps_device *dev, uint16_t index,
                                       struct avps_chain *chains, uint32_t max, uint32_t *count);
void avps_device_push_burst(struct avps_device *dev, uint16_t index, struct avps_chain *chains,
                            uint32_t count);
/* The same for plain chains (vq_internal.h). take: how many, 0 also when the queue is not live. */
uint32_t avps_device_take_plain(struct avps_device *dev, uint16_t index, enum avps_access access,
                                struct avps_plain *plain, uint32_t max);
void avps_device_give_plain(struct avps_device *dev, uint16_t index, const struct avps_plain *plain,
                            uint32_t count);
void avps_device_put_back_plain(struct avps_device *dev, uint16_t index, enum avps_access access,
                                const struct avps_plain *plain, uint32_t count);
/* A chain that cannot be served is the guest's fault: dropped, the queue latched, the device
 * faulted. */
void avps_device_refuse(struct avps_device *dev, uint16_t index, struct avps_chain *chain,
                        enum avps_status status);
/* Publish what was pushed and send the notification that the driver wants. */
void avps_device_flush(struct avps_device *dev, uint16_t index);
/* Its two halves, for a model that holds notifications back. publish: whether one is due. */
bool avps_device_publish(struct avps_device *dev, uint16_t index);
void avps_device_notify(struct avps_device *dev, uint16_t index);
/* Ask for kicks on a supply queue that ran dry. @return true if buffers came in meanwhile. */
bool avps_device_starve(struct avps_device *dev, uint16_t index);

/* A chain of a supply queue, or why there is none; kicks are asked for when it is dry, and memory that
 * is busy or fails is tried again later. */
enum avps_status avps_device_take_supply(struct avps_device *dev, uint16_t index,
                                         struct avps_chain *chain);
/* End of writing to it: returned, or put back when nothing was written; `status` is how writing
 * ended, and the result. */
enum avps_status avps_device_give_supply(struct avps_device *dev, uint16_t index,
                                         struct avps_chain *chain, enum avps_status status);

/* Finish a reset, queue reset or suspend that waited for requests in flight. */
void avps_device_settle(struct avps_device *dev);

/* Keep the configuration as it is now for a suspended device's driver to read. */
void avps_device_freeze_config(struct avps_device *dev);

/* What the register file asks for, with a new queue's position. */
struct avps_vq_config avps_device_queue_config(const struct avps_device *dev,
                                               const struct avps_queue_regs *regs);

/* Activate a queue from a checked configuration; a load resumes with it at a position. */
enum avps_status avps_device_start_queue(struct avps_device *dev, uint16_t index,
                                         const struct avps_vq_config *config);

/* Coded event to the embedder. */
void avps_device_event(const struct avps_device *dev, enum avps_event code, uint64_t a, uint64_t b);

/* Monotonic time, 0 without a clock. */
static inline uint64_t avps_device_now_ns(const struct avps_device *dev)
{
    return dev->port.sys != NULL && dev->port.sys->now_ns != NULL
               ? dev->port.sys->now_ns(dev->port.sys_ctx)
               : 0U;
}

/* ---- a transport ---- */

struct avps_transport_ops {
    void (*notify_queue)(void *ctx, uint16_t queue);
    void (*notify_config)(void *ctx);
    void (*batch_end)(void *ctx);
    void (*reset)(void *ctx); /* interrupt state back to none */
};

/* Attach; AVPS_E_STATE if there is one. */
enum avps_status avps_device_attach(struct avps_device *dev, const struct avps_transport_ops *ops,
                                    void *ctx);

/* Offer a feature that the transport carries, unless it is withheld; before the driver can look. */
void avps_device_offer(struct avps_device *dev, unsigned int bit);

/* Take no chains as long as `held`; what is in flight goes on. */
void avps_device_hold(struct avps_device *dev, bool held);

/* The status register as the driver reads it: not 0 while a reset is going on. */
/*@ requires \valid_read(dev);
  @ assigns \nothing;
  @ ensures \result == dev->status; */
uint8_t avps_device_read_status(const struct avps_device *dev);
void avps_device_write_status(struct avps_device *dev, uint32_t value);
/*@ requires \valid_read(dev);
  @ assigns \nothing;
  @ ensures selector < 4 ==> \result == dev->offered.word[selector];
  @ ensures selector >= 4 ==> \result == 0; */
uint32_t avps_device_offered_word(const struct avps_device *dev, uint32_t selector);
/*@ requires \valid_read(dev);
  @ assigns \nothing;
  @ ensures selector < 4 ==> \result == dev->wanted.word[selector];
  @ ensures selector >= 4 ==> \result == 0; */
uint32_t avps_device_wanted_word(const struct avps_device *dev, uint32_t selector);
/*@ requires \valid(dev);
  @ assigns dev->wanted.word[0 .. 3];
  @ ensures \forall integer i; 0 <= i < 4 && i != selector ==>
  @   dev->wanted.word[i] == \old(dev->wanted.word[i]);
  @ ensures dev->resetting || (dev->status & 8) != 0 ==>
  @   \forall integer i; 0 <= i < 4 ==> dev->wanted.word[i] == \old(dev->wanted.word[i]); */
void avps_device_write_features(struct avps_device *dev, uint32_t selector, uint32_t value);
/*@ requires \valid_read(dev) && \valid_read(dev->ops) && dev->ops->config_size <= 128;
  @ requires \valid(bytes + (0 .. len - 1)) && \separated(bytes + (0 .. len - 1), dev, dev->ops);
  @ assigns bytes[0 .. len - 1];
  @ ensures \forall integer i; 0 <= i < len && off + i >= dev->ops->config_size ==>
  @   bytes[i] == 0; */
void avps_device_config_read(const struct avps_device *dev, uint32_t off, uint8_t *bytes,
                             uint32_t len);
/*@ requires \valid(dev) && \valid_read(dev->ops) && \separated(dev, dev->ops);
  @ requires \valid_read(bytes + (0 .. len - 1));
  @ assigns *dev; */
void avps_device_config_write(struct avps_device *dev, uint32_t off, const uint8_t *bytes,
                              uint32_t len);

/* The queue, or NULL for an index that does not exist. */
/*@ requires \valid_read(dev) && \valid_read(dev->queues + (0 .. dev->queue_count - 1));
  @ assigns \nothing;
  @ ensures queue < dev->queue_count ==> \result == dev->queues + queue && \valid_read(\result);
  @ ensures queue >= dev->queue_count ==> \result == \null; */
struct avps_queue *avps_device_queue(struct avps_device *dev, uint32_t queue);
/* Whether the driver has enabled it. */
/*@ requires \valid_read(queue);
  @ assigns \nothing;
  @ ensures \result != 0 <==> queue->vq.live || queue->regs.starting; */
static inline bool avps_queue_is_enabled(const struct avps_queue *queue)
{
    return queue->vq.live || queue->regs.starting;
}

/* Whether the driver may write its registers now. */
/*@ requires \valid_read(dev) && \valid_read(queue);
  @ assigns \nothing;
  @ ensures \result != 0 <==> !queue->vq.live && !queue->regs.starting &&
  @   !queue->regs.resetting && !dev->resetting; */
bool avps_device_queue_is_open(const struct avps_device *dev, const struct avps_queue *queue);
void avps_device_enable_queue(struct avps_device *dev, uint16_t index);
/* Start a queue, or remember to when its areas cannot be reached yet (AVPS_AGAIN from the port). */
enum avps_status avps_device_begin_queue(struct avps_device *dev, uint16_t index,
                                         const struct avps_vq_config *config);
/* Try again; called by polls as long as regs.starting. */
void avps_device_retry_start(struct avps_device *dev, uint16_t index);
/* Stop a queue (QueueReady 0) or reset it (QueueReset 1). */
void avps_device_disable_queue(struct avps_device *dev, uint16_t index);
void avps_device_reset_queue(struct avps_device *dev, uint16_t index);
/* Stop a queue when its chains are back: AVPS_OK, with regs.stop_idx and stop_wrap; AVPS_PENDING;
 * AVPS_E_STATE if it is not enabled. The model is not told. */
enum avps_status avps_device_stop_queue(struct avps_device *dev, uint16_t index);
/* Replace guest memory; AVPS_E_STATE while a queue is enabled; AVPS_E_PARAM. */
enum avps_status avps_device_set_mem(struct avps_device *dev, const struct avps_mem *mem);

#endif
