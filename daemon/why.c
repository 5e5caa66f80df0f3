/* SPDX-License-Identifier: MIT */
/*
 * A unit's state in one word, and why it is in it in one line: what `holtctl status` and `holtctl why` say. Worked out
 * from the same fields that policy.c decides by, so it cannot say anything else.
 */
#include "daemon/policy.h"

const char *unit_state(const struct unit *u)
{
	switch (u->phase) {
	case PHASE_QUEUED:
		return "waiting";
	case PHASE_STARTING:
		return "starting";
	case PHASE_UP:
		if (u->going)
			return "stopping";
		return !u->group || !u->group->n_unsettled ? "ready" : "degraded";
	case PHASE_STOPPING:
		return u->group && u->group->finishing ? "finally" : "stopping";
	case PHASE_BACKOFF:
		return "backoff";
	default:
		break;
	}
	switch (u->outcome) {
	case OUTCOME_DONE:
		return "done";
	case OUTCOME_FAILED:
		return "failed";
	default:
		return u->off && u->outcome == OUTCOME_NONE ? "disabled" : "stopped";
	}
}

static void add_name(struct holt__text *t, const struct unit *u)
{
	holt__text_add(t, u->conf->path[0] ? u->conf->path : "the tree");
}

/* How the innermost of a chain of failed groups came to it. */
static void add_failure(struct holt__text *t, const struct unit *u)
{
	while (u->group && u->group->culprit) {
		add_name(t, u->group->culprit);
		if (u->group->why) {
			holt__text_add(t, " ");
			holt__text_add(t, u->group->why);
		}
		holt__text_add(t, ": ");
		u = u->group->culprit;
	}
	if (u->group)
		holt__text_add(t, u->group->why ? u->group->why : "it ended");
	else
		ending_text(t, &u->ending);
}

static void why_waiting(const struct unit *u, struct holt__text *t)
{
	const struct unit *g = u->parent;
	unsigned n = 0, more = 0;

	for (size_t i = 0; i < u->conf->requires.n; i++) {
		const struct unit *r = unit_of(u, u->conf->requires.v[i]);

		if (!u->blocked || !unit_will_not_come(r))
			continue;
		holt__text_add(t, n++ ? ", " : "requires ");
		add_name(t, r);
		holt__text_add(t, ", which is ");
		holt__text_add(t, unit_state(r));
	}
	if (n)
		return;
	if (g && g->phase == PHASE_QUEUED) {
		holt__text_add(t, "its group ");
		add_name(t, g);
		holt__text_add(t, " waits to be started");
		return;
	}
	if (g && g->group->restart_from <= u->conf->order) {
		holt__text_add(t, "starts with its siblings, when all of them are down and the back-off is over");
		return;
	}
	for (size_t i = 0; i < u->conf->after.n; i++) {
		const struct unit *a = unit_of(u, u->conf->after.v[i]);

		if (a->settled)
			continue;
		if (n > 4) {
			more++;
			continue;
		}
		holt__text_add(t, n ? ", " : "starts after ");
		n++;
		add_name(t, a);
		holt__text_add(t, " (");
		holt__text_add(t, unit_state(a));
		holt__text_add(t, ")");
	}
	if (more) {
		holt__text_add(t, " and ");
		holt__text_uint(t, more);
		holt__text_add(t, " more");
	}
}

static void why_members(const struct unit *u, const char *before, bool present, struct holt__text *t)
{
	unsigned n = 0;

	for (size_t i = 0; i < u->conf->members.n; i++) {
		const struct unit *m = unit_of(u, u->conf->members.v[i]);

		if (present ? !m->present : m->settled)
			continue;
		if (n == 5) {
			holt__text_add(t, ", …");
			break;
		}
		holt__text_add(t, n++ ? ", " : before);
		add_name(t, m);
		holt__text_add(t, " (");
		holt__text_add(t, unit_state(m));
		holt__text_add(t, ")");
	}
}

void unit_reason(const struct unit *u, struct holt__text *t)
{
	if (u->group && u->group->verdict == OUTCOME_FAILED) {
		add_failure(t, u);
	} else if (u->group && u->group->verdict == OUTCOME_DONE) {
		holt__text_add(t, "its work is done");
	} else {
		holt__text_add(t, u->goal == GOAL_AGAIN ? "restarts" : "was asked to stop");
	}
}

static void why_stopping(const struct unit *u, struct holt__text *t)
{
	if (u->group && u->group->verdict == OUTCOME_FAILED)
		holt__text_add(t, "failed: ");
	unit_reason(u, t);
	if (u->group && u->group->finishing)
		holt__text_add(t, "; its finally commands run");
	else if (u->group)
		why_members(u, "; waits for ", true, t);
	if (u->deadline != HOLT_NEVER && u->deadline > u->policy->now) {
		holt__text_add(t, "; at most ");
		holt__text_span(t, u->deadline - u->policy->now);
		holt__text_add(t, " more");
	}
}

static void why_idle(const struct unit *u, struct holt__text *t)
{
	switch (u->outcome) {
	case OUTCOME_DONE:
		holt__text_add(t, "ended well");
		if (!u->group) {
			holt__text_add(t, ", ");
			ending_text(t, &u->ending);
		}
		break;
	case OUTCOME_FAILED:
		add_failure(t, u);
		if (u->parent && u->parent->group->culprit == u && u->parent->group->why) {
			holt__text_add(t, "; ");
			holt__text_add(t, u->parent->group->why);
		}
		if (u->conf->ignore_failure)
			holt__text_add(t, "; ignored by its group (OnFailure=ignore)");
		break;
	case OUTCOME_ASIDE:
		holt__text_add(t, "stopped for the restart of a sibling, and Restart=no");
		break;
	case OUTCOME_STOPPED:
		if (!u->parent)
			holt__text_add(t, "stopped");
		else if (u->parent->phase == PHASE_IDLE || u->parent->phase == PHASE_STOPPING || u->parent->goal != GOAL_UP)
			holt__text_add(t, "stopped with its group");
		else
			holt__text_add(t, "stopped by hand");
		break;
	default:
		holt__text_add(t, u->off ? "Enabled=no" : "not started");
		break;
	}
}

void unit_why(const struct unit *u, struct holt__text *t)
{
	switch (u->phase) {
	case PHASE_QUEUED:
		why_waiting(u, t);
		break;
	case PHASE_STARTING:
		if (u->group)
			why_members(u, "waits for ", false, t);
		else
			holt__text_add(t,
				u->conf->process->type == TYPE_ONESHOT ? "runs, and is ready when it has ended well"
								       : "has been started, and is not ready yet");
		break;
	case PHASE_UP:
		if (u->group && u->group->n_unsettled)
			why_members(u, "not ready: ", false, t);
		else if (u->going)
			holt__text_add(t, "its process has ended, and what is left of it is being brought down");
		else if (u->goal != GOAL_UP)
			holt__text_add(t, "will stop, when all that come after it are down");
		break;
	case PHASE_STOPPING:
		why_stopping(u, t);
		break;
	case PHASE_BACKOFF:
		if (u->group)
			add_failure(t, u);
		else
			ending_text(t, &u->ending);
		holt__text_add(t, "; restarted ");
		holt__text_uint(t, u->restarts);
		holt__text_add(t, u->restarts == 1 ? " time" : " times");
		if (u->deadline > u->policy->now) {
			holt__text_add(t, ", next in ");
			holt__text_span(t, u->deadline - u->policy->now);
		}
		break;
	default:
		why_idle(u, t);
		break;
	}
}
