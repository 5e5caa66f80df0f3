/* SPDX-License-Identifier: MIT */
/*
 * Futures: a list of waiters, a list of functions to call, and what both are told.
 *
 * The rule: done is set before anybody is told, and never changes again; so whoever is told finds all of it, and what a
 * function does to the future it was called for is what it would do to any that is done. Functions are called from a
 * list of futures, not from each other: a chain of futures, each set by the function of the one before, is
 * called by iteration.
 */
#include "sync/future.h"

#include <errno.h>

static __thread __attribute__((tls_model("initial-exec"))) struct {
	holt_future *first, **last; /* done, and not all of their functions called; each by a reference */
	bool busy;                  /* somebody below us on the stack goes through them */
} telling;

int holt_future_open(holt_future **ret)
{
	holt_future *f;

	if (!ret)
		return -EINVAL;
	f = holt__calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	f->refs = 1;
	f->last = &f->first;
	*ret = f;
	return 0;
}

holt_future *holt_future_ref(holt_future *f)
{
	if (f)
		f->refs++;
	return f;
}

holt_future *holt_future_unref(holt_future *f)
{
	struct holt__on_done *d;

	if (!f || --f->refs > 0)
		return NULL;
	while ((d = f->first)) {
		f->first = d->next;
		holt__free(d);
	}
	holt__free(f);
	return NULL;
}

void holt_auto_future(holt_future **f)
{
	holt_future_unref(*f);
}

/* ---- done */

/* Outside of tasks, so that a function that would suspend gets an error and does not hold up who called set. */
static void call_outside(void (*fn)(holt_future *f, void *arg), holt_future *f, void *arg)
{
	holt_task *self = holt__self;

	holt__self = NULL;
	fn(f, arg);
	holt__self = self;
}

static void tell(holt_future *f)
{
	struct holt__on_done *d;

	while ((d = f->first)) {
		struct holt__on_done what = *d;

		f->first = d->next;
		holt__free(d);
		call_outside(what.fn, f, what.arg);
	}
	f->last = &f->first;
}

static void tell_all(void)
{
	telling.busy = true;
	while (telling.first) {
		holt_future *f = telling.first;

		telling.first = f->next;
		tell(f);
		holt_future_unref(f);
	}
	telling.busy = false;
}

int holt__future_finish(holt_future *f, int result, void *value)
{
	if (f->done)
		return -EALREADY;
	f->done = true;
	f->result = result;
	f->value = value;
	holt__wake_all(&f->w, 0);
	if (!f->first)
		return 0;
	if (!telling.first)
		telling.last = &telling.first;
	f->next = NULL;
	*telling.last = holt_future_ref(f);
	telling.last = &f->next;
	if (!telling.busy)
		tell_all();
	return 0;
}

int holt_future_set(holt_future *f, void *value)
{
	return holt__future_finish(f, 0, value);
}

int holt_future_fail(holt_future *f, int error)
{
	return error < 0 ? holt__future_finish(f, error, NULL) : -EINVAL;
}

int holt_future_cancel(holt_future *f)
{
	return holt__future_finish(f, -ECANCELED, NULL);
}

bool holt_future_done(const holt_future *f)
{
	return f->done;
}

int holt_future_on_done(holt_future *f, void (*fn)(holt_future *f, void *arg), void *arg)
{
	struct holt__on_done *d;

	if (!f || !fn)
		return -EINVAL;
	if (f->done) {
		holt_future_ref(f); /* fn may drop the caller's */
		call_outside(fn, f, arg);
		holt_future_unref(f);
		return 0;
	}
	d = holt__malloc(sizeof *d);
	if (!d)
		return -ENOMEM;
	*d = (struct holt__on_done){ .fn = fn, .arg = arg };
	*f->last = d;
	f->last = &d->next;
	return 0;
}

/* ---- waiting */

int holt_future_wait(holt_future *f, int *ret_result, void **ret_value)
{
	holt_task *t;
	int r;

	if (!f)
		return -EINVAL;
	r = holt__enter(&t);
	if (r < 0)
		return r;
	holt_future_ref(f);
	if (!f->done)
		r = holt__wait_here(t, &f->w, NULL, NULL, "future", f);
	if (r == 0 && ret_result)
		*ret_result = f->result;
	if (r == 0 && ret_value)
		*ret_value = f->value;
	holt_future_unref(f);
	return r;
}
