/* SPDX-License-Identifier: MIT */
/*
 * Items of 8 bytes between two tasks. "channel": there and back over two queues of one, so that
 * each round trip is two changes of tasks. "queue": one way over a queue of 128, per item; its
 * changes of tasks are shared by 128 items.
 *
 * LIMIT is a ring, with one list for those who wait to get and one for those who wait to put; an
 * item goes directly to who waits for it, as in holt. It knows only items of 8 bytes.
 */
#include <holt/holt.h>

#include "bare.h"
#include "bench.h"

static size_t items;

#ifdef BARE
struct ring {
	uint64_t mask, first, end; /* mask: the capacity less one; the others only ever grow */
	struct bare_list getters, putters;
	uint64_t item[128];
};

static struct ring forth, back;

static BENCH_CALL void ring_put(struct ring *q, const uint64_t *item)
{
	if (q->getters.head) {
		struct bare *b = bare_pop(&q->getters);

		*(uint64_t *)b->slot = *item;
		bare_wake(b);
		return;
	}
	if (q->end - q->first <= q->mask) {
		q->item[q->end++ & q->mask] = *item;
		return;
	}
	bare_self->slot = (void *)(uintptr_t)item;
	bare_push(&q->putters, bare_self);
	bare_park();
}

static BENCH_CALL void ring_get(struct ring *q, uint64_t *ret_item)
{
	if (q->first == q->end) {
		bare_self->slot = ret_item;
		bare_push(&q->getters, bare_self);
		bare_park();
		return;
	}
	*ret_item = q->item[q->first++ & q->mask];
	if (q->putters.head) {
		struct bare *b = bare_pop(&q->putters);

		q->item[q->end++ & q->mask] = *(uint64_t *)b->slot;
		bare_wake(b);
	}
}

static int bare_echo(void *arg)
{
	uint64_t x;

	for (size_t i = 0; i < items; i++) {
		ring_get(&forth, &x);
		ring_put(&back, &x);
	}
	return arg != NULL;
}

static int bare_caller(void *arg)
{
	uint64_t x = 0;

	for (size_t i = 0; i < items; i++) {
		ring_put(&forth, &x);
		ring_get(&back, &x);
	}
	return arg != NULL;
}

static int bare_producer(void *arg)
{
	for (uint64_t i = 0; i < items; i++)
		ring_put(&forth, &i);
	return arg != NULL;
}

static int bare_consumer(void *arg)
{
	uint64_t x, sum = 0;

	for (size_t i = 0; i < items; i++) {
		ring_get(&forth, &x);
		sum += x;
	}
	bench_must(sum == (uint64_t)items * (items - 1) / 2, "what came out");
	return arg != NULL;
}

static double bare_pair(int (*first)(void *), int (*second)(void *), size_t capacity)
{
	struct bare *a, *b;
	double begin;

	if (!bare_pool)
		bare_fill(2, false);
	forth.mask = back.mask = capacity - 1;
	begin = bench_now();
	a = bare_spawn(first, NULL);
	b = bare_spawn(second, NULL);
	bare_join(a);
	bare_join(b);
	bare_put(a);
	bare_put(b);
	return (bench_now() - begin) / (double)items;
}
#endif

static holt_queue *to, *from;

static int echo(void *arg)
{
	uint64_t x;
	int r = 0;

	for (size_t i = 0; i < items && r >= 0; i++) {
		r = holt_queue_get(to, &x);
		if (r >= 0)
			r = holt_queue_put(from, &x);
	}
	return arg ? -EINVAL : r;
}

static int caller(void *arg)
{
	uint64_t x = 0;
	int r = 0;

	for (size_t i = 0; i < items && r >= 0; i++) {
		r = holt_queue_put(to, &x);
		if (r >= 0)
			r = holt_queue_get(from, &x);
	}
	return arg ? -EINVAL : r;
}

static int producer(void *arg)
{
	int r = 0;

	for (uint64_t i = 0; i < items && r >= 0; i++)
		r = holt_queue_put(to, &i);
	return arg ? -EINVAL : r;
}

static int consumer(void *arg)
{
	uint64_t x = 0, sum = 0;
	int r = 0;

	for (size_t i = 0; i < items && r >= 0; i++) {
		r = holt_queue_get(to, &x);
		sum += x;
	}
	bench_must(r < 0 || sum == (uint64_t)items * (items - 1) / 2, "what came out");
	return arg ? -EINVAL : r;
}

struct pair {
	holt_fn first, second;
	size_t capacity;
	double ns;
};

static int run_pair(void *arg)
{
	struct pair *p = arg;
	holt_auto(queue) forth_queue = NULL;
	holt_auto(queue) back_queue = NULL;
	holt_group *g;
	double begin;
	int r;

	r = holt_queue_open(&forth_queue, sizeof(uint64_t), p->capacity);
	if (r >= 0)
		r = holt_queue_open(&back_queue, sizeof(uint64_t), p->capacity);
	if (r >= 0)
		r = holt_group_open(&g);
	if (r < 0)
		return r;
	to = forth_queue;
	from = back_queue;

	begin = bench_now();
	r = holt_spawn(g, p->first, NULL);
	if (r >= 0)
		r = holt_spawn(g, p->second, NULL);
	r = holt_group_close(g, r);
	p->ns = (bench_now() - begin) / (double)items;
	return r;
}

static double with_holt(holt_fn first, holt_fn second, size_t capacity)
{
	struct pair p = { .first = first, .second = second, .capacity = capacity };

	bench_must(holt_run(run_pair, &p) >= 0, "two tasks and their queues");
	return p.ns;
}

int main(void)
{
	for (int i = 0; i < bench_rounds(3); i++) {
		items = bench_count(1000000);
#ifdef BARE
		bench_tell("channel round trip, ns", "1.5x", "LIMIT", bare_pair(bare_caller, bare_echo, 1));
#endif
		bench_tell("channel round trip, ns", "1.5x", "holt", with_holt(caller, echo, 1));

		items = bench_count(5000000);
#ifdef BARE
		bench_tell("queue of 128, an item, ns", "2x", "LIMIT", bare_pair(bare_producer, bare_consumer, 128));
#endif
		bench_tell("queue of 128, an item, ns", "2x", "holt", with_holt(producer, consumer, 128));
	}
	return 0;
}
