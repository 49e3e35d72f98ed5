/* SPDX-License-Identifier: BSD-3-Clause */
/* The device behind a transport that is fuzzed: an entropy device with one queue and plain memory. */
#ifndef AVPS_FUZZ_ENTROPY_H
#define AVPS_FUZZ_ENTROPY_H

#include <stdint.h>

#include "avps/rng.h"

#define ENTROPY_RAM 0x4000U /* bytes of guest memory, from address 0 */

struct entropy {
    struct avps_rng rng;
    struct avps_queue queue;
    struct avps_mem mem;
    struct avps_mem_region region;
    uint8_t *ram;
};

/* As after power-on, with memory of zeros. There is one: its storage is static. */
struct entropy *fuzz_entropy(void);

#endif
