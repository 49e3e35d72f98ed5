/* SPDX-License-Identifier: BSD-3-Clause */
/* A block device behind an IOMMU: translations come at once, late, wrongly, unasked or never, and are
 * invalidated while requests use them. What was given up is used by no request in flight, and nothing
 * is in use after a reset. */
#include <string.h>

#include "avps/blk.h"
#include "avps/iotlb.h"
#include "guest.h"

#define SECTORS   64U
#define SLOTS     6U
#define PAGE      0x1000U
#define PAGES     (FUZZ_RAM / PAGE)
#define BELOW     (FUZZ_GPA << 8) /* where the memory below has it */
#define ENTRIES   14U
#define QUESTIONS 2U

static struct {
    struct avps_blk blk;
    struct avps_blk_request requests[SLOTS];
    const struct avps_blk_io *pending[SLOTS];
    uint64_t tokens[SLOTS];
    uint8_t disk[SECTORS * 512U];
    struct avps_iotlb tlb;
    struct avps_iotlb_entry entries[ENTRIES];
    struct avps_iotlb_question questions[QUESTIONS];
    struct avps_mem_region region;
    struct avps_mem mem;
} run;

/* ---- the IOMMU ---- */

static struct avps_iotlb_range iommu_range(struct fuzz_guest *guest, avps_gpa iova)
{
    const uint8_t how = fuzz_u8(guest);
    const uint64_t page = (iova - FUZZ_GPA) / PAGE % PAGES;
    const uint64_t at = how >= 0xf0U ? fuzz_u8(guest) % PAGES : page; /* remapped elsewhere */
    const uint64_t count = 1U + (how & 3U);

    return (struct avps_iotlb_range){.iova = iova - (iova - FUZZ_GPA) % PAGE,
                                     .size = count * PAGE,
                                     .gpa = BELOW + at * PAGE,
                                     .access = how >= 0xe0U ? 1U + how % 3U : 3U};
}

static enum avps_status iommu_lookup(void *ctx, avps_gpa iova, enum avps_access access,
                                     struct avps_iotlb_range *range)
{
    static const enum avps_status others[] = {AVPS_E_GUEST_ADDR, AVPS_E_IO, AVPS_E_GUEST_ACCESS,
                                              AVPS_OK}; /* the last with no range */
    const uint8_t how = fuzz_u8(ctx);

    FUZZ_CHECK(access == AVPS_ACCESS_READ || access == AVPS_ACCESS_WRITE ||
               access == AVPS_ACCESS_RW);
    if (how >= 0xf8U) {
        return others[how & 3U];
    }
    if (how >= 0x80U) {
        return AVPS_AGAIN;
    }
    if (iova - FUZZ_GPA >= FUZZ_RAM) {
        return AVPS_E_GUEST_ADDR;
    }
    *range = iommu_range(ctx, iova);
    return AVPS_OK;
}

static void iommu_wake(void *ctx)
{
    (void)ctx;
}

static const struct avps_iotlb_ops iommu_ops = {.lookup = iommu_lookup, .wake = iommu_wake};

/* No request that a back end holds has a piece in the range. */
static void iommu_check_given_up(avps_gpa iova, uint64_t size)
{
    struct avps_seg segs[AVPS_BLK_SEGS];

    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t count = 0;

        if (run.pending[i] == NULL ||
            avps_blk_io_segments(run.pending[i], segs, AVPS_BLK_SEGS, &count) != AVPS_OK) {
            continue;
        }
        for (uint32_t n = 0; n < count; n++) {
            FUZZ_CHECK(segs[n].gpa - iova >= size && iova - segs[n].gpa >= segs[n].len);
        }
    }
}

/* ---- the disk ---- */

static enum avps_status blk_submit(void *ctx, const struct avps_blk_io *io)
{
    struct fuzz_guest *guest = ctx;

    for (uint32_t i = 0; i < SLOTS && (fuzz_u8(guest) & 1U) != 0U; i++) {
        if (run.pending[i] == NULL) {
            run.pending[i] = io;
            run.tokens[i] = io->token;
            return AVPS_PENDING;
        }
    }
    if (io->op == AVPS_BLK_READ) {
        return avps_blk_io_write(io, run.disk + io->sector * 512U, io->count * 512U);
    }
    return io->op == AVPS_BLK_WRITE
               ? avps_blk_io_read(io, run.disk + io->sector * 512U, io->count * 512U)
               : AVPS_OK;
}

static const struct avps_blk_ops blk_ops = {.submit = blk_submit}; /* resets wait */

static void blk_finish(uint32_t slot)
{
    if (run.pending[slot] != NULL) {
        run.pending[slot] = NULL;
        avps_blk_done(&run.blk, run.tokens[slot], AVPS_OK);
    }
}

/* ---- the target ---- */

static bool iotlb_init(struct fuzz_guest *guest)
{
    memset(&run, 0, sizeof run);
    run.region = (struct avps_mem_region){BELOW, FUZZ_RAM, guest->ram, AVPS_ACCESS_RW};
    const struct avps_iotlb_config tlb = {.regions = &run.region,
                                          .region_count = 1,
                                          .entries = run.entries,
                                          .entry_count = ENTRIES,
                                          .questions = run.questions,
                                          .question_count = QUESTIONS,
                                          .ops = &iommu_ops,
                                          .ctx = guest};
    if (avps_iotlb_init(&run.tlb, &tlb) != AVPS_OK ||
        avps_iotlb_mem(&run.tlb, &run.mem) != AVPS_OK) {
        return false;
    }
    guest->base.mem = &run.mem;
    guest->base.access_platform = true;
    const struct avps_blk_config config = {.base = guest->base,
                                           .ops = &blk_ops,
                                           .ctx = guest,
                                           .requests = run.requests,
                                           .request_count = SLOTS,
                                           .capacity = SECTORS};
    guest->device = &run.blk.base;
    return avps_blk_init(&run.blk, &config) == AVPS_OK;
}

static void iotlb_host(struct fuzz_guest *guest, uint8_t what)
{
    const avps_gpa iova = FUZZ_GPA + what / 8U * PAGE;
    const uint64_t size = (1U + fuzz_u8(guest) % 4U) * PAGE;
    struct avps_iotlb_range range;

    switch (what & 7U) {
    case 0:
    case 1: /* the oldest question, if there is one */
        range = iommu_range(guest, run.tlb.question_count != 0U ? run.questions[0].iova : iova);
        FUZZ_CHECK(avps_iotlb_update(&run.tlb, &range) != AVPS_PENDING);
        break;
    case 2:
        FUZZ_CHECK(avps_iotlb_refuse(&run.tlb, iova, size) != AVPS_PENDING);
        break;
    case 3:
    case 4:
        if (avps_iotlb_invalidate(&run.tlb, iova, size) == AVPS_OK) {
            iommu_check_given_up(iova, size);
        }
        break;
    case 5:
        if (avps_iotlb_clear(&run.tlb) == AVPS_OK) {
            iommu_check_given_up(0, UINT64_MAX);
        }
        break;
    default:
        blk_finish(what / 8U % SLOTS);
        break;
    }
    FUZZ_CHECK(run.tlb.count + run.tlb.dying <= ENTRIES && run.tlb.question_count <= QUESTIONS);
}

static const struct fuzz_target iotlb_target = {1, iotlb_init, iotlb_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&iotlb_target, input, size);
    for (uint32_t i = 0; i < SLOTS; i++) {
        blk_finish(i); /* what the reset waits for */
    }
    FUZZ_CHECK(avps_iotlb_in_use(&run.tlb) == 0U);
    return 0;
}
