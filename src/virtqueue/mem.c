/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory: handles, range checks, translation, chain mapping, ring areas. Every check has the
 * form `len <= room` on 64 bits, never `addr + len` (I2). */
#include "virtqueue/vq_internal.h"

static bool mem_region_is_valid(const struct avps_mem_region *region)
{
    return region->size != 0U && region->size - 1U <= UINT64_MAX - region->gpa &&
           region->host != NULL && region->access != 0U &&
           (region->access & ~(uint32_t)AVPS_ACCESS_RW) == 0U;
}

static bool mem_hooks_are_valid(const struct avps_mem_ops *ops)
{
    return ops == NULL || !ops->rings_uncached || ops->pin != NULL;
}

enum avps_status avps_mem_init_regions(struct avps_mem *mem, const struct avps_mem_region *regions,
                                       uint32_t count, const struct avps_mem_ops *ops, void *ctx)
{
    if (mem == NULL || regions == NULL || count == 0U || count > 0x80000000U ||
        !mem_hooks_are_valid(ops)) {
        return AVPS_E_PARAM;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!mem_region_is_valid(&regions[i])) {
            return AVPS_E_PARAM;
        }
        if (i != 0U && (regions[i].gpa < regions[i - 1U].gpa ||
                        regions[i].gpa - regions[i - 1U].gpa < regions[i - 1U].size)) {
            return AVPS_E_PARAM;
        }
    }
    *mem = (struct avps_mem){.regions = regions, .region_count = count, .ops = ops, .ctx = ctx};
    return AVPS_OK;
}

enum avps_status avps_mem_init_ops(struct avps_mem *mem, const struct avps_mem_ops *ops, void *ctx)
{
    if (mem == NULL || ops == NULL) {
        return AVPS_E_PARAM;
    }
    const bool maps = ops->map != NULL && ops->unmap != NULL && ops->pin != NULL;
    const bool copies = ops->read != NULL && ops->write != NULL;

    if ((ops->translate == NULL && !maps && !copies) || !mem_hooks_are_valid(ops)) {
        return AVPS_E_PARAM;
    }
    *mem = (struct avps_mem){.ops = ops, .ctx = ctx};
    return AVPS_OK;
}

enum avps_status avps_mem_init_window(struct avps_mem *mem, const struct avps_mem_region *window,
                                      const struct avps_mem_ops *ops, void *ctx)
{
    if (window == NULL || window->gpa % AVPS_MEM_WINDOW_ALIGN != 0U ||
        window->size % AVPS_MEM_WINDOW_ALIGN != 0U || window->access != AVPS_ACCESS_RW) {
        return AVPS_E_PARAM;
    }
    const enum avps_status status = avps_mem_init_regions(mem, window, 1, ops, ctx);

    if (status == AVPS_OK) {
        mem->platform = true;
    }
    return status;
}

/* ---- which contract is in force ---- */

/*@ requires mem_is_sound(mem);
  @ assigns \nothing;
  @ ensures \result <==> mem->region_count != 0 || mem->ops->translate != \null; */
static bool mem_can_translate(const struct avps_mem *mem)
{
    return mem->region_count != 0U || mem->ops->translate != NULL;
}

/* Under translate, map says which segments are in use. */
static bool mem_must_map(const struct avps_mem *mem)
{
    return mem->region_count == 0U && mem->ops->map != NULL && mem->ops->unmap != NULL &&
           (mem->ops->translate != NULL || mem->ops->pin != NULL);
}

static bool mem_is_cached(const struct avps_mem *mem)
{
    return mem->ops != NULL && (mem->ops->cache_clean != NULL || mem->ops->cache_inval != NULL);
}

bool avps_mem_caches_rings(const struct avps_mem *mem)
{
    return mem_is_cached(mem) && !mem->ops->rings_uncached;
}

static void mem_inval(const struct avps_mem *mem, const uint8_t *ptr, size_t len)
{
    if (mem->ops != NULL && mem->ops->cache_inval != NULL) {
        mem->ops->cache_inval(mem->ctx, ptr, len);
    }
}

static void mem_clean(const struct avps_mem *mem, const uint8_t *ptr, size_t len)
{
    if (mem->ops != NULL && mem->ops->cache_clean != NULL) {
        mem->ops->cache_clean(mem->ctx, ptr, len);
    }
}

/* ---- translation ---- */

/* Row that holds `gpa`: the last one hit, else by bisection; region_count if none does. */
/*@ requires mem_is_sound(mem) && mem->region_count != 0;
  @ assigns \nothing;
  @ ensures \result <= mem->region_count;
  @ ensures \result < mem->region_count ==> row_gpa(mem->regions, \result) <= gpa <
  @   row_gpa(mem->regions, \result) + row_size(mem->regions, \result);
  @ ensures \result == mem->region_count ==> \forall integer i; 0 <= i < mem->region_count ==>
  @   gpa < row_gpa(mem->regions, i) ||
  @   row_gpa(mem->regions, i) + row_size(mem->regions, i) <= gpa; */
static uint32_t mem_find_region(const struct avps_mem *mem, avps_gpa gpa)
{
    uint32_t low = 0;
    uint32_t high = mem->region_count;
    const struct avps_mem_region *last = mem_row(mem, mem->last);

    if (u64_distance(last->gpa, gpa) < last->size) {
        return mem->last;
    }
    /*@ loop invariant 0 <= low <= high <= mem->region_count;
      @ loop invariant \forall integer i; 0 <= i < low ==>
      @   row_gpa(mem->regions, i) + row_size(mem->regions, i) <= gpa;
      @ loop invariant \forall integer i; high <= i < mem->region_count ==>
      @   gpa < row_gpa(mem->regions, i);
      @ loop assigns low, high;
      @ loop variant high - low; */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2U;
        const struct avps_mem_region *region = mem_row(mem, middle);

        if (gpa < region->gpa) {
            high = middle;
        } else if (gpa - region->gpa >= region->size) {
            low = middle + 1U;
        } else {
            return middle;
        }
    }
    return mem->region_count;
}

/*@ requires mem_is_sound(mem) && mem->region_count != 0 && 1 <= access <= 3;
  @ requires \valid(len) && *len >= 1 && \valid(ptr) && \separated(mem, len, ptr);
  @ assigns mem->last, *len, *ptr;
  @ ensures mem_is_sound(mem);
  @ ensures \result == AVPS_OK ==> 1 <= *len <= \old(*len) && *ptr != \null;
  @ ensures \result == AVPS_OK ==> guest_range(*ptr, gpa, *len, access); */
static enum avps_status mem_translate_region(struct avps_mem *mem, avps_gpa gpa,
                                             enum avps_access access, uint64_t *len, uint8_t **ptr)
{
    const uint32_t index = mem_find_region(mem, gpa);

    if (index >= mem->region_count) {
        return AVPS_E_GUEST_ADDR;
    }
    const struct avps_mem_region *region = mem_row(mem, index);
    const uint64_t off = gpa - region->gpa;

    if (!access_is_granted(region->access, (uint32_t)access)) {
        return AVPS_E_GUEST_ACCESS;
    }
    const uint64_t room = region->size - off;

    /*@ assert guest_range(region->host, region->gpa, region->size, access); */
    *ptr = region->host + off;
    /*@ assert guest_range(*ptr, gpa, room, access); */
    mem->last = index;
    if (*len > room) {
        *len = room;
    }
    return AVPS_OK;
}

/* The port's answer, whatever it is. */
/*@ requires mem_is_sound(mem) && mem->ops->translate != \null && \valid(len) && \valid(ptr);
  @ assigns *len, *ptr;
  @ ensures \result == AVPS_OK && *ptr != \null ==> guest_range(*ptr, gpa, *len, access); */
AVPS_INLINE enum avps_status mem_ask_port(const struct avps_mem *mem, avps_gpa gpa,
                                          enum avps_access access, uint64_t *len, uint8_t **ptr)
{
    return mem->ops->translate(mem->ctx, gpa, access, len, ptr);
}

/* Host pointer of `gpa`; `*len` (at least 1) is clipped to what is contiguous. */
enum avps_status avps_mem_translate(struct avps_mem *mem, avps_gpa gpa, enum avps_access access,
                                    uint64_t *len, uint8_t **ptr)
{
    const uint64_t wanted = *len;

    if (mem->region_count != 0U) {
        return mem_translate_region(mem, gpa, access, len, ptr);
    }
    const enum avps_status status = mem_ask_port(mem, gpa, access, len, ptr);
    if (status != AVPS_OK) {
        return status;
    }
    return *len != 0U && *len <= wanted && *ptr != NULL ? AVPS_OK : AVPS_E_IO;
}

enum avps_status avps_mem_translate_region(struct avps_mem *mem, avps_gpa gpa,
                                           enum avps_access access, uint64_t *len, uint8_t **ptr)
{
    return mem_translate_region(mem, gpa, access, len, ptr);
}

struct mem_window avps_mem_window(struct avps_mem *mem, avps_gpa gpa, enum avps_access access)
{
    const uint32_t index = mem_find_region(mem, gpa);
    struct mem_window window = {0, 0, NULL};

    if (index >= mem->region_count) {
        return window;
    }
    const struct avps_mem_region *region = mem_row(mem, index);

    if (access_is_granted(region->access, (uint32_t)access)) {
        window = (struct mem_window){region->gpa, region->size, region->host};
        mem->last = index;
    }
    return window;
}

/*@ requires \valid(chain) && \valid(segs) && *segs <= chain->seg_cap <= 32768;
  @ requires \valid(chain->segs + (0 .. chain->seg_cap - 1)) && \separated(segs, chain);
  @ requires len >= 1 && gpa + len <= UINT64_MAX + 1;
  @ requires ptr == \null || guest_range(ptr, gpa, len, 1) || guest_range(ptr, gpa, len, 2);
  @ assigns *segs;
  @ ensures \result == AVPS_OK ==> *segs == \old(*segs) + 1 <= chain->seg_cap;
  @ ensures \result != AVPS_OK ==> *segs == \old(*segs); */
static enum avps_status mem_add_seg(struct avps_chain *chain, uint32_t *segs, uint8_t *ptr,
                                    avps_gpa gpa, uint32_t len)
{
    if (*segs >= chain->seg_cap) {
        return AVPS_E_GUEST_SIZE; /* I3 [split-1.2] [packed-3.2] */
    }
    chain_put(chain, *segs, ptr, gpa, len);
    (*segs)++;
    return AVPS_OK;
}

/* Add [gpa, gpa + len), len >= 1, to a chain as one segment per contiguous piece. Bounded by the
 * chain's capacity. Under map or copies only the wrap is checked here; the port checks the rest. */
enum avps_status avps_mem_add_range(struct avps_chain *chain, struct avps_mem *mem, uint32_t *segs,
                                    avps_gpa gpa, uint32_t len, enum avps_access access)
{
    uint32_t done = 0;

    if (len - 1U > UINT64_MAX - gpa) {
        return AVPS_E_GUEST_ADDR;
    }
    if (!mem_can_translate(mem)) {
        return mem_add_seg(chain, segs, NULL, gpa, len);
    }
    /*@ loop invariant 0 <= done <= len && mem_is_sound(mem);
      @ loop invariant \at(*segs, Pre) <= *segs <= chain->seg_cap;
      @ loop invariant done != 0 ==> *segs > \at(*segs, Pre);
      @ loop assigns done, *segs, mem->last;
      @ loop variant len - done; */
    while (done != len) {
        uint64_t piece = len - done;
        uint8_t *ptr = NULL;
        enum avps_status status = avps_mem_translate(mem, gpa + done, access, &piece, &ptr);

        if (status == AVPS_OK) {
            status = mem_add_seg(chain, segs, ptr, gpa + done, (uint32_t)piece);
        }
        if (status != AVPS_OK) {
            return status;
        }
        done += (uint32_t)piece;
    }
    return AVPS_OK;
}

/* Also what the device writes: a line that it writes only a part of goes back as a whole. */
static void mem_inval_chain(const struct avps_chain *chain)
{
    const uint32_t count = chain->readable_segs + chain->writable_segs;

    for (uint32_t i = 0; i < count; i++) {
        if (chain->segs[i].ptr != NULL) {
            mem_inval(chain->mem, chain->segs[i].ptr, chain->segs[i].len);
        }
    }
}

/* A port that left a pointer out is not believed the others either. */
static enum avps_status mem_check_map(const struct avps_chain *chain, uint32_t count)
{
    const struct avps_mem *mem = chain->mem;

    for (uint32_t i = 0; i < count; i++) {
        if (chain->segs[i].ptr == NULL) {
            mem->ops->unmap(mem->ctx, chain->map_handle, chain->segs, count);
            return AVPS_E_IO;
        }
    }
    return AVPS_OK;
}

/* The walk is over: map the chain in one call where the contract says so. mem->ops is not NULL. */
enum avps_status avps_mem_map_chain(struct avps_chain *chain)
{
    struct avps_mem *mem = chain->mem;
    const uint32_t count = chain->readable_segs + chain->writable_segs;

    if (mem_must_map(mem) && count != 0U) {
        enum avps_status status =
            mem->ops->map(mem->ctx, chain->segs, count, chain->readable_segs, &chain->map_handle);
        if (status == AVPS_OK) {
            status = mem_check_map(chain, count);
        }
        if (status != AVPS_OK) {
            return status;
        }
        chain->mapped = true;
    }
    if (mem->ops->cache_inval != NULL) {
        mem_inval_chain(chain);
    }
    return AVPS_OK;
}

/* Tell the port which bytes the device wrote. */
static void mem_report_written(const struct avps_chain *chain)
{
    const struct avps_mem *mem = chain->mem;
    const struct avps_seg *seg = &chain->segs[chain->readable_segs];

    for (uint32_t i = 0; i < chain->writable_segs; i++) {
        if (mem->ops->cache_clean != NULL && seg[i].ptr != NULL) {
            mem->ops->cache_clean(mem->ctx, seg[i].ptr, seg[i].len);
        }
        if (mem->ops->dirty != NULL) {
            mem->ops->dirty(mem->ctx, seg[i].gpa, seg[i].len);
        }
    }
}

/* The device is done with a chain's bytes. Must precede the used element. mem->ops is not NULL. */
void avps_mem_release_chain(struct avps_chain *chain)
{
    struct avps_mem *mem = chain->mem;

    if (mem->ops->dirty != NULL || mem->ops->cache_clean != NULL) {
        mem_report_written(chain);
    }
    if (chain->mapped) {
        chain->mapped = false;
        mem->ops->unmap(mem->ctx, chain->map_handle, chain->segs,
                        chain->readable_segs + chain->writable_segs);
    }
}

/* ---- plain copies ---- */

static enum avps_status mem_copy(struct avps_mem *mem, avps_gpa gpa, uint8_t *dst,
                                 const uint8_t *src, size_t len)
{
    while (len != 0U) {
        uint64_t piece = len;
        uint8_t *ptr = NULL;
        const enum avps_access access = dst != NULL ? AVPS_ACCESS_READ : AVPS_ACCESS_WRITE;
        const enum avps_status status = avps_mem_translate(mem, gpa, access, &piece, &ptr);

        if (status != AVPS_OK) {
            return status;
        }
        mem_inval(mem, ptr, (size_t)piece);
        if (dst != NULL) {
            avps_arch_copy_in(dst, ptr, (size_t)piece);
            dst += piece;
        } else {
            (void)memcpy(ptr, src, (size_t)piece);
            mem_clean(mem, ptr, (size_t)piece);
            src += piece;
        }
        gpa += piece;
        len -= (size_t)piece;
    }
    return AVPS_OK;
}

/* Where nothing can be read without being mapped. */
static enum avps_status mem_read_pinned(const struct avps_mem *mem, avps_gpa gpa, uint8_t *dst,
                                        size_t len)
{
    uint8_t *ptr = NULL;
    enum avps_status status = mem->ops->pin(mem->ctx, gpa, len, AVPS_ACCESS_READ, &ptr);

    if (status != AVPS_OK) {
        return status;
    }
    if (ptr == NULL) {
        status = AVPS_E_IO;
    } else {
        mem_inval(mem, ptr, len);
        avps_arch_copy_in(dst, ptr, len);
    }
    if (mem->ops->unpin != NULL) {
        mem->ops->unpin(mem->ctx, gpa, len, ptr);
    }
    return status;
}

enum avps_status avps_mem_read(struct avps_mem *mem, avps_gpa gpa, void *dst, size_t len)
{
    if (mem == NULL || (dst == NULL && len != 0U)) {
        return AVPS_E_PARAM;
    }
    if (len == 0U) {
        return AVPS_OK;
    }
    if (len - 1U > UINT64_MAX - gpa) {
        return AVPS_E_GUEST_ADDR;
    }
    if (mem_can_translate(mem)) {
        return mem_copy(mem, gpa, dst, NULL, len);
    }
    return mem->ops->read != NULL ? mem->ops->read(mem->ctx, gpa, dst, len)
                                  : mem_read_pinned(mem, gpa, dst, len);
}

enum avps_status avps_mem_write(struct avps_mem *mem, avps_gpa gpa, const void *src, size_t len)
{
    enum avps_status status = AVPS_E_UNSUPPORTED;

    if (mem == NULL || (src == NULL && len != 0U)) {
        return AVPS_E_PARAM;
    }
    if (len == 0U) {
        return AVPS_OK;
    }
    if (len - 1U > UINT64_MAX - gpa) {
        return AVPS_E_GUEST_ADDR;
    }
    if (mem_can_translate(mem)) {
        status = mem_copy(mem, gpa, NULL, src, len);
    } else if (mem->ops->write != NULL) {
        status = mem->ops->write(mem->ctx, gpa, src, len);
    }
    if (status == AVPS_OK && mem->ops != NULL && mem->ops->dirty != NULL) {
        mem->ops->dirty(mem->ctx, gpa, len);
    }
    return status;
}

/* ---- ring areas ---- */

/* Whether an area is reached through the host's cache, which is not the guest's. */
static bool area_is_cached(const struct avps_mem *mem, const struct avps_ring_area *area)
{
    return mem_is_cached(mem) && !(mem->ops->rings_uncached && area->pinned);
}

/* Every access goes to memory and nowhere else. */
static bool area_is_plain(const struct avps_mem *mem, const struct avps_ring_area *area,
                          uint32_t align)
{
    return area->ptr != NULL && !area_is_cached(mem, area) &&
           (mem->ops == NULL || mem->ops->dirty == NULL) &&
           ((uintptr_t)area->ptr & (align - 1U)) == 0U;
}

static enum avps_status area_pin(const struct avps_mem *mem, struct avps_ring_area *area,
                                 enum avps_access access)
{
    const enum avps_status status =
        mem->ops->pin(mem->ctx, area->gpa, area->len, access, &area->ptr);

    area->pinned = status == AVPS_OK;
    return status == AVPS_OK && area->ptr == NULL ? AVPS_E_IO : status;
}

static enum avps_status ring_locate(struct avps_mem *mem, struct avps_ring_area *area,
                                    enum avps_access access)
{
    uint64_t len = area->len;
    enum avps_status status = AVPS_OK;

    if ((mem->region_count == 0U || mem->ops != NULL) && mem->ops->pin != NULL) {
        return area_pin(mem, area, access);
    }
    if (mem_can_translate(mem)) {
        status = avps_mem_translate(mem, area->gpa, access, &len, &area->ptr);
        return status == AVPS_OK && len < area->len ? AVPS_E_GUEST_ADDR : status; /* I15 */
    }
    uint8_t probe = 0; /* copies: both ends must be readable */
    status = mem->ops->read(mem->ctx, area->gpa, &probe, 1);
    return status == AVPS_OK ? mem->ops->read(mem->ctx, area->gpa + (len - 1U), &probe, 1) : status;
}

/* An indirect table of `len` bytes: direct when it is one aligned piece of plain memory, pinned where
 * everything has to be mapped and nothing can be read, else read entry by entry. */
enum avps_status avps_table_attach(struct avps_mem *mem, struct avps_ring_area *area, avps_gpa gpa,
                                   uint32_t len)
{
    uint64_t piece = len;
    uint8_t *ptr = NULL;
    enum avps_status status = AVPS_OK;

    *area = (struct avps_ring_area){.gpa = gpa, .len = len};
    if (len - 1U > UINT64_MAX - gpa) {
        return AVPS_E_GUEST_ADDR;
    }
    if (mem_can_translate(mem)) {
        status = avps_mem_translate(mem, gpa, AVPS_ACCESS_READ, &piece, &ptr);
        area->ptr = status == AVPS_OK && piece == len ? ptr : NULL;
    } else if (mem->ops->read == NULL) {
        status = area_pin(mem, area, AVPS_ACCESS_READ);
    }
    if (status == AVPS_OK && area_is_plain(mem, area, 8)) {
        area->fast = area->ptr;
    }
    return status;
}

/* Find and pin one ring area. The caller has checked alignment and wrap. */
enum avps_status avps_ring_attach(struct avps_mem *mem, struct avps_ring_area *area, avps_gpa gpa,
                                  uint32_t len, uint32_t align, enum avps_access access)
{
    *area = (struct avps_ring_area){.gpa = gpa, .len = len};
    const enum avps_status status = ring_locate(mem, area, access);

    if (status == AVPS_OK && area_is_plain(mem, area, align)) {
        area->fast = area->ptr;
    }
    return status;
}

void avps_ring_detach(struct avps_mem *mem, struct avps_ring_area *area)
{
    if (area->pinned && mem->ops->unpin != NULL) {
        mem->ops->unpin(mem->ctx, area->gpa, area->len, area->ptr);
    }
    *area = (struct avps_ring_area){0};
}

enum avps_status avps_ring_read_slow(const struct avps_vq *vq, const struct avps_ring_area *area,
                                     uint32_t off, void *dst, uint32_t len)
{
    const struct avps_mem *mem = vq->mem;

    if (area->ptr == NULL) {
        return avps_mem_read(vq->mem, area->gpa + off, dst, len);
    }
    if (area_is_cached(mem, area)) {
        mem_inval(mem, area->ptr + off, len);
    }
    avps_arch_copy_in(dst, area->ptr + off, len);
    return AVPS_OK;
}

enum avps_status avps_ring_write_slow(const struct avps_vq *vq, const struct avps_ring_area *area,
                                      uint32_t off, const void *src, uint32_t len)
{
    const struct avps_mem *mem = vq->mem;
    enum avps_status status = AVPS_OK;

    if (area->ptr == NULL) {
        status = mem->ops->write(mem->ctx, area->gpa + off, src, len);
    } else if (area_is_cached(mem, area)) {
        mem_inval(mem, area->ptr + off, len); /* the rest of its line goes back with it */
        (void)memcpy(area->ptr + off, src, len);
        mem_clean(mem, area->ptr + off, len);
    } else {
        (void)memcpy(area->ptr + off, src, len);
    }
    if (status == AVPS_OK && mem->ops != NULL && mem->ops->dirty != NULL) {
        mem->ops->dirty(mem->ctx, area->gpa + off, len);
    }
    return status;
}
