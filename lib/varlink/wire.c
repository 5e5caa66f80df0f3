/* SPDX-License-Identifier: MIT */
/*
 * See wire.h.
 */
#include "varlink/wire.h"

#include <errno.h>
#include <string.h>

#include <holt/io.h>

#include "base/alloc.h"

enum { FIRST = 4096 };

static bool is_small(const struct holt__varlink_wire *w)
{
	return w->buf == w->small;
}

/* The unread bytes go to the front of another buffer; the one before is gone. */
static void move_to(struct holt__varlink_wire *w, char *buf, size_t size)
{
	size_t n = w->end - w->start;

	memcpy(buf, w->buf + w->start, n);
	if (!is_small(w)) {
		holt__free(w->buf);
		holt__varlink_uncharge(&w->account, w->size);
	}
	w->buf = buf;
	w->size = size;
	w->seen -= w->start;
	w->start = 0;
	w->end = n;
}

void holt__varlink_wire_init(struct holt__varlink_wire *w, int fd, size_t max)
{
	w->fd = fd;
	w->buf = w->small;
	w->size = sizeof w->small;
	w->start = w->end = w->seen = 0;
	w->max = max;
	w->account = (struct holt__varlink_account){ .quota = NULL };
}

void holt__varlink_wire_free(struct holt__varlink_wire *w)
{
	w->start = w->seen = w->end;
	if (!is_small(w))
		move_to(w, w->small, sizeof w->small);
}

int holt__varlink_wire_message(struct holt__varlink_wire *w, const char **ret_text, size_t *ret_n)
{
	const char *nul = memchr(w->buf + w->seen, 0, w->end - w->seen);
	size_t n = nul ? (size_t)(nul - (w->buf + w->start)) : w->end - w->start;

	if (n > w->max)
		return -EMSGSIZE;
	if (!nul) {
		w->seen = w->end;
		return 0;
	}
	*ret_text = w->buf + w->start;
	*ret_n = n;
	return 1;
}

void holt__varlink_wire_take(struct holt__varlink_wire *w, size_t n)
{
	w->start += n + 1;
	w->seen = w->start;
	if (w->start < w->end)
		return;
	if (!is_small(w))
		move_to(w, w->small, sizeof w->small);
	w->start = w->end = w->seen = 0;
}

static int grow(struct holt__varlink_wire *w)
{
	size_t size = w->size < FIRST ? FIRST : 2 * w->size;
	char *buf;
	int r;

	if (size > w->max + 1)
		size = w->max + 1;
	r = holt__varlink_charge(&w->account, size);
	if (r < 0)
		return r;
	buf = holt__malloc(size);
	if (!buf) {
		holt__varlink_uncharge(&w->account, size);
		return -ENOMEM;
	}
	move_to(w, buf, size);
	return 0;
}

/*
 * The unread bytes are the beginning of one message, of at most max bytes: all before it was taken. So a buffer of max + 1
 * always gets room by moving them, and they are moved again only after as many new ones have come.
 */
static int make_room(struct holt__varlink_wire *w)
{
	size_t n = w->end - w->start;

	if (w->end < w->size)
		return 0;
	if (n > w->size / 2 && w->size <= w->max)
		return grow(w);
	if (!is_small(w) && n < sizeof w->small) {
		move_to(w, w->small, sizeof w->small);
		return 0;
	}
	memmove(w->buf, w->buf + w->start, n);
	w->seen -= w->start;
	w->start = 0;
	w->end = n;
	return 0;
}

ssize_t holt__varlink_wire_fill(struct holt__varlink_wire *w)
{
	ssize_t n;
	int r = make_room(w);

	if (r < 0)
		return r;
	n = holt_recv(w->fd, w->buf + w->end, w->size - w->end, 0);
	if (n > 0)
		w->end += (size_t)n;
	return n;
}

int holt__varlink_wire_send(struct holt__varlink_wire *w, const char *text, size_t n, size_t *ret_sent)
{
	*ret_sent = 0;
	while (*ret_sent < n) {
		ssize_t k = holt_send(w->fd, text + *ret_sent, n - *ret_sent, MSG_NOSIGNAL);

		if (k < 0)
			return (int)k;
		*ret_sent += (size_t)k;
	}
	return 0;
}
