/* SPDX-License-Identifier: MIT */
/*
 * LoadCredential=: a copy of each file for one start of a process, S/credentials/ID/NAME, where ID is its invocation. Files are
 * 0400 and the directory is 0500 and both are the process's user's, who thus can read, but not change them; nobody else can
 * look into it. Of each file 1 MiB is read, as systemd does; a longer one is an error, as is one that is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/exec_parts.h"

enum { CREDENTIAL_MAX = 1 << 20 };

const char *exec_credentials_path(struct exec *e, const struct exec_base *b, const struct invocation *id)
{
	size_t n = strlen(b->state) + sizeof "/credentials/" + INVOCATION_DIGITS;
	char *path = exec_get(e, n), text[INVOCATION_DIGITS + 1];

	if (!path)
		return NULL;
	invocation_text(id, text);
	snprintf(path, n, "%s/credentials/%s", b->state, text);
	return path;
}

/* ---- reading */

static int open_source(const struct exec_base *b, const char *path)
{
	int fd, dir;

	if (path[0] == '/') {
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a fifo shall not hold us up */
		return fd < 0 ? -errno : fd;
	}
	if (!b->own_credentials)
		return -ENOENT;
	dir = open(b->own_credentials, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	close(dir);
	return fd;
}

static ssize_t read_all(int fd, char *buf, size_t n)
{
	size_t len = 0;
	ssize_t k = 1;

	while (len < n && (k = read(fd, buf + len, n - len)) > 0)
		len += (size_t)k;
	return k < 0 ? -errno : (ssize_t)len;
}

static ssize_t read_source(const struct exec_base *b, const char *path, char *buf)
{
	int fd = open_source(b, path);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		n = -errno;
	else if (S_ISDIR(st.st_mode))
		n = -EISDIR;
	else
		n = S_ISREG(st.st_mode) ? read_all(fd, buf, CREDENTIAL_MAX + 1) : -EINVAL;
	close(fd);
	return n > CREDENTIAL_MAX ? -EFBIG : n;
}

/* ---- writing */

static int make_directory(const struct exec_base *b, const char *path)
{
	char parent[4096];
	int fd;

	if ((size_t)snprintf(parent, sizeof parent, "%s/credentials", b->state) >= sizeof parent)
		return -ENAMETOOLONG;
	if (mkdir(parent, 0711) < 0 ? errno != EEXIST : chmod(parent, 0711) < 0)
		return -errno;
	if (mkdir(path, 0700) < 0)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* To whom, if it is not us: else it is theirs already, and the change of its owner would be refused. */
static int give(int fd, mode_t mode, uid_t uid, gid_t gid)
{
	if ((uid != geteuid() || gid != getegid()) && fchown(fd, uid, gid) < 0)
		return -errno;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int write_one(int dir, const char *id, const char *buf, size_t n, uid_t uid, gid_t gid)
{
	int fd = openat(dir, id, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), r = 0;
	ssize_t k;

	if (fd < 0)
		return -errno;
	k = write(fd, buf, n);
	if (k != (ssize_t)n)
		r = k < 0 ? -errno : -ENOSPC;
	if (r == 0)
		r = give(fd, 0400, uid, gid);
	close(fd);
	return r;
}

static int write_all(struct exec *e, struct exec_base *b, const struct node *n, int dir, char *buf)
{
	const struct process_conf *c = n->process;
	uid_t uid;
	gid_t gid;
	int r = exec_user_of(b, n, &uid, &gid);

	if (r < 0)
		return exec_fails(e, "User", c->user, NULL, r);
	for (size_t i = 0; i < c->n_credentials; i++) {
		const struct credential *k = &c->credentials[i];
		ssize_t size = read_source(b, k->path, buf);

		r = size < 0 ? (int)size : write_one(dir, k->id, buf, (size_t)size, uid, gid);
		if (r < 0)
			return exec_fails(e, "LoadCredential", k->path, r == -EFBIG ? "more than 1 MiB" : NULL, r);
	}
	r = give(dir, 0500, uid, gid);
	return r < 0 ? exec_fails(e, "LoadCredential", NULL, NULL, r) : 0;
}

int exec_credentials_make(struct exec *e, struct exec_base *b, const struct node *n, const struct invocation *id)
{
	const char *path;
	char *buf;
	int dir, r;

	if (!b->state || !id)
		return exec_fails(e, "LoadCredential", NULL, "there is no state directory", -ENOTSUP);
	exec_credentials_remove(b, n, id);
	path = exec_credentials_path(e, b, id);
	buf = holt__malloc(CREDENTIAL_MAX + 1);
	if (!path || !buf) {
		holt__free(buf);
		return exec_fails(e, "LoadCredential", NULL, NULL, -ENOMEM);
	}
	dir = make_directory(b, path);
	r = dir < 0 ? exec_fails(e, "LoadCredential", path, NULL, dir) : write_all(e, b, n, dir, buf);
	if (dir >= 0)
		close(dir);
	explicit_bzero(buf, CREDENTIAL_MAX + 1);
	holt__free(buf);
	if (r < 0)
		exec_credentials_remove(b, n, id);
	return r;
}

void exec_credentials_remove(const struct exec_base *b, const struct node *n, const struct invocation *id)
{
	const struct process_conf *c = n->process;
	char text[INVOCATION_DIGITS + 1], path[4096];
	int dir;

	if (!c || !c->n_credentials || !b->state)
		return;
	invocation_text(id, text);
	if ((size_t)snprintf(path, sizeof path, "%s/credentials/%s", b->state, text) >= sizeof path)
		return;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	(void)fchmod(dir, 0700); /* our own, when we are not root */
	for (size_t i = 0; i < c->n_credentials; i++)
		(void)unlinkat(dir, c->credentials[i].id, 0);
	close(dir);
	(void)rmdir(path);
}
