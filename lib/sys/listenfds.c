/* SPDX-License-Identifier: MIT */
/*
 * sd_listen_fds_with_names(3) by ourselves, for two reasons: it takes its memory past our seam, and the one of
 * systemd 252 does not know LISTEN_PIDFDID, which tells us from another process that got our number.
 *
 * The protocol: descriptors 3 to 2 + LISTEN_FDS are for the process LISTEN_PID, whose pidfd has the inode
 * LISTEN_PIDFDID; LISTEN_FDNAMES are their names with ':' between. One without a name is called "unknown".
 */
#include "sys/listenfds.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/sys.h"

#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446
#endif

enum { FIRST = 3 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool was_read;
static struct table {
	int n, left; /* passed, not taken yet */
	char *names; /* of all, each with its NUL */
	int fds[];   /* in order; -1: taken, or none was there */
} * table;           /* NULL: none is left */

static bool number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s || !*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || v > max / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

/* 1: that is us, 0: another process, -1: this kernel gives processes no inode of their own (before 6.9). */
static int is_our_pidfd(uint64_t inode)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0), r = -1;
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == PID_FS_MAGIC && holt__sys->fstat(fd, &st) >= 0)
		r = st.st_ino == inode;
	holt__sys->close(fd);
	return r;
}

static bool are_ours(void)
{
	uint64_t pid, inode;
	int r = -1;

	if (number(getenv("LISTEN_PIDFDID"), UINT64_MAX, &inode))
		r = is_our_pidfd(inode);
	if (r >= 0)
		return r;
	return number(getenv("LISTEN_PID"), INT_MAX, &pid) && (pid_t)pid == getpid();
}

/* The i-th name of the list, not ended by a NUL; returns its length. */
static size_t name_at(const char *list, int i, const char **ret)
{
	while (list && i-- > 0) {
		list = strchr(list, ':');
		list = list ? list + 1 : NULL;
	}
	*ret = list ? list : "unknown";
	return list ? strcspn(list, ":") : strlen("unknown");
}

static size_t copy_names(char *to, const char *list, int n)
{
	const char *name;
	size_t all = 0;

	for (int i = 0; i < n; i++) {
		size_t len = name_at(list, i, &name);

		if (to) {
			memcpy(to + all, name, len);
			to[all + len] = 0;
		}
		all += len + 1;
	}
	return all;
}

static int read_environment(void)
{
	const char *list = getenv("LISTEN_FDNAMES");
	uint64_t n;
	size_t size;

	if (!number(getenv("LISTEN_FDS"), 4096UL * 1024, &n) || !are_ours())
		return 0;
	size = sizeof *table + n * sizeof table->fds[0];
	table = holt__malloc(size + copy_names(NULL, list, (int)n));
	if (!table)
		return -ENOMEM;
	if (holt__kept)
		holt__kept(table);
	table->n = (int)n;
	table->left = 0;
	table->names = (char *)table + size;
	copy_names(table->names, list, (int)n);
	for (int i = 0; i < table->n; i++) {
		table->fds[i] = holt__sys->set_cloexec(FIRST + i, true) < 0 ? -1 : FIRST + i;
		table->left += table->fds[i] >= 0;
	}
	return 0;
}

static void drop_when_empty(void)
{
	if (table && table->left == 0) {
		holt__free(table);
		table = NULL;
	}
}

static int read_once(void)
{
	if (was_read)
		return 0;
	if (read_environment() < 0)
		return -ENOMEM;
	was_read = true;
	drop_when_empty();
	return 0;
}

int holt__listenfds_read(bool remove_variables)
{
	int r;

	pthread_mutex_lock(&mutex);
	r = read_once();
	if (r >= 0 && remove_variables) {
		unsetenv("LISTEN_PID");
		unsetenv("LISTEN_PIDFDID");
		unsetenv("LISTEN_FDS");
		unsetenv("LISTEN_FDNAMES");
	}
	pthread_mutex_unlock(&mutex);
	return r;
}

size_t holt__listenfds_take(const char *name, int *ret_fds, size_t n)
{
	size_t found = 0;
	const char *own;

	pthread_mutex_lock(&mutex);
	read_once(); /* without memory for the table none is found, until there is some */
	own = table ? table->names : NULL;
	for (int i = 0; table && i < table->n; own += strlen(own) + 1, i++) {
		if (table->fds[i] < 0 || (name && strcmp(name, own) != 0))
			continue;
		if (found++ < n) {
			ret_fds[found - 1] = table->fds[i];
			table->fds[i] = -1;
			table->left--;
		}
	}
	drop_when_empty();
	pthread_mutex_unlock(&mutex);
	return found;
}
