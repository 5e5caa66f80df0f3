/* SPDX-License-Identifier: MIT */
/*
 * Children that we did not start. holtd is a subreaper (and, as first process of a container, the reaper): whoever loses its
 * parent below us becomes our child, a daemon that forked twice as well as a grandchild that called setsid(). To be sure that
 * nothing of a node is left, these have to be known, by node, signaled and reaped.
 *
 * Known children are those that somebody has a pidfd of, and waits for; they are never touched here. All others are orphans. An
 * orphan's node is told by HOLT_INVOCATION_ID in its environment. Programs that show a title (nginx, postgres) write over
 * that: so who has none, but is still in the process group or session of the node's main process, is the node's,
 * too. All others end with the tree.
 *
 * That nothing is left of a node is a claim about a moment: its main process was waited for, then the list of our
 * children was read, and none of it was in there. For when a process dies, its children have become ours before it can be waited
 * for. Orphans of a killed orphan thus come up in the next reading: one for each generation, and one for all who ask
 * in the same round, so that 1000 nodes that stop at once cost as many steps, not a million.
 *
 * An orphan has no pidfd: only we wait for our children, so its number stays its own until we have done so, and
 * a signal to it reaches nobody else. Nothing here waits for a particular process: one that the kernel does not let go holds up
 * who asked for it, and nobody else. Who asks brings his own timer.
 *
 * SIGCHLD is blocked, and read from a signalfd in the watcher: other threads are to be started after orphans_open(),
 * or with it blocked.
 */
#pragma once
#include <sys/types.h>

#include "daemon/children.h"
#include "daemon/invocation.h"
#include "daemon/lookup.h"
#include "daemon/pids.h"
#include "daemon/watch.h"

/* Somebody who wants to know that nothing is left. To be zeroed, but for .gone; must stay where it is while it waits. */
struct orphan_wait {
	void (*gone)(struct orphan_wait *w); /* once. At the end of a round, may ask again, and free what it is in */
	struct invocation id;                /* none: all orphans, whoever's they are */
	pid_t group; /* the number its main process had, if that had a process group of its own; 0: not asked */
	int signal;  /* each orphan of it is sent that, once, now or when it comes up; 0: only waited for */
	size_t n;    /* so many there are, as far as known */
	bool waiting;
	struct orphan_wait *next, **at;
};

enum { ORPHAN_BUCKETS = 64 };

struct orphans {
	struct watcher *watcher;
	struct watch watch; /* the signalfd of SIGCHLD */
	struct watch_later later;
	struct holt__timer retry; /* the list could not be read to its end, or who somebody is */
	struct holt__timer lazy;  /* to ask who is dead */
	struct children children;
	struct lookup lookup;   /* whose is somebody whom the kernel holds */
	pid_t behind;           /* a known child that is dead and not waited for: it may hide others in the kernel's answer */
	bool reap, scan, sweep; /* to do at the round's end: ask who is dead, read the list, ask of each orphan */
	unsigned readings;
	holt_time asked; /* since when .scan */
	uint32_t cookies;
	struct pids pids; /* of orphans their index in table; of the known KNOWN */
	struct orphan *table;
	size_t n, room;
	struct orphan_wait *all, *wait[ORPHAN_BUCKETS];
	size_t n_waiting;
	struct orphan_wait *gone;        /* those about to be told */
	unsigned long reaped;            /* so many, ever */
	void (*hear)(struct orphans *o); /* NULL; called before an exit is taken: what the dead have said may make one known */
};

/* Becomes subreaper; SIGCHLD gets its default action and is blocked in this thread. -ENOMEM, -errno. */
int orphans_open(struct orphans *o, struct watcher *w);
void orphans_close(struct orphans *o); /* nobody waits any more; SIGCHLD stays blocked */

/* Room for one more known child, so that orphans_know() cannot fail: to be called before it is started. -ENOMEM. */
int orphans_reserve(struct orphans *o);

/*
 * A child that somebody will wait for himself: to be told before the caller suspends or returns to watcher_wait(). And when
 * it was waited for: at once, for its number may be another's at any time. An orphan may become known: the process that
 * MAINPID= names. -ENOMEM: see orphans_reserve().
 */
int orphans_know(struct orphans *o, pid_t pid);
void orphans_forget(struct orphans *o, pid_t pid);

/*
 * Asks for W->gone once nothing of W->id is left, at the end of this round at the earliest. Its main process, and all else that
 * is known of it, was waited for before; else they, and what they still start, are not counted.
 */
void orphans_wait(struct orphans *o, struct orphan_wait *w);
/* Another signal from now on; sent also to who had one before. */
void orphans_signal(struct orphans *o, struct orphan_wait *w, int sig);
void orphans_unwait(struct orphans *o, struct orphan_wait *w); /* not waiting: nothing */

/* Whether an orphan of that id is known of now; one that came up since the last reading is not. NULL or none: any. */
bool orphans_any(const struct orphans *o, const struct invocation *id);
