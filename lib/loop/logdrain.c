/* SPDX-License-Identifier: MIT */
/*
 * The socket is watched edge-triggered, and only while lines wait: an edge comes each time the journal has made
 * room, none while it stands still, so a journal that is gone or out of memory makes no loop spin.
 *
 * Every loop that is about to sleep while lines wait watches; that is harmless, as draining is done under
 * the log's lock. A line of a thread without a loop wakes one loop, which then watches.
 */
#include "loop/logdrain.h"

#include "base/alloc.h"
#include "sys/log.h"

struct holt__logdrain {
	struct holt_loop *loop;
	struct holt__source source;
	struct holt__log_waker waker;
};

static void wake(struct holt__log_waker *w)
{
	holt__loop_wake(holt__container(w, struct holt__logdrain, waker)->loop);
}

static bool watches(struct holt__logdrain *d)
{
	return holt__loop_source(d->loop, d->source.fd) == &d->source;
}

static void on_writable(struct holt__source *s, uint32_t events)
{
	struct holt__logdrain *d = holt__container(s, struct holt__logdrain, source);

	(void)events;
	holt__log_drain();
	if (!holt__log_pending())
		holt__loop_detach(d->loop, s);
}

struct holt__logdrain *holt__logdrain_open(struct holt_loop *loop)
{
	struct holt__logdrain *d = holt__calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->loop = loop;
	d->source.fd = -1;
	d->source.fire = on_writable;
	d->waker.wake = wake;
	holt__log_add_waker(&d->waker);
	return d;
}

static HOLT__COLD void watch(struct holt__logdrain *d)
{
	int fd = holt__log_pending_fd();

	if (watches(d)) {
		if (d->source.fd == fd)
			return;
		holt__loop_detach(d->loop, &d->source);
	}
	if (fd < 0 || holt__loop_attach(d->loop, &d->source, fd, EPOLLOUT | EPOLLET) < 0)
		holt__log_drain(); /* once in a turn is better than nothing */
}

void holt__logdrain_look(struct holt__logdrain *d)
{
	if (d && holt__unlikely(holt__log_pending()))
		watch(d);
}

void holt__logdrain_close(struct holt__logdrain *d)
{
	if (!d)
		return;
	holt__log_remove_waker(&d->waker);
	holt__loop_detach(d->loop, &d->source);
	holt__log_drain();
	holt__free(d);
}
