/* SPDX-License-Identifier: MIT */
/*
 * See graph.h.
 *
 * Cycles: each node is two vertices, its start and its being ready, and a depth-first search, without recursion, finds the
 * edges that lead back to a vertex it is inside of. Order: Kahn's algorithm in each group, the lowest number first, on edges
 * that were lifted to the two siblings they are between.
 */
#include "daemon/graph.h"

#include <errno.h>

#include "base/alloc.h"

/* For each node a list: that of i is item[first[i]] to item[first[i + 1] - 1]. */
struct index {
	unsigned *first, *item;
};

static void index_free(struct index *x)
{
	holt__free(x->first);
	holt__free(x->item);
}

/* Room for lists of n_nodes, with n_items in all. */
static int index_alloc(struct index *x, unsigned n_nodes, unsigned n_items)
{
	x->first = holt__calloc((size_t)n_nodes + 2, sizeof *x->first);
	x->item = holt__calloc((size_t)n_items + 1, sizeof *x->item);
	return x->first && x->item ? 0 : -ENOMEM;
}

/* Sorts item numbers 0 to n_items - 1 into lists by their key, in order; those of GRAPH_NONE are left out. */
static int index_by(
	struct index *x, unsigned n_nodes, unsigned n_items, unsigned (*key)(const void *arg, unsigned item), const void *arg)
{
	if (index_alloc(x, n_nodes, n_items) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < n_items; i++)
		if (key(arg, i) != GRAPH_NONE)
			x->first[key(arg, i) + 2]++;
	for (unsigned i = 2; i < n_nodes + 2; i++)
		x->first[i] += x->first[i - 1];
	for (unsigned i = 0; i < n_items; i++)
		if (key(arg, i) != GRAPH_NONE)
			x->item[x->first[key(arg, i) + 1]++] = i;
	return 0;
}

static unsigned parent_of(const void *arg, unsigned node)
{
	return ((const struct graph *)arg)->parent[node];
}

static unsigned from_of(const void *arg, unsigned edge)
{
	return ((const struct graph *)arg)->edges[edge].from;
}

/* ---- cycles */

/* Vertices: 2 * node is its start, 2 * node + 1 its being ready. */
enum color { UNSEEN, INSIDE, DONE };

struct visit {
	unsigned vertex;
	unsigned next; /* which of what it waits for comes next */
};

struct search {
	const struct graph *g;
	struct index members, edges;
	unsigned char *color;
	struct visit *stack;
	struct graph_step *steps;
	unsigned depth;
};

/* The k-th of what a vertex waits for, and why; false: there are not so many. */
static bool waits_for(const struct search *s, unsigned vertex, unsigned k, unsigned *ret_vertex, struct graph_step *ret)
{
	const struct index *x = vertex & 1 ? &s->members : &s->edges;
	unsigned node = vertex / 2, item = x->first[node] + k;

	*ret = (struct graph_step){ .node = node };
	if (vertex & 1) {
		if (k == 0) {
			*ret_vertex = vertex - 1;
			return true;
		}
		item--;
	} else {
		item -= node > 0;
	}
	ret->why = vertex & 1 ? GRAPH_MEMBER : GRAPH_EDGE;
	if (!(vertex & 1) && node > 0 && k == 0) {
		ret->why = GRAPH_INSIDE;
		*ret_vertex = 2 * s->g->parent[node];
		return true;
	}
	if (item >= x->first[node + 1])
		return false;
	ret->edge = vertex & 1 ? 0 : x->item[item];
	*ret_vertex = vertex & 1 ? 2 * x->item[item] + 1 : 2 * s->g->edges[ret->edge].to + 1;
	return true;
}

/* The stack, from `vertex` on, and back to it, as steps. A node's ready waiting for its own start is none. */
static unsigned cycle_of(const struct search *s, unsigned vertex)
{
	unsigned bottom = s->depth, n = 0, first = 0;
	struct graph_step *steps = s->steps, *copy;

	while (s->stack[bottom - 1].vertex != vertex)
		bottom--;
	for (unsigned i = bottom - 1; i < s->depth; i++) {
		const struct visit *v = &s->stack[i];
		unsigned to;

		waits_for(s, v->vertex, v->next - 1, &to, &steps[n]);
		n += !(v->vertex & 1) || v->next > 1;
	}
	for (unsigned i = 1; i < n; i++)
		if (steps[i].why == GRAPH_EDGE && (steps[first].why != GRAPH_EDGE || steps[i].edge < steps[first].edge))
			first = i;
	copy = steps + n; /* there is room for twice as many */
	for (unsigned i = 0; i < n; i++)
		copy[i] = steps[(first + i) % n];
	for (unsigned i = 0; i < n; i++)
		steps[i] = copy[i];
	return n;
}

static void enter(struct search *s, unsigned vertex)
{
	s->color[vertex] = INSIDE;
	s->stack[s->depth++] = (struct visit){ .vertex = vertex };
}

/* The next cycle below the vertices on the stack: its steps; 0: there is none any more. */
static unsigned next_cycle(struct search *s)
{
	while (s->depth > 0) {
		struct visit *v = &s->stack[s->depth - 1];
		struct graph_step step;
		unsigned to;

		if (!waits_for(s, v->vertex, v->next, &to, &step)) {
			s->color[v->vertex] = DONE;
			s->depth--;
			continue;
		}
		v->next++;
		if (s->color[to] == UNSEEN)
			enter(s, to);
		else if (s->color[to] == INSIDE)
			return cycle_of(s, to);
	}
	return 0;
}

static int search_open(struct search *s, const struct graph *g)
{
	size_t n = 2 * (size_t)g->n;

	*s = (struct search){ .g = g };
	if (index_by(&s->members, g->n, g->n, parent_of, g) < 0 || index_by(&s->edges, g->n, g->n_edges, from_of, g) < 0)
		return -ENOMEM;
	s->color = holt__calloc(n, 1);
	s->stack = holt__calloc(n, sizeof *s->stack);
	s->steps = holt__calloc(2 * n, sizeof *s->steps);
	return s->color && s->stack && s->steps ? 0 : -ENOMEM;
}

static void search_close(struct search *s)
{
	index_free(&s->members);
	index_free(&s->edges);
	holt__free(s->color);
	holt__free(s->stack);
	holt__free(s->steps);
}

int graph_cycles(const struct graph *g, unsigned max, int (*fn)(void *arg, const struct graph_step *steps, unsigned n), void *arg)
{
	struct search s;
	unsigned found = 0, n;
	int r = search_open(&s, g);

	for (unsigned i = 0; r == 0 && i < 2 * g->n && found < max; i++) {
		if (s.color[i] != UNSEEN)
			continue;
		for (enter(&s, i); found < max && (n = next_cycle(&s)) > 0 && r >= 0; found++)
			r = fn(arg, s.steps, n);
	}
	search_close(&s);
	return r < 0 ? r : (int)found;
}

/* ---- order */

/* The lowest number first. */
struct heap {
	unsigned *v, n;
};

static void heap_put(struct heap *h, unsigned x)
{
	unsigned i = h->n++;

	for (; i > 0 && h->v[(i - 1) / 2] > x; i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = x;
}

static unsigned heap_take(struct heap *h)
{
	unsigned top = h->v[0], x = h->v[--h->n], i = 0, child;

	for (; (child = 2 * i + 1) < h->n; i = child) {
		child += child + 1 < h->n && h->v[child + 1] < h->v[child];
		if (h->v[child] >= x)
			break;
		h->v[i] = h->v[child];
	}
	h->v[i] = x;
	return top;
}

struct sort {
	const struct graph *g;
	struct graph_edge *lifted;   /* of each edge: the two siblings */
	struct index members, after; /* after: lifted edges by what they wait for */
	unsigned *own, *all;         /* of each node: how many edges it still waits for, its own and those of all inside */
	bool *taken;
	struct heap free, loose; /* siblings that wait for nothing; whose own edges wait for nothing, those taken too */
};

static unsigned lifted_to(const void *arg, unsigned edge)
{
	return ((const struct sort *)arg)->lifted[edge].to;
}

/* Goes up from both ends of each edge until they are siblings: a parent above the other's is not below the one in common. */
static void lift(const struct graph *g, struct graph_edge *lifted)
{
	for (unsigned i = 0; i < g->n_edges; i++) {
		struct graph_edge e = g->edges[i];

		while (g->parent[e.from] != g->parent[e.to]) {
			if (g->parent[e.from] > g->parent[e.to])
				e.from = g->parent[e.from];
			else
				e.to = g->parent[e.to];
		}
		lifted[i] = e;
	}
}

static int sort_open(struct sort *s, const struct graph *g)
{
	size_t n = (size_t)g->n + 1;

	*s = (struct sort){ .g = g };
	s->lifted = holt__calloc((size_t)g->n_edges + 1, sizeof *s->lifted);
	s->own = holt__calloc(n, sizeof *s->own);
	s->all = holt__calloc(n, sizeof *s->all);
	s->taken = holt__calloc(n, sizeof *s->taken);
	s->free.v = holt__calloc(n, sizeof *s->free.v);
	s->loose.v = holt__calloc(n, sizeof *s->loose.v);
	if (!s->lifted || !s->own || !s->all || !s->taken || !s->free.v || !s->loose.v)
		return -ENOMEM;
	lift(g, s->lifted);
	if (index_by(&s->members, g->n, g->n, parent_of, g) < 0)
		return -ENOMEM;
	return index_by(&s->after, g->n, g->n_edges, lifted_to, s);
}

static void sort_close(struct sort *s)
{
	holt__free(s->lifted);
	holt__free(s->own);
	holt__free(s->all);
	holt__free(s->taken);
	holt__free(s->free.v);
	holt__free(s->loose.v);
	index_free(&s->members);
	index_free(&s->after);
}

/* One thing less to wait for, or none from the beginning. */
static void look(struct sort *s, unsigned node, unsigned own, unsigned all)
{
	s->own[node] -= own;
	s->all[node] -= all;
	if (own && s->own[node] == 0)
		heap_put(&s->loose, node);
	if (s->all[node] == 0)
		heap_put(&s->free, node);
}

/* The next sibling: one that waits for nothing; where edges of those inside contradict each other, one with no own edge. */
static unsigned next_sibling(struct sort *s)
{
	struct heap *h;
	unsigned node;

	do {
		h = s->free.n > 0 ? &s->free : &s->loose;
		node = heap_take(h);
	} while (s->taken[node]);
	s->taken[node] = true;
	return node;
}

/* Puts the members of a group in order, in place. */
static void sort_members(struct sort *s, unsigned group)
{
	unsigned *m = s->members.item + s->members.first[group], n = s->members.first[group + 1] - s->members.first[group];

	s->free.n = s->loose.n = 0;
	for (unsigned i = 0; i < n; i++) {
		if (s->own[m[i]] == 0)
			heap_put(&s->loose, m[i]);
		if (s->all[m[i]] == 0)
			heap_put(&s->free, m[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned node = next_sibling(s);

		m[i] = node;
		for (unsigned k = s->after.first[node]; k < s->after.first[node + 1]; k++) {
			unsigned e = s->after.item[k], from = s->lifted[e].from;

			if (!s->taken[from])
				look(s, from, from == s->g->edges[e].from && node == s->g->edges[e].to, 1);
		}
	}
}

int graph_order(const struct graph *g, unsigned *order)
{
	struct sort s;
	int r = sort_open(&s, g);

	for (unsigned i = 0; r == 0 && i < g->n_edges; i++) {
		s.all[s.lifted[i].from]++;
		s.own[s.lifted[i].from] += s.lifted[i].from == g->edges[i].from && s.lifted[i].to == g->edges[i].to;
	}
	for (unsigned i = 0; r == 0 && i < g->n; i++)
		sort_members(&s, i);
	if (r == 0) {
		/* the stack grows at the end of order, the result at its beginning: together they are at most all nodes */
		unsigned n = 0, top = g->n;

		order[--top] = 0;
		while (top < g->n) {
			unsigned node = order[top++];

			order[n++] = node;
			for (unsigned k = s.members.first[node + 1]; k-- > s.members.first[node];)
				order[--top] = s.members.item[k];
		}
	}
	sort_close(&s);
	return r;
}
