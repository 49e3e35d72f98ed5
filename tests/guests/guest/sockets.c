/* SPDX-License-Identifier: BSD-3-Clause */
/* AF_VSOCK in a guest.
 *   sockets echo PORT BYTES   send so many to the host's port, where they come back; compare
 *   sockets many PORT COUNT   so many connections one after the other, then a hundred at once
 *   sockets refused PORT      nobody listens there
 *   sockets serve PORT        serve one connection: send back what comes, until it ends */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* needs sys/socket.h */

#define AT_ONCE 100
#define PIECE   65536U

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "sockets: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static int try_connect(uint32_t port)
{
    const struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port};
    const int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    check(fd >= 0, "socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    (void)close(fd);
    return -1;
}

static int must_connect(uint32_t port)
{
    const int fd = try_connect(port);

    check(fd >= 0, "connect");
    return fd;
}

/* The byte at a place, so that nothing lost or swapped is overlooked. */
static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)((at * 2654435761U) >> 13 ^ at);
}

static void write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len != 0U) {
        const ssize_t put = write(fd, bytes, len);

        check(put > 0, "write");
        bytes += put;
        len -= (size_t)put;
    }
}

/* Both directions at once: poll says which. */
static void echo(uint32_t port, uint64_t total)
{
    static uint8_t out[PIECE];
    static uint8_t in[PIECE];
    const int fd = must_connect(port);
    uint64_t sent = 0;
    uint64_t seen = 0;

    while (seen < total) {
        struct pollfd polled = {.fd = fd, .events = (short)(POLLIN | (sent < total ? POLLOUT : 0))};

        check(poll(&polled, 1, 20000) > 0, "nothing moves for 20 seconds");
        if ((polled.revents & POLLOUT) != 0) {
            const uint64_t left = total - sent;
            const size_t len = left < 4096U ? (size_t)left : 4096U;

            for (size_t i = 0; i < len; i++) {
                out[i] = byte_at(sent + i);
            }
            const ssize_t put = send(fd, out, len, MSG_DONTWAIT);
            check(put > 0 || errno == EAGAIN, "send");
            sent += put > 0 ? (uint64_t)put : 0U;
            if (sent == total) {
                check(shutdown(fd, SHUT_WR) == 0, "shutdown");
            }
        }
        if ((polled.revents & POLLIN) != 0) {
            const ssize_t got = read(fd, in, sizeof in);

            check(got > 0, "the end came early");
            for (ssize_t i = 0; i < got; i++) {
                check(in[i] == byte_at(seen + (uint64_t)i), "a byte differs");
            }
            seen += (uint64_t)got;
        }
    }
    check(read(fd, in, 1) == 0, "more came than was sent");
    (void)close(fd);
}

static void say_and_hear(int fd, uint32_t number)
{
    uint8_t word[4];
    uint8_t answer[4];

    (void)memcpy(word, &number, sizeof word);
    write_all(fd, word, sizeof word);
    for (size_t used = 0; used < sizeof answer;) {
        const ssize_t got = read(fd, answer + used, sizeof answer - used);

        check(got > 0, "an answer is missing");
        used += (size_t)got;
    }
    check(memcmp(word, answer, sizeof word) == 0, "an answer is another's");
}

static void many(uint32_t port, uint32_t count)
{
    int fds[AT_ONCE];

    for (uint32_t i = 0; i < count; i++) {
        const int fd = must_connect(port);

        say_and_hear(fd, i);
        (void)close(fd);
    }
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        fds[i] = must_connect(port);
    }
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        say_and_hear(fds[i], i);
    }
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        (void)close(fds[i]);
    }
}

static void refused(uint32_t port)
{
    check(try_connect(port) < 0 && errno == ECONNRESET, "a port without a listener");
}

static void serve(uint32_t port)
{
    static uint8_t bytes[PIECE];
    const struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
    const int listening = socket(AF_VSOCK, SOCK_STREAM, 0);
    ssize_t got = 0;

    check(listening >= 0 &&
              bind(listening, (const struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listening, 4) == 0,
          "listen");
    (void)puts("AVPS-SERVING");
    (void)fflush(stdout);
    const int fd = accept(listening, NULL, NULL);

    check(fd >= 0, "accept");
    do {
        got = read(fd, bytes, sizeof bytes);
        check(got >= 0, "read");
        write_all(fd, bytes, (size_t)got);
    } while (got != 0);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    const uint32_t port = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0U;
    const uint32_t number = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0U;

    if (argc == 4 && strcmp(argv[1], "echo") == 0) {
        echo(port, number);
    } else if (argc == 4 && strcmp(argv[1], "many") == 0) {
        many(port, number);
    } else if (argc == 3 && strcmp(argv[1], "refused") == 0) {
        refused(port);
    } else if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serve(port);
    } else {
        (void)fputs("usage: sockets echo|many PORT NUMBER, refused|serve PORT\n", stderr);
        return 2;
    }
    return 0;
}
