/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection: a report and its end -> open, close. */
#include "avps_posix/stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "posix_error.h"
#include "posix_internal.h"
#include "unix_socket.h"

struct avps_posix_stats {
    struct avps_posix_stats_config config;
    struct avps_posix_source source;
    int fd;
    char *path;
};

/* ---- one connection ---- */

/* A reader that does not take it in gets a report without an end: it must not hold up the devices. */
static bool send_line(int fd, char *line)
{
    const size_t length = strlen(line);

    line[length] = '\n';
    return send(fd, line, length + 1U, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(length + 1U);
}

static void send_report(const struct avps_posix_stats *stats, int fd)
{
    struct avps_stats_device devices[AVPS_POSIX_STATS_DEVICES];
    struct avps_stats report;
    char line[AVPS_STATS_LINE + 1U];

    avps_stats_begin(&report, devices,
                     stats->config.devices(stats->config.ctx, devices, AVPS_POSIX_STATS_DEVICES));
    while (avps_stats_next(&report, line, AVPS_STATS_LINE) && send_line(fd, line)) {
    }
}

static void stats_ready(void *ctx, uint32_t conditions)
{
    const struct avps_posix_stats *stats = ctx;
    int fd = accept4(stats->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)conditions;
    if (fd >= 0) {
        send_report(stats, fd);
        posix_close(&fd);
    }
}

/* ---- open, close ---- */

static enum avps_status stats_listen(struct avps_posix_stats *stats, struct avps_posix_error *error)
{
    const enum avps_status status = posix_listen(stats->path, &stats->fd, error);

    if (status != AVPS_OK) {
        return status;
    }
    if (avps_posix_source_add(&stats->source, stats->config.loop, stats->fd, AVPS_POSIX_READ,
                              stats_ready, stats) != AVPS_OK) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot watch", stats->path);
    }
    return AVPS_OK;
}

enum avps_status avps_posix_stats_open(const struct avps_posix_stats_config *config,
                                       struct avps_posix_stats **stats,
                                       struct avps_posix_error *error)
{
    struct avps_posix_stats *made = NULL;
    enum avps_status status = AVPS_E_NOSPACE;

    if (config->path == NULL || config->loop == NULL || config->devices == NULL) {
        return posix_fail(error, AVPS_E_PARAM, "counters need a path, a loop and devices");
    }
    made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->config = *config;
        made->fd = -1;
        made->path = strdup(config->path);
    }
    if (made == NULL || made->path == NULL) {
        status = posix_fail(error, AVPS_E_NOSPACE, "not enough memory");
    } else {
        status = stats_listen(made, error);
    }
    if (status != AVPS_OK) {
        avps_posix_stats_close(made);
        return status;
    }
    *stats = made;
    return AVPS_OK;
}

void avps_posix_stats_close(struct avps_posix_stats *stats)
{
    if (stats == NULL) {
        return;
    }
    avps_posix_source_remove(&stats->source);
    if (stats->fd >= 0) {
        (void)unlink(stats->path);
        posix_close(&stats->fd);
    }
    free(stats->path);
    free(stats);
}
