/* SPDX-License-Identifier: MIT */
/*
 * Writing the records. A line is words apart by one blank:
 *
 *	holt-records 1 BOOT PID-NAMESPACE                           the first line
 *	p PID START ID NODE CGROUP|-                                a process was started
 *	g PID                                                       it is gone
 *	a ACTIVATION INDEX TIMEOUT NODE n WORD... m NAME=VALUE...   a finally command is owed
 *	d ACTIVATION INDEX                                          it is done
 *
 * In a word a blank, a backslash and what is no visible character of ASCII is \xx; a word that is empty is a lone backslash. So
 * a line has a newline at its end only, and one that was cut off cannot be taken for a whole one.
 */
#include "daemon/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

enum { LINE_MAX_SIZE = 1 << 20, FILE_MAX = 64 << 20, SHORT = 64 * 1024, GROWN = 4 };

/* ---- a line */

struct line {
	char *p;
	size_t n, room;
	bool failed;
	char here[1000];
};

static void line_init(struct line *l)
{
	l->p = l->here;
	l->n = 0;
	l->room = sizeof l->here;
	l->failed = false;
}

static void line_free(struct line *l)
{
	if (l->p != l->here)
		holt__free(l->p);
}

static void line_grow(struct line *l, size_t n)
{
	size_t room = l->room;
	char *more;

	while (room < l->n + n)
		room *= 2;
	more = l->p == l->here ? holt__malloc(room) : holt__realloc(l->p, room);
	if (!more) {
		l->failed = true;
		return;
	}
	if (l->p == l->here)
		memcpy(more, l->here, l->n);
	l->p = more;
	l->room = room;
}

static void add(struct line *l, const char *s, size_t n)
{
	if (l->n + n > l->room && !l->failed)
		line_grow(l, n);
	if (l->failed)
		return;
	memcpy(l->p + l->n, s, n);
	l->n += n;
}

static void add_word(struct line *l, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	add(l, " ", 1);
	if (!*s)
		add(l, "\\", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char escaped[3] = { '\\', hex[c >> 4], hex[c & 15] };

		if (c <= ' ' || c >= 0x7f || c == '\\')
			add(l, escaped, sizeof escaped);
		else
			add(l, s, 1);
	}
}

static void add_number(struct line *l, uint64_t v)
{
	char digits[24];

	add(l, digits, (size_t)snprintf(digits, sizeof digits, " %llu", (unsigned long long)v));
}

static void add_words(struct line *l, const char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	add_number(l, n);
	for (size_t i = 0; i < n; i++)
		add_word(l, v[i]);
}

static void add_header(struct line *l, const struct state *s)
{
	add(l, "holt-records 1", 14);
	add_word(l, s->boot);
	add_number(l, s->pid_namespace);
	add(l, "\n", 1);
}

static void add_process(struct line *l, const struct recorded_process *p)
{
	char id[INVOCATION_DIGITS + 1];

	invocation_text(&p->id, id);
	add(l, "p", 1);
	add_number(l, (uint64_t)p->pid);
	add_number(l, p->start);
	add_word(l, id);
	add_word(l, p->node);
	add_word(l, p->cgroup ? p->cgroup : "-");
	add(l, "\n", 1);
}

static void add_finally(struct line *l, const struct recorded_finally *f)
{
	add(l, "a", 1);
	add_number(l, f->activation);
	add_number(l, f->index);
	add_number(l, f->timeout);
	add_word(l, f->node);
	add_words(l, f->argv);
	add_words(l, f->env);
	add(l, "\n", 1);
}

/* ---- the file */

/* All or nothing: of a part, only the beginning of a line could be left, which is told by its missing end. */
static int append(struct state *s, const char *text, size_t n)
{
	ssize_t k = write(s->records, text, n);
	int r = k < 0 ? -errno : -ENOSPC;

	if (k == (ssize_t)n) {
		s->size += n;
		s->torn = false;
		return 0;
	}
	if (k > 0 && ftruncate(s->records, (off_t)s->size) < 0) {
		s->size += (size_t)k;
		s->torn = true;
	}
	return r;
}

static void make_short(struct state *s)
{
	struct recorded r;

	if (s->size < SHORT || s->size < GROWN * s->compacted)
		return;
	s->compacted = s->size; /* if it cannot be: again when it has grown as much again */
	if (state_read(s, &r) < 0)
		return;
	(void)state_rewrite(s, &r);
	recorded_free(&r);
}

static int line_begin(struct line *l, const struct state *s)
{
	if (s->records < 0)
		return -EBADF;
	line_init(l);
	if (s->torn)
		add(l, "\n", 1);
	return 0;
}

static int line_end(struct line *l, struct state *s)
{
	int r = l->failed ? -ENOMEM : l->n > LINE_MAX_SIZE ? -E2BIG : append(s, l->p, l->n);

	line_free(l);
	if (r == 0)
		make_short(s);
	return r;
}

/* ---- what happens */

static uint64_t start_of(const struct state *s, pid_t pid)
{
	char path[32], text[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%d/stat", (int)pid);
	fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text);
	close(fd);
	return n > 0 ? state_start_time(text, (size_t)n) : 0;
}

int state_process(struct state *s, const char *node, pid_t pid, const struct invocation *id, const char *cgroup)
{
	struct recorded_process p = { .node = node, .pid = pid, .start = start_of(s, pid), .id = *id, .cgroup = cgroup };
	struct line l;
	int r = line_begin(&l, s);

	if (r < 0)
		return r;
	add_process(&l, &p);
	return line_end(&l, s);
}

int state_gone(struct state *s, pid_t pid)
{
	struct line l;
	int r = line_begin(&l, s);

	if (r < 0)
		return r;
	add(&l, "g", 1);
	add_number(&l, (uint64_t)pid);
	add(&l, "\n", 1);
	return line_end(&l, s);
}

int state_armed(struct state *s, const char *node, uint64_t activation, unsigned index, const char *const *argv,
	const char *const *env, holt_time timeout)
{
	struct recorded_finally f = {
		.node = node, .activation = activation, .index = index, .timeout = timeout, .argv = argv, .env = env
	};
	struct line l;
	int r = argv && argv[0] ? line_begin(&l, s) : -EINVAL;

	if (r < 0)
		return r;
	add_finally(&l, &f);
	return line_end(&l, s);
}

int state_done(struct state *s, uint64_t activation, unsigned index)
{
	struct line l;
	int r = line_begin(&l, s);

	if (r < 0)
		return r;
	add(&l, "d", 1);
	add_number(&l, activation);
	add_number(&l, index);
	add(&l, "\n", 1);
	return line_end(&l, s);
}

/* ---- the file anew */

static int replace(struct state *s, const char *text, size_t n)
{
	int fd = openat(s->fd, "records.new", O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), r = 0;
	ssize_t k;

	if (fd < 0)
		return -errno;
	k = write(fd, text, n);
	if (k != (ssize_t)n)
		r = k < 0 ? -errno : -ENOSPC;
	else if (renameat(s->fd, "records.new", s->fd, "records") < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		(void)unlinkat(s->fd, "records.new", 0);
		return r;
	}
	if (s->records >= 0)
		close(s->records);
	s->records = fd;
	s->size = s->compacted = n;
	s->torn = s->other_pids = false;
	return 0;
}

int state_rewrite(struct state *s, const struct recorded *r)
{
	struct line l;
	int e;

	line_init(&l);
	add_header(&l, s);
	for (size_t i = 0; i < r->n_processes; i++)
		add_process(&l, &r->processes[i]);
	for (size_t i = 0; i < r->n_finally; i++)
		add_finally(&l, &r->finally[i]);
	e = l.failed ? -ENOMEM : replace(s, l.p, l.n);
	line_free(&l);
	return e;
}

/* ---- opening */

static int look_at_header(struct state *s, size_t size)
{
	char text[120], boot[40] = "", last;
	unsigned long long space = 0;
	ssize_t n = pread(s->records, text, sizeof text - 1, 0);
	int version = 0;

	if (n < 0)
		return -errno;
	text[n] = 0;
	if (!memchr(text, '\n', (size_t)n) || sscanf(text, "holt-records %d %39s %llu", &version, boot, &space) != 3 ||
		version != 1)
		return -EBADMSG;
	if (strcmp(boot, s->boot) != 0)
		return -ESTALE;
	s->other_pids = space != s->pid_namespace;
	if (pread(s->records, &last, 1, (off_t)size - 1) != 1)
		return errno ? -errno : -EIO;
	s->torn = last != '\n';
	return 0;
}

int records_open(struct state *s, struct holt__text *why)
{
	static const struct recorded nothing;
	struct stat st;
	int r;

	s->records = state_open_file(s, "records", why);
	if (s->records < 0)
		return s->records;
	if (fstat(s->records, &st) < 0)
		return -errno;
	if (st.st_size > FILE_MAX) {
		holt__text_add(why, s->path);
		holt__text_add(why, "/records: is not what it should be");
		return -EFBIG;
	}
	s->size = s->compacted = (uint64_t)st.st_size;
	r = st.st_size ? look_at_header(s, (size_t)st.st_size) : -ENODATA;
	if (r == 0)
		return 0;
	s->other_boot = r == -ESTALE;
	r = r == -ESTALE || r == -EBADMSG || r == -ENODATA ? state_rewrite(s, &nothing) : r;
	if (r < 0) {
		holt__text_add(why, s->path);
		holt__text_add(why, "/records: ");
		holt__text_add(why, strerror(-r));
	}
	return r;
}
