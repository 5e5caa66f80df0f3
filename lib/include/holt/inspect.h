/* SPDX-License-Identifier: MIT */
/*
 * holt/inspect.h - look at the tasks of this thread's loop: who is there, what each waits for, why
 *
 * It looks and changes nothing. It shows the loop of the calling thread, since nothing of another's
 * can be looked at while that runs. A running daemon shows the same in its log at SIGUSR1
 * (<holt/service.h>).
 */
#ifndef HOLT_INSPECT_H
#define HOLT_INSPECT_H

#include <stdio.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * holt_dump() - write the tree of tasks, one line each
 * @f: where to; stays open, and is flushed
 *
 * Path and id, state, what it waits for and since when, its deadline, and why it is stopped or
 * canceled. Writing to @f may block the loop's thread, as stdio does.
 *
 * Does not suspend. Allowed outside tasks. Returns 0, or:
 * -EPERM: no loop runs in this thread.
 * -EINVAL: @f is NULL.
 * -EIO, or what stdio says: it could not be written.
 */
HOLT_EXPORT int holt_dump(FILE *f);

/**
 * holt_task_count() - how many tasks of this loop have not ended, the root included
 *
 * Does not suspend. Allowed outside tasks. Returns 0 where no loop runs in this thread. For tests:
 * the count at the end is the count at the beginning.
 */
HOLT_EXPORT size_t holt_task_count(void);

/**
 * struct holt_task_info - what is known of a task
 * @id: as holt_task_id()
 * @group: a number of the group that it lives in, the same for all its members
 * @path: with the names of its groups, "web/conns/echo#12"
 * @state: "running" (it calls this), "ready" (its turn will come) or "waiting"
 * @waits_for: in words, "read fd 7", "sleep"; NULL when it does not wait
 * @why: the reason of the stop or cancellation that it sees; NULL: none
 * @since: the point in time from which it has been waiting or ready
 * @deadline: the nearest that is in force for it; HOLT_NEVER: none
 * @depth: how many tasks are above it; the root: 0
 *
 * The strings are valid during the call of fn.
 */
struct holt_task_info {
	uint64_t id, group;
	const char *path, *state, *waits_for, *why;
	holt_time since, deadline;
	int depth;
};

/**
 * holt_each_task() - call a function for each task of this loop
 * @fn: called with a parent before its children; it must not suspend, spawn or cancel; a result other
 *	than 0 ends the round
 * @arg: handed to @fn
 *
 * Does not suspend. Allowed outside tasks. Returns 0, or what @fn returned to end it, or:
 * -EPERM: no loop runs in this thread.
 * -EINVAL: @fn is NULL.
 */
HOLT_EXPORT int holt_each_task(int (*fn)(void *arg, const struct holt_task_info *i), void *arg);

/**
 * enum - what a hook is told of a task
 * @HOLT_HOOK_SPAWNED: it has been made; it will run when its turn comes
 * @HOLT_HOOK_RESUMED: it runs from here on: begins, or comes back from a wait
 * @HOLT_HOOK_SUSPENDED: it begins to wait, or has yielded
 * @HOLT_HOOK_CANCELED: it was canceled with all that it holds, by itself or with its group; a scope or group of its own that
 *	was canceled is not told of
 * @HOLT_HOOK_ENDED: it has ended; holt_task_result() says how
 * @HOLT_HOOK_FINALLY: it is about to run a finally handler of a group that it closes
 */
enum { HOLT_HOOK_SPAWNED, HOLT_HOOK_RESUMED, HOLT_HOOK_SUSPENDED, HOLT_HOOK_CANCELED, HOLT_HOOK_ENDED, HOLT_HOOK_FINALLY };

/**
 * struct holt_hooks - who looks on
 * @on: called with one of HOLT_HOOK_..., and the task; a name or path that it wants to keep it copies. It must
 *	not suspend, spawn, stop or cancel, and has little stack. It runs outside of tasks: holt_self() is NULL
 * @arg: handed to @on
 */
struct holt_hooks {
	void (*on)(void *arg, int event, holt_task *t);
	void *arg;
};

/**
 * holt_hooks_set() - be told what the tasks of this thread's loop do
 * @h: copied; it takes the place of what was set before; NULL: nobody is told any more
 *
 * For tracers, profilers and tests. Before holt_run() it is for the run to come, in this thread; it ends with
 * that. A loop that is looked at is slower, by a look at the clock for each switch; one that is not pays nothing.
 *
 * Does not suspend. Allowed outside tasks. Returns 0, or:
 * -EINVAL: no function.
 * -ENOMEM: before a run: there is no memory for the loop.
 *
 * From trio.abc.Instrument.
 */
HOLT_EXPORT int holt_hooks_set(const struct holt_hooks *h);

#ifdef __cplusplus
}
#endif
#endif
