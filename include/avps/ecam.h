/* SPDX-License-Identifier: BSD-3-Clause */
/** @file ecam.h
 *  A PCI host for hypervisors that have none: an ECAM window of configuration spaces and a memory
 *  window of BARs, onto a table of functions.
 *
 *  Memory: the caller's. Threads: one context at a time for all functions of a host, doorbells
 *  included (where a BAR is may change at any access); for doorbells from other CPUs see
 *  avps_pci_doorbell. Guest: any offset, address, width and value is safe.
 */
#ifndef AVPS_ECAM_H
#define AVPS_ECAM_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/pci.h"
#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of guest address space to trap for `buses` buses, 1..256. */
#define AVPS_ECAM_SIZE(buses) ((uint64_t)(buses) << 20)

/** A function and its place. */
struct avps_ecam_slot {
    struct avps_pci *pci; /**< NULL: nothing there now. */
    uint8_t bus;          /**< From 0: what the window starts with. */
    uint8_t device;       /**< 0..31. */
    uint8_t function;     /**< 0..7. Others than 0 need function 0, with `multifunction`. */
};

/** What the embedder chooses. Copied at init; the table is borrowed. */
struct avps_ecam_config {
    const struct avps_ecam_slot *slots; /**< Required, every place once. */
    uint32_t slot_count;                /**< How many. */
    uint16_t bus_count;                 /**< Buses in the window, 1..256. */
    uint16_t bridge_vendor;             /**< Vendor ID of a host bridge at 00.0; 0: none there. */
    uint16_t bridge_device;             /**< Its device ID. */
};

/** One host. Fields are private. */
struct avps_ecam {
    struct avps_ecam_config config; /**< As given. */
};

/** @return AVPS_OK; AVPS_E_PARAM also for a place that is taken twice or that a driver cannot find. */
AVPS_NODISCARD enum avps_status avps_ecam_init(struct avps_ecam *ecam,
                                               const struct avps_ecam_config *config);

/** A guest load from the ECAM window.
 *  @param offset  From the window's start, any value. @param width  Bytes: 1, 2 or 4.
 *  @return The value, zero-extended; all ones where there is no function. */
uint64_t avps_ecam_read(struct avps_ecam *ecam, uint64_t offset, uint32_t width);

/** A guest store to the ECAM window; dropped where there is no function. */
void avps_ecam_write(struct avps_ecam *ecam, uint64_t offset, uint32_t width, uint64_t value);

/** A guest load from the memory window.
 *  @param address     As the BARs hold it: a PCI address, which is the guest address unless the
 *                     `ranges` of the host say otherwise.
 *  @param width       Bytes: 1, 2, 4 or 8.
 *  @param[out] value  All ones where no BAR decodes.
 *  @return Whether a BAR decodes the address; of several that do the first of the table answers. */
bool avps_ecam_mem_read(struct avps_ecam *ecam, uint64_t address, uint32_t width, uint64_t *value);

/** A guest store to the memory window. Never serves requests.
 *  @return Whether a BAR decodes the address. */
bool avps_ecam_mem_write(struct avps_ecam *ecam, uint64_t address, uint32_t width, uint64_t value);

#ifdef __cplusplus
}
#endif
#endif
