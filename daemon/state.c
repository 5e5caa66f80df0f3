/* SPDX-License-Identifier: MIT */
/*
 * The state directory and its lock; the records are in records.c. The lock is flock(2)'s: it goes with the process, however that
 * ends, and a child has no copy of it, for it gets no descriptor of ours. Its file is never removed: who opened it before
 * would hold a lock on what nobody else finds.
 */
#include "daemon/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/records.h"

static int say(struct holt__text *why, const char *path, const char *what, int r)
{
	why->len = 0;
	holt__text_add(why, path);
	holt__text_add(why, ": ");
	holt__text_add(why, what ? what : strerror(-r));
	return r;
}

/* ---- where it is */

static char *join(const char *dir, size_t n, const char *more, const char *name)
{
	size_t k = strlen(more), l = strlen(name);
	char *s = holt__malloc(n + k + l + 1);

	if (!s)
		return NULL;
	memcpy(s, dir, n);
	memcpy(s + n, more, k);
	memcpy(s + n + k, name, l + 1);
	return s;
}

static bool is_name(const char *s)
{
	return s && *s && *s != '.' && !strchr(s, '/') && strlen(s) < 200;
}

/* "" and ".." in the middle would make two paths of one directory. A slash at the end is taken off. */
static bool is_absolute(const char *s)
{
	if (*s != '/' || !s[1])
		return false;
	while (*s) {
		size_t n = strcspn(++s, "/");

		if ((n == 0 && *s) || (n == 1 && *s == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
	}
	return true;
}

static int find_path(struct state *s, const struct state_options *o)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY"), *xdg = getenv("XDG_RUNTIME_DIR");
	size_t n;

	if (!o->path && runtime && *runtime)
		s->path = join(runtime, strcspn(runtime, ":"), "", "");
	else if (!o->path && !is_name(o->name))
		return -EINVAL;
	else if (!o->path && xdg && *xdg)
		s->path = join(xdg, strlen(xdg), "/holt/", o->name);
	else
		s->path = o->path ? holt__strdup(o->path) : join("/run/holt/", 10, "", o->name);
	if (!s->path)
		return -ENOMEM;
	n = strlen(s->path);
	if (n > 1 && s->path[n - 1] == '/')
		s->path[n - 1] = 0;
	return is_absolute(s->path) ? 0 : -EINVAL;
}

/* ---- the directory */

/* Those above it, as they are missing. */
static int make_parents(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		*p = 0;
		r = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

const char *state_distrust(const struct stat *st)
{
	if (st->st_uid != geteuid())
		return "belongs to another user";
	return st->st_mode & 022 ? "others can write to it" : NULL;
}

static int open_directory(struct state *s, struct holt__text *why)
{
	int r = make_parents(s->path);
	const char *bad;
	struct stat st;
	bool made;

	if (r < 0)
		return say(why, s->path, NULL, r);
	made = mkdir(s->path, 0755) == 0;
	if (!made && errno != EEXIST)
		return say(why, s->path, NULL, -errno);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0 && (errno == ELOOP || (errno == ENOTDIR && lstat(s->path, &st) == 0 && S_ISLNK(st.st_mode))))
		return say(why, s->path, "is a symbolic link", -EPERM);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return say(why, s->path, NULL, -errno);
	bad = state_distrust(&st);
	if (bad)
		return say(why, s->path, bad, -EPERM);
	if (made && fchmod(s->fd, 0755) < 0) /* whatever our umask is */
		return say(why, s->path, NULL, -errno);
	return 0;
}

int state_open_file(const struct state *s, const char *name, struct holt__text *why)
{
	int fd = openat(s->fd, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600), r = 0;
	const char *bad = NULL;
	struct stat st;
	char *path;

	if (fd < 0)
		r = errno == ELOOP ? -EPERM : -errno;
	else if (fstat(fd, &st) < 0)
		r = -errno;
	else
		bad = !S_ISREG(st.st_mode) || st.st_nlink != 1 ? "is not what it should be" : state_distrust(&st);
	if (r == 0 && !bad)
		return fd;
	if (fd >= 0)
		close(fd);
	path = join(s->path, strlen(s->path), "/", name);
	r = say(why, path ? path : name, bad, bad ? -EPERM : r);
	holt__free(path);
	return r;
}

static int take_lock(struct state *s, pid_t *ret_pid, struct holt__text *why)
{
	char text[24] = "";
	int fd = state_open_file(s, "lock", why), n;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? -EBUSY : -errno;

		*ret_pid = pread(fd, text, sizeof text - 1, 0) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
		close(fd);
		return say(why, s->path, r == -EBUSY ? "another holtd runs there" : NULL, r);
	}
	s->lock = fd;
	n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n) /* only for the message of the next one */
		return say(why, s->path, NULL, errno ? -errno : -ENOSPC);
	return 0;
}

/* ---- what a holtd that was killed has left in it */

static void remove_all_in(int dir, int depth)
{
	DIR *d = dir < 0 ? NULL : fdopendir(dir);
	const struct dirent *e;

	if (!d && dir >= 0)
		close(dir);
	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0 || depth == 0)
			continue;
		remove_all_in(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), depth - 1);
		(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
}

static void clean_up(const struct state *s)
{
	struct stat st;

	if (fstatat(s->fd, "control", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
		(void)unlinkat(s->fd, "control", 0);
	remove_all_in(openat(s->fd, "credentials", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 1);
}

/* ---- which machine, which boot, which numbers */

static int look_around(struct state *s)
{
	struct timespec t;
	struct stat st;
	ssize_t n;
	int fd;

	s->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->proc < 0)
		return -errno;
	fd = openat(s->proc, "sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, s->boot, 36);
	if (fd >= 0)
		close(fd);
	if (n != 36)
		return -ENOENT;
	if (fstatat(s->proc, "self/ns/pid", &st, 0) == 0)
		s->pid_namespace = st.st_ino;
	/* later than all that were given out in this boot, and those of another do not count */
	clock_gettime(CLOCK_BOOTTIME, &t);
	s->activation = (uint64_t)t.tv_sec * HOLT_SEC + (uint64_t)t.tv_nsec;
	return 0;
}

static int open_all(struct state *s, const struct state_options *o, pid_t *ret_pid, struct holt__text *why)
{
	int r = find_path(s, o);

	if (r < 0)
		return say(why, s->path ? s->path : o->name ? o->name : "", "cannot be a state directory", r);
	s->control = join(s->path, strlen(s->path), "/control", "");
	if (!s->control)
		return -ENOMEM;
	r = open_directory(s, why);
	if (r == 0)
		r = take_lock(s, ret_pid, why);
	if (r < 0)
		return r;
	clean_up(s);
	r = look_around(s);
	return r < 0 ? say(why, "/proc", NULL, r) : records_open(s, why);
}

static void let_go(struct state *s)
{
	int fds[] = { s->records, s->proc, s->lock, s->fd };

	for (size_t i = 0; i < HOLT__N(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	holt__free(s->path);
	holt__free(s->control);
	*s = (struct state){ .fd = -1, .lock = -1, .records = -1, .proc = -1 };
}

int state_open(struct state *s, const struct state_options *o, pid_t *ret_pid, struct holt__text *why)
{
	int r;

	*s = (struct state){ .fd = -1, .lock = -1, .records = -1, .proc = -1 };
	*ret_pid = 0;
	r = open_all(s, o, ret_pid, why);
	if (r < 0)
		let_go(s);
	return r;
}

void state_close(struct state *s)
{
	struct recorded r;

	if (!s || !s->path) /* zeroed, or closed before */
		return;
	if (state_read(s, &r) == 0) {
		if (!r.n_processes && !r.n_finally)
			(void)unlinkat(s->fd, "records", 0);
		recorded_free(&r);
	}
	(void)!ftruncate(s->lock, 0);
	let_go(s);
}

uint64_t state_activation(struct state *s)
{
	return ++s->activation;
}
