/* SPDX-License-Identifier: MIT */
/*
 * Many tasks: a hundred thousand one inside the other, as many beside each other, and a million. Whatever walks the tree
 * does it by iteration and in time that grows with the number only; the tests say so by ending.
 */
#include "harness.h"

#include "task/task.h"

/* A million stacks are a million page faults, which take a minute where several machines share a processor. */
static void __attribute__((constructor)) take_your_time(void)
{
	setenv("CK_DEFAULT_TIMEOUT", "250", 1);
}

#ifdef HARNESS_ASAN
enum { DEEP = 20000 }; /* its stacks are large */
#else
enum { DEEP = 100000 };
#endif

struct depth {
	int n, canceled;
};

static int deeper_task(void *arg)
{
	struct depth *d = arg;
	holt_group *g = NULL;
	int r;

	if (++d->n == DEEP) {
		r = holt_sleep(10 * HOLT_HOUR);
		d->canceled += r == -ECANCELED;
		return r;
	}
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, deeper_task, d), 0);
	r = holt_group_close(g, 0);
	d->canceled += r == -ECANCELED;
	return r;
}

static int cancel_a_deep_tree(void *arg)
{
	struct depth *d = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, deeper_task, d), 0);
	while (d->n < DEEP)
		ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(g, "enough");
	return holt_group_close(g, 0);
}

TEST(hundred_thousand_tasks_one_inside_the_other_are_canceled_on_a_small_stack)
{
	struct depth d = { .n = 0 };

#ifdef HARNESS_TSAN
	SKIP("ThreadSanitizer has not so many fibers");
#endif
	ck_assert_int_eq(harness_run(cancel_a_deep_tree, &d), 0);
	ck_assert_int_eq(d.canceled, DEEP);
}

static int counts_finally(void *arg, int result)
{
	ck_assert_int_eq(result, -ECANCELED);
	++*(int *)arg;
	return 0;
}

static int nest_groups(void *arg)
{
	holt_group **g = calloc(DEEP, sizeof *g);
	int *n = arg;

	ck_assert_ptr_nonnull(g);
	for (int i = 0; i < DEEP; i++) {
		ck_assert_int_eq(holt_group_open(&g[i]), 0);
		if (i > 0)
			ck_assert_int_eq(holt_finally(g[i], counts_finally, n), 0);
	}
	holt_group_stop(g[0], NULL);
	holt_group_cancel(g[0], NULL);
	for (int i = DEEP; i-- > 1;)
		ck_assert_int_eq(holt_group_close(g[i], -ECANCELED), -ECANCELED);
	ck_assert_int_eq(holt_group_close(g[0], -ECANCELED), 0);
	free(g);
	return 0;
}

TEST(hundred_thousand_groups_one_inside_the_other_are_canceled_and_closed)
{
	int n = 0;

	ck_assert_int_eq(harness_run(nest_groups, &n), 0);
	ck_assert_int_eq(n, DEEP - 1);
}

static int parks(void *arg)
{
	return holt_event_wait(arg);
}

static int park_many(void *arg)
{
	struct holt_event e = { .set = false };
	size_t n = *(size_t *)arg;
	holt_group *g = NULL;
	int r = 0;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (size_t i = 0; i < n && r == 0; i++)
		r = holt_spawn(g, parks, &e);
	if (r == 0)
		r = holt_yield();
	if (r == 0)
		ck_assert_uint_eq(holt_task_count(), n + 1);
	holt_event_set(&e);
	return holt_group_close(g, r);
}

TEST(hundred_thousand_tasks_wait_at_once)
{
	size_t n = DEEP;

#ifdef HARNESS_TSAN
	SKIP("ThreadSanitizer has not so many fibers");
#endif
	ck_assert_int_eq(harness_run(park_many, &n), 0);
}

/* Bytes that could be had without pushing others out; 0: not known. */
static uint64_t free_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024;
}

TEST(million_tasks_wait_at_once)
{
	size_t n = 1000000;
	int r;

#if defined(HARNESS_ASAN) || defined(HARNESS_TSAN)
	SKIP("a sanitizer's stacks are too large for a million of them");
#endif
	if (getenv("HOLT_TEST_SMALL"))
		SKIP("HOLT_TEST_SMALL is set");
	if (free_memory() < 8ULL << 30)
		SKIP("it takes 4.5 GiB, and 8 GiB are not free");
	r = harness_run(park_many, &n);
	if (r == -ENOMEM)
		SKIP("the system gives no address space for a million stacks");
	ck_assert_int_eq(r, 0);
}
