/* SPDX-License-Identifier: BSD-3-Clause */
/* tcpbulk serve PORT COMMAND | PEER PORT send BYTES | PEER PORT receive BYTES | PEER PORT run | PEER PORT end:
 * bulk data over TCP between two guests, every byte checked, and work for the other one.
 *
 * A connection asks for one thing: {kind, bytes, seed} in network order. "send": that many bytes of noise
 * follow, the server answers {bytes seen, CRC-32}. "receive": the server sends them. "run": it runs its
 * command and answers {exit status, milliseconds}. "end": it answers {0, 0} and ends. */
#include "bytes.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PIECE     16384U
#define TIMEOUT_S 60

enum kind { KIND_SEND = 1, KIND_RECEIVE, KIND_RUN, KIND_END };

struct ask {
    uint32_t kind;
    uint32_t bytes;
    uint32_t seed;
};

#define ASK_SIZE    12U
#define ANSWER_SIZE 8U

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len != 0U) {
        const ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

        if (sent <= 0) {
            return false;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static bool read_all(int fd, uint8_t *data, size_t len)
{
    while (len != 0U) {
        const ssize_t got = recv(fd, data, len, 0);

        if (got <= 0) {
            return false;
        }
        data += got;
        len -= (size_t)got;
    }
    return true;
}

static void set_timeout(int fd)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

/* ---- noise, piece by piece ---- */

static bool send_noise(int fd, const struct ask *ask)
{
    uint8_t piece[PIECE];
    uint32_t at = 0;

    for (uint32_t left = ask->bytes; left != 0U; at++) {
        const uint32_t len = left < PIECE ? left : PIECE;

        bytes_noise(piece, len, ask->seed + at);
        if (!write_all(fd, piece, len)) {
            return false;
        }
        left -= len;
    }
    return true;
}

/* @return whether all of it came, and was what had been sent. */
static bool receive_noise(int fd, const struct ask *ask, uint32_t *crc)
{
    uint8_t piece[PIECE];
    uint8_t expected[PIECE];
    uint32_t at = 0;

    *crc = 0;
    for (uint32_t left = ask->bytes; left != 0U; at++) {
        const uint32_t len = left < PIECE ? left : PIECE;

        if (!read_all(fd, piece, len)) {
            return false;
        }
        bytes_noise(expected, len, ask->seed + at);
        if (memcmp(piece, expected, len) != 0) {
            printf("piece %u came wrong\n", at);
            return false;
        }
        *crc = bytes_crc(*crc, piece, len);
        left -= len;
    }
    return true;
}

/* CRC-32 of what send_noise sends. */
static uint32_t noise_crc(const struct ask *ask)
{
    uint8_t piece[PIECE];
    uint32_t crc = 0;
    uint32_t at = 0;

    for (uint32_t left = ask->bytes; left != 0U; at++) {
        const uint32_t len = left < PIECE ? left : PIECE;

        bytes_noise(piece, len, ask->seed + at);
        crc = bytes_crc(crc, piece, len);
        left -= len;
    }
    return crc;
}

/* ---- server ---- */

static uint32_t run_command(const char *command, uint32_t *millis)
{
    struct timespec before;
    struct timespec after;

    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    const int status = system(command); /* NOLINT(cert-env33-c): the command is the script's */

    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    *millis = (uint32_t)((after.tv_sec - before.tv_sec) * 1000 +
                         (after.tv_nsec - before.tv_nsec) / 1000000);
    return status == 0 ? 0U : 1U;
}

static bool answer(int fd, uint32_t first, uint32_t second)
{
    uint8_t bytes[ANSWER_SIZE];

    bytes_put(bytes, first);
    bytes_put(bytes + 4, second);
    return write_all(fd, bytes, sizeof bytes);
}

static bool serve_one(int fd, const struct ask *ask, const char *command)
{
    uint32_t first = 0;
    uint32_t second = 0;

    switch (ask->kind) {
    case KIND_SEND:
        first = receive_noise(fd, ask, &second) ? ask->bytes : 0U;
        return answer(fd, first, second);
    case KIND_RECEIVE:
        return send_noise(fd, ask);
    case KIND_RUN:
        first = run_command(command, &second);
        return answer(fd, first, second);
    default:
        return answer(fd, 0U, 0U);
    }
}

static bool read_ask(int fd, struct ask *ask)
{
    uint8_t bytes[ASK_SIZE];

    set_timeout(fd);
    if (!read_all(fd, bytes, sizeof bytes)) {
        return false;
    }
    *ask = (struct ask){bytes_get(bytes), bytes_get(bytes + 4), bytes_get(bytes + 8)};
    return true;
}

/* Each connection is served by a process of its own, so that several are served at once. */
static int serve(uint16_t port, const char *command)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int one = 1;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct ask ask = {0};

    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 4) != 0) {
        perror("tcpbulk serve");
        return 2;
    }
    while (ask.kind != KIND_END) {
        const int fd = accept(listener, NULL, NULL);

        if (fd < 0) {
            continue;
        }
        if (read_ask(fd, &ask) && fork() == 0) {
            _exit(serve_one(fd, &ask, command) ? 0 : 1);
        }
        (void)close(fd);
    }
    return 0;
}

/* ---- client ---- */

static int dial(const char *peer, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || inet_pton(AF_INET, peer, &address.sin_addr) != 1) {
        perror("tcpbulk");
        exit(2);
    }
    set_timeout(fd);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* Ask, and for a sender or a runner wait for the answer. */
static bool client(int fd, const struct ask *ask)
{
    uint8_t bytes[ASK_SIZE];
    uint32_t crc = 0;

    bytes_put(bytes, ask->kind);
    bytes_put(bytes + 4, ask->bytes);
    bytes_put(bytes + 8, ask->seed);
    if (!write_all(fd, bytes, ASK_SIZE)) {
        return false;
    }
    if (ask->kind == KIND_RECEIVE) {
        return receive_noise(fd, ask, &crc);
    }
    if ((ask->kind == KIND_SEND && !send_noise(fd, ask)) || !read_all(fd, bytes, ANSWER_SIZE)) {
        return false;
    }
    if (ask->kind == KIND_SEND) {
        return bytes_get(bytes) == ask->bytes && bytes_get(bytes + 4) == noise_crc(ask);
    }
    if (ask->kind == KIND_RUN) {
        printf("%u\n", bytes_get(bytes + 4));
    }
    return bytes_get(bytes) == 0U;
}

static uint32_t kind_of(const char *word)
{
    static const char *const words[] = {
        [KIND_SEND] = "send", [KIND_RECEIVE] = "receive", [KIND_RUN] = "run", [KIND_END] = "end"};

    for (uint32_t kind = KIND_SEND; kind <= KIND_END; kind++) {
        if (strcmp(word, words[kind]) == 0) {
            return kind;
        }
    }
    return 0U;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        return serve((uint16_t)strtoul(argv[2], NULL, 10), argv[3]);
    }
    if (argc >= 4 && kind_of(argv[3]) != 0U) {
        const struct ask ask = {kind_of(argv[3]),
                                argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0U,
                                (uint32_t)getpid()};

        return client(dial(argv[1], (uint16_t)strtoul(argv[2], NULL, 10)), &ask) ? 0 : 1;
    }
    (void)fprintf(stderr, "usage: tcpbulk serve PORT COMMAND\n"
                          "       tcpbulk PEER PORT send BYTES | receive BYTES | run | end\n");
    return 2;
}
