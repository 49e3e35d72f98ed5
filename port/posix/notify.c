/* SPDX-License-Identifier: BSD-3-Clause */
/* From outside the loop's context: notifiers on an eventfd -> signals on a signalfd. */
#include "avps_posix/notify.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "posix_internal.h"

#define SIGNAL_MAX 64

/* ---- notifiers ---- */

static void notifier_ready(void *ctx, uint32_t conditions)
{
    const struct avps_posix_notifier *notifier = ctx;
    uint64_t count = 0;

    (void)conditions;
    if (read(notifier->fd, &count, sizeof count) == (ssize_t)sizeof count) {
        notifier->rung(notifier->ctx);
    }
}

enum avps_status avps_posix_notifier_init(struct avps_posix_notifier *notifier,
                                          struct avps_posix_loop *loop, void (*rung)(void *ctx),
                                          void *ctx)
{
    *notifier = (struct avps_posix_notifier){
        .rung = rung, .ctx = ctx, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (notifier->fd < 0) {
        return AVPS_E_IO;
    }
    const enum avps_status status = avps_posix_source_add(
        &notifier->source, loop, notifier->fd, AVPS_POSIX_READ, notifier_ready, notifier);
    if (status != AVPS_OK) {
        posix_close(&notifier->fd);
    }
    return status;
}

void avps_posix_notifier_set(const struct avps_posix_notifier *notifier)
{
    const uint64_t one = 1;
    const int saved = errno;

    (void)!write(notifier->fd, &one, sizeof one); /* full: it rings already */
    errno = saved;
}

int avps_posix_notifier_fd(const struct avps_posix_notifier *notifier)
{
    return notifier->fd;
}

void avps_posix_notifier_free(struct avps_posix_notifier *notifier)
{
    if (notifier->source.loop != NULL) {
        avps_posix_source_remove(&notifier->source);
        posix_close(&notifier->fd);
    }
}

/* ---- signals ---- */

static void signals_ready(void *ctx, uint32_t conditions)
{
    struct avps_posix_signals *signals = ctx;
    struct signalfd_siginfo info = {0};

    (void)conditions;
    if (read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        signals->caught(signals->ctx, (int)info.ssi_signo);
    }
}

static void signals_to_set(uint64_t bits, sigset_t *set)
{
    (void)sigemptyset(set);
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if ((bits >> (unsigned int)(signo - 1) & 1U) != 0U) {
            (void)sigaddset(set, signo);
        }
    }
}

static bool signals_from_list(const int *list, uint32_t count, uint64_t *bits)
{
    *bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] < 1 || list[i] > SIGNAL_MAX) {
            return false;
        }
        *bits |= UINT64_C(1) << (unsigned int)(list[i] - 1);
    }
    return count != 0U;
}

/* Block `wanted`; `blocked` gets those that were not blocked before. */
static bool signals_block(uint64_t wanted, uint64_t *blocked)
{
    sigset_t set;
    sigset_t before;

    signals_to_set(wanted, &set);
    if (sigprocmask(SIG_BLOCK, &set, &before) != 0) {
        return false;
    }
    *blocked = 0;
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if (sigismember(&before, signo) == 0) {
            *blocked |= UINT64_C(1) << (unsigned int)(signo - 1);
        }
    }
    *blocked &= wanted;
    return true;
}

static void signals_unblock(uint64_t bits)
{
    sigset_t set;

    signals_to_set(bits, &set);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

enum avps_status avps_posix_signals_init(struct avps_posix_signals *signals,
                                         struct avps_posix_loop *loop, const int *list,
                                         uint32_t count, void (*caught)(void *ctx, int signo),
                                         void *ctx)
{
    uint64_t wanted = 0;
    sigset_t set;

    if (!signals_from_list(list, count, &wanted)) {
        return AVPS_E_PARAM;
    }
    *signals = (struct avps_posix_signals){.caught = caught, .ctx = ctx, .fd = -1};
    signals_to_set(wanted, &set);
    if (!signals_block(wanted, &signals->blocked)) {
        return AVPS_E_IO;
    }
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0 ||
        avps_posix_source_add(&signals->source, loop, signals->fd, AVPS_POSIX_READ, signals_ready,
                              signals) != AVPS_OK) {
        posix_close(&signals->fd);
        signals_unblock(signals->blocked);
        return AVPS_E_IO;
    }
    return AVPS_OK;
}

void avps_posix_signals_free(struct avps_posix_signals *signals)
{
    if (signals->source.loop != NULL) {
        avps_posix_source_remove(&signals->source);
        posix_close(&signals->fd);
        signals_unblock(signals->blocked);
    }
}
