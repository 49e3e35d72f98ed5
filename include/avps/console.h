/* SPDX-License-Identifier: BSD-3-Clause */
/** @file console.h
 *  Console device (id 3): byte streams between the guest and back ends of yours, one per port
 *  [AVPS CON-1].
 *
 *  Memory: the caller's. Threads: one context. Guest: may send any bytes and any control messages
 *  in any order; what makes no sense is counted and ignored.
 *  Queues: 2, or 2 * max_ports + 2 with several ports. Features of its own: SIZE, MULTIPORT,
 *  EMERG_WRITE, each offered when the configuration can serve it.
 *
 *  No byte is lost or repeated: output that a back end cannot take stays in the guest's buffers,
 *  and input that the guest has no buffers for stays with the back end. Control messages to the
 *  guest wait as state per port, not in a queue, so none can overflow: the guest always learns the
 *  latest state, and always of a removal or a disconnection before what came after it.
 */
#ifndef AVPS_CONSOLE_H
#define AVPS_CONSOLE_H

#include "avps/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Back end of a port. The ops are called from inside avps_poll, avps_reset, avps_load and register
 *  writes; they may call the functions below, except those that add and remove ports. */
struct avps_console_ops {
    /** The guest sent `len` bytes, at least 1; put the number you took, 0..len, in `*taken`. Less
     *  than `len`: the rest comes again, from the first byte not taken, after
     *  avps_console_output_ready. NULL: output is discarded. A guest kernel may spin while its
     *  text console is blocked, so do not block one for long.
     *  @return AVPS_OK; AVPS_E_IO: the rest of this buffer is lost, and counted. */
    enum avps_status (*output)(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t len,
                               uint32_t *taken);
    /** An avps_console_input that took less than it was given may be tried again. May be NULL. */
    void (*input_ready)(void *ctx, uint32_t port);
    /** A program in the guest opened the port; without MULTIPORT: the driver is ready. May be
     *  NULL. */
    void (*guest_open)(void *ctx, uint32_t port);
    /** It closed the port, or the driver reset the device. May be NULL. */
    void (*guest_close)(void *ctx, uint32_t port);
    /** One byte of emergency output, at any time, also before there is a driver [console-1.2].
     *  Only asked of port 0. NULL: EMERG_WRITE is not offered. */
    void (*emergency)(void *ctx, uint8_t byte);
};

/** A port, as the embedder describes it. Copied; pointers are borrowed while the port exists. */
struct avps_console_port_config {
    const struct avps_console_ops *ops; /**< Required. */
    void *ctx;                          /**< Handed to the ops. */
    const char *name;                   /**< UTF-8 for the guest's port name, or NULL. */
    uint16_t cols;                      /**< Columns; 0: size unknown. */
    uint16_t rows;                      /**< Rows; 0: size unknown. */
    bool console;                       /**< A text console, not a plain channel. */
    bool open;                          /**< The host side is connected from the start. */
};

/** Counters of one port; they run on through resets and removals. */
struct avps_console_port_counters {
    uint64_t output;    /**< Bytes that the back end took. */
    uint64_t discarded; /**< Bytes from the guest while nobody was connected. */
    uint64_t blocked;   /**< Times the back end took less than all. */
    uint64_t failures;  /**< Times the back end failed. */
    uint64_t input;     /**< Bytes put into the guest's buffers. */
    uint64_t starved;   /**< Times the guest had no buffers, or had not opened the port. */
};

/** One port. Private; the storage is the caller's. */
struct avps_console_port {
    const struct avps_console_ops *ops;         /**< Back end, NULL: there is no such port. */
    void *ctx;                                  /**< Its context. */
    const char *name;                           /**< Name or NULL. */
    uint32_t name_len;                          /**< Bytes in it. */
    uint32_t sent;                              /**< Bytes of the oldest output chain taken. */
    uint16_t cols;                              /**< Columns. */
    uint16_t rows;                              /**< Rows. */
    uint8_t owed;                               /**< Messages that the guest is to get. */
    bool console;                               /**< Text console. */
    bool host_open;                             /**< The back end is connected. */
    bool known;                                 /**< The guest was told of the port. */
    bool ready;                                 /**< The guest's driver accepted it. */
    bool told_open;                             /**< The guest was told host_open. */
    bool guest_open;                            /**< The guest opened it. */
    bool starved;                               /**< The back end has input waiting. */
    bool in_output;                             /**< Its output op is running. */
    struct avps_console_port_counters counters; /**< Counters. */
};

/** Configuration. */
struct avps_console_config {
    struct avps_device_config base;        /**< queue_count 2, or 2 * max_ports + 2. */
    struct avps_console_port_config port0; /**< The first port. */
    struct avps_console_port *ports;       /**< Required: storage for `max_ports` ports. */
    uint32_t max_ports;                    /**< 1..32766; above 1 with `multiport` only. */
    bool multiport;                        /**< Offer MULTIPORT; the guest gets control queues. */
    bool resize_rows_first;                /**< Quirk: rows before columns in resize messages, as
                                                 Linux before its change to the standard's order
                                                 expects. Not in the configuration space. */
};

/** Counters of a console device. */
struct avps_console_counters {
    uint64_t control_in;  /**< Control messages from the guest that were acted upon. */
    uint64_t control_out; /**< Control messages to the guest. */
    uint64_t ignored;     /**< Control messages that made no sense. */
    uint64_t refused;     /**< The driver reported that it could not set up a port. */
    uint64_t emergency;   /**< Bytes of emergency output. */
};

/** A console device. Fields are private. */
struct avps_console {
    struct avps_device base;               /**< The device. */
    struct avps_console_port *ports;       /**< Ports. */
    uint32_t max_ports;                    /**< How many. */
    bool resize_rows_first;                /**< Quirk. */
    bool driver_ready;                     /**< DEVICE_READY was received. */
    struct avps_console_counters counters; /**< Counters. */
};

/** Initialise with port 0. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_console_init(struct avps_console *console,
                                                  const struct avps_console_config *config);

/** Plug a port in; the guest is told at once, or when its driver is there.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if there is one of this number. */
AVPS_NODISCARD enum avps_status
avps_console_add_port(struct avps_console *console, uint32_t port,
                      const struct avps_console_port_config *config);

/** Unplug a port: its ops are not called any more, what the guest still sends is discarded. The
 *  number may be used again at once.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if there is none. */
AVPS_NODISCARD enum avps_status avps_console_remove_port(struct avps_console *console,
                                                         uint32_t port);

/** The host side of a port was connected: the guest is told, and may send.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if there is no such port. */
AVPS_NODISCARD enum avps_status avps_console_open(struct avps_console *console, uint32_t port);

/** The host side was disconnected: the guest is told; what it sends is discarded, and so is the
 *  rest of a buffer that waited for avps_console_output_ready. Like avps_console_open. */
AVPS_NODISCARD enum avps_status avps_console_close(struct avps_console *console, uint32_t port);

/** The terminal behind a port has a new size: a control message for a console port, and for port 0
 *  a configuration change if SIZE is offered (port 0 had a size at init).
 *  @return AVPS_OK; AVPS_E_PARAM also for 0; AVPS_E_STATE if there is no such port. */
AVPS_NODISCARD enum avps_status avps_console_resize(struct avps_console *console, uint32_t port,
                                                    uint16_t cols, uint16_t rows);

/** Give the guest input.
 *  @param[out] taken  Bytes that are in the guest's buffers now, 0..len. Less than `len`: the op
 *                     input_ready will be called when it is worth to go on.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if there is no such port; AVPS_E_IO from the port's
 *  memory, or a guest fault: `*taken` bytes arrived all the same. */
AVPS_NODISCARD enum avps_status avps_console_input(struct avps_console *console, uint32_t port,
                                                   const void *bytes, uint32_t len,
                                                   uint32_t *taken);

/** The back end of a port can take output again: it comes at the next poll. Unknown ports are
 *  ignored. */
void avps_console_output_ready(struct avps_console *console, uint32_t port);

/** Whether the guest has opened a port and would see input. */
bool avps_console_guest_is_open(const struct avps_console *console, uint32_t port);

/** Counters; valid as long as the device is. */
const struct avps_console_counters *avps_console_counters(const struct avps_console *console);

/** Counters of a port. @return NULL for a number that cannot be a port. */
const struct avps_console_port_counters *
avps_console_port_counters(const struct avps_console *console, uint32_t port);

#ifdef __cplusplus
}
#endif
#endif
