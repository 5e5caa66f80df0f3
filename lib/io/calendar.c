/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions in the world: which zone one is in, and that zone's file. It is read anew each time, some
 * kilobytes, so nothing is kept that a change of the zone would make wrong, and nothing is shared between threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <holt/time.h>

#include "base/alloc.h"
#include "base/calendar.h"
#include "base/text.h"
#include "base/zone.h"
#include "sys/sys.h"

enum { FILE_MAX = 64 * 1024, PATH = 512 };

#define FOLDER "/usr/share/zoneinfo/"

/* What of a zone has to be given back. */
struct place {
	struct holt__zone zone;
	const struct holt__zone *use; /* NULL: UTC */
	void *bytes;
};

/* ---- a file */

static bool says_none(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -ELOOP:
	case -ENAMETOOLONG:
	case -EACCES:
		return true;
	default:
		return false;
	}
}

static int read_all(int fd, char *buf, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = holt__sys->read(fd, buf + have, n - have);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? (int)r : -EINVAL; /* shorter than it was */
		have += (size_t)r;
	}
	return 0;
}

static int read_zone(int fd, struct place *ret)
{
	struct stat st;
	int r = holt__sys->fstat(fd, &st);

	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_MAX)
		return -EINVAL;
	ret->bytes = holt__malloc((size_t)st.st_size);
	if (!ret->bytes)
		return -ENOMEM;
	r = read_all(fd, ret->bytes, (size_t)st.st_size);
	if (r == 0)
		r = holt__zone_file(&ret->zone, ret->bytes, (size_t)st.st_size);
	if (r == 0)
		ret->use = &ret->zone;
	return r;
}

/* -ENOENT: there is no such file; -EINVAL: it is no zone. */
static int open_zone(const char *path, struct place *ret)
{
	int fd, r;

	do
		fd = holt__sys->open(path, O_RDONLY | O_NONBLOCK); /* whatever it is: not to wait for it */
	while (fd == -EINTR);
	if (fd < 0)
		return says_none(fd) ? -ENOENT : fd;
	r = read_zone(fd, ret);
	holt__sys->close(fd);
	return r;
}

static int named_zone(const char *name, size_t n, struct place *ret)
{
	char path[PATH];
	struct holt__text text = HOLT__TEXT(path);

	if (n + sizeof FOLDER > sizeof path)
		return -ENOENT;
	holt__text_add(&text, FOLDER);
	holt__text_add_n(&text, name, n);
	return open_zone(path, ret);
}

/* ---- which zone */

static void give_back(struct place *p)
{
	holt__free(p->bytes);
	p->bytes = NULL;
}

/* The process's own. What cannot be understood is UTC, as libc has it. */
static int own_zone(struct place *ret)
{
	const char *tz = getenv("TZ");
	int r;

	if (!tz) {
		r = open_zone("/etc/localtime", ret);
	} else {
		tz += *tz == ':';
		if (!*tz)
			return 0;
		r = *tz == '/' ? open_zone(tz, ret) : named_zone(tz, strlen(tz), ret);
		if ((r == -ENOENT || r == -EINVAL) && holt__zone_text(&ret->zone, tz, strlen(tz)) == 0) {
			ret->use = &ret->zone;
			return 0;
		}
	}
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

/* Takes the zone off the expression's end: how much of it is left. */
static int find_zone(const char *calendar, struct place *ret, size_t *ret_n)
{
	const char *name;
	size_t before, n;
	int r;

	*ret_n = strlen(calendar);
	if (!holt__calendar_zone(calendar, &before, &name, &n))
		return own_zone(ret);
	if (strcasecmp(name, "UTC") == 0) {
		*ret_n = before;
		return 0;
	}
	r = named_zone(name, n, ret);
	if (r == 0)
		*ret_n = before;
	return r == -ENOENT ? -EINVAL : r; /* no other last word begins with a letter, after a space */
}

int holt_calendar_next(const char *calendar, int64_t after_us, int64_t *ret_us)
{
	struct place place = { .bytes = NULL };
	struct holt__calendar c;
	size_t n;
	int r;

	r = find_zone(calendar, &place, &n);
	if (r == 0)
		r = holt__calendar_parse(calendar, n, &c);
	if (r == 0)
		r = holt__calendar_next(&c, holt__zone_offset, c.utc ? NULL : place.use, after_us, ret_us);
	give_back(&place);
	return r;
}
