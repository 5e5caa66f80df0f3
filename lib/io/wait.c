/* SPDX-License-Identifier: MIT */
/*
 * Events, and those who wait for them; the whole way of a call, from its first try to its result. The essay is in fd.c.
 */
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>

enum { IN_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR };

/* ---- events */

static inline void wake_next(struct holt__side *side)
{
	struct holt__waiter *w = side->waiters.head;

	if (!w || side->woken)
		return;
	side->woken = holt__container(w, struct holt__io_waiter, w);
	holt__wake(w->task, 0);
}

void holt__io_told(struct holt__waiter *w, int result)
{
	if (w->task) {
		holt__wake_by(w, result);
		return;
	}
	holt__waiter_remove(w);
	w->data = (void *)(intptr_t)result;
	w->left(w);
}

void holt__io_wake_watchers(struct holt__io *io, uint32_t events)
{
	struct holt__waiter *w, *next;

	for (w = io->watchers.head; w; w = next) {
		uint32_t came = events & (uint32_t)(uintptr_t)w->data;

		next = w->next;
		if (came)
			holt__io_told(w, (int)came);
	}
}

void holt__io_fire(struct holt__source *s, uint32_t events)
{
	struct holt__io *io = holt__container(s, struct holt__io, source);

	io->doubt = 0;
	if (holt__likely(events & IN_EVENTS)) {
		io->in.dry = false;
		if (holt__unlikely(events & (IN_EVENTS & ~EPOLLIN)))
			io->wary = true;
		wake_next(&io->in);
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		io->out.dry = false;
		wake_next(&io->out);
	}
	if (holt__unlikely(io->special)) {
		holt__io_wake_watchers(io, events);
		if (io->level)
			holt__io_rearm(&holt__here->loop, io);
	}
}

/* ---- what epoll watches */

static inline uint32_t events_of(const struct holt__io *io, const struct holt__side *side)
{
	if (side == &io->out)
		return EPOLLOUT;
	return EPOLLIN | EPOLLRDHUP | (io->kind >= HOLT__IO_UNIX ? EPOLLPRI : 0);
}

static uint32_t still_wanted(const struct holt__io *io)
{
	uint32_t events = 0;

	if (io->in.waiters.head && !io->in.woken)
		events |= events_of(io, &io->in);
	if (io->out.waiters.head && !io->out.woken)
		events |= EPOLLOUT;
	for (const struct holt__waiter *w = io->watchers.head; w; w = w->next)
		events |= (uint32_t)(uintptr_t)w->data;
	return events;
}

int holt__io_watch(struct holt_loop *loop, struct holt__io *io, uint32_t events)
{
	int r;

	events |= io->level ? still_wanted(io) | EPOLLONESHOT : io->interest | EPOLLET;
	if ((events & EPOLLIN) && io->source.fire == holt__io_fire)
		events |= events_of(io, &io->in); /* is_prepared looks for EPOLLIN only */
	if (io->interest == 0) {
		r = holt__loop_attach(loop, &io->source, io->source.fd, events);
		if (r < 0)
			return r;
	} else if (holt__loop_modify(loop, &io->source, events) < 0) {
		holt__io_forget(loop, io); /* -ENOENT: another file; -EBADF: none at all */
		return HOLT__IO_STALE;
	}
	io->interest = events;
	return 0;
}

int holt__io_call(struct holt_loop *loop, int fd, uint32_t events, struct holt__waiter *w)
{
	struct holt__io *io = holt__io_find(loop, fd);
	int r;

	if (!io)
		return -EBADF;
	io->special = true;
	if (io->level || (io->interest & events) != events) {
		r = holt__io_watch(loop, io, events);
		if (r != 0)
			return r == HOLT__IO_STALE ? -EBADF : r == -EPERM ? -EOPNOTSUPP : r;
	}
	w->data = (void *)(uintptr_t)(events | EPOLLERR | EPOLLHUP);
	holt__waiters_add(&io->watchers, w);
	return 0;
}

void holt__io_rearm(struct holt_loop *loop, struct holt__io *io)
{
	uint32_t events = still_wanted(io);

	if (events)
		holt__loop_modify(loop, &io->source, events | EPOLLONESHOT);
}

/* ---- waiting */

void holt__io_pass_on(holt_task *t, struct holt__io *io, struct holt__side *side)
{
	if (!side->dry)
		wake_next(side);
	else if (io->level)
		holt__io_rearm(t->loop, io);
}

static void add_first(struct holt_waiters *list, struct holt__waiter *w)
{
	struct holt__waiter *first = list->head;

	w->list = list;
	w->prev = NULL;
	w->next = first;
	if (first)
		first->prev = w;
	else
		list->tail = w;
	list->head = w;
}

static inline bool is_prepared(const holt_task *t, const struct holt__io *io, const struct holt__side *side)
{
	uint32_t events = side == &io->out ? EPOLLOUT : EPOLLIN; /* these stand for all of their side */

	return (io->interest & events) && side->last == (uint32_t)t->id && !io->level;
}

/* Makes sure that an event will come, and that it is this file's. */
static HOLT__COLD int prepare(holt_task *t, struct holt__io *io, struct holt__side *side)
{
	int r;

	if (io->interest == 0 && side->last != (uint32_t)t->id) { /* epoll cannot tell: look at it anew */
		holt__io_forget(t->loop, io);
		return HOLT__IO_STALE;
	}
	r = holt__io_watch(t->loop, io, events_of(io, side));
	if (r == 0)
		side->last = (uint32_t)t->id;
	else if (r < 0)
		holt__io_pass_on(t, io, side);
	return r == -EPERM ? -EOPNOTSUPP : r;
}

int holt__io_wait(holt_task *t, struct holt__io *io, struct holt__side *side, bool again, const char *what)
{
	struct holt__io_waiter w = { .io = io };
	int r;

	if (holt__unlikely(again) && t->scope->seen >= HOLT__CANCEL) {
		holt__io_pass_on(t, io, side);
		return -ECANCELED;
	}
	if (holt__unlikely(!is_prepared(t, io, side))) {
		r = prepare(t, io, side);
		if (r != 0)
			return r;
	} else {
		holt__io_doubt(t->loop, io);
	}
	w.w.task = t;
	if (holt__unlikely(again))
		add_first(&side->waiters, &w.w);
	else
		holt__waiters_add(&side->waiters, &w.w);
	t->waiter = &w.w;
	t->n_waiters = 1;
	r = holt__park(t, what, (void *)(intptr_t)io->source.fd);
	if (holt__unlikely(r != 0))
		return r;
	if (holt__unlikely(!w.io))
		return -EBADF;
	side->woken = NULL;
	return 0;
}

int holt__io_pause(holt_task *t, struct holt__io *io, struct holt_waiters *also, holt_time span, const char *what)
{
	struct holt__waiter w[2] = { { .task = t }, { .task = t } };
	uint64_t serial = io->serial;
	int fd = io->source.fd, r;

	io->special = true;
	holt__waiters_add(&io->watchers, &w[0]); /* for no events: only for its end */
	if (also)
		holt__waiters_add(also, &w[1]);
	t->waiter = w;
	t->n_waiters = also ? 2 : 1;
	r = holt__pause_until(t, holt__time_add(holt__fresh_now(), span), what, (void *)(intptr_t)fd);
	if (r < 0)
		return r;
	io = holt__io_find(t->loop, fd); /* it may have been closed since we were woken */
	return io && io->serial == serial ? 0 : -EBADF;
}

/* What EAGAIN tells. 0: wait for an event; else as holt__io_wait. */
static int eagain(holt_task *t, struct holt__io *io, const struct holt__op *op, holt_time *pause)
{
	struct holt__side *side = op->out ? &io->out : &io->in;
	holt_time before = *pause;
	int r;

	if (op->once)
		return -EAGAIN;
	/* A datagram to a unix socket whose queue is full: our own socket stays writable, so no event will tell. */
	if (op->out && io->socket && io->kind == HOLT__IO_OTHER && (holt__sys->poll(op->fd, EPOLLOUT, 0) & EPOLLOUT)) {
		*pause = holt__io_longer(before);
		if (before == 0)
			return HOLT__IO_STALE; /* at once, for it may have become so just now */
		holt__io_pass_on(t, io, side);
		r = holt__io_pause(t, io, NULL, before, op->what);
		return r < 0 ? r : HOLT__IO_STALE;
	}
	if (op->want > 0) {
		side->dry = true;
		if (!op->out)
			io->wary = false;
	}
	return 0;
}

/* True: the number is another file's, the record is gone: look again. */
static bool failed(holt_task *t, struct holt__io *io, ssize_t r)
{
	if (r != -ENOTSOCK || !io->socket)
		return false;
	holt__io_forget(t->loop, io);
	return true;
}

/* ---- a whole call */

enum { TRY, GOT, WAIT };

/* Where a call goes on with a record: to try, to wait for its turn, or back with -EAGAIN for who asked for it. */
static int first_step(const struct holt__side *side, const struct holt__op *op)
{
	if (side->waiters.head || side->woken)
		return op->once ? GOT : WAIT;
	return side->dry && !op->once ? WAIT : TRY;
}

/* A file in blocking mode, where we know one that is not: the number was closed behind our back. */
static void forget_if_it_would_block(holt_task *t, const struct holt__op *op)
{
	struct holt__io *io = holt__io_find(t->loop, op->fd);
	int flags;

	if (!io || io->source.fire != holt__io_fire || io->blocking || (io->socket && op->nowait))
		return;
	flags = holt__sys->get_flags(op->fd);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		holt__io_forget(t->loop, io);
}

/* io NULL: from the beginning. step GOT: r is what a try has said; woken: it had waited for that. */
static ssize_t go(holt_task *t, struct holt__io *io, struct holt__op *op, holt__io_try *attempt, int step, ssize_t r, bool woken)
{
	struct holt__side *side;
	holt_time pause = 0;

	if (io)
		goto found;
look_again:
	forget_if_it_would_block(t, op);
	r = holt__io_get(t, op->fd, &io);
	if (r != 0)
		return r < 0 ? r : attempt(op, NULL);
	woken = false;
	step = first_step(op->out ? &io->out : &io->in, op);
	if (step == GOT)
		return -EAGAIN; /* there may be something, for those who wait */
found:
	side = op->out ? &io->out : &io->in;
	for (;;) {
		if (step == WAIT) {
			r = holt__io_wait(t, io, side, woken, op->what);
			if (r == HOLT__IO_STALE)
				goto look_again;
			if (r < 0)
				return r;
			woken = true;
		}
		if (step != GOT)
			r = attempt(op, io);
		if (r != -EAGAIN)
			break;
		r = eagain(t, io, op, &pause);
		if (r < 0)
			return r;
		if (r == HOLT__IO_STALE)
			goto look_again;
		step = WAIT;
	}
	if (r < 0 && failed(t, io, r))
		goto look_again;
	holt__io_note(io, side, op, r);
	if (side->waiters.head)
		holt__io_pass_on(t, io, side);
	return r;
}

ssize_t holt__io_run(struct holt__op *op, holt__io_try *attempt)
{
	holt_task *t;
	int r = holt__enter(&t);

	return r < 0 ? r : go(t, NULL, op, attempt, TRY, 0, false);
}

ssize_t holt__io_go_on(holt_task *t, struct holt__io *io, struct holt__op *op, holt__io_try *attempt, ssize_t r, bool woken)
{
	return go(t, io, op, attempt, GOT, r, woken);
}
