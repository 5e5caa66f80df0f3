/* SPDX-License-Identifier: MIT */
/*
 * What a task costs from its birth to the moment its parent has its result, when it does nothing
 * else: one at a time, and with 10,000 alive at once (all are spawned before the first is waited
 * for). The pools are warm: each series runs once before it is measured.
 *
 * LIMIT takes a stack with its coroutine from a list, queues it, switches there and back.
 * "group" is holt without a reference to the task: spawn, then wait for the group to be empty.
 */
#include <holt/holt.h>

#include "bare.h"
#include "bench.h"

enum { ALIVE = 10000 };

static size_t ran;

static int nothing(void *arg)
{
	ran += (size_t)arg;
	return 0;
}

#ifdef BARE
static double limit_one(size_t n)
{
	double begin;

	if (!bare_pool)
		bare_fill(ALIVE, false);
	begin = bench_now();
	for (size_t i = 0; i < n; i++) {
		struct bare *b = bare_spawn(nothing, (void *)1);

		bare_join(b);
		bench_must(b->result == 0, "the result");
		bare_put(b);
	}
	return (bench_now() - begin) / (double)n;
}

static double limit_many(size_t n)
{
	static struct bare *b[ALIVE];
	double begin = bench_now();

	for (size_t done = 0; done < n; done += ALIVE) {
		for (size_t i = 0; i < ALIVE; i++)
			b[i] = bare_spawn(nothing, (void *)1);
		for (size_t i = 0; i < ALIVE; i++) {
			bare_join(b[i]);
			bench_must(b[i]->result == 0, "the result");
		}
		for (size_t i = 0; i < ALIVE; i++)
			bare_put(b[i]);
	}
	return (bench_now() - begin) / (double)(n / ALIVE * ALIVE);
}
#endif

struct job {
	size_t n;
	double ns, group_ns;
};

static int spawn_and_wait(holt_group *g)
{
	holt_task *t;
	int r, result;

	r = holt_spawn(g, nothing, (void *)1, .task = &t);
	if (r < 0)
		return r;
	r = holt_task_wait(t, &result);
	holt_task_unref(t);
	return r < 0 ? r : result;
}

static int holt_one(void *arg)
{
	struct job *job = arg;
	holt_group *g;
	double begin;
	int r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	begin = bench_now();
	for (size_t i = 0; i < job->n && r >= 0; i++)
		r = spawn_and_wait(g);
	job->ns = (bench_now() - begin) / (double)job->n;

	begin = bench_now();
	for (size_t i = 0; i < job->n && r >= 0; i++) {
		r = holt_spawn(g, nothing, (void *)1);
		if (r >= 0)
			r = holt_group_wait(g);
	}
	job->group_ns = (bench_now() - begin) / (double)job->n;
	return holt_group_close(g, r);
}

static int spawn_all_and_wait(holt_group *g)
{
	static holt_task *t[ALIVE];
	int r = 0, result;

	for (size_t i = 0; i < ALIVE && r >= 0; i++)
		r = holt_spawn(g, nothing, (void *)1, .task = &t[i]);
	for (size_t i = 0; i < ALIVE && r >= 0; i++) {
		r = holt_task_wait(t[i], &result);
		if (r >= 0)
			r = result;
	}
	for (size_t i = 0; i < ALIVE && r >= 0; i++)
		holt_task_unref(t[i]);
	return r;
}

static int spawn_all_and_drain(holt_group *g)
{
	int r = 0;

	for (size_t i = 0; i < ALIVE && r >= 0; i++)
		r = holt_spawn(g, nothing, (void *)1);
	return r < 0 ? r : holt_group_wait(g);
}

static int holt_many(void *arg)
{
	struct job *job = arg;
	size_t n = job->n / ALIVE * ALIVE;
	holt_group *g;
	double begin;
	int r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	r = spawn_all_and_wait(g); /* the pool warms up */
	begin = bench_now();
	for (size_t done = 0; done < n && r >= 0; done += ALIVE)
		r = spawn_all_and_wait(g);
	job->ns = (bench_now() - begin) / (double)n;

	begin = bench_now();
	for (size_t done = 0; done < n && r >= 0; done += ALIVE)
		r = spawn_all_and_drain(g);
	job->group_ns = (bench_now() - begin) / (double)n;
	return holt_group_close(g, r);
}

int main(void)
{
	struct job one = { .n = bench_count(1000000) }, many = { .n = bench_smoke() ? ALIVE : 50 * ALIVE };

	for (int i = 0; i < bench_rounds(3); i++) {
#ifdef BARE
		if (i == 0)
			limit_one(one.n / 10 + 1);
		bench_tell("spawn + run + wait, ns", "2x", "LIMIT", limit_one(one.n));
#endif
		bench_must(holt_run(holt_one, &one) >= 0, "spawn and wait, one at a time");
		bench_tell("spawn + run + wait, ns", "2x", "holt", one.ns);
		bench_tell("spawn + run + wait, ns", "2x", "group", one.group_ns);
#ifdef BARE
		if (i == 0)
			limit_many(ALIVE);
		bench_tell("the same, 10,000 alive, ns", "2x", "LIMIT", limit_many(many.n));
#endif
		bench_must(holt_run(holt_many, &many) >= 0, "10,000 alive at once");
		bench_tell("the same, 10,000 alive, ns", "2x", "holt", many.ns);
		bench_tell("the same, 10,000 alive, ns", "2x", "group", many.group_ns);
	}
	return 0;
}
