/* SPDX-License-Identifier: MIT */
/*
 * holt/group.h - groups: what tasks live in, and what ends them all
 *
 * A task lives in a group, and a group in a task, so tasks form a tree. Nothing outlives the group
 * that holds it: holt_group_close() returns only when every task in it has ended and every finally
 * handler has run. There is no detached task; what shall outlive its spawner goes into a group that
 * was handed down from further up. It is trio's nursery and asyncio's TaskGroup, with OTP's orderly
 * stop.
 *
 *	holt_auto(group) g = NULL;              an early return cancels and joins
 *
 *	r = holt_group_open(&g, .name = "conns", .limit = 64);
 *	if (r < 0)
 *		return r;
 *	...                                     holt_spawn(g, echo, arg)
 *	return holt_group_close(holt_take(g), r);
 *
 * KINDS. HOLT_ALL: the first failure cancels the rest. HOLT_ANY: the first success does. HOLT_EACH:
 * neither does. A failure is a negative result other than -ECANCELED: a member's -ECANCELED is never
 * a failure of its group, whoever asked for it.
 *
 * A GROUP IS A SCOPE of the task that opened it, from open to close (<holt/scope.h>): when a member's
 * failure cancels the group, the opener's next blocking call says -ECANCELED too (with HOLT_EACH no
 * failure does). Groups and scopes of one task nest strictly; only the opener closes.
 *
 * NAMES. A path is the names of the groups from the root down, and the task's: web/conns/echo. A
 * group without a name adds nothing. The root's name is holt_run()'s .name or the service's name;
 * without one it adds nothing. #id is added to a task's name where two tasks of one group have had
 * the same name: web/conns/echo#12. Log lines, dumps, failures and reasons use paths.
 *
 * STOP, CANCEL, BREAK. Escalation only rises, and repeats are harmless.
 *
 *	stop            ends the scopes that asked to be told (HOLT_ON_STOP), at any depth
 *	 | grace
 *	cancel (T)      every blocking call in the group says -ECANCELED
 *	 | cleanup C
 *	T + C/2         HOLT_SHIELD scopes of members break, so that handlers have what is left
 *	T + C           the finally handlers' shield breaks; those still to run see only -ECANCELED
 *
 * and for the root another C/10 later (at least 100 ms, at most 1 s) the process names who held it
 * up, and calls _exit(1).
 *
 * GRACE of 0 is the parent's: what is left of it once the parent is stopping; at the root 0 cancels
 * at once. HOLT_NOW: a stop of this group cancels it at once. CLEANUP of 0 is the parent's, at the
 * root 10 s. A group whose parent is not itself stopping (for cleanup: not itself canceled) has its
 * own grace; once the parent is, the smaller of the two counts. A cleanup is also at most the
 * parent's configured one. What opens a group inside (holt_gather()) inherits like any group.
 *
 * WHO MAY SPAWN WHEN. Into an open or stopping group: yes. Into a canceled one that is still
 * draining: yes, and the task is born canceled. While finally handlers run: -ESHUTDOWN.
 *
 * FAILURES. With .failed set, every one goes there, and none to the log. Without it, HOLT_EACH logs each
 * at warning, with path and errno; in the other kinds the result of the group tells of the one that
 * matters, and one that a negative result of the opener covers is logged.
 */
#ifndef HOLT_GROUP_H
#define HOLT_GROUP_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(group, holt_group *) /* closes it with -ECANCELED */

/**
 * enum holt_kind - what one member's end means to the others
 * @HOLT_ALL: the first failure cancels the rest
 * @HOLT_ANY: the first success cancels the rest
 * @HOLT_EACH: neither does
 */
enum holt_kind { HOLT_ALL, HOLT_ANY, HOLT_EACH };

/**
 * struct holt_failure - a member that failed
 * @path: of the task, "web/api"; valid during the call of .failed
 * @id: of the task
 * @result: -errno; never -ECANCELED
 */
struct holt_failure {
	const char *path;
	uint64_t id;
	int result;
};

/**
 * struct holt_group_options - options of holt_group_open()
 * @size: set by the macro
 * @name: the group's part of the paths; copied; NULL adds nothing to them
 * @kind: see enum holt_kind; HOLT_ALL unless said
 * @limit: how many tasks it holds at most, not counting background ones; 0: no limit
 * @deadline: a point in time at which it is canceled; close then says -ETIME; 0 and HOLT_NEVER: none
 * @grace: span from a stop to cancellation; 0: the parent's; HOLT_NOW: none
 * @cleanup: span from cancellation until everything breaks; 0: the parent's
 * @keep: hold on to ended tasks for holt_group_next(); without it they are gone at once, so that a
 *	server's group does not grow
 * @failed: called for every failure of every kind of group, instead of logging. It runs on the stack
 *	of the task that ended: it must not suspend
 * @failed_arg: handed to @failed; must live until the group is closed
 */
struct holt_group_options {
	size_t size;
	const char *name;
	enum holt_kind kind;
	size_t limit;
	holt_time deadline /* 0: none */, grace, cleanup;
	bool keep; /* for holt_group_next */
	void (*failed)(void *arg, const struct holt_failure *f);
	void *failed_arg;
};

/**
 * holt_group_open(), holt_group_open_with() - open a group in the calling task
 * @ret_group: the group, which the caller closes, on every way out; see holt_auto(group)
 * @o: options, or NULL; the macro takes them by name
 *
 * Does not suspend, and is no cancellation point: in a canceled task the group is born canceled.
 *
 * Returns 0, or:
 * -EPERM: outside tasks.
 * -EINVAL: an unknown kind, or NULL for @ret_group.
 * -E2BIG: options that this library does not know.
 * -ENOMEM: no memory.
 *
 * From trio.open_nursery() and asyncio.TaskGroup.
 */
HOLT_EXPORT int holt_group_open_with(holt_group **ret_group, const struct holt_group_options *o);
#ifndef __cplusplus
#define holt_group_open(ret, ...) \
	holt_group_open_with(ret, &(struct holt_group_options){ .size = sizeof(struct holt_group_options), __VA_ARGS__ })
#endif

/**
 * holt_finally() - have fn(arg, result) run when the group has ended, however it ends
 * @g: the group
 * @fn: gets the final result of the group; may suspend; a negative result of it is logged by name
 * @arg: handed to fn, which owns it when this returned 0
 *
 * Handlers run newest first, each exactly once, after every task of the group has ended, in the
 * closing task, shielded, within min(the group's cleanup, what is left of its parent's). One that
 * fails or overruns is logged by name; the others still run. A handler that starts after the end of
 * that time still runs, with each blocking call -ECANCELED.
 *
 * Does not suspend. Allowed to any task of the loop, and outside tasks. Returns 0, or, with the
 * handler not armed:
 * -ESHUTDOWN: the group's handlers run already.
 * -EPERM: @g is of another thread's loop.
 * -EINVAL: @g or @fn is NULL.
 * -ENOMEM: no memory.
 *
 * From contextlib's ExitStack, and `finally`.
 */
HOLT_EXPORT int holt_finally(holt_group *g, holt_finally_fn fn, void *arg);

/**
 * holt_group_stop() - ask a group to come to an end
 * @g: the group; NULL does nothing
 * @why: the reason that holt_why() gives; copied; NULL for none
 *
 * Reaches every task and group inside. Ends the scopes that asked to be told, the rest goes on; when
 * the grace is over all of it is canceled (see above). A stop is no failure: the group ends with what
 * its tasks say, and with 0 where the end of the grace cut them.
 *
 * Does not suspend. Allowed outside tasks. Repeats are harmless; the first reason stays. In another
 * thread it aborts with one sentence: holt_loop_call() is for that.
 *
 * From systemd's stop and OTP's shutdown.
 */
HOLT_EXPORT void holt_group_stop(holt_group *g, const char *why);

/**
 * holt_group_cancel() - cancel a group with everything inside it
 * @g: the group; NULL does nothing
 * @why: the reason that holt_why() gives; copied; NULL for none
 *
 * The opener is inside, too: until close, its blocking calls say -ECANCELED. The group then closes
 * with 0, unless there is something worse to tell.
 *
 * Does not suspend. Allowed outside tasks. Repeats are harmless; the first reason stays. In another
 * thread it aborts with one sentence: holt_loop_call() is for that.
 *
 * From trio's nursery.cancel_scope.cancel().
 */
HOLT_EXPORT void holt_group_cancel(holt_group *g, const char *why);

/**
 * holt_group_wait() - wait until a group holds no task
 * @g: the group; must not be closed meanwhile
 *
 * Background tasks do not count. New ones may be spawned afterwards. Says nothing of the results.
 * Waiting does not own: canceling who waits changes nothing in @g.
 *
 * Suspends. Returns 0, or:
 * -ECANCELED: the caller is canceled; to the opener also: the group was, by a failure for example.
 * -EDEADLK: the caller is a task inside @g, at any depth.
 * -EINVAL: @g is NULL.
 * -EPERM: outside tasks; or @g is of another thread's loop.
 */
HOLT_EXPORT int holt_group_wait(holt_group *g);

/**
 * holt_group_next() - the next task that has ended
 * @g: a group opened with .keep; must not be closed meanwhile
 * @ret_task: the task, referenced: drop it by holt_task_unref(), see holt_auto(task)
 *
 * Tasks as they end, each once; background tasks are not among them. Ask holt_task_result() for what
 * it returned. In an HOLT_ALL group it returns -ECANCELED after a failure, since that canceled the
 * group: iterate HOLT_EACH.
 *
 * Suspends. Returns 0, or:
 * -ENOENT: none is left, neither running nor ended.
 * -EINVAL: the group was opened without .keep, or a NULL.
 * -EDEADLK: the caller is a task inside @g, at any depth.
 * -EPERM: outside tasks; or @g is of another thread's loop.
 * -ECANCELED: as always.
 *
 * From asyncio.as_completed().
 */
HOLT_EXPORT int holt_group_next(holt_group *g, holt_task **ret_task);

/**
 * holt_group_count() - how many tasks the group holds that have not ended
 * @g: the group; NULL: 0
 *
 * Background tasks do not count. Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT size_t holt_group_count(holt_group *g);

/**
 * holt_group_close() - end a group: wait for its tasks or cancel them, run finally handlers, free it
 * @g: the group, opened by the calling task, with nothing left open inside it; taken. NULL: nothing
 *	to close, and @result is returned
 * @result: how the opener's own work ended. Negative: what is left in the group is canceled; else it
 *	is waited for, except background tasks, which are canceled when no other is left
 *
 * Suspends, and is not left early: a cancellation from outside reaches the members, and close goes
 * on until all have ended. It also works in a canceled task, and then returns the result as below.
 *
 * The result of the group is the first of these that applies:
 *
 *	1. @result, when it is negative other than -ECANCELED; a failure beside it is logged.
 *	2. -ECANCELED, when @result or a member said so and it came from outside: the group's
 *	   surroundings were canceled at the moment it came. Outside and own at once: outside.
 *	3. What the group itself caused -ECANCELED for: the failure (HOLT_ALL), the winner's result
 *	   (HOLT_ANY), -ETIME (its deadline), 0 (holt_group_cancel(), or a grace that ran out).
 *	4. The first failure (HOLT_ALL); the winner's result, else the last failure (HOLT_ANY).
 *	5. @result.
 *
 * A cancellation that ended no member, and that @result does not tell of, changes nothing: result
 * wins.
 *
 * Returns that; or, with nothing done and the group still open:
 * -EPERM: the caller is not the task that opened it.
 * -EINVAL: a scope or group that the caller began inside it is still open.
 *
 * From trio's nursery and asyncio's TaskGroup, whose block's end this is.
 */
HOLT_EXPORT int holt_group_close(holt_group *g, int result);

#ifdef __cplusplus
}
#endif
#endif
