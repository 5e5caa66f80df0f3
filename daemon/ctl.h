/* SPDX-License-Identifier: MIT */
/*
 * The inside of holtctl. Each command is a function that says what went wrong on stderr, and gives the exit status.
 *
 *	ctl_find.c   which daemon is meant
 *	ctl_call.c   one call of it, and what its errors mean
 *	ctl_do.c     start, stop, restart, reload, wait
 *	ctl_show.c   status, why
 *	ctl_check.c  check: no daemon
 *
 * A daemon that does not answer is a time-out, never a hang: a call has .limit; what waits for the tree itself (wait, start and
 * so on) may take as long as it takes, but asks every .limit by a connection of its own whether the daemon still answers.
 */
#pragma once
#include <holt/varlink.h>

#include "daemon/draw.h"

struct json_t;

enum ctl_status { CTL_OK, CTL_FAILED, CTL_USAGE, CTL_NOT_READY, CTL_NO_NODE, CTL_TIMED_OUT };

struct ctl {
	const char *tree;   /* --tree: a name, a state directory or a socket; NULL: the only one */
	const char *path;   /* of the node, or the file; NULL: none was given */
	const char *wanted; /* --for */
	holt_time limit;    /* span in which the daemon has to answer */
	bool json, watch, no_block, now;
	bool screen; /* stdout is a terminal */
	struct draw_options draw;
	holt_varlink *v;
	char *socket; /* where it is connected to */
};

#define CTL_LIMIT (10 * HOLT_SEC)

/* On stderr, a line, with "holtctl: " before it. Whatever it says is made fit for a terminal. */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int ctl_error(const char *what, int error); /* the same for an -errno; the exit status */

/* Finds the daemon and connects to it. Suspends. An exit status. */
int ctl_connect(struct ctl *c);
void ctl_disconnect(struct ctl *c);
extern const char *ctl_system_directory; /* where state directories of the system are; a test has its own */
int ctl_dial(const char *path);          /* a descriptor; suspends; -errno */

/*
 * Calls METHOD of io.holt.Tree; params are taken, *ret is the caller's to drop, or NULL. Suspends. An exit status. What it was, if
 * not CTL_OK, has been said on stderr; but ctl_try() says nothing of an error that the daemon answered, and gives -EREMOTEIO.
 */
int ctl_call(struct ctl *c, const char *method, struct json_t *params, struct json_t **ret);
int ctl_try(struct ctl *c, const char *method, struct json_t *params, struct json_t **ret);
int ctl_explain(struct ctl *c);                       /* the error that was answered last; the exit status */
bool ctl_was(const struct ctl *c, const char *error); /* it was that one of io.holt.Tree */

/* Waits until the node is ready, stopped or failed, and says nothing. Suspends. 0; -errno, -EREMOTEIO as above. */
int ctl_wait(struct ctl *c, const char *path, const char *what, bool patient, struct json_t **ret);

/* ---- commands: exit statuses */
int ctl_status(struct ctl *c);
int ctl_why(struct ctl *c);
int ctl_start(struct ctl *c);
int ctl_stop(struct ctl *c);
int ctl_restart(struct ctl *c);
int ctl_reload(struct ctl *c);
int ctl_wait_for(struct ctl *c);
int ctl_check(struct ctl *c); /* outside tasks */
