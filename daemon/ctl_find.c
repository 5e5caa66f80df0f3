/* SPDX-License-Identifier: MIT */
/*
 * Which daemon holtctl talks to. A state directory has a socket "control"; that nobody listens there any more is the usual case
 * after a stop, so a daemon is there if it can be connected to. In this order:
 *
 *	--tree with a / in it      that socket, or the one in that directory
 *	--tree NAME                the first that runs of $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/holt/NAME, /run/holt/NAME
 *	without                    the first that runs of $RUNTIME_DIRECTORY, which is the unit's own; else the
 *	                           only one of $XDG_RUNTIME_DIR/holt and /run/holt
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holt/io.h>
#include <holt/run.h>
#include <holt/scope.h>

#include "base/alloc.h"
#include "daemon/ctl.h"

enum { FOUND_MAX = 64, PATH_SIZE = 512 };

const char *ctl_system_directory = "/run/holt";

/* A socket, and the connection to it. */
struct found {
	char path[PATH_SIZE];
	dev_t dev;
	ino_t ino;
	int fd; /* -errno: why there is none */
};

struct search {
	struct ctl *c;
	struct found *v;
	size_t n;
};

/* The name of its tree: that of its directory. */
static void name_of(const char *path, char name[PATH_SIZE])
{
	const char *end = strrchr(path, '/'), *begin;

	for (begin = end; begin > path && begin[-1] != '/'; begin--)
		;
	snprintf(name, PATH_SIZE, "%.*s", (int)(end - begin), begin);
}

int ctl_dial(const char *path)
{
	char address[PATH_SIZE + 8];

	if (snprintf(address, sizeof address, "unix:%s", path) >= (int)sizeof address)
		return -ENAMETOOLONG;
	return holt_dial(address);
}

static int connect_to(const struct ctl *c, const char *path)
{
	struct holt_scope in_time;

	holt_scope_begin(&in_time, holt_in(c->limit), 0);
	return (int)holt_scope_end(&in_time, ctl_dial(path));
}

static bool is_known(const struct search *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].dev == st->st_dev && s->v[i].ino == st->st_ino)
			return true;
	return false;
}

/* Notes the socket of a directory, if there is one that was not noted yet. */
static void look_in(struct search *s, const char *directory)
{
	struct found *f = &s->v[s->n];
	char name[PATH_SIZE];
	struct stat st;

	if (s->n == FOUND_MAX || snprintf(f->path, PATH_SIZE, "%s/control", directory) >= PATH_SIZE)
		return;
	name_of(f->path, name);
	if ((s->c->tree && strcmp(name, s->c->tree) != 0) || stat(f->path, &st) < 0 || !S_ISSOCK(st.st_mode) || is_known(s, &st))
		return;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->fd = connect_to(s->c, f->path);
	s->n++;
}

static void look_at_each(struct search *s, const char *base)
{
	char pattern[PATH_SIZE];
	glob_t g;

	if (!base || base[0] != '/' || snprintf(pattern, sizeof pattern, "%s/*", base) >= PATH_SIZE)
		return;
	if (glob(pattern, GLOB_ONLYDIR, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			look_in(s, g.gl_pathv[i]);
	globfree(&g);
}

/* Of a service: it may have several, with a colon between them. */
static void look_at_ours(struct search *s)
{
	const char *list = getenv("RUNTIME_DIRECTORY");
	char directory[PATH_SIZE];

	for (; list && *list; list += strcspn(list, ":"), list += *list == ':') {
		snprintf(directory, sizeof directory, "%.*s", (int)strcspn(list, ":"), list);
		look_in(s, directory);
	}
}

static void look_everywhere(struct search *s)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char base[PATH_SIZE];

	if (runtime && snprintf(base, sizeof base, "%s/holt", runtime) < PATH_SIZE)
		look_at_each(s, base);
	look_at_each(s, ctl_system_directory);
}

/* The first one that runs. */
static struct found *running(const struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].fd >= 0)
			return &s->v[i];
	return NULL;
}

static int say_none(const struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].fd != -ECONNREFUSED)
			return ctl_error(s->v[i].path, s->v[i].fd);
	if (s->c->tree)
		ctl_say("no holtd runs a tree \"%s\" here", s->c->tree);
	else
		ctl_say("no holtd runs here");
	return CTL_FAILED;
}

static int say_several(const struct search *s)
{
	char name[PATH_SIZE];

	ctl_say("several trees run here; choose one by --tree NAME:");
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].fd < 0)
			continue;
		name_of(s->v[i].path, name);
		fprintf(stderr, "  %-20s %s\n", name, s->v[i].path);
	}
	return CTL_USAGE;
}

static int use(struct ctl *c, const char *path, int fd)
{
	int r = holt_varlink_open_fd(&c->v, fd);

	if (r == 0) {
		c->socket = holt__strdup(path);
		return c->socket ? CTL_OK : ctl_error(path, -ENOMEM);
	}
	holt_close(fd);
	return ctl_error(path, r);
}

static int choose(struct search *s)
{
	struct found *f;
	size_t n = 0;

	look_at_ours(s);
	f = running(s);
	if (!f) {
		look_everywhere(s);
		for (size_t i = 0; i < s->n; i++)
			n += s->v[i].fd >= 0;
		f = running(s);
	}
	if (n > 1 && !s->c->tree)
		return say_several(s);
	return f ? use(s->c, f->path, holt_take_fd(f->fd)) : say_none(s);
}

/* A path was given: of a socket, or of the directory that it is in. Absolute, for holt_dial() takes no other. */
static int use_path(struct ctl *c)
{
	char *real = realpath(c->tree, NULL), path[PATH_SIZE];
	struct stat st;
	int fd, n;

	if (!real)
		return ctl_error(c->tree, -errno);
	n = snprintf(path, sizeof path, "%s%s", real, stat(real, &st) == 0 && S_ISDIR(st.st_mode) ? "/control" : "");
	free(real);
	fd = n < PATH_SIZE ? connect_to(c, path) : -ENAMETOOLONG;
	return fd < 0 ? ctl_error(c->tree, fd) : use(c, path, fd);
}

int ctl_connect(struct ctl *c)
{
	struct search s = { .c = c };
	int r;

	if (c->tree && strchr(c->tree, '/'))
		return use_path(c);
	s.v = holt__calloc(FOUND_MAX + 1, sizeof *s.v);
	if (!s.v)
		return ctl_error("looking for holtd", -ENOMEM);
	r = choose(&s);
	for (size_t i = 0; i < s.n; i++)
		if (s.v[i].fd >= 0)
			holt_close(s.v[i].fd);
	holt__free(s.v);
	return r;
}

void ctl_disconnect(struct ctl *c)
{
	c->v = holt_varlink_close(c->v);
	holt__free(c->socket);
	c->socket = NULL;
}
