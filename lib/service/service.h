/* SPDX-License-Identifier: MIT */
/*
 * What the parts of a service know of each other. There is one service in a process, and one manager, so their state
 * is static, each part's in its own file, and used on the service's thread only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <holt/service.h>

struct holt__sched;

/* ---- the manager (notify.c) */

void holt__notify_take(void);                   /* reads $NOTIFY_SOCKET and removes it */
void holt__notify_begin(struct holt__sched *s); /* from now on what could not be sent is kept, and sent later */
void holt__notify_end(void);
bool holt__notify_ready(void); /* READY=1 has been said */
/* More than 0: sent, 0: no manager, -EAGAIN. fd -1: none goes with it. */
int holt__notify_send(const char *text, size_t n, int fd);
/* What the service itself says: it is not lost when the manager is slow. */
void holt__notify_tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- watchdog and heartbeats (watchdog.c) */

void holt__watchdog_take(void); /* reads $WATCHDOG_USEC and $WATCHDOG_PID and removes them */
void holt__watchdog_begin(struct holt__sched *s);
void holt__watchdog_end(void);

/* ---- SIGABRT (crash.c) */

void holt__crash_begin(struct holt__sched *s);
void holt__crash_end(void);
