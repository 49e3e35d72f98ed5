/* SPDX-License-Identifier: BSD-3-Clause */
/** @file error.h
 *  A line for a person: what is wrong and what to do about it.
 *
 *  Memory: the caller's. Threads: any. Guest: never sees it.
 */
#ifndef AVPS_POSIX_ERROR_H
#define AVPS_POSIX_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of a line, its end included; longer ones are cut. */
#define AVPS_POSIX_ERROR_SIZE 320U

/** Filled by a call that fails, else left as it was. */
struct avps_posix_error {
    char text[AVPS_POSIX_ERROR_SIZE]; /**< Without newline. */
};

#ifdef __cplusplus
}
#endif
#endif
