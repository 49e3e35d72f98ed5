/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved machines: contents of records, written and read -> header -> records. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "little.h"

#define STATE_MAGIC       "AVPSKVM"
#define STATE_HEADER_SIZE 44U
#define STATE_RECORD_SIZE 16U
#define STATE_STEP        4096U

/* ---- contents of records, written ---- */

static bool out_has_room(struct state_out *out, size_t size)
{
    if (size <= out->room - out->size) {
        return true;
    }
    const size_t room = out->size + size + STATE_STEP;
    uint8_t *bytes = realloc(out->bytes, room);

    if (bytes == NULL) {
        out->failed = true;
        return false;
    }
    out->bytes = bytes;
    out->room = room;
    return true;
}

void state_put(struct state_out *out, const void *bytes, size_t size)
{
    if (size != 0U && !out->failed && out_has_room(out, size)) {
        (void)memcpy(out->bytes + out->size, bytes, size);
        out->size += size;
    }
}

void state_put_u32(struct state_out *out, uint32_t value)
{
    uint8_t bytes[4];

    little_put(bytes, 4, value);
    state_put(out, bytes, sizeof bytes);
}

void state_put_u64(struct state_out *out, uint64_t value)
{
    uint8_t bytes[8];

    little_put(bytes, 8, value);
    state_put(out, bytes, sizeof bytes);
}

/* ---- contents of records, read ---- */

void state_get(struct state_in *in, void *bytes, size_t size)
{
    if (in->failed || size > in->left) {
        in->failed = true;
        (void)memset(bytes, 0, size);
        return;
    }
    (void)memcpy(bytes, in->bytes, size);
    in->bytes += size;
    in->left -= size;
}

uint32_t state_get_u32(struct state_in *in)
{
    uint8_t bytes[4];

    state_get(in, bytes, sizeof bytes);
    return (uint32_t)little_get(bytes, 4);
}

uint64_t state_get_u64(struct state_in *in)
{
    uint8_t bytes[8];

    state_get(in, bytes, sizeof bytes);
    return little_get(bytes, 8);
}

bool state_is_done(const struct state_in *in)
{
    return !in->failed && in->left == 0U;
}

/* ---- header ---- */

enum avps_status state_write_header(FILE *file, const struct state_machine *machine)
{
    uint8_t bytes[STATE_HEADER_SIZE] = STATE_MAGIC;

    little_put(bytes + 8, 4, STATE_VERSION);
    (void)memcpy(bytes + 12, machine->arch, sizeof machine->arch);
    little_put(bytes + 28, 8, machine->memory);
    little_put(bytes + 36, 4, machine->cpus);
    little_put(bytes + 40, 4, machine->devices);
    return fwrite(bytes, sizeof bytes, 1, file) == 1U ? AVPS_OK : AVPS_E_IO;
}

enum avps_status state_read_header(FILE *file, struct state_machine *machine)
{
    uint8_t bytes[STATE_HEADER_SIZE];

    if (fread(bytes, sizeof bytes, 1, file) != 1U) {
        return ferror(file) != 0 ? AVPS_E_IO : AVPS_E_PARAM;
    }
    if (memcmp(bytes, STATE_MAGIC, sizeof STATE_MAGIC) != 0) {
        return AVPS_E_PARAM;
    }
    if (little_get(bytes + 8, 4) != STATE_VERSION) {
        return AVPS_E_UNSUPPORTED;
    }
    (void)memcpy(machine->arch, bytes + 12, sizeof machine->arch);
    machine->arch[sizeof machine->arch - 1U] = '\0';
    machine->memory = little_get(bytes + 28, 8);
    machine->cpus = (uint32_t)little_get(bytes + 36, 4);
    machine->devices = (uint32_t)little_get(bytes + 40, 4);
    return AVPS_OK;
}

/* ---- records ---- */

enum avps_status state_write_record(FILE *file, const struct state_record *record,
                                    const void *bytes)
{
    uint8_t head[STATE_RECORD_SIZE];

    little_put(head, 4, (uint32_t)record->kind);
    little_put(head + 4, 4, record->index);
    little_put(head + 8, 8, record->length);
    if (fwrite(head, sizeof head, 1, file) != 1U) {
        return AVPS_E_IO;
    }
    if (bytes == NULL || record->length == 0U) {
        return AVPS_OK;
    }
    return fwrite(bytes, (size_t)record->length, 1, file) == 1U ? AVPS_OK : AVPS_E_IO;
}

static bool record_is_well(uint64_t kind, uint64_t length)
{
    if (kind == (uint64_t)STATE_MEMORY) {
        return length > 8U && length - 8U <= STATE_MEMORY_MAX;
    }
    return kind >= (uint64_t)STATE_CPU && kind <= (uint64_t)STATE_END && length <= STATE_RECORD_MAX;
}

enum avps_status state_read_record(FILE *file, struct state_record *record)
{
    uint8_t head[STATE_RECORD_SIZE];

    if (fread(head, sizeof head, 1, file) != 1U) {
        return AVPS_E_IO;
    }
    const uint64_t kind = little_get(head, 4);
    record->index = (uint32_t)little_get(head + 4, 4);
    record->length = little_get(head + 8, 8);
    if (!record_is_well(kind, record->length)) {
        return AVPS_E_PARAM;
    }
    record->kind = (enum state_kind)kind;
    return AVPS_OK;
}
