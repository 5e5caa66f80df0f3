/* SPDX-License-Identifier: MIT */
/*
 * The manager's notify socket, sd_notify(3)'s protocol.
 *
 * libsystemd's own functions are not used here, because they block: a manager that does not read for a while fills
 * its socket (ten datagrams, where nobody raised the limit), and would hold up the whole loop. Here a datagram goes
 * out at once or not at all. What a program says is refused with -EAGAIN then; what the service says by itself
 * (STOPPING=1, the READY=1 after a reload) waits in a short list until the socket takes it. Nothing overtakes that
 * list, so the order stays.
 *
 * The socket is opened when the run begins: a process without a descriptor left can still feed its watchdog. It sends
 * by name each time, so a manager that made its socket anew is found. AF_VSOCK is not spoken.
 */
#include "service/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "task/task.h"

enum { KEPT_AT_MOST = 64, TOLD_AT_MOST = 1024 };

struct message {
	struct message *next;
	size_t n;
	char text[];
};

static struct {
	bool looked, ready;
	struct sockaddr_un address;
	socklen_t address_size; /* 0: no manager */
	int fd_plus_1;          /* 0: not open */
	struct holt_loop *loop; /* NULL: no service runs */
	struct holt__source source;
	bool waits;                    /* for the socket to take more */
	struct message *first, **last; /* kept */
	size_t n_kept;
} manager;

/* ---- who */

static void look(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un *a = &manager.address;
	size_t n = path ? strlen(path) : 0;

	if (manager.looked)
		return;
	manager.looked = true;
	if (n < 2 || n >= sizeof a->sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, path, n);
	if (path[0] == '@')
		a->sun_path[0] = 0;
	manager.address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
}

void holt__notify_take(void)
{
	look();
	unsetenv("NOTIFY_SOCKET");
}

bool holt__notify_ready(void)
{
	return manager.ready;
}

/* ---- sending */

static int open_socket(void)
{
	return holt__sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int send_by(int socket, const char *text, size_t n, int fd)
{
	struct iovec v = { .iov_base = (char *)text, .iov_len = n };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct msghdr m = { .msg_name = &manager.address, .msg_namelen = manager.address_size, .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t r;

	if (fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
		m.msg_control = &control;
		m.msg_controllen = sizeof control.space;
	}
	do {
		r = holt__sys->sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (r == -EINTR);
	return r < 0 ? (int)r : 1;
}

static int send_now(const char *text, size_t n, int fd)
{
	int socket, r;

	if (manager.fd_plus_1 > 0)
		return send_by(manager.fd_plus_1 - 1, text, n, fd);
	socket = open_socket();
	if (socket < 0)
		return socket;
	r = send_by(socket, text, n, fd);
	holt__sys->close(socket);
	return r;
}

static void drop_first(void)
{
	struct message *m = manager.first;

	manager.first = m->next;
	if (!manager.first)
		manager.last = &manager.first;
	manager.n_kept--;
	holt__free(m);
}

/* False: some are left, and are to be sent before anything else. */
static bool send_kept(void)
{
	while (manager.first) {
		if (send_now(manager.first->text, manager.first->n, -1) == -EAGAIN)
			return false;
		drop_first(); /* sent, or lost: there is nobody any more */
	}
	return true;
}

static void stop_waiting(void)
{
	if (manager.waits)
		holt__loop_detach(manager.loop, &manager.source);
	manager.waits = false;
}

static void on_writable(struct holt__source *source, uint32_t events)
{
	(void)source;
	(void)events;
	if (send_kept())
		stop_waiting();
}

/* Only a connected socket is told when the receiver has room. If that fails, the next message tries again. */
static void wait_for_room(void)
{
	int fd = manager.fd_plus_1 - 1;

	if (manager.waits || fd < 0 || holt__sys->connect(fd, (struct sockaddr *)&manager.address, manager.address_size) < 0)
		return;
	manager.source.fire = on_writable;
	manager.waits = holt__loop_attach(manager.loop, &manager.source, fd, EPOLLOUT) >= 0;
}

static bool says_ready(const char *text, size_t n)
{
	const char *p = memmem(text, n, "READY=1", 7);

	return p && (p == text || p[-1] == '\n');
}

int holt__notify_send(const char *text, size_t n, int fd)
{
	int r;

	look();
	if (manager.address_size == 0)
		return 0;
	r = send_kept() ? send_now(text, n, fd) : -EAGAIN;
	if (r > 0 && says_ready(text, n))
		manager.ready = true;
	return r;
}

static void keep(const char *text, size_t n)
{
	struct message *m = manager.n_kept < KEPT_AT_MOST ? holt__malloc(sizeof *m + n) : NULL;

	if (!m)
		return;
	m->next = NULL;
	m->n = n;
	memcpy(m->text, text, n);
	*manager.last = m;
	manager.last = &m->next;
	manager.n_kept++;
	wait_for_room();
}

void holt__notify_tell(const char *fmt, ...)
{
	char text[TOLD_AT_MOST];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n = n < TOLD_AT_MOST ? n : TOLD_AT_MOST - 1;
	if (holt__notify_send(text, (size_t)n, -1) == -EAGAIN && manager.loop)
		keep(text, (size_t)n);
}

/* ---- the run */

void holt__notify_begin(struct holt__sched *s)
{
	int fd;

	manager.last = &manager.first;
	manager.loop = &s->loop;
	if (manager.address_size == 0)
		return;
	fd = open_socket(); /* without it each message opens its own */
	manager.fd_plus_1 = fd < 0 ? 0 : fd + 1;
}

void holt__notify_end(void)
{
	if (!manager.loop)
		return;
	send_kept();
	stop_waiting();
	while (manager.first)
		drop_first();
	manager.loop = NULL;
	if (manager.fd_plus_1 > 0)
		holt__sys->close(manager.fd_plus_1 - 1);
	manager.fd_plus_1 = 0;
}

/* ---- the public face */

static void make_one_line(char *s)
{
	for (; *s; s++)
		if (*s == '\n' || *s == '\r')
			*s = ' ';
}

static __attribute__((format(printf, 3, 0))) int send_formatted(const char *before, bool one_line, const char *fmt, va_list ap)
{
	size_t n = strlen(before);
	va_list again;
	char *text;
	int k, r;

	if (!fmt)
		return -EINVAL;
	va_copy(again, ap);
	k = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (k < 0)
		return -EINVAL;
	text = holt__malloc(n + (size_t)k + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, before, n);
	vsnprintf(text + n, (size_t)k + 1, fmt, ap);
	if (one_line)
		make_one_line(text + n);
	r = holt__notify_send(text, n + (size_t)k, -1);
	holt__free(text);
	return r;
}

int holt_service_ready(const char *fmt, ...)
{
	va_list ap;
	int r;

	holt__check_fork("holt_service_ready");
	if (!fmt)
		return holt__notify_send("READY=1", strlen("READY=1"), -1);
	va_start(ap, fmt);
	r = send_formatted("READY=1\nSTATUS=", true, fmt, ap);
	va_end(ap);
	return r;
}

int holt_status(const char *fmt, ...)
{
	va_list ap;
	int r;

	holt__check_fork("holt_status");
	va_start(ap, fmt);
	r = send_formatted("STATUS=", true, fmt, ap);
	va_end(ap);
	return r;
}

int holt_notify(const char *fmt, ...)
{
	va_list ap;
	int r;

	holt__check_fork("holt_notify");
	va_start(ap, fmt);
	r = send_formatted("", false, fmt, ap);
	va_end(ap);
	return r;
}
