/* SPDX-License-Identifier: MIT */
/*
 * The records of supervisors. There is no task that supervises: everything happens where something has happened, when a
 * child ends or says that it is ready, when a timer is due, when somebody calls. None of it suspends, so each of these
 * steps is whole before the next one begins.
 *
 *	child.c       one child: start it, run it, what becomes of it when it ends
 *	order.c       who goes along, in which order: the sweep that stops, the rise that starts, the end
 *	supervisor.c  the public functions
 *	names.c       children by name
 *
 * What is going on in a supervisor is one of these, or nothing:
 *
 *	sweep   children from `low` on are stopped, last first; `sweep` is the one whose end is waited for
 *	pause   they have all ended, and wait for the back-off of the one that failed
 *	rise    those that are to run are started, first first; `rise` is the one that has to be up before the next
 *
 * A rise follows a sweep, unless the supervisor is ending. With HOLT_ONE_FOR_ONE a child that is started again does
 * so by its own timer; only first starts, and the end, are in order.
 *
 * The rule that keeps it right: a child's state changes in become() only, which counts; and a child is forgotten only
 * where no list is being walked.
 */
#pragma once
#include <holt/supervise.h>

#include "base/restart.h"
#include "task/task.h"

enum holt__child_state {
	HOLT__CHILD_ENDED,   /* for good; a strategy or a hand may start it again */
	HOLT__CHILD_HALTED,  /* stopped by hand: only a hand starts it again */
	HOLT__CHILD_WAITING, /* for its turn, or for its timer */
	HOLT__CHILD_STARTING,
	HOLT__CHILD_UP,
	HOLT__CHILD_STOPPING, /* was asked to; `wanted` says whether it is started again */
	HOLT__CHILD_STATES
};

struct holt__child {
	holt_supervisor *s;
	struct holt__child *next, *prev; /* in start order */
	struct holt__child *namesake;    /* the next in the same slot of the table of names */
	uint64_t number;                 /* grows in start order */

	holt_fn fn;
	void *arg;
	holt_time grace;
	uint8_t restart; /* enum holt_restart */
	uint8_t state;
	bool until_ready, significant;

	bool wanted; /* STOPPING: to be started again */
	bool by_name; /* somebody has asked for its start by name: it is kept if that fails; else who waits for its first has added it */
	bool counted; /* its next start is a restart, by itself or with a sibling */
	bool removed; /* forget it, when it has ended */
	unsigned restarts;
	struct holt__backoff backoff;
	struct holt__timer timer; /* WAITING: when to start it, if it does not wait for its turn */

	holt_group *run; /* the scope of its code: made at the start, opened by the task; NULL while it does not run */
	bool opened;
	const char *why;              /* STOPPING: the reason, as long as run is not opened */
	struct holt_waiters starters; /* those who wait until it is up */
	struct holt_waiters stoppers; /* those who wait until it has ended */
	char name[];
};

enum { HOLT__NAMES_FIRST = 8 };

struct holt__names {
	struct holt__child **slots; /* a power of two */
	size_t n_slots, n;
	struct holt__child *few[HOLT__NAMES_FIRST]; /* so that the first ones need no memory */
};

struct holt_supervisor {
	holt_group *group; /* the children's */
	enum holt_strategy strategy;
	struct holt__intensity intensity;
	struct holt__backoff backoff; /* as every child begins */
	uint64_t random, numbers;

	struct holt__child *head, *tail;
	struct holt__names names;
	size_t count[HOLT__CHILD_STATES];

	struct holt__child *sweep, *rise;
	struct holt__child *slow; /* pause: whose back-off it is; NULL: that does not matter any more */
	uint64_t low;             /* sweep and pause: the number from which on */
	bool pausing;
	holt_time due;            /* when the pause is over */
	struct holt__timer timer; /* ends the pause; or a stop came from outside */

	bool ending;
	int result;                  /* of the end */
	char why[192];               /* of the sweep */
	struct holt_waiters waiters; /* until nothing is left to do */
	struct holt_waiters closer;
};

static inline bool holt__child_runs(const struct holt__child *c)
{
	return c->state >= HOLT__CHILD_STARTING;
}

/* ---- child.c */

struct holt__child *holt__child_new(
	holt_supervisor *s, holt_fn fn, void *arg, const struct holt_child_options *o); /* WAITING, the last; NULL: no memory */
void holt__child_forget(struct holt__child *c);                                         /* one that does not run */
void holt__child_become(struct holt__child *c, enum holt__child_state state);
int holt__child_launch(struct holt__child *c); /* from WAITING; -ENOMEM, with nothing changed */
bool holt__child_start(struct holt__child *c); /* the same; false: it failed, which was dealt with, and c may be gone */
void holt__child_start_at(struct holt__child *c, holt_time at); /* by its timer */
void holt__child_stop(struct holt__child *c, const char *why);  /* asks it to; why: the supervisor's, or static */
void holt__child_tell_started(struct holt__child *c, int result);
void holt__child_halted(struct holt__child *c); /* it ended, or is not started, by hand: tells so, and may set removed */
struct holt__child *holt__child_around(const holt_supervisor *s); /* the one that the caller is inside of; NULL: none */
extern const struct holt__group_hooks holt__supervisor_hooks;

/* ---- order.c */

void holt__supervisor_notice(holt_supervisor *s); /* a stop or cancellation from outside ends it */
void holt__supervisor_end(holt_supervisor *s, int result, const char *why);
void holt__child_say(const struct holt__child *c, int result, struct holt__text *text); /* "shop/db failed: Broken pipe" */
void holt__supervisor_again(struct holt__child *c, int result); /* c ended and is wanted: by strategy, unless it is too often */
void holt__supervisor_ended(struct holt__child *c);             /* goes on with the sweep or rise that waited for c */
void holt__supervisor_up(struct holt__child *c);                /* the same */
void holt__supervisor_halted(struct holt__child *c);            /* nobody needs to wait for its back-off */
void holt__supervisor_rise(holt_supervisor *s, struct holt__child *from);
void holt__supervisor_look_at(holt_supervisor *s, holt_time at); /* whether the pause is over, or it was stopped */
void holt__supervisor_hurry(holt_supervisor *s);                 /* ends the pause */
bool holt__supervisor_over(const holt_supervisor *s);
void holt__supervisor_settle(holt_supervisor *s);      /* tells those who wait, if it is over */
bool holt__child_swept(const struct holt__child *c);   /* its end belongs to the sweep */
bool holt__child_in_turn(const struct holt__child *c); /* it will be started by a rise that has not come to it */

/* ---- names.c */

void holt__names_init(struct holt__names *n);
void holt__names_done(struct holt__names *n);
void holt__names_add(struct holt__names *n, struct holt__child *c);
void holt__names_remove(struct holt__names *n, struct holt__child *c);
struct holt__child *holt__names_find(const struct holt__names *n, const char *name);
