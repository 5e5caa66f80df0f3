/* SPDX-License-Identifier: MIT */
/*
 * status and why: what the daemon says of its nodes, for people (draw.h) or as it came (--json).
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <holt/run.h>

#include "base/alloc.h"
#include "daemon/ctl.h"
#include "daemon/utf8.h"

/* ---- a node as it came */

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static const char *needed(const json_t *o, const char *key)
{
	const char *s = text(o, key);

	return s ? s : "";
}

static int64_t number(const json_t *o, const char *key)
{
	const json_t *n = json_object_get(o, key);

	return json_is_integer(n) && json_integer_value(n) >= 0 ? json_integer_value(n) : -1;
}

static holt_time span(const json_t *o, const char *key)
{
	int64_t us = number(o, key);

	return us < 0 || (uint64_t)us >= HOLT_NEVER / HOLT_US ? HOLT_NEVER : (uint64_t)us * HOLT_US;
}

static struct draw_node node_of(const json_t *o)
{
	return (struct draw_node){
		.path = needed(o, "path"),
		.name = needed(o, "name"),
		.kind = needed(o, "kind"),
		.state = needed(o, "state"),
		.why = text(o, "why"),
		.type = text(o, "type"),
		.status = text(o, "status"),
		.ended = text(o, "ended"),
		.strategy = text(o, "strategy"),
		.since = span(o, "since"),
		.next = span(o, "next"),
		.within = span(o, "within"),
		.pid = number(o, "pid"),
		.memory = number(o, "memory"),
		.restarts = number(o, "restarts"),
		.used = number(o, "used"),
		.intensity = number(o, "intensity"),
		.members = number(o, "members"),
		.members_ready = number(o, "members_ready"),
		.finally = number(o, "finally"),
	};
}

/* ---- status */

static void print_line(void *arg, const char *line)
{
	(void)arg;
	puts(line);
}

static int draw(const struct ctl *c, const char *tree, const json_t *list)
{
	size_t n = json_array_size(list);
	struct draw_options o = c->draw;
	struct draw_node *nodes;
	char name[512];
	int r;

	nodes = holt__calloc(n + 1, sizeof *nodes);
	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		nodes[i] = node_of(json_array_get(list, i));
	if (n > 0 && nodes[0].path[0]) {
		snprintf(name, sizeof name, "%s/%s", tree, nodes[0].path);
		o.name = name;
	}
	r = draw_tree(nodes, n, &o, print_line, NULL);
	holt__free(nodes);
	return r;
}

static int print_json(const struct ctl *c, const json_t *answer)
{
	if (json_dumpf(answer, stdout, c->watch ? JSON_COMPACT : JSON_INDENT(2)) < 0)
		return -ENOMEM;
	putchar('\n');
	return 0;
}

static bool is_fine(const json_t *list)
{
	const char *state = needed(json_array_get(list, 0), "state");

	return strcmp(state, "ready") == 0 || strcmp(state, "done") == 0;
}

static int show(const struct ctl *c, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "nodes");
	int r;

	if (!text(answer, "tree") || json_array_size(list) == 0)
		return ctl_error(c->socket, -EBADMSG);
	if (c->watch && c->screen && !c->json)
		fputs("\033[H\033[2J", stdout); /* upper left corner, all clear */
	r = c->json ? print_json(c, answer) : draw(c, text(answer, "tree"), list);
	if (r < 0)
		return ctl_error("the answer", r);
	fflush(stdout);
	return is_fine(list) ? CTL_OK : CTL_NOT_READY;
}

static int show_once(struct ctl *c)
{
	json_t *answer = NULL;
	int r;

	r = ctl_call(c, "Status", c->path ? json_pack("{s:s}", "path", c->path) : json_object(), &answer);
	if (r != CTL_OK)
		return r;
	r = show(c, answer);
	json_decref(answer);
	return r;
}

int ctl_status(struct ctl *c)
{
	int r;

	do {
		r = show_once(c);
	} while (c->watch && (r == CTL_OK || r == CTL_NOT_READY) && holt_sleep(HOLT_SEC) == 0);
	return r;
}

/* ---- why */

static void say_why(const json_t *o, const char *tree, size_t depth)
{
	const char *path = needed(o, "path"), *why = text(o, "why");
	char line[1024], clean[1024];

	snprintf(line, sizeof line, "%*s%s is %s%s%s", (int)(2 * depth), "", path[0] ? path : tree, needed(o, "state"),
		why && why[0] ? ": " : "", why ? why : "");
	utf8_clean(clean, sizeof clean, line);
	puts(clean);
}

int ctl_why(struct ctl *c)
{
	json_t *answer = NULL, *chain;
	int r;

	r = ctl_call(c, "Why", json_pack("{s:s}", "path", c->path), &answer);
	if (r != CTL_OK)
		return r;
	chain = json_object_get(answer, "chain");
	if (c->json)
		r = print_json(c, answer) < 0 ? ctl_error("the answer", -ENOMEM) : CTL_OK;
	for (size_t i = 0; !c->json && i < json_array_size(chain); i++)
		say_why(json_array_get(chain, i), "the tree", i);
	json_decref(answer);
	return r;
}
