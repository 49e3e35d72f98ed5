/* SPDX-License-Identifier: BSD-3-Clause */
/* The address map that each guest sees, and where things are in the machine. Memory is deliberately not
 * where it is in the machine, so that every address that a device sees has to be translated. */
#ifndef HYP_GUEST_MAP_H
#define HYP_GUEST_MAP_H

#define GUEST_GICD   0x08000000ULL
#define GUEST_V2M    0x08020000ULL /* messages of PCI functions become interrupts */
#define GUEST_GICR   0x080a0000ULL
#define GUEST_UART   0x09000000ULL /* early console: output only */
#define GUEST_VIRTIO 0x0a000000ULL /* virtio-mmio */
#define GUEST_PCI    0x10000000ULL /* memory window of the PCI bus */
#define GUEST_ECAM   0x3f000000ULL /* configuration space of its one bus */
#define GUEST_RAM    0x80000000ULL

#define GUEST_PCI_SIZE 0x01000000ULL

/* Inside the guest's memory: its device tree, its kernel; its initramfs follows. */
#define GUEST_DTB_SIZE 0x10000ULL
#define GUEST_KERNEL   (GUEST_RAM + 0x200000ULL)

/* In the machine: the hypervisor ends below what was loaded for its guests (hypervisor.ld checks), which
 * ends below the pool, from which disks and guests' memories are taken. */
#define HOST_LOADED 0x44000000ULL
#define HOST_POOL   0x50000000ULL
#define HOST_END    0x80000000ULL

#endif
