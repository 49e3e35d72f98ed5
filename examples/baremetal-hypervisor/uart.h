/* SPDX-License-Identifier: BSD-3-Clause */
/* The hypervisor's console: a PL011, and printing without format strings. */
#ifndef HYP_UART_H
#define HYP_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void uart_init(uintptr_t base);

/* Raw bytes, as a terminal relay needs them. */
void uart_write(const char *text, size_t len);

/* The input interrupt was taken; before reading, or one that comes in between is lost. */
void uart_acknowledge(void);

/* @return false when no byte has arrived. */
bool uart_read(char *byte);

/* Start a line of the hypervisor's own, on a fresh line: "hyp: ...". */
void uart_begin(void);
void uart_text(const char *text);
void uart_dec(uint64_t value);
void uart_hex(uint64_t value);

/* " name=value": the reports' building block. */
void uart_field(const char *name, uint64_t value);
void uart_end(void);

/* A whole line. */
void uart_say(const char *text);

#endif
