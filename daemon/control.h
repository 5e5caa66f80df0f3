/* SPDX-License-Identifier: MIT */
/*
 * The control socket: the Varlink interface io.holt.Tree (daemon/io.holt.Tree.varlink) on a runner. It looks at units
 * and tells the runner what somebody wants; it decides nothing about the tree.
 *
 * WHO MAY CALL. The owner of the daemon and root everything; who was in the tree's ControlGroup= when he connected, what only
 * looks. The socket's mode lets nobody else near it: 0600, or 0660 with that group.
 *
 * A STOP. Who looks at a tree that stops, and who waits for its end, shall get answers until nothing of it is left. But a
 * Varlink service ends its accept loop and its idle clients when a stop is asked of what is around it. So the caller sees
 * to it that the stop reaches control_serve() last. A supervisor does that by itself, for it stops its children one
 * after the other, in reverse, and none of them sees the stop before its turn:
 *
 *	r = holt_supervisor_open(&s, .name = "holtd");
 *	r = holt_supervise(s, serve_control, &d, .name = "control");   control_serve()
 *	r = holt_supervise(s, run_tree, &d, .name = "tree", .restart = HOLT_RESTART_NEVER, .significant = true);
 *	r = holt_supervisor_wait(s);                                   "tree" has returned: the tree is down
 *	r = holt_supervisor_close(s, r);                               now "control" is stopped
 *
 * with a grace of the service, or the root, that is long enough for the tree (HOLT_NEVER). What control_serve() itself then
 * needs is bounded: whoever waits gets his answer, and a client that does not take it has CONTROL_GRACE. A
 * cancellation ends it at once.
 *
 * Nothing here keeps a pointer into the runner while it waits: a node is looked for by its path again.
 */
#pragma once
#include "daemon/runner.h"

#define CONTROL_GRACE (2 * HOLT_SEC)

extern const char control_interface[]; /* what daemon/io.holt.Tree.varlink says */

/*
 * A listening socket at DIRECTORY/control, for the owner and the tree's ControlGroup=. A group that does not exist is
 * logged, and then nobody but the owner has access. Suspends by contract. A descriptor; -errno, logged.
 */
int control_listen(const struct config *c, const char *directory);

/* Serves the runner until it is stopped or canceled. Suspends. 0; -errno, of holt_varlink_serve(). */
int control_serve(struct runner *r, int listen_fd);

/* The same for one client on a connected socket; until it hangs up, too. */
int control_serve_one(struct runner *r, int fd);
