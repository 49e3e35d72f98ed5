/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the bare-metal port share: a hypervisor whose hooks are recorded, two entropy
 * devices for its board, and a guest's memory with a split ring of one buffer. */
#ifndef BM_MACHINE_H
#define BM_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps/rng.h"

#include "../../port/baremetal-aarch64/bm_port.c" /* NOLINT(bugprone-suspicious-include) */

#define RAM    0x40000000U
#define BASE   0x0a000000U
#define BUFFER (RAM + 0x3000U)

static struct {
    struct bm_board board;
    struct avps_rng rng[2];
    struct avps_queue queue[2];
    uint8_t ram[0x4000];
    void *ctx; /* that the last hook was called with */
    uint64_t x[31];
    uint64_t now;
    uint64_t deadline;
    uint32_t line;
    uint32_t levels;
    uint32_t events;
    uint32_t event_device;
    uint32_t messages;
    uint64_t message_address;
    uint32_t message_data;
    bool high;
    bool dry;
} run;

/* ---- the hypervisor ---- */

static void hook_level(void *ctx, uint32_t line, bool high)
{
    run.ctx = ctx;
    run.line = line;
    run.high = high;
    run.levels++;
}

static uint64_t hook_now(void *ctx)
{
    run.ctx = ctx;
    return run.now;
}

static void hook_timer(void *ctx, uint64_t deadline_ns)
{
    run.ctx = ctx;
    run.deadline = deadline_ns;
}

static void hook_event(void *ctx, uint32_t device, enum avps_event code, uint64_t a, uint64_t b)
{
    run.ctx = ctx;
    (void)code;
    (void)a;
    (void)b;
    run.event_device = device;
    run.events++;
}

static void hook_message(void *ctx, uint64_t address, uint32_t data)
{
    run.ctx = ctx;
    run.message_address = address;
    run.message_data = data;
    run.messages++;
}

static const struct bm_hooks hooks = {hook_level, hook_now, hook_timer, hook_event, hook_message};

static enum avps_status fill(void *ctx, uint8_t *buf, uint32_t len, uint32_t *got)
{
    (void)ctx;
    memset(buf, 0x5a, len);
    *got = len;
    return run.dry ? AVPS_EMPTY : AVPS_OK;
}

static const struct avps_rng_ops source = {.fill = fill};

/* An entropy device for the next slot of the board. */
static void machine_rng(struct avps_rng *rng, struct avps_queue *queue)
{
    const struct avps_rng_config config = {.base = {.mem = &run.board.mem,
                                                    .port = bm_port(&run.board),
                                                    .queues = queue,
                                                    .queue_count = 1,
                                                    .queue_size_max = 16},
                                           .ops = &source};

    assert_int_equal(avps_rng_init(rng, &config), AVPS_OK);
}

/* A fresh board with `use` as hooks; `attach` shows it each of two devices. */
static void machine_make(const struct bm_hooks *use,
                         enum avps_status (*attach)(struct avps_device *device))
{
    const struct avps_mem_region ram = {RAM, sizeof run.ram, run.ram, AVPS_ACCESS_RW};

    assert_int_equal(bm_board_init(&run.board, use, &run, BASE, ram), AVPS_OK);
    for (uint32_t i = 0; i < 2U; i++) {
        machine_rng(&run.rng[i], &run.queue[i]);
        assert_int_equal(attach(&run.rng[i].base), AVPS_OK);
    }
}

/* ---- the guest ---- */

/* ESR_EL2 of a data abort with a valid syndrome. */
static uint64_t syndrome(uint32_t log2_width, uint32_t reg, bool write)
{
    return 0x92000000U | 1ULL << 24 | (uint64_t)log2_width << 22 | (uint64_t)reg << 16 |
           (write ? 1ULL << 6 : 0U);
}

static void put(uint32_t at, uint32_t len, uint64_t value)
{
    for (uint32_t i = 0; i < len; i++) {
        run.ram[at - RAM + i] = (uint8_t)(value >> (8U * i));
    }
}

/* A split ring of 16 at RAM, RAM + 1000 and RAM + 2000 (hexadecimal) that holds one writable buffer
 * of 16 bytes. */
static void fill_ring(void)
{
    put(RAM, 8, BUFFER);
    put(RAM + 8U, 4, 16);
    put(RAM + 12U, 2, 2);
    put(RAM + 0x1002U, 2, 1);
}

#endif
