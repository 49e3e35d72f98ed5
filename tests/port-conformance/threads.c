/* SPDX-License-Identifier: BSD-3-Clause */
/* Two CPUs: set-up -> single accesses are not torn -> order of accesses -> memory from two contexts
 * -> doorbells from another CPU -> clocks of two CPUs. */
#include "suite_internal.h"

#include <string.h>

/* ---- set-up ---- */

/* Run `other` on the other CPU and `own` here, until both are through. */
static void on_two(struct avps_pc *pc, void (*other)(void *arg), void (*own)(struct avps_pc *pc))
{
    atomic_store(&pc->over, false);
    atomic_store(&pc->turns, 0U);
    atomic_store(&pc->progress, 0U);
    atomic_store(&pc->trouble, 0U);
    if (!pc->target->start(pc->target->ctx, other, pc)) {
        pc->why_skipped = "no other thread could be started";
        return;
    }
    own(pc);
    atomic_store(&pc->over, true);
    pc->target->join(pc->target->ctx);
}

static bool is_over(struct avps_pc *pc)
{
    return atomic_load_explicit(&pc->over, memory_order_relaxed);
}

/* ---- torn accesses ---- */

#define TEAR_ROUNDS  2000000U /* at most */
#define TEAR_CHANGES 3000U    /* values seen to change: then both sides were at it together */

/* The driver's CPU writes a 2-byte and a 4-byte field all the time, all bits at once. */
static void tear_by_guest(void *arg)
{
    struct avps_pc *pc = arg;
    uint8_t *at = avps_pc_guest(pc, pc->work + PC_SCRATCH);

    for (bool ones = false; !is_over(pc); ones = !ones) {
        avps_arch_store16(at, ones ? UINT16_MAX : 0U);
        avps_arch_store32(at + 4, ones ? UINT32_MAX : 0U);
        (void)atomic_fetch_add_explicit(&pc->progress, 1U, memory_order_relaxed);
    }
}

static bool is_whole(const uint8_t *bytes, uint32_t len)
{
    bool whole = true;

    for (uint32_t i = 1; i < len; i++) {
        whole = whole && bytes[i] == bytes[0];
    }
    return whole;
}

static void await_other(struct avps_pc *pc)
{
    while (atomic_load(&pc->progress) == 0U) {
        avps_pc_relax(pc);
    }
}

static void tear_seen_by_op(struct avps_pc *pc)
{
    const avps_gpa gpa = pc->work + PC_SCRATCH;
    uint32_t changes = 0;

    await_other(pc);
    for (uint32_t i = 0; i < TEAR_ROUNDS && changes < TEAR_CHANGES && pc->what == NULL; i++) {
        const uint8_t before = pc->bytes[0];

        (void)pc->mem.ops->read(pc->mem.ctx, gpa, pc->bytes, 2);
        (void)pc->mem.ops->read(pc->mem.ctx, gpa + 4U, pc->bytes + 4, 4);
        changes += pc->bytes[0] != before ? 1U : 0U;
        avps_pc_true(pc, "an aligned read of 2 bytes is one access", is_whole(pc->bytes, 2));
        avps_pc_true(pc, "an aligned read of 4 bytes is one access", is_whole(pc->bytes + 4, 4));
    }
}

static void case_tear_read(struct avps_pc *pc)
{
    avps_pc_fill(pc, pc->work + PC_SCRATCH, 8, 0);
    (void)memset(avps_pc_guest(pc, pc->work + PC_SCRATCH), 0, 8);
    on_two(pc, tear_by_guest, tear_seen_by_op);
}

static void tear_seen_by_load(struct avps_pc *pc)
{
    uint8_t *at = avps_pc_guest(pc, pc->work + PC_SCRATCH);
    uint32_t changes = 0;
    uint16_t before = 0;

    await_other(pc);
    for (uint32_t i = 0; i < TEAR_ROUNDS && changes < TEAR_CHANGES && pc->what == NULL; i++) {
        const uint16_t half = avps_arch_load16(at);
        const uint32_t word = avps_arch_load32(at + 4);

        changes += half != before ? 1U : 0U;
        before = half;
        avps_pc_true(pc, "avps_arch_load16 is one access", half == 0U || half == UINT16_MAX);
        avps_pc_true(pc, "avps_arch_load32 is one access", word == 0U || word == UINT32_MAX);
    }
}

static void case_tear_load(struct avps_pc *pc)
{
    (void)memset(avps_pc_guest(pc, pc->work + PC_SCRATCH), 0, 8);
    on_two(pc, tear_by_guest, tear_seen_by_load);
}

/* The other way round: the device writes, the driver's CPU looks. */
static void tear_watched(void *arg)
{
    struct avps_pc *pc = arg;
    uint8_t *at = avps_pc_guest(pc, pc->work + PC_SCRATCH);
    uint32_t changes = 0;
    uint16_t before = 0;

    while (!is_over(pc)) {
        const uint16_t half = avps_arch_load16(at);
        const uint32_t word = avps_arch_load32(at + 4);

        changes += half != before ? 1U : 0U;
        before = half;
        atomic_store_explicit(&pc->turns, changes, memory_order_relaxed);
        if ((half != 0U && half != UINT16_MAX) || (word != 0U && word != UINT32_MAX)) {
            atomic_store(&pc->trouble, 1U);
        }
        (void)atomic_fetch_add_explicit(&pc->progress, 1U, memory_order_relaxed);
    }
}

static void tear_written(struct avps_pc *pc)
{
    static const uint8_t values[2][4] = {{0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};
    const avps_gpa gpa = pc->work + PC_SCRATCH;

    await_other(pc);
    for (uint32_t i = 0; i < TEAR_ROUNDS && atomic_load(&pc->turns) < TEAR_CHANGES; i++) {
        (void)pc->mem.ops->write(pc->mem.ctx, gpa, values[i % 2U], 2);
        (void)pc->mem.ops->write(pc->mem.ctx, gpa + 4U, values[i % 2U], 4);
    }
}

static void case_tear_write(struct avps_pc *pc)
{
    (void)memset(avps_pc_guest(pc, pc->work + PC_SCRATCH), 0, 8);
    on_two(pc, tear_watched, tear_written);
    avps_pc_equal(pc, "aligned writes of 2 and 4 bytes that the guest saw torn",
                  atomic_load(&pc->trouble), 0);
}

/* ---- order of accesses ---- */

#define LITMUS_ROUNDS 300U
#define LITMUS_CELLS  256U

/* Both sides start each round together: this side says which one, the other when it is through. A
 * side that only looks does so again and again meanwhile. */
static void litmus_other(struct avps_pc *pc,
                         void (*sweep)(struct avps_pc_litmus *l, uint32_t round))
{
    struct avps_pc_litmus *l = &pc->litmus;

    for (uint32_t round = 1; round <= LITMUS_ROUNDS && !is_over(pc); round++) {
        while (atomic_load(&l->round) < round && !is_over(pc)) {
            avps_pc_relax(pc);
        }
        sweep(l, round);
        atomic_store(&l->ready, round);
    }
}

typedef void litmus_sweep(struct avps_pc_litmus *l, uint32_t round);
typedef uint32_t litmus_wrong(const struct avps_pc_litmus *l, uint32_t round);

static bool litmus_is_right(struct avps_pc *pc, litmus_wrong *wrong, uint32_t round)
{
    return avps_pc_equal(pc, "outcomes that the order forbids", wrong(&pc->litmus, round), 0);
}

static void litmus_own(struct avps_pc *pc, litmus_sweep *sweep, litmus_wrong *wrong, bool looks)
{
    struct avps_pc_litmus *l = &pc->litmus;

    for (uint32_t round = 1; round <= LITMUS_ROUNDS && pc->what == NULL; round++) {
        atomic_store(&l->round, round);
        sweep(l, round);
        while (atomic_load(&l->ready) < round) {
            avps_pc_relax(pc);
            if (looks && litmus_is_right(pc, wrong, round)) {
                sweep(l, round);
            }
        }
        (void)litmus_is_right(pc, wrong, round);
    }
}

static void litmus_clear(struct avps_pc *pc)
{
    (void)memset(&pc->litmus, 0, sizeof pc->litmus);
}

/* Message passing: data, then a flag with release; the flag with acquire, then data. */
static void mp_write(struct avps_pc_litmus *l, uint32_t round)
{
    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        avps_arch_store32(&l->x[i], round);
        avps_arch_store16_release(&l->flag[i], (uint16_t)round);
    }
}

static void mp_read(struct avps_pc_litmus *l, uint32_t round)
{
    for (uint32_t i = LITMUS_CELLS; i > 0U; i--) {
        const uint16_t flag = avps_arch_load16_acquire(&l->flag[i - 1U]);

        l->seen_by_a[i - 1U] = flag;
        l->seen_by_b[i - 1U] = avps_arch_load32(&l->x[i - 1U]);
    }
    (void)round;
}

static uint32_t mp_wrong(const struct avps_pc_litmus *l, uint32_t round)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        count += l->seen_by_a[i] == round && l->seen_by_b[i] != round ? 1U : 0U;
    }
    return count;
}

static void mp_other(void *arg)
{
    litmus_other(arg, mp_write);
}

static void mp_own(struct avps_pc *pc)
{
    litmus_own(pc, mp_read, mp_wrong, true);
}

static void case_message_passing(struct avps_pc *pc)
{
    litmus_clear(pc);
    on_two(pc, mp_other, mp_own);
}

/* The same with a fence between two plain stores, as the rings' batches are published. */
static void fence_write(struct avps_pc_litmus *l, uint32_t round)
{
    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        avps_arch_store32(&l->x[i], round);
        avps_arch_fence_release();
        avps_arch_store16(&l->flag[i], (uint16_t)round);
    }
}

static void fence_other(void *arg)
{
    litmus_other(arg, fence_write);
}

static void case_fence_release(struct avps_pc *pc)
{
    litmus_clear(pc);
    on_two(pc, fence_other, mp_own);
}

/* Store buffering: each writes its own and then looks at the other's: one sees the other. Between
 * two sides that publish and then ask whether to notify, this is what loses no notification. */
static void sb_a(struct avps_pc_litmus *l, uint32_t round)
{
    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        avps_arch_store32(&l->x[i], round);
        avps_arch_fence_full();
        l->seen_by_a[i] = avps_arch_load32(&l->y[i]);
    }
}

static void sb_b(struct avps_pc_litmus *l, uint32_t round)
{
    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        avps_arch_store32(&l->y[i], round);
        avps_arch_fence_full();
        l->seen_by_b[i] = avps_arch_load32(&l->x[i]);
    }
}

static uint32_t sb_wrong(const struct avps_pc_litmus *l, uint32_t round)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        count += l->seen_by_a[i] != round && l->seen_by_b[i] != round ? 1U : 0U;
    }
    return count;
}

static void sb_other(void *arg)
{
    litmus_other(arg, sb_a);
}

static void sb_own(struct avps_pc *pc)
{
    litmus_own(pc, sb_b, sb_wrong, false);
}

static void case_store_buffering(struct avps_pc *pc)
{
    litmus_clear(pc);
    on_two(pc, sb_other, sb_own);
}

/* A packed descriptor: the low half is written first, the half with the flags with release. */
static void wide_write(struct avps_pc_litmus *l, uint32_t round)
{
    for (uint32_t i = 0; i < LITMUS_CELLS; i++) {
        uint8_t *at = (uint8_t *)&l->wide[i];

        avps_arch_store32(at, round);
        avps_arch_store16_release(at + 6, (uint16_t)round);
    }
}

static void wide_read(struct avps_pc_litmus *l, uint32_t round)
{
    (void)round;
    for (uint32_t i = LITMUS_CELLS; i > 0U; i--) {
        const uint64_t seen = avps_arch_load64_acquire(&l->wide[i - 1U]);

        l->seen_by_a[i - 1U] = (uint32_t)(seen >> 48);
        l->seen_by_b[i - 1U] = (uint32_t)(seen & UINT32_MAX);
    }
}

static void wide_other(void *arg)
{
    litmus_other(arg, wide_write);
}

static void wide_own(struct avps_pc *pc)
{
    litmus_own(pc, wide_read, mp_wrong, true);
}

static void case_wide(struct avps_pc *pc)
{
    litmus_clear(pc);
    on_two(pc, wide_other, wide_own);
}

/* ---- memory from two contexts ---- */

#define SHARE_ROUNDS 1000U
#define SHARE_BYTES  256U

/* Read and write an area of one's own through a handle of one's own. @return rounds that went wrong. */
static uint32_t share(struct avps_mem *mem, const struct avps_pc *pc, avps_gpa gpa, uint32_t seed)
{
    uint8_t bytes[SHARE_BYTES];
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < SHARE_ROUNDS; i++) {
        avps_pc_fill(pc, gpa, SHARE_BYTES, seed + i);
        const enum avps_status status = avps_mem_read(mem, gpa, bytes, SHARE_BYTES);

        wrong +=
            status != AVPS_OK || !avps_pc_bytes_are(bytes, gpa, SHARE_BYTES, seed + i) ? 1U : 0U;
        if (avps_mem_write(mem, gpa + 1024U, bytes, SHARE_BYTES) == AVPS_OK) {
            wrong += *avps_pc_guest(pc, gpa + 1024U) != bytes[0] ? 1U : 0U;
        }
    }
    return wrong;
}

static void share_other(void *arg)
{
    struct avps_pc *pc = arg;

    atomic_store(&pc->trouble, share(&pc->other, pc, pc->work + PC_SCRATCH, 1));
}

static void share_own(struct avps_pc *pc)
{
    avps_pc_equal(pc, "accesses of one context that went wrong",
                  share(&pc->mem, pc, pc->work + PC_SCRATCH + 16384U + 100U, 77), 0);
}

static void case_share(struct avps_pc *pc)
{
    on_two(pc, share_other, share_own);
    avps_pc_equal(pc, "accesses of the other context that went wrong", atomic_load(&pc->trouble),
                  0);
}

/* ---- doorbells from another CPU ---- */

#define BELL_ROUNDS   1000U
#define BELL_PATIENCE 20000U /* turns of the device context that a request may take */

/* @return whether the request came back in time. The ring is looked at after the turns were, as this
 * CPU may be kept from running in between. */
static bool bell_is_answered(struct avps_pc *pc)
{
    const unsigned int since = atomic_load(&pc->turns);
    uint32_t slot = 0;

    for (;;) {
        const unsigned int turns = atomic_load(&pc->turns) - since;

        if (avps_pc_reap(pc, 0, &slot)) {
            return true;
        }
        if (turns > BELL_PATIENCE) {
            return false;
        }
        avps_pc_relax(pc);
    }
}

/* The driver on its CPU: one request at a time. Interrupts are off: it looks at the ring. */
static void bell_other(void *arg)
{
    struct avps_pc *pc = arg;
    const struct pc_request request = avps_pc_read_request(pc, 0, 3);
    bool answered = true;

    for (uint32_t i = 0; i < BELL_ROUNDS && answered; i++) {
        (void)avps_pc_put(pc, 0, &request);
        avps_pc_kick(pc, 0, 0);
        answered = bell_is_answered(pc);
        atomic_store(&pc->progress, i + (answered ? 1U : 0U));
    }
    atomic_store(&pc->over, true);
}

static void bell_own(struct avps_pc *pc)
{
    while (!is_over(pc)) {
        avps_pc_turn(pc);
        (void)atomic_fetch_add(&pc->turns, 1U);
        avps_pc_relax(pc);
    }
}

static void case_bell(struct avps_pc *pc)
{
    avps_pc_irq_wanted(pc, 0, false);
    on_two(pc, bell_other, bell_own);
    if (pc->why_skipped == NULL) {
        avps_pc_equal(pc, "requests served that another CPU rang for", atomic_load(&pc->progress),
                      BELL_ROUNDS);
    }
}

/* ---- clocks ---- */

#define CLOCK_ROUNDS 500U

static uint64_t now(const struct avps_pc *pc)
{
    return pc->units[0].port->sys->now_ns(pc->units[0].port->sys_ctx);
}

/* Each reads the clock after the other has, in turns. */
static bool clock_turn(struct avps_pc *pc, unsigned int turn)
{
    while (atomic_load(&pc->turns) != turn) {
        avps_pc_relax(pc);
    }
    const uint64_t seen = now(pc);
    const bool good = seen >= pc->litmus.wide[0];

    pc->litmus.wide[0] = seen;
    atomic_store(&pc->turns, turn + 1U);
    return good;
}

static void clock_other(void *arg)
{
    struct avps_pc *pc = arg;

    for (unsigned int i = 0; i < CLOCK_ROUNDS; i++) {
        if (!clock_turn(pc, 2U * i + 1U)) {
            atomic_store(&pc->trouble, 1U);
        }
    }
}

static void clock_own(struct avps_pc *pc)
{
    for (unsigned int i = 0; i < CLOCK_ROUNDS; i++) {
        avps_pc_true(pc, "the clock here is not behind the other CPU's", clock_turn(pc, 2U * i));
    }
}

static void case_clock(struct avps_pc *pc)
{
    litmus_clear(pc);
    on_two(pc, clock_other, clock_own);
    avps_pc_equal(pc, "the other CPU's clock was behind", atomic_load(&pc->trouble), 0);
}

static const struct pc_case cases[] = {
    {"aligned reads of 2 and 4 bytes are not torn", "avps/mem.h: avps_mem_ops.read",
     PC_READ | PC_THREADS, case_tear_read},
    {"aligned writes of 2 and 4 bytes are not torn", "avps/mem.h: avps_mem_ops.write",
     PC_WRITE | PC_THREADS, case_tear_write},
    {"loads of rings are not torn", "avps/arch_default.h: avps_arch_load32", PC_THREADS,
     case_tear_load},
    {"what is released before is seen by who acquires after",
     "avps/arch_default.h: avps_arch_load16_acquire", PC_THREADS, case_message_passing},
    {"a release fence orders stores", "avps/arch_default.h: avps_arch_fence_release", PC_THREADS,
     case_fence_release},
    {"a full fence orders a store before a load", "avps/arch_default.h: avps_arch_fence_full",
     PC_THREADS, case_store_buffering},
    {"the low half of a descriptor is not older than the high half",
     "avps/arch_default.h: avps_arch_load64_acquire", PC_THREADS, case_wide},
    {"two contexts reach memory at the same time", "avps/mem.h: struct avps_mem", PC_THREADS,
     case_share},
    {"no doorbell of another CPU is lost", "avps/device.h: avps_kick", PC_UNIT | PC_THREADS,
     case_bell},
    {"the clock is the same on two CPUs", "avps/port.h: avps_sys_ops.now_ns", PC_CLOCK | PC_THREADS,
     case_clock},
};

const struct pc_group avps_pc_threads_group = {cases, PC_COUNT_OF(cases)};
