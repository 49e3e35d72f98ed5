/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hostile driver does to the entropy device, and that it works afterwards. */
#ifndef GUEST_ATTACK_H
#define GUEST_ATTACK_H

#include <stdbool.h>
#include <stdint.h>

/* Doorbells and register accesses that make no sense: the device has to go on as if nothing was.
 * @return NULL; or which of them did harm. Puts their number into `*count`. */
const char *attack_registers(bool packed, uint32_t *count);

/* Chains that no device may follow: it has to stop and say so, and to work again after a reset.
 * @return and `*count` as above. */
const char *attack_chains(bool packed, uint32_t *count);

#endif
