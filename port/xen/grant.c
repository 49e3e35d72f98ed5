/* SPDX-License-Identifier: BSD-3-Clause */
/* Grants: addresses -> one mapping of many pages -> chains -> rings. */
#include "pages.h"

#include <errno.h>
#include <sys/mman.h>

/* ---- addresses ---- */

/* Pages that [gpa, gpa + len) touches, len > 0. */
static uint64_t grant_pages(avps_gpa gpa, uint64_t len)
{
    return (gpa % AVPS_XEN_PAGE + len + AVPS_XEN_PAGE - 1U) / AVPS_XEN_PAGE;
}

/* Add the references of a range to the batch, which has `count`. @return false: not granted. */
static bool grant_add(struct avps_xen_grants *grants, uint32_t *count, avps_gpa gpa, uint64_t len)
{
    const uint64_t first = (gpa & ~AVPS_XEN_GRANT_ADDRESS) / AVPS_XEN_PAGE;
    const uint64_t pages = grant_pages(gpa, len);

    if ((gpa & AVPS_XEN_GRANT_ADDRESS) == 0U || pages > grants->limit - *count ||
        first + pages - 1U > UINT32_MAX) {
        return false;
    }
    for (uint64_t i = 0; i < pages; i++) {
        grants->refs[(*count)++] = (uint32_t)(first + i);
    }
    return true;
}

/* ---- one mapping ---- */

/* Map the batch side by side; all of it, or none if Xen refuses one of the references. */
static enum avps_status batch_map(struct avps_xen_grants *grants, uint32_t count, int protection,
                                  uint8_t **host)
{
    *host = xengnttab_map_domain_grant_refs(grants->handle, count, grants->domain, grants->refs,
                                            protection);
    if (*host == NULL) {
        return errno == EINVAL ? AVPS_E_GUEST_ACCESS : errno == ENOMEM ? AVPS_AGAIN : AVPS_E_IO;
    }
    pages_count(&grants->pages, count);
    return AVPS_OK;
}

static void batch_unmap(struct avps_xen_grants *grants, uint8_t *host, uint32_t count)
{
    if (xengnttab_unmap(grants->handle, host, count) == 0) {
        pages_count(&grants->pages, -(int64_t)count);
    }
}

static enum avps_status grant_status(struct avps_xen_grants *grants, enum avps_status status)
{
    grants->pages.refused += avps_status_is_guest_fault(status) ? 1U : 0U;
    return status;
}

/* ---- chains ---- */

/* Map segments by one call and say where they are. */
static enum avps_status segs_map(struct avps_xen_grants *grants, struct avps_seg *segs,
                                 uint32_t count, int protection)
{
    enum avps_status status = AVPS_OK;
    uint8_t *host = NULL;
    uint32_t pages = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!grant_add(grants, &pages, segs[i].gpa, segs[i].len)) {
            return AVPS_E_GUEST_ADDR;
        }
    }
    if (count != 0U) {
        status = batch_map(grants, pages, protection, &host);
    }
    for (uint32_t i = 0; status == AVPS_OK && i < count; i++) {
        segs[i].ptr = host + segs[i].gpa % AVPS_XEN_PAGE;
        host += grant_pages(segs[i].gpa, segs[i].len) * AVPS_XEN_PAGE;
    }
    return status;
}

/* The inverse: the first segment is where the mapping begins. */
static void segs_unmap(struct avps_xen_grants *grants, const struct avps_seg *segs, uint32_t count)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < count; i++) {
        pages += grant_pages(segs[i].gpa, segs[i].len);
    }
    if (count != 0U) {
        batch_unmap(grants, segs->ptr - segs->gpa % AVPS_XEN_PAGE, (uint32_t)pages);
    }
}

/* The handle says how many segments the first of the two mappings has. */
static enum avps_status grant_map(void *ctx, struct avps_seg *segs, uint32_t count,
                                  uint32_t readable, uint64_t *handle)
{
    enum avps_status status = segs_map(ctx, segs, readable, PROT_READ);

    *handle = readable;
    if (status == AVPS_OK) {
        status = segs_map(ctx, segs + readable, count - readable, PROT_READ | PROT_WRITE);
        if (status != AVPS_OK) {
            segs_unmap(ctx, segs, readable);
        }
    }
    return grant_status(ctx, status);
}

static void grant_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    const uint32_t readable = (uint32_t)handle;

    segs_unmap(ctx, segs, readable);
    segs_unmap(ctx, segs + readable, count - readable);
}

/* ---- rings ---- */

static enum avps_status grant_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                                  uint8_t **ptr)
{
    const int protection = access == AVPS_ACCESS_READ ? PROT_READ : PROT_READ | PROT_WRITE;
    enum avps_status status = AVPS_E_GUEST_ADDR;
    uint32_t pages = 0;
    uint8_t *host = NULL;

    if (grant_add(ctx, &pages, gpa, len)) {
        status = batch_map(ctx, pages, protection, &host);
    }
    if (status == AVPS_OK) {
        *ptr = host + gpa % AVPS_XEN_PAGE;
    }
    return grant_status(ctx, status);
}

static void grant_unpin(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    batch_unmap(ctx, ptr - gpa % AVPS_XEN_PAGE, (uint32_t)grant_pages(gpa, len));
}

static const struct avps_mem_ops grant_ops = {
    .map = grant_map, .unmap = grant_unmap, .pin = grant_pin, .unpin = grant_unpin};

enum avps_status avps_xen_grants_mem(struct avps_xen_grants *grants, struct avps_mem *mem)
{
    return avps_mem_init_ops(mem, &grant_ops, grants);
}
