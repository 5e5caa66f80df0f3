/* SPDX-License-Identifier: MIT */
/*
 * Streams: a buffer for each direction over one descriptor.
 *
 * Reading (stream_read.c) is done by the task that wants something: it reads into the buffer until that holds what was asked
 * for, and only then takes it out. So there is nothing to undo when it is canceled between two reads, or the end comes, or
 * a line is too long.
 *
 * Writing (stream_write.c) is done by nobody in particular. A write puts its bytes into the buffer, and asks the loop to
 * call holt__stream_push at the beginning of the next turn; that sends what the kernel takes. If there is no room, the
 * descriptor's record calls when there is. Tasks that wait are told from there: a flush when its bytes are out; a
 * write that found too much in the buffer when there is little, and then its bytes have been taken already, before it
 * runs again. So there is one place that sends, writes are whole and keep their order, and a write that
 * was canceled while it waited has left nothing behind.
 *
 * This is also why a request needs no flush before its answer is waited for: to wait is to end the turn. And a server that
 * finds ten requests in its buffer sends ten answers by one call.
 *
 * What the bytes go through is a table of four functions, below for the descriptor itself.
 */
#include "io/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"

enum { DEFAULT_LIMIT = 64 * 1024, DEFAULT_BUFFER = 64 * 1024 }; /* asyncio's */

/* ---- bytes */

int holt__bytes_reserve(struct holt__bytes *b, size_t room)
{
	size_t size = b->size ? b->size : HOLT__BYTES_KEPT;
	char *buf;

	if (room <= holt__bytes_room(b))
		return 0;
	if (room > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
		return -ENOMEM;
	if (b->n + room <= b->size) { /* what was taken from the front is room, too */
		memmove(b->buf, b->buf + b->at, b->n);
		b->at = 0;
		return 0;
	}
	while (size < b->n + room)
		size *= 2;
	buf = holt__malloc(size);
	if (!buf)
		return -ENOMEM;
	if (b->n > 0)
		memcpy(buf, b->buf + b->at, b->n);
	holt__free(b->buf);
	*b = (struct holt__bytes){ .buf = buf, .n = b->n, .size = size };
	return 0;
}

void holt__bytes_free(struct holt__bytes *b)
{
	holt__free(b->buf);
	*b = (struct holt__bytes){ 0 };
}

/* ---- the descriptor as transport */

static ssize_t fd_read(holt_stream *s, void *buf, size_t n)
{
	return holt_read(s->fd, buf, n);
}

static ssize_t fd_write(holt_stream *s, const void *buf, size_t n)
{
	struct holt__io *io = NULL;

	if (!s->direct) {
		io = holt__here ? holt__io_find(&holt__here->loop, s->fd) : NULL;
		if (!io) /* somebody has closed it, or its loop has ended */
			return -EBADF;
	}
	return holt__io_write_now(s->fd, io, buf, n);
}

static int fd_shutdown(holt_stream *s)
{
	int r = holt__sys->shutdown(s->fd, SHUT_WR);

	return r == -ENOTSOCK ? 0 : r;
}

static void fd_close(holt_stream *s)
{
	if (!s->keep_fd)
		holt_close(s->fd);
}

static const struct holt__transport plain = { .read = fd_read, .write = fd_write, .shutdown = fd_shutdown, .close = fd_close };

/* ---- open and close */

int holt_stream_open_with(holt_stream **ret, int fd, const struct holt_stream_options *options)
{
	struct holt_stream_options o;
	holt_stream *s;
	int r;

	r = holt__options(&o, sizeof o, options);
	if (r < 0)
		return r;
	if (!ret || fd < 0)
		return ret ? -EBADF : -EINVAL;
	s = holt__calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->transport = &plain;
	s->fd = fd;
	s->keep_fd = o.keep_fd;
	s->limit = o.limit == 0 ? DEFAULT_LIMIT : o.limit < SIZE_MAX / 8 ? o.limit : SIZE_MAX / 8;
	s->high = o.buffer == 0 ? DEFAULT_BUFFER : o.buffer;
	s->low = s->high / 4;
	*ret = s;
	return 0;
}

holt_stream *holt_stream_close(holt_stream *s)
{
	int saved = errno;

	if (!s)
		return NULL;
	if (s->users > 0)
		holt__die("holt_stream_close: a task still waits in the stream; close the group of those who use it first");
	if (s->out.n > 0)
		holt__stream_push(s);
	holt__waiter_remove(&s->room);
	if (holt__here)
		holt__later_drop(&holt__here->loop, &s->later);
	s->transport->close(s);
	holt__bytes_free(&s->in);
	holt__bytes_free(&s->out);
	holt__free(s);
	errno = saved;
	return NULL;
}

void holt_auto_stream(holt_stream **s)
{
	holt_stream_close(*s);
}
