/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-top: what the devices of hypervisors do, live. Command line -> rounds -> main. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "top.h"

#define EXIT_NOTHING 1 /* --once, and a source gave no report */
#define EXIT_USAGE   2

#define ONCE_MS 200 /* for the second report of --once */

/* ---- command line ---- */

struct top_options {
    uint32_t interval;
    bool queues;
    bool once;
    bool help;
};

static const struct option rows[] = {
    {.name = "interval",
     .value = "SECONDS",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct top_options, interval),
     .min = 1,
     .max = 3600,
     .help = "time between two looks (1)"},
    {.name = "queues",
     .type = OPTION_FLAG,
     .offset = offsetof(struct top_options, queues),
     .help = "a line for each queue too"},
    {.name = "once",
     .type = OPTION_FLAG,
     .offset = offsetof(struct top_options, once),
     .help = "print one table, of the first interval, and end"},
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = offsetof(struct top_options, help),
     .help = "this text"},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static void print_help(void)
{
    (void)puts(
        "usage: avps-top [OPTION...] [LABEL=]SOURCE...\n"
        "Shows what the virtio devices of hypervisors do. A SOURCE is a Unix socket that gives\n"
        "reports (--stats of the programs), a console's socket or FIFO, a log, or - for standard\n"
        "input.\n\noptions:");
    options_help(stdout, rows, ROW_COUNT);
}

static int wrong(const char *line)
{
    (void)fprintf(stderr, "avps-top: %s (see avps-top --help)\n", line);
    return EXIT_USAGE;
}

/* Options come first. @return how many arguments they are. */
static size_t option_length(char *const *arguments, size_t count)
{
    size_t at = 0;

    while (at < count && strncmp(arguments[at], "--", 2) == 0) {
        at += strcmp(arguments[at], "--interval") == 0 && at + 1U < count ? 2U : 1U;
    }
    return at;
}

/* ---- rounds ---- */

static volatile sig_atomic_t stopping;

static void on_signal(int signo)
{
    (void)signo;
    stopping = 1;
}

static int64_t now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for bytes, `left_ms` at most, and take them in. */
static void listen_once(struct top_source *sources, uint32_t count, int left_ms)
{
    struct pollfd polled[TOP_SOURCES];

    for (uint32_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = sources[i].fd, .events = POLLIN};
    }
    if (poll(polled, count, left_ms) <= 0) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (polled[i].revents != 0) {
            source_read(&sources[i]);
        }
    }
}

/* Take in what comes until `until_ms`. */
static void listen_until(struct top_source *sources, uint32_t count, int64_t until_ms)
{
    int64_t left = until_ms - now_ms();

    while (left > 0 && stopping == 0) {
        listen_once(sources, count, (int)left);
        left = until_ms - now_ms();
    }
}

static void show(const struct top_source *sources, uint32_t count,
                 const struct top_options *options)
{
    if (!options->once && isatty(STDOUT_FILENO)) {
        (void)fputs("\033[H\033[2J", stdout);
    }
    screen_print(stdout, sources, count, options->queues);
    (void)fputs(options->once ? "" : "\n", stdout);
    (void)fflush(stdout);
}

static void ask_all(struct top_source *sources, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        source_ask(&sources[i]);
    }
}

/* Ask at the beginning of every interval, show at its end what came. */
static void rounds(struct top_source *sources, uint32_t count, const struct top_options *options)
{
    const int64_t interval = (int64_t)options->interval * 1000;
    int64_t next = now_ms() + interval;

    ask_all(sources, count);
    do {
        listen_until(sources, count, next);
        if (options->once) { /* rates need a second report */
            ask_all(sources, count);
            listen_until(sources, count, next + ONCE_MS);
        }
        show(sources, count, options);
        ask_all(sources, count);
        next += interval;
    } while (stopping == 0 && !options->once);
}

/* ---- main ---- */

static bool all_reported(const struct top_source *sources, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sources[i].now->at_ns == 0U) {
            return false;
        }
    }
    return true;
}

static int run(char *const *arguments, uint32_t count, const struct top_options *options)
{
    static struct top_source sources[TOP_SOURCES];
    const struct sigaction action = {.sa_handler = on_signal};
    int status = EXIT_SUCCESS;

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (!source_init(&sources[i], arguments[i])) {
            return wrong("not enough memory");
        }
    }
    rounds(sources, count, options);
    if (options->once && !all_reported(sources, count)) {
        status = EXIT_NOTHING;
    }
    for (uint32_t i = 0; i < count; i++) {
        source_free(&sources[i]);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct top_options options = {.interval = 1};
    struct option_group group = {.rows = rows, .count = ROW_COUNT, .target = &options};
    struct option_line line;
    const size_t count = argc > 1 ? (size_t)argc - 1U : 0U;
    const size_t length = option_length(argv + 1, count);

    if (!options_parse(&group, 1, argv + 1, length, &line)) {
        return wrong(line.text);
    }
    if (options.help) {
        print_help();
        return EXIT_SUCCESS;
    }
    if (length == count) {
        return wrong("no source is named");
    }
    if (count - length > TOP_SOURCES) {
        return wrong("there are more than 16 sources");
    }
    return run(argv + 1 + length, (uint32_t)(count - length), &options);
}
