/* SPDX-License-Identifier: BSD-3-Clause */
/* The console device. Port 0 is a terminal on the UART: raw with one guest, else line by line, each with the
 * guest's name in front, and the operator behind it answers and obeys. Further ports are echoes. See
 * devices.h. */
#ifndef HYP_TERMINAL_H
#define HYP_TERMINAL_H

#include <stdint.h>

#include "avps/console.h"
#include "ring.h"

#define TERMINAL_PORTS  2U /* the terminal and one echo */
#define TERMINAL_QUEUES (2U * TERMINAL_PORTS + 2U)
#define TERMINAL_LINE   320U

struct terminal {
    struct avps_console console;
    struct avps_console_port ports[TERMINAL_PORTS];
    struct avps_queue queues[TERMINAL_QUEUES];
    struct ring keys;  /* typed, on the way to the guest */
    struct ring bulk;  /* echo, on its way back */
    bool bulk_blocked; /* the guest has more for the echo than fitted */
    uint64_t answers;  /* questions of the guest that were answered */
    uint64_t echoed;   /* bytes that went back */
};

/* What a guest prints, by its console or its early UART. */
struct terminal_screen {
    char line[TERMINAL_LINE]; /* since the last newline */
    uint32_t len;
    uint64_t second; /* in which `printed` is counted */
    uint32_t printed;
    uint64_t lost; /* bytes over the limit */
};

extern const struct devices_kind terminal_kind;

struct guest;

/* The guest's early console, before its console device: one byte. */
void terminal_early(struct guest *guest, char byte);

/* Someone types at the UART: it goes to `guest`'s first console. */
void terminal_typed(struct guest *guest);

#endif
