/* SPDX-License-Identifier: BSD-3-Clause */
/* A front end for tests: one end of a socket pair, guest memory in a memfd, the driver's rings; the
 * back end under test runs in the same process, on a loop that the test steps.
 *
 *     struct front f;
 *     front_open(&f, &(struct front_options){.device = FRONT_BLK});
 *     front_start(&f, packed);                       // all messages up to running rings
 *     front_round(&f);                               // one good request
 *     front_close(&f);                               // no descriptor may have leaked
 *
 * Hostile cases send what they like with front_send and look with front_is_closed, f.line. */
#ifndef TEST_VHOST_FRONT_H
#define TEST_VHOST_FRONT_H

#include "lanes.h"
#include "support/driver.h"

#include "avps/blk.h"
#include "avps/console.h"
#include "avps/net.h"
#include "avps/rng.h"
#include "avps_posix/loop.h"
#include "avps_posix/runner.h"
#include "avps_sim/entropy.h"
#include "avps_sim/ramdisk.h"
#include "avps_vhost_user/backend.h"

#define FRONT_QUEUES   4U
#define FRONT_SIZE     16U /* of every ring */
#define FRONT_SECTORS  256U
#define FRONT_SLOTS    16U
#define FRONT_USER     UINT64_C(0x700000000000) /* TEST_RAM_GPA in the front end's address space */
#define FRONT_OFFSET   0x3000U                  /* of guest memory in its file */
#define FRONT_NOTHING  UINT64_C(0xffffffffffffffff)
#define FRONT_BASIC    (UINT64_C(1) << 32)
#define FRONT_PACKED   (UINT64_C(1) << 34)
#define FRONT_BLK_MQ   (UINT64_C(1) << 12)
#define FRONT_IOMMU    (UINT64_C(1) << 33)
#define FRONT_IOVA     UINT64_C(0x40000000) /* TEST_RAM_GPA as a device sees it behind an IOMMU */
#define FRONT_PROTOCOL (UINT64_C(1) << 30)
#define FRONT_LOG_ALL  (UINT64_C(1) << 26)
#define FRONT_ANNOUNCE (UINT64_C(1) << 21)

/* Fields in the host's order, as words of a payload: two of 32 bits; an in-flight description's
 * queues and queue size; an IOTLB message's permission and type. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define FRONT_PAIR(first, second)     ((uint64_t)(first) << 32 | (uint64_t)(second))
#define FRONT_REGION_OF(queues, size) ((uint64_t)(queues) << 48 | (uint64_t)(size) << 32)
#define FRONT_TLB(perm, type)         ((uint64_t)(perm) << 56 | (uint64_t)(type) << 48)
#else
#define FRONT_PAIR(first, second)     ((uint64_t)(first) | (uint64_t)(second) << 32)
#define FRONT_REGION_OF(queues, size) ((uint64_t)(queues) | (uint64_t)(size) << 16)
#define FRONT_TLB(perm, type)         ((uint64_t)(perm) | (uint64_t)(type) << 8)
#endif

/* Requests and flags, written down once more on this side. */
enum front_request {
    F_GET_FEATURES = 1,
    F_SET_FEATURES,
    F_SET_OWNER,
    F_RESET_OWNER,
    F_SET_MEM_TABLE,
    F_SET_LOG_BASE,
    F_SET_LOG_FD,
    F_SET_VRING_NUM,
    F_SET_VRING_ADDR,
    F_SET_VRING_BASE,
    F_GET_VRING_BASE,
    F_SET_VRING_KICK,
    F_SET_VRING_CALL,
    F_SET_VRING_ERR,
    F_GET_PROTOCOL_FEATURES,
    F_SET_PROTOCOL_FEATURES,
    F_GET_QUEUE_NUM,
    F_SET_VRING_ENABLE,
    F_SEND_RARP,
    F_NET_SET_MTU,
    F_SET_BACKEND_REQ_FD,
    F_IOTLB_MSG,
    F_SET_VRING_ENDIAN,
    F_GET_CONFIG,
    F_SET_CONFIG,
    F_GET_INFLIGHT_FD = 31,
    F_SET_INFLIGHT_FD,
    F_RESET_DEVICE = 34,
    F_VRING_KICK,
    F_GET_MAX_MEM_SLOTS,
    F_ADD_MEM_REG,
    F_REM_MEM_REG,
    F_SET_STATUS,
    F_GET_STATUS,
    F_SET_DEVICE_STATE_FD = 42,
    F_CHECK_DEVICE_STATE
};

enum front_protocol {
    P_MQ = 1 << 0,
    P_LOG_SHMFD = 1 << 1,
    P_REPLY_ACK = 1 << 3,
    P_BACKEND_REQ = 1 << 5,
    P_CONFIG = 1 << 9,
    P_INFLIGHT = 1 << 12,
    P_RESET_DEVICE = 1 << 13,
    P_INBAND = 1 << 14,
    P_MEM_SLOTS = 1 << 15,
    P_STATUS = 1 << 16,
    P_DEVICE_STATE = 1 << 19
};

#define FRONT_VERSION    1U
#define FRONT_REPLY      4U
#define FRONT_NEED_REPLY 8U

struct front_header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
};

struct front_message {
    struct front_header header;
    union {
        uint64_t u64;
        uint32_t u32[128];
        uint8_t bytes[512];
        uint64_t words[64];
    } payload;
    int fd; /* -1: none */
};

enum front_device { FRONT_RNG, FRONT_BLK, FRONT_CONSOLE, FRONT_NET };

struct front_options {
    enum front_device device;
    bool waits;     /* block: requests are kept until front_answer */
    bool iommu;     /* ACCESS_PLATFORM */
    bool busy_poll; /* --poll */
    uint32_t linger_us;
    uint16_t workers; /* block: so many, with a disk of lanes */
    bool elsewhere;   /* the back end runs in another process, that the test makes */
};

/* The back end's half. */
struct front_back {
    struct avps_posix_loop *loop;
    struct avps_posix_runner runner;
    struct avps_vu *vu;
    struct avps_mem mem;
    struct avps_device *device;
    struct avps_queue queues[FRONT_QUEUES];
    struct avps_rng rng;
    struct avps_sim_entropy entropy;
    struct avps_blk blk;
    struct avps_sim_ramdisk disk;
    struct avps_sim_pending pending[FRONT_SLOTS];
    struct avps_blk_request requests[FRONT_SLOTS];
    struct avps_posix_worker workers[LANES_MAX];
    struct lanes lanes;
    struct avps_console console;
    struct avps_console_port port;
    struct avps_net net;
    struct avps_net_pair pair;
    uint8_t typed[256]; /* what the guest wrote to its console */
    uint32_t typed_len;
    char line[256]; /* last report */
    unsigned int errors;
    unsigned int disconnects;
};

struct front {
    struct front_options options;
    struct avps_posix_loop loop;
    struct front_back back;
    struct test_mem mem;
    int memfd;
    uint8_t *file;  /* its mapping */
    uint8_t *disk;  /* FRONT_SECTORS of 512 bytes, shared with processes made by fork */
    int fd;         /* front end's end; -1: closed */
    int backend[2]; /* back end channel: ours, theirs */
    uint64_t protocol;
    uint64_t features;
    uint16_t queues; /* of the device */
    bool packed;
    struct test_ring ring[FRONT_QUEUES];
    int kick[FRONT_QUEUES];
    int call[FRONT_QUEUES];
    unsigned int fds; /* of the process before */
};

/* A back end with a fresh socket pair. `disk` as it is in f->disk. */
void front_open(struct front *f, const struct front_options *options);
/* Everything is closed and counted. */
void front_close(struct front *f);

/* The back end alone: made, and connected to a new socket pair; dropped without a word. */
void front_back_new(struct front *f);
void front_back_new_on(struct front *f, int fd);
void front_back_free(struct front *f);

/* Let the loop do what it has to do. */
void front_step(struct front *f);

/* ---- messages ---- */

/* Raw: a header and payload as they are, and descriptors, which stay the caller's. */
void front_raw(struct front *f, const void *bytes, size_t len, const int *fds, unsigned int count);
/* A well-formed message; steps the loop. */
void front_send(struct front *f, uint32_t request, const void *payload, uint32_t size,
                const int *fds, unsigned int count);
/* The same with flags beside the version's. */
void front_send_flags(struct front *f, uint32_t request, uint32_t flags, const void *payload,
                      uint32_t size, const int *fds, unsigned int count);
/* With need_reply; the answer is a u64. */
uint64_t front_ack(struct front *f, uint32_t request, const void *payload, uint32_t size,
                   const int *fds, unsigned int count);
/* A question that is answered with a u64. */
uint64_t front_ask(struct front *f, uint32_t request);
/* The next message on `fd`; false if there is none, or the end. */
bool front_read(int fd, struct front_message *m);
/* The reply to `request`, which must be there. */
void front_expect_reply(struct front *f, uint32_t request, struct front_message *m);
/* Whether the back end closed the connection and nothing else is there to read. */
bool front_is_closed(struct front *f);

/* ---- steps of a start ---- */

void front_negotiate(struct front *f, uint64_t protocol, uint64_t features);
void front_give_memory(struct front *f);
void front_backend_channel(struct front *f);
/* Addresses of ring `i`, with these flags and log address. */
void front_ring_addr(struct front *f, uint16_t i, uint32_t flags, uint64_t log);
void front_ring_num(struct front *f, uint16_t i);
void front_ring_base(struct front *f, uint16_t i, uint32_t base);
void front_ring_kick(struct front *f, uint16_t i);
void front_ring_call(struct front *f, uint16_t i);
void front_ring_enable(struct front *f, uint16_t i, uint32_t on);
uint32_t front_ring_stop(struct front *f, uint16_t i); /* GET_VRING_BASE */
/* num, base 0, addr, kick, call, enable. */
void front_ring_start(struct front *f, uint16_t i);
/* A new ring for queue `i`. */
void front_ring_new(struct front *f, uint16_t i);
/* All of the above with these protocol features and REPLY_ACK, MQ, CONFIG. */
void front_start(struct front *f, bool packed, uint64_t protocol);

/* ---- requests ---- */

/* Kick through the descriptor and step. */
void front_kick(struct front *f, uint16_t i);
/* Calls since the last look. */
uint64_t front_calls(struct front *f, uint16_t i);
/* Block: make a read or write of sector `sector` available (no kick). @return chain id; `buffer`
 * gets the address of 512 bytes of data, the status byte follows them. */
uint16_t front_blk(struct front *f, uint16_t queue, bool write, uint64_t sector, avps_gpa *buffer);
/* Block: answer what waits, and step. */
void front_answer(struct front *f);
/* The next used element must be this. */
void front_expect_used(struct front *f, uint16_t queue, uint16_t id, uint32_t len);
/* Block: one good request from start to end. */
void front_round(struct front *f);

/* Descriptors of this process. */
unsigned int front_count_fds(void);

#endif
