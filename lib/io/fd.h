/* SPDX-License-Identifier: MIT */
/*
 * What a loop knows of a descriptor that was used with the calls of <holt/io.h>, and the one way in which each of those
 * calls tries, waits and tries again. The essay is in fd.c.
 */
#pragma once
#include <errno.h>

#include <holt/io.h>

#include "task/task.h"

enum { HOLT__IO_DIRECT = 1, HOLT__IO_STALE = 2 }; /* results beside 0 and -errno, of the functions that say so */

enum holt__io_kind {
	HOLT__IO_OTHER, /* drained when it says EAGAIN, not before */
	HOLT__IO_PIPE,  /* a short read has drained it */
	HOLT__IO_UNIX,  /* a stream: the same, but descriptors and credentials cut a read short, too */
	HOLT__IO_TCP,   /* as a pipe */
};

/* On the stack of a task that waits for its turn. */
struct holt__io_waiter {
	struct holt__waiter w;
	struct holt__io *io; /* NULL: closed between the wake-up and the task's own turn */
};

/* One of the two directions. */
struct holt__side {
	struct holt_waiters waiters;
	struct holt__io_waiter *woken; /* was told to try, and has not yet: it comes before all others */
	uint32_t last;                 /* the task that has proved last that the number is still this file: the end of its id */
	bool dry;                      /* known: nothing to read, no room to write, until an event comes */
};

/* Two cache lines, the first with all that an event and a read need. */
struct holt__io {
	struct holt__source source; /* its fire tells our records from those of others */
	uint32_t interest;          /* what epoll watches; 0: not registered */
	uint32_t serial;            /* of this use of the record */
	uint8_t kind;               /* enum holt__io_kind */
	bool socket;
	bool blocking; /* inherited stdio or a terminal: its mode is left as it is */
	bool level;    /* registered for one event at a time, as the calls on it would block */
	bool terminal;
	bool wary;     /* an end, an error or urgent data was announced: a short read says nothing */
	bool special;  /* level, or it had watchers: an event is more than a side's */
	uint8_t doubt; /* a task waits without having proved that the number is this file; grows with time */
	struct holt__side in, out;
	struct holt_waiters watchers;  /* what each waits for is in its data; one without a task: see holt__io_call */
	struct holt__io *next, **link; /* in the list of all: another's source may have taken our place in the table */
};
_Static_assert(sizeof(struct holt__io) <= 128, "two cache lines");

/* What the io floor keeps for a loop. */
struct holt__ios {
	struct holt__loop_end end;
	struct holt_waiters starved; /* who waits until somebody closes a descriptor */
	bool starving;               /* it was said in the log */
	struct holt__io *all, *spare;
	struct holt__timer check;    /* to prove those in doubt */
	struct holt__io *check_next; /* where it goes on */
	bool doubts;                 /* seen in this round through all */
	struct holt__io_slab *slabs;
	uint32_t serial;
	struct holt__io_signal *signals;
	struct holt__io_wall *wall; /* NULL: no alarm has waited yet */
};

/* One call of the system, described for its tries. */
struct holt__op {
	int fd, flags;
	bool out;
	bool nowait; /* on a socket it never blocks, whatever the socket's mode is */
	bool once;   /* the caller asked for EAGAIN */
	size_t want; /* bytes asked for, when fewer mean that no more are there; 0: the result tells nothing of that */
	void *data;
	size_t n; /* of what is in data */
	void *other;
	const char *what; /* "read fd" */
};
typedef ssize_t holt__io_try(struct holt__op *op, struct holt__io *io); /* io NULL: call directly */

void holt__io_fire(struct holt__source *s, uint32_t events);
void holt__io_fire_foreign(struct holt__source *s, uint32_t events); /* wait_fd.c */
int holt__io_get_slowly(holt_task *t, int fd, struct holt__io **ret_io);

/* The record of fd, made and fd made non-blocking if there is none; HOLT__IO_DIRECT: it cannot be waited for, there is none. */
static inline int holt__io_get(holt_task *t, int fd, struct holt__io **ret_io)
{
	struct holt__source *s = holt__loop_source(t->loop, fd);

	if (holt__likely(s && s->fire == holt__io_fire)) {
		*ret_io = holt__container(s, struct holt__io, source);
		return 0;
	}
	return holt__io_get_slowly(t, fd, ret_io);
}

struct holt__ios *holt__ios(struct holt_loop *loop);            /* made at the first use; NULL: no memory */
struct holt__io *holt__io_find(struct holt_loop *loop, int fd); /* any record of ours; NULL: none */

/* -ENOMEM; not registered yet. */
int holt__io_new(struct holt_loop *loop, int fd, void (*fire)(struct holt__source *s, uint32_t events), struct holt__io **ret_io);

/* Who waits on it gets -EBADF; io is gone. */
void holt__io_forget(struct holt_loop *loop, struct holt__io *io);
void holt__io_retry(struct holt_loop *loop, struct holt__io *io); /* as forget, but who waits looks again */
void holt__io_forget_number(struct holt_loop *loop, int fd);      /* a new file has this number */
void holt__io_signals_free(struct holt__ios *ios);                /* signal.c */
void holt__io_wall_free(struct holt_loop *loop);                  /* alarm.c */

/* The next of growing pauses: 1 ms to 100 ms. */
static inline holt_time holt__io_longer(holt_time pause)
{
	return pause == 0 ? HOLT_MS : holt__time_min(pause * 2, 100 * HOLT_MS);
}

/* 0: the number is still the file that we know; HOLT__IO_STALE: it was not, the record is gone. Registered ones only. */
int holt__io_verify(holt_task *t, struct holt__io *io, struct holt__side *side);

void holt__io_check_later(struct holt_loop *loop); /* doubt.c: there is one in doubt */

/* A task waits on io, which it had not to prove. */
static inline void holt__io_doubt(struct holt_loop *loop, struct holt__io *io)
{
	io->doubt = 1;
	if (holt__unlikely(!holt__timer_started(&loop->ios->check)))
		holt__io_check_later(loop);
}

/*
 * Waits for its turn on one side, and for an event; the next thing is to try. again: it was woken and has found nothing,
 * so it goes to the front, unless it was canceled. HOLT__IO_STALE: look up the record again, and try. On errors (-ECANCELED,
 * -EBADF: closed, those of epoll_ctl) there is nothing left to do: io may be gone.
 */
int holt__io_wait(holt_task *t, struct holt__io *io, struct holt__side *side, bool again, const char *what);

/*
 * Waits where there is no event to wait for: until a span has passed, holt_close of io (-EBADF), or somebody wakes
 * the list `also` (may be NULL). 0: look up the record again, and try.
 */
int holt__io_pause(holt_task *t, struct holt__io *io, struct holt_waiters *also, holt_time span, const char *what);

void holt__io_pass_on(
	holt_task *t, struct holt__io *io, struct holt__side *side); /* the turn of the next, if there is something for it */
void holt__io_rearm(struct holt_loop *loop, struct holt__io *io);    /* a level-triggered one, for who still waits */

/*
 * Calls w->left, outside tasks, when one of the events comes; or with -EBADF when there is no such record any more. It is out of the
 * list then, with the events or the error in w->data, and may only queue. 0, or why nothing will come: -EBADF, -ENOMEM, ...
 */
int holt__io_call(struct holt_loop *loop, int fd, uint32_t events, struct holt__waiter *w);
void holt__io_told(struct holt__waiter *w, int result); /* a watcher is told, and out of the list */
void holt__io_wake_watchers(struct holt__io *io, uint32_t events);
/* Adds events to what epoll watches; level: arms it. HOLT__IO_STALE: the record is gone. */
int holt__io_watch(struct holt_loop *loop, struct holt__io *io, uint32_t events);

/* What a result tells of what is left. */
static inline void holt__io_note(struct holt__io *io, struct holt__side *side, const struct holt__op *op, ssize_t r)
{
	if (op->want == 0)
		return;
	if (op->out)
		return;
	if (holt__likely(r > 0))
		side->dry = (size_t)r < op->want && io->kind != HOLT__IO_OTHER && !io->wary;
	else
		io->wary = false;
}

/*
 * The fast path's first step: the record of a socket on a side of which nobody waits; the caller is a task that may go
 * on. NULL: take the whole way.
 */
static inline __attribute__((always_inline)) struct holt__io *holt__io_quick(int fd, bool out, holt_task **ret_task)
{
	holt_task *t = holt__self;
	struct holt__source *s;
	struct holt__side *side;
	struct holt__io *io;

	if (holt__unlikely(!t || t->scope->seen >= HOLT__CANCEL || t->budget == 0))
		return NULL;
	s = holt__loop_source(t->loop, fd);
	if (holt__unlikely(!s || s->fire != holt__io_fire))
		return NULL;
	io = holt__container(s, struct holt__io, source);
	side = out ? &io->out : &io->in;
	if (holt__unlikely(!io->socket || side->waiters.head || side->woken))
		return NULL;
	t->budget--;
	*ret_task = t;
	return io;
}

/* One try, which waits for nothing; a socket's that is closed gives -EPIPE and no signal. io NULL: none is needed (DIRECT). */
ssize_t holt__io_write_now(int fd, struct holt__io *io, const void *buf, size_t n);

/* A whole call: cancellation first, then tries and waits. */
ssize_t holt__io_run(struct holt__op *op, holt__io_try *attempt);

/* The rest of one, after its first try in the fast path: r is what that said; woken: it had waited before. */
ssize_t holt__io_go_on(holt_task *t, struct holt__io *io, struct holt__op *op, holt__io_try *attempt, ssize_t r, bool woken);
