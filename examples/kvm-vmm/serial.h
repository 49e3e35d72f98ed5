/* SPDX-License-Identifier: BSD-3-Clause */
/* Serial console on standard input and output: what a kernel without virtio drivers talks to. Which
 * registers it has is the architecture's: pl011.c or uart16550.c is built. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "avps_kvm/irq.h"
#include "avps_posix/loop.h"
#include "bus.h"
#include "state.h"

#define SERIAL_SIZE 0x1000U /* bytes of address space at most */
#define SERIAL_FIFO 16U

/* Registers that the driver writes, of either model. */
enum serial_register {
    SERIAL_MASK, /* interrupts that are wanted */
    SERIAL_CONTROL,
    SERIAL_LINE,
    SERIAL_RATE,
    SERIAL_FRACTION,
    SERIAL_LEVELS,
    SERIAL_SCRATCH,
    SERIAL_SENT, /* 16550: the interrupt for an empty transmitter is due */
    SERIAL_REGISTERS
};

struct serial {
    struct avps_posix_loop *loop; /* whose context it lives in; accesses borrow it */
    struct avps_kvm_irq *irq;
    uint32_t line;
    bool raised;
    bool attached;                   /* to standard input and output */
    struct avps_posix_source source; /* standard input */
    struct termios before;           /* of the terminal */
    bool has_terminal;
    void (*escaped)(void *ctx); /* control-] was typed */
    void *ctx;
    uint32_t registers[SERIAL_REGISTERS];
    uint8_t fifo[SERIAL_FIFO]; /* what was typed */
    uint32_t first;
    uint32_t count;
};

/* Set up; not attached, it swallows what is written. loop, irq, line, escaped and ctx are filled in. */
enum avps_status serial_init(struct serial *serial, bool attach);

/* Give the terminal its mode back. */
void serial_free(struct serial *serial);

/* An access of the guest (bus_serve); ctx is the struct serial. */
void serial_serve(void *ctx, struct bus_access *access);

void serial_reset(struct serial *serial);

void serial_save(const struct serial *serial, struct state_out *out);

/* @return false: that is no state of it. */
bool serial_load(struct serial *serial, struct state_in *in);

/* ---- for the models ---- */

/* A byte that was typed; the FIFO is not empty. */
uint8_t serial_take(struct serial *serial);

void serial_send(const struct serial *serial, uint8_t byte);

/* ---- by the models ---- */

uint32_t serial_model_read(struct serial *serial, uint64_t offset);
void serial_model_write(struct serial *serial, uint64_t offset, uint32_t value);

/* Whether the wire is high. */
bool serial_model_interrupts(const struct serial *serial);

#endif
