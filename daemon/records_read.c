/* SPDX-License-Identifier: MIT */
/*
 * Reading the records again. See records.h for how, and records.c for what is in a line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/records.h"

enum { WORDS_MAX = 65536 };

/* ---- what is over: pids, and finally commands, in one table */

struct over {
	uint64_t a;
	uint32_t b;
	uint8_t kind; /* 0: never used; else 'g', 'd'; FREED: taken out again, but not the end of a search */
};

enum { FREED = 1 };

struct overs {
	struct over *v;
	size_t room; /* a power of two, more than there are lines */
};

static struct over *over_find(const struct overs *o, uint64_t a, uint32_t b, uint8_t kind)
{
	size_t i = (size_t)((a * 0x9e3779b97f4a7c15u + (uint64_t)b * 0x85ebca6bu + kind) >> 20);

	for (;; i++) {
		struct over *v = &o->v[i & (o->room - 1)];

		if (v->kind == 0 || (v->kind == kind && v->a == a && v->b == b))
			return v;
	}
}

static void over_add(const struct overs *o, uint64_t a, uint32_t b, uint8_t kind)
{
	*over_find(o, a, b, kind) = (struct over){ a, b, kind };
}

/* Whether it was there. */
static bool over_take(const struct overs *o, uint64_t a, uint32_t b, uint8_t kind)
{
	struct over *v = over_find(o, a, b, kind);

	if (v->kind == 0)
		return false;
	v->kind = FREED;
	return true;
}

/* ---- words */

struct words {
	char *p, *end; /* NULL: an error, or nothing more */
	bool bad;
};

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In its place, NUL at its end; false: an escape that is none, a NUL, or what is never written unescaped. */
static bool decode(char *s, const char *end)
{
	char *to = s;

	if (end - s == 1 && *s == '\\')
		s++;
	while (s < end) {
		int a, b;

		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
		if (*s != '\\') {
			*to++ = *s++;
			continue;
		}
		a = end - s < 3 ? -1 : hex(s[1]);
		b = a < 0 ? -1 : hex(s[2]);
		if (b < 0 || (a == 0 && b == 0))
			return false;
		*to++ = (char)(a << 4 | b);
		s += 3;
	}
	*to = 0;
	return true;
}

/* NULL: there is none, and the line is bad. */
static const char *word(struct words *w)
{
	char *s = w->p, *end;

	if (w->bad || !s) {
		w->bad = true;
		return NULL;
	}
	end = memchr(s, ' ', (size_t)(w->end - s));
	w->p = end ? end + 1 : NULL;
	end = end ? end : w->end;
	if (end == s || !decode(s, end)) {
		w->bad = true;
		return NULL;
	}
	return s;
}

static uint64_t number(struct words *w, uint64_t max)
{
	const char *s = word(w);
	unsigned long long v = 0;
	char *end;

	if (!s)
		return 0;
	errno = 0;
	if (*s >= '0' && *s <= '9')
		v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || v > max)
		w->bad = true;
	return w->bad ? 0 : v;
}

static const char *const *words(struct words *w, const char ***pool)
{
	const char **v = *pool;
	uint64_t n = number(w, WORDS_MAX);

	for (uint64_t i = 0; i < n && !w->bad; i++)
		v[i] = word(w);
	if (w->bad)
		return NULL;
	v[n] = NULL;
	*pool += n + 1;
	return v;
}

static bool whole(const struct words *w)
{
	return !w->bad && !w->p;
}

/* ---- lines */

struct reading {
	struct recorded *r;
	struct overs over;
	struct recorded_process *processes; /* the next one goes in front of these */
	struct recorded_finally *finally;
	const char **pool;
};

static bool read_process(struct reading *d, struct words *w)
{
	struct recorded_process p = { .pid = (pid_t)number(w, INT32_MAX) };
	const char *id;

	p.start = number(w, UINT64_MAX);
	id = word(w);
	p.node = word(w);
	p.cgroup = word(w);
	if (!whole(w) || p.pid < 1 || !invocation_parse(&p.id, id, strlen(id)))
		return false;
	if (!strcmp(p.cgroup, "-"))
		p.cgroup = NULL;
	else if (p.cgroup[0] != '/')
		return false;
	if (!over_take(&d->over, (uint64_t)p.pid, 0, 'g'))
		*--d->processes = p;
	return true;
}

static bool read_gone(struct reading *d, struct words *w)
{
	uint64_t pid = number(w, INT32_MAX);

	if (!whole(w) || pid < 1)
		return false;
	over_add(&d->over, pid, 0, 'g');
	return true;
}

static bool read_finally(struct reading *d, struct words *w)
{
	struct recorded_finally f = { .activation = number(w, UINT64_MAX) };

	f.index = (unsigned)number(w, UINT32_MAX);
	f.timeout = number(w, UINT64_MAX);
	f.node = word(w);
	f.argv = words(w, &d->pool);
	f.env = words(w, &d->pool);
	if (!whole(w) || !f.argv[0])
		return false;
	if (!over_take(&d->over, f.activation, f.index, 'd'))
		*--d->finally = f;
	return true;
}

static bool read_done(struct reading *d, struct words *w)
{
	uint64_t activation = number(w, UINT64_MAX);
	uint64_t index = number(w, UINT32_MAX);

	if (!whole(w))
		return false;
	over_add(&d->over, activation, (uint32_t)index, 'd');
	return true;
}

static bool read_line(struct reading *d, char *s, char *end)
{
	struct words w = { .p = s + 2, .end = end };

	if (end - s < 3 || s[1] != ' ')
		return false;
	switch (s[0]) {
	case 'p':
		return read_process(d, &w);
	case 'g':
		return read_gone(d, &w);
	case 'a':
		return read_finally(d, &w);
	case 'd':
		return read_done(d, &w);
	default:
		return false;
	}
}

/* From the last newline on, what is behind it is no line. An empty one is what a torn one was closed by, or is of no account. */
static void read_lines(struct reading *d, char *text, char *end)
{
	char *stop = memrchr(text, '\n', (size_t)(end - text));

	if (end > text && stop != end - 1)
		d->r->bad++;
	while (stop) {
		char *before = memrchr(text, '\n', (size_t)(stop - text)), *s = before ? before + 1 : text;

		if (s < stop && !read_line(d, s, stop))
			d->r->bad++;
		stop = before;
	}
}

/* ---- all of it */

struct sizes {
	size_t lines, processes, finally, blanks;
};

static struct sizes count(const char *text, size_t n)
{
	struct sizes c = { 0 };

	for (size_t i = 0; i < n; i++) {
		c.blanks += text[i] == ' ';
		c.lines += text[i] == '\n';
		c.processes += text[i] == 'p' && (i == 0 || text[i - 1] == '\n');
		c.finally += text[i] == 'a' && (i == 0 || text[i - 1] == '\n');
	}
	return c;
}

int records_parse(struct recorded *ret, char *text, size_t n)
{
	struct sizes c = count(text, n);
	struct reading d = { .r = ret, .over.room = 16 };

	*ret = (struct recorded){ .bad = 0 };
	while (d.over.room < 2 * c.lines)
		d.over.room *= 2;
	d.over.v = holt__calloc(d.over.room, sizeof *d.over.v);
	ret->memory[1] = d.pool = holt__malloc((c.blanks + 2 * c.finally + 1) * sizeof *d.pool);
	ret->memory[2] = holt__malloc((c.processes + 1) * sizeof *d.processes);
	ret->memory[3] = holt__malloc((c.finally + 1) * sizeof *d.finally);
	if (!d.over.v || !d.pool || !ret->memory[2] || !ret->memory[3]) {
		holt__free(d.over.v);
		recorded_free(ret);
		return -ENOMEM;
	}
	d.processes = (struct recorded_process *)ret->memory[2] + c.processes;
	d.finally = (struct recorded_finally *)ret->memory[3] + c.finally;
	read_lines(&d, text, text + n);
	holt__free(d.over.v);
	ret->processes = d.processes;
	ret->n_processes = (size_t)((struct recorded_process *)ret->memory[2] + c.processes - d.processes);
	ret->finally = d.finally;
	ret->n_finally = (size_t)((struct recorded_finally *)ret->memory[3] + c.finally - d.finally);
	return 0;
}

void recorded_free(struct recorded *r)
{
	for (size_t i = 0; i < HOLT__N(r->memory); i++)
		holt__free(r->memory[i]);
	*r = (struct recorded){ .bad = 0 };
}

int state_read(struct state *s, struct recorded *ret)
{
	size_t n = 0, size = (size_t)s->size;
	ssize_t k = 1;
	char *text = holt__malloc(size + 1), *first;
	int r;

	if (!text)
		return -ENOMEM;
	while (n < size && (k = pread(s->records, text + n, size - n, (off_t)n)) > 0)
		n += (size_t)k;
	if (k < 0) {
		r = -errno;
		holt__free(text);
		return r;
	}
	first = memchr(text, '\n', n);
	first = first ? first + 1 : text + n;
	r = records_parse(ret, first, n - (size_t)(first - text));
	if (r < 0) {
		holt__free(text);
		return r;
	}
	ret->memory[0] = text;
	ret->other_boot = s->other_boot;
	ret->other_pids = s->other_pids;
	if (s->other_pids)
		ret->n_processes = 0;
	return 0;
}

uint64_t state_start_time(const char *stat, size_t n)
{
	const char *p = memrchr(stat, ')', n),
		   *end = stat + n; /* the name before it may be anything, what comes after are numbers */
	unsigned long long v = 0;

	for (int field = 2; p && field < 22; field++) {
		p = memchr(p, ' ', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return 0;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (unsigned)(*p - '0');
	return p < end && *p == ' ' ? v : 0;
}
