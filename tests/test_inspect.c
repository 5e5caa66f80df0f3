/* SPDX-License-Identifier: MIT */
/*
 * The tree of tasks as it is shown: to a FILE, and task by task. Times are virtual, so whole dumps are compared.
 */
#include "harness.h"

#include "task/task.h"

static char *dumped;
static size_t dumped_size;

static const char *dump(void)
{
	FILE *f;

	free(dumped);
	f = open_memstream(&dumped, &dumped_size);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(holt_dump(f), 0);
	fclose(f);
	return dumped;
}

static void done(void)
{
	free(dumped);
	dumped = NULL;
}

static int sleeper(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_NEVER);
}

static int with_deadline(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, holt_in(30 * HOLT_SEC), 0);
	return (int)holt_scope_end(&s, holt_sleep(HOLT_NEVER));
}

static int shielded(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, holt_in(HOLT_MIN), HOLT_SHIELD);
	return (int)holt_scope_end(&s, holt_sleep(10 * HOLT_SEC));
}

static int inner(void *arg)
{
	holt_group *g;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .name = "deep"), 0);
	holt_spawn(g, sleeper, NULL);
	return holt_group_close(g, 0);
}

/* ---- holt_dump */

static int looks(void *arg)
{
	struct holt_scope between;
	holt_group *a, *b;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&a, .name = "a", .limit = 8, .grace = HOLT_MIN), 0);
	holt_spawn(a, with_deadline, NULL);
	holt_spawn(a, inner, NULL);
	holt_spawn(a, sleeper, NULL, .background = true, .name = "beat");
	holt_scope_begin(&between, HOLT_NEVER, 0); /* has no line of its own */
	ck_assert_int_eq(holt_group_open(&b), 0);
	holt_spawn(b, sleeper, NULL, .name = "x");
	holt_spawn(b, sleeper, NULL, .name = "x");
	holt_sleep(2 * HOLT_SEC);
	holt_group_stop(a, "the end");
	holt_sleep(HOLT_SEC);
	holt_spawn(b, sleeper, NULL);
	harness_same(dump(),
		"svc (1 task)\n"
		"└─ svc/main [2]                                 running 0ns, stopping: the end\n"
		"   └─ svc/a (2 tasks, 1 in the background of 8), stopping: the end, canceled in 59s\n"
		"      ├─ svc/a/(group) (3 tasks), stopping: the end\n"
		"      │  ├─ svc/a/x#8                           waiting 3s, sleep, stopping: the end\n"
		"      │  ├─ svc/a/x#9                           waiting 3s, sleep, stopping: the end\n"
		"      │  └─ svc/a/sleeper [12]                  ready 0ns, stopping: the end\n"
		"      ├─ svc/a/with_deadline [4]                waiting 3s, sleep, deadline in 27s, stopping: the end\n"
		"      ├─ svc/a/inner [5]                        waiting 3s, close of group deep (1 task), stopping: the end\n"
		"      │  └─ svc/a/deep (1 task), closing, stopping: the end\n"
		"      │     └─ svc/a/deep/sleeper [11]          waiting 3s, sleep, stopping: the end\n"
		"      └─ svc/a/beat [6]                         waiting 3s, sleep, in the background, stopping: the end\n");
	holt_group_cancel(b, NULL);
	holt_group_close(b, 0);
	holt_scope_end(&between, 0);
	holt_group_close(a, -ECANCELED);
	return 0;
}

TEST(a_dump_shows_each_group_and_task_with_what_it_waits_for_and_why)
{
	ck_assert_int_eq(harness_run(looks, NULL, .name = "svc"), 0);
	done();
}

static int slow_finally(void *arg, int result)
{
	(void)arg;
	(void)result;
	holt_sleep(HOLT_SEC);
	harness_same(dump(),
		"(root) (1 task)\n"
		"└─ main [2]                                     running 0ns, deadline in 9s, shielded, outside canceled: enough\n"
		"   └─ g (0 tasks), in its finally handlers, canceled: enough, next step in 4s\n");
	return 0;
}

static int cancels(void *arg)
{
	holt_group *g;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .name = "g"), 0);
	ck_assert_int_eq(holt_finally(g, slow_finally, NULL), 0);
	holt_group_cancel(g, "enough");
	return holt_group_close(g, 0);
}

TEST(a_dump_tells_a_shield_from_what_is_outside_of_it)
{
	ck_assert_int_eq(harness_run(cancels, NULL), 0);
	done();
}

static int late(void *arg)
{
	const char *text;

	(void)arg;
	holt_heartbeat(3 * HOLT_SEC);
	holt_sleep(HOLT_SEC);
	ck_assert_ptr_nonnull(strstr(dump(), "running 0ns, heartbeat due in 2s\n"));
	holt_sleep(3 * HOLT_SEC);
	text = dump();
	ck_assert_msg(strstr(text, "running 0ns, heartbeat overdue for 1s\n"), "%s", text);
	return 0;
}

TEST(a_dump_shows_a_heartbeat)
{
	ck_assert_int_eq(harness_run(late, NULL), 0);
	done();
}

static int nests(void *arg)
{
	intptr_t depth = (intptr_t)arg;
	holt_group *g;

	if (depth == 0) {
		const char *text = dump(), *last = strrchr(text, '\n');

		ck_assert_ptr_nonnull(strstr(text, "\n..."));
		ck_assert_uint_eq(harness_count(text, "\n"), 202);
		ck_assert_ptr_nonnull(last);
		return 0;
	}
	ck_assert_int_eq(holt_group_open(&g), 0);
	holt_spawn(g, nests, (void *)(depth - 1), .name = "n");
	return holt_group_close(g, 0);
}

TEST(a_tree_that_is_deeper_than_a_line_is_wide_is_shown_whole)
{
	ck_assert_int_eq(harness_run(nests, (void *)100), 0);
	done();
}

static int dumps_to(void *arg)
{
	return holt_dump(arg);
}

TEST(a_file_that_takes_nothing_is_an_error)
{
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	ck_assert_int_eq(harness_run(dumps_to, full), -ENOSPC);
	fclose(full);
	ck_assert_int_eq(harness_run(dumps_to, NULL), -EINVAL);
}

/* ---- holt_task_count, holt_each_task */

static int counts(void *arg)
{
	holt_group *g;
	struct holt_call calls[3] = { { sleeper, NULL, 0 }, { sleeper, NULL, 0 }, { sleeper, NULL, 0 } };

	(void)arg;
	(void)calls;
	ck_assert_uint_eq(holt_task_count(), 1);
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 5; i++)
		holt_spawn(g, sleeper, NULL, .background = i > 3);
	ck_assert_uint_eq(holt_task_count(), 6);
	holt_sleep(HOLT_SEC);
	ck_assert_uint_eq(holt_task_count(), 6);
	holt_group_close(g, -ECANCELED);
	ck_assert_uint_eq(holt_task_count(), 1);
	return 0;
}

TEST(the_count_is_of_all_tasks_that_have_not_ended)
{
	ck_assert_int_eq(harness_run(counts, NULL), 0);
}

static char seen[4096];

static int write_down(void *arg, const struct holt_task_info *i)
{
	size_t n = strlen(seen);

	(void)arg;
	snprintf(seen + n, sizeof seen - n, "%d %s %s %s %s %lld\n", i->depth, i->path, i->state,
		i->waits_for ? i->waits_for : "-", i->why ? i->why : "-",
		i->deadline == HOLT_NEVER ? -1LL : (long long)((i->deadline - HARNESS_EPOCH) / HOLT_SEC));
	ck_assert_uint_le(i->since, HARNESS_EPOCH + harness_time());
	ck_assert_uint_ne(i->id, 0);
	ck_assert_uint_ne(i->group, 0);
	return 0;
}

static int tells(void *arg)
{
	holt_group *g;
	holt_task *t;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .name = "g"), 0);
	holt_spawn(g, inner, NULL);
	holt_spawn(g, with_deadline, NULL);
	holt_spawn(g, shielded, NULL, .task = &t);
	holt_sleep(HOLT_SEC);
	holt_task_cancel(t, "because");
	holt_spawn(g, sleeper, NULL);
	ck_assert_int_eq(holt_each_task(write_down, NULL), 0);
	holt_task_unref(t);
	return holt_group_close(g, -ECANCELED);
}

TEST(where_no_loop_runs_there_is_nothing_to_see)
{
	ck_assert_int_eq(holt_dump(stderr), -EPERM);
	ck_assert_uint_eq(holt_task_count(), 0);
	ck_assert_int_eq(holt_each_task(write_down, NULL), -EPERM);
}

TEST(each_task_is_told_parents_first)
{
	ck_assert_int_eq(harness_run(tells, NULL), -ECANCELED);
	harness_same(seen,
		"0 main running - - -1\n"
		"1 g/inner waiting close of group deep (1 task) - -1\n"
		"2 g/deep/sleeper waiting sleep - -1\n"
		"1 g/with_deadline waiting sleep - 30\n"
		"1 g/shielded waiting sleep because 60\n"
		"1 g/sleeper ready - - -1\n");
}

static int keep_the_deadline(void *arg, const struct holt_task_info *i)
{
	*(holt_time *)arg = i->deadline;
	return 1; /* the first is the only one */
}

static long long seconds_left(void)
{
	holt_time deadline;

	ck_assert_int_eq(holt_each_task(keep_the_deadline, &deadline), 1);
	return deadline == HOLT_NEVER ? -1 : (long long)((deadline - HARNESS_EPOCH) / HOLT_SEC);
}

static int nests_deadlines(void *arg)
{
	struct holt_scope outer, inner, shield;
	holt_group *g;

	(void)arg;
	ck_assert_int_eq(seconds_left(), -1);
	holt_scope_begin(&outer, holt_in(5 * HOLT_SEC), 0);
	holt_scope_begin(&inner, holt_in(10 * HOLT_SEC), 0);
	ck_assert_int_eq(seconds_left(), 5);
	holt_scope_begin(&shield, holt_in(8 * HOLT_SEC), HOLT_SHIELD);
	ck_assert_int_eq(seconds_left(), 8);
	holt_scope_cancel(&outer, NULL);
	ck_assert_int_eq(seconds_left(), 8);
	holt_scope_end(&shield, 0);
	holt_scope_end(&inner, 0);
	holt_scope_end(&outer, 0);
	ck_assert_int_eq(seconds_left(), -1);
	ck_assert_int_eq(holt_group_open(&g, .deadline = holt_in(3 * HOLT_SEC)), 0);
	ck_assert_int_eq(seconds_left(), 3);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(seconds_left(), -1);
	return 0;
}

TEST(deadline_that_is_told_is_the_nearest_up_to_a_shield)
{
	ck_assert_int_eq(harness_run(nests_deadlines, NULL), 0);
}

static int third(void *arg, const struct holt_task_info *i)
{
	(void)i;
	return ++*(int *)arg == 3 ? -EXDEV : 0;
}

static int ends_early(void *arg)
{
	holt_group *g;
	int n = 0;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 5; i++)
		holt_spawn(g, sleeper, NULL);
	ck_assert_int_eq(holt_each_task(third, &n), -EXDEV);
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(holt_each_task(NULL, NULL), -EINVAL);
	holt_group_close(g, -ECANCELED);
	return 0;
}

TEST(a_result_other_than_0_ends_the_round)
{
	ck_assert_int_eq(harness_run(ends_early, NULL), 0);
}

/* ---- for handlers of signals */

static int count_line(void *arg, const struct holt__text *text)
{
	(void)text;
	++*(int *)arg;
	return 0;
}

static int bounded(void *arg)
{
	holt_group *g;
	uint64_t allocs;
	int n = 0;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 50; i++)
		holt_spawn(g, sleeper, NULL);
	allocs = harness_allocs();
	ck_assert_int_eq(holt__tree(holt__here, 10, count_line, &n), 0);
	ck_assert_int_eq(n, 11); /* and one that says how many there are */
	ck_assert_uint_eq(harness_allocs(), allocs);
	holt_group_close(g, -ECANCELED);
	return 0;
}

TEST(a_walk_is_bounded_and_allocates_nothing)
{
	ck_assert_int_eq(harness_run(bounded, NULL), 0);
}

/* ---- hooks */

static char events[1024];

static void hook(void *arg, int event, holt_task *t)
{
	static const char *const names[] = { "spawned", "resumed", "suspended", "canceled", "ended", "finally" };
	size_t n = strlen(events);

	ck_assert_ptr_eq(arg, events);
	ck_assert_ptr_null(holt_self());
	ck_assert_int_eq(holt_sleep(1), -EPERM);
	if (event == HOLT_HOOK_ENDED)
		ck_assert(holt_task_done(t));
	snprintf(events + n, sizeof events - n, "%s %s\n", holt_task_name(t), names[event]);
}

static const struct holt_hooks hooks = { hook, events };

static int yields_once(void *arg)
{
	(void)arg;
	return holt_yield();
}

static int says_bye(void *arg, int result)
{
	(void)arg;
	(void)result;
	return 0;
}

static int life(void *arg)
{
	holt_group *g;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_finally(g, says_bye, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, yields_once, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, sleeper, NULL), 0);
	ck_assert_int_eq(holt_sleep(1), 0);
	holt_group_cancel(g, "enough");
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	return 0;
}

TEST(hooks_are_told_all_that_a_task_does_in_order)
{
	events[0] = 0;
	ck_assert_int_eq(holt_hooks_set(&hooks), 0);
	ck_assert_int_eq(harness_run(life, NULL), 0);
	harness_same(events,
		"main spawned\n"
		"main resumed\n"
		"yields_once spawned\n"
		"sleeper spawned\n"
		"main suspended\n"
		"yields_once resumed\n"
		"yields_once suspended\n"
		"sleeper resumed\n"
		"sleeper suspended\n"
		"yields_once resumed\n"
		"yields_once ended\n"
		"main resumed\n"
		"sleeper canceled\n"
		"main suspended\n"
		"sleeper resumed\n"
		"sleeper ended\n"
		"main resumed\n"
		"main finally\n"
		"main ended\n");
	events[0] = 0;
	ck_assert_int_eq(harness_run(life, NULL), 0); /* they were for that run */
	ck_assert_str_eq(events, "");
}

static int looks_for_a_while(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_hooks_set(&hooks), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_hooks_set(NULL), 0);
	return holt_yield();
}

TEST(hooks_may_come_and_go_in_a_run)
{
	struct holt_hooks none = { NULL, NULL };

	events[0] = 0;
	ck_assert_int_eq(holt_hooks_set(&none), -EINVAL);
	ck_assert_int_eq(harness_run(looks_for_a_while, NULL), 0);
	harness_same(events,
		"main suspended\n"
		"main resumed\n");
}

TEST(hooks_before_a_run_need_memory_for_its_loop)
{
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_hooks_set(&hooks), -ENOMEM);
}
