/* SPDX-License-Identifier: MIT */
/*
 * Streams and their lines; the sinks are in lines_journal.c, lines_console.c and lines_files.c.
 *
 * What a stream has kept is put in front of what is read next, in the one buffer, so a line is always looked at in one piece.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <holt/run.h>

#include "base/alloc.h"
#include "base/text.h"
#include "daemon/lines_parts.h"

/* ---- pure */

size_t lines_prefix(const char *s, size_t n, int *priority)
{
	if (n < 3 || s[0] != '<' || s[1] < '0' || s[1] > '7' || s[2] != '>')
		return 0;
	*priority = s[1] - '0';
	return 3;
}

size_t lines_cut(const char *s, size_t max)
{
	size_t n = max;

	while (n > 0 && max - n < 3 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n == 0 || ((unsigned char)s[n] & 0xc0) == 0x80 ? max : n;
}

holt_time lines_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (holt_time)t.tv_sec * HOLT_SEC + (holt_time)t.tv_nsec;
}

/* ---- to the sink */

static int sink(struct lines *l, const struct lines_from *f, const char *s, size_t n)
{
	int r;

	if (l->target == LOG_TO_FILES) {
		logfiles_write(&l->files, f->node, s, n);
		return 0;
	}
	if (l->target == LOG_TO_JOURNAL) {
		if (n == 0) /* as systemd: an entry without a text tells nothing */
			return 0;
		r = l->waiting && !l->resuming ? -EAGAIN : journal_write(&l->journal, l->tree, f, s, n);
		if (r == 0 || r == -EAGAIN)
			return r;
	}
	console_write(&l->console, f->priority, f->node->path, s, n);
	return 0;
}

/* ---- the rate */

static int tell_dropped(struct lines_node *n)
{
	struct lines_from f = { .node = n, .priority = LOG_WARNING };
	char text[160];
	struct holt__text t = HOLT__TEXT(text);
	int r;

	if (!n->dropped)
		return 0;
	holt__text_uint(&t, n->dropped);
	holt__text_add(&t, n->dropped == 1 ? " line was dropped: more than " : " lines were dropped: more than ");
	holt__text_uint(&t, n->burst);
	holt__text_add(&t, " in ");
	holt__text_span(&t, n->interval);
	r = sink(n->lines, &f, text, t.len);
	if (r == 0)
		n->dropped = 0;
	return r;
}

static bool over(const struct lines_node *n, holt_time now)
{
	return !n->since || now - n->since >= n->interval;
}

/* Those who dropped something, and are silent since. */
static void tell_all(struct holt__timer *t)
{
	struct lines *l = holt__container(t, struct lines, tell);
	holt_time now = holt_now(), next = HOLT_NEVER;

	for (struct lines_node *n = l->nodes; n; n = n->next) {
		if (n->dropped && over(n, now) && tell_dropped(n) < 0)
			next = holt__time_min(next, holt__time_add(now, HOLT_SEC));
		else if (n->dropped)
			next = holt__time_min(next, holt__time_add(n->since, n->interval));
	}
	if (l->target == LOG_TO_FILES)
		logfiles_flush(&l->files);
	watch_timer(l->watcher, t, next);
}

static void drop(struct lines_node *n)
{
	struct lines *l = n->lines;
	holt_time at = holt__time_add(n->since, n->interval);

	n->dropped++;
	if (!holt__timer_started(&l->tell) || l->tell.at > at)
		watch_timer(l->watcher, &l->tell, at);
}

/* 1: it may go; 0: it is dropped; -EAGAIN. */
static int allow(struct lines_node *n)
{
	holt_time now;
	int r;

	if (!n->interval || !n->burst)
		return 1;
	now = holt_now();
	if (over(n, now)) {
		r = tell_dropped(n);
		if (r < 0)
			return r;
		n->since = now;
		n->n = 0;
	}
	if (n->n < n->burst)
		return 1;
	drop(n);
	return 0;
}

/* ---- lines */

static int hand_on(struct lines_stream *s, const char *line, size_t n)
{
	struct lines_from f = { .node = s->node, .id = &s->id, .pid = s->pid, .priority = s->priority };
	size_t skip = 0;
	int r;

	if (s->continued)
		f.priority = s->line_priority;
	else
		skip = lines_prefix(line, n, &f.priority);
	r = allow(s->node);
	if (r < 0)
		return r;
	if (r > 0) {
		r = sink(s->node->lines, &f, line + skip, n - skip);
		if (r < 0)
			return r;
		s->node->n++;
	}
	s->line_priority = (uint8_t)f.priority;
	return 0;
}

/* The first line's end in the first n bytes: a newline or a NUL. */
static const char *find_end(const char *s, size_t n)
{
	const char *end = memchr(s, '\n', n), *nul = memchr(s, 0, end ? (size_t)(end - s) : n);

	return nul ? nul : end;
}

static size_t without_return(const char *s, size_t n)
{
	return n > 0 && s[n - 1] == '\r' ? n - 1 : n;
}

/* Hands on what there is of whole lines, at the end also what has no end. Returns how much of it is done with. */
static size_t take_lines(struct lines_stream *s, const char *p, size_t n, bool *blocked)
{
	bool last = s->eof;
	size_t done = 0;

	*blocked = false;
	while (done < n) {
		size_t max = s->node->line_max, left = n - done;
		const char *line = p + done, *end = find_end(line, left > max ? max + 1 : left);
		size_t len = end ? (size_t)(end - line) : left, skip = end ? 1 : 0;
		bool cut = !end && left > max;

		if (cut)
			len = lines_cut(line, max);
		else if (!end && !last)
			break;
		if (hand_on(s, line, end ? without_return(line, len) : len) < 0) {
			*blocked = true;
			break;
		}
		s->continued = cut;
		done += len + skip;
	}
	return done;
}

/* ---- what is kept */

static void keep(struct lines_stream *s, const char *p, size_t n)
{
	struct rest *rest;

	if (n == 0) {
		holt__free(s->rest);
		s->rest = NULL;
		return;
	}
	if (s->rest && s->rest->n == n) {
		memcpy(s->rest->bytes, p, n);
		return;
	}
	rest = holt__realloc(s->rest, sizeof *rest + n);
	if (!rest) {
		holt__free(s->rest);
		s->rest = NULL;
		holt_log(LOG_ERR, "%s: no memory: %zu bytes that it wrote are lost", s->node->path, n);
		return;
	}
	rest->n = n;
	memcpy(rest->bytes, p, n);
	s->rest = rest;
}

static void wait_for_sink(struct lines_stream *s)
{
	struct lines *l = s->node->lines;

	watch_remove(l->watcher, &s->watch);
	s->waiting = true;
	s->next_waiting = NULL;
	*l->last_waiting = s;
	l->last_waiting = &s->next_waiting;
}

/* What was kept, and the N bytes that were read behind it, into the buffer. */
static void digest(struct lines_stream *s, size_t n)
{
	struct lines *l = s->node->lines;
	size_t all = n + (s->rest ? s->rest->n : 0), done;
	bool blocked;

	done = take_lines(s, l->buf, all, &blocked);
	keep(s, l->buf + done, all - done);
	if (blocked)
		wait_for_sink(s);
	else if (l->target == LOG_TO_FILES)
		logfiles_flush(&l->files);
}

static char *behind_rest(struct lines_stream *s)
{
	struct lines *l = s->node->lines;

	if (!s->rest)
		return l->buf;
	memcpy(l->buf, s->rest->bytes, s->rest->n);
	return l->buf + s->rest->n;
}

/* ---- a stream's life */

static void free_node(struct lines_node *n)
{
	struct lines *l = n->lines;

	(void)tell_dropped(n);
	if (l->target == LOG_TO_FILES)
		logfiles_forget(&l->files, n);
	*n->at = n->next;
	if (n->next)
		n->next->at = n->at;
	holt__free(n);
}

static void free_stream(struct lines_stream *s)
{
	struct lines_node *n = s->node;

	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	holt__free(s->rest);
	holt__free(s);
	if (n->closed && !n->streams)
		free_node(n);
}

static void close_pipe(struct lines_stream *s)
{
	watch_remove(s->node->lines->watcher, &s->watch);
	if (s->watch.fd >= 0)
		close(s->watch.fd);
	s->watch.fd = -1;
}

/* Nothing more will be read. What is left is the last line; when it is gone, too, and nobody knows of it, so is the stream. */
static void end(struct lines_stream *s)
{
	s->eof = true;
	close_pipe(s);
	if (!s->waiting) {
		behind_rest(s);
		digest(s, 0);
	}
	if (!s->waiting && s->leaving)
		free_stream(s);
}

/* Reads what a round allows; true: there may be more, and nothing keeps it from being read. */
static bool read_round(struct lines_stream *s)
{
	for (size_t sum = 0; sum < ROUND && !s->waiting;) {
		char *p = behind_rest(s);
		size_t most = s->finishing && s->left < CHUNK ? s->left : CHUNK;
		ssize_t n = most ? read(s->watch.fd, p, most) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 && (n == 0 || errno != EAGAIN || s->finishing)) {
			end(s);
			return false;
		}
		if (n < 0)
			return false;
		digest(s, (size_t)n);
		sum += (size_t)n;
		s->left -= s->finishing ? (unsigned)n : 0;
		if (!s->finishing && (size_t)n < most) /* it is empty: a pipe gives all that it has */
			return false;
	}
	return !s->waiting;
}

static void readable(struct watch *w, uint32_t events)
{
	(void)events;
	(void)read_round(holt__container(w, struct lines_stream, watch));
}

/* The sink takes lines again. */
static void go_on(struct lines_stream *s)
{
	struct lines *l = s->node->lines;

	behind_rest(s);
	digest(s, 0);
	if (s->waiting)
		return;
	if (s->eof) {
		if (s->leaving)
			free_stream(s);
	} else if (s->finishing) {
		while (read_round(s))
			;
	} else if (watch_add(l->watcher, &s->watch, s->watch.fd, EPOLLIN) < 0) {
		holt_log(LOG_ERR, "%s: what it writes cannot be read any more", s->node->path);
		end(s);
	}
}

void lines_resume(struct lines *l)
{
	struct lines_stream *s, *list = l->waiting;

	l->waiting = NULL;
	l->last_waiting = &l->waiting;
	l->resuming = true;
	while ((s = list)) {
		if (l->waiting) { /* that was too much for it again: the others stay in their order behind */
			*l->last_waiting = list;
			while (*l->last_waiting)
				l->last_waiting = &(*l->last_waiting)->next_waiting;
			break;
		}
		list = s->next_waiting;
		s->waiting = false;
		go_on(s);
	}
	l->resuming = false;
}

int lines_prepare(struct lines_stream **ret)
{
	*ret = holt__calloc(1, sizeof **ret);
	return *ret ? 0 : -ENOMEM;
}

int lines_attach(struct lines_stream **stream, struct lines_node *n, int fd, pid_t pid, const struct invocation *id, int priority)
{
	int flags = fcntl(fd, F_GETFL), r = *stream ? 0 : lines_prepare(stream);
	struct lines_stream *s = *stream;

	if (r < 0)
		return r;
	s->watch.fire = readable;
	s->node = n;
	s->pid = pid;
	s->priority = (uint8_t)LOG_PRI(priority);
	if (id)
		s->id = *id;
	r = flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) ? -errno : 0;
	if (r == 0)
		r = watch_add(n->lines->watcher, &s->watch, fd, EPOLLIN);
	if (r < 0) {
		s->node = NULL;
		*stream = lines_leave(s);
		return r;
	}
	s->at = &n->streams;
	s->next = n->streams;
	if (s->next)
		s->next->at = &s->next;
	n->streams = s;
	return 0;
}

void lines_set_pid(struct lines_stream *s, pid_t pid)
{
	s->pid = pid;
}

struct lines_stream *lines_leave(struct lines_stream *s)
{
	if (!s)
		return NULL;
	if (!s->node) { /* only prepared */
		holt__free(s);
		return NULL;
	}
	s->leaving = true;
	if (s->eof && !s->waiting)
		free_stream(s);
	return NULL;
}

struct lines_stream *lines_finish(struct lines_stream *s)
{
	int left = 0;

	if (!s)
		return NULL;
	if (s->eof || !s->node)
		return lines_leave(s);
	s->leaving = s->finishing = true;
	if (ioctl(s->watch.fd, FIONREAD, &left) == 0 && left > 0)
		s->left = (unsigned)left;
	watch_remove(s->node->lines->watcher, &s->watch);
	if (!s->waiting) /* else it goes on when the sink does */
		while (read_round(s))
			;
	return NULL;
}

/* ---- nodes */

/* The buffer is for the longest of all. */
static int make_room(struct lines *l, size_t line_max)
{
	char *more;

	if (l->room >= line_max + (size_t)2 * CHUNK)
		return 0;
	more = holt__realloc(l->buf, line_max + (size_t)2 * CHUNK);
	if (!more)
		return -ENOMEM;
	l->buf = more;
	l->room = line_max + (size_t)2 * CHUNK;
	return 0;
}

int lines_node_set(struct lines_node *n, const struct lines_limits *limits)
{
	size_t line_max = limits->line_max ? limits->line_max : LINE_MAX_USUAL;
	int r;

	if (line_max > INT32_MAX)
		line_max = INT32_MAX;
	r = make_room(n->lines, line_max);
	if (r < 0)
		return r;
	n->line_max = (unsigned)line_max;
	n->interval = limits->interval;
	n->burst = limits->burst;
	return 0;
}

int lines_node_open(struct lines_node **ret, struct lines *l, const char *path, const struct lines_limits *limits)
{
	size_t size = strlen(path) + 1;
	struct lines_node *n = holt__calloc(1, sizeof *n + size);
	int r;

	if (!n)
		return -ENOMEM;
	n->lines = l;
	n->file.fd = -1;
	memcpy(n->path, path, size);
	n->name = strrchr(n->path, '/') ? strrchr(n->path, '/') + 1 : n->path;
	r = lines_node_set(n, limits);
	if (r < 0) {
		holt__free(n);
		return r;
	}
	n->at = &l->nodes;
	n->next = l->nodes;
	if (n->next)
		n->next->at = &n->next;
	l->nodes = n;
	*ret = n;
	return 0;
}

struct lines_node *lines_node_close(struct lines_node *n)
{
	if (!n)
		return NULL;
	n->closed = true;
	if (!n->streams)
		free_node(n);
	return NULL;
}

/* ---- all */

static bool is_journal(int fd)
{
	const char *s = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	char end;

	return s && sscanf(s, "%llu:%llu%c", &dev, &ino, &end) == 2 && fstat(fd, &st) == 0 && st.st_dev == dev &&
		st.st_ino == ino;
}

int lines_open(struct lines **ret, struct watcher *w, const struct lines_options *o)
{
	struct lines *l = holt__calloc(1, sizeof *l);
	int r;

	if (!l)
		return -ENOMEM;
	l->watcher = w;
	l->last_waiting = &l->waiting;
	l->tell.fire = tell_all;
	l->stderr_is_journal = is_journal(STDERR_FILENO);
	l->target = o->target != LOG_TO_AUTO ? o->target : l->stderr_is_journal ? LOG_TO_JOURNAL : LOG_TO_CONSOLE;
	l->tree = holt__strdup(o->tree);
	journal_open(&l->journal, w, o->journal ? o->journal : "/run/systemd/journal/socket");
	console_open(&l->console, w, o->width);
	l->console.prefixed = l->stderr_is_journal;
	l->files.fd = -1;
	r = l->tree ? make_room(l, LINE_MAX_USUAL) : -ENOMEM;
	if (r == 0 && l->target == LOG_TO_FILES)
		r = logfiles_open(&l->files, o);
	if (r < 0)
		lines_close(l);
	else
		*ret = l;
	return r;
}

/* Streams of all nodes, the first that is not gone; each call takes one away. */
static struct lines_stream *any_stream(const struct lines *l)
{
	for (const struct lines_node *n = l->nodes; n; n = n->next)
		if (n->streams)
			return n->streams;
	return NULL;
}

static void finish_all(struct lines *l)
{
	holt_time end_at = lines_clock() + LAST_WORDS;
	struct lines_stream *s;

	for (struct lines_node *n = l->nodes; n; n = n->next) {
		n->closed = false; /* not under our hands */
		for (struct lines_stream *next = n->streams; (s = next);) {
			next = s->next;
			if (!s->finishing)
				lines_finish(s);
		}
	}
	while (l->waiting && lines_clock() < end_at) {
		journal_wait(&l->journal, end_at);
		watch_remove(l->watcher, &l->journal.writable);
		lines_resume(l);
	}
	l->waiting = NULL;
	while ((s = any_stream(l))) {
		close_pipe(s);
		free_stream(s);
	}
}

struct lines *lines_close(struct lines *l)
{
	if (!l)
		return NULL;
	finish_all(l);
	while (l->nodes)
		free_node(l->nodes);
	holt__timer_stop(&l->tell);
	if (l->target == LOG_TO_FILES)
		logfiles_close(&l->files);
	console_flush(&l->console, lines_clock() + LAST_WORDS);
	console_close(&l->console);
	journal_close(&l->journal);
	holt__free(l->tree);
	holt__free(l->buf);
	holt__free(l);
	return NULL;
}

bool lines_on_console(const struct lines *l)
{
	return l->target == LOG_TO_CONSOLE;
}

void lines_own(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	struct lines *l = arg;
	const char *end;

	(void)fields;
	(void)n;
	do {
		end = strchr(message, '\n');
		console_write(&l->console, priority, "holtd", message, end ? (size_t)(end - message) : strlen(message));
		message = end ? end + 1 : NULL;
	} while (message);
}
