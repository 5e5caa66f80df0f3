/* SPDX-License-Identifier: MIT */
/*
 * The restart policy, pure: the window of restarts, the doubling wait, who is restarted.
 *
 * The window is compared with what it stands for: the list of all restarts, counted anew each time. Both get the same
 * random times and changes of limits.
 */
#include "base/restart.h"

#include "harness.h"

static uint64_t random_state = 1;

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

/* ---- intensity */

static struct holt__intensity window(unsigned restarts, holt_time within)
{
	struct holt__intensity i;

	ck_assert_int_eq(holt__intensity_init(&i, restarts, within), 0);
	return i;
}

TEST(as_many_restarts_as_the_limit_are_allowed_and_one_more_is_too_many)
{
	struct holt__intensity i = window(3, 10);

	ck_assert(holt__intensity_add(&i, 100));
	ck_assert(holt__intensity_add(&i, 101));
	ck_assert(holt__intensity_add(&i, 102));
	ck_assert_uint_eq(holt__intensity_count(&i, 102), 3);
	ck_assert(!holt__intensity_add(&i, 103));
	holt__intensity_free(&i);
}

TEST(restart_counts_as_long_as_it_is_not_older_than_the_window)
{
	struct holt__intensity i = window(1, 10);

	ck_assert(holt__intensity_add(&i, 100));
	ck_assert_uint_eq(holt__intensity_count(&i, 110), 1);
	ck_assert_uint_eq(holt__intensity_count(&i, 111), 0);
	ck_assert(holt__intensity_add(&i, 111));
	ck_assert(!holt__intensity_add(&i, 121));
	holt__intensity_free(&i);
}

TEST(window_slides_and_is_no_fixed_interval)
{
	struct holt__intensity i = window(2, 10);

	ck_assert(holt__intensity_add(&i, 9));
	ck_assert(holt__intensity_add(&i, 19));
	ck_assert(holt__intensity_add(&i, 20));  /* 9 is out by now */
	ck_assert(!holt__intensity_add(&i, 29)); /* 19 and 20 are not */
	holt__intensity_free(&i);
}

TEST(limit_of_0_allows_no_restart)
{
	struct holt__intensity i = window(0, 10);

	ck_assert(!holt__intensity_add(&i, 100));
	ck_assert_uint_eq(holt__intensity_count(&i, 100), 0);
	ck_assert_int_eq(holt__intensity_set(&i, 1, 10), 0);
	ck_assert(holt__intensity_add(&i, 101));
	ck_assert_int_eq(holt__intensity_set(&i, 0, 10), 0);
	ck_assert(!holt__intensity_add(&i, 1000));
	holt__intensity_free(&i);
}

TEST(window_without_end_counts_for_ever)
{
	struct holt__intensity i = window(1, HOLT_NEVER);

	ck_assert(holt__intensity_add(&i, 0));
	ck_assert(!holt__intensity_add(&i, HOLT_NEVER));
	holt__intensity_free(&i);
}

TEST(reset_forgets_all_that_was_counted)
{
	struct holt__intensity i = window(2, 10);

	ck_assert(holt__intensity_add(&i, 1));
	ck_assert(holt__intensity_add(&i, 1));
	holt__intensity_reset(&i);
	ck_assert_uint_eq(holt__intensity_count(&i, 1), 0);
	ck_assert(holt__intensity_add(&i, 1));
	ck_assert(holt__intensity_add(&i, 1));
	ck_assert(!holt__intensity_add(&i, 1));
	holt__intensity_free(&i);
}

TEST(other_limits_keep_the_youngest_of_what_was_counted)
{
	struct holt__intensity i = window(4, 100);

	for (holt_time t = 1; t <= 6; t++)
		holt__intensity_add(&i, t); /* 3 4 5 6, turned round in the ring */
	ck_assert_int_eq(holt__intensity_set(&i, 2, 100), 0);
	ck_assert_uint_eq(holt__intensity_count(&i, 105), 2);
	ck_assert_uint_eq(holt__intensity_count(&i, 106), 1); /* so it was 5 and 6 */
	ck_assert_int_eq(holt__intensity_set(&i, 5, 100), 0);
	ck_assert(holt__intensity_add(&i, 7));
	ck_assert_uint_eq(holt__intensity_count(&i, 7), 3);
	holt__intensity_free(&i);
}

TEST(limits_that_memory_was_missing_for_change_nothing)
{
	struct holt__intensity i = window(2, 10);

	ck_assert(holt__intensity_add(&i, 1));
	harness_fail_alloc(1);
	ck_assert_int_eq(holt__intensity_set(&i, 5, 99), -ENOMEM);
	ck_assert_uint_eq(i.restarts, 2);
	ck_assert_uint_eq(i.within, 10);
	ck_assert_uint_eq(holt__intensity_count(&i, 1), 1);
	holt__intensity_free(&i);

	harness_fail_alloc(1);
	ck_assert_int_eq(holt__intensity_init(&i, 5, 99), -ENOMEM);
}

enum { STEPS = 2000, SEEDS = 30 };

/* All restarts there ever were, in their order, as far as other limits have not thrown them away. */
struct model {
	holt_time times[STEPS];
	unsigned n, restarts;
	holt_time within;
};

static unsigned model_count(const struct model *m, holt_time now)
{
	unsigned count = 0;

	for (unsigned k = 0; k < m->n; k++)
		count += now - m->times[k] <= m->within;
	return count;
}

TEST_LOOP(window_says_what_counting_all_restarts_says, 0, SEEDS)
{
	static struct model m;
	holt_time now = 5;
	struct holt__intensity i;

	random_state = (uint64_t)_i + 77;
	m = (struct model){ .restarts = below(6), .within = below(20) };
	i = window(m.restarts, m.within);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned counted;

		now += below(3) == 0 ? 0 : below(8);
		counted = model_count(&m, now);
		ck_assert_uint_eq(holt__intensity_count(&i, now), counted < m.restarts ? counted : m.restarts);
		if (below(40) == 0) {
			/* what no longer fits is forgotten, the oldest first */
			unsigned keep = m.n < m.restarts ? m.n : m.restarts;

			m.restarts = below(6);
			m.within = below(20);
			keep = keep < m.restarts ? keep : m.restarts;
			memmove(m.times, m.times + m.n - keep, keep * sizeof *m.times);
			m.n = keep;
			ck_assert_int_eq(holt__intensity_set(&i, m.restarts, m.within), 0);
			continue;
		}
		ck_assert_int_eq(holt__intensity_add(&i, now), counted < m.restarts);
		m.times[m.n++] = now;
	}
	holt__intensity_free(&i);
}

/* ---- back-off */

TEST(wait_doubles_from_min_to_max)
{
	struct holt__backoff b = { .min = 100, .max = 1000 };

	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), 100);
	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), 200);
	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), 400);
	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), 800);
	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), 1000);
	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), 1000);
}

TEST(jitter_takes_up_to_a_quarter_off_and_the_wait_stays_between_min_and_max)
{
	holt_time least = HOLT_NEVER, most = 0;

	for (unsigned k = 0; k < 10000; k++) {
		struct holt__backoff b = { .min = 1000, .max = 3000, .step = below(8) };
		unsigned step = b.step;
		holt_time wait = holt__backoff_next(&b, 0, random64()), full = step < 2 ? 1000u << step : 3000;

		ck_assert_uint_le(wait, full);
		ck_assert_uint_ge(wait, full - full / 4 > 1000 ? full - full / 4 : 1000);
		if (step >= 2) {
			least = wait < least ? wait : least;
			most = wait > most ? wait : most;
		}
	}
	ck_assert_uint_lt(least, 2275); /* all of the quarter is used */
	ck_assert_uint_gt(most, 2975);
}

TEST(min_of_0_never_waits)
{
	struct holt__backoff b = { .max = HOLT_SEC };

	for (int k = 0; k < 80; k++)
		ck_assert_uint_eq(holt__backoff_next(&b, 0, UINT64_MAX), 0);
}

TEST(max_below_min_counts_as_min)
{
	struct holt__backoff b = { .min = 100, .max = 10 };

	for (int k = 0; k < 80; k++)
		ck_assert_uint_eq(holt__backoff_next(&b, 0, random64()), 100);
}

TEST(wait_never_overflows)
{
	struct holt__backoff b = { .min = HOLT_SEC, .max = HOLT_NEVER };
	holt_time before = 0;

	for (int k = 0; k < 200; k++) {
		holt_time wait = holt__backoff_next(&b, 0, 0);

		ck_assert_uint_ge(wait, before);
		before = wait;
	}
	ck_assert_uint_eq(before, HOLT_NEVER);
	b.step = UINT32_MAX;
	ck_assert_uint_eq(holt__backoff_next(&b, 0, 0), HOLT_NEVER);
	ck_assert_uint_eq(b.step, UINT32_MAX);
}

TEST(wait_begins_anew_after_enough_health)
{
	struct holt__backoff b = { .min = 100, .max = 10000, .reset = 50 };

	holt__backoff_next(&b, 1000, 0);
	holt__backoff_next(&b, 1000, 0);
	holt__backoff_healthy(&b, 2000);
	ck_assert_uint_eq(holt__backoff_next(&b, 2049, 0), 400); /* not yet */
	holt__backoff_healthy(&b, 3000);
	ck_assert_uint_eq(holt__backoff_next(&b, 3050, 0), 100);
}

TEST(time_in_which_it_was_not_healthy_resets_nothing)
{
	struct holt__backoff b = { .min = 100, .max = 10000, .reset = 50 };

	ck_assert_uint_eq(holt__backoff_next(&b, 1000, 0), 100);
	ck_assert_uint_eq(holt__backoff_next(&b, 5000, 0), 200); /* it never became ready */
	holt__backoff_healthy(&b, 6000);
	ck_assert_uint_eq(holt__backoff_next(&b, 6010, 0), 400);
	ck_assert_uint_eq(holt__backoff_next(&b, 9000, 0), 800); /* the health ended with its end */
}

TEST(health_counts_from_the_last_time_it_became_ready)
{
	struct holt__backoff b = { .min = 100, .max = 10000, .reset = 50 };

	holt__backoff_next(&b, 1000, 0);
	holt__backoff_healthy(&b, 2000);
	holt__backoff_healthy(&b, 2090); /* started again with a sibling meanwhile */
	ck_assert_uint_eq(holt__backoff_next(&b, 2100, 0), 200);
}

TEST(reset_of_0_lets_no_time_begin_it_anew)
{
	struct holt__backoff b = { .min = 100, .max = 10000 };

	holt__backoff_next(&b, 1000, 0);
	holt__backoff_healthy(&b, 1000);
	ck_assert_uint_eq(holt__backoff_next(&b, HOLT_NEVER, 0), 200);
	holt__backoff_reset(&b);
	ck_assert_uint_eq(holt__backoff_next(&b, 1000, 0), 100);
}

TEST(health_at_time_0_is_health)
{
	struct holt__backoff b = { .min = 100, .max = 10000, .reset = 50 };

	holt__backoff_next(&b, 0, 0);
	holt__backoff_healthy(&b, 0);
	ck_assert_uint_eq(holt__backoff_next(&b, 51, 0), 100);
}

/* ---- who */

TEST(always_on_failure_and_never_are_permanent_transient_and_temporary)
{
	static const struct {
		enum holt_restart restart;
		bool failed, wanted;
	} rows[] = {
		{ HOLT_RESTART_ALWAYS, false, true },
		{ HOLT_RESTART_ALWAYS, true, true },
		{ HOLT_RESTART_ON_FAILURE, false, false },
		{ HOLT_RESTART_ON_FAILURE, true, true },
		{ HOLT_RESTART_NEVER, false, false },
		{ HOLT_RESTART_NEVER, true, false },
	};

	for (size_t k = 0; k < HOLT__N(rows); k++)
		ck_assert_int_eq(holt__restart_wanted(rows[k].restart, rows[k].failed), rows[k].wanted);
}

TEST(strategies_restart_one_or_all_or_those_behind)
{
	static const struct {
		enum holt_strategy strategy;
		size_t i, n, first, end;
	} rows[] = {
		{ HOLT_ONE_FOR_ONE, 0, 1, 0, 1 },
		{ HOLT_ONE_FOR_ONE, 2, 5, 2, 3 },
		{ HOLT_ONE_FOR_ALL, 2, 5, 0, 5 },
		{ HOLT_ONE_FOR_ALL, 0, 1, 0, 1 },
		{ HOLT_REST_FOR_ONE, 0, 5, 0, 5 },
		{ HOLT_REST_FOR_ONE, 2, 5, 2, 5 },
		{ HOLT_REST_FOR_ONE, 4, 5, 4, 5 },
	};

	for (size_t k = 0; k < HOLT__N(rows); k++) {
		size_t first = 99, end = 99;

		holt__restart_range(rows[k].strategy, rows[k].i, rows[k].n, &first, &end);
		ck_assert_uint_eq(first, rows[k].first);
		ck_assert_uint_eq(end, rows[k].end);
	}
}
