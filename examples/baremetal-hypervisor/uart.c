/* SPDX-License-Identifier: BSD-3-Clause */
/* PL011 driver (polled output, interrupt-driven input) and line printing. */
#include "uart.h"

#include <string.h>

#include "arch.h"
#include "lock.h"

#define UART_DR   0x00U
#define UART_FR   0x18U
#define UART_LCRH 0x2cU
#define UART_IMSC 0x38U
#define UART_ICR  0x44U

#define UART_FR_RX_EMPTY (1U << 4)
#define UART_FR_TX_FULL  (1U << 5)
#define UART_LCRH_8BIT   (3U << 5)
#define UART_LCRH_FIFO   (1U << 4)
#define UART_INT_RX      (1U << 4)
#define UART_INT_TIMEOUT (1U << 6)

static uintptr_t uart_base;
static bool uart_mid_line; /* a guest left the cursor inside a line */
static struct lock uart_lock;

void uart_init(uintptr_t base)
{
    uart_base = base;
    arch_mmio_write32(uart_base + UART_LCRH, UART_LCRH_8BIT | UART_LCRH_FIFO);
    arch_mmio_write32(uart_base + UART_ICR, 0x7ffU);
    arch_mmio_write32(uart_base + UART_IMSC, UART_INT_RX | UART_INT_TIMEOUT);
}

static void uart_put(char byte)
{
    while ((arch_mmio_read32(uart_base + UART_FR) & UART_FR_TX_FULL) != 0U) {
    }
    arch_mmio_write32(uart_base + UART_DR, (uint8_t)byte);
    uart_mid_line = byte != '\n' && (byte != '\r' || uart_mid_line);
}

void uart_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uart_put(text[i]);
    }
}

void uart_relay(const char *text, size_t len)
{
    lock_take(&uart_lock);
    uart_write(text, len);
    lock_give(&uart_lock);
}

void uart_acknowledge(void)
{
    arch_mmio_write32(uart_base + UART_ICR, UART_INT_RX | UART_INT_TIMEOUT);
}

bool uart_read(char *byte)
{
    if ((arch_mmio_read32(uart_base + UART_FR) & UART_FR_RX_EMPTY) != 0U) {
        return false;
    }
    *byte = (char)(arch_mmio_read32(uart_base + UART_DR) & 0xffU);
    return true;
}

void uart_text(const char *text)
{
    uart_write(text, strlen(text));
}

void uart_take(void)
{
    lock_take(&uart_lock);
    if (uart_mid_line) {
        uart_text("\r\n");
    }
}

void uart_begin(void)
{
    uart_take();
    uart_text("hyp: ");
}

void uart_begin_anyway(void)
{
    uart_text("\r\nhyp: ");
}

void uart_dec(uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + (char)(value % 10U));
        value /= 10U;
    } while (value != 0U);
    uart_write(&digits[at], sizeof digits - at);
}

void uart_hex(uint64_t value)
{
    uart_text("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        uart_put("0123456789abcdef"[(value >> shift) & 15U]);
    }
}

void uart_field(const char *name, uint64_t value)
{
    uart_text(" ");
    uart_text(name);
    uart_text("=");
    uart_dec(value);
}

void uart_end(void)
{
    uart_text("\r\n");
    lock_give(&uart_lock);
}

void uart_say(const char *text)
{
    uart_begin();
    uart_text(text);
    uart_end();
}
