/* SPDX-License-Identifier: BSD-3-Clause */
/* One buffer at a time -> how the bytes are distributed. */
#include "entropy.h"

#include <stddef.h>
#include <string.h>

#include "machine.h"

#define ENTROPY_BUFFER 512U
#define ENTROPY_VALUES 256U

static struct ring entropy_requests;
static uint8_t entropy_buffer[ENTROPY_BUFFER];

bool entropy_start(bool packed)
{
    if (!virtio_begin(&machine_entropy, packed) ||
        !virtio_queue(&machine_entropy, 0U, &entropy_requests)) {
        return false;
    }
    virtio_go(&machine_entropy);
    return true;
}

/* One request. @return how many bytes came; 0: not in time, or a lie. */
static uint32_t entropy_request(uint32_t len)
{
    const struct ring_part part = {(uintptr_t)entropy_buffer, len, RING_WRITE, 0U};
    uint16_t id;
    uint32_t got;

    ring_post(&entropy_requests, 0U, &part, 1U);
    virtio_kick(&machine_entropy, 0U);
    if (!machine_wait_used(&entropy_requests, &id, &got) || id != 0U || got > len) {
        return 0;
    }
    return got;
}

bool entropy_read(uint8_t *bytes, uint32_t len)
{
    while (len != 0U) {
        const uint32_t got = entropy_request(len < ENTROPY_BUFFER ? len : ENTROPY_BUFFER);

        if (got == 0U) {
            return false;
        }
        memcpy(bytes, entropy_buffer, got);
        bytes += got;
        len -= got;
    }
    return true;
}

/* With n bytes, a value is expected n / 256 times; half and twice that is far outside chance for the
 * numbers that are used here. */
const char *entropy_check(uint32_t total)
{
    uint32_t seen[ENTROPY_VALUES] = {0};
    uint8_t bytes[ENTROPY_BUFFER];

    for (uint32_t done = 0; done < total; done += ENTROPY_BUFFER) {
        if (!entropy_read(bytes, ENTROPY_BUFFER)) {
            return "no answer";
        }
        for (uint32_t i = 0; i < ENTROPY_BUFFER; i++) {
            seen[bytes[i]]++;
        }
    }
    for (uint32_t value = 0; value < ENTROPY_VALUES; value++) {
        const uint32_t expected = total / ENTROPY_VALUES;

        if (seen[value] < expected / 2U || seen[value] > expected * 2U) {
            return "a value is too rare or too frequent";
        }
    }
    return NULL;
}

struct ring *entropy_ring(void)
{
    return &entropy_requests;
}
