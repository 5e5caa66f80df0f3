/* SPDX-License-Identifier: MIT */
/*
 * A connected datagram socket says EAGAIN when the journal's queue (net.unix.max_dgram_qlen entries) or our send
 * buffer is full, and EPOLLOUT when there is room again. A datagram that is larger than the buffer is EMSGSIZE: such an
 * entry goes into a sealed memfd, and the journal gets that. When the journal went away the socket says ECONNREFUSED,
 * then ENOTCONN; connecting the same socket again is enough then, so that whoever watches it needs to know nothing.
 */
#include "sys/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>

#include "sys/sys.h"

enum { RING_SIZE = 256 * 1024, WAITS_MAX = RING_SIZE / 4, SEND_BUFFER = 1024 * 1024, TRIES = 3 };

const char *holt__journal_path = "/run/systemd/journal/socket";

static int sock = -1;

/*
 * Each entry behind its length. Untouched pages of it cost nothing. None is larger than WAITS_MAX: one of them alone
 * shall not take the room of thousands, nor stand in front when it can only go by memfd and there is none to be had.
 */
static struct {
	char bytes[RING_SIZE];
	size_t first, used;
	bool full; /* it was, and is not yet emptied by a quarter */
} ring;

bool holt__journal_is(int fd)
{
	const char *s = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	char *end;

	if (!s || *s < '0' || *s > '9')
		return false;
	dev = strtoull(s, &end, 10);
	if (end[0] != ':' || end[1] < '0' || end[1] > '9')
		return false;
	ino = strtoull(end + 1, &end, 10);
	return !*end && holt__sys->fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* ---- the socket */

static void close_socket(void)
{
	if (sock >= 0)
		holt__sys->close(sock);
	sock = -1;
}

static int connect_again(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(holt__journal_path);

	if (n >= sizeof a.sun_path)
		return -ENAMETOOLONG;
	memcpy(a.sun_path, holt__journal_path, n + 1);
	return holt__sys->connect(sock, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1));
}

static int connect_anew(void)
{
	static const int size = SEND_BUFFER;
	int r;

	sock = holt__sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return sock;
	holt__sys->setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* the kernel gives what it allows */
	r = connect_again();
	if (r < 0)
		close_socket();
	return r;
}

static int send_message(const struct msghdr *m)
{
	ssize_t r = -EINTR;

	for (int i = 0; i < TRIES && r == -EINTR; i++)
		r = holt__sys->sendmsg(sock, m, MSG_DONTWAIT | MSG_NOSIGNAL);
	return r < 0 ? (int)r : 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	int interrupted = 0;

	while (n > 0) {
		ssize_t k = holt__sys->write(fd, p, n);

		if (k == -EINTR && ++interrupted < TRIES)
			continue;
		if (k <= 0)
			return k < 0 ? (int)k : -EIO;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int send_fd(int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct msghdr m = { .msg_control = &control, .msg_controllen = sizeof control };

	control.header.cmsg_len = CMSG_LEN(sizeof fd);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	return send_message(&m);
}

/* Sealed, so that the journal can read it while it still belongs to us. */
static int send_by_memfd(const struct iovec *v, size_t n)
{
	int fd = holt__sys->memfd("holt-log", MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < n && r == 0; i++)
		r = write_all(fd, v[i].iov_base, v[i].iov_len);
	if (r == 0)
		r = holt__sys->seal(fd);
	if (r == 0)
		r = send_fd(fd);
	holt__sys->close(fd);
	return r;
}

static size_t size(const struct iovec *v, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

static bool went_away(int r)
{
	return r == -ECONNREFUSED || r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ENOENT;
}

/* -EAGAIN, -ENOBUFS, -ENOMEM: later perhaps; else not this way. */
static int transmit(struct iovec *v, size_t n)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = n };
	int r = 0;

	for (int i = 0; i < 2; i++) {
		if (sock < 0)
			r = connect_anew();
		else if (i > 0)
			r = connect_again();
		if (r < 0)
			return -ENOTCONN; /* whatever it was: nobody is there */
		r = send_message(&m);
		if (r == -EMSGSIZE || (r == -ENOBUFS && size(v, n) > WAITS_MAX)) /* the latter: no memory in one piece */
			r = send_by_memfd(v, n);
		if (r == -EBADF || r == -ENOTSOCK)
			sock = -1; /* closed behind our back, the number is not ours any more */
		else if (!went_away(r))
			return r;
		r = 0;
	}
	return -ENOTCONN;
}

static bool is_later(int r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM;
}

/* ---- the ring */

static void ring_write(size_t at, const void *p, size_t n)
{
	size_t i = at % RING_SIZE, k = n < RING_SIZE - i ? n : RING_SIZE - i;

	memcpy(ring.bytes + i, p, k);
	memcpy(ring.bytes, (const char *)p + k, n - k);
}

/* Fills in one part, or two when it goes over the end; returns how many. */
static size_t ring_parts(size_t at, size_t n, struct iovec *v)
{
	size_t i = at % RING_SIZE, k = n < RING_SIZE - i ? n : RING_SIZE - i;

	v[0] = (struct iovec){ ring.bytes + i, k };
	v[1] = (struct iovec){ ring.bytes, n - k };
	return k < n ? 2 : 1;
}

static int ring_push(const char *entry, size_t n)
{
	uint32_t length = (uint32_t)n;

	if (ring.full && RING_SIZE - ring.used < WAITS_MAX)
		return -ENOSPC; /* else each little room would go to one more line that says that one was lost */
	ring.full = n <= WAITS_MAX && sizeof length + n > RING_SIZE - ring.used;
	if (ring.full || n > WAITS_MAX)
		return -ENOSPC;
	ring_write(ring.first + ring.used, &length, sizeof length);
	ring_write(ring.first + ring.used + sizeof length, entry, n);
	ring.used += sizeof length + n;
	return 0;
}

static int send_first(void)
{
	struct iovec v[2];
	uint32_t length;
	size_t n;
	int r;

	ring_parts(ring.first, sizeof length, v);
	memcpy(&length, v[0].iov_base, v[0].iov_len);
	memcpy((char *)&length + v[0].iov_len, v[1].iov_base, sizeof length - v[0].iov_len);
	n = ring_parts(ring.first + sizeof length, length, v);
	r = transmit(v, n);
	if (r < 0)
		return r;
	ring.first = (ring.first + sizeof length + length) % RING_SIZE;
	ring.used -= sizeof length + length;
	return 0;
}

/* ---- for the log */

int holt__journal_drain(void)
{
	int r = 0;

	while (ring.used > 0 && r == 0)
		r = send_first();
	return r;
}

int holt__journal_send(const char *entry, size_t n)
{
	int r = holt__journal_drain();

	if (r == 0)
		r = transmit(&(struct iovec){ (char *)entry, n }, 1);
	return is_later(r) ? ring_push(entry, n) : r;
}

bool holt__journal_waits(void)
{
	return ring.used > 0;
}

int holt__journal_fd(void)
{
	return sock;
}

void holt__journal_reset(void)
{
	close_socket();
	ring.first = ring.used = 0;
	ring.full = false;
}
