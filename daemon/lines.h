/* SPDX-License-Identifier: MIT */
/*
 * What processes write, line by line, to the journal, to the console (stderr), or to files.
 *
 *	lines ── node ── stream        one for holtd, one a node, one for each pipe that is open
 *
 * A stream is our end of a pipe: non-blocking here, blocking there. It is watched, no task waits for it, and while nothing
 * comes it costs less than 100 bytes: all share one buffer, and only the beginning of a line that has no end yet is kept. In
 * a round each stream may read so many bytes; so one that floods delays the others, and starves nobody.
 *
 * A line goes out whole, whatever is in it, and as it was written, but for its end and a priority in front (<0> to <7>, as
 * for systemd). One that is longer than LogLineMax= goes out in parts, cut between characters of UTF-8. A NUL ends a
 * line, too. No byte is lost: a journal that does not keep up is waited for, and the pipes are not read meanwhile,
 * so in the end the writers wait, as they do for the journal itself. Three things make an exception, and each is counted and
 * told: LogRateLimit…=, a stderr that is not read (64 KiB wait for it), and files that cannot be written.
 *
 * The rule: what was read is either handed on, or kept in .partial, when a callback returns. A stream belongs to its node
 * until it is finished; a node lives as long as one of its streams does, so the configuration need not.
 */
#pragma once
#include <holt/log.h>

#include "daemon/config.h"
#include "daemon/orphans.h"
#include "daemon/watch.h"

struct lines;
struct lines_node;   /* a node's: names, rate limit, file */
struct lines_stream; /* a pipe's */

struct lines_options {
	const char *tree;       /* its name */
	enum log_target target; /* AUTO: the journal if stderr is it, else the console */
	const char *directory;  /* LOG_TO_FILES: DIRECTORY/shop/api.log for the node shop/api. Made if it is not there */
	uint64_t file_max;   /* bytes; a file that would grow over it is renamed to .log.1, that to .log.2, and so on; 0: never */
	unsigned file_keep;  /* so many of them are kept */
	unsigned width;      /* of the column of names on the console; 0: it grows with the nodes that are opened */
	const char *journal; /* its socket; NULL: the system's */
};

/* All of the options is copied. -ENOMEM; files: -errno of making the directory. A journal that is not there is no error. */
int lines_open(struct lines **ret, struct watcher *w, const struct lines_options *o);

/*
 * All nodes are closed. Streams that are still open are read once more, as lines_finish() does, and closed; what then still
 * waits for the journal or the console has 100 ms, with the whole thread. NULL is taken; returns NULL.
 */
struct lines *lines_close(struct lines *l);

/*
 * For holt_log_sink(), with the struct lines as ARG, when lines go to the console: holtd's own stand among them, as "holtd | …".
 * Until then, or with another target, they are written to stderr as the log does.
 */
void lines_own(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n);
bool lines_on_console(const struct lines *l);

struct lines_limits {
	size_t line_max;    /* bytes; 0: 48K */
	holt_time interval; /* 0: no limit of rate */
	unsigned burst;     /* lines in an interval; 0: no limit */
};

/* PATH is copied. -ENOMEM. */
int lines_node_open(struct lines_node **ret, struct lines *l, const char *path, const struct lines_limits *limits);
int lines_node_set(struct lines_node *n, const struct lines_limits *limits); /* from the next line on. -ENOMEM */
struct lines_node *lines_node_close(struct lines_node *n);                   /* NULL is taken; returns NULL. Its streams go on */

/* The memory of a stream, for who must not fail later. To be attached, or finished. -ENOMEM. */
int lines_prepare(struct lines_stream **ret);

/*
 * FD, the reading end of a pipe, is taken when 0 is returned, and not used with holt_read() & co. PRIORITY: of lines that do
 * not say it. What is read before the end is logged as PID's and ID's (NULL: none). *stream is one that was prepared, or NULL, and
 * then valid until it is finished or left; NULL after a failure. -ENOMEM, only when it was not prepared; -errno.
 */
int lines_attach(
	struct lines_stream **stream, struct lines_node *n, int fd, pid_t pid, const struct invocation *id, int priority);
void lines_set_pid(struct lines_stream *s, pid_t pid); /* MAINPID= */

/*
 * Nothing that counts will write any more: what is in the pipe now is read to its end, whoever else holds the other end, a line
 * without an end is one, and the pipe is closed; later, if the journal does not keep up. NULL is taken; returns NULL.
 */
struct lines_stream *lines_finish(struct lines_stream *s);

/* The same, but who still has the other end (KillMode=process) is read as long as he writes. NULL is taken; returns NULL. */
struct lines_stream *lines_leave(struct lines_stream *s);

/* ---- pure, for tests */

/* <0> to <7> in front of a line: how long it is, and *priority is changed; else 0. As systemd, which takes no facility there. */
size_t lines_prefix(const char *s, size_t n, int *priority);
/* Where the first max bytes of a longer text are cut, so that no character of UTF-8 is broken if it is UTF-8. */
size_t lines_cut(const char *s, size_t max);
