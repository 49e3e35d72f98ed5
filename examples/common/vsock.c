/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets: options -> open, ready, close. */
#include "avps_posix/vsock.h"
#include "host.h"

#define VSOCK_CONNECTIONS 256U

struct vsock {
    const char *path;
    uint32_t cid;
    uint32_t connections;
    struct avps_posix_vsock *sockets;
    struct avps_queue queues[3];
    struct avps_vsock device;
};

static const struct option vsock_rows[] = {
    {.name = "path",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vsock, path),
     .must = true,
     .help = "Unix socket for programs that connect to the guest; PATH_PORT: those it connects to"},
    {.name = "cid",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct vsock, cid),
     .min = 3,
     .max = 0xfffffffe,
     .must = true,
     .help = "the guest's context id, 3 or above"},
    {.name = "connections",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct vsock, connections),
     .min = 1,
     .max = AVPS_POSIX_VSOCK_CONNS,
     .help = "connections at most, 48 KiB of memory each (256)"},
};

static enum avps_status vsock_open(struct host_device *device, struct avps_posix_error *error)
{
    struct vsock *vsock = device->own;
    const struct avps_posix_vsock_config open = {
        .path = vsock->path,
        .loop = device->loop,
        .connections = vsock->connections != 0U ? vsock->connections : VSOCK_CONNECTIONS};
    struct avps_vsock_config config = {.base = host_device_base(device, vsock->queues, 3),
                                       .guest_cid = vsock->cid};
    const enum avps_status status = avps_posix_vsock_open(&vsock->sockets, &open, error);

    if (status != AVPS_OK) {
        return status;
    }
    avps_posix_vsock_describe(vsock->sockets, &config);
    device->base = &vsock->device.base;
    return avps_vsock_init(&vsock->device, &config) == AVPS_OK
               ? AVPS_OK
               : host_fail(error, AVPS_E_PARAM, "the socket device cannot be set up");
}

static void vsock_ready(struct host_device *device)
{
    struct vsock *vsock = device->own;

    avps_posix_vsock_attach(vsock->sockets, &vsock->device);
}

static bool vsock_close(struct host_device *device)
{
    struct vsock *vsock = device->own;

    avps_posix_vsock_close(vsock->sockets);
    return true;
}

const struct host_kind vsock_kind = {
    .name = "vsock",
    .summary = "sockets between guest and host, as Unix sockets",
    .id = 19,
    .rows = vsock_rows,
    .row_count = sizeof vsock_rows / sizeof vsock_rows[0],
    .size = sizeof(struct vsock),
    .turn_least = 16,
    .turn_most = 64,
    .open = vsock_open,
    .ready = vsock_ready,
    .close = vsock_close,
};
