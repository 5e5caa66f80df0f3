/* SPDX-License-Identifier: MIT */
/*
 * LogTarget=DIRECTORY: a file for each node, its path below the directory and ".log". Lines are there as they were written, nothing
 * before them, so that a file of JSON lines is one. Those of a round go out by one write. A file is opened with its first line;
 * when it would grow over LogFileMax= it is renamed, and a line is never in two files.
 *
 * The disk may be slow, and then all waits for it: it is the page cache that is written to. A disk that is full costs lines,
 * which are counted and told, in holtd's own log at once, then once a minute.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holt/run.h>

#include "base/alloc.h"
#include "daemon/lines_parts.h"

enum { BATCH = 2 * CHUNK, PATH_SIZE = 4096 };

int logfiles_open(struct logfiles *f, const struct lines_options *o)
{
	int r;

	*f = (struct logfiles){ .fd = -1, .max = o->file_max, .keep = o->file_keep };
	f->directory = holt__strdup(o->directory);
	f->buf = holt__malloc(BATCH);
	if (!f->directory || !f->buf)
		return -ENOMEM;
	r = mkdir(f->directory, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (r == 0)
		f->fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r < 0 ? r : f->fd < 0 ? -errno : 0;
}

void logfiles_close(struct logfiles *f)
{
	logfiles_flush(f);
	if (f->fd >= 0)
		close(f->fd);
	holt__free(f->directory);
	holt__free(f->buf);
	*f = (struct logfiles){ .fd = -1 };
}

/* ---- a file */

static int name_of(const struct lines_node *n, unsigned old, char buf[PATH_SIZE])
{
	char number[16] = "";

	if (old)
		snprintf(number, sizeof number, ".%u", old);
	return (size_t)snprintf(buf, PATH_SIZE, "%s.log%s", n->path, number) >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* The groups of shop/api.log. */
static int make_folders(int dir, char *path)
{
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		*p = 0;
		r = mkdirat(dir, path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_file(struct logfiles *f, struct lines_node *n)
{
	char path[PATH_SIZE];
	struct stat st;
	int r = name_of(n, 0, path), fd;

	if (r == 0)
		r = make_folders(f->fd, path);
	if (r < 0)
		return r;
	fd = openat(f->fd, path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	n->file = (struct logfile){ .fd = fd, .size = (uint64_t)st.st_size };
	return 0;
}

static void close_file(struct lines_node *n)
{
	if (n->file.fd >= 0)
		close(n->file.fd);
	n->file.fd = -1;
}

static void rotate(struct logfiles *f, struct lines_node *n)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	close_file(n);
	for (unsigned i = f->keep; i > 0; i--)
		if (name_of(n, i - 1, from) == 0 && name_of(n, i, to) == 0)
			(void)renameat(f->fd, from, f->fd, to); /* fails for those that are not there yet */
	if (f->keep == 0 && name_of(n, 0, from) == 0)
		(void)unlinkat(f->fd, from, 0);
}

/* ---- lines */

static unsigned long count_lines(const char *s, size_t n)
{
	unsigned long lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += s[i] == '\n';
	return lines;
}

static void tell(struct logfiles *f, const struct lines_node *n, int error)
{
	holt_time now = holt_now();

	if (f->told && now - f->told < HOLT_MIN)
		return;
	f->told = now;
	holt_log(LOG_ERR, "%s: the log in %s cannot be written: %s; %lu lines were dropped", n->path, f->directory,
		strerror(-error), f->dropped);
	f->dropped = 0;
}

static int write_all(struct lines_node *n, const char *s, size_t len)
{
	while (len > 0) {
		ssize_t k = write(n->file.fd, s, len);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EIO;
		n->file.size += (uint64_t)k;
		s += k;
		len -= (size_t)k;
	}
	return 0;
}

static void write_lines(struct logfiles *f, struct lines_node *n, const char *s, size_t len)
{
	int r = n->file.fd < 0 ? open_file(f, n) : 0;

	if (r == 0 && f->max && n->file.size > 0 && n->file.size + len > f->max) {
		rotate(f, n);
		r = open_file(f, n);
	}
	if (r == 0)
		r = write_all(n, s, len);
	if (r == 0)
		return;
	f->dropped += count_lines(s, len);
	tell(f, n, r);
}

void logfiles_flush(struct logfiles *f)
{
	struct lines_node *n = f->node;
	size_t len = f->n;

	f->node = NULL;
	f->n = 0;
	if (n && len)
		write_lines(f, n, f->buf, len);
}

/* How much more the file of those in buf may grow. */
static bool fits(const struct logfiles *f, const struct lines_node *n, size_t len)
{
	uint64_t size = n->file.fd < 0 ? 0 : n->file.size;

	return f->n + len <= BATCH && (!f->max || f->n == 0 || size + f->n + len <= f->max);
}

void logfiles_write(struct logfiles *f, struct lines_node *n, const char *s, size_t len)
{
	char *large;

	if (f->node != n || !fits(f, n, len + 1))
		logfiles_flush(f);
	if (len + 1 <= BATCH) {
		f->node = n;
		memcpy(f->buf + f->n, s, len);
		f->buf[f->n + len] = '\n';
		f->n += len + 1;
		return;
	}
	large = holt__malloc(len + 1);
	if (!large) {
		f->dropped++;
		tell(f, n, -ENOMEM);
		return;
	}
	memcpy(large, s, len);
	large[len] = '\n';
	write_lines(f, n, large, len + 1);
	holt__free(large);
}

void logfiles_forget(struct logfiles *f, struct lines_node *n)
{
	if (f->node == n)
		logfiles_flush(f);
	close_file(n);
}
