/* SPDX-License-Identifier: MIT */
/*
 * The records of a service. One server for each holt_varlink_serve(), one connection in each client's task, one request
 * in the connection's frame for each call: all three on stacks, since nothing of them outlives its frame.
 */
#pragma once
#include <holt/scope.h>
#include <holt/varlink.h>

#include "varlink/json.h"
#include "varlink/wire.h"

struct holt__varlink_server {
	struct holt_varlink_service s; /* with all defaults filled in */
	struct holt__varlink_quota quota;
};

struct holt__varlink_conn {
	struct holt__varlink_server *server;
	bool known; /* whose it is */
	bool over;  /* nothing more is read or written: hung up on, or gone */
	struct holt_varlink_peer peer;
	struct holt__varlink_wire wire;
};

/* What a client has asked for, until it was answered. */
struct holt_varlink_request {
	struct holt__varlink_conn *conn;
	json_t *message;    /* NULL: not parsed yet */
	const char *method; /* inside the message */
	bool more, oneway, finish;
	bool answered, answering;
	bool watched; /* the connection's task waits in `watch` for the client to hang up */
	struct holt_scope watch;
};

/* Checks and fills in. -EINVAL, -E2BIG, -ELIBACC, -ELIBBAD */
int holt__varlink_server_init(struct holt__varlink_server *v, const struct holt_varlink_service *s);

/* The end of a connection that is not the client's wish, and why: for the log at debug. Once. */
void holt__varlink_hang_up(struct holt__varlink_conn *c, const char *why);

/* The call's task: parses the message that is there, runs its method, sees that it is answered. Returns 0. */
int holt__varlink_answer(void *request);

/* The interface of n bytes of a name; NULL: it is not offered. */
const struct holt_varlink_interface *holt__varlink_interface(const struct holt__varlink_server *v, const char *name, size_t n);

/* The two interfaces that every service has. */
enum { HOLT__VARLINK_BUILTIN = 2 };
extern const struct holt_varlink_interface holt__varlink_builtin[HOLT__VARLINK_BUILTIN];
