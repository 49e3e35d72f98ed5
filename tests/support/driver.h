/* SPDX-License-Identifier: BSD-3-Clause */
/* A small driver for tests: rings of both formats on a bare avps_vq, or a whole device behind its
 * real register file.
 *
 * Bare queue:
 *     struct test_ring ring;
 *     test_ring_init(&ring, &mem, packed, 8);
 *     struct avps_vq_config config = test_ring_config(&ring);
 *     avps_vq_enable(&vq, &mem.handle, &config);
 *     const struct test_desc d[] = {{gpa, 16, 0}, {gpa2, 4, TEST_WRITE}};  // NEXT is added
 *     uint16_t id = test_ring_add(&ring, d, 2);
 *     ... avps_vq_pop, push, publish ...
 *     assert_true(test_ring_reap(&ring, &used));  // used.id, used.len
 *     test_ring_free(&ring);
 *
 * Device:
 *     struct test_driver d;
 *     test_driver_init(&d, TEST_MEM_REGIONS);
 *     config.base = test_driver_base(&d, queues, 1, 256);
 *     avps_rng_init(&rng, &config);
 *     test_driver_attach(&d, &rng.base);
 *     test_driver_want(&d, AVPS_F_RING_PACKED);
 *     test_driver_start(&d);
 *     struct test_request r = {.out = {{hdr, 16}}, .in = {512, 1}};
 *     assert_int_equal(test_driver_do(&d, 0, &r), 513);   // used length
 *     test_driver_in(&d, &r, 0, bytes, 513);              // what the device wrote
 *     test_driver_free(&d); */
#ifndef TEST_SUPPORT_DRIVER_H
#define TEST_SUPPORT_DRIVER_H

#include "support/mem.h"
#include "support/port.h"

#include "avps/device.h"
#include "avps/mmio.h"

/* Two cmocka rows for one test: `*state` is a bool, whether the ring is packed. `setup` may be NULL
 * for tests that need no fixture: use test_is_packed(state). */
extern bool test_split_format;
extern bool test_packed_format;
#define TEST_SPLIT(f, setup, teardown)                                                             \
    {                                                                                              \
#f "_split", (f), (setup), (teardown), &test_split_format                                  \
    }
#define TEST_PACKED(f, setup, teardown)                                                            \
    {                                                                                              \
#f "_packed", (f), (setup), (teardown), &test_packed_format                                \
    }
#define TEST_BOTH(f, setup, teardown)                                                              \
    TEST_SPLIT(f, setup, teardown), TEST_PACKED(f, setup, teardown)
bool test_is_packed(void **state);

/* ---- rings ---- */

#define TEST_NEXT     0x0001U
#define TEST_WRITE    0x0002U
#define TEST_INDIRECT 0x0004U
#define TEST_AVAIL    0x0080U
#define TEST_USED     0x8000U

struct test_desc {
    avps_gpa gpa;
    uint32_t len;
    uint16_t flags; /* TEST_WRITE, TEST_INDIRECT, ...; NEXT and the packed bits are added */
};

struct test_used {
    uint16_t id;
    uint32_t len;
};

struct test_ring {
    struct test_mem *mem;
    bool packed;
    uint32_t size;
    avps_gpa desc;
    avps_gpa driver;
    avps_gpa device;
    uint16_t avail;  /* split: free-running avail idx; packed: position */
    bool avail_wrap; /* packed */
    uint16_t used;   /* split: free-running used idx; packed: position */
    bool used_wrap;  /* packed */
    uint16_t kicked; /* avail idx or position at the last test_ring_wants_kick */
    bool kicked_wrap;
    bool event_idx; /* for test_ring_wants_kick */
    uint32_t free_slots;
    uint16_t *slots; /* per id: descriptors in flight, 0 if free */
    uint16_t *next;  /* split: per descriptor, the next of its chain */
    uint32_t search; /* where the next free descriptor or id is looked for */
};

/* Allocate areas (zeroed) and start at position 0. Behind the last descriptor is a spare one that
 * would be good: who reads it is caught by what it does next. */
void test_ring_init(struct test_ring *ring, struct test_mem *mem, bool packed, uint32_t size);
/* The same areas again, as new. */
void test_ring_reset(struct test_ring *ring);
void test_ring_free(struct test_ring *ring);

/* Start at another position: split, a free-running index; packed, a position and wrap counter. Put
 * the same into avail_start and used_start. */
void test_ring_start_at(struct test_ring *ring, uint16_t position, bool wrap);

/* What to enable: addresses, size, format, position. Features are off. */
struct avps_vq_config test_ring_config(const struct test_ring *ring);

/* Make a chain of `count` descriptors available. @return head or buffer id. */
uint16_t test_ring_add(struct test_ring *ring, const struct test_desc *table, uint32_t count);

/* The same in two steps: write, then publish (several chains at once). */
uint16_t test_ring_put(struct test_ring *ring, const struct test_desc *table, uint32_t count);
void test_ring_publish(struct test_ring *ring);

/* Write an indirect table in the ring's format. @return its address; length is 16 * count. */
avps_gpa test_ring_table(struct test_ring *ring, const struct test_desc *table, uint32_t count);

/* Raw writes for bad rings. Split: `extra` is next; packed: `extra` is the id. */
void test_ring_raw(struct test_ring *ring, uint32_t index, avps_gpa gpa, uint32_t len,
                   uint16_t flags, uint16_t extra);
/* Also in an indirect table at `gpa`. */
void test_ring_raw_at(struct test_ring *ring, avps_gpa at, avps_gpa gpa, uint32_t len,
                      uint16_t flags, uint16_t extra);
/* Split: put a head into the available ring and advance idx. */
void test_ring_raw_head(struct test_ring *ring, uint16_t head);
/* Split: set avail.idx to anything. */
void test_ring_raw_idx(struct test_ring *ring, uint16_t idx);
/* Packed: AVAIL and USED as they must be at the position now for an available descriptor. */
uint16_t test_ring_avail_bits(const struct test_ring *ring);

/* Address of descriptor `index`, of the used (split) element at `index`, and of the fields. */
avps_gpa test_ring_desc_at(const struct test_ring *ring, uint32_t index);
avps_gpa test_ring_used_at(const struct test_ring *ring, uint32_t index);
uint16_t test_ring_used_idx(const struct test_ring *ring); /* split: used.idx as published */

/* Take the next used element. @return false if there is none. Fails the test for an id that is not
 * in flight. */
bool test_ring_reap(struct test_ring *ring, struct test_used *used);

/* Used buffer notifications: on or off by flags; by index (split) or position (packed). */
void test_ring_interrupts(struct test_ring *ring, bool on);
void test_ring_used_event(struct test_ring *ring, uint16_t idx);
void test_ring_event(struct test_ring *ring, uint16_t off, bool wrap, uint16_t flags);

/* Whether the device asks for a kick about what was made available since the last call. */
bool test_ring_wants_kick(struct test_ring *ring);

/* ---- devices ---- */

#define TEST_QUEUES 64U
#define TEST_PARTS  16U

enum test_register {
    TEST_MAGIC = 0x000,
    TEST_VERSION = 0x004,
    TEST_DEVICE_ID = 0x008,
    TEST_VENDOR_ID = 0x00c,
    TEST_DEVICE_FEATURES = 0x010,
    TEST_DEVICE_FEATURES_SEL = 0x014,
    TEST_DRIVER_FEATURES = 0x020,
    TEST_DRIVER_FEATURES_SEL = 0x024,
    TEST_QUEUE_SEL = 0x030,
    TEST_QUEUE_SIZE_MAX = 0x034,
    TEST_QUEUE_SIZE = 0x038,
    TEST_QUEUE_READY = 0x044,
    TEST_QUEUE_NOTIFY = 0x050,
    TEST_INTERRUPT_STATUS = 0x060,
    TEST_INTERRUPT_ACK = 0x064,
    TEST_STATUS = 0x070,
    TEST_QUEUE_DESC_LOW = 0x080,
    TEST_QUEUE_DESC_HIGH = 0x084,
    TEST_QUEUE_DRIVER_LOW = 0x090,
    TEST_QUEUE_DRIVER_HIGH = 0x094,
    TEST_QUEUE_DEVICE_LOW = 0x0a0,
    TEST_QUEUE_DEVICE_HIGH = 0x0a4,
    TEST_SHM_SEL = 0x0ac,
    TEST_SHM_LEN_LOW = 0x0b0,
    TEST_SHM_LEN_HIGH = 0x0b4,
    TEST_SHM_BASE_LOW = 0x0b8,
    TEST_SHM_BASE_HIGH = 0x0bc,
    TEST_QUEUE_RESET = 0x0c0,
    TEST_CONFIG_GENERATION = 0x0fc,
    TEST_CONFIG = 0x100
};

#define TEST_S_ACKNOWLEDGE 1U
#define TEST_S_DRIVER      2U
#define TEST_S_DRIVER_OK   4U
#define TEST_S_FEATURES_OK 8U
#define TEST_S_SUSPEND     16U
#define TEST_S_NEEDS_RESET 64U
#define TEST_S_FAILED      128U
#define TEST_S_LIVE        15U /* all four of a running device */

#define TEST_VENDOR 0x544e4556U

/* Another way to a device than the MMIO window: registers by the same names. */
struct test_bus {
    uint32_t (*get)(void *ctx, uint32_t offset);
    void (*set)(void *ctx, uint32_t offset, uint32_t value);
    uint64_t (*config)(void *ctx, uint32_t offset, uint32_t width);
    void (*config_set)(void *ctx, uint32_t offset, uint32_t width, uint64_t value);
};

struct test_driver {
    struct test_mem mem;
    struct test_port port;
    struct avps_mmio mmio;
    const struct test_bus *bus; /* NULL: mmio */
    void *bus_ctx;
    struct avps_device *device;
    struct avps_features want; /* VERSION_1 from the start */
    uint32_t size;             /* of every queue; 16 from the start, at most the device's */
    uint16_t queue_count;      /* queues that start sets up; all from the start */
    struct test_ring ring[TEST_QUEUES];
};

/* One part a descriptor. A length of 0 ends each list. */
struct test_part {
    const void *bytes;
    uint32_t len;
};

struct test_request {
    struct test_part out[TEST_PARTS]; /* for the device to read */
    uint32_t in[TEST_PARTS];          /* lengths for the device to write */
    bool indirect;                    /* through one indirect table */
    uint16_t id;                      /* filled by send */
    avps_gpa in_gpa[TEST_PARTS];      /* filled by send */
    avps_gpa out_gpa[TEST_PARTS];     /* filled by send */
};

void test_driver_init(struct test_driver *d, enum test_mem_kind kind);
void test_driver_init_sized(struct test_driver *d, enum test_mem_kind kind, uint32_t ram_size);
/* The common part of a device's configuration, on this driver's memory and port. */
struct avps_device_config test_driver_base(struct test_driver *d, struct avps_queue *queues,
                                           uint16_t count, uint16_t size_max);
/* Put the initialised device behind the register file. */
void test_driver_attach(struct test_driver *d, struct avps_device *device);
/* Resets the device, so that nothing may stay mapped or pinned; checks memory; frees. */
void test_driver_free(struct test_driver *d);

uint32_t test_driver_get(struct test_driver *d, uint32_t offset);
void test_driver_set(struct test_driver *d, uint32_t offset, uint32_t value);
uint64_t test_driver_config(struct test_driver *d, uint32_t offset, uint32_t width);
void test_driver_config_set(struct test_driver *d, uint32_t offset, uint32_t width, uint64_t value);
bool test_driver_offers(struct test_driver *d, unsigned int bit);

void test_driver_want(struct test_driver *d, unsigned int bit);
/* Want every feature that the device offers, RING_PACKED only if `packed`. */
void test_driver_want_all(struct test_driver *d, bool packed);

/* The steps of the start: reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK. @return accepted. */
bool test_driver_negotiate(struct test_driver *d);
/* Rings, registers, QueueReady 1. @return QueueReady. */
bool test_driver_queue(struct test_driver *d, uint16_t queue, uint32_t size);
/* Registers and QueueReady 1 for a ring that exists. @return QueueReady. */
bool test_driver_enable(struct test_driver *d, uint16_t queue);
void test_driver_ok(struct test_driver *d);
/* All of it; fails the test if the device does not go live. */
void test_driver_start(struct test_driver *d);
/* Status 0, and rings forgotten. */
void test_driver_reset(struct test_driver *d);

/* Make a request available. */
uint16_t test_driver_send(struct test_driver *d, uint16_t queue, struct test_request *request);
/* Doorbell, with NOTIFICATION_DATA when negotiated. */
void test_driver_kick(struct test_driver *d, uint16_t queue);
/* Poll until there is no more to do now. @return the last result. */
enum avps_poll_result test_driver_poll(struct test_driver *d);
bool test_driver_reap(struct test_driver *d, uint16_t queue, struct test_used *used);
/* send, kick, poll, reap; must come back at once. @return used length. */
uint32_t test_driver_do(struct test_driver *d, uint16_t queue, struct test_request *request);
/* Bytes `off`.. of the writable half of a request, whatever its parts. */
void test_driver_in(struct test_driver *d, const struct test_request *request, uint32_t off,
                    void *bytes, uint32_t len);

/* Acknowledge and return InterruptStatus. */
uint32_t test_driver_ack(struct test_driver *d);

/* DEVICE_NEEDS_RESET is set, a configuration interrupt was sent, and nothing more is served. */
void test_driver_assert_faulted(struct test_driver *d);

#endif
