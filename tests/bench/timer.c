/* SPDX-License-Identifier: MIT */
/*
 * What it costs to arm a timer and to cancel it, while a million others are live.
 *
 * In holt these are deadlines of scopes: a million nest in one task, each earlier than the one
 * around it, so that each is in force. Then batches of 256 at random times of the next hour are
 * begun and ended. holt may do what it likes in between; nothing suspends.
 *
 * LIMIT is a hierarchical wheel of 64 slots a level, in nanoseconds, with a bitmap of the used
 * slots; "heap" is a 4-ary heap with back-indices. Both get the same times in the same order.
 */
#include <holt/holt.h>

#include "bench.h"
#include "times.h"

/* ---- the wheel */
struct tick {
	struct tick *next, **back;
	uint64_t at;
};

static struct {
	uint64_t base, used[11];
	struct tick *slot[11][64];
} wheel;

static BENCH_CALL void wheel_arm(struct tick *t, uint64_t at)
{
	unsigned level = (63 - (unsigned)__builtin_clzll((at ^ wheel.base) | 1)) / 6;
	unsigned index = at >> (6 * level) & 63;
	struct tick **slot = &wheel.slot[level][index];

	wheel.used[level] |= 1ull << index;
	t->at = at;
	t->next = *slot;
	t->back = slot;
	if (t->next)
		t->next->back = &t->next;
	*slot = t;
}

static BENCH_CALL void wheel_cancel(struct tick *t)
{
	*t->back = t->next;
	if (t->next)
		t->next->back = t->back;
}

/* ---- the heap */
struct node {
	uint64_t at;
	size_t index;
};

struct entry {
	uint64_t at;
	struct node *node;
};

static struct {
	struct entry *entry;
	size_t used;
} heap;

static void heap_place(size_t i, uint64_t at, struct node *n)
{
	heap.entry[i].at = at;
	heap.entry[i].node = n;
	n->index = i;
}

static void heap_up(size_t i, struct node *n)
{
	while (i > 0 && heap.entry[(i - 1) / 4].at > n->at) {
		heap_place(i, heap.entry[(i - 1) / 4].at, heap.entry[(i - 1) / 4].node);
		i = (i - 1) / 4;
	}
	heap_place(i, n->at, n);
}

static void heap_down(size_t i, struct node *n)
{
	for (;;) {
		size_t child = 4 * i + 1, end = child + 4 < heap.used ? child + 4 : heap.used, least = child;

		if (child >= heap.used)
			break;
		while (++child < end)
			if (heap.entry[child].at < heap.entry[least].at)
				least = child;
		if (heap.entry[least].at >= n->at)
			break;
		heap_place(i, heap.entry[least].at, heap.entry[least].node);
		i = least;
	}
	heap_place(i, n->at, n);
}

static BENCH_CALL void heap_arm(struct node *n, uint64_t at)
{
	n->at = at;
	heap_up(heap.used++, n);
}

static BENCH_CALL void heap_cancel(struct node *n)
{
	struct node *last = heap.entry[--heap.used].node;

	if (last == n)
		return;
	if (n->index > 0 && heap.entry[(n->index - 1) / 4].at > last->at)
		heap_up(n->index, last);
	else
		heap_down(n->index, last);
}

/* ---- the three series */
static struct times_cost with_wheel(size_t batches)
{
	static struct tick live[TIMES_LIVE], tick[TIMES_BATCH];
	uint64_t now = (uint64_t)bench_now();
	struct times_cost c = { 0, 0 };

	memset(&wheel, 0, sizeof wheel);
	wheel.base = now;
	for (size_t i = 0; i < times_live_count; i++)
		wheel_arm(&live[i], now + times_live[i]);
	TIMES_MEASURE(c, batches, wheel_arm(&tick[i], now + times_batch[b % TIMES_BATCHES][i]), wheel_cancel(&tick[i]))
	return c;
}

static struct times_cost with_heap(size_t batches)
{
	static struct node live[TIMES_LIVE], node[TIMES_BATCH];
	uint64_t now = (uint64_t)bench_now();
	struct times_cost c = { 0, 0 };

	heap.used = 0;
	if (!heap.entry)
		heap.entry = malloc((times_live_count + TIMES_BATCH) * sizeof *heap.entry);
	bench_must(heap.entry != NULL, "memory for the heap");
	for (size_t i = 0; i < times_live_count; i++)
		heap_arm(&live[i], now + times_live[i]);
	TIMES_MEASURE(c, batches, heap_arm(&node[i], now + times_batch[b % TIMES_BATCHES][i]), heap_cancel(&node[i]))
	return c;
}

struct job {
	size_t batches;
	struct times_cost cost;
};

static int scopes(void *arg)
{
	static struct holt_scope live[TIMES_LIVE], scope[TIMES_BATCH];
	struct job *job = arg;
	holt_time now = holt_now();
	int r = 0;

	for (size_t i = 0; i < times_live_count; i++)
		holt_scope_begin(&live[i], now + times_live[i], 0);
	TIMES_MEASURE(job->cost, job->batches, holt_scope_begin(&scope[i], now + times_batch[b % TIMES_BATCHES][i], 0),
		r = (int)holt_scope_end(&scope[i], r))
	for (size_t i = times_live_count; i-- > 0;)
		r = (int)holt_scope_end(&live[i], r);
	return r;
}

int main(void)
{
	struct job job;

	times_draw();
	for (int i = 0; i < bench_rounds(2); i++) {
		job = (struct job){ .batches = bench_count(8000) };
		times_tell("LIMIT", with_wheel(job.batches), job.batches);
		times_tell("heap", with_heap(job.batches), job.batches);
		bench_must(holt_run(scopes, &job) >= 0, "a million deadlines");
		times_tell("holt", job.cost, job.batches);
	}
	return 0;
}
