/* SPDX-License-Identifier: MIT */
/*
 * holt/base.h - what every other header of holt builds on: time, opaque types, cleanup of locals
 *
 * It promises the conventions below, which hold for every function of every area and are not
 * repeated at each. It holds no function that does anything but tell the version.
 *
 * RETURN VALUES. 0 or more is success, a negative value is -errno; errno itself means nothing and
 * is kept by every destructor. Outputs are called ret_* and are written on success only. A pointer
 * parameter is borrowed for the length of the call, unless its text says that it is taken or copied.
 *
 * TIME. Points and spans are holt_time: nanoseconds, points on CLOCK_MONOTONIC. Adding saturates at
 * HOLT_NEVER.
 *
 * OWNERSHIP. holt_x_open() allocates and holt_x_close() frees; close takes NULL. HOLT_X_INIT is for
 * what the caller's own memory holds. Only what can have several owners has ref and unref.
 *
 * OPTIONS. Named options are a trailing designated initializer:
 *
 *	holt_group_open(&g, .name = "conns", .limit = 64);
 *
 * Each such macro wraps a function ..._with(..., const struct ..._options *o) for C++ and other
 * languages. The struct begins with its size as the caller knows it; what the caller does not know
 * counts as 0, and a zero field is always the default. NULL for the whole struct: all defaults. A
 * struct longer than the library knows, with anything but zeros in the part that it does not know,
 * is -E2BIG: nothing asked for is ever ignored. A size too small to hold itself is -EINVAL.
 *
 * FUNCTIONS THAT SUSPEND say "Suspends". Only the calling task waits; the loop goes on. Each of them
 * does, in this order:
 *
 *	1. Not in a task: -EPERM.
 *	2. Canceled: -ECANCELED, with no side effect. This comes first always: a task on a descriptor
 *	   that is always ready sees its cancellation all the same.
 *	3. Try without waiting, and return what came of it. A task that made many calls that did not
 *	   wait (a budget of 128) yields first, so that nobody starves.
 *	4. Wait.
 *
 * RESULT WINS. A call that returns success has had its effect, one that returns -ECANCELED has had
 * none. A wake-up with a result commits it: the result is returned even if a cancellation came
 * before the task ran again, and the cancellation is seen by the next call that suspends. No item,
 * byte, lock or connection is lost to a cancellation. -ECANCELED means "you were canceled", only.
 *
 * ORDER. Tasks run in the order in which they were woken. A spawned task runs only after its
 * spawner suspended. Timers that pass in one turn of the loop wake in order of their time. Every
 * wait list is first come, first served, and what is handed over goes directly to the waiter: no
 * wake-up is lost, nobody overtakes.
 *
 * THREADS. One loop a thread; a task never changes its thread. Nothing of one loop is used in
 * another thread, except holt_loop_ref(), holt_loop_unref(), holt_loop_call(), holt_loop_run(),
 * holt_loop_stop(), holt_log(), holt_now() and holt_in(), which work in every thread. In signal
 * handlers: only holt_loop_stop().
 *
 * "ALLOWED OUTSIDE TASKS" is said of functions that do not suspend and that may be called in a
 * callback of holt_loop_call(), too: still on the loop's own thread.
 *
 * FORK. In a child made by fork() every call aborts with one sentence: there only exec and _exit
 * are allowed.
 *
 * MISUSE never corrupts memory. It is -EINVAL, -EPERM or -EDEADLK where a caller could handle it,
 * and an abort with one sentence on stderr where none could.
 *
 * ABI. Before 1.0 a break raises the soname; from then on we only add.
 */
#ifndef HOLT_BASE_H
#define HOLT_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" { /* the option macros are for C; C++ calls the ..._with functions. No exception leaves a task. */
#endif

/* The library is built with everything hidden; what carries this is its interface. */
#define HOLT_EXPORT __attribute__((visibility("default")))

/**
 * typedef holt_time - a point on CLOCK_MONOTONIC, or a span, in nanoseconds
 *
 * Which of the two a parameter is, is said by its name: a span counts from the call, a point or a
 * deadline is one that holt_now() or holt_in() gave.
 */
typedef uint64_t holt_time;

#define HOLT_NS 1ULL
#define HOLT_US (1000 * HOLT_NS)
#define HOLT_MS (1000 * HOLT_US)
#define HOLT_SEC (1000 * HOLT_MS)
#define HOLT_MIN (60 * HOLT_SEC)
#define HOLT_HOUR (60 * HOLT_MIN)
#define HOLT_NEVER UINT64_MAX     /* as a deadline: none; as a span: without limit */
#define HOLT_NOW (UINT64_MAX - 1) /* as a grace, only: a stop of this group cancels it at once */

#define HOLT_VERSION_MAJOR 0
#define HOLT_VERSION_MINOR 1

/**
 * holt_version() - the version of the library that runs, which need not be that of this header
 *
 * Allowed everywhere. Does not suspend. Returns "MAJOR.MINOR", static.
 */
HOLT_EXPORT const char *holt_version(void);

typedef struct holt_loop holt_loop;             /* <holt/run.h>: one run of one thread */
typedef struct holt_task holt_task;             /* <holt/task.h>: a coroutine that looks like a function */
typedef struct holt_group holt_group;           /* <holt/group.h>: what tasks live in */
typedef struct holt_queue holt_queue;           /* <holt/queue.h>: items from task to task */
typedef struct holt_future holt_future;         /* <holt/future.h>: a result that somebody will have */
typedef struct holt_stream holt_stream;         /* <holt/stream.h>: buffered reading and writing */
typedef struct holt_supervisor holt_supervisor; /* <holt/supervise.h>: who starts tasks again */

/* Those who wait for something, first come, first served. Its inside is the library's; all zero: nobody waits. */
struct holt_waiters {
	void *head, *tail;
};

/**
 * typedef holt_fn - what a task, or a call under a deadline, runs
 * @arg: what was given beside it; who owns it is said where it is given
 *
 * Returns 0 or more for success, -errno for failure. It must return, and may not leave by longjmp,
 * an exception or thread exit: a stack with frames is never thrown away, so that cleanup attributes,
 * `goto out` and finally handlers all run. A function that returns with a scope or group still
 * open, or owning a lock, aborts with the task's name.
 */
typedef int (*holt_fn)(void *arg);

/**
 * typedef holt_finally_fn - what holt_finally() arms
 * @arg: what was given to holt_finally()
 * @result: the final result of the group
 *
 * A negative result is logged, and changes nothing else.
 */
typedef int (*holt_finally_fn)(void *arg, int result);

/**
 * enum holt_strategy - who is restarted with a child that ended, and shall be
 * @HOLT_ONE_FOR_ONE: that child alone
 * @HOLT_ONE_FOR_ALL: all its siblings, too
 * @HOLT_REST_FOR_ONE: those, too, that were started after it
 *
 * See <holt/supervise.h>. Here, with the next one, because others than supervisors decide by them, too. From OTP.
 */
enum holt_strategy { HOLT_ONE_FOR_ONE, HOLT_ONE_FOR_ALL, HOLT_REST_FOR_ONE };

/**
 * enum holt_restart - whether a child that ended is started again
 * @HOLT_RESTART_ON_FAILURE: when it failed; OTP's transient
 * @HOLT_RESTART_ALWAYS: always; OTP's permanent
 * @HOLT_RESTART_NEVER: never, neither for itself nor with a sibling; OTP's temporary
 */
enum holt_restart { HOLT_RESTART_ON_FAILURE, HOLT_RESTART_ALWAYS, HOLT_RESTART_NEVER };

/**
 * holt_auto() - a local that is closed when its block is left, on every way out
 * @kind: group, task, queue, future, process, stream, supervisor, fd or free; each is declared by the header of its area
 *
 *	holt_auto(group) g = NULL;      closes: cancels, joins, runs finally handlers
 *	holt_auto(task) t = NULL;       drops the reference
 *	holt_auto(queue) q = NULL;      closes, dropping what is left
 *	holt_auto(future) f = NULL;     drops the reference
 *	holt_auto(process) p = NULL;    closes, ending it
 *	holt_auto(stream) s = NULL;     closes it and its descriptor
 *	holt_auto(supervisor) s = NULL; closes: stops the children in reverse
 *	holt_auto(fd) fd = -1;          an int; holt_close() unless it is negative
 *	holt_auto(free) p = NULL;       a void pointer; free()
 *
 * The local must be initialized. None of them touches errno. In C11 with GNU extensions, and in C++.
 */
#define holt_auto(kind) __attribute__((cleanup(holt_auto_##kind))) holt_auto_type_##kind

/**
 * holt_take() - hand a pointer over: gives its value and leaves NULL
 * @p: the local, which then owns nothing
 *
 *	return holt_group_close(holt_take(g), r);
 */
#define holt_take(p) \
	__extension__({ \
		__typeof__(p) holt__taken = (p); \
		(p) = NULL; \
		holt__taken; \
	})

/**
 * holt_take_fd() - hand a descriptor over: gives its value and leaves -1
 * @fd: the local, which then owns nothing
 */
#define holt_take_fd(fd) \
	__extension__({ \
		int holt__taken = (fd); \
		(fd) = -1; \
		holt__taken; \
	})

/* Makes one kind for holt_auto(): its type, and the function that the cleanup attribute calls. */
#define HOLT__AUTO(kind, type) \
	typedef type holt_auto_type_##kind; \
	HOLT_EXPORT void holt_auto_##kind(type *p);
HOLT__AUTO(free, void *)

#ifdef __cplusplus
}
#endif
#endif
