/* SPDX-License-Identifier: BSD-3-Clause */
/** @file i2c.h
 *  An I2C bus of the host (/dev/i2c-N): a back end for avps/i2c.h.
 *
 *  Memory: allocated at open, given back at close. Threads: the loop's context; a thread of its own
 *  waits for the bus. Guest: its messages reach the kernel's driver as they are, but for the chips
 *  that the device's allow-list keeps away from it.
 *
 *  Order: avps_posix_i2c_open, avps_posix_i2c_describe into the device's configuration,
 *  avps_i2c_init, avps_posix_i2c_attach; at the end the device is quiesced or reset, then
 *  avps_posix_i2c_close.
 *
 *  A transfer that the kernel refuses (too long, a chip with a driver of its own, a controller that
 *  cannot do it) fails for the guest as if no chip had answered. Which message failed is not known:
 *  the first counts.
 */
#ifndef AVPS_POSIX_I2C_H
#define AVPS_POSIX_I2C_H

#include "avps/i2c_bus.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Messages of one transfer that Linux takes at most. */
#define AVPS_POSIX_I2C_MESSAGES 42U

/** An open bus. */
struct avps_posix_i2c;

/** Open a bus.
 *  @param path  Such as /dev/i2c-1.
 *  @return AVPS_OK; AVPS_E_PARAM: no I2C bus; AVPS_E_UNSUPPORTED: its controller takes no plain I2C
 *  messages; AVPS_E_IO; AVPS_E_NOSPACE without memory or threads. */
AVPS_NODISCARD enum avps_status avps_posix_i2c_open(struct avps_posix_i2c **bus, const char *path,
                                                    struct avps_posix_loop *loop,
                                                    struct avps_posix_error *error);

/** Fill in ops and ctx, and bring `message_count` down to what the kernel takes. */
void avps_posix_i2c_describe(struct avps_posix_i2c *bus, struct avps_i2c_config *config);

/** Name the device to be answered, after avps_i2c_init. */
void avps_posix_i2c_attach(struct avps_posix_i2c *bus, struct avps_i2c *i2c);

/** For a bus that several adapters share, instead of the two above: fill in ops and ctx, and answer
 *  `shared`, which is yet to be initialised with this configuration. Each adapter's `message_count`
 *  is AVPS_POSIX_I2C_MESSAGES at most, or its longer transfers fail. */
void avps_posix_i2c_share(struct avps_posix_i2c *bus, struct avps_i2c_bus *shared,
                          struct avps_i2c_bus_config *config);

/** Close; waits for a transfer that is on its way. NULL is ignored. */
void avps_posix_i2c_close(struct avps_posix_i2c *bus);

#ifdef __cplusplus
}
#endif
#endif
