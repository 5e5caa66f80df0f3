/* SPDX-License-Identifier: MIT */
/*
 * The life of one process, done: see child.c. For the runner only.
 */
#pragma once
#include "daemon/runner.h"

int processes_open(struct runner *r);
void processes_close(struct runner *r); /* what still runs is killed */

/* Tells its life of something, and does what follows. */
void child_event(struct child *c, enum life_event e);
void child_stop(struct child *c); /* by unit->deadline; again: an earlier one */

void processes_reload(struct runner *r); /* starts what runner_reload() asked for */

/* ---- one process that we started: also for finally commands */

/* What running_start() needs beside the command. */
struct start {
	const struct node *node;
	const struct command *command;
	struct exec_extra extra;
	struct lines_node *log;
};

/* Starts and watches it, and reads what it writes. -errno, and *failed and why say what did not work; then nothing is left of it. */
int running_start(struct runner *r, struct running *p, const struct start *s, const char **failed, struct holt__text *why);
/* Takes its exit, and forgets it, but not its output. False: not now, it will be fired again. */
bool running_exit(struct runner *r, struct running *p, struct holt_exit *ret);
void running_close(struct runner *r, struct running *p); /* kills it first */
void running_leave(struct runner *r, struct running *p); /* lets go of it, if it still runs: it ends with the tree */
/* With its group. Only while it has not been waited for. */
void running_kill(struct running *p, int sig);

void runner_drain(struct runner *r);
void runner_changed(struct runner *r); /* something that is shown of a unit */
