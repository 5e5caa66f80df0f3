/* SPDX-License-Identifier: MIT */
/*
 * Locks with owners: lock, rlock, rwlock.
 *
 * Released is handed over: the one who waits longest owns the lock before it runs again, so nobody can overtake it
 * and no wake-up is lost. From a task that waits one comes to its lock, and from the lock to its owner: a
 * circle of them is found before it closes.
 */
#include <errno.h>

#include <holt/sync.h>

#include "sync/lock.h"

/* ---- lock */

const char holt__waits_for_lock[] = "lock";
static const char waits_to_read[] = "lock to read", waits_to_write[] = "lock to write";

static holt_task **writer(struct holt_rwlock *l)
{
	return (holt_task **)&l->opaque[0];
}

/* Who owns what t waits for; NULL: it waits for nothing that has an owner. Of readers nobody is known by name. */
static const holt_task *owner_of_what_it_waits_for(const holt_task *t)
{
	if (t->state != HOLT__PARKED)
		return NULL;
	if (t->waits_for == holt__waits_for_lock)
		return ((const struct holt_lock *)t->waits_on)->owner;
	if (t->waits_for == waits_to_read || t->waits_for == waits_to_write)
		return *writer((struct holt_rwlock *)t->waits_on);
	return NULL;
}

static void own(struct holt_lock *l, holt_task *t)
{
	l->owner = t;
	t->locks++;
}

/*
 * Would t wait for itself: is the owner t, or one who waits for a lock that is owned by t, and so on? A condition
 * takes its lock again whatever comes, and may so have closed a circle of others: seen when one comes by again.
 */
static bool closes_circle(const holt_task *owner, const holt_task *t)
{
	const holt_task *seen = NULL;
	size_t n = 0;

	for (const holt_task *o = owner; o && o != seen; o = owner_of_what_it_waits_for(o)) {
		if (o == t)
			return true;
		if ((n & (n + 1)) == 0) /* moved on with each doubling of n, so that it gets into the circle */
			seen = o;
		n++;
	}
	return false;
}

int holt_lock_acquire(struct holt_lock *l)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (!l->owner) {
		own(l, t);
		return 0;
	}
	if (closes_circle(l->owner, t))
		return -EDEADLK;
	return holt__wait_here(t, &l->w, NULL, NULL, holt__waits_for_lock, l); /* 0: release has made us the owner */
}

int holt_lock_try_acquire(struct holt_lock *l)
{
	holt_task *t = holt__self;

	if (!t) {
		holt__check_fork("holt_lock_try_acquire");
		return -EPERM;
	}
	if (l->owner)
		return -EBUSY;
	own(l, t);
	return 0;
}

int holt_lock_release(struct holt_lock *l)
{
	struct holt__waiter *w = l->w.head;
	holt_task *t = holt__self;

	if (!t || l->owner != t)
		return -EPERM;
	t->locks--;
	if (!w) {
		l->owner = NULL;
		return 0;
	}
	own(l, w->task);
	holt__wake(w->task, 0);
	return 0;
}

bool holt_lock_locked(const struct holt_lock *l)
{
	return l->owner != NULL;
}

/* ---- rlock */

int holt_rlock_acquire(struct holt_rlock *l)
{
	holt_task *t;
	int r;

	if (l->lock.owner && l->lock.owner == holt__self) {
		r = holt__enter(&t);
		if (r == 0)
			l->depth++;
		return r;
	}
	r = holt_lock_acquire(&l->lock);
	if (r == 0)
		l->depth = 1;
	return r;
}

int holt_rlock_release(struct holt_rlock *l)
{
	if (!holt__self || l->lock.owner != holt__self)
		return -EPERM;
	return --l->depth > 0 ? 0 : holt_lock_release(&l->lock);
}

/* ---- rwlock: its opaque words hold the writer and the number of readers */

enum { READ, WRITE };

static size_t *readers(struct holt_rwlock *l)
{
	return (size_t *)&l->opaque[1];
}

static bool may_enter(struct holt_rwlock *l, intptr_t how)
{
	return !*writer(l) && (how == READ || *readers(l) == 0);
}

static void enter(struct holt_rwlock *l, holt_task *t, intptr_t how)
{
	if (how == WRITE)
		*writer(l) = t;
	else
		++*readers(l);
	t->locks++;
}

/* Lets in those who wait, from the first on, as far as they go together. */
static void let_in(struct holt_rwlock *l)
{
	struct holt__waiter *w;

	while ((w = l->w.head) && may_enter(l, (intptr_t)w->data)) {
		enter(l, w->task, (intptr_t)w->data);
		holt__wake(w->task, 0);
	}
}

/* A canceled writer no longer stands in the way of the readers behind it. */
static void rwlock_left(struct holt__waiter *w)
{
	let_in((struct holt_rwlock *)w->task->waits_on);
}

static int rwlock_acquire(struct holt_rwlock *l, intptr_t how, const char *what)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (closes_circle(*writer(l), t))
		return -EDEADLK;
	if (!l->w.head && may_enter(l, how)) {
		enter(l, t, how);
		return 0;
	}
	return holt__wait_here(t, &l->w, rwlock_left, (void *)how, what, l);
}

int holt_rwlock_read(struct holt_rwlock *l)
{
	return rwlock_acquire(l, READ, waits_to_read);
}

int holt_rwlock_write(struct holt_rwlock *l)
{
	return rwlock_acquire(l, WRITE, waits_to_write);
}

int holt_rwlock_release(struct holt_rwlock *l)
{
	holt_task *t = holt__self;

	if (!t || t->locks == 0 || (*writer(l) ? *writer(l) != t : *readers(l) == 0))
		return -EPERM;
	if (*writer(l))
		*writer(l) = NULL;
	else
		--*readers(l);
	t->locks--;
	let_in(l);
	return 0;
}
