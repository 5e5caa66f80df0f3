/* SPDX-License-Identifier: MIT */
/*
 * Tasks and runs: how they are spawned, named, waited for and timed out, what follows the tree, what other threads and
 * forked children may do, and that none of it needs memory on the way or loses any when there is none.
 */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "task/task.h"

static int sleeps_seconds(void *arg)
{
	int n = (int)(intptr_t)arg, r = holt_sleep((holt_time)(n < 0 ? -n : n) * HOLT_SEC);

	return r < 0 ? r : n;
}

/* ---- options of spawn */

static int copied(void *arg)
{
	char *text = arg;

	ck_assert_uint_eq((uintptr_t)arg % 64, 0);
	ck_assert_str_eq(text, "a copy of the caller's");
	text[0] = 'x'; /* it is our own */
	return holt_yield();
}

static int copies(void *arg)
{
	char text[64] = "a copy of the caller's", much[40000] = "";
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_spawn(g, copied, text, .copy = sizeof text), 0);
	ck_assert_int_eq(holt_yield(), 0);
	strcpy(text, "gone");
	ck_assert_int_eq(holt_spawn(g, copied, NULL, .copy = 1), -EINVAL);
	ck_assert_int_eq(holt_spawn(g, copied, much, .copy = holt_self()->stacks->size / 2 + 1), -EINVAL);
	return holt_group_close(g, 0);
}

TEST(copy_gives_each_task_its_own_argument_of_at_most_half_the_stack)
{
	ck_assert_int_eq(run_clean(copies, NULL), 0);
}

static int uses_a_megabyte(void *arg)
{
	char block[1 << 20];

	memset(block, 1, sizeof block);
	(void)arg;
	return holt_yield() < 0 ? -ECANCELED : block[12345];
}

static int large_stacks(void *arg)
{
	holt_group *g = NULL;
	holt_task *t[2] = { NULL, NULL };

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_spawn(g, uses_a_megabyte, NULL, .stack_size = 2 << 20, .task = &t[i]), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(holt_task_result(t[i]), 1);
		holt_task_unref(t[i]);
	}
	ck_assert_int_eq(holt_spawn(g, give, NULL, .stack_size = SIZE_MAX), -EINVAL);
	ck_assert_int_eq(holt_spawn(g, give, NULL, .stack_size = 1), 0); /* more than it asked for */
	return holt_group_close(g, 0);
}

TEST(stack_size_of_a_task_or_of_all_is_as_asked)
{
	ck_assert_int_eq(run_clean(large_stacks, NULL), 0);
	ck_assert_int_eq(harness_run(uses_a_megabyte, NULL, .stack_size = 2 << 20), 1);
	ck_assert_int_eq(harness_run(uses_a_megabyte, NULL, .stack_size = SIZE_MAX), -EINVAL);
}

static int spawn_badly(void *arg)
{
	struct {
		struct holt_task_options known;
		uint64_t unknown;
	} longer = { .known.size = sizeof longer };
	struct holt_task_options tiny = { .size = 4 }, shorter = { .size = offsetof(struct holt_task_options, name) };
	holt_task *t = (holt_task *)1;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(NULL, give, NULL, .task = &t), -EINVAL);
	ck_assert_ptr_null(t); /* there is no detached task, and nobody else owns arg */
	ck_assert_int_eq(holt_spawn_with(g, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_spawn_with(g, give, NULL, &tiny), -EINVAL);
	longer.unknown = 1;
	ck_assert_int_eq(holt_spawn_with(g, give, NULL, &longer.known), -E2BIG);
	longer.unknown = 0;
	ck_assert_int_eq(holt_spawn_with(g, note_it, WORD("longer"), &longer.known), 0);
	shorter.fn_name = "short";
	shorter.name = "not known then";
	ck_assert_int_eq(holt_spawn_with(g, note_it, WORD("shorter"), &shorter), 0);
	ck_assert_int_eq(holt_spawn_with(g, note_it, WORD("none"), NULL), 0);
	return holt_group_close(g, 0);
}

TEST(spawn_takes_options_of_any_age_and_refuses_what_it_does_not_know)
{
	ck_assert_int_eq(run_clean(spawn_badly, NULL), 0);
	ck_assert_str_eq(trace, "longer shorter none ");
}

/* ---- handles, names, paths */

static int handles(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL, *other = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(7), .task = &t), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(1), .task = &other), 0);
	ck_assert(!holt_task_done(t));
	ck_assert_int_eq(holt_task_result(t), -EINPROGRESS);
	ck_assert_uint_ne(holt_task_id(t), holt_task_id(other));
	ck_assert_uint_ne(holt_task_id(t), holt_task_id(holt_self()));
	ck_assert_ptr_eq(holt_task_ref(t), t);
	ck_assert_ptr_null(holt_task_unref(t));
	ck_assert_ptr_null(holt_task_ref(NULL));
	ck_assert_ptr_null(holt_task_unref(NULL));
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert(holt_task_done(t));
	ck_assert_int_eq(holt_task_result(t), 7);
	holt_task_cancel(t, NULL); /* it has ended: nothing happens */
	holt_task_cancel(NULL, NULL);
	holt_task_unref(t);
	holt_task_unref(other);
	return 0;
}

TEST(handle_tells_of_a_task_until_its_last_reference_is_dropped)
{
	ck_assert_int_eq(run_clean(handles, NULL), 0);
}

static const char *path_of(const holt_task *t)
{
	static char path[4][256];
	static unsigned n;
	struct holt__text text = HOLT__TEXT(path[n % 4]);

	holt__task_path(t, &text);
	return path[n++ % 4];
}

static int names(void *arg)
{
	char name[] = "changes", longer[1000], numbered[64];
	holt_group *conns = NULL, *unnamed = NULL;
	holt_task *t[6] = { NULL };

	(void)arg;
	memset(longer, 'n', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	ck_assert_int_eq(holt_group_open(&conns, .name = "conns"), 0);
	ck_assert_int_eq(holt_spawn(conns, sleep_long, NULL, .task = &t[0]), 0);
	ck_assert_int_eq(holt_spawn(conns, sleep_long, NULL, .task = &t[1], .name = name), 0);
	ck_assert_int_eq(holt_spawn_with(conns, sleep_long, NULL, NULL), 0);
	ck_assert_int_eq(holt_spawn(conns, sleep_long, NULL, .task = &t[2], .name = longer), 0);
	name[0] = 'X'; /* it was copied */
	ck_assert_str_eq(path_of(holt_self()), "web/main");
	ck_assert_str_eq(path_of(t[0]), "web/conns/sleep_long");
	ck_assert_str_eq(holt_task_name(t[1]), "changes");
	ck_assert_str_eq(path_of(t[1]), "web/conns/changes");
	ck_assert_str_eq(holt__scope_group(&conns->scope)->first->next->next->task->name ? "?" : "none", "none");
	ck_assert_str_eq(holt_task_name(conns->first->next->next->task), "task");
	ck_assert_str_eq(path_of(conns->first->next->next->task), "web/conns/task");
	ck_assert_uint_ge(strlen(holt_task_name(t[2])), 255);

	ck_assert_int_eq(holt_group_open(&unnamed), 0);
	ck_assert_int_eq(holt_spawn(unnamed, sleep_long, NULL, .task = &t[3], .name = "echo"), 0);
	ck_assert_str_eq(path_of(t[3]), "web/conns/echo");
	ck_assert_int_eq(holt_spawn(unnamed, sleep_long, NULL, .task = &t[4], .name = "echo"), 0);
	snprintf(numbered, sizeof numbered, "web/conns/echo#%d", (int)holt_task_id(t[3]));
	ck_assert_str_eq(path_of(t[3]), numbered);
	snprintf(numbered, sizeof numbered, "web/conns/echo#%d", (int)holt_task_id(t[4]));
	ck_assert_str_eq(path_of(t[4]), numbered);
	holt_task_cancel(t[3], NULL);
	ck_assert_int_eq(holt_task_wait(t[3], NULL), 0);
	ck_assert_str_eq(path_of(t[4]), numbered); /* and so it stays */

	holt_group_cancel(conns, NULL);
	ck_assert_int_eq(holt_group_close(unnamed, 0), -ECANCELED);
	for (int i = 0; i < 6; i++)
		holt_task_unref(t[i]);
	return holt_group_close(conns, 0);
}

TEST(task_is_called_by_its_name_else_its_function_and_its_path_by_the_groups_around)
{
	ck_assert_int_eq(harness_run(names, NULL, .name = "web"), 0);
}

TEST(outside_of_tasks_there_is_no_self_and_nothing_suspends)
{
	struct holt_local key = { .name = "key" };
	holt_task *t = NULL;

	ck_assert_ptr_null(holt_self());
	ck_assert_int_eq(holt_sleep(1), -EPERM);
	ck_assert_int_eq(holt_sleep_until(1), -EPERM);
	ck_assert_int_eq(holt_yield(), -EPERM);
	ck_assert_int_eq(holt_check(), 0);
	ck_assert_int_eq(holt_ready(), -EPERM);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, give, NULL), -EPERM);
	ck_assert_int_eq(holt_gather(NULL, 0, HOLT_ALL), -EPERM);
	ck_assert_int_eq(holt_wait(&t, 0, HOLT_ALL_COMPLETED, 0), -EPERM);
	ck_assert_int_eq(holt_local_set(&key, &key), -EPERM);
	ck_assert_ptr_null(holt_local_get(&key));
	ck_assert(!holt_stopping());
	ck_assert_ptr_null(holt_why());
	ck_assert_uint_eq(holt_now(), HARNESS_EPOCH);
	ck_assert_uint_eq(holt_in(HOLT_SEC), HARNESS_EPOCH + HOLT_SEC);
	ck_assert_uint_eq(holt_in(HOLT_NEVER), HOLT_NEVER);
	ck_assert_uint_eq(holt_in(HOLT_NEVER - 5), HOLT_NEVER);
}

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

/* ---- canceling a task */

static int cancels_itself_and_returns_well(void *arg)
{
	(void)arg;
	holt_task_cancel(holt_self(), NULL);
	ck_assert_int_eq(holt_check(), -ECANCELED);
	return 12;
}

static int is_canceled_and_returns_well(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_HOUR) == -ECANCELED ? 42 : 0;
}

static int cancel_who_return_well(void *arg)
{
	holt_group *g = NULL;
	holt_task *t[2] = { NULL, NULL };

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, cancels_itself_and_returns_well, NULL, .task = &t[0]), 0);
	ck_assert_int_eq(holt_spawn(g, is_canceled_and_returns_well, NULL, .task = &t[1]), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t[1], NULL);
	ck_assert_int_eq(holt_group_close(g, 5), 5);
	ck_assert_int_eq(holt_task_result(t[0]), 12);
	ck_assert_int_eq(holt_task_result(t[1]), 42);
	holt_task_unref(t[0]);
	holt_task_unref(t[1]);
	return 0;
}

TEST(task_that_was_canceled_and_returns_a_result_all_the_same_has_that_result)
{
	ck_assert_int_eq(run_clean(cancel_who_return_well, NULL), 0);
	ck_assert_uint_eq(harness_time(), 0);
}

static int sees_its_reason(void *arg)
{
	int r = holt_yield();

	ck_assert_int_eq(r, -ECANCELED);
	ck_assert(holt_stopping());
	note(holt_why() ? holt_why() : "none");
	return arg ? 0 : r;
}

static int cancel_with_reasons(void *arg)
{
	holt_group *g = NULL;
	holt_task *t[2] = { NULL, NULL };
	char why[] = "mine";

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_spawn(g, sees_its_reason, NUMBER(i), .task = &t[i]), 0);
	holt_task_cancel(t[0], why); /* before it ran */
	holt_task_cancel(t[0], "another");
	holt_task_cancel(t[1], NULL);
	why[0] = 'x';
	ck_assert_ptr_null(holt_why()); /* it is theirs */
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(holt_task_result(t[0]), -ECANCELED); /* and those who hold it learn no more than this */
	holt_task_unref(t[0]);
	holt_task_unref(t[1]);
	return 0;
}

TEST(reason_of_its_cancellation_is_seen_by_a_task_that_had_not_run_before)
{
	ck_assert_int_eq(run_clean(cancel_with_reasons, NULL), 0);
	ck_assert_str_eq(trace, "mine canceled ");
}

static void cancel_it(void *task)
{
	ck_assert_ptr_null(holt_self());
	holt_task_cancel(task, "from outside of tasks");
}

static int is_canceled_from_outside(void *arg)
{
	int r = holt_sleep(HOLT_HOUR);

	(void)arg;
	ck_assert_int_eq(r, -ECANCELED);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
	note(holt_why());
	return r;
}

static int cancel_from_outside(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;
	int r;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, is_canceled_from_outside, NULL, .task = &t), 0);
	harness_at(HOLT_SEC, cancel_it, t);
	ck_assert_int_eq(holt_task_wait(t, &r), 0);
	ck_assert_int_eq(r, -ECANCELED);
	holt_task_unref(t);
	ck_assert_uint_eq(holt__wheel_next(&holt_loop_self()->timers), HOLT_NEVER); /* of the hour nothing is left */
	return holt_group_close(g, 0);
}

TEST(sleeper_is_canceled_from_outside_of_tasks_and_its_timer_is_gone_with_it)
{
	ck_assert_int_eq(run_clean(cancel_from_outside, NULL), 0);
	ck_assert_str_eq(trace, "from outside of tasks ");
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

struct held {
	holt_task *own, *other;
};

static int cancels_itself_and_waits(void *arg)
{
	struct held *h = arg;
	holt_group *g = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &h->own), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(holt_self(), NULL);
	r = holt_task_wait(h->other, NULL);
	ck_assert_int_eq(r, -ECANCELED);
	ck_assert_int_eq(holt_task_wait(h->own, NULL), -ECANCELED);
	r = holt_group_close(g, r); /* here it is waited for, canceled or not */
	ck_assert(holt_task_done(h->own));
	return r;
}

static int cancel_oneself_and_wait(void *arg)
{
	struct held h = { NULL, NULL };
	holt_group *g = NULL;
	holt_task *t = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(3), .task = &h.other), 0);
	ck_assert_int_eq(holt_spawn(g, cancels_itself_and_waits, &h, .task = &t), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(holt_task_result(t), -ECANCELED);
	ck_assert_int_eq(holt_task_result(h.own), -ECANCELED);
	ck_assert_int_eq(holt_task_result(h.other), 3);
	holt_task_unref(t);
	holt_task_unref(h.own);
	holt_task_unref(h.other);
	return 0;
}

TEST(task_that_cancels_itself_cancels_what_it_holds_and_nothing_that_it_waits_for)
{
	ck_assert_int_eq(run_clean(cancel_oneself_and_wait, NULL), 0);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
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

static int is_canceled_alone(void *arg)
{
	(void)arg;
	holt_task_cancel(holt_self(), NULL);
	return holt_sleep(HOLT_HOUR);
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

/* ---- timeouts and the clock */

static int yields_once(void *arg)
{
	++*(int *)arg;
	return holt_yield();
}

static int outer_times_out(void *arg)
{
	return holt_timeout(HOLT_HOUR, sleep_long, arg);
}

static int times_out(void *arg)
{
	struct holt_scope s;
	int n = 0;

	(void)arg;
	ck_assert_int_eq(holt_timeout(HOLT_MIN, give, NUMBER(3)), 3);
	ck_assert_int_eq(holt_timeout(HOLT_MIN, give, NUMBER(-EIO)), -EIO);
	ck_assert_int_eq(holt_timeout(HOLT_MIN, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, sleep_long, NULL), -ETIME);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, outer_times_out, NULL), -ETIME);
	ck_assert_int_eq(holt_timeout(HOLT_NEVER, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, NULL, NULL), -EINVAL);
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);

	ck_assert_int_eq(holt_timeout(0, yields_once, &n), -ETIME); /* fn runs always */
	harness_advance(HOLT_SEC);                                  /* the turn's clock is behind */
	ck_assert_int_eq(holt_timeout(0, yields_once, &n), -ETIME);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq(holt_timeout(HOLT_MIN, yields_once, &n), -ECANCELED);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(n, 3);
	return holt_check();
}

TEST(timeout_always_runs_fn_and_tells_its_own_deadline_from_others)
{
	ck_assert_int_eq(run_clean(times_out, NULL), 0);
}

static int turns_it_into(void *result)
{
	ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED);
	ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED); /* and each further call, so it cannot be held up here */
	return (int)(intptr_t)result;
}

static int cleans_up_first(void *arg)
{
	struct holt_scope s;
	int r = holt_sleep(HOLT_HOUR);

	holt_scope_begin(&s, holt_in(HOLT_MIN), HOLT_SHIELD);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, sleep_long, NULL), -ETIME);
	holt_scope_end(&s, 0);
	note("cleaned-up");
	(void)arg;
	return r;
}

static int is_canceled_in_time(void *arg)
{
	holt_task_cancel(arg, NULL);
	return holt_sleep(HOLT_HOUR);
}

static int make_something_of_a_deadline(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_timeout(HOLT_SEC, turns_it_into, NUMBER(-EIO)), -EIO);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, turns_it_into, NUMBER(1)), 1);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, cleans_up_first, NULL), -ETIME); /* it is waited for */
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
	ck_assert_int_eq(holt_check(), 0); /* and none of it is left for what comes behind */
	ck_assert_int_eq(holt_timeout(HOLT_SEC, is_canceled_in_time, holt_self()), -ECANCELED);
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
	return 0;
}

TEST(what_fn_makes_of_its_deadline_is_the_result_of_timeout)
{
	ck_assert_int_eq(run_clean(make_something_of_a_deadline, NULL), 0);
	ck_assert_str_eq(trace, "cleaned-up ");
}

static int reads_the_clock(void *arg)
{
	struct holt_scope s;
	holt_time now = holt_now();

	(void)arg;
	harness_advance(5 * HOLT_SEC);
	ck_assert_uint_eq(holt_now(), now); /* the turn's */
	ck_assert_uint_eq(holt_in(HOLT_SEC), now + HOLT_SEC);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0); /* counts from a fresh reading */
	ck_assert_uint_eq(holt_now(), now + 6 * HOLT_SEC);
	ck_assert_int_eq(holt_sleep_until(now), 0);
	ck_assert_int_eq(holt_sleep(0), 0);
	ck_assert_uint_eq(holt_now(), now + 6 * HOLT_SEC);
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq(holt_check(), 0);
	harness_advance(2 * HOLT_SEC);
	ck_assert_int_eq(holt_check(), -ECANCELED); /* a computing loop sees its deadline */
	ck_assert_int_eq((int)holt_scope_end(&s, -ECANCELED), -ETIME);
	return 0;
}

TEST(clock_is_the_turns_and_check_reads_a_fresh_one_for_deadlines)
{
	ck_assert_int_eq(run_clean(reads_the_clock, NULL), 0);
}

static int yields_past_a_deadline(void *arg)
{
	struct holt_scope s;
	int yields = 0;

	(void)arg;
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	harness_advance(2 * HOLT_SEC);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_check(), -ECANCELED);
	ck_assert_int_eq(holt_yield(), -ECANCELED);
	ck_assert_int_eq((int)holt_scope_end(&s, -ECANCELED), -ETIME);

	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	harness_advance(2 * HOLT_SEC);
	while (holt_yield() == 0)
		ck_assert_int_lt(++yields, 1000);
	ck_assert_int_gt(yields, 0);
	return (int)holt_scope_end(&s, -ECANCELED);
}

TEST(deadline_that_passed_is_seen_by_a_check_at_once_and_by_yields_when_the_loop_turns)
{
	ck_assert_int_eq(run_clean(yields_past_a_deadline, NULL), -ETIME);
}

static int wakes_on_time(void *arg)
{
	holt_time *late = arg, point = holt_in(HOLT_SEC);

	ck_assert_int_eq(holt_sleep_until(point), 0);
	*late = holt_now() - point;
	return 0;
}

static int computes_under_a_deadline(void *arg)
{
	struct holt_scope s;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, wakes_on_time, arg), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_scope_begin(&s, holt_in(2 * HOLT_SEC), 0);
	harness_advance(3 * HOLT_SEC);
	ck_assert_int_eq(holt_check(), -ECANCELED); /* fires the other one's timer, too */
	holt_scope_end(&s, 0);
	return holt_group_close(g, 0);
}

TEST(sleeper_that_is_woken_by_a_check_of_another_task_sees_no_earlier_time_than_it_asked_for)
{
	holt_time late = HOLT_NEVER;

	ck_assert_int_eq(run_clean(computes_under_a_deadline, &late), 0);
	ck_assert_uint_eq(late, 2 * HOLT_SEC);
}

/* ---- values that follow the tree */

static int freed[8];

static void free_number(void *value)
{
	freed[(intptr_t)value]++;
}

static const struct holt_local key = { .name = "key", .free = free_number }, plain = { .name = "plain" };

static int sees(void *number)
{
	ck_assert_ptr_eq(holt_local_get(&key), number);
	return 0;
}

static int sets_its_own(void *number)
{
	ck_assert_int_eq(holt_local_set(&key, number), 0);
	ck_assert_int_eq(holt_yield(), 0);
	return sees(number);
}

static int locals(void *arg)
{
	struct holt_scope s;
	holt_group *outer = NULL, *inner = NULL;

	(void)arg;
	ck_assert_ptr_null(holt_local_get(&key));
	ck_assert_int_eq(holt_local_set(NULL, WORD("x")), -EINVAL);
	ck_assert_int_eq(holt_local_set(&key, NULL), 0);
	ck_assert_int_eq(holt_local_set(&key, NUMBER(1)), 0);
	ck_assert_int_eq(holt_group_open(&outer), 0);
	ck_assert_int_eq(holt_group_open(&inner), 0);
	ck_assert_int_eq(holt_local_set(&key, NUMBER(2)), 0);
	ck_assert_int_eq(holt_spawn(outer, sees, NUMBER(1)), 0); /* from its group, not from us */
	ck_assert_int_eq(holt_spawn(inner, sees, NUMBER(2)), 0);
	ck_assert_int_eq(holt_spawn(inner, sets_its_own, NUMBER(3)), 0);
	ck_assert_int_eq(holt_spawn(inner, sets_its_own, NUMBER(4)), 0);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	ck_assert_int_eq(holt_local_set(&key, NUMBER(5)), 0);
	ck_assert_int_eq(holt_local_set(&plain, &s), 0);
	ck_assert_ptr_eq(holt_local_get(&plain), &s);
	ck_assert_int_eq(holt_local_set(&key, NUMBER(6)), 0);
	ck_assert_int_eq(freed[5], 1);
	ck_assert_int_eq(holt_local_set(&key, NUMBER(6)), 0); /* the same one */
	ck_assert_int_eq(freed[6], 0);
	ck_assert_int_eq(holt_local_set(&key, NULL), 0);
	ck_assert_int_eq(freed[6], 1);
	ck_assert_ptr_eq(holt_local_get(&key), NUMBER(2)); /* the outer one shows again */
	ck_assert_int_eq(holt_local_set(&key, NUMBER(7)), 0);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(freed[7], 1);
	ck_assert_ptr_null(holt_local_get(&plain));
	ck_assert_int_eq(holt_group_close(inner, 0), 0);
	ck_assert_int_eq(freed[2], 1);
	ck_assert_int_eq(freed[3], 1);
	ck_assert_int_eq(freed[4], 1);
	ck_assert_int_eq(freed[1], 0);
	return holt_group_close(outer, 0);
}

TEST(local_values_follow_the_tree_and_are_freed_with_their_scope)
{
	memset(freed, 0, sizeof freed);
	ck_assert_int_eq(run_clean(locals, NULL), 0);
	ck_assert_int_eq(freed[1], 1);
}

static const struct holt_local language = { .name = "language" };

static int hears(void *arg)
{
	const char *const *said = arg;

	for (int i = 0; i < 3; i++) {
		const char *value = holt_local_get(&language);

		note(value ? value : "none");
		if (i == 1 && said)
			ck_assert_int_eq(holt_local_set(&language, WORD(*said)), 0);
		ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	}
	return 0;
}

/* Nothing is copied at a spawn: one looks at the tree as it is. */
static int set_while_they_run(void *arg)
{
	static const char *own = "own";
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, hears, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, hears, &own), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC / 2), 0);
	ck_assert_int_eq(holt_local_set(&language, WORD("late")), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(holt_local_get(&language), "late"); /* what a member has set is its own */
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_ptr_null(holt_local_get(&language));
	return 0;
}

TEST(value_that_is_set_later_is_seen_by_members_that_run_already_and_theirs_by_nobody_outside)
{
	ck_assert_int_eq(run_clean(set_while_they_run, NULL), 0);
	ck_assert_str_eq(trace, "none none late late late own ");
}

static int has_none_and_sets_one(void *number)
{
	ck_assert_ptr_null(holt_local_get(&key));
	return holt_local_set(&key, number);
}

TEST(local_values_of_a_run_end_with_it_and_the_next_has_none)
{
	memset(freed, 0, sizeof freed);
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(run_clean(has_none_and_sets_one, NUMBER(i)), 0);
		ck_assert_int_eq(freed[i], 1);
	}
}

/* ---- scopes: whose cancellation it was, and how deep they nest */

static int cancels_a_scope(void *arg)
{
	struct holt_scope outer, inner;

	(void)arg;
	holt_scope_begin(&outer, HOLT_NEVER, 0);
	holt_scope_begin(&inner, HOLT_NEVER, 0);
	holt_scope_cancel(&inner, NULL);
	ck_assert_int_eq((int)holt_scope_end(&inner, holt_sleep(HOLT_SEC)), -ECANCELED);
	ck_assert_int_eq(holt_check(), 0);       /* it was the inner one's */
	holt_scope_begin(&inner, HOLT_NEVER, 0); /* one that has ended may begin again, and knows nothing */
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_scope_cancel(&inner, NULL);
	holt_scope_cancel(&outer, NULL);
	ck_assert_int_eq((int)holt_scope_end(&inner, holt_sleep(HOLT_SEC)), -ECANCELED);
	ck_assert_int_eq(holt_check(), -ECANCELED); /* it was also one further out */
	return (int)holt_scope_end(&outer, 0);
}

TEST(end_of_a_canceled_scope_leaves_ecanceled_and_a_check_behind_it_tells_whose_it_was)
{
	ck_assert_int_eq(run_clean(cancels_a_scope, NULL), 0);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

static int ends_before_it_looked(void *arg)
{
	struct holt_scope s;
	holt_group *g = NULL;

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq((int)holt_scope_end(&s, 5), 5);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	for (int r = 0; r < 4; r++) {
		static const int results[] = { 5, 0, -EIO, -ETIMEDOUT };

		holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
		ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), -ECANCELED);
		ck_assert_int_eq((int)holt_scope_end(&s, results[r]), results[r]); /* not what was seen, but what is given */
	}
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_group_close(g, 5), 5);
	return holt_sleep(HOLT_SEC);
}

TEST(cancellation_that_no_result_tells_of_ends_with_its_scope_and_changes_nothing)
{
	ck_assert_int_eq(run_clean(ends_before_it_looked, NULL), 0);
	ck_assert_uint_eq(harness_time(), 7 * HOLT_SEC);
}

enum { DEEP = 5000 };
static struct holt_scope deep[DEEP];

static int nests_deeply(void *arg)
{
	int sleep;

	for (int i = 0; i < DEEP; i++)
		holt_scope_begin(&deep[i], holt_in((holt_time)(2 * DEEP - i) * HOLT_MIN), 0);
	*(holt_task **)arg = holt_self();
	sleep = holt_sleep(10 * HOLT_HOUR);
	for (int i = DEEP; i-- > 1;)
		ck_assert_int_eq((int)holt_scope_end(&deep[i], sleep), -ECANCELED);
	ck_assert_int_eq((int)holt_scope_end(&deep[0], sleep), -ECANCELED);
	return holt_yield();
}

static int cancel_what_is_deep(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, nests_deeply, &t), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_ptr_nonnull(t);
	holt_scope_cancel(&deep[0], "the outermost");
	return holt_group_close(g, 0);
}

TEST(thousands_of_scopes_one_inside_the_other_are_canceled_by_the_outermost)
{
	ck_assert_int_eq(run_clean(cancel_what_is_deep, NULL), 0);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

/*
 * Scopes at random, against a model that knows only what the rules say: who looks out sees up to the first shield; what
 * came first is the cause; an end gives its own cause, unless something further out is seen as canceled, too.
 */
enum { NESTED = 8 };

struct model {
	struct holt_scope scope[NESTED];
	holt_time deadline[NESTED];
	enum { NOT_YET, BY_DEADLINE, BY_CALL } cause[NESTED];
	bool shield[NESTED];
	int depth;
	uint64_t random;
};

static unsigned draw(struct model *m, unsigned below)
{
	m->random = m->random * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(m->random >> 33) % below;
}

/* Is what the scope at depth i - 1 contains canceled? */
static bool is_canceled(const struct model *m, int i)
{
	while (i-- > 0) {
		if (m->cause[i] != NOT_YET)
			return true;
		if (m->shield[i])
			return false;
	}
	return false;
}

/* Time passes until a point, or until a deadline is seen. */
static int sleeps_in_the_model(struct model *m, holt_time until, holt_time *end)
{
	*end = until;
	if (is_canceled(m, m->depth)) {
		*end = holt_now();
		return -ECANCELED;
	}
	for (int i = m->depth; i-- > 0;) {
		*end = *end < m->deadline[i] ? *end : m->deadline[i];
		if (m->shield[i])
			break;
	}
	for (int i = 0; i < m->depth; i++)
		if (m->deadline[i] <= *end && m->cause[i] == NOT_YET)
			m->cause[i] = BY_DEADLINE;
	return *end < until ? -ECANCELED : 0;
}

static void one_step(struct model *m)
{
	holt_time until, end;
	int i, r;

	switch (draw(m, 4)) {
	case 0: /* deadlines are odd and points even: none falls on another */
		if (m->depth == NESTED)
			break;
		i = m->depth++;
		m->shield[i] = draw(m, 3) == 0;
		m->deadline[i] = (holt_now() | 1) + 2 * draw(m, 50);
		if (!m->shield[i] && draw(m, 3) == 0)
			m->deadline[i] = HOLT_NEVER;
		m->cause[i] = NOT_YET;
		holt_scope_begin(&m->scope[i], m->deadline[i], m->shield[i] ? HOLT_SHIELD : 0);
		if (m->deadline[i] <= holt_now() && (m->shield[i] || !is_canceled(m, i)))
			m->cause[i] = BY_DEADLINE;
		break;
	case 1:
		if (m->depth == 0 || draw(m, 3) > 0)
			break;
		i = (int)draw(m, (unsigned)m->depth);
		holt_scope_cancel(&m->scope[i], NULL);
		if (m->cause[i] == NOT_YET)
			m->cause[i] = BY_CALL;
		break;
	case 2:
		until = (holt_now() + 2 + 2 * draw(m, 30)) & ~(holt_time)1;
		r = sleeps_in_the_model(m, until, &end);
		ck_assert_int_eq(holt_sleep_until(until), r);
		ck_assert_uint_eq(holt_now(), end);
		break;
	case 3:
		if (m->depth == 0)
			break;
		i = --m->depth;
		r = !m->shield[i] && is_canceled(m, i) ? -ECANCELED : m->cause[i] == BY_DEADLINE ? -ETIME : -ECANCELED;
		ck_assert_int_eq((int)holt_scope_end(&m->scope[i], -ECANCELED), r);
	}
	ck_assert_int_eq(holt_check(), is_canceled(m, m->depth) ? -ECANCELED : 0);
}

static int many_steps(void *arg)
{
	struct model m = { .random = (uint64_t)(intptr_t)arg };

	for (int i = 0; i < 2000; i++)
		one_step(&m);
	while (m.depth > 0)
		holt_scope_end(&m.scope[--m.depth], 0);
	return 0;
}

TEST_LOOP(nests_of_scopes_at_random_do_what_the_rules_say, 0, 50)
{
	ck_assert_int_eq(run_clean(many_steps, NUMBER(_i)), 0);
}

/* ---- scopes, misused */

static int ends_out_of_order(void *arg)
{
	struct holt_scope a, b;

	(void)arg;
	holt_scope_begin(&a, HOLT_NEVER, 0);
	holt_scope_begin(&b, HOLT_NEVER, 0);
	holt_scope_end(&a, 0);
	return 0;
}

static int ends_around_a_group(void *arg)
{
	struct holt_scope a;
	holt_group *g = NULL;

	(void)arg;
	holt_scope_begin(&a, HOLT_NEVER, 0);
	holt_group_open(&g);
	holt_scope_end(&a, 0);
	return 0;
}

static int ends_it(void *scope)
{
	holt_scope_end(scope, 0);
	return 0;
}

static int ends_anothers(void *arg)
{
	struct holt_scope a;
	holt_group *g = NULL;

	(void)arg;
	holt_group_open(&g);
	holt_scope_begin(&a, HOLT_NEVER, 0);
	holt_spawn(g, ends_it, &a);
	return holt_yield();
}

static int begins_again(void *arg)
{
	struct holt_scope a;

	(void)arg;
	for (int i = 0; i < 2; i++)
		holt_scope_begin(&a, HOLT_NEVER, 0); /* a continue that left out the end */
	return holt_stopping();
}

static int begins_again_further_in(void *arg)
{
	struct holt_scope a;
	holt_group *g = NULL;

	(void)arg;
	holt_scope_begin(&a, HOLT_NEVER, 0);
	holt_group_open(&g);
	holt_scope_begin(&a, HOLT_NEVER, 0);
	return holt_stopping();
}

static int unknown_flags(void *arg)
{
	struct holt_scope a;

	(void)arg;
	holt_scope_begin(&a, HOLT_NEVER, 4);
	holt_scope_end(&a, 0);
	return 0;
}

static int leaves_a_scope(void *arg)
{
	struct holt_scope a;

	(void)arg;
	holt_scope_begin(&a, HOLT_NEVER, 0);
	return 0;
}

static int owns_a_lock(void *arg)
{
	static struct holt_lock l;

	(void)arg;
	return holt_lock_acquire(&l);
}

static int nothing_runs(void *arg)
{
	struct holt_scope a;

	(void)arg;
	holt_scope_begin(&a, HOLT_NEVER, 0);
	return 0;
}

static int run_it(void *fn)
{
	return fn == (void *)nothing_runs ? nothing_runs(NULL) : holt_run((holt_fn)fn, NULL);
}

static const struct {
	int (*fn)(void *arg);
	const char *says;
} aborts[] = {
	{ ends_out_of_order, "holt_scope_end: this is not the innermost scope of the calling task" },
	{ ends_around_a_group, "holt_scope_end: this is not the innermost scope of the calling task" },
	{ ends_anothers, "holt_scope_end: this is not the innermost scope of the calling task" },
	{ begins_again, "holt_scope_begin: this scope was begun already" },
	{ begins_again_further_in, "holt_scope_begin: this scope was begun already" },
	{ unknown_flags, "holt_scope_begin: unknown flags" },
	{ leaves_a_scope, "task main returned with an open scope" },
	{ owns_a_lock, "task main returned while it owns 1 lock" },
	{ nothing_runs, "holt_scope_begin: only a task can open a scope" },
};

TEST_LOOP(misuse_that_nobody_could_handle_aborts_with_one_sentence, 0, HOLT__N(aborts))
{
	int status = harness_child(run_it, (void *)aborts[_i].fn);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_msg(strstr(harness_output(), aborts[_i].says) != NULL, "%s", harness_output());
	ck_assert_uint_eq(harness_count(harness_output(), "\n"), 1);
}

/* ---- runs */

static int runs_inside(void *arg)
{
	(void)arg;
	return holt_run(give, NUMBER(1));
}

TEST(run_gives_the_result_of_its_first_task)
{
	ck_assert_int_eq(harness_run(give, NUMBER(42)), 42);
	ck_assert_int_eq(harness_run(give, NUMBER(-EIO)), -EIO);
	ck_assert_int_eq(harness_run(give, NUMBER(-ECANCELED)), -ECANCELED);
	ck_assert_int_eq(harness_run(NULL, NULL), -EINVAL);
	ck_assert_int_eq(harness_run(runs_inside, NULL), -EDEADLK);
	ck_assert_int_eq(holt_run_with(give, NUMBER(5), NULL), 5);
	ck_assert_int_eq(holt_run_with(give, NULL, &(struct holt_run_options){ .size = 1 }), -EINVAL);
}

static int cancels_itself(void *arg)
{
	(void)arg;
	holt_task_cancel(holt_self(), "enough");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), -ECANCELED);
	ck_assert_str_eq(holt_why(), "enough");
	return holt_yield();
}

TEST(run_whose_first_task_was_canceled_by_itself_says_so)
{
	ck_assert_int_eq(harness_run(cancels_itself, NULL), -ECANCELED);
}

static void count_up(void *arg)
{
	++*(int *)arg;
}

static int does_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void note_call(void *word)
{
	note(word);
}

TEST(calls_before_the_run_are_made_in_it_in_order_and_later_ones_are_refused)
{
	holt_loop *loop = holt_loop_ref(holt_loop_self());
	int n = 0;

	ck_assert_ptr_nonnull(loop);
	ck_assert_ptr_eq(holt_loop_self(), loop);
	ck_assert_int_eq(holt_loop_call(loop, note_call, WORD("a")), 0);
	ck_assert_int_eq(holt_loop_call(loop, note_call, WORD("b")), 0);
	ck_assert_int_eq(holt_loop_call(loop, count_up, &n), 0);
	ck_assert_int_eq(holt_loop_call(loop, note_call, WORD("c")), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(run_clean(does_nothing, NULL), 0);
	ck_assert_str_eq(trace, "a b c ");
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(holt_loop_call(loop, count_up, &n), -ESHUTDOWN);
	holt_loop_stop(loop, "too late");
	ck_assert_int_eq(holt_loop_call(NULL, count_up, &n), -EINVAL);
	ck_assert_int_eq(holt_loop_call(loop, NULL, &n), -EINVAL);
	holt_loop_stop(NULL, NULL);
	ck_assert_ptr_null(holt_loop_ref(NULL));
	ck_assert_ptr_null(holt_loop_unref(NULL));
	ck_assert_ptr_null(holt_loop_unref(loop));
	ck_assert_int_eq(n, 1);
}

static int calls_at_its_end(void *arg)
{
	return holt_loop_call(holt_loop_self(), count_up, arg);
}

TEST(call_that_was_accepted_has_been_made_when_the_run_returns)
{
	int n = 0;

	ck_assert_int_eq(harness_run(calls_at_its_end, &n), 0);
	ck_assert_int_eq(n, 1);
}

struct elsewhere {
	holt_loop *loop;
	pthread_t thread;
	struct holt_event go;
	int results[4];
	struct holt_lock lock;
};

static int spawns_and_fails(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sleep(0), 0);
	return -EIO;
}

static int runs_till_canceled(void *arg)
{
	holt_event_set(arg);
	return holt_sleep(HOLT_NEVER);
}

static void *runs_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	e->results[0] = holt_loop_run(e->loop, spawns_and_fails, NULL);
	e->results[1] = holt_loop_run(NULL, give, NULL);
	e->results[2] = holt_loop_run(e->loop, runs_till_canceled, &e->go);
	while ((e->results[3] = holt_loop_run(e->loop, give, NUMBER(1))) == 1)
		; /* until the run is over */
	return NULL;
}

static int is_run_on(void *arg)
{
	struct elsewhere *e = arg;

	e->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(holt_loop_run(e->loop, give, NULL), -EDEADLK);
	ck_assert_int_eq(pthread_create(&e->thread, NULL, runs_elsewhere, e), 0);
	ck_assert_int_eq(holt_event_wait(&e->go), 0);
	return -EBADMSG; /* cancels the root, and with it the other one's task */
}

TEST(task_run_from_another_thread_belongs_to_the_root_and_its_failure_is_its_callers)
{
	struct elsewhere e = { .results = { 9, 9, 9, 9 } };

	ck_assert_int_eq(harness_run(is_run_on, &e), -EBADMSG);
	pthread_join(e.thread, NULL);
	holt_loop_unref(e.loop);
	ck_assert_int_eq(e.results[0], -EIO);
	ck_assert_int_eq(e.results[1], -EINVAL);
	ck_assert_int_eq(e.results[2], -ECANCELED);
	ck_assert_int_eq(e.results[3], -ESHUTDOWN);
}

static int runs_out_of_time(void *arg)
{
	(void)arg;
	return holt_timeout(HOLT_MS, sleep_long, NULL);
}

static void set_event(void *event)
{
	holt_event_set(event);
}

static void *times_out_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	e->results[0] = holt_loop_run(e->loop, runs_out_of_time, NULL);
	e->results[1] = holt_loop_run(e->loop, is_canceled_alone, NULL);
	e->results[2] = holt_loop_run(e->loop, give, NUMBER(3));
	e->results[3] = holt_loop_call(e->loop, set_event, &e->go);
	holt_loop_unref(e->loop);
	return NULL;
}

static int hears_the_end(void *arg)
{
	struct elsewhere *e = arg;
	int r;

	e->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(pthread_create(&e->thread, NULL, times_out_elsewhere, e), 0);
	r = holt_event_wait(&e->go);
	ck_assert_uint_eq(holt_task_count(), 1);
	return r;
}

TEST(task_run_from_another_thread_may_run_out_of_time_or_be_canceled_alone)
{
	struct elsewhere e = { .results = { 9, 9, 9, 9 } };

	ck_assert_int_eq(harness_run(hears_the_end, &e), 0); /* the root was neither canceled nor failed */
	pthread_join(e.thread, NULL);
	ck_assert_int_eq(e.results[0], -ETIME);
	ck_assert_int_eq(e.results[1], -ECANCELED);
	ck_assert_int_eq(e.results[2], 3);
	ck_assert_int_eq(e.results[3], 0);
}

struct foreign {
	holt_group *g;
	holt_task *t[1];
	int outside, spawn, finally, wait, wait_some, group_wait, next;
};

static int never_called(void *arg, int result)
{
	(void)arg;
	(void)result;
	return -EBADMSG;
}

static int uses_what_is_foreign(void *arg)
{
	struct foreign *f = arg;
	holt_task *none = NULL;
	int result = 99;

	f->spawn = holt_spawn(f->g, give, NULL);
	f->finally = holt_finally(f->g, never_called, NULL);
	f->wait = holt_task_wait(f->t[0], &result);
	f->wait_some = holt_wait(f->t, 1, HOLT_ALL_COMPLETED, HOLT_SEC);
	f->group_wait = holt_group_wait(f->g);
	f->next = holt_group_next(f->g, &none);
	return result == 99 && !none ? 0 : -EBADMSG;
}

static void *runs_beside(void *arg)
{
	struct foreign *f = arg;

	f->outside = holt_spawn(f->g, give, NULL);
	return (void *)(intptr_t)holt_run(uses_what_is_foreign, f);
}

/* This thread stands still meanwhile: the other one is not too quick or too slow for anything. */
static int is_used_from_elsewhere(void *arg)
{
	struct foreign *f = arg;
	pthread_t thread;
	void *r = NULL;

	ck_assert_int_eq(holt_group_open(&f->g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_spawn(f->g, give, NUMBER(7), .task = &f->t[0]), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, runs_beside, f), 0);
	pthread_join(thread, &r);
	ck_assert_int_eq((int)(intptr_t)r, 0);
	ck_assert_uint_eq(holt_group_count(f->g), 1);
	ck_assert_int_eq(holt_group_close(f->g, 0), 0);
	ck_assert_int_eq(holt_task_result(f->t[0]), 7);
	holt_task_unref(f->t[0]);
	return 0;
}

TEST(group_or_task_of_another_threads_loop_is_refused)
{
	struct foreign f = { .outside = 1 };

	ck_assert_int_eq(harness_run(is_used_from_elsewhere, &f), 0);
	ck_assert_int_eq(f.outside, -EPERM);
	ck_assert_int_eq(f.spawn, -EPERM);
	ck_assert_int_eq(f.finally, -EPERM);
	ck_assert_int_eq(f.wait, -EPERM);
	ck_assert_int_eq(f.wait_some, -EPERM);
	ck_assert_int_eq(f.group_wait, -EPERM);
	ck_assert_int_eq(f.next, -EPERM);
}

static struct holt_scope ends_scope;
static holt_group *ends_group;
static holt_task *ends_task;

static void *cancels_a_foreign_task(void *arg)
{
	holt_task_cancel(ends_task, NULL);
	return arg;
}

static void *cancels_a_foreign_scope(void *arg)
{
	holt_scope_cancel(&ends_scope, NULL);
	return arg;
}

static void *cancels_a_foreign_group(void *arg)
{
	holt_group_cancel(ends_group, NULL);
	return arg;
}

static void *stops_a_foreign_group(void *arg)
{
	holt_group_stop(ends_group, NULL);
	return arg;
}

static const struct {
	const char *name;
	void *(*fn)(void *arg);
} ends[] = { { "holt_task_cancel", cancels_a_foreign_task }, { "holt_scope_cancel", cancels_a_foreign_scope },
	{ "holt_group_cancel", cancels_a_foreign_group }, { "holt_group_stop", stops_a_foreign_group } };

static int is_ended_from_elsewhere(void *i)
{
	pthread_t thread;

	ends_task = holt_self();
	holt_scope_begin(&ends_scope, HOLT_NEVER, 0);
	holt_group_open(&ends_group);
	pthread_create(&thread, NULL, ends[(intptr_t)i].fn, NULL);
	pthread_join(thread, NULL);
	holt_group_close(ends_group, 0);
	return (int)holt_scope_end(&ends_scope, 0);
}

static int run_to_be_ended(void *i)
{
	return holt_run(is_ended_from_elsewhere, i);
}

TEST_LOOP(stop_or_cancel_in_a_thread_that_does_not_run_the_loop_aborts_with_one_sentence, 0, HOLT__N(ends))
{
	int status = harness_child(run_to_be_ended, NUMBER(_i));

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: %x", ends[_i].name, (unsigned)status);
	ck_assert_ptr_nonnull(strstr(harness_output(), ends[_i].name));
	ck_assert_ptr_nonnull(strstr(harness_output(), "called in a thread that does not run this loop"));
}

static int sleeps_on(void *arg)
{
	holt_event_set(arg);
	return holt_sleep(HOLT_MIN) == 0 ? 3 : 4;
}

static void *runs_a_sleeper(void *arg)
{
	struct elsewhere *e = arg;

	e->results[0] = holt_loop_run(e->loop, sleeps_on, &e->go);
	return NULL;
}

static int ends_well_meanwhile(void *arg)
{
	struct elsewhere *e = arg;

	e->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(pthread_create(&e->thread, NULL, runs_a_sleeper, e), 0);
	ck_assert_int_eq(holt_event_wait(&e->go), 0);
	return 7;
}

TEST(run_that_ends_well_waits_for_what_other_threads_run_on_it)
{
	struct elsewhere e = { .results = { 9 } };

	ck_assert_int_eq(harness_run(ends_well_meanwhile, &e), 7);
	pthread_join(e.thread, NULL);
	holt_loop_unref(e.loop);
	ck_assert_int_eq(e.results[0], 3);
	ck_assert_uint_eq(harness_time(), HOLT_MIN);
}

static void *never_runs(void *arg)
{
	holt_loop **loop = arg;

	*loop = holt_loop_ref(holt_loop_self());
	return NULL;
}

TEST(loop_of_a_thread_that_ended_without_a_run_refuses_calls)
{
	holt_loop *loop = NULL;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, never_runs, &loop), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(holt_loop_call(loop, count_up, NULL), -ESHUTDOWN);
	ck_assert_int_eq(holt_loop_run(loop, give, NULL), -ESHUTDOWN);
	holt_loop_unref(loop);
}

static void *runs_a_loop(void *arg)
{
	*(int *)arg = holt_run(sleep_a_second, NULL, .name = "other");
	return NULL;
}

TEST(each_thread_has_a_loop_of_its_own)
{
	pthread_t thread[4];
	int r[4] = { 9, 9, 9, 9 };

	harness_real_clock();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, runs_a_loop, &r[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		ck_assert_int_eq(r[i], 0);
	}
}

/* ---- SIGINT */

static int cleans_up(void *arg, int result)
{
	(void)result;
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	fprintf(stderr, "%s\n", (const char *)arg);
	return 0;
}

static int is_interrupted(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	holt_group_open(&g);
	holt_finally(g, cleans_up, WORD("cleaned up"));
	raise(SIGINT);
	r = holt_sleep(HOLT_MIN);
	fprintf(stderr, "slept: %d, why: %s\n", r, holt_why());
	return holt_group_close(g, 0);
}

static int run_interrupted(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_DFL); /* libcheck's own handler was inherited */
	holt_run(is_interrupted, NULL, .grace = HOLT_MIN);
	fprintf(stderr, "not reached\n");
	return 0;
}

TEST(sigint_cancels_the_root_waits_for_its_cleanup_and_kills_the_process)
{
	int status = harness_child(run_interrupted, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "slept: -125, why: SIGINT\ncleaned up\n");
}

static int is_interrupted_twice(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	holt_group_open(&g);
	holt_finally(g, cleans_up, WORD("cleaned up"));
	raise(SIGINT);
	raise(SIGINT);
	fprintf(stderr, "not reached\n");
	return holt_group_close(g, 0);
}

static int run_interrupted_twice(void *arg)
{
	signal(SIGINT, SIG_DFL);
	return holt_run(is_interrupted_twice, arg);
}

TEST(second_sigint_kills_at_once)
{
	int status = harness_child(run_interrupted_twice, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "");
}

static void own_handler(int sig)
{
	(void)sig;
	fprintf(stderr, "own handler\n");
}

static int raises(void *arg)
{
	(void)arg;
	raise(SIGINT);
	return holt_yield();
}

static int run_with_own_handler(void *arg)
{
	(void)arg;
	signal(SIGINT, own_handler);
	return holt_run(raises, NULL) == 0 ? 7 : 8;
}

static int run_with_sigint_ignored(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_IGN);
	return holt_run(raises, NULL) == 0 ? 7 : 8;
}

static int raise_after_the_run(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_DFL);
	holt_run(does_nothing, NULL);
	raise(SIGINT);
	return 0;
}

TEST(sigint_stays_with_a_program_that_handles_or_ignores_it)
{
	int status = harness_child(run_with_own_handler, NULL);

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	ck_assert_str_eq(harness_output(), "own handler\n");
	status = harness_child(run_with_sigint_ignored, NULL);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = harness_child(raise_after_the_run, NULL);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static int yields_for_ever(void *arg)
{
	int r;

	(void)arg;
	raise(SIGINT);
	while ((r = holt_yield()) == 0)
		;
	fprintf(stderr, "%d\n", r);
	return r;
}

static int raises_when_it_is_canceled(void *arg)
{
	int r;

	(void)arg;
	holt_task_cancel(holt_self(), "by itself");
	raise(SIGINT);
	r = holt_sleep(HOLT_MIN);
	fprintf(stderr, "%d, why: %s\n", r, holt_why());
	return r;
}

static int run_and_tell(void *fn)
{
	int r;

	signal(SIGINT, SIG_DFL);
	r = holt_run((holt_fn)fn, NULL);
	fprintf(stderr, "ended with %d\n", r);
	return 0;
}

TEST(sigint_reaches_a_task_that_only_yields)
{
	int status = harness_child(run_and_tell, (void *)yields_for_ever);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "-125\n");
}

TEST(sigint_kills_the_process_though_its_first_task_was_canceled_before)
{
	int status = harness_child(run_and_tell, (void *)raises_when_it_is_canceled);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "-125, why: by itself\n");
}

static int installs_a_handler(void *arg)
{
	(void)arg;
	signal(SIGINT, own_handler);
	return holt_yield();
}

TEST(handler_of_sigint_that_a_task_installed_is_there_behind_the_run)
{
	signal(SIGINT, SIG_DFL);
	ck_assert_int_eq(harness_run(installs_a_handler, NULL), 0);
	ck_assert_ptr_eq(signal(SIGINT, SIG_DFL), own_handler);
}

static int ignores_sigint_for_now(void *old)
{
	*(void (**)(int))old = signal(SIGINT, SIG_IGN);
	raise(SIGINT);
	return holt_yield();
}

static int restore_sigint_behind_the_run(void *arg)
{
	void (*old)(int) = NULL;

	signal(SIGINT, SIG_DFL);
	if (holt_run(ignores_sigint_for_now, &old) == 0)
		fprintf(stderr, "ended well\n");
	signal(SIGINT, old);
	if (arg)
		holt_run(is_interrupted, NULL);
	raise(SIGINT);
	fprintf(stderr, "not reached\n");
	return 0;
}

/* A program that puts back what it found there puts back ours, too late. */
TEST_LOOP(handler_of_a_run_that_has_ended_is_as_good_as_none, 0, 2)
{
	int status = harness_child(restore_sigint_behind_the_run, NUMBER(_i));

	ck_assert_str_eq(harness_output(), _i ? "ended well\nslept: -125, why: SIGINT\ncleaned up\n" : "ended well\n");
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static int finds_sigint_as_it_was(void *arg)
{
	struct sigaction now;

	(void)arg;
	return sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL && holt_yield() == 0 ? 7 : 8;
}

static void *runs_with_sigint(void *arg)
{
	*(int *)arg = holt_run(finds_sigint_as_it_was, NULL);
	return NULL;
}

TEST(run_of_another_thread_leaves_sigint_alone)
{
	pthread_t thread;
	int r = 0;

	signal(SIGINT, SIG_DFL);
	ck_assert_int_eq(pthread_create(&thread, NULL, runs_with_sigint, &r), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(r, 7);
}

/* ---- a forked child */

static holt_group *forks_group;
static holt_task *forks_task;
static holt_loop *forks_loop;

static void fork_sleep(void)
{
	holt_sleep(1);
}

static void fork_yield(void)
{
	holt_yield();
}

static void fork_check(void)
{
	holt_check();
}

static void fork_spawn(void)
{
	holt_spawn(forks_group, give, NULL);
}

static void fork_open(void)
{
	holt_group *g = NULL;

	holt_group_open(&g);
}

static void fork_close(void)
{
	holt_group_close(forks_group, 0);
}

static void fork_wait(void)
{
	holt_task_wait(forks_task, NULL);
}

static void fork_gather(void)
{
	holt_gather(NULL, 0, HOLT_ALL);
}

static void fork_run(void)
{
	holt_run(give, NULL);
}

static void fork_loop_self(void)
{
	holt_loop_self();
}

static void fork_loop_run(void)
{
	holt_loop_run(forks_loop, give, NULL);
}

static void fork_scope(void)
{
	struct holt_scope s;

	holt_scope_begin(&s, HOLT_NEVER, 0);
}

static void fork_timeout(void)
{
	holt_timeout(1, give, NULL);
}

static void fork_local(void)
{
	static const struct holt_local l = { .name = "l" };

	holt_local_set(&l, &forks_group);
}

static void fork_ready(void)
{
	holt_ready();
}

static void fork_log(void)
{
	holt_log(LOG_INFO, "not reached");
}

static void fork_cancel(void)
{
	holt_task_cancel(forks_task, NULL);
}

static void fork_group_cancel(void)
{
	holt_group_cancel(forks_group, NULL);
}

static void fork_group_stop(void)
{
	holt_group_stop(forks_group, NULL);
}

static void fork_finally(void)
{
	holt_finally(forks_group, cleans_up, NULL);
}

static void (*const fork_calls[])(void) = { fork_cancel, fork_group_cancel, fork_group_stop, fork_finally, fork_sleep, fork_yield,
	fork_check, fork_spawn, fork_open, fork_close, fork_wait, fork_gather, fork_run, fork_loop_self, fork_loop_run,
	fork_scope, fork_timeout, fork_local, fork_ready, fork_log };

static int forks(void *arg)
{
	int status = 0;
	pid_t pid;

	forks_loop = holt_loop_self();
	forks_task = holt_self();
	ck_assert_int_eq(holt_group_open(&forks_group), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fork_calls[(intptr_t)arg]();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	holt_group_close(forks_group, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int run_forks(void *arg)
{
	return holt_run(forks, arg);
}

TEST_LOOP(call_in_a_forked_child_aborts_with_one_sentence, 0, HOLT__N(fork_calls))
{
	int status = harness_child(run_forks, NUMBER(_i));

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == SIGABRT, "call %d: %x", _i, (unsigned)status);
	ck_assert_ptr_nonnull(strstr(harness_output(), "forked child; only exec or _exit may follow a fork"));
}

/* ---- stack overflow */

static int __attribute__((noinline)) deeper(volatile char *above)
{
	volatile char here[512];

	here[0] = above ? above[0] : 1;
	here[511] = here[0];
	return here[0] ? deeper(here) + here[511] : 0;
}

static int overflows(void *arg)
{
	return deeper(arg);
}

static int holds_one_that_overflows(void *arg)
{
	holt_group *g = NULL;

	holt_group_open(&g, .name = "web");
	holt_spawn(g, overflows, arg, .name = "deep");
	return holt_group_close(g, 0);
}

static int run_overflow(void *arg)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	return holt_run(holds_one_that_overflows, arg);
}

TEST(stack_overflow_is_reported_by_the_name_of_the_task)
{
#if defined(HARNESS_ASAN) || defined(HARNESS_TSAN)
	SKIP("a sanitizer has its own handler for SIGSEGV, and it says other words");
#endif
	int status = harness_child(run_overflow, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_ptr_nonnull(
		strstr(harness_output(), "stack overflow in task web/deep (64 KiB): spawn it with a larger .stack_size"));
}

/* ---- no memory is needed on the way, and none is lost when there is none */

static int ping(void *arg)
{
	struct holt_event *e = arg;

	ck_assert_int_eq(holt_event_wait(e), 0);
	return holt_sleep(HOLT_MS);
}

static int uses_everything(struct holt_lock *l, holt_queue *q, holt_group *g)
{
	struct holt_event e = { .set = false };
	struct holt_sem sem = HOLT_SEM_INIT(1);
	struct holt_scope s;
	holt_task *t[3] = { NULL };
	int item = 3;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_spawn(g, ping, &e, .task = &t[i], .name = "ping"), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_event_set(&e);
	ck_assert_int_eq(holt_wait(t, 3, HOLT_FIRST_COMPLETED, HOLT_SEC), 3);
	ck_assert_int_eq(holt_task_wait(t[0], NULL), 0);
	ck_assert_int_eq(holt_lock_acquire(l), 0);
	ck_assert_int_eq(holt_lock_release(l), 0);
	ck_assert_int_eq(holt_sem_acquire(&sem), 0);
	ck_assert_int_eq(holt_queue_put(q, &item), 0);
	ck_assert_int_eq(holt_queue_get(q, &item), 0);
	ck_assert_int_eq(holt_timeout(HOLT_MS, sleep_long, NULL), -ETIME);
	holt_scope_begin(&s, holt_in(HOLT_SEC), HOLT_SHIELD);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq(holt_check(), -ECANCELED);
	holt_scope_end(&s, 0);
	for (int i = 0; i < 3; i++)
		holt_task_unref(t[i]);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t[0], .until_ready = false), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t[0], NULL);
	ck_assert_int_eq(holt_group_wait(g), 0);
	holt_task_unref(t[0]);
	return 0;
}

static int without_memory(void *arg)
{
	struct holt_lock l = { .owner = NULL };
	holt_queue *q = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 8), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	uses_everything(&l, q, g); /* stacks are warm from here on, and the queue has its slots */
	harness_fail_alloc(1);     /* the next one would be one too many */
	for (int i = 0; i < 10; i++)
		uses_everything(&l, q, g);
	ck_assert_uint_eq(harness_allocs(), 0);
	harness_fail_alloc(0);
	holt_queue_close(q);
	return holt_group_close(g, 0);
}

TEST(spawn_sleep_wait_lock_queue_timeout_and_cancel_need_no_memory)
{
	ck_assert_int_eq(run_clean(without_memory, NULL), 0);
}

/* What needs memory is tried with the n-th allocation failing, for each n until none fails any more. */
struct scarce {
	uint64_t n;
	int r, runs, owned;
};

static int counts_runs(void *arg)
{
	struct scarce *s = arg;

	s->runs++;
	return holt_yield();
}

static int needs_memory(void *arg)
{
	struct scarce *s = arg;
	struct holt_call calls[40];
	holt_task *t[20] = { NULL };
	holt_group *g = NULL;
	char name[] = "named";
	int r;

	r = holt_group_open(&g, .name = name, .kind = HOLT_EACH);
	if (r < 0) {
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_ptr_null(g);
		return r;
	}
	r = holt_finally(g, cleans_up, WORD("x"));
	if (r == 0)
		g->finally->fn = NULL, holt__free(g->finally), g->finally = NULL; /* only armed, and taken off */
	else
		ck_assert_int_eq(r, -ENOMEM);
	for (int i = 0; i < 20; i++) {
		int runs = s->runs,
		    e = holt_spawn(g, counts_runs, s, .name = name, .stack_size = i % 2 ? 128 * 1024 : 0, .task = &t[i]);

		if (e < 0) {
			ck_assert_int_eq(e, -ENOMEM);
			ck_assert_ptr_null(t[i]);
			ck_assert_int_eq(s->runs, runs); /* arg is still ours */
			r = e;
		} else {
			s->owned++;
		}
	}
	for (int i = 0; i < 20; i++)
		if (!t[i])
			t[i] = holt_task_ref(t[i ? i - 1 : 19]);
	if (!t[0])
		t[0] = holt_task_ref(t[19]);
	{
		int e = holt_wait(t, 20, HOLT_ALL_COMPLETED, HOLT_MIN);

		ck_assert(e == 20 || e == -ENOMEM);
		r = e < 0 ? e : r;
	}
	ck_assert_int_eq(holt_group_wait(g), 0);
	for (int i = 0; i < 20; i++)
		holt_task_unref(t[i]);
	for (int i = 0; i < 40; i++)
		calls[i] = (struct holt_call){ .fn = counts_runs, .arg = s };
	{
		int before = s->runs, e, ran = 0;

		e = holt_gather(calls, 40, HOLT_EACH);
		ck_assert(e == 0 || e == -ENOMEM);
		for (int i = 0; i < 40; i++)
			ran += calls[i].result != -ENOMEM;
		ck_assert_int_eq(s->runs - before, ran);
		s->owned += ran;
		r = e < 0 ? e : r;
	}
	holt_group_cancel(g, "a reason that is copied, if there is memory for it");
	holt_group_close(g, 0);
	return r;
}

TEST(without_memory_there_is_an_error_and_nothing_leaks_or_runs)
{
	uint64_t n = 0;
	size_t live = harness_live();
	bool reached;

	do {
		struct scarce s = { .n = ++n };
		int r;

		harness_fail_alloc(n);
		r = harness_run(needs_memory, &s, .name = "web");
		reached = harness_alloc_failed();
		harness_fail_alloc(0);
		ck_assert_int_eq(s.runs, s.owned);
		ck_assert_msg(r == 0 || (r == -ENOMEM && reached), "allocation %d: %d", (int)n, r);
		ck_assert_msg(harness_live() == live, "allocation %d: %d are left", (int)n, (int)(harness_live() - live));
		ck_assert_uint_lt(n, 200);
	} while (reached);
	ck_assert_uint_gt(n, 10);
}

static void *map_nothing(size_t size)
{
	(void)size;
	return NULL;
}

static int no_guard(void *p, size_t size)
{
	(void)p;
	(void)size;
	return -ENOMEM;
}

static int spawns_without_stacks(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = (holt_task *)1;

	ck_assert_int_eq(holt_group_open(&g, .limit = 1), 0);
	harness_sys.map = arg ? harness_sys.map : map_nothing;
	harness_sys.guard = arg ? no_guard : harness_sys.guard;
	ck_assert_int_eq(holt_spawn(g, give, NULL, .stack_size = 1 << 20, .task = &t), -ENOMEM);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(holt_group_count(g), 0);
	harness_sys.map = holt__sys_linux.map;
	harness_sys.guard = holt__sys_linux.guard;
	ck_assert_int_eq(holt_spawn(g, give, NULL, .stack_size = 1 << 20), 0);
	return holt_group_close(g, 0);
}

TEST_LOOP(without_a_stack_there_is_an_error_and_the_place_is_free_again, 0, 2)
{
	ck_assert_int_eq(run_clean(spawns_without_stacks, NUMBER(_i)), 0);
}

/* ---- cancellation at each point of a busy life */

struct busy {
	struct holt_lock lock;
	struct holt_sem sem;
	holt_queue *q;
	int begun, ended;
};

static int produces(void *arg)
{
	struct busy *b = arg;
	int r = 0;

	b->begun++;
	for (int i = 0; i < 8 && r == 0; i++) {
		r = holt_sleep(30 * HOLT_MS);
		if (r == 0)
			r = holt_queue_put(b->q, &i);
	}
	b->ended++;
	return r;
}

static int consumes(void *arg)
{
	struct busy *b = arg;
	int item, r;

	b->begun++;
	do {
		r = holt_queue_get(b->q, &item);
		if (r == 0)
			r = holt_lock_acquire(&b->lock);
		if (r == 0) {
			r = holt_sleep(70 * HOLT_MS);
			ck_assert_int_eq(holt_lock_release(&b->lock), 0);
		}
	} while (r == 0 && item < 7);
	b->ended++;
	return r;
}

static int slow_start(void *arg)
{
	struct busy *b = arg;
	int r;

	b->begun++;
	r = holt_sleep(50 * HOLT_MS);
	if (r == 0)
		r = holt_ready();
	if (r == 0)
		r = holt_sleep(90 * HOLT_MS);
	b->ended++;
	return r;
}

static int shut(void *arg, int result)
{
	struct busy *b = arg;

	(void)result;
	b->ended++;
	return holt_sleep(20 * HOLT_MS);
}

static int lives(void *arg)
{
	struct busy *b = arg;
	struct holt_call calls[3] = { { .fn = slow_start, .arg = b }, { .fn = slow_start, .arg = b }, { .fn = sleep_a_second } };
	holt_group *g = NULL, *inner = NULL;
	holt_task *t = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&g, .name = "busy", .limit = 3, .cleanup = HOLT_SEC), 0);
	ck_assert_int_eq(holt_finally(g, shut, b), 0);
	b->begun++;
	r = holt_spawn(g, consumes, b);
	if (r == 0)
		r = holt_spawn(g, produces, b);
	if (r == 0)
		r = holt_spawn(g, slow_start, b, .until_ready = true, .task = &t);
	holt_task_unref(t);
	if (r == 0)
		r = holt_spawn(g, slow_start, b); /* waits for room */
	if (r == 0)
		r = holt_gather(calls, 3, HOLT_ANY);
	if (r >= 0) {
		ck_assert_int_eq(holt_group_open(&inner, .deadline = holt_in(40 * HOLT_MS), .keep = true, .kind = HOLT_EACH), 0);
		ck_assert_int_eq(holt_finally(inner, shut, b), 0);
		b->begun++;
		ck_assert_int_eq(holt_spawn(inner, slow_start, b), 0);
		r = holt_group_next(inner, &t);
		if (r == 0)
			holt_task_unref(t);
		r = holt_group_close(inner, r);
		if (r == -ETIME)
			r = 0;
	}
	if (r >= 0)
		r = holt_timeout(30 * HOLT_MS, sleep_long, NULL) == -ETIME ? holt_check() : -ECANCELED;
	return holt_group_close(g, r);
}

struct kill {
	holt_time at;
	int how;
	holt_task *t;
	holt_group *g;
	struct busy *b;
};

static int ends_a_life(void *arg)
{
	struct kill *k = arg;

	holt_sleep_until(HARNESS_EPOCH + k->at);
	if (k->how == 0)
		holt_task_cancel(k->t, "now");
	else if (k->how == 1)
		holt_group_cancel(k->g, "now");
	else
		holt_group_stop(k->g, "now");
	return 0;
}

static int live_and_be_killed(void *arg)
{
	struct kill *k = arg;
	holt_group *killers = NULL;
	int r;

	ck_assert_int_eq(holt_queue_open(&k->b->q, sizeof(int), 2), 0);
	ck_assert_int_eq(holt_group_open(&killers), 0);
	ck_assert_int_eq(holt_group_open(&k->g), 0);
	ck_assert_int_eq(holt_spawn(k->g, lives, k->b, .task = &k->t), 0);
	ck_assert_int_eq(holt_spawn(killers, ends_a_life, k), 0);
	ck_assert_int_eq(holt_group_close(k->g, 0), 0);
	k->g = NULL;
	r = holt_task_result(k->t);
	ck_assert_int_eq(holt_check(), 0);
	ck_assert_int_eq(holt_group_close(killers, 0), 0);
	holt_task_unref(k->t);
	ck_assert(!holt_lock_locked(&k->b->lock));
	holt_queue_close(k->b->q);
	return r;
}

TEST_LOOP(cancellation_at_any_moment_ends_all_that_had_begun, 0, 3)
{
	bool sometimes[2] = { false, false };

	for (holt_time at = 0; at < 900 * HOLT_MS; at += 5 * HOLT_MS) {
		struct busy b = { .begun = 0 };
		holt_time begin = harness_time();
		struct kill k = { .at = begin + at, .how = _i, .b = &b };
		int r = harness_run(live_and_be_killed, &k);

		ck_assert_int_eq(b.begun, b.ended);
		ck_assert_msg(r >= 0 || r == -ECANCELED, "%d", r);
		sometimes[r < 0] = true;
	}
	ck_assert(sometimes[0] && sometimes[1]);
	ck_assert_str_eq(harness_log(), "");
}
