/* SPDX-License-Identifier: MIT */
/*
 * See control_node.h. JSON is UTF-8, and not all that is told of a node is ours: so all texts are cleaned.
 */
#include "daemon/control_node.h"

#include <errno.h>
#include <jansson.h>

#include <holt/run.h>

#include "daemon/utf8.h"

/* An object that is being made; on no memory, the rest is left out and it is no object any more. */
static void put(json_t **o, const char *key, json_t *value)
{
	if (*o && json_object_set_new(*o, key, value) == 0)
		return;
	if (!*o)
		json_decref(value);
	json_decref(*o);
	*o = NULL;
}

static void put_text(json_t **o, const char *key, const char *text)
{
	char buf[1024];

	if (!text || !*o)
		return;
	utf8_clean(buf, sizeof buf, text);
	put(o, key, json_string(buf));
}

static void put_number(json_t **o, const char *key, uint64_t n)
{
	if (*o)
		put(o, key, json_integer((json_int_t)n));
}

static void put_span(json_t **o, const char *key, holt_time span)
{
	if (span != HOLT_NEVER)
		put_number(o, key, span / HOLT_US);
}

void control_why(const struct unit *u, char why[CONTROL_WHY])
{
	char raw[CONTROL_WHY] = "";
	struct holt__text t = HOLT__TEXT(raw);

	unit_why(u, &t);
	utf8_clean(why, CONTROL_WHY, raw);
}

static const char *kind_name(enum node_kind kind)
{
	return kind == NODE_TREE ? "tree" : kind == NODE_GROUP ? "group" : "process";
}

static const char *type_name(enum process_type type)
{
	return type == TYPE_NOTIFY ? "notify" : type == TYPE_ONESHOT ? "oneshot" : "exec";
}

static const char *strategy_name(enum holt_strategy s)
{
	return s == HOLT_ONE_FOR_ALL ? "one_for_all" : s == HOLT_REST_FOR_ONE ? "rest_for_one" : "one_for_one";
}

static void put_process(json_t **o, const struct runner *r, const struct unit *u)
{
	const struct child *c = runner_child(r, u);
	char ended[128] = "";
	struct holt__text t = HOLT__TEXT(ended);
	pid_t pid = child_pid(c);

	put_text(o, "type", type_name(u->conf->process->type));
	if (pid > 0)
		put_number(o, "pid", (uint64_t)pid);
	put_text(o, "status", child_status(c));
	if (u->ending.kind == ENDING_NONE)
		return;
	ending_text(&t, &u->ending);
	put_text(o, "ended", ended);
}

/* It has done what its group waits for. */
static bool is_fine(const struct unit *u)
{
	return u->phase == PHASE_UP ? u->settled : u->phase == PHASE_IDLE && u->outcome == OUTCOME_DONE;
}

static void put_group(json_t **o, const struct unit *u)
{
	struct group_state *g = u->group;
	size_t enabled = 0, fine = 0;

	for (size_t i = 0; i < u->conf->members.n; i++) {
		const struct unit *m = policy_unit(u->policy, u->conf->members.v[i]);

		enabled += !m->off;
		fine += is_fine(m);
	}
	put_text(o, "strategy", strategy_name(u->conf->strategy));
	put_number(o, "intensity", u->conf->intensity);
	put_span(o, "within", u->conf->intensity_within);
	put_number(o, "used", holt__intensity_count(&g->intensity, holt_now()));
	put_number(o, "members", enabled);
	put_number(o, "members_ready", fine);
	put_number(o, "finally", g->armed ? u->conf->finally.n : 0);
}

json_t *control_node(const struct runner *r, const struct unit *u)
{
	holt_time now = holt_now();
	json_t *o = json_object();
	char why[CONTROL_WHY];

	control_why(u, why);
	put_text(&o, "path", u->conf->path);
	put_text(&o, "name", u->conf->name);
	put_text(&o, "kind", kind_name(u->conf->kind));
	put_text(&o, "state", unit_state(u));
	put_text(&o, "why", why);
	put_text(&o, "description", u->conf->description);
	if (u->since > 0)
		put_span(&o, "since", now > u->since ? now - u->since : 0);
	put_number(&o, "restarts", u->restarts);
	if (u->phase == PHASE_BACKOFF)
		put_span(&o, "next", u->deadline > now ? u->deadline - now : 0);
	if (u->group)
		put_group(&o, u);
	else
		put_process(&o, r, u);
	return o;
}

int control_node_memory(json_t *node, const struct runner *r, const struct unit *u)
{
	uint64_t memory;

	if (u->group || child_pid(runner_child(r, u)) <= 0)
		return 0;
	memory = child_memory(runner_child(r, u));
	if (memory == 0)
		return 0;
	return json_object_set_new(node, "memory", json_integer((json_int_t)memory)) < 0 ? -ENOMEM : 0;
}
