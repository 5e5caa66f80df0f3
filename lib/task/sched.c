/* SPDX-License-Identifier: MIT */
/*
 * Park and wake. A task that parks switches straight to the next ready one; only when there is none, or when the
 * turn's fuel is used up, does it go through the loop's own stack.
 *
 * The rule that keeps waiting right: a task is in wait lists only while it is PARKED. holt__wake
 * and holt__interrupt take it out of all of them before they queue it, so nobody can hand
 * something to a task that was canceled, nor cancel one that was handed something.
 */
#include <errno.h>

#include <holt/log.h>

#include "base/messages.h"
#include "task/task.h"

enum { BUDGET = 128, SPINS = 1000 };

HOLT__HIDDEN_TLS holt_task *holt__self;
HOLT__HIDDEN_TLS struct holt__sched *holt__here;

/* Outside of tasks: who looks on must not suspend. */
HOLT__COLD void holt__tell_event(struct holt__sched *s, int event, holt_task *t)
{
	holt_task *self = holt__self;

	holt__self = NULL;
	if (s->hooks.fn)
		s->hooks.fn(s->hooks.arg, event, t);
	if (s->sim.fn) /* last: it may cancel, which is an event, too */
		s->sim.fn(s->sim.arg, event, t);
	holt__self = self;
}

static struct holt__ready *pick_first(struct holt_loop *loop)
{
	return holt__ready_take(loop, &loop->ready);
}

void holt__look_on(struct holt__sched *s)
{
	s->loop.pick = s->pick ? s->pick : s->hooks.fn || s->sim.fn ? pick_first : NULL;
	s->loop.fuel = 1; /* no switch in this turn that we would not see */
}

void holt__run_ready(struct holt_loop *loop)
{
	struct holt__sched *s = holt__sched(loop);
	holt_task *next = (holt_task *)holt__ready_pop(loop);

	if (!next)
		return;
	holt__event(next, HOLT__RESUMED);
	holt__self = next;
	holt__context_switch(&s->context, &next->context);
	holt__self = NULL;
}

int holt__park(holt_task *t, const char *what, const void *on)
{
	t->waits_for = what;
	t->waits_on = on;
	t->since = t->loop->now;
	t->state = HOLT__PARKED;
	t->budget = BUDGET;
	t->spins = 0;
	holt__event(t, HOLT__SUSPENDED);
	return holt__switch_away(t);
}

void holt__interrupt(holt_task *t)
{
	if (t->state != HOLT__PARKED || t->uncancelable)
		return;
	for (uint32_t i = 0; i < t->n_waiters; i++) {
		struct holt__waiter *w = &t->waiter[i];

		if (!w->list)
			continue;
		holt__waiter_remove(w);
		if (w->left)
			w->left(w);
	}
	t->n_waiters = 0;
	t->waiter = NULL;
	holt__wake(t, -ECANCELED);
}

/* Behind all that are ready. No cancellation point: the caller looks afterwards. */
static inline int yield(holt_task *t)
{
	t->since = t->loop->now;
	t->budget = BUDGET;
	t->context.result = 0;
	holt__ready_push(t->loop, &t->ready);
	holt__event(t, HOLT__SUSPENDED);
	return holt__switch_away(t);
}

static HOLT__COLD void spins(holt_task *t)
{
	char path[256];
	struct holt__text text = HOLT__TEXT(path);

	t->spins = 0;
	if (t->spun < UINT16_MAX)
		t->spun++;
	if ((t->spun & (t->spun - 1)) == 0) { /* back-off: the log shall not drown in it */
		holt__task_path(t, &text);
		holt__log_id(HOLT__MSG_SPIN, LOG_WARNING,
			"%s: cancel spin: it has seen -ECANCELED %d times without waiting; it should return", path, SPINS);
	}
	yield(t);
}

HOLT__COLD int holt__enter_slowly(holt_task *t)
{
	if (!t) {
		holt__check_fork("a blocking call");
		return -EPERM;
	}
	if (t->scope->seen < HOLT__CANCEL)
		yield(t); /* the budget is used up: let the others run */
	if (t->scope->seen < HOLT__CANCEL) {
		t->budget--;
		return 0;
	}
	if (++t->spins >= SPINS)
		spins(t);
	return -ECANCELED;
}

struct pause {
	struct holt__timer timer;
	holt_task *task;
};

static void pause_over(struct holt__timer *timer)
{
	holt__wake(holt__container(timer, struct pause, timer)->task, 0);
}

int holt__pause_until(holt_task *t, holt_time point, const char *what, const void *on)
{
	struct pause p = { .timer.fire = pause_over, .task = t };
	int r;

	holt__timer_start(&t->loop->timers, &p.timer, point);
	r = holt__park(t, what, on);
	holt__timer_stop(&p.timer);
	return r;
}

int holt_yield(void)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	return yield(t);
}

int holt_sleep_until(holt_time point)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (point <= t->loop->now)
		return yield(t);
	return holt__pause_until(t, point, "sleeps", NULL);
}

int holt_sleep(holt_time span)
{
	return holt_sleep_until(span == 0 ? 0 : holt__time_add(holt__fresh_now(), span));
}
