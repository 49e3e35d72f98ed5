/* SPDX-License-Identifier: BSD-3-Clause */
/* /dev/i2c-N: one transfer in the kernel's form -> the thread that waits for the bus -> ops -> open,
 * close. One transfer is on its way at a time, and changes hands under the lock. */
#include "avps_posix/i2c.h"

#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "avps_posix/notify.h"
#include "posix_error.h"
#include "posix_internal.h"

enum bus_phase { BUS_IDLE, BUS_ASKED, BUS_BUSY, BUS_DONE, BUS_CLOSING };

struct avps_posix_i2c {
    int fd;
    struct avps_i2c *i2c;
    struct avps_i2c_bus *shared; /* instead, if not NULL */
    struct avps_posix_notifier done;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked; /* the phase is ASKED or CLOSING */
    enum bus_phase phase;
    uint64_t token;
    bool is_well;
    uint32_t count;
    struct i2c_msg msgs[AVPS_POSIX_I2C_MESSAGES];
    bool has_lock;
    bool has_thread;
};

/* ---- one transfer in the kernel's form ---- */

/* @return false: the kernel knows no message that long. */
static bool bus_translate(struct i2c_msg *to, const struct avps_i2c_msg *from)
{
    const bool ten_bit = (from->address & AVPS_I2C_TEN_BIT) != 0U;

    if (from->len > UINT16_MAX) {
        return false;
    }
    to->addr = (uint16_t)(from->address & ~AVPS_I2C_TEN_BIT);
    to->flags = (uint16_t)((from->read ? I2C_M_RD : 0) | (ten_bit ? I2C_M_TEN : 0));
    to->len = (uint16_t)from->len;
    to->buf = from->data;
    return true;
}

/* ---- the thread ---- */

static bool bus_carry_out(struct avps_posix_i2c *bus)
{
    struct i2c_rdwr_ioctl_data data = {.msgs = bus->msgs, .nmsgs = bus->count};

    return ioctl(bus->fd, I2C_RDWR, &data) == (int)bus->count;
}

static void *bus_thread(void *ctx)
{
    struct avps_posix_i2c *bus = ctx;

    (void)pthread_mutex_lock(&bus->lock);
    while (bus->phase != BUS_CLOSING) {
        if (bus->phase != BUS_ASKED) {
            (void)pthread_cond_wait(&bus->asked, &bus->lock);
            continue;
        }
        bus->phase = BUS_BUSY;
        (void)pthread_mutex_unlock(&bus->lock);
        const bool is_well = bus_carry_out(bus);

        (void)pthread_mutex_lock(&bus->lock);
        bus->is_well = is_well;
        bus->phase = bus->phase == BUS_BUSY ? BUS_DONE : bus->phase;
        avps_posix_notifier_set(&bus->done);
    }
    (void)pthread_mutex_unlock(&bus->lock);
    return NULL;
}

/* ---- ops ---- */

static void bus_tell(struct avps_posix_i2c *bus, uint32_t done)
{
    if (bus->shared != NULL) {
        avps_i2c_bus_done(bus->shared, bus->token, done);
    } else {
        avps_i2c_done(bus->i2c, bus->token, done);
    }
}

/* In the loop's context: tell who asked. */
static void bus_answer(void *ctx)
{
    struct avps_posix_i2c *bus = ctx;
    bool is_done = false;

    (void)pthread_mutex_lock(&bus->lock);
    is_done = bus->phase == BUS_DONE;
    bus->phase = is_done ? BUS_IDLE : bus->phase;
    (void)pthread_mutex_unlock(&bus->lock);
    if (is_done) {
        bus_tell(bus, bus->is_well ? bus->count : 0U);
    }
}

static enum avps_status bus_transfer(void *ctx, uint64_t token, const struct avps_i2c_msg *msgs,
                                     uint32_t count, uint32_t *done)
{
    struct avps_posix_i2c *bus = ctx;

    *done = 0;
    if (count > AVPS_POSIX_I2C_MESSAGES) {
        return AVPS_E_IO;
    }
    (void)pthread_mutex_lock(&bus->lock);
    for (uint32_t i = 0; i < count; i++) {
        if (!bus_translate(&bus->msgs[i], &msgs[i])) {
            (void)pthread_mutex_unlock(&bus->lock);
            return AVPS_E_IO;
        }
    }
    bus->token = token;
    bus->count = count;
    bus->phase = BUS_ASKED;
    (void)pthread_cond_signal(&bus->asked);
    (void)pthread_mutex_unlock(&bus->lock);
    return AVPS_PENDING;
}

/* What the thread has not begun can be taken back; the kernel's call cannot. */
static enum avps_status bus_cancel(void *ctx)
{
    struct avps_posix_i2c *bus = ctx;
    enum avps_status status = AVPS_PENDING;

    (void)pthread_mutex_lock(&bus->lock);
    if (bus->phase == BUS_ASKED || bus->phase == BUS_DONE) {
        bus->phase = BUS_IDLE;
        status = AVPS_OK;
    }
    (void)pthread_mutex_unlock(&bus->lock);
    return status;
}

static const struct avps_i2c_ops bus_ops = {.transfer = bus_transfer, .cancel = bus_cancel};

void avps_posix_i2c_describe(struct avps_posix_i2c *bus, struct avps_i2c_config *config)
{
    config->ops = &bus_ops;
    config->ctx = bus;
    if (config->message_count > AVPS_POSIX_I2C_MESSAGES) {
        config->message_count = AVPS_POSIX_I2C_MESSAGES;
    }
}

void avps_posix_i2c_attach(struct avps_posix_i2c *bus, struct avps_i2c *i2c)
{
    bus->i2c = i2c;
}

void avps_posix_i2c_share(struct avps_posix_i2c *bus, struct avps_i2c_bus *shared,
                          struct avps_i2c_bus_config *config)
{
    config->ops = &bus_ops;
    config->ctx = bus;
    bus->shared = shared;
}

/* ---- open, close ---- */

static enum avps_status bus_open_device(struct avps_posix_i2c *bus, const char *path,
                                        struct avps_posix_error *error)
{
    unsigned long functions = 0;

    bus->fd = open(path, O_RDWR | O_CLOEXEC);
    if (bus->fd < 0) {
        return posix_fail_errno(error, AVPS_E_IO, "cannot open", path);
    }
    if (ioctl(bus->fd, I2C_FUNCS, &functions) != 0) {
        return posix_fail(error, AVPS_E_PARAM, "%s is no I2C bus: name one such as /dev/i2c-1",
                          path);
    }
    if ((functions & I2C_FUNC_I2C) == 0U) {
        return posix_fail(error, AVPS_E_UNSUPPORTED,
                          "the controller of %s takes SMBus commands only, not I2C messages", path);
    }
    return AVPS_OK;
}

static enum avps_status bus_start_thread(struct avps_posix_i2c *bus, struct avps_posix_loop *loop,
                                         struct avps_posix_error *error)
{
    if (avps_posix_notifier_init(&bus->done, loop, bus_answer, bus) != AVPS_OK) {
        return posix_fail(error, AVPS_E_IO, "the system has no file descriptors left");
    }
    if (pthread_mutex_init(&bus->lock, NULL) != 0) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    bus->has_lock = true;
    if (pthread_cond_init(&bus->asked, NULL) != 0 ||
        pthread_create(&bus->thread, NULL, bus_thread, bus) != 0) {
        return posix_fail(error, AVPS_E_NOSPACE, "the system starts no more threads");
    }
    bus->has_thread = true;
    return AVPS_OK;
}

enum avps_status avps_posix_i2c_open(struct avps_posix_i2c **bus, const char *path,
                                     struct avps_posix_loop *loop, struct avps_posix_error *error)
{
    struct avps_posix_i2c *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return posix_fail(error, AVPS_E_NOSPACE, "not enough memory");
    }
    enum avps_status status = bus_open_device(made, path, error);

    if (status == AVPS_OK) {
        status = bus_start_thread(made, loop, error);
    }
    if (status != AVPS_OK) {
        avps_posix_i2c_close(made);
        return status;
    }
    *bus = made;
    return AVPS_OK;
}

static void bus_stop_thread(struct avps_posix_i2c *bus)
{
    (void)pthread_mutex_lock(&bus->lock);
    bus->phase = BUS_CLOSING;
    (void)pthread_cond_signal(&bus->asked);
    (void)pthread_mutex_unlock(&bus->lock);
    (void)pthread_join(bus->thread, NULL);
    (void)pthread_cond_destroy(&bus->asked);
}

void avps_posix_i2c_close(struct avps_posix_i2c *bus)
{
    if (bus == NULL) {
        return;
    }
    if (bus->has_thread) {
        bus_stop_thread(bus);
    }
    if (bus->has_lock) {
        (void)pthread_mutex_destroy(&bus->lock);
    }
    avps_posix_notifier_free(&bus->done);
    posix_close(&bus->fd);
    free(bus);
}
