/* SPDX-License-Identifier: MIT */
/*
 * The record of a stream, and the seam to what carries its bytes. The essay is in stream.c.
 */
#pragma once
#include <holt/stream.h>

#include "io/fd.h"

/* Bytes in a row, with room behind them. */
struct holt__bytes {
	char *buf;
	size_t at, n, size; /* n bytes from buf + at; of size */
};

enum { HOLT__BYTES_KEPT = 4096 }; /* what an empty one of a stream keeps */

static inline char *holt__bytes_end(const struct holt__bytes *b)
{
	return b->buf + b->at + b->n;
}

static inline size_t holt__bytes_room(const struct holt__bytes *b)
{
	return b->size - b->at - b->n;
}

static inline void holt__bytes_take(struct holt__bytes *b, size_t n) /* from the front */
{
	b->n -= n;
	b->at = b->n ? b->at + n : 0;
}

int holt__bytes_reserve(struct holt__bytes *b, size_t room); /* so many behind the last; moves the bytes; -ENOMEM */
void holt__bytes_free(struct holt__bytes *b);

/*
 * What carries the bytes of a stream: the descriptor itself, or something that sits on it and uses it. data is its own.
 */
struct holt__transport {
	/* In a task; suspends until there is something. 0: the end. */
	ssize_t (*read)(holt_stream *s, void *buf, size_t n);
	/*
	 * Outside tasks, too; waits for nothing: -EAGAIN when there is no room. It is called again when the descriptor has
	 * some, or when who knows better calls holt__stream_push.
	 */
	ssize_t (*write)(holt_stream *s, const void *buf, size_t n);
	int (*shutdown)(holt_stream *s); /* in a task, when all is out; may suspend */
	void (*close)(holt_stream *s);   /* outside tasks, too; waits for nothing; closes the descriptor unless keep_fd */
};

struct holt_stream {
	const struct holt__transport *transport;
	void *data;
	int fd;
	bool keep_fd;
	bool direct; /* a file that is never waited for */

	/* reading */
	holt_task *reader; /* who is at it, borrowed */
	bool interrupted;  /* told that what it waits for may never come */
	bool at_end;       /* a read said 0 */
	int in_error;      /* the connection's, told for ever */
	size_t limit;
	struct holt__bytes in;

	/* writing */
	bool ended;
	int out_error;
	size_t high, low;
	struct holt__bytes out;
	uint64_t taken, sent; /* bytes, since the beginning */
	struct holt__later later;
	struct holt__waiter room;     /* without a task: in the descriptor's watchers while the kernel has no room */
	struct holt_waiters writers;  /* data: a struct holt__piece, to be taken when there are no more than low */
	struct holt_waiters flushers; /* data: a uint64_t, told when so many are sent */
	unsigned users;               /* tasks in a call that waits */
};

/* The writing side has failed: a reader who would have to wait for the peer is told, if not at once then soon. */
void holt__stream_interrupt(holt_stream *s);

/* Sends what it can, without waiting; sees to it that the rest goes later. Wakes who waited for that. */
void holt__stream_push(holt_stream *s);
