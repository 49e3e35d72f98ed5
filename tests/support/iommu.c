/* SPDX-License-Identifier: BSD-3-Clause */
/* An IOMMU that answers late: the walk -> the ops -> answers -> life. */
#include "support/iommu.h"

bool test_iommu_walk(const struct test_iommu *iommu, avps_gpa iova, struct avps_iotlb_range *range)
{
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        const struct avps_mem_region *region = &iommu->mem->region[i];
        const uint64_t off = iova - region->gpa;

        if (off < region->size) {
            const uint64_t first = off / iommu->page * iommu->page;
            const uint64_t left = region->size - first;

            *range = (struct avps_iotlb_range){.iova = region->gpa + first,
                                               .size = iommu->page < left ? iommu->page : left,
                                               .gpa = iommu->region[i].gpa + first,
                                               .access = region->access & iommu->access};
            return true;
        }
    }
    return false;
}

/* ---- the ops ---- */

static enum avps_status op_lookup(void *ctx, avps_gpa iova, enum avps_access access,
                                  struct avps_iotlb_range *range)
{
    struct test_iommu *iommu = ctx;
    const enum avps_status status = test_fail_step(&iommu->fail);

    if (status != AVPS_OK) {
        return status;
    }
    if (iommu->prompt) {
        return test_iommu_walk(iommu, iova, range) ? AVPS_OK : AVPS_E_GUEST_ADDR;
    }
    assert_true(iommu->asked_count < TEST_IOMMU_ASKED);
    iommu->asked[iommu->asked_count].iova = iova;
    iommu->asked[iommu->asked_count].access = access;
    iommu->asked_count++;
    return AVPS_AGAIN;
}

static void op_wake(void *ctx)
{
    ((struct test_iommu *)ctx)->wakes++;
}

static void op_released(void *ctx, avps_gpa iova, uint64_t size)
{
    struct test_iommu *iommu = ctx;

    (void)iova;
    iommu->released++;
    iommu->released_bytes += size;
}

static const struct avps_iotlb_ops iommu_ops = {
    .lookup = op_lookup, .wake = op_wake, .released = op_released};

/* ---- answers ---- */

static avps_gpa iommu_take(struct test_iommu *iommu, uint32_t n)
{
    assert_true(n < iommu->asked_count);
    const avps_gpa iova = iommu->asked[n].iova;

    iommu->asked_count--;
    (void)memmove(&iommu->asked[n], &iommu->asked[n + 1U],
                  (iommu->asked_count - n) * sizeof iommu->asked[0]);
    return iova;
}

enum avps_status test_iommu_answer(struct test_iommu *iommu, uint32_t n)
{
    const avps_gpa iova = iommu_take(iommu, n);
    struct avps_iotlb_range range;

    if (!test_iommu_walk(iommu, iova, &range)) {
        (void)!avps_iotlb_refuse(&iommu->tlb, iova, 1);
        return AVPS_E_GUEST_ADDR;
    }
    return avps_iotlb_update(&iommu->tlb, &range);
}

void test_iommu_answer_all(struct test_iommu *iommu)
{
    for (uint32_t left = iommu->asked_count; left != 0U; left--) {
        (void)test_iommu_answer(iommu, 0);
    }
}

void test_iommu_refuse(struct test_iommu *iommu, uint32_t n)
{
    const avps_gpa iova = iommu_take(iommu, n);

    assert_int_equal(avps_iotlb_refuse(&iommu->tlb, iova, 1), AVPS_OK);
}

enum avps_status test_iommu_unmap(struct test_iommu *iommu, avps_gpa iova, uint64_t size)
{
    return avps_iotlb_invalidate(&iommu->tlb, iova, size);
}

/* ---- life ---- */

static void iommu_init_tlb(struct test_iommu *iommu, uint32_t entries, uint32_t questions)
{
    const struct avps_iotlb_config config = {.regions = iommu->region,
                                             .region_count = TEST_REGIONS,
                                             .entries = iommu->entries,
                                             .entry_count = entries,
                                             .questions = iommu->questions,
                                             .question_count = questions,
                                             .ops = &iommu_ops,
                                             .ctx = iommu};

    assert_int_equal(avps_iotlb_init(&iommu->tlb, &config), AVPS_OK);
    assert_int_equal(avps_iotlb_mem(&iommu->tlb, &iommu->mem->handle), AVPS_OK);
}

void test_iommu_limit(struct test_iommu *iommu, uint32_t entries, uint32_t questions)
{
    assert_true(entries <= TEST_IOMMU_ENTRIES && questions <= TEST_IOMMU_QUESTIONS);
    iommu_init_tlb(iommu, entries, questions);
}

/* The region at the top of the address space stays where it is: it cannot be shifted. */
struct test_iommu *test_iommu_new(struct test_mem *mem)
{
    struct test_iommu *iommu = calloc(1, sizeof *iommu);

    assert_non_null(iommu);
    iommu->mem = mem;
    iommu->page = TEST_PAGE;
    iommu->access = AVPS_ACCESS_RW;
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        iommu->region[i] = mem->region[i];
        if (mem->region[i].gpa != TEST_TOP_GPA) {
            iommu->region[i].gpa += TEST_IOMMU_SHIFT;
        }
    }
    iommu_init_tlb(iommu, TEST_IOMMU_ENTRIES, TEST_IOMMU_QUESTIONS);
    return iommu;
}

void test_iommu_free(struct test_iommu *iommu)
{
    assert_int_equal(avps_iotlb_in_use(&iommu->tlb), 0);
    free(iommu);
}
