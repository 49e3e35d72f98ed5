/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's devices: a console on the machine's UART, and an entropy source. */
#ifndef HYP_DEVICES_H
#define HYP_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "rv_port.h"

/* Create them over guest memory at `ram`. @return false if one of them could not be made. */
bool devices_init(uint8_t *ram);

struct rv_guest *devices_guest(void);

/* Serve what has work; bounded, the rest follows after the guest ran for a while. */
void devices_run(void);

/* The guest restarts. */
void devices_reset(void);

/* One line per device and queue: "hyp: report ...". */
void devices_report(void);

#endif
