/* SPDX-License-Identifier: MIT */
/*
 * See trust.h.
 */
#include "daemon/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel has it */

/* ---- the rule */

void trust_init(struct trust *t)
{
	const char *sudo = getenv("SUDO_UID");
	unsigned long uid;
	char *end;

	*t = (struct trust){ .uids = { 0, geteuid() }, .n = 2 };
	if (geteuid() != 0 || !sudo || *sudo < '0' || *sudo > '9')
		return;
	errno = 0;
	uid = strtoul(sudo, &end, 10);
	if (*end == 0 && errno == 0 && uid < UINT32_MAX)
		t->uids[t->n++] = (uid_t)uid;
}

const char *trust_verdict(const struct trust *t, const struct stat *st)
{
	bool trusted = false;

	for (unsigned i = 0; i < t->n; i++)
		trusted |= st->st_uid == t->uids[i];
	if (!trusted)
		return "belongs to another user";
	if (S_ISLNK(st->st_mode) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX))
		return NULL; /* a link's mode means nothing */
	if (st->st_mode & S_IWOTH)
		return "can be written by everybody";
	if (st->st_mode & S_IWGRP)
		return "can be written by its group";
	return NULL;
}

/* ---- the way */

struct walk {
	const struct trust *trust;
	int fd, parent;          /* where we are, and where that was found; O_PATH; -1: nowhere */
	char name[NAME_MAX + 1]; /* under which it was found there */
	char at[PATH_MAX];       /* its path, for the eye */
	char left[PATH_MAX];     /* where to go from here */
	unsigned links;
	struct refusal *refusal;
};

static int append(char *path, const char *name)
{
	size_t length = strlen(path), n = strlen(name);

	if (length + n + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	if (length == 0 || path[length - 1] != '/')
		path[length++] = '/';
	memcpy(path + length, name, n + 1);
	return 0;
}

/* Where ".." leads is only for the eye here: the descriptor knows. */
static int note_step(struct walk *w)
{
	char *slash;

	if (strcmp(w->name, "..") != 0)
		return append(w->at, w->name);
	slash = strrchr(w->at, '/');
	slash[slash == w->at] = 0;
	return 0;
}

static int judge(const struct walk *w, int fd, struct stat *ret)
{
	const char *why;

	if (fstat(fd, ret) < 0)
		return -errno;
	why = trust_verdict(w->trust, ret);
	if (!why)
		return 0;
	memcpy(w->refusal->path, w->at, strlen(w->at) + 1);
	w->refusal->why = why;
	return -EPERM;
}

static void leave(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int start_at_root(struct walk *w)
{
	struct stat st;

	leave(&w->fd);
	leave(&w->parent);
	w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	strcpy(w->at, "/");
	return judge(w, w->fd, &st);
}

/* Goes on at a link's text, and then to what was left. */
static int follow(struct walk *w, int link_fd)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", text, sizeof text);
	size_t left = strlen(w->left);

	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if ((size_t)n + 1 + left >= PATH_MAX)
		return -ENAMETOOLONG;
	memmove(w->left + n + 1, w->left, left + 1);
	memcpy(w->left, text, (size_t)n);
	w->left[n] = '/';
	return *w->left == '/' ? start_at_root(w) : 0;
}

/* Takes the next name off what is left: 1; 0: there is none. */
static int next_name(struct walk *w)
{
	size_t slashes = strspn(w->left, "/"), n = strcspn(w->left + slashes, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	if (n == 0)
		return 0;
	memcpy(w->name, w->left + slashes, n);
	w->name[n] = 0;
	memmove(w->left, w->left + slashes + n, strlen(w->left + slashes + n) + 1);
	return 1;
}

static int step(struct walk *w)
{
	size_t length = strlen(w->at);
	struct stat st;
	int fd = openat(w->fd, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = note_step(w);
	if (r == 0)
		r = judge(w, fd, &st);
	if (r == 0 && S_ISLNK(st.st_mode)) {
		w->at[length] = 0;
		r = follow(w, fd);
	} else if (r == 0) {
		leave(&w->parent);
		w->parent = w->fd;
		w->fd = fd;
		return 0;
	}
	close(fd);
	return r;
}

static int walk(struct walk *w)
{
	int r = start_at_root(w);

	while (r == 0 && (r = next_name(w)) > 0)
		r = strcmp(w->name, ".") == 0 ? 0 : step(w);
	return r;
}

/* Opens where we are. A folder is its own "."; anything else is opened by its name once more, and has to be the same. */
static int open_it(const struct walk *w, int flags)
{
	struct stat was, is;
	int fd, r;

	if (fstat(w->fd, &was) < 0)
		return -errno;
	if (S_ISDIR(was.st_mode))
		fd = openat(w->fd, ".", flags | O_CLOEXEC);
	else
		fd = openat(w->parent, w->name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = judge(w, fd, &is);
	if (r == 0 && (is.st_dev != was.st_dev || is.st_ino != was.st_ino))
		r = -ESTALE;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int trust_open(const struct trust *t, const char *path, int flags, struct refusal *ret_refusal)
{
	struct walk w = { .trust = t, .fd = -1, .parent = -1, .refusal = ret_refusal };
	int r = 0;

	if (*path != '/' && !getcwd(w.left, sizeof w.left))
		return -errno;
	r = append(w.left, path);
	if (r == 0)
		r = walk(&w);
	if (r == 0)
		r = open_it(&w, flags);
	leave(&w.fd);
	leave(&w.parent);
	return r;
}
