/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting of mapped pages, for both ways to guest memory. */
#ifndef PAGES_H
#define PAGES_H

#include "avps_xen/memory.h"

/* So many more are mapped, or fewer. */
static inline void pages_count(struct avps_xen_pages *pages, int64_t change)
{
    pages->calls++;
    pages->live += (uint64_t)change;
    pages->peak = pages->live > pages->peak ? pages->live : pages->peak;
}

#endif
