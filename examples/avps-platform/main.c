/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-platform: check platform files, say what they offer, make guests' device trees. Files ->
 * commands -> command line -> main. */
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avps_common/platform_report.h"
#include "avps_common/platform_tree.h"
#include "options.h"

#define PROGRAM_NAME "avps-platform"

#define EXIT_WELL  0
#define EXIT_WRONG 1 /* the file, or what it offers */
#define EXIT_USAGE 2

#define BLOB_MAX  (1U << 20)
#define TREE_SIZE (64U << 10)
#define LIST_SIZE 512U

struct platform_options {
    const char *output;
    const char *bootargs;
    bool help;
};

static const struct option rows[] = {
    {.name = "output",
     .value = "FILE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct platform_options, output),
     .help = "guest-dtb: where to write the tree (standard output)"},
    {.name = "bootargs",
     .value = "TEXT",
     .type = OPTION_TEXT,
     .offset = offsetof(struct platform_options, bootargs),
     .help = "guest-dtb: command line behind the platform's own"},
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = offsetof(struct platform_options, help),
     .help = "this text"},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static struct avps_platform platform;
static alignas(8) uint8_t blob[BLOB_MAX];

/* ---- files ---- */

/* "avps-platform: <what>: <why>". @return the exit status. */
static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, PROGRAM_NAME ": %s: %s\n", what, why);
    return EXIT_WRONG;
}

/* Read a file into `blob`. @return its size; 0 with a complaint. */
static size_t file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0;

    if (file == NULL) {
        (void)complain(path, strerror(errno));
        return 0;
    }
    errno = 0;
    size = fread(blob, 1, sizeof blob, file);
    if (ferror(file) != 0) {
        (void)complain(path, strerror(errno));
        size = 0;
    } else if (size == 0U || size == sizeof blob) {
        (void)complain(path, size == 0U ? "the file is empty" : "the file is longer than 1 MiB");
        size = 0;
    }
    (void)fclose(file);
    return size;
}

/* Read a platform. @return false with a complaint. */
static bool file_parse(const char *path)
{
    struct avps_platform_line line;
    const size_t size = file_read(path);

    if (size != 0U && avps_platform_parse(&platform, blob, size, &line) != AVPS_OK) {
        (void)complain(path, line.text);
        return false;
    }
    return size != 0U;
}

/* The guest of that name. @return NULL with a complaint. */
static const struct avps_platform_guest *file_guest(const char *path, const char *name)
{
    const struct avps_platform_guest *guest = avps_platform_find_guest(&platform, name);

    if (guest == NULL) {
        (void)fprintf(stderr, PROGRAM_NAME ": %s: there is no guest '%s', only:", path, name);
        for (uint32_t i = 0; i < platform.guest_count; i++) {
            (void)fprintf(stderr, " %s", platform.guests[i].name);
        }
        (void)fputc('\n', stderr);
    }
    return guest;
}

/* ---- check ---- */

static int command_check(char *const *names, size_t count)
{
    int status = EXIT_WELL;

    for (size_t i = 0; i < count; i++) {
        if (!file_parse(names[i])) {
            status = EXIT_WRONG;
            continue;
        }
        (void)printf("%s: platform %s, %u %s, %u %s\n", names[i], platform.model,
                     platform.guest_count, platform.guest_count == 1U ? "guest" : "guests",
                     platform.network_count, platform.network_count == 1U ? "network" : "networks");
    }
    return status;
}

/* ---- report ---- */

static void report_list(const struct avps_platform_guest *guest, const char *what,
                        enum avps_platform_verdict verdict)
{
    char text[LIST_SIZE];

    avps_platform_list(guest, verdict, text, sizeof text);
    (void)printf("  %s%s%s\n", what, strcmp(text, "nothing") == 0 ? " " : " AVPS ", text);
}

/* One line for each requirement of a verdict, with its reason. */
static void report_reasons(const struct avps_platform_guest *guest,
                           enum avps_platform_verdict verdict, const char *word)
{
    struct avps_platform_finding finding;

    for (uint32_t i = 0; i < avps_platform_requirements(); i++) {
        avps_platform_judge(guest, i, &finding);
        if (finding.verdict == verdict) {
            (void)printf("    %s %s (%s): %s%s%s [%s]\n", word, finding.id, finding.keyword,
                         finding.device != NULL ? finding.device : "",
                         finding.device != NULL ? ": " : "", finding.reason, finding.text);
        }
    }
}

static bool report_guest(const struct avps_platform_guest *guest)
{
    const bool conforms = avps_platform_conforms(guest);

    (void)printf("guest %s: %u %s, %u MiB, %u %s: %s\n", guest->name, guest->cpus,
                 guest->cpus == 1U ? "CPU" : "CPUs", guest->memory_mib, guest->device_count,
                 guest->device_count == 1U ? "device" : "devices",
                 conforms ? "nothing mandatory is missing" : "does not conform");
    report_list(guest, "offers", AVPS_PLATFORM_OFFERED);
    report_list(guest, "lacks", AVPS_PLATFORM_LACKS);
    report_reasons(guest, AVPS_PLATFORM_LACKS, "lacks");
    report_list(guest, "leaves to the integrator", AVPS_PLATFORM_OPEN);
    report_reasons(guest, AVPS_PLATFORM_OPEN, "open");
    return conforms;
}

static int command_report(char *const *names, size_t count)
{
    const struct avps_platform_guest *only = NULL;
    bool conforms = true;

    if (!file_parse(names[0])) {
        return EXIT_WRONG;
    }
    if (count == 2U) {
        only = file_guest(names[0], names[1]);
        if (only == NULL) {
            return EXIT_WRONG;
        }
    }
    (void)printf(
        "platform %s: AVPS v2.0 on conformance, boot, block, network, entropy and console; "
        "ids as in docs/avps.md\n",
        platform.model);
    for (uint32_t i = 0; i < platform.guest_count; i++) {
        if (only == NULL || only == &platform.guests[i]) {
            conforms = report_guest(&platform.guests[i]) && conforms;
        }
    }
    return conforms ? EXIT_WELL : EXIT_WRONG;
}

/* ---- guest-dtb ---- */

/* An address map like that of QEMU's machine `virt` with a GICv3. */
static const struct avps_platform_machine machine = {
    .ram = 0x40000000,
    .distributor = {0x08000000, 0x10000},
    .redistributors = {0x080a0000, 0x20000ULL * AVPS_PLATFORM_CPUS},
    .msi = AVPS_PLATFORM_V2M,
    .messages = {0x08020000, 0x1000},
    .mmio = 0x0a000000,
    .mmio_spi = 16,
    .ecam = 0x3f000000,
    .pci_memory = {0x10000000, 0x2eff0000},
    .pci_first = 1,
    .pci_spi = 48,
};

static int tree_write(const void *bytes, size_t size, const char *path)
{
    FILE *file = path != NULL ? fopen(path, "wb") : stdout;
    bool written = false;

    if (file == NULL) {
        return complain(path, strerror(errno));
    }
    written = fwrite(bytes, 1, size, file) == size;
    written = (path != NULL ? fclose(file) : fflush(file)) == 0 && written;
    return written ? EXIT_WELL : complain(path != NULL ? path : "output", strerror(errno));
}

static int command_guest_dtb(char *const *names, const struct platform_options *options)
{
    static alignas(8) uint8_t tree[TREE_SIZE];
    struct avps_platform_boot boot = {.bootargs = options->bootargs};
    const struct avps_platform_guest *guest = NULL;
    size_t used = 0;

    if (!file_parse(names[0])) {
        return EXIT_WRONG;
    }
    guest = file_guest(names[0], names[1]);
    if (guest == NULL) {
        return EXIT_WRONG;
    }
    boot.model = platform.model;
    if (avps_platform_write_tree(guest, &machine, &boot, tree, sizeof tree, &used) != AVPS_OK) {
        return complain(names[1], "the tree is longer than 64 KiB: shorten --bootargs");
    }
    return tree_write(tree, used, options->output);
}

/* ---- command line ---- */

static int usage(FILE *out, int status)
{
    (void)fputs("usage: " PROGRAM_NAME " check FILE.dtb...\n"
                "       " PROGRAM_NAME " report FILE.dtb [GUEST]\n"
                "       " PROGRAM_NAME
                " guest-dtb FILE.dtb GUEST [--output FILE] [--bootargs TEXT]\n"
                "\nPlatform files are compiled by dtc: dtc -O dtb -o FILE.dtb FILE.dts\n\n",
                out);
    options_help(out, rows, ROW_COUNT);
    return status;
}

static int wrong(const char *text)
{
    (void)fprintf(stderr, PROGRAM_NAME ": %s; try " PROGRAM_NAME " --help\n", text);
    return EXIT_USAGE;
}

/* Arguments up to the first option. */
static size_t names_count(char *const *arguments, size_t count)
{
    size_t at = 0;

    while (at < count && strncmp(arguments[at], "--", 2) != 0) {
        at++;
    }
    return at;
}

static int command(char *const *names, size_t count, const struct platform_options *options)
{
    if (strcmp(names[0], "guest-dtb") == 0) {
        return count == 3U ? command_guest_dtb(names + 1, options)
                           : wrong("guest-dtb takes a file and the name of a guest");
    }
    if (options->output != NULL || options->bootargs != NULL) {
        return wrong("--output and --bootargs are for guest-dtb only");
    }
    if (strcmp(names[0], "check") == 0) {
        return count > 1U ? command_check(names + 1, count - 1U) : wrong("check takes a file");
    }
    if (strcmp(names[0], "report") == 0) {
        return count == 2U || count == 3U ? command_report(names + 1, count - 1U)
                                          : wrong("report takes a file, and perhaps a guest");
    }
    return wrong("the first argument is check, report or guest-dtb");
}

int main(int argc, char **argv)
{
    char *const *arguments = argv + 1;
    const size_t count = argc > 1 ? (size_t)argc - 1U : 0U;
    const size_t names = names_count(arguments, count);
    struct platform_options options = {0};
    struct option_group group = {.rows = rows, .count = ROW_COUNT, .target = &options};
    struct option_line line;

    if (!options_parse(&group, 1, arguments + names, count - names, &line)) {
        return wrong(line.text);
    }
    if (options.help) {
        return usage(stdout, EXIT_WELL);
    }
    return names != 0U ? command(arguments, names, &options) : usage(stderr, EXIT_USAGE);
}
