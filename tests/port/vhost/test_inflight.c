/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests in flight outlive the back end: layouts -> a region from start to end -> the instants a
 * process can die at -> regions that lie -> a process killed under load, again and again. */
#include "front.h"

#include <endian.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../port/vhost-user/inflight.h"

/* ---- layouts: as the protocol's document draws them ---- */

static void test_inflight_region_has_the_documented_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct vu_split_entry), 16);
    assert_int_equal(offsetof(struct vu_split_entry, next), 6);
    assert_int_equal(offsetof(struct vu_split_entry, counter), 8);
    assert_int_equal(offsetof(struct vu_split_region, version), 8);
    assert_int_equal(offsetof(struct vu_split_region, desc_num), 10);
    assert_int_equal(offsetof(struct vu_split_region, last_batch_head), 12);
    assert_int_equal(offsetof(struct vu_split_region, used_idx), 14);
    assert_int_equal(offsetof(struct vu_split_region, desc), 16);
    assert_int_equal(sizeof(struct vu_packed_entry), 32);
    assert_int_equal(offsetof(struct vu_packed_entry, next), 2);
    assert_int_equal(offsetof(struct vu_packed_entry, last), 4);
    assert_int_equal(offsetof(struct vu_packed_entry, num), 6);
    assert_int_equal(offsetof(struct vu_packed_entry, counter), 8);
    assert_int_equal(offsetof(struct vu_packed_entry, id), 16);
    assert_int_equal(offsetof(struct vu_packed_entry, flags), 18);
    assert_int_equal(offsetof(struct vu_packed_entry, len), 20);
    assert_int_equal(offsetof(struct vu_packed_entry, addr), 24);
    assert_int_equal(offsetof(struct vu_packed_region, free_head), 12);
    assert_int_equal(offsetof(struct vu_packed_region, old_free_head), 14);
    assert_int_equal(offsetof(struct vu_packed_region, used_idx), 16);
    assert_int_equal(offsetof(struct vu_packed_region, old_used_idx), 18);
    assert_int_equal(offsetof(struct vu_packed_region, used_wrap_counter), 20);
    assert_int_equal(offsetof(struct vu_packed_region, old_used_wrap_counter), 21);
    assert_int_equal(offsetof(struct vu_packed_region, desc), 32);
}

/* ---- a region from start to end ---- */

static struct front f;
static int region_fd;
static size_t region_size;
static uint8_t *region;

static uint64_t inflight_features(void)
{
    return FRONT_BASIC | FRONT_PROTOCOL | FRONT_BLK_MQ | (f.packed ? FRONT_PACKED : 0U);
}

static void map_region(int fd, size_t size)
{
    region_fd = fd;
    region_size = size;
    region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(region != MAP_FAILED);
}

static void get_region(void)
{
    const uint64_t ask[3] = {0, 0, FRONT_REGION_OF(2, FRONT_SIZE)};
    struct front_message m;

    front_send(&f, F_GET_INFLIGHT_FD, ask, sizeof ask, NULL, 0);
    front_expect_reply(&f, F_GET_INFLIGHT_FD, &m);
    assert_int_equal(m.header.size, 24);
    assert_true(m.fd >= 0);
    assert_int_equal(m.payload.words[1], 0);
    assert_int_equal(m.payload.words[2], ask[2]);
    map_region(m.fd, (size_t)m.payload.words[0]);
}

static void set_region(void)
{
    const uint64_t give[3] = {region_size, 0, FRONT_REGION_OF(2, FRONT_SIZE)};

    front_send(&f, F_SET_INFLIGHT_FD, give, sizeof give, &region_fd, 1);
}

/* Messages of a front end that starts, or starts again: what it knows of a base after a crash is
 * stale. */
static void hello(void)
{
    front_negotiate(&f, P_REPLY_ACK | P_CONFIG | P_INFLIGHT, inflight_features());
    front_give_memory(&f);
    if (region == NULL) {
        get_region();
    }
    set_region();
}

static void start_ring(uint16_t i, uint32_t base)
{
    front_ring_num(&f, i);
    front_ring_base(&f, i, base);
    front_ring_addr(&f, i, 0, FRONT_NOTHING);
    front_ring_kick(&f, i);
    front_ring_call(&f, i);
    front_ring_enable(&f, i, 1);
}

static void start_rings(uint32_t base)
{
    start_ring(0, base);
    start_ring(1, base);
}

static void open_with_region(void **state)
{
    region = NULL;
    front_open(&f, &(struct front_options){.device = FRONT_BLK, .waits = true});
    f.packed = test_is_packed(state);
    hello();
    front_ring_new(&f, 0);
    front_ring_new(&f, 1);
    start_rings(f.packed ? 0x80008000U : 0U);
}

static void close_with_region(void)
{
    assert_int_equal(munmap(region, region_size), 0);
    assert_int_equal(close(region_fd), 0);
    front_close(&f);
}

/* The process is gone: what it had in its memory is lost. A new one is connected to. */
static void crash(void)
{
    front_back_free(&f);
    front_back_new(&f);
    hello();
}

/* Entries marked in flight in queue 0. */
static unsigned int marked(void)
{
    const struct vu_split_region *split = (const void *)region;
    const struct vu_packed_region *packed = (const void *)region;
    unsigned int count = 0;

    for (unsigned int i = 0; i < FRONT_SIZE; i++) {
        count += f.packed ? packed->desc[i].inflight : split->desc[i].inflight;
    }
    return count;
}

static void test_inflight_marks_what_is_being_served(void **state)
{
    open_with_region(state);
    avps_gpa data[3];

    assert_int_equal(marked(), 0);
    for (uint16_t i = 0; i < 3U; i++) {
        (void)front_blk(&f, 0, false, i, &data[i]);
    }
    front_kick(&f, 0);
    assert_int_equal(marked(), 3);
    front_answer(&f);
    assert_int_equal(marked(), 0);
    close_with_region();
}

/* Everything in flight is served again, in the order of fetching, and what is new after it. */
static void test_inflight_requests_are_served_again_after_a_crash(void **state)
{
    open_with_region(state);
    avps_gpa data[4];
    uint16_t id[4];

    front_round(&f);
    front_round(&f);
    for (uint16_t i = 0; i < 3U; i++) {
        id[i] = front_blk(&f, 0, false, 20U + i, &data[i]);
    }
    front_kick(&f, 0);
    crash();
    assert_int_equal(marked(), 3);
    id[3] = front_blk(&f, 0, false, 23, &data[3]); /* while nobody was there */
    start_rings(f.packed ? 0x80008000U : 2U);
    assert_int_equal(avps_vu_counters(f.back.vu)->resubmitted, 3);
    assert_true(front_calls(&f, 0) != 0U);
    assert_int_equal(marked(), 4);
    front_answer(&f);
    for (uint16_t i = 0; i < 4U; i++) {
        front_expect_used(&f, 0, id[3U - i], 513);
        assert_true(test_mem_is(&f.mem, data[i], (uint8_t)(20U + i), 512));
    }
    struct test_used used;
    assert_false(test_ring_reap(&f.ring[0], &used));
    assert_int_equal(marked(), 0);
    for (unsigned int i = 0; i < 40U; i++) {
        front_round(&f);
    }
    close_with_region();
}

/* A front end that stops and starts its machine keeps the region; packed positions come from it. */
static void test_inflight_region_survives_a_stop(void **state)
{
    open_with_region(state);
    for (unsigned int i = 0; i < 9U; i++) {
        front_round(&f);
    }
    const uint32_t base = front_ring_stop(&f, 0);
    (void)front_ring_stop(&f, 1);
    front_ring_base(&f, 0, base);
    front_ring_kick(&f, 0);
    front_round(&f);
    crash();
    start_rings(f.packed ? 0x80008000U : 10U);
    front_round(&f);
    assert_int_equal(f.back.errors, 0);
    close_with_region();
}

/* ---- instants to die at ---- */

/* Two requests returned and shown, then the process dies before it clears their marks: put the
 * region back to what it was just before and see that they are not served twice. */
static void test_inflight_batch_that_was_shown_is_not_repeated(void **state)
{
    open_with_region(state);
    avps_gpa data[3];
    uint16_t id[3];
    uint8_t *before = malloc(region_size);

    assert_non_null(before);
    for (uint16_t i = 0; i < 3U; i++) {
        id[i] = front_blk(&f, 0, false, i, &data[i]);
    }
    front_kick(&f, 0);
    (void)memcpy(before, region, region_size);
    front_answer(&f);
    /* marks and positions as before the batch, but its list linked: the store that shows the batch
     * was the last one */
    if (f.packed) {
        struct vu_packed_region *now = (void *)region;
        const struct vu_packed_region *then = (const void *)before;

        now->old_free_head = then->old_free_head;
        now->old_used_idx = then->old_used_idx;
        now->old_used_wrap_counter = then->old_used_wrap_counter;
        for (unsigned int i = 0; i < FRONT_SIZE; i++) {
            now->desc[i].inflight = then->desc[i].inflight;
        }
    } else {
        struct vu_split_region *now = (void *)region;
        const struct vu_split_region *then = (const void *)before;

        now->used_idx = then->used_idx;
        for (unsigned int i = 0; i < FRONT_SIZE; i++) {
            now->desc[i].inflight = then->desc[i].inflight;
        }
    }
    free(before);
    assert_int_equal(marked(), 3);
    crash();
    start_rings(f.packed ? 0x80008000U : 3U);
    assert_int_equal(avps_vu_counters(f.back.vu)->resubmitted, 0);
    assert_int_equal(marked(), 0);
    for (uint16_t i = 0; i < 3U; i++) {
        front_expect_used(&f, 0, id[2U - i], 513);
    }
    front_round(&f);
    close_with_region();
}

/* Packed: used descriptors behind the first one are in the ring before the batch is shown. */
static void test_inflight_batch_that_was_not_shown_is_rolled_back(void **state)
{
    open_with_region(state);
    avps_gpa data[3];
    uint16_t id[3];
    struct test_used used;

    for (uint16_t i = 0; i < 3U; i++) {
        id[i] = front_blk(&f, 0, false, i, &data[i]);
    }
    front_kick(&f, 0);
    /* the process has written two used descriptors, 3 and 6, but not the one they hide behind */
    for (uint32_t at = 3; at < 9U; at += 3U) {
        const uint16_t flags = TEST_AVAIL | TEST_USED | TEST_WRITE;

        test_mem_put32(&f.mem, test_ring_desc_at(&f.ring[0], at) + 8U, 513);
        test_mem_put16(&f.mem, test_ring_desc_at(&f.ring[0], at) + 12U, id[at / 3U]);
        test_mem_put16(&f.mem, test_ring_desc_at(&f.ring[0], at) + 14U, flags);
    }
    crash();
    start_rings(0x80008000U);
    assert_int_equal(avps_vu_counters(f.back.vu)->resubmitted, 3);
    assert_false(test_ring_reap(&f.ring[0], &used));
    for (uint32_t at = 3; at < 9U; at += 3U) {
        const avps_gpa flags = test_ring_desc_at(&f.ring[0], at) + 14U;

        assert_int_equal(test_mem_get16(&f.mem, flags) & (TEST_AVAIL | TEST_USED), TEST_AVAIL);
    }
    front_answer(&f);
    for (uint16_t i = 0; i < 3U; i++) {
        front_expect_used(&f, 0, id[2U - i], 513);
        assert_true(test_mem_is(&f.mem, data[i], (uint8_t)i, 512));
    }
    front_round(&f);
    close_with_region();
}

/* ---- regions that lie ---- */

struct lie {
    size_t offset;
    uint16_t value;
};

static void put_lie(const struct lie *lie)
{
    const uint16_t value = lie->value;

    (void)memcpy(region + lie->offset, &value, sizeof value);
    if (lie->offset == 12U && !f.packed) { /* the list, and a batch of one */
        const uint16_t one = 0xffff;

        (void)memcpy(region + 14U, &one, sizeof one);
    }
}

static void expect_refused(const struct lie *lie)
{
    put_lie(lie);
    start_ring(0, f.packed ? 0x80008000U : 0U);
    assert_true(front_is_closed(&f));
    assert_int_equal(avps_vu_counters(f.back.vu)->refused, 1);
    assert_non_null(strstr(f.back.line, "in-flight region"));
}

static void test_inflight_region_that_lies_is_refused(void **state)
{
    static const struct lie split[] = {
        {8, 2},       /* version */
        {10, 15},     /* another queue size */
        {14, 0x8000}, /* used index far away */
        {12, 16},     /* batch of one from outside */
    };
    static const struct lie packed[] = {
        {8, 2},                 /* version */
        {10, 17},               /* another queue size */
        {14, 17},               /* free list outside */
        {18, 16},               /* position outside */
        {32 + 9 * 32 + 2, 9},   /* free list with a loop */
        {32 + 2, 0},            /* chain with a loop */
        {32 + 6, 16},           /* chain that runs into the free list */
        {32 + 6, 0},            /* chain of nothing */
        {32 + 2 * 32 + 16, 16}, /* id outside */
        {32 + 5 * 32 + 16, 0},  /* id of another chain */
    };
    const bool is_packed = test_is_packed(state);
    const struct lie *lies = is_packed ? packed : split;
    const size_t count =
        is_packed ? sizeof packed / sizeof packed[0] : sizeof split / sizeof split[0];

    for (size_t i = 0; i < count; i++) {
        open_with_region(state);
        avps_gpa data = 0;

        for (uint16_t n = 0; n < 3U; n++) {
            (void)front_blk(&f, 0, false, n, &data);
        }
        front_kick(&f, 0);
        crash();
        expect_refused(&lies[i]);
        close_with_region();
    }
}

/* ---- killed under load ---- */

#define LOAD_REQUESTS 3000U
#define LOAD_DEPTH    4U
#define LOAD_KILLS    25U

static pid_t server;

/* The back end's process: answers out of order, at its leisure, until it is killed. */
static void serve(void)
{
    for (unsigned int i = 0;; i++) {
        if (avps_posix_loop_step(&f.loop, false) != AVPS_OK) {
            _exit(1);
        }
        if (i % 3U == 0U) {
            (void)avps_sim_ramdisk_poll(&f.back.disk);
            (void)sched_yield();
        }
    }
}

static void start_server(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        (void)close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        if (avps_posix_loop_init(&f.loop) != AVPS_OK) {
            _exit(1);
        }
        front_back_new_on(&f, ends[1]);
        serve();
    }
    (void)close(ends[1]);
    f.fd = ends[0];
}

static void kill_server(void)
{
    int status = 0;

    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(f.fd);
    f.fd = -1;
}

/* Requests in flight, by chain id. */
struct load {
    uint64_t number[FRONT_SIZE]; /* 0: none */
    avps_gpa data[FRONT_SIZE];
    uint64_t next;
    uint64_t done;
    unsigned int in_flight;
    size_t mark;
};

/* Each request writes its number into a sector that no other one in flight uses. */
static void load_submit(struct load *load)
{
    avps_gpa data = 0;

    load->next++;
    const uint16_t id = front_blk(&f, 0, true, load->next % FRONT_SECTORS, &data);
    test_mem_put64(&f.mem, data, load->next);
    test_mem_put(&f.mem, data + 512U, "x", 1);
    load->number[id] = load->next;
    load->data[id] = data;
    load->in_flight++;
}

static bool load_reap(struct load *load)
{
    struct test_used used;
    uint64_t written = 0;

    if (!test_ring_reap(&f.ring[0], &used)) { /* fails the test for what is not in flight */
        return false;
    }
    assert_int_not_equal(load->number[used.id], 0);
    assert_true(test_mem_is(&f.mem, load->data[used.id] + 512U, 0, 1));
    (void)memcpy(&written, f.disk + load->number[used.id] % FRONT_SECTORS * 512U, sizeof written);
    assert_int_equal(le64toh(written), load->number[used.id]);
    load->number[used.id] = 0;
    load->in_flight--;
    load->done++;
    return true;
}

static void load_fill(struct load *load)
{
    const uint64_t one = 1;

    if (load->in_flight == 0U) {
        test_mem_rewind(&f.mem, load->mark);
    }
    if (load->in_flight > LOAD_DEPTH / 2U) {
        return;
    }
    while (load->in_flight < LOAD_DEPTH && load->next < LOAD_REQUESTS) {
        load_submit(load);
    }
    assert_int_equal(write(f.kick[0], &one, sizeof one), sizeof one);
}

static void restart_server(void)
{
    kill_server();
    start_server();
    hello();
    start_rings(f.packed ? 0x80008000U : test_ring_used_idx(&f.ring[0]));
}

static void load_run(struct load *load)
{
    unsigned int kills = 0;
    uint64_t next_kill = 50;

    while (load->done < LOAD_REQUESTS) {
        if (load->next - load->done < LOAD_DEPTH) {
            load_fill(load);
        }
        if (load->done >= next_kill && kills < LOAD_KILLS && load->in_flight != 0U) {
            restart_server();
            kills++;
            next_kill = load->done + 37U + kills * 5U % 61U;
        }
        while (load_reap(load)) {
        }
        (void)sched_yield();
        if (load->in_flight == 0U) {
            test_mem_rewind(&f.mem, load->mark);
        }
    }
    assert_int_equal(kills, LOAD_KILLS);
}

static void test_inflight_nothing_is_lost_or_repeated_when_the_process_is_killed(void **state)
{
    static struct load load;

    (void)memset(&load, 0, sizeof load);
    region = NULL;
    front_open(&f, &(struct front_options){.device = FRONT_BLK, .waits = true, .elsewhere = true});
    f.packed = test_is_packed(state);
    start_server();
    hello();
    front_ring_new(&f, 0);
    front_ring_new(&f, 1);
    load.mark = test_mem_mark(&f.mem);
    start_rings(f.packed ? 0x80008000U : 0U);
    load_run(&load);
    for (uint64_t n = LOAD_REQUESTS - FRONT_SECTORS + 1U; n <= LOAD_REQUESTS; n++) {
        uint64_t last = 0;

        (void)memcpy(&last, f.disk + n % FRONT_SECTORS * 512U, sizeof last);
        assert_int_equal(le64toh(last), n); /* no old write came again */
    }
    kill_server();
    close_with_region();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inflight_region_has_the_documented_layout),
        TEST_BOTH(test_inflight_marks_what_is_being_served, NULL, NULL),
        TEST_BOTH(test_inflight_requests_are_served_again_after_a_crash, NULL, NULL),
        TEST_BOTH(test_inflight_region_survives_a_stop, NULL, NULL),
        TEST_BOTH(test_inflight_batch_that_was_shown_is_not_repeated, NULL, NULL),
        TEST_PACKED(test_inflight_batch_that_was_not_shown_is_rolled_back, NULL, NULL),
        TEST_BOTH(test_inflight_region_that_lies_is_refused, NULL, NULL),
        TEST_BOTH(test_inflight_nothing_is_lost_or_repeated_when_the_process_is_killed, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
