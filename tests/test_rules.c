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

/* ---- 3. full reads and writes that were canceled half way say how far they came */

#if __has_include("io/io.h")
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
#endif

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
	holt_task_cancel(h->first, NULL);                          /* too late */
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

	ck_assert_int_eq(holt_local_set(&color, "red"), 0);
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
	ck_assert_int_eq(holt_local_set(&color, "blue"), 0);
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
	ck_assert_int_eq(holt_spawn(g, note_it, "never"), -ESHUTDOWN);
	ck_assert_int_eq(holt_spawn(g, note_it, "never", .background = true), -ESHUTDOWN);
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
	ck_assert_int_eq(holt_spawn(g, note_it, "open"), 0);
	holt_group_stop(g, NULL);
	ck_assert_int_eq(holt_spawn(g, note_it, "stopping"), 0);
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
