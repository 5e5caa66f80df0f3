/* SPDX-License-Identifier: MIT */
/*
 * The reading side of streams: more and more into the buffer, until what was asked for is in it. The essay is in stream.c.
 */
#include <errno.h>
#include <string.h>

#include "io/stream.h"

static int begin(holt_stream *s)
{
	holt_task *t;
	int r = holt__enter(&t);

	return r == 0 && s->reader ? -EBUSY : r;
}

/* Errors that say nothing of the connection: ours, the machine's, or a time-out that the program set on the socket. */
static bool is_passing(ssize_t r)
{
	return r == -ECANCELED || r == -ENOMEM || r == -ENOSPC || r == -ENOBUFS || r == -EAGAIN;
}

static ssize_t read_into(holt_stream *s, void *buf, size_t n)
{
	ssize_t r;

	if (s->at_end || s->in_error)
		return s->in_error;
	s->reader = holt__self;
	s->interrupted = false;
	s->users++;
	if (s->out_error)
		holt__stream_interrupt(s);
	r = s->transport->read(s, buf, n);
	s->users--;
	s->reader = NULL;
	if (r == 0)
		s->at_end = true;
	else if (r < 0 && !is_passing(r) && !s->interrupted)
		s->in_error = (int)r;
	return r;
}

/* Reads once into the buffer, with room for at least so many bytes, and for a NUL behind them. */
static ssize_t fill(holt_stream *s, size_t room)
{
	struct holt__bytes *in = &s->in;
	ssize_t r;

	if (in->n == 0 && in->size > HOLT__BYTES_KEPT) /* what was long is out */
		holt__bytes_free(in);
	r = holt__bytes_reserve(in, room + 1);
	if (r < 0)
		return r;
	r = read_into(s, holt__bytes_end(in), holt__bytes_room(in) - 1);
	if (r > 0)
		in->n += (size_t)r;
	return r;
}

/* For pieces whose length is not known: as much at a time as makes the call worth it, until `whole` bytes are there. */
static ssize_t fill_some(holt_stream *s, size_t whole)
{
	size_t missing = whole - s->in.n;

	return fill(s, missing < HOLT__BYTES_KEPT / 2 ? missing : HOLT__BYTES_KEPT / 2);
}

static char *first(const holt_stream *s)
{
	return s->in.buf + s->in.at;
}

/* ---- counted */

ssize_t holt_stream_read(holt_stream *s, void *buf, size_t n)
{
	ssize_t r = begin(s);

	if (r < 0 || n == 0)
		return r;
	if (s->in.n == 0) {
		if (n >= HOLT__BYTES_KEPT) /* no need to go through the buffer */
			return read_into(s, buf, n);
		r = fill_some(s, HOLT__BYTES_KEPT);
		if (r <= 0)
			return r;
	}
	n = n < s->in.n ? n : s->in.n;
	memcpy(buf, first(s), n);
	holt__bytes_take(&s->in, n);
	return (ssize_t)n;
}

ssize_t holt_stream_read_exactly(holt_stream *s, void *buf, size_t n)
{
	ssize_t r = begin(s);

	if (r < 0 || n == 0)
		return r;
	while (s->in.n < n) {
		r = fill(s, n - s->in.n);
		if (r <= 0)
			return r < 0 ? r : -ENODATA;
	}
	memcpy(buf, first(s), n);
	holt__bytes_take(&s->in, n);
	return (ssize_t)n;
}

/* ---- up to a mark */

static char *look_for(const holt_stream *s, const void *mark, size_t mark_size, size_t from)
{
	if (s->in.n < from + mark_size)
		return NULL;
	if (mark_size == 1)
		return memchr(first(s) + from, *(const unsigned char *)mark, s->in.n - from);
	return memmem(first(s) + from, s->in.n - from, mark, mark_size);
}

/* 1: a piece of *ret_size bytes is there, and its mark behind it; 0: the end came first; or -errno. */
static int find(holt_stream *s, const void *mark, size_t mark_size, size_t *ret_size)
{
	size_t from = 0, seen;
	const char *found;
	ssize_t r;

	for (;;) {
		seen = s->in.n;
		found = look_for(s, mark, mark_size, from);
		if (found) {
			*ret_size = (size_t)(found - first(s));
			return *ret_size > s->limit ? -EMSGSIZE : 1;
		}
		if (seen >= s->limit + mark_size)
			return -EMSGSIZE;
		from = seen < mark_size ? 0 : seen - (mark_size - 1); /* its first bytes may be there */
		r = fill_some(s, s->limit + mark_size);
		if (r <= 0)
			return (int)r;
	}
}

ssize_t holt_stream_read_line(holt_stream *s, char **ret_line)
{
	size_t n;
	char *line;
	int r = begin(s);

	if (r < 0)
		return r;
	if (!ret_line)
		return -EINVAL;
	r = find(s, "\n", 1, &n);
	if (r < 0)
		return r;
	if (r == 0 && s->in.n == 0) {
		*ret_line = NULL;
		return 0;
	}
	if (r == 0) /* the last one, without a newline */
		n = s->in.n;
	line = first(s);
	line[n] = 0;
	holt__bytes_take(&s->in, n + (size_t)r);
	*ret_line = line;
	return (ssize_t)n;
}

ssize_t holt_stream_read_until(holt_stream *s, const void *mark, size_t mark_size, void **ret_data)
{
	size_t n;
	int r = begin(s);

	if (r < 0)
		return r;
	if (!ret_data || !mark || mark_size == 0 || mark_size > SIZE_MAX / 8)
		return -EINVAL;
	r = find(s, mark, mark_size, &n);
	if (r < 0)
		return r;
	if (r == 0 && s->in.n > 0)
		return -ENODATA;
	*ret_data = NULL;
	if (r == 0)
		return 0;
	n += mark_size;
	*ret_data = first(s);
	holt__bytes_take(&s->in, n);
	return (ssize_t)n;
}
