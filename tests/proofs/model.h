/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory as the proofs see it, and the invariants that the contracts in src/virtqueue name.
 * Nothing here is compiled into the library. */
#ifndef AVPS_PROOF_MODEL_H
#define AVPS_PROOF_MODEL_H

#include "avps/vq.h"

/*@ axiomatic guest_memory {
      // The host sees the guest bytes [gpa, gpa + len) at `ptr`; devices may access them so.
      predicate guest_range(uint8_t *ptr, integer gpa, integer len, integer access);

      axiom guest_part:
        \forall uint8_t *p, *q, integer gpa, len, part, n, access;
          guest_range(p, gpa, len, access) && gpa <= part && 0 <= n && part + n <= gpa + len &&
          q == p + (part - gpa) ==> guest_range(q, part, n, access);

      axiom guest_not_null:
        \forall uint8_t *p, integer gpa, len, access;
          guest_range(p, gpa, len, access) && 0 < len ==> p != \null;

      axiom guest_valid{L}:
        \forall uint8_t *p, integer gpa, len, access;
          guest_range(p, gpa, len, access) ==> \valid(p + (0 .. len - 1));
    } */

/*@ axiomatic bits {
      // A lemma of WP's own library (uint_land_range) that it keeps from the provers.
      axiom land_range: \forall integer x, y; 0 <= x ==> 0 <= (x & y) <= x;
      axiom land_range_2: \forall integer x, y; 0 <= y ==> 0 <= (x & y) <= y;
      axiom land_low_16: \forall integer x; 0 <= x ==> (x & 0xffff) == x % 0x10000;
    } */

/*@ predicate region_is_sound(struct avps_mem_region *r) =
      \valid_read(r) &&
      1 <= r->size && r->gpa + r->size <= UINT64_MAX + 1 && 1 <= r->access <= 3 &&
      r->host != \null &&
      (r->access != 2 ==> guest_range(r->host, r->gpa, r->size, 1)) &&
      (r->access != 1 ==> guest_range(r->host, r->gpa, r->size, 2)) &&
      (r->access == 3 ==> guest_range(r->host, r->gpa, r->size, 3));
 */

/*@ axiomatic region_table {
      // A table that avps_mem_init_regions accepted: every row is sound and they are sorted. It is
      // const and borrowed: no write of the library reaches it, so this holds at any time.
      predicate table_is_sound(struct avps_mem_region *rows, integer count);

      axiom table_rows{L}:
        \forall struct avps_mem_region *rows, integer count, i;
          table_is_sound(rows, count) && 0 <= i < count ==>
            region_is_sound(rows + i);

      axiom table_order{L}:
        \forall struct avps_mem_region *rows, integer count, i, j;
          table_is_sound(rows, count) && 0 <= i < j < count ==>
            rows[i].gpa + rows[i].size <= rows[j].gpa;
    } */

/*@ predicate mem_is_sound(struct avps_mem *m) =
      \valid(m) && m->region_count <= 0x80000000 &&
      (m->region_count == 0 ==> m->ops != \null) &&
      (m->region_count != 0 ==> m->last < m->region_count) &&
      (m->ops != \null ==> \valid_read(m->ops)) &&
      table_is_sound(m->regions, m->region_count);

    // A ring area or an indirect table.
    predicate area_is_sound(struct avps_ring_area *a) =
      a->gpa + a->len <= UINT64_MAX + 1 &&
      (a->fast != \null ==> \valid(a->fast + (0 .. a->len - 1))) &&
      (a->ptr != \null ==> \valid(a->ptr + (0 .. a->len - 1)));

    // An access of `size` bytes at `off` of an area.
    predicate access_is_inside(struct avps_vq *q, struct avps_ring_area *a, integer off,
                               integer size) =
      \valid_read(q) && mem_is_sound(q->mem) && \valid_read(a) && \separated(a, q->mem) &&
      \separated(q, q->mem) && area_is_sound(a) && off + size <= a->len;
 */

/*@ // A piece of guest memory that the device may access so. No region ends inside it.
    predicate seg_is_sound(struct avps_seg *s, integer access) =
      1 <= s->len && s->gpa + s->len <= UINT64_MAX + 1 &&
      (s->ptr != \null ==> guest_range(s->ptr, s->gpa, s->len, access));

    // What avps_chain_init set up.
    predicate chain_has_storage(struct avps_chain *c, struct avps_mem *m) =
      \valid(c) && c->seg_cap <= 32768 && \valid(c->segs + (0 .. c->seg_cap - 1)) &&
      \separated(c, m);

    // A chain that was taken: not more segments than fit, bytes below 2^32.
    predicate chain_is_sound(struct avps_chain *c) =
      c->readable_segs + c->writable_segs <= c->seg_cap &&
      c->readable_len + c->writable_len <= UINT32_MAX;
 */

/*@ predicate vq_is_sound(struct avps_vq *q) =
      \valid(q) && 1 <= q->size <= 32768 && q->in_flight <= q->size &&
      mem_is_sound(q->mem) && \separated(q, q->mem) && q->desc.len == 16 * q->size &&
      area_is_sound(&q->desc) && area_is_sound(&q->driver) && area_is_sound(&q->device);

    // Available chains that the device has seen and not taken.
    logic integer split_pending(struct avps_vq *q) =
      (q->avail_seen - q->avail_idx + 65536) % 65536;

    predicate split_is_sound(struct avps_vq *q) =
      vq_is_sound(q) && q->driver.len == 6 + 2 * q->size && q->device.len == 6 + 8 * q->size &&
      split_pending(q) + q->in_flight <= q->size;

    predicate packed_is_sound(struct avps_vq *q) =
      vq_is_sound(q) && q->driver.len == 4 && q->device.len == 4 && q->avail_idx < q->size &&
      q->used_idx < q->size && q->published_idx < q->size && q->slots_in_flight <= q->size &&
      q->in_flight <= q->slots_in_flight;

    predicate chain_is_apart(struct avps_chain *c, struct avps_vq *q) =
      chain_has_storage(c, q->mem) && \separated(c, q);
 */

#endif
