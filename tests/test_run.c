/* SPDX-License-Identifier: MIT */
/*
 * Runs: threads, SIGINT, forked children, stacks, and that none of it needs memory on the way or loses any when there is none.
 */
#include "steps.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "task/task.h"

/* ---- runs */

static int runs_inside(void *arg)
{
	(void)arg;
	return holt_run(give, NUMBER(1));
}

TEST(run_gives_the_result_of_its_first_task)
{
	ck_assert_int_eq(harness_run(give, NUMBER(42)), 42);
	ck_assert_int_eq(harness_run(give, NUMBER(-EIO)), -EIO);
	ck_assert_int_eq(harness_run(give, NUMBER(-ECANCELED)), -ECANCELED);
	ck_assert_int_eq(harness_run(NULL, NULL), -EINVAL);
	ck_assert_int_eq(harness_run(runs_inside, NULL), -EDEADLK);
	ck_assert_int_eq(holt_run_with(give, NUMBER(5), NULL), 5);
	ck_assert_int_eq(holt_run_with(give, NULL, &(struct holt_run_options){ .size = 1 }), -EINVAL);
}

static int cancels_itself(void *arg)
{
	(void)arg;
	holt_task_cancel(holt_self(), "enough");
	ck_assert_int_eq(holt_sleep(HOLT_SEC), -ECANCELED);
	ck_assert_str_eq(holt_why(), "enough");
	return holt_yield();
}

TEST(run_whose_first_task_was_canceled_by_itself_says_so)
{
	ck_assert_int_eq(harness_run(cancels_itself, NULL), -ECANCELED);
}

static void count_up(void *arg)
{
	++*(int *)arg;
}

static int does_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void note_call(void *word)
{
	note(word);
}

TEST(calls_before_the_run_are_made_in_it_in_order_and_later_ones_are_refused)
{
	holt_loop *loop = holt_loop_ref(holt_loop_self());
	int n = 0;

	ck_assert_ptr_nonnull(loop);
	ck_assert_ptr_eq(holt_loop_self(), loop);
	ck_assert_int_eq(holt_loop_call(loop, note_call, WORD("a")), 0);
	ck_assert_int_eq(holt_loop_call(loop, note_call, WORD("b")), 0);
	ck_assert_int_eq(holt_loop_call(loop, count_up, &n), 0);
	ck_assert_int_eq(holt_loop_call(loop, note_call, WORD("c")), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(run_clean(does_nothing, NULL), 0);
	ck_assert_str_eq(trace, "a b c ");
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(holt_loop_call(loop, count_up, &n), -ESHUTDOWN);
	holt_loop_stop(loop, "too late");
	ck_assert_int_eq(holt_loop_call(NULL, count_up, &n), -EINVAL);
	ck_assert_int_eq(holt_loop_call(loop, NULL, &n), -EINVAL);
	holt_loop_stop(NULL, NULL);
	ck_assert_ptr_null(holt_loop_ref(NULL));
	ck_assert_ptr_null(holt_loop_unref(NULL));
	ck_assert_ptr_null(holt_loop_unref(loop));
	ck_assert_int_eq(n, 1);
}

static int calls_at_its_end(void *arg)
{
	return holt_loop_call(holt_loop_self(), count_up, arg);
}

TEST(call_that_was_accepted_has_been_made_when_the_run_returns)
{
	int n = 0;

	ck_assert_int_eq(harness_run(calls_at_its_end, &n), 0);
	ck_assert_int_eq(n, 1);
}

struct elsewhere {
	holt_loop *loop;
	pthread_t thread;
	struct holt_event go;
	int results[4];
	struct holt_lock lock;
};

static int spawns_and_fails(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_sleep(0), 0);
	return -EIO;
}

static int runs_till_canceled(void *arg)
{
	holt_event_set(arg);
	return holt_sleep(HOLT_NEVER);
}

static void *runs_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	e->results[0] = holt_loop_run(e->loop, spawns_and_fails, NULL);
	e->results[1] = holt_loop_run(NULL, give, NULL);
	e->results[2] = holt_loop_run(e->loop, runs_till_canceled, &e->go);
	while ((e->results[3] = holt_loop_run(e->loop, give, NUMBER(1))) == 1)
		; /* until the run is over */
	return NULL;
}

static int is_run_on(void *arg)
{
	struct elsewhere *e = arg;

	e->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(holt_loop_run(e->loop, give, NULL), -EDEADLK);
	ck_assert_int_eq(pthread_create(&e->thread, NULL, runs_elsewhere, e), 0);
	ck_assert_int_eq(holt_event_wait(&e->go), 0);
	return -EBADMSG; /* cancels the root, and with it the other one's task */
}

TEST(task_run_from_another_thread_belongs_to_the_root_and_its_failure_is_its_callers)
{
	struct elsewhere e = { .results = { 9, 9, 9, 9 } };

	ck_assert_int_eq(harness_run(is_run_on, &e), -EBADMSG);
	pthread_join(e.thread, NULL);
	holt_loop_unref(e.loop);
	ck_assert_int_eq(e.results[0], -EIO);
	ck_assert_int_eq(e.results[1], -EINVAL);
	ck_assert_int_eq(e.results[2], -ECANCELED);
	ck_assert_int_eq(e.results[3], -ESHUTDOWN);
}

static int runs_out_of_time(void *arg)
{
	(void)arg;
	return holt_timeout(HOLT_MS, sleep_long, NULL);
}

static void set_event(void *event)
{
	holt_event_set(event);
}

static void *times_out_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	e->results[0] = holt_loop_run(e->loop, runs_out_of_time, NULL);
	e->results[1] = holt_loop_run(e->loop, is_canceled_alone, NULL);
	e->results[2] = holt_loop_run(e->loop, give, NUMBER(3));
	e->results[3] = holt_loop_call(e->loop, set_event, &e->go);
	holt_loop_unref(e->loop);
	return NULL;
}

static int hears_the_end(void *arg)
{
	struct elsewhere *e = arg;
	int r;

	e->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(pthread_create(&e->thread, NULL, times_out_elsewhere, e), 0);
	r = holt_event_wait(&e->go);
	ck_assert_uint_eq(holt_task_count(), 1);
	return r;
}

TEST(task_run_from_another_thread_may_run_out_of_time_or_be_canceled_alone)
{
	struct elsewhere e = { .results = { 9, 9, 9, 9 } };

	ck_assert_int_eq(harness_run(hears_the_end, &e), 0); /* the root was neither canceled nor failed */
	pthread_join(e.thread, NULL);
	ck_assert_int_eq(e.results[0], -ETIME);
	ck_assert_int_eq(e.results[1], -ECANCELED);
	ck_assert_int_eq(e.results[2], 3);
	ck_assert_int_eq(e.results[3], 0);
}

struct foreign {
	holt_group *g;
	holt_task *t[1];
	int outside, spawn, finally, wait, wait_some, group_wait, next;
};

static int never_called(void *arg, int result)
{
	(void)arg;
	(void)result;
	return -EBADMSG;
}

static int uses_what_is_foreign(void *arg)
{
	struct foreign *f = arg;
	holt_task *none = NULL;
	int result = 99;

	f->spawn = holt_spawn(f->g, give, NULL);
	f->finally = holt_finally(f->g, never_called, NULL);
	f->wait = holt_task_wait(f->t[0], &result);
	f->wait_some = holt_wait(f->t, 1, HOLT_ALL_COMPLETED, HOLT_SEC);
	f->group_wait = holt_group_wait(f->g);
	f->next = holt_group_next(f->g, &none);
	return result == 99 && !none ? 0 : -EBADMSG;
}

static void *runs_beside(void *arg)
{
	struct foreign *f = arg;

	f->outside = holt_spawn(f->g, give, NULL);
	return (void *)(intptr_t)holt_run(uses_what_is_foreign, f);
}

/* This thread stands still meanwhile: the other one is not too quick or too slow for anything. */
static int is_used_from_elsewhere(void *arg)
{
	struct foreign *f = arg;
	pthread_t thread;
	void *r = NULL;

	ck_assert_int_eq(holt_group_open(&f->g, .kind = HOLT_EACH, .keep = true), 0);
	ck_assert_int_eq(holt_spawn(f->g, give, NUMBER(7), .task = &f->t[0]), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, runs_beside, f), 0);
	pthread_join(thread, &r);
	ck_assert_int_eq((int)(intptr_t)r, 0);
	ck_assert_uint_eq(holt_group_count(f->g), 1);
	ck_assert_int_eq(holt_group_close(f->g, 0), 0);
	ck_assert_int_eq(holt_task_result(f->t[0]), 7);
	holt_task_unref(f->t[0]);
	return 0;
}

TEST(group_or_task_of_another_threads_loop_is_refused)
{
	struct foreign f = { .outside = 1 };

	ck_assert_int_eq(harness_run(is_used_from_elsewhere, &f), 0);
	ck_assert_int_eq(f.outside, -EPERM);
	ck_assert_int_eq(f.spawn, -EPERM);
	ck_assert_int_eq(f.finally, -EPERM);
	ck_assert_int_eq(f.wait, -EPERM);
	ck_assert_int_eq(f.wait_some, -EPERM);
	ck_assert_int_eq(f.group_wait, -EPERM);
	ck_assert_int_eq(f.next, -EPERM);
}

static struct holt_scope ends_scope;
static holt_group *ends_group;
static holt_task *ends_task;

static void *cancels_a_foreign_task(void *arg)
{
	holt_task_cancel(ends_task, NULL);
	return arg;
}

static void *cancels_a_foreign_scope(void *arg)
{
	holt_scope_cancel(&ends_scope, NULL);
	return arg;
}

static void *cancels_a_foreign_group(void *arg)
{
	holt_group_cancel(ends_group, NULL);
	return arg;
}

static void *stops_a_foreign_group(void *arg)
{
	holt_group_stop(ends_group, NULL);
	return arg;
}

static const struct {
	const char *name;
	void *(*fn)(void *arg);
} ends[] = { { "holt_task_cancel", cancels_a_foreign_task }, { "holt_scope_cancel", cancels_a_foreign_scope },
	{ "holt_group_cancel", cancels_a_foreign_group }, { "holt_group_stop", stops_a_foreign_group } };

static int is_ended_from_elsewhere(void *i)
{
	pthread_t thread;

	ends_task = holt_self();
	holt_scope_begin(&ends_scope, HOLT_NEVER, 0);
	holt_group_open(&ends_group);
	pthread_create(&thread, NULL, ends[(intptr_t)i].fn, NULL);
	pthread_join(thread, NULL);
	holt_group_close(ends_group, 0);
	return (int)holt_scope_end(&ends_scope, 0);
}

static int run_to_be_ended(void *i)
{
	return holt_run(is_ended_from_elsewhere, i);
}

TEST_LOOP(stop_or_cancel_in_a_thread_that_does_not_run_the_loop_aborts_with_one_sentence, 0, HOLT__N(ends))
{
	int status = harness_child(run_to_be_ended, NUMBER(_i));

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s: %x", ends[_i].name, (unsigned)status);
	ck_assert_ptr_nonnull(strstr(harness_output(), ends[_i].name));
	ck_assert_ptr_nonnull(strstr(harness_output(), "called in a thread that does not run this loop"));
}

static int sleeps_on(void *arg)
{
	holt_event_set(arg);
	return holt_sleep(HOLT_MIN) == 0 ? 3 : 4;
}

static void *runs_a_sleeper(void *arg)
{
	struct elsewhere *e = arg;

	e->results[0] = holt_loop_run(e->loop, sleeps_on, &e->go);
	return NULL;
}

static int ends_well_meanwhile(void *arg)
{
	struct elsewhere *e = arg;

	e->loop = holt_loop_ref(holt_loop_self());
	ck_assert_int_eq(pthread_create(&e->thread, NULL, runs_a_sleeper, e), 0);
	ck_assert_int_eq(holt_event_wait(&e->go), 0);
	return 7;
}

TEST(run_that_ends_well_waits_for_what_other_threads_run_on_it)
{
	struct elsewhere e = { .results = { 9 } };

	ck_assert_int_eq(harness_run(ends_well_meanwhile, &e), 7);
	pthread_join(e.thread, NULL);
	holt_loop_unref(e.loop);
	ck_assert_int_eq(e.results[0], 3);
	ck_assert_uint_eq(harness_time(), HOLT_MIN);
}

static void *never_runs(void *arg)
{
	holt_loop **loop = arg;

	*loop = holt_loop_ref(holt_loop_self());
	return NULL;
}

TEST(loop_of_a_thread_that_ended_without_a_run_refuses_calls)
{
	holt_loop *loop = NULL;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, never_runs, &loop), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(holt_loop_call(loop, count_up, NULL), -ESHUTDOWN);
	ck_assert_int_eq(holt_loop_run(loop, give, NULL), -ESHUTDOWN);
	holt_loop_unref(loop);
}

static void *runs_a_loop(void *arg)
{
	*(int *)arg = holt_run(sleep_a_second, NULL, .name = "other");
	return NULL;
}

TEST(each_thread_has_a_loop_of_its_own)
{
	pthread_t thread[4];
	int r[4] = { 9, 9, 9, 9 };

	harness_real_clock();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, runs_a_loop, &r[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		ck_assert_int_eq(r[i], 0);
	}
}

/* ---- SIGINT */

static int cleans_up(void *arg, int result)
{
	(void)result;
	ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	fprintf(stderr, "%s\n", (const char *)arg);
	return 0;
}

static int is_interrupted(void *arg)
{
	holt_group *g = NULL;
	int r;

	(void)arg;
	holt_group_open(&g);
	holt_finally(g, cleans_up, WORD("cleaned up"));
	raise(SIGINT);
	r = holt_sleep(HOLT_MIN);
	fprintf(stderr, "slept: %d, why: %s\n", r, holt_why());
	return holt_group_close(g, 0);
}

static int run_interrupted(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_DFL); /* libcheck's own handler was inherited */
	holt_run(is_interrupted, NULL, .grace = HOLT_MIN);
	fprintf(stderr, "not reached\n");
	return 0;
}

TEST(sigint_cancels_the_root_waits_for_its_cleanup_and_kills_the_process)
{
	int status = harness_child(run_interrupted, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "slept: -125, why: SIGINT\ncleaned up\n");
}

static int is_interrupted_twice(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	holt_group_open(&g);
	holt_finally(g, cleans_up, WORD("cleaned up"));
	raise(SIGINT);
	raise(SIGINT);
	fprintf(stderr, "not reached\n");
	return holt_group_close(g, 0);
}

static int run_interrupted_twice(void *arg)
{
	signal(SIGINT, SIG_DFL);
	return holt_run(is_interrupted_twice, arg);
}

TEST(second_sigint_kills_at_once)
{
	int status = harness_child(run_interrupted_twice, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "");
}

static void own_handler(int sig)
{
	(void)sig;
	fprintf(stderr, "own handler\n");
}

static int raises(void *arg)
{
	(void)arg;
	raise(SIGINT);
	return holt_yield();
}

static int run_with_own_handler(void *arg)
{
	(void)arg;
	signal(SIGINT, own_handler);
	return holt_run(raises, NULL) == 0 ? 7 : 8;
}

static int run_with_sigint_ignored(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_IGN);
	return holt_run(raises, NULL) == 0 ? 7 : 8;
}

static int raise_after_the_run(void *arg)
{
	(void)arg;
	signal(SIGINT, SIG_DFL);
	holt_run(does_nothing, NULL);
	raise(SIGINT);
	return 0;
}

TEST(sigint_stays_with_a_program_that_handles_or_ignores_it)
{
	int status = harness_child(run_with_own_handler, NULL);

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	ck_assert_str_eq(harness_output(), "own handler\n");
	status = harness_child(run_with_sigint_ignored, NULL);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = harness_child(raise_after_the_run, NULL);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static int yields_for_ever(void *arg)
{
	int r;

	(void)arg;
	raise(SIGINT);
	while ((r = holt_yield()) == 0)
		;
	fprintf(stderr, "%d\n", r);
	return r;
}

static int raises_when_it_is_canceled(void *arg)
{
	int r;

	(void)arg;
	holt_task_cancel(holt_self(), "by itself");
	raise(SIGINT);
	r = holt_sleep(HOLT_MIN);
	fprintf(stderr, "%d, why: %s\n", r, holt_why());
	return r;
}

static int run_and_tell(void *fn)
{
	int r;

	signal(SIGINT, SIG_DFL);
	r = holt_run((holt_fn)fn, NULL);
	fprintf(stderr, "ended with %d\n", r);
	return 0;
}

TEST(sigint_reaches_a_task_that_only_yields)
{
	int status = harness_child(run_and_tell, (void *)yields_for_ever);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "-125\n");
}

TEST(sigint_kills_the_process_though_its_first_task_was_canceled_before)
{
	int status = harness_child(run_and_tell, (void *)raises_when_it_is_canceled);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	ck_assert_str_eq(harness_output(), "-125, why: by itself\n");
}

static int installs_a_handler(void *arg)
{
	(void)arg;
	signal(SIGINT, own_handler);
	return holt_yield();
}

TEST(handler_of_sigint_that_a_task_installed_is_there_behind_the_run)
{
	signal(SIGINT, SIG_DFL);
	ck_assert_int_eq(harness_run(installs_a_handler, NULL), 0);
	ck_assert_ptr_eq(signal(SIGINT, SIG_DFL), own_handler);
}

static int ignores_sigint_for_now(void *old)
{
	*(void (**)(int))old = signal(SIGINT, SIG_IGN);
	raise(SIGINT);
	return holt_yield();
}

static int restore_sigint_behind_the_run(void *arg)
{
	void (*old)(int) = NULL;

	signal(SIGINT, SIG_DFL);
	if (holt_run(ignores_sigint_for_now, &old) == 0)
		fprintf(stderr, "ended well\n");
	signal(SIGINT, old);
	if (arg)
		holt_run(is_interrupted, NULL);
	raise(SIGINT);
	fprintf(stderr, "not reached\n");
	return 0;
}

/* A program that puts back what it found there puts back ours, too late. */
TEST_LOOP(handler_of_a_run_that_has_ended_is_as_good_as_none, 0, 2)
{
	int status = harness_child(restore_sigint_behind_the_run, NUMBER(_i));

	ck_assert_str_eq(harness_output(), _i ? "ended well\nslept: -125, why: SIGINT\ncleaned up\n" : "ended well\n");
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static int finds_sigint_as_it_was(void *arg)
{
	struct sigaction now;

	(void)arg;
	return sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL && holt_yield() == 0 ? 7 : 8;
}

static void *runs_with_sigint(void *arg)
{
	*(int *)arg = holt_run(finds_sigint_as_it_was, NULL);
	return NULL;
}

TEST(run_of_another_thread_leaves_sigint_alone)
{
	pthread_t thread;
	int r = 0;

	signal(SIGINT, SIG_DFL);
	ck_assert_int_eq(pthread_create(&thread, NULL, runs_with_sigint, &r), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(r, 7);
}

/* ---- a forked child */

static holt_group *forks_group;
static holt_task *forks_task;
static holt_loop *forks_loop;

static void fork_sleep(void)
{
	holt_sleep(1);
}

static void fork_yield(void)
{
	holt_yield();
}

static void fork_check(void)
{
	holt_check();
}

static void fork_spawn(void)
{
	holt_spawn(forks_group, give, NULL);
}

static void fork_open(void)
{
	holt_group *g = NULL;

	holt_group_open(&g);
}

static void fork_close(void)
{
	holt_group_close(forks_group, 0);
}

static void fork_wait(void)
{
	holt_task_wait(forks_task, NULL);
}

static void fork_gather(void)
{
	holt_gather(NULL, 0, HOLT_ALL);
}

static void fork_run(void)
{
	holt_run(give, NULL);
}

static void fork_loop_self(void)
{
	holt_loop_self();
}

static void fork_loop_run(void)
{
	holt_loop_run(forks_loop, give, NULL);
}

static void fork_scope(void)
{
	struct holt_scope s;

	holt_scope_begin(&s, HOLT_NEVER, 0);
}

static void fork_timeout(void)
{
	holt_timeout(1, give, NULL);
}

static void fork_local(void)
{
	static const struct holt_local l = { .name = "l" };

	holt_local_set(&l, &forks_group);
}

static void fork_ready(void)
{
	holt_ready();
}

static void fork_log(void)
{
	holt_log(LOG_INFO, "not reached");
}

static void fork_cancel(void)
{
	holt_task_cancel(forks_task, NULL);
}

static void fork_group_cancel(void)
{
	holt_group_cancel(forks_group, NULL);
}

static void fork_group_stop(void)
{
	holt_group_stop(forks_group, NULL);
}

static void fork_finally(void)
{
	holt_finally(forks_group, cleans_up, NULL);
}

static void (*const fork_calls[])(void) = { fork_cancel, fork_group_cancel, fork_group_stop, fork_finally, fork_sleep, fork_yield,
	fork_check, fork_spawn, fork_open, fork_close, fork_wait, fork_gather, fork_run, fork_loop_self, fork_loop_run,
	fork_scope, fork_timeout, fork_local, fork_ready, fork_log };

static int forks(void *arg)
{
	int status = 0;
	pid_t pid;

	forks_loop = holt_loop_self();
	forks_task = holt_self();
	ck_assert_int_eq(holt_group_open(&forks_group), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fork_calls[(intptr_t)arg]();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	holt_group_close(forks_group, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int run_forks(void *arg)
{
	return holt_run(forks, arg);
}

TEST_LOOP(call_in_a_forked_child_aborts_with_one_sentence, 0, HOLT__N(fork_calls))
{
	int status = harness_child(run_forks, NUMBER(_i));

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == SIGABRT, "call %d: %x", _i, (unsigned)status);
	ck_assert_ptr_nonnull(strstr(harness_output(), "forked child; only exec or _exit may follow a fork"));
}

/* ---- stack overflow */

static int __attribute__((noinline)) deeper(volatile char *above)
{
	volatile char here[512];

	here[0] = above ? above[0] : 1;
	here[511] = here[0];
	return here[0] ? deeper(here) + here[511] : 0;
}

static int overflows(void *arg)
{
	return deeper(arg);
}

static int holds_one_that_overflows(void *arg)
{
	holt_group *g = NULL;

	holt_group_open(&g, .name = "web");
	holt_spawn(g, overflows, arg, .name = "deep");
	return holt_group_close(g, 0);
}

static int run_overflow(void *arg)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	return holt_run(holds_one_that_overflows, arg);
}

TEST(stack_overflow_is_reported_by_the_name_of_the_task)
{
#if defined(HARNESS_ASAN) || defined(HARNESS_TSAN)
	SKIP("a sanitizer has its own handler for SIGSEGV, and it says other words");
#endif
	int status = harness_child(run_overflow, NULL);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	ck_assert_ptr_nonnull(
		strstr(harness_output(), "stack overflow in task web/deep (64 KiB): spawn it with a larger .stack_size"));
}

/* ---- no memory is needed on the way, and none is lost when there is none */

static int ping(void *arg)
{
	struct holt_event *e = arg;

	ck_assert_int_eq(holt_event_wait(e), 0);
	return holt_sleep(HOLT_MS);
}

static int uses_everything(struct holt_lock *l, holt_queue *q, holt_group *g)
{
	struct holt_event e = { .set = false };
	struct holt_sem sem = HOLT_SEM_INIT(1);
	struct holt_scope s;
	holt_task *t[3] = { NULL };
	int item = 3;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(holt_spawn(g, ping, &e, .task = &t[i], .name = "ping"), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_event_set(&e);
	ck_assert_int_eq(holt_wait(t, 3, HOLT_FIRST_COMPLETED, HOLT_SEC), 3);
	ck_assert_int_eq(holt_task_wait(t[0], NULL), 0);
	ck_assert_int_eq(holt_lock_acquire(l), 0);
	ck_assert_int_eq(holt_lock_release(l), 0);
	ck_assert_int_eq(holt_sem_acquire(&sem), 0);
	ck_assert_int_eq(holt_queue_put(q, &item), 0);
	ck_assert_int_eq(holt_queue_get(q, &item), 0);
	ck_assert_int_eq(holt_timeout(HOLT_MS, sleep_long, NULL), -ETIME);
	holt_scope_begin(&s, holt_in(HOLT_SEC), HOLT_SHIELD);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq(holt_check(), -ECANCELED);
	holt_scope_end(&s, 0);
	for (int i = 0; i < 3; i++)
		holt_task_unref(t[i]);
	ck_assert_int_eq(holt_spawn(g, sleep_long, NULL, .task = &t[0], .until_ready = false), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_task_cancel(t[0], NULL);
	ck_assert_int_eq(holt_group_wait(g), 0);
	holt_task_unref(t[0]);
	return 0;
}

static int without_memory(void *arg)
{
	struct holt_lock l = { .owner = NULL };
	holt_queue *q = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_queue_open(&q, sizeof(int), 8), 0);
	ck_assert_int_eq(holt_group_open(&g), 0);
	uses_everything(&l, q, g); /* stacks are warm from here on, and the queue has its slots */
	harness_fail_alloc(1);     /* the next one would be one too many */
	for (int i = 0; i < 10; i++)
		uses_everything(&l, q, g);
	ck_assert_uint_eq(harness_allocs(), 0);
	harness_fail_alloc(0);
	holt_queue_close(q);
	return holt_group_close(g, 0);
}

TEST(spawn_sleep_wait_lock_queue_timeout_and_cancel_need_no_memory)
{
	ck_assert_int_eq(run_clean(without_memory, NULL), 0);
}

/* What needs memory is tried with the n-th allocation failing, for each n until none fails any more. */
struct scarce {
	uint64_t n;
	int r, runs, owned;
};

static int counts_runs(void *arg)
{
	struct scarce *s = arg;

	s->runs++;
	return holt_yield();
}

static int needs_memory(void *arg)
{
	struct scarce *s = arg;
	struct holt_call calls[40];
	holt_task *t[20] = { NULL };
	holt_group *g = NULL;
	char name[] = "named";
	int r;

	r = holt_group_open(&g, .name = name, .kind = HOLT_EACH);
	if (r < 0) {
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_ptr_null(g);
		return r;
	}
	r = holt_finally(g, cleans_up, WORD("x"));
	if (r == 0)
		g->finally->fn = NULL, holt__free(g->finally), g->finally = NULL; /* only armed, and taken off */
	else
		ck_assert_int_eq(r, -ENOMEM);
	for (int i = 0; i < 20; i++) {
		int runs = s->runs,
		    e = holt_spawn(g, counts_runs, s, .name = name, .stack_size = i % 2 ? 128 * 1024 : 0, .task = &t[i]);

		if (e < 0) {
			ck_assert_int_eq(e, -ENOMEM);
			ck_assert_ptr_null(t[i]);
			ck_assert_int_eq(s->runs, runs); /* arg is still ours */
			r = e;
		} else {
			s->owned++;
		}
	}
	for (int i = 0; i < 20; i++)
		if (!t[i])
			t[i] = holt_task_ref(t[i ? i - 1 : 19]);
	if (!t[0])
		t[0] = holt_task_ref(t[19]);
	{
		int e = holt_wait(t, 20, HOLT_ALL_COMPLETED, HOLT_MIN);

		ck_assert(e == 20 || e == -ENOMEM);
		r = e < 0 ? e : r;
	}
	ck_assert_int_eq(holt_group_wait(g), 0);
	for (int i = 0; i < 20; i++)
		holt_task_unref(t[i]);
	for (int i = 0; i < 40; i++)
		calls[i] = (struct holt_call){ .fn = counts_runs, .arg = s };
	{
		int before = s->runs, e, ran = 0;

		e = holt_gather(calls, 40, HOLT_EACH);
		ck_assert(e == 0 || e == -ENOMEM);
		for (int i = 0; i < 40; i++)
			ran += calls[i].result != -ENOMEM;
		ck_assert_int_eq(s->runs - before, ran);
		s->owned += ran;
		r = e < 0 ? e : r;
	}
	holt_group_cancel(g, "a reason that is copied, if there is memory for it");
	holt_group_close(g, 0);
	return r;
}

TEST(without_memory_there_is_an_error_and_nothing_leaks_or_runs)
{
	uint64_t n = 0;
	size_t live = harness_live();
	bool reached;

	do {
		struct scarce s = { .n = ++n };
		int r;

		harness_fail_alloc(n);
		r = harness_run(needs_memory, &s, .name = "web");
		reached = harness_alloc_failed();
		harness_fail_alloc(0);
		ck_assert_int_eq(s.runs, s.owned);
		ck_assert_msg(r == 0 || (r == -ENOMEM && reached), "allocation %d: %d", (int)n, r);
		ck_assert_msg(harness_live() == live, "allocation %d: %d are left", (int)n, (int)(harness_live() - live));
		ck_assert_uint_lt(n, 200);
	} while (reached);
	ck_assert_uint_gt(n, 10);
}

static void *map_nothing(size_t size)
{
	(void)size;
	return NULL;
}

static int no_guard(void *p, size_t size)
{
	(void)p;
	(void)size;
	return -ENOMEM;
}

static int spawns_without_stacks(void *arg)
{
	holt_group *g = NULL;
	holt_task *t = (holt_task *)1;

	ck_assert_int_eq(holt_group_open(&g, .limit = 1), 0);
	harness_sys.map = arg ? harness_sys.map : map_nothing;
	harness_sys.guard = arg ? no_guard : harness_sys.guard;
	ck_assert_int_eq(holt_spawn(g, give, NULL, .stack_size = 1 << 20, .task = &t), -ENOMEM);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(holt_group_count(g), 0);
	harness_sys.map = holt__sys_linux.map;
	harness_sys.guard = holt__sys_linux.guard;
	ck_assert_int_eq(holt_spawn(g, give, NULL, .stack_size = 1 << 20), 0);
	return holt_group_close(g, 0);
}

TEST_LOOP(without_a_stack_there_is_an_error_and_the_place_is_free_again, 0, 2)
{
	ck_assert_int_eq(run_clean(spawns_without_stacks, NUMBER(_i)), 0);
}

/* ---- cancellation at each point of a busy life */

struct busy {
	struct holt_lock lock;
	struct holt_sem sem;
	holt_queue *q;
	int begun, ended;
};

static int produces(void *arg)
{
	struct busy *b = arg;
	int r = 0;

	b->begun++;
	for (int i = 0; i < 8 && r == 0; i++) {
		r = holt_sleep(30 * HOLT_MS);
		if (r == 0)
			r = holt_queue_put(b->q, &i);
	}
	b->ended++;
	return r;
}

static int consumes(void *arg)
{
	struct busy *b = arg;
	int item, r;

	b->begun++;
	do {
		r = holt_queue_get(b->q, &item);
		if (r == 0)
			r = holt_lock_acquire(&b->lock);
		if (r == 0) {
			r = holt_sleep(70 * HOLT_MS);
			ck_assert_int_eq(holt_lock_release(&b->lock), 0);
		}
	} while (r == 0 && item < 7);
	b->ended++;
	return r;
}

static int slow_start(void *arg)
{
	struct busy *b = arg;
	int r;

	b->begun++;
	r = holt_sleep(50 * HOLT_MS);
	if (r == 0)
		r = holt_ready();
	if (r == 0)
		r = holt_sleep(90 * HOLT_MS);
	b->ended++;
	return r;
}

static int shut(void *arg, int result)
{
	struct busy *b = arg;

	(void)result;
	b->ended++;
	return holt_sleep(20 * HOLT_MS);
}

static int lives(void *arg)
{
	struct busy *b = arg;
	struct holt_call calls[3] = { { .fn = slow_start, .arg = b }, { .fn = slow_start, .arg = b }, { .fn = sleep_a_second } };
	holt_group *g = NULL, *inner = NULL;
	holt_task *t = NULL;
	int r;

	ck_assert_int_eq(holt_group_open(&g, .name = "busy", .limit = 3, .cleanup = HOLT_SEC), 0);
	ck_assert_int_eq(holt_finally(g, shut, b), 0);
	b->begun++;
	r = holt_spawn(g, consumes, b);
	if (r == 0)
		r = holt_spawn(g, produces, b);
	if (r == 0)
		r = holt_spawn(g, slow_start, b, .until_ready = true, .task = &t);
	holt_task_unref(t);
	if (r == 0)
		r = holt_spawn(g, slow_start, b); /* waits for room */
	if (r == 0)
		r = holt_gather(calls, 3, HOLT_ANY);
	if (r >= 0) {
		ck_assert_int_eq(holt_group_open(&inner, .deadline = holt_in(40 * HOLT_MS), .keep = true, .kind = HOLT_EACH), 0);
		ck_assert_int_eq(holt_finally(inner, shut, b), 0);
		b->begun++;
		ck_assert_int_eq(holt_spawn(inner, slow_start, b), 0);
		r = holt_group_next(inner, &t);
		if (r == 0)
			holt_task_unref(t);
		r = holt_group_close(inner, r);
		if (r == -ETIME)
			r = 0;
	}
	if (r >= 0)
		r = holt_timeout(30 * HOLT_MS, sleep_long, NULL) == -ETIME ? holt_check() : -ECANCELED;
	return holt_group_close(g, r);
}

struct kill {
	holt_time at;
	int how;
	holt_task *t;
	holt_group *g;
	struct busy *b;
};

static int ends_a_life(void *arg)
{
	struct kill *k = arg;

	holt_sleep_until(HARNESS_EPOCH + k->at);
	if (k->how == 0)
		holt_task_cancel(k->t, "now");
	else if (k->how == 1)
		holt_group_cancel(k->g, "now");
	else
		holt_group_stop(k->g, "now");
	return 0;
}

static int live_and_be_killed(void *arg)
{
	struct kill *k = arg;
	holt_group *killers = NULL;
	int r;

	ck_assert_int_eq(holt_queue_open(&k->b->q, sizeof(int), 2), 0);
	ck_assert_int_eq(holt_group_open(&killers), 0);
	ck_assert_int_eq(holt_group_open(&k->g), 0);
	ck_assert_int_eq(holt_spawn(k->g, lives, k->b, .task = &k->t), 0);
	ck_assert_int_eq(holt_spawn(killers, ends_a_life, k), 0);
	ck_assert_int_eq(holt_group_close(k->g, 0), 0);
	k->g = NULL;
	r = holt_task_result(k->t);
	ck_assert_int_eq(holt_check(), 0);
	ck_assert_int_eq(holt_group_close(killers, 0), 0);
	holt_task_unref(k->t);
	ck_assert(!holt_lock_locked(&k->b->lock));
	holt_queue_close(k->b->q);
	return r;
}

TEST_LOOP(cancellation_at_any_moment_ends_all_that_had_begun, 0, 3)
{
	bool sometimes[2] = { false, false };

	for (holt_time at = 0; at < 900 * HOLT_MS; at += 5 * HOLT_MS) {
		struct busy b = { .begun = 0 };
		holt_time begin = harness_time();
		struct kill k = { .at = begin + at, .how = _i, .b = &b };
		int r = harness_run(live_and_be_killed, &k);

		ck_assert_int_eq(b.begun, b.ended);
		ck_assert_msg(r >= 0 || r == -ECANCELED, "%d", r);
		sometimes[r < 0] = true;
	}
	ck_assert(sometimes[0] && sometimes[1]);
	ck_assert_str_eq(harness_log(), "");
}
