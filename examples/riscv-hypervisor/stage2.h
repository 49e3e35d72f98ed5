/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's second stage of translation: its memory, and nothing else. */
#ifndef HYP_STAGE2_H
#define HYP_STAGE2_H

#include <stdint.h>

/* Show [host, host + 2 MiB) to the guest at `gpa`; both whole multiples of 2 MiB, gpa below 512 GiB. */
void stage2_init(uint64_t gpa, uint64_t host);

#endif
