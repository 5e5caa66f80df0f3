/* SPDX-License-Identifier: MIT */
/*
 * holt/queue.h - queues of items between tasks of one loop
 *
 * asyncio's Queue, LifoQueue and PriorityQueue, with shutdown as in Python 3.13. Items have one size
 * and are copied in and out, so a queue of pointers hands over what they own, and a queue of structs
 * needs no memory for an item.
 *
 * Waiters on both sides are first come, first served, and what is handed over goes directly to the
 * waiter: an item is in the queue, or with exactly one who got it. A put that returned 0 is never
 * undone, and one that returned an error never happened; a canceled get has taken nothing.
 *
 * SHUTDOWN ends a queue softly: puts say -EPIPE from then on, gets go on until it is empty and then
 * say -EPIPE.
 *
 * What is capped is put in memory at open; only an unbounded queue allocates later, when it grows.
 * It is not for threads: there holt_loop_call() with holt_queue_try_put() does it.
 */
#ifndef HOLT_QUEUE_H
#define HOLT_QUEUE_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(queue, holt_queue *) /* closes it */

/**
 * enum holt_order - which item comes out first
 * @HOLT_FIFO: the one that was put first
 * @HOLT_LIFO: the one that was put last
 * @HOLT_PRIORITY: the least by .compare; among equals the one that was put first
 */
enum holt_order { HOLT_FIFO, HOLT_LIFO, HOLT_PRIORITY };

/**
 * enum holt_full - what a put into a full queue does
 * @HOLT_BLOCK: waits
 * @HOLT_DROP_OLDEST: drops the item that was put first; only with HOLT_FIFO
 */
enum holt_full { HOLT_BLOCK, HOLT_DROP_OLDEST };

#define HOLT_UNBOUNDED SIZE_MAX /* as a capacity: never full */

/**
 * struct holt_queue_options - options of holt_queue_open()
 * @size: set by the macro
 * @name: for dumps; copied
 * @order: see enum holt_order; HOLT_FIFO unless said
 * @full: see enum holt_full; HOLT_BLOCK unless said
 * @compare: for HOLT_PRIORITY: negative, 0 or positive, as for qsort()
 * @drop: called with each item that nobody will get, by HOLT_DROP_OLDEST, an immediate shutdown or
 *	close, to free what it owns; must not suspend, nor use the queue
 */
struct holt_queue_options {
	size_t size;
	const char *name;
	enum holt_order order;
	enum holt_full full;
	int (*compare)(const void *a, const void *b);
	void (*drop)(void *item);
};

/**
 * holt_queue_open(), holt_queue_open_with() - make a queue
 * @ret: the queue, which the caller closes; see holt_auto(queue)
 * @item_size: bytes of one item
 * @capacity: how many items it holds at most; HOLT_UNBOUNDED
 * @o: options, or NULL; the macro takes them by name:
 *	holt_queue_open(&q, sizeof(struct job), 16, .order = HOLT_LIFO)
 *
 * Does not suspend. Allowed outside tasks. Returns 0, or:
 * -EINVAL: capacity 0; HOLT_DROP_OLDEST with another order than HOLT_FIFO; HOLT_PRIORITY without
 *	.compare; an unknown order; NULL for @ret.
 * -E2BIG: options that this library does not know.
 * -ENOMEM: no memory.
 */
HOLT_EXPORT int holt_queue_open_with(holt_queue **ret, size_t item_size, size_t capacity, const struct holt_queue_options *o);
#ifndef __cplusplus
#define holt_queue_open(ret, item, cap, ...) \
	holt_queue_open_with( \
		ret, item, cap, &(struct holt_queue_options){ .size = sizeof(struct holt_queue_options), __VA_ARGS__ })
#endif

/**
 * holt_queue_put() - put an item, waiting for room
 * @q: the queue
 * @item: copied; what it owns is the queue's when this returned 0, else still the caller's
 *
 * With HOLT_DROP_OLDEST it never waits; the item that it drops counts as done.
 *
 * Suspends. Returns 0, or:
 * -EPIPE: the queue was shut down, before or meanwhile.
 * -ENOMEM: an unbounded queue could not grow.
 * -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT int holt_queue_put(holt_queue *q, const void *item);

/**
 * holt_queue_get() - get an item, waiting for one
 * @q: the queue
 * @ret_item: the item, which with what it owns is the caller's
 *
 * Suspends. Returns 0, or:
 * -EPIPE: the queue is shut down and empty.
 * -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT int holt_queue_get(holt_queue *q, void *ret_item);

/**
 * holt_queue_try_put() - put an item if there is room
 * @q: the queue
 * @item: as for holt_queue_put()
 *
 * Does not suspend, and is no cancellation point. Allowed outside tasks. Returns 0, -EAGAIN when it
 * is full (never with HOLT_DROP_OLDEST), -EPIPE or -ENOMEM as for put.
 */
HOLT_EXPORT int holt_queue_try_put(holt_queue *q, const void *item);

/**
 * holt_queue_try_get() - get an item if there is one
 * @q: the queue
 * @ret_item: as for holt_queue_get()
 *
 * Does not suspend, and is no cancellation point. Allowed outside tasks. Returns 0, -EAGAIN when it
 * is empty, -EPIPE when it is shut down, too.
 */
HOLT_EXPORT int holt_queue_try_get(holt_queue *q, void *ret_item);

/**
 * holt_queue_task_done() - say that one item that came out has been dealt with
 * @q: the queue
 *
 * For holt_queue_join(). Does not suspend. Allowed outside tasks. Returns 0; -ERANGE: said more often
 * than items were put. From asyncio.Queue.task_done().
 */
HOLT_EXPORT int holt_queue_task_done(holt_queue *q);

/**
 * holt_queue_join() - wait until each item that was put was told done
 * @q: the queue
 *
 * Dropped items count as done. Suspends. Returns 0, -ECANCELED, or -EPERM outside tasks. From
 * asyncio.Queue.join().
 */
HOLT_EXPORT int holt_queue_join(holt_queue *q);

/**
 * holt_queue_shutdown() - take no more items
 * @q: the queue
 * @immediate: drop those that are in it, too
 *
 * Who waits in put gets -EPIPE, nothing put. Who waits in get gets -EPIPE, since a queue that
 * somebody waits to get from is empty; later gets go on until it is. With @immediate the items in it
 * are dropped, and count as done; who waits in join goes on if none is left undone. Repeats are
 * harmless, and an immediate one may follow a soft one.
 *
 * Does not suspend. Allowed outside tasks. From asyncio.Queue.shutdown().
 */
HOLT_EXPORT void holt_queue_shutdown(holt_queue *q, bool immediate);

/**
 * holt_queue_size() - how many items are in it
 * @q: the queue
 *
 * Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT size_t holt_queue_size(const holt_queue *q);

/**
 * holt_queue_close() - free a queue, dropping what is left in it
 * @q: the queue, or NULL; taken. A task that waits in it would be left with freed memory, so that
 *	aborts with one sentence: close the group of those who use it first
 *
 * Does not suspend. Allowed outside tasks. Returns NULL.
 */
HOLT_EXPORT holt_queue *holt_queue_close(holt_queue *q);

#ifdef __cplusplus
}
#endif
#endif
