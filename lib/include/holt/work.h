/* SPDX-License-Identifier: MIT */
/*
 * holt/work.h - work that other processes do
 *
 * A process is started, waited for, signaled and stopped as asyncio's subprocesses are, with what a
 * daemon needs beside that: its user, limits, cgroup, a process group, descriptors by name.
 *
 *	static const char *const argv[] = { "sort", "-u", NULL };
 *	struct holt_process_options o = { .size = sizeof o, .argv = argv, .stdio[0].how = HOLT_STDIO_PIPE };
 *	holt_auto(process) p = NULL;
 *	struct holt_exit e;
 *	int r;
 *
 *	r = holt_process_start(&p, &o);         execve's own error: -ENOENT, -EACCES, ...
 *	...
 *	r = holt_process_wait(p, &e);
 *
 * WHAT A CHILD GETS. An empty signal mask, and the default action for every signal, those that we
 * ignore included; descriptors 0, 1, 2 and those in .fds, and no other, whether that is close-on-exec
 * or not; a process group of its own, so that what a terminal sends to ours does not reach it; and
 * the rest as it is here, unless an option says otherwise.
 *
 * A PROCESS IS KNOWN BY ITS PIDFD, not by its number: no signal ever reaches another process that has got the
 * number since. It is for us to wait for it: a program that calls waitpid(-1), or ignores SIGCHLD,
 * takes its exit away.
 *
 * Nothing here reads from or writes to a child: holt_process_fd() gives our ends of its pipes, for the
 * calls of <holt/io.h>.
 */
#ifndef HOLT_WORK_H
#define HOLT_WORK_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct holt_process holt_process; /* one child process */
HOLT__AUTO(process, holt_process *)       /* holt_process_close() */

/**
 * enum holt_stdio - what one of the child's descriptors 0, 1 and 2 is
 * @HOLT_STDIO_INHERIT: ours of the same number; closed if ours is, or is close-on-exec
 * @HOLT_STDIO_NULL: /dev/null
 * @HOLT_STDIO_PIPE: a pipe, whose other end is holt_process_fd(): non-blocking here, blocking there
 * @HOLT_STDIO_FD: the descriptor .fd of ours, which stays open here, and in whatever mode it is
 * @HOLT_STDIO_STDOUT: for .stdio[2] only: the same as the child's .stdio[1], as a shell's 2>&1
 */
enum holt_stdio { HOLT_STDIO_INHERIT, HOLT_STDIO_NULL, HOLT_STDIO_PIPE, HOLT_STDIO_FD, HOLT_STDIO_STDOUT };

/**
 * struct holt_named_fd - a descriptor that a child is handed, as systemd hands over sockets
 * @name: in its LISTEN_FDNAMES; at most 255 printable characters, no colon; NULL: "unknown"
 * @fd: ours; stays open here, and in whatever mode it is
 */
struct holt_named_fd {
	const char *name;
	int fd;
};

/**
 * struct holt_limit - one resource limit
 * @resource: RLIMIT_NOFILE and its kin
 * @value: as for setrlimit(2)
 */
struct holt_limit {
	int resource;
	struct rlimit value;
};

/**
 * struct holt_process_options - what to start, and how
 * @size: sizeof(struct holt_process_options)
 * @path: the program, as it is; NULL: argv[0], which, if there is no slash in it, is looked for in the
 *	folders of the child's PATH (without one: /bin:/usr/bin) as execvp(3) does, but never handed to a shell
 * @argv: its arguments, from its name on; ends with NULL
 * @env: its environment; ends with NULL; NULL: ours. LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS and LISTEN_FDNAMES in it are
 *	never handed on: they are set for .fds, and only then
 * @cwd: its working directory, entered as its user; NULL: ours
 * @user: a name, or a number; brings the user's group and supplementary groups along; NULL: as ours.
 *	A number that the user database does not know needs .group
 * @group: a name, or a number, in place of the user's
 * @umask_plus_1: its umask, plus 1; 0: ours
 * @nice: its niceness, -20 to 19; 0: ours
 * @stdio: its descriptors 0, 1 and 2, see enum holt_stdio
 * @fds: what it gets as descriptors 3, 4, ..., told by LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID as
 *	sd_listen_fds(3) reads them
 * @n_fds: how many; at most 4096
 * @limits: its resource limits; the others are ours
 * @n_limits: how many
 * @same_group: it stays in our process group
 * @cgroup_fd_plus_1: an open folder of a cgroup, plus 1: it is born there; 0: ours
 * @death_signal: what it is sent when the thread that started it ends, see PR_SET_PDEATHSIG; 0: nothing.
 *	A program that is set-user-ID, or has capabilities of its own, takes it off
 * @supplementary_groups: names or numbers, ends with NULL: in addition to those of .user; NULL: none. With neither
 *	this nor .user its supplementary groups are ours
 * @no_new_privileges: neither it nor its children gain privileges by executing something
 * @failed: if not NULL, set when the start failed, to say which part of it did: a static word, the option's name
 *	("user", "group", "supplementary_groups", "nice", "stdio", "fds", "limits", "cwd", "cgroup_fd", "death_signal",
 *	"no_new_privileges", "same_group"), or "options" (they make no sense), "process" (it could not be made: memory,
 *	descriptors, a limit of processes), "exec" (what execve said)
 *
 * What is 0 is the default.
 */
struct holt_process_options {
	size_t size;
	const char *path;
	const char *const *argv;
	const char *const *env;
	const char *cwd;
	const char *user, *group;
	mode_t umask_plus_1;
	int nice;
	struct {
		enum holt_stdio how;
		int fd;
	} stdio[3];
	const struct holt_named_fd *fds;
	size_t n_fds;
	const struct holt_limit *limits;
	size_t n_limits;
	bool same_group;
	int cgroup_fd_plus_1;
	int death_signal;
	const char *const *supplementary_groups;
	bool no_new_privileges;
	const char **failed;
};

/**
 * struct holt_exit - how a process ended
 * @signaled: by a signal, else by itself
 * @core: it left a core dump
 * @code: its exit status, or the signal
 * @usage: what it used, with the children that it waited for; see getrusage(2)
 */
struct holt_exit {
	bool signaled, core;
	int code;
	struct rusage usage;
};

/**
 * holt_process_start() - start a program
 * @ret: the process, which the caller closes; see holt_auto(process)
 * @o: what to start; .argv must be given. All of it is borrowed for the call
 *
 * It returns 0 when the program has been executed, not before: from then on all of the options are in force.
 * What fails on the way there, up to execve itself, is its result, and then nothing is left of the child.
 *
 * Its order is: process group, cgroup, niceness, descriptors, limits, umask, groups, group, user, working directory, death
 * signal, no new privileges, execve. Names of users and groups are looked up here, before, and block the loop as long
 * as that takes; so does the kernel from the child's birth until it has executed the program (vfork), typically less
 * than a millisecond: the time to read its first page.
 *
 * Suspends, as a cancellation point, but does not wait. Returns 0, or, with nothing started:
 * -EINVAL: no .argv, or it is empty; .how, a name or a number makes no sense; more than 4096 .fds;
 *	a numeric .user that the database does not know, without .group.
 * -E2BIG: options that this library does not know; for "exec": too many arguments.
 * -ESRCH: there is no such user or group.
 * -EBADF: .fd, a descriptor in .fds or that of the cgroup is not open.
 * -EMFILE, -ENFILE, -ENOMEM, -EAGAIN: no more descriptors, memory or processes.
 * -EPERM: outside tasks; or what the kernel says to one of the steps, as to the ids.
 * What execve(2), chdir(2), setrlimit(2), setpriority(2), setresuid(2) and their kin say. -ENOEXEC, too: no shell is tried.
 * -ECANCELED: as always.
 *
 * .failed says which of them it was. From asyncio.create_subprocess_exec(), and systemd's order of things.
 */
HOLT_EXPORT int holt_process_start(holt_process **ret, const struct holt_process_options *o);

/**
 * holt_process_wait() - wait until a process has ended
 * @p: the process
 * @ret: how; may be NULL
 *
 * Several tasks may wait, again and again: the exit is remembered. When it has ended already, the call
 * does not wait. Canceling who waits does nothing to the process.
 *
 * Suspends. Returns 0, or:
 * -ECHILD: it has ended, but somebody else has taken its exit (a waitpid(-1), or SIGCHLD is ignored).
 * -ENOMEM, -ENOSPC: the loop cannot watch one more descriptor.
 * -ECANCELED, -EPERM: as always.
 *
 * From asyncio's Process.wait().
 */
HOLT_EXPORT int holt_process_wait(holt_process *p, struct holt_exit *ret);

/**
 * holt_process_kill() - send a signal to a process
 * @p: the process
 * @sig: the signal; 0 asks only whether it lives
 *
 * To the process alone, not to its group; and never to another that has its number. Does not suspend.
 * Allowed outside tasks. Returns 0, or:
 * -ESRCH: it has ended.
 * -EPERM: it has other privileges by now.
 * -EINVAL: not a signal.
 *
 * From asyncio's Process.send_signal().
 */
HOLT_EXPORT int holt_process_kill(holt_process *p, int sig);

/**
 * holt_process_stop() - end a process: a signal, a time to do as told, then SIGKILL
 * @p: the process
 * @sig: what it is sent first, with its group, if it was started in one of its own
 * @grace: how long it may take; 0 or HOLT_NOW: SIGKILL at once, without @sig; HOLT_NEVER: as long as it takes
 * @ret: how it ended; may be NULL
 *
 * SIGKILL goes to its group, too. What is left of the group when the process itself has ended in time has
 * had @sig, and is not waited for: it may be the one that still finishes the work.
 *
 * The whole is shielded: a task that is canceled ends its process in the same way. If a cleanup budget
 * breaks the shield, SIGKILL comes at once, and its effect is waited for 100 ms at most, with the whole loop.
 *
 * Suspends, but is no cancellation point. Returns 0 when it has ended, now or before, or:
 * -ETIMEDOUT: it still lives 5 s after SIGKILL (the kernel holds it: a disk or network file system that does not
 *	answer). It may be waited for further on.
 * -ECANCELED: the same, when a cleanup budget broke the shield.
 * -ECHILD, -ENOMEM, -ENOSPC: as for holt_process_wait(); -EINVAL: not a signal.
 * -EPERM: outside tasks; or it may not be killed, having other privileges by now.
 *
 * From systemd's KillSignal= and TimeoutStopSec=; asyncio has terminate() and kill() apart.
 */
HOLT_EXPORT int holt_process_stop(holt_process *p, int sig, holt_time grace, struct holt_exit *ret);

/**
 * holt_process_pid() - its number
 * @p: the process
 *
 * For the log and for /proc: after it has ended, another may have it. Does not suspend. Allowed outside tasks.
 */
HOLT_EXPORT pid_t holt_process_pid(const holt_process *p);

#define HOLT_PROCESS_PIDFD (-1) /* for holt_process_fd() */

/**
 * holt_process_fd() - our end of a pipe of its, or its pidfd
 * @p: the process
 * @which: 0, 1 or 2, where .stdio said HOLT_STDIO_PIPE; or HOLT_PROCESS_PIDFD
 *
 * Borrowed: open until holt_process_close(), and not to be closed by the caller; see holt_process_take_fd().
 *
 * The pidfd is readable once the process has ended, and from then on holt_process_wait() does not wait: so
 * a program with thousands of them can watch them in an epoll of its own, with no task for each. It must take it out of
 * there before holt_process_close(): another process may hold a copy until it executes something, and then
 * epoll goes on telling of a descriptor that was closed. It is not for holt_wait_fd() while a task of the same
 * loop is in holt_process_wait(): both would watch it under one number.
 *
 * Does not suspend. Allowed outside tasks. Returns the descriptor; -EBADF: there is none, or it was taken;
 * -EINVAL: no such @which.
 */
HOLT_EXPORT int holt_process_fd(holt_process *p, int which);

/**
 * holt_process_take_fd() - take over our end of a pipe
 * @p: the process
 * @which: 0, 1 or 2, where .stdio said HOLT_STDIO_PIPE
 *
 * It is the caller's from now on, who closes it with holt_close(): to let a child that reads see the end
 * of its input, or to read what it wrote when the process is closed already.
 *
 * Does not suspend. Allowed outside tasks. Returns the descriptor; -EBADF: there is none, or it was taken
 * before; -EINVAL: no such @which.
 */
HOLT_EXPORT int holt_process_take_fd(holt_process *p, int which);

/**
 * holt_process_close() - free a process; end it if it lives
 * @p: the process, or NULL; taken
 *
 * Our ends of its pipes are closed first, so that it is not held up by them. If it lives it is then stopped as
 * by holt_process_stop() with SIGTERM and a grace of 5 s. Outside tasks it is killed at once, and waited for with
 * the whole thread, 5 s at most. A process that even SIGKILL does not end in time is left to the kernel.
 *
 * Suspends if it lives; is no cancellation point. Returns NULL, and keeps errno. From trio.run_process(), which ends
 * a child in this way when it is canceled.
 */
HOLT_EXPORT holt_process *holt_process_close(holt_process *p);

#ifdef __cplusplus
}
#endif
#endif
