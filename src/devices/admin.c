/* SPDX-License-Identifier: BSD-3-Clause */
/* Administration virtqueue, self group: wire format -> lists of commands -> capabilities -> resource
 * objects -> one command -> reset, saved state, init. What capabilities and objects there are, and
 * what they mean, is the model's (struct avps_admin_model). */
#include "avps/admin.h"

#include "devices/device_internal.h"

#define VIRTIO_ADMIN_GROUP_SELF 0U

#define VIRTIO_ADMIN_STATUS_OK     0U
#define VIRTIO_ADMIN_STATUS_ENXIO  6U
#define VIRTIO_ADMIN_STATUS_EBUSY  16U
#define VIRTIO_ADMIN_STATUS_EEXIST 17U
#define VIRTIO_ADMIN_STATUS_EINVAL 22U
#define VIRTIO_ADMIN_STATUS_ENOSPC 28U

#define VIRTIO_ADMIN_STATUS_Q_OK              0U
#define VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND 1U
#define VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE  2U
#define VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD   3U
#define VIRTIO_ADMIN_STATUS_Q_INVALID_GROUP   4U
#define VIRTIO_ADMIN_STATUS_Q_INVALID_MEMBER  5U

/* The table of opcodes counts; the description of two commands swaps the numbers of QUERY and
 * MODIFY. */
enum admin_opcode {
    VIRTIO_ADMIN_CMD_LIST_QUERY = 0x0,
    VIRTIO_ADMIN_CMD_LIST_USE = 0x1,
    VIRTIO_ADMIN_CMD_CAP_ID_LIST_QUERY = 0x7,
    VIRTIO_ADMIN_CMD_DEVICE_CAP_GET = 0x8,
    VIRTIO_ADMIN_CMD_DRIVER_CAP_SET = 0x9,
    VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE = 0xa,
    VIRTIO_ADMIN_CMD_RESOURCE_OBJ_QUERY = 0xb,
    VIRTIO_ADMIN_CMD_RESOURCE_OBJ_MODIFY = 0xc,
    VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY = 0xd
};

#define ADMIN_LISTS      3U    /* LIST_QUERY and LIST_USE [admin-1.11] */
#define ADMIN_LIST_BYTES 8192U /* a bit for each of 65536 opcodes */

/* ---- wire format ---- */

struct virtio_admin_cmd {
    avps_le16 opcode;
    avps_le16 group_type;
    uint8_t reserved1[12];
    avps_le64 group_member_id;
};
AVPS_WIRE_SIZE(struct virtio_admin_cmd, 24);

struct virtio_admin_reply {
    avps_le16 status;
    avps_le16 status_qualifier;
    uint8_t reserved2[4];
};
AVPS_WIRE_SIZE(struct virtio_admin_reply, 8);

struct virtio_admin_cmd_cap {
    avps_le16 id;
    uint8_t reserved[6];
};
AVPS_WIRE_SIZE(struct virtio_admin_cmd_cap, 8);

struct virtio_admin_cmd_resource_obj_cmd_hdr {
    avps_le16 type;
    uint8_t reserved[2];
    avps_le32 id;
};
AVPS_WIRE_SIZE(struct virtio_admin_cmd_resource_obj_cmd_hdr, 8);

#define ADMIN_OBJECT_BYTES 16U /* header and flags in front of an object's data */

/* One command on its way. */
struct admin_call {
    struct avps_device *dev;
    const struct avps_admin_model *model;
    struct avps_chain *chain;
    const uint8_t *data; /* AVPS_ADMIN_DATA_MAX bytes, 0 behind `len` [admin-2.1] */
    uint32_t len;
    struct avps_admin_out out;
};

/* NULL: the device has no capabilities. */
static const struct avps_admin_model *admin_model(const struct avps_device *dev)
{
    return dev->ops->admin != NULL ? dev->ops->admin(dev) : NULL;
}

/* ---- lists of commands ---- */

static uint64_t admin_supported(const struct avps_admin_model *model);

static void admin_put64(struct avps_admin_out *out, uint64_t value)
{
    const avps_le64 wire = avps_le64_of(value);

    (void)memcpy(out->bytes + out->len, &wire, sizeof wire);
    out->len += (uint32_t)sizeof wire;
}

/* [admin-1.14] Depends on the configuration alone. */
static enum avps_admin_result admin_list_query(struct admin_call *call)
{
    admin_put64(&call->out, admin_supported(call->model));
    return AVPS_ADMIN_OK;
}

/* The rest of a list that is longer than it need be: no bit may be set. */
static bool admin_tail_is_zero(struct admin_call *call)
{
    uint32_t left = avps_chain_readable(call->chain);
    uint8_t any = 0;

    left = left < ADMIN_LIST_BYTES ? left : ADMIN_LIST_BYTES;
    for (uint32_t i = 8; i < call->len; i++) {
        any |= call->data[i];
    }
    while (left != 0U && any == 0U) {
        uint8_t piece[64];
        const uint32_t n = left < sizeof piece ? left : (uint32_t)sizeof piece;

        if (avps_chain_read(call->chain, piece, n) != AVPS_OK) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            any |= piece[i];
        }
        left -= n;
    }
    return any == 0U;
}

/* [admin-1.12] [admin-1.15] Any subset of what is supported. */
static enum avps_admin_result admin_list_use(struct admin_call *call)
{
    avps_le64 wire;

    (void)memcpy(&wire, call->data, sizeof wire);
    const uint64_t used = avps_le64_get(wire);

    if ((used & ~admin_supported(call->model)) != 0U || !admin_tail_is_zero(call)) {
        return AVPS_ADMIN_BAD_FIELD; /* [admin-1.9] */
    }
    call->dev->admin->used = used;
    return AVPS_ADMIN_OK;
}

/* ---- capabilities ---- */

/* One bit per id, in as many 64-bit words as the highest needs. */
static enum avps_admin_result admin_cap_list(struct admin_call *call)
{
    const struct avps_admin_model *model = call->model;

    for (size_t i = 0; i < model->cap_count; i++) {
        const uint32_t id = model->caps[i];

        AVPS_ASSERT(id / 8U < AVPS_ADMIN_DATA_MAX);
        call->out.bytes[id / 8U] |= (uint8_t)(1U << (id % 8U));
        call->out.len = (id / 64U + 1U) * 8U;
    }
    return AVPS_ADMIN_OK;
}

static uint16_t admin_cap_id(const struct admin_call *call)
{
    struct virtio_admin_cmd_cap cap;

    (void)memcpy(&cap, call->data, sizeof cap);
    return avps_le16_get(cap.id);
}

/* [admin-caps-1.8] */
static bool admin_has_cap(const struct avps_admin_model *model, uint16_t id)
{
    for (size_t i = 0; i < model->cap_count; i++) {
        if (model->caps[i] == id) {
            return true;
        }
    }
    return false;
}

static enum avps_admin_result admin_cap_get(struct admin_call *call)
{
    const uint16_t id = admin_cap_id(call);

    return admin_has_cap(call->model, id) ? call->model->cap_get(call->dev, id, &call->out)
                                          : AVPS_ADMIN_NO_SUCH;
}

static enum avps_admin_result admin_cap_set(struct admin_call *call)
{
    const uint32_t front = (uint32_t)sizeof(struct virtio_admin_cmd_cap);
    const uint16_t id = admin_cap_id(call);

    return admin_has_cap(call->model, id) ? call->model->cap_set(call->dev, id, call->data + front,
                                                                 AVPS_ADMIN_DATA_MAX - front)
                                          : AVPS_ADMIN_NO_SUCH;
}

/* ---- resource objects ---- */

static struct avps_admin_object admin_object(const struct admin_call *call)
{
    struct virtio_admin_cmd_resource_obj_cmd_hdr hdr;
    avps_le64 flags;

    (void)memcpy(&hdr, call->data, sizeof hdr);
    (void)memcpy(&flags, call->data + sizeof hdr, sizeof flags);
    const struct avps_admin_object object = {
        .type = avps_le16_get(hdr.type),
        .id = avps_le32_get(hdr.id),
        .flags = avps_le64_get(flags),
        .bytes = call->data + ADMIN_OBJECT_BYTES,
        .len = call->len > ADMIN_OBJECT_BYTES ? call->len - ADMIN_OBJECT_BYTES : 0U,
        .room = AVPS_ADMIN_DATA_MAX - ADMIN_OBJECT_BYTES,
    };
    return object;
}

static enum avps_admin_result admin_create(struct admin_call *call)
{
    const struct avps_admin_object object = admin_object(call);

    return call->model->create(call->dev, &object);
}

static enum avps_admin_result admin_modify(struct admin_call *call)
{
    const struct avps_admin_object object = admin_object(call);

    return call->model->modify(call->dev, &object);
}

static enum avps_admin_result admin_query(struct admin_call *call)
{
    const struct avps_admin_object object = admin_object(call);

    return object.flags == 0U ? call->model->query(call->dev, object.type, object.id, &call->out)
                              : AVPS_ADMIN_BAD_FIELD;
}

static enum avps_admin_result admin_destroy(struct admin_call *call)
{
    const struct avps_admin_object object = admin_object(call);

    return call->model->destroy(call->dev, object.type, object.id);
}

/* ---- one command ---- */

/* `member`: the command is about a member of the group; self has one, number 0. */
struct admin_command {
    uint16_t opcode;
    bool member;
    enum avps_admin_result (*run)(struct admin_call *call);
};

/* [admin-caps-1.1] [net-15.2] All that come after the lists, or none of them. */
static const struct admin_command admin_commands[] = {
    {.opcode = VIRTIO_ADMIN_CMD_LIST_QUERY, .run = admin_list_query},
    {.opcode = VIRTIO_ADMIN_CMD_LIST_USE, .run = admin_list_use},
    {.opcode = VIRTIO_ADMIN_CMD_CAP_ID_LIST_QUERY, .member = true, .run = admin_cap_list},
    {.opcode = VIRTIO_ADMIN_CMD_DEVICE_CAP_GET, .member = true, .run = admin_cap_get},
    {.opcode = VIRTIO_ADMIN_CMD_DRIVER_CAP_SET, .member = true, .run = admin_cap_set},
    {.opcode = VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE, .member = true, .run = admin_create},
    {.opcode = VIRTIO_ADMIN_CMD_RESOURCE_OBJ_QUERY, .member = true, .run = admin_query},
    {.opcode = VIRTIO_ADMIN_CMD_RESOURCE_OBJ_MODIFY, .member = true, .run = admin_modify},
    {.opcode = VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY, .member = true, .run = admin_destroy},
};

static uint64_t admin_supported(const struct avps_admin_model *model)
{
    uint64_t bits = ADMIN_LISTS;

    for (size_t i = 0; i < AVPS_COUNT_OF(admin_commands) && model != NULL; i++) {
        bits |= (uint64_t)1 << admin_commands[i].opcode;
    }
    return bits;
}

/* [admin-1.13] What the driver did not say that it uses does not exist. */
static const struct admin_command *admin_find(const struct admin_call *call, uint16_t opcode)
{
    const uint64_t allowed = call->dev->admin->used & admin_supported(call->model);

    for (size_t i = 0; i < AVPS_COUNT_OF(admin_commands); i++) {
        if (admin_commands[i].opcode == opcode && (allowed >> opcode & 1U) != 0U) {
            return &admin_commands[i];
        }
    }
    return NULL;
}

/* [admin-1.1] [admin-1.2] [admin-1.3] [admin-1.4] In this order. [admin-1.17] [admin-caps-1.5]
 * [admin-caps-1.6] Other groups than self do not exist here. */
static enum avps_admin_result admin_run(struct admin_call *call, const struct virtio_admin_cmd *cmd)
{
    if (avps_le16_get(cmd->group_type) != VIRTIO_ADMIN_GROUP_SELF) {
        return AVPS_ADMIN_BAD_GROUP;
    }
    const struct admin_command *command = admin_find(call, avps_le16_get(cmd->opcode));
    if (command == NULL) {
        return AVPS_ADMIN_BAD_OPCODE;
    }
    if (command->member && avps_le64_get(cmd->group_member_id) != 0U) {
        return AVPS_ADMIN_BAD_MEMBER;
    }
    return command->run(call);
}

/* [admin-1.5] [admin-1.6] [admin-2.6] */
static struct virtio_admin_reply admin_reply(enum avps_admin_result result)
{
    static const struct {
        uint16_t status;
        uint16_t qualifier;
    } answers[] = {
        [AVPS_ADMIN_OK] = {VIRTIO_ADMIN_STATUS_OK, VIRTIO_ADMIN_STATUS_Q_OK},
        [AVPS_ADMIN_NO_SUCH] = {VIRTIO_ADMIN_STATUS_ENXIO, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD},
        [AVPS_ADMIN_BUSY] = {VIRTIO_ADMIN_STATUS_EBUSY, VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND},
        [AVPS_ADMIN_EXISTS] = {VIRTIO_ADMIN_STATUS_EEXIST, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD},
        [AVPS_ADMIN_NO_SPACE] = {VIRTIO_ADMIN_STATUS_ENOSPC, VIRTIO_ADMIN_STATUS_Q_INVALID_COMMAND},
        [AVPS_ADMIN_BAD_FIELD] = {VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_FIELD},
        [AVPS_ADMIN_BAD_OPCODE] = {VIRTIO_ADMIN_STATUS_EINVAL,
                                   VIRTIO_ADMIN_STATUS_Q_INVALID_OPCODE},
        [AVPS_ADMIN_BAD_GROUP] = {VIRTIO_ADMIN_STATUS_EINVAL, VIRTIO_ADMIN_STATUS_Q_INVALID_GROUP},
        [AVPS_ADMIN_BAD_MEMBER] = {VIRTIO_ADMIN_STATUS_EINVAL,
                                   VIRTIO_ADMIN_STATUS_Q_INVALID_MEMBER},
    };
    const struct virtio_admin_reply reply = {
        .status = avps_le16_of(answers[result].status),
        .status_qualifier = avps_le16_of(answers[result].qualifier),
    };
    return reply;
}

/* As much of `len` bytes as the driver left room for [admin-2.1] [admin-2.4]. */
static enum avps_status admin_write(struct avps_chain *chain, const void *bytes, uint32_t len)
{
    const uint32_t room = avps_chain_writable(chain);

    return avps_chain_write(chain, bytes, len < room ? len : room);
}

/* [admin-2.2] [admin-2.3] [admin-2.5] The answer as a whole number of 64-bit words, and no more. */
static enum avps_status admin_answer(struct admin_call *call, enum avps_admin_result result)
{
    const struct virtio_admin_reply reply = admin_reply(result);
    const uint32_t len = result == AVPS_ADMIN_OK ? (call->out.len + 7U) & ~7U : 0U;
    const enum avps_status status = admin_write(call->chain, &reply, sizeof reply);

    return status == AVPS_OK ? admin_write(call->chain, call->out.bytes, len) : status;
}

/* As much as there is of `len` bytes; the rest is 0 [admin-2.1]. */
static enum avps_status admin_read(struct avps_chain *chain, void *bytes, uint32_t len,
                                   uint32_t *got)
{
    const uint32_t there = avps_chain_readable(chain);

    *got = there < len ? there : len;
    (void)memset(bytes, 0, len);
    return avps_chain_read(chain, bytes, *got);
}

/* [admin-2.7] Done before the next is looked at. */
static enum avps_status admin_request(struct avps_device *dev, struct avps_chain *chain)
{
    struct avps_admin *admin = dev->admin;
    struct virtio_admin_cmd cmd;
    struct admin_call call = {
        .dev = dev,
        .model = admin_model(dev),
        .chain = chain,
        .data = admin->data,
        .out = {admin->result, 0},
    };
    uint32_t got = 0;
    enum avps_status status = admin_read(chain, &cmd, sizeof cmd, &got);

    if (status == AVPS_OK) {
        status = admin_read(chain, admin->data, sizeof admin->data, &call.len);
    }
    if (status != AVPS_OK) {
        return status;
    }
    (void)memset(admin->result, 0, sizeof admin->result);
    const enum avps_admin_result result = admin_run(&call, &cmd);

    admin->counters.commands++;
    admin->counters.refused += result != AVPS_ADMIN_OK ? 1U : 0U;
    return admin_answer(&call, result);
}

/* ---- reset, saved state, init ---- */

/* [admin-1.11] What the model keeps, its own reset forgets. */
static void admin_reset(struct avps_device *dev)
{
    dev->admin->used = ADMIN_LISTS;
}

static void admin_save(struct avps_device *dev, struct avps_state *state)
{
    avps_state_put_int(state, dev->admin->used, 8);
}

static void admin_load(struct avps_device *dev, struct avps_state *state)
{
    const uint64_t used = avps_state_get_int(state, 8);

    if ((used & ~admin_supported(admin_model(dev))) != 0U) {
        state->failed = true;
        return;
    }
    dev->admin->used = used;
}

static const struct avps_admin_ops admin_ops = {
    .request = admin_request,
    .reset = admin_reset,
    .save = admin_save,
    .load = admin_load,
};

enum avps_status avps_admin_init(struct avps_admin *admin)
{
    if (admin == NULL) {
        return AVPS_E_PARAM;
    }
    (void)memset(admin, 0, sizeof *admin);
    admin->ops = &admin_ops;
    admin->used = ADMIN_LISTS;
    return AVPS_OK;
}

const struct avps_admin_counters *avps_admin_counters(const struct avps_admin *admin)
{
    return &admin->counters;
}
