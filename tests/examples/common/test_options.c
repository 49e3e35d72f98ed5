/* SPDX-License-Identifier: BSD-3-Clause */
/* Command line by table: values of every type and their limits, rules between options, every line
 * about what is wrong, help. */
#include "support/mem.h"

#include <stdio.h>

#include "options.h"

struct target {
    bool flag;
    bool other;
    const char *text;
    uint32_t number;
    uint32_t optional;
    uint64_t size;
    uint8_t mac[6];
    struct option_list list;
    const char *left;
    const char *right;
};

static const struct option rows[] = {
    {.name = "flag",
     .type = OPTION_FLAG,
     .offset = offsetof(struct target, flag),
     .help = "a flag"},
    {.name = "text",
     .value = "TEXT",
     .type = OPTION_TEXT,
     .offset = offsetof(struct target, text),
     .help = "a text"},
    {.name = "number",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct target, number),
     .min = 2,
     .max = 100,
     .help = "a number"},
    {.name = "optional",
     .value = "N",
     .type = OPTION_OPTIONAL,
     .offset = offsetof(struct target, optional),
     .min = 5,
     .max = 9,
     .help = "a number or none"},
    {.name = "size",
     .value = "SIZE",
     .type = OPTION_SIZE,
     .offset = offsetof(struct target, size),
     .min = 512,
     .max = UINT64_C(1) << 50U,
     .help = "a size"},
    {.name = "mac",
     .value = "MAC",
     .type = OPTION_MAC,
     .offset = offsetof(struct target, mac),
     .help = "an address"},
    {.name = "item",
     .value = "X",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct target, list),
     .help = "one of several"},
    {.name = "left",
     .value = "X",
     .type = OPTION_TEXT,
     .offset = offsetof(struct target, left),
     .choice = 1,
     .must = true,
     .help = "one way"},
    {.name = "right",
     .value = "X",
     .type = OPTION_TEXT,
     .offset = offsetof(struct target, right),
     .choice = 1,
     .must = true,
     .help = "the other"},
    {.name = "needy",
     .type = OPTION_FLAG,
     .offset = offsetof(struct target, other),
     .needs = "left",
     .help = "beside left"},
};

static struct target target;
static struct option_group group;
static struct option_line line;

static int setup(void **state)
{
    (void)state;
    (void)memset(&target, 0, sizeof target);
    (void)memset(&line, 0, sizeof line);
    group = (struct option_group){
        .rows = rows, .count = sizeof rows / sizeof rows[0], .target = &target};
    return 0;
}

/* Words by one space each. */
static bool parse(const char *words)
{
    static char text[512];
    char *arguments[32];
    size_t count = 0;

    (void)snprintf(text, sizeof text, "%s", words);
    for (char *at = strtok(text, " "); at != NULL; at = strtok(NULL, " ")) {
        assert_true(count < 32U);
        arguments[count++] = at;
    }
    return options_parse(&group, 1, arguments, count, &line);
}

static void assert_wrong(const char *words, const char *said)
{
    (void)setup(NULL);
    assert_false(parse(words));
    assert_string_equal(line.text, said);
}

static void test_options_read_values_of_every_type(void **state)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0xab, 0xcd, 0xef};

    (void)state;
    assert_true(parse("--flag --text hello --number 0x10 --optional=7 --size 64M "
                      "--mac 52:54:00:aB:cd:ef --item a --item=b --left l --needy"));
    assert_true(target.flag);
    assert_true(target.other);
    assert_string_equal(target.text, "hello");
    assert_int_equal(target.number, 16);
    assert_int_equal(target.optional, 7);
    assert_int_equal(target.size, 64U << 20U);
    assert_memory_equal(target.mac, mac, 6);
    assert_int_equal(target.list.count, 2);
    assert_string_equal(target.list.items[0], "a");
    assert_string_equal(target.list.items[1], "b");
    assert_string_equal(target.left, "l");
    assert_true(options_given(&group, "mac"));
    assert_false(options_given(&group, "right"));
    assert_false(options_given(&group, "unknown"));
}

static void test_options_take_values_behind_an_equals_sign(void **state)
{
    (void)state;
    assert_true(parse("--text=a=b --left=--odd --number=2"));
    assert_string_equal(target.text, "a=b");
    assert_string_equal(target.left, "--odd");
    assert_int_equal(target.number, 2);
}

static void test_options_leave_an_optional_value_out(void **state)
{
    (void)state;
    assert_true(parse("--optional --left x"));
    assert_int_equal(target.optional, 0);
    assert_true(options_given(&group, "optional"));
}

static void test_options_know_sizes(void **state)
{
    static const struct {
        const char *words;
        uint64_t size;
    } good[] = {{"--left x --size 512", 512},
                {"--left x --size 1K", 1024},
                {"--left x --size 3G", UINT64_C(3) << 30U},
                {"--left x --size 2T", UINT64_C(2) << 40U},
                {"--left x --size 1024T", UINT64_C(1) << 50U}};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)setup(state);
        assert_true(parse(good[i].words));
        assert_true(target.size == good[i].size);
    }
}

static void test_options_say_what_is_wrong_with_a_value(void **state)
{
    static const char *const sizes[] = {"511", "1025T", "5X",           "5MB",
                                        "M",   "-1",    "99999999999G", "99999999999999999999999"};
    static const char *const numbers[] = {"1", "101", "x", "-5", "5x", "+5", "0x", "4294967298"};
    static const char *const macs[] = {
        "52:54:00:12:34",       "52:54:00:12:34:5",  "00:00:00:00:00:00", "01:00:5e:00:00:01",
        "52:54:00:12:34:56:78", "52-54-00-12-34-56", "gg:54:00:12:34:56"};
    char words[128];
    char said[OPTION_LINE];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)snprintf(words, sizeof words, "--left x --size %s", sizes[i]);
        (void)snprintf(said, sizeof said, "--size takes a size such as 64M (K, M, G, T), not '%s'",
                       sizes[i]);
        assert_wrong(words, said);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(words, sizeof words, "--left x --number %s", numbers[i]);
        (void)snprintf(said, sizeof said, "--number takes a number from 2 to 100, not '%s'",
                       numbers[i]);
        assert_wrong(words, said);
    }
    for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++) {
        (void)snprintf(words, sizeof words, "--left x --mac %s", macs[i]);
        (void)snprintf(said, sizeof said,
                       "--mac takes the address of one station, such as 52:54:00:12:34:56, not "
                       "'%s'",
                       macs[i]);
        assert_wrong(words, said);
    }
    assert_wrong("--left x --optional=4", "--optional takes a number from 5 to 9, not '4'");
    assert_wrong("--left x --optional=", "--optional takes a number from 5 to 9, not ''");
    (void)state;
}

static void test_options_say_what_is_wrong_with_an_argument(void **state)
{
    (void)state;
    assert_wrong("--left x stray", "'stray' is no option: options begin with two dashes");
    assert_wrong("-l", "'-l' is no option: options begin with two dashes");
    assert_wrong("--", "'--' is no option: options begin with two dashes");
    assert_wrong("--lefty x", "there is no option --lefty");
    assert_wrong("--lef x", "there is no option --lef");
    assert_wrong("--unknown=5", "there is no option --unknown");
    assert_wrong("--flag=yes --left x", "--flag takes no value");
    assert_wrong("--left", "--left needs a value: --left X");
    assert_wrong("--left --flag", "--left needs a value: --left X");
    assert_wrong("--left x --number", "--number needs a value: --number N");
    assert_wrong("--left x --left y", "--left is given twice");
    assert_wrong("--item=1 --item=2 --item=3 --item=4 --item=5 --item=6 --item=7 --item=8 "
                 "--item=9 --item=a --item=b --item=c --item=d --item=e --item=f --item=g "
                 "--item=h --left x",
                 "--item may be given 16 times");
}

static void test_options_say_which_do_not_go_together(void **state)
{
    (void)state;
    assert_wrong("--flag", "--left or --right is missing");
    assert_wrong("--left x --right y", "--left and --right exclude each other");
    assert_wrong("--right x --needy", "--needy is for --left only");
    (void)setup(NULL);
    assert_true(parse("--right x"));
}

static void test_options_number_stops_behind_it(void **state)
{
    uint32_t number = 0;

    (void)state;
    assert_string_equal(options_number("80x24", 65535, &number), "x24");
    assert_int_equal(number, 80);
    assert_string_equal(options_number("65535", 65535, &number), "");
    assert_null(options_number("65536", 65535, &number));
    assert_null(options_number("0", 65535, &number));
    assert_null(options_number("x", 65535, &number));
    assert_null(options_number("-1", 65535, &number));
    assert_null(options_number("", 65535, &number));
}

static void test_options_parse_several_groups(void **state)
{
    static const struct option more[] = {
        {.name = "more", .type = OPTION_FLAG, .offset = 0, .must = true, .help = "more"}};
    bool flag = false;
    struct option_group groups[2] = {group, {.rows = more, .count = 1, .target = &flag}};
    char first[] = "--left=x";
    char second[] = "--more";
    char *arguments[] = {first, second};

    (void)state;
    assert_true(options_parse(groups, 2, arguments, 2, &line));
    assert_true(flag);
    assert_false(options_parse(groups, 2, arguments, 1, &line)); /* counted anew: given twice */
    groups[0].given = 0;
    groups[1].given = 0;
    assert_false(options_parse(groups, 2, arguments, 1, &line));
    assert_string_equal(line.text, "--more is missing");
}

static void test_options_help_has_a_line_for_each(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    unsigned int lines = 0;

    (void)state;
    assert_non_null(out);
    options_help(out, rows, sizeof rows / sizeof rows[0]);
    (void)fclose(out);
    for (size_t i = 0; i < size; i++) {
        lines += text[i] == '\n' ? 1U : 0U;
    }
    assert_int_equal(lines, sizeof rows / sizeof rows[0]);
    assert_non_null(strstr(text, "  --flag                 a flag\n"));
    assert_non_null(strstr(text, "  --size SIZE            a size\n"));
    assert_non_null(strstr(text, "  --optional[=N]         a number or none\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_options_read_values_of_every_type, setup),
        cmocka_unit_test_setup(test_options_take_values_behind_an_equals_sign, setup),
        cmocka_unit_test_setup(test_options_leave_an_optional_value_out, setup),
        cmocka_unit_test_setup(test_options_know_sizes, setup),
        cmocka_unit_test_setup(test_options_say_what_is_wrong_with_a_value, setup),
        cmocka_unit_test_setup(test_options_say_what_is_wrong_with_an_argument, setup),
        cmocka_unit_test_setup(test_options_say_which_do_not_go_together, setup),
        cmocka_unit_test_setup(test_options_number_stops_behind_it, setup),
        cmocka_unit_test_setup(test_options_parse_several_groups, setup),
        cmocka_unit_test_setup(test_options_help_has_a_line_for_each, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
