/* SPDX-License-Identifier: BSD-3-Clause */
/* The PCI host: places in the ECAM window -> the memory window -> host bridge -> init. Several small
 * functions, each with a number of queues of its own to be told apart by. */
#include "support/fake.h"
#include "support/pci.h"

#define FUNCTIONS 4U

static struct test_driver d;
static struct test_fake fake[FUNCTIONS];
static struct avps_queue queues[FUNCTIONS][FUNCTIONS];
static struct avps_pci pci[FUNCTIONS];
static struct avps_ecam_slot slots[FUNCTIONS];
static struct avps_ecam_config config;
static struct avps_ecam ecam;

/* Function i has i + 1 queues. */
static void make_function(uint16_t i, bool multifunction)
{
    static const struct avps_features none = {{0}};
    const struct avps_device_config base = test_driver_base(&d, queues[i], (uint16_t)(i + 1U), 16);
    const struct avps_pci_config function = {.device = &fake[i].base,
                                             .irq = &test_port_irq,
                                             .irq_ctx = &d.port,
                                             .irq_line = TEST_PORT_LINE,
                                             .pin = 1,
                                             .multifunction = multifunction};
    static struct avps_device_ops ops = {.device_id = TEST_FAKE_ID};

    assert_int_equal(avps_device_init(&fake[i].base, &ops, &base, &none), AVPS_OK);
    assert_int_equal(avps_pci_init(&pci[i], &function), AVPS_OK);
}

/* 00.0 and 00.1, 1f.7 of bus 0 with its function 0 elsewhere in the table, and 02.0 of bus 1. */
static void power_on(void)
{
    test_driver_init(&d, TEST_MEM_REGIONS);
    make_function(0, true);
    make_function(1, false);
    make_function(2, false);
    make_function(3, false);
    slots[0] = (struct avps_ecam_slot){&pci[1], 0, 0, 1};
    slots[1] = (struct avps_ecam_slot){&pci[0], 0, 0, 0};
    slots[2] = (struct avps_ecam_slot){&pci[2], 1, 2, 0};
    slots[3] = (struct avps_ecam_slot){&pci[3], 0, 31, 0};
    config = (struct avps_ecam_config){.slots = slots, .slot_count = FUNCTIONS, .bus_count = 2};
    assert_int_equal(avps_ecam_init(&ecam, &config), AVPS_OK);
}

static void off(void)
{
    test_driver_free(&d);
}

static uint64_t at(uint32_t bus, uint32_t device, uint32_t function, uint32_t offset)
{
    return (uint64_t)bus << 20 | device << 15 | function << 12 | offset;
}

/* ---- the ECAM window ---- */

/* [pci-1.1] Each function at its place and nowhere else. */
static void test_ecam_shows_functions_where_they_are(void **state)
{
    uint32_t found = 0;

    (void)state;
    power_on();
    for (uint32_t place = 0; place < 512U; place++) {
        const uint64_t id = avps_ecam_read(&ecam, (uint64_t)place << 12, 4);

        if (place == 0U || place == 1U || place == 31U << 3 || place == (256U | 2U << 3)) {
            assert_true(id == ((0x1040U + TEST_FAKE_ID) << 16 | 0x1af4U));
            found++;
        } else {
            assert_true(id == 0xffffffffU);
        }
    }
    assert_int_equal(found, FUNCTIONS);
    off();
}

/* [pci-1.1] All ones, as wide as the access, where there is nothing; writes are dropped. */
static void test_ecam_reads_ones_where_nothing_is(void **state)
{
    (void)state;
    power_on();
    assert_true(avps_ecam_read(&ecam, at(0, 5, 0, 0), 1) == 0xffU);
    assert_true(avps_ecam_read(&ecam, at(0, 5, 0, 2), 2) == 0xffffU);
    assert_true(avps_ecam_read(&ecam, at(0, 5, 0, 4), 4) == 0xffffffffU);
    assert_true(avps_ecam_read(&ecam, at(0, 5, 0, 8), 8) == UINT64_MAX);
    assert_true(avps_ecam_read(&ecam, at(0, 0, 2, 0), 4) == 0xffffffffU);
    assert_true(avps_ecam_read(&ecam, AVPS_ECAM_SIZE(2), 4) == 0xffffffffU);
    assert_true(avps_ecam_read(&ecam, UINT64_MAX - 3U, 4) == 0xffffffffU);
    avps_ecam_write(&ecam, at(0, 5, 0, 4), 2, 6);
    avps_ecam_write(&ecam, AVPS_ECAM_SIZE(2) + 4U, 2, 6); /* not place 0 again */
    avps_ecam_write(&ecam, (UINT64_C(1) << 32) + 4U, 2, 6);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        assert_int_equal(avps_pci_config_read(&pci[i], 4, 2), 0);
    }
    off();
}

static void test_ecam_writes_reach_one_function(void **state)
{
    (void)state;
    power_on();
    avps_ecam_write(&ecam, at(0, 0, 1, 0x3c), 1, 0x41);
    avps_ecam_write(&ecam, at(1, 2, 0, 0x3c), 1, 0x42);
    assert_int_equal(avps_ecam_read(&ecam, at(0, 0, 1, 0x3c), 1), 0x41);
    assert_int_equal(avps_ecam_read(&ecam, at(1, 2, 0, 0x3c), 1), 0x42);
    assert_int_equal(avps_ecam_read(&ecam, at(0, 0, 0, 0x3c), 1), 0);
    assert_int_equal(avps_ecam_read(&ecam, at(0, 31, 0, 0x3c), 1), 0);
    assert_int_equal(avps_ecam_read(&ecam, at(0, 0, 0, 0x100), 4), 0);
    assert_int_equal(avps_ecam_read(&ecam, at(0, 0, 0, 0xffc), 4), 0);
    off();
}

/* A slot may be emptied and filled again. */
static void test_ecam_slot_can_be_empty(void **state)
{
    uint64_t value = 0;

    (void)state;
    power_on();
    avps_ecam_write(&ecam, at(1, 2, 0, 4), 2, 2);
    assert_true(avps_ecam_mem_read(&ecam, 0x12, 2, &value));
    slots[2].pci = NULL;
    assert_true(avps_ecam_read(&ecam, at(1, 2, 0, 0), 4) == 0xffffffffU);
    assert_false(avps_ecam_mem_read(&ecam, 0x12, 2, &value));
    slots[2].pci = &pci[2];
    assert_true(avps_ecam_mem_read(&ecam, 0x12, 2, &value));
    assert_int_equal(value, 3);
    off();
}

/* ---- the memory window ---- */

static void place(uint16_t i, uint64_t address, bool enable)
{
    avps_pci_config_write(&pci[i], 0x10, 4, (uint32_t)(address & 0xffffffffU));
    avps_pci_config_write(&pci[i], 0x14, 4, (uint32_t)(address >> 32));
    avps_pci_config_write(&pci[i], 4, 2, enable ? 2 : 0);
}

/* Queue count as seen at an address; 0 if nothing decodes it. */
static uint64_t queues_at(uint64_t address)
{
    uint64_t value = 0;

    return avps_ecam_mem_read(&ecam, address + 0x12U, 2, &value) ? value : 0U;
}

/* [pci-1.1] */
static void test_ecam_finds_bars_where_the_driver_put_them(void **state)
{
    uint64_t value = 0;

    (void)state;
    power_on();
    assert_int_equal(queues_at(0), 0); /* all at 0, none enabled */
    place(0, 0x40000000, true);
    place(1, UINT64_C(0x8000000000), true);
    place(2, 0x40004000, true);
    place(3, 0x50000000, false);
    assert_int_equal(queues_at(0x40000000), 1);
    assert_int_equal(queues_at(UINT64_C(0x8000000000)), 2);
    assert_int_equal(queues_at(0x40004000), 3);
    assert_int_equal(queues_at(0x50000000), 0);
    assert_int_equal(queues_at(0x3fffc000), 0);
    assert_int_equal(queues_at(0x40008000), 0);
    assert_false(avps_ecam_mem_read(&ecam, 0x3fffffff, 1, &value));
    assert_int_equal(value, 0xff);
    assert_false(avps_ecam_mem_read(&ecam, 0x50000000, 8, &value));
    assert_true(value == UINT64_MAX);
    place(3, 0x50000000, true);
    assert_int_equal(queues_at(0x50000000), 4);
    assert_true(avps_ecam_mem_write(&ecam, 0x50000016, 2, 3));
    assert_true(avps_ecam_mem_read(&ecam, 0x50000016, 2, &value));
    assert_int_equal(value, 3);
    assert_true(avps_ecam_mem_read(&ecam, 0x40000016, 2, &value));
    assert_int_equal(value, 0);
    assert_false(avps_ecam_mem_write(&ecam, 0x60000016, 2, 3));
    off();
}

/* A driver that puts BARs on top of each other reaches one of them, always the same. */
static void test_ecam_overlapping_bars_hit_the_first_of_the_table(void **state)
{
    (void)state;
    power_on();
    place(0, 0x40000000, true);
    place(1, 0x40000000, true);
    place(2, 0x40000000, true);
    assert_int_equal(queues_at(0x40000000), 2); /* function 1 stands first */
    place(1, 0x40000000, false);
    assert_int_equal(queues_at(0x40000000), 1);
    place(0, 0x40000000, false);
    assert_int_equal(queues_at(0x40000000), 3);
    off();
}

/* At both ends of the address space. */
static void test_ecam_bars_at_the_ends_of_the_address_space(void **state)
{
    uint64_t value = 0;

    (void)state;
    power_on();
    place(0, 0, true);
    assert_int_equal(queues_at(0), 1);
    place(1, UINT64_MAX, true);
    const uint64_t size = avps_pci_bar(&pci[1], 0).size;
    assert_int_equal(queues_at(UINT64_MAX - size + 1U), 2);
    assert_true(avps_ecam_mem_read(&ecam, UINT64_MAX, 1, &value));
    assert_int_equal(value, 0);
    assert_true(avps_ecam_mem_read(&ecam, UINT64_MAX, 4, &value)); /* unaligned: nothing there */
    assert_int_equal(value, 0);
    off();
}

/* ---- host bridge ---- */

static void test_ecam_has_a_host_bridge_if_asked(void **state)
{
    (void)state;
    power_on();
    slots[0].device = 4;
    slots[1].device = 4;
    config.bridge_vendor = 0x1b36;
    config.bridge_device = 0x0008;
    assert_int_equal(avps_ecam_init(&ecam, &config), AVPS_OK);
    assert_int_equal(avps_ecam_read(&ecam, 0, 4), 0x00081b36);
    assert_int_equal(avps_ecam_read(&ecam, 2, 2), 0x0008);
    assert_int_equal(avps_ecam_read(&ecam, 8, 4), 0x06000000);
    assert_int_equal(avps_ecam_read(&ecam, 11, 1), 6);
    assert_int_equal(avps_ecam_read(&ecam, 1, 2), 0);
    assert_int_equal(avps_ecam_read(&ecam, 0, 8), 0);
    assert_int_equal(avps_ecam_read(&ecam, 0, 0), 0);
    for (uint32_t offset = 12; offset < 4096U; offset += 4U) {
        avps_ecam_write(&ecam, offset, 4, 0xffffffffU);
        assert_int_equal(avps_ecam_read(&ecam, offset, 4), 0);
    }
    assert_int_equal(avps_ecam_read(&ecam, 4, 4), 0);
    assert_int_equal(avps_ecam_read(&ecam, at(0, 4, 0, 0), 2), 0x1af4);
    off();
}

/* ---- init ---- */

static void test_ecam_init_refuses_what_no_driver_would_find(void **state)
{
    (void)state;
    power_on();
    const struct avps_ecam_config good = config;
    const struct avps_ecam_slot kept[FUNCTIONS] = {slots[0], slots[1], slots[2], slots[3]};

#define REFUSES(change)                                                                            \
    do {                                                                                           \
        change;                                                                                    \
        assert_int_equal(avps_ecam_init(&ecam, &config), AVPS_E_PARAM);                            \
        config = good;                                                                             \
        for (size_t i = 0; i < FUNCTIONS; i++) {                                                   \
            slots[i] = kept[i];                                                                    \
        }                                                                                          \
    } while (0)
    assert_int_equal(avps_ecam_init(NULL, &config), AVPS_E_PARAM);
    assert_int_equal(avps_ecam_init(&ecam, NULL), AVPS_E_PARAM);
    REFUSES(config.slots = NULL);
    REFUSES(config.bus_count = 0);
    REFUSES(config.bus_count = 257);
    REFUSES(config.bus_count = 1);     /* there is a function on bus 1 */
    REFUSES(config.bridge_vendor = 1); /* 00.0 is taken */
    REFUSES(slots[2].device = 32);
    REFUSES(slots[2].function = 8);
    REFUSES(slots[2].function = 1);  /* no function 0 */
    REFUSES(slots[1].pci = NULL);    /* nor there */
    REFUSES(slots[1].pci = &pci[2]); /* which does not say that there are others */
    REFUSES(slots[3] = slots[2]);    /* twice */
#undef REFUSES
    assert_int_equal(avps_ecam_init(&ecam, &config), AVPS_OK);
    config.slot_count = 0;
    assert_int_equal(avps_ecam_init(&ecam, &config), AVPS_OK);
    assert_true(avps_ecam_read(&ecam, 0, 4) == 0xffffffffU);
    off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ecam_shows_functions_where_they_are),
        cmocka_unit_test(test_ecam_reads_ones_where_nothing_is),
        cmocka_unit_test(test_ecam_writes_reach_one_function),
        cmocka_unit_test(test_ecam_slot_can_be_empty),
        cmocka_unit_test(test_ecam_finds_bars_where_the_driver_put_them),
        cmocka_unit_test(test_ecam_overlapping_bars_hit_the_first_of_the_table),
        cmocka_unit_test(test_ecam_bars_at_the_ends_of_the_address_space),
        cmocka_unit_test(test_ecam_has_a_host_bridge_if_asked),
        cmocka_unit_test(test_ecam_init_refuses_what_no_driver_would_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
