/* SPDX-License-Identifier: BSD-3-Clause */
/* libavps' entropy device over its simulated source. A product uses a hardware source instead. */
#include "entropy.h"

#include "avps_common/platform_apply.h"
#include "clock.h"
#include "devices.h"
#include "guest.h"
#include "report.h"
#include "uart.h"

#define ENTROPY_SEED      0x6c69626176707321ULL /* of the first guest */
#define ENTROPY_FIRST     8212U         /* bytes before it runs dry, in the middle of a request */
#define ENTROPY_REFILL    0x1000000000U /* bytes that come then */
#define ENTROPY_OUTAGE_NS 200000000ULL

static enum avps_status entropy_add(struct devices_part *part)
{
    struct entropy *entropy = &part->entropy;
    struct avps_rng_config config = {.base = devices_base(part, entropy->queue),
                                     .ops = avps_sim_entropy_ops(),
                                     .ctx = &entropy->source};

    avps_platform_rng(part->plan, &config);
    const enum avps_status status = avps_rng_init(&entropy->rng, &config);

    entropy->refill_ns = CLOCK_NEVER;
    avps_sim_entropy_init(&entropy->source, ENTROPY_SEED + part->guest->number, ENTROPY_FIRST);
    return status == AVPS_OK ? devices_attach(part, &entropy->rng.base) : status;
}

static bool entropy_is_dry(const struct entropy *entropy)
{
    return avps_sim_entropy_left(&entropy->source) == 0U;
}

/* When the source is found empty it has an outage, which ends after a while. */
static void entropy_run(struct devices_part *part)
{
    struct entropy *entropy = &part->entropy;

    if (entropy_is_dry(entropy) && entropy->refill_ns == CLOCK_NEVER) {
        entropy->refill_ns = clock_now_ns() + ENTROPY_OUTAGE_NS;
        entropy->outages++;
    }
    if (clock_now_ns() >= entropy->refill_ns) {
        entropy->refill_ns = CLOCK_NEVER;
        avps_sim_entropy_refill(&entropy->source, ENTROPY_REFILL);
        avps_rng_refilled(&entropy->rng);
    }
}

/* A source that ran dry just now is looked at soon, so that its outage begins. */
static uint64_t entropy_due_ns(const struct devices_part *part)
{
    const struct entropy *entropy = &part->entropy;
    const bool unseen = entropy_is_dry(entropy) && entropy->refill_ns == CLOCK_NEVER;

    return unseen ? 0U : entropy->refill_ns;
}

static void entropy_restart(struct devices_part *part)
{
    (void)part; /* the source goes on */
}

static void entropy_report(const struct devices_part *part)
{
    const struct avps_rng_counters *counters = avps_rng_counters(&part->entropy.rng);

    report_begin("entropy");
    uart_field("bytes", counters->bytes);
    uart_field("requests", counters->requests);
    uart_field("shortened", counters->shortened);
    uart_field("starved", counters->starved);
    uart_field("outages", part->entropy.outages);
    report_end(part->guest);
}

const struct devices_kind entropy_kind = {entropy_add, entropy_run, entropy_due_ns, entropy_restart,
                                          entropy_report};
