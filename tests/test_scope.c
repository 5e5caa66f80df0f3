/* SPDX-License-Identifier: MIT */
/*
 * Scopes: time-outs, values that follow the tree, whose cancellation it was.
 */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "task/task.h"

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
