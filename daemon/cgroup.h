/* SPDX-License-Identifier: MIT */
/*
 * A cgroup for each process that has one of its own: limits, a kill that nobody escapes, and the event that nobody is left.
 *
 * Only if a part of the cgroup v2 tree was delegated to us: by systemd's Delegate= (the mark that it leaves on the folder), by
 * being another user's folder given to ours, or as the root of a container's own cgroup namespace. Root does not take what is
 * merely writable. holtd itself moves into the leaf "supervisor", because the kernel wants processes and
 * controllers apart; beside it lie the processes', by name: "shop/api" is "shop:api.node".
 *
 *	BASE/supervisor        holtd
 *	BASE/shop:api.node     a process, with its limits
 *
 * Without delegation nothing is made, a limit that must be enforced is an error that says why, and the callers use process
 * groups and orphans (daemon/orphans.h) in place of it.
 *
 * An idle cgroup costs no descriptor: its folder is opened when a process is started in it, its events when
 * somebody waits for its end.
 */
#pragma once
#include "base/text.h"
#include "daemon/config.h"
#include "daemon/watch.h"

struct cgroups {
	struct watcher *watcher;
	int fd;              /* BASE; -1: nothing is delegated */
	char *path;          /* BASE in the file system; NULL when not delegated */
	char *own;           /* BASE as /proc/PID/cgroup names it: "/system.slice/holt@shop.service", "/" */
	char why[160];       /* not delegated: the reason, for the log */
	struct cgroup *left; /* of an earlier run, not gone yet */
	char enabled[256];   /* controllers for the folders below, each followed by a space */
	bool by_hand;        /* the kernel has no cgroup.kill */
};

/* To be zeroed before it is first opened; must stay where it is. */
struct cgroup {
	struct cgroups *all;             /* NULL: not open, or nothing is delegated */
	char *name;                      /* its folder in BASE */
	struct watch watch;              /* cgroup.events, while somebody waits for its end */
	void (*empty)(struct cgroup *g); /* set before cgroup_await(); may close it, and free what it is in */
	struct cgroup *next;             /* left-overs only */
	bool warned; /* of limits that cannot be enforced: kept over close and open, so that a restart does not repeat it */
	bool frozen; /* killed where there is no cgroup.kill */
};

/*
 * Looks what is delegated, moves us into the leaf, and kills and removes what an earlier run left. 0, also when nothing is
 * delegated: see cgroups_delegated() and .why; -ENOMEM. Before the first process is started.
 */
int cgroups_open(struct cgroups *c, struct watcher *w);
void cgroups_close(struct cgroups *c); /* all of its cgroups are closed */

static inline bool cgroups_delegated(const struct cgroups *c)
{
	return c->path != NULL;
}

/* Something of an earlier run is still there: killed, but held by the kernel. */
static inline bool cgroups_left(const struct cgroups *c)
{
	return c->left != NULL;
}

/*
 * Makes the cgroup of the node at PATH, empty, with those limits. Without delegation, and without limits that must be enforced: 0,
 * and cgroup_active() is false. Optional limits that cannot be enforced are logged, once.
 *
 * -EOPNOTSUPP: a limit cannot be enforced, and WHY says which and why ("MemoryMax…: the controller memory is not delegated
 * to us"); -ENOMEM; -errno, with WHY. Nothing is left of it then.
 */
int cgroup_open(struct cgroup *g, struct cgroups *c, const char *path, const struct cgroup_limit *limits, size_t n,
	struct holt__text *why);

static inline bool cgroup_active(const struct cgroup *g)
{
	return g->all != NULL;
}

/* Sets limits of one that is there: a reload. As cgroup_open(), but all are tried, and it stays. */
int cgroup_limits(struct cgroup *g, const struct cgroup_limit *limits, size_t n, struct holt__text *why);

/* An open folder for holt_process_options.cgroup_fd_plus_1, which the caller closes. -EOPNOTSUPP: not active; -errno. */
int cgroup_dir(const struct cgroup *g);

/*
 * To all that are in it, at any depth. SIGKILL: nobody escapes, not even who forks meanwhile. 0, also when nobody was there;
 * -EOPNOTSUPP: not active; -errno.
 */
int cgroup_kill(struct cgroup *g, int sig);

/*
 * 1: nobody is left in it, at any depth; 0: .empty will be called then, once; -EOPNOTSUPP: not active; -errno. Asking again is
 * harmless. A process that the kernel does not let go is waited for as long as it takes: bring your own timer.
 */
int cgroup_await(struct cgroup *g);

bool cgroup_has(const struct cgroup *g, pid_t pid); /* it, or one below it. PID lives, else the answer is nobody's */

/*
 * No longer waits, and removes it with all below it. What cannot be removed because somebody is in it is left for
 * the next run to kill; a new one of that name is made beside it. Not active: nothing.
 */
void cgroup_close(struct cgroup *g);

/* Pure: the folder's name for a node's path. Different paths have different names, none of which is one of the kernel's files. */
void cgroup_name(const char *path, char ret[256]);
