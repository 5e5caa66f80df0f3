/* SPDX-License-Identifier: MIT */
/*
 * The way to the journal: its socket, and a ring in which entries wait while it does not keep up. Nothing here
 * blocks or allocates. It knows no lock: the log's own is held around every call.
 */
#pragma once
#include "base/base.h"

extern const char *holt__journal_path; /* of the socket; tests have their own */

/* Whether fd is the stream that the journal gave this process for stderr: $JOURNAL_STREAM says so. */
bool holt__journal_is(int fd);

/*
 * Sends an entry of the native protocol, behind those that wait. 0: it is sent, or it waits; -ENOSPC: it would have
 * had to wait, and there is no room; else the journal cannot be reached.
 */
int holt__journal_send(const char *entry, size_t n);

/* Sends what waits. 0: nothing does any more; -EAGAIN: until the socket is writable; else the journal cannot be reached. */
int holt__journal_drain(void);

bool holt__journal_waits(void); /* there is something in the ring */
int holt__journal_fd(void);     /* -1: none */
void holt__journal_reset(void); /* closes the socket and forgets what waits */
