/* SPDX-License-Identifier: BSD-3-Clause */
/* Terminal: connection -> input -> output -> peers that come and go (socket, pseudo terminal) ->
 * opening each kind -> closing -> what is asked of it. */
#include "avps_posix/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "posix_error.h"
#include "posix_internal.h"
#include "unix_socket.h"

#define TERMINAL_INPUT  4096U
#define TERMINAL_NAME   128U
#define TERMINAL_LOOK   UINT64_C(200000000) /* ns between looks for a pseudo terminal's user */
#define TERMINAL_ROUNDS 16U                 /* buffers of input in one go */

struct avps_posix_terminal {
    struct avps_posix_terminal_config config;
    struct avps_console *console;
    int in_fd;     /* -1: no input */
    int out_fd;    /* the same as in_fd but for stdio */
    int listen_fd; /* socket */
    struct avps_posix_source in_source;
    struct avps_posix_source out_source; /* stdio: the other descriptor */
    struct avps_posix_source listen_source;
    struct avps_posix_timer look;
    struct avps_posix_task pump;
    bool connected;
    bool want_input; /* the guest may take some */
    bool want_room;  /* it waits to send */
    bool raw;        /* a terminal's mode was changed */
    struct termios before;
    int in_flags;
    int out_flags;
    char name[TERMINAL_NAME];
    uint32_t first; /* of `input` */
    uint32_t used;
    uint8_t input[TERMINAL_INPUT];
};

/* ---- connection ---- */

/* On the user's own terminal one key is for this program: it is listened for all the time. */
static bool terminal_has_key(const struct avps_posix_terminal *terminal)
{
    return terminal->raw && terminal->config.escaped != NULL;
}

/* Listen for what is wanted and no more; one descriptor may serve both ways. */
static void terminal_watch(struct avps_posix_terminal *terminal)
{
    const bool in = terminal->connected && (terminal->want_input || terminal_has_key(terminal));
    const bool out = terminal->connected && terminal->want_room;
    const bool is_shared = terminal->out_source.loop == NULL;
    const uint32_t for_input = (in ? (uint32_t)AVPS_POSIX_READ : 0U) |
                               (out && is_shared ? (uint32_t)AVPS_POSIX_WRITE : 0U);

    if (terminal->in_source.loop != NULL) {
        (void)!avps_posix_source_modify(&terminal->in_source, for_input);
    }
    if (!is_shared) {
        (void)!avps_posix_source_modify(&terminal->out_source,
                                        out ? (uint32_t)AVPS_POSIX_WRITE : 0U);
    }
}

static void terminal_connect(struct avps_posix_terminal *terminal)
{
    terminal->connected = true;
    terminal->want_input = true;
    terminal->first = 0;
    terminal->used = 0;
    terminal_watch(terminal);
    if (terminal->console != NULL) {
        (void)!avps_console_open(terminal->console, terminal->config.port);
    }
}

/* Whoever was there is gone, and with it what it had typed and the guest had not taken. */
static void terminal_disconnect(struct avps_posix_terminal *terminal)
{
    terminal->connected = false;
    terminal->want_room = false;
    terminal->used = 0;
    if (terminal->config.kind == AVPS_POSIX_TERMINAL_UNIX) {
        avps_posix_source_remove(&terminal->in_source);
        posix_close(&terminal->in_fd);
        terminal->out_fd = -1;
    } else {
        terminal_watch(terminal);
    }
    if (terminal->config.kind == AVPS_POSIX_TERMINAL_PTY) {
        avps_posix_timer_set(&terminal->look, avps_posix_now_ns() + TERMINAL_LOOK);
    }
    if (terminal->console != NULL) {
        (void)!avps_console_close(terminal->console, terminal->config.port);
    }
}

/* ---- input ---- */

/* @return whether all of it went to the guest. */
static bool terminal_give(struct avps_posix_terminal *terminal)
{
    while (terminal->used != 0U) {
        uint32_t taken = 0;

        (void)!avps_console_input(terminal->console, terminal->config.port,
                                  terminal->input + terminal->first, terminal->used, &taken);
        if (taken == 0U) {
            return false; /* input_ready goes on */
        }
        terminal->first += taken;
        terminal->used -= taken;
    }
    terminal->first = 0;
    return true;
}

/* The key that ends the program is not for the guest; what was typed before it is.
 * @return bytes of the `len` new ones that are for the guest. */
static uint32_t terminal_filter(const struct avps_posix_terminal *terminal, const uint8_t *bytes,
                                uint32_t len)
{
    const uint8_t *key = NULL;

    if (terminal_has_key(terminal)) {
        key = memchr(bytes, (int)AVPS_POSIX_TERMINAL_ESCAPE, len);
    }
    if (key == NULL) {
        return len;
    }
    terminal->config.escaped(terminal->config.ctx);
    return (uint32_t)(key - bytes);
}

/* The end of a file or pipe ends the input, not the output. */
static void terminal_input_ended(struct avps_posix_terminal *terminal, ssize_t got)
{
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (terminal->config.kind == AVPS_POSIX_TERMINAL_STDIO) {
        avps_posix_source_remove(&terminal->in_source);
        return;
    }
    terminal_disconnect(terminal);
}

static bool terminal_fill(struct avps_posix_terminal *terminal)
{
    const ssize_t got = read(terminal->in_fd, terminal->input, sizeof terminal->input);

    if (got <= 0) {
        terminal_input_ended(terminal, got);
        return false;
    }
    terminal->used = terminal_filter(terminal, terminal->input, (uint32_t)got);
    return terminal->used == (uint32_t)got;
}

/* Typed ahead of the guest: it is kept as long as there is room, as a terminal does. */
static void terminal_type_ahead(struct avps_posix_terminal *terminal)
{
    uint8_t bytes[64];
    const ssize_t got = read(terminal->in_fd, bytes, sizeof bytes);

    if (got <= 0) {
        terminal_input_ended(terminal, got);
        return;
    }
    const uint32_t room = TERMINAL_INPUT - terminal->used;
    uint32_t len = terminal_filter(terminal, bytes, (uint32_t)got);

    len = len < room ? len : room;
    (void)memmove(terminal->input, terminal->input + terminal->first, terminal->used);
    (void)memcpy(terminal->input + terminal->used, bytes, len);
    terminal->first = 0;
    terminal->used += len;
}

/* As much as the guest takes, but not for ever. */
static void terminal_pump(void *ctx)
{
    struct avps_posix_terminal *terminal = ctx;

    for (uint32_t i = 0; i < TERMINAL_ROUNDS; i++) {
        if (!terminal->connected || terminal->console == NULL) {
            return;
        }
        if (!terminal_give(terminal)) {
            terminal->want_input = false;
            terminal_watch(terminal);
            return;
        }
        if (terminal->in_source.loop == NULL || !terminal_fill(terminal)) {
            break;
        }
    }
    (void)(terminal->used != 0U && terminal->connected && terminal_give(terminal));
    terminal->want_input = terminal->used == 0U;
    terminal_watch(terminal);
}

static void terminal_input_ready(void *ctx, uint32_t port)
{
    struct avps_posix_terminal *terminal = ctx;

    (void)port;
    terminal->want_input = true;
    avps_posix_task_defer(&terminal->pump);
}

/* ---- output ---- */

static ssize_t terminal_write(const struct avps_posix_terminal *terminal, const uint8_t *bytes,
                              uint32_t len)
{
    if (terminal->config.kind == AVPS_POSIX_TERMINAL_UNIX) {
        return send(terminal->out_fd, bytes, len, MSG_NOSIGNAL);
    }
    return write(terminal->out_fd, bytes, len);
}

static enum avps_status terminal_output(void *ctx, uint32_t port, const uint8_t *bytes,
                                        uint32_t len, uint32_t *taken)
{
    struct avps_posix_terminal *terminal = ctx;
    const ssize_t put = terminal_write(terminal, bytes, len);

    (void)port;
    *taken = 0;
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        return AVPS_E_IO;
    }
    *taken = put > 0 ? (uint32_t)put : 0U;
    if (*taken != len) {
        terminal->want_room = true;
        terminal_watch(terminal);
    }
    return AVPS_OK;
}

static void terminal_room(struct avps_posix_terminal *terminal)
{
    terminal->want_room = false;
    terminal_watch(terminal);
    avps_console_output_ready(terminal->console, terminal->config.port);
}

static void terminal_emergency(void *ctx, uint8_t byte)
{
    const struct avps_posix_terminal *terminal = ctx;

    if (terminal->connected) {
        (void)terminal_write(terminal, &byte, 1); /* it cannot wait */
    }
}

/* The guest resets: what it waited for is not owed any more. */
static void terminal_guest_close(void *ctx, uint32_t port)
{
    struct avps_posix_terminal *terminal = ctx;

    (void)port;
    terminal->want_room = false;
    terminal_watch(terminal);
}

static void terminal_out_ready(void *ctx, uint32_t conditions)
{
    (void)conditions;
    terminal_room(ctx);
}

static void terminal_ready(void *ctx, uint32_t conditions)
{
    struct avps_posix_terminal *terminal = ctx;
    const bool is_gone = (conditions & AVPS_POSIX_HANGUP) != 0U;

    if (is_gone && terminal->config.kind == AVPS_POSIX_TERMINAL_PTY) {
        terminal_disconnect(terminal);
        return;
    }
    if ((conditions & AVPS_POSIX_WRITE) != 0U || (is_gone && terminal->want_room)) {
        terminal_room(terminal); /* to nobody: the write fails */
    }
    if ((conditions & AVPS_POSIX_READ) == 0U && !is_gone) {
        return;
    }
    if (terminal->want_input) {
        terminal_pump(terminal); /* what was sent before it left is still to be read */
    } else if (terminal_has_key(terminal)) {
        terminal_type_ahead(terminal);
    }
}

static const struct avps_console_ops terminal_ops = {
    .output = terminal_output,
    .input_ready = terminal_input_ready,
    .guest_close = terminal_guest_close,
    .emergency = terminal_emergency,
};

/* ---- peers that come and go ---- */

static void terminal_accept(void *ctx, uint32_t conditions)
{
    struct avps_posix_terminal *terminal = ctx;
    int fd = accept4(terminal->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)conditions;
    if (fd < 0) {
        return;
    }
    if (terminal->connected || avps_posix_source_add(&terminal->in_source, terminal->config.loop,
                                                     fd, 0, terminal_ready, terminal) != AVPS_OK) {
        posix_close(&fd); /* one at a time */
        return;
    }
    terminal->in_fd = fd;
    terminal->out_fd = fd;
    terminal_connect(terminal);
}

/* A pseudo terminal tells when its user leaves, but not when one comes. */
static void terminal_look(void *ctx)
{
    struct avps_posix_terminal *terminal = ctx;
    struct pollfd state = {.fd = terminal->in_fd};

    if (poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0) {
        terminal_connect(terminal);
        return;
    }
    avps_posix_timer_set(&terminal->look, avps_posix_now_ns() + TERMINAL_LOOK);
}

/* ---- opening ---- */

static enum avps_status terminal_watch_input(struct avps_posix_terminal *terminal, int fd)
{
    terminal->in_fd = fd;
    return avps_posix_source_add(&terminal->in_source, terminal->config.loop, fd, 0, terminal_ready,
                                 terminal);
}

static bool make_raw(int fd)
{
    struct termios mode;

    if (tcgetattr(fd, &mode) != 0) {
        return false;
    }
    cfmakeraw(&mode);
    return tcsetattr(fd, TCSANOW, &mode) == 0;
}

/* Its user's side is opened and closed once: from then on the kernel reports whether it is open. */
static enum avps_status open_pty(struct avps_posix_terminal *terminal,
                                 struct avps_posix_error *error)
{
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int user = -1;

    terminal->in_fd = fd;
    terminal->out_fd = fd;
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 ||
        ptsname_r(fd, terminal->name, sizeof terminal->name) != 0) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot make", "a pseudo terminal");
    }
    user = open(terminal->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (user < 0 || !make_raw(user)) {
        posix_close(&user);
        return posix_fail_errno(error, AVPS_E_IO, "cannot open", terminal->name);
    }
    posix_close(&user);
    avps_posix_timer_set(&terminal->look, avps_posix_now_ns() + TERMINAL_LOOK);
    return terminal_watch_input(terminal, fd);
}

static void open_stdio_mode(struct avps_posix_terminal *terminal)
{
    terminal->in_flags = fcntl(STDIN_FILENO, F_GETFL);
    terminal->out_flags = fcntl(STDOUT_FILENO, F_GETFL);
    (void)fcntl(STDIN_FILENO, F_SETFL, terminal->in_flags | O_NONBLOCK);
    (void)fcntl(STDOUT_FILENO, F_SETFL, terminal->out_flags | O_NONBLOCK);
    if (tcgetattr(STDIN_FILENO, &terminal->before) == 0) {
        terminal->raw = make_raw(STDIN_FILENO);
    }
}

static enum avps_status open_stdio(struct avps_posix_terminal *terminal,
                                   struct avps_posix_error *error)
{
    (void)snprintf(terminal->name, sizeof terminal->name, "%s", "stdio");
    terminal->out_fd = STDOUT_FILENO;
    terminal->connected = true;
    if (terminal_watch_input(terminal, STDIN_FILENO) != AVPS_OK ||
        avps_posix_source_add(&terminal->out_source, terminal->config.loop, STDOUT_FILENO, 0,
                              terminal_out_ready, terminal) != AVPS_OK) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot use", "standard input and output");
    }
    open_stdio_mode(terminal);
    return AVPS_OK;
}

static enum avps_status open_unix(struct avps_posix_terminal *terminal,
                                  struct avps_posix_error *error)
{
    const enum avps_status status =
        posix_listen(terminal->config.path, &terminal->listen_fd, error);

    if (status != AVPS_OK) {
        return status;
    }
    (void)snprintf(terminal->name, sizeof terminal->name, "%s", terminal->config.path);
    return avps_posix_source_add(&terminal->listen_source, terminal->config.loop,
                                 terminal->listen_fd, AVPS_POSIX_READ, terminal_accept, terminal);
}

static enum avps_status open_log(struct avps_posix_terminal *terminal,
                                 struct avps_posix_error *error)
{
    const char *path = terminal->config.path;

    terminal->out_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (terminal->out_fd < 0) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot write to", path);
    }
    (void)snprintf(terminal->name, sizeof terminal->name, "%s", path);
    terminal->connected = true;
    return AVPS_OK;
}

static enum avps_status open_kind(struct avps_posix_terminal *terminal,
                                  struct avps_posix_error *error)
{
    switch (terminal->config.kind) {
    case AVPS_POSIX_TERMINAL_PTY:
        return open_pty(terminal, error);
    case AVPS_POSIX_TERMINAL_STDIO:
        return open_stdio(terminal, error);
    case AVPS_POSIX_TERMINAL_UNIX:
        return open_unix(terminal, error);
    case AVPS_POSIX_TERMINAL_FILE:
        return open_log(terminal, error);
    default:
        return posix_fail(error, AVPS_E_PARAM, "there is no such kind of terminal");
    }
}

static bool needs_path(enum avps_posix_terminal_kind kind)
{
    return kind == AVPS_POSIX_TERMINAL_UNIX || kind == AVPS_POSIX_TERMINAL_FILE;
}

enum avps_status avps_posix_terminal_open(struct avps_posix_terminal **terminal,
                                          const struct avps_posix_terminal_config *config,
                                          struct avps_posix_error *error)
{
    struct avps_posix_terminal *opened = NULL;

    if (config->loop == NULL || (config->path == NULL && needs_path(config->kind))) {
        return posix_fail(error, AVPS_E_PARAM,
                          "a terminal needs a loop, a socket or file also a path");
    }
    opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory for a terminal");
    }
    opened->config = *config;
    opened->in_fd = -1;
    opened->out_fd = -1;
    opened->listen_fd = -1;
    avps_posix_timer_init(&opened->look, config->loop, terminal_look, opened);
    avps_posix_task_init(&opened->pump, config->loop, terminal_pump, opened);
    const enum avps_status status = open_kind(opened, error);
    if (status != AVPS_OK) {
        avps_posix_terminal_close(opened);
        return status;
    }
    *terminal = opened;
    return AVPS_OK;
}

/* ---- closing ---- */

static void close_stdio(const struct avps_posix_terminal *terminal)
{
    if (terminal->raw) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal->before);
    }
    if (terminal->out_source.loop != NULL) { /* it got so far */
        (void)fcntl(STDIN_FILENO, F_SETFL, terminal->in_flags);
        (void)fcntl(STDOUT_FILENO, F_SETFL, terminal->out_flags);
    }
}

static void close_descriptors(struct avps_posix_terminal *terminal)
{
    if (terminal->out_fd != terminal->in_fd) {
        posix_close(&terminal->out_fd);
    }
    posix_close(&terminal->in_fd);
    if (terminal->listen_fd >= 0) {
        (void)unlink(terminal->config.path);
        posix_close(&terminal->listen_fd);
    }
}

void avps_posix_terminal_close(struct avps_posix_terminal *terminal)
{
    if (terminal == NULL) {
        return;
    }
    if (terminal->config.kind == AVPS_POSIX_TERMINAL_STDIO) {
        close_stdio(terminal);
    }
    avps_posix_timer_set(&terminal->look, 0);
    avps_posix_task_cancel(&terminal->pump);
    avps_posix_source_remove(&terminal->in_source);
    avps_posix_source_remove(&terminal->out_source);
    avps_posix_source_remove(&terminal->listen_source);
    if (terminal->config.kind != AVPS_POSIX_TERMINAL_STDIO) {
        close_descriptors(terminal);
    }
    free(terminal);
}

/* ---- what is asked of it ---- */

static bool terminal_size(const struct avps_posix_terminal *terminal, struct winsize *size)
{
    return terminal->config.kind == AVPS_POSIX_TERMINAL_STDIO &&
           ioctl(STDOUT_FILENO, TIOCGWINSZ, size) == 0 && size->ws_col != 0U && size->ws_row != 0U;
}

void avps_posix_terminal_describe(struct avps_posix_terminal *terminal,
                                  struct avps_console_port_config *config)
{
    struct winsize size;

    config->ops = &terminal_ops;
    config->ctx = terminal;
    config->open = terminal->connected;
    if (terminal_size(terminal, &size)) {
        config->cols = size.ws_col;
        config->rows = size.ws_row;
    }
}

void avps_posix_terminal_attach(struct avps_posix_terminal *terminal, struct avps_console *console)
{
    terminal->console = console;
    terminal->want_input = true;
    terminal_watch(terminal);
}

void avps_posix_terminal_resized(struct avps_posix_terminal *terminal)
{
    struct winsize size;

    if (terminal->console != NULL && terminal_size(terminal, &size)) {
        (void)!avps_console_resize(terminal->console, terminal->config.port, size.ws_col,
                                   size.ws_row);
    }
}

const char *avps_posix_terminal_name(const struct avps_posix_terminal *terminal)
{
    return terminal->name;
}

bool avps_posix_terminal_is_connected(const struct avps_posix_terminal *terminal)
{
    return terminal->connected;
}
