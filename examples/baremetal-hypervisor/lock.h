/* SPDX-License-Identifier: BSD-3-Clause */
/* Spin locks. Order in which they are taken: a guest's, the networks' or a bus's, a guest's interrupts', the UART's. */
#ifndef HYP_LOCK_H
#define HYP_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

/* Among the CPUs of one guest, and for what is held briefly: whoever comes first has it. */
struct lock {
    atomic_bool held;
};

static inline void lock_take(struct lock *lock)
{
    while (atomic_exchange_explicit(&lock->held, true, memory_order_acquire)) {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed)) {
        }
    }
}

static inline void lock_give(struct lock *lock)
{
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

/* Among guests: CPUs get it in the order in which they came, so none waits longer than all others hold it
 * once. */
struct fair_lock {
    atomic_uint next;
    atomic_uint serving;
};

static inline void fair_lock_take(struct fair_lock *lock)
{
    const unsigned int ticket = atomic_fetch_add_explicit(&lock->next, 1U, memory_order_relaxed);

    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket) {
    }
}

static inline void fair_lock_give(struct fair_lock *lock)
{
    const unsigned int served = atomic_load_explicit(&lock->serving, memory_order_relaxed);

    atomic_store_explicit(&lock->serving, served + 1U, memory_order_release);
}

#endif
