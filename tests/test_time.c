/* SPDX-License-Identifier: MIT */
/*
 * Tickers and alarms, on the two virtual clocks; harness_set_wall() is somebody who sets the one on the wall.
 */
#include "steps.h"

static int64_t wall(void)
{
	return harness_sys.wall_now();
}

static int64_t wall_in(int hours, int minutes)
{
	return HARNESS_WALL_EPOCH + (hours * INT64_C(60) + minutes) * 60000000;
}

static void __attribute__((constructor)) in_utc(void)
{
	setenv("TZ", "UTC", 1);
}

/* ---- tickers */

static int ticks_on_time(void *arg)
{
	holt_auto(ticker) t = NULL;
	uint64_t missed = 7;

	(void)arg;
	ck_assert_int_eq(holt_ticker_open(&t, 3 * HOLT_SEC), 0);
	for (int i = 1; i <= 5; i++) {
		ck_assert_int_eq(holt_ticker_next(t, &missed), 0);
		ck_assert_uint_eq(missed, 0);
		ck_assert_uint_eq(harness_time(), i * 3 * HOLT_SEC);
		harness_advance(HOLT_SEC); /* work between two ticks moves none of them */
	}
	return 0;
}
TEST(ticker_does_not_drift)
{
	ck_assert_int_eq(run_clean(ticks_on_time, NULL), 0);
}

static int misses_ticks(void *arg)
{
	holt_auto(ticker) t = NULL;
	uint64_t missed = 7;

	(void)arg;
	ck_assert_int_eq(holt_ticker_open(&t, HOLT_SEC), 0);
	harness_advance(3 * HOLT_SEC + HOLT_MS);
	ck_assert_int_eq(holt_ticker_next(t, &missed), 0); /* the third, at once */
	ck_assert_uint_eq(missed, 2);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_SEC + HOLT_MS);
	ck_assert_int_eq(holt_ticker_next(t, &missed), 0);
	ck_assert_uint_eq(missed, 0);
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);
	harness_advance(HOLT_SEC); /* exactly due */
	ck_assert_int_eq(holt_ticker_next(t, NULL), 0);
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
	return 0;
}
TEST(ticks_that_nobody_asked_for_are_counted)
{
	ck_assert_int_eq(run_clean(misses_ticks, NULL), 0);
}

static int canceled_at_a_tick(void *arg)
{
	holt_auto(ticker) t = NULL;
	struct holt_scope s;
	uint64_t missed;

	(void)arg;
	ck_assert_int_eq(holt_ticker_open(&t, 4 * HOLT_SEC), 0);
	holt_scope_begin(&s, holt_in(3 * HOLT_SEC), 0);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_ticker_next(t, &missed)), -ETIME);
	ck_assert_int_eq(holt_ticker_next(t, &missed), 0);
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	harness_advance(4 * HOLT_SEC);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_ticker_next(t, &missed), -ECANCELED); /* although one is due */
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_ticker_next(t, &missed), 0);
	ck_assert_uint_eq(missed, 0);
	return 0;
}
TEST(canceled_call_has_taken_no_tick)
{
	ck_assert_int_eq(run_clean(canceled_at_a_tick, NULL), 0);
}

static int ticked;

static int takes_ticks(void *arg)
{
	int r;

	while ((r = holt_ticker_next(arg, NULL)) == 0)
		ticked++;
	return r;
}

static int shares_a_ticker(void *arg)
{
	holt_auto(ticker) t = NULL;
	holt_auto(group) g = NULL;

	(void)arg;
	ticked = 0;
	ck_assert_int_eq(holt_ticker_open(&t, HOLT_SEC), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_spawn(g, takes_ticks, t), 0);
	ck_assert_int_eq(holt_sleep(20 * HOLT_SEC + HOLT_MS), 0);
	holt_group_cancel(g, "enough");
	ck_assert_int_eq(holt_group_close(holt_take(g), 0), 0);
	ck_assert_int_eq(ticked, 20);
	return 0;
}
TEST(each_tick_goes_to_one_of_those_who_wait)
{
	ck_assert_int_eq(run_clean(shares_a_ticker, NULL), 0);
}

static int waits_for_ever(void *arg)
{
	holt_auto(ticker) t = NULL;
	struct holt_scope s;

	(void)arg;
	ck_assert_int_eq(holt_ticker_open(&t, HOLT_NEVER - 1), 0);
	holt_scope_begin(&s, holt_in(1000 * HOLT_HOUR), 0);
	return (int)holt_scope_end(&s, holt_ticker_next(t, NULL));
}
TEST(ticker_of_the_longest_period_never_ticks)
{
	ck_assert_int_eq(run_clean(waits_for_ever, NULL), -ETIME);
}

TEST(ticker_wants_a_period_and_a_task)
{
	holt_ticker *t = NULL;

	ck_assert_int_eq(holt_ticker_open(&t, 0), -EINVAL);
	ck_assert_int_eq(holt_ticker_open(NULL, HOLT_SEC), -EINVAL);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_ticker_open(&t, HOLT_SEC), -ENOMEM);
	ck_assert_ptr_null(t);
	ck_assert_int_eq(holt_ticker_open(&t, HOLT_SEC), 0);
	ck_assert_int_eq(holt_ticker_next(t, NULL), -EPERM);
	ck_assert_ptr_null(holt_ticker_close(t));
	ck_assert_ptr_null(holt_ticker_close(NULL));
}

static int next_tick(void *arg)
{
	return holt_ticker_next(arg, NULL);
}

static int closes_too_early(void *arg)
{
	holt_ticker *t;
	holt_auto(group) g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_ticker_open(&t, HOLT_SEC), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, next_tick, t), 0);
	holt_yield();
	holt_ticker_close(t);
	return 0;
}
TEST_SIGNAL(closing_a_ticker_under_a_waiter_aborts, SIGABRT)
{
	run_clean(closes_too_early, NULL);
}

/* ---- alarms */

static int alarm_goes_off(void *calendar)
{
	return holt_alarm(calendar);
}
TEST(alarm_goes_off_at_its_moment)
{
	ck_assert_int_eq(run_clean(alarm_goes_off, WORD("03:30:00.25")), 0);
	ck_assert_int_eq(wall(), wall_in(3, 30) + 250000);
}

static int alarms_in_a_row(void *arg)
{
	(void)arg;
	for (int i = 1; i <= 5; i++) {
		ck_assert_int_eq(holt_alarm("*:0/15"), 0);
		ck_assert_int_eq(wall(), wall_in(0, 15 * i));
	}
	return 0;
}
TEST(alarms_follow_one_another)
{
	ck_assert_int_eq(run_clean(alarms_in_a_row, NULL), 0);
}

static void set_wall(void *us)
{
	harness_set_wall(*(int64_t *)us);
}
TEST(clock_set_forward_over_the_moment_reaches_it)
{
	int64_t to = wall_in(5, 0);

	harness_at(HOLT_HOUR, set_wall, &to);
	ck_assert_int_eq(run_clean(alarm_goes_off, WORD("3,4:00")), 0);
	ck_assert_uint_eq(harness_time(), HOLT_HOUR);
}
TEST(clock_set_forward_to_before_the_moment_brings_it_closer)
{
	int64_t to = wall_in(2, 0);

	harness_at(HOLT_HOUR, set_wall, &to);
	ck_assert_int_eq(run_clean(alarm_goes_off, WORD("03:00")), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_HOUR);
	ck_assert_int_eq(wall(), wall_in(3, 0));
}
TEST(clock_set_back_leaves_the_next_moment_of_the_new_time)
{
	int64_t to = wall_in(-2, 0); /* the evening before: midnight comes first now */

	harness_at(HOLT_HOUR, set_wall, &to);
	ck_assert_int_eq(run_clean(alarm_goes_off, WORD("0,12:00")), 0);
	ck_assert_uint_eq(harness_time(), 3 * HOLT_HOUR);
	ck_assert_int_eq(wall(), wall_in(0, 0));
}
TEST(clock_set_again_and_again_is_looked_at_each_time)
{
	static int64_t to[10];

	for (int i = 0; i < 10; i++) {
		to[i] = wall_in(0, 30 + i); /* each half hour it is put back */
		harness_at((holt_time)(i + 1) * 30 * HOLT_MIN, set_wall, &to[i]);
	}
	ck_assert_int_eq(run_clean(alarm_goes_off, WORD("01:30")), 0);
	ck_assert_int_eq(wall(), wall_in(1, 30));
	ck_assert_uint_eq(harness_time(), (10 * 30 + 51) * HOLT_MIN);
}

static int many_alarms(void *arg)
{
	holt_auto(group) g = NULL;
	size_t fds;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, alarm_goes_off, WORD("01:00")), 0);
	holt_yield();
	fds = harness_fds();
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(holt_spawn(g, alarm_goes_off, WORD("02:00")), 0);
	holt_yield();
	ck_assert_uint_eq(harness_fds(), fds);
	ck_assert_int_eq(holt_sleep(HOLT_HOUR + HOLT_MS), 0);
	ck_assert_uint_eq(holt_group_count(g), 50);
	return holt_group_close(holt_take(g), 0);
}
TEST(all_alarms_of_a_loop_have_one_descriptor)
{
	ck_assert_int_eq(run_clean(many_alarms, NULL), 0);
	ck_assert_int_eq(wall(), wall_in(2, 0));
}

static int look_at_it(void *arg, const struct holt_task_info *i)
{
	if (i->waits_for && strstr(i->waits_for, arg))
		note("seen");
	return 0;
}

static int shows_an_alarm(void *arg)
{
	holt_auto(group) g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, alarm_goes_off, WORD("*:0/15 UTC")), 0);
	holt_yield();
	ck_assert_int_eq(holt_each_task(look_at_it, "alarm *:0/15 UTC"), 0);
	return holt_group_close(holt_take(g), 0);
}
TEST(who_looks_on_sees_which_alarm_is_waited_for)
{
	ck_assert_int_eq(run_clean(shows_an_alarm, NULL), 0);
	ck_assert_str_eq(trace, "seen ");
}

static int alarm_under_a_deadline(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, holt_in(HOLT_MIN), 0);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_alarm("03:00")), -ETIME);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_alarm("not even one"), -ECANCELED);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_alarm("not even one"), -EINVAL);
	ck_assert_int_eq(holt_alarm("2001-1-1"), -ENOENT);
	ck_assert_uint_eq(harness_time(), HOLT_MIN);
	return 0;
}
TEST(alarm_is_canceled_and_refuses_at_once)
{
	ck_assert_int_eq(holt_alarm("daily"), -EPERM);
	ck_assert_int_eq(run_clean(alarm_under_a_deadline, NULL), 0);
}

static int watch_or_fail(int fd)
{
	return fd < 0 ? -EMFILE : fd;
}
TEST(alarm_that_cannot_watch_the_clock_says_so)
{
	harness_sys.wall_watch = watch_or_fail;
	ck_assert_int_eq(run_clean(alarm_goes_off, WORD("03:30")), -EMFILE);
	ck_assert_uint_eq(harness_time(), 0);
}

/* The kernel's own descriptor, which nobody here may make readable: that it takes all that we ask of it. */
TEST(kernel_watches_its_clock_for_us)
{
	int fd = holt__sys_linux.wall_watch(-1);
	uint64_t n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)holt__sys_linux.read(fd, &n, sizeof n), -EAGAIN);
	ck_assert_int_eq(holt__sys_linux.wall_watch(fd), fd);
	ck_assert_int_eq(holt__sys_linux.poll(fd, EPOLLIN, 0), 0);
	holt__sys_linux.close(fd);
	ck_assert_int_gt(holt__sys_linux.wall_now(), INT64_C(1700000000000000));
}
