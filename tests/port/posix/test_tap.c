/* SPDX-License-Identifier: BSD-3-Clause */
/* Tap interface in a network namespace of the test's own: frames both ways, offloads both ways, full
 * rings on both sides, several queues, refusals. */
#include "devices/test_net.h"
#include "sandbox.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "avps_posix/tap.h"
#include "packet.h"

/* The linker hands calls of writev to the first; the second is the real one. */
ssize_t __wrap_writev(int fd, const struct iovec *iov, int count);
ssize_t __real_writev(int fd, const struct iovec *iov, int count);

static int writev_full; /* so many calls find no room */

ssize_t __wrap_writev(int fd, const struct iovec *iov, int count)
{
    if (writev_full != 0) {
        writev_full--;
        errno = EAGAIN;
        return -1;
    }
    return __real_writev(fd, iov, count);
}

struct fixture {
    struct avps_posix_loop loop;
    struct avps_posix_tap_config config;
    struct avps_posix_tap *tap;
    struct avps_posix_error error;
    struct nic *n;
    bool running;
    int packet; /* sees and sends what is on the interface */
    int udp;    /* socket of the host */
    uint8_t frame[NIC_BYTES];
};

static struct fixture fx;
static const struct packet_end guest = {
    .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}, .ip = {10, 99, 0, 2}, .port = 4000};
static struct packet_end host = {.ip = {10, 99, 0, 1}, .port = 5000};
static const struct nic_hdr plain = {0};

static int enter(void **state)
{
    (void)state;
    sandbox_unshare(CLONE_NEWNET);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    (void)memset(&fx, 0, sizeof fx);
    writev_full = 0;
    assert_int_equal(avps_posix_loop_init(&fx.loop), AVPS_OK);
    fx.config.loop = &fx.loop;
    fx.config.name = "avps0";
    fx.packet = -1;
    fx.udp = -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (fx.running) {
        nic_free(fx.n);
    }
    avps_posix_tap_close(fx.tap);
    avps_posix_loop_free(&fx.loop);
    (void)close(fx.packet);
    (void)close(fx.udp);
    return 0;
}

static void open_tap(void)
{
    const enum avps_status status = avps_posix_tap_open(&fx.tap, &fx.config, &fx.error);

    if (status != AVPS_OK) {
        print_message("%s\n", fx.error.text);
    }
    assert_int_equal(status, AVPS_OK);
}

static struct ifreq interface(void)
{
    struct ifreq request = {{{0}}, {{0}}};

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", avps_posix_tap_name(fx.tap));
    return request;
}

static void open_packet(void)
{
    struct ifreq request = interface();
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

    fx.packet = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fx.packet >= 0);
    assert_int_equal(ioctl(fx.packet, SIOCGIFINDEX, &request), 0);
    address.sll_ifindex = request.ifr_ifindex;
    assert_int_equal(bind(fx.packet, (const struct sockaddr *)&address, sizeof address), 0);
}

/* The host's end: an address, a UDP socket, and the guest's hardware address. */
static void open_host(void)
{
    struct ifreq request = interface();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(host.port)};
    struct arpreq arp = {.arp_flags = ATF_COM | ATF_PERM};

    fx.udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)memcpy(&address.sin_addr, host.ip, 4);
    (void)memcpy(&request.ifr_addr, &address, sizeof address);
    assert_int_equal(ioctl(fx.udp, SIOCSIFADDR, &request), 0);
    request = interface();
    assert_int_equal(ioctl(fx.udp, SIOCGIFHWADDR, &request), 0);
    (void)memcpy(host.mac, request.ifr_hwaddr.sa_data, 6);
    assert_int_equal(bind(fx.udp, (const struct sockaddr *)&address, sizeof address), 0);
    (void)memcpy(&address.sin_addr, guest.ip, 4);
    (void)memcpy(&arp.arp_pa, &address, sizeof address);
    arp.arp_ha.sa_family = ARPHRD_ETHER;
    (void)memcpy(arp.arp_ha.sa_data, guest.mac, 6);
    (void)memcpy(arp.arp_dev, avps_posix_tap_name(fx.tap), 15);
    assert_int_equal(ioctl(fx.udp, SIOCSARP, &arp), 0);
}

static void start(void **state, enum test_mem_kind kind)
{
    open_tap();
    fx.n = nic_new(state, kind, 2);
    avps_posix_tap_describe(fx.tap, &fx.n->config);
    nic_init(fx.n);
    avps_posix_tap_attach(fx.tap, &fx.n->net);
    fx.running = true;
}

static void rounds(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        assert_int_equal(avps_posix_loop_step(&fx.loop, false), AVPS_OK);
        (void)test_driver_poll(&fx.n->d);
    }
}

/* Next frame on the interface that the test sent: EtherType 0x88b5. @return its length. */
static uint32_t packet_take(uint8_t *bytes, size_t size)
{
    for (unsigned int i = 0; i < 1000U; i++) {
        struct sockaddr_ll from;
        socklen_t len = sizeof from;
        const ssize_t got = recvfrom(fx.packet, bytes, size, 0, (struct sockaddr *)&from, &len);

        if (got > 14 && packet_get16(bytes + 12) == 0x88b5U &&
            from.sll_pkttype != PACKET_OUTGOING) {
            return (uint32_t)got;
        }
        if (got < 0) {
            (void)usleep(1000);
        }
    }
    return 0;
}

/* Next frame of this EtherType that reaches the guest; the host's own chatter is left out. */
static uint32_t guest_take(uint16_t type, struct nic_hdr *hdr)
{
    for (unsigned int i = 0; i < 1000U; i++) {
        const uint32_t len = nic_take(fx.n, 0, hdr, fx.frame);

        if (len != 0U && packet_get16(fx.frame + 12) == type) {
            return len;
        }
        rounds(1);
    }
    return 0;
}

/* ---- frames ---- */

static void test_tap_carries_frames_of_the_guest(void **state)
{
    static const enum test_mem_kind kinds[] = {TEST_MEM_REGIONS, TEST_MEM_COPY};
    uint8_t frame[1514];
    uint8_t seen[2048];

    for (unsigned int i = 0; i < 2U; i++) {
        start(state, kinds[i]);
        nic_up(fx.n);
        open_packet();
        frame_fill(frame, sizeof frame, nic_peer, nic_mac, 3);
        nic_send(fx.n, 0, &plain, frame, sizeof frame);
        assert_int_equal(packet_take(seen, sizeof seen), sizeof frame);
        assert_memory_equal(seen, frame, sizeof frame);
        assert_int_equal(avps_posix_tap_counters(fx.tap)->sent, 1);
        assert_int_equal(avps_posix_tap_counters(fx.tap)->refused, 0);
        if (i == 0U) {
            (void)teardown(state);
            (void)setup(state);
        }
    }
}

static void test_tap_carries_frames_in_pieces(void **state)
{
    static uint8_t raw[12 + 1000];
    uint8_t seen[2048];
    struct test_used used;
    struct test_request r = {.out = {{raw, 12}, {raw + 12, 1}, {raw + 13, 600}, {raw + 613, 399}}};
    struct test_request joined = {.out = {{raw, 100}, {raw + 100, 912}}};

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    frame_fill(raw + 12, 1000, nic_peer, nic_mac, 9);
    for (unsigned int i = 0; i < 2U; i++) {
        (void)test_driver_send(&fx.n->d, 1, i == 0U ? &r : &joined);
        test_driver_kick(&fx.n->d, 1);
        (void)test_driver_poll(&fx.n->d);
        assert_true(test_driver_reap(&fx.n->d, 1, &used));
        assert_int_equal(packet_take(seen, sizeof seen), 1000);
        assert_memory_equal(seen, raw + 12, 1000);
    }
}

static void test_tap_carries_frames_for_the_guest(void **state)
{
    uint8_t frame[1514];
    struct nic_hdr hdr;

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    nic_post_many(fx.n, 0, 1600, 40);
    test_driver_kick(&fx.n->d, 0);
    for (uint8_t i = 0; i < 20U; i++) {
        frame_fill(frame, 60U + 70U * i, nic_mac, nic_peer, i);
        assert_int_equal(send(fx.packet, frame, 60U + 70U * i, 0), 60U + 70U * i);
    }
    for (uint8_t i = 0; i < 20U; i++) {
        frame_fill(frame, 60U + 70U * i, nic_mac, nic_peer, i);
        assert_int_equal(guest_take(0x88b5, &hdr), 60U + 70U * i);
        assert_memory_equal(fx.frame, frame, 60U + 70U * i);
        assert_int_equal(hdr.flags, 0);
    }
}

/* ---- full rings ---- */

static void test_tap_keeps_frames_for_a_guest_without_buffers(void **state)
{
    uint8_t frame[60];
    struct nic_hdr hdr;

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    for (uint8_t i = 0; i < 50U; i++) {
        frame_fill(frame, sizeof frame, nic_mac, nic_peer, i);
        assert_int_equal(send(fx.packet, frame, sizeof frame, 0), sizeof frame);
    }
    rounds(10);
    assert_true(avps_posix_tap_counters(fx.tap)->held >= 1U);
    assert_true(avps_posix_tap_counters(fx.tap)->received <= 32U); /* the rest is with the kernel */
    nic_post_many(fx.n, 0, 1600, 60);
    test_driver_kick(&fx.n->d, 0);
    for (uint8_t i = 0; i < 50U; i++) {
        frame_fill(frame, sizeof frame, nic_mac, nic_peer, i);
        assert_int_equal(guest_take(0x88b5, &hdr), sizeof frame);
        assert_memory_equal(fx.frame, frame, sizeof frame);
    }
}

static void test_tap_holds_the_guest_up_while_the_interface_is_full(void **state)
{
    uint8_t frame[100];
    uint8_t seen[256];
    struct test_used used;

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    writev_full = 1;
    for (uint8_t i = 0; i < 3U; i++) {
        frame_fill(frame, sizeof frame, nic_peer, nic_mac, i);
        nic_queue(fx.n, 0, &plain, frame, sizeof frame);
    }
    test_driver_kick(&fx.n->d, 1);
    (void)test_driver_poll(&fx.n->d);
    assert_false(test_driver_reap(&fx.n->d, 1, &used));
    rounds(3); /* the interface has room */
    for (uint8_t i = 0; i < 3U; i++) {
        assert_true(test_driver_reap(&fx.n->d, 1, &used));
        frame_fill(frame, sizeof frame, nic_peer, nic_mac, i);
        assert_int_equal(packet_take(seen, sizeof seen), sizeof frame);
        assert_memory_equal(seen, frame, sizeof frame);
    }
    assert_int_equal(avps_posix_tap_counters(fx.tap)->sent, 3);
}

static void test_tap_drops_frames_while_the_interface_is_down(void **state)
{
    uint8_t frame[100];
    struct ifreq request;

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    request = interface();
    assert_int_equal(ioctl(fx.packet, SIOCGIFFLAGS, &request), 0);
    assert_true((request.ifr_flags & IFF_UP) != 0); /* open did that */
    request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
    assert_int_equal(ioctl(fx.packet, SIOCSIFFLAGS, &request), 0);
    frame_fill(frame, sizeof frame, nic_peer, nic_mac, 1);
    nic_send(fx.n, 0, &plain, frame, sizeof frame);
    assert_int_equal(avps_posix_tap_counters(fx.tap)->refused, 1);
}

static void test_tap_forgets_frames_of_an_earlier_driver(void **state)
{
    uint8_t frame[60];
    struct nic_hdr hdr;

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    frame_fill(frame, sizeof frame, nic_mac, nic_peer, 1);
    assert_int_equal(send(fx.packet, frame, sizeof frame, 0), sizeof frame);
    rounds(5); /* read, and held: there are no buffers */
    test_driver_reset(&fx.n->d);
    nic_up(fx.n);
    nic_post_many(fx.n, 0, 1600, 4);
    test_driver_kick(&fx.n->d, 0);
    frame_fill(frame, sizeof frame, nic_mac, nic_peer, 2);
    assert_int_equal(send(fx.packet, frame, sizeof frame, 0), sizeof frame);
    assert_int_equal(guest_take(0x88b5, &hdr), sizeof frame);
    assert_memory_equal(fx.frame, frame, sizeof frame);
}

/* ---- offloads ---- */

static void test_tap_lets_the_host_complete_checksums(void **state)
{
    struct nic_hdr hdr = {
        .flags = AVPS_NET_NEEDS_CSUM, .csum_start = PACKET_AT_UDP, .csum_offset = 6};
    char text[64] = {0};

    start(state, TEST_MEM_REGIONS);
    want(fx.n, AVPS_NET_F_CSUM);
    nic_up(fx.n);
    open_host();
    nic_send(fx.n, 0, &hdr, fx.frame, packet_udp(fx.frame, &guest, &host, "partial", 7, true));
    for (unsigned int i = 0; i < 1000U && text[0] == '\0'; i++) {
        if (recv(fx.udp, text, sizeof text, 0) < 0) {
            (void)usleep(1000);
        }
    }
    assert_string_equal(text, "partial");
}

static void send_from_host(const char *text)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(guest.port)};

    (void)memcpy(&to.sin_addr, guest.ip, 4);
    assert_int_equal(sendto(fx.udp, text, strlen(text), 0, (const struct sockaddr *)&to, sizeof to),
                     strlen(text));
}

static void test_tap_gives_whole_checksums_to_a_guest_that_wants_them(void **state)
{
    struct nic_hdr hdr;

    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_host();
    nic_post_many(fx.n, 0, 1600, 40);
    test_driver_kick(&fx.n->d, 0);
    send_from_host("whole");
    assert_int_equal(guest_take(0x0800, &hdr), PACKET_AT_DATA + 5U);
    assert_int_equal(hdr.flags, 0);
    assert_true(packet_udp_is_good(fx.frame));
    assert_memory_equal(fx.frame + PACKET_AT_DATA, "whole", 5);
}

static void test_tap_gives_partial_checksums_to_a_guest_that_takes_them(void **state)
{
    struct nic_hdr hdr;

    start(state, TEST_MEM_REGIONS);
    want(fx.n, AVPS_NET_F_GUEST_CSUM);
    want(fx.n, AVPS_NET_F_GUEST_TSO4);
    nic_up(fx.n);
    open_host();
    nic_post_many(fx.n, 0, 1600, 40);
    test_driver_kick(&fx.n->d, 0);
    send_from_host("partial");
    assert_int_equal(guest_take(0x0800, &hdr), PACKET_AT_DATA + 7U);
    assert_int_equal(hdr.flags, AVPS_NET_NEEDS_CSUM);
    assert_int_equal(hdr.csum_start, PACKET_AT_UDP);
    assert_int_equal(hdr.csum_offset, 6);
    assert_false(packet_udp_is_good(fx.frame));
}

static void test_tap_offers_no_offloads_when_told_so(void **state)
{
    fx.config.no_offloads = true;
    start(state, TEST_MEM_REGIONS);
    assert_false(test_driver_offers(&fx.n->d, AVPS_NET_F_CSUM));
    assert_false(test_driver_offers(&fx.n->d, AVPS_NET_F_GUEST_CSUM));
    assert_false(test_driver_offers(&fx.n->d, AVPS_NET_F_HOST_TSO4));
    nic_up(fx.n);
}

/* ---- opening ---- */

static void assert_refused(enum avps_status status, const char *text)
{
    struct avps_posix_tap *tap = NULL;

    (void)memset(&fx.error, 0, sizeof fx.error);
    assert_int_equal(avps_posix_tap_open(&tap, &fx.config, &fx.error), status);
    assert_null(tap);
    assert_non_null(strstr(fx.error.text, text));
}

static void test_tap_says_what_is_wrong(void **state)
{
    (void)state;
    fx.config.name = "";
    assert_refused(AVPS_E_PARAM, "1..15 characters");
    fx.config.name = "a-name-of-16-cha";
    assert_refused(AVPS_E_PARAM, "1..15 characters");
    fx.config.name = "lo";
    assert_refused(AVPS_E_PARAM, "lo is no tap interface");
    fx.config.name = "avps0";
    fx.config.queues = AVPS_POSIX_TAP_QUEUES + 1U;
    assert_refused(AVPS_E_PARAM, "up to 16 queues");
    fx.config.queues = 1;
    open_tap();
    assert_refused(AVPS_E_STATE, "in use by another program");
    fx.config.loop = NULL;
    assert_int_equal(avps_posix_tap_open(&fx.tap, &fx.config, NULL), AVPS_E_PARAM);
}

/* In a child: in a user namespace of its own, or as another user, it has no right to interfaces. */
static void test_tap_says_how_to_get_the_right(void **state)
{
    int status = 0;
    const pid_t child = fork();

    (void)state;
    if (child == 0) {
        struct avps_posix_tap *tap = NULL;
        const bool dropped =
            unshare(CLONE_NEWUSER) == 0 || (setgid(12345) == 0 && setuid(12345) == 0);
        const enum avps_status refused = avps_posix_tap_open(&tap, &fx.config, &fx.error);

        _exit(dropped && refused == AVPS_E_IO &&
                      strstr(fx.error.text, "ip tuntap add avps0 mode tap user") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_tap_lets_the_kernel_find_a_name(void **state)
{
    (void)state;
    fx.config.name = NULL;
    open_tap();
    assert_int_equal(strncmp(avps_posix_tap_name(fx.tap), "tap", 3), 0);
    assert_int_not_equal(if_nametoindex(avps_posix_tap_name(fx.tap)), 0);
}

static void test_tap_carries_frames_over_several_queues(void **state)
{
    uint8_t frame[100];
    uint8_t seen[256];
    struct nic_hdr hdr;

    fx.config.queues = 2;
    start(state, TEST_MEM_REGIONS);
    nic_up(fx.n);
    open_packet();
    nic_post_many(fx.n, 0, 1600, 40);
    test_driver_kick(&fx.n->d, 0);
    frame_fill(frame, sizeof frame, nic_peer, nic_mac, 7);
    nic_send(fx.n, 0, &plain, frame, sizeof frame);
    assert_int_equal(packet_take(seen, sizeof seen), sizeof frame);
    for (uint8_t i = 0; i < 10U; i++) { /* whichever queue they come from */
        frame_fill(frame, sizeof frame, nic_mac, nic_peer, i);
        frame[11] = i;
        assert_int_equal(send(fx.packet, frame, sizeof frame, 0), sizeof frame);
        assert_int_equal(guest_take(0x88b5, &hdr), sizeof frame);
        assert_memory_equal(fx.frame, frame, sizeof frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_tap_carries_frames_of_the_guest, setup, teardown),
        TEST_BOTH(test_tap_carries_frames_in_pieces, setup, teardown),
        TEST_BOTH(test_tap_carries_frames_for_the_guest, setup, teardown),
        TEST_BOTH(test_tap_keeps_frames_for_a_guest_without_buffers, setup, teardown),
        TEST_BOTH(test_tap_holds_the_guest_up_while_the_interface_is_full, setup, teardown),
        TEST_SPLIT(test_tap_drops_frames_while_the_interface_is_down, setup, teardown),
        TEST_SPLIT(test_tap_forgets_frames_of_an_earlier_driver, setup, teardown),
        TEST_SPLIT(test_tap_lets_the_host_complete_checksums, setup, teardown),
        TEST_SPLIT(test_tap_gives_whole_checksums_to_a_guest_that_wants_them, setup, teardown),
        TEST_SPLIT(test_tap_gives_partial_checksums_to_a_guest_that_takes_them, setup, teardown),
        TEST_SPLIT(test_tap_offers_no_offloads_when_told_so, setup, teardown),
        TEST_SPLIT(test_tap_says_what_is_wrong, setup, teardown),
        TEST_SPLIT(test_tap_says_how_to_get_the_right, setup, teardown),
        TEST_SPLIT(test_tap_lets_the_kernel_find_a_name, setup, teardown),
        TEST_SPLIT(test_tap_carries_frames_over_several_queues, setup, teardown),
    };

    return cmocka_run_group_tests(tests, enter, NULL);
}
