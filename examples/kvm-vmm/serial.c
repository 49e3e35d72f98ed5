/* SPDX-License-Identifier: BSD-3-Clause */
/* Serial console: bytes -> the wire -> accesses -> standard input -> state -> init and free. */
#include "serial.h"

#include <string.h>
#include <unistd.h>

#define SERIAL_ESCAPE 0x1dU /* control-] */

/* ---- bytes ---- */

uint8_t serial_take(struct serial *serial)
{
    const uint8_t byte = serial->fifo[serial->first];

    serial->first = (serial->first + 1U) % SERIAL_FIFO;
    serial->count--;
    return byte;
}

void serial_send(const struct serial *serial, uint8_t byte)
{
    if (serial->attached) {
        (void)!write(STDOUT_FILENO, &byte, 1); /* nobody reads: nothing to be done */
    }
}

/* ---- the wire ---- */

static void serial_update(struct serial *serial)
{
    const bool high = serial_model_interrupts(serial);

    if (high != serial->raised) {
        serial->raised = high;
        avps_kvm_line_ops.set_level(serial->irq, serial->line, high);
    }
    if (serial->source.loop != NULL) {
        (void)!avps_posix_source_modify(&serial->source,
                                        serial->count < SERIAL_FIFO ? AVPS_POSIX_READ : 0U);
    }
}

/* ---- accesses ---- */

void serial_serve(void *ctx, struct bus_access *access)
{
    struct serial *serial = ctx;

    avps_posix_loop_borrow(serial->loop);
    if (access->is_write) {
        serial_model_write(serial, access->offset, (uint32_t)access->value);
    } else {
        access->value = serial_model_read(serial, access->offset);
    }
    serial_update(serial);
    avps_posix_loop_return(serial->loop);
}

/* ---- standard input ---- */

static void serial_typed(void *ctx, uint32_t conditions)
{
    struct serial *serial = ctx;
    uint8_t byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);

    (void)conditions;
    if (got <= 0) {
        avps_posix_source_remove(&serial->source); /* there will be no more */
        return;
    }
    if (serial->has_terminal && byte == SERIAL_ESCAPE) {
        serial->escaped(serial->ctx);
        return;
    }
    serial->fifo[(serial->first + serial->count) % SERIAL_FIFO] = byte;
    serial->count++;
    serial_update(serial);
}

static void serial_raw(struct serial *serial)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &serial->before) != 0) {
        return;
    }
    raw = serial->before;
    cfmakeraw(&raw);
    serial->has_terminal = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* ---- state ---- */

void serial_reset(struct serial *serial)
{
    (void)memset(serial->registers, 0, sizeof serial->registers);
    serial->first = 0;
    serial->count = 0;
    serial_update(serial);
}

void serial_save(const struct serial *serial, struct state_out *out)
{
    for (uint32_t i = 0; i < SERIAL_REGISTERS; i++) {
        state_put_u32(out, serial->registers[i]);
    }
    state_put_u32(out, serial->count);
    for (uint32_t i = 0; i < SERIAL_FIFO; i++) {
        state_put(out, &serial->fifo[(serial->first + i) % SERIAL_FIFO], 1);
    }
}

bool serial_load(struct serial *serial, struct state_in *in)
{
    for (uint32_t i = 0; i < SERIAL_REGISTERS; i++) {
        serial->registers[i] = state_get_u32(in);
    }
    serial->count = state_get_u32(in);
    serial->first = 0;
    state_get(in, serial->fifo, SERIAL_FIFO);
    if (!state_is_done(in) || serial->count > SERIAL_FIFO) {
        serial_reset(serial);
        return false;
    }
    serial->raised = false; /* the wire's level is told anew */
    serial_update(serial);
    return true;
}

/* ---- init and free ---- */

enum avps_status serial_init(struct serial *serial, bool attach)
{
    serial->attached = attach;
    if (!attach) {
        return AVPS_OK;
    }
    serial_raw(serial);
    return avps_posix_source_add(&serial->source, serial->loop, STDIN_FILENO, AVPS_POSIX_READ,
                                 serial_typed, serial);
}

void serial_free(struct serial *serial)
{
    avps_posix_source_remove(&serial->source);
    if (serial->has_terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &serial->before);
    }
}
