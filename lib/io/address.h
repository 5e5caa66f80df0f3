/* SPDX-License-Identifier: MIT */
/*
 * Addresses in words, as holt_listen and holt_dial take them. Parsing is pure: it opens nothing, asks no one, and is strict,
 * so that a slip in a configuration is an error and not another address.
 */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

enum holt__address_kind { HOLT__ADDRESS_TCP, HOLT__ADDRESS_UNIX, HOLT__ADDRESS_FD };

struct holt__address {
	enum holt__address_kind kind;
	struct sockaddr_storage sa[2]; /* tcp:localhost has two, to be tried in this order */
	socklen_t len[2];
	unsigned n;
	const char *name; /* fd: inside the text given; unix: the path, NULL for an abstract name */
};

enum { HOLT__ADDRESS_LISTEN = 1 }; /* port 0, and * for any host */

/* -EINVAL */
int holt__address_parse(const char *text, unsigned flags, struct holt__address *ret);

/* HOST or HOST:PORT, as the local end of a connection. -EINVAL */
int holt__address_parse_from(const char *text, struct holt__address *ret);
