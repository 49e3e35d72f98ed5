/* SPDX-License-Identifier: BSD-3-Clause */
/* Terminals behind a console device: socket, pseudo terminal, standard input and output, file; slow
 * readers, slow guests, peers that come and go. */
#include "sandbox.h"
#include "support/driver.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "avps_posix/runner.h"
#include "avps_posix/terminal.h"

#define MUCH 300000U /* more than any buffer in between */

struct fixture {
    struct sandbox box;
    char path[SANDBOX_PATH];
    struct avps_posix_loop loop;
    struct avps_posix_runner runner;
    struct avps_posix_terminal_config config;
    struct avps_posix_terminal *terminal;
    struct avps_posix_error error;
    struct test_driver d;
    bool running;
    struct avps_console con;
    struct avps_console_port port;
    struct avps_queue queues[2];
    unsigned int escapes;
    int peer;
    int saved[2]; /* descriptors 0 and 1 of the test program */
    uint8_t much[MUCH];
    uint8_t seen[MUCH + 64U];
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    assert_non_null(fx);
    sandbox_make(&fx->box);
    (void)sandbox_path(&fx->box, fx->path, "console");
    assert_int_equal(avps_posix_loop_init(&fx->loop), AVPS_OK);
    fx->config.loop = &fx->loop;
    fx->config.path = fx->path;
    fx->peer = -1;
    fx->saved[0] = -1;
    for (uint32_t i = 0; i < MUCH; i++) {
        fx->much[i] = (uint8_t)(i / 251U + i);
    }
    *state = fx;
    return 0;
}

static void restore_stdio(struct fixture *fx)
{
    if (fx->saved[0] >= 0) {
        (void)dup2(fx->saved[0], 0);
        (void)dup2(fx->saved[1], 1);
        (void)close(fx->saved[0]);
        (void)close(fx->saved[1]);
        fx->saved[0] = -1;
    }
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    if (fx->running) {
        test_driver_free(&fx->d);
    }
    avps_posix_terminal_close(fx->terminal);
    restore_stdio(fx);
    avps_posix_loop_free(&fx->loop);
    (void)close(fx->peer);
    sandbox_remove(&fx->box);
    free(fx);
    return 0;
}

static enum avps_poll_result poll_device(void *ctx)
{
    return avps_poll(ctx, 64);
}

static void escaped(void *ctx)
{
    ((struct fixture *)ctx)->escapes++;
}

/* The guest has the whole of the program's attention: its console is started. */
static void start(struct fixture *fx, enum avps_posix_terminal_kind kind)
{
    const struct avps_posix_runner_config runner = {
        .loop = &fx->loop, .poll = poll_device, .ctx = &fx->con.base};
    struct avps_console_config config = {.ports = &fx->port, .max_ports = 1};

    fx->config.kind = kind;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error), AVPS_OK);
    assert_int_equal(avps_posix_runner_init(&fx->runner, &runner), AVPS_OK);
    test_driver_init(&fx->d, TEST_MEM_REGIONS);
    config.base = test_driver_base(&fx->d, fx->queues, 2, 16);
    config.base.port = &fx->runner.port;
    avps_posix_terminal_describe(fx->terminal, &config.port0);
    assert_int_equal(avps_console_init(&fx->con, &config), AVPS_OK);
    avps_posix_terminal_attach(fx->terminal, &fx->con);
    test_driver_attach(&fx->d, &fx->con.base);
    fx->running = true;
    test_driver_want_all(&fx->d, false);
    test_driver_start(&fx->d);
}

static void rounds(struct fixture *fx, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, false), AVPS_OK);
    }
}

/* The guest writes; `*r` keeps its number. */
static void guest_write(struct fixture *fx, struct test_request *r, const void *bytes, uint32_t len)
{
    *r = (struct test_request){.out = {{bytes, len}}};
    (void)test_driver_send(&fx->d, 1, r);
    test_driver_kick(&fx->d, 1);
    avps_posix_runner_wake(&fx->runner);
    rounds(fx, 2);
}

static bool guest_written(struct fixture *fx)
{
    struct test_used used;

    return test_driver_reap(&fx->d, 1, &used);
}

static void guest_post(struct fixture *fx, struct test_request *r, uint32_t len)
{
    *r = (struct test_request){.in = {len}};
    (void)test_driver_send(&fx->d, 0, r);
    test_driver_kick(&fx->d, 0);
    avps_posix_runner_wake(&fx->runner);
}

/* The guest reads into a buffer of `len`. @return bytes; fails if none come. */
static uint32_t guest_read(struct fixture *fx, uint8_t *bytes, uint32_t len)
{
    const size_t mark = test_mem_mark(&fx->d.mem);
    struct test_request r;
    struct test_used used = {0, 0};

    guest_post(fx, &r, len);
    for (unsigned int i = 0; i < 5000U; i++) {
        if (test_driver_reap(&fx->d, 0, &used)) {
            test_driver_in(&fx->d, &r, 0, bytes, used.len);
            test_mem_rewind(&fx->d.mem, mark);
            return used.len;
        }
        rounds(fx, 1);
        (void)usleep(i < 100U ? 0U : 1000U);
    }
    fail_msg("%s", "the guest got no input");
    return 0;
}

static void assert_guest_reads(struct fixture *fx, const char *text)
{
    const uint32_t len = (uint32_t)strlen(text);
    uint32_t got = 0;

    while (got < len) {
        got += guest_read(fx, fx->seen + got, 64);
    }
    assert_int_equal(got, len);
    assert_memory_equal(fx->seen, text, len);
}

/* The test's end reads `len` bytes while the loop goes on. */
static void assert_peer_reads(struct fixture *fx, int fd, const void *bytes, uint32_t len)
{
    uint32_t got = 0;

    for (unsigned int i = 0; i < 5000U && got < len; i++) {
        const ssize_t piece = read(fd, fx->seen + got, sizeof fx->seen - got);

        got += piece > 0 ? (uint32_t)piece : 0U;
        rounds(fx, 2);
        (void)usleep(piece > 0 ? 0U : 1000U);
    }
    assert_int_equal(got, len);
    assert_memory_equal(fx->seen, bytes, len);
}

/* ---- socket ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void start_connected(struct fixture *fx)
{
    start(fx, AVPS_POSIX_TERMINAL_UNIX);
    assert_false(avps_posix_terminal_is_connected(fx->terminal));
    fx->peer = connect_to(fx->path);
    rounds(fx, 2);
    assert_true(avps_posix_terminal_is_connected(fx->terminal));
}

static void test_terminal_socket_carries_both_ways(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start_connected(fx);
    assert_string_equal(avps_posix_terminal_name(fx->terminal), fx->path);
    guest_write(fx, &r, "login: ", 7);
    assert_true(guest_written(fx));
    assert_peer_reads(fx, fx->peer, "login: ", 7);
    assert_int_equal(write(fx->peer, "root\n", 5), 5);
    assert_guest_reads(fx, "root\n");
}

static void test_terminal_socket_discards_what_nobody_reads(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start(fx, AVPS_POSIX_TERMINAL_UNIX);
    guest_write(fx, &r, "lost", 4);
    assert_true(guest_written(fx));
    fx->peer = connect_to(fx->path);
    rounds(fx, 2);
    guest_write(fx, &r, "seen", 4);
    assert_peer_reads(fx, fx->peer, "seen", 4);
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->discarded, 4);
}

static void test_terminal_socket_serves_one_peer_at_a_time(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;
    char byte = 0;

    start_connected(fx);
    const int second = connect_to(fx->path);
    rounds(fx, 2);
    assert_int_equal(read(second, &byte, 1), 0); /* refused */
    (void)close(second);
    assert_int_equal(write(fx->peer, "a", 1), 1);
    assert_guest_reads(fx, "a");
    (void)close(fx->peer);
    rounds(fx, 3);
    assert_false(avps_posix_terminal_is_connected(fx->terminal));
    fx->peer = connect_to(fx->path);
    rounds(fx, 2);
    guest_write(fx, &r, "again", 5);
    assert_peer_reads(fx, fx->peer, "again", 5);
}

static void test_terminal_socket_holds_the_guest_up_for_a_slow_reader(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start_connected(fx);
    guest_write(fx, &r, fx->much, MUCH);
    assert_false(guest_written(fx));
    assert_peer_reads(fx, fx->peer, fx->much, MUCH);
    rounds(fx, 3);
    assert_true(guest_written(fx));
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->output, MUCH);
}

static void test_terminal_socket_holds_the_writer_up_for_a_slow_guest(void **state)
{
    struct fixture *fx = *state;
    uint32_t put = 0;
    uint32_t got = 0;

    start_connected(fx);
    while (put < MUCH) {
        const ssize_t piece = write(fx->peer, fx->much + put, MUCH - put);

        if (piece < 0) {
            rounds(fx, 3);
            if (write(fx->peer, fx->much + put, 1) < 0) {
                break; /* held up */
            }
            put++;
            continue;
        }
        put += (uint32_t)piece;
    }
    assert_true(put < MUCH);
    while (got < put) {
        got += guest_read(fx, fx->seen + got, 4096);
    }
    assert_int_equal(got, put);
    assert_memory_equal(fx->seen, fx->much, put);
}

static void test_terminal_socket_reads_what_was_sent_before_the_peer_left(void **state)
{
    struct fixture *fx = *state;

    start_connected(fx);
    assert_int_equal(write(fx->peer, "last words", 10), 10);
    (void)close(fx->peer);
    fx->peer = -1;
    assert_guest_reads(fx, "last words");
    rounds(fx, 3);
    assert_false(avps_posix_terminal_is_connected(fx->terminal));
}

/* The guest waits for room when the reader goes away: it must not wait for ever. */
static void test_terminal_socket_lets_the_guest_go_when_the_reader_leaves(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start_connected(fx);
    guest_write(fx, &r, fx->much, MUCH);
    assert_false(guest_written(fx));
    (void)close(fx->peer);
    fx->peer = -1;
    rounds(fx, 6);
    assert_true(guest_written(fx));
}

static void test_terminal_socket_survives_a_reset_with_output_waiting(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start_connected(fx);
    guest_write(fx, &r, fx->much, MUCH);
    test_driver_reset(&fx->d);
    test_driver_start(&fx->d);
    rounds(fx, 3);
    while (read(fx->peer, fx->seen, sizeof fx->seen) > 0) {
    }
    rounds(fx, 3);
    guest_write(fx, &r, "new", 3);
    assert_true(guest_written(fx));
    assert_peer_reads(fx, fx->peer, "new", 3);
}

static void test_terminal_socket_takes_the_place_of_a_dead_one(void **state)
{
    struct fixture *fx = *state;
    struct avps_posix_terminal *second = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", fx->path);
    assert_int_equal(bind(dead, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(dead); /* its name stays */
    start_connected(fx);
    assert_int_equal(avps_posix_terminal_open(&second, &fx->config, &fx->error), AVPS_E_STATE);
    assert_non_null(strstr(fx->error.text, "another program listens on"));
}

static void test_terminal_socket_does_not_remove_other_files(void **state)
{
    struct fixture *fx = *state;
    struct stat about;
    const int fd = open(fx->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)close(fd);
    fx->config.kind = AVPS_POSIX_TERMINAL_UNIX;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error), AVPS_E_IO);
    assert_non_null(strstr(fx->error.text, "cannot listen on"));
    assert_int_equal(stat(fx->path, &about), 0);
}

static void test_terminal_socket_removes_its_name_at_the_end(void **state)
{
    struct fixture *fx = *state;
    struct stat about;

    fx->config.kind = AVPS_POSIX_TERMINAL_UNIX;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error), AVPS_OK);
    assert_int_equal(stat(fx->path, &about), 0);
    avps_posix_terminal_close(fx->terminal);
    fx->terminal = NULL;
    assert_int_equal(stat(fx->path, &about), -1);
}

/* ---- pseudo terminal ---- */

static void test_terminal_pty_serves_users_that_come_and_go(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start(fx, AVPS_POSIX_TERMINAL_PTY);
    for (unsigned int i = 0; i < 2U; i++) {
        guest_write(fx, &r, "nobody", 6);
        assert_true(guest_written(fx));
        fx->peer = open(avps_posix_terminal_name(fx->terminal), O_RDWR | O_NOCTTY | O_NONBLOCK);
        assert_true(fx->peer >= 0);
        while (!avps_posix_terminal_is_connected(fx->terminal)) {
            assert_int_equal(avps_posix_loop_step(&fx->loop, true), AVPS_OK);
        }
        guest_write(fx, &r, "one\ntwo\n", 8); /* raw: no carriage return is added */
        assert_peer_reads(fx, fx->peer, "one\ntwo\n", 8);
        assert_int_equal(write(fx->peer, "\x03\x04yes\r", 6), 6); /* nothing is interpreted */
        assert_guest_reads(fx, "\x03\x04yes\r");
        (void)close(fx->peer);
        fx->peer = -1;
        rounds(fx, 3);
        assert_false(avps_posix_terminal_is_connected(fx->terminal));
    }
}

static void test_terminal_pty_lets_the_guest_go_when_the_user_leaves(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    start(fx, AVPS_POSIX_TERMINAL_PTY);
    fx->peer = open(avps_posix_terminal_name(fx->terminal), O_RDWR | O_NOCTTY | O_NONBLOCK);
    while (!avps_posix_terminal_is_connected(fx->terminal)) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, true), AVPS_OK);
    }
    guest_write(fx, &r, fx->much, MUCH);
    assert_false(guest_written(fx));
    (void)close(fx->peer);
    fx->peer = -1;
    rounds(fx, 4);
    assert_true(guest_written(fx));
}

/* ---- standard input and output ---- */

static void take_stdio(struct fixture *fx, int in, int out)
{
    (void)fflush(stdout);
    fx->saved[0] = dup(0);
    fx->saved[1] = dup(1);
    (void)dup2(in, 0);
    (void)dup2(out, 1);
}

static void test_terminal_stdio_works_on_pipes(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;
    int to[2];
    int from[2];

    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    (void)fcntl(from[0], F_SETFL, O_NONBLOCK);
    take_stdio(fx, to[0], from[1]);
    start(fx, AVPS_POSIX_TERMINAL_STDIO);
    guest_write(fx, &r, fx->much, MUCH);
    assert_false(guest_written(fx));
    assert_peer_reads(fx, from[0], fx->much, MUCH);
    assert_int_equal(write(to[1], "in\x1d", 3), 3); /* a pipe has no escape key */
    assert_guest_reads(fx, "in\x1d");
    (void)close(to[1]);
    rounds(fx, 3);
    guest_write(fx, &r, "still there", 11); /* the end of the input is not the end */
    assert_peer_reads(fx, from[0], "still there", 11);
    restore_stdio(fx);
    (void)close(to[0]);
    (void)close(from[0]);
    (void)close(from[1]);
}

static void test_terminal_stdio_reads_a_file_to_its_end(void **state)
{
    struct fixture *fx = *state;
    const int in = open(fx->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    assert_int_equal(write(in, "script\n", 7), 7);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    take_stdio(fx, in, 1);
    start(fx, AVPS_POSIX_TERMINAL_STDIO);
    assert_guest_reads(fx, "script\n");
    rounds(fx, 3);
    restore_stdio(fx);
    (void)close(in);
}

static void test_terminal_stdio_puts_a_terminal_into_raw_mode_and_back(void **state)
{
    struct fixture *fx = *state;
    const struct winsize size = {.ws_col = 100, .ws_row = 30};
    const struct winsize larger = {.ws_col = 120, .ws_row = 40};
    struct termios before;
    struct termios now;
    int user = -1;

    assert_int_equal(openpty(&fx->peer, &user, NULL, NULL, &size), 0);
    (void)fcntl(fx->peer, F_SETFL, O_NONBLOCK);
    assert_int_equal(tcgetattr(user, &before), 0);
    take_stdio(fx, user, user);
    fx->config.escaped = escaped;
    fx->config.ctx = fx;
    start(fx, AVPS_POSIX_TERMINAL_STDIO);
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 100);
    assert_int_equal(test_driver_config(&fx->d, 2, 2), 30);
    assert_int_equal(tcgetattr(user, &now), 0);
    assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
    assert_int_equal(write(fx->peer, "\x03", 1), 1);
    assert_guest_reads(fx, "\x03");
    assert_int_equal(ioctl(fx->peer, TIOCSWINSZ, &larger), 0);
    avps_posix_terminal_resized(fx->terminal);
    assert_int_equal(test_driver_config(&fx->d, 0, 2), 120);
    assert_int_equal(write(fx->peer, "bye\x1d more", 9), 9);
    assert_guest_reads(fx, "bye");
    assert_int_equal(fx->escapes, 1);
    test_driver_free(&fx->d);
    fx->running = false;
    avps_posix_terminal_close(fx->terminal);
    fx->terminal = NULL;
    assert_int_equal(tcgetattr(user, &now), 0);
    assert_int_equal(now.c_lflag, before.c_lflag);
    assert_int_equal(fcntl(user, F_GETFL) & O_NONBLOCK, 0);
    restore_stdio(fx);
    (void)close(user);
}

/* A guest that hangs does not lock the user in, and gets what was typed ahead. */
static void test_terminal_stdio_sees_the_escape_key_while_the_guest_does_not_read(void **state)
{
    struct fixture *fx = *state;
    int user = -1;

    assert_int_equal(openpty(&fx->peer, &user, NULL, NULL, NULL), 0);
    take_stdio(fx, user, user);
    fx->config.escaped = escaped;
    fx->config.ctx = fx;
    start(fx, AVPS_POSIX_TERMINAL_STDIO);
    for (unsigned int i = 0; i < 6U; i++) {
        assert_int_equal(write(fx->peer, &"abcde\x1d"[i], 1), 1);
        (void)usleep(5000); /* it passes through the kernel's terminal */
        rounds(fx, 4);
    }
    while (fx->escapes == 0U) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, true), AVPS_OK);
    }
    assert_int_equal(fx->escapes, 1);
    assert_guest_reads(fx, "abcde");
    test_driver_free(&fx->d);
    fx->running = false;
    avps_posix_terminal_close(fx->terminal);
    fx->terminal = NULL;
    restore_stdio(fx);
    (void)close(user);
}

/* ---- file ---- */

static void test_terminal_file_appends_output(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;
    const int fd = open(fx->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, "old\n", 4), 4);
    start(fx, AVPS_POSIX_TERMINAL_FILE);
    guest_write(fx, &r, "new\n", 4);
    assert_true(guest_written(fx));
    fx->port.ops->emergency(fx->port.ctx, (uint8_t)'!');
    assert_int_equal(pread(fd, fx->seen, 64, 0), 9);
    assert_memory_equal(fx->seen, "old\nnew\n!", 9);
    (void)close(fd);
}

static void test_terminal_reports_output_that_fails(void **state)
{
    struct fixture *fx = *state;
    struct test_request r;

    fx->config.path = "/dev/full";
    start(fx, AVPS_POSIX_TERMINAL_FILE);
    guest_write(fx, &r, "abc", 3);
    assert_true(guest_written(fx));
    assert_int_equal(avps_console_port_counters(&fx->con, 0)->failures, 1);
}

static void test_terminal_says_what_is_wrong(void **state)
{
    struct fixture *fx = *state;
    char too_long[200];

    (void)memset(too_long, 'x', sizeof too_long);
    too_long[199] = '\0';
    fx->config.kind = AVPS_POSIX_TERMINAL_FILE;
    fx->config.path = "/no/such/folder/log";
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error), AVPS_E_IO);
    assert_non_null(strstr(fx->error.text, "cannot write to /no/such/folder/log: No such file"));
    fx->config.kind = AVPS_POSIX_TERMINAL_UNIX;
    fx->config.path = too_long;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error),
                     AVPS_E_PARAM);
    assert_non_null(strstr(fx->error.text, "longer than 107 bytes"));
    fx->config.path = NULL;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error),
                     AVPS_E_PARAM);
    assert_non_null(strstr(fx->error.text, "also a path"));
    fx->config.kind = (enum avps_posix_terminal_kind)9;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, &fx->error),
                     AVPS_E_PARAM);
    fx->config.loop = NULL;
    assert_int_equal(avps_posix_terminal_open(&fx->terminal, &fx->config, NULL), AVPS_E_PARAM);
}

#define TEST(f) cmocka_unit_test_setup_teardown((f), setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_terminal_socket_carries_both_ways),
        TEST(test_terminal_socket_discards_what_nobody_reads),
        TEST(test_terminal_socket_serves_one_peer_at_a_time),
        TEST(test_terminal_socket_holds_the_guest_up_for_a_slow_reader),
        TEST(test_terminal_socket_holds_the_writer_up_for_a_slow_guest),
        TEST(test_terminal_socket_reads_what_was_sent_before_the_peer_left),
        TEST(test_terminal_socket_lets_the_guest_go_when_the_reader_leaves),
        TEST(test_terminal_socket_survives_a_reset_with_output_waiting),
        TEST(test_terminal_socket_takes_the_place_of_a_dead_one),
        TEST(test_terminal_socket_does_not_remove_other_files),
        TEST(test_terminal_socket_removes_its_name_at_the_end),
        TEST(test_terminal_pty_serves_users_that_come_and_go),
        TEST(test_terminal_pty_lets_the_guest_go_when_the_user_leaves),
        TEST(test_terminal_stdio_works_on_pipes),
        TEST(test_terminal_stdio_reads_a_file_to_its_end),
        TEST(test_terminal_stdio_puts_a_terminal_into_raw_mode_and_back),
        TEST(test_terminal_stdio_sees_the_escape_key_while_the_guest_does_not_read),
        TEST(test_terminal_file_appends_output),
        TEST(test_terminal_reports_output_that_fails),
        TEST(test_terminal_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
