/* SPDX-License-Identifier: MIT */
/*
 * A runner that runs nothing: the tree of policy.h behind a control socket, for the tests of daemon/control.c and of holtctl. What
 * a runner would do is written down by the test; what it is asked for by hand goes to the policy, as the real one does it.
 */
#pragma once
#include <sys/socket.h>

#include <jansson.h>

#include "daemon/control.h"

#include "policy.h"

static struct runner runner;
static struct child children[MAX_NODES];
static const char *said[MAX_NODES]; /* STATUS= of each node */
static unsigned ended_by_hand, hurried;
static int reload_result;

/* The runner's policy is a copy of the world's, made anew after each event. */
static inline void look_again(void)
{
	runner.policy = w.policy;
	runner.ended = w.ended;
	holt_event_set(&runner.changed);
	holt_event_clear(&runner.changed);
}

static inline void open_runner(void)
{
	open_tree();
	runner.config = &w.config;
	runner.children = children;
	for (size_t i = 0; i < w.n; i++)
		children[i].unit = &w.policy.units[i];
	look_again();
}

/* ---- what control.c asks of a runner */

static int by_hand(int r)
{
	drain();
	look_again();
	return r;
}

int runner_start(struct runner *r, struct unit *u)
{
	(void)r;
	return by_hand(policy_unit_start(&w.policy, u, holt_now()));
}

int runner_stop(struct runner *r, struct unit *u)
{
	(void)r;
	return by_hand(policy_unit_stop(&w.policy, u, holt_now()));
}

int runner_restart(struct runner *r, struct unit *u)
{
	(void)r;
	return by_hand(policy_unit_restart(&w.policy, u, holt_now()));
}

int runner_reload(struct runner *r, struct unit *u)
{
	(void)r;
	(void)u;
	return reload_result;
}

void runner_end(struct runner *r)
{
	(void)r;
	ended_by_hand++;
	policy_stop(&w.policy, holt_now());
	by_hand(0);
}

void runner_hurry(struct runner *r)
{
	(void)r;
	hurried++;
	policy_hurry(&w.policy, holt_now());
	by_hand(0);
}

pid_t child_pid(const struct child *c)
{
	return proc(c->unit->conf)->alive ? (pid_t)(1000 + c->unit->conf->index) : 0;
}

uint64_t child_memory(const struct child *c)
{
	return c->unit->conf->index << 20;
}

const char *child_status(const struct child *c)
{
	return said[c->unit->conf->index];
}

struct node *config_find(const struct config *c, const char *path)
{
	for (size_t i = 0; i < c->nodes.n; i++)
		if (strcmp(c->nodes.v[i]->path, path + (path[0] == '/')) == 0)
			return c->nodes.v[i];
	return NULL;
}

/* Here a name is near if it has the same first letter. */
struct node *config_nearest(const struct config *c, const char *path)
{
	for (size_t i = 1; i < c->nodes.n; i++)
		if (c->nodes.v[i]->path[0] == path[0])
			return c->nodes.v[i];
	return NULL;
}

/* ---- what happens */

static inline void gets_ready(const struct node *n)
{
	is_ready(n);
	look_again();
}

static inline void ends_badly(const struct node *n)
{
	fails(n);
	look_again();
}

static inline void ends_when_asked(const struct node *n)
{
	ck_assert_msg(proc(n)->asked, "nobody asked %s to stop", n->path);
	ends(n, (struct ending){ .kind = ENDING_SIGNAL, .value = SIGTERM });
	look_again();
}

static inline void time_passes(holt_time span)
{
	w.now = holt_now();
	passes(span);
	look_again();
}
