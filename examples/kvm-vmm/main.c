/* SPDX-License-Identifier: BSD-3-Clause */
/* avps-kvm: a virtual machine monitor for KVM whose devices are libavps. Options -> signals -> starting ->
 * running -> ending -> main. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "avps_posix/notify.h"
#include "avps_posix/stats.h"
#include "command.h"
#include "machine.h"
#include "vm.h"

#define PROGRAM_NAME "avps-kvm"

/* Exit statuses, as in the manual. */
enum program_exit {
    EXIT_WELL =
        0, /* the guest is off, or was saved, or was ended as asked; everything is durable */
    EXIT_START = 1, /* the machine cannot be started */
    EXIT_USAGE = 2, /* the command line makes no sense */
    EXIT_RUN = 3    /* the guest crashed, or something failed later; data may be lost */
};

/* ---- options ---- */

static const struct option program_rows[] = {
    {.name = "kernel",
     .value = "IMAGE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, kernel),
     .help = "Linux kernel: Image (arm64), bzImage (x86-64)"},
    {.name = "initrd",
     .value = "FILE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, initrd),
     .needs = "kernel",
     .help = "its initial RAM disk"},
    {.name = "append",
     .value = "TEXT",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, append),
     .needs = "kernel",
     .help = "its command line"},
    {.name = "memory",
     .value = "SIZE",
     .type = OPTION_SIZE,
     .offset = offsetof(struct vm_options, memory),
     .min = UINT64_C(32) << 20U,
     .max = UINT64_C(1) << 40U,
     .help = "the guest's memory (256M)"},
    {.name = "cpus",
     .value = "N",
     .type = OPTION_NUMBER,
     .offset = offsetof(struct vm_options, cpus),
     .min = 1,
     .max = VM_CPUS,
     .help = "virtual CPUs (1)"},
    {.name = "transport",
     .value = "T",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, transport),
     .help = "how devices are reached: mmio or pci (mmio)"},
    {.name = "platform",
     .value = "FILE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, platform),
     .help = "compiled platform file, which says what devices, memory and CPUs the guest has"},
    {.name = "guest",
     .value = "NAME",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, guest),
     .needs = "platform",
     .help = "the guest of it (the only one)"},
    {.name = "connect",
     .value = "NAME=HOW",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct vm_options, connections),
     .needs = "platform",
     .help = "what is behind a resource that the file names, in the options of its device: "
             "data=file=disk.img,direct; repeatable"},
    {.name = "threads",
     .type = OPTION_FLAG,
     .offset = offsetof(struct vm_options, threads),
     .help = "a thread for each device, in place of one for all"},
    {.name = "serial",
     .value = "S",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, serial),
     .help = "the serial console: stdio or none (stdio)"},
    {.name = "save",
     .value = "FILE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, save),
     .help = "where SIGUSR1 saves the machine; the program ends then"},
    {.name = "restore",
     .value = "FILE",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, restore),
     .help = "go on from a saved machine; the other options are as they were"},
    {.name = "stats",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, stats),
     .help = "serve counters and events on this Unix socket, for avps-top"},
    {.name = "no-reboot",
     .type = OPTION_FLAG,
     .offset = offsetof(struct vm_options, no_reboot),
     .help = "end when the guest wants to start again"},
    {.name = "kvm",
     .value = "PATH",
     .type = OPTION_TEXT,
     .offset = offsetof(struct vm_options, kvm),
     .help = "the kernel's device (/dev/kvm)"},
};

static const char *options_complaint(const struct vm_options *options)
{
    if (options->kernel == NULL && options->restore == NULL) {
        return "--kernel or --restore is missing";
    }
    if (strcmp(options->transport, "mmio") != 0 && strcmp(options->transport, "pci") != 0) {
        return "--transport takes mmio or pci";
    }
    if (strcmp(options->serial, "stdio") != 0 && strcmp(options->serial, "none") != 0) {
        return "--serial takes stdio or none";
    }
    if (options->memory % (UINT64_C(2) << 20U) != 0U) {
        return "--memory takes a multiple of 2M";
    }
    if (options->threads && options->stats != NULL) {
        return "--stats and --threads exclude each other";
    }
    return NULL;
}

/* What the platform file says cannot be said again. */
static const char *platform_complaint(const struct vm *vm, const struct command *command)
{
    if (vm->options.platform == NULL) {
        return NULL;
    }
    if (options_given(&command->program, "memory") || options_given(&command->program, "cpus") ||
        options_given(&command->program, "transport")) {
        return "--memory, --cpus and --transport are for the platform file to say";
    }
    return vm->devices.count != 0U ? "the platform file says which devices there are" : NULL;
}

static struct host_device *program_device(void *ctx, const struct host_kind *kind, void **target)
{
    struct device *device = devices_add(ctx, kind);

    (void)target;
    return device != NULL ? device->host : NULL;
}

/* ---- signals ---- */

/* What the main thread is to do when its loop returns. */
struct program {
    struct vm vm;
    struct avps_posix_signals signals;
    struct avps_posix_stats *stats;
    bool save;
    bool toggle;
    bool reload;
    bool resized;
    bool paused;
};

static void program_escaped(void *ctx)
{
    vm_finish(ctx, VM_ASKED, "ended at the terminal");
}

static void program_signal(void *ctx, int signo)
{
    struct program *program = ctx;

    program->save = program->save || signo == SIGUSR1;
    program->toggle = program->toggle != (signo == SIGUSR2);
    program->reload = program->reload || signo == SIGHUP;
    program->resized = program->resized || signo == SIGWINCH;
    if (signo == SIGTERM || signo == SIGINT) {
        vm_finish(&program->vm, VM_ASKED, "ended by signal %d", signo);
    }
    avps_posix_loop_stop(&program->vm.loop); /* the main thread does it, outside the loop */
}

/* ---- starting ---- */

static enum avps_status program_init_loop(struct program *program, struct avps_posix_error *error)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGWINCH, SIGUSR1, SIGUSR2};
    struct vm *vm = &program->vm;

    if (avps_posix_loop_init(&vm->loop) != AVPS_OK || avps_posix_loop_share(&vm->loop) != AVPS_OK ||
        avps_posix_signals_init(&program->signals, &vm->loop, signals,
                                sizeof signals / sizeof signals[0], program_signal,
                                program) != AVPS_OK) {
        return host_fail(error, AVPS_E_IO, "cannot start: %s", strerror(errno));
    }
    return AVPS_OK;
}

static enum avps_status program_init_serial(struct vm *vm, struct avps_posix_error *error)
{
    vm->serial.loop = &vm->loop;
    vm->serial.irq = &vm->irq;
    vm->serial.line = arch_serial_line();
    vm->serial.escaped = program_escaped;
    vm->serial.ctx = vm;
    const enum avps_status status =
        serial_init(&vm->serial, strcmp(vm->options.serial, "stdio") == 0);

    return status == AVPS_OK
               ? status
               : host_fail(error, status, "cannot watch standard input: %s", strerror(errno));
}

static uint32_t program_devices(void *ctx, struct avps_stats_device *devices, uint32_t most)
{
    return devices_stats(ctx, devices, most);
}

static enum avps_status program_init_stats(struct program *program, struct avps_posix_error *error)
{
    struct vm *vm = &program->vm;
    const struct avps_posix_stats_config config = {
        .path = vm->options.stats, .loop = &vm->loop, .devices = program_devices, .ctx = vm};

    return vm->options.stats != NULL ? avps_posix_stats_open(&config, &program->stats, error)
                                     : AVPS_OK;
}

/* Whether this program can keep what the file says of a guest. */
static enum avps_status program_check_guest(const struct avps_platform_guest *guest,
                                            struct avps_posix_error *error)
{
    if (guest->cpus > VM_CPUS) {
        return host_fail(error, AVPS_E_UNSUPPORTED, "guest %s wants %u CPUs: there are %u at most",
                         guest->name, guest->cpus, VM_CPUS);
    }
    if (guest->memory_mib % 2U != 0U) {
        return host_fail(error, AVPS_E_UNSUPPORTED,
                         "guest %s wants %u MiB: it has to be a multiple of 2", guest->name,
                         guest->memory_mib);
    }
    return guest->dma_window_mib == 0U
               ? AVPS_OK
               : host_fail(error, AVPS_E_UNSUPPORTED,
                           "guest %s keeps its devices to a DMA window, which this program cannot",
                           guest->name);
}

/* A platform file in place of options. */
static enum avps_status program_plan(struct vm *vm, struct avps_posix_error *error)
{
    struct vm_options *options = &vm->options;
    enum avps_status status = AVPS_OK;

    if (options->platform == NULL) {
        return AVPS_OK;
    }
    status = host_platform_load(&vm->platform, options->platform, options->guest,
                                &options->connections, error);
    status = status == AVPS_OK ? program_check_guest(vm->platform->guest, error) : status;
    if (status != AVPS_OK) {
        return status;
    }
    options->memory = (uint64_t)vm->platform->guest->memory_mib << 20U;
    options->cpus = vm->platform->guest->cpus;
    return devices_add_planned(vm, error);
}

static enum avps_status program_start(struct program *program, struct avps_posix_error *error)
{
    struct vm *vm = &program->vm;
    enum avps_status status = program_init_loop(program, error);

    status = status == AVPS_OK ? program_plan(vm, error) : status;
    status = status == AVPS_OK ? vm_init(vm, error) : status;
    status = status == AVPS_OK ? program_init_serial(vm, error) : status;
    status = status == AVPS_OK ? devices_open(vm, error) : status;
    if (status == AVPS_OK) {
        status = vm->options.restore != NULL ? machine_load(vm, vm->options.restore, error)
                                             : arch_boot(vm, error);
    }
    status = status == AVPS_OK ? program_init_stats(program, error) : status;
    status = status == AVPS_OK ? devices_start(vm, error) : status;
    status = status == AVPS_OK ? vcpus_start(vm, error) : status;
    if (status == AVPS_OK && vm->options.restore != NULL) {
        host_say(&vm->host, LOG_INFO, "restored from %s", vm->options.restore);
        devices_resume(vm); /* doorbells that rang when it was saved */
        devices_moved(vm);
    }
    return status;
}

/* ---- running ---- */

static void program_save(struct program *program)
{
    struct vm *vm = &program->vm;
    struct avps_posix_error error = {{0}};

    if (vm->options.save == NULL) {
        host_say(&vm->host, LOG_ERROR, "nothing is saved: --save was not given");
        return;
    }
    vcpus_pause(vm);
    if (!devices_quiesce(vm)) {
        host_say(&vm->host, LOG_ERROR, "nothing is saved: requests are still in flight");
    } else if (machine_save(vm, vm->options.save, &error) == AVPS_OK) {
        vm_finish(vm, VM_ASKED, "saved to %s", vm->options.save);
        return;
    } else {
        vm_finish(vm, VM_FAILED, "%s", error.text);
        return;
    }
    devices_resume(vm);
    vcpus_resume(vm);
}

static void program_toggle(struct program *program)
{
    struct vm *vm = &program->vm;

    program->paused = !program->paused;
    if (program->paused) {
        vcpus_pause(vm);
        (void)devices_quiesce(vm);
    } else {
        devices_resume(vm);
        vcpus_resume(vm);
    }
    host_say(&vm->host, LOG_INFO, "%s", program->paused ? "paused" : "resumed");
}

/* What signals asked for. */
static void program_serve(struct program *program)
{
    if (program->resized) {
        devices_resized(&program->vm);
    }
    if (program->reload) {
        devices_reload(&program->vm);
    }
    if (program->toggle) {
        program_toggle(program);
    }
    if (program->save) {
        program_save(program);
    }
    program->resized = false;
    program->reload = false;
    program->toggle = false;
    program->save = false;
}

static void program_run(struct program *program)
{
    struct vm *vm = &program->vm;

    vcpus_resume(vm);
    while (atomic_load(&vm->end) == VM_RUNS) {
        if (avps_posix_loop_run(&vm->loop) != AVPS_OK) {
            vm_finish(vm, VM_FAILED, "cannot wait for events: %s", strerror(errno));
        }
        if (atomic_load(&vm->end) == VM_RUNS) {
            program_serve(program);
        }
    }
}

/* ---- ending ---- */

/* Whether all went well. */
static bool program_end(struct program *program, bool started)
{
    struct vm *vm = &program->vm;
    bool is_well = true;

    vcpus_stop(vm);
    if (started && !devices_quiesce(vm)) {
        host_say(&vm->host, LOG_ERROR, "requests are still in flight after 10 seconds");
        is_well = false;
    }
    if (started) {
        devices_report(vm);
    }
    avps_posix_stats_close(program->stats);
    is_well = devices_free(vm) && is_well;
    host_platform_free(vm->platform);
    vm->platform = NULL;
    serial_free(&vm->serial);
    vm_free(vm);
    avps_posix_signals_free(&program->signals);
    avps_posix_loop_free(&vm->loop);
    return is_well;
}

static int program_exit_status(const struct vm *vm, bool is_well)
{
    const int end = atomic_load(&vm->end);

    host_say(&vm->host, end == VM_CRASH || end == VM_FAILED ? LOG_ERROR : LOG_INFO, "the end: %s",
             vm->why);
    return is_well && end != VM_CRASH && end != VM_FAILED ? EXIT_WELL : EXIT_RUN;
}

/* ---- main ---- */

static void program_defaults(struct program *program, struct command *command)
{
    program->vm.host = (struct host){
        .say = command_say, .say_ctx = command, .stop = program_escaped, .stop_ctx = &program->vm};
    program->vm.options = (struct vm_options){.kvm = "/dev/kvm",
                                              .append = "",
                                              .serial = "stdio",
                                              .transport = "mmio",
                                              .memory = UINT64_C(256) << 20U,
                                              .cpus = 1};
    program->vm.kvm_fd = -1;
    program->vm.fd = -1;
    program->vm.irqchip_fd = -1;
    program->vm.its_fd = -1;
    (void)pthread_mutex_init(&program->vm.gate.mutex, NULL);
    (void)pthread_cond_init(&program->vm.gate.changed, NULL);
}

/* One life of the machine. */
static int program_live(struct program *program, char *const *arguments, size_t count, bool again)
{
    struct vm *vm = &program->vm;
    struct command command = {
        .name = PROGRAM_NAME,
        .about = "Boots a Linux guest on KVM with virtio devices.",
        .device_usage = "",
        .rows = program_rows,
        .row_count = sizeof program_rows / sizeof program_rows[0],
        .target = &vm->options,
        .device = program_device,
        .ctx = vm,
        .level = LOG_INFO,
    };
    struct avps_posix_error error = {{0}};

    program_defaults(program, &command);
    const enum command_result result = command_read(&command, arguments, count);
    const char *complaint = options_complaint(&vm->options);
    complaint = complaint != NULL ? complaint : platform_complaint(vm, &command);
    if (result != COMMAND_RUN || complaint != NULL) {
        const bool done = result == COMMAND_DONE;

        if (result == COMMAND_RUN) {
            (void)command_wrong(&command, "", complaint);
        }
        (void)devices_free(vm);
        return done ? EXIT_WELL : EXIT_USAGE;
    }
    vm->options.restore = again ? NULL : vm->options.restore;
    if (program_start(program, &error) != AVPS_OK) {
        (void)fprintf(stderr, PROGRAM_NAME ": %s\n", error.text);
        (void)program_end(program, false);
        return EXIT_START;
    }
    program_run(program);
    return program_exit_status(vm, program_end(program, true));
}

int main(int argc, char **argv)
{
    static struct program program;
    const size_t count = argc > 1 ? (size_t)argc - 1U : 0U;
    int status = program_live(&program, argv + 1, count, false);

    while (status == EXIT_WELL && atomic_load(&program.vm.end) == VM_REBOOT &&
           !program.vm.options.no_reboot) {
        (void)memset(&program, 0, sizeof program);
        status = program_live(&program, argv + 1, count, true);
    }
    return status;
}
