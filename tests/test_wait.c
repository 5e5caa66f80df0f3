/* SPDX-License-Identifier: MIT */
/*
 * Waiting for tasks that others own, and gathering calls of one's own.
 */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "task/task.h"

/* ---- waiting for a task */

struct waits {
	holt_task *t;
	int r, result, other;
};

static int waits_for(void *arg)
{
	struct waits *w = arg;

	w->r = holt_task_wait(w->t, &w->result);
	return 0;
}

static int wait_for_a_task(void *arg)
{
	struct waits *w = arg;
	holt_group *g = NULL, *waiters = NULL;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_group_open(&waiters), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(5), .task = &w->t), 0);
	ck_assert_int_eq(holt_spawn(waiters, waits_for, w, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t, NULL);
	ck_assert_int_eq(holt_task_wait(t, NULL), 0);
	ck_assert_int_eq(w->r, -ECANCELED);
	ck_assert_int_eq(w->result, 99);
	ck_assert(!holt_task_done(w->t)); /* waiting does not own */
	ck_assert_int_eq(holt_task_wait(w->t, &w->result), 0);
	ck_assert_int_eq(w->result, 5);
	ck_assert_int_eq(holt_task_wait(w->t, &w->result), 0); /* and again */
	ck_assert_int_eq(holt_task_wait(NULL, &w->result), -EINVAL);
	holt_task_unref(w->t);
	holt_task_unref(t);
	ck_assert_int_eq(holt_group_close(waiters, 0), 0);
	return holt_group_close(g, 0);
}

TEST(task_wait_tells_the_result_and_does_not_own)
{
	struct waits w = { .result = 99 };

	ck_assert_int_eq(run_clean(wait_for_a_task, &w), 0);
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
}

static int waits_for_an_ancestor(void *arg)
{
	struct waits *w = arg;
	holt_task *self = holt_self();

	w->r = holt_task_wait(w->t, NULL);
	w->other = holt_task_wait(self, NULL);
	w->result = holt_wait(&w->t, 1, HOLT_FIRST_COMPLETED, HOLT_SEC);
	ck_assert_int_eq(holt_wait(&self, 1, HOLT_FIRST_COMPLETED, 0), -EDEADLK);
	return 0;
}

static int holds_a_waiter(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, waits_for_an_ancestor, arg), 0);
	return holt_group_close(g, 0);
}

static int wait_in_a_circle(void *arg)
{
	struct waits *w = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, holds_a_waiter, w, .task = &w->t), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	holt_task_unref(w->t);
	return 0;
}

TEST(task_cannot_wait_for_itself_or_for_one_that_holds_it)
{
	struct waits w = { .r = 0 };

	ck_assert_int_eq(run_clean(wait_in_a_circle, &w), 0);
	ck_assert_int_eq(w.r, -EDEADLK);
	ck_assert_int_eq(w.other, -EDEADLK);
	ck_assert_int_eq(w.result, -EDEADLK);
}

/* Tasks end after 1, 2, ... seconds; one that is negative fails. What holt_wait returns, and when. */
struct some {
	const char *claim;
	int tasks[20];
	enum holt_wait_for what;
	holt_time span;
	int expected, seconds;
};

static const struct some somes[] = {
	{ "all", { 3, 1, 2 }, HOLT_ALL_COMPLETED, HOLT_NEVER, 3, 3 },
	{ "all, in time", { 3, 1, 2 }, HOLT_ALL_COMPLETED, HOLT_MIN, 3, 3 },
	{ "all, a failure changes nothing", { 3, -1, 2 }, HOLT_ALL_COMPLETED, HOLT_MIN, 3, 3 },
	{ "all, at its end it says how many", { 3, 1, 2 }, HOLT_ALL_COMPLETED, 2 * HOLT_SEC + 1, 2, 2 },
	{ "all, more than fit on the stack", { 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 },
		HOLT_ALL_COMPLETED, HOLT_NEVER, 20, 20 },
	{ "first", { 3, 1, 2 }, HOLT_FIRST_COMPLETED, HOLT_NEVER, 1, 1 },
	{ "first, two at once", { 3, 1, 1 }, HOLT_FIRST_COMPLETED, HOLT_NEVER, 2, 1 },
	{ "first, none in time", { 3, 2 }, HOLT_FIRST_COMPLETED, HOLT_SEC, 0, 1 },
	{ "failure", { 3, 1, -2, 9 }, HOLT_FIRST_FAILURE, HOLT_NEVER, 2, 2 },
	{ "failure, none fails: all", { 3, 1, 2 }, HOLT_FIRST_FAILURE, HOLT_NEVER, 3, 3 },
	{ "failure, none in time", { 3, 1, -2 }, HOLT_FIRST_FAILURE, HOLT_SEC + 1, 1, 1 },
	{ "look, but do not wait", { 3, 1 }, HOLT_ALL_COMPLETED, 0, 0, 0 },
	{ "none", { 0 }, HOLT_ALL_COMPLETED, HOLT_NEVER, 0, 0 },
};

static int wait_for_some(void *arg)
{
	const struct some *some = arg;
	holt_task *t[20] = { NULL };
	holt_group *g = NULL;
	size_t n = 0;
	int r;

	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	for (; n < 20 && some->tasks[n]; n++)
		ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(some->tasks[n]), .task = &t[n]), 0);
	r = holt_wait(t, n, some->what, some->span);
	ck_assert_msg(r == some->expected, "%s: %d instead of %d", some->claim, r, some->expected);
	ck_assert_msg(harness_time() / HOLT_SEC == (holt_time)some->seconds, "%s: after %d s", some->claim,
		(int)(harness_time() / HOLT_SEC));
	if (some->span == HOLT_NEVER || r == (int)n) /* what has come already is not waited for again */
		ck_assert_int_eq(holt_wait(t, n, some->what, HOLT_NEVER), r);
	ck_assert_int_eq(holt_wait(t, n, some->what, 0), r);
	ck_assert_uint_eq(harness_time() / HOLT_SEC, (holt_time)some->seconds);
	holt_group_cancel(g, NULL);
	r = holt_group_close(g, 0);
	for (size_t i = 0; i < n; i++)
		holt_task_unref(t[i]);
	return r;
}

TEST_LOOP(wait_counts_those_that_are_done_when_what_it_waits_for_came_or_time_is_over, 0, HOLT__N(somes))
{
	ck_assert_int_eq(run_clean(wait_for_some, WORD(&somes[_i])), 0);
}

static int wait_badly(void *arg)
{
	holt_task *t[3] = { NULL, NULL, NULL };
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(1), .task = &t[0]), 0);
	ck_assert_int_eq(holt_wait(t, 2, HOLT_ALL_COMPLETED, 0), -EINVAL);
	ck_assert_int_eq(holt_wait(NULL, 1, HOLT_ALL_COMPLETED, 0), -EINVAL);
	ck_assert_int_eq(holt_wait(t, 1, (enum holt_wait_for)3, 0), -EINVAL);
	t[1] = t[2] = t[0];
	ck_assert_int_eq(holt_wait(t, 3, HOLT_ALL_COMPLETED, HOLT_NEVER), 3); /* named more than once: counts as often */
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t[1]), 0);
	holt_task_cancel(t[1], NULL);
	ck_assert_int_eq(holt_wait(t, 2, HOLT_FIRST_FAILURE, HOLT_MIN), 2); /* a cancellation is no failure */
	holt_task_unref(t[0]);
	holt_task_unref(t[1]);
	return holt_group_close(g, 0);
}

TEST(wait_refuses_nonsense_and_takes_no_cancellation_for_a_failure)
{
	ck_assert_int_eq(run_clean(wait_badly, NULL), 0);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

struct many {
	holt_task *t[20];
	int r;
	holt_task *waiter;
};

static int waits_for_many(void *arg)
{
	struct many *m = arg;

	return m->r = holt_wait(m->t, 20, HOLT_ALL_COMPLETED, HOLT_MIN);
}

static int cancel_who_waits_for_many(void *arg)
{
	struct many *m = arg;
	holt_group *g = NULL, *waiters = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(i + 1), .task = &m->t[i]), 0);
	ck_assert_int_eq(holt_group_open(&waiters), 0);
	ck_assert_int_eq(holt_spawn(waiters, waits_for_many, m, .task = &m->waiter), 0);
	ck_assert_int_eq(holt_sleep(10 * HOLT_SEC + 1), 0);
	holt_task_cancel(m->waiter, NULL);
	ck_assert_int_eq(holt_group_close(waiters, 0), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_ptr_null(m->t[i]->watchers.head);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	holt_task_unref(m->waiter);
	for (int i = 0; i < 20; i++)
		holt_task_unref(m->t[i]);
	return 0;
}

TEST(canceled_wait_leaves_every_list_and_every_task_alone)
{
	struct many m = { .r = 1 };

	ck_assert_int_eq(run_clean(cancel_who_waits_for_many, &m), 0);
	ck_assert_int_eq(m.r, -ECANCELED);
	ck_assert_uint_eq(harness_time(), 20 * HOLT_SEC);
}

/* Both timers are of one time, and the task's was started first: it has ended when the waiter runs. */
static int wait_as_long_as_a_task(void *arg)
{
	holt_task *t[2] = { NULL, NULL };
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(1), .task = &t[0]), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(2), .task = &t[1]), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_wait(t, 2, HOLT_ALL_COMPLETED, HOLT_SEC), 1);
	ck_assert(holt_task_done(t[0]));
	ck_assert(!holt_task_done(t[1]));
	holt_task_unref(t[0]);
	holt_task_unref(t[1]);
	return holt_group_close(g, 0);
}

TEST(wait_whose_time_is_over_in_the_turn_in_which_a_task_ends_counts_it)
{
	ck_assert_int_eq(run_clean(wait_as_long_as_a_task, NULL), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int fails_after_a_second(void *arg)
{
	int r = holt_sleep(HOLT_SEC);

	(void)arg;
	return r < 0 ? r : -EIO;
}

static int wait_for_failed_and_canceled(void *arg)
{
	holt_group *g = NULL;
	holt_task *t[2] = { NULL, NULL };
	struct holt_scope s;
	int r = 99;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .name = "g"), 0);
	ck_assert_int_eq(holt_spawn(g, fails_after_a_second, NULL, .task = &t[0]), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t[1]), 0);
	ck_assert_int_eq(holt_task_wait(t[0], &r), 0); /* the wait did well, what was waited for did not */
	ck_assert_int_eq(r, -EIO);
	holt_task_cancel(t[1], NULL);
	ck_assert_int_eq(holt_task_wait(t[1], &r), 0); /* it was canceled, the waiter was not */
	ck_assert_int_eq(r, -ECANCELED);
	ck_assert_int_eq(holt_check(), 0);
	holt_task_unref(t[1]);

	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(1), .task = &t[1]), 0);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	r = 99;
	ck_assert_int_eq(holt_task_wait(t[1], &r), -ECANCELED); /* and here it is the other way round */
	ck_assert_int_eq(r, 99);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(holt_task_result(t[1]), 1);
	holt_task_unref(t[0]);
	holt_task_unref(t[1]);
	return 0;
}

TEST(who_waits_for_a_task_tells_its_failure_and_its_cancellation_from_his_own)
{
	ck_assert_int_eq(run_clean(wait_for_failed_and_canceled, NULL), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

/* ---- gather */

struct gathered {
	const char *claim;
	enum holt_kind kind;
	int seconds[4], expected, results[4], end;
};

static const struct gathered gathers[] = {
	{ "ALL", HOLT_ALL, { 1, 2, 3 }, 0, { 1, 2, 3 }, 3 },
	{ "ALL: the first failure cancels the others", HOLT_ALL, { 1, -2, 3 }, -2, { 1, -2, -ECANCELED }, 2 },
	{ "EACH", HOLT_EACH, { 1, -2, 3 }, 0, { 1, -2, 3 }, 3 },
	{ "ANY: the first success cancels the others", HOLT_ANY, { -1, 2, 3 }, 2, { -1, 2, -ECANCELED }, 2 },
	{ "ANY: the last failure", HOLT_ANY, { -1, -3, -2 }, -3, { -1, -3, -2 }, 3 },
	{ "none", HOLT_ALL, { 0 }, 0, { 0 }, 0 },
};

static int gather_them(void *arg)
{
	const struct gathered *g = arg;
	struct holt_call calls[4];
	size_t n = 0;
	int r;

	for (; g->seconds[n]; n++)
		calls[n] = (struct holt_call){ .fn = sleeps_seconds, .arg = NUMBER(g->seconds[n]), .result = 1000 };
	r = holt_gather(calls, n, g->kind);
	ck_assert_msg(r == g->expected, "%s: %d", g->claim, r);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(calls[i].result == g->results[i], "%s: result %zu is %d", g->claim, i, calls[i].result);
	ck_assert_int_eq(holt_check(), 0);
	return 0;
}

TEST_LOOP(gather_runs_all_and_gives_each_result, 0, HOLT__N(gathers))
{
	ck_assert_int_eq(run_clean(gather_them, WORD(&gathers[_i])), 0);
	ck_assert_uint_eq(harness_time(), (holt_time)gathers[_i].end * HOLT_SEC);
	ck_assert_str_eq(harness_log(), ""); /* the results tell of the failures */
}

static int gathers_long(void *arg)
{
	struct holt_call calls[2] = { { .fn = sleep_long }, { .fn = sleeps_seconds, .arg = NUMBER(1) } };
	int *r = arg;

	r[0] = holt_gather(calls, 2, HOLT_ALL);
	r[1] = calls[0].result;
	r[2] = calls[1].result;
	return r[0];
}

static int gather_badly(void *arg)
{
	struct holt_call calls[2] = { { .fn = give }, { .fn = NULL } };
	int r[3];

	(void)arg;
	ck_assert_int_eq(holt_gather(calls, 2, HOLT_ALL), -EINVAL);
	ck_assert_int_eq(holt_gather(NULL, 1, HOLT_ALL), -EINVAL);
	ck_assert_int_eq(holt_gather(calls, 1, (enum holt_kind)3), -EINVAL);
	ck_assert_int_eq(holt_timeout(2 * HOLT_SEC, gathers_long, r), -ETIME);
	ck_assert_int_eq(r[0], -ECANCELED);
	ck_assert_int_eq(r[1], -ECANCELED);
	ck_assert_int_eq(r[2], 1);
	return 0;
}

TEST(gather_is_canceled_with_its_caller)
{
	ck_assert_int_eq(run_clean(gather_badly, NULL), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int counts_its_calls(void *arg)
{
	++*(int *)arg;
	return holt_yield();
}

static int gather_with_a_hole(void *arg)
{
	struct holt_call calls[3] = { { .fn = counts_its_calls, .arg = arg }, { .fn = NULL },
		{ .fn = counts_its_calls, .arg = arg } };

	ck_assert_int_eq(holt_gather(calls, 3, HOLT_EACH), -EINVAL);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(*(int *)arg, 0);
	calls[1] = calls[0]; /* the same one twice runs twice */
	ck_assert_int_eq(holt_gather(calls, 3, HOLT_EACH), 0);
	return 0;
}

TEST(gather_with_a_call_that_cannot_be_made_makes_none)
{
	int n = 0;

	ck_assert_int_eq(run_clean(gather_with_a_hole, &n), 0);
	ck_assert_int_eq(n, 3);
}

/* One call is canceled, and the caller is not. What ANY gives then is told by the results: nobody has won. */
static int gather_with_one_canceled(void *arg)
{
	static const int expected[][3] = {
		[HOLT_ALL] = { 0, 1, -EIO },
		[HOLT_ANY] = { 1, 1, -EIO },
		[HOLT_EACH] = { 0, 1, 0 },
	};
	enum holt_kind kind = (enum holt_kind)(intptr_t)arg;
	struct holt_call well[2] = { { .fn = is_canceled_alone }, { .fn = sleeps_seconds, .arg = NUMBER(1) } };
	struct holt_call badly[2] = { { .fn = is_canceled_alone }, { .fn = fails_after_a_second } };
	struct holt_call alone[1] = { { .fn = is_canceled_alone } };

	ck_assert_int_eq(holt_gather(well, 2, kind), expected[kind][0]);
	ck_assert_int_eq(well[0].result, -ECANCELED);
	ck_assert_int_eq(well[1].result, expected[kind][1]);
	ck_assert_int_eq(holt_gather(badly, 2, kind), expected[kind][2]);
	ck_assert_int_eq(badly[0].result, -ECANCELED);
	ck_assert_int_eq(badly[1].result, -EIO);
	ck_assert_int_eq(holt_gather(alone, 1, kind), 0);
	ck_assert_int_eq(alone[0].result, -ECANCELED);
	return holt_check();
}

TEST_LOOP(gather_takes_a_call_that_was_canceled_alone_for_no_failure, 0, 3)
{
	ck_assert_int_eq(run_clean(gather_with_one_canceled, NUMBER(_i)), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

struct gathering {
	enum holt_kind kind;
	int r, results[2];
	holt_task *t, *other[2];
};

static int gathers_two_long(void *arg)
{
	struct gathering *g = arg;
	struct holt_call calls[2] = { { .fn = sleep_long }, { .fn = sleep_long } };

	g->r = holt_gather(calls, 2, g->kind);
	for (int i = 0; i < 2; i++)
		g->results[i] = calls[i].result;
	if (g->r < 0 && holt_why())
		note(holt_why());
	return g->r;
}

static int cancel_who_gathers(holt_fn fn, struct gathering *c)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, fn, c, .task = &c->t), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_task_cancel(c->t, "enough");
	holt_task_unref(c->t);
	return holt_group_close(g, 0);
}

static int cancel_who_gathers_two_long(void *arg)
{
	return cancel_who_gathers(gathers_two_long, arg);
}

TEST_LOOP(gather_of_any_kind_is_canceled_with_its_caller_who_sees_why, 0, 3)
{
	struct gathering g = { .kind = (enum holt_kind)_i };

	ck_assert_int_eq(run_clean(cancel_who_gathers_two_long, &g), 0);
	ck_assert_int_eq(g.r, -ECANCELED);
	ck_assert_int_eq(g.results[0], -ECANCELED);
	ck_assert_int_eq(g.results[1], -ECANCELED);
	ck_assert_str_eq(trace, "enough ");
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

static int gathers_in_a_shield(void *arg)
{
	struct gathering *g = arg;
	struct holt_call calls[2] = { { .fn = sleeps_seconds, .arg = NUMBER(2) }, { .fn = sleeps_seconds, .arg = NUMBER(3) } };
	struct holt_scope s;

	holt_scope_begin(&s, holt_in(HOLT_MIN), HOLT_SHIELD);
	g->r = (int)holt_scope_end(&s, holt_gather(calls, 2, HOLT_ALL));
	for (int i = 0; i < 2; i++)
		g->results[i] = calls[i].result;
	return holt_yield();
}

static int cancel_who_gathers_in_a_shield(void *arg)
{
	return cancel_who_gathers(gathers_in_a_shield, arg);
}

TEST(gather_in_a_shield_is_made_although_its_caller_was_canceled)
{
	struct gathering g = { .r = 99 };

	ck_assert_int_eq(run_clean(cancel_who_gathers_in_a_shield, &g), 0);
	ck_assert_int_eq(g.r, 0);
	ck_assert_int_eq(g.results[0], 2);
	ck_assert_int_eq(g.results[1], 3);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
}

static int only_waits(void *task)
{
	int result = 0, r = holt_task_wait(task, &result);

	return r < 0 ? r : result;
}

static int gathers_waits(void *arg)
{
	struct gathering *g = arg;
	struct holt_call calls[2] = { { .fn = only_waits, .arg = g->other[0] }, { .fn = only_waits, .arg = g->other[1] } };

	g->r = holt_gather(calls, 2, HOLT_ALL);
	return g->r;
}

static int cancel_who_gathers_waits(void *arg)
{
	struct gathering *c = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(2 + i), .task = &c->other[i]), 0);
	ck_assert_int_eq(cancel_who_gathers(gathers_waits, c), 0);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	for (int i = 0; i < 2; i++) {
		c->results[i] = holt_task_result(c->other[i]);
		holt_task_unref(c->other[i]);
	}
	return 0;
}

TEST(gather_of_waits_that_is_canceled_leaves_what_was_waited_for_alone)
{
	struct gathering g = { .r = 99 };

	ck_assert_int_eq(run_clean(cancel_who_gathers_waits, &g), 0);
	ck_assert_int_eq(g.r, -ECANCELED);
	ck_assert_int_eq(g.results[0], 2);
	ck_assert_int_eq(g.results[1], 3);
}

static int gathers_one_second(void *arg)
{
	struct gathering *g = arg;
	struct holt_call calls[2] = { { .fn = sleeps_seconds, .arg = NUMBER(1) }, { .fn = give, .arg = NUMBER(7) } };

	g->r = holt_gather(calls, 2, HOLT_ALL);
	g->results[0] = calls[0].result;
	g->results[1] = holt_yield();
	return 0;
}

/* Its second began behind that of the call, so both end in one turn, the call first. */
static int cancel_who_has_gathered(void *arg)
{
	struct gathering *c = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, gathers_one_second, c, .task = &c->t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert(!holt_task_done(c->t));
	ck_assert_uint_eq(holt_task_count(), 2); /* he is there, and we; the calls are not */
	holt_task_cancel(c->t, NULL);
	holt_task_unref(c->t);
	return holt_group_close(g, 0);
}

TEST(gather_whose_calls_have_ended_is_past_canceling)
{
	struct gathering g = { .r = 99 };

	ck_assert_int_eq(run_clean(cancel_who_has_gathered, &g), 0);
	ck_assert_int_eq(g.r, 0);
	ck_assert_int_eq(g.results[0], 1);
	ck_assert_int_eq(g.results[1], -ECANCELED);
}
