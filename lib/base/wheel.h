/* SPDX-License-Identifier: MIT */
/*
 * Timers: a hierarchical wheel of 11 levels of 64 slots, in nanoseconds, without rounding.
 *
 * A timer lies at the level of the highest 6-bit digit in which its time differs from the
 * wheel's base, in the slot of that digit. So whatever lies on a lower level comes earlier, and
 * the first used slot of the lowest used level holds the next timer. Start and stop are O(1).
 * To expire a slot, it is taken whole and sorted, which gives the exact order of times
 * (equal times: in the order in which they were started).
 */
#pragma once
#include "base/base.h"

enum { HOLT__WHEEL_BITS = 6, HOLT__WHEEL_SLOTS = 64, HOLT__WHEEL_LEVELS = 11 };

struct holt__timer {
	struct holt__timer *next, *prev; /* NULL: not started */
	holt_time at;
	void (*fire)(struct holt__timer *t); /* may start and stop any timer */
};

struct holt__wheel {
	holt_time base;                    /* all earlier timers have been expired */
	uint64_t used[HOLT__WHEEL_LEVELS]; /* a bit a slot; may be set for an empty one, never clear for a used one */
	unsigned levels;                   /* a bit a level, in the same way */
	struct holt__timer due;            /* list head: expired, not yet fired */
	struct holt__timer slot[HOLT__WHEEL_LEVELS][HOLT__WHEEL_SLOTS]; /* list heads; only next and prev are used */
};

void holt__wheel_init(struct holt__wheel *w, holt_time now);
void holt__wheel_place(struct holt__wheel *w, struct holt__timer *t);

/* The time at which holt__wheel_run has something to do at the earliest; HOLT_NEVER for an empty wheel. */
holt_time holt__wheel_next(struct holt__wheel *w);

/* Fires all timers of now and before, in order of their times. */
void holt__wheel_run(struct holt__wheel *w, holt_time now);

static inline bool holt__timer_started(const struct holt__timer *t)
{
	return t->next != NULL;
}

static inline void holt__timer_stop(struct holt__timer *t)
{
	if (!t->next)
		return;
	t->next->prev = t->prev;
	t->prev->next = t->next;
	t->next = NULL;
}

/* Starts a stopped timer; HOLT_NEVER leaves it stopped. */
static inline void holt__timer_start(struct holt__wheel *w, struct holt__timer *t, holt_time at)
{
	t->at = at;
	t->next = NULL;
	if (at != HOLT_NEVER)
		holt__wheel_place(w, t);
}
