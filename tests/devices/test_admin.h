/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver's side of administration commands: they are put together and taken apart here, byte by
 * byte, and sent over the device's last queue. The register file of the tests has no administration
 * virtqueue, so the offer is added to the device by hand. */
#ifndef TEST_ADMIN_H
#define TEST_ADMIN_H

#include "support/driver.h"

#include "avps/admin.h"

#define LIST_QUERY 0x0U
#define LIST_USE   0x1U
#define CAP_LIST   0x7U
#define CAP_GET    0x8U
#define CAP_SET    0x9U
#define CREATE     0xaU
#define QUERY      0xbU
#define MODIFY     0xcU
#define DESTROY    0xdU

#define ST_OK     0U
#define ST_ENXIO  6U
#define ST_EBUSY  16U
#define ST_EEXIST 17U
#define ST_EINVAL 22U
#define ST_ENOSPC 28U

#define Q_OK      0U
#define Q_COMMAND 1U
#define Q_OPCODE  2U
#define Q_FIELD   3U
#define Q_GROUP   4U
#define Q_MEMBER  5U

#define SELF           0U
#define SRIOV          1U
#define ADMIN_HEAD     24U
#define ADMIN_REPLY    8U
#define ADMIN_BYTES    600U
#define ADMIN_COMMANDS 0x3f83U /* all that a device with capabilities has */

/* One command, its answer, and what was said about it. */
struct admin_cmd {
    uint16_t opcode;
    uint16_t group;
    uint64_t member;
    const void *data;
    uint32_t len;      /* of data */
    uint32_t room;     /* writable bytes; 0: ADMIN_BYTES */
    uint32_t head_len; /* of the header; 0: all of it */
    uint32_t used;     /* used length */
    uint16_t status;
    uint16_t qualifier;
    uint8_t answer[ADMIN_BYTES]; /* reply and result */
};

static inline void admin_put(uint8_t *at, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8U * i));
    }
}

static inline uint64_t admin_get(const uint8_t *at, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = bytes; i > 0U; i--) {
        value = value << 8 | at[i - 1U];
    }
    return value;
}

/* Before test_driver_attach's start: offer and want the queue. */
static inline void admin_offer(struct test_driver *d, struct avps_device *device)
{
    avps_features_add(&device->offered, AVPS_F_ADMIN_VQ);
    test_driver_want(d, AVPS_F_ADMIN_VQ);
}

/* Send one command over `queue` as it is. @return its status. */
static inline uint16_t admin_send(struct test_driver *d, uint16_t queue, struct admin_cmd *cmd)
{
    uint8_t head[ADMIN_HEAD] = {0};
    const uint32_t room = cmd->room != 0U ? cmd->room : ADMIN_BYTES;
    struct test_request request = {
        .out = {{head, cmd->head_len != 0U ? cmd->head_len : ADMIN_HEAD}, {cmd->data, cmd->len}},
        .in = {room}};

    admin_put(head, cmd->opcode, 2);
    admin_put(head + 2, cmd->group, 2);
    admin_put(head + 16, cmd->member, 8);
    (void)memset(cmd->answer, 0x5a, sizeof cmd->answer);
    cmd->used = test_driver_do(d, queue, &request);
    assert_true(cmd->used <= room);
    test_driver_in(d, &request, 0, cmd->answer, room);
    cmd->status = (uint16_t)admin_get(cmd->answer, 2);
    cmd->qualifier = (uint16_t)admin_get(cmd->answer + 2, 2);
    return cmd->status;
}

/* The plain case: self group, member 0. @return the status; `*qualifier` if wanted. */
static inline uint16_t admin_do(struct test_driver *d, uint16_t queue, uint16_t opcode,
                                const void *data, uint32_t len, uint16_t *qualifier)
{
    struct admin_cmd cmd = {.opcode = opcode, .data = data, .len = len};
    const uint16_t status = admin_send(d, queue, &cmd);

    if (qualifier != NULL) {
        *qualifier = cmd.qualifier;
    }
    return status;
}

static inline uint16_t admin_use(struct test_driver *d, uint16_t queue, uint64_t commands)
{
    uint8_t list[8];

    admin_put(list, commands, 8);
    return admin_do(d, queue, LIST_USE, list, sizeof list, NULL);
}

#endif
