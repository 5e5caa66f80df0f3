/* SPDX-License-Identifier: MIT */
/*
 * Tasks: how they are spawned, named and canceled.
 */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "task/task.h"

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
