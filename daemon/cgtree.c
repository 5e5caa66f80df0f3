/* SPDX-License-Identifier: MIT */
/*
 * Where our cgroup is. The kernel says its name relative to our cgroup namespace, the mount table says where which part of the
 * tree can be seen: at /sys/fs/cgroup, or beside version 1 at /sys/fs/cgroup/unified, or anywhere.
 */
#include "daemon/cgtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"

enum { DEPTH_MAX = 32 };

/* ---- files */

int cgtree_write(int dir, const char *file, const char *text)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC), r = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		r = -errno;
	close(fd);
	return r;
}

static ssize_t read_at(int fd, char *buf, size_t n)
{
	size_t len = 0;
	ssize_t k;

	while (len < n - 1) {
		k = pread(fd, buf + len, n - 1 - len, (off_t)len);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		len += (size_t)k;
	}
	buf[len] = 0;
	return (ssize_t)len;
}

ssize_t cgtree_read(int dir, const char *file, char *buf, size_t n)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t r;

	if (fd < 0)
		return -errno;
	r = read_at(fd, buf, n);
	close(fd);
	return r;
}

bool cgtree_has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || strchr(" \n", p[-1])) && strchr(" \n", p[n]))
			return true;
	return false;
}

int cgtree_populated(int fd)
{
	char buf[256], *p;
	ssize_t n = read_at(fd, buf, sizeof buf);

	if (n == -ENODEV)
		return 0; /* it was removed */
	if (n < 0)
		return (int)n;
	p = strstr(buf, "populated ");
	return p ? p[strlen("populated ")] == '1' : -ENODATA;
}

/* ---- folders */

/* The first folder in it; false: there is none. */
static bool first_folder(int dir, char name[NAME_MAX + 1])
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool found = false;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (e = readdir(d))) {
		found = e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
		if (found)
			memcpy(name, e->d_name, strlen(e->d_name) + 1);
	}
	closedir(d);
	return found;
}

/* Down to a folder that has none in it, which is removed; and from the top again, until the top itself was that. */
int cgtree_remove(int dir, const char *name)
{
	char last[NAME_MAX + 1], next[NAME_MAX + 1];
	int top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at, below, r = 0;

	if (top < 0)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && first_folder(top, last)) {
		at = top; /* the folder that LAST is in */
		while ((below = openat(at, last, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 && first_folder(below, next)) {
			if (at != top)
				close(at);
			at = below;
			memcpy(last, next, sizeof last);
		}
		if (below >= 0)
			close(below);
		if (unlinkat(at, last, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = -errno;
		if (at != top)
			close(at);
	}
	close(top);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int each_pid_here(int dir, void (*fn)(void *arg, pid_t pid), void *arg)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC), pid, r;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (!f) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (fscanf(f, "%d", &pid) == 1)
		if (pid > 0) /* 0: of another namespace */
			fn(arg, pid);
	fclose(f);
	return 0;
}

static int each_pid(int dir, void (*fn)(void *arg, pid_t pid), void *arg, int depth)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), below, r;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	r = each_pid_here(dir, fn, arg);
	while (depth < DEPTH_MAX && (e = readdir(d))) {
		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		below = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below < 0)
			continue; /* removed meanwhile */
		each_pid(below, fn, arg, depth + 1);
		close(below);
	}
	closedir(d);
	return r;
}

int cgtree_each_pid(int dir, void (*fn)(void *arg, pid_t pid), void *arg)
{
	return each_pid(dir, fn, arg, 0);
}

/* ---- names */

ssize_t cgtree_of(pid_t pid, char *buf, size_t n)
{
	char path[64], *line = NULL;
	size_t room = 0;
	ssize_t r = -ENODATA;
	FILE *f;

	if (pid)
		snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
	else
		snprintf(path, sizeof path, "/proc/self/cgroup");
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		r = (ssize_t)strlen(line + 3);
		if ((size_t)r >= n)
			r = -ENAMETOOLONG;
		else
			memcpy(buf, line + 3, (size_t)r + 1);
		break;
	}
	free(line);
	fclose(f);
	return r;
}

/* The mount table writes space, tab, newline and backslash as octal numbers. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = 0;
}

/* A line of the mount table: the place in the file system of cgroup OWN. -ENOENT: it cannot be seen in that mount. */
static int place_in(char *line, const char *own, char **ret)
{
	char *field[5], *type = strstr(line, " - cgroup2 "), *save = NULL;
	size_t n, size;

	if (!type)
		return -ENOENT;
	for (int i = 0; i < 5; i++) { /* number, parent, device, root, mount point */
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return -ENOENT;
	}
	unescape(field[3]);
	unescape(field[4]);
	n = strcmp(field[3], "/") == 0 ? 0 : strlen(field[3]);
	if (strncmp(own, field[3], n) != 0 || (own[n] && own[n] != '/'))
		return -ENOENT;
	own += n;
	size = strlen(field[4]) + strlen(own) + 1;
	*ret = holt__malloc(size);
	if (!*ret)
		return -ENOMEM;
	snprintf(*ret, size, "%s%s", field[4], strcmp(own, "/") == 0 ? "" : own);
	return 0;
}

/* -EOPNOTSUPP: nowhere. */
static int find_place(const char *own, char **ret)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *place = NULL;
	size_t room = 0;
	struct stat st;
	int r = -ENOENT;

	if (!f)
		return -EOPNOTSUPP;
	while (r == -ENOENT && getline(&line, &room, f) > 0) {
		r = place_in(line, own, &place);
		if (r == 0 && (stat(place, &st) < 0 || !S_ISDIR(st.st_mode))) {
			holt__free(place);
			r = -ENOENT;
		}
	}
	free(line);
	fclose(f);
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	*ret = place;
	return 0;
}

/* ---- delegation */

static bool marked(int fd, const char *attribute)
{
	char value[8];

	return fgetxattr(fd, attribute, value, sizeof value) >= 1 && value[0] == '1';
}

static bool writable(int fd)
{
	return faccessat(fd, ".", W_OK, AT_EACCESS) == 0 && faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0 &&
		faccessat(fd, "cgroup.subtree_control", W_OK, AT_EACCESS) == 0;
}

/* NULL: it was delegated to us; else why not. */
static const char *refusal(int fd, const char *own)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC || fstat(fd, &st) < 0)
		return "it is no cgroup v2";
	if (faccessat(fd, "cgroup.events", F_OK, 0) < 0)
		return "it is the root of all cgroups of this machine";
	if (!marked(fd, "user.delegate") && !marked(fd, "trusted.delegate") && strcmp(own, "/") != 0 &&
		(st.st_uid == 0 || st.st_uid != geteuid()))
		return "it was not delegated to us, as Delegate=yes in a unit does";
	return writable(fd) ? NULL : "it is not ours to write to";
}

/* When it is supervisor/, we have moved there already; .control/ is where systemd runs ExecStopPost= of a delegated unit. */
static bool in_leaf(const char *own)
{
	const char *name = strrchr(own, '/');

	return strcmp(name, "/supervisor") == 0 || strcmp(name, "/.control") == 0;
}

static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	*(slash == path ? path + 1 : slash) = 0;
}

static void say(struct holt__text *why, const char *what, const char *reason)
{
	why->len = 0;
	holt__text_add(why, what);
	holt__text_add(why, reason);
}

/* Our cgroup, or the one above it. */
static int find(bool above, char **ret_own, char **ret_path, struct holt__text *why)
{
	char own[4096], *copy;
	int r;

	if (cgtree_of(0, own, sizeof own) < 0) {
		say(why, "there is no cgroup v2", "");
		return -EOPNOTSUPP;
	}
	if (above && !in_leaf(own))
		return -EOPNOTSUPP;
	if (above)
		cut_last(own);
	copy = holt__strdup(own);
	if (!copy)
		return -ENOMEM;
	r = find_place(own, ret_path);
	if (r < 0) {
		say(why, "our cgroup can be seen in no mounted cgroup v2", "");
		holt__free(copy);
		return r;
	}
	*ret_own = copy;
	return 0;
}

static int try(bool above, int *ret_fd, char **ret_path, char **ret_own, struct holt__text *why)
{
	char *path = NULL, *own = NULL;
	const char *no;
	int r, fd;

	r = find(above, &own, &path, why);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	no = fd < 0 ? strerror(errno) : refusal(fd, own);
	if (!no) {
		*ret_fd = fd;
		*ret_path = path;
		*ret_own = own;
		return 0;
	}
	say(why, path, ": ");
	holt__text_add(why, no);
	if (fd >= 0)
		close(fd);
	holt__free(path);
	holt__free(own);
	return -EOPNOTSUPP;
}

int cgtree_find(int *ret_fd, char **ret_path, char **ret_own, struct holt__text *why)
{
	int r = try(true, ret_fd, ret_path, ret_own, why);

	return r == -EOPNOTSUPP ? try(false, ret_fd, ret_path, ret_own, why) : r;
}
