/* SPDX-License-Identifier: BSD-3-Clause */
/* The virtual machine: what all parts of the program share. */
#ifndef VM_H
#define VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "avps_kvm/irq.h"
#include "avps_kvm/memory.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"
#include "bus.h"
#include "devices.h"
#include "host.h"
#include "platform.h"
#include "serial.h"
#include "vcpu.h"

#define VM_CPUS 4U

/* How it came to an end. */
enum vm_end {
    VM_RUNS,
    VM_OFF,    /* the guest switched itself off */
    VM_REBOOT, /* the guest wants to start again */
    VM_CRASH,  /* the guest cannot go on */
    VM_ASKED,  /* the user said so */
    VM_FAILED  /* the program or the kernel failed */
};

/* What the user wants. Texts are borrowed. */
struct vm_options {
    const char *kvm; /* the kernel's device */
    const char *kernel;
    const char *initrd;
    const char *append;
    const char *serial;
    const char *save;    /* where SIGUSR1 saves the machine */
    const char *restore; /* where it begins from */
    const char *transport;
    const char *stats;    /* socket of counters, or NULL */
    const char *platform; /* file that says what the guest has, or NULL */
    const char *guest;    /* of it */
    struct option_list connections;
    uint64_t memory;
    uint32_t cpus;
    bool threads;
    bool no_reboot;
};

struct vm {
    struct vm_options options;
    struct host_platform *platform; /* NULL: the options say all */
    struct host host;
    struct avps_posix_loop loop; /* of the main thread: serial console, devices without a thread */
    int kvm_fd;
    int fd;
    int irqchip_fd; /* arm64: VGIC; else -1 */
    int its_fd;     /* arm64: ITS; else -1 */
    uint8_t *ram;
    struct avps_kvm_memory memory;
    struct avps_kvm_irq irq;
    struct bus bus;   /* memory accesses that trap */
    struct bus ports; /* x86: in and out */
    struct vcpu vcpus[VM_CPUS];
    struct vcpu_gate gate;
    struct serial serial;
    struct devices devices;
    atomic_uint events; /* x86: those of ACPI that the guest wants */
    atomic_uint strays; /* accesses where nothing is */
    atomic_int end;     /* enum vm_end */
    char why[160];      /* of VM_CRASH and VM_FAILED */
};

/* Open KVM, see whether it can do what is needed, make a machine with memory, an interrupt controller and
 * virtual CPUs. */
enum avps_status vm_init(struct vm *vm, struct avps_posix_error *error);

/* Undo it; all threads are gone. */
void vm_free(struct vm *vm);

/* Any thread: the machine ends; the first reason counts. The main thread's loop returns. */
__attribute__((format(printf, 3, 4))) void vm_finish(struct vm *vm, enum vm_end end,
                                                     const char *format, ...);

/* Read `size` bytes of a file to a guest address. */
enum avps_status vm_load(struct vm *vm, const char *path, uint64_t offset, uint64_t address,
                         uint64_t size, struct avps_posix_error *error);

/* Size of a file. */
enum avps_status vm_file_size(const char *path, uint64_t *size, struct avps_posix_error *error);

#endif
