/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver of the virtio console, and text on it. */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

/* Start the device anew with the given ring format. */
bool console_start(bool packed);

void console_text(const char *text);
void console_number(uint64_t value);

/* Read a line without its end; longer ones are cut at `size` - 1. @return its length. */
uint32_t console_read(char *text, uint32_t size);

/* Characters that went either way since the start of the guest. */
uint64_t console_written(void);
uint64_t console_received(void);

#endif
