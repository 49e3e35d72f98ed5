/* SPDX-License-Identifier: BSD-3-Clause */
/* The run: checks that cases make -> what they need -> lines of the report -> all cases in order. */
#include "suite_internal.h"

#include <string.h>

/* ---- checks ---- */

bool avps_pc_equal(struct avps_pc *pc, const char *what, uint64_t got, uint64_t want)
{
    if (got != want && pc->what == NULL) {
        pc->what = what;
        pc->got = got;
        pc->want = want;
    }
    return got == want;
}

bool avps_pc_true(struct avps_pc *pc, const char *what, bool claim)
{
    return avps_pc_equal(pc, what, claim ? 1U : 0U, 1U);
}

/* The same, reported by name. */
bool avps_pc_gave(struct avps_pc *pc, const char *what, enum avps_status got, enum avps_status want)
{
    if (got != want && pc->what == NULL) {
        pc->got_name = avps_status_name(got);
        pc->want_name = avps_status_name(want);
    }
    return avps_pc_equal(pc, what, got == want ? 1U : 0U, 1U);
}

bool avps_pc_refused(struct avps_pc *pc, const char *what, enum avps_status got,
                     enum avps_status want)
{
    return (pc->target->misses_wait && got == AVPS_AGAIN) ||
           (pc->target->refusals_alike && got == AVPS_E_GUEST_ACCESS) ||
           avps_pc_gave(pc, what, got, want);
}

void avps_pc_turn(struct avps_pc *pc)
{
    if (pc->target->run != NULL) {
        pc->target->run(pc->target->ctx);
    }
}

void avps_pc_relax(struct avps_pc *pc)
{
    if (pc->target->relax != NULL) {
        pc->target->relax(pc->target->ctx);
    }
}

/* ---- what cases need ---- */

static bool has_units(const struct avps_pc_target *t, uint32_t count)
{
    const bool reached = (t->load != NULL && t->store != NULL) || t->front != NULL;

    return t->devices >= count && t->attach != NULL && t->run != NULL && reached;
}

static bool has_span(const struct avps_pc_target *t, uint32_t access)
{
    for (uint32_t i = 0; i < t->span_count; i++) {
        if (t->spans[i].access == access) {
            return true;
        }
    }
    return false;
}

static bool has_adjacent(const struct avps_pc_target *t)
{
    for (uint32_t i = 0; i + 1U < t->span_count; i++) {
        if (t->spans[i].gpa + t->spans[i].size == t->spans[i + 1U].gpa &&
            t->spans[i].access == AVPS_ACCESS_RW && t->spans[i + 1U].access == AVPS_ACCESS_RW) {
            return true;
        }
    }
    return false;
}

/* The operations in force: those that the library would call. */
static uint32_t memory_needs(const struct avps_pc *pc)
{
    const struct avps_mem_ops *ops = pc->mem.ops;
    uint32_t set = 0;

    if (ops == NULL) {
        return 0;
    }
    set |= ops->dirty != NULL && pc->target->dirty != NULL ? PC_DIRTY : 0U;
    set |= ops->cache_clean != NULL && ops->cache_inval != NULL ? PC_CACHE : 0U;
    set |= ops->pin != NULL ? PC_PIN : 0U;
    if (pc->mem.region_count != 0U) {
        return set;
    }
    set |= pc->target->front == NULL ? PC_WRAPPED : 0U;
    if (ops->translate != NULL) {
        return set | PC_TRANSLATE;
    }
    set |= ops->read != NULL ? PC_READ : 0U;
    set |= ops->write != NULL ? PC_WRITE : 0U;
    set |= ops->map != NULL && ops->unmap != NULL && ops->pin != NULL ? PC_MAP : 0U;
    return set;
}

static uint32_t port_needs(const struct avps_port *port)
{
    uint32_t set = 0;

    if (port == NULL) {
        return 0;
    }
    set |= port->event != NULL && port->event->wake != NULL ? PC_WAKE : 0U;
    if (port->sys != NULL) {
        set |= port->sys->now_ns != NULL ? PC_CLOCK : 0U;
        set |= port->sys->wall_ns != NULL ? PC_WALL : 0U;
        set |= port->sys->timer != NULL && port->sys->now_ns != NULL ? PC_TIMER : 0U;
    }
    return set;
}

static uint32_t irq_needs(const struct avps_pc_target *t)
{
    const bool by_device = has_units(t, 1U);
    uint32_t set = 0;

    if (t->irq == NULL) {
        return 0;
    }
    set |= by_device ? PC_IRQ : 0U;
    set |= by_device && t->wired ? PC_WIRED : 0U;
    set |= t->mask != NULL ? PC_MASK : 0U;
    if (t->irq_ops != NULL) {
        set |= t->irq_ops->msi != NULL ? PC_MSI : 0U;
        set |= t->irq_ops->set_level != NULL ? PC_SET_LEVEL : 0U;
    }
    return set;
}

static uint32_t target_needs(const struct avps_pc_target *t)
{
    uint32_t set = 0;

    set |= has_units(t, 1U) ? PC_UNIT : 0U;
    set |= has_units(t, 2U) ? PC_TWO_UNITS : 0U;
    set |= has_units(t, 1U) && t->front == NULL ? PC_WINDOW : 0U;
    set |= t->run != NULL ? PC_RUN : 0U;
    set |= t->advance != NULL ? PC_ADVANCE : 0U;
    set |= t->start != NULL && t->join != NULL ? PC_THREADS : 0U;
    set |= t->mapped != NULL ? PC_MAPPED : 0U;
    set |= has_span(t, AVPS_ACCESS_READ) ? PC_READ_ONLY : 0U;
    set |= has_span(t, AVPS_ACCESS_WRITE) ? PC_ONE_WAY : 0U;
    set |= has_adjacent(t) ? PC_ADJACENT : 0U;
    return set;
}

static uint32_t all_needs(const struct avps_pc *pc)
{
    return target_needs(pc->target) | irq_needs(pc->target) | memory_needs(pc) |
           port_needs(pc->units[0].port);
}

bool avps_pc_has(const struct avps_pc *pc, uint32_t needs)
{
    return (needs & ~all_needs(pc)) == 0U;
}

/* Why a case is skipped: for the first of its needs that is not met. */
static const char *why_not(uint32_t missing)
{
    static const struct {
        uint32_t need;
        const char *why;
    } reasons[] = {
        {PC_TRANSLATE, "memory is not reached by translate"},
        {PC_MAP, "memory is not mapped on demand"},
        {PC_READ, "no read operation is in force"},
        {PC_WRITE, "no write operation is in force"},
        {PC_PIN, "no pin operation is in force"},
        {PC_WRAPPED, "no memory operation of the port can fail here"},
        {PC_DIRTY, "no log of written pages"},
        {PC_CACHE, "no cache hooks"},
        {PC_READ_ONLY, "no memory that devices may only read"},
        {PC_ONE_WAY, "no memory that devices may only write"},
        {PC_ADJACENT, "no two adjacent spans of memory"},
        {PC_MAPPED, "the target does not count mappings"},
        {PC_UNIT, "the target attaches no device"},
        {PC_RUN, "the target runs no device context"},
        {PC_TWO_UNITS, "the target attaches one device only"},
        {PC_WINDOW, "no register window here"},
        {PC_IRQ, "the target does not show interrupts"},
        {PC_WIRED, "interrupts are messages"},
        {PC_MASK, "the target cannot mask an interrupt"},
        {PC_MSI, "no msi operation"},
        {PC_SET_LEVEL, "no set_level operation"},
        {PC_WAKE, "no wake operation: the port polls anyway"},
        {PC_CLOCK, "no clock"},
        {PC_WALL, "no wall clock"},
        {PC_TIMER, "no timer"},
        {PC_ADVANCE, "the target cannot let time pass"},
        {PC_THREADS, "the target has one thread"},
    };

    for (size_t i = 0; i < PC_COUNT_OF(reasons); i++) {
        if ((missing & reasons[i].need) != 0U) {
            return reasons[i].why;
        }
    }
    return "a capability is absent";
}

/* ---- the report ---- */

static size_t text_len(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0') {
        len++;
    }
    return len;
}

static void line_add(struct avps_pc *pc, const char *text)
{
    const size_t used = text_len(pc->line);
    const size_t room = sizeof pc->line - 1U - used;
    const size_t len = text_len(text);

    (void)memcpy(pc->line + used, text, len < room ? len : room);
}

static void line_number(struct avps_pc *pc, uint64_t value, uint32_t base)
{
    char digits[24];
    size_t at = sizeof digits - 1U;

    digits[at] = '\0';
    for (bool first = true; first || value != 0U; first = false) {
        at--;
        digits[at] = "0123456789abcdef"[value % base];
        value /= base;
    }
    if (base == 16U) {
        line_add(pc, "0x");
    }
    line_add(pc, digits + at);
}

static void line_value(struct avps_pc *pc, const char *name, uint64_t value)
{
    if (name != NULL) {
        line_add(pc, name);
    } else {
        line_number(pc, value, 16);
    }
}

static void line_end(struct avps_pc *pc)
{
    pc->target->print(pc->target->ctx, pc->line);
    (void)memset(pc->line, 0, sizeof pc->line);
}

static void report_case(struct avps_pc *pc, const struct pc_case *one, uint32_t number)
{
    line_add(pc, pc->what == NULL ? "ok " : "not ok ");
    line_number(pc, number, 10);
    line_add(pc, " - ");
    line_add(pc, one->sentence);
    line_add(pc, " [");
    line_add(pc, one->clause);
    line_add(pc, "]");
    if (pc->why_skipped != NULL) {
        line_add(pc, " # SKIP ");
        line_add(pc, pc->why_skipped);
    }
    line_end(pc);
    if (pc->what != NULL) {
        line_add(pc, "#   ");
        line_add(pc, pc->what);
        line_add(pc, ": got ");
        line_value(pc, pc->got_name, pc->got);
        line_add(pc, ", should be ");
        line_value(pc, pc->want_name, pc->want);
        line_end(pc);
    }
}

static void report_end(struct avps_pc *pc)
{
    line_add(pc, "# ");
    line_add(pc, pc->target->name != NULL ? pc->target->name : "port");
    line_add(pc, ": ");
    line_number(pc, pc->passed, 10);
    line_add(pc, " passed, ");
    line_number(pc, pc->failed, 10);
    line_add(pc, " failed, ");
    line_number(pc, pc->skipped, 10);
    line_add(pc, " skipped");
    line_end(pc);
}

static uint32_t bail_out(struct avps_pc *pc, const char *why)
{
    line_add(pc, "Bail out! ");
    line_add(pc, why);
    line_end(pc);
    return AVPS_PC_BAD_TARGET;
}

/* ---- all cases ---- */

static const struct pc_group *const groups[] = {
    &avps_pc_mem_group,  &avps_pc_mem_ops_group, &avps_pc_irq_group,     &avps_pc_event_group,
    &avps_pc_time_group, &avps_pc_arch_group,    &avps_pc_threads_group, &avps_pc_fault_group,
};

/* Whether a case finds the devices, if there are any, started and with nothing pending. */
static bool wants_units(const struct avps_pc *pc, const struct pc_case *one)
{
    return (one->needs & (PC_UNIT | PC_SET_LEVEL | PC_MSI)) != 0U && avps_pc_has(pc, PC_UNIT);
}

static void run_case(struct avps_pc *pc, const struct pc_case *one, uint32_t number)
{
    const uint32_t missing = one->needs & ~all_needs(pc);

    pc->what = NULL;
    pc->got_name = NULL;
    pc->want_name = NULL;
    pc->why_skipped = missing != 0U ? why_not(missing) : NULL;
    if (missing == 0U && (!wants_units(pc, one) || avps_pc_units_start(pc))) {
        one->run(pc);
    }
    report_case(pc, one, number);
    pc->failed += pc->what != NULL ? 1U : 0U;
    pc->skipped += pc->what == NULL && pc->why_skipped != NULL ? 1U : 0U;
    pc->passed += pc->what == NULL && pc->why_skipped == NULL ? 1U : 0U;
}

static bool find_work(struct avps_pc *pc)
{
    for (uint32_t i = 0; i < pc->target->span_count; i++) {
        const struct avps_pc_span *span = &pc->target->spans[i];
        const uint64_t skip = (0U - span->gpa) & 4095U;

        if (span->access == AVPS_ACCESS_RW && span->size >= skip + AVPS_PC_WORK) {
            pc->work = span->gpa + skip;
            return true;
        }
    }
    return false;
}

static bool is_complete(const struct avps_pc_target *t)
{
    return t->mem != NULL && t->spans != NULL && t->guest != NULL &&
           (t->mem->region_count != 0U || t->mem->ops != NULL) && t->devices <= AVPS_PC_DEVICES;
}

static uint32_t count_cases(void)
{
    uint32_t count = 0;

    for (size_t g = 0; g < PC_COUNT_OF(groups); g++) {
        count += groups[g]->count;
    }
    return count;
}

uint32_t avps_pc_run(struct avps_pc *pc, const struct avps_pc_target *target)
{
    uint32_t number = 0;
    const char *why = NULL;

    pc->target = target;
    if (target->print == NULL) {
        return AVPS_PC_BAD_TARGET;
    }
    if (!is_complete(target)) {
        return bail_out(pc, "the target lacks mem, spans or guest, or has too many devices");
    }
    if (!find_work(pc)) {
        return bail_out(pc, "no span with AVPS_ACCESS_RW has AVPS_PC_WORK bytes");
    }
    pc->mem = *target->mem;
    avps_pc_wrap_init(pc);
    why = has_units(target, 1U) ? avps_pc_units_attach(pc) : NULL;
    if (why != NULL) {
        return bail_out(pc, why);
    }
    pc->mem = *target->mem; /* behind a front end it is known only now */
    pc->other = *target->mem;
    line_add(pc, "TAP version 13");
    line_end(pc);
    line_add(pc, "1..");
    line_number(pc, count_cases(), 10);
    line_end(pc);
    for (size_t g = 0; g < PC_COUNT_OF(groups); g++) {
        for (uint32_t i = 0; i < groups[g]->count; i++) {
            number++;
            run_case(pc, &groups[g]->cases[i], number);
        }
    }
    report_end(pc);
    return pc->failed;
}
