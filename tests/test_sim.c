/* SPDX-License-Identifier: MIT */
/*
 * The simulator: what it lets happen, and that it finds what it says it finds. What it finds in the library is in the suites
 * sim_*.
 */
#include "steps.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "sys/log.h"

#ifdef HARNESS_ASAN
/* What is leaked here is leaked on purpose, and the simulator has to find it. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

#define SIM(...) (&(struct holt_sim){ .size = sizeof(struct holt_sim), __VA_ARGS__ })

static struct holt_sim_report report;

static void says(const char *part)
{
	ck_assert_msg(strstr(report.text, part) != NULL, "the report does not say \"%s\":\n%s", part, report.text);
}

/* ---- a run */

static int two_hours(void *arg)
{
	int r = holt_sleep(HOLT_HOUR);

	(void)arg;
	return r < 0 ? r : holt_sleep(HOLT_HOUR) < 0 ? -EIO : 42;
}

TEST(time_jumps_and_the_result_is_that_of_the_function)
{
	ck_assert_int_eq(holt_sim_run(NULL, two_hours, NULL, &report), 42);
	ck_assert_str_eq(report.text, "");
	ck_assert_uint_eq(report.runs, 1);
	ck_assert_uint_eq(report.suspensions, 2);
	ck_assert_uint_eq(report.failures, 0);
	ck_assert_uint_gt(report.allocations, 0);
	ck_assert_uint_gt(report.syscalls, 0);
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 1), two_hours, NULL, NULL), 42);
}

static int says_canceled(void *arg)
{
	(void)arg;
	holt_task_cancel(holt_self(), "oneself");
	return holt_sleep(1);
}

TEST(result_of_a_function_that_was_canceled_is_ecanceled)
{
	ck_assert_int_eq(holt_sim_run(NULL, says_canceled, NULL, &report), -ECANCELED);
	ck_assert_uint_eq(report.failures, 0);
}

static int simulates(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sim_run(NULL, give, NULL, &report), -EDEADLK);
	ck_assert_int_eq(holt_sim_sweep(NULL, 0, 1, give, NULL, NULL, &report), -EDEADLK);
	return 0;
}

TEST(simulator_says_what_is_wrong_with_a_call)
{
	struct {
		struct holt_sim s;
		int more;
	} newer = { { .size = sizeof newer }, 1 };

	ck_assert_int_eq(holt_sim_run(NULL, NULL, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_run(SIM(.short_io_percent = 101), give, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_run(SIM(.eintr_percent = 100), give, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_run(&(struct holt_sim){ .size = 1 }, give, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_run(&newer.s, give, NULL, &report), -E2BIG);
	ck_assert_int_eq(holt_sim_sweep(NULL, 0, 0, give, NULL, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_sweep(NULL, 16, 1, give, NULL, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_sweep(NULL, 0, 1, NULL, NULL, NULL, &report), -EINVAL);
	ck_assert_int_eq(holt_sim_sweep(SIM(.eintr_percent = 100), 0, 1, give, NULL, NULL, &report), -EINVAL);
	ck_assert_int_eq(harness_run(simulates, NULL), 0);
	ck_assert_int_eq(holt_sim_run(NULL, simulates, NULL, &report), 0);
}

/* ---- order */

static int notes_itself(void *word)
{
	note(word);
	holt_yield();
	note(word);
	return 0;
}

static int five_of_them(void *arg)
{
	static char *words[] = { "a", "b", "c", "d", "e" };
	holt_group *g;
	int r;

	(void)arg;
	trace[0] = 0;
	r = holt_group_open(&g);
	for (int i = 0; r == 0 && i < 5; i++)
		r = holt_spawn(g, notes_itself, words[i]);
	return r < 0 ? r : holt_group_close(g, 0);
}

TEST(order_is_by_seed_and_repeats)
{
	static char seen[32][sizeof trace];
	size_t differ = 0;

	for (uint64_t i = 0; i < 32; i++) {
		ck_assert_int_eq(holt_sim_run(SIM(.seed = i), five_of_them, NULL, &report), 0);
		strcpy(seen[i], trace);
		ck_assert_int_eq(holt_sim_run(SIM(.seed = i), five_of_them, NULL, &report), 0);
		ck_assert_str_eq(seen[i], trace);
		for (uint64_t k = 0; k < i; k++)
			differ += strcmp(seen[i], seen[k]) != 0;
	}
	ck_assert_uint_gt(differ, 32 * 31 / 2 - 10); /* of all pairs hardly any has the same */
}

TEST(order_is_kept_if_it_shall_be)
{
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 7, .keep_order = true), five_of_them, NULL, &report), 0);
	ck_assert_str_eq(trace, "a b c d e a b c d e ");
}

/* ---- what it finds: deadlock, livelock */

static struct holt_event never;
static bool handled;

static int waits_for_ever(void *arg)
{
	(void)arg;
	return holt_event_wait(&never);
}

static int handler(void *arg, int result)
{
	(void)arg;
	(void)result;
	handled = true;
	return 0;
}

static int deadlock(void *arg)
{
	holt_group *g;
	int r;

	(void)arg;
	handled = false;
	never = (struct holt_event){ .set = false };
	r = holt_group_open(&g, .name = "party");
	if (r < 0)
		return r;
	holt_finally(g, handler, NULL);
	r = holt_spawn(g, waits_for_ever, NULL, .name = "anna");
	return holt_group_close(g, r);
}

TEST(deadlock_is_told_with_who_waits_and_all_end)
{
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 5), deadlock, NULL, &report), -EDEADLK);
	says("deadlock");
	says("\nmain: waits for close of group party (1 task)");
	says("\nparty/anna: waits for event");
	says("\ngroup party: finally handlers to run: 1");
	ck_assert_uint_eq(report.failures, 1);
	ck_assert_uint_eq(report.bad_seed, 5);
	ck_assert(handled);
}

static struct holt_lock lock;
static struct holt_cond changed;

/* Its wait to have the lock again nothing ends. */
static int waits_with_a_lock(void *arg)
{
	int r;

	(void)arg;
	r = holt_lock_acquire(&lock);
	if (r < 0)
		return r;
	r = holt_cond_wait(&changed, &lock);
	holt_lock_release(&lock);
	return r;
}

/* Waits, with the lock, for who waits for the lock. */
static int hopeless(void *stops)
{
	holt_group *g;
	int r;

	handled = false;
	lock = (struct holt_lock){ .owner = NULL };
	changed = (struct holt_cond){ .spare = NULL };
	r = holt_group_open(&g, .name = "party");
	if (r < 0)
		return r;
	holt_finally(g, handler, NULL);
	r = holt_spawn(g, waits_with_a_lock, NULL, .name = "anna");
	holt_yield();
	holt_lock_acquire(&lock);
	if (stops)
		holt_loop_stop(holt_loop_self(), "test");
	return holt_group_close(g, r);
}

TEST(what_never_ends_is_thrown_away_and_its_finally_handlers_are_named)
{
	ck_assert_int_eq(holt_sim_run(SIM(.keep_order = true), hopeless, NULL, &report), -EDEADLK);
	says("deadlock");
	says("\nnot even a cancellation ends it:");
	says("\nparty/anna: waits for lock");
	says("\ngroup party: finally handlers to run: 1");
	ck_assert(!handled);
	ck_assert_ptr_null(holt_self());
	harness_keep(2); /* the group and its handler went with it */
}

TEST(process_that_would_leave_by_itself_is_a_problem)
{
	ck_assert_int_eq(holt_sim_run(SIM(.keep_order = true), hopeless, "stops", &report), -ETIMEDOUT);
	says("the end took longer than the cleanup allows");
	says("\nparty/anna: waits for lock");
	harness_keep(2);
}

static int throws_the_ball(void *arg)
{
	(void)arg;
	for (;;) {
		int r = holt_yield();

		if (r < 0)
			return r;
	}
}

TEST(livelock_is_told_and_all_end)
{
	ck_assert_int_eq(holt_sim_run(SIM(.max_switches = 1000), throws_the_ball, NULL, &report), -EOVERFLOW);
	says("livelock: 1001 switches");
	says("\nmain: ");
	ck_assert_ptr_null(strstr(report.text, "not even"));
}

static int outlives_its_cleanup(void *arg)
{
	struct holt_scope shield;
	holt_time began = holt_now();

	(void)arg;
	holt_loop_stop(holt_loop_self(), "test");
	while (!holt_stopping())
		holt_yield();
	holt_scope_begin(&shield, holt_in(HOLT_HOUR), HOLT_SHIELD);
	while (holt_sleep(HOLT_SEC) == 0)
		;
	holt_scope_end(&shield, 0);
	return (int)((holt_now() - began) / HOLT_SEC);
}

TEST(shield_breaks_in_the_middle_of_the_cleanup_as_without_the_simulator)
{
	ck_assert_int_eq(holt_sim_run(NULL, outlives_its_cleanup, NULL, &report), 5);
	ck_assert_str_eq(report.text, "");
}

/* ---- what it finds: leaks */

static int forgets_a_queue(void *arg)
{
	holt_queue *q;
	int r;

	(void)arg;
	r = holt_queue_open(&q, sizeof(int), 4, .name = "jobs");
	return r;
}

static int in_a_group(void *fn)
{
	holt_group *g;
	int r;

	r = holt_group_open(&g, .name = "shop");
	if (r < 0)
		return r;
	r = holt_spawn(g, *(holt_fn *)fn, NULL, .name = "clerk");
	return holt_group_close(g, r);
}

static holt_fn lazy;

TEST(memory_that_is_not_given_back_is_told_by_who_took_it)
{
	lazy = forgets_a_queue;
	ck_assert_int_eq(holt_sim_run(NULL, in_a_group, &lazy, &report), -EUCLEAN);
	says("memory: ");
	says("by shop/clerk");
	says("in all 2 allocations");
	harness_keep(2);
}

static int left_open;

static int forgets_a_descriptor(void *arg)
{
	int fds[2];

	(void)arg;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	left_open = fds[1];
	ck_assert_int_eq(holt_wait_fd(fds[1], EPOLLOUT), EPOLLOUT);
	ck_assert_int_eq(holt_write(fds[1], "x", 1), 1);
	close(fds[0]);
	return 0;
}

static int forgets_a_listener(void *arg)
{
	(void)arg;
	left_open = holt_listen("unix:@holt-test-sim-leak");
	return left_open < 0 ? left_open : 0;
}

TEST(descriptor_that_is_not_closed_is_told)
{
	lazy = forgets_a_descriptor;
	ck_assert_int_eq(holt_sim_run(NULL, in_a_group, &lazy, &report), -EUCLEAN);
	says("descriptor ");
	says("(socket:[");
	says("not made by holt, was not closed");
	close(left_open);
	lazy = forgets_a_listener;
	ck_assert_int_eq(holt_sim_run(NULL, in_a_group, &lazy, &report), -EUCLEAN);
	says("by shop/clerk, was not closed");
	close(left_open);
}

static int keeps_a_reference(void *arg)
{
	holt_task *t;
	holt_group *g;
	int r;

	(void)arg;
	r = holt_group_open(&g, .name = "shop");
	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < 200; i++)
		r = holt_spawn(g, give, NULL);
	if (r == 0)
		r = holt_spawn(g, give, NULL, .name = "boy", .task = &t);
	return holt_group_close(g, r);
}

TEST(task_that_a_reference_is_left_to_is_named)
{
	ck_assert_int_eq(holt_sim_run(NULL, keeps_a_reference, NULL, &report), -EUCLEAN);
	says("task shop/boy: a reference to it was not dropped");
}

/* ---- what it lets happen: input and output */

enum { BYTES = 20000 };

struct pipe_ends {
	int in, out, type;
	size_t reads, writes;
	char sum_in, sum_out;
};

static int sender(void *arg)
{
	struct pipe_ends *p = arg;
	char buf[997];
	size_t left = BYTES;

	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (char)i;
	while (left > 0) {
		ssize_t n = holt_write(p->out, buf, left < sizeof buf ? left : sizeof buf);

		if (n < 0)
			return (int)n;
		for (ssize_t i = 0; i < n; i++)
			p->sum_out = (char)(p->sum_out * 31 + buf[i]);
		left -= (size_t)n;
		p->writes++;
	}
	return holt_close(p->out);
}

static int receiver(void *arg)
{
	struct pipe_ends *p = arg;
	size_t got = 0;
	char buf[512];
	ssize_t n;

	while ((n = holt_read(p->in, buf, sizeof buf)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			p->sum_in = (char)(p->sum_in * 31 + buf[i]);
		got += (size_t)n;
		p->reads++;
	}
	holt_close(p->in);
	return n < 0 ? (int)n : (int)got;
}

static int transfer(void *arg)
{
	struct pipe_ends *p = arg;
	int fds[2], type = p->type;
	struct holt_call calls[2] = { { sender, p, 0 }, { receiver, p, 0 } };
	int r;

	*p = (struct pipe_ends){ .type = type };
	r = type ? socketpair(AF_UNIX, type, 0, fds) : pipe(fds);
	if (r < 0)
		return -errno;
	p->in = fds[0];
	p->out = fds[1];
	r = holt_gather(calls, 2, HOLT_ALL);
	return r < 0 ? r : calls[1].result;
}

TEST_LOOP(bytes_arrive_however_reads_and_writes_are_cut_and_interrupted, 0, 2)
{
	struct pipe_ends p = { .type = _i ? SOCK_STREAM : 0 };
	size_t before;

	ck_assert_int_eq(holt_sim_run(NULL, transfer, &p, &report), BYTES);
	before = p.reads + p.writes;
	for (uint64_t seed = 0; seed < 20; seed++) {
		int r = holt_sim_run(SIM(.seed = seed, .short_io_percent = 60, .eintr_percent = 20), transfer, &p, &report);

		ck_assert_msg(r == BYTES, "seed %d: %d, %s", (int)seed, r, report.text);
		ck_assert_int_eq(p.sum_in, p.sum_out);
		ck_assert_uint_gt(p.reads + p.writes, before);
	}
}

static void *says_hello(void *arg)
{
	usleep(1000);
	ck_assert_int_eq(write(*(int *)arg, "hello", 5), 5);
	return NULL;
}

static int hears_a_thread(void *arg)
{
	char buf[8];
	pthread_t thread;
	int fds[2], r;

	(void)arg;
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, says_hello, &fds[1]), 0);
	r = (int)holt_read(fds[0], buf, sizeof buf);
	pthread_join(thread, NULL);
	holt_close(fds[0]);
	close(fds[1]);
	return r;
}

TEST(others_are_waited_for_with_real_io)
{
	harness_real_clock();
	ck_assert_int_eq(holt_sim_run(SIM(.real_io = true), hears_a_thread, NULL, &report), 5);
}

/* ---- what it lets happen: by number */

static int opens_a_queue(void *arg)
{
	holt_auto(queue) q = NULL;

	(void)arg;
	return holt_queue_open(&q, sizeof(int), 4);
}

TEST(nth_allocation_fails_and_only_that)
{
	uint64_t n;

	ck_assert_int_eq(holt_sim_run(NULL, opens_a_queue, NULL, &report), 0);
	n = report.allocations;
	ck_assert_int_eq(holt_sim_run(SIM(.fail_alloc_at = n), opens_a_queue, NULL, &report), -ENOMEM);
	ck_assert_int_eq(holt_sim_run(SIM(.fail_alloc_at = n + 1), opens_a_queue, NULL, &report), 0);
	ck_assert_uint_eq(report.allocations, n);
}

static int opens_a_listener(void *arg)
{
	holt_auto(fd) fd = holt_listen("unix:@holt-test-sim");

	(void)arg;
	return fd < 0 ? fd : 0;
}

TEST(nth_system_call_fails_and_only_that)
{
	uint64_t n, failed = 0;

	ck_assert_int_eq(holt_sim_run(NULL, opens_a_listener, NULL, &report), 0);
	n = report.syscalls;
	for (uint64_t i = 1; i <= n; i++) {
		int r = holt_sim_run(SIM(.fail_syscall_at = i), opens_a_listener, NULL, &report);

		failed += r < 0;
		ck_assert_msg(report.failures == 0, "%s", report.text);
	}
	ck_assert_uint_ge(failed, 4); /* epoll_create, timerfd_create, eventfd, socket, bind, ... */
	ck_assert_int_eq(holt_sim_run(SIM(.fail_syscall_at = n + 1), opens_a_listener, NULL, &report), 0);
}

static int results[3];

static int three_naps(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		results[i] = holt_sleep(HOLT_SEC);
	return results[2];
}

TEST(cancellation_comes_at_the_nth_suspension_and_stays)
{
	for (int n = 1; n <= 3; n++) {
		ck_assert_int_eq(holt_sim_run(SIM(.cancel_at = (uint64_t)n), three_naps, NULL, &report), -ECANCELED);
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(results[i], i + 1 < n ? 0 : -ECANCELED);
	}
	ck_assert_int_eq(holt_sim_run(SIM(.cancel_at = 4), three_naps, NULL, &report), 0);
}

static int other_result;

static int naps(void *arg)
{
	*(int *)arg = holt_sleep(HOLT_SEC);
	return 0;
}

static int main_and_another(void *arg)
{
	holt_group *g;
	int r, mine;

	(void)arg;
	r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r < 0)
		return r;
	r = holt_spawn(g, naps, &other_result);
	mine = holt_sleep(HOLT_HOUR); /* the first suspension; the second is the other's */
	return holt_group_close(g, r < 0 ? r : mine);
}

TEST(cancellation_is_of_the_main_task_or_of_the_one_that_suspends)
{
	ck_assert_int_eq(holt_sim_run(SIM(.cancel_at = 2), main_and_another, NULL, &report), -ECANCELED);
	ck_assert_int_eq(other_result, -ECANCELED);
	ck_assert_int_eq(holt_sim_run(SIM(.cancel_at = 2, .cancel_one = true), main_and_another, NULL, &report), 0);
	ck_assert_int_eq(other_result, -ECANCELED);
	ck_assert_int_eq(holt_sim_run(SIM(.cancel_at = 1, .cancel_one = true), main_and_another, NULL, &report), -ECANCELED);
}

/* ---- the sweep */

/* A semaphore as one would write it who has not thought of cancellation: it may be told, and be gone. */
static struct {
	struct holt_event freed;
	int permits, inside, done;
	bool right;
} s;

static int acquire_badly(void)
{
	int r;

	while (s.permits == 0) {
		r = holt_event_wait(&s.freed);
		if (r < 0)
			return r;
		holt_event_clear(&s.freed);
	}
	s.permits--;
	return 0;
}

static int works(void *arg)
{
	int r = acquire_badly();

	(void)arg;
	if (r < 0)
		return r;
	s.inside++;
	r = holt_sleep(HOLT_MS);
	s.inside--;
	if (r < 0 && !s.right)
		return r; /* with the permit */
	s.permits++;
	holt_event_set(&s.freed);
	s.done++;
	return r;
}

static int workers(void *arg)
{
	holt_group *g;
	int r;

	memset(&s, 0, sizeof s);
	s.permits = 1;
	s.right = *(bool *)arg;
	r = holt_group_open(&g);
	for (int i = 0; r == 0 && i < 2; i++)
		r = holt_spawn(g, works, NULL);
	return g ? holt_group_close(g, r) : r;
}

static int no_permit_is_lost(void *arg, int result)
{
	(void)arg;
	(void)result;
	return s.permits == 1 || s.permits == 0 ? s.permits - 1 : -EBADMSG;
}

TEST(sweep_finds_what_a_cancellation_breaks_and_says_how_to_see_it_again)
{
	bool right = false;
	int r = holt_sim_sweep(SIM(.seed = 3), HOLT_SWEEP_CANCEL, 4, workers, no_permit_is_lost, &right, &report);

	ck_assert_int_eq(r, -1);
	ck_assert_uint_gt(report.failures, 0);
	ck_assert_uint_ge(report.bad_seed, 3);
	ck_assert_uint_gt(report.bad_n, 0);
	says("cancel_at");
	says("the check failed");
	holt_sim_run(SIM(.seed = report.bad_seed, .cancel_at = report.bad_n), workers, &right, NULL);
	ck_assert_int_eq(no_permit_is_lost(NULL, 0), -1);

	right = true;
	r = holt_sim_sweep(SIM(.seed = 3), HOLT_SWEEP_CANCEL, 4, workers, no_permit_is_lost, &right, &report);
	ck_assert_msg(r == 0, "%s", report.text);
	ck_assert_uint_eq(report.failures, 0);
	ck_assert_uint_ge(report.suspensions, 4 * 4);
	ck_assert_uint_eq(report.runs, 4 + report.suspensions + 4); /* as it is; each point; one too many */
}

static int forgets_on_the_way_out(void *arg)
{
	holt_queue *a = NULL, *b = NULL;
	int r;

	(void)arg;
	r = holt_queue_open(&a, 8, 8);
	if (r < 0)
		return r;
	r = holt_queue_open(&b, 8, 8);
	if (r < 0)
		return r; /* and a? */
	holt_queue_close(a);
	holt_queue_close(b);
	return 0;
}

TEST(sweep_finds_what_is_forgotten_when_memory_ends)
{
	ck_assert_int_eq(holt_sim_sweep(NULL, HOLT_SWEEP_ALLOC, 1, forgets_on_the_way_out, NULL, NULL, &report), -EUCLEAN);
	says("seed 0, fail_alloc_at ");
	says("by main, were not given back");
	ck_assert_uint_eq(report.failures, 2); /* the second queue and its items */
	harness_keep(4);
}

static int never_ends_if_it_is_interrupted(void *arg)
{
	int fds[2], r;
	char c;

	(void)arg;
	ck_assert_int_eq(pipe(fds), 0);
	r = (int)holt_write(fds[1], "x", 1);
	if (r < 0)
		waits_for_ever(NULL);
	else
		r = (int)holt_read(fds[0], &c, 1);
	holt_close(fds[0]);
	holt_close(fds[1]);
	return r;
}

TEST(sweep_finds_what_waits_for_ever_after_a_failure)
{
	never = (struct holt_event){ .set = false };
	ck_assert_int_eq(
		holt_sim_sweep(NULL, HOLT_SWEEP_SYSCALL, 1, never_ends_if_it_is_interrupted, NULL, NULL, &report), -EDEADLK);
	says("fail_syscall_at ");
	says("\nmain: waits for event");
}

static int fails(void *arg)
{
	(void)arg;
	return -EIO;
}

TEST(sweep_without_a_check_wants_success_where_nothing_was_made_to_fail)
{
	ck_assert_int_eq(holt_sim_sweep(NULL, HOLT_SWEEP_ALLOC, 1, fails, NULL, NULL, &report), -EIO);
	ck_assert_uint_eq(report.failures, 1);
	says("it failed (Input/output error)");
	ck_assert_int_eq(holt_sim_sweep(NULL, HOLT_SWEEP_CANCEL | HOLT_SWEEP_CANCEL_ONE, 2, two_hours, NULL, NULL, &report), 0);
	ck_assert_uint_eq(report.suspensions, 2 * 2 * 2);
}

static int logs(void *arg)
{
	(void)arg;
	holt_log(LOG_ERR, "this is a line");
	return 0;
}

static int sweeps_logs(void *arg)
{
	(void)arg;
	return holt_sim_sweep(NULL, 0, 1, logs, NULL, NULL, &report);
}

static int runs_logs(void *arg)
{
	(void)arg;
	return holt_sim_run(NULL, logs, NULL, &report);
}

TEST(sweep_is_silent_and_a_run_is_not)
{
	ck_assert_int_eq(harness_child(sweeps_logs, NULL), 0);
	ck_assert_str_eq(harness_output(), "");
	ck_assert_int_eq(harness_child(runs_logs, NULL), 0);
	ck_assert_ptr_nonnull(strstr(harness_output(), "this is a line"));
	ck_assert_int_eq(holt_sim_sweep(NULL, 0, 1, logs, NULL, NULL, &report), 0);
	ck_assert(harness_logged("this is a line")); /* a sink hears all */
}

/* ---- what a reviewer found */

TEST(sweep_of_what_goes_on_for_ever_ends_and_says_so)
{
	ck_assert_int_eq(holt_sim_sweep(SIM(.max_switches = 20000), HOLT_SWEEP_CANCEL, 2, throws_the_ball, NULL, NULL, &report),
		-EOVERFLOW);
	says("livelock");
	ck_assert_uint_eq(report.runs, 2);
}

static int naps_more_each_time(void *arg)
{
	int *n = arg, r = 0;

	++*n;
	for (int i = 0; r == 0 && i < *n; i++)
		r = holt_yield();
	return r;
}

TEST(sweep_of_what_does_not_begin_anew_ends_and_says_so)
{
	int n = 0;

	ck_assert_int_eq(holt_sim_sweep(NULL, HOLT_SWEEP_CANCEL, 1, naps_more_each_time, NULL, &n, &report), -EOVERFLOW);
	says("does fn begin anew");
}

/* Timers that only name who has not ended are no life. */
static int is_stuck_but_for_timers(void *arg)
{
	holt_group *g;
	holt_task *t = NULL;
	int r;

	(void)arg;
	lock = (struct holt_lock){ .owner = NULL };
	changed = (struct holt_cond){ .spare = NULL };
	never = (struct holt_event){ .set = false };
	r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r == 0)
		r = holt_spawn(g, waits_with_a_lock, NULL, .name = "bert", .task = &t);
	if (r == 0)
		r = holt_yield();
	holt_lock_acquire(&lock);
	holt_task_cancel(t, "test");
	holt_task_unref(t);
	r = holt_event_wait(&never);
	holt_lock_release(&lock);
	return holt_group_close(g, r);
}

TEST(deadlock_beside_timers_that_wake_nobody_is_one)
{
	ck_assert_int_eq(holt_sim_run(SIM(.keep_order = true), is_stuck_but_for_timers, NULL, &report), -EDEADLK);
	says("deadlock");
	says("bert: waits for lock");
	ck_assert_ptr_null(strstr(report.text, "not even"));
}

static int sends_itself_a_signal(void *arg)
{
	(void)arg;
	kill(getpid(), SIGUSR2);
	return 0;
}

static int waits_for_a_signal(void *arg)
{
	struct signalfd_siginfo si;

	(void)arg;
	return holt_signal_wait(SIGUSR2, &si);
}

static int signals(void *arg)
{
	sigset_t set;
	holt_group *g = NULL;
	int r;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL); /* one that nobody takes is no end of us */
	r = holt_group_open(&g);
	if (r >= 0)
		r = holt_spawn(g, waits_for_a_signal, NULL);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (r >= 0)
		r = holt_spawn(g, sends_itself_a_signal, NULL);
	return g ? holt_group_close(g, r) : r;
}

TEST(signal_that_was_sent_is_never_lost_to_a_failing_call)
{
	int r = holt_sim_sweep(SIM(.eintr_percent = 20), HOLT_SWEEP_SYSCALL | HOLT_SWEEP_CANCEL, 3, signals, NULL, NULL, &report);

	ck_assert_msg(r == 0, "%s", report.text);
}

static uint64_t heard;

static void counts(void *arg, int event, holt_task *t)
{
	(void)arg;
	(void)event;
	(void)t;
	heard++;
}

TEST(run_that_is_looked_at_is_the_same_run)
{
	static const struct holt_hooks hooks = { counts, NULL };
	struct holt_sim_report other;

	ck_assert_int_eq(holt_sim_run(SIM(.seed = 3), opens_a_queue, NULL, &report), 0);
	ck_assert_int_eq(holt_hooks_set(&hooks), 0);
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 3), opens_a_queue, NULL, &other), 0);
	ck_assert_uint_eq(report.allocations, other.allocations);
	ck_assert_uint_gt(heard, 0);
	for (uint64_t n = 2; n <= report.allocations; n++) { /* the first one is that of the loop, which there is already */
		int r = holt_sim_run(SIM(.seed = 3, .fail_alloc_at = n), opens_a_queue, NULL, NULL);

		ck_assert_int_eq(holt_hooks_set(&hooks), 0);
		ck_assert_int_eq(holt_sim_run(SIM(.seed = 3, .fail_alloc_at = n), opens_a_queue, NULL, NULL), r);
	}
}

static int says_when(void *arg)
{
	*(holt_time *)arg = holt_now();
	return 0;
}

static int tells_a_thread_the_time(void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, (void *(*)(void *))(void (*)(void))says_when, arg), 0);
	pthread_join(thread, NULL);
	return 0;
}

TEST(clock_is_by_seed_in_the_run_and_nobody_elses)
{
	holt_time a, b, c;

	ck_assert_int_eq(holt_sim_run(SIM(.seed = 5), says_when, &a, NULL), 0);
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 5), says_when, &b, NULL), 0);
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 6), says_when, &c, NULL), 0);
	ck_assert_uint_eq(a, b);
	ck_assert_uint_ne(a, c);
	harness_advance(HOLT_HOUR);
	ck_assert_int_eq(holt_sim_run(SIM(.seed = 5), tells_a_thread_the_time, &a, NULL), 0);
	ck_assert_uint_eq(a, HARNESS_EPOCH + HOLT_HOUR);
}

static int puts_another_in_its_place(void *arg)
{
	int *fds = arg, other[2];

	close(fds[0]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	close(other[0] == fds[0] ? other[1] : other[0]); /* the number is one that was there before */
	return 0;
}

TEST(descriptor_that_took_the_place_of_another_is_told)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(holt_sim_run(NULL, puts_another_in_its_place, fds, &report), -EUCLEAN);
	says("was not closed");
	close(fds[0]);
	close(fds[1]);
}

static int listens(void *arg)
{
	int fd;

	(void)arg;
	return holt_listen_fds("web", &fd, 1) < 0 ? -EIO : 0;
}

static int two_are_passed(void *arg)
{
	char pid[16];

	(void)arg;
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "other", 1);
	return holt_sim_run(NULL, listens, NULL, &report) == 0 && report.failures == 0 ? 0 : 1;
}

TEST(what_the_process_keeps_is_no_leak_of_a_run)
{
	int status = harness_child(two_are_passed, NULL);

	ck_assert_msg(status == 0, "%#x", (unsigned)status);
}
