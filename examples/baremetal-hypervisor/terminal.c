/* SPDX-License-Identifier: BSD-3-Clause */
/* Output of port 0 -> the operator that answers questions; the echo; input for the guest. The ops
 * only fill rings, terminal_pump empties them: nothing re-enters the library. */
#include "terminal.h"

#include <stddef.h>
#include <string.h>

#include "uart.h"

static const char terminal_question[] = "AVPS-ASK ";
static const char terminal_answer[] = "AVPS-ANSWER ";

/* ---- port 0: the UART ---- */

static void terminal_type_number(struct terminal *terminal, uint32_t value)
{
    uint8_t digits[10];
    uint32_t at = sizeof digits;

    do {
        digits[--at] = (uint8_t)('0' + value % 10U);
        value /= 10U;
    } while (value != 0U);
    (void)ring_put(&terminal->keys, &digits[at], (uint32_t)sizeof digits - at);
}

/* A line is complete. "AVPS-ASK n" is answered as a person would, by typing: "AVPS-ANSWER n+1". */
static void terminal_read_line(struct terminal *terminal)
{
    const size_t prefix = sizeof terminal_question - 1U;
    uint32_t number = 0;

    if (terminal->line_len <= prefix || memcmp(terminal->line, terminal_question, prefix) != 0) {
        return;
    }
    for (uint32_t i = (uint32_t)prefix; i < terminal->line_len; i++) {
        const char digit = terminal->line[i];

        if (digit < '0' || digit > '9') {
            break;
        }
        number = number * 10U + (uint32_t)(digit - '0');
    }
    (void)ring_put(&terminal->keys, (const uint8_t *)terminal_answer, sizeof terminal_answer - 1U);
    terminal_type_number(terminal, number + 1U);
    (void)ring_put(&terminal->keys, (const uint8_t *)"\n", 1U);
    terminal->answers++;
}

static enum avps_status terminal_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                        uint32_t len, uint32_t *taken)
{
    struct terminal *terminal = ctx;

    (void)port;
    uart_write((const char *)bytes, len);
    for (uint32_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            terminal_read_line(terminal);
            terminal->line_len = 0;
        } else if (terminal->line_len < TERMINAL_LINE) {
            terminal->line[terminal->line_len++] = (char)bytes[i];
        }
    }
    *taken = len;
    return AVPS_OK;
}

static void terminal_emergency(void *ctx, uint8_t byte)
{
    const char text = (char)byte;

    (void)ctx;
    uart_write(&text, 1U);
}

/* ---- port 1: the echo ---- */

static enum avps_status terminal_bulk_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                             uint32_t len, uint32_t *taken)
{
    struct terminal *terminal = ctx;

    (void)port;
    *taken = ring_put(&terminal->bulk, bytes, len);
    terminal->bulk_blocked = *taken < len;
    return AVPS_OK;
}

static const struct avps_console_ops terminal_ops = {.output = terminal_output,
                                                     .emergency = terminal_emergency};
static const struct avps_console_ops terminal_bulk_ops = {.output = terminal_bulk_output};

struct avps_console_port_config terminal_port0(struct terminal *terminal)
{
    const struct avps_console_port_config config = {.ops = &terminal_ops,
                                                    .ctx = terminal,
                                                    .cols = TERMINAL_COLS,
                                                    .rows = TERMINAL_ROWS,
                                                    .console = true,
                                                    .open = true};

    return config;
}

struct avps_console_port_config terminal_port1(struct terminal *terminal)
{
    const struct avps_console_port_config config = {
        .ops = &terminal_bulk_ops, .ctx = terminal, .name = "bulk", .open = true};

    return config;
}

/* ---- to the guest ---- */

void terminal_typed(struct terminal *terminal)
{
    char byte;

    while (uart_read(&byte)) {
        (void)ring_put(&terminal->keys, (const uint8_t *)&byte, 1U); /* full: as a UART, lost */
    }
}

/* Give the guest what is in `ring`. @return bytes that it took. */
static uint32_t terminal_give(struct terminal *terminal, uint32_t port, struct ring *ring)
{
    uint32_t total = 0;
    uint32_t taken = 0;
    const uint8_t *bytes;

    do {
        const uint32_t len = ring_peek(ring, &bytes);

        taken = 0;
        if (len != 0U) { /* what was taken counts, whatever the status */
            (void)(avps_console_input(terminal->console, port, bytes, len, &taken) == AVPS_OK);
        }
        ring_drop(ring, taken);
        total += taken;
    } while (taken != 0U);
    return total;
}

void terminal_pump(struct terminal *terminal)
{
    (void)terminal_give(terminal, 0U, &terminal->keys);

    const uint32_t echoed = terminal_give(terminal, TERMINAL_BULK, &terminal->bulk);

    terminal->echoed += echoed;
    if (echoed != 0U && terminal->bulk_blocked) {
        terminal->bulk_blocked = false;
        avps_console_output_ready(terminal->console, TERMINAL_BULK);
    }
}
