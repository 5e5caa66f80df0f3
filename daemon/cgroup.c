/* SPDX-License-Identifier: MIT */
/*
 * The cgroups. Names say all: a cgroup is a name in BASE, and is opened each time that something is to be done with it. Whatever
 * fails on the way to a cgroup with its limits leaves none.
 */
#include "daemon/cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <holt/log.h>

#include "base/alloc.h"
#include "daemon/cgtree.h"

#define LEAF "supervisor"
#define SUFFIX ".node"

enum { TRIES = 16, NAME_ROOM = 256, HASHED = 200, FREEZE_PASSES = 3 };

/* ---- names */

static uint64_t hash(const char *s)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ULL;
	return h;
}

/* A name as it is, but for "/", which becomes ":", and all else but letters, digits, "_", "@", "-" and ".": "%2F". */
void cgroup_name(const char *path, char ret[256])
{
	size_t n = 0;

	for (const char *p = path; *p && n <= HASHED; p++) {
		if (*p == '/')
			ret[n++] = ':';
		else if ((isascii(*p) && isalnum(*p)) || strchr("_@-", *p) || (*p == '.' && n > 0))
			ret[n++] = *p;
		else
			n += (size_t)snprintf(ret + n, NAME_ROOM - n, "%%%02X", (unsigned char)*p);
	}
	if (n > HASHED) /* too long to be told in full */
		n = HASHED - 20 + (size_t)snprintf(ret + HASHED - 20, 20, "~%016llx", (unsigned long long)hash(path));
	memcpy(ret + n, SUFFIX, sizeof SUFFIX);
}

/* If another process of the node is still held in the cgroup of that name: the next one, "api~2.node". */
static void name_again(const char *path, int k, char ret[NAME_ROOM])
{
	cgroup_name(path, ret);
	if (k > 1)
		snprintf(ret + strlen(ret) - strlen(SUFFIX), 16, "~%d" SUFFIX, k);
}

static int open_folder(const struct cgroup *g)
{
	int fd = openat(g->all->fd, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- limits */

static void say_limit(struct holt__text *why, const struct cgroup_limit *l, const char *reason)
{
	if (why->len)
		holt__text_add(why, "; ");
	holt__text_add(why, l->attribute);
	holt__text_add(why, "=");
	holt__text_add(why, l->value);
	holt__text_add(why, " cannot be enforced: ");
	holt__text_add(why, reason);
}

/* The controller of an attribute is enabled for the cgroups in BASE. NULL, or why it cannot be. */
static const char *enable(struct cgroups *c, const char *attribute, char *text, size_t size)
{
	size_t n = strcspn(attribute, "."), len = strlen(c->enabled);
	char name[64], words[512], plus[80];
	int r;

	snprintf(name, sizeof name, "%.*s", (int)n, attribute);
	if (strcmp(name, "cgroup") == 0 || cgtree_has_word(c->enabled, name)) /* the first is no controller, but always there */
		return NULL;
	if (cgtree_read(c->fd, "cgroup.controllers", words, sizeof words) < 0 || !cgtree_has_word(words, name)) {
		snprintf(text, size, "the controller \"%s\" is not delegated to us", name);
		return text;
	}
	snprintf(plus, sizeof plus, "+%s", name);
	r = cgtree_write(c->fd, "cgroup.subtree_control", plus);
	if (r < 0) {
		snprintf(text, size, "the controller \"%s\" cannot be enabled: %s", name,
			r == -EBUSY ? "there are other processes than us in our cgroup" : strerror(-r));
		return text;
	}
	if (len + n + 2 <= sizeof c->enabled)
		snprintf(c->enabled + len, sizeof c->enabled - len, "%s ", name);
	return NULL;
}

static const char *set_limit(struct cgroup *g, int dir, const struct cgroup_limit *l, char *text, size_t size)
{
	const char *no;
	int r;

	if (strchr(l->attribute, '/') || !strchr(l->attribute, '.'))
		return "there is no such attribute";
	no = enable(g->all, l->attribute, text, size);
	if (no)
		return no;
	r = cgtree_write(dir, l->attribute, l->value);
	if (r == 0)
		return NULL;
	if (r == -ENOENT)
		return "this kernel has no such attribute";
	snprintf(text, size, "the kernel says: %s", strerror(-r));
	return text;
}

/* All of them. DIR < 0: there is no cgroup, and NO says why. */
static int set_limits(struct cgroup *g, int dir, const char *no, const char *path, const struct cgroup_limit *limits, size_t n,
	struct holt__text *why)
{
	bool warned = g->warned;
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		char text[160], line[320];
		struct holt__text warning = HOLT__TEXT(line);
		const char *reason = dir < 0 ? no : set_limit(g, dir, &limits[i], text, sizeof text);

		if (!reason)
			continue;
		if (!limits[i].optional) {
			say_limit(why, &limits[i], reason);
			result = -EOPNOTSUPP;
			continue;
		}
		if (!warned)
			say_limit(&warning, &limits[i], reason);
		if (!warned)
			holt_log(LOG_WARNING, "%s: %s", path, line);
		g->warned = true;
	}
	return result;
}

int cgroup_limits(struct cgroup *g, const struct cgroup_limit *limits, size_t n, struct holt__text *why)
{
	int dir, r;

	if (!cgroup_active(g))
		return n ? -EOPNOTSUPP : 0;
	dir = open_folder(g);
	if (dir < 0)
		return dir;
	r = set_limits(g, dir, NULL, g->name, limits, n, why);
	close(dir);
	return r;
}

/* ---- one */

/* One of that name that is there is of an earlier process; it goes away, unless somebody is in it. */
static int make(struct cgroups *c, const char *path, char name[NAME_ROOM])
{
	int r = -EBUSY;

	for (int k = 1; k <= TRIES && r == -EBUSY; k++) {
		name_again(path, k, name);
		r = cgtree_remove(c->fd, name);
		if (r == 0 && mkdirat(c->fd, name, 0755) < 0)
			r = errno == EEXIST ? -EBUSY : -errno;
	}
	return r;
}

static int opened(struct cgroup *g, struct cgroups *c, const char *path, const struct cgroup_limit *limits, size_t n,
	struct holt__text *why)
{
	char name[NAME_ROOM];
	int dir, r;

	r = make(c, path, name);
	if (r < 0) {
		holt__text_add(why, "cannot make a cgroup: ");
		holt__text_add(why, strerror(-r));
		return r;
	}
	g->name = holt__strdup(name);
	if (!g->name) {
		unlinkat(c->fd, name, AT_REMOVEDIR);
		return -ENOMEM;
	}
	g->all = c;
	dir = n ? open_folder(g) : 0;
	r = dir < 0 ? dir : n ? set_limits(g, dir, NULL, path, limits, n, why) : 0;
	if (n && dir >= 0)
		close(dir);
	if (r < 0)
		cgroup_close(g);
	return r;
}

int cgroup_open(struct cgroup *g, struct cgroups *c, const char *path, const struct cgroup_limit *limits, size_t n,
	struct holt__text *why)
{
	char no[200];

	if (g->all)
		return -EBUSY;
	if (cgroups_delegated(c))
		return opened(g, c, path, limits, n, why);
	snprintf(no, sizeof no, "there is no cgroup of its own (%s)", c->why);
	return set_limits(g, -1, no, path, limits, n, why);
}

void cgroup_close(struct cgroup *g)
{
	if (!cgroup_active(g))
		return;
	watch_close(g->all->watcher, &g->watch);
	cgtree_remove(g->all->fd, g->name);
	holt__free(g->name);
	g->name = NULL;
	g->all = NULL;
	g->frozen = false;
}

int cgroup_dir(const struct cgroup *g)
{
	return cgroup_active(g) ? open_folder(g) : -EOPNOTSUPP;
}

bool cgroup_has(const struct cgroup *g, pid_t pid)
{
	const char *own = g->all ? g->all->own : "";
	char name[4096];
	size_t n = strcmp(own, "/") == 0 ? 0 : strlen(own), len;

	if (!cgroup_active(g) || cgtree_of(pid, name, sizeof name) < 0 || strncmp(name, own, n) != 0 || name[n] != '/')
		return false;
	len = strlen(g->name);
	return strncmp(name + n + 1, g->name, len) == 0 && (name[n + 1 + len] == 0 || name[n + 1 + len] == '/');
}

/* ---- signals */

struct killing {
	const struct cgroup *g;
	int sig;
};

/* By pidfd, and it is in the cgroup after that was opened: so it is that process, or none. */
static void kill_one(void *arg, pid_t pid)
{
	const struct killing *k = arg;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return;
	if (cgroup_has(k->g, pid)) {
		syscall(SYS_pidfd_send_signal, fd, k->sig, NULL, 0);
		if (k->sig != SIGKILL)
			syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0); /* who is stopped would not hear it */
	}
	close(fd);
}

static int kill_each(struct cgroup *g, int dir, int sig)
{
	return cgtree_each_pid(dir, kill_one, &(struct killing){ g, sig });
}

/*
 * Where there is no cgroup.kill (before Linux 5.14). Who is frozen forks no more, and dies all the same; the freezing takes its time,
 * and its end is an event, on which this is done again.
 */
static int kill_frozen(struct cgroup *g, int dir)
{
	int r = 0;

	g->frozen = cgtree_write(dir, "cgroup.freeze", "1") == 0;
	for (int i = 0; i < FREEZE_PASSES && r == 0; i++)
		r = kill_each(g, dir, SIGKILL);
	return r;
}

int cgroup_kill(struct cgroup *g, int sig)
{
	int dir, r;

	if (!cgroup_active(g))
		return -EOPNOTSUPP;
	dir = open_folder(g);
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (sig != SIGKILL)
		r = kill_each(g, dir, sig);
	else
		r = g->all->by_hand ? kill_frozen(g, dir) : cgtree_write(dir, "cgroup.kill", "1");
	close(dir);
	return r == -ENODEV ? 0 : r; /* it was removed */
}

/* ---- its end */

static void changed(struct watch *watch, uint32_t events)
{
	struct cgroup *g = holt__container(watch, struct cgroup, watch);
	int r = cgtree_populated(watch->fd);

	(void)events;
	if (r > 0 && g->frozen)
		cgroup_kill(g, SIGKILL);
	if (r > 0)
		return;
	watch_close(g->all->watcher, watch);
	g->empty(g);
}

int cgroup_await(struct cgroup *g)
{
	char path[NAME_ROOM + 16];
	int fd, r;

	if (!cgroup_active(g))
		return -EOPNOTSUPP;
	watch_close(g->all->watcher, &g->watch);
	snprintf(path, sizeof path, "%s/cgroup.events", g->name);
	fd = openat(g->all->fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 1 : -errno;
	r = cgtree_populated(fd); /* what changes after it is an event */
	if (r > 0) {
		g->watch.fire = changed;
		r = watch_add(g->all->watcher, &g->watch, fd, EPOLLPRI);
		if (r == 0)
			return 0;
	}
	close(fd);
	return r < 0 ? r : 1;
}

/* ---- all */

static void left_is_gone(struct cgroup *g)
{
	struct cgroup **at = &g->all->left;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	cgroup_close(g);
	holt__free(g);
}

/* What an earlier run left, a cgroup and who is in it. */
static void clear(struct cgroups *c, const char *name)
{
	struct cgroup *g = holt__calloc(1, sizeof *g);
	int r;

	if (!g)
		return; /* it stays for the next run; a new one of its name will be made beside it */
	g->all = c;
	g->empty = left_is_gone;
	g->name = holt__strdup(name);
	if (!g->name) {
		holt__free(g);
		return;
	}
	cgroup_kill(g, SIGKILL);
	r = cgroup_await(g);
	if (r == 0) {
		g->next = c->left;
		c->left = g;
		return;
	}
	cgroup_close(g);
	holt__free(g);
}

static void clear_all(struct cgroups *c)
{
	int fd = openat(c->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name), m = strlen(SUFFIX);

		if (e->d_type == DT_DIR && n > m && strcmp(e->d_name + n - m, SUFFIX) == 0)
			clear(c, e->d_name);
	}
	closedir(d);
}

/* Into the leaf, so that BASE itself is empty and its controllers can be enabled for what is in it. */
static int move(struct cgroups *c)
{
	char expected[4096], now[4096];
	int r = 0;

	if (mkdirat(c->fd, LEAF, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = cgtree_write(c->fd, LEAF "/cgroup.procs", "0");
	if (r < 0)
		return r;
	snprintf(expected, sizeof expected, "%s/" LEAF, strcmp(c->own, "/") == 0 ? "" : c->own);
	return cgtree_of(0, now, sizeof now) >= 0 && strcmp(now, expected) == 0 ? 0 : -EXDEV;
}

int cgroups_open(struct cgroups *c, struct watcher *w)
{
	struct holt__text why = HOLT__TEXT(c->why);
	int r;

	memset(c, 0, sizeof *c);
	c->watcher = w;
	c->fd = -1;
	r = cgtree_find(&c->fd, &c->path, &c->own, &why);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = move(c);
	if (r < 0) {
		holt__text_add(&why, c->path);
		holt__text_add(&why, ": cannot move into a leaf of it: ");
		holt__text_add(&why, strerror(-r));
		unlinkat(c->fd, LEAF, AT_REMOVEDIR);
		cgroups_close(c);
		return 0;
	}
	why.len = 0;
	c->why[0] = 0;
	c->by_hand = faccessat(c->fd, LEAF "/cgroup.kill", F_OK, 0) < 0;
	clear_all(c);
	return 0;
}

void cgroups_close(struct cgroups *c)
{
	while (c->left) {
		struct cgroup *g = c->left;

		c->left = g->next;
		cgroup_close(g);
		holt__free(g);
	}
	if (c->path)
		close(c->fd);
	holt__free(c->path);
	holt__free(c->own);
	c->path = c->own = NULL;
	c->fd = -1;
}
