/* SPDX-License-Identifier: BSD-3-Clause */
/* Flow filters: capabilities, objects good and bad, what becomes of frames, saved state. */
#include "devices/test_admin.h"
#include "devices/test_net.h"

#define RESOURCE_CAP 0x800U
#define SELECTOR_CAP 0x801U
#define ACTION_CAP   0x802U

#define GROUP      0x200U
#define CLASSIFIER 0x201U
#define RULE       0x202U

#define ETH  1U
#define IPV4 2U
#define IPV6 3U
#define TCP  4U
#define UDP  5U
#define ESP  6U

#define DROP   1U
#define DIRECT 2U

#define PAIRS       2U
#define ADMIN_QUEUE (2U * PAIRS + 1U)
#define FRAME       120U

static uint8_t frame[NIC_BYTES];
static uint8_t got[NIC_BYTES];

struct flow_test {
    struct nic *n;
    struct avps_admin admin;
    struct avps_net_flow flow;
};

/* ---- life ---- */

static struct flow_test *flow_new(void **state)
{
    static struct flow_test storage;
    struct flow_test *t = &storage;

    (void)memset(t, 0, sizeof *t);
    t->n = nic_new(state, TEST_MEM_REGIONS, PAIRS);
    assert_int_equal(avps_admin_init(&t->admin), AVPS_OK);
    t->n->config.base.admin = &t->admin;
    t->n->config.flow = &t->flow;
    want(t->n, AVPS_NET_F_CTRL_VQ);
    want(t->n, AVPS_NET_F_CTRL_RX);
    want(t->n, AVPS_NET_F_MQ);
    want(t->n, AVPS_NET_F_MAC);
    return t;
}

static struct flow_test *flow_start(void **state)
{
    struct flow_test *t = flow_new(state);

    nic_init(t->n);
    admin_offer(&t->n->d, &t->n->net.base);
    t->n->d.queue_count = ADMIN_QUEUE + 1U;
    nic_up(t->n);
    assert_int_equal(admin_use(&t->n->d, ADMIN_QUEUE, ADMIN_COMMANDS), ST_OK);
    return t;
}

static void flow_free(struct flow_test *t)
{
    nic_free(t->n);
}

static uint16_t command(struct flow_test *t, uint16_t opcode, const void *data, uint32_t len)
{
    return admin_do(&t->n->d, ADMIN_QUEUE, opcode, data, len, NULL);
}

/* ---- capabilities ---- */

static uint16_t set_cap(struct flow_test *t, uint16_t id, const uint8_t *bytes, uint32_t len)
{
    uint8_t data[8U + 200U] = {0};

    assert_true(len <= 200U);
    admin_put(data, id, 2);
    (void)memcpy(data + 8, bytes, len);
    return command(t, CAP_SET, data, 8U + len);
}

/* What the device offers. @return bytes of it. */
static uint32_t get_cap(struct flow_test *t, uint16_t id, uint8_t *bytes)
{
    uint8_t data[8] = {0};
    struct admin_cmd cmd = {.opcode = CAP_GET, .data = data, .len = sizeof data};

    admin_put(data, id, 2);
    assert_int_equal(admin_send(&t->n->d, ADMIN_QUEUE, &cmd), ST_OK);
    (void)memcpy(bytes, cmd.answer + ADMIN_REPLY, cmd.used - ADMIN_REPLY);
    return cmd.used - ADMIN_REPLY;
}

/* As a driver does that takes all that there is. */
static void take_all(struct flow_test *t)
{
    static uint8_t bytes[ADMIN_BYTES];

    for (uint16_t id = RESOURCE_CAP; id <= ACTION_CAP; id++) {
        const uint32_t len = get_cap(t, id, bytes);
        assert_int_equal(set_cap(t, id, bytes, len), ST_OK);
    }
}

static struct flow_test *flow_ready(void **state)
{
    struct flow_test *t = flow_start(state);

    take_all(t);
    return t;
}

static uint8_t header_len(uint8_t type)
{
    static const uint8_t lens[] = {0, 14, 20, 40, 20, 8, 8};

    return lens[type];
}

/* ---- objects ---- */

/* An object's data, put together from the front. */
struct object {
    uint8_t bytes[320];
    uint32_t len;
};

static void put(struct object *o, uint64_t value, uint32_t bytes)
{
    admin_put(o->bytes + o->len, value, bytes);
    o->len += bytes;
}

static void put_bytes(struct object *o, const uint8_t *bytes, uint32_t len)
{
    (void)memcpy(o->bytes + o->len, bytes, len);
    o->len += len;
}

static struct object object_head(uint16_t type, uint32_t id, uint64_t flags)
{
    struct object o = {{0}, 0};

    put(&o, type, 4);
    put(&o, id, 4);
    put(&o, flags, 8);
    return o;
}

static uint16_t do_object(struct flow_test *t, uint16_t opcode, const struct object *o)
{
    return command(t, opcode, o->bytes, o->len);
}

static struct object group_of(uint32_t id, uint16_t priority)
{
    struct object o = object_head(GROUP, id, 0);

    put(&o, priority, 2);
    return o;
}

static uint16_t make_group(struct flow_test *t, uint32_t id, uint16_t priority)
{
    const struct object o = group_of(id, priority);

    return do_object(t, CREATE, &o);
}

static void put_selector(struct object *o, uint8_t type, uint8_t flags, const uint8_t *mask)
{
    put(o, type, 1);
    put(o, flags, 1);
    put(o, 0, 2);
    put(o, header_len(type), 1);
    put(o, 0, 3);
    put_bytes(o, mask, header_len(type));
}

/* What a rule compares: a mask and a key for each of up to three headers. */
struct pattern {
    uint8_t count;
    uint8_t types[3];
    uint8_t mask[120]; /* three of the longest, for combinations that are refused */
    uint8_t key[120];
    uint8_t len;
};

static struct pattern pattern_of(uint8_t a, uint8_t b, uint8_t c)
{
    struct pattern p = {.types = {a, b, c}};

    for (; p.count < 3U && p.types[p.count] != 0U; p.count++) {
        p.len = (uint8_t)(p.len + header_len(p.types[p.count]));
    }
    if (p.count > 1U) { /* EtherType */
        const uint16_t type = b == IPV4 ? 0x0800U : 0x86ddU;
        frame_put16(p.mask + 12, 0xffff);
        frame_put16(p.key + 12, type);
    }
    if (p.count > 2U) { /* protocol */
        const uint32_t at = 14U + (b == IPV4 ? 9U : 6U);
        p.mask[at] = 0xff;
        p.key[at] = c == TCP ? 6U : c == UDP ? 17U : 50U;
    }
    return p;
}

/* Compare `len` bytes at `at` of the headers with `bytes`. */
static void pattern_want(struct pattern *p, uint32_t at, const uint8_t *bytes, uint32_t len)
{
    (void)memset(p->mask + at, 0xff, len);
    (void)memcpy(p->key + at, bytes, len);
}

static struct object classifier_of(uint32_t id, const struct pattern *p)
{
    struct object o = object_head(CLASSIFIER, id, 0);
    uint32_t at = 0;

    put(&o, p->count, 8);
    for (uint8_t i = 0; i < p->count; i++) {
        put_selector(&o, p->types[i], 0, p->mask + at);
        at += header_len(p->types[i]);
    }
    return o;
}

static uint16_t make_classifier(struct flow_test *t, uint32_t id, const struct pattern *p)
{
    const struct object o = classifier_of(id, p);

    return do_object(t, CREATE, &o);
}

struct rule {
    uint32_t id;
    uint32_t group;
    uint32_t classifier;
    uint8_t priority;
    uint8_t action;
    uint16_t queue;
};

static struct object rule_of(const struct rule *r, const struct pattern *p)
{
    struct object o = object_head(RULE, r->id, 0);

    put(&o, r->group, 4);
    put(&o, r->classifier, 4);
    put(&o, r->priority, 1);
    put(&o, p->len, 1);
    put(&o, r->action, 2);
    put(&o, r->queue, 4);
    put_bytes(&o, p->key, p->len);
    return o;
}

static uint16_t make_rule(struct flow_test *t, const struct rule *r, const struct pattern *p)
{
    const struct object o = rule_of(r, p);

    return do_object(t, CREATE, &o);
}

static uint16_t destroy(struct flow_test *t, uint16_t type, uint32_t id)
{
    const struct object o = object_head(type, id, 0);

    return command(t, DESTROY, o.bytes, 8);
}

/* Whether an object is there with these data. */
static bool is_there(struct flow_test *t, const struct object *o)
{
    struct admin_cmd cmd = {.opcode = QUERY, .data = o->bytes, .len = 8};
    const uint32_t len = o->len - 16U;

    if (admin_send(&t->n->d, ADMIN_QUEUE, &cmd) != ST_OK) {
        assert_int_equal(cmd.status, ST_ENXIO);
        return false;
    }
    assert_int_equal(cmd.used, ADMIN_REPLY + ((len + 7U) & ~7U));
    return memcmp(cmd.answer + ADMIN_REPLY, o->bytes + 16, len) == 0;
}

/* ---- frames ---- */

/* A frame with IP and transport headers behind the Ethernet header. */
static void frame_ip(uint8_t kind, uint8_t proto)
{
    frame_fill(frame, FRAME, nic_mac, nic_peer, 3);
    (void)memset(frame + 14, 0, FRAME - 14U);
    frame_put16(frame + 12, kind == IPV4 ? 0x0800U : 0x86ddU);
    if (kind == IPV4) {
        frame[14] = 0x45;
        frame[14 + 9] = proto;
    } else {
        frame[14] = 0x60;
        frame[14 + 6] = proto;
    }
}

/* Where a frame went: a pair, or -1. */
static int fate_of(struct flow_test *t, uint32_t len)
{
    struct nic_hdr hdr;
    int fate = -1;

    for (uint16_t pair = 0; pair < PAIRS; pair++) {
        if (t->n->net.base.queues[2U * pair].vq.live) {
            nic_post(t->n, pair, 256);
        }
    }
    assert_true(nic_give(t->n, frame, len));
    for (uint16_t pair = 0; pair < PAIRS; pair++) {
        if (nic_take(t->n, pair, &hdr, got) != 0U) {
            assert_int_equal(fate, -1); /* one copy at most */
            assert_memory_equal(got, frame, len);
            fate = pair;
        }
    }
    return fate;
}

static uint64_t dropped(const struct flow_test *t)
{
    return avps_net_counters(&t->n->net, 0)->rx_flow_dropped;
}

/* One group, one classifier for EtherType, and a rule on the frames of frame_fill. */
static const uint8_t experiment[2] = {0x88, 0xb5};

static struct pattern by_ether_type(void)
{
    struct pattern p = pattern_of(ETH, 0, 0);

    pattern_want(&p, 12, experiment, 2);
    return p;
}

static void one_rule(struct flow_test *t, uint8_t action, uint16_t queue)
{
    const struct pattern p = by_ether_type();
    const struct rule r = {.priority = 1, .action = action, .queue = queue};

    assert_int_equal(make_group(t, 0, 10), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    assert_int_equal(make_rule(t, &r, &p), ST_OK);
    frame_fill(frame, FRAME, nic_mac, nic_peer, 3);
}

/* ---- capabilities ---- */

/* [net-15.1] */
static void test_flow_capabilities_are_listed(void **state)
{
    struct flow_test *t = flow_start(state);
    struct admin_cmd cmd = {.opcode = CAP_LIST};

    assert_int_equal(admin_send(&t->n->d, ADMIN_QUEUE, &cmd), ST_OK);
    assert_int_equal(cmd.used, ADMIN_REPLY + 33U * 8U);
    for (uint32_t i = 0; i < 32U * 8U; i++) {
        assert_int_equal(cmd.answer[ADMIN_REPLY + i], 0);
    }
    assert_int_equal(admin_get(cmd.answer + ADMIN_REPLY + 32U * 8U, 8), 7);
    flow_free(t);
}

static void test_flow_capabilities_say_what_is_offered(void **state)
{
    struct flow_test *t = flow_start(state);
    uint8_t bytes[ADMIN_BYTES];
    uint32_t at = 8;

    assert_int_equal(get_cap(t, RESOURCE_CAP, bytes), 24);
    assert_int_equal(admin_get(bytes, 4), AVPS_NET_FF_GROUPS);
    assert_int_equal(admin_get(bytes + 4, 4), AVPS_NET_FF_CLASSIFIERS);
    assert_int_equal(admin_get(bytes + 8, 4), AVPS_NET_FF_RULES);
    assert_int_equal(admin_get(bytes + 12, 4), AVPS_NET_FF_RULES);
    assert_int_equal(admin_get(bytes + 16, 8), 0x3ff);
    assert_int_equal(get_cap(t, SELECTOR_CAP, bytes), 168);
    assert_int_equal(admin_get(bytes, 8), 6);
    for (uint8_t type = ETH; type <= ESP; type++) {
        const uint8_t head[8] = {type, 1, 0, 0, header_len(type), 0, 0, 0};
        assert_memory_equal(bytes + at, head, 8);
        for (uint32_t i = 0; i < header_len(type); i++) {
            assert_int_equal(bytes[at + 8U + i], 0xff);
        }
        at += 8U + header_len(type);
    }
    assert_int_equal(get_cap(t, ACTION_CAP, bytes), 16);
    assert_int_equal(admin_get(bytes, 8), 2);
    assert_int_equal(admin_get(bytes + 8, 8), 0x201);
    flow_free(t);
}

/* [admin-caps-1.8] */
static void test_flow_other_capabilities_do_not_exist(void **state)
{
    struct flow_test *t = flow_start(state);
    const uint16_t ids[] = {0, 1, 0x7ff, 0x803, 0xffff};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint8_t data[16] = {0};
        admin_put(data, ids[i], 2);
        assert_int_equal(command(t, CAP_GET, data, 8), ST_ENXIO);
        assert_int_equal(command(t, CAP_SET, data, 16), ST_ENXIO);
    }
    flow_free(t);
}

/* [admin-caps-1.2] [admin-caps-1.4] */
static void test_flow_limits_can_be_lowered_but_not_raised(void **state)
{
    struct flow_test *t = flow_start(state);
    const uint32_t most[6] = {AVPS_NET_FF_GROUPS,
                              AVPS_NET_FF_CLASSIFIERS,
                              AVPS_NET_FF_RULES,
                              AVPS_NET_FF_RULES,
                              0x3ff,
                              0};
    uint8_t bytes[20];

    for (uint32_t field = 0; field < 5U; field++) {
        for (uint32_t i = 0; i < 5U; i++) {
            admin_put(bytes + 4U * i, most[i] - (i == 4U ? 0x102U : 1U), 4);
        }
        assert_int_equal(set_cap(t, RESOURCE_CAP, bytes, 20), ST_OK);
        admin_put(bytes + 4U * field, field == 4U ? 0x4ffU : most[field] + 1U, 4);
        assert_int_equal(set_cap(t, RESOURCE_CAP, bytes, 20), ST_EINVAL);
    }
    admin_put(bytes + 16, 0x10000, 4); /* reserved */
    assert_int_equal(set_cap(t, RESOURCE_CAP, bytes, 20), ST_EINVAL);
    flow_free(t);
}

/* [admin-caps-1.3] Fewer selectors, fewer bits; never more, and each type once, in order. */
static void test_flow_selectors_can_be_narrowed(void **state)
{
    struct flow_test *t = flow_start(state);
    uint8_t mask[40] = {0};
    struct object two = {{0}, 0};
    struct object good = {{0}, 0};

    mask[12] = 0xf0;
    put(&good, 2, 8);
    put_selector(&good, ETH, 0, mask);
    put_selector(&good, UDP, 1, mask);
    assert_int_equal(set_cap(t, SELECTOR_CAP, good.bytes, good.len), ST_OK);
    for (uint32_t at = 0; at < 16U; at++) {
        struct object bad = good;
        bad.bytes[at] ^= 0x40;
        assert_int_equal(set_cap(t, SELECTOR_CAP, bad.bytes, bad.len), ST_EINVAL);
    }
    put(&two, 2, 8);
    put_selector(&two, UDP, 0, mask);
    put_selector(&two, ETH, 0, mask);
    assert_int_equal(set_cap(t, SELECTOR_CAP, two.bytes, two.len), ST_EINVAL);
    two.len = 8;
    put_selector(&two, ETH, 0, mask);
    put_selector(&two, ETH, 0, mask);
    assert_int_equal(set_cap(t, SELECTOR_CAP, two.bytes, two.len), ST_EINVAL);
    flow_free(t);
}

/* A mask that the capability leaves out cannot be used. [admin-caps-1.3] */
static void test_flow_classifiers_stay_inside_the_capability(void **state)
{
    struct flow_test *t = flow_ready(state);
    struct object narrow = {{0}, 0};
    uint8_t mask[40] = {0};
    struct pattern p = pattern_of(ETH, 0, 0);

    mask[12] = 0xff;
    mask[13] = 0xff;
    put(&narrow, 1, 8);
    put_selector(&narrow, ETH, 0, mask);
    assert_int_equal(set_cap(t, SELECTOR_CAP, narrow.bytes, narrow.len), ST_OK);
    pattern_want(&p, 12, experiment, 2);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    p.mask[0] = 1;
    assert_int_equal(make_classifier(t, 1, &p), ST_EINVAL);
    p.mask[0] = 0;
    struct object partial = classifier_of(1, &p);
    partial.bytes[16 + 8 + 1] = 1; /* partial masks were not asked for */
    assert_int_equal(do_object(t, CREATE, &partial), ST_EINVAL);
    const struct pattern udp = pattern_of(ETH, IPV4, UDP);
    assert_int_equal(make_classifier(t, 1, &udp), ST_EINVAL); /* nor was IPv4 */
    flow_free(t);
}

static void test_flow_actions_can_be_narrowed(void **state)
{
    struct flow_test *t = flow_ready(state);
    const uint8_t drop_only[9] = {1, 0, 0, 0, 0, 0, 0, 0, DROP};
    const uint8_t bad[][11] = {
        {1, 0, 0, 0, 0, 0, 0, 0, 0},       /* reserved */
        {1, 0, 0, 0, 0, 0, 0, 0, 3},       /* IPsec */
        {1, 0, 0, 0, 0, 0, 0, 0, 0xff},    /* none at all */
        {2, 0, 0, 0, 0, 0, 0, 0, 2, 1},    /* out of order */
        {2, 0, 0, 0, 0, 0, 0, 0, 1, 1},    /* twice */
        {1, 1, 0, 0, 0, 0, 0, 0, 1},       /* reserved byte */
        {3, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, /* one too many */
    };
    const struct pattern p = by_ether_type();
    const struct rule r = {.priority = 1, .action = DIRECT, .queue = 0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(set_cap(t, ACTION_CAP, bad[i], sizeof bad[i]), ST_EINVAL);
    }
    assert_int_equal(set_cap(t, ACTION_CAP, drop_only, sizeof drop_only), ST_OK);
    assert_int_equal(make_group(t, 0, 1), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    assert_int_equal(make_rule(t, &r, &p), ST_EINVAL); /* [net-15.9] */
    flow_free(t);
}

/* [admin-caps-1.10] [net-15.3] */
static void test_flow_objects_need_all_three_capabilities(void **state)
{
    struct flow_test *t = flow_start(state);
    static uint8_t caps[3][ADMIN_BYTES];
    const struct object o = group_of(0, 1);
    uint32_t len[3];
    uint16_t qualifier = 0;

    for (uint16_t i = 0; i < 3U; i++) {
        len[i] = get_cap(t, (uint16_t)(RESOURCE_CAP + i), caps[i]);
    }
    for (uint16_t missing = 0; missing < 3U; missing++) {
        const uint8_t nothing[24] = {0};

        for (uint16_t i = 0; i < 3U; i++) {
            assert_int_equal(set_cap(t, (uint16_t)(RESOURCE_CAP + i),
                                     i == missing ? nothing : caps[i], i == missing ? 24U : len[i]),
                             ST_OK);
        }
        for (uint16_t opcode = CREATE; opcode <= DESTROY; opcode++) {
            assert_int_equal(admin_do(&t->n->d, ADMIN_QUEUE, opcode, o.bytes, o.len, &qualifier),
                             ST_EINVAL);
            assert_int_equal(qualifier, Q_OPCODE);
        }
    }
    flow_free(t);
}

/* [admin-caps-1.7] */
static void test_flow_capabilities_stay_while_objects_exist(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();
    const uint8_t nothing[24] = {0};

    assert_int_equal(make_group(t, 2, 1), ST_OK);
    for (uint16_t id = RESOURCE_CAP; id <= ACTION_CAP; id++) {
        assert_int_equal(set_cap(t, id, nothing, 24), ST_EBUSY);
    }
    assert_int_equal(destroy(t, GROUP, 2), ST_OK);
    assert_int_equal(make_classifier(t, 1, &p), ST_OK);
    assert_int_equal(set_cap(t, RESOURCE_CAP, nothing, 24), ST_EBUSY);
    assert_int_equal(destroy(t, CLASSIFIER, 1), ST_OK);
    assert_int_equal(set_cap(t, RESOURCE_CAP, nothing, 24), ST_OK);
    flow_free(t);
}

/* [admin-caps-1.9] [admin-res-1.11] */
static void test_flow_a_reset_forgets_capabilities_and_objects(void **state)
{
    struct flow_test *t = flow_ready(state);

    one_rule(t, DROP, 0);
    test_driver_reset(&t->n->d);
    nic_up(t->n);
    assert_int_equal(fate_of(t, FRAME), 0);
    assert_int_equal(admin_use(&t->n->d, ADMIN_QUEUE, ADMIN_COMMANDS), ST_OK);
    assert_int_equal(make_group(t, 1, 10), ST_EINVAL); /* no capability set */
    take_all(t);
    assert_int_equal(make_group(t, 0, 10), ST_OK); /* id and priority are free again */
    flow_free(t);
}

static void test_flow_needs_an_administration_queue(void **state)
{
    struct flow_test *t = flow_new(state);

    t->n->config.base.admin = NULL;
    assert_int_equal(avps_net_init(&t->n->net, &t->n->config), AVPS_E_PARAM);
    flow_free(t);
}

/* ---- objects ---- */

/* [net-15.2] [admin-res-1.10] [admin-res-1.5] [admin-res-1.8] [admin-res-1.6] */
static void test_flow_objects_live_from_create_to_destroy(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();

    for (uint32_t round = 0; round < 2U; round++) {
        for (uint32_t i = AVPS_NET_FF_GROUPS; i > 0U; i--) { /* any id, in any order */
            const struct object o = group_of(i - 1U, (uint16_t)(100U + i));
            assert_false(is_there(t, &o));
            assert_int_equal(do_object(t, CREATE, &o), ST_OK);
            assert_true(is_there(t, &o));
        }
        for (uint32_t i = 0; i < AVPS_NET_FF_CLASSIFIERS; i++) {
            const struct object o = classifier_of(i, &p);
            assert_int_equal(do_object(t, CREATE, &o), ST_OK);
            assert_true(is_there(t, &o));
        }
        for (uint32_t i = 0; i < AVPS_NET_FF_RULES; i++) {
            const struct rule r = {.id = i,
                                   .group = i % AVPS_NET_FF_GROUPS,
                                   .classifier = i % AVPS_NET_FF_CLASSIFIERS,
                                   .priority = (uint8_t)i,
                                   .action = DIRECT,
                                   .queue = 2};
            const struct object o = rule_of(&r, &p);
            assert_int_equal(do_object(t, CREATE, &o), ST_OK);
            assert_true(is_there(t, &o));
        }
        for (uint32_t i = 0; i < AVPS_NET_FF_RULES; i++) {
            assert_int_equal(destroy(t, RULE, i), ST_OK);
            assert_int_equal(destroy(t, RULE, i), ST_ENXIO);
        }
        for (uint32_t i = 0; i < AVPS_NET_FF_CLASSIFIERS; i++) {
            assert_int_equal(destroy(t, CLASSIFIER, i), ST_OK);
        }
        for (uint32_t i = 0; i < AVPS_NET_FF_GROUPS; i++) {
            assert_int_equal(destroy(t, GROUP, i), ST_OK);
        }
    }
    flow_free(t);
}

/* [admin-res-1.1] [admin-res-1.2] */
static void test_flow_an_id_is_taken_or_not(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();
    const uint16_t types[] = {GROUP, CLASSIFIER, RULE, 0, 0x1ff, 0x203, 0x500};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (uint32_t id = 0; id < 2000U; id += 333U) {
            const struct object o = object_head(types[i], id, 0);
            assert_int_equal(command(t, DESTROY, o.bytes, 8), ST_ENXIO);
            assert_int_equal(command(t, QUERY, o.bytes, 16), ST_ENXIO);
            assert_int_equal(command(t, MODIFY, o.bytes, 16), ST_ENXIO);
        }
    }
    one_rule(t, DROP, 0);
    const struct rule r = {.priority = 1, .action = DROP};
    assert_int_equal(make_group(t, 0, 77), ST_EEXIST);
    assert_int_equal(make_classifier(t, 0, &p), ST_EEXIST);
    assert_int_equal(make_rule(t, &r, &p), ST_EEXIST);
    flow_free(t);
}

/* [net-15.5] [net-15.6] [admin-res-1.3] [admin-res-1.7] */
static void test_flow_limits_are_kept(void **state)
{
    struct flow_test *t = flow_start(state);
    const struct pattern p = by_ether_type();
    uint8_t bytes[20];

    take_all(t);
    admin_put(bytes, 2, 4);
    admin_put(bytes + 4, 3, 4);
    admin_put(bytes + 8, 4, 4);
    admin_put(bytes + 12, 2, 4);
    admin_put(bytes + 16, 0x30a, 4);
    assert_int_equal(set_cap(t, RESOURCE_CAP, bytes, 20), ST_OK);
    assert_int_equal(make_group(t, 2, 1), ST_ENOSPC);
    assert_int_equal(make_group(t, UINT32_MAX, 1), ST_ENOSPC);
    assert_int_equal(make_group(t, 1, 1), ST_OK);
    assert_int_equal(make_classifier(t, 3, &p), ST_ENOSPC);
    assert_int_equal(make_classifier(t, 2, &p), ST_OK);
    for (uint32_t id = 0; id < 5U; id++) {
        const struct rule r = {
            .id = id, .group = 1, .classifier = 2, .priority = 9, .action = DROP};
        assert_int_equal(make_rule(t, &r, &p), id < 2U ? ST_OK : ST_ENOSPC);
    }
    flow_free(t);
}

/* [admin-res-1.8] A group is full when its own limit is reached. */
static void test_flow_a_group_holds_no_more_than_its_limit(void **state)
{
    struct flow_test *t = flow_start(state);
    const struct pattern p = by_ether_type();
    struct rule r = {.group = 0, .priority = 1, .action = DROP};
    uint8_t bytes[20];

    take_all(t);
    admin_put(bytes, 2, 4);
    admin_put(bytes + 4, 1, 4);
    admin_put(bytes + 8, 8, 4);
    admin_put(bytes + 12, 4, 4);
    admin_put(bytes + 16, 0x30a, 4);
    assert_int_equal(set_cap(t, RESOURCE_CAP, bytes, 20), ST_OK);
    assert_int_equal(make_group(t, 0, 1), ST_OK);
    assert_int_equal(make_group(t, 1, 2), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    for (r.id = 0; r.id < 4U; r.id++) {
        assert_int_equal(make_rule(t, &r, &p), ST_OK);
    }
    r.id = 3;
    const struct object same = rule_of(&r, &p);
    assert_int_equal(do_object(t, MODIFY, &same), ST_OK); /* it is in the group already */
    assert_int_equal(destroy(t, RULE, 3), ST_OK);
    r.group = 1;
    assert_int_equal(make_rule(t, &r, &p), ST_OK);
    flow_free(t);
}

/* [net-15.4] [admin-1.8] */
static void test_flow_two_groups_never_share_a_priority(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct object first = group_of(0, 5);
    const struct object moved = group_of(0, 6);
    const struct object second = group_of(1, 6);

    assert_int_equal(do_object(t, CREATE, &first), ST_OK);
    assert_int_equal(make_group(t, 1, 5), ST_EINVAL);
    assert_int_equal(do_object(t, CREATE, &second), ST_OK);
    assert_int_equal(do_object(t, MODIFY, &moved), ST_EINVAL);
    assert_true(is_there(t, &first)); /* [admin-res-1.9] */
    assert_int_equal(do_object(t, MODIFY, &first), ST_OK);
    flow_free(t);
}

/* [net-15.7] [net-15.8] [admin-res-1.4] */
static void test_flow_what_a_rule_stands_on_stays(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();
    const struct object group = group_of(0, 99);
    const struct object classifier = classifier_of(0, &p);

    one_rule(t, DROP, 0);
    assert_int_equal(destroy(t, GROUP, 0), ST_EBUSY);
    assert_int_equal(destroy(t, CLASSIFIER, 0), ST_EBUSY);
    assert_int_equal(do_object(t, MODIFY, &group), ST_EBUSY);
    assert_int_equal(do_object(t, MODIFY, &classifier), ST_EBUSY);
    assert_int_equal(destroy(t, RULE, 0), ST_OK);
    assert_int_equal(do_object(t, MODIFY, &group), ST_OK);
    assert_int_equal(do_object(t, MODIFY, &classifier), ST_OK);
    assert_int_equal(destroy(t, GROUP, 0), ST_OK);
    assert_int_equal(destroy(t, CLASSIFIER, 0), ST_OK);
    flow_free(t);
}

/* Every field of a classifier that may be wrong. [admin-1.7] */
static void test_flow_malformed_classifiers_are_refused(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern good = pattern_of(ETH, IPV4, UDP);
    struct pattern bad = good;
    const struct object base = classifier_of(0, &good);
    const uint32_t heads[] = {16, 16 + 8, 16 + 8 + 22, 16 + 8 + 22 + 28};

    for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++) {
        for (uint32_t i = 0; i < 8U; i++) { /* the list's head, then each selector's */
            struct object o = base;
            o.bytes[heads[h] + i] ^= 0x82;
            assert_int_equal(do_object(t, CREATE, &o), ST_EINVAL);
        }
    }
    bad.count = 0;
    struct object empty = classifier_of(0, &bad);
    assert_int_equal(do_object(t, CREATE, &empty), ST_EINVAL);
    bad = pattern_of(ETH, IPV4, 0);
    bad.mask[13] = 0xfe; /* the next header would not be known for sure */
    assert_int_equal(make_classifier(t, 0, &bad), ST_EINVAL);
    bad = good;
    bad.mask[14 + 9] = 0x7f;
    assert_int_equal(make_classifier(t, 0, &bad), ST_EINVAL);
    bad = pattern_of(ETH, IPV6, TCP);
    bad.mask[14 + 6] = 0;
    assert_int_equal(make_classifier(t, 0, &bad), ST_EINVAL);
    struct object flags = base;
    flags.bytes[8] = 2;
    assert_int_equal(do_object(t, CREATE, &flags), ST_EINVAL);
    assert_int_equal(do_object(t, CREATE, &base), ST_OK);
    flow_free(t);
}

static void test_flow_headers_come_in_their_order(void **state)
{
    struct flow_test *t = flow_ready(state);

    for (uint8_t a = 0; a <= ESP; a++) {
        for (uint8_t b = 0; b <= ESP; b++) {
            for (uint8_t c = 0; c <= ESP; c++) {
                struct pattern p = {.types = {a, b, c}, .count = c != 0U ? 3U : b != 0U ? 2U : 1U};
                const bool good = a == ETH && (b == 0U ? c == 0U : b == IPV4 || b == IPV6) &&
                                  (c == 0U || c >= TCP);
                (void)memset(p.mask, 0xff, sizeof p.mask);
                if (a == 0U || (b == 0U && c != 0U)) {
                    continue; /* header_len has no such type */
                }
                assert_int_equal(make_classifier(t, 0, &p), good ? ST_OK : ST_EINVAL);
                assert_int_equal(destroy(t, CLASSIFIER, 0), good ? ST_OK : ST_ENXIO);
            }
        }
    }
    flow_free(t);
}

/* [net-15.21] */
static void test_flow_partial_masks_are_taken(void **state)
{
    struct flow_test *t = flow_ready(state);
    struct pattern p = pattern_of(ETH, 0, 0);
    const struct rule r = {.priority = 1, .action = DROP};

    p.mask[0] = 1; /* the group bit of the address */
    p.key[0] = 1;
    struct object o = classifier_of(0, &p);
    o.bytes[8] = 1;          /* in the command */
    o.bytes[16 + 8 + 1] = 1; /* and in the selector */
    assert_int_equal(do_object(t, CREATE, &o), ST_OK);
    assert_int_equal(make_group(t, 0, 1), ST_OK);
    assert_int_equal(make_rule(t, &r, &p), ST_OK);
    frame_fill(frame, FRAME, nic_mac, nic_peer, 3);
    assert_int_equal(fate_of(t, FRAME), 0);
    frame_fill(frame, FRAME, nic_broadcast, nic_peer, 3);
    assert_int_equal(fate_of(t, FRAME), -1);
    assert_int_equal(dropped(t), 1);
    flow_free(t);
}

/* [net-15.9] */
static void test_flow_malformed_rules_are_refused(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();
    const struct rule good = {.priority = 254, .action = DIRECT, .queue = 2};
    const struct rule bad[] = {
        {.group = 1, .priority = 1, .action = DROP},
        {.group = UINT32_MAX, .priority = 1, .action = DROP},
        {.classifier = 1, .priority = 1, .action = DROP},
        {.classifier = UINT32_MAX, .priority = 1, .action = DROP},
        {.priority = 255, .action = DROP},
        {.priority = 1, .action = 0},
        {.priority = 1, .action = 3},
        {.priority = 1, .action = 0xff},
        {.priority = 1, .action = DIRECT, .queue = 1},           /* transmit */
        {.priority = 1, .action = DIRECT, .queue = 2U * PAIRS},  /* control */
        {.priority = 1, .action = DIRECT, .queue = ADMIN_QUEUE}, /* administration */
        {.priority = 1, .action = DIRECT, .queue = 0xfffe},
    };
    struct object o = rule_of(&good, &p);

    assert_int_equal(make_group(t, 0, 1), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(make_rule(t, &bad[i], &p), ST_EINVAL);
    }
    const uint32_t reserved[] = {8, 15, 16 + 11, 16 + 14, 16 + 15}; /* flags too */
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        o.bytes[reserved[i]] = 1;
        assert_int_equal(do_object(t, CREATE, &o), ST_EINVAL);
        o.bytes[reserved[i]] = 0;
    }
    for (uint32_t len = 0; len < 256U; len++) {
        o.bytes[16 + 9] = (uint8_t)len; /* key length */
        if (len != p.len) {
            assert_int_equal(do_object(t, CREATE, &o), ST_EINVAL);
        }
    }
    o.bytes[16 + 9] = p.len;
    assert_int_equal(do_object(t, CREATE, &o), ST_OK);
    flow_free(t);
}

/* [admin-res-1.9] [admin-res-1.10] */
static void test_flow_a_rule_is_modified_as_a_whole_or_not_at_all(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();
    const struct rule first = {.priority = 1, .action = DROP};
    const struct rule next = {
        .group = 1, .classifier = 1, .priority = 2, .action = DIRECT, .queue = 2};
    const struct rule wrong = {.group = 1, .classifier = 2, .priority = 2, .action = DROP};
    const struct object before = rule_of(&first, &p);
    const struct object after = rule_of(&next, &p);
    const struct object bad = rule_of(&wrong, &p);

    one_rule(t, DROP, 0);
    assert_int_equal(make_group(t, 1, 20), ST_OK);
    assert_int_equal(make_classifier(t, 1, &p), ST_OK);
    assert_int_equal(do_object(t, MODIFY, &bad), ST_EINVAL);
    assert_true(is_there(t, &before));
    assert_int_equal(fate_of(t, FRAME), -1);
    assert_int_equal(do_object(t, MODIFY, &after), ST_OK);
    assert_true(is_there(t, &after));
    assert_int_equal(fate_of(t, FRAME), 1);
    assert_int_equal(destroy(t, GROUP, 0), ST_OK); /* nothing depends on it any more */
    assert_int_equal(destroy(t, GROUP, 1), ST_EBUSY);
    flow_free(t);
}

/* A command that ends early is one with zeros at its end. [admin-2.1] */
static void test_flow_short_commands_end_in_zeroes(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct pattern p = by_ether_type();
    const struct rule r = {.priority = 1, .action = DROP};
    const struct object full = rule_of(&r, &p);
    struct object zeroes = full;

    assert_int_equal(make_group(t, 0, 0), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    for (uint32_t len = 1; len < 16U + 16U; len++) {
        const bool typed = len > 1U;           /* else it is another type */
        const bool complete = len > 16U + 10U; /* key length and action are there */
        const uint16_t expected = !typed ? ST_ENXIO : complete ? ST_OK : ST_EINVAL;

        assert_int_equal(command(t, CREATE, full.bytes, len), expected);
        (void)memset(zeroes.bytes + 32, 0, p.len);
        if (complete) {
            assert_true(is_there(t, &zeroes));
            assert_int_equal(destroy(t, RULE, 0), ST_OK);
        }
    }
    flow_free(t);
}

/* ---- what becomes of frames ---- */

static void test_flow_drops_what_a_rule_says(void **state)
{
    struct flow_test *t = flow_ready(state);

    one_rule(t, DROP, 0);
    assert_int_equal(fate_of(t, FRAME), -1);
    assert_int_equal(dropped(t), 1);
    frame[13]++;
    assert_int_equal(fate_of(t, FRAME), 0);
    assert_int_equal(dropped(t), 1);
    assert_int_equal(destroy(t, RULE, 0), ST_OK);
    frame[13]--;
    assert_int_equal(fate_of(t, FRAME), 0);
    flow_free(t);
}

/* [net-15.18] [net-15.11] */
static void test_flow_directs_ahead_of_other_steering(void **state)
{
    struct flow_test *t = flow_ready(state);

    one_rule(t, DIRECT, 2);
    assert_int_equal(fate_of(t, FRAME), 1);
    assert_int_equal(destroy(t, RULE, 0), ST_OK);
    assert_int_equal(fate_of(t, FRAME), 0);
    flow_free(t);
}

/* [net-15.10] */
static void test_flow_drops_what_is_for_a_queue_that_is_gone(void **state)
{
    struct flow_test *t = flow_new(state);
    const uint8_t pairs[2] = {2, 0};

    want(t->n, AVPS_F_RING_RESET);
    nic_init(t->n);
    admin_offer(&t->n->d, &t->n->net.base);
    t->n->d.queue_count = ADMIN_QUEUE + 1U;
    nic_up(t->n);
    assert_int_equal(admin_use(&t->n->d, ADMIN_QUEUE, ADMIN_COMMANDS), ST_OK);
    take_all(t);
    assert_int_equal(nic_ctrl(t->n, 4, 0, pairs, 2), 0); /* both pairs in use */
    one_rule(t, DIRECT, 2);
    assert_int_equal(fate_of(t, FRAME), 1);
    test_driver_set(&t->n->d, TEST_QUEUE_SEL, 2);
    test_driver_set(&t->n->d, TEST_QUEUE_RESET, 1);
    const uint64_t before = avps_net_counters(&t->n->net, 0)->rx_no_queue;
    assert_int_equal(fate_of(t, FRAME), -1);
    assert_int_equal(avps_net_counters(&t->n->net, 0)->rx_no_queue, before + 1U);
    flow_free(t);
}

/* Four rules on the same frames in two groups: drop or one of two pairs. */
static void two_groups(struct flow_test *t)
{
    const struct pattern p = by_ether_type();
    struct pattern never = p;
    const struct rule low = {.id = 0, .group = 0, .classifier = 0, .priority = 200, .action = DROP};
    const struct rule high_last = {
        .id = 1, .group = 1, .classifier = 0, .priority = 1, .action = DROP};
    const struct rule high_first = {
        .id = 2, .group = 1, .classifier = 0, .priority = 2, .action = DIRECT, .queue = 2};
    const struct rule high_never = {
        .id = 3, .group = 1, .classifier = 0, .priority = 3, .action = DROP};

    never.key[13] ^= 1U;
    assert_int_equal(make_group(t, 0, 4), ST_OK);
    assert_int_equal(make_group(t, 1, 5), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    assert_int_equal(make_rule(t, &low, &p), ST_OK);
    assert_int_equal(make_rule(t, &high_last, &p), ST_OK);
    assert_int_equal(make_rule(t, &high_first, &p), ST_OK);
    assert_int_equal(make_rule(t, &high_never, &never), ST_OK);
    frame_fill(frame, FRAME, nic_mac, nic_peer, 3);
}

/* [net-15.12] [net-15.13] [net-15.14] [net-15.15] [net-15.16] [net-15.17] */
static void test_flow_tries_groups_and_rules_by_priority(void **state)
{
    struct flow_test *t = flow_ready(state);

    two_groups(t);
    assert_int_equal(fate_of(t, FRAME), 1); /* group 1, rule of priority 2 */
    assert_int_equal(destroy(t, RULE, 2), ST_OK);
    assert_int_equal(fate_of(t, FRAME), -1); /* group 1, rule of priority 1 */
    assert_int_equal(dropped(t), 1);
    assert_int_equal(destroy(t, RULE, 1), ST_OK);
    assert_int_equal(fate_of(t, FRAME), -1); /* nothing in group 1 matches: group 0 */
    assert_int_equal(dropped(t), 2);
    assert_int_equal(destroy(t, RULE, 0), ST_OK);
    assert_int_equal(fate_of(t, FRAME), 0); /* only a rule that never matches is left */
    flow_free(t);
}

/* [net-15.20] [net-15.19] [net-15.18] */
static void test_flow_comes_after_the_address_filter(void **state)
{
    struct flow_test *t = flow_ready(state);

    one_rule(t, DIRECT, 2);
    const uint64_t before = avps_net_counters(&t->n->net, 0)->rx_filtered;
    frame_fill(frame, FRAME, nic_peer, nic_peer, 3); /* for somebody else */
    assert_int_equal(fate_of(t, FRAME), -1);
    assert_int_equal(avps_net_counters(&t->n->net, 0)->rx_filtered, before + 1U);
    assert_int_equal(dropped(t), 0);
    flow_free(t);
}

/* A caller who steers himself is overruled too. [net-15.18] */
static void test_flow_overrules_a_steering_caller(void **state)
{
    struct flow_test *t = flow_ready(state);
    const struct avps_net_frame f = {.data = frame, .data_len = FRAME};
    struct nic_hdr hdr;
    uint32_t taken = 0;

    one_rule(t, DIRECT, 2);
    nic_post(t->n, 1, 256);
    assert_int_equal(avps_net_rx_burst(&t->n->net, 0, &f, 1, &taken), AVPS_OK);
    assert_int_equal(taken, 1);
    assert_int_equal(nic_take(t->n, 1, &hdr, got), FRAME);
    assert_memory_equal(got, frame, FRAME);
    flow_free(t);
}

/* A rule on the transport header of `len` bytes behind `ip`, on bytes 0..3 of it. */
static void transport_rule(struct flow_test *t, uint8_t ip, uint8_t transport)
{
    static const uint8_t ports[4] = {0x12, 0x34, 0x56, 0x78};
    struct pattern p = pattern_of(ETH, ip, transport);
    const struct rule r = {.priority = 1, .action = DROP};

    pattern_want(&p, 14U + header_len(ip), ports, 4);
    assert_int_equal(make_group(t, 0, 1), ST_OK);
    assert_int_equal(make_classifier(t, 0, &p), ST_OK);
    assert_int_equal(make_rule(t, &r, &p), ST_OK);
}

static void put_ports(uint32_t at)
{
    frame_put16(frame + at, 0x1234);
    frame_put16(frame + at + 2U, 0x5678);
}

static void test_flow_matches_transport_headers(void **state)
{
    const uint8_t protos[] = {[TCP] = 6, [UDP] = 17, [ESP] = 50};

    for (uint8_t ip = IPV4; ip <= IPV6; ip++) {
        for (uint8_t transport = TCP; transport <= ESP; transport++) {
            struct flow_test *t = flow_ready(state);
            const uint32_t at = 14U + header_len(ip);

            transport_rule(t, ip, transport);
            frame_ip(ip, protos[transport]);
            put_ports(at);
            assert_int_equal(fate_of(t, FRAME), -1);
            frame[at + 3U]++;
            assert_int_equal(fate_of(t, FRAME), 0);
            put_ports(at);
            assert_int_equal(fate_of(t, at + header_len(transport)), -1); /* just long enough */
            assert_int_equal(fate_of(t, at + header_len(transport) - 1U), 0);
            frame[14U + (ip == IPV4 ? 9U : 6U)] = 1; /* another protocol */
            assert_int_equal(fate_of(t, FRAME), 0);
            assert_int_equal(dropped(t), 2);
            flow_free(t);
        }
    }
}

static void test_flow_finds_the_transport_header_behind_options(void **state)
{
    struct flow_test *t = flow_ready(state);

    transport_rule(t, IPV4, UDP);
    frame_ip(IPV4, 17);
    frame[14] = 0x48; /* 32 bytes of header */
    put_ports(14U + 20U);
    assert_int_equal(fate_of(t, FRAME), 0);
    put_ports(14U + 32U);
    assert_int_equal(fate_of(t, FRAME), -1);
    frame_put16(frame + 14 + 6, 0x2000); /* the first fragment: no whole datagram */
    assert_int_equal(fate_of(t, FRAME), 0);
    flow_free(t);
}

/* The next header that counts is that of the last extension header. */
static void test_flow_looks_behind_ipv6_extension_headers(void **state)
{
    struct flow_test *t = flow_ready(state);

    transport_rule(t, IPV6, UDP);
    frame_ip(IPV6, 0);   /* hop-by-hop options */
    frame[14 + 40] = 60; /* destination options */
    frame[14 + 48] = 17;
    put_ports(14U + 40U + 16U);
    assert_int_equal(fate_of(t, FRAME), -1);
    frame[14 + 48] = 6;
    assert_int_equal(fate_of(t, FRAME), 0);
    flow_free(t);
}

/* A tag is part of the frame's header: the type is 0x8100. */
static void test_flow_compares_the_header_as_it_is(void **state)
{
    struct flow_test *t = flow_ready(state);

    one_rule(t, DROP, 0);
    frame_put16(frame + 12, 0x8100);
    frame_put16(frame + 14, 1);
    frame_put16(frame + 16, 0x88b5);
    want(t->n, AVPS_NET_F_CTRL_VLAN);
    assert_int_equal(fate_of(t, FRAME), 0);
    flow_free(t);
}

/* ---- saved state ---- */

#define STATE_MAX 131072U

static uint8_t saved[STATE_MAX];

static size_t save(struct flow_test *t)
{
    size_t size = 0;

    assert_int_equal(avps_save(&t->n->net.base, saved, sizeof saved, &size), AVPS_OK);
    return size;
}

static void test_flow_survives_save_and_load(void **state)
{
    struct flow_test *t = flow_ready(state);

    two_groups(t);
    const size_t size = save(t);
    assert_int_equal(avps_reset(&t->n->net.base), AVPS_OK);
    assert_int_equal(avps_load(&t->n->net.base, saved, size), AVPS_OK);
    assert_int_equal(fate_of(t, FRAME), 1);
    assert_int_equal(destroy(t, GROUP, 1), ST_EBUSY);
    assert_int_equal(destroy(t, RULE, 2), ST_OK);
    assert_int_equal(fate_of(t, FRAME), -1);
    assert_int_equal(destroy(t, CLASSIFIER, 0), ST_EBUSY);
    flow_free(t);
}

/* I28: each byte changed in turn: loaded and sound, or refused and reset. */
static void test_flow_state_is_checked_byte_by_byte(void **state)
{
    struct flow_test *t = flow_ready(state);

    two_groups(t);
    const size_t size = save(t);
    for (size_t at = 0; at < size; at++) {
        saved[at] ^= 0x81;
        assert_int_equal(avps_reset(&t->n->net.base), AVPS_OK);
        const enum avps_status status = avps_load(&t->n->net.base, saved, size);
        saved[at] ^= 0x81;
        if (status != AVPS_OK) {
            assert_int_equal(status, AVPS_E_PARAM);
            assert_int_equal(avps_device_status(&t->n->net.base), 0);
            assert_int_equal(t->flow.order_count, 0);
        }
    }
    for (size_t cut = 1; cut < 2000U; cut += 7U) {
        assert_int_equal(avps_reset(&t->n->net.base), AVPS_OK);
        assert_int_equal(avps_load(&t->n->net.base, saved, size - cut), AVPS_E_PARAM);
    }
    flow_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_flow_capabilities_are_listed, NULL, NULL),
        TEST_BOTH(test_flow_capabilities_say_what_is_offered, NULL, NULL),
        TEST_BOTH(test_flow_other_capabilities_do_not_exist, NULL, NULL),
        TEST_BOTH(test_flow_limits_can_be_lowered_but_not_raised, NULL, NULL),
        TEST_BOTH(test_flow_selectors_can_be_narrowed, NULL, NULL),
        TEST_BOTH(test_flow_classifiers_stay_inside_the_capability, NULL, NULL),
        TEST_BOTH(test_flow_actions_can_be_narrowed, NULL, NULL),
        TEST_BOTH(test_flow_objects_need_all_three_capabilities, NULL, NULL),
        TEST_BOTH(test_flow_capabilities_stay_while_objects_exist, NULL, NULL),
        TEST_BOTH(test_flow_a_reset_forgets_capabilities_and_objects, NULL, NULL),
        TEST_BOTH(test_flow_needs_an_administration_queue, NULL, NULL),
        TEST_BOTH(test_flow_objects_live_from_create_to_destroy, NULL, NULL),
        TEST_BOTH(test_flow_an_id_is_taken_or_not, NULL, NULL),
        TEST_BOTH(test_flow_limits_are_kept, NULL, NULL),
        TEST_BOTH(test_flow_a_group_holds_no_more_than_its_limit, NULL, NULL),
        TEST_BOTH(test_flow_two_groups_never_share_a_priority, NULL, NULL),
        TEST_BOTH(test_flow_what_a_rule_stands_on_stays, NULL, NULL),
        TEST_BOTH(test_flow_malformed_classifiers_are_refused, NULL, NULL),
        TEST_BOTH(test_flow_headers_come_in_their_order, NULL, NULL),
        TEST_BOTH(test_flow_partial_masks_are_taken, NULL, NULL),
        TEST_BOTH(test_flow_malformed_rules_are_refused, NULL, NULL),
        TEST_BOTH(test_flow_a_rule_is_modified_as_a_whole_or_not_at_all, NULL, NULL),
        TEST_BOTH(test_flow_short_commands_end_in_zeroes, NULL, NULL),
        TEST_BOTH(test_flow_drops_what_a_rule_says, NULL, NULL),
        TEST_BOTH(test_flow_directs_ahead_of_other_steering, NULL, NULL),
        TEST_BOTH(test_flow_drops_what_is_for_a_queue_that_is_gone, NULL, NULL),
        TEST_BOTH(test_flow_tries_groups_and_rules_by_priority, NULL, NULL),
        TEST_BOTH(test_flow_comes_after_the_address_filter, NULL, NULL),
        TEST_BOTH(test_flow_overrules_a_steering_caller, NULL, NULL),
        TEST_BOTH(test_flow_matches_transport_headers, NULL, NULL),
        TEST_BOTH(test_flow_finds_the_transport_header_behind_options, NULL, NULL),
        TEST_BOTH(test_flow_looks_behind_ipv6_extension_headers, NULL, NULL),
        TEST_BOTH(test_flow_compares_the_header_as_it_is, NULL, NULL),
        TEST_BOTH(test_flow_survives_save_and_load, NULL, NULL),
        TEST_BOTH(test_flow_state_is_checked_byte_by_byte, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
