/* SPDX-License-Identifier: MIT */
/*
 * holt/future.h - a result that somebody will have, and waiting for the first of several things
 *
 * A FUTURE is done once: by a value, an error or a cancellation. Who waits for it does not own it: to
 * cancel a waiter never cancels the future, and several may wait for one. It is what a call hands out
 * whose result comes from elsewhere: another task, a callback, a thread by holt_loop_call(). What a
 * task itself will return needs no future, as the task is one: holt_task_wait().
 *
 * It is counted by references, and belongs to the loop of those who use it: not for threads. Its value
 * is a pointer that it hands on and never frees.
 *
 * SELECT does exactly one of several things, the first that can happen: an item gotten or put, a future
 * or a task that is done, an event that is set. What did not happen has left no trace.
 */
#ifndef HOLT_FUTURE_H
#define HOLT_FUTURE_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(future, holt_future *) /* drops the reference */

/**
 * holt_future_open() - make a future that is not done
 * @ret: one reference, which the caller drops by holt_future_unref()
 *
 * Does not suspend. Allowed outside tasks. Returns 0; -ENOMEM; -EINVAL: @ret is NULL. From
 * asyncio.Future.
 */
HOLT_EXPORT int holt_future_open(holt_future **ret);

/**
 * holt_future_ref() - one more reference
 * @f: the future, or NULL
 *
 * Does not suspend. Allowed outside tasks. Returns @f.
 */
HOLT_EXPORT holt_future *holt_future_ref(holt_future *f);

/**
 * holt_future_unref() - one reference less; the last one frees it
 * @f: the future, or NULL
 *
 * Functions of holt_future_on_done() that were not called by then never are. A value that nobody took
 * is not freed. A task that waits holds a reference itself.
 *
 * Does not suspend. Allowed outside tasks. Returns NULL.
 */
HOLT_EXPORT holt_future *holt_future_unref(holt_future *f);

/**
 * holt_future_set() - it is done, and this is its value
 * @f: the future
 * @value: handed on to each who waits; NULL is a value, too
 *
 * Wakes all who wait, then calls the functions of holt_future_on_done(), in the order in which they
 * were given.
 *
 * Does not suspend. Allowed outside tasks. Returns 0; -EALREADY: it is done, and stays as it is, and
 * @value is still the caller's.
 */
HOLT_EXPORT int holt_future_set(holt_future *f, void *value);

/**
 * holt_future_fail() - it is done, by an error
 * @f: the future
 * @error: negative, of errno's
 *
 * As holt_future_set(). Does not suspend. Allowed outside tasks. Returns 0; -EALREADY; -EINVAL: @error is
 * not negative. From asyncio.Future.set_exception().
 */
HOLT_EXPORT int holt_future_fail(holt_future *f, int error);

/**
 * holt_future_cancel() - it is done, as nobody needs it any more: its result is -ECANCELED
 * @f: the future
 *
 * Tells who waits, and by holt_future_on_done() who works for it; nobody else is canceled by it.
 * Does not suspend. Allowed outside tasks. Returns 0; -EALREADY.
 */
HOLT_EXPORT int holt_future_cancel(holt_future *f);

/**
 * holt_future_done() - is it done, however
 * @f: the future
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT bool holt_future_done(const holt_future *f);

/**
 * holt_future_wait() - wait until it is done
 * @f: the future; the call holds a reference of its own meanwhile
 * @ret_result: NULL, or where its result goes: 0 when it was set, what fail said, -ECANCELED when the future
 *	was canceled, or the result of what was submitted
 * @ret_value: NULL, or where its value goes; NULL unless it was set
 *
 * Canceling who waits does not cancel the future; so the 0 or -ECANCELED that is returned speaks of the
 * caller, and *ret_result of the future.
 *
 * Suspends. Returns 0: it is done; -ECANCELED: the caller was canceled, nothing is written;
 * -EPERM outside tasks; -EINVAL: @f is NULL.
 */
HOLT_EXPORT int holt_future_wait(holt_future *f, int *ret_result, void **ret_value);

/**
 * holt_future_on_done() - have a function called when it is done
 * @f: the future
 * @fn: called once, with @f and @arg, outside of tasks (even when a task has set it): it must not
 *	suspend, may do all else, to @f too
 * @arg: handed to @fn
 *
 * On a future that is done @fn is called at once, before this returns. Else it is called by
 * who makes it done, before that call returns; only what is made done from inside another such
 * function waits until that has returned, so that long chains need no stack.
 *
 * Does not suspend. Allowed outside tasks. Returns 0; -ENOMEM; -EINVAL: @f or @fn is NULL.
 *
 * From asyncio.Future.add_done_callback(), which calls in a later turn of the loop.
 */
HOLT_EXPORT int holt_future_on_done(holt_future *f, void (*fn)(holt_future *f, void *arg), void *arg);

/**
 * enum holt_case_op - one of the things that holt_select() can do
 * @HOLT_CASE_GET: holt_queue_get() from the queue .on, to .item
 * @HOLT_CASE_PUT: holt_queue_put() into the queue .on, of what is at .item
 * @HOLT_CASE_FUTURE: the holt_future .on is done; .item: NULL, or a void ** for its value
 * @HOLT_CASE_EVENT: the struct holt_event .on is set; .item is not used
 * @HOLT_CASE_TASK: the holt_task .on has ended; .item is not used
 */
enum holt_case_op { HOLT_CASE_GET, HOLT_CASE_PUT, HOLT_CASE_FUTURE, HOLT_CASE_EVENT, HOLT_CASE_TASK };

/**
 * struct holt_case - one case of holt_select()
 * @op: what
 * @on: to which object; it must outlive the call
 * @item: see enum holt_case_op
 * @result: written for the case that happened, only: 0, -EPIPE for a queue that was shut down, or the result of
 *	the task or future
 */
struct holt_case {
	enum holt_case_op op;
	void *on;
	void *item;
	int result;
};

/**
 * holt_select() - do the first of several things that can happen, and nothing of the others
 * @cases: tried in their order: of those that can happen now the one with the lowest index wins
 * @n: how many, at least one
 * @block: wait until one can happen; false: look once, which is no cancellation point and allowed outside
 *	tasks
 *
 * It waits in all lists at once, first come, first served in each. The one that happens first wins. What
 * was committed is committed: a cancellation that comes before the task runs again changes nothing.
 * The same queue may be in several cases.
 *
 * Suspends, with @block. Returns the index of the case that happened, or:
 * -EAGAIN: without @block: none can happen now.
 * -EINVAL: no cases, an unknown op, an .on that is NULL.
 * -EDEADLK: a case waits for the caller itself, or a task above it.
 * -ENOMEM: no memory to wait in more than 16 places, or for an unbounded queue to grow; nothing has happened.
 * -EPERM: with @block, outside tasks; a task of another thread's loop.
 * -ECANCELED: as always, with @block.
 *
 * From Go's select, but for the order.
 */
HOLT_EXPORT int holt_select(struct holt_case *cases, size_t n, bool block);

#ifdef __cplusplus
}
#endif
#endif
