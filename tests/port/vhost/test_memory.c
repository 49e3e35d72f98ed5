/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that is not plain: the IOTLB -> the dirty log -> device state through a pipe. */
#include "front.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct front f;

/* ---- IOTLB ---- */

struct iotlb {
    uint64_t iova;
    uint64_t size;
    uint64_t user;
    uint8_t perm;
    uint8_t type;
    uint8_t padding[6];
};

enum iotlb_type { MISS = 1, UPDATE = 2, INVALIDATE = 3 };

static uint64_t iotlb_send(uint8_t type, uint64_t off, uint64_t size, uint8_t perm)
{
    const struct iotlb msg = {.iova = FRONT_IOVA + off,
                              .size = size,
                              .user = FRONT_USER + off,
                              .perm = perm,
                              .type = type};

    return front_ack(&f, F_IOTLB_MSG, &msg, sizeof msg, NULL, 0);
}

/* The next miss that the back end reports; false if there is none. */
static bool iotlb_missed(struct iotlb *msg)
{
    struct front_message m;

    if (!front_read(f.backend[0], &m)) {
        return false;
    }
    assert_int_equal(m.header.request, 1);
    assert_int_equal(m.header.flags, FRONT_VERSION);
    assert_int_equal(m.header.size, sizeof *msg);
    (void)memcpy(msg, m.payload.bytes, sizeof *msg);
    assert_int_equal(msg->type, MISS);
    return true;
}

/* Answer misses a page at a time until there are none. @return how many. */
static unsigned int iotlb_serve(void)
{
    struct iotlb msg;
    unsigned int count = 0;

    while (iotlb_missed(&msg)) {
        const uint64_t off = (msg.iova - FRONT_IOVA) & ~UINT64_C(0xfff);

        assert_true(off < TEST_RAM_SIZE);
        assert_int_equal(iotlb_send(UPDATE, off, 4096, 3), 0);
        count++;
        assert_true(count < 100U);
    }
    return count;
}

static void iotlb_open_as(void **state, const struct front_options *options)
{
    front_open(&f, options);
    front_negotiate(&f, P_REPLY_ACK | P_BACKEND_REQ | P_CONFIG,
                    FRONT_BASIC | FRONT_PROTOCOL | FRONT_IOMMU |
                        (test_is_packed(state) ? FRONT_PACKED : 0U));
    front_backend_channel(&f);
    front_give_memory(&f);
}

static void iotlb_open(void **state)
{
    iotlb_open_as(state, &(struct front_options){.device = FRONT_BLK, .iommu = true});
    front_ring_new(&f, 0);
    front_ring_start(&f, 0);
}

/* Nothing is known at first: rings and requests ask for it, page by page, and wait. */
static void test_iotlb_miss_is_told_and_waited_for(void **state)
{
    iotlb_open(state);
    avps_gpa data = 0;
    struct test_used used;
    const uint16_t id = front_blk(&f, 0, false, 9, &data);

    front_kick(&f, 0);
    assert_false(test_ring_reap(&f.ring[0], &used));
    assert_true(iotlb_serve() >= 1U);
    front_expect_used(&f, 0, id, 513);
    assert_true(test_mem_is(&f.mem, data, 9, 512));
    front_round(&f); /* known by now */
    assert_int_equal(iotlb_serve(), 0);
    assert_true(avps_vu_counters(f.back.vu)->misses >= 1U);
    front_close(&f);
}

/* After an invalidation is acknowledged nothing is touched there until it is told again. */
static void test_iotlb_invalidation_stops_rings_and_requests(void **state)
{
    iotlb_open(state);
    avps_gpa data = 0;
    struct test_used used;

    assert_int_equal(iotlb_send(UPDATE, 0, TEST_RAM_SIZE, 3), 0);
    front_round(&f);
    assert_int_equal(iotlb_send(INVALIDATE, 0, TEST_RAM_SIZE, 0), 0);
    const uint16_t id = front_blk(&f, 0, false, 4, &data);
    test_mem_freeze(&f.mem);
    front_kick(&f, 0);
    assert_false(test_ring_reap(&f.ring[0], &used));
    assert_int_equal(test_mem_changed(&f.mem, NULL, 0), 0);
    assert_true(iotlb_serve() >= 1U);
    front_expect_used(&f, 0, id, 513);
    front_close(&f);
}

/* A ring over a page border, told page by page, is one piece all the same. */
static void test_iotlb_ring_over_a_page_border_starts(void **state)
{
    iotlb_open_as(state, &(struct front_options){.device = FRONT_BLK, .iommu = true});
    const avps_gpa here = test_mem_alloc(&f.mem, 16, 1);
    (void)test_mem_alloc(&f.mem, (uint32_t)(8192U - here % 4096U - 16U - 160U), 1);
    front_ring_new(&f, 0);
    assert_true(f.ring[0].desc / 4096U != (f.ring[0].desc + 255U) / 4096U);
    front_ring_start(&f, 0);
    front_kick(&f, 0);
    assert_int_equal(iotlb_serve(), 2);
    for (uint8_t i = 0; i < 3U; i++) {
        avps_gpa data = 0;
        const uint16_t id = front_blk(&f, 0, false, i, &data);

        front_kick(&f, 0);
        (void)iotlb_serve();
        front_expect_used(&f, 0, id, 513);
        assert_true(test_mem_is(&f.mem, data, i, 512));
    }
    front_close(&f);
}

/* A request in flight keeps its own pages, and no others; its ring need not stop. */
static void test_iotlb_invalidation_waits_for_its_requests_only(void **state)
{
    struct front_message m;
    avps_gpa data = 0;

    iotlb_open_as(state,
                  &(struct front_options){.device = FRONT_BLK, .iommu = true, .waits = true});
    front_ring_new(&f, 0);
    front_ring_start(&f, 0);
    (void)test_mem_alloc(&f.mem, 4096, 4096); /* the request has pages of its own */
    for (uint64_t off = 0; off < 32U * 4096U; off += 4096) {
        assert_int_equal(iotlb_send(UPDATE, off, 4096, 3), 0);
    }
    const uint16_t id = front_blk(&f, 0, false, 9, &data);
    const uint64_t off = (data - TEST_RAM_GPA) & ~UINT64_C(0xfff);
    front_kick(&f, 0);
    assert_int_equal(iotlb_send(INVALIDATE, 31U * 4096U, 4096, 0), 0); /* at once */
    const struct iotlb msg = {.iova = FRONT_IOVA + off, .size = 4096, .type = INVALIDATE};
    front_send_flags(&f, F_IOTLB_MSG, FRONT_NEED_REPLY, &msg, sizeof msg, NULL, 0);
    assert_false(front_read(f.fd, &m)); /* not before the request is back */
    front_answer(&f);
    front_expect_used(&f, 0, id, 513);
    assert_true(test_mem_is(&f.mem, data, 9, 512));
    front_expect_reply(&f, F_IOTLB_MSG, &m);
    assert_int_equal(m.payload.u64, 0);
    front_close(&f);
}

/* What nobody uses is given up at once: no ring stops, and nothing is asked for again. */
static void test_iotlb_invalidation_elsewhere_disturbs_nobody(void **state)
{
    iotlb_open(state);
    front_kick(&f, 0);
    (void)iotlb_serve();
    for (uint64_t off = 0; off < 16U * 4096U; off += 4096) {
        assert_int_equal(iotlb_send(UPDATE, off, 4096, 3), 0);
    }
    front_round(&f);
    const uint64_t misses = avps_vu_counters(f.back.vu)->misses;
    for (uint64_t off = 64U * 4096U; off < 72U * 4096U; off += 4096) {
        assert_int_equal(iotlb_send(UPDATE, off, 4096, 3), 0);
        assert_int_equal(iotlb_send(INVALIDATE, off, 4096, 0), 0);
    }
    assert_int_equal(iotlb_send(INVALIDATE, 200U * 4096U, 8192, 0), 0); /* never known */
    front_round(&f);
    assert_int_equal(avps_vu_counters(f.back.vu)->misses, misses);
    front_close(&f);
}

/* A part of an entry that holds a ring outside the part: the ring stops, is asked for, and goes on. */
static void test_iotlb_invalidation_of_a_part_lets_go_of_the_whole(void **state)
{
    iotlb_open(state);
    assert_int_equal(iotlb_send(UPDATE, 0, TEST_RAM_SIZE, 3), 0);
    front_round(&f);
    const uint64_t misses = avps_vu_counters(f.back.vu)->misses;
    assert_int_equal(iotlb_send(INVALIDATE, TEST_RAM_SIZE - 4096U, 4096, 0), 0);
    front_kick(&f, 0);
    assert_true(iotlb_serve() >= 1U);
    front_round(&f);
    assert_true(avps_vu_counters(f.back.vu)->misses > misses);
    front_close(&f);
}

/* Reading is not writing. */
static void test_iotlb_permission_is_kept(void **state)
{
    iotlb_open(state);
    const avps_gpa page = test_mem_alloc(&f.mem, 8192, 4096);
    const uint64_t off = page - TEST_RAM_GPA;
    const avps_gpa header = test_mem_alloc(&f.mem, 17, 8);
    const struct test_desc table[] = {
        {header - TEST_RAM_GPA + FRONT_IOVA, 16, 0},
        {FRONT_IOVA + off, 512, TEST_WRITE},
        {header + 16U - TEST_RAM_GPA + FRONT_IOVA, 1, TEST_WRITE},
    };

    test_mem_fill(&f.mem, header, 0, 17);
    assert_int_equal(iotlb_send(UPDATE, 0, TEST_RAM_SIZE, 3), 0);
    assert_int_equal(iotlb_send(INVALIDATE, off, 4096, 0), 0);
    (void)iotlb_serve();
    assert_int_equal(iotlb_send(UPDATE, 0, off, 3), 0);
    assert_int_equal(iotlb_send(UPDATE, off, 4096, 1), 0);
    assert_int_equal(iotlb_send(UPDATE, off + 4096U, TEST_RAM_SIZE - off - 4096U, 3), 0);
    (void)test_ring_add(&f.ring[0], table, 3);
    front_kick(&f, 0);
    assert_true(test_mem_is(&f.mem, page, TEST_UNWRITTEN, 512));
    assert_int_equal(avps_device_counters(f.back.device)->faults[AVPS_FAULT_ACCESS], 1);
    front_close(&f);
}

static void test_iotlb_update_that_makes_no_sense_is_refused(void **state)
{
    iotlb_open(state);
    const struct iotlb wraps = {
        .iova = UINT64_MAX, .size = 2, .user = FRONT_USER, .perm = 3, .type = UPDATE};

    assert_int_equal(iotlb_send(UPDATE, 0, 0, 3), 1);
    assert_int_equal(iotlb_send(UPDATE, 0, 4096, 0), 1);
    assert_int_equal(iotlb_send(UPDATE, 0, 4096, 4), 1);
    assert_int_equal(iotlb_send(UPDATE, 0, TEST_RAM_SIZE + 1U, 3), 1);
    assert_int_equal(iotlb_send(UPDATE, TEST_RAM_SIZE, 1, 3), 1);
    assert_int_equal(front_ack(&f, F_IOTLB_MSG, &wraps, sizeof wraps, NULL, 0), 1);
    const struct iotlb miss = {.type = MISS};
    front_send(&f, F_IOTLB_MSG, &miss, sizeof miss, NULL, 0);
    assert_true(front_is_closed(&f));
    front_close(&f);
}

/* ---- dirty log ---- */

#define LOG_BYTES 4096U /* pages 0..32767: 128 MiB */

static uint8_t *log_map;
static int log_fd;

static void log_give(uint64_t size)
{
    const uint64_t area[2] = {size, 4096};
    struct front_message m;

    log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_int_equal(ftruncate(log_fd, 4096 + LOG_BYTES), 0);
    log_map = mmap(NULL, 4096 + LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);
    assert_true(log_map != MAP_FAILED);
    front_send(&f, F_SET_LOG_BASE, area, sizeof area, &log_fd, 1);
    front_expect_reply(&f, F_SET_LOG_BASE, &m);
}

static void log_free(void)
{
    assert_int_equal(munmap(log_map, 4096 + LOG_BYTES), 0);
    assert_int_equal(close(log_fd), 0);
}

static void log_switch(bool on)
{
    const uint64_t features = f.features | (on ? FRONT_LOG_ALL : 0U);

    assert_int_equal(front_ack(&f, F_SET_FEATURES, &features, 8, NULL, 0), 0);
}

/* Exactly these pages are marked; they are cleared. */
static void log_expect(const avps_gpa *addresses, size_t count)
{
    uint8_t want[LOG_BYTES] = {0};

    for (size_t i = 0; i < count; i++) {
        want[addresses[i] / 4096U / 8U] |= (uint8_t)(1U << (addresses[i] / 4096U % 8U));
    }
    assert_memory_equal(log_map + 4096, want, LOG_BYTES);
    (void)memset(log_map, 0, 4096 + LOG_BYTES);
}

/* One read of two pages' data, each area in pages of its own. */
static void test_log_marks_exactly_the_pages_written(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    front_start(&f, test_is_packed(state), P_LOG_SHMFD | P_BACKEND_REQ);
    (void)test_mem_alloc(&f.mem, 4096, 4096); /* behind the rings */
    const avps_gpa page = test_mem_alloc(&f.mem, 5U * 4096U, 4096);
    const avps_gpa log_addr = UINT64_C(0x00700000); /* no guest memory there */
    const avps_gpa status = page + 4U * 4096U;
    const struct test_desc table[] = {
        {page, 16, 0}, {page + 8192U - 256U, 512, TEST_WRITE}, {status, 1, TEST_WRITE}};

    test_mem_fill(&f.mem, page, 0, 16);
    log_give(LOG_BYTES);
    log_switch(true);
    front_ring_addr(&f, 0, 1, log_addr);
    (void)memset(log_map, 0, 4096 + LOG_BYTES);
    const uint16_t id = test_ring_add(&f.ring[0], table, 3);
    front_kick(&f, 0);
    front_expect_used(&f, 0, id, 513);
    const avps_gpa data[] = {page + 4096U, page + 8192U, status, log_addr, f.ring[0].desc};
    log_expect(data, f.packed ? 5 : 4); /* packed: used descriptors are in the descriptor ring */

    front_ring_addr(&f, 0, 0, FRONT_NOTHING); /* used ring not logged any more */
    (void)test_ring_add(&f.ring[0], table, 3);
    front_kick(&f, 0);
    const avps_gpa fewer[] = {page + 4096U, page + 8192U, status, f.ring[0].desc};
    log_expect(fewer, f.packed ? 4 : 3);

    log_switch(false);
    (void)test_ring_add(&f.ring[0], table, 3);
    front_kick(&f, 0);
    log_expect(NULL, 0);
    log_free();
    front_close(&f);
}

/* Behind an IOMMU pages are logged by the guest addresses that they are, rings too. */
static void test_log_behind_an_iommu_marks_guest_addresses(void **state)
{
    front_open(&f, &(struct front_options){.device = FRONT_BLK, .iommu = true});
    front_negotiate(&f, P_REPLY_ACK | P_BACKEND_REQ | P_CONFIG | P_LOG_SHMFD,
                    FRONT_BASIC | FRONT_PROTOCOL | FRONT_IOMMU |
                        (test_is_packed(state) ? FRONT_PACKED : 0U));
    front_backend_channel(&f);
    front_give_memory(&f);
    front_ring_new(&f, 0);
    front_ring_start(&f, 0);
    const avps_gpa page = test_mem_alloc(&f.mem, 4U * 4096U, 4096);
    const avps_gpa first = page - TEST_RAM_GPA + FRONT_IOVA;
    const struct test_desc table[] = {
        {first, 16, 0}, {first + 8192U - 256U, 512, TEST_WRITE}, {first + 12288U, 1, TEST_WRITE}};

    test_mem_fill(&f.mem, page, 0, 16);
    log_give(LOG_BYTES);
    log_switch(true);
    front_kick(&f, 0);
    (void)iotlb_serve();
    (void)memset(log_map, 0, 4096 + LOG_BYTES);
    const uint16_t id = test_ring_add(&f.ring[0], table, 3);
    front_kick(&f, 0);
    (void)iotlb_serve();
    front_expect_used(&f, 0, id, 513);
    const avps_gpa data[] = {page + 4096U, page + 8192U, page + 12288U, f.ring[0].desc,
                             f.ring[0].device};
    log_expect(data, 5);
    log_free();
    front_close(&f);
}

static void test_log_rings_its_event(void **state)
{
    const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t count = 0;

    (void)state;
    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    front_start(&f, false, P_LOG_SHMFD);
    log_give(LOG_BYTES);
    front_send(&f, F_SET_LOG_FD, NULL, 0, &event, 1);
    log_switch(true);
    front_round(&f);
    assert_int_equal(read(event, &count, sizeof count), sizeof count);
    log_free();
    front_close(&f);
    (void)close(event);
}

/* A log that is too short for guest memory ends the connection, and nothing is written behind it. */
static void test_log_that_is_too_short_closes(void **state)
{
    (void)state;
    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    front_start(&f, false, P_LOG_SHMFD);
    log_give(16); /* pages 0..127: guest memory begins at 256 */
    log_switch(true);
    avps_gpa data = 0;
    (void)front_blk(&f, 0, false, 1, &data);
    front_kick(&f, 0);
    assert_true(front_is_closed(&f));
    assert_non_null(strstr(f.back.line, "dirty log"));
    log_expect(NULL, 0);
    log_free();
    front_close(&f);
}

/* ---- device state ---- */

static uint64_t state_begin(uint32_t direction, int fd)
{
    const uint32_t payload[2] = {direction, 0};
    struct front_message m;

    front_send(&f, F_SET_DEVICE_STATE_FD, payload, sizeof payload, &fd, 1);
    front_expect_reply(&f, F_SET_DEVICE_STATE_FD, &m);
    return m.payload.u64;
}

static size_t state_save(uint8_t *bytes, size_t room)
{
    int ends[2];
    size_t len = 0;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(state_begin(0, ends[1]), 0x100);
    (void)close(ends[1]);
    front_step(&f);
    for (ssize_t n = 1; n > 0; len += (size_t)n) {
        n = read(ends[0], bytes + len, room - len);
        assert_true(n >= 0);
    }
    (void)close(ends[0]);
    assert_int_equal(front_ask(&f, F_CHECK_DEVICE_STATE), 0);
    return len;
}

static uint64_t state_load(const uint8_t *bytes, size_t len)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(state_begin(1, ends[0]), 0x100);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], bytes, len), (ssize_t)len);
    (void)close(ends[1]);
    front_step(&f);
    return front_ask(&f, F_CHECK_DEVICE_STATE);
}

/* A stopped device moves to another instance: cache mode, features, places in the rings. */
static void test_state_moves_between_instances(void **state)
{
    uint8_t bytes[4096];
    uint32_t base[2];
    const struct {
        uint32_t head[3];
        uint8_t value;
    } write_through = {{32, 1, 0}, 0};

    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    f.packed = test_is_packed(state);
    const uint64_t features = FRONT_BASIC | FRONT_PROTOCOL | FRONT_BLK_MQ | UINT64_C(1) << 9 |
                              UINT64_C(1) << 11 | (f.packed ? FRONT_PACKED : 0U);
    front_negotiate(&f, P_REPLY_ACK | P_CONFIG | P_DEVICE_STATE, features);
    front_give_memory(&f);
    for (uint16_t i = 0; i < 2U; i++) {
        front_ring_new(&f, i);
        front_ring_start(&f, i);
    }
    assert_true(avps_blk_is_writeback(&f.back.blk)); /* as a device without that state has it */
    front_send(&f, F_SET_CONFIG, &write_through, 13, NULL, 0);
    for (unsigned int i = 0; i < 5U; i++) {
        front_round(&f);
    }
    base[0] = front_ring_stop(&f, 0);
    base[1] = front_ring_stop(&f, 1);
    const size_t len = state_save(bytes, sizeof bytes);
    assert_true(len > 32U);

    front_back_free(&f);
    front_back_new(&f);
    const uint64_t protocol = P_REPLY_ACK | P_CONFIG | P_DEVICE_STATE;
    front_send(&f, F_SET_PROTOCOL_FEATURES, &protocol, 8, NULL, 0);
    assert_int_equal(state_load(bytes, len), 0);
    front_send(&f, F_SET_FEATURES, &features, 8, NULL, 0);
    assert_false(avps_blk_is_writeback(&f.back.blk));
    front_give_memory(&f);
    for (uint16_t i = 0; i < 2U; i++) {
        front_ring_num(&f, i);
        front_ring_base(&f, i, base[i]);
        front_ring_addr(&f, i, 0, FRONT_NOTHING);
        front_ring_kick(&f, i);
        front_ring_call(&f, i);
        front_ring_enable(&f, i, 1);
    }
    front_round(&f);
    assert_int_equal(f.back.errors, 0);
    front_close(&f);
}

static void test_state_that_is_broken_is_refused(void **state)
{
    uint8_t bytes[4096];

    (void)state;
    front_open(&f, &(struct front_options){.device = FRONT_BLK});
    front_negotiate(&f, P_REPLY_ACK | P_CONFIG | P_DEVICE_STATE, FRONT_BASIC | FRONT_PROTOCOL);
    const size_t len = state_save(bytes, sizeof bytes);
    for (size_t i = 0; i < 6U; i++) { /* magic and version */
        bytes[i] ^= 1U;
        assert_int_equal(state_load(bytes, len), 1);
        bytes[i] ^= 1U;
    }
    assert_int_equal(state_load(bytes, len - 1U), 1);
    assert_int_equal(state_load(bytes, 0), 1);
    assert_int_equal(state_load(bytes, len), 0);
    assert_int_equal(front_ask(&f, F_CHECK_DEVICE_STATE), 1); /* nothing was transferred since */
    front_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_iotlb_miss_is_told_and_waited_for, NULL, NULL),
        TEST_BOTH(test_iotlb_invalidation_stops_rings_and_requests, NULL, NULL),
        TEST_BOTH(test_iotlb_ring_over_a_page_border_starts, NULL, NULL),
        TEST_BOTH(test_iotlb_invalidation_waits_for_its_requests_only, NULL, NULL),
        TEST_BOTH(test_iotlb_invalidation_elsewhere_disturbs_nobody, NULL, NULL),
        TEST_BOTH(test_iotlb_invalidation_of_a_part_lets_go_of_the_whole, NULL, NULL),
        TEST_BOTH(test_iotlb_permission_is_kept, NULL, NULL),
        TEST_SPLIT(test_iotlb_update_that_makes_no_sense_is_refused, NULL, NULL),
        TEST_BOTH(test_log_marks_exactly_the_pages_written, NULL, NULL),
        TEST_BOTH(test_log_behind_an_iommu_marks_guest_addresses, NULL, NULL),
        cmocka_unit_test(test_log_rings_its_event),
        cmocka_unit_test(test_log_that_is_too_short_closes),
        TEST_BOTH(test_state_moves_between_instances, NULL, NULL),
        cmocka_unit_test(test_state_that_is_broken_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
