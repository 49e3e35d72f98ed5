/* SPDX-License-Identifier: BSD-3-Clause */
/* Disk: options -> identity -> back end -> open, ready, close, reload. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avps_posix/block.h"
#include "avps_posix/null.h"
#include "host.h"

#define BLK_DEPTH 128U /* requests in flight per queue */

struct blk {
    const char *file;
    uint64_t null_bytes;
    const char *serial;
    uint32_t queues;
    bool readonly;
    bool direct;
    bool sync;
    bool write_through;
    struct avps_posix_block *block;
    struct avps_posix_poller poller;
    struct avps_queue *queue_storage;
    struct avps_blk_request *requests;
    struct avps_blk device;
};

enum { CHOICE_MEDIUM = 1 };

static const struct option blk_rows[] = {
    {.name = "file",
     .value = "IMG",
     .type = OPTION_TEXT,
     .offset = offsetof(struct blk, file),
     .choice = CHOICE_MEDIUM,
     .must = true,
     .help = "file or block device that holds the disk"},
    {.name = "null",
     .value = "SIZE",
     .type = OPTION_SIZE,
     .offset = offsetof(struct blk, null_bytes),
     .min = AVPS_BLK_SECTOR,
     .max = UINT64_C(1) << 60U,
     .choice = CHOICE_MEDIUM,
     .must = true,
     .help = "no medium: reads give zeroes, writes are dropped (for measurements)"},
    {.name = "readonly",
     .type = OPTION_FLAG,
     .offset = offsetof(struct blk, readonly),
     .needs = "file",
     .help = "the guest may not write; several programs may share the file"},
    {.name = "direct",
     .type = OPTION_FLAG,
     .offset = offsetof(struct blk, direct),
     .needs = "file",
     .help = "past the host's page cache (O_DIRECT)"},
    {.name = "sync",
     .type = OPTION_FLAG,
     .offset = offsetof(struct blk, sync),
     .needs = "file",
     .help = "preadv and pwritev in place of io_uring"},
    {.name = "writethrough",
     .type = OPTION_FLAG,
     .offset = offsetof(struct blk, write_through),
     .help = "without a write cache until the guest asks for one"},
    {.name = "queues",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct blk, queues),
     .min = 1,
     .max = AVPS_BLK_QUEUES,
     .help = "request queues (1)"},
    {.name = "serial",
     .value = "S",
     .type = OPTION_TEXT,
     .offset = offsetof(struct blk, serial),
     .help = "what the guest reads as serial number, up to 20 bytes"},
};

/* ---- back end ---- */

static void blk_poll_medium(void *ctx)
{
    (void)avps_posix_block_poll(ctx);
}

static bool blk_is_for_reading(const struct host_device *device)
{
    return device->planned != NULL && device->planned->blk.read_only;
}

/* With threads, a way to the medium for each of the other queues. */
static enum avps_status blk_open_lanes(const struct host_device *device,
                                       const struct avps_posix_block_config *first,
                                       struct avps_posix_error *error)
{
    const struct blk *blk = device->own;
    const uint32_t count = device->threads != NULL ? device->threads->count : 1U;
    struct avps_posix_block_config lane = *first;
    enum avps_status status = AVPS_OK;

    lane.beside = blk->block;
    for (uint32_t i = 1; i < count && status == AVPS_OK; i++) {
        struct avps_posix_block *opened = NULL;

        lane.loop = host_device_loop(device, i);
        status = avps_posix_block_open(&opened, &lane, error);
    }
    return status;
}

static enum avps_status blk_open_medium(struct host_device *device, struct avps_blk_config *config,
                                        struct avps_posix_error *error)
{
    struct blk *blk = device->own;
    const struct avps_posix_block_config open = {
        .path = blk->file,
        .loop = host_device_loop(device, 0),
        .engine = blk->sync ? AVPS_POSIX_BLOCK_SYNC : AVPS_POSIX_BLOCK_AUTO,
        .depth = config->request_count,
        .read_only = blk->readonly || blk_is_for_reading(device),
        .direct = blk->direct};

    if (blk->file == NULL) {
        avps_posix_null_disk(config, blk->null_bytes / AVPS_BLK_SECTOR);
        return AVPS_OK;
    }
    enum avps_status status = avps_posix_block_open(&blk->block, &open, error);
    status = status == AVPS_OK ? blk_open_lanes(device, &open, error) : status;
    if (status == AVPS_OK) {
        avps_posix_block_describe(blk->block, config);
    }
    return status;
}

/* What the platform file says of the disk. */
static enum avps_status blk_apply(const struct host_device *device, struct avps_blk_config *config,
                                  struct avps_posix_error *error)
{
    const struct avps_platform_device *planned = device->planned;
    const unsigned long long there = config->capacity;

    return planned == NULL || avps_platform_blk(planned, config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_NOSPACE,
                           "the medium of %llu sectors is smaller than the %u MiB of the platform "
                           "file",
                           there, planned->blk.size_mib);
}

/* ---- open, ready, close, reload ---- */

static uint32_t blk_shares(const struct host_device *device, struct avps_posix_error *error)
{
    const struct blk *blk = device->own;
    const uint32_t queues = device->planned != NULL ? device->planned->queues : blk->queues;

    (void)error;
    return queues != 0U ? queues : 1U;
}

static enum avps_status blk_open(struct host_device *device, struct avps_posix_error *error)
{
    struct blk *blk = device->own;
    struct avps_blk_config config = {.write_through = blk->write_through};

    blk->queues = blk_shares(device, error);
    config.request_count = blk->queues * BLK_DEPTH;
    if (blk->serial != NULL && strlen(blk->serial) > sizeof config.id) {
        return host_fail(error, AVPS_E_PARAM, "--serial '%s' is longer than %zu bytes", blk->serial,
                         sizeof config.id);
    }
    if (blk->serial != NULL) {
        (void)memcpy(config.id, blk->serial, strlen(blk->serial));
    }
    blk->queue_storage = calloc(blk->queues, sizeof *blk->queue_storage);
    blk->requests = calloc(config.request_count, sizeof *blk->requests);
    if (blk->queue_storage == NULL || blk->requests == NULL) {
        return host_fail(error, AVPS_E_NOSPACE, "not enough memory for %u queues", blk->queues);
    }
    config.requests = blk->requests;
    config.base = host_device_base(device, blk->queue_storage, (uint16_t)blk->queues);
    enum avps_status status = blk_open_medium(device, &config, error);
    status = status == AVPS_OK ? blk_apply(device, &config, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    device->base = &blk->device.base;
    return avps_blk_init(&blk->device, &config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the disk cannot be set up");
}

static void blk_ready(struct host_device *device)
{
    struct blk *blk = device->own;

    if (blk->block == NULL) {
        return;
    }
    avps_posix_block_attach(blk->block, &blk->device);
    if (device->busy_poll && device->threads == NULL && avps_posix_block_is_async(blk->block)) {
        avps_posix_poller_start(&blk->poller, device->loop, blk_poll_medium, blk->block);
    }
}

static bool blk_close(struct host_device *device)
{
    struct blk *blk = device->own;

    avps_posix_poller_stop(&blk->poller);
    const bool is_well = avps_posix_block_close(blk->block) == AVPS_OK;
    free(blk->requests);
    free(blk->queue_storage);
    return is_well;
}

static void blk_reload(struct host_device *device)
{
    struct blk *blk = device->own;
    uint64_t sectors = 0;

    host_device_pause(device);
    const bool resized = blk->block != NULL &&
                         avps_posix_block_resize(blk->block, &sectors) == AVPS_OK &&
                         avps_blk_set_capacity(&blk->device, sectors) == AVPS_OK;
    host_device_resume(device);
    if (resized) {
        host_say(device->host, LOG_INFO, "%s: %llu sectors", device->label,
                 (unsigned long long)sectors);
    }
}

const struct host_kind blk_kind = {
    .name = "blk",
    .summary = "disk on a file or block device",
    .id = 2,
    .rows = blk_rows,
    .row_count = sizeof blk_rows / sizeof blk_rows[0],
    .size = sizeof(struct blk),
    .turn_least = 2,
    .turn_most = 16,
    .shares = blk_shares,
    .open = blk_open,
    .ready = blk_ready,
    .close = blk_close,
    .reload = blk_reload,
};
