/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks and tables. */
#include "bm_stage2.h"

#include <stdbool.h>
#include <stddef.h>

#define STAGE2_TABLE    3ULL
#define STAGE2_BLOCK    1ULL
#define STAGE2_NORMAL   (0xfULL << 2)
#define STAGE2_RW       (3ULL << 6)
#define STAGE2_INNER    (3ULL << 8)
#define STAGE2_ACCESSED (1ULL << 10)
#define STAGE2_RAM      (STAGE2_NORMAL | STAGE2_RW | STAGE2_INNER | STAGE2_ACCESSED | STAGE2_BLOCK)
#define STAGE2_ADDRESS  0xfffffffff000ULL

/* 39 bits, start at level 1, walks cacheable and inner shareable, 4 KiB granule; 31 is RES1. */
#define STAGE2_VTCR (25ULL | (1ULL << 6) | (1ULL << 8) | (1ULL << 10) | (3ULL << 12) | (1ULL << 31))

void bm_stage2_init(struct bm_stage2 *map)
{
    for (uint32_t i = 0; i < 512U; i++) {
        map->level1[i] = 0U;
    }
    map->tables = 0;
}

/* The table of the window that holds `ipa`; NULL: there is none. */
static uint64_t *stage2_window(struct bm_stage2 *map, uint64_t ipa)
{
    const uint64_t entry = map->level1[ipa / BM_STAGE2_WINDOW] & STAGE2_ADDRESS;

    for (uint32_t i = 0; i < map->tables; i++) {
        if (entry == (uintptr_t)map->level2[i]) {
            return map->level2[i];
        }
    }
    return NULL;
}

static uint64_t *stage2_window_make(struct bm_stage2 *map, uint64_t ipa)
{
    uint64_t *table = stage2_window(map, ipa);

    if (table != NULL || map->tables == BM_STAGE2_TABLES) {
        return table;
    }
    table = map->level2[map->tables++];
    for (uint32_t i = 0; i < 512U; i++) {
        table[i] = 0U;
    }
    map->level1[ipa / BM_STAGE2_WINDOW] = (uintptr_t)table | STAGE2_TABLE;
    return table;
}

static uint64_t *stage2_block(uint64_t *table, uint64_t ipa)
{
    return &table[ipa / BM_STAGE2_GRAIN % 512U];
}

static bool stage2_is_free(struct bm_stage2 *map, uint64_t ipa, uint64_t size)
{
    for (uint64_t at = ipa; at < ipa + size; at += BM_STAGE2_GRAIN) {
        uint64_t *table = stage2_window(map, at);

        if (table != NULL && *stage2_block(table, at) != 0U) {
            return false;
        }
    }
    return true;
}

enum avps_status bm_stage2_map(struct bm_stage2 *map, uint64_t ipa, uint64_t host, uint64_t size)
{
    if ((ipa | host | size) % BM_STAGE2_GRAIN != 0U || size == 0U || ipa >= BM_STAGE2_LIMIT ||
        size > BM_STAGE2_LIMIT - ipa || (host | (host + size - 1U)) > STAGE2_ADDRESS ||
        !stage2_is_free(map, ipa, size)) {
        return AVPS_E_PARAM;
    }
    for (uint64_t offset = 0; offset < size; offset += BM_STAGE2_GRAIN) {
        uint64_t *table = stage2_window_make(map, ipa + offset);

        if (table == NULL) {
            return AVPS_E_NOSPACE;
        }
        *stage2_block(table, ipa + offset) = (host + offset) | STAGE2_RAM;
    }
    return AVPS_OK;
}

enum avps_status bm_stage2_find(struct bm_stage2 *map, uint64_t ipa, uint64_t *host)
{
    uint64_t *table = ipa < BM_STAGE2_LIMIT ? stage2_window(map, ipa) : NULL;

    if (table == NULL || *stage2_block(table, ipa) == 0U) {
        return AVPS_E_GUEST_ADDR;
    }
    *host = (*stage2_block(table, ipa) & STAGE2_ADDRESS) | ipa % BM_STAGE2_GRAIN;
    return AVPS_OK;
}

uint64_t bm_stage2_vttbr(const struct bm_stage2 *map, uint8_t vmid)
{
    return (uintptr_t)map->level1 | (uint64_t)vmid << 48;
}

uint64_t bm_stage2_vtcr(uint32_t pa_range)
{
    return STAGE2_VTCR | (uint64_t)(pa_range & 7U) << 16;
}
