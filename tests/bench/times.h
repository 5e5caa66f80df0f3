/* SPDX-License-Identifier: MIT */
/*
 * The timer workload, shared by holt and the peers: which spans are live, which are armed and
 * canceled, and how that is timed. Spans are nanoseconds from now. The live ones lie within the
 * second hour, the measured ones within the first; both are drawn at random and sorted, the
 * latest first, because scopes nest that way. Every series gets the same.
 */
#pragma once
#include "bench.h"

enum { TIMES_LIVE = 1000000, TIMES_BATCH = 256, TIMES_BATCHES = 64, TIMES_PEER_BATCHES = 1000 };

static size_t times_live_count;
static uint64_t times_live[TIMES_LIVE], times_batch[TIMES_BATCHES][TIMES_BATCH];

static int times_descending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void times_draw(void)
{
	const uint64_t hour = 3600ull * 1000000000;
	uint64_t seed = 1;

	times_live_count = bench_count(TIMES_LIVE);
	for (size_t i = 0; i < times_live_count; i++)
		times_live[i] = hour + bench_random(&seed) % hour;
	qsort(times_live, times_live_count, sizeof *times_live, times_descending);
	for (size_t b = 0; b < TIMES_BATCHES; b++) {
		for (size_t i = 0; i < TIMES_BATCH; i++)
			times_batch[b][i] = bench_random(&seed) % hour + 1000000;
		qsort(times_batch[b], TIMES_BATCH, sizeof **times_batch, times_descending);
	}
}

struct times_cost {
	double arm, cancel;
};

/* Arms a batch (index i, batch b), cancels it the other way round. A macro, so that no call through a pointer is in it. */
#define TIMES_MEASURE(cost, batches, arm_one, cancel_one) \
	for (size_t b = 0; b < (batches); b++) { \
		double begin = bench_now(), middle; \
		for (size_t i = 0; i < TIMES_BATCH; i++) \
			arm_one; \
		middle = bench_now(); \
		for (size_t i = TIMES_BATCH; i-- > 0;) \
			cancel_one; \
		(cost).cancel += bench_now() - middle; \
		(cost).arm += middle - begin; \
	}

static void times_tell(const char *series, struct times_cost c, size_t batches)
{
	bench_tell("timer, 1M live: arm, ns", "3x", series, c.arm / (double)(batches * TIMES_BATCH));
	bench_tell("timer, 1M live: cancel, ns", "3x", series, c.cancel / (double)(batches * TIMES_BATCH));
}
