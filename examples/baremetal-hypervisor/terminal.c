/* SPDX-License-Identifier: BSD-3-Clause */
/* The screen; the echo; input for the guest. The console's ops only fill rings, terminal_run empties them:
 * nothing re-enters the library. */
#include "terminal.h"

#include <stddef.h>
#include <string.h>

#include "avps_common/platform_apply.h"
#include "clock.h"
#include "devices.h"
#include "guest.h"
#include "operator.h"
#include "report.h"
#include "uart.h"

#define TERMINAL_BULK 1U /* port number */

/* Bytes per second that a guest may print where several share the UART: no guest may hold it. */
#define TERMINAL_RATE 4096U

/* ---- port 0: the UART ---- */

/* Whether the line may still be printed in this second (of 2^30 nanoseconds). */
static bool terminal_may_print(struct terminal_screen *screen)
{
    const uint64_t second = clock_now_ns() >> 30;

    if (second != screen->second) {
        screen->second = second;
        screen->printed = 0;
    }
    screen->printed += screen->len;
    return screen->printed <= TERMINAL_RATE;
}

static void terminal_show_line(const struct guest *guest)
{
    const struct terminal_screen *screen = &guest->screen;

    uart_take();
    uart_text("[");
    uart_text(guest->plan->name);
    uart_text("] ");
    uart_write(screen->line, screen->len);
    uart_end();
}

/* One byte to the screen; what a terminal would take for a command is not shown. @return true: a line is
 * complete. */
static bool terminal_put(struct guest *guest, char byte)
{
    struct terminal_screen *screen = &guest->screen;
    const bool shown = byte >= ' ' && byte <= '~';

    if (byte != '\n' && byte != '\r' && screen->len != TERMINAL_LINE) {
        screen->line[screen->len++] = shown ? byte : '?';
    }
    if (guest_count() != 1U && byte == '\n') {
        if (terminal_may_print(screen)) {
            terminal_show_line(guest);
        } else {
            screen->lost += screen->len;
        }
    }
    return byte == '\n';
}

/* Type an answer into the guest, as a person would; NULL: there is none. */
static void terminal_answer(struct terminal *terminal, const char *text)
{
    if (text == NULL) {
        return;
    }
    (void)ring_put(&terminal->keys, (const uint8_t *)text, (uint32_t)strlen(text));
    (void)ring_put(&terminal->keys, (const uint8_t *)"\n", 1U);
    terminal->answers++;
}

static enum avps_status terminal_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                        uint32_t len, uint32_t *taken)
{
    struct devices_part *part = ctx;
    struct terminal_screen *screen = &part->guest->screen;

    (void)port;
    if (guest_count() == 1U) {
        uart_relay((const char *)bytes, len);
    }
    for (uint32_t i = 0; i < len; i++) {
        if (terminal_put(part->guest, (char)bytes[i])) {
            terminal_answer(&part->terminal, operator_read(part->guest, screen->line, screen->len));
            screen->len = 0;
        }
    }
    *taken = len;
    return AVPS_OK;
}

void terminal_early(struct guest *guest, char byte)
{
    if (guest_count() == 1U) {
        uart_relay(&byte, 1U);
    }
    if (terminal_put(guest, byte)) {
        (void)operator_read(guest, guest->screen.line, guest->screen.len); /* no keys to type on */
        guest->screen.len = 0;
    }
}

static void terminal_emergency(void *ctx, uint8_t byte)
{
    terminal_early(((struct devices_part *)ctx)->guest, (char)byte);
}

/* ---- port 1: the echo ---- */

static enum avps_status terminal_bulk_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                             uint32_t len, uint32_t *taken)
{
    struct terminal *terminal = &((struct devices_part *)ctx)->terminal;

    (void)port;
    *taken = ring_put(&terminal->bulk, bytes, len);
    terminal->bulk_blocked = *taken < len;
    return AVPS_OK;
}

static const struct avps_console_ops terminal_ops = {.output = terminal_output,
                                                     .emergency = terminal_emergency};
static const struct avps_console_ops terminal_bulk_ops = {.output = terminal_bulk_output};

/* ---- to the guest ---- */

static struct terminal *terminal_of(struct guest *guest)
{
    for (uint32_t i = 0; i < guest->devices.count; i++) {
        if (guest->devices.parts[i].kind == &terminal_kind) {
            return &guest->devices.parts[i].terminal;
        }
    }
    return NULL;
}

void terminal_typed(struct guest *guest)
{
    struct terminal *terminal = terminal_of(guest);
    char byte;

    uart_acknowledge();
    while (uart_read(&byte)) {
        if (terminal != NULL) {
            (void)ring_put(&terminal->keys, (const uint8_t *)&byte, 1U); /* full: as a UART, lost */
        }
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
            (void)(avps_console_input(&terminal->console, port, bytes, len, &taken) == AVPS_OK);
        }
        ring_drop(ring, taken);
        total += taken;
    } while (taken != 0U);
    return total;
}

static void terminal_run(struct devices_part *part)
{
    struct terminal *terminal = &part->terminal;

    (void)terminal_give(terminal, 0U, &terminal->keys);

    const uint32_t echoed = terminal_give(terminal, TERMINAL_BULK, &terminal->bulk);

    terminal->echoed += echoed;
    if (echoed != 0U && terminal->bulk_blocked) {
        terminal->bulk_blocked = false;
        avps_console_output_ready(&terminal->console, TERMINAL_BULK);
    }
}

static uint64_t terminal_due_ns(const struct devices_part *part)
{
    (void)part;
    return CLOCK_NEVER;
}

static void terminal_restart(struct devices_part *part)
{
    struct terminal *terminal = &part->terminal;

    terminal->keys.head = terminal->keys.tail;
    terminal->bulk.head = terminal->bulk.tail;
    terminal->bulk_blocked = false;
    part->guest->screen.len = 0;
}

/* ---- set-up and report ---- */

static enum avps_status terminal_add_ports(struct devices_part *part)
{
    const struct avps_platform_console *plan = &part->plan->console;
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; status == AVPS_OK && i < plan->port_count; i++) {
        const struct avps_console_port_config port = {
            .ops = &terminal_bulk_ops, .ctx = part, .name = plan->ports[i], .open = true};

        status = avps_console_add_port(&part->terminal.console, TERMINAL_BULK + i, &port);
    }
    return status;
}

static enum avps_status terminal_add(struct devices_part *part)
{
    struct terminal *terminal = &part->terminal;
    struct avps_console_config config = {
        .base = devices_base(part, terminal->queues),
        .port0 = {.ops = &terminal_ops, .ctx = part, .console = true, .open = true},
        .ports = terminal->ports};

    if (part->plan->console.port_count >= TERMINAL_PORTS) {
        return AVPS_E_NOSPACE;
    }
    avps_platform_console(part->plan, &config);
    enum avps_status status = avps_console_init(&terminal->console, &config);

    if (status == AVPS_OK) {
        status = terminal_add_ports(part);
    }
    return status == AVPS_OK ? devices_attach(part, &terminal->console.base) : status;
}

static void terminal_report(const struct devices_part *part)
{
    const struct terminal *terminal = &part->terminal;
    const struct avps_console_counters *counters = avps_console_counters(&terminal->console);
    const struct avps_console_port_counters *bulk =
        avps_console_port_counters(&terminal->console, TERMINAL_BULK);

    report_begin("console");
    uart_field("answers", terminal->answers);
    uart_field("echoed", terminal->echoed);
    uart_field("blocked", bulk != NULL ? bulk->blocked : 0U);
    uart_field("starved", bulk != NULL ? bulk->starved : 0U);
    uart_field("control_in", counters->control_in);
    uart_field("control_out", counters->control_out);
    uart_field("ignored", counters->ignored);
    uart_field("unprinted", part->guest->screen.lost);
    report_end(part->guest);
}

const struct devices_kind terminal_kind = {terminal_add, terminal_run, terminal_due_ns,
                                           terminal_restart, terminal_report};
