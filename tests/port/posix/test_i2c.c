/* SPDX-License-Identifier: BSD-3-Clause */
/* A bus of the host, whose kernel is played here: messages as they reach it, its refusals, a transfer
 * that takes its time, buses that cannot be used. */
#include "support/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>

#include "avps_posix/i2c.h"

/* The linker hands calls of ioctl to this. */
int __wrap_ioctl(int fd, unsigned long request, ...);

/* The kernel. Messages are copied: the caller's end with the call. */
static struct {
    unsigned long functions;
    int functions_error;
    int answer; /* 0: all messages; else errno */
    uint32_t calls;
    struct i2c_msg msgs[4];
    uint8_t written[4][16];
    uint32_t count;
    pthread_mutex_t gate; /* held: the transfer waits */
} kernel = {.gate = PTHREAD_MUTEX_INITIALIZER};

static int kernel_transfer(const struct i2c_rdwr_ioctl_data *data)
{
    (void)pthread_mutex_lock(&kernel.gate);
    (void)pthread_mutex_unlock(&kernel.gate);
    kernel.calls++;
    kernel.count = data->nmsgs;
    for (uint32_t i = 0; i < data->nmsgs && i < 4U; i++) {
        kernel.msgs[i] = data->msgs[i];
        if ((data->msgs[i].flags & I2C_M_RD) != 0U) {
            (void)memset(data->msgs[i].buf, 0x77, data->msgs[i].len);
        } else {
            (void)memcpy(kernel.written[i], data->msgs[i].buf, data->msgs[i].len);
        }
    }
    errno = kernel.answer;
    return kernel.answer != 0 ? -1 : (int)data->nmsgs;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list values;
    void *argument = NULL;

    (void)fd;
    va_start(values, request);
    argument = va_arg(values, void *);
    va_end(values);
    if (request == I2C_RDWR) {
        return kernel_transfer(argument);
    }
    assert_int_equal(request, I2C_FUNCS);
    *(unsigned long *)argument = kernel.functions;
    errno = kernel.functions_error;
    return kernel.functions_error != 0 ? -1 : 0;
}

struct fixture {
    struct avps_posix_loop loop;
    struct avps_posix_i2c *bus;
    struct test_driver d;
    struct avps_i2c i2c;
    struct avps_queue queue;
    struct avps_i2c_request requests[AVPS_I2C_MESSAGES_MAX];
    struct avps_i2c_msg msgs[AVPS_I2C_MESSAGES_MAX];
    uint8_t buffer[70000];
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);
    struct avps_i2c_config config;

    assert_non_null(fx);
    kernel.functions = I2C_FUNC_I2C;
    kernel.functions_error = 0;
    kernel.answer = 0;
    kernel.calls = 0;
    assert_int_equal(avps_posix_loop_init(&fx->loop), AVPS_OK);
    assert_int_equal(avps_posix_i2c_open(&fx->bus, "/dev/zero", &fx->loop, NULL), AVPS_OK);
    test_driver_init(&fx->d, TEST_MEM_REGIONS);
    config = (struct avps_i2c_config){.base = test_driver_base(&fx->d, &fx->queue, 1, 256),
                                      .requests = fx->requests,
                                      .msgs = fx->msgs,
                                      .message_count = AVPS_I2C_MESSAGES_MAX,
                                      .buffer = fx->buffer,
                                      .buffer_size = sizeof fx->buffer};
    avps_posix_i2c_describe(fx->bus, &config);
    assert_int_equal(config.message_count, AVPS_POSIX_I2C_MESSAGES);
    assert_int_equal(avps_i2c_init(&fx->i2c, &config), AVPS_OK);
    avps_posix_i2c_attach(fx->bus, &fx->i2c);
    test_driver_attach(&fx->d, &fx->i2c.base);
    test_driver_want_all(&fx->d, true);
    test_driver_start(&fx->d);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    test_driver_free(&fx->d);
    avps_posix_i2c_close(fx->bus);
    avps_posix_loop_free(&fx->loop);
    free(fx);
    return 0;
}

/* The adapter again, as one port of a bus that others could share. */
static void share(struct fixture *fx, struct avps_i2c_bus *shared,
                  struct avps_i2c_bus_port ports[2])
{
    struct avps_i2c_bus_config bus = {.ports = ports, .port_count = 2};
    struct avps_i2c_config config = {.base = test_driver_base(&fx->d, &fx->queue, 1, 256),
                                     .ops = &avps_i2c_bus_ops,
                                     .ctx = &ports[1],
                                     .requests = fx->requests,
                                     .msgs = fx->msgs,
                                     .message_count = AVPS_POSIX_I2C_MESSAGES,
                                     .buffer = fx->buffer,
                                     .buffer_size = sizeof fx->buffer};

    test_driver_reset(&fx->d);
    avps_posix_i2c_share(fx->bus, shared, &bus);
    assert_int_equal(avps_i2c_bus_init(shared, &bus), AVPS_OK);
    assert_int_equal(avps_i2c_init(&fx->i2c, &config), AVPS_OK);
    assert_int_equal(avps_i2c_bus_connect(shared, 1, &fx->i2c, 1), AVPS_OK);
    test_driver_attach(&fx->d, &fx->i2c.base);
    test_driver_want_all(&fx->d, true);
    test_driver_start(&fx->d);
}

/* Header of a request; `flags` as on the wire. */
static struct test_part header(uint8_t bytes[8], uint16_t addr, uint8_t flags)
{
    (void)memset(bytes, 0, 8);
    bytes[0] = (uint8_t)addr;
    bytes[1] = (uint8_t)(addr >> 8);
    bytes[4] = flags;
    return (struct test_part){bytes, 8};
}

static void send(struct fixture *fx, struct test_request *request)
{
    (void)test_driver_send(&fx->d, 0, request);
    test_driver_kick(&fx->d, 0);
    (void)test_driver_poll(&fx->d);
}

/* Let the loop run until the driver has an answer. @return its status byte. */
static uint8_t answer(struct fixture *fx, const struct test_request *request, uint32_t at)
{
    struct test_used used = {0, 0};
    uint8_t status = 0xff;

    while (!test_driver_reap(&fx->d, 0, &used)) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, true), AVPS_OK);
        (void)test_driver_poll(&fx->d);
    }
    assert_int_equal(used.id, request->id);
    test_driver_in(&fx->d, request, at, &status, 1);
    return status;
}

static void test_posix_i2c_hands_messages_to_the_kernel(void **state)
{
    struct fixture *fx = *state;
    uint8_t hdr[2][8];
    uint8_t bytes[3];
    struct test_request write = {.out = {header(hdr[0], 0xa0, 1), {"\x07", 1}}, .in = {1}};
    struct test_request read = {.out = {header(hdr[1], 0xa0, 2)}, .in = {3, 1}};

    (void)test_driver_send(&fx->d, 0, &write);
    send(fx, &read);
    assert_int_equal(answer(fx, &write, 0), 0);
    assert_int_equal(answer(fx, &read, 3), 0);
    test_driver_in(&fx->d, &read, 0, bytes, 3);
    assert_memory_equal(bytes, "\x77\x77\x77", 3);
    assert_int_equal(kernel.calls, 1);
    assert_int_equal(kernel.count, 2);
    assert_int_equal(kernel.msgs[0].addr, 0x50);
    assert_int_equal(kernel.msgs[0].flags, 0);
    assert_int_equal(kernel.written[0][0], 7);
    assert_int_equal(kernel.msgs[1].flags, I2C_M_RD);
    assert_int_equal(kernel.msgs[1].len, 3);
}

static void test_posix_i2c_knows_ten_bit_addresses(void **state)
{
    struct fixture *fx = *state;
    uint8_t hdr[8];
    struct test_request write = {.out = {header(hdr, 0x55f4, 0), {"x", 1}}, .in = {1}};

    send(fx, &write);
    assert_int_equal(answer(fx, &write, 0), 0);
    assert_int_equal(kernel.msgs[0].addr, 0x255);
    assert_int_equal(kernel.msgs[0].flags, I2C_M_TEN);
}

static void test_posix_i2c_answers_the_bus_that_adapters_share(void **state)
{
    struct fixture *fx = *state;
    struct avps_i2c_bus shared;
    struct avps_i2c_bus_port ports[2];
    uint8_t hdr[8];

    share(fx, &shared, ports);
    struct test_request request = {.out = {header(hdr, 0x50 << 1, 0), {"abc", 3}}, .in = {1}};

    send(fx, &request);
    assert_int_equal(answer(fx, &request, 0), 0);
    assert_int_equal(avps_i2c_bus_counters(&shared, 1)->load, 4);
    assert_int_equal(avps_i2c_bus_late(&shared), 0);
}

static void test_posix_i2c_reports_what_the_kernel_refuses(void **state)
{
    static const int errors[] = {ENXIO, EREMOTEIO, ETIMEDOUT, EBUSY, EOPNOTSUPP};
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        uint8_t hdr[8];
        struct test_request write = {.out = {header(hdr, 0xa0, 0), {"x", 1}}, .in = {1}};

        kernel.answer = errors[i];
        send(fx, &write);
        assert_int_equal(answer(fx, &write, 0), 1);
    }
}

static void test_posix_i2c_gives_the_kernel_no_message_it_cannot_count(void **state)
{
    static uint8_t bytes[65536];
    struct fixture *fx = *state;
    uint8_t hdr[8];
    struct test_request write = {.out = {header(hdr, 0xa0, 0), {bytes, sizeof bytes}}, .in = {1}};

    send(fx, &write);
    assert_int_equal(answer(fx, &write, 0), 1);
    assert_int_equal(kernel.calls, 0);
}

/* The kernel's call cannot be taken back: the reset waits, and then nothing is written. */
static void test_posix_i2c_reset_waits_for_the_kernel(void **state)
{
    struct fixture *fx = *state;
    uint8_t hdr[8];
    struct test_request read = {.out = {header(hdr, 0xa0, 2)}, .in = {3, 1}};
    const struct timespec moment = {.tv_nsec = 20000000};

    (void)pthread_mutex_lock(&kernel.gate);
    send(fx, &read);
    (void)nanosleep(&moment, NULL); /* the thread is inside */
    test_driver_set(&fx->d, TEST_STATUS, 0);
    const uint32_t status = test_driver_get(&fx->d, TEST_STATUS);

    (void)pthread_mutex_unlock(&kernel.gate);
    while (test_driver_get(&fx->d, TEST_STATUS) != 0U) {
        assert_int_equal(avps_posix_loop_step(&fx->loop, true), AVPS_OK);
    }
    assert_true(status == TEST_S_LIVE || status == 0U); /* 0: the thread had not begun */
    uint8_t byte = 0;
    test_driver_in(&fx->d, &read, 3, &byte, 1);
    assert_int_equal(byte, TEST_UNWRITTEN);
}

static void test_posix_i2c_says_why_a_bus_cannot_be_used(void **state)
{
    struct fixture *fx = *state;
    struct avps_posix_error error = {{0}};
    struct avps_posix_i2c *bus = NULL;

    assert_int_equal(avps_posix_i2c_open(&bus, "/no/such/bus", &fx->loop, &error), AVPS_E_IO);
    assert_string_equal(error.text, "cannot open /no/such/bus: No such file or directory");
    kernel.functions_error = ENOTTY;
    assert_int_equal(avps_posix_i2c_open(&bus, "/dev/zero", &fx->loop, &error), AVPS_E_PARAM);
    assert_string_equal(error.text, "/dev/zero is no I2C bus: name one such as /dev/i2c-1");
    kernel.functions_error = 0;
    kernel.functions = I2C_FUNC_SMBUS_QUICK;
    assert_int_equal(avps_posix_i2c_open(&bus, "/dev/zero", &fx->loop, &error), AVPS_E_UNSUPPORTED);
    assert_string_equal(error.text, "the controller of /dev/zero takes SMBus commands only, not "
                                    "I2C messages");
    assert_null(bus);
    avps_posix_i2c_close(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_posix_i2c_hands_messages_to_the_kernel),
        TEST(test_posix_i2c_knows_ten_bit_addresses),
        TEST(test_posix_i2c_answers_the_bus_that_adapters_share),
        TEST(test_posix_i2c_reports_what_the_kernel_refuses),
        TEST(test_posix_i2c_gives_the_kernel_no_message_it_cannot_count),
        TEST(test_posix_i2c_reset_waits_for_the_kernel),
        TEST(test_posix_i2c_says_why_a_bus_cannot_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
