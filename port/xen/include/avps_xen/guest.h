/* SPDX-License-Identifier: BSD-3-Clause */
/** @file guest.h
 *  The register windows of one guest: an IOREQ server that takes the accesses of all its virtual CPUs,
 *  and interrupts by the device-model call.
 *
 *  Memory: the caller's. Threads: one context per guest. Guest: any access
 *  is safe.
 *
 *  Order: avps_xen_guest_open, avps_xen_guest_add per device, avps_xen_guest_start, then
 *  avps_xen_guest_serve whenever avps_xen_guest_fd is readable. Where guest memory is, is not this
 *  header's: see memory.h.
 */
#ifndef AVPS_XEN_GUEST_H
#define AVPS_XEN_GUEST_H

#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "avps/mmio.h"
#include "avps_common/windows.h"

/** Most windows of a guest. */
#define AVPS_XEN_WINDOWS 16U

/** Most virtual CPUs of a guest: slots in the server's page. */
#define AVPS_XEN_CPUS 128U

/** What is served. Copied; handles are borrowed. All but `ctx` is required. */
struct avps_xen_guest_config {
    xendevicemodel_handle *model;    /**< For the server and interrupts. */
    xenforeignmemory_handle *memory; /**< For the server's pages. */
    domid_t domain;                  /**< The guest. */
    /** Poll this device soon. Must not call the port. */
    void (*work)(void *ctx, struct avps_device *device);
    /** The guest gave pages back: avps_xen_foreign_flush soon, when no request is in flight. Must not
     *  call the port. */
    void (*flush)(void *ctx);
    void *ctx; /**< Handed to both. */
};

/** What happened. */
struct avps_xen_guest_counters {
    uint64_t accesses; /**< Register accesses. */
    uint64_t unknown;  /**< Requests that no window serves. */
    uint64_t lost;     /**< Interrupts that Xen did not take. */
};

/** One guest. Its fields but `counters` are private. */
struct avps_xen_guest {
    struct avps_xen_guest_counters counters;             /**< What happened. */
    struct avps_xen_guest_config config;                 /**< As configured. */
    xenevtchn_handle *events;                            /**< All event channels. */
    xenforeignmemory_resource_handle *resource;          /**< The pages of the server. */
    struct buffered_iopage *buffered;                    /**< NULL: Xen knows no buffered stores. */
    struct ioreq *slots;                                 /**< One for each CPU. */
    ioservid_t server;                                   /**< Its number. */
    bool has_server;                                     /**< It is there. */
    unsigned int cpus;                                   /**< Virtual CPUs. */
    evtchn_port_t ports[AVPS_XEN_CPUS];                  /**< Our ends of their event channels. */
    struct avps_windows windows;                         /**< Devices. */
    struct avps_window window_storage[AVPS_XEN_WINDOWS]; /**< Theirs. */
};

/** Open: make the server and map its pages. The guest does not run yet, or does not use the windows.
 *  @param[out] guest  Stays where it is. Close it, also if this failed.
 *  @return AVPS_OK; AVPS_E_IO (errno): Xen refused. EOPNOTSUPP: it has no IOREQ servers, an option of its
 *  build (CONFIG_IOREQ_SERVER). */
AVPS_NODISCARD enum avps_status avps_xen_guest_open(struct avps_xen_guest *guest,
                                                    const struct avps_xen_guest_config *config);

/** Show a device to the guest, before avps_xen_guest_start.
 *  @param device  Initialised, without a transport. NULL: a window without a device, which a guest
 *                 leaves alone.
 *  @param base    Guest address of the window, of AVPS_MMIO_SIZE bytes.
 *  @param irq     Interrupt, as Xen counts them: 32 is the first shared one.
 *  @return AVPS_OK; AVPS_E_NOSPACE: AVPS_XEN_WINDOWS; AVPS_E_IO (errno): the range is taken; what
 *  avps_mmio_init returns. */
AVPS_NODISCARD enum avps_status avps_xen_guest_add(struct avps_xen_guest *guest,
                                                   struct avps_device *device, uint64_t base,
                                                   uint32_t irq);

/** Take accesses from now on. @return AVPS_OK; AVPS_E_IO (errno). */
AVPS_NODISCARD enum avps_status avps_xen_guest_start(struct avps_xen_guest *guest);

/** Readable: call avps_xen_guest_serve. Valid until close. */
int avps_xen_guest_fd(const struct avps_xen_guest *guest);

/** Serve one event: waits for it if there is none. */
void avps_xen_guest_serve(struct avps_xen_guest *guest);

/** Take the windows away: an access now is an abort in the guest. No device may be polled any more.
 *  Nothing happens if it is all zero. */
void avps_xen_guest_close(struct avps_xen_guest *guest);

#endif
