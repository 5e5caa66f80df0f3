/* SPDX-License-Identifier: MIT */
/*
 * Linux as it is: each function makes one system call and turns its errno into the result.
 */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/spawn.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define RESULT(call) \
	__extension__({ \
		__typeof__(call) r_ = (call); \
		r_ < 0 ? -errno : r_; \
	})

static holt_time sys_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (holt_time)ts.tv_sec * HOLT_SEC + (holt_time)ts.tv_nsec;
}

static int64_t sys_wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A timer that nobody will live to see, for the kernel tells those on this clock, if they ask, when it was set. */
static int sys_wall_watch(int fd)
{
	struct itimerspec never = { .it_value.tv_sec = INT32_MAX };
	int made = -1, r;

	if (sizeof(time_t) > sizeof(int32_t))
		never.it_value.tv_sec = (time_t)(INT64_C(1) << 40);
	if (fd < 0)
		fd = made = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = RESULT(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL));
	if (r == -ECANCELED)
		r = 0; /* it was set since it was told last: armed all the same */
	if (r < 0 && made >= 0)
		close(made);
	return r < 0 ? r : fd;
}

static int sys_epoll_create(int flags)
{
	return RESULT(epoll_create1(flags));
}

static int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
	return RESULT(epoll_ctl(epfd, op, fd, e));
}

static int sys_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout_ms)
{
	return RESULT(epoll_wait(epfd, events, n, timeout_ms));
}

static int sys_timerfd_create(int flags)
{
	return RESULT(timerfd_create(CLOCK_MONOTONIC, flags));
}

static int sys_timerfd_set(int fd, holt_time at)
{
	struct itimerspec t = { .it_value = { 0 } };

	if (at != HOLT_NEVER) {
		t.it_value.tv_sec = (time_t)(at / HOLT_SEC);
		t.it_value.tv_nsec = (long)(at % HOLT_SEC);
		if (at == 0)
			t.it_value.tv_nsec = 1; /* all zero would disarm */
	}
	return RESULT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL));
}

static int sys_eventfd(int flags)
{
	return RESULT(eventfd(0, flags));
}

static int sys_signalfd(int fd, const sigset_t *mask, int flags)
{
	return RESULT(signalfd(fd, mask, flags));
}

static int sys_mask_signals(int how, const sigset_t *set, sigset_t *old)
{
	return -pthread_sigmask(how, set, old);
}

static ssize_t sys_read(int fd, void *buf, size_t n)
{
	return RESULT(read(fd, buf, n));
}

static ssize_t sys_write(int fd, const void *buf, size_t n)
{
	return RESULT(write(fd, buf, n));
}

static ssize_t sys_readv(int fd, const struct iovec *v, int n)
{
	return RESULT(readv(fd, v, n));
}

static ssize_t sys_writev(int fd, const struct iovec *v, int n)
{
	return RESULT(writev(fd, v, n));
}

static ssize_t sys_recv(int fd, void *buf, size_t n, int flags)
{
	return RESULT(recv(fd, buf, n, flags));
}

static ssize_t sys_send(int fd, const void *buf, size_t n, int flags)
{
	return RESULT(send(fd, buf, n, flags));
}

static ssize_t sys_recvmsg(int fd, struct msghdr *m, int flags)
{
	return RESULT(recvmsg(fd, m, flags));
}

static ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return RESULT(sendmsg(fd, m, flags));
}

static int sys_poll(int fd, unsigned events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = (short)events };
	int r = RESULT(poll(&p, 1, timeout_ms));

	return r > 0 ? p.revents : r;
}

static int sys_close(int fd)
{
	return RESULT(close(fd));
}

static int sys_get_flags(int fd)
{
	return RESULT(fcntl(fd, F_GETFL));
}

static int sys_set_flags(int fd, int flags)
{
	return RESULT(fcntl(fd, F_SETFL, flags));
}

static int sys_set_cloexec(int fd, bool on)
{
	return RESULT(fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0));
}

static int sys_dup(int fd)
{
	return RESULT(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

static int sys_pipe(int ret_fds[2])
{
	return RESULT(pipe2(ret_fds, O_CLOEXEC));
}

static int sys_open(const char *path, int flags)
{
	return RESULT(open(path, flags | O_CLOEXEC | O_NOCTTY));
}

static int sys_fstat(int fd, struct stat *st)
{
	return RESULT(fstat(fd, st));
}

static int sys_lstat(const char *path, struct stat *st)
{
	return RESULT(lstat(path, st));
}

static int sys_isatty(int fd)
{
	return isatty(fd) == 1;
}

static ssize_t sys_write_nowait(int fd, const void *buf, size_t n)
{
	struct iovec v = { .iov_base = (void *)buf, .iov_len = n };

	return RESULT(pwritev2(fd, &v, 1, -1, RWF_NOWAIT));
}

static int sys_inotify(void)
{
	return RESULT(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

static int sys_inotify_add(int fd, const char *path, uint32_t mask)
{
	return RESULT(inotify_add_watch(fd, path, mask));
}

static int sys_socket(int domain, int type, int protocol)
{
	return RESULT(socket(domain, type, protocol));
}

static int sys_bind(int fd, const struct sockaddr *a, socklen_t len)
{
	return RESULT(bind(fd, a, len));
}

static int sys_listen(int fd, int backlog)
{
	return RESULT(listen(fd, backlog));
}

static int sys_accept(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	return RESULT(accept4(fd, a, len, flags));
}

static int sys_connect(int fd, const struct sockaddr *a, socklen_t len)
{
	return RESULT(connect(fd, a, len));
}

static int sys_shutdown(int fd, int how)
{
	return RESULT(shutdown(fd, how));
}

static int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return RESULT(getsockopt(fd, level, name, value, len));
}

static int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return RESULT(setsockopt(fd, level, name, value, len));
}

static int sys_unlink(const char *path)
{
	return RESULT(unlink(path));
}

static int sys_chmod(const char *path, mode_t mode)
{
	return RESULT(chmod(path, mode));
}

static int sys_fchmod(int fd, mode_t mode)
{
	return RESULT(fchmod(fd, mode));
}

static int sys_memfd(const char *name, unsigned flags)
{
	return RESULT(memfd_create(name, flags));
}

static int sys_seal(int fd)
{
	return RESULT(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}

static void *sys_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_NOHUGEPAGE); /* one page of each stack shall be one page; EINVAL without THP is fine */
	return p;
}

static int sys_unmap(void *p, size_t size)
{
	return RESULT(munmap(p, size));
}

/*
 * The guard region of Linux 6.13 splits no mapping: a million of them are one. An emulator may say
 * that it worked and do nothing, therefore one is proven by a read that must fault (process_vm_readv
 * would do it, but the kernel's own copy says it as well: write to a pipe from it is -EFAULT).
 */
static bool guard_regions_work(void *p, size_t size)
{
	int fds[2];
	bool faults;

	if (madvise(p, size, MADV_GUARD_INSTALL) < 0)
		return false;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	faults = write(fds[1], p, 1) < 0 && errno == EFAULT;
	close(fds[0]);
	close(fds[1]);
	return faults;
}

static int sys_guard(void *p, size_t size)
{
	static _Atomic int how; /* 0: not known yet, 1: guard regions, 2: mprotect */

	if (how == 0)
		how = guard_regions_work(p, size) ? 1 : 2;
	if (how == 1 && madvise(p, size, MADV_GUARD_INSTALL) == 0)
		return 0;
	return RESULT(mprotect(p, size, PROT_NONE)); /* also for locked memory, where madvise says EINVAL */
}

static int sys_forget(void *p, size_t size)
{
	return RESULT(madvise(p, size, MADV_DONTNEED));
}

static void sys_exit(int status)
{
	_exit(status);
}

static int sys_waitid(int type, id_t id, siginfo_t *ret_info, int options, struct rusage *ret_usage)
{
	return (int)RESULT(syscall(SYS_waitid, type, id, ret_info, options, ret_usage)); /* libc's has no usage */
}

static int sys_pidfd_open(pid_t pid)
{
	return (int)RESULT(syscall(SYS_pidfd_open, pid, 0));
}

static int sys_pidfd_send_signal(int pidfd, int sig, unsigned flags)
{
	return (int)RESULT(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, flags));
}

static int sys_kill(pid_t pid, int sig)
{
	return RESULT(kill(pid, sig));
}

static pid_t sys_getpgid(pid_t pid)
{
	return RESULT(getpgid(pid));
}

static int sys_get_dumpable(void)
{
	return RESULT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static int sys_set_dumpable(int value)
{
	return RESULT(prctl(PR_SET_DUMPABLE, value, 0, 0, 0));
}

static int sys_user_by_name(const char *name, struct passwd *pw, char *buf, size_t size, struct passwd **ret)
{
	return -getpwnam_r(name, pw, buf, size, ret);
}

static int sys_user_by_id(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **ret)
{
	return -getpwuid_r(uid, pw, buf, size, ret);
}

static int sys_group_by_name(const char *name, struct group *gr, char *buf, size_t size, struct group **ret)
{
	return -getgrnam_r(name, gr, buf, size, ret);
}

static int sys_groups_of(const char *user, gid_t gid, gid_t *ret_groups, int *n)
{
	return getgrouplist(user, gid, ret_groups, n) < 0 ? -ERANGE : 0;
}

const struct holt__sys holt__sys_linux = {
	.now = sys_now,
	.wall_now = sys_wall_now,
	.wall_watch = sys_wall_watch,
	.epoll_create = sys_epoll_create,
	.epoll_ctl = sys_epoll_ctl,
	.epoll_wait = sys_epoll_wait,
	.timerfd_create = sys_timerfd_create,
	.timerfd_set = sys_timerfd_set,
	.eventfd = sys_eventfd,
	.signalfd = sys_signalfd,
	.mask_signals = sys_mask_signals,
	.read = sys_read,
	.write = sys_write,
	.readv = sys_readv,
	.writev = sys_writev,
	.recv = sys_recv,
	.send = sys_send,
	.recvmsg = sys_recvmsg,
	.sendmsg = sys_sendmsg,
	.poll = sys_poll,
	.close = sys_close,
	.get_flags = sys_get_flags,
	.set_flags = sys_set_flags,
	.set_cloexec = sys_set_cloexec,
	.dup = sys_dup,
	.pipe = sys_pipe,
	.open = sys_open,
	.fstat = sys_fstat,
	.lstat = sys_lstat,
	.isatty = sys_isatty,
	.write_nowait = sys_write_nowait,
	.inotify = sys_inotify,
	.inotify_add = sys_inotify_add,
	.socket = sys_socket,
	.bind = sys_bind,
	.listen = sys_listen,
	.accept = sys_accept,
	.connect = sys_connect,
	.shutdown = sys_shutdown,
	.getsockopt = sys_getsockopt,
	.setsockopt = sys_setsockopt,
	.unlink = sys_unlink,
	.chmod = sys_chmod,
	.fchmod = sys_fchmod,
	.memfd = sys_memfd,
	.seal = sys_seal,
	.map = sys_map,
	.unmap = sys_unmap,
	.guard = sys_guard,
	.forget = sys_forget,
	.exit = sys_exit,
	.clone3 = holt__clone3,
	.clone = holt__clone,
	.in_child = holt__in_child,
	.waitid = sys_waitid,
	.pidfd_open = sys_pidfd_open,
	.pidfd_send_signal = sys_pidfd_send_signal,
	.kill = sys_kill,
	.getpgid = sys_getpgid,
	.get_dumpable = sys_get_dumpable,
	.set_dumpable = sys_set_dumpable,
	.user_by_name = sys_user_by_name,
	.user_by_id = sys_user_by_id,
	.group_by_name = sys_group_by_name,
	.groups_of = sys_groups_of,
};
const struct holt__sys *holt__sys = &holt__sys_linux;

void holt__sys_say(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t k = write(STDERR_FILENO, text, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return;
		text += k;
		n -= (size_t)k;
	}
}

_Noreturn void holt__die(const char *fmt, ...)
{
	char text[512] = "holt: ";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + 6, sizeof text - 8, fmt, ap);
	va_end(ap);
	n = n < 0 ? 6 : n > (int)sizeof text - 8 ? (int)sizeof text - 2 : n + 6;
	text[n] = '\n';
	holt__sys_say(text, (size_t)n + 1);
	abort();
}
