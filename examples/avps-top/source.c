/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes -> lines -> reports; connecting. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

/* ---- bytes to reports ---- */

static uint64_t now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* The report being read is whole: it becomes the present one. */
static void turn_over(struct top_source *source)
{
    struct top_report *oldest = source->before;

    source->next->at_ns = now_ns();
    source->before = source->now;
    source->now = source->next;
    source->next = oldest;
    source->next->count = 0;
    source->problem = NULL;
}

static void take_byte(struct top_source *source, char byte)
{
    if (byte != '\n') {
        if (source->used + 1U < sizeof source->line) {
            source->line[source->used] = byte;
            source->used++;
        }
        return;
    }
    source->line[source->used] = '\0';
    source->used = 0;
    if (report_line(source->next, source->line)) {
        turn_over(source);
    }
}

/* Of a socket that gives one report, the end is no news; of a stream it is. */
static void hang_up(struct top_source *source, const char *why)
{
    (void)close(source->fd);
    source->fd = -1;
    source->used = 0;
    source->next->count = 0;
    if (source->is_stream) {
        source->ended = true;
        source->problem = why;
    }
}

void source_read(struct top_source *source)
{
    char bytes[4096];
    const ssize_t got = read(source->fd, bytes, sizeof bytes);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        hang_up(source, got == 0 ? "ended" : strerror(errno));
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        take_byte(source, bytes[i]);
    }
}

/* ---- connecting ---- */

bool source_init(struct top_source *source, char *argument)
{
    char *equals = strchr(argument, '=');

    (void)memset(source, 0, sizeof *source);
    source->label = "";
    source->path = argument;
    if (equals != NULL) {
        *equals = '\0';
        source->label = argument;
        source->path = equals + 1;
    }
    source->fd = -1;
    source->next = calloc(1, sizeof *source->next);
    source->now = calloc(1, sizeof *source->now);
    source->before = calloc(1, sizeof *source->before);
    return source->next != NULL && source->now != NULL && source->before != NULL;
}

void source_free(struct top_source *source)
{
    if (source->fd >= 0) {
        (void)close(source->fd);
    }
    free(source->next);
    free(source->now);
    free(source->before);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof address.sun_path) {
        errno = fd < 0 ? errno : ENAMETOOLONG;
    } else {
        (void)memcpy(address.sun_path, path, strlen(path));
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
    }
    if (fd >= 0) {
        const int why = errno;

        (void)close(fd);
        errno = why;
    }
    return -1;
}

static int open_source(struct top_source *source)
{
    struct stat about;

    if (strcmp(source->path, "-") == 0) {
        source->is_stream = true;
        return dup(STDIN_FILENO);
    }
    if (stat(source->path, &about) != 0) {
        return -1;
    }
    if (S_ISSOCK(about.st_mode)) {
        return connect_unix(source->path);
    }
    source->is_stream = true;
    return open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

void source_ask(struct top_source *source)
{
    if (source->fd >= 0 || source->ended) {
        return;
    }
    source->fd = open_source(source);
    if (source->fd < 0) {
        source->problem = strerror(errno);
    }
}
