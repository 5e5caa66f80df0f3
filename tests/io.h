/* SPDX-License-Identifier: MIT */
/*
 * What the tests of io share: pairs of descriptors, and tasks that read or wait and keep what came of it. They are opened with
 * the system's own calls, in blocking mode, so that holt finds them as it finds anybody's.
 */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "harness.h"

/* A test that is a task, under a deadline that only a wait for nothing reaches. */
#define CLAIM(name) CLAIM_WITH(name, (void)0)
#define CLAIM_IN_REAL_TIME(name) CLAIM_WITH(name, harness_real_clock()) /* the kernel does something behind our back */
#define CLAIM_WITH(name, before) \
	static int name##_task(void *arg); \
	static int name##_run(void *arg) \
	{ \
		return holt_timeout(HOLT_HOUR, name##_task, arg); \
	} \
	TEST(name) \
	{ \
		before; \
		ck_assert_int_eq(harness_run(name##_run, NULL), 0); \
	} \
	static int name##_task(void *arg __attribute__((unused)))

/* with_group(g) { ... }: all tasks of g have ended behind it; unless it was canceled, they do so by themselves. */
#define with_group(g) for (holt_group *g = open_group(), *once = g; once; once = NULL, close_group(g))

static inline holt_group *open_group(void)
{
	holt_group *g;

	ck_assert_int_eq(holt_group_open(&g, .kind = HOLT_EACH), 0);
	return g;
}

static inline void close_group(holt_group *g)
{
	int r = holt_group_close(g, 0);

	ck_assert_msg(r == 0, "the group ended with %d: a task waited in vain", r);
}

/* All that can go on has gone on. */
static inline void settle(void)
{
	holt_sleep(HOLT_US);
}

/* What the kernel does on its own time (a loopback connection, a signal) has been done; at the most a second later. */
#define until(condition) \
	for (int tries = 0; tries < 1000000 && !(condition); tries++) \
	settle()

/* The kernel has it, and the loop has not looked yet. */
static inline void arrived(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
}

/* Nothing waited for longer than it had to: the loop's own looking after lost events (lib/io/doubt.c) takes 100 ms. */
static inline void nothing_was_late(void)
{
	ck_assert_msg(harness_time() < 50 * HOLT_MS, "an event was missed, and made up for later");
}

static inline bool is_blocking(int fd)
{
	return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static inline void socket_pair(int fd[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static inline void tcp_pair(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof a;

	ck_assert_int_eq(bind(lfd, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(listen(lfd, 1), 0);
	ck_assert_int_eq(getsockname(lfd, (struct sockaddr *)&a, &len), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd[1], (struct sockaddr *)&a, sizeof a), 0);
	fd[0] = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd[0], 0);
	close(lfd);
}

/* Of each kind that has a way of its own; fd[0] reads, fd[1] writes. */
static inline void make_pair(int kind, int fd[2])
{
	if (kind == 0)
		tcp_pair(fd);
	else if (kind == 1)
		socket_pair(fd);
	else
		ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
}

static inline void close_pair(int fd[2])
{
	holt_close(fd[0]);
	holt_close(fd[1]);
}

/* For unix sockets: TCP moves some on to the other side later. */
static inline void fill(int fd)
{
	static char junk[65536];

	while (send(fd, junk, sizeof junk, MSG_DONTWAIT) > 0 || send(fd, junk, 1, MSG_DONTWAIT) > 0)
		;
}

static inline void empty(int fd)
{
	static char junk[65536];

	while (recv(fd, junk, sizeof junk, MSG_DONTWAIT) > 0)
		;
}

static inline void send_fd(int on, const char *byte, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec v = { (void *)byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	ck_assert_int_eq(sendmsg(on, &m, 0), 1);
}

/* How many descriptors the loop's epoll watches. */
static inline size_t watched_by_epoll(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d))) {
		char path[64], line[256];
		ssize_t k = readlinkat(dirfd(d), e->d_name, line, sizeof line - 1);
		FILE *f;

		if (k < 0 || strncmp(line, "anon_inode:[eventpoll]", (size_t)k) != 0)
			continue;
		snprintf(path, sizeof path, "/proc/self/fdinfo/%.10s", e->d_name);
		f = fopen(path, "r");
		while (fgets(line, sizeof line, f))
			n += strncmp(line, "tfd:", 4) == 0;
		fclose(f);
	}
	closedir(d);
	return n;
}

/* ---- tasks */

struct reader {
	int fd;
	size_t n;
	bool again; /* until it ends or fails */
	int way;    /* 0: read, 1: readv, 2: recvmsg */
	char buf[256];
	size_t total;
	ssize_t result; /* the last one */
	bool done;
	holt_task *task; /* borrowed: valid until its group is closed */
};

static inline ssize_t read_once(struct reader *r)
{
	struct iovec v = { r->buf + r->total, r->n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (r->way == 0)
		return holt_read(r->fd, v.iov_base, r->n);
	return r->way == 1 ? holt_readv(r->fd, &v, 1) : holt_recvmsg(r->fd, &m, 0);
}

static inline int reader_task(void *arg)
{
	struct reader *r = arg;

	do {
		r->result = read_once(r);
		if (r->result > 0)
			r->total += (size_t)r->result;
	} while (r->again && r->result > 0);
	r->done = true;
	return 0;
}

static inline void start_reader(holt_group *g, struct reader *r, int fd, size_t n)
{
	r->fd = fd;
	r->n = n;
	r->done = false;
	ck_assert_int_eq(holt_spawn(g, reader_task, r, .task = &r->task), 0);
	holt_task_unref(r->task);
	holt_yield(); /* it waits now, and the next one behind it */
}

struct waiter {
	int fd;
	unsigned events;
	int result;
	bool done;
};

static inline int waiter_task(void *arg)
{
	struct waiter *w = arg;

	w->result = holt_wait_fd(w->fd, w->events);
	w->done = true;
	return 0;
}

static inline void start_waiter(holt_group *g, struct waiter *w, int fd)
{
	w->fd = fd;
	ck_assert_int_eq(holt_spawn(g, waiter_task, w), 0);
	holt_yield();
}

static inline int write_one(void *arg)
{
	return (int)holt_write(*(int *)arg, "x", 1);
}
