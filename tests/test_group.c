/* SPDX-License-Identifier: MIT */
/*
 * Groups: what comes out of close for everything that can happen before, limits, readiness, background tasks, ended
 * tasks that are kept, how grace and cleanup pass from group to group, and how all of that is misused.
 */
#include "steps.h"

#include "task/task.h"

static int note_word(void *word, int result)
{
	(void)result;
	note(word);
	return 0;
}

/* In a shield, so that one who is canceled can wait until something has happened. */
static void wait_shielded(holt_time point)
{
	struct holt_scope s;

	holt_scope_begin(&s, holt_in(100 * HOLT_HOUR), HOLT_SHIELD);
	holt_sleep_until(HARNESS_EPOCH + point);
	holt_scope_end(&s, 0);
}

/* ---- the result of close: the whole table */

enum event { NOTHING, CANCEL, STOP, OUTSIDE, OUTER_DEADLINE, CANCEL_FIRST_MEMBER };
enum { AS_IT_SLEPT = 1000000 }; /* the opener gives what its sleep until close_at returned */
enum how {
	PLAIN,
	SHIELDED,
	STUBBORN,
	BACKGROUND
}; /* shielded sees nothing; stubborn is cut at its end, but returns its result */

struct member {
	int ms, returns;
	enum how how;
};

struct row {
	const char *claim;
	enum holt_kind kind;
	int given, expected;
	const char *logged;      /* NULL: nothing */
	struct member member[4]; /* ms 0: no more */
	enum event event;        /* at 1 s */
	bool deadline;           /* at 1 s */
	int close_at;            /* ms */
};

/*
 * A member sleeps until ms, and returns; each group has a grace of 500 ms. What is not said in a row is 0. Nobody holds a
 * cancellation up for a second: that would be logged as well.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct row rows[] = {
	/* nothing special */
	{ "ALL: the opener's result", HOLT_ALL, 5, 5, NULL, { { 10, 3 }, { 20, 0 } } },
	{ "ALL: the opener's result, 0", HOLT_ALL, 0, 0, NULL, { { 10, 3 } } },
	{ "ALL, empty: the opener's result", HOLT_ALL, 5, 5, NULL, { { 0 } } },
	{ "ANY, empty: the opener's result", HOLT_ANY, 5, 5, NULL, { { 0 } } },
	{ "EACH: the opener's result", HOLT_EACH, 5, 5, NULL, { { 10, 3 } } },
	{ "ALL: a negative result cancels the rest and stays", HOLT_ALL, -EIO, -EIO, NULL, { { 9000, 3 } } },
	{ "ALL: a negative result cancels members that run and stays", HOLT_ALL, -EIO, -EIO, NULL, { { 9000, 3 }, { 9000, 4 } },
		.close_at = 800 },
	{ "ANY: a negative result cancels the rest and stays", HOLT_ANY, -EIO, -EIO, NULL, { { 9000, 3 } } },
	{ "EACH: a negative result cancels the rest and stays", HOLT_EACH, -EIO, -EIO, NULL, { { 9000, 3 } } },
	{ "-ECANCELED that nobody caused stays", HOLT_ALL, -ECANCELED, -ECANCELED, NULL, { { 9000, 3 } } },
	{ "-ECANCELED that nobody caused stays, empty", HOLT_ALL, -ECANCELED, -ECANCELED, NULL, { { 0 } } },
	{ "ANY: -ECANCELED that nobody caused stays", HOLT_ANY, -ECANCELED, -ECANCELED, NULL, { { 9000, 3 } } },

	{ "-ECANCELED that nobody caused covers a failure, which is logged", HOLT_ALL, -ECANCELED, -ECANCELED, "Broken pipe",
		{ { 9000, -EPIPE, STUBBORN } } },

	/* failures */
	{ "ALL: the first failure", HOLT_ALL, 5, -EPIPE, NULL, { { 500, -EPIPE }, { 9000 } } },
	{ "ALL: the failure that canceled the opener", HOLT_ALL, AS_IT_SLEPT, -EPIPE, NULL, { { 500, -EPIPE } },
		.close_at = 800 },
	{ "ALL: the first of two failures, the second is logged", HOLT_ALL, 0, -EPIPE, "Bad file descriptor",
		{ { 500, -EPIPE }, { 9000, -EBADF, STUBBORN } } },
	{ "ALL: a negative result covers a failure, which is logged", HOLT_ALL, -EIO, -EIO, "Broken pipe",
		{ { 500, -EPIPE }, { 9000 } }, .close_at = 800 },
	{ "ALL: a failure during the drain is logged beside the negative result", HOLT_ALL, -EIO, -EIO, "Broken pipe",
		{ { 9000, -EPIPE, STUBBORN } } },
	{ "EACH: failures are logged, and change nothing", HOLT_EACH, 5, 5, "Broken pipe",
		{ { 500, -EPIPE }, { 600, -EBADF }, { 2000, 1 } } },
	{ "EACH: a failure beside a negative result", HOLT_EACH, -EIO, -EIO, "Broken pipe", { { 500, -EPIPE } },
		.close_at = 800 },
	{ "ALL: the failure of a background task counts", HOLT_ALL, 0, -EPIPE, NULL, { { 500, -EPIPE, BACKGROUND }, { 9000 } } },

	/* winners */
	{ "ANY: the winner's result", HOLT_ANY, 0, 3, NULL, { { 500, 3 }, { 9000, 4 } } },
	{ "ANY: the winner's result, which canceled the opener", HOLT_ANY, AS_IT_SLEPT, 3, NULL, { { 500, 3 } },
		.close_at = 800 },
	{ "ANY: the first winner's, not a later one's", HOLT_ANY, 0, 3, NULL, { { 500, 3 }, { 1400, 4, SHIELDED } } },
	{ "ANY: the winner's, not an earlier failure", HOLT_ANY, 0, 3, NULL, { { 100, -EPIPE }, { 500, 3 }, { 9000, 4 } } },
	{ "ANY: all fail, the last failure", HOLT_ANY, 5, -EBADF, NULL, { { 100, -EPIPE }, { 500, -EBADF } } },
	{ "ANY: a negative result covers a winner", HOLT_ANY, -EIO, -EIO, NULL, { { 500, 3 }, { 9000 } }, .close_at = 800 },
	{ "ANY: a negative result covers the last failure, which is logged", HOLT_ANY, -EIO, -EIO, "Bad file descriptor",
		{ { 100, -EPIPE }, { 500, -EBADF } }, .close_at = 800 },
	{ "ANY: a background task does not win", HOLT_ANY, 0, 3, NULL, { { 100, 9, BACKGROUND }, { 500, 3 } } },
	{ "ANY: all are canceled one by one", HOLT_ANY, 5, 5, NULL, { { 9000, 3 } }, CANCEL_FIRST_MEMBER },

	/* its deadline */
	{ "ALL: -ETIME, when the deadline cut a member", HOLT_ALL, 5, -ETIME, NULL, { { 9000 } }, .deadline = true },
	{ "ANY: -ETIME", HOLT_ANY, 5, -ETIME, NULL, { { 9000 } }, .deadline = true },
	{ "EACH: -ETIME", HOLT_EACH, 5, -ETIME, NULL, { { 9000 } }, .deadline = true },
	{ "-ETIME, when the deadline cut the opener", HOLT_ALL, AS_IT_SLEPT, -ETIME, NULL, { { 0 } }, .deadline = true,
		.close_at = 2000 },
	{ "a deadline that ended no member changes nothing", HOLT_ALL, 5, 5, NULL, { { 1400, 1, SHIELDED } }, .deadline = true },
	{ "a deadline that ended no member leaves the winner", HOLT_ANY, 5, 1, NULL, { { 1400, 1, SHIELDED } },
		.deadline = true },
	{ "a deadline after the end changes nothing", HOLT_ALL, 5, 5, NULL, { { 500, 1 } }, .deadline = true },
	{ "ALL: -ETIME, and what failed beside it is logged", HOLT_ALL, 5, -ETIME, "Broken pipe",
		{ { 9000, -EPIPE, STUBBORN }, { 9000 } }, .deadline = true },
	{ "ALL: the failure, when it came before the deadline", HOLT_ALL, 5, -EPIPE, NULL,
		{ { 500, -EPIPE }, { 1400, -ECANCELED, SHIELDED } }, .deadline = true },
	{ "ANY: the winner, when it came before the deadline", HOLT_ANY, 5, 3, NULL,
		{ { 500, 3 }, { 1400, -ECANCELED, SHIELDED } }, .deadline = true },
	{ "ANY: -ETIME, although one failed before", HOLT_ANY, 5, -ETIME, NULL, { { 500, -EPIPE }, { 9000 } }, .deadline = true },

	/* canceled by holt_group_cancel, or by the end of a grace */
	{ "ALL: 0, when a cancellation of the group cut a member", HOLT_ALL, 5, 0, NULL, { { 9000 } }, CANCEL },
	{ "ANY: 0", HOLT_ANY, 5, 0, NULL, { { 9000 } }, CANCEL },
	{ "EACH: 0", HOLT_EACH, 5, 0, NULL, { { 9000 } }, CANCEL },
	{ "0, when it cut the opener", HOLT_ALL, AS_IT_SLEPT, 0, NULL, { { 0 } }, CANCEL, .close_at = 2000 },
	{ "a cancellation that ended no member changes nothing", HOLT_ALL, 5, 5, NULL, { { 1400, 1, SHIELDED } }, CANCEL },
	{ "ALL: a failure is worse than a cancellation of the group", HOLT_ALL, 5, -EPIPE, NULL,
		{ { 9000, -EPIPE, STUBBORN }, { 9000 } }, CANCEL },
	{ "ALL: 0, when the grace ran out", HOLT_ALL, 5, 0, NULL, { { 9000 } }, STOP },
	{ "EACH: 0, when the grace ran out", HOLT_EACH, 5, 0, NULL, { { 9000 } }, STOP },
	{ "a stop that ended nobody changes nothing", HOLT_ALL, 5, 5, NULL, { { 1400, 1 } }, STOP },
	{ "a grace that ended nobody changes nothing", HOLT_ALL, 5, 5, NULL, { { 2400, 1, SHIELDED } }, STOP },
	{ "a member that was canceled by itself changes nothing", HOLT_ALL, 5, 5, NULL, { { 9000 }, { 2000 } },
		CANCEL_FIRST_MEMBER },

	/* canceled from outside */
	{ "ALL: -ECANCELED from outside stays", HOLT_ALL, 5, -ECANCELED, NULL, { { 9000 } }, OUTSIDE },
	{ "ANY: -ECANCELED from outside stays", HOLT_ANY, 5, -ECANCELED, NULL, { { 9000 } }, OUTSIDE },
	{ "EACH: -ECANCELED from outside stays", HOLT_EACH, 5, -ECANCELED, NULL, { { 9000 } }, OUTSIDE },
	{ "-ECANCELED from outside, given by the opener", HOLT_ALL, AS_IT_SLEPT, -ECANCELED, NULL, { { 0 } }, OUTSIDE,
		.close_at = 2000 },
	{ "-ECANCELED from outside, of the opener and of members", HOLT_ALL, AS_IT_SLEPT, -ECANCELED, NULL,
		{ { 9000 }, { 9000 } }, OUTSIDE, .close_at = 2000 },
	{ "from outside, but it ended no member", HOLT_ALL, 5, 5, NULL, { { 1400, 1, SHIELDED } }, OUTSIDE },
	{ "from outside, after the end", HOLT_ALL, 5, 5, NULL, { { 500, 1 } }, OUTSIDE },
	{ "outside and the deadline at once: outside", HOLT_ALL, 5, -ECANCELED, NULL, { { 9000 } }, OUTER_DEADLINE, true },
	{ "ANY: outside and the deadline at once: outside", HOLT_ANY, 5, -ECANCELED, NULL, { { 9000 } }, OUTER_DEADLINE, true },
	{ "ALL: a failure before, and then from outside", HOLT_ALL, 5, -ECANCELED, "Broken pipe",
		{ { 500, -EPIPE }, { 1400, -ECANCELED, SHIELDED } }, OUTSIDE },
	{ "ALL: a failure before, and from outside ended nobody", HOLT_ALL, 5, -EPIPE, NULL,
		{ { 500, -EPIPE }, { 1400, 1, SHIELDED } }, OUTSIDE },
	{ "ANY: a winner before, and from outside ended nobody", HOLT_ANY, 5, 3, NULL, { { 500, 3 }, { 1400, 1, SHIELDED } },
		OUTSIDE },
	{ "-ECANCELED from outside stays, and what failed meanwhile is logged", HOLT_ALL, AS_IT_SLEPT, -ECANCELED, "Broken pipe",
		{ { 9000, -EPIPE, STUBBORN } }, OUTSIDE, .close_at = 2000 },
	{ "-ECANCELED from outside stays, and what failed on its own behind it is logged", HOLT_ALL, AS_IT_SLEPT, -ECANCELED,
		"Broken pipe", { { 1400, -EPIPE, SHIELDED } }, OUTSIDE, .close_at = 1200 },
	{ "ALL: the failure, when it is all that a cancellation from outside made", HOLT_ALL, 5, -EPIPE, NULL,
		{ { 9000, -EPIPE, STUBBORN } }, OUTSIDE },
	{ "a negative result that the opener made of a cancellation from outside", HOLT_ALL, -EIO, -EIO, NULL, { { 0 } }, OUTSIDE,
		.close_at = 2000 },
	{ "a negative result covers what came from outside", HOLT_ALL, -EIO, -EIO, NULL, { { 1400, -ECANCELED, SHIELDED } },
		OUTSIDE, .close_at = 800 },
};
#pragma GCC diagnostic pop

static int run_member(void *arg)
{
	const struct member *m = arg;
	int r = 0;

	if (m->how == SHIELDED)
		wait_shielded((holt_time)m->ms * HOLT_MS);
	else
		r = holt_sleep_until(HARNESS_EPOCH + (holt_time)m->ms * HOLT_MS);
	return r < 0 && m->how != STUBBORN ? r : m->returns;
}

struct closing {
	const struct row *row;
	struct holt_scope outer;
	holt_group *g;
	holt_task *first;
	int in_finally, calls;
};

static int make_event(void *arg)
{
	struct closing *c = arg;

	holt_sleep_until(HARNESS_EPOCH + HOLT_SEC);
	switch (c->row->event) {
	case NOTHING:
	case OUTER_DEADLINE:
		break;
	case CANCEL:
		holt_group_cancel(c->g, NULL);
		break;
	case STOP:
		holt_group_stop(c->g, NULL);
		break;
	case OUTSIDE:
		holt_scope_cancel(&c->outer, NULL);
		break;
	case CANCEL_FIRST_MEMBER:
		holt_task_cancel(c->first, NULL);
	}
	return 0;
}

static int result_seen(void *arg, int result)
{
	struct closing *c = arg;

	c->in_finally = result;
	c->calls++;
	return 0;
}

static int close_by_the_row(void *arg)
{
	struct closing *c = arg;
	const struct row *row = c->row;
	holt_group *events = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&events), 0);
	holt_scope_begin(&c->outer, row->event == OUTER_DEADLINE ? HARNESS_EPOCH + HOLT_SEC : HOLT_NEVER, 0);
	ck_assert_int_eq(holt_group_open(&c->g, .name = "g", .kind = row->kind, .grace = 500 * HOLT_MS,
				 .deadline = row->deadline ? HARNESS_EPOCH + HOLT_SEC : 0),
		0);
	ck_assert_int_eq(holt_finally(c->g, result_seen, c), 0);
	for (const struct member *m = row->member; m->ms > 0; m++)
		ck_assert_int_eq(holt_spawn(c->g, run_member, WORD(m), .task = m == row->member ? &c->first : NULL,
					 .background = m->how == BACKGROUND),
			0);
	if (row->event != NOTHING)
		ck_assert_int_eq(holt_spawn(events, make_event, c, .background = true), 0);
	r = row->close_at ? holt_sleep_until(HARNESS_EPOCH + (holt_time)row->close_at * HOLT_MS) : 0;
	r = holt_group_close(c->g, row->given == AS_IT_SLEPT ? r : row->given);
	c->g = NULL;
	if (row->event != OUTSIDE && row->event != OUTER_DEADLINE)
		ck_assert_int_eq(holt_check(), 0); /* nothing of it is left for the code behind */
	holt_scope_end(&c->outer, 0);
	holt_task_unref(c->first);
	ck_assert_int_eq(holt_group_close(events, 0), 0);
	return r;
}

TEST_LOOP(close_gives_what_its_table_says, 0, HOLT__N(rows))
{
	const struct row *row = &rows[_i];
	struct closing c = { .row = row };
	int r = run_clean(close_by_the_row, &c);

	ck_assert_msg(r == row->expected, "%s: %d instead of %d", row->claim, r, row->expected);
	ck_assert_msg(c.calls == 1 && c.in_finally == r, "%s: the handler got %d", row->claim, c.in_finally);
	if (row->logged)
		ck_assert_msg(harness_logged(row->logged), "%s: log: %s", row->claim, harness_log());
	else
		ck_assert_msg(!*harness_log(), "%s: log: %s", row->claim, harness_log());
}

static int close_nothing(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_group_close(NULL, 7), 7);
	return holt_group_close(NULL, -EIO);
}

TEST(close_of_null_gives_the_result)
{
	ck_assert_int_eq(run_clean(close_nothing, NULL), -EIO);
}

/* ---- close is not left early */

static int ends_in_spite(void *arg)
{
	wait_shielded((holt_time)(intptr_t)arg * HOLT_SEC);
	note("member");
	return 0;
}

static int closes_while_canceled(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_finally(g, note_word, WORD("finally")), 0);
	ck_assert_int_eq(holt_spawn(g, ends_in_spite, NUMBER(3)), 0);
	r = holt_group_close(g, 0);
	note("closed");
	return r;
}

static int cancel_who_closes(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;
	int r;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, closes_while_canceled, NULL, .task = &t), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	for (int i = 0; i < 3; i++) {
		holt_task_cancel(t, NULL);
		ck_assert_int_eq(holt_sleep(100 * HOLT_MS), 0);
	}
	ck_assert_int_eq(holt_task_wait(t, &r), 0);
	ck_assert_int_eq(r, 0); /* it ended no member */
	holt_task_unref(t);
	return holt_group_close(g, 0);
}

TEST(close_goes_on_in_a_canceled_task_until_all_have_ended)
{
	ck_assert_int_eq(run_clean(cancel_who_closes, NULL), 0);
	ck_assert_str_eq(trace, "member finally closed ");
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
}

static int stops_it_later(void *arg)
{
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_stop(arg, "later");
	return 0;
}

static int until_stopped(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_sleep(HOLT_HOUR)), -ESHUTDOWN);
	note("stopped");
	return 4;
}

static int stop_during_close(void *arg)
{
	holt_group *g = NULL, *other = NULL;
	int r;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&other), 0);
	ck_assert_int_eq(holt_group_open(&g, .grace = 2 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_spawn(g, until_stopped, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	ck_assert_int_eq(holt_spawn(other, stops_it_later, g), 0);
	r = holt_group_close(g, 5);
	ck_assert_int_eq(holt_group_close(other, 0), 0);
	return r;
}

TEST(stop_during_close_ends_who_asked_and_cancels_the_rest_after_the_grace)
{
	ck_assert_int_eq(run_clean(stop_during_close, NULL), 0);
	ck_assert_str_eq(trace, "stopped ");
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
}

static int fails_in_a_second(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	return -EIO;
}

/* The opener of both waits in the inner close when a member of the outer one fails. */
static int fail_outside_of_a_close(void *arg)
{
	holt_group *outer = NULL, *inner = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&outer), 0);
	ck_assert_int_eq(holt_spawn(outer, fails_in_a_second, NULL), 0);
	ck_assert_int_eq(holt_group_open(&inner), 0);
	ck_assert_int_eq(holt_spawn(inner, sleep_long, NULL), 0);
	ck_assert_int_eq(holt_group_close(inner, 0), -ECANCELED);
	ck_assert_int_eq(holt_yield(), -ECANCELED);
	ck_assert_ptr_nonnull(strstr(holt_why(), "fails_in_a_second failed"));
	return holt_group_close(outer, -ECANCELED);
}

TEST(failure_of_an_outer_group_cancels_the_inner_one_that_is_being_closed)
{
	ck_assert_int_eq(run_clean(fail_outside_of_a_close, NULL), -EIO);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

/* Each group tells its opener alone: it is he who hands it on. */
static int fail_inside_of_an_outer_group(void *hand_on)
{
	holt_group *outer = NULL, *inner = NULL;
	holt_task *t = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&outer), 0);
	ck_assert_int_eq(holt_spawn(outer, sleep_long, NULL, .task = &t), 0);
	ck_assert_int_eq(holt_group_open(&inner), 0);
	ck_assert_int_eq(holt_spawn(inner, fails_in_a_second, NULL), 0);
	r = holt_group_close(inner, 0);
	ck_assert_int_eq(r, -EIO);
	ck_assert_int_eq(holt_yield(), 0); /* the outer one goes on */
	ck_assert(!holt_task_done(t));
	r = holt_group_close(outer, hand_on ? r : 0);
	ck_assert_int_eq(holt_task_result(t), hand_on ? -ECANCELED : 0);
	holt_task_unref(t);
	return r;
}

TEST(failure_of_an_inner_group_cancels_the_outer_one_when_the_opener_hands_it_on)
{
	ck_assert_int_eq(run_clean(fail_inside_of_an_outer_group, NUMBER(1)), -EIO);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
	ck_assert_int_eq(run_clean(fail_inside_of_an_outer_group, NULL), 0);
	ck_assert_uint_eq(harness_time(), HOLT_SEC + 10 * HOLT_HOUR);
}

struct heads {
	holt_group *g;
	int begun, ended, until;
};

static int grows_two(void *arg)
{
	struct heads *h = arg;
	int r;

	h->begun++;
	r = holt_sleep(10 * HOLT_MS);
	if (r == 0)
		r = holt_spawn(h->g, grows_two, h);
	if (r == 0)
		r = holt_spawn(h->g, grows_two, h);
	h->ended++;
	return r;
}

static int ends_it(void *arg)
{
	struct heads *h = arg;

	while (h->begun < 100)
		ck_assert_int_eq(holt_sleep(10 * HOLT_MS), 0);
	h->until = h->begun;
	return -EIO;
}

static int grow(void *arg)
{
	struct heads *h = arg;

	ck_assert_int_eq(holt_group_open(&h->g), 0);
	ck_assert_int_eq(holt_spawn(h->g, grows_two, h), 0);
	ck_assert_int_eq(holt_spawn(h->g, ends_it, h), 0);
	return holt_group_close(h->g, 0);
}

TEST(failure_ends_a_group_whose_members_spawn_more_and_more)
{
	struct heads h = { .begun = 0 };

	ck_assert_int_eq(run_clean(grow, &h), -EIO);
	ck_assert_int_ge(h.until, 100);
	ck_assert_int_gt(h.begun, h.until); /* who had slept already went on, and what it spawned was born canceled */
	ck_assert_int_eq(h.begun, h.ended);
}

static int sleeps_300_ms(void *arg)
{
	(void)arg;
	return holt_sleep(300 * HOLT_MS);
}

static int leave_one_by_one(void *arg)
{
	struct holt__stacks *s = &holt__here->stacks;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(holt_sleep(100 * HOLT_MS), 0);
		ck_assert_int_eq(holt_spawn(g, sleeps_300_ms, NULL), 0);
		ck_assert_uint_le(holt_group_count(g), 4);
	}
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_uint_eq(holt_group_count(g), 0);
	ck_assert_ptr_null(g->first);
	ck_assert_ptr_null(g->ended_first);
	ck_assert_uint_le(s->n_warm, 4); /* and the next ones had their stacks */
	return holt_group_close(g, 0);
}

TEST(ended_tasks_leave_their_group_while_it_is_open)
{
	ck_assert_int_eq(run_clean(leave_one_by_one, NULL), 0);
}

/* Members that the group itself canceled, then one that was canceled from outside, then one that fails. */
static int canceled_twice_and_failed(void *arg)
{
	int *given = arg;
	struct holt_scope outer;
	holt_group *g = NULL;
	int r;

	holt_scope_begin(&outer, HOLT_NEVER, 0);
	ck_assert_int_eq(holt_group_open(&g, .name = "g"), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(g, NULL);
	wait_shielded(100 * HOLT_MS);
	ck_assert_uint_eq(holt_group_count(g), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	holt_scope_cancel(&outer, NULL);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-ENXIO), .name = "fails"), 0);
	r = holt_group_close(g, *given);
	ck_assert_int_eq((int)holt_scope_end(&outer, r), r);
	ck_assert_int_eq(holt_check(), 0);
	return r;
}

TEST(cancellation_from_outside_covers_a_failure_beside_it_which_is_logged)
{
	int given = 0;

	ck_assert_int_eq(run_clean(canceled_twice_and_failed, &given), -ECANCELED);
	ck_assert_uint_eq(harness_count(harness_log(), "g/fails failed: No such device or address"), 1);
	ck_assert_uint_eq(harness_count(harness_log(), "\n"), 1);
	given = -EIO; /* the opener's own failure is told before both */
	ck_assert_int_eq(run_clean(canceled_twice_and_failed, &given), -EIO);
}

static int close_empty_ones_while_canceled(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	for (int kind = HOLT_ALL; kind <= HOLT_EACH; kind++) {
		holt_group *g = NULL;

		ck_assert_int_eq(holt_group_open(&g, .kind = (enum holt_kind)kind), 0);
		ck_assert_int_eq(holt_group_close(g, 5), 5);
		ck_assert_int_eq(holt_group_open(&g, .kind = (enum holt_kind)kind), 0);
		ck_assert_int_eq(holt_group_close(g, -EIO), -EIO);
		ck_assert_int_eq(holt_group_open(&g, .kind = (enum holt_kind)kind), 0);
		ck_assert_int_eq(holt_spawn(g, give, NUMBER(3)), 0); /* it makes no blocking call */
		ck_assert_int_eq(holt_group_close(g, 5), kind == HOLT_ANY ? 3 : 5);
	}
	holt_scope_end(&s, 0);
	return 0;
}

/* What was said first, a stop, is the reason of the group; the line of the failure has the failure's own. */
static int failed_after_a_stop(void *arg)
{
	const int *kind = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .name = "g", .kind = (enum holt_kind) * kind, .grace = HOLT_MIN), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-ENXIO), .name = "fails"), 0);
	holt_group_stop(g, "a stop");
	holt_sleep(HOLT_SEC);
	ck_assert_str_eq(holt_why(), "a stop");
	return holt_group_close(g, -EIO);
}

TEST_LOOP(failure_that_a_result_covers_is_logged_with_its_path_whatever_the_reason_of_the_group, HOLT_ALL, HOLT_EACH)
{
	ck_assert_int_eq(run_clean(failed_after_a_stop, &_i), -EIO);
	ck_assert_str_eq(harness_log(),
		"<4>g/fails failed: No such device or address (beside the group's own result: Input/output error)\n");
}

TEST(close_is_no_cancellation_point_of_its_own)
{
	ck_assert_int_eq(run_clean(close_empty_ones_while_canceled, NULL), 0);
}

static int open_too_late(void *arg)
{
	struct holt_scope s;
	holt_group *g = NULL;
	holt_task *t = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .deadline = holt_now()), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), -ECANCELED);
	ck_assert_int_eq(holt_group_close(g, 5), -ETIME);
	ck_assert_int_eq(holt_task_result(t), -ECANCELED); /* it ran */
	holt_task_unref(t);
	ck_assert_int_eq(holt_yield(), 0);

	ck_assert_int_eq(holt_group_open(&g, .deadline = 1), 0);
	ck_assert_int_eq(holt_group_close(g, 5), 5); /* nobody was late */

	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq(holt_group_open(&g, .deadline = 1), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	ck_assert_int_eq(holt_group_close(g, 5), -ECANCELED); /* further out came first */
	return (int)holt_scope_end(&s, 0);
}

TEST(group_whose_deadline_is_past_is_born_canceled_and_says_etime_only_if_that_cut_somebody)
{
	ck_assert_int_eq(run_clean(open_too_late, NULL), 0);
	ck_assert_uint_eq(harness_time(), 0);
}

static int swallows(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		if (holt_sleep(HOLT_SEC) == 0)
			note("slept");
	return 6;
}

static int canceled_but_says_success(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, swallows, NULL), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(g, NULL);
	return holt_group_close(g, 5);
}

TEST(task_that_swallows_each_cancellation_ends_at_once_and_was_not_cut)
{
	ck_assert_int_eq(run_clean(canceled_but_says_success, NULL), 5);
	ck_assert_str_eq(trace, "");
	ck_assert_uint_eq(harness_time(), 0);
}

/* ---- opening, and misuse */

static int open_badly(void *arg)
{
	struct {
		struct holt_group_options known;
		uint64_t unknown;
	} longer = { .known.size = sizeof longer };
	struct holt_group_options tiny = { .size = 3 };
	holt_group *g = (holt_group *)1;

	(void)arg;
	ck_assert_int_eq(holt_group_open_with(NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_group_open(&g, .kind = (enum holt_kind)3), -EINVAL);
	ck_assert_int_eq(holt_group_open_with(&g, &tiny), -EINVAL);
	longer.unknown = 1;
	ck_assert_int_eq(holt_group_open_with(&g, &longer.known), -E2BIG);
	ck_assert_ptr_eq(g, (holt_group *)1); /* outputs are written on success only */
	longer.unknown = 0;
	ck_assert_int_eq(holt_group_open_with(&g, &longer.known), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(holt_group_open_with(&g, NULL), 0);
	ck_assert_int_eq(holt_finally(NULL, note_word, NULL), -EINVAL);
	ck_assert_int_eq(holt_finally(g, NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_group_wait(NULL), -EINVAL);
	ck_assert_uint_eq(holt_group_count(NULL), 0);
	holt_group_stop(NULL, NULL);
	holt_group_cancel(NULL, NULL);
	return holt_group_close(g, 0);
}

TEST(open_refuses_what_it_does_not_know)
{
	ck_assert_int_eq(run_clean(open_badly, NULL), 0);
}

TEST(groups_are_opened_and_closed_in_tasks_only)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), -EPERM);
	ck_assert_ptr_null(g);
}

struct misused {
	holt_group *g;
	int close, calls;
	struct holt_event done;
};

static int closes_another_ones(void *arg)
{
	struct misused *m = arg;

	m->close = holt_group_close(m->g, 0);
	return 0;
}

static void closes_outside_tasks(void *arg)
{
	struct misused *m = arg;

	ck_assert_int_eq(holt_group_close(m->g, 0), -EPERM);
	ck_assert_int_eq(holt_group_wait(m->g), -EPERM);
	ck_assert_int_eq(holt_finally(m->g, note_word, WORD("finally")), 0);
	ck_assert_int_eq(holt_spawn(m->g, note_it, WORD("spawned")), 0);
	ck_assert_int_eq(holt_spawn(m->g, note_it, WORD("no")), -EPERM); /* it would have to wait for room */
	ck_assert_int_eq(holt_spawn(m->g, note_it, WORD("no"), .until_ready = true), -EPERM);
	holt_event_set(&m->done);
}

static int close_wrongly(void *arg)
{
	struct misused *m = arg;
	struct holt_scope s;
	holt_group *inner = NULL;

	ck_assert_int_eq(holt_group_open(&m->g, .limit = 1), 0);
	ck_assert_int_eq(holt_spawn(m->g, closes_another_ones, m), 0);
	ck_assert_int_eq(holt_group_wait(m->g), 0);
	ck_assert_int_eq(m->close, -EPERM);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	ck_assert_int_eq(holt_group_close(m->g, 0), -EINVAL);
	ck_assert_int_eq(holt_group_open(&inner), 0);
	ck_assert_int_eq(holt_group_close(m->g, -EIO), -EINVAL); /* nothing is done: neither canceled nor closed */
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_group_close(inner, 0), 0);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), closes_outside_tasks, m), 0);
	ck_assert_int_eq(holt_event_wait(&m->done), 0);
	return holt_group_close(m->g, 0);
}

TEST(close_out_of_order_or_by_another_is_refused_and_the_group_stays_open)
{
	struct misused m = { .close = 1 };

	ck_assert_int_eq(run_clean(close_wrongly, &m), 0);
	ck_assert_str_eq(trace, "spawned finally ");
}

static int closes_in_finally(void *arg, int result)
{
	struct misused *m = arg;

	(void)result;
	m->calls++;
	m->close = holt_group_close(m->g, 0);
	return 0;
}

static int close_in_finally(void *arg)
{
	struct misused *m = arg;

	ck_assert_int_eq(holt_group_open(&m->g), 0);
	ck_assert_int_eq(holt_finally(m->g, closes_in_finally, m), 0);
	return holt_group_close(m->g, 0);
}

TEST(handler_cannot_close_its_own_group)
{
	struct misused m = { .close = 1 };

	ck_assert_int_eq(run_clean(close_in_finally, &m), 0);
	ck_assert_int_eq(m.close, -EINVAL);
	ck_assert_int_eq(m.calls, 1);
}

static int leaves_early(void *arg)
{
	(void)arg;
	{
		holt_auto(group) g = NULL;
		holt_auto(group) none = NULL; /* never opened */

		ck_assert_int_eq(holt_group_open(&g), 0);
		ck_assert_int_eq(holt_finally(g, note_word, WORD("finally")), 0);
		ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
		ck_assert_int_eq(holt_yield(), 0);
		ck_assert_ptr_null(none);
		errno = EXDEV;
	}
	ck_assert_int_eq(errno, EXDEV);
	note("behind");
	return 0;
}

TEST(auto_group_cancels_joins_and_keeps_errno)
{
	ck_assert_int_eq(run_clean(leaves_early, NULL), 0);
	ck_assert_str_eq(trace, "finally behind ");
	ck_assert_uint_eq(harness_time(), 0);
}

static int leaves_a_group_open(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	return holt_group_open(&g, .name = "forgotten");
}

static int holds_a_careless_task(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	holt_group_open(&g, .name = "web");
	holt_spawn(g, leaves_a_group_open, NULL, .name = "careless");
	return holt_group_close(g, 0);
}

static int leave_a_group_open(void *arg)
{
	return holt_run(holds_a_careless_task, arg);
}

TEST(task_that_returns_with_an_open_group_aborts_by_name)
{
	int status = harness_child(leave_a_group_open, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_ptr_nonnull(strstr(harness_output(), "task web/careless returned with an open group"));
}

static int opens_in_finally(void *arg, int result)
{
	holt_group *g = NULL;

	(void)arg;
	(void)result;
	return holt_group_open(&g);
}

static int leave_open_in_finally(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	holt_group_open(&g);
	holt_finally(g, opens_in_finally, NULL);
	return holt_group_close(g, 0);
}

static int run_leave_open_in_finally(void *arg)
{
	return holt_run(leave_open_in_finally, arg);
}

TEST(handler_that_returns_with_an_open_group_aborts)
{
	int status = harness_child(run_leave_open_in_finally, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_ptr_nonnull(strstr(harness_output(), "finally handler returned with an open"));
}

/* ---- failures are told to .failed, of every kind of group, and then not to the log */

struct told {
	int n, result[4];
	uint64_t id[4];
	char path[4][32];
	holt_group *again;
};

static void tell(void *arg, const struct holt_failure *f)
{
	struct told *t = arg;

	t->result[t->n] = f->result;
	t->id[t->n] = f->id;
	snprintf(t->path[t->n], sizeof t->path[0], "%s", f->path);
	if (t->again) {
		ck_assert_int_eq(holt_spawn(t->again, note_it, WORD("again")), 0);
		t->again = NULL;
	}
	t->n++;
}

static int fail_twice(struct told *told, enum holt_kind kind, bool again)
{
	holt_group *web = NULL, *g = NULL;
	holt_task *one = NULL, *two = NULL;

	ck_assert_int_eq(holt_group_open(&web, .name = "web"), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = kind, .failed = tell, .failed_arg = told), 0);
	told->again = again ? g : NULL;
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-EIO), .name = "one", .task = &one), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-EPIPE), .name = "two", .task = &two), 0);
	ck_assert_int_eq(holt_group_close(g, 0), kind == HOLT_ALL ? -EIO : kind == HOLT_ANY ? (again ? 0 : -EPIPE) : 0);
	ck_assert_uint_eq(told->id[0], holt_task_id(one));
	ck_assert_uint_eq(told->id[1], holt_task_id(two));
	holt_task_unref(one);
	holt_task_unref(two);
	return holt_group_close(web, 0);
}

static int fail_twice_all(void *arg)
{
	return fail_twice(arg, HOLT_ALL, false);
}

static int fail_twice_any(void *arg)
{
	return fail_twice(arg, HOLT_ANY, false);
}

static int fail_twice_each(void *arg)
{
	return fail_twice(arg, HOLT_EACH, false);
}

TEST_LOOP(each_failure_goes_to_failed_with_path_and_id_and_not_to_the_log, 0, 3)
{
	static const holt_fn fn[] = { fail_twice_all, fail_twice_any, fail_twice_each };
	struct told t = { .n = 0 };

	ck_assert_int_eq(run_clean(fn[_i], &t), 0);
	ck_assert_int_eq(t.n, 2);
	ck_assert_int_eq(t.result[0], -EIO);
	ck_assert_int_eq(t.result[1], -EPIPE);
	ck_assert_str_eq(t.path[0], "web/one");
	ck_assert_str_eq(t.path[1], "web/two");
	ck_assert_str_eq(harness_log(), "");
}

static int fail_and_spawn_again(void *arg)
{
	return fail_twice(arg, HOLT_EACH, true);
}

TEST(failed_may_spawn_into_the_group)
{
	struct told t = { .n = 0 };

	ck_assert_int_eq(run_clean(fail_and_spawn_again, &t), 0);
	ck_assert_int_eq(t.n, 2);
	ck_assert_str_eq(trace, "again ");
}

static void may_not_sleep(void *arg, const struct holt_failure *f)
{
	(void)f;
	*(int *)arg = holt_sleep(HOLT_SEC);
}

static int sleep_in_failed(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .failed = may_not_sleep, .failed_arg = arg), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-EIO)), 0);
	return holt_group_close(g, 0);
}

TEST(failed_cannot_suspend)
{
	int r = 0;

	ck_assert_int_eq(run_clean(sleep_in_failed, &r), 0);
	ck_assert_int_eq(r, -EPERM);
}

static int fail_each(void *arg)
{
	holt_group *web = NULL, *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&web, .name = "web"), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-EIO), .name = "api"), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-ECANCELED)), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	return holt_group_close(web, 0);
}

TEST(each_group_logs_a_failure_at_warning_with_path_and_error)
{
	ck_assert_int_eq(run_clean(fail_each, NULL), 0);
	ck_assert_str_eq(harness_log(), "<4>web/api failed: Input/output error\n");
}

/* ---- limit */

struct limited {
	holt_group *g;
	int now, most, started, ended, inside, deeper;
	struct holt_event go;
};

static int counted(void *arg)
{
	struct limited *l = arg;
	int r;

	l->started++;
	if (++l->now > l->most)
		l->most = l->now;
	r = holt_sleep(HOLT_SEC);
	l->now--;
	l->ended++;
	return r;
}

static int spawn_twenty(void *arg)
{
	struct limited *l = arg;

	ck_assert_int_eq(holt_group_open(&l->g, .limit = 3), 0);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(holt_spawn(l->g, counted, l), 0);
		ck_assert_uint_le(holt_group_count(l->g), 3);
	}
	return holt_group_close(l->g, 0);
}

TEST(group_never_holds_more_than_its_limit)
{
	struct limited l = { .now = 0 };

	ck_assert_int_eq(run_clean(spawn_twenty, &l), 0);
	ck_assert_int_eq(l.ended, 20);
	ck_assert_int_eq(l.most, 3);
	ck_assert_uint_eq(harness_time(), 7 * HOLT_SEC);
}

static int spawns_from_deeper(void *arg)
{
	struct limited *l = arg;

	l->deeper = holt_spawn(l->g, note_it, WORD("no"));
	return 0;
}

static int spawns_from_inside(void *arg)
{
	struct limited *l = arg;
	holt_group *own = NULL;

	l->inside = holt_spawn(l->g, note_it, WORD("no"));
	ck_assert_int_eq(holt_group_open(&own), 0);
	ck_assert_int_eq(holt_spawn(own, spawns_from_deeper, l), 0);
	return holt_group_close(own, 0);
}

static int spawn_at_the_limit_from_inside(void *arg)
{
	struct limited *l = arg;

	ck_assert_int_eq(holt_group_open(&l->g, .limit = 1), 0);
	ck_assert_int_eq(holt_spawn(l->g, spawns_from_inside, l), 0);
	return holt_group_close(l->g, 0);
}

TEST(task_inside_a_full_group_at_any_depth_does_not_wait_for_room)
{
	struct limited l = { .now = 0 };

	ck_assert_int_eq(run_clean(spawn_at_the_limit_from_inside, &l), 0);
	ck_assert_int_eq(l.inside, -EDEADLK);
	ck_assert_int_eq(l.deeper, -EDEADLK);
	ck_assert_str_eq(trace, "");
}

static int spawn_below_the_limit_from_inside(void *arg)
{
	struct limited *l = arg;

	ck_assert_int_eq(holt_group_open(&l->g, .limit = 3), 0);
	ck_assert_int_eq(holt_spawn(l->g, spawns_from_inside, l), 0);
	return holt_group_close(l->g, 0);
}

TEST(task_inside_a_group_with_room_may_spawn)
{
	struct limited l = { .inside = 1, .deeper = 1 };

	ck_assert_int_eq(run_clean(spawn_below_the_limit_from_inside, &l), 0);
	ck_assert_int_eq(l.inside, 0);
	ck_assert_int_eq(l.deeper, 0);
	ck_assert_str_eq(trace, "no no ");
}

static int wants_room(void *arg)
{
	struct limited *l = arg;
	int r = holt_spawn(l->g, counted, l);

	if (r < 0)
		note(r == -ECANCELED ? "canceled" : "error");
	return r;
}

static int cancel_who_waits_for_room(void *arg)
{
	struct limited *l = arg;
	holt_group *spawners = NULL;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&l->g, .limit = 1), 0);
	ck_assert_int_eq(holt_group_open(&spawners, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(l->g, counted, l), 0);
	ck_assert_int_eq(holt_spawn(spawners, wants_room, l, .task = &t), 0);
	ck_assert_int_eq(holt_spawn(spawners, wants_room, l), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t, NULL);
	holt_task_unref(t);
	ck_assert_int_eq(holt_group_close(spawners, 0), 0);
	return holt_group_close(l->g, 0);
}

TEST(canceled_waiter_for_room_starts_nothing_and_takes_no_room)
{
	struct limited l = { .now = 0 };

	ck_assert_int_eq(run_clean(cancel_who_waits_for_room, &l), 0);
	ck_assert_int_eq(l.started, 2);
	ck_assert_int_eq(l.most, 1);
	ck_assert_str_eq(trace, "canceled ");
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int close_with_waiters_for_room(void *arg)
{
	struct limited *l = arg;
	holt_group *spawners = NULL, *g = NULL;

	ck_assert_int_eq(holt_group_open(&spawners), 0);
	ck_assert_int_eq(holt_group_open(&g, .limit = 1), 0);
	l->g = g;
	ck_assert_int_eq(holt_spawn(g, counted, l), 0);
	ck_assert_int_eq(holt_spawn(spawners, wants_room, l), 0);
	ck_assert_int_eq(holt_spawn(spawners, wants_room, l), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_group_close(g, l->inside), l->inside);
	note("closed");
	return holt_group_close(spawners, 0);
}

TEST(close_waits_for_those_who_were_waiting_for_room)
{
	struct limited l = { .now = 0 };

	ck_assert_int_eq(run_clean(close_with_waiters_for_room, &l), 0);
	ck_assert_int_eq(l.ended, 3);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
}

TEST(those_who_were_waiting_for_room_start_canceled_when_the_group_is)
{
	struct limited l = { .inside = -EIO };

	ck_assert_int_eq(run_clean(close_with_waiters_for_room, &l), 0);
	ck_assert_int_eq(l.ended, 3);
	ck_assert_uint_eq(harness_time(), 0);
}

/*
 * A task that made 128 calls that did not wait gives way at the next one. The next one is a spawn into a full group,
 * and while it gave way, the group became empty: nobody would ever have woken it.
 */
static int spawn_with_no_budget_left(void *arg)
{
	struct limited *l = arg;
	struct holt_sem permits = HOLT_SEM_INIT(0);
	holt_group *g = NULL;
	int n = (int)(intptr_t)l->inside;

	ck_assert_int_eq(holt_group_open(&g, .limit = 1), 0);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("first")), 0);
	ck_assert_int_eq(holt_sem_release(&permits), 0);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(holt_sem_acquire(&permits), 0);
		ck_assert_int_eq(holt_sem_release(&permits), 0);
	}
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("second")), 0);
	return holt_group_close(g, 0);
}

TEST_LOOP(spawn_at_the_limit_finds_room_that_came_while_it_gave_way, 120, 136)
{
	struct limited l = { .inside = _i };

	ck_assert_int_eq(run_clean(spawn_with_no_budget_left, &l), 0);
	ck_assert_str_eq(trace, "first second ");
}

struct late {
	holt_group *g;
	int n, r;
	holt_task *task;
};

static int spawns_late(void *arg)
{
	struct late *l = arg;
	struct holt_sem permits = HOLT_SEM_INIT(1);

	for (int i = 0; i < l->n; i++) {
		ck_assert_int_eq(holt_sem_acquire(&permits), 0);
		ck_assert_int_eq(holt_sem_release(&permits), 0);
	}
	l->r = holt_spawn(l->g, note_it, WORD("task"), .until_ready = true, .task = &l->task);
	holt_task_unref(l->task);
	return 0;
}

static int handler_takes_its_time(void *arg, int result)
{
	(void)arg;
	(void)result;
	note("finally");
	return holt_sleep(HOLT_SEC);
}

/* The group goes on to its finally handlers while the spawner gives way: no task may start beside them. */
static int close_while_a_spawner_gives_way(void *arg)
{
	struct late *l = arg;
	holt_group *spawners = NULL;

	ck_assert_int_eq(holt_group_open(&spawners), 0);
	ck_assert_int_eq(holt_group_open(&l->g), 0);
	ck_assert_int_eq(holt_finally(l->g, handler_takes_its_time, NULL), 0);
	ck_assert_int_eq(holt_spawn(spawners, spawns_late, l), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_group_close(l->g, 0), 0);
	return holt_group_close(spawners, 0);
}

TEST_LOOP(spawn_that_gave_way_starts_nothing_beside_finally_handlers, 120, 136)
{
	struct late l = { .n = _i };

	ck_assert_int_eq(run_clean(close_while_a_spawner_gives_way, &l), 0);
	if (l.r == 0)
		ck_assert_str_eq(trace, "task finally ");
	else
		ck_assert_str_eq(trace, "finally ");
	ck_assert(l.r == 0 || l.r == -ESHUTDOWN);
	ck_assert(l.r == 0 || l.task == NULL);
}

/* ---- until_ready */

struct start {
	int result, steps, spawned;
	holt_task *task;
	bool says_ready;
};

static int starts_up(void *arg)
{
	struct start *s = arg;

	for (int i = 0; i < s->steps; i++)
		if (holt_sleep(HOLT_SEC) < 0)
			return -ECANCELED;
	if (s->says_ready) {
		ck_assert_int_eq(holt_ready(), 0);
		ck_assert_int_eq(holt_ready(), 0);
		note("ready");
		ck_assert_int_eq(holt_sleep(HOLT_MIN), 0);
	}
	note("end");
	return s->result;
}

static int start_it(void *arg)
{
	struct start *s = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	s->spawned = holt_spawn(g, starts_up, s, .until_ready = true, .task = &s->task);
	note("spawned");
	ck_assert_ptr_nonnull(s->task);
	ck_assert(holt_task_done(s->task) == !s->says_ready);
	holt_task_unref(s->task);
	return holt_group_close(g, 0);
}

TEST(until_ready_returns_when_the_task_says_that_it_is)
{
	struct start s = { .steps = 3, .says_ready = true };

	ck_assert_int_eq(run_clean(start_it, &s), 0);
	ck_assert_int_eq(s.spawned, 0);
	ck_assert_str_eq(trace, "ready spawned end ");
}

TEST(until_ready_gives_the_result_of_a_task_that_failed_before_it_was_ready)
{
	struct start s = { .steps = 3, .result = -ENXIO };

	ck_assert_int_eq(run_clean(start_it, &s), 0);
	ck_assert_int_eq(s.spawned, -ENXIO);
	ck_assert_str_eq(trace, "end spawned ");
}

TEST(until_ready_gives_0_for_a_task_that_ended_well_before_it_was_ready)
{
	struct start s = { .steps = 0, .result = 9 };

	ck_assert_int_eq(run_clean(start_it, &s), 0);
	ck_assert_int_eq(s.spawned, 0);
	ck_assert_str_eq(trace, "end spawned ");
}

static int starts_several(void *arg)
{
	holt_group *g = arg;

	for (int i = 0; i < 3; i++) {
		struct start s = { .steps = 1, .says_ready = true };

		ck_assert_int_eq(holt_spawn(g, starts_up, &s, .until_ready = true, .copy = sizeof s), 0);
	}
	return 0;
}

static int start_in_the_limit(void *arg)
{
	holt_group *g = NULL, *spawners = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .limit = 2), 0);
	ck_assert_int_eq(holt_group_open(&spawners), 0);
	ck_assert_int_eq(holt_spawn(spawners, starts_several, g), 0);
	ck_assert_int_eq(holt_group_close(spawners, 0), 0);
	return holt_group_close(g, 0);
}

TEST(until_ready_waits_for_room_first)
{
	ck_assert_int_eq(run_clean(start_in_the_limit, NULL), 0);
	ck_assert_str_eq(trace, "ready ready end end ready end ");
}

/* One who starts, in a group that is not the one it starts into. */
struct starter {
	holt_group *g;
	holt_fn fn;
	void *arg;
	holt_task *task;
	int r, check;
	holt_time at;
};

static int starts_one(void *arg)
{
	struct starter *s = arg;

	s->r = holt_spawn(s->g, s->fn, s->arg, .until_ready = true, .task = &s->task);
	s->check = holt_check();
	s->at = harness_time();
	holt_task_unref(s->task);
	return 0;
}

static int fails_before_it_is_ready(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	return -ENXIO;
}

static int start_what_fails(void *arg)
{
	struct starter *s = arg;
	holt_group *starters = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&starters), 0);
	ck_assert_int_eq(holt_group_open(&s->g, .failed = NULL), 0);
	ck_assert_int_eq(holt_spawn(s->g, sleep_long, NULL), 0);
	s->fn = fails_before_it_is_ready;
	if (s->arg) {
		starts_one(s); /* the opener itself, who is canceled by the failure */
		ck_assert_int_eq(s->check, -ECANCELED);
	} else {
		ck_assert_int_eq(holt_spawn(starters, starts_one, s), 0);
	}
	r = holt_group_close(s->g, 0);
	ck_assert_int_eq(holt_group_close(starters, 0), 0);
	return r;
}

TEST_LOOP(failure_before_it_is_ready_is_told_to_the_starter_and_is_one_of_the_group_too, 0, 2)
{
	struct starter s = { .arg = NUMBER(_i), .r = 1 };

	ck_assert_int_eq(run_clean(start_what_fails, &s), -ENXIO);
	ck_assert_int_eq(s.r, -ENXIO);
	ck_assert_uint_eq(s.at, HOLT_SEC);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

static int fails_later(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_ready(), 0); /* nobody waits any more */
	return -ENXIO;
}

static int cancel_the_starter(void *arg)
{
	struct starter *s = arg;
	holt_group *starters = NULL;

	ck_assert_int_eq(holt_group_open(&s->g), 0);
	ck_assert_int_eq(holt_group_open(&starters), 0);
	s->fn = fails_later;
	ck_assert_int_eq(holt_spawn(starters, starts_one, s), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(starters, NULL);
	ck_assert_int_eq(holt_group_close(starters, 5), 5);
	return holt_group_close(s->g, 0);
}

TEST(task_whose_starter_was_canceled_goes_on_and_its_failure_is_its_groups)
{
	struct starter s = { .r = 1 };

	ck_assert_int_eq(run_clean(cancel_the_starter, &s), -ENXIO);
	ck_assert_int_eq(s.r, -ECANCELED);
	ck_assert_uint_eq(s.at, HOLT_SEC);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

/* Starts children of its own first, and is ready in spite of a cancellation if arg says so. */
static int starts_children(void *arg)
{
	struct starter *s = arg;
	holt_group *g = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	r = holt_sleep(2 * HOLT_SEC);
	if (s->arg) {
		ck_assert_int_eq(holt_ready(), 0);
		note(r == 0 ? "ready" : "ready-though-canceled");
	}
	return holt_group_close(g, r);
}

struct into_canceled {
	int cancel_at; /* seconds; 0: before the start */
	bool says_ready;
	int r, seconds;
	const char *trace;
};

static const struct into_canceled into_canceled[] = {
	{ 0, false, -ECANCELED, 0, "" },
	{ 0, true, 0, 0, "ready-though-canceled " },
	{ 1, false, -ECANCELED, 1, "" },
	{ 1, true, 0, 1, "ready-though-canceled " },
	{ 3, true, 0, 3, "ready " },
};

static int start_into_canceled(void *arg)
{
	const struct into_canceled *i = arg;
	struct starter child = { .arg = i->says_ready ? arg : NULL }, s = { .fn = starts_children, .arg = &child, .r = 1 };
	holt_group *starters = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&starters), 0);
	ck_assert_int_eq(holt_group_open(&s.g), 0);
	if (i->cancel_at == 0)
		holt_group_cancel(s.g, NULL);
	ck_assert_int_eq(holt_spawn(starters, starts_one, &s), 0);
	if (i->cancel_at > 0) {
		ck_assert_int_eq(holt_sleep((holt_time)i->cancel_at * HOLT_SEC), 0);
		holt_group_cancel(s.g, NULL);
	} else {
		wait_shielded(1); /* the opener is canceled, too; an empty group would be gone before anybody starts */
	}
	r = holt_group_close(s.g, 0);
	ck_assert_int_eq(holt_group_close(starters, 0), 0);
	ck_assert_ptr_nonnull(s.task); /* it ran, and owned its arg */
	ck_assert_int_eq(s.r, i->r);
	ck_assert_int_eq(s.check, 0); /* who started it is not canceled, whatever the start said */
	return r;
}

TEST_LOOP(start_in_a_group_that_is_canceled_tells_how_the_task_took_it, 0, HOLT__N(into_canceled))
{
	ck_assert_int_eq(run_clean(start_into_canceled, WORD(&into_canceled[_i])), 0);
	ck_assert_str_eq(trace, into_canceled[_i].trace);
	ck_assert_uint_eq(harness_time() / HOLT_SEC, into_canceled[_i].seconds);
}

static int close_during_a_start(void *arg)
{
	struct start a = { .steps = 3, .says_ready = true }, b = { .steps = 5, .result = -ENXIO };
	struct starter first = { .fn = starts_up, .arg = &a }, second = { .fn = starts_up, .arg = &b };
	holt_group *starters = NULL, *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&starters), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	first.g = second.g = g;
	ck_assert_int_eq(holt_spawn(starters, starts_one, &first), 0);
	ck_assert_int_eq(holt_spawn(starters, starts_one, &second), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	note("closed");
	ck_assert_int_eq(holt_group_close(starters, 0), 0);
	ck_assert_int_eq(first.r, 0);
	ck_assert_int_eq(second.r, -ENXIO);
	ck_assert_uint_eq(first.at, 3 * HOLT_SEC);
	ck_assert_uint_eq(second.at, 5 * HOLT_SEC);
	return 0;
}

TEST(close_waits_for_tasks_that_are_being_started_and_their_starters_are_told)
{
	ck_assert_int_eq(run_clean(close_during_a_start, NULL), 0);
	ck_assert_str_eq(trace, "ready end end closed ");
	ck_assert_uint_eq(harness_time(), HOLT_MIN + 3 * HOLT_SEC);
}

struct hurry {
	holt_group *g;
	holt_task *task;
	int r;
	holt_time at;
};

static int starts_slowly(void *arg)
{
	struct hurry *h = arg;

	h->r = holt_spawn(h->g, sleep_long, NULL, .until_ready = true, .task = &h->task);
	h->at = harness_time();
	return 0;
}

static int cancel_between_room_and_ready(void *arg)
{
	struct hurry *h = arg;
	holt_group *starters = NULL;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&h->g, .limit = 1), 0);
	ck_assert_int_eq(holt_group_open(&starters), 0);
	ck_assert_int_eq(holt_spawn(h->g, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_spawn(starters, starts_slowly, h, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0); /* the member has just ended, and the starter was given its room */
	holt_task_cancel(t, NULL);
	holt_task_unref(t);
	ck_assert_int_eq(holt_group_close(starters, 0), 0);
	ck_assert(h->task == NULL || h->r == -ECANCELED);
	ck_assert_uint_eq(holt_group_count(h->g), h->task ? 1 : 0);
	holt_group_cancel(h->g, NULL);
	holt_task_unref(h->task);
	return holt_group_close(h->g, 0);
}

TEST(until_ready_that_was_canceled_when_it_got_room_does_not_wait_again)
{
	struct hurry h = { .r = 1 };

	ck_assert_int_eq(run_clean(cancel_between_room_and_ready, &h), 0);
	ck_assert_int_eq(h.r, -ECANCELED);
	ck_assert_uint_eq(h.at, HOLT_SEC);
}

/* ---- background */

static int ticks(void *arg)
{
	int *n = arg, r;

	while ((r = holt_sleep(HOLT_SEC)) == 0)
		++*n;
	return r;
}

static int with_a_ticker(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .limit = 1), 0);
	ck_assert_int_eq(holt_spawn(g, ticks, arg, .background = true), 0);
	ck_assert_int_eq(holt_spawn(g, ticks, arg, .background = true), 0);
	ck_assert_uint_eq(holt_group_count(g), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL), 0); /* there is room: they do not count */
	ck_assert_uint_eq(holt_group_count(g), 1);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	return holt_group_close(g, 5);
}

TEST(background_tasks_run_until_no_other_is_left_and_are_canceled_then)
{
	int n = 0;

	ck_assert_int_eq(run_clean(with_a_ticker, &n), 5);
	ck_assert_int_ge(n, 2 * 36000);
	ck_assert_uint_eq(harness_time(), 10 * HOLT_HOUR + HOLT_SEC);
}

static int only_a_ticker(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, ticks, arg, .background = true), 0);
	return holt_group_close(g, 5);
}

TEST(close_cancels_background_tasks_at_once_when_there_is_no_other)
{
	int n = 0;

	ck_assert_int_eq(run_clean(only_a_ticker, &n), 5);
	ck_assert_int_eq(n, 0);
	ck_assert_str_eq(harness_log(), "");
}

static int spawns_at_its_end(void *arg)
{
	holt_group *g = arg;
	int n = 0;

	ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED);
	note("canceled");
	ck_assert_int_eq(holt_spawn(g, ticks, &n, .background = true), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL), 0); /* in an open group: it is waited for */
	wait_shielded(HOLT_MIN);
	note("end");
	return 0;
}

static int with_a_spawning_background(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, spawns_at_its_end, g, .background = true), 0);
	return holt_group_close(g, 0);
}

TEST(background_task_that_spawns_when_it_is_canceled_keeps_the_group_open)
{
	ck_assert_int_eq(run_clean(with_a_spawning_background, NULL), 0);
	ck_assert_str_eq(trace, "canceled end ");
	ck_assert_uint_eq(harness_time(), HOLT_MIN);
}

/* ---- ended tasks that are kept */

static int take_as_they_end(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;
	int n = 0;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_group_next(g, &t), -ENOENT);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(3)), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(1)), 0);
	ck_assert_int_eq(holt_spawn(g, ticks, &n, .background = true), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(2)), 0);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(holt_group_next(g, &t), 0);
		ck_assert(holt_task_done(t));
		ck_assert_int_eq(holt_task_result(t), i);
		holt_task_unref(t);
	}
	ck_assert_int_eq(holt_group_next(g, &t), -ENOENT);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-EIO)), 0); /* and again */
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(5)), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(holt_group_next(g, &t), 0);
	ck_assert_int_eq(holt_task_result(t), -EIO);
	holt_task_unref(t);
	return holt_group_close(g, 0); /* the second is given back */
}

TEST(next_gives_each_task_once_in_the_order_in_which_they_end)
{
	ck_assert_int_eq(run_clean(take_as_they_end, NULL), 0);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
}

static int takes_next(void *arg)
{
	holt_task *t = NULL;
	int r = holt_group_next(arg, &t);

	note(r == 0 ? "got" : r == -ENOENT ? "none" : r == -EDEADLK ? "deadlock" : "other");
	if (r == 0)
		ck_assert_int_eq(holt_task_result(t), 1);
	holt_task_unref(t);
	return 0;
}

static int several_take(void *arg)
{
	holt_group *g = NULL, *takers = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_group_open(&takers), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(1)), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_spawn(takers, takes_next, g), 0);
	ck_assert_int_eq(holt_group_close(takers, 0), 0);
	ck_assert_int_eq(holt_spawn(g, takes_next, g), 0);
	return holt_group_close(g, 0);
}

TEST(who_waits_for_the_next_hears_when_none_is_left)
{
	ck_assert_int_eq(run_clean(several_take, NULL), 0);
	ck_assert_str_eq(trace, "got none none deadlock ");
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

/* The deadline is of who waits, not of the group: that goes on. */
static int next_under_a_deadline(void *arg)
{
	struct holt_scope s;
	holt_group *g = NULL;
	holt_task *t = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(1)), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_seconds, NUMBER(3)), 0);
	holt_scope_begin(&s, holt_in(2 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_group_next(g, &t), 0);
	ck_assert_int_eq(holt_task_result(t), 1);
	t = holt_task_unref(t);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_group_next(g, &t)), -ETIME);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
	ck_assert_uint_eq(holt_group_count(g), 1);
	ck_assert_int_eq(holt_group_next(g, &t), 0);
	ck_assert_int_eq(holt_task_result(t), 3);
	holt_task_unref(t);
	return holt_group_close(g, 0);
}

TEST(next_that_ran_out_of_time_leaves_the_tasks_to_the_next_one_who_asks)
{
	ck_assert_int_eq(run_clean(next_under_a_deadline, NULL), 0);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC);
}

static int takes_a_letter(void *arg)
{
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_next(arg, &t), 0);
	note(holt_task_name(holt_self()));
	note(holt_task_name(t));
	holt_task_unref(t);
	return 0;
}

static int two_take_two(void *arg)
{
	holt_group *g = NULL, *takers = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_group_open(&takers), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL, .name = "a"), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL, .name = "b"), 0);
	ck_assert_int_eq(holt_spawn(takers, takes_a_letter, g, .name = "first"), 0);
	ck_assert_int_eq(holt_spawn(takers, takes_a_letter, g, .name = "second"), 0);
	ck_assert_int_eq(holt_group_close(takers, 0), 0);
	return holt_group_close(g, 0);
}

TEST(two_who_wait_for_the_next_get_two_that_end_at_once_in_their_order)
{
	ck_assert_int_eq(run_clean(two_take_two, NULL), 0);
	ck_assert_str_eq(trace, "first a second b ");
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

static int next_badly(void *arg)
{
	holt_group *g = NULL, *kept = NULL;
	holt_task *t = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_group_next(g, &t), -EINVAL);
	ck_assert_int_eq(holt_group_next(NULL, &t), -EINVAL);
	ck_assert_int_eq(holt_group_open(&kept, .keep = true), 0);
	ck_assert_int_eq(holt_group_next(kept, NULL), -EINVAL);
	ck_assert_int_eq(holt_spawn(kept, give, NUMBER(-EIO)), 0);
	ck_assert_int_eq(holt_group_next(kept, &t), -ECANCELED); /* ALL: the failure canceled us, too */
	ck_assert_int_eq(holt_group_close(kept, -ECANCELED), -EIO);
	return holt_group_close(g, 0);
}

TEST(next_needs_keep_and_is_canceled_by_a_failure_in_an_all_group)
{
	ck_assert_int_eq(run_clean(next_badly, NULL), 0);
}

static int kept_and_referenced(void *arg)
{
	holt_group *g = NULL;
	holt_task *t[2] = { NULL, NULL }, *next = NULL;
	struct holt__stacks *s = &holt__here->stacks;
	size_t warm;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(1), .task = &t[0]), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(2), .task = &t[1]), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	warm = s->n_warm;
	ck_assert_int_eq(holt_group_next(g, &next), 0);
	ck_assert_ptr_eq(next, t[0]);
	holt_task_unref(t[0]);
	ck_assert_int_eq(holt_task_result(next), 1);
	holt_task_unref(next);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(holt_task_result(t[1]), 2); /* the handle outlives the group */
	holt_task_unref(t[1]);
	ck_assert_uint_eq(s->n_warm, warm + 2); /* both stacks are free: no reference is left */
	return 0;
}

TEST(kept_tasks_have_references_of_their_own)
{
	ck_assert_int_eq(run_clean(kept_and_referenced, NULL), 0);
}

static int kept_by_nobody(void *arg)
{
	struct holt__stacks *s = &holt__here->stacks;
	holt_group *g = NULL;
	size_t warm;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .keep = true), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(holt_spawn(g, give, NUMBER(i)), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	warm = s->n_warm;
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_uint_eq(s->n_warm, warm + 10);
	return 0;
}

TEST(kept_tasks_that_nobody_took_go_with_their_group)
{
	ck_assert_int_eq(run_clean(kept_by_nobody, NULL), 0);
}

/* ---- waiting for a group */

static int waits_from_inside(void *arg)
{
	holt_group *own = NULL, *g = arg;

	ck_assert_int_eq(holt_group_wait(g), -EDEADLK);
	ck_assert_int_eq(holt_group_open(&own), 0);
	ck_assert_int_eq(holt_spawn(own, takes_next, g), 0);
	return holt_group_close(own, 0);
}

static int waits_from_outside(void *arg)
{
	int r = holt_group_wait(arg);

	note(r == 0 ? "empty" : "canceled");
	return r;
}

static int wait_for_groups(void *arg)
{
	holt_group *g = NULL, *waiters = NULL;
	holt_task *t = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .keep = true), 0);
	ck_assert_int_eq(holt_group_open(&waiters), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(holt_spawn(g, waits_from_inside, g), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_spawn(waiters, waits_from_outside, g), 0);
	ck_assert_int_eq(holt_spawn(waiters, waits_from_outside, g, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t, NULL);
	ck_assert_int_eq(holt_group_wait(waiters), 0);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
	holt_task_unref(t);
	ck_assert_int_eq(holt_group_close(waiters, 0), 0);
	return holt_group_close(g, 0);
}

TEST(group_wait_is_for_those_outside_and_does_not_own)
{
	ck_assert_int_eq(run_clean(wait_for_groups, NULL), 0);
	ck_assert_str_eq(trace, "deadlock canceled empty ");
}

/* ---- grace and cleanup from group to group */

/* Times at which things ended, of an inner task or group; who asks for what is the row's. */
struct ladder {
	holt_time root_grace, root_cleanup, outer_grace, outer_cleanup, inner_grace, inner_cleanup;
	int stop_root, stop_outer, stop_inner, cancel_outer, cancel_inner; /* seconds; 0: not */
	holt_time canceled, broken, handled;                               /* expected, in ms; 0: not looked at */
	bool same_task; /* the inner group is opened by the opener of the outer one */
	const char *claim;
};

struct climb {
	const struct ladder *l;
	holt_group *outer, *inner;
	holt_time canceled, broken, handled;
};

static int is_canceled_then(void *arg)
{
	struct climb *c = arg;

	ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED);
	c->canceled = harness_time();
	return 0;
}

static int is_broken_then(void *arg)
{
	struct climb *c = arg;
	struct holt_scope s;

	if (!c->l->broken)
		return 0;
	holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
	ck_assert_int_eq(holt_sleep(30 * HOLT_MIN), -ECANCELED);
	holt_scope_end(&s, 0);
	c->broken = harness_time();
	return 0;
}

static int is_handled_then(void *arg, int result)
{
	struct climb *c = arg;

	(void)result;
	if (c->l->handled) {
		ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED);
		c->handled = harness_time();
	}
	return 0;
}

static int inner_of_the_ladder(void *arg)
{
	struct climb *c = arg;

	ck_assert_int_eq(holt_group_open(&c->inner, .grace = c->l->inner_grace, .cleanup = c->l->inner_cleanup), 0);
	ck_assert_int_eq(holt_finally(c->inner, is_handled_then, c), 0);
	ck_assert_int_eq(holt_spawn(c->inner, is_canceled_then, c), 0);
	ck_assert_int_eq(holt_spawn(c->inner, is_broken_then, c), 0);
	holt_group_close(c->inner, 0);
	return 0;
}

static int asks(void *arg)
{
	struct climb *c = arg;
	const struct ladder *l = c->l;
	struct holt_scope s;

	holt_scope_begin(&s, holt_in(2 * HOLT_HOUR), HOLT_SHIELD); /* the root may be stopped, and we with it */
	for (int second = 1; second <= 20; second++) {
		holt_sleep_until(HARNESS_EPOCH + (holt_time)second * HOLT_SEC);
		if (second == l->stop_root)
			holt_loop_stop(holt_loop_self(), NULL);
		if (second == l->stop_outer)
			holt_group_stop(c->outer, NULL);
		if (second == l->stop_inner)
			holt_group_stop(c->inner, NULL);
		if (second == l->cancel_outer)
			holt_group_cancel(c->outer, NULL);
		if (second == l->cancel_inner)
			holt_group_cancel(c->inner, NULL);
	}
	holt_scope_end(&s, 0);
	return 0;
}

static int climb_the_ladder(void *arg)
{
	struct climb *c = arg;
	holt_group *askers = NULL;

	ck_assert_int_eq(holt_group_open(&askers), 0);
	ck_assert_int_eq(holt_spawn(askers, asks, c, .background = true), 0);
	ck_assert_int_eq(holt_group_open(&c->outer, .grace = c->l->outer_grace, .cleanup = c->l->outer_cleanup), 0);
	if (c->l->same_task)
		inner_of_the_ladder(c);
	else
		ck_assert_int_eq(holt_spawn(c->outer, inner_of_the_ladder, c), 0);
	holt_group_close(c->outer, 0);
	holt_group_close(askers, 0);
	return 0;
}

#define S HOLT_SEC
static const struct ladder ladders[] = {
	{ .claim = "root: no grace, cancels at once", .stop_root = 1, .canceled = 1000 },
	{ .claim = "root: its grace", .root_grace = 3 * S, .stop_root = 1, .canceled = 4000 },
	{ .claim = "grace 0: what is left of the parent's",
		.root_grace = 9 * S,
		.outer_grace = 3 * S,
		.stop_outer = 1,
		.canceled = 4000 },
	{ .claim = "grace 0: the parent's, when stopped alone",
		.root_grace = 9 * S,
		.outer_grace = 3 * S,
		.stop_inner = 1,
		.canceled = 4000 },
	{ .claim = "grace 0 at two levels: the root's", .root_grace = 9 * S, .stop_inner = 1, .canceled = 10000 },
	{ .claim = "grace 0 everywhere: at once", .stop_inner = 1, .canceled = 1000 },
	{ .claim = "own grace, though the parent has none", .inner_grace = 3 * S, .stop_inner = 1, .canceled = 4000 },
	{ .claim = "own grace when the parent is not stopping, even longer",
		.root_grace = 2 * S,
		.outer_grace = 2 * S,
		.inner_grace = 6 * S,
		.stop_inner = 1,
		.canceled = 7000 },
	{ .claim = "then the parent stops: the smaller one counts",
		.root_grace = 9 * S,
		.outer_grace = 2 * S,
		.inner_grace = 9 * S,
		.stop_inner = 1,
		.stop_outer = 3,
		.canceled = 5000 },
	{ .claim = "the parent stops, own is smaller",
		.root_grace = 9 * S,
		.outer_grace = 9 * S,
		.inner_grace = 2 * S,
		.stop_outer = 1,
		.canceled = 3000 },
	{ .claim = "the parent stops, own is larger",
		.root_grace = 9 * S,
		.outer_grace = 2 * S,
		.inner_grace = 9 * S,
		.stop_outer = 1,
		.canceled = 3000 },
	{ .claim = "HOLT_NOW inside a parent with grace",
		.root_grace = 9 * S,
		.inner_grace = HOLT_NOW,
		.stop_root = 1,
		.canceled = 1000 },
	{ .claim = "HOLT_NOW of the outer one",
		.root_grace = 9 * S,
		.outer_grace = HOLT_NOW,
		.inner_grace = 5 * S,
		.stop_root = 1,
		.canceled = 1000 },
	{ .claim = "HOLT_NOW of the outer one is inherited",
		.root_grace = 9 * S,
		.outer_grace = HOLT_NOW,
		.stop_inner = 1,
		.canceled = 1000 },
	{ .claim = "a second stop later starts no new grace",
		.root_grace = 9 * S,
		.outer_grace = 5 * S,
		.stop_outer = 1,
		.stop_inner = 3,
		.canceled = 6000 },

	{ .claim = "cleanup 0: 10 s at the root", .cancel_inner = 1, .canceled = 1000, .broken = 6000, .handled = 11000 },
	{ .claim = "cleanup 0: the root's", .root_cleanup = 4 * S, .cancel_inner = 1, .broken = 3000, .handled = 5000 },
	{ .claim = "own cleanup", .inner_cleanup = 2 * S, .cancel_inner = 1, .broken = 2000, .handled = 3000 },
	{ .claim = "at most the configured one of the parent",
		.outer_cleanup = 2 * S,
		.inner_cleanup = 8 * S,
		.cancel_inner = 1,
		.broken = 2000,
		.handled = 3000 },
	{ .claim = "at most the configured one of the root",
		.root_cleanup = 2 * S,
		.outer_cleanup = 9 * S,
		.inner_cleanup = 8 * S,
		.cancel_inner = 1,
		.broken = 2000,
		.handled = 3000 },
	{ .claim = "own is smaller than the parent's, which is canceled",
		.outer_cleanup = 8 * S,
		.inner_cleanup = 2 * S,
		.cancel_outer = 1,
		.broken = 2000,
		.handled = 3000 },
	{ .claim = "what is left of the parent's, when that was canceled later",
		.outer_cleanup = 4 * S,
		.cancel_inner = 1,
		.cancel_outer = 2,
		.broken = 3000,
		.handled = 5000 },
	{ .claim = "the parent's, which was canceled before",
		.outer_cleanup = 4 * S,
		.cancel_outer = 1,
		.cancel_inner = 2,
		.broken = 3000,
		.handled = 5000 },
	{ .claim = "stopped, then canceled, then broken",
		.outer_grace = 2 * S,
		.outer_cleanup = 4 * S,
		.stop_outer = 1,
		.canceled = 3000,
		.broken = 5000,
		.handled = 7000 },
	{ .claim = "a root that is stopped breaks all",
		.root_grace = 2 * S,
		.root_cleanup = 4 * S,
		.outer_cleanup = 9 * S,
		.stop_root = 1,
		.canceled = 3000,
		.broken = 5000,
		.handled = 7000 },

	/* a group around it that the same task has opened is the parent as well */
	{ .claim = "same task: grace 0 is that of the group around",
		.root_grace = 9 * S,
		.outer_grace = 3 * S,
		.stop_inner = 1,
		.canceled = 4000,
		.same_task = true },
	{ .claim = "same task: HOLT_NOW around is inherited",
		.root_grace = 9 * S,
		.outer_grace = HOLT_NOW,
		.stop_inner = 1,
		.canceled = 1000,
		.same_task = true },
	{ .claim = "same task: what is left of the grace around",
		.root_grace = 9 * S,
		.outer_grace = 3 * S,
		.stop_outer = 1,
		.canceled = 4000,
		.same_task = true },
	{ .claim = "same task: cleanup 0 is that of the group around",
		.outer_cleanup = 2 * S,
		.cancel_inner = 1,
		.broken = 2000,
		.handled = 3000,
		.same_task = true },
	{ .claim = "same task: at most the configured one around",
		.outer_cleanup = 2 * S,
		.inner_cleanup = 8 * S,
		.cancel_inner = 1,
		.broken = 2000,
		.handled = 3000,
		.same_task = true },
	{ .claim = "same task: the group around is canceled",
		.outer_cleanup = 4 * S,
		.cancel_outer = 1,
		.broken = 3000,
		.handled = 5000,
		.same_task = true },
};
#undef S

TEST_LOOP(grace_and_cleanup_pass_from_group_to_group, 0, HOLT__N(ladders))
{
	const struct ladder *l = &ladders[_i];
	struct climb c = { .l = l };

	ck_assert_int_eq(harness_run(climb_the_ladder, &c, .grace = l->root_grace, .cleanup = l->root_cleanup), 0);
	ck_assert_msg(!l->canceled || c.canceled == l->canceled * HOLT_MS, "%s: canceled at %d ms instead of %d", l->claim,
		(int)(c.canceled / HOLT_MS), (int)l->canceled);
	ck_assert_msg(c.broken == l->broken * HOLT_MS, "%s: broken at %d ms instead of %d", l->claim, (int)(c.broken / HOLT_MS),
		(int)l->broken);
	ck_assert_msg(c.handled == l->handled * HOLT_MS, "%s: handled until %d ms instead of %d", l->claim,
		(int)(c.handled / HOLT_MS), (int)l->handled);
}
