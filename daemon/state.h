/* SPDX-License-Identifier: MIT */
/*
 * The state directory S of one holtd: who is there, where it is found, and what would have to be done if it were killed now.
 *
 *	S/lock       locked as long as a holtd lives; its pid is in it
 *	S/control    the control socket
 *	S/records    what is running, and what finally owes
 *	S/notify, S/credentials    others' (daemon/notify.h, daemon/exec.h)
 *
 * S itself is 0755: members of ControlGroup= have to reach the socket, users of processes their notify socket; what is in it
 * has its own permissions. It is refused, by name, if it is not ours or if others can write to it.
 *
 * THE RECORDS are lines of text, one for each thing that happened, each written by one write(2) to the file's end. There
 * is no fsync: what has been written survives a process, which is all that is asked. It need not survive the machine; across a reboot
 * nothing is owed, and a record says of which boot it is.
 *
 * Reading them again from the beginning gives what is owed now. The rules: what cannot be understood counts as not there, be it
 * cut off or rubbish, and does not spoil what comes after it; a record is never changed; once there are many more of them than
 * what they come to, a new file with only that takes the place of the old one. A file that is not ours, or that others
 * can write, is not read at all. Nothing is kept in memory for a process.
 */
#pragma once
#include <sys/types.h>

#include "base/text.h"
#include "daemon/orphans.h"

struct state {
	char *path;               /* S, absolute */
	char *control;            /* S/control */
	int fd;                   /* S; -1: not open */
	int lock, records, proc;  /* -1 */
	uint64_t size, compacted; /* bytes of the records; after the last time that they were made short */
	uint64_t activation;      /* the last one given out */
	char boot[40];            /* the boot's id */
	uint64_t pid_namespace;   /* of which our pids are */
	bool torn;                /* the last record is not whole: the next begins with a newline */
	bool other_boot;          /* the records that were found were of another boot, and were dropped */
	bool other_pids;          /* ... are of this boot, but of another pid namespace */
};

struct state_options {
	const char *name; /* the tree's; not looked at when there is a path */
	const char *path; /* --state; NULL: $RUNTIME_DIRECTORY's first, else $XDG_RUNTIME_DIR/holt/NAME, else /run/holt/NAME */
};

/*
 * Makes S (0755), locks it, removes sockets that are left in it, and opens the records, whatever is in them: recover_run() is
 * next. 0, or with WHY ("/run/holt/shop: others can write to it"):
 * -EBUSY: another holtd lives there; *ret_pid is its pid, 0 if it has not said it yet.
 * -EPERM: S, or a file in it, is not ours, is a symbolic link, or others can write to it.
 * -EINVAL: no name, or a path with a relative part.
 * -ENOMEM, -errno.
 */
int state_open(struct state *s, const struct state_options *o, pid_t *ret_pid, struct holt__text *why);

/* Unlocks it. What is in the records stays; a holtd that ends in order has nothing in them, and then they are removed. */
void state_close(struct state *s);

/*
 * ---- what happens. Each is one write. 0; -ENOSPC and other -errno of write(2): it is not recorded, and all that was is still
 * right; the caller decides whether to go on. -ENOMEM.
 */

/*
 * A main process or command runs: before it is let do anything that matters, or at once after it was started. It must not
 * have been waited for. CGROUP: its folder, absolute, to be killed whole; NULL: none.
 */
int state_process(struct state *s, const char *node, pid_t pid, const struct invocation *id, const char *cgroup);

/* Nothing is left of what was recorded with that number; or it shall live on (KillMode=process). */
int state_gone(struct state *s, pid_t pid);

/* What names one time that a group is up: unique in these records, across restarts of holtd. */
uint64_t state_activation(struct state *s);

/*
 * A finally command of a group is owed. ARGV is as it will be executed, ENV what it gets beside holtd's own; both end with NULL, ENV
 * may be NULL. INDEX: in the file's order; the highest runs first. TIMEOUT: HOLT_NEVER: none.
 */
int state_armed(struct state *s, const char *node, uint64_t activation, unsigned index, const char *const *argv,
	const char *const *env, holt_time timeout);
int state_done(struct state *s, uint64_t activation, unsigned index); /* it has ended, well or not */

/* ---- what it comes to, for recover_run() */

struct recorded_process {
	const char *node;
	pid_t pid;
	uint64_t start; /* as /proc/PID/stat says it; 0: not known */
	struct invocation id;
	const char *cgroup; /* NULL: none */
};

struct recorded_finally {
	const char *node;
	uint64_t activation;
	unsigned index;
	holt_time timeout;
	const char *const *argv, *const *env; /* each ends with NULL */
};

struct recorded {
	struct recorded_process *processes; /* in the order in which they were started */
	size_t n_processes;
	struct recorded_finally *finally; /* in the order in which they were armed */
	size_t n_finally;
	size_t bad;      /* lines that could not be understood */
	bool other_boot; /* there were records, all of another boot: there is nothing in it */
	bool other_pids; /* the numbers are of another pid namespace: the processes are left out */
	void *memory[4]; /* the file's text, pointers into it, both arrays */
};

int state_read(struct state *s, struct recorded *ret); /* 0; -ENOMEM; -errno. To be freed */
void recorded_free(struct recorded *r);

/* Replaces the records by what R holds, and nothing else. 0; -ENOMEM; -errno: all is as it was. */
int state_rewrite(struct state *s, const struct recorded *r);

/* Pure: the start time in the text of /proc/PID/stat; 0: it is none. The name in it may be anything. */
uint64_t state_start_time(const char *stat, size_t n);
