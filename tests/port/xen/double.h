/* SPDX-License-Identifier: BSD-3-Clause */
/* Doubles of Xen's libraries for one guest: its memory is a memfd, of which they map what a test lets
 * them; grants, event channels and device-model calls are tables. */
#ifndef XEN_DOUBLE_H
#define XEN_DOUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/hvm/ioreq.h>

#define DOUBLE_PAGE   4096U
#define DOUBLE_DOMAIN 7U
#define DOUBLE_GPA    0x40000000U /* where the guest's memory begins */
#define DOUBLE_PAGES  600U
#define DOUBLE_GRANTS 64U
#define DOUBLE_CPUS   3U
#define DOUBLE_EVENTS 100U /* first of our ports: the one bound first */

struct double_grant {
    bool granted;
    bool read_only;
    uint32_t page; /* of the guest's memory */
};

struct xen_double {
    uint8_t *ram;            /* the guest's view */
    bool hole[DOUBLE_PAGES]; /* pages that the guest does not have */
    int map_errno;           /* foreign mappings fail as a whole */
    int grant_errno;         /* grant mappings fail */
    int unmap_errno;         /* so does unmapping them */
    struct double_grant grants[DOUBLE_GRANTS];
    uint32_t map_calls;   /* foreign */
    uint32_t grant_calls; /* mappings of grants */
    uint32_t grant_pages; /* mapped now */
    /* the IOREQ server */
    bool has_buffered; /* Xen knows buffered stores */
    bool fails_server; /* it has no servers at all */
    struct {
        struct buffered_iopage buffered;
        struct ioreq slots[DOUBLE_PAGE / sizeof(struct ioreq)];
    } * server; /* NULL: none is mapped */
    bool enabled;
    bool destroyed;
    uint64_t ranges[4][2];
    uint32_t range_count;
    uint32_t bound;    /* event channels */
    uint32_t notified; /* of our ports, the last */
    int pending;       /* port; negative: none */
    uint32_t irq;      /* the last that was set */
    bool irq_high;
    uint32_t irq_calls;
    bool fails_irq;
};

extern struct xen_double xen;

/* A guest with all of its memory, nothing granted, nothing mapped. */
void double_init(void);
void double_free(void);

/* Pages of the guest's memory that are mapped in this process, but for the guest's view: as the kernel
 * has them. */
uint32_t double_mapped(void);

#endif
