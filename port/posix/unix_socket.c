/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening on a Unix socket: address -> an old socket -> listening. */
#include "unix_socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "posix_error.h"
#include "posix_internal.h"

/* Somebody answers at this address. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool alive =
        fd >= 0 &&
        (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);

    posix_close(&fd);
    return alive;
}

static bool is_socket(const char *path)
{
    struct stat about;

    return lstat(path, &about) == 0 && S_ISSOCK(about.st_mode);
}

static enum avps_status try_listen(const struct sockaddr_un *address, int *fd)
{
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd >= 0 && bind(*fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        listen(*fd, 1) == 0) {
        return AVPS_OK;
    }
    posix_close(fd);
    return AVPS_E_IO;
}

enum avps_status posix_listen(const char *path, int *fd, struct avps_posix_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        return posix_fail(error, AVPS_E_PARAM, "the socket path %.60s... is longer than %zu bytes",
                          path, sizeof address.sun_path - 1U);
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (try_listen(&address, fd) == AVPS_OK) {
        return AVPS_OK;
    }
    if (errno == EADDRINUSE && is_socket(path)) {
        if (is_alive(&address)) {
            return posix_fail(error, AVPS_E_STATE, "another program listens on %s", path);
        }
        (void)unlink(path);
        if (try_listen(&address, fd) == AVPS_OK) {
            return AVPS_OK;
        }
    }
    return posix_fail_errno(error, AVPS_E_IO, "cannot listen on", path);
}
