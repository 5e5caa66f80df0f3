/* SPDX-License-Identifier: MIT */
/*
 * The one clone and the one execve of the tree: from a plan, in which all is looked up and allocated, to a process
 * that executes its program, or to the errno of the step that failed. The essays are in spawn.c and child.c.
 */
#pragma once
#include <sys/types.h>

#include "sys/sys.h"

/* What one of the child's descriptors is to be, beside the number of one of ours. */
enum { HOLT__FD_KEEP = -1, HOLT__FD_NULL = -2, HOLT__FD_STDOUT = -3 };

struct holt__spawn_limit {
	int resource;
	uint64_t value[2]; /* soft, hard, as the kernel has them */
};

struct holt__spawn {
	char *const *paths; /* tried in this order, ends with NULL */
	char *const *argv, *const *env;
	char *pid_text; /* where the child writes its number, room for 12 bytes; NULL: nowhere */
	int *fds;       /* its descriptors 0, 1, ...; the child changes them */
	int n_fds;      /* at least 3 */
	const struct holt__spawn_limit *limits;
	size_t n_limits;
	const char *cwd; /* NULL: ours */
	uid_t uid;       /* -1: ours */
	gid_t gid;       /* -1: ours */
	const gid_t *groups;
	int n_groups;     /* -1: ours */
	int cgroup_fd;    /* -1: ours */
	int nice;         /* 0: ours */
	int umask;        /* -1: ours */
	int death_signal; /* 0: none */
	bool own_group, no_new_privileges;

	/* what comes of it */
	pid_t pid;
	int pidfd;
	const char *failed; /* which step */

	/* between the two sides of the clone, which share memory */
	pid_t parent;
	bool in_cgroup; /* born there */
	int error;
};

/* 0, and pid and pidfd are the caller's; or -errno, and failed says of what, and there is no child. */
int holt__spawn(struct holt__spawn *s);

int holt__child(void *spawn); /* what the child runs: does not return, unless a test lets exit_group fail */

/* The kernel's struct, up to Linux 5.7. */
struct holt__clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* For the table of system calls. */
pid_t holt__clone3(struct holt__clone_args *a, int (*fn)(void *arg), void *arg);
pid_t holt__clone(int (*fn)(void *arg), void *stack_top, int flags, void *arg, int *ret_pidfd);
int holt__in_child(long number, long a, long b, long c, long d);
