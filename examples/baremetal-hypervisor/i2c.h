/* SPDX-License-Identifier: BSD-3-Clause */
/* I2C adapters on simulated buses; a bus serves all guests whose adapters name it. See devices.h. */
#ifndef HYP_I2C_H
#define HYP_I2C_H

#include "avps/i2c.h"

#define I2C_MESSAGES 16U
#define I2C_BUFFER   4096U

struct wire;

struct adapter {
    struct avps_i2c i2c;
    struct avps_queue queue[1];
    struct avps_i2c_request requests[I2C_MESSAGES];
    struct avps_i2c_msg msgs[I2C_MESSAGES];
    uint8_t buffer[I2C_BUFFER];
    struct wire *wire;
};

extern const struct devices_kind i2c_kind;

#endif
