/* SPDX-License-Identifier: BSD-3-Clause */
/** @file memory.h
 *  Memory of a KVM guest: what the kernel maps into the guest is what devices reach, by one table.
 *
 *  Memory: the caller's; the guest's is the caller's mapping. Threads: set up by one thread before
 *  devices and virtual CPUs run, read only afterwards. Guest: every address is checked against the
 *  table by the library (contract "region table" of avps/mem.h).
 */
#ifndef AVPS_KVM_MEMORY_H
#define AVPS_KVM_MEMORY_H

#include <stdint.h>

#include "avps/mem.h"
#include "avps/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most slots of a guest. */
#define AVPS_KVM_SLOTS 16U

/** Guest memory. Fields are private. */
struct avps_kvm_memory {
    int vm_fd;                                      /**< The virtual machine. */
    uint32_t count;                                 /**< Slots. */
    struct avps_mem_region regions[AVPS_KVM_SLOTS]; /**< Sorted by guest address. */
};

/** Set up, without memory. @param vm_fd  From KVM_CREATE_VM; stays the caller's. */
void avps_kvm_memory_init(struct avps_kvm_memory *memory, int vm_fd);

/** Give the guest memory.
 *  @param gpa   Guest address, a multiple of the page size.
 *  @param size  Bytes, a multiple of the page size, not 0.
 *  @param host  Where it is here, page aligned; mapped for as long as the virtual machine exists.
 *  @param read_only  Read-only for the guest and for devices.
 *  @return AVPS_OK; AVPS_E_PARAM: no whole pages, wraps around, or overlaps what is there;
 *  AVPS_E_NOSPACE: AVPS_KVM_SLOTS are in use; AVPS_E_IO: the kernel refuses (errno). */
AVPS_NODISCARD enum avps_status avps_kvm_memory_add(struct avps_kvm_memory *memory, avps_gpa gpa,
                                                    uint64_t size, uint8_t *host, bool read_only);

/** A device's way to this memory, for `avps_device_config.mem`.
 *  @param[out] mem  Borrows the table: `memory` outlives it, and nothing is added any more.
 *  @return AVPS_OK; AVPS_E_PARAM while there is no memory. */
AVPS_NODISCARD enum avps_status avps_kvm_memory_handle(const struct avps_kvm_memory *memory,
                                                       struct avps_mem *mem);

/** Host address of [gpa, gpa + len), for loaders; NULL: not within one slot. */
uint8_t *avps_kvm_memory_at(const struct avps_kvm_memory *memory, avps_gpa gpa, uint64_t len);

#ifdef __cplusplus
}
#endif
#endif
