/* SPDX-License-Identifier: BSD-3-Clause */
/* The entropy device: a seeded source that runs dry once, for a fifth of a second. See devices.h. */
#ifndef HYP_ENTROPY_H
#define HYP_ENTROPY_H

#include <stdint.h>

#include "avps/status.h"

enum avps_status entropy_add(void);
void entropy_run(void);
uint64_t entropy_due_ns(void);
void entropy_report(void);

#endif
