/* SPDX-License-Identifier: MIT */
/*
 * tcp:HOST:PORT, unix:/path, unix:@name, fd:NAME. Numbers as they are usually written: no signs, no spaces, no leading
 * zeros, IPv6 in brackets; nothing behind the end.
 */
#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

/* The part of text behind a prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static int parse_port(const char *s, bool zero, in_port_t *ret)
{
	unsigned port = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return -EINVAL;
	for (const char *p = s; *p; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		port = port * 10 + (unsigned)(*p - '0');
		if (port > 65535)
			return -EINVAL;
	}
	if (port == 0 && !zero)
		return -EINVAL;
	*ret = htons((in_port_t)port);
	return 0;
}

static void add_ip4(struct holt__address *a, struct in_addr host, in_port_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&a->sa[a->n];

	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = host, .sin_port = port };
	a->len[a->n++] = sizeof *in;
}

static void add_ip6(struct holt__address *a, struct in6_addr host, in_port_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->sa[a->n];

	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = host, .sin6_port = port };
	a->len[a->n++] = sizeof *in6;
}

/* One that listens takes the first of a host's addresses that there is, one that dials the first that answers. */
static int add_host(struct holt__address *a, const char *host, in_port_t port, unsigned flags)
{
	bool listens = flags & HOLT__ADDRESS_LISTEN;
	struct in_addr ip4;
	struct in6_addr ip6;
	size_t n = strlen(host);
	char inside[INET6_ADDRSTRLEN];

	if (!strcmp(host, "localhost")) {
		ip4.s_addr = htonl(INADDR_LOOPBACK);
		if (listens)
			add_ip4(a, ip4, port);
		add_ip6(a, in6addr_loopback, port);
		if (!listens)
			add_ip4(a, ip4, port);
		return 0;
	}
	if (!strcmp(host, "*") && listens) {
		add_ip6(a, in6addr_any, port);
		return 0;
	}
	if (host[0] == '[') {
		if (n < 3 || n - 2 >= sizeof inside || host[n - 1] != ']')
			return -EINVAL;
		memcpy(inside, host + 1, n - 2);
		inside[n - 2] = 0;
		if (inet_pton(AF_INET6, inside, &ip6) != 1)
			return -EINVAL;
		add_ip6(a, ip6, port);
		return 0;
	}
	if (inet_pton(AF_INET, host, &ip4) != 1)
		return -EINVAL;
	add_ip4(a, ip4, port);
	return 0;
}

/* with_port: it must be there; else it may be left out. */
static int parse_tcp(const char *s, bool with_port, unsigned flags, struct holt__address *a)
{
	const char *colon = strrchr(s, ':'), *bracket = strrchr(s, ']');
	char host[INET6_ADDRSTRLEN + 2];
	in_port_t port = 0;
	size_t n;
	int r;

	if (colon && bracket && colon < bracket)
		colon = NULL; /* one inside an IPv6 address */
	n = colon ? (size_t)(colon - s) : strlen(s);
	if (n >= sizeof host || (!colon && with_port))
		return -EINVAL;
	memcpy(host, s, n);
	host[n] = 0;
	if (colon) {
		r = parse_port(colon + 1, (flags & HOLT__ADDRESS_LISTEN) || !with_port, &port);
		if (r < 0)
			return r;
	}
	a->kind = HOLT__ADDRESS_TCP;
	return add_host(a, host, port, flags);
}

static int parse_unix(const char *s, struct holt__address *a)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->sa[0];
	size_t n = strlen(s);

	if ((s[0] != '/' && s[0] != '@') || n < 2 || n >= sizeof un->sun_path)
		return -EINVAL;
	a->kind = HOLT__ADDRESS_UNIX;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, s, n + 1);
	if (s[0] == '@')
		un->sun_path[0] = 0;
	else
		a->name = s;
	/* an abstract name is as long as the address says, a path ends with a zero byte */
	a->len[0] = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (s[0] == '/'));
	a->n = 1;
	return 0;
}

int holt__address_parse(const char *text, unsigned flags, struct holt__address *ret)
{
	struct holt__address a = { .n = 0 };
	const char *s;
	int r = -EINVAL;

	if (!text)
		return -EINVAL;
	if ((s = after(text, "tcp:"))) {
		r = parse_tcp(s, true, flags, &a);
	} else if ((s = after(text, "unix:"))) {
		r = parse_unix(s, &a);
	} else if ((s = after(text, "fd:")) && *s) {
		a.kind = HOLT__ADDRESS_FD;
		a.name = s;
		r = 0;
	}
	if (r == 0)
		*ret = a;
	return r;
}

int holt__address_parse_from(const char *text, struct holt__address *ret)
{
	struct holt__address a = { .n = 0 };
	int r = parse_tcp(text, false, 0, &a);

	if (r == 0)
		*ret = a;
	return r;
}
