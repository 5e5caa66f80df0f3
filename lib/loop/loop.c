/* SPDX-License-Identifier: MIT */
/*
 * The turn of a loop, its sources, and the one door for other threads: a list of calls that
 * they push to and the loop takes whole, and an eventfd that they write to only when the
 * loop sleeps. Both internal fds are edge-triggered and never read: each expiry and each write
 * is an edge of its own. What was put off comes first in a turn: it may make tasks ready.
 */
#include "loop/loop.h"

#include <errno.h>
#include <string.h>

#include <holt/run.h>

#include "base/alloc.h"
#include "loop/logdrain.h"
#include "loop/signal.h"

enum { POLL_TURNS = 64, FUEL_MIN = 1, FUEL_MAX = 64, MAX_EVENTS = 128 };

static struct holt__call closed; /* its address says that the loop takes no calls any more */

void holt__loop_init(struct holt_loop *loop, void (*destroy)(struct holt_loop *loop))
{
	memset(loop, 0, sizeof *loop);
	loop->ready_end = &loop->ready;
	loop->later_end = &loop->later;
	loop->refuel = FUEL_MAX;
	loop->now = loop->polled = holt__sys->now();
	loop->epfd = loop->timerfd = loop->wakefd = -1;
	atomic_init(&loop->refs, 1);
	loop->destroy = destroy;
	holt__wheel_init(&loop->timers, loop->now);
}

static void nothing(struct holt__source *s, uint32_t events)
{
	(void)s;
	(void)events;
}

/* It is armed no more: known from the kernel, not from the clock, which might read less than what the timer saw. */
static void timer_expired(struct holt__source *s, uint32_t events)
{
	(void)events;
	holt__container(s, struct holt_loop, timer_source)->armed = 0;
}

static int open_internal(struct holt_loop *loop, struct holt__source *s, void (*fire)(struct holt__source *, uint32_t), int fd)
{
	int r;

	if (fd < 0)
		return fd;
	s->fire = fire;
	r = holt__loop_attach(loop, s, fd, EPOLLIN | EPOLLET);
	if (r < 0) {
		holt__sys->close(fd);
		return r;
	}
	return fd;
}

int holt__loop_open(struct holt_loop *loop)
{
	int r;

	r = loop->epfd = holt__sys->epoll_create(EPOLL_CLOEXEC);
	if (r >= 0)
		r = loop->timerfd = open_internal(
			loop, &loop->timer_source, timer_expired, holt__sys->timerfd_create(TFD_NONBLOCK | TFD_CLOEXEC));
	if (r >= 0)
		r = loop->wakefd =
			open_internal(loop, &loop->wake_source, nothing, holt__sys->eventfd(EFD_NONBLOCK | EFD_CLOEXEC));
	if (r < 0) {
		holt__loop_close(loop);
		return r;
	}
	loop->logdrain = holt__logdrain_open(loop);
	loop->armed = 0;
	return 0;
}

/* ---- what is put off until the next turn */

void holt__loop_later(struct holt_loop *loop, struct holt__later *l)
{
	if (l->link)
		return;
	l->next = NULL;
	l->link = loop->later_end;
	*l->link = l;
	loop->later_end = &l->next;
}

void holt__later_drop(struct holt_loop *loop, struct holt__later *l)
{
	if (!l->link)
		return;
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	else
		loop->later_end = l->link;
	l->link = NULL;
}

/* What is put off meanwhile is for the turn after this one. */
static __attribute__((noinline)) void do_later(struct holt_loop *loop)
{
	struct holt__later *last = holt__container(loop->later_end, struct holt__later, next), *l;

	while ((l = loop->later)) {
		holt__later_drop(loop, l);
		l->fn(l);
		if (l == last)
			break;
	}
}

/* ---- closing */

static void close_internal(struct holt_loop *loop, struct holt__source *s, int *fd)
{
	if (*fd < 0)
		return;
	holt__loop_detach(loop, s);
	holt__sys->close(*fd);
	*fd = -1;
}

/*
 * A thread that saw us sleep may still be on its way to wakefd, whose number may be another file's a moment later. It
 * is few instructions away: this hardly ever waits, and sleeps where it does, for we may be the one that keeps it off the CPU.
 */
static void wait_for_wakers(struct holt_loop *loop)
{
	while (atomic_load(&loop->wakers) > 0)
		holt__sys->poll(loop->wakefd, 0, 1);
}

void holt__loop_close(struct holt_loop *loop)
{
	if (loop->later)
		do_later(loop);
	while (loop->ends) {
		struct holt__loop_end *e = loop->ends;

		loop->ends = e->next;
		e->fn(loop, e);
	}
	holt__signals_close(loop);
	holt__logdrain_close(loop->logdrain);
	loop->logdrain = NULL;
	wait_for_wakers(loop);
	close_internal(loop, &loop->timer_source, &loop->timerfd);
	close_internal(loop, &loop->wake_source, &loop->wakefd);
	if (loop->epfd >= 0)
		holt__sys->close(loop->epfd);
	loop->epfd = -1;
	holt__free(loop->sources);
	loop->sources = NULL;
	loop->n_sources = 0;
}

static int grow_sources(struct holt_loop *loop, size_t fd)
{
	size_t n = loop->n_sources ? loop->n_sources : 64;
	struct holt__source **sources;

	while (n <= fd)
		n *= 2;
	if (n == loop->n_sources)
		return 0;
	sources = holt__realloc(loop->sources, n * sizeof *sources);
	if (!sources)
		return -ENOMEM;
	memset(sources + loop->n_sources, 0, (n - loop->n_sources) * sizeof *sources);
	loop->sources = sources;
	loop->n_sources = n;
	return 0;
}

static int control(struct holt_loop *loop, int op, struct holt__source *s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)s->generation << 32 | (uint32_t)s->fd };

	return holt__sys->epoll_ctl(loop->epfd, op, s->fd, &e);
}

int holt__loop_attach(struct holt_loop *loop, struct holt__source *s, int fd, uint32_t events)
{
	int r;

	if (fd < 0)
		return -EBADF;
	r = grow_sources(loop, (size_t)fd);
	if (r < 0)
		return r;
	s->fd = fd;
	s->generation = ++loop->generation;
	r = control(loop, EPOLL_CTL_ADD, s, events);
	if (r == -EEXIST) /* the same open file under the same number, of an owner that is gone */
		r = control(loop, EPOLL_CTL_MOD, s, events);
	if (r < 0)
		return r;
	loop->sources[fd] = s;
	return 0;
}

int holt__loop_modify(struct holt_loop *loop, struct holt__source *s, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, s, events);
}

void holt__loop_detach(struct holt_loop *loop, struct holt__source *s)
{
	if (holt__loop_source(loop, s->fd) != s)
		return;
	control(loop, EPOLL_CTL_DEL, s, 0); /* fails when the number was closed behind our back: as good */
	loop->sources[s->fd] = NULL;
}

int holt__loop_place(struct holt_loop *loop, struct holt__source *s, int fd)
{
	int r = fd < 0 ? -EBADF : grow_sources(loop, (size_t)fd);

	if (r < 0)
		return r;
	s->fd = fd;
	loop->sources[fd] = s;
	return 0;
}

void holt__loop_displace(struct holt_loop *loop, struct holt__source *s)
{
	if (holt__loop_source(loop, s->fd) == s)
		loop->sources[s->fd] = NULL;
}

static bool news_from_outside(struct holt_loop *loop)
{
	return atomic_load(&loop->calls) != NULL || atomic_load(&loop->stop_why) != NULL;
}

/* How long epoll_wait may wait, in ms; sets the timerfd so that -1 ends in time. */
static int may_sleep(struct holt_loop *loop)
{
	holt_time next = holt__wheel_next(&loop->timers);

	if (next <= loop->now)
		return 0;
	if (next < loop->armed || (loop->armed <= loop->now && next != HOLT_NEVER)) {
		if (holt__sys->timerfd_set(loop->timerfd, next) < 0) {
			loop->armed = 0;
			return next - loop->now >= HOLT_MIN ? 60000 : (int)((next - loop->now + HOLT_MS - 1) / HOLT_MS);
		}
		loop->armed = next;
	}
	return -1;
}

static void poll_sources(struct holt_loop *loop, bool wait)
{
	struct epoll_event events[MAX_EVENTS];
	int timeout = wait ? may_sleep(loop) : 0;
	int n;

	if (timeout != 0) {
		atomic_store(&loop->sleeping, true);
		if (news_from_outside(loop))
			timeout = 0;
	}
	holt__logdrain_look(loop->logdrain);
	n = holt__sys->epoll_wait(loop->epfd, events, MAX_EVENTS, timeout);
	if (timeout != 0 || wait)
		atomic_store(&loop->sleeping, false);
	loop->now = loop->polled = holt__sys->now();
	loop->turns = 0;
	loop->owed = n > 0 ? (unsigned)n : 0;
	for (int i = 0; i < n; i++) {
		struct holt__source *s = holt__loop_source(loop, (int)(uint32_t)events[i].data.u64);

		if (s && s->generation == events[i].data.u64 >> 32)
			s->fire(s, events[i].events);
	}
}

/* Makes the calls in the order in which they came. */
static void make_calls(struct holt__call *newest)
{
	struct holt__call *first = NULL;

	while (newest) {
		struct holt__call *call = newest;

		newest = call->next;
		call->next = first;
		first = call;
	}
	while (first) {
		struct holt__call *call = first;

		first = call->next;
		call->fn(call->arg); /* frees the record, or answers the thread that waits in it */
	}
}

static void hear_outside(struct holt_loop *loop)
{
	const char *why = atomic_load_explicit(&loop->stop_why, memory_order_relaxed);

	if (holt__unlikely(why != NULL)) {
		why = atomic_exchange(&loop->stop_why, NULL);
		loop->on_stop(loop, why);
	}
	if (holt__unlikely(atomic_load_explicit(&loop->calls, memory_order_relaxed) != NULL))
		make_calls(atomic_exchange(&loop->calls, NULL));
}

/*
 * While some are ready: not before those that the last look has woken had their turn (what comes now would only
 * stand in line behind them), unless they are slow.
 */
static bool shall_poll(struct holt_loop *loop)
{
	if (!loop->ready)
		return true;
	loop->turns++;
	if (loop->owed > 0)
		return loop->now - loop->polled >= 10 * HOLT_MS;
	return loop->turns >= POLL_TURNS || loop->now - loop->polled >= HOLT_MS;
}

void holt__loop_turn(struct holt_loop *loop)
{
	holt_time before = loop->now;
	unsigned fuel, ran;

	loop->now = holt__sys->now();
	/* A turn whose switches were slow gets fewer next time, so that timers and fds are seen often enough. */
	loop->refuel = loop->now - before > HOLT_MS / 4 ? FUEL_MIN : loop->refuel * 2 < FUEL_MAX ? loop->refuel * 2 : FUEL_MAX;
	if (holt__unlikely(loop->later != NULL))
		do_later(loop);
	if (shall_poll(loop))
		poll_sources(loop, !loop->ready && !loop->later);
	holt__wheel_run(&loop->timers, loop->now);
	hear_outside(loop);
	loop->fuel = fuel = loop->pick ? FUEL_MIN : loop->refuel;
	loop->run_ready(loop);
	ran = fuel - loop->fuel + 1;
	loop->owed -= ran < loop->owed ? ran : loop->owed;
}

bool holt__loop_seal(struct holt_loop *loop)
{
	struct holt__call *none = NULL;

	if (atomic_compare_exchange_strong(&loop->calls, &none, &closed) || none == &closed)
		return true;
	make_calls(atomic_exchange(&loop->calls, NULL));
	return false;
}

int holt__loop_post(struct holt_loop *loop, struct holt__call *call)
{
	struct holt__call *top = atomic_load(&loop->calls);

	do {
		if (top == &closed)
			return -ESHUTDOWN;
		call->next = top;
	} while (!atomic_compare_exchange_weak(&loop->calls, &top, call));
	holt__loop_wake(loop);
	return 0;
}

void holt__loop_wake(struct holt_loop *loop)
{
	static const uint64_t one = 1;

	if (!atomic_load(&loop->sleeping))
		return;
	atomic_fetch_add(&loop->wakers, 1);
	if (atomic_exchange(&loop->sleeping, false))
		holt__sys->write(loop->wakefd, &one, sizeof one);
	atomic_fetch_sub(&loop->wakers, 1);
}

holt_loop *holt_loop_ref(holt_loop *loop)
{
	if (loop)
		atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
	return loop;
}

holt_loop *holt_loop_unref(holt_loop *loop)
{
	if (loop && atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) == 1)
		loop->destroy(loop);
	return NULL;
}

void holt_loop_stop(holt_loop *loop, const char *why)
{
	int saved = errno; /* signal handlers call this */
	const char *none = NULL;

	if (!loop)
		return;
	atomic_compare_exchange_strong(&loop->stop_why, &none, why ? why : "stop");
	holt__loop_wake(loop);
	errno = saved;
}

struct posted {
	struct holt__call call;
	void (*fn)(void *arg);
	void *arg;
};

static void make_posted(void *arg)
{
	struct posted *p = arg;
	void (*fn)(void *) = p->fn;

	arg = p->arg;
	holt__free(p);
	fn(arg);
}

int holt_loop_call(holt_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct posted *p;
	int r;

	if (!loop || !fn)
		return -EINVAL;
	p = holt__malloc(sizeof *p);
	if (!p)
		return -ENOMEM;
	*p = (struct posted){ .call = { .fn = make_posted, .arg = p }, .fn = fn, .arg = arg };
	r = holt__loop_post(loop, &p->call);
	if (r < 0)
		holt__free(p);
	return r;
}
