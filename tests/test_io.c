/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing and waiting on descriptors: nothing is lost, nobody overtakes, nothing hangs. Each claim runs as a task under
 * a deadline of an hour on the harness's clock, so one that would hang fails at once.
 */
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pty.h>
#include <stdint.h>

#include "harness.h"
#include "io.h"

/* ---- what is there, and what is not */

CLAIM(a_read_takes_what_is_there_and_then_waits)
{
	struct reader r = { 0 };
	char buf[16];
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_write(fd[1], "abc", 3), 3);
	ck_assert_int_eq(holt_read(fd[0], buf, sizeof buf), 3);
	with_group(g)
	{
		start_reader(g, &r, fd[0], 16);
		settle();
		ck_assert_int_eq(r.done, 0);
		ck_assert_int_eq(holt_write(fd[1], "defg", 4), 4);
		until(r.done);
		ck_assert_int_eq(r.result, 4);
		ck_assert_mem_eq(r.buf, "defg", 4);
	}
	close_pair(fd);
	return 0;
}

CLAIM(the_first_use_makes_it_non_blocking)
{
	char c;
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(is_blocking(fd[0]), 1);
	ck_assert_int_eq(holt_write(fd[1], "a", 1), 1);
	ck_assert_int_eq(is_blocking(fd[1]), 0);
	ck_assert_int_eq(holt_read(fd[0], &c, 1), 1);
	ck_assert_int_eq(is_blocking(fd[0]), 0);
	close_pair(fd);
	return 0;
}

/* Once a bug of every edge-triggered loop that takes a short read for all: the end came in the same event as the data. */
CLAIM(data_and_end_in_one_event_are_both_seen)
{
	for (int kind = 0; kind < 3; kind++) {
		struct reader r = { .again = true };
		int fd[2];

		make_pair(kind, fd);
		with_group(g)
		{
			start_reader(g, &r, fd[0], 64);
			settle();
			for (size_t n = 1; n <= 3; n++) { /* from the second one on by the fast path */
				ck_assert_int_eq(write(fd[1], "x", 1), 1);
				until(r.total == n);
			}
			ck_assert_int_eq(write(fd[1], "last", 4), 4);
			close(fd[1]);
			arrived(fd[0], POLLRDHUP);
			until(r.done);
			ck_assert_int_eq(r.total, 7);
			ck_assert_int_eq(r.result, 0);
		}
		holt_close(fd[0]);
	}
	nothing_was_late();
	return 0;
}

CLAIM(urgent_data_does_not_hide_what_follows)
{
	struct reader r = { .again = true };
	int fd[2];

	tcp_pair(fd);
	with_group(g)
	{
		start_reader(g, &r, fd[0], 64);
		settle();
		ck_assert_int_eq(send(fd[1], "abc", 3, 0), 3);
		ck_assert_int_eq(send(fd[1], "!", 1, MSG_OOB), 1);
		ck_assert_int_eq(send(fd[1], "def", 3, 0), 3);
		arrived(fd[0], POLLPRI);
		until(r.total >= 6);
		ck_assert_int_eq(r.total, 6);
		ck_assert_mem_eq(r.buf, "abcdef", 6);
		holt_group_cancel(g, NULL);
	}
	close_pair(fd);
	nothing_was_late();
	return 0;
}

/* The kernel ends a read of a unix stream where descriptors were attached, though more is there. */
CLAIM(a_descriptor_in_a_stream_does_not_hide_what_follows)
{
	for (int way = 0; way < 3; way++) {
		struct reader r = { .again = true, .way = way };
		int fd[2];

		socket_pair(fd);
		with_group(g)
		{
			start_reader(g, &r, fd[0], 64);
			settle();
			send_fd(fd[1], "a", STDERR_FILENO);
			ck_assert_int_eq(write(fd[1], "b", 1), 1);
			until(r.total >= 2);
			ck_assert_int_eq(r.total, 2);
			ck_assert_mem_eq(r.buf, "ab", 2);
			holt_group_cancel(g, NULL);
		}
		close_pair(fd);
	}
	nothing_was_late();
	return 0;
}

static int recvs;

static ssize_t counted_recv(int fd, void *buf, size_t n, int flags)
{
	recvs++;
	return holt__sys_linux.recv(fd, buf, n, flags);
}

CLAIM(what_is_known_to_be_drained_is_not_asked_again)
{
	struct reader r = { .again = true };
	int fd[2];

	tcp_pair(fd);
	with_group(g)
	{
		start_reader(g, &r, fd[0], 64);
		settle();
		harness_sys.recv = counted_recv;
		for (int i = 0; i < 10; i++) {
			ck_assert_int_eq(write(fd[1], "x", 1), 1);
			until(r.total == (size_t)i + 1);
		}
		ck_assert_int_eq(r.total, 10);
		ck_assert_int_eq(recvs, 10);
		holt_group_cancel(g, NULL);
	}
	close_pair(fd);
	return 0;
}

/* ---- a number that is another file now */

CLAIM(a_number_closed_behind_our_back_is_noticed)
{
	for (int kind = 0; kind < 3; kind++) {
		struct reader a = { 0 }, b = { 0 };
		int fd[2], other[2];

		make_pair(kind, fd);
		make_pair((kind + 1) % 3, other);
		with_group(g)
		{
			start_reader(g, &a, fd[0], 8);
			settle();
			ck_assert_int_eq(write(fd[1], "a", 1), 1);
			until(a.done);
			ck_assert_int_eq(a.result, 1);
			ck_assert_int_eq(dup2(other[0], fd[0]), fd[0]); /* drained, says the record */
			start_reader(g, &b, fd[0], 8);
			settle();
			ck_assert_int_eq(b.done, 0);
			ck_assert_int_eq(is_blocking(other[0]), 0);
			ck_assert_int_eq(write(other[1], "bb", 2), 2);
			until(b.done);
			ck_assert_int_eq(b.result, 2);
		}
		close_pair(fd);
		close_pair(other);
	}
	return 0;
}

static int write_later(void *arg)
{
	int *fd = arg;

	holt_sleep(HOLT_SEC);
	return (int)holt_write(*fd, "later", 5);
}

/* Nobody has proved the number for it, and the new file is in blocking mode. */
CLAIM(a_task_that_reuses_a_number_itself_does_not_wait_for_ever)
{
	for (int kind = 0; kind < 9; kind++) {
		char buf[8];
		int fd[2], old;

		make_pair(kind / 3, fd);
		with_group(g)
		{
			ck_assert_int_eq(holt_spawn(g, write_later, &fd[1]), 0);
			ck_assert_int_eq(holt_read(fd[0], buf, kind % 2 ? 8 : 5), 5);
		}
		close(old = fd[0]);
		close(fd[1]);
		make_pair(kind % 3, fd);
		ck_assert_int_eq(dup2(fd[0], old), old);
		with_group(g)
		{
			ck_assert_int_eq(holt_spawn(g, write_later, &fd[1]), 0);
			ck_assert_int_eq(holt_read(old, buf, 8), 5);
		}
		if (old != fd[0])
			holt_close(old);
		close_pair(fd);
	}
	return 0;
}

CLAIM(a_number_that_is_no_socket_any_more_is_noticed)
{
	char buf[8];
	int fd[2], p[2];

	socket_pair(fd);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(holt_write(fd[1], "a", 1), 1);
	ck_assert_int_eq(holt_read(fd[0], buf, 1), 1);
	ck_assert_int_eq(dup2(p[0], fd[0]), fd[0]);
	ck_assert_int_eq(write(p[1], "pipe", 4), 4);
	ck_assert_int_eq(holt_read(fd[0], buf, 8), 4);
	close_pair(fd);
	close_pair(p);
	return 0;
}

/* ---- several on one descriptor */

CLAIM(readers_are_served_first_come_first_served)
{
	for (int kind = 0; kind < 3; kind++) {
		struct reader r[4] = { { 0 } };
		int fd[2];

		make_pair(kind, fd);
		with_group(g)
		{
			for (int i = 0; i < 4; i++)
				start_reader(g, &r[i], fd[0], 1);
			settle();
			ck_assert_int_eq(write(fd[1], "abcd", 4), 4);
			until(r[3].done);
			for (int i = 0; i < 4; i++) {
				ck_assert_int_eq(r[i].result, 1);
				ck_assert_int_eq(r[i].buf[0], "abcd"[i]);
			}
		}
		close_pair(fd);
	}
	nothing_was_late();
	return 0;
}

struct newcomer {
	int wait_on, read_from;
	char byte;
};

static int come_between(void *arg)
{
	struct newcomer *n = arg;
	char c;

	ck_assert_int_eq(holt_read(n->wait_on, &c, 1), 1);
	return (int)holt_read(n->read_from, &n->byte, 1); /* something is there, but not for us */
}

CLAIM(a_newcomer_does_not_overtake_who_was_woken)
{
	struct reader r[2] = { { 0 } };
	int fd[2], trigger[2];

	tcp_pair(fd);
	socket_pair(trigger);
	with_group(g)
	{
		struct newcomer n = { trigger[0], fd[0], 0 };

		start_reader(g, &r[0], fd[0], 1);
		start_reader(g, &r[1], fd[0], 1);
		ck_assert_int_eq(holt_spawn(g, come_between, &n), 0);
		settle();
		ck_assert_int_eq(write(trigger[1], "t", 1), 1); /* its event comes first, so it runs first */
		ck_assert_int_eq(write(fd[1], "abc", 3), 3);
		arrived(fd[0], POLLIN);
		until(n.byte);
		ck_assert_int_eq(r[0].buf[0], 'a');
		ck_assert_int_eq(r[1].buf[0], 'b');
		ck_assert_int_eq(n.byte, 'c');
	}
	close_pair(fd);
	close_pair(trigger);
	return 0;
}

CLAIM(a_canceled_reader_leaves_its_place_to_the_next)
{
	struct reader r[2] = { { 0 } };
	int fd[2];

	tcp_pair(fd);
	with_group(g)
	{
		start_reader(g, &r[0], fd[0], 8);
		start_reader(g, &r[1], fd[0], 8);
		settle();
		holt_task_cancel(r[0].task, NULL);
		settle();
		ck_assert_int_eq(r[0].result, -ECANCELED);
		ck_assert_int_eq(write(fd[1], "x", 1), 1);
		until(r[1].done);
		ck_assert_int_eq(r[1].result, 1);
	}
	close_pair(fd);
	return 0;
}

/* Runs when its own descriptor has something, which is before the reader that the same look at epoll has woken. */
struct meddler {
	int wait_on, fd;
	struct reader *reader;
	bool steal, close, done;
	int reused;
};

static int meddle(void *arg)
{
	struct meddler *m = arg;
	char buf[8];

	ck_assert_int_eq(holt_read(m->wait_on, buf, 1), 1);
	m->done = true;
	if (m->steal)
		ck_assert_int_gt(read(m->fd, buf, sizeof buf), 0);
	if (m->close) {
		ck_assert_int_eq(holt_close(m->fd), 0);
		ck_assert_int_eq(dup2(m->reused, m->fd), m->fd);
		return 0;
	}
	holt_task_cancel(m->reader->task, NULL);
	return 0;
}

static void run_meddler(holt_group *g, struct meddler *m, int trigger, int fd)
{
	ck_assert_int_eq(holt_spawn(g, meddle, m), 0);
	settle();
	ck_assert_int_eq(write(trigger, "t", 1), 1);
	ck_assert_int_eq(write(fd, "abc", 3), 3);
	arrived(m->fd, POLLIN);
	until(m->done);
	settle();
}

CLAIM(a_reader_that_was_woken_and_then_canceled_has_its_bytes)
{
	for (int kind = 0; kind < 3; kind++) {
		struct reader r = { 0 };
		int fd[2], trigger[2];

		make_pair(kind, fd);
		socket_pair(trigger);
		with_group(g)
		{
			struct meddler m = { .wait_on = trigger[0], .fd = fd[0], .reader = &r };

			start_reader(g, &r, fd[0], 8);
			run_meddler(g, &m, trigger[1], fd[1]);
			ck_assert_int_eq(r.result, 3);
		}
		close_pair(fd);
		close_pair(trigger);
	}
	return 0;
}

CLAIM(one_that_was_woken_canceled_and_robbed_says_so_and_the_next_goes_on)
{
	for (int kind = 0; kind < 3; kind++) {
		struct reader r[2] = { { 0 } };
		int fd[2], trigger[2];

		make_pair(kind, fd);
		socket_pair(trigger);
		with_group(g)
		{
			struct meddler m = { .wait_on = trigger[0], .fd = fd[0], .reader = &r[0], .steal = true };

			start_reader(g, &r[0], fd[0], 8);
			start_reader(g, &r[1], fd[0], 8);
			run_meddler(g, &m, trigger[1], fd[1]);
			ck_assert_int_eq(r[0].result, -ECANCELED);
			ck_assert_int_eq(r[1].done, 0);
			ck_assert_int_eq(write(fd[1], "z", 1), 1);
			until(r[1].done);
			ck_assert_int_eq(r[1].result, 1);
		}
		close_pair(fd);
		close_pair(trigger);
	}
	return 0;
}

CLAIM(a_reader_that_was_woken_and_then_closed_keeps_off_the_number)
{
	for (int kind = 0; kind < 3; kind++) {
		struct reader r = { 0 };
		int fd[2], trigger[2], other[2];
		char c;

		make_pair(kind, fd);
		socket_pair(trigger);
		tcp_pair(other);
		ck_assert_int_eq(write(other[1], "O", 1), 1);
		with_group(g)
		{
			struct meddler m = { .wait_on = trigger[0], .fd = fd[0], .close = true, .reused = other[0] };

			start_reader(g, &r, fd[0], 8);
			run_meddler(g, &m, trigger[1], fd[1]);
			ck_assert_int_eq(r.result, -EBADF);
			ck_assert_int_eq(read(other[0], &c, 1), 1);
		}
		close_pair(fd);
		close_pair(trigger);
		close_pair(other);
	}
	return 0;
}

/* ---- cancellation */

CLAIM(one_canceled_before_takes_and_gives_nothing)
{
	struct holt_scope s;
	int fd[2];
	char c;

	tcp_pair(fd);
	ck_assert_int_eq(write(fd[1], "a", 1), 1);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "test");
	ck_assert_int_eq(holt_read(fd[0], &c, 1), -ECANCELED);
	ck_assert_int_eq(holt_write(fd[0], "x", 1), -ECANCELED);
	ck_assert_int_eq(holt_read_full(fd[0], &c, 1), -ECANCELED);
	ck_assert_int_eq(holt_write_full(fd[0], "x", 1), -ECANCELED);
	ck_assert_int_eq(holt_wait_fd(fd[0], EPOLLIN), -ECANCELED);
	holt_scope_end(&s, 0);
	ck_assert_int_eq(is_blocking(fd[0]), 1); /* not even that */
	ck_assert_int_eq(recv(fd[1], &c, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(holt_read(fd[0], &c, 1), 1);
	close_pair(fd);
	return 0;
}

CLAIM(read_full_canceled_after_some_returns_those)
{
	struct holt_scope s;
	char buf[64];
	int fd[2];

	tcp_pair(fd);
	ck_assert_int_eq(write(fd[1], "hello", 5), 5);
	holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
	ck_assert_int_eq(holt_read_full(fd[0], buf, sizeof buf), 5);
	ck_assert_int_eq(holt_scope_end(&s, holt_read_full(fd[0], buf, sizeof buf)), -ETIME);
	ck_assert_int_eq(write(fd[1], "world", 5), 5);
	ck_assert_int_eq(holt_read_full(fd[0], buf, 5), 5);
	close(fd[1]);
	ck_assert_int_eq(holt_read_full(fd[0], buf, 5), 0);
	holt_close(fd[0]);
	return 0;
}

CLAIM(write_full_canceled_after_some_returns_those)
{
	for (int kind = 0; kind < 3; kind++) {
		size_t n = 32 << 20, got = 0;
		char *big = calloc(1, n);
		struct holt_scope s;
		ssize_t r, k;
		int fd[2];

		make_pair(kind, fd);
		holt_scope_begin(&s, holt_in(HOLT_SEC), 0);
		r = holt_write_full(fd[1], big, n);
		ck_assert_int_gt(r, 0);
		ck_assert_int_lt(r, (ssize_t)n);
		ck_assert_int_eq(holt_scope_end(&s, holt_write_full(fd[1], big, n)), -ETIME);
		close(fd[1]);
		while ((k = holt_read(fd[0], big, n)) > 0)
			got += (size_t)k;
		ck_assert_int_eq(got, r);
		holt_close(fd[0]);
		free(big);
	}
	return 0;
}

static int read_much(void *arg)
{
	int *fd = arg;
	char buf[5000];
	ssize_t r;
	int sum = 0;

	while ((r = holt_read(*fd, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < r; i++)
			sum += buf[i];
	return r < 0 ? (int)r : sum;
}

CLAIM(write_full_writes_all_however_slowly_it_is_read)
{
	for (int kind = 0; kind < 3; kind++) {
		size_t n = 3 << 20;
		char *ones = malloc(n);
		holt_task *t;
		int fd[2], sum;

		memset(ones, 1, n);
		make_pair(kind, fd);
		with_group(g)
		{
			ck_assert_int_eq(holt_spawn(g, read_much, &fd[0], .task = &t), 0);
			ck_assert_int_eq(holt_write_full(fd[1], ones, n), n);
			holt_close(fd[1]);
			ck_assert_int_eq(holt_task_wait(t, &sum), 0);
			ck_assert_int_eq(sum, n);
			holt_task_unref(t);
		}
		holt_close(fd[0]);
		free(ones);
	}
	nothing_was_late();
	return 0;
}

static int read_zeros(void *arg)
{
	int *fd = arg;
	char buf[16];
	ssize_t r;

	while ((r = holt_read(*fd, buf, sizeof buf)) > 0)
		;
	return (int)r;
}

CLAIM(one_that_is_always_ready_starves_nobody_and_sees_its_cancellation)
{
	int fd = open("/dev/zero", O_RDONLY), r;
	holt_task *t;

	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, read_zeros, &fd, .task = &t), 0);
		for (int i = 0; i < 100; i++)
			ck_assert_int_eq(holt_yield(), 0);
		holt_task_cancel(t, NULL);
		ck_assert_int_eq(holt_task_wait(t, &r), 0);
		ck_assert_int_eq(r, -ECANCELED);
		holt_task_unref(t);
	}
	holt_close(fd);
	return 0;
}

/* ---- closing */

CLAIM(closing_wakes_all_who_wait)
{
	struct reader r[2] = { { 0 } };
	struct waiter w = { .events = EPOLLPRI };
	int fd[2];

	socket_pair(fd); /* stays full: TCP may move some on to the other side a while later */
	fill(fd[0]);
	with_group(g)
	{
		holt_task *writer;
		int result;

		start_reader(g, &r[0], fd[0], 8);
		start_reader(g, &r[1], fd[0], 8);
		start_waiter(g, &w, fd[0]);
		ck_assert_int_eq(holt_spawn(g, write_one, &fd[0], .task = &writer), 0);
		settle();
		ck_assert_int_eq(holt_close(fd[0]), 0);
		ck_assert_int_eq(holt_task_wait(writer, &result), 0);
		ck_assert_int_eq(result, -EBADF);
		settle();
		ck_assert_int_eq(r[0].result, -EBADF);
		ck_assert_int_eq(r[1].result, -EBADF);
		ck_assert_int_eq(w.result, -EBADF);
		holt_task_unref(writer);
	}
	holt_close(fd[1]);
	return 0;
}

TEST(closing_works_outside_of_tasks)
{
	int fd[2];
	char c;

	socket_pair(fd);
	errno = 77;
	ck_assert_int_eq(holt_close(fd[0]), 0);
	ck_assert_int_eq(holt_close(-1), -EBADF);
	ck_assert_int_eq(holt_read(fd[1], &c, 1), -EPERM);
	ck_assert_int_eq(holt_write_full(fd[1], &c, 0), -EPERM);
	ck_assert_int_eq(holt_wait_fd(fd[1], EPOLLIN), -EPERM);
	errno = 77;
	{
		holt_auto(fd) gone = fd[1];
		holt_auto(fd) none = -1;

		(void)gone;
		(void)none;
	}
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(fcntl(fd[1], F_GETFD), -1);
}

/* ---- files that are none of the usual */

CLAIM(a_regular_file_is_read_and_written_directly)
{
	char name[] = "/tmp/holt-test-XXXXXX", buf[16];
	int fd = mkstemp(name);

	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(holt_write_full(fd, "content", 7), 7);
	ck_assert_int_eq(is_blocking(fd), 1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(holt_read_full(fd, buf, sizeof buf), 7);
	ck_assert_int_eq(holt_read(fd, buf, sizeof buf), 0);
	ck_assert_int_eq(holt_wait_fd(fd, EPOLLIN), EPOLLIN);
	ck_assert_int_eq(holt_recv(fd, buf, 1, 0), -ENOTSOCK);
	holt_close(fd);
	ck_assert_int_eq(holt_read(fd, buf, 1), -EBADF);
	return 0;
}

CLAIM_IN_REAL_TIME(a_terminal_stays_in_blocking_mode)
{
	struct reader r = { 0 };
	char line[1000], back[2048];
	int master, tty;
	ssize_t k, got = 0;

	ck_assert_int_eq(openpty(&master, &tty, NULL, NULL, NULL), 0);
	with_group(g)
	{
		start_reader(g, &r, tty, 64);
		settle();
		ck_assert_int_eq(r.done, 0);
		ck_assert_int_eq(is_blocking(tty), 1);
		ck_assert_int_eq(write(master, "typed\n", 6), 6);
		ck_assert_int_eq(holt_task_wait(r.task, NULL), 0);
		ck_assert_int_eq(r.result, 6);
		memset(line, 'l', sizeof line);
		ck_assert_int_eq(holt_write_full(tty, line, sizeof line), sizeof line);
		ck_assert_int_eq(is_blocking(tty), 1);
	}
	while (got < (ssize_t)sizeof line && (k = holt_read(master, back, sizeof back)) > 0)
		got += k;
	ck_assert_int_ge(got, sizeof line); /* the echo of what was typed, too */
	holt_close(tty);
	holt_close(master);
	return 0;
}

CLAIM(an_inherited_pipe_stays_in_blocking_mode_and_blocks_nobody)
{
	int saved_in = dup(0), saved_out = dup(1), in[2], out[2], sum;
	struct reader r = { 0 };
	size_t n = 300000;
	char *ones = malloc(n);
	holt_task *t;

	fflush(stdout);
	ck_assert_int_eq(pipe(in) + pipe(out), 0);
	ck_assert_int_eq(dup2(in[0], 0), 0);
	ck_assert_int_eq(dup2(out[1], 1), 1);
	close(out[1]);
	memset(ones, 1, n);
	with_group(g)
	{
		start_reader(g, &r, 0, 64);
		settle();
		ck_assert_int_eq(write(in[1], "data", 4), 4);
		until(r.done);
		ck_assert_int_eq(r.result, 4);
		ck_assert_int_eq(holt_spawn(g, read_much, &out[0], .task = &t), 0);
		ck_assert_int_eq(holt_write_full(1, ones, n), n);
		ck_assert_int_eq(is_blocking(0), 1);
		ck_assert_int_eq(is_blocking(1), 1);
		holt_close(1);
		ck_assert_int_eq(holt_task_wait(t, &sum), 0);
		ck_assert_int_eq(sum, n);
		holt_task_unref(t);
	}
	holt_close(0);
	dup2(saved_in, 0);
	dup2(saved_out, 1);
	close(saved_in);
	close(saved_out);
	close(in[0]);
	close(in[1]);
	holt_close(out[0]);
	free(ones);
	return 0;
}

CLAIM(an_inherited_socket_stays_in_blocking_mode)
{
	int saved = dup(0), fd[2];
	struct reader r = { 0 };

	socket_pair(fd);
	ck_assert_int_eq(dup2(fd[0], 0), 0);
	with_group(g)
	{
		start_reader(g, &r, 0, 64);
		settle();
		ck_assert_int_eq(is_blocking(0), 1);
		ck_assert_int_eq(write(fd[1], "data", 4), 4);
		until(r.done);
		ck_assert_int_eq(r.result, 4);
	}
	holt_close(0);
	dup2(saved, 0);
	close(saved);
	close_pair(fd);
	return 0;
}

/* ---- messages and vectors */

CLAIM(datagrams_are_taken_one_by_one)
{
	struct reader r = { .again = true };
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
	with_group(g)
	{
		start_reader(g, &r, fd[0], 16);
		settle();
		for (size_t round = 1; round <= 3; round++) { /* the first goes the whole way, the others the fast one */
			ck_assert_int_eq(holt_send(fd[1], "one", 3, 0), 3);
			ck_assert_int_eq(holt_send(fd[1], "two", 3, 0), 3);
			until(r.total >= 6 * round);
			ck_assert_int_eq(r.total, 6 * round);
		}
		holt_group_cancel(g, NULL);
	}
	close_pair(fd);
	nothing_was_late();
	return 0;
}

static int take_later(void *arg)
{
	int *fd = arg;
	char buf[16];

	holt_sleep(HOLT_SEC);
	while (recv(*fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
		;
	return 0;
}

/* poll says of the sender's socket that it is writable, all the time: of this no event ever comes. */
CLAIM(a_datagram_for_a_full_unix_socket_waits_for_room)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "\0holt-test-full" };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 15;
	int in = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct iovec v = { (void *)"x", 1 };
	struct msghdr m = { .msg_name = &to, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1 };

	ck_assert_int_eq(bind(in, (struct sockaddr *)&to, len), 0);
	while (sendmsg(out, &m, MSG_DONTWAIT) == 1)
		;
	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, take_later, &in), 0);
		ck_assert_int_eq(holt_sendmsg(out, &m, MSG_DONTWAIT), -EAGAIN);
		ck_assert_int_eq(holt_sendmsg(out, &m, 0), 1);
		ck_assert_uint_ge(harness_time(), HOLT_SEC);
	}
	holt_close(in);
	holt_close(out);
	return 0;
}

CLAIM(vectors_and_messages_go_through)
{
	char a[3], b[64];
	struct iovec out[2] = { { (void *)"abc", 3 }, { (void *)"defgh", 5 } }, in[2] = { { a, 3 }, { b, 64 } };
	struct msghdr m = { .msg_iov = in, .msg_iovlen = 2 };
	int fd[2];

	for (int kind = 0; kind < 3; kind++) {
		make_pair(kind, fd);
		ck_assert_int_eq(holt_writev(fd[1], out, 2), 8);
		ck_assert_int_eq(holt_readv(fd[0], in, 2), 8);
		ck_assert_mem_eq(a, "abc", 3);
		ck_assert_mem_eq(b, "defgh", 5);
		ck_assert_int_eq(holt_readv(fd[0], in, -1), -EINVAL);
		ck_assert_int_eq(holt_writev(fd[1], out, IOV_MAX + 1), -EINVAL);
		close_pair(fd);
	}
	tcp_pair(fd);
	ck_assert_int_eq(holt_sendmsg(fd[1], &(struct msghdr){ .msg_iov = out, .msg_iovlen = 2 }, 0), 8);
	ck_assert_int_eq(holt_recv(fd[0], b, 64, MSG_PEEK), 8);
	ck_assert_int_eq(holt_recvmsg(fd[0], &m, 0), 8);
	ck_assert_int_eq(holt_recv(fd[0], b, 64, MSG_DONTWAIT), -EAGAIN);
	ck_assert_int_eq(holt_recvmsg(fd[0], NULL, 0), -EINVAL);
	close_pair(fd);
	return 0;
}

/* ---- when the system is difficult */

static int interrupts;

static ssize_t interrupted_recv(int fd, void *buf, size_t n, int flags)
{
	return interrupts++ % 3 != 2 ? -EINTR : holt__sys_linux.recv(fd, buf, n, flags);
}

static ssize_t interrupted_recvmsg(int fd, struct msghdr *m, int flags)
{
	return interrupts++ % 3 != 2 ? -EINTR : holt__sys_linux.recvmsg(fd, m, flags);
}

static ssize_t interrupted_read(int fd, void *buf, size_t n)
{
	return interrupts++ % 3 != 2 ? -EINTR : holt__sys_linux.read(fd, buf, n);
}

/* Half of it, and sometimes nothing: as a signal or a full buffer would have it. */
static ssize_t mean_send(int fd, const void *buf, size_t n, int flags)
{
	return interrupts++ % 3 == 1 ? -EINTR : holt__sys_linux.send(fd, buf, (n + 1) / 2, flags);
}

static ssize_t mean_write(int fd, const void *buf, size_t n)
{
	return interrupts++ % 3 == 1 ? -EINTR : holt__sys_linux.write(fd, buf, (n + 1) / 2);
}

static int interrupted_close(int fd)
{
	holt__sys_linux.close(fd);
	return -EINTR;
}

CLAIM(interruptions_and_short_writes_stay_inside)
{
	static const char text[] = "a text of some length, to be cut into pieces";

	harness_sys.recv = interrupted_recv;
	harness_sys.recvmsg = interrupted_recvmsg;
	harness_sys.read = interrupted_read;
	harness_sys.send = mean_send;
	harness_sys.write = mean_write;
	for (int kind = 0; kind < 3; kind++) {
		char buf[sizeof text];
		int fd[2];

		make_pair(kind, fd);
		ck_assert_int_eq(holt_write_full(fd[1], text, sizeof text), sizeof text);
		ck_assert_int_eq(holt_read_full(fd[0], buf, sizeof text), sizeof text);
		ck_assert_str_eq(buf, text);
		harness_sys.close = interrupted_close;
		ck_assert_int_eq(holt_close(fd[0]), 0);
		harness_sys.close = holt__sys_linux.close;
		holt_close(fd[1]);
	}
	return 0;
}

CLAIM(without_memory_the_first_use_fails_and_a_later_one_works)
{
	struct reader r = { 0 };
	int fd[2], high, failures = 0;
	char c;

	socket_pair(fd);
	high = fcntl(fd[0], F_DUPFD_CLOEXEC, 500); /* the table of sources has to grow, too */
	ck_assert_int_eq(write(fd[1], "a", 1), 1);
	for (ssize_t k = 0; k != 1; failures++) {
		harness_fail_alloc(failures == 0 ? 1 : 2); /* what was got before stays */
		k = holt_read(high, &c, 1);
		harness_fail_alloc(0);
		ck_assert(k == 1 || k == -ENOMEM);
	}
	ck_assert_int_ge(failures, 4);
	with_group(g)
	{
		start_reader(g, &r, high, 1);
		settle();
		ck_assert_int_eq(write(fd[1], "b", 1), 1);
		until(r.done);
		ck_assert_int_eq(r.result, 1);
	}
	holt_close(high);
	close_pair(fd);
	return 0;
}

static int full_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
	return op == EPOLL_CTL_ADD ? -ENOSPC : holt__sys_linux.epoll_ctl(epfd, op, fd, e);
}

CLAIM(when_epoll_takes_no_more_the_wait_fails_and_a_later_one_works)
{
	struct reader r = { 0 };
	int fd[2];
	char c;

	socket_pair(fd);
	harness_sys.epoll_ctl = full_ctl;
	ck_assert_int_eq(holt_read(fd[0], &c, 1), -ENOSPC);
	ck_assert_int_eq(holt_wait_fd(fd[0], EPOLLIN), -ENOSPC);
	ck_assert_int_eq(holt_wait_fd(fd[1], EPOLLIN), -ENOSPC);
	harness_sys.epoll_ctl = holt__sys_linux.epoll_ctl;
	with_group(g)
	{
		start_reader(g, &r, fd[0], 1);
		settle();
		ck_assert_int_eq(write(fd[1], "b", 1), 1);
		until(r.done);
		ck_assert_int_eq(r.result, 1);
	}
	close_pair(fd);
	return 0;
}

/* ---- anybody's descriptor */

CLAIM(wait_fd_says_what_is_there_and_leaves_nothing_behind)
{
	struct waiter w[3] = { { .events = EPOLLIN }, { .events = EPOLLIN | EPOLLRDHUP }, { .events = EPOLLOUT } };
	int fd[2];
	size_t watched;

	socket_pair(fd);
	watched = watched_by_epoll();
	ck_assert_int_eq(holt_wait_fd(fd[0], EPOLLIN | EPOLLOUT), EPOLLOUT);
	ck_assert_uint_eq(watched_by_epoll(), watched);
	fill(fd[0]);
	with_group(g)
	{
		for (int i = 0; i < 3; i++)
			start_waiter(g, &w[i], fd[0]);
		settle();
		ck_assert_uint_eq(watched_by_epoll(), watched + 1);
		ck_assert_int_eq(write(fd[1], "x", 1), 1);
		until(w[0].done);
		ck_assert_int_eq(w[0].result, EPOLLIN);
		ck_assert_int_eq(w[1].result, EPOLLIN);
		ck_assert_int_eq(w[2].done, 0);
		empty(fd[1]);
		until(w[2].done);
		ck_assert_int_eq(w[2].result, EPOLLOUT);
		ck_assert_uint_eq(watched_by_epoll(), watched);

		empty(fd[0]);
		w[0].done = false;
		start_waiter(g, &w[0], fd[0]);
		settle();
		ck_assert_uint_eq(watched_by_epoll(), watched + 1);
		holt_group_cancel(g, NULL);
	}
	ck_assert_int_eq(w[0].result, -ECANCELED);
	ck_assert_uint_eq(watched_by_epoll(), watched);
	ck_assert_int_eq(is_blocking(fd[0]), 1);
	close_pair(fd);
	return 0;
}

CLAIM(wait_fd_refuses_what_it_cannot_wait_for)
{
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_wait_fd(fd[0], EPOLLET), -EINVAL);
	ck_assert_int_eq(holt_wait_fd(1000, EPOLLIN), -EBADF);
	ck_assert_int_eq(holt_wait_fd(-1, EPOLLIN), -EBADF);
	close(fd[1]);
	ck_assert_int_eq(holt_wait_fd(fd[0], 0), EPOLLHUP);
	close(fd[0]);
	return 0;
}

CLAIM(wait_fd_works_beside_readers_of_the_same_descriptor)
{
	struct waiter w[2] = { { .events = EPOLLIN }, { .events = EPOLLIN } };
	struct reader r = { 0 };
	int fd[2];

	socket_pair(fd);
	with_group(g)
	{
		start_waiter(g, &w[0], fd[0]); /* foreign until the reader comes */
		settle();
		start_reader(g, &r, fd[0], 8);
		settle();
		start_waiter(g, &w[1], fd[0]);
		settle();
		ck_assert_int_eq(write(fd[1], "x", 1), 1);
		until(r.done);
		ck_assert_int_eq(r.result, 1);
		ck_assert_int_eq(w[0].result & EPOLLIN, EPOLLIN);
		ck_assert_int_eq(w[1].result & EPOLLIN, EPOLLIN);
		memset(&r, 0, sizeof r);
		w[0].done = false;
		start_waiter(g, &w[0], fd[0]);
		settle();
		ck_assert_int_eq(w[0].done, 0);
		start_reader(g, &r, fd[0], 8);
		settle();
		ck_assert_int_eq(write(fd[1], "y", 1), 1);
		until(r.done);
		ck_assert_int_eq(r.result, 1);
		ck_assert_int_eq(w[0].result & EPOLLIN, EPOLLIN);
	}
	close_pair(fd);
	return 0;
}

CLAIM(the_end_is_not_lost_when_wait_fd_came_first)
{
	struct waiter w = { .events = EPOLLIN };
	struct reader r = { .again = true };
	int fd[2];

	tcp_pair(fd);
	with_group(g)
	{
		start_waiter(g, &w, fd[0]);
		settle();
		start_reader(g, &r, fd[0], 64);
		settle();
		ck_assert_int_eq(write(fd[1], "last", 4), 4);
		close(fd[1]);
		arrived(fd[0], POLLRDHUP);
		until(r.done);
		ck_assert_int_eq(r.total, 4);
		ck_assert_int_eq(r.result, 0);
	}
	holt_close(fd[0]);
	nothing_was_late();
	return 0;
}
