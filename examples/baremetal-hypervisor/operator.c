/* SPDX-License-Identifier: BSD-3-Clause */
#include "operator.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "guest.h"

#define OPERATOR_NAME 31U

/* Whether `line` starts with `word`; `*rest` is what follows. */
static bool operator_word(const char *line, uint32_t len, const char *word, uint32_t *rest)
{
    *rest = (uint32_t)strlen(word);
    return len >= *rest && memcmp(line, word, *rest) == 0;
}

/* Whether `line` ends with `word`: the kernel puts its time in front. */
static bool operator_ends(const char *line, uint32_t len, const char *word)
{
    const uint32_t size = (uint32_t)strlen(word);

    return len >= size && memcmp(line + len - size, word, size) == 0;
}

static void operator_append(char *text, const char *more)
{
    const size_t at = strlen(text);

    (void)memcpy(&text[at], more, strlen(more) + 1U);
}

/* The number that the digits at `line` make, plus 1, in digits. */
static const char *operator_answer(struct guest *guest, const char *line, uint32_t len)
{
    char digits[11];
    uint32_t at = sizeof digits - 1U;
    uint32_t number = 1;

    for (uint32_t i = 0; i < len && line[i] >= '0' && line[i] <= '9'; i++) {
        number = (number - 1U) * 10U + (uint32_t)(line[i] - '0') + 1U;
    }
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + (char)(number % 10U));
        number /= 10U;
    } while (number != 0U);
    guest->answer[0] = '\0';
    operator_append(guest->answer, "AVPS-ANSWER ");
    operator_append(guest->answer, &digits[at]);
    return guest->answer;
}

static struct guest *operator_find(const char *name, uint32_t len)
{
    while (len != 0U && (name[len - 1U] == '\r' || name[len - 1U] == ' ')) {
        len--;
    }
    for (uint32_t i = 0; i < guest_count(); i++) {
        const char *other = guest_at(i)->plan->name;

        if (strlen(other) == len && memcmp(other, name, len) == 0) {
            return guest_at(i);
        }
    }
    return NULL;
}

struct operator_command {
    const char *word;
    enum guest_request request;
};

static const char *operator_ask(const char *name, uint32_t len, enum guest_request request)
{
    struct guest *other = operator_find(name, len);

    if (other == NULL) {
        return "AVPS-DONE no";
    }
    guest_ask(other, request);
    return "AVPS-DONE yes";
}

static const char *operator_command(const char *line, uint32_t len)
{
    static const struct operator_command commands[] = {
        {"start ", GUEST_START}, {"stop ", GUEST_STOP}, {"restart ", GUEST_RESTART}};
    uint32_t rest = 0;

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (operator_word(line, len, commands[i].word, &rest)) {
            return operator_ask(line + rest, len - rest, commands[i].request);
        }
    }
    if (operator_word(line, len, "is ", &rest)) {
        const struct guest *other = operator_find(line + rest, len - rest);

        return other != NULL && guest_is_running(other) ? "AVPS-DONE running" : "AVPS-DONE off";
    }
    return "AVPS-DONE no";
}

const char *operator_read(struct guest *guest, const char *line, uint32_t len)
{
    uint32_t rest = 0;

    if (operator_word(line, len, "AVPS-ASK ", &rest)) {
        return operator_answer(guest, line + rest, len - rest);
    }
    if (operator_ends(line, len, "AVPS-INIT")) {
        guest_booted(guest);
    } else if (operator_word(line, len, "AVPS-DO ", &rest) && guest->is_operator) {
        return operator_command(line + rest, len - rest);
    }
    return NULL;
}
