/* SPDX-License-Identifier: MIT */
/*
 * Budgets, deadlines and reasons, swept, and places in a group: what a grace that runs out, a shield that breaks, a deadline inside a
 * canceled scope come to, whatever else is canceled or fails. Virtual time says that each comes when it should.
 */
#include "sweep.h"

static int is_expected(void *arg, int result)
{
	(void)arg;
	return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EMFILE || result == -EINTR ? 0 : result;
}

static int sleeps_an_hour(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_HOUR);
}

static int sleeps_shielded(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
	return (int)holt_scope_end(&s, holt_sleep(30 * HOLT_MIN));
}

/* ---- budgets */

static int grace_runs_out(void *arg)
{
	holt_time began = holt_now();
	holt_group *g = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g, .grace = HOLT_SEC);
	if (r >= 0)
		r = holt_spawn(g, sleeps_an_hour, NULL);
	if (r >= 0)
		r = holt_yield();
	if (!g)
		return r;
	holt_group_stop(g, "test");
	r = holt_group_close(g, r);
	EXPECT(holt_now() - began < 2 * HOLT_SEC);
	EXPECT(r < 0 || holt_now() - began >= HOLT_SEC || holt__sim->o.cancel_one); /* then it may have ended before */
	return r;
}
SWEEP(stop_becomes_a_cancellation_when_its_grace_is_over, .fn = grace_runs_out, .check = is_expected)

static int shield_breaks(void *arg)
{
	holt_time began = holt_now();
	holt_group *g = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g, .cleanup = 2 * HOLT_SEC);
	if (r >= 0)
		r = holt_spawn(g, sleeps_shielded, NULL);
	if (r >= 0)
		r = holt_yield();
	if (!g)
		return r;
	holt_group_cancel(g, "test");
	r = holt_group_close(g, r);
	EXPECT(holt_now() - began <= HOLT_SEC + 100 * HOLT_MS); /* at half of the budget */
	return r;
}
SWEEP(shield_of_a_member_breaks_at_half_of_the_cleanup, .fn = shield_breaks, .check = is_expected)

static int deadline_breaks_a_shield(void *arg)
{
	holt_group *g = NULL;
	bool in_time;
	int r;

	(void)arg;
	r = holt_group_open(&g, .cleanup = 2 * HOLT_SEC, .deadline = holt_in(HOLT_SEC));
	if (r >= 0)
		r = holt_spawn(g, sleeps_shielded, NULL);
	in_time = r >= 0;
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (!g)
		return r;
	r = holt_group_close(g, r);
	EXPECT(!in_time || r == -ETIME || r == -ECANCELED);
	EXPECT(r != -ECANCELED || holt_why() || holt__sim->o.cancel_one); /* from outside, then */
	return r == -ETIME ? 0 : r;
}
SWEEP(deadline_of_a_group_is_its_result_though_shields_had_to_break, .fn = deadline_breaks_a_shield, .check = is_expected)

/* ---- deadlines and reasons */

static int outer_comes_second(void *arg)
{
	struct holt_scope outer, inner;
	int r;

	(void)arg;
	holt_scope_begin(&outer, HOLT_NEVER, 0);
	holt_scope_begin(&inner, holt_in(HOLT_MS), 0);
	r = holt_sleep(HOLT_SEC);
	EXPECT(r == -ECANCELED);
	holt_scope_cancel(&outer, "outer");
	r = (int)holt_scope_end(&inner, r);
	EXPECT(r == -ECANCELED); /* it belongs to the outer one now */
	r = (int)holt_scope_end(&outer, r);
	return r == -ECANCELED && !holt_why() ? 0 : r;
}
SWEEP(inner_deadline_leaves_a_cancellation_from_further_out_alone, .fn = outer_comes_second, .check = is_expected)

static int later_deadline_in_what_is_canceled(void *arg)
{
	struct holt_scope outer, inner, shield;
	const char *why;
	int r;

	(void)arg;
	holt_scope_begin(&outer, HOLT_NEVER, 0);
	holt_scope_begin(&inner, holt_in(HOLT_MS), 0);
	holt_scope_cancel(&outer, "outer");
	holt_scope_begin(&shield, holt_in(HOLT_SEC), HOLT_SHIELD);
	r = holt_sleep(10 * HOLT_MS);
	why = holt_why();
	EXPECT(why && strcmp(why, "deadline passed") != 0);
	holt_scope_end(&shield, r);
	holt_scope_end(&inner, 0);
	holt_scope_end(&outer, 0);
	return holt_check();
}
SWEEP(deadline_behind_a_cancellation_is_no_reason, .fn = later_deadline_in_what_is_canceled, .check = is_expected)

/* ---- places and turns in a group */

static int naps(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_MS);
}

static int place_is_handed_on(void *arg)
{
	holt_time began = holt_now();
	holt_group *g = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g, .limit = 2, .kind = HOLT_EACH);
	if (r >= 0)
		r = holt_spawn(g, sleeps_an_hour, NULL);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(g, naps, NULL); /* the second waits for the first, not for the sleeper */
	EXPECT(r < 0 || holt_now() - began < HOLT_SEC);
	if (!g)
		return r;
	holt_group_cancel(g, "test");
	return holt_group_close(g, r);
}
SWEEP(place_of_one_that_ended_is_given_on_while_others_stay, .fn = place_is_handed_on, .check = is_expected)

static int spawns_with_a_stack_of_its_own(void *g)
{
	return holt_spawn(g, naps, NULL, .stack_size = 256 * 1024);
}

/* Who was given a place, and then has no memory for a stack, gives it back; and the closer, who waits for that, goes on. */
static int place_is_given_back(void *arg)
{
	holt_group *g = NULL, *spawners = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&spawners, .kind = HOLT_EACH);
	if (r < 0)
		return r;
	r = holt_group_open(&g, .limit = 1, .kind = HOLT_EACH);
	if (r >= 0)
		r = holt_spawn(g, naps, NULL);
	if (r >= 0)
		r = holt_spawn(spawners, spawns_with_a_stack_of_its_own, g);
	if (r >= 0)
		r = holt_yield();
	if (g)
		r = holt_group_close(g, r);
	return holt_group_close(spawners, r);
}
SWEEP(place_without_a_stack_for_it_is_given_back_and_the_group_still_closes, .fn = place_is_given_back, .check = is_expected)

static int takes_them_as_they_end(void *g)
{
	holt_task *t;
	int r;

	while ((r = holt_group_next(g, &t)) >= 0)
		holt_task_unref(t);
	return r == -ENOENT ? 0 : r;
}

static int two_take_turns(void *arg)
{
	holt_group *g = NULL, *takers = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g, .keep = true, .kind = HOLT_EACH);
	if (r < 0)
		return r;
	r = holt_spawn(g, naps, NULL);
	if (r >= 0)
		r = holt_group_open(&takers);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(takers, takes_them_as_they_end, g);
	if (takers)
		r = holt_group_close(takers, r);
	return holt_group_close(g, r);
}
SWEEP(all_who_wait_for_the_next_hear_that_there_is_none, .fn = two_take_turns, .check = is_expected)
