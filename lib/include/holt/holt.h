/* SPDX-License-Identifier: MIT */
/*
 * holt/holt.h - all of holt, for programs; the library itself includes only the areas it uses
 *
 * holt is a toolkit for Linux daemons in C: tasks that look like blocking functions, in groups that
 * end them in order, so that a stop is always clean and always bounded. It is structured concurrency
 * as in Trio, with asyncio's words, OTP's orderly stop, and systemd's protocols.
 *
 * A whole program, a server that greets and stops in order:
 *
 *	#include <holt/holt.h>
 *
 *	static int greet(void *arg)             owns its descriptor from the moment spawn said 0
 *	{
 *		holt_auto(fd) fd = (int)(intptr_t)arg;
 *		ssize_t n = holt_write_full(fd, "hello\n", 6);
 *
 *		return n < 0 ? (int)n : 0;
 *	}
 *
 *	static int serve(void *arg)
 *	{
 *		holt_auto(fd) lfd = holt_listen(arg);
 *		holt_auto(group) conns = NULL;  an early return cancels and joins
 *		struct holt_scope accepting;
 *		int fd, r;
 *
 *		if (lfd < 0)
 *			return lfd;
 *		r = holt_group_open(&conns, .name = "conns", .kind = HOLT_EACH, .limit = 64);
 *		if (r < 0)
 *			return r;
 *		holt_service_ready("greeting on %s", (char *)arg);
 *
 *		holt_scope_begin(&accepting, HOLT_NEVER, HOLT_ON_STOP);
 *		while ((r = fd = holt_accept(lfd, NULL, NULL)) >= 0) {
 *			r = holt_spawn(conns, greet, (void *)(intptr_t)fd);
 *			if (r < 0) {            not started: the descriptor is still ours
 *				holt_close(fd);
 *				break;
 *			}
 *		}
 *		r = (int)holt_scope_end(&accepting, r);
 *		return holt_group_close(holt_take(conns), r == -ESHUTDOWN ? 0 : r);
 *	}
 *
 *	int main(void)
 *	{
 *		struct holt_service s = { .size = sizeof s, .name = "greetd", .grace = 5 * HOLT_SEC };
 *
 *		return holt_service_run(&s, serve, "tcp:[::1]:7007") < 0;
 *	}
 *
 * What holds for every function is said in <holt/base.h>, once. The system's headers below come along,
 * so that such a program needs no other.
 */
#ifndef HOLT_HOLT_H
#define HOLT_HOLT_H

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <syslog.h>

#include <holt/base.h>
#include <holt/future.h>
#include <holt/group.h>
#include <holt/inspect.h>
#include <holt/io.h>
#include <holt/log.h>
#include <holt/queue.h>
#include <holt/run.h>
#include <holt/scope.h>
#include <holt/service.h>
#include <holt/sim.h>
#include <holt/stream.h>
#include <holt/supervise.h>
#include <holt/sync.h>
#include <holt/task.h>
#include <holt/time.h>
#include <holt/watch.h>
#include <holt/work.h>

#endif
