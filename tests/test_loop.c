/* SPDX-License-Identifier: MIT */
/*
 * The loop without tasks: sources, timers and their timerfd, calls, wake-ups from threads and signal handlers, the seal.
 * Only the tests of fairness, and of a loop's end, have tasks.
 *
 * It leans on these promises of Linux: each write to an eventfd is an edge of its own for epoll, read or not, and so is
 * each expiry of a timerfd; MOD of an edge-triggered fd that is ready reports it anew.
 */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#include "loop/loop.h"
#include "loop/signal.h"

/* ---- a loop on whose ready list are plain records */

static struct holt_loop loop;
static unsigned destroyed;

struct item {
	struct holt__ready ready;
	char name;
};

static char order[64];

static void run_items(struct holt_loop *l)
{
	struct holt__ready *r;

	while (l->fuel > 0 && (r = holt__ready_pop(l))) {
		order[strlen(order)] = holt__container(r, struct item, ready)->name;
		l->fuel--;
	}
}

static void on_destroy(struct holt_loop *l)
{
	(void)l;
	destroyed++;
}

static const char *stop_heard;
static unsigned stops;

static void on_stop(struct holt_loop *l, const char *why)
{
	(void)l;
	stop_heard = why;
	stops++;
}

static void open_loop(void)
{
	holt__loop_init(&loop, on_destroy);
	loop.run_ready = run_items;
	loop.on_stop = on_stop;
	ck_assert_int_eq(holt__loop_open(&loop), 0);
}

static void close_loop(void)
{
	while (!holt__loop_seal(&loop))
		;
	holt__loop_close(&loop);
	holt_loop_unref(&loop);
}

/* A turn that does not wait. */
static void turn(void)
{
	struct item idle = { .name = '.' };

	loop.turns = 64; /* time to look at epoll */
	holt__ready_push(&loop, &idle.ready);
	holt__loop_turn(&loop);
	ck_assert_ptr_null(loop.ready);
	ck_assert_int_eq(order[strlen(order) - 1], '.');
	order[strlen(order) - 1] = 0;
}

/* ---- sources */

struct watch {
	struct holt__source source;
	unsigned fired;
	uint32_t events;
	struct watch *other;
};

static void count_event(struct holt__source *s, uint32_t events)
{
	struct watch *w = holt__container(s, struct watch, source);

	w->fired++;
	w->events = events;
}

static int raised(void)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

TEST(event_reaches_the_source_of_its_fd_and_no_other)
{
	struct watch a = { .source.fire = count_event }, b = { .source.fire = count_event };
	int fd = raised(), silent = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	open_loop();
	ck_assert_int_eq(holt__loop_attach(&loop, &a.source, fd, EPOLLIN | EPOLLET), 0);
	ck_assert_int_eq(holt__loop_attach(&loop, &b.source, silent, EPOLLIN | EPOLLET), 0);
	ck_assert_ptr_eq(holt__loop_source(&loop, fd), &a.source);
	turn();
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_eq(a.events, EPOLLIN);
	ck_assert_uint_eq(b.fired, 0);
	turn();
	ck_assert_uint_eq(a.fired, 1); /* edge-triggered */
	ck_assert_int_eq(holt__loop_modify(&loop, &a.source, EPOLLIN | EPOLLET), 0);
	turn();
	ck_assert_uint_eq(a.fired, 2);
	holt__loop_detach(&loop, &a.source);
	ck_assert_ptr_null(holt__loop_source(&loop, fd));
	turn();
	ck_assert_uint_eq(a.fired, 2);
	holt__loop_detach(&loop, &b.source);
	close(fd);
	close(silent);
	close_loop();
}

static struct watch successor = { .source.fire = count_event };
static bool other_open_file;

/* The other one's number is closed and taken again, while its event lies in the same batch. */
static void replace_other(struct holt__source *s, uint32_t events)
{
	struct watch *w = holt__container(s, struct watch, source);
	int number = w->other->source.fd, fresh;

	count_event(s, events);
	if (w->other->fired)
		return;
	holt__loop_detach(&loop, &w->other->source);
	if (other_open_file) {
		fresh = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ck_assert_int_eq(dup3(fresh, number, O_CLOEXEC), number);
		close(fresh);
	}
	ck_assert_int_eq(holt__loop_attach(&loop, &successor.source, number, EPOLLOUT | EPOLLET), 0);
}

TEST_LOOP(event_of_an_earlier_registration_of_the_number_is_dropped, 0, 2)
{
	struct watch a = { .source.fire = replace_other }, b = { .source.fire = replace_other, .other = &a };
	int fds[2] = { raised(), raised() };

	other_open_file = _i == 0;
	a.other = &b;
	open_loop();
	ck_assert_int_eq(holt__loop_attach(&loop, &a.source, fds[0], EPOLLIN | EPOLLET), 0);
	ck_assert_int_eq(holt__loop_attach(&loop, &b.source, fds[1], EPOLLIN | EPOLLET), 0);
	turn();
	ck_assert_uint_eq(a.fired + b.fired, 1);
	ck_assert_uint_eq(successor.fired, 0);
	turn();
	ck_assert_uint_eq(successor.fired, 1); /* its own */
	ck_assert_uint_eq(successor.events, EPOLLOUT);
	ck_assert_uint_eq(a.fired + b.fired, 1);
	holt__loop_detach(&loop, &a.source);
	holt__loop_detach(&loop, &b.source);
	holt__loop_detach(&loop, &successor.source);
	close(fds[0]);
	close(fds[1]);
	close_loop();
}

TEST(late_detach_of_a_forgotten_source_leaves_its_successor_alone)
{
	struct watch a = { .source.fire = count_event }, b = { .source.fire = count_event };
	int fd = raised();

	open_loop();
	ck_assert_int_eq(holt__loop_attach(&loop, &a.source, fd, EPOLLIN | EPOLLET), 0);
	ck_assert_int_eq(holt__loop_attach(&loop, &b.source, fd, EPOLLIN | EPOLLET), 0);
	holt__loop_detach(&loop, &a.source);
	ck_assert_ptr_eq(holt__loop_source(&loop, fd), &b.source);
	turn();
	ck_assert_uint_eq(a.fired, 0);
	ck_assert_uint_eq(b.fired, 1);
	holt__loop_detach(&loop, &b.source);
	close(fd);
	close_loop();
}

TEST(what_cannot_be_watched_is_an_error_and_leaves_nothing)
{
	struct watch w = { .source.fire = count_event };
	int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC), fd = raised();

	open_loop();
	ck_assert_int_eq(holt__loop_attach(&loop, &w.source, -1, EPOLLIN), -EBADF);
	ck_assert_int_eq(holt__loop_attach(&loop, &w.source, 777, EPOLLIN), -EBADF);
	ck_assert_ptr_null(holt__loop_source(&loop, 777));
	ck_assert_int_eq(holt__loop_attach(&loop, &w.source, file, EPOLLIN), -EPERM);
	ck_assert_ptr_null(holt__loop_source(&loop, file));
	ck_assert_ptr_null(holt__loop_source(&loop, -1));
	ck_assert_ptr_null(holt__loop_source(&loop, 1 << 30));

	ck_assert_int_eq(holt__loop_attach(&loop, &w.source, fd, EPOLLIN), 0);
	close(fd); /* behind its back */
	ck_assert_int_eq(holt__loop_modify(&loop, &w.source, EPOLLIN), -EBADF);
	fd = raised();
	ck_assert_int_eq(fd, w.source.fd);
	ck_assert_int_eq(holt__loop_modify(&loop, &w.source, EPOLLIN), -ENOENT);
	holt__loop_detach(&loop, &w.source);
	close(fd);
	close(file);
	close_loop();
}

TEST(table_of_sources_grows_to_any_number_or_says_enomem)
{
	struct watch low = { .source.fire = count_event }, high = { .source.fire = count_event };
	int fd = raised(), far = fcntl(fd, F_DUPFD_CLOEXEC, 900);

	ck_assert_int_ge(far, 900);
	open_loop();
	ck_assert_int_eq(holt__loop_attach(&loop, &low.source, fd, EPOLLIN | EPOLLET), 0);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt__loop_attach(&loop, &high.source, far, EPOLLIN | EPOLLET), -ENOMEM);
	ck_assert_int_eq(holt__loop_attach(&loop, &high.source, far, EPOLLIN | EPOLLET), 0);
	ck_assert_ptr_null(holt__loop_source(&loop, far - 1));
	turn();
	ck_assert_uint_eq(low.fired, 1);
	ck_assert_uint_eq(high.fired, 1);
	holt__loop_detach(&loop, &low.source);
	holt__loop_detach(&loop, &high.source);
	close(fd);
	close(far);
	close_loop();
}

/* ---- opening */

static int fail_in;

static bool fails(void)
{
	return --fail_in == 0;
}

static int failing_epoll_create(int flags)
{
	return fails() ? -EMFILE : holt__sys_linux.epoll_create(flags);
}

static int failing_timerfd_create(int flags)
{
	return fails() ? -EMFILE : holt__sys_linux.timerfd_create(flags);
}

static int failing_eventfd(int flags)
{
	return fails() ? -EMFILE : holt__sys_linux.eventfd(flags);
}

static int failing_epoll_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
	return fails() ? -EMFILE : holt__sys_linux.epoll_ctl(epfd, op, fd, e);
}

TEST(open_that_fails_half_way_gives_back_what_it_had)
{
	size_t fds = harness_fds();
	int n, r;

	harness_sys.epoll_create = failing_epoll_create;
	harness_sys.timerfd_create = failing_timerfd_create;
	harness_sys.eventfd = failing_eventfd;
	harness_sys.epoll_ctl = failing_epoll_ctl;
	for (n = 1;; n++) {
		fail_in = n;
		holt__loop_init(&loop, on_destroy);
		r = holt__loop_open(&loop);
		if (r == 0)
			break;
		ck_assert_int_eq(r, -EMFILE);
		ck_assert_uint_eq(harness_fds(), fds);
		ck_assert_uint_eq(harness_live(), 0);
	}
	ck_assert_int_eq(n, 6); /* three fds, and two of them watched */
	fail_in = 0;
	holt__loop_close(&loop);

	holt__loop_init(&loop, on_destroy);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt__loop_open(&loop), -ENOMEM);
	ck_assert_uint_eq(harness_fds(), fds);
}

static int touched;

static int touch(void *arg)
{
	(void)arg;
	touched++;
	return 0;
}

TEST(run_says_which_memory_or_descriptor_was_missing_and_can_be_tried_again)
{
	uint64_t n, refused_runs = 0;

	for (n = 1;; n++) {
		int before = touched, r;

		harness_fail_alloc(n);
		r = harness_run(touch, NULL);
		ck_assert_uint_eq(harness_live(), 0);
		if (!harness_alloc_failed())
			break;
		ck_assert_int_eq(touched, r == 0 ? before + 1 : before); /* it may do without some of it */
		ck_assert(r == 0 || r == -ENOMEM);
		refused_runs += r == -ENOMEM;
	}
	ck_assert_uint_ge(refused_runs, 3); /* the loop, its sources, a stack */
	harness_fail_alloc(0);
	harness_sys.epoll_create = failing_epoll_create;
	harness_sys.timerfd_create = failing_timerfd_create;
	harness_sys.eventfd = failing_eventfd;
	for (int i = 1; i <= 3; i++) {
		fail_in = i;
		ck_assert_int_eq(harness_run(touch, NULL), -EMFILE);
	}
	ck_assert_int_eq(harness_run(touch, NULL), 0);
}

/* ---- timers and the timerfd */

static unsigned n_armed;
static holt_time armed_at;
static int (*virtual_timerfd_set)(int fd, holt_time at);

static int counting_timerfd_set(int fd, holt_time at)
{
	n_armed++;
	armed_at = at;
	return virtual_timerfd_set(fd, at);
}

static void count_arming(void)
{
	virtual_timerfd_set = harness_sys.timerfd_set;
	harness_sys.timerfd_set = counting_timerfd_set;
}

struct alarm {
	struct holt__timer timer;
	char name;
};

static void ring(struct holt__timer *t)
{
	order[strlen(order)] = holt__container(t, struct alarm, timer)->name;
}

/* A turn that would wait, was not an fd ready. */
static void turn_with_event(struct watch *w)
{
	unsigned before = w->fired;

	ck_assert_int_eq(eventfd_write(w->source.fd, 1), 0);
	holt__loop_turn(&loop);
	ck_assert_uint_eq(w->fired, before + 1);
}

TEST(timerfd_is_armed_only_when_the_loop_waits_and_the_earliest_moved_forward)
{
	struct alarm a = { { .fire = ring }, 'a' }, b = { { .fire = ring }, 'b' }, c = { { .fire = ring }, 'c' };
	struct watch w = { .source.fire = count_event };

	count_arming();
	open_loop();
	ck_assert_int_eq(holt__loop_attach(&loop, &w.source, eventfd(0, EFD_CLOEXEC), EPOLLIN | EPOLLET), 0);
	holt__timer_start(&loop.timers, &b.timer, HARNESS_EPOCH + 20 * HOLT_SEC);
	holt__timer_start(&loop.timers, &a.timer, HARNESS_EPOCH + 10 * HOLT_SEC);
	turn();
	ck_assert_uint_eq(n_armed, 0); /* busy: the clock is read anyway */
	turn_with_event(&w);
	ck_assert_uint_eq(n_armed, 1); /* two timers, one call */
	ck_assert_uint_eq(armed_at, HARNESS_EPOCH + 10 * HOLT_SEC);
	turn_with_event(&w);
	ck_assert_uint_eq(n_armed, 1);
	holt__timer_start(&loop.timers, &c.timer, HARNESS_EPOCH + 5 * HOLT_SEC);
	turn_with_event(&w);
	ck_assert_uint_eq(n_armed, 2);
	ck_assert_uint_eq(armed_at, HARNESS_EPOCH + 5 * HOLT_SEC);
	holt__timer_stop(&c.timer);
	turn_with_event(&w);
	ck_assert_uint_eq(n_armed, 2); /* it moved back: one early wake-up costs less */
	holt__loop_turn(&loop);
	ck_assert_uint_eq(loop.now, HARNESS_EPOCH + 5 * HOLT_SEC);
	ck_assert_str_eq(order, "");
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "a");
	ck_assert_uint_eq(n_armed, 3);
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "ab");
	ck_assert_uint_eq(n_armed, 4);
	turn_with_event(&w);
	ck_assert_uint_eq(n_armed, 4); /* nothing to wait for */
	holt__loop_detach(&loop, &w.source);
	close(w.source.fd);
	close_loop();
}

static holt_time clock_behind(void)
{
	return holt__sys_linux.now() - 30 * HOLT_MS;
}

/* What has woken us is not armed any more, whatever our clock says; else the loop would wait for it for ever. */
TEST(timerfd_that_woke_a_loop_whose_clock_is_behind_is_armed_again)
{
	struct alarm a = { { .fire = ring }, 'a' };

	harness_real_clock();
	harness_sys.now = clock_behind;
	count_arming();
	open_loop();
	holt__timer_start(&loop.timers, &a.timer, holt__sys->now() + 2 * HOLT_MS);
	while (!order[0])
		holt__loop_turn(&loop);
	ck_assert_uint_ge(loop.now, a.timer.at);
	close_loop();
}

static int broken_timerfd_set(int fd, holt_time at)
{
	(void)fd;
	(void)at;
	n_armed++;
	return -EINVAL;
}

TEST(timer_fires_even_if_the_timerfd_cannot_be_set)
{
	struct alarm a = { { .fire = ring }, 'a' };

	harness_sys.timerfd_set = broken_timerfd_set;
	open_loop();
	holt__timer_start(&loop.timers, &a.timer, HARNESS_EPOCH + HOLT_HOUR + 1);
	while (!order[0])
		holt__loop_turn(&loop);
	ck_assert_uint_ge(loop.now, HARNESS_EPOCH + HOLT_HOUR + 1);
	ck_assert_uint_le(n_armed, 70); /* a minute at a time, and not a spin */
	close_loop();
}

TEST(timers_of_one_turn_fire_in_order_of_their_time_and_before_what_is_ready_runs)
{
	struct alarm a = { { .fire = ring }, 'a' }, b = { { .fire = ring }, 'b' }, c = { { .fire = ring }, 'c' };
	struct item ready = { .name = 'r' };

	open_loop();
	holt__timer_start(&loop.timers, &c.timer, HARNESS_EPOCH + 3000);
	holt__timer_start(&loop.timers, &a.timer, HARNESS_EPOCH + 1);
	holt__timer_start(&loop.timers, &b.timer, HARNESS_EPOCH + 2000);
	harness_advance(HOLT_SEC);
	holt__ready_push(&loop, &ready.ready);
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "abcr");
	close_loop();
}

/* ---- calls */

static void *name_of(char c)
{
	static char names[128];

	names[(unsigned char)c] = c;
	return &names[(unsigned char)c];
}

static void note_call(void *arg)
{
	order[strlen(order)] = *(char *)arg;
}

static void call_again(void *arg)
{
	ck_assert_int_eq(holt_loop_call(&loop, note_call, arg), 0);
	note_call(name_of('x'));
}

TEST(calls_are_made_in_their_order_each_once_and_those_of_calls_a_turn_later)
{
	open_loop();
	ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('1')), 0);
	ck_assert_int_eq(holt_loop_call(&loop, call_again, name_of('4')), 0);
	ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('3')), 0);
	ck_assert_str_eq(order, "");
	holt__loop_turn(&loop); /* does not wait */
	ck_assert_str_eq(order, "1x3");
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "1x34");
	close_loop();
	ck_assert_str_eq(order, "1x34");
}

TEST(call_before_the_loop_is_open_is_remembered_and_after_the_seal_refused)
{
	size_t live;

	holt__loop_init(&loop, on_destroy);
	loop.run_ready = run_items;
	ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('1')), 0);
	ck_assert_int_eq(holt__loop_open(&loop), 0);
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "1");

	ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('2')), 0);
	ck_assert(!holt__loop_seal(&loop)); /* not yet: one came, and was made */
	ck_assert_str_eq(order, "12");
	ck_assert(holt__loop_seal(&loop));
	ck_assert(holt__loop_seal(&loop));
	live = harness_live();
	ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('3')), -ESHUTDOWN);
	ck_assert_uint_eq(harness_live(), live);
	holt__loop_close(&loop);
	ck_assert_str_eq(order, "12");
	ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('4')), -ESHUTDOWN);
	holt_loop_stop(&loop, "late"); /* nothing happens */
}

TEST(call_without_loop_function_or_memory_is_an_error)
{
	holt__loop_init(&loop, on_destroy);
	ck_assert_int_eq(holt_loop_call(NULL, note_call, NULL), -EINVAL);
	ck_assert_int_eq(holt_loop_call(&loop, NULL, NULL), -EINVAL);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_loop_call(&loop, note_call, NULL), -ENOMEM);
	holt_loop_stop(NULL, "nobody");
	ck_assert_ptr_null(holt_loop_ref(NULL));
	ck_assert_ptr_null(holt_loop_unref(NULL));
}

TEST(loop_is_destroyed_by_the_last_reference)
{
	holt__loop_init(&loop, on_destroy);
	ck_assert_ptr_eq(holt_loop_ref(&loop), &loop);
	ck_assert_ptr_null(holt_loop_unref(&loop));
	ck_assert_uint_eq(destroyed, 0);
	holt_loop_unref(&loop);
	ck_assert_uint_eq(destroyed, 1);
}

TEST(first_stop_that_was_not_heard_yet_is_the_one_that_is_heard)
{
	open_loop();
	holt_loop_stop(&loop, "first");
	holt_loop_stop(&loop, "second");
	holt__loop_turn(&loop);
	ck_assert_str_eq(stop_heard, "first");
	ck_assert_uint_eq(stops, 1);
	holt_loop_stop(&loop, NULL);
	holt__loop_turn(&loop);
	ck_assert_uint_eq(stops, 2);
	ck_assert_ptr_nonnull(stop_heard);
	close_loop();
}

/* ---- threads */

enum { THREADS = 4, CALLS = 1500, ROUNDS = 3000 };

struct shout {
	unsigned thread, number;
};

static unsigned heard[THREADS], out_of_order, total;
static struct shout shouts[THREADS][CALLS];

static void hear(void *arg)
{
	struct shout *s = arg;

	out_of_order += heard[s->thread] != s->number;
	heard[s->thread]++;
	total++;
}

static atomic_uint refused;

static void *shout(void *arg)
{
	struct shout *mine = arg;

	for (unsigned i = 0; i < CALLS; i++)
		if (holt_loop_call(&loop, hear, &mine[i]) != 0)
			atomic_fetch_add(&refused, 1);
	return NULL;
}

TEST(calls_of_each_thread_are_all_made_in_its_order)
{
	pthread_t threads[THREADS];

	harness_real_clock();
	open_loop();
	for (unsigned t = 0; t < THREADS; t++) {
		for (unsigned i = 0; i < CALLS; i++)
			shouts[t][i] = (struct shout){ t, i };
		ck_assert_int_eq(pthread_create(&threads[t], NULL, shout, shouts[t]), 0);
	}
	while (total < THREADS * CALLS)
		holt__loop_turn(&loop); /* sleeps: a lost wake-up is a test that hangs */
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	ck_assert_uint_eq(out_of_order, 0);
	ck_assert_uint_eq(atomic_load(&refused), 0);
	close_loop();
}

static sem_t was_heard;

static void answer(void *arg)
{
	++*(unsigned *)arg;
	sem_post(&was_heard);
}

static unsigned answered;

/* Each waits for its answer, so the loop is as often just about to sleep. */
static void *ask(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (holt_loop_call(&loop, answer, &answered) != 0)
			abort();
		while (sem_wait(&was_heard) != 0)
			;
	}
	return NULL;
}

TEST(wake_up_by_a_call_is_never_lost)
{
	pthread_t thread;

	harness_real_clock();
	sem_init(&was_heard, 0, 0);
	open_loop();
	ck_assert_int_eq(pthread_create(&thread, NULL, ask, NULL), 0);
	while (answered < ROUNDS)
		holt__loop_turn(&loop);
	pthread_join(thread, NULL);
	close_loop();
}

static void on_stop_answer(struct holt_loop *l, const char *why)
{
	(void)l;
	(void)why;
	answer(&stops);
}

static pthread_t loop_thread;

static void on_usr1(int sig)
{
	(void)sig;
	holt_loop_stop(&loop, "signal");
}

static void *interrupt(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			holt_loop_stop(&loop, "thread");
		else
			pthread_kill(loop_thread, SIGUSR1);
		while (sem_wait(&was_heard) != 0)
			;
	}
	return NULL;
}

TEST(wake_up_by_a_stop_from_a_thread_or_a_signal_handler_is_never_lost)
{
	struct sigaction usr1 = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	pthread_t thread;

	harness_real_clock();
	sem_init(&was_heard, 0, 0);
	open_loop();
	loop.on_stop = on_stop_answer;
	loop_thread = pthread_self();
	ck_assert_int_eq(sigaction(SIGUSR1, &usr1, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, NULL), 0);
	while (stops < ROUNDS)
		holt__loop_turn(&loop);
	pthread_join(thread, NULL);
	close_loop();
}

static unsigned n_written;

static ssize_t counting_write(int fd, const void *buf, size_t n)
{
	n_written++;
	return holt__sys_linux.write(fd, buf, n);
}

TEST(awake_loop_costs_a_call_no_system_call)
{
	open_loop();
	harness_sys.write = counting_write;
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('c')), 0);
	ck_assert_uint_eq(n_written, 0);
	atomic_store(&loop.sleeping, true);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(holt_loop_call(&loop, note_call, name_of('c')), 0);
	ck_assert_uint_eq(n_written, 1);
	close_loop();
	ck_assert_uint_eq(strlen(order), 60);
}

/* ---- a thread that is on its way to wake a loop while that ends: it wrote into whatever had the number by then */

static sem_t in_write, may_write;
static atomic_int write_result;
static int kick = -1;
static unsigned wakefd_closed_early;
static int wakefd;

static ssize_t slow_write(int fd, const void *buf, size_t n)
{
	ssize_t r;

	eventfd_write(kick, 1); /* the loop wakes by something else meanwhile */
	while (sem_wait(&may_write) != 0)
		;
	r = holt__sys_linux.write(fd, buf, n);
	atomic_store(&write_result, (int)r);
	return r;
}

static int patient_poll(int fd, unsigned events, int timeout_ms)
{
	sem_post(&may_write);
	return holt__sys_linux.poll(fd, events, timeout_ms);
}

static int watched_close(int fd)
{
	if (fd == wakefd && atomic_load(&write_result) == 0) {
		wakefd_closed_early++;
		sem_post(&may_write);
	}
	return holt__sys_linux.close(fd);
}

static struct holt_event over;

static void end_it(void *arg)
{
	(void)arg;
	holt_event_set(&over);
}

static void *end_by_call(void *arg)
{
	holt_loop *l = arg;

	while (sem_wait(&in_write) != 0)
		;
	while (!atomic_load(&l->sleeping))
		sched_yield();
	if (holt_loop_call(l, end_it, NULL) != 0)
		abort();
	holt_loop_unref(l);
	return NULL;
}

static int wait_until_over(void *arg)
{
	struct watch w = { .source.fire = count_event };
	int r;

	wakefd = holt_loop_self()->wakefd;
	ck_assert_int_eq(holt__loop_attach(holt_loop_self(), &w.source, kick, EPOLLIN | EPOLLET), 0);
	sem_post(arg);
	r = holt_event_wait(&over);
	holt__loop_detach(holt_loop_self(), &w.source);
	return r;
}

TEST(ending_loop_keeps_its_wake_up_until_who_is_about_to_use_it_has_done_so)
{
	pthread_t thread;

	sem_init(&in_write, 0, 0);
	sem_init(&may_write, 0, 0);
	kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	harness_real_clock();
	harness_sys.write = slow_write;
	harness_sys.poll = patient_poll;
	harness_sys.close = watched_close;
	ck_assert_int_eq(pthread_create(&thread, NULL, end_by_call, holt_loop_ref(holt_loop_self())), 0);
	ck_assert_int_eq(harness_run(wait_until_over, &in_write), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(wakefd_closed_early, 0);
	ck_assert_int_eq(atomic_load(&write_result), 8);
	close(kick);
}

/* ---- before and after a run */

static int see_stop(void *arg)
{
	*(bool *)arg = holt_stopping();
	ck_assert_str_eq(holt_why(), "early");
	return 0;
}

TEST(stop_and_calls_that_were_asked_for_before_the_run_are_remembered)
{
	bool stopping = false;
	holt_loop *l = holt_loop_self();

	ck_assert_ptr_eq(holt_loop_self(), l);
	ck_assert_int_eq(holt_loop_call(l, note_call, name_of('1')), 0);
	holt_loop_stop(l, "early");
	ck_assert_int_eq(holt_loop_call(l, note_call, name_of('2')), 0);
	ck_assert_str_eq(order, "");
	ck_assert_int_eq(harness_run(see_stop, &stopping, .grace = HOLT_HOUR), 0);
	ck_assert(stopping);
	ck_assert_str_eq(order, "12");
}

static void call_itself_later(void *arg)
{
	if (--*(unsigned *)arg > 0)
		ck_assert_int_eq(holt_loop_call(holt_loop_self(), call_itself_later, arg), 0);
}

static int call_and_return(void *arg)
{
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), call_itself_later, arg), 0);
	return 7;
}

TEST(call_that_was_accepted_is_made_before_the_run_returns_even_one_of_a_call)
{
	unsigned left = 5;

	ck_assert_int_eq(harness_run(call_and_return, &left), 7);
	ck_assert_uint_eq(left, 0);
}

static int five(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_yield(), 0);
	return 5;
}

TEST(handle_of_an_ended_run_refuses_and_the_next_run_has_another)
{
	holt_loop *l = holt_loop_ref(holt_loop_self());

	ck_assert_int_eq(holt_loop_run(l, five, NULL), -EDEADLK);
	ck_assert_int_eq(harness_run(five, NULL), 5);
	ck_assert_int_eq(holt_loop_call(l, note_call, name_of('x')), -ESHUTDOWN);
	ck_assert_int_eq(holt_loop_run(l, five, NULL), -ESHUTDOWN);
	holt_loop_stop(l, "late");
	ck_assert_ptr_ne(holt_loop_self(), l);
	ck_assert_int_eq(harness_run(five, NULL), 5);
	holt_loop_unref(l);
}

static void *run_from_thread(void *arg)
{
	long sum = 0;

	for (int i = 0; i < 50; i++)
		sum += holt_loop_run(arg, five, NULL);
	if (holt_loop_call(arg, end_it, NULL) != 0)
		abort();
	holt_loop_unref(arg); /* the run may have ended before that call returned */
	return (void *)sum;
}

static int just_wait(void *arg)
{
	(void)arg;
	return holt_event_wait(&over);
}

TEST(thread_gets_the_results_of_tasks_it_runs_on_a_loop_even_before_that_runs)
{
	pthread_t thread;
	void *sum;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_from_thread, holt_loop_ref(holt_loop_self())), 0);
	ck_assert_int_eq(harness_run(just_wait, NULL), 0);
	pthread_join(thread, &sum);
	ck_assert_int_eq((long)sum, 250);
}

/* ---- fairness: what is ready does not starve what comes from outside */

static unsigned yields, woken_after, fd_after, call_after;
static holt_time step;
static bool stop_yielding;

static int sleep_a_little(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sleep(HOLT_MS), 0);
	woken_after = yields;
	return 0;
}

static int yield_on(void *arg)
{
	(void)arg;
	while (!stop_yielding) {
		yields++;
		harness_advance(step);
		ck_assert_int_eq(holt_yield(), 0);
	}
	return 0;
}

static void note_fd(struct holt__source *s, uint32_t events)
{
	count_event(s, events);
	fd_after = yields;
}

static void note_made(void *arg)
{
	(void)arg;
	call_after = yields;
}

static int busy(void *arg)
{
	struct watch w = { .source.fire = note_fd };
	holt_group *g;
	int fd = raised();

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt__loop_attach(holt_loop_self(), &w.source, fd, EPOLLIN | EPOLLET), 0);
	ck_assert_int_eq(holt_loop_call(holt_loop_self(), note_made, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, sleep_a_little, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, yield_on, NULL), 0);
	while (yields < 20000 && !(woken_after && fd_after && call_after))
		ck_assert_int_eq(holt_yield(), 0);
	stop_yielding = true;
	holt__loop_detach(holt_loop_self(), &w.source);
	close(fd);
	return holt_group_close(g, 0);
}

TEST(busy_tasks_starve_neither_timers_nor_descriptors_nor_calls)
{
	step = 10 * HOLT_US; /* 100 of them are the sleeper's millisecond */
	ck_assert_int_eq(harness_run(busy, NULL), 0);
	ck_assert_uint_ge(woken_after, 99);
	ck_assert_uint_le(woken_after, 100 + 64);
	ck_assert_uint_ge(fd_after, 1);
	ck_assert_uint_le(fd_after, 100 + 64); /* 1 ms, too */
	ck_assert_uint_ge(call_after, 1);
	ck_assert_uint_le(call_after, 64);
}

TEST(busy_tasks_do_not_starve_descriptors_even_while_no_time_passes)
{
	step = 0;
	woken_after = 1;
	ck_assert_int_eq(harness_run(busy, NULL), 0);
	ck_assert_uint_ge(fd_after, 1);
	ck_assert_uint_le(fd_after, 64 * 64 / 2 + 64); /* every 64th turn of at most 64 switches, of two tasks */
}

TEST(turn_after_one_of_slow_switches_is_short)
{
	struct item items[200];

	open_loop();
	for (size_t i = 0; i < HOLT__N(items); i++) {
		items[i].name = 'i';
		holt__ready_push(&loop, &items[i].ready);
	}
	loop.refuel = 64;
	harness_advance(10 * HOLT_MS);
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "i");
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "iii");
	while (loop.ready) {
		memset(order, 0, sizeof order);
		holt__loop_turn(&loop);
		ck_assert_uint_le(strlen(order), sizeof order);
	}
	ck_assert_ptr_eq(loop.ready_end, &loop.ready);
	close_loop();
}

/* ---- who chooses what runs next */

static struct holt__ready *pick_last(struct holt_loop *l)
{
	struct holt__ready **at = &l->ready, *last;

	if (!*at)
		return NULL;
	while ((*at)->next)
		at = &(*at)->next;
	last = *at;
	*at = NULL;
	l->ready_end = at;
	return last;
}

TEST(picked_is_the_one_that_runs_one_a_turn)
{
	struct item items[3] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' } };

	open_loop();
	loop.pick = pick_last;
	for (size_t i = 0; i < 3; i++)
		holt__ready_push(&loop, &items[i].ready);
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "c");
	holt__loop_turn(&loop);
	holt__loop_turn(&loop);
	ck_assert_str_eq(order, "cba");
	close_loop();
}

/* ---- signals */

struct ear {
	struct holt__signal signal;
	unsigned n;
	int values[40];
};

static void on_signal(struct holt__signal *s, const struct signalfd_siginfo *si)
{
	struct ear *e = holt__container(s, struct ear, signal);

	e->values[e->n++ % 40] = si->ssi_int;
}

static bool blocked(int sig)
{
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, sig);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

TEST(taken_signal_is_blocked_told_and_given_back_as_it_was)
{
	struct ear usr1 = { .signal.fire = on_signal }, usr2 = usr1, hup = usr1;

	hup.signal.keep_blocked = true;
	block(SIGUSR2);
	open_loop();
	ck_assert_ptr_null(holt__signal_taken(&loop, SIGUSR1));
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &usr1.signal), 0);
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR2, &usr2.signal), 0);
	ck_assert_int_eq(holt__signal_take(&loop, SIGHUP, &hup.signal), 0);
	ck_assert_ptr_eq(holt__signal_taken(&loop, SIGUSR1), &usr1.signal);
	ck_assert(blocked(SIGUSR1));
	raise(SIGUSR1);
	raise(SIGHUP);
	turn();
	ck_assert_uint_eq(usr1.n, 1);
	ck_assert_uint_eq(hup.n, 1);
	ck_assert_uint_eq(usr2.n, 0);
	raise(SIGUSR1);
	turn();
	ck_assert_uint_eq(usr1.n, 2);
	close_loop();
	ck_assert(!blocked(SIGUSR1));
	ck_assert(blocked(SIGUSR2)); /* it was before */
	ck_assert(blocked(SIGHUP));  /* as it was asked for */
}

TEST(signal_that_was_pending_before_it_was_taken_is_told)
{
	struct ear usr1 = { .signal.fire = on_signal }, usr2 = usr1;

	block(SIGUSR1);
	block(SIGUSR2);
	raise(SIGUSR1);
	open_loop();
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &usr1.signal), 0);
	turn();
	ck_assert_uint_eq(usr1.n, 1);
	raise(SIGUSR2);
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR2, &usr2.signal), 0); /* by the same signalfd */
	turn();
	ck_assert_uint_eq(usr2.n, 1);
	close_loop();
}

TEST(many_queued_signals_are_told_each_in_order)
{
	struct ear rt = { .signal.fire = on_signal };

	open_loop();
	ck_assert_int_eq(holt__signal_take(&loop, SIGRTMIN + 1, &rt.signal), 0);
	for (int i = 0; i < 24; i++)
		ck_assert_int_eq(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }), 0);
	turn();
	ck_assert_uint_eq(rt.n, 24);
	for (int i = 0; i < 24; i++)
		ck_assert_int_eq(rt.values[i], i);
	close_loop();
}

TEST(signal_has_one_owner_and_some_have_none)
{
	static const int impossible[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, 0, -1, 32, 33, 65, 1000 };
	struct ear a = { .signal.fire = on_signal }, b = a;
	size_t fds;

	open_loop();
	fds = harness_fds();
	for (size_t i = 0; i < HOLT__N(impossible); i++)
		ck_assert_int_eq(holt__signal_take(&loop, impossible[i], &a.signal), -EINVAL);
	ck_assert_uint_eq(harness_fds(), fds);
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &a.signal), 0);
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &a.signal), 0);
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &b.signal), -EBUSY);
	ck_assert_int_eq(holt__signal_take(&loop, SIGRTMAX, &b.signal), 0);
	ck_assert_ptr_null(holt__signal_taken(&loop, -1));
	ck_assert_ptr_null(holt__signal_taken(&loop, 1000));
	close_loop();
}

static int failing_signalfd(int fd, const sigset_t *mask, int flags)
{
	return fails() ? -EMFILE : holt__sys_linux.signalfd(fd, mask, flags);
}

TEST(signal_that_could_not_be_taken_leaves_the_mask_and_no_descriptor)
{
	struct ear a = { .signal.fire = on_signal };
	size_t fds;

	open_loop();
	fds = harness_fds();
	harness_sys.signalfd = failing_signalfd;
	harness_sys.epoll_ctl = failing_epoll_ctl;
	harness_fail_alloc(1);
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &a.signal), -ENOMEM);
	for (fail_in = 1; fail_in < 3;) {
		int n = fail_in;

		ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &a.signal), -EMFILE);
		ck_assert_uint_eq(harness_fds(), fds);
		fail_in = n + 1;
	}
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &a.signal), -EMFILE); /* the signalfd is there, its mask was refused */
	ck_assert(!blocked(SIGUSR1));
	ck_assert_ptr_null(holt__signal_taken(&loop, SIGUSR1));
	fail_in = 0;
	ck_assert_int_eq(holt__signal_take(&loop, SIGUSR1, &a.signal), 0);
	raise(SIGUSR1);
	turn();
	ck_assert_uint_eq(a.n, 1);
	close_loop();
	ck_assert(!blocked(SIGUSR1));
}
