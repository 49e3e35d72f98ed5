/* SPDX-License-Identifier: BSD-3-Clause */
/* GICv3: the interrupts that the hypervisor takes, and the list registers that give the guest its
 * own. Order: set up, take, forward, deliver. */
#ifndef HYP_GIC_H
#define HYP_GIC_H

#include <stdbool.h>
#include <stdint.h>

#define GIC_SPI_BASE 32U

#define GIC_PPI_MAINTENANCE   25U
#define GIC_PPI_HYP_TIMER     26U
#define GIC_PPI_VIRTUAL_TIMER 27U
#define GIC_PPI_TIMER         30U

/* Virtual wired interrupts: SPIs whose line the hypervisor drives, GIC_VIRTUAL_COUNT from here. The
 * machine must not use these numbers; their enable bits and priorities live in the distributor. */
#define GIC_VIRTUAL_BASE  48U
#define GIC_VIRTUAL_COUNT 32U

/* Message interrupts: SPIs that the guest's devices send as MSIs, GIC_MESSAGE_COUNT from here: edges,
 * one word of the distributor's bit arrays, otherwise as above. */
#define GIC_MESSAGE_BASE  96U
#define GIC_MESSAGE_COUNT 32U

#define GIC_SPURIOUS 1020U /* acknowledged numbers from here up mean "none" */

void gic_init(uintptr_t distributor, uintptr_t redistributor);

/* Let the hypervisor take interrupt `intid` itself. */
void gic_enable(uint32_t intid);

/* Acknowledge what is pending: a number, or GIC_SPURIOUS and above. */
uint32_t gic_take(void);

/* End an interrupt of the hypervisor's own. */
void gic_finish(uint32_t intid);

/* Hand a physical private interrupt (a timer) to the guest, which will deactivate it. */
void gic_forward(uint32_t intid);

/* Level of virtual wired interrupt `line`, 0..GIC_VIRTUAL_COUNT-1. */
void gic_set_level(uint32_t line, bool high);

/* Message interrupts, bit n for GIC_MESSAGE_BASE + n: make pending, drop and read those that the guest
 * was not given yet. */
void gic_send_messages(uint32_t set);
void gic_drop_messages(uint32_t set);
uint32_t gic_messages(void);

/* The guest sends itself software interrupt `sgi`, 0..15. */
void gic_send_sgi(uint32_t sgi);

/* The guest's distributor is on or off. */
void gic_guest_enable(bool on);

/* Fill the list registers; before every return to the guest. */
void gic_deliver(void);

/* Use `count` list registers at most, 2 or more, to see the waiting interrupts at work. */
void gic_limit(uint32_t count);

/* Times that an interrupt found no free list register and had to wait. */
uint64_t gic_waited(void);

/* Physical registers, for vgic.c. */
uintptr_t gic_distributor(void);
uintptr_t gic_redistributor(void);

#endif
