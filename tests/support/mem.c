/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memories for tests: address map -> the ops of each contract -> init and checks -> the
 * driver's accesses. */
#include "support/mem.h"

#include "support/cache.h"
#include "support/iommu.h"

#define BLOCK_GUARD 64U

enum avps_status test_fail_step(struct test_fail *fail)
{
    const unsigned int times = fail->times != 0U ? fail->times : 1U;

    fail->calls++;
    if (fail->at != 0U && fail->calls >= fail->at && fail->calls - fail->at < times) {
        return fail->status;
    }
    return AVPS_OK;
}

void test_fail_at(struct test_fail *fail, unsigned int n, enum avps_status status)
{
    *fail = (struct test_fail){.calls = 0, .at = n, .times = 1, .status = status};
}

/* ---- address map ---- */

/* The region that holds `gpa`, or NULL. */
static const struct avps_mem_region *mem_region(const struct test_mem *mem, avps_gpa gpa)
{
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        if (gpa >= mem->region[i].gpa && gpa - mem->region[i].gpa < mem->region[i].size) {
            return &mem->region[i];
        }
    }
    return NULL;
}

/* Host pointer of `gpa` and how far it goes. */
static enum avps_status mem_find(const struct test_mem *mem, avps_gpa gpa, uint32_t access,
                                 uint64_t *room, uint8_t **ptr)
{
    const struct avps_mem_region *region = mem_region(mem, gpa);

    if (region == NULL) {
        return AVPS_E_GUEST_ADDR;
    }
    if ((region->access & access) != access) {
        return AVPS_E_GUEST_ACCESS;
    }
    *room = region->size - (gpa - region->gpa);
    *ptr = region->host + (gpa - region->gpa);
    return AVPS_OK;
}

/* ---- ops ---- */

static enum avps_status op_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                     uint64_t *len, uint8_t **ptr)
{
    struct test_mem *mem = ctx;
    uint64_t room = 0;
    enum avps_status status = test_fail_step(&mem->fail);

    mem->translates++;
    if (status == AVPS_OK) {
        status = mem_find(mem, gpa, (uint32_t)access, &room, ptr);
    }
    if (status == AVPS_OK) {
        const uint64_t page = TEST_PAGE - gpa % TEST_PAGE;
        room = page < room ? page : room;
        *len = *len < room ? *len : room;
    }
    return status;
}

static void map_drop(struct test_map *map)
{
    for (uint32_t i = 0; i < map->count; i++) {
        free(map->copies[i]);
    }
    free(map->copies);
    free(map->segs);
    map->copies = NULL;
    map->segs = NULL;
    map->live = false;
}

static enum avps_status mem_copy_in(const struct test_mem *mem, avps_gpa gpa, uint8_t *dst,
                                    uint64_t len, uint32_t access)
{
    while (len != 0U) {
        uint64_t room = 0;
        uint8_t *ptr = NULL;
        const enum avps_status status = mem_find(mem, gpa, access, &room, &ptr);

        if (status != AVPS_OK) {
            return status;
        }
        room = room < len ? room : len;
        (void)memcpy(dst, ptr, (size_t)room);
        gpa += room;
        dst += room;
        len -= room;
    }
    return AVPS_OK;
}

/* TEST_MEM_GRANTS: what is not one piece is mapped as one, for reading only; one at a time. */
static enum avps_status pin_scattered(struct test_mem *mem, avps_gpa gpa, uint64_t len,
                                      enum avps_access access, uint8_t **ptr)
{
    if (mem->kind != TEST_MEM_GRANTS || access != AVPS_ACCESS_READ ||
        len > TEST_RAM_SIZE + TEST_SECOND_SIZE) {
        return AVPS_E_GUEST_ADDR;
    }
    assert_null(mem->pin_copy);
    mem->pin_copy = malloc((size_t)len);
    assert_non_null(mem->pin_copy);
    *ptr = mem->pin_copy;
    const enum avps_status status = mem_copy_in(mem, gpa, mem->pin_copy, len, AVPS_ACCESS_READ);
    if (status != AVPS_OK) {
        free(mem->pin_copy);
        mem->pin_copy = NULL;
    }
    return status;
}

static enum avps_status op_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                               uint8_t **ptr)
{
    struct test_mem *mem = ctx;
    uint64_t room = 0;
    enum avps_status status = test_fail_step(&mem->fail);

    if (status == AVPS_OK) {
        status = mem_find(mem, gpa, (uint32_t)access, &room, ptr);
    }
    if (status == AVPS_OK && room < len) {
        status = pin_scattered(mem, gpa, len, access, ptr);
    }
    mem->pins += status == AVPS_OK ? 1U : 0U;
    return status;
}

static void op_unpin(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    struct test_mem *mem = ctx;

    if (ptr == mem->pin_copy) {
        free(mem->pin_copy);
        mem->pin_copy = NULL;
    } else {
        assert_ptr_equal(ptr, test_mem_host(mem, gpa, len));
    }
    mem->unpins++;
    assert_true(mem->unpins <= mem->pins);
}

static enum avps_status mem_copy_out(const struct test_mem *mem, avps_gpa gpa, const uint8_t *src,
                                     uint64_t len)
{
    while (len != 0U) {
        uint64_t room = 0;
        uint8_t *ptr = NULL;
        const enum avps_status status = mem_find(mem, gpa, AVPS_ACCESS_WRITE, &room, &ptr);

        if (status != AVPS_OK) {
            return status;
        }
        room = room < len ? room : len;
        (void)memcpy(ptr, src, (size_t)room);
        gpa += room;
        src += room;
        len -= room;
    }
    return AVPS_OK;
}

/* Fill one map with copies of its segments. */
static enum avps_status map_fill(const struct test_mem *mem, struct test_map *map)
{
    enum avps_status status = AVPS_OK;

    for (uint32_t i = 0; i < map->count && status == AVPS_OK; i++) {
        const uint32_t access = i < map->readable ? AVPS_ACCESS_READ : AVPS_ACCESS_WRITE;
        uint64_t room = 0;
        uint8_t *ptr = NULL;

        status = mem_find(mem, map->segs[i].gpa, access, &room, &ptr);
        if (status == AVPS_OK && map->segs[i].len > TEST_RAM_SIZE + TEST_SECOND_SIZE) {
            status = AVPS_E_GUEST_ADDR; /* more than any row of regions holds */
        }
        if (status == AVPS_OK) {
            map->copies[i] = malloc(map->segs[i].len);
            assert_non_null(map->copies[i]);
            status = mem_copy_in(mem, map->segs[i].gpa, map->copies[i], map->segs[i].len, access);
        }
    }
    return status;
}

static enum avps_status op_map(void *ctx, struct avps_seg *segs, uint32_t count, uint32_t readable,
                               uint64_t *handle)
{
    struct test_mem *mem = ctx;
    enum avps_status status = test_fail_step(&mem->fail);

    if (status != AVPS_OK) {
        return status;
    }
    assert_true(count != 0U && readable <= count);
    mem->maps = realloc(mem->maps, (mem->map_count + 1U) * sizeof *mem->maps);
    assert_non_null(mem->maps);
    struct test_map *map = &mem->maps[mem->map_count];
    *map = (struct test_map){.live = true, .count = count, .readable = readable};
    map->copies = calloc(count, sizeof *map->copies);
    map->segs = malloc(count * sizeof *map->segs);
    assert_true(map->copies != NULL && map->segs != NULL);
    (void)memcpy(map->segs, segs, count * sizeof *segs);
    status = map_fill(mem, map);
    if (status != AVPS_OK) {
        map_drop(map);
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        segs[i].ptr = map->copies[i];
    }
    mem->map_count++;
    mem->map_calls++;
    *handle = mem->map_count; /* never 0 */
    return AVPS_OK;
}

/* Exactly once per map, with the segments of that map, nothing written to the readable ones. */
static void op_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    struct test_mem *mem = ctx;

    assert_true(handle != 0U && handle <= mem->map_count);
    struct test_map *map = &mem->maps[handle - 1U];
    assert_true(map->live);
    assert_int_equal(count, map->count);
    for (uint32_t i = 0; i < count; i++) {
        assert_ptr_equal(segs[i].ptr, map->copies[i]);
        assert_true(segs[i].gpa == map->segs[i].gpa && segs[i].len == map->segs[i].len);
        if (i >= map->readable) {
            assert_int_equal(mem_copy_out(mem, segs[i].gpa, map->copies[i], segs[i].len), AVPS_OK);
        }
    }
    map_drop(map);
    mem->unmap_calls++;
}

/* The bytes in [gpa, gpa + len) have been read: the racing ones change. */
static void mem_run_races(struct test_mem *mem, avps_gpa gpa, uint64_t len)
{
    for (size_t r = 0; r < mem->race_count; r++) {
        struct test_race *race = &mem->races[r];

        for (uint32_t i = 0; i < race->len; i++) {
            if (race->gpa + i < gpa || race->gpa + i - gpa >= len) {
                continue;
            }
            mem->rereads += race->reads[i] != 0U ? 1U : 0U;
            race->reads[i] = 1;
            *test_mem_host(mem, race->gpa + i, 1) ^= 0xffU;
        }
    }
}

static void mem_stream(struct test_mem *mem, uint8_t *dst, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        dst[i] = mem->stream_pos < mem->stream_len ? mem->stream[mem->stream_pos++] : 0U;
    }
}

static enum avps_status op_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    struct test_mem *mem = ctx;
    enum avps_status status = test_fail_step(&mem->fail);

    mem->reads++;
    if (status != AVPS_OK) {
        return status;
    }
    if (mem->kind == TEST_MEM_STREAM) {
        mem_stream(mem, dst, len);
        return AVPS_OK;
    }
    status = mem_copy_in(mem, gpa, dst, len, AVPS_ACCESS_READ);
    if (status == AVPS_OK) {
        mem_run_races(mem, gpa, len);
    }
    return status;
}

static enum avps_status op_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    struct test_mem *mem = ctx;
    const enum avps_status status = test_fail_step(&mem->fail);

    mem->writes++;
    if (status != AVPS_OK || mem->kind == TEST_MEM_STREAM) {
        return status;
    }
    return mem_copy_out(mem, gpa, src, len);
}

static void op_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    struct test_mem *mem = ctx;

    assert_non_null(mem_region(mem, gpa));
    mem->dirties++;
    mem->dirty_bytes += len;
}

static void op_clean(void *ctx, const uint8_t *ptr, size_t len)
{
    struct test_mem *mem = ctx;

    assert_true(ptr != NULL && len != 0U);
    mem->cleans++;
}

static void op_inval(void *ctx, const uint8_t *ptr, size_t len)
{
    struct test_mem *mem = ctx;

    assert_true(ptr != NULL && len != 0U);
    mem->invals++;
}

static const struct avps_mem_ops ops_of[] = {
    [TEST_MEM_HOOKS] = {.pin = op_pin,
                        .unpin = op_unpin,
                        .dirty = op_dirty,
                        .cache_clean = op_clean,
                        .cache_inval = op_inval,
                        .rings_uncached = true},
    [TEST_MEM_TRANSLATE] = {.translate = op_translate, .pin = op_pin, .unpin = op_unpin},
    [TEST_MEM_MAP] =
        {.map = op_map, .unmap = op_unmap, .pin = op_pin, .unpin = op_unpin, .read = op_read},
    [TEST_MEM_GRANTS] = {.map = op_map, .unmap = op_unmap, .pin = op_pin, .unpin = op_unpin},
    [TEST_MEM_COPY] = {.read = op_read, .write = op_write},
    [TEST_MEM_STREAM] = {.read = op_read, .write = op_write},
};

/* ---- init and checks ---- */

static void mem_add_region(struct test_mem *mem, size_t i, avps_gpa gpa, uint32_t size,
                           uint32_t access)
{
    mem->block[i] = malloc(size + 2U * BLOCK_GUARD);
    assert_non_null(mem->block[i]);
    (void)memset(mem->block[i], (int)TEST_CANARY, size + 2U * BLOCK_GUARD);
    (void)memset(mem->block[i] + BLOCK_GUARD, 0, size);
    mem->region[i] = (struct avps_mem_region){
        .gpa = gpa, .size = size, .host = mem->block[i] + BLOCK_GUARD, .access = access};
}

void test_mem_init_sized(struct test_mem *mem, enum test_mem_kind kind, uint32_t ram_size)
{
    (void)memset(mem, 0, sizeof *mem);
    mem->kind = kind;
    mem->ram_size = ram_size;
    mem->next = TEST_RAM_GPA;
    mem_add_region(mem, 0, TEST_RAM_GPA, ram_size, AVPS_ACCESS_RW);
    mem_add_region(mem, 1, TEST_RAM_GPA + ram_size, TEST_SECOND_SIZE, AVPS_ACCESS_RW);
    mem_add_region(mem, 2, TEST_ROM_GPA, TEST_ROM_SIZE, AVPS_ACCESS_READ);
    mem_add_region(mem, 3, TEST_WOM_GPA, TEST_WOM_SIZE, AVPS_ACCESS_WRITE);
    mem_add_region(mem, 4, TEST_HIGH_GPA, TEST_HIGH_SIZE, AVPS_ACCESS_RW);
    mem_add_region(mem, 5, TEST_TOP_GPA, TEST_TOP_SIZE, AVPS_ACCESS_RW);
    if (kind == TEST_MEM_NONCOHERENT || kind == TEST_MEM_CACHED) {
        mem->cache = test_cache_new(mem, kind == TEST_MEM_CACHED);
    } else if (kind == TEST_MEM_IOTLB) {
        mem->iommu = test_iommu_new(mem);
    } else if (kind == TEST_MEM_WINDOW) {
        assert_int_equal(avps_mem_init_window(&mem->handle, &mem->region[0], NULL, NULL), AVPS_OK);
    } else if (kind == TEST_MEM_REGIONS || kind == TEST_MEM_HOOKS) {
        assert_int_equal(avps_mem_init_regions(&mem->handle, mem->region, TEST_REGIONS,
                                               kind == TEST_MEM_HOOKS ? &ops_of[kind] : NULL, mem),
                         AVPS_OK);
    } else {
        assert_int_equal(avps_mem_init_ops(&mem->handle, &ops_of[kind], mem), AVPS_OK);
    }
}

void test_mem_init(struct test_mem *mem, enum test_mem_kind kind)
{
    test_mem_init_sized(mem, kind, TEST_RAM_SIZE);
}

static void mem_check_buffer(const struct test_mem *mem, const struct test_buffer *buffer)
{
    assert_true(test_mem_is(mem, buffer->gpa - TEST_CANARY_SIZE, TEST_CANARY, TEST_CANARY_SIZE));
    assert_true(test_mem_is(mem, buffer->gpa + buffer->len, TEST_CANARY, TEST_CANARY_SIZE));
}

void test_mem_check(const struct test_mem *mem)
{
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        const uint8_t *block = mem->block[i];

        for (size_t k = 0; k < BLOCK_GUARD; k++) {
            assert_int_equal(block[k], TEST_CANARY);
            assert_int_equal(block[BLOCK_GUARD + mem->region[i].size + k], TEST_CANARY);
        }
    }
    for (size_t i = 0; i < mem->buffer_count; i++) {
        mem_check_buffer(mem, &mem->buffers[i]);
    }
}

unsigned int test_mem_live_maps(const struct test_mem *mem)
{
    return mem->map_calls - mem->unmap_calls;
}

void test_mem_free(struct test_mem *mem)
{
    test_mem_check(mem);
    assert_int_equal(test_mem_live_maps(mem), 0);
    assert_int_equal(mem->pins, mem->unpins);
    if (mem->cache != NULL) {
        test_cache_free(mem->cache);
    }
    if (mem->iommu != NULL) {
        test_iommu_free(mem->iommu);
    }
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        free(mem->block[i]);
        free(mem->frozen[i]);
    }
    for (size_t i = 0; i < mem->race_count; i++) {
        free(mem->races[i].reads);
    }
    free(mem->maps);
    free(mem->buffers);
    (void)memset(mem, 0, sizeof *mem);
}

/* ---- allocation ---- */

avps_gpa test_mem_alloc(struct test_mem *mem, uint32_t len, uint32_t align)
{
    const uint32_t line = mem->cache != NULL ? TEST_LINE : 1U; /* buffers share none */
    const uint64_t mask = (uint64_t)(align > line ? align : line) - 1U;
    const avps_gpa gpa = (mem->next + TEST_CANARY_SIZE + mask) & ~mask;

    assert_true(gpa + len + TEST_CANARY_SIZE <= TEST_RAM_GPA + mem->ram_size);
    if (mem->buffer_count == mem->buffer_cap) {
        mem->buffer_cap = mem->buffer_cap * 2U + 64U;
        mem->buffers = realloc(mem->buffers, mem->buffer_cap * sizeof *mem->buffers);
        assert_non_null(mem->buffers);
    }
    mem->buffers[mem->buffer_count++] = (struct test_buffer){gpa, len};
    mem->next = gpa + len + TEST_CANARY_SIZE;
    test_mem_fill(mem, gpa - TEST_CANARY_SIZE, TEST_CANARY, TEST_CANARY_SIZE);
    test_mem_fill(mem, gpa, TEST_UNWRITTEN, len);
    test_mem_fill(mem, gpa + len, TEST_CANARY, TEST_CANARY_SIZE);
    return gpa;
}

size_t test_mem_mark(const struct test_mem *mem)
{
    return mem->buffer_count;
}

void test_mem_rewind(struct test_mem *mem, size_t mark)
{
    for (size_t i = mark; i < mem->buffer_count; i++) {
        mem_check_buffer(mem, &mem->buffers[i]);
    }
    if (mark < mem->buffer_count) {
        mem->buffer_count = mark;
        mem->next = TEST_RAM_GPA;
        if (mark != 0U) {
            const struct test_buffer *last = &mem->buffers[mark - 1U];
            mem->next = last->gpa + last->len + TEST_CANARY_SIZE;
        }
    }
}

/* ---- the driver's accesses ---- */

uint8_t *test_mem_host(const struct test_mem *mem, avps_gpa gpa, uint64_t len)
{
    uint64_t room = 0;
    uint8_t *ptr = NULL;

    assert_int_equal(mem_find(mem, gpa, 0, &room, &ptr), AVPS_OK);
    assert_true(len <= room);
    return ptr;
}

void test_mem_put(struct test_mem *mem, avps_gpa gpa, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;

    while (len != 0U) {
        uint64_t room = 0;
        uint8_t *ptr = NULL;

        assert_int_equal(mem_find(mem, gpa, 0, &room, &ptr), AVPS_OK);
        const size_t piece = len < room ? len : (size_t)room;
        (void)memcpy(ptr, from, piece);
        gpa += piece;
        from += piece;
        len -= piece;
    }
}

void test_mem_get(const struct test_mem *mem, avps_gpa gpa, void *bytes, size_t len)
{
    assert_int_equal(mem_copy_in(mem, gpa, bytes, len, 0), AVPS_OK);
}

void test_mem_fill(struct test_mem *mem, avps_gpa gpa, uint8_t byte, size_t len)
{
    if (len != 0U) {
        (void)memset(test_mem_host(mem, gpa, len), byte, len);
    }
}

static void put_int(struct test_mem *mem, avps_gpa gpa, uint64_t value, size_t bytes)
{
    uint8_t raw[8];

    for (size_t i = 0; i < bytes; i++) {
        raw[i] = (uint8_t)(value >> (8U * i));
    }
    test_mem_put(mem, gpa, raw, bytes);
}

static uint64_t get_int(const struct test_mem *mem, avps_gpa gpa, size_t bytes)
{
    uint8_t raw[8];
    uint64_t value = 0;

    test_mem_get(mem, gpa, raw, bytes);
    for (size_t i = bytes; i > 0U; i--) {
        value = value << 8 | raw[i - 1U];
    }
    return value;
}

void test_mem_put16(struct test_mem *mem, avps_gpa gpa, uint16_t value)
{
    put_int(mem, gpa, value, 2);
}

void test_mem_put32(struct test_mem *mem, avps_gpa gpa, uint32_t value)
{
    put_int(mem, gpa, value, 4);
}

void test_mem_put64(struct test_mem *mem, avps_gpa gpa, uint64_t value)
{
    put_int(mem, gpa, value, 8);
}

/* Aligned ones in one piece: the device may be another process. */
uint16_t test_mem_get16(const struct test_mem *mem, avps_gpa gpa)
{
    const uint8_t *host = test_mem_host(mem, gpa, 2);
    uint16_t raw = 0;
    uint8_t bytes[2];

    if ((uintptr_t)host % 2U != 0U) {
        return (uint16_t)(host[0] | host[1] << 8);
    }
    raw = __atomic_load_n((const uint16_t *)(const void *)host, __ATOMIC_ACQUIRE);
    (void)memcpy(bytes, &raw, sizeof raw);
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t test_mem_get32(const struct test_mem *mem, avps_gpa gpa)
{
    return (uint32_t)get_int(mem, gpa, 4);
}

uint64_t test_mem_get64(const struct test_mem *mem, avps_gpa gpa)
{
    return get_int(mem, gpa, 8);
}

bool test_mem_is(const struct test_mem *mem, avps_gpa gpa, uint8_t byte, size_t len)
{
    const uint8_t *ptr = test_mem_host(mem, gpa, len);

    for (size_t i = 0; i < len; i++) {
        if (ptr[i] != byte) {
            return false;
        }
    }
    return true;
}

/* ---- what changed ---- */

void test_mem_freeze(struct test_mem *mem)
{
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        const size_t size = (size_t)mem->region[i].size;

        if (mem->frozen[i] == NULL) {
            mem->frozen[i] = malloc(size);
            assert_non_null(mem->frozen[i]);
        }
        (void)memcpy(mem->frozen[i], mem->region[i].host, size);
    }
}

void test_mem_thaw(struct test_mem *mem)
{
    for (size_t i = 0; i < TEST_REGIONS; i++) {
        assert_non_null(mem->frozen[i]);
        (void)memcpy(mem->region[i].host, mem->frozen[i], (size_t)mem->region[i].size);
    }
}

static bool mem_allows(const struct test_buffer *allowed, size_t count, avps_gpa gpa)
{
    for (size_t i = 0; i < count; i++) {
        if (gpa >= allowed[i].gpa && gpa - allowed[i].gpa < allowed[i].len) {
            return true;
        }
    }
    return false;
}

size_t test_mem_changed(const struct test_mem *mem, const struct test_buffer *allowed, size_t count)
{
    size_t changed = 0;

    for (size_t i = 0; i < TEST_REGIONS; i++) {
        const size_t size = (size_t)mem->region[i].size;

        assert_non_null(mem->frozen[i]);
        if (memcmp(mem->frozen[i], mem->region[i].host, size) == 0) {
            continue;
        }
        for (size_t k = 0; k < size; k++) {
            if (mem->frozen[i][k] != mem->region[i].host[k] &&
                !mem_allows(allowed, count, mem->region[i].gpa + k)) {
                changed++;
            }
        }
    }
    return changed;
}

void test_mem_race(struct test_mem *mem, avps_gpa gpa, uint32_t len)
{
    assert_int_equal(mem->kind, TEST_MEM_COPY);
    assert_true(mem->race_count < TEST_RACES);
    struct test_race *race = &mem->races[mem->race_count++];
    *race = (struct test_race){.gpa = gpa, .len = len, .reads = calloc(len, 1)};
    assert_non_null(race->reads);
}
