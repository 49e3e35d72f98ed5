/* SPDX-License-Identifier: BSD-3-Clause */
/* Which guests there are and what they get: a platform file (port/common) that the loader left in memory,
 * or without one a single guest with all four devices. */
#ifndef HYP_PLAN_H
#define HYP_PLAN_H

#include "avps_common/platform.h"
#include "host.h"

/* Resources: a disk's is a RAM disk of its own, or one that several share if none of them writes; a console's
 * the terminal on the UART, its further ports' an echo; a network's uplink leads to partner.h. */

/* @param[out] line  What is wrong with the file. @return NULL: it is wrong. The same at every call. */
const struct avps_platform *plan_read(const struct host *host, struct avps_platform_line *line);

#endif
