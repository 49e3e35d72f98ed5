/* SPDX-License-Identifier: BSD-3-Clause */
/* The console. Port 0: the machine's UART, with an automatic operator for tests. Port 1 ("bulk"): an
 * echo. See devices.h. */
#ifndef HYP_TERMINAL_H
#define HYP_TERMINAL_H

#include <stdint.h>

#include "avps/status.h"

enum avps_status terminal_add(void);
void terminal_run(void);
uint64_t terminal_due_ns(void);
void terminal_report(void);

/* The UART has input. */
void terminal_typed(void);

#endif
