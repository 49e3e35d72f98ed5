/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports of counters and events: which lines, which fields, what fits. */
#include "support/driver.h"

#include "avps/rng.h"
#include "avps_common/stats.h"

struct rig {
    struct test_driver driver;
    struct avps_queue queues[1];
    struct avps_rng rng;
    struct avps_stats_events events;
};

static enum avps_status fill(void *ctx, uint8_t *bytes, uint32_t len, uint32_t *got)
{
    (void)ctx;
    (void)memset(bytes, 0x5a, len);
    *got = len;
    return AVPS_OK;
}

static int setup(void **state)
{
    static struct rig rig;
    static const struct avps_rng_ops ops = {.fill = fill};
    struct avps_rng_config config = {.ops = &ops};

    (void)memset(&rig, 0, sizeof rig);
    test_driver_init(&rig.driver, TEST_MEM_REGIONS);
    config.base = test_driver_base(&rig.driver, rig.queues, 1, 256);
    if (avps_rng_init(&rig.rng, &config) != AVPS_OK) {
        return -1;
    }
    test_driver_attach(&rig.driver, &rig.rng.base);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    test_driver_free(&rig->driver);
    return 0;
}

static void expect_line(struct avps_stats *stats, const char *expected)
{
    char line[AVPS_STATS_LINE];

    assert_true(avps_stats_next(stats, line, sizeof line));
    assert_string_equal(line, expected);
}

static void expect_nothing(struct avps_stats *stats)
{
    char line[AVPS_STATS_LINE] = "x";

    assert_false(avps_stats_next(stats, line, sizeof line));
    assert_string_equal(line, "");
}

static void test_stats_of_no_device_are_the_end(void **state)
{
    struct avps_stats stats;

    (void)state;
    avps_stats_begin(&stats, NULL, 0);
    expect_line(&stats, "end devices=0");
    expect_nothing(&stats);
    expect_nothing(&stats);
}

static void test_stats_of_an_idle_device_have_no_queues(void **state)
{
    struct rig *rig = *state;
    const struct avps_stats_device device = {"rng0", &rig->rng.base, NULL};
    struct avps_stats stats;

    avps_stats_begin(&stats, &device, 1);
    expect_line(&stats,
                "device name=rng0 id=4 status=0 faults=0 resets=0 negotiations=0 refusals=0 "
                "bad_accesses=0 config_interrupts=0 spurious_kicks=0 needs_reset=0 "
                "fault_addr=0 fault_access=0 fault_desc=0 fault_size=0 fault_protocol=0");
    expect_line(&stats, "end devices=1");
    expect_nothing(&stats);
}

static void test_stats_tell_what_a_queue_did(void **state)
{
    struct rig *rig = *state;
    const struct avps_stats_device devices[] = {{"rng0", &rig->rng.base, &rig->events},
                                                {NULL, &rig->rng.base, NULL}};
    struct test_request request = {.in = {64}};
    struct avps_stats stats;
    char line[AVPS_STATS_LINE];

    test_driver_start(&rig->driver);
    assert_int_equal(test_driver_do(&rig->driver, 0, &request), 64);
    avps_stats_note(&rig->events, AVPS_EVENT_DRIVER_OK, 1, UINT64_MAX);
    avps_stats_begin(&stats, devices, 2);
    assert_true(avps_stats_next(&stats, line, sizeof line));
    assert_non_null(strstr(line, " status=15 "));
    assert_non_null(strstr(line, " negotiations=1 "));
    expect_line(&stats, "queue name=rng0 queue=0 kicks=1 chains=1 used=1 interrupts=1 bytes_read=0 "
                        "written=64 late=0 port_errors=0");
    expect_line(&stats, "event name=rng0 number=0 code=driver-ok a=1 b=18446744073709551615");
    assert_true(avps_stats_next(&stats, line, sizeof line));
    assert_int_equal(strncmp(line, "device name=- id=4 ", 19), 0);
    assert_true(avps_stats_next(&stats, line, sizeof line));
    assert_int_equal(strncmp(line, "queue name=- queue=0 ", 21), 0);
    expect_line(&stats, "end devices=2");
    expect_nothing(&stats);
}

static void test_stats_keep_the_last_events(void **state)
{
    struct rig *rig = *state;
    const struct avps_stats_device device = {"d", &rig->rng.base, &rig->events};
    struct avps_stats stats;
    char line[AVPS_STATS_LINE];

    for (uint64_t i = 0; i < 6U; i++) {
        avps_stats_note(&rig->events, AVPS_EVENT_QUEUE_FAULT, i, 42);
    }
    avps_stats_begin(&stats, &device, 1);
    assert_true(avps_stats_next(&stats, line, sizeof line));
    expect_line(&stats, "event name=d number=2 code=queue-fault a=2 b=42");
    expect_line(&stats, "event name=d number=3 code=queue-fault a=3 b=42");
    expect_line(&stats, "event name=d number=4 code=queue-fault a=4 b=42");
    expect_line(&stats, "event name=d number=5 code=queue-fault a=5 b=42");
    expect_line(&stats, "end devices=1");
}

/* Every counter at its largest: no line is cut. */
static void test_stats_lines_fit_at_their_longest(void **state)
{
    struct rig *rig = *state;
    const struct avps_stats_device device = {"abcdefghijklmnopqrstuvwxyz01234", &rig->rng.base,
                                             &rig->events};
    struct avps_stats stats;
    char line[AVPS_STATS_LINE];

    (void)memset(&rig->rng.base.counters, 0xff, sizeof rig->rng.base.counters);
    (void)memset(&rig->queues[0].counters, 0xff, sizeof rig->queues[0].counters);
    avps_stats_note(&rig->events, AVPS_EVENT_FEATURES_REFUSED, UINT64_MAX, UINT64_MAX);
    avps_stats_begin(&stats, &device, 1);
    assert_true(avps_stats_next(&stats, line, sizeof line));
    assert_non_null(strstr(line, " fault_protocol=18446744073709551615"));
    assert_true(avps_stats_next(&stats, line, sizeof line));
    assert_non_null(strstr(line, " port_errors=18446744073709551615"));
    assert_true(avps_stats_next(&stats, line, sizeof line));
    assert_non_null(strstr(line, "features-refused"));
    assert_non_null(strstr(line, " b=18446744073709551615"));
}

static void test_stats_cut_a_line_that_has_no_room(void **state)
{
    struct rig *rig = *state;
    const struct avps_stats_device device = {"rng0", &rig->rng.base, NULL};
    struct avps_stats stats;
    char line[12] = "...........";

    avps_stats_begin(&stats, &device, 1);
    assert_true(avps_stats_next(&stats, line, 8));
    assert_string_equal(line, "device ");
    assert_int_equal(line[8], '.');
    assert_true(avps_stats_next(&stats, line, 1));
    assert_string_equal(line, "");
}

static void test_stats_name_every_event(void **state)
{
    (void)state;
    for (int code = AVPS_EVENT_RESET; code <= AVPS_EVENT_RESUMED; code++) {
        assert_string_not_equal(avps_event_name((enum avps_event)code), "?");
    }
    assert_string_equal(avps_event_name((enum avps_event)0), "?");
    assert_string_equal(avps_event_name((enum avps_event)(AVPS_EVENT_RESUMED + 1)), "?");
    assert_string_equal(avps_event_name((enum avps_event) - 1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_of_no_device_are_the_end),
        cmocka_unit_test_setup_teardown(test_stats_of_an_idle_device_have_no_queues, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stats_tell_what_a_queue_did, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats_keep_the_last_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats_lines_fit_at_their_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats_cut_a_line_that_has_no_room, setup, teardown),
        cmocka_unit_test(test_stats_name_every_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
