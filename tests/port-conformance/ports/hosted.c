/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory, report, time, thread, run. */
#include "hosted.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct avps_pc_span layout[HOSTED_SPANS] = {
    {0x40000000U, 0x40000U, AVPS_ACCESS_RW},
    {0x40040000U, 0x10000U, AVPS_ACCESS_RW},
    {0x80000000U, 0x1000U, AVPS_ACCESS_READ},
};

void hosted_memory_init(struct hosted_memory *memory)
{
    for (uint32_t i = 0; i < HOSTED_SPANS; i++) {
        void *host = aligned_alloc(4096, (size_t)layout[i].size);

        if (host == NULL) {
            abort();
        }
        (void)memset(host, 0, (size_t)layout[i].size);
        memory->spans[i] = layout[i];
        memory->regions[i] =
            (struct avps_mem_region){layout[i].gpa, layout[i].size, host, layout[i].access};
    }
}

uint8_t *hosted_memory_at(const struct hosted_memory *memory, avps_gpa gpa)
{
    for (uint32_t i = 0; i < HOSTED_SPANS; i++) {
        if (gpa - layout[i].gpa < layout[i].size) {
            return memory->regions[i].host + (gpa - layout[i].gpa);
        }
    }
    return NULL;
}

void hosted_print(void *ctx, const char *line)
{
    (void)ctx;
    (void)puts(line);
}

static uint64_t real_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static atomic_ullong skipped_ns;

uint64_t hosted_now_ns(void)
{
    return real_ns() + atomic_load(&skipped_ns);
}

void hosted_skip(void *ctx, uint64_t ns)
{
    (void)ctx;
    (void)atomic_fetch_add(&skipped_ns, ns);
}

void hosted_sleep(void *ctx, uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000U),
                            .tv_nsec = (long)(ns % 1000000000U)};

    (void)ctx;
    while (nanosleep(&left, &left) != 0) {
    }
}

static struct {
    pthread_t thread;
    void (*run)(void *arg);
    void *arg;
} second;

static void *second_main(void *unused)
{
    (void)unused;
    second.run(second.arg);
    return NULL;
}

bool hosted_start(void *ctx, void (*run)(void *arg), void *arg)
{
    (void)ctx;
    second.run = run;
    second.arg = arg;
    return pthread_create(&second.thread, NULL, second_main, NULL) == 0;
}

void hosted_join(void *ctx)
{
    (void)ctx;
    (void)pthread_join(second.thread, NULL);
}

void hosted_yield(void *ctx)
{
    (void)ctx;
    (void)sched_yield();
}

int hosted_run(const struct avps_pc_target *target)
{
    static struct avps_pc pc;

    (void)memset(&pc, 0, sizeof pc);
    return avps_pc_run(&pc, target) == 0U ? 0 : 1;
}
