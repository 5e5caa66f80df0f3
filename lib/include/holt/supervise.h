/* SPDX-License-Identifier: MIT */
/*
 * holt/supervise.h - supervisors: groups that start their tasks again, as Erlang/OTP has them
 *
 * A supervisor holds children: functions that shall run. It starts them in order, starts those again
 * that failed, gives up when that happens too often, and stops them in the reverse order. It is a
 * group (<holt/group.h>) of the task that opened it: nothing in it outlives it.
 *
 *	holt_auto(supervisor) s = NULL;         an early return stops them all
 *
 *	r = holt_supervisor_open(&s, .name = "shop", .strategy = HOLT_REST_FOR_ONE);
 *	if (r >= 0)
 *		r = holt_supervise(s, db, &conf, .until_ready = true);
 *	if (r >= 0)
 *		r = holt_supervise(s, web, &conf, .grace = 5 * HOLT_SEC);
 *	if (r >= 0)
 *		r = holt_supervisor_wait(s);
 *	return holt_supervisor_close(holt_take(s), r);
 *
 * A function like this one may be a child itself: that is how trees are made. When the inner
 * supervisor gives up, its child fails in the outer one, which starts all of it anew, or gives up too.
 *
 * A CHILD runs as a task, fn(arg), in a scope of its own that behaves like a group: with its own grace,
 * and the supervisor's cleanup. Its path is the supervisor's name and its own: shop/db. It failed when it
 * returned a negative value other than -ECANCELED; that one is an end like OTP's shutdown, no failure.
 *
 *	HOLT_RESTART_ON_FAILURE  started again when it failed (OTP's transient); the default
 *	HOLT_RESTART_ALWAYS      started again whatever it returned (permanent)
 *	HOLT_RESTART_NEVER       not started again, neither for itself nor with a sibling (temporary);
 *	                         it is forgotten at its end, and its name is free
 *
 * WITH A CHILD THAT IS STARTED AGAIN go, by strategy: none (HOLT_ONE_FOR_ONE), all (HOLT_ONE_FOR_ALL), or
 * those behind it (HOLT_REST_FOR_ONE). They are stopped in reverse, one after the other, then all of them
 * are started in order; as in OTP also those that had ended well before, but none of HOLT_RESTART_NEVER,
 * and none that was stopped by hand. What ends meanwhile belongs to this restart and is not counted. When one
 * of them fails while it is started, that is the next failure: by strategy it begins anew.
 *
 * INTENSITY. A failure, and an end that HOLT_RESTART_ALWAYS does not want, is counted once, however many
 * siblings it takes along. More than .restarts of them within .within is too much: the supervisor gives up,
 * stops all children in reverse, and holt_supervisor_wait() returns -ELOOP.
 *
 * BACK-OFF. With .backoff_min a child is started again after a wait that doubles, with jitter of up to a
 * quarter less, from .backoff_min to .backoff_max, and begins anew once the child was ready for
 * .backoff_reset. With the group strategies the others wait with it, stopped. Without .backoff_min it is
 * started again at once, as in OTP.
 *
 * READY. A child with .until_ready is up when its task has called holt_ready(); others are as soon as they
 * are started. In order means: a start waits until the children before it are up, when they are started for
 * the first time or together with it. So a child in a back-off holds up only those that wait with it.
 *
 * THE END. A supervisor ends when it is closed, gives up, when a significant child has ended for good
 * (OTP's auto_shutdown any_significant), or when the task that opened it is stopped or canceled. Then
 * nothing is started any more: waits for a back-off are over, a start that is half done is stopped. What
 * children return after they were asked to stop is never a failure.
 *
 * A STOP IS IN ORDER, from the last child to the first, also one that comes from outside: a child is asked
 * to stop, has its grace, is canceled when that is over, and only when it has ended the next one is asked.
 * Until its turn comes it sees nothing of the stop, nor does holt_stopping() in it. A grace of 0 is the
 * parent's, HOLT_NOW none; when the grace of what is around the supervisor is over, all are canceled.
 * A CANCELLATION IS NOT: from outside it reaches all of them at once, as it reaches everything. So give the
 * service, or the root, a grace that is long enough for all children, one after the other: with the default
 * of 0 a stop of the root is a cancellation.
 *
 * All functions are for tasks of the supervisor's own loop.
 */
#ifndef HOLT_SUPERVISE_H
#define HOLT_SUPERVISE_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(supervisor, holt_supervisor *) /* closes it with -ECANCELED */

/* enum holt_strategy and enum holt_restart are in <holt/base.h>. */

/**
 * struct holt_supervisor_options - options of holt_supervisor_open()
 * @size: set by the macro
 * @name: its part of the children's paths; copied; NULL adds nothing to them
 * @strategy: see above; HOLT_ONE_FOR_ONE unless said
 * @restarts: so many within @within are allowed; 0: 5. Costs 8 bytes each
 * @within: span; one that lies exactly so long ago still counts; 0: 10 s
 * @backoff_min: span before the first restart; 0: none before any
 * @backoff_max: the longest span; 0: 30 s; less than @backoff_min counts as that
 * @backoff_reset: span of being up after which it begins at @backoff_min again; 0: 60 s; HOLT_NEVER: not by time
 * @cleanup: span from the cancellation of a child, or of all, until shields break; 0: the parent's, as of any group
 */
struct holt_supervisor_options {
	size_t size;
	const char *name;
	enum holt_strategy strategy;
	unsigned restarts; /* default 5 */
	holt_time within;  /* default 10 s */
	holt_time backoff_min, backoff_max, backoff_reset;
	holt_time cleanup;
};

/**
 * struct holt_child_options - options of holt_supervise()
 * @size: set by the macro
 * @fn_name: set by the macro to the function's name
 * @name: what the child is called, in its path and by the functions below; copied; not empty; NULL: @fn_name, with
 *	#N behind it when that is taken, N being its number in start order. A child with neither is called "child"
 * @restart: see above; HOLT_RESTART_ON_FAILURE unless said
 * @grace: span from a stop of it to its cancellation; 0: the parent's; HOLT_NOW: none
 * @until_ready: it is up when its task has called holt_ready()
 * @significant: when it has ended for good, well or (HOLT_RESTART_NEVER) not, the supervisor ends. That it was
 *	stopped, by hand or with a sibling, does not count. Not with HOLT_RESTART_ALWAYS
 */
struct holt_child_options {
	size_t size;
	const char *fn_name;
	const char *name;
	enum holt_restart restart;
	holt_time grace;
	bool until_ready, significant;
};

/**
 * holt_supervisor_open(), holt_supervisor_open_with() - open a supervisor in the calling task
 * @ret: the supervisor, which the caller closes, on every way out; see holt_auto(supervisor)
 * @o: options, or NULL; the macro takes them by name
 *
 * It is a scope of the caller until it is closed, as a group is: scopes, groups and supervisors of one task nest
 * strictly. That it gives up does not cancel the caller: holt_supervisor_wait() tells.
 *
 * Does not suspend, and is no cancellation point. Returns 0, or:
 * -EPERM: outside tasks.
 * -EINVAL: an unknown strategy, or NULL for @ret.
 * -E2BIG: options that this library does not know.
 * -ENOMEM: no memory.
 *
 * From OTP's supervisor:start_link().
 */
HOLT_EXPORT int holt_supervisor_open_with(holt_supervisor **ret, const struct holt_supervisor_options *o);
#ifndef __cplusplus
#define holt_supervisor_open(ret, ...) \
	holt_supervisor_open_with( \
		ret, &(struct holt_supervisor_options){ .size = sizeof(struct holt_supervisor_options), __VA_ARGS__ })
#endif

/**
 * holt_supervise(), holt_supervise_with() - add a child behind all others, and start it
 * @s: the supervisor
 * @fn: what the child runs, each time anew
 * @arg: handed to fn at each start; must live until the child is removed or the supervisor closed
 * @o: options, or NULL; the macro takes them by name: holt_supervise(s, db, &conf, .until_ready = true)
 *
 * The child is started now, or when its turn comes: while others before it are being started it waits for them.
 * With .until_ready the caller waits until it is up, and then a first start that fails is the caller's to handle: when
 * it ends before that with a negative result, this is returned, and the child is not kept. A caller that is canceled
 * while it waits leaves the child supervised as any other.
 *
 * Any task may call it, of any group: the one that opened the supervisor, another, or a child. Without
 * .until_ready it does not suspend, is no cancellation point, and is allowed outside tasks. Suspends with it.
 *
 * Returns 0, or, with no such child left:
 * -EEXIST: a child has that .name, be it running or not.
 * -ESHUTDOWN: the supervisor ends, or has ended; or the child was stopped or canceled before it was up.
 * -ECANCELED: the caller is canceled: with .until_ready, or in a supervisor that is canceled itself.
 * -EDEADLK: with .until_ready: the caller is inside a child that has to be up, or to end, before this one starts.
 * -EPERM: with .until_ready outside tasks; or the supervisor is of another thread's loop.
 * -EINVAL: @s or @fn is NULL, an unknown .restart, an empty .name, .significant with HOLT_RESTART_ALWAYS.
 * -E2BIG: options that this library does not know.
 * -ENOMEM: no memory.
 * Other: what fn returned before it was ready.
 *
 * From OTP's supervisor:start_child().
 */
HOLT_EXPORT int holt_supervise_with(holt_supervisor *s, holt_fn fn, void *arg, const struct holt_child_options *o);
#ifndef __cplusplus
#define holt_supervise(s, fn, arg, ...) \
	holt_supervise_with(s, fn, arg, \
		&(struct holt_child_options){ .size = sizeof(struct holt_child_options), .fn_name = #fn, __VA_ARGS__ })
#endif

/**
 * holt_supervisor_restart() - stop a child if it runs, and start it
 * @s: the supervisor
 * @name: of the child
 *
 * One that was stopped, or has ended for good, is started again; one that waits for a back-off is started at once. Its
 * siblings are left alone, whatever the strategy, and it is not counted. If others are just being restarted with it, it
 * comes in its turn.
 *
 * Suspends until it is up. Returns 0, or:
 * -ENOENT: there is no child of that name.
 * -ESHUTDOWN: the supervisor ends; or the child was stopped or canceled before it was up.
 * -ECANCELED: the caller is canceled; what was begun goes on.
 * -EDEADLK: the caller is inside that child, or inside one that has to be up, or to end, before it starts.
 * -EPERM: outside tasks.
 * -EINVAL: a NULL.
 * -ENOMEM, or what fn returned before it was ready: then it stays down, as if it had been stopped.
 *
 * From OTP's terminate_child() and restart_child() in one, and systemctl restart.
 */
HOLT_EXPORT int holt_supervisor_restart(holt_supervisor *s, const char *name);

/**
 * holt_supervisor_stop() - stop a child, out of turn, and leave it down
 * @s: the supervisor
 * @name: of the child
 *
 * It stays known, and is started again by holt_supervisor_restart() only, not with a sibling. One of HOLT_RESTART_NEVER
 * is forgotten. A wait for its back-off is over, a start that is half done is stopped; siblings that waited for it
 * are started then. Stopping what is down does nothing.
 *
 * Suspends until it has ended. Returns 0, or:
 * -ENOENT: there is no child of that name.
 * -ECANCELED: the caller is canceled; the child goes on stopping.
 * -EDEADLK: the caller is inside that child, at any depth.
 * -EPERM: outside tasks.
 * -EINVAL: a NULL.
 *
 * From OTP's terminate_child().
 */
HOLT_EXPORT int holt_supervisor_stop(holt_supervisor *s, const char *name);

/**
 * holt_supervisor_remove() - stop a child if it runs, and forget it
 * @s: the supervisor
 * @name: of the child
 *
 * When it has ended its name is free, and its arg is not used any more.
 *
 * Suspends, and returns, as holt_supervisor_stop() does. From OTP's delete_child(), which wants it stopped before.
 */
HOLT_EXPORT int holt_supervisor_remove(holt_supervisor *s, const char *name);

/**
 * holt_supervisor_restarts() - how often a child was started again
 * @s: the supervisor
 * @name: of the child
 *
 * For itself or with a sibling; by hand does not count. Does not suspend. Allowed outside tasks.
 * Returns 0 also where there is no child of that name.
 */
HOLT_EXPORT unsigned holt_supervisor_restarts(holt_supervisor *s, const char *name);

/**
 * holt_supervisor_finally() - have fn(arg, result) run when the supervisor is closed, after its children
 * @s: the supervisor
 * @fn: gets what holt_supervisor_close() returns; as in holt_finally()
 * @arg: handed to fn, which owns it when this returned 0
 *
 * Once, whatever was restarted before; newest first. What belongs to one run of a child is released by its function.
 *
 * Does not suspend. Allowed outside tasks. Returns 0, -ESHUTDOWN, -EINVAL or -ENOMEM, as holt_finally() does.
 */
HOLT_EXPORT int holt_supervisor_finally(holt_supervisor *s, holt_finally_fn fn, void *arg);

/**
 * holt_supervisor_wait() - wait until a supervisor has nothing left to do
 * @s: the supervisor; must not be closed meanwhile
 *
 * That is when all children have ended for good (with none it is so at once), or when it has ended and all are stopped.
 * A child that was stopped by hand could be started again, so it counts as one that has not ended; one that was removed
 * does not. Waiting does not own: supervision goes on whether somebody waits or not.
 *
 * Suspends. Returns 0, or:
 * -ELOOP: it gave up.
 * the result of a significant child that failed for good.
 * -ECANCELED: the caller is canceled.
 * -EDEADLK: the caller is inside a child of it, at any depth.
 * -EPERM: outside tasks.
 * -EINVAL: @s is NULL.
 */
HOLT_EXPORT int holt_supervisor_wait(holt_supervisor *s);

/**
 * holt_supervisor_close() - end a supervisor: stop its children in reverse, run finally handlers, free it
 * @s: the supervisor, opened by the calling task, with nothing left open inside it; taken. NULL: nothing to
 *	close, and @result is returned
 * @result: how the opener's own work ended
 *
 * The children are stopped in order also when @result is negative. Suspends, and is not left early: a cancellation from
 * outside reaches the children, and close goes on until all have ended.
 *
 * Returns @result when it is negative; else -ELOOP, or the significant child's failure, when that ended it; else
 * -ECANCELED when a cancellation from outside has ended a child; else @result. -ESHUTDOWN, given to a supervisor that
 * was ending already, counts as 0: holt_supervise() in a stop says no more than that. Or, with nothing done
 * and the supervisor still open:
 * -EPERM: the caller is not the task that opened it.
 * -EINVAL: a scope, group or supervisor that the caller began inside it is still open.
 */
HOLT_EXPORT int holt_supervisor_close(holt_supervisor *s, int result);

#ifdef __cplusplus
}
#endif
#endif
