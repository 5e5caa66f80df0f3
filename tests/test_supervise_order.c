/* SPDX-License-Identifier: MIT */
/*
 * Supervisors and what comes from outside: stops in order and in time, cancellations at every moment, memory that is
 * missing at every place, and random events in random order against a model that says who must be alive.
 */
#include "kids.h"

#define open_supervisor(s, ...) ck_assert_int_eq(holt_supervisor_open(&(s), .name = "sup", __VA_ARGS__), 0)
#define supervise(s, k, ...) ck_assert_int_eq(holt_supervise(s, kid, &(k), .name = (k).name, __VA_ARGS__), 0)

/* A supervisor in a task of its own, as a program has it. */
static holt_supervisor *shared;
static holt_group *outer;
static int got_wait, got_close, got[8];

static int shop(void *arg)
{
	const struct holt_child_options *o = arg;
	int r = 0;

	open_supervisor(shared);
	for (struct kid *const *k = (struct kid *const[]){ &a, &b, &c, NULL }; *k && r >= 0; k++) {
		struct holt_child_options options = o ? *o : (struct holt_child_options){ 0 };

		options.size = sizeof options;
		options.name = (*k)->name;
		r = holt_supervise_with(shared, kid, *k, &options);
	}
	if (r >= 0)
		r = holt_supervisor_wait(shared);
	got_wait = r;
	note("waited");
	return got_close = holt_supervisor_close(shared, r);
}

static void open_shop(const struct holt_child_options *o)
{
	ck_assert_int_eq(holt_spawn(outer, shop, (void *)o), 0);
	pass();
	traced();
}

/* ---- stops */

static int stopped_from_outside(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	a.stop_takes = b.stop_takes = c.stop_takes = HOLT_SEC;
	open_shop(NULL);
	holt_group_stop(outer, "enough");
	pass();
	ck_assert(!a.saw_stop && !b.saw_stop && c.saw_stop);
	ck_assert_str_eq(c.why_text, "enough");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-c ");
	ck_assert(!a.saw_stop && b.saw_stop);
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-b -a waited ");
	ck_assert_str_eq(a.why_text, "enough");
	ck_assert_int_eq(got_wait, 0);
	ck_assert_int_eq(got_close, 0);
	return holt_group_close(outer, 0);
}

TEST(stop_from_outside_reaches_one_child_after_the_other_in_reverse)
{
	ck_assert_int_eq(run_kids(stopped_from_outside, NULL), 0);
}

static int runs_until_the_root_stops(void *arg)
{
	(void)arg;
	a.stop_takes = b.stop_takes = c.stop_takes = HOLT_SEC;
	return shop(NULL);
}

static void stop_the_root(void *arg)
{
	holt_loop_stop(holt_loop_self(), arg);
}

TEST(stop_of_the_root_stops_in_order_and_the_run_ends_well)
{
	harness_at(HOLT_SEC, stop_the_root, WORD("SIGTERM"));
	ck_assert_int_eq(run_kids(runs_until_the_root_stops, NULL), 0);
	ck_assert_str_eq(traced(), "+a =a +b =b +c =c -c -b -a waited ");
	ck_assert_str_eq(a.why_text, "SIGTERM");
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);
}

TEST(stop_of_a_root_without_grace_is_a_cancellation_of_all)
{
	harness_at(HOLT_SEC, stop_the_root, WORD("SIGTERM"));
	reset_kids();
	ck_assert_int_eq(run_clean(runs_until_the_root_stops, NULL), 0);
	ck_assert(a.saw_cancel && b.saw_cancel && c.saw_cancel);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

static bool stopping_seen[2];

static int asks_whether_it_stops(void *arg)
{
	struct holt_scope s;
	int r;

	stopping_seen[0] = holt_stopping();
	ck_assert_ptr_null(holt_why());
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	r = holt_event_wait(arg); /* set while others stop */
	r = (int)holt_scope_end(&s, r);
	ck_assert_int_eq(r, 0);
	stopping_seen[0] = holt_stopping();
	ck_assert_ptr_null(holt_why());
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	r = holt_sleep(10 * HOLT_HOUR);
	r = (int)holt_scope_end(&s, r);
	ck_assert_int_eq(r, -ESHUTDOWN);
	stopping_seen[1] = holt_stopping();
	return 0;
}

static int turn_has_not_come(void *arg)
{
	struct holt_event event = { .set = false };
	holt_supervisor *s = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, asks_whether_it_stops, &event), 0);
	b.stop_takes = HOLT_SEC;
	supervise(s, b);
	pass();
	holt_group_stop(outer, "enough");
	pass();
	ck_assert(holt_stopping());
	holt_event_set(&event);
	pass();
	ck_assert(b.alive && !stopping_seen[0]);
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert(stopping_seen[1]);
	return holt_group_close(outer, 0);
}

TEST(child_sees_nothing_of_a_stop_until_its_turn_comes)
{
	ck_assert_int_eq(run_kids(turn_has_not_come, NULL), 0);
}

static int new_scope_in_a_stop(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_event_wait(arg), 0);
	ck_assert_int_eq(holt_group_open(&g), 0); /* the supervisor is being stopped, this child is not */
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	note("done");
	return 0;
}

static int opens_in_a_stop(void *arg)
{
	struct holt_event event = { .set = false };
	holt_supervisor *s = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, new_scope_in_a_stop, &event, .grace = HOLT_NOW), 0);
	b.stop_takes = 2 * HOLT_SEC;
	supervise(s, b);
	pass();
	traced();
	holt_group_stop(outer, NULL);
	pass();
	holt_event_set(&event);
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert_str_eq(traced(), "done -b ");
	return holt_group_close(outer, 0);
}

TEST(child_works_on_with_groups_of_its_own_until_its_turn_comes)
{
	ck_assert_int_eq(run_kids(opens_in_a_stop, NULL), 0);
}

/* ---- time */

static int each_has_its_grace(void *arg)
{
	holt_supervisor *s = NULL;
	holt_time t0;

	(void)arg;
	open_supervisor(s);
	a.deaf = b.deaf = c.deaf = d.deaf = true;
	supervise(s, a, .grace = HOLT_SEC);
	supervise(s, b, .grace = HOLT_NOW);
	supervise(s, c); /* the root's: an hour */
	supervise(s, d, .grace = 3 * HOLT_SEC);
	pass();
	t0 = harness_time();
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0); /* cut by their graces: no failures */
	ck_assert_uint_eq(d.ended_at - t0, 3 * HOLT_SEC);
	ck_assert_uint_eq(c.ended_at - d.ended_at, HOLT_HOUR);
	ck_assert_uint_eq(b.ended_at - c.ended_at, 0);
	ck_assert_uint_eq(a.ended_at - b.ended_at, HOLT_SEC);
	ck_assert(a.saw_cancel && b.saw_cancel && c.saw_cancel && d.saw_cancel);
	ck_assert_str_eq(a.why_text, "its supervisor is closed");
	return 0;
}

TEST(child_is_canceled_when_its_own_grace_is_over_and_then_comes_the_next)
{
	ck_assert_int_eq(run_kids(each_has_its_grace, NULL), 0);
}

static int grace_in_a_restart(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL);
	supervise(s, a);
	b.deaf = true;
	supervise(s, b, .grace = HOLT_SEC);
	pass();
	dies(&a, -EIO);
	ck_assert_int_eq(a.starts, 1);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_int_eq(a.starts, 2);
	ck_assert_int_eq(b.starts, 2);
	ck_assert_int_eq(holt_supervisor_stop(s, "b"), 0);
	ck_assert_uint_eq(harness_time() / HOLT_SEC, 2);
	ck_assert_int_eq(holt_supervisor_restart(s, "b"), 0);
	pass();
	ck_assert_int_eq(holt_supervisor_restart(s, "b"), 0);
	ck_assert_uint_eq(harness_time() / HOLT_SEC, 3);
	pass();
	ck_assert(b.alive);
	return holt_supervisor_close(s, 0);
}

TEST(grace_counts_in_restarts_and_by_hand_as_well)
{
	ck_assert_int_eq(run_kids(grace_in_a_restart, NULL), 0);
}

static int outer_grace_is_shorter(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_SEC), 0);
	c.deaf = true;
	open_shop(&(struct holt_child_options){ .grace = HOLT_MIN });
	holt_group_stop(outer, "enough");
	ck_assert_int_eq(holt_sleep(HOLT_SEC - HOLT_MS), 0);
	ck_assert(a.alive && b.alive && c.alive);
	ck_assert_int_eq(holt_group_close(outer, 0), 0);
	ck_assert(a.saw_cancel && b.saw_cancel && c.saw_cancel);
	ck_assert_uint_eq(harness_time() / HOLT_MS, 1000);
	ck_assert_int_eq(got_close, -ECANCELED);
	return 0;
}

TEST(all_are_canceled_when_the_grace_around_the_supervisor_is_over)
{
	ck_assert_int_eq(run_kids(outer_grace_is_shorter, NULL), 0);
}

static int shield_is_broken(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .cleanup = 4 * HOLT_SEC);
	b.deaf = true;
	b.shield = HOLT_HOUR;
	supervise(s, a);
	supervise(s, b, .grace = HOLT_NOW);
	pass();
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert_uint_eq(harness_time() / HOLT_MS, 2000);
	ck_assert(a.saw_stop && !a.saw_cancel); /* its own time began when its turn came */
	return 0;
}

TEST(shield_of_a_child_breaks_at_half_of_the_supervisors_cleanup)
{
	ck_assert_int_eq(run_kids(shield_is_broken, NULL), 0);
}

static int ignores(void *arg)
{
	while (harness_time() < 4 * HOLT_SEC) {
		struct holt_scope s;

		holt_scope_begin(&s, holt_in(HOLT_SEC), HOLT_SHIELD);
		holt_scope_end(&s, holt_sleep(HOLT_SEC / 2));
	}
	return give(arg);
}

static int cancels_one_that_ignores(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer), 0);
	open_supervisor(s);
	supervise(s, a);
	ck_assert_int_eq(holt_supervise(s, ignores, NUMBER(-EBUSY), .grace = HOLT_NOW), 0);
	pass();
	holt_group_cancel(outer, "enough");
	ck_assert_int_eq(holt_supervisor_wait(s), -ECANCELED);
	ck_assert_int_eq(holt_supervisor_close(s, 0), -ECANCELED); /* a was ended by it */
	ck_assert_uint_ge(harness_time(), 4 * HOLT_SEC);           /* not left early */
	ck_assert(!a.alive);
	return holt_group_close(outer, 0);
}

TEST(close_waits_for_a_child_that_ignores_its_cancellation)
{
	ck_assert_int_eq(run_kids(cancels_one_that_ignores, NULL), 0);
	ck_assert(harness_logged("sup/ignores has not ended 1s after it was canceled (enough)"));
	ck_assert(!harness_logged("restart")); /* what ends after a stop is no failure */
}

/* ---- a stop beats a restart */

static int dies_in_a_stop(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	c.stop_takes = 2 * HOLT_SEC;
	open_shop(NULL);
	tell(&b, -EIO); /* it has not seen that yet when the stop comes */
	holt_group_stop(outer, "enough");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_str_eq(traced(), "-b ");
	tell(&a, -EIO);
	ck_assert_int_eq(holt_group_close(outer, 0), 0);
	ck_assert_str_eq(traced(), "-a -c waited ");
	ck_assert_int_eq(got_close, 0);
	return 0;
}

TEST(child_that_fails_in_a_stop_is_not_started_again_and_fails_nothing)
{
	ck_assert_int_eq(run_kids(dies_in_a_stop, NULL), 0);
	ck_assert(!harness_logged("failed"));
}

static int stopped_in_a_back_off(void *arg)
{
	holt_supervisor *s = NULL;

	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	open_supervisor(s, .strategy = (enum holt_strategy)(intptr_t)arg, .backoff_min = HOLT_HOUR);
	supervise(s, a);
	supervise(s, b);
	pass();
	dies(&a, -EIO);
	holt_group_stop(outer, "enough");
	ck_assert_int_eq(holt_supervisor_wait(s), 0);
	ck_assert_uint_lt(harness_time(), HOLT_SEC);
	ck_assert(!b.alive);
	ck_assert_int_eq(a.starts, 1);
	ck_assert_int_eq(holt_supervise(s, kid, &c), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervise(s, kid, &c, .until_ready = true), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_close(s, -ESHUTDOWN), 0); /* that says only that it was stopped */
	return holt_group_close(outer, 0);
}

TEST_LOOP(stop_from_outside_ends_a_back_off, 0, 3)
{
	ck_assert_int_eq(run_kids(stopped_in_a_back_off, NUMBER(_i)), 0);
}

static int stopped_in_a_group_restart(void *arg)
{
	holt_supervisor *s = NULL;

	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	open_supervisor(s, .strategy = HOLT_ONE_FOR_ALL);
	b.stop_takes = c.stop_takes = HOLT_SEC;
	supervise(s, a);
	supervise(s, b);
	supervise(s, c);
	pass();
	traced();
	dies(&a, -EIO);
	ck_assert_int_eq(holt_sleep((holt_time)(intptr_t)arg * 400 * HOLT_MS), 0);
	holt_group_stop(outer, "enough");
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert_str_eq(traced(), arg == NUMBER(5) ? "-a -c -b +a =a +b =b +c =c -c -b -a " : "-a -c -b ");
	return holt_group_close(outer, 0);
}

TEST_LOOP(stop_from_outside_turns_a_group_restart_into_the_end, 0, 6)
{
	ck_assert_int_eq(run_kids(stopped_in_a_group_restart, NUMBER(_i)), 0);
}

static int stopped_while_it_starts(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	b.start_takes = HOLT_HOUR;
	open_shop(&(struct holt_child_options){ .until_ready = true });
	holt_group_stop(outer, "enough");
	pass();
	ck_assert_str_eq(traced(), "-b waited -a "); /* who waited for b is told, and closes */
	ck_assert_int_eq(got_wait, -ESHUTDOWN);      /* of supervise */
	ck_assert_int_eq(got_close, 0);
	ck_assert_int_eq(c.starts, 0);
	return holt_group_close(outer, 0);
}

TEST(stop_from_outside_ends_a_start_that_is_half_done)
{
	ck_assert_int_eq(run_kids(stopped_while_it_starts, NULL), 0);
}

static int born_stopping(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
	holt_group_stop(outer, "enough");
	open_supervisor(s);
	ck_assert_int_eq(holt_supervise(s, kid, &a), -ESHUTDOWN);
	ck_assert_int_eq(holt_supervisor_wait(s), 0);
	ck_assert_int_eq(holt_supervisor_close(s, -ESHUTDOWN), 0);
	return holt_group_close(outer, 0);
}

TEST(supervisor_that_is_opened_in_a_stop_starts_nothing)
{
	ck_assert_int_eq(run_kids(born_stopping, NULL), 0);
}

static int stopped_before_it_ran(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	supervise(s, a);
	supervise(s, b);
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ck_assert_str_eq(traced(), "+a =a +b =b -b -a "); /* they run into their stop */
	return 0;
}

TEST(child_that_is_stopped_before_it_ran_runs_into_its_stop)
{
	ck_assert_int_eq(run_kids(stopped_before_it_ran, NULL), 0);
}

/* ---- cancellations */

static int canceled_from_outside(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer), 0);
	a.stop_takes = b.stop_takes = c.stop_takes = HOLT_SEC;
	open_shop(NULL);
	holt_group_cancel(outer, "enough");
	ck_assert_int_eq(holt_group_close(outer, 0), 0);
	ck_assert(a.saw_cancel && b.saw_cancel && c.saw_cancel);
	ck_assert_uint_lt(harness_time(), HOLT_SEC);
	ck_assert_int_eq(got_wait, -ECANCELED);
	ck_assert_int_eq(got_close, -ECANCELED);
	return 0;
}

TEST(cancellation_of_the_opener_reaches_all_children_at_once)
{
	ck_assert_int_eq(run_kids(canceled_from_outside, NULL), 0);
}

static int calls_from(void *arg)
{
	(void)arg;
	got[0] = holt_supervise(shared, kid, &d);
	return 0;
}

static int calls_in_canceled(void *arg)
{
	holt_group *beside = NULL;
	struct holt_scope scope;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&beside), 0);
	holt_scope_begin(&scope, HOLT_NEVER, 0);
	open_supervisor(shared);
	supervise(shared, a);
	pass();
	holt_scope_cancel(&scope, "enough");
	ck_assert_int_eq(holt_supervise(shared, kid, &b), -ECANCELED);
	ck_assert_int_eq(holt_supervise(shared, kid, &b, .until_ready = true), -ECANCELED);
	ck_assert_int_eq(holt_supervisor_stop(shared, "a"), -ECANCELED);
	ck_assert_int_eq(holt_supervisor_stop(shared, "nobody"), -ECANCELED);
	ck_assert_int_eq(holt_supervisor_restart(shared, "a"), -ECANCELED);
	ck_assert_int_eq(holt_supervisor_remove(shared, "a"), -ECANCELED);
	ck_assert_int_eq(holt_supervisor_wait(shared), -ECANCELED);
	ck_assert(a.alive);
	ck_assert_int_eq(holt_spawn(beside, calls_from, NULL), 0);
	ck_assert_int_eq(holt_supervisor_close(shared, 0), -ECANCELED);
	ck_assert_int_eq(got[0], -ESHUTDOWN); /* to one who is not canceled */
	holt_scope_end(&scope, 0);
	return holt_group_close(beside, 0);
}

TEST(canceled_caller_gets_ecanceled_and_nothing_is_done)
{
	ck_assert_int_eq(run_kids(calls_in_canceled, NULL), 0);
	ck_assert_int_eq(b.starts + d.starts, 0);
}

static int deadline_passes(void *arg)
{
	struct holt_scope scope;
	holt_supervisor *s = NULL;
	int r;

	(void)arg;
	holt_scope_begin(&scope, holt_in(HOLT_SEC), 0);
	open_supervisor(s);
	supervise(s, a);
	r = holt_supervisor_close(s, holt_supervisor_wait(s));
	return (int)holt_scope_end(&scope, r);
}

TEST(deadline_around_a_supervisor_is_told_where_it_belongs)
{
	ck_assert_int_eq(run_kids(deadline_passes, NULL), -ETIME);
	ck_assert(a.saw_cancel);
}

static int waits_for_stop(void *arg)
{
	return got[0] = holt_supervisor_stop(shared, arg);
}

static int waits_for_restart(void *arg)
{
	return got[0] = holt_supervisor_restart(shared, arg);
}

static int waits_for_removal(void *arg)
{
	return got[0] = holt_supervisor_remove(shared, arg);
}

static int waits_for_start(void *arg)
{
	struct kid *k = arg;

	return got[0] = holt_supervise(shared, kid, k, .name = k->name, .until_ready = true);
}

static int waits_for_all(void *arg)
{
	(void)arg;
	return got[0] = holt_supervisor_wait(shared);
}

struct waiting {
	holt_fn fn;
	void *arg;
	const char *after; /* what happens in spite of the cancellation of who waited */
};

static const struct waiting waitings[] = {
	{ waits_for_stop, WORD("a"), "-a " },
	{ waits_for_removal, WORD("a"), "-a " },
	{ waits_for_restart, WORD("a"), "-a +a =a " },
	{ waits_for_start, &d, "=d " },
	{ waits_for_all, NULL, "" },
};

static int cancels_who_waits(void *arg)
{
	const struct waiting *w = arg;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&outer), 0);
	open_supervisor(shared);
	supervise(shared, a);
	a.stop_takes = d.start_takes = HOLT_SEC;
	pass();
	ck_assert_int_eq(holt_spawn(outer, w->fn, w->arg, .task = &t), 0);
	pass();
	traced();
	holt_task_cancel(t, NULL);
	holt_task_unref(t);
	pass();
	ck_assert_int_eq(got[0], -ECANCELED);
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert_str_eq(traced(), w->after);
	ck_assert_int_eq(holt_supervisor_close(shared, 0), 0);
	return holt_group_close(outer, 0);
}

TEST_LOOP(waiting_does_not_own_what_was_begun_goes_on, 0, (int)HOLT__N(waitings))
{
	ck_assert_int_eq(run_kids(cancels_who_waits, (void *)&waitings[_i]), 0);
}

static holt_task *watched;

/* First come, first served; but a watched task that was woken is canceled before it runs. */
static struct holt__ready *cancels_watched(struct holt_loop *loop)
{
	struct holt__ready *r;

	if (watched && watched->state != HOLT__PARKED) {
		holt_task_cancel(watched, NULL);
		watched = NULL;
	}
	r = loop->ready;
	if (r && !(loop->ready = r->next))
		loop->ready_end = &loop->ready;
	return r;
}

static int result_wins(void *arg)
{
	const struct waiting *w = arg;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&outer), 0);
	open_supervisor(shared);
	supervise(shared, a);
	a.stop_takes = d.start_takes = HOLT_SEC;
	pass();
	ck_assert_int_eq(holt_spawn(outer, w->fn, w->arg, .task = &t), 0);
	pass();
	got[0] = 99;
	watched = t;
	if (w->fn == waits_for_all)
		tell(&a, 0);
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert_ptr_null(watched);
	ck_assert_int_eq(got[0], 0);
	holt_task_unref(t);
	ck_assert_int_eq(holt_supervisor_close(shared, 0), 0);
	return holt_group_close(outer, 0);
}

static int result_wins_with_pick(void *arg)
{
	holt_loop_self()->pick = cancels_watched;
	return result_wins(arg);
}

TEST_LOOP(waiter_that_was_woken_is_past_canceling, 0, (int)HOLT__N(waitings))
{
	ck_assert_int_eq(run_kids(result_wins_with_pick, (void *)&waitings[_i]), 0);
}

/* ---- memory */

static int family(void *arg)
{
	enum holt_strategy strategy = (enum holt_strategy)(intptr_t)arg;
	holt_supervisor *s = NULL;
	int r = holt_supervisor_open(&s, .name = "sup", .strategy = strategy, .backoff_min = HOLT_MS);

	if (r >= 0)
		r = holt_supervise(s, kid, &a, .name = "a", .until_ready = true);
	if (r >= 0)
		r = holt_supervise(s, kid, &b, .name = "b");
	if (r >= 0)
		r = holt_supervise(s, kid, &c, .name = "c", .until_ready = true, .restart = HOLT_RESTART_ALWAYS);
	if (r >= 0)
		r = holt_sleep(HOLT_SEC);
	if (r >= 0 && b.alive)
		tell(&b, -EIO);
	if (r >= 0)
		r = holt_sleep(HOLT_SEC);
	if (r >= 0)
		r = holt_supervisor_restart(s, "a");
	if (r >= 0 && c.alive)
		tell(&c, 0);
	if (r >= 0)
		r = holt_sleep(HOLT_SEC);
	if (r >= 0)
		r = holt_supervisor_stop(s, "b");
	r = holt_supervisor_close(s, r);
	ck_assert(!a.alive && !b.alive && !c.alive);
	return r;
}

static int runs_out_of_memory(void *arg)
{
	uint64_t n;
	int r = 0;

	for (n = 1; n < 500; n++) {
		reset_kids();
		trace[0] = 0;
		harness_fail_alloc(n);
		r = family(arg);
		if (!harness_alloc_failed())
			break;
		ck_assert_msg(r == 0 || r == -ENOMEM, "%d at the %u-th allocation", r, (unsigned)n);
		ck_assert_uint_eq(holt_task_count(), 1);
	}
	harness_fail_alloc(0);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_gt(n, 10);
	return 0;
}

TEST_LOOP(whichever_allocation_fails_nothing_is_lost_and_the_rest_goes_on, 0, 3)
{
	ck_assert_int_eq(run_kids(runs_out_of_memory, NUMBER(_i)), 0);
}

static int no_memory_for_a_restart(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s, .restarts = 2);
	supervise(s, a);
	pass();
	tell(&a, -EIO);
	harness_fail_alloc(1);
	pass();
	ck_assert(harness_alloc_failed());
	ck_assert(a.alive); /* the start that failed was the second failure, and was tried again */
	ck_assert_uint_eq(holt_supervisor_restarts(s, "a"), 1);
	ck_assert_int_eq(holt_supervisor_stop(s, "a"), 0);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), -ENOMEM);
	ck_assert_int_eq(holt_supervisor_restart(s, "a"), 0);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_supervise(s, kid, &b), -ENOMEM);
	harness_fail_alloc(2);
	ck_assert_int_eq(holt_supervise(s, kid, &b), -ENOMEM);
	harness_fail_alloc(0);
	ck_assert_int_eq(holt_supervise(s, kid, &b), 0);
	return holt_supervisor_close(s, 0);
}

TEST(restart_that_has_no_memory_counts_as_a_failed_start)
{
	ck_assert_int_eq(run_kids(no_memory_for_a_restart, NULL), 0);
}

static int no_memory_for_names(void *arg)
{
	holt_supervisor *s = NULL;

	(void)arg;
	open_supervisor(s);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(holt_supervise(s, sleep_long, NULL, .grace = HOLT_NOW), 0);
	harness_fail_alloc(2); /* the first is the child itself */
	ck_assert_int_eq(holt_supervise(s, kid, &a, .name = "a"), 0);
	ck_assert(harness_alloc_failed());
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "b"), 0);
	pass();
	ck_assert_int_eq(holt_supervisor_stop(s, "a"), 0);
	ck_assert_int_eq(holt_supervisor_remove(s, "b"), 0);
	ck_assert_int_eq(holt_supervisor_stop(s, "sleep_long"), 0);
	ck_assert_int_eq(holt_supervisor_stop(s, "sleep_long#8"), 0);
	return holt_supervisor_close(s, 0);
}

TEST(children_are_found_by_name_although_there_is_no_memory_for_a_larger_table)
{
	ck_assert_int_eq(run_kids(no_memory_for_names, NULL), 0);
}

static int crowd(void *arg)
{
	holt_supervisor *s = NULL;
	size_t live;

	(void)arg;
	open_supervisor(s);
	supervise(s, a);
	live = harness_live();
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(holt_supervise(s, give, NUMBER(i % 2 ? 0 : -EIO), .restart = HOLT_RESTART_NEVER), 0);
		pass();
		ck_assert_uint_eq(harness_live(), live);
	}
	ck_assert_int_eq(holt_supervise(s, kid, &b, .name = "give"), 0);
	harness_log_clear();
	return holt_supervisor_close(s, 0);
}

TEST(temporary_children_leave_nothing_behind)
{
	ck_assert_int_eq(run_kids(crowd, NULL), 0);
}

/* ---- a cancellation, or a stop, at each moment */

static struct {
	uint64_t count, at;
	bool stop;
} strike;

/* First come, first served; but before the n-th switch somebody strikes. */
static struct holt__ready *strikes(struct holt_loop *loop)
{
	struct holt__ready *r;

	if (outer && ++strike.count == strike.at) {
		if (strike.stop)
			holt_group_stop(outer, "strike");
		else
			holt_group_cancel(outer, "strike");
	}
	r = loop->ready;
	if (r && !(loop->ready = r->next))
		loop->ready_end = &loop->ready;
	return r;
}

static int handler_calls;

static int counts_handler(void *arg, int result)
{
	(void)arg;
	(void)result;
	handler_calls++;
	return 0;
}

static int scenario(void *arg)
{
	int r = holt_supervisor_open(&shared, .name = "sup", .strategy = (enum holt_strategy)(intptr_t)arg);

	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(holt_supervisor_finally(shared, counts_handler, NULL), 0);
	if (r >= 0)
		r = holt_supervise(shared, kid, &a, .name = "a", .until_ready = true);
	if (r >= 0)
		r = holt_supervise(shared, kid, &b, .name = "b");
	if (r >= 0)
		r = holt_supervise(shared, kid, &c, .name = "c", .until_ready = true, .restart = HOLT_RESTART_ALWAYS);
	for (int i = 0; i < 3 && r >= 0; i++) {
		struct kid *k = i == 0 ? &b : i == 1 ? &c : &a;

		r = holt_sleep(HOLT_SEC);
		if (r >= 0 && k->alive)
			tell(k, -EIO);
	}
	if (r >= 0)
		r = holt_supervisor_restart(shared, "b");
	if (r >= 0)
		r = holt_supervisor_stop(shared, "a");
	if (r >= 0)
		r = holt_supervisor_remove(shared, "a");
	r = holt_supervisor_close(shared, r);
	ck_assert(!a.alive && !b.alive && !c.alive);
	ck_assert_int_eq(handler_calls, 1);
	return r;
}

static int strikes_each_time(void *arg)
{
	uint64_t n;

	for (n = 1; n < 2000; n++) {
		int r;

		reset_kids();
		a.start_takes = b.stop_takes = c.start_takes = 10 * HOLT_MS;
		trace[0] = 0;
		handler_calls = 0;
		strike.count = 0;
		strike.at = n;
		ck_assert_int_eq(holt_group_open(&outer, .grace = HOLT_MIN), 0);
		ck_assert_int_eq(holt_spawn(outer, scenario, arg), 0);
		r = holt_group_close(outer, 0);
		outer = NULL;
		ck_assert_msg(r == 0, "%d, struck at %u", r, (unsigned)n);
		ck_assert_uint_eq(holt_task_count(), 1);
		if (strike.count < n)
			break;
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, 2000);
	return 0;
}

static int sweep_scenario(void *arg)
{
	holt_loop_self()->pick = strikes;
	return strikes_each_time(arg);
}

TEST_LOOP(cancellation_at_any_moment_ends_all_and_loses_nothing, 0, 3)
{
	ck_assert_int_eq(run_kids(sweep_scenario, NUMBER(_i)), 0);
}

TEST_LOOP(stop_at_any_moment_ends_all_and_fails_nothing, 0, 3)
{
	strike.stop = true;
	ck_assert_int_eq(run_kids(sweep_scenario, NUMBER(_i)), 0);
	ck_assert_uint_lt(harness_time() / 2000, HOLT_MIN); /* none of them needed its grace */
}

/* ---- random events in random order, and who must be alive */

static uint64_t random_state;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned below(unsigned n)
{
	return (unsigned)((random64() >> 20) % n);
}

static struct holt__ready *any(struct holt_loop *loop)
{
	struct holt__ready **p = &loop->ready, *r;
	unsigned n = 0;

	for (r = loop->ready; r; r = r->next)
		n++;
	if (n == 0)
		return NULL;
	for (n = below(n); n > 0; n--)
		p = &(*p)->next;
	r = *p;
	*p = r->next;
	for (p = &loop->ready; *p; p = &(*p)->next)
		;
	loop->ready_end = p;
	return r;
}

enum { KIDS = 7, EVENTS = 120, SEEDS = 20 };

static struct kid kids[KIDS];
static char kid_names[KIDS][4];

/* What a supervisor must make of the same events: in words that are not those of its code. */
enum place { NOWHERE, RUNS, ENDED_WELL, STOPPED };
static struct model {
	enum place place;
	enum holt_restart restart;
	unsigned restarts, starts;
	unsigned since; /* its place in the order */
} models[KIDS];
static unsigned added;

static void model_restart(unsigned i)
{
	models[i].place = RUNS;
	models[i].starts++;
	models[i].restarts++;
}

static void model_ends(enum holt_strategy strategy, unsigned i, int result)
{
	struct model *m = &models[i];
	bool again = m->restart == HOLT_RESTART_ALWAYS || (m->restart == HOLT_RESTART_ON_FAILURE && result == -EIO);

	if (!again) {
		m->place = m->restart == HOLT_RESTART_NEVER ? NOWHERE : ENDED_WELL;
		return;
	}
	model_restart(i);
	for (unsigned k = 0; k < KIDS; k++) {
		struct model *other = &models[k];
		bool goes_along = strategy == HOLT_ONE_FOR_ALL || (strategy == HOLT_REST_FOR_ONE && other->since > m->since);

		if (k == i || !goes_along || other->place == NOWHERE || other->place == STOPPED)
			continue;
		if (other->restart == HOLT_RESTART_NEVER)
			other->place = NOWHERE;
		else
			model_restart(k);
	}
}

static void adds_kid(holt_supervisor *s, unsigned i)
{
	static const enum holt_restart restarts[] = { HOLT_RESTART_ALWAYS, HOLT_RESTART_ON_FAILURE, HOLT_RESTART_NEVER };
	struct kid *k = &kids[i];
	struct model *m = &models[i];
	enum holt_restart restart = restarts[below(3)];
	int r;

	k->start_takes = below(3) == 0 ? below(50) * HOLT_MS : 0;
	k->stop_takes = below(3) == 0 ? below(50) * HOLT_MS : 0;
	k->deaf = below(5) == 0;
	r = holt_supervise(s, kid, k, .name = k->name, .restart = restart, .until_ready = below(2) == 0,
		.grace = below(2) ? 20 * HOLT_MS : 40 * HOLT_MS);
	ck_assert_int_eq(r, m->place == NOWHERE ? 0 : -EEXIST);
	if (r < 0)
		return;
	*m = (struct model){ .place = RUNS, .restart = restart, .starts = m->starts + 1, .since = ++added };
}

static void happens(holt_supervisor *s, enum holt_strategy strategy)
{
	static const int results[] = { 0, -EIO, -EIO, -ECANCELED };
	unsigned i = below(KIDS);
	struct kid *k = &kids[i];
	struct model *m = &models[i];
	int known = m->place == NOWHERE ? -ENOENT : 0, result = results[below(4)];

	switch (below(6)) {
	case 0:
		ck_assert_int_eq(holt_supervisor_stop(s, k->name), known);
		if (m->place == RUNS)
			m->place = m->restart == HOLT_RESTART_NEVER ? NOWHERE : STOPPED;
		break;
	case 1:
		ck_assert_int_eq(holt_supervisor_restart(s, k->name), known);
		if (m->place != NOWHERE) {
			m->place = RUNS;
			m->starts++;
		}
		break;
	case 2:
		ck_assert_int_eq(holt_supervisor_remove(s, k->name), known);
		m->place = NOWHERE;
		break;
	case 3:
		adds_kid(s, i);
		break;
	default:
		if (m->place != RUNS)
			break;
		tell(k, result);
		model_ends(strategy, i, result);
	}
}

static void compare_with_model(holt_supervisor *s)
{
	for (unsigned i = 0; i < KIDS; i++) {
		ck_assert_int_eq(kids[i].alive, models[i].place == RUNS);
		ck_assert_int_eq(kids[i].starts, (int)models[i].starts);
		if (models[i].place != NOWHERE)
			ck_assert_uint_eq(holt_supervisor_restarts(s, kids[i].name), models[i].restarts);
	}
}

static const char *end_of(unsigned i)
{
	return strstr(trace, (char[]){ '-', kids[i].name[0], ' ', 0 });
}

/* The living end in the reverse order of their places. */
static void ends_in_reverse(void)
{
	for (unsigned i = 0; i < KIDS; i++)
		for (unsigned k = 0; k < KIDS; k++)
			if (models[i].place == RUNS && models[k].place == RUNS && models[i].since < models[k].since)
				ck_assert(end_of(k) < end_of(i));
}

static void begin_random(int seed)
{
	random_state = 0x9e3779b97f4a7c15 * (uint64_t)(seed + 1);
	memset(models, 0, sizeof models);
	added = 0;
	trace[0] = 0;
	for (unsigned i = 0; i < KIDS; i++) {
		kid_names[i][0] = (char)('p' + i);
		kids[i] = (struct kid){ .name = kid_names[i] };
	}
	holt_loop_self()->pick = any;
}

static int one_event_at_a_time(void *arg)
{
	int seed = (int)(intptr_t)arg;
	enum holt_strategy strategy = (enum holt_strategy)(seed % 3);
	holt_supervisor *s = NULL;

	begin_random(seed);
	open_supervisor(s, .strategy = strategy, .restarts = 100000, .backoff_min = below(2) ? HOLT_MS : 0);
	for (unsigned i = 0; i < KIDS; i++)
		adds_kid(s, i);
	for (int e = 0; e < EVENTS; e++) {
		ck_assert_int_eq(holt_sleep(3 * HOLT_MIN), 0);
		compare_with_model(s);
		happens(s, strategy);
	}
	ck_assert_int_eq(holt_sleep(3 * HOLT_MIN), 0);
	compare_with_model(s);
	traced();
	ck_assert_int_eq(holt_supervisor_close(s, 0), 0);
	ends_in_reverse();
	return 0;
}

TEST_LOOP(random_events_leave_alive_whom_the_model_says, 0, 3 * SEEDS)
{
	ck_assert_int_eq(run_kids(one_event_at_a_time, NUMBER(_i)), 0);
}

/* Several hands at once, children that end by themselves in between, and starts that fail. */

static bool hands_off;

static int a_hand(void *arg)
{
	for (int e = 0; e < EVENTS / 4 && !hands_off; e++) {
		struct kid *k = &kids[below(KIDS)];
		struct holt_child_options o = { .size = sizeof o, .name = k->name, .restart = HOLT_RESTART_ALWAYS };
		int r = 0;

		o.until_ready = below(2) == 0;
		o.grace = below(2) ? 20 * HOLT_MS : 40 * HOLT_MS;
		switch (below(8)) {
		case 0:
			r = holt_supervisor_stop(shared, k->name);
			break;
		case 1:
		case 2:
			r = holt_supervisor_restart(shared, k->name);
			break;
		case 3:
			r = holt_supervisor_remove(shared, k->name);
			break;
		case 4:
			r = holt_supervise_with(shared, kid, k, &o);
			break;
		default:
			k->fail_starts = below(4) == 0 ? 1 : 0;
			if (k->alive)
				tell(k, below(2) ? 0 : -EIO);
			break;
		}
		ck_assert_msg(r == 0 || r == -ENOENT || r == -EEXIST || r == -ESHUTDOWN || r == -EIO || r == -ECANCELED, "%d", r);
		r = below(3) ? holt_yield() : holt_sleep(below(30) * HOLT_MS);
		if (r < 0)
			break;
	}
	return give(arg);
}

static int storm(void *arg)
{
	int seed = (int)(intptr_t)arg;
	holt_group *g = NULL, *around = NULL;

	begin_random(seed);
	hands_off = false;
	for (unsigned i = 0; i < KIDS; i++) {
		kids[i].start_takes = below(3) == 0 ? below(20) * HOLT_MS : 0;
		kids[i].stop_takes = below(3) == 0 ? below(20) * HOLT_MS : 0;
		kids[i].deaf = below(5) == 0;
	}
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_group_open(&around, .grace = HOLT_HOUR), 0);
	open_supervisor(shared, .strategy = (enum holt_strategy)(seed % 3), .restarts = 100000,
		.backoff_min = below(2) ? HOLT_MS : 0, .backoff_max = 10 * HOLT_MS);
	for (int hand = 0; hand < 4; hand++)
		ck_assert_int_eq(holt_spawn(g, a_hand, NULL), 0);
	if (below(2) == 0) {
		holt_sleep(below(3000) * HOLT_MS);
		hands_off = true; /* in the middle of it */
	} else {
		int r;

		ck_assert_int_eq(holt_group_wait(g), 0);
		/* All is quiet: whoever was not stopped, runs, since all of them are HOLT_RESTART_ALWAYS. */
		ck_assert_int_eq(holt_sleep(HOLT_MIN), 0);
		for (unsigned i = 0; i < KIDS; i++) {
			bool was_alive = kids[i].alive;

			r = holt_supervisor_stop(shared, kids[i].name);
			ck_assert(r == 0 || r == -ENOENT);
			ck_assert(r == 0 || !was_alive);
			ck_assert(!kids[i].alive);
			kids[i].fail_starts = 0;
			if (r == 0)
				ck_assert_int_eq(holt_supervisor_restart(shared, kids[i].name), 0);
			pass();
			ck_assert_int_eq(kids[i].alive, r == 0);
		}
	}
	switch (below(3)) {
	case 0:
		holt_group_stop(around, "storm");
		break;
	case 1:
		holt_group_cancel(around, "storm");
		break;
	}
	holt_supervisor_close(shared, 0);
	for (unsigned i = 0; i < KIDS; i++)
		ck_assert(!kids[i].alive);
	hands_off = true;
	ck_assert_int_eq(holt_group_close(around, 0), 0);
	return holt_group_close(g, 0);
}

TEST_LOOP(several_hands_at_once_break_no_promise, 0, 6 * SEEDS)
{
	ck_assert_int_eq(run_kids(storm, NUMBER(_i)), 0);
	ck_assert(!harness_logged("gives up"));
}
