/* SPDX-License-Identifier: MIT */
/*
 * WATCHDOG=1 at half of the manager's time. It is a timer of the loop, so a loop that does not turn sends none; and
 * it is left out while a task is behind with its heartbeat. Who is behind is said in the log, once each time.
 *
 * One timer of the loop stands for all heartbeats, set to the earliest; when it fires, the tree is walked. A heartbeat
 * that moves its own later costs nothing but the fields that it sets.
 */
#include "base/messages.h"
#include "service/service.h"

#include <errno.h>
#include <systemd/sd-daemon.h>

#include <holt/log.h>

#include "task/task.h"

static struct {
	holt_time half; /* 0: the manager watches nobody */
	struct holt__timer timer;
	struct holt__sched *sched;
} watchdog;

static holt_task *next_with_heartbeat(struct holt__sched *s, holt_task *t)
{
	struct holt__scope *root = &s->root.scope, *i = t ? &t->own : root;

	while ((i = holt__tree_next(root, i, true)))
		if (i->kind == HOLT__TASK && i->task->heartbeat)
			return i->task;
	return NULL;
}

/* ---- heartbeats */

static void name_overdue(holt_task *t)
{
	char line[512];
	struct holt__text text = HOLT__TEXT(line);

	t->overdue = true;
	holt__task_path(t, &text);
	holt__text_add(&text, ": its heartbeat is overdue; it ");
	holt__task_waits(t, &text);
	holt__log_id(HOLT__MSG_HEARTBEAT, LOG_WARNING, "%s", line);
}

static void look_at_heartbeats(struct holt__timer *timer)
{
	struct holt__sched *s = holt__container(timer, struct holt__sched, heartbeats);
	holt_time next = HOLT_NEVER;

	for (holt_task *t = NULL; s->n_heartbeats > 0 && (t = next_with_heartbeat(s, t));) {
		if (t->heartbeat > s->loop.now)
			next = holt__time_min(next, t->heartbeat);
		else if (!t->overdue)
			name_overdue(t);
	}
	holt__timer_start(&s->loop.timers, timer, next);
}

int holt_heartbeat(holt_time within)
{
	holt_task *t = holt__self;
	struct holt__sched *s;

	if (!t) {
		holt__check_fork("holt_heartbeat");
		return -EPERM;
	}
	s = holt__sched(t->loop);
	if (within == 0 || within == HOLT_NEVER) {
		s->n_heartbeats -= t->heartbeat != 0;
		t->heartbeat = 0;
		return 0;
	}
	s->n_heartbeats += t->heartbeat == 0;
	t->heartbeat = holt__time_add(holt__fresh_now(), within);
	t->overdue = false;
	if (!holt__timer_started(&s->heartbeats) || t->heartbeat < s->heartbeats.at) {
		holt__timer_stop(&s->heartbeats);
		s->heartbeats.fire = look_at_heartbeats;
		holt__timer_start(&s->loop.timers, &s->heartbeats, t->heartbeat);
	}
	return 0;
}

/* ---- the watchdog */

static bool all_in_time(struct holt__sched *s)
{
	for (holt_task *t = NULL; s->n_heartbeats > 0 && (t = next_with_heartbeat(s, t));)
		if (t->heartbeat <= s->loop.now)
			return false;
	return true;
}

static void feed(struct holt__timer *timer)
{
	struct holt__sched *s = watchdog.sched;

	if (all_in_time(s))
		holt__notify_send("WATCHDOG=1", 10, -1); /* one that does not go out is not kept: the next is as good */
	holt__timer_start(&s->loop.timers, timer, holt__time_add(s->loop.now, watchdog.half));
}

void holt__watchdog_take(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(true, &usec) > 0)
		watchdog.half = usec > HOLT_NEVER / HOLT_US ? 0 : usec * HOLT_US / 2;
}

void holt__watchdog_begin(struct holt__sched *s)
{
	if (watchdog.half == 0)
		return;
	watchdog.sched = s;
	watchdog.timer.fire = feed;
	holt__timer_start(&s->loop.timers, &watchdog.timer, holt__time_add(holt__fresh_now(), watchdog.half));
}

void holt__watchdog_end(void)
{
	holt__timer_stop(&watchdog.timer);
}
