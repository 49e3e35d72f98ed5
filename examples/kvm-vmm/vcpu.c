/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual CPUs: the gate -> what a guest stops for -> the thread -> all of them -> init and free. */
#include "vcpu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "little.h"
#include "vm.h"

#define VCPU_SIGNAL SIGRTMIN /* makes KVM_RUN return */
#define VCPU_STRAYS 8U       /* lines about addresses where nothing is, at most */

/* ---- the gate ---- */

/* Wait until the CPUs may run. @return false: they are to end. */
static bool gate_pass(struct vcpu_gate *gate)
{
    (void)pthread_mutex_lock(&gate->mutex);
    gate->waiting++;
    (void)pthread_cond_broadcast(&gate->changed);
    while (gate->state == GATE_CLOSED) {
        (void)pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    gate->waiting--;
    const bool pass = gate->state == GATE_OPEN;
    (void)pthread_mutex_unlock(&gate->mutex);
    return pass;
}

static void gate_set(struct vcpu_gate *gate, enum vcpu_gate_state state)
{
    (void)pthread_mutex_lock(&gate->mutex);
    gate->state = state;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
}

/* ---- what a guest stops for ---- */

/* A guest can do it as often as it likes. */
static void vcpu_says_nothing_there(const struct vcpu *vcpu, uint64_t address, bool is_write)
{
    if (atomic_fetch_add(&vcpu->vm->strays, 1U) < VCPU_STRAYS) {
        host_say(&vcpu->vm->host, LOG_ERROR, "the guest %s 0x%llx, where nothing is",
                 is_write ? "writes to" : "reads from", (unsigned long long)address);
    }
}

static void vcpu_memory_access(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    const uint32_t most = sizeof run->mmio.data;
    const uint32_t width = run->mmio.len < most ? run->mmio.len : most;
    struct bus_access access = {.width = width, .is_write = run->mmio.is_write != 0U};

    if (access.is_write) {
        access.value = little_get(run->mmio.data, width);
    }
    if (!bus_serve_at(&vcpu->vm->bus, run->mmio.phys_addr, &access)) {
        vcpu_says_nothing_there(vcpu, run->mmio.phys_addr, access.is_write);
    }
    if (!access.is_write) {
        little_put(run->mmio.data, width, access.value);
    }
}

/* The same instruction may move several values (rep outs). */
static void vcpu_port_access(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint8_t *bytes = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, bytes += run->io.size) {
        struct bus_access access = {.width = run->io.size,
                                    .is_write = run->io.direction == KVM_EXIT_IO_OUT};

        if (access.is_write) {
            access.value = little_get(bytes, access.width);
        }
        (void)bus_serve_at(&vcpu->vm->ports, run->io.port, &access);
        if (!access.is_write) {
            little_put(bytes, access.width, access.value);
        }
    }
}

static void vcpu_system_event(const struct vcpu *vcpu)
{
    switch (vcpu->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        vm_finish(vcpu->vm, VM_OFF, "off");
        break;
    case KVM_SYSTEM_EVENT_RESET:
        vm_finish(vcpu->vm, VM_REBOOT, "reboot");
        break;
    default:
        vm_finish(vcpu->vm, VM_CRASH, "system event %u", vcpu->run->system_event.type);
        break;
    }
}

static void vcpu_serve(struct vcpu *vcpu)
{
    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_MMIO:
        vcpu_memory_access(vcpu);
        break;
    case KVM_EXIT_IO:
        vcpu_port_access(vcpu);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        vcpu_system_event(vcpu);
        break;
    case KVM_EXIT_SHUTDOWN: /* x86: triple fault */
        vm_finish(vcpu->vm, VM_REBOOT, "reboot");
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        vm_finish(vcpu->vm, VM_FAILED, "KVM gave the guest up: internal error %u",
                  vcpu->run->internal.suberror);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        vm_finish(vcpu->vm, VM_FAILED, "KVM cannot run the guest: entry failed, reason 0x%llx",
                  (unsigned long long)vcpu->run->fail_entry.hardware_entry_failure_reason);
        break;
    default:
        vm_finish(vcpu->vm, VM_FAILED,
                  "KVM stopped the guest for reason %u, which has no meaning here",
                  vcpu->run->exit_reason);
        break;
    }
}

/* ---- the thread ---- */

/* One stay in the guest. An access is completed by the next stay: the gate closes in front of one that
 * does nothing else (immediate_exit), so that the CPU's state is whole behind it. */
static bool vcpu_stay(struct vcpu *vcpu)
{
    if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
        vcpu_serve(vcpu);
        return true;
    }
    if (errno == EINTR || errno == EAGAIN) {
        vcpu->run->immediate_exit = 0;
        return gate_pass(&vcpu->vm->gate);
    }
    vm_finish(vcpu->vm, VM_FAILED, "KVM cannot run the guest: %s", strerror(errno));
    return gate_pass(&vcpu->vm->gate);
}

static void *vcpu_thread(void *ctx)
{
    struct vcpu *vcpu = ctx;
    bool goes_on = gate_pass(&vcpu->vm->gate);

    while (goes_on) {
        goes_on = vcpu_stay(vcpu);
        if (atomic_load(&vcpu->vm->end) != VM_RUNS) {
            vcpu->run->immediate_exit = 1; /* the machine is over: on to the gate */
        }
    }
    return NULL;
}

static void vcpu_signalled(int signo)
{
    (void)signo; /* it made KVM_RUN return */
}

/* ---- all of them ---- */

static enum avps_status vcpu_start(struct vcpu *vcpu, struct avps_posix_error *error)
{
    const int failed = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);

    if (failed != 0) {
        return host_fail(error, AVPS_E_NOSPACE, "no thread for CPU %u: %s", vcpu->index,
                         strerror(failed));
    }
    vcpu->has_thread = true;
    return AVPS_OK;
}

enum avps_status vcpus_start(struct vm *vm, struct avps_posix_error *error)
{
    const struct sigaction action = {.sa_handler = vcpu_signalled};
    enum avps_status status = AVPS_OK;

    (void)sigaction(VCPU_SIGNAL, &action, NULL);
    for (uint32_t i = 0; i < vm->options.cpus && status == AVPS_OK; i++) {
        status = vcpu_start(&vm->vcpus[i], error);
    }
    return status;
}

void vcpus_close(struct vm *vm)
{
    gate_set(&vm->gate, GATE_CLOSED);
}

void vcpus_resume(struct vm *vm)
{
    gate_set(&vm->gate, GATE_OPEN);
}

static void vcpu_kick(const struct vcpu *vcpu)
{
    if (vcpu->has_thread) {
        vcpu->run->immediate_exit = 1;
        (void)pthread_kill(vcpu->thread, VCPU_SIGNAL);
    }
}

void vcpus_pause(struct vm *vm)
{
    gate_set(&vm->gate, GATE_CLOSED);
    for (uint32_t i = 0; i < vm->options.cpus; i++) {
        vcpu_kick(&vm->vcpus[i]);
    }
    (void)pthread_mutex_lock(&vm->gate.mutex);
    while (vm->gate.waiting < vm->options.cpus) {
        (void)pthread_cond_wait(&vm->gate.changed, &vm->gate.mutex);
    }
    (void)pthread_mutex_unlock(&vm->gate.mutex);
}

void vcpus_stop(struct vm *vm)
{
    gate_set(&vm->gate, GATE_END);
    for (uint32_t i = 0; i < vm->options.cpus; i++) {
        vcpu_kick(&vm->vcpus[i]);
    }
    for (uint32_t i = 0; i < vm->options.cpus; i++) {
        if (vm->vcpus[i].has_thread) {
            (void)pthread_join(vm->vcpus[i].thread, NULL);
            vm->vcpus[i].has_thread = false;
        }
    }
}

/* ---- init and free ---- */

enum avps_status vcpu_init(struct vcpu *vcpu, struct vm *vm, uint32_t index,
                           struct avps_posix_error *error)
{
    const int size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    *vcpu = (struct vcpu){.vm = vm, .index = index, .run_size = (size_t)size};
    vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
    if (size <= 0 || vcpu->fd < 0) {
        return host_fail(error, AVPS_E_IO, "KVM gives no virtual CPU %u: %s", index,
                         strerror(errno));
    }
    void *run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED) {
        return host_fail(error, AVPS_E_IO, "cannot map virtual CPU %u: %s", index, strerror(errno));
    }
    vcpu->run = run;
    return AVPS_OK;
}

void vcpu_free(struct vcpu *vcpu)
{
    if (vcpu->run != NULL) {
        (void)munmap(vcpu->run, vcpu->run_size);
    }
    if (vcpu->vm != NULL && vcpu->fd >= 0) {
        (void)close(vcpu->fd);
    }
    *vcpu = (struct vcpu){.fd = -1};
}
