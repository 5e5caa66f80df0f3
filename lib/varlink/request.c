/* SPDX-License-Identifier: MIT */
/*
 * A call: from the text of its message to the bytes of its answer, all in the call's own task.
 *
 * One rule keeps the connection right: whatever becomes of the method, a call that waits for an answer gets one, or the
 * connection is over. And a message that was sent in part is never followed by anything.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <holt/log.h>
#include <holt/run.h>

#include "task/task.h"
#include "varlink/idl.h"
#include "varlink/scan.h"
#include "varlink/server.h"

/* ---- answers */

static int add(struct holt__json_text *t, const char *text)
{
	return holt__json_text_add(t, text, strlen(text));
}

/* {"error":NAME,"parameters":PARAMS,"continues":true} as far as there is that, and a NUL. */
static int write_answer(struct holt__json_text *t, const char *error, const json_t *params, bool continues)
{
	int r = add(t, "{");

	if (r == 0 && error && (r = add(t, "\"error\":\"")) == 0 && (r = add(t, error)) == 0)
		r = add(t, params ? "\"," : "\"");
	if (r == 0 && params && (r = add(t, "\"parameters\":")) == 0)
		r = holt__json_text_dump(t, params);
	if (r == 0 && continues)
		r = add(t, ",\"continues\":true");
	return r == 0 ? holt__json_text_add(t, "}", 2) : r;
}

static int gave_up(struct holt__varlink_conn *c, int r, size_t sent)
{
	switch (r) {
	case -ECANCELED:
		if (sent > 0)
			holt__varlink_hang_up(c, "canceled in the middle of an answer");
		return r;
	case -ETIME:
		holt__varlink_hang_up(c, "it does not read its answers");
		return r;
	case -ENOMEM:
	case -ENOSPC:
		if (sent > 0)
			holt__varlink_hang_up(c, "no memory in the middle of an answer");
		return -ENOMEM;
	default:
		holt__varlink_hang_up(c, "it is gone");
		return -EPIPE;
	}
}

static int send_text(holt_varlink_request *q, const struct holt__json_text *t)
{
	struct holt__varlink_conn *c = q->conn;
	struct holt_scope in_time;
	size_t sent = 0;
	int r;

	r = holt__varlink_charge_ours(&c->wire.account, t->size);
	if (r < 0) {
		holt__varlink_hang_up(c, "too much memory waits for those who do not read");
		return r;
	}
	q->answering = true;
	holt_scope_begin(&in_time, holt_in(c->server->s.reply_timeout), 0);
	r = holt__varlink_wire_send(&c->wire, t->buf, t->n, &sent);
	r = (int)holt_scope_end(&in_time, r);
	q->answering = false;
	holt__varlink_uncharge(&c->wire.account, t->size);
	return r == 0 ? 0 : gave_up(c, r, sent);
}

static int check_answer(const holt_varlink_request *q, const char *error, json_t *params, bool last)
{
	if (q->answered)
		return -EALREADY;
	if (q->answering)
		return -EBUSY;
	if (!params && !error)
		return -ENOMEM;
	if (params && (!json_is_object(params) || !holt__json_fits(params, q->conn->server->s.depth_max - 1)))
		return -EINVAL;
	if ((error && !holt__varlink_is_member(error, NULL)) || (!last && !q->more))
		return -EINVAL;
	return !q->oneway && q->conn->over ? -EPIPE : 0;
}

/* Takes params, early: they need not live until the client has read. */
static int answer(holt_varlink_request *q, const char *error, json_t *params, bool last)
{
	struct holt__json_text text = { .n = 0 };
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r == 0)
		r = check_answer(q, error, params, last);
	if (r == 0 && !q->oneway)
		r = write_answer(&text, error, params, !last);
	json_decref(params);
	if (r == 0 && !q->oneway)
		r = send_text(q, &text);
	holt__json_text_free(&text);
	if (r == 0)
		q->answered = last;
	return r;
}

int holt_varlink_reply(holt_varlink_request *q, struct json_t *params)
{
	return answer(q, NULL, params, true);
}

int holt_varlink_reply_more(holt_varlink_request *q, struct json_t *params)
{
	return answer(q, NULL, params, false);
}

int holt_varlink_error(holt_varlink_request *q, const char *name, struct json_t *params)
{
	return answer(q, name ? name : "", params, true);
}

/* An object of one text; NULL: no memory. */
static json_t *one_string(const char *key, const char *value, size_t n)
{
	json_t *o = holt__json.object();

	if (o && holt__json.object_set_new(o, key, holt__json.stringn(value, n)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

int holt_varlink_invalid(holt_varlink_request *q, const char *parameter)
{
	json_t *params = parameter ? one_string("parameter", parameter, strlen(parameter)) : NULL;

	return answer(q, HOLT_VARLINK_INVALID_PARAMETER, params, true);
}

/* ---- what a method may ask */

const char *holt_varlink_method_name(const holt_varlink_request *q)
{
	return q->method;
}

bool holt_varlink_wants_more(const holt_varlink_request *q)
{
	return q->more;
}

bool holt_varlink_is_oneway(const holt_varlink_request *q)
{
	return q->oneway;
}

int holt_varlink_peer(const holt_varlink_request *q, struct holt_varlink_peer *ret)
{
	if (!q->conn->known)
		return -ENODATA;
	*ret = q->conn->peer;
	return 0;
}

static int among(int fd, gid_t gid, socklen_t bytes)
{
	gid_t *groups = holt__malloc(bytes);
	int r;

	if (!groups)
		return -ENOMEM;
	r = holt__sys->getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes);
	for (size_t i = 0; r == 0 && i < bytes / sizeof *groups; i++)
		r = groups[i] == gid;
	holt__free(groups);
	return r;
}

int holt_varlink_peer_in_group(const holt_varlink_request *q, gid_t gid)
{
	int fd = q->conn->wire.fd, r;
	socklen_t bytes = 0;
	gid_t none;

	if (!q->conn->known)
		return -ENODATA;
	if (q->conn->peer.gid == gid)
		return 1;
	r = holt__sys->getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, &none, &bytes); /* says how long the list is */
	return r == -ERANGE ? among(fd, gid, bytes) : r;
}

/* ---- the message */

/* Absent, null, or a boolean. */
static bool get_flag(const json_t *message, const char *key, bool *ret)
{
	const json_t *flag = holt__json.object_get(message, key);

	*ret = json_is_true(flag);
	return !flag || json_is_boolean(flag) || json_is_null(flag);
}

static const char *read_parameters(holt_varlink_request *q)
{
	const json_t *params = holt__json.object_get(q->message, "parameters");

	if (params && !json_is_null(params))
		return json_is_object(params) ? NULL : "parameters are no object";
	return holt__json.object_set_new(q->message, "parameters", holt__json.object()) == 0 ? NULL : "no memory";
}

static const char *read_message(holt_varlink_request *q, bool *ret_upgrade)
{
	if (!json_is_object(q->message))
		return "a message is no object";
	q->method = holt__json.string_value(holt__json.object_get(q->message, "method"));
	if (!q->method)
		return "a message without a method";
	if (!get_flag(q->message, "more", &q->more) || !get_flag(q->message, "oneway", &q->oneway) ||
		!get_flag(q->message, "upgrade", ret_upgrade) || q->more + q->oneway + *ret_upgrade > 1)
		return "more, oneway or upgrade is wrong";
	return read_parameters(q);
}

/* Returns what is wrong with it. *ret_cost was charged. */
static const char *parse(holt_varlink_request *q, bool *ret_upgrade, size_t *ret_cost)
{
	struct holt__varlink_wire *w = &q->conn->wire;
	const char *text;
	size_t n, cost;
	int r;

	if (holt__varlink_wire_message(w, &text, &n) != 1)
		return "no message";
	if (!holt__varlink_scan(text, n, q->conn->server->s.depth_max, &cost))
		return "a message nests too deep";
	if (holt__varlink_charge(&w->account, cost) < 0)
		return "a message needs too much memory";
	*ret_cost = cost;
	r = holt__json_parse(text, n, &q->message);
	holt__varlink_wire_take(w, n);
	if (r < 0)
		return r == -ENOMEM ? "no memory for a message" : "a message is not JSON";
	return read_message(q, ret_upgrade);
}

/* ---- the method */

const struct holt_varlink_interface *holt__varlink_interface(const struct holt__varlink_server *v, const char *name, size_t n)
{
	for (size_t i = 0; i < HOLT__VARLINK_BUILTIN + v->s.n_interfaces; i++) {
		const struct holt_varlink_interface *f = i < HOLT__VARLINK_BUILTIN ? &holt__varlink_builtin[i]
										   : &v->s.interfaces[i - HOLT__VARLINK_BUILTIN];
		size_t len;
		const char *own = holt__varlink_idl_name(f->idl, &len);

		if (len == n && memcmp(own, name, n) == 0)
			return f;
	}
	return NULL;
}

static const struct holt_varlink_method *find(const struct holt_varlink_interface *f, const char *name)
{
	for (size_t i = 0; i < f->n_methods; i++)
		if (strcmp(f->methods[i].name, name) == 0)
			return &f->methods[i];
	return NULL;
}

static int not_there(holt_varlink_request *q, const struct holt_varlink_interface *f, const char *name, bool upgrade)
{
	const char *error = HOLT_VARLINK_METHOD_NOT_FOUND;

	if (!f && name)
		return answer(q, HOLT_VARLINK_INTERFACE_NOT_FOUND,
			one_string("interface", q->method, (size_t)(name - 1 - q->method)), true);
	if (upgrade || (f && holt__varlink_idl_has(f->idl, name)))
		error = HOLT_VARLINK_METHOD_NOT_IMPLEMENTED;
	return answer(q, error, one_string("method", q->method, strlen(q->method)), true);
}

static bool is_builtin(const struct holt_varlink_interface *f)
{
	return f >= holt__varlink_builtin && f < holt__varlink_builtin + HOLT__VARLINK_BUILTIN;
}

static int call_method(holt_varlink_request *q, bool upgrade)
{
	const struct holt_varlink_service *s = &q->conn->server->s;
	const char *dot = strrchr(q->method, '.'), *name = dot ? dot + 1 : NULL;
	const struct holt_varlink_interface *f;
	const struct holt_varlink_method *m;
	int r;

	f = dot ? holt__varlink_interface(q->conn->server, q->method, (size_t)(dot - q->method)) : NULL;
	m = f ? find(f, name) : NULL;
	if (!m || upgrade)
		return not_there(q, f, name, m && upgrade);
	q->finish = m->flags & HOLT_VARLINK_FINISH;
	r = s->allow && !is_builtin(f) ? s->allow(s->allow_arg, q, m) : 0;
	if (r == -EACCES || r == -EPERM)
		return q->answered ? r : answer(q, HOLT_VARLINK_PERMISSION_DENIED, NULL, true);
	if (r < 0)
		return r;
	if ((m->flags & HOLT_VARLINK_MORE) && !q->more)
		return answer(q, HOLT_VARLINK_EXPECTED_MORE, NULL, true);
	return m->fn(f->arg, q, holt__json.object_get(q->message, "parameters"));
}

static json_t *system_error(int number)
{
	json_t *o = holt__json.object();
	char text[128];

	if (!o || holt__json.object_set_new(o, "errno", holt__json.integer(number)) < 0) {
		json_decref(o);
		return NULL;
	}
	errno = number;
	snprintf(text, sizeof text, "%m");
	(void)holt__json.object_set_new(o, "message", holt__json.string(text)); /* may be left out */
	return o;
}

/* For the method that returned r, and has not answered. */
static void answer_for_it(holt_varlink_request *q, int r)
{
	if (q->answered || q->oneway || q->conn->over)
		return;
	if (r == -ECANCELED && holt_check() < 0) {
		holt__varlink_hang_up(q->conn, "canceled");
		return;
	}
	if (r >= 0) {
		holt_log(LOG_WARNING, "varlink: the method %s returned without an answer", q->method);
		r = -EPROTO;
	}
	if (answer(q, HOLT_VARLINK_SYSTEM, system_error(-r), true) < 0)
		holt__varlink_hang_up(q->conn, "it cannot be answered");
}

int holt__varlink_answer(void *request)
{
	holt_varlink_request *q = request;
	bool upgrade = false;
	size_t cost = 0;
	const char *bad = parse(q, &upgrade, &cost);

	if (bad)
		holt__varlink_hang_up(q->conn, bad);
	else
		answer_for_it(q, call_method(q, upgrade));
	json_decref(q->message);
	holt__varlink_uncharge(&q->conn->wire.account, cost);
	if (q->watched)
		holt_scope_cancel(&q->watch, NULL);
	return 0;
}
