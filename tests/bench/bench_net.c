/* SPDX-License-Identifier: BSD-3-Clause */
/* Network bursts against DPDK's vhost library, in one process on one core. Windows come in fours,
 * A B B A; the calmest tenth of the fours counts: the means of its As and of its Bs, less what reading
 * the clock takes, and their ratio. So both sides are seen in the same quiet moments, and a change of
 * the machine's speed during the run changes no ratio. Equal work: both take 32 frames by copy into
 * buffers of a pool and give the buffers back, or copy 32 prepared frames into the guest's buffers;
 * every frame's length and the contents are checked outside the measured time.
 * usage: bench_net [SOCKET-FOLDER] | bench_net --names | bench_net ROUNDS CASE   (the library alone:
 * for callgrind) */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "avps/mmio.h"
#include "avps/net.h"
#include "peer_dpdk.h"
#include "ring.h"
#include "vhost_front.h"

#define BURST   32U
#define FOURS   600U
#define ROUNDS  32U
#define BUFFER  2048U
#define STRIDE  2368U /* of buffers in a pool: ours, the peer's and the driver's */
#define HEADER  12U
#define GUEST   0x40000000ULL
#define BUFFERS (2U * RING_AREA)
#define MEMORY  (BUFFERS + 2U * RING_SIZE * STRIDE)
#define RX      0U
#define TX      1U

struct side {
    struct vhost_front front; /* memory, and for the peer the connection */
    struct bench_ring ring[2];
    int vid;
};

static struct side avps_side;
static struct side dpdk_side;
static struct avps_net net;
static struct avps_net_pair pair;
static struct avps_queue queues[3];
static struct avps_mmio mmio;
static struct avps_mem_region region;
static struct avps_mem memory;
static uint8_t payload[BUFFER];
static uint32_t payload_len;
static struct avps_net_frame frames[BURST];
static uint64_t total_bytes;

static void fail(const char *what)
{
    fprintf(stderr, "bench_net: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- the library's side ---- */

static void no_level(void *ctx, uint32_t line, bool high)
{
    (void)ctx;
    (void)line;
    (void)high;
}

static const struct avps_irq_ops irq_ops = {.set_level = no_level};
static const struct avps_net_ops net_ops = {.rx_ready = NULL};

static void reg(uint32_t offset, uint32_t value)
{
    avps_mmio_write(&mmio, offset, 4, value);
}

static void avps_start_queue(uint32_t queue)
{
    const uint32_t at = (uint32_t)GUEST + queue * RING_AREA;

    reg(0x030, queue);
    reg(0x038, RING_SIZE);
    reg(0x080, at + RING_DESC);
    reg(0x090, at + RING_DRIVER);
    reg(0x0a0, at + RING_DEVICE);
    reg(0x044, 1);
}

static void avps_start(bool packed)
{
    struct vhost_front *front = &avps_side.front;

    region = (struct avps_mem_region){GUEST, MEMORY, front->mem, AVPS_ACCESS_RW};
    if (avps_mem_init_regions(&memory, &region, 1, NULL, NULL) != AVPS_OK) {
        fail("regions refused");
    }
    const struct avps_net_config config = {
        .base = {.mem = &memory, .queues = queues, .queue_count = 3, .queue_size_max = RING_SIZE},
        .ops = &net_ops,
        .pairs = &pair,
        .pair_count = 1};
    const struct avps_mmio_config transport = {.device = &net.base, .irq = &irq_ops};
    if (avps_net_init(&net, &config) != AVPS_OK || avps_mmio_init(&mmio, &transport) != AVPS_OK) {
        fail("device refused");
    }
    reg(0x070, 3);
    reg(0x024, 1);
    reg(0x020, packed ? 5U : 1U);
    reg(0x070, 11);
    avps_start_queue(RX);
    avps_start_queue(TX);
    reg(0x070, 15);
    if (avps_device_status(&net.base) != 15U) {
        fail("device did not start");
    }
}

/* A pool of frame buffers like the peer's, with a stack of free ones. */
static _Alignas(64) uint8_t pool_memory[1024][STRIDE];
static uint8_t *pool_free[1024];
static uint32_t pool_count;

static void pool_init(void)
{
    for (pool_count = 0; pool_count < 1024U; pool_count++) {
        pool_free[pool_count] = pool_memory[pool_count];
    }
}

static bool checking;

static __attribute__((noinline)) void avps_dequeue(void)
{
    const struct avps_net_packet *packets = NULL;
    uint8_t *taken[BURST];
    uint32_t n = 0;

    if (avps_net_tx_burst(&net, 0, BURST, &packets, &n) != AVPS_OK || n != BURST) {
        fail("frames are missing");
    }
    for (uint32_t i = 0; i < n; i++) {
        taken[i] = pool_free[--pool_count];
        if (avps_net_packet_copy(&packets[i], 0, taken[i], packets[i].len) != AVPS_OK) {
            fail("copy");
        }
        total_bytes += packets[i].len;
        if (checking &&
            (packets[i].len != payload_len || memcmp(taken[i], payload, payload_len) != 0)) {
            fail("wrong contents");
        }
    }
    if (avps_net_tx_done(&net, 0, n) != AVPS_OK) {
        fail("done");
    }
    for (uint32_t i = 0; i < n; i++) {
        pool_free[pool_count++] = taken[i];
    }
}

static __attribute__((noinline)) void avps_enqueue(void)
{
    uint32_t n = 0;

    if (avps_net_rx_burst(&net, 0, frames, BURST, &n) != AVPS_OK || n != BURST) {
        fail("frames were not taken");
    }
}

/* ---- the peer's side ---- */

static void dpdk_start(const char *folder, bool packed)
{
    static unsigned int serial;
    char path[200];
    struct vhost_front_queue areas[2] = {{RING_DESC, RING_DRIVER, RING_DEVICE, RING_SIZE, -1, -1},
                                         {RING_AREA + RING_DESC, RING_AREA + RING_DRIVER,
                                          RING_AREA + RING_DEVICE, RING_SIZE, -1, -1}};

    (void)snprintf(path, sizeof path, "%s/bench-%d-%u.sock", folder, (int)getpid(), serial++);
    peer_dpdk_listen(path);
    vhost_front_start(&dpdk_side.front, path, VHOST_F_VERSION_1 | (packed ? VHOST_F_PACKED : 0U),
                      areas, 2);
    dpdk_side.vid = peer_dpdk_wait();
}

static __attribute__((noinline)) void dpdk_dequeue(void)
{
    if (peer_dpdk_dequeue(dpdk_side.vid, BURST, &total_bytes) != BURST) {
        fail("the peer misses frames");
    }
}

static __attribute__((noinline)) void dpdk_enqueue(void)
{
    if (peer_dpdk_enqueue(dpdk_side.vid, BURST) != BURST) {
        fail("the peer did not take frames");
    }
}

/* ---- the driver, the same for both ---- */

static uint64_t buffer_gpa(uint32_t queue, uint32_t i)
{
    return GUEST + BUFFERS + ((uint64_t)queue * RING_SIZE + i) * STRIDE;
}

static void driver_fill(struct side *side, uint32_t queue)
{
    const uint32_t len = queue == TX ? HEADER + payload_len : BUFFER;

    for (uint32_t i = 0; i < BURST; i++) {
        const uint64_t gpa = buffer_gpa(queue, i);
        uint8_t *bytes = side->front.mem + (gpa - GUEST);

        memset(bytes, 0, HEADER);
        if (queue == TX) {
            memcpy(bytes + HEADER, payload, payload_len);
        }
        bench_ring_add(&side->ring[queue], &gpa, &len, 1, queue == TX ? 1U : 0U, false);
    }
    bench_ring_publish(&side->ring[queue]);
}

static void driver_reap(struct side *side, uint32_t queue)
{
    uint32_t len = 0;

    for (uint32_t i = 0; i < BURST; i++) {
        if (!bench_ring_reap(&side->ring[queue], 1, &len)) {
            fail("a buffer did not come back");
        }
        if (queue == RX && (len != HEADER + payload_len ||
                            memcmp(side->front.mem + (buffer_gpa(queue, i) - GUEST) + HEADER,
                                   payload, payload_len) != 0)) {
            fail("the guest got wrong contents");
        }
    }
}

static double window(struct side *side, uint32_t queue, void (*burst)(void))
{
    double total = 0;

    for (uint32_t r = 0; r < ROUNDS; r++) {
        driver_fill(side, queue);
        const double start = now_ns();
        burst();
        total += now_ns() - start;
        driver_reap(side, queue);
    }
    return total / ROUNDS / BURST;
}

/* A burst of nothing: what is left is the clock. */
static __attribute__((noinline)) void no_burst(void)
{
    __asm__ volatile("");
}

static double clock_window(void)
{
    double total = 0;

    for (uint32_t r = 0; r < ROUNDS; r++) {
        const double start = now_ns();
        no_burst();
        total += now_ns() - start;
    }
    return total / ROUNDS / BURST;
}

/* Nanoseconds per frame in one four: A, B, clock. */
struct four {
    double ours;
    double theirs;
    double clock;
};

static int compare(const void *a, const void *b)
{
    const struct four *x = a;
    const struct four *y = b;
    const double all_x = x->ours + x->theirs;
    const double all_y = y->ours + y->theirs;

    return (all_x > all_y) - (all_x < all_y);
}

static struct four measure_four(uint32_t queue, void (*ours)(void), void (*theirs)(void))
{
    struct four four;

    four.ours = window(&avps_side, queue, ours);
    four.theirs = window(&dpdk_side, queue, theirs);
    four.theirs += window(&dpdk_side, queue, theirs);
    four.ours += window(&avps_side, queue, ours);
    four.clock = clock_window() + clock_window();
    return four;
}

static void measure(const char *what, const char *ring, uint32_t queue, void (*ours)(void),
                    void (*theirs)(void))
{
    static struct four fours[FOURS];
    struct four sum = {0, 0, 0};

    checking = true;
    peer_dpdk_expect(payload, payload_len);
    (void)measure_four(queue, ours, theirs);
    checking = false;
    peer_dpdk_expect(payload, 0);
    for (uint32_t i = 0; i < FOURS; i++) {
        fours[i] = measure_four(queue, ours, theirs);
    }
    qsort(fours, FOURS, sizeof fours[0], compare);
    for (uint32_t i = 0; i < FOURS / 10U; i++) {
        sum.ours += fours[i].ours - fours[i].clock;
        sum.theirs += fours[i].theirs - fours[i].clock;
    }
    const double windows = 2.0 * (FOURS / 10U);
    printf("| %-7s | %-6s | %4u | %5.1f | %5.1f | %4.2f |\n", what, ring, payload_len,
           sum.ours / windows, sum.theirs / windows, sum.theirs / sum.ours);
}

static void start_rings(struct side *side, bool packed)
{
    for (uint32_t q = 0; q < 2U; q++) {
        bench_ring_init(&side->ring[q], side->front.mem + q * RING_AREA, GUEST + q * RING_AREA,
                        packed);
    }
}

static void make_payload(uint32_t len)
{
    payload_len = len;
    for (uint32_t i = 0; i < len; i++) {
        payload[i] = (uint8_t)(i * 7U + len);
    }
    payload[0] = 0x02;  /* a unicast address */
    payload[12] = 0x88; /* an experimental EtherType */
    payload[13] = 0xb5;
    for (uint32_t i = 0; i < BURST; i++) {
        frames[i] = (struct avps_net_frame){.data = payload, .data_len = len};
    }
}

static const uint32_t sizes[] = {64, 1518};

/* For callgrind: cases of the library alone. Frames of 64 bytes are copied without libc, so that the
 * count does not depend on the CPU. */
static const char *const names[] = {"net dequeue 64, split", "net enqueue 64, split",
                                    "net dequeue 64, packed", "net enqueue 64, packed"};

static void run_ours(uint32_t rounds, uint32_t index)
{
    const uint32_t queue = (index & 1U) != 0U ? RX : TX;
    const bool packed = (index & 2U) != 0U;

    start_rings(&avps_side, packed);
    avps_start(packed);
    make_payload(sizes[0]);
    for (uint32_t r = 0; r < rounds; r++) {
        driver_fill(&avps_side, queue);
        if (queue == TX) {
            avps_dequeue();
        } else {
            avps_enqueue();
        }
        driver_reap(&avps_side, queue);
    }
}

static void run_ring(const char *folder, bool packed)
{
    const char *name = packed ? "packed" : "split";

    start_rings(&avps_side, packed);
    start_rings(&dpdk_side, packed);
    avps_start(packed);
    dpdk_start(folder, packed);
    for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        make_payload(sizes[s]);
        peer_dpdk_prepare(payload, payload_len, BURST);
        measure("dequeue", name, TX, avps_dequeue, dpdk_dequeue);
        measure("enqueue", name, RX, avps_enqueue, dpdk_enqueue);
    }
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/tmp";

    if (strcmp(folder, "--names") == 0) {
        for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            puts(names[i]);
        }
        return 0;
    }
    pool_init();
    vhost_front_memory(&avps_side.front, GUEST, MEMORY);
    if (argc == 3) {
        run_ours((uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]));
        return total_bytes == 0U && avps_net_counters(&net, 0)->rx_packets == 0U;
    }
    peer_dpdk_init();
    vhost_front_memory(&dpdk_side.front, GUEST, MEMORY);
    printf("| burst   | ring   | size | libavps ns | dpdk ns | ratio |\n");
    printf("|---|---|---|---|---|---|\n");
    run_ring(folder, false);
    run_ring(folder, true);
    return total_bytes == 0U;
}
