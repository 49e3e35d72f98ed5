/* SPDX-License-Identifier: BSD-3-Clause */
/* One guest: interrupts -> windows -> requests -> events -> life. */
#include "avps_xen/guest.h"

#include <errno.h>
#include <sys/mman.h>
#include <xen/memory.h>

#include "avps_xen/memory.h"
#include "ioreq.h"

#define VENDOR 0x53505641U /* "AVPS" */

_Static_assert(AVPS_XEN_CPUS * sizeof(struct ioreq) == AVPS_XEN_PAGE, "all slots are in a page");

/* ---- interrupts ---- */

static void guest_set_level(void *ctx, uint32_t line, bool high)
{
    struct avps_xen_guest *guest = ctx;

    if (xendevicemodel_set_irq_level(guest->config.model, guest->config.domain, line, high) != 0) {
        guest->counters.lost++;
    }
}

static const struct avps_irq_ops guest_irq_ops = {.set_level = guest_set_level};

/* ---- windows ---- */

enum avps_status avps_xen_guest_add(struct avps_xen_guest *guest, struct avps_device *device,
                                    uint64_t base, uint32_t irq)
{
    const struct avps_mmio_config config = {.device = device,
                                            .irq = &guest_irq_ops,
                                            .irq_ctx = guest,
                                            .irq_line = irq,
                                            .vendor_id = VENDOR};
    const enum avps_status status = avps_windows_add(&guest->windows, &config, base);

    if (status == AVPS_OK && xendevicemodel_map_io_range_to_ioreq_server(
                                 guest->config.model, guest->config.domain, guest->server, 1, base,
                                 base + AVPS_MMIO_SIZE - 1U) != 0) {
        return AVPS_E_IO;
    }
    return status;
}

/* ---- requests ---- */

static void guest_access(struct avps_xen_guest *guest, struct avps_window_access *access)
{
    struct avps_device *work = NULL;

    guest->counters.accesses++;
    guest->counters.unknown += avps_windows_access(&guest->windows, access, &work) ? 0U : 1U;
    if (work != NULL) {
        guest->config.work(guest->config.ctx, work);
    }
}

/* @return Whether there was something to answer. */
static bool guest_serve_cpu(struct avps_xen_guest *guest, struct ioreq *slot)
{
    struct avps_window_access access;
    const enum ioreq_kind kind = ioreq_take(slot, &access);

    if (kind == IOREQ_ACCESS) {
        guest_access(guest, &access);
    } else if (kind == IOREQ_FLUSH) {
        guest->config.flush(guest->config.ctx);
    } else if (kind == IOREQ_UNKNOWN) {
        guest->counters.unknown++;
    } else {
        return false;
    }
    ioreq_answer(slot, access.value);
    return true;
}

/* Stores that nobody waits for: as many as there are places, so that the guest cannot hold us here. */
static void guest_serve_buffered(struct avps_xen_guest *guest)
{
    struct avps_window_access access;

    for (uint32_t i = 0; i < IOREQ_BUFFER_SLOT_NUM; i++) {
        if (guest->buffered == NULL || !ioreq_take_buffered(guest->buffered, &access)) {
            return;
        }
        guest_access(guest, &access);
    }
}

/* ---- events ---- */

void avps_xen_guest_serve(struct avps_xen_guest *guest)
{
    const xenevtchn_port_or_error_t port = xenevtchn_pending(guest->events);

    if (port < 0) {
        return;
    }
    (void)xenevtchn_unmask(guest->events, (evtchn_port_t)port);
    guest_serve_buffered(guest); /* before what waits: they are older */
    for (unsigned int cpu = 0; cpu < guest->cpus; cpu++) {
        if (guest->ports[cpu] == (evtchn_port_t)port &&
            guest_serve_cpu(guest, &guest->slots[cpu])) {
            (void)xenevtchn_notify(guest->events, (evtchn_port_t)port);
        }
    }
}

int avps_xen_guest_fd(const struct avps_xen_guest *guest)
{
    return xenevtchn_fd(guest->events);
}

/* ---- life ---- */

/* Bind our end of a channel. */
static bool guest_bind(struct avps_xen_guest *guest, evtchn_port_t theirs, evtchn_port_t *ours)
{
    const xenevtchn_port_or_error_t port =
        xenevtchn_bind_interdomain(guest->events, guest->config.domain, theirs);

    *ours = (evtchn_port_t)port;
    return port >= 0;
}

static bool guest_bind_all(struct avps_xen_guest *guest)
{
    evtchn_port_t buffered = 0;
    bool bound = guest->buffered == NULL ||
                 (xendevicemodel_get_ioreq_server_info(guest->config.model, guest->config.domain,
                                                       guest->server, NULL, NULL, &buffered) == 0 &&
                  guest_bind(guest, buffered, &buffered));

    for (unsigned int cpu = 0; bound && cpu < guest->cpus; cpu++) {
        bound = guest_bind(guest, guest->slots[cpu].vp_eport, &guest->ports[cpu]);
    }
    return bound;
}

enum avps_status avps_xen_guest_start(struct avps_xen_guest *guest)
{
    const bool started = xendevicemodel_set_ioreq_server_state(
                             guest->config.model, guest->config.domain, guest->server, 1) == 0 &&
                         guest_bind_all(guest);

    return started ? AVPS_OK : AVPS_E_IO;
}

static bool guest_make_server(struct avps_xen_guest *guest, int buffered)
{
    guest->has_server =
        xendevicemodel_create_ioreq_server(guest->config.model, guest->config.domain, buffered,
                                           &guest->server) == 0;
    return guest->has_server;
}

/* The page of the slots, behind that of the buffered stores where there are any. */
static bool guest_map_pages(struct avps_xen_guest *guest, bool buffered)
{
    uint8_t *pages = NULL;

    guest->resource = xenforeignmemory_map_resource(
        guest->config.memory, guest->config.domain, XENMEM_resource_ioreq_server, guest->server,
        buffered ? XENMEM_resource_ioreq_server_frame_bufioreq
                 : XENMEM_resource_ioreq_server_frame_ioreq(0),
        buffered ? 2 : 1, (void **)&pages, PROT_READ | PROT_WRITE, 0);
    if (guest->resource != NULL) {
        guest->buffered = buffered ? (void *)pages : NULL;
        guest->slots = (void *)(buffered ? pages + AVPS_XEN_PAGE : pages);
    }
    return guest->resource != NULL;
}

/* With buffered stores where Xen has them: on arm64 it has none. */
static bool guest_open_server(struct avps_xen_guest *guest)
{
    guest->events = xenevtchn_open(NULL, 0);
    if (guest->events == NULL) {
        return false;
    }
    const bool buffered = guest_make_server(guest, HVM_IOREQSRV_BUFIOREQ_ATOMIC);

    return (buffered || (errno == EINVAL && guest_make_server(guest, HVM_IOREQSRV_BUFIOREQ_OFF))) &&
           guest_map_pages(guest, buffered) &&
           xendevicemodel_nr_vcpus(guest->config.model, guest->config.domain, &guest->cpus) == 0 &&
           guest->cpus <= AVPS_XEN_CPUS;
}

enum avps_status avps_xen_guest_open(struct avps_xen_guest *guest,
                                     const struct avps_xen_guest_config *config)
{
    *guest = (struct avps_xen_guest){.config = *config};
    guest->windows = (struct avps_windows){guest->window_storage, AVPS_XEN_WINDOWS, 0};
    return guest_open_server(guest) ? AVPS_OK : AVPS_E_IO;
}

void avps_xen_guest_close(struct avps_xen_guest *guest)
{
    if (guest->resource != NULL) {
        (void)xenforeignmemory_unmap_resource(guest->config.memory, guest->resource);
    }
    if (guest->has_server) { /* fails when the guest is gone, and the server with it */
        (void)xendevicemodel_destroy_ioreq_server(guest->config.model, guest->config.domain,
                                                  guest->server);
    }
    if (guest->events != NULL) {
        (void)xenevtchn_close(guest->events);
    }
    *guest = (struct avps_xen_guest){0};
}
