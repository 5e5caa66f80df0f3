/* SPDX-License-Identifier: MIT */
/*
 * A client's connection. It has at most one call in flight, and one task in it at a time; who comes meanwhile is told
 * -EBUSY. So there is no queue, and nothing has to be matched: what comes next is the reply to the call.
 *
 *	IDLE     nothing is in flight
 *	CALLED   a call was sent, its last reply has not come
 *	BROKEN   a message was sent or received in part, or made no sense: of no more use
 *
 * The task inside keeps the record: a close meanwhile closes the socket, which ends the wait, and that task frees.
 */
#include <errno.h>
#include <string.h>

#include <holt/io.h>
#include <holt/varlink.h>

#include "base/alloc.h"
#include "base/options.h"
#include "task/task.h"
#include "varlink/idl.h"
#include "varlink/json.h"
#include "varlink/scan.h"
#include "varlink/wire.h"

enum state { IDLE, CALLED, BROKEN };

struct holt_varlink {
	enum state state;
	bool more;         /* of the call: several replies may come */
	bool busy, closed; /* a task is inside; closed meanwhile */
	json_t *error;     /* the message that was an error; NULL: the last call was not answered by one */
	size_t depth, memory;
	struct holt__varlink_wire wire;
};

/* ---- opening and closing */

void holt_auto_varlink(holt_varlink **v)
{
	int saved = errno;

	holt_varlink_close(*v);
	errno = saved;
}

static void destroy(holt_varlink *v)
{
	json_decref(v->error);
	holt__varlink_wire_free(&v->wire);
	holt__free(v);
}

static int open_record(holt_varlink **ret, const struct holt_varlink_options *options)
{
	struct holt_varlink_options o;
	holt_varlink *v;
	int r;

	r = holt__options(&o, sizeof o, options);
	if (r < 0)
		return r;
	o.message_max = o.message_max ? o.message_max : 16 << 20;
	o.depth_max = o.depth_max ? o.depth_max : HOLT__VARLINK_DEPTH;
	if (o.message_max > SIZE_MAX / 8 || !holt__varlink_depth_is_fine(o.depth_max))
		return -EINVAL;
	r = holt__json_load();
	if (r < 0)
		return r;
	v = holt__malloc(sizeof *v);
	if (!v)
		return -ENOMEM;
	memset(v, 0, offsetof(struct holt_varlink, wire));
	v->depth = o.depth_max;
	v->memory = o.memory_max ? o.memory_max : 8 * o.message_max;
	holt__varlink_wire_init(&v->wire, -1, o.message_max);
	*ret = v;
	return 0;
}

/* Varlink's addresses may have more behind a semicolon; ours end there. */
static int dial(const char *address)
{
	size_t n = address ? strcspn(address, ";") : 0;
	char *own;
	int r;

	if (!address || !address[n])
		return holt_dial_with(address, NULL);
	own = holt__strdup(address);
	if (!own)
		return -ENOMEM;
	own[n] = 0;
	r = holt_dial_with(own, NULL);
	holt__free(own);
	return r;
}

int holt_varlink_open_with(holt_varlink **ret, const char *address, const struct holt_varlink_options *o)
{
	holt_varlink *v;
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	r = open_record(&v, o);
	if (r < 0)
		return r;
	r = dial(address);
	if (r < 0) {
		destroy(v);
		return r;
	}
	v->wire.fd = r;
	*ret = v;
	return 0;
}

int holt_varlink_open_fd_with(holt_varlink **ret, int fd, const struct holt_varlink_options *o)
{
	holt_varlink *v;
	int r;

	r = holt__sys->get_flags(fd);
	if (r < 0)
		return r;
	r = open_record(&v, o);
	if (r < 0)
		return r;
	v->wire.fd = fd;
	*ret = v;
	return 0;
}

holt_varlink *holt_varlink_close(holt_varlink *v)
{
	if (!v || v->closed)
		return NULL;
	v->closed = true;
	holt_close(v->wire.fd);
	if (!v->busy)
		destroy(v);
	return NULL;
}

/* Before and after all that suspends. */
static int enter(holt_varlink *v)
{
	holt_task *t;
	int r = holt__enter(&t);

	if (r < 0)
		return r;
	if (v->busy)
		return -EBUSY;
	v->busy = true;
	return 0;
}

static int leave(holt_varlink *v, int r)
{
	v->busy = false;
	if (v->closed)
		destroy(v);
	return r;
}

static int broken(holt_varlink *v, int r)
{
	v->state = BROKEN;
	return r;
}

/* ---- calls */

static int add(struct holt__json_text *t, const char *text)
{
	return holt__json_text_add(t, text, strlen(text));
}

static int write_call(struct holt__json_text *t, const char *method, const json_t *params, const char *flag)
{
	int r = add(t, "{\"method\":\"");

	if (r == 0 && (r = add(t, method)) == 0 && (r = add(t, "\",\"parameters\":")) == 0)
		r = holt__json_text_dump(t, params);
	if (r == 0)
		r = add(t, flag);
	return r == 0 ? holt__json_text_add(t, "}", 2) : r;
}

static int send_text(holt_varlink *v, const struct holt__json_text *t)
{
	size_t sent;
	int r = holt__varlink_wire_send(&v->wire, t->buf, t->n, &sent);

	if (r == 0)
		return 0;
	if (sent > 0)
		v->state = BROKEN;
	if (r == -ECANCELED || r == -ENOMEM)
		return r;
	return broken(v, r == -ENOSPC ? -ENOMEM : -EPIPE);
}

static int check_call(const holt_varlink *v, const char *method, json_t *params)
{
	if (v->state != IDLE)
		return v->state == CALLED ? -EBUSY : -EPIPE;
	if (!params)
		return -ENOMEM;
	if (!method || !holt__varlink_is_member(method, NULL) || !json_is_object(params) ||
		!holt__json_fits(params, v->depth - 1))
		return -EINVAL;
	return 0;
}

/* Takes params. flag is what is said beside them. */
static int send_call(holt_varlink *v, const char *method, json_t *params, const char *flag)
{
	struct holt__json_text text = { .n = 0 };
	int r = check_call(v, method, params);

	json_decref(v->error);
	v->error = NULL;
	if (r == 0)
		r = write_call(&text, method, params, flag);
	json_decref(params);
	if (r == 0)
		r = send_text(v, &text);
	holt__json_text_free(&text);
	return r;
}

/* ---- replies */

static int parse(holt_varlink *v, const char *text, size_t n, json_t **ret)
{
	json_t *message;
	size_t cost;
	int r;

	if (!holt__varlink_scan(text, n, v->depth, &cost) || cost > v->memory)
		return -EMSGSIZE;
	r = holt__json_parse(text, n, &message);
	holt__varlink_wire_take(&v->wire, n);
	if (r < 0)
		return r;
	if (json_is_object(message)) {
		*ret = message;
		return 0;
	}
	json_decref(message);
	return -EBADMSG;
}

/* Waits for it. *ret is the whole message, an object. */
static int receive(holt_varlink *v, json_t **ret)
{
	const char *text;
	size_t length;
	ssize_t n;
	int r;

	while ((r = holt__varlink_wire_message(&v->wire, &text, &length)) == 0) {
		n = holt__varlink_wire_fill(&v->wire);
		if (n == -ECANCELED)
			return -ECANCELED;
		if (n <= 0)
			return broken(v, n == -ENOMEM || n == -ENOSPC ? -ENOMEM : -EPIPE);
	}
	if (r > 0)
		r = parse(v, text, length, ret);
	return r < 0 ? broken(v, r) : 0;
}

static bool is_absent(const json_t *j)
{
	return !j || json_is_null(j);
}

/* Gives the parameters of a reply, whose message is taken. -EREMOTEIO: it is an error, and kept. */
static int open_reply(holt_varlink *v, json_t *message, json_t **ret)
{
	json_t *error = holt__json.object_get(message, "error"), *params = holt__json.object_get(message, "parameters");
	json_t *continues = holt__json.object_get(message, "continues");

	if ((!is_absent(error) && !json_is_string(error)) || (!is_absent(params) && !json_is_object(params)) ||
		(!is_absent(continues) && !json_is_boolean(continues)) ||
		(json_is_true(continues) && (!v->more || !is_absent(error))))
		return broken(v, -EBADMSG);
	if (!json_is_true(continues))
		v->state = IDLE;
	if (!is_absent(error)) {
		v->error = json_incref(message);
		return -EREMOTEIO;
	}
	*ret = is_absent(params) ? holt__json.object() : json_incref(params);
	return *ret ? 0 : broken(v, -ENOMEM);
}

static int next_reply(holt_varlink *v, json_t **ret)
{
	json_t *message = NULL, *params = NULL;
	int r;

	if (v->state != CALLED)
		return v->state == IDLE ? 0 : -EPIPE;
	r = receive(v, &message);
	if (r < 0)
		return v->closed ? -EPIPE : r;
	r = open_reply(v, message, &params);
	json_decref(message);
	if (r < 0)
		return r;
	if (ret)
		*ret = params;
	else
		json_decref(params);
	return 1;
}

static int called(holt_varlink *v, int r, bool more)
{
	if (r == 0) {
		v->state = CALLED;
		v->more = more;
	}
	return r;
}

int holt_varlink_call(holt_varlink *v, const char *method, struct json_t *params, struct json_t **ret)
{
	int r = enter(v);

	if (r < 0) {
		json_decref(params);
		return r;
	}
	r = called(v, send_call(v, method, params, ""), false);
	if (r == 0)
		r = next_reply(v, ret);
	return leave(v, r > 0 ? 0 : r);
}

int holt_varlink_call_more(holt_varlink *v, const char *method, struct json_t *params)
{
	int r = enter(v);

	if (r < 0) {
		json_decref(params);
		return r;
	}
	return leave(v, called(v, send_call(v, method, params, ",\"more\":true"), true));
}

int holt_varlink_next(holt_varlink *v, struct json_t **ret)
{
	int r = enter(v);

	return r < 0 ? r : leave(v, next_reply(v, ret));
}

int holt_varlink_oneway(holt_varlink *v, const char *method, struct json_t *params)
{
	int r = enter(v);

	if (r < 0) {
		json_decref(params);
		return r;
	}
	return leave(v, send_call(v, method, params, ",\"oneway\":true"));
}

/* ---- errors */

const char *holt_varlink_error_name(const holt_varlink *v)
{
	return v->error ? holt__json.string_value(holt__json.object_get(v->error, "error")) : NULL;
}

struct json_t *holt_varlink_error_params(const holt_varlink *v)
{
	json_t *params = v->error ? holt__json.object_get(v->error, "parameters") : NULL;

	return json_is_object(params) ? params : NULL;
}

int holt_varlink_error_number(const holt_varlink *v)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
		{ HOLT_VARLINK_INTERFACE_NOT_FOUND, EOPNOTSUPP },
		{ HOLT_VARLINK_METHOD_NOT_FOUND, EOPNOTSUPP },
		{ HOLT_VARLINK_METHOD_NOT_IMPLEMENTED, EOPNOTSUPP },
		{ HOLT_VARLINK_INVALID_PARAMETER, EINVAL },
		{ HOLT_VARLINK_PERMISSION_DENIED, EACCES },
		{ HOLT_VARLINK_EXPECTED_MORE, EBADE },
		{ HOLT_VARLINK_SYSTEM, 0 },
		{ "io.systemd.System", 0 },
	};
	const char *name = holt_varlink_error_name(v);
	json_int_t number = EREMOTEIO;

	if (!name)
		return 0;
	for (size_t i = 0; i < HOLT__N(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		number = known[i].number;
		if (number == 0)
			number = holt__json.integer_value(holt__json.object_get(holt_varlink_error_params(v), "errno"));
	}
	return number > 0 && number < 4096 ? -(int)number : -EREMOTEIO;
}
