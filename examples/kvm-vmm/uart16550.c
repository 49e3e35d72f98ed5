/* SPDX-License-Identifier: BSD-3-Clause */
/* The registers of a 16550, as a PC has it. Nothing is slow here: the transmitter is always empty. */
#include "serial.h"

#define UART_DATA    0U
#define UART_IER     1U /* wanted interrupts */
#define UART_IIR     2U /* read: why; write: FIFO control */
#define UART_LCR     3U
#define UART_MCR     4U
#define UART_LSR     5U
#define UART_MSR     6U
#define UART_SCRATCH 7U

#define UART_IER_DATA  0x01U
#define UART_IER_EMPTY 0x02U
#define UART_LCR_DLAB  0x80U
#define UART_IIR_NONE  0x01U
#define UART_IIR_EMPTY 0x02U
#define UART_IIR_DATA  0x04U
#define UART_IIR_FIFO  0xc0U
#define UART_LSR_DATA  0x01U
#define UART_LSR_EMPTY 0x60U
#define UART_MSR_READY 0xb0U /* carrier, data set ready, clear to send */

/* Why there is an interrupt, the most important first. */
static uint32_t uart_reason(const struct serial *serial)
{
    const uint32_t wanted = serial->registers[SERIAL_MASK];

    if ((wanted & UART_IER_DATA) != 0U && serial->count != 0U) {
        return UART_IIR_DATA;
    }
    if ((wanted & UART_IER_EMPTY) != 0U && serial->registers[SERIAL_SENT] != 0U) {
        return UART_IIR_EMPTY;
    }
    return UART_IIR_NONE;
}

bool serial_model_interrupts(const struct serial *serial)
{
    return uart_reason(serial) != UART_IIR_NONE;
}

/* Reading "empty" answers it. */
static uint32_t uart_read_reason(struct serial *serial)
{
    const uint32_t reason = uart_reason(serial);

    if (reason == UART_IIR_EMPTY) {
        serial->registers[SERIAL_SENT] = 0;
    }
    return reason | UART_IIR_FIFO;
}

static bool uart_is_rate(const struct serial *serial)
{
    return (serial->registers[SERIAL_LINE] & UART_LCR_DLAB) != 0U;
}

static uint32_t uart_read_data(struct serial *serial)
{
    if (uart_is_rate(serial)) {
        return serial->registers[SERIAL_RATE] & 0xffU;
    }
    return serial->count != 0U ? serial_take(serial) : 0U;
}

uint32_t serial_model_read(struct serial *serial, uint64_t offset)
{
    switch (offset) {
    case UART_DATA:
        return uart_read_data(serial);
    case UART_IER:
        return uart_is_rate(serial) ? serial->registers[SERIAL_RATE] >> 8U
                                    : serial->registers[SERIAL_MASK];
    case UART_IIR:
        return uart_read_reason(serial);
    case UART_LCR:
        return serial->registers[SERIAL_LINE];
    case UART_MCR:
        return serial->registers[SERIAL_CONTROL];
    case UART_LSR:
        return UART_LSR_EMPTY | (serial->count != 0U ? UART_LSR_DATA : 0U);
    case UART_MSR:
        return UART_MSR_READY;
    case UART_SCRATCH:
        return serial->registers[SERIAL_SCRATCH];
    default:
        return 0xffU;
    }
}

static void uart_write_data(struct serial *serial, uint32_t value)
{
    if (uart_is_rate(serial)) {
        serial->registers[SERIAL_RATE] = (serial->registers[SERIAL_RATE] & 0xff00U) | value;
        return;
    }
    serial_send(serial, (uint8_t)value);
    serial->registers[SERIAL_SENT] = 1;
}

static void uart_write_wanted(struct serial *serial, uint32_t value)
{
    if (uart_is_rate(serial)) {
        serial->registers[SERIAL_RATE] = (serial->registers[SERIAL_RATE] & 0xffU) | value << 8U;
        return;
    }
    if ((value & ~serial->registers[SERIAL_MASK] & UART_IER_EMPTY) != 0U) {
        serial->registers[SERIAL_SENT] = 1; /* wanted from now on, and it is empty */
    }
    serial->registers[SERIAL_MASK] = value & 0xfU;
}

void serial_model_write(struct serial *serial, uint64_t offset, uint32_t value)
{
    value &= 0xffU;
    switch (offset) {
    case UART_DATA:
        uart_write_data(serial, value);
        break;
    case UART_IER:
        uart_write_wanted(serial, value);
        break;
    case UART_LCR:
        serial->registers[SERIAL_LINE] = value;
        break;
    case UART_MCR:
        serial->registers[SERIAL_CONTROL] = value;
        break;
    case UART_SCRATCH:
        serial->registers[SERIAL_SCRATCH] = value;
        break;
    default:
        break;
    }
}
