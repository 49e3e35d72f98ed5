/* SPDX-License-Identifier: BSD-3-Clause */
/* The PCI function as a whole: identity -> capabilities -> BARs -> structures -> doorbells -> INTx ->
 * power -> function level reset -> init. */
#include "transport/test_pci.h"

/* ---- identity ---- */

/* [pci-2.1] [pci-2.2] [pci-2.3] [pci-2.4] [pci-2.5] [pci-2.6] */
static void test_pci_shows_a_modern_virtio_device(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    assert_int_equal(test_pci_get(&t->p, 0x00, 4), (0x1040U + TEST_FAKE_ID) << 16 | 0x1af4U);
    assert_int_equal(test_pci_get(&t->p, 0x08, 1), 1);
    assert_int_equal(test_pci_get(&t->p, 0x0e, 1), 0);
    assert_int_equal(test_pci_get(&t->p, 0x2c, 2), 0x1af4);
    assert_int_equal(test_pci_get(&t->p, 0x2e, 2), 0x1040U + TEST_FAKE_ID);
    assert_int_equal(test_pci_get(&t->p, 0x3d, 1), 1);
    pci_free(t);
}

/* [pci-2.3] */
static void test_pci_shows_the_identity_that_the_embedder_chose(void **state)
{
    (void)state;
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    t->config.subsystem_vendor = 0xabcd;
    t->config.subsystem_id = 0x40;
    t->config.revision = 7;
    t->config.class_code = 0x010802;
    t->config.pin = 4;
    t->config.multifunction = true;
    test_pci_attach(&t->p, &t->d, &t->config);
    assert_int_equal(test_pci_get(&t->p, 0x2c, 4), 0x0040abcd);
    assert_int_equal(test_pci_get(&t->p, 0x08, 4), 0x01080207);
    assert_int_equal(test_pci_get(&t->p, 0x3d, 1), 4);
    assert_int_equal(test_pci_get(&t->p, 0x0e, 1), 0x80);
    pci_free(t);
}

/* Class codes are for drivers and tools that know no virtio. */
static void test_pci_shows_a_class_that_fits_the_device(void **state)
{
    static const struct {
        uint32_t id, class_code;
    } devices[] = {{1, 0x020000},  {2, 0x018000},  {3, 0x078000},  {4, 0xff0000}, {16, 0x038000},
                   {18, 0x098000}, {20, 0x108000}, {23, 0x080600}, {25, 0x040100}};
    static struct avps_device_ops ops;

    (void)state;
    for (size_t i = 0; i < AVPS_COUNT_OF(devices); i++) {
        struct pci_test *t = pci_new(TEST_FAKE_SYNC);

        ops = *t->fake.base.ops;
        ops.device_id = devices[i].id;
        t->fake.base.ops = &ops;
        test_pci_attach(&t->p, &t->d, &t->config);
        assert_int_equal(test_pci_get(&t->p, 0x02, 2), 0x1040U + devices[i].id);
        assert_int_equal(test_pci_get(&t->p, 0x08, 4) >> 8, devices[i].class_code);
        pci_free(t);
    }
}

/* [pci-1.1] Everything that a driver must not write in the header is as before after all ones and zeros. */
static void test_pci_header_is_read_only_but_for_what_a_driver_sets(void **state)
{
    static const struct {
        uint32_t at, writable;
    } words[] = {{0x00, 0}, {0x08, 0}, {0x0c, 0xff}, {0x18, 0}, {0x1c, 0}, {0x20, 0},   {0x24, 0},
                 {0x28, 0}, {0x2c, 0}, {0x30, 0},    {0x34, 0}, {0x38, 0}, {0x3c, 0xff}};

    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    for (size_t i = 0; i < AVPS_COUNT_OF(words); i++) {
        const uint32_t before = test_pci_get(&t->p, words[i].at, 4);

        test_pci_set(&t->p, words[i].at, 4, 0xffffffffU);
        assert_true(test_pci_get(&t->p, words[i].at, 4) == (before | words[i].writable));
        test_pci_set(&t->p, words[i].at, 4, 0);
        assert_true(test_pci_get(&t->p, words[i].at, 4) == (before & ~words[i].writable));
    }
    test_pci_set(&t->p, TEST_PCI_COMMAND, 4, 0xffffffffU);
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_COMMAND, 4), 0x00100546);
    pci_free(t);
}

/* (d) row 40: widths and alignments that configuration space does not have */
static void test_pci_config_space_takes_aligned_bytes_halves_and_words(void **state)
{
    static const uint32_t widths[] = {0, 1, 2, 3, 4, 5, 8, 16, 0xffffffff};

    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    for (uint32_t offset = 0; offset < 0x40U; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            const uint32_t width = widths[w];
            const bool good = (width == 1U || width == 2U || width == 4U) && offset % width == 0U;
            const uint64_t before = pci_bad_accesses(t);

            if (!good) {
                assert_int_equal(avps_pci_config_read(&t->p.pci, offset, width), 0);
                avps_pci_config_write(&t->p.pci, offset, width, 0xffffffffU);
            } else {
                (void)avps_pci_config_read(&t->p.pci, offset, width);
            }
            assert_int_equal(pci_bad_accesses(t), before + (good ? 0U : 2U));
        }
    }
    assert_int_equal(test_pci_get(&t->p, 0x34, 1), 0x40);
    pci_free(t);
}

/* No extended capability; behind the space there is nothing. */
static void test_pci_extended_space_reads_zero(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const uint64_t before = pci_bad_accesses(t);

    for (uint32_t offset = 256; offset < 4096U; offset += 4U) {
        avps_pci_config_write(&t->p.pci, offset, 4, 0xffffffffU);
        assert_int_equal(avps_pci_config_read(&t->p.pci, offset, 4), 0);
    }
    assert_int_equal(pci_bad_accesses(t), before);
    assert_int_equal(avps_pci_config_read(&t->p.pci, 4096, 4), 0);
    avps_pci_config_write(&t->p.pci, 0xfffffffcU, 4, 1);
    assert_int_equal(pci_bad_accesses(t), before + 2U);
    pci_free(t);
}

/* ---- capabilities ---- */

static bool inside(const struct test_pci_cap *cap, const struct test_pci *p)
{
    return cap->offset + cap->length <= p->bar_size;
}

/* [pci-4.1] [pci-5.1] [pci-5.2] [pci-6.1] [pci-6.2] [pci-6.7] [pci-7.1] [pci-8.1] [pci-11.1]
 * [pci-x8] */
static void test_pci_has_every_structure_in_one_bar(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const struct test_pci *p = &t->p;
    const struct test_pci_cap *all[] = {&p->common, &p->notify, &p->isr, &p->device};

    for (size_t i = 0; i < AVPS_COUNT_OF(all); i++) {
        assert_int_not_equal(all[i]->at, 0);
        assert_int_equal(all[i]->bar, 0);
        assert_true(inside(all[i], p));
        for (size_t j = 0; j < i; j++) {
            assert_true(all[i]->offset >= all[j]->offset + all[j]->length ||
                        all[j]->offset >= all[i]->offset + all[i]->length);
        }
    }
    assert_int_equal(p->common.length, 64);
    assert_int_equal(p->common.offset % 4U, 0);
    assert_int_equal(p->notify.offset % 4U, 0);
    assert_int_equal(p->device.offset % 4U, 0);
    assert_int_equal(p->device.length, TEST_FAKE_CONFIG);
    assert_int_equal(p->isr.length, 1);
    assert_int_not_equal(p->window.at, 0);
    assert_int_equal(test_pci_get(&t->p, p->common.at + 2U, 1), 16);
    assert_int_equal(test_pci_get(&t->p, p->isr.at + 2U, 1), 16);
    assert_int_equal(test_pci_get(&t->p, p->device.at + 2U, 1), 16);
    assert_int_equal(test_pci_get(&t->p, p->notify.at + 2U, 1), 20);
    assert_int_equal(test_pci_get(&t->p, p->window.at + 2U, 1), 20);
    pci_free(t);
}

/* [pci-6.3] [pci-6.4] [pci-6.5] [pci-6.6] [pci-6.8] [pci-6.9] */
static void test_pci_has_a_doorbell_for_every_queue(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    assert_int_equal(t->p.multiplier, 4);
    assert_int_equal(t->p.notify.length, 4U * TEST_FAKE_QUEUES);
    for (uint16_t i = 0; i < TEST_FAKE_QUEUES; i++) {
        const uint64_t off = test_pci_queue(&t->p, i, TEST_C_QUEUE_NOTIFY_OFF);

        assert_true(off * t->p.multiplier + 4U <= t->p.notify.length);
        assert_int_equal(avps_pci_doorbell(&t->p.pci, i),
                         t->p.notify.offset + off * t->p.multiplier);
    }
    pci_free(t);
}

/* [drv.pci-3.7] Capabilities are constant, PCI_CFG and the standard ones' controls apart. */
static void test_pci_capabilities_are_read_only(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const uint32_t caps[] = {t->p.common.at, t->p.notify.at, t->p.isr.at, t->p.device.at};

    for (size_t i = 0; i < AVPS_COUNT_OF(caps); i++) {
        for (uint32_t at = caps[i]; at < caps[i] + 16U; at += 4U) {
            const uint32_t before = test_pci_get(&t->p, at, 4);

            test_pci_set(&t->p, at, 4, ~before);
            assert_true(test_pci_get(&t->p, at, 4) == before);
        }
    }
    pci_free(t);
}

/* [pci-4.2] [pci-10.2] [pci-10.3] [pci-x5] [pci-x9] */
static void test_pci_shows_vendor_data_in_whole_words(void **state)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5};

    (void)state;
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);
    t->config.vendor_id = 0x1234;
    t->config.vendor_data = data;
    t->config.vendor_size = sizeof data;
    test_pci_attach(&t->p, &t->d, &t->config);
    const uint32_t at = t->p.vendor.at;
    const struct pci_picture before = pci_picture_of(t);

    assert_int_not_equal(at, 0);
    for (unsigned int i = 0; i < 2U; i++) {
        assert_int_equal(test_pci_get(&t->p, at + 2U, 1), 12);
        assert_int_equal(test_pci_get(&t->p, at + 4U, 2), 0x1234);
        assert_int_equal(test_pci_get(&t->p, at + 6U, 2), 0x0201);
        assert_int_equal(test_pci_get(&t->p, at + 8U, 4), 0x00050403);
    }
    pci_expect_unchanged(t, &before);
    test_pci_set(&t->p, at + 8U, 4, 0xffffffffU);
    assert_int_equal(test_pci_get(&t->p, at + 8U, 4), 0x00050403);
    pci_free(t);
}

/* [pci-9.1] [pci-9.2] */
static void test_pci_shows_shared_memory_regions_in_their_own_bar(void **state)
{
    static const struct avps_pci_shm regions[] = {
        {.id = 0, .offset = 0, .length = 0x3000},
        {.id = 7, .offset = UINT64_C(0x100000000), .length = UINT64_C(0x180000000)}};

    (void)state;
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);
    t->config.kind = AVPS_PCI_CONVENTIONAL; /* room for both */
    t->config.shm = regions;
    t->config.shm_count = 2;
    test_pci_attach(&t->p, &t->d, &t->config);
    const struct avps_pci_range bar = avps_pci_bar(&t->p.pci, 2);

    assert_int_equal(t->p.shm_count, 2);
    for (size_t i = 0; i < 2U; i++) {
        assert_int_equal(test_pci_get(&t->p, t->p.shm[i].at + 2U, 1), 24);
        assert_int_equal(t->p.shm[i].bar, 2);
        assert_int_equal(t->p.shm[i].id, regions[i].id);
        assert_true(t->p.shm[i].offset == regions[i].offset);
        assert_true(t->p.shm[i].length == regions[i].length);
        assert_true(t->p.shm[i].offset + t->p.shm[i].length <= bar.size);
    }
    assert_true(bar.size == UINT64_C(0x400000000));
    assert_true(bar.enabled && bar.address == TEST_PCI_SHM);
    assert_int_equal(test_pci_get(&t->p, 0x18, 4) & 15U, 12); /* 64 bits, prefetchable */
    assert_true(t->p.told.enabled[2] && t->p.told.address[2] == TEST_PCI_SHM);
    pci_free(t);
}

/* ---- BARs ---- */

/* [pci-1.1] The sizing protocol: ones are written, the bits that stick tell size and kind. */
static void test_pci_bar_tells_its_size(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    assert_true(t->p.bar_size == 0x4000U); /* structures, table, pending bits, doorbells */
    assert_true(avps_pci_bar(&t->p.pci, 0).size == 0x4000U);
    test_pci_set(&t->p, 0x10, 4, 0xffffffffU);
    assert_true(test_pci_get(&t->p, 0x10, 4) ==
                0xffffc004U); /* memory, 64 bits, not prefetchable */
    test_pci_set(&t->p, 0x14, 4, 0xffffffffU);
    assert_true(test_pci_get(&t->p, 0x14, 4) == 0xffffffffU);
    for (uint32_t bar = 1; bar < 7U; bar++) {
        assert_true(avps_pci_bar(&t->p.pci, bar).size == 0U);
    }
    pci_free(t);
}

/* [pci-1.1] Memory enable, and a BAR that would wrap around. */
static void test_pci_bar_decodes_only_when_it_can(void **state)
{
    uint64_t value = 0;

    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    assert_true(avps_ecam_mem_read(&t->p.ecam, TEST_PCI_WINDOW + 0x12, 2, &value));
    assert_int_equal(value, TEST_FAKE_QUEUES);
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MASTER);
    assert_false(avps_ecam_mem_read(&t->p.ecam, TEST_PCI_WINDOW + 0x12, 2, &value));
    assert_int_equal(value, 0xffff);
    assert_false(avps_ecam_mem_write(&t->p.ecam, TEST_PCI_WINDOW + 0x14, 1, 1));
    assert_int_equal(avps_device_status(&t->fake.base), 0);
    test_pci_set(&t->p, 0x10, 4, 0xffffffffU);
    test_pci_set(&t->p, 0x14, 4, 0xffffffffU);
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MEMORY);
    assert_true(avps_ecam_mem_read(&t->p.ecam, UINT64_C(0xffffffffffffc012), 2, &value));
    assert_int_equal(value, TEST_FAKE_QUEUES);
    assert_true(avps_ecam_mem_read(&t->p.ecam, UINT64_MAX, 1, &value));
    assert_false(avps_ecam_mem_read(&t->p.ecam, 0, 1, &value));
    pci_free(t);
}

/* The embedder hears of every change of a BAR that decodes, and of nothing else. */
static void test_pci_tells_where_the_bar_is(void **state)
{
    (void)state;
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);
    test_pci_plug(&t->p, &t->d, &t->config);

    assert_int_equal(t->p.told.bars[0], 0); /* sizing with memory off */
    test_pci_enable(&t->p);
    assert_int_equal(t->p.told.bars[0], 1);
    assert_true(t->p.told.enabled[0] && t->p.told.address[0] == TEST_PCI_WINDOW);
    test_pci_set(&t->p, 0x10, 4, 0x50000000U);
    assert_int_equal(t->p.told.bars[0], 2);
    assert_true(t->p.told.enabled[0] && t->p.told.address[0] == 0x50000000U);
    test_pci_set(&t->p, 0x10, 4, 0x50000fffU); /* the same address */
    assert_int_equal(t->p.told.bars[0], 2);
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, 0);
    assert_int_equal(t->p.told.bars[0], 3);
    assert_false(t->p.told.enabled[0]);
    assert_int_equal(t->p.told.bars[2], 0);
    pci_free(t);
}

/* ---- structures ---- */

static const uint32_t widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 0xffffffff};

/* What the BAR holds, by the capabilities; an access must be inside one of these. */
static bool is_somewhere(struct pci_test *t, uint64_t offset, uint32_t width)
{
    const struct test_pci_cap table = {.offset = 0x1000, .length = 16U * TEST_PCI_VECTORS};
    const struct test_pci_cap pending = {.offset = 0x2000, .length = 8};
    const struct test_pci_cap *all[] = {&t->p.common, &t->p.isr, &t->p.device,
                                        &t->p.notify, &table,    &pending};

    for (size_t i = 0; i < AVPS_COUNT_OF(all); i++) {
        if (offset >= all[i]->offset && offset + width <= all[i]->offset + all[i]->length) {
            return true;
        }
    }
    return false;
}

/* (d) row 40, I13: between and behind the structures there is nothing, in no width */
static void test_pci_bar_has_nothing_between_the_structures(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const struct pci_picture before = pci_picture_of(t);

    for (uint64_t offset = 0; offset < t->p.bar_size + 64U; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            const uint64_t bad = pci_bad_accesses(t);

            if (is_somewhere(t, offset, widths[w]) && widths[w] != 0U) {
                continue;
            }
            assert_true(avps_pci_bar_read(&t->p.pci, 0, offset, widths[w]) == 0U);
            avps_pci_bar_write(&t->p.pci, 0, offset, widths[w], UINT64_MAX);
            assert_int_equal(pci_bad_accesses(t), bad + 2U);
        }
    }
    pci_expect_unchanged(t, &before);
    pci_echo(t, 0);
    pci_free(t);
}

/* The other BARs, and offsets near 2^64. */
static void test_pci_answers_only_for_its_bar(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const struct pci_picture before = pci_picture_of(t);
    const uint64_t bad = pci_bad_accesses(t);

    for (uint32_t bar = 1; bar < 8U; bar++) {
        assert_true(avps_pci_bar_read(&t->p.pci, bar, 0x12, 2) == 0U);
        avps_pci_bar_write(&t->p.pci, bar, 0x14, 1, 0);
    }
    assert_true(avps_pci_bar_read(&t->p.pci, 0, UINT64_MAX, 1) == 0U);
    assert_true(avps_pci_bar_read(&t->p.pci, 0, UINT64_MAX - 3U, 4) == 0U);
    avps_pci_bar_write(&t->p.pci, 0, UINT64_C(0x100000014), 1, 0);
    assert_int_equal(pci_bad_accesses(t), bad + 14U + 3U);
    pci_expect_unchanged(t, &before);
    pci_echo(t, 0);
    pci_free(t);
}

/* [pci-3.1] The device's configuration, in every aligned width. */
static void test_pci_device_config_reads_in_any_part(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const uint64_t at = t->p.device.offset;

    assert_int_equal(test_pci_read(&t->p, at, 1), 0x10);
    assert_int_equal(test_pci_read(&t->p, at + 2U, 2), 0x1312);
    assert_int_equal(test_pci_read(&t->p, at + 16U, 4), 0x23222120);
    assert_true(test_pci_read(&t->p, at + 8U, 8) == UINT64_C(0x1f1e1d1c1b1a1918));
    assert_int_equal(test_pci_read(&t->p, at + 8U, 4), 0x1b1a1918);
    assert_int_equal(test_pci_read(&t->p, at + 12U, 4), 0x1f1e1d1c);
    test_pci_write(&t->p, at + 4U, 1, 0x77);
    assert_int_equal(t->fake.config_puts, 1);
    pci_free(t);
}

/* ---- doorbells ---- */

/* [drv.pci-9.1] [drv.pci-9.3] A 16-bit write of its index is a queue's doorbell. */
static void test_pci_doorbell_kicks_its_queue(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const struct avps_queue_counters *counters = avps_queue_counters(&t->fake.base, 1);
    const uint64_t before = counters->kicks;

    assert_false(avps_has_work(&t->fake.base));
    test_pci_write(&t->p, avps_pci_doorbell(&t->p.pci, 1), 2, 1);
    assert_true(avps_has_work(&t->fake.base));
    (void)test_driver_poll(&t->d);
    assert_int_equal(counters->kicks, before + 1U);
    assert_int_equal(avps_device_counters(&t->fake.base)->spurious_kicks, 0);
    assert_int_equal(test_pci_read(&t->p, avps_pci_doorbell(&t->p.pci, 1), 2), 0);
    pci_free(t);
}

/* (d) row 46: widths, offsets and indexes that name no queue */
static void test_pci_drops_doorbells_that_name_no_queue(void **state)
{
    static const struct {
        uint32_t offset, width;
        uint64_t value;
    } bad[] = {{0, 1, 0}, {0, 4, 0}, {0, 8, 0},      {2, 2, 0},      {2, 2, 1}, {0, 2, 1},
               {4, 2, 0}, {8, 2, 3}, {0, 2, 0xffff}, {8, 2, 0x8002}, {1, 1, 0}, {4, 4, 1}};

    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const uint64_t bad_before = pci_bad_accesses(t);

    for (size_t i = 0; i < AVPS_COUNT_OF(bad); i++) {
        test_pci_write(&t->p, t->p.notify.offset + bad[i].offset, bad[i].width, bad[i].value);
        assert_false(avps_has_work(&t->fake.base));
    }
    (void)test_driver_poll(&t->d);
    assert_int_equal(avps_device_counters(&t->fake.base)->spurious_kicks, AVPS_COUNT_OF(bad));
    assert_int_equal(pci_bad_accesses(t), bad_before);
    test_pci_write(&t->p, t->p.notify.offset + 4U * TEST_FAKE_QUEUES, 2, TEST_FAKE_QUEUES);
    assert_int_equal(pci_bad_accesses(t), bad_before + 1U); /* behind the last one */
    pci_echo(t, 0);
    pci_free(t);
}

/* [drv.pci-9.2] [drv.pci-9.4] */
static void test_pci_doorbell_carries_notification_data(void **state)
{
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    test_driver_want(&t->d, AVPS_F_NOTIFICATION_DATA);
    pci_start(t, state);
    pci_echo(t, 2);
    test_pci_write(&t->p, avps_pci_doorbell(&t->p.pci, 0), 2, 0); /* too narrow now */
    assert_false(avps_has_work(&t->fake.base));
    test_pci_write(&t->p, avps_pci_doorbell(&t->p.pci, 0), 4, 0xffff0000U);
    assert_true(avps_has_work(&t->fake.base));
    pci_free(t);
}

/* [drv.pci-9.5] [drv.pci-9.6] */
static void test_pci_doorbell_carries_what_the_device_asked_for(void **state)
{
    for (unsigned int data = 0; data < 2U; data++) {
        struct pci_test *t = pci_new(TEST_FAKE_SYNC);

        if (data != 0U) {
            test_driver_want(&t->d, AVPS_F_NOTIFICATION_DATA);
        }
        test_driver_want(&t->d, AVPS_F_NOTIF_CONFIG_DATA);
        pci_start(t, state);
        for (uint16_t i = 0; i < TEST_FAKE_QUEUES; i++) {
            pci_echo(t, i);
        }
        pci_free(t);
    }
}

static void test_pci_alone_offers_notification_config_data(void **state)
{
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);

    (void)state;
    assert_true(test_driver_offers(&t->d, AVPS_F_NOTIF_CONFIG_DATA));
    pci_free(t);
    t = pci_new(TEST_FAKE_SYNC);
    avps_features_add(&t->fake.base.withheld, AVPS_F_NOTIF_CONFIG_DATA);
    test_pci_attach(&t->p, &t->d, &t->config);
    assert_false(test_driver_offers(&t->d, AVPS_F_NOTIF_CONFIG_DATA));
    pci_free(t);
    test_driver_init(&t->d, TEST_MEM_REGIONS);
    test_fake_init(&t->fake, &t->d, TEST_FAKE_SYNC);
    assert_false(test_driver_offers(&t->d, AVPS_F_NOTIF_CONFIG_DATA));
    test_driver_free(&t->d);
}

/* ---- INTx ---- */

static bool interrupt_bit(struct pci_test *t)
{
    return (test_pci_get(&t->p, TEST_PCI_STATUS, 2) & 8U) != 0U;
}

/* [pci-7.3] [pci-7.4] [pci-7.5] */
static void test_pci_raises_intx_until_isr_is_read(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    assert_false(t->d.port.level);
    assert_false(interrupt_bit(t));
    pci_echo(t, 0);
    assert_true(t->d.port.level);
    assert_true(interrupt_bit(t));
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_STATUS, 1) & 8U, 8);
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_COMMAND, 4) >> 16 & 8U, 8);
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_STATUS + 1U, 1), 0);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 1);
    assert_false(t->d.port.level);
    assert_false(interrupt_bit(t));
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 0);
    assert_int_equal(t->d.port.raised, 1);
    pci_free(t);
}

/* [pci-7.2] [pci-7.4] [pci-x22] */
static void test_pci_raises_intx_for_the_configuration(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    avps_device_config_changed(&t->fake.base);
    assert_true(t->d.port.level);
    pci_echo(t, 0);
    assert_int_equal(t->d.port.raised, 1); /* one interrupt for both */
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 3);
    assert_false(t->d.port.level);
    pci_free(t);
}

/* ISR status is one byte, read only. */
static void test_pci_isr_is_a_byte_that_is_read(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const uint64_t bad = pci_bad_accesses(t);

    pci_echo(t, 0);
    test_pci_write(&t->p, t->p.isr.offset, 1, 0xff);
    test_pci_write(&t->p, t->p.isr.offset, 1, 0);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 2), 0);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 4), 0);
    assert_int_equal(pci_bad_accesses(t), bad + 4U);
    assert_true(t->d.port.level);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 1);
    pci_free(t);
}

/* PCI: the disable bit keeps the line down, not the status bit. */
static void test_pci_intx_can_be_disabled(void **state)
{
    const uint32_t on = TEST_PCI_MEMORY | TEST_PCI_MASTER;
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, on | TEST_PCI_NO_INTX);
    pci_echo(t, 0);
    assert_false(t->d.port.level);
    assert_true(interrupt_bit(t));
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, on);
    assert_true(t->d.port.level);
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, on | TEST_PCI_NO_INTX);
    assert_false(t->d.port.level);
    pci_free(t);
}

/* Without a pin there is no line: the driver polls ISR status or uses MSI-X. */
static void test_pci_without_a_pin_has_no_line(void **state)
{
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);

    t->config.pin = 0;
    pci_start(t, state);
    assert_int_equal(test_pci_get(&t->p, 0x3d, 1), 0);
    pci_echo(t, 0);
    assert_false(t->d.port.level);
    assert_int_equal(test_pci_read(&t->p, t->p.isr.offset, 1), 1);
    pci_free(t);
}

/* ---- bus master and power ---- */

/* A function that is not a bus master takes no chain; what came meanwhile is served afterwards. */
static void test_pci_serves_only_as_a_bus_master(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    struct test_used used = {0, 0};
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MEMORY);
    (void)test_driver_send(&t->d, 0, &r);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    assert_false(test_driver_reap(&t->d, 0, &used));
    assert_int_equal(t->fake.served, 0);
    const unsigned int wakes = t->d.port.wakes;
    test_pci_set(&t->p, TEST_PCI_COMMAND, 2, TEST_PCI_MEMORY | TEST_PCI_MASTER);
    assert_int_equal(t->d.port.wakes, wakes + 1U);
    (void)test_driver_poll(&t->d);
    assert_true(test_driver_reap(&t->d, 0, &used));
    assert_int_equal(used.len, 4);
    pci_free(t);
}

/* In D3hot only configuration space answers; back in D0 everything is as it was. */
static void test_pci_sleeps_in_d3hot_and_forgets_nothing(void **state)
{
    struct test_used used = {0, 0};
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    uint64_t value = 0;
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    pci_echo(t, 0);
    assert_true(t->d.port.level);
    const uint32_t control = t->p.power_at + 4U;
    assert_int_equal(test_pci_get(&t->p, t->p.power_at + 2U, 2), 3);
    test_pci_set(&t->p, control, 2, 3);
    assert_int_equal(test_pci_get(&t->p, control, 2), 0xb);
    assert_false(t->d.port.level);
    assert_false(avps_ecam_mem_read(&t->p.ecam, TEST_PCI_WINDOW, 4, &value));
    assert_false(t->p.told.enabled[0]);
    (void)test_driver_send(&t->d, 0, &r);
    avps_kick(&t->fake.base, 0, 0);
    (void)test_driver_poll(&t->d);
    assert_false(test_driver_reap(&t->d, 0, &used));
    test_pci_set(&t->p, control, 2, 0);
    assert_int_equal(test_pci_get(&t->p, control, 2), 8);
    assert_true(t->d.port.level);
    (void)test_driver_poll(&t->d);
    assert_true(test_driver_reap(&t->d, 0, &used));
    pci_free(t);
}

static void test_pci_has_no_d1_and_d2(void **state)
{
    (void)state;
    struct pci_test *t = pci_on(TEST_FAKE_SYNC);
    const uint32_t control = t->p.power_at + 4U;

    test_pci_set(&t->p, control, 2, 1);
    assert_int_equal(test_pci_get(&t->p, control, 2), 8);
    test_pci_set(&t->p, control, 2, 3);
    test_pci_set(&t->p, control, 2, 2);
    assert_int_equal(test_pci_get(&t->p, control, 2), 0xb);
    pci_free(t);
}

/* ---- function level reset ---- */

static void flr(struct pci_test *t)
{
    if (t->p.express_at != 0U) {
        test_pci_set(&t->p, t->p.express_at + 8U, 2, 0xa810U);
    } else {
        test_pci_set(&t->p, t->p.advanced_at + 4U, 1, 1);
    }
}

static void expect_power_on_state(struct pci_test *t)
{
    assert_int_equal(test_pci_get(&t->p, TEST_PCI_COMMAND, 4), 0x00100000);
    assert_int_equal(test_pci_get(&t->p, 0x10, 4), 4);
    assert_int_equal(test_pci_get(&t->p, 0x14, 4), 0);
    assert_int_equal(test_pci_get(&t->p, 0x3c, 1), 0);
    assert_int_equal(test_pci_get(&t->p, t->p.msix_at + 2U, 2), TEST_PCI_VECTORS - 1U);
    assert_false(t->d.port.level);
    assert_false(t->p.told.enabled[0]);
}

/* Both kinds: the device, its configuration space and the MSI-X table are as at power-on. */
static void test_pci_function_level_reset_resets_everything(void **state)
{
    for (unsigned int kind = 0; kind < 2U; kind++) {
        struct pci_test *t = pci_new(TEST_FAKE_SYNC);

        t->config.kind = kind == 0U ? AVPS_PCI_INTEGRATED : AVPS_PCI_CONVENTIONAL;
        pci_start(t, state);
        pci_echo(t, 0);
        test_pci_set(&t->p, 0x3c, 1, 11);
        test_pci_msix_program(&t->p, 3, false);
        assert_true(t->d.port.level);
        assert_int_equal(kind == 0U ? t->p.advanced_at : t->p.express_at, 0);
        flr(t);
        assert_int_equal(avps_device_status(&t->fake.base), 0);
        expect_power_on_state(t);
        if (kind == 0U) {
            assert_int_equal(test_pci_get(&t->p, t->p.express_at + 8U, 2), 0x2810);
        }
        test_pci_enable(&t->p);
        assert_int_equal(test_pci_read(&t->p, 0x1000 + 48U, 4), 0);
        assert_int_equal(test_pci_read(&t->p, 0x1000 + 60U, 4), 1); /* masked */
        test_driver_start(&t->d);
        pci_echo(t, 0);
        pci_free(t);
    }
}

/* With requests in a back end the device's reset ends with the last; the function answers at once. */
static void test_pci_function_level_reset_waits_for_requests(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    struct test_used used = {0, 0};
    struct pci_test *t = pci_run(state, TEST_FAKE_ASYNC);

    t->fake.cancel_answer = AVPS_PENDING;
    (void)test_driver_send(&t->d, 0, &r);
    test_driver_kick(&t->d, 0);
    (void)test_driver_poll(&t->d);
    assert_int_equal(t->fake.kept_count, 1);
    flr(t);
    expect_power_on_state(t);
    test_pci_enable(&t->p);
    assert_int_not_equal(test_pci_common(&t->p, TEST_C_STATUS), 0);
    test_fake_complete(&t->fake, 0);
    assert_int_equal(test_pci_common(&t->p, TEST_C_STATUS), 0);
    assert_false(test_driver_reap(&t->d, 0, &used)); /* neither used nor notified */
    assert_int_equal(t->d.port.raised, 0);
    test_driver_start(&t->d);
    pci_free(t);
}

/* The reset bit in a wider write, in a narrower one, and beside it. */
static void test_pci_function_level_reset_is_one_bit(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);
    const uint32_t control = t->p.express_at + 8U;

    test_pci_set(&t->p, control, 2, 0x7fffU);
    test_pci_set(&t->p, control, 1, 0x80U);
    test_pci_set(&t->p, control + 2U, 2, 0xffffU);
    assert_int_equal(avps_device_status(&t->fake.base), TEST_S_LIVE);
    assert_int_equal(test_pci_get(&t->p, control, 2), 0x7800);
    test_pci_set(&t->p, control + 1U, 1, 0x80U);
    assert_int_equal(avps_device_status(&t->fake.base), 0);
    test_pci_enable(&t->p);
    test_driver_start(&t->d);
    test_pci_set(&t->p, control, 4, 0x8000U);
    assert_int_equal(avps_device_status(&t->fake.base), 0);
    pci_free(t);
}

/* The embedder's own power-on reset does the same. */
static void test_pci_reset_by_the_embedder(void **state)
{
    struct pci_test *t = pci_run(state, TEST_FAKE_SYNC);

    pci_echo(t, 1);
    assert_int_equal(avps_pci_reset(&t->p.pci), AVPS_OK);
    expect_power_on_state(t);
    assert_int_equal(avps_pci_reset(NULL), AVPS_E_PARAM);
    pci_free(t);
}

/* ---- init ---- */

/* [pci-9.2] [pci-10.1] [pci-12.1] */
static void test_pci_init_refuses_bad_configurations(void **state)
{
    static const struct avps_irq_ops no_level = {.msi = NULL};
    static const uint8_t data[256] = {0};
    static const struct avps_pci_shm twice[] = {{1, 0, 4096}, {1, 4096, 4096}};
    static const struct avps_pci_shm empty[] = {{1, 0, 0}};
    static const struct avps_pci_shm wraps[] = {{1, UINT64_MAX - 4095U, 8192}};
    struct avps_pci pci;
    struct pci_test *t = pci_new(TEST_FAKE_SYNC);
    const struct avps_pci_config good = t->config;

    (void)state;
#define REFUSES(change)                                                                            \
    do {                                                                                           \
        t->config = good;                                                                          \
        change;                                                                                    \
        assert_int_equal(avps_pci_init(&pci, &t->config), AVPS_E_PARAM);                           \
    } while (0)
    assert_int_equal(avps_pci_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_pci_init(&pci, NULL), AVPS_E_PARAM);
    REFUSES(t->config.device = NULL);
    REFUSES(t->config.irq = NULL);
    REFUSES(t->config.irq = &no_level);
    REFUSES(t->config.pin = 5);
    REFUSES(t->config.vector_count = 0);
    REFUSES(t->config.vectors = NULL);
    REFUSES(t->config.vector_count = 1);
    REFUSES(t->config.vector_count = 2049);
    REFUSES(t->config.pin = 0; t->config.vectors = NULL; t->config.vector_count = 0);
    REFUSES(t->config.subsystem_id = 0x3f);
    REFUSES(t->config.class_code = 0x1000000);
    REFUSES(t->config.kind = (enum avps_pci_kind)7);
    REFUSES(t->config.vendor_id = 0x1af4);
    REFUSES(t->config.vendor_data = data; t->config.vendor_size = 2);
    REFUSES(t->config.vendor_id = 1; t->config.vendor_size = 2);
    REFUSES(t->config.vendor_id = 1; t->config.vendor_data = data);
    REFUSES(t->config.shm_count = 1);
    REFUSES(t->config.shm_bar_size = 4096);
    REFUSES(t->config.shm = twice; t->config.shm_count = 2);
    REFUSES(t->config.shm = empty; t->config.shm_count = 1);
    REFUSES(t->config.shm = wraps; t->config.shm_count = 1);
    REFUSES(t->config.shm = twice; t->config.shm_count = 1; t->config.shm_bar_size = 2048);
    REFUSES(t->config.shm = twice; t->config.shm_count = 1; t->config.shm_bar_size = 12288);
#undef REFUSES
    t->config = good;
    t->config.vendor_id = 1;
    t->config.vendor_data = data;
    t->config.vendor_size = sizeof data;
    assert_int_equal(avps_pci_init(&pci, &t->config), AVPS_E_NOSPACE);
    t->config.vendor_size = (size_t)1 << 20;
    assert_int_equal(avps_pci_init(&pci, &t->config), AVPS_E_NOSPACE);
    assert_int_equal(avps_pci_init(&pci, &good), AVPS_OK);
    assert_int_equal(avps_pci_init(&t->p.pci, &good), AVPS_E_STATE); /* one transport per device */
    t->d.device = NULL;
    test_driver_free(&t->d);
}

/* What is left of the capability list, to the byte: a region of 24 and vendor data of 16, or 52. */
static void test_pci_init_needs_room_for_its_capabilities(void **state)
{
    static const struct avps_pci_shm region[] = {{1, 0, 4096}};
    static const uint8_t data[64] = {0};
    static const size_t largest[] = {10, 46};
    struct avps_pci pci;

    (void)state;
    for (unsigned int kind = 0; kind < 2U; kind++) {
        struct pci_test *t = pci_new(TEST_FAKE_SYNC);

        t->config.kind = kind == 0U ? AVPS_PCI_INTEGRATED : AVPS_PCI_CONVENTIONAL;
        t->config.shm = region;
        t->config.shm_count = 1;
        t->config.vendor_id = 1;
        t->config.vendor_data = data;
        t->config.vendor_size = largest[kind] + 1U;
        assert_int_equal(avps_pci_init(&pci, &t->config), AVPS_E_NOSPACE);
        t->config.vendor_size = largest[kind];
        test_pci_attach(&t->p, &t->d, &t->config);
        assert_int_equal(test_pci_get(&t->p, t->p.vendor.at + 2U, 1), largest[kind] + 6U);
        pci_free(t);
    }
}

/* [pci-12.1] [pci-12.2] [pci-12.3] The largest table, and a device without configuration space. */
static void test_pci_lays_out_the_largest_table(void **state)
{
    static struct avps_pci_vector vectors[2048];

    (void)state;
    struct pci_test *t = pci_new(TEST_FAKE_BARE);
    t->config.vectors = vectors;
    t->config.vector_count = 2048;
    test_pci_attach(&t->p, &t->d, &t->config);
    assert_int_equal(test_pci_get(&t->p, t->p.msix_at + 2U, 2), 2047);
    assert_int_equal(t->p.bar_size, 0x10000);
    assert_int_equal(t->p.device.at, t->fake.base.ops->config_size != 0U ? t->p.device.at : 0U);
    test_pci_write(&t->p, 0x1000 + 2047U * 16U + 8U, 4, 0x12345678);
    assert_int_equal(test_pci_read(&t->p, 0x1000 + 2047U * 16U + 8U, 4), 0x12345678);
    assert_int_equal(test_pci_read(&t->p, 0x9000 + 248U, 8), 0);
    pci_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pci_shows_a_modern_virtio_device),
        cmocka_unit_test(test_pci_shows_the_identity_that_the_embedder_chose),
        cmocka_unit_test(test_pci_shows_a_class_that_fits_the_device),
        cmocka_unit_test(test_pci_header_is_read_only_but_for_what_a_driver_sets),
        cmocka_unit_test(test_pci_config_space_takes_aligned_bytes_halves_and_words),
        cmocka_unit_test(test_pci_extended_space_reads_zero),
        cmocka_unit_test(test_pci_has_every_structure_in_one_bar),
        cmocka_unit_test(test_pci_has_a_doorbell_for_every_queue),
        cmocka_unit_test(test_pci_capabilities_are_read_only),
        cmocka_unit_test(test_pci_shows_vendor_data_in_whole_words),
        cmocka_unit_test(test_pci_shows_shared_memory_regions_in_their_own_bar),
        cmocka_unit_test(test_pci_bar_tells_its_size),
        cmocka_unit_test(test_pci_bar_decodes_only_when_it_can),
        cmocka_unit_test(test_pci_tells_where_the_bar_is),
        TEST_BOTH(test_pci_bar_has_nothing_between_the_structures, NULL, NULL),
        TEST_BOTH(test_pci_answers_only_for_its_bar, NULL, NULL),
        TEST_BOTH(test_pci_device_config_reads_in_any_part, NULL, NULL),
        TEST_BOTH(test_pci_doorbell_kicks_its_queue, NULL, NULL),
        TEST_BOTH(test_pci_drops_doorbells_that_name_no_queue, NULL, NULL),
        TEST_BOTH(test_pci_doorbell_carries_notification_data, NULL, NULL),
        TEST_BOTH(test_pci_doorbell_carries_what_the_device_asked_for, NULL, NULL),
        cmocka_unit_test(test_pci_alone_offers_notification_config_data),
        TEST_BOTH(test_pci_raises_intx_until_isr_is_read, NULL, NULL),
        TEST_BOTH(test_pci_raises_intx_for_the_configuration, NULL, NULL),
        TEST_BOTH(test_pci_isr_is_a_byte_that_is_read, NULL, NULL),
        TEST_BOTH(test_pci_intx_can_be_disabled, NULL, NULL),
        TEST_BOTH(test_pci_without_a_pin_has_no_line, NULL, NULL),
        TEST_BOTH(test_pci_serves_only_as_a_bus_master, NULL, NULL),
        TEST_BOTH(test_pci_sleeps_in_d3hot_and_forgets_nothing, NULL, NULL),
        cmocka_unit_test(test_pci_has_no_d1_and_d2),
        TEST_BOTH(test_pci_function_level_reset_resets_everything, NULL, NULL),
        TEST_BOTH(test_pci_function_level_reset_waits_for_requests, NULL, NULL),
        TEST_BOTH(test_pci_function_level_reset_is_one_bit, NULL, NULL),
        TEST_BOTH(test_pci_reset_by_the_embedder, NULL, NULL),
        cmocka_unit_test(test_pci_init_refuses_bad_configurations),
        cmocka_unit_test(test_pci_init_needs_room_for_its_capabilities),
        cmocka_unit_test(test_pci_lays_out_the_largest_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
