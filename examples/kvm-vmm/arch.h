/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between arm64 and x86-64: the machine's map, its interrupt controller, booting, and the
 * state of CPUs and controller. One of arm64*.c and x86*.c is built. */
#ifndef ARCH_H
#define ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "avps/status.h"
#include "avps_posix/error.h"
#include "devices.h"
#include "state.h"

struct vm;
struct vcpu;

/* Where things are. */
struct arch_map {
    const char *name;    /* of the architecture */
    uint64_t mmio;       /* register window of the first virtio-mmio device */
    uint64_t mmio_step;  /* and of the next */
    uint64_t ecam;       /* configuration spaces of bus 0 */
    uint64_t pci_window; /* memory of BARs */
    uint64_t pci_size;
    uint32_t message_gsi; /* interrupt numbers for messages from here on */
    bool has_requester;   /* a message says which function sent it */
};

extern const struct arch_map arch_map;

/* A capability of KVM that is needed. */
struct arch_capability {
    long number;
    const char *name;
};

extern const struct arch_capability arch_capabilities[];
extern const uint32_t arch_capability_count;

/* Give the machine memory, at the addresses that the architecture has it. vm->ram is options.memory
 * bytes. */
enum avps_status arch_init_memory(struct vm *vm, struct avps_posix_error *error);

/* Interrupt controller, before (first) and after virtual CPUs are made. */
enum avps_status arch_init_first(struct vm *vm, struct avps_posix_error *error);
enum avps_status arch_init_last(struct vm *vm, struct avps_posix_error *error);

/* Put a CPU into the state after power-on; behind arch_init_first, before arch_init_last. */
enum avps_status arch_init_vcpu(const struct vcpu *vcpu, struct avps_posix_error *error);

/* What `line` of avps_irq_ops.set_level is for the wire of a device, or of the serial console. */
uint32_t arch_line(enum device_transport transport, uint32_t unit);
uint32_t arch_serial_line(void);

/* The serial console's registers. */
bool arch_init_serial(struct vm *vm);

/* Load the kernel and what it is told, and point the first CPU at it; the others wait for it. */
enum avps_status arch_boot(struct vm *vm, struct avps_posix_error *error);

/* State of a CPU and of the interrupt controller; no CPU runs. */
enum avps_status arch_save_vcpu(const struct vcpu *vcpu, struct state_out *out);
enum avps_status arch_load_vcpu(const struct vcpu *vcpu, struct state_in *in);
enum avps_status arch_save_irqchip(const struct vm *vm, struct state_out *out);
enum avps_status arch_load_irqchip(struct vm *vm, struct state_in *in);

#endif
