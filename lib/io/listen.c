/* SPDX-License-Identifier: MIT */
/*
 * A listening socket, and a connection, at an address in words: what is parsed is done here.
 *
 * The path of a unix listener outlives it, so a path that is there already is the usual case after a crash. It is replaced only
 * if nobody listens, which a connection tells, and it is a socket. Its mode is right from its first moment: bind takes it
 * from the socket's own inode, as far as the umask lets it, and nobody can connect before listen.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/options.h"
#include "io/address.h"
#include "io/fd.h"
#include "sys/listenfds.h"

static int open_socket(holt_task *t, int domain)
{
	int fd = holt__sys->socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0)
		holt__io_forget_number(t->loop, fd);
	return fd;
}

static int switch_on(int fd, int level, int option)
{
	static const int on = 1;

	return holt__sys->setsockopt(fd, level, option, &on, sizeof on);
}

/* An inherited one: it is CLOEXEC, but in whatever mode it was. */
static int take_inherited(holt_task *t, const char *name)
{
	holt_auto(fd) fd = -1;
	int flags;

	if (holt__listenfds_take(name, &fd, 1) == 0)
		return -ENOENT;
	holt__io_forget_number(t->loop, fd);
	flags = holt__sys->get_flags(fd);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		flags = holt__sys->set_flags(fd, flags | O_NONBLOCK);
	return flags < 0 ? flags : holt_take_fd(fd);
}

/* ---- listening */

static const struct sockaddr *sockaddr(const struct holt__address *a, unsigned i)
{
	return (const struct sockaddr *)&a->sa[i];
}

/* 0: nobody listens on the path any more; -EADDRINUSE: somebody does, or it is no socket. */
static int remove_stale(holt_task *t, const struct holt__address *a)
{
	holt_auto(fd) fd = open_socket(t, AF_UNIX);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = holt__sys->connect(fd, sockaddr(a, 0), a->len[0]);
	if (r == -ENOENT)
		return 0;
	if (r != -ECONNREFUSED) /* -EAGAIN: its backlog is full; -EPROTOTYPE: it is of another type */
		return -EADDRINUSE;
	r = holt__sys->lstat(a->name, &st);
	if (r == 0 && !S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	if (r == 0)
		r = holt__sys->unlink(a->name);
	return r == -ENOENT ? 0 : r;
}

static int bind_unix(holt_task *t, int fd, const struct holt__address *a, mode_t mode)
{
	int r;

	if (mode != 0 && a->name) {
		r = holt__sys->fchmod(fd, mode);
		if (r < 0)
			return r;
	}
	r = holt__sys->bind(fd, sockaddr(a, 0), a->len[0]);
	if (r == -EADDRINUSE && a->name) {
		r = remove_stale(t, a);
		if (r == 0)
			r = holt__sys->bind(fd, sockaddr(a, 0), a->len[0]);
	}
	if (r == 0 && mode != 0 && a->name)
		r = holt__sys->chmod(a->name, mode); /* what the umask had taken away */
	return r;
}

static int bind_tcp(int fd, const struct holt__address *a, unsigned i, bool reuse_port)
{
	int r = switch_on(fd, SOL_SOCKET, SO_REUSEADDR);

	if (r == 0 && reuse_port)
		r = switch_on(fd, SOL_SOCKET, SO_REUSEPORT);
	return r == 0 ? holt__sys->bind(fd, sockaddr(a, i), a->len[i]) : r;
}

static int listen_at(holt_task *t, const struct holt__address *a, unsigned i, const struct holt_listen_options *o)
{
	holt_auto(fd) fd = open_socket(t, a->sa[i].ss_family);
	int r;

	if (fd < 0)
		return fd;
	r = a->kind == HOLT__ADDRESS_UNIX ? bind_unix(t, fd, a, o->mode) : bind_tcp(fd, a, i, o->reuse_port);
	if (r == 0)
		r = holt__sys->listen(fd, o->backlog > 0 ? o->backlog : SOMAXCONN);
	return r < 0 ? r : holt_take_fd(fd);
}

static bool has_no_such_family(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL;
}

/* [::] is any; where there is no IPv6, 0.0.0.0 is all of it. */
static void add_any_ip4(struct holt__address *a)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa[0];

	if (a->n != 1 || in6->sin6_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
		return;
	*(struct sockaddr_in *)&a->sa[1] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = in6->sin6_port };
	a->len[1] = sizeof(struct sockaddr_in);
	a->n = 2;
}

int holt_listen_with(const char *address, const struct holt_listen_options *options)
{
	struct holt_listen_options o;
	struct holt__address a = { .n = 0 };
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	r = holt__options(&o, sizeof o, options);
	if (r == 0)
		r = o.backlog < 0 || (o.mode & ~(mode_t)07777) ? -EINVAL : holt__address_parse(address, HOLT__ADDRESS_LISTEN, &a);
	if (r < 0)
		return r;
	if (a.kind == HOLT__ADDRESS_FD)
		return take_inherited(t, a.name);
	if (a.kind == HOLT__ADDRESS_TCP)
		add_any_ip4(&a);
	for (unsigned i = 0; i < a.n; i++) {
		r = listen_at(t, &a, i, &o);
		if (!has_no_such_family(r))
			break;
	}
	return r;
}

/* ---- dialing */

static const struct sockaddr *local_end(const struct holt__address *from, sa_family_t family, socklen_t *ret_len)
{
	for (unsigned i = 0; i < from->n; i++) {
		if (from->sa[i].ss_family == family) {
			*ret_len = from->len[i];
			return sockaddr(from, i);
		}
	}
	return NULL;
}

static int dial_at(holt_task *t, const struct holt__address *a, unsigned i, const struct holt__address *from)
{
	const struct sockaddr *local;
	holt_auto(fd) fd = -1;
	socklen_t len = 0;
	int r;

	local = from ? local_end(from, a->sa[i].ss_family, &len) : NULL;
	if (from && !local)
		return -EINVAL;
	fd = open_socket(t, a->sa[i].ss_family);
	if (fd < 0)
		return fd;
	if (local) {
		switch_on(fd, SOL_SOCKET, SO_REUSEADDR); /* the same local port for another peer */
		r = holt__sys->bind(fd, local, len);
		if (r < 0)
			return r;
	}
	r = holt_connect(fd, sockaddr(a, i), a->len[i]);
	return r < 0 ? r : holt_take_fd(fd);
}

int holt_dial_with(const char *address, const struct holt_dial_options *options)
{
	struct holt__address a = { .n = 0 }, from = { .n = 0 };
	struct holt_dial_options o;
	int r, told = 0;
	holt_task *t;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	r = holt__options(&o, sizeof o, options);
	if (r == 0)
		r = holt__address_parse(address, 0, &a);
	if (r == 0 && o.from)
		r = a.kind == HOLT__ADDRESS_TCP ? holt__address_parse_from(o.from, &from) : -EINVAL;
	if (r < 0)
		return r;
	if (a.kind == HOLT__ADDRESS_FD)
		return take_inherited(t, a.name);
	for (unsigned i = 0; i < a.n; i++) {
		r = dial_at(t, &a, i, o.from ? &from : NULL);
		if (r >= 0 || r == -ECANCELED)
			return r;
		if (i == 0 || has_no_such_family(told) || told == -EINVAL)
			told = r; /* what an address that exists said */
	}
	return told;
}
