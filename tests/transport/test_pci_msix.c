/* SPDX-License-Identifier: BSD-3-Clause */
/* MSI-X of a PCI function: mapping -> messages -> masks and pending bits -> table accesses -> routes
 * -> INTx beside it. */
#include <pthread.h>

#include "transport/pci_internal.h"
#include "transport/test_pci.h"

static unsigned int total(const struct pci_test *t)
{
    unsigned int sum = 0;

    for (size_t i = 0; i < TEST_PCI_VECTORS; i++) {
        sum += t->d.port.msi[i];
    }
    return sum;
}

/* ---- mapping ---- */

/* [pci-12.4] [pci-12.5] [pci-12.6] [pci-12.8] [drv.pci-8.5] */
static void test_pci_maps_every_event_to_every_vector(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    for (uint16_t vector = 0; vector < TEST_PCI_VECTORS; vector++) {
        test_pci_common_set(&t->p, TEST_C_CONFIG_VECTOR, vector);
        assert_int_equal(test_pci_common(&t->p, TEST_C_CONFIG_VECTOR), vector);
        for (uint16_t queue = 0; queue < TEST_FAKE_QUEUES; queue++) {
            const unsigned int before = t->d.port.msi[vector];

            test_pci_queue_set(&t->p, queue, TEST_C_QUEUE_VECTOR, vector);
            assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_VECTOR), vector);
            pci_echo(t, queue);
            assert_int_equal(t->d.port.msi[vector], before + 1U);
        }
        avps_device_config_changed(&t->fake.base);
        assert_int_equal(total(t), 4U * (vector + 1U));
    }
    pci_free(t);
}

/* (d) row 60, [pci-12.9] [drv.pci-8.4] A vector that is not there maps to nothing. */
static void test_pci_refuses_vectors_that_do_not_exist(void **state)
{
    static const uint16_t vectors[] = {
        TEST_PCI_VECTORS, TEST_PCI_VECTORS + 1U, 0x800, 0x7fff, 0xfffe, 0xffff};

    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < AVPS_COUNT_OF(vectors); i++) {
        test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_VECTOR, 1);
        test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_VECTOR, vectors[i]);
        assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_VECTOR), 0xffff);
        test_pci_common_set(&t->p, TEST_C_CONFIG_VECTOR, 0);
        test_pci_common_set(&t->p, TEST_C_CONFIG_VECTOR, vectors[i]);
        assert_int_equal(test_pci_common(&t->p, TEST_C_CONFIG_VECTOR), 0xffff);
    }
    pci_free(t);
}

/* [pci-13.1] [pci-14.1] [pci-12.5] */
static void test_pci_sends_nothing_for_unmapped_events(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_VECTOR, AVPS_NO_VECTOR);
    test_pci_common_set(&t->p, TEST_C_CONFIG_VECTOR, AVPS_NO_VECTOR);
    pci_echo(t, 0);
    avps_device_config_changed(&t->fake.base);
    assert_int_equal(total(t), 0);
    assert_int_equal(t->d.port.raised, 0);
    for (uint32_t i = 0; i < TEST_PCI_VECTORS; i++) {
        assert_false(test_pci_msix_pending(&t->p, i));
    }
    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_VECTOR, 5); /* nothing is made up for */
    test_pci_common_set(&t->p, TEST_C_CONFIG_VECTOR, 6);
    assert_int_equal(total(t), 0);
    pci_free(t);
}

/* A function without a table maps nothing. */
static void test_pci_without_msix_maps_nothing(void **state)
{
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    t->config.vectors = NULL;
    t->config.vector_count = 0;
    pci_start(t, state);
    assert_int_equal(t->p.msix_at, 0);
    test_pci_common_set(&t->p, TEST_C_CONFIG_VECTOR, 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_CONFIG_VECTOR), 0xffff);
    test_pci_queue_set(&t->p, 0, TEST_C_QUEUE_VECTOR, 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_VECTOR), 0xffff);
    pci_echo(t, 0);
    assert_true(t->d.port.level);
    pci_free(t);
}

/* ---- messages ---- */

/* [pci-7.2] The message is what the table says; the configuration bit of ISR status is set too. */
static void test_pci_sends_the_message_of_the_table(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    for (uint16_t queue = 0; queue < TEST_FAKE_QUEUES; queue++) {
        pci_echo(t, queue);
        assert_int_equal(t->d.port.msi[1U + queue], 1);
        assert_true(t->d.port.msi_address[1U + queue] == test_pci_msi_address(1U + queue));
        assert_int_equal(t->d.port.msi_data[1U + queue], test_pci_msi_data(1U + queue));
    }
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 0);
    avps_device_config_changed(&t->fake.base);
    assert_int_equal(t->d.port.msi[0], 1);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 2);
    assert_int_equal(total(t), 4);
    assert_int_equal(t->d.port.raised, 0);
    pci_free(t);
}

/* ---- masks and pending bits ---- */

/* Any number of events behind a mask are one message when it opens. */
static void test_pci_keeps_one_message_behind_a_vector_mask(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_msix_mask(&t->p, 1, true);
    for (unsigned int i = 0; i < 100U; i++) {
        pci_echo(t, 0);
    }
    assert_int_equal(total(t), 0);
    assert_true(test_pci_msix_pending(&t->p, 1));
    assert_false(test_pci_msix_pending(&t->p, 0));
    assert_false(test_pci_msix_pending(&t->p, 2));
    test_pci_msix_mask(&t->p, 1, true); /* again changes nothing */
    assert_int_equal(total(t), 0);
    test_pci_msix_mask(&t->p, 1, false);
    assert_int_equal(t->d.port.msi[1], 1);
    assert_false(test_pci_msix_pending(&t->p, 1));
    test_pci_msix_mask(&t->p, 1, true);
    test_pci_msix_mask(&t->p, 1, false);
    assert_int_equal(total(t), 1);
    pci_free(t);
}

static void test_pci_keeps_messages_behind_the_function_mask(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_msix_mask(&t->p, 3, true);
    test_pci_msix_control(&t->p, true, true);
    for (uint16_t queue = 0; queue < TEST_FAKE_QUEUES; queue++) {
        pci_echo(t, queue);
        pci_echo(t, queue);
    }
    assert_int_equal(total(t), 0);
    test_pci_msix_mask(&t->p, 2, true);
    test_pci_msix_mask(&t->p, 2, false); /* its own mask is not the only one */
    assert_int_equal(total(t), 0);
    test_pci_msix_control(&t->p, true, false);
    assert_int_equal(t->d.port.msi[1], 1);
    assert_int_equal(t->d.port.msi[2], 1);
    assert_int_equal(t->d.port.msi[3], 0); /* still behind its own */
    test_pci_msix_mask(&t->p, 3, false);
    assert_int_equal(total(t), 3);
    pci_free(t);
}

/* A message is a memory write: only a bus master sends it. */
static void test_pci_keeps_messages_while_it_is_no_bus_master(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MEMORY);
    avps_device_config_changed(&t->fake.base);
    assert_int_equal(total(t), 0);
    assert_true(test_pci_msix_pending(&t->p, 0));
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MEMORY | TEST_PCI_MASTER);
    assert_int_equal(t->d.port.msi[0], 1);
    pci_free(t);
}

/* [pci-12.7] A device reset leaves no message behind, and the table as it is. */
static void test_pci_device_reset_forgets_messages(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_msix_mask(&t->p, 1, true);
    pci_echo(t, 0);
    assert_true(test_pci_msix_pending(&t->p, 1));
    test_driver_reset(&t->d);
    assert_false(test_pci_msix_pending(&t->p, 1));
    test_pci_msix_mask(&t->p, 1, false);
    assert_int_equal(total(t), 0);
    test_driver_start(&t->d);
    pci_echo(t, 0);
    assert_int_equal(t->d.port.msi[1], 1);
    pci_free(t);
}

/* ---- several CPUs ---- */

#define RACE_ROUNDS 100000U
#define RACE_WAIT   50000000U

/* One CPU raises and waits for each message, the driver's opens and closes both masks meanwhile. */
struct race {
    struct pci_test *t;
    atomic_uint sent; /* messages of vector 1 */
    atomic_bool over;
    unsigned int raised;
    bool lost;
};

static struct race race;

static void race_msi(void *ctx, uint32_t vector, uint64_t address, uint32_t data)
{
    (void)ctx;
    (void)address;
    (void)data;
    (void)atomic_fetch_add(&race.sent, vector == 1U ? 1U : 0U);
}

static void *race_raise(void *ctx)
{
    (void)ctx;
    while (!atomic_load(&race.over) && !race.lost) {
        unsigned int waits = 0;

        race.raised++;
        avps_pci_msix_raise(&race.t->p.pci, 1);
        while (atomic_load(&race.sent) != race.raised && waits < RACE_WAIT) {
            waits++;
        }
        race.lost = waits == RACE_WAIT;
    }
    return NULL;
}

/* Each event is one message, whatever the masks do: none is lost, none is sent twice. */
static void test_pci_loses_no_message_between_cpus(void **state)
{
    pthread_t thread;
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    (void)state;
    t->p.irq.msi = race_msi;
    t->p.irq.msi_route = NULL;
    test_pci_attach(&t->p, &t->d, &t->config);
    test_pci_msix_start(&t->p);
    race = (struct race){.t = t};
    assert_int_equal(pthread_create(&thread, NULL, race_raise, NULL), 0);
    for (unsigned int i = 0; i < RACE_ROUNDS; i++) {
        test_pci_msix_mask(&t->p, 1, true);
        test_pci_msix_control(&t->p, true, i % 2U == 0U);
        test_pci_msix_mask(&t->p, 1, false);
        test_pci_msix_control(&t->p, true, false);
    }
    atomic_store(&race.over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(race.lost);
    assert_int_equal(atomic_load(&race.sent), race.raised);
    assert_false(test_pci_msix_pending(&t->p, 1));
    pci_free(t);
}

/* ---- table accesses ---- */

static const uint32_t widths[] = {1, 2, 3, 4, 5, 7, 8, 16};

/* PCI: words and aligned double words; the rest reads 0 and writes nothing. */
static void test_pci_table_takes_words_and_double_words(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const uint64_t at = 0x1000 + 16U * 4U;

    test_pci_write(&t->p, at, 8, UINT64_C(0x1122334455667788));
    test_pci_write(&t->p, at + 8U, 8, UINT64_C(0xfffffffe99aabbcc));
    assert_true(test_pci_read(&t->p, at, 8) == UINT64_C(0x1122334455667788));
    assert_true(test_pci_read(&t->p, at, 4) == 0x55667788U);
    assert_true(test_pci_read(&t->p, at + 4U, 4) == 0x11223344U);
    assert_true(test_pci_read(&t->p, at + 8U, 8) == UINT64_C(0x0000000099aabbcc));
    test_pci_write(&t->p, at, 4, 3); /* addresses are word aligned */
    test_pci_write(&t->p, at + 12U, 4, 0xffffffffU);
    assert_true(test_pci_read(&t->p, at, 4) == 0U);
    assert_true(test_pci_read(&t->p, at + 12U, 4) == 1U);
    const struct pci_picture before = pci_picture_of(t);
    for (uint32_t offset = 0; offset < 16U; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            const uint32_t width = widths[w];
            const uint64_t bad = pci_bad_accesses(t);

            if ((width == 4U || width == 8U) && offset % width == 0U) {
                continue;
            }
            assert_true(avps_pci_bar_read(&t->p.pci, 0, at + offset, width) == 0U);
            avps_pci_bar_write(&t->p.pci, 0, at + offset, width, UINT64_MAX);
            assert_int_equal(pci_bad_accesses(t), bad + 2U);
        }
    }
    pci_expect_unchanged(t, &before);
    pci_free(t);
}

/* Pending bits are read, not written. */
static void test_pci_pending_bits_are_read_only(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);
    const uint64_t bad = pci_bad_accesses(t);

    test_pci_msix_mask(&t->p, 1, true);
    test_pci_msix_mask(&t->p, 3, true);
    pci_echo(t, 0);
    pci_echo(t, 2);
    assert_true(test_pci_read(&t->p, 0x2000, 8) == 10U);
    assert_true(test_pci_read(&t->p, 0x2000, 4) == 10U);
    assert_true(test_pci_read(&t->p, 0x2004, 4) == 0U);
    assert_true(test_pci_read(&t->p, 0x2000, 1) == 0U);
    test_pci_write(&t->p, 0x2000, 8, 0);
    test_pci_write(&t->p, 0x2000, 4, UINT32_MAX);
    assert_int_equal(pci_bad_accesses(t), bad + 3U);
    assert_true(test_pci_read(&t->p, 0x2000, 8) == 10U);
    pci_free(t);
}

/* ---- routes ---- */

/* The embedder learns what a vector would send whenever that changes, but not while it is masked. */
static void test_pci_tells_the_routes_of_vectors(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const struct test_pci_notices *told = &t->p.told;

    test_pci_msix_program(&t->p, 2, false);
    assert_int_equal(told->routes[2], 0); /* not enabled */
    test_pci_msix_control(&t->p, true, true);
    assert_int_equal(told->routes[2], 0);
    test_pci_msix_control(&t->p, true, false);
    assert_int_equal(told->routes[2], 1);
    assert_true(told->route_address[2] == test_pci_msi_address(2));
    assert_int_equal(told->route_data[2], test_pci_msi_data(2));
    assert_false(told->route_masked[2]);
    assert_int_equal(told->routes[3], 0);         /* masked since power-on */
    test_pci_write(&t->p, 0x1000 + 40U, 4, 0x77); /* data, unmasked */
    assert_int_equal(told->routes[2], 2);
    assert_int_equal(told->route_data[2], 0x77);
    test_pci_write(&t->p, 0x1000 + 40U, 4, 0x77);
    assert_int_equal(told->routes[2], 2);
    test_pci_msix_mask(&t->p, 2, true);
    assert_int_equal(told->routes[2], 3);
    assert_true(told->route_masked[2]);
    test_pci_write(&t->p, 0x1000 + 40U, 4, 0x88);
    assert_int_equal(told->routes[2], 3);
    test_pci_msix_mask(&t->p, 2, false);
    assert_int_equal(told->routes[2], 4);
    assert_int_equal(told->route_data[2], 0x88);
    test_pci_msix_control(&t->p, false, false);
    assert_int_equal(told->routes[2], 5);
    assert_true(told->route_masked[2]);
    pci_free(t);
}

/* An embedder that does not care. */
static void test_pci_needs_no_route_op(void **state)
{
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    t->p.irq.msi_route = NULL;
    t->config.ops = NULL;
    test_pci_attach(&t->p, &t->d, &t->config);
    test_pci_msix_start(&t->p);
    if (test_is_packed(state)) {
        test_driver_want(&t->d, AVPS_F_RING_PACKED);
    }
    test_driver_start(&t->d);
    (void)test_driver_poll(&t->d);
    pci_echo(t, 0);
    assert_int_equal(t->d.port.msi[1], 1);
    pci_free(t);
}

/* ---- INTx beside it ---- */

/* Enabling MSI-X lowers the line, disabling brings back what ISR status still has. */
static void test_pci_uses_either_intx_or_msix(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    avps_device_config_changed(&t->fake.base);
    assert_true(t->d.port.level);
    test_pci_msix_control(&t->p, true, true);
    assert_false(t->d.port.level);
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_STATUS, 2) & 8U, 0);
    pci_echo(t, 0); /* mapped to nothing: lost, and not in ISR status */
    assert_false(t->d.port.level);
    test_pci_msix_control(&t->p, false, false);
    assert_true(t->d.port.level);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 2);
    pci_echo(t, 0);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 1);
    pci_free(t);
}

/* What waits when MSI-X is switched off is not sent when it is switched on again. */
static void test_pci_forgets_messages_when_msix_is_switched_off(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_msix_control(&t->p, true, true);
    pci_echo(t, 0);
    assert_true(test_pci_msix_pending(&t->p, 1));
    test_pci_msix_control(&t->p, false, false);
    test_pci_msix_control(&t->p, true, false);
    assert_int_equal(total(t), 0);
    pci_echo(t, 0);
    assert_int_equal(t->d.port.msi[1], 1);
    pci_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_pci_maps_every_event_to_every_vector, NULL, NULL),
        TEST_BOTH(test_pci_refuses_vectors_that_do_not_exist, NULL, NULL),
        TEST_BOTH(test_pci_sends_nothing_for_unmapped_events, NULL, NULL),
        TEST_BOTH(test_pci_without_msix_maps_nothing, NULL, NULL),
        TEST_BOTH(test_pci_sends_the_message_of_the_table, NULL, NULL),
        TEST_BOTH(test_pci_keeps_one_message_behind_a_vector_mask, NULL, NULL),
        TEST_BOTH(test_pci_keeps_messages_behind_the_function_mask, NULL, NULL),
        TEST_BOTH(test_pci_keeps_messages_while_it_is_no_bus_master, NULL, NULL),
        TEST_BOTH(test_pci_device_reset_forgets_messages, NULL, NULL),
        cmocka_unit_test(test_pci_loses_no_message_between_cpus),
        cmocka_unit_test(test_pci_table_takes_words_and_double_words),
        TEST_BOTH(test_pci_pending_bits_are_read_only, NULL, NULL),
        cmocka_unit_test(test_pci_tells_the_routes_of_vectors),
        TEST_BOTH(test_pci_needs_no_route_op, NULL, NULL),
        TEST_BOTH(test_pci_uses_either_intx_or_msix, NULL, NULL),
        TEST_BOTH(test_pci_forgets_messages_when_msix_is_switched_off, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
