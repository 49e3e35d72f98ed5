/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver of the virtio entropy device. */
#ifndef GUEST_ENTROPY_H
#define GUEST_ENTROPY_H

#include <stdbool.h>
#include <stdint.h>

/* Start the device anew with the given ring format. */
bool entropy_start(bool packed);

/* Fill `bytes`. @return false: not in time, or the device said what cannot be. */
bool entropy_read(uint8_t *bytes, uint32_t len);

/* Read `total` bytes; every value has to come up about as often as the others.
 * @return NULL; or what was wrong. */
const char *entropy_check(uint32_t total);

/* For who wants to misuse it. */
struct ring *entropy_ring(void);

#endif
