/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory: checks -> slots and the table, kept in order -> look-up. */
#include "avps_kvm/memory.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- checks ---- */

static bool range_is_well(avps_gpa gpa, uint64_t size, const uint8_t *host)
{
    const uint64_t mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1U;

    return host != NULL && size != 0U && ((gpa | size | (uint64_t)(uintptr_t)host) & mask) == 0U &&
           size - 1U <= UINT64_MAX - gpa;
}

/* Row behind which nothing begins at or below `gpa`. */
static uint32_t memory_place(const struct avps_kvm_memory *memory, avps_gpa gpa)
{
    uint32_t at = memory->count;

    while (at > 0U && memory->regions[at - 1U].gpa > gpa) {
        at--;
    }
    return at;
}

static bool range_is_free(const struct avps_kvm_memory *memory, uint32_t at, avps_gpa gpa,
                          uint64_t size)
{
    const struct avps_mem_region *rows = memory->regions;

    return (at == 0U || gpa - rows[at - 1U].gpa >= rows[at - 1U].size) &&
           (at == memory->count || rows[at].gpa - gpa >= size);
}

/* ---- slots and the table ---- */

void avps_kvm_memory_init(struct avps_kvm_memory *memory, int vm_fd)
{
    *memory = (struct avps_kvm_memory){.vm_fd = vm_fd};
}

enum avps_status avps_kvm_memory_add(struct avps_kvm_memory *memory, avps_gpa gpa, uint64_t size,
                                     uint8_t *host, bool read_only)
{
    if (!range_is_well(gpa, size, host)) {
        return AVPS_E_PARAM;
    }
    const uint32_t at = memory_place(memory, gpa);
    if (!range_is_free(memory, at, gpa, size)) {
        return AVPS_E_PARAM;
    }
    if (memory->count == AVPS_KVM_SLOTS) {
        return AVPS_E_NOSPACE;
    }
    const struct kvm_userspace_memory_region slot = {.slot = memory->count,
                                                     .flags = read_only ? KVM_MEM_READONLY : 0U,
                                                     .guest_phys_addr = gpa,
                                                     .memory_size = size,
                                                     .userspace_addr = (uint64_t)(uintptr_t)host};
    if (ioctl(memory->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) != 0) {
        return AVPS_E_IO;
    }
    (void)memmove(&memory->regions[at + 1U], &memory->regions[at],
                  (memory->count - at) * sizeof memory->regions[0]);
    memory->regions[at] = (struct avps_mem_region){.gpa = gpa,
                                                   .size = size,
                                                   .host = host,
                                                   .access = read_only ? (uint32_t)AVPS_ACCESS_READ
                                                                       : (uint32_t)AVPS_ACCESS_RW};
    memory->count++;
    return AVPS_OK;
}

/* ---- look-up ---- */

enum avps_status avps_kvm_memory_handle(const struct avps_kvm_memory *memory, struct avps_mem *mem)
{
    return avps_mem_init_regions(mem, memory->regions, memory->count, NULL, NULL);
}

uint8_t *avps_kvm_memory_at(const struct avps_kvm_memory *memory, avps_gpa gpa, uint64_t len)
{
    const uint32_t at = memory_place(memory, gpa);
    const struct avps_mem_region *row = &memory->regions[at > 0U ? at - 1U : 0U];

    if (at == 0U || gpa - row->gpa >= row->size || len > row->size - (gpa - row->gpa)) {
        return NULL;
    }
    return row->host + (gpa - row->gpa);
}
