/* SPDX-License-Identifier: BSD-3-Clause */
/* The hypervisor's console: a PL011, and printing without format strings, a line at a time. */
#ifndef HYP_UART_H
#define HYP_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void uart_init(uintptr_t base);

/* Raw bytes, as a terminal relay needs them. */
void uart_relay(const char *text, size_t len);

/* The input interrupt was taken; before reading, or one that comes in between is lost. */
void uart_acknowledge(void);

/* @return false when no byte has arrived. */
bool uart_read(char *byte);

/* Start a line, on a fresh line: of the hypervisor's own, "hyp: ...", or any. Until uart_end no other CPU
 * prints. */
void uart_begin(void);
void uart_take(void);

/* The same for the last words of a hypervisor that failed, whoever is printing. */
void uart_begin_anyway(void);

/* Parts of a line. */
void uart_write(const char *text, size_t len);
void uart_text(const char *text);
void uart_dec(uint64_t value);
void uart_hex(uint64_t value);

/* " name=value": the reports' building block. */
void uart_field(const char *name, uint64_t value);
void uart_end(void);

/* A whole line. */
void uart_say(const char *text);

#endif
