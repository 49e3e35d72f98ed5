/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device: features -> configuration space -> run-time changes -> slots -> cancel, reset,
 * state -> ops, init. Requests are served in blk_request.c, zones in blk_zoned.c. */
#include "devices/blk_internal.h"

#define VIRTIO_ID_BLOCK 2U
#define BLK_NOT_WRITTEN 2U

struct virtio_blk_zoned_characteristics {
    avps_le32 zone_sectors;
    avps_le32 max_open_zones;
    avps_le32 max_active_zones;
    avps_le32 max_append_sectors;
    avps_le32 write_granularity;
    uint8_t model;
    uint8_t unused2[3];
};

struct virtio_blk_config {
    avps_le64 capacity;
    avps_le32 size_max;
    avps_le32 seg_max;
    avps_le16 cylinders;
    uint8_t heads;
    uint8_t sectors;
    avps_le32 blk_size;
    uint8_t physical_block_exp;
    uint8_t alignment_offset;
    avps_le16 min_io_size;
    avps_le32 opt_io_size;
    uint8_t writeback;
    uint8_t unused0;
    avps_le16 num_queues;
    avps_le32 max_discard_sectors;
    avps_le32 max_discard_seg;
    avps_le32 discard_sector_alignment;
    avps_le32 max_write_zeroes_sectors;
    avps_le32 max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap;
    uint8_t unused1[3];
    avps_le32 max_secure_erase_sectors;
    avps_le32 max_secure_erase_seg;
    avps_le32 secure_erase_sector_alignment;
    struct virtio_blk_zoned_characteristics zoned;
};
AVPS_WIRE_SIZE(struct virtio_blk_config, 96);

static struct avps_blk *blk_of(struct avps_device *dev)
{
    return AVPS_CONTAINER_OF(dev, struct avps_blk, base);
}

static const struct avps_blk *blk_of_const(const struct avps_device *dev)
{
    return (const struct avps_blk *)(const void *)((const uint8_t *)dev -
                                                   offsetof(struct avps_blk, base));
}

/* ---- features ---- */

/* All of the chapter; which are offered follows from the configuration (blk_offer). */
static const struct avps_feature blk_features[] = {
    AVPS_FEATURE(VIRTIO_BLK_F_SIZE_MAX, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_SEG_MAX, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_GEOMETRY, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_RO, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_BLK_SIZE, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_FLUSH, AVPS_FEATURE_OFFERED), /* [AVPS BLK-2] */
    AVPS_FEATURE(VIRTIO_BLK_F_TOPOLOGY, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_CONFIG_WCE, AVPS_FEATURE_OFFERED), /* [AVPS BLK-3] */
    AVPS_FEATURE(VIRTIO_BLK_F_MQ, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_DISCARD, AVPS_FEATURE_OFFERED),      /* [AVPS BLK-4] */
    AVPS_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES, AVPS_FEATURE_OFFERED), /* [AVPS BLK-5] */
    AVPS_FEATURE(VIRTIO_BLK_F_LIFETIME, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_SECURE_ERASE, AVPS_FEATURE_OFFERED),
    AVPS_FEATURE(VIRTIO_BLK_F_ZONED, AVPS_FEATURE_OFFERED),
};

static void blk_offer_if(struct avps_features *offer, unsigned int bit, bool condition)
{
    if (condition) {
        avps_features_add(offer, bit);
    }
}

/* [blk-1.1] CONFIG_WCE comes only with FLUSH. [blk-1.4] ZONED only with VERSION_1, which
 * every driver must accept, and only for a zoned device. [blk-2.13] [blk-2.14] LIFETIME if the back
 * end knows it. A host-managed device has no DISCARD: drv.blk-1.6. */
static struct avps_features blk_offer(const struct avps_blk_config *config)
{
    const struct avps_blk_topology *topology = &config->topology;
    const bool managed =
        config->zoned != NULL && config->zoned->model == AVPS_BLK_ZONED_HOST_MANAGED;
    const bool writable = !config->read_only;
    const bool flush = !avps_features_has(&config->base.withhold, VIRTIO_BLK_F_FLUSH);
    struct avps_features offer = {{0}};

    avps_features_add(&offer, VIRTIO_BLK_F_SEG_MAX);
    avps_features_add(&offer, VIRTIO_BLK_F_FLUSH);
    blk_offer_if(&offer, VIRTIO_BLK_F_CONFIG_WCE, flush);
    blk_offer_if(&offer, VIRTIO_BLK_F_SIZE_MAX, config->size_max != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_GEOMETRY, config->geometry.cylinders != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_RO, config->read_only);
    blk_offer_if(&offer, VIRTIO_BLK_F_BLK_SIZE, config->block_size != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_TOPOLOGY,
                 (topology->physical_block_exp | topology->alignment_offset |
                  topology->min_io_size | topology->opt_io_size) != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_MQ, config->base.queue_count > 1U);
    blk_offer_if(&offer, VIRTIO_BLK_F_DISCARD,
                 writable && !managed && config->discard.max_sectors != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_WRITE_ZEROES, writable && config->zeroes.max_sectors != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_SECURE_ERASE, writable && config->erase.max_sectors != 0U);
    blk_offer_if(&offer, VIRTIO_BLK_F_LIFETIME, config->ops->lifetime != NULL);
    blk_offer_if(&offer, VIRTIO_BLK_F_ZONED, config->zoned != NULL);
    return offer;
}

/* [blk-1.7] Without ZONED, host-managed zones cannot be written correctly. */
static bool blk_features_ok(const struct avps_device *dev, const struct avps_features *set)
{
    return blk_of_const(dev)->zoned.model != AVPS_BLK_ZONED_HOST_MANAGED ||
           avps_features_has(set, VIRTIO_BLK_F_ZONED);
}

/* ---- configuration space ---- */

/* Fields of a feature are there while it is offered, and later if it was accepted. */
static bool blk_shows(const struct avps_device *dev, unsigned int bit)
{
    return avps_features_has(
        (dev->status & VIRTIO_STATUS_FEATURES_OK) != 0U ? &dev->accepted : &dev->offered, bit);
}

/* The cache mode as the driver sees it. [blk-1.2] It starts as write-through for a driver that
 * cannot flush. */
static bool blk_mode(const struct avps_blk *blk)
{
    const unsigned char written = atomic_load_explicit(&blk->writeback, memory_order_relaxed);

    if (written != BLK_NOT_WRITTEN) {
        return written != 0U;
    }
    return !blk->write_through && blk_shows(&blk->base, VIRTIO_BLK_F_FLUSH);
}

/* [blk-2.11] A driver that cannot flush gets durable writes, whatever it wrote to the field. */
bool avps_blk_is_writeback(const struct avps_blk *blk)
{
    return avps_device_has(&blk->base, VIRTIO_BLK_F_FLUSH) && blk_mode(blk);
}

static void blk_config_basics(const struct avps_blk *blk, struct virtio_blk_config *config)
{
    const struct avps_device *dev = &blk->base;

    config->capacity = avps_le64_of(blk->capacity);
    config->seg_max = avps_le32_of(blk_shows(dev, VIRTIO_BLK_F_SEG_MAX) ? blk->seg_max : 0U);
    config->size_max = avps_le32_of(blk_shows(dev, VIRTIO_BLK_F_SIZE_MAX) ? blk->size_max : 0U);
    config->blk_size = avps_le32_of(blk_shows(dev, VIRTIO_BLK_F_BLK_SIZE) ? blk->block_size : 0U);
    config->writeback = blk_shows(dev, VIRTIO_BLK_F_CONFIG_WCE) && blk_mode(blk) ? 1U : 0U;
    config->num_queues = avps_le16_of(blk_shows(dev, VIRTIO_BLK_F_MQ) ? dev->model_queues : 0U);
    if (blk_shows(dev, VIRTIO_BLK_F_GEOMETRY)) {
        config->cylinders = avps_le16_of(blk->geometry.cylinders);
        config->heads = blk->geometry.heads;
        config->sectors = blk->geometry.sectors;
    }
    if (blk_shows(dev, VIRTIO_BLK_F_TOPOLOGY)) {
        config->physical_block_exp = blk->topology.physical_block_exp;
        config->alignment_offset = blk->topology.alignment_offset;
        config->min_io_size = avps_le16_of(blk->topology.min_io_size);
        config->opt_io_size = avps_le32_of(blk->topology.opt_io_size);
    }
}

static void blk_config_limits(const struct avps_blk *blk, struct virtio_blk_config *config)
{
    const struct avps_device *dev = &blk->base;

    if (blk_shows(dev, VIRTIO_BLK_F_DISCARD)) {
        config->max_discard_sectors = avps_le32_of(blk->discard.max_sectors);
        config->max_discard_seg = avps_le32_of(blk->discard.max_ranges);
        config->discard_sector_alignment = avps_le32_of(blk->discard.alignment);
    }
    if (blk_shows(dev, VIRTIO_BLK_F_WRITE_ZEROES)) {
        config->max_write_zeroes_sectors = avps_le32_of(blk->zeroes.max_sectors);
        config->max_write_zeroes_seg = avps_le32_of(blk->zeroes.max_ranges);
        config->write_zeroes_may_unmap = blk->zeroes_may_unmap ? 1U : 0U; /* [blk-2.9] */
    }
    if (blk_shows(dev, VIRTIO_BLK_F_SECURE_ERASE)) {
        config->max_secure_erase_sectors = avps_le32_of(blk->erase.max_sectors);
        config->max_secure_erase_seg = avps_le32_of(blk->erase.max_ranges);
        config->secure_erase_sector_alignment = avps_le32_of(blk->erase.alignment);
    }
}

/* [blk-1.6] All zero without ZONED. [blk-1.8] [blk-1.9] [blk-1.11] [blk-1.12] [blk-1.13]
 * [blk-1.16] */
static void blk_config_zoned(const struct avps_blk *blk,
                             struct virtio_blk_zoned_characteristics *zoned)
{
    if (blk_shows(&blk->base, VIRTIO_BLK_F_ZONED)) {
        zoned->model = (uint8_t)blk->zoned.model;
        zoned->zone_sectors = avps_le32_of(blk->zoned.zone_sectors);
        zoned->max_open_zones = avps_le32_of(blk->zoned.max_open);
        zoned->max_active_zones = avps_le32_of(blk->zoned.max_active);
        zoned->max_append_sectors = avps_le32_of(blk->zoned.max_append_sectors);
        zoned->write_granularity = avps_le32_of(blk->zoned.write_granularity);
    }
}

static void blk_config_get(const struct avps_device *dev, uint8_t *image)
{
    const struct avps_blk *blk = blk_of_const(dev);
    struct virtio_blk_config config;

    (void)memset(&config, 0, sizeof config); /* [blk-1.3] [blk-1.17] */
    blk_config_basics(blk, &config);
    blk_config_limits(blk, &config);
    blk_config_zoned(blk, &config.zoned);
    (void)memcpy(image, &config, sizeof config);
}

/* `writeback` alone can be written, to 0 or 1; everything else in a write is dropped. */
static void blk_config_put(struct avps_device *dev, uint32_t off, const uint8_t *bytes,
                           uint32_t len)
{
    const uint32_t field = (uint32_t)offsetof(struct virtio_blk_config, writeback);

    if (off <= field && field - off < len && bytes[field - off] <= 1U &&
        avps_device_has(dev, VIRTIO_BLK_F_CONFIG_WCE)) {
        atomic_store_explicit(&blk_of(dev)->writeback, bytes[field - off], memory_order_relaxed);
    }
}

/* ---- run-time changes ---- */

/* [blk-2.1] [blk-2.2] */
enum avps_status avps_blk_set_capacity(struct avps_blk *blk, uint64_t sectors)
{
    if (avps_blk_has_zones(blk)) {
        return AVPS_E_UNSUPPORTED;
    }
    if (sectors != blk->capacity) {
        blk->capacity = sectors;
        avps_device_config_changed(&blk->base);
    }
    return AVPS_OK;
}

/* [blk-2.10] */
void avps_blk_set_zeroes_may_unmap(struct avps_blk *blk, bool may_unmap)
{
    if (may_unmap != blk->zeroes_may_unmap) {
        blk->zeroes_may_unmap = may_unmap;
        avps_device_config_changed(&blk->base);
    }
}

const struct avps_blk_counters *avps_blk_counters(const struct avps_blk *blk, uint16_t queue)
{
    return queue < blk->base.model_queues ? &blk->lanes[queue].counters : NULL;
}

/* ---- slots ---- */

static struct avps_request *blk_get_request(struct avps_device *dev, uint16_t queue)
{
    struct avps_blk *blk = blk_of(dev);
    struct avps_blk_lane *lane = &blk->lanes[queue];
    struct avps_blk_request *slots = &blk->requests[(size_t)queue * blk->lane_slots];

    for (uint32_t i = 0; i < blk->lane_slots; i++) {
        const uint32_t slot = (lane->next + i) % blk->lane_slots;

        if (!slots[slot].base.busy) {
            lane->next = slot;
            return &slots[slot].base;
        }
    }
    return NULL;
}

/* ---- cancel, reset, state ---- */

static enum avps_status blk_cancel(struct avps_device *dev, uint32_t queue)
{
    const struct avps_blk *blk = blk_of(dev);

    return blk->ops->cancel != NULL ? blk->ops->cancel(blk->ctx, queue) : AVPS_PENDING;
}

static void blk_reset(struct avps_device *dev)
{
    struct avps_blk *blk = blk_of(dev);

    atomic_store_explicit(&blk->writeback, BLK_NOT_WRITTEN, memory_order_relaxed);
    avps_blk_zones_reset(blk);
}

static void blk_save(struct avps_device *dev, struct avps_state *state)
{
    struct avps_blk *blk = blk_of(dev);

    avps_state_put_int(state, atomic_load_explicit(&blk->writeback, memory_order_relaxed), 1);
    avps_blk_zones_save(blk, state);
}

static void blk_load(struct avps_device *dev, struct avps_state *state)
{
    struct avps_blk *blk = blk_of(dev);
    const uint8_t writeback = (uint8_t)avps_state_get_int(state, 1);

    if (writeback > BLK_NOT_WRITTEN ||
        (writeback != BLK_NOT_WRITTEN && !avps_device_has(dev, VIRTIO_BLK_F_CONFIG_WCE))) {
        state->failed = true;
    }
    avps_blk_zones_load(blk, state);
    if (!state->failed) {
        atomic_store_explicit(&blk->writeback, writeback, memory_order_relaxed);
    }
}

/* ---- ops, init ---- */

static const struct avps_device_ops blk_device_ops = {
    .device_id = VIRTIO_ID_BLOCK,
    .config_size = sizeof(struct virtio_blk_config),
    .features = blk_features,
    .feature_count = AVPS_COUNT_OF(blk_features),
    .config_get = blk_config_get,
    .config_put = blk_config_put,
    .features_ok = blk_features_ok,
    .get_request = blk_get_request,
    .request = avps_blk_serve,
    .cancel = blk_cancel,
    .reset = blk_reset,
    .save = blk_save,
    .load = blk_load,
};

/* Header and status take two segments; a chain is no longer than its queue (drv.split-4.3). */
static uint32_t blk_seg_limit(const struct avps_blk_config *config)
{
    const uint32_t queue = config->base.queue_size_max;
    const uint32_t chain = queue < AVPS_BLK_SEGS ? queue : AVPS_BLK_SEGS;

    return chain > 3U ? chain - 2U : 1U;
}

static bool blk_limits_are_valid(const struct avps_blk_limits *limits)
{
    return limits->max_sectors == 0U || limits->max_ranges <= AVPS_BLK_RANGES;
}

static bool blk_config_is_valid(const struct avps_blk_config *config)
{
    const uint32_t block = config->block_size;

    return config->ops != NULL && config->ops->submit != NULL && config->requests != NULL &&
           config->base.queue_count != 0U && config->base.queue_count <= AVPS_BLK_QUEUES &&
           config->request_count >= config->base.queue_count &&
           (block == 0U || (block >= AVPS_BLK_SECTOR && (block & (block - 1U)) == 0U)) &&
           config->seg_max <= blk_seg_limit(config) && blk_limits_are_valid(&config->discard) &&
           blk_limits_are_valid(&config->zeroes) && blk_limits_are_valid(&config->erase);
}

static struct avps_blk_limits blk_limits(const struct avps_blk_limits *limits)
{
    struct avps_blk_limits filled = *limits;

    filled.max_ranges = limits->max_ranges != 0U ? limits->max_ranges : AVPS_BLK_RANGES;
    return filled;
}

static void blk_copy_config(struct avps_blk *blk, const struct avps_blk_config *config)
{
    blk->ops = config->ops;
    blk->ctx = config->ctx;
    blk->requests = config->requests;
    blk->lane_slots = config->request_count / config->base.queue_count;
    blk->capacity = config->capacity;
    blk->block_size = config->block_size;
    blk->seg_max = config->seg_max != 0U ? config->seg_max : blk_seg_limit(config);
    blk->size_max = config->size_max;
    blk->geometry = config->geometry;
    blk->topology = config->topology;
    blk->discard = blk_limits(&config->discard);
    blk->zeroes = blk_limits(&config->zeroes);
    blk->erase = blk_limits(&config->erase);
    blk->read_only = config->read_only;
    blk->write_through = config->write_through;
    blk->fua = config->fua;
    blk->zeroes_may_unmap = config->zeroes_may_unmap;
    (void)memcpy(blk->id, config->id, sizeof blk->id);
    atomic_init(&blk->writeback, BLK_NOT_WRITTEN);
}

static void blk_init_slots(struct avps_blk *blk, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct avps_blk_request *req = &blk->requests[i];

        (void)memset(req, 0, sizeof *req);
        avps_chain_init(&req->base.chain, req->segs, AVPS_BLK_SEGS);
    }
}

enum avps_status avps_blk_init(struct avps_blk *blk, const struct avps_blk_config *config)
{
    if (blk == NULL || config == NULL || !blk_config_is_valid(config)) {
        return AVPS_E_PARAM;
    }
    (void)memset(blk, 0, sizeof *blk);
    blk_copy_config(blk, config);
    if (config->zoned != NULL && avps_blk_zones_init(blk, config->zoned) != AVPS_OK) {
        return AVPS_E_PARAM;
    }
    blk_init_slots(blk, config->request_count);
    const struct avps_features offer = blk_offer(config);

    return avps_device_init(&blk->base, &blk_device_ops, &config->base, &offer);
}
