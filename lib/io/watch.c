/* SPDX-License-Identifier: MIT */
/*
 * Watches: an inotify instance for each path, since one instance would make every watch wait for the slowest reader's queue.
 *
 * Events are read many at once into the watch's own buffer, and given out from there. A read that was canceled has taken none, one that
 * returned is in the buffer: so none is lost on the way.
 */
#include <errno.h>

#include <holt/io.h>
#include <holt/watch.h>

#include "task/task.h"

/* Room for many events, of which the largest are 272 bytes. */
enum { ROOM = 4096 };

struct holt_watch {
	int fd;
	bool waiting, ended;
	size_t at, have; /* what of the buffer was not given out yet */
	char buf[ROOM] __attribute__((aligned(__alignof__(struct inotify_event))));
};

int holt_watch_open(holt_watch **ret, const char *path, uint32_t mask)
{
	holt_task *t;
	holt_watch *w;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (!ret || !path || !(mask & IN_ALL_EVENTS))
		return -EINVAL;
	w = holt__malloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	w->waiting = w->ended = false;
	w->at = w->have = 0;
	w->fd = holt__sys->inotify();
	if (w->fd < 0) {
		r = w->fd;
		holt__free(w);
		return r;
	}
	r = holt__sys->inotify_add(w->fd, path, mask);
	if (r < 0) {
		holt_watch_close(w);
		return r;
	}
	*ret = w;
	return 0;
}

static int fill(holt_watch *w)
{
	ssize_t r;

	if (w->waiting)
		return -EBUSY;
	w->waiting = true;
	r = holt_read(w->fd, w->buf, sizeof w->buf);
	w->waiting = false;
	if (r < 0)
		return (int)r;
	w->at = 0;
	w->have = (size_t)r;
	return 0;
}

static int take(holt_watch *w, const struct inotify_event **ret)
{
	const struct inotify_event *e = (const struct inotify_event *)(w->buf + w->at);

	w->at += sizeof *e + e->len;
	if (e->mask & IN_Q_OVERFLOW)
		return -EOVERFLOW;
	if (e->mask & IN_IGNORED) {
		w->ended = true;
		return -ENOENT;
	}
	*ret = e;
	return 0;
}

int holt_watch_next(holt_watch *w, uint32_t *ret_mask, const char **ret_name)
{
	const struct inotify_event *e = NULL;
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (w->ended)
		return -ENOENT;
	if (w->at == w->have) {
		r = fill(w);
		if (r < 0)
			return r;
	}
	r = take(w, &e);
	if (r < 0)
		return r;
	if (ret_mask)
		*ret_mask = e->mask;
	if (ret_name)
		*ret_name = e->len > 0 ? e->name : NULL;
	return 0;
}

holt_watch *holt_watch_close(holt_watch *w)
{
	if (!w)
		return NULL;
	if (w->waiting)
		holt__die("holt_watch_close: a task still waits in the watch; close the group of those who use it first");
	holt_close(w->fd);
	holt__free(w);
	return NULL;
}

void holt_auto_watch(holt_watch **w)
{
	int saved = errno;

	holt_watch_close(*w);
	errno = saved;
}
