/* SPDX-License-Identifier: BSD-3-Clause */
/* Back ends without input or output: disk -> echo -> sink -> made frames -> ops, init. */
#include "avps_posix/null.h"

#include <stdlib.h>
#include <string.h>

#include "net_common.h"

#define NULL_BURST      32U
#define NULL_PIECE      4096U
#define NULL_HEADER     42U /* bytes written anew in each frame, as a real sender would */
#define NULL_ETHERTYPE  0x88b5U
#define NULL_SINK_FRAME 2048U
#define NULL_SINKS      64U

/* ---- disk ---- */

/* Guest memory that can only be copied. */
static enum avps_status null_copy(const struct avps_blk_io *io)
{
    uint8_t piece[NULL_PIECE] = {0};
    uint64_t left = (uint64_t)io->count * AVPS_BLK_SECTOR;
    enum avps_status status = AVPS_OK;

    while (left != 0U && status == AVPS_OK) {
        const uint32_t len = left < NULL_PIECE ? (uint32_t)left : NULL_PIECE;

        status = io->op == AVPS_BLK_READ ? avps_blk_io_write(io, piece, len)
                                         : avps_blk_io_read(io, piece, len);
        left -= len;
    }
    return status;
}

static enum avps_status null_transfer(const struct avps_blk_io *io)
{
    struct avps_seg segs[AVPS_BLK_SEGS];
    uint32_t count = 0;

    if (avps_blk_io_segments(io, segs, AVPS_BLK_SEGS, &count) != AVPS_OK) {
        return null_copy(io);
    }
    for (uint32_t i = 0; i < count && io->op == AVPS_BLK_READ; i++) {
        (void)memset(segs[i].ptr, 0, segs[i].len);
    }
    return AVPS_OK;
}

static enum avps_status null_submit(void *ctx, const struct avps_blk_io *io)
{
    (void)ctx;
    return io->op == AVPS_BLK_READ || io->op == AVPS_BLK_WRITE ? null_transfer(io) : AVPS_OK;
}

static const struct avps_blk_ops null_disk_ops = {.submit = null_submit};

void avps_posix_null_disk(struct avps_blk_config *config, uint64_t sectors)
{
    config->ops = &null_disk_ops;
    config->ctx = NULL;
    config->capacity = sectors;
    config->block_size = AVPS_BLK_SECTOR;
    config->fua = true;
    config->discard = (struct avps_blk_limits){.max_sectors = 1U << 22U};
    config->zeroes = (struct avps_blk_limits){.max_sectors = 1U << 22U};
    config->zeroes_may_unmap = true;
}

/* ---- echo ---- */

/* The frame as it lies in guest memory; `header` holds its start where that is in pieces. */
static bool null_frame_of(const struct avps_net_packet *packet, struct avps_net_frame *frame,
                          uint8_t header[NET_ETHERNET])
{
    *frame = (struct avps_net_frame){.offload = packet->offload};
    if (packet->data != NULL) {
        frame->data = packet->data;
        frame->data_len = packet->len;
        return true;
    }
    frame->data = header;
    frame->data_len = NET_ETHERNET;
    frame->more = packet->segs;
    frame->more_count = packet->seg_count;
    frame->more_skip = packet->skip + NET_ETHERNET;
    return avps_net_packet_copy(packet, 0, header, NET_ETHERNET) == AVPS_OK;
}

static enum avps_status null_echo(struct avps_posix_null_net *null, uint16_t pair,
                                  const struct avps_net_packet *packets, uint32_t count,
                                  uint32_t *taken)
{
    struct avps_net_frame frames[AVPS_BURST_MAX];
    uint8_t headers[AVPS_BURST_MAX][NET_ETHERNET];
    uint32_t good = 0;

    while (good < count && null_frame_of(&packets[good], &frames[good], headers[good])) {
        good++;
    }
    if (good < count) {
        return AVPS_E_IO; /* guest memory that fails: the burst is dropped */
    }
    return avps_net_rx_burst(null->net, pair, frames, count, taken);
}

/* ---- sink ---- */

static void null_swallow(struct avps_posix_null_net *null, const struct avps_net_packet *packet)
{
    uint8_t *at = null->sink + (size_t)null->sink_next * NULL_SINK_FRAME;
    const uint32_t len = packet->len < NULL_SINK_FRAME ? packet->len : NULL_SINK_FRAME;

    (void)!avps_net_packet_copy(packet, 0, at, len);
    null->sink_next = (null->sink_next + 1U) % NULL_SINKS;
}

static enum avps_status null_transmit(void *ctx, uint16_t pair,
                                      const struct avps_net_packet *packets, uint32_t count,
                                      uint32_t *taken)
{
    struct avps_posix_null_net *null = ctx;

    if (null->config.mode == AVPS_POSIX_NULL_ECHO) {
        return null_echo(null, pair, packets, count, taken);
    }
    for (uint32_t i = 0; i < count; i++) {
        null_swallow(null, &packets[i]);
    }
    return AVPS_OK;
}

/* ---- made frames ---- */

static const uint8_t *null_make(struct avps_posix_null_net *null, uint64_t sequence)
{
    uint8_t *at =
        null->frames + (size_t)(sequence % AVPS_POSIX_NULL_FRAMES) * null->config.frame_len;
    const uint32_t header =
        null->config.frame_len < NULL_HEADER ? null->config.frame_len : NULL_HEADER;

    (void)memset(at, 0, header);
    (void)memset(at, 0xff, 6);
    at[6] = 0x02; /* locally administered */
    at[12] = (uint8_t)(NULL_ETHERTYPE >> 8U);
    at[13] = (uint8_t)(NULL_ETHERTYPE & 0xffU);
    for (uint32_t i = 0; i < 8U; i++) {
        at[16U + i] = (uint8_t)(sequence >> (8U * i));
    }
    return at;
}

/* One burst a round, so that others have their turn; until the ring is full. */
static void null_produce(void *ctx)
{
    struct avps_posix_null_net *null = ctx;
    struct avps_net_frame frames[NULL_BURST] = {{0}};
    uint32_t taken = 0;

    if (!null->live) {
        return;
    }
    for (uint32_t i = 0; i < NULL_BURST; i++) {
        frames[i].data = null_make(null, null->sequence + i);
        frames[i].data_len = null->config.frame_len;
    }
    if (avps_net_receive(null->net, frames, NULL_BURST, &taken) == AVPS_OK) {
        null->sequence += taken;
    }
    if (taken == NULL_BURST) {
        avps_posix_task_defer(&null->produce); /* else rx_ready goes on */
    }
}

static void null_resume(void *ctx)
{
    const struct avps_posix_null_echo *echo = ctx;
    const struct avps_posix_null_net *null = echo->null;

    if (null->config.workers != NULL) {
        avps_net_tx_ready_pair(null->net, echo->pair);
    } else {
        avps_net_tx_ready(null->net);
    }
}

/* ---- ops, init ---- */

static void null_rx_ready(void *ctx, uint16_t pair)
{
    struct avps_posix_null_net *null = ctx;

    if (null->config.mode == AVPS_POSIX_NULL_ECHO) {
        avps_posix_task_defer(&null->echoes[null->config.workers != NULL ? pair : 0U].resume);
    } else {
        avps_posix_task_defer(&null->produce);
    }
}

static void null_live(void *ctx, bool live)
{
    struct avps_posix_null_net *null = ctx;

    null->live = live;
    if (live && null->config.frame_len != 0U) {
        avps_posix_task_defer(&null->produce);
    }
}

static const struct avps_net_ops null_net_ops = {
    .transmit = null_transmit, .rx_ready = null_rx_ready, .live = null_live};

static uint16_t null_echo_count(const struct avps_posix_null_net *null)
{
    return null->config.workers != NULL ? null->config.worker_count : 1U;
}

enum avps_status avps_posix_null_net_init(struct avps_posix_null_net *null,
                                          const struct avps_posix_null_net_config *config)
{
    const uint32_t len = config->frame_len;

    if (config->loop == NULL ||
        (len != 0U && (len < AVPS_POSIX_NULL_FRAME_MIN || len > AVPS_POSIX_NULL_FRAME_MAX ||
                       config->mode != AVPS_POSIX_NULL_SINK)) ||
        (config->workers != NULL &&
         (config->worker_count == 0U || config->mode != AVPS_POSIX_NULL_ECHO))) {
        return AVPS_E_PARAM;
    }
    *null = (struct avps_posix_null_net){.config = *config};
    avps_posix_task_init(&null->produce, config->loop, null_produce, null);
    null->frames = calloc(AVPS_POSIX_NULL_FRAMES, len != 0U ? len : 1U);
    null->sink = calloc(NULL_SINKS, NULL_SINK_FRAME);
    null->echoes = calloc(null_echo_count(null), sizeof *null->echoes);
    if (null->frames == NULL || null->sink == NULL || null->echoes == NULL) {
        avps_posix_null_net_free(null);
        return AVPS_E_NOSPACE;
    }
    for (uint16_t i = 0; i < null_echo_count(null); i++) {
        null->echoes[i] = (struct avps_posix_null_echo){.null = null, .pair = i};
        avps_posix_task_init(&null->echoes[i].resume,
                             config->workers != NULL ? &config->workers[i].loop : config->loop,
                             null_resume, &null->echoes[i]);
    }
    return AVPS_OK;
}

void avps_posix_null_net_free(struct avps_posix_null_net *null)
{
    avps_posix_task_cancel(&null->produce);
    for (uint16_t i = 0; null->echoes != NULL && i < null_echo_count(null); i++) {
        avps_posix_task_cancel(&null->echoes[i].resume);
    }
    free(null->echoes);
    free(null->frames);
    free(null->sink);
    null->echoes = NULL;
    null->frames = NULL;
    null->sink = NULL;
}

void avps_posix_null_net_describe(struct avps_posix_null_net *null, struct avps_net_config *config)
{
    config->ops = &null_net_ops;
    config->ctx = null;
    config->offloads = 0;
    if (null->config.mode == AVPS_POSIX_NULL_ECHO) {
        config->offloads = AVPS_NET_TX_CSUM | AVPS_NET_TX_TSO4 | AVPS_NET_TX_TSO6 |
                           AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4 | AVPS_NET_RX_TSO6;
    }
}

void avps_posix_null_net_attach(struct avps_posix_null_net *null, struct avps_net *net)
{
    null->net = net;
}
