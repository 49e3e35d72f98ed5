/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest that runs: log -> what the port asks -> devices -> opening -> report -> leaving. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define DOMAIN_RETRY_NS    UINT64_C(1000000) /* between two looks whether requests are done */
#define DOMAIN_GRANT_PAGES 2048U             /* of one side of a chain: 8 MiB */

struct domain {
    struct program *program;
    struct domain *next;
    struct store_guest guest;
    struct avps_xen_foreign foreign;
    struct avps_xen_grants grants;
    struct avps_xen_guest windows;
    struct avps_posix_source source;
    struct avps_posix_timer timer; /* requests in flight are waited for */
    struct host_device *devices[AVPS_XEN_WINDOWS];
    uint32_t count;
    uint32_t refs[DOMAIN_GRANT_PAGES];
    bool flushing;
    bool leaving;
};

/* ---- log ---- */

#define DOMAIN_SAY(domain, level, format, ...)                                                     \
    host_say(&(domain)->program->host, level, "guest %s, domain %" PRIu32 ": " format,             \
             (domain)->guest.name, (domain)->guest.domain, __VA_ARGS__)

/* ---- what the port asks ---- */

static void domain_work(void *ctx, struct avps_device *device)
{
    struct domain *domain = ctx;

    for (uint32_t i = 0; i < domain->count; i++) {
        if (domain->devices[i]->base == device) {
            host_device_wake(domain->devices[i]);
        }
    }
}

/* The mappings can go when nobody uses them: the devices pause until then. */
static void domain_try_flush(struct domain *domain)
{
    bool quiet = true;

    for (uint32_t i = 0; i < domain->count; i++) {
        quiet = avps_quiesce(domain->devices[i]->base) == AVPS_OK && quiet;
    }
    if (!quiet) {
        avps_posix_timer_set(&domain->timer, avps_posix_now_ns() + DOMAIN_RETRY_NS);
        return;
    }
    domain->flushing = false;
    avps_xen_foreign_flush(&domain->foreign);
    for (uint32_t i = 0; i < domain->count; i++) {
        avps_resume(domain->devices[i]->base);
        host_device_wake(domain->devices[i]);
    }
}

/* Not at once: a virtual CPU waits for the answer. */
static void domain_flush(void *ctx)
{
    struct domain *domain = ctx;

    domain->flushing = true;
    avps_posix_timer_set(&domain->timer, avps_posix_now_ns());
}

static void domain_ready(void *ctx, uint32_t conditions)
{
    struct domain *domain = ctx;

    (void)conditions;
    avps_xen_guest_serve(&domain->windows);
}

/* ---- devices ---- */

static enum avps_status domain_memory(struct domain *domain, const struct plan_device *planned,
                                      struct host_device *device)
{
    device->access_platform = planned->grants;
    return planned->grants ? avps_xen_grants_mem(&domain->grants, &device->mem)
                           : avps_xen_foreign_mem(&domain->foreign, &device->mem);
}

static enum avps_status domain_add_window(struct domain *domain, struct avps_device *device,
                                          uint32_t window, struct avps_posix_error *error)
{
    const uint64_t base = plan_window_base(window);
    const enum avps_status status =
        avps_xen_guest_add(&domain->windows, device, base, plan_window_irq(window));

    return status == AVPS_OK ? AVPS_OK
                             : host_fail(error, status, "window 0x%" PRIx64 " cannot be had: %s",
                                         base, strerror(errno));
}

/* Make a device and show it to the guest. */
static enum avps_status domain_add(struct domain *domain, const struct plan_device *planned,
                                   struct avps_posix_error *error)
{
    struct program *program = domain->program;
    struct host_device *device = plan_make(&program->plan, &program->host, planned, error);

    if (device == NULL) {
        return AVPS_E_PARAM;
    }
    device->loop = &program->loop;
    if (device->name[0] == '\0') {
        (void)snprintf(device->name, sizeof device->name, "%s", device->kind->name);
    }
    (void)snprintf(device->label, sizeof device->label, "%s %s", planned->guest, device->name);
    enum avps_status status = domain_memory(domain, planned, device);

    if (status == AVPS_OK) {
        status = host_device_open(device, error);
    }
    if (status == AVPS_OK) {
        status = domain_add_window(domain, device->base, planned->window, error);
    }
    if (status == AVPS_OK) {
        status = host_device_keeps_promise(device, error);
    }
    if (status != AVPS_OK) {
        (void)host_device_free(device);
        return status;
    }
    host_device_ready(device);
    domain->devices[domain->count++] = device;
    return AVPS_OK;
}

/* A window that was announced and has no device of the plan. */
static enum avps_status domain_fill_window_0(struct domain *domain, struct avps_posix_error *error)
{
    const struct plan *plan = &domain->program->plan;

    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan_is_of(&plan->devices[i], domain->guest.name) && plan->devices[i].window == 0U) {
            return AVPS_OK;
        }
    }
    return domain_add_window(domain, NULL, 0, error);
}

static enum avps_status domain_add_all(struct domain *domain, struct avps_posix_error *error)
{
    const struct plan *plan = &domain->program->plan;
    enum avps_status status = domain_fill_window_0(domain, error);

    for (uint32_t i = 0; i < plan->count && status == AVPS_OK; i++) {
        if (plan_is_of(&plan->devices[i], domain->guest.name)) {
            status = domain_add(domain, &plan->devices[i], error);
        }
    }
    return status;
}

/* ---- opening ---- */

/* End of guest memory, which begins at GUEST_RAM0_BASE and goes on in a second bank when the first is
 * full. */
static uint64_t domain_memory_size(uint64_t bytes)
{
    return bytes <= GUEST_RAM0_SIZE ? bytes
                                    : GUEST_RAM1_BASE - GUEST_RAM0_BASE + (bytes - GUEST_RAM0_SIZE);
}

static enum avps_status domain_open_memory(struct domain *domain, struct avps_posix_error *error)
{
    const struct program *program = domain->program;
    const uint32_t id = domain->guest.domain;
    const enum avps_status status =
        avps_xen_foreign_open(&domain->foreign, program->memory, id, GUEST_RAM0_BASE,
                              domain_memory_size(domain->guest.memory_bytes));

    domain->grants = (struct avps_xen_grants){
        .handle = program->grants, .domain = id, .limit = DOMAIN_GRANT_PAGES, .refs = domain->refs};
    return status == AVPS_OK
               ? AVPS_OK
               : host_fail(error, status, "no room for its %" PRIu64 " bytes of memory",
                           domain->guest.memory_bytes);
}

static enum avps_status domain_open_windows(struct domain *domain, struct avps_posix_error *error)
{
    const struct avps_xen_guest_config config = {.model = domain->program->model,
                                                 .memory = domain->program->memory,
                                                 .domain = (domid_t)domain->guest.domain,
                                                 .work = domain_work,
                                                 .flush = domain_flush,
                                                 .ctx = domain};
    const enum avps_status status = avps_xen_guest_open(&domain->windows, &config);

    if (status != AVPS_OK && errno == EOPNOTSUPP) {
        return host_fail(error, status,
                         "this Xen has no IOREQ servers: build it with CONFIG_IOREQ_SERVER");
    }
    return status == AVPS_OK
               ? AVPS_OK
               : host_fail(error, status, "cannot make an IOREQ server: %s", strerror(errno));
}

static enum avps_status domain_start(struct domain *domain, struct avps_posix_error *error)
{
    enum avps_status status = avps_xen_guest_start(&domain->windows);

    if (status == AVPS_OK) {
        status = avps_posix_source_add(&domain->source, &domain->program->loop,
                                       avps_xen_guest_fd(&domain->windows), AVPS_POSIX_READ,
                                       domain_ready, domain);
    }
    return status == AVPS_OK
               ? AVPS_OK
               : host_fail(error, status, "cannot take its requests: %s", strerror(errno));
}

static bool domain_is_planned(const struct program *program, const char *name)
{
    for (uint32_t i = 0; i < program->plan.count; i++) {
        if (plan_is_of(&program->plan.devices[i], name)) {
            return true;
        }
    }
    return false;
}

static void domain_timer(void *ctx);
static void domain_close(struct domain *domain);

void domain_open(struct program *program, const struct store_guest *guest)
{
    struct avps_posix_error error = {{0}};
    struct domain *domain = calloc(1, sizeof *domain);

    if (domain == NULL || program->stopping || !domain_is_planned(program, guest->name)) {
        host_say(&program->host, LOG_INFO, "guest %s: not ours", guest->name);
        free(domain);
        return;
    }
    domain->program = program;
    domain->guest = *guest;
    domain->next = program->domains;
    program->domains = domain;
    avps_posix_timer_init(&domain->timer, &program->loop, domain_timer, domain);
    enum avps_status status = domain_open_memory(domain, &error);

    if (status == AVPS_OK) {
        status = domain_open_windows(domain, &error);
    }
    if (status == AVPS_OK) {
        status = domain_add_all(domain, &error);
    }
    if (status == AVPS_OK) {
        status = domain_start(domain, &error);
    }
    if (status != AVPS_OK) {
        DOMAIN_SAY(domain, LOG_ERROR, "%s", error.text);
        domain_close(domain);
        return;
    }
    DOMAIN_SAY(domain, LOG_INFO, "served, %u devices", domain->count);
    store_answer(program->store, guest->domain, guest->device, STORE_SERVED);
}

/* ---- report ---- */

static void report_devices(const struct domain *domain)
{
    struct avps_stats_device devices[AVPS_XEN_WINDOWS];
    char line[AVPS_STATS_LINE];
    struct avps_stats stats;

    for (uint32_t i = 0; i < domain->count; i++) {
        devices[i] = host_device_stats(domain->devices[i]);
    }
    avps_stats_begin(&stats, devices, domain->count);
    while (avps_stats_next(&stats, line, sizeof line)) {
        DOMAIN_SAY(domain, LOG_INFO, "report %s", line);
    }
}

static void report_pages(const struct domain *domain, const char *what,
                         const struct avps_xen_pages *pages)
{
    DOMAIN_SAY(domain, LOG_INFO,
               "report pages by=%s live=%" PRIu64 " peak=%" PRIu64 " calls=%" PRIu64
               " refused=%" PRIu64,
               what, pages->live, pages->peak, pages->calls, pages->refused);
}

static void report_windows(const struct domain *domain)
{
    const struct avps_xen_guest_counters *counters = &domain->windows.counters;

    DOMAIN_SAY(domain, LOG_INFO,
               "report windows accesses=%" PRIu64 " unknown=%" PRIu64 " lost=%" PRIu64,
               counters->accesses, counters->unknown, counters->lost);
}

/* ---- leaving ---- */

static void domain_unlink(struct domain *domain)
{
    struct domain **link = &domain->program->domains;

    while (*link != domain) {
        link = &(*link)->next;
    }
    *link = domain->next;
}

/* No request is in flight, or none was ever taken. */
static void domain_close(struct domain *domain)
{
    struct program *program = domain->program;

    avps_posix_timer_set(&domain->timer, 0);
    avps_posix_source_remove(&domain->source);
    report_devices(domain);
    while (domain->count > 0U) {
        program->failed = !host_device_free(domain->devices[--domain->count]) || program->failed;
    }
    report_windows(domain);
    avps_xen_guest_close(&domain->windows);
    report_pages(domain, "grant", &domain->grants.pages);
    if (domain->foreign.pieces != NULL) {
        avps_xen_foreign_flush(&domain->foreign); /* what is left then is in use: it must be none */
    }
    report_pages(domain, "foreign", &domain->foreign.pages);
    avps_xen_foreign_close(&domain->foreign);
    domain_unlink(domain);
    free(domain);
    if (program->stopping && program->domains == NULL) {
        avps_posix_loop_stop(&program->loop);
    }
}

/* A device is reset when its last request is done; then it touches no guest memory any more. */
static void domain_try_close(struct domain *domain)
{
    bool done = true;

    for (uint32_t i = 0; i < domain->count; i++) {
        (void)avps_reset(domain->devices[i]->base);
        done = avps_device_status(domain->devices[i]->base) == 0U && done;
    }
    if (!done) {
        avps_posix_timer_set(&domain->timer, avps_posix_now_ns() + DOMAIN_RETRY_NS);
        return;
    }
    const struct store_guest guest = domain->guest;
    struct store *store = domain->program->store;

    domain_close(domain);
    store_answer(store, guest.domain, guest.device, STORE_CLOSED);
}

static void domain_timer(void *ctx)
{
    struct domain *domain = ctx;

    if (domain->leaving) {
        domain_try_close(domain);
    } else if (domain->flushing) {
        domain_try_flush(domain);
    }
}

static void domain_begin_to_leave(struct domain *domain)
{
    if (!domain->leaving) {
        domain->leaving = true;
        avps_posix_source_remove(&domain->source);
        avps_posix_timer_set(&domain->timer, avps_posix_now_ns());
    }
}

void domain_leave(struct program *program, uint32_t id, uint32_t device)
{
    for (struct domain *domain = program->domains; domain != NULL; domain = domain->next) {
        if (domain->guest.domain == id && domain->guest.device == device) {
            domain_begin_to_leave(domain);
            return;
        }
    }
    store_answer(program->store, id, device, STORE_CLOSED); /* one that we could not serve */
}

void domain_leave_all(struct program *program)
{
    for (struct domain *domain = program->domains; domain != NULL; domain = domain->next) {
        domain_begin_to_leave(domain);
    }
    if (program->domains == NULL) {
        avps_posix_loop_stop(&program->loop);
    }
}
