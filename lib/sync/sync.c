/* SPDX-License-Identifier: MIT */
/*
 * Events, conditions, semaphores, barriers: what has no owner. Each is a list of waiters and a word or two.
 */
#include <errno.h>

#include <holt/sync.h>

#include "sync/lock.h"

static int wait_in(holt_task *t, struct holt_waiters *list, const char *what)
{
	return holt__wait_here(t, list, NULL, NULL, what, list);
}

/* ---- event */

void holt_event_set(struct holt_event *e)
{
	e->set = true;
	holt__wake_all(&e->w, 0);
}

void holt_event_clear(struct holt_event *e)
{
	e->set = false;
}

bool holt_event_is_set(const struct holt_event *e)
{
	return e->set;
}

int holt_event_wait(struct holt_event *e)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0 || e->set)
		return r;
	return wait_in(t, &e->w, "event");
}

/* ---- condition */

/* Takes the lock again, whatever happens meanwhile. */
static void lock_again(struct holt_lock *l, holt_task *t)
{
	if (!l->owner) {
		l->owner = t;
		t->locks++;
		return;
	}
	t->uncancelable = true;
	holt__wait_here(t, &l->w, NULL, NULL, holt__waits_for_lock, l);
	t->uncancelable = false;
}

int holt_cond_wait(struct holt_cond *c, struct holt_lock *l)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (l->owner != t)
		return -EPERM;
	holt_lock_release(l);
	r = wait_in(t, &c->w, "condition");
	lock_again(l, t);
	return r;
}

void holt_cond_notify(struct holt_cond *c, size_t n)
{
	while (n-- > 0 && holt__wake_first(&c->w, 0))
		;
}

void holt_cond_notify_all(struct holt_cond *c)
{
	holt__wake_all(&c->w, 0);
}

/* ---- semaphore: count is 0 while somebody waits */

int holt_sem_acquire(struct holt_sem *s)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (s->count > 0) {
		s->count--;
		return 0;
	}
	return wait_in(t, &s->w, "semaphore");
}

int holt_sem_try_acquire(struct holt_sem *s)
{
	if (s->count == 0)
		return -EAGAIN;
	s->count--;
	return 0;
}

int holt_sem_release(struct holt_sem *s)
{
	if (holt__wake_first(&s->w, 0))
		return 0;
	if (s->count >= s->bound)
		return -EOVERFLOW;
	s->count++;
	return 0;
}

/* ---- barrier */

/* Who was canceled has not arrived, from this moment on; those behind it move up. */
static void barrier_left(struct holt__waiter *w)
{
	struct holt_barrier *b = w->data;

	b->arrived--;
}

int holt_barrier_wait(struct holt_barrier *b)
{
	holt_task *t;
	int r = holt__enter(&t), index;

	if (r < 0)
		return r;
	if (b->parties == 0)
		return -EINVAL;
	if (b->broken)
		return -EPIPE;
	if (b->arrived + 1 < b->parties) {
		b->arrived++;
		return holt__wait_here(t, &b->w, barrier_left, b, "barrier", b);
	}
	/* the last one: wakes each with its place in the order of arrival */
	for (index = 0; holt__wake_first(&b->w, index); index++)
		;
	b->arrived = 0;
	b->round++;
	return index;
}

void holt_barrier_abort(struct holt_barrier *b)
{
	b->broken = true;
	b->arrived = 0;
	holt__wake_all(&b->w, -EPIPE);
}
