/* SPDX-License-Identifier: BSD-3-Clause */
/* The PCI_CFG access capability: a driver that has nothing else -> accesses that lead nowhere. */
#include "transport/test_pci.h"

/* [pci-11.1] [pci-11.2] [pci-11.3] A whole driver through the capability, memory never switched on. */
static void test_pci_window_is_enough_for_a_driver(void **state)
{
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    test_pci_plug(&t->p, &t->d, &t->config);
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MASTER);
    t->p.use_window = true;
    if (test_is_packed(state)) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&t->d);
    (void)test_driver_poll(&t->d);
    for (uint16_t i = 0; i < TEST_FAKE_QUEUES; i++) {
        pci_echo(t, i);
    }
    assert_int_equal(test_driver_config(&t->d, 2, 2), 0x1312);
    assert_true(t->d.port.level);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 1);
    assert_false(t->d.port.level);
    pci_free(t);
}

/* [pci-11.3] Only `length` bytes of the data are replaced. */
static void test_pci_window_read_fills_its_length(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const uint32_t device = (uint32_t)t->p.device.offset;

    assert_int_equal(test_pci_window_read(&t->p, 0, device, 4), 0x13121110);
    assert_int_equal(test_pci_window_read(&t->p, 0, device + 6U, 2), 0x13121716);
    assert_int_equal(test_pci_window_read(&t->p, 0, device + 9U, 1), 0x13121719);
    pci_free(t);
}

/* [pci-11.2] Only the first `length` bytes of the data are written, in one access. */
static void test_pci_window_write_takes_its_length(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    test_pci_window_write(&t->p, 0, TEST_C_QUEUE_SELECT, 2, 0xabcd0002U);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SELECT), 2);
    test_pci_window_write(&t->p, 0, TEST_C_STATUS, 1, 0xffffff01U);
    assert_int_equal(test_pci_common(&t->p, TEST_C_STATUS), 1);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SELECT), 2);
    pci_free(t);
}

/* Setting it up is no access yet. */
static void test_pci_window_acts_on_its_data_only(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    pci_echo(t, 0);
    test_pci_set(&t->p, t->p.window.at + 8U, 4, (uint32_t)t->p.isr.offset);
    test_pci_set(&t->p, t->p.window.at + 12U, 4, 1);
    for (uint32_t at = 0; at < 16U; at += 4U) {
        (void)test_pci_get(&t->p, t->p.window.at + at, 4);
    }
    assert_true(t->d.port.level);
    assert_int_equal(test_pci_get(&t->p, t->p.window.at + 16U, 1), 1); /* a byte of it is enough */
    assert_false(t->d.port.level);
    pci_free(t);
}

/* What the driver wrote to the fields reads back; the others are constant. */
static void test_pci_window_fields_hold_what_is_written(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const uint32_t at = t->p.window.at;

    test_pci_set(&t->p, at, 4, 0xffffffffU);
    assert_int_equal(test_pci_get(&t->p, at + 2U, 2), 0x0514);
    test_pci_set(&t->p, at + 4U, 4, 0xffffffffU);
    assert_int_equal(test_pci_get(&t->p, at + 4U, 4), 0xff);
    test_pci_set(&t->p, at + 8U, 4, 0x12345678);
    test_pci_set(&t->p, at + 12U, 4, 0x9abcdef0);
    assert_true(test_pci_get(&t->p, at + 8U, 4) == 0x12345678U);
    assert_true(test_pci_get(&t->p, at + 12U, 4) == 0x9abcdef0U);
    pci_free(t);
}

/* (d) row 61, [drv.pci-7.1] [drv.pci-7.2] */
static void test_pci_window_leads_only_into_structures(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);
    const uint32_t device = (uint32_t)t->p.device.offset;
    const uint32_t notify = (uint32_t)t->p.notify.offset;
    const struct {
        uint32_t bar, offset, length;
    } bad[] = {
        {0, 0, 0},
        {0, 0, 3},
        {0, 0, 8},
        {0, 0, 5},
        {0, 0, 0xffffffff},
        {0, 0, 0x80000004},
        {0, 0, 16},
        {1, 20, 1},
        {2, 20, 1},
        {5, 20, 1},
        {255, 20, 1},
        {0, 1, 2},
        {0, 2, 4},
        {0, 22, 4},
        {0, 63, 2},
        {0, 64, 4},
        {0, 64, 1},
        {0, 0x101, 1},
        {0, 0x100, 2},
        {0, device + 20U, 1},
        {0, device + 18U, 4},
        {0, notify + 12U, 2},
        {0, 0x1000, 4},
        {0, 0x2000, 4},
        {0, 0x3fff, 1},
        {0, 0x4000, 4},
        {0, 0xffffffff, 1},
        {0, 0xfffffffe, 2},
        {0, 0xfffffffc, 4},
    };

    test_pci_common_set(&t->p, TEST_C_QUEUE_SELECT, 0);
    for (size_t i = 0; i < AVPS_COUNT_OF(bad); i++) {
        const uint64_t count = pci_bad_accesses(t);

        test_pci_window_write(&t->p, bad[i].bar, bad[i].offset, bad[i].length, 0);
        assert_int_equal(pci_bad_accesses(t), count + 1U);
        assert_int_equal(test_pci_window_read(&t->p, bad[i].bar, bad[i].offset, bad[i].length), 0);
        assert_int_equal(pci_bad_accesses(t), count + 2U);
    }
    assert_int_equal(test_pci_common(&t->p, TEST_C_STATUS), TEST_S_LIVE);
    assert_true(test_pci_read(&t->p, 0x1000, 4) == (test_pci_msi_address(0) & 0xffffffffU));
    pci_echo(t, 0);
    pci_free(t);
}

/* A status of 0 through it resets the device, and the capability is as it was. */
static void test_pci_window_can_reset_the_device(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    test_pci_window_write(&t->p, 0, TEST_C_STATUS, 1, 0);
    assert_int_equal(test_pci_get(&t->p, t->p.window.at + 8U, 4), TEST_C_STATUS);
    assert_int_equal(test_pci_window_read(&t->p, 0, TEST_C_STATUS, 1), 0);
    pci_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_pci_window_is_enough_for_a_driver, NULL, NULL),
        cmocka_unit_test(test_pci_window_read_fills_its_length),
        cmocka_unit_test(test_pci_window_write_takes_its_length),
        TEST_BOTH(test_pci_window_acts_on_its_data_only, NULL, NULL),
        cmocka_unit_test(test_pci_window_fields_hold_what_is_written),
        TEST_BOTH(test_pci_window_leads_only_into_structures, NULL, NULL),
        TEST_BOTH(test_pci_window_can_reset_the_device, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
