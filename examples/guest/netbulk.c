/* SPDX-License-Identifier: BSD-3-Clause */
/* netbulk PEER echo COUNT | send BYTES | receive BYTES: traffic with a network peer (netbulk.h),
 * every byte checked. A window that was not answered in time is repeated. */
#include "netbulk.h"
#include "bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PAYLOAD NETBULK_PAYLOAD
#define HEADER  NETBULK_HEADER
#define WINDOW  32U
#define TRIES   5U

#define NET_REPEATS 5UL /* percent of windows that may be repeated */

static int net_socket(const char *peer, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval timeout = {.tv_sec = 6}; /* the machine may be an emulated one */
    const int space = 1 << 20;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || inet_pton(AF_INET, peer, &address.sin_addr) != 1 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &space, sizeof space) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror("socket");
        exit(2);
    }
    return fd;
}

static bool net_echo(int fd, unsigned long count)
{
    uint8_t out[1472];
    uint8_t in[sizeof out + 1U];

    for (uint32_t i = 0; i < count; i++) {
        const size_t len = 1U + (size_t)i * 37U % sizeof out;

        bytes_noise(out, len, i);
        if (send(fd, out, len, 0) != (ssize_t)len || recv(fd, in, sizeof in, 0) != (ssize_t)len ||
            memcmp(out, in, len) != 0) {
            printf("echo %u of %zu bytes came back wrong or not at all\n", i, len);
            return false;
        }
    }
    return true;
}

/* One window out. @return whether the peer saw the same bytes. */
static bool net_send_window(int fd, uint32_t window)
{
    uint8_t packet[HEADER + PAYLOAD];
    uint8_t answer[HEADER];
    uint32_t crc = 0;

    for (uint32_t i = 0; i < WINDOW; i++) {
        bytes_put(packet, window);
        bytes_put(packet + 4, i);
        bytes_put(packet + 8, WINDOW);
        bytes_noise(packet + HEADER, PAYLOAD, window * WINDOW + i);
        crc = bytes_crc(crc, packet + HEADER, PAYLOAD);
        if (send(fd, packet, sizeof packet, 0) != (ssize_t)sizeof packet) {
            return false;
        }
    }
    do { /* an answer to a window that was given up may still come */
        if (recv(fd, answer, sizeof answer, 0) != (ssize_t)sizeof answer) {
            return false;
        }
    } while (bytes_get(answer) != window);
    return bytes_get(answer + 4) == WINDOW && bytes_get(answer + 8) == crc;
}

/* One window in. @return whether all datagrams came and fit their checksums. */
static bool net_receive_window(int fd, uint32_t window)
{
    uint8_t packet[HEADER + PAYLOAD + 1U];
    uint8_t request[NETBULK_REQUEST];
    uint32_t seen = 0;

    bytes_put(request, window);
    bytes_put(request + 4, WINDOW);
    if (send(fd, request, sizeof request, 0) != (ssize_t)sizeof request) {
        return false;
    }
    while (seen < WINDOW) {
        if (recv(fd, packet, sizeof packet, 0) != (ssize_t)(HEADER + PAYLOAD)) {
            return false;
        }
        if (bytes_get(packet) != window) {
            continue; /* left over from a window that was given up */
        }
        if (bytes_get(packet + 4) != seen ||
            bytes_get(packet + 8) != bytes_crc(0U, packet + HEADER, PAYLOAD)) {
            return false;
        }
        seen++;
    }
    return true;
}

/* @return how many times a window had to be repeated; TRIES: it was given up. */
static unsigned int net_move(int fd, uint32_t window, bool (*move)(int fd, uint32_t window))
{
    unsigned int repeats = 0;

    while (repeats < TRIES && !move(fd, window)) {
        repeats++;
    }
    return repeats;
}

/* At most `percent` of the windows may have to be repeated. */
static bool net_bulk(int fd, unsigned long bytes, unsigned long percent,
                     bool (*move)(int fd, uint32_t window))
{
    const unsigned long size = (unsigned long)WINDOW * PAYLOAD;
    const unsigned long windows = (bytes + size - 1U) / size;
    unsigned long repeats = 0;

    for (uint32_t window = 0; window < windows; window++) {
        const unsigned int more = net_move(fd, window, move);

        if (more == TRIES) {
            printf("window %u of %lu failed %u times\n", window, windows, TRIES);
            return false;
        }
        repeats += more;
    }
    printf("%lu windows of %u datagrams, %lu repeated\n", windows, WINDOW, repeats);
    return repeats * 100U <= windows * percent;
}

int main(int argc, char **argv)
{
    const unsigned long amount = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0UL;
    const unsigned long percent = argc == 5 ? strtoul(argv[4], NULL, 10) : NET_REPEATS;

    if (amount != 0UL && strcmp(argv[2], "echo") == 0) {
        return net_echo(net_socket(argv[1], NETBULK_PORT_ECHO), amount) ? 0 : 1;
    }
    if (amount != 0UL && strcmp(argv[2], "send") == 0) {
        return net_bulk(net_socket(argv[1], NETBULK_PORT_SINK), amount, percent, net_send_window)
                   ? 0
                   : 1;
    }
    if (amount != 0UL && strcmp(argv[2], "receive") == 0) {
        return net_bulk(net_socket(argv[1], NETBULK_PORT_SOURCE), amount, percent,
                        net_receive_window)
                   ? 0
                   : 1;
    }
    (void)fprintf(
        stderr,
        "usage: netbulk PEER echo COUNT | send BYTES [PERCENT] | receive BYTES [PERCENT]\n");
    return 2;
}
