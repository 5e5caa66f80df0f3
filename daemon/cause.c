/* SPDX-License-Identifier: MIT */
/*
 * See cause.h. The cases are those of why.c, which says in words what this gives as a node.
 */
#include "daemon/cause.h"

/* What u requires, and will not come by itself. */
static const struct unit *missing(const struct unit *u)
{
	for (size_t i = 0; u->blocked && i < u->conf->requires.n; i++) {
		const struct unit *r = unit_of(u, u->conf->requires.v[i]);

		if (unit_will_not_come(r))
			return r;
	}
	return NULL;
}

static const struct unit *waits_for(const struct unit *u)
{
	const struct unit *r = missing(u), *g = u->parent;

	if (r)
		return r;
	if (g && g->phase == PHASE_QUEUED)
		return g;
	for (size_t i = 0; i < u->conf->after.n; i++) {
		r = unit_of(u, u->conf->after.v[i]);
		if (!r->settled)
			return r;
	}
	if (!g || g->group->restart_from > u->conf->order)
		return NULL;
	for (size_t i = g->group->restart_from; i < g->conf->members.n; i++) {
		r = unit_of(u, g->conf->members.v[i]);
		if (r->phase == PHASE_STOPPING || r->phase == PHASE_BACKOFF)
			return r; /* its siblings start again with it */
	}
	return NULL;
}

static const struct unit *first_unsettled(const struct unit *u)
{
	for (size_t i = 0; u->group && i < u->conf->members.n; i++) {
		const struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (!m->settled)
			return m;
	}
	return NULL;
}

/* Who is still there, of a group that goes down: the last one to start is the first to go. */
static const struct unit *last_present(const struct unit *u)
{
	for (size_t i = u->group && !u->group->finishing ? u->conf->members.n : 0; i-- > 0;) {
		const struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (m->present)
			return m;
	}
	return NULL;
}

/* One that is to stop waits until all that come after it are down. */
static const struct unit *obstacle(const struct unit *u)
{
	for (size_t i = 0; u->goal != GOAL_UP && i < u->conf->before.n; i++) {
		const struct unit *b = unit_of(u, u->conf->before.v[i]);

		if (b->obstacle)
			return b;
	}
	return NULL;
}

const struct unit *cause_next(const struct unit *u)
{
	const struct unit *c;

	switch (u->phase) {
	case PHASE_QUEUED:
		return waits_for(u);
	case PHASE_STARTING:
	case PHASE_UP:
		c = obstacle(u);
		return c ? c : first_unsettled(u);
	case PHASE_STOPPING:
		c = last_present(u);
		return c || !u->group ? c : u->group->culprit;
	case PHASE_BACKOFF:
		return u->group ? u->group->culprit : NULL;
	default:
		break;
	}
	if (u->outcome == OUTCOME_FAILED)
		return u->group ? u->group->culprit : NULL;
	if (u->outcome == OUTCOME_STOPPED && u->parent && u->parent->phase == PHASE_IDLE)
		return u->parent;
	return NULL;
}
