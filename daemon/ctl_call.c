/* SPDX-License-Identifier: MIT */
/*
 * A call of the daemon, in bounded time, and its errors in words.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <holt/io.h>
#include <holt/run.h>
#include <holt/scope.h>

#include "daemon/ctl.h"
#include "daemon/utf8.h"

#define TREE "io.holt.Tree."

void ctl_say(const char *fmt, ...)
{
	char line[2048], clean[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	utf8_clean(clean, sizeof clean, line);
	fprintf(stderr, "holtctl: %s\n", clean);
}

int ctl_error(const char *what, int error)
{
	switch (error) {
	case -ETIME:
		ctl_say("%s: no answer in time", what);
		return CTL_TIMED_OUT;
	case -ECANCELED:
		return CTL_TIMED_OUT; /* by what is around us, which says so */
	case -EPIPE:
		ctl_say("%s: the daemon has hung up", what);
		return CTL_FAILED;
	case -EBADMSG:
	case -EMSGSIZE:
		ctl_say("%s: this is no answer of holtd", what);
		return CTL_FAILED;
	default:
		ctl_say("%s: %s", what, strerror(-error));
		return CTL_FAILED;
	}
}

/* ---- errors of the daemon */

bool ctl_was(const struct ctl *c, const char *error)
{
	const char *name = holt_varlink_error_name(c->v);

	return name && strncmp(name, TREE, strlen(TREE)) == 0 && strcmp(name + strlen(TREE), error) == 0;
}

static const char *param(const struct ctl *c, const char *key)
{
	const char *s = json_string_value(json_object_get(holt_varlink_error_params(c->v), key));

	return s ? s : "";
}

static const char *shown(const char *path)
{
	return path[0] ? path : "the tree";
}

static int say_no_node(const struct ctl *c)
{
	const char *nearest = param(c, "nearest");

	if (nearest[0])
		ctl_say("there is no node \"%s\"; is \"%s\" meant?", param(c, "path"), nearest);
	else
		ctl_say("there is no node \"%s\"", param(c, "path"));
	return CTL_NO_NODE;
}

int ctl_explain(struct ctl *c)
{
	const char *why = param(c, "why");

	if (ctl_was(c, "NoSuchNode"))
		return say_no_node(c);
	if (ctl_was(c, "GroupDown"))
		ctl_say("%s cannot be started alone: its group %s is %s", param(c, "path"), param(c, "group"), param(c, "state"));
	else if (ctl_was(c, "Stopping"))
		ctl_say("the tree stops");
	else if (ctl_was(c, "WillNotBe"))
		ctl_say("%s is %s%s%s", shown(param(c, "path")), param(c, "state"), why[0] ? ": " : "", why);
	else if (ctl_was(c, "CannotReload"))
		ctl_say("%s cannot be reloaded: %s", shown(param(c, "path")), why);
	else if (holt_varlink_error_number(c->v) == -EACCES)
		ctl_say("you may not do that with this tree");
	else if (holt_varlink_error_number(c->v) == -EOPNOTSUPP)
		ctl_say("this daemon cannot do that");
	else if (holt_varlink_error_number(c->v) != -EREMOTEIO)
		ctl_say("the daemon says: %s", strerror(-holt_varlink_error_number(c->v)));
	else
		ctl_say("the daemon says: %s", holt_varlink_error_name(c->v));
	return CTL_FAILED;
}

/* ---- calls */

static int failed(const struct ctl *c, int r)
{
	return r == 0 || r == -EREMOTEIO ? r : ctl_error(c->socket, r);
}

int ctl_try(struct ctl *c, const char *method, struct json_t *params, struct json_t **ret)
{
	struct holt_scope in_time;
	char name[64];
	int r;

	snprintf(name, sizeof name, TREE "%s", method);
	holt_scope_begin(&in_time, holt_in(c->limit), 0);
	r = holt_varlink_call(c->v, name, params, ret);
	return failed(c, (int)holt_scope_end(&in_time, r));
}

int ctl_call(struct ctl *c, const char *method, struct json_t *params, struct json_t **ret)
{
	int r = ctl_try(c, method, params, ret);

	return r == -EREMOTEIO ? ctl_explain(c) : r;
}

/* ---- waiting */

/* Asks by another connection, since the first one waits, and tells who looks why it takes so long. */
static int look_why(struct ctl *c, const char *path)
{
	holt_auto(varlink) v = NULL;
	json_t *answer = NULL;
	int fd, r;

	fd = ctl_dial(c->socket);
	if (fd < 0)
		return fd;
	r = holt_varlink_open_fd(&v, fd);
	if (r < 0) {
		holt_close(fd);
		return r;
	}
	r = holt_varlink_call(v, TREE "Why", json_pack("{s:s}", "path", path), &answer);
	if (r == 0 && isatty(STDERR_FILENO))
		ctl_say("still waiting: %s is %s: %s", shown(path), json_string_value(json_object_get(answer, "state")),
			json_string_value(json_object_get(answer, "why")));
	json_decref(answer);
	return r;
}

/* -ETIME: the daemon does not answer; -ECANCELED: enough waited. Else it lives, or the first connection will tell. */
static int is_alive(struct ctl *c, const char *path)
{
	struct holt_scope in_time;
	int r;

	holt_scope_begin(&in_time, holt_in(c->limit), 0);
	r = (int)holt_scope_end(&in_time, look_why(c, path));
	return r == -ETIME || r == -ECANCELED ? r : 0;
}

int ctl_wait(struct ctl *c, const char *path, const char *what, bool patient, struct json_t **ret)
{
	json_t *params = json_pack("{s:s, s:s, s:b}", "path", path, "for", what, "patient", (int)patient);
	struct holt_scope in_time;
	int r;

	holt_scope_begin(&in_time, holt_in(c->limit), 0);
	r = (int)holt_scope_end(&in_time, holt_varlink_call(c->v, TREE "Wait", params, ret));
	while (r == -ETIME && (r = is_alive(c, path)) == 0) {
		holt_scope_begin(&in_time, holt_in(c->limit), 0);
		r = (int)holt_scope_end(&in_time, holt_varlink_next(c->v, ret));
		if (r >= 0)
			r = r > 0 ? 0 : -EPIPE;
	}
	return r;
}
