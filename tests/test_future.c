/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <pthread.h>

/* ---- futures */

struct wait {
	holt_future *f;
	int r, result;
	void *value;
};

static int waiter(void *arg)
{
	struct wait *w = arg;

	return w->r = holt_future_wait(w->f, &w->result, &w->value);
}

static int number;

TEST(future_is_done_once_and_stays_as_it_is)
{
	holt_auto(future) f = NULL;

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert(!holt_future_done(f));
	ck_assert_int_eq(holt_future_fail(f, 0), -EINVAL);
	ck_assert_int_eq(holt_future_fail(f, 1), -EINVAL);
	ck_assert(!holt_future_done(f));
	ck_assert_int_eq(holt_future_set(f, &number), 0);
	ck_assert(holt_future_done(f));
	ck_assert_int_eq(holt_future_set(f, NULL), -EALREADY);
	ck_assert_int_eq(holt_future_fail(f, -EIO), -EALREADY);
	ck_assert_int_eq(holt_future_cancel(f), -EALREADY);
	ck_assert_int_eq(holt_future_wait(f, NULL, NULL), -EPERM);
}

TEST(future_says_einval_and_enomem)
{
	holt_future *f = NULL;

	ck_assert_int_eq(holt_future_open(NULL), -EINVAL);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_future_open(&f), -ENOMEM);
	ck_assert_ptr_null(f);
	ck_assert_ptr_null(holt_future_unref(NULL));
	ck_assert_ptr_null(holt_future_ref(NULL));
	ck_assert_int_eq(holt_future_wait(NULL, NULL, NULL), -EINVAL);
}

TEST(future_that_failed_or_was_canceled_stays_as_it_is)
{
	for (int canceled = 0; canceled < 2; canceled++) {
		holt_auto(future) f = NULL;
		void *value = &number;
		struct holt_case look = { HOLT_CASE_FUTURE, NULL, &value, 77 };

		ck_assert_int_eq(holt_future_open(&f), 0);
		look.on = f;
		ck_assert_int_eq(canceled ? holt_future_cancel(f) : holt_future_fail(f, -EIO), 0);
		ck_assert(holt_future_done(f));
		ck_assert_int_eq(holt_future_set(f, &number), -EALREADY);
		ck_assert_int_eq(holt_future_fail(f, -EPIPE), -EALREADY);
		ck_assert_int_eq(holt_future_cancel(f), -EALREADY);
		ck_assert_int_eq(holt_select(&look, 1, false), 0);
		ck_assert_int_eq(look.result, canceled ? -ECANCELED : -EIO);
		ck_assert_ptr_null(value);
	}
}

TEST(failed_future_that_nobody_asked_for_goes_without_a_word)
{
	holt_future *f = NULL;

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_fail(f, -EIO), 0);
	holt_future_unref(f);
	ck_assert_str_eq(harness_log(), "");
}

struct outside { /* what a thread is told, which may not touch the future itself */
	holt_loop *loop;
	holt_future *f;
};

static void set_on_the_loop(void *future)
{
	ck_assert_int_eq(holt_future_set(future, &number), 0);
}

static void *sets_by_a_call(void *arg)
{
	struct outside *o = arg;

	if (holt_loop_call(o->loop, set_on_the_loop, o->f) < 0)
		abort();
	return NULL;
}

static int waits_for_a_thread(void *arg)
{
	struct wait w = { .r = 1 };
	struct outside o;
	pthread_t thread;

	(void)arg;
	ck_assert_int_eq(holt_future_open(&w.f), 0);
	o = (struct outside){ holt_loop_self(), w.f };
	ck_assert_int_eq(pthread_create(&thread, NULL, sets_by_a_call, &o), 0);
	waiter(&w);
	pthread_join(thread, NULL);
	ck_assert_int_eq(w.r, 0);
	ck_assert_int_eq(w.result, 0);
	ck_assert_ptr_eq(w.value, &number);
	holt_future_unref(w.f);
	return 0;
}

TEST(thread_sets_a_future_by_a_call_into_its_loop)
{
	ck_assert_int_eq(harness_run(waits_for_a_thread, NULL), 0);
}

static int three_ends(void *arg)
{
	holt_auto(group) g = NULL;
	struct wait w[3] = { { .r = 1 }, { .r = 1 }, { .r = 1 } };
	int r;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(holt_future_open(&w[i].f), 0);
		ck_assert_int_eq(holt_spawn(g, waiter, &w[i]), 0);
	}
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(w[0].r, 1);
	ck_assert_int_eq(holt_future_set(w[0].f, &number), 0);
	ck_assert_int_eq(holt_future_fail(w[1].f, -EIO), 0);
	ck_assert_int_eq(holt_future_cancel(w[2].f), 0);
	ck_assert_int_eq(w[0].r, 1); /* a wake only queues */
	r = holt_group_close(holt_take(g), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(w[i].r, 0);
		holt_future_unref(w[i].f);
	}
	ck_assert_int_eq(w[0].result, 0);
	ck_assert_ptr_eq(w[0].value, &number);
	ck_assert_int_eq(w[1].result, -EIO);
	ck_assert_ptr_null(w[1].value);
	ck_assert_int_eq(w[2].result, -ECANCELED);
	ck_assert_ptr_null(w[2].value);
	return r;
}

TEST(waiters_are_told_a_value_an_error_or_a_cancellation)
{
	ck_assert_int_eq(harness_run(three_ends, NULL), 0);
}

static int wait_when_done(void *arg)
{
	holt_auto(future) f = NULL;
	void *value = NULL;
	int result = 1;

	(void)arg;
	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_set(f, &number), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_future_wait(f, &result, &value), 0);
	ck_assert_int_eq(result, 0);
	ck_assert_ptr_eq(value, &number);
	return 0;
}

TEST(done_future_is_not_waited_for_and_may_be_asked_again)
{
	ck_assert_int_eq(harness_run(wait_when_done, NULL), 0);
}

static int cancel_one_of_two(void *arg)
{
	holt_auto(group) g = NULL;
	holt_auto(task) t = NULL;
	struct wait w[2] = { { .result = 7 }, { .result = 7 } };

	(void)arg;
	ck_assert_int_eq(holt_future_open(&w[0].f), 0);
	w[1].f = w[0].f;
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, waiter, &w[0], .task = &t), 0);
	ck_assert_int_eq(holt_spawn(g, waiter, &w[1]), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t, "enough");
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(w[0].r, -ECANCELED);
	ck_assert_int_eq(w[0].result, 7); /* nothing is written */
	ck_assert(!holt_future_done(w[1].f));
	ck_assert_int_eq(holt_future_set(w[1].f, &number), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(w[1].r, 0);
	ck_assert_ptr_eq(w[1].value, &number);
	holt_future_unref(w[0].f);
	return holt_group_close(holt_take(g), 0);
}

TEST(canceling_who_waits_cancels_neither_the_future_nor_another_waiter)
{
	ck_assert_int_eq(harness_run(cancel_one_of_two, NULL), 0);
}

static int result_wins(void *arg)
{
	holt_auto(group) g = NULL;
	holt_auto(task) t = NULL;
	struct wait w = { .r = 1 };

	(void)arg;
	ck_assert_int_eq(holt_future_open(&w.f), 0);
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, waiter, &w, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_future_set(w.f, &number);
	holt_task_cancel(t, "too late");
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(w.r, 0);
	holt_future_unref(w.f);
	return holt_group_close(holt_take(g), 0);
}

TEST(future_that_was_set_before_the_cancellation_is_had)
{
	ck_assert_int_eq(harness_run(result_wins, NULL), 0);
}

static int last_reference_is_the_waiters(void *arg)
{
	holt_auto(group) g = NULL;
	struct wait w = { .r = 1 };

	(void)arg;
	ck_assert_int_eq(holt_future_open(&w.f), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, waiter, &w), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_future_set(w.f, &number);
	holt_future_unref(w.f); /* the waiter has not run yet */
	ck_assert_int_eq(holt_group_close(holt_take(g), 0), 0);
	ck_assert_ptr_eq(w.value, &number);
	return 0;
}

TEST(waiter_keeps_its_future)
{
	ck_assert_int_eq(harness_run(last_reference_is_the_waiters, NULL), 0);
}

/* ---- functions */

static void note_done(holt_future *f, void *arg)
{
	ck_assert(holt_future_done(f));
	note(arg);
}

TEST(functions_are_called_in_order_and_once)
{
	holt_auto(future) f = NULL;

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_on_done(f, NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_future_on_done(NULL, note_done, NULL), -EINVAL);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "a"), 0);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "b"), 0);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "a"), 0);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "x"), -ENOMEM);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(holt_future_set(f, NULL), 0);
	ck_assert_str_eq(trace, "a b a ");
	ck_assert_int_eq(holt_future_on_done(f, note_done, "late"), 0);
	ck_assert_str_eq(trace, "a b a late ");
}

TEST(functions_of_a_future_that_is_dropped_are_never_called)
{
	holt_future *f = NULL;

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "a"), 0);
	holt_future_unref(f);
	ck_assert_str_eq(trace, "");
}

static void drop_it(holt_future *f, void *arg)
{
	note(arg);
	holt_future_unref(f);
}

TEST(function_may_drop_the_last_reference)
{
	holt_future *f = NULL;

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_on_done(f, drop_it, "a"), 0);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "b"), 0);
	ck_assert_int_eq(holt_future_cancel(f), 0);
	ck_assert_str_eq(trace, "a b ");

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_cancel(f), 0);
	ck_assert_int_eq(holt_future_on_done(f, drop_it, "c"), 0);
	ck_assert_str_eq(trace, "a b c ");
}

static void add_another(holt_future *f, void *arg)
{
	note(arg);
	ck_assert_int_eq(holt_future_set(f, NULL), -EALREADY);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "at once"), 0);
}

TEST(function_finds_the_future_done_and_another_one_is_called_at_once)
{
	holt_auto(future) f = NULL;

	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_on_done(f, add_another, "a"), 0);
	ck_assert_int_eq(holt_future_on_done(f, note_done, "b"), 0);
	ck_assert_int_eq(holt_future_set(f, NULL), 0);
	ck_assert_str_eq(trace, "a at once b ");
}

static void tries_to_sleep(holt_future *f, void *arg)
{
	(void)f;
	ck_assert_ptr_null(holt_self());
	*(int *)arg = holt_sleep(HOLT_SEC);
}

static int set_in_a_task(void *arg)
{
	holt_auto(future) f = NULL;
	int r = 0;

	(void)arg;
	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_future_on_done(f, tries_to_sleep, &r), 0);
	ck_assert_int_eq(holt_future_set(f, NULL), 0);
	ck_assert_int_eq(r, -EPERM);
	r = 0;
	ck_assert_int_eq(holt_future_on_done(f, tries_to_sleep, &r), 0);
	ck_assert_int_eq(r, -EPERM);
	ck_assert_ptr_nonnull(holt_self());
	return holt_sleep(1);
}

TEST(function_runs_outside_of_tasks_and_cannot_suspend_who_sets)
{
	ck_assert_int_eq(harness_run(set_in_a_task, NULL), 0);
}

/* It cannot wait, but look: so one future hands on to another what it was told. */
static void hand_on(holt_future *f, void *arg)
{
	void *value = NULL;
	struct holt_case look = { HOLT_CASE_FUTURE, f, &value, 77 };

	ck_assert_int_eq(holt_select(&look, 1, false), 0);
	if (look.result < 0)
		ck_assert_int_eq(holt_future_fail(arg, look.result), 0);
	else
		ck_assert_int_eq(holt_future_set(arg, value), 0);
}

TEST(function_hands_on_a_value_an_error_or_a_cancellation)
{
	for (int way = 0; way < 3; way++) {
		holt_auto(future) f = NULL;
		holt_auto(future) next = NULL;
		void *value = NULL;
		struct holt_case look = { HOLT_CASE_FUTURE, NULL, &value, 77 };

		ck_assert_int_eq(holt_future_open(&f), 0);
		ck_assert_int_eq(holt_future_open(&next), 0);
		look.on = next;
		ck_assert_int_eq(holt_future_on_done(f, hand_on, next), 0);
		ck_assert_int_eq(holt_select(&look, 1, false), -EAGAIN);
		if (way == 0)
			holt_future_set(f, &number);
		else if (way == 1)
			holt_future_fail(f, -EIO);
		else
			holt_future_cancel(f);
		ck_assert_int_eq(holt_select(&look, 1, false), 0);
		ck_assert_int_eq(look.result, way == 0 ? 0 : way == 1 ? -EIO : -ECANCELED);
		ck_assert_ptr_eq(value, way == 0 ? &number : NULL);
	}
}

enum { CHAIN = 100000 };

static void set_next(holt_future *f, void *arg)
{
	(void)f;
	holt_future_set(arg, NULL);
}

/* A call in a call would need some ten megabytes of stack. */
static int set_a_long_chain(void *arg)
{
	holt_future **f = arg;

	for (int i = 0; i < CHAIN; i++)
		ck_assert_int_eq(holt_future_open(&f[i]), 0);
	for (int i = 0; i + 1 < CHAIN; i++)
		ck_assert_int_eq(holt_future_on_done(f[i], set_next, f[i + 1]), 0);
	ck_assert_int_eq(holt_future_set(f[0], NULL), 0);
	ck_assert(holt_future_done(f[CHAIN - 1])); /* before set returns */
	for (int i = 0; i < CHAIN; i++)
		holt_future_unref(f[i]);
	return 0;
}

TEST(long_chain_of_futures_needs_no_stack)
{
	holt_future **f = calloc(CHAIN, sizeof(holt_future *));

	ck_assert_int_eq(harness_run(set_a_long_chain, f), 0);
	free(f);
}

/* ---- select: what can happen now */

static int add_now(holt_queue *q, int item)
{
	return holt_queue_try_put(q, &item);
}

TEST(lowest_index_wins_and_the_others_leave_no_trace)
{
	holt_auto(queue) empty = NULL;
	holt_auto(queue) full = NULL;
	holt_auto(future) done = NULL;
	struct holt_event set = { .set = true }, clear = { .set = false };
	int got = 0, put = 5;
	struct holt_case c[] = {
		{ HOLT_CASE_GET, NULL, &got, 77 },
		{ HOLT_CASE_EVENT, &clear, NULL, 77 },
		{ HOLT_CASE_GET, NULL, &got, 77 },
		{ HOLT_CASE_PUT, NULL, &put, 77 },
		{ HOLT_CASE_EVENT, &set, NULL, 77 },
	};

	ck_assert_int_eq(holt_queue_open(&empty, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_queue_open(&full, sizeof(int), 2), 0);
	ck_assert_int_eq(holt_future_open(&done), 0);
	c[0].on = empty;
	c[2].on = full;
	c[3].on = empty;
	ck_assert_int_eq(add_now(full, 3), 0);
	ck_assert_int_eq(holt_select(c, 5, false), 2);
	ck_assert_int_eq(got, 3);
	ck_assert_int_eq(c[2].result, 0);
	ck_assert_uint_eq(holt_queue_size(empty), 0);
	for (int i = 0; i < 5; i++)
		ck_assert(i == 2 || c[i].result == 77);

	ck_assert_int_eq(holt_select(c, 5, false), 3); /* that is empty now */
	ck_assert_uint_eq(holt_queue_size(empty), 1);
	ck_assert_int_eq(holt_select(c, 5, false), 0);
	ck_assert_int_eq(got, 5);
	ck_assert_int_eq(holt_select(c + 4, 1, false), 0);
	ck_assert_int_eq(holt_select(c + 1, 1, false), -EAGAIN);
}

TEST(select_says_what_is_wrong_with_its_cases)
{
	struct holt_event e = { .set = true };
	struct holt_case c = { HOLT_CASE_EVENT, &e, NULL, 0 };

	ck_assert_int_eq(holt_select(NULL, 1, false), -EINVAL);
	ck_assert_int_eq(holt_select(&c, 0, false), -EINVAL);
	ck_assert_int_eq(holt_select(&c, 1, true), -EPERM);
	c.on = NULL;
	ck_assert_int_eq(holt_select(&c, 1, false), -EINVAL);
	c = (struct holt_case){ (enum holt_case_op)5, &e, NULL, 0 };
	ck_assert_int_eq(holt_select(&c, 1, false), -EINVAL);
}

TEST(shut_down_queue_happens_with_epipe)
{
	holt_auto(queue) q = NULL;
	int item = 1;
	struct holt_case c[] = { { HOLT_CASE_GET, NULL, &item, 0 }, { HOLT_CASE_PUT, NULL, &item, 0 } };

	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 1), 0);
	c[0].on = c[1].on = q;
	holt_queue_shutdown(q, false);
	ck_assert_int_eq(holt_select(c, 2, false), 0);
	ck_assert_int_eq(c[0].result, -EPIPE);
	ck_assert_int_eq(holt_select(c + 1, 1, false), 0);
	ck_assert_int_eq(c[1].result, -EPIPE);
}

TEST(put_that_has_no_memory_fails_the_select_and_puts_nothing)
{
	holt_auto(queue) q = NULL;
	int item = 1;
	struct holt_case c = { HOLT_CASE_PUT, NULL, &item, 77 };

	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), HOLT_UNBOUNDED), 0);
	c.on = q;
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_select(&c, 1, false), -ENOMEM);
	ck_assert_int_eq(c.result, 77);
	ck_assert_uint_eq(holt_queue_size(q), 0);
}

/* ---- select: waiting */

struct choice {
	struct holt_case *cases;
	size_t n;
	int r;
};

static int chooser(void *arg)
{
	struct choice *s = arg;

	s->r = holt_select(s->cases, s->n, true);
	return 0;
}

static int sleeps_and_says_seven(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_SEC) < 0 ? -ECANCELED : 7;
}

/* Case `which` of five happens, and nothing of the others. */
static int one_of_five(void *arg)
{
	int which = *(int *)arg, got = 0, put = 5, item = 1;
	holt_auto(queue) in = NULL;
	holt_auto(queue) out = NULL;
	holt_auto(future) f = NULL;
	holt_auto(task) t = NULL;
	holt_auto(group) g = NULL;
	struct holt_event e = { .set = false };
	void *value = NULL;
	struct holt_case c[5];
	struct choice s = { c, 5, 99 };

	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_queue_open(&in, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_queue_open(&out, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(holt_spawn(g, sleeps_and_says_seven, NULL, .task = &t), 0);
	ck_assert_int_eq(add_now(out, 3), 0);
	c[0] = (struct holt_case){ HOLT_CASE_GET, in, &got, 77 };
	c[1] = (struct holt_case){ HOLT_CASE_PUT, out, &put, 77 };
	c[2] = (struct holt_case){ HOLT_CASE_FUTURE, f, &value, 77 };
	c[3] = (struct holt_case){ HOLT_CASE_EVENT, &e, NULL, 77 };
	c[4] = (struct holt_case){ HOLT_CASE_TASK, t, NULL, 77 };
	ck_assert_int_eq(holt_spawn(g, chooser, &s), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(s.r, 99);

	/* the one, and then at once all of the others, which come too late */
	for (int i = 0; i < 5; i++) {
		switch ((which + i) % 5) {
		case 0:
			ck_assert_int_eq(add_now(in, 11), 0);
			break;
		case 1:
			ck_assert_int_eq(holt_queue_try_get(out, &item), 0);
			break;
		case 2:
			ck_assert_int_eq(holt_future_set(f, &number), 0);
			break;
		case 3:
			holt_event_set(&e);
			break;
		case 4:
			ck_assert_int_eq(i == 0 ? holt_task_wait(t, NULL) : 0, 0);
			break;
		}
	}
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(s.r, which);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(c[i].result, i != which ? 77 : i == 4 ? 7 : 0);
	ck_assert_int_eq(got, which == 0 ? 11 : 0);
	ck_assert_uint_eq(holt_queue_size(in), which == 0 ? 0 : 1);
	ck_assert_uint_eq(holt_queue_size(out), which == 1 ? 1 : 0);
	ck_assert_ptr_eq(value, which == 2 ? &number : NULL);
	return holt_group_close(holt_take(g), 0);
}

TEST_LOOP(one_case_happens_and_nothing_of_the_others, 0, 5)
{
	ck_assert_int_eq(harness_run(one_of_five, &_i), 0);
}

static int canceled_select(void *arg)
{
	holt_auto(queue) in = NULL;
	holt_auto(queue) out = NULL;
	holt_auto(future) f = NULL;
	holt_auto(group) g = NULL;
	holt_auto(task) t = NULL;
	int got = 0, put = 5, item = 1;
	struct holt_case c[3];
	struct choice s = { c, 3, 99 };

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&in, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_queue_open(&out, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_future_open(&f), 0);
	ck_assert_int_eq(add_now(out, 3), 0);
	c[0] = (struct holt_case){ HOLT_CASE_GET, in, &got, 77 };
	c[1] = (struct holt_case){ HOLT_CASE_PUT, out, &put, 77 };
	c[2] = (struct holt_case){ HOLT_CASE_FUTURE, f, NULL, 77 };
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, chooser, &s, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t, "no longer");
	/* it stands in no list any more: all of this is others' */
	ck_assert_int_eq(add_now(in, 11), 0);
	ck_assert_int_eq(holt_queue_try_get(out, &item), 0);
	ck_assert_int_eq(item, 3);
	ck_assert_int_eq(holt_queue_try_get(out, &item), -EAGAIN);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(s.r, -ECANCELED);
	ck_assert_int_eq(got, 0);
	ck_assert_uint_eq(holt_queue_size(in), 1);
	return holt_group_close(holt_take(g), 0);
}

TEST(canceled_select_has_taken_and_given_nothing)
{
	ck_assert_int_eq(harness_run(canceled_select, NULL), 0);
}

static int committed_select(void *arg)
{
	holt_auto(queue) in = NULL;
	holt_auto(group) g = NULL;
	holt_auto(task) t = NULL;
	int got = 0;
	struct holt_case c[1];
	struct choice s = { c, 1, 99 };

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&in, sizeof(int), 1), 0);
	c[0] = (struct holt_case){ HOLT_CASE_GET, in, &got, 77 };
	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(g, chooser, &s, .task = &t), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(add_now(in, 11), 0);
	holt_task_cancel(t, "too late");
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(s.r, 0);
	ck_assert_int_eq(got, 11);
	return holt_group_close(holt_take(g), 0);
}

TEST(item_that_a_select_was_handed_is_its_own_even_if_it_is_canceled)
{
	ck_assert_int_eq(harness_run(committed_select, NULL), 0);
}

static int shut_down_while_it_waits(void *arg)
{
	holt_auto(queue) in = NULL;
	holt_auto(queue) other = NULL;
	holt_auto(group) g = NULL;
	int got = 0;
	struct holt_case c[2];
	struct choice s = { c, 2, 99 };

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&other, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_queue_open(&in, sizeof(int), 1), 0);
	c[0] = (struct holt_case){ HOLT_CASE_GET, other, &got, 77 };
	c[1] = (struct holt_case){ HOLT_CASE_GET, in, &got, 77 };
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, chooser, &s), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_queue_shutdown(in, false);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(s.r, 1);
	ck_assert_int_eq(c[1].result, -EPIPE);
	return holt_group_close(holt_take(g), 0);
}

TEST(select_that_waits_is_told_of_a_shutdown)
{
	ck_assert_int_eq(harness_run(shut_down_while_it_waits, NULL), 0);
}

static int first_come(void *arg)
{
	holt_auto(queue) in = NULL;
	holt_auto(group) g = NULL;
	int got[2] = { 0, 0 };
	struct holt_event e = { .set = false };
	struct holt_case c[2][2];
	struct choice s[2] = { { c[0], 2, 99 }, { c[1], 2, 99 } };

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&in, sizeof(int), 1), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 2; i++) {
		c[i][0] = (struct holt_case){ HOLT_CASE_EVENT, &e, NULL, 77 };
		c[i][1] = (struct holt_case){ HOLT_CASE_GET, in, &got[i], 77 };
		ck_assert_int_eq(holt_spawn(g, chooser, &s[i]), 0);
	}
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_int_eq(add_now(in, 1), 0);
	ck_assert_int_eq(add_now(in, 2), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(got[0], 1);
	ck_assert_int_eq(got[1], 2);
	return holt_group_close(holt_take(g), 0);
}

TEST(selects_are_served_in_the_order_in_which_they_came)
{
	ck_assert_int_eq(harness_run(first_come, NULL), 0);
}

static int set_and_drop(void *arg)
{
	holt_auto(group) g = NULL;
	holt_future *f = NULL;
	void *value = NULL;
	struct holt_case c[1];
	struct choice s = { c, 1, 99 };

	(void)arg;
	ck_assert_int_eq(holt_future_open(&f), 0);
	c[0] = (struct holt_case){ HOLT_CASE_FUTURE, f, &value, 77 };
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, chooser, &s), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_future_fail(f, -EIO);
	holt_future_unref(f);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(s.r, 0);
	ck_assert_int_eq(c[0].result, -EIO);
	return holt_group_close(holt_take(g), 0);
}

TEST(select_keeps_the_futures_that_it_waits_for)
{
	ck_assert_int_eq(harness_run(set_and_drop, NULL), 0);
}

static int selects_itself(void *arg)
{
	struct holt_case c = { HOLT_CASE_TASK, holt_self(), NULL, 0 };

	(void)arg;
	ck_assert_int_eq(holt_select(&c, 1, true), -EDEADLK);
	ck_assert_int_eq(holt_select(&c, 1, false), -EDEADLK);
	return 0;
}

TEST(select_on_oneself_is_edeadlk)
{
	ck_assert_int_eq(harness_run(selects_itself, NULL), 0);
}

static int selects_many(void *arg)
{
	enum { MANY = 40 };
	struct holt_event e[MANY] = { { .set = false } };
	struct holt_case c[MANY];
	holt_auto(group) g = NULL;
	struct choice s = { c, MANY, 99 };

	(void)arg;
	for (int i = 0; i < MANY; i++)
		c[i] = (struct holt_case){ HOLT_CASE_EVENT, &e[i], NULL, 77 };
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_select(c, MANY, true), -ENOMEM);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, chooser, &s), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_event_set(&e[33]);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(s.r, 33);
	return holt_group_close(holt_take(g), 0);
}

TEST(more_than_sixteen_cases_need_memory_and_say_so)
{
	ck_assert_int_eq(harness_run(selects_many, NULL), 0);
}

static int canceled_before(void *arg)
{
	struct holt_event e = { .set = true };
	struct holt_case c = { HOLT_CASE_EVENT, &e, NULL, 77 };

	(void)arg;
	holt_task_cancel(holt_self(), "at once");
	ck_assert_int_eq(holt_select(&c, 1, true), -ECANCELED);
	ck_assert_int_eq(holt_select(&c, 1, false), 0); /* looks, and is no cancellation point */
	return 0;
}

TEST(canceled_task_selects_nothing_though_it_could)
{
	ck_assert_int_eq(harness_run(canceled_before, NULL), 0);
}

static int selects_a_foreign_task(void *t)
{
	struct holt_case c = { HOLT_CASE_TASK, t, NULL, 0 };

	ck_assert_int_eq(holt_select(&c, 1, true), -EPERM);
	ck_assert_int_eq(holt_select(&c, 1, false), -EPERM);
	return 0;
}

static void *runs_another_loop(void *t)
{
	return (void *)(intptr_t)holt_run(selects_a_foreign_task, t);
}

static int lends_itself(void *arg)
{
	pthread_t thread;
	void *r = NULL;

	(void)arg;
	ck_assert_int_eq(pthread_create(&thread, NULL, runs_another_loop, holt_self()), 0);
	pthread_join(thread, &r);
	return (int)(intptr_t)r;
}

TEST(select_of_another_threads_task_is_eperm)
{
	ck_assert_int_eq(harness_run(lends_itself, NULL), 0);
}
