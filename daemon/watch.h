/* SPDX-License-Identifier: MIT */
/*
 * All that holtd waits for, in one place: descriptors in an epoll of its own, timers on a wheel, and what is to be done
 * once at the end of a round. One task waits for all of it, so a child costs some bytes here, and no stack.
 *
 *	struct child { struct watch pidfd; … };
 *
 *	c->pidfd.fire = child_ended;
 *	r = watch_add(&watcher, &c->pidfd, fd, EPOLLIN);
 *	…
 *	while ((r = watcher_wait(&watcher)) >= 0)
 *		…
 *
 * A watch is fired only while it is added. Whoever removes it, also from within another's fire, may free it at once, and
 * close its descriptor: an event of the same batch, or one that epoll still tells of a descriptor that was closed
 * (another process may hold a copy until it executes something), or of a number that is in use again, reaches nobody. The
 * rule: a watch has a slot, epoll knows slot and generation, and removing it makes the generation another.
 *
 * Nothing here blocks but watcher_wait(), which suspends. All on one thread, in one task. It reads and closes nobody's
 * descriptors, and knows nothing of processes.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/wheel.h"

/* To be zeroed, but for .fire, before it is first added. Must stay where it is as long as it is. */
struct watch {
	void (*fire)(struct watch *w, uint32_t events); /* level-triggered, unless asked for with EPOLLET */
	int fd;                                         /* borrowed, the caller closes it; meaningless unless added */
	uint32_t slot;                                  /* 0: not added */
};

/* Something to do once, after all events and timers of a round. To be zeroed, but for .fire. */
struct watch_later {
	void (*fire)(struct watch_later *l); /* may ask for itself again: in the next round, which then begins at once */
	struct watch_later *next;
	bool queued;
};

struct watcher {
	int fd;                   /* the epoll; -1: not open */
	bool more;                /* there is something to do without waiting */
	struct watch_slot *slots; /* [0] is nobody's */
	uint32_t n_slots, free_slot;
	size_t n_watches;
	int n_events; /* of the last round, or this one's so far */
	struct watch_later *later, **later_end, mark;
	struct holt__wheel wheel;
	/* May be NULL. Told the time in each round, before anything is fired: policy_time(), for example. */
	void (*time)(struct watcher *w, holt_time now);
};

int watcher_open(struct watcher *w);   /* -errno of epoll_create1(); in a task or outside */
void watcher_close(struct watcher *w); /* NULL, or what failed to open, too. Nothing may be added any more, no timer started */

/*
 * One round: waits until an event is there or the earliest timer is due, then fires what is ready (a bounded batch, so
 * that other tasks have their turn; the rest comes in the next round), due timers, and what was put off until later.
 *
 * Suspends, always: a cancellation point. 0; or -ECANCELED, with nothing fired; -EPERM outside tasks; -ENOMEM, -ENOSPC.
 */
int watcher_wait(struct watcher *w);

int watch_reserve(struct watcher *w, uint32_t n); /* the next n watch_add() will not say -ENOMEM. -ENOMEM */
/* -ENOMEM; -errno of epoll_ctl(), -EPERM for what cannot be waited for (a regular file), -EEXIST if the fd is watched already. */
int watch_add(struct watcher *w, struct watch *watch, int fd, uint32_t events);
int watch_modify(struct watcher *w, struct watch *watch, uint32_t events); /* the same events as before: no system call */
void watch_remove(struct watcher *w, struct watch *watch); /* before the descriptor is closed. Not added: nothing */

/* Removed, closed, and its .fd is -1. For a watch whose descriptor is the caller's own, and not used with holt_read() & co. */
void watch_close(struct watcher *w, struct watch *watch);

static inline bool watch_added(const struct watch *watch)
{
	return watch->slot != 0;
}

/* Queued already: nothing. */
void watch_later(struct watcher *w, struct watch_later *l);
void watch_not_later(struct watcher *w, struct watch_later *l);

/* Sets a timer, whether it runs or not; HOLT_NEVER stops it. */
static inline void watch_timer(struct watcher *w, struct holt__timer *t, holt_time at)
{
	holt__timer_stop(t);
	holt__timer_start(&w->wheel, t, at);
}
