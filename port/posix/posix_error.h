/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines for a person, and what an errno means to the library. */
#ifndef POSIX_ERROR_H
#define POSIX_ERROR_H

#include "avps/status.h"
#include "avps_posix/error.h"

/* Fill in a line; `error` may be NULL. @return `status`, for a return statement. */
__attribute__((format(printf, 3, 4))) enum avps_status
posix_fail(struct avps_posix_error *error, enum avps_status status, const char *format, ...);

/* "name: text of errno", the usual line of a failed call about something with a name. */
enum avps_status posix_fail_errno(struct avps_posix_error *error, enum avps_status status,
                                  const char *what, const char *name);

/* What the guest's request is answered with. @param number  errno, positive. */
enum avps_status posix_status(int number);

#endif
