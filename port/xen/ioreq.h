/* SPDX-License-Identifier: BSD-3-Clause */
/* The pages through which Xen hands over a guest's register accesses: what they say, and the answer. The
 * guest chose address and value of an access; the pages themselves are Xen's. */
#ifndef IOREQ_H
#define IOREQ_H

#include <stdint.h>

#include <xen/xen.h>

#include <xen/hvm/ioreq.h>

#include "avps_common/windows.h"

enum ioreq_kind {
    IOREQ_NONE,   /* nothing: do not answer */
    IOREQ_ACCESS, /* an access */
    IOREQ_FLUSH,  /* the guest gave pages back: mappings of them are stale */
    IOREQ_UNKNOWN /* something that no window serves */
};

/* Take what is asked in the slot of a virtual CPU, which waits for the answer. A load's value is all ones
 * until it is served. */
enum ioreq_kind ioreq_take(struct ioreq *slot, struct avps_window_access *access);

/* Answer: the value of a load, anything for the rest. Notify the event channel afterwards. */
void ioreq_answer(struct ioreq *slot, uint64_t value);

/* Take the oldest of the stores that nobody waits for. Xen sends only such below 1 MiB.
 * @return false: there is none. */
bool ioreq_take_buffered(struct buffered_iopage *page, struct avps_window_access *access);

#endif
