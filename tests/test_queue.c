/* SPDX-License-Identifier: MIT */
/*
 * Queues: what comes out, in which order, to whom; and that each item goes exactly one way.
 *
 * The orders are compared with a plain array, over random sequences, for items and capacities of odd sizes. The rest are
 * small plays of tasks that put and get numbers.
 */
#include "harness.h"

#include <stdalign.h>
#include <sys/wait.h>

#include "loop/loop.h"

#define TASK_TEST(claim) \
	static int claim##_task(void *arg); \
	TEST(claim) \
	{ \
		ck_assert_int_eq(harness_run(claim##_task, NULL), 0); \
	} \
	static int claim##_task(void *arg __attribute__((unused)))

static void settle(void)
{
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(holt_yield(), 0);
}

static uint64_t seed;

static unsigned choose(unsigned n)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(seed >> 33) % n;
}

/* ---- the orders, against an array */

enum { MODEL_MAX = 700, ITEM_MAX = 4096, STEPS = 1500 };

struct model_item {
	unsigned char key, serial;
};

static struct model_item model[MODEL_MAX];
static size_t n_model, item_size;
static enum holt_order kind;

/* The key is the first byte, so it has to do with a size of 1, too; the rest follows from key and serial. */
static void make_item(unsigned char *buf, struct model_item m)
{
	for (size_t i = 0; i < item_size; i++)
		buf[i] = i == 0 ? m.key : (unsigned char)(m.serial + 7 * i);
}

static int compare_keys(const void *a, const void *b)
{
	return item_size == 0 ? 0 : *(const unsigned char *)a / 16 - *(const unsigned char *)b / 16;
}

static struct model_item take_from_model(void)
{
	size_t at = kind == HOLT_LIFO ? n_model - 1 : 0;
	struct model_item m;

	if (kind == HOLT_PRIORITY && item_size > 0)
		for (size_t i = 1; i < n_model; i++)
			if (model[i].key / 16 < model[at].key / 16)
				at = i;
	m = model[at];
	memmove(&model[at], &model[at + 1], (--n_model - at) * sizeof m);
	return m;
}

static unsigned char put_serial;

static void put_one(holt_queue *q, size_t capacity, bool drop_oldest)
{
	struct model_item m = { (unsigned char)choose(256), put_serial++ };
	unsigned char buf[ITEM_MAX];
	int r;

	make_item(buf, m);
	r = holt_queue_try_put(q, item_size ? buf : NULL);
	if (n_model == capacity && !drop_oldest) {
		ck_assert_int_eq(r, -EAGAIN);
		return;
	}
	ck_assert_int_eq(r, 0);
	if (n_model == capacity)
		take_from_model();
	model[n_model++] = m;
}

static void get_one(holt_queue *q)
{
	unsigned char got[ITEM_MAX + 1], expected[ITEM_MAX];

	memset(got, 0xa5, sizeof got);
	if (n_model == 0) {
		ck_assert_int_eq(holt_queue_try_get(q, got), -EAGAIN);
		ck_assert_int_eq(got[0], 0xa5);
		return;
	}
	ck_assert_int_eq(holt_queue_try_get(q, item_size ? got : NULL), 0);
	make_item(expected, take_from_model());
	ck_assert_mem_eq(got, expected, item_size);
	ck_assert_int_eq(got[item_size], 0xa5);
}

static void compare_with_model(size_t capacity, bool drop_oldest)
{
	holt_queue *q;

	n_model = 0;
	ck_assert_int_eq(holt_queue_open(&q, item_size, capacity, .order = kind, .compare = compare_keys,
				 .full = drop_oldest ? HOLT_DROP_OLDEST : HOLT_BLOCK),
		0);
	for (int i = 0; i < STEPS; i++) {
		unsigned puts_of_8 = i / 100 % 2 ? 3 : 5; /* it fills and drains */

		if (choose(8) < puts_of_8 && n_model < MODEL_MAX - 1)
			put_one(q, capacity, drop_oldest);
		else
			get_one(q);
		ck_assert_uint_eq(holt_queue_size(q), n_model);
	}
	while (n_model > 0)
		get_one(q);
	get_one(q);
	ck_assert_ptr_null(holt_queue_close(q));
}

static const size_t sizes[] = { 0, 1, 3, 8, 16, 24, 4096 };
static const size_t capacities[] = { 1, 2, 3, 5, 7, 16, 17, 100, HOLT_UNBOUNDED };

TEST_LOOP(items_come_out_in_the_order_that_was_asked_for_whatever_their_size_and_the_capacity, 0, 7)
{
	item_size = sizes[_i];
	seed = (uint64_t)_i + 1;
	for (size_t c = 0; c < HOLT__N(capacities); c++) {
		for (kind = HOLT_FIFO; kind <= HOLT_PRIORITY; kind++)
			compare_with_model(capacities[c], false);
		kind = HOLT_FIFO;
		compare_with_model(capacities[c], true);
	}
}

struct wide {
	alignas(16) long double x;
	int n;
};

static unsigned misaligned;

static int compare_wide(const void *a, const void *b)
{
	misaligned += (uintptr_t)a % alignof(struct wide) != 0 || (uintptr_t)b % alignof(struct wide) != 0;
	return 0;
}

static void drop_wide(void *item)
{
	misaligned += (uintptr_t)item % alignof(struct wide) != 0;
}

TEST_LOOP(items_lie_where_their_type_may_lie, HOLT_FIFO, HOLT_PRIORITY + 1)
{
	holt_queue *q;
	struct wide w = { 1, 2 };

	ck_assert_int_eq(
		holt_queue_open(&q, sizeof w, 20, .order = (enum holt_order)_i, .compare = compare_wide, .drop = drop_wide), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(holt_queue_try_put(q, &w), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(holt_queue_try_get(q, &w), 0);
	holt_queue_close(q);
	ck_assert_uint_eq(misaligned, 0);
}

/* ---- opening */

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

TEST(open_refuses_what_makes_no_queue)
{
	holt_queue *q = NULL;
	struct {
		struct holt_queue_options known;
		int more;
	} later = { .known.size = sizeof later, .more = 1 };

	ck_assert_int_eq(holt_queue_open(&q, 4, 0), -EINVAL);
	ck_assert_int_eq(holt_queue_open(NULL, 4, 1), -EINVAL);
	ck_assert_int_eq(holt_queue_open(&q, 4, 1, .order = HOLT_PRIORITY), -EINVAL);
	ck_assert_int_eq(holt_queue_open(&q, 4, 1, .order = (enum holt_order)3), -EINVAL);
	ck_assert_int_eq(holt_queue_open(&q, 4, 1, .full = (enum holt_full)2), -EINVAL);
	ck_assert_int_eq(holt_queue_open(&q, 4, 1, .order = HOLT_LIFO, .full = HOLT_DROP_OLDEST), -EINVAL);
	ck_assert_int_eq(
		holt_queue_open(&q, 4, 1, .order = HOLT_PRIORITY, .compare = compare_ints, .full = HOLT_DROP_OLDEST), -EINVAL);
	ck_assert_int_eq(holt_queue_open_with(&q, 4, 1, &later.known), -E2BIG);
	ck_assert_int_eq(holt_queue_open_with(&q, 4, 1, &(struct holt_queue_options){ .size = 3 }), -EINVAL);
	ck_assert_ptr_null(q);
	ck_assert_ptr_null(holt_queue_close(NULL));
	ck_assert_int_eq(holt_queue_open_with(&q, 4, 1, NULL), 0);
	holt_queue_close(q);
}

static size_t most_asked;

static void *modest_malloc(size_t size)
{
	if (size > most_asked)
		most_asked = size;
	return size > 1 << 20 ? NULL : holt__alloc_libc.malloc(size);
}

TEST(more_than_memory_can_hold_is_enomem_and_never_wraps_round)
{
	static const struct holt__alloc modest = { modest_malloc, calloc, realloc, free };
	static const size_t huge[] = { SIZE_MAX - 1, SIZE_MAX - 2, SIZE_MAX / 2, SIZE_MAX / 2 + 2, SIZE_MAX / 4 + 1,
		SIZE_MAX / 8 + 1, 1UL << 60, 1UL << 40 };
	const struct holt__alloc *before = holt__alloc;
	holt_queue *q = NULL;

	holt__alloc = &modest;
	for (size_t i = 0; i < HOLT__N(huge); i++) {
		for (kind = HOLT_FIFO; kind <= HOLT_PRIORITY; kind++) {
			for (size_t s = 0; s < HOLT__N(sizes); s++)
				ck_assert_int_eq(
					holt_queue_open(&q, sizes[s], huge[i], .order = kind, .compare = compare_ints), -ENOMEM);
			if (huge[i] > SIZE_MAX / 4)
				ck_assert_int_eq(
					holt_queue_open(&q, huge[i], 1, .order = kind, .compare = compare_ints), -ENOMEM);
			ck_assert_int_eq(holt_queue_open(&q, huge[i], 3, .order = kind, .compare = compare_ints), -ENOMEM);
		}
	}
	ck_assert_ptr_null(q);
	holt__alloc = before;
}

TEST(open_that_finds_no_memory_leaves_none)
{
	holt_queue *q = NULL;
	uint64_t n;

	for (n = 1;; n++) {
		harness_fail_alloc(n);
		if (holt_queue_open(&q, 8, 5, .name = "jobs") == 0)
			break;
		ck_assert_ptr_null(q);
		ck_assert_uint_eq(harness_live(), 0);
	}
	ck_assert_uint_eq(n, 3);
	holt_queue_close(q);
}

TEST(unbounded_queue_that_cannot_grow_says_so_and_keeps_what_it_has)
{
	for (kind = HOLT_FIFO; kind <= HOLT_PRIORITY; kind++) {
		holt_queue *q;
		unsigned refused = 0;
		int got;

		harness_fail_alloc(0);
		ck_assert_int_eq(holt_queue_open(&q, sizeof(int), HOLT_UNBOUNDED, .order = kind, .compare = compare_ints), 0);
		for (int i = 0; i < 1000; i++) {
			harness_fail_alloc(1);
			if (holt_queue_try_put(q, &i) == 0)
				continue;
			refused++;
			ck_assert_uint_eq(holt_queue_size(q), (size_t)i);
			harness_fail_alloc(0);
			ck_assert_int_eq(holt_queue_try_put(q, &i), 0);
		}
		harness_fail_alloc(0);
		ck_assert_uint_ge(refused, 5);
		ck_assert_uint_le(refused, 10);
		for (int i = 0; i < 1000; i++) {
			ck_assert_int_eq(holt_queue_try_get(q, &got), 0);
			ck_assert_int_eq(got, kind == HOLT_LIFO ? 999 - i : i);
			ck_assert_int_eq(holt_queue_task_done(q), 0);
		}
		ck_assert_int_eq(holt_queue_task_done(q), -ERANGE); /* the refused do not count */
		holt_queue_close(q);
	}
}

/* ---- plays: each actor puts or gets one number */

static char order[128];

struct actor {
	holt_queue *q;
	holt_task *task;
	char name;
	bool puts, done, canceled_after;
	int item, result;
};

static int act(void *arg)
{
	struct actor *a = arg;

	a->result = a->puts ? holt_queue_put(a->q, &a->item) : holt_queue_get(a->q, &a->item);
	order[strlen(order)] = a->name;
	a->done = true;
	a->canceled_after = holt_check() == -ECANCELED;
	return 0;
}

static void enter(holt_group *g, struct actor *a, holt_queue *q, char name, int item)
{
	*a = (struct actor){ .q = q, .name = name, .puts = item >= 0, .item = item };
	ck_assert_int_eq(holt_spawn(g, act, a, .task = &a->task), 0);
	ck_assert_int_eq(holt_yield(), 0);
}

static void leave(struct actor *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert(a[i].done);
		a[i].task = holt_task_unref(a[i].task);
	}
}

enum { GET = -1 };

static void open_all(holt_group **g, holt_queue **q, size_t capacity)
{
	ck_assert_int_eq(holt_group_open(g), 0);
	ck_assert_int_eq(holt_queue_open(q, sizeof(int), capacity), 0);
}

static int close_all(holt_group *g, holt_queue *q)
{
	int r = holt_group_close(g, 0);

	holt_queue_close(q);
	return r;
}

TASK_TEST(getters_are_served_in_their_order_and_items_go_straight_to_them)
{
	struct actor a[4];
	holt_group *g;
	holt_queue *q;
	int x;

	open_all(&g, &q, 2);
	for (int i = 0; i < 4; i++)
		enter(g, &a[i], q, (char)('a' + i), GET);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(holt_queue_try_put(q, &i), 0); /* more than fit: each is a waiter's at once */
	ck_assert_uint_eq(holt_queue_size(q), 0);
	ck_assert_int_eq(holt_queue_try_get(q, &x), -EAGAIN); /* nobody overtakes */
	settle();
	ck_assert_str_eq(order, "abcd");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(a[i].item, i);
	leave(a, 4);
	return close_all(g, q);
}

TASK_TEST(putters_are_served_in_their_order_and_have_their_room_before_they_run)
{
	struct actor a[3];
	holt_group *g;
	holt_queue *q;
	int x = 0;

	open_all(&g, &q, 1);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], q, (char)('a' + i), i + 1);
	settle();
	ck_assert_str_eq(order, "");
	for (int i = 0; i < 4; i++) {
		int late = 99;

		ck_assert_int_eq(holt_queue_try_get(q, &x), 0);
		ck_assert_int_eq(x, i);
		if (i < 3)
			ck_assert_int_eq(holt_queue_try_put(q, &late), -EAGAIN); /* the room is the waiter's, which has not run */
	}
	settle();
	ck_assert_str_eq(order, "abc");
	leave(a, 3);
	return close_all(g, q);
}

TASK_TEST(blocked_puts_enter_a_priority_queue_in_their_order_and_leave_it_by_priority)
{
	static const int items[] = { 50, 10, 30, 10 };
	struct actor a[4];
	holt_group *g;
	holt_queue *q;
	int x = 20;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 2, .order = HOLT_PRIORITY, .compare = compare_ints), 0);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	for (int i = 0; i < 4; i++)
		enter(g, &a[i], q, (char)('a' + i), items[i]);
	settle();
	ck_assert_str_eq(order, "a");
	static const int expected[] = { 20, 10, 30, 10, 50 };
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(holt_queue_get(q, &x), 0);
		ck_assert_int_eq(x, expected[i]);
	}
	settle();
	ck_assert_str_eq(order, "abcd");
	leave(a, 4);
	return close_all(g, q);
}

TASK_TEST(canceled_getter_has_taken_nothing)
{
	struct actor a[2];
	holt_group *g;
	holt_queue *q;
	int x = 7;

	open_all(&g, &q, 4);
	enter(g, &a[0], q, 'a', GET);
	enter(g, &a[1], q, 'b', GET);
	holt_task_cancel(a[0].task, "test"); /* not run yet when the item comes */
	ck_assert_int_eq(holt_queue_try_put(q, &x), 0);
	settle();
	ck_assert_int_eq(a[0].result, -ECANCELED);
	ck_assert_int_eq(a[0].item, GET);
	ck_assert_int_eq(a[1].result, 0);
	ck_assert_int_eq(a[1].item, 7);
	leave(a, 2);

	enter(g, &a[0], q, 'c', GET);
	holt_task_cancel(a[0].task, "test");
	ck_assert_int_eq(holt_queue_try_put(q, &x), 0);
	ck_assert_uint_eq(holt_queue_size(q), 1);
	settle();
	leave(a, 1);
	return close_all(g, q);
}

TASK_TEST(getter_that_was_handed_an_item_and_then_canceled_has_it)
{
	struct actor a;
	holt_group *g;
	holt_queue *q;
	int x = 7;

	open_all(&g, &q, 4);
	enter(g, &a, q, 'a', GET);
	ck_assert_int_eq(holt_queue_try_put(q, &x), 0);
	holt_task_cancel(a.task, "test");
	settle();
	ck_assert_int_eq(a.result, 0);
	ck_assert_int_eq(a.item, 7);
	ck_assert(a.canceled_after);
	leave(&a, 1);
	return close_all(g, q);
}

TASK_TEST(canceled_putter_has_put_nothing_and_one_that_was_let_in_before_has)
{
	struct actor a[3];
	holt_group *g;
	holt_queue *q;
	int x = 0;

	open_all(&g, &q, 1);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], q, (char)('a' + i), i + 1);
	holt_task_cancel(a[0].task, "test");
	ck_assert_int_eq(holt_queue_try_get(q, &x), 0); /* b's is in it now */
	holt_task_cancel(a[1].task, "test");
	settle();
	ck_assert_int_eq(a[0].result, -ECANCELED);
	ck_assert_int_eq(a[1].result, 0);
	ck_assert(a[1].canceled_after);
	ck_assert_int_eq(holt_queue_get(q, &x), 0);
	ck_assert_int_eq(x, 2);
	ck_assert_int_eq(holt_queue_get(q, &x), 0);
	ck_assert_int_eq(x, 3);
	settle();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_queue_task_done(q), 0);
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	leave(a, 3);
	return close_all(g, q);
}

TASK_TEST(canceled_caller_neither_puts_nor_gets_nor_joins_though_it_could)
{
	struct holt_scope s;
	holt_queue *q;
	int x = 1;

	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 2), 0);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_queue_put(q, &x), -ECANCELED);
	ck_assert_int_eq(holt_queue_get(q, &x), -ECANCELED);
	ck_assert_int_eq(holt_queue_join(q), -ECANCELED);
	ck_assert_uint_eq(holt_queue_size(q), 1);
	ck_assert_int_eq(holt_queue_try_put(q, &x), 0); /* no cancellation point */
	ck_assert_int_eq(holt_queue_try_get(q, &x), 0);
	holt_scope_end(&s, 0);
	holt_queue_close(q);
	return 0;
}

/* ---- outside of tasks */

static holt_queue *shared;

static void put_by_call(void *arg)
{
	ck_assert_int_eq(holt_queue_put(shared, arg), -EPERM);
	ck_assert_int_eq(holt_queue_get(shared, arg), -EPERM);
	ck_assert_int_eq(holt_queue_join(shared), -EPERM);
	ck_assert_int_eq(holt_queue_try_put(shared, arg), 0);
}

TASK_TEST(call_from_outside_puts_by_trying)
{
	struct actor a;
	holt_group *g;
	int x = 5;

	open_all(&g, &shared, 2);
	enter(g, &a, shared, 'a', GET);
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), put_by_call, &x), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(a.result, 0);
	ck_assert_int_eq(a.item, 5);
	leave(&a, 1);
	return close_all(g, shared);
}

TEST(without_a_loop_a_queue_is_still_a_queue)
{
	holt_auto(queue) q = NULL;
	int x = 1;

	ck_assert_int_eq(holt_queue_open(&q, sizeof x, 1), 0);
	ck_assert_int_eq(holt_queue_put(q, &x), -EPERM);
	ck_assert_int_eq(holt_queue_try_put(q, &x), 0);
	ck_assert_int_eq(holt_queue_try_put(q, &x), -EAGAIN);
	ck_assert_int_eq(holt_queue_get(q, &x), -EPERM);
	holt_queue_shutdown(q, false);
	ck_assert_int_eq(holt_queue_try_put(q, &x), -EPIPE);
	ck_assert_int_eq(holt_queue_try_get(q, &x), 0);
	ck_assert_int_eq(holt_queue_try_get(q, &x), -EPIPE);
}

/* ---- full, dropped, done */

static unsigned dropped[64], n_dropped;

static void count_dropped(void *item)
{
	dropped[*(int *)item]++;
	n_dropped++;
}

static int join(void *arg)
{
	int r = holt_queue_join(arg);

	ck_assert_int_le(r, 0);
	order[strlen(order)] = 'j';
	return r;
}

TASK_TEST(put_that_drops_the_oldest_never_waits_and_the_dropped_counts_as_done)
{
	holt_queue *q;
	int x;

	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 3, .full = HOLT_DROP_OLDEST, .drop = count_dropped), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(holt_queue_put(q, &i), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(dropped[i], i < 5);
	for (int i = 5; i < 8; i++) {
		ck_assert_int_eq(holt_queue_get(q, &x), 0);
		ck_assert_int_eq(x, i);
		ck_assert_int_eq(holt_queue_task_done(q), 0);
	}
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	ck_assert_int_eq(holt_queue_join(q), 0);
	holt_queue_close(q);
	ck_assert_uint_eq(n_dropped, 5);
	return 0;
}

TASK_TEST(put_that_replaces_the_only_undone_item_ends_no_join)
{
	holt_group *g;
	holt_queue *q;
	int x = 1;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 1, .full = HOLT_DROP_OLDEST), 0);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	ck_assert_int_eq(holt_spawn(g, join, q), 0);
	settle();
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	settle();
	ck_assert_str_eq(order, ""); /* at no time was nothing undone */
	ck_assert_int_eq(holt_queue_get(q, &x), 0);
	settle();
	ck_assert_str_eq(order, "");
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	settle();
	ck_assert_str_eq(order, "j");
	return close_all(g, q);
}

TASK_TEST(join_waits_for_all_that_was_put_even_straight_to_a_getter)
{
	struct actor a;
	holt_group *g;
	holt_queue *q;
	int x = 1;

	open_all(&g, &q, 4);
	ck_assert_int_eq(holt_queue_join(q), 0); /* nothing was put */
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	enter(g, &a, q, 'a', GET);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	ck_assert_int_eq(holt_queue_put(q, &x), 0);
	ck_assert_int_eq(holt_spawn(g, join, q), 0);
	ck_assert_int_eq(holt_spawn(g, join, q), 0);
	settle();
	ck_assert_str_eq(order, "a");
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	ck_assert_int_eq(holt_queue_get(q, &x), 0);
	settle();
	ck_assert_str_eq(order, "a");
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	ck_assert_int_eq(holt_queue_put(q, &x), 0); /* too late for those who were woken */
	settle();
	ck_assert_str_eq(order, "ajj");
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	leave(&a, 1);
	return close_all(g, q);
}

static long sum_of_items;

static int work_until_it_is_down(void *arg)
{
	int r, x;

	while ((r = holt_queue_get(arg, &x)) == 0) {
		ck_assert_int_eq(holt_yield(), 0); /* that is the work */
		sum_of_items += x;
		ck_assert_int_eq(holt_queue_task_done(arg), 0);
	}
	return r == -EPIPE ? 0 : r;
}

static int join_workers(void *arg)
{
	holt_group *g;
	holt_queue *q;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(
		holt_queue_open(&q, sizeof(int), HOLT_UNBOUNDED, .order = *(enum holt_order *)arg, .compare = compare_ints), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(holt_queue_put(q, &i), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(holt_spawn(g, work_until_it_is_down, q), 0);
	ck_assert_int_eq(holt_queue_join(q), 0);
	ck_assert_int_eq(sum_of_items, 99 * 100 / 2);
	ck_assert_int_eq(holt_queue_join(q), 0);
	holt_queue_shutdown(q, false); /* they wait for more */
	return close_all(g, q);
}

TEST_LOOP(join_waits_until_the_last_worker_is_done_in_each_order, HOLT_FIFO, HOLT_PRIORITY + 1)
{
	enum holt_order o = (enum holt_order)_i;

	ck_assert_int_eq(harness_run(join_workers, &o), 0);
}

/* As asyncio counts: it is by what was put, not by what was got. */
TASK_TEST(done_may_be_said_as_often_as_items_were_put)
{
	holt_queue *q;
	int x;

	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 4, .drop = count_dropped), 0);
	for (x = 0; x < 2; x++)
		ck_assert_int_eq(holt_queue_put(q, &x), 0);
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	ck_assert_int_eq(holt_queue_join(q), 0);
	holt_queue_shutdown(q, true); /* what is dropped now was told done before */
	ck_assert_uint_eq(n_dropped, 2);
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	ck_assert_int_eq(holt_queue_join(q), 0);
	holt_queue_close(q);
	return 0;
}

/* ---- shutdown */

TASK_TEST(soft_shutdown_sends_waiting_getters_away)
{
	struct actor a[3];
	holt_group *g;
	holt_queue *q;
	int x = 1;

	open_all(&g, &q, 2);
	enter(g, &a[0], q, 'a', GET);
	enter(g, &a[1], q, 'b', GET);
	holt_queue_shutdown(q, false);
	holt_task_cancel(a[1].task, "too late");
	enter(g, &a[2], q, 'c', GET);
	settle();
	ck_assert_str_eq(order, "abc");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(a[i].result, -EPIPE);
	ck_assert_int_eq(holt_queue_put(q, &x), -EPIPE);
	holt_queue_shutdown(q, false);
	leave(a, 3);
	return close_all(g, q);
}

TASK_TEST(soft_shutdown_sends_waiting_putters_away_and_gets_go_on_until_it_is_empty)
{
	struct actor a[2];
	holt_group *g;
	holt_queue *q;
	int x;

	open_all(&g, &q, 2);
	for (x = 0; x < 2; x++)
		ck_assert_int_eq(holt_queue_put(q, &x), 0);
	enter(g, &a[0], q, 'a', 10);
	enter(g, &a[1], q, 'b', 11);
	ck_assert_int_eq(holt_spawn(g, join, q), 0);
	holt_queue_shutdown(q, false);
	settle();
	ck_assert_int_eq(a[0].result, -EPIPE);
	ck_assert_int_eq(a[1].result, -EPIPE);
	ck_assert_str_eq(order, "ab");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(holt_queue_get(q, &x), 0);
		ck_assert_int_eq(x, i);
		ck_assert_int_eq(holt_queue_task_done(q), 0);
	}
	ck_assert_int_eq(holt_queue_get(q, &x), -EPIPE);
	settle();
	ck_assert_str_eq(order, "abj");
	leave(a, 2);
	return close_all(g, q);
}

TASK_TEST(immediate_shutdown_drops_what_is_inside_once_and_ends_joins_unless_somebody_works_on_an_item)
{
	struct actor a;
	holt_group *g;
	holt_queue *q;
	int x;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 4, .drop = count_dropped), 0);
	for (x = 0; x < 4; x++)
		ck_assert_int_eq(holt_queue_put(q, &x), 0);
	enter(g, &a, q, 'a', 4);
	ck_assert_int_eq(holt_queue_get(q, &x), 0);
	ck_assert_int_eq(holt_spawn(g, join, q), 0);
	settle();
	holt_queue_shutdown(q, false);
	holt_queue_shutdown(q, true);
	holt_queue_shutdown(q, true);
	settle();
	ck_assert_uint_eq(holt_queue_size(q), 0);
	ck_assert_uint_eq(dropped[0], 0);
	for (int i = 1; i < 5; i++)
		ck_assert_uint_eq(dropped[i], 1);
	ck_assert_int_eq(holt_queue_get(q, &x), -EPIPE);
	ck_assert_str_eq(order, "a"); /* 0 is not done */
	ck_assert_int_eq(holt_queue_task_done(q), 0);
	settle();
	ck_assert_str_eq(order, "aj");
	ck_assert_int_eq(holt_queue_task_done(q), -ERANGE);
	leave(&a, 1);
	close_all(g, q);
	ck_assert_uint_eq(n_dropped, 4);
	return 0;
}

TASK_TEST(immediate_shutdown_with_waiters_on_a_side_sends_them_away)
{
	for (int puts = 0; puts < 2; puts++) {
		struct actor a[2];
		holt_group *g;
		holt_queue *q;
		int x = 1;

		open_all(&g, &q, 1);
		if (puts)
			ck_assert_int_eq(holt_queue_put(q, &x), 0);
		for (int i = 0; i < 2; i++)
			enter(g, &a[i], q, 'a', puts ? 9 : GET);
		ck_assert_int_eq(holt_spawn(g, join, q), 0);
		holt_queue_shutdown(q, true);
		ck_assert_int_eq(holt_group_wait(g), 0);
		ck_assert_int_eq(a[0].result, -EPIPE);
		ck_assert_int_eq(a[1].result, -EPIPE);
		leave(a, 2);
		close_all(g, q);
	}
	return 0;
}

TEST_LOOP(close_drops_each_item_that_is_left_once, HOLT_FIFO, HOLT_PRIORITY + 1)
{
	holt_queue *q;
	int x;

	ck_assert_int_eq(
		holt_queue_open(&q, sizeof x, 7, .order = (enum holt_order)_i, .compare = compare_ints, .drop = count_dropped),
		0);
	for (x = 0; x < 7; x++)
		ck_assert_int_eq(holt_queue_try_put(q, &x), 0);
	ck_assert_int_eq(holt_queue_try_get(q, &x), 0);
	holt_queue_close(q);
	ck_assert_uint_eq(dropped[x], 0);
	ck_assert_uint_eq(n_dropped, 6);
	for (int i = 0; i < 7; i++)
		ck_assert_uint_le(dropped[i], 1);
}

static int wait_in_get(void *arg)
{
	int x;

	return holt_queue_get(arg, &x);
}

static int wait_in_put(void *arg)
{
	int x = 1;

	return holt_queue_put(arg, &x);
}

static int close_too_early(void *arg)
{
	holt_group *g;
	holt_queue *q;
	int x = 1;

	(void)arg;
	open_all(&g, &q, 1);
	if (arg != wait_in_get)
		holt_queue_put(q, &x);
	holt_spawn_with(g, (holt_fn)arg, q, NULL);
	holt_yield();
	holt_queue_close(q);
	return close_all(g, q);
}

static int run_close_too_early(void *arg)
{
	return holt_run(close_too_early, arg);
}

TEST(close_of_a_queue_in_which_somebody_waits_aborts_with_a_sentence)
{
	int status = harness_child(run_close_too_early, wait_in_get);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_msg(strstr(harness_output(), "holt_queue_close"), "%s", harness_output());
	status = harness_child(run_close_too_early, wait_in_put);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	status = harness_child(run_close_too_early, join);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- no memory, and no starving */

TASK_TEST(putting_getting_and_waiting_need_no_memory)
{
	struct actor a[6];
	holt_group *g;
	holt_queue *q;
	int x = 1;

	open_all(&g, &q, 2);
	for (int i = 0; i < 6; i++) {
		a[i] = (struct actor){ .q = q, .name = 'a', .puts = i % 2, .item = i };
		ck_assert_int_eq(holt_spawn(g, act, &a[i], .task = &a[i].task), 0);
	}
	ck_assert_int_eq(holt_spawn(g, join, q), 0);
	harness_fail_alloc(0);
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(holt_queue_put(q, &x), 0);
		ck_assert_int_eq(holt_queue_get(q, &x), 0);
		if (i % 3 == 0)
			ck_assert_int_eq(holt_yield(), 0);
	}
	while (holt_queue_task_done(q) == 0)
		;
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_uint_eq(harness_allocs(), 0);
	leave(a, 6);
	return close_all(g, q);
}

TEST_LOOP(capped_queue_needs_no_memory_once_it_is_open, HOLT_FIFO, HOLT_PRIORITY + 1)
{
	holt_queue *q;

	ck_assert_int_eq(
		holt_queue_open(&q, sizeof(int), 16, .order = (enum holt_order)_i, .compare = compare_ints, .name = "full"), 0);
	harness_fail_alloc(0);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(holt_queue_try_put(q, &i), 0);
	ck_assert_uint_eq(harness_allocs(), 0);
	holt_queue_close(q);
}

static unsigned others;

static int count_rounds(void *arg)
{
	(void)arg;
	while (holt_yield() == 0)
		others++;
	return 0;
}

TASK_TEST(task_whose_queue_is_never_empty_nor_full_lets_others_run)
{
	holt_group *g;
	holt_queue *q;
	int x = 1;

	open_all(&g, &q, 2);
	ck_assert_int_eq(holt_spawn(g, count_rounds, NULL, .background = true), 0);
	for (int i = 0; i < 1280; i++) {
		ck_assert_int_eq(holt_queue_put(q, &x), 0);
		ck_assert_int_eq(holt_queue_get(q, &x), 0);
	}
	ck_assert_uint_ge(others, 15);
	return close_all(g, q);
}

/* ---- chaos: each item goes exactly one way */

enum { ITEMS = 3000, WORKERS = 12 };

static uint8_t put_ok[ITEMS], delivered[ITEMS], thrown[ITEMS];
static int next_item;
static holt_queue *market;

static void count_thrown(void *item)
{
	thrown[*(int *)item]++;
}

static int one_trade(void)
{
	int item, r;

	if (choose(2)) {
		if (next_item == ITEMS)
			return -EPIPE;
		item = next_item++;
		r = choose(4) ? holt_queue_put(market, &item) : holt_queue_try_put(market, &item);
		if (r == 0)
			put_ok[item]++;
	} else {
		item = -1;
		r = choose(4) ? holt_queue_get(market, &item) : holt_queue_try_get(market, &item);
		ck_assert_int_eq(r == 0, item >= 0);
		if (r == 0) {
			delivered[item]++;
			ck_assert_int_eq(holt_queue_task_done(market), 0);
		}
	}
	return r;
}

static int trade(void *arg)
{
	(void)arg;
	for (;;) {
		struct holt_scope s;
		int r;

		holt_scope_begin(&s, choose(2) ? holt_in(choose(2000)) : HOLT_NEVER, 0);
		r = (int)holt_scope_end(&s, one_trade());
		if (r == -ECANCELED || r == -EPIPE)
			return r == -EPIPE ? 0 : r;
		ck_assert_msg(r == 0 || r == -ETIME || r == -EAGAIN, "%d", r);
		if (choose(4) == 0 && holt_sleep(choose(1500)) == -ECANCELED)
			return -ECANCELED;
	}
}

struct market_kind {
	enum holt_order order;
	enum holt_full full;
	size_t capacity;
};

static int chaos(void *arg)
{
	const struct market_kind *m = arg;
	holt_task *tasks[WORKERS];
	holt_group *g;

	ck_assert_int_eq(holt_queue_open(&market, sizeof(int), m->capacity, .order = m->order, .full = m->full,
				 .compare = compare_ints, .drop = count_thrown),
		0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(holt_spawn(g, trade, NULL, .task = &tasks[i]), 0);
	for (int i = 0; i < WORKERS / 3; i++) {
		ck_assert_int_eq(holt_sleep(choose(20000)), 0);
		holt_task_cancel(tasks[choose(WORKERS)], "chaos");
	}
	ck_assert_int_eq(holt_sleep(choose(200000)), 0);
	holt_queue_shutdown(market, choose(2));
	ck_assert_int_eq(holt_sleep(choose(3000)), 0);
	holt_group_cancel(g, "enough");
	for (int i = 0; i < WORKERS; i++)
		holt_task_unref(tasks[i]);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	holt_queue_shutdown(market, true);
	ck_assert_int_eq(holt_queue_join(market), 0);
	ck_assert_int_eq(holt_queue_task_done(market), -ERANGE);
	holt_queue_close(market);
	return 0;
}

TEST_LOOP(each_item_that_was_put_is_got_or_dropped_exactly_once_and_no_other, 0, 20)
{
	static const struct market_kind markets[] = {
		{ HOLT_FIFO, HOLT_BLOCK, 1 },
		{ HOLT_FIFO, HOLT_BLOCK, 6 },
		{ HOLT_LIFO, HOLT_BLOCK, 3 },
		{ HOLT_PRIORITY, HOLT_BLOCK, 5 },
		{ HOLT_FIFO, HOLT_DROP_OLDEST, 2 },
		{ HOLT_PRIORITY, HOLT_BLOCK, HOLT_UNBOUNDED },
	};
	unsigned n = 0;

	seed = (uint64_t)_i * 77 + 1;
	ck_assert_int_eq(harness_run(chaos, (void *)&markets[(size_t)_i % HOLT__N(markets)]), 0);
	for (int i = 0; i < ITEMS; i++) {
		ck_assert_int_eq(put_ok[i], delivered[i] + thrown[i]);
		ck_assert_int_le(put_ok[i], 1);
		n += delivered[i];
	}
	ck_assert_uint_gt(n, 20);
}
