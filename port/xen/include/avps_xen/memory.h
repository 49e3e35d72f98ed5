/* SPDX-License-Identifier: BSD-3-Clause */
/** @file memory.h
 *  A guest's memory, two ways: foreign mappings, for a program that may map all of it, as in the control
 *  domain; and grants, for one that sees only what the guest gives it for each request. Chosen for each
 *  device.
 *
 *  Memory: the caller's, and what avps_xen_foreign_open allocates. Threads: one context per guest. Guest: any address is
 *  safe: what the guest does not have or did not grant is refused, and not touched.
 */
#ifndef AVPS_XEN_MEMORY_H
#define AVPS_XEN_MEMORY_H

#include <stdint.h>

#include <xenforeignmemory.h>
#include <xengnttab.h>

#include "avps/mem.h"

/** Bytes of a page, whatever the guest's own are: Xen maps and grants these. */
#define AVPS_XEN_PAGE 4096U

/** Pages of a guest that are mapped. Nothing is leaked if `live` is 0 when its devices are gone. */
struct avps_xen_pages {
    uint64_t live;    /**< Now. */
    uint64_t peak;    /**< At most. */
    uint64_t calls;   /**< Calls that mapped or unmapped some. */
    uint64_t refused; /**< Requests for pages that the guest does not have or did not grant. */
};

/** Foreign mappings, kept: the translate contract of avps/mem.h. The guest's memory has one place in this
 *  process, reserved at open. Pages are mapped into it in pieces when a device first needs one of them, and
 *  stay: mapping takes hypercalls. At most the whole guest is mapped. */
struct avps_xen_foreign {
    struct avps_xen_pages pages;     /**< What is mapped. The rest is private. */
    xenforeignmemory_handle *handle; /**< Xen. */
    uint32_t domain;                 /**< The guest. */
    avps_gpa gpa;                    /**< Where its memory begins. */
    uint64_t size;                   /**< Bytes to its end. */
    uint8_t *host;                   /**< Where `gpa` is; NULL: not open. */
    struct avps_xen_piece *pieces;   /**< What of it is mapped. */
};

/** Reserve room; nothing is mapped yet.
 *  @param[out] foreign  Close it, also if this failed.
 *  @param handle        Borrowed. @param domain  The guest.
 *  @param gpa           Where its memory begins, a multiple of AVPS_XEN_PAGE.
 *  @param bytes         From there to the end of its memory, whatever holes are in between; a multiple
 *                       of AVPS_XEN_PAGE.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_NOSPACE (errno). */
AVPS_NODISCARD enum avps_status avps_xen_foreign_open(struct avps_xen_foreign *foreign,
                                                      xenforeignmemory_handle *handle,
                                                      uint32_t domain, avps_gpa gpa,
                                                      uint64_t bytes);

/** Fill in a handle for devices of the guest; any number of them. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_xen_foreign_mem(struct avps_xen_foreign *foreign,
                                                     struct avps_mem *mem);

/** The guest gave pages back to Xen: forget all mappings but those of live rings, so that the pages
 *  become free. No request may be in flight: see avps_quiesce. */
void avps_xen_foreign_flush(struct avps_xen_foreign *foreign);

/** Unmap all; the devices are reset or gone. Nothing happens if it is all zero. */
void avps_xen_foreign_close(struct avps_xen_foreign *foreign);

/** Bit of an address that says that it is a grant: bits 12 to 43 are the reference of its page. A range
 *  of several pages is one of consecutive references. */
#define AVPS_XEN_GRANT_ADDRESS ((avps_gpa)1 << 63)

/** Grants: the map contract of avps/mem.h. All pages of a chain are mapped by two calls, one for what the
 *  device reads and one for what it writes, and unmapped before the guest sees that the chain is used.
 *  Rings stay mapped while their queue is enabled. A device with such memory has ACCESS_PLATFORM, and its
 *  device-tree node names the node of avps_fdt_write_xen_grants (avps/fdt.h) as its IOMMU. */
struct avps_xen_grants {
    struct avps_xen_pages pages; /**< What is mapped; starts all zero. The rest is yours to set. */
    xengnttab_handle *handle;    /**< Xen. */
    uint32_t domain;             /**< The guest. */
    uint32_t limit;              /**< Most pages that one side of a chain, or a ring, may have: with
                                      more the guest is at fault. */
    uint32_t *refs;              /**< Storage for `limit` references. */
};

/** Fill in a handle for devices of the guest; any number of them. @return AVPS_OK; AVPS_E_PARAM. */
AVPS_NODISCARD enum avps_status avps_xen_grants_mem(struct avps_xen_grants *grants,
                                                    struct avps_mem *mem);

#endif
