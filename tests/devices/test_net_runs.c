/* SPDX-License-Identifier: BSD-3-Clause */
/* The same traffic on two devices: one on plain memory, where chains are taken in runs, one whose
 * memory has hooks, where each is taken by itself. Guest memory to the byte, frames, counters and
 * interrupts must be alike after every step. */
#include "devices/test_net.h"

struct twins {
    struct nic *nic[2]; /* with runs, without */
    uint32_t random;
};

static uint32_t draw(struct twins *t, uint32_t below)
{
    t->random = t->random * 1664525U + 1013904223U;
    return (t->random >> 8) % below;
}

static struct twins twins_new(void **state, uint32_t seed, bool poll_mode)
{
    static const unsigned int bits[] = {
        AVPS_NET_F_MRG_RXBUF,     AVPS_NET_F_CTRL_VQ, AVPS_NET_F_CTRL_RX,  AVPS_NET_F_CTRL_VLAN,
        AVPS_NET_F_CTRL_RX_EXTRA, AVPS_NET_F_CSUM,    AVPS_NET_F_MAC,      AVPS_NET_F_GUEST_CSUM,
        AVPS_NET_F_CTRL_MAC_ADDR, AVPS_F_EVENT_IDX,   AVPS_F_INDIRECT_DESC};
    struct twins t = {.random = seed};
    const uint32_t without = draw(&t, 1U << AVPS_NET_F_CTRL_VQ) & draw(&t, 2048);

    for (unsigned int i = 0; i < 2U; i++) {
        t.nic[i] = nic_new_at(i, state, i == 0U ? TEST_MEM_REGIONS : TEST_MEM_HOOKS, 1);
        t.nic[i]->config.offloads = AVPS_NET_TX_CSUM | AVPS_NET_RX_CSUM;
        if (poll_mode) {
            t.nic[i]->ops.transmit = NULL;
        }
        for (uint32_t b = 0; b < sizeof bits / sizeof bits[0]; b++) {
            if ((without >> b & 1U) == 0U || bits[b] == AVPS_NET_F_CTRL_VQ) {
                want(t.nic[i], bits[b]);
            }
        }
        nic_start(t.nic[i]);
    }
    return t;
}

static void twins_free(struct twins *t)
{
    nic_free(t->nic[0]);
    nic_free(t->nic[1]);
}

/* Everything that a driver or an embedder can see. */
static void expect_alike(const struct twins *t)
{
    const struct nic *a = t->nic[0];
    const struct nic *b = t->nic[1];

    assert_memory_equal(a->d.mem.region[0].host, b->d.mem.region[0].host, 0x20000);
    assert_memory_equal(avps_net_counters(&a->net, 0), avps_net_counters(&b->net, 0),
                        sizeof(struct avps_net_counters));
    for (uint16_t q = 0; q < 3U; q++) {
        assert_memory_equal(avps_queue_counters(&a->net.base, q),
                            avps_queue_counters(&b->net.base, q),
                            sizeof(struct avps_queue_counters));
        assert_int_equal(a->queues[q].vq.in_flight, b->queues[q].vq.in_flight);
        assert_int_equal(a->queues[q].vq.fault, b->queues[q].vq.fault);
    }
    assert_int_equal(avps_device_status(&a->net.base), avps_device_status(&b->net.base));
    assert_int_equal(a->sent_count, b->sent_count);
    for (uint32_t i = 0; i < a->sent_count; i++) {
        assert_int_equal(a->sent[i].len, b->sent[i].len);
        assert_memory_equal(&a->sent[i].offload, &b->sent[i].offload, sizeof a->sent[i].offload);
        assert_memory_equal(a->sent[i].bytes, b->sent[i].bytes, a->sent[i].len);
    }
}

/* Drain the used ring of both, in step. */
static void reap(struct twins *t, uint16_t queue)
{
    struct test_used used[2] = {{0, 0}, {0, 0}};

    while (test_driver_reap(&t->nic[0]->d, queue, &used[0])) {
        assert_true(test_driver_reap(&t->nic[1]->d, queue, &used[1]));
        assert_int_equal(used[0].id, used[1].id);
        assert_int_equal(used[0].len, used[1].len);
    }
    assert_false(test_driver_reap(&t->nic[1]->d, queue, &used[1]));
    assert_int_equal(test_driver_ack(&t->nic[0]->d), test_driver_ack(&t->nic[1]->d));
}

/* Guest memory of one round. */
struct marks {
    size_t at[2];
};

static struct marks mark(const struct twins *t)
{
    return (struct marks){{test_mem_mark(&t->nic[0]->d.mem), test_mem_mark(&t->nic[1]->d.mem)}};
}

static void rewind_to(struct twins *t, const struct marks *marks)
{
    test_mem_rewind(&t->nic[0]->d.mem, marks->at[0]);
    test_mem_rewind(&t->nic[1]->d.mem, marks->at[1]);
}

/* ---- guest to host ---- */

static uint8_t raw[12U + 1700U];

/* Mostly one descriptor; some frames in pieces, in tables, too short, too long, with requests. */
static struct test_request draw_frame(struct twins *t)
{
    const uint32_t len = draw(t, 8) == 0U ? 1U + draw(t, 1700) : 26U + draw(t, 200);
    struct nic_hdr hdr = {0};
    struct test_request request = {.out = {{raw, len}}};

    if (draw(t, 6) == 0U) {
        hdr.flags = (uint8_t)draw(t, 16);
        hdr.gso_type = draw(t, 4) == 0U ? 1U : 0U;
        hdr.csum_start = (uint16_t)(14U + draw(t, 100));
        hdr.csum_offset = (uint16_t)draw(t, 20);
        hdr.hdr_len = (uint16_t)draw(t, 300);
    }
    for (uint32_t i = 0; i < len; i++) {
        raw[i] = (uint8_t)(i * 5U + t->random);
    }
    uint8_t header[20];
    nic_put_hdr(header, &hdr);
    (void)memcpy(raw, header, 12);
    if (draw(t, 6) == 0U && len > 40U) {
        const uint32_t cut = 1U + draw(t, 38);
        request.out[0].len = cut;
        request.out[1] = (struct test_part){raw + cut, len - cut};
    }
    if (draw(t, 10) == 0U) {
        request.in[0] = 8;
    }
    request.indirect = draw(t, 10) == 0U;
    return request;
}

static void send_some(struct twins *t)
{
    const uint32_t count = 1U + draw(t, 15);

    for (uint32_t i = 0; i < count; i++) {
        struct test_request request = draw_frame(t);

        request.indirect =
            request.indirect && avps_features_has(&t->nic[0]->d.want, AVPS_F_INDIRECT_DESC);
        for (uint32_t k = 0; k < 2U; k++) {
            struct test_request same = request;

            (void)test_driver_send(&t->nic[k]->d, 1, &same);
        }
    }
}

static void test_net_runs_transmit_like_single_chains(void **state)
{
    for (uint32_t seed = 1; seed <= 15U; seed++) {
        struct twins t = twins_new(state, seed, false);

        for (uint32_t round = 0; round < 30U; round++) {
            const struct marks marks = mark(&t);
            const uint32_t room = draw(&t, 3) == 0U ? draw(&t, 8) : UINT32_MAX;

            send_some(&t);
            for (uint32_t k = 0; k < 2U; k++) {
                struct nic *n = t.nic[k];

                n->sent_count = 0;
                n->room = room;
                test_driver_kick(&n->d, 1);
                (void)test_driver_poll(&n->d);
            }
            expect_alike(&t);
            for (uint32_t k = 0; k < 2U; k++) { /* what was left in the ring */
                t.nic[k]->room = UINT32_MAX;
                avps_net_tx_ready(&t.nic[k]->net);
                (void)test_driver_poll(&t.nic[k]->d);
            }
            expect_alike(&t);
            reap(&t, 1);
            rewind_to(&t, &marks);
        }
        twins_free(&t);
    }
}

static void test_net_runs_are_polled_like_single_chains(void **state)
{
    for (uint32_t seed = 1; seed <= 15U; seed++) {
        struct twins t = twins_new(state, seed, true);

        for (uint32_t round = 0; round < 30U; round++) {
            const struct marks marks = mark(&t);
            uint32_t left = 1;

            send_some(&t);
            while (left != 0U) {
                const struct avps_net_packet *packets[2] = {NULL, NULL};
                uint32_t count[2] = {0, 0};
                const uint32_t max = 1U + draw(&t, 12);

                for (uint32_t k = 0; k < 2U; k++) {
                    assert_int_equal(
                        avps_net_tx_burst(&t.nic[k]->net, 0, max, &packets[k], &count[k]), AVPS_OK);
                }
                assert_int_equal(count[0], count[1]);
                for (uint32_t i = 0; i < count[0]; i++) {
                    uint8_t bytes[2][1700];
                    const uint32_t len = packets[0][i].len;

                    assert_int_equal(len, packets[1][i].len);
                    for (uint32_t k = 0; k < 2U; k++) {
                        assert_int_equal(avps_net_packet_copy(&packets[k][i], 0, bytes[k], len),
                                         AVPS_OK);
                    }
                    assert_memory_equal(bytes[0], bytes[1], len);
                }
                const uint32_t taken = draw(&t, 3) == 0U ? draw(&t, count[0] + 1U) : count[0];
                for (uint32_t k = 0; k < 2U; k++) {
                    assert_int_equal(avps_net_tx_done(&t.nic[k]->net, 0, taken), AVPS_OK);
                }
                expect_alike(&t);
                left = avps_vq_has_work(&t.nic[0]->queues[1].vq) ? 1U : 0U;
            }
            reap(&t, 1);
            rewind_to(&t, &marks);
        }
        twins_free(&t);
    }
}

/* ---- host to guest ---- */

/* Modes, tables, VLANs, address: what the filter is asked. */
static void draw_filter(struct twins *t)
{
    const uint8_t on = (uint8_t)draw(t, 2);
    const uint8_t command = (uint8_t)draw(t, 6);
    const uint8_t vlan[2] = {5, 0};
    uint8_t tables[20] = {1, 0, 0, 0};

    (void)memcpy(tables + 4, nic_peer, 6);
    tables[10] = 1;
    (void)memcpy(tables + 14, nic_group, 6);
    for (uint32_t k = 0; k < 2U; k++) {
        struct nic *n = t->nic[k];

        (void)nic_ctrl(n, 0, command, &on, 1);
        (void)nic_ctrl(n, 2, on, vlan, 2);
        (void)nic_ctrl(n, 1, on, on != 0U ? nic_peer : tables, on != 0U ? 6U : 20U);
    }
}

/* Mostly a whole frame for the guest's address; some for others, tagged, short, long, in pieces. */
static void draw_frames(struct twins *t, struct avps_net_frame *frames, uint32_t count)
{
    static uint8_t bytes[40][1700];
    static struct avps_seg more;
    static const uint8_t *const to[] = {nic_mac,  nic_mac,   nic_mac,
                                        nic_peer, nic_group, nic_broadcast};

    more = (struct avps_seg){bytes[0], 0, 600};
    for (uint32_t i = 0; i < count; i++) {
        frame_fill(bytes[i], 1700, to[draw(t, 6)], nic_peer, (uint8_t)i);
        if (draw(t, 5) == 0U) {
            bytes[i][12] = 0x81;
            bytes[i][13] = 0;
            bytes[i][14] = 0;
            bytes[i][15] = (uint8_t)(4U + draw(t, 2));
        }
        frames[i] = (struct avps_net_frame){
            .data = bytes[i], .data_len = draw(t, 12) == 0U ? draw(t, 1700) : 14U + draw(t, 180)};
        if (draw(t, 12) == 0U) {
            frames[i].more = &more;
            frames[i].more_count = 1;
        }
        if (draw(t, 12) == 0U) {
            frames[i].offload = (struct avps_net_offload){.flags = (uint8_t)draw(t, 3),
                                                          .hdr_len = (uint16_t)draw(t, 40),
                                                          .csum_start = 14,
                                                          .csum_offset = (uint16_t)draw(t, 30)};
        }
    }
}

static void post_some(struct twins *t)
{
    const uint32_t count = draw(t, 24);

    for (uint32_t i = 0; i < count && t->nic[0]->d.ring[0].free_slots >= 2U; i++) {
        const uint32_t len = draw(t, 6) == 0U ? 12U + draw(t, 100) : 200U + draw(t, 1600);
        const uint32_t rest = draw(t, 6) == 0U ? 50U : 0U;

        for (uint32_t k = 0; k < 2U; k++) {
            struct test_request request = {.in = {len, rest}};

            (void)test_driver_send(&t->nic[k]->d, 0, &request);
        }
    }
}

static void test_net_runs_receive_like_single_chains(void **state)
{
    for (uint32_t seed = 1; seed <= 40U; seed++) {
        struct twins t = twins_new(state, seed, false);

        for (uint32_t round = 0; round < 10U; round++) {
            struct avps_net_frame frames[40];
            const uint32_t count = 1U + draw(&t, 40);
            const bool steered = draw(&t, 2) != 0U;

            if (draw(&t, 3) == 0U) {
                draw_filter(&t);
            }
            post_some(&t);
            draw_frames(&t, frames, count);
            uint32_t taken[2] = {0, 0};
            for (uint32_t k = 0; k < 2U; k++) {
                struct avps_net *net = &t.nic[k]->net;

                assert_int_equal(steered ? avps_net_receive(net, frames, count, &taken[k])
                                         : avps_net_rx_burst(net, 0, frames, count, &taken[k]),
                                 AVPS_OK);
                (void)test_driver_poll(&t.nic[k]->d);
            }
            assert_int_equal(taken[0], taken[1]);
            expect_alike(&t);
            reap(&t, 0);
        }
        twins_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_runs_transmit_like_single_chains, NULL, NULL),
        TEST_BOTH(test_net_runs_are_polled_like_single_chains, NULL, NULL),
        TEST_BOTH(test_net_runs_receive_like_single_chains, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
