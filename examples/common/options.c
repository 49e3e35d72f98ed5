/* SPDX-License-Identifier: BSD-3-Clause */
/* Command line by table: lines -> values by type -> one argument -> rules between options -> all of
 * it -> help. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool options_fail(struct option_line *line, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is just above */
    (void)vsnprintf(line->text, sizeof line->text, format, values);
    va_end(values);
    return false;
}

/* ---- values ---- */

static void *value_place(const struct option_group *group, const struct option *row)
{
    return (uint8_t *)group->target + row->offset;
}

/* Digits, then what is left. */
static bool read_number(const char *text, uint64_t *number, const char **rest)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return false; /* no sign, no space */
    }
    errno = 0;
    *number = strtoull(text, &end, 0);
    *rest = end;
    return errno == 0 && end != text;
}

const char *options_number(const char *text, uint64_t max, uint32_t *number)
{
    uint64_t value = 0;
    const char *rest = NULL;

    if (!read_number(text, &value, &rest) || value == 0U || value > max) {
        return NULL;
    }
    *number = (uint32_t)value;
    return rest;
}

static bool in_range(const struct option *row, uint64_t number)
{
    return number >= row->min && number <= row->max;
}

static bool set_number(const struct option *row, const char *text, uint32_t *place,
                       struct option_line *line)
{
    uint64_t number = 0;
    const char *rest = "";

    if (!read_number(text, &number, &rest) || *rest != '\0' || !in_range(row, number)) {
        return options_fail(line, "--%s takes a number from %llu to %llu, not '%s'", row->name,
                            (unsigned long long)row->min, (unsigned long long)row->max, text);
    }
    *place = (uint32_t)number;
    return true;
}

/* Bits to shift for a suffix; -1: there is none such. */
static int size_shift(const char *suffix)
{
    static const char letters[] = "KMGT";
    const char *at = NULL;

    if (suffix[0] == '\0') {
        return 0;
    }
    at = strchr(letters, suffix[0]);
    return at != NULL && suffix[1] == '\0' ? 10 * (int)(at - letters + 1) : -1;
}

static bool set_size(const struct option *row, const char *text, uint64_t *place,
                     struct option_line *line)
{
    uint64_t number = 0;
    const char *rest = "";

    if (read_number(text, &number, &rest)) {
        const int shift = size_shift(rest);

        if (shift >= 0 && number <= UINT64_MAX >> (unsigned int)shift &&
            in_range(row, number << (unsigned int)shift)) {
            *place = number << (unsigned int)shift;
            return true;
        }
    }
    return options_fail(line, "--%s takes a size such as 64M (K, M, G, T), not '%s'", row->name,
                        text);
}

static bool read_hex(char digit, uint8_t *value)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit != '\0' ? strchr(digits, digit) : NULL;

    *value = at != NULL ? (uint8_t)((at - digits) % 16) : 0U;
    return at != NULL;
}

static bool read_mac(const char *text, uint8_t mac[6])
{
    if (strlen(text) != 17U) {
        return false;
    }
    for (size_t i = 0; i < 6U; i++) {
        uint8_t high = 0;
        uint8_t low = 0;

        if (!read_hex(text[3U * i], &high) || !read_hex(text[3U * i + 1U], &low) ||
            (i < 5U && text[3U * i + 2U] != ':')) {
            return false;
        }
        mac[i] = (uint8_t)(high << 4U | low);
    }
    return true;
}

static bool set_mac(const struct option *row, const char *text, uint8_t *place,
                    struct option_line *line)
{
    static const uint8_t none[6] = {0};

    if (!read_mac(text, place) || (place[0] & 1U) != 0U || memcmp(place, none, 6) == 0) {
        return options_fail(line,
                            "--%s takes the address of one station, such as 52:54:00:12:34:56, "
                            "not '%s'",
                            row->name, text);
    }
    return true;
}

static bool add_text(const struct option *row, const char *text, struct option_list *list,
                     struct option_line *line)
{
    if (list->count == OPTION_LIST) {
        return options_fail(line, "--%s may be given %u times", row->name, OPTION_LIST);
    }
    list->items[list->count++] = text;
    return true;
}

static bool set_value(const struct option_group *group, const struct option *row, const char *text,
                      struct option_line *line)
{
    void *place = value_place(group, row);

    switch (row->type) {
    case OPTION_TEXT:
        *(const char **)place = text;
        return true;
    case OPTION_NUMBER:
    case OPTION_OPTIONAL:
        return set_number(row, text, place, line);
    case OPTION_SIZE:
        return set_size(row, text, place, line);
    case OPTION_MAC:
        return set_mac(row, text, place, line);
    case OPTION_TEXTS:
        return add_text(row, text, place, line);
    case OPTION_FLAG:
    default:
        *(bool *)place = true;
        return true;
    }
}

/* ---- one argument ---- */

/* An argument taken apart: --name, --name=value. */
struct argument {
    const char *name;
    size_t name_len;
    const char *value; /* behind the equals sign; NULL: none */
};

static bool argument_split(const char *text, struct argument *argument)
{
    if (strncmp(text, "--", 2) != 0 || text[2] == '\0') {
        return false;
    }
    argument->name = text + 2;
    argument->name_len = strcspn(argument->name, "=");
    argument->value =
        argument->name[argument->name_len] == '=' ? argument->name + argument->name_len + 1 : NULL;
    return true;
}

static const struct option *group_find(const struct option_group *group,
                                       const struct argument *argument)
{
    for (size_t i = 0; i < group->count; i++) {
        const char *name = group->rows[i].name;

        if (strlen(name) == argument->name_len &&
            strncmp(name, argument->name, argument->name_len) == 0) {
            return &group->rows[i];
        }
    }
    return NULL;
}

static bool takes_value(const struct option *row)
{
    return row->type != OPTION_FLAG && row->type != OPTION_OPTIONAL;
}

/* Note that a row was given. */
static bool group_mark(struct option_group *group, const struct option *row,
                       struct option_line *line)
{
    const uint32_t bit = UINT32_C(1) << (unsigned int)(row - group->rows);

    if ((group->given & bit) != 0U && row->type != OPTION_TEXTS) {
        return options_fail(line, "--%s is given twice", row->name);
    }
    group->given |= bit;
    return true;
}

/* @param next  The argument behind it, or NULL. @param[out] used  Arguments taken: 1 or 2. */
static bool group_take(struct option_group *group, const struct option *row,
                       const struct argument *argument, const char *next, size_t *used,
                       struct option_line *line)
{
    const char *value = argument->value;

    *used = 1;
    if (value != NULL && row->type == OPTION_FLAG) {
        return options_fail(line, "--%s takes no value", row->name);
    }
    if (value == NULL && takes_value(row)) {
        if (next == NULL || strncmp(next, "--", 2) == 0) {
            return options_fail(line, "--%s needs a value: --%s %s", row->name, row->name,
                                row->value);
        }
        value = next;
        *used = 2;
    }
    if (!group_mark(group, row, line)) {
        return false;
    }
    return (value == NULL && row->type == OPTION_OPTIONAL) || set_value(group, row, value, line);
}

static bool take_argument(struct option_group *groups, size_t group_count, const char *text,
                          const char *next, size_t *used, struct option_line *line)
{
    struct argument argument;

    if (!argument_split(text, &argument)) {
        return options_fail(line, "'%s' is no option: options begin with two dashes", text);
    }
    for (size_t i = 0; i < group_count; i++) {
        const struct option *row = group_find(&groups[i], &argument);

        if (row != NULL) {
            return group_take(&groups[i], row, &argument, next, used, line);
        }
    }
    return options_fail(line, "there is no option --%.*s", (int)argument.name_len, argument.name);
}

bool options_need_next(const struct option_group *groups, size_t group_count, const char *text)
{
    struct argument argument;
    const bool is_option = argument_split(text, &argument);

    for (size_t i = 0; i < group_count && is_option; i++) {
        const struct option *row = group_find(&groups[i], &argument);

        if (row != NULL) {
            return argument.value == NULL && takes_value(row);
        }
    }
    return false;
}

/* ---- rules between options ---- */

static bool is_given(const struct option_group *group, size_t row)
{
    return (group->given >> row & 1U) != 0U;
}

bool options_given(const struct option_group *group, const char *name)
{
    for (size_t i = 0; i < group->count; i++) {
        if (strcmp(group->rows[i].name, name) == 0) {
            return is_given(group, i);
        }
    }
    return false;
}

/* "--a, --b or --c" of a choice, or the one option. */
static void list_choice(const struct option_group *group, const struct option *row, char *text,
                        size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < group->count && at < size; i++) {
        const struct option *other = &group->rows[i];

        if (other == row || (row->choice != 0U && other->choice == row->choice)) {
            const int put =
                snprintf(text + at, size - at, "%s--%s", at != 0U ? " or " : "", other->name);

            at += put > 0 ? (size_t)put : 0U;
        }
    }
}

/* How many of a row's choice were given; `*other` is one that is not the row. */
static uint32_t count_choice(const struct option_group *group, const struct option *row,
                             const struct option **other)
{
    uint32_t count = 0;

    for (size_t i = 0; i < group->count; i++) {
        const struct option *it = &group->rows[i];
        const bool same = it == row || (row->choice != 0U && it->choice == row->choice);

        if (same && is_given(group, i)) {
            count++;
            *other = it != row ? it : *other;
        }
    }
    return count;
}

static bool row_is_well(const struct option_group *group, size_t i, struct option_line *line)
{
    const struct option *row = &group->rows[i];
    const struct option *other = row;
    const uint32_t count = count_choice(group, row, &other);
    char names[128];

    if (count == 0U && row->must) {
        list_choice(group, row, names, sizeof names);
        return options_fail(line, "%s is missing", names);
    }
    if (count > 1U && is_given(group, i)) {
        return options_fail(line, "--%s and --%s exclude each other", row->name, other->name);
    }
    if (is_given(group, i) && row->needs != NULL && !options_given(group, row->needs)) {
        return options_fail(line, "--%s is for --%s only", row->name, row->needs);
    }
    return true;
}

/* ---- all of it ---- */

static bool group_is_well(const struct option_group *group, struct option_line *line)
{
    for (size_t row = 0; row < group->count; row++) {
        if (!row_is_well(group, row, line)) {
            return false;
        }
    }
    return true;
}

bool options_parse(struct option_group *groups, size_t group_count, char *const *arguments,
                   size_t count, struct option_line *line)
{
    bool is_well = true;

    for (size_t i = 0, used = 0; i < count && is_well; i += used) {
        is_well = take_argument(groups, group_count, arguments[i],
                                i + 1U < count ? arguments[i + 1U] : NULL, &used, line);
    }
    for (size_t i = 0; i < group_count && is_well; i++) {
        is_well = group_is_well(&groups[i], line);
    }
    return is_well;
}

/* ---- help ---- */

void options_help(FILE *out, const struct option *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char left[64];

        if (rows[i].type == OPTION_OPTIONAL) {
            (void)snprintf(left, sizeof left, "--%s[=%s]", rows[i].name, rows[i].value);
        } else {
            (void)snprintf(left, sizeof left, "--%s %s", rows[i].name,
                           rows[i].value != NULL ? rows[i].value : "");
        }
        (void)fprintf(out, "  %-22s %s\n", left, rows[i].help);
    }
}
