/* SPDX-License-Identifier: BSD-3-Clause */
/* Foreign mappings: pieces -> single pages -> the memory operations -> life. */
#include "pages.h"

#include <stdlib.h>
#include <sys/mman.h>

#define PIECE   256U /* pages mapped together */
#define NOTHING (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* A part of the guest's memory: mapped whole, but for the pages that the guest does not have. */
struct avps_xen_piece {
    uint32_t present; /* pages; 0: not mapped */
    uint32_t pins;    /* ring areas in it */
    bool absent[PIECE];
};

/* ---- pieces ---- */

/* Pages of the piece that begins with page `first`. */
static uint64_t piece_size(const struct avps_xen_foreign *foreign, uint64_t first)
{
    const uint64_t left = foreign->size / AVPS_XEN_PAGE - first;

    return left < PIECE ? left : PIECE;
}

/* Replace the mapping by nothing, in one step: no other thread can get the addresses in between. */
static bool piece_unmap(struct avps_xen_foreign *foreign, uint64_t first)
{
    return mmap(foreign->host + first * AVPS_XEN_PAGE, piece_size(foreign, first) * AVPS_XEN_PAGE,
                PROT_NONE, NOTHING | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* @return AVPS_OK; AVPS_E_GUEST_ADDR if the guest has none of it; AVPS_E_IO. */
static enum avps_status piece_map(struct avps_xen_foreign *foreign, uint64_t first)
{
    struct avps_xen_piece *piece = &foreign->pieces[first / PIECE];
    const uint64_t pages = piece_size(foreign, first);
    xen_pfn_t frames[PIECE] = {0};
    int errors[PIECE];

    for (uint64_t i = 0; i < pages; i++) {
        frames[i] = foreign->gpa / AVPS_XEN_PAGE + first + i;
    }
    if (xenforeignmemory_map2(foreign->handle, foreign->domain,
                              foreign->host + first * AVPS_XEN_PAGE, PROT_READ | PROT_WRITE,
                              MAP_FIXED, pages, frames, errors) == NULL) {
        return AVPS_E_IO;
    }
    for (uint64_t i = 0; i < pages; i++) {
        piece->absent[i] = errors[i] != 0;
        piece->present += errors[i] == 0;
    }
    if (piece->present == 0U) {
        return piece_unmap(foreign, first) ? AVPS_E_GUEST_ADDR : AVPS_E_IO;
    }
    pages_count(&foreign->pages, piece->present);
    return AVPS_OK;
}

/* ---- pages ---- */

static enum avps_status page_provide(struct avps_xen_foreign *foreign, uint64_t page)
{
    const struct avps_xen_piece *piece = &foreign->pieces[page / PIECE];
    enum avps_status status = AVPS_OK;

    if (piece->present == 0U) {
        status = piece_map(foreign, page - page % PIECE);
    }
    return status == AVPS_OK && piece->absent[page % PIECE] ? AVPS_E_GUEST_ADDR : status;
}

/* Pages from that of `offset` on, until the one of `end` or one that cannot be had.
 * @return How many bytes from `offset`. */
static uint64_t pages_provide(struct avps_xen_foreign *foreign, uint64_t offset, uint64_t end)
{
    uint64_t next = offset - offset % AVPS_XEN_PAGE;

    while (next < end && page_provide(foreign, next / AVPS_XEN_PAGE) == AVPS_OK) {
        next += AVPS_XEN_PAGE;
    }
    return (next < end ? next : end) - offset;
}

/* ---- operations ---- */

static enum avps_status foreign_translate(void *ctx, avps_gpa gpa, enum avps_access access,
                                          uint64_t *len, uint8_t **ptr)
{
    struct avps_xen_foreign *foreign = ctx;
    const uint64_t offset = gpa - foreign->gpa;
    enum avps_status status = AVPS_E_GUEST_ADDR;

    (void)access; /* a guest's memory is writable throughout */
    if (offset < foreign->size) {
        status = page_provide(foreign, offset / AVPS_XEN_PAGE);
    }
    if (status != AVPS_OK) {
        foreign->pages.refused += status == AVPS_E_GUEST_ADDR;
        return status;
    }
    const uint64_t room = foreign->size - offset;

    *len = pages_provide(foreign, offset, offset + (*len < room ? *len : room));
    *ptr = foreign->host + offset;
    return AVPS_OK;
}

static void foreign_pin_pieces(struct avps_xen_foreign *foreign, avps_gpa gpa, uint64_t len,
                               uint32_t change)
{
    const uint64_t offset = gpa - foreign->gpa;
    const uint64_t piece = (uint64_t)PIECE * AVPS_XEN_PAGE;

    for (uint64_t i = offset / piece; i <= (offset + len - 1U) / piece; i++) {
        foreign->pieces[i].pins += change;
    }
}

static enum avps_status foreign_pin(void *ctx, avps_gpa gpa, uint64_t len, enum avps_access access,
                                    uint8_t **ptr)
{
    uint64_t got = len;
    enum avps_status status = foreign_translate(ctx, gpa, access, &got, ptr);

    if (status == AVPS_OK && got < len) {
        status = AVPS_E_GUEST_ADDR;
    }
    if (status == AVPS_OK) {
        foreign_pin_pieces(ctx, gpa, len, 1U);
    }
    return status;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is the library's */
static void foreign_unpin(void *ctx, avps_gpa gpa, uint64_t len, uint8_t *ptr)
{
    (void)ptr;
    foreign_pin_pieces(ctx, gpa, len, UINT32_MAX); /* one less */
}

static const struct avps_mem_ops foreign_ops = {
    .translate = foreign_translate, .pin = foreign_pin, .unpin = foreign_unpin};

enum avps_status avps_xen_foreign_mem(struct avps_xen_foreign *foreign, struct avps_mem *mem)
{
    return avps_mem_init_ops(mem, &foreign_ops, foreign);
}

/* ---- life ---- */

enum avps_status avps_xen_foreign_open(struct avps_xen_foreign *foreign,
                                       xenforeignmemory_handle *handle, uint32_t domain,
                                       avps_gpa gpa, uint64_t bytes)
{
    *foreign =
        (struct avps_xen_foreign){.handle = handle, .domain = domain, .gpa = gpa, .size = bytes};
    if ((gpa | bytes) % AVPS_XEN_PAGE != 0U || bytes == 0U || bytes - 1U > UINT64_MAX - gpa) {
        return AVPS_E_PARAM;
    }
    void *host = mmap(NULL, bytes, PROT_NONE, NOTHING, -1, 0);

    if (host == MAP_FAILED) {
        return AVPS_E_NOSPACE;
    }
    foreign->host = host;
    foreign->pieces = calloc(bytes / AVPS_XEN_PAGE / PIECE + 1U, sizeof(struct avps_xen_piece));
    return foreign->pieces != NULL ? AVPS_OK : AVPS_E_NOSPACE;
}

void avps_xen_foreign_flush(struct avps_xen_foreign *foreign)
{
    for (uint64_t first = 0; first < foreign->size / AVPS_XEN_PAGE; first += PIECE) {
        struct avps_xen_piece *piece = &foreign->pieces[first / PIECE];

        if (piece->present != 0U && piece->pins == 0U && piece_unmap(foreign, first)) {
            pages_count(&foreign->pages, -(int64_t)piece->present);
            piece->present = 0;
        }
    }
}

void avps_xen_foreign_close(struct avps_xen_foreign *foreign)
{
    if (foreign->host != NULL) {
        (void)munmap(foreign->host, foreign->size); /* the kernel lets go of the pages */
    }
    free(foreign->pieces);
    *foreign = (struct avps_xen_foreign){0};
}
