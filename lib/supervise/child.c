/* SPDX-License-Identifier: MIT */
/*
 * One child: how it is started, the scope that its code runs in, and what becomes of it when it ends.
 *
 * The scope is a group of its task, though it holds no member: so it has a grace, a cleanup, and escalates like any
 * other. Its record is made before the task is spawned, so that a start fails as a whole or not at all. The flag
 * HOLT__IN_TURN holds back a stop from outside until the sweep comes to it.
 *
 * A child is never started in the task of its predecessor, which is still on its way out: that is left to a timer.
 */
#include <errno.h>
#include <string.h>

#include <holt/log.h>

#include "base/alloc.h"
#include "base/messages.h"
#include "supervise/supervise.h"

/* ---- the record */

static void timer_due(struct holt__timer *timer);

/* The name that was given; else the function's, with the number behind it if that is taken. */
static struct holt__child *with_name(holt_supervisor *s, const struct holt_child_options *o, uint64_t number)
{
	const char *wish = o->name ? o->name : o->fn_name && o->fn_name[0] ? o->fn_name : "child";
	size_t n = strlen(wish);
	struct holt__child *c = holt__calloc(1, sizeof *c + n + 32);

	if (!c)
		return NULL;
	memcpy(c->name, wish, n);
	for (uint64_t k = number; holt__names_find(&s->names, c->name); k++) {
		struct holt__text text = { .buf = c->name + n, .size = 32 };

		holt__text_add(&text, "#");
		holt__text_uint(&text, k);
	}
	return c;
}

struct holt__child *holt__child_new(holt_supervisor *s, holt_fn fn, void *arg, const struct holt_child_options *o)
{
	struct holt__child *c = with_name(s, o, s->numbers + 1);

	if (!c)
		return NULL;
	c->s = s;
	c->number = ++s->numbers;
	c->fn = fn;
	c->arg = arg;
	c->grace = o->grace;
	c->restart = (uint8_t)o->restart;
	c->until_ready = o->until_ready;
	c->significant = o->significant;
	c->backoff = s->backoff;
	c->timer.fire = timer_due;

	c->prev = s->tail;
	*(s->tail ? &s->tail->next : &s->head) = c;
	s->tail = c;
	holt__names_add(&s->names, c);
	c->state = HOLT__CHILD_WAITING;
	s->count[c->state]++;
	return c;
}

void holt__child_forget(struct holt__child *c)
{
	holt_supervisor *s = c->s;

	s->count[c->state]--;
	holt__timer_stop(&c->timer);
	holt__names_remove(&s->names, c);
	*(c->prev ? &c->prev->next : &s->head) = c->next;
	*(c->next ? &c->next->prev : &s->tail) = c->prev;
	holt__free(c);
}

void holt__child_become(struct holt__child *c, enum holt__child_state state)
{
	c->s->count[c->state]--;
	c->s->count[state]++;
	c->state = (uint8_t)state;
	if (state != HOLT__CHILD_WAITING)
		holt__timer_stop(&c->timer);
	if (state == HOLT__CHILD_UP)
		holt__backoff_healthy(&c->backoff, holt__fresh_now());
}

/* -ECANCELED means "you were canceled" only, and who waits here was not. */
void holt__child_tell_started(struct holt__child *c, int result)
{
	holt__wake_all(&c->starters, result == -ECANCELED ? -ESHUTDOWN : result < 0 ? result : 0);
}

struct holt__child *holt__child_around(const holt_supervisor *s)
{
	for (holt_task *t = holt__self; t; t = t->group->scope.task)
		if (t->group == s->group)
			return t->arg;
	return NULL;
}

/* ---- its end */

/* It ended, or could not be started, and nobody had asked for that. */
static void died(struct holt__child *c, int result)
{
	bool failed = result < 0 && result != -ECANCELED, told = c->starters.head;
	char why[256];
	struct holt__text text = HOLT__TEXT(why);

	holt__child_tell_started(c, result);
	if (told && result < 0) {
		/* who had asked for this start decides */
		c->removed = !c->by_name || c->restart == HOLT_RESTART_NEVER;
		if (!c->removed)
			holt__child_become(c, HOLT__CHILD_HALTED);
		return;
	}
	if (holt__restart_wanted(c->restart, failed)) {
		holt__supervisor_again(c, result);
		return;
	}
	holt__child_say(c, result, &text);
	if (failed)
		holt__log_id(HOLT__MSG_FAILED, LOG_WARNING, "%s", why);
	if (c->restart == HOLT_RESTART_NEVER)
		c->removed = true; /* nobody will ask for it again */
	if (c->significant)
		holt__supervisor_end(c->s, failed ? result : 0, why);
}

/* Whether it is kept: not one that is temporary, nor one whose first start was to be told of, and has failed by this. */
void holt__child_halted(struct holt__child *c)
{
	if (c->restart == HOLT_RESTART_NEVER || (c->starters.head && !c->by_name))
		c->removed = true;
	holt__child_tell_started(c, -ESHUTDOWN);
}

/* It was asked to end, by hand or with a sibling. */
static void stopped(struct holt__child *c)
{
	if (c->wanted && !c->removed) {
		c->wanted = false;
		holt__child_become(c, HOLT__CHILD_WAITING);
		if (!holt__child_in_turn(c))
			holt__child_start_at(c, holt__fresh_now());
		return;
	}
	holt__child_halted(c);
	if (!c->removed)
		holt__child_become(c, HOLT__CHILD_HALTED);
}

static void ended(struct holt__child *c, int result)
{
	holt_supervisor *s = c->s;
	bool asked = c->state == HOLT__CHILD_STOPPING || holt__child_swept(c);

	c->run = NULL;
	c->opened = false;
	holt__child_become(c, HOLT__CHILD_ENDED);
	holt__wake_all(&c->stoppers, 0);
	holt__supervisor_notice(s); /* what ends after a stop was asked for did not fail, even if the stop has not come to it */
	if (s->ending)
		holt__child_tell_started(c, -ESHUTDOWN);
	else if (asked)
		stopped(c);
	else
		died(c, result);
	holt__supervisor_ended(c);
	if (c->removed && c->state == HOLT__CHILD_ENDED)
		holt__child_forget(c);
	holt__supervisor_settle(s);
}

/* ---- its life */

static int run(void *arg)
{
	struct holt__child *c = arg;
	holt_task *t = holt__self;
	holt_group *g = c->run;
	int r;

	holt__scope_open(&g->scope, t->scope, t, HOLT__GROUP, HOLT__IN_TURN, HOLT_NEVER);
	holt__scope_push(t, &g->scope, HOLT_NEVER);
	c->opened = true;
	if (c->state == HOLT__CHILD_STOPPING)
		holt_group_stop(g, c->why);
	r = c->fn(c->arg);
	if (t->scope != &g->scope)
		return r; /* with something open, or after the scope's end: the task's end says so, and aborts */
	r = holt_group_close(g, r);
	ended(c, r);
	return r;
}

int holt__child_launch(struct holt__child *c)
{
	struct holt_task_options task = { .size = sizeof task, .name = c->name };
	struct holt_group_options scope = { .size = sizeof scope, .grace = c->grace };
	holt_group *g = holt__malloc(sizeof *g);
	int r;

	if (!g)
		return -ENOMEM;
	holt__group_init(g, c->s->group->sched, c->s->group, &scope, NULL);
	r = holt_spawn_with(c->s->group, run, c, &task);
	if (r < 0) {
		holt__free(g);
		return r;
	}
	c->run = g;
	c->wanted = false;
	if (c->counted)
		c->restarts++;
	c->counted = false;
	holt__child_become(c, c->until_ready ? HOLT__CHILD_STARTING : HOLT__CHILD_UP);
	if (!c->until_ready)
		holt__child_tell_started(c, 0);
	return 0;
}

bool holt__child_start(struct holt__child *c)
{
	int r = holt__child_launch(c);

	if (r >= 0)
		return true;
	holt__child_become(c, HOLT__CHILD_ENDED);
	died(c, r);
	if (c->removed)
		holt__child_forget(c);
	return false;
}

static void timer_due(struct holt__timer *timer)
{
	struct holt__child *c = holt__container(timer, struct holt__child, timer);
	holt_supervisor *s = c->s;

	holt__supervisor_notice(s);
	if (!s->ending && !holt__child_in_turn(c))
		holt__child_start(c);
	holt__supervisor_settle(s);
}

void holt__child_start_at(struct holt__child *c, holt_time at)
{
	holt__timer_stop(&c->timer);
	holt__timer_start(&c->s->group->sched->loop.timers, &c->timer, at);
}

void holt__child_stop(struct holt__child *c, const char *why)
{
	if (c->state == HOLT__CHILD_STOPPING)
		return;
	holt__child_become(c, HOLT__CHILD_STOPPING);
	c->why = why;
	if (c->opened)
		holt_group_stop(c->run, why);
}

static void ready(holt_task *t)
{
	struct holt__child *c = t->arg;

	if (c->state != HOLT__CHILD_STARTING)
		return;
	holt__child_become(c, HOLT__CHILD_UP);
	holt__child_tell_started(c, 0);
	holt__supervisor_up(c);
	holt__supervisor_settle(c->s);
}

/* The walk over the tree that tells of it must find the tree as it was: so act in the loop's next turn. */
static void level_rose(holt_group *g)
{
	holt_supervisor *s = g->failed_arg;

	if (!s->ending)
		holt__supervisor_look_at(s, holt__fresh_now());
}

const struct holt__group_hooks holt__supervisor_hooks = { .ready = ready, .level_rose = level_rose };
