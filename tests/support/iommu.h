/* SPDX-License-Identifier: BSD-3-Clause */
/* An IOMMU that answers late: the addresses that a test's driver writes are I/O virtual ones, which
 * lie TEST_IOMMU_SHIFT above what the memory below calls them. Nothing is translated until the test
 * answers a question, in any order, wrongly, or never.
 *
 *     test_driver_init(&d, TEST_MEM_IOTLB);
 *     struct test_iommu *iommu = d.mem.iommu;
 *     ... AVPS_POLL_PENDING ...
 *     test_iommu_answer(iommu, 0);              // the oldest question: a page
 *     test_iommu_refuse(iommu, 0);
 *     test_iommu_answer_all(iommu);
 *     iommu->prompt = true;                     // from now on answered inside the look-up
 *     assert_int_equal(test_iommu_unmap(iommu, gpa, len), AVPS_PENDING); */
#ifndef TEST_SUPPORT_IOMMU_H
#define TEST_SUPPORT_IOMMU_H

#include "support/mem.h"

#include "avps/iotlb.h"

#define TEST_IOMMU_SHIFT     UINT64_C(0x4000000000)
#define TEST_IOMMU_ENTRIES   512U
#define TEST_IOMMU_QUESTIONS 64U
#define TEST_IOMMU_ASKED     1024U

struct test_iommu {
    struct test_mem *mem;
    struct avps_iotlb tlb;
    struct avps_mem_region region[TEST_REGIONS]; /* at their shifted addresses */
    struct avps_iotlb_entry entries[TEST_IOMMU_ENTRIES];
    struct avps_iotlb_question questions[TEST_IOMMU_QUESTIONS];
    struct {
        avps_gpa iova;
        enum avps_access access;
    } asked[TEST_IOMMU_ASKED]; /* not yet answered by the test, oldest first */
    uint32_t asked_count;
    bool prompt;     /* answer at once */
    uint64_t page;   /* size of an answer: TEST_PAGE from the start */
    uint32_t access; /* of an answer: AVPS_ACCESS_RW */
    unsigned int wakes;
    unsigned int released;
    uint64_t released_bytes;
    struct test_fail fail; /* of look-ups */
};

struct test_iommu *test_iommu_new(struct test_mem *mem);
/* As small as the test wants; before the first use. */
void test_iommu_limit(struct test_iommu *iommu, uint32_t entries, uint32_t questions);
/* Nothing is in use. */
void test_iommu_free(struct test_iommu *iommu);

/* The translation of the page that holds `iova`; false if there is no memory. */
bool test_iommu_walk(const struct test_iommu *iommu, avps_gpa iova, struct avps_iotlb_range *range);
/* Answer question `n`, or all that are there now. @return AVPS_E_GUEST_ADDR: it was refused, because
 * there is no memory. */
enum avps_status test_iommu_answer(struct test_iommu *iommu, uint32_t n);
void test_iommu_answer_all(struct test_iommu *iommu);
void test_iommu_refuse(struct test_iommu *iommu, uint32_t n);
/* Invalidate. */
enum avps_status test_iommu_unmap(struct test_iommu *iommu, avps_gpa iova, uint64_t size);

#endif
