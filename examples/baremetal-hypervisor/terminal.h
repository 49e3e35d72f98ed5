/* SPDX-License-Identifier: BSD-3-Clause */
/* What is behind the guest's console device. Port 0: the machine's UART, with an automatic operator
 * for tests. Port 1 ("bulk"): an echo. */
#ifndef HYP_TERMINAL_H
#define HYP_TERMINAL_H

#include <stdint.h>

#include "avps/console.h"
#include "ring.h"

#define TERMINAL_COLS 100U
#define TERMINAL_ROWS 30U
#define TERMINAL_LINE 64U
#define TERMINAL_BULK 1U /* port number */

struct terminal {
    struct avps_console *console;
    struct ring keys;         /* typed, on the way to the guest */
    struct ring bulk;         /* echo, on its way back */
    bool bulk_blocked;        /* the guest has more for the echo than fitted */
    char line[TERMINAL_LINE]; /* what the guest printed since the last newline */
    uint32_t line_len;
    uint64_t answers; /* questions of the guest that were answered */
    uint64_t echoed;  /* bytes that went back */
};

/* Descriptions of both ports. */
struct avps_console_port_config terminal_port0(struct terminal *terminal);
struct avps_console_port_config terminal_port1(struct terminal *terminal);

/* The UART has input. */
void terminal_typed(struct terminal *terminal);

/* Move what waits for the guest. */
void terminal_pump(struct terminal *terminal);

#endif
