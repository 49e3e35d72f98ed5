/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler and CPU seam that the library is built with: values and byte order -> one access
 * each. Order between two CPUs is in threads.c. */
#include "suite_internal.h"

#include <string.h>

/* Bytes in memory, as the guest has them. */
union pc_bytes {
    uint64_t aligned;
    uint8_t byte[8];
};

static union pc_bytes known(void)
{
    const union pc_bytes bytes = {.byte = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}};

    return bytes;
}

static void case_loads(struct avps_pc *pc)
{
    union pc_bytes b = known();
    const uint64_t all = UINT64_C(0x8877665544332211);

    avps_pc_equal(pc, "avps_arch_load16", avps_arch_load16(b.byte + 2), 0x4433);
    avps_pc_equal(pc, "avps_arch_load16_acquire", avps_arch_load16_acquire(b.byte + 6), 0x8877);
    avps_pc_equal(pc, "avps_arch_load32", avps_arch_load32(b.byte + 4), 0x88776655U);
    avps_pc_equal(pc, "avps_arch_load64", avps_arch_load64(b.byte), all);
    avps_pc_equal(pc, "avps_arch_load64_acquire", avps_arch_load64_acquire(b.byte), all);
    avps_pc_true(pc, "loads change nothing", b.aligned == known().aligned);
}

static bool stored(struct avps_pc *pc, const char *what, const union pc_bytes *b, uint32_t at,
                   uint32_t len, uint32_t value)
{
    bool good = true;

    for (uint32_t i = 0; i < 8U; i++) {
        const uint8_t want =
            i >= at && i - at < len ? (uint8_t)(value >> (8U * (i - at))) : known().byte[i];

        good = good && b->byte[i] == want;
    }
    return avps_pc_true(pc, what, good);
}

static void case_stores(struct avps_pc *pc)
{
    union pc_bytes b = known();

    avps_arch_store16(b.byte + 2, 0xa1b2);
    (void)stored(pc, "avps_arch_store16", &b, 2, 2, 0xa1b2);
    b = known();
    avps_arch_store16_release(b.byte + 4, 0xc3d4);
    (void)stored(pc, "avps_arch_store16_release", &b, 4, 2, 0xc3d4);
    b = known();
    avps_arch_store32(b.byte + 4, 0x89abcdefU);
    (void)stored(pc, "avps_arch_store32", &b, 4, 4, 0x89abcdefU);
}

static void case_order(struct avps_pc *pc)
{
    static const uint16_t halves[] = {0, 1, 0x00ff, 0x1234, 0xff00, 0xffff};
    union pc_bytes b = {0};

    for (size_t i = 0; i < PC_COUNT_OF(halves); i++) {
        const uint32_t word = (uint32_t)halves[i] << 16 | (uint16_t)~halves[i];
        const uint16_t half = avps_arch_le16(halves[i]);
        const uint32_t full = avps_arch_le32(word);

        (void)memcpy(b.byte, &half, sizeof half);
        avps_pc_equal(pc, "avps_arch_le16 in memory", b.byte[0] | (uint32_t)b.byte[1] << 8,
                      halves[i]);
        (void)memcpy(b.byte, &full, sizeof full);
        avps_pc_equal(pc, "avps_arch_le32 in memory", b.byte[1] | (uint32_t)b.byte[2] << 8,
                      word >> 8 & 0xffffU);
        avps_pc_equal(pc, "avps_arch_le16 twice", avps_arch_le16(half), halves[i]);
        avps_pc_equal(pc, "avps_arch_le32 twice", avps_arch_le32(full), word);
    }
}

static void case_copy(struct avps_pc *pc)
{
    for (uint32_t len = 0; len < 70U; len++) {
        avps_pc_make(pc->bytes + 1024, 3, len + 1U, len);
        (void)memset(pc->bytes, 0xcc, 128);
        avps_arch_copy_in(pc->bytes, pc->bytes + 1024, len);
        avps_pc_true(pc, "all bytes are copied", avps_pc_bytes_are(pc->bytes, 3, len, len));
        avps_pc_equal(pc, "the byte behind them", pc->bytes[len], 0xcc);
    }
}

static const struct pc_case cases[] = {
    {"loads of rings are little-endian", "avps/arch_default.h: avps_arch_load64", 0, case_loads},
    {"stores to rings are little-endian and touch nothing else",
     "avps/arch_default.h: avps_arch_store32", 0, case_stores},
    {"values are put into the guest's byte order", "avps/arch_default.h: avps_arch_le32", 0,
     case_order},
    {"copies from the guest are exact", "avps/arch_default.h: avps_arch_copy_in", 0, case_copy},
};

const struct pc_group avps_pc_arch_group = {cases, PC_COUNT_OF(cases)};
