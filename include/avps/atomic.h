/* SPDX-License-Identifier: BSD-3-Clause */
/** @file atomic.h
 *  The C11 atomic types that public structures hold, under the same names for C++ before C++23.
 *
 *  Memory: none. Threads: any. Guest: none.
 */
#ifndef AVPS_ATOMIC_H
#define AVPS_ATOMIC_H

#if defined(__cplusplus) && __cplusplus < 202302L
#include <atomic>
using std::atomic_bool;
using std::atomic_uchar;
using std::atomic_uint;
using std::atomic_ushort;
#else
#include <stdatomic.h>
#endif

#endif
