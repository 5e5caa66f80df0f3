/* SPDX-License-Identifier: MIT */
/*
 * The order of things in a supervisor: who is stopped and started with whom, one after the other, and when it is all over.
 *
 * The sweep goes down from the last child to `low`; it stops whoever runs and waits for each end. A failure in the
 * middle of it lowers `low`. Then, unless the supervisor is ending, comes the pause, and the rise goes up from `low`;
 * it starts whoever waits, and waits for each that is to be up first. A failure in the middle of that begins
 * the next sweep. So a child between the two is down, and nothing has to be remembered but where they stand.
 */
#include <errno.h>
#include <string.h>

#include <holt/log.h>

#include "base/messages.h"
#include "supervise/supervise.h"

/* ---- words */

void holt__child_say(const struct holt__child *c, int result, struct holt__text *text)
{
	size_t before = text->len;

	holt__group_path(c->s->group, text);
	if (text->len > before)
		holt__text_add(text, "/");
	holt__text_add(text, c->name);
	if (result < 0 && result != -ECANCELED) {
		holt__text_add(text, " failed: ");
		holt__text_add(text, strerror(-result));
	} else {
		holt__text_add(text, result < 0 ? " was canceled" : " ended");
	}
}

static void log_again(const holt_supervisor *s, const char *what, int result, holt_time now, holt_time wait)
{
	char within[32] = "", after[40] = "";
	struct holt__text span = HOLT__TEXT(within), back = HOLT__TEXT(after);

	holt__text_span(&span, s->intensity.within);
	if (wait > 0) {
		holt__text_add(&back, " in ");
		holt__text_span(&back, wait);
	}
	holt__log_id(HOLT__MSG_RESTART, result < 0 && result != -ECANCELED ? LOG_WARNING : LOG_INFO,
		"%s; restart%s, %u of %u within %s", what, after, holt__intensity_count(&s->intensity, now),
		s->intensity.restarts, within);
}

static void log_gave_up(const holt_supervisor *s, const char *what)
{
	char path[256] = "", within[32] = "";
	struct holt__text text = HOLT__TEXT(path), span = HOLT__TEXT(within);

	holt__group_path(s->group, &text);
	holt__text_span(&span, s->intensity.within);
	holt__log_id(HOLT__MSG_GAVE_UP, LOG_ERR, "%s gives up: %s, after %u restarts within %s", path[0] ? path : "supervisor",
		what, s->intensity.restarts, within);
}

/* ---- over */

bool holt__supervisor_over(const holt_supervisor *s)
{
	const size_t *count = s->count;

	if (count[HOLT__CHILD_WAITING] + count[HOLT__CHILD_STARTING] + count[HOLT__CHILD_UP] + count[HOLT__CHILD_STOPPING] > 0)
		return false;
	return s->ending || count[HOLT__CHILD_HALTED] == 0;
}

void holt__supervisor_settle(holt_supervisor *s)
{
	if (!holt__supervisor_over(s))
		return;
	holt__wake_all(&s->waiters, s->result);
	holt__wake_all(&s->closer, 0);
}

/* ---- the rise */

void holt__supervisor_rise(holt_supervisor *s, struct holt__child *from)
{
	struct holt__child *c, *next;

	s->rise = NULL;
	for (c = from; c && !s->ending && !s->sweep && !s->pausing; c = next) {
		next = c->next; /* a first start that fails forgets it */
		if (c->state != HOLT__CHILD_WAITING || holt__timer_started(&c->timer))
			continue;
		if (holt__child_start(c) && c->state == HOLT__CHILD_STARTING) {
			s->rise = c;
			return;
		}
	}
}

void holt__supervisor_up(struct holt__child *c)
{
	if (c->s->rise == c)
		holt__supervisor_rise(c->s, c->next);
}

bool holt__child_in_turn(const struct holt__child *c)
{
	const holt_supervisor *s = c->s;

	if (s->sweep || s->pausing)
		return c->number >= s->low;
	return s->rise && c->number > s->rise->number;
}

/* ---- the pause */

static void timer_due(struct holt__timer *timer)
{
	holt_supervisor *s = holt__container(timer, holt_supervisor, timer);
	struct holt__child *c = s->head;

	holt__supervisor_notice(s);
	if (s->pausing) {
		s->pausing = false;
		s->slow = NULL;
		s->due = 0;
		while (c && c->number < s->low)
			c = c->next;
		holt__supervisor_rise(s, c);
	}
	holt__supervisor_settle(s);
}

void holt__supervisor_look_at(holt_supervisor *s, holt_time at)
{
	s->timer.fire = timer_due;
	holt__timer_stop(&s->timer);
	holt__timer_start(&s->group->sched->loop.timers, &s->timer, at);
}

void holt__supervisor_hurry(holt_supervisor *s)
{
	s->slow = NULL;
	s->due = 0;
	if (s->pausing)
		holt__supervisor_look_at(s, holt__fresh_now());
}

void holt__supervisor_halted(struct holt__child *c)
{
	if (c->s->slow == c)
		holt__supervisor_hurry(c->s);
}

/* ---- the sweep */

bool holt__child_swept(const struct holt__child *c)
{
	return c->s->sweep && c->number >= c->s->low;
}

static void sweep_on(holt_supervisor *s, struct holt__child *from)
{
	holt_time now;

	for (struct holt__child *c = from; c && c->number >= s->low; c = c->prev) {
		if (!holt__child_runs(c))
			continue;
		s->sweep = c;
		holt__child_stop(c, s->why);
		return;
	}
	s->sweep = NULL;
	if (s->ending)
		return;
	s->pausing = true;
	now = holt__fresh_now();
	holt__supervisor_look_at(s, s->due > now ? s->due : now);
}

static void sweep_down_to(holt_supervisor *s, uint64_t low)
{
	if (!(s->sweep || s->pausing) || low < s->low)
		s->low = low;
	s->rise = NULL;
	if (s->pausing) {
		s->pausing = false;
		holt__timer_stop(&s->timer);
	}
	if (!s->sweep)
		sweep_on(s, s->tail);
}

void holt__supervisor_ended(struct holt__child *c)
{
	holt_supervisor *s = c->s;

	if (s->sweep == c)
		sweep_on(s, c->prev);
	if (s->rise == c)
		holt__supervisor_rise(s, c->next);
}

/* ---- by strategy */

/* Those that are stopped and started along with the one that ended. */
static void take_along(holt_supervisor *s, uint64_t first, uint64_t end)
{
	for (struct holt__child *c = s->tail; c && c->number >= first; c = c->prev) {
		if (c->number >= end || c->restart == HOLT_RESTART_NEVER)
			continue;
		switch ((enum holt__child_state)c->state) {
		case HOLT__CHILD_ENDED:
			holt__child_become(c, HOLT__CHILD_WAITING);
			c->counted = true;
			break;
		case HOLT__CHILD_STARTING:
		case HOLT__CHILD_UP:
			c->wanted = c->counted = true;
			break;
		case HOLT__CHILD_WAITING:
		case HOLT__CHILD_STOPPING: /* by hand, or for this already */
		case HOLT__CHILD_HALTED:
		case HOLT__CHILD_STATES:
			break;
		}
	}
}

static uint64_t random64(holt_supervisor *s) /* xorshift64*; for jitter only */
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return s->random * 2685821657736338717u;
}

void holt__supervisor_again(struct holt__child *c, int result)
{
	holt_supervisor *s = c->s;
	holt_time now = holt__fresh_now(), wait;
	char what[sizeof s->why];
	struct holt__text text = HOLT__TEXT(what);
	size_t first, end;

	holt__child_say(c, result, &text);
	if (!holt__intensity_add(&s->intensity, now)) {
		log_gave_up(s, what);
		holt__supervisor_end(s, -ELOOP, what);
		return;
	}
	wait = holt__backoff_next(&c->backoff, now, random64(s));
	log_again(s, what, result, now, wait);
	holt__child_become(c, HOLT__CHILD_WAITING);
	c->counted = true;
	if (s->strategy == HOLT_ONE_FOR_ONE) {
		holt__child_start_at(c, holt__time_add(now, wait));
		return;
	}
	if (holt__time_add(now, wait) > s->due) {
		s->due = holt__time_add(now, wait);
		s->slow = c;
	}
	holt__restart_range(s->strategy, c->number, s->numbers + 1, &first, &end);
	take_along(s, first, end);
	memcpy(s->why, what, sizeof what);
	sweep_down_to(s, first);
}

/* ---- the end */

void holt__supervisor_end(holt_supervisor *s, int result, const char *why)
{
	struct holt__text text = HOLT__TEXT(s->why);

	if (s->ending)
		return;
	holt__text_add(&text, why);
	s->ending = true;
	s->result = result;
	s->pausing = false;
	holt__timer_stop(&s->timer);
	for (struct holt__child *c = s->head; c; c = c->next) {
		if (c->state != HOLT__CHILD_WAITING)
			continue;
		holt__child_become(c, HOLT__CHILD_ENDED);
		holt__child_tell_started(c, -ESHUTDOWN);
	}
	s->low = 0;
	s->rise = NULL;
	if (!s->sweep)
		sweep_on(s, s->tail);
}

void holt__supervisor_notice(holt_supervisor *s)
{
	const char *why = holt__scope_why(&s->group->scope);

	if (s->group->scope.seen >= HOLT__STOP)
		holt__supervisor_end(s, 0, why ? why : "stopped");
}
