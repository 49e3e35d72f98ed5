/* SPDX-License-Identifier: BSD-3-Clause */
/* frames: numbered frames through DPDK's network ports, checked to the last byte.
 *
 *     frames EAL-OPTION... -- QUEUES FRAMES LONGEST PIECES
 *
 * With two ports each sends to the other, with one it sends to itself; on every queue, FRAMES frames of
 * 60 to LONGEST bytes, at most WINDOW of a queue under way. Each must come once, in order, unchanged, and
 * on the queue of its number: where the receiver itself sends on that flow (net-x22). Every third frame is
 * sent in PIECES buffers. One line says what is wrong, or how much went through.
 *
 * A frame -> sending -> judging -> one port's turn -> until all is through -> set-up -> main. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define PORTS    2U
#define QUEUES   8U
#define WINDOW   32U
#define BURST    32U
#define RING     256U
#define SHORTEST 60U
#define LONGEST  9000U
#define PIECES   9U    /* of 3, 4, ... bytes, well within the shortest frame */
#define ROOM     1024U /* buffers of either kind per port and queue */
#define PATIENCE 10    /* seconds without a frame */
#define SILENCE  1     /* seconds at the end in which nothing may come */

/* One port's frames of one queue: what it has sent, and what has come back or to the other side. */
struct flow {
    uint64_t sent;
    uint64_t arrived;
};

struct test {
    uint16_t ports;
    uint16_t queues;
    uint64_t frames; /* of each flow */
    uint32_t longest;
    uint32_t piece_count;
    bool learnt; /* the first frame of every flow has arrived: the other side knows them all */
    /* Of each queue, so that no memory goes from one to another. */
    struct rte_mempool *short_buffers[QUEUES]; /* to receive into: a long frame takes several */
    struct rte_mempool *long_buffers[QUEUES];  /* to send from: any frame fits into one */
    struct rte_ether_addr mac[PORTS];
    struct flow flows[PORTS][QUEUES]; /* by the sending port */
    uint64_t bytes;
    uint64_t pieces; /* buffers that frames were sent in */
};

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)printf("WRONG: ");
    (void)vprintf(format, values);
    (void)printf("\n");
    (void)fflush(stdout);
    va_end(values);
    _Exit(1); /* ports that are stopped in the middle of this would only hide it */
}

/* ---- a frame: all of it follows from its sender, its flow and its number ---- */

#define HEADER_ETHERNET 14U
#define HEADER_IP       20U
#define HEADER_UDP      8U
#define HEADERS         (HEADER_ETHERNET + HEADER_IP + HEADER_UDP)
#define UDP_PORT        4096U /* and the flow's number, on one side: port 0's */
#define UDP_OTHER       9U    /* on the other side */

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8U);
    at[1] = (uint8_t)value;
}

static void put64(uint8_t *at, uint64_t value)
{
    for (uint32_t i = 0; i < 8U; i++) {
        at[i] = (uint8_t)(value >> (56U - 8U * i));
    }
}

/* Xorshift: well mixed, and another sequence for each frame. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13U;
    *state ^= *state >> 7U;
    *state ^= *state << 17U;
    return *state;
}

/* All lengths come, in a stride that no power of two divides. */
static uint32_t frame_length(const struct test *test, uint64_t number)
{
    return SHORTEST + (uint32_t)(number * 1009U % (test->longest - SHORTEST + 1U));
}

static void frame_headers(const struct test *test, uint16_t from, uint16_t flow, uint32_t len,
                          uint8_t *frame)
{
    const uint16_t to = from ^ (uint16_t)(test->ports - 1U);
    uint8_t *ip = frame + HEADER_ETHERNET;
    uint8_t *udp = ip + HEADER_IP;

    memset(frame, 0, HEADERS);
    memcpy(frame, test->mac[to].addr_bytes, 6);
    memcpy(frame + 6, test->mac[from].addr_bytes, 6);
    put16(frame + 12, RTE_ETHER_TYPE_IPV4);
    ip[0] = 0x45;
    put16(ip + 2, len - HEADER_ETHERNET);
    ip[8] = 64; /* hops */
    ip[9] = 17; /* UDP */
    memcpy(ip + 12, (const uint8_t[]){10, 0, 0, (uint8_t)(1U + from)}, 4);
    memcpy(ip + 16, (const uint8_t[]){10, 0, 0, (uint8_t)(1U + to)}, 4);
    put16(udp, from == 0U ? UDP_PORT + flow : UDP_OTHER);
    put16(udp + 2, from == 0U ? UDP_OTHER : UDP_PORT + flow);
    put16(udp + 4, len - HEADER_ETHERNET - HEADER_IP);
}

/* @return its length. */
static uint32_t frame_make(const struct test *test, uint16_t from, uint16_t flow, uint64_t number,
                           uint8_t *frame)
{
    const uint32_t len = frame_length(test, number);
    uint64_t state =
        (number << 8U | (uint64_t)from << 4U | flow) * UINT64_C(0x9e3779b97f4a7c15) + 1U;

    frame_headers(test, from, flow, len, frame);
    put64(frame + HEADERS, number);
    for (uint32_t at = HEADERS + 8U; at < len; at += 8U) {
        uint8_t bytes[8];

        put64(bytes, next_random(&state));
        memcpy(frame + at, bytes, len - at < 8U ? len - at : 8U);
    }
    return len;
}

static uint64_t frame_number(const uint8_t *frame)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < 8U; i++) {
        number = number << 8U | frame[HEADERS + i];
    }
    return number;
}

/* ---- sending ---- */

/* Most frames are in one buffer; every third begins with short pieces. */
static uint32_t piece_length(const struct test *test, uint64_t number, uint32_t piece,
                             uint32_t left)
{
    return number % 3U == 0U && piece + 1U < test->piece_count ? 3U + piece : left;
}

static struct rte_mbuf *piece_new(const struct test *test, uint16_t queue)
{
    struct rte_mbuf *piece = rte_pktmbuf_alloc(test->long_buffers[queue]);

    if (piece == NULL) {
        wrong("no buffer is left: the device keeps some");
    }
    return piece;
}

static struct rte_mbuf *frame_buffers(struct test *test, uint16_t queue, const uint8_t *frame,
                                      uint32_t len, uint64_t number)
{
    struct rte_mbuf *first = NULL;

    for (uint32_t at = 0, count = 0; at < len; count++) {
        struct rte_mbuf *piece = piece_new(test, queue);
        const uint32_t part = piece_length(test, number, count, len - at);

        memcpy(rte_pktmbuf_append(piece, (uint16_t)part), frame + at, part);
        at += part;
        test->pieces++;
        if (first == NULL) {
            first = piece;
        } else if (rte_pktmbuf_chain(first, piece) != 0) {
            wrong("a frame of %u bytes does not fit into buffers", len);
        }
    }
    return first;
}

/* What may be sent now: first one frame of each flow, so that both sides know them all. */
static uint64_t flow_limit(const struct test *test, const struct flow *flow)
{
    const uint64_t limit = test->learnt ? flow->arrived + WINDOW : 1U;

    return RTE_MIN(limit, test->frames);
}

static void flow_send(struct test *test, uint16_t port, uint16_t queue)
{
    struct flow *flow = &test->flows[port][queue];
    struct rte_mbuf *burst[BURST];
    uint8_t frame[LONGEST];
    uint16_t count = 0;

    while (count < BURST && flow->sent + count < flow_limit(test, flow)) {
        const uint64_t number = flow->sent + count;
        const uint32_t len = frame_make(test, port, queue, number, frame);

        burst[count++] = frame_buffers(test, queue, frame, len, number);
    }
    const uint16_t taken = count != 0U ? rte_eth_tx_burst(port, queue, burst, count) : 0U;

    flow->sent += taken;
    for (uint16_t i = taken; i < count; i++) {
        rte_pktmbuf_free(burst[i]);
    }
}

/* ---- judging ---- */

/* The flow by the UDP port, which the rest of the frame has to agree with. */
static uint16_t frame_flow(const struct test *test, uint16_t from, const uint8_t *frame,
                           uint32_t len)
{
    const uint8_t *at = frame + HEADER_ETHERNET + HEADER_IP + (from == 0U ? 0U : 2U);
    const uint32_t flow = len >= SHORTEST ? (uint32_t)(at[0] << 8U | at[1]) - UDP_PORT : QUEUES;

    if (flow >= test->queues) {
        wrong("a frame of %u bytes that nobody sent", len);
    }
    return (uint16_t)flow;
}

static void frame_judge(struct test *test, uint16_t from, uint16_t queue, const uint8_t *frame,
                        uint32_t len)
{
    const uint16_t index = frame_flow(test, from, frame, len);
    struct flow *flow = &test->flows[from][index];
    const uint64_t number = frame_number(frame);
    uint8_t expected[LONGEST];

    if (number != flow->arrived || number >= flow->sent) {
        wrong("port %u, flow %u: frame %" PRIu64 " in place of %" PRIu64, from, index, number,
              flow->arrived);
    }
    const uint32_t wanted = frame_make(test, from, index, number, expected);
    if (len != wanted) {
        wrong("port %u, flow %u, frame %" PRIu64 ": %u bytes in place of %u", from, index, number,
              len, wanted);
    }
    for (uint32_t i = 0; i < len; i++) {
        if (frame[i] != expected[i]) {
            wrong("port %u, flow %u, frame %" PRIu64 ": byte %u of %u is 0x%02x in place of 0x%02x",
                  from, index, number, i, len, frame[i], expected[i]);
        }
    }
    if (number != 0U && queue != index) {
        wrong("port %u, flow %u, frame %" PRIu64 ": it came on queue %u", from, index, number,
              queue);
    }
    flow->arrived++;
    test->bytes += len;
}

static void buffers_judge(struct test *test, uint16_t from, uint16_t queue, struct rte_mbuf *m)
{
    uint8_t copy[LONGEST];
    const uint32_t len = rte_pktmbuf_pkt_len(m);
    const void *frame = len <= sizeof copy ? rte_pktmbuf_read(m, 0, len, copy) : NULL;

    if (frame == NULL) {
        wrong("port %u sent %u bytes, or buffers that hold less than they say", from, len);
    }
    frame_judge(test, from, queue, frame, len);
    rte_pktmbuf_free(m);
}

/* ---- one port's turn ---- */

/* @return frames that came. */
static uint16_t port_receive(struct test *test, uint16_t port, uint16_t queue)
{
    const uint16_t from = port ^ (uint16_t)(test->ports - 1U);
    struct rte_mbuf *burst[BURST];
    const uint16_t count = rte_eth_rx_burst(port, queue, burst, BURST);

    for (uint16_t i = 0; i < count; i++) {
        buffers_judge(test, from, queue, burst[i]);
    }
    return count;
}

static uint32_t test_turn(struct test *test)
{
    uint32_t came = 0;

    for (uint16_t port = 0; port < test->ports; port++) {
        for (uint16_t queue = 0; queue < test->queues; queue++) {
            flow_send(test, port, queue);
            came += port_receive(test, port, queue);
        }
    }
    return came;
}

/* ---- until all is through ---- */

/* Whether at least `number` frames of each flow have arrived. */
static bool test_has(const struct test *test, uint64_t number)
{
    for (uint16_t port = 0; port < test->ports; port++) {
        for (uint16_t queue = 0; queue < test->queues; queue++) {
            if (test->flows[port][queue].arrived < number) {
                return false;
            }
        }
    }
    return true;
}

static void test_lost(const struct test *test)
{
    for (uint16_t port = 0; port < test->ports; port++) {
        for (uint16_t queue = 0; queue < test->queues; queue++) {
            const struct flow *flow = &test->flows[port][queue];

            if (flow->arrived < test->frames) {
                wrong("port %u, flow %u: frame %" PRIu64 " did not come within %u seconds (%" PRIu64
                      " sent)",
                      port, queue, flow->arrived, PATIENCE, flow->sent);
            }
        }
    }
}

static void test_until(struct test *test, uint64_t number)
{
    time_t heard = time(NULL);

    while (!test_has(test, number)) {
        if (test_turn(test) != 0U) {
            heard = time(NULL);
        } else if (time(NULL) > heard + PATIENCE) {
            test_lost(test);
        } else {
            (void)sched_yield(); /* the back end may be on this processor */
        }
    }
}

/* What comes now was sent twice. */
static void test_after(struct test *test)
{
    const time_t end = time(NULL) + 1 + SILENCE;

    while (time(NULL) < end) {
        (void)test_turn(test);
        (void)sched_yield();
    }
}

static void test_run(struct test *test)
{
    test_until(test, 1);
    test->learnt = true;
    test_until(test, test->frames);
    test_after(test);
    (void)printf("GOOD: %u ports, %u queue pairs, %" PRIu64 " frames each, %" PRIu64
                 " bytes, sent in %" PRIu64 " buffers\n",
                 test->ports, test->queues, test->frames, test->bytes, test->pieces);
}

/* ---- set-up ---- */

static void must(int status, const char *what, uint16_t port)
{
    if (status < 0) {
        wrong("port %u: %s: %s", port, what, rte_strerror(-status));
    }
}

static void port_start(struct test *test, uint16_t port)
{
    const struct rte_eth_conf conf = {
        .rxmode = {.mtu = test->longest - HEADER_ETHERNET,
                   .offloads =
                       test->longest > RTE_MBUF_DEFAULT_DATAROOM ? RTE_ETH_RX_OFFLOAD_SCATTER : 0U},
        .txmode = {.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS}};
    const int socket = rte_eth_dev_socket_id(port);

    must(rte_eth_dev_configure(port, test->queues, test->queues, &conf), "configuration", port);
    for (uint16_t i = 0; i < test->queues; i++) {
        must(rte_eth_rx_queue_setup(port, i, RING, (unsigned int)socket, NULL,
                                    test->short_buffers[i]),
             "receive queue", port);
        must(rte_eth_tx_queue_setup(port, i, RING, (unsigned int)socket, NULL), "transmit queue",
             port);
    }
    must(rte_eth_dev_start(port), "start", port);
    must(rte_eth_macaddr_get(port, &test->mac[port]), "address", port);
}

static struct rte_mempool *pool_new(const struct test *test, const char *kind, uint16_t queue,
                                    uint16_t size)
{
    char name[32];

    (void)snprintf(name, sizeof name, "%s%u", kind, queue);
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create(name, ROOM * test->ports, 128, 0, size, SOCKET_ID_ANY);

    if (pool == NULL) {
        wrong("no memory for buffers: %s", rte_strerror(rte_errno));
    }
    return pool;
}

static void test_start(struct test *test)
{
    test->ports = rte_eth_dev_count_avail();
    if (test->ports < 1U || test->ports > PORTS) {
        wrong("%u ports: one or two are wanted", test->ports);
    }
    for (uint16_t i = 0; i < test->queues; i++) {
        test->short_buffers[i] = pool_new(test, "short", i, RTE_MBUF_DEFAULT_BUF_SIZE);
        test->long_buffers[i] = pool_new(test, "long", i, RTE_PKTMBUF_HEADROOM + LONGEST);
    }
    for (uint16_t port = 0; port < test->ports; port++) {
        port_start(test, port);
    }
}

static void test_end(const struct test *test)
{
    for (uint16_t port = 0; port < test->ports; port++) {
        must(rte_eth_dev_stop(port), "stop", port);
        must(rte_eth_dev_close(port), "end", port);
    }
}

/* ---- main ---- */

static uint64_t argument(const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL;
    const unsigned long long value = strtoull(text, &end, 10);

    if (*end != '\0' || value < min || value > max) {
        wrong("'%s' is not in %" PRIu64 "..%" PRIu64, text, min, max);
    }
    return value;
}

int main(int argc, char **argv)
{
    static struct test test;
    const int taken = rte_eal_init(argc, argv);

    if (taken < 0) {
        wrong("DPDK does not start: %s", rte_strerror(rte_errno));
    }
    if (argc - taken != 5) {
        wrong("usage: frames EAL-OPTION... -- QUEUES FRAMES LONGEST PIECES");
    }
    argv += taken;
    test.queues = (uint16_t)argument(argv[1], 1, QUEUES);
    test.frames = argument(argv[2], 1, UINT32_MAX);
    test.longest = (uint32_t)argument(argv[3], SHORTEST, LONGEST);
    test.piece_count = (uint32_t)argument(argv[4], 1, PIECES);
    test_start(&test);
    test_run(&test);
    test_end(&test);
    return rte_eal_cleanup() == 0 ? 0 : 1;
}
