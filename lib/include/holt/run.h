/* SPDX-License-Identifier: MIT */
/*
 * holt/run.h - run a loop in this thread, sleep in it, and reach it from other threads
 *
 * holt_run() is to a thread what asyncio.run() is to Python: it makes a loop, runs one function as
 * its first task, and returns when that task and everything that it held has ended. As many threads
 * as you like have one each. What a whole daemon needs beside it (SIGTERM, readiness, watchdog) is
 * holt_service_run() of <holt/service.h>, which is built on this.
 *
 * THE ROOT. The first task, which is called "main", runs in the root group: that is stopped, canceled
 * and joined like others (<holt/group.h>), and has a grace and a cleanup. Its result is that task's. Escalation only
 * rises: run, stop, cancel, break, exit. A stop first ends what asked to be told (HOLT_ON_STOP);
 * after the grace all is canceled; at half of the cleanup the members' shields break, at its end
 * those of the finally handlers; and a tenth of the cleanup later (at least 100 ms, at most 1 s) the
 * process names who held it up, in the log and in STATUS=, and leaves by _exit(1). So a stop ends in
 * bounded time, whatever a task does, as long as the loop's thread turns.
 *
 * CLOCKS. holt_now() and holt_in() are the turn's reading: cheap, and the same for all tasks of one
 * turn. Sleeps and timeouts count from a fresh one.
 */
#ifndef HOLT_RUN_H
#define HOLT_RUN_H

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct holt_run_options - options of holt_run()
 * @size: set by the macro
 * @name: of the root, the first part of every path; copied; without one it adds nothing to paths
 * @grace: span from a stop to cancellation; 0 and HOLT_NOW: a stop cancels at once, as SIGTERM
 *	always did; HOLT_NEVER: a stop never becomes a cancellation by itself
 * @cleanup: span from cancellation until everything breaks; 0: 10 s; HOLT_NEVER: nothing ever breaks
 * @stack_size: bytes of each task's stack that does not ask for another size; 0: 64 KiB
 */
struct holt_run_options {
	size_t size;
	const char *name;
	holt_time grace, cleanup;
	size_t stack_size;
};

/**
 * holt_run(), holt_run_with() - run fn as the first task of a loop in this thread
 * @fn: the first task; what arg owns is its own from the moment it begins
 * @arg: handed to fn
 * @o: options, or NULL; the macro takes them by name: holt_run(fn, arg, .grace = 5 * HOLT_SEC)
 *
 * Returns when fn, every task in the root group, and every finally handler have ended. Functions
 * that holt_loop_call() accepted have run by then.
 *
 * A stop or a call that was asked for before it runs is remembered (see holt_loop_self()).
 *
 * In the main thread, when SIGINT has its default action: SIGINT cancels the root, waits for its
 * cleanup, and then the process dies of SIGINT, as a shell expects (as pid 1 it exits with 130). A
 * second SIGINT kills it at once. SIGTERM and the others are left alone: those are
 * holt_service_run()'s. A program that sets its own SIGINT handler, or ignores it, keeps that.
 *
 * Does not suspend: it is called outside of any loop, and blocks its thread. Returns the root's
 * result: fn's, and 0 where fn returned -ECANCELED because of a stop or cancellation of the root itself. Or, with fn not run:
 *
 * -EDEADLK: a loop runs in this thread already.
 * -EINVAL: fn is NULL, or an option is out of range.
 * -E2BIG: options that this library does not know.
 * -ENOMEM, -EMFILE, -ENFILE: no memory, or no descriptor for the loop.
 *
 * From asyncio.run() and trio.run().
 */
HOLT_EXPORT int holt_run_with(holt_fn fn, void *arg, const struct holt_run_options *o);
#ifndef __cplusplus
#define holt_run(fn, arg, ...) \
	holt_run_with(fn, arg, &(struct holt_run_options){ .size = sizeof(struct holt_run_options), __VA_ARGS__ })
#endif

/**
 * holt_now() - what time it is, on CLOCK_MONOTONIC
 *
 * Inside a loop the reading of this turn, so it stands still while one task computes; outside of one
 * a fresh reading. From any thread. Does not suspend. Always succeeds.
 */
HOLT_EXPORT holt_time holt_now(void);

/**
 * holt_in() - the point in time that is a span from now: holt_now() + span
 * @span: nanoseconds; HOLT_NEVER gives HOLT_NEVER
 *
 * At most HOLT_NEVER: it never wraps round. From any thread. Does not suspend. Always succeeds.
 */
HOLT_EXPORT holt_time holt_in(holt_time span);

/**
 * holt_sleep() - wait for a span of time
 * @span: nanoseconds, counted from a fresh reading of the clock; 0 is like holt_yield(); HOLT_NEVER
 *	sleeps until canceled
 *
 * Never wakes early. Sleepers of one turn wake in order of their time. Needs no memory.
 *
 * Suspends. Returns 0, -ECANCELED, or -EPERM outside tasks. From trio.sleep().
 */
HOLT_EXPORT int holt_sleep(holt_time span);

/**
 * holt_sleep_until() - wait for a point in time
 * @point: on CLOCK_MONOTONIC; in the past it is like holt_yield(); HOLT_NEVER sleeps until canceled
 *
 * A loop that adds its period to a point does not drift, as one that sleeps for a span does.
 *
 * Suspends. Returns 0, -ECANCELED, or -EPERM outside tasks. From trio.sleep_until().
 */
HOLT_EXPORT int holt_sleep_until(holt_time point);

/**
 * holt_yield() - let every other task that is ready run once
 *
 * Suspends, for one round of the ready list. Returns 0, -ECANCELED, or -EPERM outside tasks. From
 * asyncio.sleep(0) and trio.lowlevel.checkpoint().
 */
HOLT_EXPORT int holt_yield(void);

/**
 * holt_check() - ask whether this task is canceled, without giving way
 *
 * For loops that compute. It reads the clock when a deadline is in force, so it sees a deadline that
 * passed just now; stops, signals and cancellations by others come only when the loop turns, which
 * needs a holt_yield(). As for every call, what a shield hides is not seen.
 *
 * Does not suspend. Returns 0 (always, outside tasks) or -ECANCELED. From trio's
 * checkpoint_if_cancelled().
 */
HOLT_EXPORT int holt_check(void);

/**
 * holt_loop_self() - the loop of this thread
 *
 * Inside a loop that one. Outside of a run: the loop that this thread's next holt_run() will use,
 * created on demand, so that a stop or a call can be asked of it before it runs; both are
 * remembered. One loop is one run: when that has returned, the next has another.
 *
 * Does not suspend. Returns the loop, not referenced: for other threads take holt_loop_ref(). NULL:
 * out of memory.
 */
HOLT_EXPORT holt_loop *holt_loop_self(void);

/**
 * holt_loop_ref() - keep a loop's handle
 * @loop: the loop, or NULL
 *
 * Keeps the handle valid, not the loop running: when its run has returned, holt_loop_call() and
 * holt_loop_run() say -ESHUTDOWN. From any thread. Does not suspend. Returns @loop.
 */
HOLT_EXPORT holt_loop *holt_loop_ref(holt_loop *loop);

/**
 * holt_loop_unref() - drop what holt_loop_ref() took
 * @loop: the loop, or NULL
 *
 * From any thread. Does not suspend. Returns NULL.
 */
HOLT_EXPORT holt_loop *holt_loop_unref(holt_loop *loop);

/**
 * holt_loop_call() - run a function on a loop's thread, soon
 * @loop: the loop
 * @fn: runs on the loop, outside tasks; it may do all that does not suspend: set an event, put into
 *	a queue by holt_queue_try_put(), spawn, stop, cancel
 * @arg: handed to fn, which owns it when this returned 0
 *
 * Calls run in the order in which one thread made them, each exactly once: 0 is a promise, kept
 * before holt_run() returns at the latest. Asked for before the loop runs, it is kept when it does.
 *
 * From any thread, the loop's own too; not in signal handlers. Does not suspend or wait.
 *
 * Returns 0, or:
 * -ESHUTDOWN: the loop's run has ended; fn will not run.
 * -ENOMEM: no memory to remember it.
 * -EINVAL: @loop or @fn is NULL.
 *
 * From asyncio's loop.call_soon_threadsafe().
 */
HOLT_EXPORT int holt_loop_call(holt_loop *loop, void (*fn)(void *), void *arg);

/**
 * holt_loop_run() - run a function as a task on another thread's loop, and wait for its result
 * @loop: the loop
 * @fn: the task; it belongs to the root group, and is stopped and canceled with it
 * @arg: handed to fn; may live on the caller's stack, since this returns after fn did
 *
 * Blocks the calling thread, not only a task of it: in a thread that runs a loop itself that loop
 * stands still meanwhile. fn's failure is the caller's matter, and no failure of the root.
 *
 * From any thread but the loop's own. Not in signal handlers.
 *
 * Returns fn's result, -ECANCELED among them, or, with fn not run:
 * -EDEADLK: called on the loop's own thread.
 * -ESHUTDOWN: the loop's run has ended.
 * -ENOMEM: no memory, or no stack.
 * -EINVAL: @loop or @fn is NULL.
 *
 * From asyncio.run_coroutine_threadsafe(...).result().
 */
HOLT_EXPORT int holt_loop_run(holt_loop *loop, holt_fn fn, void *arg);

/**
 * holt_loop_stop() - stop a loop's root, and with it everything that the loop holds
 * @loop: the loop; NULL does nothing
 * @why: the reason that holt_why() gives; static, since it is kept and not copied; NULL for none
 *
 * A stop, not a cancellation: see "the root" above for what follows. Repeats are harmless, and the
 * first reason stays. Before the loop runs it is remembered; after it ended, nothing happens.
 *
 * From any thread, and in signal handlers. Does not suspend. Always succeeds.
 */
HOLT_EXPORT void holt_loop_stop(holt_loop *loop, const char *why);

#ifdef __cplusplus
}
#endif
#endif
