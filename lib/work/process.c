/* SPDX-License-Identifier: MIT */
/*
 * A child process, from its start to its exit: a record of less than 200 bytes and a pidfd, and nothing else of ours.
 *
 * epoll watches the pidfd only while somebody waits, so a process that nobody waits for may outlive its loop, and a
 * pidfd is never closed while epoll knows it: another child may hold a copy until its exec, and epoll would go on telling of
 * it. It is watched edge-triggered: one that a debugger has taken is readable before we can have its exit.
 *
 * Who waits is given the exit by who finds it, into its own stack: the record may be gone when it runs. The exit is taken in
 * one place (reap), by whoever comes first: a wait, a kill that must know whether it lives, or an event. Until then the
 * kernel keeps the number for us; after it, nothing here uses the number any more.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <holt/work.h>

#include "base/alloc.h"
#include "base/options.h"
#include "task/task.h"
#include "work/plan.h"

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4 /* Linux 6.9 */
#endif
enum { BY_PIDFD = 3 }; /* P_PIDFD */

#define CLOSE_GRACE (5 * HOLT_SEC)
#define KILL_TIME (5 * HOLT_SEC) /* how long SIGKILL may take */
enum { BROKEN_MS = 100, OUTSIDE_MS = 5000 };

_Static_assert(offsetof(struct holt_process_options, supplementary_groups) ==
		(offsetof(struct holt_process_options, death_signal) + sizeof(int) + sizeof(void *) - 1) / sizeof(void *) *
			sizeof(void *),
	"what was added begins where the struct without it ended, padding included");

/* What Linux fills in of a struct rusage: half of it. */
struct usage {
	struct timeval user, system;
	long maxrss, minflt, majflt, inblock, oublock, nvcsw, nivcsw;
};

struct holt_process {
	struct holt__source source; /* the pidfd; fire is set while epoll watches it */
	struct holt_waiters waiters;
	pid_t pid;
	int ends[3]; /* of pipes; -1: none */
	bool own_group;
	bool ended;
	bool signaled, core;
	int code;
	int result; /* of waiting for it: 0, -ECHILD */
	struct usage usage;
};
_Static_assert(sizeof(struct holt_process) <= 184, "with what malloc adds, less than 200 bytes");

/* On the stack of a task that waits. */
struct waiter {
	struct holt__waiter w;
	holt_process *process;
	struct holt_exit exit;
};

/* ---- the exit */

static void fill_exit(const holt_process *p, struct holt_exit *e)
{
	const struct usage *u = &p->usage;

	*e = (struct holt_exit){ .signaled = p->signaled, .core = p->core, .code = p->code };
	e->usage.ru_utime = u->user;
	e->usage.ru_stime = u->system;
	e->usage.ru_maxrss = u->maxrss;
	e->usage.ru_minflt = u->minflt;
	e->usage.ru_majflt = u->majflt;
	e->usage.ru_inblock = u->inblock;
	e->usage.ru_oublock = u->oublock;
	e->usage.ru_nvcsw = u->nvcsw;
	e->usage.ru_nivcsw = u->nivcsw;
}

static void note_exit(holt_process *p, const siginfo_t *si, const struct rusage *u)
{
	p->signaled = si->si_code != CLD_EXITED;
	p->core = si->si_code == CLD_DUMPED;
	p->code = si->si_status;
	p->usage = (struct usage){ u->ru_utime, u->ru_stime, u->ru_maxrss, u->ru_minflt, u->ru_majflt, u->ru_inblock,
		u->ru_oublock, u->ru_nvcsw, u->ru_nivcsw };
}

static void unwatch(holt_process *p)
{
	if (!p->source.fire)
		return;
	holt__loop_detach(&holt__here->loop, &p->source);
	p->source.fire = NULL;
}

static void wake_all(holt_process *p, int result)
{
	unwatch(p);
	while (p->waiters.head) {
		struct holt__waiter *w = p->waiters.head;

		fill_exit(p, &holt__container(w, struct waiter, w)->exit);
		holt__wake(w->task, result);
	}
}

/* Takes the exit, if there is one. True: it has ended. */
static bool reap(holt_process *p)
{
	siginfo_t si = { .si_pid = 0 };
	struct rusage usage;
	int r;

	if (p->ended)
		return true;
	do {
		r = holt__sys->waitid(BY_PIDFD, (id_t)p->source.fd, &si, WEXITED | WNOHANG, &usage);
		if (r == -EINVAL) /* Linux 5.3 */
			r = holt__sys->waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG, &usage);
	} while (r == -EINTR); /* the event that told of the end comes once */
	if (r < 0 && r != -ECHILD)
		return false;
	if (r == 0 && si.si_pid == 0)
		return false;
	if (r == 0)
		note_exit(p, &si, &usage);
	p->result = r;
	p->ended = true;
	wake_all(p, r);
	return true;
}

static void on_event(struct holt__source *s, uint32_t events)
{
	(void)events;
	reap(holt__container(s, holt_process, source));
}

/* ---- waiting */

static void left(struct holt__waiter *w)
{
	holt_process *p = holt__container(w, struct waiter, w)->process;

	if (!p->waiters.head)
		unwatch(p);
}

static int watch(holt_process *p, struct holt_loop *loop)
{
	int r;

	if (p->source.fire)
		return 0;
	r = holt__loop_attach(loop, &p->source, p->source.fd, EPOLLIN | EPOLLET);
	if (r >= 0)
		p->source.fire = on_event;
	return r;
}

static int wait_for(holt_task *t, holt_process *p, struct holt_exit *ret)
{
	struct waiter w = { .w.left = left, .process = p };
	int r;

	if (reap(p)) {
		r = p->result;
		fill_exit(p, &w.exit);
	} else {
		r = watch(p, t->loop);
		if (r >= 0)
			r = holt__wait(t, &p->waiters, &w.w, "process", (void *)(intptr_t)p->pid);
	}
	if (r >= 0 && ret)
		*ret = w.exit;
	return r;
}

int holt_process_wait(holt_process *p, struct holt_exit *ret)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	return p ? wait_for(t, p, ret) : -EINVAL;
}

/* In a shield, for a span. -ETIME: it lives; -ECANCELED: the shield broke. */
static int wait_shielded(holt_process *p, holt_time span, struct holt_exit *ret)
{
	struct holt_scope shield;
	holt_time until = holt__time_add(holt__fresh_now(), span);

	holt_scope_begin(&shield, until < HOLT_NEVER ? until : HOLT_NEVER - 1, HOLT_SHIELD);
	return (int)holt_scope_end(&shield, holt_process_wait(p, ret));
}

/* With the whole thread. */
static bool wait_blocking(holt_process *p, int ms)
{
	holt__sys->poll(p->source.fd, POLLIN, ms);
	return reap(p);
}

/* ---- signals */

static int send_signal(holt_process *p, int sig)
{
	int r = holt__sys->pidfd_send_signal(p->source.fd, sig, 0);

	return r == -ENOSYS ? holt__sys->kill(p->pid, sig) : r; /* it has not been waited for: the number is its own */
}

static int send_to_group(holt_process *p, int sig)
{
	int r = holt__sys->pidfd_send_signal(p->source.fd, sig, PIDFD_SIGNAL_PROCESS_GROUP);

	return r == -EINVAL || r == -ENOSYS ? holt__sys->kill(-p->pid, sig) : r;
}

/* To its group, and to itself if it has left that. */
static int send_to_all(holt_process *p, int sig)
{
	int r = -ESRCH;

	if (p->own_group)
		r = send_to_group(p, sig);
	if (r >= 0 && holt__sys->getpgid(p->pid) == p->pid)
		return r;
	return send_signal(p, sig);
}

int holt_process_kill(holt_process *p, int sig)
{
	if (!p)
		return -EINVAL;
	holt__check_fork("holt_process_kill");
	return reap(p) ? -ESRCH : send_signal(p, sig);
}

/* ---- the end */

static int kill_and_wait(holt_process *p, struct holt_exit *ret)
{
	int r = reap(p) ? 0 : send_to_all(p, SIGKILL);

	if (r < 0 && r != -ESRCH)
		return r;
	r = wait_shielded(p, KILL_TIME, ret);
	if (r != -ECANCELED)
		return r == -ETIME ? -ETIMEDOUT : r;
	if (!wait_blocking(p, BROKEN_MS))
		return r;
	if (ret && p->result >= 0)
		fill_exit(p, ret);
	return p->result;
}

static int ask_and_wait(holt_process *p, int sig, holt_time grace, struct holt_exit *ret)
{
	int r = send_to_all(p, sig);

	if (r == -EINVAL)
		return r;
	if (sig != 0 && sig != SIGSTOP && sig != SIGTSTP)
		send_to_all(p, SIGCONT); /* one that is stopped would not hear it */
	return wait_shielded(p, grace, ret);
}

int holt_process_stop(holt_process *p, int sig, holt_time grace, struct holt_exit *ret)
{
	int r = -ETIME;

	if (!holt__self) {
		holt__check_fork("holt_process_stop");
		return -EPERM;
	}
	if (!p || sig < 0 || sig >= _NSIG)
		return -EINVAL;
	if (!reap(p) && grace > 0 && grace != HOLT_NOW)
		r = ask_and_wait(p, sig, grace, ret);
	return r == -ETIME || r == -ECANCELED ? kill_and_wait(p, ret) : r;
}

static void close_fd(int fd)
{
	if (fd < 0)
		return;
	if (holt__here && holt__here->loop.close)
		holt__here->loop.close(fd); /* it may be in use there */
	else
		holt__sys->close(fd);
}

/* Outside of tasks, or without memory to wait as a task does, with the whole thread. */
static void end(holt_process *p)
{
	int r = reap(p) ? 0 : -EPERM;

	if (r < 0 && holt__self)
		r = holt_process_stop(p, SIGTERM, CLOSE_GRACE, NULL);
	if (r >= 0 || r == -ETIMEDOUT || r == -ECANCELED || reap(p)) /* it has been sent SIGKILL, and waited for */
		return;
	send_to_all(p, SIGKILL);
	wait_blocking(p, OUTSIDE_MS);
}

holt_process *holt_process_close(holt_process *p)
{
	int saved = errno;

	if (!p)
		return NULL;
	holt__check_fork("holt_process_close");
	for (int i = 0; i < 3; i++)
		close_fd(holt_process_take_fd(p, i));
	end(p);
	wake_all(p, -ECHILD); /* nobody, unless the kernel holds it */
	close_fd(p->source.fd);
	holt__free(p);
	errno = saved;
	return NULL;
}

void holt_auto_process(holt_process **p)
{
	*p = holt_process_close(*p);
}

/* ---- the start */

/* Where to say what failed, if the caller's options go so far. */
static const char **where_to_say(const struct holt_process_options *o)
{
	size_t size = offsetof(struct holt_process_options, failed) + sizeof o->failed;

	return o && o->size >= size ? o->failed : NULL;
}

static holt_process *make_record(struct holt__plan *plan)
{
	holt_process *p = holt__calloc(1, sizeof *p);

	if (!p)
		plan->spawn.failed = "process";
	return p;
}

static int start(holt_process **ret, const struct holt_process_options *given, struct holt__plan *plan)
{
	struct holt_process_options o;
	holt_process *p;
	int r;

	r = holt__options(&o, sizeof o, given);
	if (r < 0)
		return r;
	r = holt__plan_make(plan, &o);
	if (r < 0)
		return r;
	p = make_record(plan);
	if (!p)
		return -ENOMEM;
	r = holt__spawn(&plan->spawn);
	if (r < 0) {
		holt__free(p);
		return r;
	}
	p->pid = plan->spawn.pid;
	p->source.fd = plan->spawn.pidfd;
	p->own_group = plan->spawn.own_group;
	memcpy(p->ends, plan->ours, sizeof p->ends);
	memset(plan->ours, -1, sizeof plan->ours);
	*ret = p;
	return 0;
}

int holt_process_start(holt_process **ret, const struct holt_process_options *o)
{
	struct holt__plan plan = { .spawn.failed = "options", .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 } };
	const char **failed = where_to_say(o);
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		plan.spawn.failed = "process";
	else
		r = ret && o ? start(ret, o, &plan) : -EINVAL;
	holt__plan_done(&plan);
	if (r < 0 && failed)
		*failed = plan.spawn.failed;
	return r;
}

/* ---- looking */

pid_t holt_process_pid(const holt_process *p)
{
	return p->pid;
}

int holt_process_fd(holt_process *p, int which)
{
	if (!p || which < HOLT_PROCESS_PIDFD || which > 2)
		return -EINVAL;
	if (which == HOLT_PROCESS_PIDFD)
		return p->source.fd;
	return p->ends[which] >= 0 ? p->ends[which] : -EBADF;
}

int holt_process_take_fd(holt_process *p, int which)
{
	int fd;

	if (!p || which < 0 || which > 2)
		return -EINVAL;
	fd = holt_process_fd(p, which);
	if (fd >= 0)
		p->ends[which] = -1;
	return fd;
}
