/* SPDX-License-Identifier: BSD-3-Clause */
/** @file doorbell.h
 *  A queue's doorbell that does not stop the virtual CPU: the kernel turns the guest's store into an
 *  eventfd (ioeventfd), which the device's loop sees.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: rings at any rate; any number of rings
 *  is one call.
 */
#ifndef AVPS_KVM_DOORBELL_H
#define AVPS_KVM_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps_posix/notify.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A doorbell. All zero: not set up. Fields are private. */
struct avps_kvm_doorbell {
    struct avps_posix_notifier notifier; /**< Its eventfd, watched by the loop. */
    struct avps_device *device;          /**< The device. */
    void (*rung)(void *ctx);             /**< Told after the kick. */
    void *ctx;                           /**< Its context. */
    int vm_fd;                           /**< The virtual machine. */
    uint16_t queue;                      /**< The queue. */
    bool placed;                         /**< The kernel has it. */
    bool matched;                        /**< Only the store of the queue's number rings. */
    uint64_t address;                    /**< Where. */
};

/** What it belongs to. */
struct avps_kvm_doorbell_config {
    int vm_fd;                    /**< From KVM_CREATE_VM; stays the caller's. */
    struct avps_posix_loop *loop; /**< The device's loop. */
    struct avps_device *device;   /**< Initialised. */
    uint16_t queue;               /**< Below its queue_count. */
    void (*rung)(void *ctx);      /**< Required: poll the device soon. */
    void *ctx;                    /**< Handed to it. */
};

/** Set up, nowhere yet. @return AVPS_OK; AVPS_E_IO: no descriptor left (errno). */
AVPS_NODISCARD enum avps_status
avps_kvm_doorbell_init(struct avps_kvm_doorbell *bell,
                       const struct avps_kvm_doorbell_config *config);

/** Put it at a guest address; away from where it was.
 *  @param matched  Of several queues with one address (virtio-mmio): a 4-byte store of the queue's
 *                  number rings, others reach the register file; NOTIFICATION_DATA is withheld then.
 *                  Else every store to the address rings.
 *  @return AVPS_OK; AVPS_E_IO: the kernel refuses (errno); stores then reach the register file. */
AVPS_NODISCARD enum avps_status avps_kvm_doorbell_place(struct avps_kvm_doorbell *bell,
                                                        uint64_t address, bool matched);

/** Take it away from where it is. */
void avps_kvm_doorbell_lift(struct avps_kvm_doorbell *bell);

/** Lift it and give its eventfd back. Nothing happens if it was not set up. */
void avps_kvm_doorbell_free(struct avps_kvm_doorbell *bell);

#ifdef __cplusplus
}
#endif
#endif
