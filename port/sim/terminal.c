/* SPDX-License-Identifier: BSD-3-Clause */
/* Console back end in memory: ring -> output, input, the guest's events -> ops -> the user's side. */
#include "avps_sim/terminal.h"

#include <stddef.h>
#include <string.h>

/* ---- ring ---- */

/* The free piece after the newest byte, then the one at the start: at most two copies. */
static uint32_t ring_put(struct avps_sim_ring *ring, const uint8_t *bytes, uint32_t len)
{
    uint32_t put = 0;

    while (put != len && ring->used != ring->size) {
        const uint32_t room = ring->size - ring->used;
        const uint32_t to_end = ring->size - ring->first;
        const uint32_t at = ring->used < to_end ? ring->first + ring->used : ring->used - to_end;
        uint32_t piece = len - put < room ? len - put : room;

        piece = piece < ring->size - at ? piece : ring->size - at;
        (void)memcpy(ring->bytes + at, bytes + put, piece);
        ring->used += piece;
        put += piece;
    }
    return put;
}

/* The oldest bytes that lie in one piece. */
static uint32_t ring_piece(const struct avps_sim_ring *ring)
{
    const uint32_t to_end = ring->size - ring->first;

    return ring->used < to_end ? ring->used : to_end;
}

static void ring_drop(struct avps_sim_ring *ring, uint32_t len)
{
    ring->first = len < ring->size - ring->first ? ring->first + len : 0U;
    ring->used -= len;
}

/* ---- back end ---- */

static enum avps_status terminal_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                        uint32_t len, uint32_t *taken)
{
    struct avps_sim_terminal *terminal = ctx;

    (void)port;
    if (terminal->fail != 0U) {
        terminal->fail--;
        return AVPS_E_IO;
    }
    *taken = ring_put(&terminal->output, bytes, len);
    terminal->blocked = *taken != len;
    return AVPS_OK;
}

/* Input to the guest, until it has no buffers or there is no more. */
static void terminal_pump(struct avps_sim_terminal *terminal)
{
    struct avps_sim_ring *ring = &terminal->input;
    uint32_t taken = 1;

    while (ring->used != 0U && taken != 0U) {
        if (avps_console_input(terminal->console, terminal->port, ring->bytes + ring->first,
                               ring_piece(ring), &taken) != AVPS_OK) {
            break; /* asked again by input_ready */
        }
        ring_drop(ring, taken);
    }
}

static void terminal_input_ready(void *ctx, uint32_t port)
{
    (void)port;
    terminal_pump(ctx);
}

static void terminal_guest_open(void *ctx, uint32_t port)
{
    struct avps_sim_terminal *terminal = ctx;

    (void)port;
    terminal->guest_open = true;
}

static void terminal_guest_close(void *ctx, uint32_t port)
{
    struct avps_sim_terminal *terminal = ctx;

    (void)port;
    terminal->guest_open = false;
    terminal->blocked = false;
}

/* Beside the normal output; it cannot wait. */
static void terminal_emergency(void *ctx, uint8_t byte)
{
    struct avps_sim_terminal *terminal = ctx;

    terminal->emergency++;
    terminal->emergency_lost += ring_put(&terminal->output, &byte, 1) == 0U ? 1U : 0U;
}

static const struct avps_console_ops terminal_ops = {
    .output = terminal_output,
    .input_ready = terminal_input_ready,
    .guest_open = terminal_guest_open,
    .guest_close = terminal_guest_close,
    .emergency = terminal_emergency,
};

const struct avps_console_ops *avps_sim_terminal_ops(void)
{
    return &terminal_ops;
}

/* ---- the user's side ---- */

enum avps_status avps_sim_terminal_init(struct avps_sim_terminal *terminal,
                                        const struct avps_sim_terminal_config *config)
{
    if (terminal == NULL || config == NULL || config->console == NULL || config->output == NULL ||
        config->output_size == 0U || config->input == NULL || config->input_size == 0U) {
        return AVPS_E_PARAM;
    }
    *terminal = (struct avps_sim_terminal){
        .console = config->console,
        .port = config->port,
        .output = {.bytes = config->output, .size = config->output_size},
        .input = {.bytes = config->input, .size = config->input_size},
    };
    return AVPS_OK;
}

uint32_t avps_sim_terminal_read(struct avps_sim_terminal *terminal, void *dst, uint32_t len)
{
    struct avps_sim_ring *ring = &terminal->output;
    uint8_t *to = dst;
    uint32_t got = 0;

    while (got != len && ring->used != 0U) {
        const uint32_t piece = ring_piece(ring) < len - got ? ring_piece(ring) : len - got;

        (void)memcpy(to + got, ring->bytes + ring->first, piece);
        ring_drop(ring, piece);
        got += piece;
    }
    if (got != 0U && terminal->blocked) {
        terminal->blocked = false;
        avps_console_output_ready(terminal->console, terminal->port);
    }
    return got;
}

uint32_t avps_sim_terminal_write(struct avps_sim_terminal *terminal, const void *src, uint32_t len)
{
    const uint32_t put = ring_put(&terminal->input, src, len);

    terminal_pump(terminal);
    return put;
}

void avps_sim_terminal_fail(struct avps_sim_terminal *terminal, uint32_t calls)
{
    terminal->fail = calls;
}

uint32_t avps_sim_terminal_pending(const struct avps_sim_terminal *terminal)
{
    return terminal->output.used;
}
