/* SPDX-License-Identifier: MIT */
/*
 * holt/scope.h - deadlines, stops and shields around a piece of code
 *
 * A scope is what can be canceled: this header's struct holt_scope around some lines, a group (from
 * open to close), and a task as a whole. They nest strictly and form one tree with the tasks in
 * them; what happens to a scope happens to everything inside it, at any depth, groups and their
 * tasks included. holt_local values, deadlines and shields follow this tree.
 *
 *	struct holt_scope s;
 *
 *	holt_scope_begin(&s, holt_in(30 * HOLT_SEC), HOLT_ON_STOP);
 *	n = holt_read(fd, buf, sizeof buf);
 *	n = holt_scope_end(&s, n);
 *
 * gives the bytes, 0, -ETIME, -ESHUTDOWN, -ECANCELED, or the read's own error.
 *
 * CANCELLATION IS LEVEL-TRIGGERED, as in Trio. A canceled scope stays canceled: each blocking call
 * inside it returns -ECANCELED at once, until the code has returned out of it. A swallowed
 * -ECANCELED is never a lost one. It makes calls return; frames are never thrown away.
 *
 * STOPPING IS SOFTER. A stop ends only the scopes that asked to be told by HOLT_ON_STOP (accept
 * loops, idle waits), so that work in flight can finish. After the grace everything is canceled,
 * and after the cleanup shields break (see <holt/group.h>).
 *
 * THE REASON is the first of stop, cancel and deadline that was recorded on a scope; it is never
 * rewritten, only repeats are counted. A reason is copied. As the first one stays, a deadline that
 * passes in what is canceled already makes no -ETIME.
 *
 * DEADLINES that pass in one turn of the loop all count as passed, and the outermost scope that is
 * visible to the task takes it. So an inner holt_scope_end() leaves -ECANCELED alone when an outer
 * scope caused it, and the error arrives where it belongs. A deadline in the past fires at the first
 * blocking call.
 *
 * INSIDE A SHIELD a stop or cancellation from outside is latched, and seen at the shield's end. What
 * comes from inside (the shield's own deadline, its own cancellation, a member's failure in a group
 * opened inside) is seen as always. A shield is not for ever: it has a finite deadline, and the
 * cleanup budget of any group around it breaks it; from then on cancellation from outside is seen.
 * holt_why() and holt_stopping() look through shields; only blocking calls and holt_check() do not.
 *
 * A TASK THAT IGNORES cancellation for long is named in the log with where it waits or runs, again
 * and again with back-off. One that sees -ECANCELED a thousand times without suspending is made to
 * yield, and named ("cancel spin").
 *
 * None of this needs memory: a scope is held on the stack.
 */
#ifndef HOLT_SCOPE_H
#define HOLT_SCOPE_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct holt_scope - a scope on the caller's stack, not to be looked into, copied or moved
 */
struct holt_scope {
	void *opaque[16];
};

/**
 * HOLT_ON_STOP - a stop from outside ends this scope, as a cancellation would: -ESHUTDOWN at its end
 * HOLT_SHIELD - hold off stop and cancellation from outside; needs a finite deadline
 *
 * Together: a shield, which a stop from outside does not reach.
 */
enum { HOLT_ON_STOP = 1, HOLT_SHIELD = 2 };

/**
 * holt_scope_begin() - begin a scope of the calling task
 * @s: uninitialized memory, which must stay where it is until holt_scope_end()
 * @deadline: a point in time at which the scope is canceled; HOLT_NEVER: none
 * @flags: 0, or HOLT_ON_STOP and HOLT_SHIELD
 *
 * Scopes and groups of one task nest strictly: end them in the opposite order. With HOLT_ON_STOP in
 * what is stopping already, the first blocking call returns -ECANCELED.
 *
 * Does not suspend. Always succeeds. Aborts with one sentence: outside tasks; HOLT_SHIELD without a
 * finite deadline; unknown flags; a scope that the calling task has begun already and not ended.
 *
 * From trio.CancelScope and trio.move_on_at().
 */
HOLT_EXPORT void holt_scope_begin(struct holt_scope *s, holt_time deadline, unsigned flags);

/**
 * holt_scope_end() - end a scope, and say what its cancellation was
 * @s: the innermost scope of the calling task
 * @r: the result of what ran in it; any type of result fits
 *
 * Where @r is -ECANCELED and @s itself caused it, that becomes -ETIME (its deadline), -ESHUTDOWN (a
 * stop, with HOLT_ON_STOP), or stays -ECANCELED (holt_scope_cancel()). Every other result is
 * returned as it is: an -ECANCELED that an outer scope caused, an error, and a success, even if the
 * deadline passed meanwhile (result wins).
 *
 * Values that holt_local_set() set on it are freed. What a shield had latched is seen from now on.
 *
 * Does not suspend. Aborts with one sentence when @s is not the innermost scope of the calling task
 * (a group opened in it and not closed counts, too): no caller could handle that.
 *
 * From trio.CancelScope, whose exit decides the same; asyncio.timeout() for the rewriting.
 */
HOLT_EXPORT ssize_t holt_scope_end(struct holt_scope *s, ssize_t r);

/**
 * holt_scope_cancel() - cancel a scope, with everything inside it
 * @s: a scope that was begun and not ended, of any task of this loop
 * @why: the reason that holt_why() gives; copied; NULL for none
 *
 * Wakes every task that waits inside it, except what stands behind a shield. Repeats are harmless;
 * the first reason stays.
 *
 * Does not suspend, also when one cancels oneself: the next blocking call sees it. Allowed outside
 * tasks. Always succeeds; in another thread it aborts with one sentence: holt_loop_call() is for that.
 * From trio.CancelScope.cancel().
 */
HOLT_EXPORT void holt_scope_cancel(struct holt_scope *s, const char *why);

/**
 * holt_timeout() - call fn(arg) here, under a deadline
 * @span: nanoseconds from a fresh reading of the clock; HOLT_NEVER: no deadline
 * @fn: runs in the calling task, on its stack, as a plain call; always runs, even with span 0 or in
 *	a canceled task: then its first blocking call returns -ECANCELED
 * @arg: handed to fn
 *
 * Suspends as fn does. Returns fn's result; -ETIME where fn returned -ECANCELED because of this
 * deadline; -EPERM outside tasks and -EINVAL without fn, with nothing run. Needs no memory.
 *
 * From trio.fail_after() and asyncio.wait_for(), but nothing is spawned.
 */
HOLT_EXPORT int holt_timeout(holt_time span, holt_fn fn, void *arg);

/**
 * holt_stopping() - was the caller asked to come to an end
 *
 * True when a stop, or more, was asked of the innermost scope that sees it: of a scope, group or task
 * that the caller is in. It looks through shields, but not out of a supervisor's child whose turn to stop has
 * not come (<holt/supervise.h>). For a loop of requests that asks between two.
 *
 * Does not suspend. False outside tasks.
 */
HOLT_EXPORT bool holt_stopping(void);

/**
 * holt_why() - the reason of the innermost stop or cancellation that the caller sees
 *
 * It looks through shields. What was said as @why, or what the library says of a deadline, a member's
 * failure (with its path) or a signal.
 *
 * Does not suspend. Returns the reason, valid until the scope it belongs to ends; NULL when there is
 * none, and outside tasks.
 */
HOLT_EXPORT const char *holt_why(void);

#ifdef __cplusplus
}
#endif
#endif
