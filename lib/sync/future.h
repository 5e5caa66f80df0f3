/* SPDX-License-Identifier: MIT */
/*
 * A future as those see it who make one done, or wait for it among other things.
 */
#pragma once
#include <holt/future.h>

#include "task/task.h"

struct holt__on_done {
	struct holt__on_done *next;
	void (*fn)(holt_future *f, void *arg);
	void *arg;
};

struct holt_future {
	struct holt_waiters w;
	uint32_t refs;
	bool done;
	int result;
	void *value;
	struct holt__on_done *first, **last;
	holt_future *next; /* of those whose functions are still to be called */
};

/* As holt_future_set, with the result of what was submitted. -EALREADY. */
int holt__future_finish(holt_future *f, int result, void *value);
