/* SPDX-License-Identifier: BSD-3-Clause */
/* Network load in bursts of a whole ring. */
#ifndef AVPS_BENCH_LOAD_NET_H
#define AVPS_BENCH_LOAD_NET_H

#include "load.h"

/* `what`: "receive" (the back end makes frames), "transmit" (it drops them) or "forward" (it sends
 * them back). Frames of `size` bytes, 64..1518. Exits if it knows no such load. */
const struct load *load_net(const char *what, uint32_t size, bool mergeable);

#endif
