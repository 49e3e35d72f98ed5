/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kind of load and store once at a device's registers: what the hypervisor has to decode. */
#ifndef GUEST_ACCESS_H
#define GUEST_ACCESS_H

#include <stdint.h>

/* @return the name of the first instruction whose result was not the expected one; NULL: all good.
 * Puts their number into `*count`. Leaves the console's feature selectors changed, and nothing else. */
const char *access_check(uint32_t *count);

#endif
