/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of restarts: a ring of times, a doubling wait, two small tables. Nothing here waits, logs or reads a
 * clock.
 *
 * The ring holds the last min(n, restarts) times, oldest at `first`. A restart lies within the window when it is not
 * older than `within`: at exactly that age it still counts, as in OTP.
 */
#include "base/restart.h"

#include <errno.h>

#include "base/alloc.h"

/* ---- intensity */

static bool within(const struct holt__intensity *i, holt_time then, holt_time now)
{
	return now < then || now - then <= i->within;
}

static holt_time nth(const struct holt__intensity *i, unsigned n) /* 0: the oldest */
{
	return i->ring[(i->first + (size_t)n) % i->restarts];
}

int holt__intensity_init(struct holt__intensity *i, unsigned restarts, holt_time span)
{
	*i = (struct holt__intensity){ .restarts = restarts, .within = span };
	if (restarts == 0)
		return 0;
	i->ring = holt__calloc(restarts, sizeof *i->ring);
	return i->ring ? 0 : -ENOMEM;
}

void holt__intensity_free(struct holt__intensity *i)
{
	holt__free(i->ring);
	*i = (struct holt__intensity){ 0 };
}

bool holt__intensity_add(struct holt__intensity *i, holt_time now)
{
	bool allowed;

	if (i->restarts == 0)
		return false;
	if (i->n < i->restarts) {
		i->ring[(i->first + (size_t)i->n++) % i->restarts] = now;
		return true;
	}
	allowed = !within(i, nth(i, 0), now);
	i->ring[i->first] = now; /* the oldest makes room */
	i->first = (i->first + 1) % i->restarts;
	return allowed;
}

unsigned holt__intensity_count(const struct holt__intensity *i, holt_time now)
{
	unsigned count = 0;

	while (count < i->n && within(i, nth(i, i->n - 1 - count), now))
		count++;
	return count;
}

int holt__intensity_set(struct holt__intensity *i, unsigned restarts, holt_time span)
{
	struct holt__intensity other;
	int r = holt__intensity_init(&other, restarts, span);

	if (r < 0)
		return r;
	other.n = i->n < restarts ? i->n : restarts; /* the youngest of them */
	for (unsigned k = 0; k < other.n; k++)
		other.ring[k] = nth(i, i->n - other.n + k);
	holt__intensity_free(i);
	*i = other;
	return 0;
}

void holt__intensity_reset(struct holt__intensity *i)
{
	i->first = i->n = 0;
}

/* ---- back-off */

void holt__backoff_healthy(struct holt__backoff *b, holt_time now)
{
	b->healthy_since = now ? now : 1;
}

static holt_time doubled(holt_time span, unsigned times, holt_time max)
{
	if (max <= span)
		return span;
	while (times-- > 0) {
		if (span >= max - span)
			return max;
		span *= 2;
	}
	return span;
}

holt_time holt__backoff_next(struct holt__backoff *b, holt_time now, uint64_t random)
{
	holt_time wait;

	if (b->reset && b->healthy_since && now >= b->healthy_since && now - b->healthy_since >= b->reset)
		b->step = 0;
	b->healthy_since = 0;
	wait = b->min ? doubled(b->min, b->step, b->max) : 0;
	if (b->step < UINT32_MAX)
		b->step++;
	wait -= random % (wait / 4 + 1);
	return wait > b->min ? wait : b->min;
}

void holt__backoff_reset(struct holt__backoff *b)
{
	b->step = 0;
	b->healthy_since = 0;
}

/* ---- who */

bool holt__restart_wanted(enum holt_restart restart, bool failed)
{
	switch (restart) {
	case HOLT_RESTART_ALWAYS:
		return true;
	case HOLT_RESTART_ON_FAILURE:
		return failed;
	case HOLT_RESTART_NEVER:
		break;
	}
	return false;
}

void holt__restart_range(enum holt_strategy strategy, size_t i, size_t n, size_t *ret_first, size_t *ret_end)
{
	*ret_first = strategy == HOLT_ONE_FOR_ALL ? 0 : i;
	*ret_end = strategy == HOLT_ONE_FOR_ONE ? i + 1 : n;
}
