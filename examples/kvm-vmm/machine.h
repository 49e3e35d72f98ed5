/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole machine into a file and out of it. */
#ifndef MACHINE_H
#define MACHINE_H

#include "avps/status.h"
#include "avps_posix/error.h"

struct vm;

/* Write it. Virtual CPUs are held, devices quiesced; no interrupt is sent behind this. A file of this name
 * is replaced only by a whole one. */
enum avps_status machine_save(struct vm *vm, const char *path, struct avps_posix_error *error);

/* Read it into a machine made by the same options, which has not run. Not OK: it must not run. */
enum avps_status machine_load(struct vm *vm, const char *path, struct avps_posix_error *error);

#endif
