/* SPDX-License-Identifier: BSD-3-Clause */
/* Polling without being kicked: how long to linger -> on and off -> lingering -> all the time.
 *
 * To linger is to poll on for a while after work: a chain taken or returned. If more comes within
 * that time no kick is needed and nobody has to be woken, which costs more than a request. How long is
 * learnt: a pause that lingering would have bridged makes it longer, a long pause shorter, down to not
 * at all. */
#include "vu_internal.h"

#define LINGER_STEPS 8U /* the shortest time is this part of the longest */

/* ---- how long to linger ---- */

uint64_t vu_linger_learn(uint64_t linger_ns, uint64_t longest_ns, uint64_t pause_ns)
{
    const uint64_t shortest = longest_ns / LINGER_STEPS;

    if (pause_ns >= longest_ns) {
        return linger_ns / 2U >= shortest ? linger_ns / 2U : 0U;
    }
    if (linger_ns < shortest) {
        return shortest;
    }
    return linger_ns < longest_ns / 2U ? 2U * linger_ns : longest_ns;
}

/* ---- on and off ---- */

/* Chains taken and returned: what makes it grow was work. */
static uint64_t polling_work(const struct avps_vu *vu)
{
    uint64_t work = 0;

    for (uint16_t i = 0; i < vu->ring_count; i++) {
        const struct avps_queue_counters *counters = avps_queue_counters(vu->config.device, i);

        work += counters->chains + counters->used;
    }
    return work;
}

static bool linger_is_over(struct avps_vu *vu)
{
    struct vu_linger *linger = &vu->linger;
    const uint64_t now = avps_posix_now_ns();
    const uint64_t work = polling_work(vu);

    if (work != linger->work) {
        linger->work = work;
        linger->idle_ns = now;
        linger->until_ns = now + linger->ns;
    }
    return now >= linger->until_ns;
}

static void polling_set(struct avps_vu *vu, enum vu_polling mode);

static void polling_poll(void *ctx)
{
    struct avps_vu *vu = ctx;
    const struct avps_posix_runner_config *runner = &vu->config.runner->config;

    (void)runner->poll(runner->ctx);
    if (vu->polling == VU_POLLING_LINGER && linger_is_over(vu)) {
        polling_set(vu, VU_POLLING_OFF);
    }
}

static void polling_set(struct avps_vu *vu, enum vu_polling mode)
{
    const bool was_on = vu->polling != VU_POLLING_OFF;
    const bool on = mode != VU_POLLING_OFF;

    vu->polling = mode;
    if (was_on == on) {
        return;
    }
    avps_poll_always(vu->config.device, on);
    if (vu->threads != NULL) {
        if (on) {
            vu_threads_start_pollers(vu);
        } else {
            vu_threads_stop_pollers(vu);
        }
    } else if (on) {
        avps_posix_poller_start(&vu->poller, vu->config.loop, polling_poll, vu);
    } else {
        avps_posix_poller_stop(&vu->poller);
        avps_posix_runner_wake(vu->config.runner); /* the poll that asks for kicks again */
    }
}

/* ---- lingering ---- */

bool vu_linger_is_due(const struct avps_vu *vu)
{
    return vu->config.linger_us != 0U && vu->polling == VU_POLLING_OFF && !vu->stopping &&
           polling_work(vu) != vu->linger.work;
}

void vu_linger(struct avps_vu *vu)
{
    struct vu_linger *linger = &vu->linger;
    const uint64_t longest_ns = UINT64_C(1000) * vu->config.linger_us;
    const uint64_t now = avps_posix_now_ns();

    linger->work = polling_work(vu);
    linger->ns = vu_linger_learn(linger->ns, longest_ns, now - linger->idle_ns);
    linger->idle_ns = now;
    if (linger->ns != 0U) {
        linger->until_ns = now + linger->ns;
        polling_set(vu, VU_POLLING_LINGER);
    }
}

/* ---- all the time ---- */

/* By choice, or because a ring has no kick descriptor. */
void vu_polling_update(struct avps_vu *vu)
{
    const bool connected = vu->phase == VU_PHASE_CONNECTED;
    bool always = vu->config.busy_poll && connected;

    for (uint16_t i = 0; i < vu->ring_count; i++) {
        always = always || vu->rings[i].nofd;
    }
    if (always) {
        polling_set(vu, VU_POLLING_ALWAYS);
    } else if (vu->polling == VU_POLLING_ALWAYS || !connected) {
        polling_set(vu, VU_POLLING_OFF);
    }
}
