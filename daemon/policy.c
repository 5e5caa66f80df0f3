/* SPDX-License-Identifier: MIT */
/*
 * See policy.h. Everything that happens to a unit happens in look(), one step at a time: an event changes a goal or a phase
 * and marks whom it may concern, and settle() looks at the marked ones until nobody is left. Each step goes forward along
 * the arrows of the picture there, so it comes to an end.
 */
#include "daemon/policy.h"

#include <errno.h>

#include "base/alloc.h"

#define HURRY_SPAN (2 * HOLT_SEC) /* what a process still gets when all goes at once */

static bool is_running(const struct unit *u)
{
	return u->phase == PHASE_STARTING || u->phase == PHASE_UP || u->phase == PHASE_STOPPING;
}

/* ---- marks and actions: lists without memory of their own */

static void mark(struct unit *u)
{
	struct policy *p = u->policy;

	if (u->marked)
		return;
	u->marked = true;
	u->next_marked = NULL;
	*p->last_marked = u;
	p->last_marked = &u->next_marked;
}

static void mark_all(const struct unit *u, const struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		mark(unit_of(u, nodes->v[i]));
}

static void act(struct unit *u, enum action action)
{
	struct policy *p = u->policy;

	if (!u->actions) {
		u->next_action = NULL;
		*p->last_action = u;
		p->last_action = &u->next_action;
	}
	u->actions |= (uint8_t)action;
}

bool policy_take(struct policy *p, struct unit **ret_unit, enum action *ret_action)
{
	struct unit *u = p->first_action;
	unsigned lowest;

	if (!u)
		return false;
	lowest = u->actions & -u->actions;
	u->actions &= (uint8_t)~lowest;
	if (!u->actions) {
		p->first_action = u->next_action;
		if (!p->first_action)
			p->last_action = &p->first_action;
	}
	*ret_unit = u;
	*ret_action = (enum action)lowest;
	return true;
}

/* ---- what a phase means to others */

bool unit_will_not_come(const struct unit *u)
{
	if (u->phase == PHASE_QUEUED)
		return u->blocked;
	if (u->phase != PHASE_IDLE)
		return false;
	return u->outcome == OUTCOME_NONE ? u->off : u->outcome != OUTCOME_DONE;
}

static bool is_blocked(const struct unit *u)
{
	if (u->parent && u->parent->phase == PHASE_QUEUED && u->parent->blocked)
		return true;
	for (size_t i = 0; i < u->conf->requires.n; i++)
		if (unit_will_not_come(unit_of(u, u->conf->requires.v[i])))
			return true;
	return false;
}

static bool is_settled(const struct unit *u)
{
	switch (u->phase) {
	case PHASE_UP:
		return u->goal == GOAL_UP && !u->going && (!u->group || !u->group->n_unsettled);
	case PHASE_IDLE:
		return u->outcome != OUTCOME_NONE || u->off;
	case PHASE_QUEUED:
		return u->blocked;
	default:
		return false;
	}
}

static bool is_holding(const struct unit *u)
{
	if (u->phase == PHASE_IDLE)
		return u->outcome == OUTCOME_STOPPED && !u->off;
	return u->phase != PHASE_QUEUED || !u->blocked;
}

static bool goes_down(const struct unit *u)
{
	return is_running(u) && (u->goal != GOAL_UP || u->phase == PHASE_STOPPING);
}

/* One that is down already does not break the chain from those after it to those before it. */
static bool is_obstacle(const struct unit *u)
{
	if (is_running(u))
		return goes_down(u);
	for (size_t i = 0; i < u->conf->before.n; i++)
		if (unit_of(u, u->conf->before.v[i])->obstacle)
			return true;
	return false;
}

static void count(bool *is, bool now, size_t *sum, bool *changed)
{
	if (*is == now)
		return;
	*is = now;
	*changed = true;
	if (sum)
		*sum += now ? 1 : (size_t)-1;
}

/* Works out what a unit means to the others, and marks them if that changed. */
static void refresh(struct unit *u)
{
	struct group_state *g = u->parent ? u->parent->group : NULL;
	bool changed = false, turned = false, unsettled = !u->settled;

	count(&u->obstacle, is_obstacle(u), NULL, &turned);
	if (turned)
		mark_all(u, &u->conf->after);
	count(&u->blocked, u->phase == PHASE_QUEUED && is_blocked(u), NULL, &changed);
	if (changed && u->group)
		mark_all(u, &u->conf->members);
	count(&u->present, u->phase != PHASE_IDLE, g ? &g->n_present : NULL, &changed);
	count(&unsettled, !is_settled(u), g ? &g->n_unsettled : NULL, &changed);
	u->settled = !unsettled;
	count(&u->holds, is_holding(u), g ? &g->n_holding : NULL, &changed);
	if (!changed)
		return;
	if (u->parent)
		mark(u->parent);
	mark_all(u, &u->conf->before);
	mark_all(u, &u->conf->required_by);
}

static void lower_dependents(struct unit *u);

/* The one place in which a phase changes. */
static void put(struct unit *u, enum phase phase, enum outcome outcome)
{
	bool ran = is_running(u);

	if (u->phase != phase || u->outcome != outcome)
		act(u, ACTION_CHANGED);
	if (u->phase != phase)
		u->since = u->policy->now;
	u->phase = (uint8_t)phase;
	u->outcome = (uint8_t)outcome;
	holt__timer_stop(&u->timer);
	mark(u);
	refresh(u);
	if (phase == PHASE_IDLE && outcome != OUTCOME_DONE && outcome != OUTCOME_NONE)
		lower_dependents(u);
	if (ran && !is_running(u) && u->parent)
		mark(u->parent); /* it may wait for that to start them all again */
}

/* ---- up */

/* It shall come up, with all that is enabled below. */
static void queue(struct unit *u)
{
	u->goal = GOAL_UP;
	u->aside = false;
	u->cannot_start = false;
	put(u, PHASE_QUEUED, OUTCOME_NONE);
	for (size_t i = 0; u->group && i < u->conf->members.n; i++) {
		struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (!m->conf->enabled || m->phase != PHASE_IDLE)
			continue;
		m->restarts = 0;
		holt__backoff_reset(&m->backoff);
		queue(m);
	}
}

static bool takes_members(const struct unit *u)
{
	return (u->phase == PHASE_STARTING || u->phase == PHASE_UP) && u->goal == GOAL_UP && u->group->verdict == OUTCOME_NONE;
}

static bool may_start(const struct unit *u)
{
	if (u->blocked || (u->parent && (!takes_members(u->parent) || u->parent->group->restart_from <= u->conf->order)))
		return false;
	for (size_t i = 0; i < u->conf->after.n; i++)
		if (!unit_of(u, u->conf->after.v[i])->settled)
			return false;
	return true;
}

static void start(struct unit *u)
{
	struct group_state *g = u->group;

	u->starts++;
	put(u, PHASE_STARTING, OUTCOME_NONE);
	if (!g) {
		act(u, ACTION_START);
		return;
	}
	g->verdict = OUTCOME_NONE;
	g->culprit = NULL;
	g->why = NULL;
	g->restart_from = SIZE_MAX;
	holt__intensity_reset(&g->intensity);
	g->armed = u->conf->finally.n != 0;
	if (g->armed)
		act(u, ACTION_ARM);
	holt__timer_start(u->policy->wheel, &u->timer, holt__time_add(u->policy->now, u->conf->timeout_start));
	mark_all(u, &u->conf->members);
}

static void became_ready(struct unit *u)
{
	holt__backoff_healthy(&u->backoff, u->policy->now);
	put(u, PHASE_UP, OUTCOME_NONE);
	if (u->parent || u->policy->was_ready)
		return;
	u->policy->was_ready = true;
	act(u, ACTION_READY);
}

/* ---- down */

/* A goal other than UP, for it and all below; what runs is stopped when its turn comes. */
static void lower(struct unit *u, enum goal goal)
{
	u->goal = (uint8_t)goal;
	mark(u);
	refresh(u);
	for (size_t i = 0; u->group && i < u->conf->members.n; i++) {
		struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (m->phase != PHASE_IDLE)
			lower(m, GOAL_DOWN);
	}
}

/* Those that cannot do without u, or what is in it, go down, and wait until it comes back. */
static void lower_dependents(struct unit *u)
{
	for (size_t i = 0; u->group && i < u->conf->members.n; i++)
		lower_dependents(unit_of(u, u->conf->members.v[i]));
	for (size_t i = 0; i < u->conf->required_by.n; i++) {
		struct unit *d = unit_of(u, u->conf->required_by.v[i]);

		if (!is_running(d) || d->goal != GOAL_UP)
			continue;
		lower(d, GOAL_AGAIN);
		lower_dependents(d);
	}
}

static bool may_stop(const struct unit *u)
{
	if (u->parent && u->parent->goal != GOAL_UP && u->parent->phase != PHASE_STOPPING)
		return false; /* its group goes down, but it is not that one's turn yet */
	if (u->policy->hurry || (u->parent && u->parent->phase == PHASE_STOPPING && u->parent->conf->stop_parallel))
		return true;
	for (size_t i = 0; i < u->conf->before.n; i++)
		if (unit_of(u, u->conf->before.v[i])->obstacle)
			return false;
	return true;
}

holt_time policy_stop_limit(const struct unit *u)
{
	const struct unit *g = u->parent;
	holt_time limit = HOLT_NEVER;

	if (g && g->phase == PHASE_STOPPING)
		limit = budget_members(g->conf, g->deadline);
	if (u->policy->hurry && !u->group) /* what a group has is for its finally commands, too */
		limit = holt__time_min(limit, u->policy->now + HURRY_SPAN);
	return limit;
}

static void begin_stop(struct unit *u)
{
	struct group_state *g = u->group;

	u->deadline = budget_deadline(u->conf, u->policy->now, policy_stop_limit(u));
	put(u, PHASE_STOPPING, u->outcome);
	if (!g) {
		act(u, u->policy->hurry > 1 ? ACTION_KILL : ACTION_STOP);
		return;
	}
	if (g->verdict == OUTCOME_NONE)
		g->verdict = OUTCOME_STOPPED;
	g->restart_from = SIZE_MAX;
	holt__timer_stop(&g->again);
	for (size_t i = 0; i < u->conf->members.n; i++) {
		struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (m->phase != PHASE_IDLE)
			lower(m, GOAL_DOWN);
	}
}

/* A group ends by itself: it is not asked whether those that come after it are down. */
static void conclude(struct unit *u, enum outcome verdict, struct unit *culprit, const char *why)
{
	struct group_state *g = u->group;

	if (u->goal != GOAL_UP || g->verdict != OUTCOME_NONE || !is_running(u))
		return;
	g->verdict = (uint8_t)verdict;
	g->culprit = culprit;
	g->why = why;
	u->cannot_start = culprit && culprit->cannot_start;
	begin_stop(u);
}

/* ---- the end of one */

/* All of a range goes down, and comes up together. */
static void restart_range(struct unit *u, holt_time at)
{
	struct unit *parent = u->parent;
	struct group_state *g = parent->group;
	size_t first, end;

	holt__restart_range(parent->conf->strategy, u->conf->order, parent->conf->members.n, &first, &end);
	for (size_t i = first; i < end; i++) {
		struct unit *m = unit_of(u, parent->conf->members.v[i]);

		if (m == u)
			continue;
		if (is_running(m) && m->goal == GOAL_UP) {
			m->aside = m->conf->restart == HOLT_RESTART_NEVER;
			lower(m, m->aside ? GOAL_DOWN : GOAL_AGAIN);
		} else if (m->phase == PHASE_BACKOFF) {
			holt__timer_stop(&m->timer);
		} else if (m->phase == PHASE_IDLE && m->outcome == OUTCOME_DONE && m->conf->restart != HOLT_RESTART_NEVER) {
			queue(m);
		}
	}
	if (holt__timer_started(&g->again) && g->again.at > at)
		at = g->again.at;
	if (first < g->restart_from)
		g->restart_from = first;
	g->again_due = false;
	holt__timer_stop(&g->again);
	holt__timer_start(u->policy->wheel, &g->again, at);
}

static uint64_t draw(struct policy *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random;
}

static void restart(struct unit *u)
{
	struct policy *p = u->policy;
	holt_time at = holt__time_add(p->now, holt__backoff_next(&u->backoff, p->now, draw(p)));

	u->restarts++;
	u->deadline = at;
	put(u, PHASE_BACKOFF, OUTCOME_NONE);
	if (u->parent->conf->strategy == HOLT_ONE_FOR_ONE)
		holt__timer_start(p->wheel, &u->timer, at);
	else
		restart_range(u, at);
}

/* It ended by itself. */
static void ended(struct unit *u, bool failed)
{
	struct unit *parent = u->parent;

	if (!u->group && u->ending.kind == ENDING_CANNOT_RUN && u->starts == 1 && !u->policy->was_ready)
		u->cannot_start = true;
	if (!parent) {
		put(u, PHASE_IDLE, failed ? OUTCOME_FAILED : OUTCOME_DONE);
		act(u, ACTION_ENDED);
	} else if (holt__restart_wanted(u->conf->restart, failed) && !u->cannot_start) {
		if (holt__intensity_add(&parent->group->intensity, u->policy->now)) {
			restart(u);
			return;
		}
		put(u, PHASE_IDLE, OUTCOME_FAILED);
		conclude(parent, OUTCOME_FAILED, u, "restarted too often");
	} else if (failed) {
		put(u, PHASE_IDLE, OUTCOME_FAILED);
		if (!u->conf->ignore_failure)
			conclude(parent, OUTCOME_FAILED, u, NULL);
	} else {
		put(u, PHASE_IDLE, OUTCOME_DONE);
		if (u->conf->significant)
			conclude(parent, OUTCOME_DONE, u, NULL);
	}
}

/* Nothing of it is left. */
static void gone(struct unit *u, bool failed)
{
	if (u->goal == GOAL_UP) {
		ended(u, failed);
	} else if (u->goal == GOAL_AGAIN) {
		queue(u);
	} else {
		put(u, PHASE_IDLE, u->aside ? OUTCOME_ASIDE : OUTCOME_STOPPED);
		u->aside = false;
		if (!u->parent) {
			u->outcome = u->group->verdict;
			act(u, ACTION_ENDED);
		}
	}
}

static void group_gone(struct unit *u)
{
	u->ending = (struct ending){ .kind = ENDING_GROUP, .failed = u->group->verdict == OUTCOME_FAILED };
	gone(u, u->ending.failed);
}

/* ---- one look at a unit whose surroundings have changed */

static void try_restart_range(struct unit *u)
{
	struct group_state *g = u->group;

	if (g->restart_from == SIZE_MAX || !g->again_due)
		return;
	for (size_t i = g->restart_from; i < u->conf->members.n; i++)
		if (is_running(unit_of(u, u->conf->members.v[i])))
			return;
	for (size_t i = g->restart_from; i < u->conf->members.n; i++) {
		struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (m->phase == PHASE_BACKOFF)
			queue(m);
		mark(m);
	}
	g->restart_from = SIZE_MAX;
}

/* It will not come, for want of one that has failed. */
static bool is_starved(const struct unit *u)
{
	if (u->phase != PHASE_QUEUED)
		return u->phase == PHASE_IDLE && u->outcome == OUTCOME_FAILED && !u->conf->ignore_failure;
	for (size_t i = 0; i < u->conf->requires.n; i++) {
		const struct unit *r = unit_of(u, u->conf->requires.v[i]);

		if ((r->phase == PHASE_IDLE && r->outcome == OUTCOME_FAILED) || (r->phase == PHASE_QUEUED && is_starved(r)))
			return true;
	}
	return false;
}

static void look_at_group(struct unit *u)
{
	struct group_state *g = u->group;

	if (u->phase == PHASE_STOPPING) {
		if (g->n_present || g->finishing)
			return;
		g->finishing = g->armed;
		if (g->armed)
			act(u, ACTION_FINALLY);
		else
			group_gone(u);
		return;
	}
	if (u->phase == PHASE_STARTING && !g->n_unsettled)
		became_ready(u);
	try_restart_range(u);
	if (g->n_holding)
		return;
	for (size_t i = 0; i < u->conf->members.n; i++)
		if (is_starved(unit_of(u, u->conf->members.v[i]))) {
			conclude(u, OUTCOME_FAILED, NULL, "what is left can never start: something that it requires has failed");
			return;
		}
	conclude(u, OUTCOME_DONE, NULL, NULL);
}

static void look(struct unit *u)
{
	refresh(u);
	if (u->goal != GOAL_UP && u->actions & ACTION_START) { /* nobody has done it yet: it need not be */
		u->actions &= (uint8_t)~ACTION_START;
		u->starts--;
		gone(u, false);
		return;
	}
	if (u->goal != GOAL_UP && (u->phase == PHASE_QUEUED || u->phase == PHASE_BACKOFF))
		gone(u, false);
	else if (u->phase == PHASE_QUEUED && may_start(u))
		start(u);
	else if (u->goal != GOAL_UP && (u->phase == PHASE_STARTING || u->phase == PHASE_UP) && may_stop(u))
		begin_stop(u);
	else if (u->group && is_running(u))
		look_at_group(u);
}

static void settle(struct policy *p)
{
	struct unit *u;

	while ((u = p->first_marked)) {
		p->first_marked = u->next_marked;
		if (!p->first_marked)
			p->last_marked = &p->first_marked;
		u->marked = false;
		look(u);
	}
}

/* ---- events */

void policy_time(struct policy *p, holt_time now)
{
	if (now > p->now)
		p->now = now;
}

void policy_start(struct policy *p, holt_time now)
{
	policy_time(p, now);
	if (p->tree->phase == PHASE_IDLE && p->tree->goal == GOAL_UP)
		queue(p->tree);
	settle(p);
}

void policy_stop(struct policy *p, holt_time now)
{
	struct unit *u = p->tree;

	policy_time(p, now);
	if (u->phase == PHASE_IDLE && u->outcome == OUTCOME_NONE) {
		u->goal = GOAL_DOWN;
		put(u, PHASE_IDLE, OUTCOME_STOPPED);
		act(u, ACTION_ENDED);
	} else if (u->phase != PHASE_IDLE) {
		lower(u, GOAL_DOWN);
	}
	settle(p);
}

void policy_hurry(struct policy *p, holt_time now)
{
	policy_stop(p, now);
	if (p->hurry < 2)
		p->hurry++;
	for (size_t i = 0; i < p->config->nodes.n; i++) {
		struct unit *u = &p->units[i];

		if (u->phase == PHASE_STOPPING && !u->group) {
			u->deadline = holt__time_min(u->deadline, p->now + HURRY_SPAN);
			act(u, p->hurry > 1 ? ACTION_KILL : ACTION_STOP);
		} else if (is_running(u)) {
			mark(u);
		}
	}
	settle(p);
}

void policy_unit_ready(struct policy *p, struct unit *u, holt_time now)
{
	policy_time(p, now);
	if (u->phase == PHASE_STARTING)
		became_ready(u);
	settle(p);
}

void policy_unit_going(struct policy *p, struct unit *u, holt_time now)
{
	policy_time(p, now);
	if (u->phase != PHASE_UP || u->going)
		return;
	u->going = true;
	mark(u);
	act(u, ACTION_CHANGED);
	settle(p);
}

void policy_unit_ended(struct policy *p, struct unit *u, const struct ending *e, holt_time now)
{
	policy_time(p, now);
	u->ending = *e;
	u->going = false;
	if (is_running(u))
		gone(u, e->failed);
	settle(p);
}

void policy_finally_done(struct policy *p, struct unit *u, holt_time now)
{
	policy_time(p, now);
	u->group->armed = u->group->finishing = false;
	group_gone(u);
	settle(p);
}

static void start_timeout(struct holt__timer *t)
{
	struct unit *u = holt__container(t, struct unit, timer);

	if (u->phase == PHASE_BACKOFF)
		queue(u);
	else if (u->phase == PHASE_STARTING)
		conclude(u, OUTCOME_FAILED, NULL, "not ready within its TimeoutStartSec=");
	settle(u->policy);
}

static void again(struct holt__timer *t)
{
	struct group_state *g = holt__container(t, struct group_state, again);

	g->again_due = true;
	mark(g->unit);
	settle(g->unit->policy);
}

/* ---- by hand */

int policy_unit_start(struct policy *p, struct unit *u, holt_time now)
{
	policy_time(p, now);
	if (p->tree->goal != GOAL_UP || p->tree->group->verdict != OUTCOME_NONE)
		return -ESHUTDOWN;
	if (u->parent && !takes_members(u->parent))
		return -EHOSTDOWN;
	if ((is_running(u) && u->goal == GOAL_UP) || (u->phase == PHASE_QUEUED && !u->blocked))
		return -EALREADY;
	for (size_t i = 0; i < u->conf->requires.n; i++) {
		struct unit *r = unit_of(u, u->conf->requires.v[i]);

		if (unit_will_not_come(r))
			(void)policy_unit_start(p, r, now); /* if that cannot be, u waits, and says for whom */
	}
	u->restarts = 0;
	holt__backoff_reset(&u->backoff);
	if (is_running(u))
		u->goal = GOAL_AGAIN;
	else
		queue(u);
	settle(p);
	return 0;
}

int policy_unit_stop(struct policy *p, struct unit *u, holt_time now)
{
	if (!u->parent) {
		policy_stop(p, now);
		return 0;
	}
	policy_time(p, now);
	if (p->tree->goal != GOAL_UP)
		return -ESHUTDOWN;
	if (u->phase == PHASE_IDLE)
		return 0;
	lower(u, GOAL_DOWN);
	lower_dependents(u);
	settle(p);
	return 0;
}

int policy_unit_restart(struct policy *p, struct unit *u, holt_time now)
{
	policy_time(p, now);
	if (u->phase == PHASE_IDLE)
		return policy_unit_start(p, u, now);
	if (p->tree->goal != GOAL_UP)
		return -ESHUTDOWN;
	if (u->parent && !takes_members(u->parent))
		return -EHOSTDOWN;
	u->restarts = 0;
	holt__backoff_reset(&u->backoff);
	lower(u, GOAL_AGAIN);
	settle(p);
	return 0;
}

int policy_exit_status(const struct policy *p)
{
	if (p->tree->outcome != OUTCOME_FAILED)
		return 0;
	return p->tree->cannot_start ? 1 : 3;
}

/* ---- life of the whole */

static int unit_init(struct policy *p, struct unit *u, const struct node *n, struct group_state *g)
{
	u->conf = n;
	u->policy = p;
	u->parent = n->parent ? policy_unit(p, n->parent) : NULL;
	u->off = !n->enabled || (u->parent && u->parent->off); /* groups come before their members */
	u->settled = true;
	u->backoff = (struct holt__backoff){ .min = n->restart_min, .max = n->restart_max, .reset = n->backoff_reset };
	u->timer.fire = start_timeout;
	if (!node_is_group(n))
		return 0;
	u->group = g;
	g->unit = u;
	g->restart_from = SIZE_MAX;
	g->again.fire = again;
	return holt__intensity_init(&g->intensity, n->intensity, n->intensity_within);
}

int policy_open(struct policy *p, const struct config *c, struct holt__wheel *wheel, uint64_t random)
{
	size_t n_groups = 0;
	int r = 0;

	*p = (struct policy){ .config = c, .wheel = wheel, .random = random | 1 };
	p->last_action = &p->first_action;
	p->last_marked = &p->first_marked;
	for (size_t i = 0; i < c->nodes.n; i++)
		n_groups += node_is_group(c->nodes.v[i]);
	p->units = holt__calloc(c->nodes.n, sizeof *p->units);
	p->groups = holt__calloc(n_groups, sizeof *p->groups);
	if (!p->units || !p->groups)
		r = -ENOMEM;
	n_groups = 0;
	for (size_t i = 0; r == 0 && i < c->nodes.n; i++) {
		r = unit_init(p, &p->units[i], c->nodes.v[i], &p->groups[n_groups]);
		n_groups += node_is_group(c->nodes.v[i]);
	}
	if (r < 0) {
		policy_close(p);
		return r;
	}
	p->tree = policy_unit(p, c->tree);
	for (size_t i = 0; i < c->nodes.n; i++)
		refresh(&p->units[i]);
	settle(p); /* nothing runs yet */
	return 0;
}

void policy_close(struct policy *p)
{
	for (size_t i = 0; p->units && p->groups && i < p->config->nodes.n; i++) {
		struct unit *u = &p->units[i];

		holt__timer_stop(&u->timer);
		if (!u->group)
			continue;
		holt__timer_stop(&u->group->again);
		holt__intensity_free(&u->group->intensity);
	}
	holt__free(p->units);
	holt__free(p->groups);
	p->units = NULL;
	p->groups = NULL;
}
