/* SPDX-License-Identifier: BSD-3-Clause */
/* netpeer: the other end of netbulk (netbulk.h), on every address of this machine, until killed. */
#include "bytes.h"
#include "netbulk.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_LARGEST 65536U
#define PEER_BURST   256U /* datagrams asked for at once, at most */

/* A datagram that came in, and what is known of the window that is being received. */
struct peer {
    uint8_t data[PEER_LARGEST];
    size_t len;
    struct sockaddr_in from;
    uint32_t window, seen, crc;
};

static int peer_socket(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const int space = 1 << 20;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &space, sizeof space) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror("netpeer: socket");
        exit(2);
    }
    return fd;
}

static void peer_answer(int fd, const struct peer *peer, const uint8_t *data, size_t len)
{
    (void)sendto(fd, data, len, 0, (const struct sockaddr *)&peer->from, sizeof peer->from);
}

static void peer_echo(int fd, struct peer *peer)
{
    peer_answer(fd, peer, peer->data, peer->len);
}

/* A datagram out of order is not counted, so that its window comes out as incomplete. */
static void peer_sink(int fd, struct peer *peer)
{
    uint8_t answer[NETBULK_HEADER];

    if (peer->len != NETBULK_HEADER + NETBULK_PAYLOAD) {
        return;
    }
    const uint32_t index = bytes_get(peer->data + 4);

    if (index == 0U) {
        peer->window = bytes_get(peer->data);
        peer->seen = 0U;
        peer->crc = 0U;
    }
    if (bytes_get(peer->data) == peer->window && index == peer->seen) {
        peer->seen++;
        peer->crc = bytes_crc(peer->crc, peer->data + NETBULK_HEADER, NETBULK_PAYLOAD);
    }
    if (index + 1U == bytes_get(peer->data + 8)) {
        bytes_put(answer, peer->window);
        bytes_put(answer + 4, peer->seen);
        bytes_put(answer + 8, peer->crc);
        peer_answer(fd, peer, answer, sizeof answer);
    }
}

static void peer_source(int fd, struct peer *peer)
{
    uint8_t packet[NETBULK_HEADER + NETBULK_PAYLOAD];

    if (peer->len != NETBULK_REQUEST) {
        return;
    }
    const uint32_t window = bytes_get(peer->data);
    const uint32_t count = bytes_get(peer->data + 4);

    for (uint32_t i = 0; i < count && i < PEER_BURST; i++) {
        bytes_noise(packet + NETBULK_HEADER, NETBULK_PAYLOAD, window * count + i);
        bytes_put(packet, window);
        bytes_put(packet + 4, i);
        bytes_put(packet + 8, bytes_crc(0U, packet + NETBULK_HEADER, NETBULK_PAYLOAD));
        peer_answer(fd, peer, packet, sizeof packet);
    }
}

static bool peer_receive(int fd, struct peer *peer)
{
    socklen_t size = sizeof peer->from;
    const ssize_t got =
        recvfrom(fd, peer->data, sizeof peer->data, 0, (struct sockaddr *)&peer->from, &size);

    peer->len = got < 0 ? 0U : (size_t)got;
    return got >= 0;
}

int main(void)
{
    static void (*const serve[])(int fd, struct peer *peer) = {peer_echo, peer_sink, peer_source};
    static struct peer peer;
    struct pollfd wait[] = {
        {.fd = peer_socket(NETBULK_PORT_ECHO), .events = POLLIN},
        {.fd = peer_socket(NETBULK_PORT_SINK), .events = POLLIN},
        {.fd = peer_socket(NETBULK_PORT_SOURCE), .events = POLLIN},
    };

    (void)puts("ready");
    (void)fflush(stdout);
    while (poll(wait, 3, -1) >= 0) {
        for (size_t i = 0; i < 3U; i++) {
            if ((wait[i].revents & POLLIN) != 0 && peer_receive(wait[i].fd, &peer)) {
                serve[i](wait[i].fd, &peer);
            }
        }
    }
    perror("netpeer: poll");
    return 1;
}
