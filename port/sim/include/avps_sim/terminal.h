/* SPDX-License-Identifier: BSD-3-Clause */
/** @file terminal.h
 *  Console back end in memory: one port's output is kept in a buffer until it is read, its input in
 *  another until the guest takes it. A full buffer blocks the guest, a slow guest keeps the input
 *  waiting; no byte is lost unless that is asked for.
 *
 *  Memory: the caller's, the buffers too. Threads: the device's context. Guest: its bytes are kept
 *  as they come; they never get out of the buffer.
 */
#ifndef AVPS_SIM_TERMINAL_H
#define AVPS_SIM_TERMINAL_H

#include "avps/console.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A buffer that runs round. Private. */
struct avps_sim_ring {
    uint8_t *bytes; /**< Storage. */
    uint32_t size;  /**< Bytes of it. */
    uint32_t first; /**< Oldest byte. */
    uint32_t used;  /**< Bytes kept. */
};

/** What a terminal is made of. */
struct avps_sim_terminal_config {
    struct avps_console *console; /**< Required. Initialised before the terminal is used. */
    uint32_t port;                /**< Which of its ports. */
    uint8_t *output;              /**< Required: storage for the guest's output. */
    uint32_t output_size;         /**< Bytes, at least 1. */
    uint8_t *input;               /**< Required: storage for input on its way to the guest. */
    uint32_t input_size;          /**< Bytes, at least 1. */
};

/** One terminal. Fields are private. */
struct avps_sim_terminal {
    struct avps_console *console; /**< The device. */
    uint32_t port;                /**< Its port. */
    struct avps_sim_ring output;  /**< From the guest. */
    struct avps_sim_ring input;   /**< For the guest. */
    uint32_t fail;                /**< Output calls that are to fail. */
    uint64_t emergency;           /**< Bytes of emergency output. */
    uint64_t emergency_lost;      /**< Of these, bytes for which there was no room. */
    bool blocked;                 /**< The guest waits for room. */
    bool guest_open;              /**< The guest has the port open. */
};

/** Set up, empty. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status
avps_sim_terminal_init(struct avps_sim_terminal *terminal,
                       const struct avps_sim_terminal_config *config);

/** Back end operations for `avps_console_port_config.ops`; `ctx` is the terminal. */
const struct avps_console_ops *avps_sim_terminal_ops(void);

/** Take up to `len` bytes of the guest's output, oldest first; room makes a blocked guest go on at
 *  the next poll. @return How many. */
uint32_t avps_sim_terminal_read(struct avps_sim_terminal *terminal, void *dst, uint32_t len);

/** Type: up to `len` bytes for the guest, as many as there is room for. @return How many. */
uint32_t avps_sim_terminal_write(struct avps_sim_terminal *terminal, const void *src, uint32_t len);

/** Let the next `calls` calls of output fail. */
void avps_sim_terminal_fail(struct avps_sim_terminal *terminal, uint32_t calls);

/** Bytes of output that wait to be read. */
uint32_t avps_sim_terminal_pending(const struct avps_sim_terminal *terminal);

#ifdef __cplusplus
}
#endif
#endif
