/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved state of a PCI function: round trips -> what a load tells the embedder -> damaged states. */
#include "transport/test_pci.h"

static uint8_t blob[4096];
static size_t blob_len;

static void save(struct pci_test *t)
{
    assert_int_equal(avps_quiesce(&t->fake.base), AVPS_OK);
    assert_int_equal(avps_pci_save(&t->p.pci, blob, sizeof blob, &blob_len), AVPS_OK);
    avps_resume(&t->fake.base);
}

/* The same function as after power-on, in the same memory. */
static void move(struct pci_test *t)
{
    test_fake_init_alone(&t->fake, &t->d, t->fake.kind);
    (void)memset(&t->p.told, 0, sizeof t->p.told);
    assert_int_equal(avps_pci_init(&t->p.pci, &t->config), AVPS_OK);
    if (t->d.port.level) {
        t->d.port.level = false; /* the new host's line */
    }
}

static enum avps_status load(struct pci_test *t)
{
    return avps_pci_load(&t->p.pci, blob, blob_len);
}

/* ---- round trips ---- */

/* I28: the moved function goes on where it was, and saves the same bytes. */
static void test_pci_moves_with_everything(void **state)
{
    uint8_t again[4096];
    size_t len = 0;
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    pci_echo(t, 0);
    test_pci_common_set(&t->p, TEST_C_DEVICE_FEATURE_SELECT, 3);
    test_pci_common_set(&t->p, TEST_C_DRIVER_FEATURE_SELECT, 2);
    test_pci_common_set(&t->p, TEST_C_QUEUE_SELECT, 1);
    test_pci_set(&t->p, 0x3c, 1, 77);
    test_pci_set(&t->p, t->p.window.at + 8U, 4, 0x100);
    save(t);
    move(t);
    assert_int_equal(load(t), AVPS_OK);
    assert_int_equal(avps_pci_save(&t->p.pci, again, sizeof again, &len), AVPS_OK);
    assert_int_equal(len, blob_len);
    assert_memory_equal(again, blob, len);
    assert_int_equal(test_pci_common(&t->p, TEST_C_DEVICE_FEATURE_SELECT), 3);
    assert_int_equal(test_pci_common(&t->p, TEST_C_DRIVER_FEATURE_SELECT), 2);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_SELECT), 1);
    assert_int_equal(test_pci_common(&t->p, TEST_C_QUEUE_VECTOR), 2);
    assert_int_equal(test_pci_get(&t->p, 0x3c, 1), 77);
    const unsigned int before = t->d.port.msi[3];
    pci_echo(t, 2);
    assert_int_equal(t->d.port.msi[3], before + 1U);
    pci_free(t);
}

/* A message that waits, a line that is high, BARs and routes are there again. */
static void test_pci_load_tells_the_embedder_what_there_is(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    test_pci_msix_mask(&t->p, 1, true);
    pci_echo(t, 0);
    save(t);
    move(t);
    assert_int_equal(load(t), AVPS_OK);
    assert_int_equal(t->p.told.bars[0], 1);
    assert_true(t->p.told.enabled[0] && t->p.told.address[0] == TEST_PCI_WINDOW);
    assert_int_equal(t->p.told.routes[1], 0);
    assert_int_equal(t->p.told.routes[2], 1);
    assert_true(t->p.told.route_address[2] == test_pci_msi_address(2));
    assert_true(test_pci_msix_pending(&t->p, 1));
    test_pci_msix_mask(&t->p, 1, false);
    assert_int_equal(t->d.port.msi[1], 1);
    pci_free(t);
}

static void test_pci_load_raises_the_line_again(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    pci_echo(t, 0);
    assert_true(t->d.port.level);
    save(t);
    move(t);
    assert_int_equal(load(t), AVPS_OK);
    assert_true(t->d.port.level);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 1);
    pci_free(t);
}

/* A function in D3hot, not a bus master, stays so. */
static void test_pci_load_keeps_it_asleep(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    test_pci_set(&t->p, t->p.power_at + 4U, 2, 3);
    save(t);
    move(t);
    assert_int_equal(load(t), AVPS_OK);
    assert_int_equal(test_pci_get(&t->p, t->p.power_at + 4U, 2), 0xb);
    assert_false(avps_pci_bar(&t->p.pci, 0).enabled);
    test_pci_set(&t->p, t->p.power_at + 4U, 2, 0);
    (void)test_driver_poll(&t->d);
    pci_echo(t, 0);
    pci_free(t);
}

/* Any buffer that is too small is refused, and the size can be asked for. */
static void test_pci_save_needs_its_space(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    size_t used = 0;

    assert_int_equal(avps_pci_save(&t->p.pci, NULL, 0, &used), AVPS_OK);
    save(t);
    assert_int_equal(used, blob_len);
    for (size_t size = 0; size < blob_len; size++) {
        uint8_t *exact = malloc(size != 0U ? size : 1U);

        assert_non_null(exact);
        assert_int_equal(avps_pci_save(&t->p.pci, exact, size, &used), AVPS_E_NOSPACE);
        assert_int_equal(used, blob_len);
        free(exact);
    }
    assert_int_equal(avps_pci_save(NULL, blob, 1, &used), AVPS_E_PARAM);
    assert_int_equal(avps_pci_save(&t->p.pci, blob, 1, NULL), AVPS_E_PARAM);
    pci_free(t);
}

/* ---- damaged states ---- */

static void expect_power_on(struct pci_test *t)
{
    assert_int_equal(avps_device_status(&t->fake.base), 0);
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_COMMAND, 2), 0);
    assert_int_equal(test_pci_get(&t->p, 0x10, 4), 4);
    for (uint16_t i = 0; i < TEST_FAKE_QUEUES; i++) {
        assert_int_equal(atomic_load(&t->fake.base.queues[i].vector), 0xffff);
    }
    assert_false(t->d.port.level);
}

/* A good state with `byte` at `offset` is refused, and the function is as at power-on. */
static void expect_refused(struct pci_test *t, size_t offset, uint8_t byte)
{
    const uint8_t good = blob[offset];

    assert_int_not_equal(good, byte);
    blob[offset] = byte;
    assert_int_equal(load(t), AVPS_E_PARAM);
    expect_power_on(t);
    blob[offset] = good;
}

/* Places in the state: magic, counts, space, selectors, vectors. */
#define AT_SPACE  8U
#define AT_VECTOR (AT_SPACE + 256U + 10U)
#define AT_ISR    (AT_VECTOR + 2U)
#define AT_QUEUES (AT_ISR + 1U)
#define AT_TABLE  (AT_QUEUES + 2U * TEST_FAKE_QUEUES)

/* (d) I28: nothing that no driver can have set is taken. */
static void test_pci_load_refuses_impossible_states(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);
    static const uint8_t constant[] = {0x00, 0x02, 0x06, 0x08, 0x0b, 0x0e, 0x10, 0x18,
                                       0x2c, 0x34, 0x3d, 0x40, 0x41, 0x43, 0x48, 0x4c};

    save(t);
    move(t);
    expect_refused(t, 0, 0);
    expect_refused(t, 4, TEST_PCI_VECTORS + 1U);
    expect_refused(t, 6, TEST_FAKE_QUEUES - 1U);
    for (size_t i = 0; i < AVPS_COUNT_OF(constant); i++) {
        expect_refused(t, AT_SPACE + constant[i], blob[AT_SPACE + constant[i]] ^ 1U);
    }
    expect_refused(t, AT_SPACE + TEST_PCI_COMMAND, 1);
    expect_refused(t, AT_SPACE + t->p.power_at + 4U, 9); /* D1 */
    expect_refused(t, AT_SPACE + t->p.express_at + 9U, 0xa8);
    expect_refused(t, AT_VECTOR, TEST_PCI_VECTORS);
    expect_refused(t, AT_ISR, 4);
    expect_refused(t, AT_QUEUES + 2U, TEST_PCI_VECTORS);
    expect_refused(t, AT_TABLE, blob[AT_TABLE] | 1U); /* address */
    expect_refused(t, AT_TABLE + 12U, 2);             /* control */
    expect_refused(t, AT_TABLE + 16U, 2);             /* pending */
    assert_int_equal(load(t), AVPS_OK);
    pci_echo(t, 0);
    pci_free(t);
}

/* Interrupts of a device that never ran. */
static void test_pci_load_refuses_interrupts_without_a_driver(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    save(t);
    move(t);
    expect_refused(t, AT_ISR, 1);
    expect_refused(t, AT_TABLE + 16U, 1);
    assert_int_equal(load(t), AVPS_OK);
    pci_free(t);
}

/* Every length but the right one. */
static void test_pci_load_refuses_every_other_length(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);
    uint8_t *exact;

    save(t);
    move(t);
    for (size_t size = 0; size < blob_len; size++) {
        exact = malloc(size != 0U ? size : 1U);
        assert_non_null(exact);
        (void)memcpy(exact, blob, size);
        assert_int_equal(avps_pci_load(&t->p.pci, exact, size), AVPS_E_PARAM);
        free(exact);
    }
    expect_power_on(t);
    blob[blob_len] = 0;
    assert_int_equal(avps_pci_load(&t->p.pci, blob, blob_len + 1U), AVPS_E_PARAM);
    assert_int_equal(load(t), AVPS_OK);
    pci_free(t);
}

/* Any single damaged byte: taken or refused, never inconsistent. */
static void test_pci_load_survives_any_damage(void **state)
{
    struct pci_test *t = pci_run_msix(state, TEST_FAKE_SYNC);

    save(t);
    for (size_t i = 0; i < blob_len; i++) {
        move(t);
        blob[i] ^= (uint8_t)(1U << (i % 8U));
        const enum avps_status status = load(t);
        assert_true(status == AVPS_OK || status == AVPS_E_PARAM);
        if (status != AVPS_OK) {
            expect_power_on(t);
        }
        assert_int_equal(avps_pci_reset(&t->p.pci), AVPS_OK);
        blob[i] ^= (uint8_t)(1U << (i % 8U));
    }
    move(t);
    assert_int_equal(load(t), AVPS_OK);
    pci_echo(t, 0);
    pci_free(t);
}

/* A function in use is not overwritten. */
static void test_pci_load_refuses_a_function_in_use(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    save(t);
    const struct pci_picture before = pci_picture_of(t);
    assert_int_equal(load(t), AVPS_E_STATE);
    pci_expect_unchanged(t, &before);
    assert_int_equal(avps_pci_load(NULL, blob, blob_len), AVPS_E_PARAM);
    assert_int_equal(avps_pci_load(&t->p.pci, NULL, blob_len), AVPS_E_PARAM);
    pci_echo(t, 0);
    pci_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_pci_moves_with_everything, NULL, NULL),
        TEST_BOTH(test_pci_load_tells_the_embedder_what_there_is, NULL, NULL),
        TEST_BOTH(test_pci_load_raises_the_line_again, NULL, NULL),
        TEST_BOTH(test_pci_load_keeps_it_asleep, NULL, NULL),
        TEST_BOTH(test_pci_save_needs_its_space, NULL, NULL),
        TEST_BOTH(test_pci_load_refuses_impossible_states, NULL, NULL),
        cmocka_unit_test(test_pci_load_refuses_interrupts_without_a_driver),
        TEST_BOTH(test_pci_load_refuses_every_other_length, NULL, NULL),
        TEST_BOTH(test_pci_load_survives_any_damage, NULL, NULL),
        TEST_BOTH(test_pci_load_refuses_a_function_in_use, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
