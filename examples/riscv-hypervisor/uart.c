/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes -> lines. The firmware has set the UART up. */
#include "uart.h"

#include "line.h"

#define UART_BASE       0x10000000U /* QEMU's virt machine */
#define UART_DATA       0U
#define UART_STATUS     5U
#define UART_RECEIVED   0x01U
#define UART_SEND_EMPTY 0x20U

static bool uart_mid_line; /* the guest left the cursor inside a line */
static char uart_chars[640];
static struct line uart_line;

static volatile uint8_t *uart_register(uint32_t offset)
{
    return (volatile uint8_t *)(uintptr_t)(UART_BASE + offset);
}

void uart_write(const uint8_t *bytes, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        while ((*uart_register(UART_STATUS) & UART_SEND_EMPTY) == 0U) {
        }
        *uart_register(UART_DATA) = bytes[i];
        uart_mid_line = bytes[i] != '\n';
    }
}

bool uart_read(uint8_t *byte)
{
    if ((*uart_register(UART_STATUS) & UART_RECEIVED) == 0U) {
        return false;
    }
    *byte = *uart_register(UART_DATA);
    return true;
}

void uart_begin(const char *text)
{
    line_begin(&uart_line, uart_chars, sizeof uart_chars);
    line_text(&uart_line, uart_mid_line ? "\r\nhyp: " : "hyp: ");
    line_text(&uart_line, text);
}

void uart_text(const char *text)
{
    line_text(&uart_line, text);
}

void uart_field(const char *name, uint64_t value)
{
    line_text(&uart_line, " ");
    line_text(&uart_line, name);
    line_text(&uart_line, "=");
    line_number(&uart_line, value);
}

void uart_field_hex(const char *name, uint64_t value)
{
    line_text(&uart_line, " ");
    line_text(&uart_line, name);
    line_text(&uart_line, "=0x");
    for (uint32_t shift = 64; shift > 0U; shift -= 8U) {
        line_hex(&uart_line, (uint8_t)(value >> (shift - 8U)));
    }
}

void uart_end(void)
{
    line_text(&uart_line, "\r\n");
    uart_write((const uint8_t *)uart_line.text, (uint32_t)uart_line.used);
}
