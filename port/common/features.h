/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of the features that a platform file can offer or leave out: the one home of these words. */
#ifndef COMMON_FEATURES_H
#define COMMON_FEATURES_H

#include <stdint.h>

#include "avps_common/platform.h"

/* A feature; `needs` is another of the same set that it makes no sense without, or NULL. */
struct feature {
    const char *name;
    uint32_t bit;
    const char *needs;
};

struct feature_set {
    const struct feature *rows;
    uint32_t count;
};

/* What is common to all kinds. */
extern const struct feature_set features_common;

/* What is special to a kind. */
extern const struct feature_set features_blk;
extern const struct feature_set features_net;
extern const struct feature_set features_console;
extern const struct feature_set features_vsock;

/* The same by kind; empty for kinds without any to choose. */
const struct feature_set *features_of(enum avps_platform_kind kind);

/* The row of this name. @return NULL: there is none. */
const struct feature *features_find(const struct feature_set *set, const char *name);

#endif
