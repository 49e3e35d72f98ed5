/* SPDX-License-Identifier: BSD-3-Clause */
/* Ring parsing alone, one format a build (FUZZ_PACKED 0 or 1): every read of guest memory is
 * answered from the input, so each byte may differ each time it is read. Checks what a chain
 * promises to a device. */
#include <string.h>

#include "avps/vq.h"
#include "guest.h"

#define CHAIN_SEGS 24U
#define CHAINS     4U

struct chain_run {
    const uint8_t *input;
    size_t size;
    size_t pos;
    uint32_t reads;
};

static enum avps_status run_read(void *ctx, avps_gpa gpa, void *dst, size_t len)
{
    struct chain_run *run = ctx;
    uint8_t *to = dst;

    (void)gpa;
    run->reads++;
    for (size_t i = 0; i < len; i++) {
        to[i] = run->pos < run->size ? run->input[run->pos++] : 0U;
    }
    return AVPS_OK;
}

static enum avps_status run_write(void *ctx, avps_gpa gpa, const void *src, size_t len)
{
    (void)ctx;
    (void)gpa;
    (void)src;
    (void)len;
    return AVPS_OK;
}

static const struct avps_mem_ops run_ops = {.read = run_read, .write = run_write};

/* What every popped chain promises. */
static void check_chain(const struct avps_vq *vq, const struct avps_chain *chain)
{
    uint64_t readable = 0;
    uint64_t writable = 0;

    FUZZ_CHECK(chain->readable_segs + chain->writable_segs <= chain->seg_cap);
    for (uint32_t i = 0; i < chain->readable_segs + chain->writable_segs; i++) {
        FUZZ_CHECK(chain->segs[i].len != 0U);
        FUZZ_CHECK(chain->segs[i].len - 1U <= UINT64_MAX - chain->segs[i].gpa);
        if (i < chain->readable_segs) {
            readable += chain->segs[i].len;
        } else {
            writable += chain->segs[i].len;
        }
    }
    FUZZ_CHECK(readable == chain->readable_len && writable == chain->writable_len);
    FUZZ_CHECK(readable + writable <= UINT32_MAX);
    FUZZ_CHECK(chain->id < vq->size && chain->slots >= 1U && chain->slots <= vq->size);
}

/* Read a little, write a little, give it back or put it back. */
static void use_chain(struct avps_vq *vq, struct avps_chain *chain, uint8_t how)
{
    uint8_t bytes[32] = {0};
    const uint32_t before = chain->writable_len;

    const enum avps_status results[] = {
        avps_chain_read(chain, bytes, how & 31U), avps_chain_skip(chain, how & 3U),
        avps_chain_reserve_tail(chain, how & 1U), avps_chain_write(chain, bytes, how >> 4),
        avps_chain_write_zeroes(chain, how & 7U), avps_chain_write_tail(chain, bytes, how & 1U),
    };
    for (uint32_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        FUZZ_CHECK(results[i] == AVPS_OK || results[i] == AVPS_E_GUEST_SIZE);
    }
    FUZZ_CHECK(chain->written <= before);
    if ((how & 0xc0U) == 0xc0U && chain->written == 0U) {
        avps_vq_unpop(vq, chain);
    } else if ((how & 0xc0U) == 0x80U) {
        avps_vq_drop(vq, chain);
    } else {
        FUZZ_CHECK(avps_vq_push(vq, chain) == AVPS_OK);
    }
}

static void run_queue(struct chain_run *run, struct avps_vq *vq)
{
    static struct avps_seg segs[CHAINS][CHAIN_SEGS];
    struct avps_chain chains[CHAINS];
    bool flag = false;

    for (uint32_t i = 0; i < CHAINS; i++) {
        avps_chain_init(&chains[i], segs[i], CHAIN_SEGS);
    }
    for (uint32_t round = 0; round < 64U && run->pos < run->size; round++) {
        uint32_t count = 0;
        const uint32_t reads = run->reads;
        const enum avps_status status = avps_vq_pop_burst(vq, chains, CHAINS, &count);

        /* bounded: index, head, a ring of descriptors, a table; for each chain (I3) */
        FUZZ_CHECK(run->reads - reads <= (CHAINS + 1U) * (4U + 2U * vq->size + 32768U));
        for (uint32_t i = 0; i < count; i++) {
            check_chain(vq, &chains[i]);
        }
        for (uint32_t i = count; i > 0U; i--) {
            use_chain(vq, &chains[i - 1U], run->pos < run->size ? run->input[run->pos++] : 0U);
        }
        FUZZ_CHECK(avps_vq_publish(vq, &flag) == AVPS_OK);
        if (avps_status_is_guest_fault(status)) {
            FUZZ_CHECK(avps_vq_pop(vq, &chains[0]) == status && !avps_vq_has_work(vq)); /* I19 */
            return;
        }
        avps_vq_suppress(vq);
        avps_vq_arm(vq, &flag);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct avps_vq vq;
    struct avps_mem mem;
    struct chain_run run = {input, size, 0, 0};
    uint8_t head[2] = {0, 0};

    FUZZ_CHECK(avps_mem_init_ops(&mem, &run_ops, &run) == AVPS_OK);
    (void)run_read(&run, 0, head, sizeof head);
    const struct avps_vq_config config = {
        .size = FUZZ_PACKED ? 1U + head[0] % 64U : 1U << (head[0] % 7U),
        .desc = 0x10000,
        .driver = 0x20000,
        .device = 0x30000,
        .packed = FUZZ_PACKED != 0,
        .indirect = (head[1] & 1U) != 0U,
        .event_idx = (head[1] & 2U) != 0U,
        .avail_wrap = true,
        .used_wrap = true,
    };
    FUZZ_CHECK(avps_vq_enable(&vq, &mem, &config) == AVPS_OK);
    run_queue(&run, &vq);
    avps_vq_disable(&vq);
    return 0;
}
