/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of a served device: reports -> channel to the front end -> a connection's messages -> its
 * end -> deferred work -> poll mode -> sockets -> new, stop, free. */
#include "vu_internal.h"

#include "avps/net.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGES_PER_ROUND 32U

void vu_close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

/* ---- reports ---- */

void vu_say(struct avps_vu *vu, enum avps_vu_level level, const char *line)
{
    char text[VU_NAME_MAX + VU_REASON_MAX + 40U]; /* name, colon, the longest line */

    if (vu->config.report != NULL) {
        (void)snprintf(text, sizeof text, "%s: %s", vu->name, line);
        vu->config.report(vu->config.ctx, level, text);
    }
}

void vu_reason(struct avps_vu *vu, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is just above */
    (void)vsnprintf(vu->reason, sizeof vu->reason, format, args);
    va_end(args);
}

void vu_break(struct avps_vu *vu)
{
    vu->broken = true;
    vu_wake(vu);
}

void vu_wake(struct avps_vu *vu)
{
    avps_posix_task_defer(&vu->task);
}

bool vu_has_protocol(const struct avps_vu *vu, enum vu_protocol_feature bit)
{
    return (vu->protocol_features >> (uint32_t)bit & 1U) != 0U;
}

/* ---- the back end's own channel ---- */

/* Nothing waits for an answer, so none is asked for, except with in-band notifications, whose
 * users count on it; it is read and dropped. */
bool vu_tell(struct avps_vu *vu, uint32_t request, const void *payload, uint32_t size)
{
    const bool inband = request == VU_BACKEND_VRING_CALL || request == VU_BACKEND_VRING_ERR;
    const struct vu_header header = {.request = request,
                                     .flags = VU_FLAG_VERSION | (inband ? VU_FLAG_NEED_REPLY : 0U),
                                     .size = size};

    return vu->backend_fd >= 0 && vu_send(vu->backend_fd, &header, payload, -1);
}

/* ---- the end of a connection ---- */

static void connection_forget(struct avps_vu *vu)
{
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        vu_ring_clear(&vu->rings[i]);
    }
    vu->features = 0;
    vu->protocol_features = 0;
    vu->status = 0;
    vu->broken = false;
    vu->letting_go = false;
    vu_memory_clear(&vu->memory);
    vu_apply_memory(vu);
    vu_mapping_unmap(&vu->log.mapping);
    vu_close_fd(&vu->log.event_fd);
    vu->log = (struct vu_log){.event_fd = -1};
    vu_mapping_unmap(&vu->inflight.mapping);
    vu->inflight = (struct vu_inflight){0};
    vu->phase = VU_PHASE_IDLE;
    vu_polling_update(vu);
    if (vu->listen_fd >= 0 && !vu->stopping) {
        (void)!avps_posix_source_modify(&vu->listen_source, AVPS_POSIX_READ);
    }
    if (vu->config.disconnected != NULL) {
        vu->config.disconnected(vu->config.ctx);
    }
}

static void connection_finish(struct avps_vu *vu)
{
    if (vu_reset_device(vu) == VU_DONE) {
        connection_forget(vu);
    }
}

/* Descriptors of the connection go at once; memory stays until no request can touch it. What is in
 * flight stays so in the in-flight region: whoever connects next serves it again. */
static void connection_close(struct avps_vu *vu)
{
    vu->phase = VU_PHASE_CLOSING;
    vu->deferred = false;
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        vu->rings[i].inflight.frozen = true;
        avps_posix_source_remove(&vu->rings[i].kick_source);
        vu_close_fd(&vu->rings[i].kick_fd);
        vu_close_fd(&vu->rings[i].call_fd);
        vu_close_fd(&vu->rings[i].err_fd);
    }
    vu_transfer_end(vu);
    avps_posix_source_remove(&vu->source);
    vu_inbox_clear(&vu->inbox);
    vu_close_fd(&vu->fd);
    avps_posix_source_remove(&vu->backend_source);
    vu_close_fd(&vu->backend_fd);
    connection_finish(vu);
}

static void connection_refuse(struct avps_vu *vu)
{
    char line[VU_REASON_MAX + 32U];

    vu->counters.refused++;
    (void)snprintf(line, sizeof line, "%s; connection closed", vu->reason);
    vu_say(vu, AVPS_VU_ERROR, line);
    connection_close(vu);
}

/* ---- messages of a connection ---- */

static void connection_receive(struct avps_vu *vu)
{
    for (uint32_t i = 0; i < MESSAGES_PER_ROUND && !vu->deferred && !vu->broken; i++) {
        const char *why = NULL;

        switch (vu_inbox_receive(&vu->inbox, vu->fd, &why)) {
        case VU_RECEIVED:
            vu_dispatch(vu);
            break;
        case VU_GONE:
            vu_say(vu, AVPS_VU_INFO, "front end disconnected");
            connection_close(vu);
            return;
        case VU_MALFORMED:
            vu_reason(vu, "the front end sent %s", why);
            vu_break(vu);
            return;
        case VU_INCOMPLETE:
        default:
            return;
        }
    }
}

/* While a message waits, the socket is not looked at. */
static void connection_ready(void *ctx, uint32_t conditions)
{
    struct avps_vu *vu = ctx;

    (void)conditions;
    vu_hold(vu);
    connection_receive(vu);
    if (vu->phase == VU_PHASE_CONNECTED && (vu->deferred || vu->broken)) {
        (void)!avps_posix_source_modify(&vu->source, 0);
    }
    vu_release(vu);
}

static enum avps_status connection_begin(struct avps_vu *vu, int fd)
{
    vu_inbox_init(&vu->inbox);
    if (avps_posix_source_add(&vu->source, vu->config.loop, fd, AVPS_POSIX_READ, connection_ready,
                              vu) != AVPS_OK) {
        (void)close(fd);
        return AVPS_E_IO;
    }
    vu->fd = fd;
    vu->phase = VU_PHASE_CONNECTED;
    vu->counters.connections++;
    vu_say(vu, AVPS_VU_INFO, "front end connected");
    return AVPS_OK;
}

/* ---- deferred work ---- */

static bool connection_lost_memory(struct avps_vu *vu)
{
    vu->losses = vu_mapping_losses();
    return vu_memory_is_lost(&vu->memory) || vu_mapping_is_lost(&vu->log.mapping) ||
           vu_mapping_is_lost(&vu->inflight.mapping);
}

static void work_connected(struct avps_vu *vu)
{
    if (!vu->broken && connection_lost_memory(vu)) {
        vu_reason(vu, "the front end cut a file short that is mapped");
        vu->broken = true;
    } else if (!vu->broken && vu->log.short_of) {
        vu_reason(vu, "the dirty log does not cover guest memory");
        vu->broken = true;
    }
    if (vu->broken) {
        connection_refuse(vu);
        return;
    }
    if (vu->stopping) {
        if (vu_rings_pause(vu) == VU_DONE) {
            connection_close(vu);
        }
        return;
    }
    if (vu->deferred) {
        vu_dispatch(vu);
        if (!vu->deferred && !vu->broken) {
            (void)!avps_posix_source_modify(&vu->source, AVPS_POSIX_READ);
        }
    }
    if (vu_linger_is_due(vu)) {
        vu_linger(vu);
    }
}

void vu_work(struct avps_vu *vu)
{
    vu_hold(vu);
    if (vu->phase == VU_PHASE_CONNECTED) {
        work_connected(vu);
    } else if (vu->phase == VU_PHASE_CLOSING) {
        connection_finish(vu);
    }
    vu_release(vu);
}

static void work_is_due(void *ctx)
{
    vu_work(ctx);
}

/* ---- sockets ---- */

static void vu_accept(void *ctx, uint32_t conditions)
{
    struct avps_vu *vu = ctx;
    const int fd = accept4(vu->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)conditions;
    if (fd < 0) {
        return; /* gone again, or no descriptor left: the loop comes back */
    }
    vu_hold(vu);
    if (connection_begin(vu, fd) == AVPS_OK) {
        (void)!avps_posix_source_modify(&vu->listen_source, 0); /* one at a time */
        vu_polling_update(vu);
    }
    vu_release(vu);
}

static enum avps_status vu_listen_on(struct avps_vu *vu, int fd)
{
    if (avps_posix_source_add(&vu->listen_source, vu->config.loop, fd, AVPS_POSIX_READ, vu_accept,
                              vu) != AVPS_OK) {
        (void)close(fd);
        return AVPS_E_IO;
    }
    vu->listen_fd = fd;
    return AVPS_OK;
}

static enum avps_status socket_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path == NULL || path[0] == '\0' || strlen(path) >= sizeof address->sun_path) {
        return AVPS_E_PARAM;
    }
    (void)memcpy(address->sun_path, path, strlen(path) + 1U);
    return AVPS_OK;
}

/* @return a stream socket, or -1 with errno. */
static int socket_connected(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        const int saved = errno;

        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* A socket that a predecessor left behind refuses connections. @return false with errno. */
static bool socket_clear_path(const struct sockaddr_un *address)
{
    struct stat st;

    if (lstat(address->sun_path, &st) != 0) {
        return errno == ENOENT;
    }
    const int fd = S_ISSOCK(st.st_mode) ? socket_connected(address) : -1;

    if (fd >= 0 || !S_ISSOCK(st.st_mode) || errno != ECONNREFUSED) {
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = EADDRINUSE;
        return false;
    }
    return unlink(address->sun_path) == 0;
}

enum avps_status avps_vu_listen(struct avps_vu *vu, const char *path)
{
    struct sockaddr_un address;
    enum avps_status status = socket_address(path, &address);

    if (status != AVPS_OK) {
        return status;
    }
    if (vu->listen_fd >= 0 || vu->phase != VU_PHASE_IDLE) {
        return AVPS_E_STATE;
    }
    if (!socket_clear_path(&address)) {
        return AVPS_E_IO;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return AVPS_E_IO;
    }
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0) {
        (void)close(fd);
        return AVPS_E_IO;
    }
    status = vu_listen_on(vu, fd);
    if (status == AVPS_OK) {
        (void)memcpy(vu->path, address.sun_path, sizeof vu->path);
    } else {
        (void)unlink(address.sun_path);
    }
    return status;
}

enum avps_status avps_vu_adopt(struct avps_vu *vu, int fd)
{
    int type = 0;
    int listens = 0;
    socklen_t len = sizeof type;
    const bool is_stream =
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
    enum avps_status status = AVPS_OK;

    len = sizeof listens;
    if (!is_stream || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0) {
        status = AVPS_E_PARAM;
    } else if (vu->phase != VU_PHASE_IDLE || vu->listen_fd >= 0) {
        status = AVPS_E_STATE;
    }
    if (status != AVPS_OK) {
        (void)close(fd);
        return status;
    }
    if (listens != 0) {
        return vu_listen_on(vu, fd);
    }
    vu_hold(vu);
    status = connection_begin(vu, fd);
    vu_polling_update(vu);
    vu_release(vu);
    return status;
}

enum avps_status avps_vu_connect(struct avps_vu *vu, const char *path)
{
    struct sockaddr_un address;
    const enum avps_status status = socket_address(path, &address);

    if (status != AVPS_OK) {
        return status;
    }
    const int fd = socket_connected(&address);

    return fd >= 0 ? avps_vu_adopt(vu, fd) : AVPS_E_IO;
}

/* ---- new, stop, free ---- */

static bool vu_config_is_valid(const struct avps_vu_config *config)
{
    return config != NULL && config->device != NULL && config->loop != NULL &&
           config->runner != NULL &&
           (config->workers == NULL || (config->worker_count != 0U && config->poll_queue != NULL));
}

#define DEVICE_ID_NET 1U

/* QEMU and DPDK serve the control queue of a network themselves, User-mode Linux does not. */
static struct avps_features vu_served_elsewhere(const struct avps_vu *vu)
{
    struct avps_features set = {{0}};

    if (avps_device_id(vu->config.device) == DEVICE_ID_NET) {
        avps_features_add(&set, AVPS_NET_F_CTRL_VQ);
    }
    return set;
}

static enum avps_status vu_attach(struct avps_vu *vu)
{
    const struct avps_remote_config config = {.device = vu->config.device,
                                              .ops = &vu_remote_ops,
                                              .ctx = vu,
                                              .elsewhere = vu_served_elsewhere(vu)};
    const enum avps_status status = avps_remote_init(&vu->remote, &config);

    if (status != AVPS_OK) {
        return status;
    }
    vu->ring_count = avps_remote_queue_count(&vu->remote);
    vu->rings = calloc(vu->ring_count, sizeof *vu->rings);
    if (vu->rings == NULL) {
        return AVPS_E_NOSPACE;
    }
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        vu_ring_init(&vu->rings[i], vu, i);
    }
    return vu_threads_init(vu);
}

enum avps_status avps_vu_new(const struct avps_vu_config *config, struct avps_vu **out)
{
    if (!vu_config_is_valid(config) || out == NULL) {
        return AVPS_E_PARAM;
    }
    struct avps_vu *vu = calloc(1, sizeof *vu);

    if (vu == NULL) {
        return AVPS_E_NOSPACE;
    }
    vu->config = *config;
    vu->listen_fd = -1;
    vu->fd = -1;
    vu->backend_fd = -1;
    vu->log.event_fd = -1;
    vu_transfer_init(&vu->transfer);
    (void)snprintf(vu->name, sizeof vu->name, "%s",
                   config->name != NULL ? config->name : "vhost-user");
    avps_posix_task_init(&vu->task, config->loop, work_is_due, vu);
    const enum avps_status status = vu_attach(vu);
    if (status != AVPS_OK) {
        free(vu->rings);
        free(vu);
        return status;
    }
    vu_apply_memory(vu);
    (void)signal(SIGPIPE, SIG_IGN);
    vu_mapping_guard();
    *out = vu;
    return AVPS_OK;
}

static void vu_stop_listening(struct avps_vu *vu)
{
    avps_posix_source_remove(&vu->listen_source);
    vu_close_fd(&vu->listen_fd);
    if (vu->path[0] != '\0') {
        (void)unlink(vu->path);
        vu->path[0] = '\0';
    }
}

void avps_vu_stop(struct avps_vu *vu)
{
    vu_hold(vu);
    vu->stopping = true;
    vu_release(vu); /* from now on the loop serves the queues */
    vu_stop_listening(vu);
    if (vu->phase == VU_PHASE_IDLE) {
        if (vu->config.disconnected != NULL) {
            vu->config.disconnected(vu->config.ctx);
        }
        return;
    }
    vu_wake(vu);
}

bool avps_vu_is_connected(const struct avps_vu *vu)
{
    return vu->phase == VU_PHASE_CONNECTED;
}

const struct avps_vu_counters *avps_vu_counters(struct avps_vu *vu)
{
    vu_hold(vu);
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        struct vu_ring *ring = &vu->rings[i];

        vu->counters.kicks += ring->kicks;
        vu->counters.calls += ring->calls;
        ring->kicks = 0;
        ring->calls = 0;
    }
    vu_release(vu);
    return &vu->counters;
}

void avps_vu_free(struct avps_vu *vu)
{
    if (vu == NULL) {
        return;
    }
    vu_hold(vu); /* for good */
    vu->config.disconnected = NULL;
    vu->stopping = true;
    vu_stop_listening(vu);
    if (vu->phase == VU_PHASE_CONNECTED) {
        connection_close(vu);
    }
    if (vu->phase == VU_PHASE_CLOSING) {
        connection_finish(vu);
    }
    avps_posix_task_cancel(&vu->task);
    avps_posix_poller_stop(&vu->poller);
    vu_threads_free(vu);
    free(vu->rings);
    free(vu);
}
