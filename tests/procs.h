/* SPDX-License-Identifier: MIT */
/*
 * A simulated process table, for suites that are linked with --wrap=kill and --wrap=waitid (see the Makefile): what the library
 * and the daemon start, signal and wait for is a task of the same loop, in virtual time. Numbers are above all real ones, and a pidfd is an
 * eventfd that becomes readable at the end. All that a parent can ask for is as the kernel has it: an exit stays until it
 * was waited for, SIGKILL cannot be ignored, SIGCHLD comes, a process group is signaled whole.
 *
 * What a process does is said by its arguments, "/sim/NAME": the suite's procs_script() looks it up.
 */
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "harness.h"

#include "sys/spawn.h"
#include "task/task.h"

struct proc_script {
	int exec_error;       /* execve says that */
	holt_time lives;      /* then it exits by itself; HOLT_NEVER: it does not */
	int status;           /* ... with that */
	bool ignores_sigterm; /* and what else can be ignored */
	holt_time takes;      /* to end after a signal that it does not ignore */
	const char *says;     /* on its standard output, at once */
};

/* Of a process that is about to execute argv. */
static struct proc_script procs_script(char *const *argv);

#define PROCS_FIRST 5000000

struct proc {
	struct proc *next;
	pid_t pid, group;
	int pidfd, copy; /* the parent's, and ours; -1: closed */
	int out;
	bool dead;
	int code, status; /* as waitid says it */
	int pending;      /* a signal that was sent; 0: none */
	struct holt_event signaled;
	struct proc_script script;
};

static struct proc *procs;
static pid_t procs_last;

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);
int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);

static struct proc *proc_by_pid(pid_t pid)
{
	for (struct proc *p = procs; p; p = p->next)
		if (p->pid == pid)
			return p;
	return NULL;
}

static struct proc *proc_by_pidfd(int fd)
{
	for (struct proc *p = procs; p; p = p->next)
		if (p->pidfd == fd)
			return p;
	return NULL;
}

/* ---- life */

static void proc_ends(struct proc *p, int code, int status)
{
	uint64_t one = 1;

	if (p->dead)
		return;
	p->dead = true;
	p->code = code;
	p->status = status;
	if (p->out >= 0)
		close(p->out);
	p->out = -1;
	if (write(p->copy, &one, sizeof one) < 0)
		abort();
	close(p->copy);
	__real_kill(getpid(), SIGCHLD);
}

static int proc_lives(void *arg)
{
	pid_t pid = (pid_t)(intptr_t)arg;
	struct proc *p = proc_by_pid(pid);
	holt_time until = p ? holt_in(p->script.lives) : 0;
	struct holt_scope s;
	int r;

	while ((p = proc_by_pid(pid)) && !p->dead) { /* it may have been killed, and waited for, meanwhile */
		holt_event_clear(&p->signaled);
		holt_scope_begin(&s, until, 0);
		r = (int)holt_scope_end(&s, holt_event_wait(&p->signaled));
		p = proc_by_pid(pid);
		if (!p || p->dead)
			return 0;
		if (r == -ETIME)
			proc_ends(p, CLD_EXITED, p->script.status);
		else if (r < 0)
			proc_ends(p, CLD_KILLED, SIGKILL); /* the run is given up */
		else if (!p->script.ignores_sigterm)
			until = 0;
		if (until == 0 && p->script.takes && !p->dead) {
			until = holt_in(p->script.takes);
			p->script.status = 128 + p->pending;
			p->script.takes = 0;
		} else if (until == 0) {
			proc_ends(p, CLD_KILLED, p->pending);
		}
	}
	return 0;
}

/* A task of the root group, and shielded: what cancels the program under test does not reach it. */
static int proc_life(void *arg)
{
	struct holt_scope shield;

	holt_scope_begin(&shield, HOLT_NEVER - 1, HOLT_SHIELD);
	return (int)holt_scope_end(&shield, proc_lives(arg));
}

static int proc_signal(struct proc *p, int sig)
{
	if (p->dead || sig == 0 || sig == SIGCONT) /* none is ever stopped */
		return 0;
	if (sig == SIGKILL)
		proc_ends(p, CLD_KILLED, SIGKILL);
	else
		p->pending = sig;
	holt_event_set(&p->signaled);
	return 0;
}

static void proc_forget(struct proc *p)
{
	struct proc **at = &procs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	holt_event_set(&p->signaled);
	free(p);
}

/* ---- the table, as the library calls it */

static pid_t procs_clone3(struct holt__clone_args *a, int (*fn)(void *arg), void *arg)
{
	pid_t pid = PROCS_FIRST + ++procs_last;
	struct holt__spawn *s = arg;
	struct proc *p;

	(void)fn;
	if (holt_spawn(&holt__here->root, proc_life, (void *)(intptr_t)pid, .name = "process") < 0)
		return -EAGAIN;
	p = calloc(1, sizeof *p);
	*p = (struct proc){ .pid = pid, .group = s->own_group ? pid : getpid(), .pidfd = -1, .copy = -1, .out = -1 };
	p->script = procs_script(s->argv);
	p->next = procs;
	procs = p;
	if (p->script.exec_error) {
		s->error = p->script.exec_error;
		s->failed = "exec";
		p->dead = true;
		p->code = CLD_EXITED;
		p->status = 127;
		return pid;
	}
	*(int *)(uintptr_t)a->pidfd = p->pidfd = eventfd(0, EFD_CLOEXEC);
	p->copy = fcntl(p->pidfd, F_DUPFD_CLOEXEC, 3);
	if (s->fds[1] > 2)
		p->out = fcntl(s->fds[1], F_DUPFD_CLOEXEC, 3);
	if (p->script.says && p->out >= 0 && write(p->out, p->script.says, strlen(p->script.says)) < 0)
		abort();
	return pid;
}

static int procs_waitid(int type, id_t id, siginfo_t *info, int options, struct rusage *usage)
{
	struct proc *p = type == P_PID ? proc_by_pid((pid_t)id) : type == P_PIDFD ? proc_by_pidfd((int)id) : NULL;

	for (struct proc *i = procs; type == P_ALL && i; i = i->next)
		if (i->dead || !p)
			p = i;
	if (!p)
		return -ECHILD;
	if (usage)
		memset(usage, 0, sizeof *usage);
	memset(info, 0, sizeof *info);
	if (!p->dead)
		return options & WNOHANG ? 0 : -EDEADLK; /* nobody here may block */
	info->si_pid = p->pid;
	info->si_code = p->code;
	info->si_status = p->status;
	if (!(options & WNOWAIT))
		proc_forget(p);
	return 0;
}

static int procs_kill(pid_t pid, int sig)
{
	bool found = false;

	if (pid >= 0) {
		struct proc *p = proc_by_pid(pid);

		return p ? proc_signal(p, sig) : -ESRCH;
	}
	for (struct proc *p = procs; p; p = p->next) {
		if (p->group != -pid)
			continue;
		proc_signal(p, sig);
		found = true;
	}
	return found ? 0 : -ESRCH;
}

static int procs_pidfd_send_signal(int pidfd, int sig, unsigned flags)
{
	struct proc *p = proc_by_pidfd(pidfd);

	if (!p)
		return -EBADF;
	if (flags)
		return procs_kill(-p->pid, sig);
	return p->dead ? -ESRCH : proc_signal(p, sig);
}

static pid_t procs_getpgid(pid_t pid)
{
	struct proc *p = proc_by_pid(pid);

	return p ? p->group : -ESRCH;
}

static int procs_close(int fd)
{
	struct proc *p = proc_by_pidfd(fd);

	if (p)
		p->pidfd = -1;
	return holt__sys_linux.close(fd);
}

/* Before each run. */
static void procs_reset(void)
{
	while (procs)
		proc_forget(procs);
	procs_last = 0;
	harness_sys.clone3 = procs_clone3;
	harness_sys.waitid = procs_waitid;
	harness_sys.kill = procs_kill;
	harness_sys.pidfd_send_signal = procs_pidfd_send_signal;
	harness_sys.getpgid = procs_getpgid;
	harness_sys.close = procs_close;
}

/* How many live, and how many are still to be waited for. */
static size_t procs_alive(void)
{
	size_t n = 0;

	for (struct proc *p = procs; p; p = p->next)
		n += !p->dead;
	return n;
}

static size_t procs_left(void)
{
	size_t n = 0;

	for (struct proc *p = procs; p; p = p->next)
		n++;
	return n;
}

/* ---- the same for the daemon's own calls */

int __wrap_kill(pid_t pid, int sig)
{
	int r;

	if (pid < PROCS_FIRST && pid > -PROCS_FIRST)
		return __real_kill(pid, sig);
	r = procs_kill(pid, sig);
	if (r < 0)
		errno = -r;
	return r < 0 ? -1 : 0;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	int r = procs_waitid((int)type, id, info, options, NULL);

	if (r < 0)
		errno = -r;
	return r < 0 ? -1 : 0;
}
