/* SPDX-License-Identifier: MIT */
/*
 * The kernel as a simulated run sees it: a table in front of the one that was there.
 *
 * A call that may fail is counted, and the n-th fails without having been made. What cannot fail (close, flags of an open
 * file, a signal to one's own child) passes, and so does the loop's own way of waking itself: an eventfd cannot lose a wake-up.
 *
 * Cutting a read or write short breaks a promise of the kernel, by which a short read of a socket, or EAGAIN, says that an
 * edge will come. So for each file that epoll watches the last registration is kept, and after a cut it is made again: epoll
 * then tells anew what is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

const struct holt__sys *holt__sim_below;
static holt_time now;
static holt_time armed = HOLT_NEVER;

struct registration {
	int epfd;
	struct epoll_event event; /* events 0: none */
};
static struct registration *registered; /* by fd */
static size_t n_registered;

/* ---- the n-th fails */

static bool shall_fail(void)
{
	struct holt__sim *s = holt__sim;

	return holt__sim_here() && ++s->report.syscalls == s->o.fail_syscall_at;
}

#define CALL(type, name, failure, params, args) \
	static type sim_##name params \
	{ \
		return shall_fail() ? (type)(failure) : holt__sim_below->name args; \
	}

#define MAKES_FD(name, failure, params, args) \
	static int sim_##name params \
	{ \
		int made; \
\
		if (shall_fail()) \
			return failure; \
		made = holt__sim_below->name args; \
		if (made >= 0) \
			holt__sim_fd_made(made); \
		return made; \
	}

MAKES_FD(epoll_create, -EMFILE, (int flags), (flags))
MAKES_FD(timerfd_create, -EMFILE, (int flags), (flags))
MAKES_FD(eventfd, -EMFILE, (int flags), (flags))
MAKES_FD(wall_watch, -EMFILE, (int fd), (fd))
MAKES_FD(open, -EMFILE, (const char *path, int flags), (path, flags))
MAKES_FD(dup, -EMFILE, (int fd), (fd))
MAKES_FD(inotify, -EMFILE, (void), ())
MAKES_FD(memfd, -EMFILE, (const char *name, unsigned flags), (name, flags))
MAKES_FD(pidfd_open, -EMFILE, (pid_t pid), (pid))
CALL(int, poll, -ENOMEM, (int fd, unsigned events, int timeout_ms), (fd, events, timeout_ms))
CALL(int, fstat, -ENOMEM, (int fd, struct stat *st), (fd, st))
CALL(int, lstat, -ENOMEM, (const char *path, struct stat *st), (path, st))
CALL(ssize_t, write_nowait, -EAGAIN, (int fd, const void *buf, size_t n), (fd, buf, n))
CALL(int, inotify_add, -ENOSPC, (int fd, const char *path, uint32_t mask), (fd, path, mask))
CALL(int, bind, -ENOMEM, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
CALL(int, listen, -EADDRINUSE, (int fd, int backlog), (fd, backlog))
CALL(int, connect, -ECONNREFUSED, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
CALL(int, shutdown, -ENOTCONN, (int fd, int how), (fd, how))
CALL(int, getsockopt, -ENOBUFS, (int fd, int level, int name, void *v, socklen_t *len), (fd, level, name, v, len))
CALL(int, setsockopt, -ENOBUFS, (int fd, int level, int name, const void *v, socklen_t len), (fd, level, name, v, len))
CALL(int, unlink, -EBUSY, (const char *path), (path))
CALL(int, chmod, -EPERM, (const char *path, mode_t mode), (path, mode))
CALL(int, fchmod, -EPERM, (int fd, mode_t mode), (fd, mode))
CALL(int, seal, -EPERM, (int fd), (fd))
CALL(void *, map, 0, (size_t size), (size))
CALL(int, guard, -ENOMEM, (void *p, size_t size), (p, size))
CALL(int, waitid, -EINTR, (int type, id_t id, siginfo_t *info, int options, struct rusage *usage),
	(type, id, info, options, usage))
CALL(pid_t, clone3, -EAGAIN, (struct holt__clone_args * a, int (*fn)(void *arg), void *arg), (a, fn, arg))
CALL(pid_t, clone, -EAGAIN, (int (*fn)(void *arg), void *top, int flags, void *arg, int *ret_pidfd),
	(fn, top, flags, arg, ret_pidfd))
CALL(int, user_by_name, -EIO, (const char *name, struct passwd *pw, char *buf, size_t size, struct passwd **ret),
	(name, pw, buf, size, ret))
CALL(int, user_by_id, -EIO, (uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **ret),
	(uid, pw, buf, size, ret))
CALL(int, group_by_name, -EIO, (const char *name, struct group *gr, char *buf, size_t size, struct group **ret),
	(name, gr, buf, size, ret))

static int sim_signalfd(int fd, const sigset_t *mask, int flags)
{
	int r = shall_fail() ? -EMFILE : holt__sim_below->signalfd(fd, mask, flags);

	if (r >= 0 && holt__sim_here()) {
		holt__sim->signalfd = r;
		holt__sim_fd_made(r);
	}
	return r;
}

static int sim_socket(int domain, int type, int protocol)
{
	int r = shall_fail() ? -EMFILE : holt__sim_below->socket(domain, type, protocol);

	if (r >= 0 && holt__sim_here()) {
		holt__sim->inet = holt__sim->inet || domain == AF_INET || domain == AF_INET6;
		holt__sim_fd_made(r);
	}
	return r;
}

static int sim_pipe(int ret_fds[2])
{
	int r = shall_fail() ? -EMFILE : holt__sim_below->pipe(ret_fds);

	if (r >= 0) {
		holt__sim_fd_made(ret_fds[0]);
		holt__sim_fd_made(ret_fds[1]);
	}
	return r;
}

static int sim_accept(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	int r;

	if (shall_fail())
		return -EMFILE;
	if (holt__sim_here() && holt__sim_percent(holt__sim, holt__sim->o.eintr_percent))
		return -EINTR;
	r = holt__sim_below->accept(fd, a, len, flags);
	if (r >= 0)
		holt__sim_fd_made(r);
	return r;
}

/* ---- epoll and the clock */

static struct registration *registration_of(int fd, bool make)
{
	if ((size_t)(unsigned)fd >= n_registered) {
		size_t n = n_registered ? n_registered : 64;
		struct registration *more;

		if (!make)
			return NULL;
		while (n <= (size_t)(unsigned)fd)
			n *= 2;
		more = holt__alloc_libc.realloc(registered, n * sizeof *more);
		if (!more)
			return NULL; /* it will not be told anew */
		memset(more + n_registered, 0, (n - n_registered) * sizeof *more);
		registered = more;
		n_registered = n;
	}
	return &registered[fd];
}

static void tell_anew(int fd)
{
	struct registration *r = registration_of(fd, false);

	if (r && (r->event.events & EPOLLET))
		holt__sim_below->epoll_ctl(r->epfd, EPOLL_CTL_MOD, fd, &r->event);
}

static int sim_epoll_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
	struct registration *r;
	int result;

	if (op == EPOLL_CTL_ADD && shall_fail()) /* a change needs no memory */
		return -ENOMEM;
	result = holt__sim_below->epoll_ctl(epfd, op, fd, e);
	if (!holt__sim_here() || (op != EPOLL_CTL_DEL && result < 0))
		return result;
	r = registration_of(fd, true);
	if (r)
		*r = (struct registration){ epfd, { .events = op == EPOLL_CTL_DEL ? 0 : e->events, .data = e->data } };
	if (op == EPOLL_CTL_ADD)
		holt__sim_fd_made(fd); /* who waits for it first, if nobody is known to have made it */
	return result;
}

static int sim_close(int fd)
{
	struct registration *r;

	if (holt__sim_here()) {
		r = registration_of(fd, false);
		if (r)
			r->event.events = 0;
		holt__sim_fd_closed(fd);
	}
	return holt__sim_below->close(fd);
}

static holt_time sim_now(void)
{
	return holt__sim_here() && !holt__sim->o.real_io ? now : holt__sim_below->now();
}

/* The wall clock goes with the other one, from a second of 2026 on: nobody sets it. */
static int64_t sim_wall_now(void)
{
	const int64_t base_us = INT64_C(1767225600) * 1000000;

	return holt__sim_here() && !holt__sim->o.real_io ? base_us + (int64_t)(now / HOLT_US) : holt__sim_below->wall_now();
}

static int sim_timerfd_set(int fd, holt_time at)
{
	if (!holt__sim_here())
		return holt__sim_below->timerfd_set(fd, at);
	if (shall_fail())
		return -ENOMEM;
	if (holt__sim->o.real_io)
		return holt__sim_below->timerfd_set(fd, at);
	armed = at;
	return 0;
}

/* Acknowledgements and windows of TCP come by the kernel's own clock: so long nothing is taken for stuck. */
enum { TCP_JUMP_MS = 3, TCP_STUCK_MS = 400 };

static void shuffle(struct holt__sim *s, struct epoll_event *events, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int k = (int)(holt__sim_random(s) % (unsigned)(i + 1));
		struct epoll_event e = events[i];

		events[i] = events[k];
		events[k] = e;
	}
}

/* Nothing is ready, and the loop may wait: time passes, if there is a time to wait for. */
static void pass_time(struct holt__sim *s, int timeout_ms)
{
	enum { IDLE_MAX = 1000 }; /* timers that wake nobody, as those that name who ignores a cancellation */
	holt_time until = armed;

	if (timeout_ms > 0)
		until = holt__time_min(until, now + (holt_time)timeout_ms * HOLT_MS);
	if (until == HOLT_NEVER || ++s->idle > IDLE_MAX) {
		holt__sim_stuck(s);
		return;
	}
	if (until > now)
		now = until;
	if (armed <= until)
		armed = HOLT_NEVER; /* one shot */
}

static int sim_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout_ms)
{
	struct holt__sim *s = holt__sim;
	int r;

	if (!holt__sim_here())
		return holt__sim_below->epoll_wait(epfd, events, n, timeout_ms);
	if (shall_fail() || holt__sim_percent(s, s->o.eintr_percent))
		return -EINTR;
	r = holt__sim_below->epoll_wait(epfd, events, n, s->o.real_io ? timeout_ms : 0);
	if (r == 0 && timeout_ms != 0 && !s->o.real_io && s->inet)
		r = holt__sim_below->epoll_wait(epfd, events, n, armed == HOLT_NEVER ? TCP_STUCK_MS : TCP_JUMP_MS);
	if (r > 1 && !s->o.keep_order)
		shuffle(s, events, r);
	if (r == 0 && timeout_ms != 0 && !s->o.real_io)
		pass_time(s, timeout_ms);
	return r;
}

static void sim_exit(int status)
{
	if (holt__sim_here())
		holt__sim_overdue(holt__sim);
	else
		holt__sim_below->exit(status);
}

/* ---- reading and writing */

static bool is_stream(int fd)
{
	struct stat st;
	int type = 0;
	socklen_t len = sizeof type;

	if (holt__sim_below->fstat(fd, &st) < 0)
		return false;
	if (S_ISFIFO(st.st_mode))
		return true;
	return S_ISSOCK(st.st_mode) && holt__sim_below->getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
		type == SOCK_STREAM;
}

static bool is_nonblocking(int fd, int flags)
{
	int r = holt__sim_below->get_flags(fd);

	return (flags & MSG_DONTWAIT) || (r >= 0 && (r & O_NONBLOCK));
}

/*
 * Before a read or write of *n bytes: 0, the error that it has in place of being made, or 1: *n is less now. Of the loop's own
 * descriptors, which cannot fail, and of stdio nothing is touched.
 */
static int meddle(int fd, size_t *n, int flags, int failure)
{
	struct holt__sim *s = holt__sim;

	if (!holt__sim_here() || fd <= 2 || fd == s->signalfd || (s->sched && fd == s->sched->loop.wakefd))
		return 0;
	if (shall_fail())
		return failure;
	if (holt__sim_percent(s, s->o.eintr_percent))
		return -EINTR;
	if (!holt__sim_percent(s, s->o.short_io_percent) || !is_stream(fd))
		return 0;
	if (holt__sim_random(s) % 4 == 0 && is_nonblocking(fd, flags)) {
		tell_anew(fd);
		return -EAGAIN;
	}
	if (*n < 2)
		return 0;
	*n = 1 + holt__sim_random(s) % (*n - 1);
	return 1;
}

/* Afterwards: what was cut is told anew. */
static ssize_t after(int fd, int cut, ssize_t r)
{
	if (cut > 0 && r >= 0)
		tell_anew(fd);
	return r;
}

#define TRANSFER(name, failure, params, buffer, flags, ...) \
	static ssize_t sim_##name params \
	{ \
		int cut = meddle(fd, &n, flags, failure); \
\
		(void)buffer; \
		return cut < 0 ? cut : after(fd, cut, holt__sim_below->name(__VA_ARGS__)); \
	}

TRANSFER(read, -EIO, (int fd, void *buf, size_t n), buf, 0, fd, buf, n)
TRANSFER(write, -EIO, (int fd, const void *buf, size_t n), buf, 0, fd, buf, n)
TRANSFER(recv, -ECONNRESET, (int fd, void *buf, size_t n, int flags), buf, flags, fd, buf, n, flags)
TRANSFER(send, -ECONNRESET, (int fd, const void *buf, size_t n, int flags), buf, flags, fd, buf, n, flags)

/* Of several parts only the first is moved, or a piece of it. */
static int meddle_parts(int fd, const struct iovec **v, int *n, struct iovec *one, int flags, int failure)
{
	size_t size = *n > 0 ? (*v)[0].iov_len : 0;
	int cut = meddle(fd, &size, flags, failure);

	if (cut == 1) {
		*one = (struct iovec){ .iov_base = (*v)[0].iov_base, .iov_len = size };
		*v = one;
		*n = 1;
	}
	return cut;
}

static ssize_t sim_readv(int fd, const struct iovec *v, int n)
{
	struct iovec one;
	int cut = meddle_parts(fd, &v, &n, &one, 0, -EIO);

	return cut < 0 ? cut : after(fd, cut, holt__sim_below->readv(fd, v, n));
}

static ssize_t sim_writev(int fd, const struct iovec *v, int n)
{
	struct iovec one;
	int cut = meddle_parts(fd, &v, &n, &one, 0, -EIO);

	return cut < 0 ? cut : after(fd, cut, holt__sim_below->writev(fd, v, n));
}

static ssize_t sim_recvmsg(int fd, struct msghdr *m, int flags)
{
	const struct iovec *v = m->msg_iov, *all = v;
	size_t n_all = m->msg_iovlen;
	int n = (int)n_all, cut;
	struct iovec one;
	ssize_t r;

	cut = meddle_parts(fd, &v, &n, &one, flags, -ECONNRESET);
	if (cut < 0)
		return cut;
	m->msg_iov = (struct iovec *)v;
	m->msg_iovlen = (size_t)n;
	r = holt__sim_below->recvmsg(fd, m, flags);
	m->msg_iov = (struct iovec *)all;
	m->msg_iovlen = n_all;
	return after(fd, cut, r);
}

static ssize_t sim_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct msghdr copy = *m;
	const struct iovec *v = m->msg_iov;
	int n = (int)m->msg_iovlen, cut;
	struct iovec one;

	cut = meddle_parts(fd, &v, &n, &one, flags, -ECONNRESET);
	if (cut < 0)
		return cut;
	copy.msg_iov = (struct iovec *)v;
	copy.msg_iovlen = (size_t)n;
	return after(fd, cut, holt__sim_below->sendmsg(fd, &copy, flags));
}

/* ---- begin and end */

static struct holt__sys world;

void holt__sim_world_begin(holt_time start)
{
	holt__sim_below = holt__sys;
	world = *holt__sys; /* what is not below passes */
	now = start;
	armed = HOLT_NEVER;
	world.now = sim_now;
	world.wall_now = sim_wall_now;
	world.wall_watch = sim_wall_watch;
	world.epoll_create = sim_epoll_create;
	world.epoll_ctl = sim_epoll_ctl;
	world.epoll_wait = sim_epoll_wait;
	world.timerfd_create = sim_timerfd_create;
	world.timerfd_set = sim_timerfd_set;
	world.eventfd = sim_eventfd;
	world.signalfd = sim_signalfd;
	world.read = sim_read;
	world.write = sim_write;
	world.readv = sim_readv;
	world.writev = sim_writev;
	world.recv = sim_recv;
	world.send = sim_send;
	world.recvmsg = sim_recvmsg;
	world.sendmsg = sim_sendmsg;
	world.poll = sim_poll;
	world.close = sim_close;
	world.dup = sim_dup;
	world.pipe = sim_pipe;
	world.open = sim_open;
	world.fstat = sim_fstat;
	world.lstat = sim_lstat;
	world.write_nowait = sim_write_nowait;
	world.inotify = sim_inotify;
	world.inotify_add = sim_inotify_add;
	world.socket = sim_socket;
	world.bind = sim_bind;
	world.listen = sim_listen;
	world.accept = sim_accept;
	world.connect = sim_connect;
	world.shutdown = sim_shutdown;
	world.getsockopt = sim_getsockopt;
	world.setsockopt = sim_setsockopt;
	world.unlink = sim_unlink;
	world.chmod = sim_chmod;
	world.fchmod = sim_fchmod;
	world.memfd = sim_memfd;
	world.seal = sim_seal;
	world.map = sim_map;
	world.guard = sim_guard;
	world.exit = sim_exit;
	world.clone3 = sim_clone3;
	world.clone = sim_clone;
	world.waitid = sim_waitid;
	world.pidfd_open = sim_pidfd_open;
	world.user_by_name = sim_user_by_name;
	world.user_by_id = sim_user_by_id;
	world.group_by_name = sim_group_by_name;
	holt__sys = &world;
}

void holt__sim_world_end(void)
{
	holt__sys = holt__sim_below;
	holt__alloc_libc.free(registered);
	registered = NULL;
	n_registered = 0;
}
