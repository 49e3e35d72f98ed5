/* SPDX-License-Identifier: BSD-3-Clause */
/* Who sits at the terminals: answers questions of guests, and does for one guest, which the option
 * operator=NAME names, what it asks to be done with the others.
 *
 *   AVPS-ASK n          every guest: "AVPS-ANSWER n+1" is typed
 *   ... AVPS-INIT       every guest: its first process runs; the boot time is reported
 *   AVPS-DO start NAME  the operator's guest; also stop, restart: "AVPS-DONE yes" or "no" is typed
 *   AVPS-DO is NAME     "AVPS-DONE running" or "off" */
#ifndef HYP_OPERATOR_H
#define HYP_OPERATOR_H

#include <stdint.h>

struct guest;

/* `guest` printed a line, without its end. Its lock is held.
 * @return What is typed: a text without newline, valid until the next call for this guest; NULL: nothing. */
const char *operator_read(struct guest *guest, const char *line, uint32_t len);

#endif
