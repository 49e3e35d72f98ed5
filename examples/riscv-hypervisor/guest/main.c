/* SPDX-License-Identifier: BSD-3-Clause */
/* A monitor on the virtio console. `test` runs everything and prints a row for each part, which
 * examples/run makes a table of. */
#include <stddef.h>
#include <string.h>

#include "../guest_map.h"
#include "../sbi.h"
#include "access.h"
#include "attack.h"
#include "console.h"
#include "entropy.h"
#include "line.h"
#include "machine.h"
#include "vanish.h"

#define MAIN_LINE    512U
#define MAIN_ENTROPY 65536U
#define MAIN_SAMPLE  16U

_Noreturn void guest_main(void);

static char main_line[MAIN_LINE];

/* ---- rows of the test ---- */

struct row {
    const char *what;
    const struct virtio *device;
    uint64_t started_ms;
};

static void row_features(uint64_t features)
{
    char bits[65];

    for (uint32_t i = 0; i < 64U; i++) {
        bits[i] = (char)('0' + (char)((features >> i) & 1U));
    }
    bits[64] = '\0';
    console_text(bits);
}

/* "AVPS-ROW what|bits|count|problem|ms|interrupts" */
static void row_end(const struct row *row, uint64_t count, const char *problem)
{
    const uint64_t ms = machine_now_ms() - row->started_ms;

    console_text("AVPS-ROW ");
    console_text(row->what);
    console_text("|");
    row_features(row->device->features);
    console_text("|");
    console_number(count);
    console_text("|");
    console_text(problem != NULL ? problem : "ok");
    console_text("|");
    console_number(ms);
    console_text("|");
    console_number(row->device->interrupts);
    console_text("\r\n");
}

static struct row row_begin(const char *what, const struct virtio *device)
{
    return (struct row){what, device, machine_now_ms()};
}

/* ---- commands ---- */

static void main_test_entropy(bool packed)
{
    const struct row row = row_begin("entropy", &machine_entropy);
    const char *problem = entropy_start(packed) ? entropy_check(MAIN_ENTROPY) : "does not start";

    row_end(&row, MAIN_ENTROPY, problem);
}

/* Both directions: a line is read and comes back from its end to its start. */
static void main_test_console(void)
{
    const struct row row = row_begin("console", &machine_console);

    console_text("AVPS-TYPE a line, please\r\n");
    for (uint32_t len = console_read(main_line, MAIN_LINE), i = 0; i < len / 2U; i++) {
        const char first = main_line[i];

        main_line[i] = main_line[len - 1U - i];
        main_line[len - 1U - i] = first;
    }
    console_text("AVPS-BACK ");
    console_text(main_line);
    console_text("\r\n");
    row_end(&row, console_written() + console_received(), NULL);
}

static void main_test_attacks(const char *what, bool packed,
                              const char *(*attack)(bool packed, uint32_t *count))
{
    const struct row row = row_begin(what, &machine_entropy);
    uint32_t count = 0;
    const char *problem = attack(packed, &count);

    row_end(&row, count, problem);
}

static void main_test_access(void)
{
    const struct row row = row_begin("access", &machine_console);
    uint32_t count = 0;
    const char *problem = access_check(&count);

    row_end(&row, count, problem);
}

static void main_test(bool packed)
{
    if (!console_start(packed)) {
        return;
    }
    console_text(packed ? "AVPS-TEST packed\r\n" : "AVPS-TEST split\r\n");
    main_test_entropy(packed);
    main_test_console();
    main_test_access();
    main_test_attacks("registers", packed, attack_registers);
    main_test_attacks("chains", packed, attack_chains);
    console_text("AVPS-DONE\r\n");
}

static void main_split(void)
{
    main_test(false);
}

static void main_packed(void)
{
    main_test(true);
}

static void main_entropy(void)
{
    uint8_t bytes[MAIN_SAMPLE];
    char text[2U * MAIN_SAMPLE + 1U];
    struct line line;

    line_begin(&line, text, sizeof text);
    if (!entropy_start(false) || !entropy_read(bytes, sizeof bytes)) {
        console_text("no answer\r\n");
        return;
    }
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        line_hex(&line, bytes[i]);
    }
    console_text(text);
    console_text("\r\n");
}

static void main_crash(void)
{
    *(volatile uint32_t *)GUEST_NOTHING = 1U;
}

static void main_reboot(void)
{
    sbi_reset(SBI_REBOOT);
}

static void main_off(void)
{
    sbi_reset(SBI_SHUTDOWN);
}

static void main_help(void);

static const struct {
    const char *name;
    const char *help;
    void (*run)(void);
} main_commands[] = {
    {"entropy", "16 random bytes", main_entropy},
    {"test split", "all tests with split rings; wants one more line typed", main_split},
    {"test packed", "the same with packed rings", main_packed},
    {"crash", "touch an address where nothing is", main_crash},
    {"vanish", "touch a device by an instruction that is gone", vanish_and_load},
    {"reboot", "start again", main_reboot},
    {"off", "switch off", main_off},
    {"help", "this", main_help},
};

#define MAIN_COMMANDS (sizeof main_commands / sizeof main_commands[0])

static void main_help(void)
{
    for (size_t i = 0; i < MAIN_COMMANDS; i++) {
        console_text(main_commands[i].name);
        console_text(": ");
        console_text(main_commands[i].help);
        console_text("\r\n");
    }
}

static void main_command(const char *text)
{
    for (size_t i = 0; i < MAIN_COMMANDS; i++) {
        if (line_same(text, main_commands[i].name)) {
            main_commands[i].run();
            return;
        }
    }
    if (*text != '\0') {
        console_text("? try help\r\n");
    }
}

_Noreturn void guest_main(void)
{
    if (!machine_init() || !console_start(false)) {
        sbi_reset(SBI_SHUTDOWN);
    }
    console_text("guest: console and entropy found; try help\r\n");
    for (;;) {
        console_text("> ");
        (void)console_read(main_line, MAIN_LINE);
        main_command(main_line);
    }
}
