/* SPDX-License-Identifier: BSD-3-Clause */
/* User network: libslirp's descriptors -> its rounds -> its timers -> frames both ways -> callbacks
 * and configuration -> open, close, forward -> what is asked of it.
 *
 * libslirp wants to be asked before each wait which descriptors it waits for. Here they stay with the
 * loop, and libslirp is asked again after anything happened to it. */
#include "avps_posix/slirp.h"

#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>

#include "net_common.h"
#include "posix_error.h"
#include "posix_internal.h"

#define SLIRP_NS_PER_MS UINT64_C(1000000)
#define SLIRP_MTU       1500U
#define SLIRP_MTU_MIN   68U
#define SLIRP_MTU_MAX   65521U
#define SLIRP_POLLED    1024U                /* descriptors in one round */
#define SLIRP_STALE     UINT64_C(1000000000) /* ns */

/* A descriptor of libslirp's. */
struct slirp_fd {
    struct avps_posix_slirp *owner;
    struct slirp_fd *next;
    struct avps_posix_source source;
    int fd;
    int events; /* SLIRP_POLL_*: seen since the last round */
    bool wanted;
};

struct slirp_timer {
    struct avps_posix_timer timer;
    SlirpTimerCb expired;
    void *opaque;
    struct avps_posix_slirp *owner;
};

struct avps_posix_slirp {
    struct avps_posix_slirp_config config;
    struct avps_net *net;
    Slirp *slirp;
    struct slirp_fd *fds;
    struct slirp_fd *polled[SLIRP_POLLED]; /* by the number that libslirp was given */
    uint32_t polled_count;
    uint64_t round_ns; /* time of the last round */
    struct avps_posix_task round;
    struct avps_posix_timer timeout;
    struct avps_posix_slirp_counters counters;
    uint8_t frame[NET_FRAME_MAX]; /* from the guest: a copy that does not change */
};

/* ---- descriptors ---- */

static void fd_ready(void *ctx, uint32_t conditions)
{
    struct slirp_fd *fd = ctx;

    fd->events |= (conditions & AVPS_POSIX_READ) != 0U ? SLIRP_POLL_IN : 0;
    fd->events |= (conditions & AVPS_POSIX_WRITE) != 0U ? SLIRP_POLL_OUT : 0;
    fd->events |= (conditions & AVPS_POSIX_HANGUP) != 0U ? SLIRP_POLL_HUP | SLIRP_POLL_ERR : 0;
    avps_posix_task_defer(&fd->owner->round);
}

static struct slirp_fd *fd_find(const struct avps_posix_slirp *slirp, int number)
{
    struct slirp_fd *fd = slirp->fds;

    while (fd != NULL && fd->fd != number) {
        fd = fd->next;
    }
    return fd;
}

static struct slirp_fd *fd_get(struct avps_posix_slirp *slirp, int number)
{
    struct slirp_fd *fd = fd_find(slirp, number);

    if (fd == NULL) {
        fd = calloc(1, sizeof *fd);
        if (fd != NULL) {
            fd->owner = slirp;
            fd->fd = number;
            fd->next = slirp->fds;
            slirp->fds = fd;
        }
    }
    return fd;
}

static bool fd_watch(struct slirp_fd *fd, uint32_t interest)
{
    if (fd->source.loop != NULL && avps_posix_source_modify(&fd->source, interest) == AVPS_OK) {
        return true;
    }
    avps_posix_source_remove(&fd->source); /* the number means another file now */
    return avps_posix_source_add(&fd->source, fd->owner->config.loop, fd->fd, interest, fd_ready,
                                 fd) == AVPS_OK;
}

static void fd_forget(struct avps_posix_slirp *slirp, struct slirp_fd **at)
{
    struct slirp_fd *fd = *at;

    for (uint32_t i = 0; i < slirp->polled_count; i++) {
        slirp->polled[i] = slirp->polled[i] == fd ? NULL : slirp->polled[i];
    }
    *at = fd->next;
    avps_posix_source_remove(&fd->source);
    free(fd);
}

/* libslirp closes it after this. */
static void op_unregister_fd(int number, void *opaque)
{
    struct avps_posix_slirp *slirp = opaque;

    for (struct slirp_fd **at = &slirp->fds; *at != NULL; at = &(*at)->next) {
        if ((*at)->fd == number) {
            fd_forget(slirp, at);
            return;
        }
    }
}

static void op_register_fd(int number, void *opaque)
{
    (void)number;
    (void)opaque; /* it is named before each wait */
}

/* ---- rounds ---- */

static int round_add(int number, int events, void *opaque)
{
    struct avps_posix_slirp *slirp = opaque;
    struct slirp_fd *fd = slirp->polled_count < SLIRP_POLLED ? fd_get(slirp, number) : NULL;
    const uint32_t interest = ((events & SLIRP_POLL_IN) != 0 ? (uint32_t)AVPS_POSIX_READ : 0U) |
                              ((events & SLIRP_POLL_OUT) != 0 ? (uint32_t)AVPS_POSIX_WRITE : 0U);

    if (fd == NULL || !fd_watch(fd, interest)) {
        return -1;
    }
    fd->wanted = true;
    slirp->polled[slirp->polled_count] = fd;
    return (int)slirp->polled_count++;
}

static int round_events(int index, void *opaque)
{
    const struct avps_posix_slirp *slirp = opaque;
    int events = 0;

    if (index >= 0 && (uint32_t)index < slirp->polled_count && slirp->polled[index] != NULL) {
        events = slirp->polled[index]->events;
        slirp->polled[index]->events = 0;
    }
    return events;
}

static void round_drop_unwanted(struct avps_posix_slirp *slirp)
{
    struct slirp_fd **at = &slirp->fds;

    while (*at != NULL) {
        if ((*at)->wanted) {
            at = &(*at)->next;
        } else {
            fd_forget(slirp, at);
        }
    }
}

/* What does libslirp wait for now? */
static void slirp_ask(struct avps_posix_slirp *slirp)
{
    uint32_t timeout_ms = UINT32_MAX;

    for (struct slirp_fd *fd = slirp->fds; fd != NULL; fd = fd->next) {
        fd->wanted = false;
    }
    slirp->polled_count = 0;
    slirp_pollfds_fill(slirp->slirp, &timeout_ms, round_add, slirp);
    round_drop_unwanted(slirp);
    avps_posix_timer_set(&slirp->timeout, timeout_ms == UINT32_MAX
                                              ? 0U
                                              : avps_posix_now_ns() + timeout_ms * SLIRP_NS_PER_MS);
}

static void slirp_round(void *ctx)
{
    struct avps_posix_slirp *slirp = ctx;

    slirp->round_ns = avps_posix_now_ns();
    slirp_pollfds_poll(slirp->slirp, 0, round_events, slirp);
    slirp_ask(slirp);
}

/* libslirp knows the time of its last round only: what it starts with an old one ends at once. */
static void slirp_freshen(struct avps_posix_slirp *slirp)
{
    if (avps_posix_now_ns() - slirp->round_ns > SLIRP_STALE) {
        slirp_round(slirp);
    }
}

static void op_notify(void *opaque)
{
    struct avps_posix_slirp *slirp = opaque;

    avps_posix_task_defer(&slirp->round);
}

/* ---- timers ---- */

static int64_t op_clock(void *opaque)
{
    (void)opaque;
    return (int64_t)avps_posix_now_ns();
}

static void timer_expired(void *ctx)
{
    const struct slirp_timer *timer = ctx;

    timer->expired(timer->opaque);
    avps_posix_task_defer(&timer->owner->round);
}

static void *op_timer_new(SlirpTimerCb expired, void *cb_opaque, void *opaque)
{
    struct avps_posix_slirp *slirp = opaque;
    struct slirp_timer *timer = calloc(1, sizeof *timer);

    if (timer != NULL) {
        *timer = (struct slirp_timer){.expired = expired, .opaque = cb_opaque, .owner = slirp};
        avps_posix_timer_init(&timer->timer, slirp->config.loop, timer_expired, timer);
    }
    return timer;
}

static void op_timer_free(void *at, void *opaque)
{
    struct slirp_timer *timer = at;

    (void)opaque;
    if (timer != NULL) {
        avps_posix_timer_set(&timer->timer, 0);
        free(timer);
    }
}

static void op_timer_mod(void *at, int64_t expire_ms, void *opaque)
{
    struct slirp_timer *timer = at;

    (void)opaque;
    if (timer != NULL) {
        avps_posix_timer_set(&timer->timer, (uint64_t)expire_ms * SLIRP_NS_PER_MS);
    }
}

/* ---- frames ---- */

static ssize_t op_send(const void *bytes, size_t len, void *opaque)
{
    struct avps_posix_slirp *slirp = opaque;
    const struct avps_net_frame frame = {.data = bytes, .data_len = (uint32_t)len};
    uint32_t taken = 0;

    slirp->counters.received++;
    if (slirp->net == NULL || len > NET_FRAME_MAX ||
        avps_net_receive(slirp->net, &frame, 1, &taken) != AVPS_OK || taken == 0U) {
        slirp->counters.dropped++;
    }
    return (ssize_t)len;
}

static enum avps_status slirp_transmit(void *ctx, uint16_t pair,
                                       const struct avps_net_packet *packets, uint32_t count,
                                       uint32_t *taken)
{
    struct avps_posix_slirp *slirp = ctx;

    (void)pair;
    *taken = count; /* what libslirp cannot use, it drops */
    slirp_freshen(slirp);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t len = packets[i].len;

        if (len <= NET_FRAME_MAX &&
            avps_net_packet_copy(&packets[i], 0, slirp->frame, len) == AVPS_OK) {
            slirp->counters.sent++;
            slirp_input(slirp->slirp, slirp->frame, (int)len);
        }
    }
    avps_posix_task_defer(&slirp->round);
    return AVPS_OK;
}

static const struct avps_net_ops slirp_ops = {.transmit = slirp_transmit};

/* ---- callbacks and configuration ---- */

static void op_guest_error(const char *text, void *opaque)
{
    struct avps_posix_slirp *slirp = opaque;

    (void)text;
    slirp->counters.errors++;
}

static const SlirpCb slirp_callbacks = {
    .send_packet = op_send,
    .guest_error = op_guest_error,
    .clock_get_ns = op_clock,
    .timer_new = op_timer_new,
    .timer_free = op_timer_free,
    .timer_mod = op_timer_mod,
    .register_poll_fd = op_register_fd,
    .unregister_poll_fd = op_unregister_fd,
    .notify = op_notify,
};

static struct in_addr slirp_address(const char *text)
{
    struct in_addr address = {0};

    (void)inet_pton(AF_INET, text, &address);
    return address;
}

static struct in6_addr slirp_address6(const char *text)
{
    struct in6_addr address = {{{0}}};

    (void)inet_pton(AF_INET6, text, &address);
    return address;
}

static SlirpConfig slirp_settings(const struct avps_posix_slirp_config *config)
{
    return (SlirpConfig){
        .version = 1,
        .restricted = config->restricted ? 1 : 0,
        .in_enabled = true,
        .vnetwork = slirp_address("10.0.2.0"),
        .vnetmask = slirp_address("255.255.255.0"),
        .vhost = slirp_address("10.0.2.2"),
        .vdhcp_start = slirp_address("10.0.2.15"),
        .vnameserver = slirp_address("10.0.2.3"),
        .in6_enabled = true,
        .vprefix_addr6 = slirp_address6("fec0::"),
        .vprefix_len = 64,
        .vhost6 = slirp_address6("fec0::2"),
        .vnameserver6 = slirp_address6("fec0::3"),
        .if_mtu = config->mtu != 0U ? config->mtu : SLIRP_MTU,
        .if_mru = config->mtu != 0U ? config->mtu : SLIRP_MTU,
    };
}

/* ---- open, close, forward ---- */

enum avps_status avps_posix_slirp_open(struct avps_posix_slirp **slirp,
                                       const struct avps_posix_slirp_config *config,
                                       struct avps_posix_error *error)
{
    const SlirpConfig settings = slirp_settings(config);

    if (config->loop == NULL ||
        (config->mtu != 0U && (config->mtu < SLIRP_MTU_MIN || config->mtu > SLIRP_MTU_MAX))) {
        return posix_fail(error, AVPS_E_PARAM, "a user network has an MTU of %u..%u", SLIRP_MTU_MIN,
                          SLIRP_MTU_MAX);
    }
    struct avps_posix_slirp *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory for a user network");
    }
    opened->config = *config;
    avps_posix_task_init(&opened->round, config->loop, slirp_round, opened);
    avps_posix_timer_init(&opened->timeout, config->loop, slirp_round, opened);
    opened->slirp = slirp_new(&settings, &slirp_callbacks, opened);
    if (opened->slirp == NULL) {
        free(opened);
        return posix_fail(error, AVPS_E_NOSPACE, "libslirp does not start");
    }
    slirp_round(opened);
    *slirp = opened;
    return AVPS_OK;
}

void avps_posix_slirp_close(struct avps_posix_slirp *slirp)
{
    if (slirp == NULL) {
        return;
    }
    slirp->net = NULL;
    slirp_cleanup(slirp->slirp);
    while (slirp->fds != NULL) {
        fd_forget(slirp, &slirp->fds);
    }
    avps_posix_task_cancel(&slirp->round);
    avps_posix_timer_set(&slirp->timeout, 0);
    free(slirp);
}

enum avps_status avps_posix_slirp_forward(struct avps_posix_slirp *slirp, bool udp,
                                          uint16_t host_port, uint16_t guest_port,
                                          struct avps_posix_error *error)
{
    if (host_port == 0U || guest_port == 0U) {
        return posix_fail(error, AVPS_E_PARAM, "a port is a number from 1 to 65535");
    }
    if (slirp_add_hostfwd(slirp->slirp, udp ? 1 : 0, slirp_address("127.0.0.1"), host_port,
                          slirp_address("10.0.2.15"), guest_port) != 0) {
        return posix_fail(error, AVPS_E_IO, "port %u of the host is in use or not allowed",
                          host_port);
    }
    slirp_ask(slirp);
    return AVPS_OK;
}

/* ---- what is asked of it ---- */

void avps_posix_slirp_describe(struct avps_posix_slirp *slirp, struct avps_net_config *config)
{
    config->ops = &slirp_ops;
    config->ctx = slirp;
    config->offloads = 0;
}

void avps_posix_slirp_attach(struct avps_posix_slirp *slirp, struct avps_net *net)
{
    slirp->net = net;
}

const struct avps_posix_slirp_counters *
avps_posix_slirp_counters(const struct avps_posix_slirp *slirp)
{
    return &slirp->counters;
}
