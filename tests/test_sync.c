/* SPDX-License-Identifier: MIT */
/*
 * Locks, events, conditions, semaphores, barriers: who is served when, and what a cancellation leaves.
 *
 * The tests are small plays. An actor waits for something, writes its name into the order when it has got it, and
 * gives it back after a pause. What came at once for an actor is played in both orders: woken then canceled, canceled
 * then woken.
 */
#include "harness.h"

#include <sys/wait.h>

#include "loop/loop.h"

/* ---- a test that is a task */

#define TASK_TEST(claim) \
	static int claim##_task(void *arg); \
	TEST(claim) \
	{ \
		ck_assert_int_eq(harness_run(claim##_task, NULL), 0); \
	} \
	static int claim##_task(void *arg __attribute__((unused)))

static char order[128]; /* the names of actors, as they got what they waited for */

static void note(char name)
{
	order[strlen(order)] = name;
}

/* Lets everybody who is ready go as far as they get. */
static void settle(void)
{
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(holt_yield(), 0);
}

/* ---- what an actor does */

struct play {
	int (*get)(void *on);
	int (*give)(void *on); /* NULL: nothing to give back */
	bool places;           /* what get returns says which of them; else it is 0 */
};

struct actor {
	const struct play *play;
	void *on;
	char name;
	holt_task *task;
	int result;
	bool done, canceled_after; /* it has seen its cancellation after it got what it waited for */
};

static holt_time stay; /* between getting and giving back; 0: a round of the ready list */

static int act(void *arg)
{
	struct actor *a = arg;

	a->result = a->play->get(a->on);
	if (a->result >= 0)
		note(a->name);
	ck_assert(a->result <= 0 || a->play->places);
	a->done = true;
	if (a->result >= 0 && a->play->give) {
		a->canceled_after = (stay ? holt_sleep(stay) : holt_yield()) == -ECANCELED;
		ck_assert_int_eq(a->play->give(a->on), 0);
	} else {
		a->canceled_after = holt_check() == -ECANCELED;
	}
	return 0;
}

static void enter(holt_group *g, struct actor *a, const struct play *play, void *on, char name)
{
	*a = (struct actor){ .play = play, .on = on, .name = name };
	ck_assert_int_eq(holt_spawn(g, act, a, .task = &a->task), 0);
	ck_assert_int_eq(holt_yield(), 0); /* it waits now, or has it */
}

static void leave(struct actor *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert(a[i].done);
		a[i].task = holt_task_unref(a[i].task);
	}
}

#define PLAY(kind, type, get_fn, give_fn) \
	static int kind##_get(void *on) \
	{ \
		return get_fn((type *)on); \
	} \
	static int kind##_give(void *on) \
	{ \
		return give_fn((type *)on); \
	} \
	static const struct play kind = { kind##_get, kind##_give };
PLAY(lock, struct holt_lock, holt_lock_acquire, holt_lock_release)
PLAY(rlock, struct holt_rlock, holt_rlock_acquire, holt_rlock_release)
PLAY(reader, struct holt_rwlock, holt_rwlock_read, holt_rwlock_release)
PLAY(writer, struct holt_rwlock, holt_rwlock_write, holt_rwlock_release)
PLAY(sem, struct holt_sem, holt_sem_acquire, holt_sem_release)

static int event_get(void *on)
{
	return holt_event_wait(on);
}
static const struct play event = { event_get, NULL };

static int barrier_get(void *on)
{
	return holt_barrier_wait(on);
}
static const struct play barrier = { barrier_get, NULL, .places = true };

struct cond_and_lock {
	struct holt_cond cond;
	struct holt_lock lock;
};

static int cond_get(void *on)
{
	struct cond_and_lock *c = on;
	int r = holt_lock_acquire(&c->lock);

	if (r < 0)
		return r;
	r = holt_cond_wait(&c->cond, &c->lock);
	ck_assert_int_eq(holt_lock_release(&c->lock), 0); /* it is ours, whatever came */
	return r;
}
static const struct play cond = { cond_get, NULL };

/* ---- what holds for each lock and semaphore with one place, in the same words */

struct kind {
	const char *name;
	const struct play *play;
	size_t size;
};
static const struct kind kinds[] = {
	{ "lock", &lock, sizeof(struct holt_lock) },
	{ "rlock", &rlock, sizeof(struct holt_rlock) },
	{ "rwlock", &writer, sizeof(struct holt_rwlock) },
	{ "semaphore", &sem, sizeof(struct holt_sem) },
};
enum { KINDS = 4 };

static union {
	struct holt_lock lock;
	struct holt_rlock rlock;
	struct holt_rwlock rwlock;
	struct holt_sem sem;
} object;

static bool is_untouched(int kind)
{
	static const typeof(object) zero;
	struct holt_sem one = HOLT_SEM_BOUNDED(1);

	return memcmp(&object, kind == 3 ? (void *)&one : (void *)&zero, kinds[kind].size) == 0;
}

#define KIND_TEST(claim) \
	static int claim##_task(void *arg); \
	TEST_LOOP(claim, 0, KINDS) \
	{ \
		memset(&object, 0, sizeof object); \
		if (_i == 3) \
			object.sem = (struct holt_sem)HOLT_SEM_BOUNDED(1); \
		ck_assert_int_eq(harness_run(claim##_task, (void *)&kinds[_i]), 0); \
		if (!is_untouched(_i)) \
			ck_abort_msg("something stays behind in the %s", kinds[_i].name); \
	} \
	static int claim##_task(void *arg)

KIND_TEST(who_came_first_is_served_first)
{
	const struct kind *k = arg;
	struct actor a[5];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	for (int i = 0; i < 5; i++)
		enter(g, &a[i], k->play, &object, (char)('a' + i));
	settle();
	ck_assert_str_eq(order, "");
	ck_assert_int_eq(k->play->give(&object), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "abcde");
	leave(a, 5);
	return holt_group_close(g, 0);
}

KIND_TEST(who_releases_does_not_overtake_who_waits)
{
	const struct kind *k = arg;
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	enter(g, &a, k->play, &object, 'a');
	ck_assert_int_eq(k->play->give(&object), 0);
	ck_assert_str_eq(order, ""); /* it has not run, and yet: */
	ck_assert_int_eq(k->play->get(&object), 0);
	ck_assert_str_eq(order, "a");
	ck_assert_int_eq(k->play->give(&object), 0);
	leave(&a, 1);
	return holt_group_close(g, 0);
}

KIND_TEST(canceled_waiter_leaves_nothing_behind)
{
	const struct kind *k = arg;
	struct actor a[3];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], k->play, &object, (char)('a' + i));
	holt_task_cancel(a[1].task, "test");
	settle();
	ck_assert_int_eq(a[1].result, -ECANCELED);
	holt_task_cancel(a[0].task, "test"); /* not run yet when the release comes */
	ck_assert_int_eq(k->play->give(&object), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "c");
	ck_assert_int_eq(a[0].result, -ECANCELED);
	leave(a, 3);
	return holt_group_close(g, 0);
}

KIND_TEST(last_waiter_that_was_canceled_leaves_it_free)
{
	const struct kind *k = arg;
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	enter(g, &a, k->play, &object, 'a');
	holt_task_cancel(a.task, "test");
	ck_assert_int_eq(k->play->give(&object), 0);
	ck_assert_int_eq(k->play->get(&object), 0); /* a has not run yet */
	ck_assert_int_eq(k->play->give(&object), 0);
	settle();
	ck_assert_int_eq(a.result, -ECANCELED);
	leave(&a, 1);
	return holt_group_close(g, 0);
}

KIND_TEST(who_was_served_and_then_canceled_has_it_and_sees_the_cancellation_later)
{
	const struct kind *k = arg;
	struct actor a[2];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	enter(g, &a[0], k->play, &object, 'a');
	enter(g, &a[1], k->play, &object, 'b');
	ck_assert_int_eq(k->play->give(&object), 0);
	holt_task_cancel(a[0].task, "test");
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "ab");
	ck_assert(a[0].canceled_after);
	ck_assert(!a[1].canceled_after);
	leave(a, 2);
	return holt_group_close(g, 0);
}

KIND_TEST(canceled_caller_gets_nothing_though_it_is_free)
{
	const struct kind *k = arg;
	struct holt_scope s;

	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(k->play->get(&object), -ECANCELED);
	ck_assert_int_eq(holt_scope_end(&s, 0), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	ck_assert_int_eq(k->play->give(&object), 0);
	return 0;
}

KIND_TEST(waiting_needs_no_memory)
{
	const struct kind *k = arg;
	struct actor a[4];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(k->play->get(&object), 0);
	for (int i = 0; i < 4; i++) {
		a[i] = (struct actor){ .play = k->play, .on = &object, .name = 'x' };
		ck_assert_int_eq(holt_spawn(g, act, &a[i], .task = &a[i].task), 0);
	}
	harness_fail_alloc(0);
	settle();
	ck_assert_int_eq(k->play->give(&object), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_uint_eq(harness_allocs(), 0);
	ck_assert_str_eq(order, "xxxx");
	leave(a, 4);
	return holt_group_close(g, 0);
}

static unsigned rounds_of_others;

static int count_rounds(void *arg)
{
	(void)arg;
	while (holt_yield() == 0)
		rounds_of_others++;
	return 0;
}

KIND_TEST(task_that_never_has_to_wait_lets_others_run)
{
	const struct kind *k = arg;
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, count_rounds, NULL, .background = true), 0);
	for (int i = 0; i < 1280; i++) {
		ck_assert_int_eq(k->play->get(&object), 0);
		ck_assert_int_eq(k->play->give(&object), 0);
	}
	ck_assert_uint_ge(rounds_of_others, 8);
	ck_assert_uint_le(rounds_of_others, 12);
	return holt_group_close(g, 0);
}

TEST_LOOP(outside_of_tasks_nothing_can_be_waited_for, 0, KINDS)
{
	memset(&object, 0, sizeof object);
	object.sem.count = _i == 3;
	ck_assert_int_eq(kinds[_i].play->get(&object), -EPERM);
	object.sem.count = 0;
	if (_i < 3)
		ck_assert_int_eq(kinds[_i].play->give(&object), -EPERM);
}

/* ---- lock */

static struct holt_lock locks[8];

TASK_TEST(lock_is_known_by_its_owner)
{
	struct holt_lock *l = &locks[0];
	struct actor a;
	holt_group *g;

	ck_assert(!holt_lock_locked(l));
	ck_assert_int_eq(holt_lock_release(l), -EPERM);
	ck_assert_int_eq(holt_lock_try_acquire(l), 0);
	ck_assert(holt_lock_locked(l));
	ck_assert_int_eq(holt_lock_try_acquire(l), -EBUSY);
	ck_assert_int_eq(holt_lock_acquire(l), -EDEADLK);
	ck_assert_int_eq(holt_lock_release(l), 0);

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a, &lock, l, 'a');
	ck_assert_str_eq(order, "a");
	ck_assert_int_eq(holt_lock_release(l), -EPERM); /* a's */
	ck_assert_int_eq(holt_lock_try_acquire(l), -EBUSY);
	ck_assert_int_eq(holt_group_wait(g), 0);
	leave(&a, 1);
	return holt_group_close(g, 0);
}

TEST(lock_can_be_tried_only_by_tasks)
{
	ck_assert_int_eq(holt_lock_try_acquire(&locks[0]), -EPERM);
	ck_assert(!holt_lock_locked(&locks[0]));
}

TASK_TEST(handed_lock_is_not_there_for_who_tries)
{
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	enter(g, &a, &lock, &locks[0], 'a');
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	ck_assert_int_eq(holt_lock_try_acquire(&locks[0]), -EBUSY);
	ck_assert_int_eq(holt_lock_release(&locks[0]), -EPERM);
	ck_assert_int_eq(holt_group_wait(g), 0);
	leave(&a, 1);
	return holt_group_close(g, 0);
}

struct link { /* of a circle: owns first, wants second */
	struct holt_lock *first, *second;
	int result;
};

static int want_both(void *arg)
{
	struct link *l = arg;

	ck_assert_int_eq(holt_lock_acquire(l->first), 0);
	ck_assert_int_eq(holt_yield(), 0);
	l->result = holt_lock_acquire(l->second);
	if (l->result == 0)
		ck_assert_int_eq(holt_lock_release(l->second), 0);
	ck_assert_int_eq(holt_lock_release(l->first), 0);
	return 0;
}

static int circle_of(void *arg)
{
	int n = *(int *)arg;
	struct link links[8];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < n; i++) {
		links[i] = (struct link){ &locks[i], &locks[(i + 1) % n], 1 };
		ck_assert_int_eq(holt_spawn(g, want_both, &links[i]), 0);
	}
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(links[i].result, i == n - 1 ? -EDEADLK : 0); /* the one that would have closed it */
	return 0;
}

TEST_LOOP(circle_of_owners_is_found_before_it_closes, 2, 9)
{
	ck_assert_int_eq(harness_run(circle_of, &_i), 0);
}

static struct holt_rwlock book;

static int writes_and_wants_the_lock(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_rwlock_write(&book), 0);
	settle();
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	return holt_rwlock_release(&book);
}

TASK_TEST(circle_through_the_writer_of_an_rwlock_is_found)
{
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	ck_assert_int_eq(holt_spawn(g, writes_and_wants_the_lock, NULL), 0);
	settle();
	settle();
	ck_assert_int_eq(holt_rwlock_read(&book), -EDEADLK);
	ck_assert_int_eq(holt_rwlock_write(&book), -EDEADLK);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	ck_assert_int_eq(holt_rwlock_write(&book), 0); /* a wait, but no circle any more */
	ck_assert_int_eq(holt_rwlock_release(&book), 0);
	return holt_group_close(g, 0);
}

static int wants_the_rwlock_owning_a_lock(void *to_read)
{
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	settle();
	ck_assert_int_eq(to_read ? holt_rwlock_read(&book) : holt_rwlock_write(&book), 0);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	return holt_rwlock_release(&book);
}

TASK_TEST(lock_whose_owner_waits_for_ones_own_rwlock_closes_a_circle)
{
	for (int to_read = 0; to_read < 2; to_read++) {
		holt_group *g;

		ck_assert_int_eq(holt_group_open(&g), 0);
		ck_assert_int_eq(holt_rwlock_write(&book), 0);
		ck_assert_int_eq(holt_spawn(g, wants_the_rwlock_owning_a_lock, to_read ? &book : NULL), 0);
		settle();
		settle();
		ck_assert_int_eq(holt_lock_acquire(&locks[0]), -EDEADLK);
		ck_assert_int_eq(holt_rwlock_release(&book), 0);
		ck_assert_int_eq(holt_group_close(g, 0), 0);
	}
	return 0;
}

TASK_TEST(chain_that_was_just_undone_is_no_circle)
{
	struct link other = { &locks[1], &locks[0], 1 };
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	ck_assert_int_eq(holt_spawn(g, want_both, &other), 0);
	settle();
	ck_assert_int_eq(holt_lock_acquire(&locks[1]), -EDEADLK);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0); /* the other has both now, and not run */
	ck_assert_int_eq(holt_lock_acquire(&locks[1]), 0);
	ck_assert_int_eq(other.result, 0);
	ck_assert_int_eq(holt_lock_release(&locks[1]), 0);
	return holt_group_close(g, 0);
}

static int pass_through(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_lock_acquire(&locks[1]), 0);
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	settle();
	ck_assert_int_eq(holt_lock_release(&locks[1]), 0);
	return 0;
}

TASK_TEST(owner_that_once_waited_for_a_lock_and_now_runs_is_in_no_circle)
{
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	ck_assert_int_eq(holt_spawn(g, pass_through, NULL), 0);
	settle();
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	ck_assert_int_eq(holt_yield(), 0); /* it has given it back, and is ready */
	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0);
	ck_assert_int_eq(holt_lock_acquire(&locks[1]), 0);
	ck_assert_int_eq(holt_lock_release(&locks[1]), 0);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	return holt_group_close(g, 0);
}

static struct cond_and_lock both;

static int wait_with_other_lock(void *arg)
{
	ck_assert_int_eq(holt_lock_acquire(arg), 0);
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), 0);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	ck_assert_int_eq(holt_lock_release(arg), 0);
	return 0;
}

static int want_other_lock(void *arg)
{
	int r;

	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	r = holt_lock_acquire(arg);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	return r;
}

/* A condition takes its lock again whatever comes, so it can close a circle that nobody was told of. */
TASK_TEST(circle_that_a_condition_closed_does_not_catch_who_comes_by)
{
	holt_task *wanting;
	holt_group *g;
	struct link late = { &locks[3], &both.lock, 1 }, later = { &locks[4], &locks[3], 1 };
	int result;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, wait_with_other_lock, &locks[0]), 0);
	ck_assert_int_eq(holt_spawn(g, want_other_lock, &locks[0], .task = &wanting), 0);
	settle();
	holt_cond_notify(&both.cond, 1);
	settle(); /* now each of the two waits for the other */
	ck_assert_int_eq(holt_spawn(g, want_both, &late), 0);
	ck_assert_int_eq(holt_spawn(g, want_both, &later), 0);
	settle();
	holt_task_cancel(wanting, "test"); /* the way out of it */
	ck_assert_int_eq(holt_task_wait(wanting, &result), 0);
	ck_assert_int_eq(result, -ECANCELED);
	holt_task_unref(wanting);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(late.result, 0);
	ck_assert_int_eq(later.result, 0);
	return holt_group_close(g, 0);
}

static int keep_lock(void *arg)
{
	return holt_lock_acquire(arg);
}

static int keep_reader(void *arg)
{
	return holt_rwlock_read(arg);
}

static int keep_in_group(void *arg)
{
	holt_group *g;
	int r = holt_group_open(&g, .name = "house");

	if (r < 0)
		return r;
	r = holt_spawn(g, arg ? keep_lock : keep_reader, arg ? arg : &object.rwlock, .name = "keeper");
	return holt_group_close(g, r);
}

static int run_keeper(void *arg)
{
	return holt_run(keep_in_group, arg);
}

TEST(task_that_ends_as_an_owner_aborts_with_its_name)
{
	int status = harness_child(run_keeper, &locks[0]);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_msg(strstr(harness_output(), "house/keeper") && strstr(harness_output(), "lock"), "%s", harness_output());
	status = harness_child(run_keeper, NULL);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_msg(strstr(harness_output(), "house/keeper"), "%s", harness_output());
}

/* ---- rlock */

TASK_TEST(rlock_is_free_after_as_many_releases)
{
	static struct holt_rlock l;
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_rlock_release(&l), -EPERM);
	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_rlock_acquire(&l), 0);
	enter(g, &a, &rlock, &l, 'a');
	for (int i = 0; i < 3; i++) {
		settle();
		ck_assert_str_eq(order, "");
		ck_assert_int_eq(holt_rlock_release(&l), 0);
	}
	ck_assert_int_eq(holt_rlock_release(&l), -EPERM); /* a's, which has not run */
	settle();
	ck_assert_str_eq(order, "a");
	ck_assert_int_eq(holt_rlock_acquire(&l), 0);
	ck_assert_int_eq(holt_rlock_release(&l), 0);
	ck_assert(!holt_lock_locked(&l.lock));
	leave(&a, 1);
	return holt_group_close(g, 0);
}

TASK_TEST(canceled_owner_of_an_rlock_does_not_take_it_once_more)
{
	static struct holt_rlock l;
	struct holt_scope s;

	ck_assert_int_eq(holt_rlock_acquire(&l), 0);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_rlock_acquire(&l), -ECANCELED);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(holt_rlock_release(&l), 0);
	ck_assert(!holt_lock_locked(&l.lock));
	return 0;
}

TASK_TEST(who_waits_in_vain_for_an_rlock_leaves_its_depth_alone)
{
	static struct holt_rlock l;
	struct actor a[2];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_rlock_acquire(&l), 0);
	enter(g, &a[0], &rlock, &l, 'a');
	enter(g, &a[1], &rlock, &l, 'b');
	holt_task_cancel(a[0].task, "test");
	settle();
	ck_assert_int_eq(a[0].result, -ECANCELED);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_eq(order, "");
		ck_assert_int_eq(holt_rlock_release(&l), 0);
		settle();
	}
	ck_assert_str_eq(order, "b");
	leave(a, 2);
	return holt_group_close(g, 0);
}

/* ---- rwlock */

static struct holt_rwlock rw;

TASK_TEST(readers_share_and_a_writer_is_alone)
{
	struct actor a[4];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_rwlock_read(&rw), 0);
	enter(g, &a[0], &reader, &rw, 'r');
	ck_assert_str_eq(order, "r");
	enter(g, &a[1], &writer, &rw, 'W');
	settle();
	ck_assert(!a[1].done);
	ck_assert_int_eq(holt_rwlock_release(&rw), 0);
	ck_assert_int_eq(holt_yield(), 0);
	ck_assert_str_eq(order, "rW");
	enter(g, &a[2], &reader, &rw, 's');
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "rWs");
	leave(a, 3);
	return holt_group_close(g, 0);
}

TASK_TEST(reader_behind_a_waiting_writer_waits_and_all_up_to_the_next_writer_go_together)
{
	static const char names[] = "VabWcd";
	struct actor a[6];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_rwlock_read(&rw), 0);
	stay = HOLT_SEC;
	for (int i = 0; i < 6; i++)
		enter(g, &a[i], names[i] < 'a' ? &writer : &reader, &rw, names[i]);
	settle();
	ck_assert_str_eq(order, "");
	ck_assert_int_eq(holt_rwlock_release(&rw), 0);
	settle();
	ck_assert_str_eq(order, "V");
	ck_assert_int_eq(holt_sleep(HOLT_SEC + HOLT_MS), 0);
	ck_assert_str_eq(order, "Vab");
	ck_assert_int_eq(holt_sleep(HOLT_SEC + HOLT_MS), 0);
	ck_assert_str_eq(order, "VabW");
	ck_assert_int_eq(holt_sleep(HOLT_SEC + HOLT_MS), 0);
	ck_assert_str_eq(order, "VabWcd");
	ck_assert_int_eq(holt_group_wait(g), 0);
	leave(a, 6);
	return holt_group_close(g, 0);
}

TASK_TEST(canceled_writer_lets_the_readers_behind_it_in)
{
	static const char names[] = "VWabXc";
	struct actor a[6];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_rwlock_read(&rw), 0);
	for (int i = 0; i < 6; i++)
		enter(g, &a[i], names[i] < 'a' ? &writer : &reader, &rw, names[i]);
	holt_task_cancel(a[1].task, "test");
	settle();
	ck_assert_str_eq(order, ""); /* V is still before them */
	holt_task_cancel(a[0].task, "test");
	settle();
	ck_assert_str_eq(order, "ab");
	ck_assert(!a[4].done && !a[5].done);
	ck_assert_int_eq(holt_rwlock_release(&rw), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "abXc");
	leave(a, 6);
	return holt_group_close(g, 0);
}

TASK_TEST(writer_that_asks_again_is_told_and_nobody_elses_lock_is_released)
{
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_rwlock_release(&rw), -EPERM);
	ck_assert_int_eq(holt_rwlock_write(&rw), 0);
	ck_assert_int_eq(holt_rwlock_write(&rw), -EDEADLK);
	ck_assert_int_eq(holt_rwlock_read(&rw), -EDEADLK);
	ck_assert_int_eq(holt_rwlock_release(&rw), 0);
	ck_assert_int_eq(holt_rwlock_release(&rw), -EPERM);
	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a, &writer, &rw, 'a');
	ck_assert_str_eq(order, "a");
	ck_assert_int_eq(holt_rwlock_release(&rw), -EPERM);
	ck_assert_int_eq(holt_group_wait(g), 0);
	leave(&a, 1);
	return holt_group_close(g, 0);
}

TASK_TEST(who_does_not_hold_an_rwlock_releases_none_and_a_free_one_stays_free)
{
	struct actor a[2];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	stay = HOLT_SEC;
	enter(g, &a[0], &reader, &rw, 'r');
	ck_assert_int_eq(holt_rwlock_release(&rw), -EPERM);
	enter(g, &a[1], &writer, &rw, 'W');
	settle();
	ck_assert_str_eq(order, "r"); /* it reads on */
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "rW");
	leave(a, 2);

	ck_assert_int_eq(holt_lock_acquire(&locks[0]), 0); /* something else */
	ck_assert_int_eq(holt_rwlock_release(&rw), -EPERM);
	enter(g, &a[0], &writer, &rw, 'X');
	ck_assert_int_eq(holt_rwlock_release(&rw), -EPERM);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "rWX");
	leave(a, 1);
	ck_assert_int_eq(holt_lock_release(&locks[0]), 0);
	ck_assert_int_eq(holt_rwlock_write(&rw), 0);
	ck_assert_int_eq(holt_rwlock_release(&rw), 0);
	return holt_group_close(g, 0);
}

/* ---- event */

static struct holt_event ev;

static void set_event(void *arg)
{
	(void)arg;
	holt_event_set(&ev);
	holt_event_clear(&ev);
}

TASK_TEST(event_wakes_all_in_their_order_and_stays_set)
{
	struct actor a[4];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], &event, &ev, (char)('a' + i));
	ck_assert(!holt_event_is_set(&ev));
	holt_event_set(&ev);
	ck_assert(holt_event_is_set(&ev));
	settle();
	ck_assert_str_eq(order, "abc");
	enter(g, &a[3], &event, &ev, 'd');
	ck_assert_str_eq(order, "abcd");
	holt_event_clear(&ev);
	ck_assert(!holt_event_is_set(&ev));
	leave(a, 4);
	return holt_group_close(g, 0);
}

TASK_TEST(waiter_of_an_event_goes_on_though_it_was_cleared_or_the_waiter_canceled_since)
{
	struct actor a[3];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], &event, &ev, (char)('a' + i));
	holt_task_cancel(a[2].task, "test");
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), set_event, NULL), 0); /* outside of tasks */
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), (void (*)(void *))holt_event_clear, &ev), 0);
	ck_assert_int_eq(holt_sleep(1), 0);
	ck_assert_str_eq(order, "ab");
	ck_assert_int_eq(a[2].result, -ECANCELED);
	leave(a, 3);

	order[0] = 0;
	enter(g, &a[0], &event, &ev, 'x');
	holt_event_set(&ev);
	holt_event_clear(&ev);
	holt_task_cancel(a[0].task, "test");
	settle();
	ck_assert_int_eq(a[0].result, 0);
	ck_assert(a[0].canceled_after);
	ck_assert_ptr_null(ev.w.head);
	leave(a, 1);
	return holt_group_close(g, 0);
}

/* ---- condition */

TASK_TEST(condition_wakes_as_many_as_it_is_told_those_who_wait_longest)
{
	struct actor a[5];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	holt_cond_notify(&both.cond, 3); /* nobody waits: not remembered */
	holt_cond_notify_all(&both.cond);
	for (int i = 0; i < 5; i++)
		enter(g, &a[i], &cond, &both, (char)('a' + i));
	ck_assert(!holt_lock_locked(&both.lock));
	settle();
	ck_assert_str_eq(order, "");
	holt_cond_notify(&both.cond, 0);
	settle();
	ck_assert_str_eq(order, "");
	holt_cond_notify(&both.cond, 2);
	settle();
	ck_assert_str_eq(order, "ab");
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_cond_notify_all(&both.cond);
	settle();
	ck_assert_str_eq(order, "ab"); /* they wait for the lock now */
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "abcde");
	leave(a, 5);
	return holt_group_close(g, 0);
}

TASK_TEST(condition_needs_its_lock)
{
	struct holt_scope s;
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), -EPERM);
	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a, &lock, &both.lock, 'a');
	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), -EPERM); /* a's */
	ck_assert(holt_lock_locked(&both.lock));
	ck_assert_int_eq(holt_group_wait(g), 0);
	leave(&a, 1);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), -ECANCELED); /* that comes first */
	holt_scope_end(&s, 0);
	return holt_group_close(g, 0);
}

TEST(condition_needs_a_task)
{
	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), -EPERM);
}

TASK_TEST(notified_waiter_returns_0_though_it_was_canceled_since_even_while_it_waits_for_the_lock)
{
	struct actor a[2];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &cond, &both, 'a');
	enter(g, &a[1], &cond, &both, 'b');
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_cond_notify_all(&both.cond);
	holt_task_cancel(a[0].task, "test");
	settle();
	holt_task_cancel(a[1].task, "test");
	settle();
	ck_assert(!a[0].done && !a[1].done);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	settle();
	ck_assert_str_eq(order, "ab");
	ck_assert(a[0].canceled_after && a[1].canceled_after);
	leave(a, 2);
	return holt_group_close(g, 0);
}

TASK_TEST(canceled_waiter_of_a_condition_takes_no_notification_and_comes_back_with_the_lock)
{
	struct actor a[2];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &cond, &both, 'a');
	enter(g, &a[1], &cond, &both, 'b');
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_task_cancel(a[0].task, "test");
	holt_cond_notify(&both.cond, 1); /* a has not run yet */
	settle();
	ck_assert(!a[0].done); /* it waits for the lock, canceled as it is */
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	settle();
	ck_assert_int_eq(a[0].result, -ECANCELED);
	ck_assert_str_eq(order, "b");
	leave(a, 2);
	return holt_group_close(g, 0);
}

TASK_TEST(waiter_of_a_condition_that_was_canceled_before_never_lets_go_of_the_lock)
{
	struct holt_scope s;
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	enter(g, &a, &lock, &both.lock, 'a');
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), -ECANCELED);
	ck_assert_int_eq(holt_scope_end(&s, 0), 0);
	settle();
	ck_assert_str_eq(order, "");
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	settle();
	ck_assert_str_eq(order, "a");
	leave(&a, 1);
	return holt_group_close(g, 0);
}

static int sleep_after_condition(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	ck_assert_int_eq(holt_cond_wait(&both.cond, &both.lock), 0);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	return holt_sleep(HOLT_HOUR);
}

TASK_TEST(who_has_come_back_from_a_condition_can_be_canceled_as_before)
{
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_after_condition, NULL), 0);
	settle();
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_cond_notify(&both.cond, 1);
	settle(); /* it waits for the lock, and nothing may end that */
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	settle();
	holt_group_cancel(g, "test");
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_uint_eq(harness_time(), 0);
	return 0;
}

static holt_time came_back;

static int wait_in_shield(void *arg)
{
	struct holt_scope shield;
	int r;

	(void)arg;
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	r = holt_cond_wait(&both.cond, &both.lock);
	came_back = harness_time();
	holt_scope_end(&shield, 0);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0); /* it is ours */
	return r;
}

static int hold_for_long(void *arg)
{
	struct holt_scope shield;

	(void)arg;
	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	ck_assert_int_eq(holt_sleep(30 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_scope_end(&shield, 0), 0);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	return 0;
}

TASK_TEST(waiter_of_a_condition_comes_back_with_the_lock_even_if_its_shield_breaks)
{
	holt_group *holder, *g;

	ck_assert_int_eq(holt_group_open(&holder), 0);
	ck_assert_int_eq(holt_group_open(&g, .cleanup = 2 * HOLT_SEC), 0);
	ck_assert_int_eq(holt_spawn(g, wait_in_shield, NULL), 0);
	settle();
	ck_assert_int_eq(holt_spawn(holder, hold_for_long, NULL), 0);
	settle();
	holt_group_cancel(g, "test");
	ck_assert_int_eq(holt_group_close(g, 0), 0); /* at 1 s the shield breaks, at 2 s the cleanup is over */
	ck_assert_uint_ge(came_back, 30 * HOLT_SEC);
	return holt_group_close(holder, 0);
}

TASK_TEST(deadline_that_ends_a_wait_for_a_condition_leaves_the_lock_with_the_waiter)
{
	struct holt_scope s;

	ck_assert_int_eq(holt_lock_acquire(&both.lock), 0);
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq(holt_scope_end(&s, holt_cond_wait(&both.cond, &both.lock)), -ETIME);
	ck_assert_uint_eq(harness_time(), HOLT_SEC);
	ck_assert_ptr_eq(both.lock.owner, holt_self()); /* nobody else wanted it */
	ck_assert_ptr_null(both.cond.w.head);
	ck_assert_int_eq(holt_lock_release(&both.lock), 0);
	return 0;
}

static int goods; /* what those who wait for the condition wait for */

static int take_goods(void *on)
{
	struct cond_and_lock *c = on;
	int r = holt_lock_acquire(&c->lock);

	if (r < 0)
		return r;
	while (r == 0 && goods == 0)
		r = holt_cond_wait(&c->cond, &c->lock);
	if (r == 0)
		goods--;
	ck_assert_int_eq(holt_lock_release(&c->lock), 0);
	return r;
}
static const struct play customer = { take_goods, NULL };

TASK_TEST(waiter_that_was_notified_in_vain_waits_again_behind_the_others)
{
	struct actor a[3];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], &customer, &both, (char)('a' + i));
	holt_cond_notify(&both.cond, 1); /* there is nothing for it */
	settle();
	ck_assert_str_eq(order, "");
	ck_assert(!holt_lock_locked(&both.lock));
	for (int i = 0; i < 3; i++) {
		goods++;
		holt_cond_notify(&both.cond, 1);
		settle();
	}
	ck_assert_str_eq(order, "bca");
	leave(a, 3);
	return holt_group_close(g, 0);
}

/* ---- semaphore */

TASK_TEST(semaphore_has_as_many_permits_as_it_was_given)
{
	struct holt_sem s = HOLT_SEM_INIT(2), bounded = HOLT_SEM_BOUNDED(2), full = HOLT_SEM_INIT(SIZE_MAX);
	struct actor a[3];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	stay = HOLT_SEC;
	for (int i = 0; i < 3; i++)
		enter(g, &a[i], &sem, &s, (char)('a' + i));
	ck_assert_str_eq(order, "ab");
	ck_assert_int_eq(holt_sem_try_acquire(&s), -EAGAIN);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "abc");
	ck_assert_int_eq(holt_sem_release(&s), 0); /* one more than in the beginning */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_sem_try_acquire(&s), 0);
	ck_assert_int_eq(holt_sem_try_acquire(&s), -EAGAIN);

	ck_assert_int_eq(holt_sem_release(&bounded), -EOVERFLOW);
	ck_assert_int_eq(holt_sem_acquire(&bounded), 0);
	ck_assert_int_eq(holt_sem_release(&bounded), 0);
	ck_assert_int_eq(holt_sem_release(&bounded), -EOVERFLOW);
	ck_assert_int_eq(holt_sem_release(&full), -EOVERFLOW);
	leave(a, 3);
	return holt_group_close(g, 0);
}

TASK_TEST(handed_permit_is_not_there_for_who_tries)
{
	struct holt_sem s = HOLT_SEM_INIT(0);
	struct actor a;
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a, &sem, &s, 'a');
	ck_assert_int_eq(holt_sem_release(&s), 0);
	ck_assert_int_eq(holt_sem_try_acquire(&s), -EAGAIN);
	settle();
	ck_assert_str_eq(order, "a");
	ck_assert_uint_eq(s.count, 1);
	leave(&a, 1);
	return holt_group_close(g, 0);
}

TASK_TEST(permits_released_in_one_go_are_as_many_waiters)
{
	struct holt_sem s = HOLT_SEM_INIT(0);
	struct play keeper = { sem_get, NULL };
	struct actor a[4];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 0; i < 4; i++)
		enter(g, &a[i], &keeper, &s, (char)('a' + i));
	holt_task_cancel(a[1].task, "test");
	ck_assert_int_eq(holt_sem_release(&s), 0);
	ck_assert_int_eq(holt_sem_release(&s), 0);
	ck_assert_uint_eq(s.count, 0); /* each of them is somebody's */
	settle();
	ck_assert_str_eq(order, "ac");
	ck_assert_int_eq(a[1].result, -ECANCELED);
	ck_assert_int_eq(holt_sem_release(&s), 0);
	ck_assert_int_eq(holt_sem_release(&s), 0);
	ck_assert_uint_eq(s.count, 1);
	settle();
	ck_assert_str_eq(order, "acd");
	leave(a, 4);
	return holt_group_close(g, 0);
}

TEST(semaphore_can_be_tried_and_released_outside_of_tasks)
{
	struct holt_sem s = HOLT_SEM_BOUNDED(1);

	ck_assert_int_eq(holt_sem_try_acquire(&s), 0);
	ck_assert_int_eq(holt_sem_try_acquire(&s), -EAGAIN);
	ck_assert_int_eq(holt_sem_release(&s), 0);
}

/* ---- barrier */

TASK_TEST(barrier_trips_in_rounds_and_tells_each_its_place)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(3);
	struct actor a[6];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int round = 0; round < 2; round++) {
		enter(g, &a[3 * round], &barrier, &b, 'a');
		enter(g, &a[3 * round + 1], &barrier, &b, 'b');
		settle();
		ck_assert(!a[3 * round].done && !a[3 * round + 1].done);
		enter(g, &a[3 * round + 2], &barrier, &b, 'c');
		settle();
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(a[3 * round + i].result, i);
	}
	ck_assert_str_eq(order, "cabcab"); /* the last does not wait */
	ck_assert_uint_eq(b.round, 2);
	leave(a, 6);
	return holt_group_close(g, 0);
}

TASK_TEST(canceled_waiter_leaves_a_barrier_whole_and_those_behind_it_move_up)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(3);
	struct actor a[4];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &barrier, &b, 'a');
	enter(g, &a[1], &barrier, &b, 'b');
	holt_task_cancel(a[0].task, "test");
	enter(g, &a[2], &barrier, &b, 'c');
	settle();
	ck_assert_int_eq(a[0].result, -ECANCELED);
	ck_assert(!a[1].done && !a[2].done);
	enter(g, &a[3], &barrier, &b, 'd');
	holt_task_cancel(a[1].task, "too late: it tripped");
	settle();
	for (int i = 1; i < 4; i++)
		ck_assert_int_eq(a[i].result, i - 1);
	leave(a, 4);
	return holt_group_close(g, 0);
}

TASK_TEST(aborted_barrier_is_broken_for_all_who_wait_and_all_who_come)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(3), none = HOLT_BARRIER_INIT(0), one = HOLT_BARRIER_INIT(1);
	struct actor a[3];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &barrier, &b, 'a');
	enter(g, &a[1], &barrier, &b, 'b');
	holt_barrier_abort(&b);
	holt_task_cancel(a[1].task, "too late: it broke");
	enter(g, &a[2], &barrier, &b, 'c');
	settle();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(a[i].result, -EPIPE);
	ck_assert_int_eq(holt_barrier_wait(&b), -EPIPE);
	ck_assert_int_eq(holt_barrier_wait(&none), -EINVAL);
	ck_assert_int_eq(holt_barrier_wait(&one), 0);
	ck_assert_int_eq(holt_barrier_wait(&one), 0);
	leave(a, 3);
	return holt_group_close(g, 0);
}

TASK_TEST(barrier_begins_its_next_round_before_those_of_the_last_have_run)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(3);
	struct actor a[4];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &barrier, &b, 'a');
	enter(g, &a[1], &barrier, &b, 'b');
	for (int i = 2; i < 4; i++) {
		a[i] = (struct actor){ .play = &barrier, .on = &b, .name = (char)('a' + i) };
		ck_assert_int_eq(holt_spawn(g, act, &a[i], .task = &a[i].task), 0);
	}
	ck_assert_int_eq(holt_barrier_wait(&b), 2);
	ck_assert(!a[0].done && !a[1].done); /* they have passed, and not run */
	ck_assert_int_eq(holt_barrier_wait(&b), 0);
	ck_assert_str_eq(order, "dab"); /* c and d came behind us */
	ck_assert_uint_eq(b.round, 2);
	settle();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(a[i].result, i < 2 ? i : i - 1);
	leave(a, 4);
	return holt_group_close(g, 0);
}

TASK_TEST(barrier_that_tripped_has_done_so_for_all_though_it_is_broken_before_they_run)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(3);
	struct actor a[3];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &barrier, &b, 'a');
	enter(g, &a[1], &barrier, &b, 'b');
	ck_assert_int_eq(holt_barrier_wait(&b), 2);
	holt_barrier_abort(&b);
	enter(g, &a[2], &barrier, &b, 'c');
	settle();
	ck_assert_int_eq(a[0].result, 0);
	ck_assert_int_eq(a[1].result, 1);
	ck_assert_int_eq(a[2].result, -EPIPE);
	leave(a, 3);
	return holt_group_close(g, 0);
}

TASK_TEST(broken_barrier_can_be_made_anew_at_once_which_those_who_waited_do_not_notice)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(3);
	struct actor a[5];
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &barrier, &b, 'a');
	enter(g, &a[1], &barrier, &b, 'b');
	holt_barrier_abort(&b);
	b = (struct holt_barrier)HOLT_BARRIER_INIT(3);
	holt_task_cancel(a[1].task, "too late: it broke");
	for (int i = 2; i < 4; i++)
		enter(g, &a[i], &barrier, &b, 'c');
	settle();
	ck_assert_int_eq(a[0].result, -EPIPE);
	ck_assert_int_eq(a[1].result, -EPIPE);
	ck_assert(!a[2].done && !a[3].done);
	enter(g, &a[4], &barrier, &b, 'd');
	settle();
	for (int i = 2; i < 5; i++)
		ck_assert_int_eq(a[i].result, i - 2);
	leave(a, 5);
	return holt_group_close(g, 0);
}

TEST(event_and_barrier_can_be_waited_for_only_in_tasks)
{
	struct holt_barrier b = HOLT_BARRIER_INIT(1);

	ck_assert_int_eq(holt_event_wait(&ev), -EPERM);
	holt_event_set(&ev);
	ck_assert_int_eq(holt_event_wait(&ev), -EPERM);
	ck_assert_int_eq(holt_barrier_wait(&b), -EPERM);
	holt_barrier_abort(&b);
}

/* ---- from outside of tasks */

static struct everything {
	struct cond_and_lock cond;
	struct holt_sem sem;
	struct holt_barrier barrier;
	struct holt_event event;
} all;

static void wake_everybody(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sem_release(&all.sem), 0);
	holt_cond_notify(&all.cond.cond, 1);
	holt_cond_notify_all(&all.cond.cond);
	holt_barrier_abort(&all.barrier);
	holt_event_set(&all.event);
	ck_assert_str_eq(order, ""); /* a wake only queues */
}

TASK_TEST(what_may_be_done_outside_of_tasks_wakes_who_waits)
{
	struct play taken = { sem_get, NULL };
	struct actor a[5];
	holt_group *g;

	all.barrier = (struct holt_barrier)HOLT_BARRIER_INIT(2);
	all.sem.bound = 1;
	ck_assert_int_eq(holt_group_open(&g), 0);
	enter(g, &a[0], &cond, &all.cond, 'c');
	enter(g, &a[1], &cond, &all.cond, 'd');
	enter(g, &a[2], &taken, &all.sem, 's');
	enter(g, &a[3], &barrier, &all.barrier, 'b');
	enter(g, &a[4], &event, &all.event, 'e');
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), wake_everybody, NULL), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_str_eq(order, "scde");
	ck_assert_int_eq(a[3].result, -EPIPE);
	leave(a, 5);
	return holt_group_close(g, 0);
}

/* ---- chaos: many tasks, random choices, canceled at random; what must hold holds at each moment */

enum { CROWD = 24, DEEDS = 150, PERMITS = 3 };

static uint64_t seed;
static unsigned in_lock, in_sem, readers_in, writers_in;
static struct holt_sem permits;
static bool crowd_is_over;

static unsigned choose(unsigned n)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(seed >> 33) % n;
}

static void linger(void)
{
	struct holt_scope shield;

	if (choose(3) == 0)
		return;
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	if (choose(2))
		holt_yield();
	else
		holt_sleep(choose(3000));
	holt_scope_end(&shield, 0);
}

static int one_deed(void)
{
	int r;

	switch (choose(5)) {
	case 0:
		r = holt_lock_acquire(&both.lock);
		if (r < 0)
			return r;
		ck_assert_uint_eq(in_lock++, 0);
		linger();
		in_lock--;
		if (choose(3) == 0) {
			r = holt_cond_wait(&both.cond, &both.lock);
			ck_assert_uint_eq(in_lock, 0);
		} else {
			holt_cond_notify(&both.cond, choose(3));
		}
		ck_assert_int_eq(holt_lock_release(&both.lock), 0);
		return r;
	case 1:
		r = holt_sem_acquire(&permits);
		if (r < 0)
			return r;
		ck_assert_uint_lt(in_sem++, PERMITS);
		linger();
		in_sem--;
		return holt_sem_release(&permits);
	case 2:
		r = holt_rwlock_write(&rw);
		if (r < 0)
			return r;
		ck_assert_uint_eq(writers_in++ + readers_in, 0);
		linger();
		writers_in--;
		return holt_rwlock_release(&rw);
	case 3:
		r = holt_rwlock_read(&rw);
		if (r < 0)
			return r;
		readers_in++;
		ck_assert_uint_eq(writers_in, 0);
		linger();
		readers_in--;
		return holt_rwlock_release(&rw);
	default:
		holt_cond_notify(&both.cond, 1);
		return holt_sleep(choose(2000));
	}
}

static int be_in_the_crowd(void *arg)
{
	(void)arg;
	for (int i = 0; i < DEEDS && !crowd_is_over; i++) {
		struct holt_scope s;
		int r;

		holt_scope_begin(&s, choose(2) ? holt_in(choose(4000)) : HOLT_NEVER, 0);
		r = (int)holt_scope_end(&s, one_deed());
		ck_assert_msg(r == 0 || r == -ETIME || r == -ECANCELED, "%d", r);
		if (r == -ECANCELED)
			return r;
	}
	return 0;
}

static int notify_until_all_left(void *arg)
{
	(void)arg;
	while (holt_sleep(HOLT_MS) == 0)
		holt_cond_notify_all(&both.cond);
	return 0;
}

static int chaos(void *arg)
{
	holt_task *crowd[CROWD];
	holt_group *g;

	seed = (uint64_t) * (int *)arg;
	permits = (struct holt_sem)HOLT_SEM_BOUNDED(PERMITS);
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, notify_until_all_left, NULL, .background = true), 0);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(holt_spawn(g, be_in_the_crowd, NULL, .task = &crowd[i]), 0);
	for (int i = 0; i < CROWD / 2; i++) {
		ck_assert_int_eq(holt_sleep(choose(20000)), 0);
		holt_task_cancel(crowd[choose(CROWD)], "chaos");
	}
	ck_assert_int_eq(holt_group_wait(g), 0);
	for (int i = 0; i < CROWD; i++)
		holt_task_unref(crowd[i]);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	ck_assert_uint_eq(permits.count, PERMITS);
	ck_assert_ptr_null(permits.w.head);
	ck_assert_ptr_null(both.cond.w.head);
	ck_assert(!holt_lock_locked(&both.lock));
	ck_assert_int_eq(holt_rwlock_write(&rw), 0);
	return holt_rwlock_release(&rw);
}

TEST_LOOP(nobody_is_forgotten_and_nothing_lost_in_a_crowd_that_is_canceled_at_random, 1, 16)
{
	ck_assert_int_eq(harness_run(chaos, &_i), 0);
}
