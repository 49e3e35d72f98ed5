/* SPDX-License-Identifier: BSD-3-Clause */
/* The template port: a guest's accesses reach the right device, interrupts and wake-ups reach the
 * hypervisor. The hypervisor's four calls are recorded here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps/rng.h"

#include "hypervisor.h"
#include "port.h"

#define GUEST      7U
#define RAM        0x40000000U
#define DESC       (RAM + 0x0000U)
#define AVAIL      (RAM + 0x1000U)
#define USED       (RAM + 0x2000U)
#define BUFFER     (RAM + 0x3000U)
#define WINDOW(i)  (0x0a000000U + (uint64_t)(i)*AVPS_MMIO_SIZE)
#define REG_MAGIC  0x000U
#define REG_ID     0x008U
#define REG_SEL    0x024U
#define REG_DRIVER 0x020U
#define REG_NUM    0x038U
#define REG_READY  0x044U
#define REG_NOTIFY 0x050U
#define REG_ISR    0x060U
#define REG_ACK    0x064U
#define REG_STATUS 0x070U
#define REG_DESC   0x080U
#define REG_AVAIL  0x090U
#define REG_USED   0x0a0U

static struct {
    uint32_t guest;
    uint32_t line;
    bool level;
    unsigned int raised;
    unsigned int scheduled;
    unsigned int traced;
} hv;

void hv_set_irq(uint32_t guest, uint32_t line, bool high)
{
    hv.guest = guest;
    hv.line = line;
    hv.level = high;
    hv.raised += high ? 1U : 0U;
}

void hv_schedule(uint32_t guest)
{
    hv.guest = guest;
    hv.scheduled++;
}

uint64_t hv_now_ns(void)
{
    return 1;
}

void hv_trace(uint32_t guest, uint32_t code, uint64_t a, uint64_t b)
{
    (void)code;
    (void)a;
    (void)b;
    hv.guest = guest;
    hv.traced++;
}

static uint32_t entropy_left;

static enum avps_status fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    *got = len < entropy_left ? len : entropy_left;
    (void)memset(buf, 0x5a, *got);
    entropy_left -= *got;
    return *got != 0U ? AVPS_OK : AVPS_EMPTY;
}

static uint8_t ram[0x4000] __attribute__((aligned(4096)));
static struct avps_mem_region region = {
    .gpa = RAM, .size = sizeof ram, .host = ram, .access = AVPS_ACCESS_RW};
static struct template_guest guest;
static struct avps_queue queues[2];
static struct avps_rng rngs[2];

static void poke(uint64_t gpa, uint64_t value, unsigned int bytes)
{
    for (unsigned int i = 0; i < bytes; i++) {
        ram[gpa - RAM + i] = (uint8_t)(value >> (8U * i));
    }
}

static uint64_t peek(uint64_t gpa, unsigned int bytes)
{
    uint64_t value = 0;

    for (unsigned int i = bytes; i > 0U; i--) {
        value = value << 8 | ram[gpa - RAM + i - 1U];
    }
    return value;
}

static uint32_t load(uint64_t gpa)
{
    struct template_trap trap = {.gpa = gpa, .width = 4};

    assert_true(template_access(&guest, &trap));
    return (uint32_t)trap.value;
}

static void store(uint64_t gpa, uint32_t value)
{
    struct template_trap trap = {.gpa = gpa, .width = 4, .is_write = true, .value = value};

    assert_true(template_access(&guest, &trap));
}

static int setup(void **state)
{
    static const struct avps_rng_ops ops = {.fill = fill};

    (void)state;
    (void)memset(&hv, 0, sizeof hv);
    (void)memset(ram, 0, sizeof ram);
    entropy_left = 1000;
    if (template_init(&guest, GUEST, &region, 1) != AVPS_OK) {
        return -1;
    }
    for (uint32_t i = 0; i < 2U; i++) {
        const struct avps_rng_config config = {.base = {.mem = &guest.mem,
                                                        .port = &guest.port,
                                                        .queues = &queues[i],
                                                        .queue_count = 1,
                                                        .queue_size_max = 4},
                                               .ops = &ops};
        if (avps_rng_init(&rngs[i], &config) != AVPS_OK ||
            template_add(&guest, &rngs[i].base, WINDOW(i), 32U + i) != AVPS_OK) {
            return -1;
        }
    }
    return 0;
}

/* What a driver does, as far as one request for `len` bytes. */
static void driver_asks(uint64_t window, uint32_t len)
{
    store(window + REG_STATUS, 1);
    store(window + REG_STATUS, 3);
    store(window + REG_SEL, 1);
    store(window + REG_DRIVER, 1); /* VERSION_1 */
    store(window + REG_STATUS, 11);
    store(window + REG_NUM, 4);
    store(window + REG_DESC, DESC);
    store(window + REG_AVAIL, AVAIL);
    store(window + REG_USED, USED);
    store(window + REG_READY, 1);
    store(window + REG_STATUS, 15);
    poke(DESC, BUFFER, 8);
    poke(DESC + 8, len, 4);
    poke(DESC + 12, 2, 2); /* the device writes */
    poke(AVAIL + 2, 1, 2);
    store(window + REG_NOTIFY, 0);
}

static void test_each_window_reaches_its_device(void **state)
{
    (void)state;
    assert_int_equal(load(WINDOW(0) + REG_MAGIC), 0x74726976);
    assert_int_equal(load(WINDOW(1) + REG_ID), 4);
    store(WINDOW(1) + REG_STATUS, 1);
    assert_int_equal(load(WINDOW(0) + REG_STATUS), 0);
    assert_int_equal(load(WINDOW(1) + REG_STATUS), 1);
}

static void test_an_address_beside_the_windows_is_not_a_device(void **state)
{
    struct template_trap trap = {.gpa = WINDOW(2), .width = 4};

    (void)state;
    assert_false(template_access(&guest, &trap));
    trap.gpa = WINDOW(0) - 1U;
    assert_false(template_access(&guest, &trap));
}

static void test_a_doorbell_schedules_and_a_poll_serves(void **state)
{
    (void)state;
    driver_asks(WINDOW(1), 16);
    assert_true(hv.scheduled > 0U);
    assert_int_equal(hv.guest, GUEST);
    assert_int_equal(peek(USED + 2, 2), 0); /* nothing is served inside a trap */
    assert_int_equal(hv.raised, 0);

    assert_false(template_poll(&guest, 8));
    assert_int_equal(peek(USED + 2, 2), 1);
    assert_int_equal(peek(USED + 8, 4), 16);
    assert_int_equal(peek(BUFFER, 8), 0x5a5a5a5a5a5a5a5aU);
    assert_int_equal(hv.line, 33);
    assert_true(hv.level);

    store(WINDOW(1) + REG_ACK, load(WINDOW(1) + REG_ISR));
    assert_false(hv.level);
    assert_int_equal(hv.raised, 1);
}

static void test_a_refilled_source_wakes_the_guest(void **state)
{
    (void)state;
    entropy_left = 0;
    driver_asks(WINDOW(0), 8);
    assert_false(template_poll(&guest, 8));
    assert_int_equal(peek(USED + 2, 2), 0);

    entropy_left = 8;
    const unsigned int before = hv.scheduled;
    avps_rng_refilled(&rngs[0]);
    assert_int_equal(hv.scheduled, before + 1U);
    (void)template_poll(&guest, 8);
    assert_int_equal(peek(USED + 8, 4), 8);
}

static void test_events_are_traced(void **state)
{
    (void)state;
    store(WINDOW(0) + REG_STATUS, 0);
    assert_int_equal(hv.traced, 1);
}

static void test_a_full_port_refuses_a_device(void **state)
{
    (void)state;
    guest.count = TEMPLATE_DEVICES;
    assert_int_equal(template_add(&guest, &rngs[0].base, WINDOW(9), 1), AVPS_E_NOSPACE);
}

static void test_a_device_is_shown_once(void **state)
{
    (void)state;
    assert_int_equal(template_add(&guest, &rngs[0].base, WINDOW(2), 1), AVPS_E_STATE);
    assert_int_equal(guest.count, 2);
}

static void test_bad_memory_is_refused(void **state)
{
    const struct avps_mem_region empty = {.gpa = RAM, .host = ram, .access = AVPS_ACCESS_RW};

    (void)state;
    assert_int_equal(template_init(&guest, GUEST, &empty, 1), AVPS_E_PARAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_window_reaches_its_device, setup),
        cmocka_unit_test_setup(test_an_address_beside_the_windows_is_not_a_device, setup),
        cmocka_unit_test_setup(test_a_doorbell_schedules_and_a_poll_serves, setup),
        cmocka_unit_test_setup(test_a_refilled_source_wakes_the_guest, setup),
        cmocka_unit_test_setup(test_events_are_traced, setup),
        cmocka_unit_test_setup(test_a_full_port_refuses_a_device, setup),
        cmocka_unit_test_setup(test_a_device_is_shown_once, setup),
        cmocka_unit_test_setup(test_bad_memory_is_refused, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
