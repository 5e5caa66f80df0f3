/* SPDX-License-Identifier: MIT */
/*
 * The supervisor, swept. Its children fail, end and are restarted by the plan of each scenario; meanwhile a cancellation comes at
 * each suspension, of all or of one task alone, and each allocation and system call fails. What must hold: a child is never alive
 * twice, none is alive when the supervisor has been closed, none starts after its stop has begun, and finally runs once.
 */
#include "sweep.h"

enum { KIDS = 3 };

static struct kid {
	int starts, alive;
	bool closed;
} kids[KIDS];

static int armed, finished;

static int is_expected(int result)
{
	return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EMFILE || result == -EINTR ||
			result == -ELOOP || result == -EIO || result == -ESHUTDOWN
		? 0
		: result;
}

static int nobody_is_left(void *arg, int result)
{
	(void)arg;
	for (int i = 0; i < KIDS; i++)
		HOLDS(kids[i].alive == 0);
	HOLDS(finished == armed);
	return is_expected(result);
}

/* Ready after a while; then the first lives fail, the third ends well. */
static int lives(void *arg)
{
	struct kid *k = arg;
	struct holt_scope s;
	int r;

	EXPECT(k->alive == 0);
	EXPECT(!k->closed);
	k->alive++;
	k->starts++;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	r = holt_sleep(HOLT_MS * (unsigned)(1 + (k - kids)));
	if (r == 0) {
		holt_ready();
		r = holt_sleep((unsigned)k->starts * 7 * HOLT_MS);
	}
	r = (int)holt_scope_end(&s, r);
	if (r == -ESHUTDOWN) {
		r = holt_sleep(2 * HOLT_MS); /* it takes its time */
		r = r < 0 ? r : 0;
	} else if (r == 0 && k->starts < 3) {
		r = -EIO;
	}
	k->alive--;
	return r;
}

static int last(void *arg, int result)
{
	(void)arg;
	(void)result;
	for (int i = 0; i < KIDS; i++)
		EXPECT(kids[i].alive == 0);
	finished++;
	return 0;
}

struct plan {
	enum holt_strategy strategy;
	enum holt_restart restart;
	unsigned restarts;
	bool until_ready, stop;
};

static int family(void *arg)
{
	const struct plan *p = arg;
	holt_supervisor *s = NULL;
	int r;

	memset(kids, 0, sizeof kids);
	armed = finished = 0;
	r = holt_supervisor_open(&s, .name = "family", .strategy = p->strategy, .restarts = p->restarts, .backoff_min = HOLT_MS,
		.backoff_max = 4 * HOLT_MS);
	if (r < 0)
		return r;
	armed += holt_supervisor_finally(s, last, NULL) == 0;
	for (int i = 0; r >= 0 && i < KIDS; i++)
		r = holt_supervise(s, lives, &kids[i], .restart = p->restart, .until_ready = p->until_ready, .grace = HOLT_SEC);
	if (r >= 0 && p->stop) {
		r = holt_sleep(10 * HOLT_MS);
		if (r >= 0)
			holt_supervisor_restart(s, "lives"); /* -ENOENT, -EALREADY: as it may be */
		if (r >= 0)
			r = holt_sleep(3 * HOLT_MS);
	} else if (r >= 0) {
		r = holt_supervisor_wait(s);
	}
	r = holt_supervisor_close(s, r);
	for (int i = 0; i < KIDS; i++)
		kids[i].closed = true;
	return r;
}

#define FAMILY(...) &((struct plan){ __VA_ARGS__ })

SWEEP(one_for_one_leaves_nobody, .fn = family, .check = nobody_is_left,
	.arg = FAMILY(HOLT_ONE_FOR_ONE, HOLT_RESTART_ON_FAILURE, 50, true))
SWEEP(one_for_all_leaves_nobody, .fn = family, .check = nobody_is_left,
	.arg = FAMILY(HOLT_ONE_FOR_ALL, HOLT_RESTART_ON_FAILURE, 50, true))
SWEEP(rest_for_one_leaves_nobody, .fn = family, .check = nobody_is_left,
	.arg = FAMILY(HOLT_REST_FOR_ONE, HOLT_RESTART_ON_FAILURE, 50, false))
SWEEP(stop_in_the_middle_leaves_nobody, .fn = family, .check = nobody_is_left,
	.arg = FAMILY(HOLT_ONE_FOR_ONE, HOLT_RESTART_ALWAYS, 50, true, true))
