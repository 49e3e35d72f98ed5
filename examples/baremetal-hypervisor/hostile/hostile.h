/* SPDX-License-Identifier: BSD-3-Clause */
/* What the attacks are made of. The program runs at EL1 in a guest of the bare-metal example, with the MMU
 * off, and has the devices of examples/platforms/neighbours.dts: disk, network, console, entropy, behind
 * virtio-mmio. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The guest's addresses (guest_map.h) and the machine's, of which it should know nothing. */
#define GICD       0x08000000ULL
#define FRAME      0x08020000ULL
#define GICR       0x080a0000ULL
#define UART       0x09000000ULL
#define VIRTIO     0x0a000000ULL
#define RAM        0x80000000ULL
#define RAM_END    0x81000000ULL
#define WINDOW_RAM 0x80c00000ULL /* all that its devices may reach, to the end */
#define MACHINE    0x40200000ULL /* where the hypervisor is */

#define DISK    (VIRTIO + 0x000U)
#define NETWORK (VIRTIO + 0x200U)
#define CONSOLE (VIRTIO + 0x400U)
#define ENTROPY (VIRTIO + 0x600U)
#define DEVICES 4U
#define WINDOW  0x200U

/* One attack; each ends by itself. */
struct attack {
    const char *name;
    void (*run)(void);
};

/* Attacks on rings, by way of the four devices; on registers, CPUs and interrupts. */
extern const struct attack ring_attacks[];
extern const size_t ring_attack_count;
extern const struct attack machine_attacks[];
extern const size_t machine_attack_count;

/* What ends the guest's life, one a life. */
extern const struct attack last_attacks[];
extern const size_t last_attack_count;

/* ---- loads, stores, calls ---- */

static inline uint32_t load32(uint64_t address)
{
    uint32_t value;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void store8(uint64_t address, uint64_t value)
{
    __asm__ volatile("strb %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void store16(uint64_t address, uint64_t value)
{
    __asm__ volatile("strh %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void store32(uint64_t address, uint64_t value)
{
    __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void store64(uint64_t address, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}

/* PSCI, or whatever else the number means. */
uint64_t call(uint64_t function, uint64_t a, uint64_t b, uint64_t c);

/* ---- chance, and the other CPU ---- */

uint64_t chance(void);

/* One of these, by chance. */
uint64_t choose(const uint64_t *values, size_t count);

/* Have the second CPU do `work` again and again, until it is told something else; NULL: nothing. */
void second(void (*work)(void));

extern volatile uint64_t exceptions; /* stepped over */
extern volatile uint64_t interrupts; /* taken */

/* Addresses that are none, or somebody else's, or end badly. */
extern const uint64_t bad_addresses[];
extern const size_t bad_address_count;

#endif
