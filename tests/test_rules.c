/* SPDX-License-Identifier: MIT */
/*
 * The eighteen rules of cancellation, in their order, each by one test or more that is named after what it claims.
 * Together they are the promise that code written against the library may lean on; what single functions return, and
 * how they are misused, stands in the tests of their own areas.
 *
 * Time is virtual: an hour passes when nobody has anything else to do. A test that needs something to happen at a
 * moment has a task that sleeps until then.
 */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "task/task.h"

/* Holds off cancellation for a long time. */
static int shielded(void *arg)
{
	struct holt_scope s;
	int r;

	(void)arg;
	holt_scope_begin(&s, holt_in(10 * HOLT_HOUR), HOLT_SHIELD);
	r = holt_sleep(5 * HOLT_HOUR);
	return (int)holt_scope_end(&s, r);
}

/* ---- 1. canceled? then nothing happens; else try; else wait */

static int all_calls_canceled(void *arg)
{
	struct holt_lock lock = { .owner = NULL };
	struct holt_sem sem = HOLT_SEM_INIT(1);
	struct holt_event event = { .set = true };
	struct holt_call call = { .fn = give, .arg = NUMBER(7), .result = 1 };
	struct holt_scope s;
	holt_queue *q = NULL;
	holt_group *g = NULL;
	holt_task *t = NULL, *next = NULL;
	int item = 5, got = 0, result = 99;

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&q, sizeof item, 4), 0);
	ck_assert_int_eq(holt_queue_put(q, &item), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(3), .task = &t), 0);
	ck_assert_int_eq(holt_task_wait(t, NULL), 0);

	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq(holt_sleep(0), -ECANCELED);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), -ECANCELED);
	ck_assert_int_eq(holt_sleep_until(1), -ECANCELED);
	ck_assert_int_eq(holt_yield(), -ECANCELED);
	ck_assert_int_eq(holt_check(), -ECANCELED);
	ck_assert_int_eq(holt_queue_get(q, &got), -ECANCELED);
	ck_assert_int_eq(holt_queue_put(q, &item), -ECANCELED);
	ck_assert_uint_eq(holt_queue_size(q), 1);
	ck_assert_int_eq(got, 0);
	ck_assert_int_eq(holt_lock_acquire(&lock), -ECANCELED);
	ck_assert(!holt_lock_locked(&lock));
	ck_assert_int_eq(holt_sem_acquire(&sem), -ECANCELED);
	ck_assert_uint_eq(sem.count, 1);
	ck_assert_int_eq(holt_event_wait(&event), -ECANCELED);
	ck_assert_int_eq(holt_task_wait(t, &result), -ECANCELED);
	ck_assert_int_eq(result, 99);
	ck_assert_int_eq(holt_wait(&t, 1, HOLT_ALL_COMPLETED, 0), -ECANCELED);
	ck_assert_int_eq(holt_group_wait(g), -ECANCELED);
	ck_assert_int_eq(holt_group_next(g, &next), -ECANCELED);
	ck_assert_ptr_null(next);
	ck_assert_int_eq(holt_gather(&call, 1, HOLT_ALL), -ECANCELED);
	ck_assert_int_eq(call.result, -ECANCELED);
	ck_assert_int_eq((int)holt_scope_end(&s, 0), 0);

	ck_assert_int_eq(holt_group_next(g, &next), 0);
	ck_assert_ptr_eq(next, t);
	holt_task_unref(next);
	holt_task_unref(t);
	ck_assert_int_eq(holt_queue_get(q, &got), 0);
	ck_assert_int_eq(got, 5);
	holt_queue_close(q);
	return holt_group_close(g, 0);
}

TEST(canceled_call_returns_at_once_and_has_no_side_effect)
{
	ck_assert_int_eq(run_clean(all_calls_canceled, NULL), 0);
	ck_assert_uint_eq(harness_time(), 0);
}

struct busy {
	holt_queue *q;
	int turns;
};

static int never_waits(void *arg)
{
	struct busy *b = arg;
	int item = 0, r = 0;

	while (r == 0 && b->turns < 1000000) {
		r = holt_queue_put(b->q, &item);
		if (r == 0)
			r = holt_queue_get(b->q, &item);
		b->turns++;
	}
	return r;
}

static int cancel_who_never_waits(void *arg)
{
	struct busy b = { .turns = 0 };
	holt_group *g = NULL;
	holt_task *t = NULL;
	int r;

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&b.q, sizeof(int), 4), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, never_waits, &b, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0); /* comes back, for the other one yields after its budget */
	ck_assert_int_gt(b.turns, 10);
	ck_assert(!holt_task_done(t));
	holt_task_cancel(t, NULL);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(holt_task_result(t), -ECANCELED);
	holt_task_unref(t);
	r = holt_group_close(g, 0);
	holt_queue_close(b.q);
	return r;
}

TEST(task_that_never_has_to_wait_still_sees_its_cancellation)
{
	ck_assert_int_eq(run_clean(cancel_who_never_waits, NULL), 0);
}

struct ready_fd {
	int fd[2];
	ssize_t got;
};

static int reads_what_is_there(void *arg)
{
	struct ready_fd *f = arg;
	ssize_t r;
	char c;

	while ((r = holt_read(f->fd[0], &c, 1)) == 1)
		f->got++;
	return (int)r;
}

static int cancel_who_reads_what_is_there(void *arg)
{
	struct ready_fd *f = arg;
	char much[4096] = "";
	holt_group *g = NULL;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->fd), 0);
	ck_assert_int_eq(write(f->fd[1], much, sizeof much), sizeof much);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, reads_what_is_there, f), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	holt_close(f->fd[0]);
	holt_close(f->fd[1]);
	return 0;
}

TEST(task_on_a_descriptor_that_is_always_ready_sees_its_cancellation)
{
	struct ready_fd f = { .got = 0 };

	ck_assert_int_eq(run_clean(cancel_who_reads_what_is_there, &f), 0);
	ck_assert_int_gt(f.got, 10);
	ck_assert_int_lt(f.got, 4096);
}

/* ---- 2. a result that was given is returned, and the cancellation seen by the next call */

enum orders { WAKE_THEN_CANCEL, CANCEL_THEN_WAKE };

struct both {
	enum orders order;
	struct holt_lock lock;
	struct holt_sem sem;
	struct holt_event event;
	holt_queue *q;
	holt_group *kept, *full;
	int item, got, next_call;
	holt_task *task, *next;
	int (*wait)(struct both *b);
	void (*wake)(struct both *b);
};

static int both_waits(void *arg)
{
	struct both *b = arg;
	int r = b->wait(b);

	b->next_call = holt_yield();
	return r;
}

static int wait_queue(struct both *b)
{
	return holt_queue_get(b->q, &b->got);
}

static void wake_queue(struct both *b)
{
	ck_assert_int_eq(holt_queue_try_put(b->q, &b->item), 0);
}

static int wait_lock(struct both *b)
{
	int r = holt_lock_acquire(&b->lock);

	if (r == 0)
		ck_assert_int_eq(holt_lock_release(&b->lock), 0);
	return r;
}

static void wake_lock(struct both *b)
{
	ck_assert_int_eq(holt_lock_release(&b->lock), 0);
}

static int wait_sem(struct both *b)
{
	return holt_sem_acquire(&b->sem);
}

static void wake_sem(struct both *b)
{
	ck_assert_int_eq(holt_sem_release(&b->sem), 0);
}

static int wait_event(struct both *b)
{
	return holt_event_wait(&b->event);
}

static void wake_event(struct both *b)
{
	holt_event_set(&b->event);
}

static int both_ways(void *arg)
{
	struct both *b = arg;
	holt_group *g = NULL;
	holt_task *t = NULL;
	int r;

	ck_assert_int_eq(holt_queue_open(&b->q, sizeof(int), 4), 0);
	ck_assert_int_eq(holt_lock_acquire(&b->lock), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, both_waits, b, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	if (b->order == WAKE_THEN_CANCEL)
		b->wake(b);
	holt_task_cancel(t, NULL);
	if (b->order == CANCEL_THEN_WAKE)
		b->wake(b);
	ck_assert_int_eq(holt_group_wait(g), 0);
	r = holt_task_result(t);
	holt_task_unref(t);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	if (b->lock.owner == holt_self())
		holt_lock_release(&b->lock);
	ck_assert(!holt_lock_locked(&b->lock)); /* it was lost on the way to nobody */
	b->got = b->got == 0 && holt_queue_size(b->q) == 1 ? -1 : b->got;
	holt_queue_close(b->q);
	return r;
}

static const struct {
	int (*wait)(struct both *b);
	void (*wake)(struct both *b);
} both_kinds[] = { { wait_queue, wake_queue }, { wait_lock, wake_lock }, { wait_sem, wake_sem }, { wait_event, wake_event } };

TEST_LOOP(wake_then_cancel_returns_the_result_and_the_next_call_sees_the_cancellation, 0, 4)
{
	struct both b = { .order = WAKE_THEN_CANCEL, .item = 5, .wait = both_kinds[_i].wait, .wake = both_kinds[_i].wake };

	ck_assert_int_eq(run_clean(both_ways, &b), 0);
	ck_assert_int_eq(b.next_call, -ECANCELED);
	ck_assert_int_eq(b.got, _i == 0 ? 5 : 0);
	ck_assert_uint_eq(b.sem.count, 0);
}

TEST_LOOP(cancel_then_wake_returns_canceled_and_nothing_is_lost, 0, 4)
{
	struct both b = { .order = CANCEL_THEN_WAKE, .item = 5, .wait = both_kinds[_i].wait, .wake = both_kinds[_i].wake };

	b.sem.bound = 1;
	ck_assert_int_eq(run_clean(both_ways, &b), -ECANCELED);
	ck_assert_int_eq(b.got, _i == 0 ? -1 : 0); /* the item is still there */
	ck_assert_uint_eq(b.sem.count, _i == 2 ? 1 : 0);
}

struct met {
	holt_task *task;
	int sleep, wait, next, limit, done;
	holt_group *g;
};

static int sleeps_a_second(void *arg)
{
	struct met *m = arg;

	m->sleep = holt_sleep(HOLT_SEC);
	m->next = holt_yield();
	return 0;
}

static int cancels_it_in_that_turn(void *arg)
{
	struct met *m = arg;

	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0); /* started first, so it runs first; the other is woken already */
	holt_task_cancel(m->task, NULL);
	return 0;
}

static int timer_and_cancel(void *arg)
{
	struct met *m = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, cancels_it_in_that_turn, m), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_a_second, m, .task = &m->task), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	holt_task_unref(m->task);
	return holt_group_close(g, 0);
}

TEST(sleep_that_was_over_when_the_cancellation_came_returns_0)
{
	struct met m = { .sleep = 1 };

	ck_assert_int_eq(run_clean(timer_and_cancel, &m), 0);
	ck_assert_int_eq(m.sleep, 0);
	ck_assert_int_eq(m.next, -ECANCELED);
}

static int yields_twice(void *arg)
{
	int *r = arg;

	r[0] = holt_yield();
	r[1] = holt_yield();
	return r[1] < 0 ? r[1] : 12;
}

static int yield_and_cancel(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, yields_twice, arg, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0); /* it has given way, and is ready again */
	holt_task_cancel(t, NULL);
	ck_assert_int_eq(holt_task_wait(t, &r), 0);
	ck_assert_int_eq(r, -ECANCELED);
	holt_task_unref(t);
	return holt_group_close(g, 0);
}

TEST(yield_that_had_given_way_when_the_cancellation_came_returns_0)
{
	int r[2] = { 1, 1 };

	ck_assert_int_eq(run_clean(yield_and_cancel, r), 0);
	ck_assert_int_eq(r[0], 0);
	ck_assert_int_eq(r[1], -ECANCELED);
}

static int waits_for_end(void *arg)
{
	struct met *m = arg;

	m->wait = holt_task_wait(m->task, &m->done);
	m->next = holt_yield();
	return 0;
}

static int takes_the_next(void *arg)
{
	struct met *m = arg;
	holt_task *t = NULL;

	m->wait = holt_group_next(m->g, &t);
	m->next = holt_yield();
	if (t)
		m->done = holt_task_result(t);
	holt_task_unref(t);
	return 0;
}

/* The member ends, and in the same breath who waits for it is canceled. */
static int end_then_cancel(void *arg)
{
	struct met *m = arg;
	holt_group *waiting = NULL;
	holt_task *w = NULL;
	bool next = m->limit;

	ck_assert_int_eq(holt_group_open(&m->g, .kind = HOLT_EACH, .keep = next), 0);
	ck_assert_int_eq(holt_spawn(m->g, give, NUMBER(7), .task = &m->task), 0);
	ck_assert_int_eq(holt_group_open(&waiting), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert(holt_task_done(m->task));
	holt_task_unref(m->task);
	if (next) {
		ck_assert_int_eq(holt_group_next(m->g, &m->task), 0);
		holt_task_unref(m->task);
	}

	ck_assert_int_eq(holt_spawn(waiting, next ? takes_the_next : waits_for_end, m, .task = &w), 0);
	ck_assert_int_eq(holt_spawn(m->g, give, NUMBER(8), .task = &m->task), 0);
	ck_assert_int_eq(holt_yield(), 0); /* w waits, the member has ended and woken it; it runs behind us */
	ck_assert(holt_task_done(m->task));
	holt_task_cancel(w, NULL);
	ck_assert_int_eq(holt_group_close(waiting, 0), 0);
	holt_task_unref(w);
	holt_task_unref(m->task);
	return holt_group_close(m->g, 0);
}

TEST(end_of_a_task_is_told_to_a_waiter_that_was_canceled_after_it)
{
	struct met m = { .wait = 1 };

	ck_assert_int_eq(run_clean(end_then_cancel, &m), 0);
	ck_assert_int_eq(m.wait, 0);
	ck_assert_int_eq(m.done, 8);
	ck_assert_int_eq(m.next, -ECANCELED);
}

TEST(ended_task_handed_to_group_next_is_not_lost_to_a_cancellation)
{
	struct met m = { .wait = 1, .limit = true };

	ck_assert_int_eq(run_clean(end_then_cancel, &m), 0);
	ck_assert_int_eq(m.wait, 0);
	ck_assert_int_eq(m.done, 8);
	ck_assert_int_eq(m.next, -ECANCELED);
}

static int waits_for_room(void *arg)
{
	struct met *m = arg;

	m->limit = holt_spawn(m->g, give, NUMBER(9), .task = &m->task);
	m->next = holt_yield();
	return 0;
}

static int room_then_cancel(void *arg)
{
	struct met *m = arg;
	holt_group *waiting = NULL;
	holt_task *w = NULL;

	ck_assert_int_eq(holt_group_open(&m->g, .limit = 1), 0);
	ck_assert_int_eq(holt_group_open(&waiting), 0);
	ck_assert_int_eq(holt_spawn(m->g, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_spawn(waiting, waits_for_room, m, .task = &w), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0); /* the member slept first: it has ended, and given its room away */
	ck_assert(m->task == NULL);
	holt_task_cancel(w, NULL);
	ck_assert_int_eq(holt_group_close(waiting, 0), 0);
	holt_task_unref(w);
	ck_assert_int_eq(holt_group_close(m->g, 0), 0);
	return 0;
}

TEST(room_in_a_group_that_was_given_is_used_although_canceled)
{
	struct met m = { .limit = 1 };

	ck_assert_int_eq(run_clean(room_then_cancel, &m), 0);
	ck_assert_int_eq(m.limit, 0);
	ck_assert_int_eq(m.next, -ECANCELED);
	ck_assert_ptr_nonnull(m.task);
}

/* ---- 3. full reads and writes that were canceled half way say how far they came */

struct half {
	int fd[2];
	ssize_t r;
	int next;
	char buf[8];
};

static int reads_full(void *arg)
{
	struct half *h = arg;

	h->r = holt_read_full(h->fd[0], h->buf, sizeof h->buf);
	h->next = holt_yield();
	return 0;
}

static int writes_full(void *arg)
{
	static char much[4 << 20];
	struct half *h = arg;

	h->r = holt_write_full(h->fd[0], much, sizeof much);
	h->next = holt_yield();
	return 0;
}

static int cancel_half_way(holt_fn fn, struct half *h)
{
	holt_group *g = NULL;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, h->fd), 0);
	ck_assert_int_eq(write(h->fd[1], "abc", 3), 3);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, fn, h), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	holt_close(h->fd[0]);
	holt_close(h->fd[1]);
	return 0;
}

static int cancel_read_full(void *arg)
{
	return cancel_half_way(reads_full, arg);
}

static int cancel_write_full(void *arg)
{
	return cancel_half_way(writes_full, arg);
}

TEST(read_full_that_was_canceled_after_3_bytes_returns_3)
{
	struct half h = { .r = 0 };

	ck_assert_int_eq(run_clean(cancel_read_full, &h), 0);
	ck_assert_int_eq(h.r, 3);
	ck_assert_mem_eq(h.buf, "abc", 3);
	ck_assert_int_eq(h.next, -ECANCELED);
}

TEST(write_full_that_was_canceled_after_some_bytes_returns_how_many)
{
	struct half h = { .r = 0 };

	ck_assert_int_eq(run_clean(cancel_write_full, &h), 0);
	ck_assert_int_gt(h.r, 0);
	ck_assert_int_lt(h.r, 4 << 20);
	ck_assert_int_eq(h.next, -ECANCELED);
}

/* ---- 4. what is handed over goes directly to the first who waits */

struct handed {
	struct holt_lock lock;
	struct holt_sem sem;
	holt_queue *q;
	holt_task *first;
	const char *name[2];
};

static int takes_lock(void *arg)
{
	struct handed *h = arg;

	if (holt_lock_acquire(&h->lock) < 0) {
		note("canceled");
		return 0;
	}
	note(holt_task_name(holt_self()));
	return holt_lock_release(&h->lock);
}

static int hand_over_lock(void *arg)
{
	struct handed *h = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_lock_acquire(&h->lock), 0);
	ck_assert_int_eq(holt_spawn(g, takes_lock, h, .name = "a"), 0);
	ck_assert_int_eq(holt_spawn(g, takes_lock, h, .name = "x", .task = &h->first), 0);
	ck_assert_int_eq(holt_spawn(g, takes_lock, h, .name = "b"), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(h->first, NULL); /* leaves the list: b moves up */
	holt_task_unref(h->first);
	ck_assert_int_eq(holt_lock_release(&h->lock), 0);
	ck_assert(holt_lock_locked(&h->lock)); /* a has it, before it runs */
	ck_assert_int_eq(holt_lock_try_acquire(&h->lock), -EBUSY);
	ck_assert_int_eq(holt_lock_acquire(&h->lock), 0);
	note("me");
	ck_assert_int_eq(holt_lock_release(&h->lock), 0);
	return holt_group_close(g, 0);
}

TEST(lock_is_handed_over_in_the_order_of_waiting_and_nobody_overtakes)
{
	struct handed h = { .first = NULL };

	ck_assert_int_eq(run_clean(hand_over_lock, &h), 0);
	ck_assert_str_eq(trace, "canceled a b me ");
}

static int takes_permit(void *arg)
{
	struct handed *h = arg;

	note(holt_sem_acquire(&h->sem) == 0 ? "got" : "canceled");
	return 0;
}

static int hand_over_permit(void *arg)
{
	struct handed *h = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, takes_permit, h, .task = &h->first), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_sem_release(&h->sem), 0);
	ck_assert_int_eq(holt_sem_try_acquire(&h->sem), -EAGAIN); /* it is theirs */
	holt_task_cancel(h->first, NULL);                         /* too late */
	holt_task_unref(h->first);
	ck_assert_int_eq(holt_group_wait(g), 0);
	return holt_group_close(g, 0);
}

TEST(waiter_that_was_handed_a_permit_is_past_canceling)
{
	struct handed h = { .first = NULL };

	ck_assert_int_eq(run_clean(hand_over_permit, &h), 0);
	ck_assert_str_eq(trace, "got ");
	ck_assert_uint_eq(h.sem.count, 0);
}

static int takes_item(void *arg)
{
	struct handed *h = arg;
	int item = 0;

	if (holt_queue_get(h->q, &item) < 0)
		note("canceled");
	else
		note(item == 1 ? "one" : "two");
	return 0;
}

static int hand_over_item(void *arg)
{
	struct handed *h = arg;
	holt_group *g = NULL;
	int one = 1, two = 2, r;

	ck_assert_int_eq(holt_queue_open(&h->q, sizeof(int), 8), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, takes_item, h, .task = &h->first), 0);
	ck_assert_int_eq(holt_spawn(g, takes_item, h), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_queue_put(h->q, &one), 0);
	holt_task_cancel(h->first, NULL);
	holt_task_unref(h->first);
	ck_assert_int_eq(holt_queue_try_get(h->q, &r), -EAGAIN);
	ck_assert_int_eq(holt_queue_put(h->q, &two), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	r = holt_group_close(g, 0);
	holt_queue_close(h->q);
	return r;
}

TEST(item_goes_to_the_getter_that_waits_longest_even_if_it_is_canceled_then)
{
	struct handed h = { .first = NULL };

	ck_assert_int_eq(run_clean(hand_over_item, &h), 0);
	ck_assert_str_eq(trace, "one two ");
}

/* ---- 5. a condition's lock is taken again in a wait that nothing ends */

struct cond {
	struct holt_lock lock;
	struct holt_cond cond;
	int r, next;
	bool owned;
	holt_time back;
};

static int waits_for_condition(void *arg)
{
	struct cond *c = arg;

	ck_assert_int_eq(holt_lock_acquire(&c->lock), 0);
	c->r = holt_cond_wait(&c->cond, &c->lock);
	c->owned = c->lock.owner == holt_self();
	c->back = harness_time();
	c->next = holt_yield();
	return holt_lock_release(&c->lock);
}

static int keep_the_lock_past_the_break(void *arg)
{
	struct cond *c = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .cleanup = 2 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_spawn(g, waits_for_condition, c), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_lock_acquire(&c->lock), 0);
	holt_group_cancel(g, NULL);
	{
		struct holt_scope s;

		holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD); /* we are the opener, so canceled, too */
		while (harness_time() < 10 * HOLT_SEC && holt_sleep(HOLT_SEC) == 0)
			;
		holt_scope_end(&s, 0);
	}
	harness_advance(20 * HOLT_SEC); /* the cleanup and all of the rest is over */
	ck_assert_int_eq(c->r, 99);     /* it still waits for its lock */
	ck_assert_int_eq(holt_lock_release(&c->lock), 0);
	return holt_group_close(g, 0);
}

TEST(canceled_condition_waiter_has_its_lock_again_whatever_breaks)
{
	struct cond c = { .r = 99 };

	ck_assert_int_eq(run_clean(keep_the_lock_past_the_break, &c), 0);
	ck_assert_int_eq(c.r, -ECANCELED);
	ck_assert(c.owned);
	ck_assert_int_ge(c.back, 20 * HOLT_SEC);
	ck_assert_int_eq(c.next, -ECANCELED);
}

static int notify_then_cancel(void *arg)
{
	struct cond *c = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, waits_for_condition, c), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_lock_acquire(&c->lock), 0);
	holt_cond_notify(&c->cond, 1);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_lock_release(&c->lock), 0);
	return holt_group_close(g, 0);
}

TEST(notified_condition_waiter_returns_0_although_canceled)
{
	struct cond c = { .r = 99 };

	ck_assert_int_eq(run_clean(notify_then_cancel, &c), 0);
	ck_assert_int_eq(c.r, 0);
	ck_assert(c.owned);
	ck_assert_int_eq(c.next, -ECANCELED);
}

/* ---- 6. spawn that returns 0 runs fn exactly once; on an error the caller still owns arg */

static int count_and_yield(void *arg)
{
	++*(int *)arg;
	return holt_yield();
}

static int spawn_into_canceled(void *arg)
{
	int *runs = arg;
	holt_group *g = NULL;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_spawn(g, count_and_yield, runs, .task = &t), 0);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_int_eq(holt_task_result(t), -ECANCELED);
	holt_task_unref(t);
	return 0;
}

TEST(task_spawned_into_a_canceled_group_runs_once_and_its_first_call_is_canceled)
{
	int runs = 0;

	ck_assert_int_eq(run_clean(spawn_into_canceled, &runs), 0);
	ck_assert_int_eq(runs, 1);
}

static int cancel_before_it_runs(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, count_and_yield, arg, .task = &t), 0);
	holt_task_cancel(t, NULL);
	holt_task_cancel(t, NULL);
	holt_task_unref(t);
	return holt_group_close(g, 0);
}

TEST(task_that_is_canceled_before_it_ran_still_runs_once)
{
	int runs = 0;

	ck_assert_int_eq(run_clean(cancel_before_it_runs, &runs), 0);
	ck_assert_int_eq(runs, 1);
}

/* A canceled spawner: all that may happen to it. *arg counts the runs. */
static int spawn_while_canceled(void *arg)
{
	int *runs = arg;
	holt_group *open = NULL, *full = NULL;
	holt_task *t = (holt_task *)1;
	struct holt_scope s;

	ck_assert_int_eq(holt_group_open(&open, .limit = 2), 0);
	ck_assert_int_eq(holt_group_open(&full, .limit = 1), 0);
	ck_assert_int_eq(holt_spawn(full, sleep_a_second, NULL), 0);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);

	ck_assert_int_eq(holt_spawn(open, count_and_yield, runs), 0); /* no cancellation point */
	ck_assert_int_eq(holt_spawn(full, count_and_yield, runs, .task = &t), -ECANCELED);
	ck_assert_ptr_null(t);
	t = (holt_task *)1;
	ck_assert_int_eq(holt_spawn(open, count_and_yield, runs, .task = &t, .until_ready = true), -ECANCELED);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(holt_group_count(open), 1);
	ck_assert_uint_eq(holt_group_count(full), 1);

	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_group_close(full, 0), 0);
	return holt_group_close(open, 0);
}

TEST(canceled_spawner_starts_nothing_where_it_had_to_wait_and_all_where_not)
{
	int runs = 0;

	ck_assert_int_eq(run_clean(spawn_while_canceled, &runs), 0);
	ck_assert_int_eq(runs, 1);
}

struct unready {
	holt_group *g;
	holt_task *task;
	int r, runs;
};

static int never_ready(void *arg)
{
	struct unready *u = arg;

	u->runs++;
	return holt_sleep(2 * HOLT_SEC);
}

static int starts_unready(void *arg)
{
	struct unready *u = arg;

	u->task = (holt_task *)1;
	u->r = holt_spawn(u->g, never_ready, u, .task = &u->task, .until_ready = true);
	return 0;
}

static int cancel_who_waits_for_ready(void *arg)
{
	struct unready *u = arg;
	holt_group *starters = NULL;

	ck_assert_int_eq(holt_group_open(&u->g), 0);
	ck_assert_int_eq(holt_group_open(&starters), 0);
	ck_assert_int_eq(holt_spawn(starters, starts_unready, u), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(starters, NULL);
	ck_assert_int_eq(holt_group_close(starters, 0), 0);
	ck_assert_int_eq(u->r, -ECANCELED);
	ck_assert_ptr_nonnull(u->task); /* it owns arg, and goes on */
	ck_assert(!holt_task_done(u->task));
	ck_assert_int_eq(holt_group_wait(u->g), 0);
	ck_assert_int_eq(holt_task_result(u->task), 0);
	holt_task_unref(u->task);
	return holt_group_close(u->g, 0);
}

TEST(until_ready_that_was_canceled_leaves_the_task_running_and_names_it)
{
	struct unready u = { .runs = 0 };

	ck_assert_int_eq(run_clean(cancel_who_waits_for_ready, &u), 0);
	ck_assert_int_eq(u.runs, 1);
}

/* ---- 7. a task inherits from its group, not from its spawner */

static const struct holt_local color = { .name = "color" };

struct inherits {
	holt_group *g;
	int r;
	const char *color;
	holt_time end;
};

static int sees_scope(void *arg)
{
	struct inherits *i = arg;

	i->color = holt_local_get(&color);
	i->r = holt_sleep(HOLT_MIN);
	i->end = harness_time();
	return 0;
}

static int spawns_elsewhere(void *arg)
{
	struct inherits *i = arg;
	struct holt_scope s;
	holt_group *own = NULL;

	ck_assert_int_eq(holt_local_set(&color, WORD("red")), 0);
	ck_assert_int_eq(holt_group_open(&own, .deadline = holt_in(HOLT_SEC)), 0);
	holt_scope_begin(&s, holt_in(HOLT_SEC), HOLT_SHIELD);
	ck_assert_int_eq(holt_spawn(i->g, sees_scope, i), 0);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_sleep(HOLT_HOUR)), -ETIME);
	return holt_group_close(own, 0);
}

static int spawn_out_of_a_deadline(void *arg)
{
	struct inherits *i = arg;
	holt_group *spawners = NULL;

	ck_assert_int_eq(holt_group_open(&i->g), 0);
	ck_assert_int_eq(holt_local_set(&color, WORD("blue")), 0);
	ck_assert_int_eq(holt_group_open(&spawners), 0);
	ck_assert_int_eq(holt_spawn(spawners, spawns_elsewhere, i), 0);
	ck_assert_int_eq(holt_group_close(spawners, 0), 0);
	return holt_group_close(i->g, 0);
}

TEST(task_is_not_canceled_by_the_deadline_of_its_spawner)
{
	struct inherits i = { .r = 1 };

	ck_assert_int_eq(run_clean(spawn_out_of_a_deadline, &i), 0);
	ck_assert_int_eq(i.r, 0);
	ck_assert_uint_eq(i.end, HOLT_MIN);
	ck_assert_str_eq(i.color, "blue");
}

static int outside_a_shield(void *arg)
{
	struct inherits *i = arg;
	struct holt_scope shield;

	ck_assert_int_eq(holt_group_open(&i->g), 0);
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	ck_assert_int_eq(holt_spawn(i->g, sees_scope, i), 0); /* its group is outside of the shield, so it is */
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(i->g, NULL);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_scope_end(&shield, 0);
	return holt_group_close(i->g, 0);
}

TEST(task_does_not_get_the_shield_of_its_spawner)
{
	struct inherits i = { .r = 1 };

	ck_assert_int_eq(run_clean(outside_a_shield, &i), 0);
	ck_assert_int_eq(i.r, -ECANCELED);
	ck_assert_uint_eq(i.end, 0);
}

/* ---- 8. who may spawn when */

static int spawn_in_finally(void *arg, int result)
{
	holt_group *g = arg;

	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("never")), -ESHUTDOWN);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("never"), .background = true), -ESHUTDOWN);
	ck_assert_int_eq(holt_finally(g, spawn_in_finally, g), -ESHUTDOWN);
	note("finally");
	return 0;
}

static int spawns_while_draining(void *arg)
{
	holt_group *g = arg;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), -ECANCELED);
	note("draining");
	holt_task_unref(t);
	return 0;
}

static int spawn_at_each_age(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .grace = HOLT_MIN), 0);
	ck_assert_int_eq(holt_finally(g, spawn_in_finally, g), 0);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("open")), 0);
	holt_group_stop(g, NULL);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("stopping")), 0);
	ck_assert_int_eq(holt_spawn(g, spawns_while_draining, g), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(g, NULL);
	return holt_group_close(g, 0);
}

TEST(spawning_works_until_the_finally_handlers_run)
{
	ck_assert_int_eq(run_clean(spawn_at_each_age, NULL), 0);
	ck_assert_str_eq(trace, "open stopping draining finally ");
	ck_assert_uint_eq(harness_time(), 0);
}

/* ---- 9. of deadlines that pass in one turn the outermost visible one takes it */

struct ends {
	ssize_t inner, outer;
	int first_call;
};

static int two_deadlines(void *arg)
{
	struct ends *e = arg;
	struct holt_scope outer, inner;

	holt_scope_begin(&outer, holt_in(2 * HOLT_SEC), 0);
	holt_scope_begin(&inner, holt_in(HOLT_SEC), 0);
	e->first_call = holt_yield();
	harness_advance(5 * HOLT_SEC); /* both pass while somebody computes: the same turn sees them */
	e->inner = holt_scope_end(&inner, holt_sleep(HOLT_HOUR));
	e->outer = holt_scope_end(&outer, e->inner);
	return 0;
}

TEST(two_deadlines_of_one_turn_go_to_the_outer_scope)
{
	struct ends e;

	ck_assert_int_eq(run_clean(two_deadlines, &e), 0);
	ck_assert_int_eq(e.first_call, 0);
	ck_assert_int_eq(e.inner, -ECANCELED);
	ck_assert_int_eq(e.outer, -ETIME);
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
}

static int two_deadlines_apart(void *arg)
{
	struct ends *e = arg;
	struct holt_scope outer, inner;

	holt_scope_begin(&outer, holt_in(2 * HOLT_SEC), 0);
	holt_scope_begin(&inner, holt_in(HOLT_SEC), 0);
	e->inner = holt_scope_end(&inner, holt_sleep(HOLT_HOUR));
	e->outer = holt_scope_end(&outer, holt_sleep(HOLT_HOUR));
	return 0;
}

TEST(deadlines_of_different_turns_go_each_to_its_scope)
{
	struct ends e;

	ck_assert_int_eq(run_clean(two_deadlines_apart, &e), 0);
	ck_assert_int_eq(e.inner, -ETIME);
	ck_assert_int_eq(e.outer, -ETIME);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int deadline_behind_a_shield(void *arg)
{
	struct ends *e = arg;
	struct holt_scope outer, shield, inner;

	holt_scope_begin(&outer, holt_in(HOLT_SEC), 0);
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	holt_scope_begin(&inner, holt_in(2 * HOLT_SEC), 0);
	e->inner = holt_scope_end(&inner, holt_sleep(HOLT_MIN)); /* the outer one passed before, but cannot be seen here */
	ck_assert_int_eq(holt_yield(), 0);
	holt_scope_end(&shield, 0);
	e->outer = holt_scope_end(&outer, holt_yield());
	return 0;
}

TEST(deadline_inside_a_shield_is_its_own_although_an_outer_one_passed)
{
	struct ends e;

	ck_assert_int_eq(run_clean(deadline_behind_a_shield, &e), 0);
	ck_assert_int_eq(e.inner, -ETIME);
	ck_assert_int_eq(e.outer, -ETIME);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int canceled_around_a_deadline(void *arg)
{
	struct ends *e = arg;
	struct holt_scope outer, inner;

	holt_scope_begin(&outer, HOLT_NEVER, 0);
	holt_scope_begin(&inner, holt_in(HOLT_SEC), 0);
	e->first_call = holt_sleep(HOLT_HOUR); /* the deadline, and nothing else */
	holt_scope_cancel(&outer, "later");
	e->inner = holt_scope_end(&inner, e->first_call);
	e->outer = holt_yield();
	holt_scope_end(&outer, 0);
	return 0;
}

TEST(deadline_that_passed_first_is_not_told_when_an_outer_scope_is_canceled_at_its_end)
{
	struct ends e;

	ck_assert_int_eq(run_clean(canceled_around_a_deadline, &e), 0);
	ck_assert_int_eq(e.first_call, -ECANCELED);
	ck_assert_int_eq(e.inner, -ECANCELED); /* so nobody takes it for his own, and goes on */
	ck_assert_int_eq(e.outer, -ECANCELED);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
}

static int past_deadline(void *arg)
{
	struct ends *e = arg;
	struct holt_sem free_permit = HOLT_SEM_INIT(1);
	struct holt_scope s;

	(void)arg;
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_scope_begin(&s, holt_now() - 1, 0);
	e->first_call = holt_sem_acquire(&free_permit);
	e->inner = holt_scope_end(&s, e->first_call);
	ck_assert_uint_eq(free_permit.count, 1);
	holt_scope_begin(&s, 0, 0);
	e->outer = holt_scope_end(&s, holt_sem_acquire(&free_permit));
	return 0;
}

TEST(deadline_in_the_past_fires_at_the_first_blocking_call)
{
	struct ends e;

	ck_assert_int_eq(run_clean(past_deadline, &e), 0);
	ck_assert_int_eq(e.first_call, -ECANCELED);
	ck_assert_int_eq(e.inner, -ETIME);
	ck_assert_int_eq(e.outer, -ETIME);
}

/* ---- 10. the first reason stays */

struct reasons {
	const char *at[4];
	unsigned repeats;
};

static int many_reasons(void *arg)
{
	struct reasons *r = arg;
	struct holt_scope s;
	holt_group *g = NULL;

	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	r->at[0] = holt_why();
	holt_scope_cancel(&s, "first");
	holt_scope_cancel(&s, "second");
	harness_advance(2 * HOLT_SEC);
	ck_assert_int_eq(holt_check(), -ECANCELED);
	ck_assert_str_eq(holt_why(), "first");
	ck_assert_int_eq((int)holt_scope_end(&s, -ECANCELED), -ECANCELED); /* the deadline came second */

	ck_assert_int_eq(holt_group_open(&g, .grace = HOLT_HOUR, .deadline = holt_in(HOLT_MIN)), 0);
	holt_group_stop(g, "a stop");
	holt_group_stop(g, "another");
	ck_assert_str_eq(holt_why(), "a stop");
	holt_group_cancel(g, "a cancellation");
	ck_assert_str_eq(holt_why(), "a stop");
	r->repeats = ((struct holt__scope *)g)->repeats;
	ck_assert_int_eq(holt_group_close(g, 0), 0);

	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq(holt_sleep(HOLT_MIN), -ECANCELED);
	holt_scope_cancel(&s, "after the deadline");
	ck_assert_str_ne(holt_why(), "after the deadline");
	ck_assert_int_eq((int)holt_scope_end(&s, -ECANCELED), -ETIME);
	r->at[1] = holt_why();
	return 0;
}

TEST(first_reason_is_never_rewritten_and_repeats_are_counted)
{
	struct reasons r;

	ck_assert_int_eq(run_clean(many_reasons, &r), 0);
	ck_assert_ptr_null(r.at[0]);
	ck_assert_ptr_null(r.at[1]);
	ck_assert_uint_eq(r.repeats, 2);
}

/* What cleans up after a cancellation is still inside the scope or group whose deadline passes then. */
static int clean_up_past_a_deadline(void *arg)
{
	struct holt_scope outer, inner, shield;
	holt_group *g = NULL;

	holt_scope_begin(&outer, HOLT_NEVER, 0);
	if (arg)
		ck_assert_int_eq(holt_group_open(&g, .deadline = holt_in(HOLT_SEC)), 0);
	else
		holt_scope_begin(&inner, holt_in(HOLT_SEC), 0);
	holt_scope_cancel(&outer, "enough");
	ck_assert_str_eq(holt_why(), "enough");
	holt_scope_begin(&shield, holt_in(HOLT_MIN), HOLT_SHIELD);
	ck_assert_int_eq(holt_sleep(2 * HOLT_SEC), 0);
	ck_assert_str_eq(holt_why(), "enough");
	ck_assert_int_eq((int)holt_scope_end(&shield, 0), 0);
	ck_assert_str_eq(holt_why(), "enough");
	if (arg)
		ck_assert_int_eq(holt_group_close(g, -ECANCELED), -ECANCELED);
	else
		ck_assert_int_eq((int)holt_scope_end(&inner, -ECANCELED), -ECANCELED);
	return (int)holt_scope_end(&outer, 0);
}

TEST_LOOP(deadline_that_passes_in_what_is_canceled_already_is_no_reason, 0, 2)
{
	ck_assert_int_eq(run_clean(clean_up_past_a_deadline, NUMBER(_i)), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int changes_its_reason(void *arg)
{
	struct holt_scope s;
	char why[] = "a reason";

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, why);
	memset(why, 'x', sizeof why - 1);
	ck_assert_str_eq(holt_why(), "a reason");
	holt_scope_end(&s, 0);
	return 0;
}

TEST(reason_is_copied)
{
	ck_assert_int_eq(run_clean(changes_its_reason, NULL), 0);
}

/* ---- 11. a shield holds off what comes from outside, until it ends or breaks */

struct shield {
	int inside, check_inside, after, end;
	bool stopping;
	char why[32];
	holt_time back;
};

static int works_in_a_shield(void *arg)
{
	struct shield *h = arg;
	struct holt_scope s;

	holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
	h->inside = holt_sleep(2 * HOLT_SEC);
	h->check_inside = holt_check();
	h->stopping = holt_stopping();
	snprintf(h->why, sizeof h->why, "%s", holt_why() ? holt_why() : "");
	h->end = (int)holt_scope_end(&s, 7);
	h->after = holt_yield();
	h->back = harness_time();
	return 0;
}

static int cancel_a_shield(void *arg)
{
	holt_group *g = NULL;
	struct holt_scope own;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, works_in_a_shield, arg), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(g, "enough");
	holt_scope_begin(&own, HOLT_NEVER, 0);
	ck_assert_int_eq((int)holt_scope_end(&own, holt_yield()), -ECANCELED);
	return holt_group_close(g, 0);
}

static int stop_a_shield(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .grace = HOLT_NOW), 0);
	ck_assert_int_eq(holt_spawn(g, works_in_a_shield, arg), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_stop(g, "enough");
	return holt_group_close(g, 0);
}

TEST_LOOP(stop_and_cancellation_are_latched_by_a_shield_and_seen_at_its_end, 0, 2)
{
	struct shield h = { .inside = 1 };

	ck_assert_int_eq(run_clean(_i ? stop_a_shield : cancel_a_shield, &h), 0);
	ck_assert_int_eq(h.inside, 0);
	ck_assert_int_eq(h.check_inside, 0);
	ck_assert(h.stopping); /* these two look through it */
	ck_assert_str_eq(h.why, "enough");
	ck_assert_int_eq(h.end, 7);
	ck_assert_int_eq(h.after, -ECANCELED);
	ck_assert_uint_eq(h.back, 2 * HOLT_SEC);
}

struct broken {
	int sleep, end;
	holt_time at;
};

static int three_shields_deep(void *arg)
{
	struct broken *b = arg;
	struct holt_scope s[3];
	int r;

	for (int i = 0; i < 3; i++)
		holt_scope_begin(&s[i], holt_in(HOLT_HOUR), HOLT_SHIELD);
	r = b->sleep = holt_sleep(30 * HOLT_MIN);
	b->at = harness_time();
	for (int i = 3; i-- > 0;)
		r = (int)holt_scope_end(&s[i], r);
	return b->end = r;
}

/* The group that is canceled is further out, and its cleanup is not the inner one's. */
static int opens_a_group_of_its_own(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .cleanup = HOLT_HOUR), 0);
	ck_assert_int_eq(holt_spawn(g, three_shields_deep, arg), 0);
	return holt_group_close(g, 0);
}

static int break_shields(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .cleanup = 8 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_spawn(g, opens_a_group_of_its_own, arg), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(g, NULL);
	return holt_group_close(g, 0);
}

TEST(shields_at_any_depth_break_at_half_of_the_cleanup_of_a_group_around_them)
{
	struct broken b = { .sleep = 1 };

	ck_assert_int_eq(run_clean(break_shields, &b), 0);
	ck_assert_int_eq(b.sleep, -ECANCELED);
	ck_assert_int_eq(b.end, -ECANCELED);
	ck_assert_uint_eq(b.at, 5 * HOLT_SEC);
}

static int own_deadline_of_a_shield(void *arg)
{
	struct holt_scope outer, shield;
	ssize_t *r = arg;

	holt_scope_begin(&outer, HOLT_NEVER, 0);
	holt_scope_begin(&shield, holt_in(HOLT_SEC), HOLT_SHIELD);
	holt_scope_cancel(&outer, NULL);
	r[0] = holt_scope_end(&shield, holt_sleep(HOLT_MIN));
	r[1] = holt_scope_end(&outer, holt_yield());
	return 0;
}

TEST(shield_that_ran_out_says_so_although_something_is_latched)
{
	ssize_t r[2];

	ck_assert_int_eq(run_clean(own_deadline_of_a_shield, r), 0);
	ck_assert_int_eq(r[0], -ETIME);
	ck_assert_int_eq(r[1], -ECANCELED);
}

static int failure_inside_a_shield(void *arg)
{
	struct holt_scope shield;
	holt_group *g = NULL;
	int r;

	(void)arg;
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-EIO)), 0);
	r = holt_sleep(HOLT_MIN);
	ck_assert_int_eq(r, -ECANCELED);
	r = holt_group_close(g, r);
	return (int)holt_scope_end(&shield, r);
}

TEST(failure_in_a_group_inside_a_shield_is_seen_in_there)
{
	ck_assert_int_eq(run_clean(failure_inside_a_shield, NULL), -EIO);
	ck_assert_uint_eq(harness_time(), 0);
}

static int shields_while_canceled(void *arg)
{
	struct holt_scope outer, shield, inner;

	(void)arg;
	holt_scope_begin(&outer, HOLT_NEVER, 0);
	holt_scope_cancel(&outer, NULL);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), -ECANCELED);
	for (int i = 0; i < 2; i++) { /* again and again */
		holt_scope_begin(&shield, holt_in(HOLT_MIN), HOLT_SHIELD);
		ck_assert_int_eq(holt_check(), 0);
		ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
		holt_scope_begin(&inner, HOLT_NEVER, 0);
		ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
		holt_scope_end(&inner, 0);
		holt_scope_end(&shield, 0);
		ck_assert_int_eq(holt_sleep(HOLT_SEC), -ECANCELED);
	}
	return (int)holt_scope_end(&outer, 0);
}

TEST(shield_that_begins_in_what_is_canceled_already_holds_it_off)
{
	ck_assert_int_eq(run_clean(shields_while_canceled, NULL), 0);
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);
}

static int canceled_inside_a_shield(void *arg)
{
	struct holt_scope shield, inner;

	(void)arg;
	holt_scope_begin(&shield, holt_in(HOLT_MIN), HOLT_SHIELD);
	holt_scope_begin(&inner, HOLT_NEVER, 0);
	holt_scope_cancel(&inner, "inner");
	ck_assert_int_eq((int)holt_scope_end(&inner, holt_sleep(HOLT_SEC)), -ECANCELED);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_scope_cancel(&shield, "the shield itself");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), -ECANCELED);
	ck_assert_str_eq(holt_why(), "the shield itself");
	ck_assert_int_eq((int)holt_scope_end(&shield, -ECANCELED), -ECANCELED);
	return holt_sleep(HOLT_SEC);
}

TEST(shield_holds_off_neither_its_own_cancellation_nor_one_inside)
{
	ck_assert_int_eq(run_clean(canceled_inside_a_shield, NULL), 0);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

/* What a task outside of the shield spawned into the group is in the shield, as its group is. */
struct roof {
	holt_group *g;
	int member, guest, after;
};

static int sleeps_under_the_roof(void *arg)
{
	*(int *)arg = holt_sleep(2 * HOLT_SEC);
	return 0;
}

static int sends_a_guest(void *arg)
{
	struct roof *f = arg;

	return holt_spawn(f->g, sleeps_under_the_roof, &f->guest);
}

static int group_in_a_shield(void *arg)
{
	struct roof *f = arg;
	struct holt_scope outer, shield;
	holt_group *guests = NULL;

	holt_scope_begin(&outer, HOLT_NEVER, 0);
	ck_assert_int_eq(holt_group_open(&guests), 0);
	holt_scope_begin(&shield, holt_in(HOLT_MIN), HOLT_SHIELD);
	ck_assert_int_eq(holt_group_open(&f->g), 0);
	ck_assert_int_eq(holt_spawn(f->g, sleeps_under_the_roof, &f->member), 0);
	ck_assert_int_eq(holt_spawn(guests, sends_a_guest, f), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_scope_cancel(&outer, NULL);
	ck_assert_int_eq(holt_group_close(f->g, 7), 7);
	ck_assert_int_eq((int)holt_scope_end(&shield, 0), 0);
	f->after = holt_yield();
	ck_assert_int_eq(holt_group_close(guests, 0), 0);
	return (int)holt_scope_end(&outer, 0);
}

TEST(members_of_a_group_inside_a_shield_are_shielded_whoever_spawned_them)
{
	struct roof f = { .member = 1, .guest = 1 };

	ck_assert_int_eq(run_clean(group_in_a_shield, &f), 0);
	ck_assert_int_eq(f.member, 0);
	ck_assert_int_eq(f.guest, 0);
	ck_assert_int_eq(f.after, -ECANCELED);
	ck_assert_uint_eq(harness_time(), 2 * HOLT_SEC);
}

static int shield_for_ever(void *arg)
{
	struct holt_scope s;

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_SHIELD);
	return 0;
}

static int run_shield_for_ever(void *arg)
{
	return holt_run(shield_for_ever, arg);
}

TEST(shield_without_a_finite_deadline_aborts_with_a_sentence)
{
	int status = harness_child(run_shield_for_ever, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_ptr_nonnull(strstr(harness_output(), "a shield needs a finite deadline"));
}

/* ---- 12. finally handlers run newest first, each once, after every task, shielded, in bounded time */

struct handled {
	holt_task *opener;
	int result[4], sleep[4], n;
	holt_time begin[4], end[4];
	holt_group *g;
};

static int note_newest_first(void *arg, int result)
{
	struct handled *h = arg;

	ck_assert_ptr_eq(holt_self(), h->opener);
	ck_assert_uint_eq(holt_group_count(h->g), 0);
	h->result[h->n] = result;
	h->begin[h->n] = harness_time();
	h->sleep[h->n] = holt_sleep(HOLT_SEC);
	h->end[h->n] = harness_time();
	note(h->n == 0 ? "first" : h->n == 1 ? "second" : "third");
	return h->n++ == 1 ? -EBADMSG : 0;
}

static int ends_late(void *arg)
{
	int r;

	(void)arg;
	r = shielded(NULL);
	note("member");
	return r;
}

static int three_handlers(void *arg)
{
	struct handled *h = arg;

	h->opener = holt_self();
	ck_assert_int_eq(holt_group_open(&h->g, .name = "g", .cleanup = 10 * HOLT_SEC), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_finally(h->g, note_newest_first, h), 0);
	ck_assert_int_eq(holt_spawn(h->g, ends_late, NULL), 0);
	ck_assert_int_eq(holt_yield(), 0);
	return holt_group_close(h->g, -EIO);
}

TEST(finally_handlers_run_after_every_task_shielded_with_the_result_of_the_group)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(three_handlers, &h), -EIO);
	ck_assert_int_eq(h.n, 3);
	ck_assert_str_eq(trace, "member first second third ");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(h.result[i], -EIO);
		ck_assert_int_eq(h.sleep[i], 0);
		ck_assert_uint_eq(h.begin[i], (5 + (holt_time)i) * HOLT_SEC); /* members' shields broke at half */
	}
}

static int note_word(void *word, int result)
{
	(void)result;
	note(word);
	return 0;
}

static int order_of_handlers(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_finally(g, note_word, WORD("oldest")), 0);
	ck_assert_int_eq(holt_finally(g, note_word, WORD("middle")), 0);
	ck_assert_int_eq(holt_finally(g, note_word, WORD("newest")), 0);
	return holt_group_close(g, 0);
}

TEST(finally_handlers_run_newest_first_each_exactly_once)
{
	ck_assert_int_eq(run_clean(order_of_handlers, NULL), 0);
	ck_assert_str_eq(trace, "newest middle oldest ");
}

static int sleeps_too_long(void *arg, int result)
{
	struct handled *h = arg;

	(void)result;
	h->begin[h->n] = harness_time();
	h->sleep[h->n] = holt_sleep(HOLT_HOUR);
	h->result[h->n] = holt_yield();
	h->end[h->n] = harness_time();
	h->n++;
	return 0;
}

static int overrunning_handlers(void *arg)
{
	struct handled *h = arg;

	ck_assert_int_eq(holt_group_open(&h->g, .name = "slow", .cleanup = 4 * HOLT_SEC), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_finally(h->g, sleeps_too_long, h), 0);
	ck_assert_int_eq(holt_spawn(h->g, shielded, NULL), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(h->g, NULL);
	return holt_group_close(h->g, 0);
}

TEST(handler_that_overruns_is_ended_and_the_later_ones_still_run_canceled)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(overrunning_handlers, &h), 0);
	ck_assert_int_eq(h.n, 3);
	ck_assert_uint_eq(h.begin[0], 2 * HOLT_SEC); /* members' shields broke at half */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(h.sleep[i], -ECANCELED);
		ck_assert_int_eq(h.result[i], -ECANCELED);
		ck_assert_uint_eq(h.end[i], 4 * HOLT_SEC);
	}
}

TEST(handler_that_overran_is_named_in_the_log)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(overrunning_handlers, &h), 0);
	ck_assert_uint_eq(harness_count(harness_log(), "took longer than the cleanup allows"), 1);
	ck_assert(harness_logged("slow: finally handler 1 ("));
}

TEST(handler_that_failed_is_named_in_the_log_and_the_others_run)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(three_handlers, &h), -EIO);
	ck_assert_int_eq(h.n, 3);
	ck_assert(harness_logged("g: finally handler 2 ("));
	ck_assert_uint_eq(harness_count(harness_log(), strerror(EBADMSG)), 1);
	ck_assert_uint_eq(harness_count(harness_log(), "finally handler"), 1);
}

static int handler_of_a_group_that_was_not_canceled(void *arg)
{
	struct handled *h = arg;

	ck_assert_int_eq(holt_group_open(&h->g, .cleanup = 4 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_finally(h->g, sleeps_too_long, h), 0);
	ck_assert_int_eq(holt_spawn(h->g, sleep_a_second, NULL), 0);
	return holt_group_close(h->g, 0);
}

TEST(handlers_of_a_group_that_ended_well_have_its_cleanup_from_their_beginning)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(handler_of_a_group_that_was_not_canceled, &h), 0);
	ck_assert_int_eq(h.sleep[0], -ECANCELED);
	ck_assert_uint_eq(h.begin[0], HOLT_SEC);
	ck_assert_uint_eq(h.end[0], 5 * HOLT_SEC);
}

static int inner_group_with_a_handler(void *arg)
{
	struct handled *h = arg;

	ck_assert_int_eq(holt_group_open(&h->g, .cleanup = HOLT_HOUR), 0);
	ck_assert_int_eq(holt_finally(h->g, sleeps_too_long, h), 0);
	return holt_group_close(h->g, holt_sleep(HOLT_HOUR));
}

static int handler_below_a_canceled_parent(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .cleanup = 6 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_spawn(g, inner_group_with_a_handler, arg), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(g, NULL);
	return holt_group_close(g, 0);
}

TEST(handlers_have_at_most_what_is_left_of_the_cleanup_of_the_parent)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(handler_below_a_canceled_parent, &h), 0);
	ck_assert_int_eq(h.sleep[0], -ECANCELED);
	ck_assert_uint_eq(h.begin[0], HOLT_SEC);
	ck_assert_uint_eq(h.end[0], 7 * HOLT_SEC);
}

static int shields_in_finally(void *arg, int result)
{
	struct handled *h = arg;
	holt_group *g = NULL;

	(void)result;
	h->begin[0] = harness_time();
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_finally(g, sleeps_too_long, h), 0);
	ck_assert_int_eq(holt_spawn(g, shielded, NULL), 0);
	ck_assert_int_eq(holt_group_close(g, 0), -ECANCELED);
	return shielded(NULL);
}

static int shielding_handler(void *arg)
{
	struct handled *h = arg;

	ck_assert_int_eq(holt_group_open(&h->g, .cleanup = 4 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_finally(h->g, shields_in_finally, h), 0);
	return holt_group_close(h->g, 0);
}

TEST(shields_inside_a_handler_and_its_groups_break_when_its_time_is_over)
{
	struct handled h = { .n = 0 };

	ck_assert_int_eq(run_clean(shielding_handler, &h), 0);
	ck_assert_int_eq(h.n, 1);
	ck_assert_int_eq(h.sleep[0], -ECANCELED);
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);
}

static int does_all_that_it_may(void *arg, int result)
{
	struct holt_call calls[2] = { { .fn = sleep_a_second }, { .fn = give, .arg = NUMBER(2) } };
	struct holt_scope s;
	holt_group *g = NULL;

	(void)arg;
	(void)result;
	ck_assert_int_eq(holt_timeout(HOLT_SEC, sleep_long, NULL), -ETIME);
	ck_assert_int_eq(holt_gather(calls, 2, HOLT_ALL), 0);
	ck_assert_int_eq(holt_group_open(&g, .name = "inner"), 0);
	ck_assert_int_eq(holt_finally(g, note_word, WORD("inner-finally")), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL), 0);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq((int)holt_scope_end(&s, holt_yield()), -ECANCELED);
	holt_task_cancel(holt_self(), NULL); /* oneself: from outside of the handlers' shield */
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	note("done");
	return 0;
}

static int busy_handler(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_finally(g, does_all_that_it_may, NULL), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	return holt_yield();
}

TEST(handler_may_open_groups_spawn_time_out_and_cancel)
{
	ck_assert_int_eq(run_clean(busy_handler, NULL), -ECANCELED);
	ck_assert_str_eq(trace, "inner-finally done ");
	ck_assert_uint_eq(harness_time(), 4 * HOLT_SEC);
}

/* ---- 13. escalation only rises: run, stop, cancel, break, exit */

static holt_time times[8];

static int until_stopped(void *arg)
{
	struct holt_scope s;
	int r;

	(void)arg;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	r = (int)holt_scope_end(&s, holt_sleep(HOLT_HOUR));
	times[0] = harness_time();
	return r == -ESHUTDOWN ? 0 : -EBADMSG;
}

static int until_canceled(void *arg)
{
	int r = sleep_long(arg);

	times[1] = harness_time();
	return r;
}

static int until_broken(void *arg)
{
	int r = shielded(arg);

	times[2] = harness_time();
	return r;
}

static int sleeps_in_finally(void *arg, int result)
{
	(void)arg;
	(void)result;
	holt_sleep(HOLT_HOUR);
	times[3] = harness_time();
	return 0;
}

static int whole_ladder(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_finally(g, sleeps_in_finally, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, until_stopped, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, until_canceled, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, until_broken, NULL), 0);
	return holt_group_close(g, 0);
}

static void stop_the_loop(void *why)
{
	holt_loop_stop(holt_loop_self(), why);
}

TEST(stop_then_cancel_then_break_then_the_end_of_handlers)
{
	for (holt_time t = 1; t < 12; t++)
		harness_at(t * HOLT_SEC, stop_the_loop, WORD("again and again")); /* repeats are harmless: they prolong nothing */
	ck_assert_int_eq(harness_run(whole_ladder, NULL, .grace = 3 * HOLT_SEC, .cleanup = 10 * HOLT_SEC), 0);
	ck_assert_uint_eq(times[0], HOLT_SEC);
	ck_assert_uint_eq(times[1], 4 * HOLT_SEC);
	ck_assert_uint_eq(times[2], 9 * HOLT_SEC);
	ck_assert_uint_eq(times[3], 14 * HOLT_SEC);
}

static int rises_only(void *arg)
{
	struct holt__scope *s;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .grace = HOLT_HOUR, .cleanup = 10 * HOLT_SEC), 0);
	s = (struct holt__scope *)g;
	holt_group_stop(g, NULL);
	ck_assert_int_eq(s->seen, HOLT__STOP);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(s->seen, HOLT__CANCEL);
	holt_group_stop(g, NULL);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(s->seen, HOLT__CANCEL);
	harness_advance(6 * HOLT_SEC);
	ck_assert_int_eq(holt_yield(), -ECANCELED);
	ck_assert_int_eq(holt_finally(g, note_word, WORD("finally")), 0);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("task")), 0);
	holt_group_stop(g, NULL);
	return holt_group_close(g, 0);
}

TEST(stop_of_what_is_canceled_changes_nothing)
{
	ck_assert_int_eq(run_clean(rises_only, NULL), 0);
	ck_assert_str_eq(trace, "task finally ");
}

static void exit_saying_when(int status)
{
	fprintf(stderr, "left at %d ms\n", (int)(harness_time() / HOLT_MS));
	fflush(NULL);
	_exit(status);
}

/* Waits in a loop, whatever it is told. */
static int ignores_all(void *arg)
{
	(void)arg;
	for (;;) {
		harness_advance(10 * HOLT_US);
		holt_yield();
	}
	return 0;
}

static struct holt_lock never_released;
static struct holt_cond condition;

static int waits_past_all(void *arg)
{
	(void)arg;
	holt_lock_acquire(&never_released);
	return holt_cond_wait(&condition, &never_released);
}

static int holds_for_ever(void *arg)
{
	(void)arg;
	holt_lock_acquire(&never_released);
	while (holt_sleep(HOLT_HOUR) == 0 || shielded(NULL) == 0 || !arg)
		harness_advance(HOLT_SEC);
	return 0;
}

static int leave_behind(void *arg)
{
	holt_group *g = NULL;

	stop_the_loop(WORD("time to go"));
	holt_group_open(&g, .name = "web");
	if (arg) {
		holt_spawn(g, ignores_all, NULL, .name = "deaf");
	} else {
		holt_spawn(g, waits_past_all, NULL, .name = "deaf");
		holt_spawn(g, holds_for_ever, NULL, .name = "owner");
	}
	return holt_group_close(g, 0);
}

struct leave {
	void *how;
	holt_time cleanup;
};

static int run_to_the_exit(void *arg)
{
	struct leave *l = arg;

	harness_sys.exit = exit_saying_when;
	return holt_run(leave_behind, l->how, .grace = 2 * HOLT_SEC, .cleanup = l->cleanup);
}

TEST_LOOP(process_that_cannot_end_names_who_held_it_up_and_leaves_by_exit_1, 0, 2)
{
	int status = harness_child(run_to_the_exit, &(struct leave){ NUMBER(_i), 5 * HOLT_SEC });

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_ptr_nonnull(strstr(harness_output(), "<2>web/deaf has not ended")); /* critical: the last word */
	ck_assert_ptr_nonnull(strstr(harness_output(), "time to go"));
	if (_i == 0)
		ck_assert_ptr_nonnull(strstr(harness_output(), "waits for lock"));
}

/* A tenth of the cleanup, at least 100 ms and at most 1 s, after its end. */
TEST_LOOP(process_leaves_a_tenth_of_the_cleanup_after_its_end_within_100_ms_and_1_s, 0, 3)
{
	static const holt_time cleanup[] = { 500 * HOLT_MS, 5 * HOLT_SEC, HOLT_MIN };
	static const char *const at[] = { "left at 2600 ms", "left at 7500 ms", "left at 63000 ms" };

	harness_child(run_to_the_exit, &(struct leave){ NUMBER(1), cleanup[_i] });
	ck_assert_msg(strstr(harness_output(), at[_i]) != NULL, "%s", harness_output());
}

/* ---- 14. who ignores cancellation is named */

struct nags {
	unsigned at[128]; /* lines so far, after so many seconds */
	holt_time grace;
};

static int counts_nags(void *arg)
{
	struct nags *n = arg;
	struct holt_scope s;

	holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
	for (int i = 0; i < 128; i++) {
		holt_sleep_until(HARNESS_EPOCH + (holt_time)i * HOLT_SEC + HOLT_SEC / 2);
		n->at[i] = (unsigned)harness_count(harness_log(), "deaf has not ended");
	}
	holt_scope_end(&s, 0);
	return 0;
}

static int named_again(void *arg)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .name = "web", .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, shielded, NULL, .name = "deaf"), 0);
	ck_assert_int_eq(holt_spawn(g, counts_nags, arg), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_group_cancel(g, "enough");
	return holt_group_close(g, 0);
}

TEST(who_ignores_a_cancellation_is_named_again_and_again_with_back_off)
{
	static const int second[] = { 1, 3, 7, 15, 31, 63, 123 };
	struct nags n;

	trace[0] = 0;
	ck_assert_int_eq(harness_run(named_again, &n, .cleanup = HOLT_NEVER), 0);
	ck_assert_msg(
		harness_logged("web/deaf has not ended 1s after it was canceled (enough): shielded, "), "%.600s", harness_log());
	ck_assert_uint_eq(n.at[0], 0);
	for (unsigned i = 0; i < HOLT__N(second); i++) {
		ck_assert_uint_eq(n.at[second[i] - 1], i);
		ck_assert_uint_eq(n.at[second[i]], i + 1);
	}
}

static int stopped_by_a_root_without_grace(void *arg)
{
	(void)arg;
	stop_the_loop(WORD("enough"));
	return shielded(NULL);
}

TEST(who_ignores_a_stop_without_grace_is_named_too)
{
	ck_assert_int_eq(harness_run(stopped_by_a_root_without_grace, NULL), 0);
	ck_assert(harness_logged("main has not ended 1s after"));
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
}

static int stopped_by_a_group_without_grace(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .grace = HOLT_NOW), 0);
	ck_assert_int_eq(holt_spawn(g, shielded, NULL, .name = "deaf"), 0);
	ck_assert_int_eq(holt_yield(), 0);
	stop_the_loop(WORD("enough")); /* of the root, whose own grace is long: this group alone is canceled */
	return holt_group_close(g, 0);
}

TEST(who_ignores_the_cancellation_of_a_group_without_grace_is_named_too)
{
	ck_assert_int_eq(harness_run(stopped_by_a_group_without_grace, NULL, .grace = HOLT_MIN), 0);
	ck_assert(harness_logged("deaf has not ended 1s after"));
	ck_assert_uint_eq(harness_time(), 5 * HOLT_SEC);
}

static int spins(void *arg)
{
	unsigned *n = arg;

	for (*n = 0; *n < 1500 && holt_sleep(HOLT_SEC) == -ECANCELED; ++*n)
		;
	return 0;
}

static int other_beside_a_spinner(void *arg)
{
	unsigned *n = arg;

	n[1] = n[0]; /* how far the spinner was when we had our turn */
	return 0;
}

static int cancel_a_spinner(void *arg)
{
	unsigned *n = arg;
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g, .name = "web"), 0);
	ck_assert_int_eq(holt_spawn(g, spins, n), 0);
	ck_assert_int_eq(holt_spawn(g, other_beside_a_spinner, n), 0);
	holt_group_cancel(g, NULL);
	return holt_group_close(g, 0);
}

TEST(task_that_sees_a_thousand_cancellations_without_suspending_has_to_yield)
{
	unsigned n[2] = { 0, 0 };

	ck_assert_int_eq(run_clean(cancel_a_spinner, n), 0);
	ck_assert_uint_eq(n[0], 1500);
	ck_assert_uint_ge(n[1], 999);
	ck_assert_uint_le(n[1], 1000);
}

TEST(task_that_spins_in_cancellations_is_named)
{
	unsigned n[2] = { 0, 0 };

	ck_assert_int_eq(run_clean(cancel_a_spinner, n), 0);
	ck_assert_uint_eq(harness_count(harness_log(), "cancel spin"), 1);
	ck_assert(harness_logged("web/spins: cancel spin"));
}

/* ---- 15. a member's -ECANCELED is never a failure of its group */

static void no_failure(void *arg, const struct holt_failure *f)
{
	(void)arg;
	ck_abort_msg("%s was called a failure: %d", f->path, f->result);
}

static int canceled_members(void *kind)
{
	holt_group *g = NULL;
	holt_task *t = NULL;

	ck_assert_int_eq(holt_group_open(&g, .kind = (enum holt_kind)(intptr_t)kind, .failed = no_failure), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t), 0);
	ck_assert_int_eq(holt_spawn(g, give, NUMBER(-ECANCELED)), 0); /* nobody asked for it */
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t, NULL);
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0); /* the group is not canceled */
	ck_assert_int_eq(holt_task_result(t), -ECANCELED);
	holt_task_unref(t);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t), 0);
	holt_group_cancel(g, NULL);
	ck_assert_int_eq(holt_group_wait(g), -ECANCELED);
	holt_task_unref(t);
	return holt_group_close(g, 5);
}

TEST_LOOP(canceled_member_is_no_failure_of_any_kind_of_group, 0, 3)
{
	ck_assert_int_eq(run_clean(canceled_members, NUMBER(_i)), 0);
	ck_assert_str_eq(harness_log(), "");
}

/* ---- 16. a stop that was asked for before the loop runs is remembered */

static int sees_the_stop(void *arg)
{
	struct shield *h = arg;

	h->after = holt_yield();
	h->stopping = holt_stopping();
	snprintf(h->why, sizeof h->why, "%s", holt_why() ? holt_why() : "");
	return h->after;
}

TEST(stop_before_the_run_cancels_a_root_without_grace_before_its_first_call)
{
	struct shield h = { .after = 1 };

	holt_loop_stop(holt_loop_self(), "early");
	ck_assert_int_eq(run_clean(sees_the_stop, &h), 0);
	ck_assert_int_eq(h.after, -ECANCELED);
	ck_assert(h.stopping);
	ck_assert_str_eq(h.why, "early");
	ck_assert_int_eq(run_clean(sees_the_stop, &h), 0); /* one loop is one run: the next knows nothing of it */
	ck_assert_int_eq(h.after, 0);
	ck_assert(!h.stopping);
}

TEST(stop_before_the_run_stops_a_root_with_grace)
{
	struct shield h = { .after = 1 };

	holt_loop_stop(holt_loop_self(), "early");
	ck_assert_int_eq(harness_run(sees_the_stop, &h, .grace = HOLT_SEC), 0);
	ck_assert_int_eq(h.after, 0);
	ck_assert(h.stopping);
	ck_assert_str_eq(h.why, "early");
}

/* ---- 17. what may be called from other threads, and from signal handlers */

struct outside {
	holt_loop *loop;
	pthread_t thread;
	struct holt_event called;
	holt_queue *q;
	int results[8], got[8];
};

static void put_four(void *arg)
{
	struct outside *o = arg;

	for (int i = 0; i < 4; i++)
		o->results[i] = holt_queue_try_put(o->q, &i);
}

static int runs_on_the_loop(void *arg)
{
	struct outside *o = arg;

	ck_assert_ptr_eq(holt_loop_self(), o->loop);
	ck_assert_ptr_nonnull(holt_self());
	ck_assert_int_eq(holt_yield(), 0);
	return 42;
}

static void *other_thread(void *arg)
{
	struct outside *o = arg;
	holt_time now = holt_now();

	o->results[4] = holt_loop_call(o->loop, put_four, o);
	o->results[5] = holt_loop_run(o->loop, runs_on_the_loop, o);
	o->results[6] = holt_in(HOLT_SEC) >= now + HOLT_SEC ? 0 : -EINVAL;
	holt_log(LOG_INFO, "from another thread");
	holt_loop_unref(holt_loop_ref(o->loop));
	holt_loop_stop(o->loop, "from another thread");
	holt_loop_unref(o->loop);
	return NULL;
}

static int hears_the_other_thread(void *arg)
{
	struct outside *o = arg;

	o->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(holt_queue_open(&o->q, sizeof(int), HOLT_UNBOUNDED), 0);
	ck_assert_int_eq(pthread_create(&o->thread, NULL, other_thread, o), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(holt_queue_get(o->q, &o->got[i]), 0);
	ck_assert_int_eq(holt_sleep(HOLT_NEVER), -ECANCELED);
	ck_assert_str_eq(holt_why(), "from another thread");
	pthread_join(o->thread, NULL);
	holt_queue_close(o->q);
	return -ECANCELED;
}

TEST(call_run_stop_and_log_work_from_another_thread)
{
	struct outside o = { .got = { 9, 9, 9, 9 } };

	ck_assert_int_eq(run_clean(hears_the_other_thread, &o), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(o.results[i], 0);
		ck_assert_int_eq(o.got[i], i);
	}
	ck_assert_int_eq(o.results[4], 0);
	ck_assert_int_eq(o.results[5], 42);
	ck_assert_int_eq(o.results[6], 0);
}

static holt_loop *loop_of_handler;

static void stop_in_a_handler(int sig)
{
	(void)sig;
	holt_loop_stop(loop_of_handler, "by a signal");
}

static int stopped_by_a_signal(void *arg)
{
	(void)arg;
	loop_of_handler = holt_loop_self();
	signal(SIGUSR2, stop_in_a_handler);
	ck_assert_int_eq(raise(SIGUSR2), 0);
	ck_assert_int_eq(holt_sleep(HOLT_HOUR), -ECANCELED);
	ck_assert_str_eq(holt_why(), "by a signal");
	return 0;
}

TEST(loop_stop_works_in_a_signal_handler)
{
	ck_assert_int_eq(run_clean(stopped_by_a_signal, NULL), 0);
	ck_assert_uint_eq(harness_time(), 0);
}

/* ---- 18. in the order of waking */

static int waits_for_event(void *arg)
{
	int r = holt_event_wait(arg);

	note(holt_task_name(holt_self()));
	return r;
}

static int order_of_waking(void *arg)
{
	struct holt_event one = { .set = false }, two = { .set = false };
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, waits_for_event, &one, .name = "a"), 0);
	ck_assert_int_eq(holt_spawn(g, waits_for_event, &two, .name = "b"), 0);
	ck_assert_int_eq(holt_spawn(g, waits_for_event, &one, .name = "c"), 0);
	note("spawned");
	ck_assert_int_eq(holt_yield(), 0);
	holt_event_set(&two);
	holt_event_set(&one);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("d")), 0);
	note("woken");
	ck_assert_int_eq(holt_yield(), 0);
	note("me");
	return holt_group_close(g, 0);
}

TEST(tasks_run_in_the_order_of_waking_and_spawned_ones_after_the_spawner_suspended)
{
	ck_assert_int_eq(run_clean(order_of_waking, NULL), 0);
	ck_assert_str_eq(trace, "spawned woken b a c d me ");
}

static int sleeps_ms(void *ms)
{
	int r = holt_sleep((holt_time)(intptr_t)ms * HOLT_MS);

	note(holt_task_name(holt_self()));
	return r;
}

static int order_of_timers(void *arg)
{
	static const struct {
		int ms;
		const char *name;
	} sleepers[] = { { 70, "g" }, { 30, "d" }, { 10, "a" }, { 30, "e" }, { 20, "b" }, { 69, "f" }, { 20, "c" } };
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (unsigned i = 0; i < HOLT__N(sleepers); i++)
		ck_assert_int_eq(holt_spawn(g, sleeps_ms, NUMBER(sleepers[i].ms), .name = sleepers[i].name), 0);
	ck_assert_int_eq(holt_yield(), 0);
	harness_advance(HOLT_SEC); /* all of them pass at once */
	return holt_group_close(g, 0);
}

TEST(timers_of_one_turn_wake_in_the_order_of_their_times)
{
	ck_assert_int_eq(run_clean(order_of_timers, NULL), 0);
	ck_assert_str_eq(trace, "a b c d e f g ");
}

static int takes_room(void *arg)
{
	holt_group *g = arg;

	ck_assert_int_eq(holt_spawn(g, note_it, WORD(holt_task_name(holt_self()))), 0);
	return holt_group_wait(g);
}

static int order_of_room(void *arg)
{
	holt_group *g = NULL, *spawners = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .limit = 1), 0);
	ck_assert_int_eq(holt_group_open(&spawners), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_second, NULL), 0);
	ck_assert_int_eq(holt_spawn(spawners, takes_room, g, .name = "a"), 0);
	ck_assert_int_eq(holt_spawn(spawners, takes_room, g, .name = "b"), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(holt_spawn(g, note_it, WORD("me")), 0);
	ck_assert_int_eq(holt_group_close(spawners, 0), 0);
	return holt_group_close(g, 0);
}

TEST(who_waits_for_room_in_a_group_is_served_in_order)
{
	ck_assert_int_eq(run_clean(order_of_room, NULL), 0);
	ck_assert_str_eq(trace, "a b me ");
}
