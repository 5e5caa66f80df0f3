/* SPDX-License-Identifier: MIT */
/*
 * The one clone of the tree. (What the child does, up to the one execve, is in child.c.)
 *
 * A child shares our memory, and our thread stands still, until it has executed its program or exited (CLONE_VM and
 * CLONE_VFORK). So nothing is copied, however large we are; and an errno comes back by being written down, with the step
 * that it is of. The child has a stack of its own, for the frame of who called clone must stay as it is. What it needs is in
 * the plan. Four traps of shared memory:
 *
 *	- A handler of ours that ran in the child would run on our data. All signals are blocked around the clone; the
 *	  child has the default actions before it unblocks them.
 *	- A change of ids takes the mark "may dump core" off the memory, for as long as we live. It is put back, under a
 *	  lock, since another thread's start would else take the cleared mark for the old one; and after the exec only, for
 *	  until then nobody with the child's new ids shall look into our memory.
 *	- errno is ours.
 *	- Sanitizers see a thread that runs on two stacks: the child's functions are not instrumented, and libc's clone, in
 *	  whose place sanitizers put one that takes the child for a fork, is used only where we have none.
 *
 * An emulator that makes a fork of it, with memory apart and nobody standing still (qemu's user mode, valgrind), starts
 * programs, but cannot tell what failed on the way: that looks like an exit with status 127.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif

enum { STACK = 32 * 1024 };

/* ---- clone */

/*
 * clone or clone3. The child begins at the top of a new stack, where it can only call: the caller's frame is not below it.
 * Registers are as before the system call but for its result, so fn and arg are in ones that the kernel leaves alone. (Not
 * libc's clone: sanitizers put theirs in its place, which takes the child for a fork.)
 */
#if defined(__x86_64__) && defined(__LP64__)
#define OWN_CLONE 1
static long clone_and_call(long call, long a, long b, long c, int (*fn)(void *arg), void *arg)
{
	register int (*fn_)(void *) __asm__("r8") = fn;
	register void *arg_ __asm__("r9") = arg;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "movq %%r9, %%rdi\n\t"
			 "callq *%%r8\n\t"
			 "ud2\n"
			 "1:"
			 : "+a"(call)
			 : "D"(a), "S"(b), "d"(c), "r"(fn_), "r"(arg_)
			 : "rcx", "r11", "memory", "cc");
	return call;
}
#elif defined(__aarch64__)
#define OWN_CLONE 1
static long clone_and_call(long call, long a, long b, long c, int (*fn)(void *arg), void *arg)
{
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x8 __asm__("x8") = call;
	register int (*fn_)(void *) __asm__("x9") = fn;
	register void *arg_ __asm__("x10") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x30, xzr\n\t"
			 "mov x0, x10\n\t"
			 "blr x9\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x2), "r"(x8), "r"(fn_), "r"(arg_)
			 : "memory", "cc");
	return x0;
}
#endif

pid_t holt__clone3(struct holt__clone_args *a, int (*fn)(void *arg), void *arg)
{
#ifdef OWN_CLONE
	return (pid_t)clone_and_call(SYS_clone3, (long)a, sizeof *a, 0, fn, arg);
#else
	(void)a;
	(void)fn;
	(void)arg;
	return -ENOSYS;
#endif
}

pid_t holt__clone(int (*fn)(void *arg), void *stack_top, int flags, void *arg, int *ret_pidfd)
{
#ifdef OWN_CLONE
	return (pid_t)clone_and_call(SYS_clone, flags, (long)stack_top, (long)ret_pidfd, fn, arg);
#else
	pid_t pid = clone(fn, stack_top, flags, arg, ret_pidfd, NULL, NULL);

	return pid < 0 ? -errno : pid;
#endif
}

/* clone3 as far as the kernel knows it; what it does not know the child makes up for. */
static pid_t try_clone(struct holt__spawn *s, char *stack)
{
	struct holt__clone_args a = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)&s->pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = STACK,
	};
	pid_t pid = -EINVAL;

	s->in_cgroup = s->cgroup_fd >= 0;
	if (s->in_cgroup) {
		struct holt__clone_args into = a;

		into.flags |= CLONE_INTO_CGROUP;
		into.cgroup = (unsigned)s->cgroup_fd;
		pid = holt__sys->clone3(&into, holt__child, s);
		if (pid == -EBADF || pid == -EBUSY || pid == -EACCES || pid == -EOPNOTSUPP || pid == -ENODEV)
			s->failed = "cgroup_fd";
		if (pid >= 0 || (pid != -EINVAL && pid != -E2BIG && pid != -EBADF && pid != -ENOSYS && pid != -EPERM))
			return pid;
		s->in_cgroup = false; /* -EBADF: perhaps one of version 1 */
	}
	pid = holt__sys->clone3(&a, holt__child, s);
	if (pid != -ENOSYS && pid != -EPERM && pid != -EINVAL && pid != -E2BIG)
		return pid;
	pid = holt__sys->clone(holt__child, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, s, &s->pidfd);
	if (pid != -EINVAL)
		return pid;
	return holt__sys->clone(holt__child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, s, NULL);
}

/* ---- the parent */

static void reap(int type, int id)
{
	siginfo_t si;

	while (holt__sys->waitid(type, (id_t)id, &si, WEXITED, NULL) == -EINTR)
		;
}

static pid_t clone_with_ids(struct holt__spawn *s, char *stack)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int dumpable;
	pid_t pid;

	if (s->uid == (uid_t)-1 && s->gid == (gid_t)-1)
		return try_clone(s, stack);
	pthread_mutex_lock(&lock);
	dumpable = holt__sys->get_dumpable();
	pid = try_clone(s, stack);
	if (dumpable >= 0 && holt__sys->get_dumpable() != dumpable)
		holt__sys->set_dumpable(dumpable);
	pthread_mutex_unlock(&lock);
	return pid;
}

static pid_t clone_blocked(struct holt__spawn *s)
{
	size_t guard = (size_t)sysconf(_SC_PAGESIZE);
	sigset_t all, old;
	char *stack = holt__sys->map(guard + STACK);
	pid_t pid;

	if (!stack)
		return -ENOMEM;
	sigfillset(&all);
	pid = holt__sys->guard(stack, guard);
	if (pid >= 0)
		pid = holt__sys->mask_signals(SIG_SETMASK, &all, &old);
	if (pid >= 0) {
		pid = clone_with_ids(s, stack + guard);
		holt__sys->mask_signals(SIG_SETMASK, &old, NULL);
	}
	holt__sys->unmap(stack, guard + STACK);
	return pid;
}

/* A kernel whose clone knows no pidfd. */
static int get_pidfd(struct holt__spawn *s)
{
	if (s->pidfd >= 0)
		return 0;
	s->pidfd = holt__sys->pidfd_open(s->pid);
	if (s->pidfd >= 0)
		return 0;
	holt__sys->kill(s->pid, SIGKILL);
	reap(P_PID, s->pid);
	s->failed = "process";
	return s->pidfd;
}

int holt__spawn(struct holt__spawn *s)
{
	int saved = errno;

	s->pidfd = -1;
	s->error = 0;
	s->failed = "process";
	s->parent = getpid();
	s->pid = clone_blocked(s);
	errno = saved; /* the child's calls wrote to it */
	if (s->pid < 0)
		return s->pid;
	if (s->error < 0) {
		reap(P_PID, s->pid);
		if (s->pidfd >= 0)
			holt__sys->close(s->pidfd);
		return s->error;
	}
	return get_pidfd(s);
}
