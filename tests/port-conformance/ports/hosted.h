/* SPDX-License-Identifier: BSD-3-Clause */
/* What the targets in this folder that run as a program share: three spans of guest memory, a
 * second thread, real time, the report on standard output. */
#ifndef PORTS_HOSTED_H
#define PORTS_HOSTED_H

#include "avps_port_conformance/suite.h"

#define HOSTED_SPANS 3U

/* Guest memory in process memory: two adjacent spans, and one that devices may only read. */
struct hosted_memory {
    struct avps_pc_span spans[HOSTED_SPANS];
    struct avps_mem_region regions[HOSTED_SPANS];
};

void hosted_memory_init(struct hosted_memory *memory);
uint8_t *hosted_memory_at(const struct hosted_memory *memory, avps_gpa gpa);

void hosted_print(void *ctx, const char *line);
/* A clock that can be set forward; where a port has its own, time is waited for. */
uint64_t hosted_now_ns(void);
void hosted_skip(void *ctx, uint64_t ns);
void hosted_sleep(void *ctx, uint64_t ns);
bool hosted_start(void *ctx, void (*run)(void *arg), void *arg);
void hosted_join(void *ctx);
void hosted_yield(void *ctx);

/* Run the suite on a target of this process. @return for main. */
int hosted_run(const struct avps_pc_target *target);

#endif
