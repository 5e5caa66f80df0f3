/* SPDX-License-Identifier: MIT */
/*
 * Queues. Items lie in one array: a ring for FIFO and LIFO, a heap for PRIORITY, where a number behind each item
 * keeps equals in their order.
 *
 * The rule: getters wait only while the array is empty, putters only while it is full. So a put that finds
 * a getter copies straight to where that one wants its item, and a get that makes room takes in the item of the
 * putter that waits longest; either has its item, or its room, before it runs again.
 */
#include "sync/queue.h"

#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "task/task.h"

enum { GROW_FROM = 16 };

struct holt_queue {
	char *items; /* slots of stride bytes */
	size_t item_size, stride;
	size_t head, n, slots; /* slots is a power of two, and may be more than capacity */
	size_t capacity;
	size_t undone;   /* put and not yet told done */
	uint64_t serial; /* PRIORITY: of the next item */
	enum holt_order order;
	bool drop_oldest, down;
	int (*compare)(const void *a, const void *b);
	void (*drop)(void *item);
	struct holt_waiters getters, putters, joiners;
	char name[];
};

static char *slot(const holt_queue *q, size_t i)
{
	return q->items + ((q->head + i) & (q->slots - 1)) * q->stride;
}

static inline void copy_item(const holt_queue *q, void *to, const void *from)
{
	if (holt__likely(q->item_size == 8))
		memcpy(to, from, 8);
	else if (q->item_size > 0) /* tokens of no size may be NULL */
		memcpy(to, from, q->item_size);
}

/* ---- the array */

static int grow(holt_queue *q, size_t want)
{
	size_t slots = q->slots ? q->slots : GROW_FROM;
	char *items;

	while (slots < want) {
		if (slots > SIZE_MAX / 2)
			return -ENOMEM;
		slots *= 2;
	}
	if (slots == q->slots)
		return 0;
	if (slots > SIZE_MAX / q->stride)
		return -ENOMEM;
	items = holt__malloc(slots * q->stride);
	if (!items)
		return -ENOMEM;
	if (q->n > 0) { /* unroll the ring */
		size_t first = q->slots - q->head < q->n ? q->slots - q->head : q->n;

		memcpy(items, q->items + q->head * q->stride, first * q->stride);
		memcpy(items + first * q->stride, q->items, (q->n - first) * q->stride);
	}
	holt__free(q->items);
	q->items = items;
	q->slots = slots;
	q->head = 0;
	return 0;
}

static uint64_t serial_of(const holt_queue *q, const char *item)
{
	uint64_t serial;

	memcpy(&serial, item + q->stride - sizeof serial, sizeof serial);
	return serial;
}

static bool before(const holt_queue *q, const char *a, const char *b)
{
	int c = q->compare(a, b);

	return c < 0 || (c == 0 && serial_of(q, a) < serial_of(q, b));
}

/* Heaps move a hole instead of swapping; the item waits outside, at `item`, with its number. */
static void sift_up(holt_queue *q, size_t hole, const char *item)
{
	while (hole > 0 && before(q, item, slot(q, (hole - 1) / 2))) {
		memcpy(slot(q, hole), slot(q, (hole - 1) / 2), q->stride);
		hole = (hole - 1) / 2;
	}
	memcpy(slot(q, hole), item, q->stride);
}

static void sift_down(holt_queue *q, const char *item)
{
	size_t hole = 0, child;

	while ((child = 2 * hole + 1) < q->n) {
		if (child + 1 < q->n && before(q, slot(q, child + 1), slot(q, child)))
			child++;
		if (!before(q, slot(q, child), item))
			break;
		memcpy(slot(q, hole), slot(q, child), q->stride);
		hole = child;
	}
	memcpy(slot(q, hole), item, q->stride);
}

/* There is a free slot, and for a heap one more, which holds the item while its place is looked for. */
static void insert_sorted(holt_queue *q, const void *item)
{
	char *spare = slot(q, q->slots - 1);
	uint64_t serial = q->serial++;

	copy_item(q, spare, item);
	memcpy(spare + q->stride - sizeof serial, &serial, sizeof serial);
	sift_up(q, q->n++, spare);
}

static void extract_least(holt_queue *q, void *ret_item)
{
	char *spare = slot(q, q->slots - 1);

	copy_item(q, ret_item, slot(q, 0));
	memcpy(spare, slot(q, --q->n), q->stride);
	if (q->n > 0)
		sift_down(q, spare);
}

static inline void insert(holt_queue *q, const void *item)
{
	if (holt__unlikely(q->order == HOLT_PRIORITY))
		insert_sorted(q, item);
	else
		copy_item(q, slot(q, q->n++), item);
}

static inline void extract(holt_queue *q, void *ret_item)
{
	if (holt__likely(q->order == HOLT_FIFO)) {
		copy_item(q, ret_item, slot(q, 0));
		q->head = (q->head + 1) & (q->slots - 1);
		q->n--;
	} else if (q->order == HOLT_LIFO) {
		copy_item(q, ret_item, slot(q, --q->n));
	} else {
		extract_least(q, ret_item);
	}
}

/* ---- done and dropped */

/* None is undone when one is dropped that was told done before it came out. */
static void done(holt_queue *q)
{
	if (q->undone > 0 && --q->undone == 0)
		holt__wake_all(&q->joiners, 0);
}

static void drop_first(holt_queue *q)
{
	void *item = slot(q, 0);

	q->head = (q->head + 1) & (q->slots - 1);
	q->n--;
	if (q->drop)
		q->drop(item);
	done(q);
}

static void drop_all(holt_queue *q)
{
	while (q->n > 0) /* the order in a heap does not matter any more */
		drop_first(q);
}

/* ---- put and get */

/* 0, or -EAGAIN: it is full; -EPIPE, -ENOMEM. */
static inline int put_now(holt_queue *q, const void *item)
{
	struct holt__waiter *getter = q->getters.head;
	int r;

	if (holt__unlikely(q->down))
		return -EPIPE;
	if (getter) { /* so the array is empty */
		copy_item(q, getter->data, item);
		q->undone++;
		holt__wake_by(getter, 0);
		return 0;
	}
	if (q->n >= q->capacity) {
		if (!q->drop_oldest)
			return -EAGAIN;
		q->undone++; /* first: while one takes the place of another, no join shall end */
		drop_first(q);
		insert(q, item);
		return 0;
	}
	if (holt__unlikely(q->n + (q->order == HOLT_PRIORITY) >= q->slots)) {
		r = grow(q, q->n + 1 + (q->order == HOLT_PRIORITY));
		if (r < 0)
			return r;
	}
	insert(q, item);
	q->undone++;
	return 0;
}

/* 0, or -EAGAIN: it is empty; -EPIPE. */
static inline int get_now(holt_queue *q, void *ret_item)
{
	struct holt__waiter *putter;

	if (q->n == 0)
		return q->down ? -EPIPE : -EAGAIN;
	extract(q, ret_item);
	putter = q->putters.head;
	if (putter) {
		insert(q, putter->data);
		q->undone++;
		holt__wake_by(putter, 0);
	}
	return 0;
}

int holt_queue_try_put(holt_queue *q, const void *item)
{
	return put_now(q, item);
}

int holt_queue_try_get(holt_queue *q, void *ret_item)
{
	return get_now(q, ret_item);
}

int holt_queue_put(holt_queue *q, const void *item)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	r = put_now(q, item);
	return r == -EAGAIN ? holt__wait_here(t, &q->putters, NULL, (void *)item, "room in queue", q) : r;
}

int holt_queue_get(holt_queue *q, void *ret_item)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	r = get_now(q, ret_item);
	return r == -EAGAIN ? holt__wait_here(t, &q->getters, NULL, ret_item, "item in queue", q) : r;
}

int holt_queue_task_done(holt_queue *q)
{
	if (q->undone == 0)
		return -ERANGE;
	done(q);
	return 0;
}

int holt_queue_join(holt_queue *q)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0 || q->undone == 0)
		return r;
	return holt__wait_here(t, &q->joiners, NULL, NULL, "queue to be done", q);
}

void holt_queue_shutdown(holt_queue *q, bool immediate)
{
	q->down = true;
	holt__wake_all(&q->getters, -EPIPE);
	holt__wake_all(&q->putters, -EPIPE);
	if (immediate)
		drop_all(q);
}

size_t holt_queue_size(const holt_queue *q)
{
	return q->n;
}

struct holt_waiters *holt__queue_getters(holt_queue *q)
{
	return &q->getters;
}

struct holt_waiters *holt__queue_putters(holt_queue *q)
{
	return &q->putters;
}

/* ---- open and close */

static int check_options(const struct holt_queue_options *o, size_t capacity)
{
	if (capacity == 0 || (unsigned)o->order > HOLT_PRIORITY || (unsigned)o->full > HOLT_DROP_OLDEST)
		return -EINVAL;
	if (o->order == HOLT_PRIORITY && !o->compare)
		return -EINVAL;
	return o->full == HOLT_DROP_OLDEST && o->order != HOLT_FIFO ? -EINVAL : 0;
}

int holt_queue_open_with(holt_queue **ret, size_t item_size, size_t capacity, const struct holt_queue_options *options)
{
	struct holt_queue_options o;
	size_t name_size, stride;
	holt_queue *q;
	int r;

	r = holt__options(&o, sizeof o, options);
	if (r < 0)
		return r;
	r = ret ? check_options(&o, capacity) : -EINVAL;
	if (r < 0)
		return r;
	if (item_size > SIZE_MAX / 4)
		return -ENOMEM;
	name_size = o.name ? strlen(o.name) + 1 : 0;
	stride = item_size ? item_size : 1;
	if (o.order == HOLT_PRIORITY) /* the item, then its number; what may have to lie at 16 bytes does */
		stride = item_size % 16 ? (item_size + 15) / 8 * 8 : item_size + 16;
	q = holt__calloc(1, sizeof *q + name_size);
	if (!q)
		return -ENOMEM;
	q->item_size = item_size;
	q->stride = stride;
	q->capacity = capacity;
	q->order = o.order;
	q->drop_oldest = o.full == HOLT_DROP_OLDEST;
	q->compare = o.compare;
	q->drop = o.drop;
	if (name_size)
		memcpy(q->name, o.name, name_size);
	if (capacity != HOLT_UNBOUNDED) {
		r = capacity < SIZE_MAX ? grow(q, capacity + (o.order == HOLT_PRIORITY)) : -ENOMEM;
		if (r < 0) {
			holt__free(q);
			return r;
		}
	}
	*ret = q;
	return 0;
}

holt_queue *holt_queue_close(holt_queue *q)
{
	if (!q)
		return NULL;
	if (q->getters.head || q->putters.head || q->joiners.head)
		holt__die("holt_queue_close: a task still waits in the queue; close the group of those who use it first");
	drop_all(q);
	holt__free(q->items);
	holt__free(q);
	return NULL;
}

void holt_auto_queue(holt_queue **q)
{
	holt_queue_close(*q);
}
