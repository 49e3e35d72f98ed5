/* SPDX-License-Identifier: BSD-3-Clause */
/* PSCI 1.1 for one guest, over the SMC calling convention 1.1: which of its virtual CPUs are on, and
 * what a call does. The caller does it: starts a CPU, parks one, ends the guest.
 *
 * Memory: the caller's. Threads: one lock of yours around all calls for one guest. Guest: any function
 * number and any argument. */
#ifndef BM_PSCI_H
#define BM_PSCI_H

#include <stdbool.h>
#include <stdint.h>

#include "bm_gic.h"

enum bm_psci_action {
    BM_PSCI_RESUME, /* answered in x0 */
    BM_PSCI_START,  /* answered in x0; have CPU `target` start */
    BM_PSCI_PARK,   /* the calling CPU switched itself off */
    BM_PSCI_OFF,    /* the guest switched itself off */
    BM_PSCI_RESET   /* the guest asked for a reset */
};

enum bm_psci_state { BM_PSCI_CPU_OFF, BM_PSCI_CPU_STARTING, BM_PSCI_CPU_ON };

struct bm_psci_cpu {
    enum bm_psci_state state;
    uint64_t entry;   /* where it starts */
    uint64_t context; /* its x0 then */
};

struct bm_psci {
    uint32_t cpu_count;
    uint64_t ram; /* guest memory, in which entries must lie */
    uint64_t ram_size;
    uint32_t target; /* of BM_PSCI_START */
    struct bm_psci_cpu cpus[BM_CPUS];
};

/* All CPUs off but the first, which starts at `entry` with x0 `context`. `cpu_count` 1..BM_CPUS. */
void bm_psci_init(struct bm_psci *psci, uint32_t cpu_count, uint64_t entry, uint64_t context);

/* Memory in which CPUs may start; before the guest runs. */
void bm_psci_memory(struct bm_psci *psci, uint64_t ram, uint64_t size);

/* Serve an HVC or SMC of CPU `cpu`, whose registers are `x`. */
enum bm_psci_action bm_psci_call(struct bm_psci *psci, uint32_t cpu, uint64_t x[31]);

/* CPU `cpu` begins to run. @return false if nothing started it. */
bool bm_psci_begin(struct bm_psci *psci, uint32_t cpu);

#endif
