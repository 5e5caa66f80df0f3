/* SPDX-License-Identifier: MIT */
/*
 * Select: one task in several wait lists.
 *
 * First each case is tried, in order, and nothing can come in between; so when it waits, it waits in lists
 * where a waiter has to wait (an empty queue's getters, a full one's putters), and keeps their rules. A wake-up takes the
 * task out of all of them at once, having handed over the item through that one waiter, and leaves the waiter that it
 * came by in the task's record: its place in the array is the answer.
 */
#include <errno.h>

#include <holt/sync.h>

#include "sync/future.h"
#include "sync/queue.h"

enum { ON_STACK = 16 };

static int check(const struct holt_case *cases, size_t n)
{
	if (!cases || n == 0 || n > INT32_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned)cases[i].op > HOLT_CASE_TASK || !cases[i].on)
			return -EINVAL;
		if (cases[i].op != HOLT_CASE_TASK)
			continue;
		if (!holt__here || ((holt_task *)cases[i].on)->loop != &holt__here->loop)
			return -EPERM;
		if (holt__task_waits_for_itself(cases[i].on))
			return -EDEADLK;
	}
	return 0;
}

static void take_future(struct holt_case *c)
{
	const holt_future *f = c->on;

	c->result = f->result;
	if (c->item)
		*(void **)c->item = f->value;
}

/* 0: it happened; -EAGAIN: it cannot now; -ENOMEM. */
static int attempt(struct holt_case *c)
{
	int r = 0;

	switch (c->op) {
	case HOLT_CASE_GET:
		r = holt_queue_try_get(c->on, c->item);
		break;
	case HOLT_CASE_PUT:
		r = holt_queue_try_put(c->on, c->item);
		break;
	case HOLT_CASE_FUTURE:
		if (!holt_future_done(c->on))
			return -EAGAIN;
		take_future(c);
		return 0;
	case HOLT_CASE_EVENT:
		r = holt_event_is_set(c->on) ? 0 : -EAGAIN;
		break;
	case HOLT_CASE_TASK:
		if (!holt_task_done(c->on))
			return -EAGAIN;
		c->result = holt_task_result(c->on);
		return 0;
	}
	if (r == -EAGAIN || r == -ENOMEM)
		return r;
	c->result = r;
	return 0;
}

static int attempt_all(struct holt_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = attempt(&cases[i]);

		if (r != -EAGAIN)
			return r < 0 ? r : (int)i;
	}
	return -EAGAIN;
}

static struct holt_waiters *list_of(struct holt_case *c, void **ret_data)
{
	*ret_data = c->item;
	switch (c->op) {
	case HOLT_CASE_GET:
		return holt__queue_getters(c->on);
	case HOLT_CASE_PUT:
		return holt__queue_putters(c->on);
	case HOLT_CASE_FUTURE:
		holt_future_ref(c->on); /* who sets it may drop it before we run */
		return &((holt_future *)c->on)->w;
	case HOLT_CASE_EVENT:
		return &((struct holt_event *)c->on)->w;
	default:
		*ret_data = &c->result;
		return &((holt_task *)c->on)->watchers;
	}
}

static int wait_in_all(holt_task *t, struct holt_case *cases, size_t n, struct holt__waiter *w)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		w[i] = (struct holt__waiter){ .task = t };
		holt__waiters_add(list_of(&cases[i], &w[i].data), &w[i]);
	}
	t->waiter = w;
	t->n_waiters = (uint32_t)n;
	r = holt__park(t, "select", NULL);
	if (holt__woken_by(t)) {
		size_t i = (size_t)(holt__woken_by(t) - w);

		if (cases[i].op == HOLT_CASE_FUTURE)
			take_future(&cases[i]);
		else if (cases[i].op != HOLT_CASE_TASK)
			cases[i].result = r;
		r = (int)i;
	}
	for (size_t i = 0; i < n; i++)
		if (cases[i].op == HOLT_CASE_FUTURE)
			holt_future_unref(cases[i].on);
	return r;
}

int holt_select(struct holt_case *cases, size_t n, bool block)
{
	struct holt__waiter here[ON_STACK], *w = here;
	holt_task *t = NULL;
	int r;

	r = check(cases, n);
	if (r < 0)
		return r;
	if (block) {
		r = holt__enter(&t);
		if (r < 0)
			return r;
	}
	r = attempt_all(cases, n);
	if (r != -EAGAIN || !block)
		return r;
	if (n > ON_STACK) {
		w = holt__malloc(n * sizeof *w);
		if (!w)
			return -ENOMEM;
	}
	r = wait_in_all(t, cases, n, w);
	if (w != here)
		holt__free(w);
	return r;
}
