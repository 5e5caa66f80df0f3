/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing. Each call is a description and a function that tries it once; fd.c does the rest.
 *
 * Sockets are read by recv and written by send, with MSG_DONTWAIT: what read and write do to them, but never blocking,
 * whatever mode the file is in. On inherited stdio and terminals a try asks poll first, and then takes no more than cannot
 * block: a read what is there, a write to a pipe PIPE_BUF, for which poll promises room, and to a terminal as many bytes as
 * the kernel itself keeps room for before it says that there is some. Another process that writes to it at the same moment
 * can be in the way; there is no call that could not block then, but in a mode that would be everybody's.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "io/fd.h"

enum { TERMINAL_ROOM = 256 };

#define AGAIN_IF_INTERRUPTED(call) \
	__extension__({ \
		ssize_t r_; \
		do \
			r_ = (call); \
		while (holt__unlikely(r_ == -EINTR)); \
		r_; \
	})

/* ---- bytes */

static size_t fits(const struct holt__io *io, size_t n)
{
	size_t most = io->terminal ? TERMINAL_ROOM : PIPE_BUF;

	return n < most ? n : most;
}

static HOLT__COLD ssize_t try_blocking(struct holt__op *op, struct holt__io *io)
{
	ssize_t r = AGAIN_IF_INTERRUPTED(holt__sys->poll(op->fd, op->out ? EPOLLOUT : EPOLLIN, 0));

	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	if (op->out)
		return AGAIN_IF_INTERRUPTED(holt__sys->write(op->fd, op->data, fits(io, op->n)));
	return AGAIN_IF_INTERRUPTED(holt__sys->read(op->fd, op->data, op->n));
}

/* Descriptors and credentials, which recv would drop in silence, are where the kernel ends a read though more is there. */
static ssize_t recv_unix(int fd, void *buf, size_t n, int flags, bool *ret_cut)
{
	struct iovec v = { buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t r = holt__sys->recvmsg(fd, &m, flags | MSG_DONTWAIT);

	*ret_cut = m.msg_flags & MSG_CTRUNC;
	return r;
}

static ssize_t try_recv(struct holt__op *op, struct holt__io *io)
{
	bool cut = false;
	ssize_t r;

	if (!io || io->kind != HOLT__IO_UNIX)
		return AGAIN_IF_INTERRUPTED(holt__sys->recv(op->fd, op->data, op->n, op->flags | MSG_DONTWAIT));
	r = AGAIN_IF_INTERRUPTED(recv_unix(op->fd, op->data, op->n, op->flags, &cut));
	if (cut)
		op->want = 0;
	return r;
}

static ssize_t try_read(struct holt__op *op, struct holt__io *io)
{
	if (io && io->socket && op->n > 0) /* to read no bytes is nothing for read, but takes a datagram for recv */
		return try_recv(op, io);
	if (io && io->blocking)
		return try_blocking(op, io);
	return AGAIN_IF_INTERRUPTED(holt__sys->read(op->fd, op->data, op->n));
}

static ssize_t try_write(struct holt__op *op, struct holt__io *io)
{
	if (io && io->socket && op->n > 0)
		return AGAIN_IF_INTERRUPTED(holt__sys->send(op->fd, op->data, op->n, MSG_DONTWAIT));
	if (io && io->blocking)
		return try_blocking(op, io);
	return AGAIN_IF_INTERRUPTED(holt__sys->write(op->fd, op->data, op->n));
}

ssize_t holt__io_write_now(int fd, struct holt__io *io, const void *buf, size_t n)
{
	struct holt__op op = { .fd = fd, .out = true, .data = (void *)buf, .n = n };

	if (io && io->socket) {
		ssize_t r = AGAIN_IF_INTERRUPTED(holt__sys->send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL));

		if (r != -ENOTSOCK)
			return r;
		io = NULL; /* the kernel had no answer when it was asked what this is */
	}
	return try_write(&op, io);
}

/* The whole way, or what is left of it when io was tried and said r. */
static __attribute__((noinline)) ssize_t move(
	int fd, void *buf, size_t n, bool out, holt_task *t, struct holt__io *io, ssize_t r, bool waited)
{
	struct holt__op op = {
		.fd = fd, .out = out, .nowait = true, .want = n, .data = buf, .n = n, .what = out ? "write fd" : "read fd"
	};
	holt__io_try *attempt = out ? try_write : try_read;

	if (!io)
		return holt__io_run(&op, attempt);
	if (r == -EINTR)
		r = attempt(&op, io);
	return holt__io_go_on(t, io, &op, attempt, r, waited);
}

ssize_t holt_read(int fd, void *buf, size_t n)
{
	holt_task *t = NULL;
	struct holt__io *io = n > 0 ? holt__io_quick(fd, false, &t) : NULL;
	bool waited = false, cut = false;
	ssize_t r;

	if (holt__unlikely(!io))
		return move(fd, buf, n, false, NULL, NULL, 0, false);
	if (holt__likely(io->in.dry)) {
		r = holt__io_wait(t, io, &io->in, false, "read fd");
		if (holt__unlikely(r != 0))
			return r < 0 ? r : move(fd, buf, n, false, NULL, NULL, 0, false);
		waited = true;
	}
	if (holt__unlikely(io->kind == HOLT__IO_UNIX))
		r = recv_unix(fd, buf, n, 0, &cut);
	else
		r = holt__sys->recv(fd, buf, n, MSG_DONTWAIT);
	if (holt__unlikely(r <= 0))
		return move(fd, buf, n, false, t, io, r, waited);
	io->in.dry = (size_t)r < n && !io->wary && !cut && io->kind != HOLT__IO_OTHER;
	if (holt__unlikely(io->in.waiters.head != NULL))
		holt__io_pass_on(t, io, &io->in);
	return r;
}

ssize_t holt_write(int fd, const void *buf, size_t n)
{
	holt_task *t = NULL;
	struct holt__io *io = n > 0 ? holt__io_quick(fd, true, &t) : NULL;
	ssize_t r;

	if (holt__unlikely(!io || io->out.dry))
		return move(fd, (void *)buf, n, true, NULL, NULL, 0, false);
	r = holt__sys->send(fd, buf, n, MSG_DONTWAIT);
	if (holt__likely(r == (ssize_t)n))
		return r;
	return move(fd, (void *)buf, n, true, t, io, r, false);
}

/* Nothing asked for: whether one may ask at all. */
static int may_suspend(void)
{
	holt_task *t;

	return holt__enter(&t);
}

/* What was moved before a cancellation counts; the next call sees it. */
static inline ssize_t moved(size_t done, ssize_t r)
{
	return r < 0 && (r != -ECANCELED || done == 0) ? r : (ssize_t)done;
}

ssize_t holt_read_full(int fd, void *buf, size_t n)
{
	size_t done = 0;
	ssize_t r = 0;

	if (n == 0)
		return may_suspend();
	while (done < n) {
		r = holt_read(fd, (char *)buf + done, n - done);
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	return moved(done, r);
}

static __attribute__((noinline)) ssize_t write_rest(int fd, const char *buf, size_t n, ssize_t r)
{
	size_t done = 0;

	while (r > 0 && (done += (size_t)r) < n)
		r = holt_write(fd, buf + done, n - done);
	return moved(done, r);
}

ssize_t holt_write_full(int fd, const void *buf, size_t n)
{
	ssize_t r;

	if (holt__unlikely(n == 0))
		return may_suspend();
	r = holt_write(fd, buf, n);
	return holt__likely(r == (ssize_t)n) ? r : write_rest(fd, buf, n, r);
}

/* ---- vectors */

static size_t total(const struct iovec *v, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

/* The first piece that has bytes: what may be taken at a time is less than most of them, anyway. */
static ssize_t try_blocking_vector(struct holt__op *op, struct holt__io *io)
{
	struct holt__op first = *op;
	const struct iovec *v = op->data;

	for (size_t i = 0; i < op->n; i++) {
		if (v[i].iov_len == 0)
			continue;
		first.data = v[i].iov_base;
		first.n = v[i].iov_len;
		op->want = 0; /* more may be there than this piece took */
		return try_blocking(&first, io);
	}
	return 0;
}

static ssize_t try_readv(struct holt__op *op, struct holt__io *io)
{
	struct msghdr m = { .msg_iov = op->data, .msg_iovlen = op->n };
	ssize_t r;

	if (io && io->socket && op->want > 0) {
		r = AGAIN_IF_INTERRUPTED(holt__sys->recvmsg(op->fd, &m, MSG_DONTWAIT));
		if (r > 0 && (m.msg_flags & MSG_CTRUNC))
			op->want = 0; /* as in recv_unix */
		return r;
	}
	if (io && io->blocking)
		return try_blocking_vector(op, io);
	return AGAIN_IF_INTERRUPTED(holt__sys->readv(op->fd, op->data, (int)op->n));
}

static ssize_t try_writev(struct holt__op *op, struct holt__io *io)
{
	struct msghdr m = { .msg_iov = op->data, .msg_iovlen = op->n };

	if (io && io->socket && op->want > 0)
		return AGAIN_IF_INTERRUPTED(holt__sys->sendmsg(op->fd, &m, MSG_DONTWAIT));
	if (io && io->blocking)
		return try_blocking_vector(op, io);
	return AGAIN_IF_INTERRUPTED(holt__sys->writev(op->fd, op->data, (int)op->n));
}

static ssize_t vector(int fd, const struct iovec *v, int n, bool out, holt__io_try *attempt)
{
	struct holt__op op = { .fd = fd, .out = out, .nowait = true, .data = (void *)v, .what = out ? "write fd" : "read fd" };
	int r;

	if (n < 0 || n > IOV_MAX || (n > 0 && !v)) {
		r = may_suspend();
		return r < 0 ? r : -EINVAL;
	}
	op.n = (size_t)n;
	op.want = total(v, op.n);
	return holt__io_run(&op, attempt);
}

ssize_t holt_readv(int fd, const struct iovec *v, int n)
{
	return vector(fd, v, n, false, try_readv);
}

ssize_t holt_writev(int fd, const struct iovec *v, int n)
{
	return vector(fd, v, n, true, try_writev);
}

/* ---- sockets */

/* These look without taking, or take from elsewhere: what they get says nothing of what is left. */
static size_t wanted(size_t n, int flags)
{
	return flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_ZEROCOPY) ? 0 : n;
}

static ssize_t try_send(struct holt__op *op, struct holt__io *io)
{
	(void)io;
	return AGAIN_IF_INTERRUPTED(holt__sys->send(op->fd, op->data, op->n, op->flags | MSG_DONTWAIT));
}

static ssize_t try_recvmsg(struct holt__op *op, struct holt__io *io)
{
	struct msghdr *m = op->data, got = *m;
	ssize_t r = AGAIN_IF_INTERRUPTED(holt__sys->recvmsg(op->fd, &got, op->flags | MSG_DONTWAIT));

	if (r < 0)
		return r;
	*m = got;
	if (io && io->kind == HOLT__IO_UNIX && (got.msg_controllen > 0 || (got.msg_flags & MSG_CTRUNC)))
		op->want = 0;
	return r;
}

static ssize_t try_sendmsg(struct holt__op *op, struct holt__io *io)
{
	(void)io;
	return AGAIN_IF_INTERRUPTED(holt__sys->sendmsg(op->fd, op->data, op->flags | MSG_DONTWAIT));
}

static ssize_t message(int fd, void *data, size_t n, size_t want, int flags, bool out, holt__io_try *attempt)
{
	struct holt__op op = { .fd = fd, .flags = flags, .out = out, .nowait = true, .data = data, .n = n };
	int r;

	if (!data && n == 0) {
		r = may_suspend();
		return r < 0 ? r : -EINVAL;
	}
	op.once = flags & MSG_DONTWAIT;
	op.want = wanted(want, flags);
	op.what = out ? "write fd" : "read fd";
	return holt__io_run(&op, attempt);
}

ssize_t holt_recv(int fd, void *buf, size_t n, int flags)
{
	return message(fd, buf, n, n, flags, false, try_recv);
}

ssize_t holt_send(int fd, const void *buf, size_t n, int flags)
{
	return message(fd, (void *)buf, n, n, flags, true, try_send);
}

ssize_t holt_recvmsg(int fd, struct msghdr *m, int flags)
{
	return message(fd, m, 0, m ? total(m->msg_iov, m->msg_iovlen) : 0, flags, false, try_recvmsg);
}

ssize_t holt_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return message(fd, (void *)m, 0, m ? total(m->msg_iov, m->msg_iovlen) : 0, flags, true, try_sendmsg);
}
