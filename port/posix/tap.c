/* SPDX-License-Identifier: BSD-3-Clause */
/* Tap interface: the kernel's header -> guest to host -> host to guest -> start and stop of the
 * driver -> opening -> closing -> what is asked of it. */
#include "avps_posix/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "net_common.h"
#include "posix_error.h"
#include "posix_internal.h"

#define TAP_HEADER 12U /* virtio_net_hdr with num_buffers, little-endian */
#define TAP_BUFFER (TAP_HEADER + NET_FRAME_MAX)
#define TAP_BURST  32U
#define TAP_SEGS   (AVPS_NET_SEGS + 2U)

/* Large UDP frames came with Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* One queue of the interface. Frames that the guest had no room for stay in its buffers. */
struct tap_queue {
    struct avps_posix_tap *tap;
    struct avps_posix_source source;
    int fd;
    bool want_room;
    uint32_t first; /* frame that is next for the guest */
    uint32_t count; /* frames there */
    uint32_t len[TAP_BURST];
    uint8_t *buffers;
};

struct avps_posix_tap {
    struct avps_posix_tap_config config;
    struct avps_net *net;
    struct avps_posix_task resume; /* the guest has buffers again */
    uint16_t queue_count;
    bool live;
    bool has_uso;
    char name[IFNAMSIZ];
    struct avps_posix_tap_counters counters;
    struct tap_queue queues[AVPS_POSIX_TAP_QUEUES];
};

/* ---- the kernel's header ---- */

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value & 0xffU);
    at[1] = (uint8_t)(value >> 8U);
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (unsigned int)at[1] << 8U);
}

static void header_write(uint8_t *at, const struct avps_net_offload *offload)
{
    at[0] = offload->flags & AVPS_NET_NEEDS_CSUM;
    at[1] = offload->gso_type;
    put16(at + 2, offload->hdr_len);
    put16(at + 4, offload->gso_size);
    put16(at + 6, offload->csum_start);
    put16(at + 8, offload->csum_offset);
    put16(at + 10, 0);
}

static void header_read(const uint8_t *at, struct avps_net_offload *offload)
{
    *offload =
        (struct avps_net_offload){.flags = at[0] & (AVPS_NET_NEEDS_CSUM | AVPS_NET_DATA_VALID),
                                  .gso_type = at[1],
                                  .hdr_len = get16(at + 2),
                                  .gso_size = get16(at + 4),
                                  .csum_start = get16(at + 6),
                                  .csum_offset = get16(at + 8)};
}

/* ---- guest to host ---- */

static ssize_t tap_writev(int fd, const struct avps_net_packet *packet)
{
    uint8_t header[TAP_HEADER];
    struct iovec iov[TAP_SEGS];
    int count = 1;

    header_write(header, &packet->offload);
    iov[0] = (struct iovec){header, TAP_HEADER};
    for (uint32_t i = 0; i < packet->seg_count; i++) {
        const uint32_t skip = i == 0U ? packet->skip : 0U;

        iov[count++] = (struct iovec){packet->segs[i].ptr + skip, packet->segs[i].len - skip};
    }
    return writev(fd, iov, count);
}

/* Guest memory that can only be copied. */
static ssize_t tap_write_copy(int fd, const struct avps_net_packet *packet)
{
    uint8_t *frame = malloc((size_t)TAP_HEADER + packet->len);
    ssize_t put = -1;

    errno = ENOMEM;
    if (frame != NULL) {
        header_write(frame, &packet->offload);
        errno = EIO;
        if (avps_net_packet_copy(packet, 0, frame + TAP_HEADER, packet->len) == AVPS_OK) {
            put = write(fd, frame, (size_t)TAP_HEADER + packet->len);
        }
    }
    const int saved = errno;
    free(frame);
    errno = saved;
    return put;
}

static ssize_t tap_send(int fd, const struct avps_net_packet *packet)
{
    if (packet->segs[0].ptr == NULL || packet->seg_count >= TAP_SEGS) {
        return tap_write_copy(fd, packet);
    }
    return tap_writev(fd, packet);
}

static void queue_watch(struct tap_queue *queue)
{
    const bool read = queue->tap->live && queue->count == 0U;

    (void)!avps_posix_source_modify(&queue->source,
                                    (read ? (uint32_t)AVPS_POSIX_READ : 0U) |
                                        (queue->want_room ? (uint32_t)AVPS_POSIX_WRITE : 0U));
}

/* A frame that the kernel refuses is dropped, as a network may; one that it has no room for waits. */
static enum avps_status tap_transmit(void *ctx, uint16_t pair,
                                     const struct avps_net_packet *packets, uint32_t count,
                                     uint32_t *taken)
{
    struct avps_posix_tap *tap = ctx;
    struct tap_queue *queue = &tap->queues[pair % tap->queue_count];

    for (uint32_t i = 0; i < count; i++) {
        if (tap_send(queue->fd, &packets[i]) >= 0) {
            tap->counters.sent++;
        } else if (errno == EAGAIN) {
            *taken = i;
            queue->want_room = true;
            queue_watch(queue);
            return AVPS_OK;
        } else {
            tap->counters.refused++;
        }
    }
    return AVPS_OK;
}

/* ---- host to guest ---- */

static bool queue_fill(struct tap_queue *queue)
{
    queue->first = 0;
    queue->count = 0;
    while (queue->count < TAP_BURST) {
        uint8_t *at = queue->buffers + (size_t)queue->count * TAP_BUFFER;
        const ssize_t got = read(queue->fd, at, TAP_BUFFER);

        if (got <= 0) {
            break;
        }
        if (got >= (ssize_t)(TAP_HEADER + NET_ETHERNET)) {
            queue->len[queue->count++] = (uint32_t)got - TAP_HEADER;
        }
    }
    queue->tap->counters.received += queue->count;
    return queue->count != 0U;
}

static void queue_give(struct tap_queue *queue)
{
    struct avps_net_frame frames[TAP_BURST] = {{0}};
    uint32_t taken = 0;

    for (uint32_t i = 0; i < queue->count; i++) {
        const uint8_t *at = queue->buffers + (size_t)(queue->first + i) * TAP_BUFFER;

        frames[i].data = at + TAP_HEADER;
        frames[i].data_len = queue->len[queue->first + i];
        header_read(at, &frames[i].offload);
    }
    if (avps_net_receive(queue->tap->net, frames, queue->count, &taken) != AVPS_OK) {
        taken = queue->count;
    }
    queue->first += taken;
    queue->count -= taken;
    queue->tap->counters.held += queue->count != 0U ? 1U : 0U;
}

static void queue_ready(void *ctx, uint32_t conditions)
{
    struct tap_queue *queue = ctx;
    struct avps_posix_tap *tap = queue->tap;

    if ((conditions & AVPS_POSIX_WRITE) != 0U) {
        queue->want_room = false;
        avps_net_tx_ready(tap->net);
    }
    if ((conditions & AVPS_POSIX_READ) != 0U && queue->count == 0U && queue_fill(queue)) {
        queue_give(queue);
    }
    queue_watch(queue);
}

static void tap_resume(void *ctx)
{
    struct avps_posix_tap *tap = ctx;

    for (uint16_t i = 0; i < tap->queue_count; i++) {
        struct tap_queue *queue = &tap->queues[i];

        if (queue->count != 0U) {
            queue_give(queue);
            queue_watch(queue);
        }
    }
}

static void tap_rx_ready(void *ctx, uint16_t pair)
{
    struct avps_posix_tap *tap = ctx;

    (void)pair;
    avps_posix_task_defer(&tap->resume);
}

/* ---- start and stop of the driver ---- */

/* What the guest accepted is what the kernel may leave undone. */
static unsigned int tap_wanted(const struct avps_posix_tap *tap)
{
    static const struct {
        unsigned int feature;
        unsigned int flag;
    } rows[] = {{AVPS_NET_F_GUEST_TSO4, TUN_F_TSO4},
                {AVPS_NET_F_GUEST_TSO6, TUN_F_TSO6},
                {AVPS_NET_F_GUEST_ECN, TUN_F_TSO_ECN}};
    const struct avps_features *accepted = avps_device_features(&tap->net->base);
    unsigned int flags = TUN_F_CSUM;

    if (tap->config.no_offloads || !avps_features_has(accepted, AVPS_NET_F_GUEST_CSUM)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        flags |= avps_features_has(accepted, rows[i].feature) ? rows[i].flag : 0U;
    }
    if (tap->has_uso && avps_features_has(accepted, AVPS_NET_F_GUEST_USO4) &&
        avps_features_has(accepted, AVPS_NET_F_GUEST_USO6)) {
        flags |= TUN_F_USO4 | TUN_F_USO6;
    }
    return flags;
}

/* Frames of an earlier driver's time are not for the new one. */
static void queue_restart(struct tap_queue *queue)
{
    queue->count = 0;
    queue->want_room = false;
    queue_watch(queue);
}

static void tap_live(void *ctx, bool live)
{
    struct avps_posix_tap *tap = ctx;

    tap->live = live;
    if (live) {
        (void)ioctl(tap->queues[0].fd, TUNSETOFFLOAD, (unsigned long)tap_wanted(tap));
    }
    for (uint16_t i = 0; i < tap->queue_count; i++) {
        queue_restart(&tap->queues[i]);
    }
}

static const struct avps_net_ops tap_ops = {
    .transmit = tap_transmit, .rx_ready = tap_rx_ready, .live = tap_live};

/* ---- opening ---- */

static enum avps_status open_refused(const struct avps_posix_tap *tap,
                                     struct avps_posix_error *error)
{
    const char *name = tap->name[0] != '\0' ? tap->name : "a new one";

    switch (errno) {
    case EPERM:
        return posix_fail(error, AVPS_E_IO,
                          "no right to use tap interface %s: make it for this user with ip tuntap "
                          "add %s mode tap user $USER%s",
                          name, name, tap->queue_count > 1U ? " multi_queue" : "");
    case EBUSY:
        return posix_fail(error, AVPS_E_STATE, "tap interface %s is in use by another program",
                          name);
    case EINVAL:
        return posix_fail(error, AVPS_E_PARAM,
                          "%s is no tap interface, or not one %s multi_queue: make it anew", name,
                          tap->queue_count > 1U ? "with" : "without");
    default:
        return posix_fail_errno(error, AVPS_E_IO, "cannot use tap interface", name);
    }
}

static enum avps_status queue_attach(struct avps_posix_tap *tap, struct tap_queue *queue)
{
    struct ifreq request = {{{0}}, {{0}}};
    const int size = (int)TAP_HEADER;
    const int little_endian = 1;

    (void)memcpy(request.ifr_name, tap->name, sizeof tap->name);
    request.ifr_flags =
        (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (tap->queue_count > 1U ? IFF_MULTI_QUEUE : 0));
    if (ioctl(queue->fd, TUNSETIFF, &request) != 0 ||
        ioctl(queue->fd, TUNSETVNETHDRSZ, &size) != 0 ||
        ioctl(queue->fd, TUNSETVNETLE, &little_endian) != 0) {
        return AVPS_E_IO;
    }
    (void)memcpy(tap->name, request.ifr_name, sizeof tap->name);
    return AVPS_OK;
}

static enum avps_status open_queue(struct avps_posix_tap *tap, struct tap_queue *queue,
                                   struct avps_posix_error *error)
{
    queue->tap = tap;
    queue->buffers = malloc((size_t)TAP_BURST * TAP_BUFFER);
    if (queue->buffers == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory for a tap interface");
    }
    queue->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (queue->fd < 0) {
        return posix_fail_errno(error, AVPS_E_IO,
                                "tap interfaces need the kernel module tun: cannot open",
                                "/dev/net/tun");
    }
    if (queue_attach(tap, queue) != AVPS_OK) {
        return open_refused(tap, error);
    }
    if (avps_posix_source_add(&queue->source, tap->config.loop, queue->fd, 0, queue_ready, queue) !=
        AVPS_OK) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot watch tap interface", tap->name);
    }
    return AVPS_OK;
}

/* Up, if this program may; else whoever made it does that. */
static void open_up(const struct avps_posix_tap *tap)
{
    struct ifreq request = {{{0}}, {{0}}};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)memcpy(request.ifr_name, tap->name, sizeof tap->name);
    if (fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) == 0) {
        request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
        (void)ioctl(fd, SIOCSIFFLAGS, &request);
    }
    posix_close(&fd);
}

static enum avps_status open_queues(struct avps_posix_tap *tap, struct avps_posix_error *error)
{
    enum avps_status status = AVPS_OK;

    for (uint16_t i = 0; i < tap->queue_count && status == AVPS_OK; i++) {
        status = open_queue(tap, &tap->queues[i], error);
    }
    if (status == AVPS_OK) {
        const unsigned long uso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6;

        tap->has_uso = ioctl(tap->queues[0].fd, TUNSETOFFLOAD, uso) == 0;
        (void)ioctl(tap->queues[0].fd, TUNSETOFFLOAD, 0UL);
        open_up(tap);
    }
    return status;
}

static struct avps_posix_tap *tap_new(const struct avps_posix_tap_config *config)
{
    struct avps_posix_tap *tap = calloc(1, sizeof *tap);

    if (tap == NULL) {
        return NULL;
    }
    tap->config = *config;
    tap->queue_count = config->queues != 0U ? config->queues : 1U;
    if (config->name != NULL) {
        (void)strncpy(tap->name, config->name, sizeof tap->name - 1U);
    }
    for (uint16_t i = 0; i < AVPS_POSIX_TAP_QUEUES; i++) {
        tap->queues[i].fd = -1;
    }
    avps_posix_task_init(&tap->resume, config->loop, tap_resume, tap);
    return tap;
}

enum avps_status avps_posix_tap_open(struct avps_posix_tap **tap,
                                     const struct avps_posix_tap_config *config,
                                     struct avps_posix_error *error)
{
    if (config->loop == NULL || config->queues > AVPS_POSIX_TAP_QUEUES ||
        (config->name != NULL && (config->name[0] == '\0' || strlen(config->name) >= IFNAMSIZ))) {
        return posix_fail(error, AVPS_E_PARAM,
                          "a tap interface has a name of 1..15 characters and up to %u queues",
                          AVPS_POSIX_TAP_QUEUES);
    }
    struct avps_posix_tap *opened = tap_new(config);
    if (opened == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory for a tap interface");
    }
    const enum avps_status status = open_queues(opened, error);
    if (status != AVPS_OK) {
        avps_posix_tap_close(opened);
        return status;
    }
    *tap = opened;
    return AVPS_OK;
}

/* ---- closing ---- */

void avps_posix_tap_close(struct avps_posix_tap *tap)
{
    if (tap == NULL) {
        return;
    }
    avps_posix_task_cancel(&tap->resume);
    for (uint16_t i = 0; i < tap->queue_count; i++) {
        avps_posix_source_remove(&tap->queues[i].source);
        posix_close(&tap->queues[i].fd);
        free(tap->queues[i].buffers);
    }
    free(tap);
}

/* ---- what is asked of it ---- */

void avps_posix_tap_describe(struct avps_posix_tap *tap, struct avps_net_config *config)
{
    config->ops = &tap_ops;
    config->ctx = tap;
    config->offloads = 0;
    if (!tap->config.no_offloads) {
        config->offloads = AVPS_NET_TX_CSUM | AVPS_NET_TX_TSO4 | AVPS_NET_TX_TSO6 |
                           AVPS_NET_TX_ECN | AVPS_NET_RX_CSUM | AVPS_NET_RX_TSO4 |
                           AVPS_NET_RX_TSO6 | AVPS_NET_RX_ECN;
        config->offloads |=
            tap->has_uso ? AVPS_NET_TX_USO | AVPS_NET_RX_USO4 | AVPS_NET_RX_USO6 : 0U;
    }
    avps_features_add(&config->base.withhold, AVPS_NET_F_CTRL_GUEST_OFFLOADS);
}

void avps_posix_tap_attach(struct avps_posix_tap *tap, struct avps_net *net)
{
    tap->net = net;
}

const char *avps_posix_tap_name(const struct avps_posix_tap *tap)
{
    return tap->name;
}

const struct avps_posix_tap_counters *avps_posix_tap_counters(const struct avps_posix_tap *tap)
{
    return &tap->counters;
}
