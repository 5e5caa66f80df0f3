/* SPDX-License-Identifier: MIT */
/*
 * What a tree does: which node is started, stopped or restarted, when, and what a failure leads to. It decides and does
 * nothing: events go in, actions come out, and time is what it is told. So thousands of trees and orders of
 * events can be tried in a second, and the runner has nothing to decide.
 *
 * Each node has a unit. Its phase is where it is, its goal where it shall go; outcome says how it got to IDLE.
 *
 *	IDLE ──▶ QUEUED ──▶ STARTING ──▶ UP        a start: by its group, by hand
 *	  ▲         ▲           │         │
 *	  │         └── BACKOFF ◀┴─────────┤        it ended and is started again
 *	  └──────────── STOPPING ◀─────────┘        its goal is no longer UP; groups: their finally runs at its end, too
 *
 * Rules that keep it right:
 *	- a unit changes its phase in one function only, which also keeps its parent's counts and marks all whom the change
 *	  may concern; then the marked ones are looked at until none is left. An event costs what it changes, not the tree;
 *	- a unit is started when its group is, all of its After= are settled and all of its Requires= are satisfied;
 *	  one is stopped when all that come after it, and shall stop too, are down. The graph of both is without cycles;
 *	- an exit after a stop was asked is never a failure: what counts is the goal at that moment;
 *	- nothing is allocated after policy_open().
 */
#pragma once
#include "base/restart.h"
#include "base/wheel.h"
#include "daemon/budget.h"
#include "daemon/config.h"
#include "daemon/ending.h"

enum phase { PHASE_IDLE, PHASE_QUEUED, PHASE_STARTING, PHASE_UP, PHASE_STOPPING, PHASE_BACKOFF };
enum outcome {
	OUTCOME_NONE,
	OUTCOME_STOPPED, /* by hand, or with its group */
	OUTCOME_ASIDE,   /* stopped for a sibling's restart, and never started again by that: Restart=no */
	OUTCOME_DONE,    /* ended well, for good */
	OUTCOME_FAILED,  /* for good */
};
enum goal { GOAL_UP, GOAL_DOWN, GOAL_AGAIN }; /* AGAIN: down, and then up */

enum action {
	ACTION_ARM = 1,      /* a group starts: note what finally owes */
	ACTION_START = 2,    /* a process */
	ACTION_STOP = 4,     /* a process, by unit->deadline; may come again with an earlier one */
	ACTION_KILL = 8,     /* a process, now */
	ACTION_FINALLY = 16, /* a group's members are gone: run its finally commands, then policy_finally_done() */
	ACTION_CHANGED = 32, /* phase or outcome is another: tell the log, and who waits */
	ACTION_READY = 64,   /* the tree: all of it is ready, for the first time */
	ACTION_ENDED = 128,  /* the tree: nothing is left to do, policy_exit_status() */
};

struct unit {
	const struct node *conf;
	struct policy *policy;
	struct unit *parent;
	uint8_t phase, outcome, goal;
	uint8_t actions; /* not yet taken */
	bool present;    /* not IDLE */
	bool settled;    /* it is ready, or there is nothing to wait for */
	bool holds;      /* its group does not end by itself while this is so */
	bool blocked;    /* QUEUED, for one of its Requires= that will not come by itself */
	bool obstacle;   /* it goes down, or one after it does: those before it wait with their stop */
	bool off;        /* Enabled=no, its own or that of a group around it */
	bool going;      /* UP, but its process has ended: what comes after that is not over yet */
	bool aside;      /* it shall go down for a sibling's restart, and stay there */
	bool marked;
	bool cannot_start; /* FAILED: because a process could not be executed at the first start */
	unsigned restarts; /* by policy, since it was last started by hand or with its group */
	unsigned starts;
	holt_time since;    /* of its phase */
	holt_time deadline; /* STOPPING: by when it has to be gone; BACKOFF: when it starts */
	struct holt__backoff backoff;
	struct holt__timer timer; /* BACKOFF; a group that is STARTING: its TimeoutStartSec= */
	struct ending ending;     /* its last */
	struct unit *next_action, *next_marked;
	struct group_state *group; /* NULL: a process */
	void *runner;              /* the runner's own */
};

struct group_state {
	struct unit *unit;
	size_t n_present, n_unsettled, n_holding; /* members */
	struct holt__intensity intensity;
	uint8_t verdict; /* an outcome: what it will have come to once it is down; NONE: it goes on */
	bool armed;      /* finally is owed */
	bool finishing;  /* finally runs */
	bool again_due;
	struct unit *culprit;     /* FAILED: the member by whom; NULL: as a whole */
	const char *why;          /* FAILED: a static sentence about it */
	size_t restart_from;      /* members from here on wait for a common restart; SIZE_MAX: none is on */
	struct holt__timer again; /* when that begins, once all of them are down */
};

struct policy {
	const struct config *config;
	struct unit *units; /* as config->nodes */
	struct group_state *groups;
	struct unit *tree;
	struct holt__wheel *wheel;
	holt_time now;   /* as the last event told */
	uint64_t random; /* the jitter's state; never 0 */
	uint8_t hurry;   /* 1: all at once, 2: killed */
	bool was_ready;
	struct unit *first_action, **last_action;
	struct unit *first_marked, **last_marked;
};

int policy_open(struct policy *p, const struct config *c, struct holt__wheel *wheel, uint64_t random);
void policy_close(struct policy *p);

/* The next thing to do; false: nothing. The unit's actions come in the order of the enum. */
bool policy_take(struct policy *p, struct unit **ret_unit, enum action *ret_action);

/*
 * ---- events; `now` never goes back. The timers on the wheel are events, too: who runs the wheel tells the time before,
 * by policy_time().
 */
void policy_time(struct policy *p, holt_time now);
void policy_start(struct policy *p, holt_time now); /* the tree */
void policy_stop(struct policy *p, holt_time now);  /* the tree; repeats change nothing */
void policy_hurry(struct policy *p, holt_time now); /* once: all at once, twice: killed */
void policy_unit_ready(struct policy *p, struct unit *u, holt_time now);
void policy_unit_going(struct policy *p, struct unit *u, holt_time now); /* its process has ended, and more will be done */
void policy_unit_ended(struct policy *p, struct unit *u, const struct ending *e, holt_time now); /* and nothing is left of it */
void policy_finally_done(struct policy *p, struct unit *u, holt_time now);
holt_time policy_stop_limit(const struct unit *u); /* by when its group, or the hurry, wants it gone; HOLT_NEVER */

/* ---- by hand. -ESHUTDOWN: the tree stops; -EHOSTDOWN: its group is not up; start: -EALREADY */
int policy_unit_start(struct policy *p, struct unit *u, holt_time now);
int policy_unit_stop(struct policy *p, struct unit *u, holt_time now); /* of the tree: as policy_stop() */
int policy_unit_restart(struct policy *p, struct unit *u, holt_time now);

/* ---- looking */
static inline struct unit *policy_unit(const struct policy *p, const struct node *n)
{
	return &p->units[n->index];
}

static inline struct unit *unit_of(const struct unit *u, const struct node *n) /* in the same tree as u */
{
	return policy_unit(u->policy, n);
}

bool unit_will_not_come(const struct unit *u);  /* by itself: who requires it is blocked */
int policy_exit_status(const struct policy *p); /* 0, 1: could not start, 3: failed */
const char *unit_state(const struct unit *u);   /* "ready", "degraded", "waiting", … */
/* "starting" and what for: why it is in its state, and what it waits for. One line. */
void unit_why(const struct unit *u, struct holt__text *t);
/* Why a group goes down: for its finally commands. */
void unit_reason(const struct unit *u, struct holt__text *t);
