/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's platform: all that hypervisor and guest have to agree about. Not where it is in the
 * machine, so that every address that a device sees has to be translated. */
#ifndef HYP_GUEST_MAP_H
#define HYP_GUEST_MAP_H

#define GUEST_RAM      0x40000000
#define GUEST_RAM_SIZE 0x00200000 /* one page of stage 2 */
#define GUEST_VIRTIO   0x10000000 /* windows of 512 bytes */
#define GUEST_SLOTS    2
#define GUEST_NOTHING  0x0c000000 /* nothing is here */

#endif
