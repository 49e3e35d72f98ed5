/* SPDX-License-Identifier: BSD-3-Clause */
/* The bare-metal port on any host: syndromes are decoded, accesses reach the right window and
 * register, interrupts, wake-ups and timers reach the hypervisor. */
#include "bm_machine.h"

static enum avps_status attach(struct avps_device *device)
{
    return bm_attach(&run.board, device);
}

static int setup(void **state)
{
    (void)state;
    memset(&run, 0, sizeof run);
    machine_make(&hooks, attach);
    return 0;
}

/* ---- the guest ---- */

static void store(uint32_t device, uint32_t offset, uint32_t value)
{
    struct bm_access access;

    run.x[3] = value;
    assert_true(bm_decode(syndrome(2, 3, true), &access));
    assert_true(bm_trap(&run.board, BASE + device * AVPS_MMIO_SIZE + offset, &access, run.x));
}

static uint32_t load(uint32_t device, uint32_t offset)
{
    struct bm_access access;

    assert_true(bm_decode(syndrome(2, 4, false), &access));
    assert_true(bm_trap(&run.board, BASE + device * AVPS_MMIO_SIZE + offset, &access, run.x));
    return (uint32_t)run.x[4];
}

/* Bring a device up over a split ring with one writable buffer of 16 bytes, and ring. */
static void ask(uint32_t device)
{
    store(device, 0x070, 3);
    store(device, 0x024, 1);
    store(device, 0x020, 1);
    store(device, 0x070, 11);
    store(device, 0x038, 16);
    store(device, 0x080, RAM);
    store(device, 0x090, RAM + 0x1000U);
    store(device, 0x0a0, RAM + 0x2000U);
    store(device, 0x044, 1);
    fill_ring();
    store(device, 0x070, 15);
    store(device, 0x050, 0);
}

/* ---- decoding ---- */

static void test_bm_decodes_every_part_of_a_syndrome(void **state)
{
    struct bm_access access;

    (void)state;
    assert_true(bm_decode(1ULL << 24 | 1ULL << 22 | 7ULL << 16 | 1ULL << 21, &access));
    assert_int_equal(access.width, 2);
    assert_int_equal(access.reg, 7);
    assert_true(access.sign_extend);
    assert_false(access.write);
    assert_false(access.wide);
    assert_true(bm_decode(syndrome(3, 31, true) | 1ULL << 15, &access));
    assert_int_equal(access.width, 8);
    assert_int_equal(access.reg, 31);
    assert_true(access.write);
    assert_true(access.wide);
}

static void test_bm_refuses_an_abort_without_syndrome(void **state)
{
    struct bm_access access;

    (void)state;
    assert_false(bm_decode(syndrome(2, 0, true) & ~(1ULL << 24), &access));
}

static void test_bm_extends_what_is_loaded(void **state)
{
    struct bm_access access = {.width = 2, .reg = 5, .sign_extend = true, .wide = true};

    (void)state;
    bm_loaded(&access, run.x, 0x12348001U);
    assert_int_equal(run.x[5], 0xffffffffffff8001U);
    access.wide = false;
    bm_loaded(&access, run.x, 0x8001U);
    assert_int_equal(run.x[5], 0xffff8001U);
    access.sign_extend = false;
    bm_loaded(&access, run.x, 0x12348001U);
    assert_int_equal(run.x[5], 0x8001U);
}

static void test_bm_keeps_the_zero_register_zero(void **state)
{
    const struct bm_access access = {.width = 4, .reg = 31};
    uint64_t x[32];

    (void)state;
    memset(x, 0xee, sizeof x);
    bm_loaded(&access, x, 0x1234U);
    assert_int_equal(x[31], 0xeeeeeeeeeeeeeeeeU);
    assert_int_equal(bm_stored(&access, x), 0);
}

/* ---- traps ---- */

static void test_bm_sends_each_window_to_its_device(void **state)
{
    (void)state;
    assert_int_equal(load(0, 0x000), 0x74726976U);
    assert_int_equal(load(1, 0x008), 4);
    store(1, 0x070, 1);
    assert_int_equal(load(0, 0x070), 0);
    assert_int_equal(load(1, 0x070), 1);
}

static void test_bm_leaves_other_addresses_to_the_hypervisor(void **state)
{
    const struct bm_access access = {.width = 4};

    (void)state;
    assert_false(bm_trap(&run.board, BASE - 4U, &access, run.x));
    assert_false(bm_trap(&run.board, BASE + 2U * AVPS_MMIO_SIZE, &access, run.x));
    assert_false(bm_trap(&run.board, UINT64_MAX, &access, run.x));
}

/* ---- devices ---- */

static void test_bm_serves_a_request_and_drives_its_line(void **state)
{
    (void)state;
    ask(1);
    assert_false(bm_poll(&run.board, 8));
    assert_int_equal(run.ram[BUFFER - RAM], 0x5a);
    assert_int_equal(run.ram[BUFFER - RAM + 15U], 0x5a);
    assert_int_equal(run.ram[BUFFER - RAM + 16U], 0);
    assert_int_equal(run.line, 1);
    assert_true(run.high);
    store(1, 0x064, 1);
    assert_false(run.high);
    assert_int_equal(run.levels, 2);
}

static void test_bm_polls_again_after_a_wake(void **state)
{
    (void)state;
    run.dry = true;
    ask(0);
    (void)bm_poll(&run.board, 8);
    assert_int_equal(run.levels, 0);
    run.dry = false;
    avps_rng_refilled(&run.rng[0]);
    (void)bm_poll(&run.board, 8);
    assert_int_equal(run.levels, 1);
    assert_int_equal(run.ram[BUFFER - RAM], 0x5a);
}

static void test_bm_names_the_device_of_an_event(void **state)
{
    (void)state;
    run.events = 0;
    ask(1);
    assert_int_equal(run.events, 1); /* it went live */
    assert_int_equal(run.event_device, 1);
}

static void test_bm_arms_the_earliest_timer_and_polls_when_it_is_due(void **state)
{
    const struct avps_port *port = &run.board.ports[0];

    (void)state;
    assert_false(bm_poll(&run.board, 1));
    assert_int_equal(run.deadline, UINT64_MAX);
    port->sys->timer(port->sys_ctx, 500);
    run.board.ports[1].sys->timer(run.board.ports[1].sys_ctx, 900);
    assert_false(bm_poll(&run.board, 1));
    assert_int_equal(run.deadline, 500);
    run.now = 500;
    assert_false(bm_poll(&run.board, 1));
    assert_int_equal(run.deadline, 900);
    run.board.ports[1].sys->timer(run.board.ports[1].sys_ctx, 0);
    assert_false(bm_poll(&run.board, 1));
    assert_int_equal(run.deadline, UINT64_MAX);
}

static void test_bm_refuses_one_device_too_many(void **state)
{
    struct avps_rng more[BM_DEVICES];
    struct avps_queue *queues = test_calloc(BM_DEVICES, sizeof *queues);

    (void)state;
    for (uint32_t i = 2; i <= BM_DEVICES; i++) {
        machine_rng(&more[i - 2U], &queues[i - 2U]);
        assert_int_equal(bm_attach(&run.board, &more[i - 2U].base),
                         i < BM_DEVICES ? AVPS_OK : AVPS_E_NOSPACE);
    }
    test_free(queues);
}

/* ---- several boards ---- */

static uint32_t entered;
static uint32_t left;

static void enter(void)
{
    assert_int_equal(entered, left);
    entered++;
}

static void leave(void)
{
    left++;
    assert_int_equal(entered, left);
}

static void test_bm_hands_every_hook_the_context_of_its_board(void **state)
{
    (void)state;
    ask(0);
    run.ctx = NULL;
    (void)bm_poll(&run.board, 8);
    assert_ptr_equal(run.ctx, &run);
    run.ctx = NULL;
    bm_set_level(&run.board, 0, true);
    assert_ptr_equal(run.ctx, &run);
    run.ctx = NULL;
    bm_event(&run.board.slots[0], AVPS_EVENT_RESET, 0, 0);
    assert_ptr_equal(run.ctx, &run);
    run.ctx = NULL;
    bm_msi(&run.board, 0, 0, 0);
    assert_ptr_equal(run.ctx, &run);
}

static void test_bm_enters_the_guard_around_accesses_and_turns_of_its_device(void **state)
{
    static const struct bm_guard guard = {enter, leave};

    (void)state;
    entered = 0;
    left = 0;
    bm_guard(&run.board, &guard); /* the second device */
    (void)load(0, 0x000);
    assert_int_equal(entered, 0);
    (void)load(1, 0x000);
    assert_int_equal(entered, 1);
    ask(1);
    const uint32_t accesses = entered;

    store(1, AVPS_MMIO_QUEUE_NOTIFY, 0); /* a doorbell needs no guard */
    assert_int_equal(entered, accesses);

    (void)bm_poll(&run.board, 8);
    assert_int_equal(entered, accesses + 1U);
    (void)bm_poll(&run.board, 8); /* nothing to do: not entered */
    assert_int_equal(entered, accesses + 1U);
    assert_true(bm_reset(&run.board));
    assert_int_equal(entered, accesses + 2U);
    assert_int_equal(left, entered);
}

static void test_bm_resets_all_devices_and_forgets_their_deadlines(void **state)
{
    (void)state;
    ask(0);
    ask(1);
    bm_timer(&run.board.slots[1], 500);
    assert_true(bm_reset(&run.board));
    assert_int_equal(load(0, 0x070), 0);
    assert_int_equal(load(1, 0x070), 0);
    run.now = 1000;
    (void)bm_poll(&run.board, 8);
    assert_int_equal(run.deadline, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bm_decodes_every_part_of_a_syndrome, setup),
        cmocka_unit_test_setup(test_bm_refuses_an_abort_without_syndrome, setup),
        cmocka_unit_test_setup(test_bm_extends_what_is_loaded, setup),
        cmocka_unit_test_setup(test_bm_keeps_the_zero_register_zero, setup),
        cmocka_unit_test_setup(test_bm_sends_each_window_to_its_device, setup),
        cmocka_unit_test_setup(test_bm_leaves_other_addresses_to_the_hypervisor, setup),
        cmocka_unit_test_setup(test_bm_serves_a_request_and_drives_its_line, setup),
        cmocka_unit_test_setup(test_bm_polls_again_after_a_wake, setup),
        cmocka_unit_test_setup(test_bm_names_the_device_of_an_event, setup),
        cmocka_unit_test_setup(test_bm_arms_the_earliest_timer_and_polls_when_it_is_due, setup),
        cmocka_unit_test_setup(test_bm_refuses_one_device_too_many, setup),
        cmocka_unit_test_setup(test_bm_hands_every_hook_the_context_of_its_board, setup),
        cmocka_unit_test_setup(test_bm_enters_the_guard_around_accesses_and_turns_of_its_device,
                               setup),
        cmocka_unit_test_setup(test_bm_resets_all_devices_and_forgets_their_deadlines, setup),
    };

    return cmocka_run_group_tests_name("port/bm_port", tests, NULL, NULL);
}
