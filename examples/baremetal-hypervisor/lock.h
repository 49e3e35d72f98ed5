/* SPDX-License-Identifier: BSD-3-Clause */
/* A ticket lock: CPUs get it in the order in which they came, so none waits longer than all others hold
 * it once. Order in which locks are taken: a guest's, the network's, a guest's interrupts', the UART's. */
#ifndef HYP_LOCK_H
#define HYP_LOCK_H

#include <stdatomic.h>

struct lock {
    atomic_uint next;
    atomic_uint serving;
};

static inline void lock_take(struct lock *lock)
{
    const unsigned int ticket = atomic_fetch_add_explicit(&lock->next, 1U, memory_order_relaxed);

    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket) {
    }
}

static inline void lock_give(struct lock *lock)
{
    const unsigned int served = atomic_load_explicit(&lock->serving, memory_order_relaxed);

    atomic_store_explicit(&lock->serving, served + 1U, memory_order_release);
}

#endif
