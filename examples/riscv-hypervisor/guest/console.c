/* SPDX-License-Identifier: BSD-3-Clause */
/* Start -> output, one buffer at a time -> input, several small buffers in turn. */
#include "console.h"

#include <string.h>

#include "line.h"
#include "machine.h"

#define CONSOLE_RX         0U
#define CONSOLE_TX         1U
#define CONSOLE_RX_BUFFERS 4U
#define CONSOLE_RX_SIZE    16U
#define CONSOLE_TX_SIZE    128U
#define CONSOLE_PENDING    (2U * CONSOLE_RX_BUFFERS * CONSOLE_RX_SIZE)

struct console {
    struct ring rx;
    struct ring tx;
    uint8_t in[CONSOLE_RX_BUFFERS][CONSOLE_RX_SIZE];
    uint8_t out[CONSOLE_TX_SIZE];
    char pending[CONSOLE_PENDING]; /* received, not yet read */
    uint32_t at;                   /* next one to be read */
    uint32_t len;
    uint64_t written;
    uint64_t received;
};

static struct console console;

static void console_offer(uint16_t id)
{
    const struct ring_part part = {(uintptr_t)console.in[id], CONSOLE_RX_SIZE, RING_WRITE, 0U};

    ring_post(&console.rx, id, &part, 1U);
}

/* Take what the device has filled; there is room for all buffers when one at most is unread. */
static bool console_collect(uint16_t *id)
{
    uint32_t len;

    if (!ring_take(&console.rx, id, &len) || *id >= CONSOLE_RX_BUFFERS || len > CONSOLE_RX_SIZE) {
        return false;
    }
    memmove(console.pending, &console.pending[console.at], console.len - console.at);
    console.len -= console.at;
    console.at = 0;
    memcpy(&console.pending[console.len], console.in[*id], len);
    console.len += len;
    console.received += len;
    return true;
}

/* After its reset the device touches nothing any more: what it has used by then is not lost. */
bool console_start(bool packed)
{
    uint16_t id;

    virtio_set(&machine_console, VIRTIO_STATUS, 0U);
    while (console_collect(&id)) {
    }
    if (!virtio_begin(&machine_console, packed) ||
        !virtio_queue(&machine_console, CONSOLE_RX, &console.rx) ||
        !virtio_queue(&machine_console, CONSOLE_TX, &console.tx)) {
        return false;
    }
    for (id = 0; id < CONSOLE_RX_BUFFERS; id++) {
        console_offer(id);
    }
    virtio_go(&machine_console);
    virtio_kick(&machine_console, CONSOLE_RX);
    return true;
}

/* ---- output ---- */

static void console_send(const char *bytes, uint32_t len)
{
    const struct ring_part part = {(uintptr_t)console.out, len, 0U, 0U};
    uint16_t id;
    uint32_t used;

    memcpy(console.out, bytes, len);
    ring_post(&console.tx, 0U, &part, 1U);
    virtio_kick(&machine_console, CONSOLE_TX);
    if (machine_wait_used(&console.tx, &id, &used)) {
        console.written += len;
    }
}

void console_text(const char *text)
{
    for (size_t left = line_length(text); left != 0U;) {
        const uint32_t len = left < CONSOLE_TX_SIZE ? (uint32_t)left : CONSOLE_TX_SIZE;

        console_send(text, len);
        text += len;
        left -= len;
    }
}

void console_number(uint64_t value)
{
    char text[24];
    struct line line;

    line_begin(&line, text, sizeof text);
    line_number(&line, value);
    console_text(text);
}

/* ---- input ---- */

static char console_character(void)
{
    uint16_t id;

    while (console.at == console.len) {
        if (console_collect(&id)) {
            console_offer(id);
            virtio_kick(&machine_console, CONSOLE_RX);
        } else {
            machine_wait();
        }
    }
    return console.pending[console.at++];
}

uint32_t console_read(char *text, uint32_t size)
{
    uint32_t len = 0;

    for (char c = console_character(); c != '\n' && c != '\r'; c = console_character()) {
        if (len + 1U < size) {
            text[len++] = c;
        }
    }
    text[len] = '\0';
    return len;
}

uint64_t console_written(void)
{
    return console.written;
}

uint64_t console_received(void)
{
    return console.received;
}
