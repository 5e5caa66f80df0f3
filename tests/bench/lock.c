/* SPDX-License-Identifier: MIT */
/*
 * What it costs to hand a lock over: two tasks, of which one always holds it and the other one
 * always waits, so that each release goes to the waiter and each acquire suspends.
 *
 * LIMIT is an owner and a queue of waiters; the one released to is made the owner and queued.
 */
#include <holt/holt.h>

#include "bare.h"
#include "bench.h"

static size_t rounds;

#ifdef BARE
static struct {
	struct bare *owner;
	struct bare_list waiters;
} bare_lock;

static BENCH_CALL void bare_acquire(void)
{
	if (!bare_lock.owner) {
		bare_lock.owner = bare_self;
		return;
	}
	bare_push(&bare_lock.waiters, bare_self);
	bare_park();
}

static BENCH_CALL void bare_release(void)
{
	bare_lock.owner = NULL;
	if (!bare_lock.waiters.head)
		return;
	bare_lock.owner = bare_pop(&bare_lock.waiters);
	bare_wake(bare_lock.owner);
}

static int bare_contender(void *arg)
{
	bare_acquire();
	for (size_t i = 0; i < rounds; i++) {
		if (i == 0 && arg)
			bare_yield(); /* so that the other one waits */
		bare_release();
		bare_acquire();
	}
	bare_release();
	return 0;
}

static double limit(size_t n)
{
	struct bare *a, *b;
	double begin;

	if (!bare_pool)
		bare_fill(2, false);
	rounds = n / 2;
	begin = bench_now();
	a = bare_spawn(bare_contender, (void *)1);
	b = bare_spawn(bare_contender, NULL);
	bare_join(a);
	bare_join(b);
	bare_put(a);
	bare_put(b);
	return (bench_now() - begin) / (double)(rounds * 2);
}
#endif

static struct holt_lock lock;

static int contender(void *arg)
{
	int r = holt_lock_acquire(&lock);

	for (size_t i = 0; i < rounds && r >= 0; i++) {
		if (i == 0 && arg)
			holt_yield();
		holt_lock_release(&lock);
		r = holt_lock_acquire(&lock);
	}
	return r < 0 ? r : holt_lock_release(&lock);
}

static int two_contenders(void *arg)
{
	holt_group *g;
	int r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	r = holt_spawn(g, contender, arg);
	if (r >= 0)
		r = holt_spawn(g, contender, NULL);
	return holt_group_close(g, r);
}

static double with_holt(size_t n)
{
	double begin;

	rounds = n / 2;
	begin = bench_now();
	bench_must(holt_run(two_contenders, &lock) >= 0, "two tasks and a lock");
	return (bench_now() - begin) / (double)(rounds * 2);
}

int main(void)
{
	size_t n = bench_count(2000000);

	for (int i = 0; i < bench_rounds(3); i++) {
#ifdef BARE
		bench_tell("lock hand-over, ns", "-", "LIMIT", limit(n));
#endif
		bench_tell("lock hand-over, ns", "-", "holt", with_holt(n));
	}
	return 0;
}
