/* SPDX-License-Identifier: MIT */
/*
 * Waiting for events on anybody's descriptor, as poll(2) would. What is there already costs one system call.
 *
 * A descriptor that our own calls use is registered already, edge-triggered: there one only has to be told of the next
 * event, for poll has just said that there is none yet. A foreign one is registered for as long as somebody waits, for one
 * event at a time, and that is undone before the first of its waiters runs again, or when the last one was canceled.
 */
#include <errno.h>
#include <poll.h>

#include "io/fd.h"

enum { ALWAYS = EPOLLERR | EPOLLHUP, MAY_ASK = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP };

static void gone_or_rearm(struct holt__io *io)
{
	struct holt_loop *loop = &holt__here->loop;

	if (io->watchers.head)
		holt__io_rearm(loop, io);
	else
		holt__io_forget(loop, io);
}

void holt__io_fire_foreign(struct holt__source *s, uint32_t events)
{
	struct holt__io *io = holt__container(s, struct holt__io, source);

	holt__io_wake_watchers(io, events);
	gone_or_rearm(io);
}

static void canceled(struct holt__waiter *w)
{
	struct holt__io *io = holt__container(w, struct holt__io_waiter, w)->io;

	if (!io->watchers.head && io->source.fire == holt__io_fire_foreign)
		holt__io_forget(w->task->loop, io);
}

/* Makes sure that an event will come. HOLT__IO_STALE: look again. */
static int watch(holt_task *t, int fd, uint32_t events, struct holt__io **ret_io)
{
	struct holt__io *io = holt__io_find(t->loop, fd);
	int r;

	if (!io) {
		r = holt__io_new(t->loop, fd, holt__io_fire_foreign, &io);
		if (r < 0)
			return r;
		io->level = true;
	}
	io->special = true;
	r = holt__io_watch(t->loop, io, events);
	if (r == -EPERM) /* a regular file, asked for what poll never says of one */
		r = 0;
	if (r < 0 && io->source.fire == holt__io_fire_foreign && !io->watchers.head)
		holt__io_forget(t->loop, io);
	*ret_io = io;
	return r;
}

int holt_wait_fd(int fd, unsigned events)
{
	struct holt__io_waiter w = { .w.left = canceled };
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	if (events & ~(unsigned)MAY_ASK)
		return -EINVAL;
	if (fd < 0) /* of which poll would say nothing */
		return -EBADF;
	do {
		do
			r = holt__sys->poll(fd, events, 0);
		while (r == -EINTR);
		if (r > 0)
			return r & POLLNVAL ? -EBADF : r;
		if (r < 0)
			return r;
		r = watch(t, fd, events, &w.io);
	} while (r == HOLT__IO_STALE);
	if (r < 0)
		return r;
	w.w.data = (void *)(uintptr_t)(events | ALWAYS);
	return holt__wait(t, &w.io->watchers, &w.w, "events of fd", (void *)(intptr_t)fd);
}
