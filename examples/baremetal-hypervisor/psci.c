/* SPDX-License-Identifier: BSD-3-Clause */
/* PSCI 1.1 for a guest with one CPU, over the SMC calling convention 1.1. */
#include "psci.h"

#include <stdint.h>

#define PSCI_WIDE          0x40000000U /* the 64-bit variant of a call */
#define PSCI_VERSION       0x84000000U
#define PSCI_CPU_ON        0x84000003U
#define PSCI_AFFINITY_INFO 0x84000004U
#define PSCI_MIGRATE_INFO  0x84000006U
#define PSCI_SYSTEM_OFF    0x84000008U
#define PSCI_SYSTEM_RESET  0x84000009U
#define PSCI_FEATURES      0x8400000aU
#define PSCI_SMCCC_VERSION 0x80000000U

#define PSCI_VERSION_1_1        0x00010001U
#define PSCI_MIGRATE_NOT_NEEDED 2U
#define PSCI_NOT_SUPPORTED      ((uint64_t)-1)
#define PSCI_INVALID            ((uint64_t)-2)
#define PSCI_ALREADY_ON         ((uint64_t)-4)

#define PSCI_AFFINITY_BITS 0xff00ffffffULL

/* The CPU `affinity` is the only one, and it is on. */
static uint64_t psci_cpu(uint64_t affinity, uint64_t answer)
{
    return (affinity & PSCI_AFFINITY_BITS) == 0U ? answer : PSCI_INVALID;
}

static uint64_t psci_features(uint32_t function)
{
    switch (function & ~PSCI_WIDE) {
    case PSCI_VERSION:
    case PSCI_CPU_ON:
    case PSCI_AFFINITY_INFO:
    case PSCI_MIGRATE_INFO:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
    case PSCI_SMCCC_VERSION:
        return 0U;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

enum psci_action psci_call(struct vcpu *vcpu)
{
    const uint32_t function = (uint32_t)vcpu->x[0];

    switch (function) {
    case PSCI_SYSTEM_OFF:
        return PSCI_OFF;
    case PSCI_SYSTEM_RESET:
        return PSCI_RESET;
    case PSCI_VERSION:
    case PSCI_SMCCC_VERSION:
        vcpu->x[0] = PSCI_VERSION_1_1;
        break;
    case PSCI_MIGRATE_INFO:
        vcpu->x[0] = PSCI_MIGRATE_NOT_NEEDED;
        break;
    case PSCI_FEATURES:
        vcpu->x[0] = psci_features((uint32_t)vcpu->x[1]);
        break;
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | PSCI_WIDE:
        vcpu->x[0] = psci_cpu(vcpu->x[1], PSCI_ALREADY_ON);
        break;
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | PSCI_WIDE:
        vcpu->x[0] = psci_cpu(vcpu->x[1], 0U);
        break;
    default:
        vcpu->x[0] = PSCI_NOT_SUPPORTED;
        break;
    }
    return PSCI_RESUME;
}

_Noreturn void psci_machine_off(void)
{
    register uint64_t function __asm__("x0") = PSCI_SYSTEM_OFF;

    __asm__ volatile("smc #0" : "+r"(function)::"memory", "x1", "x2", "x3");
    for (;;) {
        __asm__ volatile("wfi");
    }
}
