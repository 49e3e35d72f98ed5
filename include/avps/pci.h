/* SPDX-License-Identifier: BSD-3-Clause */
/** @file pci.h
 *  Virtio over PCI: configuration space and memory BARs of one function, for the embedder's own PCI
 *  host or for ecam.h.
 *
 *  Memory: the caller's; the MSI-X table too. Threads: the device's context, except that a write to
 *  a doorbell (avps_pci_doorbell) may come from any context, like avps_kick, and that with MSI-X
 *  avps_poll_queue may run on one CPU per queue. Guest: any offset, width and value is safe; what is
 *  not allowed reads 0, writes nothing and is counted in `bad_accesses`.
 *
 *  The function is non-transitional. BAR 0 and 1 are one 64-bit memory BAR with all structures: every
 *  access to it is yours to trap and hand over. BAR 2 and 3, present if there are shared memory
 *  regions, are one 64-bit prefetchable BAR: you map the regions there, no access to it is handed
 *  over.
 */
#ifndef AVPS_PCI_H
#define AVPS_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/atomic.h"
#include "avps/device.h"
#include "avps/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of configuration space that have a meaning; up to AVPS_PCI_CONFIG_EXTENDED they read 0. */
#define AVPS_PCI_CONFIG_SIZE 256U

/** Bytes of configuration space of one function in an ECAM window. */
#define AVPS_PCI_CONFIG_EXTENDED 4096U

/** Most MSI-X vectors of a function. */
#define AVPS_PCI_VECTORS_MAX 2048U

/** BAR of the structures. */
#define AVPS_PCI_BAR 0U

/** BAR of the shared memory regions. */
#define AVPS_PCI_SHM_BAR 2U

/** One entry of the MSI-X table. Private; the storage is the caller's. */
struct avps_pci_vector {
    atomic_uint word[4]; /**< As the driver wrote it: address low and high, data, control. */
    atomic_uint pending; /**< 1: to be sent when nothing masks it any more. A word, as
                              avps_queue.kicked. */
};

/** A shared memory region of the device, in BAR AVPS_PCI_SHM_BAR. */
struct avps_pci_shm {
    uint8_t id;      /**< As the device type defines it; unique within the device. */
    uint64_t offset; /**< From the start of the BAR. */
    uint64_t length; /**< Bytes, not 0. */
};

/** How the function presents itself, which decides the capability for function level reset. */
enum avps_pci_kind {
    AVPS_PCI_INTEGRATED,  /**< PCI Express, root complex integrated endpoint: on the root bus. */
    AVPS_PCI_CONVENTIONAL /**< Conventional PCI, with the Advanced Features capability. */
};

/** What the embedder may want to know. All may be NULL. Must not call the library. */
struct avps_pci_ops {
    /** A BAR moved or was switched: map or unmap what follows it (ioeventfds, shared memory).
     *  @param address  Where it decodes when `enabled`. */
    void (*bar_changed)(void *ctx, uint32_t bar, uint64_t address, bool enabled);
};

/** What the embedder chooses. Copied at init; ops and vectors are borrowed. */
struct avps_pci_config {
    struct avps_device *device;      /**< Required: initialised. */
    const struct avps_irq_ops *irq;  /**< Required: with set_level if `pin`, msi if `vectors`. */
    void *irq_ctx;                   /**< Handed to the interrupt ops. */
    uint32_t irq_line;               /**< Handed to set_level. */
    uint8_t pin;                     /**< 1..4: INTA..INTD; 0: no INTx. */
    struct avps_pci_vector *vectors; /**< Storage of the MSI-X table; NULL: no MSI-X. */
    uint16_t vector_count;           /**< 2..AVPS_PCI_VECTORS_MAX, or 0 with NULL. One for the
                                          configuration and one a queue lets a driver use them all.
                                          Either `pin` or vectors must be there. */
    const struct avps_pci_ops *ops;  /**< May be NULL. */
    void *ops_ctx;                   /**< Handed to `ops`. */
    enum avps_pci_kind kind;         /**< Express or conventional. */
    bool multifunction;              /**< The slot has further functions; of function 0 only. */
    uint8_t revision;                /**< Revision ID; 0: 1. */
    uint32_t class_code;             /**< Class, subclass, interface: 24 bits; 0: by device type. */
    uint16_t subsystem_vendor;       /**< 0: the vendor ID. */
    uint16_t subsystem_id;           /**< At least 0x40; 0: the device ID. */
    const struct avps_pci_shm *shm;  /**< Shared memory regions, read at init only; may be NULL. */
    uint32_t shm_count;         /**< How many. Each takes 24 bytes of the capability list, in which
                                     at least 40 are left for them and vendor data; 76 on
                                     conventional PCI. */
    uint64_t shm_bar_size;      /**< A power of two from 4096; 0: the smallest that holds them. */
    uint16_t vendor_id;         /**< Of the vendor data capability: not 0x1af4; 0: none. */
    const uint8_t *vendor_data; /**< Its bytes, read at init only; NULL with vendor_size 0. */
    size_t vendor_size;         /**< How many; with 6 bytes before, padded to whole words. */
};

/** Place of the structures in BAR AVPS_PCI_BAR. Private. */
struct avps_pci_layout {
    uint32_t pba;    /**< MSI-X pending bits. */
    uint32_t notify; /**< Doorbells. */
    uint32_t size;   /**< Bytes of the BAR, a power of two. */
};

/** One function. Fields are private. */
struct avps_pci {
    struct avps_device *device;             /**< The device. */
    const struct avps_irq_ops *irq;         /**< Interrupts. */
    void *irq_ctx;                          /**< Their context. */
    uint32_t irq_line;                      /**< Line of INTx. */
    const struct avps_pci_ops *ops;         /**< Notices. */
    void *ops_ctx;                          /**< Their context. */
    struct avps_pci_vector *vectors;        /**< MSI-X table. */
    uint16_t vector_count;                  /**< Its entries. */
    struct avps_pci_layout layout;          /**< Of the BAR. */
    uint64_t shm_size;                      /**< Bytes of the shared memory BAR; 0: none. */
    uint8_t space[AVPS_PCI_CONFIG_SIZE];    /**< Configuration space, as read. */
    uint8_t writable[AVPS_PCI_CONFIG_SIZE]; /**< Its bits that a driver may write. */
    uint8_t msix_cap;                       /**< Where its capability is; 0: none. */
    uint8_t window_cap;                     /**< PCI_CFG access capability. */
    uint8_t flr_cap;                        /**< Capability with function level reset. */
    uint8_t power_cap;                      /**< Power management capability. */
    bool conventional;                      /**< Which kind `flr_cap` is. */
    bool raised;                            /**< Level given to set_level last. */
    uint8_t isr;                            /**< ISR status. */
    uint32_t device_feature_select;         /**< device_feature_select. */
    uint32_t driver_feature_select;         /**< driver_feature_select. */
    uint16_t queue_select;                  /**< queue_select. */
    uint16_t config_vector;                 /**< config_msix_vector. */
    atomic_uint msix;                       /**< Whether MSI-X is on, and whether it may send. */
};

/** Put a device behind a PCI function; once per device.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_NOSPACE if the capabilities need more room than there is;
 *  AVPS_E_STATE if the device has a transport already. */
AVPS_NODISCARD enum avps_status avps_pci_init(struct avps_pci *pci,
                                              const struct avps_pci_config *config);

/** A guest read of configuration space.
 *  @param offset  Below AVPS_PCI_CONFIG_EXTENDED, a multiple of the width.
 *  @param width   Bytes: 1, 2 or 4. @return The value, zero-extended; 0 for what is not allowed. */
uint32_t avps_pci_config_read(struct avps_pci *pci, uint32_t offset, uint32_t width);

/** A guest write to configuration space; may reset the device (function level reset, and through the
 *  PCI_CFG access capability anything that a BAR write can do). @param value  Low `width` bytes count. */
void avps_pci_config_write(struct avps_pci *pci, uint32_t offset, uint32_t width, uint32_t value);

/** A guest load from a BAR trapped. Whether the BAR decodes is for the caller to know (avps_pci_bar).
 *  @param bar     AVPS_PCI_BAR; others read 0.
 *  @param offset  From the BAR's start, any value. @param width  Bytes: 1, 2, 4 or 8.
 *  @return The value, zero-extended; 0 for what is not allowed. */
uint64_t avps_pci_bar_read(struct avps_pci *pci, uint32_t bar, uint64_t offset, uint32_t width);

/** A guest store to a BAR trapped. Never serves requests: poll afterwards (avps_has_work tells
 *  whether). @param value  Low `width` bytes count. */
void avps_pci_bar_write(struct avps_pci *pci, uint32_t bar, uint64_t offset, uint32_t width,
                        uint64_t value);

/** Where a BAR is. */
struct avps_pci_range {
    uint64_t address; /**< As the driver wrote it. */
    uint64_t size;    /**< Bytes, a power of two; 0: there is no such BAR. */
    bool enabled;     /**< It decodes: present, switched on, and no wrap-around. */
};

/** Where BAR `bar` is now. Device context. */
struct avps_pci_range avps_pci_bar(const struct avps_pci *pci, uint32_t bar);

/** Offset in BAR AVPS_PCI_BAR of a queue's doorbell, 4 bytes wide, for ioeventfd-like fast paths that
 *  end in avps_kick. @param queue  Below the device's queue_count. */
uint64_t avps_pci_doorbell(const struct avps_pci *pci, uint16_t queue);

/** Power-on reset of the function: configuration space and device; for guest reboot. Device context.
 *  @return As avps_reset. */
enum avps_status avps_pci_reset(struct avps_pci *pci);

/** Save configuration space, MSI-X table, registers and the device; see avps_save. */
AVPS_NODISCARD enum avps_status avps_pci_save(struct avps_pci *pci, void *buffer, size_t size,
                                              size_t *used);

/** Restore all of it into a function initialised with the same configuration; see avps_load.
 *  Interrupt level, MSI-X routes and BARs are told to the embedder again.
 *  @return As avps_load; not OK: the function is as after avps_pci_reset. */
AVPS_NODISCARD enum avps_status avps_pci_load(struct avps_pci *pci, const void *buffer,
                                              size_t size);

#ifdef __cplusplus
}
#endif
#endif
