/* SPDX-License-Identifier: MIT */
/*
 * The watcher. Epoll's data is a slot's index and its generation: the low half and the high half. A slot is given to the
 * next watch only with another generation, so what epoll still says of the former one is seen to be stale. A
 * slot's generation comes round after 2^32 watches in it, which no event waits for.
 *
 * A lone event costs what holt_wait_fd() costs (poll, two epoll_ctl, the loop's epoll_wait) and one epoll_wait here. While
 * there is more to do the task only yields, which costs no system call, and up to BATCH events cost one epoll_wait.
 */
#include "daemon/watch.h"

#include <errno.h>
#include <string.h>

#include <holt/io.h>
#include <holt/run.h>
#include <holt/scope.h>

#include "base/alloc.h"

enum { BATCH = 64, SLOTS_FIRST = 16 };

struct watch_slot {
	union {
		struct watch *watch;
		uint32_t next_free;
	};
	uint32_t generation;
	uint32_t events; /* free: FREE */
};

#define FREE UINT32_MAX

int watcher_open(struct watcher *w)
{
	holt_time now = holt_now();

	memset(w, 0, sizeof *w);
	w->later_end = &w->later;
	holt__wheel_init(&w->wheel, now);
	w->fd = epoll_create1(EPOLL_CLOEXEC);
	return w->fd < 0 ? -errno : 0;
}

void watcher_close(struct watcher *w)
{
	int saved = errno;

	if (!w || !w->later_end || w->fd < 0)
		return;
	close(w->fd);
	w->fd = -1;
	holt__free(w->slots);
	w->slots = NULL;
	errno = saved;
}

/* ---- watches */

static int grow(struct watcher *w)
{
	uint32_t n = w->n_slots ? w->n_slots * 2 : SLOTS_FIRST, first = w->n_slots ? w->n_slots : 1;
	struct watch_slot *slots;

	if (n > UINT32_MAX / sizeof *slots)
		return -ENOMEM;
	slots = holt__realloc(w->slots, n * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = n; i-- > first;) {
		slots[i] = (struct watch_slot){ .next_free = w->free_slot, .events = FREE };
		w->free_slot = i;
	}
	w->slots = slots;
	w->n_slots = n;
	return 0;
}

int watch_reserve(struct watcher *w, uint32_t n)
{
	int r = 0;

	while (r == 0 && w->n_slots < w->n_watches + 1 + n) /* [0] is nobody's */
		r = grow(w);
	return r;
}

static int control(struct watcher *w, int op, const struct watch *watch, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = watch->slot | (uint64_t)w->slots[watch->slot].generation << 32 };

	return epoll_ctl(w->fd, op, watch->fd, &e) < 0 ? -errno : 0;
}

static void release(struct watcher *w, struct watch *watch)
{
	struct watch_slot *s = &w->slots[watch->slot];

	s->generation++;
	s->events = FREE;
	s->next_free = w->free_slot;
	w->free_slot = watch->slot;
	watch->slot = 0;
	w->n_watches--;
}

int watch_add(struct watcher *w, struct watch *watch, int fd, uint32_t events)
{
	struct watch_slot *s;
	int r;

	if (watch->slot)
		return -EEXIST;
	if (!w->free_slot) {
		r = grow(w);
		if (r < 0)
			return r;
	}
	watch->slot = w->free_slot;
	watch->fd = fd;
	s = &w->slots[watch->slot];
	w->free_slot = s->next_free;
	s->watch = watch;
	s->events = events;
	w->n_watches++;
	r = control(w, EPOLL_CTL_ADD, watch, events);
	if (r < 0)
		release(w, watch);
	return r;
}

int watch_modify(struct watcher *w, struct watch *watch, uint32_t events)
{
	int r;

	if (!watch->slot)
		return -ENOENT;
	if (w->slots[watch->slot].events == events)
		return 0;
	r = control(w, EPOLL_CTL_MOD, watch, events);
	if (r == 0)
		w->slots[watch->slot].events = events;
	return r;
}

void watch_remove(struct watcher *w, struct watch *watch)
{
	int saved = errno;

	if (!watch->slot)
		return;
	control(w, EPOLL_CTL_DEL, watch, 0); /* fails if it was closed before: a mistake, and its events stay harmless */
	release(w, watch);
	errno = saved;
}

void watch_close(struct watcher *w, struct watch *watch)
{
	int saved = errno;

	if (!watch->slot)
		return;
	watch_remove(w, watch);
	close(watch->fd);
	watch->fd = -1;
	errno = saved;
}

/* ---- later */

void watch_later(struct watcher *w, struct watch_later *l)
{
	if (l->queued)
		return;
	l->queued = true;
	l->next = NULL;
	*w->later_end = l;
	w->later_end = &l->next;
}

void watch_not_later(struct watcher *w, struct watch_later *l)
{
	if (!l->queued)
		return;
	for (struct watch_later **at = &w->later; *at; at = &(*at)->next) {
		if (*at != l)
			continue;
		*at = l->next;
		if (w->later_end == &l->next)
			w->later_end = at;
		break;
	}
	l->queued = false;
}

/* Those that are queued by now: who is queued by one of them comes after the mark, in the next round. */
static void run_later(struct watcher *w)
{
	if (!w->later)
		return;
	watch_later(w, &w->mark);
	while (w->later != &w->mark) {
		struct watch_later *l = w->later;

		watch_not_later(w, l);
		l->fire(l);
	}
	watch_not_later(w, &w->mark);
}

/* ---- a round */

static int dispatch(struct watcher *w)
{
	struct epoll_event events[BATCH];
	int n;

	do
		n = epoll_wait(w->fd, events, BATCH, 0);
	while (n < 0 && errno == EINTR);
	for (int i = 0; i < n; i++) {
		uint64_t data = events[i].data.u64;
		const struct watch_slot *s = &w->slots[(uint32_t)data]; /* each time anew: fire may make them grow */

		if (s->generation == data >> 32 && s->events != FREE)
			s->watch->fire(s->watch, events[i].events);
	}
	return n;
}

static int wait_until(struct watcher *w, holt_time at)
{
	struct holt_scope s;
	int r;

	if (at == HOLT_NEVER)
		return holt_wait_fd(w->fd, EPOLLIN);
	holt_scope_begin(&s, at, 0);
	r = holt_wait_fd(w->fd, EPOLLIN);
	r = (int)holt_scope_end(&s, r);
	return r == -ETIME ? 0 : r;
}

int watcher_wait(struct watcher *w)
{
	holt_time now, at;
	int r;

	r = holt_yield(); /* a wait for what is there already would not suspend */
	if (r < 0)
		return r;
	at = holt__wheel_next(&w->wheel);
	if (!w->more && !w->later && at > holt_now()) {
		r = wait_until(w, at);
		if (r < 0)
			return r;
	}
	now = holt_now();
	if (w->time)
		w->time(w, now);
	w->n_events = dispatch(w);
	w->more = w->n_events == BATCH;
	holt__wheel_run(&w->wheel, now);
	run_later(w);
	return 0;
}
