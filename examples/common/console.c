/* SPDX-License-Identifier: BSD-3-Clause */
/* Console: options -> terminals of the ports -> open, ready, close, resize. */
#include <stdio.h>
#include <stdlib.h>

#include "avps_posix/terminal.h"
#include "host.h"

#define CONSOLE_PORTS 16U
#define CONSOLE_NAME  128U

struct console {
    bool pty;
    bool stdio;
    const char *unix_path;
    const char *file;
    uint32_t ports;
    const char *size;
    struct avps_posix_terminal *terminals[CONSOLE_PORTS];
    char paths[CONSOLE_PORTS][CONSOLE_NAME];
    char names[CONSOLE_PORTS][32];
    struct avps_console_port port_storage[CONSOLE_PORTS];
    struct avps_queue *queue_storage;
    struct avps_console device;
};

enum { CHOICE_TERMINAL = 1 };

static const struct option console_rows[] = {
    {.name = "pty",
     .type = OPTION_FLAG,
     .offset = offsetof(struct console, pty),
     .choice = CHOICE_TERMINAL,
     .help = "a pseudo terminal, whose name the log tells (the default)"},
    {.name = "stdio",
     .type = OPTION_FLAG,
     .offset = offsetof(struct console, stdio),
     .choice = CHOICE_TERMINAL,
     .help = "standard input and output; control-] ends the program"},
    {.name = "unix",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct console, unix_path),
     .choice = CHOICE_TERMINAL,
     .help = "a Unix socket, one peer at a time"},
    {.name = "file",
     .value = "LOG",
     .type = OPTION_TEXT,
     .offset = offsetof(struct console, file),
     .choice = CHOICE_TERMINAL,
     .help = "output is appended to a file, there is no input"},
    {.name = "ports",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct console, ports),
     .min = 1,
     .max = CONSOLE_PORTS,
     .help = "ports (1); the others are avps.1, avps.2 ... in the guest, with terminals alike"},
    {.name = "size",
     .value = "COLSxROWS",
     .type = OPTION_TEXT,
     .offset = offsetof(struct console, size),
     .help = "size of the first port, where no terminal tells it"},
};

/* ---- terminals of the ports ---- */

static void console_escaped(void *ctx)
{
    const struct host *host = ctx;

    host->stop(host->stop_ctx);
}

/* Port n of a path is path.n; there is one standard input only. */
static struct avps_posix_terminal_config console_terminal(struct host_device *device, uint32_t port)
{
    struct console *console = device->own;
    struct avps_posix_terminal_config config = {.loop = device->loop,
                                                .kind = AVPS_POSIX_TERMINAL_PTY,
                                                .port = port,
                                                .escaped = console_escaped,
                                                .ctx = device->host};
    const char *path = console->unix_path != NULL ? console->unix_path : console->file;

    if (path != NULL) {
        config.kind =
            console->unix_path != NULL ? AVPS_POSIX_TERMINAL_UNIX : AVPS_POSIX_TERMINAL_FILE;
        config.path = path;
    } else if (console->stdio && port == 0U) {
        config.kind = AVPS_POSIX_TERMINAL_STDIO;
    }
    if (path != NULL && port != 0U) {
        (void)snprintf(console->paths[port], CONSOLE_NAME, "%s.%u", path, port);
        config.path = console->paths[port];
    }
    return config;
}

/* What the guest is told of a further port. */
static void console_name(struct host_device *device, uint32_t port)
{
    struct console *console = device->own;
    char *name = console->names[port];

    if (device->planned != NULL && port != 0U) {
        (void)snprintf(name, sizeof console->names[port], "%s",
                       device->planned->console.ports[port - 1U]);
    } else {
        (void)snprintf(name, sizeof console->names[port], "avps.%u", port);
    }
}

static enum avps_status console_open_terminals(struct host_device *device,
                                               struct avps_posix_error *error)
{
    struct console *console = device->own;
    enum avps_status status = AVPS_OK;

    for (uint32_t port = 0; port < console->ports && status == AVPS_OK; port++) {
        const struct avps_posix_terminal_config config = console_terminal(device, port);

        status = avps_posix_terminal_open(&console->terminals[port], &config, error);
        console_name(device, port);
    }
    return status;
}

/* ---- open, ready, close, resize ---- */

static void console_describe(struct console *console, uint32_t port,
                             struct avps_console_port_config *config)
{
    *config =
        (struct avps_console_port_config){.name = console->names[port], .console = port == 0U};
    avps_posix_terminal_describe(console->terminals[port], config);
}

/* A terminal knows better. */
static bool console_set_size(const struct console *console, struct avps_console_port_config *config)
{
    const char *text = console->size;
    uint32_t cols = 0;
    uint32_t rows = 0;

    if (text == NULL) {
        return true;
    }
    text = options_number(text, UINT16_MAX, &cols);
    text = text != NULL && *text == 'x' ? options_number(text + 1, UINT16_MAX, &rows) : NULL;
    if (text == NULL || *text != '\0') {
        return false;
    }
    if (config->cols == 0U) {
        config->cols = (uint16_t)cols;
        config->rows = (uint16_t)rows;
    }
    return true;
}

static enum avps_status console_init(struct host_device *device)
{
    struct console *console = device->own;
    const bool several = console->ports > 1U;
    const uint16_t queues = (uint16_t)(several ? 2U * console->ports + 2U : 2U);
    struct avps_console_config config = {
        .ports = console->port_storage, .max_ports = console->ports, .multiport = several};
    enum avps_status status = AVPS_OK;

    console->queue_storage = calloc(queues, sizeof *console->queue_storage);
    if (console->queue_storage == NULL) {
        return AVPS_E_NOSPACE;
    }
    config.base = host_device_base(device, console->queue_storage, queues);
    console_describe(console, 0, &config.port0);
    if (!console_set_size(console, &config.port0)) {
        return AVPS_E_PARAM;
    }
    if (device->planned != NULL) {
        avps_platform_console(device->planned, &config);
    }
    device->base = &console->device.base;
    status = avps_console_init(&console->device, &config);
    for (uint32_t port = 1; port < console->ports && status == AVPS_OK; port++) {
        struct avps_console_port_config another;

        console_describe(console, port, &another);
        status = avps_console_add_port(&console->device, port, &another);
    }
    return status;
}

static enum avps_status console_open(struct host_device *device, struct avps_posix_error *error)
{
    struct console *console = device->own;

    console->ports =
        device->planned != NULL ? device->planned->console.port_count + 1U : console->ports;
    console->ports = console->ports != 0U ? console->ports : 1U;
    enum avps_status status = console_open_terminals(device, error);
    if (status != AVPS_OK) {
        return status;
    }
    status = console_init(device);
    if (status == AVPS_E_PARAM) {
        return host_fail(error, status, "--size takes columns and rows such as 80x24, not '%s'",
                         console->size != NULL ? console->size : "");
    }
    return status == AVPS_OK ? status : host_fail(error, status, "the console cannot be set up");
}

static void console_ready(struct host_device *device)
{
    struct console *console = device->own;

    for (uint32_t port = 0; port < console->ports; port++) {
        avps_posix_terminal_attach(console->terminals[port], &console->device);
        host_say(device->host, LOG_INFO, "%s: port %u is %s", device->label, port,
                 avps_posix_terminal_name(console->terminals[port]));
    }
}

static bool console_close(struct host_device *device)
{
    struct console *console = device->own;

    for (uint32_t port = 0; port < CONSOLE_PORTS; port++) {
        avps_posix_terminal_close(console->terminals[port]);
    }
    free(console->queue_storage);
    return true;
}

static void console_resized(struct host_device *device)
{
    struct console *console = device->own;

    avps_posix_terminal_resized(console->terminals[0]);
}

const struct host_kind console_kind = {
    .name = "console",
    .summary = "console on a terminal, socket or file",
    .id = 3,
    .rows = console_rows,
    .row_count = sizeof console_rows / sizeof console_rows[0],
    .size = sizeof(struct console),
    .turn_least = 16,
    .turn_most = 16,
    .open = console_open,
    .ready = console_ready,
    .close = console_close,
    .resized = console_resized,
};
