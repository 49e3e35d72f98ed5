/* SPDX-License-Identifier: BSD-3-Clause */
/* What devices counted, machine-readable: "hyp: report <what> name=value ... vm=<guest>". */
#ifndef HYP_REPORT_H
#define HYP_REPORT_H

#include <stdint.h>

#include "bm_port.h"

struct guest;

/* Begin and end a line about `guest`; uart_field in between. */
void report_begin(const char *what);
void report_end(const struct guest *guest);

/* Every device of a board, and its queues that were used. */
void report_board(const struct guest *guest, const struct bm_board *board);

#endif
