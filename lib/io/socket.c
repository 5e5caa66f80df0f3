/* SPDX-License-Identifier: MIT */
/*
 * Connections: taking them, and making them.
 *
 * An accept loop must not end, or spin, for what is not the listener's own trouble: a connection that was gone before it
 * was taken is passed over, and while descriptors or memory are used up it waits for one to be closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>

#include <holt/log.h>

#include "base/messages.h"
#include "io/fd.h"

/* ---- accept */

/* Errors of the connection that would have come, or of its network: accept(2) hands them on. */
static bool is_passing(ssize_t r)
{
	switch (r) {
	case -ECONNABORTED:
	case -EPROTO:
	case -ENETDOWN:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EPERM: /* a firewall's word */
	case -EINTR:
		return true;
	default:
		return false;
	}
}

static bool is_used_up(ssize_t r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static ssize_t try_accept(struct holt__op *op, struct holt__io *io)
{
	ssize_t r;

	if (io && io->blocking) {
		r = holt__sys->poll(op->fd, EPOLLIN, 0);
		if (r == 0 || r == -EINTR)
			return -EAGAIN;
	}
	return holt__sys->accept(op->fd, op->data, op->other, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static int wait_until_one_is_closed(int fd, int why)
{
	struct holt__ios *ios;
	struct holt__io *io;
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	io = holt__io_find(t->loop, fd);
	ios = t->loop->ios;
	if (!io)
		return why;
	if (!ios->starving)
		holt__log_id(HOLT__MSG_NO_FDS, LOG_WARNING, "accept: %s; waiting until a descriptor is closed", strerror(-why));
	ios->starving = true;
	return holt__io_pause(t, io, &ios->starved, 100 * HOLT_MS, "a free descriptor to accept with, on fd");
}

int holt_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct holt__op op = { .fd = fd, .data = addr, .other = len, .what = "accept fd" };
	ssize_t r;

	for (;;) {
		r = holt__io_run(&op, try_accept);
		if (holt__likely(r >= 0))
			break;
		if (is_used_up(r)) {
			r = wait_until_one_is_closed(fd, (int)r);
			if (r < 0)
				return (int)r;
		} else if (!is_passing(r) || !holt__self) {
			return (int)r;
		}
	}
	holt__here->loop.ios->starving = false;
	holt__io_forget_number(&holt__here->loop, (int)r);
	return (int)r;
}

/* ---- connect */

/* Of inherited stdio, the mode is changed for the length of the call only: a socket that is not connected has no other user. */
static int start_connecting(const struct holt__io *io, int fd, const struct sockaddr *addr, socklen_t len)
{
	int flags, r;

	if (!io->blocking)
		return holt__sys->connect(fd, addr, len);
	flags = holt__sys->get_flags(fd);
	if (flags < 0 || (flags & O_NONBLOCK))
		return flags < 0 ? flags : holt__sys->connect(fd, addr, len);
	r = holt__sys->set_flags(fd, flags | O_NONBLOCK);
	if (r < 0)
		return r;
	r = holt__sys->connect(fd, addr, len);
	holt__sys->set_flags(fd, flags);
	return r;
}

static int outcome(int fd)
{
	int error = 0, r;
	socklen_t len = sizeof error;

	r = holt__sys->getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return r < 0 ? r : -error;
}

static int wait_connected(holt_task *t, struct holt__io *io, int fd)
{
	bool again = false;
	int r;

	do {
		r = holt__io_wait(t, io, &io->out, again, "connect fd");
		if (r != 0)
			return r == HOLT__IO_STALE ? -EBADF : r;
		again = true;
		r = holt__sys->poll(fd, EPOLLOUT, 0);
	} while (r == 0 || r == -EINTR); /* an event from before */
	r = outcome(fd);
	holt__io_pass_on(t, io, &io->out);
	return r;
}

/* The record of a number that is used for a connection: this is no hot path, so the number is always proved. */
static int proven(holt_task *t, int fd, struct holt__io **ret_io)
{
	int r = holt__io_get(t, fd, ret_io);

	if (r == 0 && (*ret_io)->interest && holt__io_verify(t, *ret_io, &(*ret_io)->out) == HOLT__IO_STALE)
		r = holt__io_get(t, fd, ret_io);
	return r == HOLT__IO_DIRECT || (r == 0 && !(*ret_io)->socket) ? -ENOTSOCK : r;
}

int holt_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	bool is_unix, interrupted = false;
	holt_time pause = 0;
	struct holt__io *io;
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	if (!addr || len < sizeof addr->sa_family)
		return -EINVAL;
	is_unix = addr->sa_family == AF_UNIX;
	for (;;) {
		r = proven(t, fd, &io);
		if (r < 0)
			return r;
		r = start_connecting(io, fd, addr, len);
		if (r == -EISCONN && interrupted)
			return 0;
		if (is_unix && r == -EINTR) {
			interrupted = true;
		} else if (is_unix && r == -EAGAIN) { /* its backlog is full, of which no event tells when it is not */
			pause = holt__io_longer(pause);
			r = holt__io_pause(t, io, NULL, pause, "connect fd");
			if (r < 0)
				return r;
		} else if (r == -EINPROGRESS || r == -EINTR) {
			return wait_connected(t, io, fd);
		} else {
			return r;
		}
	}
}
