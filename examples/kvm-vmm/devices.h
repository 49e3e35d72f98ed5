/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine's virtio devices: each with a transport (a virtio-mmio window or a PCI function), doorbells by
 * ioeventfd, interrupts by wire or irqfd, and a loop: the main thread's or one of its own. */
#ifndef DEVICES_H
#define DEVICES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "avps/ecam.h"
#include "avps/mmio.h"
#include "avps/pci.h"
#include "avps_kvm/doorbell.h"
#include "avps_kvm/irq.h"
#include "avps_posix/loop.h"
#include "host.h"
#include "state.h"

#define DEVICES_MAX           16U
#define DEVICE_PCI_FIRST      1U      /* PCI device of unit 0; 0 is the host bridge */
#define DEVICES_BRIDGE_VENDOR 0x1b36U /* what Linux knows as a generic host bridge */
#define DEVICES_BRIDGE_DEVICE 0x0008U

struct vm;

enum device_transport { DEVICE_MMIO, DEVICE_PCI };

/* One device. */
struct device {
    struct vm *vm;
    struct host_device *host;
    enum device_transport transport;
    uint32_t unit; /* counts the devices of this transport: its window or PCI device */
    struct avps_mmio mmio;
    struct avps_pci pci;
    struct avps_pci_vector *vector_storage;
    struct avps_kvm_vector *messages;
    struct avps_kvm_msi msi;
    struct avps_kvm_doorbell *doorbells; /* one a queue */
    struct avps_posix_loop own_loop;     /* with a thread of its own */
    pthread_t thread;
    bool has_loop;
    bool has_thread;
};

struct devices {
    struct device *list[DEVICES_MAX];
    uint32_t count;
    uint32_t window_count;
    struct avps_ecam_slot slots[DEVICES_MAX]; /* of the functions */
    uint32_t function_count;
    struct avps_ecam ecam;
    pthread_mutex_t pci; /* one access at a time to configuration spaces and BARs */
};

/* A device of the command line, not open yet; NULL: no memory, or too many. */
struct device *devices_add(struct vm *vm, const struct host_kind *kind);

/* The devices of vm->platform's guest. */
enum avps_status devices_add_planned(struct vm *vm, struct avps_posix_error *error);

/* Open all, give them their places in the machine. */
enum avps_status devices_open(struct vm *vm, struct avps_posix_error *error);

/* Let them work: back ends, threads. */
enum avps_status devices_start(struct vm *vm, struct avps_posix_error *error);

/* Nothing is in flight any more, no chain is taken; virtual CPUs are held. @return false: not within ten
 * seconds. Not from a loop's callback. */
bool devices_quiesce(struct vm *vm);

/* The machine goes on from a saved state: the network is told. */
void devices_moved(struct vm *vm);

/* They take chains again. */
void devices_resume(struct vm *vm);

/* As after power-on; virtual CPUs are held. */
void devices_reset(struct vm *vm);

/* State of device `index`, quiesced. */
enum avps_status devices_save(struct vm *vm, uint32_t index, struct state_out *out);
enum avps_status devices_load(struct vm *vm, uint32_t index, const uint8_t *bytes, size_t size);

/* What was sent has reached the interrupt controller. Nothing is sent from now on: for the end. */
void devices_flush_interrupts(struct vm *vm);

/* The program's terminal has another size, or the media of disks have. */
void devices_resized(struct vm *vm);
void devices_reload(struct vm *vm);

/* What they have counted and told: for a report (stats.h), and as lines of the log. In the context of all
 * of them. */
uint32_t devices_stats(const struct vm *vm, struct avps_stats_device *list, uint32_t most);
void devices_report(const struct vm *vm);

/* End all and free them. @return false: data may be lost. */
bool devices_free(struct vm *vm);

#endif
