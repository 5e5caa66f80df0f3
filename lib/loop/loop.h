/* SPDX-License-Identifier: MIT */
/*
 * One epoll loop: the ready list, timers, sources of events, calls from other threads.
 *
 * The loop knows no tasks. What is ready is a link that the floor above has put into its own
 * record; what shall happen when an fd, a timer or a signal is due is a function that was handed
 * down. All of these functions only queue: nothing but run_ready runs code that may take long.
 *
 * A turn: read the clock once, look at epoll (only when nothing is ready, and else every 64th turn
 * or 1 ms, because the call costs more than fifty switches; not before those that the last look has woken had
 * their turn, unless that takes 10 ms), fire timers in order of time, do
 * the calls of other threads, then let the ready ones run until the turn's fuel is used up.
 */
#pragma once
#include <stdatomic.h>

#include <holt/base.h>

#include "base/wheel.h"
#include "sys/sys.h"

struct holt__ios;
struct holt__signals;
struct holt__logdrain;

struct holt__ready {
	struct holt__ready *next;
};

/* Something that epoll watches. Lives in its owner's record; a number and a generation lead back to it. */
struct holt__source {
	int fd;
	uint32_t generation; /* of this registration: events of an earlier one with the same number are dropped */
	void (*fire)(struct holt__source *s, uint32_t events);
};

/* Something of a floor above that lives as long as the loop: fn frees it, when no task is left. */
struct holt__loop_end {
	struct holt__loop_end *next;
	void (*fn)(struct holt_loop *loop, struct holt__loop_end *e);
};

/*
 * Something to be done once, at the beginning of the next turn: what the tasks of this one add to it is done together. Lives in
 * its owner's record. fn may only queue, and make system calls that do not wait.
 */
struct holt__later {
	struct holt__later *next, **link; /* link NULL: not asked for */
	void (*fn)(struct holt__later *l);
};

/* A call from another thread. */
struct holt__call {
	struct holt__call *next;
	void (*fn)(void *arg);
	void *arg;
};

struct holt_loop {
	/* what a switch touches */
	struct holt__ready *ready, **ready_end;
	unsigned fuel;   /* switches until the next turn */
	unsigned refuel; /* fuel of a turn; small after slow ones */
	holt_time now;   /* the turn's reading of the clock */
	struct holt__ready *(*pick)(
		struct holt_loop *loop); /* somebody looks on: chooses and unlinks the next; NULL: first come */

	void (*run_ready)(struct holt_loop *loop); /* runs ready ones until the fuel is used up or none is left */
	void (*on_stop)(struct holt_loop *loop, const char *why);

	holt_time polled;          /* when epoll was last looked at */
	unsigned turns;            /* since then */
	unsigned owed;             /* of the events found then: at most so many have not had their switch */
	holt_time armed;           /* what the timerfd is set to; in the past: to nothing */
	int epfd, timerfd, wakefd; /* -1: not open */
	struct holt__source timer_source, wake_source;
	struct holt__later *later, **later_end;
	struct holt__source **sources; /* by fd */
	size_t n_sources;
	uint32_t generation;
	struct holt__signals *signals;
	struct holt__logdrain *logdrain; /* NULL: no memory for it */
	struct holt__loop_end *ends;     /* newest first */
	struct holt__ios *ios;           /* the io floor's; NULL until it is used */
	int (*close)(int fd);            /* its holt_close, for floors before it, from the same moment on */

	/* touched by other threads and by signal handlers */
	_Atomic(struct holt__call *) calls; /* newest first; CLOSED when the loop has ended */
	_Atomic(const char *) stop_why;     /* a stop was asked for */
	atomic_bool sleeping;               /* somebody who has news must write to wakefd */
	atomic_uint wakers;                 /* who may be doing so just now */
	atomic_uint refs;
	void (*destroy)(struct holt_loop *loop);

	struct holt__wheel timers;
};

/* A loop that is not open yet: it takes calls and stops, and remembers them. */
void holt__loop_init(struct holt_loop *loop, void (*destroy)(struct holt_loop *loop));
int holt__loop_open(struct holt_loop *loop);
void holt__loop_close(struct holt_loop *loop); /* all sources must have been detached; gives back the fds */

void holt__loop_turn(struct holt_loop *loop);

void holt__loop_later(struct holt_loop *loop, struct holt__later *l); /* again before it was done: no matter */
void holt__later_drop(struct holt_loop *loop, struct holt__later *l); /* one that was not asked for: no matter */

/* Ends the taking of calls, unless some came: false, and they have been made now. */
bool holt__loop_seal(struct holt_loop *loop);

/* -ESHUTDOWN. The call's record stays the caller's until fn was called. From any thread. */
int holt__loop_post(struct holt_loop *loop, struct holt__call *call);
void holt__loop_wake(struct holt_loop *loop); /* from any thread and from signal handlers */

/* epoll_ctl ADD; whatever was known under this number before is forgotten. */
int holt__loop_attach(struct holt_loop *loop, struct holt__source *s, int fd, uint32_t events);
/* epoll_ctl MOD: -ENOENT when the number was closed behind our back. */
int holt__loop_modify(struct holt_loop *loop, struct holt__source *s, uint32_t events);
void holt__loop_detach(struct holt_loop *loop, struct holt__source *s); /* before the fd is closed */
/* Into and out of the table only: a source that epoll does not watch yet. -ENOMEM, -EBADF. */
int holt__loop_place(struct holt_loop *loop, struct holt__source *s, int fd);
void holt__loop_displace(struct holt_loop *loop, struct holt__source *s);

static inline struct holt__source *holt__loop_source(const struct holt_loop *loop, int fd) /* NULL: none */
{
	return (size_t)(unsigned)fd < loop->n_sources ? loop->sources[fd] : NULL;
}

static inline void holt__ready_push(struct holt_loop *loop, struct holt__ready *r)
{
	r->next = NULL;
	*loop->ready_end = r;
	loop->ready_end = &r->next;
}

/* Unlinks the one that `where` leads to; NULL: none. */
static inline struct holt__ready *holt__ready_take(struct holt_loop *loop, struct holt__ready **where)
{
	struct holt__ready *r = *where;

	if (r && !(*where = r->next))
		loop->ready_end = where;
	return r;
}

static inline struct holt__ready *holt__ready_pop(struct holt_loop *loop)
{
	if (holt__unlikely(loop->pick != NULL))
		return loop->pick(loop);
	return holt__ready_take(loop, &loop->ready);
}
