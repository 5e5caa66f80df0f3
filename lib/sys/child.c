/* SPDX-License-Identifier: MIT */
/*
 * A child between its birth and its program: a row of steps, the table below, each a system call or a few. The first that fails
 * is written down with its name, and that is the end of the child.
 *
 * It runs in our memory (see spawn.c), so it does nothing else: no allocation, no lock, no function of libc that keeps
 * anything. The ids are set by raw calls: libc's would change those of all our threads.
 *
 * Descriptors are a table of targets 0 to n-1: sources that lie in the range are moved above it, then each target is
 * filled, and all above is marked close-on-exec, so that nothing leaks which somebody forgot to mark. The limits come
 * after that, since a small RLIMIT_NOFILE would be in the way, and before the ids, since raising one needs privileges.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/spawn.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_setresuid32 /* the old ones of some machines have ids of 16 bits */
#define SYS_setresuid32 SYS_setresuid
#define SYS_setresgid32 SYS_setresgid
#define SYS_setgroups32 SYS_setgroups
#endif

/* Sanitizers would see one thread that runs on two stacks. */
#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define IN_CHILD __attribute__((disable_sanitizer_instrumentation))
#endif
#endif
#ifndef IN_CHILD
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

enum { SIGSET = _NSIG / 8, FDS_MAX = 1 << 20 };

#define CALL(number, a, b, c, d) (holt__sys->in_child(SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d)))

IN_CHILD static int reset_signals(struct holt__spawn *s)
{
	const long no_action[8] = { 0 }; /* the kernel's struct sigaction: SIG_DFL, no flags, an empty mask */

	(void)s;
	for (int sig = 1; sig < _NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			CALL(rt_sigaction, sig, no_action, 0, SIGSET);
	return 0;
}

IN_CHILD static int leave_group(struct holt__spawn *s)
{
	return s->own_group ? CALL(setpgid, 0, 0, 0, 0) : 0;
}

IN_CHILD static int enter_cgroup(struct holt__spawn *s)
{
	int fd, r;

	if (s->cgroup_fd < 0 || s->in_cgroup)
		return 0;
	fd = CALL(openat, s->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = CALL(write, fd, "0", 1, 0);
	CALL(close, fd, 0, 0, 0);
	return r;
}

IN_CHILD static int set_nice(struct holt__spawn *s)
{
	return s->nice != 0 ? CALL(setpriority, PRIO_PROCESS, 0, s->nice, 0) : 0;
}

IN_CHILD static int open_null(int as)
{
	int fd = CALL(openat, AT_FDCWD, "/dev/null", O_RDWR, 0), r;

	if (fd < 0 || fd == as)
		return fd;
	r = CALL(dup3, fd, as, 0, 0);
	CALL(close, fd, 0, 0, 0);
	return r;
}

IN_CHILD static int fill(int as, int from)
{
	if (from == HOLT__FD_KEEP)
		return 0; /* whatever it is: one of the library's own is close-on-exec */
	if (from == HOLT__FD_NULL)
		return open_null(as);
	if (from == HOLT__FD_STDOUT)
		from = STDOUT_FILENO;
	return from == as ? CALL(fcntl, as, F_SETFD, 0, 0) : CALL(dup3, from, as, 0, 0);
}

/* The name of an entry of /proc/self/fd; -1: it is none. */
IN_CHILD static int number(const char *name)
{
	int n = 0;

	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		n = n * 10 + *name - '0';
	}
	return n;
}

struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

IN_CHILD static int mark_listed(int first)
{
	char buf[2048] __attribute__((aligned(8)));
	int dir = CALL(openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), n;

	if (dir < 0)
		return dir;
	while ((n = CALL(getdents64, dir, buf, sizeof buf, 0)) > 0) {
		for (int at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(buf + at);
			int fd = number(e->name);

			if (fd >= first)
				CALL(fcntl, fd, F_SETFD, FD_CLOEXEC, 0);
			at += e->size;
		}
	}
	if (dir < first)
		CALL(close, dir, 0, 0, 0);
	return n;
}

/* Without /proc, too: one after the other. (Above our limit there may be some, from before it was lowered.) */
IN_CHILD static void mark_each(int first)
{
	uint64_t limit[2] = { FDS_MAX, FDS_MAX };

	CALL(prlimit64, 0, RLIMIT_NOFILE, 0, limit);
	if (limit[1] > FDS_MAX)
		limit[1] = FDS_MAX;
	for (int fd = first; fd < (int)limit[1]; fd++)
		CALL(fcntl, fd, F_SETFD, FD_CLOEXEC, 0);
}

IN_CHILD static void mark_above(int first)
{
	if (CALL(close_range, first, ~0U, CLOSE_RANGE_CLOEXEC, 0) < 0 && mark_listed(first) < 0)
		mark_each(first);
}

IN_CHILD static int set_fds(struct holt__spawn *s)
{
	int r = 0, i;

	for (i = 0; r >= 0 && i < s->n_fds; i++) {
		if (s->fds[i] < 0 || s->fds[i] == i || s->fds[i] >= s->n_fds)
			continue;
		r = CALL(fcntl, s->fds[i], F_DUPFD, s->n_fds, 0);
		if (r >= 0)
			s->fds[i] = r;
	}
	for (i = r < 0 ? i : 0; r >= 0 && i < s->n_fds; i++)
		r = fill(i, s->fds[i]);
	if (r < 0) {
		s->failed = i <= 3 ? "stdio" : "fds"; /* i is one behind it */
		return r;
	}
	mark_above(s->n_fds);
	return 0;
}

IN_CHILD static int set_limits(struct holt__spawn *s)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->n_limits; i++)
		r = CALL(prlimit64, 0, s->limits[i].resource, s->limits[i].value, 0);
	return r;
}

IN_CHILD static int set_umask(struct holt__spawn *s)
{
	if (s->umask >= 0)
		CALL(umask, s->umask, 0, 0, 0);
	return 0;
}

IN_CHILD static int set_groups(struct holt__spawn *s)
{
	return s->n_groups >= 0 ? CALL(setgroups32, s->n_groups, s->groups, 0, 0) : 0;
}

IN_CHILD static int set_gid(struct holt__spawn *s)
{
	return s->gid != (gid_t)-1 ? CALL(setresgid32, s->gid, s->gid, s->gid, 0) : 0;
}

IN_CHILD static int set_uid(struct holt__spawn *s)
{
	return s->uid != (uid_t)-1 ? CALL(setresuid32, s->uid, s->uid, s->uid, 0) : 0;
}

IN_CHILD static int enter_folder(struct holt__spawn *s)
{
	return s->cwd ? CALL(chdir, s->cwd, 0, 0, 0) : 0;
}

/* After the ids, which take it off. Who died before will not send it: then the child sees another parent (or 0: one of another namespace). */
IN_CHILD static int set_death_signal(struct holt__spawn *s)
{
	int r, parent;

	if (s->death_signal == 0)
		return 0;
	r = CALL(prctl, PR_SET_PDEATHSIG, s->death_signal, 0, 0);
	if (r < 0)
		return r;
	parent = CALL(getppid, 0, 0, 0, 0);
	return parent == s->parent || parent == 0 ? 0 : -ESRCH;
}

IN_CHILD static int give_up_privileges(struct holt__spawn *s)
{
	return s->no_new_privileges ? CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0) : 0;
}

IN_CHILD static int write_pid(struct holt__spawn *s)
{
	int pid = CALL(getpid, 0, 0, 0, 0), n = 1;

	if (!s->pid_text)
		return 0;
	for (int rest = pid; rest > 9; rest /= 10)
		n++;
	s->pid_text[n] = 0;
	for (; n-- > 0; pid /= 10)
		s->pid_text[n] = (char)('0' + pid % 10);
	return 0;
}

/* What execvp goes on after, and what it says at the end; but a file in no known format is no script for a shell. */
IN_CHILD static int execute(struct holt__spawn *s)
{
	static const uint64_t no_signals[SIGSET / 8 + 1];
	bool denied = false;
	int r = -ENOENT;

	CALL(rt_sigprocmask, SIG_SETMASK, no_signals, 0, SIGSET);
	for (char *const *path = s->paths; *path; path++) {
		r = CALL(execve, *path, s->argv, s->env, 0);
		denied |= r == -EACCES;
		if (r != -EACCES && r != -ENOENT && r != -ENOTDIR && r != -ESTALE && r != -ENODEV && r != -ETIMEDOUT)
			return r;
	}
	return denied ? -EACCES : r;
}

static const struct {
	const char *name;
	int (*take)(struct holt__spawn *s);
} steps[] = {
	{ "process", reset_signals },
	{ "same_group", leave_group },
	{ "cgroup_fd", enter_cgroup },
	{ "nice", set_nice },
	{ "fds", set_fds },
	{ "limits", set_limits },
	{ "process", set_umask },
	{ "supplementary_groups", set_groups },
	{ "group", set_gid },
	{ "user", set_uid },
	{ "cwd", enter_folder },
	{ "death_signal", set_death_signal },
	{ "no_new_privileges", give_up_privileges },
	{ "process", write_pid },
	{ "exec", execute },
};

IN_CHILD int holt__child(void *arg)
{
	struct holt__spawn *s = arg;

	for (size_t i = 0; s->error == 0 && i < HOLT__N(steps); i++) {
		int r;

		s->failed = steps[i].name;
		r = steps[i].take(s);
		if (r < 0)
			s->error = r;
	}
	while (CALL(exit_group, 127, 0, 0, 0) < 0)
		; /* a test lets it fail */
	return 127;
}

IN_CHILD int holt__in_child(long number_, long a, long b, long c, long d)
{
	long r = syscall(number_, a, b, c, d, 0);

	return r < 0 ? -errno : (int)r;
}
