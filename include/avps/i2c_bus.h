/* SPDX-License-Identifier: BSD-3-Clause */
/** @file i2c_bus.h
 *  One I2C bus for several guests: transfers take turns, so that no guest can keep the bus from the
 *  others.
 *
 *  Memory: the caller's; the ports are borrowed. Threads: the bus, its adapters and the back end's
 *  answers share one context. Guest: reaches the chips in its adapter's list of addresses; has one
 *  transfer on the bus or in front of it at a time.
 *
 *  Order: avps_i2c_bus_init with the ops of the real bus; per guest avps_i2c_init with `ops`
 *  &avps_i2c_bus_ops and `ctx` the port in your array; avps_i2c_bus_connect. The real bus answers
 *  with avps_i2c_bus_done instead of avps_i2c_done.
 *
 *  Whose turn it is: of the ports that wait, the one that has had the least of the bus, in bytes
 *  with addresses, divided by its share; who comes back after a rest starts level with the others.
 *  The bus is never kept free for a port that does not wait. With equal shares a transfer waits for
 *  the one that is on the bus and at most for one of each other port, however much these ask for.
 *  How long a transfer may take is the real bus's affair: it ends what a chip holds up.
 */
#ifndef AVPS_I2C_BUS_H
#define AVPS_I2C_BUS_H

#include "avps/i2c.h"

#ifdef __cplusplus
extern "C" {
#endif

struct avps_i2c_bus;

/** Ports of a bus at most. */
#define AVPS_I2C_BUS_PORTS_MAX 64U

/** Largest share of a port. */
#define AVPS_I2C_BUS_SHARE_MAX 1024U

/** Counters of a port. */
struct avps_i2c_bus_counters {
    uint64_t transfers; /**< Transfers that were on the bus. */
    uint64_t load;      /**< What they took: bytes, and one for each message's address. */
    uint64_t delayed;   /**< Of the transfers: had to wait for others. */
    uint64_t overtaken; /**< Transfers of others that went first, summed over those that waited. */
    uint64_t cancelled; /**< Given up before or on the bus. */
};

/** A port. Private; the storage is the caller's. */
struct avps_i2c_bus_port {
    struct avps_i2c_bus *owner;            /**< The bus. */
    struct avps_i2c *i2c;                  /**< The adapter; NULL: none. */
    uint32_t share;                        /**< Of the bus. */
    uint64_t had;                          /**< Of the bus, weighted. */
    const struct avps_i2c_msg *msgs;       /**< Messages of the transfer that waits. */
    uint32_t count;                        /**< How many. */
    uint64_t token;                        /**< The adapter's name for it. */
    uint8_t state;                         /**< Idle, waiting, or on the bus. */
    struct avps_i2c_bus_counters counters; /**< Counters. */
};

/** Configuration. */
struct avps_i2c_bus_config {
    const struct avps_i2c_ops *ops;  /**< Required: the real bus, not another shared one. Copied. */
    void *ctx;                       /**< Handed to its ops. */
    struct avps_i2c_bus_port *ports; /**< Required: storage for `port_count` ports. */
    uint32_t port_count;             /**< 1..AVPS_I2C_BUS_PORTS_MAX. */
};

/** A shared bus. Fields are private. */
struct avps_i2c_bus {
    enum avps_status (*transfer)(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                 uint32_t count, uint32_t *done); /**< Of the real bus. */
    enum avps_status (*cancel)(void *ctx);                        /**< Of the real bus, or NULL. */
    void *ctx;                                                    /**< Its context. */
    struct avps_i2c_bus_port *ports;                              /**< Ports. */
    uint32_t port_count;                                          /**< How many. */
    uint32_t waiting;                 /**< Of these, with a transfer that waits. */
    struct avps_i2c_bus_port *active; /**< Whose transfer is on the bus; NULL: nobody's. */
    uint64_t token;                   /**< Of that transfer. */
    uint64_t late;                    /**< Answers to no transfer. */
    uint64_t level;                   /**< `had` of the last to have its turn. */
    uint32_t answer;                  /**< Given from inside `transfer`. */
    bool submitting;                  /**< Inside `transfer`. */
    bool answered;                    /**< `answer` is valid. */
    bool running;                     /**< Turns are being given. */
};

/** Back end operations for `avps_i2c_config.ops`; `ctx` is a port. */
extern const struct avps_i2c_ops avps_i2c_bus_ops;

/** Initialise; no port is connected. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_i2c_bus_init(struct avps_i2c_bus *bus,
                                                  const struct avps_i2c_bus_config *config);

/** Connect an adapter, after avps_i2c_init and before its guest runs.
 *  @param port   Number in the array.
 *  @param share  Of the bus in relation to the other ports' shares, 1..AVPS_I2C_BUS_SHARE_MAX.
 *  @return AVPS_OK; AVPS_E_PARAM: no such port, or share; AVPS_E_STATE: it is taken. */
AVPS_NODISCARD enum avps_status avps_i2c_bus_connect(struct avps_i2c_bus *bus, uint32_t port,
                                                     struct avps_i2c *i2c, uint32_t share);

/** Disconnect an adapter that is quiesced or reset. @return AVPS_OK; AVPS_E_PARAM: no such port;
 *  AVPS_E_STATE: its transfer is on the bus. */
AVPS_NODISCARD enum avps_status avps_i2c_bus_disconnect(struct avps_i2c_bus *bus, uint32_t port);

/** The real bus finished a transfer that was AVPS_PENDING; also from inside `transfer`. The next
 *  one may begin before the call returns.
 *  @param token  As given to `transfer`; one that is not on the bus is counted and ignored.
 *  @param done   As with avps_i2c_done. */
void avps_i2c_bus_done(struct avps_i2c_bus *bus, uint64_t token, uint32_t done);

/** Counters of a port; valid as long as the bus is. NULL: no such port. */
const struct avps_i2c_bus_counters *avps_i2c_bus_counters(const struct avps_i2c_bus *bus,
                                                          uint32_t port);

/** Answers of the real bus to transfers that were not on it. */
uint64_t avps_i2c_bus_late(const struct avps_i2c_bus *bus);

#ifdef __cplusplus
}
#endif
#endif
