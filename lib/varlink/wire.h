/* SPDX-License-Identifier: MIT */
/*
 * Messages on a socket, for both sides: bytes up to a NUL come out of it, bytes and a NUL go into it.
 *
 * What has come lies in one buffer, [start, end); of that no NUL is in [start, seen). The buffer is the small one, inside the
 * record, as long as that is enough: an idle connection has no other. A larger one comes from the heap, is charged to the
 * account, doubles up to the limit of one message, and goes as soon as all in it was taken, or the rest fits into the small one.
 */
#pragma once
#include "varlink/quota.h"

enum { HOLT__VARLINK_SMALL = 512 };

struct holt__varlink_wire {
	int fd;
	char *buf;
	size_t size, start, end, seen;
	size_t max; /* bytes of a message, its NUL not counted */
	struct holt__varlink_account account;
	char small[HOLT__VARLINK_SMALL];
};

void holt__varlink_wire_init(struct holt__varlink_wire *w, int fd, size_t max);
void holt__varlink_wire_free(struct holt__varlink_wire *w); /* the descriptor is its owner's */

/* 1: a whole message is there, without its NUL (which follows it), until it is taken; 0: not yet; -EMSGSIZE. */
int holt__varlink_wire_message(struct holt__varlink_wire *w, const char **ret_text, size_t *ret_n);
void holt__varlink_wire_take(struct holt__varlink_wire *w, size_t n); /* the message of n bytes, and its NUL */

/* Whether a message has begun. */
static inline bool holt__varlink_wire_begun(const struct holt__varlink_wire *w)
{
	return w->end > w->start;
}

/* Suspends until more has come. More than 0: it has; 0: the end; -ENOMEM, -ENOBUFS, and as holt_recv(). */
ssize_t holt__varlink_wire_fill(struct holt__varlink_wire *w);

/* Suspends until all was sent. 0, or as holt_send(); *ret_sent is set in any case. */
int holt__varlink_wire_send(struct holt__varlink_wire *w, const char *text, size_t n, size_t *ret_sent);
