/* SPDX-License-Identifier: BSD-3-Clause */
/* The model port: memory by each contract -> interrupts -> devices and polling -> time -> threads
 * -> the target. `has` says where a bug is. */
#include "model.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static bool has(const struct model *model, enum model_bug bug)
{
    return model->bug == bug;
}

/* ---- memory ---- */

static const struct avps_pc_span layout[MODEL_SPANS] = {
    {0x40000000U, 0x20000U, AVPS_ACCESS_RW},
    {0x40020000U, 0x8000U, AVPS_ACCESS_RW}, /* adjacent to the guest, not to the host */
    {0x50000000U, 0x1000U, AVPS_ACCESS_READ},
    {0x60000000U, 0x1000U, AVPS_ACCESS_WRITE},
    {UINT64_C(0xfffffffffffff000), 0x1000U, AVPS_ACCESS_RW},
};

static uint8_t *span_host(const struct model *model, uint32_t i)
{
    return model->blocks[i] + MODEL_MARGIN;
}

static uint8_t *model_guest(void *ctx, avps_gpa gpa)
{
    const struct model *model = ctx;

    for (uint32_t i = 0; i < MODEL_SPANS; i++) {
        if (gpa - layout[i].gpa < layout[i].size) {
            return span_host(model, i) + (gpa - layout[i].gpa);
        }
    }
    return NULL;
}

/* The span's row as the port believes it to be. */
static struct avps_mem_region span_row(const struct model *model, uint32_t i)
{
    struct avps_mem_region row = {.gpa = layout[i].gpa,
                                  .size = layout[i].size,
                                  .host = span_host(model, i),
                                  .access = layout[i].access};

    row.size += has(model, BUG_SPAN_LONG) && i == 1U ? 1U : 0U;
    if (has(model, BUG_SPAN_EARLY) && i == 0U) {
        row.gpa--;
        row.host--;
        row.size++;
    }
    if ((has(model, BUG_READ_ONLY_WRITTEN) && i == 2U) ||
        (has(model, BUG_WRITE_ONLY_READ) && i == 3U)) {
        row.access = AVPS_ACCESS_RW;
    }
    return row;
}

/* What a look-up finds; joined spans are what the bug makes of two. */
static enum avps_status find(const struct model *model, avps_gpa gpa, uint32_t access,
                             uint64_t *room, uint8_t **ptr)
{
    if (has(model, BUG_ADDRESS_32)) {
        gpa = gpa == UINT64_MAX ? gpa : (uint32_t)gpa; /* so that wrapping is not what fails */
    }
    for (uint32_t i = 0; i < MODEL_SPANS; i++) {
        const struct avps_mem_region row = span_row(model, i);
        const uint64_t off = gpa - row.gpa;

        if (off >= row.size) {
            continue;
        }
        if ((row.access & access) != access) {
            return AVPS_E_GUEST_ACCESS;
        }
        *room = row.size - off;
        *room += has(model, BUG_ADJACENT_JOINED) && i == 0U ? MODEL_MARGIN : 0U;
        *ptr = row.host + off;
        return AVPS_OK;
    }
    return AVPS_E_GUEST_ADDR;
}

static enum avps_status op_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                     uint64_t *len, uint8_t **ptr)
{
    struct model *model = ctx;
    uint64_t room = 0;
    const enum avps_status status = find(model, gpa, access, &room, ptr);

    if (status != AVPS_OK) {
        return status;
    }
    room += has(model, BUG_TRANSLATE_LONG) && *len > room ? 1U : 0U;
    *len = *len < room ? *len : room;
    if (has(model, BUG_TRANSLATE_WINDOW)) { /* one window for all */
        *len = *len < MODEL_PAGE ? *len : MODEL_PAGE;
        (void)memcpy(model->window, *ptr, (size_t)*len);
        *ptr = model->window;
    }
    return AVPS_OK;
}

/* ---- copies ---- */

static void copy_bytes(volatile uint8_t *dst, const volatile uint8_t *src, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        dst[i] = src[i];
        if (len <= 4U) {
            (void)sched_yield(); /* the other thread's turn, also on a busy machine */
        }
    }
}

/* Aligned 2- and 4-byte accesses are single ones. */
static void copy_single(uint8_t *dst, const uint8_t *src, size_t len)
{
    uint16_t half = 0;
    uint32_t word = 0;

    if (len == 2U && ((uintptr_t)dst & 1U) == 0U && ((uintptr_t)src & 1U) == 0U) {
        half = __atomic_load_n((const uint16_t *)(const void *)src, __ATOMIC_RELAXED);
        __atomic_store_n((uint16_t *)(void *)dst, half, __ATOMIC_RELAXED);
    } else if (len == 4U && ((uintptr_t)dst & 3U) == 0U && ((uintptr_t)src & 3U) == 0U) {
        word = __atomic_load_n((const uint32_t *)(const void *)src, __ATOMIC_RELAXED);
        __atomic_store_n((uint32_t *)(void *)dst, word, __ATOMIC_RELAXED);
    } else {
        (void)memcpy(dst, src, len);
    }
}

/* Copy piece by piece: to the guest with `src`, else from it. */
static enum avps_status copy(struct model *model, avps_gpa gpa, uint8_t *dst, const uint8_t *src,
                             size_t len)
{
    const uint32_t access = src != NULL ? AVPS_ACCESS_WRITE : AVPS_ACCESS_READ;

    while (len != 0U) {
        uint64_t room = 0;
        uint8_t *ptr = NULL;
        const enum avps_status status = find(model, gpa, access, &room, &ptr);

        if (status != AVPS_OK) {
            return status;
        }
        const size_t piece = len < room ? len : (size_t)room;
        uint8_t *to = src != NULL ? ptr : dst;
        const uint8_t *from = src != NULL ? src : ptr;

        if (has(model, src != NULL ? BUG_WRITE_TORN : BUG_READ_TORN)) {
            copy_bytes(to, from, piece);
        } else {
            copy_single(to, from, piece);
        }
        gpa += piece;
        len -= piece;
        dst = src != NULL ? dst : dst + piece;
        src = src != NULL ? src + piece : src;
    }
    return AVPS_OK;
}

static enum avps_status op_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    struct model *model = ctx;
    enum avps_status status = AVPS_OK;

    if (!has(model, BUG_COPY_SHARED_BUFFER) || len > MODEL_PAGE) {
        return copy(model, gpa, dst, NULL, len);
    }
    status = copy(model, gpa, model->shared, NULL, len);
    (void)sched_yield();
    (void)memcpy(dst, model->shared, len);
    return status;
}

static enum avps_status op_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    struct model *model = ctx;
    uint8_t rounded[MODEL_PAGE];
    const size_t more = has(model, BUG_WRITE_LONG) ? len + 1U : (len + 3U) / 4U * 4U;

    if ((!has(model, BUG_WRITE_LONG) && !has(model, BUG_WRITE_WORDS)) || len < 8U ||
        more > MODEL_PAGE) {
        return copy(model, gpa, NULL, src, len);
    }
    (void)memset(rounded, 0, sizeof rounded);
    (void)memcpy(rounded, src, len);
    return copy(model, gpa, NULL, rounded, more);
}

/* ---- map and pin ---- */

static struct model_map *map_free(struct model *model)
{
    for (uint32_t i = 0; i < MODEL_MAPS; i++) {
        if (!model->maps[i].live) {
            return &model->maps[i];
        }
    }
    return NULL;
}

static void map_drop(struct model *model, struct model_map *map)
{
    map->live = false;
    model->mapped--;
}

static enum avps_status map_seg(struct model *model, struct model_map *map, uint32_t i)
{
    const struct avps_seg *seg = &map->segs[i];
    enum avps_status status = AVPS_OK;

    if (has(model, BUG_MAP_SHORT) && i >= MODEL_SEGS / 2U) {
        return AVPS_OK;
    }
    if (seg->len > MODEL_ARENA - map->used) {
        return AVPS_E_GUEST_ADDR; /* more than there is in one piece */
    }
    map->copies[i] = map->arena + map->used;
    map->used += seg->len;
    if (i < map->readable) {
        return copy(model, seg->gpa, map->copies[i], NULL, seg->len);
    }
    for (uint64_t done = 0; done < seg->len && status == AVPS_OK;) {
        uint64_t room = 0;
        uint8_t *ptr = NULL;

        status = find(model, seg->gpa + done, AVPS_ACCESS_WRITE, &room, &ptr);
        if (status == AVPS_OK) {
            const uint64_t piece = seg->len - done < room ? seg->len - done : room;

            (void)memcpy(map->copies[i] + done, ptr, (size_t)piece);
            done += piece;
        }
    }
    return status;
}

static enum avps_status op_map(void *ctx, struct avps_seg *segs, uint32_t count, uint32_t readable,
                               uint64_t *handle)
{
    struct model *model = ctx;
    struct model_map *map = map_free(model);
    enum avps_status status = AVPS_OK;

    if (map == NULL || count > MODEL_SEGS) {
        return AVPS_E_IO;
    }
    *map =
        (struct model_map){.live = true, .count = count, .readable = readable, .arena = map->arena};
    model->mapped++;
    (void)memcpy(map->segs, segs, count * sizeof *segs);
    for (uint32_t i = 0; i < count && status == AVPS_OK; i++) {
        status = map_seg(model, map, i);
    }
    if (status != AVPS_OK) {
        map_drop(model, map);
        model->mapped += has(model, BUG_MAP_LEAKS_REFUSED) ? 1U : 0U;
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        segs[i].ptr = map->copies[i];
    }
    *handle = (uint64_t)(map - model->maps);
    return AVPS_OK;
}

static struct model_map *map_last(struct model *model, struct model_map *map)
{
    for (uint32_t i = 0; i < MODEL_MAPS; i++) {
        map = model->maps[i].live ? &model->maps[i] : map;
    }
    return map;
}

static void op_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    struct model *model = ctx;
    struct model_map *map = &model->maps[handle];

    (void)segs;
    (void)count;
    if (has(model, BUG_UNMAP_LAST)) {
        map = map_last(model, map);
    }
    for (uint32_t i = map->readable; i < map->count && !has(model, BUG_UNMAP_DROPS); i++) {
        if (map->copies[i] != NULL) {
            (void)copy(model, map->segs[i].gpa, NULL, map->copies[i], map->segs[i].len);
        }
    }
    if (map->live) {
        map_drop(model, map);
    }
    model->mapped -= has(model, BUG_UNMAP_TWICE) ? 1U : 0U;
    model->mapped += has(model, BUG_MAP_LEAKS) ? 1U : 0U;
}

static enum avps_status op_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                               uint8_t **ptr)
{
    struct model *model = ctx;
    uint64_t room = 0;
    const enum avps_status status = find(model, gpa, access, &room, ptr);

    if (status != AVPS_OK && !(has(model, BUG_PIN_ANYTHING) && status == AVPS_E_GUEST_ACCESS)) {
        return status;
    }
    if (has(model, BUG_PIN_ANYTHING)) {
        (void)find(model, gpa, 0, &room, ptr);
    } else if (len > room) {
        return AVPS_E_GUEST_ADDR;
    }
    if (has(model, BUG_PIN_COPIES)) {
        (void)memcpy(model->window, *ptr, (size_t)(len < MODEL_PAGE ? len : MODEL_PAGE));
        *ptr = model->window;
    }
    model->mapped++;
    return AVPS_OK;
}

static void op_unpin(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    struct model *model = ctx;

    (void)gpa;
    (void)len;
    (void)ptr;
    model->mapped -= has(model, BUG_UNPIN_FORGETS) ? 0U : 1U;
}

static uint32_t model_mapped(void *ctx)
{
    const struct model *model = ctx;

    return model->mapped;
}

/* ---- dirty log and cache ---- */

static void op_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    struct model *model = ctx;
    const uint64_t first = (gpa - layout[0].gpa) / MODEL_PAGE;
    uint64_t last = (gpa + (len - 1U) - layout[0].gpa) / MODEL_PAGE;

    if (has(model, BUG_DIRTY_NEVER)) {
        return;
    }
    last = has(model, BUG_DIRTY_FIRST_PAGE) ? first : last;
    for (uint64_t page = first; page <= last && page < MODEL_DIRTY; page++) {
        model->dirty[page] = true;
    }
    for (uint32_t page = 0; page < MODEL_DIRTY && has(model, BUG_DIRTY_ALL); page++) {
        model->dirty[page] = true;
    }
}

static bool model_dirty(void *ctx, avps_gpa gpa)
{
    struct model *model = ctx;
    const uint64_t page = (gpa - layout[0].gpa) / MODEL_PAGE;
    const bool was = page < MODEL_DIRTY && model->dirty[page];

    if (was) {
        model->dirty[page] = false;
    }
    return was;
}

/* A line of the cache: written back if the host has changed it. */
static void line_clean(const struct model *model, uint32_t span, size_t at)
{
    uint8_t *view = model->views[span] + at;
    uint8_t *shadow = model->shadows[span] + at;

    if (memcmp(view, shadow, MODEL_LINE) != 0) {
        (void)memcpy(span_host(model, span) + at, view, MODEL_LINE);
        (void)memcpy(shadow, view, MODEL_LINE);
    }
}

static void line_drop(const struct model *model, uint32_t span, size_t at)
{
    if (!has(model, BUG_INVAL_WHOLE_LINES)) {
        line_clean(model, span, at);
    }
    (void)memcpy(model->views[span] + at, span_host(model, span) + at, MODEL_LINE);
    (void)memcpy(model->shadows[span] + at, span_host(model, span) + at, MODEL_LINE);
}

/* Every line that holds a byte of the range. */
static void each_line(const struct model *model, const uint8_t *ptr, size_t len, bool first_only,
                      void (*what)(const struct model *model, uint32_t span, size_t at))
{
    for (uint32_t i = 0; i < MODEL_SPANS; i++) {
        const size_t off = (size_t)((uintptr_t)ptr - (uintptr_t)model->views[i]);

        for (size_t at = off / MODEL_LINE * MODEL_LINE; off < layout[i].size && at < off + len;
             at += MODEL_LINE) {
            what(model, i, at);
            if (first_only) {
                return;
            }
        }
    }
}

static void op_clean(void *ctx, const uint8_t *ptr, size_t len)
{
    const struct model *model = ctx;

    each_line(model, ptr, len, has(model, BUG_CLEAN_FIRST_LINE), line_clean);
}

static void op_inval(void *ctx, const uint8_t *ptr, size_t len)
{
    const struct model *model = ctx;

    if (!has(model, BUG_INVAL_NOTHING)) {
        each_line(model, ptr, len, false, line_drop);
    }
}

/* ---- an IOMMU in front: pages change places in pairs, so nothing is in one piece ---- */

#define IOVA            0x1000000U
#define IOVA_SIZE       0x1c000U
#define IOVA_READ       0x8000000U
#define IOVA_PAGE(iova) ((iova) / MODEL_PAGE * MODEL_PAGE)

static const struct avps_pc_span bus_layout[] = {
    {IOVA, IOVA_SIZE, AVPS_ACCESS_RW},
    {IOVA_READ, MODEL_PAGE, AVPS_ACCESS_READ},
};

/* What the guest's tables say. @return false: nothing. */
static bool iommu_walk(avps_gpa iova, struct avps_iotlb_range *range)
{
    const avps_gpa page = IOVA_PAGE(iova);

    *range = (struct avps_iotlb_range){.iova = page, .size = MODEL_PAGE, .access = AVPS_ACCESS_RW};
    if (page - IOVA < IOVA_SIZE) {
        range->gpa = layout[0].gpa + ((page - IOVA) ^ MODEL_PAGE);
        return true;
    }
    range->gpa = layout[2].gpa;
    range->access = AVPS_ACCESS_READ;
    return page == IOVA_READ;
}

static enum avps_status op_lookup(void *ctx, avps_gpa iova, enum avps_access access,
                                  struct avps_iotlb_range *range)
{
    struct model *model = ctx;

    (void)access;
    (void)range;
    if (model->asked_count == MODEL_QUESTIONS) {
        return AVPS_E_IO;
    }
    model->asked[model->asked_count] = iova;
    model->asked_count++;
    return AVPS_AGAIN;
}

static void iommu_answer(struct model *model)
{
    const uint32_t count = model->asked_count;

    model->asked_count = 0;
    for (uint32_t i = 0; i < count && !has(model, BUG_IOTLB_ANSWERS_LOST); i++) {
        struct avps_iotlb_range range;

        if (iommu_walk(model->asked[i], &range)) {
            range.gpa += has(model, BUG_IOTLB_PAGE_OFF) ? 8U : 0U;
            range.size -= has(model, BUG_IOTLB_PAGE_OFF) ? 8U : 0U;
            (void)!avps_iotlb_update(&model->iotlb, &range);
        } else {
            (void)!avps_iotlb_refuse(&model->iotlb, IOVA_PAGE(model->asked[i]), MODEL_PAGE);
        }
    }
}

static uint8_t *model_bus(void *ctx, avps_gpa iova)
{
    struct avps_iotlb_range range;

    return iommu_walk(iova, &range) ? model_guest(ctx, range.gpa + (iova - range.iova)) : NULL;
}

static void op_wake(void *ctx);

static const struct avps_iotlb_ops iotlb_ops = {.lookup = op_lookup, .wake = op_wake};

static enum avps_status iotlb_make(struct model *model)
{
    const struct avps_iotlb_config config = {.regions = model->regions,
                                             .region_count = MODEL_SPANS,
                                             .entries = model->entries,
                                             .entry_count = MODEL_ENTRIES,
                                             .questions = model->questions,
                                             .question_count = MODEL_QUESTIONS,
                                             .ops = &iotlb_ops,
                                             .ctx = model};
    const enum avps_status status = avps_iotlb_init(&model->iotlb, &config);

    return status == AVPS_OK ? avps_iotlb_mem(&model->iotlb, &model->mem) : status;
}

static uint32_t model_in_use(void *ctx)
{
    const struct model *model = ctx;

    return avps_iotlb_in_use(&model->iotlb);
}

/* ---- the handle ---- */

static const struct avps_mem_ops mem_ops[MODEL_KINDS] = {
    [MODEL_REGIONS] = {.dirty = op_dirty},
    [MODEL_TRANSLATE] = {.translate = op_translate},
    [MODEL_MAP] =
        {.map = op_map, .unmap = op_unmap, .pin = op_pin, .unpin = op_unpin, .read = op_read},
    [MODEL_COPY] = {.read = op_read, .write = op_write},
    [MODEL_UNCACHED] = {.pin = op_pin,
                        .unpin = op_unpin,
                        .cache_clean = op_clean,
                        .cache_inval = op_inval,
                        .rings_uncached = true},
};

static uint8_t *memory_new(size_t size)
{
    void *memory = NULL;

    if (posix_memalign(&memory, MODEL_PAGE, size) != 0) {
        abort();
    }
    return memset(memory, 0, size);
}

static void spans_init(struct model *model)
{
    for (uint32_t i = 0; i < MODEL_SPANS; i++) {
        const size_t size = (size_t)layout[i].size;

        model->blocks[i] = memory_new(size + 2U * MODEL_MARGIN);
        model->views[i] = memory_new(size);
        model->shadows[i] = memory_new(size);
        model->spans[i] = layout[i];
        model->regions[i] = span_row(model, i);
        if (model->kind == MODEL_UNCACHED) {
            model->regions[i].host = model->views[i];
        }
    }
}

static enum avps_status memory_make(struct model *model)
{
    const struct avps_mem_ops *ops = &mem_ops[model->kind];

    switch (model->kind) {
    case MODEL_REGIONS:
    case MODEL_UNCACHED:
        return avps_mem_init_regions(&model->mem, model->regions, MODEL_SPANS, ops, model);
    case MODEL_WINDOW:
        model->regions[0].size += has(model, BUG_WINDOW_WIDER) ? MODEL_PAGE : 0U;
        return avps_mem_init_window(&model->mem, model->regions, NULL, NULL);
    case MODEL_IOTLB:
        return iotlb_make(model);
    case MODEL_TRANSLATE:
    case MODEL_MAP:
    case MODEL_COPY:
    case MODEL_KINDS:
    default:
        return avps_mem_init_ops(&model->mem, ops, model);
    }
}

static void memory_init(struct model *model)
{
    spans_init(model);
    for (uint32_t i = 0; i < MODEL_MAPS && model->kind == MODEL_MAP; i++) {
        model->maps[i].arena = memory_new(MODEL_ARENA);
    }
    if (memory_make(model) != AVPS_OK) {
        abort();
    }
}

/* ---- interrupts ---- */

#define FIRST_LINE  32U
#define NEEDS_RESET 0x40U

/* The controller takes a rising edge of what it is shown. */
static void line_update(struct model *model, struct model_line *line)
{
    const bool shown = line->level && !line->masked;

    if (shown && !line->shown) {
        model->raised++;
        if (!has(model, BUG_IRQ_LOST) || model->raised % 7U != 0U) {
            (void)atomic_fetch_add(&line->count, has(model, BUG_IRQ_TWICE) ? 2U : 1U);
        }
    }
    line->shown = shown;
}

static void op_set_level(void *ctx, uint32_t number, bool high)
{
    struct model *model = ctx;
    struct model_line *line =
        &model->lines[has(model, BUG_IRQ_FIRST_LINE) ? 0U : number - FIRST_LINE];

    if (!high && has(model, BUG_IRQ_STUCK)) {
        return;
    }
    if (!high && has(model, BUG_IRQ_AFTER_LOW)) {
        (void)atomic_fetch_add(&line->count, 1U);
    }
    if (high && line->masked && has(model, BUG_IRQ_MASK_DROPS)) {
        return;
    }
    if (high && has(model, BUG_IRQ_NO_CONFIG) &&
        (avps_device_status(model->devices[number - FIRST_LINE]) & NEEDS_RESET) != 0U) {
        return;
    }
    line->level = high;
    line_update(model, line);
    if (has(model, BUG_IRQ_PULSE)) {
        line->level = false;
        line_update(model, line);
    }
}

static void op_msi(void *ctx, uint32_t vector, uint64_t address, uint32_t data)
{
    struct model *model = ctx;
    struct model_line *line = &model->lines[0];

    (void)vector;
    model->raised++;
    if (has(model, BUG_MSI_LOST) && model->raised % 5U == 0U) {
        return;
    }
    line->address = has(model, BUG_MSI_ADDRESS_32) ? (uint32_t)address : address;
    line->data = data;
    (void)atomic_fetch_add(&line->count, has(model, BUG_MSI_REPEATED) ? 2U : 1U);
}

static const struct avps_irq_ops irq_ops = {.set_level = op_set_level, .msi = op_msi};

static void model_irq(void *ctx, uint32_t device, struct avps_pc_irq *seen)
{
    struct model *model = ctx;
    struct model_line *line = &model->lines[device];

    *seen = (struct avps_pc_irq){.count = atomic_load(&line->count),
                                 .high = line->level,
                                 .address = line->address,
                                 .data = line->data};
}

static void model_mask(void *ctx, uint32_t device, bool masked)
{
    struct model *model = ctx;

    if (!has(model, BUG_IRQ_MASK_IGNORED)) {
        model->lines[device].masked = masked;
        line_update(model, &model->lines[device]);
    }
}

/* ---- devices and polling ---- */

static const struct avps_port *model_port(void *ctx, uint32_t device)
{
    struct model *model = ctx;

    (void)device;
    return &model->port;
}

static enum avps_status model_attach(void *ctx, uint32_t device, struct avps_device *dev)
{
    struct model *model = ctx;
    const struct avps_mmio_config config = {
        .device = dev, .irq = &irq_ops, .irq_ctx = model, .irq_line = FIRST_LINE + device};

    model->devices[device] = dev;
    return avps_mmio_init(&model->mmio[device], &config);
}

static uint64_t model_load(void *ctx, uint32_t device, uint32_t offset, uint32_t width)
{
    struct model *model = ctx;

    return avps_mmio_read(&model->mmio[device], offset, width);
}

static void model_doorbell(struct model *model, uint32_t device, uint64_t value)
{
    if (has(model, BUG_KICK_FIRST_DEVICE)) {
        device = 0;
    }
    if (has(model, BUG_QUEUE_8_BITS)) {
        value &= 0xfeU;
    }
    if (has(model, BUG_IRQ_EMPTY_KICK)) {
        (void)atomic_fetch_add(&model->lines[device].count, 1U);
    }
    if (has(model, BUG_KICK_UNCOUNTED)) { /* the poll is asked for, the device does not know why */
        atomic_store(&model->devices[device]->queues[0].kicked, true);
        atomic_store(&model->scheduled, true);
        return;
    }
    if (has(model, BUG_KICK_TWICE)) {
        avps_mmio_write(&model->mmio[device], AVPS_MMIO_QUEUE_NOTIFY, 4, value);
    }
    avps_mmio_write(&model->mmio[device], AVPS_MMIO_QUEUE_NOTIFY, 4, value);
    model->kicks++;
    if (!has(model, BUG_KICK_EVERY_OTHER) || model->kicks % 2U == 0U) {
        atomic_store(&model->scheduled, true);
    }
}

#define REG_STATUS 0x070U

static bool is_busy(const struct avps_device *dev)
{
    return dev->queues[0].first != NULL;
}

static void model_store(void *ctx, uint32_t device, uint32_t offset, uint32_t width, uint64_t value)
{
    struct model *model = ctx;

    if (offset == AVPS_MMIO_QUEUE_NOTIFY) {
        model_doorbell(model, device, value);
    } else if (offset != REG_STATUS || value != 0U || !has(model, BUG_RESET_IGNORED) ||
               !is_busy(model->devices[device])) {
        avps_mmio_write(&model->mmio[device], offset, width, value);
    }
}

static uint64_t clock_ns(struct model *model)
{
    return atomic_load(&model->ns);
}

static void check_timer(struct model *model)
{
    const uint64_t slack = has(model, BUG_TIMER_EARLY) ? UINT64_C(30000000) : 0U;

    if (model->deadline_ns != 0U && clock_ns(model) + slack >= model->deadline_ns) {
        model->deadline_ns = has(model, BUG_TIMER_AGAIN) ? model->deadline_ns : 0U;
        atomic_store(&model->scheduled, true);
    }
}

/* One bug takes memory that is "not now" for memory that will never be. */
static bool poll_all(struct model *model)
{
    bool more = false;

    for (uint32_t i = 0; i < AVPS_PC_DEVICES && !model->stalled; i++) {
        const enum avps_poll_result result = avps_poll(model->devices[i], 4);

        more = result == AVPS_POLL_MORE || more;
        model->stalled = has(model, BUG_AGAIN_FORGOTTEN) && result == AVPS_POLL_PENDING &&
                         !is_busy(model->devices[i]);
    }
    for (uint32_t i = 0; i < AVPS_PC_DEVICES && has(model, BUG_FAULT_RESETS_ALL); i++) {
        if ((avps_device_status(model->devices[i]) & NEEDS_RESET) != 0U) {
            (void)avps_reset(model->devices[0]);
            (void)avps_reset(model->devices[1]);
        }
    }
    return more;
}

/* The flag is taken before the poll: what rings meanwhile stays. */
static void model_run(void *ctx)
{
    struct model *model = ctx;

    iommu_answer(model);
    check_timer(model);
    for (uint32_t turn = 0; turn < 100U; turn++) {
        if (has(model, BUG_KICK_RACE)) {
            if (!atomic_load(&model->scheduled)) {
                return;
            }
            atomic_store(&model->scheduled, poll_all(model)); /* forgets who rang meanwhile */
            continue;
        }
        if (!atomic_exchange(&model->scheduled, false)) {
            return;
        }
        if (poll_all(model) && !has(model, BUG_MORE_IGNORED)) {
            atomic_store(&model->scheduled, true);
        }
    }
}

static void op_wake(void *ctx)
{
    struct model *model = ctx;

    model->wakes++;
    if (has(model, BUG_WAKE_TOGGLES)) {
        atomic_store(&model->scheduled, !atomic_load(&model->scheduled));
    } else if (!has(model, BUG_WAKE_NOTHING)) {
        atomic_store(&model->scheduled, true);
    }
}

static const struct avps_event_ops event_ops = {.wake = op_wake};

/* ---- time ---- */

#define BOOT_WALL_NS UINT64_C(1790000000000000000)

static uint64_t op_now(void *ctx)
{
    struct model *model = ctx;
    const uint64_t ns = atomic_fetch_add(&model->ns, 10U);

    if (has(model, BUG_TIME_BACK) && ns % 7000U < 50U) {
        return ns - 1000U;
    }
    if (has(model, BUG_TIME_PER_CPU) && pthread_equal(pthread_self(), model->self) == 0) {
        return ns - 100000U;
    }
    if (has(model, BUG_TIME_MICROSECONDS)) {
        return ns / 1000U;
    }
    return has(model, BUG_TIME_32_BITS) ? (uint32_t)ns : ns;
}

static uint64_t op_wall(void *ctx)
{
    struct model *model = ctx;
    const uint64_t ns = clock_ns(model);

    return has(model, BUG_WALL_UPTIME) ? ns : BOOT_WALL_NS + ns;
}

static void op_timer(void *ctx, uint64_t deadline_ns)
{
    struct model *model = ctx;

    if (has(model, BUG_TIMER_NEVER) || (has(model, BUG_TIMER_STAYS) && deadline_ns == 0U)) {
        return;
    }
    if (has(model, BUG_TIMER_PAST_IGNORED) && deadline_ns < clock_ns(model)) {
        return;
    }
    model->deadline_ns = deadline_ns;
}

static void op_event(void *ctx, enum avps_event code, uint64_t a, uint64_t b)
{
    (void)ctx;
    (void)code;
    (void)a;
    (void)b;
}

static const struct avps_sys_ops sys_ops = {
    .now_ns = op_now, .wall_ns = op_wall, .timer = op_timer, .event = op_event};

static void model_advance(void *ctx, uint64_t ns)
{
    struct model *model = ctx;

    (void)atomic_fetch_add(&model->ns, ns);
}

/* ---- threads ---- */

static void *thread_main(void *arg)
{
    const struct model *model = arg;

    model->run(model->arg);
    return NULL;
}

static bool model_start(void *ctx, void (*run)(void *arg), void *arg)
{
    struct model *model = ctx;

    model->run = run;
    model->arg = arg;
    return pthread_create(&model->thread, NULL, thread_main, model) == 0;
}

static void model_join(void *ctx)
{
    struct model *model = ctx;

    (void)pthread_join(model->thread, NULL);
}

static void model_relax(void *ctx)
{
    (void)ctx;
    (void)sched_yield();
}

/* ---- the target ---- */

static const struct avps_pc_target model_target = {
    .span_count = MODEL_SPANS,
    .guest = model_guest,
    .devices = 2,
    .port = model_port,
    .attach = model_attach,
    .run = model_run,
    .load = model_load,
    .store = model_store,
    .irq = model_irq,
    .wired = true,
    .mask = model_mask,
    .irq_ops = &irq_ops,
    .irq_line = FIRST_LINE,
    .msi_address = UINT64_C(0xfee00000fee01004),
    .msi_data = 0x4242,
    .advance = model_advance,
    .start = model_start,
    .join = model_join,
    .relax = model_relax,
};

void model_init(struct model *model, enum model_kind kind, enum model_bug bug)
{
    static const char *const names[MODEL_KINDS] = {
        "model, region table",  "model, translate",  "model, map and unmap",  "model, copies",
        "model, bounce window", "model, late IOTLB", "model, uncached memory"};

    (void)memset(model, 0, sizeof *model);
    model->kind = kind;
    model->bug = bug;
    model->self = pthread_self();
    atomic_init(&model->ns, UINT64_C(1000000000));
    memory_init(model);
    model->port = (struct avps_port){
        .event = &event_ops, .event_ctx = model, .sys = &sys_ops, .sys_ctx = model};
    model->target = model_target;
    model->target.name = names[kind];
    model->target.ctx = model;
    model->target.mem = &model->mem;
    model->target.spans = model->spans;
    model->target.irq_ctx = model;
    model->target.mapped = kind == MODEL_MAP ? model_mapped : NULL;
    if (kind == MODEL_WINDOW) { /* of one span nothing else is to be seen */
        model->target.span_count = 1;
        model->target.access_platform = true;
    }
    if (kind == MODEL_IOTLB) {
        model->target.spans = bus_layout;
        model->target.span_count = 2;
        model->target.guest = model_bus;
        model->target.mapped = model_in_use;
        model->target.access_platform = true;
        model->target.start = NULL; /* one context for an IOTLB and all on it */
    }
    model->target.dirty = kind == MODEL_REGIONS ? model_dirty : NULL;
    model->target.dirty_page = MODEL_PAGE;
}

void model_free(struct model *model)
{
    for (uint32_t i = 0; i < MODEL_MAPS; i++) {
        free(model->maps[i].arena);
    }
    for (uint32_t i = 0; i < MODEL_SPANS; i++) {
        free(model->blocks[i]);
        free(model->views[i]);
        free(model->shadows[i]);
    }
}
