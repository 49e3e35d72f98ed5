/* SPDX-License-Identifier: BSD-3-Clause */
/* A front end for tests: the back end's devices -> set-up -> messages -> steps of a start ->
 * requests. */
#include "front.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRONT_DISK_BYTES (FRONT_SECTORS * 512U)

/* ---- the back end ---- */

static void back_report(void *ctx, enum avps_vu_level level, const char *line)
{
    struct front_back *back = ctx;

    back->errors += level == AVPS_VU_ERROR ? 1U : 0U;
    (void)strncpy(back->line, line, sizeof back->line - 1U);
    assert_null(strchr(line, '\n'));
}

static void back_disconnected(void *ctx)
{
    struct front_back *back = ctx;

    back->disconnects++;
}

static enum avps_poll_result back_poll(void *ctx)
{
    const struct front_back *back = ctx;

    return avps_poll(back->device, 32);
}

static enum avps_poll_result back_poll_queue(void *ctx, uint16_t queue)
{
    const struct front_back *back = ctx;

    return avps_poll_queue(back->device, queue, 4);
}

/* What the main loop does while there are workers. */
static enum avps_poll_result back_poll_still(void *ctx)
{
    const struct front_back *back = ctx;

    avps_vu_pause(back->vu);
    const enum avps_poll_result result = avps_poll(back->device, 32);

    return avps_vu_resume(back->vu) ? AVPS_POLL_IDLE : result;
}

static struct avps_device_config back_base(struct front *f, uint16_t queues)
{
    const struct avps_device_config base = {.mem = &f->back.mem,
                                            .port = &f->back.runner.port,
                                            .queues = f->back.queues,
                                            .queue_count = queues,
                                            .queue_size_max = 256,
                                            .access_platform = f->options.iommu};

    f->queues = queues;
    return base;
}

static void back_new_rng(struct front *f)
{
    struct front_back *back = &f->back;

    avps_sim_entropy_init(&back->entropy, 7, 1U << 20);
    const struct avps_rng_config config = {
        .base = back_base(f, 1), .ops = avps_sim_entropy_ops(), .ctx = &back->entropy};

    assert_int_equal(avps_rng_init(&back->rng, &config), AVPS_OK);
    back->device = &back->rng.base;
}

static void back_new_blk(struct front *f)
{
    struct front_back *back = &f->back;
    const struct avps_sim_ramdisk_config disk = {
        .data = f->disk,
        .size = FRONT_DISK_BYTES,
        .pending = f->options.waits ? back->pending : NULL,
        .pending_count = f->options.waits ? FRONT_SLOTS : 0U,
        .order = AVPS_SIM_NEWEST_FIRST,
    };
    const bool lanes = f->options.workers != 0U;
    const struct avps_blk_config config = {
        .base = back_base(f, 2),
        .ops = lanes ? &lanes_ops : avps_sim_ramdisk_ops(),
        .ctx = lanes ? (void *)&back->lanes : (void *)&back->disk,
        .requests = back->requests,
        .request_count = FRONT_SLOTS,
        .capacity = FRONT_SECTORS,
    };

    assert_int_equal(avps_sim_ramdisk_init(&back->disk, &disk), AVPS_OK);
    assert_int_equal(avps_blk_init(&back->blk, &config), AVPS_OK);
    avps_sim_ramdisk_attach(&back->disk, &back->blk);
    if (lanes) {
        lanes_init(&back->lanes, f->disk, &back->blk, back->workers, f->options.workers);
    }
    back->device = &back->blk.base;
}

static enum avps_status back_output(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t len,
                                    uint32_t *taken)
{
    struct front_back *back = ctx;
    const uint32_t room = (uint32_t)sizeof back->typed - back->typed_len;

    (void)port;
    *taken = len < room ? len : room;
    (void)memcpy(back->typed + back->typed_len, bytes, *taken);
    back->typed_len += *taken;
    return AVPS_OK;
}

static void back_new_console(struct front *f)
{
    static const struct avps_console_ops ops = {.output = back_output};
    struct front_back *back = &f->back;
    const struct avps_console_config config = {
        .base = back_base(f, 2),
        .port0 = {.ops = &ops, .ctx = back, .console = true, .open = true, .cols = 80, .rows = 25},
        .ports = &back->port,
        .max_ports = 1,
    };

    assert_int_equal(avps_console_init(&back->console, &config), AVPS_OK);
    back->device = &back->console.base;
}

/* Every frame goes back to the guest it came from. */
static enum avps_status back_transmit(void *ctx, uint16_t pair,
                                      const struct avps_net_packet *packets, uint32_t count,
                                      uint32_t *taken)
{
    struct front_back *back = ctx;

    (void)pair;
    for (uint32_t i = 0; i < count; i++) {
        const struct avps_net_frame frame = {.data = packets[i].data, .data_len = packets[i].len};
        uint32_t given = 0;

        assert_int_equal(avps_net_receive(&back->net, &frame, 1, &given), AVPS_OK);
    }
    *taken = count;
    return AVPS_OK;
}

static void back_new_net(struct front *f)
{
    static const struct avps_net_ops ops = {.transmit = back_transmit};
    struct front_back *back = &f->back;
    const struct avps_net_config config = {.base = back_base(f, 3),
                                           .ops = &ops,
                                           .ctx = back,
                                           .pairs = &back->pair,
                                           .pair_count = 1,
                                           .mac = {2, 0, 0, 0, 0, 1}};

    assert_int_equal(avps_net_init(&back->net, &config), AVPS_OK);
    back->device = &back->net.base;
}

void front_back_new_on(struct front *f, int fd)
{
    static void (*const make[])(struct front *) = {back_new_rng, back_new_blk, back_new_console,
                                                   back_new_net};
    struct front_back *back = &f->back;

    (void)memset(back, 0, sizeof *back);
    const bool workers = f->options.workers != 0U;
    const struct avps_posix_runner_config runner = {.loop = &f->loop,
                                                    .poll = workers ? back_poll_still : back_poll,
                                                    .ctx = back,
                                                    .workers = workers};
    for (uint16_t i = 0; i < f->options.workers; i++) {
        assert_int_equal(avps_posix_worker_init(&back->workers[i], &f->loop), AVPS_OK);
    }
    assert_int_equal(avps_posix_runner_init(&back->runner, &runner), AVPS_OK);
    avps_vu_no_memory(&back->mem);
    make[f->options.device](f);
    const struct avps_vu_config config = {
        .device = back->device,
        .loop = &f->loop,
        .runner = &back->runner,
        .name = "test",
        .report = back_report,
        .disconnected = back_disconnected,
        .ctx = back,
        .busy_poll = f->options.busy_poll,
        .linger_us = f->options.linger_us,
        .workers = workers ? back->workers : NULL,
        .worker_count = f->options.workers,
        .poll_queue = back_poll_queue,
    };
    assert_int_equal(avps_vu_new(&config, &back->vu), AVPS_OK);
    assert_int_equal(avps_vu_adopt(back->vu, fd), AVPS_OK);
}

void front_back_new(struct front *f)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    front_back_new_on(f, ends[1]);
    f->fd = ends[0];
}

void front_back_free(struct front *f)
{
    if (f->back.vu != NULL) {
        avps_vu_free(f->back.vu);
        avps_posix_runner_stop(&f->back.runner);
    }
    for (uint16_t i = 0; i < f->options.workers; i++) {
        avps_posix_worker_end(&f->back.workers[i]);
    }
    f->back.vu = NULL;
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    f->fd = -1;
}

/* ---- set-up ---- */

unsigned int front_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static void front_open_memory(struct front *f)
{
    const size_t size = FRONT_OFFSET + TEST_RAM_SIZE;

    test_mem_init(&f->mem, TEST_MEM_REGIONS);
    f->memfd = memfd_create("guest", MFD_CLOEXEC);
    assert_true(f->memfd >= 0);
    assert_int_equal(ftruncate(f->memfd, (off_t)size), 0);
    f->file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
    assert_true(f->file != MAP_FAILED);
    f->mem.region[0].host = f->file + FRONT_OFFSET;
}

static void front_open_disk(struct front *f)
{
    f->disk =
        mmap(NULL, FRONT_DISK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f->disk != MAP_FAILED);
    for (size_t i = 0; i < FRONT_DISK_BYTES; i++) {
        f->disk[i] = (uint8_t)(i / 512U);
    }
}

void front_open(struct front *f, const struct front_options *options)
{
    const unsigned int fds = front_count_fds();

    (void)memset(f, 0, sizeof *f);
    f->fds = fds;
    f->options = *options;
    for (uint16_t i = 0; i < FRONT_QUEUES; i++) {
        f->kick[i] = -1;
        f->call[i] = -1;
    }
    f->backend[0] = -1;
    f->backend[1] = -1;
    f->fd = -1;
    front_open_memory(f);
    front_open_disk(f);
    if (!options->elsewhere) {
        assert_int_equal(avps_posix_loop_init(&f->loop), AVPS_OK);
        front_back_new(f);
    } else {
        f->queues = 2;
    }
}

static void front_close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

void front_close(struct front *f)
{
    front_back_free(f);
    if (!f->options.elsewhere) {
        avps_posix_loop_free(&f->loop);
    }
    assert_int_equal(munmap(f->disk, FRONT_DISK_BYTES), 0);
    for (uint16_t i = 0; i < FRONT_QUEUES; i++) {
        front_close_fd(&f->kick[i]);
        front_close_fd(&f->call[i]);
        test_ring_free(&f->ring[i]);
    }
    front_close_fd(&f->backend[0]);
    front_close_fd(&f->backend[1]);
    test_mem_free(&f->mem);
    assert_int_equal(munmap(f->file, FRONT_OFFSET + TEST_RAM_SIZE), 0);
    front_close_fd(&f->memfd);
    assert_int_equal(front_count_fds(), f->fds);
}

void front_step(struct front *f)
{
    const bool polls = f->options.busy_poll || f->options.linger_us != 0U;
    const unsigned int steps = polls ? 6U * AVPS_POSIX_SPINS : 13U; /* polling looks rarely */

    for (unsigned int i = 0; i < steps && !f->options.elsewhere; i++) {
        assert_int_equal(avps_posix_loop_step(&f->loop, false), AVPS_OK);
    }
}

/* ---- messages ---- */

void front_raw(struct front *f, const void *bytes, size_t len, const int *fds, unsigned int count)
{
    union {
        struct cmsghdr head;
        uint8_t space[CMSG_SPACE(32 * sizeof(int))];
    } control = {.space = {0}};
    uint8_t copy[1024];
    struct iovec piece = {.iov_base = copy, .iov_len = len};
    struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};

    assert_true(len <= sizeof copy && count <= 32U);
    (void)memcpy(copy, bytes, len);
    if (count != 0U) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        (void)memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(f->fd, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

void front_send_flags(struct front *f, uint32_t request, uint32_t flags, const void *payload,
                      uint32_t size, const int *fds, unsigned int count)
{
    const struct front_header header = {request, FRONT_VERSION | flags, size};
    uint8_t bytes[sizeof header + 512U];

    (void)memcpy(bytes, &header, sizeof header);
    if (size != 0U) {
        (void)memcpy(bytes + sizeof header, payload, size);
    }
    front_raw(f, bytes, sizeof header + size, fds, count);
    front_step(f);
}

void front_send(struct front *f, uint32_t request, const void *payload, uint32_t size,
                const int *fds, unsigned int count)
{
    front_send_flags(f, request, 0, payload, size, fds, count);
}

static int front_take_fd(struct msghdr *msg)
{
    int fd = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        (void)memcpy(&fd, CMSG_DATA(c), sizeof fd);
    }
    return fd;
}

bool front_read(int fd, struct front_message *m)
{
    union {
        struct cmsghdr head;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {.iov_base = &m->header, .iov_len = sizeof m->header};
    struct msghdr msg = {.msg_iov = &piece,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    const ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    m->fd = -1;
    if (n != (ssize_t)sizeof m->header) {
        return false;
    }
    m->fd = front_take_fd(&msg);
    assert_true(m->header.size <= sizeof m->payload);
    if (m->header.size != 0U) {
        assert_int_equal(recv(fd, m->payload.bytes, m->header.size, MSG_DONTWAIT), m->header.size);
    }
    return true;
}

void front_expect_reply(struct front *f, uint32_t request, struct front_message *m)
{
    struct pollfd wait = {.fd = f->fd, .events = POLLIN};

    (void)poll(&wait, 1, f->options.elsewhere ? 10000 : 0);
    if (!front_read(f->fd, m)) {
        fail_msg("no reply to request %u: %s", request, f->back.line);
    }
    assert_int_equal(m->header.request, request);
    assert_int_equal(m->header.flags, FRONT_VERSION | FRONT_REPLY);
}

uint64_t front_ack(struct front *f, uint32_t request, const void *payload, uint32_t size,
                   const int *fds, unsigned int count)
{
    struct front_message m;

    front_send_flags(f, request, FRONT_NEED_REPLY, payload, size, fds, count);
    front_expect_reply(f, request, &m);
    assert_int_equal(m.header.size, 8);
    return m.payload.u64;
}

uint64_t front_ask(struct front *f, uint32_t request)
{
    struct front_message m;

    front_send(f, request, NULL, 0, NULL, 0);
    front_expect_reply(f, request, &m);
    assert_int_equal(m.header.size, 8);
    return m.payload.u64;
}

bool front_is_closed(struct front *f)
{
    uint8_t byte = 0;
    const ssize_t n = recv(f->fd, &byte, 1, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* ---- steps of a start ---- */

void front_negotiate(struct front *f, uint64_t protocol, uint64_t features)
{
    f->protocol = protocol;
    f->features = features;
    f->packed = (features & FRONT_PACKED) != 0U;
    front_send(f, F_SET_OWNER, NULL, 0, NULL, 0);
    assert_int_equal(front_ask(f, F_GET_FEATURES) & features, features);
    assert_int_equal(front_ask(f, F_GET_PROTOCOL_FEATURES) & protocol, protocol);
    front_send(f, F_SET_PROTOCOL_FEATURES, &protocol, 8, NULL, 0);
    front_send(f, F_SET_FEATURES, &features, 8, NULL, 0);
}

void front_give_memory(struct front *f)
{
    const uint64_t table[5] = {FRONT_PAIR(1, 0), TEST_RAM_GPA, TEST_RAM_SIZE, FRONT_USER,
                               FRONT_OFFSET};

    front_send(f, F_SET_MEM_TABLE, table, sizeof table, &f->memfd, 1);
}

void front_backend_channel(struct front *f)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->backend), 0);
    front_send(f, F_SET_BACKEND_REQ_FD, NULL, 0, &f->backend[1], 1);
    front_close_fd(&f->backend[1]);
}

void front_ring_addr(struct front *f, uint16_t i, uint32_t flags, uint64_t log)
{
    const struct test_ring *r = &f->ring[i];
    const uint64_t delta = f->options.iommu ? FRONT_IOVA : FRONT_USER;
    const uint64_t payload[5] = {FRONT_PAIR(i, flags), r->desc - TEST_RAM_GPA + delta,
                                 r->device - TEST_RAM_GPA + delta, r->driver - TEST_RAM_GPA + delta,
                                 log};

    front_send(f, F_SET_VRING_ADDR, payload, sizeof payload, NULL, 0);
}

static void front_ring_state(struct front *f, uint32_t request, uint16_t i, uint32_t num)
{
    const uint32_t state[2] = {i, num};

    front_send(f, request, state, sizeof state, NULL, 0);
}

void front_ring_num(struct front *f, uint16_t i)
{
    front_ring_state(f, F_SET_VRING_NUM, i, FRONT_SIZE);
}

void front_ring_base(struct front *f, uint16_t i, uint32_t base)
{
    front_ring_state(f, F_SET_VRING_BASE, i, base);
}

void front_ring_enable(struct front *f, uint16_t i, uint32_t on)
{
    front_ring_state(f, F_SET_VRING_ENABLE, i, on);
}

static void front_ring_bell(struct front *f, uint32_t request, uint16_t i, int *fd)
{
    const uint64_t index = i;

    if (*fd < 0) {
        *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    assert_true(*fd >= 0);
    front_send(f, request, &index, 8, fd, 1);
}

void front_ring_kick(struct front *f, uint16_t i)
{
    front_ring_bell(f, F_SET_VRING_KICK, i, &f->kick[i]);
}

void front_ring_call(struct front *f, uint16_t i)
{
    front_ring_bell(f, F_SET_VRING_CALL, i, &f->call[i]);
}

uint32_t front_ring_stop(struct front *f, uint16_t i)
{
    struct front_message m;

    front_ring_state(f, F_GET_VRING_BASE, i, 0);
    front_expect_reply(f, F_GET_VRING_BASE, &m);
    assert_int_equal(m.header.size, 8);
    assert_int_equal(m.payload.u32[0], i);
    return m.payload.u32[1];
}

void front_ring_new(struct front *f, uint16_t i)
{
    test_ring_free(&f->ring[i]);
    test_ring_init(&f->ring[i], &f->mem, f->packed, FRONT_SIZE);
}

void front_ring_start(struct front *f, uint16_t i)
{
    front_ring_num(f, i);
    front_ring_base(f, i, f->packed ? 0x80008000U : 0U);
    front_ring_addr(f, i, 0, FRONT_NOTHING);
    front_ring_kick(f, i);
    front_ring_call(f, i);
    front_ring_enable(f, i, 1);
    (void)front_calls(f, i);
}

void front_start(struct front *f, bool packed, uint64_t protocol)
{
    uint64_t common = P_MQ | P_REPLY_ACK;

    common |= f->options.device != FRONT_RNG ? P_CONFIG : 0U;
    front_negotiate(f, common | protocol,
                    FRONT_BASIC | FRONT_PROTOCOL | (packed ? FRONT_PACKED : 0U) |
                        (f->options.iommu ? FRONT_IOMMU : 0U) |
                        (f->options.device == FRONT_BLK ? FRONT_BLK_MQ : 0U));
    front_give_memory(f);
    for (uint16_t i = 0; i < f->queues; i++) {
        front_ring_new(f, i);
        front_ring_start(f, i);
    }
}

/* ---- requests ---- */

void front_kick(struct front *f, uint16_t i)
{
    const uint64_t one = 1;

    assert_int_equal(write(f->kick[i], &one, sizeof one), sizeof one);
    front_step(f);
}

uint64_t front_calls(struct front *f, uint16_t i)
{
    uint64_t count = 0;

    if (read(f->call[i], &count, sizeof count) != sizeof count) {
        return 0;
    }
    return count > UINT32_MAX ? __builtin_bswap64(count) : count; /* emulators mix up the order */
}

static avps_gpa front_bus(const struct front *f, avps_gpa gpa)
{
    return f->options.iommu ? gpa - TEST_RAM_GPA + FRONT_IOVA : gpa;
}

uint16_t front_blk(struct front *f, uint16_t queue, bool write, uint64_t sector, avps_gpa *buffer)
{
    const avps_gpa header = test_mem_alloc(&f->mem, 16, 8);
    const avps_gpa data = test_mem_alloc(&f->mem, 513, 8);
    const struct test_desc table[] = {
        {front_bus(f, header), 16, 0},
        {front_bus(f, data), 512, write ? 0 : TEST_WRITE},
        {front_bus(f, data + 512U), 1, TEST_WRITE},
    };

    test_mem_put32(&f->mem, header, write ? 1 : 0);
    test_mem_put32(&f->mem, header + 4U, 0);
    test_mem_put64(&f->mem, header + 8U, sector);
    *buffer = data;
    return test_ring_add(&f->ring[queue], table, 3);
}

void front_answer(struct front *f)
{
    (void)avps_sim_ramdisk_poll(&f->back.disk);
    front_step(f);
}

void front_expect_used(struct front *f, uint16_t queue, uint16_t id, uint32_t len)
{
    struct test_used used;

    if (!test_ring_reap(&f->ring[queue], &used)) {
        fail_msg("no used element; last report: %s", f->back.line);
    }
    assert_int_equal(used.id, id);
    assert_int_equal(used.len, len);
}

void front_round(struct front *f)
{
    avps_gpa data = 0;
    const uint16_t id = front_blk(f, 0, false, 9, &data);

    front_kick(f, 0);
    if (f->options.waits) {
        front_answer(f);
    }
    front_expect_used(f, 0, id, 513);
    assert_true(test_mem_is(&f->mem, data, 9, 512));
    assert_true(test_mem_is(&f->mem, data + 512U, 0, 1));
}
