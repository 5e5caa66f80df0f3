/* SPDX-License-Identifier: MIT */
/*
 * The threads. Each has a copy of both descriptors of its own, so it does not matter to it when we close ours; its answer is
 * the pointer to its record, which is ours again then. All signals are blocked in it.
 */
#include "daemon/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/base.h"

enum { STACK = 64 * 1024 };

struct question {
	int proc, out;
	pid_t pid;
	uint32_t cookie;
	int r;
	struct invocation id;
	bool answered;
};

static void *run(void *arg)
{
	struct question *q = arg;
	int out = q->out;

	q->r = invocation_read(q->proc, q->pid, &q->id);
	close(q->proc);
	__atomic_store_n(&q->answered, true, __ATOMIC_RELEASE); /* the pipe orders it already, but not for who checks that */
	(void)!write(out, &q, sizeof q); /* a few of them always fit; fails when nobody is there any more */
	close(out);
	return NULL;
}

static void answered(struct watch *watch, uint32_t events)
{
	struct lookup *l = holt__container(watch, struct lookup, watch);
	struct question *q;

	(void)events;
	while (read(watch->fd, &q, sizeof q) == sizeof q) {
		struct question copy;

		(void)__atomic_load_n(&q->answered, __ATOMIC_ACQUIRE);
		copy = *q;
		holt__free(q);
		l->running--;
		l->answer(l, copy.pid, copy.cookie, copy.r, &copy.id);
	}
}

static int open_pipe(struct lookup *l)
{
	int p[2], r;

	if (watch_added(&l->watch))
		return 0;
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	l->watch.fire = answered;
	r = watch_add(l->watcher, &l->watch, p[0], EPOLLIN);
	if (r < 0) {
		close(p[0]);
		close(p[1]);
		return r;
	}
	l->out = p[1];
	return 0;
}

static int start_thread(struct question *q)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, run, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

int lookup_start(struct lookup *l, pid_t pid, uint32_t cookie)
{
	struct question *q;
	int r;

	if (l->running == LOOKUPS)
		return -EBUSY;
	r = open_pipe(l);
	if (r < 0)
		return r;
	q = holt__calloc(1, sizeof *q);
	if (!q)
		return -ENOMEM;
	*q = (struct question){ .pid = pid, .cookie = cookie };
	q->proc = fcntl(l->proc, F_DUPFD_CLOEXEC, 3);
	q->out = fcntl(l->out, F_DUPFD_CLOEXEC, 3);
	r = q->proc < 0 || q->out < 0 ? -EMFILE : start_thread(q);
	if (r == 0) {
		l->running++;
		return 0;
	}
	if (q->proc >= 0)
		close(q->proc);
	if (q->out >= 0)
		close(q->out);
	holt__free(q);
	return r;
}

void lookup_close(struct lookup *l)
{
	struct question *q;

	if (!watch_added(&l->watch))
		return;
	while (read(l->watch.fd, &q, sizeof q) == sizeof q)
		holt__free(q);
	watch_close(l->watcher, &l->watch);
	close(l->out);
}
