/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's address map. Its memory is deliberately not where it is in the machine, so that every
 * address that a device sees has to be translated. */
#ifndef HYP_GUEST_MAP_H
#define HYP_GUEST_MAP_H

#define GUEST_GICD   0x08000000ULL
#define GUEST_GICR   0x080a0000ULL
#define GUEST_UART   0x09000000ULL /* early console: output only */
#define GUEST_VIRTIO 0x0a000000ULL
#define GUEST_RAM    0x80000000ULL

/* Where the guest's memory starts in the machine; below are the hypervisor and its RAM disk. */
#define HOST_GUEST_RAM 0x48000000ULL

#endif
