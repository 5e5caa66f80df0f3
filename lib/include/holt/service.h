/* SPDX-License-Identifier: MIT */
/*
 * holt/service.h - a whole daemon: systemd's signals and notifications around holt_run()
 *
 *	struct holt_service s = { .size = sizeof s, .name = "web", .grace = 25 * HOLT_SEC };
 *
 *	return holt_service_run(&s, serve, NULL) < 0;
 *
 * It works as a service of type notify, of any other type, from a shell and as a container's first
 * process: where no manager listens there is nothing to tell, and that is no error.
 *
 * SIGNALS
 *
 *	SIGTERM  stop; cancel after the grace; break after the cleanup; returns 0. Never escalates, since
 *	         systemd may send one when we stopped by ourselves
 *	SIGINT   the same, and then dies of SIGINT (as pid 1: exits with 130); a second one skips the
 *	         grace; a third breaks the shields, a fourth those of finally handlers
 *	SIGHUP   reload; without a .reload a stop
 *	SIGUSR1  a dump of the tasks to the log, or what .dump does
 *	SIGQUIT  a dump, and then dies of it
 *	SIGABRT  (WatchdogSignal=, sent when the loop stalls) a dump by a handler that takes no locks and
 *	         no memory, and then the default action
 *	SIGPIPE  ignored
 *
 * NOTIFICATIONS ($NOTIFY_SOCKET). READY=1 by holt_service_ready(). STOPPING=1 at the first stop.
 * RELOADING=1 with MONOTONIC_USEC= at a reload, and always a READY=1 after it. WATCHDOG=1 at half of
 * $WATCHDOG_USEC, while the loop turns and every heartbeat is in time. EXTEND_TIMEOUT_USEC= at the stop
 * and at each step of escalation: what is left of that step and 1 s, in all never more than grace and
 * cleanup. STATUS= and ERRNO= for a failure. Sending never blocks.
 *
 * INHERITED DESCRIPTORS ($LISTEN_FDS, $LISTEN_FDNAMES, with $LISTEN_PID or $LISTEN_PIDFDID) are those of
 * socket activation and those that the fd store kept. The variables are removed from the environment,
 * so that children do not take them for theirs, and the descriptors are CLOEXEC. Each is taken once, by
 * its name: with "fd:NAME" (holt_listen(), holt_dial()), holt_listen_fds() or holt_fdstore_take().
 *
 * What is said here of the manager is systemd's protocol, sd_notify(3) and sd_listen_fds(3).
 */
#ifndef HOLT_SERVICE_H
#define HOLT_SERVICE_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct holt_service - how a service is run
 * @size: sizeof(struct holt_service)
 * @name: of the service: the first part of every path, and SYSLOG_IDENTIFIER=; copied; NULL: none
 * @grace: span from a stop to cancellation, as for holt_run(); 0: a stop cancels at once
 * @cleanup: span from cancellation until everything breaks; 0: 10 s. systemd's TimeoutStopSec= should
 *	be no less than both together and 1 s
 * @reload: called as a task of its own at SIGHUP; may suspend; one at a time: a SIGHUP that comes
 *	meanwhile is remembered. A failure is logged and told as STATUS=, and the service goes on. NULL: SIGHUP
 *	is a stop
 * @reload_arg: handed to @reload
 * @inspect: serve the tasks to holtctl; -EOPNOTSUPP in this version
 * @dump: called at SIGUSR1 and SIGQUIT, in place of the dump of the tasks, to log what the program is about; on
 *	the loop, outside of tasks; NULL: none
 * @dump_arg: handed to @dump
 */
struct holt_service {
	size_t size;
	const char *name;
	holt_time grace, cleanup;
	holt_fn reload;
	void *reload_arg;
	bool inspect; /* serve io.holt.Tasks */
	void (*dump)(void *arg);
	void *dump_arg;
};

/**
 * holt_service_run() - run fn as a service, until it ends or is stopped
 * @s: how; borrowed until this returns; NULL: all defaults
 * @fn: the first task, as for holt_run()
 * @arg: handed to fn
 *
 * Once in a process, from the main thread, before other threads: signals that it handles are blocked,
 * and threads started later inherit that. All else is as for holt_run().
 *
 * Does not suspend: it is called outside of any loop, and blocks its thread. Returns 0 after an orderly
 * stop, else the root's result; a negative one is logged, and told with STATUS= and ERRNO=. When what
 * ended it was SIGINT or SIGQUIT it does not return. Or, with fn not run:
 *
 * -EPERM: not the main thread, or a service was run before in this process.
 * -EDEADLK: a loop runs in this thread already.
 * -EOPNOTSUPP: .inspect, in this version.
 * -EINVAL: fn is NULL, or a value is out of range.
 * -E2BIG: a struct holt_service with what this library does not know.
 * -ENOMEM, -EMFILE, -ENFILE: no memory, or no descriptor for the loop.
 */
HOLT_EXPORT int holt_service_run(const struct holt_service *s, holt_fn fn, void *arg);

/**
 * holt_service_ready() - tell the manager that the service is up, and a line about it
 * @fmt: the status, as for printf; NULL: only READY=1
 *
 * Sends READY=1 and STATUS=. A status is one line: a newline in it becomes a space. May be said again.
 *
 * On the loop's thread. Does not suspend. Returns more than 0: it was sent; 0: there is no manager; or:
 * -ENOMEM: no memory for the line.
 * -EAGAIN: the manager does not take it now.
 * -errno of sendmsg(2).
 *
 * From sd_notifyf(3).
 */
HOLT_EXPORT int holt_service_ready(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * holt_status() - tell the manager a line about the service, which `systemctl status` shows
 * @fmt: the status, as for printf; a newline in it becomes a space
 *
 * On the loop's thread. Does not suspend. Returns as holt_service_ready().
 */
HOLT_EXPORT int holt_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * holt_notify() - tell the manager anything
 * @fmt: lines of KEY=value with newlines between, as for printf
 *
 * Goes out as it is. On the loop's thread. Does not suspend. Returns as holt_service_ready().
 */
HOLT_EXPORT int holt_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * holt_heartbeat() - promise to call again within a span
 * @within: nanoseconds, from a fresh reading of the clock; 0 or HOLT_NEVER ends the promise
 *
 * Of the calling task, and ends with it. While it is overdue no WATCHDOG=1 is sent, so that systemd ends
 * us by WatchdogSec=, and the log says who. Without a watchdog only the log does.
 *
 * Does not suspend. Returns 0, or -EPERM outside tasks. From systemd's watchdog, for each task.
 */
HOLT_EXPORT int holt_heartbeat(holt_time within);

/**
 * holt_listen_fds() - take the inherited descriptors of a name
 * @name: FileDescriptorName= of the socket unit, or that of the fd store; NULL: any
 * @ret_fds: room for @n descriptors, which are the caller's then; may be NULL when @n is 0
 * @n: how many at most
 *
 * Taken once: a descriptor that was taken is not found again, here or by "fd:NAME". They are CLOEXEC, in
 * the order in which they were passed. Order changes over restarts: go by name.
 *
 * Does not suspend. Allowed outside tasks. Returns how many of that name there were, 0 for none. When that
 * is more than @n, the first @n were taken and the rest stays to be taken; so @n 0 asks for the count.
 *
 * From sd_listen_fds_with_names(3).
 */
HOLT_EXPORT int holt_listen_fds(const char *name, int *ret_fds, size_t n);

/**
 * holt_fdstore_put() - have the manager keep a descriptor over a restart of the service
 * @name: to find it again; 1 to 255 characters, without control characters and ':'
 * @fd: stays open here, and the caller's
 *
 * Needs FileDescriptorStoreMax= in the unit; whether the manager took it, it does not tell. It comes
 * back at the next start, to holt_fdstore_take(). A listening socket is kept until it is dropped;
 * others, as the manager does it, until they are hung up.
 *
 * On the loop's thread. Does not suspend. Returns more than 0: it was sent; or:
 * -ENOTCONN: there is no service manager.
 * -EINVAL: not a name.
 * -EBADF: not a descriptor.
 * -EAGAIN: the manager does not take it now.
 * -errno of sendmsg(2).
 *
 * From sd_pid_notify_with_fds(3) with FDSTORE=1.
 */
HOLT_EXPORT int holt_fdstore_put(const char *name, int fd);

/**
 * holt_fdstore_take() - take one descriptor that came back from the fd store
 * @name: as it was put
 *
 * The first that has not been taken. The manager keeps its copy until holt_fdstore_drop().
 *
 * Does not suspend. Allowed outside tasks. Returns the descriptor, CLOEXEC and the caller's;
 * -ENOENT: none of that name; -EINVAL: NULL.
 */
HOLT_EXPORT int holt_fdstore_take(const char *name);

/**
 * holt_fdstore_drop() - have the manager forget what it keeps under a name
 * @name: as it was put; all of that name are dropped
 *
 * What is open here stays open. On the loop's thread. Does not suspend. Returns more than 0: it was
 * sent; or -ENOTCONN, -EINVAL, -EAGAIN as holt_fdstore_put().
 *
 * From sd_notify(3), FDSTOREREMOVE=1.
 */
HOLT_EXPORT int holt_fdstore_drop(const char *name);

#ifdef __cplusplus
}
#endif
#endif
