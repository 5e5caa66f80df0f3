/* SPDX-License-Identifier: MIT */
/*
 * What is left at the end: memory that the library took, descriptors of the process; each with who took it.
 *
 * Memory is known by a table of addresses beside it, and no header in front, for some of it is handed to programs that
 * give it back by free(). Descriptors are those that /proc/self/fd has at the end and had not in the beginning.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/sim.h"
#include "sys/journal.h"

/* ---- memory */

enum { BUCKETS = 4096 };

struct block {
	struct block *next;
	void *p;
	size_t size;
	uint64_t n; /* the n-th allocation */
	char who[HOLT__SIM_WHO];
};

static struct block *blocks[BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* what the run has allocated, another thread may free */
static const struct holt__alloc *below;

static struct block **bucket(const void *p)
{
	return &blocks[((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15 >> 52];
}

static bool shall_fail(void)
{
	return holt__sim_here() && ++holt__sim->report.allocations == holt__sim->o.fail_alloc_at;
}

static void *keep(void *p, size_t size)
{
	struct block *b;

	if (!p || !holt__sim_here())
		return p;
	b = holt__alloc_libc.calloc(1, sizeof *b);
	if (!b)
		return p; /* not looked after */
	b->p = p;
	b->size = size;
	b->n = holt__sim->report.allocations;
	holt__sim_who(b->who);
	pthread_mutex_lock(&mutex);
	b->next = *bucket(p);
	*bucket(p) = b;
	pthread_mutex_unlock(&mutex);
	return p;
}

static void forget(const void *p)
{
	struct block *found = NULL;

	pthread_mutex_lock(&mutex);
	for (struct block **b = bucket(p); *b; b = &(*b)->next) {
		if ((*b)->p != p)
			continue;
		found = *b;
		*b = found->next;
		break;
	}
	pthread_mutex_unlock(&mutex);
	holt__alloc_libc.free(found);
}

static void *sim_malloc(size_t size)
{
	return shall_fail() ? NULL : keep(below->malloc(size), size);
}

static void *sim_calloc(size_t n, size_t size)
{
	return shall_fail() ? NULL : keep(below->calloc(n, size), n * size);
}

static void *sim_realloc(void *p, size_t size)
{
	void *new = shall_fail() ? NULL : below->realloc(p, size);

	if (new &&p)
		forget(p);
	return keep(new, size);
}

static void sim_free(void *p)
{
	if (p)
		forget(p);
	below->free(p);
}

static const struct holt__alloc simulated = { sim_malloc, sim_calloc, sim_realloc, sim_free };

static void look_for_memory(struct holt__sim *s)
{
	size_t n = 0, bytes = 0;
	struct block *first = NULL;
	struct holt__text *text;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct block *b = blocks[i]; b; b = b->next) {
			n++;
			bytes += b->size;
			if (!first || b->n < first->n)
				first = b;
		}
	}
	if (n == 0)
		return;
	text = holt__sim_problem(s, -EUCLEAN);
	if (!text)
		return;
	holt__text_add(text, "memory: ");
	holt__text_uint(text, first->size);
	holt__text_add(text, " bytes, allocation ");
	holt__text_uint(text, first->n);
	holt__text_add(text, ", by ");
	holt__text_add(text, first->who);
	holt__text_add(text, ", were not given back");
	if (n == 1)
		return;
	holt__text_add(text, "; in all ");
	holt__text_uint(text, n);
	holt__text_add(text, " allocations, ");
	holt__text_uint(text, bytes);
	holt__text_add(text, " bytes");
}

static void forget_memory(void)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (blocks[i]) {
			struct block *b = blocks[i];

			blocks[i] = b->next;
			holt__alloc_libc.free(b);
		}
	}
}

/* ---- descriptors */

struct fd {
	bool before, now;
	dev_t dev; /* what it was before: the number may be another file's by now */
	ino_t ino;
	char who[HOLT__SIM_WHO]; /* empty: not known */
};

static struct fd *fds;
static size_t n_fds;

static struct fd *fd_of(int fd)
{
	size_t n = n_fds ? n_fds : 64;
	struct fd *more;

	if (fd < 0)
		return NULL;
	while (n <= (size_t)fd)
		n *= 2;
	if (n > n_fds) {
		more = holt__alloc_libc.realloc(fds, n * sizeof *more);
		if (!more)
			return NULL;
		memset(more + n_fds, 0, (n - n_fds) * sizeof *more);
		fds = more;
		n_fds = n;
	}
	return &fds[fd];
}

/* The number is known from before, and the file is another one: it counts as new. */
static void look_at_file(struct fd *f, int fd)
{
	struct stat st;

	if (holt__sys_linux.fstat(fd, &st) < 0)
		return;
	if (!f->now || !f->before) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	} else if (f->dev != st.st_dev || f->ino != st.st_ino) {
		f->before = false;
	}
}

static void look_at_fds(bool before)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		int fd = e->d_name[0] == '.' ? -1 : atoi(e->d_name);
		struct fd *f = fd == dirfd(d) ? NULL : fd_of(fd);

		if (f && before)
			f->before = true;
		else if (f)
			f->now = fd != holt__journal_fd(); /* the process keeps that */
		if (f)
			look_at_file(f, fd);
	}
	closedir(d);
}

void holt__sim_fd_made(int fd)
{
	struct fd *f = holt__sim_here() ? fd_of(fd) : NULL;

	if (f && !f->before)
		holt__sim_who(f->who);
}

void holt__sim_fd_closed(int fd)
{
	if ((size_t)(unsigned)fd < n_fds)
		fds[fd].who[0] = 0;
}

static void tell_fd(struct holt__sim *s, int fd, const struct fd *f)
{
	char path[32], is[96];
	struct holt__text *text = holt__sim_problem(s, -EUCLEAN);
	ssize_t n;

	if (!text)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, is, sizeof is - 1);
	is[n > 0 ? n : 0] = 0;
	holt__text_add(text, "descriptor ");
	holt__text_int(text, fd);
	holt__text_add(text, " (");
	holt__text_add(text, is);
	holt__text_add(text, "), ");
	holt__text_add(text, f->who[0] ? "by " : "not made by holt");
	holt__text_add(text, f->who);
	holt__text_add(text, ", was not closed");
}

static void look_for_fds(struct holt__sim *s)
{
	look_at_fds(false);
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i].now && !fds[i].before)
			tell_fd(s, (int)i, &fds[i]);
}

/* ---- begin and end */

void holt__sim_leaks_begin(void)
{
	look_at_fds(true);
	below = holt__alloc;
	holt__alloc = &simulated;
	holt__kept = forget;
}

void holt__sim_leaks_end(struct holt__sim *s)
{
	holt__alloc = below;
	holt__kept = NULL;
	look_for_fds(s);
	look_for_memory(s);
	forget_memory();
	holt__alloc_libc.free(fds);
	fds = NULL;
	n_fds = 0;
}
