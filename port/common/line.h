/* SPDX-License-Identifier: BSD-3-Clause */
/* A line for a person, put together piece by piece; too long ones are cut. */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text in `text`, of which `used` characters are there; always ended. */
struct line {
    char *text;
    size_t size; /* bytes at `text`, at least 1 */
    size_t used;
};

void line_begin(struct line *line, char *text, size_t size);

void line_text(struct line *line, const char *text);

/* At most `len` bytes that may be anything: what cannot be printed becomes '?'. */
void line_bytes(struct line *line, const char *bytes, size_t len);

/* The same between quotation marks, cut to a length that can be read. */
void line_quoted(struct line *line, const char *bytes, size_t len);

void line_number(struct line *line, uint64_t value);

/* Two hexadecimal digits. */
void line_hex(struct line *line, uint8_t value);

/* Whether two texts are the same. */
bool line_same(const char *a, const char *b);

/* Length of a text. */
size_t line_length(const char *text);

#endif
