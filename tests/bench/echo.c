/* SPDX-License-Identifier: MIT */
/*
 * What a request costs a server: 64 bytes come and go over TCP on the loopback, from 50 and from
 * 1000 connections that each wait for their answer before they ask again. Microseconds of the
 * server's CPU time for each request, and its system calls.
 *
 * The server is a process of its own, pinned to one processor; this process is its client, pinned
 * to another one, and never sleeps, so that the server does not pay for waking it. The server's
 * CPU time is read from outside, after a first round of requests that is not counted. System
 * calls are counted in a run of their own, under ptrace; as a traced server is slow, it finds all
 * connections ready each time.
 *
 * LIMIT is the plainest loop there is, on level-triggered epoll; "edge" is the same with
 * edge-triggered epoll, where a short read means drained. "echod" is holt with a scope around
 * each read that a stop or 30 seconds without data would end, as a real server has it.
 * The peers are other programs beside this one, which are given the listening socket's number.
 */
#define _GNU_SOURCE
#include <holt/holt.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "bench.h"

enum { MESSAGE = 64, MOST = 1000 };

/* ---- servers: run in the child, never return */
static void epoll_add(int epoll, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	bench_must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
}

/* Until the socket has nothing more (edge), or once (level). */
static inline void echo_some(int fd, bool edge)
{
	char buf[4096];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof buf);
		if (n > 0)
			n = write(fd, buf, (size_t)n);
		else if (n == 0)
			close(fd);
	} while (edge && n == (ssize_t)sizeof buf);
}

static inline void epoll_server(int lfd, uint32_t edge)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e[256];

	epoll_add(epoll, lfd, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll, e, 256, -1);

		for (int i = 0; i < n; i++) {
			if (e[i].data.fd == lfd)
				epoll_add(epoll, accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), EPOLLIN | edge);
			else
				echo_some(e[i].data.fd, edge != 0);
		}
	}
}

static void level_server(int lfd)
{
	epoll_server(lfd, 0);
}

static void edge_server(int lfd)
{
	epoll_server(lfd, EPOLLET);
}

static int plain_echo(void *arg)
{
	holt_auto(fd) fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	do {
		n = holt_read(fd, buf, sizeof buf);
		if (n > 0)
			n = holt_write_full(fd, buf, (size_t)n);
	} while (n > 0);
	return (int)n;
}

static int patient_echo(void *arg)
{
	holt_auto(fd) fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	do {
		struct holt_scope idle;

		holt_scope_begin(&idle, holt_in(30 * HOLT_SEC), HOLT_ON_STOP);
		n = holt_read(fd, buf, sizeof buf);
		n = holt_scope_end(&idle, n);
		if (n > 0)
			n = holt_write_full(fd, buf, (size_t)n);
	} while (n > 0);
	return (int)n;
}

static holt_fn echo_fn;

static int serve(void *arg)
{
	int lfd = *(int *)arg, fd, r;
	holt_group *conns;

	r = holt_group_open(&conns, .kind = HOLT_EACH);
	if (r < 0)
		return r;
	while ((fd = holt_accept(lfd, NULL, NULL)) >= 0) {
		r = holt_spawn(conns, echo_fn, (void *)(intptr_t)fd);
		if (r < 0)
			holt_close(fd);
	}
	return holt_group_close(conns, fd);
}

static void holt_server(int lfd)
{
	echo_fn = plain_echo;
	bench_must(holt_run(serve, &lfd) >= 0, "the server on holt");
}

static void holt_patient_server(int lfd)
{
	echo_fn = patient_echo;
	bench_must(holt_run(serve, &lfd) >= 0, "the server on holt");
}

/* NAME or NAME/HOW: the program peer_NAME beside this one, called "echo FD HOW". */
static void peer_server(const char *peer, int lfd)
{
	char path[PATH_MAX + 64], number[16], *end;
	const char *how = strchr(peer, '/');
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

	if (n < 0)
		_exit(1);
	path[n] = 0;
	end = strrchr(path, '/') + 1;
	snprintf(end, (size_t)(path + sizeof path - end), "peer_%.*s", (int)strcspn(peer, "/"), peer);
	snprintf(number, sizeof number, "%d", lfd);
	execl(path, path, "echo", number, how ? how + 1 : NULL, (char *)NULL);
}

struct series {
	const char *name;
	void (*server)(int lfd);
	const char *peer;
	bool gone; /* could not be started, as it is not installed */
};

static struct series all[] = {
	{ .name = "LIMIT", .server = level_server },
	{ .name = "edge", .server = edge_server },
	{ .name = "holt", .server = holt_server },
	{ .name = "echod", .server = holt_patient_server },
	{ .name = "libuv", .peer = "libuv" },
	{ .name = "libevent", .peer = "libevent" },
	{ .name = "bufferevent", .peer = "libevent/bufferevent" },
};

enum { N_SERIES = sizeof all / sizeof *all };

/* ---- starting and watching them */
struct shared {
	uint64_t stops; /* at entry and at exit of a system call */
	pid_t server;
};

static struct shared *shared;

static cpu_set_t mine;

/* To the n-th processor of those we were given. With one alone, all share it. */
static void pin(unsigned cpu)
{
	cpu_set_t one;
	unsigned seen = 0;

	if (CPU_COUNT(&mine) < 2)
		return;
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &mine) || seen++ != cpu)
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_setaffinity(0, sizeof one, &one);
		return;
	}
}

static __attribute__((noreturn)) void be_server(const struct series *s, int lfd, bool traced)
{
	pin(0);
	if (traced) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
	}
	if (s->server)
		s->server(lfd);
	else
		peer_server(s->peer, lfd);
	_exit(77);
}

/* The parent of a traced server: lets it go from system call to system call, and counts. */
static __attribute__((noreturn)) void be_tracer(const struct series *s, int lfd)
{
	int status;
	pid_t pid;

	pin(0);
	pid = fork();
	if (pid == 0)
		be_server(s, lfd, true);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		_exit(77);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	__atomic_store_n(&shared->server, pid, __ATOMIC_RELEASE);
	for (int sig = 0;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)sig) < 0 || waitpid(pid, &status, __WALL) != pid)
			_exit(77);
		if (!WIFSTOPPED(status))
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
		sig = WSTOPSIG(status);
		if (sig == (SIGTRAP | 0x80)) {
			__atomic_fetch_add(&shared->stops, 1, __ATOMIC_RELAXED);
			sig = 0;
		} else if (sig == SIGTRAP) {
			sig = 0; /* of execve */
		}
	}
}

static int listen_somewhere(struct sockaddr_in *ret)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	bench_must(lfd >= 0 && bind(lfd, (struct sockaddr *)&a, sizeof a) == 0 && listen(lfd, MOST) == 0 &&
			getsockname(lfd, (struct sockaddr *)&a, &len) == 0,
		"a listening socket on the loopback");
	*ret = a;
	return lfd;
}

/* ---- the client */
struct client {
	int epoll, watch; /* watch: a pidfd of our child; readable when it has ended */
	size_t n;
	int fd[MOST];
	unsigned got[MOST];
};

static const char message[MESSAGE] = "a request of sixty-four bytes";

static bool client_open(struct client *c, size_t n, const struct sockaddr_in *to, pid_t child)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = MOST };
	int one = 1;

	c->n = 0;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->watch = (int)syscall(SYS_pidfd_open, child, 0);
	if (c->watch >= 0)
		epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->watch, &e);
	while (c->n < n) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) {
			close(fd);
			return false;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		e.events = EPOLLIN | EPOLLET;
		e.data.u64 = c->n;
		epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e);
		c->got[c->n] = 0;
		c->fd[c->n++] = fd;
	}
	return true;
}

static void client_close(struct client *c)
{
	while (c->n > 0)
		close(c->fd[--c->n]);
	close(c->watch);
	close(c->epoll);
}

static bool ask(struct client *c, size_t i)
{
	c->got[i] = 0;
	return send(c->fd[i], message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

/* Each connection asks, and asks again when it was answered, until that many were. False: the server is gone. */
static bool client_drive(struct client *c, size_t requests)
{
	struct epoll_event e[256];
	size_t asked = 0, answered = 0;
	char buf[256];

	for (; asked < c->n && asked < requests; asked++)
		if (!ask(c, asked))
			return false;
	while (answered < requests) {
		int n = epoll_wait(c->epoll, e, 256, 0);

		for (int k = 0; k < n; k++) {
			size_t i = e[k].data.u64;
			ssize_t got = i == MOST ? 0 : recv(c->fd[i], buf, sizeof buf, MSG_DONTWAIT);

			if (got < 0 && errno == EAGAIN)
				continue;
			if (got <= 0)
				return false;
			c->got[i] += (unsigned)got;
			if (c->got[i] < MESSAGE)
				continue;
			answered++;
			if (asked < requests && asked++ < requests && !ask(c, i))
				return false;
		}
	}
	return true;
}

/* ---- the measurement */
/* A server with its connections, warm and idle. */
struct run {
	struct client client;
	pid_t child;
};

static bool run_start(struct run *run, const struct series *s, size_t connections, bool traced)
{
	struct sockaddr_in to;
	int lfd = listen_somewhere(&to);

	memset(shared, 0, sizeof *shared);
	fflush(stdout);
	run->child = fork();
	bench_must(run->child >= 0, "fork");
	if (run->child == 0 && traced)
		be_tracer(s, lfd);
	if (run->child == 0)
		be_server(s, lfd, false);
	close(lfd);
	return client_open(&run->client, connections, &to, run->child) && client_drive(&run->client, connections * 4);
}

static void run_stop(struct run *run)
{
	client_close(&run->client);
	kill(run->child, SIGKILL); /* a tracer takes its server with it */
	waitpid(run->child, NULL, 0);
}

/* Starts one, or tells of a peer that it is gone. */
static bool run_try(struct run *run, struct series *s, size_t connections, bool traced)
{
	if (s->gone)
		return false;
	if (run_start(run, s, connections, traced))
		return true;
	run_stop(run);
	bench_must(s->peer != NULL || traced, "a server that is built in");
	if (traced)
		printf("SKIP system calls of %s: it could not be traced\n", s->name);
	else
		s->gone = true;
	return false;
}

static double count_calls(struct run *run, size_t requests)
{
	uint64_t before = __atomic_load_n(&shared->stops, __ATOMIC_RELAXED);

	bench_must(client_drive(&run->client, requests), "requests to a traced server");
	return (double)(__atomic_load_n(&shared->stops, __ATOMIC_RELAXED) - before) / 2 / (double)requests;
}

static void measure_calls(const char *workload, const char *target, size_t connections, size_t requests)
{
	static struct run run;

	for (size_t i = 0; i < N_SERIES; i++) {
		if (!run_try(&run, &all[i], connections, true))
			continue;
		bench_tell(workload, target, all[i].name, count_calls(&run, requests));
		run_stop(&run);
	}
}

static double cpu_each(struct run *run, size_t requests)
{
	clockid_t id;
	double begin;

	bench_must(clock_getcpuclockid(run->child, &id) == 0, "the server's clock");
	bench_must(client_drive(&run->client, run->client.n * 2), "requests to a server");
	begin = bench_clock(id);
	bench_must(client_drive(&run->client, requests), "requests to a server");
	return (bench_clock(id) - begin) / 1000 / (double)requests;
}

/* All servers stand at the same time, and are asked in turns: the machine's speed changes while we look. */
static void measure_cpu(const char *workload, const char *target, size_t connections, size_t requests)
{
	static struct run run[N_SERIES];
	int turns = bench_rounds(6);
	bool runs[N_SERIES];

	for (size_t i = 0; i < N_SERIES; i++)
		runs[i] = run_try(&run[i], &all[i], connections, false);
	for (int turn = 0; turn < turns; turn++)
		for (size_t i = 0; i < N_SERIES; i++)
			if (runs[i])
				bench_tell(workload, target, all[i].name, cpu_each(&run[i], requests / (size_t)turns));
	for (size_t i = 0; i < N_SERIES; i++)
		if (runs[i])
			run_stop(&run[i]);
}

int main(void)
{
	struct rlimit files;
	size_t few = bench_smoke() ? 4 : 50, many = bench_smoke() ? 16 : MOST;

	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bench_must(shared != MAP_FAILED, "shared memory");
	bench_must(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	if (files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur < (many + 8) * N_SERIES) {
		printf("SKIP 1000 connections: only %llu files may be open\n", (unsigned long long)files.rlim_cur);
		many = 0;
	}
	bench_must(sched_getaffinity(0, sizeof mine, &mine) == 0, "sched_getaffinity");
	pin(1);

	measure_cpu("echo, 50 connections, CPU us", "1.03x", few, bench_count(60000));
	measure_calls("echo, 50 connections, system calls", "<=2.05", few, bench_count(60000) / 20);
	if (many > 0)
		measure_cpu("echo, 1000 connections, CPU us", "1.1x", many, bench_count(60000));
	return 0;
}
