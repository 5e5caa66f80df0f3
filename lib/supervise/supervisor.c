/* SPDX-License-Identifier: MIT */
/*
 * The public functions: they change what is wanted, set it going, and wait for what comes of it.
 *
 * Who waits does so in a list of the child or of the supervisor, and is woken with the result; after that neither is
 * looked at again, since both may be gone.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "supervise/supervise.h"

#define WITHIN_DEFAULT (10 * HOLT_SEC)
#define BACKOFF_MAX_DEFAULT (30 * HOLT_SEC)
#define BACKOFF_RESET_DEFAULT (60 * HOLT_SEC)
enum { RESTARTS_DEFAULT = 5 };

static bool elsewhere(const holt_supervisor *s)
{
	if (s->group->sched == holt__here)
		return false;
	holt__check_fork("a supervisor's function");
	return true;
}

/* ---- open */

/* The children's failures are dealt with here; the group need not tell of them. */
static void quiet(void *arg, const struct holt_failure *f)
{
	(void)arg;
	(void)f;
}

static void configure(holt_supervisor *s, const struct holt_supervisor_options *o)
{
	s->strategy = o->strategy;
	s->backoff.min = o->backoff_min;
	s->backoff.max = o->backoff_max ? o->backoff_max : BACKOFF_MAX_DEFAULT;
	s->backoff.reset = o->backoff_reset ? o->backoff_reset : BACKOFF_RESET_DEFAULT;
	holt__names_init(&s->names);
}

int holt_supervisor_open_with(holt_supervisor **ret, const struct holt_supervisor_options *options)
{
	struct holt_supervisor_options o;
	holt_supervisor *s;
	int r;

	r = holt__options(&o, sizeof o, options);
	if (r < 0)
		return r;
	if (!ret || (unsigned)o.strategy > HOLT_REST_FOR_ONE)
		return -EINVAL;
	s = holt__calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	configure(s, &o);
	r = holt__intensity_init(&s->intensity, o.restarts ? o.restarts : RESTARTS_DEFAULT, o.within ? o.within : WITHIN_DEFAULT);
	if (r < 0)
		goto no_intensity;
	r = holt_group_open(&s->group, .name = o.name, .kind = HOLT_EACH, .cleanup = o.cleanup, .failed = quiet, .failed_arg = s);
	if (r < 0)
		goto no_group;
	s->group->hooks = &holt__supervisor_hooks;
	s->random = (holt__fresh_now() ^ s->group->id << 40) | 1;
	*ret = s;
	return 0;

no_group:
	holt__intensity_free(&s->intensity);
no_intensity:
	holt__free(s);
	return r;
}

/* ---- children */

static int check_child(holt_supervisor *s, holt_fn fn, const struct holt_child_options *o)
{
	if (!s || !fn || (unsigned)o->restart > HOLT_RESTART_NEVER || (o->name && !o->name[0]))
		return -EINVAL;
	if (o->significant && o->restart == HOLT_RESTART_ALWAYS)
		return -EINVAL;
	return elsewhere(s) ? -EPERM : 0;
}

/* The caller would wait for a start that waits for the caller. */
static bool would_wait_for_caller(const holt_supervisor *s)
{
	const struct holt__child *around = holt__child_around(s);

	return around && (around == s->rise || holt__child_swept(around));
}

/* Starts a new child, if nothing is going on that it would have to wait for. */
static int add(holt_supervisor *s, holt_fn fn, void *arg, const struct holt_child_options *o, struct holt__child **ret)
{
	struct holt__child *c = holt__child_new(s, fn, arg, o);
	int r;

	if (!c)
		return -ENOMEM;
	if (!s->sweep && !s->pausing && !s->rise) {
		r = holt__child_launch(c);
		if (r < 0) {
			holt__child_forget(c);
			return r;
		}
		if (c->state == HOLT__CHILD_STARTING)
			s->rise = c;
	}
	*ret = c;
	return 0;
}

int holt_supervise_with(holt_supervisor *s, holt_fn fn, void *arg, const struct holt_child_options *options)
{
	struct holt_child_options o;
	struct holt__child *c;
	holt_task *t = NULL;
	int r;

	r = holt__options(&o, sizeof o, options);
	if (r >= 0)
		r = check_child(s, fn, &o);
	if (r >= 0 && o.until_ready)
		r = holt__enter_to_wait(&t);
	if (r < 0)
		return r;
	holt__supervisor_notice(s);
	if (s->ending)
		return holt__self && holt__self->scope->seen >= HOLT__CANCEL ? -ECANCELED : -ESHUTDOWN;
	if (o.name && holt__names_find(&s->names, o.name))
		return -EEXIST;
	if (t && would_wait_for_caller(s))
		return -EDEADLK;
	r = add(s, fn, arg, &o, &c);
	if (r < 0)
		return r;
	return t ? holt__wait_here(t, &c->starters, NULL, NULL, "start of child", c) : 0;
}

/* ---- by name, by hand */

static int find(holt_supervisor *s, const char *name, holt_task **ret_task, struct holt__child **ret)
{
	int r;

	if (!s || !name)
		return -EINVAL;
	if (elsewhere(s))
		return -EPERM;
	r = holt__enter_to_wait(ret_task);
	if (r < 0)
		return r;
	*ret = holt__names_find(&s->names, name);
	if (!*ret || (*ret)->removed)
		return -ENOENT;
	return holt__child_around(s) == *ret ? -EDEADLK : 0;
}

static int start_by_hand(struct holt__child *c)
{
	int r;

	holt__timer_stop(&c->timer);
	if (holt__child_in_turn(c)) {
		holt__supervisor_hurry(c->s);
		return 0;
	}
	r = holt__child_launch(c);
	if (r < 0)
		holt__child_become(c, HOLT__CHILD_HALTED);
	return r;
}

int holt_supervisor_restart(holt_supervisor *s, const char *name)
{
	struct holt__child *c;
	holt_task *t;
	int r = find(s, name, &t, &c);

	if (r < 0)
		return r;
	holt__supervisor_notice(s);
	if (s->ending)
		return -ESHUTDOWN;
	if (holt__child_in_turn(c) && would_wait_for_caller(s))
		return -EDEADLK;
	holt__backoff_reset(&c->backoff);
	c->by_name = true;
	if (holt__child_runs(c)) {
		c->wanted = true;
		if (!holt__child_swept(c)) /* else its turn will come */
			holt__child_stop(c, "restarted by hand");
	} else {
		if (c->state != HOLT__CHILD_WAITING) {
			c->counted = false;
			holt__child_become(c, HOLT__CHILD_WAITING);
		}
		r = start_by_hand(c);
		if (r < 0)
			holt__supervisor_settle(s);
		if (r < 0 || c->state == HOLT__CHILD_UP)
			return r;
	}
	return holt__wait_here(t, &c->starters, NULL, NULL, "restart of child", c);
}

static int halt(holt_supervisor *s, const char *name, bool remove)
{
	struct holt__child *c;
	holt_task *t;
	int r = find(s, name, &t, &c);

	if (r < 0)
		return r;
	c->removed = remove;
	if (holt__child_runs(c)) {
		c->wanted = false;
		holt__child_stop(c, remove ? "removed by hand" : "stopped by hand");
		return holt__wait_here(t, &c->stoppers, NULL, NULL, "end of child", c);
	}
	if (c->state == HOLT__CHILD_WAITING) {
		holt__child_become(c, HOLT__CHILD_HALTED);
		holt__child_halted(c);
		holt__supervisor_halted(c);
	}
	if (c->removed)
		holt__child_forget(c);
	holt__supervisor_settle(s);
	return 0;
}

int holt_supervisor_stop(holt_supervisor *s, const char *name)
{
	return halt(s, name, false);
}

int holt_supervisor_remove(holt_supervisor *s, const char *name)
{
	return halt(s, name, true);
}

unsigned holt_supervisor_restarts(holt_supervisor *s, const char *name)
{
	const struct holt__child *c = s && name ? holt__names_find(&s->names, name) : NULL;

	return c ? c->restarts : 0;
}

/* ---- the whole */

int holt_supervisor_finally(holt_supervisor *s, holt_finally_fn fn, void *arg)
{
	return holt_finally(s ? s->group : NULL, fn, arg);
}

int holt_supervisor_wait(holt_supervisor *s)
{
	holt_task *t;
	int r;

	if (!s)
		return -EINVAL;
	r = holt__enter(&t);
	if (r < 0)
		return r;
	if (elsewhere(s))
		return -EPERM;
	if (holt__child_around(s))
		return -EDEADLK;
	holt__supervisor_notice(s);
	if (holt__supervisor_over(s))
		return s->result;
	return holt__wait_here(t, &s->waiters, NULL, NULL, "supervisor", s);
}

static void free_all(holt_supervisor *s)
{
	while (s->head)
		holt__child_forget(s->head);
	holt__names_done(&s->names);
	holt__intensity_free(&s->intensity);
	holt__timer_stop(&s->timer);
	holt__free(s);
}

int holt_supervisor_close(holt_supervisor *s, int result)
{
	holt_task *t = holt__self;

	if (!s)
		return result;
	if (!t || s->group->scope.task != t) {
		holt__check_fork("holt_supervisor_close");
		return -EPERM;
	}
	if (t->scope != &s->group->scope)
		return -EINVAL;

	holt__supervisor_notice(s);
	if (result == -ESHUTDOWN && s->ending)
		result = 0;
	holt__supervisor_end(s, 0, "its supervisor is closed");
	t->uncancelable = true;
	while (!holt__supervisor_over(s))
		holt__wait_here(t, &s->closer, NULL, NULL, "closes supervisor", s->group);
	t->uncancelable = false;
	if (result >= 0 && s->result < 0)
		result = s->result;
	result = holt_group_close(s->group, result);
	free_all(s);
	return result;
}

void holt_auto_supervisor(holt_supervisor **s)
{
	int saved = errno;

	if (*s)
		holt_supervisor_close(*s, -ECANCELED);
	errno = saved;
}
