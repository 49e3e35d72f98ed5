/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages straight to an I2C bus. usage: i2craw BUS EEPROM NOBODY: the chip at EEPROM holds 256 bytes,
 * none is at NOBODY. */
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int bus;

static int transfer(struct i2c_msg *msgs, uint32_t count)
{
    struct i2c_rdwr_ioctl_data data = {.msgs = msgs, .nmsgs = count};

    return ioctl(bus, I2C_RDWR, &data);
}

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "i2craw: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* Two reads at different places in one transfer, against one read of all. */
static void check_groups(uint16_t chip)
{
    uint8_t all[256];
    uint8_t parts[2][16];
    uint8_t at[3] = {0, 32, 200};
    struct i2c_msg whole[2] = {{chip, 0, 1, &at[0]}, {chip, I2C_M_RD, 256, all}};
    struct i2c_msg group[4] = {{chip, 0, 1, &at[1]},
                               {chip, I2C_M_RD, 16, parts[0]},
                               {chip, 0, 1, &at[2]},
                               {chip, I2C_M_RD, 16, parts[1]}};

    check(transfer(whole, 2) == 2, "read of all");
    check(transfer(group, 4) == 4, "group of four");
    check(memcmp(parts[0], all + 32, 16) == 0 && memcmp(parts[1], all + 200, 16) == 0,
          "a group's bytes differ");
}

/* The group stops where nobody answers. */
static void check_nobody(uint16_t chip, uint16_t nobody)
{
    uint8_t at = 0;
    uint8_t byte = 0;
    struct i2c_msg group[3] = {{chip, 0, 1, &at}, {nobody, 0, 1, &at}, {chip, I2C_M_RD, 1, &byte}};
    struct i2c_msg quick[2] = {{chip, 0, 0, NULL}, {nobody, 0, 0, NULL}};

    check(transfer(group, 3) != 3, "a group with nobody in it succeeded");
    check(transfer(&quick[0], 1) == 1, "quick command");
    check(transfer(&quick[1], 1) != 1, "nobody answered a quick command");
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fputs("usage: i2craw BUS EEPROM NOBODY\n", stderr);
        return 2;
    }
    bus = open(argv[1], O_RDWR);
    check(bus >= 0, argv[1]);
    const uint16_t chip = (uint16_t)strtoul(argv[2], NULL, 0);

    check_groups(chip);
    check_nobody(chip, (uint16_t)strtoul(argv[3], NULL, 0));
    return 0;
}
