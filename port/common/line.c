/* SPDX-License-Identifier: BSD-3-Clause */
/* Characters -> texts -> numbers. */
#include "line.h"

#define LINE_QUOTED 48U /* of a value, more says nothing more */

static void line_put(struct line *line, char c)
{
    if (line->used + 1U < line->size) {
        line->text[line->used] = c;
        line->used++;
        line->text[line->used] = '\0';
    }
}

void line_begin(struct line *line, char *text, size_t size)
{
    *line = (struct line){text, size, 0};
    text[0] = '\0';
}

void line_text(struct line *line, const char *text)
{
    for (; *text != '\0'; text++) {
        line_put(line, *text);
    }
}

void line_bytes(struct line *line, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const bool printable = bytes[i] >= ' ' && bytes[i] <= '~';

        line_put(line, (char)(printable ? bytes[i] : '?'));
    }
}

void line_quoted(struct line *line, const char *bytes, size_t len)
{
    line_text(line, "\"");
    line_bytes(line, bytes, len < LINE_QUOTED ? len : LINE_QUOTED);
    line_text(line, len <= LINE_QUOTED ? "\"" : "...\"");
}

void line_number(struct line *line, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        at--;
        digits[at] = (char)('0' + value % 10U);
        value /= 10U;
    } while (value != 0U);
    line_bytes(line, &digits[at], sizeof digits - at);
}

void line_hex(struct line *line, uint8_t value)
{
    static const char digits[] = "0123456789abcdef";

    line_put(line, digits[value >> 4U]);
    line_put(line, digits[value & 15U]);
}

bool line_same(const char *a, const char *b)
{
    size_t i = 0;

    while (a[i] == b[i] && a[i] != '\0') {
        i++;
    }
    return a[i] == b[i];
}

size_t line_length(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}
