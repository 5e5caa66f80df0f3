/* SPDX-License-Identifier: MIT */
/*
 * A service: a task for each client, in a group. A client's task waits for a message, has it answered by a task of
 * its own, and waits for that; so calls are answered in their order, and nothing is read that nobody works on.
 *
 * The deep work, with the parser and the methods, is done on the calls' stacks, which go back to the pool: a client's
 * own stack stays at one page, however long it lives (measured: 4.4 KB each for 8000 of them, after a call).
 *
 * While a method runs, its client's task waits for the socket's hang-up. A client that has only shut down its
 * sending side has not hung up: it waits for answers.
 */
#include "varlink/server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <holt/group.h>
#include <holt/io.h>
#include <holt/log.h>
#include <holt/run.h>
#include <holt/task.h>

#include "base/options.h"
#include "task/task.h"
#include "varlink/idl.h"

/* Of a size of its own, so that calls do not leave deep stacks in the pool from which clients get theirs. */
enum { CALL_STACK = 72 * 1024 };

void holt__varlink_hang_up(struct holt__varlink_conn *c, const char *why)
{
	if (c->over)
		return;
	c->over = true;
	if (c->known)
		holt_log(LOG_DEBUG, "varlink: hung up on pid %d of user %u: %s", (int)c->peer.pid, (unsigned)c->peer.uid, why);
	else
		holt_log(LOG_DEBUG, "varlink: hung up on a client: %s", why);
}

/* ---- one call */

/* Until the call has ended, or its client is gone. */
static void watch(holt_varlink_request *q, holt_task *call)
{
	int r;

	if (holt_task_done(call) || q->oneway || q->finish)
		return;
	holt_scope_begin(&q->watch, HOLT_NEVER, 0);
	q->watched = true;
	r = holt_wait_fd(q->conn->wire.fd, 0);
	q->watched = false;
	holt_scope_end(&q->watch, r);
	if (r > 0) {
		holt__varlink_hang_up(q->conn, "it gave up a call");
		holt_task_cancel(call, "the client has hung up");
	}
}

static __attribute__((noinline)) void answer(struct holt__varlink_conn *c)
{
	size_t size = holt__here->stacks.size <= CALL_STACK ? CALL_STACK : 0;
	holt_varlink_request q = { .conn = c };
	holt_auto(task) call = NULL;
	holt_group *g;
	int r;

	r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r == 0) {
		r = holt_spawn(g, holt__varlink_answer, &q, .name = "call", .task = &call, .stack_size = size);
		if (r == 0 && holt_yield() == 0)
			watch(&q, call);
		holt_group_close(g, 0); /* the call sees each cancellation itself */
	}
	if (r < 0)
		holt__varlink_hang_up(c, "no memory for its call");
}

/* ---- one client */

/* Of what is not a unix socket, Linux says that it is nobody's. */
static void find_peer(struct holt__varlink_conn *c)
{
	struct ucred u;
	socklen_t n = sizeof u;

	c->known = holt__sys->getsockopt(c->wire.fd, SOL_SOCKET, SO_PEERCRED, &u, &n) == 0 && u.uid != (uid_t)-1;
	if (c->known)
		c->peer = (struct holt_varlink_peer){ .uid = u.uid, .gid = u.gid, .pid = u.pid };
}

static int open_account(struct holt__varlink_conn *c, bool counted)
{
	c->wire.account = (struct holt__varlink_account){ .quota = &c->server->quota };
	if (!counted || !c->known || c->peer.uid == 0 || c->peer.uid == geteuid())
		return 0;
	return holt__varlink_join(&c->wire.account, &c->server->quota, c->peer.uid);
}

static int ended(struct holt__varlink_conn *c, ssize_t r, bool begun)
{
	switch (r) {
	case 0:
		if (begun)
			holt__varlink_hang_up(c, "it ended inside a message");
		return 0;
	case -ECANCELED:
		return -ECANCELED;
	case -ESHUTDOWN:
		return 0;
	case -ETIME:
		holt__varlink_hang_up(c, begun ? "its message takes too long" : "it was idle");
		return 0;
	case -ENOBUFS:
		holt__varlink_hang_up(c, "its message needs too much memory");
		return 0;
	case -EMSGSIZE:
		holt__varlink_hang_up(c, "its message is too long");
		return 0;
	default:
		holt__varlink_hang_up(c, "it cannot be read from");
		return 0;
	}
}

/* 1: there is one; 0: there will be none. */
static int next_message(struct holt__varlink_conn *c)
{
	const struct holt_varlink_service *s = &c->server->s;
	bool begun = holt__varlink_wire_begun(&c->wire);
	holt_time until = holt_in(begun ? s->message_timeout : s->idle_timeout);
	struct holt_scope waiting;
	const char *text;
	size_t length;
	ssize_t n;
	int r;

	while ((r = holt__varlink_wire_message(&c->wire, &text, &length)) == 0) {
		holt_scope_begin(&waiting, until, HOLT_ON_STOP);
		n = holt_scope_end(&waiting, holt__varlink_wire_fill(&c->wire));
		if (n <= 0)
			return ended(c, n, begun);
		if (!begun)
			until = holt_in(s->message_timeout);
		begun = true;
	}
	if (r < 0)
		return ended(c, r, begun);
	if (holt_check() < 0)
		return -ECANCELED;
	return !holt_stopping();
}

static int converse(struct holt__varlink_server *v, int fd, bool counted)
{
	struct holt__varlink_conn c;
	int r;

	c.server = v;
	c.over = false;
	holt__varlink_wire_init(&c.wire, fd, v->s.message_max);
	find_peer(&c);
	r = open_account(&c, counted);
	if (r < 0) {
		holt__varlink_hang_up(&c, r == -EUSERS ? "too many connections" : "no memory for its connection");
		return 0;
	}
	do {
		r = next_message(&c);
		if (r > 0)
			answer(&c);
	} while (r > 0 && !c.over);
	holt__varlink_wire_free(&c.wire);
	holt__varlink_leave(&c.wire.account);
	return r < 0 ? r : 0;
}

struct client {
	struct holt__varlink_server *server;
	int fd;
};

static int serve_client(void *arg)
{
	const struct client *k = arg;
	holt_auto(fd) fd = k->fd;

	return converse(k->server, fd, true);
}

/* ---- the service */

static int accept_all(struct holt__varlink_server *v, int listen_fd, holt_group *clients)
{
	struct holt_scope accepting;
	int r;

	holt_scope_begin(&accepting, HOLT_NEVER, HOLT_ON_STOP);
	for (;;) {
		struct client k = { .server = v };

		k.fd = r = holt_accept(listen_fd, NULL, NULL);
		if (r < 0)
			break;
		r = holt_spawn(clients, serve_client, &k, .name = "client", .copy = sizeof k);
		if (r == 0)
			continue;
		holt_close(k.fd);
		if (r != -ENOMEM)
			break;
		holt_log(LOG_DEBUG, "varlink: hung up on a client: no memory for its connection");
	}
	return (int)holt_scope_end(&accepting, r);
}

static int is_misuse(const char *what, const char *name)
{
	holt_log(LOG_DEBUG, "varlink: %s: %s", what, name);
	return -EINVAL;
}

static int check_interface(const struct holt__varlink_server *v, size_t i)
{
	const struct holt_varlink_interface *f = &v->s.interfaces[i];
	const char *name;
	unsigned line;
	size_t n;

	if (!f->idl)
		return is_misuse("an interface without a description", "");
	if (holt__varlink_idl_check(f->idl, &line) < 0) {
		holt_log(LOG_DEBUG, "varlink: line %u of a description is wrong: %s", line, f->idl);
		return -EINVAL;
	}
	name = holt__varlink_idl_name(f->idl, &n);
	if (holt__varlink_interface(v, name, n) != f)
		return is_misuse("two interfaces of one name", f->idl);
	for (size_t m = 0; m < f->n_methods; m++) {
		if (!f->methods[m].name || !f->methods[m].fn || !holt__varlink_idl_has(f->idl, f->methods[m].name))
			return is_misuse("a method without a description", f->methods[m].name ? f->methods[m].name : "");
		for (size_t k = 0; k < m; k++)
			if (strcmp(f->methods[k].name, f->methods[m].name) == 0)
				return is_misuse("a method twice", f->methods[m].name);
	}
	return 0;
}

static void fill_in(struct holt_varlink_service *s)
{
	s->name = s->name ? s->name : "varlink";
	s->connections = s->connections ? s->connections : 256;
	s->message_max = s->message_max ? s->message_max : 1 << 20;
	s->depth_max = s->depth_max ? s->depth_max : HOLT__VARLINK_DEPTH;
	s->memory_max = s->memory_max ? s->memory_max : 16 << 20;
	s->message_timeout = s->message_timeout ? s->message_timeout : 30 * HOLT_SEC;
	s->reply_timeout = s->reply_timeout ? s->reply_timeout : 30 * HOLT_SEC;
	s->idle_timeout = s->idle_timeout ? s->idle_timeout : HOLT_NEVER;
}

int holt__varlink_server_init(struct holt__varlink_server *v, const struct holt_varlink_service *options)
{
	struct holt_varlink_service *s = &v->s;
	int r;

	if (!options)
		return -EINVAL;
	memset(v, 0, sizeof *v);
	r = holt__options(s, sizeof *s, options);
	if (r < 0)
		return r;
	fill_in(s);
	if (s->message_max > SIZE_MAX / 8 || !holt__varlink_depth_is_fine(s->depth_max) ||
		(s->n_interfaces > 0 && !s->interfaces))
		return -EINVAL;
	v->quota.connections_max = s->connections;
	v->quota.memory_max = s->memory_max;
	for (size_t i = 0; i < s->n_interfaces; i++)
		if (!s->interfaces[i].idl || (s->interfaces[i].n_methods > 0 && !s->interfaces[i].methods))
			return is_misuse("an interface without a description, or without methods", "");
	for (size_t i = 0; i < s->n_interfaces; i++) {
		r = check_interface(v, i);
		if (r < 0)
			return r;
	}
	return holt__json_load();
}

int holt_varlink_serve(int listen_fd, const struct holt_varlink_service *s)
{
	struct holt__varlink_server v;
	holt_group *clients = NULL;
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r == 0)
		r = holt__varlink_server_init(&v, s);
	if (r == 0)
		r = holt_group_open(&clients, .name = v.s.name, .kind = HOLT_EACH, .limit = v.s.connections, .grace = v.s.grace);
	if (r < 0)
		return r;
	r = accept_all(&v, listen_fd, clients);
	return holt_group_close(clients, r == -ESHUTDOWN ? 0 : r);
}

int holt_varlink_serve_one(int fd, const struct holt_varlink_service *s)
{
	struct holt__varlink_server v;
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r == 0)
		r = holt__varlink_server_init(&v, s);
	return r == 0 ? converse(&v, fd, false) : r;
}
