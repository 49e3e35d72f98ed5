/* SPDX-License-Identifier: BSD-3-Clause */
/* Directly accessed rings whose bytes change right after each is read (support/once_arch.h): every
 * chain is what the driver wrote, so no byte was read twice. I1, I26 */
#include "support/queue.h"

#include "support/once_arch.h"
#include "virtqueue/plain.h"

#define COUNT 6U

struct once_range once_ranges[ONCE_RANGES];

static void watch(uint32_t r, const struct test_vq *q, avps_gpa gpa, uint32_t len)
{
    memset(&once_ranges[r], 0, sizeof once_ranges[r]);
    once_ranges[r].begin = test_mem_host(&q->mem, gpa, len);
    once_ranges[r].len = len;
}

/* Descriptors, and the entries of the available ring. */
static void watch_ring(const struct test_vq *q, uint32_t descs, uint32_t heads)
{
    watch(0, q, q->ring.desc, 16U * descs);
    if (!q->config.packed) {
        watch(1, q, q->ring.driver + 4U, 2U * heads);
    }
}

static void expect_read_once(void)
{
    for (uint32_t r = 0; r < ONCE_RANGES; r++) {
        for (uint32_t i = 0; i < once_ranges[r].len; i++) {
            assert_int_equal(once_ranges[r].reads[i], 1);
        }
        once_ranges[r].len = 0;
    }
}

static void test_once_run_reads_each_byte_of_its_chains(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    struct avps_plain plain[COUNT];

    for (uint32_t i = 0; i < COUNT; i++) {
        const struct test_desc desc = {TEST_RAM_GPA + i, 10U + i, TEST_WRITE};

        (void)test_ring_add(&q->ring, &desc, 1);
    }
    watch_ring(q, COUNT, COUNT);
    assert_int_equal(avps_vq_take_plain(&q->vq, AVPS_ACCESS_WRITE, plain, COUNT), COUNT);
    expect_read_once();
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(plain[i].id, i);
        assert_true(plain[i].seg.gpa == TEST_RAM_GPA + i);
        assert_int_equal(plain[i].seg.len, 10U + i);
    }
    avps_vq_drop_plain(&q->vq, plain, COUNT);
    test_vq_free(q);
}

static void test_once_pop_reads_each_byte_of_a_chain(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc table[] = {
        {TEST_RAM_GPA, 3, 0}, {TEST_RAM_GPA + 8U, 5, 0}, {TEST_RAM_GPA + 16U, 7, TEST_WRITE}};

    (void)test_ring_add(&q->ring, table, 3);
    watch_ring(q, 3, 1);
    const struct avps_chain *chain = test_vq_take(q, 0);
    expect_read_once();
    assert_int_equal(chain->readable_len, 8);
    assert_int_equal(chain->writable_len, 7);
    assert_true(chain->segs[2].gpa == TEST_RAM_GPA + 16U);
    test_vq_free(q);
}

/* The control: this test sees a second read. */
static void test_once_second_read_differs(void **state)
{
    struct test_vq *q = test_vq_live(state, TEST_MEM_REGIONS, 8);
    const struct test_desc desc = {TEST_RAM_GPA, 3, 0};

    (void)test_ring_add(&q->ring, &desc, 1);
    watch(0, q, q->ring.desc, 16);
    const uint64_t first = avps_arch_load64(once_ranges[0].begin);
    assert_true(avps_arch_load64(once_ranges[0].begin) == ~first);
    assert_int_equal(once_ranges[0].reads[0], 2);
    once_ranges[0].len = 0;
    test_vq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_once_run_reads_each_byte_of_its_chains, NULL, NULL),
        TEST_BOTH(test_once_pop_reads_each_byte_of_a_chain, NULL, NULL),
        TEST_BOTH(test_once_second_read_differs, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
