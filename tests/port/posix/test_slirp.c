/* SPDX-License-Identifier: BSD-3-Clause */
/* User network: address by DHCP, the host's address by ARP, UDP to and from a peer on the loopback
 * interface, forwarded ports, restriction, refusals. Nothing leaves this machine. */
#include "devices/test_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "avps_posix/slirp.h"
#include "packet.h"

struct fixture {
    struct avps_posix_loop loop;
    struct avps_posix_slirp_config config;
    struct avps_posix_slirp *slirp;
    struct avps_posix_error error;
    struct nic *n;
    bool running;
    int peer; /* UDP socket on 127.0.0.1 */
    uint16_t peer_port;
    uint8_t frame[NIC_BYTES];
};

static struct fixture fx;
static struct packet_end guest = {
    .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}, .ip = {10, 0, 2, 15}, .port = 4000};
static struct packet_end host = {.ip = {10, 0, 2, 2}};
static const struct nic_hdr plain = {0};

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    (void)state;
    (void)memset(&fx, 0, sizeof fx);
    assert_int_equal(avps_posix_loop_init(&fx.loop), AVPS_OK);
    fx.config.loop = &fx.loop;
    fx.peer = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fx.peer, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fx.peer, (struct sockaddr *)&address, &size), 0);
    fx.peer_port = ntohs(address.sin_port);
    host.port = fx.peer_port;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (fx.running) {
        nic_free(fx.n);
    }
    avps_posix_slirp_close(fx.slirp);
    avps_posix_loop_free(&fx.loop);
    (void)close(fx.peer);
    return 0;
}

static void start(void **state)
{
    assert_int_equal(avps_posix_slirp_open(&fx.slirp, &fx.config, &fx.error), AVPS_OK);
    fx.n = nic_new(state, TEST_MEM_REGIONS, 1);
    avps_posix_slirp_describe(fx.slirp, &fx.n->config);
    nic_init(fx.n);
    avps_posix_slirp_attach(fx.slirp, &fx.n->net);
    fx.running = true;
    nic_up(fx.n);
    nic_post_many(fx.n, 0, 1600, 32);
    test_driver_kick(&fx.n->d, 0);
}

static void send_frame(uint32_t len)
{
    nic_send(fx.n, 0, &plain, fx.frame, len);
}

/* Serve until a frame with this EtherType comes, into fx.frame; others are not for the test.
 * @return its length; 0: none in time. */
static uint32_t wait_frame(uint16_t type)
{
    const uint64_t end = avps_posix_now_ns() + UINT64_C(5000000000);
    struct nic_hdr hdr;

    while (avps_posix_now_ns() < end) {
        const uint32_t len = nic_take(fx.n, 0, &hdr, fx.frame);

        if (len != 0U && packet_get16(fx.frame + 12) == type) {
            return len;
        }
        assert_int_equal(avps_posix_loop_step(&fx.loop, false), AVPS_OK);
        (void)test_driver_poll(&fx.n->d);
    }
    return 0;
}

/* Learn the host's hardware address. */
static void resolve_host(void)
{
    send_frame(packet_arp(fx.frame, &guest, host.ip));
    assert_true(wait_frame(0x0806) >= 42U);
    assert_int_equal(packet_get16(fx.frame + PACKET_ETH + 6), 2); /* reply */
    assert_memory_equal(fx.frame + PACKET_ETH + 14, host.ip, 4);
    (void)memcpy(host.mac, fx.frame + PACKET_ETH + 8, 6);
}

/* ---- DHCP, ARP ---- */

/* The message type option of a DHCP message, and what it offers. */
static uint8_t dhcp_type(const uint8_t *options)
{
    while (*options != 0xffU) {
        if (*options == 53U) {
            return options[2];
        }
        options += *options == 0U ? 1U : 2U + options[1];
    }
    return 0;
}

static void test_slirp_gives_an_address_by_dhcp(void **state)
{
    struct packet_end client = {.port = 68};
    const struct packet_end server = {
        .mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .ip = {255, 255, 255, 255}, .port = 67};
    uint8_t discover[300] = {1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78};
    static const uint8_t options[] = {99, 130, 83, 99, 53, 1, 1, 0xff};
    const uint8_t *answer = fx.frame + PACKET_AT_DATA;

    start(state);
    (void)memcpy(client.mac, guest.mac, 6);
    (void)memcpy(discover + 28, guest.mac, 6);
    (void)memcpy(discover + 236, options, sizeof options);
    send_frame(packet_udp(fx.frame, &client, &server, discover, sizeof discover, false));
    assert_true(wait_frame(0x0800) > PACKET_AT_DATA + 240U);
    assert_true(packet_udp_is_good(fx.frame));
    assert_int_equal(packet_get16(fx.frame + PACKET_AT_UDP + 2), 68);
    assert_int_equal(answer[0], 2);
    assert_memory_equal(answer + 4, discover + 4, 4);
    assert_memory_equal(answer + 16, guest.ip, 4);
    assert_int_equal(dhcp_type(answer + 240), 2); /* offer */
}

static void test_slirp_answers_for_the_host_s_address(void **state)
{
    start(state);
    resolve_host();
    assert_int_not_equal(host.mac[0] | host.mac[1] | host.mac[5], 0);
    assert_true(avps_posix_slirp_counters(fx.slirp)->received >= 1U);
    assert_int_equal(avps_posix_slirp_counters(fx.slirp)->sent, 1);
}

/* ---- UDP ---- */

static ssize_t peer_receive(char *text, size_t size, struct sockaddr_in *from)
{
    const uint64_t end = avps_posix_now_ns() + UINT64_C(5000000000);
    ssize_t got = -1;

    while (got < 0 && avps_posix_now_ns() < end) {
        socklen_t len = sizeof *from;

        assert_int_equal(avps_posix_loop_step(&fx.loop, false), AVPS_OK);
        (void)test_driver_poll(&fx.n->d);
        got = recvfrom(fx.peer, text, size, 0, (struct sockaddr *)from, &len);
    }
    return got;
}

static void test_slirp_carries_udp_to_a_peer_and_back(void **state)
{
    struct sockaddr_in from;
    char text[64] = {0};

    start(state);
    resolve_host();
    send_frame(packet_udp(fx.frame, &guest, &host, "hello, host", 11, false));
    assert_int_equal(peer_receive(text, sizeof text, &from), 11);
    assert_string_equal(text, "hello, host");
    assert_int_equal(
        sendto(fx.peer, "hello, guest", 12, 0, (const struct sockaddr *)&from, sizeof from), 12);
    assert_int_equal(wait_frame(0x0800), PACKET_AT_DATA + 12U);
    assert_memory_equal(fx.frame + PACKET_AT_DATA, "hello, guest", 12);
    assert_memory_equal(fx.frame + PACKET_AT_IP + 12, host.ip, 4);
    assert_int_equal(packet_get16(fx.frame + PACKET_AT_UDP), fx.peer_port);
    assert_int_equal(packet_get16(fx.frame + PACKET_AT_UDP + 2), guest.port);
    assert_true(packet_udp_is_good(fx.frame));
}

static void test_slirp_restricted_reaches_nothing(void **state)
{
    struct sockaddr_in from;
    char text[64];

    fx.config.restricted = true;
    start(state);
    resolve_host();
    send_frame(packet_udp(fx.frame, &guest, &host, "hello", 5, false));
    for (unsigned int i = 0; i < 50U; i++) {
        socklen_t len = sizeof from;

        assert_int_equal(avps_posix_loop_step(&fx.loop, false), AVPS_OK);
        assert_int_equal(recvfrom(fx.peer, text, sizeof text, 0, (struct sockaddr *)&from, &len),
                         -1);
        (void)usleep(1000);
    }
}

/* A port that is free now. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* libslirp wants to know the guest's hardware address before it forwards: it asks by ARP. */
static void test_slirp_forwards_a_port_of_the_host(void **state)
{
    const uint16_t port = free_port();
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    start(state);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(avps_posix_slirp_forward(fx.slirp, true, port, 4000, &fx.error), AVPS_OK);
    assert_int_equal(avps_posix_slirp_forward(fx.slirp, true, port, 4001, &fx.error), AVPS_E_IO);
    assert_non_null(strstr(fx.error.text, "in use"));
    assert_int_equal(avps_posix_slirp_forward(fx.slirp, true, 0, 1, &fx.error), AVPS_E_PARAM);
    resolve_host(); /* libslirp learns the guest's address from this */
    assert_int_equal(sendto(fx.peer, "knock", 5, 0, (const struct sockaddr *)&to, sizeof to), 5);
    assert_int_equal(wait_frame(0x0800), PACKET_AT_DATA + 5U);
    assert_memory_equal(fx.frame + PACKET_AT_DATA, "knock", 5);
    assert_memory_equal(fx.frame + PACKET_AT_IP + 16, guest.ip, 4);
    assert_int_equal(packet_get16(fx.frame + PACKET_AT_UDP + 2), 4000);
}

/* ---- robustness ---- */

static void test_slirp_takes_any_frame(void **state)
{
    uint32_t seed = 1;

    start(state);
    for (unsigned int i = 0; i < 400U; i++) {
        uint32_t len = packet_udp(fx.frame, &guest, &host, "0123456789", 10, false);

        for (unsigned int j = 0; j < 1U + i % 4U; j++) {
            seed = seed * 1664525U + 1013904223U;
            fx.frame[(seed >> 8U) % len] = (uint8_t)(seed >> 24U);
        }
        seed = seed * 1664525U + 1013904223U;
        len = i % 3U == 0U ? PACKET_ETH + (seed >> 8U) % (len - PACKET_ETH) : len;
        send_frame(len);
        assert_int_equal(avps_posix_loop_step(&fx.loop, false), AVPS_OK);
    }
    resolve_host(); /* it still answers */
}

static void test_slirp_counts_frames_that_the_guest_has_no_room_for(void **state)
{
    start(state);
    for (unsigned int i = 0; i < 40U; i++) {
        send_frame(packet_arp(fx.frame, &guest, host.ip));
    }
    assert_int_equal(avps_posix_slirp_counters(fx.slirp)->received, 40);
    assert_int_equal(avps_posix_slirp_counters(fx.slirp)->dropped, 8);
}

static void test_slirp_refuses_a_bad_configuration(void **state)
{
    (void)state;
    fx.config.mtu = 67;
    assert_int_equal(avps_posix_slirp_open(&fx.slirp, &fx.config, &fx.error), AVPS_E_PARAM);
    assert_non_null(strstr(fx.error.text, "MTU of 68..65521"));
    fx.config.mtu = 1400;
    fx.config.loop = NULL;
    assert_int_equal(avps_posix_slirp_open(&fx.slirp, &fx.config, NULL), AVPS_E_PARAM);
    avps_posix_slirp_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_slirp_gives_an_address_by_dhcp, setup, teardown),
        TEST_BOTH(test_slirp_answers_for_the_host_s_address, setup, teardown),
        TEST_BOTH(test_slirp_carries_udp_to_a_peer_and_back, setup, teardown),
        TEST_SPLIT(test_slirp_restricted_reaches_nothing, setup, teardown),
        TEST_SPLIT(test_slirp_forwards_a_port_of_the_host, setup, teardown),
        TEST_SPLIT(test_slirp_takes_any_frame, setup, teardown),
        TEST_SPLIT(test_slirp_counts_frames_that_the_guest_has_no_room_for, setup, teardown),
        TEST_SPLIT(test_slirp_refuses_a_bad_configuration, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
