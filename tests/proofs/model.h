/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory as the proofs see it, and the invariants that the contracts in src/virtqueue name.
 * Nothing here is compiled into the library. */
#ifndef AVPS_PROOF_MODEL_H
#define AVPS_PROOF_MODEL_H

#include "avps/vq.h"
#include "bits.h"

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
    } */

/*@ axiomatic region_table {
      // The rows of a region table as avps_mem_init_regions found them. The table is const and
      // borrowed, so they are functions of the table and not of the memory's state. That memory
      // still says the same is admitted in one place: mem_row in src/virtqueue.
      logic integer row_gpa(struct avps_mem_region *rows, integer i);
      logic integer row_size(struct avps_mem_region *rows, integer i);
      logic integer row_access(struct avps_mem_region *rows, integer i);
      logic uint8_t *row_host(struct avps_mem_region *rows, integer i);
    }

    predicate row_is_sound(struct avps_mem_region *rows, integer i) =
      1 <= row_size(rows, i) && 0 <= row_gpa(rows, i) &&
      row_gpa(rows, i) + row_size(rows, i) <= UINT64_MAX + 1 &&
      1 <= row_access(rows, i) <= 3 && row_host(rows, i) != \null &&
      (row_access(rows, i) != 2 ==> guest_range(row_host(rows, i), row_gpa(rows, i), row_size(rows, i), 1)) &&
      (row_access(rows, i) != 1 ==> guest_range(row_host(rows, i), row_gpa(rows, i), row_size(rows, i), 2)) &&
      (row_access(rows, i) == 3 ==> guest_range(row_host(rows, i), row_gpa(rows, i), row_size(rows, i), 3));

    // A table that avps_mem_init_regions accepted: every row is sound and they are sorted.
    predicate table_is_sound(struct avps_mem_region *rows, integer count) =
      (\forall integer i; 0 <= i < count ==> row_is_sound(rows, i)) &&
      (\forall integer i, j; 0 <= i < j < count ==>
        row_gpa(rows, i) + row_size(rows, i) <= row_gpa(rows, j));

    // Memory holds row `i` as it was accepted.
    predicate row_is_read(struct avps_mem_region *rows, integer i) =
      \valid_read(rows + i) && rows[i].gpa == row_gpa(rows, i) &&
      rows[i].size == row_size(rows, i) && rows[i].access == row_access(rows, i) &&
      rows[i].host == row_host(rows, i);
 */

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
