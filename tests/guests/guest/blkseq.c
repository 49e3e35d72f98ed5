/* SPDX-License-Identifier: BSD-3-Clause */
/* blkseq DISK run SECONDS | check: numbered blocks that tell a lost request from a repeated one.
 *
 * Each block of the first 2 MiB carries its place and how many times it was written. `run` keeps
 * WORKERS requests under way past the cache: a write raises the block's number, a read must bring the
 * number of the last write that was reported as done. A write that was lost, or one of the past that
 * came again, shows as an older number. `check` reads all blocks, of a disk or of its image.
 * Both print "state" and a checksum over all numbers; they must agree. */
#include "bytes.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK   4096U
#define HEADER  8U /* place, number */
#define WORKERS 8U
#define EACH    64U /* blocks of a worker */
#define BLOCKS  (WORKERS * EACH)

/* One worker; nobody else touches its blocks. */
struct worker {
    pthread_t thread;
    int fd;
    uint32_t first;         /* of its blocks */
    uint32_t numbers[EACH]; /* of the last write that is done, by block */
    uint32_t dice;
    double until, longest;
    unsigned long reads, writes;
    bool good;
    _Alignas(BLOCK) uint8_t block[BLOCK];
};

static struct worker workers[WORKERS];

static double seq_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint32_t seq_seed(uint32_t place, uint32_t number)
{
    return place * 2654435761U ^ number;
}

static void seq_fill(uint8_t *block, uint32_t place, uint32_t number)
{
    bytes_put(block, place);
    bytes_put(block + 4, number);
    bytes_noise(block + HEADER, BLOCK - HEADER, seq_seed(place, number));
}

/* Whether `block` is one write of `place` and no mixture; sets its number. */
static bool seq_parse(const uint8_t *block, uint32_t place, uint32_t *number)
{
    uint8_t want[BLOCK];

    *number = bytes_get(block + 4);
    seq_fill(want, place, *number);
    return memcmp(block, want, BLOCK) == 0;
}

static bool seq_pass(struct worker *worker, ssize_t done, double began, uint32_t place)
{
    const double took = seq_now() - began;

    worker->longest = took > worker->longest ? took : worker->longest;
    if (done != (ssize_t)BLOCK) {
        printf("block %u: request failed\n", place);
    }
    return done == (ssize_t)BLOCK;
}

static bool seq_write(struct worker *worker, uint32_t which)
{
    const uint32_t place = worker->first + which;
    const double began = seq_now();

    seq_fill(worker->block, place, worker->numbers[which] + 1U);
    if (!seq_pass(worker, pwrite(worker->fd, worker->block, BLOCK, (off_t)place * BLOCK), began,
                  place)) {
        return false;
    }
    worker->numbers[which]++;
    worker->writes++;
    return true;
}

static bool seq_read(struct worker *worker, uint32_t which)
{
    const uint32_t place = worker->first + which;
    const double began = seq_now();
    uint32_t number;

    memset(worker->block, 0, BLOCK);
    if (!seq_pass(worker, pread(worker->fd, worker->block, BLOCK, (off_t)place * BLOCK), began,
                  place)) {
        return false;
    }
    if (!seq_parse(worker->block, place, &number) || number != worker->numbers[which]) {
        printf("block %u: number %u instead of %u, or torn\n", place, number,
               worker->numbers[which]);
        return false;
    }
    worker->reads++;
    return true;
}

static bool seq_every(struct worker *worker, bool (*move)(struct worker *worker, uint32_t which))
{
    bool good = true;

    for (uint32_t which = 0; good && which < EACH; which++) {
        good = move(worker, which);
    }
    return good;
}

static void *seq_work(void *argument)
{
    struct worker *worker = argument;

    worker->good = seq_every(worker, seq_write);
    while (worker->good && seq_now() < worker->until) {
        worker->dice = worker->dice * 1664525U + 1013904223U;
        const uint32_t which = (worker->dice >> 16) % EACH;

        worker->good =
            (worker->dice >> 31) != 0U ? seq_write(worker, which) : seq_read(worker, which);
    }
    worker->good = worker->good && seq_every(worker, seq_read);
    return NULL;
}

static uint32_t seq_state(uint32_t crc, uint32_t number)
{
    uint8_t bytes[4];

    bytes_put(bytes, number);
    return bytes_crc(crc, bytes, sizeof bytes);
}

/* Sum up what the workers did. @return whether all was well. */
static bool seq_report(void)
{
    unsigned long reads = 0, writes = 0;
    double longest = 0.0;
    uint32_t state = 0;
    bool good = true;

    for (uint32_t i = 0; i < WORKERS; i++) {
        reads += workers[i].reads;
        writes += workers[i].writes;
        longest = workers[i].longest > longest ? workers[i].longest : longest;
        good = good && workers[i].good;
        for (uint32_t which = 0; which < EACH; which++) {
            state = seq_state(state, workers[i].numbers[which]);
        }
    }
    printf("%lu writes, %lu reads, longest %.2f s\nstate %08x\n", writes, reads, longest, state);
    return good;
}

static bool seq_run(const char *disk, double seconds)
{
    const int fd = open(disk, O_RDWR | O_DIRECT);
    bool good = fd >= 0;

    for (uint32_t i = 0; good && i < WORKERS; i++) {
        workers[i].fd = fd;
        workers[i].first = i * EACH;
        workers[i].dice = i + 1U;
        workers[i].until = seq_now() + seconds;
        good = pthread_create(&workers[i].thread, NULL, seq_work, &workers[i]) == 0;
    }
    if (!good) {
        perror(disk);
        return false;
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        (void)pthread_join(workers[i].thread, NULL);
    }
    return seq_report();
}

static bool seq_check(const char *disk)
{
    const int fd = open(disk, O_RDONLY);
    uint8_t block[BLOCK];
    uint32_t number, state = 0;
    bool good = true;

    for (uint32_t place = 0; place < BLOCKS; place++) {
        if (pread(fd, block, BLOCK, (off_t)place * BLOCK) != (ssize_t)BLOCK ||
            !seq_parse(block, place, &number)) {
            printf("block %u: cannot be read, or torn\n", place);
            good = false;
            continue;
        }
        state = seq_state(state, number);
    }
    printf("state %08x\n", state);
    return good;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "run") == 0) {
        return seq_run(argv[1], strtod(argv[3], NULL)) ? 0 : 1;
    }
    if (argc == 3 && strcmp(argv[2], "check") == 0) {
        return seq_check(argv[1]) ? 0 : 1;
    }
    (void)fprintf(stderr, "usage: blkseq DISK run SECONDS | check\n");
    return 2;
}
