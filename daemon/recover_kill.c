/* SPDX-License-Identifier: MIT */
/*
 * Rounds: all of /proc is looked at, whoever is one of ours is sent SIGKILL, and then their ends are waited for. A process that
 * was not there yet, because its parent was just about to fork, is found in the next one; the last finds nobody. One that is dead and
 * not waited for counts as nobody: that is its parent's business.
 *
 * pid + start time, and the environment, are read after the pidfd was opened, and the signal goes through the pidfd: what was
 * read was that process's, or that of one that took its number, which has another start time and another environment.
 */
#include "daemon/recover_kill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <holt/io.h>
#include <holt/log.h>
#include <holt/run.h>
#include <holt/scope.h>

#include "base/alloc.h"

enum { STAT_SIZE = 512, KERNEL_THREAD = 0x00200000 };
enum { UNSURE_MAX = 3 };           /* rounds for nothing else: 7 ms in all */
enum { SIGNAL_PROCESS_GROUP = 4 }; /* of pidfd_send_signal(), Linux 6.9 */
#define KILL_SPAN (5 * HOLT_SEC)

/* One that was sent SIGKILL. */
struct held {
	int pidfd;
	size_t index; /* of the recorded process that it is, or belongs to */
};

struct round {
	struct state *state;
	const struct recorded *recorded;
	const struct recorded_process **by_pid, **by_id; /* sorted */
	struct recover_kill *result;
	struct held *held;
	size_t n_held, room;
	bool again;  /* not all could be looked at, for want of descriptors or memory */
	bool unsure; /* of somebody it could not be said who he is: he executes something just now, or waits in the kernel */
};

/* ---- whose is it? */

static int compare_pids(const void *a, const void *b)
{
	pid_t x = (*(const struct recorded_process *const *)a)->pid, y = (*(const struct recorded_process *const *)b)->pid;

	return (x > y) - (x < y);
}

static int compare_ids(const void *a, const void *b)
{
	const struct invocation *x = &(*(const struct recorded_process *const *)a)->id;
	const struct invocation *y = &(*(const struct recorded_process *const *)b)->id;

	if (x->v[0] != y->v[0])
		return x->v[0] < y->v[0] ? -1 : 1;
	return (x->v[1] > y->v[1]) - (x->v[1] < y->v[1]);
}

static int sort(struct round *d)
{
	size_t n = d->recorded->n_processes;

	d->by_pid = holt__calloc(n + 1, sizeof *d->by_pid);
	d->by_id = holt__calloc(n + 1, sizeof *d->by_id);
	if (!d->by_pid || !d->by_id)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		d->by_pid[i] = d->by_id[i] = &d->recorded->processes[i];
	qsort(d->by_pid, n, sizeof *d->by_pid, compare_pids);
	qsort(d->by_id, n, sizeof *d->by_id, compare_ids);
	return 0;
}

static size_t first_with(const struct round *d, pid_t pid)
{
	size_t low = 0, high = d->recorded->n_processes;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (d->by_pid[mid]->pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The first of those with that number which is that process: a number may have been recorded twice. */
static const struct recorded_process *find_by_pid(const struct round *d, pid_t pid, uint64_t start)
{
	size_t n = d->recorded->n_processes;

	for (size_t i = first_with(d, pid); i < n && d->by_pid[i]->pid == pid; i++)
		if (start && d->by_pid[i]->start == start)
			return d->by_pid[i];
	return NULL;
}

/* The oldest of that number. */
static const struct recorded_process *find_by_number(const struct round *d, pid_t pid)
{
	const struct recorded_process *oldest = NULL;

	for (size_t i = first_with(d, pid); i < d->recorded->n_processes && d->by_pid[i]->pid == pid; i++)
		if (!oldest || d->by_pid[i]->start < oldest->start)
			oldest = d->by_pid[i];
	return oldest;
}

/* When the one that has the number now was started; 0: nobody has. */
static uint64_t start_of(const struct round *d, pid_t pid)
{
	char stat[STAT_SIZE];
	ssize_t n = proc_read(d->state->proc, pid, "stat", stat, sizeof stat);

	return n <= 0 ? 0 : state_start_time(stat, (size_t)n);
}

static bool is_want(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* Dead already, or a thread of the kernel: nobody's. */
static bool is_nobody(const char *stat)
{
	const char *p = strrchr(stat, ')');
	unsigned flags;
	char state;

	return !p || sscanf(p, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2 || state == 'Z' || state == 'X' ||
		(flags & KERNEL_THREAD);
}

static int find_by_id(struct round *d, pid_t pid, const struct recorded_process **ret, bool *ret_has_id)
{
	struct recorded_process key = { .pid = pid };
	const struct recorded_process *const p = &key, *const * found;
	int r = invocation_of(d->state->proc, pid, &key.id);

	if (r < 0) {
		d->unsure |= r == -EBUSY || r == -EAGAIN;
		return is_want(r) ? r : 0;
	}
	*ret_has_id = key.id.v[0] || key.id.v[1];
	found = bsearch(&p, d->by_id, d->recorded->n_processes, sizeof *d->by_id, compare_ids);
	if (found)
		*ret = *found;
	return 0;
}

/*
 * Who has overwritten its environment, but is in the process group or the session of a recorded process, and came after it. Its number
 * cannot have been given to another while a group or a session has it.
 */
static const struct recorded_process *find_by_group(const struct round *d, const char *stat, uint64_t start)
{
	const char *p = strrchr(stat, ')');
	int ids[2];

	if (!p || !start || sscanf(p, ") %*c %*d %d %d", &ids[0], &ids[1]) != 2)
		return NULL;
	for (size_t i = 0; i < HOLT__N(ids); i++) {
		const struct recorded_process *r = find_by_number(d, ids[i]);

		if (r && start >= r->start && start_of(d, r->pid) <= r->start)
			return r;
	}
	return NULL;
}

/* *ret stays NULL: nobody of ours. -EMFILE and its like: it cannot be said now. */
static int find(struct round *d, pid_t pid, const struct recorded_process **ret, bool *ret_main)
{
	char stat[STAT_SIZE];
	ssize_t n = proc_read(d->state->proc, pid, "stat", stat, sizeof stat);
	bool has_id = false;
	uint64_t start;
	int r;

	if (n <= 0 || is_nobody(stat))
		return is_want((int)n) ? (int)n : 0;
	start = state_start_time(stat, (size_t)n);
	*ret = find_by_pid(d, pid, start);
	*ret_main = *ret != NULL;
	r = *ret ? 0 : find_by_id(d, pid, ret, &has_id);
	if (r == 0 && !*ret && !has_id)
		*ret = find_by_group(d, stat, start);
	return r;
}

/* ---- killing */

static int signal_pidfd(int pidfd, unsigned flags)
{
	return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, flags) < 0 ? -errno : 0;
}

/* While its leader has not ended, the number of a group is nobody else's. */
static void kill_group(int pidfd, pid_t pid)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r = signal_pidfd(pidfd, SIGNAL_PROCESS_GROUP);

	if (r == -EINVAL && getpgid(pid) == pid && poll(&p, 1, 0) == 0)
		(void)kill(-pid, SIGKILL);
}

static bool may_be_ours(int proc, pid_t pid)
{
	char path[16];
	struct stat st;

	snprintf(path, sizeof path, "%d", (int)pid);
	return fstatat(proc, path, &st, 0) == 0 && (geteuid() == 0 || st.st_uid == geteuid());
}

/* 1: it was sent SIGKILL, and *ret is it; 0: it is none of ours; -EMFILE and its like. */
static int kill_one(struct round *d, pid_t pid, struct held *ret)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r;
	const struct recorded_process *p = NULL;
	bool main = false;

	if (fd < 0)
		return is_want(-errno) ? -errno : 0;
	r = find(d, pid, &p, &main);
	if (r < 0 || !p || !may_be_ours(d->state->proc, pid)) {
		close(fd);
		return r;
	}
	if (main && getpgid(pid) == pid)
		kill_group(fd, pid);
	*ret = (struct held){ fd, (size_t)(p - d->recorded->processes) };
	r = signal_pidfd(fd, 0);
	if (r == 0 || r == -ESRCH) {
		d->result->killed++;
		holt_log(LOG_INFO, "%s: process %d was left by a holtd that was killed; killed", p->node, (int)pid);
		return 1;
	}
	holt_log(LOG_ERR, "%s: process %d was left by a holtd that was killed, and cannot be: %s", p->node, (int)pid,
		strerror(-r));
	d->result->alive[ret->index] = true;
	d->result->left++;
	close(fd);
	return 0;
}

static void kill_cgroup(const char *path)
{
	char text[4096 + 16], pids[4096];
	int procs, fd;
	ssize_t n = 0;

	if ((size_t)snprintf(text, sizeof text, "%s/cgroup.procs", path) >= sizeof text)
		return;
	procs = open(text, O_RDONLY | O_CLOEXEC);
	if (procs < 0)
		return;
	n = read(procs, pids, sizeof pids - 1);
	close(procs);
	pids[n > 0 ? n : 0] = 0;
	for (const char *p = pids; n > 0 && p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (*p && strtol(p, NULL, 10) == getpid())
			return; /* who ever recorded that: it would be us */
	snprintf(text, sizeof text, "%s/cgroup.kill", path);
	fd = open(text, O_WRONLY | O_CLOEXEC); /* Linux 5.14; before that all in it are found one by one */
	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	close(fd);
}

/* ---- a round */

/* There is always room for one more. */
static int make_room(struct round *d)
{
	size_t room = d->room ? 2 * d->room : 64;
	struct held *more;

	if (d->n_held < d->room)
		return 0;
	more = holt__realloc(d->held, room * sizeof *more);
	if (!more)
		return -ENOMEM;
	d->held = more;
	d->room = room;
	return 0;
}

static int look_at_each(struct round *d, DIR *all)
{
	const struct dirent *e;
	int r = make_room(d);

	d->again = d->unsure = false;
	while (r >= 0 && (e = readdir(all))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid())
			continue;
		r = kill_one(d, pid, &d->held[d->n_held]);
		if (r < 0 && d->n_held > 0) { /* no more descriptors: the others after these have ended */
			d->again = true;
			return 0;
		}
		if (r > 0) {
			d->n_held++;
			r = make_room(d);
		}
	}
	return r < 0 ? r : 0;
}

static int look_at_all(struct round *d)
{
	int dir = openat(d->state->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	DIR *all = dir < 0 ? NULL : fdopendir(dir);

	if (!all) {
		r = -errno;
		if (dir >= 0)
			close(dir);
		return r;
	}
	r = look_at_each(d, all);
	closedir(all);
	return r;
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static int wait_for_held(struct round *d, holt_time end)
{
	struct holt_scope s;
	int r = 0;

	holt_scope_begin(&s, end, 0);
	for (size_t i = 0; i < d->n_held; i++) {
		const struct held *h = &d->held[i];

		if (r >= 0)
			r = holt_wait_fd(h->pidfd, EPOLLIN);
		if (r < 0 && !has_ended(h->pidfd)) {
			d->result->alive[h->index] = true;
			d->result->left++;
		}
		holt_close(h->pidfd);
	}
	d->n_held = 0;
	r = (int)holt_scope_end(&s, r);
	return r < 0 ? r : 0;
}

/* Whether there has to be another one. */
static bool one_round(struct round *d, holt_time end, int *ret_error)
{
	size_t found;
	int r, e;

	d->result->left = 0;
	memset(d->result->alive, 0, d->recorded->n_processes * sizeof *d->result->alive);
	r = look_at_all(d);
	found = d->n_held;
	e = wait_for_held(d, end);
	*ret_error = r < 0 ? r : e;
	return *ret_error == 0 && (found > 0 || d->again);
}

static int rounds(struct round *d)
{
	holt_time end = holt_in(KILL_SPAN);
	unsigned unsure = 0;
	int r = 0;

	while (one_round(d, end, &r) || (r == 0 && d->unsure && unsure < UNSURE_MAX)) {
		if (d->unsure && unsure < UNSURE_MAX)
			r = holt_sleep(HOLT_MS << unsure++); /* there is nothing that would tell when it can be said */
		if (r < 0)
			break;
	}
	holt__free(d->held);
	if (d->result->left)
		holt_log(LOG_ERR, "%u processes that a killed holtd has left cannot be killed; they are left to the kernel",
			d->result->left);
	return r == -ETIME ? 0 : r;
}

int recover_kill(struct state *s, const struct recorded *r, struct recover_kill *ret)
{
	struct round d = { .state = s, .recorded = r, .result = ret };
	int e;

	*ret = (struct recover_kill){ .alive = holt__calloc(r->n_processes + 1, sizeof *ret->alive) };
	e = ret->alive ? sort(&d) : -ENOMEM;
	for (size_t i = 0; e == 0 && i < r->n_processes; i++)
		if (r->processes[i].cgroup)
			kill_cgroup(r->processes[i].cgroup);
	if (e == 0 && r->n_processes)
		e = rounds(&d);
	holt__free(d.by_pid);
	holt__free(d.by_id);
	if (e < 0) {
		holt__free(ret->alive);
		ret->alive = NULL;
	}
	return e;
}
