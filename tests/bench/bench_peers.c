/* SPDX-License-Identifier: BSD-3-Clause */
/* One cell of the comparison of vhost-user back ends: a load on two running back ends in turn.
 * usage: bench_peers net WHAT SIZE MERGEABLE ROUNDS WINDOW_MS SIDE [SIDE]
 *        bench_peers blk WHAT LEN DEPTH ROUNDS WINDOW_MS SIDE [SIDE]
 * See load.h for SIDE and for the lines it prints; tests/bench/peers.py calls it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_blk.h"
#include "load_net.h"

static uint32_t number(const char *text)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value > UINT32_MAX) {
        fprintf(stderr, "bench_peers: not a number: %s\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static struct side sides[2];
    const struct load *load = NULL;
    const uint32_t count = (uint32_t)argc - 7U;

    if (argc < 8 || argc > 9) {
        fprintf(stderr, "usage: bench_peers net|blk WHAT SIZE MERGEABLE|DEPTH ROUNDS WINDOW_MS "
                        "NAME,PID,split|packed,poll|sleep,SOCKET ...\n");
        return 2;
    }
    if (strcmp(argv[1], "net") == 0) {
        load = load_net(argv[2], number(argv[3]), number(argv[4]) != 0U);
    } else {
        load = load_blk(argv[2], number(argv[3]), number(argv[4]));
    }
    for (uint32_t i = 0; i < count; i++) {
        load_parse_side(&sides[i], argv[7U + i]);
    }
    load_measure(sides, count, load, number(argv[5]), number(argv[6]));
    return 0;
}
