/* SPDX-License-Identifier: MIT */
/*
 * Tickers: a beginning, a period, and which tick is next. No timer runs while nobody waits.
 */
#include <errno.h>

#include <holt/time.h>

#include "task/task.h"

struct holt_ticker {
	holt_time begin, period;
	uint64_t next; /* the number of the next tick to return; that at the beginning is none */
	size_t waiting;
};

int holt_ticker_open(holt_ticker **ret, holt_time period)
{
	holt_ticker *t;

	if (!ret || period == 0)
		return -EINVAL;
	t = holt__malloc(sizeof *t);
	if (!t)
		return -ENOMEM;
	*t = (holt_ticker){ .begin = holt__fresh_now(), .period = period, .next = 1 };
	*ret = t;
	return 0;
}

/* The tick before it has been: so far the product is no larger than the clock. */
static holt_time due(const holt_ticker *t)
{
	return holt__time_add(t->begin + (t->next - 1) * t->period, t->period);
}

int holt_ticker_next(holt_ticker *t, uint64_t *ret_missed)
{
	holt_task *self;
	uint64_t latest;
	int r;

	for (;;) {
		r = holt__enter(&self);
		if (r < 0)
			return r;
		if (due(t) <= holt__fresh_now())
			break;
		t->waiting++;
		r = holt__pause_until(self, due(t), "tick", t);
		t->waiting--;
		if (r < 0)
			return r;
		if (due(t) <= holt__fresh_now())
			break; /* it came before a cancellation did */
	}
	latest = (holt__fresh_now() - t->begin) / t->period;
	if (ret_missed)
		*ret_missed = latest - t->next;
	t->next = latest + 1;
	return 0;
}

holt_ticker *holt_ticker_close(holt_ticker *t)
{
	if (!t)
		return NULL;
	if (t->waiting > 0)
		holt__die("holt_ticker_close: a task still waits for a tick; close the group of those who use it first");
	holt__free(t);
	return NULL;
}

void holt_auto_ticker(holt_ticker **t)
{
	holt_ticker_close(*t);
}
