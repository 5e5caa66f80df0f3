/* SPDX-License-Identifier: MIT */
/*
 * Buffered streams, written: what is written goes out by itself, whole and in order, by few calls, and holds back its writer in time.
 * Each claim runs as a task under a deadline of an hour, so one that would hang fails.
 */
#include <stdint.h>

#include "harness.h"
#include "stream.h"

static int serves_lines(void *arg)
{
	holt_stream *s = arg;
	char *line;
	ssize_t n;

	while ((n = holt_stream_read_line(s, &line)) >= 0 && line)
		if ((n = holt_stream_printf(s, "%s!\n", line)) < 0)
			break;
	return (int)n;
}

/* ---- writing */

struct answerer {
	int fd;
	size_t want; /* bytes of a request */
	int times;
};

/* With holt's plain calls: reads so many bytes, and answers by a line. */
static int answers(void *arg)
{
	struct answerer *a = arg;
	static char buf[4 << 20];

	for (int i = 0; i < a->times; i++) {
		ck_assert_int_eq(holt_read_full(a->fd, buf, a->want), (ssize_t)a->want);
		ck_assert_int_eq(holt_write_full(a->fd, "answer\n", 7), 7);
	}
	return 0;
}

CLAIM(request_is_out_while_its_writer_waits_for_the_answer)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	with_group(g)
	{
		struct answerer a = { peer, 7, 3 };

		ck_assert_int_eq(holt_spawn(g, answers, &a), 0);
		for (int i = 0; i < a.times; i++) {
			ck_assert_int_eq(holt_stream_write(s, "re", 2), 0);
			ck_assert_int_eq(holt_stream_printf(s, "%s", "quest"), 0);
			line_is(s, "answer");
		}
	}
	nothing_was_late();
	return 0;
}

/* The kernel takes a part of it, and the rest goes while the writer waits for what comes when all is there. */
CLAIM_IN_REAL_TIME(request_larger_than_the_kernels_buffer_is_out_too)
{
	static char big[4 << 20];
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = NULL;

	for (int kind = 0; kind < 2; kind++) {
		int fd[2];

		make_pair(kind, fd);
		peer = fd[1];
		open_stream(s, fd[0], .buffer = sizeof big); /* no back-pressure: all of it is buffered */
		with_group(g)
		{
			struct answerer a = { peer, sizeof big, 1 };

			for (size_t n = 0; n < sizeof big; n += sizeof big / 8)
				ck_assert_int_eq(holt_stream_write(s, big + n, sizeof big / 8), 0);
			ck_assert_int_eq(holt_spawn(g, answers, &a), 0);
			line_is(s, "answer");
		}
		s = holt_stream_close(s);
		holt_close(holt_take_fd(peer));
	}
	return 0;
}

CLAIM(what_is_written_in_a_turn_goes_out_by_one_call)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	count_calls();
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(holt_stream_printf(s, "%d ", i), 0);
	ck_assert_uint_eq(writes, 0);
	settle(); /* a turn */
	peer_has(peer, "0 1 2 3 4 5 6 7 8 9 ");
	ck_assert_uint_eq(writes, 1);
	settle();
	ck_assert_uint_eq(writes, 1);
	return 0;
}

/* As holt_read and holt_write: one call in, one call out; and no more for ten requests that came together. */
CLAIM(line_server_makes_two_calls_a_request)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, serves_lines, s), 0);
		settle();
		peer_sends(peer, "warm\n");
		settle();
		peer_has(peer, "warm!\n");
		count_calls();
		for (int i = 0; i < 20; i++) {
			peer_sends(peer, "a\n");
			settle();
			peer_has(peer, "a!\n");
		}
		ck_assert_uint_eq(reads, 20);
		ck_assert_uint_eq(writes, 20);
		peer_sends(peer, "a\nb\nc\nd\ne\n");
		settle();
		peer_has(peer, "a!\nb!\nc!\nd!\ne!\n");
		ck_assert_uint_eq(reads, 21);
		ck_assert_uint_eq(writes, 21);
		shutdown(peer, SHUT_WR);
	}
	return 0;
}

CLAIM(long_text_is_formatted_whole)
{
	static char text[50000], got[50000];
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	memset(text, 'x', sizeof text - 1);
	for (size_t n = 250; n < 262; n++) { /* around what fits at first */
		ck_assert_int_eq(holt_stream_printf(s, "%.*s|", (int)n, text), 0);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		ck_assert_int_eq(recv(peer, got, sizeof got, 0), (ssize_t)n + 1);
		ck_assert_int_eq(got[n], '|');
	}
	ck_assert_int_eq(holt_stream_printf(s, "%s", text), 0);
	ck_assert_int_eq(holt_stream_flush(s), 0);
	ck_assert_int_eq(recv(peer, got, sizeof got, MSG_WAITALL | MSG_DONTWAIT), sizeof text - 1);
	ck_assert_mem_eq(got, text, sizeof text - 1);
	return 0;
}

/* ---- back-pressure */

CLAIM(write_waits_over_the_mark_and_goes_on_when_little_is_left)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer w[3] = { { s, "third.", 6 }, { s, "fourth", 6 }, { s, "fifth.", 6 } };

		ck_assert_int_eq(holt_stream_write(s, "first.", 6), 0);
		ck_assert_int_eq(holt_stream_write(s, "second", 6), 0); /* 6 are no more than 8; 12 are */
		for (int i = 0; i < 3; i++)
			start(g, writes_it, &w[i]);
		settle();
		ck_assert_int_eq(w[0].done || w[1].done || w[2].done, 0);
		empty(peer);
		until(w[2].done);
		ck_assert_int_eq(w[0].result, 0);
		ck_assert_int_eq(w[1].result, 0);
		ck_assert_int_eq(w[2].result, 0);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		peer_has(peer, "first.secondthird.fourthfifth.");
	}
	nothing_was_late();
	return 0;
}

CLAIM(canceled_write_has_left_nothing_behind)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer w[3] = { { s, "[1]", 3 }, { s, "[2]", 3 }, { s, "[3]", 3 } };

		ck_assert_int_eq(holt_stream_write(s, "123456789", 9), 0);
		for (int i = 0; i < 3; i++)
			start(g, writes_it, &w[i]);
		holt_task_cancel(w[1].task, NULL);
		settle();
		ck_assert_int_eq(w[1].result, -ECANCELED);
		ck_assert_int_eq(w[0].done || w[2].done, 0);
		empty(peer);
		until(w[2].done);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		peer_has(peer, "123456789[1][3]");
	}
	return 0;
}

/* Rule 2: the bytes of a writer that was let in are taken before it runs; a cancellation that comes then is too late. */
CLAIM(write_that_was_let_in_is_past_canceling)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer w = { s, "[1]", 3 };

		ck_assert_int_eq(holt_stream_write(s, "123456789", 9), 0);
		start(g, writes_it, &w);
		empty(peer);
		ck_assert_int_eq(holt_stream_flush(s), 0); /* lets it in */
		ck_assert_int_eq(w.done, 0);
		holt_task_cancel(w.task, NULL);
		until(w.done);
		ck_assert_int_eq(w.result, 0);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		peer_has(peer, "123456789[1]");
	}
	return 0;
}

CLAIM_IN_REAL_TIME(large_write_is_taken_whole_and_comes_whole)
{
	enum { SIZE = 3 << 20 };
	static char text[SIZE], got[SIZE];

	for (size_t i = 0; i < SIZE; i++)
		text[i] = (char)(i * 7 + i / 251);
	for (int kind = 0; kind < 3; kind++) {
		holt_auto(stream) s = NULL;
		int fd[2];

		make_pair(kind, fd);
		open_stream(s, fd[1]);
		with_group(g)
		{
			struct writer w = { s };

			ck_assert_int_eq(holt_stream_write(s, text, SIZE), 0); /* nobody reads yet */
			start(g, ends_it, &w);
			ck_assert_int_eq(holt_read_full(fd[0], got, SIZE), SIZE);
			ck_assert_mem_eq(got, text, SIZE);
		}
		holt_close(fd[0]);
	}
	return 0;
}

CLAIM(flush_waits_for_what_was_written_before_it)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer f = { s }, w = { s, "later", 5 };

		ck_assert_int_eq(holt_stream_flush(s), 0); /* of nothing */
		ck_assert_int_eq(holt_stream_write(s, "123456789", 9), 0);
		start(g, flushes_it, &f);
		start(g, writes_it, &w);
		settle();
		ck_assert_int_eq(f.done, 0);
		empty(peer);
		until(f.done && w.done);
		ck_assert_int_eq(f.result, 0);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		peer_has(peer, "123456789later");
	}
	return 0;
}

CLAIM(canceled_flush_leaves_the_bytes_on_their_way)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer f = { s };

		ck_assert_int_eq(holt_stream_write(s, "bytes", 5), 0);
		start(g, flushes_it, &f);
		holt_task_cancel(f.task, NULL);
		until(f.done);
		ck_assert_int_eq(f.result, -ECANCELED);
		empty(peer);
		settle();
		settle();
		peer_has(peer, "bytes");
	}
	return 0;
}

/* ---- the end of writing */

CLAIM_IN_REAL_TIME(end_shuts_our_side_and_reading_goes_on)
{
	for (int kind = 0; kind < 2; kind++) {
		holt_auto(fd) peer = -1;
		holt_auto(stream) s = NULL;
		char buf[16];
		int fd[2];

		make_pair(kind, fd);
		peer = fd[1];
		open_stream(s, fd[0]);
		ck_assert_int_eq(holt_stream_write(s, "question", 8), 0);
		ck_assert_int_eq(holt_stream_end(s), 0);
		ck_assert_int_eq(holt_read_full(peer, buf, sizeof buf), 8); /* and the end */
		ck_assert_int_eq(holt_stream_write(s, "x", 1), -EPIPE);
		ck_assert_int_eq(holt_stream_printf(s, "x"), -EPIPE);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		ck_assert_int_eq(holt_stream_end(s), 0);
		ck_assert_int_eq(holt_write(peer, "answer\n", 7), 7);
		line_is(s, "answer");
	}
	return 0;
}

CLAIM(end_sends_all_first)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);
	char buf[32];

	with_group(g)
	{
		struct writer e = { s }, w = { s, "of another", 10 };

		ck_assert_int_eq(holt_stream_write(s, "123456789", 9), 0);
		start(g, ends_it, &e);
		start(g, writes_it, &w);
		settle();
		ck_assert_int_eq(e.done, 0);
		empty(peer);
		ck_assert_int_eq(holt_read_full(peer, buf, sizeof buf), 19);
		ck_assert_mem_eq(buf, "123456789of another", 19);
		until(e.done && w.done);
		ck_assert_int_eq(e.result, 0);
	}
	return 0;
}

CLAIM(canceled_end_has_shut_nothing)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer e = { s };

		ck_assert_int_eq(holt_stream_write(s, "1", 1), 0);
		start(g, ends_it, &e);
		holt_task_cancel(e.task, NULL);
		until(e.done);
		ck_assert_int_eq(e.result, -ECANCELED);
		ck_assert_int_eq(holt_stream_write(s, "2", 1), 0);
		empty(peer);
		ck_assert_int_eq(holt_stream_flush(s), 0);
		peer_has(peer, "12");
	}
	return 0;
}

CLAIM(pipe_ends_at_its_close)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = NULL;
	char buf[8];
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	peer = fd[0];
	open_stream(s, fd[1]);
	ck_assert_int_eq(holt_stream_write(s, "abc", 3), 0);
	ck_assert_int_eq(holt_stream_end(s), 0);
	ck_assert_int_eq(read(peer, buf, sizeof buf), 3);
	ck_assert_int_eq(read(peer, buf, sizeof buf), -1); /* no end: nothing is there */
	s = holt_stream_close(s);
	ck_assert_int_eq(read(peer, buf, sizeof buf), 0);
	return 0;
}

CLAIM(error_of_sending_is_told_from_then_on)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);

	peer_sends(peer, "last words\n");
	close(holt_take_fd(peer));
	ck_assert_int_eq(holt_stream_write(s, "x", 1), 0); /* it was taken; and SIGPIPE, which would end us, does not come */
	ck_assert_int_eq(holt_stream_flush(s), -EPIPE);
	ck_assert_int_eq(holt_stream_write(s, "x", 1), -EPIPE);
	ck_assert_int_eq(holt_stream_flush(s), -EPIPE);
	ck_assert_int_eq(holt_stream_end(s), -EPIPE);
	line_is(s, "last words"); /* reading is another matter */
	is_at_the_end(s);
	return 0;
}

static ssize_t no_buffers(int fd, const void *buf, size_t n, int flags)
{
	(void)fd, (void)buf, (void)n, (void)flags;
	return -ENOBUFS;
}

/* The connection is well, so the kernel would never end this read. */
CLAIM(who_waits_for_an_answer_hears_that_the_question_was_not_sent)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	char *line;

	with_group(g)
	{
		struct liner l = { s };

		ck_assert_int_eq(holt_spawn(g, reads_line, &l), 0);
		settle();
		ck_assert_int_eq(holt_stream_write(s, "question", 8), 0);
		kernel = harness_sys;
		harness_sys.send = no_buffers;
		until(l.done);
		harness_sys.send = kernel.send;
		ck_assert_int_eq(l.result, -ENOBUFS);
	}
	ck_assert_int_eq(holt_stream_write(s, "x", 1), -ENOBUFS);
	ck_assert_int_eq(holt_stream_read_line(s, &line), -ENOBUFS); /* it would have to wait */
	peer_sends(peer, "but\n");
	line_is(s, "but"); /* what is there is read */
	return 0;
}

CLAIM(error_of_sending_is_told_to_all_who_wait)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = full_stream(&peer);

	with_group(g)
	{
		struct writer w = { s, "x", 1 }, f = { s }, e = { s };

		ck_assert_int_eq(holt_stream_write(s, "123456789", 9), 0);
		start(g, writes_it, &w);
		start(g, flushes_it, &f);
		start(g, ends_it, &e);
		settle();
		close(holt_take_fd(peer));
		until(w.done && f.done && e.done);
		ck_assert_int_lt(w.result, 0);
		ck_assert_int_eq(f.result, w.result);
		ck_assert_int_eq(e.result, w.result);
	}
	nothing_was_late();
	return 0;
}

CLAIM(descriptor_that_is_closed_under_a_stream_is_an_error)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = NULL;
	int fd[2];

	socket_pair(fd);
	fill(fd[0]);
	peer = fd[1];
	open_stream(s, fd[0], .keep_fd = true);
	with_group(g)
	{
		struct writer f = { s };
		struct liner l = { s };

		ck_assert_int_eq(holt_stream_write(s, "x", 1), 0);
		ck_assert_int_eq(holt_spawn(g, reads_line, &l), 0);
		start(g, flushes_it, &f);
		settle();
		holt_close(fd[0]);
		until(f.done && l.done);
		ck_assert_int_eq(f.result, -EBADF);
		ck_assert_int_eq(l.result, -EBADF);
	}
	return 0;
}

/* ---- both at once */

static int writes_many(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < 20000; i++)
		ck_assert_int_eq(holt_stream_printf(w->s, "line %d\n", i), 0);
	return holt_stream_end(w->s);
}

CLAIM(one_task_reads_while_another_writes)
{
	holt_auto(fd) peer = -1;
	holt_auto(stream) s = stream_and_peer(&peer);
	holt_auto(stream) other = NULL;

	open_stream(other, peer);
	peer = -1;
	with_group(g)
	{
		struct writer w = { s };
		char want[32], *line;
		int n = 0;

		ck_assert_int_eq(holt_spawn(g, serves_lines, other), 0);
		ck_assert_int_eq(holt_spawn(g, writes_many, &w), 0);
		for (;;) {
			if (n == 20000)
				break;
			snprintf(want, sizeof want, "line %d!", n++);
			ck_assert_int_ge(holt_stream_read_line(s, &line), 0);
			ck_assert_ptr_nonnull(line);
			ck_assert_str_eq(line, want);
		}
	}
	nothing_was_late();
	return 0;
}
