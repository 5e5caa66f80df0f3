/* SPDX-License-Identifier: MIT */
/*
 * The same workloads on State Threads: spawn + run + wait, one at a time and 10,000 alive at
 * once, and the lock that is handed over between two threads. It has no yield and no queue.
 */
#include <st.h>

#include "bench.h"

enum { ALIVE = 10000 };

static size_t ran, rounds;
static st_mutex_t lock;

static void *nothing(void *arg)
{
	ran += (size_t)arg;
	return NULL;
}

static double one(size_t n)
{
	double begin = bench_now();

	for (size_t i = 0; i < n; i++)
		st_thread_join(st_thread_create(nothing, (void *)1, 1, 0), NULL);
	return (bench_now() - begin) / (double)n;
}

static double many(size_t n)
{
	static st_thread_t t[ALIVE];
	double begin = bench_now();

	for (size_t done = 0; done < n; done += ALIVE) {
		for (size_t i = 0; i < ALIVE; i++)
			t[i] = st_thread_create(nothing, (void *)1, 1, 0);
		for (size_t i = 0; i < ALIVE; i++)
			st_thread_join(t[i], NULL);
	}
	return (bench_now() - begin) / (double)n;
}

static void *contender(void *arg)
{
	st_mutex_lock(lock);
	for (size_t i = 0; i < rounds; i++) {
		if (i == 0 && arg)
			st_sleep(0); /* so that the other one waits */
		st_mutex_unlock(lock);
		st_mutex_lock(lock);
	}
	st_mutex_unlock(lock);
	return NULL;
}

static double hand_over(size_t n)
{
	double begin = bench_now();
	st_thread_t a, b;

	rounds = n / 2;
	a = st_thread_create(contender, (void *)1, 1, 0);
	b = st_thread_create(contender, NULL, 1, 0);
	st_thread_join(a, NULL);
	st_thread_join(b, NULL);
	return (bench_now() - begin) / (double)(rounds * 2);
}

int main(void)
{
	bench_must(st_init() == 0 && (lock = st_mutex_new()) != NULL, "st_init");
	one(10);
	bench_tell("spawn + run + wait, ns", "2x", "st", one(bench_count(1000000)));
	bench_tell("lock hand-over, ns", "-", "st", hand_over(bench_count(2000000)));
	many(ALIVE);
	bench_tell("the same, 10,000 alive, ns", "2x", "st", many(bench_smoke() ? ALIVE : 20 * ALIVE));
	return 0;
}
