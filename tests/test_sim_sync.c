/* SPDX-License-Identifier: MIT */
/*
 * Locks, semaphores, events, conditions, barriers, queues, futures and select, swept: canceled at each suspension, all of them
 * or one alone, each allocation and each system call failing, in many orders. What is counted is what can be lost: a permit, an
 * item, a lock, a place in a row, a wake-up. Where a lost wake-up would be a wait without end the simulator says so.
 */
#include "sweep.h"

enum { TASKS = 4, ROUNDS = 3 };

static struct holt_lock lock;
static struct holt_rlock rlock;
static struct holt_rwlock rwlock;
static struct holt_cond cond;
static struct holt_sem sem;
static struct holt_event event;
static struct holt_barrier barrier;
static int inside, readers, most, done;

static void reset(void)
{
	memset(&lock, 0, sizeof lock);
	memset(&rlock, 0, sizeof rlock);
	memset(&rwlock, 0, sizeof rwlock);
	memset(&cond, 0, sizeof cond);
	memset(&event, 0, sizeof event);
	sem = (struct holt_sem)HOLT_SEM_BOUNDED(2);
	barrier = (struct holt_barrier)HOLT_BARRIER_INIT(TASKS);
	inside = readers = most = done = 0;
}

/* Several of one kind; a member's failure, as of memory, ends the others. */
static int crowd(holt_fn fn, int n)
{
	holt_group *g = NULL;
	int r;

	r = holt_group_open(&g, .name = "crowd");
	for (int i = 0; r >= 0 && i < n; i++)
		r = holt_spawn(g, fn, NUMBER(i));
	return g ? holt_group_close(g, r < 0 ? r : 0) : r;
}

#define CROWD(name, member) \
	static int name(void *arg) \
	{ \
		(void)arg; \
		reset(); \
		return crowd(member, TASKS); \
	}

/* Anything but success has to come from what was done to the run. */
static int is_expected(int result)
{
	return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EMFILE || result == -EINTR ? 0 : result;
}

/* ---- lock */

static int locks_three_times(void *arg)
{
	int r = 0;

	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		r = holt_lock_acquire(&lock);
		if (r < 0)
			return r;
		EXPECT(lock.owner == holt_self());
		EXPECT(inside++ == 0);
		r = (i + give(arg)) % 2 ? holt_sleep(HOLT_MS) : holt_yield();
		inside--;
		EXPECT(holt_lock_release(&lock) == 0);
	}
	done++;
	return r;
}

static int lock_is_free(void *arg, int result)
{
	(void)arg;
	HOLDS(inside == 0);
	HOLDS(!holt_lock_locked(&lock));
	HOLDS(!lock.w.head && !lock.w.tail);
	return is_expected(result);
}

CROWD(locks, locks_three_times)
SWEEP(lock_has_one_owner_and_is_never_lost, .fn = locks, .check = lock_is_free)

static int rlocks_twice(void *arg)
{
	int r = 0;

	(void)arg;
	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		r = holt_rlock_acquire(&rlock);
		if (r < 0)
			return r;
		EXPECT(inside++ == 0);
		r = holt_yield();
		if (r == 0) {
			r = holt_rlock_acquire(&rlock);
			if (r == 0) {
				r = holt_sleep(HOLT_MS);
				EXPECT(holt_rlock_release(&rlock) == 0);
			}
		}
		inside--;
		EXPECT(holt_rlock_release(&rlock) == 0);
	}
	return r;
}

static int rlock_is_free(void *arg, int result)
{
	(void)arg;
	HOLDS(inside == 0);
	HOLDS(!rlock.lock.owner && rlock.depth == 0 && !rlock.lock.w.head);
	return is_expected(result);
}

CROWD(rlocks, rlocks_twice)
SWEEP(rlock_is_given_back_as_often_as_it_was_taken, .fn = rlocks, .check = rlock_is_free)

static int reads_and_writes(void *arg)
{
	int r = 0;

	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		bool writes = (i + give(arg)) % 3 == 0;

		r = writes ? holt_rwlock_write(&rwlock) : holt_rwlock_read(&rwlock);
		if (r < 0)
			return r;
		if (writes)
			inside++;
		else
			readers++;
		EXPECT(inside == 0 || (inside == 1 && readers == 0));
		most = readers > most ? readers : most;
		r = i % 2 ? holt_yield() : holt_sleep(HOLT_MS);
		if (writes)
			inside--;
		else
			readers--;
		EXPECT(holt_rwlock_release(&rwlock) == 0);
	}
	return r;
}

static int rwlock_is_free(void *arg, int result)
{
	(void)arg;
	HOLDS(inside == 0 && readers == 0);
	HOLDS(!rwlock.w.head && !rwlock.opaque[0] && !rwlock.opaque[1]);
	return is_expected(result);
}

CROWD(reads, reads_and_writes)
SWEEP(writer_is_alone_and_no_reader_is_left_behind_a_canceled_one, .fn = reads, .check = rwlock_is_free)

/* A circle is found by one of the two, whichever comes last, and both get through. */
static struct holt_lock second;

static int wants_two(void *arg)
{
	struct holt_lock *l[] = { &lock, &second };
	int first = give(arg) % 2, r;

	for (;;) {
		r = holt_lock_acquire(l[first]);
		if (r < 0)
			return r;
		r = holt_yield();
		if (r == 0)
			r = holt_lock_acquire(l[!first]);
		if (r == 0)
			holt_lock_release(l[!first]);
		holt_lock_release(l[first]);
		if (r != -EDEADLK)
			return r;
		r = holt_sleep(HOLT_MS * (unsigned)(1 + give(arg)));
		if (r < 0)
			return r;
	}
}

static int both_locks_are_free(void *arg, int result)
{
	(void)arg;
	HOLDS(!lock.owner && !second.owner && !lock.w.head && !second.w.head);
	return is_expected(result);
}

static int dead_ends(void *arg)
{
	(void)arg;
	reset();
	memset(&second, 0, sizeof second);
	return crowd(wants_two, TASKS);
}
SWEEP(circle_of_two_locks_is_always_found, .fn = dead_ends, .check = both_locks_are_free)

/* ---- semaphore, event, condition, barrier */

static int takes_a_permit(void *arg)
{
	int r = 0;

	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		r = holt_sem_acquire(&sem);
		if (r < 0)
			return r;
		EXPECT(++inside <= 2);
		r = (i + give(arg)) % 2 ? holt_sleep(HOLT_MS) : holt_yield();
		inside--;
		EXPECT(holt_sem_release(&sem) == 0);
	}
	return r;
}

static int all_permits_are_back(void *arg, int result)
{
	(void)arg;
	HOLDS(sem.count == 2 && !sem.w.head && inside == 0);
	return is_expected(result);
}

CROWD(permits, takes_a_permit)
SWEEP(permit_is_taken_or_left, .fn = permits, .check = all_permits_are_back)

static int one_sets_and_others_wait(void *arg)
{
	int r = 0;

	if (give(arg) > 0) {
		r = holt_event_wait(&event);
		done += r == 0;
		return r;
	}
	for (int i = 0; i < 2 && r == 0; i++)
		r = holt_yield();
	holt_event_set(&event); /* in any case: else the others would wait for ever */
	holt_event_clear(&event);
	holt_event_set(&event);
	return r;
}

static int nobody_waits_for_the_event(void *arg, int result)
{
	(void)arg;
	HOLDS(!event.w.head && !event.w.tail);
	return is_expected(result);
}

CROWD(events, one_sets_and_others_wait)
SWEEP(event_wakes_all_who_wait, .fn = events, .check = nobody_waits_for_the_event)

enum { ROOM = 2, GOODS = 6 };
static int stock, made, used, lost;

/* A buffer with a lock and a condition. Who leaves hands the notification on, as it may have been for it. */
static int makes_and_uses(void *arg)
{
	bool maker = give(arg) % 2 == 0;
	int r = 0;

	for (int i = 0; r == 0 && i < GOODS / (TASKS / 2); i++) {
		r = holt_lock_acquire(&lock);
		if (r < 0)
			break;
		while (r == 0 && stock == (maker ? ROOM : 0) && !lost) {
			r = holt_cond_wait(&cond, &lock);
			EXPECT(lock.owner == holt_self());
		}
		if (r == 0 && !lost) {
			stock += maker ? 1 : -1;
			made += maker;
			used += !maker;
		}
		EXPECT(stock >= 0 && stock <= ROOM);
		holt_cond_notify_all(&cond);
		holt_lock_release(&lock);
	}
	if (r < 0) {
		lost = 1; /* the others shall not wait for our part */
		holt_cond_notify_all(&cond);
	}
	return r;
}

static int no_goods_are_lost(void *arg, int result)
{
	(void)arg;
	HOLDS(made == used + stock);
	HOLDS(!lock.owner && !lock.w.head && !cond.w.head);
	HOLDS(result < 0 || lost || made == GOODS);
	return is_expected(result);
}

static int factory(void *arg)
{
	(void)arg;
	reset();
	stock = made = used = lost = 0;
	return crowd(makes_and_uses, TASKS);
}
SWEEP(condition_returns_with_its_lock_whatever_ends_it, .fn = factory, .check = no_goods_are_lost)

/* notify(1): who was notified and is canceled at the same time has been notified, and says so. */
static int waits_to_be_told(void *arg)
{
	int r;

	(void)arg;
	r = holt_lock_acquire(&lock);
	if (r < 0)
		return r;
	inside++;
	r = holt_cond_wait(&cond, &lock);
	inside--;
	done += r == 0;
	holt_lock_release(&lock);
	return r;
}

static int tells_each(void *arg)
{
	holt_group *g = NULL;
	int told = 0, r;

	(void)arg;
	reset();
	r = holt_group_open(&g, .kind = HOLT_EACH);
	for (int i = 0; r >= 0 && i < TASKS; i++)
		r = holt_spawn(g, waits_to_be_told, NULL);
	for (int i = 0; r >= 0 && i < 2 * TASKS; i++) {
		r = holt_yield();
		if (cond.w.head && told < 2) {
			holt_cond_notify(&cond, 1);
			told++;
		}
	}
	holt_cond_notify_all(&cond);
	if (!g)
		return r;
	if (r >= 0)
		r = holt_sleep(HOLT_SEC);
	holt_cond_notify_all(&cond);
	r = holt_group_close(g, r);
	EXPECT(done >= told);
	return r;
}
SWEEP(notification_is_never_lost_on_a_canceled_waiter, .fn = tells_each, .check = lock_is_free)

static int meets(void *arg)
{
	struct holt_scope s;
	int r = 0;

	(void)arg;
	for (int i = 0; r == 0 && i < 2; i++) {
		holt_scope_begin(&s, holt_in(HOLT_SEC), 0); /* one that was canceled will not come */
		r = holt_barrier_wait(&barrier);
		EXPECT(r < TASKS);
		if (r >= 0)
			done |= 1 << (i * TASKS + r);
		r = (int)holt_scope_end(&s, r < 0 ? r : 0);
	}
	return unless_alone(r);
}

static int barrier_is_empty(void *arg, int result)
{
	(void)arg;
	HOLDS(barrier.arrived == 0 && !barrier.w.head && !barrier.broken);
	HOLDS(barrier.round == 2 ? done == (1 << 2 * TASKS) - 1 : barrier.round == 1 ? done == (1 << TASKS) - 1 : done == 0);
	return is_expected(result);
}

CROWD(meeting, meets)
SWEEP(barrier_is_left_by_who_is_canceled_and_each_index_is_given_once, .fn = meeting, .check = barrier_is_empty)

/* ---- queues */

enum { ITEMS = 8 };

struct item {
	int from, n;
};

static holt_queue *queue;
static int put[2], got, dropped, last[2][2];
static bool seen[2][ITEMS + 1], first_out;

static void drop(void *item)
{
	const struct item *i = item;

	EXPECT(!seen[i->from][i->n]);
	seen[i->from][i->n] = true;
	dropped++;
}

/* Each consumer sees the items of one producer in order; who of them runs first is left to chance. */
static void take(const struct item *i, int who)
{
	EXPECT(!seen[i->from][i->n]); /* each once */
	seen[i->from][i->n] = true;
	if (first_out)
		EXPECT(i->n > last[who][i->from]);
	last[who][i->from] = i->n;
	got++;
}

static int by_number(const void *a, const void *b)
{
	return ((const struct item *)a)->n - ((const struct item *)b)->n;
}

static int produces(void *arg)
{
	struct item i = { .from = give(arg) };
	int r = 0;

	while (r == 0 && i.n < ITEMS) {
		i.n++;
		r = holt_queue_put(queue, &i);
		if (r == 0)
			put[i.from]++;
		if (r == 0 && i.n % 3 == 0)
			r = holt_yield();
	}
	return r;
}

static int consumes(void *arg)
{
	struct item i;
	int r;

	while ((r = holt_queue_get(queue, &i)) == 0) {
		take(&i, give(arg));
		r = holt_yield();
		EXPECT(holt_queue_task_done(queue) == 0);
		if (r < 0)
			break;
	}
	return r == -EPIPE ? 0 : r;
}

struct kind {
	enum holt_order order;
	enum holt_full full;
	size_t capacity;
};

static int shop(void *arg)
{
	const struct kind *k = arg;
	holt_group *makers = NULL, *users = NULL;
	int r, left = 0;

	memset(seen, 0, sizeof seen);
	memset(last, 0, sizeof last);
	put[0] = put[1] = got = dropped = 0;
	first_out = k->order == HOLT_FIFO;
	queue = NULL;
	r = holt_queue_open(
		&queue, sizeof(struct item), k->capacity, .order = k->order, .full = k->full, .drop = drop, .compare = by_number);
	if (r < 0)
		return r;
	r = holt_group_open(&users, .name = "users", .deadline = holt_in(HOLT_HOUR));
	if (r >= 0) {
		for (int i = 0; r >= 0 && i < 2; i++)
			r = holt_spawn(users, consumes, NUMBER(i));
		if (r >= 0)
			r = holt_group_open(&makers, .name = "makers", .deadline = holt_in(HOLT_MIN));
		if (r >= 0) {
			for (int i = 0; r >= 0 && i < 2; i++)
				r = holt_spawn(makers, produces, NUMBER(i));
			r = holt_group_close(makers, r < 0 ? r : 0);
			r = unless_alone(r);
		}
		if (r >= 0)
			holt_queue_shutdown(queue, false);
		r = holt_group_close(users, r < 0 ? r : 0);
	}
	left = (int)holt_queue_size(queue);
	EXPECT(put[0] + put[1] == got + dropped + left);
	dropped = 0;
	queue = holt_queue_close(queue);
	EXPECT(dropped == left);
	return r;
}

static int every_item_is_accounted_for(void *arg, int result)
{
	(void)arg;
	for (int from = 0; from < 2; from++)
		for (int n = 1; n <= put[from]; n++)
			HOLDS(seen[from][n]); /* gotten or dropped: puts count up without a gap */
	return is_expected(result);
}

SWEEP(fifo_loses_no_item, .fn = shop, .check = every_item_is_accounted_for, .arg = &((struct kind){ HOLT_FIFO, HOLT_BLOCK, 2 }))
SWEEP(lifo_loses_no_item, .fn = shop, .check = every_item_is_accounted_for, .arg = &((struct kind){ HOLT_LIFO, HOLT_BLOCK, 3 }))
SWEEP(priority_loses_no_item, .fn = shop, .check = every_item_is_accounted_for,
	.arg = &((struct kind){ HOLT_PRIORITY, HOLT_BLOCK, 3 }))
SWEEP(unbounded_loses_no_item, .fn = shop, .check = every_item_is_accounted_for,
	.arg = &((struct kind){ HOLT_FIFO, HOLT_BLOCK, HOLT_UNBOUNDED }))
SWEEP(drop_oldest_drops_each_item_once, .fn = shop, .check = every_item_is_accounted_for,
	.arg = &((struct kind){ HOLT_FIFO, HOLT_DROP_OLDEST, 2 }))

static int joins(void *arg)
{
	holt_group *users = NULL;
	struct holt_scope s;
	int r;

	(void)arg;
	memset(seen, 0, sizeof seen);
	memset(last, 0, sizeof last);
	put[0] = put[1] = got = dropped = 0;
	first_out = true;
	r = holt_queue_open(&queue, sizeof(struct item), 2, .drop = drop);
	if (r < 0)
		return r;
	r = holt_group_open(&users, .name = "users");
	if (r >= 0) {
		for (int i = 0; r >= 0 && i < 2; i++)
			r = holt_spawn(users, consumes, NUMBER(i));
		holt_scope_begin(&s, holt_in(HOLT_MIN), 0); /* consumers may have been canceled, both */
		if (r >= 0)
			r = produces(NUMBER(0));
		if (r >= 0) {
			r = holt_queue_join(queue);
			EXPECT(r < 0 || (holt_queue_size(queue) == 0 && got == ITEMS));
		}
		r = (int)holt_scope_end(&s, r);
		holt_queue_shutdown(queue, true);
		r = holt_group_close(users, unless_alone(r));
	}
	EXPECT(holt_queue_size(queue) == 0);
	EXPECT(put[0] == got + dropped);
	queue = holt_queue_close(queue);
	return r;
}
SWEEP(join_returns_when_all_is_done_and_a_shutdown_drops_the_rest, .fn = joins)

/* ---- futures and select */

static holt_future *future;
static int told, heard, value;

static void is_told(holt_future *f, void *arg)
{
	(void)f;
	(void)arg;
	told++;
}

static int waits_for_the_future(void *arg)
{
	void *v = NULL;
	int result = 1, r;

	(void)arg;
	r = holt_future_wait(future, &result, &v);
	EXPECT(r == 0 ? result == 0 && v == &value : r == -ECANCELED && !v);
	heard += r == 0;
	return r;
}

static int sets_the_future(void *arg)
{
	int r = holt_yield();

	(void)arg;
	EXPECT(holt_future_set(future, &value) == 0);
	return r;
}

static int futures(void *arg)
{
	holt_group *g = NULL;
	int r, armed = 0;

	(void)arg;
	told = heard = 0;
	future = NULL;
	r = holt_future_open(&future);
	if (r < 0)
		return r;
	if (holt_future_on_done(future, is_told, NULL) == 0)
		armed++;
	r = holt_group_open(&g);
	for (int i = 0; r >= 0 && i < 3; i++)
		r = holt_spawn(g, waits_for_the_future, NULL);
	if (r >= 0)
		r = holt_spawn(g, sets_the_future, NULL);
	if (g)
		r = holt_group_close(g, r);
	EXPECT(told == (holt_future_done(future) ? armed : 0));
	future = holt_future_unref(future);
	return r;
}
SWEEP(future_is_heard_by_all_who_were_not_canceled, .fn = futures)

static holt_queue *orders, *goods;
static int taken, brought;

/* Takes orders and brings goods, whichever can be; told by an event when it shall end. */
static int merchant(void *arg)
{
	int order, good = 1, r;
	struct holt_case c[] = {
		{ HOLT_CASE_GET, orders, &order, 0 },
		{ HOLT_CASE_PUT, goods, &good, 0 },
		{ HOLT_CASE_EVENT, &event, NULL, 0 },
	};

	(void)arg;
	for (;;) {
		r = holt_select(c, 3, true);
		if (r < 0)
			return r;
		if (r == 2)
			return 0;
		EXPECT(c[r].result == 0);
		taken += r == 0;
		brought += r == 1;
	}
}

static int market(void *arg)
{
	holt_group *g = NULL;
	struct holt_scope s;
	int r, item, ordered = 0, gotten = 0;

	(void)arg;
	reset();
	taken = brought = 0;
	orders = goods = NULL;
	r = holt_queue_open(&orders, sizeof(int), 1);
	if (r >= 0)
		r = holt_queue_open(&goods, sizeof(int), 1);
	if (r >= 0)
		r = holt_group_open(&g, .name = "market");
	for (int i = 0; r >= 0 && i < 3; i++)
		r = holt_spawn(g, merchant, NULL);
	holt_scope_begin(&s, holt_in(HOLT_MIN), 0);
	for (int i = 0; r >= 0 && i < 4; i++) {
		r = holt_queue_put(orders, &i);
		ordered += r >= 0;
		if (r >= 0)
			r = holt_queue_get(goods, &item);
		gotten += r >= 0;
	}
	r = (int)holt_scope_end(&s, r);
	holt_event_set(&event);
	if (g)
		r = holt_group_close(g, unless_alone(r));
	EXPECT(!orders || ordered == taken + (int)holt_queue_size(orders));
	EXPECT(!goods || brought == gotten + (int)holt_queue_size(goods));
	holt_queue_close(orders);
	holt_queue_close(goods);
	return r;
}
SWEEP(select_takes_and_gives_exactly_what_it_says, .fn = market)
