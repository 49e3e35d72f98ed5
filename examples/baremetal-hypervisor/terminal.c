/* SPDX-License-Identifier: BSD-3-Clause */
/* Output of port 0 -> the operator that answers questions; the echo; input for the guest. The ops
 * only fill rings, terminal_pump empties them: nothing re-enters the library. */
#include "terminal.h"

#include <stddef.h>
#include <string.h>

#include "avps/console.h"
#include "clock.h"
#include "devices.h"
#include "ring.h"
#include "transport.h"
#include "uart.h"

#define TERMINAL_COLS   100U
#define TERMINAL_ROWS   30U
#define TERMINAL_PORTS  2U
#define TERMINAL_QUEUES (2U * TERMINAL_PORTS + 2U)
#define TERMINAL_BULK   1U /* port number */
#define TERMINAL_LINE   64U

struct terminal {
    struct avps_console console;
    struct avps_console_port ports[TERMINAL_PORTS];
    struct avps_queue queues[TERMINAL_QUEUES];
    struct ring keys;         /* typed, on the way to the guest */
    struct ring bulk;         /* echo, on its way back */
    bool bulk_blocked;        /* the guest has more for the echo than fitted */
    char line[TERMINAL_LINE]; /* what the guest printed since the last newline */
    uint32_t line_len;
    uint64_t answers; /* questions of the guest that were answered */
    uint64_t echoed;  /* bytes that went back */
};

static struct terminal terminal;

static const char terminal_question[] = "AVPS-ASK ";
static const char terminal_answer[] = "AVPS-ANSWER ";

/* ---- port 0: the UART ---- */

static void terminal_type_number(uint32_t value)
{
    uint8_t digits[10];
    uint32_t at = sizeof digits;

    do {
        digits[--at] = (uint8_t)('0' + value % 10U);
        value /= 10U;
    } while (value != 0U);
    (void)ring_put(&terminal.keys, &digits[at], (uint32_t)sizeof digits - at);
}

/* A line is complete. "AVPS-ASK n" is answered as a person would, by typing: "AVPS-ANSWER n+1". */
static void terminal_read_line(void)
{
    const size_t prefix = sizeof terminal_question - 1U;
    uint32_t number = 0;

    if (terminal.line_len <= prefix || memcmp(terminal.line, terminal_question, prefix) != 0) {
        return;
    }
    for (uint32_t i = (uint32_t)prefix; i < terminal.line_len; i++) {
        const char digit = terminal.line[i];

        if (digit < '0' || digit > '9') {
            break;
        }
        number = number * 10U + (uint32_t)(digit - '0');
    }
    (void)ring_put(&terminal.keys, (const uint8_t *)terminal_answer, sizeof terminal_answer - 1U);
    terminal_type_number(number + 1U);
    (void)ring_put(&terminal.keys, (const uint8_t *)"\n", 1U);
    terminal.answers++;
}

static enum avps_status terminal_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                        uint32_t len, uint32_t *taken)
{
    (void)ctx;
    (void)port;
    uart_write((const char *)bytes, len);
    for (uint32_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            terminal_read_line();
            terminal.line_len = 0;
        } else if (terminal.line_len < TERMINAL_LINE) {
            terminal.line[terminal.line_len++] = (char)bytes[i];
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
    (void)ctx;
    (void)port;
    *taken = ring_put(&terminal.bulk, bytes, len);
    terminal.bulk_blocked = *taken < len;
    return AVPS_OK;
}

static const struct avps_console_ops terminal_ops = {.output = terminal_output,
                                                     .emergency = terminal_emergency};
static const struct avps_console_ops terminal_bulk_ops = {.output = terminal_bulk_output};

/* ---- to the guest ---- */

void terminal_typed(void)
{
    char byte;

    uart_acknowledge();
    while (uart_read(&byte)) {
        (void)ring_put(&terminal.keys, (const uint8_t *)&byte, 1U); /* full: as a UART, lost */
    }
}

/* Give the guest what is in `ring`. @return bytes that it took. */
static uint32_t terminal_give(uint32_t port, struct ring *ring)
{
    uint32_t total = 0;
    uint32_t taken = 0;
    const uint8_t *bytes;

    do {
        const uint32_t len = ring_peek(ring, &bytes);

        taken = 0;
        if (len != 0U) { /* what was taken counts, whatever the status */
            (void)(avps_console_input(&terminal.console, port, bytes, len, &taken) == AVPS_OK);
        }
        ring_drop(ring, taken);
        total += taken;
    } while (taken != 0U);
    return total;
}

void terminal_run(void)
{
    (void)terminal_give(0U, &terminal.keys);

    const uint32_t echoed = terminal_give(TERMINAL_BULK, &terminal.bulk);

    terminal.echoed += echoed;
    if (echoed != 0U && terminal.bulk_blocked) {
        terminal.bulk_blocked = false;
        avps_console_output_ready(&terminal.console, TERMINAL_BULK);
    }
}

uint64_t terminal_due_ns(void)
{
    return CLOCK_NEVER;
}

/* ---- set-up and report ---- */

enum avps_status terminal_add(void)
{
    const struct avps_console_config config = {.base =
                                                   devices_base(terminal.queues, TERMINAL_QUEUES),
                                               .port0 = {.ops = &terminal_ops,
                                                         .cols = TERMINAL_COLS,
                                                         .rows = TERMINAL_ROWS,
                                                         .console = true,
                                                         .open = true},
                                               .ports = terminal.ports,
                                               .max_ports = TERMINAL_PORTS,
                                               .multiport = true};
    const struct avps_console_port_config bulk = {
        .ops = &terminal_bulk_ops, .name = "bulk", .open = true};
    enum avps_status status = avps_console_init(&terminal.console, &config);

    if (status == AVPS_OK) {
        status = avps_console_add_port(&terminal.console, TERMINAL_BULK, &bulk);
    }
    return status == AVPS_OK ? transport_attach(&terminal.console.base) : status;
}

void terminal_report(void)
{
    const struct avps_console_counters *counters = avps_console_counters(&terminal.console);
    const struct avps_console_port_counters *bulk =
        avps_console_port_counters(&terminal.console, TERMINAL_BULK);

    uart_begin();
    uart_text("report console");
    uart_field("answers", terminal.answers);
    uart_field("echoed", terminal.echoed);
    uart_field("blocked", bulk->blocked);
    uart_field("starved", bulk->starved);
    uart_field("control_in", counters->control_in);
    uart_field("control_out", counters->control_out);
    uart_field("ignored", counters->ignored);
    uart_end();
}
