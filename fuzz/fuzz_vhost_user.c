/* SPDX-License-Identifier: BSD-3-Clause */
/* The vhost-user back end with a front end made of fuzz input: a list of messages, well-formed or
 * not, of descriptors of several kinds, kicks, bytes poked into guest memory, lost connections. A
 * few short cuts (memory, a ring that starts) reach behind the first checks. Whatever is sent, the
 * process lives, the descriptors stay the same, and the device is as new for the next front end. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "avps/rng.h"
#include "avps_posix/loop.h"
#include "avps_vhost_user/backend.h"
#include "guest.h"

#define RAM    0x10000U
#define USER   0x500000U
#define GPA    0x100000U
#define QUEUES 1U

static struct avps_posix_loop loop;
static struct avps_posix_runner runner;
static struct avps_rng rng;
static struct avps_queue queues[QUEUES];
static struct avps_vu *vu;
static uint8_t *ram;
static int memory_fd = -1;
static int small_fd = -1;
static int event_fd = -1;
static int socket_fd = -1;

/* ---- the back end ---- */

static enum avps_status rng_fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    memset(buf, 0x5a, len);
    *got = len;
    return AVPS_OK;
}

static enum avps_poll_result poll_device(void *ctx)
{
    (void)ctx;
    return avps_poll(&rng.base, 8);
}

static void make_back_end(bool iommu)
{
    static const struct avps_rng_ops ops = {.fill = rng_fill};
    const struct avps_posix_runner_config runner_config = {.loop = &loop, .poll = poll_device};
    struct avps_mem mem;

    FUZZ_CHECK(avps_posix_runner_init(&runner, &runner_config) == AVPS_OK);
    avps_vu_no_memory(&mem);
    const struct avps_rng_config config = {.base = {.mem = &mem,
                                                    .port = &runner.port,
                                                    .queues = queues,
                                                    .queue_count = QUEUES,
                                                    .queue_size_max = 64,
                                                    .access_platform = iommu},
                                           .ops = &ops};
    FUZZ_CHECK(avps_rng_init(&rng, &config) == AVPS_OK);
    const struct avps_vu_config vu_config = {.device = &rng.base, .loop = &loop, .runner = &runner};
    FUZZ_CHECK(avps_vu_new(&vu_config, &vu) == AVPS_OK);
}

/* Once in the process. */
static void make_descriptors(void)
{
    if (memory_fd >= 0) {
        return;
    }
    memory_fd = memfd_create("ram", MFD_CLOEXEC);
    small_fd = memfd_create("small", MFD_CLOEXEC);
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    FUZZ_CHECK(memory_fd >= 0 && small_fd >= 0 && event_fd >= 0);
    FUZZ_CHECK(ftruncate(memory_fd, RAM) == 0 && ftruncate(small_fd, 100) == 0);
    ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    FUZZ_CHECK(ram != MAP_FAILED);
}

/* ---- the front end ---- */

static void step(void)
{
    for (unsigned int i = 0; i < 6U; i++) {
        FUZZ_CHECK(avps_posix_loop_step(&loop, false) == AVPS_OK);
    }
}

static void connect_front_end(void)
{
    int ends[2];

    if (socket_fd >= 0) {
        close(socket_fd);
        step();
    }
    FUZZ_CHECK(!avps_vu_is_connected(vu) && avps_device_status(&rng.base) == 0U);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_CHECK(avps_vu_adopt(vu, ends[1]) == AVPS_OK);
    socket_fd = ends[0];
}

/* Replies are read, descriptors in them closed. */
static void drain(void)
{
    for (;;) {
        uint8_t bytes[1024];
        union {
            struct cmsghdr head;
            uint8_t space[CMSG_SPACE(8 * sizeof(int))];
        } control;
        struct iovec piece = {bytes, sizeof bytes};
        struct msghdr msg = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};

        if (recvmsg(socket_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) {
            return;
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
            int fd = -1;

            memcpy(&fd, CMSG_DATA(c), sizeof fd);
            close(fd);
        }
    }
}

static void send_bytes(const void *bytes, size_t len, const int *fds, unsigned int count)
{
    union {
        struct cmsghdr head;
        uint8_t space[CMSG_SPACE(16 * sizeof(int))];
    } control = {.space = {0}};
    uint8_t copy[1024];
    struct iovec piece = {copy, len};
    struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};

    memcpy(copy, bytes, len);
    if (count != 0U) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    (void)!sendmsg(socket_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    step();
    drain();
}

static void message(uint32_t request, uint32_t flags, const void *payload, uint32_t size,
                    const int *fds, unsigned int count)
{
    uint8_t bytes[12 + 600];
    const uint32_t header[3] = {request, flags, size};

    memcpy(bytes, header, sizeof header);
    memcpy(bytes + sizeof header, payload, size);
    send_bytes(bytes, sizeof header + size, fds, count);
}

/* Descriptors as the input asks for them. */
static unsigned int choose_fds(uint8_t what, int *fds)
{
    const int kinds[4] = {memory_fd, event_fd, small_fd, socket_fd};
    const unsigned int count = what >> 4;

    for (unsigned int i = 0; i < count; i++) {
        fds[i] = kinds[(what >> (i % 2U * 2U)) & 3U];
    }
    return count;
}

static void fuzz_message(struct fuzz_guest *in)
{
    uint8_t payload[600] = {0};
    int fds[16];
    const uint32_t request = fuzz_u8(in);
    const uint8_t flags = fuzz_u8(in);
    const unsigned int count = choose_fds(fuzz_u8(in), fds);
    const uint32_t size = fuzz_u8(in) * ((flags & 0x10U) != 0U ? 2U : 1U);

    fuzz_bytes(in, payload, size);
    message(request, (flags & 0x20U) != 0U ? flags : 1U | (flags & 8U), payload, size, fds, count);
}

/* ---- short cuts ---- */

static void negotiate(uint64_t features)
{
    const uint64_t protocol = 0xdb22bU; /* all that is offered but in-band notifications */

    message(16, 1, &protocol, 8, NULL, 0);
    message(2, 1, &features, 8, NULL, 0);
}

static void give_memory(void)
{
    const uint64_t table[5] = {1, GPA, RAM, USER, 0};

    message(5, 1, table, sizeof table, &memory_fd, 1);
}

static void start_ring(bool packed)
{
    const uint32_t num[2] = {0, 16};
    const uint32_t base[2] = {0, packed ? 0x80008000U : 0U};
    const uint32_t on[2] = {0, 1};
    const uint64_t addr[5] = {0, USER, USER + 0x2000U, USER + 0x1000U, 0x3000};
    const uint64_t index = 0;
    const uint64_t status = 15;

    message(8, 1, num, 8, NULL, 0);
    message(10, 1, base, 8, NULL, 0);
    message(9, 1, addr, 40, NULL, 0);
    message(12, 1, &index, 8, &event_fd, 1);
    message(18, 1, on, 8, NULL, 0);
    message(39, 1, &status, 8, NULL, 0);
}

static void give_region(struct fuzz_guest *in)
{
    const uint64_t msg[3] = {0x4000, 0x8000, 1U | UINT64_C(16) << 16};

    fuzz_bytes(in, ram + 0x8000U, 64);
    message(32, 1, msg, sizeof msg, &memory_fd, 1);
}

static void poke(struct fuzz_guest *in)
{
    const uint32_t at = fuzz_u32(in) % (RAM - 64U);

    fuzz_bytes(in, ram + at, fuzz_u8(in) % 64U);
}

static void act(struct fuzz_guest *in)
{
    const uint64_t one = 1;
    const uint8_t op = fuzz_u8(in);
    uint8_t raw[64];

    switch (op % 10U) {
    case 0:
        negotiate((UINT64_C(1) << 32) | (UINT64_C(1) << 30) |
                  (op >= 128U ? UINT64_C(1) << 34 : 0U) |
                  (avps_features_has(&rng.base.offered, AVPS_F_ACCESS_PLATFORM) ? UINT64_C(1) << 33
                                                                                : 0U));
        break;
    case 1:
        give_memory();
        break;
    case 2:
        start_ring(op >= 128U);
        break;
    case 3:
        (void)!write(event_fd, &one, sizeof one);
        step();
        break;
    case 4:
        poke(in);
        break;
    case 5:
        connect_front_end();
        break;
    case 6:
        fuzz_bytes(in, raw, sizeof raw);
        send_bytes(raw, 1U + op % sizeof raw, NULL, 0);
        break;
    case 7:
        give_region(in);
        break;
    default:
        fuzz_message(in);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct fuzz_guest in;
    uint64_t count = 0;

    make_descriptors();
    memset(ram, 0, RAM);
    in.input = input;
    in.size = size;
    in.pos = 0;
    FUZZ_CHECK(avps_posix_loop_init(&loop) == AVPS_OK);
    make_back_end((fuzz_u8(&in) & 1U) != 0U);
    const int first_free = dup(event_fd);
    close(first_free);
    connect_front_end();
    for (uint32_t steps = 0; steps < 100U && in.pos < in.size; steps++) {
        act(&in);
    }
    close(socket_fd);
    socket_fd = -1;
    step();
    FUZZ_CHECK(!avps_vu_is_connected(vu) && avps_device_status(&rng.base) == 0U);
    const int still_free = dup(event_fd);
    close(still_free);
    FUZZ_CHECK(still_free == first_free); /* nothing of the front end's is left open */
    avps_vu_free(vu);
    avps_posix_runner_stop(&runner);
    avps_posix_loop_free(&loop);
    (void)!read(event_fd, &count, sizeof count);
    return 0;
}
