/* SPDX-License-Identifier: BSD-3-Clause */
/** @file i2c.h
 *  I2C adapter (id 34): a bus of yours for a guest's own chip drivers.
 *
 *  Memory: the caller's. Threads: one context, avps_i2c_done included. Guest: chooses addresses,
 *  directions and bytes, of which only what `addresses` lists reaches the bus; the back end sees
 *  private copies.
 *  Queues: 1 (requests). Features of its own: ZERO_LENGTH_REQUEST, required [i2c-1.1].
 *
 *  A request is one message. Messages that the driver groups become one transfer, with repeated
 *  starts between them; one transfer is on its way at a time. A group is done in several transfers
 *  when it has more messages than `message_count`, or when the driver leaves it unfinished.
 */
#ifndef AVPS_I2C_H
#define AVPS_I2C_H

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An address of ten bits: OR it to bits 0..9. Without it, bits 0..6 are a 7-bit address. */
#define AVPS_I2C_TEN_BIT 0x8000U

/** Messages of one transfer at most. */
#define AVPS_I2C_MESSAGES_MAX 64U

/** One message: a (repeated) start, the address, then bytes in one direction. */
struct avps_i2c_msg {
    uint16_t address; /**< Of the chip; see AVPS_I2C_TEN_BIT. */
    bool read;        /**< From the chip; false: to it. */
    uint32_t len;     /**< Bytes; 0 for the SMBus "quick" command. */
    uint8_t *data;    /**< `len` bytes: what to write, or zeroes to be overwritten. */
};

/** Segments of a request: header, status, and bytes in so many pieces of guest memory less two. */
#define AVPS_I2C_SEGS 16U

/** Storage of a request. Private. */
struct avps_i2c_request {
    struct avps_request base;            /**< The request. */
    struct avps_seg segs[AVPS_I2C_SEGS]; /**< Its segments. */
};

/** A bus. */
struct avps_i2c_ops {
    /** Carry out messages in their order, with a stop after the last. All stay valid until the
     *  transfer is done. Called from avps_poll.
     *  @param      token  Names the transfer to avps_i2c_done.
     *  @param      count  Messages, 1..AVPS_I2C_MESSAGES_MAX.
     *  @param[out] done   With AVPS_OK: how many were carried out; fewer than `count`: the next one
     *                     was not acknowledged, arbitration was lost, or the like.
     *  @return AVPS_OK: finished; AVPS_PENDING: avps_i2c_done follows, or was called; anything else:
     *  finished, none carried out. */
    enum avps_status (*transfer)(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                 uint32_t count, uint32_t *done);
    /** Give up the transfer that is on its way.
     *  @return AVPS_OK: its messages are not touched any more and no avps_i2c_done follows;
     *  AVPS_PENDING: it comes to its end. NULL: always AVPS_PENDING. */
    enum avps_status (*cancel)(void *ctx);
};

/** Configuration. */
struct avps_i2c_config {
    struct avps_device_config base;    /**< queue_count 1. */
    const struct avps_i2c_ops *ops;    /**< Required; outlives the device. */
    void *ctx;                         /**< Handed to the ops. */
    struct avps_i2c_request *requests; /**< Required: storage for `message_count` requests. */
    struct avps_i2c_msg *msgs;         /**< Required: storage for `message_count` messages. */
    uint32_t message_count;            /**< Messages of one transfer at most,
                                         1..AVPS_I2C_MESSAGES_MAX. */
    uint8_t *buffer;                   /**< Required: bytes of one transfer's messages. */
    uint32_t buffer_size;      /**< How many, at least 1. A message that does not fit fails. */
    const uint16_t *addresses; /**< Chips that the guest may talk to; NULL: all. Borrowed. */
    uint32_t address_count;    /**< How many. */
};

/** Counters of an I2C adapter. */
struct avps_i2c_counters {
    uint64_t transfers; /**< Transfers given to the back end. */
    uint64_t messages;  /**< Messages carried out. */
    uint64_t read;      /**< Bytes that chips gave. */
    uint64_t written;   /**< Bytes that chips took. */
    uint64_t failed;    /**< Messages answered with an error. */
    uint64_t denied;    /**< Of these: address not allowed. */
    uint64_t malformed; /**< Of these: request that makes no sense, or too long. */
    uint64_t late;      /**< avps_i2c_done for a transfer that is not on its way. */
};

/** An I2C adapter. Fields are private. */
struct avps_i2c {
    struct avps_device base;           /**< The device. */
    const struct avps_i2c_ops *ops;    /**< Bus. */
    void *ctx;                         /**< Its context. */
    struct avps_i2c_request *requests; /**< Requests of the transfer, in order. */
    struct avps_i2c_msg *msgs;         /**< Their messages. */
    uint8_t *buffer;                   /**< Their bytes. */
    const uint16_t *addresses;         /**< Allowed. */
    uint32_t address_count;            /**< How many. */
    uint32_t message_count;            /**< Capacity. */
    uint32_t buffer_size;              /**< Capacity. */
    uint32_t buffer_used;              /**< Bytes of the messages so far. */
    uint32_t count;                    /**< Messages collected. */
    uint32_t usable;                   /**< Of these, in front of the first that must fail. */
    uint32_t seen;                     /**< `count` at the last poll. */
    uint32_t answer;                   /**< Messages carried out, with state ANSWERED. */
    uint8_t state;                     /**< Where the transfer is. */
    bool open;                         /**< The last message's group goes on. */
    bool failing;                      /**< The next request belongs to a group that failed. */
    uint64_t token;                    /**< Of the present transfer. */
    struct avps_i2c_counters counters; /**< Counters. */
};

/** Initialise. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_i2c_init(struct avps_i2c *i2c,
                                              const struct avps_i2c_config *config);

/** A transfer that was AVPS_PENDING is finished. Device context, also from inside `transfer`.
 *  @param token  As given to `transfer`; one that is not on its way is counted and ignored.
 *  @param done   Messages carried out, as with `transfer`; more than there were: none. */
void avps_i2c_done(struct avps_i2c *i2c, uint64_t token, uint32_t done);

/** Counters; valid as long as the device is. */
const struct avps_i2c_counters *avps_i2c_counters(const struct avps_i2c *i2c);

#ifdef __cplusplus
}
#endif
#endif
