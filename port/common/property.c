/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines -> flags, numbers -> texts, names -> words -> addresses -> lists -> features -> a whole node. */
#include "property.h"

#include <libfdt.h>
#include <string.h>

#define PROPERTY_PATH 160U

/* ---- lines ---- */

static void say(struct reader *reader, const char *text)
{
    line_text(&reader->line, text);
}

static void say_number(struct reader *reader, uint64_t number)
{
    line_number(&reader->line, number);
}

static void say_range(struct reader *reader, uint32_t min, uint32_t max)
{
    say_number(reader, min);
    say(reader, " to ");
    say_number(reader, max);
}

bool property_wrong(struct reader *reader, int node, const char *name)
{
    char path[PROPERTY_PATH];

    if (fdt_get_path(reader->fdt, node, path, (int)sizeof path) != 0) {
        path[0] = '\0'; /* longer than any node of a platform */
    }
    reader->line.used = 0;
    line_bytes(&reader->line, path, line_length(path));
    say(reader, ": ");
    line_bytes(&reader->line, name, line_length(name));
    say(reader, ": expected ");
    return false;
}

void property_words(struct reader *reader, const char *const *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i != 0U) {
            say(reader, i + 1U < count ? ", " : " or ");
        }
        line_quoted(&reader->line, words[i], line_length(words[i]));
    }
}

/* What a value is that has not even the right shape. */
static void found_bytes(struct reader *reader, const struct property *property)
{
    if (property->len == 0U) {
        say(reader, "nothing");
        return;
    }
    say_number(reader, property->len);
    say(reader, property->len == 1U ? " byte" : " bytes");
}

/* ---- flags and numbers ---- */

static bool flag_read(struct reader *reader, struct property *property, void *place)
{
    (void)reader;
    *(bool *)place = true;
    return property->len == 0U;
}

static void flag_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    say(reader, "no value");
}

const struct property_type property_flag = {flag_read, flag_expected, found_bytes};

static bool number_get(const struct property *property, uint32_t *number)
{
    if (property->len != sizeof(fdt32_t)) {
        return false;
    }
    *number = fdt32_ld((const fdt32_t *)(const void *)property->bytes);
    return *number >= property->row->min && *number <= property->row->max;
}

static bool number_read(struct reader *reader, struct property *property, void *place)
{
    (void)reader;
    return number_get(property, place);
}

static void number_expected(struct reader *reader, const struct property_row *row)
{
    say(reader, "a number from ");
    say_range(reader, row->min, row->max);
}

static void number_found(struct reader *reader, const struct property *property)
{
    if (property->len == sizeof(fdt32_t)) {
        say_number(reader, fdt32_ld((const fdt32_t *)(const void *)property->bytes));
    } else {
        found_bytes(reader, property);
    }
}

const struct property_type property_number = {number_read, number_expected, number_found};

static bool power_read(struct reader *reader, struct property *property, void *place)
{
    uint32_t number = 0;

    (void)reader;
    if (!number_get(property, &number)) {
        return false;
    }
    *(uint32_t *)place = number;
    return (number & (number - 1U)) == 0U;
}

static void power_expected(struct reader *reader, const struct property_row *row)
{
    say(reader, "a power of two from ");
    say_range(reader, row->min, row->max);
}

const struct property_type property_power = {power_read, power_expected, number_found};

/* ---- texts and names ---- */

/* Cut the first text off a list of them. @return NULL if it does not end. */
static const char *text_next(struct property *list)
{
    const char *text = list->bytes;

    for (size_t i = 0; i < list->len; i++) {
        if (text[i] == '\0') {
            list->bytes += i + 1U;
            list->len -= i + 1U;
            return text;
        }
    }
    return NULL;
}

/* The one text that a property is. @return NULL if it is something else. */
static const char *text_only(const struct property *property)
{
    struct property rest = *property;
    const char *text = text_next(&rest);

    return rest.len == 0U ? text : NULL;
}

static void text_found(struct reader *reader, const struct property *property)
{
    const char *text = text_only(property);

    if (text != NULL) {
        line_quoted(&reader->line, text, line_length(text));
    } else {
        found_bytes(reader, property);
    }
}

static bool text_read(struct reader *reader, struct property *property, void *place)
{
    const char *text = text_only(property);

    (void)reader;
    if (text == NULL || property->len - 1U < property->row->min ||
        property->len - 1U > property->row->max) {
        return false;
    }
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    *(const char **)place = text;
    return true;
}

static void text_expected(struct reader *reader, const struct property_row *row)
{
    say(reader, "a text of ");
    say_range(reader, row->min, row->max);
    say(reader, " printable characters");
}

const struct property_type property_text = {text_read, text_expected, text_found};

static bool name_has(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (!first && ((c >= '0' && c <= '9') || c == '-'));
}

bool property_is_name(const char *text)
{
    size_t i = 0;

    while (i <= AVPS_PLATFORM_NAME && name_has(text[i], i == 0U)) {
        i++;
    }
    return i != 0U && i <= AVPS_PLATFORM_NAME && text[i] == '\0';
}

void property_name_expected(struct reader *reader)
{
    say(reader, "a name of a-z, 0-9 and '-', at most ");
    say_number(reader, AVPS_PLATFORM_NAME);
    say(reader, " of them, a letter first");
}

static bool name_read(struct reader *reader, struct property *property, void *place)
{
    const char *text = text_only(property);

    (void)reader;
    *(const char **)place = text;
    return text != NULL && property_is_name(text);
}

static void name_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    property_name_expected(reader);
}

const struct property_type property_name = {name_read, name_expected, text_found};

/* ---- words ---- */

#define WORDS(list) (list), (uint32_t)(sizeof(list) / sizeof(list)[0])

/* Which of the words a property is. @return false: none. */
static bool word_read(const struct property *property, const char *const *words, uint32_t count,
                      uint32_t *index)
{
    const char *text = text_only(property);

    for (uint32_t i = 0; text != NULL && i < count; i++) {
        if (line_same(words[i], text)) {
            *index = i;
            return true;
        }
    }
    return false;
}

static const char *const kind_words[] = {
    [AVPS_PLATFORM_BLK] = "blk", [AVPS_PLATFORM_NET] = "net", [AVPS_PLATFORM_CONSOLE] = "console",
    [AVPS_PLATFORM_RNG] = "rng", [AVPS_PLATFORM_I2C] = "i2c", [AVPS_PLATFORM_VSOCK] = "vsock"};

const char *avps_platform_kind_name(enum avps_platform_kind kind)
{
    return kind_words[kind];
}

static bool kind_read(struct reader *reader, struct property *property, void *place)
{
    uint32_t index = 0;

    (void)reader;
    if (!word_read(property, WORDS(kind_words), &index)) {
        return false;
    }
    *(enum avps_platform_kind *)place = (enum avps_platform_kind)index;
    return true;
}

static void kind_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    property_words(reader, WORDS(kind_words));
}

const struct property_type property_kind = {kind_read, kind_expected, text_found};

static const char *const transport_words[] = {
    [AVPS_PLATFORM_MMIO] = "mmio", [AVPS_PLATFORM_PCI] = "pci"};

static bool transport_read(struct reader *reader, struct property *property, void *place)
{
    uint32_t index = 0;

    (void)reader;
    if (!word_read(property, WORDS(transport_words), &index)) {
        return false;
    }
    *(enum avps_platform_transport *)place = (enum avps_platform_transport)index;
    return true;
}

static void transport_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    property_words(reader, WORDS(transport_words));
}

const struct property_type property_transport = {transport_read, transport_expected, text_found};

static const char *const format_words[] = {"avps,platform-1"};

static bool format_read(struct reader *reader, struct property *property, void *place)
{
    uint32_t index = 0;

    (void)reader;
    if (!word_read(property, WORDS(format_words), &index)) {
        return false;
    }
    *(uint32_t *)place = index + 1U;
    return true;
}

static void format_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    property_words(reader, WORDS(format_words));
}

const struct property_type property_format = {format_read, format_expected, text_found};

static const char *const ring_words[] = {"split", "packed"};

static bool rings_read(struct reader *reader, struct property *property, void *place)
{
    uint32_t index = 0;

    (void)reader;
    if (!word_read(property, WORDS(ring_words), &index)) {
        return false;
    }
    *(bool *)place = index == 1U;
    return true;
}

static void rings_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    property_words(reader, WORDS(ring_words));
}

const struct property_type property_rings = {rings_read, rings_expected, text_found};

/* A reference to one of the networks. */
static bool network_read(struct reader *reader, struct property *property, void *place)
{
    const struct avps_platform *platform = reader->platform;
    const char *text = text_only(property);

    for (uint32_t i = 0; text != NULL && i < platform->network_count; i++) {
        if (line_same(platform->networks[i].name, text)) {
            *(uint32_t *)place = i;
            return true;
        }
    }
    return false;
}

static void network_expected(struct reader *reader, const struct property_row *row)
{
    const char *names[AVPS_PLATFORM_NETWORKS];

    (void)row;
    if (reader->platform->network_count == 0U) {
        say(reader, "the name of a node below /networks, where there is none");
        return;
    }
    for (uint32_t i = 0; i < reader->platform->network_count; i++) {
        names[i] = reader->platform->networks[i].name;
    }
    property_words(reader, names, reader->platform->network_count);
}

const struct property_type property_network = {network_read, network_expected, text_found};

/* ---- addresses ---- */

#define MAC_BYTES 6U

/* The address of one station: not a group, not zero. */
static bool mac_is_station(const char *bytes)
{
    static const uint8_t zero[MAC_BYTES] = {0};

    return ((uint8_t)bytes[0] & 1U) == 0U && memcmp(bytes, zero, MAC_BYTES) != 0;
}

static bool mac_read(struct reader *reader, struct property *property, void *place)
{
    (void)reader;
    if (property->len != MAC_BYTES || !mac_is_station(property->bytes)) {
        return false;
    }
    (void)memcpy(place, property->bytes, MAC_BYTES);
    return true;
}

static void mac_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    say(reader, "the 6 bytes of one station's address, as in [02 00 00 00 00 01]");
}

static void mac_found(struct reader *reader, const struct property *property)
{
    if (property->len != MAC_BYTES) {
        found_bytes(reader, property);
        return;
    }
    for (size_t i = 0; i < MAC_BYTES; i++) {
        say(reader, i == 0U ? "[" : " ");
        line_hex(&reader->line, (uint8_t)property->bytes[i]);
    }
    say(reader, "]");
}

const struct property_type property_mac = {mac_read, mac_expected, mac_found};

/* ---- lists ---- */

static bool mac_is_listed(const struct avps_platform_net *net, const char *mac)
{
    for (uint32_t i = 0; i < net->mac_count; i++) {
        if (memcmp(net->macs[i], mac, MAC_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* Addresses behind the first one, which is `mac` and has been read. */
static bool macs_read(struct reader *reader, struct property *property, void *place)
{
    struct avps_platform_net *net = place;

    (void)reader;
    if (property->len == 0U || property->len % MAC_BYTES != 0U) {
        return false;
    }
    (void)memcpy(net->macs[0], net->mac, MAC_BYTES);
    net->mac_count = 1U;
    for (; property->len != 0U; property->len -= MAC_BYTES, property->bytes += MAC_BYTES) {
        if (net->mac_count == AVPS_PLATFORM_LIST || !mac_is_station(property->bytes) ||
            mac_is_listed(net, property->bytes)) {
            property->len = net->mac_count == AVPS_PLATFORM_LIST ? property->len : MAC_BYTES;
            return false;
        }
        (void)memcpy(net->macs[net->mac_count], property->bytes, MAC_BYTES);
        net->mac_count++;
    }
    return true;
}

static void macs_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    say(reader, "1 to ");
    say_number(reader, AVPS_PLATFORM_LIST - 1U);
    say(reader, " different station addresses of 6 bytes besides `mac`");
}

const struct property_type property_macs = {macs_read, macs_expected, mac_found};

static bool number_is_listed(const struct avps_platform_numbers *list, uint32_t number)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i] == number) {
            return true;
        }
    }
    return false;
}

static bool numbers_read(struct reader *reader, struct property *property, void *place)
{
    struct avps_platform_numbers *list = place;
    struct property one = *property;

    (void)reader;
    if (property->len == 0U || property->len % sizeof(fdt32_t) != 0U ||
        property->len > AVPS_PLATFORM_LIST * sizeof(fdt32_t)) {
        return false;
    }
    one.len = sizeof(fdt32_t);
    for (size_t at = 0; at < property->len; at += sizeof(fdt32_t)) {
        uint32_t number = 0;

        one.bytes = property->bytes + at;
        if (!number_get(&one, &number) || number_is_listed(list, number)) {
            *property = one;
            return false;
        }
        list->items[list->count] = (uint16_t)number;
        list->count++;
    }
    return true;
}

static void numbers_expected(struct reader *reader, const struct property_row *row)
{
    say(reader, "1 to ");
    say_number(reader, AVPS_PLATFORM_LIST);
    say(reader, " different numbers from ");
    say_range(reader, row->min, row->max);
}

const struct property_type property_numbers = {numbers_read, numbers_expected, number_found};

static bool port_is_listed(const struct avps_platform_console *console, const char *name)
{
    for (uint32_t i = 0; i < console->port_count; i++) {
        if (line_same(console->ports[i], name)) {
            return true;
        }
    }
    return false;
}

static bool ports_read(struct reader *reader, struct property *property, void *place)
{
    struct avps_platform_console *console = place;

    (void)reader;
    if (property->len == 0U) {
        return false;
    }
    while (property->len != 0U) {
        const struct property before = *property;
        const char *name = text_next(property);

        if (name == NULL || console->port_count == AVPS_PLATFORM_PORTS || !property_is_name(name) ||
            port_is_listed(console, name)) {
            property->len = name != NULL ? line_length(name) + 1U : before.len;
            property->bytes = before.bytes;
            return false;
        }
        console->ports[console->port_count] = name;
        console->port_count++;
    }
    return true;
}

static void ports_expected(struct reader *reader, const struct property_row *row)
{
    (void)row;
    say(reader, "1 to ");
    say_number(reader, AVPS_PLATFORM_PORTS);
    say(reader, " different names of a-z, 0-9 and '-'");
}

const struct property_type property_ports = {ports_read, ports_expected, text_found};

/* ---- features ---- */

/* Withhold the whole set but what is listed, and promise that. */
static bool features_read(struct reader *reader, struct property *property, void *place)
{
    const struct feature_set *set = property->row->set;
    struct avps_platform_device *device = place;
    struct property list = *property;

    (void)reader;
    for (uint32_t i = 0; i < set->count; i++) {
        avps_features_add(&device->withhold, set->rows[i].bit);
    }
    while (list.len != 0U) {
        const struct property before = list;
        const char *name = text_next(&list);
        const struct feature *feature = name != NULL ? features_find(set, name) : NULL;

        if (feature == NULL || !avps_features_has(&device->withhold, feature->bit)) {
            *property = before;
            property->len = name != NULL ? line_length(name) + 1U : before.len;
            return false; /* not a feature, or named twice */
        }
        avps_features_remove(&device->withhold, feature->bit);
        avps_features_add(&device->promise, feature->bit);
    }
    return true;
}

static void features_expected(struct reader *reader, const struct property_row *row)
{
    say(reader, "each at most once out of");
    for (uint32_t i = 0; i < row->set->count; i++) {
        say(reader, i == 0U ? " " : ", ");
        say(reader, row->set->rows[i].name);
    }
}

const struct property_type property_features = {features_read, features_expected, text_found};

/* ---- a node ---- */

static const struct property_row *table_find(const struct property_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (line_same(table->rows[i].name, name)) {
            return &table->rows[i];
        }
    }
    return NULL;
}

static bool table_knows(const struct property_table *tables, uint32_t table_count, const char *name)
{
    bool known = false;

    for (uint32_t i = 0; i < table_count; i++) {
        known = known || table_find(&tables[i], name) != NULL;
    }
    return known;
}

/* What could have been there instead of a property that no row knows. */
static void table_list(struct reader *reader, const struct property_table *tables,
                       uint32_t table_count)
{
    const char *between = "one of ";

    for (uint32_t t = 0; t < table_count; t++) {
        for (uint32_t i = 0; i < tables[t].count; i++) {
            say(reader, between);
            say(reader, tables[t].rows[i].name);
            between = ", ";
        }
    }
    say(reader, table_count == 0U ? "no properties here, found a property"
                                  : ", found a property of another name");
}

/* Nothing is there that no row knows. */
static bool table_covers(struct reader *reader, int node, const struct property_table *tables,
                         uint32_t table_count)
{
    int at = 0;

    fdt_for_each_property_offset(at, reader->fdt, node)
    {
        const char *name = NULL;
        const void *value = fdt_getprop_by_offset(reader->fdt, at, &name, NULL);

        if (value == NULL || name == NULL) {
            return property_wrong(reader, node, "?");
        }
        if (!table_knows(tables, table_count, name)) {
            (void)property_wrong(reader, node, name);
            table_list(reader, tables, table_count);
            return false;
        }
    }
    return true;
}

static bool row_wrong(struct reader *reader, int node, const struct property *property)
{
    (void)property_wrong(reader, node, property->row->name);
    property->row->type->expected(reader, property->row);
    say(reader, ", found ");
    property->row->type->found(reader, property);
    return false;
}

bool property_read_row(struct reader *reader, int node, const struct property_row *row,
                       void *target)
{
    int len = 0;
    struct property property = {.row = row};

    property.bytes = fdt_getprop(reader->fdt, node, row->name, &len);
    if (property.bytes == NULL) {
        return !row->must || row_wrong(reader, node, &property);
    }
    property.len = (size_t)len;
    return row->type->read(reader, &property, (uint8_t *)target + row->offset) ||
           row_wrong(reader, node, &property);
}

bool property_read(struct reader *reader, int node, const struct property_table *tables,
                   uint32_t table_count)
{
    bool is_well = table_covers(reader, node, tables, table_count);

    for (uint32_t t = 0; t < table_count; t++) {
        for (uint32_t i = 0; i < tables[t].count && is_well; i++) {
            is_well = property_read_row(reader, node, &tables[t].rows[i], tables[t].target);
        }
    }
    return is_well;
}
