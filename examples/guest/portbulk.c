/* SPDX-License-Identifier: BSD-3-Clause */
/* portbulk PORT BYTES: send that much noise through a character device that echoes, and check what
 * comes back, both directions at once. Gives up when nothing moves for ten seconds. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEND    20000U /* more than the other side holds at once: it has to push back */
#define RECEIVE 1000U
#define IDLE_MS 10000

/* One end of the stream: where it is, and the generator of its bytes. */
struct stream {
    unsigned long done;
    uint32_t noise;
};

static uint8_t stream_next(struct stream *stream)
{
    stream->noise = stream->noise * 1664525U + 1013904223U;
    return (uint8_t)(stream->noise >> 24);
}

/* Send a piece; what was not taken is made again from the generator's earlier state. */
static bool stream_send(int fd, struct stream *out, unsigned long total)
{
    const unsigned long left = total - out->done;
    const size_t len = left < SEND ? (size_t)left : SEND;
    const struct stream before = *out;
    uint8_t piece[SEND];

    for (size_t i = 0; i < len; i++) {
        piece[i] = stream_next(out);
    }
    const ssize_t sent = write(fd, piece, len);

    *out = before;
    if (sent < 0) {
        return errno == EAGAIN;
    }
    for (ssize_t i = 0; i < sent; i++) {
        (void)stream_next(out);
    }
    out->done += (unsigned long)sent;
    return true;
}

static bool stream_check(int fd, struct stream *in)
{
    uint8_t piece[RECEIVE];
    const ssize_t got = read(fd, piece, sizeof piece);

    if (got < 0) {
        return errno == EAGAIN;
    }
    for (ssize_t i = 0; i < got; i++, in->done++) {
        if (piece[i] != stream_next(in)) {
            printf("byte %lu came back wrong\n", in->done);
            return false;
        }
    }
    return true;
}

static bool stream_run(int fd, unsigned long total)
{
    struct stream out = {0, 1U};
    struct stream in = {0, 1U};

    while (in.done < total) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        if (out.done < total) {
            wait.events |= POLLOUT;
        }
        if (poll(&wait, 1, IDLE_MS) <= 0) {
            printf("stuck: %lu bytes sent, %lu back\n", out.done, in.done);
            return false;
        }
        if ((wait.revents & POLLIN) != 0 && !stream_check(fd, &in)) {
            return false;
        }
        if ((wait.revents & POLLOUT) != 0 && !stream_send(fd, &out, total)) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    const unsigned long total = argc == 3 ? strtoul(argv[2], NULL, 10) : 0UL;
    const int fd = argc == 3 ? open(argv[1], O_RDWR | O_NONBLOCK) : -1;

    if (fd < 0 || total == 0UL) {
        perror("portbulk PORT BYTES");
        return 2;
    }
    return stream_run(fd, total) ? 0 : 1;
}
