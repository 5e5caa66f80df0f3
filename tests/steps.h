/* SPDX-License-Identifier: MIT */
/*
 * The small tasks and words that the tests of the task floor are made of. For suites that include it once.
 */
#pragma once
#include <string.h>

#include "harness.h"

#define NUMBER(n) ((void *)(intptr_t)(n))
#define WORD(text) ((void *)(text)) /* as an argument: -Wwrite-strings makes it const */

/* The order in which things happened, a word each: "a b c ". */
static char trace[512];

static inline void note(const char *word)
{
	strcat(trace, word);
	strcat(trace, " ");
}

static inline int run_clean(holt_fn fn, void *arg)
{
	trace[0] = 0;
	return harness_run(fn, arg);
}

static inline int give(void *number)
{
	return (int)(intptr_t)number;
}

static inline int note_it(void *word)
{
	note(word);
	return 0;
}

static inline int sleep_a_second(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_SEC);
}

static inline int sleep_long(void *arg)
{
	(void)arg;
	return holt_sleep(10 * HOLT_HOUR);
}

static inline int sleeps_seconds(void *arg)
{
	int n = (int)(intptr_t)arg, r = holt_sleep((holt_time)(n < 0 ? -n : n) * HOLT_SEC);

	return r < 0 ? r : n;
}

static inline int is_canceled_alone(void *arg)
{
	(void)arg;
	holt_task_cancel(holt_self(), NULL);
	return holt_sleep(HOLT_HOUR);
}
