/* SPDX-License-Identifier: MIT */
/*
 * A supervisor of many processes: 100, 1000 and 5000 children that sleep. How long until all of them run, how long from
 * the SIGTERM to its end, how long from the death of one (kill -9) until it runs again (the median of some), and what the
 * supervisor's memory is.
 *
 * LIMIT is a supervisor of a hundred lines: posix_spawn(), a pidfd each, epoll, and nothing else. holt is build/holtd
 * with a tree of as many nodes. Both are programs of their own, that tell by a line on a pipe what they have
 * done: "ready" once, "again" for a restart. The one who measures only reads that.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

extern char **environ;

/* ---- the bare one */

struct slot {
	pid_t pid;
	int fd;
};

static int bare_spawn_one(int epfd, struct slot *s, size_t i)
{
	char *argv[] = { "sleep", "infinity", NULL };
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = i };
	posix_spawnattr_t a;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&a);
	posix_spawnattr_setsigmask(&a, &none);
	posix_spawnattr_setflags(&a, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn(&s->pid, "/bin/sleep", NULL, &a, argv, environ);
	posix_spawnattr_destroy(&a);
	if (r != 0)
		return -r;
	s->fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	return s->fd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &e) < 0 ? -errno : 0;
}

static volatile sig_atomic_t stopped;

static void on_term(int sig)
{
	(void)sig;
	stopped = 1;
}

static void bare_gone(int epfd, struct slot *s, size_t *left)
{
	siginfo_t si;

	if (waitid(P_PIDFD, (id_t)s->fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	epoll_ctl(epfd, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	(*left)--;
}

static int bare_supervise(size_t n, int out)
{
	struct slot *slots = calloc(n, sizeof *slots);
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	bool asked = false;
	size_t left = n;
	sigset_t mask, old;

	fcntl(out, F_SETFD, FD_CLOEXEC);
	signal(SIGTERM, on_term);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, &old);
	for (size_t i = 0; i < n; i++)
		bench_must(bare_spawn_one(epfd, &slots[i], i) == 0, "posix_spawn");
	bench_must(write(out, "ready\n", 6) == 6, "pipe");
	while (left > 0) {
		struct epoll_event e[64];
		int k;

		if (stopped && !asked) {
			asked = true;
			for (size_t i = 0; i < n; i++)
				kill(slots[i].pid, SIGTERM);
		}
		k = epoll_pwait(epfd, e, 64, -1, &old);
		for (int i = 0; i < k; i++) {
			struct slot *s = &slots[e[i].data.u64];

			bare_gone(epfd, s, &left);
			if (asked)
				continue;
			bench_must(bare_spawn_one(epfd, s, e[i].data.u64) == 0, "posix_spawn");
			left++;
			bench_must(write(out, "again\n", 6) == 6, "pipe");
		}
	}
	return 0;
}

/* ---- holtd */

static char dir[64], holtd[512];

static void write_tree(size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/bench.tree", dir);
	f = fopen(path, "we");
	bench_must(f != NULL, path);
	fputs("[tree]\nLogTarget=console\nIntensity=10000/1s\n", f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "[process p%zu]\nExecStart=/bin/sleep infinity\nRestartSec=0\nAfter=\n", i);
	bench_must(fclose(f) == 0, path);
}

static void exec_holtd(int out)
{
	char path[128], state[128];

	snprintf(path, sizeof path, "%s/bench.tree", dir);
	snprintf(state, sizeof state, "%s/state", dir);
	dup2(out, 2);
	unsetenv("NOTIFY_SOCKET");
	execl(holtd, "holtd", "--state", state, path, (char *)NULL);
	_exit(127);
}

/* ---- measuring */

struct run {
	const char *series;
	pid_t pid;
	FILE *in;
	double start, stop, again;
	size_t rss;
};

/* Until a line that has the word. */
static void read_until(struct run *r, const char *word)
{
	char line[512];

	while (fgets(line, sizeof line, r->in))
		if (strstr(line, word))
			return;
	bench_must(false, word);
}

static size_t rss_of(pid_t pid)
{
	char path[64], line[256];
	size_t kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "VmRSS: %zu", &kb);
	if (f)
		fclose(f);
	return kb * 1024;
}

static pid_t nth_child(pid_t pid, size_t n)
{
	char path[64];
	pid_t child = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	bench_must(f != NULL, path);
	for (size_t i = 0; i <= n; i++)
		if (fscanf(f, "%d", &child) != 1)
			break;
	fclose(f);
	return child;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct run *r, size_t n, bool bare)
{
	enum { DEATHS = 21 };
	double begin = bench_now(), spans[DEATHS];
	int p[2], status;

	bench_must(pipe(p) == 0, "pipe");
	fflush(stdout);
	r->pid = fork();
	if (r->pid == 0) {
		close(p[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!bare)
			exec_holtd(p[1]);
		_exit(bare_supervise(n, p[1]));
	}
	close(p[1]);
	r->in = fdopen(p[0], "r");
	read_until(r, bare ? "ready" : "bench: ready");
	r->start = bench_now() - begin;
	r->rss = rss_of(r->pid);
	for (int i = 0; i < DEATHS; i++) {
		pid_t victim = nth_child(r->pid, n / DEATHS * (size_t)i);

		begin = bench_now();
		kill(victim, SIGKILL);
		read_until(r, bare ? "again" : ": ready");
		spans[i] = bench_now() - begin;
	}
	qsort(spans, DEATHS, sizeof *spans, by_value);
	r->again = spans[DEATHS / 2];
	begin = bench_now();
	kill(r->pid, SIGTERM);
	while (fgetc(r->in) != EOF)
		;
	bench_must(waitpid(r->pid, &status, 0) == r->pid && status == 0, "an orderly end of the supervisor");
	r->stop = bench_now() - begin;
	fclose(r->in);
}

static void tell_all(size_t n, const struct run *r)
{
	char name[64];

	snprintf(name, sizeof name, "start %zu processes, ms", n);
	bench_tell(name, "1.2x", r->series, r->start / 1e6);
	snprintf(name, sizeof name, "stop %zu processes, ms", n);
	bench_tell(name, "1.5x", r->series, r->stop / 1e6);
	snprintf(name, sizeof name, "restart one of %zu after kill -9, us", n);
	bench_tell(name, "2x", r->series, r->again / 1e3);
	snprintf(name, sizeof name, "supervisor of %zu, KB of RSS", n);
	bench_tell(name, n == 1000 ? "<=5120" : "-", r->series, (double)r->rss / 1024);
}

int main(int argc, char **argv)
{
	static const size_t counts[] = { 100, 1000, 5000 };
	char *slash;

	(void)argc;
	snprintf(holtd, sizeof holtd, "%s", argv[0]);
	slash = strrchr(holtd, '/');
	bench_must(slash != NULL, "the path of this program");
	snprintf(slash, sizeof holtd - (size_t)(slash - holtd), "/../holtd");
	if (access(holtd, X_OK) < 0) {
		printf("SKIP tree: holtd is not built\n");
		return 77;
	}
	snprintf(dir, sizeof dir, "/tmp/holt-bench-XXXXXX");
	bench_must(mkdtemp(dir) != NULL, "mkdtemp");
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct run bare = { .series = "LIMIT" }, holt = { .series = "holt" };
		size_t n = bench_smoke() ? 8 + i : counts[i];

		if (bench_smoke() && i > 0)
			break;
		write_tree(n);
		measure(&bare, n, true);
		measure(&holt, n, false);
		tell_all(n, &bare);
		tell_all(n, &holt);
	}
	char cmd[128];

	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd) != 0;
}
