/* SPDX-License-Identifier: BSD-3-Clause */
/* The MMIO register file: constants -> access rules -> features and selectors -> queue registers ->
 * QueueReady and QueueReset -> interrupts -> any access at all. */
#include "support/fake.h"

static struct test_driver d;
static struct test_fake fake;

static void power_on(enum test_fake_kind kind)
{
    test_driver_init(&d, TEST_MEM_REGIONS);
    test_fake_init(&fake, &d, kind);
}

static void run(void **state, enum test_fake_kind kind)
{
    power_on(kind);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&d, AVPS_F_RING_RESET);
    test_driver_start(&d);
    (void)test_driver_poll(&d);
}

static void off(void)
{
    test_driver_free(&d);
}

static void echo(uint16_t queue)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};

    assert_int_equal(test_driver_do(&d, queue, &r), 4);
}

static uint64_t bad_accesses(void)
{
    return avps_device_counters(&fake.base)->bad_accesses;
}

/* All that the driver can have changed, as bytes. */
struct picture {
    uint8_t bytes[512];
    size_t len;
};

static struct picture picture_of(void)
{
    struct picture p = {.len = 0};

    assert_int_equal(avps_mmio_save(&d.mmio, p.bytes, sizeof p.bytes, &p.len), AVPS_OK);
    return p;
}

static void expect_unchanged(const struct picture *before)
{
    const struct picture now = picture_of();

    assert_int_equal(now.len, before->len);
    assert_memory_equal(now.bytes, before->bytes, now.len);
}

/* ---- constants ---- */

/* [mmio-1.1] [mmio-1.2] */
static void test_mmio_shows_its_identity(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    assert_int_equal(test_driver_get(&d, TEST_MAGIC), 0x74726976);
    assert_int_equal(test_driver_get(&d, TEST_VERSION), 2);
    assert_int_equal(test_driver_get(&d, TEST_DEVICE_ID), TEST_FAKE_ID);
    assert_int_equal(test_driver_get(&d, TEST_VENDOR_ID), TEST_VENDOR);
    off();
}

/* (d) row 64, [shm-1.1]: no shared memory region, whatever is selected */
static void test_mmio_has_no_shared_memory(void **state)
{
    static const uint32_t selectors[] = {0, 1, 255, 256, 0xffffffff};

    (void)state;
    power_on(TEST_FAKE_SYNC);
    for (size_t i = 0; i < 5U; i++) {
        test_driver_set(&d, TEST_SHM_SEL, selectors[i]);
        assert_true(test_driver_get(&d, TEST_SHM_LEN_LOW) == 0xffffffffU);
        assert_true(test_driver_get(&d, TEST_SHM_LEN_HIGH) == 0xffffffffU);
        assert_true(test_driver_get(&d, TEST_SHM_BASE_LOW) == 0xffffffffU);
        assert_true(test_driver_get(&d, TEST_SHM_BASE_HIGH) == 0xffffffffU);
    }
    off();
}

static void test_mmio_init_refuses_bad_configurations(void **state)
{
    static const struct avps_irq_ops no_level = {.msi = NULL};
    struct avps_mmio mmio;

    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    const struct avps_mmio_config good = {.device = &fake.base, .irq = &test_port_irq};
    struct avps_mmio_config bad = good;

    assert_int_equal(avps_mmio_init(NULL, &good), AVPS_E_PARAM);
    assert_int_equal(avps_mmio_init(&mmio, NULL), AVPS_E_PARAM);
    bad.device = NULL;
    assert_int_equal(avps_mmio_init(&mmio, &bad), AVPS_E_PARAM);
    bad = good;
    bad.irq = NULL;
    assert_int_equal(avps_mmio_init(&mmio, &bad), AVPS_E_PARAM);
    bad.irq = &no_level;
    assert_int_equal(avps_mmio_init(&mmio, &bad), AVPS_E_PARAM);
    off();
}

/* ---- access rules ---- */

static const uint32_t widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 0xffffffff};

/* (d) row 44, I13: registers are read 32 bits wide and aligned; anything else gives 0 */
static void test_mmio_reads_registers_32_bits_wide_only(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    for (uint64_t offset = 0; offset < TEST_CONFIG; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            const uint64_t before = bad_accesses();
            const bool good = widths[w] == 4U && offset % 4U == 0U;
            const uint64_t value = avps_mmio_read(&d.mmio, offset, widths[w]);

            if (!good) {
                assert_true(value == 0U);
                assert_int_equal(bad_accesses(), before + 1U);
            } else {
                assert_int_equal(bad_accesses(), before);
            }
        }
    }
    off();
}

/* (d) row 44, I13: writes of another width or alignment change nothing */
static void test_mmio_writes_registers_32_bits_wide_only(void **state)
{
    run(state, TEST_FAKE_SYNC);
    const struct picture before = picture_of();
    const uint64_t count = bad_accesses();
    uint64_t bad = 0;

    for (uint64_t offset = 0; offset < TEST_CONFIG; offset++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            if (widths[w] == 4U && offset % 4U == 0U) {
                continue;
            }
            avps_mmio_write(&d.mmio, offset, widths[w], 0);
            avps_mmio_write(&d.mmio, offset, widths[w], UINT64_MAX);
            bad += 2U;
        }
    }
    expect_unchanged(&before);
    assert_int_equal(bad_accesses(), count + bad);
    echo(0);
    off();
}

/* (d) row 44: write-only and unknown registers read 0 */
static void test_mmio_reads_zero_where_nothing_is_readable(void **state)
{
    static const uint32_t readable[] = {
        TEST_MAGIC,         TEST_VERSION,          TEST_DEVICE_ID,        TEST_VENDOR_ID,
        TEST_QUEUE_READY,   TEST_QUEUE_RESET,      TEST_QUEUE_SIZE_MAX,   TEST_DEVICE_FEATURES,
        TEST_STATUS,        TEST_SHM_LEN_LOW,      TEST_SHM_LEN_HIGH,     TEST_SHM_BASE_LOW,
        TEST_SHM_BASE_HIGH, TEST_INTERRUPT_STATUS, TEST_CONFIG_GENERATION};

    run(state, TEST_FAKE_SYNC);
    for (uint32_t offset = 0; offset < TEST_CONFIG; offset += 4U) {
        bool known = false;

        for (size_t i = 0; i < AVPS_COUNT_OF(readable); i++) {
            known = known || readable[i] == offset;
        }
        if (!known) {
            assert_int_equal(test_driver_get(&d, offset), 0);
        }
    }
    off();
}

/* (d) row 44: read-only and unknown registers are not written */
static void test_mmio_drops_writes_where_nothing_is_writable(void **state)
{
    static const uint32_t writable[] = {TEST_DEVICE_FEATURES_SEL,
                                        TEST_DRIVER_FEATURES,
                                        TEST_DRIVER_FEATURES_SEL,
                                        TEST_QUEUE_SEL,
                                        TEST_QUEUE_SIZE,
                                        TEST_QUEUE_READY,
                                        TEST_QUEUE_NOTIFY,
                                        TEST_INTERRUPT_ACK,
                                        TEST_STATUS,
                                        TEST_QUEUE_DESC_LOW,
                                        TEST_QUEUE_DESC_HIGH,
                                        TEST_QUEUE_DRIVER_LOW,
                                        TEST_QUEUE_DRIVER_HIGH,
                                        TEST_QUEUE_DEVICE_LOW,
                                        TEST_QUEUE_DEVICE_HIGH,
                                        TEST_SHM_SEL,
                                        TEST_QUEUE_RESET};

    run(state, TEST_FAKE_SYNC);
    const struct picture before = picture_of();
    for (uint32_t offset = 0; offset < TEST_CONFIG; offset += 4U) {
        bool known = false;

        for (size_t i = 0; i < AVPS_COUNT_OF(writable); i++) {
            known = known || writable[i] == offset;
        }
        if (!known) {
            test_driver_set(&d, offset, 0xffffffffU);
            test_driver_set(&d, offset, 0);
        }
    }
    expect_unchanged(&before);
    assert_int_equal(test_driver_get(&d, TEST_MAGIC), 0x74726976);
    echo(0);
    off();
}

/* (d) row 40, I13: the configuration space takes 1, 2, 4 and 8 bytes, aligned to their size */
static void test_mmio_config_takes_aligned_powers_of_two(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    for (uint64_t off_by = 0; off_by < 16U; off_by++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            const uint32_t width = widths[w];
            const bool power = width == 1U || width == 2U || width == 4U || width == 8U;
            const bool good = power && off_by % width == 0U;
            const uint64_t before = bad_accesses();
            const unsigned int puts = fake.config_puts;
            const uint64_t value = avps_mmio_read(&d.mmio, TEST_CONFIG + off_by, width);

            avps_mmio_write(&d.mmio, TEST_CONFIG + off_by, width, value);
            assert_int_equal(fake.config_puts - puts, good ? 1 : 0);
            assert_int_equal(bad_accesses() - before, good ? 0 : 2);
            assert_true(good ? (value & 0xffU) == 0x10U + off_by : value == 0U);
        }
    }
    for (size_t i = 0; i < TEST_FAKE_CONFIG; i++) {
        assert_int_equal(fake.config[i], 0x10U + i);
    }
    off();
}

/* (d) row 40, I2: offsets far outside the window, up to the end of 64 bits */
static void test_mmio_ignores_offsets_outside_the_window(void **state)
{
    static const uint64_t offsets[] = {0x1f8,
                                       0x200,
                                       0x1000,
                                       0x100000070,
                                       0x100000100,
                                       0xfffffff0,
                                       0xfffffff8,
                                       0x8000000000000070,
                                       0xfffffffffffffff8,
                                       0xffffffff00000070};

    run(state, TEST_FAKE_SYNC);
    const struct picture before = picture_of();
    for (size_t i = 0; i < AVPS_COUNT_OF(offsets); i++) {
        for (size_t w = 0; w < AVPS_COUNT_OF(widths); w++) {
            assert_true(avps_mmio_read(&d.mmio, offsets[i], widths[w]) == 0U);
            avps_mmio_write(&d.mmio, offsets[i], widths[w], 0);
        }
    }
    expect_unchanged(&before);
    assert_int_equal(fake.config_puts, 0);
    echo(0);
    off();
}

/* A 64-bit value in a 32-bit access counts with its low half. */
static void test_mmio_takes_the_low_bytes_of_a_value(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    avps_mmio_write(&d.mmio, TEST_STATUS, 4, UINT64_C(0xffffffff00000001));
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 1);
    avps_mmio_write(&d.mmio, TEST_STATUS, 4, UINT64_C(0xffffffff00000000)); /* a reset */
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    avps_mmio_write(&d.mmio, TEST_CONFIG + 4U, 2, UINT64_MAX);
    assert_int_equal(fake.config[5], 0xff);
    assert_int_equal(fake.config[6], 0x16);
    off();
}

/* ---- features and selectors ---- */

/* (d) row 46 */
static void test_mmio_shows_features_by_word(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    for (uint32_t word = 0; word < 4U; word++) {
        test_driver_set(&d, TEST_DEVICE_FEATURES_SEL, word);
        assert_int_equal(test_driver_get(&d, TEST_DEVICE_FEATURES), fake.base.offered.word[word]);
    }
    static const uint32_t outside[] = {4, 5, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < 4U; i++) {
        test_driver_set(&d, TEST_DEVICE_FEATURES_SEL, outside[i]);
        assert_int_equal(test_driver_get(&d, TEST_DEVICE_FEATURES), 0);
    }
    off();
}

/* (d) row 26, I5: a queue that does not exist reads 0 and takes nothing */
static void test_mmio_queue_that_does_not_exist_is_empty(void **state)
{
    static const uint32_t selectors[] = {TEST_FAKE_QUEUES, 4, 0xffff, 0x10000, 0x10001, 0xffffffff};
    static const uint32_t registers[] = {
        TEST_QUEUE_SIZE,       TEST_QUEUE_READY,       TEST_QUEUE_DESC_LOW,
        TEST_QUEUE_DESC_HIGH,  TEST_QUEUE_DRIVER_LOW,  TEST_QUEUE_DRIVER_HIGH,
        TEST_QUEUE_DEVICE_LOW, TEST_QUEUE_DEVICE_HIGH, TEST_QUEUE_RESET};

    run(state, TEST_FAKE_SYNC);
    for (size_t i = 0; i < 6U; i++) {
        const uint64_t before = bad_accesses();

        test_driver_set(&d, TEST_QUEUE_SEL, selectors[i]);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_SIZE_MAX), 0);
        for (size_t r = 0; r < AVPS_COUNT_OF(registers); r++) {
            assert_int_equal(test_driver_get(&d, registers[r]), 0);
            test_driver_set(&d, registers[r], 1);
            test_driver_set(&d, registers[r], 0);
        }
        assert_int_equal(bad_accesses(), before + 18U);
    }
    for (uint16_t queue = 0; queue < TEST_FAKE_QUEUES; queue++) {
        echo(queue);
    }
    off();
}

static void test_mmio_shows_the_largest_queue_size(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    for (uint32_t queue = 0; queue < TEST_FAKE_QUEUES; queue++) {
        test_driver_set(&d, TEST_QUEUE_SEL, queue);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_SIZE_MAX), 256);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_SIZE), 0); /* write-only */
    }
    off();
}

/* ---- queue registers ---- */

static void expect_refused(enum avps_status status)
{
    const unsigned int before = d.port.events[AVPS_EVENT_QUEUE_REFUSED];

    assert_false(test_driver_enable(&d, 0));
    assert_int_equal(d.port.events[AVPS_EVENT_QUEUE_REFUSED], before + 1U);
    assert_int_equal(d.port.last_a[AVPS_EVENT_QUEUE_REFUSED], 0);
    assert_int_equal(d.port.last_b[AVPS_EVENT_QUEUE_REFUSED], -(int)status);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 11); /* no fault: the driver may try again */
}

/* (d) rows 17, 18 and 20, I15: QueueReady stays 0 for what cannot be a queue, then works */
static void test_mmio_refuses_to_enable_bad_queues(void **state)
{
    power_on(TEST_FAKE_SYNC);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    assert_true(test_driver_negotiate(&d));
    test_ring_init(&d.ring[0], &d.mem, test_is_packed(state), 16);
    const struct test_ring good = d.ring[0];

    d.ring[0].size = 0;
    expect_refused(AVPS_E_GUEST_SIZE);
    d.ring[0].size = 257; /* above QueueSizeMax */
    expect_refused(AVPS_E_GUEST_SIZE);
    d.ring[0].size = 512;
    expect_refused(AVPS_E_GUEST_SIZE);
    d.ring[0].size = 0x80000000U;
    expect_refused(AVPS_E_GUEST_SIZE);
    if (!good.packed) {
        d.ring[0].size = 12;
        expect_refused(AVPS_E_GUEST_SIZE);
    }
    d.ring[0] = good;
    d.ring[0].desc += 8U;
    expect_refused(AVPS_E_GUEST_DESC);
    d.ring[0] = good;
    d.ring[0].driver += 1U;
    expect_refused(AVPS_E_GUEST_DESC);
    d.ring[0] = good;
    d.ring[0].device += 2U;
    expect_refused(AVPS_E_GUEST_DESC);
    d.ring[0] = good;
    d.ring[0].driver = good.desc;
    expect_refused(AVPS_E_GUEST_DESC);
    d.ring[0] = good;
    d.ring[0].desc = TEST_HOLE_GPA;
    expect_refused(AVPS_E_GUEST_ADDR);
    d.ring[0] = good;
    d.ring[0].device = TEST_ROM_GPA;
    expect_refused(AVPS_E_GUEST_ACCESS);
    d.ring[0] = good;
    d.ring[0].desc = 0;
    d.ring[0].driver = 0;
    d.ring[0].device = 0; /* nothing written at all */
    expect_refused(AVPS_E_GUEST_DESC);
    d.ring[0] = good;
    assert_true(test_driver_enable(&d, 0));
    test_driver_ok(&d);
    echo(0);
    off();
}

/* (d) row 20: any size is fine for a packed queue */
static void test_mmio_enables_a_packed_queue_of_odd_size(void **state)
{
    (void)state;
    power_on(TEST_FAKE_SYNC);
    test_driver_want(&d, AVPS_F_RING_PACKED);
    assert_true(test_driver_negotiate(&d));
    assert_true(test_driver_queue(&d, 0, 13));
    test_driver_ok(&d);
    for (int i = 0; i < 40; i++) {
        echo(0);
    }
    off();
}

/* Queues above 4 GiB: both halves of each address count. */
static void test_mmio_takes_64_bit_queue_addresses(void **state)
{
    power_on(TEST_FAKE_SYNC);
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    assert_true(test_driver_negotiate(&d));
    test_ring_init(&d.ring[0], &d.mem, test_is_packed(state), 16);
    d.ring[0].desc = TEST_HIGH_GPA;
    d.ring[0].driver = TEST_HIGH_GPA + 0x400U;
    d.ring[0].device = TEST_HIGH_GPA + 0x800U;
    assert_true(test_driver_enable(&d, 0));
    test_driver_ok(&d);
    echo(0);
    assert_true(fake.base.queues[0].vq.desc.gpa == TEST_HIGH_GPA);
    off();
}

/* (d) row 21, I14: registers of an enabled queue are frozen */
static void test_mmio_ignores_queue_registers_while_ready(void **state)
{
    static const uint32_t registers[] = {
        TEST_QUEUE_SIZE,        TEST_QUEUE_DESC_LOW,   TEST_QUEUE_DESC_HIGH,  TEST_QUEUE_DRIVER_LOW,
        TEST_QUEUE_DRIVER_HIGH, TEST_QUEUE_DEVICE_LOW, TEST_QUEUE_DEVICE_HIGH};

    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    const struct picture before = picture_of();
    for (size_t i = 0; i < AVPS_COUNT_OF(registers); i++) {
        test_driver_set(&d, registers[i], 0);
        test_driver_set(&d, registers[i], 0xffffffffU);
    }
    expect_unchanged(&before);
    echo(0);
    off();
}

/* I5: QueueReady before FEATURES_OK: the ring format is not known yet */
static void test_mmio_enables_no_queue_before_features_ok(void **state)
{
    power_on(TEST_FAKE_SYNC);
    test_ring_init(&d.ring[0], &d.mem, test_is_packed(state), 16);
    assert_false(test_driver_enable(&d, 0));
    test_driver_set(&d, TEST_STATUS, TEST_S_ACKNOWLEDGE);
    assert_false(test_driver_enable(&d, 0));
    test_driver_set(&d, TEST_STATUS, TEST_S_ACKNOWLEDGE | TEST_S_DRIVER);
    assert_false(test_driver_enable(&d, 0));
    assert_int_equal(d.port.attached[0], 0);
    off();
}

/* ---- QueueReady and QueueReset ---- */

/* (d) row 44: neither 0 nor 1; and 1 twice */
static void test_mmio_queue_ready_is_a_boolean(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    const struct picture before = picture_of();
    const uint64_t count = bad_accesses();
    test_driver_set(&d, TEST_QUEUE_READY, 2);
    test_driver_set(&d, TEST_QUEUE_READY, 0x80000000U);
    test_driver_set(&d, TEST_QUEUE_READY, 0xffffffffU);
    assert_int_equal(bad_accesses(), count + 3U);
    test_driver_set(&d, TEST_QUEUE_READY, 1); /* again: it does not start anew */
    expect_unchanged(&before);
    assert_int_equal(d.port.attached[0], 1);
    echo(0);
    off();
}

/* (d) row 23, [mmio-1.7]: QueueReady 0 stops all access; 1 starts a new ring at the same place */
static void test_mmio_queue_ready_stops_and_starts_a_queue(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};

    run(state, TEST_FAKE_SYNC);
    echo(0);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    test_mem_freeze(&d.mem);
    (void)test_driver_poll(&d);
    assert_int_equal(test_mem_changed(&d.mem, NULL, 0), 0);
    test_driver_set(&d, TEST_QUEUE_READY, 0); /* again */
    test_ring_reset(&d.ring[0]);
    test_driver_set(&d, TEST_QUEUE_READY, 1); /* addresses are as they were */
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 1);
    echo(0);
    echo(1);
    off();
}

/* [mmio-1.8] [mmio-1.9]: QueueReset reads 0 at the start, after a reset and while enabled */
static void test_mmio_queue_reset_reads_zero_when_idle(void **state)
{
    power_on(TEST_FAKE_SYNC);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    off();
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_QUEUE_SEL, 1);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    test_driver_reset(&d);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    off();
}

/* [mmio-1.10] [mmio-1.12] [core-5.2]: size, addresses and position are as at the start */
static void test_mmio_queue_reset_forgets_everything(void **state)
{
    run(state, TEST_FAKE_SYNC);
    echo(0);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
    test_driver_set(&d, TEST_QUEUE_READY, 1); /* without addresses: refused */
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1); /* of a queue that is not enabled */
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_RESET), 0);
    test_ring_reset(&d.ring[0]);
    assert_true(test_driver_enable(&d, 0));
    echo(0);
    echo(2);
    off();
}

/* (d) row 24: other values, and without the feature: ignored */
static void test_mmio_queue_reset_needs_the_feature(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 2);
    test_driver_set(&d, TEST_QUEUE_RESET, 0xffffffffU);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 1);
    echo(0);
    avps_features_remove(&d.want, AVPS_F_RING_RESET);
    test_driver_start(&d);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 1);
    echo(0);
    off();
}

/* ---- interrupts ---- */

/* [mmio-1.3] [mmio-1.4]: a bit shows from the event to its acknowledgement; the line follows */
static void test_mmio_interrupt_stays_until_acknowledged(void **state)
{
    run(state, TEST_FAKE_SYNC);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    echo(0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    assert_true(d.port.level);
    echo(0); /* another event: the same bit, no new edge */
    assert_int_equal(d.port.raised, 1);
    avps_device_config_changed(&fake.base);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 3);
    assert_int_equal(d.port.raised, 1);
    test_driver_set(&d, TEST_INTERRUPT_ACK, 1);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 2);
    assert_true(d.port.level);
    test_driver_set(&d, TEST_INTERRUPT_ACK, 2);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_false(d.port.level);
    assert_int_equal(d.port.lowered, 1);
    off();
}

/* (d) row 45: bits that are not pending or not defined */
static void test_mmio_acknowledges_only_what_is_pending(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_driver_set(&d, TEST_INTERRUPT_ACK, 0xffffffffU);
    assert_int_equal(d.port.lowered, 0);
    echo(0);
    test_driver_set(&d, TEST_INTERRUPT_ACK, 0xfffffffeU);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    test_driver_set(&d, TEST_INTERRUPT_ACK, 0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    test_driver_set(&d, TEST_INTERRUPT_ACK, 0xffffffffU);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_int_equal(d.port.lowered, 1);
    off();
}

/* [mmio-1.5]: a reset takes both away, and every QueueReady */
static void test_mmio_reset_clears_interrupts_and_ready_bits(void **state)
{
    run(state, TEST_FAKE_SYNC);
    echo(0);
    avps_device_config_changed(&fake.base);
    test_driver_set(&d, TEST_STATUS, 0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_false(d.port.level);
    for (uint32_t queue = 0; queue < TEST_FAKE_QUEUES; queue++) {
        test_driver_set(&d, TEST_QUEUE_SEL, queue);
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
        test_driver_set(&d, TEST_QUEUE_READY, 1); /* the addresses are gone, too */
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
    }
    off();
}

/* A driver that suppresses interrupts gets none. */
static void test_mmio_sends_no_interrupt_that_is_suppressed(void **state)
{
    run(state, TEST_FAKE_SYNC);
    test_ring_interrupts(&d.ring[0], false);
    echo(0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_int_equal(d.port.raised, 0);
    test_ring_interrupts(&d.ring[0], true);
    echo(0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 1);
    off();
}

/* A port without batch_end is not called for it. */
static void test_mmio_works_without_batch_end(void **state)
{
    static struct avps_irq_ops ops;

    ops = test_port_irq;
    ops.batch_end = NULL;
    run(state, TEST_FAKE_SYNC);
    d.mmio.irq = &ops;
    const unsigned int ends = d.port.batch_ends;
    echo(0);
    assert_int_equal(d.port.batch_ends, ends);
    assert_true(d.port.level);
    off();
}

/* ---- any access at all ---- */

static uint32_t seed;

static uint32_t next_random(void)
{
    seed = seed * 1664525U + 1013904223U;
    return seed >> 8;
}

/* Mostly sensible values, so that the accesses get somewhere. */
static uint64_t random_value(void)
{
    static const uint32_t usual[] = {0,  1,  2,  3,        4,        8,       11,
                                     15, 16, 31, 0x100000, 0x101000, 0x102000};

    return next_random() % 4U == 0U ? next_random() : usual[next_random() % 13U];
}

/* (d) rows 26, 27, 32, 44, I13, I16, I36: two hundred thousand random accesses and polls; then a
 * reset, and the device works */
static void test_mmio_survives_any_sequence_of_accesses(void **state)
{
    static const enum test_fake_kind kinds[] = {TEST_FAKE_SYNC, TEST_FAKE_ASYNC, TEST_FAKE_SUPPLY};

    for (uint32_t round = 0; round < 30U; round++) {
        power_on(kinds[round % 3U]);
        seed = round * 977U + 1U;
        fake.complete_inside = round % 2U == 0U;
        for (int i = 0; i < 7000; i++) {
            const uint64_t offset =
                next_random() % 8U == 0U ? next_random() % 0x220U : next_random() % 0x48U * 4U;
            const uint32_t width = next_random() % 8U == 0U ? next_random() % 10U : 4U;

            if (next_random() % 3U == 0U) {
                (void)avps_mmio_read(&d.mmio, offset, width);
            } else {
                avps_mmio_write(&d.mmio, offset, width, random_value());
            }
            if (next_random() % 64U == 0U) {
                (void)avps_poll(&fake.base, 16);
            }
            if (fake.kept_count != 0U && next_random() % 16U == 0U) {
                test_fake_complete(&fake, next_random() % fake.kept_count);
            }
            assert_int_equal(fake.base.status & 32U, 0);
        }
        if (test_is_packed(state)) {
            test_driver_want(&d, AVPS_F_RING_PACKED);
        }
        fake.complete_inside = true;
        test_mem_fill(&d.mem, TEST_RAM_GPA, 0, 0x4000);
        test_driver_start(&d);
        echo(0);
        off();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mmio_shows_its_identity),
        cmocka_unit_test(test_mmio_has_no_shared_memory),
        cmocka_unit_test(test_mmio_init_refuses_bad_configurations),
        cmocka_unit_test(test_mmio_reads_registers_32_bits_wide_only),
        TEST_BOTH(test_mmio_writes_registers_32_bits_wide_only, NULL, NULL),
        TEST_BOTH(test_mmio_reads_zero_where_nothing_is_readable, NULL, NULL),
        TEST_BOTH(test_mmio_drops_writes_where_nothing_is_writable, NULL, NULL),
        cmocka_unit_test(test_mmio_config_takes_aligned_powers_of_two),
        TEST_BOTH(test_mmio_ignores_offsets_outside_the_window, NULL, NULL),
        cmocka_unit_test(test_mmio_takes_the_low_bytes_of_a_value),
        cmocka_unit_test(test_mmio_shows_features_by_word),
        TEST_BOTH(test_mmio_queue_that_does_not_exist_is_empty, NULL, NULL),
        cmocka_unit_test(test_mmio_shows_the_largest_queue_size),
        TEST_BOTH(test_mmio_refuses_to_enable_bad_queues, NULL, NULL),
        cmocka_unit_test(test_mmio_enables_a_packed_queue_of_odd_size),
        TEST_BOTH(test_mmio_takes_64_bit_queue_addresses, NULL, NULL),
        TEST_BOTH(test_mmio_ignores_queue_registers_while_ready, NULL, NULL),
        TEST_BOTH(test_mmio_enables_no_queue_before_features_ok, NULL, NULL),
        TEST_BOTH(test_mmio_queue_ready_is_a_boolean, NULL, NULL),
        TEST_BOTH(test_mmio_queue_ready_stops_and_starts_a_queue, NULL, NULL),
        TEST_BOTH(test_mmio_queue_reset_reads_zero_when_idle, NULL, NULL),
        TEST_BOTH(test_mmio_queue_reset_forgets_everything, NULL, NULL),
        TEST_BOTH(test_mmio_queue_reset_needs_the_feature, NULL, NULL),
        TEST_BOTH(test_mmio_interrupt_stays_until_acknowledged, NULL, NULL),
        TEST_BOTH(test_mmio_acknowledges_only_what_is_pending, NULL, NULL),
        TEST_BOTH(test_mmio_reset_clears_interrupts_and_ready_bits, NULL, NULL),
        TEST_BOTH(test_mmio_sends_no_interrupt_that_is_suppressed, NULL, NULL),
        TEST_BOTH(test_mmio_works_without_batch_end, NULL, NULL),
        TEST_BOTH(test_mmio_survives_any_sequence_of_accesses, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
