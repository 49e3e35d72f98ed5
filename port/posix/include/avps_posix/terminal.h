/* SPDX-License-Identifier: BSD-3-Clause */
/** @file terminal.h
 *  A console port on the host: a pseudo terminal, the program's own terminal or pipes, a Unix
 *  socket, or a file; for avps/console.h.
 *
 *  Memory: allocated at open, given back at close. Threads: the loop's context. Guest: its bytes go
 *  out as they come; a terminal that shows them interprets them.
 *
 *  A reader that is slow holds the guest up, a guest that is slow holds the writer up; no byte is
 *  lost or repeated. Where nobody is connected (a pseudo terminal or socket without a peer) output is
 *  discarded, and the guest is told with MULTIPORT.
 */
#ifndef AVPS_POSIX_TERMINAL_H
#define AVPS_POSIX_TERMINAL_H

#include "avps/console.h"
#include "avps_posix/error.h"
#include "avps_posix/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The key that ends avps_posix_terminal on the program's own terminal: control and ]. */
#define AVPS_POSIX_TERMINAL_ESCAPE 0x1dU

/** What is behind a port. */
enum avps_posix_terminal_kind {
    AVPS_POSIX_TERMINAL_PTY,   /**< A pseudo terminal; its name is asked for after opening. */
    AVPS_POSIX_TERMINAL_STDIO, /**< Standard input and output; a terminal is put into raw mode. */
    AVPS_POSIX_TERMINAL_UNIX,  /**< A listening Unix socket, one peer at a time. */
    AVPS_POSIX_TERMINAL_FILE   /**< Output is appended to a file; there is no input. */
};

/** What to open. */
struct avps_posix_terminal_config {
    struct avps_posix_loop *loop;       /**< Required. */
    enum avps_posix_terminal_kind kind; /**< What. */
    const char *path;                   /**< UNIX: where; FILE: which; else NULL. */
    uint32_t port;                      /**< Number of the console's port. */
    /** STDIO on a terminal: the user typed the escape key, whether or not the guest reads; what is
     *  typed ahead of the guest beyond 4096 bytes is lost then. May be NULL: the key is passed on. */
    void (*escaped)(void *ctx);
    void *ctx; /**< Handed to it. */
};

/** An open terminal. */
struct avps_posix_terminal;

/** Open.
 *  @param[out] terminal  Yours to close.
 *  @param[out] error     Why not. May be NULL.
 *  @return AVPS_OK; AVPS_E_PARAM: configuration; AVPS_E_STATE: the socket is in use;
 *  AVPS_E_NOSPACE; AVPS_E_IO: anything else. */
AVPS_NODISCARD enum avps_status
avps_posix_terminal_open(struct avps_posix_terminal **terminal,
                         const struct avps_posix_terminal_config *config,
                         struct avps_posix_error *error);

/** Close; a terminal's mode is put back, a socket's name removed. What the guest sent and nobody has
 *  taken is not waited for. NULL is allowed. */
void avps_posix_terminal_close(struct avps_posix_terminal *terminal);

/** Fill in ops, ctx, open, and where it is known the size. */
void avps_posix_terminal_describe(struct avps_posix_terminal *terminal,
                                  struct avps_console_port_config *config);

/** Name the device, after avps_console_init or avps_console_add_port. Input flows from now on. */
void avps_posix_terminal_attach(struct avps_posix_terminal *terminal, struct avps_console *console);

/** Tell the guest the size of the program's own terminal again, after SIGWINCH. */
void avps_posix_terminal_resized(struct avps_posix_terminal *terminal);

/** Where it is: the pseudo terminal's device, the path, or "stdio". Valid until close. */
const char *avps_posix_terminal_name(const struct avps_posix_terminal *terminal);

/** Whether somebody is connected. */
bool avps_posix_terminal_is_connected(const struct avps_posix_terminal *terminal);

#ifdef __cplusplus
}
#endif
#endif
