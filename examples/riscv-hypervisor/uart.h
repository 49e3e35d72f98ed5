/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine's UART (16550), polled, and lines of the hypervisor's own on it. */
#ifndef HYP_UART_H
#define HYP_UART_H

#include <stdbool.h>
#include <stdint.h>

/* Raw bytes, as a terminal relay needs them. */
void uart_write(const uint8_t *bytes, uint32_t len);

/* @return false when no byte has arrived. */
bool uart_read(uint8_t *byte);

/* A line of the hypervisor's own, put together piece by piece: "hyp: text name=value ...". */
void uart_begin(const char *text);
void uart_text(const char *text);
void uart_field(const char *name, uint64_t value);
void uart_field_hex(const char *name, uint64_t value);
void uart_end(void);

#endif
