/* SPDX-License-Identifier: BSD-3-Clause */
/* Mappings: the guard -> checks -> mapping. A front end owns the files it sends and may truncate
 * them at any time; the access that then faults finds anonymous zeros instead, and the connection
 * is closed when the loop is back. */
#include "mapping.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- the guard ---- */

#define GUARDS 4096U

/* `length` is written last and cleared first: the handler may run between any two instructions. */
struct guard {
    _Atomic(uint8_t *) base;
    atomic_size_t length;
    atomic_bool lost;
};

static struct guard guards[GUARDS];
static atomic_uint losses;

static struct guard *guard_find(uintptr_t address)
{
    for (uint32_t i = 0; i < GUARDS; i++) {
        const size_t length = atomic_load(&guards[i].length);

        if (length != 0U && address - (uintptr_t)atomic_load(&guards[i].base) < length) {
            return &guards[i];
        }
    }
    return NULL;
}

static void guard_fault(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    struct guard *guard = guard_find((uintptr_t)info->si_addr);

    (void)context;
    if (guard == NULL ||
        mmap(atomic_load(&guard->base), atomic_load(&guard->length), PROT_READ | PROT_WRITE,
             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
        (void)signal(signo, SIG_DFL); /* not ours: the instruction is repeated and kills */
    } else {
        atomic_store(&guard->lost, true);
        (void)atomic_fetch_add(&losses, 1U);
    }
    errno = saved;
}

void vu_mapping_guard(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};

    action.sa_sigaction = guard_fault;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}

/* @return GUARDS when the table is full. */
static uint32_t guard_add(const struct vu_mapping *mapping)
{
    for (uint32_t i = 0; i < GUARDS; i++) {
        if (atomic_load(&guards[i].length) == 0U) {
            atomic_store(&guards[i].base, mapping->base);
            atomic_store(&guards[i].lost, false);
            atomic_store(&guards[i].length, (size_t)mapping->length);
            return i;
        }
    }
    return GUARDS;
}

/* ---- checks ---- */

static uint64_t mapping_page(int fd)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct statfs fs;

    if (fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize > 0) {
        return (uint64_t)fs.f_bsize;
    }
    return page;
}

static const char *mapping_check(int fd, uint64_t offset, uint64_t size)
{
    struct stat st;

    if (size == 0U) {
        return "is empty";
    }
    if (offset > (uint64_t)INT64_MAX || size > (uint64_t)INT64_MAX - offset) {
        return "wraps in its file";
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return "is not in a regular file or memfd";
    }
    if ((uint64_t)st.st_size < offset + size) {
        return "goes past the end of its file";
    }
    return NULL;
}

/* ---- mapping ---- */

const char *vu_mapping_map(struct vu_mapping *mapping, int fd, uint64_t offset, uint64_t size)
{
    const char *why = mapping_check(fd, offset, size);

    if (why != NULL) {
        return why;
    }
    const uint64_t page = mapping_page(fd);
    const uint64_t delta = offset % page;
    const uint64_t length = (delta + size + page - 1U) / page * page;

    if (length > SIZE_MAX) {
        return "is larger than the address space";
    }
    void *base = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                      (off_t)(offset - delta));
    if (base == MAP_FAILED) {
        return strerror(errno);
    }
    *mapping = (struct vu_mapping){
        .base = base, .length = length, .data = (uint8_t *)base + delta, .size = size};
    mapping->guard = guard_add(mapping);
    if (mapping->guard == GUARDS) {
        vu_mapping_unmap(mapping);
        return "finds no room: too many mappings in this process";
    }
    return NULL;
}

void vu_mapping_unmap(struct vu_mapping *mapping)
{
    if (mapping->base == NULL) {
        return;
    }
    if (mapping->guard < GUARDS) {
        atomic_store(&guards[mapping->guard].length, 0U);
    }
    (void)munmap(mapping->base, (size_t)mapping->length);
    *mapping = (struct vu_mapping){0};
}

uint32_t vu_mapping_losses(void)
{
    return atomic_load_explicit(&losses, memory_order_relaxed);
}

bool vu_mapping_is_lost(const struct vu_mapping *mapping)
{
    return mapping->base != NULL && atomic_load(&guards[mapping->guard].lost);
}
