/* SPDX-License-Identifier: MIT */
/*
 * Lets the n-th system call fail, of those that the daemon, and the library below it, make by libc's names here: the linker puts
 * us in between (--wrap, by the names in front of each definition), in the suites that the Makefile lists. Counted and failed only
 * while armed. What a call fails with is what it may fail with on a machine that is full, out of descriptors or out of memory.
 */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "harness.h"

static struct {
	bool armed;
	unsigned made, fail_at; /* 0: none */
	const char *failed;     /* its name, when it has */
} faults;

static inline void faults_arm(unsigned n)
{
	faults.made = 0;
	faults.fail_at = n;
	faults.failed = NULL;
	faults.armed = true;
}

static inline bool faults_hit(const char *name)
{
	if (!__atomic_load_n(&faults.armed, __ATOMIC_RELAXED) ||
		__atomic_add_fetch(&faults.made, 1, __ATOMIC_RELAXED) != faults.fail_at)
		return false;
	faults.failed = name;
	return true;
}

#define FAULT(name, error, type, params, ...) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		if (!faults_hit(#name)) \
			return __real_##name(__VA_ARGS__); \
		errno = error; \
		return (type)-1; \
	}

/* each: a name at the line's beginning, for the Makefile */
FAULT(openat, EMFILE, int, (int dir, const char *path, int flags, mode_t mode), dir, path, flags, mode)
FAULT(open, EMFILE, int, (const char *path, int flags, mode_t mode), path, flags, mode)
FAULT(read, EIO, ssize_t, (int fd, void *buf, size_t n), fd, buf, n)
FAULT(pread, EIO, ssize_t, (int fd, void *buf, size_t n, off_t at), fd, buf, n, at)
FAULT(write, ENOSPC, ssize_t, (int fd, const void *buf, size_t n), fd, buf, n)
FAULT(writev, ENOSPC, ssize_t, (int fd, const struct iovec *v, int n), fd, v, n)
FAULT(fstat, EIO, int, (int fd, struct stat *st), fd, st)
FAULT(fstatat, EIO, int, (int dir, const char *path, struct stat *st, int flags), dir, path, st, flags)
FAULT(stat, EIO, int, (const char *path, struct stat *st), path, st)
FAULT(mkdir, ENOSPC, int, (const char *path, mode_t mode), path, mode)
FAULT(mkdirat, ENOSPC, int, (int dir, const char *path, mode_t mode), dir, path, mode)
FAULT(unlinkat, EROFS, int, (int dir, const char *path, int flags), dir, path, flags)
FAULT(renameat, ENOSPC, int, (int a, const char *from, int b, const char *to), a, from, b, to)
FAULT(ftruncate, EIO, int, (int fd, off_t n), fd, n)
FAULT(flock, ENOLCK, int, (int fd, int op), fd, op)
FAULT(fcntl, EMFILE, int, (int fd, int op, long arg), fd, op, arg)
FAULT(pipe2, EMFILE, int, (int *fds, int flags), fds, flags)
FAULT(socket, EMFILE, int, (int domain, int type, int protocol), domain, type, protocol)
FAULT(bind, ENOMEM, int, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
FAULT(connect, ECONNREFUSED, int, (int fd, const struct sockaddr *a, socklen_t n), fd, a, n)
FAULT(setsockopt, ENOBUFS, int, (int fd, int level, int name, const void *v, socklen_t n), fd, level, name, v, n)
FAULT(recvmsg, ENOMEM, ssize_t, (int fd, struct msghdr *m, int flags), fd, m, flags)
FAULT(sendmsg, ENOBUFS, ssize_t, (int fd, const struct msghdr *m, int flags), fd, m, flags)
FAULT(epoll_create1, EMFILE, int, (int flags), flags)
FAULT(epoll_ctl, ENOMEM, int, (int ep, int op, int fd, struct epoll_event *e), ep, op, fd, e)
FAULT(epoll_wait, EINTR, int, (int ep, struct epoll_event *e, int n, int ms), ep, e, n, ms)
FAULT(eventfd, EMFILE, int, (unsigned n, int flags), n, flags)
FAULT(kill, EPERM, int, (pid_t pid, int sig), pid, sig)
FAULT(waitid, EINTR, int, (idtype_t type, id_t id, siginfo_t *info, int options), type, id, info, options)
FAULT(syscall, EMFILE, long, (long n, long a, long b, long c, long d, long e, long f), n, a, b, c, d, e, f)
