/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of the host: pieces -> checksums -> whether what is left to do to one makes sense. */
#include "devices/net_internal.h"

/* ---- pieces of a frame ---- */

struct net_reader avps_net_reader_of(const struct avps_net_frame *frame)
{
    const struct net_reader reader = {frame, 0, frame->more_skip, frame->data, frame->data_len};

    return reader;
}

/* Make sure that there is a byte. @return false at the end. */
bool avps_net_reader_fill(struct net_reader *reader)
{
    while (reader->len == 0U && reader->next < reader->frame->more_count) {
        const struct avps_seg *seg = &reader->frame->more[reader->next++];
        const uint32_t skip = reader->skip < seg->len ? reader->skip : seg->len;

        reader->skip -= skip;
        reader->ptr = seg->ptr + skip;
        reader->len = seg->len - skip;
    }
    return reader->len != 0U;
}

void avps_net_reader_take(struct net_reader *reader, uint32_t len)
{
    reader->ptr += len;
    reader->len -= len;
}

/* Length of a frame; 0 if it is none or too long. */
uint32_t avps_net_frame_len(const struct avps_net_frame *frame)
{
    uint64_t len = frame->data_len;

    if (frame->data == NULL || frame->data_len < NET_ETH_HEADER) {
        return 0;
    }
    for (uint32_t i = 0; i < frame->more_count; i++) {
        len += frame->more[i].len;
    }
    if (frame->more_count != 0U) {
        len = len >= (uint64_t)frame->data_len + frame->more_skip ? len - frame->more_skip : 0U;
    }
    return len <= NET_FRAME_MAX ? (uint32_t)len : 0U;
}

/* The first `len` bytes, or all if there are fewer. @return how many. */
uint32_t avps_net_frame_copy(const struct avps_net_frame *frame, uint8_t *dst, uint32_t len)
{
    struct net_reader reader = avps_net_reader_of(frame);
    uint32_t done = 0;

    while (done < len && avps_net_reader_fill(&reader)) {
        const uint32_t n = reader.len < len - done ? reader.len : len - done;

        avps_arch_copy_in(dst + done, reader.ptr, n);
        avps_net_reader_take(&reader, n);
        done += n;
    }
    return done;
}

/* The first bytes in one piece, in `copy` only if they are not. */
struct net_peek avps_net_peek(const struct avps_net_frame *frame, uint32_t wanted, uint8_t *copy)
{
    struct net_peek peek = {frame->data, frame->data_len};

    if (peek.len < wanted && frame->more_count != 0U) {
        peek.bytes = copy;
        peek.len = avps_net_frame_copy(frame, copy, wanted);
    }
    return peek;
}

/* ---- checksum ---- */

/* Ones' complement sum of the frame from `start` on, as it goes on the wire. */
static uint16_t frame_sum(const struct avps_net_frame *frame, uint32_t start)
{
    struct net_reader reader = avps_net_reader_of(frame);
    uint64_t sum = 0;
    bool odd = false;

    while (avps_net_reader_fill(&reader)) {
        const uint32_t skip = start < reader.len ? start : reader.len;

        start -= skip;
        for (uint32_t i = skip; i < reader.len; i++) {
            sum += odd ? reader.ptr[i] : (uint32_t)reader.ptr[i] << 8;
            odd = !odd;
        }
        avps_net_reader_take(&reader, reader.len);
    }
    while (sum > 0xffffU) {
        sum = (sum & 0xffffU) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* The two bytes that complete a frame. A UDP sum (offset 6) of 0 is sent as 0xffff. */
void avps_net_checksum(const struct avps_net_frame *frame, uint8_t *bytes)
{
    uint16_t sum = frame_sum(frame, frame->offload.csum_start);

    if (sum == 0U && frame->offload.csum_offset == 6U) {
        sum = 0xffffU;
    }
    bytes[0] = (uint8_t)(sum >> 8);
    bytes[1] = (uint8_t)sum;
}

/* The same in place; the offsets lie in the frame. */
void avps_net_complete_checksum(uint8_t *bytes, uint32_t len,
                                const struct avps_net_offload *offload)
{
    const struct avps_net_frame frame = {.data = bytes, .data_len = len, .offload = *offload};

    avps_net_checksum(&frame, bytes + offload->csum_start + offload->csum_offset);
}

/* ---- offloads ---- */

/* The caller's offload must make sense before it is shown to a guest. [net-4.18] [net-4.22] */
bool avps_net_offload_is_valid(const struct avps_net_offload *o, uint32_t len)
{
    const bool partial = (o->flags & AVPS_NET_NEEDS_CSUM) != 0U;

    if ((o->flags & ~(unsigned int)(AVPS_NET_NEEDS_CSUM | AVPS_NET_DATA_VALID)) != 0U) {
        return false;
    }
    if (partial &&
        (o->csum_start < NET_ETH_HEADER || (uint32_t)o->csum_start + o->csum_offset + 2U > len)) {
        return false;
    }
    return o->hdr_len <= len &&
           (o->gso_type == AVPS_NET_GSO_NONE || (partial && o->gso_size != 0U));
}
