/* SPDX-License-Identifier: MIT */
/*
 * What the tests of Varlink share: a service to try things on, and a rig, which is that service on one end of a socket
 * pair and raw bytes on the other.
 */
#pragma once
#include <jansson.h>

#include <holt/varlink.h>

#include "io.h"

static const char try_idl[] = "# Things to try.\n"
			      "interface io.test.Try\n"
			      "method Echo() -> ()\n"
			      "method Fail(errno: int) -> ()\n"
			      "method Forget() -> ()\n"
			      "method Wait() -> (result: int)\n"
			      "method Finish() -> ()\n"
			      "method Count(to: int) -> (n: int)\n"
			      "method Big(bytes: int) -> (text: string)\n"
			      "method Who() -> (uid: int, pid: int)\n"
			      "method Error(name: string) -> ()\n"
			      "method Missing() -> ()\n"
			      "method Call() -> ()\n";

static struct holt_event gate; /* for which Wait and Finish wait */
static int begun, over;        /* how many of them */
static int wait_result;        /* of the last of them */
static int allow_result;       /* what allow says */
static int (*call_this)(holt_varlink_request *q, json_t *params);

static inline int try_echo(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	return holt_varlink_reply(q, json_incref(params));
}

static inline int try_fail(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	(void)q;
	return (int)-json_integer_value(json_object_get(params, "errno"));
}

static inline int try_forget(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	(void)q;
	(void)params;
	return 0;
}

static inline int try_wait(void *arg, holt_varlink_request *q, json_t *params)
{
	int r;

	(void)arg;
	(void)params;
	begun++;
	wait_result = r = holt_event_wait(&gate);
	over++;
	return r < 0 ? r : holt_varlink_reply(q, json_pack("{s:i}", "result", r));
}

static inline int try_count(void *arg, holt_varlink_request *q, json_t *params)
{
	json_int_t to = json_integer_value(json_object_get(params, "to"));
	int r = 0;

	(void)arg;
	for (json_int_t i = 1; i < to && r == 0; i++)
		r = holt_varlink_reply_more(q, json_pack("{s:I}", "n", i));
	return r < 0 ? r : holt_varlink_reply(q, json_pack("{s:I}", "n", to));
}

static inline int try_big(void *arg, holt_varlink_request *q, json_t *params)
{
	size_t n = (size_t)json_integer_value(json_object_get(params, "bytes"));
	char *text = malloc(n + 1);
	json_t *reply;

	(void)arg;
	memset(text, 'x', n);
	text[n] = 0;
	reply = json_pack("{s:s}", "text", text);
	free(text);
	return wait_result = holt_varlink_reply(q, reply);
}

static inline int try_who(void *arg, holt_varlink_request *q, json_t *params)
{
	struct holt_varlink_peer p;
	int r = holt_varlink_peer(q, &p);

	(void)arg;
	(void)params;
	return r < 0 ? r : holt_varlink_reply(q, json_pack("{s:i, s:i}", "uid", (int)p.uid, "pid", (int)p.pid));
}

static inline int try_error(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	return holt_varlink_error(q, json_string_value(json_object_get(params, "name")), json_incref(params));
}

static inline int try_call(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	return call_this(q, params);
}

static const struct holt_varlink_method try_methods[] = {
	{ .name = "Echo", .fn = try_echo, .flags = HOLT_VARLINK_READS },
	{ .name = "Fail", .fn = try_fail },
	{ .name = "Forget", .fn = try_forget },
	{ .name = "Wait", .fn = try_wait },
	{ .name = "Finish", .fn = try_wait, .flags = HOLT_VARLINK_FINISH },
	{ .name = "Count", .fn = try_count, .flags = HOLT_VARLINK_MORE },
	{ .name = "Big", .fn = try_big },
	{ .name = "Who", .fn = try_who },
	{ .name = "Error", .fn = try_error },
	{ .name = "Call", .fn = try_call },
};

static const struct holt_varlink_interface try_interfaces[] = {
	{ .idl = try_idl, .methods = try_methods, .n_methods = HOLT__N(try_methods) },
};

static inline int try_allow(void *arg, holt_varlink_request *q, const struct holt_varlink_method *m)
{
	(void)arg;
	(void)q;
	return m->flags & HOLT_VARLINK_READS ? 0 : allow_result;
}

#define TRY_SERVICE \
	.size = sizeof(struct holt_varlink_service), .vendor = "nobody", .product = "try", .version = "1", \
	.interfaces = try_interfaces, .n_interfaces = 1, .allow = try_allow

/* ---- raw bytes */

static inline void say_bytes(int fd, const char *bytes, size_t n)
{
	ck_assert_int_eq(holt_write_full(fd, bytes, n), n);
}

/* One message, or several with | between them. */
static inline void say(int fd, const char *text)
{
	char *copy = strdup(text);

	for (char *p = copy; (p = strchr(p, '|')); p++)
		*p = 0;
	say_bytes(fd, copy, strlen(text) + 1);
	free(copy);
}

/* The next message, of the same memory each time; NULL: the end. */
static inline const char *hear(int fd)
{
	static char text[1 << 22];
	size_t n = 0;

	for (;;) {
		ssize_t k = holt_recv(fd, text + n, sizeof text - n, MSG_PEEK), whole;

		if (k == 0 || k == -ECONNRESET) { /* closed with bytes of ours unread */
			ck_assert_msg(n == 0, "an end inside a message");
			return NULL;
		}
		ck_assert_int_gt(k, 0);
		whole = (ssize_t)strnlen(text + n, (size_t)k) + 1;
		k = whole < k ? whole : k;
		ck_assert_int_eq(recv(fd, text + n, (size_t)k, 0), k);
		n += (size_t)k;
		if (text[n - 1] == 0)
			return text;
	}
}

static inline void hear_that(int fd, const char *expected)
{
	const char *text = hear(fd);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, expected);
}

static inline void hear_the_end(int fd)
{
	const char *text = hear(fd);

	ck_assert_msg(!text, "more was said: %s", text);
}

/* ---- the rig */

struct rig {
	int fd[2]; /* ours, the service's */
	struct holt_varlink_service service;
	holt_group *g;
	int result;
	bool done;
};

static inline int rig_task(void *arg)
{
	struct rig *r = arg;

	r->result = holt_varlink_serve_one(r->fd[1], &r->service);
	r->done = true;
	holt_close(r->fd[1]);
	return 0;
}

#define rig_start(r, ...) rig_start_with(r, (struct holt_varlink_service){ TRY_SERVICE, __VA_ARGS__ })

static inline void rig_start_with(struct rig *r, struct holt_varlink_service service)
{
	holt_log_level(LOG_DEBUG);
	begun = over = wait_result = allow_result = 0;
	gate = (struct holt_event){ .set = false };
	socket_pair(r->fd);
	r->service = service;
	r->done = false;
	ck_assert_int_eq(holt_group_open(&r->g, .kind = HOLT_EACH), 0);
	ck_assert_int_eq(holt_spawn(r->g, rig_task, r, .name = "service"), 0);
}

/* We hang up, and the service ends well. */
static inline void rig_end(struct rig *r)
{
	holt_close(r->fd[0]);
	ck_assert_int_eq(holt_group_close(r->g, 0), 0);
	ck_assert_int_eq(r->result, 0);
}

/* ---- a house: a service with a listener */

struct house {
	char address[64];
	struct holt_varlink_service service;
	holt_group *g;
	holt_task *task;
	int result;
	int lfd;
};

static inline int house_task(void *arg)
{
	struct house *h = arg;

	h->result = holt_varlink_serve(h->lfd, &h->service);
	holt_close(h->lfd);
	return 0;
}

#define house_open(h, ...) house_open_with(h, (struct holt_varlink_service){ TRY_SERVICE, __VA_ARGS__ })

static inline void house_open_with(struct house *h, struct holt_varlink_service service)
{
	static int n;

	holt_log_level(LOG_DEBUG);
	begun = over = wait_result = allow_result = 0;
	gate = (struct holt_event){ .set = false };
	snprintf(h->address, sizeof h->address, "unix:@holt-test-%d-%d", (int)getpid(), n++);
	h->service = service;
	h->result = 1;
	h->lfd = holt_listen(h->address);
	ck_assert_int_ge(h->lfd, 0);
	ck_assert_int_eq(holt_group_open(&h->g, .grace = HOLT_MIN), 0);
	ck_assert_int_eq(holt_spawn(h->g, house_task, h, .name = "house", .task = &h->task), 0);
	holt_task_unref(h->task); /* it lives until h->g is closed, at least */
}

static inline int visit(struct house *h)
{
	int fd = holt_dial(h->address);

	ck_assert_int_ge(fd, 0);
	settle();
	return fd;
}

/* A stop, under which the service ends well. */
static inline void house_close(struct house *h)
{
	holt_group_stop(h->g, "closing time");
	ck_assert_int_eq(holt_group_close(h->g, 0), 0);
	ck_assert_int_eq(h->result, 0);
}
