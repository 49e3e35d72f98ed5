/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages: layouts -> questions and acknowledgements -> memory -> sockets -> everything that a bad
 * front end can send: the connection is closed with one line, or the message is refused, and no
 * descriptor leaks. */
#include "front.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../../port/vhost-user/protocol.h"

static struct front f;

static void open_new(enum front_device device)
{
    front_open(&f, &(struct front_options){.device = device});
}

#define ALL_PROTOCOL                                                                               \
    ((uint64_t)P_MQ | P_LOG_SHMFD | P_REPLY_ACK | P_BACKEND_REQ | P_CONFIG | P_INFLIGHT |          \
     P_RESET_DEVICE | P_MEM_SLOTS | P_STATUS | P_DEVICE_STATE)

static void open_negotiated(void)
{
    open_new(FRONT_BLK);
    front_negotiate(&f, ALL_PROTOCOL, FRONT_BASIC | FRONT_PROTOCOL);
}

/* ---- layouts ---- */

static void test_messages_have_the_documented_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct vu_header), 12);
    assert_int_equal(sizeof(struct vu_vring_state), 8);
    assert_int_equal(sizeof(struct vu_vring_addr), 40);
    assert_int_equal(offsetof(struct vu_vring_addr, used), 16);
    assert_int_equal(offsetof(struct vu_vring_addr, available), 24);
    assert_int_equal(offsetof(struct vu_vring_addr, log), 32);
    assert_int_equal(sizeof(struct vu_region), 32);
    assert_int_equal(offsetof(struct vu_mem_table, regions), 8);
    assert_int_equal(sizeof(struct vu_mem_table), 264);
    assert_int_equal(sizeof(struct vu_single_region), 40);
    assert_int_equal(sizeof(struct vu_log_area), 16);
    assert_int_equal(sizeof(struct vu_iotlb_msg), 32);
    assert_int_equal(offsetof(struct vu_iotlb_msg, perm), 24);
    assert_int_equal(offsetof(struct vu_iotlb_msg, type), 25);
    assert_int_equal(sizeof(struct vu_config_head), 12);
    assert_int_equal(sizeof(struct vu_inflight_msg), 24);
    assert_int_equal(offsetof(struct vu_inflight_msg, queue_size), 18);
    assert_int_equal(sizeof(struct vu_transfer_msg), 8);
}

/* ---- questions ---- */

static void test_messages_say_what_is_offered(void **state)
{
    (void)state;
    open_new(FRONT_BLK);
    const uint64_t features = front_ask(&f, F_GET_FEATURES);

    assert_int_equal(features & (FRONT_BASIC | FRONT_PACKED | FRONT_PROTOCOL | FRONT_LOG_ALL),
                     FRONT_BASIC | FRONT_PACKED | FRONT_PROTOCOL | FRONT_LOG_ALL);
    assert_int_equal(features & FRONT_IOMMU, 0);
    assert_int_equal(front_ask(&f, F_GET_PROTOCOL_FEATURES), ALL_PROTOCOL | P_INBAND);
    front_close(&f);
    open_new(FRONT_RNG); /* no configuration space */
    assert_int_equal(front_ask(&f, F_GET_PROTOCOL_FEATURES),
                     (ALL_PROTOCOL | P_INBAND) & ~(uint64_t)P_CONFIG);
    front_close(&f);
}

static void test_messages_answer_questions(void **state)
{
    (void)state;
    open_negotiated();
    struct front_message m;
    uint32_t config[3 + 64] = {0, 256, 0};

    assert_int_equal(front_ask(&f, F_GET_QUEUE_NUM), 2);
    assert_int_equal(front_ask(&f, F_GET_MAX_MEM_SLOTS), 128);
    assert_int_equal(front_ask(&f, F_GET_STATUS), 0);
    front_send(&f, F_GET_CONFIG, config, sizeof config, NULL, 0);
    front_expect_reply(&f, F_GET_CONFIG, &m);
    assert_int_equal(m.header.size, sizeof config);
    assert_int_equal(m.payload.u32[1], 256);
    assert_int_equal(le32toh(m.payload.u32[3]), FRONT_SECTORS); /* capacity */
    config[0] = 4;
    config[1] = 4;
    front_send(&f, F_GET_CONFIG, config, 16, NULL, 0);
    front_expect_reply(&f, F_GET_CONFIG, &m);
    assert_int_equal(m.header.size, 16);
    assert_int_equal(m.payload.u32[3], 0); /* its high half */
    front_close(&f);
}

/* A change reaches the front end over the back end's channel. */
static void test_messages_tell_a_change_of_configuration(void **state)
{
    (void)state;
    open_new(FRONT_BLK);
    front_start(&f, false, P_BACKEND_REQ);
    struct front_message m;

    front_backend_channel(&f);
    assert_int_equal(avps_blk_set_capacity(&f.back.blk, 100), AVPS_OK);
    assert_true(front_read(f.backend[0], &m));
    assert_int_equal(m.header.request, 2);
    assert_int_equal(m.header.flags, FRONT_VERSION);
    assert_int_equal(m.header.size, 0);
    assert_false(front_read(f.backend[0], &m));
    front_close(&f);
}

/* The cache mode of a block device can be written; nothing else, and nothing outside. */
static void test_messages_write_configuration(void **state)
{
    (void)state;
    open_new(FRONT_BLK);
    front_negotiate(&f, ALL_PROTOCOL,
                    FRONT_BASIC | FRONT_PROTOCOL | UINT64_C(1) << 11 | UINT64_C(1) << 9);
    front_give_memory(&f);
    struct {
        uint32_t head[3];
        uint8_t value;
    } write = {{32, 1, 0}, 0};
    const uint32_t outside[4] = {252, 8, 0};

    assert_int_equal(front_ack(&f, F_SET_CONFIG, &write, 13, NULL, 0), 0);
    assert_false(avps_blk_is_writeback(&f.back.blk));
    write.value = 1;
    assert_int_equal(front_ack(&f, F_SET_CONFIG, &write, 13, NULL, 0), 0);
    assert_true(avps_blk_is_writeback(&f.back.blk));
    front_send(&f, F_SET_CONFIG, outside, sizeof outside, NULL, 0);
    assert_true(front_is_closed(&f));
    front_close(&f);
}

static void test_messages_reset_the_device(void **state)
{
    (void)state;
    open_new(FRONT_BLK);
    front_start(&f, false, P_RESET_DEVICE);
    front_round(&f);
    assert_int_equal(front_ack(&f, F_RESET_DEVICE, NULL, 0, NULL, 0), 0);
    assert_int_equal(avps_device_status(f.back.device), 0);
    front_send(&f, F_SET_FEATURES, &f.features, 8, NULL, 0);
    front_ring_new(&f, 0);
    front_ring_start(&f, 0);
    front_round(&f);
    assert_int_equal(f.back.errors, 0);
    front_close(&f);
}

static void test_messages_may_come_in_pieces(void **state)
{
    (void)state;
    open_new(FRONT_RNG);
    const struct front_header header = {F_GET_FEATURES, FRONT_VERSION, 0};
    const uint8_t *bytes = (const void *)&header;
    struct front_message m;

    for (size_t i = 0; i < sizeof header; i++) {
        assert_false(front_read(f.fd, &m));
        front_raw(&f, bytes + i, 1, NULL, 0);
        front_step(&f);
    }
    front_expect_reply(&f, F_GET_FEATURES, &m);
    front_close(&f);
}

/* ---- memory ---- */

/* Rings go on while memory is taken away and given back. */
static void test_messages_change_memory_under_running_rings(void **state)
{
    (void)state;
    open_new(FRONT_BLK);
    front_start(&f, test_is_packed(state), P_MEM_SLOTS);
    const uint64_t more[5] = {0, UINT64_C(0x200000000), 0x1000, UINT64_C(0x600000000000), 0};
    const uint64_t wrong[5] = {0, UINT64_C(0x200000000), 0x2000, UINT64_C(0x600000000000), 0};

    front_round(&f);
    assert_int_equal(front_ack(&f, F_ADD_MEM_REG, more, sizeof more, &f.memfd, 1), 0);
    front_round(&f);
    assert_int_equal(front_ack(&f, F_REM_MEM_REG, wrong, sizeof wrong, NULL, 0), 1);
    front_round(&f);
    assert_int_equal(front_ack(&f, F_REM_MEM_REG, more, sizeof more, &f.memfd, 1), 0);
    front_round(&f);
    front_give_memory(&f);
    front_round(&f);
    front_close(&f);
}

#ifndef __s390x__
/* A file that is cut short under its mapping: zeros, and the end of this connection alone. */
static void test_messages_survive_a_file_that_is_cut_short(void **state)
{
    (void)state;
    open_new(FRONT_BLK);
    front_start(&f, false, 0);
    const uint64_t one = 1;

    front_round(&f);
    assert_int_equal(ftruncate(f.memfd, 0), 0);
    assert_int_equal(write(f.kick[0], &one, sizeof one), sizeof one);
    front_step(&f);
    front_step(&f);
    assert_true(front_is_closed(&f));
    assert_non_null(strstr(f.back.line, "cut a file short"));
    assert_int_equal(f.back.disconnects, 1);
    assert_int_equal(ftruncate(f.memfd, FRONT_OFFSET + TEST_RAM_SIZE), 0);
    f.mem.buffer_count = 0; /* the canaries are gone with the file */
    front_close(&f);
}
#endif

/* ---- sockets ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)strncpy(address.sun_path, path, sizeof address.sun_path - 1U);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* One front end after the other over a listening socket; a stale socket is no obstacle. */
static void test_messages_front_ends_come_and_go(void **state)
{
    (void)state;
    char path[64];

    open_new(FRONT_BLK);
    (void)snprintf(path, sizeof path, "/tmp/avps-test-%d.sock", (int)getpid());
    (void)close(f.fd);
    f.fd = -1;
    front_step(&f);
    assert_int_equal(f.back.disconnects, 1);
    assert_int_equal(avps_vu_listen(f.back.vu, path), AVPS_OK);
    assert_int_equal(avps_vu_listen(f.back.vu, path), AVPS_E_STATE);
    for (unsigned int i = 0; i < 3U; i++) {
        f.fd = connect_to(path);
        front_step(&f);
        front_start(&f, i % 2U == 1U, 0);
        front_round(&f);
        assert_int_equal(close(f.fd), 0);
        f.fd = -1;
        front_step(&f);
    }
    assert_int_equal(f.back.disconnects, 4);
    assert_int_equal(avps_vu_counters(f.back.vu)->connections, 4);
    assert_int_equal(f.back.errors, 0);
    front_close(&f);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_messages_stop_returns_what_is_in_flight(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK, .waits = true});
    front_start(&f, test_is_packed(state), 0);
    avps_gpa data = 0;
    const uint16_t id = front_blk(&f, 0, false, 3, &data);

    front_kick(&f, 0);
    avps_vu_stop(f.back.vu);
    front_step(&f);
    assert_int_equal(f.back.disconnects, 0);
    front_answer(&f);
    front_expect_used(&f, 0, id, 513);
    assert_int_equal(f.back.disconnects, 1);
    assert_true(front_is_closed(&f));
    front_close(&f);
}

/* ---- bad front ends ---- */

enum bad_fd { FD_NONE, FD_MEMORY, FD_EVENT, FD_DIRECTORY, FD_NINE, FD_SMALL };

struct bad {
    const char *name;
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* told; and sent, if not above 512 */
    uint64_t words[12];
    enum bad_fd fd;
    bool closes; /* else: refused when an answer is asked for */
};

#define V                  FRONT_VERSION
#define R                  (FRONT_VERSION | FRONT_NEED_REPLY)
#define G                  TEST_RAM_GPA
#define U                  FRONT_USER
#define REGION(g, s, u, o) (g), (s), (u), (o)

static const struct bad bads[] = {
    /* envelope */
    {"version 0", F_GET_FEATURES, 0, 0, {0}, FD_NONE, true},
    {"version 2", F_GET_FEATURES, 2, 0, {0}, FD_NONE, true},
    {"a reply", F_GET_FEATURES, V | FRONT_REPLY, 0, {0}, FD_NONE, true},
    {"unknown flags", F_GET_FEATURES, V | 16, 0, {0}, FD_NONE, true},
    {"a payload of 4 GiB", F_GET_FEATURES, V, 0xffffffff, {0}, FD_NONE, true},
    {"a payload above all", F_SET_MEM_TABLE, V, 513, {0}, FD_NONE, true},
    {"request 0", 0, V, 0, {0}, FD_NONE, true},
    {"request 19, not offered", F_SEND_RARP, V, 8, {0}, FD_NONE, true},
    {"request 44", 44, V, 0, {0}, FD_NONE, true},
    {"request 2^31", 0x80000000, V, 0, {0}, FD_NONE, true},
    {"a payload where none is", F_GET_FEATURES, V, 8, {0}, FD_NONE, true},
    {"no payload", F_SET_FEATURES, V, 0, {0}, FD_NONE, true},
    {"a short payload", F_SET_VRING_ADDR, V, 39, {FRONT_PAIR(0, 0)}, FD_NONE, true},
    {"a long payload", F_SET_VRING_NUM, V, 9, {FRONT_PAIR(0, 0)}, FD_NONE, true},
    {"a descriptor too many", F_SET_FEATURES, V, 8, {FRONT_BASIC}, FD_MEMORY, true},
#ifndef __s390x__ /* its emulator loses the ninth */
    {"nine descriptors",
     F_SET_MEM_TABLE,
     V,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 4096, U, 0)},
     FD_NINE,
     true},
#endif
    /* features */
    {"features never offered", F_SET_FEATURES, R, 8, {FRONT_BASIC | 1 << 25}, FD_NONE, false},
    {"no VERSION_1", F_SET_FEATURES, R, 8, {1 << 28}, FD_NONE, false},
    {"protocol features never offered", F_SET_PROTOCOL_FEATURES, V, 8, {1 << 2}, FD_NONE, true},
    {"in band without channel",
     F_SET_PROTOCOL_FEATURES,
     V,
     8,
     {P_INBAND | P_REPLY_ACK},
     FD_NONE,
     true},
    {"a kick in band without the feature", F_VRING_KICK, V, 8, {0}, FD_NONE, true},
    {"a status above 255", F_SET_STATUS, V, 8, {256}, FD_NONE, true},
    /* memory */
    {"nine regions", F_SET_MEM_TABLE, V, 264, {FRONT_PAIR(9, 0)}, FD_MEMORY, true},
    {"fewer descriptors than regions",
     F_SET_MEM_TABLE,
     V,
     72,
     {FRONT_PAIR(2, 0), REGION(G, 4096, U, 0)},
     FD_MEMORY,
     true},
    {"regions without bytes",
     F_SET_MEM_TABLE,
     V,
     39,
     {FRONT_PAIR(1, 0), REGION(G, 4096, U, 0)},
     FD_MEMORY,
     true},
    {"an empty region",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 0, U, 0)},
     FD_MEMORY,
     false},
    {"a region that wraps",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(0 - 4096ULL, 8192, U, 0)},
     FD_MEMORY,
     false},
    {"a region that wraps for the front end",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 8192, 0 - 4096ULL, 0)},
     FD_MEMORY,
     false},
    {"a region that wraps in its file",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 8192, U, 0 - 4096ULL)},
     FD_MEMORY,
     false},
    {"a region past the end of its file",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 4096, U, 1 << 30)},
     FD_MEMORY,
     false},
    {"a region in a small file",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 4096, U, 0)},
     FD_SMALL,
     false},
    {"a region in an eventfd",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 4096, U, 0)},
     FD_EVENT,
     false},
    {"a region in a directory",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(G, 4096, U, 0)},
     FD_DIRECTORY,
     false},
    {"a region of 2^62 bytes",
     F_SET_MEM_TABLE,
     R,
     40,
     {FRONT_PAIR(1, 0), REGION(0, 1ULL << 62, 0, 0)},
     FD_MEMORY,
     false},
    {"one more region over another",
     F_ADD_MEM_REG,
     R,
     40,
     {FRONT_PAIR(0, 0), REGION(G + 4096, 4096, 0x1000, 0)},
     FD_MEMORY,
     false},
    {"one more region over another of the front end",
     F_ADD_MEM_REG,
     R,
     40,
     {FRONT_PAIR(0, 0), REGION(0, 4096, U + 4096, 0)},
     FD_MEMORY,
     false},
    {"one more region without descriptor",
     F_ADD_MEM_REG,
     V,
     40,
     {FRONT_PAIR(0, 0), REGION(0, 4096, 1, 0)},
     FD_NONE,
     true},
    {"the end of a region that is not there",
     F_REM_MEM_REG,
     R,
     40,
     {FRONT_PAIR(0, 0), REGION(G, 4096, U, 0)},
     FD_NONE,
     false},
    /* log */
    {"a log without descriptor", F_SET_LOG_BASE, V, 16, {4096, 0}, FD_NONE, true},
    {"an empty log", F_SET_LOG_BASE, V, 16, {0, 0}, FD_MEMORY, true},
    {"a log past the end of its file", F_SET_LOG_BASE, V, 16, {4096, 1 << 30}, FD_MEMORY, true},
    {"a log event in a file", F_SET_LOG_FD, V, 0, {0}, FD_MEMORY, true},
    /* vrings */
    {"NUM of ring 2", F_SET_VRING_NUM, V, 8, {FRONT_PAIR(2, 0)}, FD_NONE, true},
    {"NUM of ring 2^32 - 1", F_SET_VRING_NUM, V, 8, {FRONT_PAIR(0xffffffff, 0)}, FD_NONE, true},
    {"NUM 0", F_SET_VRING_NUM, R, 8, {FRONT_PAIR(0, 0)}, FD_NONE, false},
    {"NUM above the maximum", F_SET_VRING_NUM, R, 8, {FRONT_PAIR(0, 257)}, FD_NONE, false},
    {"ADDR of ring 2", F_SET_VRING_ADDR, V, 40, {FRONT_PAIR(2, 0)}, FD_NONE, true},
    {"ADDR with unknown flags", F_SET_VRING_ADDR, V, 40, {FRONT_PAIR(0, 2)}, FD_NONE, true},
    {"BASE of ring 300", F_SET_VRING_BASE, V, 8, {FRONT_PAIR(300, 0)}, FD_NONE, true},
    {"GET_VRING_BASE of ring 2", F_GET_VRING_BASE, V, 8, {FRONT_PAIR(2, 0)}, FD_NONE, true},
    {"ENABLE of ring 2", F_SET_VRING_ENABLE, V, 8, {FRONT_PAIR(2, 0)}, FD_NONE, true},
    {"ENABLE 2", F_SET_VRING_ENABLE, V, 8, {FRONT_PAIR(0, 2)}, FD_NONE, true},
    {"KICK of ring 255", F_SET_VRING_KICK, V, 8, {255}, FD_EVENT, true},
    {"KICK with high bits", F_SET_VRING_KICK, V, 8, {0x200}, FD_EVENT, true},
    {"KICK without descriptor", F_SET_VRING_KICK, V, 8, {0}, FD_NONE, true},
    {"KICK with a descriptor that is not there", F_SET_VRING_KICK, V, 8, {0x100}, FD_EVENT, true},
    {"KICK with a file", F_SET_VRING_KICK, V, 8, {0}, FD_MEMORY, true},
    {"CALL with a directory", F_SET_VRING_CALL, V, 8, {0}, FD_DIRECTORY, true},
    {"ERR of ring 7", F_SET_VRING_ERR, V, 8, {7}, FD_EVENT, true},
    /* configuration */
    {"GET_CONFIG with wrong size", F_GET_CONFIG, V, 16, {FRONT_PAIR(0, 8)}, FD_NONE, true},
    {"GET_CONFIG outside", F_GET_CONFIG, V, 16, {FRONT_PAIR(253, 4)}, FD_NONE, true},
    {"GET_CONFIG far outside", F_GET_CONFIG, V, 16, {FRONT_PAIR(0xfffffffeU, 4)}, FD_NONE, true},
    {"SET_CONFIG with unknown flags",
     F_SET_CONFIG,
     V,
     16,
     {FRONT_PAIR(0, 4), FRONT_PAIR(2, 0)},
     FD_NONE,
     true},
    /* in-flight, channel, IOTLB, state */
    {"in-flight region of no queue",
     F_GET_INFLIGHT_FD,
     V,
     24,
     {0, 0, FRONT_REGION_OF(0, 16)},
     FD_NONE,
     true},
    {"in-flight region of size 0",
     F_GET_INFLIGHT_FD,
     V,
     24,
     {0, 0, FRONT_REGION_OF(1, 0)},
     FD_NONE,
     true},
    {"in-flight region too small a file",
     F_SET_INFLIGHT_FD,
     V,
     24,
     {1 << 30, 0, FRONT_REGION_OF(1, 16)},
     FD_MEMORY,
     true},
    {"in-flight region misaligned",
     F_SET_INFLIGHT_FD,
     V,
     24,
     {4096, 8, FRONT_REGION_OF(1, 16)},
     FD_MEMORY,
     true},
    {"a channel that is a file", F_SET_BACKEND_REQ_FD, V, 0, {0}, FD_MEMORY, true},
    {"a channel without descriptor", F_SET_BACKEND_REQ_FD, V, 0, {0}, FD_NONE, true},
    {"IOTLB without ACCESS_PLATFORM",
     F_IOTLB_MSG,
     V,
     32,
     {0, 4096, U, FRONT_TLB(3, 2)},
     FD_NONE,
     true},
    {"a state in direction 2", F_SET_DEVICE_STATE_FD, V, 8, {FRONT_PAIR(2, 0)}, FD_EVENT, true},
    {"a state in phase 1", F_SET_DEVICE_STATE_FD, V, 8, {FRONT_PAIR(0, 1)}, FD_EVENT, true},
};

static int bad_open(enum bad_fd kind)
{
    int fd = -1;

    switch (kind) {
    case FD_MEMORY:
        return dup(f.memfd);
    case FD_EVENT:
        return eventfd(0, EFD_CLOEXEC);
    case FD_DIRECTORY:
        return open("/", O_RDONLY | O_CLOEXEC);
    case FD_SMALL:
        fd = memfd_create("small", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fd, 100), 0);
        return fd;
    case FD_NINE:
    case FD_NONE:
    default:
        return -1;
    }
}

static void bad_send(const struct bad *bad)
{
    uint8_t bytes[12 + 512] = {0};
    const struct front_header header = {bad->request, bad->flags, bad->size};
    const uint32_t sent = bad->size <= 512U ? bad->size : 0U;
    int fds[9];
    unsigned int count = bad->fd == FD_NONE ? 0U : 1U;

    (void)memcpy(bytes, &header, sizeof header);
    (void)memcpy(bytes + sizeof header, bad->words, sizeof bad->words);
    fds[0] = bad_open(bad->fd);
    if (bad->fd == FD_NINE) {
        for (count = 0; count < 9U; count++) {
            fds[count] = f.memfd;
        }
    }
    front_raw(&f, bytes, sizeof header + sent, fds, count);
    front_step(&f);
    if (bad->fd != FD_NINE && fds[0] >= 0) {
        (void)close(fds[0]);
    }
}

static void test_messages_of_a_bad_front_end_close_or_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        const struct bad *bad = &bads[i];
        struct front_message m;

        open_negotiated();
        front_give_memory(&f);
        bad_send(bad);
        if (bad->closes) {
            if (!front_is_closed(&f)) {
                fail_msg("%s: the connection is still open", bad->name);
            }
            assert_int_equal(avps_vu_counters(f.back.vu)->refused, 1);
            assert_non_null(strstr(f.back.line, "; connection closed"));
            assert_int_equal(f.back.disconnects, 1);
        } else {
            if (!front_read(f.fd, &m)) {
                fail_msg("%s: no answer; last report: %s", bad->name, f.back.line);
            }
            assert_int_equal(m.payload.u64, 1);
            assert_int_equal(front_ask(&f, F_GET_QUEUE_NUM), 2); /* it goes on */
        }
        assert_int_equal(f.back.errors, 1);
        front_close(&f); /* counts descriptors */
    }
}

/* What is refused when an answer is asked for closes when none is. */
static void test_messages_that_fail_without_an_answer_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct bad bad = bads[i];

        if (!bad.closes) {
            bad.flags = FRONT_VERSION;
            open_negotiated();
            front_give_memory(&f);
            bad_send(&bad);
            assert_true(front_is_closed(&f));
            front_close(&f);
        }
    }
}

static void test_messages_that_end_early_close(void **state)
{
    (void)state;
    for (size_t len = 1; len < 20U; len++) {
        const struct front_header header = {F_SET_FEATURES, FRONT_VERSION, 8};
        uint8_t bytes[20] = {0};

        open_new(FRONT_RNG);
        (void)memcpy(bytes, &header, sizeof header);
        front_raw(&f, bytes, len, &f.memfd, 1);
        assert_int_equal(shutdown(f.fd, SHUT_WR), 0);
        front_step(&f);
        assert_int_equal(f.back.disconnects, 1);
        assert_non_null(strstr(f.back.line, "ends early"));
        front_close(&f);
    }
}

/* A ring that runs is left as it is. */
static void test_messages_do_not_change_a_running_ring(void **state)
{
    static const uint32_t requests[] = {F_SET_VRING_NUM, F_SET_VRING_BASE, F_SET_VRING_ADDR,
                                        F_GET_INFLIGHT_FD};

    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const uint64_t words[5] = {i < 2U ? FRONT_PAIR(0, 8) : 0U, FRONT_USER,
                                   i == 3U ? FRONT_REGION_OF(1, 16) : FRONT_USER, FRONT_USER, 0};
        const uint32_t size = i < 2U ? 8U : i == 2U ? 40U : 24U;

        open_new(FRONT_BLK);
        front_start(&f, false, P_INFLIGHT);
        front_send(&f, requests[i], words, size, NULL, 0);
        assert_true(front_is_closed(&f));
        front_close(&f);
    }
}

/* Rings whose addresses are nowhere, or in two regions, are refused when they start. */
static void test_messages_of_rings_outside_memory_close(void **state)
{
    (void)state;
    open_negotiated();
    front_give_memory(&f);
    const uint64_t addr[5] = {0, FRONT_USER + TEST_RAM_SIZE - 16U, FRONT_USER, FRONT_USER, 0};

    front_ring_num(&f, 0);
    front_send(&f, F_SET_VRING_ADDR, addr, sizeof addr, NULL, 0);
    front_ring_kick(&f, 0);
    const uint64_t status = 15;
    front_send(&f, F_SET_STATUS, &status, 8, NULL, 0);
    const uint32_t enable[2] = {0, 1};
    front_send(&f, F_SET_VRING_ENABLE, enable, sizeof enable, NULL, 0);
    assert_true(front_is_closed(&f));
    assert_non_null(strstr(f.back.line, "not in guest memory"));
    front_close(&f);
}

/* A front end that asks and asks and never reads. */
static void test_messages_of_a_front_end_that_does_not_read_close(void **state)
{
    (void)state;
    open_new(FRONT_RNG);
    const struct front_header header = {F_GET_FEATURES, FRONT_VERSION, 0};
    ssize_t n = sizeof header;

    for (unsigned int i = 0; i < 200000U && n == (ssize_t)sizeof header; i++) {
        n = send(f.fd, &header, sizeof header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (i % 64U == 0U) {
            front_step(&f);
        }
    }
    front_step(&f);
    assert_int_equal(f.back.disconnects, 1);
    assert_non_null(strstr(f.back.line, "does not read"));
    front_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_have_the_documented_layout),
        cmocka_unit_test(test_messages_say_what_is_offered),
        cmocka_unit_test(test_messages_answer_questions),
        cmocka_unit_test(test_messages_tell_a_change_of_configuration),
        cmocka_unit_test(test_messages_write_configuration),
        cmocka_unit_test(test_messages_reset_the_device),
        cmocka_unit_test(test_messages_may_come_in_pieces),
        TEST_BOTH(test_messages_change_memory_under_running_rings, NULL, NULL),
#ifndef __s390x__ /* its emulator does not tell the address of a bus error */
        cmocka_unit_test(test_messages_survive_a_file_that_is_cut_short),
#endif
        cmocka_unit_test(test_messages_front_ends_come_and_go),
        TEST_BOTH(test_messages_stop_returns_what_is_in_flight, NULL, NULL),
        cmocka_unit_test(test_messages_of_a_bad_front_end_close_or_are_refused),
        cmocka_unit_test(test_messages_that_fail_without_an_answer_close),
        cmocka_unit_test(test_messages_that_end_early_close),
        cmocka_unit_test(test_messages_do_not_change_a_running_ring),
        cmocka_unit_test(test_messages_of_rings_outside_memory_close),
        cmocka_unit_test(test_messages_of_a_front_end_that_does_not_read_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
