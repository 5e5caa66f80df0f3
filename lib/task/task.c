/* SPDX-License-Identifier: MIT */
/*
 * The life of a task: spawned into a group, run once, ended, and its stack given to the next one.
 *
 * The record has two kinds of references: one of the run itself, which goes to the group that
 * keeps ended tasks or is dropped at the end, and those of handles. The stack is free when
 * the last is gone.
 */
#include <errno.h>
#include <string.h>

#include <holt/log.h>

#include "base/options.h"
#include "task/task.h"

enum { BUDGET_AT_START = 128, NAME_MAX_BYTES = 255 };

/* ---- the end */

static HOLT__COLD void die_if_it_still_holds(holt_task *t)
{
	char path[256];
	struct holt__text text = HOLT__TEXT(path);

	holt__task_path(t, &text);
	if (t->scope != &t->own)
		holt__die("task %s returned with an open %s", path, t->scope->kind == HOLT__GROUP ? "group" : "scope");
	holt__die("task %s returned while it owns %u lock%s", path, t->locks, t->locks == 1 ? "" : "s");
}

/*
 * Who waits for the end of one task has in its waiter's data where the result shall go (or NULL); who waits for
 * several, by `left`, the state of that wait.
 */
struct watcher_state {
	holt_task *task;
	size_t left;
	enum holt_wait_for what;
};

static void one_of_several(struct holt__waiter *w)
{
	(void)w; /* nothing to do when it is canceled */
}

static void tell_watchers(holt_task *t)
{
	struct holt__waiter *w;

	while ((w = t->watchers.head)) {
		struct watcher_state *s = w->data;
		bool failed = t->result < 0 && t->result != -ECANCELED;

		if (w->left != one_of_several || !s) {
			if (w->data)
				*(int *)w->data = t->result;
			holt__wake_by(w, 0);
		} else if (--s->left > 0 && !(s->what == HOLT_FIRST_FAILURE && failed)) {
			holt__waiter_remove(w);
		} else {
			holt__wake(w->task, 0);
		}
	}
}

static void main_ended(struct holt__sched *s, holt_task *t)
{
	s->main = NULL;
	s->main_ended = true;
	/* what the root itself was asked for is no failure of the run */
	s->main_result = t->result == -ECANCELED && s->root.scope.seen >= HOLT__CANCEL ? 0 : t->result;
	s->root.phase = HOLT__CLOSING;
	if (t->result < 0)
		holt__scope_ask(&s->root.scope, HOLT__CANCEL, HOLT__CLOSED, strerror(-t->result));
	if (s->level_changed)
		s->level_changed(s);
}

static inline __attribute__((always_inline)) _Noreturn void task_end(holt_task *t, int result)
{
	struct holt__sched *s = holt__sched(t->loop);

	if (holt__unlikely(t->scope != &t->own || t->locks > 0))
		die_if_it_still_holds(t);
	holt__self = NULL; /* what is called from here on must not suspend */
	t->result = result;
	t->state = HOLT__ENDED;
	s->n_tasks--;
	holt__event(t, HOLT__HAS_ENDED);
	if (holt__unlikely(t->heartbeat != 0))
		s->n_heartbeats--;
	holt__scope_close(&t->own);
	if (t->watchers.head)
		tell_watchers(t);
	if (holt__unlikely(t->starters.head != NULL))
		holt__wake_all(&t->starters, result < 0 ? result : 0);
	if (holt__unlikely(t == s->main))
		main_ended(s, t);
	holt__group_member_ended(t->group, t);
	holt__leave(t);
}

static void task_main(void)
{
	holt_task *t = holt__self;

	holt__context_entered(&t->context);
	task_end(t, t->fn(t->arg));
}

/* ---- the beginning */

/* Puts what the task needs of its own below its record; returns the top of what is left for frames. */
static void *lay_out(holt_task *t, void *arg, const struct holt_task_options *o)
{
	char *top = (char *)t;

	if (holt__unlikely(o->name != NULL)) {
		size_t n = strnlen(o->name, NAME_MAX_BYTES);
		char *name = top -= (n + 16) & ~(size_t)15;

		memcpy(name, o->name, n);
		name[n] = 0;
		t->name = name;
	}
	if (holt__unlikely(o->copy > 0)) {
		top = (char *)((uintptr_t)(top - o->copy) & ~(uintptr_t)63);
		memcpy(top, arg, o->copy);
		t->arg = top;
	}
	return top;
}

static void note_namesakes(holt_task *t, struct holt__scope *before)
{
	holt_task *other = before ? before->task : NULL;

	if (other && (other->name == t->name || (!t->repeats && t->name && other->name && !strcmp(other->name, t->name))))
		other->repeats = t->repeats = true;
}

static void start(holt_task *t, holt_group *g, holt_fn fn, void *arg, const struct holt_task_options *o)
{
	struct holt__sched *s = g->sched;
	void *top;

	t->loop = &s->loop;
	t->scope = &t->own;
	t->state = HOLT__ACTIVE;
	t->uncancelable = false;
	t->background = o->background;
	t->repeats = false;
	t->budget = BUDGET_AT_START;
	t->spins = t->spun = 0;
	t->n_waiters = 0;
	t->locks = 0;
	t->waits_for = NULL;
	t->since = s->loop.now;
	t->group = g;
	t->id = ++s->last_id;
	t->refs = 1;
	t->fn = fn;
	t->arg = arg;
	t->name = o->fn_name;
	t->watchers = t->starters = (struct holt_waiters){ NULL, NULL };
	t->heartbeat = 0;
	top = lay_out(t, arg, o);

	t->own.next = NULL;
	t->own.prev = g->last;
	if (g->last) {
		note_namesakes(t, g->last);
		g->last->next = &t->own;
	} else {
		g->first = &t->own;
	}
	g->last = &t->own;
	holt__scope_open(&t->own, &g->scope, t, HOLT__TASK, 0, HOLT_NEVER);
	s->n_tasks++;
	holt__context_make(&t->context, task_main, (char *)t->stack_low + t->stacks->page, top);
	holt__ready_push(&s->loop, &t->ready);
	holt__event(t, HOLT__SPAWNED);
}

static int check_spawn(holt_group *g, holt_fn fn, const void *arg, const struct holt_task_options *o)
{
	if (!g || !fn || (o->copy > 0 && !arg))
		return -EINVAL;
	if (g->sched != holt__here) {
		holt__check_fork("holt_spawn");
		return -EPERM;
	}
	return g->phase == HOLT__FINISHING ? -ESHUTDOWN : 0;
}

int holt_spawn_with(holt_group *g, holt_fn fn, void *arg, const struct holt_task_options *options)
{
	static const struct holt_task_options defaults = { .size = sizeof defaults };
	struct holt_task_options other;
	const struct holt_task_options *o = options ? options : &defaults;
	struct holt__stacks *stacks;
	holt_task *t, *self = NULL;
	int r;

	if (holt__unlikely(o->size != sizeof *o)) {
		r = holt__options(&other, sizeof other, options);
		if (r < 0)
			return r;
		o = &other;
	}
	if (o->task)
		*o->task = NULL;
	r = check_spawn(g, fn, arg, o);
	if (r < 0)
		return r;
	stacks = &g->sched->stacks;
	if (holt__unlikely(o->stack_size > 0)) {
		r = holt__stacks_of_size(stacks, o->stack_size, &stacks);
		if (r < 0)
			return r;
	}
	if (holt__unlikely(o->copy > 0 && o->copy > stacks->size / 2))
		return -EINVAL;
	if (holt__unlikely(o->until_ready)) {
		r = holt__enter_to_wait(&self);
		if (r < 0)
			return r;
	}
	if (o->background) {
		g->background++;
	} else {
		r = holt__group_reserve(g);
		if (r < 0)
			return r;
		if (holt__unlikely(
			    self && self->scope->seen >= HOLT__CANCEL)) { /* while it waited for room: it may not wait again */
			holt__group_unreserve(g);
			return -ECANCELED;
		}
	}
	t = holt__stack_get(stacks);
	if (holt__unlikely(!t)) {
		if (o->background)
			g->background--;
		else
			holt__group_unreserve(g);
		return -ENOMEM;
	}
	start(t, g, fn, arg, o);
	if (o->task) {
		t->refs++;
		*o->task = t;
	}
	return holt__unlikely(o->until_ready) ? holt__wait_here(self, &t->starters, NULL, NULL, "start of task", t) : 0;
}

int holt_ready(void)
{
	holt_task *t = holt__self;

	if (!t) {
		holt__check_fork("holt_ready");
		return -EPERM;
	}
	holt__wake_all(&t->starters, 0);
	if (t->group->hooks)
		t->group->hooks->ready(t);
	return 0;
}

/* ---- handles */

holt_task *holt_task_ref(holt_task *t)
{
	if (t)
		t->refs++;
	return t;
}

holt_task *holt_task_unref(holt_task *t)
{
	if (t)
		holt__task_drop(t);
	return NULL;
}

void holt_auto_task(holt_task **t)
{
	holt_task_unref(*t);
}

holt_task *holt_self(void)
{
	return holt__self;
}

bool holt_task_done(holt_task *t)
{
	return t->state == HOLT__ENDED;
}

int holt_task_result(holt_task *t)
{
	return t->state == HOLT__ENDED ? t->result : -EINPROGRESS;
}

const char *holt_task_name(holt_task *t)
{
	return t->name ? t->name : "task";
}

uint64_t holt_task_id(holt_task *t)
{
	return t->id;
}

void holt_task_cancel(holt_task *t, const char *why)
{
	holt__check_fork("holt_task_cancel");
	if (t)
		holt__check_thread(holt__sched(t->loop), "holt_task_cancel");
	if (t && t->state != HOLT__ENDED)
		holt__scope_ask(&t->own, HOLT__CANCEL, HOLT__CANCELED, why);
}

/* ---- waiting for tasks */

static bool is_ancestor(const holt_task *t, const holt_task *of)
{
	for (; of; of = of->group->scope.task)
		if (of == t)
			return true;
	return false;
}

bool holt__task_waits_for_itself(const holt_task *t)
{
	return t->state != HOLT__ENDED && is_ancestor(t, holt__self);
}

int holt_task_wait(holt_task *t, int *ret_result)
{
	holt_task *self;
	int r;

	if (!t)
		return -EINVAL;
	r = holt__enter(&self);
	if (r < 0)
		return r;
	if (t->loop != self->loop)
		return -EPERM;
	if (t->state == HOLT__ENDED) {
		if (ret_result)
			*ret_result = t->result;
		return 0;
	}
	if (is_ancestor(t, self))
		return -EDEADLK;
	return holt__wait_here(self, &t->watchers, NULL, ret_result, "task", t);
}

static size_t count_done(holt_task *const *tasks, size_t n, bool *ret_failed)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		if (tasks[i]->state != HOLT__ENDED)
			continue;
		done++;
		if (tasks[i]->result < 0 && tasks[i]->result != -ECANCELED)
			*ret_failed = true;
	}
	return done;
}

static int wait_for_some(
	holt_task *self, holt_task *const *tasks, size_t n, struct holt__waiter *w, struct watcher_state *s, holt_time span)
{
	uint32_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (tasks[i]->state == HOLT__ENDED)
			continue;
		w[k] = (struct holt__waiter){ .task = self, .left = one_of_several, .data = s };
		holt__waiters_add(&tasks[i]->watchers, &w[k++]);
	}
	self->waiter = w;
	self->n_waiters = k;
	return holt__pause_until(self, holt__time_add(holt__fresh_now(), span), "tasks", tasks);
}

int holt_wait(holt_task *const *tasks, size_t n, enum holt_wait_for what, holt_time span)
{
	enum { ON_STACK = 16 };
	struct holt__waiter here[ON_STACK], *w = here;
	struct watcher_state s = { .what = what };
	bool failed = false;
	holt_task *self;
	size_t done;
	int r;

	if ((n > 0 && !tasks) || n > INT32_MAX || (unsigned)what > HOLT_FIRST_FAILURE)
		return -EINVAL;
	r = holt__enter(&self);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (!tasks[i])
			return -EINVAL;
		if (tasks[i]->loop != self->loop)
			return -EPERM;
		if (holt__task_waits_for_itself(tasks[i]))
			return -EDEADLK;
	}
	done = count_done(tasks, n, &failed);
	if (done == n || (done > 0 && what == HOLT_FIRST_COMPLETED) || (failed && what == HOLT_FIRST_FAILURE) || span == 0)
		return (int)done;
	if (n > ON_STACK) {
		w = holt__malloc(n * sizeof *w);
		if (!w)
			return -ENOMEM;
	}
	s.left = what == HOLT_FIRST_COMPLETED ? 1 : n - done;
	s.task = self;
	r = wait_for_some(self, tasks, n, w, &s, span);
	done = count_done(tasks, n, &failed);
	if (w != here)
		holt__free(w);
	return r < 0 ? r : (int)done;
}
