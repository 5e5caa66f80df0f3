/* SPDX-License-Identifier: MIT */
/*
 * What a loop knows of a descriptor that was used with the calls of <holt/io.h>, and the one way in which each of those
 * calls tries, waits and tries again. The essay is in fd.c.
 */
#pragma once
#include <holt/io.h>

#include "task/task.h"

enum { HOLT__IO_DIRECT = 1, HOLT__IO_STALE = 2 }; /* results beside 0 and -errno, of the functions that say so */

enum holt__io_kind {
	HOLT__IO_OTHER, /* drained when it says EAGAIN, not before */
	HOLT__IO_PIPE,  /* a short read has drained it */
	HOLT__IO_UNIX,  /* a stream: the same, but descriptors and credentials cut a read short, too */
	HOLT__IO_TCP,   /* the same as a pipe, and a short write has filled it */
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
	uint64_t last;                 /* the task that has proved last that the number is still this file */
	uint32_t events;               /* what it waits for */
	bool dry;                      /* known: nothing to read, no room to write, until an event comes */
};

struct holt__io {
	struct holt__source source; /* its fire tells our records from those of others */
	uint32_t interest;          /* what epoll watches; 0: not registered */
	uint8_t kind;               /* enum holt__io_kind */
	bool socket;
	bool blocking;              /* inherited stdio or a terminal: its mode is left as it is */
	bool level;                 /* registered for one event at a time, as the calls on it would block */
	bool terminal;
	bool wary;                  /* an end, an error or urgent data was announced: a short read says nothing */
	struct holt__side in, out;
	struct holt_waiters watchers; /* what each waits for is in its waiter's data */
	uint64_t serial;            /* no other record of this loop has it */
};

/* What the io floor keeps for a loop. */
struct holt__ios {
	struct holt__loop_end end;
	struct holt_waiters starved; /* who waits until somebody closes a descriptor */
	bool starving;               /* it was said in the log */
	uint64_t serial;
	struct holt__io_signal *signals;
};

/* One call of the system, described for its tries. */
struct holt__op {
	int fd, flags;
	bool out;
	bool nowait; /* on a socket it never blocks, whatever the socket's mode is */
	bool once;   /* the caller asked for EAGAIN */
	size_t want; /* bytes asked for, when fewer mean that no more are there; 0: the result tells nothing of that */
	void *data;
	size_t n;    /* of what is in data */
	void *other;
	const char *what; /* "read fd" */
};
typedef ssize_t holt__io_try(struct holt__op *op, struct holt__io *io); /* io NULL: call directly */

void holt__io_fire(struct holt__source *s, uint32_t events);
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

struct holt__ios *holt__ios(struct holt_loop *loop); /* made at the first use; NULL: no memory */
struct holt__io *holt__io_find(struct holt_loop *loop, int fd); /* any record of ours; NULL: none */

/* -ENOMEM; not registered yet. */
int holt__io_new(struct holt_loop *loop, int fd, void (*fire)(struct holt__source *s, uint32_t events), struct holt__io **ret_io);

/* Who waits on it gets -EBADF; io is gone. */
void holt__io_forget(struct holt_loop *loop, struct holt__io *io);
void holt__io_forget_number(struct holt_loop *loop, int fd); /* a new file has this number */
void holt__io_signals_free(struct holt__ios *ios);           /* signal.c */

/* The next of growing pauses: 1 ms to 100 ms. */
static inline holt_time holt__io_longer(holt_time pause)
{
	return pause == 0 ? HOLT_MS : holt__time_min(pause * 2, 100 * HOLT_MS);
}

/* 0: the number is still the file that we know; HOLT__IO_STALE: it was not, the record is gone. */
int holt__io_verify(holt_task *t, struct holt__io *io, struct holt__side *side);

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

void holt__io_pass_on(holt_task *t, struct holt__io *io, struct holt__side *side); /* the turn of the next, if there is something for it */
void holt__io_rearm(struct holt_loop *loop, struct holt__io *io);     /* a level-triggered one, for who still waits */
void holt__io_wake_watchers(struct holt__io *io, uint32_t events);
bool holt__io_failed(holt_task *t, struct holt__io *io, ssize_t r);  /* true: the number is another file's, the record is gone: look again */
/* What EAGAIN tells. 0: wait for an event; else as holt__io_wait. */
int holt__io_eagain(holt_task *t, struct holt__io *io, const struct holt__op *op, holt_time *pause);

/* Adds events to what epoll watches; level: arms it. HOLT__IO_STALE: the record is gone. */
int holt__io_watch(struct holt_loop *loop, struct holt__io *io, uint32_t events);

/* What a result tells of what is left. */
static inline void holt__io_note(struct holt__io *io, struct holt__side *side, const struct holt__op *op, ssize_t r)
{
	if (op->want == 0)
		return;
	if (op->out)
		side->dry = r > 0 && (size_t)r < op->want && io->kind == HOLT__IO_TCP;
	else if (holt__likely(r > 0))
		side->dry = (size_t)r < op->want && io->kind != HOLT__IO_OTHER && !io->wary;
	else
		io->wary = false;
}

/* A whole call: cancellation first, then tries and waits. Inline for those that have to be fast. */
static inline __attribute__((always_inline)) ssize_t holt__io_run(struct holt__op *op, holt__io_try *attempt)
{
	holt_time pause = 0;
	struct holt__io *io;
	struct holt__side *side;
	holt_task *t;
	bool woken;
	ssize_t r;

	r = holt__enter(&t);
	if (holt__unlikely(r < 0))
		return r;
look_again:
	r = holt__io_get(t, op->fd, &io);
	if (holt__unlikely(r != 0))
		return r < 0 ? r : attempt(op, NULL);
	side = op->out ? &io->out : &io->in;
	if (holt__unlikely(side->last != t->id) && !(op->nowait && io->socket) && holt__io_verify(t, io, side) == HOLT__IO_STALE)
		goto look_again;
	woken = false;
	if (side->dry || holt__unlikely(side->waiters.head || side->woken)) {
		if (!op->once)
			goto wait;
		if (!side->dry)
			return -EAGAIN; /* there may be something, for those who wait */
	}
	for (;;) {
		r = attempt(op, io);
		if (holt__likely(r != -EAGAIN))
			break;
		r = holt__io_eagain(t, io, op, &pause);
		if (r < 0)
			return r;
		if (r == HOLT__IO_STALE)
			goto look_again;
wait:
		r = holt__io_wait(t, io, side, woken, op->what);
		if (holt__unlikely(r == HOLT__IO_STALE))
			goto look_again;
		if (holt__unlikely(r < 0))
			return r;
		woken = true;
	}
	if (holt__unlikely(r < 0) && holt__io_failed(t, io, r))
		goto look_again;
	holt__io_note(io, side, op, r);
	if (holt__unlikely(side->waiters.head != NULL))
		holt__io_pass_on(t, io, side);
	return r;
}
