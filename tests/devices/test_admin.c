/* SPDX-License-Identifier: BSD-3-Clause */
/* Administration virtqueue: lists of commands, groups, members, odd buffer lengths, saved state; the
 * capabilities and objects of a device are tested with it (test_net_flow.c). */
#include "devices/test_admin.h"

#include "avps/net.h"
#include "avps/rng.h"

#define LISTS 3U

/* ---- a device with the queue but without capabilities, and one with both ---- */

static enum avps_status admin_no_entropy(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    (void)buf;
    (void)len;
    *got = 0;
    return AVPS_EMPTY;
}

static enum avps_status admin_transmit(void *ctx, uint16_t pair,
                                       const struct avps_net_packet *packets, uint32_t count,
                                       uint32_t *taken)
{
    (void)ctx;
    (void)pair;
    (void)packets;
    *taken = count;
    return AVPS_OK;
}

static const struct avps_rng_ops rng_ops = {.fill = admin_no_entropy};
static const struct avps_net_ops net_ops = {.transmit = admin_transmit};

struct admin_test {
    struct test_driver d;
    struct avps_admin admin;
    struct avps_queue queues[4];
    struct avps_rng rng;
    struct avps_net net;
    struct avps_net_pair pair;
    struct avps_net_flow flow;
    struct avps_device *device;
    uint16_t queue; /* the administration virtqueue */
};

static struct admin_test *admin_new(void **state, bool capable)
{
    static struct admin_test storage;
    struct admin_test *t = &storage;

    (void)memset(t, 0, sizeof *t);
    test_driver_init(&t->d, TEST_MEM_REGIONS);
    if (test_is_packed(state)) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    t->queue = capable ? 3U : 1U;
    t->device = capable ? &t->net.base : &t->rng.base;
    assert_int_equal(avps_admin_init(&t->admin), AVPS_OK);
    return t;
}

static enum avps_status admin_init_device(struct admin_test *t)
{
    struct avps_device_config base = test_driver_base(&t->d, t->queues, t->queue, 64);

    base.admin = &t->admin;
    if (t->device == &t->rng.base) {
        const struct avps_rng_config config = {.base = base, .ops = &rng_ops};
        return avps_rng_init(&t->rng, &config);
    }
    const struct avps_net_config config = {
        .base = base, .ops = &net_ops, .pairs = &t->pair, .pair_count = 1, .flow = &t->flow};
    return avps_net_init(&t->net, &config);
}

static struct admin_test *admin_start(void **state, bool capable)
{
    struct admin_test *t = admin_new(state, capable);

    assert_int_equal(admin_init_device(t), AVPS_OK);
    test_driver_attach(&t->d, t->device);
    admin_offer(&t->d, t->device);
    if (capable) {
        test_driver_want(&t->d, AVPS_NET_F_CTRL_VQ);
    }
    t->d.queue_count = (uint16_t)(t->queue + 1U);
    test_driver_start(&t->d);
    return t;
}

static uint16_t send(struct admin_test *t, struct admin_cmd *cmd)
{
    return admin_send(&t->d, t->queue, cmd);
}

static uint16_t use(struct admin_test *t, uint64_t commands)
{
    return admin_use(&t->d, t->queue, commands);
}

static void assert_refused(struct admin_test *t, struct admin_cmd *cmd, uint16_t qualifier)
{
    assert_int_equal(send(t, cmd), ST_EINVAL);
    assert_int_equal(cmd->qualifier, qualifier);
    assert_int_equal(cmd->used, ADMIN_REPLY);
}

/* What LIST_QUERY says. */
static uint64_t supported(struct admin_test *t)
{
    struct admin_cmd cmd = {.opcode = LIST_QUERY};

    assert_int_equal(send(t, &cmd), ST_OK);
    assert_int_equal(cmd.used, ADMIN_REPLY + 8U);
    return admin_get(cmd.answer + ADMIN_REPLY, 8);
}

/* ---- lists ---- */

/* [admin-1.5] [admin-1.14] [admin-2.6] */
static void test_admin_lists_what_the_device_supports(void **state)
{
    struct admin_test *t = admin_start(state, false);

    assert_int_equal(supported(t), LISTS);
    assert_int_equal(supported(t), LISTS);
    test_driver_free(&t->d);

    t = admin_start(state, true);
    assert_int_equal(supported(t), ADMIN_COMMANDS); /* [admin-caps-1.1] */
    assert_int_equal(use(t, ADMIN_COMMANDS), ST_OK);
    assert_int_equal(supported(t), ADMIN_COMMANDS);
    test_driver_free(&t->d);
}

/* [admin-1.11] [admin-1.13] */
static void test_admin_knows_only_the_lists_until_told_otherwise(void **state)
{
    struct admin_test *t = admin_start(state, true);

    for (uint16_t opcode = LIST_USE + 1U; opcode < 0x20U; opcode++) {
        struct admin_cmd cmd = {.opcode = opcode};
        assert_refused(t, &cmd, Q_OPCODE);
    }
    test_driver_free(&t->d);
}

/* [admin-1.12] [admin-1.13] */
static void test_admin_obeys_the_list_in_use(void **state)
{
    struct admin_test *t = admin_start(state, true);
    struct admin_cmd caps = {.opcode = CAP_LIST};
    struct admin_cmd get = {.opcode = CAP_GET};

    assert_int_equal(use(t, LISTS | 1U << CAP_LIST), ST_OK);
    assert_int_equal(send(t, &caps), ST_OK);
    assert_refused(t, &get, Q_OPCODE);
    assert_int_equal(use(t, LISTS), ST_OK);
    assert_refused(t, &caps, Q_OPCODE);
    test_driver_free(&t->d);
}

/* [admin-1.9] [admin-1.7] */
static void test_admin_refuses_a_list_with_unknown_commands(void **state)
{
    struct admin_test *t = admin_start(state, true);
    const uint64_t unknown[] = {1U << 2, 1U << 0xe, (uint64_t)1 << 63, UINT64_MAX};
    struct admin_cmd caps = {.opcode = CAP_LIST};
    uint16_t qualifier = 0;

    assert_int_equal(use(t, LISTS | 1U << CAP_LIST), ST_OK);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        uint8_t list[8];
        admin_put(list, LISTS | unknown[i], 8);
        assert_int_equal(admin_do(&t->d, t->queue, LIST_USE, list, 8, &qualifier), ST_EINVAL);
        assert_int_equal(qualifier, Q_FIELD);
    }
    assert_int_equal(send(t, &caps), ST_OK); /* the list before is still in use */
    test_driver_free(&t->d);
}

/* [admin-2.1] [admin-2.2] A list may be cut short or be longer than it need be. */
static void test_admin_takes_a_list_of_any_length(void **state)
{
    struct admin_test *t = admin_start(state, true);
    static uint8_t list[9000];

    admin_put(list, LISTS | 1U << CAP_LIST, 8);
    for (uint32_t len = 2; len <= 600U; len += 13U) {
        assert_int_equal(admin_do(&t->d, t->queue, LIST_USE, list, len, NULL), ST_OK);
    }
    for (uint32_t at = 8; at < 600U; at += 37U) {
        list[at] = 0x10;
        assert_int_equal(admin_do(&t->d, t->queue, LIST_USE, list, 600, NULL), ST_EINVAL);
        list[at] = 0;
    }
    list[8191] = 0x80; /* the last opcode there is */
    assert_int_equal(admin_do(&t->d, t->queue, LIST_USE, list, 9000, NULL), ST_EINVAL);
    list[8191] = 0;
    assert_int_equal(admin_do(&t->d, t->queue, LIST_USE, list, 9000, NULL), ST_OK);
    test_driver_free(&t->d);
}

/* A driver may give up the lists too, for good: until the next reset. [admin-1.15] */
static void test_admin_lets_a_driver_give_up_the_lists(void **state)
{
    struct admin_test *t = admin_start(state, true);
    struct admin_cmd query = {.opcode = LIST_QUERY};

    assert_int_equal(use(t, 1U << CAP_LIST), ST_OK);
    assert_refused(t, &query, Q_OPCODE);
    assert_int_equal(use(t, ADMIN_COMMANDS), ST_EINVAL);
    test_driver_reset(&t->d);
    test_driver_start(&t->d);
    assert_int_equal(use(t, 1U << CAP_LIST), ST_OK); /* the same list again after a reset */
    test_driver_free(&t->d);
}

/* ---- group, opcode, member: in this order ---- */

/* [admin-1.1] [admin-1.2] [admin-1.6] [admin-1.17] [admin-caps-1.5] [admin-caps-1.6] */
static void test_admin_knows_no_group_but_self(void **state)
{
    struct admin_test *t = admin_start(state, true);
    const uint16_t groups[] = {SRIOV, 2, 0x8000, 0xffff};
    const uint16_t opcodes[] = {LIST_QUERY, LIST_USE, CAP_LIST, CAP_GET, CAP_SET, CREATE,
                                QUERY,      MODIFY,   DESTROY,  0xe,     0x11,    0xffff};

    assert_int_equal(use(t, ADMIN_COMMANDS), ST_OK);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (size_t o = 0; o < sizeof opcodes / sizeof opcodes[0]; o++) {
            struct admin_cmd cmd = {.opcode = opcodes[o], .group = groups[g], .member = 7};
            assert_refused(t, &cmd, Q_GROUP);
        }
    }
    test_driver_free(&t->d);
}

/* [admin-1.3] [admin-1.4] */
static void test_admin_looks_at_the_opcode_before_the_member(void **state)
{
    struct admin_test *t = admin_start(state, true);
    struct admin_cmd opcode = {.opcode = 0xe, .member = 1};
    struct admin_cmd lists = {.opcode = LIST_QUERY, .member = UINT64_MAX};

    assert_int_equal(use(t, ADMIN_COMMANDS), ST_OK);
    assert_refused(t, &opcode, Q_OPCODE);
    for (uint16_t code = CAP_LIST; code <= DESTROY; code++) {
        struct admin_cmd cmd = {.opcode = code, .member = (uint64_t)1 << 32};
        assert_refused(t, &cmd, Q_MEMBER);
    }
    assert_int_equal(send(t, &lists), ST_OK); /* the lists have no member */
    test_driver_free(&t->d);
}

/* ---- buffers that are shorter or longer than they should be ---- */

/* [admin-2.1] [admin-2.4] What is missing of a command is 0. */
static void test_admin_reads_zeroes_behind_a_short_command(void **state)
{
    struct admin_test *t = admin_start(state, true);

    for (uint32_t len = 1; len <= ADMIN_HEAD; len++) {
        struct admin_cmd cmd = {.opcode = LIST_QUERY, .head_len = len};
        assert_int_equal(send(t, &cmd), ST_OK);
    }
    test_driver_free(&t->d);
}

/* [admin-2.1] [admin-2.3] [admin-2.4] */
static void test_admin_cuts_the_answer_to_a_short_buffer(void **state)
{
    struct admin_test *t = admin_start(state, true);
    const uint8_t answer[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0x83, 0x3f, 0, 0, 0, 0, 0, 0};

    for (uint32_t room = 1; room <= sizeof answer; room++) {
        struct admin_cmd cmd = {.opcode = LIST_QUERY, .room = room};
        (void)send(t, &cmd);
        assert_int_equal(cmd.used, room);
        assert_memory_equal(cmd.answer, answer, room);
    }
    assert_int_equal(supported(t), ADMIN_COMMANDS);
    test_driver_free(&t->d);
}

/* [admin-2.2] [admin-2.5] Nothing is written behind the answer, which is whole 64-bit words. */
static void test_admin_leaves_a_longer_buffer_alone(void **state)
{
    struct admin_test *t = admin_start(state, true);
    struct admin_cmd query = {.opcode = LIST_QUERY, .data = "ignored", .len = 8};
    struct admin_cmd caps = {.opcode = CAP_LIST};

    assert_int_equal(send(t, &query), ST_OK);
    assert_int_equal(query.used, 16);
    assert_int_equal(use(t, ADMIN_COMMANDS), ST_OK);
    assert_int_equal(send(t, &caps), ST_OK);
    assert_int_equal(caps.used % 8U, 0);
    for (uint32_t i = caps.used; i < sizeof caps.answer; i++) {
        assert_int_equal(caps.answer[i], TEST_UNWRITTEN);
    }
    test_driver_free(&t->d);
}

/* A chain with nothing to write into, and one with nothing to read. [admin-2.4] */
static void test_admin_serves_a_one_way_chain(void **state)
{
    struct admin_test *t = admin_start(state, false);
    const uint8_t head[ADMIN_HEAD] = {LIST_QUERY};
    struct test_request out = {.out = {{head, sizeof head}}};
    struct test_request in = {.in = {16}};
    uint8_t answer[16] = {0};

    assert_int_equal(test_driver_do(&t->d, t->queue, &out), 0);
    assert_int_equal(test_driver_do(&t->d, t->queue, &in), 16); /* opcode 0, group 0 */
    test_driver_in(&t->d, &in, 0, answer, sizeof answer);
    assert_int_equal(admin_get(answer, 8), 0);
    assert_int_equal(admin_get(answer + 8, 8), LISTS);
    assert_int_equal(avps_admin_counters(&t->admin)->commands, 2);
    test_driver_free(&t->d);
}

/* ---- the queue ---- */

/* [admin-2.7] */
static void test_admin_serves_commands_in_order(void **state)
{
    struct admin_test *t = admin_start(state, true);
    uint8_t heads[3][ADMIN_HEAD + 8U] = {{LIST_USE}, {CAP_LIST}, {LIST_USE}};
    struct test_request requests[3];
    struct test_used used = {0, 0};
    const uint16_t expected[3] = {ST_OK, ST_OK, ST_EINVAL};

    admin_put(heads[0] + ADMIN_HEAD, 1U << CAP_LIST, 8); /* the third is then unknown */
    for (size_t i = 0; i < 3U; i++) {
        requests[i] = (struct test_request){.out = {{heads[i], sizeof heads[i]}}, .in = {16}};
        (void)test_driver_send(&t->d, t->queue, &requests[i]);
    }
    test_driver_kick(&t->d, t->queue);
    (void)test_driver_poll(&t->d);
    for (size_t i = 0; i < 3U; i++) {
        uint8_t answer[2];
        assert_true(test_driver_reap(&t->d, t->queue, &used));
        assert_int_equal(used.id, requests[i].id);
        test_driver_in(&t->d, &requests[i], 0, answer, 2);
        assert_int_equal(admin_get(answer, 2), expected[i]);
    }
    assert_int_equal(avps_admin_counters(&t->admin)->commands, 3);
    assert_int_equal(avps_admin_counters(&t->admin)->refused, 1);
    test_driver_free(&t->d);
}

static void test_admin_queue_needs_its_feature(void **state)
{
    struct admin_test *t = admin_new(state, false);

    assert_int_equal(admin_init_device(t), AVPS_OK);
    test_driver_attach(&t->d, t->device);
    assert_false(test_driver_offers(&t->d, AVPS_F_ADMIN_VQ)); /* not by this transport */
    assert_true(test_driver_negotiate(&t->d));
    assert_true(test_driver_queue(&t->d, 0, 16));
    assert_false(test_driver_queue(&t->d, 1, 16));
    test_driver_free(&t->d);
}

/* Queues of the device and the one behind them do not get in each other's way. */
static void test_admin_leaves_the_device_its_own_queues(void **state)
{
    struct admin_test *t = admin_start(state, false);
    struct test_request wait = {.in = {64}};

    (void)test_driver_send(&t->d, 0, &wait);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    assert_int_equal(supported(t), LISTS); /* while a request waits for entropy */
    test_driver_free(&t->d);
}

static void test_admin_is_initialised_before_its_device(void **state)
{
    struct admin_test *t = admin_new(state, false);

    assert_int_equal(avps_admin_init(NULL), AVPS_E_PARAM);
    t->admin.ops = NULL;
    assert_int_equal(admin_init_device(t), AVPS_E_PARAM);
    test_driver_free(&t->d);
}

/* ---- reset and saved state ---- */

static void test_admin_forgets_the_list_at_a_reset(void **state)
{
    struct admin_test *t = admin_start(state, true);
    struct admin_cmd caps = {.opcode = CAP_LIST};

    assert_int_equal(use(t, ADMIN_COMMANDS), ST_OK);
    test_driver_reset(&t->d);
    test_driver_start(&t->d);
    assert_refused(t, &caps, Q_OPCODE);
    test_driver_free(&t->d);
}

#define STATE_MAX 65536U

/* Into the same device, as another one would be after init: reset, then loaded. */
static enum avps_status reload(struct admin_test *t, const uint8_t *bytes, size_t size)
{
    assert_int_equal(avps_reset(t->device), AVPS_OK);
    return avps_load(t->device, bytes, size);
}

static void test_admin_list_survives_save_and_load(void **state)
{
    static uint8_t bytes[STATE_MAX];
    struct admin_test *t = admin_start(state, true);
    struct admin_cmd caps = {.opcode = CAP_LIST};
    struct admin_cmd get = {.opcode = CAP_GET};
    size_t size = 0;

    assert_int_equal(use(t, LISTS | 1U << CAP_LIST), ST_OK);
    assert_int_equal(avps_save(t->device, bytes, sizeof bytes, &size), AVPS_OK);
    assert_int_equal(reload(t, bytes, size), AVPS_OK);
    assert_int_equal(send(t, &caps), ST_OK);
    assert_refused(t, &get, Q_OPCODE);
    test_driver_free(&t->d);
}

/* I28 */
static void test_admin_refuses_a_state_with_unknown_commands(void **state)
{
    static uint8_t bytes[STATE_MAX];
    struct admin_test *t = admin_start(state, false);
    size_t size = 0;

    assert_int_equal(avps_save(t->device, bytes, sizeof bytes, &size), AVPS_OK);
    assert_int_equal(admin_get(bytes + size - 12U, 8), LISTS); /* in front of the end mark */
    admin_put(bytes + size - 12U, LISTS | 1U << CAP_LIST, 8);
    assert_int_equal(reload(t, bytes, size), AVPS_E_PARAM);
    assert_int_equal(avps_device_status(t->device), 0);
    test_driver_free(&t->d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_admin_lists_what_the_device_supports, NULL, NULL),
        TEST_BOTH(test_admin_knows_only_the_lists_until_told_otherwise, NULL, NULL),
        TEST_BOTH(test_admin_obeys_the_list_in_use, NULL, NULL),
        TEST_BOTH(test_admin_refuses_a_list_with_unknown_commands, NULL, NULL),
        TEST_BOTH(test_admin_takes_a_list_of_any_length, NULL, NULL),
        TEST_BOTH(test_admin_lets_a_driver_give_up_the_lists, NULL, NULL),
        TEST_BOTH(test_admin_knows_no_group_but_self, NULL, NULL),
        TEST_BOTH(test_admin_looks_at_the_opcode_before_the_member, NULL, NULL),
        TEST_BOTH(test_admin_reads_zeroes_behind_a_short_command, NULL, NULL),
        TEST_BOTH(test_admin_cuts_the_answer_to_a_short_buffer, NULL, NULL),
        TEST_BOTH(test_admin_leaves_a_longer_buffer_alone, NULL, NULL),
        TEST_BOTH(test_admin_serves_a_one_way_chain, NULL, NULL),
        TEST_BOTH(test_admin_serves_commands_in_order, NULL, NULL),
        TEST_BOTH(test_admin_queue_needs_its_feature, NULL, NULL),
        TEST_BOTH(test_admin_leaves_the_device_its_own_queues, NULL, NULL),
        TEST_BOTH(test_admin_is_initialised_before_its_device, NULL, NULL),
        TEST_BOTH(test_admin_forgets_the_list_at_a_reset, NULL, NULL),
        TEST_BOTH(test_admin_list_survives_save_and_load, NULL, NULL),
        TEST_BOTH(test_admin_refuses_a_state_with_unknown_commands, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
