/* SPDX-License-Identifier: MIT */
/*
 * Tasks, groups, scopes, gather, wait and values, swept: canceled at each suspension, all of it or one task alone, each
 * allocation and each system call failing, in many orders. What must hold: what was spawned ran once and ended before its group
 * was closed; a finally handler runs once, after all tasks and newest first; a value is freed once; what is shielded is done.
 */
#include "sweep.h"

enum { MANY = 6 };

/* ---- the ledger: who was started, who ran, in what order things ended */

static int spawned, ran, ended, armed, finished, last_finished, set, freed;

static void reset(void)
{
	spawned = ran = ended = armed = finished = set = freed = 0;
	last_finished = INT32_MAX;
}

static int is_expected(int result)
{
	return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EMFILE || result == -EINTR ? 0 : result;
}

static int ledger_is_even(void *arg, int result)
{
	(void)arg;
	HOLDS(ran == spawned);
	HOLDS(ended == ran);
	HOLDS(finished == armed);
	HOLDS(freed == set);
	return is_expected(result);
}

static int spawn(holt_group *g, holt_fn fn, void *arg)
{
	int r = holt_spawn(g, fn, arg);

	spawned += r == 0;
	return r;
}

static int finishes(void *arg, int result)
{
	(void)result;
	EXPECT(ended == ran || arg == NULL); /* of the outermost group: all have ended */
	finished++;
	holt_yield();
	return 0;
}

static int finishes_in_order(void *arg, int result)
{
	int number = give(arg);

	(void)result;
	EXPECT(number < last_finished);
	last_finished = number;
	finished++;
	EXPECT(holt_sleep(HOLT_MS) == 0); /* shielded, and there is time */
	return 0;
}

/* ---- tasks in a group */

static int works(void *arg)
{
	int n = give(arg), r = 0;

	ran++;
	for (int i = 0; r == 0 && i <= n % 3; i++)
		r = i % 2 ? holt_yield() : holt_sleep(HOLT_MS * (unsigned)(n + 1));
	ended++;
	return r;
}

static int one_group(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "one");
	for (int i = 0; r >= 0 && i < 3; i++) {
		r = holt_finally(g, finishes_in_order, NUMBER(i));
		armed += r == 0;
		if (r >= 0)
			r = spawn(g, works, NUMBER(i));
	}
	if (!g)
		return r;
	r = holt_group_close(g, r);
	EXPECT(ended == spawned);
	return r;
}
SWEEP(close_returns_when_all_have_ended_and_finally_ran_newest_first, .fn = one_group, .check = ledger_is_even)

static int opens_another(void *arg)
{
	int depth = give(arg), r;
	holt_group *g = NULL;

	ran++;
	r = holt_group_open(&g, .name = "deep", .kind = depth % 2 ? HOLT_EACH : HOLT_ALL, .failed = NULL);
	if (r >= 0 && holt_finally(g, finishes, NULL) == 0)
		armed++;
	if (r >= 0)
		r = spawn(g, works, NUMBER(depth));
	if (r >= 0 && depth > 0)
		r = spawn(g, opens_another, NUMBER(depth - 1));
	if (r >= 0)
		r = holt_sleep(HOLT_MS * (unsigned)depth);
	if (g)
		r = holt_group_close(g, r);
	ended++;
	return r;
}

static int deep_tree(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "tree");
	if (r >= 0 && holt_finally(g, finishes, NUMBER(1)) == 0)
		armed++;
	for (int i = 0; r >= 0 && i < 2; i++)
		r = spawn(g, opens_another, NUMBER(3));
	return g ? holt_group_close(g, r) : r;
}
SWEEP(tree_of_groups_comes_down_whole, .fn = deep_tree, .check = ledger_is_even)

static int fails_late(void *arg)
{
	int r;

	(void)arg;
	ran++;
	r = holt_sleep(2 * HOLT_MS);
	ended++;
	return r < 0 ? r : -EIO;
}

static int one_fails(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "all");
	for (int i = 0; r >= 0 && i < 3; i++)
		r = spawn(g, works, NUMBER(5 * (i + 1)));
	if (r >= 0)
		r = spawn(g, fails_late, NULL);
	if (r >= 0)
		r = holt_sleep(HOLT_HOUR); /* the failure ends this, too */
	EXPECT(!g || r < 0);
	if (!g)
		return r;
	r = holt_group_close(g, r);
	EXPECT(r == -EIO || r == -ECANCELED || r == -ENOMEM);
	return r == -EIO ? 0 : r;
}

SWEEP(failure_ends_its_group_and_is_its_result, .fn = one_fails, .check = ledger_is_even, .what = HOLT_SWEEP_CANCEL | SWEEP_FAIL)

static int wins(void *arg)
{
	int n = give(arg), r;

	ran++;
	r = holt_sleep(HOLT_MS * (unsigned)n);
	ended++;
	return r < 0 ? r : n;
}

static int race(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "any", .kind = HOLT_ANY);
	for (int i = 3; r >= 0 && i > 0; i--)
		r = spawn(g, wins, NUMBER(i));
	if (!g)
		return r;
	r = holt_group_close(g, r);
	EXPECT(r < 0 || (r >= 1 && r <= 3));
	return r;
}
SWEEP(first_success_ends_a_race, .fn = race, .check = ledger_is_even)

/* ---- limit, until_ready, background, keep */

static int most, now;

static int is_one_of_two(void *arg)
{
	int r;

	(void)arg;
	ran++;
	EXPECT(++now <= 2);
	r = holt_sleep(HOLT_MS);
	now--;
	ended++;
	return r;
}

static int limited(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	most = now = 0;
	r = holt_group_open(&g, .name = "two", .limit = 2, .kind = HOLT_EACH);
	for (int i = 0; r >= 0 && i < MANY; i++)
		r = spawn(g, is_one_of_two, NULL);
	return g ? holt_group_close(g, r) : r;
}
SWEEP(limit_is_kept_and_no_place_is_lost, .fn = limited, .check = ledger_is_even)

static int spawns_into(void *arg)
{
	holt_group *g = arg;
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++)
		r = spawn(g, is_one_of_two, NULL);
	return r;
}

static int two_spawners(void *arg)
{
	holt_group *g = NULL, *outer = NULL;
	int r;

	(void)arg;
	reset();
	now = 0;
	r = holt_group_open(&g, .name = "two", .limit = 2, .kind = HOLT_EACH);
	if (r < 0)
		return r;
	r = holt_group_open(&outer, .name = "spawners", .kind = HOLT_EACH);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = holt_spawn(outer, spawns_into, g);
	if (outer)
		r = holt_group_close(outer, r);
	return holt_group_close(g, r);
}
SWEEP(canceled_spawner_takes_no_place_and_starts_nothing, .fn = two_spawners, .check = ledger_is_even)

static int owned;

static int gets_ready(void *arg)
{
	int r;

	ran++;
	r = holt_sleep(HOLT_MS);
	if (r == 0)
		holt_ready();
	if (r == 0)
		r = holt_sleep(HOLT_MS);
	free(arg);
	owned--;
	ended++;
	return r;
}

static int until_ready(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	owned = 0;
	r = holt_group_open(&g, .name = "ready", .kind = HOLT_EACH);
	for (int i = 0; r >= 0 && i < 2; i++) {
		void *own = malloc(8);
		holt_task *t = NUMBER(1);

		owned++;
		r = holt_spawn(g, gets_ready, own, .until_ready = true, .task = &t);
		spawned += t != NULL;
		EXPECT(t || r < 0);
		if (!t) { /* not started: still ours */
			free(own);
			owned--;
		}
		holt_task_unref(t);
	}
	if (g)
		r = holt_group_close(g, r);
	EXPECT(owned == 0);
	return r;
}
SWEEP(who_owns_the_argument_of_a_start_is_always_known, .fn = until_ready, .check = ledger_is_even)

static int beats(void *arg)
{
	int r = 0;

	(void)arg;
	ran++;
	while (r == 0)
		r = holt_sleep(HOLT_MS);
	ended++;
	return r;
}

static int with_a_heartbeat(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "beating");
	if (r >= 0) {
		r = holt_spawn(g, beats, NULL, .background = true);
		spawned += r == 0;
	}
	for (int i = 0; r >= 0 && i < 2; i++)
		r = spawn(g, works, NUMBER(i));
	if (r >= 0)
		r = holt_group_wait(g);
	return g ? holt_group_close(g, r) : r;
}
SWEEP(background_does_not_hold_its_group_open, .fn = with_a_heartbeat, .check = ledger_is_even)

static int keeps(void *arg)
{
	holt_group *g = NULL;
	int r, seen = 0;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "kept", .kind = HOLT_EACH, .keep = true);
	for (int i = 0; r >= 0 && i < 4; i++)
		r = spawn(g, works, NUMBER(i));
	while (r >= 0) {
		holt_task *t = NULL;

		r = holt_group_next(g, &t);
		if (r < 0)
			break;
		EXPECT(holt_task_done(t));
		seen++;
		holt_task_unref(t);
	}
	EXPECT(r != -ENOENT || seen == 4);
	r = r == -ENOENT ? 0 : r;
	return g ? holt_group_close(g, r) : r;
}
SWEEP(each_ended_task_is_told_once_and_none_is_kept_for_ever, .fn = keeps, .check = ledger_is_even)

/* ---- scopes */

static int takes_its_time(void *arg)
{
	int r;

	(void)arg;
	ran++;
	r = holt_sleep(10 * HOLT_MS);
	if (r == 0)
		r = holt_yield();
	ended++;
	return r;
}

static int deadlines(void *arg)
{
	struct holt_scope outer, inner;
	int r, in;

	(void)arg;
	reset();
	holt_scope_begin(&outer, holt_in(15 * HOLT_MS), 0);
	holt_scope_begin(&inner, holt_in(5 * HOLT_MS), 0);
	spawned++;
	r = takes_its_time(NULL);
	in = (int)holt_scope_end(&inner, r);
	EXPECT(in == -ETIME || in == -ECANCELED);
	spawned++;
	r = holt_timeout(HOLT_SEC, takes_its_time, NULL);
	EXPECT(r == 0 || r == -ECANCELED);
	if (r == 0)
		r = holt_sleep(HOLT_HOUR);
	EXPECT(r == -ECANCELED);
	r = (int)holt_scope_end(&outer, r);
	EXPECT(r == -ETIME || r == -ECANCELED);
	return r == -ETIME ? 0 : r;
}
SWEEP(deadline_is_taken_by_the_scope_whose_it_is, .fn = deadlines, .check = ledger_is_even)

static int commits;

static int writes_a_journal(void *arg)
{
	struct holt_scope s;
	int r;

	(void)arg;
	ran++;
	r = holt_sleep(HOLT_MS);
	if (r == 0) {
		holt_scope_begin(&s, holt_in(HOLT_SEC), HOLT_SHIELD);
		commits++;
		EXPECT(holt_sleep(HOLT_MS) == 0);
		EXPECT(holt_yield() == 0);
		commits--;
		r = (int)holt_scope_end(&s, 0);
	}
	if (r == 0)
		r = holt_check();
	ended++;
	return r;
}

static int shields(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	commits = 0;
	r = holt_group_open(&g, .name = "journals");
	for (int i = 0; r >= 0 && i < 3; i++)
		r = spawn(g, writes_a_journal, NULL);
	if (g)
		r = holt_group_close(g, r);
	EXPECT(commits == 0);
	return r;
}
SWEEP(what_is_shielded_is_done_to_its_end, .fn = shields, .check = ledger_is_even)

static int accepts(void *arg)
{
	struct holt_scope s;
	int r = 0;

	(void)arg;
	ran++;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	while (r == 0)
		r = holt_sleep(HOLT_SEC);
	r = (int)holt_scope_end(&s, r);
	EXPECT(r == -ESHUTDOWN || r == -ECANCELED);
	ended++;
	return r == -ESHUTDOWN ? 0 : r;
}

static int stops(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "server", .grace = HOLT_SEC);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = spawn(g, accepts, NULL);
	if (r >= 0)
		r = spawn(g, works, NUMBER(2)); /* in flight: it is let finish */
	if (r >= 0)
		r = holt_yield();
	if (g)
		holt_group_stop(g, "enough");
	return g ? holt_group_close(g, r) : r;
}
SWEEP(stop_ends_who_asked_to_be_told_and_lets_others_finish, .fn = stops, .check = ledger_is_even)

/* ---- gather, wait, values */

static int gathers(void *arg)
{
	struct holt_call calls[3];
	int r, all = 0;

	(void)arg;
	reset();
	for (int i = 0; i < 3; i++)
		calls[i] = (struct holt_call){ works, NUMBER(i), 99 };
	r = holt_gather(calls, 3, HOLT_EACH);
	for (int i = 0; i < 3; i++) {
		EXPECT(calls[i].result != 99);
		all += calls[i].result == 0;
	}
	EXPECT(r == 0 || all < 3 || r == -ECANCELED);
	spawned = ran; /* who was not run has a result that says so */
	return r;
}
SWEEP(gather_leaves_no_call_without_its_result, .fn = gathers, .check = ledger_is_even)

static int waits(void *arg)
{
	holt_task *t[20] = { NULL };
	holt_group *g = NULL;
	int r, n = 0, result = 99;

	(void)arg;
	reset();
	r = holt_group_open(&g, .kind = HOLT_EACH);
	for (; r >= 0 && n < 20; n += r >= 0) { /* more than it has place for on the stack */
		r = holt_spawn(g, works, NUMBER(n), .task = &t[n]);
		spawned += r == 0;
	}
	if (r >= 0)
		r = holt_wait(t, (size_t)n, HOLT_FIRST_COMPLETED, HOLT_NEVER);
	EXPECT(r < 0 || r >= 1);
	if (r >= 0)
		r = holt_wait(t, (size_t)n, HOLT_ALL_COMPLETED, HOLT_MS);
	if (r >= 0)
		r = holt_task_wait(t[n - 1], &result);
	EXPECT(r != 0 || result == 0 || result == -ECANCELED);
	for (int i = 0; i < n; i++)
		holt_task_unref(t[i]);
	return g ? holt_group_close(g, r < 0 ? r : 0) : r;
}
SWEEP(waiting_owns_nothing_and_loses_nothing, .fn = waits, .check = ledger_is_even)

static void count_freed(void *value)
{
	(void)value;
	freed++;
}

static const struct holt_local key = { .name = "key", .free = count_freed };

static int sets_values(void *arg)
{
	struct holt_scope s;
	int r;

	ran++;
	set += holt_local_set(&key, NUMBER(7 + give(arg))) == 0;
	set += holt_local_set(&key, NUMBER(8 + give(arg))) == 0;
	holt_scope_begin(&s, HOLT_NEVER, 0);
	set += holt_local_set(&key, NUMBER(9 + give(arg))) == 0;
	r = holt_yield();
	r = (int)holt_scope_end(&s, r);
	ended++;
	return r;
}

static int values(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g);
	if (r >= 0)
		set += holt_local_set(&key, NUMBER(1)) == 0;
	for (int i = 0; r >= 0 && i < 3; i++)
		r = spawn(g, sets_values, NUMBER(i));
	return g ? holt_group_close(g, r) : r;
}
SWEEP(value_is_freed_once, .fn = values, .check = ledger_is_even)

/* ---- what follows the tree */

/* Rule 7: a task lives in its group's scope, whoever spawned it. */
static int spawns_for_others(void *arg)
{
	holt_group *g = arg;
	struct holt_scope s;
	int r;

	ran++;
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "only the spawner");
	r = spawn(g, works, NUMBER(1)); /* no cancellation point */
	r = r == 0 ? holt_sleep(1) : r;
	EXPECT(r < 0);
	r = (int)holt_scope_end(&s, r);
	ended++;
	return r == -ECANCELED ? holt_check() : r;
}

static int handed_down(void *arg)
{
	holt_group *g = NULL, *inner = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "outer");
	if (r < 0)
		return r;
	r = holt_group_open(&inner, .name = "inner");
	for (int i = 0; r >= 0 && i < 2; i++)
		r = spawn(inner, spawns_for_others, g);
	if (inner)
		r = holt_group_close(inner, r);
	return holt_group_close(g, r);
}
SWEEP(task_is_canceled_with_its_group_and_not_with_its_spawner, .fn = handed_down, .check = ledger_is_even)

/* Rule 8. */
static int is_born_canceled(void *arg)
{
	(void)arg;
	ran++;
	EXPECT(holt_sleep(HOLT_MS) == -ECANCELED);
	EXPECT(holt_check() == -ECANCELED);
	ended++;
	return -ECANCELED;
}

static holt_group *closing;

static int spawns_too_late(void *arg, int result)
{
	(void)arg;
	(void)result;
	EXPECT(holt_spawn(closing, works, NULL) == -ESHUTDOWN);
	EXPECT(holt_finally(closing, finishes, NULL) == -ESHUTDOWN);
	finished++;
	return 0;
}

static int spawns_while_it_drains(void *arg)
{
	holt_group *g = arg;
	int r;

	ran++;
	r = holt_sleep(HOLT_MS);
	if (r == -ECANCELED)
		spawn(g, is_born_canceled, NULL);
	ended++;
	return r;
}

static int drains(void *arg)
{
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&closing, .name = "closing");
	if (r < 0)
		return r;
	armed += holt_finally(closing, spawns_too_late, NULL) == 0;
	r = spawn(closing, spawns_while_it_drains, closing);
	if (r >= 0)
		r = holt_yield();
	holt_group_cancel(closing, "test");
	spawn(closing, is_born_canceled, NULL);
	return holt_group_close(closing, r);
}
SWEEP(what_is_spawned_into_a_canceled_group_is_born_canceled, .fn = drains, .check = ledger_is_even)

/* Rules 10 and 13: the first reason stays, and what has risen does not fall. */
static int sees_it_rise(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "rising", .grace = HOLT_SEC);
	if (r < 0)
		return r;
	r = spawn(g, works, NUMBER(2));
	if (r >= 0)
		r = holt_yield();
	holt_group_stop(g, "a stop");
	EXPECT(holt_stopping());
	holt_group_cancel(g, "a cancellation");
	holt_group_stop(g, "another stop");
	/* without memory for it, "stopped" */
	EXPECT(holt_why() && strcmp(holt_why(), "a cancellation") != 0 && strcmp(holt_why(), "another stop") != 0);
	EXPECT(holt_sleep(1) == -ECANCELED);
	EXPECT(holt_stopping() && holt_check() == -ECANCELED);
	return holt_group_close(g, r);
}
SWEEP(first_reason_stays_and_no_level_falls, .fn = sees_it_rise, .check = ledger_is_even)

/* Rule 11: a shield latches what comes from outside until its end. */
static int latches(void *arg)
{
	struct holt_scope s, shield;
	int r;

	(void)arg;
	reset();
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_begin(&shield, holt_in(HOLT_MIN), HOLT_SHIELD);
	holt_scope_cancel(&s, "from outside");
	EXPECT(holt_check() == 0 && holt_stopping() && holt_why());
	EXPECT(holt_sleep(HOLT_MS) == 0);
	EXPECT(holt_yield() == 0);
	EXPECT(holt_scope_end(&shield, 3) == 3);
	EXPECT(holt_check() == -ECANCELED);
	r = holt_sleep(HOLT_MS);
	EXPECT(r == -ECANCELED);
	r = (int)holt_scope_end(&s, r);
	EXPECT(r == -ECANCELED);
	return holt_check();
}
SWEEP(shield_holds_a_cancellation_off_and_does_not_lose_it, .fn = latches, .check = ledger_is_even)

/* Rule 15: who was canceled alone has not failed. */
static int loses_a_member(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;
	int r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .name = "all");
	if (r >= 0) {
		r = holt_spawn(g, beats, NULL, .task = &t);
		spawned += r == 0;
	}
	for (int i = 0; r >= 0 && i < 2; i++)
		r = spawn(g, works, NUMBER(i));
	if (r >= 0)
		r = holt_sleep(2 * HOLT_MS);
	holt_task_cancel(t, "it alone");
	if (r >= 0)
		r = holt_task_wait(t, NULL);
	holt_task_unref(t);
	return g ? holt_group_close(g, r < 0 ? r : 0) : r;
}
SWEEP(canceled_member_is_no_failure_of_its_group, .fn = loses_a_member, .check = ledger_is_even)
