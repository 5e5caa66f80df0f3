/* SPDX-License-Identifier: MIT */
/*
 * Thousands of random trees, each with a random order of events: processes get ready, fail and end, time passes, a hand
 * starts and stops, and at last the tree is told to stop. tests/policy.h checks each action at its moment; here it is checked that
 * nothing ever waits for what will not come, that what was armed is paid, and that a stop comes to its end.
 */
#include "policy.h"

#include <inttypes.h>

static uint64_t state;

static unsigned draw(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

/* ---- a tree */

static bool related(const struct node *a, const struct node *b)
{
	return is_below(a, b) || is_below(b, a);
}

/* n's start would need x's readiness, and that something that needs n: walk what x needs. Small trees: no memory of it. */
static bool needs(const struct node *x, const struct node *n, unsigned depth)
{
	if (depth > 24 || related(n, x))
		return true;
	for (const struct node *p = x; p; p = p->parent)
		for (size_t i = 0; i < p->after.n; i++)
			if (needs(p->after.v[i], n, depth + 1))
				return true;
	for (size_t i = 0; i < w.n; i++)
		if (w.nodes[i].parent == x && needs(&w.nodes[i], n, depth + 1))
			return true;
	return false;
}

static void link_randomly(void)
{
	for (size_t i = 1; i < w.n; i++) {
		struct node *n = &w.nodes[i];

		for (unsigned k = draw(3); k > 0; k--) {
			struct node *other = &w.nodes[1 + draw((unsigned)w.n - 1)];

			if (related(n, other) || needs(other, n, 0))
				continue;
			if (draw(3) == 0 && other->enabled)
			requires(n, other);
			else after(n, other);
		}
	}
}

static void random_tree(void)
{
	struct node *t = new_tree();
	struct node *groups[MAX_NODES] = { t };
	unsigned n_groups = 1, n = 2 + draw(10);

	for (unsigned i = 0; i < n; i++) {
		char name[16];
		struct node *p = groups[draw(n_groups)], *m;

		snprintf(name, sizeof name, "n%u", i);
		if (draw(4) == 0)
			groups[n_groups++] = m = group(p, name);
		else
			m = process(p, name);
		m->restart = (enum holt_restart)draw(3);
		m->ignore_failure = draw(4) == 0;
		m->significant = draw(12) == 0;
		m->enabled = draw(10) != 0;
		if (m->process && draw(5) == 0)
			m->process->type = TYPE_ONESHOT;
	}
	for (unsigned i = 0; i < n_groups; i++) {
		groups[i]->strategy = (enum holt_strategy)draw(3);
		groups[i]->intensity = draw(6);
		groups[i]->finally.n = draw(2);
		groups[i]->stop_parallel = draw(6) == 0;
		if (draw(3))
			in_order(groups[i]);
		if (draw(8) == 0)
			groups[i]->timeout_start = HOLT_MIN;
	}
	link_randomly();
	/* the order of starting among siblings is what graph.c would find; here the file's may differ from it, which is allowed */
	open_tree();
}

/* ---- events */

static struct node *pick_proc(bool asked)
{
	struct node *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < w.n; i++)
		if (w.proc[i].alive && (!asked || w.proc[i].asked) && draw(++n) == 0)
			found = &w.nodes[i];
	return found;
}

static struct node *pick_finishing(void)
{
	struct node *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < w.n; i++)
		if (w.proc[i].finishing && draw(++n) == 0)
			found = &w.nodes[i];
	return found;
}

static void any_end(struct node *n)
{
	switch (draw(4)) {
	case 0:
		ends_well(n);
		break;
	case 1:
		ends(n, (struct ending){ .kind = ENDING_CANNOT_RUN, .failed = true, .value = ENOENT });
		break;
	default:
		fails(n);
	}
}

static void by_hand(void)
{
	struct unit *u = &w.policy.units[draw((unsigned)w.n)];

	switch (draw(u->parent ? 3 : 1)) {
	case 0:
		policy_unit_start(&w.policy, u, w.now);
		break;
	case 1:
		policy_unit_stop(&w.policy, u, w.now);
		break;
	default:
		policy_unit_restart(&w.policy, u, w.now);
	}
	drain();
}

static void one_event(bool hands)
{
	struct node *n;

	switch (draw(10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		n = pick_proc(false);
		if (n && !proc(n)->ready && n->process->type != TYPE_ONESHOT)
			is_ready(n);
		break;
	case 4:
		n = pick_proc(false);
		if (n)
			any_end(n);
		break;
	case 5:
	case 6:
		n = pick_proc(true);
		if (n)
			any_end(n);
		break;
	case 7:
		passes(draw(2) ? HOLT_SEC : 40 * HOLT_SEC);
		break;
	case 8:
		n = pick_finishing();
		if (n)
			finally_ran(n);
		break;
	default:
		if (hands && draw(3) == 0)
			by_hand();
	}
}

/* Every unit, and why it is as it is. */
static void fail_with(const char *what, const struct unit *u)
{
	fprintf(stderr, "%s: %s\n%s\n", what, u->conf->path, w.trace);
	for (size_t i = 0; i < w.n; i++) {
		const struct unit *v = &w.policy.units[i];
		char line[400];
		struct holt__text text = HOLT__TEXT(line);

		unit_why(v, &text);
		fprintf(stderr, "\t%-12s %-10s goal %d%s%s: %s;", v->conf->path, unit_state(v), v->goal, v->off ? ", off" : "",
			v->blocked ? ", blocked" : "", line);
		for (size_t k = 0; k < v->conf->after.n; k++)
			fprintf(stderr, " after %s", v->conf->after.v[k]->path);
		for (size_t k = 0; k < v->conf->requires.n; k++)
			fprintf(stderr, " requires %s", v->conf->requires.v[k]->path);
		fputc('\n', stderr);
	}
	ck_abort_msg("%s: %s", what, u->conf->path);
}

/* Nothing runs, no timer, no finally: then whoever is queued is blocked, and nobody is on the way. */
static void nothing_waits_in_vain(void)
{
	for (size_t i = 0; i < w.n; i++)
		if (w.proc[i].alive || w.proc[i].finishing)
			return;
	if (holt__wheel_next(&w.wheel) != HOLT_NEVER || w.ended)
		return;
	for (size_t i = 0; i < w.n; i++) {
		const struct unit *u = &w.policy.units[i];

		if (u->phase == PHASE_STOPPING || u->phase == PHASE_BACKOFF || (u->phase == PHASE_STARTING && !u->group))
			fail_with("stuck", u);
		if (u->phase != PHASE_QUEUED || u->blocked)
			continue;
		/* an order that one stopped by hand or blocked cannot break: those are settled */
		fail_with("queued for nothing", u);
	}
}

static void comes_to_its_end(void)
{
	struct node *n;

	for (unsigned i = 0; !w.ended; i++) {
		ck_assert_msg(i < 1000, "the stop does not end: %s", w.trace);
		n = pick_proc(true);
		if (n) {
			any_end(n);
			continue;
		}
		n = pick_finishing();
		if (n)
			finally_ran(n);
		else if (!w.ended)
			nothing_waits_in_vain();
	}
	for (size_t i = 0; i < w.n; i++) {
		ck_assert_msg(!w.proc[i].alive, "%s outlived its tree", w.nodes[i].path);
		ck_assert_msg(!w.proc[i].armed, "%s: finally is owed at the end", w.nodes[i].path);
		if (w.policy.units[i].phase != PHASE_IDLE)
			fail_with("not idle at the end", &w.policy.units[i]);
	}
	ck_assert_msg(holt__wheel_next(&w.wheel) == HOLT_NEVER, "a timer runs on");
}

static void one_tree(uint64_t seed)
{
	unsigned n_events, asked = 0;

	state = seed * 0x9e3779b97f4a7c15 + 1;
	random_tree();
	sprintf(w.trace, "seed %" PRIu64 ": ", seed);
	start_tree();
	n_events = draw(120);
	for (unsigned i = 0; i < n_events && !w.ended; i++) {
		one_event(seed % 2);
		nothing_waits_in_vain();
		if (strlen(w.trace) > sizeof w.trace / 2)
			break;
	}
	stop_tree();
	if (draw(4) == 0)
		policy_hurry(&w.policy, w.now), drain();
	for (size_t i = 0; i < w.n; i++)
		asked += w.proc[i].starts;
	comes_to_its_end();
	for (size_t i = 0; i < w.n; i++)
		asked -= w.proc[i].starts;
	ck_assert_msg(asked == 0, "something was started after the stop: %s", w.trace);
	close_tree();
}

TEST_LOOP(random_trees_keep_every_promise, 0, 20)
{
	for (uint64_t seed = 0; seed < 1000; seed++)
		one_tree((uint64_t)_i * 1000 + seed + 1);
}
