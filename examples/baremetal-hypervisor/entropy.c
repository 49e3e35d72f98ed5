/* SPDX-License-Identifier: BSD-3-Clause */
/* libavps' entropy device over its simulated source. A product uses a hardware source instead. */
#include "entropy.h"

#include "avps/rng.h"
#include "avps_sim/entropy.h"
#include "clock.h"
#include "devices.h"
#include "transport.h"
#include "uart.h"

#define ENTROPY_SEED      0x6c69626176707321ULL
#define ENTROPY_FIRST     8212U         /* bytes before it runs dry, in the middle of a request */
#define ENTROPY_REFILL    0x1000000000U /* bytes that come then */
#define ENTROPY_OUTAGE_NS 200000000ULL

struct entropy {
    struct avps_rng rng;
    struct avps_queue queue[1];
    struct avps_sim_entropy source;
    uint64_t refill_ns;
    uint64_t outages;
};

static struct entropy entropy = {.refill_ns = CLOCK_NEVER};

enum avps_status entropy_add(void)
{
    const struct avps_rng_config config = {.base = devices_base(entropy.queue, 1U),
                                           .ops = avps_sim_entropy_ops(),
                                           .ctx = &entropy.source};
    const enum avps_status status = avps_rng_init(&entropy.rng, &config);

    avps_sim_entropy_init(&entropy.source, ENTROPY_SEED, ENTROPY_FIRST);
    return status == AVPS_OK ? transport_attach(&entropy.rng.base) : status;
}

/* Notice that the source is empty: it has an outage, which ends after a while. */
static void entropy_watch(void)
{
    if (avps_sim_entropy_left(&entropy.source) == 0U && entropy.refill_ns == CLOCK_NEVER) {
        entropy.refill_ns = clock_now_ns() + ENTROPY_OUTAGE_NS;
        entropy.outages++;
    }
}

void entropy_run(void)
{
    entropy_watch();
    if (clock_now_ns() >= entropy.refill_ns) {
        entropy.refill_ns = CLOCK_NEVER;
        avps_sim_entropy_refill(&entropy.source, ENTROPY_REFILL);
        avps_rng_refilled(&entropy.rng);
    }
}

uint64_t entropy_due_ns(void)
{
    entropy_watch();
    return entropy.refill_ns;
}

void entropy_report(void)
{
    const struct avps_rng_counters *counters = avps_rng_counters(&entropy.rng);

    uart_begin();
    uart_text("report entropy");
    uart_field("bytes", counters->bytes);
    uart_field("requests", counters->requests);
    uart_field("shortened", counters->shortened);
    uart_field("starved", counters->starved);
    uart_field("outages", entropy.outages);
    uart_end();
}
