/* SPDX-License-Identifier: MIT */
/*
 * holt/sync.h - locks, events, conditions, semaphores and barriers between tasks of one loop
 *
 * As in asyncio and Trio: they are for tasks, not for threads, and cost no system call. They live in
 * the caller's memory, must outlive every call on them, and need no closing. All-zero is a valid
 * lock, rlock, rwlock, event (clear) and condition; the others have an initializer.
 *
 * FIRST COME, FIRST SERVED. What is released goes directly to the waiter that came first. Nobody
 * overtakes, no wake-up is lost. A waiter that was handed something is past canceling: it returns 0
 * even if a cancellation came before it ran again. One that returns -ECANCELED has nothing.
 *
 * A task that returns owning a lock aborts, with its name. None of this needs memory: a waiter lives
 * on the stack of the task that waits.
 *
 * The structs are open so that they can be embedded. Their fields are not for programs.
 */
#ifndef HOLT_SYNC_H
#define HOLT_SYNC_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct holt_lock {
	struct holt_waiters w;
	holt_task *owner;
	void *opaque[2];
};
struct holt_rlock {
	struct holt_lock lock;
	size_t depth;
};
struct holt_rwlock {
	struct holt_waiters w;
	void *opaque[4];
};
struct holt_event {
	struct holt_waiters w;
	bool set;
	void *spare;
};
struct holt_cond {
	struct holt_waiters w;
	void *spare;
};
struct holt_sem {
	struct holt_waiters w;
	size_t count, bound;
};
struct holt_barrier {
	struct holt_waiters w;
	size_t parties, arrived;
	uint64_t round;
	bool broken;
};

/* A semaphore of n permits to begin with; one of n and never more; a barrier that trips when n tasks wait. */
/* clang-format off */
#define HOLT_SEM_INIT(n) { .count = (n), .bound = SIZE_MAX }
#define HOLT_SEM_BOUNDED(n) { .count = (n), .bound = (n) }
#define HOLT_BARRIER_INIT(n) { .parties = (n) }
/* clang-format on */

/**
 * holt_lock_acquire() - take a lock, waiting for it
 * @l: the lock
 *
 * Suspends. Returns 0, -ECANCELED, -EPERM outside tasks, or -EDEADLK: the caller owns it already, or
 * its owner waits, through one lock or several, for one that the caller owns.
 * From asyncio.Lock; ownership from trio.Lock.
 */
HOLT_EXPORT int holt_lock_acquire(struct holt_lock *l);

/**
 * holt_lock_try_acquire() - take a lock if it is free
 * @l: the lock
 *
 * Does not suspend, and is no cancellation point. Returns 0; -EBUSY: somebody owns it, perhaps the
 * caller; -EPERM outside tasks.
 */
HOLT_EXPORT int holt_lock_try_acquire(struct holt_lock *l);

/**
 * holt_lock_release() - give a lock to who waits longest, or free it
 * @l: the lock
 *
 * Does not suspend: the next owner runs when its turn comes. Returns 0; -EPERM: the caller is not
 * the owner.
 */
HOLT_EXPORT int holt_lock_release(struct holt_lock *l);

/**
 * holt_lock_locked() - does anybody own it
 * @l: the lock
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT bool holt_lock_locked(const struct holt_lock *l);

/**
 * holt_rlock_acquire() - take a lock that its owner may take again
 * @l: the lock
 *
 * Each acquire needs a release. The owner does not wait, but it is a cancellation point for it, too.
 *
 * Suspends. Returns 0, -ECANCELED, -EPERM outside tasks, or -EDEADLK for a circle of owners, as
 * holt_lock_acquire() does. From Python's threading.RLock.
 */
HOLT_EXPORT int holt_rlock_acquire(struct holt_rlock *l);

/**
 * holt_rlock_release() - undo one acquire; the last one hands the lock on
 * @l: the lock
 *
 * Does not suspend. Returns 0; -EPERM: the caller is not the owner.
 */
HOLT_EXPORT int holt_rlock_release(struct holt_rlock *l);

/**
 * holt_rwlock_read() - share a lock with other readers
 * @l: the lock
 *
 * A reader that comes after a waiting writer waits behind it, so writers do not starve. So a reader
 * must not ask for the lock again, to read or to write, before it released it: it might wait for
 * itself.
 *
 * Suspends. Returns 0, -ECANCELED, -EPERM outside tasks, or -EDEADLK: the caller is its writer, or its
 * writer waits, through one lock or several, for one that the caller owns. Circles through readers are not seen:
 * who they are is not kept.
 */
HOLT_EXPORT int holt_rwlock_read(struct holt_rwlock *l);

/**
 * holt_rwlock_write() - have a lock alone
 * @l: the lock
 *
 * Suspends. Returns 0, -ECANCELED, -EPERM outside tasks, or -EDEADLK, as holt_rwlock_read() does.
 */
HOLT_EXPORT int holt_rwlock_write(struct holt_rwlock *l);

/**
 * holt_rwlock_release() - give back what read or write took
 * @l: the lock
 *
 * To the writer that waits longest, or to all readers before the next writer.
 *
 * Does not suspend. Returns 0; -EPERM: nobody holds it, or a writer that is not the caller does.
 */
HOLT_EXPORT int holt_rwlock_release(struct holt_rwlock *l);

/**
 * holt_event_set() - set an event, and wake all who wait for it
 * @e: the event
 *
 * It stays set until holt_event_clear(). A waiter that was woken returns 0 even if it is cleared
 * before that runs. Does not suspend. Allowed outside tasks. From asyncio.Event.
 */
HOLT_EXPORT void holt_event_set(struct holt_event *e);

/**
 * holt_event_clear() - make later waiters wait again
 * @e: the event
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT void holt_event_clear(struct holt_event *e);

/**
 * holt_event_is_set() - would a waiter go on at once
 * @e: the event
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT bool holt_event_is_set(const struct holt_event *e);

/**
 * holt_event_wait() - wait until an event is set
 * @e: the event
 *
 * Suspends. Returns 0, -ECANCELED, or -EPERM outside tasks.
 */
HOLT_EXPORT int holt_event_wait(struct holt_event *e);

/**
 * holt_cond_wait() - release a lock, wait to be notified, take the lock again
 * @c: the condition
 * @l: the lock, owned by the caller; held on every return
 *
 * The lock is taken again in a wait that nothing ends, the breaking of a shield neither. A notified
 * waiter returns 0, even if it was canceled meanwhile. There are no wake-ups without a notification,
 * but others may have run in between: test the condition in a loop. Canceled before it waits, it
 * never lets go of the lock.
 *
 * Suspends. Returns 0, -ECANCELED, or -EPERM: the caller does not own @l, or is no task.
 *
 * From asyncio.Condition.
 */
HOLT_EXPORT int holt_cond_wait(struct holt_cond *c, struct holt_lock *l);

/**
 * holt_cond_notify() - wake those who wait longest
 * @c: the condition
 * @n: how many at most
 *
 * With nobody waiting it is not remembered. The caller may own the lock or not. Does not suspend.
 * Allowed outside tasks.
 */
HOLT_EXPORT void holt_cond_notify(struct holt_cond *c, size_t n);

/**
 * holt_cond_notify_all() - wake all who wait
 * @c: the condition
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT void holt_cond_notify_all(struct holt_cond *c);

/**
 * holt_sem_acquire() - take one permit, waiting for it if there is none
 * @s: the semaphore; must outlive the call
 *
 * A permit is taken or left: a task that is canceled while it waits never holds one.
 *
 * Suspends. Returns 0, -ECANCELED, or -EPERM outside tasks. From asyncio.Semaphore.
 */
HOLT_EXPORT int holt_sem_acquire(struct holt_sem *s);

/**
 * holt_sem_try_acquire() - take one permit if there is one
 * @s: the semaphore
 *
 * Does not suspend, and is no cancellation point. Allowed outside tasks. Returns 0, or -EAGAIN.
 */
HOLT_EXPORT int holt_sem_try_acquire(struct holt_sem *s);

/**
 * holt_sem_release() - give one permit, to who waits longest if anybody does
 * @s: the semaphore
 *
 * Whoever took it: permits have no owner. Does not suspend. Allowed outside tasks.
 *
 * Returns 0; -EOVERFLOW: there would be more than the bound. From asyncio.BoundedSemaphore.
 */
HOLT_EXPORT int holt_sem_release(struct holt_sem *s);

/**
 * holt_barrier_wait() - wait until as many tasks wait here as the barrier has parties
 * @b: the barrier; ready for the next round as soon as it tripped
 *
 * A waiter that is canceled leaves, and the barrier is not broken: one more has to come.
 *
 * Suspends; the last to come does not wait. Returns the index of arrival among those who were there
 * when it tripped, from 0 to parties - 1, each once, or:
 * -EPIPE: broken by holt_barrier_abort(), before or meanwhile.
 * -EINVAL: it has no parties.
 * -ECANCELED, -EPERM: as always.
 *
 * From asyncio.Barrier.
 */
HOLT_EXPORT int holt_barrier_wait(struct holt_barrier *b);

/**
 * holt_barrier_abort() - break a barrier: all who wait, and all who come, get -EPIPE
 * @b: the barrier; broken until it is initialized again
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT void holt_barrier_abort(struct holt_barrier *b);

#ifdef __cplusplus
}
#endif
#endif
