/* SPDX-License-Identifier: BSD-3-Clause */
/* A listening Unix socket that takes the place of one that nobody listens on any more. */
#ifndef UNIX_SOCKET_H
#define UNIX_SOCKET_H

#include "avps/status.h"
#include "avps_posix/error.h"

/* @return AVPS_OK; AVPS_E_PARAM: the path is too long; AVPS_E_STATE: somebody listens there;
 * AVPS_E_IO: anything else, also when a file that is no socket is there. */
enum avps_status posix_listen(const char *path, int *fd, struct avps_posix_error *error);

#endif
