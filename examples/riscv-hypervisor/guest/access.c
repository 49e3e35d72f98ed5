/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads with known results, then stores whose effect can be seen. */
#include "access.h"

#include <stddef.h>

#include "machine.h"

uint64_t access_lb(uintptr_t address);
uint64_t access_lbu(uintptr_t address);
uint64_t access_lh(uintptr_t address);
uint64_t access_lhu(uintptr_t address);
uint64_t access_lw(uintptr_t address);
uint64_t access_lwu(uintptr_t address);
uint64_t access_ld(uintptr_t address);
uint64_t access_c_lw(uintptr_t address);
uint64_t access_c_ld(uintptr_t address);
uint64_t access_c_lwsp(uintptr_t address);
uint64_t access_c_ldsp(uintptr_t address);
void access_sb(uintptr_t address, uint64_t value);
void access_sh(uintptr_t address, uint64_t value);
void access_sw(uintptr_t address, uint64_t value);
void access_sd(uintptr_t address, uint64_t value);
void access_c_sw(uintptr_t address, uint64_t value);
void access_c_sd(uintptr_t address, uint64_t value);
void access_c_swsp(uintptr_t address, uint64_t value);
void access_c_sdsp(uintptr_t address, uint64_t value);

/* The console is 132 columns (84 hexadecimal) by 43 rows (2b), and has no shared memory: the size of
 * that is all ones. Registers can be read in one width, 4 bytes; others read 0. */
static const struct {
    const char *name;
    uint64_t (*load)(uintptr_t address);
    uint32_t offset;
    uint64_t expected;
} access_loads[] = {
    {"lb", access_lb, VIRTIO_CONFIG, 0xffffffffffffff84U},
    {"lbu", access_lbu, VIRTIO_CONFIG, 0x84U},
    {"lh", access_lh, VIRTIO_CONFIG, 0x84U},
    {"lhu", access_lhu, VIRTIO_CONFIG + 2U, 0x2bU},
    {"lw", access_lw, VIRTIO_CONFIG, 0x2b0084U},
    {"lw", access_lw, VIRTIO_SHM_SIZE_LOW, UINT64_MAX},
    {"lwu", access_lwu, VIRTIO_SHM_SIZE_LOW, 0xffffffffU},
    {"ld", access_ld, VIRTIO_SHM_SIZE_LOW, 0U},
    {"c.lw", access_c_lw, VIRTIO_SHM_SIZE_LOW, UINT64_MAX},
    {"c.ld", access_c_ld, VIRTIO_SHM_SIZE_LOW, 0U},
    {"c.lwsp", access_c_lwsp, VIRTIO_MAGIC, 0x74726976U},
    {"c.ldsp", access_c_ldsp, VIRTIO_MAGIC, 0U},
};

/* A store of 1 into the selector shows the second word of features, if it is 4 bytes wide. */
static const struct {
    const char *name;
    void (*store)(uintptr_t address, uint64_t value);
    uint32_t word;
} access_stores[] = {
    {"sb", access_sb, 0U},         {"sh", access_sh, 0U},         {"sw", access_sw, 1U},
    {"sd", access_sd, 0U},         {"c.sw", access_c_sw, 1U},     {"c.sd", access_c_sd, 0U},
    {"c.swsp", access_c_swsp, 1U}, {"c.sdsp", access_c_sdsp, 0U},
};

#define ACCESS_LOADS  (sizeof access_loads / sizeof access_loads[0])
#define ACCESS_STORES (sizeof access_stores / sizeof access_stores[0])

static uint32_t access_features(uint32_t word)
{
    virtio_set(&machine_console, VIRTIO_DEVICE_FEATURES_SEL, word);
    return virtio_get(&machine_console, VIRTIO_DEVICE_FEATURES);
}

const char *access_check(uint32_t *count)
{
    const uint32_t features[2] = {access_features(0U), access_features(1U)};
    const uintptr_t base = machine_console.base;

    *count = (uint32_t)(ACCESS_LOADS + ACCESS_STORES);
    for (size_t i = 0; i < ACCESS_LOADS; i++) {
        if (access_loads[i].load(base + access_loads[i].offset) != access_loads[i].expected) {
            return access_loads[i].name;
        }
    }
    for (size_t i = 0; i < ACCESS_STORES; i++) {
        virtio_set(&machine_console, VIRTIO_DEVICE_FEATURES_SEL, 0U);
        access_stores[i].store(base + VIRTIO_DEVICE_FEATURES_SEL, 1U);
        if (virtio_get(&machine_console, VIRTIO_DEVICE_FEATURES) !=
            features[access_stores[i].word]) {
            return access_stores[i].name;
        }
    }
    return features[0] == features[1] ? "feature words that differ" : NULL;
}
