/* SPDX-License-Identifier: BSD-3-Clause */
/** @file irq.h
 *  Interrupts of a KVM guest: wires into the interrupt controller in the kernel, and message-signalled
 *  interrupts through its routing table, each sent by an eventfd (irqfd).
 *
 *  Memory: the caller's. Threads: one table serves all devices and any thread; a function's messages
 *  belong to its device's context. Guest: chooses addresses and data of messages, which the kernel
 *  judges.
 */
#ifndef AVPS_KVM_IRQ_H
#define AVPS_KVM_IRQ_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "avps/port.h"
#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most routes of a guest: pins and messages. */
#define AVPS_KVM_ROUTES 512U

/** The routing table of a virtual machine. Fields are private. */
struct avps_kvm_irq {
    int vm_fd;                                            /**< The virtual machine. */
    uint32_t first_gsi;                                   /**< Number of the first message route. */
    pthread_mutex_t mutex;                                /**< Of the table. */
    uint32_t count;                                       /**< Rows in use. */
    uint32_t messages;                                    /**< Message routes given out. */
    struct kvm_irq_routing_entry routes[AVPS_KVM_ROUTES]; /**< What the kernel has. */
};

/** Set up an empty table. The interrupt controller is in the kernel.
 *  @param vm_fd      From KVM_CREATE_VM; stays the caller's.
 *  @param first_gsi  Interrupt numbers from here on are free for messages: above all pins.
 *  @return AVPS_OK; AVPS_E_NOSPACE. */
AVPS_NODISCARD enum avps_status avps_kvm_irq_init(struct avps_kvm_irq *irq, int vm_fd,
                                                  uint32_t first_gsi);

/** Free what the table took; all that uses it is gone. */
void avps_kvm_irq_free(struct avps_kvm_irq *irq);

/** Route interrupt number `gsi` to a pin. The first routing of messages replaces what the kernel
 *  routes by itself: on x86 all pins in use are named here before.
 *  @return AVPS_OK; AVPS_E_PARAM: `gsi` is not below `first_gsi`; AVPS_E_NOSPACE. */
AVPS_NODISCARD enum avps_status avps_kvm_irq_pin(struct avps_kvm_irq *irq, uint32_t gsi,
                                                 uint32_t chip, uint32_t pin);

/** `set_level` for devices with wires; its context is a struct avps_kvm_irq, its `line` what
 *  KVM_IRQ_LINE calls `irq` (x86: the GSI; arm64: KVM_ARM_IRQ_TYPE_SPI and the number). */
extern const struct avps_irq_ops avps_kvm_line_ops;

/** A message of a function. Fields are private. */
struct avps_kvm_vector {
    int fd;           /**< eventfd, bound to the number while routed. */
    uint32_t gsi;     /**< Number of its route. */
    uint64_t address; /**< As routed. */
    uint32_t data;    /**< Likewise. */
    bool routed;      /**< The kernel has the route and the eventfd. */
};

/** The messages of a PCI function. */
struct avps_kvm_msi {
    struct avps_kvm_irq *irq;        /**< Required. */
    struct avps_kvm_vector *vectors; /**< Storage; as many as the function's MSI-X table. */
    uint16_t count;                  /**< How many. */
    bool has_requester;              /**< The controller tells functions apart (arm64, ITS). */
    uint32_t requester;              /**< Then: bus << 8 | device << 3 | function. */
};

/** Set up; irq, vectors, count and requester are filled in.
 *  @return AVPS_OK; AVPS_E_NOSPACE: AVPS_KVM_ROUTES would be passed; AVPS_E_IO: no descriptor left. */
AVPS_NODISCARD enum avps_status avps_kvm_msi_init(struct avps_kvm_msi *msi);

/** Take the messages' routes away, and give their eventfds back. When it returns, what was sent has
 *  reached the interrupt controller: its state may be saved. Nothing happens if it was not set up. */
void avps_kvm_msi_free(struct avps_kvm_msi *msi);

/** `set_level` as above, `msi`, `msi_route`; the context is a struct avps_kvm_msi. */
extern const struct avps_irq_ops avps_kvm_msi_ops;

#ifdef __cplusplus
}
#endif
#endif
