/* SPDX-License-Identifier: MIT */
/*
 * What a loop knows of a descriptor, and how a task waits for one.
 *
 * A record is made when one of our calls first sees a number; the kind of file is asked for then, and the file made
 * non-blocking. epoll hears of it only when a task first has to wait, for one direction (and of the other one when somebody
 * waits for that: a unix socket would else wake an echo server each time that its peer has read something). From then on
 * it is edge-triggered, and no operation needs epoll_ctl.
 *
 * The system call is tried first, unless the side is known to be dry. How that is known, and when it is wrong:
 *
 *	- EAGAIN says so, for every kind of file.
 *	- A read that returned less than was asked for says so, for TCP and pipes. Not for other sockets, whose messages
 *	  have ends of their own (sctp and netlink are told from TCP by asking for one of its options). For unix streams
 *	  only as long as no descriptors or credentials came with the bytes: the kernel ends a read there, with more behind.
 *	- Never after an event that announced an end, an error or urgent data (wary): the end may have come in the same event
 *	  as the last bytes, so no further one would follow; and urgent data cuts a read short.
 *	- A short write has filled a TCP socket. Others may have been short of memory, of which no event tells.
 *	- An event ends it. One that the kernel made after our read comes after it.
 *
 * First come, first served: an event wakes the first waiter of its side, and nobody tries before that one has. It
 * tries before it looks at a cancellation, since the event was its result. Having found something, and unless that
 * was all, it wakes the next. Having found nothing it goes back to the front.
 *
 * A number that was closed behind our back and is another file now: epoll_ctl says ENOENT for it. Each side remembers
 * which task has proved it last; another one proves it again before it waits, and before it makes a call that
 * would block on a file in blocking mode. On sockets, MSG_DONTWAIT sees to that. What our own calls open was not known before.
 *
 * Inherited stdio and terminals are shared with other processes, so their mode is not touched: poll(2) says whether a
 * call would block, and what it may take without blocking is then done. They are registered level-triggered, one event
 * at a time. So are foreign descriptors, for holt_wait_fd: those records go when nobody waits any more.
 *
 * A record is gone with holt_close or when its number turns out to be another file's; who waits gets -EBADF. A task that had
 * been woken but not run is told through its waiter, so that it does not read from whatever has the number then.
 */
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { IN_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR };

/* ---- records */

static void fire_foreign(struct holt__source *s, uint32_t events);

static void end_of_loop(struct holt_loop *loop, struct holt__loop_end *e)
{
	struct holt__ios *ios = holt__container(e, struct holt__ios, end);

	for (size_t fd = 0; fd < loop->n_sources; fd++) {
		struct holt__io *io = holt__io_find(loop, (int)fd);

		if (!io)
			continue;
		loop->sources[fd] = NULL; /* epoll goes as a whole */
		holt__free(io);
	}
	holt__io_signals_free(ios);
	loop->ios = NULL;
	holt__free(ios);
}

struct holt__ios *holt__ios(struct holt_loop *loop)
{
	struct holt__ios *ios = loop->ios;

	if (ios)
		return ios;
	ios = holt__calloc(1, sizeof *ios);
	if (!ios)
		return NULL;
	ios->end.fn = end_of_loop;
	ios->end.next = loop->ends;
	loop->ends = &ios->end;
	return loop->ios = ios;
}

struct holt__io *holt__io_find(struct holt_loop *loop, int fd)
{
	struct holt__source *s = holt__loop_source(loop, fd);

	if (!s || (s->fire != holt__io_fire && s->fire != holt__io_fire_foreign))
		return NULL;
	return holt__container(s, struct holt__io, source);
}

int holt__io_new(struct holt_loop *loop, int fd, void (*fire)(struct holt__source *s, uint32_t events), struct holt__io **ret_io)
{
	struct holt__ios *ios = holt__ios(loop);
	struct holt__io *io = ios ? holt__calloc(1, sizeof *io) : NULL;
	int r;

	if (!io)
		return -ENOMEM;
	io->source.fire = fire;
	io->serial = ++ios->serial;
	r = holt__loop_place(loop, &io->source, fd);
	if (r < 0) {
		holt__free(io);
		return r;
	}
	*ret_io = io;
	return 0;
}

static void close_side(struct holt__side *side)
{
	holt__wake_all(&side->waiters, -EBADF);
	if (side->woken)
		side->woken->io = NULL;
}

void holt__io_forget(struct holt_loop *loop, struct holt__io *io)
{
	close_side(&io->in);
	close_side(&io->out);
	holt__wake_all(&io->watchers, -EBADF);
	if (io->interest)
		holt__loop_detach(loop, &io->source);
	else
		holt__loop_displace(loop, &io->source);
	holt__free(io);
}

void holt__io_forget_number(struct holt_loop *loop, int fd)
{
	struct holt__io *io = holt__io_find(loop, fd);

	if (io)
		holt__io_forget(loop, io);
}
