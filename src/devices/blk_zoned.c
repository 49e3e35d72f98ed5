/* SPDX-License-Identifier: BSD-3-Clause */
/* Zones of a block device: wire format -> table and its rules -> states and resources -> writes at
 * the write pointer -> pieces of a range -> zone requests -> reset, state, init.
 *
 * The back end knows nothing of zones. What lies at or above a write pointer is never read from it:
 * the driver gets zeroes. The write pointer moves when a write is accepted, so that writes may be
 * queued, and stays there if the write fails. */
#include "devices/blk_internal.h"

struct virtio_blk_zone_report {
    avps_le64 nr_zones;
    uint8_t reserved[56];
};
AVPS_WIRE_SIZE(struct virtio_blk_zone_report, 64);

struct virtio_blk_zone_descriptor {
    avps_le64 z_cap;
    avps_le64 z_start;
    avps_le64 z_wp;
    uint8_t z_type;
    uint8_t z_state;
    uint8_t reserved[38];
};
AVPS_WIRE_SIZE(struct virtio_blk_zone_descriptor, 64);

/* Sets of states. */
#define ZONE_BIT(state) (1U << (unsigned int)(state))
#define ZONES_OPEN      (ZONE_BIT(AVPS_BLK_ZONE_IMPLICIT_OPEN) | ZONE_BIT(AVPS_BLK_ZONE_EXPLICIT_OPEN))
#define ZONES_ACTIVE    (ZONES_OPEN | ZONE_BIT(AVPS_BLK_ZONE_CLOSED))
#define ZONES_WRITABLE  (ZONES_ACTIVE | ZONE_BIT(AVPS_BLK_ZONE_EMPTY))
#define ZONES_LOST      (ZONE_BIT(AVPS_BLK_ZONE_READ_ONLY) | ZONE_BIT(AVPS_BLK_ZONE_OFFLINE))
#define ZONES_WITH_WP   (ZONES_WRITABLE | ZONE_BIT(AVPS_BLK_ZONE_FULL))

static bool zone_is_in(const struct avps_blk_zone *zone, uint32_t states)
{
    return (ZONE_BIT(zone->state) & states) != 0U;
}

static bool zone_is_sequential(const struct avps_blk_zone *zone)
{
    return zone->type != AVPS_BLK_ZONE_CONVENTIONAL;
}

/* ---- the table ---- */

static uint64_t zone_start(const struct avps_blk *blk, uint32_t index)
{
    return (uint64_t)index * blk->zoned.zone_sectors;
}

/* [blk-1.10] The last zone may be cut. */
static uint32_t zone_size(const struct avps_blk *blk, uint32_t index)
{
    const uint64_t left = blk->capacity - zone_start(blk, index);

    return left < blk->zoned.zone_sectors ? (uint32_t)left : blk->zoned.zone_sectors;
}

/* `sector` is inside the capacity. */
static uint32_t zone_index(const struct avps_blk *blk, uint64_t sector)
{
    return (uint32_t)(sector / blk->zoned.zone_sectors);
}

/* State and write pointer fit each other and the type; for tables and saved states alike (I28). */
static bool zone_is_valid(const struct avps_blk *blk, uint32_t index, uint8_t state, uint64_t wp)
{
    const struct avps_blk_zone *zone = &blk->zoned.zones[index];
    const uint64_t start = zone_start(blk, index);
    const uint64_t used = wp - start;
    const bool managed = blk->zoned.model == AVPS_BLK_ZONED_HOST_MANAGED;
    const uint32_t size = zone_size(blk, index);

    if (wp < start || used > size || zone->capacity == 0U || zone->capacity > size) {
        return false;
    }
    if (zone->type == AVPS_BLK_ZONE_CONVENTIONAL) {
        return state == AVPS_BLK_ZONE_NOT_WP && used == 0U && zone->capacity == size;
    }
    if (zone->type != (managed ? AVPS_BLK_ZONE_SEQ_REQUIRED : AVPS_BLK_ZONE_SEQ_PREFERRED) ||
        used > zone->capacity || (!managed && zone->capacity != size)) {
        return false;
    }
    switch (state) {
    case AVPS_BLK_ZONE_EMPTY:
        return used == 0U;
    case AVPS_BLK_ZONE_EXPLICIT_OPEN:
        return used < zone->capacity;
    case AVPS_BLK_ZONE_IMPLICIT_OPEN:
    case AVPS_BLK_ZONE_CLOSED:
        return used != 0U && used < zone->capacity;
    case AVPS_BLK_ZONE_FULL:
    case AVPS_BLK_ZONE_READ_ONLY:
    case AVPS_BLK_ZONE_OFFLINE:
        return true;
    default:
        return false;
    }
}

/* ---- states and resources ---- */

static void zone_changed(struct avps_blk *blk, uint32_t index)
{
    if (blk->ops->zone_changed != NULL) {
        blk->ops->zone_changed(blk->ctx, index, &blk->zoned.zones[index]);
    }
}

static void zone_count(struct avps_blk *blk, const struct avps_blk_zone *zone, bool in)
{
    const uint32_t open = zone_is_in(zone, ZONES_OPEN) ? 1U : 0U;
    const uint32_t active = zone_is_in(zone, ZONES_ACTIVE) ? 1U : 0U;

    blk->open_zones = in ? blk->open_zones + open : blk->open_zones - open;
    blk->active_zones = in ? blk->active_zones + active : blk->active_zones - active;
}

static void zone_enter(struct avps_blk *blk, uint32_t index, enum avps_blk_zone_state state)
{
    struct avps_blk_zone *zone = &blk->zoned.zones[index];

    zone_count(blk, zone, false);
    zone->state = (uint8_t)state;
    if (state == AVPS_BLK_ZONE_EMPTY) {
        zone->wp = zone_start(blk, index);
    }
    zone_count(blk, zone, true);
    zone_changed(blk, index);
}

static void zone_close(struct avps_blk *blk, uint32_t index)
{
    zone_enter(blk, index,
               blk->zoned.zones[index].wp == zone_start(blk, index) ? AVPS_BLK_ZONE_EMPTY
                                                                    : AVPS_BLK_ZONE_CLOSED);
}

/* [blk-2.32] Make room by closing a zone that nobody opened by name. */
static bool zone_close_an_implicit(struct avps_blk *blk)
{
    for (uint32_t i = 0; i < blk->zoned.zone_count; i++) {
        if (blk->zoned.zones[i].state == AVPS_BLK_ZONE_IMPLICIT_OPEN) {
            zone_close(blk, i);
            return true;
        }
    }
    return false;
}

/* Open a writable zone. [blk-2.20] [blk-2.24] Without resources nothing changes; if both kinds are
 * exhausted it is the active ones that are named. */
static uint8_t zone_open(struct avps_blk *blk, uint32_t index, enum avps_blk_zone_state state)
{
    const struct avps_blk_zone *zone = &blk->zoned.zones[index];
    const struct avps_blk_zoned *zoned = &blk->zoned;

    if (!zone_is_in(zone, ZONES_ACTIVE) && zoned->max_active != 0U &&
        blk->active_zones >= zoned->max_active) {
        return VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE;
    }
    if (!zone_is_in(zone, ZONES_OPEN) && zoned->max_open != 0U &&
        blk->open_zones >= zoned->max_open && !zone_close_an_implicit(blk)) {
        return VIRTIO_BLK_S_ZONE_OPEN_RESOURCE;
    }
    if (zone->state != state) {
        zone_enter(blk, index, state);
    }
    return VIRTIO_BLK_S_OK;
}

/* ---- writes ---- */

static bool zone_is_aligned(const struct avps_blk *blk, uint64_t sector)
{
    return sector % (blk->zoned.write_granularity / AVPS_BLK_SECTOR) == 0U;
}

/* Whether a zone that must be written sequentially takes `count` sectors at `sector`. [blk-2.26]
 * [blk-2.31] */
static uint8_t zone_check_sequential(const struct avps_blk *blk, uint32_t index, uint64_t sector,
                                     uint32_t count)
{
    const struct avps_blk_zone *zone = &blk->zoned.zones[index];
    const uint64_t end = zone_start(blk, index) + zone->capacity;

    if (!zone_is_in(zone, ZONES_WRITABLE)) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD;
    }
    if (sector != zone->wp || !zone_is_aligned(blk, sector + count)) {
        return VIRTIO_BLK_S_ZONE_UNALIGNED_WP;
    }
    return count <= end - sector ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_ZONE_INVALID_CMD;
}

/* Accept a write of one sequential zone: open it, move the write pointer. The zone may have failed
 * since the request was planned. */
static uint8_t zone_write(struct avps_blk *blk, uint32_t index, uint64_t sector, uint32_t count)
{
    struct avps_blk_zone *zone = &blk->zoned.zones[index];
    const uint64_t end = zone_start(blk, index) + zone->capacity;
    uint8_t result = zone_is_in(zone, ZONES_LOST) ? VIRTIO_BLK_S_ZONE_INVALID_CMD : VIRTIO_BLK_S_OK;

    if (result == VIRTIO_BLK_S_OK && zone->type == AVPS_BLK_ZONE_SEQ_REQUIRED) {
        result = zone_check_sequential(blk, index, sector, count);
    }
    if (result == VIRTIO_BLK_S_OK &&
        (zone->state == AVPS_BLK_ZONE_EMPTY || zone->state == AVPS_BLK_ZONE_CLOSED)) {
        result = zone_open(blk, index, AVPS_BLK_ZONE_IMPLICIT_OPEN);
    }
    if (result != VIRTIO_BLK_S_OK || sector + count <= zone->wp) {
        return result;
    }
    zone->wp = sector + count;
    if (zone->wp == end && zone->state != AVPS_BLK_ZONE_FULL) {
        zone_enter(blk, index, AVPS_BLK_ZONE_FULL);
    } else {
        zone_changed(blk, index);
    }
    return VIRTIO_BLK_S_OK;
}

/* ---- pieces of a range ---- */

/* [blk-2.38] [blk-2.39] An erase covers whole zones, each of which could be reset. */
static bool zone_can_erase(const struct avps_blk *blk, const struct avps_blk_range *range,
                           const struct avps_blk_zone *zone)
{
    return range->sector % blk->zoned.zone_sectors == 0U &&
           range->count % blk->zoned.zone_sectors == 0U && zone_is_in(zone, ZONES_WITH_WP);
}

static bool zone_allows(const struct avps_blk *blk, enum avps_blk_op op,
                        const struct avps_blk_range *range, uint32_t index)
{
    const struct avps_blk_zone *zone = &blk->zoned.zones[index];
    const uint64_t end = zone_start(blk, index) + zone_size(blk, index);
    const bool inside =
        range->sector >= zone_start(blk, index) && range->count <= end - range->sector;

    if (zone->state == AVPS_BLK_ZONE_OFFLINE) {
        return false; /* [blk-2.34] */
    }
    if (op != AVPS_BLK_READ && zone->state == AVPS_BLK_ZONE_READ_ONLY) {
        return false; /* [blk-2.33] */
    }
    if (op == AVPS_BLK_SECURE_ERASE) {
        return zone_can_erase(blk, range, zone);
    }
    return inside || zone->type != AVPS_BLK_ZONE_SEQ_REQUIRED; /* [blk-2.30] */
}

uint8_t avps_blk_zone_check(const struct avps_blk *blk, enum avps_blk_op op,
                            const struct avps_blk_range *range)
{
    if (!avps_blk_has_zones(blk) || range->count == 0U) {
        return VIRTIO_BLK_S_OK;
    }
    const uint32_t last = zone_index(blk, range->sector + (range->count - 1U));

    for (uint32_t i = zone_index(blk, range->sector); i <= last; i++) {
        if (!zone_allows(blk, op, range, i)) {
            return VIRTIO_BLK_S_ZONE_INVALID_CMD;
        }
    }
    return VIRTIO_BLK_S_OK;
}

/* Prepare the whole piece and take it off the range. */
static enum blk_step zone_issue(struct avps_blk_request *req, struct avps_blk_range *range,
                                uint32_t count)
{
    avps_blk_prepare(req, (enum avps_blk_op)req->op, range->sector, count);
    req->io.unmap = range->unmap;
    range->sector += count;
    range->count -= count;
    return BLK_STEP_ISSUE;
}

/* Read what was written; zeroes for the rest [blk-2.35] [blk-2.36]. `count` sectors lie in the
 * zone. */
static enum blk_step zone_step_read(struct avps_blk_request *req, struct avps_blk_range *range,
                                    const struct avps_blk_zone *zone, uint32_t count,
                                    uint8_t *result)
{
    if (!zone_is_sequential(zone)) {
        return zone_issue(req, range, count);
    }
    if (range->sector < zone->wp) {
        const uint64_t written = zone->wp - range->sector;

        return zone_issue(req, range, written < count ? (uint32_t)written : count);
    }
    if (avps_chain_write_zeroes(&req->base.chain, count * AVPS_BLK_SECTOR) != AVPS_OK) {
        *result = VIRTIO_BLK_S_IOERR;
        return BLK_STEP_FAIL;
    }
    range->sector += count;
    range->count -= count;
    req->sectors += count;
    return BLK_STEP_NEXT;
}

/* A write. Where a write-preferred zone is written past its write pointer, the gap becomes zeroes
 * first: it may hold what was there before a reset. */
static enum blk_step zone_step_write(struct avps_blk *blk, struct avps_blk_request *req,
                                     struct avps_blk_range *range, uint32_t index, uint32_t count,
                                     uint8_t *result)
{
    struct avps_blk_zone *zone = &blk->zoned.zones[index];

    if (!zone_is_sequential(zone)) {
        return zone_issue(req, range, count);
    }
    if (zone->type == AVPS_BLK_ZONE_SEQ_PREFERRED && range->sector > zone->wp) {
        avps_blk_prepare(req, AVPS_BLK_WRITE_ZEROES, zone->wp,
                         (uint32_t)(range->sector - zone->wp));
        req->sectors -= req->io.count; /* not the driver's */
        *result = zone_write(blk, index, req->io.sector, req->io.count);
        return *result == VIRTIO_BLK_S_OK ? BLK_STEP_ISSUE : BLK_STEP_FAIL;
    }
    *result = zone_write(blk, index, range->sector, count);
    return *result == VIRTIO_BLK_S_OK ? zone_issue(req, range, count) : BLK_STEP_FAIL;
}

static enum blk_step zone_step_erase(struct avps_blk *blk, struct avps_blk_request *req,
                                     struct avps_blk_range *range, uint8_t *result)
{
    const uint32_t first = zone_index(blk, range->sector);

    *result = avps_blk_zone_check(blk, AVPS_BLK_SECURE_ERASE, range);
    if (*result != VIRTIO_BLK_S_OK) {
        return BLK_STEP_FAIL; /* a zone has failed since the request was planned */
    }
    for (uint32_t i = 0; i < range->count / blk->zoned.zone_sectors; i++) {
        zone_enter(blk, first + i, AVPS_BLK_ZONE_EMPTY);
    }
    return zone_issue(req, range, range->count);
}

enum blk_step avps_blk_zone_step(struct avps_blk *blk, struct avps_blk_request *req,
                                 struct avps_blk_range *range, uint8_t *result)
{
    const uint32_t index = zone_index(blk, range->sector);
    const uint64_t room = zone_start(blk, index) + zone_size(blk, index) - range->sector;
    const uint32_t count = range->count < room ? range->count : (uint32_t)room;

    switch ((enum avps_blk_op)req->op) {
    case AVPS_BLK_READ:
        return zone_step_read(req, range, &blk->zoned.zones[index], count, result);
    case AVPS_BLK_WRITE:
    case AVPS_BLK_WRITE_ZEROES:
        return zone_step_write(blk, req, range, index, count, result);
    case AVPS_BLK_SECURE_ERASE:
        return zone_step_erase(blk, req, range, result);
    case AVPS_BLK_DISCARD:
    case AVPS_BLK_FLUSH: /* never a range */
    default:
        return zone_issue(req, range, range->count);
    }
}

/* ---- zone requests ---- */

static void zone_describe(const struct avps_blk *blk, uint32_t index,
                          struct virtio_blk_zone_descriptor *wire)
{
    const struct avps_blk_zone *zone = &blk->zoned.zones[index];
    const bool pointer = zone_is_in(zone, ZONES_WRITABLE);

    (void)memset(wire, 0, sizeof *wire);
    wire->z_cap = avps_le64_of(zone->capacity);
    wire->z_start = avps_le64_of(zone_start(blk, index));
    wire->z_wp = avps_le64_of(pointer ? zone->wp : UINT64_MAX); /* else undefined */
    wire->z_type = zone->type;
    wire->z_state = zone->state;
}

/* As many descriptors as fit behind the header, from the zone of `sector` on. */
static uint8_t zone_report(const struct avps_blk *blk, struct avps_chain *chain, uint64_t sector)
{
    const uint32_t room = avps_chain_writable(chain);
    struct virtio_blk_zone_report header;

    if (sector >= blk->capacity || room < sizeof header || avps_chain_readable(chain) != 0U) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD;
    }
    const uint32_t first = zone_index(blk, sector);
    const uint32_t fit =
        (room - (uint32_t)sizeof header) / (uint32_t)sizeof(struct virtio_blk_zone_descriptor);
    const uint32_t left = blk->zoned.zone_count - first;
    const uint32_t count = fit < left ? fit : left;

    (void)memset(&header, 0, sizeof header);
    header.nr_zones = avps_le64_of(count);
    enum avps_status status = avps_chain_write(chain, &header, sizeof header);

    for (uint32_t i = 0; i < count && status == AVPS_OK; i++) {
        struct virtio_blk_zone_descriptor wire;

        zone_describe(blk, first + i, &wire);
        status = avps_chain_write(chain, &wire, sizeof wire);
    }
    return (uint8_t)(status == AVPS_OK ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
}

/* [blk-2.18] [blk-2.25] [blk-2.28] [blk-2.29] The rest is checked like any write. */
static uint8_t zone_append(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    const uint32_t bytes = avps_chain_readable(&req->base.chain);
    const uint32_t most = blk->zoned.max_append_sectors;

    if (most == 0U) {
        return VIRTIO_BLK_S_UNSUPP; /* [blk-1.15] */
    }
    if (avps_chain_writable(&req->base.chain) != sizeof(avps_le64)) {
        return VIRTIO_BLK_S_IOERR; /* no place for the answer */
    }
    if (bytes == 0U || bytes / AVPS_BLK_SECTOR > most || sector >= blk->capacity ||
        sector % blk->zoned.zone_sectors != 0U) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD;
    }
    const struct avps_blk_zone *zone = &blk->zoned.zones[zone_index(blk, sector)];

    if (zone->type != AVPS_BLK_ZONE_SEQ_REQUIRED || !zone_is_in(zone, ZONES_WRITABLE)) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD;
    }
    req->append_sector = zone->wp;
    return avps_blk_transfer(blk, req, AVPS_BLK_WRITE, zone->wp, bytes);
}

/* Zone management: from which states each request leads on. [blk-2.17] [blk-2.19] [blk-2.21]
 * [blk-2.22] [blk-2.23] Elsewhere, and for conventional zones, it cannot be done. A closed or empty
 * zone is finished as the zoned storage standards have it. */
static const struct {
    uint32_t type;
    uint32_t from;
} zone_rules[] = {
    {VIRTIO_BLK_T_ZONE_OPEN, ZONES_WRITABLE},
    {VIRTIO_BLK_T_ZONE_CLOSE, ZONES_ACTIVE},
    {VIRTIO_BLK_T_ZONE_FINISH, ZONES_WITH_WP},
    {VIRTIO_BLK_T_ZONE_RESET, ZONES_WITH_WP},
};

static bool zone_may(const struct avps_blk_zone *zone, uint32_t type)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(zone_rules); i++) {
        if (zone_rules[i].type == type) {
            return zone_is_in(zone, zone_rules[i].from);
        }
    }
    return false;
}

static uint8_t zone_manage(struct avps_blk *blk, uint32_t type, uint64_t sector)
{
    if (sector >= blk->capacity || sector % blk->zoned.zone_sectors != 0U) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD;
    }
    const uint32_t index = zone_index(blk, sector);
    const struct avps_blk_zone *zone = &blk->zoned.zones[index];

    if (!zone_may(zone, type)) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD;
    }
    if (type == VIRTIO_BLK_T_ZONE_OPEN) {
        return zone_open(blk, index, AVPS_BLK_ZONE_EXPLICIT_OPEN);
    }
    if (type == VIRTIO_BLK_T_ZONE_RESET) {
        zone_enter(blk, index, AVPS_BLK_ZONE_EMPTY);
    } else if (type == VIRTIO_BLK_T_ZONE_FINISH) {
        zone_enter(blk, index, AVPS_BLK_ZONE_FULL);
    } else if (zone->state != AVPS_BLK_ZONE_CLOSED) {
        zone_close(blk, index);
    }
    return VIRTIO_BLK_S_OK;
}

static uint8_t zone_reset_all(struct avps_blk *blk)
{
    for (uint32_t i = 0; i < blk->zoned.zone_count; i++) {
        if (zone_is_in(&blk->zoned.zones[i], ZONES_ACTIVE | ZONE_BIT(AVPS_BLK_ZONE_FULL))) {
            zone_enter(blk, i, AVPS_BLK_ZONE_EMPTY);
        }
    }
    return VIRTIO_BLK_S_OK;
}

uint8_t avps_blk_zone_request(struct avps_blk *blk, struct avps_blk_request *req, uint64_t sector)
{
    struct avps_chain *chain = &req->base.chain;

    if (!avps_blk_has_zones(blk)) {
        return VIRTIO_BLK_S_UNSUPP; /* managed by the drive */
    }
    if (req->type == VIRTIO_BLK_T_ZONE_REPORT) {
        return zone_report(blk, chain, sector);
    }
    if (req->type == VIRTIO_BLK_T_ZONE_APPEND) {
        return zone_append(blk, req, sector);
    }
    if (avps_chain_readable(chain) != 0U || avps_chain_writable(chain) != 0U) {
        return VIRTIO_BLK_S_ZONE_INVALID_CMD; /* these carry no data */
    }
    return req->type == VIRTIO_BLK_T_ZONE_RESET_ALL ? zone_reset_all(blk)
                                                    : zone_manage(blk, req->type, sector);
}

enum avps_status avps_blk_fail_zone(struct avps_blk *blk, uint32_t index,
                                    enum avps_blk_zone_state state)
{
    if (index >= blk->zoned.zone_count || !zone_is_sequential(&blk->zoned.zones[index]) ||
        (ZONE_BIT(state) & ZONES_LOST) == 0U) {
        return AVPS_E_PARAM;
    }
    if (blk->zoned.zones[index].state == AVPS_BLK_ZONE_OFFLINE) {
        return AVPS_E_STATE;
    }
    zone_enter(blk, index, state);
    return AVPS_OK;
}

/* ---- reset, state, init ---- */

void avps_blk_zones_reset(struct avps_blk *blk)
{
    for (uint32_t i = 0; i < blk->zoned.zone_count; i++) {
        if (zone_is_in(&blk->zoned.zones[i], ZONES_OPEN)) {
            zone_close(blk, i);
        }
    }
}

void avps_blk_zones_save(const struct avps_blk *blk, struct avps_state *state)
{
    for (uint32_t i = 0; i < blk->zoned.zone_count; i++) {
        avps_state_put_int(state, blk->zoned.zones[i].state, 1);
        avps_state_put_int(state, blk->zoned.zones[i].wp, 8);
    }
}

/* Read all zones: to check them, or, once they are known to be good, to take them over. */
static void zones_read(struct avps_blk *blk, struct avps_state *state, bool apply)
{
    uint64_t open = 0;
    uint64_t active = 0;

    for (uint32_t i = 0; i < blk->zoned.zone_count && !state->failed; i++) {
        const uint8_t value = (uint8_t)avps_state_get_int(state, 1);
        const uint64_t wp = avps_state_get_int(state, 8);

        if (!zone_is_valid(blk, i, value, wp)) {
            state->failed = true;
            return;
        }
        open += (ZONE_BIT(value) & ZONES_OPEN) != 0U ? 1U : 0U;
        active += (ZONE_BIT(value) & ZONES_ACTIVE) != 0U ? 1U : 0U;
        if (apply) {
            blk->zoned.zones[i].wp = wp;
            zone_enter(blk, i, (enum avps_blk_zone_state)value);
        }
    }
    if ((blk->zoned.max_open != 0U && open > blk->zoned.max_open) ||
        (blk->zoned.max_active != 0U && active > blk->zoned.max_active)) {
        state->failed = true;
    }
}

void avps_blk_zones_load(struct avps_blk *blk, struct avps_state *state)
{
    const size_t begin = state->pos;

    zones_read(blk, state, false);
    if (!state->failed) {
        state->pos = begin;
        zones_read(blk, state, true);
    }
}

/* [blk-1.14] An append fits a request; [blk-2.37] erases fall on zones. */
static bool zones_fit_limits(const struct avps_blk *blk)
{
    const struct avps_blk_zoned *zoned = &blk->zoned;
    const uint64_t most = (uint64_t)blk->seg_max * blk->size_max / AVPS_BLK_SECTOR;

    if (blk->size_max != 0U && zoned->max_append_sectors > most) {
        return false;
    }
    if (blk->erase.max_sectors != 0U &&
        (blk->erase.alignment == 0U || blk->erase.alignment % zoned->zone_sectors != 0U)) {
        return false;
    }
    return zoned->model == AVPS_BLK_ZONED_HOST_MANAGED ||
           (zoned->max_open == 0U && zoned->max_active == 0U);
}

static bool zones_fit_capacity(const struct avps_blk *blk)
{
    const struct avps_blk_zoned *zoned = &blk->zoned;
    const uint32_t sectors = zoned->write_granularity / AVPS_BLK_SECTOR;

    if (zoned->zones == NULL || zoned->zone_sectors == 0U ||
        zoned->write_granularity % AVPS_BLK_SECTOR != 0U || zoned->zone_sectors % sectors != 0U ||
        blk->capacity == 0U) {
        return false;
    }
    return zoned->zone_count == (blk->capacity - 1U) / zoned->zone_sectors + 1U;
}

static bool zones_are_valid(const struct avps_blk *blk)
{
    uint32_t active = 0;

    for (uint32_t i = 0; i < blk->zoned.zone_count; i++) {
        const struct avps_blk_zone *zone = &blk->zoned.zones[i];

        if (!zone_is_valid(blk, i, zone->state, zone->wp) ||
            (zone->type == AVPS_BLK_ZONE_SEQ_REQUIRED &&
             (!zone_is_aligned(blk, zone->wp) || !zone_is_aligned(blk, zone->capacity)))) {
            return false;
        }
        active += zone_is_in(zone, ZONES_ACTIVE) ? 1U : 0U;
    }
    return blk->zoned.max_active == 0U || active <= blk->zoned.max_active;
}

enum avps_status avps_blk_zones_init(struct avps_blk *blk, const struct avps_blk_zoned *zoned)
{
    if (zoned->model == AVPS_BLK_ZONED_NONE) {
        return AVPS_OK; /* [blk-1.8] the fields stay zero */
    }
    blk->zoned = *zoned;
    if (zoned->write_granularity == 0U) {
        blk->zoned.write_granularity = AVPS_BLK_SECTOR;
    }
    if ((zoned->model != AVPS_BLK_ZONED_HOST_MANAGED &&
         zoned->model != AVPS_BLK_ZONED_HOST_AWARE) ||
        !zones_fit_capacity(blk) || !zones_fit_limits(blk) || !zones_are_valid(blk)) {
        return AVPS_E_PARAM;
    }
    for (uint32_t i = 0; i < blk->zoned.zone_count; i++) {
        zone_count(blk, &blk->zoned.zones[i], true);
    }
    avps_blk_zones_reset(blk);
    return AVPS_OK;
}
