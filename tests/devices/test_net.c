/* SPDX-License-Identifier: BSD-3-Clause */
/* Network device, data path: frames from the guest and to the guest. */
#include "devices/test_net.h"

static const struct nic_hdr plain = {0};
static uint8_t frame[NIC_BYTES];
static uint8_t got[NIC_BYTES];

static void test_net_a_frame_from_the_guest_reaches_the_back_end(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);

    nic_start(n);
    frame_fill(frame, 100, nic_peer, nic_mac, 1);
    nic_send(n, 0, &plain, frame, 100);
    assert_int_equal(n->sent_count, 1);
    assert_int_equal(n->sent[0].len, 100);
    assert_memory_equal(n->sent[0].bytes, frame, 100);
    assert_true(n->sent[0].direct);
    nic_free(n);
}

static void test_net_a_frame_from_the_host_reaches_the_guest(void **state)
{
    struct nic *n = nic_new(state, TEST_MEM_REGIONS, 1);
    struct nic_hdr hdr;

    nic_start(n);
    nic_post(n, 0, 1600);
    frame_fill(frame, 100, nic_mac, nic_peer, 1);
    assert_true(nic_give(n, frame, 100));
    assert_int_equal(nic_take(n, 0, &hdr, got), 100);
    assert_memory_equal(got, frame, 100);
    assert_int_equal(hdr.num_buffers, 1);
    nic_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_net_a_frame_from_the_guest_reaches_the_back_end, NULL, NULL),
        TEST_BOTH(test_net_a_frame_from_the_host_reaches_the_guest, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
