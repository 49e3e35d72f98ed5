/* SPDX-License-Identifier: BSD-3-Clause */
/* The device tree that a guest boots with. */
#ifndef HYP_GUEST_DT_H
#define HYP_GUEST_DT_H

#include <stddef.h>
#include <stdint.h>

struct guest;

struct guest_dt {
    const struct guest *guest;
    uint64_t initrd;      /* guest address */
    uint64_t initrd_size; /* 0: none */
    const char *bootargs;
};

/* Write the tree to `buffer`. @return its size; 0 if `size` is too small. */
size_t guest_dt_write(const struct guest_dt *dt, void *buffer, size_t size);

/* First guest address behind the memory that a kernel may use. */
uint64_t guest_dt_ram_end(const struct guest *guest);

#endif
