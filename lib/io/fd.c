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
 *	- A short write says nothing: it may have been short of memory, of which no event tells. The next one's EAGAIN does, and
 *	  costs a system call in hundreds of kilobytes.
 *	- An event ends it. One that the kernel made after our read comes after it.
 *
 * First come, first served: an event wakes the first waiter of its side, and nobody tries before that one has. It
 * tries before it looks at a cancellation, since the event was its result. Having found something, and unless that
 * was all, it wakes the next. Having found nothing it goes back to the front.
 *
 * A number that was closed behind our back and is another file now: epoll_ctl says ENOENT for it. Each side remembers
 * which task has proved it last; another one proves it again before it waits. The same task does not, for that would be a
 * system call more for each request: if it waits for long (doubt.c), that is done for it. A call that would block if the
 * other file is in blocking mode looks at the mode before; on sockets MSG_DONTWAIT sees to it. What our own calls open was
 * not known before.
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

#ifdef HOLT__ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)0)
#endif

enum { LINE = 64, SLAB = 31 };

struct holt__io_slab {
	struct holt__io_slab *next;
	char room[SLAB * sizeof(struct holt__io) + LINE];
};

/* ---- records */

static void end_of_loop(struct holt_loop *loop, struct holt__loop_end *e)
{
	struct holt__ios *ios = holt__container(e, struct holt__ios, end);

	for (struct holt__io *io = ios->all; io; io = io->next) {
		holt__loop_displace(loop, &io->source); /* epoll goes as a whole */
		for (struct holt__waiter *w = io->watchers.head, *next; w; w = next) {
			next = w->next;
			if (!w->task) /* tasks there are none any more */
				holt__io_told(w, -EBADF);
		}
	}
	holt__timer_stop(&ios->check);
	while (ios->slabs) {
		struct holt__io_slab *slab = ios->slabs;

		ios->slabs = slab->next;
		holt__free(slab);
	}
	holt__io_signals_free(ios);
	holt__io_wall_free(loop);
	loop->ios = NULL;
	loop->close = NULL;
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
	loop->close = holt_close;
	return loop->ios = ios;
}

struct holt__io *holt__io_find(struct holt_loop *loop, int fd)
{
	struct holt__source *s = holt__loop_source(loop, fd);

	if (!s || (s->fire != holt__io_fire && s->fire != holt__io_fire_foreign))
		return NULL;
	return holt__container(s, struct holt__io, source);
}

/* Records come in slabs, so that each has its cache lines for itself. They are kept for the next until the loop ends. */
static int add_slab(struct holt__ios *ios)
{
	struct holt__io_slab *slab = holt__calloc(1, sizeof *slab);
	struct holt__io *io;

	if (!slab)
		return -ENOMEM;
	slab->next = ios->slabs;
	ios->slabs = slab;
	io = (struct holt__io *)(((uintptr_t)slab->room + LINE - 1) & ~(uintptr_t)(LINE - 1));
	for (int i = SLAB; i-- > 0;) {
		io[i].next = ios->spare;
		ios->spare = &io[i];
	}
	return 0;
}

int holt__io_new(struct holt_loop *loop, int fd, void (*fire)(struct holt__source *s, uint32_t events), struct holt__io **ret_io)
{
	struct holt__ios *ios = holt__ios(loop);
	struct holt__io *io;
	int r;

	if (!ios || (!ios->spare && add_slab(ios) < 0))
		return -ENOMEM;
	io = ios->spare;
	ASAN_UNPOISON_MEMORY_REGION(io, LINE);
	r = holt__loop_place(loop, &io->source, fd);
	if (r < 0)
		return r;
	ios->spare = io->next;
	*io = (struct holt__io){ .source = { .fd = fd, .fire = fire }, .serial = ++ios->serial };
	io->next = ios->all;
	io->link = &ios->all;
	if (io->next)
		io->next->link = &io->next;
	ios->all = io;
	*ret_io = io;
	return 0;
}

static void end_side(struct holt__side *side, int result)
{
	holt__wake_all(&side->waiters, result);
	if (side->woken)
		side->woken->io = NULL;
}

static void end(struct holt_loop *loop, struct holt__io *io, int result)
{
	end_side(&io->in, result);
	end_side(&io->out, result);
	while (io->watchers.head)
		holt__io_told(io->watchers.head, -EBADF);
	if (io->interest)
		holt__loop_detach(loop, &io->source);
	else
		holt__loop_displace(loop, &io->source);
	*io->link = io->next;
	if (io->next)
		io->next->link = io->link;
	if (loop->ios->check_next == io)
		loop->ios->check_next = io->next;
	io->source.fire = NULL;
	io->next = loop->ios->spare;
	loop->ios->spare = io;
	ASAN_POISON_MEMORY_REGION(io, LINE); /* who still looks at it is found */
}

void holt__io_forget(struct holt_loop *loop, struct holt__io *io)
{
	end(loop, io, -EBADF);
}

void holt__io_retry(struct holt_loop *loop, struct holt__io *io)
{
	end(loop, io, HOLT__IO_STALE);
}

void holt__io_forget_number(struct holt_loop *loop, int fd)
{
	struct holt__io *io = holt__io_find(loop, fd);

	if (io)
		holt__io_forget(loop, io);
}

/* ---- a number seen for the first time */

static bool option(int fd, int name, int *ret_value)
{
	socklen_t len = sizeof *ret_value;

	return holt__sys->getsockopt(fd, SOL_SOCKET, name, ret_value, &len) == 0;
}

static void look_at_socket(struct holt__io *io, int fd)
{
	int domain = -1, type = -1;

	io->socket = true;
	if (option(fd, SO_DOMAIN, &domain) && domain == AF_UNIX && option(fd, SO_TYPE, &type) && type == SOCK_STREAM)
		io->kind = HOLT__IO_UNIX;
}

static int look_at_file(struct holt__io *io, int fd)
{
	struct stat st;
	int r = holt__sys->fstat(fd, &st);

	if (r < 0)
		return r;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
		return HOLT__IO_DIRECT;
	if (S_ISFIFO(st.st_mode))
		io->kind = HOLT__IO_PIPE;
	io->terminal = S_ISCHR(st.st_mode) && holt__sys->isatty(fd);
	io->blocking = io->level = io->terminal || fd <= 2;
	return 0;
}

/* What is it? The commonest first: one call finds a TCP socket. */
static int look(struct holt__io *io, int fd)
{
	socklen_t len = sizeof(int);
	int value, r;

	r = holt__sys->getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len);
	if (r == 0) {
		io->socket = true;
		io->kind = HOLT__IO_TCP;
	} else if (r == -ENOTSOCK) {
		r = look_at_file(io, fd);
	} else if (r != -EBADF) {
		look_at_socket(io, fd);
		r = 0;
	}
	if (io->socket && fd <= 2)
		io->blocking = true; /* MSG_DONTWAIT does for it */
	return r;
}

static int make_nonblocking(int fd)
{
	int flags = holt__sys->get_flags(fd);

	return flags < 0 || (flags & O_NONBLOCK) ? flags : holt__sys->set_flags(fd, flags | O_NONBLOCK);
}

/* It was only waited for until now, as a foreign one. */
static int adopt(struct holt_loop *loop, struct holt__io *io)
{
	if (io->source.fire == holt__io_fire)
		return 0;
	io->source.fire = holt__io_fire;
	if (io->interest == 0)
		return 0;
	io->interest &= ~(uint32_t)EPOLLONESHOT;
	return holt__io_watch(loop, io, 0);
}

HOLT__COLD int holt__io_get_slowly(holt_task *t, int fd, struct holt__io **ret_io)
{
	struct holt__io seen = { .kind = HOLT__IO_OTHER }, *io;
	int r;

	r = look(&seen, fd);
	if (r == 0 && !seen.blocking)
		r = make_nonblocking(fd);
	if (r < 0 || r == HOLT__IO_DIRECT)
		return r;
	do {
		io = holt__io_find(t->loop, fd);
		r = io ? 0 : holt__io_new(t->loop, fd, holt__io_fire, &io);
		if (r < 0)
			return r;
		io->kind = seen.kind;
		io->socket = seen.socket;
		io->blocking = seen.blocking;
		io->level = seen.level;
		io->terminal = seen.terminal;
		io->special |= seen.level;
		io->in.last = io->out.last = (uint32_t)t->id;
		r = adopt(t->loop, io);
	} while (r == HOLT__IO_STALE);
	*ret_io = io;
	return r < 0 ? r : 0;
}

int holt__io_verify(holt_task *t, struct holt__io *io, struct holt__side *side)
{
	if (!io->level && holt__loop_modify(t->loop, &io->source, io->interest) < 0) {
		holt__io_forget(t->loop, io);
		return HOLT__IO_STALE;
	}
	side->last = (uint32_t)t->id;
	return 0;
}

/* ---- closing */

int holt_close(int fd)
{
	struct holt__sched *s = holt__here;
	int r;

	if (s) {
		holt__io_forget_number(&s->loop, fd);
	} else {
		holt__check_fork("holt_close");
	}
	r = holt__sys->close(fd);
	if (s && s->loop.ios && s->loop.ios->starved.head)
		holt__wake_all(&s->loop.ios->starved, 0);
	return r == -EINTR || r == -EINPROGRESS ? 0 : r; /* it is closed all the same */
}

void holt_auto_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		holt_close(*fd);
	errno = saved;
}
