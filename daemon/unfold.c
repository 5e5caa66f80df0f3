/* SPDX-License-Identifier: MIT */
/*
 * From sections to the tree: the default order is filled in, cycles are refused, siblings get their order, replicas become
 * nodes of their own, and each node gets to know whom it waits for and who waits for it.
 *
 * Order is a matter of sections, not of nodes: what one replica waits for all of them wait for, and who waits for one is after
 * the section. So a thousand replicas are one vertex of the graph, and their lists are mostly one list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "daemon/graph.h"
#include "daemon/loader.h"

enum { CYCLES_MAX = 5, STEPS_SHOWN = 12, REFERENCES_MAX = 1 << 24 };

static unsigned how_many(const struct section *s)
{
	return s->replicas ? s->replicas : 1;
}

/* ---- what is off, and the default order */

static void find_off(const struct loader *l)
{
	for (unsigned i = 0; i < l->sections.n; i++) {
		const struct section *s = section_at(l, i);

		for (unsigned k = 0; k < how_many(s); k++)
			s->nodes[k].off = !s->nodes[k].enabled || (i > 0 && section_at(l, s->parent)->nodes->off);
	}
}

/* Who says nothing of its order comes after the one before it in its group, as far as that is enabled. */
static int add_defaults(struct loader *l)
{
	for (unsigned i = 1; i < l->sections.n; i++) {
		struct section *s = section_at(l, i), *parent = section_at(l, s->parent);

		if (!s->after_given && parent->last_enabled != NONE) {
			struct reference *ref = list_add(&l->references, sizeof *ref);

			if (!ref)
				return -ENOMEM;
			*ref = (struct reference){ .from = i, .to = parent->last_enabled, .place = s->place, .by_default = true };
		}
		if (s->nodes->enabled)
			parent->last_enabled = i;
	}
	return 0;
}

/* What requires something that is not started could never start itself. */
static int check_required(struct loader *l)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < l->references.n; i++) {
		const struct reference *ref = reference_at(l, i);
		const struct section *from = section_at(l, ref->from), *to = section_at(l, ref->to);

		if (ref->requires && to->nodes->off && !from->nodes->off)
			r = complain(l, &ref->place, "%s requires %s, which is not enabled: so it could never start", from->path,
				to->path);
	}
	return r;
}

/* Nothing in the tree, nothing in a group, nothing enabled. */
static int check_members(struct loader *l)
{
	struct place whole = { 0 };
	bool enabled = false;
	int r = 0;

	for (unsigned i = 1; i < l->sections.n; i++) {
		section_at(l, section_at(l, i)->parent)->nodes->members.n++;
		enabled |= !section_at(l, i)->nodes->off && section_at(l, i)->kind == NODE_PROCESS;
	}
	if (l->sections.n == 1)
		return l->config->n_errors ? 0 : complain(l, &whole, "there is nothing to run: no [process NAME]");
	if (!enabled)
		r = caution(l, &whole, "nothing will run: no process is enabled");
	for (unsigned i = 1; r == 0 && i < l->sections.n; i++) {
		const struct section *s = section_at(l, i);

		if (s->kind == NODE_GROUP && s->nodes->members.n == 0)
			r = caution(l, &s->place, "nothing is in group %s", s->path);
	}
	return r;
}

/* ---- cycles */

static void tell_step(const struct loader *l, struct holt__text *t, const struct graph_step *step, const struct graph_step *next)
{
	const char *a = section_at(l, step->node)->path, *b = section_at(l, next->node)->path;
	const struct reference *ref = reference_at(l, step->edge);

	holt__text_add(t, *a ? a : "the tree");
	if (step->why != GRAPH_EDGE) {
		holt__text_add(t, step->why == GRAPH_MEMBER ? " is ready when " : " starts with ");
		holt__text_add(t, *b ? b : "the tree");
		holt__text_add(t, step->why == GRAPH_MEMBER ? " is" : "");
		return;
	}
	holt__text_add(t, ref->requires ? " requires " : " is after ");
	holt__text_add(t, b);
	holt__text_add(t, ref->by_default ? " by default" : "");
	if (!ref->place.file)
		return;
	holt__text_add(t, " (");
	holt__text_add(t, ref->place.file);
	holt__text_add(t, ":");
	holt__text_uint(t, ref->place.line);
	holt__text_add(t, ")");
}

static int tell_cycle(void *arg, const struct graph_step *steps, unsigned n)
{
	struct loader *l = arg;
	struct place at = { 0 };
	char text[900] = "";
	struct holt__text t = HOLT__TEXT(text);
	bool by_default = false;

	for (unsigned i = 0; i < n; i++) {
		const struct reference *ref = steps[i].why == GRAPH_EDGE ? reference_at(l, steps[i].edge) : NULL;

		if (ref && !at.file)
			at = ref->place;
		by_default |= ref && ref->by_default;
		if (i >= STEPS_SHOWN)
			continue;
		holt__text_add(&t, i ? ", " : "");
		tell_step(l, &t, &steps[i], &steps[(i + 1) % n]);
	}
	return complain(l, &at, "a cycle: %s%s%s", text, n > STEPS_SHOWN ? ", and so on" : "",
		by_default ? "; an empty After= takes a default away" : "");
}

/* Refuses cycles, and finds the order: of sections, each group before its members. */
static int sort(struct loader *l, unsigned *order)
{
	unsigned n = (unsigned)l->sections.n, n_edges = (unsigned)l->references.n;
	unsigned *parent = holt__malloc(n * sizeof *parent);
	struct graph_edge *edges = holt__malloc((n_edges + 1) * sizeof *edges);
	struct graph g = { .parent = parent, .n = n, .edges = edges, .n_edges = n_edges };
	int r = parent && edges ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && i < n; i++)
		parent[i] = section_at(l, i)->parent;
	for (unsigned i = 0; r == 0 && i < n_edges; i++)
		edges[i] = (struct graph_edge){ reference_at(l, i)->from, reference_at(l, i)->to };
	if (r == 0)
		r = graph_cycles(&g, CYCLES_MAX, tell_cycle, l);
	if (r == 0)
		r = graph_order(&g, order);
	holt__free(parent);
	holt__free(edges);
	return r < 0 ? r : 0;
}

/* ---- places in the tree */

static int place_nodes(struct loader *l, const unsigned *order)
{
	struct config *c = l->config;
	size_t n = 0;

	for (unsigned i = 0; i < l->sections.n; i++) {
		n += how_many(section_at(l, i));
		section_at(l, i)->nodes->members.n = 0; /* they are counted again, replicas as nodes */
	}
	c->nodes.v = memory_get(l->memory, n * sizeof *c->nodes.v);
	if (!c->nodes.v)
		return -ENOMEM;
	for (unsigned i = 0; i < l->sections.n; i++) {
		const struct section *s = section_at(l, order[i]);

		for (unsigned k = 0; k < how_many(s); k++) {
			struct node *node = &s->nodes[k];

			node->index = (unsigned)c->nodes.n;
			c->nodes.v[c->nodes.n++] = node;
			if (s->parent == NONE)
				continue;
			node->parent = section_at(l, s->parent)->nodes;
			node->order = (unsigned)node->parent->members.n++;
		}
	}
	c->tree = c->nodes.v[0];
	return 0;
}

/* Members without members of their own stand side by side in the list of all nodes, which then serves as theirs, too. */
static int list_members(struct loader *l)
{
	const struct nodes *all = &l->config->nodes;

	for (size_t i = 0; i < all->n; i++) {
		struct node *n = all->v[i];

		if (n->parent && n->order == n->parent->members.n - 1 && n->index == n->parent->index + n->parent->members.n)
			n->parent->members.v = &all->v[n->parent->index + 1];
	}
	for (size_t i = 1; i < all->n; i++) {
		struct node *n = all->v[i], *parent = n->parent;

		if (parent && !parent->members.v)
			parent->members.v = memory_get(l->memory, parent->members.n * sizeof *parent->members.v);
		if (!parent || !parent->members.v)
			return -ENOMEM;
		parent->members.v[n->order] = n;
	}
	return 0;
}

static int by_path(const void *a, const void *b, void *arg)
{
	const struct nodes *all = arg;

	return strcmp(all->v[*(const unsigned *)a]->path, all->v[*(const unsigned *)b]->path);
}

static int list_paths(struct loader *l)
{
	size_t n = l->config->nodes.n;
	unsigned *list = memory_get(l->memory, n * sizeof *list);

	if (!list)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		list[i] = i;
	qsort_r(list, n, sizeof *list, by_path, &l->config->nodes);
	l->config->by_path = list;
	return 0;
}

/* ---- who waits for whom */

/* References by one of their ends: those of section i are ref[first[i]] to ref[first[i + 1] - 1]. */
struct ends {
	unsigned *first, *ref;
	bool backward; /* by the end that is waited for */
};

struct lists {
	struct loader *l;
	struct ends from, to;
	struct list found; /* of struct node * */
	size_t total;
};

static unsigned own_end(const struct ends *e, const struct reference *ref)
{
	return e->backward ? ref->to : ref->from;
}

static int ends_open(struct ends *e, const struct loader *l, bool backward)
{
	e->backward = backward;
	e->first = holt__calloc(l->sections.n + 2, sizeof *e->first);
	e->ref = holt__calloc(l->references.n + 1, sizeof *e->ref);
	if (!e->first || !e->ref)
		return -ENOMEM;
	for (unsigned i = 0; i < l->references.n; i++)
		e->first[own_end(e, reference_at(l, i)) + 2]++;
	for (unsigned i = 2; i < l->sections.n + 2; i++)
		e->first[i] += e->first[i - 1];
	for (unsigned i = 0; i < l->references.n; i++)
		e->ref[e->first[own_end(e, reference_at(l, i)) + 1]++] = i;
	return 0;
}

static void ends_close(struct ends *e)
{
	holt__free(e->first);
	holt__free(e->ref);
}

static int by_index(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

	return (x->index > y->index) - (x->index < y->index);
}

/* Adds the nodes of a section, or of one replica of it. */
static int add_nodes(struct lists *w, const struct section *s, unsigned replica)
{
	for (unsigned k = replica ? replica - 1 : 0; k < (replica ? replica : how_many(s)); k++) {
		struct node **to = list_add(&w->found, sizeof *to);

		if (!to)
			return -ENOMEM;
		*to = &s->nodes[k];
	}
	return 0;
}

/* The other ends of a section's references, as its replica (0: any) sees them, in the order of starting, each once. */
static int collect(struct lists *w, const struct ends *e, unsigned section, unsigned replica, bool requires, struct nodes *ret)
{
	struct node **v;
	size_t n = 0;

	w->found.n = 0;
	for (unsigned i = e->first[section]; i < e->first[section + 1]; i++) {
		const struct reference *ref = reference_at(w->l, e->ref[i]);
		unsigned own = e->backward ? ref->to_replica : ref->replica, other = e->backward ? ref->replica : ref->to_replica;

		if ((requires && !ref->requires) || (own && own != replica))
			continue;
		if (add_nodes(w, section_at(w->l, e->backward ? ref->from : ref->to), other) < 0)
			return -ENOMEM;
	}
	v = w->found.v;
	if (w->found.n > 1)
		qsort(v, w->found.n, sizeof *v, by_index);
	for (size_t i = 0; i < w->found.n; i++)
		if (n == 0 || v[n - 1] != v[i])
			v[n++] = v[i];
	w->total += n;
	ret->n = n;
	ret->v = memory_same(w->l->memory, v, n * sizeof *v);
	return n == 0 || ret->v ? 0 : -ENOMEM;
}

/* Whether each replica of a section sees the same. */
static bool is_common(const struct lists *w, const struct ends *e, unsigned section)
{
	for (unsigned i = e->first[section]; i < e->first[section + 1]; i++) {
		const struct reference *ref = reference_at(w->l, e->ref[i]);

		if (e->backward ? ref->to_replica : ref->replica)
			return false;
	}
	return true;
}

static int list_section(struct lists *w, unsigned section)
{
	const struct section *s = section_at(w->l, section);
	bool common[] = { is_common(w, &w->from, section), is_common(w, &w->to, section) };
	int r = 0;

	for (unsigned k = 0; r == 0 && k < how_many(s); k++) {
		struct node *n = &s->nodes[k];

		for (int end = 0; r == 0 && end < 2; end++) {
			const struct ends *e = end ? &w->to : &w->from;
			struct nodes *all = end ? &n->before : &n->after, *needed = end ? &n->required_by : &n->requires;

			if (k > 0 && common[end]) {
				*all = end ? s->nodes->before : s->nodes->after;
				*needed = end ? s->nodes->required_by : s->nodes->requires;
				continue;
			}
			r = collect(w, e, section, k + 1, false, all);
			if (r == 0)
				r = collect(w, e, section, k + 1, true, needed);
		}
	}
	return r;
}

static int list_references(struct loader *l)
{
	struct lists w = { .l = l };
	struct place whole = { 0 };
	int r = ends_open(&w.from, l, false);

	if (r == 0)
		r = ends_open(&w.to, l, true);
	for (unsigned i = 0; r == 0 && i < l->sections.n && w.total < REFERENCES_MAX; i++)
		r = list_section(&w, i);
	if (r == 0 && w.total >= REFERENCES_MAX)
		r = complain(l, &whole, "too many nodes wait for too many others");
	ends_close(&w.from);
	ends_close(&w.to);
	list_free(&w.found);
	return r;
}

int unfold(struct loader *l)
{
	unsigned *order;
	int r;

	find_off(l);
	r = add_defaults(l);
	if (r == 0)
		r = check_required(l);
	if (r == 0)
		r = check_members(l);
	if (r < 0)
		return r;

	order = holt__malloc(l->sections.n * sizeof *order);
	if (!order)
		return -ENOMEM;
	r = sort(l, order);
	if (r == 0 && l->config->n_errors == 0)
		r = place_nodes(l, order);
	holt__free(order);
	if (r < 0 || l->config->n_errors > 0)
		return r;
	r = list_members(l);
	if (r == 0)
		r = list_paths(l);
	return r < 0 ? r : list_references(l);
}
