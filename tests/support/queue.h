/* SPDX-License-Identifier: BSD-3-Clause */
/* A bare queue under test: memory, the driver's ring, the device's avps_vq, a few chains.
 *
 *     struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);   // format from the cmocka row
 *     q->config.indirect = true;
 *     test_vq_enable(q);
 *     test_vq_round(q);                             // one good request, checked to the byte
 *     ... break the ring ...
 *     test_vq_expect_fault(q, AVPS_E_GUEST_DESC);   // latched, nothing touched, fine after reset
 *     test_vq_free(q); */
#ifndef TEST_SUPPORT_QUEUE_H
#define TEST_SUPPORT_QUEUE_H

#include "support/driver.h"

#include "avps/vq.h"

#define TEST_CHAINS     8U
#define TEST_CHAIN_SEGS 300U

struct test_vq {
    struct test_mem mem;
    struct test_ring ring;
    struct avps_vq_config config; /* change before test_vq_enable */
    struct avps_vq vq;
    struct avps_chain chain[TEST_CHAINS];
    struct avps_seg segs[TEST_CHAINS][TEST_CHAIN_SEGS];
};

/* Static storage: one at a time. Not enabled yet. */
struct test_vq *test_vq_new(void **state, enum test_mem_kind kind, uint32_t size);
struct test_vq *test_vq_new_sized(void **state, enum test_mem_kind kind, uint32_t size,
                                  uint32_t ram_size);
/* The same and enabled. */
struct test_vq *test_vq_live(void **state, enum test_mem_kind kind, uint32_t size);
/* Also sets the ring's start position from `config`. */
void test_vq_enable(struct test_vq *q);
/* Drops chains in flight, disables, frees. */
void test_vq_free(struct test_vq *q);

/* Drop and disable; fresh ring; enabled again. */
void test_vq_restart(struct test_vq *q);

/* Pop into chain[i]. */
enum avps_status test_vq_pop(struct test_vq *q, size_t i);
/* Pop that must succeed. */
struct avps_chain *test_vq_take(struct test_vq *q, size_t i);
/* Push and publish. @return whether the driver wants an interrupt. */
bool test_vq_finish(struct test_vq *q, size_t i);
/* The next used element must be this. */
void test_vq_expect_used(struct test_vq *q, uint16_t id, uint32_t len);
/* There must be no used element. */
void test_vq_expect_none(struct test_vq *q);
/* One good request: 8 bytes to read, 24 to write, 5 of them written. */
void test_vq_round(struct test_vq *q);

/* The next pop fails with a guest fault and latches: the same again without looking at the ring;
 * no work; no byte of guest memory changed; nothing left mapped; a good request works after a
 * restart. */
void test_vq_expect_fault(struct test_vq *q, enum avps_status status);

#endif
