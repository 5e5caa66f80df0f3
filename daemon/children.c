/* SPDX-License-Identifier: MIT */
/*
 * Our children. The main thread's list stays open, so that a reading is one system call for 600 of them; when other
 * threads live, theirs are read before it, as the children of one that ends go to the end of another's.
 */
#include "daemon/children.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/invocation.h"

typedef int for_child(void *arg, pid_t pid);

struct each {
	const struct children *children;
	for_child *fn;
	void *arg;
};

static int open_list(int proc, const char *tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "self/task/%.16s/children", tid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Numbers, each followed by a space; a piece may end within one. */
static int read_list(int fd, const struct each *e)
{
	char buf[4096];
	off_t offset = 0;
	pid_t pid = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof buf, offset)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		offset += n;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = pid * 10 + (buf[i] - '0');
			} else if (pid) {
				int r = e->fn(e->arg, pid);

				if (r < 0)
					return r;
				pid = 0;
			}
		}
	}
	return 0;
}

/* The numbers among the names in a folder of /proc. */
static int each_number(const struct each *e, const char *folder, int (*fn)(const struct each *e, const char *number))
{
	int fd = openat(e->children->proc, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(d))) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			r = fn(e, entry->d_name);
	}
	if (r == 0)
		r = -errno;
	closedir(d);
	return r;
}

static int of_thread(const struct each *e, const char *tid)
{
	int fd, r;

	if (atoi(tid) == getpid())
		return 0; /* the main thread: read last */
	fd = open_list(e->children->proc, tid);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH ? 0 : fd; /* it has ended */
	r = read_list(fd, e);
	close(fd);
	return r;
}

static int by_stat(const struct each *e, const char *number)
{
	pid_t pid = atoi(number);
	struct proc_stat stat;
	int r = proc_stat(e->children->proc, pid, &stat);

	if (r < 0)
		return r == -ESRCH || r == -EACCES ? 0 : r;
	return stat.parent == getpid() ? e->fn(e->arg, pid) : 0;
}

int children_each(const struct children *c, for_child *fn, void *arg)
{
	struct each e = { c, fn, arg };
	struct stat st;
	int r;

	if (c->proc < 0)
		return 0;
	if (c->list < 0)
		return each_number(&e, ".", by_stat);
	/* a link for each thread, beside those of "." and ".." */
	if (fstatat(c->proc, "self/task", &st, 0) == 0 && st.st_nlink != 3) {
		r = each_number(&e, "self/task", of_thread);
		if (r < 0)
			return r;
	}
	return read_list(c->list, &e);
}

/* NSpid: our number in the mount's namespace, and then in each one further in: a single one if both are the same. */
static bool shows_us(int proc)
{
	char buf[4096], *p, *end;
	ssize_t n = proc_read(proc, 0, "status", buf, sizeof buf);

	if (n <= 0)
		return false;
	p = strstr(buf, "\nNSpid:");
	if (!p)
		return true; /* a kernel without pid namespaces */
	p += strlen("\nNSpid:");
	return strtol(p, &end, 10) == getpid() && *end == '\n';
}

void children_open(struct children *c)
{
	char tid[16];

	c->list = -1;
	c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->proc >= 0 && !shows_us(c->proc)) {
		close(c->proc);
		c->proc = -1;
	}
	if (c->proc < 0)
		return;
	snprintf(tid, sizeof tid, "%d", getpid());
	c->list = open_list(c->proc, tid);
}

void children_close(struct children *c)
{
	if (c->list >= 0)
		close(c->list);
	if (c->proc >= 0)
		close(c->proc);
	c->list = c->proc = -1;
}
