/* SPDX-License-Identifier: MIT */
/*
 * See control.h. The methods, and who may call them; what a node looks like in JSON is in control_node.c.
 */
#include "daemon/control.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <holt/io.h>
#include <holt/log.h>
#include <holt/run.h>
#include <holt/scope.h>
#include <holt/varlink.h>

#include "daemon/cause.h"
#include "daemon/control_node.h"
#include "daemon/tell.h"

#define TREE "io.holt.Tree."

enum { CHAIN_MAX = 64, MEMORY_AT_ONCE = 32 };

struct control {
	struct runner *runner;
	bool has_group; /* ControlGroup= */
	gid_t group;
};

/* ---- who may */

/* 1: there is one; 0: there is none that can be used. */
static int find_group(const struct config *c, gid_t *ret)
{
	const char *name = c->control_group;
	struct group *g;
	char *end;

	if (!name)
		return 0;
	g = getgrnam(name);
	if (g) {
		*ret = g->gr_gid;
		return 1;
	}
	*ret = (gid_t)strtoul(name, &end, 10);
	if (name[0] >= '0' && name[0] <= '9' && !*end)
		return 1;
	holt_log(LOG_WARNING, "ControlGroup=%s: there is no such group, so nobody but the owner and root may look", name);
	return 0;
}

static int allow(void *arg, holt_varlink_request *q, const struct holt_varlink_method *m)
{
	const struct control *c = arg;
	struct holt_varlink_peer peer;
	int r;

	r = holt_varlink_peer(q, &peer);
	if (r < 0)
		return -EACCES; /* nobody knows who that is */
	if (peer.uid != 0 && peer.uid != geteuid()) {
		r = c->has_group && (m->flags & HOLT_VARLINK_READS) ? holt_varlink_peer_in_group(q, c->group) : 0;
		if (r <= 0)
			return r < 0 ? r : -EACCES;
	}
	return 0;
}

/* ---- the node that is meant */

/* "workers" of "/workers"; NULL: it is not said. */
static const char *get_path(json_t *params)
{
	const char *path = json_string_value(json_object_get(params, "path"));

	return path ? path + (path[0] == '/') : NULL;
}

static struct unit *find(const struct control *c, const char *path)
{
	const struct node *n = config_find(c->runner->config, path);

	return n ? policy_unit(&c->runner->policy, n) : NULL;
}

static int no_such_node(const struct control *c, holt_varlink_request *q, const char *path)
{
	const struct node *near = config_nearest(c->runner->config, path);

	return holt_varlink_error(
		q, TREE "NoSuchNode", json_pack("{s:s, s:s*}", "path", path, "nearest", near ? near->path : NULL));
}

static bool says_path(json_t *params)
{
	const json_t *path = json_object_get(params, "path");

	return path && !json_is_null(path);
}

/* The unit of .path; NULL: that is answered, with *ret. */
static struct unit *named(const struct control *c, holt_varlink_request *q, json_t *params, int *ret)
{
	const char *path = get_path(params);
	struct unit *u = path ? find(c, path) : NULL;

	if (!path)
		*ret = holt_varlink_invalid(q, "path");
	else if (!u)
		*ret = no_such_node(c, q, path);
	return u;
}

/* ---- looking */

/* In the order of the answer: NULL behind the last one below top. */
static const struct node *next_node(const struct node *n, const struct node *top)
{
	if (n->members.n > 0)
		return n->members.v[0];
	while (n != top && n->order + 1 == n->parent->members.n)
		n = n->parent;
	return n == top ? NULL : n->parent->members.v[n->order + 1];
}

/* All of one moment, since nothing of it suspends. NULL: no memory. */
static json_t *all_below(const struct control *c, const struct node *top)
{
	json_t *list = json_array();

	for (const struct node *n = top; list && n; n = next_node(n, top)) {
		if (json_array_append_new(list, control_node(c->runner, policy_unit(&c->runner->policy, n))) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

/*
 * To ask the kernel for the memory of a process takes longer than all else that is told of it, so it is done afterwards,
 * and others may run in between. If the tree has become another one meanwhile, what is missing stays so.
 */
static int add_memory(const struct control *c, const struct node *top, json_t *list)
{
	const struct config *config = c->runner->config;
	const struct node *n = top;

	for (size_t i = 0; n && i < json_array_size(list); i++, n = next_node(n, top)) {
		if (i % MEMORY_AT_ONCE == MEMORY_AT_ONCE - 1 && holt_yield() < 0)
			return -ECANCELED;
		if (c->runner->config != config)
			return 0;
		if (control_node_memory(json_array_get(list, i), c->runner, policy_unit(&c->runner->policy, n)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int status(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	int r = 0;
	const struct unit *u = says_path(params) ? named(c, q, params, &r) : c->runner->policy.tree;
	const struct node *top;
	json_t *answer;

	if (!u)
		return r;
	top = u->conf;
	answer = json_pack("{s:s, s:o}", "tree", c->runner->config->name, "nodes", all_below(c, top));
	if (!answer)
		return -ENOMEM;
	r = add_memory(c, top, json_object_get(answer, "nodes"));
	if (r < 0) {
		json_decref(answer);
		return r;
	}
	return holt_varlink_reply(q, answer);
}

static json_t *state_and_why(const struct unit *u)
{
	char why[CONTROL_WHY];

	control_why(u, why);
	return json_pack("{s:s, s:s}", "state", unit_state(u), "why", why);
}

static bool is_in(const struct unit *const *chain, size_t n, const struct unit *u)
{
	for (size_t i = 0; i < n; i++)
		if (chain[i] == u)
			return true;
	return false;
}

static json_t *chain_of(const struct control *c, const struct unit *u)
{
	const struct unit *chain[CHAIN_MAX];
	json_t *list = json_array();
	size_t n = 0;

	for (; list && u && n < CHAIN_MAX && !is_in(chain, n, u); u = cause_next(u)) {
		chain[n++] = u;
		if (json_array_append_new(list, control_node(c->runner, u)) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static int why(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	int r = 0;
	struct unit *u = named(c, q, params, &r);
	json_t *answer;

	if (!u)
		return r;
	answer = state_and_why(u);
	if (!answer || json_object_set_new(answer, "chain", chain_of(c, u)) < 0) {
		json_decref(answer);
		return -ENOMEM;
	}
	return holt_varlink_reply(q, answer);
}

/* ---- waiting */

enum wanted { WANT_READY, WANT_PATIENTLY, WANT_STOPPED, WANT_FAILED };
enum verdict { NOT_YET, IT_IS, IT_WILL_NOT_BE };

static enum verdict judge_ready(const struct unit *u, bool patient)
{
	switch (u->phase) {
	case PHASE_UP:
		return u->settled ? IT_IS : NOT_YET;
	case PHASE_IDLE:
		return u->outcome == OUTCOME_DONE ? IT_IS : u->outcome != OUTCOME_NONE || u->off ? IT_WILL_NOT_BE : NOT_YET;
	case PHASE_QUEUED:
		return u->blocked ? IT_WILL_NOT_BE : NOT_YET;
	case PHASE_BACKOFF:
		return patient || u->goal != GOAL_UP ? NOT_YET : IT_WILL_NOT_BE;
	default:
		return NOT_YET;
	}
}

static enum verdict judge(const struct unit *u, enum wanted what)
{
	bool never_run = u->outcome == OUTCOME_NONE && !u->off;

	if (what == WANT_READY || what == WANT_PATIENTLY)
		return judge_ready(u, what == WANT_PATIENTLY);
	if (u->phase != PHASE_IDLE || never_run)
		return NOT_YET;
	if (what == WANT_STOPPED || u->outcome == OUTCOME_FAILED)
		return IT_IS;
	return IT_WILL_NOT_BE;
}

/* Until something has changed. -ESHUTDOWN: we are stopped. */
static int wait_for_change(const struct control *c)
{
	struct holt_scope waiting;

	holt_scope_begin(&waiting, HOLT_NEVER, HOLT_ON_STOP);
	return (int)holt_scope_end(&waiting, holt_event_wait(&c->runner->changed));
}

static int will_not_be(holt_varlink_request *q, const struct unit *u, const char *path)
{
	json_t *params = state_and_why(u);

	if (!params || json_object_set_new(params, "path", json_string(path)) < 0) {
		json_decref(params);
		return -ENOMEM;
	}
	return holt_varlink_error(q, TREE "WillNotBe", params);
}

static int get_wanted(json_t *params, enum wanted *ret)
{
	static const char *const names[] = { [WANT_READY] = "ready", [WANT_STOPPED] = "stopped", [WANT_FAILED] = "failed" };
	const char *name = json_string_value(json_object_get(params, "for"));

	for (size_t i = 0; name && i < HOLT__N(names); i++) {
		if (!names[i] || strcmp(names[i], name) != 0)
			continue;
		*ret = (enum wanted)i;
		if (*ret == WANT_READY && !json_is_false(json_object_get(params, "patient")))
			*ret = WANT_PATIENTLY;
		return 0;
	}
	return -EINVAL;
}

static int wait_for(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	const char *path = get_path(params);
	enum wanted what;
	int r = 0;

	if (get_wanted(params, &what) < 0)
		return holt_varlink_invalid(q, "for");
	for (;;) {
		const struct unit *u = named(c, q, params, &r);

		if (!u)
			return r;
		switch (judge(u, what)) {
		case IT_IS:
			return holt_varlink_reply(q, state_and_why(u));
		case IT_WILL_NOT_BE:
			return will_not_be(q, u, path);
		case NOT_YET:
			break;
		}
		if (r == -ESHUTDOWN)
			return holt_varlink_error(q, TREE "Stopping", NULL);
		r = wait_for_change(c);
		if (r < 0 && r != -ESHUTDOWN)
			return r;
	}
}

/* ---- doing */

/* The log has who wanted what. */
static void note(const holt_varlink_request *q, const struct unit *u, const char *what)
{
	struct holt_varlink_peer peer;

	if (holt_varlink_peer(q, &peer) == 0)
		tell(u, LOG_INFO, NULL, "%s, asked for by pid %d of uid %u", what, (int)peer.pid, (unsigned)peer.uid);
}

static const char *path_or_tree(const struct unit *u)
{
	return u->conf->path[0] ? u->conf->path : "/";
}

/* The answer to what the runner said. */
static int done(holt_varlink_request *q, const struct unit *u, int r)
{
	switch (r) {
	case 0:
	case -EALREADY:
		return holt_varlink_reply(q, json_object());
	case -ESHUTDOWN:
		return holt_varlink_error(q, TREE "Stopping", NULL);
	case -EHOSTDOWN:
		return holt_varlink_error(q, TREE "GroupDown",
			json_pack("{s:s, s:s, s:s}", "path", u->conf->path, "group", path_or_tree(u->parent), "state",
				unit_state(u->parent)));
	default:
		return r;
	}
}

static int start(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	int r = 0;
	struct unit *u = named(c, q, params, &r);

	if (!u)
		return r;
	note(q, u, "start");
	return done(q, u, runner_start(c->runner, u));
}

static int restart(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	int r = 0;
	struct unit *u = named(c, q, params, &r);

	if (!u)
		return r;
	note(q, u, "restart");
	return done(q, u, runner_restart(c->runner, u));
}

static int stop(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	bool now = json_is_true(json_object_get(params, "now"));
	int r = 0;
	struct unit *u = named(c, q, params, &r);

	if (!u)
		return r;
	if (u->parent && now)
		return holt_varlink_invalid(q, "now");
	note(q, u, now ? "stop at once" : "stop");
	if (u->parent)
		return done(q, u, runner_stop(c->runner, u));
	if (now)
		runner_hurry(c->runner);
	else
		runner_end(c->runner);
	return holt_varlink_reply(q, json_object());
}

static int cannot_reload(holt_varlink_request *q, const char *path, const char *why_not)
{
	return holt_varlink_error(q, TREE "CannotReload", json_pack("{s:s, s:s}", "path", path, "why", why_not));
}

/* As SIGHUP does. */
static int reload_tree(struct runner *r, holt_varlink_request *q)
{
	int e = r->reload ? r->reload(NULL) : -EOPNOTSUPP;

	if (e == 0)
		return holt_varlink_reply(q, json_object());
	return cannot_reload(q, "", e == -EINVAL ? "the tree file has errors; the log says which" : strerror(-e));
}

static int reload(void *arg, holt_varlink_request *q, json_t *params)
{
	struct control *c = arg;
	struct unit *u;
	int r = 0;

	if (!says_path(params))
		return reload_tree(c->runner, q);
	u = named(c, q, params, &r);
	if (!u)
		return r;
	if (u->group)
		return cannot_reload(q, u->conf->path, "it is a group; reload its processes");
	note(q, u, "reload");
	switch (r = runner_reload(c->runner, u)) {
	case -ENOTSUP:
		return cannot_reload(q, u->conf->path, "it has no ExecReload=");
	case -EHOSTDOWN:
		return cannot_reload(q, u->conf->path, "it is not ready");
	case -EBUSY:
		return cannot_reload(q, u->conf->path, "a reload is on its way");
	default:
		return done(q, u, r);
	}
}

/* ---- the service */

static const struct holt_varlink_method methods[] = {
	{ .name = "Status", .fn = status, .flags = HOLT_VARLINK_READS },
	{ .name = "Wait", .fn = wait_for, .flags = HOLT_VARLINK_READS },
	{ .name = "Why", .fn = why, .flags = HOLT_VARLINK_READS },
	{ .name = "Start", .fn = start },
	{ .name = "Stop", .fn = stop },
	{ .name = "Restart", .fn = restart },
	{ .name = "Reload", .fn = reload },
};

/* Serves a socket by SERVE, one of the two functions of <holt/varlink.h>. */
static int serve(struct runner *r, int fd, int (*serve_fd)(int, const struct holt_varlink_service *))
{
	struct control c = { .runner = r };
	const struct holt_varlink_interface interface = {
		.idl = control_interface, .methods = methods, .n_methods = HOLT__N(methods), .arg = &c
	};
	const struct holt_varlink_service service = {
		.size = sizeof service,
		.vendor = "holt",
		.product = "holtd",
		.version = holt_version(),
		.interfaces = &interface,
		.n_interfaces = 1,
		.allow = allow,
		.allow_arg = &c,
		.name = "clients",
		.grace = CONTROL_GRACE,
	};

	c.has_group = find_group(r->config, &c.group);
	return serve_fd(fd, &service);
}

int control_serve(struct runner *r, int listen_fd)
{
	return serve(r, listen_fd, holt_varlink_serve);
}

int control_serve_one(struct runner *r, int fd)
{
	return serve(r, fd, holt_varlink_serve_one);
}

/* Nobody but us gets in before the group is right. */
static int give_to_group(const struct config *c, const char *path)
{
	gid_t group;

	if (!find_group(c, &group))
		return 0;
	if (chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0)
		return -errno;
	return 0;
}

int control_listen(const struct config *c, const char *directory)
{
	struct sockaddr_un un;
	char address[256];
	int fd, r;

	if (snprintf(address, sizeof address, "unix:%s/control", directory) - strlen("unix:") >= sizeof un.sun_path) {
		holt_log(LOG_ERR, "%s/control: a socket's path has at most %zu characters; --state takes another directory",
			directory, sizeof un.sun_path - 1);
		return -ENAMETOOLONG;
	}
	fd = holt_listen(address, .mode = 0600);
	if (fd < 0) {
		holt_log(LOG_ERR, "%s: %s", address + strlen("unix:"), strerror(-fd));
		return fd;
	}
	r = give_to_group(c, address + strlen("unix:"));
	if (r < 0)
		holt_log(LOG_WARNING, "ControlGroup=%s cannot be given the control socket: %s", c->control_group, strerror(-r));
	return fd;
}
