/* SPDX-License-Identifier: MIT */
/*
 * The tree as text, for holtctl status: from what a daemon said of its nodes to lines on a terminal. Pure: it asks nobody
 * for anything, so that a test can compare it letter by letter.
 *
 *	● shop                     ready      rest_for_one  restarts 1/5 in 60s   up 3d2h
 *	├─● api         process    ready      pid 812  118M  notify
 *	├─◐ workers     group      degraded   one_for_one  3/4
 *	│ ├─● w@1       process    ready      pid 820  41M
 *	│ └─✗ w@2       process    backoff    exit 1 ×3, next in 1.6s
 *	└─⚑ finally     1 armed
 *
 * More than DRAW_REPLICAS replicas of one pool that are in the same state are one line, "w@*  process  ready  997 of 1000": so
 * a pool of any size takes a few lines, and those of its processes that are not like the others stand out.
 *
 * Nothing that a daemon says can do harm to a terminal: control characters are shown as question marks.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/text.h"

enum { DRAW_REPLICAS = 4 };

/* What is known of a node. Strings: NULL is not known; numbers: negative; spans: HOLT_NEVER. */
struct draw_node {
	const char *path, *name, *kind, *state; /* never NULL */
	const char *why, *type, *status, *ended, *strategy;
	holt_time since, next, within;
	int64_t pid, memory, restarts;
	int64_t used, intensity, members, members_ready, finally;
};

struct draw_options {
	size_t columns; /* lines are cut to so many; 0: they are not */
	bool ascii;     /* nothing but ASCII */
	bool color;
	bool all;         /* each replica has its line */
	const char *name; /* of the first node; NULL: its own */
};

/* A line, without its newline; lives until the next one. */
typedef void (*draw_line)(void *arg, const char *line);

/*
 * Draws the nodes, each group before what is in it, the first one around all others. 0; -ENOMEM, with nothing drawn.
 */
int draw_tree(const struct draw_node *nodes, size_t n, const struct draw_options *o, draw_line line, void *arg);

void draw_span(struct holt__text *t, holt_time span); /* "3d2h", "1.6s": two units at the most */
void draw_size(struct holt__text *t, uint64_t bytes); /* "118M" */
