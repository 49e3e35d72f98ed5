/* SPDX-License-Identifier: BSD-3-Clause */
/* The network: the guest, its partner and a bystander on one switch. See devices.h. */
#ifndef HYP_NETWORK_H
#define HYP_NETWORK_H

#include <stdint.h>

#include "avps/status.h"

enum avps_status network_add(void);
void network_run(void);
uint64_t network_due_ns(void);
void network_report(void);

#endif
