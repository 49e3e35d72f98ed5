/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues with a tracker: what it is told, in which order -> what it hands out again, good and bad. */
#include "support/queue.h"

#define EVENTS 32U

/* A tracker that writes everything down. */
static struct {
    struct avps_tracker tracker;
    char log[EVENTS];
    uint16_t ids[EVENTS];
    unsigned int events;
    struct avps_vq_desc descs[EVENTS]; /* of take */
    unsigned int desc_count;
    uint16_t used_idx;
    bool used_wrap;
    struct avps_vq_desc replay[8][4]; /* chains to be handed out */
    unsigned int replay_len[8];
    unsigned int replays;
    unsigned int next;
} t;

static void note(char what, uint16_t id)
{
    assert_true(t.events < EVENTS);
    t.log[t.events] = what;
    t.ids[t.events] = id;
    t.events++;
}

static void t_take(void *ctx, const struct avps_vq_desc *desc, bool first, bool last)
{
    assert_ptr_equal(ctx, &t);
    t.descs[t.desc_count % EVENTS] = *desc;
    t.desc_count++;
    note(first && last ? 'T' : first ? 'a' : last ? 'z' : 'm', desc->id);
}

static void t_forget(void *ctx, uint16_t id)
{
    assert_ptr_equal(ctx, &t);
    note('F', id);
}

static void t_give(void *ctx, uint16_t id)
{
    assert_ptr_equal(ctx, &t);
    note('G', id);
}

static void t_publish(void *ctx, uint16_t used_idx, bool used_wrap)
{
    assert_ptr_equal(ctx, &t);
    t.used_idx = used_idx;
    t.used_wrap = used_wrap;
    note('P', 0);
}

static void t_published(void *ctx)
{
    assert_ptr_equal(ctx, &t);
    note('D', 0);
}

static bool t_replay(void *ctx, uint32_t n, struct avps_vq_desc *desc)
{
    assert_ptr_equal(ctx, &t);
    if (t.next >= t.replays || n >= t.replay_len[t.next]) {
        return false;
    }
    *desc = t.replay[t.next][n];
    return true;
}

static void t_replayed(void *ctx, bool forward)
{
    assert_ptr_equal(ctx, &t);
    t.next = forward ? t.next + 1U : t.next - 1U;
    note(forward ? 'R' : 'B', 0);
}

static const struct avps_tracker_ops t_ops = {.take = t_take,
                                              .forget = t_forget,
                                              .give = t_give,
                                              .publish = t_publish,
                                              .published = t_published,
                                              .replay = t_replay,
                                              .replayed = t_replayed};

static struct test_vq *tracked(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);

    (void)memset(&t, 0, sizeof t);
    t.tracker = (struct avps_tracker){&t_ops, &t};
    q->config.tracker = &t.tracker;
    return q;
}

static uint16_t add(struct test_vq *q)
{
    const avps_gpa buffer = test_mem_alloc(&q->mem, 32, 8);
    const struct test_desc table[] = {{buffer, 8, 0}, {buffer + 8U, 24, TEST_WRITE}};

    return test_ring_add(&q->ring, table, 2);
}

static void expect_log(const char *log)
{
    t.log[t.events] = '\0';
    assert_string_equal(t.log, log);
    t.events = 0;
}

/* ---- what it is told ---- */

static void test_tracker_follows_a_chain(void **state)
{
    struct test_vq *q = tracked(state);
    const bool packed = test_is_packed(state);

    test_vq_enable(q);
    const uint16_t id = add(q);
    const struct avps_chain *chain = test_vq_take(q, 0);
    expect_log(packed ? "az" : "T");
    assert_int_equal(t.ids[packed ? 1 : 0], id);
    if (packed) {
        assert_int_equal(t.descs[0].addr, chain->segs[0].gpa);
        assert_int_equal(t.descs[0].len, 8);
        assert_int_equal(t.descs[0].flags & 7U, TEST_NEXT);
        assert_int_equal(t.descs[1].len, 24);
        assert_int_equal(t.descs[1].flags & 7U, TEST_WRITE);
    }
    (void)test_vq_finish(q, 0);
    expect_log("GPD");
    assert_int_equal(t.ids[0], id);
    assert_int_equal(t.used_idx, packed ? 2 : 1);
    assert_true(t.used_wrap);
    bool notify = false;
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK); /* nothing new */
    expect_log("");
    test_vq_expect_used(q, id, 0);
    test_vq_free(q);
}

static void test_tracker_is_told_what_comes_back_unserved(void **state)
{
    struct test_vq *q = tracked(state);
    const bool packed = test_is_packed(state);

    test_vq_enable(q);
    const uint16_t first = add(q);
    const uint16_t second = add(q);
    (void)test_vq_take(q, 0);
    (void)test_vq_take(q, 1);
    expect_log(packed ? "azaz" : "TT");
    avps_vq_unpop(&q->vq, &q->chain[1]);
    expect_log("F");
    assert_int_equal(t.ids[0], second);
    avps_vq_drop(&q->vq, &q->chain[0]);
    expect_log("F");
    assert_int_equal(t.ids[0], first);
    test_vq_free(q);
}

static void test_tracker_sees_a_batch_at_once(void **state)
{
    struct test_vq *q = tracked(state);
    const bool packed = test_is_packed(state);
    bool notify = false;

    test_vq_enable(q);
    (void)add(q);
    (void)add(q);
    (void)test_vq_take(q, 0);
    (void)test_vq_take(q, 1);
    assert_int_equal(avps_vq_push(&q->vq, &q->chain[1]), AVPS_OK);
    assert_int_equal(avps_vq_push(&q->vq, &q->chain[0]), AVPS_OK);
    assert_int_equal(avps_vq_publish(&q->vq, &notify), AVPS_OK);
    expect_log(packed ? "azazGGPD" : "TTGGPD");
    assert_int_equal(t.used_idx, packed ? 4 : 2);
    test_vq_free(q);
}

/* ---- what it hands out again ---- */

/* Chains 0 and 1 were taken by a predecessor, in the order 1, 0. */
static void hand_out(struct test_vq *q, const uint16_t *ids, unsigned int count)
{
    t.replays = count;
    for (unsigned int i = 0; i < count; i++) {
        const uint32_t at = 2U * ids[i];

        t.replay_len[i] = q->ring.packed ? 2U : 1U;
        for (uint32_t n = 0; n < t.replay_len[i]; n++) {
            const avps_gpa desc = test_ring_desc_at(&q->ring, at + n);

            t.replay[i][n] = (struct avps_vq_desc){.addr = test_mem_get64(&q->mem, desc),
                                                   .len = test_mem_get32(&q->mem, desc + 8U),
                                                   .id = test_mem_get16(&q->mem, desc + 12U),
                                                   .flags = test_mem_get16(&q->mem, desc + 14U)};
            if (!q->ring.packed) {
                t.replay[i][n].id = (uint16_t)at;
            }
        }
    }
    q->config.avail_start = (uint16_t)(q->ring.packed ? 2U * count : count);
}

static void enable_as_it_is(struct test_vq *q)
{
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_OK);
}

static void test_tracker_hands_out_chains_before_the_ring(void **state)
{
    static const uint16_t order[] = {1, 0};
    struct test_vq *q = tracked(state);
    uint16_t id[3];

    id[0] = add(q);
    id[1] = add(q);
    hand_out(q, order, 2);
    id[2] = add(q);
    enable_as_it_is(q);
    assert_true(avps_vq_has_work(&q->vq));
    uint32_t count = 0;
    assert_int_equal(avps_vq_pop_burst(&q->vq, q->chain, 8, &count), AVPS_EMPTY);
    assert_int_equal(count, 3);
    assert_int_equal(q->chain[0].id, id[1]);
    assert_int_equal(q->chain[1].id, id[0]);
    assert_int_equal(q->chain[2].id, id[2]);
    for (unsigned int i = 0; i < 3U; i++) {
        assert_int_equal(avps_chain_readable(&q->chain[i]), 8);
        assert_int_equal(avps_chain_writable(&q->chain[i]), 24);
    }
    for (unsigned int i = 0; i < 3U; i++) {
        (void)test_vq_finish(q, i);
    }
    test_vq_expect_used(q, id[1], 0);
    test_vq_expect_used(q, id[0], 0);
    test_vq_expect_used(q, id[2], 0);
    test_vq_round(q);
    test_vq_free(q);
}

static void test_tracker_takes_a_chain_back(void **state)
{
    static const uint16_t order[] = {0, 1};
    struct test_vq *q = tracked(state);

    (void)add(q);
    (void)add(q);
    hand_out(q, order, 2);
    enable_as_it_is(q);
    const uint16_t id = test_vq_take(q, 0)->id;
    (void)test_vq_take(q, 1);
    avps_vq_unpop(&q->vq, &q->chain[1]);
    avps_vq_unpop(&q->vq, &q->chain[0]);
    expect_log("RRBB");
    assert_int_equal(q->vq.in_flight, 0);
    assert_int_equal(test_vq_take(q, 0)->id, id);
    (void)test_vq_take(q, 1);
    assert_int_equal(test_vq_pop(q, 2), AVPS_EMPTY);
    test_vq_free(q);
}

/* What it hands out is judged like a ring. */
static void test_tracker_that_lies_latches_the_queue(void **state)
{
    static const uint16_t order[] = {0, 0};
    const bool packed = test_is_packed(state);

    for (unsigned int lie = 0; lie < (packed ? 5U : 2U); lie++) {
        struct test_vq *q = tracked(state);

        (void)add(q);
        hand_out(q, order, lie == 0U ? 2U : 1U);
        struct avps_vq_desc *desc = t.replay[0];
        enum avps_status expected = AVPS_E_GUEST_DESC;
        enable_as_it_is(q);
        if (lie == 0U) {
            (void)test_vq_take(q, 0); /* twice the same */
        } else if (lie == 1U) {
            desc[packed ? 1 : 0].id = 8;
        } else if (lie == 2U) {
            desc[0].addr = TEST_HOLE_GPA;
            expected = AVPS_E_GUEST_ADDR;
        } else if (lie == 3U) {
            desc[1].flags |= TEST_NEXT; /* and there is no more */
        } else {
            desc[1].flags |= TEST_INDIRECT; /* not the first */
        }
        assert_int_equal(test_vq_pop(q, 1), expected);
        assert_int_equal(test_vq_pop(q, 1), expected);
        assert_false(avps_vq_has_work(&q->vq));
        test_vq_free(q);
    }
}

/* [I15] More is taken than the ring holds, or less than nothing. */
static void test_queue_positions_must_fit_the_ring(void **state)
{
    struct test_vq *q = test_vq_new(state, TEST_MEM_REGIONS, 8);
    const bool packed = test_is_packed(state);

    q->config.avail_start = packed ? 1 : 9;
    q->config.avail_wrap = !packed; /* packed: one lap and one further on */
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_E_GUEST_DESC);
    q->config.avail_start = packed ? 0 : 8;
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_OK);
    avps_vq_disable(&q->vq);
    q->config.avail_wrap = true;
    q->config.avail_start = 3;
    q->config.used_start = 4;
    assert_int_equal(avps_vq_enable(&q->vq, &q->mem.handle, &q->config), AVPS_E_GUEST_DESC);
    test_vq_free(q);
}

/* Slots between the places are the device's: none of them may look used. */
static void test_tracker_makes_slots_available_again(void **state)
{
    static const uint16_t order[] = {0, 1, 2};
    struct test_vq *q = tracked(state);
    const uint16_t both = TEST_AVAIL | TEST_USED;

    (void)state;
    for (unsigned int i = 0; i < 3U; i++) {
        (void)add(q);
    }
    hand_out(q, order, 3);
    for (uint32_t at = 2; at < 6U; at += 2U) {
        test_mem_put16(&q->mem, test_ring_desc_at(&q->ring, at) + 14U, both | TEST_WRITE);
    }
    test_mem_put16(&q->mem, test_ring_desc_at(&q->ring, 6) + 14U, both); /* not ours */
    enable_as_it_is(q);
    for (uint32_t at = 0; at < 6U; at++) {
        const avps_gpa flags = test_ring_desc_at(&q->ring, at) + 14U;

        assert_int_equal(test_mem_get16(&q->mem, flags) & both, TEST_AVAIL);
    }
    assert_int_equal(test_mem_get16(&q->mem, test_ring_desc_at(&q->ring, 6) + 14U), both);
    test_vq_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_tracker_follows_a_chain, NULL, NULL),
        TEST_BOTH(test_tracker_is_told_what_comes_back_unserved, NULL, NULL),
        TEST_BOTH(test_tracker_sees_a_batch_at_once, NULL, NULL),
        TEST_BOTH(test_tracker_hands_out_chains_before_the_ring, NULL, NULL),
        TEST_BOTH(test_tracker_takes_a_chain_back, NULL, NULL),
        TEST_BOTH(test_tracker_that_lies_latches_the_queue, NULL, NULL),
        TEST_BOTH(test_queue_positions_must_fit_the_ring, NULL, NULL),
        TEST_PACKED(test_tracker_makes_slots_available_again, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
