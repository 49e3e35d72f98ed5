/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved state: round trips at every boundary -> refusals -> hostile states (I28). A state that a
 * load accepts is one that a save can have written: saving again gives the same bytes. */
#include "support/fake.h"

#define STATE_MAX 512U

static struct test_driver d;
static struct test_fake fake;
static uint8_t blob[STATE_MAX];
static size_t blob_len;

static void power_on(enum test_mem_kind mem, enum test_fake_kind kind)
{
    test_driver_init_sized(&d, mem, 0x8000);
    test_fake_init(&fake, &d, kind);
}

static void want(void **state)
{
    if (test_is_packed(state)) {
        test_driver_want(&d, AVPS_F_RING_PACKED);
    }
    test_driver_want(&d, AVPS_F_RING_RESET);
    test_driver_want(&d, AVPS_F_SUSPEND);
    test_driver_want(&d, AVPS_F_EVENT_IDX);
    test_driver_want(&d, TEST_FAKE_F_PLAIN);
    test_driver_want(&d, TEST_FAKE_F_HIGH);
}

static void run(void **state, enum test_mem_kind mem)
{
    power_on(mem, TEST_FAKE_SYNC);
    want(state);
    test_driver_start(&d);
    (void)test_driver_poll(&d);
}

static void off(void)
{
    test_driver_free(&d);
}

static void echo(uint16_t queue)
{
    const size_t mark = test_mem_mark(&d.mem);
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};

    assert_int_equal(test_driver_do(&d, queue, &r), 4);
    test_mem_rewind(&d.mem, mark);
}

static void save(void)
{
    (void)memset(blob, 0xee, sizeof blob);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &blob_len), AVPS_OK);
    assert_true(blob_len < STATE_MAX);
    assert_int_equal(blob[blob_len], 0xee);
}

/* The old device is gone; a fresh one of the same configuration takes its place. */
static void replace(void)
{
    const enum test_fake_kind kind = fake.kind;
    uint8_t config[TEST_FAKE_CONFIG];

    (void)memcpy(config, fake.config, sizeof config); /* the embedder's, not the driver's */
    (void)avps_reset(&fake.base);
    test_fake_init(&fake, &d, kind);
    (void)memcpy(fake.config, config, sizeof config);
}

static void expect_same_state(void)
{
    uint8_t again[STATE_MAX];
    size_t len = 0;

    assert_int_equal(avps_mmio_save(&d.mmio, again, sizeof again, &len), AVPS_OK);
    assert_int_equal(len, blob_len);
    assert_memory_equal(again, blob, len);
}

/* Save, replace, load, and compare. */
static void move(void)
{
    save();
    replace();
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_OK);
    expect_same_state();
}

/* ---- round trips ---- */

/* Every step of a start, each moved to a fresh device, which then goes on. */
static void test_state_moves_at_every_step_of_the_start(void **state)
{
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    want(state);
    move();
    test_driver_set(&d, TEST_STATUS, 1);
    move();
    test_driver_set(&d, TEST_STATUS, 3);
    move();
    for (uint32_t word = 0; word < 4U; word++) {
        test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, word);
        move();
        test_driver_set(&d, TEST_DRIVER_FEATURES, d.want.word[word]);
        move();
    }
    test_driver_set(&d, TEST_STATUS, 11);
    move();
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 11);
    assert_memory_equal(avps_device_features(&fake.base), &d.want, sizeof d.want);
    for (uint16_t queue = 0; queue < 3U; queue++) {
        assert_true(test_driver_queue(&d, queue, 16));
        move();
        assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 1);
    }
    test_driver_set(&d, TEST_STATUS, 15);
    assert_int_equal(fake.activations, 1);
    move();
    assert_int_equal(fake.activations, 1); /* the fresh one is activated by the load */
    (void)test_driver_poll(&d);
    echo(0);
    echo(2);
    off();
}

/* Between any two requests, over every ring position and lap. */
static void test_state_moves_between_requests(void **state)
{
    for (int mem = 0; mem < TEST_MEM_KINDS; mem++) {
        run(state, (enum test_mem_kind)mem);
        for (uint16_t i = 0; i < 40U; i++) {
            echo(i % 3U);
            move();
            (void)test_driver_poll(&d);
        }
        off();
    }
}

/* Chains made available but not taken travel in the ring. */
static void test_state_moves_with_chains_waiting(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    struct test_used used = {0, 0};

    run(state, TEST_MEM_REGIONS);
    echo(0);
    const uint16_t id = test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    move();
    assert_true(avps_has_work(&fake.base)); /* needs no second doorbell */
    (void)test_driver_poll(&d);
    assert_true(test_driver_reap(&d, 0, &used));
    assert_int_equal(used.id, id);
    off();
}

/* The interrupt travels with the state: pending bits, and the level of the line. */
static void test_state_moves_with_an_interrupt_pending(void **state)
{
    run(state, TEST_MEM_REGIONS);
    echo(0);
    assert_true(d.port.level);
    const unsigned int raised = d.port.raised;
    move();
    assert_true(d.port.level); /* lowered with the old device, raised by the new one */
    assert_int_equal(d.port.raised, raised + 1U);
    assert_int_equal(test_driver_ack(&d), 1);
    assert_false(d.port.level);
    off();
}

static void test_state_moves_while_suspended(void **state)
{
    run(state, TEST_MEM_REGIONS);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    const uint32_t suspended = test_driver_get(&d, TEST_STATUS);
    move();
    assert_int_equal(fake.activations, 0);
    avps_device_config_changed(&fake.base);
    move(); /* the notification is still owed */
    assert_int_equal(test_driver_get(&d, TEST_STATUS), suspended);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 2);
    (void)test_driver_poll(&d);
    echo(0);
    off();
}

static void test_state_moves_after_a_fault(void **state)
{
    const struct test_desc bad[] = {{TEST_HOLE_GPA, 4, 0}};

    run(state, TEST_MEM_REGIONS);
    (void)test_ring_add(&d.ring[0], bad, 1);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    move();
    test_driver_assert_faulted(&d);
    assert_int_equal(fake.served, 0);
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    echo(0);
    off();
    run(state, TEST_MEM_REGIONS);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_FAILED);
    move();
    assert_int_equal(test_driver_get(&d, TEST_STATUS), TEST_S_LIVE | TEST_S_FAILED);
    off();
}

/* Queues that were reset or stopped, selectors, the model's own part. */
static void test_state_moves_every_register(void **state)
{
    run(state, TEST_MEM_REGIONS);
    test_driver_set(&d, TEST_QUEUE_SEL, 1);
    test_driver_set(&d, TEST_QUEUE_RESET, 1);
    test_driver_set(&d, TEST_QUEUE_SIZE, 8);
    test_driver_set(&d, TEST_QUEUE_DRIVER_HIGH, 0x12345678);
    test_driver_set(&d, TEST_QUEUE_SEL, 2);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    test_driver_set(&d, TEST_SHM_SEL, 7);
    test_driver_set(&d, TEST_DEVICE_FEATURES_SEL, 3);
    test_driver_set(&d, TEST_DRIVER_FEATURES_SEL, 9);
    fake.state_value = 77;
    fake.base.config_generation = 0xfffffffe;
    move();
    assert_int_equal(fake.state_value, 77);
    assert_int_equal(test_driver_get(&d, TEST_DEVICE_FEATURES), 16);
    assert_true(test_driver_get(&d, TEST_CONFIG_GENERATION) == 0xfffffffeU);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 0);
    test_driver_set(&d, TEST_QUEUE_SEL, 0);
    assert_int_equal(test_driver_get(&d, TEST_QUEUE_READY), 1);
    off();
}

/* The format is the same on every host: fixed bytes at the start. */
static void test_state_has_a_fixed_layout(void **state)
{
    static const uint8_t head[] = {0x41, 0x56, 0x50, 0x53, 1, 0, TEST_FAKE_ID, 0, 0, 0, 3, 0, 15};

    run(state, TEST_MEM_REGIONS);
    assert_int_equal(avps_save(&fake.base, blob, sizeof blob, &blob_len), AVPS_OK);
    assert_memory_equal(blob, head, sizeof head);
    off();
}

/* ---- refusals ---- */

static void test_state_save_tells_the_size_it_needs(void **state)
{
    size_t used = 0;

    run(state, TEST_MEM_REGIONS);
    save();
    assert_int_equal(avps_mmio_save(&d.mmio, NULL, 0, &used), AVPS_OK);
    assert_int_equal(used, blob_len);
    for (size_t size = 0; size < blob_len; size++) {
        uint8_t *exact = malloc(size + 1U);

        assert_non_null(exact);
        exact[size] = 0xee;
        used = 0;
        assert_int_equal(avps_mmio_save(&d.mmio, exact, size, &used), AVPS_E_NOSPACE);
        assert_int_equal(used, blob_len);
        assert_int_equal(exact[size], 0xee);
        free(exact);
    }
    assert_int_equal(avps_save(&fake.base, NULL, 0, &used), AVPS_OK);
    assert_int_equal(used, blob_len - 20U);
    off();
}

static void test_state_refuses_missing_arguments(void **state)
{
    size_t used = 0;

    run(state, TEST_MEM_REGIONS);
    assert_int_equal(avps_save(NULL, blob, 1, &used), AVPS_E_PARAM);
    assert_int_equal(avps_save(&fake.base, blob, 1, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_mmio_save(NULL, blob, 1, &used), AVPS_E_PARAM);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, 1, NULL), AVPS_E_PARAM);
    assert_int_equal(avps_load(NULL, blob, 1), AVPS_E_PARAM);
    assert_int_equal(avps_load(&fake.base, NULL, 1), AVPS_E_PARAM);
    assert_int_equal(avps_mmio_load(NULL, blob, 100), AVPS_E_PARAM);
    assert_int_equal(avps_mmio_load(&d.mmio, NULL, 100), AVPS_E_PARAM);
    assert_int_equal(avps_mmio_load(&d.mmio, blob, 19), AVPS_E_PARAM);
    off();
}

/* Requests in flight, completions not yet published, resets and suspends that wait. */
static void test_state_save_refuses_a_device_that_is_not_quiet(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};
    size_t used = 0;

    power_on(TEST_MEM_REGIONS, TEST_FAKE_ASYNC);
    want(state);
    test_driver_start(&d);
    (void)test_driver_send(&d, 0, &r);
    test_driver_kick(&d, 0);
    (void)test_driver_poll(&d);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_E_STATE);
    test_driver_set(&d, TEST_STATUS, TEST_S_LIVE | TEST_S_SUSPEND);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_E_STATE);
    fake.cancel_answer = AVPS_PENDING;
    test_driver_set(&d, TEST_STATUS, 0);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_E_STATE);
    test_fake_complete(&fake, 0);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_OK);
    fake.cancel_answer = AVPS_OK;
    test_driver_start(&d);
    struct test_request second = {.out = {{"ping", 4}}, .in = {4}};
    (void)test_driver_send(&d, 0, &second);
    (void)test_driver_poll(&d);
    test_fake_complete(&fake, 0); /* used, but the driver cannot see it */
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_E_STATE);
    assert_int_equal(avps_quiesce(&fake.base), AVPS_OK);
    assert_int_equal(avps_mmio_save(&d.mmio, blob, sizeof blob, &used), AVPS_OK);
    off();
}

static void test_state_load_refuses_a_device_in_use(void **state)
{
    run(state, TEST_MEM_REGIONS);
    save();
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_STATE);
    assert_int_equal(avps_load(&fake.base, blob + 20, blob_len - 20U), AVPS_E_STATE);
    expect_same_state();
    (void)test_driver_poll(&d);
    echo(0);
    off();
}

/* ---- hostile states ---- */

/* After a refused load the device is as after a reset, and can be used. */
static void expect_reset(void)
{
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    assert_false(d.port.level);
    assert_int_equal(d.mem.pins, d.mem.unpins);
    assert_int_equal(fake.state_value, 0);
    for (size_t i = 0; i < TEST_FAKE_QUEUES; i++) {
        assert_false(fake.base.queues[i].vq.live);
        assert_int_equal(fake.base.queues[i].regs.size, 256);
        assert_true(fake.base.queues[i].regs.desc == 0U);
    }
    assert_int_equal(avps_device_features(&fake.base)->word[1], 0);
}

static void expect_usable(void)
{
    test_driver_start(&d);
    (void)test_driver_poll(&d);
    echo(0);
    (void)test_driver_ack(&d);
}

/* A saved state of a device that has run for a while, in `blob`; the device is fresh. */
static void prepare(void **state, enum test_mem_kind mem)
{
    run(state, mem);
    for (int i = 0; i < 13; i++) {
        echo(0);
    }
    echo(1);
    test_driver_set(&d, TEST_QUEUE_SEL, 2);
    test_driver_set(&d, TEST_QUEUE_READY, 0);
    fake.state_value = 42;
    save();
    replace();
    test_mem_freeze(&d.mem);
}

/* I28: cut off at every byte; and with a byte too many */
static void test_state_refuses_a_truncated_state(void **state)
{
    prepare(state, TEST_MEM_TRANSLATE);
    for (size_t len = 0; len <= blob_len + 1U; len++) {
        if (len == blob_len) {
            continue;
        }
        uint8_t *exact = malloc(len + 1U); /* reads behind the end are found */
        assert_non_null(exact);
        (void)memcpy(exact, blob, len);
        assert_int_equal(avps_mmio_load(&d.mmio, exact, len), AVPS_E_PARAM);
        free(exact);
        expect_reset();
        replace();
    }
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_OK);
    off();
}

/* What a device may look like, whatever it was told. */
static void expect_consistent(void)
{
    const struct avps_device *dev = &fake.base;
    const uint8_t status = dev->status;

    assert_int_equal(status & 32U, 0);
    assert_true((status & TEST_S_DRIVER) == 0U || (status & TEST_S_ACKNOWLEDGE) != 0U);
    assert_true((status & TEST_S_DRIVER_OK) == 0U || (status & TEST_S_FEATURES_OK) != 0U);
    for (size_t word = 0; word < 4U; word++) {
        assert_int_equal(dev->accepted.word[word] & ~dev->offered.word[word], 0);
    }
    for (size_t i = 0; i < TEST_FAKE_QUEUES; i++) {
        const struct avps_vq *vq = &dev->queues[i].vq;

        assert_true(!vq->live || (status & TEST_S_FEATURES_OK) != 0U);
        assert_true(!vq->live || (vq->size != 0U && vq->size <= 256U));
        assert_true(!vq->live || !vq->packed || vq->avail_idx < vq->size);
        assert_int_equal(dev->queues[i].first != NULL, 0);
    }
}

/* One changed state: refused and reset, or accepted, consistent, and saved again as it was. */
static bool try_changed(void)
{
    const enum avps_status status = avps_mmio_load(&d.mmio, blob, blob_len);

    if (status == AVPS_OK) {
        expect_consistent();
        expect_same_state();
        for (int i = 0; i < 3; i++) {
            (void)avps_poll(&fake.base, 16); /* on rings that may be anywhere in memory */
        }
        test_mem_thaw(&d.mem);
    } else {
        assert_int_equal(status, AVPS_E_PARAM);
        expect_reset();
    }
    replace();
    return status == AVPS_OK;
}

static void change_every_byte(void **state, enum test_mem_kind mem)
{
    static const uint8_t flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    unsigned int accepted = 0;
    unsigned int refused = 0;

    prepare(state, mem);
    for (size_t at = 0; at < blob_len; at++) {
        for (size_t f = 0; f < sizeof flips; f++) {
            blob[at] ^= flips[f];
            const bool good = try_changed();
            blob[at] ^= flips[f];
            accepted += good ? 1U : 0U;
            refused += good ? 0U : 1U;
            if (at >= 20U && at < 32U) { /* magic, version, device, queue count */
                assert_false(good);
            }
        }
    }
    assert_true(accepted > 300U && refused > 300U); /* selectors, sizes; and the rest */
    test_ring_reset(&d.ring[0]);
    expect_usable();
    off();
}

/* I28: each bit and each byte of a state changed */
static void test_state_survives_every_changed_byte(void **state)
{
    change_every_byte(state, TEST_MEM_REGIONS);
}

static void test_state_survives_every_changed_byte_with_pinned_memory(void **state)
{
    change_every_byte(state, TEST_MEM_MAP);
}

/* I28: noise, with a good header so that it gets somewhere */
static void test_state_survives_noise(void **state)
{
    uint32_t seed = 1;
    uint8_t good[STATE_MAX];

    prepare(state, TEST_MEM_REGIONS);
    (void)memcpy(good, blob, sizeof good);
    for (int round = 0; round < 4000; round++) {
        (void)memcpy(blob, good, sizeof blob);
        for (uint32_t i = 0; i <= seed % 6U; i++) {
            seed = seed * 1664525U + 1013904223U;
            const size_t at = 32U + (seed >> 8) % (blob_len - 32U);
            blob[at] = (uint8_t)(seed >> 24);
        }
        (void)try_changed();
    }
    (void)memcpy(blob, good, sizeof blob);
    assert_true(try_changed());
    off();
}

/* Offsets in a whole state (20 bytes of the register file come first). */
#define AT_STATUS   32U
#define AT_PENDING  33U
#define AT_ACCEPTED 38U
#define AT_QUEUE    70U
#define QUEUE_BYTES 32U

static void expect_refused_with(size_t at, uint8_t value)
{
    const uint8_t before = blob[at];

    blob[at] = value;
    assert_false(try_changed());
    blob[at] = before;
}

/* Fields that no device can have had. */
static void test_state_refuses_impossible_fields(void **state)
{
    prepare(state, TEST_MEM_REGIONS);
    assert_int_equal(blob[AT_STATUS], TEST_S_LIVE);
    expect_refused_with(AT_STATUS, 2);        /* DRIVER without ACKNOWLEDGE */
    expect_refused_with(AT_STATUS, 9);        /* FEATURES_OK without DRIVER */
    expect_refused_with(AT_STATUS, 7);        /* DRIVER_OK without FEATURES_OK */
    expect_refused_with(AT_STATUS, 47);       /* an undefined bit */
    expect_refused_with(AT_STATUS, 31);       /* SUSPEND and DRIVER_OK */
    expect_refused_with(AT_STATUS, 19);       /* SUSPEND without FEATURES_OK */
    expect_refused_with(AT_STATUS, 0);        /* live queues without a driver */
    expect_refused_with(AT_PENDING, 1);       /* a notification owed without SUSPEND */
    expect_refused_with(AT_PENDING, 2);       /* no boolean */
    expect_refused_with(AT_ACCEPTED + 4U, 0); /* VERSION_1 not accepted */
    expect_refused_with(AT_ACCEPTED, 0x20);   /* a feature that is not offered */
    expect_refused_with(AT_QUEUE, 0);         /* size 0 */
    expect_refused_with(AT_QUEUE + 1U, 2);    /* size above the maximum */
    expect_refused_with(AT_QUEUE + 4U, 8);    /* misaligned */
    expect_refused_with(AT_QUEUE + 28U, 2);   /* live is no boolean */
    expect_refused_with(AT_QUEUE + 31U, 3);   /* wrap is no boolean */
    expect_refused_with(AT_QUEUE + 2U * QUEUE_BYTES + 29U, 1); /* position of a queue not live */
    if (test_is_packed(state)) {
        expect_refused_with(AT_QUEUE + 29U, 16); /* position outside the ring */
    }
    blob[16] = 4; /* an interrupt bit that does not exist */
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_PARAM);
    off();
}

/* [mmio-1.4]: an interrupt without a driver */
static void test_state_refuses_an_interrupt_of_a_device_that_never_ran(void **state)
{
    (void)state;
    power_on(TEST_MEM_REGIONS, TEST_FAKE_SYNC);
    save();
    for (uint8_t bits = 1; bits < 4U; bits++) {
        blob[16] = bits;
        assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_PARAM);
        assert_int_equal(test_driver_get(&d, TEST_INTERRUPT_STATUS), 0);
    }
    blob[16] = 0;
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_OK);
    off();
}

/* I27: a state that needs what this device does not offer */
static void test_state_refuses_features_of_another_configuration(void **state)
{
    prepare(state, TEST_MEM_REGIONS);
    struct avps_device_config base =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 256);

    (void)avps_reset(&fake.base);
    avps_features_add(&base.withhold, AVPS_F_EVENT_IDX);
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_SYNC, &base), AVPS_OK);
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_PARAM);
    expect_reset();
    off();
}

/* A smaller maximum queue size than the saved queue's. */
static void test_state_refuses_queues_too_large_for_the_configuration(void **state)
{
    prepare(state, TEST_MEM_REGIONS);
    const struct avps_device_config base =
        test_driver_base(&d, test_fake_queues(0), TEST_FAKE_QUEUES, 8);

    (void)avps_reset(&fake.base);
    assert_int_equal(test_fake_init_with(&fake, &d, TEST_FAKE_SYNC, &base), AVPS_OK);
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_PARAM);
    assert_int_equal(test_driver_get(&d, TEST_STATUS), 0);
    off();
}

/* The model's own part is judged by the model. */
static void test_state_refuses_what_the_model_refuses(void **state)
{
    run(state, TEST_MEM_REGIONS);
    fake.state_value = 101;
    save();
    replace();
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_PARAM);
    expect_reset();
    test_ring_reset(&d.ring[0]);
    expect_usable();
    off();
}

/* A port that fails while the queues of a state are enabled. */
static void test_state_load_fails_whole_when_the_port_fails(void **state)
{
    prepare(state, TEST_MEM_MAP);
    for (unsigned int n = 1; n <= 6U; n++) {
        test_fail_at(&d.mem.fail, n, AVPS_E_IO);
        assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_E_PARAM);
        expect_reset();
        replace();
    }
    d.mem.fail.at = 0;
    assert_int_equal(avps_mmio_load(&d.mmio, blob, blob_len), AVPS_OK);
    off();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(test_state_moves_at_every_step_of_the_start, NULL, NULL),
        TEST_BOTH(test_state_moves_between_requests, NULL, NULL),
        TEST_BOTH(test_state_moves_with_chains_waiting, NULL, NULL),
        TEST_BOTH(test_state_moves_with_an_interrupt_pending, NULL, NULL),
        TEST_BOTH(test_state_moves_while_suspended, NULL, NULL),
        TEST_BOTH(test_state_moves_after_a_fault, NULL, NULL),
        TEST_BOTH(test_state_moves_every_register, NULL, NULL),
        TEST_BOTH(test_state_has_a_fixed_layout, NULL, NULL),
        TEST_BOTH(test_state_save_tells_the_size_it_needs, NULL, NULL),
        TEST_BOTH(test_state_refuses_missing_arguments, NULL, NULL),
        TEST_BOTH(test_state_save_refuses_a_device_that_is_not_quiet, NULL, NULL),
        TEST_BOTH(test_state_load_refuses_a_device_in_use, NULL, NULL),
        TEST_BOTH(test_state_refuses_a_truncated_state, NULL, NULL),
        TEST_BOTH(test_state_survives_every_changed_byte, NULL, NULL),
        TEST_BOTH(test_state_survives_every_changed_byte_with_pinned_memory, NULL, NULL),
        TEST_BOTH(test_state_survives_noise, NULL, NULL),
        TEST_BOTH(test_state_refuses_impossible_fields, NULL, NULL),
        cmocka_unit_test(test_state_refuses_an_interrupt_of_a_device_that_never_ran),
        TEST_BOTH(test_state_refuses_features_of_another_configuration, NULL, NULL),
        TEST_BOTH(test_state_refuses_queues_too_large_for_the_configuration, NULL, NULL),
        TEST_BOTH(test_state_refuses_what_the_model_refuses, NULL, NULL),
        TEST_BOTH(test_state_load_fails_whole_when_the_port_fails, NULL, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
