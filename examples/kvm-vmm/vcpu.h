/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual CPUs: a thread each, which runs the guest and serves what it stops for; a gate that holds all of
 * them. */
#ifndef VCPU_H
#define VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avps/status.h"
#include "avps_posix/error.h"

struct vm;

enum vcpu_gate_state { GATE_CLOSED, GATE_OPEN, GATE_END };

/* Where they wait while the machine is paused. */
struct vcpu_gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum vcpu_gate_state state;
    uint32_t waiting; /* CPUs that are held */
};

struct vcpu {
    struct vm *vm;
    uint32_t index;
    int fd;
    struct kvm_run *run; /* shared with the kernel */
    size_t run_size;
    pthread_t thread;
    bool has_thread;
};

/* Make virtual CPU `index` of the machine. */
enum avps_status vcpu_init(struct vcpu *vcpu, struct vm *vm, uint32_t index,
                           struct avps_posix_error *error);

void vcpu_free(struct vcpu *vcpu);

/* Start the threads, with the gate closed. */
enum avps_status vcpus_start(struct vm *vm, struct avps_posix_error *error);

/* Close the gate and return: whoever stops for something waits there. */
void vcpus_close(struct vm *vm);

/* Let all run. */
void vcpus_resume(struct vm *vm);

/* Hold all of them; returns when none runs or touches the machine any more, with every access of theirs
 * completed. Not from a loop's callback: one of them may be waiting for that loop. */
void vcpus_pause(struct vm *vm);

/* End the threads. */
void vcpus_stop(struct vm *vm);

#endif
