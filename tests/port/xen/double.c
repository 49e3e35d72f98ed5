/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory -> foreign mappings -> grants -> IOREQ server -> events. */
#include "double.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

struct xen_double xen;
static int double_memory = -1;

/* ---- guest memory ---- */

void double_init(void)
{
    xen = (struct xen_double){.pending = -1};
    double_memory = memfd_create("xen-guest", MFD_CLOEXEC);
    if (double_memory < 0 ||
        ftruncate(double_memory, (off_t)DOUBLE_PAGES * (off_t)DOUBLE_PAGE) != 0) {
        abort();
    }
    xen.ram = mmap(NULL, (size_t)DOUBLE_PAGES * DOUBLE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
                   double_memory, 0);
}

void double_free(void)
{
    (void)munmap(xen.ram, (size_t)DOUBLE_PAGES * DOUBLE_PAGE);
    (void)close(double_memory);
    free(xen.server);
}

uint32_t double_mapped(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long first = 0;
    unsigned long end = 0;
    uint32_t pages = 0;
    char line[512];

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, "memfd:xen-guest") != NULL && sscanf(line, "%lx-%lx", &first, &end) == 2 &&
            first != (unsigned long)(uintptr_t)xen.ram) {
            pages += (uint32_t)((end - first) / DOUBLE_PAGE);
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    return pages;
}

static bool double_map(uint8_t *at, uint64_t page, int protection)
{
    return mmap(at, DOUBLE_PAGE, protection, MAP_SHARED | MAP_FIXED, double_memory,
                (off_t)(page * DOUBLE_PAGE)) != MAP_FAILED;
}

/* ---- foreign mappings ---- */

void *xenforeignmemory_map2(xenforeignmemory_handle *handle, uint32_t domain, void *address,
                            int protection, int flags, size_t pages, const xen_pfn_t frames[],
                            int errors[])
{
    (void)handle;
    xen.map_calls++;
    if (xen.map_errno != 0 || domain != DOUBLE_DOMAIN || flags != MAP_FIXED) {
        errno = xen.map_errno;
        return NULL;
    }
    for (size_t i = 0; i < pages; i++) {
        const uint64_t page = frames[i] - DOUBLE_GPA / DOUBLE_PAGE;
        const bool is_there = page < DOUBLE_PAGES && !xen.hole[page];

        errors[i] = is_there && double_map((uint8_t *)address + i * DOUBLE_PAGE, page, protection)
                        ? 0
                        : ENOENT;
    }
    return address;
}

/* ---- grants ---- */

static bool grant_allows(uint32_t ref, uint32_t domain, int protection)
{
    return domain == DOUBLE_DOMAIN && ref < DOUBLE_GRANTS && xen.grants[ref].granted &&
           !(xen.grants[ref].read_only && (protection & PROT_WRITE) != 0);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domain,
                                      uint32_t *refs, int protection)
{
    (void)handle;
    xen.grant_calls++;
    errno = xen.grant_errno;
    for (uint32_t i = 0; i < count && errno == 0; i++) {
        errno = grant_allows(refs[i], domain, protection) ? 0 : EINVAL;
    }
    if (errno != 0) {
        return NULL;
    }
    uint8_t *host =
        mmap(NULL, (size_t)count * DOUBLE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (uint32_t i = 0; i < count; i++) {
        if (!double_map(host + (size_t)i * DOUBLE_PAGE, xen.grants[refs[i]].page, protection)) {
            abort();
        }
    }
    xen.grant_pages += count;
    return host;
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
    (void)handle;
    if (xen.unmap_errno != 0) {
        errno = xen.unmap_errno;
        return -1;
    }
    xen.grant_pages -= count;
    return munmap(address, (size_t)count * DOUBLE_PAGE);
}

/* ---- IOREQ server ---- */

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *handle, domid_t domain, int buffered,
                                       ioservid_t *id)
{
    (void)handle;
    if (xen.fails_server || domain != DOUBLE_DOMAIN) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (buffered != HVM_IOREQSRV_BUFIOREQ_OFF && !xen.has_buffered) {
        errno = EINVAL; /* as on arm64 */
        return -1;
    }
    *id = 5;
    return 0;
}

int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *handle, domid_t domain,
                                        ioservid_t id)
{
    (void)handle;
    (void)domain;
    xen.destroyed = id == 5U;
    return 0;
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *handle, domid_t domain,
                                                ioservid_t id, int is_mmio, uint64_t start,
                                                uint64_t end)
{
    (void)handle;
    (void)domain;
    if (id != 5U || is_mmio != 1 || xen.range_count == sizeof xen.ranges / sizeof xen.ranges[0]) {
        errno = EEXIST;
        return -1;
    }
    xen.ranges[xen.range_count][0] = start;
    xen.ranges[xen.range_count++][1] = end;
    return 0;
}

int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *handle, domid_t domain,
                                          ioservid_t id, int enabled)
{
    (void)handle;
    (void)domain;
    (void)id;
    xen.enabled = enabled == 1;
    for (uint32_t i = 0; i < DOUBLE_CPUS; i++) {
        xen.server->slots[i].vp_eport = 40U + i;
    }
    return 0;
}

int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *handle, domid_t domain,
                                         ioservid_t id, xen_pfn_t *slots, xen_pfn_t *buffered,
                                         evtchn_port_t *port)
{
    (void)handle;
    (void)domain;
    (void)id;
    *port = 39;
    return slots == NULL && buffered == NULL ? 0 : -1;
}

int xendevicemodel_nr_vcpus(xendevicemodel_handle *handle, domid_t domain, unsigned int *count)
{
    (void)handle;
    (void)domain;
    *count = DOUBLE_CPUS;
    return 0;
}

int xendevicemodel_set_irq_level(xendevicemodel_handle *handle, domid_t domain, unsigned int irq,
                                 unsigned int level)
{
    (void)handle;
    (void)domain;
    xen.irq_calls++;
    xen.irq = irq;
    xen.irq_high = level == 1U;
    return xen.fails_irq ? -1 : 0;
}

xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *handle, domid_t domain, unsigned int type,
                              unsigned int id, unsigned long frame, unsigned long count,
                              void **address, int protection, int flags)
{
    (void)handle;
    (void)domain;
    (void)type;
    (void)id;
    (void)protection;
    (void)flags;
    if (frame + count != 2U || (frame == 0U && !xen.has_buffered)) {
        errno = EINVAL;
        return NULL;
    }
    xen.server = aligned_alloc(DOUBLE_PAGE, sizeof *xen.server);
    (void)memset(xen.server, 0, sizeof *xen.server);
    *address = frame == 0U ? (void *)&xen.server->buffered : (void *)xen.server->slots;
    return (void *)xen.server;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *handle,
                                    xenforeignmemory_resource_handle *resource)
{
    (void)handle;
    free(resource);
    xen.server = NULL;
    return 0;
}

/* ---- events ---- */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    (void)flags;
    return (void *)&xen;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    (void)handle;
    xen.bound = 0;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    (void)handle;
    return 1234;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domain,
                                                     evtchn_port_t port)
{
    (void)handle;
    return domain == DOUBLE_DOMAIN && port != 0U ? (int)(DOUBLE_EVENTS + xen.bound++) : -1;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    const int pending = xen.pending;

    (void)handle;
    xen.pending = -1;
    return pending;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    xen.notified = port;
    return 0;
}
