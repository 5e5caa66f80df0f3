/* SPDX-License-Identifier: MIT */
/*
 * How a process ended, or why it could not begin: what happened, told apart from what follows of it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "daemon/config.h"

enum ending_kind {
	ENDING_NONE,
	ENDING_EXIT,       /* value: its status */
	ENDING_SIGNAL,     /* value: the signal */
	ENDING_CANNOT_RUN, /* value: errno; step: what of the start did not work */
	ENDING_START_TIMEOUT,
	ENDING_WATCHDOG,
	ENDING_NOT_READY,     /* ended well, but before it had said that it was ready */
	ENDING_START_COMMAND, /* ExecStartPre=; value: its status, negative: the signal's number */
	ENDING_GROUP,         /* of a group: it failed as such, the unit's `culprit` says by whom */
};

struct ending {
	uint8_t kind;
	bool failed, core;
	int value;
	const char *step; /* static */
};

/* errno of a start that failed, and what of it did. */
static inline struct ending ending_cannot_run(int error, const char *step)
{
	return (struct ending){ .kind = ENDING_CANNOT_RUN, .failed = true, .value = error, .step = step };
}

/* Whether an exit like this is a failure, of a process that nobody had asked to stop. */
bool ending_failed(const struct node *n, bool signaled, int code);

/* "exit 1", "killed by SIGKILL", "cannot be executed: No such file or directory". */
void ending_text(struct holt__text *t, const struct ending *e);
