/* SPDX-License-Identifier: MIT */
/*
 * The seam between holt and Linux: one table of thin calls, 0 or more for success and -errno
 * else, without policy. The clock is one of them. Tests and the simulator replace the table;
 * nothing above this floor calls libc's system call wrappers by itself.
 */
#pragma once
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/base.h"

struct holt__clone_args;

struct holt__sys {
	holt_time (*now)(void);    /* CLOCK_MONOTONIC */
	int64_t (*wall_now)(void); /* CLOCK_REALTIME, in microseconds */
	/* A descriptor that becomes readable when somebody sets CLOCK_REALTIME, once: then it is read, and told again. fd -1: a new one. */
	int (*wall_watch)(int fd);

	int (*epoll_create)(int flags);
	int (*epoll_ctl)(int epfd, int op, int fd, struct epoll_event *e);
	int (*epoll_wait)(int epfd, struct epoll_event *events, int n, int timeout_ms);
	int (*timerfd_create)(int flags);
	int (*timerfd_set)(int fd, holt_time at); /* absolute, one shot; HOLT_NEVER disarms */
	int (*eventfd)(int flags);
	int (*signalfd)(int fd, const sigset_t *mask, int flags);
	int (*mask_signals)(int how, const sigset_t *set, sigset_t *old);

	ssize_t (*read)(int fd, void *buf, size_t n);
	ssize_t (*write)(int fd, const void *buf, size_t n);
	ssize_t (*readv)(int fd, const struct iovec *v, int n);
	ssize_t (*writev)(int fd, const struct iovec *v, int n);
	ssize_t (*recv)(int fd, void *buf, size_t n, int flags);
	ssize_t (*send)(int fd, const void *buf, size_t n, int flags);
	ssize_t (*recvmsg)(int fd, struct msghdr *m, int flags);
	ssize_t (*sendmsg)(int fd, const struct msghdr *m, int flags);
	int (*poll)(int fd, unsigned events, int timeout_ms); /* one fd; the events that came, 0: none */
	int (*close)(int fd);                                 /* the fd is gone, whatever it returns */
	int (*get_flags)(int fd);                             /* F_GETFL */
	int (*set_flags)(int fd, int flags);                  /* F_SETFL */
	int (*set_cloexec)(int fd, bool on);
	int (*dup)(int fd);                       /* CLOEXEC */
	int (*pipe)(int ret_fds[2]);              /* CLOEXEC */
	int (*open)(const char *path, int flags); /* CLOEXEC, never a controlling terminal; nothing is created */
	int (*fstat)(int fd, struct stat *st);
	int (*lstat)(const char *path, struct stat *st);
	int (*isatty)(int fd);                                      /* 1, 0 */
	ssize_t (*write_nowait)(int fd, const void *buf, size_t n); /* whatever its flags are; -EOPNOTSUPP */

	int (*inotify)(void); /* CLOEXEC, non-blocking */
	int (*inotify_add)(int fd, const char *path, uint32_t mask);

	int (*socket)(int domain, int type, int protocol);
	int (*bind)(int fd, const struct sockaddr *a, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*accept)(int fd, struct sockaddr *a, socklen_t *len, int flags);
	int (*connect)(int fd, const struct sockaddr *a, socklen_t len);
	int (*shutdown)(int fd, int how);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
	int (*unlink)(const char *path);
	int (*chmod)(const char *path, mode_t mode);
	int (*fchmod)(int fd, mode_t mode);
	int (*memfd)(const char *name, unsigned flags);
	int (*seal)(int fd); /* a memfd: no more changes */

	void *(*map)(size_t size); /* private, zeroed, not reserved, no huge pages; NULL: no memory */
	int (*unmap)(void *p, size_t size);
	int (*guard)(void *p, size_t size);  /* touching it shall fault */
	int (*forget)(void *p, size_t size); /* gives the pages back, they read as zero */
	void (*exit)(int status);            /* _exit */

	/* processes; the first three are for spawn.c, and what they call back runs in the child */
	pid_t (*clone3)(struct holt__clone_args *a, int (*fn)(void *arg), void *arg); /* -ENOSYS where we have no code for it */
	pid_t (*clone)(int (*fn)(void *arg), void *stack_top, int flags, void *arg, int *ret_pidfd);
	int (*in_child)(long number, long a, long b, long c, long d); /* a system call of the child, before its exec */
	int (*waitid)(int type, id_t id, siginfo_t *ret_info, int options, struct rusage *ret_usage);
	int (*pidfd_open)(pid_t pid); /* CLOEXEC */
	int (*pidfd_send_signal)(int pidfd, int sig, unsigned flags);
	int (*kill)(pid_t pid, int sig);
	pid_t (*getpgid)(pid_t pid);
	int (*get_dumpable)(void);
	int (*set_dumpable)(int value);

	/* the user database; -ERANGE: the buffer is too small; *ret NULL: there is none of that name */
	int (*user_by_name)(const char *name, struct passwd *pw, char *buf, size_t size, struct passwd **ret);
	int (*user_by_id)(uid_t uid, struct passwd *pw, char *buf, size_t size, struct passwd **ret);
	int (*group_by_name)(const char *name, struct group *gr, char *buf, size_t size, struct group **ret);
	int (*groups_of)(const char *user, gid_t gid, gid_t *ret_groups, int *n); /* *n: room, then how many; -ERANGE */
};

extern const struct holt__sys holt__sys_linux;
extern const struct holt__sys *holt__sys; /* replaced only while no loop runs */

/* Ends the process by SIGABRT with one sentence on stderr: misuse that nobody could handle. */
_Noreturn void holt__die(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

/* The calls that signal handlers use too: never through the table's policy-free neighbours that could block. */
void holt__sys_say(const char *text, size_t n); /* to stderr, as far as it takes it */
