/* SPDX-License-Identifier: BSD-3-Clause */
/* The suite can fail: a port without a bug passes with every memory contract, and each bug is found
 * by the case that names its promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ports/model.h"

#define LINES_MAX 256U

static struct avps_pc pc;
static struct model model;
static char failed[LINES_MAX][240];
static unsigned int failed_count;
static unsigned int ok_count;
static unsigned int skip_count;
static char last_line[240];
static char plan[240];

static void keep_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)snprintf(last_line, sizeof last_line, "%s", line);
    if (strncmp(line, "not ok ", 7) == 0 && failed_count < LINES_MAX) {
        (void)snprintf(failed[failed_count++], sizeof failed[0], "%s", line);
    } else if (strncmp(line, "ok ", 3) == 0) {
        ok_count++;
        skip_count += strstr(line, " # SKIP ") != NULL ? 1U : 0U;
    } else if (strncmp(line, "1..", 3) == 0) {
        (void)snprintf(plan, sizeof plan, "%s", line);
    }
}

/* The target's context is the model, which does not print. */
static uint32_t run_suite(bool threads)
{
    failed_count = 0;
    ok_count = 0;
    skip_count = 0;
    (void)memset(&pc, 0, sizeof pc);
    model.target.print = keep_line;
    if (!threads) {
        model.target.start = NULL;
    }
    return avps_pc_run(&pc, &model.target);
}

/* ---- a good port ---- */

static void passes(enum model_kind kind)
{
    model_init(&model, kind, BUG_NONE);
    const uint32_t result = run_suite(true);

    for (unsigned int i = 0; i < failed_count; i++) {
        print_error("%s\n", failed[i]);
    }
    model_free(&model);
    assert_int_equal(result, 0);
    assert_int_equal(pc.failed, 0);
    assert_int_equal(failed_count, 0);
    assert_int_equal(pc.passed + pc.skipped, ok_count);
    assert_int_equal(pc.skipped, skip_count);
    char want[16];
    (void)snprintf(want, sizeof want, "1..%u", ok_count);
    assert_string_equal(plan, want);
    assert_true(pc.passed > 50U);
}

static void test_suite_passes_a_region_table(void **state)
{
    (void)state;
    passes(MODEL_REGIONS);
}

static void test_suite_passes_translate(void **state)
{
    (void)state;
    passes(MODEL_TRANSLATE);
}

static void test_suite_passes_map_and_unmap(void **state)
{
    (void)state;
    passes(MODEL_MAP);
}

static void test_suite_passes_copies(void **state)
{
    (void)state;
    passes(MODEL_COPY);
}

static void test_suite_passes_a_bounce_window(void **state)
{
    (void)state;
    passes(MODEL_WINDOW);
}

static void test_suite_passes_an_iotlb_with_late_answers(void **state)
{
    (void)state;
    passes(MODEL_IOTLB);
}

static void test_suite_passes_uncached_memory(void **state)
{
    (void)state;
    passes(MODEL_UNCACHED);
}

/* ---- bad targets ---- */

static void test_suite_refuses_a_target_without_memory(void **state)
{
    (void)state;
    model_init(&model, MODEL_REGIONS, BUG_NONE);
    model.target.mem = NULL;
    assert_int_equal(run_suite(false), AVPS_PC_BAD_TARGET);
    assert_string_equal(last_line,
                        "Bail out! the target lacks mem, spans or guest, or has too many devices");
    model_free(&model);
}

static void test_suite_refuses_a_target_with_little_memory(void **state)
{
    (void)state;
    model_init(&model, MODEL_REGIONS, BUG_NONE);
    model.spans[0].size = AVPS_PC_WORK - 1U;
    assert_int_equal(run_suite(false), AVPS_PC_BAD_TARGET);
    assert_string_equal(last_line, "Bail out! no span with AVPS_ACCESS_RW has AVPS_PC_WORK bytes");
    model_free(&model);
}

static enum avps_status attach_nothing(void *ctx, uint32_t device, struct avps_device *dev)
{
    (void)ctx;
    (void)device;
    (void)dev;
    return AVPS_E_NOSPACE;
}

static void test_suite_refuses_a_target_that_attaches_nothing(void **state)
{
    (void)state;
    model_init(&model, MODEL_REGIONS, BUG_NONE);
    model.target.attach = attach_nothing;
    assert_int_equal(run_suite(false), AVPS_PC_BAD_TARGET);
    assert_string_equal(last_line, "Bail out! the target did not attach a device");
    model_free(&model);
}

/* Memory alone is a target too. */
static void test_suite_skips_what_a_target_cannot_show(void **state)
{
    (void)state;
    model_init(&model, MODEL_TRANSLATE, BUG_NONE);
    const struct avps_pc_target whole = model.target;

    model.target = (struct avps_pc_target){.name = "memory",
                                           .ctx = whole.ctx,
                                           .mem = whole.mem,
                                           .spans = whole.spans,
                                           .span_count = whole.span_count,
                                           .guest = whole.guest};
    assert_int_equal(run_suite(false), 0);
    assert_true(pc.passed >= 15U);
    assert_true(pc.skipped > pc.passed);
    model_free(&model);
}

/* ---- bugs ---- */

struct bug_row {
    const char *name;
    enum model_bug bug;
    enum model_kind kind;
    const char *sentence; /* of the case that must fail */
};

#define ROW(bug, kind, sentence)                                                                   \
    {                                                                                              \
        "test_suite_finds_" #bug, bug, kind, sentence                                              \
    }

static const struct bug_row rows[] = {
    ROW(BUG_SPAN_LONG, MODEL_REGIONS, "the bytes beside memory are refused"),
    ROW(BUG_SPAN_LONG, MODEL_COPY, "a range that leaves memory is refused"),
    ROW(BUG_SPAN_EARLY, MODEL_MAP, "the bytes beside memory are refused"),
    ROW(BUG_READ_ONLY_WRITTEN, MODEL_REGIONS, "memory that devices may only read is not written"),
    ROW(BUG_READ_ONLY_WRITTEN, MODEL_MAP, "map does not open memory for writing that is not"),
    ROW(BUG_READ_ONLY_WRITTEN, MODEL_TRANSLATE,
        "a request to write what may only be read is refused"),
    ROW(BUG_WRITE_ONLY_READ, MODEL_TRANSLATE, "memory that devices may only write is not read"),
    ROW(BUG_ADJACENT_JOINED, MODEL_TRANSLATE, "a range across two adjacent spans is whole"),
    ROW(BUG_ADJACENT_JOINED, MODEL_MAP, "data across two adjacent spans is moved exactly"),
    ROW(BUG_ADDRESS_32, MODEL_COPY, "both ends of every span of memory are read"),
    ROW(BUG_ADDRESS_32, MODEL_TRANSLATE, "both ends of every span of memory are written"),
    ROW(BUG_TRANSLATE_LONG, MODEL_TRANSLATE, "translate clips the length to what is contiguous"),
    ROW(BUG_TRANSLATE_WINDOW, MODEL_TRANSLATE, "an address that translate gave stays good"),
    ROW(BUG_TRANSLATE_WINDOW, MODEL_TRANSLATE, "a transfer of many pages is whole"),
    ROW(BUG_MAP_LEAKS, MODEL_MAP, "after many maps and unmaps nothing is left"),
    ROW(BUG_MAP_LEAKS, MODEL_MAP, "after many resets no mapping is left"),
    ROW(BUG_MAP_LEAKS_REFUSED, MODEL_MAP, "map is all or nothing"),
    ROW(BUG_MAP_SHORT, MODEL_MAP, "map takes a long chain"),
    ROW(BUG_UNMAP_TWICE, MODEL_MAP, "unmap undoes its own mapping only"),
    ROW(BUG_UNMAP_LAST, MODEL_MAP, "unmap undoes its own mapping only"),
    ROW(BUG_UNMAP_DROPS, MODEL_MAP, "map fills every segment with its own memory"),
    ROW(BUG_PIN_COPIES, MODEL_MAP,
        "a pinned area is shared with the guest for as long as it is pinned"),
    ROW(BUG_PIN_ANYTHING, MODEL_MAP, "pin does not open memory for writing that is not"),
    ROW(BUG_SPAN_LONG, MODEL_MAP, "a range that leaves memory is refused"),
    ROW(BUG_UNPIN_FORGETS, MODEL_MAP,
        "a pinned area is shared with the guest for as long as it is pinned"),
    ROW(BUG_READ_TORN, MODEL_COPY, "aligned reads of 2 and 4 bytes are not torn"),
    ROW(BUG_WRITE_TORN, MODEL_COPY, "aligned writes of 2 and 4 bytes are not torn"),
    ROW(BUG_WRITE_LONG, MODEL_COPY, "every length and alignment is exact"),
    ROW(BUG_WRITE_WORDS, MODEL_COPY, "every length and alignment is exact"),
    ROW(BUG_COPY_SHARED_BUFFER, MODEL_COPY, "two contexts reach memory at the same time"),
    ROW(BUG_DIRTY_FIRST_PAGE, MODEL_REGIONS,
        "the log marks the pages that were written and no others"),
    ROW(BUG_DIRTY_ALL, MODEL_REGIONS, "the log marks the pages that were written and no others"),
    ROW(BUG_DIRTY_NEVER, MODEL_REGIONS, "a write by the device is in the log"),
    ROW(BUG_INVAL_WHOLE_LINES, MODEL_UNCACHED, "dropping cache lines loses nothing beside them"),
    ROW(BUG_INVAL_NOTHING, MODEL_UNCACHED, "both ends of every span of memory are read"),
    ROW(BUG_INVAL_NOTHING, MODEL_UNCACHED, "data is moved exactly both ways"),
    ROW(BUG_CLEAN_FIRST_LINE, MODEL_UNCACHED, "a transfer of many pages is whole"),
    ROW(BUG_PIN_COPIES, MODEL_UNCACHED,
        "a pinned area is shared with the guest for as long as it is pinned"),
    ROW(BUG_IOTLB_ANSWERS_LOST, MODEL_IOTLB, "both ends of every span of memory are read"),
    ROW(BUG_IOTLB_ANSWERS_LOST, MODEL_IOTLB, "the bytes beside memory are refused"),
    ROW(BUG_IOTLB_PAGE_OFF, MODEL_IOTLB, "both ends of every span of memory are written"),
    ROW(BUG_WINDOW_WIDER, MODEL_WINDOW, "the bytes beside memory are refused"),
    ROW(BUG_IRQ_LOST, MODEL_REGIONS, "one request raises one interrupt"),
    ROW(BUG_IRQ_TWICE, MODEL_COPY, "no interrupt comes before the answer"),
    ROW(BUG_IRQ_FIRST_LINE, MODEL_MAP, "an interrupt is that of its own device"),
    ROW(BUG_IRQ_STUCK, MODEL_TRANSLATE, "a line is high until it is acknowledged"),
    ROW(BUG_IRQ_STUCK, MODEL_TRANSLATE, "a second request before the acknowledgement is not lost"),
    ROW(BUG_IRQ_STUCK, MODEL_TRANSLATE, "after a reset no interrupt is pending"),
    ROW(BUG_IRQ_PULSE, MODEL_REGIONS, "a line is high until it is acknowledged"),
    ROW(BUG_IRQ_PULSE, MODEL_REGIONS, "set_level drives the line"),
    ROW(BUG_IRQ_MASK_DROPS, MODEL_REGIONS, "a masked interrupt comes once when it is unmasked"),
    ROW(BUG_IRQ_MASK_IGNORED, MODEL_REGIONS, "a masked interrupt comes once when it is unmasked"),
    ROW(BUG_IRQ_AFTER_LOW, MODEL_COPY, "after a reset no interrupt is pending"),
    ROW(BUG_IRQ_EMPTY_KICK, MODEL_COPY, "a kick for an empty ring does nothing"),
    ROW(BUG_IRQ_EMPTY_KICK, MODEL_COPY, "an interrupt that the driver does not want does not come"),
    ROW(BUG_IRQ_NO_CONFIG, MODEL_COPY, "a fault of the device is told by one interrupt"),
    ROW(BUG_MSI_LOST, MODEL_REGIONS, "a message arrives once, as the guest chose it"),
    ROW(BUG_MSI_ADDRESS_32, MODEL_REGIONS, "a message arrives once, as the guest chose it"),
    ROW(BUG_MSI_REPEATED, MODEL_REGIONS, "messages to anywhere do no harm"),
    ROW(BUG_KICK_FIRST_DEVICE, MODEL_REGIONS, "each doorbell reaches its own device"),
    ROW(BUG_KICK_EVERY_OTHER, MODEL_MAP, "a thousand kicks are a thousand requests"),
    ROW(BUG_KICK_EVERY_OTHER, MODEL_MAP, "no doorbell of another CPU is lost"),
    ROW(BUG_KICK_RACE, MODEL_TRANSLATE, "a kick during a poll is not lost"),
    ROW(BUG_MORE_IGNORED, MODEL_COPY, "one kick serves all that is there"),
    ROW(BUG_WAKE_NOTHING, MODEL_MAP, "an answer of the back end reaches the driver"),
    ROW(BUG_WAKE_NOTHING, MODEL_MAP, "a wake is followed by a poll"),
    ROW(BUG_WAKE_TOGGLES, MODEL_MAP, "a wake is followed by a poll"),
    ROW(BUG_QUEUE_8_BITS, MODEL_REGIONS, "a kick for an unknown queue is counted and ignored"),
    ROW(BUG_KICK_TWICE, MODEL_REGIONS, "a kick for an unknown queue is counted and ignored"),
    ROW(BUG_KICK_UNCOUNTED, MODEL_REGIONS, "kicks are counted"),
    ROW(BUG_TIME_BACK, MODEL_REGIONS, "the clock never goes back"),
    ROW(BUG_TIME_MICROSECONDS, MODEL_REGIONS, "the clock counts nanoseconds"),
    ROW(BUG_TIME_32_BITS, MODEL_REGIONS, "the clock does not wrap at 2^32"),
    ROW(BUG_TIME_PER_CPU, MODEL_REGIONS, "the clock is the same on two CPUs"),
    ROW(BUG_WALL_UPTIME, MODEL_REGIONS, "the wall clock counts nanoseconds since 1970"),
    ROW(BUG_TIMER_NEVER, MODEL_REGIONS, "a timer makes one poll at its deadline"),
    ROW(BUG_TIMER_EARLY, MODEL_REGIONS, "a timer makes one poll at its deadline"),
    ROW(BUG_TIMER_AGAIN, MODEL_REGIONS, "a timer makes one poll at its deadline"),
    ROW(BUG_TIMER_STAYS, MODEL_REGIONS, "a timer can be disarmed and moved"),
    ROW(BUG_TIMER_PAST_IGNORED, MODEL_REGIONS, "a timer in the past makes a poll"),
    ROW(BUG_UNMAP_DROPS, MODEL_MAP, "data is moved exactly both ways"),
    ROW(BUG_RESET_IGNORED, MODEL_MAP, "a reset with requests in flight leaves nothing behind"),
    ROW(BUG_FAULT_RESETS_ALL, MODEL_MAP, "a faulty device does not disturb another"),
    ROW(BUG_FAULT_RESETS_ALL, MODEL_TRANSLATE, "a request for what is no memory is refused"),
    ROW(BUG_AGAIN_FORGOTTEN, MODEL_MAP, "a memory operation that says not now loses nothing"),
    ROW(BUG_AGAIN_FORGOTTEN, MODEL_TRANSLATE, "a memory operation that fails loses nothing"),
};

static bool has_failed(const char *sentence)
{
    char part[240];
    const int len = snprintf(part, sizeof part, " - %s [", sentence);

    assert_true(len > 0 && (size_t)len < sizeof part);
    for (unsigned int i = 0; i < failed_count; i++) {
        if (strstr(failed[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static bool needs_threads(const struct bug_row *row)
{
    return strstr(row->sentence, "torn") != NULL || strstr(row->sentence, "CPU") != NULL ||
           strstr(row->sentence, "contexts") != NULL;
}

static void test_suite_finds(void **state)
{
    const struct bug_row *row = *state;

    model_init(&model, row->kind, row->bug);
    const uint32_t result = run_suite(needs_threads(row));

    model_free(&model);
    assert_true(result != 0U && result != AVPS_PC_BAD_TARGET);
    if (!has_failed(row->sentence)) {
        fail_msg("not found by \"%s\"; %u others failed, the first: %s", row->sentence,
                 failed_count, failed_count != 0U ? failed[0] : "none");
    }
}

/* Every bug of the model has a row. */
static void test_suite_has_a_row_for_every_bug(void **state)
{
    (void)state;
    for (int bug = BUG_NONE + 1; bug < BUGS; bug++) {
        size_t i = 0;

        while (i < sizeof rows / sizeof rows[0] && (int)rows[i].bug != bug) {
            i++;
        }
        if (i == sizeof rows / sizeof rows[0]) {
            fail_msg("bug %d has no row", bug);
        }
    }
}

#define OTHER_TESTS 12U

int main(void)
{
    static struct CMUnitTest tests[OTHER_TESTS + sizeof rows / sizeof rows[0]] = {
        cmocka_unit_test(test_suite_passes_a_region_table),
        cmocka_unit_test(test_suite_passes_translate),
        cmocka_unit_test(test_suite_passes_map_and_unmap),
        cmocka_unit_test(test_suite_passes_copies),
        cmocka_unit_test(test_suite_passes_a_bounce_window),
        cmocka_unit_test(test_suite_passes_an_iotlb_with_late_answers),
        cmocka_unit_test(test_suite_passes_uncached_memory),
        cmocka_unit_test(test_suite_refuses_a_target_without_memory),
        cmocka_unit_test(test_suite_refuses_a_target_with_little_memory),
        cmocka_unit_test(test_suite_refuses_a_target_that_attaches_nothing),
        cmocka_unit_test(test_suite_skips_what_a_target_cannot_show),
        cmocka_unit_test(test_suite_has_a_row_for_every_bug),
    };
    static struct bug_row states[sizeof rows / sizeof rows[0]];

    (void)memcpy(states, rows, sizeof states);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tests[OTHER_TESTS + i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = test_suite_finds, .initial_state = &states[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
