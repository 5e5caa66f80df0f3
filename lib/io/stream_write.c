/* SPDX-License-Identifier: MIT */
/*
 * The writing side of streams: bytes into the buffer, and out of it, by one function that does not wait. The essay is in
 * stream.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/stream.h"

struct holt__piece {
	const void *data;
	size_t n;
};

/* ---- out of the buffer */

static bool kernel_is_full(const holt_stream *s)
{
	return s->room.list != NULL;
}

static void push_later(holt_stream *s);

static bool something_is_there(const holt_stream *s)
{
	int r = holt__sys->poll(s->fd, EPOLLIN, 0);

	return r > 0 && (r & EPOLLIN);
}

/*
 * The kernel itself tells a reader of a connection that is broken. Not so of what is our own trouble; and then who has asked waits
 * for an answer to a question that was never sent. With EPIPE, which tells of the peer's reading only, reading goes on.
 */
void holt__stream_interrupt(holt_stream *s)
{
	if (!s->reader || s->out_error == -EPIPE)
		return;
	if (s->reader->state != HOLT__PARKED || something_is_there(s)) { /* of which it will hear in this turn */
		push_later(s);
		return;
	}
	s->interrupted = true;
	holt__wake(s->reader, s->out_error);
}

static void fail(holt_stream *s, int error)
{
	s->out_error = error;
	holt__waiter_remove(&s->room);
	holt__bytes_free(&s->out);
	holt__wake_all(&s->writers, error);
	holt__wake_all(&s->flushers, error);
	holt__stream_interrupt(s);
}

static int take(holt_stream *s, const void *data, size_t n)
{
	int r = 0;

	if (holt__bytes_room(&s->out) < n) /* half as much more: then those that are moved for it are moved seldom */
		r = holt__bytes_reserve(&s->out, n + s->out.n / 2);
	if (r < 0)
		return r;
	memcpy(holt__bytes_end(&s->out), data, n);
	s->out.n += n;
	s->taken += n;
	return 0;
}

/* So many went out: those who waited for that are told. */
static void went_out(holt_stream *s, size_t n)
{
	struct holt__waiter *w;

	s->sent += n;
	while ((w = s->flushers.head) && *(const uint64_t *)w->data <= s->sent)
		holt__wake_by(w, 0);
	if (s->out.n > s->low)
		return;
	while ((w = s->writers.head) && s->out.n <= s->high) {
		const struct holt__piece *p = w->data;

		holt__wake_by(w, take(s, p->data, p->n));
	}
}

static void push(struct holt__later *l)
{
	holt_stream *s = holt__container(l, holt_stream, later);

	holt__stream_push(s);
	if (s->out_error)
		holt__stream_interrupt(s);
}

static void push_later(holt_stream *s)
{
	s->later.fn = push;
	holt__loop_later(&holt__here->loop, &s->later);
}

static void has_room(struct holt__waiter *w)
{
	holt_stream *s = holt__container(w, holt_stream, room);
	intptr_t r = (intptr_t)w->data;

	if (r < 0)
		fail(s, (int)r);
	else
		push_later(s); /* not from here: a send takes its time */
}

/* To be called when the kernel has room again. */
static void wait_for_room(holt_stream *s)
{
	int r;

	if (kernel_is_full(s))
		return;
	s->room.left = has_room;
	r = holt__here ? holt__io_call(&holt__here->loop, s->fd, EPOLLOUT, &s->room) : -EBADF;
	if (r < 0)
		fail(s, r);
}

void holt__stream_push(holt_stream *s)
{
	ssize_t r;

	while (s->out.n > 0) {
		r = s->transport->write(s, s->out.buf + s->out.at, s->out.n);
		if (r == -EAGAIN) {
			wait_for_room(s);
			return;
		}
		if (r < 0) {
			fail(s, (int)r);
			return;
		}
		holt__bytes_take(&s->out, (size_t)r);
		went_out(s, (size_t)r);
	}
	holt__waiter_remove(&s->room);
	if (s->out.size > HOLT__BYTES_KEPT)
		holt__bytes_free(&s->out);
}

/* ---- into the buffer */

/* Those that came before are out, and this one is more than the buffer should hold: what the kernel has room for is not copied. */
static int take_large(holt_stream *s, const char *data, size_t n)
{
	ssize_t r = holt__bytes_reserve(&s->out, n); /* first: then what is left cannot fail */

	if (r < 0)
		return (int)r;
	while (n > 0) {
		r = s->transport->write(s, data, n);
		if (r < 0)
			break;
		data += r;
		n -= (size_t)r;
		s->taken += (size_t)r;
		s->sent += (size_t)r;
	}
	if (r < 0 && r != -EAGAIN) {
		fail(s, (int)r);
		return (int)r;
	}
	if (n == 0) {
		holt__bytes_free(&s->out);
		return 0;
	}
	take(s, data, n);
	wait_for_room(s);
	return s->out_error;
}

/* What the descriptor is has to be known before something is sent outside of tasks: among others, it must not block. */
static int know_descriptor(holt_task *t, holt_stream *s)
{
	struct holt__io *io;
	int r = holt__io_get(t, s->fd, &io);

	s->direct = r == HOLT__IO_DIRECT;
	return r < 0 ? r : 0;
}

static int wait_in_line(holt_task *t, holt_stream *s, const void *data, size_t n)
{
	struct holt__piece piece = { data, n };
	int r;

	s->users++;
	r = holt__wait_here(t, &s->writers, NULL, &piece, "room to write to stream on fd", (void *)(intptr_t)s->fd);
	s->users--;
	return r;
}

static int put(holt_task *t, holt_stream *s, const void *data, size_t n)
{
	int r;

	if (s->out_error || s->ended)
		return s->out_error ? s->out_error : -EPIPE;
	if (n == 0)
		return 0;
	r = know_descriptor(t, s);
	if (r < 0)
		return r;
	if (s->out.n > s->high && !kernel_is_full(s))
		holt__stream_push(s);
	if (s->out_error)
		return s->out_error;
	if (s->out.n > s->high || s->writers.head)
		return wait_in_line(t, s, data, n);
	if (s->out.n == 0 && n > s->high)
		return take_large(s, data, n);
	r = take(s, data, n);
	if (r == 0 && !kernel_is_full(s))
		push_later(s);
	return r;
}

int holt_stream_write(holt_stream *s, const void *buf, size_t n)
{
	holt_task *t;
	int r = holt__enter(&t);

	return r < 0 ? r : put(t, s, buf, n);
}

/* One that does not fit is formatted again into memory of its size. */
static __attribute__((format(printf, 4, 0))) int put_long(holt_task *t, holt_stream *s, size_t n, const char *fmt, va_list args)
{
	char *text = holt__malloc(n + 1);
	int r;

	if (!text)
		return -ENOMEM;
	vsnprintf(text, n + 1, fmt, args);
	r = put(t, s, text, n);
	holt__free(text);
	return r;
}

int holt_stream_printf(holt_stream *s, const char *fmt, ...)
{
	char text[256];
	va_list args;
	holt_task *t;
	int n, r = holt__enter(&t);

	if (r < 0)
		return r;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof text)
		return put(t, s, text, (size_t)n);
	va_start(args, fmt);
	r = put_long(t, s, (size_t)n, fmt, args);
	va_end(args);
	return r;
}

/* ---- until it is out */

static int flush(holt_task *t, holt_stream *s)
{
	uint64_t all = s->taken;
	int r;

	if (s->out.n > 0 && !kernel_is_full(s))
		holt__stream_push(s);
	if (s->out_error || s->sent >= all)
		return s->out_error;
	s->users++;
	r = holt__wait_here(t, &s->flushers, NULL, &all, "flush of stream on fd", (void *)(intptr_t)s->fd);
	s->users--;
	return r;
}

int holt_stream_flush(holt_stream *s)
{
	holt_task *t;
	int r = holt__enter(&t);

	return r < 0 ? r : flush(t, s);
}

int holt_stream_end(holt_stream *s)
{
	holt_task *t;
	int r = holt__enter(&t);

	while (r == 0 && !s->ended && (s->out.n > 0 || s->out_error)) /* others may write meanwhile */
		r = flush(t, s);
	if (r < 0 || s->ended)
		return r;
	s->users++;
	r = s->transport->shutdown(s);
	s->users--;
	if (r == 0)
		s->ended = true;
	return r;
}
