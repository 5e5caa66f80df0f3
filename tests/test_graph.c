/* SPDX-License-Identifier: MIT */
/*
 * Order and cycles. Thousands of random trees with random edges are compared with the plainest model there is: what can start
 * is started, what can be ready is, until nothing changes any more. What is left over then is a cycle, and the other way round.
 */
#include "harness.h"

#include "daemon/graph.h"

enum { MAX = 24 };

static unsigned parent[MAX], n_nodes, n_edges;
static struct graph_edge edges[3 * MAX];

static struct graph the_graph(void)
{
	return (struct graph){ .parent = parent, .n = n_nodes, .edges = edges, .n_edges = n_edges };
}

static void begin(void)
{
	n_nodes = 1;
	n_edges = 0;
	parent[0] = GRAPH_NONE;
}

static unsigned node(unsigned in)
{
	parent[n_nodes] = in;
	return n_nodes++;
}

/* from starts after to is ready */
static void edge(unsigned from, unsigned to)
{
	edges[n_edges++] = (struct graph_edge){ from, to };
}

static char told[1000];
static unsigned n_told;

static int tell(void *arg, const struct graph_step *steps, unsigned n)
{
	(void)arg;
	n_told++;
	for (unsigned i = 0; i < n; i++)
		snprintf(told + strlen(told), sizeof told - strlen(told), "%u%s", steps[i].node,
			steps[i].why == GRAPH_EDGE             ? " after "
				: steps[i].why == GRAPH_MEMBER ? " needs "
							       : " in ");
	strcat(told, "; ");
	return 0;
}

static const char *cycles(unsigned max)
{
	struct graph g = the_graph();
	int r;

	told[0] = 0;
	n_told = 0;
	r = graph_cycles(&g, max, tell, NULL);
	ck_assert_int_eq(r, (int)n_told);
	return told;
}

static const char *order(void)
{
	static char text[200];
	struct graph g = the_graph();
	unsigned v[MAX];

	ck_assert_int_eq(graph_order(&g, v), 0);
	text[0] = 0;
	for (unsigned i = 0; i < n_nodes; i++)
		sprintf(text + strlen(text), "%s%u", i ? " " : "", v[i]);
	return text;
}

/* ---- by hand */

TEST(without_edges_the_order_is_that_of_the_file)
{
	begin();
	ck_assert_str_eq(order(), "0");
	ck_assert_str_eq(cycles(9), "");
	node(0); /* 1 */
	node(0); /* 2 */
	node(1); /* 3 */
	node(0); /* 4 */
	node(1); /* 5 */
	ck_assert_str_eq(order(), "0 1 3 5 2 4");
	ck_assert_str_eq(cycles(9), "");
}

TEST(an_edge_moves_as_little_as_it_can)
{
	begin();
	for (int i = 0; i < 5; i++)
		node(0);
	edge(2, 5);
	ck_assert_str_eq(order(), "0 1 3 4 5 2");
	edge(3, 2);
	ck_assert_str_eq(order(), "0 1 4 5 2 3");
}

TEST(an_edge_between_groups_orders_the_groups)
{
	begin();
	node(0); /* 1: a group */
	node(0); /* 2: another */
	node(1); /* 3 */
	node(2); /* 4 */
	node(3); /* 5 */
	edge(5, 4);
	ck_assert_str_eq(order(), "0 2 4 1 3 5");
}

TEST(groups_that_wait_for_each_other_inside_keep_the_order_of_the_file)
{
	begin();
	node(0); /* 1 */
	node(0); /* 2 */
	node(1); /* 3 */
	node(1); /* 4 */
	node(2); /* 5 */
	node(2); /* 6 */
	node(0); /* 7 */
	edge(3, 5);
	edge(6, 4);
	edge(1, 7); /* and their own edges hold */
	ck_assert_str_eq(cycles(9), "");
	ck_assert_str_eq(order(), "0 7 1 3 4 2 5 6");
}

TEST(an_edge_of_what_is_inside_does_not_stand_for_an_own_one)
{
	begin();
	node(0); /* 1: a group */
	node(0); /* 2 */
	node(0); /* 3: a group */
	node(0); /* 4: another; the two wait for each other inside */
	node(1); /* 5 */
	node(3); /* 6 */
	node(3); /* 7 */
	node(4); /* 8 */
	node(4); /* 9 */
	edge(6, 8);
	edge(9, 7);
	edge(1, 3);
	edge(5, 2);
	ck_assert_str_eq(cycles(9), "");
	ck_assert_str_eq(order(), "0 2 3 6 7 1 5 4 8 9");
}

TEST(a_cycle_is_told_from_its_first_edge_on)
{
	begin();
	node(0);
	node(0);
	node(0);
	edge(3, 1);
	edge(1, 2);
	edge(2, 3);
	ck_assert_str_eq(cycles(9), "3 after 1 after 2 after ; ");
}

TEST(a_cycle_goes_through_groups)
{
	begin();
	node(0); /* 1: a group */
	node(1); /* 2 */
	node(0); /* 3 */
	edge(2, 3);
	edge(3, 1);
	ck_assert_str_eq(cycles(9), "2 after 3 after 1 needs ; ");
	begin();
	node(0); /* 1: a group */
	node(1); /* 2: another, inside */
	node(2); /* 3 */
	node(0); /* 4 */
	edge(1, 4);
	edge(4, 3);
	ck_assert_str_eq(cycles(9), "1 after 4 after 3 in 2 in ; ");
}

TEST(waiting_for_oneself_or_what_one_is_in_is_a_cycle)
{
	begin();
	node(0);
	edge(1, 1);
	ck_assert_str_eq(cycles(9), "1 after ; ");
	begin();
	node(0);
	node(1);
	edge(2, 1);
	ck_assert_str_eq(cycles(9), "2 after 1 needs ; ");
	begin();
	node(0);
	node(1);
	edge(1, 2);
	ck_assert_str_eq(cycles(9), "1 after 2 in ; ");
}

TEST(more_than_one_cycle_is_told_and_not_more_than_asked_for)
{
	begin();
	for (int i = 0; i < 6; i++)
		node(0);
	for (unsigned i = 1; i < 6; i += 2) {
		edge(i, i + 1);
		edge(i + 1, i);
	}
	ck_assert_str_eq(cycles(9), "1 after 2 after ; 3 after 4 after ; 5 after 6 after ; ");
	ck_assert_str_eq(cycles(2), "1 after 2 after ; 3 after 4 after ; ");
}

static int give_up(void *arg, const struct graph_step *steps, unsigned n)
{
	(void)steps;
	(void)n;
	++*(int *)arg;
	return -EPIPE;
}

TEST(who_is_told_can_end_it)
{
	struct graph g;
	int calls = 0;

	begin();
	for (unsigned i = 1; i < 4; i++)
		edge(node(0), i);
	g = the_graph();
	ck_assert_int_eq(graph_cycles(&g, 9, give_up, &calls), -EPIPE);
	ck_assert_int_eq(calls, 1);
}

TEST(a_long_chain_needs_no_stack)
{
	enum { MANY = 200000 };
	static unsigned parents[MANY], sorted[MANY];
	static struct graph_edge chain[MANY];
	struct graph g = { .parent = parents, .n = MANY, .edges = chain, .n_edges = MANY - 2 };

	parents[0] = GRAPH_NONE;
	for (unsigned i = 2; i < MANY; i++)
		chain[i - 2] = (struct graph_edge){ i - 1, i };
	ck_assert_int_eq(graph_cycles(&g, 9, tell, NULL), 0);
	ck_assert_int_eq(graph_order(&g, sorted), 0);
	ck_assert_uint_eq(sorted[1], MANY - 1);
	ck_assert_uint_eq(sorted[MANY - 1], 1);
}

TEST(each_allocation_may_fail)
{
	unsigned v[MAX];
	struct graph g;

	begin();
	node(0);
	node(0);
	edge(1, 2);
	g = the_graph();
	for (unsigned i = 1;; i++) {
		int r;

		harness_fail_alloc(i);
		r = graph_cycles(&g, 9, tell, NULL);
		if (r == 0)
			r = graph_order(&g, v);
		if (!harness_alloc_failed())
			break;
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_uint_eq(harness_live(), 0);
	}
	harness_fail_alloc(0);
}

/* ---- by chance */

static uint64_t random_state;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 20) % n);
}

static bool is_inside(unsigned x, unsigned group)
{
	for (; x != GRAPH_NONE; x = parent[x])
		if (x == group)
			return true;
	return false;
}

/* An edge between two that are not inside of one another. */
static void random_edge(void)
{
	for (int tries = 0; tries < 50; tries++) {
		unsigned a = 1 + below(n_nodes - 1), b = 1 + below(n_nodes - 1);

		if (below(4) > 0 && a < b) { /* mostly back to an earlier one, so that there are trees without cycles */
			unsigned c = a;

			a = b;
			b = c;
		}
		if (is_inside(a, b) || is_inside(b, a))
			continue;
		edge(a, b);
		return;
	}
}

static void random_tree(void)
{
	begin();
	for (unsigned n = 2 + below(MAX - 2); n_nodes < n;)
		node(below(3) ? below(n_nodes) : 0);
	for (unsigned n = below(n_nodes + 4); n_edges < n;) {
		unsigned before = n_edges;

		random_edge();
		if (n_edges == before)
			break;
	}
}

/* Whether all of it gets ready. started and ready are when, from 1. */
static bool simulate(unsigned *started, unsigned *ready)
{
	unsigned time = 0;
	bool changed = true, all = true;

	memset(started, 0, MAX * sizeof *started);
	memset(ready, 0, MAX * sizeof *ready);
	while (changed) {
		changed = false;
		for (unsigned i = 0; i < n_nodes; i++) {
			bool can_start = i == 0 || started[parent[i]], can_be_ready = started[i];

			for (unsigned k = 0; k < n_edges; k++)
				can_start &= edges[k].from != i || ready[edges[k].to];
			for (unsigned k = 1; k < n_nodes; k++)
				can_be_ready &= parent[k] != i || ready[k];
			changed |= (can_start && !started[i]) || (can_be_ready && !ready[i]);
			if (can_start && !started[i])
				started[i] = ++time;
			if (can_be_ready && !ready[i])
				ready[i] = ++time;
		}
	}
	for (unsigned i = 0; i < n_nodes; i++)
		all &= ready[i] > 0;
	return all;
}

/* Each step is there, and leads to the next. */
static int check_steps(void *arg, const struct graph_step *steps, unsigned n)
{
	(void)arg;
	ck_assert_uint_gt(n, 0);
	n_told++;
	for (unsigned i = 0; i < n; i++) {
		unsigned a = steps[i].node, b = steps[(i + 1) % n].node;

		if (steps[i].why == GRAPH_MEMBER)
			ck_assert_uint_eq(parent[b], a);
		else if (steps[i].why == GRAPH_INSIDE)
			ck_assert_uint_eq(parent[a], b);
		else
			ck_assert(edges[steps[i].edge].from == a && edges[steps[i].edge].to == b);
	}
	return 0;
}

/* Whether member a of a group has an edge to member b of it, or one of those inside of it has to one inside of that. */
static bool waits(unsigned a, unsigned b, bool own)
{
	for (unsigned i = 0; i < n_edges; i++)
		if (own ? edges[i].from == a && edges[i].to == b : is_inside(edges[i].from, a) && is_inside(edges[i].to, b))
			return true;
	return false;
}

/* The lowest member of the group that is not placed yet and waits for no other of these; GRAPH_NONE. */
static unsigned lowest(unsigned group, const bool *placed, bool own)
{
	for (unsigned a = 1; a < n_nodes; a++) {
		bool free = parent[a] == group && !placed[a];

		for (unsigned b = 1; free && b < n_nodes; b++)
			free = b == a || parent[b] != group || placed[b] || !waits(a, b, own);
		if (free)
			return a;
	}
	return GRAPH_NONE;
}

static void model_order(unsigned group, unsigned *v, unsigned *n)
{
	bool placed[MAX] = { false };
	unsigned next;

	v[(*n)++] = group;
	while ((next = lowest(group, placed, false)) != GRAPH_NONE || (next = lowest(group, placed, true)) != GRAPH_NONE) {
		placed[next] = true;
		model_order(next, v, n);
	}
}

static void check_order(void)
{
	struct graph g = the_graph();
	unsigned v[MAX], expected[MAX], n = 0;

	ck_assert_int_eq(graph_order(&g, v), 0);
	model_order(0, expected, &n);
	ck_assert_uint_eq(n, n_nodes);
	for (unsigned i = 0; i < n_nodes; i++)
		ck_assert_uint_eq(v[i], expected[i]);
}

TEST_LOOP(random_trees_are_as_the_model_says, 1, 9)
{
	unsigned with = 0, without = 0, started[MAX], ready[MAX];

	random_state = 0x9e3779b97f4a7c15 * (uint64_t)_i;
	for (int round = 0; round < 1000; round++) {
		struct graph g;
		bool possible;

		random_tree();
		g = the_graph();
		n_told = 0;
		possible = simulate(started, ready);
		ck_assert_int_ge(graph_cycles(&g, 100, check_steps, NULL), 0);
		ck_assert_msg(possible == (n_told == 0), "round %d: %u cycles were found", round, n_told);
		with += !possible;
		without += possible;
		if (possible)
			check_order();
	}
	ck_assert_uint_gt(with, 100);
	ck_assert_uint_gt(without, 100);
}
