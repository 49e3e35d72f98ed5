/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of a guest as Unix sockets: the guest connects, a program of the host connects, bytes and
 * ends both ways, a program that does not read, lines that make no sense, limits. */
#include "support/driver.h"
#include "support/vsock_packet.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "avps_posix/vsock.h"

#define CID     42U
#define BUFFERS 12U
#define ROOM    32768U /* what the guest is told */

enum { RX, TX };
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, UPDATE };

struct fixture {
    struct avps_posix_loop loop;
    struct avps_posix_vsock *sockets;
    struct test_driver d;
    struct avps_vsock vsock;
    struct avps_queue queues[3];
    char folder[64];
    char path[96];
    struct test_request rx[BUFFERS];
    uint32_t given;
    uint32_t seen;
    struct test_vsock_packet last;
    uint8_t payload[4096];
};

static void give_buffer(struct fixture *fx)
{
    struct test_request *r = &fx->rx[fx->given % BUFFERS];

    *r = (struct test_request){.in = {TEST_VSOCK_HEADER + 4096U}};
    (void)test_driver_send(&fx->d, RX, r);
    test_driver_kick(&fx->d, RX);
    fx->given++;
}

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    struct avps_vsock_config config = {.guest_cid = CID};
    struct avps_posix_error error = {{0}};

    assert_non_null(fx);
    (void)snprintf(fx->folder, sizeof fx->folder, "/tmp/avps-vsock.XXXXXX");
    assert_non_null(mkdtemp(fx->folder));
    (void)snprintf(fx->path, sizeof fx->path, "%s/v", fx->folder);
    assert_int_equal(avps_posix_loop_init(&fx->loop), AVPS_OK);
    const struct avps_posix_vsock_config open = {
        .path = fx->path, .loop = &fx->loop, .connections = 2};

    assert_int_equal(avps_posix_vsock_open(&fx->sockets, &open, &error), AVPS_OK);
    test_driver_init_sized(&fx->d, TEST_MEM_REGIONS, 0x800000);
    config.base = test_driver_base(&fx->d, fx->queues, 3, 64);
    avps_posix_vsock_describe(fx->sockets, &config);
    assert_int_equal(avps_vsock_init(&fx->vsock, &config), AVPS_OK);
    avps_posix_vsock_attach(fx->sockets, &fx->vsock);
    test_driver_attach(&fx->d, &fx->vsock.base);
    fx->d.size = 64;
    test_driver_want_all(&fx->d, true);
    test_driver_start(&fx->d);
    for (uint32_t i = 0; i < BUFFERS; i++) {
        give_buffer(fx);
    }
    (void)test_driver_poll(&fx->d);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    test_driver_free(&fx->d);
    avps_posix_vsock_close(fx->sockets);
    avps_posix_loop_free(&fx->loop);
    assert_int_equal(rmdir(fx->folder), 0); /* nothing was left behind */
    free(fx);
    return 0;
}

/* ---- the guest ---- */

static void turn(struct fixture *fx)
{
    for (uint32_t i = 0; i < 4U; i++) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, false), AVPS_OK);
        (void)test_driver_poll(&fx->d);
    }
}

static void guest_sends(struct fixture *fx, uint16_t op, uint32_t host_port, const void *bytes,
                        uint32_t len, uint32_t flags)
{
    const struct test_vsock_packet packet = {.src_cid = CID,
                                             .dst_cid = AVPS_VSOCK_HOST,
                                             .src_port = 1000,
                                             .dst_port = host_port,
                                             .len = len,
                                             .type = 1,
                                             .op = op,
                                             .flags = flags,
                                             .buf_alloc = 100000};
    uint8_t hdr[TEST_VSOCK_HEADER];
    struct test_request r = {.out = {{hdr, sizeof hdr}, {bytes, len}}};

    test_vsock_encode(&packet, hdr);
    assert_int_equal(test_driver_do(&fx->d, TX, &r), 0);
    turn(fx);
}

/* The next packet that the guest gets is this. */
static void guest_gets(struct fixture *fx, uint16_t op)
{
    struct test_request *r = &fx->rx[fx->seen % BUFFERS];
    struct test_used used = {0, 0};
    uint8_t hdr[TEST_VSOCK_HEADER];

    turn(fx);
    assert_true(test_driver_reap(&fx->d, RX, &used));
    assert_int_equal(used.id, r->id);
    test_driver_in(&fx->d, r, 0, hdr, sizeof hdr);
    test_vsock_decode(hdr, &fx->last);
    assert_int_equal(fx->last.op, op);
    test_driver_in(&fx->d, r, sizeof hdr, fx->payload, fx->last.len);
    fx->seen++;
    give_buffer(fx);
}

static void guest_gets_nothing(struct fixture *fx)
{
    struct test_used used = {0, 0};

    turn(fx);
    assert_false(test_driver_reap(&fx->d, RX, &used));
}

/* ---- programs of the host ---- */

static int host_socket(struct sockaddr_un *address, const struct fixture *fx, const char *suffix)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(address->sun_path, sizeof address->sun_path, "%s%s", fx->path, suffix);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int host_listens(const struct fixture *fx, const char *suffix)
{
    struct sockaddr_un address;
    const int fd = host_socket(&address, fx, suffix);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static int host_connects(struct fixture *fx, const char *line)
{
    struct sockaddr_un address;
    const int fd = host_socket(&address, fx, "");

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    turn(fx);
    return fd;
}

static void host_reads(int fd, const char *expected)
{
    char text[64] = {0};

    assert_int_equal(recv(fd, text, sizeof text - 1U, MSG_DONTWAIT), (ssize_t)strlen(expected));
    assert_string_equal(text, expected);
}

/* The guest is connected to a program that listens on port 5000. @return the program's end. */
static int guest_connects(struct fixture *fx, int listening)
{
    guest_sends(fx, REQUEST, 5000, NULL, 0, 0);
    guest_gets(fx, RESPONSE);
    assert_int_equal(fx->last.buf_alloc, ROOM);
    return accept(listening, NULL, NULL);
}

static void host_is_gone(const struct fixture *fx, int listening)
{
    char name[128];

    (void)close(listening);
    (void)snprintf(name, sizeof name, "%s_5000", fx->path);
    (void)unlink(name);
}

/* ---- tests ---- */

static void test_posix_vsock_connects_the_guest_to_a_program(void **state)
{
    struct fixture *fx = *state;
    const int listening = host_listens(fx, "_5000");
    const int fd = guest_connects(fx, listening);

    guest_sends(fx, RW, 5000, "question", 8, 0);
    host_reads(fd, "question");
    assert_int_equal(write(fd, "answer", 6), 6);
    guest_gets(fx, RW);
    assert_int_equal(fx->last.len, 6);
    assert_memory_equal(fx->payload, "answer", 6);
    (void)close(fd);
    host_is_gone(fx, listening);
}

static void test_posix_vsock_refuses_a_port_that_nobody_listens_on(void **state)
{
    struct fixture *fx = *state;

    guest_sends(fx, REQUEST, 5000, NULL, 0, 0);
    guest_gets(fx, RST);
    assert_int_equal(avps_posix_vsock_counters(fx->sockets)->no_port, 1);
}

static void test_posix_vsock_connects_a_program_to_the_guest(void **state)
{
    struct fixture *fx = *state;
    char line[32];
    const int fd = host_connects(fx, "CONNECT 1000\nearly");

    guest_gets(fx, REQUEST);
    assert_int_equal(fx->last.dst_port, 1000);
    guest_gets_nothing(fx); /* what is behind the line waits for the answer */
    const uint32_t port = fx->last.src_port;

    guest_sends(fx, RESPONSE, port, NULL, 0, 0);
    (void)snprintf(line, sizeof line, "OK %u\n", port);
    host_reads(fd, line);
    guest_gets(fx, RW);
    assert_memory_equal(fx->payload, "early", 5);
    guest_sends(fx, RW, port, "hi", 2, 0);
    host_reads(fd, "hi");
    (void)close(fd);
}

static void test_posix_vsock_tells_a_program_that_the_guest_refused(void **state)
{
    struct fixture *fx = *state;
    char byte = 0;
    const int fd = host_connects(fx, "CONNECT 1000\n");

    guest_gets(fx, REQUEST);
    guest_sends(fx, RST, fx->last.src_port, NULL, 0, 0);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(fd);
}

static void test_posix_vsock_hangs_up_on_lines_that_make_no_sense(void **state)
{
    static const char *const lines[] = {"\n",
                                        "CONNECT\n",
                                        "CONNECT \n",
                                        "CONNECT x\n",
                                        "CONNECT -1\n",
                                        "CONNECT 1x\n",
                                        "CONNECT 4294967295\n",
                                        "CONNECT 99999999999999999999\n",
                                        "connect 1\n",
                                        "CONNECT 1000 and more than a line may have\n"};
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char byte = 0;
        const int fd = host_connects(fx, lines[i]);
        const ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);

        assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
        (void)close(fd);
    }
    guest_gets_nothing(fx);
}

static void test_posix_vsock_passes_the_end_of_the_host_on(void **state)
{
    struct fixture *fx = *state;
    const int listening = host_listens(fx, "_5000");
    const int fd = guest_connects(fx, listening);

    assert_int_equal(write(fd, "last", 4), 4);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    guest_gets(fx, RW);
    guest_gets(fx, SHUTDOWN);
    assert_int_equal(fx->last.flags, AVPS_VSOCK_NO_SEND);
    guest_sends(fx, RW, 5000, "still", 5, 0);
    host_reads(fd, "still");
    guest_sends(fx, SHUTDOWN, 5000, NULL, 0, 3);
    guest_gets(fx, RST);
    assert_int_equal(avps_vsock_open_count(&fx->vsock), 0);
    (void)close(fd);
    host_is_gone(fx, listening);
}

static void test_posix_vsock_passes_the_end_of_the_guest_on(void **state)
{
    struct fixture *fx = *state;
    char byte = 0;
    const int listening = host_listens(fx, "_5000");
    const int fd = guest_connects(fx, listening);

    guest_sends(fx, RW, 5000, "last", 4, 0);
    guest_sends(fx, SHUTDOWN, 5000, NULL, 0, AVPS_VSOCK_NO_SEND);
    host_reads(fd, "last");
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(write(fd, "yet", 3), 3);
    guest_gets(fx, RW);
    assert_memory_equal(fx->payload, "yet", 3);
    (void)close(fd);
    guest_gets(fx, SHUTDOWN);
    guest_gets(fx, RST);
    host_is_gone(fx, listening);
}

static void test_posix_vsock_resets_what_the_program_left(void **state)
{
    struct fixture *fx = *state;
    const int listening = host_listens(fx, "_5000");

    (void)close(guest_connects(fx, listening));
    guest_gets(fx, SHUTDOWN);
    guest_sends(fx, RW, 5000, "x", 1, 0);
    guest_gets(fx, RST);
    assert_int_equal(avps_posix_vsock_counters(fx->sockets)->last_error, EPIPE);
    host_is_gone(fx, listening);
}

/* A program that does not read: its room fills up, and is given back when it does. */
static void test_posix_vsock_holds_what_a_program_does_not_read(void **state)
{
    static uint8_t bytes[4096];
    struct fixture *fx = *state;
    const int listening = host_listens(fx, "_5000");
    const int fd = guest_connects(fx, listening);
    const int small = 1;
    uint32_t credit = ROOM;
    uint64_t sent = 0;
    uint64_t read = 0;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (uint32_t i = 0; i < 400U; i++) {
        struct test_used used = {0, 0};

        if (credit >= sizeof bytes) {
            (void)memset(bytes, (int)(sent / sizeof bytes), sizeof bytes);
            guest_sends(fx, RW, 5000, bytes, sizeof bytes, 0);
            credit -= (uint32_t)sizeof bytes;
            sent += sizeof bytes;
        } else {
            const ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

            assert_true(got > 0);
            for (ssize_t k = 0; k < got; k++) {
                assert_int_equal(bytes[k], (uint8_t)((read + (uint64_t)k) / sizeof bytes));
            }
            read += (uint64_t)got;
        }
        turn(fx);
        while (test_driver_reap(&fx->d, RX, &used)) {
            struct test_request *r = &fx->rx[fx->seen % BUFFERS];
            uint8_t hdr[TEST_VSOCK_HEADER];

            test_driver_in(&fx->d, r, 0, hdr, sizeof hdr);
            test_vsock_decode(hdr, &fx->last);
            assert_int_equal(fx->last.op, UPDATE);
            credit = ROOM - (uint32_t)(sent - fx->last.fwd_cnt);
            fx->seen++;
            give_buffer(fx);
        }
    }
    assert_true(read > 4U * ROOM);
    (void)close(fd);
    host_is_gone(fx, listening);
}

static void test_posix_vsock_keeps_to_its_limit(void **state)
{
    struct fixture *fx = *state;
    char byte = 0;
    const int first = host_connects(fx, "CON");
    const int second = host_connects(fx, "CON");
    const int third = host_connects(fx, "CON");

    const ssize_t got = recv(third, &byte, 1, MSG_DONTWAIT);

    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    assert_int_equal(recv(first, &byte, 1, MSG_DONTWAIT), -1); /* is still there */
    guest_sends(fx, REQUEST, 5000, NULL, 0, 0);
    guest_gets(fx, RST);
    (void)close(first);
    (void)close(second);
    (void)close(third);
    turn(fx);
    const int again = host_connects(fx, "CONNECT 7\n");

    guest_gets(fx, REQUEST);
    (void)close(again);
}

static void test_posix_vsock_reset_ends_all(void **state)
{
    struct fixture *fx = *state;
    char byte = 0;
    const int listening = host_listens(fx, "_5000");
    const int fd = guest_connects(fx, listening);

    test_driver_reset(&fx->d);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    (void)close(fd);
    host_is_gone(fx, listening);
}

static void test_posix_vsock_checks_its_configuration(void **state)
{
    struct fixture *fx = *state;
    struct avps_posix_error error = {{0}};
    struct avps_posix_vsock *sockets = NULL;
    struct avps_posix_vsock_config bad = {.path = fx->path, .loop = &fx->loop};

    assert_int_equal(avps_posix_vsock_open(&sockets, &bad, &error), AVPS_E_PARAM);
    bad.connections = AVPS_POSIX_VSOCK_CONNS + 1U;
    assert_int_equal(avps_posix_vsock_open(&sockets, &bad, &error), AVPS_E_PARAM);
    assert_string_equal(error.text, "sockets need a path and 1 to 16384 connections");
    bad.connections = 1;
    assert_int_equal(avps_posix_vsock_open(&sockets, &bad, &error), AVPS_E_STATE);
    assert_null(sockets);
    avps_posix_vsock_close(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_posix_vsock_connects_the_guest_to_a_program),
        TEST(test_posix_vsock_refuses_a_port_that_nobody_listens_on),
        TEST(test_posix_vsock_connects_a_program_to_the_guest),
        TEST(test_posix_vsock_tells_a_program_that_the_guest_refused),
        TEST(test_posix_vsock_hangs_up_on_lines_that_make_no_sense),
        TEST(test_posix_vsock_passes_the_end_of_the_host_on),
        TEST(test_posix_vsock_passes_the_end_of_the_guest_on),
        TEST(test_posix_vsock_resets_what_the_program_left),
        TEST(test_posix_vsock_holds_what_a_program_does_not_read),
        TEST(test_posix_vsock_keeps_to_its_limit),
        TEST(test_posix_vsock_reset_ends_all),
        TEST(test_posix_vsock_checks_its_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
