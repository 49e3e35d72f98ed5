/* SPDX-License-Identifier: BSD-3-Clause */
/** @file mmio.h
 *  Virtio over MMIO, version 2: the register file of one device.
 *
 *  Memory: the caller's. Threads: the device's context, except that a write to QueueNotify
 *  (offset AVPS_MMIO_QUEUE_NOTIFY) may come from any context, like avps_kick.
 *  Guest: any offset, width and value is safe; what is not allowed reads 0 and writes nothing.
 */
#ifndef AVPS_MMIO_H
#define AVPS_MMIO_H

#include <stdint.h>

#include "avps/device.h"
#include "avps/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of guest address space to trap for one device: registers and configuration. */
#define AVPS_MMIO_SIZE 0x200U

/** Offset of the doorbell, for ioeventfd-like fast paths. */
#define AVPS_MMIO_QUEUE_NOTIFY 0x050U

/** What the embedder chooses. Copied at init; ops are borrowed. */
struct avps_mmio_config {
    struct avps_device *device;     /**< Required: initialised. */
    const struct avps_irq_ops *irq; /**< Required, with set_level. */
    void *irq_ctx;                  /**< Handed to the ops. */
    uint32_t irq_line;              /**< Handed to set_level. */
    uint32_t vendor_id;             /**< VendorID register. */
};

/** One register file. Fields are private. */
struct avps_mmio {
    struct avps_device *device;     /**< The device. */
    const struct avps_irq_ops *irq; /**< Interrupts. */
    void *irq_ctx;                  /**< Their context. */
    uint32_t irq_line;              /**< Line. */
    uint32_t vendor_id;             /**< VendorID. */
    uint32_t device_features_sel;   /**< DeviceFeaturesSel. */
    uint32_t driver_features_sel;   /**< DriverFeaturesSel. */
    uint32_t queue_sel;             /**< QueueSel. */
    uint32_t shm_sel;               /**< SHMSel. */
    uint32_t interrupt_status;      /**< InterruptStatus: bit 0 used buffer, bit 1 configuration. */
    bool raised;                    /**< Level given to set_level last. */
};

/** Put a device behind a register file; once per device.
 *  @return AVPS_OK; AVPS_E_PARAM; AVPS_E_STATE if the device has a transport already. */
AVPS_NODISCARD enum avps_status avps_mmio_init(struct avps_mmio *mmio,
                                               const struct avps_mmio_config *config);

/** A guest load trapped. @param offset  From the window's start, any value.
 *  @param width  Bytes: 1, 2, 4 or 8. @return The value, zero-extended; 0 for what is not allowed. */
uint64_t avps_mmio_read(struct avps_mmio *mmio, uint64_t offset, uint32_t width);

/** A guest store trapped. Never serves requests: poll afterwards (avps_has_work tells whether).
 *  @param offset, width  As for a read. @param value  Low `width` bytes count. */
void avps_mmio_write(struct avps_mmio *mmio, uint64_t offset, uint32_t width, uint64_t value);

/** Save the selectors together with the device; see avps_save. */
AVPS_NODISCARD enum avps_status avps_mmio_save(struct avps_mmio *mmio, void *buffer, size_t size,
                                               size_t *used);

/** Restore both, and the interrupt level; see avps_load. */
AVPS_NODISCARD enum avps_status avps_mmio_load(struct avps_mmio *mmio, const void *buffer,
                                               size_t size);

#ifdef __cplusplus
}
#endif
#endif
