/* SPDX-License-Identifier: MIT */
/*
 * The watcher: who is fired, who is not any more, in which order, and what a round is. And the two small tables that
 * holtd has for it: process numbers, invocation ids.
 */
#include "daemon/watch.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <fcntl.h>

#include "harness.h"

#include "daemon/invocation.h"
#include "daemon/pids.h"

/* One that counts, and may do something when it is fired. */
struct probe {
	struct watch watch;
	int fd, fired;
	uint32_t events;
	void (*then)(struct probe *p);
	struct probe *other;
};

static struct watcher w;

static void fired(struct watch *watch, uint32_t events)
{
	struct probe *p = holt__container(watch, struct probe, watch);

	p->fired++;
	p->events = events;
	if (p->then)
		p->then(p);
}

static void probe_open(struct probe *p, unsigned value)
{
	p->fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(p->fd, 0);
	p->watch.fire = fired;
	ck_assert_int_eq(watch_add(&w, &p->watch, p->fd, EPOLLIN), 0);
}

static void probe_close(struct probe *p)
{
	watch_remove(&w, &p->watch);
	close(p->fd);
}

static void take(struct probe *p)
{
	uint64_t value;

	ck_assert_int_eq(read(p->fd, &value, sizeof value), sizeof value);
}

/* Every test: a watcher, opened and closed, in a task. */
static int with_watcher(void *fn)
{
	int r;

	ck_assert_int_eq(watcher_open(&w), 0);
	r = ((int (*)(void))fn)();
	watcher_close(&w);
	return r;
}

static void in_task(int (*fn)(void))
{
	ck_assert_int_eq(harness_run(with_watcher, (void *)fn), 0);
	ck_assert_uint_eq(harness_live(), 0);
}

/* ---- events */

static int event_fires(void)
{
	struct probe a = { .then = take }, b = { 0 };

	probe_open(&a, 1);
	probe_open(&b, 0);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(a.fired, 1);
	ck_assert_uint_eq(a.events, EPOLLIN);
	ck_assert_int_eq(b.fired, 0);
	probe_close(&a);
	probe_close(&b);
	return 0;
}

TEST(event_fires_its_watch_and_no_other)
{
	in_task(event_fires);
}

static int not_taken(void)
{
	struct probe a = { 0 };

	probe_open(&a, 1);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(watcher_wait(&w), 0);
		ck_assert_int_eq(a.fired, i);
	}
	probe_close(&a);
	return 0;
}

TEST(what_is_not_taken_is_told_again)
{
	in_task(not_taken);
}

static void remove_other(struct probe *p)
{
	if (watch_added(&p->other->watch))
		probe_close(p->other);
}

static int one_removes_the_other(void)
{
	struct probe a = { .then = remove_other }, b = { .then = remove_other };

	a.other = &b;
	b.other = &a;
	probe_open(&a, 1);
	probe_open(&b, 1);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(a.fired + b.fired, 1); /* both are in the batch */
	probe_close(a.fired ? &a : &b);
	ck_assert_uint_eq(w.n_watches, 0);
	return 0;
}

TEST(event_of_the_same_batch_never_reaches_a_watch_that_was_removed)
{
	in_task(one_removes_the_other);
}

static struct probe third;

static void replace_other(struct probe *p)
{
	int fd = p->other->fd;

	if (third.fired || watch_added(&third.watch))
		return;
	probe_close(p->other);
	probe_open(&third, 0);
	ck_assert_int_eq(third.fd, fd); /* the number is in use again, and so is the slot */
	ck_assert_uint_eq(third.watch.slot, p->other->other->watch.slot == p->watch.slot ? third.watch.slot : 0);
}

static int number_again(void)
{
	struct probe a = { .then = replace_other }, b = { .then = replace_other };

	a.other = &b;
	b.other = &a;
	probe_open(&a, 1);
	probe_open(&b, 1);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(a.fired + b.fired, 1);
	ck_assert_int_eq(third.fired, 0);
	probe_close(&third);
	probe_close(a.fired ? &a : &b);
	return 0;
}

TEST(event_of_the_same_batch_never_reaches_a_new_watch_of_the_same_number_and_slot)
{
	in_task(number_again);
}

/* The trap: another holds a copy, so that closing the descriptor does not take it out of epoll. */
static int closed_behind(void)
{
	struct probe a = { 0 }, b = { 0 };
	uint64_t one = 1;
	int copy, generation;

	probe_open(&a, 0);
	copy = fcntl(a.fd, F_DUPFD_CLOEXEC, 100);
	generation = (int)a.watch.slot;
	close(a.fd); /* the mistake: not removed before */
	watch_remove(&w, &a.watch);
	probe_open(&b, 0);
	ck_assert_int_eq(b.fd, a.fd);
	ck_assert_int_eq((int)b.watch.slot, generation);
	ck_assert_int_eq(write(copy, &one, sizeof one), sizeof one);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_int_eq(a.fired, 0);
	ck_assert_int_eq(b.fired, 0);
	close(copy);
	probe_close(&b);
	return 0;
}

TEST(event_of_a_descriptor_that_was_closed_first_reaches_nobody)
{
	in_task(closed_behind);
}

static struct probe crowd[300];

static void open_two_more(struct probe *p)
{
	static size_t n = 1;

	take(p);
	for (int i = 0; i < 2 && n < HOLT__N(crowd); i++, n++) {
		crowd[n].then = open_two_more;
		probe_open(&crowd[n], 1);
	}
}

static int many(void)
{
	unsigned all = 0;

	crowd[0].then = open_two_more;
	probe_open(&crowd[0], 1);
	while (all < HOLT__N(crowd)) {
		ck_assert_int_eq(watcher_wait(&w), 0);
		all = 0;
		for (size_t i = 0; i < HOLT__N(crowd); i++)
			all += (unsigned)crowd[i].fired;
	}
	for (size_t i = 0; i < HOLT__N(crowd); i++) {
		ck_assert_int_eq(crowd[i].fired, 1);
		probe_close(&crowd[i]);
	}
	return 0;
}

TEST(watches_may_be_added_while_events_are_handed_out)
{
	in_task(many);
}

static int fair(void)
{
	unsigned most = 0, least = 1000;

	for (size_t i = 0; i < HOLT__N(crowd); i++)
		probe_open(&crowd[i], 1); /* and nobody takes it */
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(watcher_wait(&w), 0);
	for (size_t i = 0; i < HOLT__N(crowd); i++) {
		most = (unsigned)crowd[i].fired > most ? (unsigned)crowd[i].fired : most;
		least = (unsigned)crowd[i].fired < least ? (unsigned)crowd[i].fired : least;
		probe_close(&crowd[i]);
	}
	ck_assert_uint_le(most - least, 1);
	ck_assert_uint_ge(least, 50 * 64 / HOLT__N(crowd));
	return 0;
}

TEST(watches_that_are_always_ready_have_their_turn_one_after_another)
{
	in_task(fair);
}

static int modified(void)
{
	struct probe a = { 0 };
	bool more;

	probe_open(&a, 1);
	ck_assert_int_eq(watch_modify(&w, &a.watch, EPOLLOUT), 0);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_uint_eq(a.events, EPOLLOUT);
	ck_assert_int_eq(watch_modify(&w, &a.watch, 0), 0);
	w.more = true; /* it does not wait then */
	ck_assert_int_eq(watcher_wait(&w), 0);
	more = a.fired > 1;
	ck_assert(!more);
	probe_close(&a);
	ck_assert_int_eq(watch_modify(&w, &a.watch, EPOLLIN), -ENOENT);
	return 0;
}

TEST(events_asked_for_can_be_changed)
{
	in_task(modified);
}

static int misuse(void)
{
	struct probe a = { 0 }, b = { 0 };
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	probe_open(&a, 0);
	ck_assert_int_eq(watch_add(&w, &a.watch, a.fd, EPOLLIN), -EEXIST);
	ck_assert_int_eq(watch_add(&w, &b.watch, a.fd, EPOLLIN), -EEXIST);
	ck_assert(!watch_added(&b.watch));
	ck_assert_int_eq(watch_add(&w, &b.watch, 999, EPOLLIN), -EBADF);
	ck_assert_int_eq(watch_add(&w, &b.watch, file, EPOLLIN), -EPERM);
	ck_assert_uint_eq(w.n_watches, 1);
	watch_remove(&w, &b.watch);
	probe_close(&a);
	probe_open(&b, 0);
	watch_close(&w, &b.watch);
	ck_assert_int_eq(b.watch.fd, -1);
	watch_close(&w, &b.watch);
	close(file);
	return 0;
}

TEST(misuse_is_refused_and_changes_nothing)
{
	in_task(misuse);
}

static int no_memory(void)
{
	struct probe a = { 0 };

	a.fd = eventfd(1, EFD_CLOEXEC);
	a.watch.fire = fired;
	harness_fail_alloc(1);
	ck_assert_int_eq(watch_add(&w, &a.watch, a.fd, EPOLLIN), -ENOMEM);
	ck_assert(!watch_added(&a.watch));
	ck_assert_int_eq(watch_add(&w, &a.watch, a.fd, EPOLLIN), 0);
	for (uint64_t n = 1; n < 6; n++) {
		harness_fail_alloc(n);
		while (watcher_wait(&w) < 0)
			;
	}
	harness_fail_alloc(0);
	ck_assert_int_gt(a.fired, 0);
	probe_close(&a);
	return 0;
}

TEST(without_memory_nothing_is_added_and_nothing_is_lost)
{
	in_task(no_memory);
}

/* ---- timers and later */

struct alarm {
	struct holt__timer timer;
	holt_time at;
};

static void rang(struct holt__timer *t)
{
	holt__container(t, struct alarm, timer)->at = holt_now();
}

static holt_time told;

static void tell_time(struct watcher *watcher, holt_time now)
{
	(void)watcher;
	told = now;
}

static int timers(void)
{
	struct alarm a = { .timer.fire = rang }, b = { .timer.fire = rang }, c = { .timer.fire = rang };
	holt_time start = holt_now();

	w.time = tell_time;
	watch_timer(&w, &a.timer, holt_in(HOLT_HOUR));
	watch_timer(&w, &b.timer, holt_in(HOLT_SEC));
	watch_timer(&w, &c.timer, holt_in(HOLT_MS));
	watch_timer(&w, &c.timer, HOLT_NEVER);
	while (!b.at)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_uint_eq(b.at, start + HOLT_SEC);
	ck_assert_uint_eq(told, b.at);
	watch_timer(&w, &b.timer, start); /* it has passed */
	ck_assert_int_eq(watcher_wait(&w), 0);
	while (!a.at)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_uint_eq(a.at, start + HOLT_HOUR);
	ck_assert_uint_eq(c.at, 0);
	return 0;
}

TEST(timers_fire_at_their_time_and_stopped_ones_never)
{
	in_task(timers);
}

struct late {
	struct watch_later later;
	int n, again;
	struct late *undo;
	char name;
};

static char order[32];

static void late(struct watch_later *later)
{
	struct late *l = holt__container(later, struct late, later);

	l->n++;
	order[strlen(order)] = l->name;
	if (l->again-- > 0)
		watch_later(&w, later);
	if (l->undo)
		watch_not_later(&w, &l->undo->later);
}

static int laters(void)
{
	struct late a = { .later.fire = late, .name = 'a', .again = 1 }, b = { .later.fire = late, .name = 'b' },
		    c = { .later.fire = late, .name = 'c' };

	a.undo = &c;
	watch_later(&w, &a.later);
	watch_later(&w, &a.later);
	watch_later(&w, &b.later);
	watch_later(&w, &c.later);
	ck_assert_int_eq(watcher_wait(&w), 0); /* does not wait */
	ck_assert_str_eq(order, "ab");
	watch_later(&w, &b.later);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_str_eq(order, "abab");
	watch_later(&w, &a.later);
	watch_later(&w, &b.later);
	watch_not_later(&w, &b.later);
	watch_later(&w, &c.later);
	watch_not_later(&w, &a.later);
	a.undo = NULL;
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_str_eq(order, "ababc");
	ck_assert_ptr_null(w.later);
	return 0;
}

TEST(what_is_put_off_until_later_is_done_once_and_in_order)
{
	in_task(laters);
}

static void after_event(struct probe *p)
{
	static struct late a = { .later.fire = late, .name = 'l' };

	take(p);
	strcat(order, "e");
	watch_later(&w, &a.later);
}

static int later_is_last(void)
{
	struct probe a = { .then = after_event }, b = { .then = after_event };

	probe_open(&a, 1);
	probe_open(&b, 1);
	ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert_str_eq(order, "eel");
	probe_close(&a);
	probe_close(&b);
	return 0;
}

TEST(later_is_after_all_events_of_the_round)
{
	in_task(later_is_last);
}

/* ---- canceled, and others */

static int wait_forever(void *arg)
{
	struct probe a = { 0 };

	(void)arg;
	ck_assert_int_eq(watcher_open(&w), 0);
	probe_open(&a, 0);
	ck_assert_int_eq(watcher_wait(&w), -ECANCELED);
	ck_assert_int_eq(write(a.fd, &(uint64_t){ 1 }, 8), 8);
	ck_assert_int_eq(watcher_wait(&w), -ECANCELED); /* though something is there */
	ck_assert_int_eq(a.fired, 0);
	probe_close(&a);
	watcher_close(&w);
	return -ECANCELED;
}

static int cancels(void *arg)
{
	(void)arg;
	return holt_timeout(HOLT_SEC, wait_forever, NULL);
}

TEST(canceled_round_fires_nothing)
{
	ck_assert_int_eq(harness_run(cancels, NULL), -ETIME);
}

TEST(round_needs_a_task)
{
	ck_assert_int_eq(watcher_open(&w), 0);
	ck_assert_int_eq(watcher_wait(&w), -EPERM);
	watcher_close(&w);
	watcher_close(&w);
}

static int stopper(void *stop)
{
	*(bool *)stop = true;
	return 0;
}

static int busy(void)
{
	struct probe a = { 0 };
	holt_group *g = NULL;
	bool stop = false;

	probe_open(&a, 1); /* always ready */
	ck_assert_int_eq(holt_group_open(&g, .name = "g"), 0);
	ck_assert_int_eq(holt_spawn(g, stopper, &stop), 0);
	for (int i = 0; i < 3 && !stop; i++)
		ck_assert_int_eq(watcher_wait(&w), 0);
	ck_assert(stop);
	probe_close(&a);
	return holt_group_close(g, 0);
}

TEST(busy_watcher_lets_other_tasks_have_their_turn)
{
	in_task(busy);
}

static int calls(void)
{
	struct probe a = { 0 };

	probe_open(&a, 0);
	probe_close(&a);
	ck_assert_uint_lt(sizeof(struct watch), 25);
	return 0;
}

TEST(watch_is_small)
{
	in_task(calls);
}

/* ---- process numbers */

TEST(table_of_numbers_says_what_a_plain_list_says)
{
	static struct {
		pid_t pid;
		uint32_t value;
	} list[400];
	struct pids p = { 0 };
	uint64_t random = 88172645463325252ULL;
	size_t n = 0;

	for (uint32_t step = 0; step < 50000; step++) {
		pid_t pid;
		size_t i;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		pid = 1 + (pid_t)(random >> 40) % 600;
		for (i = 0; i < n && list[i].pid != pid; i++)
			;
		if (i == n && n < HOLT__N(list) && (random >> 20 & 1)) {
			list[n].pid = pid;
			list[n++].value = step;
			ck_assert_int_eq(pids_put(&p, pid, step), 0);
		} else if (i < n && (random >> 21 & 1)) {
			list[i] = list[--n];
			pids_remove(&p, pid);
		} else if (i < n) {
			uint32_t *at = pids_find(&p, pid);

			ck_assert_ptr_nonnull(at);
			ck_assert_uint_eq(*at, list[i].value);
			list[i].value = step;
			ck_assert_int_eq(pids_put(&p, pid, step), 0);
		} else {
			ck_assert_ptr_null(pids_find(&p, pid));
			pids_remove(&p, pid);
		}
		ck_assert_uint_eq(p.n, n);
	}
	ck_assert_uint_le(p.size, 1024);
	pids_free(&p);
}

TEST(table_of_numbers_needs_no_memory_for_what_was_reserved)
{
	struct pids p = { 0 };

	harness_fail_alloc(1);
	ck_assert_int_eq(pids_put(&p, 1, 1), -ENOMEM);
	ck_assert_ptr_null(pids_find(&p, 1));
	pids_remove(&p, 1);
	ck_assert_int_eq(pids_reserve(&p, SIZE_MAX), -ENOMEM);
	ck_assert_int_eq(pids_reserve(&p, 1000), 0);
	for (pid_t pid = 1; pid <= 1000; pid++) {
		harness_fail_alloc(1);
		ck_assert_int_eq(pids_put(&p, pid, (uint32_t)pid), 0);
	}
	harness_fail_alloc(0);
	ck_assert_uint_eq(*pids_find(&p, 777), 777);
	pids_free(&p);
}

/* ---- invocation ids */

TEST(invocation_is_what_its_text_says)
{
	struct invocation a = invocation_new(), b;
	char text[INVOCATION_DIGITS + 1];

	invocation_text(&a, text);
	ck_assert_uint_eq(strlen(text), INVOCATION_DIGITS);
	ck_assert(invocation_parse(&b, text, strlen(text)));
	ck_assert(invocation_same(&a, &b));
	ck_assert(invocation_parse(&b, "0123456789ABCDEF0123456789abcdef", 32));
	ck_assert_uint_eq(b.v[0], 0x0123456789abcdef);
	ck_assert(!invocation_parse(&a, "0123456789ABCDEF0123456789abcde", 31));
	ck_assert(!invocation_parse(&a, "0123456789ABCDEF0123456789abcdeg", 32));
	ck_assert(!invocation_parse(&a, "00000000000000000000000000000000", 32));
	b = invocation_new();
	ck_assert(!invocation_same(&a, &b));
}

/* A process with that environment. */
static pid_t start(char *const env[])
{
	static char *const argv[] = { "sleep", "1000", NULL };
	int gone[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(gone, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execve("/bin/sleep", argv, env);
		_exit(1);
	}
	close(gone[1]);
	ck_assert_int_eq(read(gone[0], &c, 1), 0); /* it was executed */
	close(gone[0]);
	return pid;
}

static int id_of(char *const env[], struct invocation *ret)
{
	int proc = open("/proc", O_PATH | O_CLOEXEC), r;
	pid_t pid = start(env);
	struct proc_stat stat = { 0 };

	while (stat.state != 'S') { /* its environment is there a little later */
		ck_assert_int_eq(proc_stat(proc, pid, &stat), 0);
		sched_yield();
	}
	r = invocation_of(proc, pid, ret);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(invocation_of(proc, pid, ret), -ESRCH);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(invocation_of(proc, pid, ret), -ESRCH);
	close(proc);
	return r;
}

#define ID "0123456789abcdef0123456789abcdef"

TEST(invocation_of_a_process_is_found_wherever_it_stands)
{
	static char filler[5000];
	char *first[] = { "HOLT_INVOCATION_ID=" ID, "A=b", NULL }, *last[] = { "A=b", "HOLT_INVOCATION_ID=" ID, NULL };
	char *none[] = { "HOLT_INVOCATION_I=" ID, "XHOLT_INVOCATION_ID=" ID, "A=HOLT_INVOCATION_ID=" ID, NULL };
	char *bad[] = { "HOLT_INVOCATION_ID=" ID "0", NULL }, *empty[] = { "HOLT_INVOCATION_ID=", NULL }, *nothing[] = { NULL };
	char *far[] = { filler, "HOLT_INVOCATION_ID=" ID, "Z=z", NULL };
	struct invocation want, got;

	ck_assert(invocation_parse(&want, ID, 32));
	ck_assert_int_eq(id_of(first, &got), 0);
	ck_assert(invocation_same(&got, &want));
	ck_assert_int_eq(id_of(last, &got), 0);
	ck_assert(invocation_same(&got, &want));
	ck_assert_int_eq(id_of(none, &got), -ENOENT);
	ck_assert_int_eq(id_of(bad, &got), -ENOENT);
	ck_assert_int_eq(id_of(empty, &got), -ENOENT);
	ck_assert_int_eq(id_of(nothing, &got), -ENOENT);
	/* cut by the reading here and there */
	for (size_t n = 4096 - 60; n <= 4096; n += 4) {
		memset(filler, 'x', n);
		filler[1] = '=';
		filler[n] = 0;
		ck_assert_int_eq(id_of(far, &got), 0);
		ck_assert(invocation_same(&got, &want));
	}
}

TEST(invocation_far_behind_is_not_looked_for)
{
	static char fillers[4][100000];
	char *env[6];

	for (int i = 0; i < 4; i++) {
		memset(fillers[i], 'x', sizeof fillers[i] - 1);
		env[i] = fillers[i];
	}
	env[4] = "HOLT_INVOCATION_ID=" ID;
	env[5] = NULL;
	ck_assert_int_eq(id_of(env, &(struct invocation){ { 0 } }), -ENOENT);
}
