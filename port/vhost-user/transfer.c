/* SPDX-License-Identifier: BSD-3-Clause */
/* Device state: saving into a pipe -> loading from one -> begin and end. */
#include "vu_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void transfer_finish(struct avps_vu *vu, bool good)
{
    struct vu_transfer *t = &vu->transfer;

    avps_posix_source_remove(&t->source);
    vu_close_fd(&t->fd); /* the other side sees the end */
    t->phase = good ? VU_TRANSFER_GOOD : VU_TRANSFER_BAD;
    if (vu->deferred) {
        vu_wake(vu); /* a check waits */
    }
}

/* ---- saving ---- */

static bool transfer_collect(struct avps_vu *vu)
{
    struct vu_transfer *t = &vu->transfer;

    if (avps_save(vu->config.device, NULL, 0, &t->room) != AVPS_OK) {
        return false;
    }
    t->bytes = malloc(t->room);
    return t->bytes != NULL && avps_save(vu->config.device, t->bytes, t->room, &t->used) == AVPS_OK;
}

static void transfer_send(void *ctx, uint32_t conditions)
{
    struct avps_vu *vu = ctx;
    struct vu_transfer *t = &vu->transfer;
    const ssize_t n = write(t->fd, t->bytes + t->sent, t->used - t->sent);

    (void)conditions;
    if (n > 0) {
        t->sent += (size_t)n;
    }
    if (t->sent == t->used || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        transfer_finish(vu, t->sent == t->used);
    }
}

/* ---- loading ---- */

static bool transfer_grow(struct vu_transfer *t)
{
    const size_t room = t->room == 0U ? 65536U : 2U * t->room;
    uint8_t *bytes = t->used < t->room ? t->bytes : realloc(t->bytes, room);

    if (t->used < t->room) {
        return true;
    }
    if (bytes == NULL || room > VU_TRANSFER_MAX) {
        t->bytes = bytes != NULL ? bytes : t->bytes;
        return false;
    }
    t->bytes = bytes;
    t->room = room;
    return true;
}

/* All of it is there. The library treats it as hostile. */
static bool transfer_load(struct avps_vu *vu)
{
    const struct vu_transfer *t = &vu->transfer;

    if (t->used == 0U || vu_rings_run(vu)) {
        return false;
    }
    return avps_reset(vu->config.device) == AVPS_OK &&
           avps_load(vu->config.device, t->bytes, t->used) == AVPS_OK;
}

static void transfer_receive(void *ctx, uint32_t conditions)
{
    struct avps_vu *vu = ctx;
    struct vu_transfer *t = &vu->transfer;

    (void)conditions;
    if (!transfer_grow(t)) {
        transfer_finish(vu, false);
        return;
    }
    const ssize_t n = read(t->fd, t->bytes + t->used, t->room - t->used);

    if (n > 0) {
        t->used += (size_t)n;
    } else if (n == 0) {
        transfer_finish(vu, transfer_load(vu));
    } else if (errno != EAGAIN && errno != EINTR) {
        transfer_finish(vu, false);
    }
}

/* ---- begin and end ---- */

void vu_transfer_init(struct vu_transfer *t)
{
    *t = (struct vu_transfer){.fd = -1};
}

void vu_transfer_end(struct avps_vu *vu)
{
    struct vu_transfer *t = &vu->transfer;

    avps_posix_source_remove(&t->source);
    vu_close_fd(&t->fd);
    free(t->bytes);
    vu_transfer_init(t);
}

bool vu_transfer_begin(struct avps_vu *vu, bool save, int fd)
{
    struct vu_transfer *t = &vu->transfer;

    vu_transfer_end(vu);
    t->fd = fd;
    t->saving = save;
    t->phase = VU_TRANSFER_RUNNING;
    if ((save && !transfer_collect(vu)) ||
        avps_posix_source_add(&t->source, vu->config.loop, fd,
                              save ? AVPS_POSIX_WRITE : AVPS_POSIX_READ,
                              save ? transfer_send : transfer_receive, vu) != AVPS_OK) {
        vu_transfer_end(vu);
        return false;
    }
    return true;
}
