/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing, accepting and connecting, swept: reads and writes are cut and interrupted, a cancellation comes at each
 * suspension, each allocation and each system call fails. What is counted are bytes and connections: none is lost, none comes twice.
 */
#include "sweep.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

enum { BYTES = 3000, CHUNK = 700 };

static int is_expected(int result)
{
	switch (result) {
	case -ECANCELED:
	case -ENOMEM:
	case -EMFILE:
	case -EINTR:
	case -EIO:
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ENOBUFS:
	case -EADDRINUSE:
	case -EPIPE:
		return 0;
	default:
		return result;
	}
}

static int result_is_expected(void *arg, int result)
{
	(void)arg;
	return is_expected(result);
}

/* ---- bytes through a pipe or a socket */

static size_t sent, received;
static bool out_of_order;

static unsigned char byte_at(size_t n)
{
	return (unsigned char)(n * 7 + n / 251);
}

static ssize_t sends_some(int fd, size_t n)
{
	unsigned char buf[CHUNK];

	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(sent + i);
	return holt_write_full(fd, buf, n);
}

static int sends(void *arg)
{
	int fd = *(int *)arg;
	ssize_t r = 0;

	while (r >= 0 && sent < BYTES) {
		size_t n = BYTES - sent < CHUNK ? BYTES - sent : CHUNK;

		r = sends_some(fd, n);
		if (r > 0)
			sent += (size_t)r;
	}
	holt_close(fd);
	*(int *)arg = -1;
	return r < 0 ? (int)r : 0;
}

static void takes(const unsigned char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out_of_order = out_of_order || buf[i] != byte_at(received + i);
	received += n;
}

static int receives(void *arg)
{
	unsigned char buf[300];
	ssize_t r;

	while ((r = holt_read(*(int *)arg, buf, sizeof buf)) > 0)
		takes(buf, (size_t)r);
	return (int)r;
}

static int receives_in_full(void *arg)
{
	unsigned char buf[1000];
	ssize_t r;

	do {
		r = holt_read_full(*(int *)arg, buf, sizeof buf);
		if (r > 0)
			takes(buf, (size_t)r);
	} while (r == (ssize_t)sizeof buf); /* fewer: the end, or canceled in the middle of a block */
	return r < 0 ? (int)r : 0;
}

struct way {
	int type;        /* of a socketpair; 0: a pipe */
	holt_fn receive; /* NULL: receives */
};

static int moves_bytes(void *arg)
{
	const struct way *way = arg;
	holt_group *g = NULL;
	int fds[2], r, left = 0;

	sent = received = 0;
	out_of_order = false;
	r = way->type ? socketpair(AF_UNIX, way->type | SOCK_CLOEXEC, 0, fds) : pipe(fds);
	if (r < 0)
		return -errno;
	r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r >= 0)
		r = holt_spawn(g, way->receive ? way->receive : receives, &fds[0]);
	if (r >= 0)
		r = holt_spawn(g, sends, &fds[1]);
	if (g)
		r = holt_group_close(g, r);
	ioctl(fds[0], FIONREAD, &left);
	EXPECT(!out_of_order);
	EXPECT(sent >= received && sent <= received + (size_t)left); /* what was said to be sent is there */
	EXPECT(received + (size_t)left <= BYTES);
	if (fds[1] >= 0)
		holt_close(fds[1]);
	holt_close(fds[0]);
	return r;
}

static void __attribute__((constructor)) no_sigpipe(void)
{
	signal(SIGPIPE, SIG_IGN); /* as in a service */
}

#define FAULTS .short_io_percent = 30, .eintr_percent = 10

SWEEP(no_byte_of_a_pipe_is_lost, .fn = moves_bytes, .check = result_is_expected, .arg = &((struct way){ 0, NULL }),
	.what = SWEEP_CANCEL)
SWEEP(no_byte_of_a_cut_pipe_is_lost, .fn = moves_bytes, .check = result_is_expected, .arg = &((struct way){ 0, NULL }),
	.sim = { FAULTS }, .what = SWEEP_CANCEL)
SWEEP(no_byte_of_a_cut_stream_is_lost, .fn = moves_bytes, .check = result_is_expected,
	.arg = &((struct way){ SOCK_STREAM, NULL }), .sim = { FAULTS }, .what = SWEEP_CANCEL)

/* Rule 3: what was moved before a cancellation is told. */
SWEEP(canceled_in_the_middle_of_a_block_tells_how_much_came, .fn = moves_bytes, .check = result_is_expected,
	.arg = &((struct way){ SOCK_STREAM, receives_in_full }), .sim = { FAULTS }, .what = SWEEP_CANCEL)

/* A read or write that fails is the end of it: what is left is that nothing hangs and nothing is left open. */
static int moves_what_it_can(void *arg)
{
	int r = moves_bytes(arg);

	scenario_said[0] = 0;
	return r;
}
SWEEP(stream_whose_calls_fail_ends, .fn = moves_what_it_can, .check = result_is_expected,
	.arg = &((struct way){ SOCK_STREAM, NULL }), .sim = { FAULTS }, .what = SWEEP_FAIL)

/* ---- a server */

static int connected, served, refused;

static int serves(void *arg)
{
	holt_auto(fd) fd = give(arg);
	char c;
	ssize_t r;

	while ((r = holt_read_full(fd, &c, 1)) == 1) {
		r = holt_write_full(fd, &c, 1);
		if (r < 0)
			break;
	}
	served++;
	return r < 0 && r != -ECANCELED ? 0 : (int)r;
}

static int accepts(void *arg)
{
	int lfd = *(int *)arg, fd, r = 0;
	holt_auto(group) conns = NULL;
	struct holt_scope s;

	r = holt_group_open(&conns, .name = "conns", .kind = HOLT_EACH, .limit = 2);
	if (r < 0)
		return r;
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	while ((r = fd = holt_accept(lfd, NULL, NULL)) >= 0) {
		r = holt_spawn(conns, serves, NUMBER(fd));
		if (r < 0) {
			holt_close(fd);
			break;
		}
	}
	r = (int)holt_scope_end(&s, r);
	return holt_group_close(holt_take(conns), r == -ESHUTDOWN ? 0 : r);
}

static int asks(void *arg)
{
	holt_auto(fd) fd = holt_dial("unix:@holt-sim-io");
	char c = 'x';
	ssize_t r;

	(void)arg;
	if (fd < 0)
		return fd;
	connected++;
	for (int i = 0; i < 3; i++) {
		r = holt_write_full(fd, &c, 1);
		if (r == 1)
			r = holt_read_full(fd, &c, 1);
		if (r <= 0) {
			refused++;
			return r < 0 ? (int)r : -ECONNRESET;
		}
		EXPECT(c == 'x');
	}
	return 0;
}

static int serves_clients(void *arg)
{
	holt_group *server = NULL, *clients = NULL;
	holt_auto(fd) lfd = -1;
	int r;

	(void)arg;
	connected = served = refused = 0;
	lfd = holt_listen("unix:@holt-sim-io");
	if (lfd < 0)
		return lfd;
	r = holt_group_open(&server, .name = "server", .grace = HOLT_SEC);
	if (r < 0)
		return r;
	r = holt_spawn(server, accepts, &lfd);
	if (r >= 0)
		r = holt_group_open(&clients, .name = "clients", .kind = HOLT_EACH, .deadline = holt_in(HOLT_HOUR));
	for (int i = 0; r >= 0 && i < 3; i++)
		r = holt_spawn(clients, asks, NULL);
	if (clients)
		r = holt_group_close(clients, r); /* -ETIME: the server was canceled, alone */
	holt_group_stop(server, "no more clients");
	return holt_group_close(server, unless_alone(r));
}
SWEEP(server_stops_in_order_whatever_happens, .fn = serves_clients, .check = result_is_expected)
SWEEP(server_stops_in_order_with_cut_streams, .fn = serves_clients, .check = result_is_expected, .sim = { FAULTS },
	.what = SWEEP_CANCEL)

/* ---- closing under a waiter, waiting for a foreign descriptor */

static int reads_one(void *arg)
{
	char c;
	int r = (int)holt_read(*(int *)arg, &c, 1);

	EXPECT(r == -EBADF || r == -ECANCELED || is_expected(r) == 0);
	return r == -EBADF ? 0 : r;
}

static int waits_for_one(void *arg)
{
	int r = holt_wait_fd(*(int *)arg, EPOLLIN);

	EXPECT(r == -EBADF || r == -ECANCELED || is_expected(r) == 0);
	return r == -EBADF ? 0 : r;
}

static int closes_under_them(void *arg)
{
	holt_group *g = NULL;
	int fds[2], r;

	(void)arg;
	if (pipe(fds) < 0)
		return -errno;
	r = holt_group_open(&g);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = holt_spawn(g, i ? reads_one : waits_for_one, &fds[0]);
	if (r >= 0)
		r = holt_yield();
	if (r >= 0)
		r = holt_yield();
	holt_close(fds[0]);
	fds[0] = -1;
	if (g)
		r = holt_group_close(g, r);
	holt_close(fds[1]);
	return r;
}
SWEEP(close_ends_all_who_wait, .fn = closes_under_them, .check = result_is_expected)

static int waits_and_reads(void *arg)
{
	int fd = *(int *)arg, r;
	char c;

	r = holt_wait_fd(fd, EPOLLIN);
	if (r < 0)
		return r;
	EXPECT(r & EPOLLIN);
	return read(fd, &c, 1) == 1 ? 0 : -EIO; /* as a library would */
}

static int foreign_fd(void *arg)
{
	holt_group *g = NULL;
	int fds[2], r;

	(void)arg;
	if (pipe(fds) < 0)
		return -errno;
	r = holt_group_open(&g);
	if (r >= 0)
		r = holt_spawn(g, waits_and_reads, &fds[0]);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (r >= 0 && write(fds[1], "x", 1) != 1)
		r = -EIO;
	if (g)
		r = holt_group_close(g, r);
	close(fds[0]); /* nothing of it is left in epoll */
	close(fds[1]);
	return r;
}
SWEEP(foreign_descriptor_is_left_as_it_was, .fn = foreign_fd, .check = result_is_expected)
