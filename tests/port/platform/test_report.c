/* SPDX-License-Identifier: BSD-3-Clause */
/* What a platform offers of AVPS: each requirement met, failed and not binding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avps_common/platform_report.h"
#include "platform_file.h"

static struct avps_platform platform;
static union platform_blob blob;

static struct avps_platform_guest *guest(const char *file, uint32_t index)
{
    struct avps_platform_line line;
    const size_t size = platform_file_load(file, &blob);

    assert_int_equal(avps_platform_parse(&platform, blob.bytes, size, &line), AVPS_OK);
    assert_true(index < platform.guest_count);
    return &platform.guests[index];
}

static struct avps_platform_finding find(const struct avps_platform_guest *of, const char *id)
{
    struct avps_platform_finding finding = {0};
    uint32_t found = 0;

    for (uint32_t i = 0; i < avps_platform_requirements(); i++) {
        struct avps_platform_finding one;

        avps_platform_judge(of, i, &one);
        if (strcmp(one.id, id) == 0) {
            finding = one;
            found++;
        }
    }
    assert_int_equal(found, 1);
    return finding;
}

static void assert_verdict(const struct avps_platform_guest *of, const char *id,
                           enum avps_platform_verdict verdict)
{
    assert_int_equal(find(of, id).verdict, verdict);
}

static void assert_list(const struct avps_platform_guest *of, enum avps_platform_verdict verdict,
                        const char *expected)
{
    char text[256];

    avps_platform_list(of, verdict, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_report_of_a_platform_that_lacks_nothing(void **state)
{
    const struct avps_platform_guest *of = guest("examples/cockpit", 0);

    (void)state;
    assert_true(avps_platform_conforms(of));
    assert_list(of, AVPS_PLATFORM_OFFERED,
                "2.5.1 BOOT-2..3; 2.6.1 BLK-1..5; 2.7.1 NET-1..2, NET-4..8; 2.19.1 RNG-1..2; "
                "2.20.1 CON-1");
    assert_list(of, AVPS_PLATFORM_LACKS, "nothing");
    assert_list(of, AVPS_PLATFORM_OPEN, "2.2 CONF-1; 2.5.1 BOOT-1; 2.7.1 NET-3; 2.19.1 RNG-3..4");
    assert_list(of, AVPS_PLATFORM_SILENT, "2.2 CONF-2..3; 2.22 VSK-1");
}

/* A chapter does not bind where there is no such device; a source of entropy is asked of all. */
static void test_report_of_a_guest_without_devices(void **state)
{
    const struct avps_platform_guest *of = guest("good/full", 1);
    struct avps_platform_finding finding;

    (void)state;
    assert_false(avps_platform_conforms(of));
    assert_list(of, AVPS_PLATFORM_OFFERED, "2.5.1 BOOT-2..3");
    assert_list(of, AVPS_PLATFORM_LACKS, "2.2 CONF-1; 2.19.1 RNG-1..2");
    finding = find(of, "RNG-1");
    assert_null(finding.device);
    assert_string_equal(finding.reason, "there is no source of entropy");
    assert_string_equal(finding.keyword, "MUST");
    assert_string_equal(finding.section, "2.19.1");
}

/* BLK-2..5, NET-5..7: lacking exactly when the feature is left out. */
static void test_report_follows_the_features_of_a_device(void **state)
{
    static const struct {
        const char *id;
        uint32_t device;
        uint32_t bit;
        const char *reason;
    } rows[] = {
        {"BLK-2", 0, 9, "flush is left out"},
        {"BLK-3", 0, 11, "config-wce is left out"},
        {"BLK-4", 0, 13, "discard is left out"},
        {"BLK-5", 0, 14, "write-zeroes is left out"},
        {"NET-5", 1, 3, "mtu is left out"},
        {"NET-6", 1, 5, "mac is left out"},
        {"NET-7", 1, 23, "ctrl-mac-addr is left out"},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct avps_platform_guest *of = guest("good/defaults", 0);
        struct avps_platform_device *device = &of->devices[rows[i].device];
        struct avps_platform_finding finding;

        assert_verdict(of, rows[i].id, AVPS_PLATFORM_OFFERED);
        assert_true(avps_platform_conforms(of));
        avps_features_add(&device->withhold, rows[i].bit);
        finding = find(of, rows[i].id);
        assert_int_equal(finding.verdict, AVPS_PLATFORM_LACKS);
        assert_ptr_equal(finding.device, device->name);
        assert_string_equal(finding.reason, rows[i].reason);
        assert_false(avps_platform_conforms(of));
        assert_verdict(of, "CONF-1", AVPS_PLATFORM_LACKS);
    }
}

static void test_report_asks_no_discard_of_a_read_only_disk(void **state)
{
    struct avps_platform_guest *of = guest("good/defaults", 0);

    (void)state;
    of->devices[0].blk.read_only = true;
    avps_features_add(&of->devices[0].withhold, 13);
    avps_features_add(&of->devices[0].withhold, 14);
    assert_verdict(of, "BLK-4", AVPS_PLATFORM_OFFERED);
    assert_verdict(of, "BLK-5", AVPS_PLATFORM_OFFERED);
    avps_features_add(&of->devices[0].withhold, 9);
    assert_verdict(of, "BLK-2", AVPS_PLATFORM_LACKS);
}

static void test_report_names_the_device_that_fails(void **state)
{
    struct avps_platform_guest *of = guest("examples/cockpit", 0);

    (void)state;
    avps_features_add(&of->devices[2].withhold, 9); /* maps, behind data */
    assert_string_equal(find(of, "BLK-2").device, "maps");
}

/* NET-8 is a MAY: without it a platform still lacks nothing mandatory. */
static void test_report_knows_whether_addresses_are_limited(void **state)
{
    struct avps_platform_guest *of = guest("good/defaults", 0);
    struct avps_platform_finding finding;

    (void)state;
    assert_verdict(of, "NET-8", AVPS_PLATFORM_OFFERED);
    of->devices[1].net.mac_any = true;
    finding = find(of, "NET-8");
    assert_int_equal(finding.verdict, AVPS_PLATFORM_LACKS);
    assert_string_equal(finding.device, "lan");
    assert_true(avps_platform_conforms(of));
}

/* A requirement that is added to docs/spec/avps.tsv needs somebody to judge it. */
static void test_report_judges_every_requirement(void **state)
{
    const struct avps_platform_guest *of = guest("examples/cockpit", 1);

    (void)state;
    assert_true(avps_platform_requirements() >= 24U);
    for (uint32_t i = 0; i < avps_platform_requirements(); i++) {
        struct avps_platform_finding finding;

        avps_platform_judge(of, i, &finding);
        assert_true(strlen(finding.text) > 10U);
        if (finding.reason != NULL) {
            assert_string_not_equal(finding.reason, "nobody has judged it");
        }
    }
}

static void test_report_cuts_a_list_that_is_too_long(void **state)
{
    const struct avps_platform_guest *of = guest("examples/cockpit", 0);
    char text[16];

    (void)state;
    avps_platform_list(of, AVPS_PLATFORM_OFFERED, text, sizeof text);
    assert_string_equal(text, "2.5.1 BOOT-2..3");
    avps_platform_list(of, AVPS_PLATFORM_OFFERED, text, 1);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_of_a_platform_that_lacks_nothing),
        cmocka_unit_test(test_report_of_a_guest_without_devices),
        cmocka_unit_test(test_report_follows_the_features_of_a_device),
        cmocka_unit_test(test_report_asks_no_discard_of_a_read_only_disk),
        cmocka_unit_test(test_report_names_the_device_that_fails),
        cmocka_unit_test(test_report_knows_whether_addresses_are_limited),
        cmocka_unit_test(test_report_judges_every_requirement),
        cmocka_unit_test(test_report_cuts_a_list_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
