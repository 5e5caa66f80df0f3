/* SPDX-License-Identifier: MIT */
/*
 * Lines to stderr: "shop/api | what it wrote". What comes in a round goes out by one write at its end. Others have this open file,
 * too (a shell, its terminal), so its flags are not ours to change, and yet it must not hold us up: a pipe is written
 * without waiting (RWF_NOWAIT), a socket is sent to (MSG_DONTWAIT), else we ask first and write little at a time.
 *
 * A terminal that is stopped, or a pipe that nobody reads, makes lines wait, up to 64 KiB; then they are dropped, and that
 * is told as soon as there is room. Here a process is not held up, as one that looks on shall not decide whether it runs.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <holt/run.h>

#include "base/alloc.h"
#include "daemon/lines_parts.h"

enum { WIDTH_MAX = 40, NOTE_MAX = 160 };
#define RETRY (20 * HOLT_MS)

/* ---- writing */

static ssize_t write_some(const struct console *c)
{
	struct iovec v = { c->buf, c->n };
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	ssize_t k;

	if (c->kind == CONSOLE_FILE)
		return write(c->fd, c->buf, c->n);
	if (c->kind == CONSOLE_SOCKET)
		return send(c->fd, c->buf, c->n, MSG_DONTWAIT | MSG_NOSIGNAL);
	errno = EAGAIN;
	if (poll(&p, 1, 0) <= 0)
		return -1;
	errno = EPIPE;
	if (p.revents & (POLLERR | POLLHUP | POLLNVAL)) /* nobody is there: not worth a SIGPIPE */
		return -1;
	k = pwritev2(c->fd, &v, 1, -1, RWF_NOWAIT);
	if (k >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
		return k;
	return write(c->fd, c->buf, c->n < PIPE_BUF ? c->n : PIPE_BUF); /* what a writable pipe takes at least */
}

static void wait_for_room(struct console *c)
{
	if (watch_added(&c->writable) || holt__timer_started(&c->retry))
		return;
	if (watch_add(c->watcher, &c->writable, c->fd, EPOLLOUT) < 0)
		watch_timer(c->watcher, &c->retry, holt_in(RETRY));
}

static void tell_dropped(struct console *c);

/* All of it, or as much as it takes. */
static void write_out(struct console *c)
{
	while (c->n > 0) {
		ssize_t k = write_some(c);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN) {
			wait_for_room(c);
			return;
		}
		if (k <= 0) /* nobody is there any more, or the disk is full: there is nowhere to tell that */
			k = (ssize_t)c->n;
		c->n -= (size_t)k;
		memmove(c->buf, c->buf + k, c->n);
		if (c->dropped && c->room - c->n > NOTE_MAX)
			tell_dropped(c);
	}
	holt__free(c->buf);
	c->buf = NULL;
	c->room = 0;
}

static void later(struct watch_later *l)
{
	struct console *c = holt__container(l, struct console, later);

	if (!watch_added(&c->writable) && !holt__timer_started(&c->retry))
		write_out(c);
}

static void writable(struct watch *w, uint32_t events)
{
	struct console *c = holt__container(w, struct console, writable);

	(void)events;
	watch_remove(c->watcher, w);
	write_out(c);
}

static void retry(struct holt__timer *t)
{
	write_out(holt__container(t, struct console, retry));
}

/* ---- a line */

static bool make_room(struct console *c, size_t n)
{
	size_t room = c->n + n, most = c->n ? CONSOLE_MAX : room;
	char *more;

	if (room <= c->room)
		return true;
	if (room > most)
		return false;
	room = room < CONSOLE_MAX / 8 ? CONSOLE_MAX / 8 : room < CONSOLE_MAX ? CONSOLE_MAX : room;
	more = holt__realloc(c->buf, room);
	if (!more)
		return false;
	c->buf = more;
	c->room = room;
	return true;
}

static void put(struct console *c, const char *s, size_t n)
{
	memcpy(c->buf + c->n, s, n);
	c->n += n;
}

/* A color of its own for each name, as far as there are. */
static unsigned color_of(const char *name)
{
	static const unsigned colors[] = { 36, 33, 32, 35, 34, 96, 93, 92, 95, 94 };
	unsigned sum = 0;

	while (*name)
		sum = sum * 31 + (unsigned char)*name++;
	return colors[sum % HOLT__N(colors)];
}

static void put_line(struct console *c, int priority, const char *name, const char *s, size_t n)
{
	char head[320];
	int k = 0;

	if (c->prefixed)
		k = snprintf(head, sizeof head, "<%d>", priority);
	if (c->colored)
		k += snprintf(
			head + k, sizeof head - (size_t)k, "\033[%um%-*.200s |\033[0m ", color_of(name), (int)c->width, name);
	else
		k += snprintf(head + k, sizeof head - (size_t)k, "%-*.200s | ", (int)c->width, name);
	if (!make_room(c, (size_t)k + n + 1)) {
		c->dropped++;
		return;
	}
	put(c, head, (size_t)k);
	put(c, s, n);
	put(c, "\n", 1);
}

/* There is room for it. */
static void tell_dropped(struct console *c)
{
	char note[80];
	int k = snprintf(note, sizeof note, "%lu lines were dropped, because stderr was not read", c->dropped);

	c->dropped = 0;
	put_line(c, LOG_WARNING, "holtd", note, (size_t)k);
}

void console_write(struct console *c, int priority, const char *name, const char *s, size_t n)
{
	size_t len = strlen(name);

	if (len > c->width && len <= WIDTH_MAX)
		c->width = (unsigned)len;
	if (c->dropped && c->n > 0) { /* in its place, and not later than what comes now */
		c->dropped++;
		return;
	}
	if (c->dropped)
		tell_dropped(c);
	put_line(c, priority, name, s, n);
	if (c->n >= CHUNK)
		later(&c->later);
	else
		watch_later(c->watcher, &c->later);
}

/* ---- open and close */

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void console_open(struct console *c, struct watcher *w, unsigned width)
{
	struct stat st;

	*c = (struct console){
		.watcher = w, .fd = STDERR_FILENO, .kind = CONSOLE_OTHER, .width = width < WIDTH_MAX ? width : WIDTH_MAX
	};
	c->writable.fire = writable;
	c->retry.fire = retry;
	c->later.fire = later;
	if (c->width < 5)
		c->width = 5; /* "holtd" */
	if (fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode))
		c->kind = CONSOLE_FILE;
	else if (fstat(c->fd, &st) == 0 && S_ISSOCK(st.st_mode))
		c->kind = CONSOLE_SOCKET;
	else
		c->colored = isatty(c->fd) && wants_color();
}

void console_flush(struct console *c, holt_time end)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	holt_time now;

	write_out(c);
	while (c->n > 0 && (now = lines_clock()) < end) {
		if (poll(&p, 1, (int)((end - now) / HOLT_MS) + 1) <= 0)
			break;
		write_out(c);
	}
}

void console_close(struct console *c)
{
	watch_remove(c->watcher, &c->writable);
	watch_not_later(c->watcher, &c->later);
	holt__timer_stop(&c->retry);
	holt__free(c->buf);
	c->buf = NULL;
}
