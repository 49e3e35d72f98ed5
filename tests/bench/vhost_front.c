/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost-user, front end side: messages -> set-up. */
#define _GNU_SOURCE
#include "vhost_front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VU_GET_FEATURES          1U
#define VU_SET_FEATURES          2U
#define VU_SET_OWNER             3U
#define VU_SET_MEM_TABLE         5U
#define VU_SET_VRING_NUM         8U
#define VU_SET_VRING_ADDR        9U
#define VU_SET_VRING_BASE        10U
#define VU_SET_VRING_KICK        12U
#define VU_SET_VRING_CALL        13U
#define VU_GET_PROTOCOL_FEATURES 15U
#define VU_SET_PROTOCOL_FEATURES 16U
#define VU_SET_VRING_ENABLE      18U

#define F_PROTOCOL (1ULL << 30)

struct vu_region {
    uint64_t gpa;
    uint64_t size;
    uint64_t user;
    uint64_t offset;
};

struct vu_message {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
    union {
        uint64_t u64;
        struct {
            uint32_t index;
            uint32_t num;
        } state;
        struct {
            uint32_t index;
            uint32_t flags;
            uint64_t desc;
            uint64_t used;
            uint64_t avail;
            uint64_t log;
        } addr;
        struct {
            uint32_t count;
            uint32_t padding;
            struct vu_region region;
        } memory;
    } payload;
} __attribute__((packed));

#define VU_HEADER offsetof(struct vu_message, payload)

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void front_send(const struct vhost_front *front, struct vu_message *message, uint32_t size,
                       int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {message, VU_HEADER + size};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

    message->flags = 1;
    message->size = size;
    if (fd >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
    }
    if (sendmsg(front->sock, &header, 0) != (ssize_t)iov.iov_len) {
        die("vhost front end: send");
    }
}

static uint64_t front_get(const struct vhost_front *front, uint32_t request)
{
    struct vu_message message = {.request = request};

    front_send(front, &message, 0, -1);
    if (recv(front->sock, &message, VU_HEADER + 8U, MSG_WAITALL) != (ssize_t)(VU_HEADER + 8U)) {
        die("vhost front end: receive");
    }
    return message.payload.u64;
}

static void front_set(const struct vhost_front *front, uint32_t request, uint64_t value, int fd)
{
    struct vu_message message = {.request = request, .payload = {.u64 = value}};

    front_send(front, &message, request == VU_SET_OWNER ? 0U : 8U, fd);
}

static void front_set_state(const struct vhost_front *front, uint32_t request, uint32_t index,
                            uint32_t num)
{
    struct vu_message message = {.request = request, .payload = {.state = {index, num}}};

    front_send(front, &message, sizeof message.payload.state, -1);
}

void vhost_front_memory(struct vhost_front *front, uint64_t gpa, size_t size)
{
    front->memfd = memfd_create("guest", MFD_CLOEXEC);
    if (front->memfd < 0 || ftruncate(front->memfd, (off_t)size) != 0) {
        die("vhost front end: memory");
    }
    front->mem =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, front->memfd, 0);
    if (front->mem == MAP_FAILED) {
        die("vhost front end: map");
    }
    front->gpa = gpa;
    front->size = size;
}

static void front_connect(struct vhost_front *front, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    front->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (front->sock < 0 || connect(front->sock, (struct sockaddr *)&address, sizeof address) != 0) {
        die("vhost front end: connect");
    }
}

static int front_eventfd(void)
{
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        die("vhost front end: eventfd");
    }
    return fd;
}

static void front_start_queue(const struct vhost_front *front, uint32_t index,
                              struct vhost_front_queue *queue)
{
    const uint64_t user = (uint64_t)(uintptr_t)front->mem;
    const bool packed = (front->features & VHOST_F_PACKED) != 0U;
    struct vu_message message = {.request = VU_SET_VRING_ADDR};

    message.payload.addr.index = index;
    message.payload.addr.desc = user + queue->desc;
    message.payload.addr.avail = user + queue->driver;
    message.payload.addr.used = user + queue->device;
    front_set_state(front, VU_SET_VRING_NUM, index, queue->num);
    front_set_state(front, VU_SET_VRING_BASE, index, packed ? 0x80008000U : 0U);
    front_send(front, &message, sizeof message.payload.addr, -1);
    queue->call = front_eventfd();
    queue->kick = front_eventfd();
    front_set(front, VU_SET_VRING_CALL, index, queue->call);
    front_set(front, VU_SET_VRING_KICK, index, queue->kick);
    front_set_state(front, VU_SET_VRING_ENABLE, index, 1);
}

void vhost_front_start(struct vhost_front *front, const char *path, uint64_t wanted,
                       struct vhost_front_queue *queues, uint32_t count)
{
    struct vu_message table = {.request = VU_SET_MEM_TABLE};

    front_connect(front, path);
    front->features = front_get(front, VU_GET_FEATURES) & (wanted | F_PROTOCOL);
    (void)front_get(front, VU_GET_PROTOCOL_FEATURES);
    front_set(front, VU_SET_PROTOCOL_FEATURES, 0, -1);
    front_set(front, VU_SET_OWNER, 0, -1);
    front_set(front, VU_SET_FEATURES, front->features, -1);
    table.payload.memory.count = 1;
    table.payload.memory.region =
        (struct vu_region){front->gpa, front->size, (uint64_t)(uintptr_t)front->mem, 0};
    front_send(front, &table, 8U + sizeof(struct vu_region), front->memfd);
    for (uint32_t i = 0; i < count; i++) {
        front_start_queue(front, i, &queues[i]);
    }
}
