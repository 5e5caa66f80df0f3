/* SPDX-License-Identifier: MIT */
/*
 * Trees made by hand, and a world of pretended processes for them: what the tests of holtd's decisions are made of. A
 * process here is two bits; it is started, gets ready and ends when the test says so, and each action of the
 * policy is checked against what the world knows, not against what the policy believes.
 */
#pragma once
#include "harness.h"

#include "daemon/policy.h"

enum { MAX_NODES = 64 };

struct proc {
	bool alive, ready, asked, armed, finishing;
	unsigned starts, stops, kills, finals;
};

static struct world {
	struct config config;
	struct node nodes[MAX_NODES], *list[MAX_NODES];
	struct process_conf process[MAX_NODES];
	struct node *edges[MAX_NODES * MAX_NODES * 8];
	size_t n, n_edges;
	struct policy policy;
	struct holt__wheel wheel;
	holt_time now;
	struct proc proc[MAX_NODES];
	bool ready, ended;
	char trace[16384];
} w;

static inline struct node *add_node(struct node *parent, const char *name, enum node_kind kind)
{
	struct node *n = &w.nodes[w.n];
	char path[128];

	ck_assert_uint_lt(w.n, MAX_NODES);
	snprintf(path, sizeof path, "%s%s%s", parent ? parent->path : "", parent && parent->path[0] ? "/" : "", name);
	*n = (struct node){
		.kind = kind,
		.path = strdup(parent ? path : ""),
		.name = strdup(name),
		.parent = parent,
		.restart = kind == NODE_PROCESS ? HOLT_RESTART_ON_FAILURE : HOLT_RESTART_NEVER,
		.restart_min = 100 * HOLT_MS,
		.restart_max = 30 * HOLT_SEC,
		.backoff_reset = HOLT_MIN,
		.timeout_start = kind == NODE_PROCESS ? 90 * HOLT_SEC : HOLT_NEVER,
		.timeout_stop = kind == NODE_PROCESS ? 10 * HOLT_SEC : HOLT_NEVER,
		.stop_budget = HOLT_NEVER,
		.enabled = true,
		.intensity = 5,
		.intensity_within = 10 * HOLT_SEC,
		.finally_timeout = 10 * HOLT_SEC,
		.process = kind == NODE_PROCESS ? &w.process[w.n] : NULL,
	};
	w.n++;
	return n;
}

static inline struct node *new_tree(void)
{
	memset(&w, 0, sizeof w);
	w.now = HARNESS_EPOCH;
	return add_node(NULL, "tree", NODE_TREE);
}

static inline struct node *process(struct node *parent, const char *name)
{
	return add_node(parent, name, NODE_PROCESS);
}

static inline struct node *group(struct node *parent, const char *name)
{
	return add_node(parent, name, NODE_GROUP);
}

static inline struct node **room(size_t n)
{
	struct node **r = &w.edges[w.n_edges];

	w.n_edges += n;
	ck_assert_uint_le(w.n_edges, HOLT__N(w.edges));
	return r;
}

/* One more in a list of at most MAX_NODES. */
static inline void put_node(struct nodes *list, struct node *n)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i] == n)
			return;
	if (!list->v)
		list->v = room(MAX_NODES);
	list->v[list->n++] = n;
}

static inline void after(struct node *n, struct node *other)
{
	put_node(&n->after, other);
}

static inline void requires(struct node *n, struct node *other)
{
	put_node(&n->requires, other);
	put_node(&n->after, other);
}

/* Each member after the one before it, as a file without After= would have it. */
static inline void in_order(struct node *g)
{
	struct node *last = NULL;

	for (size_t i = 0; i < w.n; i++) {
		if (w.nodes[i].parent != g)
			continue;
		if (last)
			after(&w.nodes[i], last);
		last = &w.nodes[i];
	}
}

/* Parents were added before their members, and nodes before those that come after them. */
static inline void open_tree(void)
{
	for (size_t i = 0; i < w.n; i++) {
		struct node *n = &w.nodes[i];

		n->index = i;
		w.list[i] = n;
		if (n->parent) {
			n->order = n->parent->members.n;
			put_node(&n->parent->members, n);
		}
		for (size_t k = 0; k < n->after.n; k++)
			put_node(&n->after.v[k]->before, n);
		for (size_t k = 0; k < n->requires.n; k++)
			put_node(&n->requires.v[k]->required_by, n);
	}
	w.config = (struct config){ .name = "tree", .tree = &w.nodes[0], .nodes = { w.list, w.n } };
	holt__wheel_init(&w.wheel, w.now);
	ck_assert_int_eq(policy_open(&w.policy, &w.config, &w.wheel, 1), 0);
}

static inline void close_tree(void)
{
	policy_close(&w.policy);
	for (size_t i = 0; i < w.n; i++) {
		free((void *)w.nodes[i].path);
		free((void *)w.nodes[i].name);
	}
}

static inline struct unit *unit(const struct node *n)
{
	return policy_unit(&w.policy, n);
}

static inline struct proc *proc(const struct node *n)
{
	return &w.proc[n->index];
}

static inline void trace_add(const char *sign, const struct node *n)
{
	size_t len = strlen(w.trace);

	snprintf(w.trace + len, sizeof w.trace - len, "%s%s ", sign, n->parent ? n->path : "/");
}

static inline bool is_below(const struct node *n, const struct node *g)
{
	for (; n; n = n->parent)
		if (n == g)
			return true;
	return false;
}

static inline bool any_alive_below(const struct node *g)
{
	for (size_t i = 0; i < w.n; i++)
		if (is_below(&w.nodes[i], g) && (w.proc[i].alive || (w.proc[i].armed && &w.nodes[i] != g)))
			return true;
	return false;
}

/* ---- the promises, one by one, at the moment of each action */

static inline void check_start(const struct node *n)
{
	struct unit *u = unit(n);

	ck_assert_msg(!proc(n)->alive, "%s is started, and runs", n->path);
	ck_assert_msg(w.policy.tree->goal == GOAL_UP, "%s is started, and the tree stops", n->path);
	for (const struct node *p = n->parent; p; p = p->parent)
		ck_assert_msg(unit(p)->phase == PHASE_STARTING || unit(p)->phase == PHASE_UP,
			"%s is started, and %s does not run", n->path, p->path);
	for (const struct node *p = n; p; p = p->parent) {
		for (size_t i = 0; i < p->after.n; i++) {
			const struct node *a = p->after.v[i];

			/* not those that were ready when the group around n was started: they may have died since */
			if (p == n)
				ck_assert_msg(a->process ? !proc(a)->alive || proc(a)->ready : true,
					"%s is started before %s is ready", n->path, a->path);
		}
	}
	for (size_t i = 0; i < n->requires.n; i++) {
		const struct node *r = n->requires.v[i];

		ck_assert_msg(r->process == NULL || (proc(r)->alive && proc(r)->ready) || unit(r)->outcome == OUTCOME_DONE,
			"%s is started without %s, which it requires", n->path, r->path);
	}
	ck_assert_int_eq(u->goal, GOAL_UP);
}

static inline void check_stop(const struct node *n)
{
	if (w.policy.hurry || n->parent->stop_parallel)
		return;
	for (size_t i = 0; i < n->before.n; i++) {
		const struct node *b = n->before.v[i];

		ck_assert_msg(b->process == NULL || !proc(b)->alive || (!proc(b)->asked && unit(b)->goal == GOAL_UP),
			"%s is stopped before %s is down", n->path, b->path);
	}
}

/* Unless a group has begun to end since, its work done: then there is nothing to see any more. */
static inline void check_ready(void)
{
	for (size_t i = 0; i < w.n; i++)
		if (w.policy.units[i].phase == PHASE_STOPPING)
			return;
	for (size_t i = 0; i < w.n; i++)
		ck_assert_msg(w.policy.units[i].settled, "READY=1, and %s is not", w.nodes[i].path);
}

/* Takes all actions, and keeps the books. */
static inline void drain(void)
{
	enum action action;
	struct unit *u;

	while (policy_take(&w.policy, &u, &action)) {
		const struct node *n = u->conf;
		struct proc *p = proc(n);

		switch (action) {
		case ACTION_ARM:
			ck_assert_msg(!p->armed, "%s is armed twice", n->path);
			p->armed = true;
			break;
		case ACTION_START:
			trace_add("+", n);
			check_start(n);
			p->alive = true;
			p->ready = p->asked = false;
			p->starts++;
			break;
		case ACTION_STOP:
		case ACTION_KILL:
			if (!p->asked) {
				trace_add(action == ACTION_KILL ? "!" : "-", n);
				check_stop(n);
			}
			ck_assert_msg(p->alive, "%s is stopped, and does not run", n->path);
			p->asked = true;
			p->stops += action == ACTION_STOP;
			p->kills += action == ACTION_KILL;
			break;
		case ACTION_FINALLY:
			trace_add("~", n);
			ck_assert_msg(p->armed, "%s: finally runs, and nothing was armed", n->path);
			ck_assert_msg(!any_alive_below(n), "%s: finally runs, and something below is alive", n->path);
			p->finishing = true;
			p->finals++;
			break;
		case ACTION_READY:
			ck_assert(!w.ready);
			w.ready = true;
			strcat(w.trace, "READY ");
			check_ready();
			break;
		case ACTION_ENDED:
			ck_assert(!w.ended);
			w.ended = true;
			strcat(w.trace, "END ");
			break;
		case ACTION_CHANGED:
			break;
		}
	}
}

/* ---- what the world does */

static inline void is_ready(const struct node *n)
{
	ck_assert_msg(proc(n)->alive, "%s does not run", n->path);
	proc(n)->ready = true;
	policy_unit_ready(&w.policy, unit(n), w.now);
	drain();
}

static inline void ends(const struct node *n, const struct ending e)
{
	struct proc *p = proc(n);

	ck_assert_msg(p->alive, "%s does not run", n->path);
	p->alive = p->ready = p->asked = false;
	policy_unit_ended(&w.policy, unit(n), &e, w.now);
	drain();
}

static inline void ends_well(const struct node *n)
{
	ends(n, (struct ending){ .kind = ENDING_EXIT });
}

static inline void fails(const struct node *n)
{
	ends(n, (struct ending){ .kind = ENDING_EXIT, .failed = true, .value = 1 });
}

static inline void finally_ran(const struct node *g)
{
	ck_assert(proc(g)->finishing);
	proc(g)->finishing = proc(g)->armed = false;
	policy_finally_done(&w.policy, unit(g), w.now);
	drain();
}

static inline void start_tree(void)
{
	policy_start(&w.policy, w.now);
	drain();
}

static inline void stop_tree(void)
{
	policy_stop(&w.policy, w.now);
	drain();
}

static inline void passes(holt_time span)
{
	holt_time end = w.now + span;

	for (;;) {
		holt_time next = holt__wheel_next(&w.wheel);

		if (next > end)
			break;
		w.now = next > w.now ? next : w.now;
		policy_time(&w.policy, w.now);
		holt__wheel_run(&w.wheel, w.now);
		drain();
	}
	w.now = end;
	policy_time(&w.policy, w.now);
}

/* What happened since the last look, a sign and a path each. */
#define saw(expected) \
	do { \
		ck_assert_str_eq(w.trace, expected); \
		w.trace[0] = 0; \
	} while (0)
