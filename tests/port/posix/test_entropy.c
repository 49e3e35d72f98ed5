/* SPDX-License-Identifier: BSD-3-Clause */
/* Entropy from the host's kernel: real bytes; a kernel that has none yet, or fails. */
#include "support/driver.h"

#include <errno.h>
#include <sys/random.h>

#include "avps_posix/entropy.h"

/* The linker hands calls of getrandom to the first; the second is the real one. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
ssize_t __real_getrandom(void *buf, size_t len, unsigned int flags);

static int fail_with;

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
    assert_int_equal(flags, GRND_NONBLOCK);
    if (fail_with != 0) {
        errno = fail_with;
        return -1;
    }
    return __real_getrandom(buf, len, flags);
}

struct fixture {
    struct avps_posix_loop loop;
    struct avps_posix_entropy entropy;
    struct test_driver d;
    struct avps_rng rng;
    struct avps_queue queue;
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    struct avps_rng_config config = {.max_bytes = 0};

    assert_non_null(fx);
    fail_with = 0;
    assert_int_equal(avps_posix_loop_init(&fx->loop), AVPS_OK);
    test_driver_init(&fx->d, TEST_MEM_REGIONS);
    config.base = test_driver_base(&fx->d, &fx->queue, 1, 16);
    avps_posix_entropy_init(&fx->entropy, &fx->loop);
    avps_posix_entropy_describe(&fx->entropy, &config);
    assert_int_equal(avps_rng_init(&fx->rng, &config), AVPS_OK);
    avps_posix_entropy_attach(&fx->entropy, &fx->rng);
    test_driver_attach(&fx->d, &fx->rng.base);
    test_driver_start(&fx->d);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    avps_posix_entropy_stop(&fx->entropy);
    test_driver_free(&fx->d);
    avps_posix_loop_free(&fx->loop);
    free(fx);
    return 0;
}

static void test_entropy_gives_bytes_that_differ(void **state)
{
    struct fixture *fx = *state;
    uint8_t bytes[2][64];

    for (unsigned int i = 0; i < 2U; i++) {
        struct test_request r = {.in = {64}};

        assert_int_equal(test_driver_do(&fx->d, 0, &r), 64);
        test_driver_in(&fx->d, &r, 0, bytes[i], 64);
    }
    assert_memory_not_equal(bytes[0], bytes[1], 64);
}

/* Serve until the request is back. @return its length. */
static uint32_t wait_for_answer(struct fixture *fx)
{
    struct test_used used = {0, 0};

    while (!test_driver_reap(&fx->d, 0, &used)) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, true), AVPS_OK); /* the retry timer */
        (void)test_driver_poll(&fx->d);
    }
    return used.len;
}

static void ask_while_it_fails(struct fixture *fx, int number)
{
    struct test_request r = {.in = {64}};
    struct test_used used;

    fail_with = number;
    (void)test_driver_send(&fx->d, 0, &r);
    test_driver_kick(&fx->d, 0);
    (void)test_driver_poll(&fx->d);
    assert_false(test_driver_reap(&fx->d, 0, &used));
    fail_with = 0;
    assert_int_equal(wait_for_answer(fx), 64);
}

static void test_entropy_waits_for_a_kernel_that_has_none_yet(void **state)
{
    struct fixture *fx = *state;

    ask_while_it_fails(fx, EAGAIN);
    assert_int_equal(avps_rng_counters(&fx->rng)->starved, 1);
    assert_int_equal(avps_rng_counters(&fx->rng)->failures, 0);
}

static void test_entropy_counts_a_kernel_that_fails_and_asks_again(void **state)
{
    struct fixture *fx = *state;

    ask_while_it_fails(fx, ENOSYS);
    assert_int_equal(avps_rng_counters(&fx->rng)->failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entropy_gives_bytes_that_differ, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entropy_waits_for_a_kernel_that_has_none_yet, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_entropy_counts_a_kernel_that_fails_and_asks_again,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
