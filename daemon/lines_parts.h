/* SPDX-License-Identifier: MIT */
/*
 * The parts of lines.c, for it and for each other; see lines.h.
 *
 * A sink takes a line or says -EAGAIN: then it calls lines_resume() when it takes more. Only the journal does that. What
 * cannot be written for another reason is the sink's to count and to tell.
 */
#pragma once
#include "daemon/lines.h"

enum {
	LINE_MAX_USUAL = 48 * 1024,
	CHUNK = 16 * 1024,       /* is read at once */
	ROUND = 4 * CHUNK,       /* a stream may read in a round */
	CONSOLE_MAX = 64 * 1024, /* may wait for stderr */
};
#define LAST_WORDS (100 * HOLT_MS)

/* A node's file; to be zeroed, but for the descriptor. */
struct logfile {
	int fd; /* -1: not open */
	uint64_t size;
};

struct lines_node {
	struct lines *lines;
	struct lines_node *next, **at;
	struct lines_stream *streams;
	bool closed; /* by its owner: it goes with its last stream */
	unsigned line_max, burst;
	holt_time interval;
	holt_time since;     /* of the present interval of the rate limit; 0: none yet */
	unsigned n, dropped; /* in that */
	struct logfile file;
	const char *name; /* the last part of path */
	char path[];
};

struct rest {
	size_t n;
	char bytes[];
};

struct lines_stream {
	struct watch watch; /* of the pipe; .fd -1: it is closed */
	struct lines_node *node;
	struct lines_stream *next, **at; /* of the node */
	struct lines_stream *next_waiting;
	struct rest *rest; /* read, and not handed on; NULL: nothing */
	struct invocation id;
	pid_t pid;
	unsigned left;                   /* finishing: so many bytes are to be read */
	uint8_t priority, line_priority; /* the usual one; that of the line that is handed on in parts */
	bool continued;                  /* such a line is on */
	bool waiting;                    /* for the sink; it is not read */
	bool leaving;                    /* nobody has a pointer to it: it goes with its end */
	bool finishing;                  /* ... which comes when .left is 0 */
	bool eof;
};

/* What a sink gets beside the text. */
struct lines_from {
	struct lines_node *node;
	const struct invocation *id; /* NULL: none */
	pid_t pid;                   /* 0: none */
	int priority;
};

/* ---- the journal */

struct journal {
	struct watcher *watcher;
	const char *path;
	int fd; /* -1: not open */
	struct watch writable;
};

void journal_open(struct journal *j, struct watcher *w, const char *path);
/* 0; -EAGAIN: later, lines_resume() will be called; else it cannot be had, and the line has to go elsewhere. */
int journal_write(struct journal *j, const char *tree, const struct lines_from *f, const char *s, size_t n);
void journal_wait(struct journal *j, holt_time end); /* blocks, until it takes something, or that time */
void journal_close(struct journal *j);

/* ---- the console */

struct console {
	struct watcher *watcher;
	int fd;
	enum { CONSOLE_FILE, CONSOLE_SOCKET, CONSOLE_OTHER } kind;
	bool colored, prefixed; /* prefixed: stderr is the journal after all: "<6>" */
	unsigned width;
	char *buf; /* what waits; NULL: nothing */
	size_t n, room;
	unsigned long dropped; /* lines, and nobody was told */
	struct watch writable;
	struct holt__timer retry; /* where epoll does not tell */
	struct watch_later later; /* to write what came in this round */
};

void console_open(struct console *c, struct watcher *w, unsigned width);
void console_write(struct console *c, int priority, const char *name, const char *s, size_t n);
void console_flush(struct console *c, holt_time end); /* blocks, until nothing waits, or that time */
void console_close(struct console *c);

/* ---- files */

struct logfiles {
	char *directory;
	int fd;
	uint64_t max;
	unsigned keep;
	struct lines_node *node; /* whose lines are in buf */
	char *buf;
	size_t n;
	unsigned long dropped; /* lines, and nobody was told */
	holt_time told;
};

int logfiles_open(struct logfiles *f, const struct lines_options *o);
void logfiles_write(struct logfiles *f, struct lines_node *n, const char *s, size_t len);
void logfiles_flush(struct logfiles *f);                        /* at the end of a node's round */
void logfiles_forget(struct logfiles *f, struct lines_node *n); /* flushes and closes its file */
void logfiles_close(struct logfiles *f);

/* ---- all */

struct lines {
	struct watcher *watcher;
	char *tree;
	enum log_target target; /* not AUTO */
	bool stderr_is_journal;
	char *buf; /* what was read just now; a rest and a chunk fit in */
	size_t room;
	struct lines_node *nodes;
	struct lines_stream *waiting, **last_waiting; /* first come, first served */
	bool resuming;
	struct holt__timer tell; /* what was dropped, when its interval is over */
	struct journal journal;
	struct console console;
	struct logfiles files;
};

void lines_resume(struct lines *l);
holt_time lines_clock(void); /* a fresh reading: for who blocks the thread */
