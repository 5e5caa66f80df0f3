/* SPDX-License-Identifier: MIT */
/*
 * Buffered streams, read: the pieces are those that were sent, however they came, and what a call has not returned is there for the
 * next. Then their opening and closing, and other descriptors than sockets. Each claim runs as a task under a deadline of an
 * hour on the harness's clock, so one that would hang fails at once.
 */
#include <pty.h>
#include <signal.h>
#include <stdint.h>

#include "harness.h"
#include "stream.h"

/* ---- lines */

CLAIM(lines_come_one_by_one_however_they_were_sent)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	peer_sends(peer, "one\n\ntwo\r\nhalf a ");
	line_is(s, "one");
	line_is(s, "");
	line_is(s, "two\r"); /* asyncio leaves it, too */
	peer_sends(peer, "line\nthe last");
	line_is(s, "half a line");
	shutdown(peer, SHUT_WR);
	line_is(s, "the last");
	is_at_the_end(s);
	is_at_the_end(s);
	return 0;
}

CLAIM(line_may_hold_zero_bytes)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	char *line;

	peer_sends_n(peer, "a\0b\n\0\n", 6);
	ck_assert_int_eq(holt_stream_read_line(s, &line), 3);
	ck_assert_mem_eq(line, "a\0b", 4);
	ck_assert_int_eq(holt_stream_read_line(s, &line), 1);
	ck_assert_mem_eq(line, "\0", 2);
	return 0;
}

struct dribble {
	int fd;
	const char *text;
	size_t n;
};

/* A byte at a time, and each is read before the next is sent. */
static int dribbles(void *arg)
{
	struct dribble *d = arg;

	for (size_t i = 0; i < d->n; i++) {
		peer_sends_n(d->fd, d->text + i, 1);
		settle();
	}
	shutdown(d->fd, SHUT_WR);
	return 0;
}

CLAIM(lines_sent_byte_by_byte_are_lines)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	with_group(g)
	{
		struct dribble d = { peer, "one\n\ntwo", 8 };

		ck_assert_int_eq(holt_spawn(g, dribbles, &d), 0);
		line_is(s, "one");
		line_is(s, "");
		line_is(s, "two");
		is_at_the_end(s);
	}
	return 0;
}

CLAIM(line_of_exactly_the_limit_is_a_line)
{
	holt_auto(stream) s = NULL;
	holt_auto(fd) peer = -1;
	int fd[2];

	socket_pair(fd);
	peer = fd[1];
	open_stream(s, fd[0], .limit = 8);
	peer_sends(peer, "12345678\n123456789\n12345678");
	line_is(s, "12345678");
	char *line = NULL;
	ck_assert_int_eq(holt_stream_read_line(s, &line), -EMSGSIZE);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -EMSGSIZE); /* it is still there */
	ck_assert_ptr_null(line);
	char buf[9] = "";
	ck_assert_int_eq(holt_stream_read(s, buf, 8), 8); /* no more than the limit: nothing but of this line */
	ck_assert_str_eq(buf, "12345678");
	line_is(s, "9"); /* the rest of it */
	shutdown(peer, SHUT_WR);
	line_is(s, "12345678");
	is_at_the_end(s);
	return 0;
}

CLAIM(line_without_end_is_told_before_it_fills_the_memory)
{
	static char text[100000];
	holt_auto(stream) s = NULL;
	holt_auto(fd) peer = -1;
	char *line = NULL;
	size_t all = 0;
	ssize_t n;
	int fd[2];

	memset(text, 'x', sizeof text);
	socket_pair(fd);
	peer = fd[1];
	open_stream(s, fd[0]);
	peer_sends_n(peer, text, sizeof text);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -EMSGSIZE);
	shutdown(peer, SHUT_WR);
	while ((n = holt_stream_read(s, text, sizeof text)) > 0)
		all += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(all, sizeof text);
	return 0;
}

CLAIM(long_lines_and_short_ones_take_turns)
{
	static char text[60001];
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	for (int i = 0; i < 5; i++) {
		memset(text, 'a' + i, 60000);
		text[60000] = '\n';
		peer_sends_n(peer, text, 60001);
		peer_sends(peer, "short\n");
		text[60000] = 0;
		line_is(s, text);
		line_is(s, "short");
	}
	return 0;
}

CLAIM(hundred_lines_that_came_together_cost_one_call)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	for (int i = 0; i < 100; i++)
		peer_sends(peer, "a line\n");
	count_calls();
	for (int i = 0; i < 100; i++)
		line_is(s, "a line");
	ck_assert_uint_eq(reads, 1);
	return 0;
}

/* ---- marks */

static void pieces_are(holt_stream *s, const char *mark, const char *const *pieces)
{
	void *data;
	ssize_t n;

	for (; *pieces; pieces++) {
		n = holt_stream_read_until(s, mark, strlen(mark), &data);
		ck_assert_int_eq(n, (ssize_t)strlen(*pieces));
		ck_assert_mem_eq(data, *pieces, (size_t)n);
	}
	n = holt_stream_read_until(s, mark, strlen(mark), &data);
	ck_assert_int_eq(n, 0);
	ck_assert_ptr_null(data);
}

CLAIM(marks_are_found_wherever_a_read_cuts_them)
{
	static const struct {
		const char *text, *mark;
		const char *pieces[4];
	} cases[] = {
		{ "GET /\r\n\r\n\r\n\r\nx\r\n\r\n", "\r\n\r\n", { "GET /\r\n\r\n", "\r\n\r\n", "x\r\n\r\n" } },
		{ "aaabaab", "aab", { "aaab", "aab" } }, /* its beginning may be a false one */
		{ "ababac", "abac", { "ababac" } },
		{ ";;", ";", { ";", ";" } },
	};

	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		size_t n = strlen(cases[c].text);

		for (size_t cut = 0; cut <= n; cut++) {
			holt_auto(fd) peer = -1;
			holt_auto(stream) s = stream_and_peer(&peer);

			with_group(g)
			{
				struct dribble d = { peer, cases[c].text + cut, n - cut };

				peer_sends_n(peer, cases[c].text, cut);
				ck_assert_int_eq(holt_spawn(g, dribbles, &d), 0);
				pieces_are(s, cases[c].mark, cases[c].pieces);
			}
		}
	}
	return 0;
}

CLAIM(piece_without_its_mark_stays)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	void *data = &peer;

	peer_sends(peer, "whole;half");
	shutdown(peer, SHUT_WR);
	ck_assert_int_eq(holt_stream_read_until(s, ";", 1, &data), 6);
	ck_assert_int_eq(holt_stream_read_until(s, ";", 1, &data), -ENODATA);
	rest_is(s, "half");
	rest_is(s, "");
	ck_assert_int_eq(holt_stream_read_until(s, ";", 0, &data), -EINVAL);
	ck_assert_int_eq(holt_stream_read_until(s, NULL, 1, &data), -EINVAL);
	return 0;
}

CLAIM(limit_counts_the_piece_and_not_the_mark)
{
	holt_auto(stream) s = NULL;
	holt_auto(fd) peer = -1;
	void *data;
	int fd[2];

	socket_pair(fd);
	peer = fd[1];
	open_stream(s, fd[0], .limit = 4);
	peer_sends(peer, "1234----12345----");
	ck_assert_int_eq(holt_stream_read_until(s, "----", 4, &data), 8);
	ck_assert_int_eq(holt_stream_read_until(s, "----", 4, &data), -EMSGSIZE);
	rest_is(s, "12345----");
	peer_sends(peer, "1234--");
	struct dribble d = { peer, "-5678----", 9 }; /* seven bytes are no mark yet, and eight can be none any more */
	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, dribbles, &d), 0);
		ck_assert_int_eq(holt_stream_read_until(s, "----", 4, &data), -EMSGSIZE);
	}
	return 0;
}

/* ---- counts */

CLAIM(read_exactly_may_be_more_than_the_limit)
{
	static char text[30000], got[30000];
	holt_auto(stream) s = NULL;
	holt_auto(fd) peer = -1;
	int fd[2];

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7 + i / 251);
	socket_pair(fd);
	peer = fd[1];
	open_stream(s, fd[0], .limit = 10);
	peer_sends_n(peer, text, sizeof text);
	peer_sends(peer, "rest");
	ck_assert_int_eq(holt_stream_read_exactly(s, got, 1), 1);
	ck_assert_int_eq(holt_stream_read_exactly(s, got + 1, 0), 0);
	ck_assert_int_eq(holt_stream_read_exactly(s, got + 1, sizeof got - 1), sizeof got - 1);
	ck_assert_mem_eq(got, text, sizeof text);
	rest_is(s, "rest");
	return 0;
}

CLAIM(what_ended_inside_stays_to_be_read)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	char buf[9] = "untouch";

	peer_sends(peer, "abcdefgh123");
	shutdown(peer, SHUT_WR);
	ck_assert_int_eq(holt_stream_read_exactly(s, buf, 8), 8);
	ck_assert_mem_eq(buf, "abcdefgh", 8);
	ck_assert_int_eq(holt_stream_read_exactly(s, buf, 8), -ENODATA);
	ck_assert_mem_eq(buf, "abcdefgh", 8);
	rest_is(s, "123");
	ck_assert_int_eq(holt_stream_read_exactly(s, buf, 8), -ENODATA); /* nothing at all: holt_stream_read says 0 */
	rest_is(s, "");
	return 0;
}

CLAIM(reads_of_one_byte_get_every_byte_in_turn)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	char c;

	peer_sends(peer, "abcdef");
	shutdown(peer, SHUT_WR);
	count_calls();
	for (char want = 'a'; want <= 'f'; want++) {
		ck_assert_int_eq(holt_stream_read(s, &c, 1), 1);
		ck_assert_int_eq(c, want);
	}
	ck_assert_uint_eq(reads, 1);
	ck_assert_int_eq(holt_stream_read(s, &c, 0), 0);
	ck_assert_int_eq(holt_stream_read(s, &c, 1), 0);
	ck_assert_int_eq(holt_stream_read(s, &c, 1), 0);
	return 0;
}

CLAIM(ways_of_reading_may_be_mixed)
{
	static char big[20000];
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	char buf[8] = "";
	void *data;

	memset(big, 'z', sizeof big);
	peer_sends(peer, "POST /\r\nlength=5\r\n\r\nhello");
	peer_sends_n(peer, big, sizeof big);
	line_is(s, "POST /\r");
	ck_assert_int_eq(holt_stream_read_until(s, "\r\n\r\n", 4, &data), 12);
	ck_assert_int_eq(holt_stream_read_exactly(s, buf, 5), 5);
	ck_assert_str_eq(buf, "hello");
	size_t all = 0;
	while (all < sizeof big) {
		ssize_t n = holt_stream_read(s, big, sizeof big);

		ck_assert_int_gt(n, 0);
		all += (size_t)n;
	}
	ck_assert_uint_eq(all, sizeof big);
	return 0;
}

/* ---- who reads, and who was canceled */

CLAIM(second_reader_is_turned_away)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	with_group(g)
	{
		struct liner l = { s };
		char c, *line;
		void *data;

		ck_assert_int_eq(holt_spawn(g, reads_line, &l), 0);
		peer_sends(peer, "half ");
		settle();
		ck_assert_int_eq(holt_stream_read(s, &c, 1), -EBUSY); /* not even what is there: it is the other's */
		ck_assert_int_eq(holt_stream_read_exactly(s, &c, 1), -EBUSY);
		ck_assert_int_eq(holt_stream_read_line(s, &line), -EBUSY);
		ck_assert_int_eq(holt_stream_read_until(s, " ", 1, &data), -EBUSY);
		peer_sends(peer, "line\n");
		until(l.done);
		ck_assert_int_eq(l.result, 9);
		ck_assert_str_eq(l.line, "half line");
	}
	return 0;
}

CLAIM(canceled_reader_has_consumed_nothing)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	char buf[16], *line;
	void *data;

	peer_sends(peer, "half ");
	for (int way = 0; way < 3; way++) {
		struct holt_scope scope;
		ssize_t r;

		holt_scope_begin(&scope, holt_in(HOLT_SEC), 0);
		r = way == 0       ? holt_stream_read_line(s, &line)
			: way == 1 ? holt_stream_read_exactly(s, buf, 9)
				   : holt_stream_read_until(s, "\n", 1, &data);
		ck_assert_int_eq(r, -ECANCELED);
		ck_assert_int_eq(holt_stream_read(s, buf, sizeof buf), -ECANCELED); /* also where something is there */
		ck_assert_int_eq(holt_stream_write(s, "x", 1), -ECANCELED);
		ck_assert_int_eq(holt_stream_printf(s, "x"), -ECANCELED);
		ck_assert_int_eq(holt_stream_flush(s), -ECANCELED);
		ck_assert_int_eq(holt_stream_end(s), -ECANCELED);
		ck_assert_int_eq(holt_scope_end(&scope, r), -ETIME);
	}
	peer_sends(peer, "line\n");
	line_is(s, "half line");
	peer_has(peer, "");
	return 0;
}

static ssize_t broken_read(int fd, void *buf, size_t n)
{
	(void)fd, (void)buf, (void)n;
	return -EIO;
}

CLAIM(broken_stream_never_looks_like_one_that_ended)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = NULL;
	char c, *line;
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	peer = fd[1];
	open_stream(s, fd[0]);
	ck_assert_int_eq(write(peer, "whole\nhalf", 10), 10);
	line_is(s, "whole");
	kernel = harness_sys;
	harness_sys.read = broken_read;
	ck_assert_int_eq(write(peer, " line\n", 6), 6);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -EIO);
	harness_sys.read = kernel.read; /* the kernel says it once only */
	ck_assert_int_eq(holt_stream_read_line(s, &line), -EIO);
	rest_is(s, "half");
	ck_assert_int_eq(holt_stream_read(s, &c, 1), -EIO);
	return 0;
}

/* ---- open and close */

CLAIM(misuse_is_told)
{
	struct {
		struct holt_stream_options known;
		int more;
	} future = { { .size = sizeof future }, 1 };
	holt_auto(stream) s = NULL;

	ck_assert_int_eq(holt_stream_open(&s, -1), -EBADF);
	ck_assert_int_eq(holt_stream_open_with(NULL, 3, NULL), -EINVAL);
	ck_assert_int_eq(holt_stream_open_with(&s, 3, &future.known), -E2BIG);
	ck_assert_ptr_null(s);
	ck_assert_ptr_null(holt_stream_close(NULL));
	ck_assert_int_eq(holt_stream_open(&s, 9999), 0); /* what it is, is seen at the first use */
	char c;
	ck_assert_int_eq(holt_stream_write(s, "x", 1), -EBADF);
	ck_assert_int_eq(holt_stream_read(s, &c, 1), -EBADF);
	return 0;
}

TEST(streams_are_for_tasks)
{
	holt_stream *s = NULL;
	char c, *line;
	void *data;
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_stream_open(&s, fd[0]), 0);
	ck_assert_int_eq(holt_stream_read(s, &c, 1), -EPERM);
	ck_assert_int_eq(holt_stream_read_exactly(s, &c, 1), -EPERM);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -EPERM);
	ck_assert_int_eq(holt_stream_read_until(s, "x", 1, &data), -EPERM);
	ck_assert_int_eq(holt_stream_write(s, "x", 1), -EPERM);
	ck_assert_int_eq(holt_stream_printf(s, "x"), -EPERM);
	ck_assert_int_eq(holt_stream_flush(s), -EPERM);
	ck_assert_int_eq(holt_stream_end(s), -EPERM);
	ck_assert_ptr_null(holt_stream_close(s));
	ck_assert_int_eq(close(fd[0]), -1); /* taken */
	close(fd[1]);
}

CLAIM(close_offers_the_rest_once_more)
{
	holt_auto(fd) peer = -1;
	holt_stream *s = stream_and_peer(&peer);

	ck_assert_int_eq(holt_stream_write(s, "goodbye", 7), 0);
	holt_stream_close(s);
	peer_has(peer, "goodbye");
	close(peer);
	s = full_stream(&peer);
	ck_assert_int_eq(holt_stream_write(s, "lost", 4), 0);
	settle();
	holt_stream_close(s); /* with its place in epoll */
	settle();
	return 0;
}

CLAIM(keep_fd_leaves_the_descriptor_open)
{
	holt_stream *s;
	int fd[2];

	socket_pair(fd);
	open_stream(s, fd[0], .keep_fd = true);
	ck_assert_int_eq(holt_stream_write(s, "abc", 3), 0);
	holt_stream_close(s);
	ck_assert_int_eq(holt_write(fd[0], "def", 3), 3);
	peer_has(fd[1], "abcdef");
	close_pair(fd);
	return 0;
}

static int leaves_it_open(void *arg)
{
	int r = holt_stream_write(*(holt_stream **)arg, "sent", 4);

	return r;
}

static int leaves_it_full(void *arg)
{
	int r = holt_stream_write(*(holt_stream **)arg, "lost", 4);

	return r < 0 ? r : holt_yield();
}

TEST(stream_may_outlive_its_loop)
{
	holt_stream *s;
	size_t fds = harness_fds();
	int fd[2];

	socket_pair(fd);
	open_stream(s, fd[0]);
	ck_assert_int_eq(harness_run(leaves_it_open, &s), 0);
	peer_has(fd[1], "sent");
	ck_assert_int_eq(harness_run(leaves_it_open, &s), 0); /* and be used in another */
	peer_has(fd[1], "sent");
	fill(fd[0]);
	ck_assert_int_eq(harness_run(leaves_it_full, &s), 0);
	holt_stream_close(s);
	close(fd[1]);
	ck_assert_uint_eq(harness_fds(), fds);
}

static int closes_under_a_reader(void *arg)
{
	static struct liner l;
	holt_group *g = open_group();
	int peer;

	(void)arg;
	l.s = stream_and_peer(&peer);
	holt_spawn(g, reads_line, &l);
	settle();
	holt_stream_close(l.s);
	return 0;
}

TEST_SIGNAL(closing_under_a_reader_aborts, SIGABRT)
{
	harness_run(closes_under_a_reader, NULL);
}

static int closes_under_a_writer(void *arg)
{
	static struct writer w = { .text = "x", .n = 1 };
	holt_group *g = open_group();
	int peer;

	(void)arg;
	w.s = full_stream(&peer);
	holt_stream_write(w.s, "123456789", 9);
	start(g, writes_it, &w);
	holt_stream_close(w.s);
	return 0;
}

TEST_SIGNAL(closing_under_a_writer_aborts, SIGABRT)
{
	harness_run(closes_under_a_writer, NULL);
}

/* ---- other descriptors, no memory */

CLAIM_IN_REAL_TIME(terminal_is_a_stream_too)
{
	static char text[20001];
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = NULL;
	struct termios raw;
	int fd[2];

	ck_assert_int_eq(openpty(&fd[0], &fd[1], NULL, NULL, NULL), 0);
	ck_assert_int_eq(tcgetattr(fd[1], &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(fd[1], TCSANOW, &raw), 0);
	peer = fd[0];
	open_stream(s, fd[1]); /* never made non-blocking: others share it */
	ck_assert_int_eq(write(peer, "typed\n", 6), 6);
	line_is(s, "typed");
	memset(text, 'x', sizeof text - 1);
	with_group(g)
	{
		struct writer f = { s };
		char buf[1000];
		size_t all = 0;

		ck_assert_int_eq(holt_stream_write(s, text, sizeof text - 1), 0); /* more than it has room for */
		start(g, flushes_it, &f);
		while (all < sizeof text - 1) {
			ssize_t n = holt_read(peer, buf, sizeof buf);

			ck_assert_int_gt(n, 0);
			all += (size_t)n;
		}
		until(f.done);
		ck_assert_int_eq(f.result, 0);
	}
	ck_assert_int_eq(is_blocking(fd[1]), 1);
	return 0;
}

CLAIM(regular_file_is_a_stream_too)
{
	char path[] = "/tmp/holt-stream-XXXXXX";
	int fd = mkstemp(path);
	holt_stream *s;

	ck_assert_int_ge(fd, 0);
	open_stream(s, fd);
	for (int i = 0; i < 30000; i++)
		ck_assert_int_eq(holt_stream_printf(s, "line %d\n", i), 0);
	ck_assert_int_eq(holt_stream_end(s), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	for (int i = 0; i < 30000; i++) {
		char want[32];

		snprintf(want, sizeof want, "line %d", i);
		line_is(s, want);
	}
	is_at_the_end(s);
	holt_stream_close(s);
	unlink(path);
	return 0;
}

CLAIM(without_memory_nothing_is_taken_and_nothing_is_lost)
{
	static char text[10000];
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = NULL;
	char *line;

	memset(text, 'x', sizeof text);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_stream_open(&s, 3), -ENOMEM);
	s = stream_and_peer(&peer);
	settle();
	ck_assert_int_eq(holt_stream_write(s, "a", 1), 0); /* its record in the loop is made */
	ck_assert_int_eq(holt_stream_flush(s), 0);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_stream_write(s, text, sizeof text), -ENOMEM);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_stream_printf(s, "%.*s", 300, text), -ENOMEM);
	ck_assert_int_eq(holt_stream_write(s, "b", 1), 0);
	ck_assert_int_eq(holt_stream_flush(s), 0);
	peer_has(peer, "ab");
	peer_sends_n(peer, text, sizeof text);
	peer_sends(peer, "\n");
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -ENOMEM); /* the buffer */
	harness_fail_alloc(2);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -ENOMEM); /* its growing */
	ck_assert_int_eq(holt_stream_read_line(s, &line), sizeof text);
	return 0;
}
