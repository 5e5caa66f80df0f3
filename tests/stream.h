/* SPDX-License-Identifier: MIT */
/*
 * What the tests of streams share: a stream whose peer is a plain descriptor of the test's own, and tasks that read or write it. For
 * suites that include it once.
 */
#pragma once
#include "io.h"

static unsigned reads, writes;  /* system calls on bytes */
static struct holt__sys kernel; /* what harness_sys was before */

static inline ssize_t count_recv(int fd, void *buf, size_t n, int flags)
{
	reads++;
	return kernel.recv(fd, buf, n, flags);
}

static inline ssize_t count_recvmsg(int fd, struct msghdr *m, int flags)
{
	reads++;
	return kernel.recvmsg(fd, m, flags);
}

static inline ssize_t count_send(int fd, const void *buf, size_t n, int flags)
{
	writes++;
	return kernel.send(fd, buf, n, flags);
}

static inline void count_calls(void)
{
	kernel = harness_sys;
	harness_sys.recv = count_recv;
	harness_sys.recvmsg = count_recvmsg;
	harness_sys.send = count_send;
	reads = writes = 0;
}

#define open_stream(s, fd, ...) ck_assert_int_eq(holt_stream_open(&(s), fd, __VA_ARGS__), 0)

/* A stream on one end; the other is a plain descriptor of the test's own, which it uses without holt. */
static inline holt_stream *stream_and_peer(int *ret_peer)
{
	holt_stream *s;
	int fd[2];

	socket_pair(fd);
	open_stream(s, fd[0]);
	*ret_peer = fd[1];
	return s;
}

static inline void peer_sends_n(int fd, const void *data, size_t n)
{
	ck_assert_int_eq(send(fd, data, n, MSG_DONTWAIT), (ssize_t)n);
}

static inline void peer_sends(int fd, const char *text)
{
	peer_sends_n(fd, text, strlen(text));
}

/* All that has come to the peer, and nothing more. */
static inline void peer_has(int fd, const char *text)
{
	char buf[256];
	ssize_t n = recv(fd, buf, sizeof buf - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = 0;
	ck_assert_str_eq(buf, text);
}

#define line_is(s, text) \
	do { \
		char *line_ = NULL; \
		ck_assert_int_eq(holt_stream_read_line(s, &line_), (ssize_t)strlen(text)); \
		ck_assert_ptr_nonnull(line_); \
		ck_assert_str_eq(line_, text); \
	} while (0)

#define is_at_the_end(s) \
	do { \
		char *line_ = "unset"; \
		ck_assert_int_eq(holt_stream_read_line(s, &line_), 0); \
		ck_assert_ptr_null(line_); \
	} while (0)

#define rest_is(s, text) \
	do { \
		char rest_[256]; \
		ssize_t n_ = holt_stream_read(s, rest_, sizeof rest_ - 1); \
		ck_assert_int_ge(n_, 0); \
		rest_[n_] = 0; \
		ck_assert_str_eq(rest_, text); \
	} while (0)

/* ---- tasks */

struct liner {
	holt_stream *s;
	char *line;
	ssize_t result;
	bool done;
};

static inline int reads_line(void *arg)
{
	struct liner *l = arg;

	l->result = holt_stream_read_line(l->s, &l->line);
	l->done = true;
	return 0;
}

struct writer {
	holt_stream *s;
	const char *text;
	size_t n;
	int result;
	bool done;
	holt_task *task;
};

static inline int writes_it(void *arg)
{
	struct writer *w = arg;

	w->result = holt_stream_write(w->s, w->text, w->n);
	w->done = true;
	return 0;
}

static inline int flushes_it(void *arg)
{
	struct writer *w = arg;

	w->result = holt_stream_flush(w->s);
	w->done = true;
	return 0;
}

static inline int ends_it(void *arg)
{
	struct writer *w = arg;

	w->result = holt_stream_end(w->s);
	w->done = true;
	return 0;
}

static inline void start(holt_group *g, holt_fn fn, struct writer *w)
{
	ck_assert_int_eq(holt_spawn(g, fn, w, .task = &w->task), 0);
	holt_task_unref(w->task);
	holt_yield();
}

/* A stream to whom the kernel takes nothing more, with .buffer = 8. */
static inline holt_stream *full_stream(int *ret_peer)
{
	holt_stream *s;
	int fd[2];

	socket_pair(fd);
	fill(fd[0]);
	open_stream(s, fd[0], .buffer = 8);
	*ret_peer = fd[1];
	return s;
}
