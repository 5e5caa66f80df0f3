/* SPDX-License-Identifier: MIT */
/*
 * Supervisors: who is started again, with whom, in which order, and when it is too often. What Erlang/OTP asks of its
 * own supervisor is asked here too; tests/PARITY.md says which test answers which question. Stops from outside, time
 * budgets, memory that is missing and random orders are in test_supervise_order.c.
 */
#include "kids.h"

#define open_supervisor(s, ...) ck_assert_int_eq(holt_supervisor_open(&(s), .name = "sup", __VA_ARGS__), 0)
#define supervise(s, k, ...) ck_assert_int_eq(holt_supervise(s, kid, &(k), .name = (k).name, __VA_ARGS__), 0)

/* ---- opening, closing, options */

static int opens_and_closes(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervisor_wait(s), 0);
	ck_assert_int_eq(holt_supervisor_close(s, 7), 7);
	open_supervisor(s);
	ck_assert_int_eq(holt_supervisor_close(s, -EIO), -EIO);
	ck_assert_int_eq(holt_supervisor_close(NULL, 3), 3);
	return 0;
}

TEST(supervisor_without_children_has_nothing_to_do)
{
	ck_assert_int_eq(run_kids(opens_and_closes, NULL), 0);
}

static int misuses_options(void *arg)
{
	struct {
		struct holt_supervisor_options known;
		uint64_t unknown;
	} longer = { .known.size = sizeof longer, .unknown = 1 };
	struct {
		struct holt_child_options known;
		uint64_t unknown;
	} longer_child = { .known.size = sizeof longer_child, .unknown = 1 };
	struct holt_supervisor_options tiny = { .size = 4 };
	struct holt_child_options tiny_child = { .size = 4 };
	holt_supervisor *s = NULL;

	(void)arg;
	ck_assert_int_eq(holt_supervisor_open_with(&s, &longer.known), -E2BIG);
	ck_assert_int_eq(holt_supervisor_open_with(&s, &tiny), -EINVAL);
	ck_assert_int_eq(holt_supervisor_open_with(NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_supervisor_open(&s, .strategy = (enum holt_strategy)3), -EINVAL);
	ck_assert_ptr_null(s);
	longer.unknown = 0;
	ck_assert_int_eq(holt_supervisor_open_with(&s, &longer.known), 0);

	ck_assert_int_eq(holt_supervise_with(s, kid, &a, &longer_child.known), -E2BIG);
	ck_assert_int_eq(holt_supervise_with(s, kid, &a, &tiny_child), -EINVAL);
	ck_assert_int_eq(holt_supervise(NULL, kid, &a), -EINVAL);
	ck_assert_int_eq(holt_supervise(s, NULL, &a), -EINVAL);
	ck_assert_int_eq(holt_supervise(s, kid, &a, .restart = (enum holt_restart)3), -EINVAL);
	ck_assert_int_eq(holt_supervise(s, kid, &a, .name = ""), -EINVAL);
	ck_assert_int_eq(holt_supervise(s, kid, &a, .restart = HOLT_RESTART_ALWAYS, .significant = true), -EINVAL);
	ck_assert_int_eq(holt_supervisor_wait(s), 0); /* none of these has become a child */

	ck_assert_int_eq(holt_supervise_with(s, kid, &a, NULL), 0);
	longer_child.unknown = 0;
	ck_assert_int_eq(holt_supervise_with(s, kid, &b, &longer_child.known), 0);
	pass();
	ck_assert_str_eq(traced(), "+a =a +b =b ");
	return holt_supervisor_close(s, 0);
}

TEST(bad_options_are_refused_and_make_no_child)
{
	ck_assert_int_eq(run_kids(misuses_options, NULL), 0);
}

static int misuses_arguments(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	supervise(s, a);
	ck_assert_int_eq(holt_supervisor_stop(NULL, "a"), -EINVAL);
	ck_assert_int_eq(holt_supervisor_stop(s, NULL), -EINVAL);
	ck_assert_int_eq(holt_supervisor_restart(s, NULL), -EINVAL);
	ck_assert_int_eq(holt_supervisor_remove(s, NULL), -EINVAL);
	ck_assert_int_eq(holt_supervisor_wait(NULL), -EINVAL);
	ck_assert_int_eq(holt_supervisor_finally(NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_supervisor_stop(s, "hello"), -ENOENT);
	ck_assert_int_eq(holt_supervisor_restart(s, "hello"), -ENOENT);
	ck_assert_int_eq(holt_supervisor_remove(s, "hello"), -ENOENT);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "hello"), 0);
	ck_assert_uint_eq(holt_supervisor_restarts(s, NULL), 0);
	ck_assert_uint_eq(holt_supervisor_restarts(NULL, "a"), 0);
	return holt_supervisor_close(s, 0);
}

TEST(unknown_names_are_enoent_and_nothing_else_is_touched)
{
	ck_assert_int_eq(run_kids(misuses_arguments, NULL), 0);
}

static holt_supervisor *shared;
static int got[8];

static void calls_outside_tasks(void *arg)
{
	(void)arg;
	got[0] = holt_supervise(shared, kid, &a, .name = "a");
	got[1] = holt_supervise(shared, kid, &b, .name = "b", .until_ready = true);
	got[2] = holt_supervisor_stop(shared, "a");
	got[3] = holt_supervisor_restart(shared, "a");
	got[4] = holt_supervisor_wait(shared);
	got[5] = holt_supervisor_close(shared, 0);
	got[6] = holt_supervisor_open(&shared);
}

static int calls_from_outside(void *arg)
{
	(void)arg;
	open_supervisor(shared);
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), calls_outside_tasks, NULL), 0);
	pass();
	ck_assert_str_eq(traced(), "+a =a ");
	return holt_supervisor_close(shared, 0);
}

TEST(outside_tasks_only_what_does_not_wait_is_allowed)
{
	ck_assert_int_eq(run_kids(calls_from_outside, NULL), 0);
	ck_assert_int_eq(got[0], 0);
	for (int i = 1; i < 7; i++)
		ck_assert_int_eq(got[i], -EPERM);
}

static int closes_anothers(void *arg)
{
	(void)arg;
	got[0] = holt_supervisor_close(shared, 0);
	return 0;
}

static int closes_wrongly(void *arg)
{
	holt_group *g = NULL, *inner = NULL;
	struct holt_scope scope;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(shared);
	ck_assert_int_eq(holt_spawn(g, closes_anothers, NULL), 0);
	pass();
	ck_assert_int_eq(got[0], -EPERM);
	holt_scope_begin(&scope, HOLT_NEVER, 0);
	ck_assert_int_eq(holt_supervisor_close(shared, 0), -EINVAL);
	holt_scope_end(&scope, 0);
	ck_assert_int_eq(holt_group_open(&inner), 0);
	ck_assert_int_eq(holt_supervisor_close(shared, 0), -EINVAL);
	ck_assert_int_eq(holt_group_close(inner, 0), 0);
	ck_assert_int_eq(holt_group_close(g, 0), -EINVAL); /* they nest strictly */
	ck_assert_int_eq(holt_supervisor_close(shared, 0), 0);
	return holt_group_close(g, 0);
}

TEST(only_the_opener_closes_and_not_around_something_open)
{
	ck_assert_int_eq(run_kids(closes_wrongly, NULL), 0);
}

static int leaves_it_open(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	return 0;
}

TEST_SIGNAL(task_that_returns_with_an_open_supervisor_aborts, SIGABRT)
{
	run_kids(leaves_it_open, NULL);
}

static int keeps_a_scope(void *arg)
{
	static struct holt_scope scope;

	(void)arg;
	holt_scope_begin(&scope, HOLT_NEVER, 0);
	return 0;
}

static int supervises_a_bad_one(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, keeps_a_scope, NULL), 0);
	return holt_supervisor_close(s, holt_supervisor_wait(s));
}

static int run_a_bad_one(void *arg)
{
	return run_kids(supervises_a_bad_one, arg);
}

TEST(child_that_returns_with_an_open_scope_aborts_with_its_name)
{
	int status = harness_child(run_a_bad_one, NULL);

	ck_assert(WIFSIGNALED(status));
	ck_assert_ptr_nonnull(strstr(harness_output(), "task sup/keeps_a_scope returned with an open scope"));
}

static int auto_closes(void *arg)
{
	holt_auto(supervisor) s = NULL;
	holt_auto(supervisor) none = NULL;

	(void)arg;
	(void)none;
	open_supervisor(s);
	supervise(s, a);
	supervise(s, b);
	pass();
	traced();
	errno = ENOENT;
	return 5;
}

TEST(auto_stops_the_children_in_order_on_every_way_out)
{
	ck_assert_int_eq(run_kids(auto_closes, NULL), 5);
	ck_assert_str_eq(traced(), "-b -a ");
}

/* ---- names */

static int gives_names(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	supervise(s, a);
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "a"), -EEXIST);
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "a", .until_ready = true), -EEXIST);
	ck_assert_int_eq(holt_supervise(s, kid, &b), 0);
	ck_assert_int_eq(holt_supervise(s, kid, &c), 0);
	ck_assert_int_eq(holt_supervise_with(s, kid, &d, NULL), 0);
	pass();
	ck_assert_str_eq(traced(), "+a =a +b =b +c =c +d =d ");
	ck_assert_int_eq(holt_supervisor_stop(s, "kid"), 0);
	ck_assert_int_eq(holt_supervisor_stop(s, "kid#3"), 0);
	ck_assert_int_eq(holt_supervisor_stop(s, "child"), 0);
	ck_assert_str_eq(traced(), "-b -c -d ");
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "kid#3"), -EEXIST);
	return holt_supervisor_close(s, 0);
}

TEST(names_that_were_given_are_unique_and_others_get_a_number)
{
	ck_assert_int_eq(run_kids(gives_names, NULL), 0);
}

static int path_of(void *paths, const struct holt_task_info *i)
{
	strcat(paths, i->path);
	strcat(paths, " ");
	return 0;
}

static int lists_paths(void *arg)
{
	char paths[256] = "";
	holt_supervisor *s = NULL, *inner = NULL;

	(void)arg;
	open_supervisor(s);
	supervise(s, a);
	supervise(s, b);
	ck_assert_int_eq(holt_supervisor_open(&inner), 0);
	supervise(inner, c);
	pass();
	dies(&b, -EIO);
	dies(&b, -EIO);
	holt_each_task(path_of, paths);
	ck_assert_str_eq(paths, "main sup/c sup/a sup/b "); /* the same after restarts: one of a name at a time */
	ck_assert_uint_eq(holt_task_count(), 4);
	ck_assert_int_eq(holt_supervisor_close(inner, 0), 0);
	return holt_supervisor_close(s, 0);
}

TEST(path_of_a_child_is_the_supervisors_name_and_its_own)
{
	ck_assert_int_eq(run_kids(lists_paths, NULL), 0);
	ck_assert(harness_logged("<4>sup/b failed: Input/output error; restart, 1 of 5 within 10s"));
}

static int dumps(void *arg)
{
	holt_supervisor *s = NULL;
	FILE *f;

	open_supervisor(s);
	supervise(s, a);
	supervise(s, b);
	pass();
	f = fmemopen(arg, 512, "w");
	ck_assert_int_eq(holt_dump(f), 0);
	fclose(f);
	return holt_supervisor_close(s, 0);
}

TEST(dump_has_one_line_for_each_child)
{
	char text[512] = "";

	ck_assert_int_eq(run_kids(dumps, text), 0);
	ck_assert_uint_eq(harness_count(text, "sup"), 3);
	ck_assert_uint_eq(harness_count(text, "\n"), 5);
	ck_assert_ptr_nonnull(strstr(text, "└─ sup (2 tasks)\n      ├─ sup/a ["));
}

#ifdef HARNESS_TSAN
enum { MANY = 2000 }; /* it has not so many fibers */
#else
enum { MANY = 10000 };
#endif
static struct kid many[MANY];
static char many_names[MANY][16];

static int grows(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL);
	for (int i = 0; i < MANY; i++) {
		snprintf(many_names[i], sizeof many_names[i], "%d", i);
		many[i] = (struct kid){ .name = many_names[i] };
		supervise(s, many[i]);
	}
	ck_assert_int_eq(holt_supervise(s, kid, &a, .name = "77"), -EEXIST);
	pass();
	dies(&many[MANY / 2], -EIO);
	for (int i = 0; i < MANY; i++)
		ck_assert(many[i].alive && many[i].starts == 2);
	for (int i = 0; i < MANY; i += 3)
		ck_assert_int_eq(holt_supervisor_remove(s, many_names[i]), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(many[i].alive, i % 3 != 0);
		ck_assert_int_eq(holt_supervisor_stop(s, many_names[i]), i % 3 == 0 ? -ENOENT : 0);
	}
	supervise(s, many[0]);
	return holt_supervisor_close(s, 0);
}

/* It says so by ending: nothing in it looks at all children for each of them. */
TEST(many_children_are_started_restarted_found_and_stopped_in_linear_time)
{
	ck_assert_int_eq(run_kids(grows, NULL), 0);
}

/* ---- permanent, transient, temporary; each ends well, is canceled (OTP: shutdown), fails */

struct fate {
	enum holt_restart restart;
	int result;
	int starts;
	bool known; /* afterwards, by name */
};

static const struct fate fates[] = {
	{ HOLT_RESTART_ALWAYS, 0, 2, true },
	{ HOLT_RESTART_ALWAYS, 7, 2, true },
	{ HOLT_RESTART_ALWAYS, -ECANCELED, 2, true },
	{ HOLT_RESTART_ALWAYS, -EIO, 2, true },
	{ HOLT_RESTART_ON_FAILURE, 0, 1, true },
	{ HOLT_RESTART_ON_FAILURE, 7, 1, true },
	{ HOLT_RESTART_ON_FAILURE, -ECANCELED, 1, true },
	{ HOLT_RESTART_ON_FAILURE, -EIO, 2, true },
	{ HOLT_RESTART_NEVER, 0, 1, false },
	{ HOLT_RESTART_NEVER, 7, 1, false },
	{ HOLT_RESTART_NEVER, -ECANCELED, 1, false },
	{ HOLT_RESTART_NEVER, -EIO, 1, false },
};

static int meets_fate(void *arg)
{
	const struct fate *f = arg;
	holt_supervisor *s = NULL;

	open_supervisor(s);
	supervise(s, a, .restart = f->restart);
	pass();
	dies(&a, f->result);
	ck_assert_int_eq(a.starts, f->starts);
	ck_assert_int_eq(a.alive, f->starts == 2);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "a"), (unsigned)f->starts - 1);
	if (!a.alive)
		ck_assert_int_eq(holt_supervisor_wait(s), 0);
	ck_assert_int_eq(holt_supervise(s, kid, &a, .name = "a"), f->known ? -EEXIST : 0); /* its name is free */
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(always_on_failure_and_never_are_started_again_as_they_say, 0, (int)HOLT__N(fates))
{
	ck_assert_int_eq(run_kids(meets_fate, (void *)&fates[_i]), 0);
}

static int cancels_the_task(void *arg)
{
	struct kid *k = arg;
	holt_task *t = holt_self();

	k->starts++;
	if (k->starts == 1)
		holt_task_cancel(t, "enough");
	return holt_sleep(HOLT_SEC);
}

static int child_is_canceled(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, cancels_the_task, &a), 0);
	ck_assert_int_eq(holt_supervise(s, cancels_the_task, &b, .restart = HOLT_RESTART_ALWAYS), 0);
	pass();
	ck_assert_int_eq(a.starts, 1);
	ck_assert_int_eq(b.starts, 2);
	return holt_supervisor_close(s, 0);
}

TEST(child_whose_task_was_canceled_did_not_fail)
{
	ck_assert_int_eq(run_kids(child_is_canceled, NULL), 0);
	ck_assert(!harness_logged("<4>"));
}

static int start_is_canceled(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, cancels_the_task, &a, .until_ready = true), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_wait(s), 0);
	return holt_supervisor_close(s, 0);
}

TEST(ecanceled_is_not_told_to_one_who_was_not_canceled)
{
	ck_assert_int_eq(run_kids(start_is_canceled, NULL), 0);
}

static int temporary_fails(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	supervise(s, a, .restart = HOLT_RESTART_NEVER);
	pass();
	dies(&a, -EIO);
	return holt_supervisor_close(s, holt_supervisor_wait(s));
}

TEST(failure_that_leads_to_no_restart_is_logged)
{
	ck_assert_int_eq(run_kids(temporary_fails, NULL), 0);
	ck_assert(harness_logged("<4>sup/a failed: Input/output error"));
}

/* ---- strategies */

struct outcome {
	enum holt_strategy strategy;
	const char *after_b, *after_a; /* of a, b, c, d, where c is HOLT_RESTART_NEVER */
};

static const struct outcome outcomes[] = {
	{ HOLT_ONE_FOR_ONE, "-b +b =b ", "-a +a =a " },
	{ HOLT_ONE_FOR_ALL, "-b -d -c -a +a =a +b =b +d =d ", "-a -d -b +a =a +b =b +d =d " },
	{ HOLT_REST_FOR_ONE, "-b -d -c +b =b +d =d ", "-a -d -b +a =a +b =b +d =d " },
};

static int strategy_acts(void *arg)
{
	const struct outcome *o = arg;
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = o->strategy, .restarts = 2);
	supervise(s, a);
	supervise(s, b);
	supervise(s, c, .restart = HOLT_RESTART_NEVER);
	supervise(s, d, .restart = HOLT_RESTART_ALWAYS);
	pass();
	ck_assert_str_eq(traced(), "+a =a +b =b +c =c +d =d ");
	dies(&b, -EIO);
	ck_assert_str_eq(traced(), o->after_b);
	dies(&a, -EIO);
	ck_assert_str_eq(traced(), o->after_a);
	ck_assert_int_eq(c.starts, 1);
	tell(&d, 0); /* the third restart: too many */
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	ck_assert(!a.alive && !b.alive && !c.alive && !d.alive);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(strategy_takes_along_none_or_all_or_those_behind_and_never_temporary_ones, 0, 3)
{
	ck_assert_int_eq(run_kids(strategy_acts, (void *)&outcomes[_i]), -ELOOP);
}

static int order_of_siblings(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_REST_FOR_ONE);
	b.stop_takes = c.stop_takes = HOLT_SEC;
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	supervise(s, d, .until_ready = true);
	traced();
	dies(&a, -EIO);
	ck_assert_str_eq(traced(), "-a -d ");
	ck_assert(!b.saw_stop && c.saw_stop); /* each is asked when those behind it have ended */
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-c ");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-b +a =a +b =b +c =c +d =d ");
	ck_assert_str_eq(b.why_text, "sup/a failed: Input/output error");
	return holt_supervisor_close(s, 0);
}

TEST(siblings_stop_one_by_one_in_reverse_and_then_start_in_order)
{
	ck_assert_int_eq(run_kids(order_of_siblings, NULL), 0);
}

static int ended_sibling(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL);
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	pass();
	dies(&a, 0);
	ck_assert_int_eq(holt_supervisor_stop(s, "c"), 0);
	traced();
	dies(&b, -EIO);
	ck_assert_str_eq(traced(), "-b +a =a +b =b ");
	return holt_supervisor_close(s, 0);
}

TEST(sibling_that_had_ended_well_is_started_along_and_one_stopped_by_hand_is_not)
{
	ck_assert_int_eq(run_kids(ended_sibling, NULL), 0);
}

static int deaths_during_a_restart(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL, .restarts = 1);
	c.stop_takes = HOLT_SEC;
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	pass();
	dies(&a, -EIO);
	dies(&b, -EIO); /* c is being stopped; b's turn has not come */
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert(a.alive && b.alive && c.alive);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "b"), 1);
	return holt_supervisor_close(s, 0);
}

TEST(deaths_during_a_group_restart_belong_to_it)
{
	ck_assert_int_eq(run_kids(deaths_during_a_restart, NULL), 0);
}

static int death_before_the_range(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_REST_FOR_ONE, .restarts = 2);
	c.stop_takes = HOLT_SEC;
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	pass();
	traced();
	dies(&b, -EIO); /* c is being stopped */
	dies(&a, -EIO); /* not of that restart: counted, and the restart begins at a */
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-b -a -c +a =a +b =b +c =c ");
	dies(&a, -EIO);
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	return holt_supervisor_close(s, 0);
}

TEST(death_of_one_before_the_restarted_ones_widens_the_restart_and_counts)
{
	ck_assert_int_eq(run_kids(death_before_the_range, NULL), -ELOOP);
}

/* ---- starts that fail */

static int failing_restart(void *arg)
{
	enum holt_strategy strategy = (enum holt_strategy)(intptr_t)arg;
	static const char *const expected[] = {
		"-b +b -b +b -b +b =b ",
		"-b -c -a +a =a +b -b -a +a =a +b -b -a +a =a +b =b +c =c ",
		"-b -c +b -b +b -b +b =b +c =c ",
	};
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = strategy, .restarts = 3);
	supervise(s, a, .until_ready = true);
	supervise(s, b, .until_ready = true);
	supervise(s, c, .until_ready = true);
	traced();
	b.fail_starts = 2;
	dies(&b, -EIO);
	ck_assert_str_eq(traced(), expected[strategy]);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "b"), 3);
	dies(&b, -EIO); /* the two failed starts were counted: now it is too often */
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(start_that_fails_during_a_restart_counts_and_is_tried_again_by_strategy, 0, 3)
{
	ck_assert_int_eq(run_kids(failing_restart, NUMBER(_i)), -ELOOP);
}

static int never_starts_again(void *arg)
{
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = (enum holt_strategy)(intptr_t)arg, .restarts = 4);
	supervise(s, a, .until_ready = true);
	supervise(s, b, .until_ready = true);
	b.fail_starts = 100;
	tell(&b, -EIO);
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	ck_assert_int_eq(b.starts, 1 + 4);
	ck_assert(!a.alive && !b.alive);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(child_that_cannot_be_started_again_makes_every_strategy_give_up, 0, 3)
{
	ck_assert_int_eq(run_kids(never_starts_again, NUMBER(_i)), -ELOOP);
	ck_assert(harness_logged("<3>sup gives up: sup/b failed: Input/output error, after 4 restarts within 10s"));
}

static int first_start_fails(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	a.fail_starts = b.fail_starts = 1;
	ck_assert_int_eq(holt_supervise(s, kid, &a, .name = "a", .until_ready = true), -EIO);
	ck_assert_int_eq(a.starts, 1);
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), -ENOENT); /* it was not kept */
	ck_assert_int_eq(holt_supervisor_wait(s), 0);
	supervise(s, a, .until_ready = true);
	supervise(s, b); /* nobody waits for it, so it is a failure like any */
	pass();
	ck_assert(b.alive);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "b"), 1);
	return holt_supervisor_close(s, 0);
}

TEST(first_start_that_fails_is_told_and_the_child_is_not_kept)
{
	ck_assert_int_eq(run_kids(first_start_fails, NULL), 0);
	ck_assert_uint_eq(harness_count(harness_log(), "sup/a failed"), 0); /* told, so not logged */
}

static int ends_before_ready(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	a.end_starts = b.end_starts = c.end_starts = 1;
	supervise(s, a, .until_ready = true); /* OTP's ignore */
	supervise(s, b, .until_ready = true, .restart = HOLT_RESTART_NEVER);
	supervise(s, c, .until_ready = true, .restart = HOLT_RESTART_ALWAYS);
	supervise(s, d);
	pass();
	ck_assert_str_eq(traced(), "+a -a +b -b +c -c +d =d +c =c ");
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	ck_assert(a.alive);
	ck_assert_int_eq(holt_supervisor_restart(s, "b"), -ENOENT);
	return holt_supervisor_close(s, 0);
}

TEST(child_that_ends_well_before_it_is_ready_counts_as_started)
{
	ck_assert_int_eq(run_kids(ends_before_ready, NULL), 0);
}

/* ---- intensity */

static int one_in_a_while(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .restarts = 1, .within = HOLT_SEC);
	supervise(s, a);
	pass();
	for (int i = 0; i < 4; i++) {
		dies(&a, -EIO);
		ck_assert(a.alive);
		ck_assert_int_eq(holt_sleep(HOLT_SEC + 1), 0);
	}
	ck_assert_uint_eq(holt_supervisor_restarts(s, "a"), 4);
	dies(&a, -EIO);
	dies(&a, -EIO);
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	return holt_supervisor_close(s, 0);
}

TEST(restarts_that_are_far_enough_apart_go_on_for_ever)
{
	ck_assert_int_eq(run_kids(one_in_a_while, NULL), -ELOOP);
}

static int crashes(void *arg)
{
	struct kid *k = arg;

	k->starts++;
	return -EIO;
}

static int has_defaults(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, crashes, &a), 0);
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	ck_assert_int_eq(a.starts, 6);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "crashes"), 5);
	ck_assert_int_eq(holt_supervise(s, kid, &b), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervise(s, kid, &b, .until_ready = true), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_restart(s, "crashes"), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_stop(s, "crashes"), 0);
	ck_assert_int_eq(holt_supervisor_remove(s, "crashes"), 0);
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP); /* it has, and goes on to have, given up */
	return holt_supervisor_close(s, -ESHUTDOWN);
}

TEST(five_restarts_within_ten_seconds_are_allowed_unless_said)
{
	ck_assert_int_eq(run_kids(has_defaults, NULL), -ELOOP);
	ck_assert_uint_eq(harness_time(), 0); /* without a back-off they are immediate */
}

static int restarts_of_several_add_up(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .restarts = 2);
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	pass();
	dies(&a, -EIO);
	dies(&b, -EIO);
	traced();
	dies(&c, -EIO);
	ck_assert_str_eq(traced(), "-c -b -a ");
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	return holt_supervisor_close(s, 9);
}

TEST(intensity_is_of_the_supervisor_and_giving_up_stops_in_reverse)
{
	ck_assert_int_eq(run_kids(restarts_of_several_add_up, NULL), -ELOOP);
}

static int opener_does_something_else(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, crashes, &a), 0);
	ck_assert_int_eq(holt_sleep(HOLT_HOUR), 0); /* not canceled by that */
	ck_assert_int_eq(a.starts, 6);
	ck_assert_ptr_null(holt_why());
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	return holt_supervisor_close(s, -EPIPE);
}

TEST(giving_up_does_not_cancel_the_opener_and_is_told_by_wait)
{
	ck_assert_int_eq(run_kids(opener_does_something_else, NULL), -EPIPE);
}

/* ---- back-off */

static int backs_off(void *arg)
{
	holt_supervisor *s = NULL;
	holt_time before, waited[6];

	(void)arg;
	open_supervisor(s, .restarts = 100, .backoff_min = HOLT_SEC, .backoff_max = 6 * HOLT_SEC, .backoff_reset = HOLT_MIN);
	supervise(s, a);
	supervise(s, b);
	for (int i = 0; i < 6; i++) {
		pass();
		before = holt_now();
		dies(&a, -EIO);
		ck_assert(!a.alive && b.alive);
		while (!a.alive)
			ck_assert_int_eq(holt_sleep(HOLT_MS), 0);
		waited[i] = holt_now() - before;
		if (i == 4)
			ck_assert_int_eq(holt_sleep(HOLT_MIN), 0);
	}
	for (int i = 0; i < 6; i++) {
		static const unsigned full[] = { 1, 2, 4, 6, 6, 1 };
		holt_time most = full[i] * HOLT_SEC + 2 * HOLT_MS, least = full[i] * HOLT_SEC * 3 / 4;

		ck_assert_uint_le(waited[i], most);
		ck_assert_uint_ge(waited[i], least < HOLT_SEC ? HOLT_SEC : least);
	}
	return holt_supervisor_close(s, 0);
}

TEST(back_off_doubles_with_jitter_and_begins_anew_after_health)
{
	ck_assert_int_eq(run_kids(backs_off, NULL), 0);
}

static int backs_off_together(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL, .backoff_min = HOLT_SEC, .backoff_max = HOLT_SEC);
	supervise(s, a);
	supervise(s, b);
	pass();
	traced();
	dies(&b, -EIO);
	ck_assert_str_eq(traced(), "-b -a "); /* stopped at once, and they wait together */
	supervise(s, c);
	pass();
	ck_assert_int_eq(c.starts, 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC - HOLT_MS), 0);
	ck_assert_str_eq(traced(), "");
	ck_assert_int_eq(holt_sleep(2 * HOLT_MS), 0);
	ck_assert_str_eq(traced(), "+a =a +b =b +c =c ");
	return holt_supervisor_close(s, 0);
}

TEST(siblings_wait_for_the_back_off_of_the_one_that_failed)
{
	ck_assert_int_eq(run_kids(backs_off_together, NULL), 0);
}

static int hand_ends_back_off(void *arg)
{
	enum holt_strategy strategy = (enum holt_strategy)(intptr_t)arg;
	holt_supervisor *s = NULL;
	holt_time before;

	open_supervisor(s, .strategy = strategy, .backoff_min = HOLT_HOUR, .restarts = 1);
	supervise(s, a);
	supervise(s, b);
	pass();
	dies(&a, -EIO);
	traced();
	before = holt_now();
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	pass();
	ck_assert_str_eq(traced(), strategy == HOLT_ONE_FOR_ONE ? "+a =a " : "+a =a +b =b ");
	ck_assert_uint_lt(holt_now() - before, HOLT_SEC);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(restart_by_hand_ends_a_back_off, 0, 3)
{
	ck_assert_int_eq(run_kids(hand_ends_back_off, NUMBER(_i)), 0);
}

static int hand_resets_back_off(void *arg)
{
	holt_supervisor *s = NULL;
	holt_time before;

	(void)arg;
	open_supervisor(s, .restarts = 100, .backoff_min = HOLT_SEC);
	supervise(s, a);
	pass();
	for (int i = 0; i < 4; i++) {
		dies(&a, -EIO);
		ck_assert_int_eq(holt_sleep(HOLT_MIN), 0);
	}
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	pass();
	before = holt_now();
	dies(&a, -EIO);
	while (!a.alive)
		ck_assert_int_eq(holt_sleep(HOLT_MS), 0);
	ck_assert_uint_lt(holt_now() - before, 2 * HOLT_SEC);
	return holt_supervisor_close(s, 0);
}

TEST(back_off_begins_anew_after_a_restart_by_hand)
{
	ck_assert_int_eq(run_kids(hand_resets_back_off, NULL), 0);
}

static int two_back_offs(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_REST_FOR_ONE, .restarts = 100, .backoff_min = HOLT_SEC, .backoff_reset = HOLT_NEVER);
	supervise(s, a);
	supervise(s, b);
	pass();
	for (int i = 0; i < 4; i++) {
		dies(&b, -EIO);
		ck_assert_int_eq(holt_sleep(HOLT_MIN), 0);
	}
	traced();
	dies(&b, -EIO); /* 12 to 16 seconds */
	dies(&a, -EIO); /* one */
	ck_assert_int_eq(holt_sleep(11 * HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-b -a ");
	ck_assert_int_eq(holt_sleep(6 * HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "+a =a +b =b ");
	return holt_supervisor_close(s, 0);
}

TEST(longest_of_several_back_offs_counts)
{
	ck_assert_int_eq(run_kids(two_back_offs, NULL), 0);
}

static int stop_ends_back_off(void *arg)
{
	enum holt_strategy strategy = (enum holt_strategy)(intptr_t)arg;
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = strategy, .backoff_min = HOLT_HOUR);
	supervise(s, a);
	supervise(s, b);
	pass();
	dies(&a, -EIO);
	traced();
	ck_assert_int_eq(holt_supervisor_stop(s, "a"), 0);
	pass();
	ck_assert_str_eq(traced(), strategy == HOLT_ONE_FOR_ONE ? "" : "+b =b "); /* who waited for it waits no more */
	ck_assert_int_eq(holt_sleep(3 * HOLT_HOUR), 0);
	ck_assert(!a.alive && b.alive);
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(stop_by_hand_ends_a_back_off_and_it_stays_down, 0, 3)
{
	ck_assert_int_eq(run_kids(stop_ends_back_off, NUMBER(_i)), 0);
}

static int closes_in_back_off(void *arg)
{
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = (enum holt_strategy)(intptr_t)arg, .backoff_min = HOLT_HOUR);
	supervise(s, a);
	supervise(s, b);
	pass();
	dies(&a, -EIO);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(close_ends_a_back_off, 0, 3)
{
	ck_assert_int_eq(run_kids(closes_in_back_off, NUMBER(_i)), 0);
	ck_assert_uint_lt(harness_time(), HOLT_SEC);
	ck_assert_int_eq(a.starts, 1);
}

/* ---- readiness in order */

static int adds(void *arg)
{
	struct kid *k = arg;

	return holt_supervise(shared, kid, k, .name = k->name, .until_ready = true);
}

static int adds_at_once(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(shared);
	a.start_takes = b.start_takes = HOLT_SEC;
	ck_assert_int_eq(holt_spawn(g, adds, &a), 0);
	ck_assert_int_eq(holt_spawn(g, adds, &b), 0);
	pass();
	supervise(shared, c); /* does not wait, but its turn has not come */
	pass();
	ck_assert_str_eq(traced(), "+a ");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "=a +b ");
	ck_assert_uint_eq(holt_group_count(g), 1); /* who started a has been told */
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "=b +c =c ");
	ck_assert_int_eq(holt_supervisor_close(shared, 0), 0);
	return holt_group_close(g, 0);
}

TEST(child_starts_only_when_the_one_before_it_is_ready)
{
	ck_assert_int_eq(run_kids(adds_at_once, NULL), 0);
}

static int restarts_in_order(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL);
	supervise(s, a, .until_ready = true);
	supervise(s, b, .until_ready = true);
	supervise(s, c);
	pass();
	traced();
	a.start_takes = b.start_takes = HOLT_SEC;
	dies(&c, -EIO);
	ck_assert_str_eq(traced(), "-c -b -a +a ");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "=a +b ");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "=b +c =c ");
	return holt_supervisor_close(s, 0);
}

TEST(group_restart_waits_for_each_to_be_ready)
{
	ck_assert_int_eq(run_kids(restarts_in_order, NULL), 0);
}

static int restarts_on_its_own(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	supervise(s, a, .until_ready = true);
	supervise(s, b, .until_ready = true);
	a.start_takes = HOLT_HOUR;
	dies(&a, -EIO);
	traced();
	dies(&b, -EIO);
	ck_assert_str_eq(traced(), "-b +b =b ");
	supervise(s, c, .until_ready = true);
	ck_assert_str_eq(traced(), "+c =c ");
	return holt_supervisor_close(s, 0);
}

TEST(one_for_one_restart_holds_up_nobody)
{
	ck_assert_int_eq(run_kids(restarts_on_its_own, NULL), 0);
	ck_assert_uint_lt(harness_time(), HOLT_SEC);
}

/* ---- by hand */

static int administers(void *arg)
{
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = (enum holt_strategy)(intptr_t)arg, .restarts = 1);
	supervise(s, a);
	supervise(s, b, .until_ready = true);
	supervise(s, c);
	pass();
	traced();
	ck_assert_int_eq(holt_supervisor_stop(s, "b"), 0);
	ck_assert_str_eq(traced(), "-b ");
	ck_assert_str_eq(b.why_text, "stopped by hand");
	ck_assert_int_eq(holt_supervisor_stop(s, "b"), 0);
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "b"), -EEXIST);
	ck_assert_int_eq(holt_supervisor_restart(s, "b"), 0);
	ck_assert_str_eq(traced(), "+b =b ");
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(holt_supervisor_restart(s, "b"), 0); /* by hand: not counted */
		ck_assert_str_eq(traced(), "-b +b =b ");
	}
	ck_assert_uint_eq(holt_supervisor_restarts(s, "b"), 0);
	ck_assert_int_eq(holt_supervisor_remove(s, "b"), 0);
	ck_assert_str_eq(traced(), "-b ");
	ck_assert_int_eq(holt_supervisor_restart(s, "b"), -ENOENT);
	supervise(s, b);
	pass();
	traced();
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert_str_eq(traced(), "-b -c -a "); /* it is the last one now */
	return 0;
}

TEST_LOOP(stop_restart_and_remove_touch_one_child_and_are_not_counted, 0, 3)
{
	ck_assert_int_eq(run_kids(administers, NUMBER(_i)), 0);
}

static int waits(void *arg)
{
	got[0] = holt_supervisor_wait(arg);
	note("waited");
	return 0;
}

static int stopped_ones_could_come_back(void *arg)
{
	holt_supervisor *s = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(s);
	supervise(s, a);
	supervise(s, b);
	ck_assert_int_eq(holt_spawn(g, waits, s), 0);
	pass();
	ck_assert_int_eq(holt_supervisor_stop(s, "a"), 0);
	dies(&b, 0);
	traced();
	ck_assert_int_eq(holt_sleep(HOLT_HOUR), 0);
	ck_assert_str_eq(traced(), "");
	ck_assert_int_eq(holt_supervisor_remove(s, "a"), 0);
	pass();
	ck_assert_str_eq(traced(), "waited ");
	ck_assert_int_eq(got[0], 0);
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	return holt_group_close(g, 0);
}

TEST(wait_goes_on_while_a_child_is_only_stopped_and_ends_when_it_is_removed)
{
	ck_assert_int_eq(run_kids(stopped_ones_could_come_back, NULL), 0);
}

static int restart_fails(void *arg)
{
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = (enum holt_strategy)(intptr_t)arg);
	supervise(s, a, .until_ready = true);
	a.fail_starts = 1;
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), -EIO);
	pass();
	ck_assert_int_eq(a.starts, 2); /* it is not tried again */
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	ck_assert(a.alive);
	ck_assert_uint_eq(holt_supervisor_restarts(s, "a"), 0);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(restart_by_hand_that_fails_is_told_and_leaves_it_down, 0, 3)
{
	ck_assert_int_eq(run_kids(restart_fails, NUMBER(_i)), 0);
}

static int stops_a(void *arg)
{
	got[1] = holt_supervisor_stop(arg, "a");
	note("stopped");
	return 0;
}

static int stops_a_start(void *arg)
{
	holt_supervisor *s = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(s);
	a.start_takes = HOLT_HOUR;
	ck_assert_int_eq(holt_spawn(g, stops_a, s), 0);
	ck_assert_int_eq(holt_supervise(s, kid, &a, .name = "a", .until_ready = true), -ESHUTDOWN);
	pass();
	ck_assert_str_eq(traced(), "+a -a stopped ");
	ck_assert_int_eq(got[1], 0);
	supervise(s, a); /* supervise has failed, so there was none left */
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	return holt_group_close(g, 0);
}

TEST(stop_ends_a_start_that_is_half_done)
{
	ck_assert_int_eq(run_kids(stops_a_start, NULL), 0);
	ck_assert_uint_lt(harness_time(), HOLT_SEC);
}

static int adds_a(void *arg)
{
	got[0] = holt_supervise(arg, kid, &a, .name = "a", .until_ready = true);
	return 0;
}

static int restarts_a_start(void *arg)
{
	holt_supervisor *s = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(s);
	a.start_takes = HOLT_SEC;
	ck_assert_int_eq(holt_spawn(g, adds_a, s), 0);
	pass();
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	pass();
	ck_assert_str_eq(traced(), "+a -a +a =a ");
	ck_assert_int_eq(got[0], 0); /* who had added it is told of the start that went well */
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	return holt_group_close(g, 0);
}

TEST(restart_by_hand_of_a_start_that_is_half_done_begins_it_anew)
{
	ck_assert_int_eq(run_kids(restarts_a_start, NULL), 0);
}

static int restarts_b(void *arg)
{
	got[1] = holt_supervisor_restart(arg, "b");
	note("restarted");
	return 0;
}

static int restart_in_turn(void *arg)
{
	holt_supervisor *s = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL, .restarts = 1);
	supervise(s, a, .until_ready = true);
	supervise(s, b);
	supervise(s, c);
	pass();
	a.start_takes = HOLT_SEC;
	dies(&c, -EIO);
	traced();
	ck_assert_int_eq(holt_spawn(g, restarts_b, s), 0);
	pass();
	ck_assert_str_eq(traced(), ""); /* a is not ready yet */
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "=a +b =b restarted +c =c ");
	ck_assert_int_eq(got[1], 0);
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	return holt_group_close(g, 0);
}

TEST(restart_by_hand_during_a_group_restart_comes_in_its_turn)
{
	ck_assert_int_eq(run_kids(restart_in_turn, NULL), 0);
}

static int restart_in_a_sweep(void *arg)
{
	holt_supervisor *s = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL);
	c.stop_takes = HOLT_SEC;
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	pass();
	dies(&a, -EIO);
	traced();
	ck_assert_int_eq(holt_spawn(g, restarts_b, s), 0);
	pass();
	ck_assert_str_eq(traced(), ""); /* c comes before b */
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-c -b +a =a +b =b restarted +c =c ");
	ck_assert_int_eq(b.starts, 2);
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	return holt_group_close(g, 0);
}

TEST(restart_by_hand_of_one_that_is_to_be_stopped_in_order_does_not_overtake)
{
	ck_assert_int_eq(run_kids(restart_in_a_sweep, NULL), 0);
}

static int retry_loop_is_stopped(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_REST_FOR_ONE, .restarts = 8, .backoff_min = HOLT_SEC, .backoff_max = HOLT_SEC);
	supervise(s, a, .until_ready = true);
	supervise(s, b, .until_ready = true);
	supervise(s, c, .until_ready = true);
	b.fail_starts = 100;
	dies(&b, -EIO);
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC + HOLT_MS), 0);
	ck_assert_int_eq(b.starts, 3);
	ck_assert(a.alive && !b.alive && !c.alive);
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "b"), -EEXIST);
	ck_assert_int_eq(holt_supervisor_stop(s, "b"), 0);
	ck_assert_int_eq(holt_sleep(HOLT_MIN), 0);
	ck_assert_int_eq(b.starts, 3);
	ck_assert(a.alive && c.alive);
	b.fail_starts = 0;
	ck_assert_int_eq(holt_supervisor_restart(s, "b"), 0);
	b.fail_starts = 100;
	dies(&b, -EIO);
	traced();
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert_str_eq(traced(), "-a ");
	return 0;
}

TEST(child_and_supervisor_can_be_stopped_while_it_cannot_be_started)
{
	ck_assert_int_eq(run_kids(retry_loop_is_stopped, NULL), 0);
}

static int by_itself(void *arg)
{
	struct kid *k = arg;
	holt_group *g = NULL;

	k->starts++;
	got[0] = holt_supervisor_stop(shared, "by_itself");
	got[1] = holt_supervisor_restart(shared, "by_itself");
	got[2] = holt_supervisor_remove(shared, "by_itself");
	got[3] = holt_supervisor_wait(shared);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, stops_a, shared), 0);
	ck_assert_int_eq(holt_spawn(g, waits, shared), 0);
	return holt_group_close(g, 0);
}

static int child_acts_on_its_supervisor(void *arg)
{
	(void)arg;
	open_supervisor(shared);
	supervise(shared, a);
	ck_assert_int_eq(holt_supervise(shared, by_itself, &b), 0);
	pass();
	ck_assert_int_eq(got[1], 0);        /* of stops_a: a sibling is all right */
	ck_assert_int_eq(got[0], -EDEADLK); /* of waits, deeper inside */
	ck_assert_int_eq(got[2], -EDEADLK);
	ck_assert_int_eq(got[3], -EDEADLK);
	ck_assert(!a.alive);
	return holt_supervisor_close(shared, 0);
}

TEST(child_that_would_wait_for_itself_is_told)
{
	ck_assert_int_eq(run_kids(child_acts_on_its_supervisor, NULL), 0);
}

static int adds_before_ready(void *arg)
{
	(void)arg;
	got[0] = holt_supervise(shared, kid, &a, .name = "a", .until_ready = true);
	got[1] = holt_supervise(shared, kid, &b, .name = "b");
	holt_ready();
	got[2] = holt_supervise(shared, kid, &c, .name = "c", .until_ready = true);
	return 0;
}

static int child_adds_children(void *arg)
{
	(void)arg;
	open_supervisor(shared);
	ck_assert_int_eq(holt_supervise(shared, adds_before_ready, NULL, .until_ready = true), 0);
	pass();
	ck_assert_int_eq(got[0], -EDEADLK); /* a would start after this one is ready */
	ck_assert_int_eq(got[1], 0);
	ck_assert_int_eq(got[2], 0);
	ck_assert_str_eq(traced(), "+b =b +c =c ");
	return holt_supervisor_close(shared, 0);
}

TEST(child_may_add_children_but_not_wait_for_one_that_waits_for_it)
{
	ck_assert_int_eq(run_kids(child_adds_children, NULL), 0);
}

/* ---- significant children */

struct significance {
	enum holt_restart restart;
	int result;
	bool ends;
	int wait;
};

static const struct significance significances[] = {
	{ HOLT_RESTART_NEVER, 0, true, 0 },
	{ HOLT_RESTART_NEVER, -EIO, true, -EIO },
	{ HOLT_RESTART_NEVER, -ECANCELED, true, 0 },
	{ HOLT_RESTART_ON_FAILURE, 0, true, 0 },
	{ HOLT_RESTART_ON_FAILURE, 3, true, 0 },
	{ HOLT_RESTART_ON_FAILURE, -EIO, false, 0 },
};

static int significant_one_ends(void *arg)
{
	const struct significance *g = arg;
	holt_supervisor *s = NULL;

	open_supervisor(s);
	supervise(s, a);
	supervise(s, b, .restart = g->restart, .significant = true);
	supervise(s, c, .restart = g->restart);
	supervise(s, d, .restart = HOLT_RESTART_NEVER, .significant = true);
	pass();
	dies(&c, g->result);
	ck_assert(a.alive); /* that one is not significant */
	if (c.alive)
		ck_assert_int_eq(holt_supervisor_stop(s, "c"), 0);
	ck_assert_int_eq(holt_supervisor_stop(s, "d"), 0);
	ck_assert(a.alive); /* by hand does not count */
	traced();
	dies(&b, g->result);
	ck_assert_str_eq(traced(), g->ends ? "-b -a " : "-b +b =b ");
	if (!g->ends)
		return holt_supervisor_close(s, 0);
	ck_assert_int_eq(holt_supervise(s, kid, &c, .name = "e"), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_wait(s), g->wait);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(significant_child_that_ends_for_good_ends_the_supervisor, 0, (int)HOLT__N(significances))
{
	ck_assert_int_eq(run_kids(significant_one_ends, (void *)&significances[_i]), significances[_i].wait);
}

static int significant_bystander(void *arg)
{
	holt_supervisor *s = NULL;

	open_supervisor(s, .strategy = (enum holt_strategy)(intptr_t)arg);
	supervise(s, a, .significant = true);
	supervise(s, b);
	supervise(s, c, .significant = true);
	supervise(s, d, .significant = true, .restart = HOLT_RESTART_NEVER);
	pass();
	dies(&b, -EIO);
	ck_assert(a.alive && b.alive && c.alive);
	ck_assert_int_eq(d.alive, arg == NUMBER(HOLT_ONE_FOR_ONE));
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(significant_child_that_was_stopped_with_a_sibling_ends_nothing, 0, 3)
{
	ck_assert_int_eq(run_kids(significant_bystander, NUMBER(_i)), 0);
}

/* ---- trees */

struct branch {
	struct kid *kids[2];
	bool significant;
	int starts, result;
};

static int branch(void *arg)
{
	struct branch *b_ = arg;
	holt_supervisor *s = NULL;
	int r = holt_supervisor_open(&s, .name = "inner", .restarts = 1);

	b_->starts++;
	for (int i = 0; i < 2 && r >= 0; i++)
		r = holt_supervise(s, kid, b_->kids[i], .name = b_->kids[i]->name, .until_ready = true,
			.significant = b_->significant && i == 0);
	if (r >= 0) {
		holt_ready();
		r = holt_supervisor_wait(s);
	}
	return b_->result = holt_supervisor_close(s, r);
}

static int tree(void *arg)
{
	struct branch one = { { &a, &b } }, two = { { &c, &d } };
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL, .restarts = 1);
	ck_assert_int_eq(holt_supervise(s, branch, &one, .name = "one", .until_ready = true), 0);
	ck_assert_int_eq(holt_supervise(s, branch, &two, .name = "two", .until_ready = true), 0);
	ck_assert_str_eq(traced(), "+a =a +b =b +c =c +d =d ");
	dies(&d, -EIO);
	ck_assert_str_eq(traced(), "-d +d =d "); /* the inner one deals with it */
	dies(&d, -EIO);
	ck_assert_int_eq(two.result, -ELOOP); /* gave up: a failure of its child in the outer one */
	ck_assert_str_eq(traced(), "-d -c -b -a +a =a +b =b +c =c +d =d ");
	ck_assert_int_eq(one.result, 0); /* was stopped, as it should be */
	ck_assert_int_eq(one.starts, 2);
	dies(&a, -EIO);
	traced();
	dies(&a, -EIO); /* the outer one's second, too */
	ck_assert_str_eq(traced(), "-a -b -d -c ");
	ck_assert_int_eq(holt_supervisor_wait(s), -ELOOP);
	return holt_supervisor_close(s, 0);
}

TEST(failure_goes_up_a_tree_from_supervisor_to_supervisor)
{
	ck_assert_int_eq(run_kids(tree, NULL), -ELOOP);
	ck_assert(harness_logged("<4>sup/two failed: Too many levels of symbolic links; restart, 1 of 1 within 10s"));
	ck_assert(harness_logged("<3>sup/inner gives up: sup/inner/d failed"));
}

static int significant_tree(void *arg)
{
	struct branch one = { { &a, &b }, .significant = true };
	holt_supervisor *s = NULL;

	open_supervisor(s);
	supervise(s, c);
	ck_assert_int_eq(holt_supervise(s, branch, &one, .until_ready = true, .significant = arg != NULL), 0);
	traced();
	dies(&a, 0);
	ck_assert_str_eq(traced(), arg ? "-a -b -c " : "-a -b ");
	ck_assert_int_eq(c.alive, !arg);
	if (arg)
		ck_assert_int_eq(holt_supervisor_wait(s), 0);
	return holt_supervisor_close(s, 0);
}

TEST_LOOP(end_of_a_significant_child_goes_up_as_far_as_it_is_significant, 0, 2)
{
	ck_assert_int_eq(run_kids(significant_tree, NUMBER(_i)), 0);
}

/* Each level has one child below it, and tells in its result how deep it came. */
static int deep(void *arg)
{
	int *left = arg;
	holt_supervisor *s = NULL;
	int r;

	if (--*left == 0) {
		holt_ready();
		return holt_sleep(10 * HOLT_HOUR);
	}
	r = holt_supervisor_open(&s);
	if (r >= 0)
		r = holt_supervise(s, deep, left, .until_ready = true);
	if (r >= 0) {
		holt_ready();
		r = holt_supervisor_wait(s);
	}
	return holt_supervisor_close(s, r);
}

static int goes_deep(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, deep, arg, .until_ready = true), 0);
	ck_assert_uint_gt(holt_task_count(), 2000);
	return holt_supervisor_close(s, 0);
}

TEST(thousands_of_supervisors_one_inside_the_other_stop_in_order)
{
	int depth = 2000;

	ck_assert_int_eq(run_kids(goes_deep, &depth), 0);
}

/* ---- finally */

static int finally(void *arg, int result)
{
	char word[32];

	snprintf(word, sizeof word, "%s(%d)", (const char *)arg, result);
	note(word);
	got[0] = holt_supervise(shared, kid, &b, .name = "b");
	got[1] = holt_supervisor_finally(shared, finally, arg);
	return 0;
}

static int has_handlers(void *arg)
{
	(void)arg;
	open_supervisor(shared);
	ck_assert_int_eq(holt_supervisor_finally(shared, finally, WORD("first")), 0);
	supervise(shared, a);
	ck_assert_int_eq(holt_supervisor_finally(shared, finally, WORD("second")), 0);
	ck_assert_int_eq(holt_supervisor_finally(shared, NULL, NULL), -EINVAL);
	pass();
	dies(&a, -EIO);
	traced();
	return holt_supervisor_close(shared, 4);
}

TEST(finally_handlers_run_once_after_the_children_newest_first)
{
	ck_assert_int_eq(run_kids(has_handlers, NULL), 4);
	ck_assert_str_eq(traced(), "-a second(4) first(4) ");
	ck_assert_int_eq(got[0], -ESHUTDOWN);
	ck_assert_int_eq(got[1], -ESHUTDOWN);
}

static int gives_up_with_handlers(void *arg)
{
	(void)arg;
	open_supervisor(shared);
	ck_assert_int_eq(holt_supervisor_finally(shared, finally, WORD("last")), 0);
	ck_assert_int_eq(holt_supervise(shared, crashes, &a), 0);
	return holt_supervisor_close(shared, holt_supervisor_wait(shared));
}

TEST(finally_handlers_learn_that_it_gave_up)
{
	ck_assert_int_eq(run_kids(gives_up_with_handlers, NULL), -ELOOP);
	ck_assert_str_eq(traced(), "last(-40) ");
}
