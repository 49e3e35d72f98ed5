/* SPDX-License-Identifier: BSD-3-Clause */
/* A device model whose every reaction the test chooses: requests -> cancel -> the rest -> init. */
#include "support/fake.h"

static struct avps_queue fake_queues[2][TEST_FAKE_QUEUES];

struct avps_queue *test_fake_queues(unsigned int which)
{
    assert_true(which < 2U);
    return fake_queues[which];
}

static struct test_fake *fake_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct test_fake, base);
}

static const struct test_fake *fake_of_const(const struct avps_device *dev)
{
    return (const struct test_fake *)(const void *)dev; /* `base` is first */
}

/* ---- requests ---- */

static enum avps_status fake_echo(struct avps_chain *chain)
{
    const uint32_t in = avps_chain_writable(chain);
    const uint32_t out = avps_chain_readable(chain);
    uint8_t byte = 0;

    for (uint32_t i = 0; i < in && i < out; i++) {
        enum avps_status status = avps_chain_read(chain, &byte, 1);
        if (status == AVPS_OK) {
            status = avps_chain_write(chain, &byte, 1);
        }
        if (status != AVPS_OK) {
            return status;
        }
    }
    return AVPS_OK;
}

static enum avps_status fake_request(struct avps_device *dev, uint16_t queue,
                                     struct avps_chain *chain)
{
    struct test_fake *fake = fake_of(dev);

    fake->served++;
    if (fake->poll_inside) {
        assert_int_equal(avps_poll(dev, 64), AVPS_POLL_IDLE);
    }
    if (fake->answer != AVPS_OK || fake->kind != TEST_FAKE_ASYNC) {
        return fake->answer != AVPS_OK ? fake->answer : fake_echo(chain);
    }
    struct avps_request *request = AVPS_CONTAINER_OF(chain, struct avps_request, chain);
    assert_true(request->busy);
    assert_int_equal(request->queue, queue);
    fake->kept[fake->kept_count++] = request;
    if (fake->complete_oldest) {
        test_fake_complete(fake, 0);
    } else if (fake->complete_inside) {
        test_fake_complete(fake, fake->kept_count - 1U);
    }
    return AVPS_PENDING;
}

static struct avps_request *fake_get_request(struct avps_device *dev, uint16_t queue)
{
    struct test_fake *fake = fake_of(dev);

    (void)queue;
    for (size_t i = 0; i < fake->request_limit; i++) {
        if (!fake->requests[i].busy) {
            return &fake->requests[i];
        }
    }
    return NULL;
}

static struct avps_request *fake_forget(struct test_fake *fake, size_t n)
{
    struct avps_request *request = fake->kept[n];

    assert_true(n < fake->kept_count);
    for (size_t i = n; i + 1U < fake->kept_count; i++) {
        fake->kept[i] = fake->kept[i + 1U];
    }
    fake->kept_count--;
    return request;
}

void test_fake_complete(struct test_fake *fake, size_t n)
{
    struct avps_request *request = fake_forget(fake, n);

    if (!fake->base.resetting && !fake->base.queues[request->queue].regs.resetting) {
        assert_int_equal(fake_echo(&request->chain), AVPS_OK);
    }
    avps_device_complete(&fake->base, request);
}

static enum avps_status fake_cancel(struct avps_device *dev, uint32_t queue)
{
    struct test_fake *fake = fake_of(dev);

    fake->cancels++;
    fake->last_cancel = queue;
    for (size_t i = 0; i < fake->kept_count && fake->cancel_answer == AVPS_OK;) {
        if (queue != AVPS_ALL_QUEUES && fake->kept[i]->queue != queue) {
            i++;
        } else if (fake->cancel_completes) {
            test_fake_complete(fake, i);
        } else {
            (void)fake_forget(fake, i);
        }
    }
    return fake->cancel_answer;
}

/* ---- other queues ---- */

static enum avps_queue_kind fake_queue_kind(const struct avps_device *dev, uint16_t queue)
{
    static const enum avps_queue_kind kinds[TEST_FAKE_QUEUES] = {
        AVPS_QUEUE_REQUEST, AVPS_QUEUE_SUPPLY, AVPS_QUEUE_BURST};

    (void)dev;
    return kinds[queue];
}

static void fake_supply(struct avps_device *dev, uint16_t queue)
{
    assert_int_equal(queue, 1);
    fake_of(dev)->supplies++;
}

static bool fake_burst(struct avps_device *dev, uint16_t queue, uint32_t *budget)
{
    struct test_fake *fake = fake_of(dev);
    uint32_t max = *budget < 4U ? *budget : 4U;
    struct avps_chain chains[4];
    uint32_t count = 0;

    fake->bursts++;
    for (size_t i = 0; i < 4U; i++) {
        avps_chain_init(&chains[i], fake->segs[i], TEST_FAKE_SEGS);
    }
    (void)avps_device_pop_burst(dev, queue, chains, max, &count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(fake_echo(&chains[i]), AVPS_OK);
    }
    avps_device_push_burst(dev, queue, chains, count);
    *budget -= count;
    fake->served += count;
    return count == max || avps_device_starve(dev, queue);
}

static bool fake_work(struct avps_device *dev, uint32_t budget)
{
    assert_int_not_equal(budget, 0);
    fake_of(dev)->works++;
    return fake_of(dev)->work_more;
}

/* ---- configuration, life, state ---- */

static void fake_config_get(const struct avps_device *dev, uint8_t *image)
{
    (void)memcpy(image, fake_of_const(dev)->config, TEST_FAKE_CONFIG);
}

static void fake_config_put(struct avps_device *dev, uint32_t off, const uint8_t *bytes,
                            uint32_t len)
{
    struct test_fake *fake = fake_of(dev);

    assert_true(off < TEST_FAKE_CONFIG && len <= TEST_FAKE_CONFIG - off);
    (void)memcpy(fake->config + off, bytes, len);
    fake->config_puts++;
}

static bool fake_features_ok(const struct avps_device *dev, const struct avps_features *set)
{
    (void)set;
    return !fake_of_const(dev)->refuse_features;
}

static void fake_activate(struct avps_device *dev)
{
    fake_of(dev)->activations++;
}

static void fake_reset(struct avps_device *dev)
{
    fake_of(dev)->resets++;
    fake_of(dev)->state_value = 0;
}

static void fake_queue_reset(struct avps_device *dev, uint16_t queue)
{
    fake_of(dev)->queue_resets[queue]++;
}

static void fake_save(struct avps_device *dev, struct avps_state *state)
{
    avps_state_put_int(state, fake_of(dev)->state_value, 4);
}

static void fake_load(struct avps_device *dev, struct avps_state *state)
{
    fake_of(dev)->state_value = (uint32_t)avps_state_get_int(state, 4);
    if (fake_of(dev)->state_value > 100U) {
        state->failed = true;
    }
}

/* ---- init ---- */

#define FAKE_FEATURES(plain)                                                                       \
    {                                                                                              \
        AVPS_FEATURE(TEST_FAKE_F_PLAIN, plain),                                                    \
            AVPS_FEATURE_NEEDS(TEST_FAKE_F_NEEDS, AVPS_FEATURE_OFFERED, TEST_FAKE_F_PLAIN),        \
            AVPS_FEATURE_NEEDS_ANY(TEST_FAKE_F_ANY, AVPS_FEATURE_OFFERED, TEST_FAKE_F_PLAIN,       \
                                   TEST_FAKE_F_OTHER),                                             \
            AVPS_FEATURE(TEST_FAKE_F_OTHER, AVPS_FEATURE_OFFERED),                                 \
            AVPS_FEATURE_NEEDS_AND_ANY(TEST_FAKE_F_BOTH, AVPS_FEATURE_OFFERED, TEST_FAKE_F_NEEDS,  \
                                       TEST_FAKE_F_ANY, TEST_FAKE_F_OTHER),                        \
            AVPS_FEATURE(TEST_FAKE_F_WITHHELD, AVPS_FEATURE_OFFERED),                              \
            AVPS_FEATURE_NEEDS(TEST_FAKE_F_DEPENDENT, AVPS_FEATURE_OFFERED, TEST_FAKE_F_WITHHELD), \
            AVPS_FEATURE(TEST_FAKE_F_HIGH, AVPS_FEATURE_OFFERED),                                  \
    }

static const struct avps_feature fake_features[] = FAKE_FEATURES(AVPS_FEATURE_OFFERED);
static const struct avps_feature strict_features[] = FAKE_FEATURES(AVPS_FEATURE_REQUIRED);

#define FAKE_OPS                                                                                   \
    .device_id = TEST_FAKE_ID, .config_size = TEST_FAKE_CONFIG,                                    \
    .feature_count = AVPS_COUNT_OF(fake_features), .config_get = fake_config_get,                  \
    .config_put = fake_config_put, .features_ok = fake_features_ok, .activate = fake_activate,     \
    .request = fake_request, .reset = fake_reset, .queue_reset = fake_queue_reset,                 \
    .save = fake_save, .load = fake_load, .work = fake_work

static const struct avps_device_ops ops_of[] = {
    [TEST_FAKE_SYNC] = {FAKE_OPS, .features = fake_features},
    [TEST_FAKE_ASYNC] = {FAKE_OPS, .features = fake_features, .get_request = fake_get_request,
                         .cancel = fake_cancel},
    [TEST_FAKE_SUPPLY] = {FAKE_OPS, .features = fake_features, .queue_kind = fake_queue_kind,
                          .supply = fake_supply, .burst = fake_burst},
    [TEST_FAKE_STRICT] = {FAKE_OPS, .features = strict_features},
    [TEST_FAKE_BARE] = {.device_id = TEST_FAKE_ID,
                        .config_size = 8,
                        .queue_kind = fake_queue_kind,
                        .request = fake_request,
                        .burst = fake_burst},
};

static enum avps_status fake_init(struct test_fake *fake, struct test_driver *d,
                                  enum test_fake_kind kind, const struct avps_device_config *base)
{
    struct avps_features offer = {{0xffffffffU, 0, 0, 0xffffffffU}};

    (void)memset(fake, 0, sizeof *fake);
    fake->kind = kind;
    fake->driver = d;
    fake->request_limit = TEST_FAKE_REQUESTS;
    avps_features_remove(&offer, TEST_FAKE_F_WITHHELD);
    for (size_t i = 0; i < TEST_FAKE_CONFIG; i++) {
        fake->config[i] = (uint8_t)(0x10U + i);
    }
    for (size_t i = 0; i < TEST_FAKE_REQUESTS; i++) {
        avps_chain_init(&fake->requests[i].chain, fake->segs[i], TEST_FAKE_SEGS);
    }
    return avps_device_init(&fake->base, &ops_of[kind], base, &offer);
}

enum avps_status test_fake_init_with(struct test_fake *fake, struct test_driver *d,
                                     enum test_fake_kind kind,
                                     const struct avps_device_config *base)
{
    const enum avps_status status = fake_init(fake, d, kind, base);

    if (status == AVPS_OK) {
        test_driver_attach(d, &fake->base);
    }
    return status;
}

void test_fake_init_alone(struct test_fake *fake, struct test_driver *d, enum test_fake_kind kind)
{
    const struct avps_device_config base =
        test_driver_base(d, fake_queues[0], TEST_FAKE_QUEUES, 256);

    assert_int_equal(fake_init(fake, d, kind, &base), AVPS_OK);
}

void test_fake_init(struct test_fake *fake, struct test_driver *d, enum test_fake_kind kind)
{
    const struct avps_device_config base =
        test_driver_base(d, fake_queues[0], TEST_FAKE_QUEUES, 256);

    assert_int_equal(test_fake_init_with(fake, d, kind, &base), AVPS_OK);
}
