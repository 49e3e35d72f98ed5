/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest: everything that belongs to it, and its life. Its virtual CPUs run on physical CPUs of their own;
 * the first of them starts it, whichever leaves last ends it. Order: state, making, life, what others ask. */
#ifndef HYP_GUEST_H
#define HYP_GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "avps_common/platform.h"
#include "bm_gic.h"
#include "bm_psci.h"
#include "bm_stage2.h"
#include "devices.h"
#include "host.h"
#include "lock.h"
#include "plan.h"
#include "vcpu.h"

#define GUEST_MAX    4U
#define GUEST_ANSWER 32U

enum guest_state { GUEST_OFF, GUEST_RUNNING, GUEST_ENDING };
enum guest_request { GUEST_NOTHING, GUEST_START, GUEST_STOP, GUEST_RESTART };

struct guest { /* in the order of use; NOLINT(clang-analyzer-optin.performance.Padding) */
    const struct avps_platform_guest *plan;
    uint32_t number;
    bool is_operator; /* it may have other guests started and stopped */
    bool restarts;    /* after a crash, or when it asks for a reset */

    uint64_t ram; /* in the machine, and its size */
    uint64_t ram_size;
    const struct host_kernel *kernel;
    const struct host_range *initrd; /* NULL: a program that needs none */
    struct bm_stage2 map;

    struct lock lock;    /* for what follows, and the devices */
    atomic_uint state;   /* enum guest_state; changes under the lock */
    atomic_uint request; /* enum guest_request */
    uint32_t inside;     /* virtual CPUs that are in the guest, or on their way back into it */
    uint32_t lives;
    const char *end; /* how its life ends */
    bool again;      /* another one follows */
    struct bm_psci psci;
    struct devices devices;
    struct terminal_screen screen;
    uint32_t events_said;
    char answer[GUEST_ANSWER]; /* of the operator */

    uint64_t started; /* counter when this life began; the guest's own starts from here */
    bool booted;      /* its first process was seen in this life */

    struct lock gic_lock; /* for what follows */
    struct bm_gic gic;

    struct vcpu vcpus[BM_CPUS];
};

/* Make all guests of the platform: memory, devices, CPUs. They do not run yet.
 * @return NULL, or what is wrong. */
const char *guest_init(const struct avps_platform *platform, const struct host *host);

struct guest *guest_at(uint32_t index);
uint32_t guest_count(void);

/* ---- life ---- */

/* The calling CPU is to run guests: its registers of EL2. */
void guest_init_cpu(struct vcpu *vcpu);

/* What a CPU does outside of the guest: wait until there is something to run, then run it. */
_Noreturn void guest_run(struct vcpu *vcpu);

/* The guest of `vcpu` ends: its CPUs will leave it. @param end  "off", "reset", "crash" or "stopped".
 * @param again  It may live once more. */
void guest_end(struct vcpu *vcpu, const char *end, bool again);

/* Go on in the guest; does not return if its life is over. */
void guest_return(struct vcpu *vcpu);

/* A virtual CPU switched itself off. */
_Noreturn void guest_park(struct vcpu *vcpu);

/* The physical interrupts that are pending on the calling CPU. */
void guest_interrupts(struct vcpu *vcpu);

/* ---- what others ask; any CPU ---- */

void guest_ask(struct guest *guest, enum guest_request request);
bool guest_is_running(const struct guest *guest);

/* Its first process runs: report how long that took. Its lock is held. */
void guest_booted(struct guest *guest);

#endif
