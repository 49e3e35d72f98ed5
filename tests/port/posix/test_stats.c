/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters on a socket: one report for each connection, and nobody waits for a slow reader. */
#include "support/mem.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "avps_posix/stats.h"

static struct avps_posix_loop loop;
static char folder[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/avps-stats.XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/s", folder);
    return avps_posix_loop_init(&loop) == AVPS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    avps_posix_loop_free(&loop);
    return rmdir(folder); /* fails when a socket was left behind */
}

static uint32_t no_devices(void *ctx, struct avps_stats_device *devices, uint32_t most)
{
    uint32_t *asked = ctx;

    (void)devices;
    assert_int_equal(most, AVPS_POSIX_STATS_DEVICES);
    (*asked)++;
    return 0;
}

static struct avps_posix_stats *open_stats(uint32_t *asked)
{
    const struct avps_posix_stats_config config = {
        .path = path, .loop = &loop, .devices = no_devices, .ctx = asked};
    struct avps_posix_stats *stats = NULL;
    struct avps_posix_error error = {{0}};

    assert_int_equal(avps_posix_stats_open(&config, &stats, &error), AVPS_OK);
    return stats;
}

static int join(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void expect_report(int fd)
{
    char text[64] = {0};
    size_t used = 0;
    ssize_t got = 0;

    do {
        got = read(fd, text + used, sizeof text - 1U - used);
        assert_true(got >= 0);
        used += (size_t)got;
    } while (got > 0);
    assert_string_equal(text, "end devices=0\n");
    (void)close(fd);
}

static void test_stats_socket_gives_a_report_and_hangs_up(void **state)
{
    uint32_t asked = 0;
    struct avps_posix_stats *stats = open_stats(&asked);

    (void)state;
    for (uint32_t i = 1; i <= 3U; i++) {
        const int fd = join();

        assert_int_equal(avps_posix_loop_step(&loop, true), AVPS_OK);
        expect_report(fd);
        assert_int_equal(asked, i);
    }
    avps_posix_stats_close(stats);
}

static void test_stats_socket_outlives_a_reader_that_went(void **state)
{
    uint32_t asked = 0;
    struct avps_posix_stats *stats = open_stats(&asked);
    int fd = join();

    (void)state;
    (void)close(fd);
    assert_int_equal(avps_posix_loop_step(&loop, true), AVPS_OK); /* no SIGPIPE */
    fd = join();
    assert_int_equal(avps_posix_loop_step(&loop, true), AVPS_OK);
    expect_report(fd);
    avps_posix_stats_close(stats);
}

static void test_stats_socket_is_removed_at_the_end(void **state)
{
    uint32_t asked = 0;
    struct stat about;

    (void)state;
    avps_posix_stats_close(open_stats(&asked));
    assert_int_equal(stat(path, &about), -1);
    avps_posix_stats_close(NULL);
}

static void test_stats_socket_of_another_is_not_taken(void **state)
{
    uint32_t asked = 0;
    struct avps_posix_stats *first = open_stats(&asked);
    const struct avps_posix_stats_config config = {
        .path = path, .loop = &loop, .devices = no_devices, .ctx = &asked};
    struct avps_posix_stats *second = NULL;
    struct avps_posix_error error = {{0}};
    char expected[160];
    int fd = -1;

    (void)state;
    (void)snprintf(expected, sizeof expected, "another program listens on %s", path);
    assert_int_equal(avps_posix_stats_open(&config, &second, &error), AVPS_E_STATE);
    assert_string_equal(error.text, expected);
    assert_null(second);
    assert_int_equal(avps_posix_loop_step(&loop, true), AVPS_OK); /* it looked who answers */
    fd = join();                                                  /* the first goes on */
    assert_int_equal(avps_posix_loop_step(&loop, true), AVPS_OK);
    expect_report(fd);
    avps_posix_stats_close(first);
}

static void test_stats_socket_needs_its_configuration(void **state)
{
    const struct avps_posix_stats_config config = {.path = path, .loop = &loop};
    struct avps_posix_stats *stats = NULL;
    struct avps_posix_error error = {{0}};

    (void)state;
    assert_int_equal(avps_posix_stats_open(&config, &stats, &error), AVPS_E_PARAM);
    assert_string_equal(error.text, "counters need a path, a loop and devices");
    assert_null(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stats_socket_gives_a_report_and_hangs_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stats_socket_outlives_a_reader_that_went, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_stats_socket_is_removed_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats_socket_of_another_is_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stats_socket_needs_its_configuration, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
