/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's CPU and devices: interrupts, waiting, time. */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio.h"

#define MACHINE_PATIENCE_MS 2000U /* no request takes this long */

extern struct virtio machine_console;
extern struct virtio machine_entropy;

/* Find the devices; interrupts from then on. @return false if one is missing. */
bool machine_init(void);

uint64_t machine_now_ms(void);

/* Sleep until an interrupt has come, which is then handled, or some time has passed. */
void machine_wait(void);

/* Wait for an interrupt, and until the device used a buffer of the ring. @return false: not in time. */
bool machine_wait_used(struct ring *ring, uint16_t *id, uint32_t *len);

/* Called by start.S. */
void machine_trap(uint64_t cause, uint64_t pc);

#endif
