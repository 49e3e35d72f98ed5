/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated I2C bus: EEPROM, temperature sensor, faults, waiting transfers, configuration. */
#include "support/mem.h"

#include "avps_sim/i2c.h"

#define SMALL 0x50
#define LARGE 0x51
#define LM75  0x48

static uint8_t small[256];
static uint8_t large[1024];
static struct avps_sim_i2c_chip chips[3];
static struct avps_sim_i2c bus;

static int setup(void **state)
{
    const struct avps_sim_i2c_config config = {.chips = chips, .chip_count = 3};

    (void)state;
    for (uint32_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)(i * 7U);
        small[i % sizeof small] = (uint8_t)i;
    }
    chips[0] = (struct avps_sim_i2c_chip){
        .kind = AVPS_SIM_I2C_EEPROM, .address = SMALL, .bytes = small, .size = 256, .page = 8};
    chips[1] = (struct avps_sim_i2c_chip){
        .kind = AVPS_SIM_I2C_EEPROM, .address = LARGE, .bytes = large, .size = 1024, .page = 32};
    chips[2] = (struct avps_sim_i2c_chip){
        .kind = AVPS_SIM_I2C_LM75, .address = LM75, .temperature = 25 * 256 + 128};
    return avps_sim_i2c_init(&bus, &config) == AVPS_OK ? 0 : -1;
}

/* @return messages carried out. */
static uint32_t transfer(const struct avps_i2c_msg *msgs, uint32_t count)
{
    uint32_t done = 99;

    assert_int_equal(avps_sim_i2c_ops()->transfer(&bus, 1, msgs, count, &done), AVPS_OK);
    return done;
}

static bool write_bytes(uint16_t address, const void *bytes, uint32_t len)
{
    uint8_t copy[40];
    const struct avps_i2c_msg msg = {.address = address, .len = len, .data = copy};

    (void)memcpy(copy, bytes, len);
    return transfer(&msg, 1) == 1U;
}

static bool read_bytes(uint16_t address, uint8_t *bytes, uint32_t len)
{
    const struct avps_i2c_msg msg = {.address = address, .read = true, .len = len, .data = bytes};

    return transfer(&msg, 1) == 1U;
}

static void test_sim_i2c_eeprom_reads_from_an_address_on_and_wraps(void **state)
{
    uint8_t bytes[4];

    (void)state;
    assert_true(write_bytes(SMALL, "\xfe", 1));
    assert_true(read_bytes(SMALL, bytes, 4));
    assert_memory_equal(bytes, "\xfe\xff\x00\x01", 4);
    assert_true(read_bytes(SMALL, bytes, 1)); /* goes on where it was */
    assert_int_equal(bytes[0], 2);
}

static void test_sim_i2c_eeprom_writes_within_a_page(void **state)
{
    (void)state;
    assert_true(write_bytes(SMALL,
                            "\x0e"
                            "abcd",
                            5)); /* page 8..15 */
    assert_memory_equal(small + 8,
                        "cd\x0a\x0b\x0c\x0d"
                        "ab",
                        8);
    assert_int_equal(small[16], 16);
    assert_int_equal(small[7], 7);
}

static void test_sim_i2c_large_eeprom_takes_two_address_bytes(void **state)
{
    uint8_t bytes[2];

    (void)state;
    assert_true(write_bytes(LARGE,
                            "\x03\x00"
                            "x",
                            3));
    assert_int_equal(large[0x300], 'x');
    assert_true(write_bytes(LARGE, "\x03", 1));     /* half an address: ignored */
    assert_true(write_bytes(LARGE, "\xff\xff", 2)); /* beyond the end: wraps */
    assert_true(read_bytes(LARGE, bytes, 2));
    assert_int_equal(bytes[0], large[1023]);
    assert_int_equal(bytes[1], large[0]);
}

static void test_sim_i2c_eeprom_is_busy_after_a_write(void **state)
{
    uint8_t byte = 0;

    (void)state;
    chips[0].write_cycle = 2;
    assert_true(write_bytes(SMALL, "\x00z", 2));
    assert_false(read_bytes(SMALL, &byte, 1));
    assert_false(write_bytes(SMALL, "\x00", 1));
    assert_true(write_bytes(SMALL, "\x00", 1));
    assert_true(read_bytes(SMALL, &byte, 1));
    assert_int_equal(byte, 'z');
}

static void test_sim_i2c_protected_eeprom_keeps_its_bytes(void **state)
{
    (void)state;
    chips[0].write_protected = true;
    assert_false(write_bytes(SMALL, "\x00z", 2));
    assert_int_equal(small[0], 0);
    assert_true(write_bytes(SMALL, "\x00", 1)); /* setting the address is no write */
}

static void test_sim_i2c_sensor_measures_and_remembers(void **state)
{
    uint8_t word[2];
    const struct avps_i2c_msg group[] = {{.address = LM75, .len = 1, .data = (uint8_t[]){0}},
                                         {.address = LM75, .read = true, .len = 2, .data = word}};

    (void)state;
    assert_int_equal(transfer(group, 2), 2);
    assert_memory_equal(word, "\x19\x80", 2); /* 25.5 */
    avps_sim_i2c_set_temperature(&chips[2], -10 * 256);
    assert_int_equal(transfer(group, 2), 2);
    assert_memory_equal(word, "\xf6\x00", 2);
    assert_true(write_bytes(LM75, "\x03\x2a\xff", 3)); /* the lowest seven bits do not count */
    assert_true(read_bytes(LM75, word, 2));
    assert_memory_equal(word, "\x2a\x80", 2);
    assert_true(write_bytes(LM75, "\x02", 1));
    assert_true(read_bytes(LM75, word, 2));
    assert_memory_equal(word, "\x4b\x00", 2); /* 75 at power-on */
    assert_true(write_bytes(LM75, "\x01\xff", 2));
    assert_true(read_bytes(LM75, word, 1));
    assert_int_equal(word[0], 0x1f);
    assert_true(write_bytes(LM75, "\x00\x11\x22", 3)); /* what it measures cannot be written */
    assert_true(read_bytes(LM75, word, 2));
    assert_memory_equal(word, "\xf6\x00", 2);
    assert_true(write_bytes(LM75, "", 0));
}

static void test_sim_i2c_nobody_acknowledges(void **state)
{
    uint8_t byte = 0;
    const struct avps_i2c_msg group[] = {{.address = SMALL, .len = 1, .data = &byte},
                                         {.address = 0x10, .len = 1, .data = &byte},
                                         {.address = SMALL, .read = true, .len = 1, .data = &byte}};

    (void)state;
    assert_int_equal(transfer(group, 3), 1);
    assert_int_equal(transfer(group + 1, 1), 0);
}

static void test_sim_i2c_faults_come_when_told(void **state)
{
    uint8_t byte = 0;
    uint32_t done = 0;
    const struct avps_i2c_msg group[] = {{.address = SMALL, .len = 1, .data = &byte},
                                         {.address = SMALL, .read = true, .len = 1, .data = &byte}};

    (void)state;
    avps_sim_i2c_fault(&bus, AVPS_SIM_I2C_NACK, 1, 1);
    assert_int_equal(transfer(group, 2), 1);
    assert_int_equal(transfer(group, 2), 2);
    avps_sim_i2c_fault(&bus, AVPS_SIM_I2C_LOST, 0, 2);
    assert_int_equal(transfer(group, 2), 0);
    assert_int_equal(transfer(group, 2), 0);
    assert_int_equal(transfer(group, 2), 2);
    avps_sim_i2c_fault(&bus, AVPS_SIM_I2C_BROKEN, 0, 1);
    assert_int_equal(avps_sim_i2c_ops()->transfer(&bus, 1, group, 2, &done), AVPS_E_IO);
    avps_sim_i2c_fault(&bus, AVPS_SIM_I2C_TIMEOUT, 0, 1);
    assert_int_equal(avps_sim_i2c_ops()->transfer(&bus, 1, group, 2, &done), AVPS_PENDING);
    assert_false(avps_sim_i2c_run(&bus)); /* stuck */
    assert_int_equal(avps_sim_i2c_ops()->cancel(&bus), AVPS_OK);
    assert_int_equal(bus.cancelled, 1);
    assert_int_equal(transfer(group, 2), 2);
}

static void test_sim_i2c_refuses_chips_that_make_no_sense(void **state)
{
    struct avps_sim_i2c_chip bad[7];

    (void)state;
    for (size_t i = 0; i < 7U; i++) {
        struct avps_sim_i2c_config config = {.chips = &bad[i], .chip_count = 1};

        bad[i] = chips[0];
        bad[0].bytes = NULL;
        bad[1].size = 8;
        bad[2].size = 131072;
        bad[3].size = 100;
        bad[4].page = 0;
        bad[5].page = 512;
        bad[6].page = 12;
        assert_int_equal(avps_sim_i2c_init(&bus, &config), AVPS_E_PARAM);
    }
    chips[1].address = SMALL;
    const struct avps_sim_i2c_config twice = {.chips = chips, .chip_count = 3};

    assert_int_equal(avps_sim_i2c_init(&bus, &twice), AVPS_E_PARAM);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

static void test_sim_i2c_answers_the_bus_that_adapters_share(void **state)
{
    const struct avps_sim_i2c_config config = {.chips = chips, .chip_count = 3, .deferred = true};
    struct avps_i2c_bus_port port;
    struct avps_i2c_bus shared;
    const struct avps_i2c_bus_config sharing = {
        .ops = avps_sim_i2c_ops(), .ctx = &bus, .ports = &port, .port_count = 1};
    const struct avps_i2c_msg msg = {.address = LM75};
    uint32_t done = 0;

    (void)state;
    assert_int_equal(avps_i2c_bus_init(&shared, &sharing), AVPS_OK);
    assert_int_equal(avps_sim_i2c_init(&bus, &config), AVPS_OK);
    avps_sim_i2c_share(&bus, &shared);
    assert_int_equal(avps_sim_i2c_ops()->transfer(&bus, 7, &msg, 1, &done), AVPS_PENDING);
    assert_true(avps_sim_i2c_run(&bus));
    assert_int_equal(avps_i2c_bus_late(&shared), 1); /* it was told, and had not asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sim_i2c_answers_the_bus_that_adapters_share, setup),
        TEST(test_sim_i2c_eeprom_reads_from_an_address_on_and_wraps),
        TEST(test_sim_i2c_eeprom_writes_within_a_page),
        TEST(test_sim_i2c_large_eeprom_takes_two_address_bytes),
        TEST(test_sim_i2c_eeprom_is_busy_after_a_write),
        TEST(test_sim_i2c_protected_eeprom_keeps_its_bytes),
        TEST(test_sim_i2c_sensor_measures_and_remembers),
        TEST(test_sim_i2c_nobody_acknowledges),
        TEST(test_sim_i2c_faults_come_when_told),
        TEST(test_sim_i2c_refuses_chips_that_make_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
