/* SPDX-License-Identifier: MIT */
/*
 * 100,000 tasks which sleep until random moments of one second: microseconds of CPU time for
 * each, from before the first is spawned to after the last has ended. A spawn, a timer, a wake-up
 * and an end are in it, and what the kernel takes for being woken so often. The stacks are warm:
 * all tasks slept once before, for a short time (what cold ones cost is told by parked.c).
 *
 * LIMIT is bare coroutines, a heap of wake-up times, one timerfd that is set again only when the
 * next moment is another, and epoll.
 */
#include <holt/holt.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "bare.h"
#include "bench.h"

static uint64_t seed = 1, within;

static uint64_t random_span(void)
{
	return bench_random(&seed) % within;
}

#ifdef BARE
/* The entry holds the time, so that sifting does not touch the sleepers' stacks. */
struct entry {
	uint64_t at;
	struct bare *who;
};

static struct {
	struct entry *entry;
	size_t used;
} heap;

static struct bare **all;

static void heap_push(uint64_t at, struct bare *who)
{
	size_t i = heap.used++;

	while (i > 0 && heap.entry[(i - 1) / 4].at > at) {
		heap.entry[i] = heap.entry[(i - 1) / 4];
		i = (i - 1) / 4;
	}
	heap.entry[i].at = at;
	heap.entry[i].who = who;
}

static struct bare *heap_pop(void)
{
	struct bare *first = heap.entry[0].who;
	size_t i = 0, last = --heap.used;

	for (;;) {
		size_t child = 4 * i + 1, end = child + 4 < last ? child + 4 : last, least = child;

		if (child >= last)
			break;
		while (++child < end)
			if (heap.entry[child].at < heap.entry[least].at)
				least = child;
		if (heap.entry[least].at >= heap.entry[last].at)
			break;
		heap.entry[i] = heap.entry[least];
		i = least;
	}
	heap.entry[i] = heap.entry[last];
	return first;
}

static BENCH_CALL void bare_sleep(uint64_t span)
{
	heap_push((uint64_t)bench_now() + span, bare_self);
	bare_park();
}

static int bare_sleeper(void *arg)
{
	bare_sleep(random_span());
	return arg != NULL;
}

/* The main coroutine is the loop: it lets all run that are ready, then waits for the next. */
static void bare_loop(void)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	uint64_t set = 0;

	bench_must(timer >= 0 && epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &e) == 0, "timerfd and epoll");
	for (;;) {
		uint64_t now;

		bare_yield();
		if (heap.used == 0)
			break;
		now = (uint64_t)bench_now();
		while (heap.used > 0 && heap.entry[0].at <= now)
			bare_wake(heap_pop());
		if (bare_ready.head)
			continue;
		if (heap.entry[0].at != set) {
			struct itimerspec its = { .it_value = { .tv_sec = (time_t)(heap.entry[0].at / 1000000000),
							  .tv_nsec = (long)(heap.entry[0].at % 1000000000) } };

			set = heap.entry[0].at;
			timerfd_settime(timer, TFD_TIMER_ABSTIME, &its, NULL);
		}
		bench_must(epoll_wait(epoll, &e, 1, -1) == 1 || errno == EINTR, "epoll_wait");
	}
	close(timer);
	close(epoll);
}

static double bare_sleepers(size_t n)
{
	double begin = bench_clock(CLOCK_PROCESS_CPUTIME_ID);

	for (size_t i = 0; i < n; i++)
		all[i] = bare_spawn(bare_sleeper, NULL);
	bare_loop();
	for (size_t i = 0; i < n; i++)
		bare_put(all[i]);
	return (bench_clock(CLOCK_PROCESS_CPUTIME_ID) - begin) / (double)n / 1000;
}

static double limit(size_t n)
{
	heap.entry = malloc(n * sizeof *heap.entry);
	all = malloc(n * sizeof *all);
	bench_must(heap.entry != NULL && all != NULL, "memory for the heap");
	bare_fill(n, true);
	within = 100000000;
	bare_sleepers(n);
	within = 1000000000;
	return bare_sleepers(n);
}
#endif

static double measured;

static int sleeper(void *arg)
{
	int r = holt_sleep(random_span());

	return arg ? -EINVAL : r;
}

static int sleepers(size_t n)
{
	double begin = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
	holt_group *g;
	int r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = holt_spawn(g, sleeper, NULL);
	r = holt_group_close(g, r);
	measured = (bench_clock(CLOCK_PROCESS_CPUTIME_ID) - begin) / (double)n / 1000;
	return r;
}

static int sleepers_twice(void *arg)
{
	int r;

	within = 100000000;
	r = sleepers(*(size_t *)arg);
	within = 1000000000;
	return r < 0 ? r : sleepers(*(size_t *)arg);
}

static double with_holt(size_t n)
{
	bench_must(holt_run(sleepers_twice, &n) >= 0, "tasks that sleep");
	return measured;
}

int main(void)
{
	size_t n = bench_count(100000);

#ifdef BARE
	bench_tell("100,000 sleepers, CPU us each", "1.2x", "LIMIT", bench_fresh(limit, n));
#endif
	bench_tell("100,000 sleepers, CPU us each", "1.2x", "holt", bench_fresh(with_holt, n));
	return 0;
}
