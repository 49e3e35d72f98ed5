/* SPDX-License-Identifier: BSD-3-Clause */
/* The device tree that the guest boots with. */
#ifndef HYP_GUEST_DT_H
#define HYP_GUEST_DT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_dt {
    uint64_t ram_size;
    uint64_t initrd_start; /* guest addresses */
    uint64_t initrd_end;
    const char *bootargs;
};

/* Write the tree to `buffer`. @return its size; 0 if `size` is too small. */
size_t guest_dt_write(const struct guest_dt *dt, void *buffer, size_t size);

#endif
