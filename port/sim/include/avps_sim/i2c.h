/* SPDX-License-Identifier: BSD-3-Clause */
/** @file i2c.h
 *  Simulated I2C bus: EEPROMs and temperature sensors that need no hardware, with faults on demand.
 *  For tests, examples and systems without the real chips. A back end for avps/i2c.h.
 *
 *  Memory: the caller's. Threads: the device's context. Guest: sees chips at addresses.
 *
 *  Freestanding.
 */
#ifndef AVPS_SIM_I2C_H
#define AVPS_SIM_I2C_H

#include "avps/i2c_bus.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a chip is. */
enum avps_sim_i2c_kind {
    AVPS_SIM_I2C_EEPROM, /**< 24Cxx: an address, then bytes; a write stays within its page. */
    AVPS_SIM_I2C_LM75    /**< LM75: a register number, then a register. */
};

/** A chip on the bus. Those members that its kind does not have are 0. */
struct avps_sim_i2c_chip {
    enum avps_sim_i2c_kind kind; /**< What it is. */
    uint16_t address;            /**< As in struct avps_i2c_msg. */
    uint8_t *bytes;              /**< EEPROM: its content. Borrowed. */
    uint32_t size;               /**< EEPROM: a power of two, 16..65536. Above 256 its addresses
                                      have two bytes. */
    uint32_t page;               /**< EEPROM: bytes that one write may change, a power of two up
                                      to `size`. */
    bool write_protected;        /**< EEPROM: data bytes are not acknowledged. */
    uint32_t write_cycle; /**< EEPROM: messages that it does not acknowledge after a write. */
    int16_t temperature;  /**< LM75: in 1/256 degrees Celsius. */

    uint32_t pointer;   /**< Private: address or register. */
    uint32_t busy;      /**< Private: messages not to be acknowledged. */
    uint8_t config;     /**< Private: LM75 configuration. */
    int16_t hysteresis; /**< Private: LM75, as `temperature`. */
    int16_t limit;      /**< Private: LM75, as `temperature`. */
};

/** What goes wrong. */
enum avps_sim_i2c_fault {
    AVPS_SIM_I2C_WELL,    /**< Nothing. */
    AVPS_SIM_I2C_NACK,    /**< A message is not acknowledged. */
    AVPS_SIM_I2C_LOST,    /**< Arbitration is lost: nothing of the transfer is carried out. */
    AVPS_SIM_I2C_TIMEOUT, /**< A chip holds the clock: the transfer ends only by a cancel. */
    AVPS_SIM_I2C_BROKEN   /**< The controller fails. */
};

/** Configuration. */
struct avps_sim_i2c_config {
    struct avps_sim_i2c_chip *chips; /**< Borrowed. */
    uint32_t chip_count;             /**< How many; 0: an empty bus. */
    bool deferred;                   /**< Transfers wait for avps_sim_i2c_run. */
};

/** A bus. Fields are private. */
struct avps_sim_i2c {
    struct avps_sim_i2c_config config; /**< As configured. */
    struct avps_i2c *i2c;              /**< Whom to answer. */
    struct avps_i2c_bus *shared;       /**< Or this one, if not NULL. */
    enum avps_sim_i2c_fault fault;     /**< In force. */
    uint32_t skip;                     /**< Messages (or transfers) before it. */
    uint32_t times;                    /**< How often. */
    bool waiting;                      /**< A transfer waits. */
    bool stuck;                        /**< For ever. */
    uint64_t token;                    /**< Its token. */
    const struct avps_i2c_msg *msgs;   /**< Its messages. */
    uint32_t count;                    /**< How many. */
    uint64_t cancelled;                /**< Transfers given up. */
};

/** Initialise; chips are as after power-on, EEPROMs keep their bytes.
 *  @return AVPS_OK; AVPS_E_PARAM: a size or page is out of range, bytes are missing, or two chips
 *  have one address. */
AVPS_NODISCARD enum avps_status avps_sim_i2c_init(struct avps_sim_i2c *bus,
                                                  const struct avps_sim_i2c_config *config);

/** Back end operations for `avps_i2c_config.ops`; `ctx` is the bus. */
const struct avps_i2c_ops *avps_sim_i2c_ops(void);

/** Name the device to be answered, after avps_i2c_init. Needed with `deferred`. */
void avps_sim_i2c_attach(struct avps_sim_i2c *bus, struct avps_i2c *i2c);

/** Name the bus that several adapters share, and that is to be answered instead of one of them. */
void avps_sim_i2c_share(struct avps_sim_i2c *bus, struct avps_i2c_bus *shared);

/** Carry out the transfer that waits, and answer. @return whether there was one. */
bool avps_sim_i2c_run(struct avps_sim_i2c *bus);

/** Put a fault in force; replaces the one before.
 *  @param skip   Let so many pass first: messages for NACK, transfers for the others.
 *  @param times  Then let it happen so often. */
void avps_sim_i2c_fault(struct avps_sim_i2c *bus, enum avps_sim_i2c_fault fault, uint32_t skip,
                        uint32_t times);

/** Change what a sensor measures. @param temperature  In 1/256 degrees Celsius. */
void avps_sim_i2c_set_temperature(struct avps_sim_i2c_chip *chip, int16_t temperature);

#ifdef __cplusplus
}
#endif
#endif
