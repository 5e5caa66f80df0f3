/* SPDX-License-Identifier: MIT */
/*
 * The eighteen rules of cancellation, in their order, each by one test or more that is named after what it claims.
 * Together they are the promise that code written against the library may lean on; what single functions return, and
 * how they are misused, stands in the tests of their own areas.
 *
 * Time is virtual: an hour passes when nobody has anything else to do. A test that needs something to happen at a
 * moment has a task that sleeps until then.
 */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "task/task.h"

#define NUMBER(n) ((void *)(intptr_t)(n))

/* ---- what the tests are made of */

/* The order in which things happened, a word each: "a b c ". */
static char trace[512];

static void note(const char *word)
{
	strcat(trace, word);
	strcat(trace, " ");
}

static int run_clean(holt_fn fn, void *arg)
{
	trace[0] = 0;
	return harness_run(fn, arg);
}

static int give(void *number)
{
	return (int)(intptr_t)number;
}

static int note_it(void *word)
{
	note(word);
	return 0;
}

static int sleep_a_second(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_SEC);
}

static int sleep_long(void *arg)
{
	(void)arg;
	return holt_sleep(10 * HOLT_HOUR);
}

/* *arg is what the sleep returned. */
static int sleep_into(void *arg)
{
	int *r = arg;

	return *r = holt_sleep(10 * HOLT_HOUR);
}

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

static int time_of_finally(void *at, int result)
{
	(void)result;
	*(holt_time *)at = harness_time();
	return 0;
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
