/* SPDX-License-Identifier: BSD-3-Clause */
/* Attacks on virtqueues: a driver that sets a device up correctly, then posts what must not be. Each attack
 * starts with a reset, because the one before latched the queue. */
#include "hostile.h"

#define REG_DRIVER_FEATURES 0x020U
#define REG_DRIVER_SELECT   0x024U
#define REG_QUEUE_SELECT    0x030U
#define REG_QUEUE_SIZE      0x038U
#define REG_QUEUE_READY     0x044U
#define REG_QUEUE_NOTIFY    0x050U
#define REG_STATUS          0x070U
#define REG_DESC            0x080U
#define REG_DRIVER          0x090U
#define REG_DEVICE          0x0a0U

#define STATUS_UP    3U
#define STATUS_READY 11U
#define STATUS_LIVE  15U

#define F_INDIRECT    (1U << 28)
#define F_VERSION_1   1U
#define F_PLATFORM    2U /* ACCESS_PLATFORM: the devices are behind a bounce window */
#define DESC_NEXT     1U
#define DESC_WRITE    2U
#define DESC_INDIRECT 4U

#define SIZE      16U
#define NET_HEAD  12U
#define FRAME_LEN 60U

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

struct avail {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[SIZE];
};

struct ring {
    _Alignas(4096) volatile struct desc desc[SIZE];
    volatile struct avail avail;
    _Alignas(4096) volatile uint8_t used[4096];
    _Alignas(4096) volatile struct desc indirect[SIZE];
    volatile uint8_t buffer[4096];
};

static struct ring ring __attribute__((section(".window")));

/* ---- a driver ---- */

static void queue_at(uint64_t device, uint32_t queue, uint64_t desc, uint64_t driver, uint64_t used)
{
    store32(device + REG_QUEUE_SELECT, queue);
    store32(device + REG_QUEUE_SIZE, SIZE);
    store32(device + REG_DESC, desc);
    store32(device + REG_DESC + 4U, desc >> 32);
    store32(device + REG_DRIVER, driver);
    store32(device + REG_DRIVER + 4U, driver >> 32);
    store32(device + REG_DEVICE, used);
    store32(device + REG_DEVICE + 4U, used >> 32);
    store32(device + REG_QUEUE_READY, 1U);
}

static void negotiate(uint64_t device)
{
    store32(device + REG_STATUS, 0U);
    store32(device + REG_STATUS, STATUS_UP);
    store32(device + REG_DRIVER_SELECT, 0U);
    store32(device + REG_DRIVER_FEATURES, F_INDIRECT);
    store32(device + REG_DRIVER_SELECT, 1U);
    store32(device + REG_DRIVER_FEATURES, F_VERSION_1 | F_PLATFORM);
    store32(device + REG_STATUS, STATUS_READY);
}

/* The device live, with our ring as its queue `queue`. */
static void up(uint64_t device, uint32_t queue)
{
    negotiate(device);
    ring.avail.flags = 0;
    ring.avail.idx = 0;
    queue_at(device, queue, (uintptr_t)ring.desc, (uintptr_t)&ring.avail, (uintptr_t)ring.used);
    store32(device + REG_STATUS, STATUS_LIVE);
}

static void describe(uint32_t at, uint64_t addr, uint32_t len, uint32_t flags, uint32_t next)
{
    ring.desc[at].addr = addr;
    ring.desc[at].len = len;
    ring.desc[at].flags = (uint16_t)flags;
    ring.desc[at].next = (uint16_t)next;
}

static void post(uint64_t device, uint32_t queue, uint32_t head)
{
    ring.avail.ring[ring.avail.idx % SIZE] = (uint16_t)head;
    __asm__ volatile("dmb sy" ::: "memory");
    ring.avail.idx++;
    store32(device + REG_QUEUE_NOTIFY, queue);
}

static uint64_t device_of(uint32_t n)
{
    return VIRTIO + (uint64_t)(n % DEVICES) * WINDOW;
}

/* A queue that every device has and that takes buffers from the driver. */
static uint32_t queue_of(uint64_t device)
{
    return device == NETWORK || device == CONSOLE ? 1U : 0U;
}

/* Post chain 0 to each device. */
static void post_to_all(void)
{
    for (uint32_t n = 0; n < DEVICES; n++) {
        up(device_of(n), queue_of(device_of(n)));
        post(device_of(n), queue_of(device_of(n)), 0U);
    }
}

/* ---- rings and descriptors ---- */

static void rings_elsewhere(void)
{
    for (size_t i = 0; i < bad_address_count; i++) {
        for (uint32_t part = 0; part < 3U; part++) {
            const uint64_t good[] = {(uintptr_t)ring.desc, (uintptr_t)&ring.avail,
                                     (uintptr_t)ring.used};
            const uint64_t bad = bad_addresses[i];
            const uint64_t device = device_of((uint32_t)i);

            negotiate(device);
            queue_at(device, 0U, part == 0U ? bad : good[0], part == 1U ? bad : good[1],
                     part == 2U ? bad : good[2]);
            store32(device + REG_STATUS, STATUS_LIVE);
            post(device, 0U, 0U);
        }
    }
}

static void buffers_elsewhere(void)
{
    for (size_t i = 0; i < bad_address_count; i++) {
        describe(0, bad_addresses[i], 4096U, i % 2U == 0U ? 0U : DESC_WRITE, 0U);
        post_to_all();
    }
}

static void buffers_too_long(void)
{
    static const uint64_t lengths[] = {0, 0x1000000U, 0x7fffffffU, 0x80000000U, 0xffffffffU};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        describe(0, (uintptr_t)ring.buffer, (uint32_t)lengths[i], 0U, 0U);
        post_to_all();
    }
}

static void chain_loops(void)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        describe(i, (uintptr_t)ring.buffer, 16U, DESC_NEXT, i + 1U);
    }
    describe(SIZE - 1U, (uintptr_t)ring.buffer, 16U, DESC_NEXT, 0U);
    post_to_all();
    describe(0, (uintptr_t)ring.buffer, 16U, DESC_NEXT, 0U);
    post_to_all();
}

static void chain_leaves_the_table(void)
{
    static const uint64_t nexts[] = {SIZE, SIZE + 1U, 0x7fffU, 0x8000U, 0xffffU};

    for (size_t i = 0; i < sizeof nexts / sizeof nexts[0]; i++) {
        describe(0, (uintptr_t)ring.buffer, 16U, DESC_NEXT, (uint32_t)nexts[i]);
        post_to_all();
    }
}

static void heads_that_do_not_exist(void)
{
    describe(0, (uintptr_t)ring.buffer, 16U, 0U, 0U);
    for (uint32_t n = 0; n < DEVICES; n++) {
        up(device_of(n), queue_of(device_of(n)));
        post(device_of(n), queue_of(device_of(n)), SIZE + n * 13107U);
    }
}

static void index_jumps(void)
{
    describe(0, (uintptr_t)ring.buffer, 16U, 0U, 0U);
    for (uint32_t jump = SIZE + 1U; jump < 0x10000U; jump = jump * 3U) {
        up(device_of(jump), queue_of(device_of(jump)));
        ring.avail.idx = (uint16_t)jump;
        store32(device_of(jump) + REG_QUEUE_NOTIFY, queue_of(device_of(jump)));
    }
}

static void writable_before_readable(void)
{
    describe(0, (uintptr_t)ring.buffer, 16U, DESC_NEXT | DESC_WRITE, 1U);
    describe(1, (uintptr_t)ring.buffer, 16U, 0U, 0U);
    post_to_all();
}

static void indirect_tables(void)
{
    static const uint64_t lengths[] = {0, 1, 15, 17, sizeof ring.indirect, 0x100000U, 0xfffffff0U};

    for (uint32_t i = 0; i < SIZE; i++) {
        ring.indirect[i] =
            (struct desc){(uintptr_t)ring.indirect, 256U,
                          DESC_NEXT | (i % 2U == 0U ? DESC_INDIRECT : 0U), (uint16_t)(i + 1U)};
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        describe(0, (uintptr_t)ring.indirect, (uint32_t)lengths[i], DESC_INDIRECT, 0U);
        post_to_all();
        describe(0, (uintptr_t)ring.indirect, (uint32_t)lengths[i], DESC_INDIRECT | DESC_NEXT, 1U);
        post_to_all();
        describe(0, choose(bad_addresses, bad_address_count), 256U, DESC_INDIRECT, 0U);
        post_to_all();
    }
}

/* ---- requests ---- */

/* A disk request of `type` at `sector`, its parts by chance too short. */
static void disk_requests(void)
{
    volatile uint32_t *head = (volatile uint32_t *)ring.buffer;

    for (uint32_t type = 0; type < 40U; type++) {
        const uint64_t sector = choose(bad_addresses, bad_address_count);

        up(DISK, 0U);
        head[0] = type;
        head[2] = (uint32_t)sector;
        head[3] = (uint32_t)(sector >> 32);
        describe(0, (uintptr_t)ring.buffer, chance() % 4U == 0U ? 7U : 16U, DESC_NEXT, 1U);
        describe(1, (uintptr_t)ring.buffer + 512U, (uint32_t)(chance() % 2048U) + 1U,
                 DESC_NEXT | (type % 2U == 0U ? DESC_WRITE : 0U), 2U);
        describe(2, (uintptr_t)ring.buffer + 4000U, 1U, type % 5U == 4U ? 0U : DESC_WRITE, 0U);
        post(DISK, 0U, 0U);
    }
}

/* A frame with this source and, unless 0, this VLAN tag, to everybody. */
static void frame(const uint8_t source[6], uint32_t vlan)
{
    volatile uint8_t *at = &ring.buffer[NET_HEAD];

    for (uint32_t i = 0; i < NET_HEAD; i++) {
        ring.buffer[i] = 0;
    }
    for (uint32_t i = 0; i < 6U; i++) {
        at[i] = 0xff;
        at[6U + i] = source[i];
    }
    at[12] = vlan != 0U ? 0x81 : 0x08;
    at[13] = 0x00;
    at[14] = (uint8_t)(vlan >> 8);
    at[15] = (uint8_t)vlan;
}

/* Pretending to be the others, and in their network; and as much as it takes of its own. */
static void network_frames(void)
{
    static const uint8_t sources[][6] = {{2, 0x61, 0x76, 0x70, 0x73, 1},
                                         {2, 0x61, 0x76, 0x70, 0x73, 2},
                                         {2, 0x61, 0x76, 0x70, 0x73, 3},
                                         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    static const uint32_t vlans[] = {0, 10, 20, 4095};

    up(NETWORK, 1U);
    for (uint32_t i = 0; i < 1600U; i++) {
        frame(sources[i % 4U], vlans[i / 4U % 4U]);
        describe(0, (uintptr_t)ring.buffer, NET_HEAD + FRAME_LEN, 0U, 0U);
        post(NETWORK, 1U, 0U);
    }
}

static void network_headers(void)
{
    for (uint32_t len = 0; len < 40U; len++) {
        up(NETWORK, 1U);
        for (uint32_t i = 0; i < NET_HEAD; i++) {
            ring.buffer[i] = (uint8_t)chance();
        }
        describe(0, (uintptr_t)ring.buffer, len, 0U, 0U);
        post(NETWORK, 1U, 0U);
    }
}

/* As many bytes to the terminal as it takes. */
static void console_flood(void)
{
    for (uint32_t i = 0; i < sizeof ring.buffer; i++) {
        ring.buffer[i] = i % 80U == 79U ? '\n' : (uint8_t)('!' + i % 80U);
    }
    up(CONSOLE, 1U);
    for (uint32_t i = 0; i < 32U; i++) {
        describe(0, (uintptr_t)ring.buffer, sizeof ring.buffer, 0U, 0U);
        post(CONSOLE, 1U, 0U);
    }
}

static void entropy_requests(void)
{
    describe(0, (uintptr_t)ring.buffer, 4096U, 0U, 0U); /* nothing to write to */
    for (uint32_t i = 0; i < 40U; i++) {
        up(ENTROPY, 0U);
        post(ENTROPY, 0U, 0U);
        describe(0, (uintptr_t)ring.buffer, 4096U, DESC_WRITE, 0U);
    }
}

/* ---- races: the second CPU changes what the device is reading ---- */

static void flip(void)
{
    const uint32_t at = (uint32_t)(chance() % SIZE);

    describe(
        at, chance() % 2U == 0U ? (uintptr_t)ring.buffer : choose(bad_addresses, bad_address_count),
        (uint32_t)chance() % 8192U, (uint32_t)chance() % 8U, (uint32_t)chance() % (SIZE + 2U));
    ring.avail.ring[at] = (uint16_t)(chance() % (SIZE + 2U));
}

static void double_fetches(void)
{
    second(flip);
    for (uint32_t i = 0; i < 120U; i++) {
        const uint64_t device = device_of(i);

        up(device, queue_of(device));
        for (uint32_t n = 0; n < 8U; n++) {
            post(device, queue_of(device), n);
        }
    }
}

static void doorbell_storm(void)
{
    for (uint32_t n = 0; n < DEVICES; n++) {
        up(device_of(n), queue_of(device_of(n)));
    }
    for (uint32_t i = 0; i < 5000U; i++) {
        store32(device_of(i) + REG_QUEUE_NOTIFY, i % 3U == 0U ? i : queue_of(device_of(i)));
    }
}

const struct attack ring_attacks[] = {
    {"rings elsewhere", rings_elsewhere},
    {"buffers elsewhere", buffers_elsewhere},
    {"buffers too long", buffers_too_long},
    {"chain loops", chain_loops},
    {"chain leaves the table", chain_leaves_the_table},
    {"heads that do not exist", heads_that_do_not_exist},
    {"index jumps", index_jumps},
    {"writable before readable", writable_before_readable},
    {"indirect tables", indirect_tables},
    {"disk requests", disk_requests},
    {"network frames", network_frames},
    {"network headers", network_headers},
    {"console flood", console_flood},
    {"entropy requests", entropy_requests},
    {"double fetches", double_fetches},
    {"doorbell storm", doorbell_storm},
};
const size_t ring_attack_count = sizeof ring_attacks / sizeof ring_attacks[0];
