/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest made of fuzz input: its bytes are a program of register accesses, rings, malformed chains
 * and doorbells. Guest memory is either plain (regions, so that the address sanitizer sees every
 * stray access) or answers every read from the input, so that a byte read twice differs. */
#ifndef AVPS_FUZZ_GUEST_H
#define AVPS_FUZZ_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/device.h"
#include "avps/mmio.h"

#define FUZZ_QUEUES     8U
#define FUZZ_RAM        0x20000U
#define FUZZ_GPA        0x80000000ULL
#define FUZZ_QUEUE_SIZE 16U

struct fuzz_guest;

/* A device under test. */
struct fuzz_target {
    uint16_t queue_count;
    /* Initialise into `guest->base` and set guest->device; aborts the run when refused. */
    bool (*init)(struct fuzz_guest *guest);
    /* The host's side does something: completes, refuses, delivers. `what` is any byte. */
    void (*host)(struct fuzz_guest *guest, uint8_t what);
};

struct fuzz_guest {
    const struct fuzz_target *target;
    const uint8_t *input;
    size_t size;
    size_t pos;
    uint8_t *ram; /* FUZZ_RAM bytes at FUZZ_GPA */
    bool stream;  /* reads are answered from the input */
    struct avps_mem mem;
    struct avps_mem_region regions[3];
    struct avps_device_config base; /* for the target's init */
    struct avps_device *device;
    struct avps_mmio mmio;
    struct avps_port port;
    uint64_t now_ns;
    uint16_t avail[FUZZ_QUEUES]; /* split: next available index; packed: position */
    bool wrap[FUZZ_QUEUES];
    uint16_t next_desc[FUZZ_QUEUES];
    uint32_t next_buffer;
    struct avps_queue queues[FUZZ_QUEUES];
};

/* Next input byte(s); 0 when the input has run out. */
uint8_t fuzz_u8(struct fuzz_guest *guest);
uint32_t fuzz_u32(struct fuzz_guest *guest);
void fuzz_bytes(struct fuzz_guest *guest, uint8_t *bytes, size_t len);

/* Run one input against a target. Traps when an invariant of the library is broken. */
void fuzz_run(const struct fuzz_target *target, const uint8_t *input, size_t size);

/* An invariant: the fuzzers stop when it does not hold. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#endif
