/* SPDX-License-Identifier: MIT */
/*
 * The notify sockets. A message is received with all that may come with it, and then everything has one end: each of its
 * descriptors is in the store or closed when it is done, in whatever way it was done.
 *
 * Of descriptors that did not fit into our table (MSG_CTRUNC) the kernel has closed the rest: they are all dropped then, but
 * what the message says is heard, a READY=1 as well as a BARRIER=1, which has its effect by that very closing.
 */
#include "daemon/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <holt/log.h>

#include "base/alloc.h"

enum { ROUND_MAX = 8, DRAIN_MAX = 256, ID_MAX = 64 };

enum told { TOLD_SENDER = 1, TOLD_LONG = 2, TOLD_BAD = 4, TOLD_LOST = 8, TOLD_STORE = 16 };

struct received {
	char text[NOTIFY_SIZE_MAX + 1];
	size_t n;
	int fds[NOTIFY_FDS_MAX];
	size_t n_fds;
	struct ucred from;
	bool has_from;
	int flags;
};

static bool tell(struct notify *n, enum told what)
{
	if (n->told & what)
		return false;
	n->told |= (uint8_t)what;
	return true;
}

/* ---- a message */

static void close_fds(struct received *r)
{
	for (size_t i = 0; i < r->n_fds; i++)
		close(r->fds[i]);
	r->n_fds = 0;
}

static void take_control(struct received *r, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t size = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && size == sizeof r->from) {
			memcpy(&r->from, CMSG_DATA(c), size);
			r->has_from = true;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			r->n_fds = size / sizeof(int);
			memcpy(r->fds, CMSG_DATA(c), r->n_fds * sizeof(int));
		}
	}
}

static int receive(int fd, struct received *r)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec v = { r->text, NOTIFY_SIZE_MAX };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf };
	ssize_t n;

	do
		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->n = (size_t)n;
	r->n_fds = 0;
	r->has_from = false;
	r->flags = h.msg_flags;
	take_control(r, &h);
	return 0;
}

static bool trusted(struct notify *n, const struct received *r)
{
	if (r->has_from && (r->from.uid == n->uid || r->from.uid == 0))
		return true;
	if (tell(n, TOLD_SENDER))
		holt_log(LOG_WARNING, "%s: a message on its notify socket from process %d of user %d is ignored", n->label,
			r->has_from ? r->from.pid : 0, r->has_from ? (int)r->from.uid : -1);
	return false;
}

static bool readable(struct notify *n, struct received *r, struct notify_message *m)
{
	if (r->flags & MSG_TRUNC) {
		if (tell(n, TOLD_LONG))
			holt_log(LOG_WARNING, "%s: a notify message of more than %d bytes is ignored", n->label, NOTIFY_SIZE_MAX);
		return false;
	}
	if (notify_parse(m, r->text, r->n) < 0) {
		if (tell(n, TOLD_BAD))
			holt_log(LOG_WARNING, "%s: a notify message with a NUL in it is ignored", n->label);
		return false;
	}
	m->pid = r->from.pid;
	m->uid = r->from.uid;
	return true;
}

static void store(struct notify *n, struct received *r, const struct notify_message *m)
{
	const char *name = m->fdname ? m->fdname : "stored";
	int e = 0;

	for (size_t i = 0; i < r->n_fds; i++) {
		int one = fdstore_put(n->store, name, r->fds[i], !m->fdpoll_off);

		e = one < 0 ? one : e;
	}
	r->n_fds = 0; /* taken, or closed */
	if (e < 0 && tell(n, TOLD_STORE))
		holt_log(LOG_WARNING, "%s: cannot store a file descriptor: %s", n->label,
			e == -ENOSPC ? "there are too many" : strerror(-e));
}

/* False: N was closed by who heard the message, and may be gone. */
static bool handle(struct notify *n, struct received *r)
{
	bool closed = false, *outer = n->closed; /* who hears may drain the socket, in his turn */
	struct notify_message m;

	if (r->flags & MSG_CTRUNC) {
		close_fds(r);
		if (tell(n, TOLD_LOST))
			holt_log(LOG_WARNING, "%s: file descriptors that it sent were lost: there are too many open", n->label);
	}
	if (trusted(n, r) && readable(n, r, &m)) {
		if (n->store && m.fdstore)
			store(n, r, &m);
		if (n->store && m.fdstore_remove && m.fdname)
			fdstore_remove(n->store, m.fdname);
		n->closed = &closed;
		n->message(n, &m);
		if (!closed)
			n->closed = outer;
		else if (outer)
			*outer = true;
	}
	close_fds(r); /* a barrier's, too: all that was sent before it has been heard */
	return !closed;
}

static void hear(struct notify *n, int max)
{
	struct received r;
	int e = 0;

	while (max-- > 0) {
		e = receive(n->watch.fd, &r);
		if (e < 0)
			break;
		if (!handle(n, &r))
			return;
	}
	if (e < 0 && e != -EAGAIN && e != -ENOMEM && e != -ENOBUFS) {
		holt_log(LOG_ERR, "%s: its notify socket fails: %s", n->label, strerror(-e));
		watch_close(n->dir->watcher, &n->watch); /* else it would be told again and again */
	}
}

static void something_came(struct watch *watch, uint32_t events)
{
	(void)events;
	hear(holt__container(watch, struct notify, watch), ROUND_MAX);
}

void notify_drain(struct notify *n)
{
	if (n->dir && watch_added(&n->watch))
		hear(n, DRAIN_MAX);
}

/* ---- a socket */

static bool is_file_name(const char *id)
{
	return *id && strlen(id) <= ID_MAX && !strchr(id, '/') && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

/* What fits into an address, if need be through the directory's descriptor: who has our uid may look through that, others may not. */
static int find_path(const struct notify_dir *d, const char *id, uid_t uid, char **ret)
{
	size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
	char path[512];
	int n = snprintf(path, sizeof path, "%s/%s", d->path, id);

	if (n < 0 || (size_t)n >= room) {
		if (uid != geteuid())
			return -ENAMETOOLONG;
		n = snprintf(path, sizeof path, "/proc/%d/fd/%d/%s", getpid(), d->fd, id);
		if (n < 0 || (size_t)n >= room)
			return -ENAMETOOLONG;
	}
	*ret = holt__strdup(path);
	return *ret ? 0 : -ENOMEM;
}

/* Its mode is that of the socket before it has a name, so there is no moment in which others may use it. */
static int bind_at(int fd, const struct notify_dir *d, const char *path, const char *id, uid_t uid, gid_t gid)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	if (unlinkat(d->fd, id, 0) < 0 && errno != ENOENT)
		return -errno;
	memcpy(a.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return -errno;
	if (uid != geteuid() && fchownat(d->fd, id, uid, gid, AT_SYMLINK_NOFOLLOW) < 0) {
		int e = -errno;

		unlinkat(d->fd, id, 0);
		return e;
	}
	return 0;
}

static int open_socket(struct notify *n, struct notify_dir *d, const char *path, const char *id, uid_t uid, gid_t gid)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	r = bind_at(fd, d, path, id, uid, gid);
	if (r == 0) {
		r = watch_add(d->watcher, &n->watch, fd, EPOLLIN);
		if (r < 0)
			unlinkat(d->fd, id, 0);
	}
	if (r < 0)
		close(fd);
	return r;
}

int notify_open(struct notify *n, struct notify_dir *d, const char *id, uid_t uid, gid_t gid)
{
	char *path;
	int r;

	if (n->dir)
		return -EBUSY;
	if (!is_file_name(id))
		return -EINVAL;
	r = find_path(d, id, uid, &path);
	if (r < 0)
		return r;
	n->watch.fire = something_came;
	r = open_socket(n, d, path, id, uid, gid);
	if (r < 0) {
		holt__free(path);
		return r;
	}
	n->dir = d;
	n->path = path;
	n->id = strrchr(path, '/') + 1;
	n->uid = uid;
	return 0;
}

void notify_close(struct notify *n)
{
	if (!n->dir)
		return;
	watch_close(n->dir->watcher, &n->watch);
	unlinkat(n->dir->fd, n->id, 0);
	holt__free(n->path);
	n->path = NULL;
	n->id = NULL;
	n->dir = NULL;
	if (n->closed)
		*n->closed = true;
	n->closed = NULL;
}

/* ---- the directory */

static void remove_sockets(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)))
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			unlinkat(dir, e->d_name, 0);
	closedir(d);
}

/* Whatever the umask is. */
static int open_dir(const char *path)
{
	int fd, e;

	if (mkdir(path, 0711) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0711) < 0) {
		e = -errno;
		close(fd);
		return e;
	}
	return fd;
}

int notify_dir_open(struct notify_dir *d, struct watcher *w, const char *state)
{
	size_t size = strlen(state) + sizeof "/notify";

	*d = (struct notify_dir){ .watcher = w, .fd = -1 };
	d->path = holt__malloc(size);
	if (!d->path)
		return -ENOMEM;
	snprintf(d->path, size, "%s/notify", state);
	d->fd = open_dir(d->path);
	if (d->fd < 0) {
		int r = d->fd;

		notify_dir_close(d);
		return r;
	}
	remove_sockets(d->fd);
	return 0;
}

void notify_dir_close(struct notify_dir *d)
{
	if (!d->path)
		return;
	if (d->fd >= 0) {
		close(d->fd);
		rmdir(d->path); /* unless somebody's socket is in it */
	}
	holt__free(d->path);
	d->path = NULL;
	d->fd = -1;
}
