/* SPDX-License-Identifier: MIT */
/*
 * The order of a tree: what has to be ready before what can start, whether that is possible at all, and in which order
 * siblings come. Pure: numbers in, numbers out.
 *
 * The nodes are numbered in the order of the file, each after its parent; 0 is the root. Three rules make up the graph:
 *
 *	a node starts only when its parent has started;
 *	a group is ready only when its members are;
 *	an edge says that `from` starts only when `to` is ready.
 *
 * If that goes round in a circle, nothing can start: a cycle, which is told as steps. (An edge between a node and one that it
 * is inside of always is one.)
 */
#pragma once
#include "base/base.h"

#define GRAPH_NONE UINT32_MAX

struct graph_edge {
	unsigned from, to;
};

struct graph {
	const unsigned *parent; /* of each node: a smaller number; the root's is GRAPH_NONE */
	unsigned n;
	const struct graph_edge *edges;
	unsigned n_edges;
};

enum graph_why {
	GRAPH_EDGE,   /* waits for the next one by an edge */
	GRAPH_MEMBER, /* is ready only when the next one, a member of it, is */
	GRAPH_INSIDE, /* starts only when the next one, in which it is, does */
};

struct graph_step {
	unsigned node;
	enum graph_why why;
	unsigned edge; /* its index, of GRAPH_EDGE */
};

/*
 * Calls fn with the steps of each cycle that is found, at most max: each step's node waits for the next one's, the last one's
 * for the first one's. A cycle begins with its edge of the lowest index. fn returns 0, or an error to end with. Returns how many
 * were found; -ENOMEM; or fn's error.
 */
int graph_cycles(
	const struct graph *g, unsigned max, int (*fn)(void *arg, const struct graph_step *steps, unsigned n), void *arg);

/*
 * Fills order with all nodes, the root first, each group before its members, siblings as they start: where an edge (also one
 * between nodes inside of two siblings) does not say otherwise, in the order of their numbers. Edges inside of siblings can contradict
 * each other without being a cycle; then the lower number is first. For a graph without cycles. -ENOMEM.
 */
int graph_order(const struct graph *g, unsigned *order);
