/* SPDX-License-Identifier: MIT */
/*
 * The log's doors for the floors above it. Who logs: the task floor puts its answer in at the first run. And lines
 * that wait because the journal does not keep up: a loop is woken for the first of them, and drains them.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <holt/log.h>

#include "base/base.h"

struct holt__log_context {
	char task[256]; /* its path; empty outside of tasks */
	uint64_t id;
	const char *why; /* NULL: no stop, no cancellation */
};

extern _Atomic(void (*)(struct holt__log_context *c)) holt__log_context;

/* SYSLOG_IDENTIFIER=; NULL: the program's name. Never freed. */
extern _Atomic(const char *) holt__log_identifier;

/*
 * Somebody who drains. wake is called in the thread that logs, under the log's lock, when the first line has to wait:
 * it may only wake. Only the one that has been there for the longest is woken.
 */
struct holt__log_waker {
	struct holt__log_waker *next;
	void (*wake)(struct holt__log_waker *w);
};

void holt__log_add_waker(struct holt__log_waker *w);
void holt__log_remove_waker(struct holt__log_waker *w); /* it is not called any more when this returns */

extern atomic_bool holt__log_waiting;

/* Lines wait. Ordered with the waker's own store: who says that it sleeps, and then asks, misses nothing. */
static inline bool holt__log_pending(void)
{
	return atomic_load(&holt__log_waiting);
}

/* Tries to send what waits, in order; cheap when nothing does. Does not block. */
void holt__log_drain(void);

/* What to watch for EPOLLOUT while lines wait. -1: nothing. */
int holt__log_pending_fd(void);

#define HOLT__LAST_WORDS (100 * HOLT_MS) /* for a journal that is slow, when the process ends */

/* For the end of a process: waits for the journal, but no longer than that. Blocks the thread. */
void holt__log_flush(holt_time span);

/* Without a sink nothing is written, while on. Returns what was. */
bool holt__log_silent(bool on);

/* Forgets where the log goes, what waits and what was lost: the next line is as the first. For tests. */
void holt__log_reset(void);
