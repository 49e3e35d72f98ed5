/* SPDX-License-Identifier: BSD-3-Clause */
/* Lives: the first one only keeps its CPU busy, for comparison; each later one runs the whole catalogue and
 * ends itself in another way. */
#include "hostile.h"

#include <libfdt.h>

#include "../fault.h"

void hostile_main(const void *tree);
void hostile_second(void);
void second_entry(void);

volatile uint64_t exceptions;
volatile uint64_t interrupts;

const uint64_t bad_addresses[] = {0,
                                  8,
                                  GICD,
                                  UART,
                                  VIRTIO,
                                  MACHINE,
                                  0x50000000U,
                                  RAM - 16U,
                                  RAM_END - 8U,
                                  RAM_END,
                                  0xfffffff0U,
                                  0xffffffffU,
                                  0x8000000000U,
                                  1ULL << 63,
                                  UINT64_MAX - 15U,
                                  UINT64_MAX,
                                  RAM + 0x300000U,
                                  WINDOW_RAM - 8U}; /* the last two: its own, not its devices' */
const size_t bad_address_count = sizeof bad_addresses / sizeof bad_addresses[0];

static uint64_t chance_state = 0x9e3779b97f4a7c15ULL;
static void (*volatile second_work)(void);

uint64_t chance(void)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state;
}

uint64_t choose(const uint64_t *values, size_t count)
{
    return values[chance() % count];
}

uint64_t call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return x0;
}

_Noreturn void hyp_fault(uint64_t esr, uint64_t elr, uint64_t far)
{
    (void)esr;
    (void)elr;
    (void)far;
    for (;;) {
    }
}

/* ---- the second CPU ---- */

void hostile_second(void)
{
    for (;;) {
        void (*work)(void) = second_work;

        if (work != NULL) {
            work();
        }
    }
}

void second(void (*work)(void))
{
    second_work = work;
}

/* ---- what it says ---- */

static void say(const char *text)
{
    while (*text != '\0') {
        store8(UART, (uint8_t)*text++);
    }
}

static void say_number(uint64_t value)
{
    char digits[21];
    size_t at = sizeof digits - 1U;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + (char)(value % 10U));
        value /= 10U;
    } while (value != 0U);
    say(&digits[at]);
}

/* ---- lives ---- */

static uint32_t life_of(const void *tree)
{
    int len = 0;
    const fdt32_t *life = fdt_getprop(tree, fdt_path_offset(tree, "/avps-guest"), "life", &len);

    return life != NULL && len == 4 ? fdt32_ld(life) : 1U;
}

/* Use memory and CPU, and nothing of the hypervisor's. */
static void busy(void)
{
    static volatile uint64_t memory[4096];

    for (;;) {
        for (size_t i = 0; i < 4096U; i++) {
            memory[i] = memory[i] + chance();
        }
    }
}

static void catalogue(const struct attack *attacks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        attacks[i].run();
        second(NULL);
    }
}

void hostile_main(const void *tree)
{
    const uint32_t life = life_of(tree);

    (void)call(0xc4000003U, 1U, (uintptr_t)second_entry, 0U);
    if (life == 1U) {
        say("busy\n");
        second(busy);
        busy();
    }
    const struct attack *last = &last_attacks[life % last_attack_count];

    say("AVPS-HOSTILE attacks=");
    say_number(ring_attack_count + machine_attack_count);
    say(", then: ");
    say(last->name);
    say("\n");
    chance_state ^= (uint64_t)life << 32;
    catalogue(ring_attacks, ring_attack_count);
    catalogue(machine_attacks, machine_attack_count);
    last->run();
    say("AVPS-HOSTILE survived\n");
    for (;;) {
    }
}
