/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool stack's side of a guest, in xenstore: `xl create` announces a virtio disk and holds the guest
 * back until somebody says that it is served; `xl destroy` asks for the end and waits for it.
 *
 * What is announced is that there is a guest, by its first register window: what devices it has in this
 * and other windows, the program knows. Threads: the loop's context. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "avps_posix/loop.h"

struct store;

/* A guest's announcement. */
struct store_guest {
    uint32_t domain;
    uint32_t device;       /* number of the disk, as xenstore has it */
    char name[64];         /* of the guest */
    uint64_t memory_bytes; /* that it may have at most */
    uint64_t base;         /* the window */
    uint32_t irq;
};

struct store_ops {
    /* A guest waits: serve it, then store_answer. */
    void (*arrived)(void *ctx, const struct store_guest *guest);
    /* It is to go, or is gone: let go of all that is its, then store_answer. */
    void (*leaving)(void *ctx, uint32_t domain, uint32_t device);
};

/* Our answers. */
enum store_state { STORE_SERVED = 2, STORE_CLOSED = 6 };

/* Open, and tell of guests that wait already from the loop. NULL: xenstore is not there (errno). */
struct store *store_open(struct avps_posix_loop *loop, const struct store_ops *ops, void *ctx);

/* The domain that this program runs in. */
uint32_t store_own_domain(const struct store *store);

void store_answer(struct store *store, uint32_t domain, uint32_t device, enum store_state state);

void store_close(struct store *store);

#endif
