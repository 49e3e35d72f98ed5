/* SPDX-License-Identifier: BSD-3-Clause */
/* What each message does: features -> memory -> log -> vrings -> configuration, status ->
 * in-flight region -> back end channel, IOTLB -> device state -> the table -> dispatch.
 * A handler is called with a message of the right length and number of descriptors. */
#include "vu_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- replies ---- */

static enum vu_result reply(struct avps_vu *vu, const void *payload, uint32_t size, int fd)
{
    const struct vu_header header = {.request = vu->inbox.message.header.request,
                                     .flags = VU_FLAG_VERSION | VU_FLAG_REPLY,
                                     .size = size};

    if (!vu_send(vu->fd, &header, payload, fd)) {
        vu_reason(vu, "the front end does not read its replies");
        return VU_REFUSED;
    }
    return VU_REPLIED;
}

static enum vu_result reply_u64(struct avps_vu *vu, uint64_t value)
{
    return reply(vu, &value, sizeof value, -1);
}

/* ---- features ---- */

static enum vu_result on_get_features(struct avps_vu *vu, struct vu_message *m)
{
    (void)m;
    return reply_u64(vu, vu_offered_features(vu));
}

static enum vu_result on_set_features(struct avps_vu *vu, struct vu_message *m)
{
    return vu_set_features(vu, m->payload.u64);
}

static enum vu_result on_get_protocol_features(struct avps_vu *vu, struct vu_message *m)
{
    (void)m;
    return reply_u64(vu, vu_offered_protocol_features(vu));
}

static enum vu_result on_set_protocol_features(struct avps_vu *vu, struct vu_message *m)
{
    const uint64_t inband = UINT64_C(1) << VU_P_INBAND_NOTIFICATIONS;
    const uint64_t needs = (UINT64_C(1) << VU_P_BACKEND_REQ) | (UINT64_C(1) << VU_P_REPLY_ACK);
    const uint64_t wanted = m->payload.u64;

    if ((wanted & ~vu_offered_protocol_features(vu)) != 0U) {
        vu_reason(vu, "SET_PROTOCOL_FEATURES: a feature was never offered");
        return VU_REFUSED;
    }
    if ((wanted & inband) != 0U && (wanted & needs) != needs) {
        vu_reason(vu, "SET_PROTOCOL_FEATURES: in-band notifications need BACKEND_REQ, REPLY_ACK");
        return VU_REFUSED;
    }
    vu->protocol_features = wanted;
    return VU_DONE;
}

static enum vu_result on_nothing(struct avps_vu *vu, struct vu_message *m)
{
    (void)vu;
    (void)m;
    return VU_DONE;
}

/* Deprecated: all rings are disabled. */
static enum vu_result on_reset_owner(struct avps_vu *vu, struct vu_message *m)
{
    (void)m;
    for (uint16_t i = 0; i < vu->ring_count; i++) {
        vu->rings[i].enabled = false;
        vu->rings[i].started = false;
    }
    return VU_DONE;
}

/* ---- memory: rings are paused ---- */

static enum vu_result on_set_mem_table(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_mem_table *table = &m->payload.table;
    const char *why = NULL;

    if (table->count > VU_TABLE_REGIONS || table->count != m->fd_count ||
        m->header.size < 8U + table->count * sizeof table->regions[0]) {
        vu_reason(vu, "SET_MEM_TABLE: %u regions, %u descriptors, %u bytes do not fit together",
                  table->count, m->fd_count, m->header.size);
        return VU_REFUSED;
    }
    vu_memory_clear(&vu->memory);
    for (uint32_t i = 0; i < table->count && why == NULL; i++) {
        why = vu_memory_add(&vu->memory, &table->regions[i], m->fds[i]);
        if (why != NULL) {
            vu_reason(vu, "SET_MEM_TABLE: region %u %s", i, why);
        }
    }
    if (why != NULL) {
        vu_memory_clear(&vu->memory);
    }
    vu_apply_memory(vu);
    return why == NULL ? VU_DONE : VU_FAILED;
}

static enum vu_result on_get_max_mem_slots(struct avps_vu *vu, struct vu_message *m)
{
    (void)m;
    return reply_u64(vu, VU_SLOTS);
}

static enum vu_result on_add_mem_reg(struct avps_vu *vu, struct vu_message *m)
{
    const char *why = vu_memory_add(&vu->memory, &m->payload.single.region, m->fds[0]);

    if (why != NULL) {
        vu_reason(vu, "ADD_MEM_REG: the region %s", why);
        return VU_FAILED;
    }
    vu_apply_memory(vu);
    return VU_DONE;
}

/* Some front ends send a descriptor, which is closed unused. */
static enum vu_result on_rem_mem_reg(struct avps_vu *vu, struct vu_message *m)
{
    if (!vu_memory_remove(&vu->memory, &m->payload.single.region)) {
        vu_reason(vu, "REM_MEM_REG: there is no such region");
        return VU_FAILED;
    }
    vu_apply_memory(vu);
    return VU_DONE;
}

/* ---- log ---- */

static enum vu_result on_set_log_base(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_mapping mapping = {0};
    const char *why =
        vu_mapping_map(&mapping, m->fds[0], m->payload.log.offset, m->payload.log.size);

    if (why != NULL) {
        vu_reason(vu, "SET_LOG_BASE: the log %s", why);
        return VU_REFUSED;
    }
    vu_mapping_unmap(&vu->log.mapping);
    vu->log.mapping = mapping;
    vu->log.short_of = false;
    return reply_u64(vu, 0);
}

/* An eventfd or a pipe; it must not be able to make anybody wait. */
static bool fd_is_bell(int fd)
{
    struct stat st;
    const bool known = fstat(fd, &st) == 0 && ((st.st_mode & S_IFMT) == 0U || S_ISFIFO(st.st_mode));
    const int flags = known ? fcntl(fd, F_GETFL) : -1;

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static enum vu_result take_bell(struct avps_vu *vu, struct vu_message *m, const char *what,
                                int *place)
{
    if (m->fd_count != 0U && !fd_is_bell(m->fds[0])) {
        vu_reason(vu, "%s: the descriptor is neither an eventfd nor a pipe", what);
        return VU_REFUSED;
    }
    vu_close_fd(place);
    *place = vu_message_take_fd(m, 0);
    return VU_DONE;
}

static enum vu_result on_set_log_fd(struct avps_vu *vu, struct vu_message *m)
{
    return take_bell(vu, m, "SET_LOG_FD", &vu->log.event_fd);
}

/* ---- vrings ---- */

static struct vu_ring *ring_of(struct avps_vu *vu, uint64_t index)
{
    if (index >= vu->ring_count) {
        vu_reason(vu, "there is no vring %llu: the device has %u", (unsigned long long)index,
                  vu->ring_count);
        return NULL;
    }
    return &vu->rings[index];
}

/* A ring that runs keeps what it was started with (I14). */
static struct vu_ring *ring_at_rest(struct avps_vu *vu, uint64_t index)
{
    struct vu_ring *ring = ring_of(vu, index);

    if (ring != NULL && avps_remote_queue_is_enabled(&vu->remote, ring->index)) {
        vu_reason(vu, "vring %u is changed while it runs", ring->index);
        return NULL;
    }
    return ring;
}

static enum vu_result on_set_vring_num(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_at_rest(vu, m->payload.state.index);

    if (ring == NULL) {
        return VU_REFUSED;
    }
    if (m->payload.state.num == 0U ||
        m->payload.state.num > avps_remote_queue_size_max(&vu->remote)) {
        vu_reason(vu, "SET_VRING_NUM: %u is not in 1..%u", m->payload.state.num,
                  avps_remote_queue_size_max(&vu->remote));
        return VU_FAILED;
    }
    ring->size = m->payload.state.num;
    return vu_ring_update(ring);
}

static bool addresses_are_equal(const struct vu_vring_addr *a, const struct vu_vring_addr *b)
{
    return a->descriptor == b->descriptor && a->available == b->available && a->used == b->used;
}

/* On a ring that runs, only what concerns the log may change. */
static enum vu_result on_set_vring_addr(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_vring_addr *addr = &m->payload.addr;
    struct vu_ring *ring = ring_of(vu, addr->index);

    if (ring == NULL) {
        return VU_REFUSED;
    }
    if ((addr->flags & ~VU_VRING_F_LOG) != 0U) {
        vu_reason(vu, "SET_VRING_ADDR: unknown flags 0x%x", addr->flags);
        return VU_REFUSED;
    }
    if (!addresses_are_equal(addr, &ring->addr) && ring_at_rest(vu, addr->index) == NULL) {
        return VU_REFUSED;
    }
    ring->addr = *addr;
    ring->has_addr = true;
    return vu_ring_update(ring);
}

/* Split: the next available index. Packed: that position and its wrap counter in the low half. The
 * used ones in the high half are the same, as nothing is in flight, and some front ends (DPDK) leave
 * them out. */
static enum vu_result on_set_vring_base(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_at_rest(vu, m->payload.state.index);
    const uint32_t num = m->payload.state.num;

    if (ring == NULL) {
        return VU_REFUSED;
    }
    if (avps_features_has(avps_device_features(vu->config.device), AVPS_F_RING_PACKED)) {
        ring->avail = (struct avps_remote_position){num & 0x7fffU, (num & 0x8000U) != 0U};
    } else {
        ring->avail = (struct avps_remote_position){(uint16_t)num, true};
    }
    ring->used = ring->avail;
    return vu_ring_update(ring);
}

static uint32_t ring_base(const struct avps_vu *vu, const struct vu_ring *ring)
{
    const uint32_t low = ring->avail.idx | (ring->avail.wrap ? 0x8000U : 0U);
    const uint32_t high = ring->used.idx | (ring->used.wrap ? 0x8000U : 0U);

    return avps_features_has(avps_device_features(vu->config.device), AVPS_F_RING_PACKED)
               ? low | high << 16
               : ring->avail.idx;
}

static enum vu_result on_get_vring_base(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_of(vu, m->payload.state.index);

    if (ring == NULL) {
        return VU_REFUSED;
    }
    if (vu_ring_pause(ring) == VU_LATER) {
        return VU_LATER;
    }
    ring->started = false;
    ring->nofd = false;
    avps_posix_source_remove(&ring->kick_source);
    vu_close_fd(&ring->kick_fd);
    vu_polling_update(vu);
    const struct vu_vring_state state = {ring->index, ring_base(vu, ring)};

    return reply(vu, &state, sizeof state, -1);
}

/* The payload of the three messages with a descriptor of a ring: it is there unless NOFD says that
 * it is not. */
static struct vu_ring *ring_of_fd(struct avps_vu *vu, const struct vu_message *m)
{
    const uint64_t value = m->payload.u64;
    const bool nofd = (value & VU_VRING_NOFD) != 0U;

    if ((value & ~(VU_VRING_INDEX_MASK | VU_VRING_NOFD)) != 0U || nofd == (m->fd_count == 1U)) {
        vu_reason(vu, "a vring descriptor message: 0x%llx with %u descriptors",
                  (unsigned long long)value, m->fd_count);
        return NULL;
    }
    return ring_of(vu, value & VU_VRING_INDEX_MASK);
}

static enum vu_result on_set_vring_kick(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_of_fd(vu, m);

    if (ring == NULL) {
        return VU_REFUSED;
    }
    avps_posix_source_remove(&ring->kick_source);
    if (take_bell(vu, m, "SET_VRING_KICK", &ring->kick_fd) != VU_DONE) {
        return VU_REFUSED;
    }
    ring->nofd = ring->kick_fd < 0;
    ring->started = true;
    vu_ring_watch_kicks(ring);
    vu_polling_update(vu);
    return vu_ring_update(ring);
}

/* What was returned a moment ago may have been told through the old descriptor: tell it again. */
static enum vu_result on_set_vring_call(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_of_fd(vu, m);
    const uint64_t one = 1;

    if (ring == NULL || take_bell(vu, m, "SET_VRING_CALL", &ring->call_fd) != VU_DONE) {
        return VU_REFUSED;
    }
    if (ring->call_fd >= 0 && avps_remote_queue_is_enabled(&vu->remote, ring->index)) {
        (void)!write(ring->call_fd, &one, sizeof one);
    }
    return VU_DONE;
}

static enum vu_result on_set_vring_err(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_of_fd(vu, m);

    return ring == NULL ? VU_REFUSED : take_bell(vu, m, "SET_VRING_ERR", &ring->err_fd);
}

/* A network device counts pairs of queues here, as its front ends do. */
static enum vu_result on_get_queue_num(struct avps_vu *vu, struct vu_message *m)
{
    const uint32_t network = 1;
    const uint64_t pair = avps_device_id(vu->config.device) == network ? 2U : 1U;

    (void)m;
    return reply_u64(vu, vu->ring_count / pair);
}

static enum vu_result on_set_vring_enable(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_of(vu, m->payload.state.index);

    if (ring == NULL) {
        return VU_REFUSED;
    }
    if (m->payload.state.num > 1U) {
        vu_reason(vu, "SET_VRING_ENABLE: %u is neither 0 nor 1", m->payload.state.num);
        return VU_REFUSED;
    }
    if (m->payload.state.num == 0U && vu_ring_pause(ring) == VU_LATER) {
        return VU_LATER;
    }
    ring->enabled = m->payload.state.num == 1U;
    return vu_ring_update(ring);
}

static enum vu_result on_vring_kick(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_ring *ring = ring_of(vu, m->payload.state.index);

    if (ring == NULL) {
        return VU_REFUSED;
    }
    vu_ring_kick(ring);
    return vu->broken ? VU_REFUSED : VU_DONE;
}

/* ---- configuration, status ---- */

static bool config_is_valid(const struct vu_message *m)
{
    const struct vu_config_head *head = &m->payload.config;

    return head->size <= VU_CONFIG_MAX && head->offset <= VU_CONFIG_MAX - head->size &&
           m->header.size == sizeof *head + head->size;
}

static enum vu_result on_get_config(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_config_head *head = &m->payload.config;

    if (!config_is_valid(m)) {
        vu_reason(vu, "GET_CONFIG: offset %u, size %u in %u bytes", head->offset, head->size,
                  m->header.size);
        return VU_REFUSED;
    }
    avps_remote_read_config(&vu->remote, head->offset, m->payload.bytes + sizeof *head, head->size);
    return reply(vu, &m->payload, m->header.size, -1);
}

/* For migration too, only what a driver may write is taken. */
static enum vu_result on_set_config(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_config_head *head = &m->payload.config;

    if (!config_is_valid(m) || head->flags > VU_CONFIG_MIGRATION) {
        vu_reason(vu, "SET_CONFIG: offset %u, size %u, flags %u in %u bytes", head->offset,
                  head->size, head->flags, m->header.size);
        return VU_REFUSED;
    }
    const enum avps_status status = avps_remote_write_config(
        &vu->remote, head->offset, m->payload.bytes + sizeof *head, head->size);
    if (status != AVPS_OK) {
        vu_reason(vu, "SET_CONFIG: nothing can be written there");
        return VU_FAILED;
    }
    return VU_DONE;
}

static enum vu_result on_set_status(struct avps_vu *vu, struct vu_message *m)
{
    if (m->payload.u64 > 255U) {
        vu_reason(vu, "SET_STATUS: 0x%llx is no device status", (unsigned long long)m->payload.u64);
        return VU_REFUSED;
    }
    return vu_set_status(vu, (uint8_t)m->payload.u64);
}

static enum vu_result on_get_status(struct avps_vu *vu, struct vu_message *m)
{
    (void)m;
    return reply_u64(vu, vu_get_status(vu));
}

static enum vu_result on_reset_device(struct avps_vu *vu, struct vu_message *m)
{
    const enum vu_result result = vu_reset_device(vu);

    (void)m;
    for (uint16_t i = 0; i < vu->ring_count && result == VU_DONE; i++) {
        vu->rings[i].enabled = false;
    }
    return result;
}

/* ---- in-flight region ---- */

static bool inflight_is_valid(const struct vu_inflight_msg *msg)
{
    return msg->queues != 0U && msg->queues <= 256U && msg->queue_size != 0U &&
           msg->queue_size <= 32768U;
}

/* The format is decided when rings start: room for the larger one. */
static enum vu_result on_get_inflight_fd(struct avps_vu *vu, struct vu_message *m)
{
    struct vu_inflight_msg *msg = &m->payload.inflight;
    struct vu_mapping mapping = {0};

    if (!inflight_is_valid(msg) || vu_rings_run(vu)) {
        vu_reason(vu, "GET_INFLIGHT_FD: %u queues of %u, or rings run", msg->queues,
                  msg->queue_size);
        return VU_REFUSED;
    }
    msg->mmap_offset = 0;
    msg->mmap_size = msg->queues * vu_inflight_stride(true, msg->queue_size);
    const int fd = memfd_create("avps-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const bool made = fd >= 0 && ftruncate(fd, (off_t)msg->mmap_size) == 0 &&
                      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    const char *why = made ? vu_mapping_map(&mapping, fd, 0, msg->mmap_size) : strerror(errno);
    enum vu_result result = VU_REFUSED;

    if (why != NULL) {
        vu_reason(vu, "GET_INFLIGHT_FD: the region %s", why);
    } else {
        vu_mapping_unmap(&vu->inflight.mapping);
        vu->inflight = (struct vu_inflight){mapping, msg->queues, msg->queue_size};
        result = reply(vu, msg, m->header.size, fd);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

static enum vu_result on_set_inflight_fd(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_inflight_msg *msg = &m->payload.inflight;
    struct vu_mapping mapping = {0};

    if (!inflight_is_valid(msg) || msg->mmap_offset % VU_INFLIGHT_ALIGN != 0U || vu_rings_run(vu)) {
        vu_reason(vu, "SET_INFLIGHT_FD: %u queues of %u, misaligned, or rings run", msg->queues,
                  msg->queue_size);
        return VU_REFUSED;
    }
    const char *why = vu_mapping_map(&mapping, m->fds[0], msg->mmap_offset, msg->mmap_size);
    if (why != NULL) {
        vu_reason(vu, "SET_INFLIGHT_FD: the region %s", why);
        return VU_REFUSED;
    }
    vu_mapping_unmap(&vu->inflight.mapping);
    vu->inflight = (struct vu_inflight){mapping, msg->queues, msg->queue_size};
    return VU_DONE;
}

/* ---- back end channel, IOTLB ---- */

/* Replies that come back are of no interest: nothing waits for them. */
static void backend_ready(void *ctx, uint32_t conditions)
{
    struct avps_vu *vu = ctx;
    uint8_t bytes[256];

    const ssize_t n = read(vu->backend_fd, bytes, sizeof bytes);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
        (conditions & AVPS_POSIX_HANGUP) != 0U) {
        avps_posix_source_remove(&vu->backend_source);
    }
}

/* User-mode Linux gives the writing end of a pipe, which nothing comes back from. */
static enum vu_result on_set_backend_req_fd(struct avps_vu *vu, struct vu_message *m)
{
    struct stat st;
    const int fd = vu_message_take_fd(m, 0);
    const bool known = fstat(fd, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)) &&
                       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;

    avps_posix_source_remove(&vu->backend_source);
    vu_close_fd(&vu->backend_fd);
    vu->backend_fd = fd;
    if (!known) {
        vu_reason(vu, "SET_BACKEND_REQ_FD: the descriptor is neither a socket nor a pipe");
        return VU_REFUSED;
    }
    if (S_ISSOCK(st.st_mode) &&
        avps_posix_source_add(&vu->backend_source, vu->config.loop, fd, AVPS_POSIX_READ,
                              backend_ready, vu) != AVPS_OK) {
        vu_reason(vu, "SET_BACKEND_REQ_FD: it cannot be watched: %s", strerror(errno));
        return VU_REFUSED;
    }
    return VU_DONE;
}

static enum vu_result on_iotlb_msg(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_iotlb_msg *msg = &m->payload.iotlb;

    if (!vu_uses_iotlb(vu)) {
        vu_reason(vu, "IOTLB_MSG without ACCESS_PLATFORM");
        return VU_REFUSED;
    }
    if (msg->type == VU_IOTLB_UPDATE) {
        return vu_iotlb_update(vu, msg);
    }
    if (msg->type == VU_IOTLB_INVALIDATE) {
        return vu_iotlb_invalidate(vu, msg);
    }
    vu_reason(vu, "IOTLB_MSG of type %u", msg->type);
    return VU_REFUSED;
}

/* ---- device state ---- */

static enum vu_result on_set_device_state_fd(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_transfer_msg *msg = &m->payload.transfer;
    const bool save = msg->direction == VU_TRANSFER_SAVE;
    struct stat st;

    if (msg->direction > VU_TRANSFER_LOAD || msg->phase != 0U || vu_rings_run(vu)) {
        vu_reason(vu, "SET_DEVICE_STATE_FD: direction %u, phase %u, or rings run", msg->direction,
                  msg->phase);
        return VU_REFUSED;
    }
    const bool pipe_given = fstat(m->fds[0], &st) == 0 &&
                            (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) &&
                            fcntl(m->fds[0], F_SETFL, fcntl(m->fds[0], F_GETFL) | O_NONBLOCK) == 0;
    const bool begun = pipe_given && vu_transfer_begin(vu, save, vu_message_take_fd(m, 0));

    return reply_u64(vu, VU_TRANSFER_NOFD | (begun ? 0U : VU_TRANSFER_ERROR));
}

/* Not before the last byte is through. */
static enum vu_result on_check_device_state(struct avps_vu *vu, struct vu_message *m)
{
    (void)m;
    if (vu->transfer.phase == VU_TRANSFER_RUNNING) {
        return VU_LATER;
    }
    const uint64_t answer = vu->transfer.phase == VU_TRANSFER_GOOD ? 0U : 1U;

    vu_transfer_end(vu);
    return reply_u64(vu, answer);
}

/* ---- the table ---- */

struct vu_handler {
    const char *name;
    enum vu_result (*serve)(struct avps_vu *vu, struct vu_message *m);
    uint16_t size_min; /* of the payload */
    uint16_t size_max;
    uint8_t fds_min;
    uint8_t fds_max;
    uint8_t needs; /* protocol feature + 1; 0: none */
    bool pauses;   /* no ring runs meanwhile */
};

#define NEEDS(bit) ((bit) + 1U)
#define U64        sizeof(uint64_t), sizeof(uint64_t)
#define STATE      sizeof(struct vu_vring_state), sizeof(struct vu_vring_state)
#define REGION     sizeof(struct vu_single_region), sizeof(struct vu_single_region)
#define CONFIG     sizeof(struct vu_config_head), sizeof(struct vu_config_head) + VU_CONFIG_MAX
#define INFLIGHT   20, sizeof(struct vu_inflight_msg) /* with and without padding */
#define IOTLB      26, sizeof(struct vu_iotlb_msg)    /* likewise */

static const struct vu_handler handlers[VU_REQUESTS] = {
    [VU_GET_FEATURES] = {"GET_FEATURES", on_get_features, 0, 0, 0, 0, 0, false},
    [VU_SET_FEATURES] = {"SET_FEATURES", on_set_features, U64, 0, 0, 0, false},
    [VU_SET_OWNER] = {"SET_OWNER", on_nothing, 0, 0, 0, 0, 0, false},
    [VU_RESET_OWNER] = {"RESET_OWNER", on_reset_owner, 0, 0, 0, 0, 0, true},
    [VU_SET_MEM_TABLE] = {"SET_MEM_TABLE", on_set_mem_table, 8, sizeof(struct vu_mem_table), 0,
                          VU_FDS_MAX, 0, true},
    [VU_SET_LOG_BASE] = {"SET_LOG_BASE", on_set_log_base, sizeof(struct vu_log_area),
                         sizeof(struct vu_log_area), 1, 1, NEEDS(VU_P_LOG_SHMFD), true},
    [VU_SET_LOG_FD] = {"SET_LOG_FD", on_set_log_fd, 0, 8, 1, 1, 0, false},
    [VU_SET_VRING_NUM] = {"SET_VRING_NUM", on_set_vring_num, STATE, 0, 0, 0, false},
    [VU_SET_VRING_ADDR] = {"SET_VRING_ADDR", on_set_vring_addr, sizeof(struct vu_vring_addr),
                           sizeof(struct vu_vring_addr), 0, 0, 0, false},
    [VU_SET_VRING_BASE] = {"SET_VRING_BASE", on_set_vring_base, STATE, 0, 0, 0, false},
    [VU_GET_VRING_BASE] = {"GET_VRING_BASE", on_get_vring_base, STATE, 0, 0, 0, false},
    [VU_SET_VRING_KICK] = {"SET_VRING_KICK", on_set_vring_kick, U64, 0, 1, 0, false},
    [VU_SET_VRING_CALL] = {"SET_VRING_CALL", on_set_vring_call, U64, 0, 1, 0, false},
    [VU_SET_VRING_ERR] = {"SET_VRING_ERR", on_set_vring_err, U64, 0, 1, 0, false},
    [VU_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", on_get_protocol_features, 0, 0, 0, 0, 0,
                                  false},
    [VU_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", on_set_protocol_features, U64, 0, 0, 0,
                                  false},
    [VU_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", on_get_queue_num, 0, 0, 0, 0, NEEDS(VU_P_MQ), false},
    [VU_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", on_set_vring_enable, STATE, 0, 0, 0, false},
    [VU_SET_BACKEND_REQ_FD] = {"SET_BACKEND_REQ_FD", on_set_backend_req_fd, 0, 8, 1, 1,
                               NEEDS(VU_P_BACKEND_REQ), false},
    [VU_IOTLB_MSG] = {"IOTLB_MSG", on_iotlb_msg, IOTLB, 0, 0, 0, false},
    [VU_GET_CONFIG] = {"GET_CONFIG", on_get_config, CONFIG, 0, 0, NEEDS(VU_P_CONFIG), false},
    [VU_SET_CONFIG] = {"SET_CONFIG", on_set_config, CONFIG, 0, 0, NEEDS(VU_P_CONFIG), false},
    [VU_GET_INFLIGHT_FD] = {"GET_INFLIGHT_FD", on_get_inflight_fd, INFLIGHT, 0, 0,
                            NEEDS(VU_P_INFLIGHT_SHMFD), false},
    [VU_SET_INFLIGHT_FD] = {"SET_INFLIGHT_FD", on_set_inflight_fd, INFLIGHT, 1, 1,
                            NEEDS(VU_P_INFLIGHT_SHMFD), false},
    [VU_RESET_DEVICE] = {"RESET_DEVICE", on_reset_device, 0, 0, 0, 0, NEEDS(VU_P_RESET_DEVICE),
                         false},
    [VU_VRING_KICK] = {"VRING_KICK", on_vring_kick, STATE, 0, 0, NEEDS(VU_P_INBAND_NOTIFICATIONS),
                       false},
    [VU_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", on_get_max_mem_slots, 0, 0, 0, 0,
                              NEEDS(VU_P_CONFIGURE_MEM_SLOTS), false},
    [VU_ADD_MEM_REG] = {"ADD_MEM_REG", on_add_mem_reg, REGION, 1, 1,
                        NEEDS(VU_P_CONFIGURE_MEM_SLOTS), true},
    [VU_REM_MEM_REG] = {"REM_MEM_REG", on_rem_mem_reg, REGION, 0, 1,
                        NEEDS(VU_P_CONFIGURE_MEM_SLOTS), true},
    [VU_SET_STATUS] = {"SET_STATUS", on_set_status, U64, 0, 0, NEEDS(VU_P_STATUS), false},
    [VU_GET_STATUS] = {"GET_STATUS", on_get_status, 0, 0, 0, 0, NEEDS(VU_P_STATUS), false},
    [VU_SET_DEVICE_STATE_FD] = {"SET_DEVICE_STATE_FD", on_set_device_state_fd,
                                sizeof(struct vu_transfer_msg), sizeof(struct vu_transfer_msg), 1,
                                1, NEEDS(VU_P_DEVICE_STATE), false},
    [VU_CHECK_DEVICE_STATE] = {"CHECK_DEVICE_STATE", on_check_device_state, 0, 0, 0, 0,
                               NEEDS(VU_P_DEVICE_STATE), false},
};

static const struct vu_handler *handler_of(struct avps_vu *vu, const struct vu_message *m)
{
    const uint32_t request = m->header.request;
    const struct vu_handler *h = request < VU_REQUESTS ? &handlers[request] : NULL;

    if (h == NULL || h->serve == NULL) {
        vu_reason(vu, "message %u is not supported", request);
        return NULL;
    }
    if (h->needs != 0U && !vu_has_protocol(vu, (enum vu_protocol_feature)(h->needs - 1U))) {
        vu_reason(vu, "%s: its protocol feature was not negotiated", h->name);
        return NULL;
    }
    if (m->header.size < h->size_min || m->header.size > h->size_max) {
        vu_reason(vu, "%s: %u bytes of payload", h->name, m->header.size);
        return NULL;
    }
    if (m->fd_count < h->fds_min || m->fd_count > h->fds_max) {
        vu_reason(vu, "%s: %u file descriptors", h->name, m->fd_count);
        return NULL;
    }
    return h;
}

/* ---- dispatch ---- */

/* Tell the outcome if the front end waits for it. */
static enum vu_result dispatch_acknowledge(struct avps_vu *vu, enum vu_result result)
{
    const bool asked = (vu->inbox.message.header.flags & VU_FLAG_NEED_REPLY) != 0U &&
                       vu_has_protocol(vu, VU_P_REPLY_ACK);

    if (result == VU_FAILED && asked) {
        vu_say(vu, AVPS_VU_ERROR, vu->reason);
        return reply_u64(vu, 1);
    }
    if (result == VU_DONE && asked) {
        return reply_u64(vu, 0);
    }
    return result;
}

static enum vu_result dispatch_serve(struct avps_vu *vu, struct vu_message *m)
{
    const struct vu_handler *h = handler_of(vu, m);

    if (h == NULL) {
        return VU_REFUSED;
    }
    if (h->pauses && vu_rings_pause(vu) == VU_LATER) {
        return VU_LATER;
    }
    enum vu_result result = h->serve(vu, m);
    if (h->pauses && result != VU_REFUSED && vu_rings_update(vu) == VU_REFUSED) {
        result = VU_REFUSED;
    }
    return result;
}

void vu_dispatch(struct avps_vu *vu)
{
    enum vu_result result = dispatch_serve(vu, &vu->inbox.message);

    vu->deferred = result == VU_LATER;
    if (vu->deferred) {
        return;
    }
    vu->counters.messages++;
    result = dispatch_acknowledge(vu, result);
    vu_inbox_clear(&vu->inbox);
    if (result == VU_FAILED || result == VU_REFUSED) {
        vu_break(vu);
    }
}
