/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's windows behind Xen's IOREQ server: every CPU's requests, interrupts, flushing, opening and
 * closing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "avps/rng.h"
#include "avps_sim/entropy.h"
#include "avps_xen/guest.h"
#include "avps_xen/memory.h"
#include "double.h"

#define WINDOW 0x2000000U
#define EMPTY  0x2000200U
#define IRQ    33U

static struct {
    struct avps_xen_guest guest;
    struct avps_xen_foreign foreign;
    struct avps_mem mem;
    struct avps_sim_entropy entropy;
    struct avps_rng rng;
    struct avps_queue queue;
    struct avps_device *work; /* what the port asked for */
    uint32_t flushes;
} fixture;

static void note_work(void *ctx, struct avps_device *device)
{
    assert_ptr_equal(ctx, &fixture);
    fixture.work = device;
}

static void note_flush(void *ctx)
{
    assert_ptr_equal(ctx, &fixture);
    fixture.flushes++;
}

static const struct avps_xen_guest_config config = {.model = (void *)&xen,
                                                    .memory = (void *)&xen,
                                                    .domain = DOUBLE_DOMAIN,
                                                    .work = note_work,
                                                    .flush = note_flush,
                                                    .ctx = &fixture};

static void make_device(void)
{
    struct avps_rng_config rng = {.ops = avps_sim_entropy_ops(), .ctx = &fixture.entropy};

    avps_sim_entropy_init(&fixture.entropy, 1, 4096);
    rng.base = (struct avps_device_config){
        .mem = &fixture.mem, .queues = &fixture.queue, .queue_count = 1, .queue_size_max = 8};
    assert_int_equal(avps_xen_foreign_open(&fixture.foreign, (void *)&xen, DOUBLE_DOMAIN,
                                           DOUBLE_GPA, (uint64_t)DOUBLE_PAGES * DOUBLE_PAGE),
                     AVPS_OK);
    assert_int_equal(avps_xen_foreign_mem(&fixture.foreign, &fixture.mem), AVPS_OK);
    assert_int_equal(avps_rng_init(&fixture.rng, &rng), AVPS_OK);
}

static void open_guest(bool buffered)
{
    xen.has_buffered = buffered;
    assert_int_equal(avps_xen_guest_open(&fixture.guest, &config), AVPS_OK);
    assert_int_equal(avps_xen_guest_add(&fixture.guest, &fixture.rng.base, WINDOW, IRQ), AVPS_OK);
    assert_int_equal(avps_xen_guest_add(&fixture.guest, NULL, EMPTY, IRQ + 1U), AVPS_OK);
    assert_int_equal(avps_xen_guest_start(&fixture.guest), AVPS_OK);
}

static int setup(void **state)
{
    (void)state;
    double_init();
    fixture.work = NULL;
    fixture.flushes = 0;
    make_device();
    open_guest(false);
    return 0;
}

static int setup_buffered(void **state)
{
    (void)state;
    double_init();
    make_device();
    open_guest(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    avps_xen_guest_close(&fixture.guest);
    assert_true(xen.destroyed);
    assert_null(xen.server);
    assert_int_equal(xen.bound, 0);
    avps_xen_foreign_close(&fixture.foreign);
    double_free();
    return 0;
}

/* CPU `cpu` accesses; its event comes on the port bound for it. @return The value of a load. */
static uint64_t access_by(uint32_t cpu, uint64_t gpa, bool is_write, uint32_t value)
{
    struct ioreq *slot = &xen.server->slots[cpu];

    slot->type = IOREQ_TYPE_COPY;
    slot->addr = gpa;
    slot->data = value;
    slot->count = 1;
    slot->size = 4;
    slot->dir = is_write ? IOREQ_WRITE : IOREQ_READ;
    slot->state = STATE_IOREQ_READY;
    xen.pending = (int)(DOUBLE_EVENTS + cpu + (xen.has_buffered ? 1U : 0U));
    avps_xen_guest_serve(&fixture.guest);
    assert_int_equal(slot->state, STATE_IORESP_READY);
    assert_int_equal(xen.notified, DOUBLE_EVENTS + cpu + (xen.has_buffered ? 1U : 0U));
    return slot->data;
}

static uint64_t load(uint32_t offset)
{
    return access_by(0, WINDOW + offset, false, 0);
}

static void store(uint32_t offset, uint32_t value)
{
    (void)access_by(0, WINDOW + offset, true, value);
}

static void test_opens_an_enabled_server_with_all_windows(void **state)
{
    (void)state;
    assert_true(xen.enabled);
    assert_int_equal(xen.range_count, 2);
    assert_int_equal(xen.ranges[0][0], WINDOW);
    assert_int_equal(xen.ranges[0][1], WINDOW + AVPS_MMIO_SIZE - 1U);
    assert_int_equal(xen.ranges[1][0], EMPTY);
    assert_int_equal(xen.bound, DOUBLE_CPUS);
    assert_int_equal(avps_xen_guest_fd(&fixture.guest), 1234);
}

static void test_serves_every_cpu(void **state)
{
    (void)state;
    for (uint32_t cpu = 0; cpu < DOUBLE_CPUS; cpu++) {
        assert_int_equal(access_by(cpu, WINDOW, false, 0), 0x74726976);
        assert_int_equal(access_by(cpu, WINDOW + 8U, false, 0), 4);
    }
    assert_int_equal(fixture.guest.counters.accesses, 2U * DOUBLE_CPUS);
}

static void test_shows_a_window_without_a_device(void **state)
{
    (void)state;
    assert_int_equal(access_by(0, EMPTY, false, 0), 0x74726976);
    assert_int_equal(access_by(0, EMPTY + 4U, false, 0), 2);
    assert_int_equal(access_by(0, EMPTY + 8U, false, 0), 0); /* no device */
    assert_int_equal(access_by(0, EMPTY + 0x70U, true, 1), 1);
    assert_int_equal(access_by(0, EMPTY + 0x70U, false, 0), 0);
}

static void test_answers_all_ones_where_nothing_is(void **state)
{
    (void)state;
    assert_int_equal(access_by(1, WINDOW + 0x10000U, false, 0), UINT64_MAX);
    assert_int_equal(fixture.guest.counters.unknown, 1);
}

static void test_leaves_events_alone_that_are_no_requests(void **state)
{
    (void)state;
    xen.notified = 0;
    xen.pending = DOUBLE_EVENTS; /* the slot is empty */
    avps_xen_guest_serve(&fixture.guest);
    xen.pending = 1; /* no port of ours */
    avps_xen_guest_serve(&fixture.guest);
    avps_xen_guest_serve(&fixture.guest); /* none */
    assert_int_equal(xen.notified, 0);
}

static void test_tells_of_pages_given_back(void **state)
{
    struct ioreq *slot = &xen.server->slots[2];

    (void)state;
    slot->type = IOREQ_TYPE_INVALIDATE;
    slot->state = STATE_IOREQ_READY;
    xen.pending = DOUBLE_EVENTS + 2;
    avps_xen_guest_serve(&fixture.guest);
    assert_int_equal(fixture.flushes, 1);
    assert_int_equal(slot->state, STATE_IORESP_READY);
}

/* A driver's start: features, a queue in guest memory, one buffer. */
static void start_driver(void)
{
    store(0x70, 0);
    store(0x70, 3);
    store(0x24, 1);
    store(0x20, 1); /* VERSION_1 */
    store(0x70, 11);
    store(0x30, 0);
    store(0x38, 8);
    store(0x80, DOUBLE_GPA);
    store(0x90, DOUBLE_GPA + 0x1000U);
    store(0xa0, DOUBLE_GPA + 0x2000U);
    store(0x44, 1);
    store(0x70, 15);
    assert_int_equal(load(0x70), 15);
}

static void put_buffer(void)
{
    const uint32_t address = DOUBLE_GPA + 0x3000U;
    const uint32_t desc[4] = {address, 0, 64, 2};

    for (uint32_t i = 0; i < sizeof desc; i++) {
        xen.ram[i] = (uint8_t)(desc[i / 4U] >> (8U * (i % 4U)));
    }
    xen.ram[0x1002] = 1; /* one is available: descriptor 0 */
}

static void test_carries_a_request_and_its_interrupt(void **state)
{
    (void)state;
    start_driver();
    put_buffer();
    store(AVPS_MMIO_QUEUE_NOTIFY, 0);
    assert_ptr_equal(fixture.work, &fixture.rng.base);
    assert_int_equal(xen.irq_calls, 0); /* a doorbell serves nothing itself */
    assert_int_equal(avps_poll(&fixture.rng.base, 8), AVPS_POLL_IDLE);
    assert_int_equal(xen.ram[0x2002], 1);
    assert_int_equal(xen.ram[0x2008], 64);
    assert_int_equal(xen.irq, IRQ);
    assert_true(xen.irq_high);
    assert_int_equal(load(0x60), 1);
    store(0x64, 1);
    assert_false(xen.irq_high);
    assert_int_equal(avps_reset(&fixture.rng.base), AVPS_OK);
}

static void test_counts_interrupts_that_xen_did_not_take(void **state)
{
    (void)state;
    xen.fails_irq = true;
    start_driver();
    put_buffer();
    store(AVPS_MMIO_QUEUE_NOTIFY, 0);
    assert_int_equal(avps_poll(&fixture.rng.base, 8), AVPS_POLL_IDLE);
    assert_int_equal(fixture.guest.counters.lost, 1);
    assert_int_equal(avps_reset(&fixture.rng.base), AVPS_OK);
}

/* Buffered stores are below 1 MiB, where no window is: they are taken all the same, before what waits. */
static void test_drains_buffered_stores(void **state)
{
    (void)state;
    assert_int_equal(xen.bound, DOUBLE_CPUS + 1U);
    xen.server->buffered.write_pointer = 3;
    assert_int_equal(load(0), 0x74726976);
    assert_int_equal(xen.server->buffered.read_pointer, 3);
    assert_int_equal(fixture.guest.counters.unknown, 3);
}

static void test_says_that_xen_has_no_servers(void **state)
{
    struct avps_xen_guest guest;

    (void)state;
    double_init();
    xen.fails_server = true;
    assert_int_equal(avps_xen_guest_open(&guest, &config), AVPS_E_IO);
    assert_int_equal(errno, EOPNOTSUPP);
    avps_xen_guest_close(&guest);
    avps_xen_guest_close(&guest);
    double_free();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opens_an_enabled_server_with_all_windows),
        TEST(test_serves_every_cpu),
        TEST(test_shows_a_window_without_a_device),
        TEST(test_answers_all_ones_where_nothing_is),
        TEST(test_leaves_events_alone_that_are_no_requests),
        TEST(test_tells_of_pages_given_back),
        TEST(test_carries_a_request_and_its_interrupt),
        TEST(test_counts_interrupts_that_xen_did_not_take),
        cmocka_unit_test_setup_teardown(test_drains_buffered_stores, setup_buffered, teardown),
        cmocka_unit_test(test_says_that_xen_has_no_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
