/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions, one after the other, then the call. */
#include "bm_psci.h"

#include <stddef.h>

#define PSCI_WIDE 0x40000000U /* the 64-bit variant of a call */

#define PSCI_SMCCC_VERSION 0x80000000U
#define PSCI_VERSION       0x84000000U
#define PSCI_CPU_OFF       0x84000002U
#define PSCI_CPU_ON        0x84000003U
#define PSCI_AFFINITY_INFO 0x84000004U
#define PSCI_MIGRATE_INFO  0x84000006U
#define PSCI_SYSTEM_OFF    0x84000008U
#define PSCI_SYSTEM_RESET  0x84000009U
#define PSCI_FEATURES      0x8400000aU

#define PSCI_VERSION_1_1        0x00010001U
#define PSCI_MIGRATE_NOT_NEEDED 2U

#define PSCI_SUCCESS         0U
#define PSCI_NOT_SUPPORTED   ((uint64_t)-1)
#define PSCI_INVALID         ((uint64_t)-2)
#define PSCI_DENIED          ((uint64_t)-3)
#define PSCI_ALREADY_ON      ((uint64_t)-4)
#define PSCI_ON_PENDING      ((uint64_t)-5)
#define PSCI_INVALID_ADDRESS ((uint64_t)-9)

/* Answers of PSCI_AFFINITY_INFO. */
#define PSCI_AFFINITY_ON      0U
#define PSCI_AFFINITY_OFF     1U
#define PSCI_AFFINITY_PENDING 2U

void bm_psci_init(struct bm_psci *psci, uint32_t cpu_count, uint64_t entry, uint64_t context)
{
    psci->cpu_count = cpu_count;
    for (uint32_t i = 0; i < BM_CPUS; i++) {
        psci->cpus[i] = (struct bm_psci_cpu){.state = BM_PSCI_CPU_OFF};
    }
    psci->cpus[0] = (struct bm_psci_cpu){BM_PSCI_CPU_STARTING, entry, context};
}

void bm_psci_memory(struct bm_psci *psci, uint64_t ram, uint64_t size)
{
    psci->ram = ram;
    psci->ram_size = size;
}

bool bm_psci_begin(struct bm_psci *psci, uint32_t cpu)
{
    if (psci->cpus[cpu].state != BM_PSCI_CPU_STARTING) {
        return false;
    }
    psci->cpus[cpu].state = BM_PSCI_CPU_ON;
    return true;
}

static uint64_t psci_features(uint32_t function)
{
    switch (function) {
    case PSCI_SMCCC_VERSION:
    case PSCI_VERSION:
    case PSCI_CPU_OFF:
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | PSCI_WIDE:
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | PSCI_WIDE:
    case PSCI_MIGRATE_INFO:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* Affinities are the CPUs' numbers: all of them are in one cluster. */
static enum bm_psci_action psci_cpu_on(struct bm_psci *psci, const uint64_t arguments[3],
                                       uint64_t *answer)
{
    static const uint64_t refusal[] = {
        [BM_PSCI_CPU_STARTING] = PSCI_ON_PENDING, [BM_PSCI_CPU_ON] = PSCI_ALREADY_ON};
    const uint64_t target = arguments[0];
    const uint64_t entry = arguments[1];

    if (target >= psci->cpu_count) {
        *answer = PSCI_INVALID;
    } else if (psci->cpus[target].state != BM_PSCI_CPU_OFF) {
        *answer = refusal[psci->cpus[target].state];
    } else if (entry % 4U != 0U || entry - psci->ram >= psci->ram_size) {
        *answer = PSCI_INVALID_ADDRESS;
    } else {
        psci->cpus[target] = (struct bm_psci_cpu){BM_PSCI_CPU_STARTING, entry, arguments[2]};
        psci->target = (uint32_t)target;
        *answer = PSCI_SUCCESS;
        return BM_PSCI_START;
    }
    return BM_PSCI_RESUME;
}

static uint64_t psci_affinity_info(const struct bm_psci *psci, uint64_t target, uint64_t level)
{
    static const uint64_t answers[] = {[BM_PSCI_CPU_OFF] = PSCI_AFFINITY_OFF,
                                       [BM_PSCI_CPU_STARTING] = PSCI_AFFINITY_PENDING,
                                       [BM_PSCI_CPU_ON] = PSCI_AFFINITY_ON};

    if (target >= psci->cpu_count || level != 0U) {
        return PSCI_INVALID;
    }
    return answers[psci->cpus[target].state];
}

/* The last CPU does not switch itself off, or nobody could ever start one again. */
static enum bm_psci_action psci_cpu_off(struct bm_psci *psci, uint32_t cpu, uint64_t *answer)
{
    uint32_t others = 0;

    for (uint32_t i = 0; i < psci->cpu_count; i++) {
        others += i != cpu && psci->cpus[i].state != BM_PSCI_CPU_OFF ? 1U : 0U;
    }
    if (others == 0U) {
        *answer = PSCI_DENIED;
        return BM_PSCI_RESUME;
    }
    psci->cpus[cpu].state = BM_PSCI_CPU_OFF;
    return BM_PSCI_PARK;
}

enum bm_psci_action bm_psci_call(struct bm_psci *psci, uint32_t cpu, uint64_t x[31])
{
    const uint32_t function = (uint32_t)x[0];
    const uint64_t mask = (function & PSCI_WIDE) != 0U ? UINT64_MAX : UINT32_MAX;
    const uint64_t arguments[3] = {x[1] & mask, x[2] & mask, x[3] & mask};

    switch (function) {
    case PSCI_SYSTEM_OFF:
        return BM_PSCI_OFF;
    case PSCI_SYSTEM_RESET:
        return BM_PSCI_RESET;
    case PSCI_CPU_OFF:
        return psci_cpu_off(psci, cpu, &x[0]);
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | PSCI_WIDE:
        return psci_cpu_on(psci, arguments, &x[0]);
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | PSCI_WIDE:
        x[0] = psci_affinity_info(psci, arguments[0], arguments[1]);
        break;
    case PSCI_VERSION:
    case PSCI_SMCCC_VERSION:
        x[0] = PSCI_VERSION_1_1;
        break;
    case PSCI_MIGRATE_INFO:
        x[0] = PSCI_MIGRATE_NOT_NEEDED;
        break;
    case PSCI_FEATURES:
        x[0] = psci_features((uint32_t)arguments[0]);
        break;
    default:
        x[0] = PSCI_NOT_SUPPORTED;
        break;
    }
    return BM_PSCI_RESUME;
}
