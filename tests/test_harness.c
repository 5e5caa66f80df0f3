/* SPDX-License-Identifier: MIT */
/*
 * The harness itself: what it promises holds, and what it should find it finds. For the second, this program runs itself
 * on tests that break a promise when HARNESS_BREAK is set, and do nothing else.
 */
#include "harness.h"

#include <pthread.h>

static int sleeper(void *arg)
{
	return holt_sleep((holt_time)(uintptr_t)arg * HOLT_SEC);
}

TEST(an_hour_passes_at_once)
{
	ck_assert_int_eq(harness_run(sleeper, (void *)3600), 0);
	ck_assert_uint_eq(harness_time(), HOLT_HOUR);
}

static int computes(void *arg)
{
	holt_time before = holt_now();

	(void)arg;
	holt_yield();
	ck_assert_uint_eq(holt_now(), before);
	harness_advance(HOLT_SEC);
	holt_sleep(1); /* a turn of the loop, which reads the clock */
	return (int)((holt_now() - before) / HOLT_SEC);
}

TEST(time_stands_still_while_tasks_run_unless_one_says_that_it_computed)
{
	ck_assert_int_eq(harness_run(computes, NULL), 1);
}

TEST(wall_clock_goes_with_it_until_it_is_set)
{
	int64_t second = 1000000, hour = 3600 * second;
	int fd = harness_sys.wall_watch(-1);

	ck_assert_int_eq(harness_sys.wall_now(), HARNESS_WALL_EPOCH);
	harness_advance(HOLT_HOUR);
	ck_assert_int_eq(harness_sys.wall_now(), HARNESS_WALL_EPOCH + hour);
	ck_assert_int_eq(harness_sys.poll(fd, EPOLLIN, 0), 0);
	harness_set_wall(HARNESS_WALL_EPOCH - hour);
	ck_assert_int_eq(harness_sys.poll(fd, EPOLLIN, 0), EPOLLIN);
	harness_advance(HOLT_SEC);
	ck_assert_int_eq(harness_sys.wall_now(), HARNESS_WALL_EPOCH - hour + second);
	ck_assert_uint_eq(harness_time(), HOLT_HOUR + HOLT_SEC);
	harness_sys.close(fd);
}

static char order[8];

static void append(void *arg)
{
	order[strlen(order)] = (char)(intptr_t)arg;
}

static int waits(void *arg)
{
	(void)arg;
	holt_sleep(2 * HOLT_SEC);
	append((void *)'2');
	holt_sleep(2 * HOLT_SEC);
	append((void *)'4');
	return 0;
}

TEST(what_is_planned_happens_at_its_time)
{
	harness_at(3 * HOLT_SEC, append, (void *)'3');
	harness_at(HOLT_SEC, append, (void *)'1');
	harness_at(9 * HOLT_SEC, append, (void *)'9');
	ck_assert_int_eq(harness_run(waits, NULL), 0);
	ck_assert_str_eq(order, "1234");
}

static void stop(void *loop)
{
	holt_loop_stop(loop, "a reason");
}

static int for_ever(void *arg)
{
	(void)arg;
	harness_at(5 * HOLT_SEC, stop, holt_loop_self());
	return holt_sleep(HOLT_NEVER);
}

TEST(what_is_planned_can_end_a_wait_without_end)
{
	ck_assert_int_eq(harness_run(for_ever, NULL), 0);
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
}

static void *wakes(void *arg)
{
	usleep(1000);
	holt_loop_stop(arg, "a thread");
	return NULL;
}

static int waits_for_thread(void *arg)
{
	pthread_t thread;
	int r;

	(void)arg;
	ck_assert_int_eq(pthread_create(&thread, NULL, wakes, holt_loop_self()), 0);
	r = holt_sleep(HOLT_NEVER);
	pthread_join(thread, NULL);
	return r;
}

TEST(without_a_timer_the_loop_waits_for_real)
{
	ck_assert_int_eq(harness_run(waits_for_thread, NULL), 0);
	ck_assert_uint_eq(harness_time(), 0);
}

static int in_child(void *arg)
{
	printf("to stdout\n");
	fprintf(stderr, "to stderr\n");
	return holt_run(sleeper, arg) + 4;
}

TEST(a_child_has_its_own_run_and_its_output_is_kept)
{
	int status = harness_child(in_child, (void *)1);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 4);
	ck_assert_ptr_nonnull(strstr(harness_output(), "to stdout\n"));
	ck_assert_ptr_nonnull(strstr(harness_output(), "to stderr\n"));
}

TEST(the_log_is_kept)
{
	holt_log(LOG_WARNING, "number %d", 7);
	holt_log(LOG_INFO, "number %d", 8);
	ck_assert_str_eq(harness_log(), "<4>number 7\n<6>number 8\n");
	ck_assert(harness_logged("number 8"));
	ck_assert_uint_eq(harness_count(harness_log(), "number"), 2);
	harness_log_clear();
	ck_assert_str_eq(harness_log(), "");
}

TEST(the_allocation_that_shall_fail_fails_once)
{
	void *p;

	harness_fail_alloc(2);
	p = holt__malloc(1);
	ck_assert_ptr_nonnull(p);
	ck_assert(!harness_alloc_failed());
	ck_assert_ptr_null(holt__realloc(p, 2));
	ck_assert(harness_alloc_failed());
	p = holt__realloc(p, 2);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(harness_allocs(), 3);
	ck_assert_uint_eq(harness_live(), 1);
	holt__free(p);
}

static ssize_t no_write(int fd, const void *buf, size_t n)
{
	(void)fd;
	(void)buf;
	(void)n;
	return -ENOSPC;
}

TEST(a_system_call_can_be_replaced)
{
	harness_sys.write = no_write;
	ck_assert_int_eq(holt__sys->write(1, "x", 1), -ENOSPC);
}

TEST_SIGNAL(a_test_may_end_by_a_signal, SIGUSR1)
{
	raise(SIGUSR1);
}

TEST_EXIT(a_test_may_exit, 3)
{
	_exit(3);
}

TEST_LOOP(a_test_may_run_several_times, 5, 8)
{
	ck_assert_int_ge(_i, 5);
	ck_assert_int_lt(_i, 8);
}

/* ---- what it finds */

static bool is_broken(void)
{
	return getenv("HARNESS_BREAK") != NULL;
}

TEST(break_descriptor)
{
	if (is_broken())
		ck_assert_int_ge(dup(0), 0);
}

TEST(break_memory)
{
	if (is_broken())
		ck_assert_ptr_nonnull(holt__malloc(1));
}

static int leaks_descriptor(void *arg)
{
	*(int *)arg = dup(0);
	return 0;
}

TEST(break_run)
{
	int fd = -1;

	if (!is_broken())
		return;
	harness_run(leaks_descriptor, &fd);
	close(fd);
}

TEST(break_task)
{
	if (is_broken())
		ck_assert_msg(false, "a failure in a test");
}

TEST(break_nothing)
{
	if (is_broken())
		SKIP("for reason %d", 7);
}

static int run_itself(void *arg)
{
	setenv("HARNESS_BREAK", "1", 1);
	execl("/proc/self/exe", "test_harness", arg, (char *)NULL);
	return 99;
}

static void expect(const char *word, int exit_status, const char *part)
{
	int status = harness_child(run_itself, (void *)word);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == exit_status, "%s: status %x", word, status);
	ck_assert_msg(strstr(harness_output(), part), "%s is not in:\n%s", part, harness_output());
}

TEST(a_descriptor_left_open_is_found)
{
	expect("break_descriptor", 1, "break_descriptor:0: began with");
}

TEST(memory_not_given_back_is_found)
{
	expect("break_memory", 1, "break_memory:0: 1 allocations were not given back");
}

TEST(a_descriptor_left_by_a_run_is_found)
{
	expect("break_run", 1, "the run began with");
}

TEST(a_failed_assertion_is_told)
{
	expect("break_task", 1, "break_task:0: a failure in a test");
}

TEST(a_skip_is_told_with_its_reason)
{
	expect("break_nothing", 0, "SKIP break_nothing: for reason 7\n");
	expect("break_nothing", 0, "100%: Checks: 1, Failures: 0, Errors: 0");
}
