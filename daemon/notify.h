/* SPDX-License-Identifier: MIT */
/*
 * The receiving end of sd_notify: one datagram socket a process, S/notify/ID, where S is the state directory. So it is
 * the socket that says whose message it is, whatever process sent it, and whether that still lives.
 *
 * Who may send: the process's user, and root, as the kernel tells (SO_PASSCRED); others are dropped, and named once. Messages
 * are hostile until parsed: of bounded length, so many a round, descriptors that nobody wants are closed, and
 * those that are wanted go into a store of bounded size. A text that will be shown has no control characters.
 *
 * It decides nothing: what a message means for its process is for whom it is handed to. MAINPID= is only a number until
 * notify_main_pidfd() has made a pidfd of it.
 */
#pragma once
#include <sys/types.h>

#include "daemon/fdstore.h"
#include "daemon/watch.h"

struct cgroup;

/* ---- messages */

enum {
	NOTIFY_SIZE_MAX = 4096, /* bytes of a message; longer ones are dropped */
	NOTIFY_FDS_MAX = 253,   /* the kernel's own bound of one message */
};

/* What it says. Each key counts once, its first time; unknown ones, and values that make no sense, as if they were not there. */
struct notify_message {
	bool ready, stopping, reloading; /* =1 */
	bool watchdog;                   /* WATCHDOG=1 */
	bool watchdog_trigger;           /* WATCHDOG=trigger: as if it had been missed */
	bool barrier;                    /* BARRIER=1: nothing to do, its descriptor is closed when this message is done */
	bool fdstore, fdstore_remove;    /* done already, if the socket has a store */
	bool fdpoll_off;                 /* FDPOLL=0 */
	bool has_watchdog_span;          /* WATCHDOG_USEC=: .watchdog_span; 0: no watchdog any more */
	bool has_extend;                 /* EXTEND_TIMEOUT_USEC=: .extend, from now */
	holt_time watchdog_span, extend;
	int error;          /* ERRNO=, above 0; 0: none */
	pid_t main_pid;     /* MAINPID=, above 0; 0: none */
	const char *status; /* STATUS=, UTF-8 without control characters, may be ""; NULL: none */
	const char *fdname; /* FDNAME=; NULL: none, or not a name */
	/* Who sent it; pid 0: one that cannot be seen from here. For messages only, may be dead. */
	pid_t pid;
	uid_t uid;
};

/*
 * Pure. Reads TEXT, which is changed, and into which ret points from then on; TEXT[n] must be writable. 0, -EBADMSG: a NUL
 * inside (one at the end is none); *ret is written in each case.
 */
int notify_parse(struct notify_message *ret, char *text, size_t n);

/* ---- the directory and the sockets */

struct notify_dir {
	struct watcher *watcher;
	int fd; /* S/notify; -1: not open */
	char *path;
};

/* Makes S/notify (0711: users of processes pass through), and removes sockets that are left in it. STATE is absolute. */
int notify_dir_open(struct notify_dir *d, struct watcher *w, const char *state);
void notify_dir_close(struct notify_dir *d);

/* To be zeroed, but for .message, .store and .label, before it is opened; closed and opened again as often as one likes. */
struct notify {
	/* May close the socket, and free what this is in. The message is valid until it returns. */
	void (*message)(struct notify *n, const struct notify_message *m);
	struct fdstore *store;  /* NULL: descriptors are not kept */
	const char *label;      /* whose it is, for the log: the node's path. Borrowed */
	struct notify_dir *dir; /* NULL: not open */
	struct watch watch;
	char *path;     /* what NOTIFY_SOCKET= says to the process */
	const char *id; /* in path */
	bool *closed;   /* set when it is closed from within .message */
	uid_t uid;
	uint8_t told; /* what was logged already, a bit each */
};

/*
 * Before the process is started. ID is a file name, unique at this time; UID and GID are the process's. From the moment it is
 * there, the socket is 0600 and that user's. -ENAMETOOLONG: no name of it would fit into a socket's address (a long
 * state directory is all right as long as the process has our own uid); -EINVAL: not a file name; -errno.
 */
int notify_open(struct notify *n, struct notify_dir *d, const char *id, uid_t uid, gid_t gid);
void notify_close(struct notify *n); /* removes it, too. What is in the store stays */
/* Handles what has arrived by now, at most a round's number: before a process's exit is told, what it said before is heard. */
void notify_drain(struct notify *n);

/*
 * A pidfd of the process that MAINPID= named, if it is one of the node's: a descendant of MAIN (0: none; must be a child of ours
 * that nobody has waited for yet), one in CGROUP (NULL, or one without a cgroup: not asked), or a child of ours that
 * has HOLT_INVOCATION_ID=ID in its environment (NULL: not asked). The pidfd is opened first, and the process lives
 * after the last look at it: so what was looked at was that process, not another of the same number.
 *
 * 0; -EPERM: it is not; -ESRCH: no such process, or it has ended; -errno of pidfd_open(). The caller closes it.
 */
int notify_main_pidfd(pid_t pid, pid_t main, const char *id, const struct cgroup *cgroup, int *ret_pidfd);
