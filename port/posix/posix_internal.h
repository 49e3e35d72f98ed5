/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the back ends: from a member to its struct, closing, doubly linked lists. */
#ifndef POSIX_INTERNAL_H
#define POSIX_INTERNAL_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "avps_posix/loop.h"

#define POSIX_CONTAINER_OF(ptr, type, member)                                                      \
    ((type *)(void *)((unsigned char *)(ptr)-offsetof(type, member)))

/* Close and forget; errno stays what it was. */
static inline void posix_close(int *fd)
{
    const int saved = errno;

    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
    errno = saved;
}

/* ---- lists: circular, with a head that holds nothing ---- */

static inline void posix_list_init(struct avps_posix_link *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool posix_list_is_empty(const struct avps_posix_link *head)
{
    return head->next == head;
}

static inline bool posix_link_is_listed(const struct avps_posix_link *link)
{
    return link->next != NULL;
}

static inline void posix_link_before(struct avps_posix_link *link, struct avps_posix_link *at)
{
    link->next = at;
    link->prev = at->prev;
    at->prev->next = link;
    at->prev = link;
}

static inline void posix_link_remove(struct avps_posix_link *link)
{
    if (posix_link_is_listed(link)) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->next = NULL;
        link->prev = NULL;
    }
}

/* Move all of `from` into the empty list `to`. */
static inline void posix_list_move(struct avps_posix_link *from, struct avps_posix_link *to)
{
    if (posix_list_is_empty(from)) {
        return;
    }
    to->next = from->next;
    to->prev = from->prev;
    to->next->prev = to;
    to->prev->next = to;
    posix_list_init(from);
}

#endif
