/* SPDX-License-Identifier: MIT */
/*
 * Children for the tests of supervisors: a function that does what its record says, and notes in the trace what it did:
 * "+a" it was started, "=a" it is ready, "-a" it ends. For suites that include it once.
 */
#pragma once
#include "steps.h"

#include "task/task.h"

struct kid {
	const char *name;

	/* what it shall do */
	int fail_starts;       /* so many of the next starts fail before it is ready, with -EIO */
	int end_starts;        /* so many end well before it is ready */
	holt_time start_takes; /* until it is ready; a stop ends that */
	holt_time stop_takes;  /* from the stop to the end */
	bool deaf;             /* to a stop; it ends when it is canceled */
	holt_time shield;      /* ... and so much after that, whatever happens */

	/* what it did */
	int starts;
	bool alive, saw_stop, saw_cancel;
	const char *why; /* when it saw that: the beginning of holt_why() */
	char why_text[128];
	holt_time ended_at;

	/* what it is told */
	int result;
	struct holt_event go;
};

static struct kid a, b, c, d;

static inline void reset_kids(void)
{
	a = (struct kid){ .name = "a" };
	b = (struct kid){ .name = "b" };
	c = (struct kid){ .name = "c" };
	d = (struct kid){ .name = "d" };
}

static inline void kid_notes(struct kid *k, char sign)
{
	char word[16];

	snprintf(word, sizeof word, "%c%s", sign, k->name);
	if (strlen(trace) + sizeof word < sizeof trace)
		note(word);
}

static inline void kid_sees(struct kid *k, int r)
{
	const char *why = holt_why();

	k->saw_stop = k->saw_stop || r == -ESHUTDOWN;
	k->saw_cancel = k->saw_cancel || r == -ECANCELED;
	snprintf(k->why_text, sizeof k->why_text, "%s", why ? why : "nothing");
}

static inline int kid_shielded(struct kid *k, int r)
{
	struct holt_scope s;

	if (k->shield == 0)
		return r;
	holt_scope_begin(&s, holt_in(10 * HOLT_HOUR), HOLT_SHIELD);
	holt_scope_end(&s, holt_sleep(k->shield));
	return r;
}

static inline int kid_lives(struct kid *k)
{
	struct holt_scope s;
	int r = 0;

	if (k->fail_starts > 0) {
		k->fail_starts--;
		return -EIO;
	}
	if (k->end_starts > 0) {
		k->end_starts--;
		return 0;
	}
	holt_scope_begin(&s, HOLT_NEVER, k->deaf ? 0 : HOLT_ON_STOP);
	if (k->start_takes)
		r = holt_sleep(k->start_takes);
	if (r >= 0) {
		holt_ready();
		kid_notes(k, '=');
		r = holt_event_wait(&k->go);
	}
	if (r < 0)
		kid_sees(k, holt_stopping() && !k->deaf ? -ESHUTDOWN : r);
	r = (int)holt_scope_end(&s, r);
	if (r == 0) {
		holt_event_clear(&k->go);
		return k->result;
	}
	if (r == -ESHUTDOWN)
		r = k->stop_takes ? holt_sleep(k->stop_takes) : 0;
	if (r < 0)
		kid_sees(k, r);
	return kid_shielded(k, r);
}

static inline int kid(void *arg)
{
	struct kid *k = arg;
	int r;

	ck_assert(!k->alive); /* never two at once */
	k->starts++;
	k->alive = true;
	holt_event_clear(&k->go); /* that was for its last life */
	kid_notes(k, '+');
	r = kid_lives(k);
	kid_notes(k, '-');
	k->ended_at = harness_time();
	k->alive = false;
	return r;
}

/* All that is to happen at this moment happens. */
static inline void pass(void)
{
	ck_assert_int_eq(holt_sleep(1), 0);
}

static inline void tell(struct kid *k, int result)
{
	ck_assert(k->alive);
	k->result = result;
	holt_event_set(&k->go);
}

static inline void dies(struct kid *k, int result)
{
	tell(k, result);
	pass();
}

static inline const char *traced(void)
{
	static char text[sizeof trace];

	strcpy(text, trace);
	trace[0] = 0;
	return text;
}

/* The root has a grace, so that a stop is one. */
static inline int run_kids(holt_fn fn, void *arg)
{
	reset_kids();
	trace[0] = 0;
	return harness_run(fn, arg, .grace = HOLT_HOUR);
}
