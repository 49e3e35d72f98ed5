/* SPDX-License-Identifier: BSD-3-Clause */
/* The model port, by the memory contract that is named: 0 to 6. */
#include <stdlib.h>

#include "hosted.h"
#include "model.h"

int main(int argc, char **argv)
{
    static struct model model;
    const long kind = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

    if (kind < 0 || kind >= MODEL_KINDS) {
        return 2;
    }
    model_init(&model, (enum model_kind)kind, BUG_NONE);
    model.target.print = hosted_print;
    const int status = hosted_run(&model.target);

    model_free(&model);
    return status;
}
