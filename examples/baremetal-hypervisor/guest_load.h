/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest begins its life with: a copy of its kernel and of its initramfs, and a device tree. Its memory
 * is otherwise as its last life left it. */
#ifndef HYP_GUEST_LOAD_H
#define HYP_GUEST_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"

struct guest;

/* The kernel for the guest of this name: the one whose arguments begin with "guest=NAME", else one whose
 * arguments name no guest. @return NULL: there is none. */
const struct host_kernel *guest_load_find(const struct host *host, const char *name);

/* Whether kernel and initramfs fit. A kernel that is no Linux Image is a program, and gets no initramfs. */
bool guest_load_fits(struct guest *guest);

void guest_load(struct guest *guest);

/* Guest address of the first instruction. */
uint64_t guest_load_entry(const struct guest *guest);

#endif
