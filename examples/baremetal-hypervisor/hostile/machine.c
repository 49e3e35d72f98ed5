/* SPDX-License-Identifier: BSD-3-Clause */
/* Attacks on what the hypervisor emulates beside rings: registers, CPUs, interrupts, and in the end on its
 * memory. */
#include "hostile.h"

#define PSCI_CPU_OFF 0x84000002U
#define PSCI_CPU_ON  0xc4000003U
#define PSCI_RESET   0x84000009U

void second_entry(void);

/* ---- registers ---- */

/* Every offset of a window in every width, with what chance gives. */
static void sweep(uint64_t base, uint64_t size, uint64_t step)
{
    for (uint64_t offset = 0; offset < size; offset += step) {
        const uint64_t at = base + offset;

        store8(at, chance());
        store16(at & ~1ULL, chance());
        store32(at & ~3ULL, chance());
        store64(at & ~7ULL, chance());
        (void)load32(at & ~3ULL);
    }
}

static void device_registers(void)
{
    sweep(VIRTIO, (uint64_t)DEVICES * WINDOW, 3U);
}

/* Status bits in any order, features that were not offered. */
static void device_status(void)
{
    for (uint32_t i = 0; i < 400U; i++) {
        const uint64_t device = VIRTIO + chance() % DEVICES * WINDOW;

        store32(device + 0x070U, chance() & 0xffU);
        store32(device + 0x024U, chance() % 6U);
        store32(device + 0x020U, chance());
        store32(device + 0x030U, chance() % 70000U);
        store32(device + 0x044U, chance() % 3U);
    }
}

static void interrupt_controller(void)
{
    sweep(GICD, 0x10000U, 196U);
    sweep(GICR, 0x40000U, 1020U);
    sweep(FRAME, 0x1000U, 28U);
}

static void messages(void)
{
    for (uint32_t i = 0; i < 2000U; i++) {
        store32(FRAME + 0x40U, i % 256U);
    }
}

/* Registers that are EL2's, or that the hypervisor keeps. */
static void system_registers(void)
{
    for (uint32_t i = 0; i < 50U; i++) {
        __asm__ volatile("msr hcr_el2, xzr\n\t"
                         "msr vttbr_el2, xzr\n\t"
                         "msr vbar_el2, xzr\n\t"
                         "msr ich_hcr_el2, xzr\n\t"
                         "msr cntvoff_el2, xzr\n\t"
                         "msr cntp_ctl_el0, xzr\n\t"
                         "msr cntp_cval_el0, xzr\n\t"
                         "msr icc_sgi0r_el1, xzr\n\t"
                         "msr icc_asgi1r_el1, xzr\n\t"
                         "tlbi alle2\n\t" ::
                             : "memory");
    }
}

/* ---- CPUs ---- */

static void power_calls(void)
{
    for (uint64_t function = 0x84000000U; function < 0x84000020U; function++) {
        const bool ends =
            function == PSCI_CPU_OFF || function == 0x84000008U || function == PSCI_RESET;

        for (size_t i = 0; i < bad_address_count && !ends; i++) {
            (void)call(function, chance(), bad_addresses[i], chance());
            (void)call(function | 0x40000000U, bad_addresses[i], bad_addresses[i], 0U);
        }
    }
    for (uint32_t i = 0; i < 300U; i++) {
        (void)call(chance(), chance(), chance(), chance());
        __asm__ volatile("smc #0" ::: "x0", "x1", "x2", "x3", "memory");
    }
}

static void off(void)
{
    (void)call(PSCI_CPU_OFF, 0U, 0U, 0U);
}

static void cpu_storm(void)
{
    second(off);
    for (uint32_t i = 0; i < 300U; i++) {
        (void)call(PSCI_CPU_ON, 1U, (uintptr_t)second_entry, 0U);
    }
    second(NULL);
    (void)call(PSCI_CPU_ON, 1U, (uintptr_t)second_entry, 0U);
}

/* ---- interrupts ---- */

static void software_interrupts(void)
{
    for (uint64_t i = 0; i < 3000U; i++) {
        const uint64_t value = i % 4U == 0U ? chance() : (i % 16U) << 24 | 3U;

        __asm__ volatile("msr icc_sgi1r_el1, %0" ::"r"(value) : "memory");
    }
}

static void timer_once(void)
{
    __asm__ volatile("msr cntv_cval_el0, xzr\n\t"
                     "msr cntv_ctl_el0, %0\n\t"
                     "isb\n\t"
                     "msr cntv_ctl_el0, xzr" ::"r"(1ULL)
                     : "memory");
}

/* A deadline in the past, and the interrupt taken each time. */
static void timer_storm(void)
{
    for (uint64_t word = 4U; word < 16U; word += 4U) {
        store32(GICD + 0x180U + word,
                UINT32_MAX); /* lines that stay high would never let it go on */
    }
    store32(GICD, 2U);
    store32(GICR + 0x10000U + 0x100U, UINT32_MAX);
    __asm__ volatile("msr icc_pmr_el1, %0\n\t"
                     "msr icc_igrpen1_el1, %1\n\t"
                     "msr daifclr, #2" ::"r"(0xffULL),
                     "r"(1ULL)
                     : "memory");
    second(timer_once);
    for (uint32_t i = 0; i < 500U; i++) {
        timer_once();
    }
    __asm__ volatile("msr daifset, #2" ::: "memory");
}

const struct attack machine_attacks[] = {
    {"device registers", device_registers},
    {"device status", device_status},
    {"interrupt controller", interrupt_controller},
    {"messages", messages},
    {"system registers", system_registers},
    {"power calls", power_calls},
    {"CPUs on and off", cpu_storm},
    {"software interrupts", software_interrupts},
    {"timer storm", timer_storm},
};
const size_t machine_attack_count = sizeof machine_attacks / sizeof machine_attacks[0];

/* ---- what ends a life ---- */

static void store_to_the_hypervisor(void)
{
    store64(MACHINE, 0U);
}

static void load_behind_its_memory(void)
{
    (void)load32(RAM_END);
}

static void jump_to_the_hypervisor(void)
{
    ((void (*)(void))(uintptr_t)MACHINE)();
}

static void access_without_syndrome(void)
{
    uint64_t a = 0;
    uint64_t b = 0;

    __asm__ volatile("ldp %0, %1, [%2]" : "=r"(a), "=r"(b) : "r"(VIRTIO) : "memory");
}

static void ask_for_a_reset(void)
{
    (void)call(PSCI_RESET, 0U, 0U, 0U);
}

const struct attack last_attacks[] = {
    {"store to the hypervisor", store_to_the_hypervisor},
    {"load behind its memory", load_behind_its_memory},
    {"jump to the hypervisor", jump_to_the_hypervisor},
    {"access without a syndrome", access_without_syndrome},
    {"ask for a reset", ask_for_a_reset},
};
const size_t last_attack_count = sizeof last_attacks / sizeof last_attacks[0];
