/* SPDX-License-Identifier: BSD-3-Clause */
/* consolepeer: the other end of the console workload, on the Unix sockets of two console ports:
 * answers questions on the first, echoes all on the second, until the first is closed.
 *
 * usage: consolepeer SOCKET SOCKET */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PEER_LINE  128U
#define PEER_BULK  16384U
#define PEER_TRIES 200

static int peer_connect(const char *path)
{
    const struct timespec nap = {.tv_nsec = 50000000};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (int i = 0; i < PEER_TRIES; i++) {
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
        (void)nanosleep(&nap, NULL);
    }
    perror(path);
    exit(2);
}

static bool peer_write(int fd, const char *bytes, size_t size)
{
    while (size > 0U) {
        const ssize_t put = write(fd, bytes, size);

        if (put <= 0) {
            return false;
        }
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* A whole line of the guest. */
static void peer_line(int fd, const char *line)
{
    char answer[PEER_LINE];
    unsigned int number = 0;

    if (sscanf(line, "AVPS-ASK %u", &number) == 1) {
        const int size = snprintf(answer, sizeof answer, "AVPS-ANSWER %u\n", number + 1U);

        (void)peer_write(fd, answer, (size_t)size);
    }
}

/* @return false: the port is closed. */
static bool peer_dialogue(int fd)
{
    static char line[PEER_LINE];
    static size_t length;
    char byte = 0;

    if (read(fd, &byte, 1) != 1) {
        return false;
    }
    if (byte != '\n' && byte != '\r' && length < sizeof line - 1U) {
        line[length++] = byte;
        return true;
    }
    line[length] = '\0';
    length = 0;
    peer_line(fd, line);
    return true;
}

static bool peer_echo(int fd)
{
    static char bulk[PEER_BULK];
    const ssize_t got = read(fd, bulk, sizeof bulk);

    return got > 0 && peer_write(fd, bulk, (size_t)got);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: consolepeer SOCKET SOCKET\n");
        return 2;
    }
    struct pollfd ports[2] = {{.fd = peer_connect(argv[1]), .events = POLLIN},
                              {.fd = peer_connect(argv[2]), .events = POLLIN}};

    while (poll(ports, 2, -1) > 0) {
        if (ports[0].revents != 0 && !peer_dialogue(ports[0].fd)) {
            return 0;
        }
        if (ports[1].revents != 0 && !peer_echo(ports[1].fd)) {
            ports[1].fd = -1;
        }
    }
    perror("consolepeer: poll");
    return 2;
}
