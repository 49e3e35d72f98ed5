/* SPDX-License-Identifier: BSD-3-Clause */
/* The registers of Arm's PL011. Nothing is slow here: the transmitter is always empty. */
#include "serial.h"

#define PL011_DR   0x000U /* data */
#define PL011_FR   0x018U /* flags */
#define PL011_IBRD 0x024U
#define PL011_FBRD 0x028U
#define PL011_LCR  0x02cU
#define PL011_CR   0x030U
#define PL011_IFLS 0x034U
#define PL011_IMSC 0x038U /* interrupt mask */
#define PL011_RIS  0x03cU /* raw interrupts */
#define PL011_MIS  0x040U /* masked interrupts */
#define PL011_ID   0xfe0U /* eight identification registers */

#define PL011_FR_RX_EMPTY 0x10U
#define PL011_FR_RX_FULL  0x40U
#define PL011_FR_TX_EMPTY 0x80U
#define PL011_INT_RX      0x10U
#define PL011_INT_TX      0x20U
#define PL011_INT_TIMEOUT 0x40U

static uint32_t pl011_flags(const struct serial *serial)
{
    uint32_t flags = PL011_FR_TX_EMPTY;

    flags |= serial->count == 0U ? PL011_FR_RX_EMPTY : 0U;
    flags |= serial->count == SERIAL_FIFO ? PL011_FR_RX_FULL : 0U;
    return flags;
}

static uint32_t pl011_raw(const struct serial *serial)
{
    return PL011_INT_TX | (serial->count != 0U ? PL011_INT_RX | PL011_INT_TIMEOUT : 0U);
}

bool serial_model_interrupts(const struct serial *serial)
{
    return (pl011_raw(serial) & serial->registers[SERIAL_MASK]) != 0U;
}

/* Which of the plain registers; SERIAL_REGISTERS: none of them. */
static enum serial_register pl011_plain(uint64_t offset)
{
    switch (offset) {
    case PL011_IBRD:
        return SERIAL_RATE;
    case PL011_FBRD:
        return SERIAL_FRACTION;
    case PL011_LCR:
        return SERIAL_LINE;
    case PL011_CR:
        return SERIAL_CONTROL;
    case PL011_IFLS:
        return SERIAL_LEVELS;
    case PL011_IMSC:
        return SERIAL_MASK;
    default:
        return SERIAL_REGISTERS;
    }
}

uint32_t serial_model_read(struct serial *serial, uint64_t offset)
{
    static const uint8_t id[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    const enum serial_register plain = pl011_plain(offset);

    if (plain != SERIAL_REGISTERS) {
        return serial->registers[plain];
    }
    if (offset >= PL011_ID) {
        return offset % 4U == 0U ? id[(offset - PL011_ID) / 4U] : 0U;
    }
    switch (offset) {
    case PL011_DR:
        return serial->count != 0U ? serial_take(serial) : 0U;
    case PL011_FR:
        return pl011_flags(serial);
    case PL011_RIS:
        return pl011_raw(serial);
    case PL011_MIS:
        return pl011_raw(serial) & serial->registers[SERIAL_MASK];
    default:
        return 0;
    }
}

void serial_model_write(struct serial *serial, uint64_t offset, uint32_t value)
{
    const enum serial_register plain = pl011_plain(offset);

    if (plain != SERIAL_REGISTERS) {
        serial->registers[plain] = value & 0xffffU;
    } else if (offset == PL011_DR) {
        serial_send(serial, (uint8_t)value);
    }
}
