/* SPDX-License-Identifier: BSD-3-Clause */
/* The physical GICv3: the interrupts that the hypervisor takes, messages between its CPUs, and the list
 * registers, whose contents port/baremetal-aarch64/bm_gic.h decides. Order: set up, take, list
 * registers. */
#ifndef HYP_GIC_H
#define HYP_GIC_H

#include <stdbool.h>
#include <stdint.h>

#define GIC_SPI_BASE 32U

#define GIC_SGI_LOOK          0U /* look at what was changed for your guest */
#define GIC_PPI_MAINTENANCE   25U
#define GIC_PPI_HYP_TIMER     26U
#define GIC_PPI_VIRTUAL_TIMER 27U

#define GIC_SPURIOUS 1020U /* acknowledged numbers from here up mean "none" */

/* The distributor, once. */
void gic_init(uintptr_t distributor);

/* Each CPU for itself: its redistributor, which struct cpu names, and its CPU interface. */
void gic_init_cpu(void);

/* The redistributor of the CPU with affinity `mpidr` among those from `base` on. @return 0: none. */
uintptr_t gic_find_redistributor(uintptr_t base, uint64_t size, uint64_t mpidr);

/* Let the calling CPU take shared interrupt `intid`. */
void gic_enable(uint32_t intid);

/* Acknowledge what is pending: a number, or GIC_SPURIOUS and above. */
uint32_t gic_take(void);

/* End an interrupt of the hypervisor's own. */
void gic_finish(uint32_t intid);

/* Leave an interrupt active for the guest, which will deactivate it through a list register. */
void gic_forward(uint32_t intid);

/* Interrupt the CPU with affinity `mpidr`. */
void gic_call(uint64_t mpidr);

/* The calling CPU's guest ends or begins: its list registers, active priorities and timer are as after a
 * reset. */
void gic_reset_guest(void);

/* List registers of the calling CPU: how many there are to use, and their contents. */
uint32_t gic_lr_count(void);
uint64_t gic_lr_read(uint32_t n);
void gic_lr_write(uint32_t n, uint64_t value);

/* Have a maintenance interrupt when the list registers run empty, or not. */
void gic_want_empty(bool on);

/* Use `count` list registers at most, 2 or more, to see waiting interrupts at work. */
void gic_limit(uint32_t count);

#endif
