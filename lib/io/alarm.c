/* SPDX-License-Identifier: MIT */
/*
 * Alarms by the wall clock.
 *
 * They wait on the loop's own timers, for the span that is left: both clocks run at the same pace, so that is right as long as
 * nobody sets the wall clock. That is told by a descriptor, one for all alarms of a loop: it wakes all of
 * them, and each looks at the clock and the calendar anew. What wakes an alarm says nothing by itself: the clock does.
 */
#include <errno.h>

#include <holt/time.h>

#include "io/fd.h"

struct holt__io_wall {
	struct holt__source source;
	bool armed; /* the kernel will tell of the next change */
	struct holt_waiters waiters;
};

static void was_set(struct holt__source *s, uint32_t events)
{
	struct holt__io_wall *wall = holt__container(s, struct holt__io_wall, source);
	char buf[8];
	ssize_t r = holt__sys->read(s->fd, buf, sizeof buf);

	(void)events;
	if (r == -EAGAIN || r == -EINTR)
		return; /* if there is something, it is told again */
	wall->armed = false;
	holt__wake_all(&wall->waiters, 0);
}

void holt__io_wall_free(struct holt_loop *loop)
{
	struct holt__io_wall *wall = loop->ios->wall;

	if (!wall)
		return;
	holt__loop_detach(loop, &wall->source);
	holt__sys->close(wall->source.fd);
	holt__free(wall);
	loop->ios->wall = NULL;
}

static int open_wall(struct holt_loop *loop, struct holt__io_wall **ret)
{
	struct holt__io_wall *wall = holt__calloc(1, sizeof *wall);
	int fd, r;

	if (!wall)
		return -ENOMEM;
	fd = holt__sys->wall_watch(-1);
	if (fd < 0) {
		holt__free(wall);
		return fd;
	}
	wall->armed = true;
	wall->source.fire = was_set;
	r = holt__loop_attach(loop, &wall->source, fd, EPOLLIN);
	if (r < 0) {
		holt__sys->close(fd);
		holt__free(wall);
		return r;
	}
	*ret = wall;
	return 0;
}

/* From now on no change goes unseen. */
static int arm(struct holt_loop *loop, struct holt__io_wall **ret)
{
	struct holt__ios *ios = holt__ios(loop);
	int r = 0;

	if (!ios)
		return -ENOMEM;
	if (!ios->wall)
		r = open_wall(loop, &ios->wall);
	else if (!ios->wall->armed)
		r = holt__sys->wall_watch(ios->wall->source.fd);
	if (r < 0)
		return r;
	ios->wall->armed = true;
	*ret = ios->wall;
	return 0;
}

int holt_alarm(const char *calendar)
{
	struct holt__waiter w = { .next = NULL };
	struct holt__io_wall *wall = NULL;
	int64_t now, at;
	holt_task *t;
	int r;

	do {
		r = holt__enter(&t);
		if (r < 0)
			return r;
		r = arm(t->loop, &wall);
		if (r < 0)
			return r;
		now = holt__sys->wall_now();
		r = holt_calendar_next(calendar, now, &at);
		if (r < 0)
			return r;
		w.task = t;
		holt__waiters_add(&wall->waiters, &w);
		t->waiter = &w;
		t->n_waiters = 1;
		/* the monotonic clock is read after the other one: rather late than early */
		r = holt__pause_until(t, holt__time_add(holt__fresh_now(), (holt_time)(at - now) * HOLT_US), "alarm", calendar);
		if (r < 0)
			return r;
	} while (holt__sys->wall_now() < at);
	return 0;
}
