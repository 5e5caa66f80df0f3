/* SPDX-License-Identifier: MIT */
/*
 * The life of a process behind its start: waiting, signals, the stop, the end. (What a child gets, and starts
 * that fail, are in test_spawn.c.)
 */
#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "process.h"

/* ---- exits */

CLAIM_OF(an_exit_status_is_told)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 7")));
	struct holt_exit e = exit_of(p);

	ck_assert(!e.signaled && !e.core);
	ck_assert_int_eq(e.code, 7);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_deadly_signal_is_told)
{
	holt_process *p = started(OPTIONS(.argv = SH("kill -USR1 $$")));
	struct holt_exit e = exit_of(p);

	ck_assert(e.signaled);
	ck_assert_int_eq(e.code, SIGUSR1);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(usage_is_told)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 0")));
	struct holt_exit e = exit_of(p);

	ck_assert_int_gt(e.usage.ru_maxrss, 100);
	ck_assert_int_gt(e.usage.ru_minflt, 10);
	ck_assert_int_ge(e.usage.ru_utime.tv_sec, 0);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(an_exit_is_remembered_and_asking_again_does_not_wait)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 3")));

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(exit_of(p).code, 3);
	ck_assert_int_eq(holt_process_wait(p, NULL), 0);
	ck_assert_int_eq(holt_process_kill(p, 0), -ESRCH);
	ck_assert_uint_eq(watched_by_epoll(), 2); /* the loop's own two */
	holt_process_close(p);
	return 0;
}

CLAIM_OF(an_exit_that_somebody_else_took_is_echild)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 3")));

	ck_assert_int_eq(waitpid(holt_process_pid(p), NULL, 0), holt_process_pid(p));
	ck_assert_int_eq(holt_process_wait(p, NULL), -ECHILD);
	ck_assert_int_eq(holt_process_wait(p, NULL), -ECHILD);
	ck_assert_int_eq(holt_process_kill(p, SIGKILL), -ESRCH);
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_SEC, NULL), -ECHILD);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_child_that_the_kernel_reaps_is_echild)
{
	holt_process *p;

	signal(SIGCHLD, SIG_IGN);
	p = started(OPTIONS(.argv = SH("exit 3")));
	ck_assert_int_eq(holt_process_wait(p, NULL), -ECHILD);
	signal(SIGCHLD, SIG_DFL);
	holt_process_close(p);
	return 0;
}

/* ---- waiting */

struct waiting {
	holt_process *p;
	struct holt_exit exit;
	int result;
	bool done;
	holt_task *task;
};

static int wait_task(void *arg)
{
	struct waiting *w = arg;

	w->result = holt_process_wait(w->p, &w->exit);
	w->done = true;
	return 0;
}

static int wait_for_it(void *process)
{
	return holt_process_wait(process, NULL);
}

static void start_waiting(holt_group *g, struct waiting *w, holt_process *p)
{
	w->p = p;
	ck_assert_int_eq(holt_spawn(g, wait_task, w, .task = &w->task), 0);
	holt_yield();
	ck_assert(!w->done);
}

CLAIM_OF(several_wait_and_each_is_told)
{
	holt_process *p = ready_child(":", false);
	struct waiting w[3] = { 0 };

	with_group(g)
	{
		for (int i = 0; i < 3; i++)
			start_waiting(g, &w[i], p);
		ck_assert_int_eq(holt_process_kill(p, SIGKILL), 0);
	}
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(w[i].result, 0);
		ck_assert(w[i].exit.signaled);
		ck_assert_int_eq(w[i].exit.code, SIGKILL);
		holt_task_unref(w[i].task);
	}
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_canceled_waiter_does_nothing_to_the_process_nor_to_others)
{
	holt_process *p = ready_child(":", false);
	struct waiting w[2] = { 0 };
	size_t before = watched_by_epoll();

	with_group(g)
	{
		start_waiting(g, &w[0], p);
		start_waiting(g, &w[1], p);
		ck_assert_uint_eq(watched_by_epoll(), before + 1);
		holt_task_cancel(w[0].task, NULL);
		holt_yield();
		ck_assert_int_eq(w[0].result, -ECANCELED);
		ck_assert(!w[1].done);
		ck_assert_int_eq(holt_process_kill(p, 0), 0);
		ck_assert_uint_eq(watched_by_epoll(), before + 1);
		holt_task_cancel(w[1].task, NULL);
		holt_yield();
		ck_assert_uint_eq(watched_by_epoll(), before); /* nobody waits: nothing is left there */
	}
	holt_task_unref(w[0].task);
	holt_task_unref(w[1].task);
	ck_assert_int_eq(holt_process_stop(p, SIGKILL, HOLT_NEVER, NULL), 0);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(an_exit_that_came_before_the_cancellation_is_told)
{
	holt_process *p = ready_child(":", false);
	struct waiting w = { 0 };

	with_group(g)
	{
		start_waiting(g, &w, p);
		holt_process_kill(p, SIGKILL);
		arrived(holt_process_fd(p, HOLT_PROCESS_PIDFD), POLLIN);
		ck_assert_int_eq(holt_process_kill(p, 0), -ESRCH); /* it has found the exit, and woken who waits */
		holt_task_cancel(w.task, NULL);
	}
	ck_assert_int_eq(w.result, 0);
	ck_assert_int_eq(w.exit.code, SIGKILL);
	holt_task_unref(w.task);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_canceled_task_waits_for_nothing_and_starts_nothing)
{
	holt_process *p = ready_child(":", false), *q = NULL;
	const char *failed = NULL;
	struct holt_scope s;

	holt_process_kill(p, SIGKILL);
	arrived(holt_process_fd(p, HOLT_PROCESS_PIDFD), POLLIN);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, NULL);
	ck_assert_int_eq(holt_process_wait(p, NULL), -ECANCELED);
	ck_assert_int_eq(holt_process_start(&q, OPTIONS(.argv = SH("exit 0"), .failed = &failed)), -ECANCELED);
	ck_assert_ptr_null(q);
	ck_assert_str_eq(failed, "process");
	holt_scope_end(&s, 0);
	ck_assert_int_eq(exit_of(p).code, SIGKILL);
	holt_process_close(p);
	return 0;
}

TEST(outside_tasks_nothing_is_started_waited_for_or_stopped)
{
	holt_process *p = NULL;
	const char *failed = NULL;

	ck_assert_int_eq(holt_process_start(&p, OPTIONS(.argv = SH("exit 0"), .failed = &failed)), -EPERM);
	ck_assert_str_eq(failed, "process");
	ck_assert_ptr_null(p);
	ck_assert_int_eq(holt_process_wait(NULL, NULL), -EPERM);
	ck_assert_int_eq(holt_process_stop(NULL, SIGTERM, 0, NULL), -EPERM);
	ck_assert_int_eq(holt_process_kill(NULL, SIGTERM), -EINVAL);
}

CLAIM_OF(nothing_is_no_process)
{
	ck_assert_int_eq(holt_process_wait(NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_process_stop(NULL, SIGTERM, 0, NULL), -EINVAL);
	ck_assert_int_eq(holt_process_fd(NULL, 0), -EINVAL);
	ck_assert_int_eq(holt_process_take_fd(NULL, 0), -EINVAL);
	ck_assert_ptr_null(holt_process_close(NULL));
	return 0;
}

static int no_more_watches(int epfd, int op, int fd, struct epoll_event *e)
{
	return op == EPOLL_CTL_ADD ? -ENOSPC : holt__sys_linux.epoll_ctl(epfd, op, fd, e);
}

CLAIM_OF(a_wait_that_epoll_refuses_says_so_and_the_process_goes_on)
{
	holt_process *p = ready_child(":", false);

	harness_sys.epoll_ctl = no_more_watches;
	ck_assert_int_eq(holt_process_wait(p, NULL), -ENOSPC);
	harness_sys.epoll_ctl = holt__sys_linux.epoll_ctl;
	ck_assert_int_eq(holt_process_kill(p, SIGKILL), 0);
	ck_assert_int_eq(exit_of(p).code, SIGKILL);
	holt_process_close(p);
	return 0;
}

/*
 * Before Linux 5.4 waitid knows no pidfd. And a debugger makes one readable before its exit can be had: epoll must tell
 * again, and may not turn and turn till then.
 */
static int pidfd_calls, not_yet;

static int waitid_without_pidfd(int type, id_t id, siginfo_t *si, int options, struct rusage *u)
{
	if (type == 3) {
		pidfd_calls++;
		return -EINVAL;
	}
	return holt__sys_linux.waitid(type, id, si, options, u);
}

CLAIM_OF(an_older_kernel_is_asked_by_number)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 4")));

	harness_sys.waitid = waitid_without_pidfd;
	ck_assert_int_eq(exit_of(p).code, 4);
	ck_assert_int_gt(pidfd_calls, 0);
	holt_process_close(p);
	return 0;
}

static int waitid_of_a_traced_child(int type, id_t id, siginfo_t *si, int options, struct rusage *u)
{
	if (not_yet > 0) {
		not_yet--;
		return 0;
	}
	return holt__sys_linux.waitid(type, id, si, options, u);
}

CLAIM_OF(a_pidfd_that_is_ready_too_early_does_not_spin)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 4")));
	struct waiting w = { 0 };

	arrived(holt_process_fd(p, HOLT_PROCESS_PIDFD), POLLIN);
	harness_sys.waitid = waitid_of_a_traced_child;
	not_yet = 1000;
	with_group(g)
	{
		start_waiting(g, &w, p);
		holt_sleep(5 * HOLT_MS);
		ck_assert_int_ge(not_yet, 990);
		not_yet = 0;
		ck_assert_int_eq(holt_process_kill(p, 0), -ESRCH);
	}
	ck_assert_int_eq(w.exit.code, 4);
	holt_task_unref(w.task);
	holt_process_close(p);
	return 0;
}

/* ---- the pidfd */

/*
 * An exec'ing child holds a copy of every descriptor until its exec. epoll keeps a closed one as long as a copy lives, and goes on
 * telling of it; and its number is soon another process's. Here the copy lives on.
 */
CLAIM_OF(a_closed_pidfd_of_which_a_copy_lives_is_not_told_of)
{
	size_t before = watched_by_epoll();

	for (int i = 0; i < 3; i++) {
		holt_process *p = ready_child(":", false), *q;
		struct waiting w = { 0 };
		int pidfd = holt_process_fd(p, HOLT_PROCESS_PIDFD), copy = fcntl(pidfd, F_DUPFD_CLOEXEC, 100);

		with_group(g)
		{
			start_waiting(g, &w, p);
			if (i == 0)
				holt_process_kill(p, SIGKILL); /* told by an event */
			if (i == 1)
				ck_assert_int_eq(holt_process_stop(p, SIGKILL, HOLT_NEVER, NULL), 0);
			if (i == 2)
				p = holt_process_close(p); /* while somebody waits */
		}
		holt_task_unref(w.task);
		holt_process_close(p);
		ck_assert_int_eq(w.result, 0);
		ck_assert_uint_eq(watched_by_epoll(), before);

		q = ready_child(":", false);
		ck_assert_int_eq(holt_process_fd(q, HOLT_PROCESS_PIDFD), pidfd); /* the same number */
		ck_assert_int_eq(holt_timeout(HOLT_MS, wait_for_it, q), -ETIME);
		ck_assert_int_eq(holt_process_kill(q, 0), 0);
		holt_process_close(q);
		close(copy);
	}
	return 0;
}

CLAIM_OF(a_program_watches_thousands_in_an_epoll_of_its_own)
{
	enum { N = 100 };
	holt_process *p[N];
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	size_t left = N;

	for (int i = 0; i < N; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)i };

		p[i] = started(OPTIONS(.argv = SH("exit 5")));
		ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, holt_process_fd(p[i], HOLT_PROCESS_PIDFD), &e), 0);
	}
	while (left > 0) {
		struct epoll_event e;

		ck_assert_int_ge(holt_wait_fd(epfd, EPOLLIN), 0);
		while (epoll_wait(epfd, &e, 1, 0) == 1) {
			int i = (int)e.data.u32;

			ck_assert_int_eq(exit_of(p[i]).code, 5);
			epoll_ctl(epfd, EPOLL_CTL_DEL, holt_process_fd(p[i], HOLT_PROCESS_PIDFD), NULL);
			p[i] = holt_process_close(p[i]);
			left--;
		}
	}
	holt_close(epfd);
	return 0;
}

CLAIM_OF(a_living_process_costs_less_than_200_bytes_and_one_descriptor)
{
	size_t fds = harness_fds(), live;
	holt_process *p = started(OPTIONS(.argv = ARGS("sleep", "1000")));

	holt_process_close(p);
	fds = harness_fds();
	live = harness_live();
	p = started(OPTIONS(.argv = ARGS("sleep", "1000")));
	ck_assert_uint_eq(harness_fds(), fds + 1);
	ck_assert_uint_eq(harness_live(), live + 1);
#ifndef HARNESS_ASAN
	ck_assert_uint_lt(malloc_usable_size(p) + sizeof(size_t), 200);
#endif
	holt_process_close(p);
	return 0;
}

/* ---- its pipes */

enum { MUCH = 1 << 20 };

static int feed_and_end(void *arg)
{
	int in = *(int *)arg;
	char *text = malloc(MUCH);
	ssize_t n;

	for (size_t i = 0; i < MUCH; i++)
		text[i] = (char)(i % 251);
	n = holt_write_full(in, text, MUCH);
	free(text);
	holt_close(in);
	return n == MUCH ? 0 : -EIO;
}

CLAIM_OF(a_child_is_fed_by_one_task_and_read_by_another_however_much_it_is)
{
	holt_process *p = started(OPTIONS(.argv = ARGS("cat"), PIPE(0), PIPE(1)));
	int in = holt_process_take_fd(p, 0);
	char *text = malloc(MUCH + 1);

	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, feed_and_end, &in), 0);
		ck_assert_int_eq(holt_read_full(holt_process_fd(p, 1), text, MUCH + 1), MUCH);
	}
	for (size_t i = 0; i < MUCH; i++)
		ck_assert_int_eq(text[i], (char)(i % 251));
	free(text);
	ck_assert_int_eq(exit_of(p).code, 0);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(an_input_that_ends_at_once_is_an_empty_one)
{
	holt_process *p = started(OPTIONS(.argv = SH("cat; echo end"), PIPE(0), PIPE(1)));
	char text[32];

	holt_close(holt_process_take_fd(p, 0));
	read_all(holt_process_fd(p, 1), text, sizeof text);
	ck_assert_str_eq(text, "end\n");
	ck_assert_int_eq(exit_of(p).code, 0);
	holt_process_close(p);
	return 0;
}

/* A service ignores SIGPIPE; so does this one. */
CLAIM_OF_WAYS(who_feeds_a_child_that_has_ended_is_told_epipe_before_or_meanwhile, 2)
{
	holt_process *p;
	char *text = calloc(1, MUCH);

	signal(SIGPIPE, SIG_IGN);
	p = started(OPTIONS(.argv = way ? SH("read x") : ARGS("true"), PIPE(0)));
	if (way == 0)
		ck_assert_int_eq(exit_of(p).code, 0);
	text[0] = '\n'; /* it reads so far; the rest fills the pipe, and waits */
	ck_assert_int_eq(holt_write_full(holt_process_fd(p, 0), text, MUCH), -EPIPE);
	ck_assert_int_eq(holt_write(holt_process_fd(p, 0), text, 1), -EPIPE);
	ck_assert_int_eq(exit_of(p).code, 0);
	free(text);
	holt_process_close(p);
	return 0;
}

struct saying {
	int n;
	bool right;
};

static int hear_it(void *arg)
{
	struct saying *s = arg;
	char word[16], text[32];
	holt_process *p;

	snprintf(word, sizeof word, "word %d", s->n);
	p = started(OPTIONS(.argv = ARGS("echo", word), PIPE(1)));
	read_all(holt_process_fd(p, 1), text, sizeof text);
	s->right = exit_of(p).code == 0 && strncmp(text, word, strlen(word)) == 0 && text[strlen(word)] == '\n';
	holt_process_close(p);
	return 0;
}

CLAIM_OF(each_of_many_tasks_hears_its_own_child)
{
	struct saying sayings[10];

	with_group(g)
	{
		for (int i = 0; i < 10; i++) {
			sayings[i] = (struct saying){ .n = i };
			ck_assert_int_eq(holt_spawn(g, hear_it, &sayings[i]), 0);
		}
	}
	for (int i = 0; i < 10; i++)
		ck_assert(sayings[i].right);
	return 0;
}

/* ---- signals */

CLAIM_OF(kill_reaches_the_process_and_not_its_group)
{
	holt_process *p = started(OPTIONS(.argv = SH("sleep 1000 & echo $!; wait"), PIPE(1)));
	char text[32] = "";
	pid_t other;

	ck_assert_int_gt(holt_read(holt_process_fd(p, 1), text, sizeof text - 1), 0);
	other = (pid_t)atoi(text);
	ck_assert_int_gt(other, 0);
	ck_assert_int_eq(holt_process_kill(p, SIGKILL), 0);
	ck_assert_int_eq(exit_of(p).code, SIGKILL);
	ck_assert_int_eq(kill(other, SIGKILL), 0); /* it lived */
	holt_process_close(p);
	return 0;
}

CLAIM_OF(kill_of_one_that_has_ended_is_esrch_waited_for_or_not)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 1")));

	arrived(holt_process_fd(p, HOLT_PROCESS_PIDFD), POLLIN);
	ck_assert_int_eq(holt_process_kill(p, SIGTERM), -ESRCH);
	ck_assert_int_eq(exit_of(p).code, 1);
	ck_assert_int_eq(holt_process_kill(p, SIGTERM), -ESRCH);
	holt_process_close(p);
	return 0;
}

static int no_pidfd_signals(int pidfd, int sig, unsigned flags)
{
	(void)pidfd;
	(void)sig;
	(void)flags;
	return -ENOSYS;
}

CLAIM_OF(without_pidfd_send_signal_the_number_serves)
{
	holt_process *p = ready_child("trap '' TERM", false);

	harness_sys.pidfd_send_signal = no_pidfd_signals;
	ck_assert_int_eq(holt_process_kill(p, 0), 0);
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, 5 * HOLT_MS, NULL), 0);
	ck_assert_int_eq(exit_of(p).code, SIGKILL);
	holt_process_close(p);
	return 0;
}

/* ---- the stop */

CLAIM_OF(a_stop_lets_it_end_in_its_own_way)
{
	holt_process *p = ready_child("trap 'exit 9' TERM", false);
	struct holt_exit e;

	ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_NEVER, &e), 0);
	ck_assert(!e.signaled);
	ck_assert_int_eq(e.code, 9);
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_NEVER, &e), 0); /* as good as before */
	ck_assert_int_eq(e.code, 9);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_stop_of_one_that_does_not_listen_kills_after_the_grace)
{
	holt_process *p = ready_child("trap '' TERM", false);
	struct holt_exit e;

	ck_assert_int_eq(holt_process_stop(p, SIGTERM, 5 * HOLT_MS, &e), 0);
	ck_assert(e.signaled);
	ck_assert_int_eq(e.code, SIGKILL);
	holt_process_close(p);
	return 0;
}

CLAIM_OF_WAYS(without_a_grace_a_stop_kills_at_once, 2)
{
	holt_process *p = ready_child("trap 'exit 9' TERM", false);
	struct holt_exit e;

	ck_assert_int_eq(holt_process_stop(p, SIGTERM, way ? HOLT_NOW : 0, &e), 0);
	ck_assert_int_eq(e.code, SIGKILL);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_stopped_process_hears_a_stop)
{
	holt_process *p = ready_child("trap 'exit 9' TERM", false);
	siginfo_t si;

	holt_process_kill(p, SIGSTOP);
	ck_assert_int_eq(waitid(P_PID, (id_t)holt_process_pid(p), &si, WSTOPPED), 0);
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_NEVER, NULL), 0);
	ck_assert_int_eq(exit_of(p).code, 9);
	holt_process_close(p);
	return 0;
}

/* Ends when all who hold the child's stdout have ended. */
static int read_to_the_end(void *arg)
{
	char buf[256];
	ssize_t n;

	do
		n = holt_read(*(int *)arg, buf, sizeof buf);
	while (n > 0);
	return (int)n;
}

/* 0: the signal reaches the whole group; 1: SIGKILL does; 2: by way of kill(2). */
CLAIM_OF_WAYS(a_stop_is_for_the_whole_group, 3)
{
	const char *script = way == 0 ? "sh -c 'sleep 1000' & :" : "trap '' TERM; sh -c 'while :; do sleep 1000; done' & :";
	holt_process *p = ready_child(script, false);
	int fd = holt_process_fd(p, 1);

	if (way == 2)
		harness_sys.pidfd_send_signal = no_pidfd_signals;
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, way == 0 ? HOLT_NEVER : 5 * HOLT_MS, NULL), 0);
	ck_assert_int_eq(exit_of(p).code, way == 0 ? SIGTERM : SIGKILL);
	ck_assert_int_eq(read_to_the_end(&fd), 0);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_stop_of_one_in_our_group_is_for_it_alone) /* else it would end us */
{
	holt_process *p = ready_child("trap 'exit 9' USR1", true), *q = ready_child(":", true);

	ck_assert_int_eq(holt_process_stop(p, SIGUSR1, HOLT_NEVER, NULL), 0);
	ck_assert_int_eq(exit_of(p).code, 9);
	ck_assert_int_eq(holt_process_kill(q, 0), 0);
	holt_process_stop(q, SIGTERM, HOLT_NEVER, NULL);
	holt_process_close(p);
	holt_process_close(q);
	return 0;
}

static char sent[256];

static int note_signal(int pidfd, int sig, unsigned flags)
{
	sprintf(sent + strlen(sent), "%s %s, ", flags ? "group" : "process", sigabbrev_np(sig));
	return holt__sys_linux.pidfd_send_signal(pidfd, sig, flags);
}

static int note_number(pid_t pid, int sig)
{
	sprintf(sent + strlen(sent), "%s %s, ", pid < 0 ? "-pid" : "pid", sigabbrev_np(sig));
	return holt__sys_linux.kill(pid, sig);
}

CLAIM_OF_WAYS(nobody_gets_the_signal_of_a_stop_twice, 3)
{
	static const char *const expected[] = { "group TERM, group CONT, ", "process TERM, process CONT, ",
		"-pid TERM, -pid CONT, " };
	holt_process *p = ready_child(":", way == 1);

	harness_sys.pidfd_send_signal = way == 2 ? no_pidfd_signals : note_signal;
	harness_sys.kill = note_number;
	ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_NEVER, NULL), 0);
	ck_assert_str_eq(sent, expected[way]);
	holt_process_close(p);
	return 0;
}

/* One that has left its group is told by itself, and who is left there, too. */
static pid_t not_its_group(pid_t pid)
{
	(void)pid;
	return getpgrp();
}

CLAIM_OF(one_that_has_left_its_group_gets_the_signal_by_itself)
{
	holt_process *p = ready_child(":", false);

	harness_sys.pidfd_send_signal = note_signal;
	harness_sys.getpgid = not_its_group;
	ck_assert_int_eq(holt_process_stop(p, SIGKILL, 0, NULL), 0);
	ck_assert_str_eq(sent, "group KILL, process KILL, ");
	holt_process_close(p);
	return 0;
}

struct stopping {
	holt_process *p;
	struct holt_exit exit;
	int result;
};

static int stop_task(void *arg)
{
	struct stopping *s = arg;

	s->result = holt_process_stop(s->p, SIGTERM, HOLT_NEVER, &s->exit);
	return 0;
}

CLAIM_OF(a_canceled_task_still_stops_its_process)
{
	struct stopping s = { .p = ready_child("trap 'exit 9' TERM", false) };
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, stop_task, &s), 0);
	ck_assert_int_eq(holt_group_close(g, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(s.result, 0);
	ck_assert_int_eq(s.exit.code, 9);
	holt_process_close(s.p);
	return 0;
}

CLAIM_OF(a_cleanup_that_runs_out_kills)
{
	struct stopping s = { .p = ready_child("trap '' TERM", false) };
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g, .cleanup = 400 * HOLT_MS), 0);
	ck_assert_int_eq(holt_spawn(g, stop_task, &s), 0);
	ck_assert_int_eq(holt_group_close(g, -ECANCELED), -ECANCELED);
	ck_assert_int_eq(s.result, 0);
	ck_assert(s.exit.signaled);
	ck_assert_int_eq(s.exit.code, SIGKILL);
	holt_process_close(s.p);
	return 0;
}

CLAIM_OF(who_waits_is_told_of_a_stop_by_another)
{
	holt_process *p = ready_child(":", false);
	struct waiting w = { 0 };

	with_group(g)
	{
		start_waiting(g, &w, p);
		ck_assert_int_eq(holt_process_stop(p, SIGTERM, HOLT_NEVER, NULL), 0);
	}
	ck_assert_int_eq(w.exit.code, SIGTERM);
	holt_task_unref(w.task);
	holt_process_close(p);
	return 0;
}

CLAIM_OF(a_stop_by_what_is_no_signal_does_nothing)
{
	holt_process *p = ready_child(":", false);

	ck_assert_int_eq(holt_process_stop(p, -1, HOLT_NEVER, NULL), -EINVAL);
	ck_assert_int_eq(holt_process_stop(p, 4711, HOLT_NEVER, NULL), -EINVAL);
	ck_assert_int_eq(holt_process_kill(p, 0), 0);
	holt_process_close(p);
	return 0;
}

/* The kernel holds it, in a disk's wait: no signal helps, and the (virtual) time passes. */
static int lost_signals;

static int lose_signal(int pidfd, int sig, unsigned flags)
{
	(void)pidfd;
	(void)flags;
	lost_signals += sig == SIGKILL;
	return 0;
}

static int stop_in_vain(void *arg)
{
	holt_process **p = arg;

	*p = started(OPTIONS(.argv = ARGS("sleep", "1000")));
	harness_sys.pidfd_send_signal = lose_signal;
	ck_assert_int_eq(holt_process_stop(*p, SIGTERM, HOLT_MIN, NULL), -ETIMEDOUT);
	ck_assert_uint_ge(harness_time(), HOLT_MIN + 5 * HOLT_SEC);
	ck_assert_int_ge(lost_signals, 1); /* twice, where it was caught before its own group existed */
	harness_sys.pidfd_send_signal = holt__sys_linux.pidfd_send_signal;
	return 0;
}

TEST(one_that_not_even_sigkill_ends_is_etimedout)
{
	holt_process *p;

	ck_assert_int_eq(holt_run(stop_in_vain, &p), 0); /* it outlives the loop */
	holt_process_close(p);
	no_child_left();
}

static int forbid_signal(int pidfd, int sig, unsigned flags)
{
	(void)pidfd;
	(void)sig;
	(void)flags;
	return -EPERM;
}

static int stop_what_is_not_ours(void *arg)
{
	holt_process **p = arg;

	*p = started(OPTIONS(.argv = ARGS("sleep", "1000")));
	harness_sys.pidfd_send_signal = forbid_signal;
	ck_assert_int_eq(holt_process_kill(*p, SIGTERM), -EPERM);
	ck_assert_int_eq(holt_process_stop(*p, SIGTERM, HOLT_MIN, NULL), -EPERM);
	harness_sys.pidfd_send_signal = holt__sys_linux.pidfd_send_signal;
	return 0;
}

TEST(one_of_other_privileges_is_eperm)
{
	holt_process *p;

	ck_assert_int_eq(holt_run(stop_what_is_not_ours, &p), 0);
	holt_process_close(p);
	no_child_left();
}

/* ---- the end */

CLAIM_OF(close_ends_what_lives_and_keeps_errno)
{
	holt_process *p = ready_child("trap '' HUP", false);

	errno = 4711;
	ck_assert_ptr_null(holt_process_close(p));
	ck_assert_int_eq(errno, 4711);
	no_child_left();
	{
		holt_auto(process) q = ready_child(":", false);

		(void)q;
	}
	no_child_left();
	return 0;
}

CLAIM_OF(close_sends_no_signal_to_one_that_has_ended_though_nobody_has_waited_for_it)
{
	holt_process *p = started(OPTIONS(.argv = SH("exit 1")));

	arrived(holt_process_fd(p, HOLT_PROCESS_PIDFD), POLLIN);
	harness_sys.pidfd_send_signal = note_signal;
	harness_sys.kill = note_number;
	holt_process_close(p);
	ck_assert_str_eq(sent, "");
	return 0;
}

static int leave_one(void *arg)
{
	*(holt_process **)arg = ready_child("trap '' TERM", false);
	return 0;
}

TEST(outside_tasks_close_kills_at_once)
{
	holt_process *p;

	harness_real_clock();
	ck_assert_int_eq(holt_run(leave_one, &p), 0);
	holt_process_close(p);
	no_child_left();
}

CLAIM_OF(a_child_that_writes_to_nobody_is_not_held_up_by_that)
{
	holt_process *p = started(OPTIONS(.argv = SH("trap 'echo bye; exit' TERM; while :; do echo yes; done"), PIPE(1)));

	holt_process_close(p); /* the pipe is full, or will be; its reader goes first */
	return 0;
}

static int reader(void *arg)
{
	char c;

	return (int)holt_read(*(int *)arg, &c, 1) == -EBADF ? 0 : -EIO;
}

CLAIM_OF(who_reads_from_a_process_that_is_closed_is_told)
{
	holt_process *p = started(OPTIONS(.argv = ARGS("sleep", "1000"), PIPE(1)));
	int fd = holt_process_fd(p, 1);
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, reader, &fd), 0);
	holt_yield();
	holt_process_close(p);
	ck_assert_int_eq(holt_group_close(g, 0), 0);
	return 0;
}

CLAIM_OF(an_end_that_was_taken_is_the_callers)
{
	holt_process *p = started(OPTIONS(.argv = ARGS("cat"), PIPE(0), PIPE(1)));
	int in = holt_process_take_fd(p, 0), out;
	char text[32];

	ck_assert_int_eq(holt_process_fd(p, 0), -EBADF);
	ck_assert_int_eq(holt_process_take_fd(p, 0), -EBADF);
	ck_assert_int_eq(holt_process_fd(p, 2), -EBADF);
	ck_assert_int_eq(holt_process_fd(p, 3), -EINVAL);
	ck_assert_int_eq(holt_process_fd(p, -2), -EINVAL);
	ck_assert_int_eq(holt_process_take_fd(p, HOLT_PROCESS_PIDFD), -EINVAL);
	ck_assert_int_eq(holt_write_full(in, "hello", 5), 5);
	holt_close(in); /* the end of its input */
	ck_assert_int_eq(exit_of(p).code, 0);
	out = holt_process_take_fd(p, 1);
	holt_process_close(p);
	read_all(out, text, sizeof text);
	ck_assert_str_eq(text, "hello");
	holt_close(out);
	return 0;
}

/* ---- several loops */

static int start_and_wait(void *arg)
{
	for (int i = 0; i < 20; i++) {
		const char *user = geteuid() == 0 && i % 2 ? "nobody" : NULL;
		holt_auto(process) p = NULL;
		struct holt_exit e;
		int r;

		r = holt_process_start(&p, OPTIONS(.argv = SH("exit 3"), .user = user, PIPE(1)));
		if (r >= 0)
			r = holt_process_wait(p, &e);
		if (r < 0 || e.code != 3)
			*(int *)arg = r < 0 ? r : -EIO;
	}
	return 0;
}

static void *run_loop(void *arg)
{
	holt_run(start_and_wait, arg);
	return NULL;
}

TEST(loops_of_several_threads_start_processes_at_once)
{
	int dumpable = prctl(PR_GET_DUMPABLE), result[3] = { 0 };
	pthread_t thread[3];

	harness_real_clock();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, run_loop, &result[i]), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		ck_assert_int_eq(result[i], 0);
	}
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), dumpable); /* a change of ids takes it off the memory that a child shares */
	no_child_left();
}
