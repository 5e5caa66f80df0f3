/* SPDX-License-Identifier: MIT */
/*
 * From a node's configuration and one of its commands to what holt_process_start() takes: arguments with variables put
 * in, environment, descriptors, limits, credentials. It starts nothing.
 *
 *	r = exec_prepare(&e, &base, node, command, &extra);
 *	if (r >= 0)
 *		r = holt_process_start(&p, &e.options);
 *	exec_release(&e);
 *
 * THE ENVIRONMENT is holtd's own: what systemd, the container's runtime or the shell gave to it is for the processes, with
 * an Environment= of the unit or an -e of the container in it. Left out is what was meant for holtd alone: NOTIFY_SOCKET,
 * WATCHDOG_*, LISTEN_*, CREDENTIALS_DIRECTORY, JOURNAL_STREAM, RUNTIME_DIRECTORY, INVOCATION_ID, SYSTEMD_EXEC_PID, MAINPID,
 * MANAGERPID, FDSTORE, and HOLT_* of a holtd above. PATH is set if it is not. Then, later ones win: with User= the user's HOME,
 * LOGNAME, USER, SHELL; HOLT_TREE, HOLT_NODE, HOLT_REPLICA (of a replica), NOTIFY_SOCKET, WATCHDOG_USEC, MAINPID,
 * CREDENTIALS_DIRECTORY; Environment=; EnvironmentFile=; and .env of the caller. HOLT_INVOCATION_ID comes first, where it is found
 * quickest, and nothing takes its place: by it the process is known. WATCHDOG_PID is not set: the pid is not known
 * before, and without it sd_watchdog_enabled() takes WATCHDOG_USEC as its own.
 *
 * ARGUMENTS, as systemd does: $VAR as a whole word becomes the words of its value, quotes in it respected, none if
 * it is not set; ${VAR} inside of a word its value; $$ is a $. A $ that is none of these stays. Not in argv[0], not with the
 * prefix ":".
 *
 * All that it allocates is in one piece, freed by exec_release(); nothing is kept for a process that runs, but its
 * credentials on disk, see exec_credentials_remove().
 */
#pragma once
#include <holt/work.h>

#include "base/text.h"
#include "daemon/config.h"
#include "daemon/orphans.h"

/* What is the same for all: to be opened once. */
struct exec_base {
	const char *tree;            /* its name, borrowed */
	const char *state;           /* S, borrowed; NULL: none, and then LoadCredential= is an error */
	const char *own_credentials; /* holtd's $CREDENTIALS_DIRECTORY */
	char **env;                  /* of ours, what processes get; ends with NULL */
	size_t n_env;
	struct exec_user *user; /* who was looked up last: 1000 starts shall not read /etc/passwd 1000 times; NULL: nobody */
};

/* ENVIRONMENT is borrowed as long as the base is. -ENOMEM; nothing needs to be closed then, and may be. */
int exec_base_open(struct exec_base *b, const char *tree, const char *state, char *const *environment);
void exec_base_close(struct exec_base *b);

struct exec_extra {
	const struct invocation *id; /* NULL: no HOLT_INVOCATION_ID= */
	const char *notify_socket;   /* NULL: none */
	holt_time watchdog;          /* 0: none */
	pid_t main_pid;              /* for ExecReload=, ExecStop=; 0: none */
	const char *const *env;      /* "NAME=value", ends with NULL; NULL: none. HOLT_RESULT= and its like */
	int cgroup_fd;               /* 0: ours. The caller closes it */
	int log_fd; /* what a descriptor that goes to the log is; 0: a pipe. For commands that share their node's */
	bool first; /* the main process, or the first command of a start: credentials are made, TRUNCATE truncates */
	const struct holt_named_fd *fds; /* sockets, borrowed */
	size_t n_fds;
};

struct exec {
	struct holt_process_options options; /* .failed is the caller's to set; all else is borrowed from here */
	char why[200];                       /* of an error of exec_prepare(): what, by name, is wrong */
	int files[3];                        /* opened for .stdio; -1: none */
	struct exec_piece *memory;
};

/*
 * N may be a group (finally commands): then there is no user, no stdio but the log, no limits. Where stdout and stderr
 * go to the log both, they share one pipe: .stdio[1] is the pipe and .stdio[2] is HOLT_STDIO_STDOUT, so that their order is kept.
 *
 * 0; or -errno, and E->why says what is wrong ("EnvironmentFile=/etc/x: Permission denied"), and E needs no release, but
 * takes it. Reads and writes small files, so it may wait for a disk; does not suspend.
 */
int exec_prepare(struct exec *e, struct exec_base *b, const struct node *n, const struct command *c, const struct exec_extra *x);
void exec_release(struct exec *e);

/*
 * The credentials of one start, S/credentials/ID/: removed when its last command has ended. A node without LoadCredential=:
 * nothing.
 */
void exec_credentials_remove(const struct exec_base *b, const struct node *n, const struct invocation *id);

/* The user that a process of that node will have, for its notify socket. 0; -ESRCH: there is none of that name; -errno. */
int exec_user_of(struct exec_base *b, const struct node *n, uid_t *ret_uid, gid_t *ret_gid);
