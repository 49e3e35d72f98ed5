/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines for a person -> errno to status. */
#include "posix_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum avps_status posix_fail(struct avps_posix_error *error, enum avps_status status,
                            const char *format, ...)
{
    va_list values;

    if (error != NULL) {
        va_start(values, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is just above */
        (void)vsnprintf(error->text, sizeof error->text, format, values);
        va_end(values);
    }
    return status;
}

enum avps_status posix_fail_errno(struct avps_posix_error *error, enum avps_status status,
                                  const char *what, const char *name)
{
    char text[128];

    return posix_fail(error, status, "%s %s: %s", what, name, strerror_r(errno, text, sizeof text));
}

enum avps_status posix_status(int number)
{
    switch (number) {
    case 0:
        return AVPS_OK;
    case ENOSPC:
    case EDQUOT:
        return AVPS_E_NOSPACE;
    case EOPNOTSUPP:
        return AVPS_E_UNSUPPORTED;
    default:
        return AVPS_E_IO;
    }
}
