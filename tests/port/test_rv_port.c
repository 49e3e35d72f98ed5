/* SPDX-License-Identifier: BSD-3-Clause */
/* The RISC-V port on any host: accesses reach the right window, interrupts of all devices are one,
 * wake-ups, time and events pass through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps/rng.h"

#include "../../port/baremetal-riscv64/rv_decode.c" /* NOLINT(bugprone-suspicious-include) */
#include "../../port/baremetal-riscv64/rv_port.c"   /* NOLINT(bugprone-suspicious-include) */

#define RAM    0x80000000U
#define BASE   0x10000000U
#define BUFFER (RAM + 0x3000U)

/* Instructions of the guest: 32 and 16 bits long. */
#define INSN_SW_X11   0x00b52023U /* sw x11, 0(x10) */
#define INSN_LW_X12   0x00052603U /* lw x12, 0(x10) */
#define INSN_C_LW_X12 0x4110U     /* c.lw x12, 0(x10) */
#define INSN_ADD      0x00b50533U /* add x10, x10, x11 */

static struct {
    struct rv_guest guest;
    struct avps_rng rng[2];
    struct avps_queue queue[2];
    uint8_t ram[0x4000];
    uint64_t x[32];
    uint32_t changes;
    uint32_t events;
    uint32_t left; /* bytes of entropy */
    bool high;
} run;

static void hook_external(void *ctx, bool high)
{
    assert_ptr_equal(ctx, &run);
    run.changes += high != run.high ? 1U : 0U;
    run.high = high;
}

static uint64_t hook_now(void *ctx)
{
    assert_ptr_equal(ctx, &run);
    return 12345;
}

static void hook_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    (void)code;
    (void)a;
    (void)b;
    assert_ptr_equal(ctx, &run);
    run.events++;
}

static const struct rv_hooks hooks = {hook_external, hook_now, hook_event};

static enum avps_status fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    *got = len < run.left ? len : run.left;
    memset(buf, 0x5a, *got);
    run.left -= *got;
    return *got != 0U ? AVPS_OK : AVPS_EMPTY;
}

static int setup(void **state)
{
    static const struct avps_rng_ops source = {.fill = fill};
    const struct avps_mem_region ram = {RAM, sizeof run.ram, run.ram, AVPS_ACCESS_RW};

    (void)state;
    memset(&run, 0, sizeof run);
    run.left = 1000;
    assert_int_equal(rv_init(&run.guest, &hooks, &run, BASE, ram), AVPS_OK);
    for (uint32_t i = 0; i < 2U; i++) {
        const struct avps_rng_config config = {.base = {.mem = &run.guest.mem,
                                                        .port = &run.guest.port,
                                                        .queues = &run.queue[i],
                                                        .queue_count = 1,
                                                        .queue_size_max = 4},
                                               .ops = &source};

        assert_int_equal(avps_rng_init(&run.rng[i], &config), AVPS_OK);
        assert_int_equal(rv_add(&run.guest, &run.rng[i].base), AVPS_OK);
    }
    return 0;
}

static uint64_t window(uint32_t device, uint32_t offset)
{
    return BASE + (uint64_t)device * AVPS_MMIO_SIZE + offset;
}

static void store(uint32_t device, uint32_t offset, uint32_t value)
{
    run.x[11] = value;
    assert_int_equal(rv_trap(&run.guest, window(device, offset), INSN_SW_X11, run.x), 4);
}

static uint64_t load(uint32_t device, uint32_t offset)
{
    assert_int_equal(rv_trap(&run.guest, window(device, offset), INSN_LW_X12, run.x), 4);
    return run.x[12];
}

static void put(uint64_t gpa, uint32_t len, uint64_t value)
{
    for (uint32_t i = 0; i < len; i++) {
        run.ram[gpa - RAM + i] = (uint8_t)(value >> (8U * i));
    }
}

/* A driver's way up to one request for 16 bytes, and the doorbell. */
static void ask(uint32_t device)
{
    store(device, 0x070, 3);
    store(device, 0x024, 1);
    store(device, 0x020, 1);
    store(device, 0x070, 11);
    store(device, 0x038, 4);
    store(device, 0x080, RAM);
    store(device, 0x090, RAM + 0x1000U);
    store(device, 0x0a0, RAM + 0x2000U);
    store(device, 0x044, 1);
    put(RAM, 8, BUFFER);
    put(RAM + 8U, 4, 16);
    put(RAM + 12U, 2, 2);
    put(RAM + 0x1002U, 2, 1);
    store(device, 0x070, 15);
    store(device, 0x050, 0);
}

static void test_rv_trap_reaches_the_device_of_each_window(void **state)
{
    (void)state;
    assert_int_equal(load(0, 0x000), 0x74726976);
    assert_int_equal(load(1, 0x008), 4);
    store(1, 0x070, 1);
    assert_int_equal(load(0, 0x070), 0);
    assert_int_equal(load(1, 0x070), 1);
}

static void test_rv_trap_steps_over_a_compressed_instruction_by_two(void **state)
{
    (void)state;
    assert_int_equal(rv_trap(&run.guest, window(0, 0), INSN_C_LW_X12, run.x), 2);
    assert_int_equal(run.x[12], 0x74726976);
}

static void test_rv_trap_refuses_addresses_beside_the_windows(void **state)
{
    (void)state;
    assert_int_equal(rv_trap(&run.guest, BASE - 4U, INSN_SW_X11, run.x), 0);
    assert_int_equal(rv_trap(&run.guest, window(2, 0), INSN_SW_X11, run.x), 0);
    assert_int_equal(rv_trap(&run.guest, UINT64_MAX, INSN_SW_X11, run.x), 0);
    assert_int_equal(rv_trap(&run.guest, 0, INSN_SW_X11, run.x), 0);
}

static void test_rv_trap_refuses_what_is_no_load_or_store(void **state)
{
    (void)state;
    assert_int_equal(rv_trap(&run.guest, window(0, 0), INSN_ADD, run.x), 0);
}

static void test_rv_serves_in_a_poll_and_interrupts(void **state)
{
    (void)state;
    ask(1);
    assert_int_equal(run.ram[0x2002], 0); /* nothing is served inside a trap */
    assert_false(run.high);
    assert_false(rv_poll(&run.guest, 8));
    assert_int_equal(run.ram[0x2002], 1);
    assert_int_equal(run.ram[0x3000], 0x5a);
    assert_true(run.high);
    store(1, 0x064, (uint32_t)load(1, 0x060));
    assert_false(run.high);
    assert_int_equal(run.changes, 2);
}

static void test_rv_interrupt_stays_high_until_every_device_is_quiet(void **state)
{
    (void)state;
    ask(0);
    (void)rv_poll(&run.guest, 8);
    put(RAM + 0x2000U, 4, 0);
    ask(1);
    (void)rv_poll(&run.guest, 8);
    assert_true(run.high);
    store(0, 0x064, 1);
    assert_true(run.high);
    store(1, 0x064, 1);
    assert_false(run.high);
    assert_int_equal(run.changes, 2);
}

static void test_rv_wake_asks_for_one_more_poll(void **state)
{
    (void)state;
    run.left = 0;
    ask(0);
    (void)rv_poll(&run.guest, 8);
    assert_false(run.guest.awake);
    run.left = 16;
    avps_rng_refilled(&run.rng[0]);
    assert_true(run.guest.awake);
    assert_false(rv_poll(&run.guest, 8));
    assert_int_equal(run.ram[0x2002], 1);
}

static void test_rv_gives_time_and_passes_events_on(void **state)
{
    (void)state;
    assert_int_equal(run.guest.port.sys->now_ns(run.guest.port.sys_ctx), 12345);
    store(0, 0x070, 0);
    assert_int_equal(run.events, 1);
}

static void test_rv_refuses_a_device_too_many_and_a_device_twice(void **state)
{
    (void)state;
    assert_int_equal(rv_add(&run.guest, &run.rng[0].base), AVPS_E_STATE);
    assert_int_equal(run.guest.count, 2);
    run.guest.count = RV_DEVICES;
    assert_int_equal(rv_add(&run.guest, &run.rng[0].base), AVPS_E_NOSPACE);
}

static void test_rv_refuses_bad_memory(void **state)
{
    const struct avps_mem_region empty = {.gpa = RAM, .host = run.ram, .access = AVPS_ACCESS_RW};

    (void)state;
    assert_int_equal(rv_init(&run.guest, &hooks, &run, BASE, empty), AVPS_E_PARAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rv_trap_reaches_the_device_of_each_window, setup),
        cmocka_unit_test_setup(test_rv_trap_steps_over_a_compressed_instruction_by_two, setup),
        cmocka_unit_test_setup(test_rv_trap_refuses_addresses_beside_the_windows, setup),
        cmocka_unit_test_setup(test_rv_trap_refuses_what_is_no_load_or_store, setup),
        cmocka_unit_test_setup(test_rv_serves_in_a_poll_and_interrupts, setup),
        cmocka_unit_test_setup(test_rv_interrupt_stays_high_until_every_device_is_quiet, setup),
        cmocka_unit_test_setup(test_rv_wake_asks_for_one_more_poll, setup),
        cmocka_unit_test_setup(test_rv_gives_time_and_passes_events_on, setup),
        cmocka_unit_test_setup(test_rv_refuses_a_device_too_many_and_a_device_twice, setup),
        cmocka_unit_test_setup(test_rv_refuses_bad_memory, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
