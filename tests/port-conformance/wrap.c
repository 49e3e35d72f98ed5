/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the suite's devices and the port's memory operations: counts them, and fails one. */
#include "suite_internal.h"

/* @return AVPS_OK: the port is to be called. */
static enum avps_status wrap_step(struct avps_pc_wrap *wrap)
{
    wrap->calls++;
    if (wrap->fail_at == 0U || wrap->calls < wrap->fail_at) {
        return AVPS_OK;
    }
    wrap->fail_at = 0;
    return wrap->fail_with;
}

static enum avps_status wrap_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                       uint64_t *len, uint8_t **ptr)
{
    struct avps_pc_wrap *wrap = ctx;
    const enum avps_status status = wrap_step(wrap);

    return status != AVPS_OK ? status
                             : wrap->mem->ops->translate(wrap->mem->ctx, gpa, access, len, ptr);
}

static enum avps_status wrap_map(void *ctx, struct avps_seg *segs, uint32_t count,
                                 uint32_t readable, uint64_t *handle)
{
    struct avps_pc_wrap *wrap = ctx;
    enum avps_status status = wrap_step(wrap);

    if (status == AVPS_OK) {
        status = wrap->mem->ops->map(wrap->mem->ctx, segs, count, readable, handle);
        wrap->maps += status == AVPS_OK ? 1U : 0U;
    }
    return status;
}

static void wrap_unmap(void *ctx, uint64_t handle, const struct avps_seg *segs, uint32_t count)
{
    struct avps_pc_wrap *wrap = ctx;

    wrap->unmaps++;
    wrap->mem->ops->unmap(wrap->mem->ctx, handle, segs, count);
}

static enum avps_status wrap_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    struct avps_pc_wrap *wrap = ctx;
    const enum avps_status status = wrap_step(wrap);

    return status != AVPS_OK ? status : wrap->mem->ops->read(wrap->mem->ctx, gpa, dst, len);
}

/* Not failed: what cannot be written into the used ring faults the device by design. */
static enum avps_status wrap_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    struct avps_pc_wrap *wrap = ctx;

    return wrap->mem->ops->write(wrap->mem->ctx, gpa, src, len);
}

static enum avps_status wrap_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                                 uint8_t **ptr)
{
    struct avps_pc_wrap *wrap = ctx;
    const enum avps_status status = wrap->mem->ops->pin(wrap->mem->ctx, gpa, len, access, ptr);

    wrap->pins += status == AVPS_OK ? 1U : 0U;
    return status;
}

static void wrap_unpin(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    struct avps_pc_wrap *wrap = ctx;

    wrap->unpins++;
    if (wrap->mem->ops->unpin != NULL) {
        wrap->mem->ops->unpin(wrap->mem->ctx, gpa, len, ptr);
    }
}

static void wrap_dirty(void *ctx, avps_gpa gpa, uint64_t len)
{
    struct avps_pc_wrap *wrap = ctx;

    wrap->mem->ops->dirty(wrap->mem->ctx, gpa, len);
}

static void wrap_clean(void *ctx, const uint8_t *ptr, size_t len)
{
    struct avps_pc_wrap *wrap = ctx;

    wrap->mem->ops->cache_clean(wrap->mem->ctx, ptr, len);
}

static void wrap_inval(void *ctx, const uint8_t *ptr, size_t len)
{
    struct avps_pc_wrap *wrap = ctx;

    wrap->mem->ops->cache_inval(wrap->mem->ctx, ptr, len);
}

/* The same operations are there as in the port's table. */
void avps_pc_wrap_init(struct avps_pc *pc)
{
    const struct avps_mem_ops *ops = pc->mem.ops;
    struct avps_pc_wrap *wrap = &pc->wrap;

    pc->wrapped = pc->mem;
    if (ops == NULL || pc->mem.region_count != 0U) {
        return; /* a table of regions cannot fail */
    }
    *wrap = (struct avps_pc_wrap){.mem = &pc->mem};
    wrap->ops = (struct avps_mem_ops){
        .translate = ops->translate != NULL ? wrap_translate : NULL,
        .map = ops->map != NULL ? wrap_map : NULL,
        .unmap = ops->unmap != NULL ? wrap_unmap : NULL,
        .read = ops->read != NULL ? wrap_read : NULL,
        .write = ops->write != NULL ? wrap_write : NULL,
        .pin = ops->pin != NULL ? wrap_pin : NULL,
        .unpin = ops->pin != NULL ? wrap_unpin : NULL,
        .dirty = ops->dirty != NULL ? wrap_dirty : NULL,
        .cache_clean = ops->cache_clean != NULL ? wrap_clean : NULL,
        .cache_inval = ops->cache_inval != NULL ? wrap_inval : NULL,
        .rings_uncached = ops->rings_uncached,
    };
    pc->wrapped.ops = &wrap->ops;
    pc->wrapped.ctx = wrap;
}
