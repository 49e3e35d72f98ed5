/* SPDX-License-Identifier: BSD-3-Clause */
/* The PCI bus of the bare-metal port on any host: a guest finds the functions in the ECAM window,
 * places their BARs in the memory window, and gets messages or, without them, its lines. */
#include "bm_machine.h"

#include "../../port/baremetal-aarch64/bm_pci.c" /* NOLINT(bugprone-suspicious-include) */

#define ECAM      0x3f000000U
#define MEMORY    0x10000000U
#define SIZE      0x01000000U
#define BAR(n)    (MEMORY + (n)*0x100000U)
#define FRAME     0x08020040U
#define NO_VECTOR 0xffffU

enum { CONFIG_ID = 0x00, CONFIG_COMMAND = 0x04, CONFIG_BAR0 = 0x10, CONFIG_CAPABILITIES = 0x34 };
enum { CAP_VENDOR = 0x09, CAP_MSIX = 0x11 };
enum { TYPE_NONE = 0, TYPE_COMMON = 1, TYPE_NOTIFY = 2 };

static struct bm_pci bus;

static enum avps_status attach(struct avps_device *device)
{
    return bm_pci_attach(&bus, device);
}

static void make(const struct bm_hooks *use)
{
    const struct bm_pci_map map = {.ecam = ECAM, .memory = MEMORY, .memory_size = SIZE};

    memset(&run, 0, sizeof run);
    memset(&bus, 0, sizeof bus);
    assert_int_equal(bm_pci_init(&bus, &run.board, map), AVPS_OK);
    machine_make(use, attach);
}

static int setup(void **state)
{
    (void)state;
    make(&hooks);
    return 0;
}

static int setup_without_messages(void **state)
{
    static const struct bm_hooks wired = {hook_level, hook_now, hook_timer, hook_event, NULL};

    (void)state;
    make(&wired);
    return 0;
}

/* ---- the guest ---- */

static void store(uint64_t ipa, uint32_t log2_width, uint32_t value)
{
    struct bm_access access;

    run.x[3] = value;
    assert_true(bm_decode(syndrome(log2_width, 3, true), &access));
    assert_true(bm_pci_trap(&bus, ipa, &access, run.x));
}

static uint32_t load(uint64_t ipa, uint32_t log2_width)
{
    struct bm_access access;

    assert_true(bm_decode(syndrome(log2_width, 4, false), &access));
    assert_true(bm_pci_trap(&bus, ipa, &access, run.x));
    return (uint32_t)run.x[4];
}

static uint64_t config(uint32_t device, uint32_t offset)
{
    return ECAM + ((uint64_t)device << 15) + offset;
}

/* Address in configuration space of a capability, of vendor type `type`; 0 if there is none. */
static uint64_t capability(uint32_t device, uint32_t id, uint32_t type)
{
    uint32_t at = load(config(device, CONFIG_CAPABILITIES), 0);

    for (uint32_t i = 0; i < 48U && at != 0U; i++) {
        const uint64_t cap = config(device, at);

        if (load(cap, 0) == id && (type == TYPE_NONE || load(cap + 3U, 0) == type)) {
            return cap;
        }
        at = load(cap + 1U, 0);
    }
    return 0U;
}

/* Guest address of a structure, after place(). */
static uint64_t structure(uint32_t device, uint32_t type)
{
    return BAR(device) + load(capability(device, CAP_VENDOR, type) + 8U, 2);
}

/* Place a function's BAR, and let it decode and write to memory. */
static void place(uint32_t device)
{
    store(config(device, CONFIG_BAR0), 2, BAR(device));
    store(config(device, CONFIG_BAR0 + 4U), 2, 0);
    store(config(device, CONFIG_COMMAND), 1, 6);
}

/* Switch MSI-X on; vector 1 writes `data` to FRAME. */
static void route(uint32_t device, uint32_t data)
{
    const uint64_t cap = capability(device, CAP_MSIX, TYPE_NONE);
    const uint64_t entry = BAR(device) + (load(cap + 4U, 2) & ~7U) + 16U;

    store(entry, 2, FRAME);
    store(entry + 4U, 2, 0);
    store(entry + 8U, 2, data);
    store(entry + 12U, 2, 0);
    store(cap + 2U, 1, 0x8000);
}

/* Bring a device up over the ring with one buffer, its queue on `vector`, and ring. */
static void ask(uint32_t device, uint16_t vector)
{
    const uint64_t common = structure(device, TYPE_COMMON);
    const uint64_t notify = structure(device, TYPE_NOTIFY);

    store(common + 20U, 0, 3);
    store(common + 8U, 2, 1);
    store(common + 12U, 2, 1);
    store(common + 20U, 0, 11);
    store(common + 22U, 1, 0);
    store(common + 24U, 1, 16);
    store(common + 26U, 1, vector);
    store(common + 32U, 2, RAM);
    store(common + 40U, 2, RAM + 0x1000U);
    store(common + 48U, 2, RAM + 0x2000U);
    store(common + 28U, 1, 1);
    fill_ring();
    store(common + 20U, 0, 15);
    store(notify, 1, 0);
}

/* ---- tests ---- */

static void test_bm_pci_shows_each_device_as_a_function(void **state)
{
    (void)state;
    assert_int_equal(load(config(0, CONFIG_ID), 2), 0x10441af4U);
    assert_int_equal(load(config(1, CONFIG_ID), 2), 0x10441af4U);
    assert_int_equal(load(config(2, CONFIG_ID), 2), UINT32_MAX);
    assert_int_equal(load(config(BM_DEVICES, CONFIG_ID), 2), UINT32_MAX);
}

static void test_bm_pci_finds_a_bar_where_the_guest_placed_it(void **state)
{
    (void)state;
    place(1);
    const uint64_t common = structure(1, TYPE_COMMON);

    assert_int_equal(load(common + 18U, 1), 1); /* num_queues */
    assert_int_equal(load(common + 18U + BAR(0) - BAR(1), 1), 0xffffU);
    store(common + 20U, 0, 1);
    assert_int_equal(load(common + 20U, 0), 1);
    store(config(1, CONFIG_BAR0), 2, BAR(2));
    assert_int_equal(load(common + 20U, 0), 0xffU);
    assert_int_equal(load(common + 20U + BAR(2) - BAR(1), 0), 1);
}

static void test_bm_pci_reads_all_ones_where_no_bar_decodes(void **state)
{
    (void)state;
    assert_int_equal(load(MEMORY, 2), UINT32_MAX);
    assert_int_equal(load(MEMORY + SIZE - 1U, 0), 0xffU);
    store(MEMORY, 2, 1);
    assert_int_equal(load(MEMORY, 2), UINT32_MAX);
}

static void test_bm_pci_serves_a_request_and_sends_its_message(void **state)
{
    (void)state;
    place(1);
    route(1, 83);
    ask(1, 1);
    assert_false(bm_poll(&run.board, 8));
    assert_int_equal(run.ram[BUFFER - RAM], 0x5a);
    assert_int_equal(run.ram[BUFFER - RAM + 15U], 0x5a);
    assert_int_equal(run.messages, 1);
    assert_int_equal(run.message_address, FRAME);
    assert_int_equal(run.message_data, 83);
    assert_int_equal(run.levels, 0);
}

static void test_bm_pci_drives_the_line_of_a_guest_without_msix(void **state)
{
    (void)state;
    place(1);
    ask(1, NO_VECTOR);
    assert_false(bm_poll(&run.board, 8));
    assert_int_equal(run.messages, 0);
    assert_int_equal(run.line, 1);
    assert_true(run.high);
}

static void test_bm_pci_without_messages_has_no_msix(void **state)
{
    (void)state;
    place(0);
    assert_int_equal(capability(0, CAP_MSIX, TYPE_NONE), 0);
    assert_int_not_equal(capability(0, CAP_VENDOR, TYPE_COMMON), 0);
    ask(0, NO_VECTOR);
    assert_false(bm_poll(&run.board, 8));
    assert_int_equal(run.line, 0);
    assert_true(run.high);
}

static void test_bm_pci_leaves_other_addresses_to_the_hypervisor(void **state)
{
    static const uint64_t others[] = {0,           ECAM - 1U,     ECAM + 0x100000U,
                                      MEMORY - 1U, MEMORY + SIZE, UINT64_MAX};
    const struct bm_access access = {.width = 4};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(bm_pci_trap(&bus, others[i], &access, run.x));
    }
}

static void test_bm_pci_refuses_one_device_too_many(void **state)
{
    struct avps_rng more[BM_DEVICES];
    struct avps_queue *queues = test_calloc(BM_DEVICES, sizeof *queues);

    (void)state;
    for (uint32_t i = 2; i <= BM_DEVICES; i++) {
        machine_rng(&more[i - 2U], &queues[i - 2U]);
        assert_int_equal(attach(&more[i - 2U].base), i < BM_DEVICES ? AVPS_OK : AVPS_E_NOSPACE);
    }
    test_free(queues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bm_pci_shows_each_device_as_a_function, setup),
        cmocka_unit_test_setup(test_bm_pci_finds_a_bar_where_the_guest_placed_it, setup),
        cmocka_unit_test_setup(test_bm_pci_reads_all_ones_where_no_bar_decodes, setup),
        cmocka_unit_test_setup(test_bm_pci_serves_a_request_and_sends_its_message, setup),
        cmocka_unit_test_setup(test_bm_pci_drives_the_line_of_a_guest_without_msix, setup),
        cmocka_unit_test_setup(test_bm_pci_without_messages_has_no_msix, setup_without_messages),
        cmocka_unit_test_setup(test_bm_pci_leaves_other_addresses_to_the_hypervisor, setup),
        cmocka_unit_test_setup(test_bm_pci_refuses_one_device_too_many, setup),
    };

    return cmocka_run_group_tests_name("port/bm_pci", tests, NULL, NULL);
}
