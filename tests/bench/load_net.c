/* SPDX-License-Identifier: BSD-3-Clause */
/* Network load. The driver fills the whole ring, publishes it at once and takes the time from the
 * first used frames it sees to the last: so its own work, writing and checking every byte of every
 * frame, is not in the time, but the frames are in its cache and not in the back end's, as always. */
#include "load_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RX     0U
#define TX     1U
#define FRAMES RING_SIZE
#define FIRST  32U /* frames that come before the clock starts: one burst of a back end */

#define NET_HEADER 12U
#define ROOM       2048U /* of a receive buffer */
#define F_MRG      (1ULL << 15)

#define ETHERTYPE_AT 12U
#define SERIAL_AT    16U
#define PAYLOAD_AT   24U

enum what { RECEIVE, TRANSMIT, FORWARD };

struct net {
    uint64_t sent;   /* serial number of the next frame to the back end */
    uint64_t wanted; /* of the next one from it */
    bool counting;   /* the back end numbers its frames: known after the first */
    uint32_t len[FRAMES];
    uint16_t id[FRAMES];
};

static enum what net_what;
static uint32_t net_size;

/* ---- frames ---- */

static uint64_t frame_gpa(uint32_t queue, uint32_t i)
{
    return LOAD_GUEST + LOAD_QUEUES * RING_AREA + ((uint64_t)queue * FRAMES + i) * LOAD_STRIDE;
}

static uint8_t *frame_bytes(const struct side *side, uint32_t queue, uint32_t i)
{
    return side->front.mem + (frame_gpa(queue, i) - LOAD_GUEST);
}

/* Payload byte i of frame `serial` is a byte of this word: no two neighbours are alike. */
static uint64_t frame_word(uint64_t serial, uint32_t i)
{
    return (serial + 1U) * 0x9e3779b97f4a7c15ULL + i * 0x0101010101010101ULL;
}

static void frame_write(uint8_t *frame, uint64_t serial)
{
    static const uint8_t head[SERIAL_AT] = {0x02, 1, 2, 3, 4, 5, 0x02, 1, 2, 3, 4, 6, 0x88, 0xb5};
    uint32_t at = PAYLOAD_AT;

    memcpy(frame, head, sizeof head);
    memcpy(frame + SERIAL_AT, &serial, sizeof serial);
    for (; at + 8U <= net_size; at += 8U) {
        const uint64_t word = frame_word(serial, at);
        memcpy(frame + at, &word, sizeof word);
    }
    const uint64_t last = frame_word(serial, at);
    memcpy(frame + at, &last, net_size - at);
}

static void frame_check(const struct side *side, const uint8_t *frame, uint64_t serial)
{
    uint64_t bad = 0;
    uint64_t got = 0;
    uint32_t at = PAYLOAD_AT;

    memcpy(&got, frame + SERIAL_AT, sizeof got);
    if (got != serial) {
        load_fail(side, "a frame is lost, doubled or out of order: wanted the serial number",
                  serial);
    }
    for (; at + 8U <= net_size; at += 8U) {
        memcpy(&got, frame + at, sizeof got);
        bad |= got ^ frame_word(serial, at);
    }
    const uint64_t last = frame_word(serial, at);
    if (bad != 0U || memcmp(frame + at, &last, net_size - at) != 0) {
        load_fail(side, "wrong contents in the frame with the serial number", serial);
    }
}

/* ---- frames that the back end makes: an IPv4 header with a good sum, or numbered ones ---- */

static bool ipv4_is_good(const uint8_t *header)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < 20U; i += 2U) {
        sum += (uint32_t)header[i] << 8 | header[i + 1U];
    }
    sum = (sum & 0xffffU) + (sum >> 16);
    return (header[0] >> 4) == 4U && (sum & 0xffffU) + (sum >> 16) == 0xffffU;
}

static void made_check(const struct side *side, struct net *net, const uint8_t *frame)
{
    const uint32_t type = (uint32_t)frame[ETHERTYPE_AT] << 8 | frame[ETHERTYPE_AT + 1U];
    uint64_t serial = 0;

    if (type == 0x0800U && ipv4_is_good(frame + 14)) {
        return;
    }
    if (type != 0x88b5U) {
        load_fail(side, "the back end made an unknown frame, EtherType", type);
    }
    memcpy(&serial, frame + SERIAL_AT, sizeof serial);
    if (net->counting && serial != net->wanted) {
        load_fail(side, "a frame is lost or doubled: wanted the serial number", net->wanted);
    }
    net->counting = true;
    net->wanted = serial + 1U;
}

/* ---- a burst ---- */

static void post(struct side *side, uint32_t queue)
{
    struct net *net = side->load;
    const uint32_t len = queue == RX ? ROOM : NET_HEADER + net_size;

    for (uint32_t i = 0; i < FRAMES; i++) {
        const uint64_t gpa = frame_gpa(queue, i);

        if (queue == TX) {
            uint8_t *bytes = frame_bytes(side, TX, i);
            memset(bytes, 0, NET_HEADER);
            frame_write(bytes + NET_HEADER, net->sent++);
        }
        bench_ring_add_as(&side->ring[queue], (uint16_t)i, &gpa, &len, 1, queue == TX, false);
    }
}

/* Take `count` more frames back. */
static void collect(struct side *side, uint32_t queue, uint32_t from, uint32_t to)
{
    struct net *net = side->load;
    uint32_t tries = 0;

    while (from < to) {
        if (bench_ring_take(&side->ring[queue], 1, &net->id[from], &net->len[from])) {
            from++;
            side->polls++;
        } else {
            load_wait(side, queue, &tries);
        }
    }
}

/* Nanoseconds per frame from the first ones to the last. */
static double timed_collect(struct side *side, uint32_t queue)
{
    collect(side, queue, 0, FIRST);
    const double start = load_now_ns();
    collect(side, queue, FIRST, FRAMES);
    return (load_now_ns() - start) / (FRAMES - FIRST);
}

static void check_received(struct side *side)
{
    struct net *net = side->load;

    for (uint32_t i = 0; i < FRAMES; i++) {
        const uint8_t *bytes = frame_bytes(side, RX, net->id[i]) + NET_HEADER;

        if (net->len[i] != NET_HEADER + net_size) {
            load_fail(side, "a frame has the wrong length", net->len[i]);
        }
        if (net_what == FORWARD) {
            frame_check(side, bytes, net->wanted++);
        } else {
            made_check(side, net, bytes);
        }
    }
}

static double burst(struct side *side)
{
    double ns = 0;

    if (net_what != TRANSMIT) {
        post(side, RX);
    }
    if (net_what != RECEIVE) {
        post(side, TX);
    }
    for (uint32_t q = net_what == TRANSMIT ? TX : RX; q < (net_what == RECEIVE ? 1U : 2U); q++) {
        bench_ring_publish(&side->ring[q]);
        load_kick(side, q);
    }
    ns = timed_collect(side, net_what == TRANSMIT ? TX : RX);
    if (net_what != TRANSMIT) {
        check_received(side);
    }
    if (net_what == FORWARD) {
        collect(side, TX, 0, FRAMES);
    }
    side->done += FRAMES;
    return ns;
}

/* ---- the load ---- */

static void net_start(struct side *side)
{
    side->load = calloc(1, sizeof(struct net));
    if (side->load == NULL) {
        load_fail(side, "no memory", sizeof(struct net));
    }
}

static void net_window(struct side *side, double until_ns)
{
    while (load_now_ns() < until_ns) {
        load_span(side, burst(side));
    }
}

const struct load *load_net(const char *what, uint32_t size, bool mergeable)
{
    static const char *const names[] = {"receive", "transmit", "forward"};
    static struct load load = {.queues = 2,
                               .memory = (uint64_t)LOAD_QUEUES * FRAMES * LOAD_STRIDE,
                               .start = net_start,
                               .window = net_window};
    uint32_t i = 0;

    while (i < 3U && strcmp(names[i], what) != 0) {
        i++;
    }
    if (i == 3U || size < 64U || size > 1518U) {
        load_fail(NULL, "the load is receive, transmit or forward of 64 to 1518 bytes, not", size);
    }
    net_what = (enum what)i;
    net_size = size;
    load.features = mergeable ? F_MRG : 0U;
    return &load;
}
