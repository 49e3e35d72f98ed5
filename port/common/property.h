/* SPDX-License-Identifier: BSD-3-Clause */
/* Properties of a platform file by table: a row says what a property is called, what is expected of
 * it, and where its value goes; a value that is not as expected becomes a line. */
#ifndef COMMON_PROPERTY_H
#define COMMON_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps_common/platform.h"
#include "features.h"
#include "line.h"

/* A blob that is being read into a platform. */
struct reader {
    const void *fdt;
    struct avps_platform *platform;
    struct line line;
};

struct property_row;

/* A property as it was found. A type narrows bytes and len down to what it does not like. */
struct property {
    const struct property_row *row;
    const char *bytes;
    size_t len;
};

/* How a value is read, and how what is expected and what is found are put into words. */
struct property_type {
    /* @return whether the value is as expected; then it is at `place`. */
    bool (*read)(struct reader *reader, struct property *property, void *place);
    void (*expected)(struct reader *reader, const struct property_row *row);
    void (*found)(struct reader *reader, const struct property *property);
};

struct property_row {
    const char *name;
    const struct property_type *type;
    size_t offset; /* of the value in the target */
    uint32_t min;  /* numbers: least value; texts: least length */
    uint32_t max;
    bool must;
    const struct feature_set *set; /* features: the words */
};

/* The types, with the C type at `offset`. */
extern const struct property_type property_flag;      /* bool */
extern const struct property_type property_number;    /* uint32_t, min..max */
extern const struct property_type property_power;     /* uint32_t, a power of two, min..max */
extern const struct property_type property_text;      /* const char *, min..max characters */
extern const struct property_type property_name;      /* const char * */
extern const struct property_type property_format;    /* uint32_t: version */
extern const struct property_type property_kind;      /* enum avps_platform_kind */
extern const struct property_type property_transport; /* enum avps_platform_transport */
extern const struct property_type property_rings;     /* bool: packed */
extern const struct property_type property_network;   /* uint32_t: index */
extern const struct property_type property_mac;       /* uint8_t[6] */
extern const struct property_type property_macs;      /* struct avps_platform_net */
extern const struct property_type
    property_numbers; /* struct avps_platform_numbers, each up to 65535 */
extern const struct property_type property_ports;    /* struct avps_platform_console */
extern const struct property_type property_features; /* struct avps_platform_device */

/* Rows whose values go to one target. */
struct property_table {
    const struct property_row *rows;
    uint32_t count;
    void *target;
};

/* Read all properties of a node: no others, none of the needed ones missing.
 * @return whether all is well; else the line says what is not. */
bool property_read(struct reader *reader, int node, const struct property_table *tables,
                   uint32_t table_count);

/* Read one property alone, when others depend on it. @return as property_read. */
bool property_read_row(struct reader *reader, int node, const struct property_row *row,
                       void *target);

/* Begin a line, "path: property: expected ", for the caller to go on with.
 * @param name  Property or node that it is about. @return false, for a return statement. */
bool property_wrong(struct reader *reader, int node, const char *name);

/* Whether `text` is fit to be a name: a-z first, then a-z, 0-9 and '-'. */
bool property_is_name(const char *text);

/* "a name of ...", what is expected then. */
void property_name_expected(struct reader *reader);

/* List words as they can stand in a line: "a", "b" or "c". */
void property_words(struct reader *reader, const char *const *words, uint32_t count);

#endif
