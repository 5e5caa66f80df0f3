/* SPDX-License-Identifier: MIT */
/*
 * Lines to the journal, by its native protocol: a datagram of NAME=value lines, or, when it is too large for one, a sealed memfd that
 * holds the same. Each is complete in itself, so nothing has to be kept for a stream.
 *
 * holt_log() is not the way: it has a level, adds the task that logs, and drops what does not fit into its ring. Here a full
 * queue holds up who writes. A connected datagram socket says EAGAIN then, and EPOLLOUT when there is room again; when the
 * journal went away it says ECONNREFUSED, and connecting the same socket again is enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/lines_parts.h"

enum { SEND_BUFFER = 1 << 20, HEAD_SIZE = 2048, NAME_MAX_SIZE = 500 };

static int connect_it(struct journal *j)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	static const int size = SEND_BUFFER;
	size_t n = strlen(j->path);

	if (n >= sizeof a.sun_path)
		return -ENAMETOOLONG;
	memcpy(a.sun_path, j->path, n);
	if (j->fd < 0) {
		j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (j->fd < 0)
			return -errno;
		(void)setsockopt(j->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* as much of it as is allowed */
	}
	return connect(j->fd, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
}

static void writable(struct watch *w, uint32_t events)
{
	struct journal *j = holt__container(w, struct journal, writable);

	(void)events;
	watch_remove(j->watcher, w);
	lines_resume(holt__container(j, struct lines, journal));
}

void journal_open(struct journal *j, struct watcher *w, const char *path)
{
	*j = (struct journal){ .watcher = w, .path = path, .fd = -1, .writable.fire = writable };
}

void journal_close(struct journal *j)
{
	watch_remove(j->watcher, &j->writable);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

/* ---- sending */

static int send_message(int fd, const struct msghdr *m)
{
	ssize_t k;

	do
		k = sendmsg(fd, m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (k < 0 && errno == EINTR);
	return k < 0 ? -errno : 0;
}

static int send_memfd(int fd, const struct iovec *v, int n, size_t size)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_control = &control, .msg_controllen = sizeof control };
	int memfd = memfd_create("holt-line", MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;

	if (memfd < 0)
		return -errno;
	if (writev(memfd, v, n) != (ssize_t)size)
		r = -ENOSPC;
	else if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r == 0) {
		memcpy(CMSG_DATA(&control.header), &memfd, sizeof memfd);
		r = send_message(fd, &m);
	}
	close(memfd);
	return r;
}

static int transmit(struct journal *j, struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)n };
	size_t size = 0;
	int r = -ENOTCONN;

	for (int i = 0; i < n; i++)
		size += v[i].iov_len;
	for (int i = 0; i < 2; i++) {
		if ((j->fd >= 0 && i == 0) || connect_it(j) == 0)
			r = send_message(j->fd, &m);
		if (r == -EMSGSIZE || (r == -ENOBUFS && size > CHUNK)) /* the latter: no memory in one piece */
			r = send_memfd(j->fd, v, n, size);
		if (r == 0 || r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM)
			break;
	}
	return r;
}

/* ---- an entry */

/* A value goes to its end of line or so many bytes: names come from a file, and this must stay well-formed. */
static void field(struct holt__text *t, const char *key, const char *value)
{
	size_t n = strcspn(value, "\n");

	holt__text_add(t, key);
	holt__text_add_n(t, value, n < NAME_MAX_SIZE ? n : NAME_MAX_SIZE);
	holt__text_add(t, "\n");
}

static void head(struct holt__text *t, const char *tree, const struct lines_from *f)
{
	char id[INVOCATION_DIGITS + 1], number[16];

	snprintf(number, sizeof number, "%d", f->priority);
	field(t, "PRIORITY=", number);
	field(t, "SYSLOG_IDENTIFIER=", f->node->name);
	if (f->pid) {
		snprintf(number, sizeof number, "%d", (int)f->pid);
		field(t, "SYSLOG_PID=", number);
	}
	field(t, "HOLT_NODE=", f->node->path);
	field(t, "HOLT_TREE=", tree);
	if (f->id && (f->id->v[0] || f->id->v[1])) {
		invocation_text(f->id, id);
		field(t, "HOLT_INVOCATION_ID=", id);
	}
	holt__text_add(t, "MESSAGE=");
}

int journal_write(struct journal *j, const char *tree, const struct lines_from *f, const char *s, size_t n)
{
	char text[HEAD_SIZE], newline = '\n';
	struct holt__text t = HOLT__TEXT(text);
	int r;

	head(&t, tree, f);
	struct iovec v[] = { { text, t.len }, { (void *)(uintptr_t)s, n }, { &newline, 1 } };

	r = transmit(j, v, HOLT__N(v));
	if (r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM)
		return r;
	if (!watch_added(&j->writable))
		r = watch_add(j->watcher, &j->writable, j->fd, EPOLLOUT);
	else
		r = 0;
	return r < 0 ? r : -EAGAIN;
}

void journal_wait(struct journal *j, holt_time end)
{
	holt_time now = lines_clock();
	struct pollfd p = { .fd = j->fd, .events = POLLOUT };

	if (now < end && j->fd >= 0)
		(void)poll(&p, 1, (int)((end - now) / HOLT_MS) + 1);
}
