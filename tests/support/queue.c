/* SPDX-License-Identifier: BSD-3-Clause */
/* A bare queue under test. */
#include "support/queue.h"

static struct test_vq the_queue;

struct test_vq *test_vq_new_sized(void **state, enum test_mem_kind kind, uint32_t size,
                                  uint32_t ram_size)
{
    struct test_vq *q = &the_queue;

    (void)memset(q, 0, sizeof *q);
    test_mem_init_sized(&q->mem, kind, ram_size);
    test_ring_init(&q->ring, &q->mem, test_is_packed(state), size);
    q->config = test_ring_config(&q->ring);
    for (size_t i = 0; i < TEST_CHAINS; i++) {
        avps_chain_init(&q->chain[i], q->segs[i], TEST_CHAIN_SEGS);
        q->chain[i].id = 0xffff;
    }
    return q;
}

struct test_vq *test_vq_new(void **state, enum test_mem_kind kind, uint32_t size)
{
    return test_vq_new_sized(state, kind, size, TEST_RAM_SIZE);
}

struct test_vq *test_vq_live(void **state, enum test_mem_kind kind, uint32_t size)
{
    struct test_vq *q = test_vq_new(state, kind, size);

    test_vq_enable(q);
    return q;
}

void test_vq_enable(struct test_vq *q)
{
    test_ring_start_at(&q->ring, q->config.avail_start, q->config.avail_wrap);
    q->ring.event_idx = q->config.event_idx;
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_OK);
}

static void vq_drop_all(struct test_vq *q)
{
    for (size_t i = 0; i < TEST_CHAINS; i++) {
        avps_vq_drop(&q->vq, &q->chain[i]);
        q->chain[i].id = 0xffff;
    }
    assert_int_equal(q->vq.in_flight, 0);
    avps_vq_disable(&q->vq);
    assert_int_equal(test_mem_live_maps(&q->mem), 0);
    assert_int_equal(q->mem.pins, q->mem.unpins);
}

void test_vq_free(struct test_vq *q)
{
    vq_drop_all(q);
    test_ring_free(&q->ring);
    test_mem_free(&q->mem);
}

void test_vq_restart(struct test_vq *q)
{
    vq_drop_all(q);
    test_ring_reset(&q->ring);
    test_vq_enable(q);
}

enum avps_status test_vq_pop(struct test_vq *q, size_t i)
{
    return avps_vq_pop(&q->vq, &q->chain[i]);
}

struct avps_chain *test_vq_take(struct test_vq *q, size_t i)
{
    assert_int_equal(test_vq_pop(q, i), AVPS_OK);
    return &q->chain[i];
}

bool test_vq_finish(struct test_vq *q, size_t i)
{
    bool notify = false;

    assert_int_equal(avps_vq_push(&q->vq, &q->chain[i]), AVPS_OK);
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    return notify;
}

void test_vq_expect_used(struct test_vq *q, uint16_t id, uint32_t len)
{
    struct test_used used = {0, 0};

    assert_true(test_ring_reap(&q->ring, &used));
    assert_int_equal(used.id, id);
    assert_int_equal(used.len, len);
}

void test_vq_expect_none(struct test_vq *q)
{
    struct test_used used = {0, 0};

    assert_false(test_ring_reap(&q->ring, &used));
}

void test_vq_round(struct test_vq *q)
{
    const size_t mark = test_mem_mark(&q->mem);
    const avps_gpa out = test_mem_alloc(&q->mem, 8, 1);
    const avps_gpa in = test_mem_alloc(&q->mem, 24, 1);
    const struct test_desc table[] = {{out, 8, 0}, {in, 24, TEST_WRITE}};
    struct avps_chain *chain = &q->chain[TEST_CHAINS - 1U];
    uint8_t bytes[8] = {0};
    const bool tiny = q->ring.size < 2U; /* room for the readable part only */

    test_mem_put(&q->mem, out, "question", 8);
    const uint16_t id = test_ring_add(&q->ring, table, tiny ? 1 : 2);
    assert_int_equal(avps_vq_pop(&q->vq, chain), AVPS_OK);
    assert_int_equal(chain->id, id);
    assert_int_equal(avps_chain_readable(chain), 8);
    assert_int_equal(avps_chain_writable(chain), tiny ? 0 : 24);
    assert_int_equal(avps_chain_read(chain, bytes, 8), AVPS_OK);
    assert_memory_equal(bytes, "question", 8);
    if (!tiny) {
        assert_int_equal(avps_chain_write(chain, "reply", 5), AVPS_OK);
    }
    (void)test_vq_finish(q, TEST_CHAINS - 1U);
    test_vq_expect_used(q, id, tiny ? 0 : 5);
    test_vq_expect_none(q);
    if (!tiny) {
        assert_memory_equal(test_mem_host(&q->mem, in, 5), "reply", 5);
    }
    assert_true(test_mem_is(&q->mem, in + (tiny ? 0U : 5U), TEST_UNWRITTEN, tiny ? 24 : 19));
    test_mem_rewind(&q->mem, mark);
}

void test_vq_expect_fault(struct test_vq *q, enum avps_status status)
{
    const uint16_t avail = q->vq.avail_idx;
    const uint16_t in_flight = q->vq.in_flight;
    const unsigned int maps = test_mem_live_maps(&q->mem);
    struct avps_chain *chain = &q->chain[TEST_CHAINS - 1U];
    bool flag = true;

    test_mem_freeze(&q->mem);
    assert_int_equal(avps_vq_pop(&q->vq, chain), status);
    assert_true(avps_status_is_guest_fault(status));
    const unsigned int reads = q->mem.reads;
    assert_int_equal(avps_vq_pop(&q->vq, chain), status);
    assert_false(avps_vq_has_work(&q->vq));
    avps_vq_arm(&q->vq, &flag);
    assert_false(flag);
    assert_int_equal(avps_vq_publish(&q->vq, &flag), AVPS_OK);
    assert_false(flag);
    assert_int_equal(q->mem.reads, reads); /* never looked at again */
    assert_int_equal(q->vq.avail_idx, avail);
    assert_int_equal(q->vq.in_flight, in_flight);
    assert_int_equal(test_mem_changed(&q->mem, NULL, 0), 0);
    assert_int_equal(test_mem_live_maps(&q->mem), maps);
    test_mem_check(&q->mem);
    test_vq_restart(q);
    test_vq_round(q);
}
