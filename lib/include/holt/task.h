/* SPDX-License-Identifier: MIT */
/*
 * holt/task.h - tasks: spawn them, wait for them, cancel them, give them values
 *
 * A task is a coroutine that looks like a function: int fn(void *arg), 0 or more for success, -errno
 * for failure. It calls blocking-looking functions, which suspend only that task. It has its own
 * stack (64 KiB of address space unless said), so any C code can run in it; a stack overflow is
 * reported as one, by the task's name. It lives in a group (<holt/group.h>) and ends before that.
 *
 * A task is a scope (<holt/scope.h>). It inherits its scope from the group, not from who spawned it:
 * deadlines, shields, cancellation and holt_local values are those of the group.
 *
 * WAITING DOES NOT OWN. Canceling who waits in holt_task_wait() or holt_wait() never cancels what it
 * waits for: asyncio's shield() is our default. What one owns is in one's group.
 *
 * Nothing here works across threads: all tasks named in a call are of the calling thread's loop.
 * Spawning from a warm pool of stacks, waiting and canceling need no memory.
 */
#ifndef HOLT_TASK_H
#define HOLT_TASK_H

#include <stdbool.h>

#include <holt/base.h>
#include <holt/group.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(task, holt_task *) /* drops the reference */

/**
 * struct holt_task_options - options of holt_spawn()
 * @size: set by the macro
 * @fn_name: set by the macro to the function's name; borrowed: a literal
 * @name: what the task is called; copied; NULL: @fn_name; a task with neither is called "task"
 * @stack_size: bytes of address space; 0: 64 KiB
 * @task: where to put a reference to the task, which the caller drops; NULL: none
 * @copy: fn gets a copy of that many bytes of *arg, on its own stack, and so owns them; at most half
 *	the stack; 0: fn gets arg itself
 * @until_ready: return when the task called holt_ready(), or ended
 * @background: does not hold its group open: a heartbeat or a ticker that never ends. Canceled when
 *	the group is being closed and holds no other; not counted by holt_group_wait(),
 *	holt_group_count() and .limit. That end is no failure; one of its own counts like any
 */
struct holt_task_options {
	size_t size;
	const char *fn_name;
	const char *name;
	size_t stack_size;
	holt_task **task; /* a reference, which the caller drops */
	size_t copy;      /* fn gets a copy of n bytes of *arg, on its own stack */
	bool until_ready; /* return when the task called holt_ready, or ended */
	bool background;  /* does not hold its group open */
};

/**
 * holt_spawn(), holt_spawn_with() - start a task in a group
 * @g: the group, of any task of this loop
 * @fn: what the task runs
 * @arg: handed to fn. What it owns is fn's from the moment this returned 0; on an error it still is
 *	the caller's, except as said for .until_ready
 * @o: options, or NULL; the macro takes them by name: holt_spawn(g, echo, arg, .name = "echo")
 *
 * 0 means that fn runs exactly once, even in a canceled group: then its first blocking call returns
 * -ECANCELED. It runs only after the caller suspended. Into an open or stopping group spawning
 * succeeds; into a canceled one that is still draining the task is born canceled.
 *
 * Suspends at the group's limit, until a member has ended, and for .until_ready. Otherwise it does
 * not, is no cancellation point, and is allowed outside tasks.
 *
 * With .until_ready, *task is set to NULL before all else. 0: the task is ready, or ended before
 * that with 0 or more. When it ended before that with a negative result, this is returned. On every
 * error a non-NULL *task means that fn ran or runs and owns arg, so ask for it. A caller that was
 * canceled before gets -ECANCELED and nothing starts; one that is canceled while it waits leaves the
 * task running, in its group.
 *
 * Returns 0, or, with nothing started:
 * -ECANCELED: the caller was canceled while it waited for room.
 * -EDEADLK: the group is at its limit, and the caller is a task inside it, at any depth: it would
 *	wait for itself.
 * -ESHUTDOWN: the group's finally handlers run.
 * -EPERM: it would have to wait, outside tasks; or the group is of another thread's loop.
 * -EINVAL: @g or @fn is NULL, .copy is over half the stack, or there is no @arg to copy.
 * -E2BIG: options that this library does not know.
 * -ENOMEM: no stack, or no memory.
 *
 * From trio's nursery.start_soon(), and start() for .until_ready; asyncio's create_task().
 */
HOLT_EXPORT int holt_spawn_with(holt_group *g, holt_fn fn, void *arg, const struct holt_task_options *o);
#ifndef __cplusplus
#define holt_spawn(g, fn, arg, ...) \
	holt_spawn_with(g, fn, arg, \
		&(struct holt_task_options){ .size = sizeof(struct holt_task_options), .fn_name = #fn, __VA_ARGS__ })
#endif

/**
 * holt_task_wait() - wait until a task has ended
 * @t: the task; the caller holds a reference
 * @ret_result: what it returned; may be NULL
 *
 * Suspends. Returns 0 when it has ended, whatever its result, or:
 * -ECANCELED: the caller is canceled; @t goes on.
 * -EDEADLK: @t is the caller, or holds it in a group of its own, at any depth.
 * -EINVAL: @t is NULL.
 * -EPERM: outside tasks; or @t is of another thread's loop.
 *
 * From asyncio's `await asyncio.shield(task)`.
 */
HOLT_EXPORT int holt_task_wait(holt_task *t, int *ret_result);

/**
 * holt_task_cancel() - cancel a task with all that it holds
 * @t: the task; NULL, or one that has ended: nothing happens
 * @why: the reason that holt_why() gives; copied; NULL for none
 *
 * Every blocking call in it, and in the groups that it opened, says -ECANCELED from now on, except
 * behind a shield. A task that has not run yet still runs. That it then returns -ECANCELED is no
 * failure of its group.
 *
 * Does not suspend, also when one cancels oneself. Allowed outside tasks. Repeats are harmless; the
 * first reason stays. In another thread it aborts with one sentence: holt_loop_call() is for that.
 * From asyncio's Task.cancel(), but it stays canceled.
 */
HOLT_EXPORT void holt_task_cancel(holt_task *t, const char *why);

/**
 * holt_task_done() - has it ended
 * @t: the task, referenced
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT bool holt_task_done(holt_task *t);

/**
 * holt_task_result() - what it returned
 * @t: the task, referenced
 *
 * Does not suspend. Allowed outside tasks. Returns its result; -EINPROGRESS until it is done: use
 * holt_task_done() where a task may return that itself.
 */
HOLT_EXPORT int holt_task_result(holt_task *t);

/**
 * holt_task_name() - what it is called: its .name, else its function's name
 * @t: the task, referenced
 *
 * Its path, with the names of its groups, is in log lines and in holt_each_task(). Does not suspend.
 * Returns a string that lives as long as the reference.
 */
HOLT_EXPORT const char *holt_task_name(holt_task *t);

/**
 * holt_task_id() - a number that no other task of this loop has or had
 * @t: the task, referenced
 *
 * The number behind # in paths, and HOLT_TASK_ID= in the journal. Does not suspend.
 */
HOLT_EXPORT uint64_t holt_task_id(holt_task *t);

/**
 * holt_task_ref() - keep a task's handle, for its result and name
 * @t: the task, or NULL
 *
 * A reference keeps the record, neither the task running nor its group open. It is of one run: drop
 * it before holt_run() returns. Does not suspend. Returns @t.
 */
HOLT_EXPORT holt_task *holt_task_ref(holt_task *t);

/**
 * holt_task_unref() - drop a reference
 * @t: the task, or NULL
 *
 * The task itself goes on. Does not suspend. Returns NULL.
 */
HOLT_EXPORT holt_task *holt_task_unref(holt_task *t);

/**
 * holt_self() - the task that calls
 *
 * Does not suspend. Returns it, not referenced; NULL outside tasks. From asyncio.current_task().
 */
HOLT_EXPORT holt_task *holt_self(void);

/**
 * holt_ready() - say that the calling task does what it was started for
 *
 * Who spawned it with .until_ready goes on. Without one, and when said again, nothing happens.
 *
 * Does not suspend. Returns 0, or -EPERM outside tasks. From trio's task_status.started() and
 * systemd's READY=1; for the whole service there is holt_service_ready().
 */
HOLT_EXPORT int holt_ready(void);

/**
 * struct holt_local - a key for values that follow the tree of scopes
 * @name: for dumps
 * @free: called with a value that is replaced, removed, or whose scope ends; must not suspend; or NULL
 *
 * Its address is the key: make it static const.
 */
struct holt_local {
	const char *name;
	void (*free)(void *);
};

/**
 * holt_local_set() - set a value for everything inside the caller's innermost scope
 * @key: which; must live as long as the value
 * @value: taken on success; NULL removes what this scope has, so that an outer value shows again
 *
 * The innermost scope of the caller is a scope, a group that it opened, or the task itself. The value
 * is seen by everything inside that: by tasks of groups opened inside it, too, whoever spawns them. An
 * inner value hides an outer one. It is freed when that scope ends; setting again frees the old value.
 *
 * Does not suspend. Returns 0, or, with @value still the caller's:
 * -ENOMEM: no memory.
 * -EPERM: outside tasks.
 * -EINVAL: @key is NULL.
 *
 * From Python's contextvars, but by structure: tasks inherit from their group.
 */
HOLT_EXPORT int holt_local_set(const struct holt_local *key, void *value);

/**
 * holt_local_get() - the value that the caller sees
 * @key: which
 *
 * The one of the innermost scope around the caller that has one. Does not suspend. Returns the value,
 * borrowed; NULL: none, or outside tasks.
 */
HOLT_EXPORT void *holt_local_get(const struct holt_local *key);

/**
 * struct holt_call - one of the calls of holt_gather()
 * @fn: what to run
 * @arg: handed to it; stays the caller's
 * @result: what it returned; -ECANCELED where it was not run
 */
struct holt_call {
	holt_fn fn;
	void *arg;
	int result;
};

/**
 * holt_gather() - run several functions at once, and wait for all of them
 * @calls: what to run; each .result is set
 * @n: how many; 0: returns 0 at once
 * @kind: HOLT_ALL: the first failure cancels the others; HOLT_ANY: the first success does; HOLT_EACH:
 *	neither does, and a failure is only in its .result, not in the log
 *
 * Each runs as a task in a group of its own, which inherits like any group, and all have ended when
 * this returns: arguments may live on the caller's stack. In a canceled caller it runs nothing, and
 * each .result is -ECANCELED.
 *
 * Suspends. Returns for HOLT_ALL 0 or the first failure; for HOLT_EACH 0; for HOLT_ANY the winner's
 * result, else the last failure; or:
 * -ECANCELED: the caller was canceled, and with it the calls.
 * -ENOMEM: no memory, or no stack; then nothing, or only some, ran: .result -ENOMEM where it did not.
 * -EINVAL: an unknown kind, a NULL function.
 * -EPERM: outside tasks.
 *
 * From asyncio.gather(), whose return_exceptions=True is HOLT_EACH.
 */
HOLT_EXPORT int holt_gather(struct holt_call *calls, size_t n, enum holt_kind kind);

/**
 * enum holt_wait_for - what holt_wait() waits for
 * @HOLT_ALL_COMPLETED: that all have ended
 * @HOLT_FIRST_COMPLETED: that one has
 * @HOLT_FIRST_FAILURE: that one has failed (-ECANCELED is no failure), or all have ended
 */
enum holt_wait_for { HOLT_ALL_COMPLETED, HOLT_FIRST_COMPLETED, HOLT_FIRST_FAILURE };

/**
 * holt_wait() - wait for one of several tasks, or for all, with a limit
 * @tasks: the tasks, each referenced by the caller
 * @n: how many; 0: returns 0 at once
 * @what: see enum holt_wait_for
 * @span: nanoseconds, from a fresh reading of the clock; HOLT_NEVER: without limit; 0: look, but do
 *	not wait
 *
 * At its time-out it returns the count, as it does otherwise: no error. Which ones are done, says
 * holt_task_done(). The tasks go on, whatever this returns.
 *
 * Suspends; a cancellation point with span 0, too. Returns how many are done at its return, or:
 * -ECANCELED: the caller is canceled.
 * -EDEADLK: one of them is the caller, or holds it.
 * -EINVAL: a NULL among them, or an unknown @what.
 * -ENOMEM: no memory, which only more than 16 tasks need.
 * -EPERM: outside tasks; or one of them is of another thread's loop.
 *
 * From asyncio.wait().
 */
HOLT_EXPORT int holt_wait(holt_task *const *tasks, size_t n, enum holt_wait_for what, holt_time span);

#ifdef __cplusplus
}
#endif
#endif
