/* SPDX-License-Identifier: BSD-3-Clause */
/* Real devices behind a PCI function, as a driver finds them: entropy, block with its configuration
 * space and asynchronous requests, the administration virtqueue. Both ring formats, INTx, MSI-X and
 * PCI_CFG access. */
#include "devices/test_admin.h"
#include "devices/test_blk.h"
#include "support/pci.h"

#include "avps/rng.h"

static struct test_pci p;

/* ---- entropy ---- */

static struct test_driver d;
static struct avps_rng rng;
static struct avps_queue queues[2];
static struct avps_admin admin;

static enum avps_status count_up(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)(i + 1U);
    }
    *got = len;
    return AVPS_OK;
}

static const struct avps_rng_ops rng_ops = {.fill = count_up};

static void make_rng(void **state, bool with_admin)
{
    struct avps_rng_config config = {.ops = &rng_ops};

    test_driver_init(&d, TEST_MEM_REGIONS);
    config.base = test_driver_base(&d, queues, 1, 64);
    if (with_admin) {
        assert_int_equal(avps_admin_init(&admin), AVPS_OK);
        config.base.admin = &admin;
    }
    assert_int_equal(avps_rng_init(&rng, &config), AVPS_OK);
    const struct avps_pci_config function = test_pci_config(&p, &d, &rng.base);
    test_pci_attach(&p, &d, &function);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
}

static void expect_entropy(void)
{
    struct test_request r = {.in = {48}};
    uint8_t bytes[48];

    assert_int_equal(test_driver_do(&d, 0, &r), 48);
    test_driver_in(&d, &r, 0, bytes, sizeof bytes);
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], i + 1U);
    }
}

/* [pci-x8] A device without configuration space has no capability for it. */
static void test_pci_device_delivers_entropy(void **state)
{
    make_rng(state, false);
    assert_int_equal(test_pci_get(&p, 2, 2), 0x1044);
    assert_int_equal(p.device.at, 0);
    test_driver_start(&d);
    expect_entropy();
    assert_true(d.port.level);
    assert_int_equal(test_driver_ack(&d), 1);
    assert_false(d.port.level);
    test_driver_free(&d);
}

static void test_pci_device_delivers_entropy_with_msix(void **state)
{
    make_rng(state, false);
    test_pci_msix_start(&p);
    test_driver_start(&d);
    for (unsigned int i = 1; i < 50U; i++) {
        expect_entropy();
        assert_int_equal(d.port.msi[1], i);
    }
    assert_int_equal(d.port.raised, 0);
    test_driver_free(&d);
}

static void test_pci_device_delivers_entropy_through_the_window(void **state)
{
    make_rng(state, false);
    p.use_window = true;
    test_driver_start(&d);
    expect_entropy();
    test_driver_free(&d);
}

/* Every core feature that a PCI driver can accept, at once. */
static void test_pci_device_with_all_features(void **state)
{
    make_rng(state, false);
    test_driver_want_all(&d, test_is_packed(state));
    test_driver_start(&d);
    for (unsigned int i = 0; i < 200U; i++) {
        expect_entropy();
    }
    test_driver_free(&d);
}

/* ---- block ---- */

static void attach_pci(struct blk_test *t)
{
    const struct avps_pci_config function = test_pci_config(&p, &t->d, &t->blk.base);

    test_pci_attach(&p, &t->d, &function);
}

static void attach_msix(struct blk_test *t)
{
    attach_pci(t);
    test_pci_msix_start(&p);
}

static void blk_round_trip(struct blk_test *t)
{
    uint8_t out[1024];
    uint8_t in[1024];

    for (uint32_t i = 0; i < sizeof out; i++) {
        out[i] = (uint8_t)(i * 7U + i / 256U);
    }
    assert_int_equal(blk_write(t, 5, out, sizeof out), BLK_OK);
    assert_int_equal(blk_read(t, 5, in, sizeof in), BLK_OK);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(t->used_len, sizeof in + 1U);
    assert_int_equal(blk_read(t, 60, in, 512), BLK_OK);
    assert_memory_equal(in, t->data + (size_t)60 * 512U, 512);
}

static void test_pci_device_reads_and_writes_blocks(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->attach = attach_pci;
    blk_start(t);
    assert_int_equal(test_pci_get(&p, 0x08, 4) >> 8, 0x018000);
    assert_int_equal(test_driver_config(&t->d, 0, 4), BLK_SECTORS); /* halves [pci-3.1] */
    assert_int_equal(test_driver_config(&t->d, 4, 4), 0);
    blk_round_trip(t);
    assert_int_equal(test_driver_ack(&t->d), 1);
    blk_free(t);
}

/* Guest memory of any kind does not matter to the transport. */
static void test_pci_device_reads_and_writes_blocks_in_any_memory(void **state)
{
    for (unsigned int kind = 0; kind < TEST_MEM_KINDS; kind++) {
        struct blk_test *t = blk_new(state, (enum test_mem_kind)kind);

        t->attach = attach_msix;
        blk_refuse(t, AVPS_F_EVENT_IDX); /* an interrupt for each */
        blk_start(t);
        blk_round_trip(t);
        assert_int_equal(t->d.port.msi[1], 3);
        blk_free(t);
    }
}

/* [pci-7.2] [pci-5.6] A disk that grows tells by its vector. */
static void test_pci_device_tells_of_a_new_capacity(void **state)
{
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->attach = attach_msix;
    blk_start(t);
    const uint64_t generation = test_pci_common(&p, TEST_C_GENERATION);
    assert_int_equal(avps_blk_set_capacity(&t->blk, BLK_SECTORS / 2U), AVPS_OK);
    assert_int_equal(t->d.port.msi[0], 1);
    assert_int_equal(test_driver_config(&t->d, 0, 4), BLK_SECTORS / 2U);
    assert_int_equal(test_pci_common(&p, TEST_C_GENERATION), generation + 1U);
    assert_int_equal(test_driver_ack(&t->d), 2);
    blk_free(t);
}

/* (d) FLR mid-request: the back end is cancelled, nothing is written to the guest any more. */
static void test_pci_device_is_reset_with_requests_in_flight(void **state)
{
    struct test_request r;
    struct blk_test *t = blk_new(state, TEST_MEM_REGIONS);

    t->attach = attach_msix;
    blk_asynchronous(t);
    blk_start(t);
    blk_send(t, 0, &r, BLK_T_IN, 1, NULL, 0, 512);
    assert_int_equal(t->logged, 1);
    const unsigned int cancels = t->cancels;
    test_pci_set(&p, p.express_at + 8U, 2, 0x8000);
    assert_int_equal(t->cancels, cancels + 1U);
    assert_int_equal(avps_device_status(&t->blk.base), 0);
    assert_int_equal(blk_answer(t), 0);
    assert_int_equal(blk_status(t, &r), BLK_UNTOUCHED);
    assert_int_equal(t->d.port.msi[1], 0);
    test_pci_enable(&p);
    test_pci_msix_start(&p);
    test_driver_start(&t->d);
    blk_send(t, 0, &r, BLK_T_IN, 1, NULL, 0, 512);
    assert_int_equal(blk_answer(t), 1);
    blk_expect(t, 0, &r, BLK_OK, 513);
    assert_int_equal(t->d.port.msi[1], 1);
    blk_free(t);
}

/* ---- administration virtqueue ---- */

/* [pci-5.16] [drv.pci-4.10] Behind the device's own queues, when it was negotiated. */
static void test_pci_device_has_its_administration_virtqueue(void **state)
{
    struct admin_cmd cmd = {.opcode = LIST_QUERY};

    make_rng(state, true);
    assert_true(test_driver_offers(&d, AVPS_F_ADMIN_VQ));
    test_driver_want(&d, AVPS_F_ADMIN_VQ);
    d.queue_count = 2;
    test_driver_start(&d);
    assert_int_equal(test_pci_common(&p, TEST_C_NUM_QUEUES), 1);
    assert_int_equal(test_pci_common(&p, TEST_C_ADMIN_INDEX), 1);
    assert_int_equal(test_pci_common(&p, TEST_C_ADMIN_NUM), 1);
    assert_int_equal(p.notify.length, 8);
    assert_int_equal(admin_send(&d, 1, &cmd), ST_OK);
    expect_entropy();
    test_driver_free(&d);
}

/* [pci-5.14] Without ADMIN_VQ the queue is not there. */
static void test_pci_device_without_admin_vq_has_no_such_queue(void **state)
{
    make_rng(state, true);
    test_driver_start(&d);
    assert_int_equal(test_pci_common(&p, TEST_C_NUM_QUEUES), 1);
    assert_int_equal(test_pci_common(&p, TEST_C_ADMIN_INDEX), 0);
    assert_int_equal(test_pci_common(&p, TEST_C_ADMIN_NUM), 0);
    assert_int_equal(test_pci_queue(&p, 1, TEST_C_QUEUE_SIZE), 0);
    test_pci_queue_set(&p, 1, TEST_C_QUEUE_ENABLE, 1);
    assert_int_equal(test_pci_common(&p, TEST_C_QUEUE_ENABLE), 0);
    expect_entropy();
    test_driver_free(&d);
    make_rng(state, false);
    assert_false(test_driver_offers(&d, AVPS_F_ADMIN_VQ));
    test_driver_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_pci_device_delivers_entropy, NULL, NULL),
        TEST_BOTH(test_pci_device_delivers_entropy_with_msix, NULL, NULL),
        TEST_BOTH(test_pci_device_delivers_entropy_through_the_window, NULL, NULL),
        TEST_BOTH(test_pci_device_with_all_features, NULL, NULL),
        TEST_BOTH(test_pci_device_reads_and_writes_blocks, NULL, NULL),
        TEST_BOTH(test_pci_device_reads_and_writes_blocks_in_any_memory, NULL, NULL),
        TEST_BOTH(test_pci_device_tells_of_a_new_capacity, NULL, NULL),
        TEST_BOTH(test_pci_device_is_reset_with_requests_in_flight, NULL, NULL),
        TEST_BOTH(test_pci_device_has_its_administration_virtqueue, NULL, NULL),
        TEST_BOTH(test_pci_device_without_admin_vq_has_no_such_queue, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
