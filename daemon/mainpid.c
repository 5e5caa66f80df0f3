/* SPDX-License-Identifier: MIT */
/*
 * Whether the process that MAINPID= names is one of the node's. Numbers are all that /proc knows, and they may be another's
 * a moment later. What makes it sure: the pidfd is opened before and not ended after; and a parent's number is the
 * parent's own as long as its child says that it is its child.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/cgroup.h"
#include "daemon/children.h"
#include "daemon/invocation.h"
#include "daemon/notify.h"

enum { DEPTH_MAX = 64 };

/* The parent, which is known to have been that while GRANDPARENT was read; 0: gone. */
static pid_t parent_of(int proc, pid_t pid, pid_t *ret_grandparent)
{
	struct proc_stat child, parent, again;

	if (proc_stat(proc, pid, &child) < 0 || proc_stat(proc, child.parent, &parent) < 0 || proc_stat(proc, pid, &again) < 0 ||
		again.parent != child.parent)
		return 0;
	*ret_grandparent = parent.parent;
	return child.parent;
}

/* Up the line of its parents, to MAIN or to a child of ours. */
static bool descends(int proc, pid_t pid, pid_t main, const char *id)
{
	struct invocation of_top, of_node;
	struct proc_stat stat;
	pid_t parent, grandparent = 0;

	if (proc_stat(proc, pid, &stat) < 0)
		return false;
	parent = stat.parent;
	for (int depth = 0; pid != main && parent != getpid(); depth++) {
		if (depth == DEPTH_MAX || parent <= 1)
			return false;
		if (parent == main)
			return true;
		if (parent_of(proc, pid, &grandparent) != parent)
			return false;
		pid = parent;
		parent = grandparent;
	}
	if (pid == main)
		return true;
	return id && invocation_parse(&of_node, id, strlen(id)) && invocation_of(proc, pid, &of_top) == 0 &&
		invocation_same(&of_top, &of_node);
}

static bool belongs(pid_t pid, pid_t main, const char *id, const struct cgroup *cgroup)
{
	struct children c;
	bool yes;

	if (cgroup && cgroup_active(cgroup) && cgroup_has(cgroup, pid))
		return true;
	children_open(&c); /* a /proc that is of our own namespace */
	yes = c.proc >= 0 && descends(c.proc, pid, main, id);
	children_close(&c);
	return yes;
}

int notify_main_pidfd(pid_t pid, pid_t main, const char *id, const struct cgroup *cgroup, int *ret_pidfd)
{
	struct pollfd ended;
	int fd, r;

	if (pid <= 1 || pid == getpid())
		return -EPERM;
	fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by nature */
	if (fd < 0)
		return errno == EINVAL ? -EPERM : -errno; /* a thread's number */
	r = belongs(pid, main, id, cgroup) ? 0 : -EPERM;
	ended = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (poll(&ended, 1, 0) != 0)
		r = -ESRCH;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_pidfd = fd;
	return 0;
}
