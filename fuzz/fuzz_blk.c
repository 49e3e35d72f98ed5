/* SPDX-License-Identifier: BSD-3-Clause */
/* Block device with two queues, every feature, and (by the first byte) zones. The back end answers
 * at once, later, wrongly, or twice, and checks that each operation is inside the disk. */
#include <string.h>

#include "avps/blk.h"
#include "guest.h"

#define SECTORS 64U
#define SLOTS   6U
#define ZONE    16U
#define QUEUES  2U

static struct {
    struct avps_blk blk;
    struct avps_blk_request requests[SLOTS];
    struct avps_blk_zone zones[SECTORS / ZONE];
    const struct avps_blk_io *pending[SLOTS];
    uint64_t tokens[SLOTS];
    uint64_t last_token;
    uint8_t disk[SECTORS * 512U];
} run;

/* Move the bytes by the zero-copy or the copying call, as the input says. */
static enum avps_status blk_move(struct fuzz_guest *guest, const struct avps_blk_io *io)
{
    struct avps_seg segs[AVPS_BLK_SEGS];
    uint32_t count = 0;
    uint64_t bytes = 0;
    uint8_t *disk = run.disk + io->sector * 512U;

    if ((fuzz_u8(guest) & 1U) != 0U &&
        avps_blk_io_segments(io, segs, AVPS_BLK_SEGS, &count) == AVPS_OK) {
        for (uint32_t i = 0; i < count; i++) {
            if (io->op == AVPS_BLK_READ) {
                memset(segs[i].ptr, 0xab, segs[i].len);
            }
            bytes += segs[i].len;
        }
        FUZZ_CHECK(bytes == (uint64_t)io->count * 512U);
        return AVPS_OK;
    }
    return io->op == AVPS_BLK_READ ? avps_blk_io_write(io, disk, io->count * 512U)
                                   : avps_blk_io_read(io, disk, io->count * 512U);
}

static enum avps_status blk_submit(void *ctx, const struct avps_blk_io *io)
{
    struct fuzz_guest *guest = ctx;
    const uint8_t how = fuzz_u8(guest);

    FUZZ_CHECK(io->op == AVPS_BLK_FLUSH ||
               (io->sector <= SECTORS && io->count <= SECTORS - io->sector));
    run.last_token = io->token;
    if (how >= 0xf0U) {
        return how >= 0xf8U ? AVPS_E_IO : AVPS_E_UNSUPPORTED;
    }
    for (uint32_t i = 0; i < SLOTS && (how & 3U) == 3U; i++) {
        if (run.pending[i] == NULL) {
            run.pending[i] = io;
            run.tokens[i] = io->token;
            return AVPS_PENDING;
        }
    }
    return io->op == AVPS_BLK_READ || io->op == AVPS_BLK_WRITE ? blk_move(guest, io) : AVPS_OK;
}

/* Forget at once, or promise to answer. */
static enum avps_status blk_cancel(void *ctx, uint32_t queue)
{
    if (fuzz_u8(ctx) >= 0xe0U) {
        return AVPS_PENDING;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (run.pending[i] != NULL &&
            (queue == AVPS_BLK_ALL_QUEUES || run.pending[i]->queue == queue)) {
            run.pending[i] = NULL;
        }
    }
    return AVPS_OK;
}

static enum avps_status blk_lifetime(void *ctx, struct avps_blk_lifetime *lifetime)
{
    *lifetime = (struct avps_blk_lifetime){fuzz_u8(ctx), 1, 1};
    return AVPS_OK;
}

static const struct avps_blk_ops blk_ops = {
    .submit = blk_submit, .cancel = blk_cancel, .lifetime = blk_lifetime};

static void blk_make_zones(void)
{
    for (uint32_t i = 0; i < SECTORS / ZONE; i++) {
        run.zones[i] = (struct avps_blk_zone){
            .wp = (uint64_t)i * ZONE,
            .capacity = ZONE,
            .type = i == 0U ? AVPS_BLK_ZONE_CONVENTIONAL : AVPS_BLK_ZONE_SEQ_REQUIRED,
            .state = i == 0U ? AVPS_BLK_ZONE_NOT_WP : AVPS_BLK_ZONE_EMPTY};
    }
}

static bool blk_init(struct fuzz_guest *guest)
{
    static const struct avps_blk_zoned zoned = {.model = AVPS_BLK_ZONED_HOST_MANAGED,
                                                .zones = run.zones,
                                                .zone_count = SECTORS / ZONE,
                                                .zone_sectors = ZONE,
                                                .max_open = 2,
                                                .max_active = 2,
                                                .max_append_sectors = 8};
    const uint8_t kind = fuzz_u8(guest);
    const struct avps_blk_limits limits = {16, 2, 8};

    memset(&run, 0, sizeof run);
    blk_make_zones();
    const struct avps_blk_config config = {.base = guest->base,
                                           .ops = &blk_ops,
                                           .ctx = guest,
                                           .requests = run.requests,
                                           .request_count = SLOTS,
                                           .capacity = SECTORS,
                                           .block_size = 512,
                                           .size_max = (kind & 2U) != 0U ? 4096U : 0U,
                                           .geometry = {1, 1, 1},
                                           .topology = {3, 0, 1, 8},
                                           .discard = limits,
                                           .zeroes = limits,
                                           .erase = {16, 2, ZONE},
                                           .zoned = (kind & 1U) != 0U ? &zoned : NULL,
                                           .id = "fuzz",
                                           .read_only = (kind & 4U) != 0U,
                                           .write_through = (kind & 8U) != 0U,
                                           .fua = (kind & 16U) != 0U};
    guest->device = &run.blk.base;
    return avps_blk_init(&run.blk, &config) == AVPS_OK;
}

/* Answer one, answer a wrong token, answer twice, resize. */
static void blk_host(struct fuzz_guest *guest, uint8_t what)
{
    const uint32_t i = what % SLOTS;

    if (what >= 0xf0U) {
        FUZZ_CHECK(avps_blk_set_capacity(&run.blk, what & 1U ? SECTORS : SECTORS / 2U) !=
                   AVPS_E_INTERNAL);
    } else if (what >= 0xe0U) {
        avps_blk_done(&run.blk, run.last_token + (what & 3U), AVPS_OK);
        for (uint32_t k = 0; k < SLOTS; k++) { /* it may have been a true one */
            run.pending[k] = run.tokens[k] == run.last_token + (what & 3U) ? NULL : run.pending[k];
        }
    } else if (run.pending[i] != NULL) {
        const struct avps_blk_io *io = run.pending[i];
        const uint64_t token = run.tokens[i];
        const bool moves = io->op == AVPS_BLK_READ || io->op == AVPS_BLK_WRITE;

        run.pending[i] = NULL;
        const enum avps_status moved = moves ? blk_move(guest, io) : AVPS_OK;
        avps_blk_done(&run.blk, token, (what & 0x40U) != 0U ? AVPS_E_IO : moved);
    }
}

static const struct fuzz_target blk_target = {QUEUES, blk_init, blk_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&blk_target, input, size);
    return 0;
}
