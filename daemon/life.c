/* SPDX-License-Identifier: MIT */
/*
 * See life.h.
 */
#include "daemon/life.h"

/* What is done on entering a state. */
static const uint8_t entry[LIFE_STATES] = {
	[LIFE_DOWN] = STEP_ENDED,
	[LIFE_PRE] = STEP_COMMAND,
	[LIFE_START] = STEP_MAIN,
	[LIFE_RUN] = STEP_READY,
	[LIFE_STOP] = STEP_COMMAND,
	[LIFE_TERM] = STEP_SIGNAL,
	[LIFE_ABORT] = STEP_ABORT,
	[LIFE_KILL] = STEP_KILL,
	[LIFE_CLEAR] = STEP_CLEAR,
	[LIFE_POST] = STEP_COMMAND,
	[LIFE_POST_KILL] = STEP_KILL,
	[LIFE_LAST] = STEP_CLEAR,
};

/*
 * The whole life. A row is where it stands, a column what was seen. A cell says where that leads, plus one, so that a
 * cell left out leads nowhere; to the same state means: its next command.
 */
#define TO(state) ((state) + 1)
static const uint8_t table[LIFE_STATES][LIFE_EVENTS] = {
	[LIFE_DOWN] = {
		[LIFE_WANT_UP] = TO(LIFE_PRE),
	},
	[LIFE_PRE] = {
		[LIFE_COMMAND_OK] = TO(LIFE_PRE),
		[LIFE_LIST_END] = TO(LIFE_START),
		[LIFE_COMMAND_BAD] = TO(LIFE_CLEAR),
		[LIFE_TIMEOUT] = TO(LIFE_TERM),
		[LIFE_WANT_DOWN] = TO(LIFE_TERM),
		[LIFE_WANT_DEAD] = TO(LIFE_KILL),
	},
	[LIFE_START] = {
		[LIFE_READY] = TO(LIFE_RUN),
		[LIFE_COMMAND_OK] = TO(LIFE_START),
		[LIFE_LIST_END] = TO(LIFE_STOP),
		[LIFE_MAIN_EXIT] = TO(LIFE_CLEAR),
		[LIFE_CANNOT] = TO(LIFE_CLEAR),
		[LIFE_TIMEOUT] = TO(LIFE_TERM),
		[LIFE_WANT_DOWN] = TO(LIFE_TERM),
		[LIFE_WANT_DEAD] = TO(LIFE_KILL),
	},
	[LIFE_RUN] = {
		[LIFE_MAIN_EXIT] = TO(LIFE_STOP),
		[LIFE_TIMEOUT] = TO(LIFE_ABORT),
		[LIFE_WANT_DOWN] = TO(LIFE_STOP),
		[LIFE_WANT_DEAD] = TO(LIFE_KILL),
	},
	[LIFE_STOP] = {
		[LIFE_COMMAND_OK] = TO(LIFE_STOP),
		[LIFE_COMMAND_BAD] = TO(LIFE_STOP),
		[LIFE_LIST_END] = TO(LIFE_TERM),
		[LIFE_TIMEOUT] = TO(LIFE_KILL),
		[LIFE_WANT_DEAD] = TO(LIFE_KILL),
	},
	[LIFE_TERM] = {
		[LIFE_GONE] = TO(LIFE_CLEAR),
		[LIFE_TIMEOUT] = TO(LIFE_KILL),
		[LIFE_WANT_DEAD] = TO(LIFE_KILL),
	},
	[LIFE_ABORT] = {
		[LIFE_GONE] = TO(LIFE_CLEAR),
		[LIFE_TIMEOUT] = TO(LIFE_KILL),
		[LIFE_WANT_DEAD] = TO(LIFE_KILL),
	},
	[LIFE_KILL] = {
		[LIFE_GONE] = TO(LIFE_CLEAR),
		[LIFE_TIMEOUT] = TO(LIFE_CLEAR),
	},
	[LIFE_CLEAR] = {
		[LIFE_CLEARED] = TO(LIFE_POST),
		[LIFE_TIMEOUT] = TO(LIFE_POST),
	},
	[LIFE_POST] = {
		[LIFE_COMMAND_OK] = TO(LIFE_POST),
		[LIFE_COMMAND_BAD] = TO(LIFE_POST),
		[LIFE_LIST_END] = TO(LIFE_LAST),
		[LIFE_TIMEOUT] = TO(LIFE_POST_KILL),
		[LIFE_WANT_DEAD] = TO(LIFE_POST_KILL),
	},
	[LIFE_POST_KILL] = {
		[LIFE_GONE] = TO(LIFE_POST),
		[LIFE_TIMEOUT] = TO(LIFE_LAST),
	},
	[LIFE_LAST] = {
		[LIFE_CLEARED] = TO(LIFE_DOWN),
		[LIFE_TIMEOUT] = TO(LIFE_DOWN),
	},
};

static const struct commands *list_of(unsigned state, const struct node *n)
{
	switch (state) {
	case LIFE_PRE:
		return &n->process->start_pre;
	case LIFE_START:
		return &n->start;
	case LIFE_STOP:
		return &n->process->stop;
	case LIFE_POST:
	case LIFE_POST_KILL:
		return &n->process->stop_post;
	default:
		return NULL;
	}
}

const struct command *life_command(const struct life *l, const struct node *n)
{
	const struct commands *list = list_of(l->state, n);

	return list && l->index < list->n ? &list->v[l->index] : NULL;
}

/* What has come about by entering a state, without anything to do; LIFE_EVENTS: nothing. */
static enum life_event found(const struct life *l, const struct node *n)
{
	switch (l->state) {
	case LIFE_PRE:
	case LIFE_START:
	case LIFE_STOP:
	case LIFE_POST:
		return life_command(l, n) ? LIFE_EVENTS : LIFE_LIST_END;
	case LIFE_TERM:
	case LIFE_ABORT:
	case LIFE_KILL:
	case LIFE_POST_KILL:
		return l->main || l->command ? LIFE_EVENTS : LIFE_GONE;
	case LIFE_LAST:
		return n->process->stop_post.n ? LIFE_EVENTS : LIFE_CLEARED;
	default:
		return LIFE_EVENTS;
	}
}

static void note_cause(struct life *l, enum life_event e)
{
	if (l->cause != ENDING_NONE)
		return;
	if (e == LIFE_TIMEOUT && (l->state == LIFE_PRE || l->state == LIFE_START))
		l->cause = ENDING_START_TIMEOUT;
	else if (e == LIFE_TIMEOUT && l->state == LIFE_RUN)
		l->cause = ENDING_WATCHDOG;
	else if (e == LIFE_COMMAND_BAD && l->state == LIFE_PRE)
		l->cause = ENDING_START_COMMAND;
	else if (e == LIFE_CANNOT && l->state == LIFE_START)
		l->cause = ENDING_CANNOT_RUN;
}

static void enter(struct life *l, unsigned to)
{
	bool next = to == l->state || (l->state == LIFE_POST_KILL && to == LIFE_POST);

	if (l->state == LIFE_DOWN)
		l->cause = ENDING_NONE;
	if (!(l->state == LIFE_POST && to == LIFE_POST_KILL)) /* which goes on with the next one */
		l->index = next ? l->index + 1 : 0;
	l->state = (uint8_t)to;
}

enum life_step life_event(struct life *l, const struct node *n, enum life_event e)
{
	bool entered = false;

	if ((e == LIFE_MAIN_EXIT || e == LIFE_COMMAND_OK || e == LIFE_COMMAND_BAD) && !l->main && !l->command &&
		table[l->state][LIFE_GONE])
		e = LIFE_GONE;
	while (e != LIFE_EVENTS && table[l->state][e]) {
		note_cause(l, e);
		enter(l, table[l->state][e] - 1u);
		entered = true;
		e = found(l, n);
	}
	return entered ? entry[l->state] : STEP_NONE;
}

const char *life_name(enum life_state s)
{
	static const char *const names[LIFE_STATES] = {
		[LIFE_DOWN] = "down",
		[LIFE_PRE] = "start-pre",
		[LIFE_START] = "start",
		[LIFE_RUN] = "running",
		[LIFE_STOP] = "stop",
		[LIFE_TERM] = "stop-signal",
		[LIFE_ABORT] = "watchdog",
		[LIFE_KILL] = "stop-kill",
		[LIFE_CLEAR] = "clear",
		[LIFE_POST] = "stop-post",
		[LIFE_POST_KILL] = "stop-post-kill",
		[LIFE_LAST] = "clear",
	};

	return names[s];
}
