/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages: descriptors -> receiving -> sending. */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- descriptors ---- */

union vu_control {
    struct cmsghdr head;
    uint8_t space[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
};

void vu_inbox_init(struct vu_inbox *box)
{
    box->got = 0;
    box->message.fd_count = 0;
    (void)memset(&box->message.payload, 0, sizeof box->message.payload);
}

void vu_inbox_clear(struct vu_inbox *box)
{
    for (uint32_t i = 0; i < box->message.fd_count; i++) {
        const int fd = vu_message_take_fd(&box->message, i);

        if (fd >= 0) {
            (void)close(fd);
        }
    }
    vu_inbox_init(box);
}

int vu_message_take_fd(struct vu_message *message, uint32_t i)
{
    if (i >= message->fd_count) {
        return -1;
    }
    const int fd = message->fds[i];

    message->fds[i] = -1;
    return fd;
}

/* Keep what arrived; one that is too many is closed at once. @return whether all fitted. */
static bool inbox_keep_fds(struct vu_message *message, const uint8_t *data, size_t count)
{
    bool fits = true;

    for (size_t i = 0; i < count; i++) {
        int fd = -1;

        (void)memcpy(&fd, data + i * sizeof fd, sizeof fd);
        if (message->fd_count < VU_FDS_MAX) {
            message->fds[message->fd_count] = fd;
            message->fd_count++;
        } else {
            (void)close(fd);
            fits = false;
        }
    }
    return fits;
}

static bool inbox_keep_control(struct vu_message *message, struct msghdr *msg)
{
    bool fits = (msg->msg_flags & MSG_CTRUNC) == 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            fits = inbox_keep_fds(message, CMSG_DATA(c), count) && fits;
        }
    }
    return fits;
}

/* ---- receiving ---- */

static const char *header_check(const struct vu_header *header)
{
    if ((header->flags & VU_FLAG_VERSION_MASK) != VU_FLAG_VERSION) {
        return "a header with another protocol version than 1";
    }
    if ((header->flags & VU_FLAG_REPLY) != 0U) {
        return "a reply that nobody asked for";
    }
    if ((header->flags & ~VU_FLAG_KNOWN) != 0U) {
        return "a header with unknown flags";
    }
    return header->size <= VU_PAYLOAD_MAX ? NULL : "a payload that is too long for any message";
}

/* Bytes that the message still lacks. */
static size_t inbox_lacks(const struct vu_inbox *box)
{
    const size_t head = sizeof box->message.header;

    return box->got < head ? head - box->got : head + box->message.header.size - box->got;
}

static uint8_t *inbox_end(struct vu_inbox *box)
{
    const size_t head = sizeof box->message.header;

    return box->got < head ? (uint8_t *)&box->message.header + box->got
                           : box->message.payload.bytes + (box->got - head);
}

/* One read. @return bytes, 0 at the end of the stream, -1 with errno. */
static ssize_t inbox_read(struct vu_inbox *box, int fd, const char **why)
{
    union vu_control control;
    struct iovec piece = {.iov_base = inbox_end(box), .iov_len = inbox_lacks(box)};
    struct msghdr msg = {.msg_iov = &piece,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    const ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n >= 0 && !inbox_keep_control(&box->message, &msg)) {
        *why = "more than 8 file descriptors";
    }
    return n;
}

static enum vu_receive_result inbox_ended(const struct vu_inbox *box, ssize_t n, const char **why)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return VU_INCOMPLETE;
    }
    if (n == 0 && box->got != 0U) {
        *why = "a message that ends early";
        return VU_MALFORMED;
    }
    return VU_GONE; /* or reset by the other side */
}

enum vu_receive_result vu_inbox_receive(struct vu_inbox *box, int fd, const char **why)
{
    const size_t head = sizeof box->message.header;

    *why = NULL;
    while (inbox_lacks(box) != 0U) {
        const ssize_t n = inbox_read(box, fd, why);

        if (*why != NULL) {
            return VU_MALFORMED;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return inbox_ended(box, n, why);
        }
        box->got += (size_t)n;
        if (box->got == head) {
            *why = header_check(&box->message.header);
        }
        if (*why != NULL) {
            return VU_MALFORMED;
        }
    }
    return VU_RECEIVED;
}

/* ---- sending ---- */

bool vu_send(int fd, const struct vu_header *header, const void *payload, int sent_fd)
{
    union vu_control control = {.space = {0}};
    struct vu_header head = *header;
    struct iovec pieces[2] = {{.iov_base = &head, .iov_len = sizeof head}};
    struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = 1};
    uint8_t copy[VU_PAYLOAD_MAX];

    if (header->size != 0U) {
        (void)memcpy(copy, payload, header->size);
        pieces[1] = (struct iovec){.iov_base = copy, .iov_len = header->size};
        msg.msg_iovlen = 2;
    }
    if (sent_fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof sent_fd);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof sent_fd);
        (void)memcpy(CMSG_DATA(c), &sent_fd, sizeof sent_fd);
    }
    ssize_t n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) {
        n = writev(fd, pieces, (int)msg.msg_iovlen); /* User-mode Linux gives a pipe */
    }
    return n == (ssize_t)(sizeof head + header->size);
}
