/* SPDX-License-Identifier: MIT */
/*
 * 100,000 tasks wait, each with one thing to clean up, and their group is canceled: nanoseconds a
 * task from the cancel to the moment all are joined. Twice in holt: what is to be cleaned up
 * belongs to a variable with a cleanup attribute, or to a finally handler of a group which each
 * task has of its own.
 *
 * LIMIT sets one flag, makes the list of those who wait the list of those who are ready, and lets
 * each clean up and end. Nothing is less than that, as each has frames on its stack.
 */
#include <holt/holt.h>

#include <errno.h>

#include "bare.h"
#include "bench.h"

static const char by_attribute[] = "cancel 100,000, cleanup attribute, ns", by_finally[] = "cancel 100,000, group + finally, ns";
static size_t cleaned;

static void clean(int *what)
{
	cleaned += (size_t)*what;
}

#ifdef BARE
static struct bare_list waiting;
static bool canceled;
static size_t left;

static BENCH_CALL void bare_wait(void)
{
	bare_push(&waiting, bare_self);
	bare_park();
}

static int bare_waiter(void *arg)
{
	__attribute__((cleanup(clean), unused)) int mine = 1;

	bare_wait();
	bare_put(bare_self); /* nobody spawns before it has parked for good */
	if (--left == 0)
		bare_wake(&bare_main);
	return canceled && !arg ? -ECANCELED : 0;
}

static double limit(size_t n)
{
	double begin, ns;

	bare_fill(n, true);
	left = n;
	for (size_t i = 0; i < n; i++)
		bare_spawn(bare_waiter, NULL);
	bare_yield(); /* all run, and wait */

	begin = bench_now();
	canceled = true;
	bare_ready = waiting;
	bare_park();
	ns = bench_now() - begin;
	bench_must(cleaned == n, "each cleaned up once");
	return ns / (double)n;
}
#endif

static struct holt_event never;
static double measured;

static int waiter(void *arg)
{
	__attribute__((cleanup(clean), unused)) int mine = 1;
	int r = holt_event_wait(&never);

	return arg ? -EINVAL : r;
}

static int finally(void *arg, int result)
{
	clean(arg);
	return result == -ECANCELED ? 0 : -EINVAL;
}

static int waiter_with_group(void *arg)
{
	holt_group *g;
	int one = 1, r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	r = holt_finally(g, finally, &one);
	if (r >= 0)
		r = holt_event_wait(&never);
	return holt_group_close(g, arg ? -EINVAL : r);
}

static size_t tasks;

static int cancel_all(holt_fn fn, const char *workload)
{
	holt_group *g;
	double begin;
	int r, closed;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	cleaned = 0;
	for (size_t i = 0; i < tasks && r >= 0; i++)
		r = holt_spawn(g, fn, NULL);
	if (r >= 0)
		r = holt_yield(); /* all run, and wait */

	begin = bench_now();
	holt_group_cancel(g, "the benchmark is over");
	closed = holt_group_close(g, r);
	measured = (bench_now() - begin) / (double)tasks;
	if (r < 0)
		return r;
	bench_must(cleaned == tasks, "each cleaned up once");
	bench_tell(workload, "1.5x", "holt", measured);
	return closed;
}

static int cancel_both(void *arg)
{
	int r = arg ? -EINVAL : cancel_all(waiter, by_attribute);

	return r < 0 ? r : cancel_all(waiter_with_group, by_finally);
}

static double with_holt(size_t n)
{
	tasks = n;
	bench_must(holt_run(cancel_both, NULL) >= 0, "tasks that clean up");
	return measured;
}

int main(void)
{
	size_t n = bench_count(100000);
#ifdef BARE
	double ns = bench_fresh(limit, n);

	bench_tell(by_attribute, "1.5x", "LIMIT", ns);
	bench_tell(by_finally, "1.5x", "LIMIT", ns);
#endif
	bench_fresh(with_holt, n);
	return 0;
}
