/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-top: reading reports, also broken ones; numbers and states for people; the table. */
#include "support/mem.h"

#include <stdlib.h>

#include "top.h"

#define DEVICE "device name=blk0 id=2 status=15 faults=3 resets=1 bad_accesses=0 needs_reset=1 "

static struct top_report report;

static int setup(void **state)
{
    (void)state;
    (void)memset(&report, 0, sizeof report);
    return 0;
}

static void test_top_reads_a_report(void **state)
{
    (void)state;
    assert_false(report_line(&report, DEVICE "fault_addr=1 fault_desc=2"));
    assert_false(report_line(&report, "queue name=blk0 queue=0 kicks=5 chains=7 interrupts=4 "
                                      "bytes_read=100 written=200 late=0 port_errors=0"));
    assert_false(report_line(&report, "queue name=blk0 queue=3 kicks=1 chains=2 bytes_read=1"));
    assert_false(report_line(&report, "event name=blk0 number=0 code=driver-ok a=1 b=2"));
    assert_false(report_line(&report, "event name=blk0 number=1 code=device-fault a=1 b=2"));
    assert_true(report_line(&report, "end devices=1"));
    assert_int_equal(report.count, 1);

    const struct top_device *device = report_find(&report, "blk0");

    assert_non_null(device);
    assert_int_equal(device->value[TOP_ID], 2);
    assert_int_equal(device->value[TOP_STATUS], 15);
    assert_int_equal(device->value[TOP_FAULTS], 3);
    assert_int_equal(device->value[TOP_FAULT_ADDR], 1);
    assert_int_equal(device->value[TOP_FAULT_DESC], 2);
    assert_int_equal(device->value[TOP_KICKS], 6);
    assert_int_equal(device->value[TOP_CHAINS], 9);
    assert_int_equal(device->value[TOP_BYTES_READ], 101);
    assert_int_equal(device->value[TOP_WRITTEN], 200);
    assert_int_equal(device->queue_count, 2);
    assert_int_equal(device->queues[1].number, 3);
    assert_string_equal(device->event, "device-fault");
    assert_null(report_find(&report, "blk1"));
}

static void test_top_passes_over_a_console_prefix_and_other_lines(void **state)
{
    (void)state;
    assert_false(report_line(&report, "[    0.12] Booting Linux on a device name"));
    assert_false(report_line(&report, "hyp: report " DEVICE));
    assert_false(report_line(&report, "mydevice name=x id=1"));
    assert_false(report_line(&report, ""));
    assert_true(report_line(&report, "hyp: report end devices=1"));
    assert_int_equal(report.count, 1);
    assert_string_equal(report.devices[0].name, "blk0");
}

static void test_top_takes_no_queue_without_its_device(void **state)
{
    (void)state;
    assert_false(report_line(&report, "queue name=blk0 queue=0 kicks=5"));
    assert_false(report_line(&report, "event name=blk0 number=0 code=reset"));
    assert_int_equal(report.count, 0);
    assert_false(report_line(&report, DEVICE));
    assert_false(report_line(&report, "queue name=net0 queue=0 kicks=5"));
    assert_int_equal(report.devices[0].value[TOP_KICKS], 0);
    assert_int_equal(report.devices[0].queue_count, 0);
}

static void test_top_bounds_what_it_keeps(void **state)
{
    char line[TOP_LINE];

    (void)state;
    (void)memset(line, 'x', sizeof line);
    (void)memcpy(line, "device name=", 12);
    line[20] = '\x1b'; /* would steer a terminal */
    line[sizeof line - 1U] = '\0';
    for (uint32_t i = 0; i < TOP_DEVICES + 5U; i++) {
        assert_false(report_line(&report, line));
    }
    assert_int_equal(report.count, TOP_DEVICES);
    assert_string_equal(report.devices[0].name, "xxxxxxxx"); /* ends where it cannot be shown */
    for (uint32_t i = 0; i < TOP_QUEUES + 5U; i++) {
        assert_false(report_line(&report, "queue name=xxxxxxxx queue=1 kicks=1"));
    }
    assert_int_equal(report.devices[TOP_DEVICES - 1U].queue_count, TOP_QUEUES);
    assert_int_equal(report.devices[TOP_DEVICES - 1U].value[TOP_KICKS], TOP_QUEUES + 5U);
}

static void test_top_rates(void **state)
{
    (void)state;
    assert_int_equal(top_rate(300, 100, 2000000000U), 100);
    assert_int_equal(top_rate(100, 100, 1000000000U), 0);
    assert_int_equal(top_rate(100, 0, 0), 0);           /* no earlier report */
    assert_int_equal(top_rate(5, 100, 1000000000U), 0); /* it began anew */
}

static void test_top_short_numbers(void **state)
{
    static const struct {
        uint64_t value;
        const char *text;
    } rows[] = {{0, "0"},         {9999, "9999"},      {10000, "10.0k"},
                {99949, "99.9k"}, {123456, "123k"},    {1000000, "1.0M"},
                {999949, "1.0M"}, {12345678, "12.3M"}, {UINT64_MAX, "18.4E"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[8];

        top_short(text, rows[i].value);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_top_states(void **state)
{
    (void)state;
    assert_string_equal(top_state(0), "off");
    assert_string_equal(top_state(3), "starting");
    assert_string_equal(top_state(15), "live");
    assert_string_equal(top_state(0x1f), "suspended");
    assert_string_equal(top_state(0x4f), "faulty");
    assert_string_equal(top_state(0x8f), "failed");
}

/* Lines of the table that `print` writes. */
static char *table_of(const struct top_source *source, bool queues)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    screen_print(out, source, 1, queues);
    (void)fclose(out);
    return text;
}

static void test_top_prints_rates_and_what_is_wrong(void **state)
{
    char argument[] = "kvm=/nowhere";
    struct top_source source;
    char *text = NULL;

    (void)state;
    assert_true(source_init(&source, argument));
    (void)report_line(source.before, DEVICE);
    (void)report_line(source.before, "queue name=blk0 queue=0 kicks=0 chains=100");
    source.before->at_ns = 1;
    (void)report_line(source.now, DEVICE "fault_desc=3");
    (void)report_line(source.now, "queue name=blk0 queue=0 kicks=50 chains=1100");
    (void)report_line(source.now, "event name=blk0 number=7 code=queue-fault a=0 b=42");
    source.now->at_ns = 1000000001;
    text = table_of(&source, true);
    assert_non_null(strstr(text,
                           "kvm          blk0         blk      live         1100    1000      50"
                           "       0       0       0  3 desc faults; last: queue-fault\n"));
    assert_non_null(strstr(text, "\n               queue 0"));
    assert_non_null(strstr(text, "    1100    1000      50       0       0       0  \n"));
    free(text);
    source_free(&source);
}

static void test_top_says_why_a_source_has_no_report(void **state)
{
    char argument[] = "/nowhere/at/all";
    struct top_source source;
    char *text = NULL;

    (void)state;
    assert_true(source_init(&source, argument));
    source_ask(&source);
    text = table_of(&source, false);
    assert_non_null(strstr(text, "/nowhere/at/all: No such file or directory\n"));
    free(text);
    source_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_top_reads_a_report, setup),
        cmocka_unit_test_setup(test_top_passes_over_a_console_prefix_and_other_lines, setup),
        cmocka_unit_test_setup(test_top_takes_no_queue_without_its_device, setup),
        cmocka_unit_test_setup(test_top_bounds_what_it_keeps, setup),
        cmocka_unit_test(test_top_rates),
        cmocka_unit_test(test_top_short_numbers),
        cmocka_unit_test(test_top_states),
        cmocka_unit_test_setup(test_top_prints_rates_and_what_is_wrong, setup),
        cmocka_unit_test_setup(test_top_says_why_a_source_has_no_report, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
