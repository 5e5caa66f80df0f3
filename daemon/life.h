/* SPDX-License-Identifier: MIT */
/*
 * The life of one process, from its first ExecStartPre= to the moment at which nothing of it is left: a table, and nothing
 * that acts. The runner tells what it saw, and does the one step that is the answer.
 *
 * A step belongs to the state that is entered, so the table says only where an event leads. Some events are found here:
 * LIST_END, when a state's list of commands is through, and GONE, when neither the main process nor a command runs any more.
 * A cell left out changes nothing: what comes late, twice or unexpectedly is harmless.
 */
#pragma once
#include "daemon/config.h"
#include "daemon/ending.h"

enum life_state {
	LIFE_DOWN,
	LIFE_PRE,       /* ExecStartPre= */
	LIFE_START,     /* the main process, until it is ready; a oneshot's commands */
	LIFE_RUN,       /* ready */
	LIFE_STOP,      /* ExecStop= */
	LIFE_TERM,      /* KillSignal= was sent */
	LIFE_ABORT,     /* the watchdog's SIGABRT was sent */
	LIFE_KILL,      /* SIGKILL was sent */
	LIFE_CLEAR,     /* the main process is gone, what else is left is being killed */
	LIFE_POST,      /* ExecStopPost= */
	LIFE_POST_KILL, /* one of them took too long */
	LIFE_LAST,      /* as CLEAR, for what they left */
	LIFE_STATES,
};

enum life_event {
	LIFE_WANT_UP,
	LIFE_WANT_DOWN,
	LIFE_WANT_DEAD, /* down, without asking it */
	LIFE_READY,
	LIFE_COMMAND_OK, /* the command of this state ended well; of a oneshot too */
	LIFE_COMMAND_BAD,
	LIFE_MAIN_EXIT,
	LIFE_CANNOT,  /* the main process could not be executed */
	LIFE_TIMEOUT, /* of this state */
	LIFE_CLEARED, /* nothing is left */
	LIFE_LIST_END,
	LIFE_GONE,
	LIFE_EVENTS,
};

enum life_step {
	STEP_NONE,
	STEP_COMMAND, /* run life_command() */
	STEP_MAIN,    /* start life_command() as the main process */
	STEP_READY,   /* it is ready: tell */
	STEP_SIGNAL,  /* send KillSignal= as KillMode= says */
	STEP_ABORT,   /* send SIGABRT */
	STEP_KILL,    /* send SIGKILL, as KillMode= says */
	STEP_CLEAR,   /* kill what is left of it, and tell CLEARED when nothing is */
	STEP_ENDED,   /* tell how it ended */
};

struct life {
	uint8_t state;
	uint8_t cause;      /* an ending: why it goes down, if not by its main process's exit */
	bool main, command; /* runs now; the runner keeps these */
	uint16_t index;     /* of the command in this state's list */
};

/* What is to be done about it; the state is the new one already. */
enum life_step life_event(struct life *l, const struct node *n, enum life_event e);

/* The command of the state that it is in; NULL: there is none. */
const struct command *life_command(const struct life *l, const struct node *n);

const char *life_name(enum life_state s);
