/* SPDX-License-Identifier: BSD-3-Clause */
/* A saved machine: a header, then records, little-endian, in a file. What is read is treated as hostile: no
 * length is believed, and what a record says is checked by whoever takes it. */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "avps/status.h"

#define STATE_VERSION    1U
#define STATE_RECORD_MAX (UINT64_C(1) << 24U) /* bytes of a record, but for memory */
#define STATE_MEMORY_MAX (UINT64_C(1) << 30U) /* bytes of one stretch of memory */

enum state_kind {
    STATE_CPU = 1, /* index: of the CPU */
    STATE_IRQCHIP,
    STATE_SERIAL,
    STATE_DEVICE, /* index: its place on the command line */
    STATE_MEMORY, /* guest address (8 bytes), then its bytes */
    STATE_END
};

/* What the machine must be like to take the rest. */
struct state_machine {
    char arch[16];
    uint64_t memory; /* bytes */
    uint32_t cpus;
    uint32_t devices;
};

struct state_record {
    enum state_kind kind;
    uint32_t index;
    uint64_t length; /* bytes that follow */
};

/* ---- contents of a record ---- */

/* Grows as it is written. All zero: empty. */
struct state_out {
    uint8_t *bytes; /* to be freed */
    size_t size;
    size_t room;
    bool failed; /* no memory: what is there is not whole */
};

void state_put(struct state_out *out, const void *bytes, size_t size);
void state_put_u32(struct state_out *out, uint32_t value);
void state_put_u64(struct state_out *out, uint64_t value);

/* Shrinks as it is read. */
struct state_in {
    const uint8_t *bytes;
    size_t left;
    bool failed; /* something was asked for that is not there: that read as zeroes */
};

void state_get(struct state_in *in, void *bytes, size_t size);
uint32_t state_get_u32(struct state_in *in);
uint64_t state_get_u64(struct state_in *in);

/* Whether all was there, and nothing is left. */
bool state_is_done(const struct state_in *in);

/* ---- the file ---- */

enum avps_status state_write_header(FILE *file, const struct state_machine *machine);

/* @return AVPS_OK; AVPS_E_IO; AVPS_E_UNSUPPORTED: another version; AVPS_E_PARAM: no saved machine. */
enum avps_status state_read_header(FILE *file, struct state_machine *machine);

/* @param bytes  record->length of them; NULL: the caller writes them behind. */
enum avps_status state_write_record(FILE *file, const struct state_record *record,
                                    const void *bytes);

/* What comes next; its bytes are the caller's to read.
 * @return AVPS_OK; AVPS_E_IO: the file ends or cannot be read; AVPS_E_PARAM: no record. */
enum avps_status state_read_record(FILE *file, struct state_record *record);

#endif
