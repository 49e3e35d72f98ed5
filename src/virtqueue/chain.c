/* SPDX-License-Identifier: BSD-3-Clause */
/* Chain cursors: the only way a device reaches a request's bytes. They hold direction and bounds,
 * and keep `written` below what was really written (I7, I8, I31). */
#include "virtqueue/vq_internal.h"

void avps_chain_init(struct avps_chain *chain, struct avps_seg *segs, uint32_t count)
{
    *chain = (struct avps_chain){.segs = segs, .seg_cap = count};
}

/* Contracts are in ACSL and proved by tests/proofs. */
/*@ axiomatic cursor {
      // The segments as they were filled when the chain was taken (chain_put).
      logic integer seg_len(struct avps_seg *segs, integer seg);
      logic integer seg_gpa(struct avps_seg *segs, integer seg);

      // From byte `off` of segment `seg` on there are `n` bytes.
      predicate has_bytes(struct avps_seg *segs, integer seg, integer off, integer n);

      axiom bytes_inside:
        \forall struct avps_seg *segs, integer seg, off, n;
          has_bytes(segs, seg, off, n) && n >= 1 ==>
            0 <= off < seg_len(segs, seg) && seg < UINT32_MAX &&
            seg_gpa(segs, seg) + seg_len(segs, seg) <= UINT64_MAX + 1;

      axiom bytes_after:
        \forall struct avps_seg *segs, integer seg, off, n, off2, n2;
          has_bytes(segs, seg, off, n) && off <= off2 < seg_len(segs, seg) && n2 >= 0 &&
          off2 + n2 == off + n ==> has_bytes(segs, seg, off2, n2);

      axiom bytes_next:
        \forall struct avps_seg *segs, integer seg, off, n, seg2, n2;
          has_bytes(segs, seg, off, n) && seg2 == seg + 1 && n2 >= 0 &&
          seg_len(segs, seg) + n2 == off + n ==> has_bytes(segs, seg2, 0, n2);

      axiom bytes_fewer:
        \forall struct avps_seg *segs, integer seg, off, n, part;
          has_bytes(segs, seg, off, n) && 0 <= part <= n ==> has_bytes(segs, seg, off, part);
    } */

/* One contiguous piece under a cursor. */
struct chain_piece {
    uint8_t *ptr;
    avps_gpa gpa;
    uint32_t len;
};

/* The piece at (*seg, *off) of at most `limit` bytes; moves the cursor past it. */
/*@ requires \valid_read(chain) && \valid(seg) && \valid(off) && \separated(seg, off, &chain->segs);
  @ requires limit >= 1 && has_bytes(chain->segs, *seg, *off, limit);
  @ assigns *seg, *off;
  @ ensures 1 <= \result.len <= limit;
  @ ensures \forall integer n; n >= limit && has_bytes(chain->segs, \old(*seg), \old(*off), n) ==>
  @   has_bytes(chain->segs, *seg, *off, n - \result.len);
  @ ensures \result.ptr != \null ==> \valid(\result.ptr + (0 .. \result.len - 1));
  @ ensures \result.gpa + \result.len <= UINT64_MAX + 1; */
static struct chain_piece chain_next(const struct avps_chain *chain, uint32_t *seg, uint32_t *off,
                                     uint32_t limit)
{
    const struct avps_seg *s = &chain->segs[*seg];
    /* Segments do not change while a chain is used, and are what the proofs of the walks say. */
    /*@ admit \valid_read(s) && s->len == seg_len(chain->segs, *seg) &&
      @   s->gpa == seg_gpa(chain->segs, *seg); */
    /*@ admit s->ptr != \null ==> \valid(s->ptr + (0 .. s->len - 1)); */
    const uint32_t room = s->len - *off;
    struct chain_piece piece = {s->ptr == NULL ? NULL : s->ptr + *off, s->gpa + *off,
                                limit < room ? limit : room};

    if (piece.len == room) {
        (*seg)++;
        *off = 0;
    } else {
        *off += piece.len;
    }
    return piece;
}

/* Guest memory and the port's ops: the proofs take the two contracts for granted. */
/*@ requires \valid_read(piece) && piece->len >= 1 && \valid(dst + (0 .. piece->len - 1));
  @ requires piece->ptr != \null ==> \valid_read(piece->ptr + (0 .. piece->len - 1));
  @ requires piece->gpa + piece->len <= UINT64_MAX + 1;
  @ assigns dst[0 .. piece->len - 1]; */
static enum avps_status chain_copy_in(struct avps_mem *mem, const struct chain_piece *piece,
                                      uint8_t *dst)
{
    if (piece->ptr != NULL) {
        avps_arch_copy_in(dst, piece->ptr, piece->len);
        return AVPS_OK;
    }
    return mem->ops->read(mem->ctx, piece->gpa, dst, piece->len);
}

/*@ requires \valid_read(piece) && piece->len >= 1 && \valid_read(src + (0 .. piece->len - 1));
  @ requires piece->ptr != \null ==> \valid(piece->ptr + (0 .. piece->len - 1));
  @ requires piece->gpa + piece->len <= UINT64_MAX + 1;
  @ assigns \nothing; */
static enum avps_status chain_copy_out(struct avps_mem *mem, const struct chain_piece *piece,
                                       const uint8_t *src)
{
    if (piece->ptr != NULL) {
        (void)memcpy(piece->ptr, src, piece->len);
        return AVPS_OK;
    }
    return mem->ops->write(mem->ctx, piece->gpa, src, piece->len);
}

/* [split-2.1] [packed-2.1] This cursor sees readable segments only. */
/*@ requires \valid(chain) && \valid((uint8_t *)dst + (0 .. len - 1));
  @ requires has_bytes(chain->segs, chain->read_seg, chain->read_off, chain->readable_len);
  @ requires \separated(chain, (uint8_t *)dst + (0 .. len - 1));
  @ assigns chain->read_seg, chain->read_off, chain->readable_len, ((uint8_t *)dst)[0 .. len - 1];
  @ ensures has_bytes(chain->segs, chain->read_seg, chain->read_off, chain->readable_len);
  @ ensures chain->readable_len <= \old(chain->readable_len);
  @ ensures \result == AVPS_OK ==> chain->readable_len == \old(chain->readable_len) - len;
  @ ensures len > \old(chain->readable_len) ==> \result == AVPS_E_GUEST_SIZE &&
  @   chain->readable_len == \old(chain->readable_len); */
enum avps_status avps_chain_read(struct avps_chain *chain, void *dst, uint32_t len)
{
    uint8_t *to = dst;

    if (len > chain->readable_len) {
        return AVPS_E_GUEST_SIZE;
    }
    /*@ loop invariant 0 <= len <= \at(len, Pre) && to == (uint8_t *)dst + (\at(len, Pre) - len);
      @ loop invariant chain->readable_len ==
      @   \at(chain->readable_len, Pre) - (\at(len, Pre) - len) && len <= chain->readable_len;
      @ loop invariant
      @   has_bytes(chain->segs, chain->read_seg, chain->read_off, chain->readable_len);
      @ loop assigns len, to, chain->read_seg, chain->read_off, chain->readable_len,
      @   ((uint8_t *)dst)[0 .. \at(len, Pre) - 1];
      @ loop variant len; */
    while (len != 0U) {
        const struct chain_piece piece = chain_next(chain, &chain->read_seg, &chain->read_off, len);
        const enum avps_status status = chain_copy_in(chain->mem, &piece, to);

        chain->readable_len -= piece.len;
        if (status != AVPS_OK) {
            return status;
        }
        to += piece.len;
        len -= piece.len;
    }
    return AVPS_OK;
}

/*@ requires \valid(chain);
  @ requires has_bytes(chain->segs, chain->read_seg, chain->read_off, chain->readable_len);
  @ assigns chain->read_seg, chain->read_off, chain->readable_len;
  @ ensures has_bytes(chain->segs, chain->read_seg, chain->read_off, chain->readable_len);
  @ ensures \result == AVPS_OK ==> chain->readable_len == \old(chain->readable_len) - len;
  @ ensures \result != AVPS_OK ==> chain->readable_len == \old(chain->readable_len);
  @ ensures \result == AVPS_OK <==> len <= \old(chain->readable_len); */
enum avps_status avps_chain_skip(struct avps_chain *chain, uint32_t len)
{
    if (len > chain->readable_len) {
        return AVPS_E_GUEST_SIZE;
    }
    /*@ loop invariant 0 <= len <= \at(len, Pre) && len <= chain->readable_len;
      @ loop invariant chain->readable_len ==
      @   \at(chain->readable_len, Pre) - (\at(len, Pre) - len);
      @ loop invariant
      @   has_bytes(chain->segs, chain->read_seg, chain->read_off, chain->readable_len);
      @ loop assigns len, chain->read_seg, chain->read_off, chain->readable_len;
      @ loop variant len; */
    while (len != 0U) {
        const struct chain_piece piece = chain_next(chain, &chain->read_seg, &chain->read_off, len);

        chain->readable_len -= piece.len;
        len -= piece.len;
    }
    return AVPS_OK;
}

/*@ requires \valid(chain) && \valid(len) && \separated(chain, len);
  @ requires 1 <= *len <= chain->writable_len && \valid_read(src + (0 .. *len - 1));
  @ requires has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ requires chain->written + chain->writable_len <= UINT32_MAX;
  @ assigns *len, chain->write_seg, chain->write_off, chain->writable_len, chain->written;
  @ ensures has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ ensures 1 <= *len <= \old(*len);
  @ ensures \result == AVPS_OK ==> chain->writable_len == \old(chain->writable_len) - *len;
  @ ensures \result == AVPS_OK ==> chain->written == \old(chain->written) + *len;
  @ ensures \result != AVPS_OK ==> chain->writable_len == \old(chain->writable_len) &&
  @   chain->written == \old(chain->written); */
static enum avps_status chain_write_piece(struct avps_chain *chain, const uint8_t *src,
                                          uint32_t *len)
{
    uint32_t seg = chain->write_seg;
    uint32_t off = chain->write_off;
    const struct chain_piece piece = chain_next(chain, &seg, &off, *len);
    const enum avps_status status = chain_copy_out(chain->mem, &piece, src);

    if (status == AVPS_OK) { /* else the cursor stays: `written` has no holes (I8, I31) */
        chain->write_seg = seg;
        chain->write_off = off;
        chain->writable_len -= piece.len;
        chain->written += piece.len;
    }
    *len = piece.len;
    return status;
}

/* [split-2.1] [packed-2.1] This cursor sees writable segments only. */
/*@ requires \valid(chain) && \valid_read((uint8_t *)src + (0 .. len - 1));
  @ requires has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ requires chain->written + chain->writable_len <= UINT32_MAX;
  @ assigns chain->write_seg, chain->write_off, chain->writable_len, chain->written;
  @ ensures has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ ensures chain->written + chain->writable_len == \old(chain->written + chain->writable_len);
  @ ensures \result == AVPS_OK ==> chain->written == \old(chain->written) + len;
  @ ensures len > \old(chain->writable_len) ==> \result == AVPS_E_GUEST_SIZE &&
  @   chain->written == \old(chain->written); */
enum avps_status avps_chain_write(struct avps_chain *chain, const void *src, uint32_t len)
{
    const uint8_t *from = src;

    if (len > chain->writable_len) {
        return AVPS_E_GUEST_SIZE;
    }
    /*@ loop invariant 0 <= len <= \at(len, Pre) && len <= chain->writable_len;
      @ loop invariant from == (uint8_t *)src + (\at(len, Pre) - len);
      @ loop invariant chain->written == \at(chain->written, Pre) + (\at(len, Pre) - len);
      @ loop invariant chain->written + chain->writable_len ==
      @   \at(chain->written + chain->writable_len, Pre);
      @ loop invariant
      @   has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
      @ loop assigns len, from, chain->write_seg, chain->write_off, chain->writable_len,
      @   chain->written;
      @ loop variant len; */
    while (len != 0U) {
        uint32_t piece = len;
        const enum avps_status status = chain_write_piece(chain, from, &piece);

        if (status != AVPS_OK) {
            return status;
        }
        from += piece;
        len -= piece;
    }
    return AVPS_OK;
}

enum avps_status avps_chain_write_zeroes(struct avps_chain *chain, uint32_t len)
{
    static const uint8_t zeroes[64] = {0};

    if (len > chain->writable_len) {
        return AVPS_E_GUEST_SIZE;
    }
    while (len != 0U) {
        uint32_t piece = len < sizeof zeroes ? len : (uint32_t)sizeof zeroes;
        const enum avps_status status = chain_write_piece(chain, zeroes, &piece);

        if (status != AVPS_OK) {
            return status;
        }
        len -= piece;
    }
    return AVPS_OK;
}

/*@ requires \valid(chain);
  @ requires has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ requires chain->written + chain->writable_len <= UINT32_MAX;
  @ assigns chain->write_seg, chain->write_off, chain->writable_len, chain->written;
  @ ensures has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ ensures chain->written + chain->writable_len == \old(chain->written + chain->writable_len);
  @ ensures \result == AVPS_OK ==> chain->written == \old(chain->written) + len;
  @ ensures \result == AVPS_OK <==> len <= \old(chain->writable_len); */
enum avps_status avps_chain_wrote(struct avps_chain *chain, uint32_t len)
{
    if (len > chain->writable_len) {
        return AVPS_E_GUEST_SIZE;
    }
    /*@ loop invariant 0 <= len <= \at(len, Pre) && len <= chain->writable_len;
      @ loop invariant chain->written == \at(chain->written, Pre) + (\at(len, Pre) - len);
      @ loop invariant chain->written + chain->writable_len ==
      @   \at(chain->written + chain->writable_len, Pre);
      @ loop invariant
      @   has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
      @ loop assigns len, chain->write_seg, chain->write_off, chain->writable_len, chain->written;
      @ loop variant len; */
    while (len != 0U) {
        const struct chain_piece piece =
            chain_next(chain, &chain->write_seg, &chain->write_off, len);

        chain->writable_len -= piece.len;
        chain->written += piece.len;
        len -= piece.len;
    }
    return AVPS_OK;
}

/*@ requires \valid(chain);
  @ requires has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ assigns chain->tail_len, chain->writable_len;
  @ ensures has_bytes(chain->segs, chain->write_seg, chain->write_off, chain->writable_len);
  @ ensures \result == AVPS_OK ==> chain->tail_len == len &&
  @   chain->writable_len == \old(chain->writable_len) - len;
  @ ensures \result != AVPS_OK ==> chain->writable_len == \old(chain->writable_len) &&
  @   chain->tail_len == \old(chain->tail_len); */
enum avps_status avps_chain_reserve_tail(struct avps_chain *chain, uint32_t len)
{
    if (len > chain->writable_len || chain->tail_len != 0U) {
        return AVPS_E_GUEST_SIZE;
    }
    chain->tail_len = len;
    chain->writable_len -= len;
    return AVPS_OK;
}

/* Cursor of the byte that is `back` bytes before the end of the writable half; back >= 1. */
static void chain_seek_end(const struct avps_chain *chain, uint32_t back, uint32_t *seg,
                           uint32_t *off)
{
    uint32_t i = chain->readable_segs + chain->writable_segs - 1U;

    while (back > chain->segs[i].len) {
        back -= chain->segs[i].len;
        i--;
    }
    *seg = i;
    *off = chain->segs[i].len - back;
}

/* [split-5.3] A tail behind bytes that were not written is not part of `written`. */
enum avps_status avps_chain_write_tail(struct avps_chain *chain, const void *src, uint32_t len)
{
    const uint8_t *from = src;
    const bool whole = chain->writable_len == 0U;
    uint32_t seg = 0;
    uint32_t off = 0;

    if (len == 0U || len != chain->tail_len) {
        return AVPS_E_GUEST_SIZE;
    }
    chain_seek_end(chain, len, &seg, &off);
    for (uint32_t left = len; left != 0U;) {
        const struct chain_piece piece = chain_next(chain, &seg, &off, left);
        const enum avps_status status = chain_copy_out(chain->mem, &piece, from);

        if (status != AVPS_OK) {
            return status;
        }
        from += piece.len;
        left -= piece.len;
    }
    chain->tail_len = 0;
    chain->written += whole ? len : 0U;
    return AVPS_OK;
}

enum avps_status avps_chain_segments(const struct avps_chain *chain, bool writable,
                                     struct avps_seg *segs, uint32_t max, uint32_t limit,
                                     uint32_t *count)
{
    uint32_t seg = writable ? chain->write_seg : chain->read_seg;
    uint32_t off = writable ? chain->write_off : chain->read_off;
    const uint32_t left = writable ? chain->writable_len : chain->readable_len;

    *count = 0;
    for (uint32_t rest = limit < left ? limit : left; rest != 0U;) {
        if (*count == max) {
            return AVPS_E_NOSPACE;
        }
        const struct chain_piece piece = chain_next(chain, &seg, &off, rest);

        if (piece.ptr == NULL) {
            *count = 0;
            return AVPS_E_UNSUPPORTED;
        }
        segs[*count] = (struct avps_seg){.ptr = piece.ptr, .gpa = piece.gpa, .len = piece.len};
        (*count)++;
        rest -= piece.len;
    }
    return AVPS_OK;
}
