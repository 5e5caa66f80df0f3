/* SPDX-License-Identifier: MIT */
/*
 * holt/varlink.h - serve and call Varlink interfaces (varlink.org) on tasks
 *
 * Varlink is remote procedure calls for the local machine: each message is one JSON object, ended by a
 * NUL byte, on a stream socket; a service describes itself (org.varlink.service), so that tools such
 * as varlinkctl(1) can ask it what it offers. A service here is a table of functions:
 *
 *	static int add(void *arg, holt_varlink_request *q, struct json_t *in)
 *	{
 *		json_int_t a, b;
 *
 *		if (json_unpack(in, "{s:I, s:I}", "a", &a, "b", &b) < 0)
 *			return holt_varlink_invalid(q, "a");
 *		return holt_varlink_reply(q, json_pack("{s:I}", "sum", a + b));
 *	}
 *
 *	static const struct holt_varlink_method methods[] = { { .name = "Add", .fn = add } };
 *	static const struct holt_varlink_interface interfaces[] = {
 *		{ .idl = "interface com.example.Sum\n"
 *			 "method Add(a: int, b: int) -> (sum: int)\n",
 *		  .methods = methods, .n_methods = 1 },
 *	};
 *	static const struct holt_varlink_service service = {
 *		.size = sizeof service, .product = "sum", .version = "1",
 *		.interfaces = interfaces, .n_interfaces = 1,
 *	};
 *
 *	lfd = holt_listen("unix:/run/sum", .mode = 0600);
 *	r = holt_varlink_serve(lfd, &service);
 *
 * and a client
 *
 *	holt_auto(varlink) v = NULL;
 *
 *	r = holt_varlink_open(&v, "unix:/run/sum");
 *	if (r == 0)
 *		r = holt_varlink_call(v, "com.example.Sum.Add", json_pack("{s:i, s:i}", "a", 1, "b", 2), &out);
 *	if (r == -EREMOTEIO)
 *		holt_log(LOG_ERR, "the service said %s", holt_varlink_error_name(v));
 *
 * JSON is jansson's: values are its json_t, so whoever uses this header includes <jansson.h> and links
 * to jansson. The library itself does not: it loads libjansson.so.4 when a service or client is first
 * opened, and says -ELIBACC when there is none. That blocks the thread for the time of a dlopen(3).
 *
 * WHO OWNS A VALUE. Parameters that are handed to a function here are taken, whatever it returns. NULL
 * is -ENOMEM (where not said otherwise), so that what json_pack() and its like return can be handed over
 * as it is; what has no parameters gives json_object(). A method's parameters are borrowed for the call.
 *
 * ORDER. The calls of one connection are answered in their order, one after the other: the next one is
 * not read before a call has ended. Each runs in a task of its own, so methods are ordinary tasks: they
 * may suspend and open groups. One that the caller gives up (it hung up) is canceled, unless it is oneway
 * or flagged HOLT_VARLINK_FINISH.
 *
 * A STOP of what is around holt_varlink_serve() ends the accept loop and idle connections at once. Calls
 * in flight may finish, for the grace; one that waits for long (a subscription) waits in a HOLT_ON_STOP
 * scope. After that it is canceled.
 *
 * HOSTILE CLIENTS cost bounded memory, and nothing else. There are limits of the bytes, the nesting and the
 * memory of a message, of the time until a message is whole and until a reply is taken, of connections and
 * of memory in all and for each user; nothing is read that nobody waits for. What is no message (not JSON, a
 * repeated key, not UTF-8, a NUL character in a string, no method) closes its connection, with a line in the
 * log at debug level; the others go on. A half-closed client still gets its answers.
 *
 * NOT IN THIS VERSION: "upgrade" calls (answered by MethodNotImplemented), descriptors beside messages,
 * checking parameters against the interface's description, addresses other than holt_dial()'s.
 *
 * All of one connection is used on one loop.
 */
#ifndef HOLT_VARLINK_H
#define HOLT_VARLINK_H

#include <stdbool.h>

#include <holt/base.h>

struct json_t; /* of <jansson.h>, where it is also called json_t */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct holt_varlink holt_varlink;                 /* a client's connection */
typedef struct holt_varlink_request holt_varlink_request; /* a call, as its method sees it */

HOLT__AUTO(varlink, holt_varlink *) /* closes the connection */

/* The errors that every service may answer, with their parameters. */
#define HOLT_VARLINK_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"       /* interface: string */
#define HOLT_VARLINK_METHOD_NOT_FOUND "org.varlink.service.MethodNotFound"             /* method: string */
#define HOLT_VARLINK_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented" /* method: string */
#define HOLT_VARLINK_INVALID_PARAMETER "org.varlink.service.InvalidParameter"          /* parameter: string */
#define HOLT_VARLINK_PERMISSION_DENIED "org.varlink.service.PermissionDenied"
#define HOLT_VARLINK_EXPECTED_MORE "org.varlink.service.ExpectedMore"
#define HOLT_VARLINK_SYSTEM "io.holt.System" /* errno: int, message: ?string; a method returned -errno */

/* ---- services */

/**
 * HOLT_VARLINK_MORE - the method must be called with "more", else the caller gets ExpectedMore
 * HOLT_VARLINK_FINISH - goes on when its caller has hung up; else it is canceled then
 * HOLT_VARLINK_READS - it changes nothing. Means something only to .allow
 */
enum { HOLT_VARLINK_MORE = 1, HOLT_VARLINK_FINISH = 2, HOLT_VARLINK_READS = 4 };

/**
 * typedef holt_varlink_fn - a method
 * @arg: .arg of the interface
 * @q: the call, valid until the function returns
 * @params: its parameters: an object always, borrowed; empty when the caller gave none
 *
 * Runs as a task. It answers by holt_varlink_reply() or holt_varlink_error(), at most once, before that
 * perhaps by holt_varlink_reply_more(), and returns. What is answered for it when it did not answer itself:
 *
 *	-errno                  HOLT_VARLINK_SYSTEM with that number (positive); -ECANCELED of a task that was
 *	                        canceled: nothing, the connection is closed
 *	0 or more               HOLT_VARLINK_SYSTEM with EPROTO, and a warning in the log: it is a mistake
 *
 * What it returns after it has answered means nothing: return holt_varlink_reply(...) is fine.
 */
typedef int (*holt_varlink_fn)(void *arg, holt_varlink_request *q, struct json_t *params);

/**
 * struct holt_varlink_method - one method of an interface
 * @name: as in the interface's description: "Stop"
 * @fn: what runs
 * @flags: 0, or HOLT_VARLINK_MORE, HOLT_VARLINK_FINISH, HOLT_VARLINK_READS
 *
 * Its task has the loop's default stack, at least 64 KiB, of which the library itself needs up to 32 KiB: in
 * @fn, where it answers. One that needs more spawns a task of its own.
 */
struct holt_varlink_method {
	const char *name;
	holt_varlink_fn fn;
	unsigned flags;
};

/**
 * struct holt_varlink_interface - an interface of a service
 * @idl: its description in Varlink's language, which GetInterfaceDescription gives; its name is the one
 *	behind "interface". A method that is described there and not in @methods: MethodNotImplemented
 * @methods: each must be described in @idl
 * @n_methods: how many
 * @arg: handed to its methods
 */
struct holt_varlink_interface {
	const char *idl;
	const struct holt_varlink_method *methods;
	size_t n_methods;
	void *arg;
};

/**
 * struct holt_varlink_service - a service, and what it takes of its clients
 * @size: sizeof(struct holt_varlink_service)
 * @vendor: said by GetInfo, with @product, @version and @url; NULL: ""
 * @product: see @vendor
 * @version: see @vendor
 * @url: see @vendor
 * @interfaces: those it offers, beside org.varlink.service and io.holt (which describes
 *	HOLT_VARLINK_SYSTEM): these two are answered by the library
 * @n_interfaces: how many
 * @allow: asked before a method of @interfaces runs, in the call's task; 0: yes; -EACCES and -EPERM: the
 *	caller gets PermissionDenied; another -errno: HOLT_VARLINK_SYSTEM with it. It may answer an error
 *	itself, and return negative. NULL: all is allowed
 * @allow_arg: handed to @allow
 * @name: of the group of connections, for paths; NULL: "varlink"
 * @grace: of that group (see <holt/group.h>); 0: what is left of the parent's
 * @connections: how many at once; more wait in the listener's backlog; 0: 256. Of a unix socket, a user
 *	other than root and ourselves may have a quarter of them, at least one, and all these users together
 *	seven eighths: what is more is closed at once
 * @message_max: bytes of a message that comes in; 0: 1 MiB. It is parsed in one go, some 50 ms for a megabyte, in
 *	which the loop stands still: a daemon whose requests are short says less
 * @depth_max: how deep objects and arrays of a message may nest, in both directions, the message itself and
 *	its parameters counted; 0: 32; 2 to 64
 * @memory_max: what all messages in work may take together, in bytes, by a careful estimate: their text
 *	until it has been parsed, then their values until the call has ended, and the text of replies until
 *	it has been taken; 0: 16 MiB. A user has a quarter of it, as above. Who would need more is closed;
 *	but a reply of any size is sent as long as the limit was not reached before it
 * @message_timeout: span from a message's first byte until it is whole, else the connection is closed; 0:
 *	30 s; HOLT_NEVER: none
 * @reply_timeout: span until the client has taken one reply, else the connection is closed; 0: 30 s;
 *	HOLT_NEVER: none
 * @idle_timeout: span without any call until a connection is closed; 0 and HOLT_NEVER: none
 *
 * The struct and all it points to are borrowed for the length of the call.
 */
struct holt_varlink_service {
	size_t size;
	const char *vendor, *product, *version, *url;
	const struct holt_varlink_interface *interfaces;
	size_t n_interfaces;
	int (*allow)(void *arg, holt_varlink_request *q, const struct holt_varlink_method *m);
	void *allow_arg;
	const char *name;
	holt_time grace;
	size_t connections, message_max, depth_max, memory_max;
	holt_time message_timeout, reply_timeout, idle_timeout;
};

/**
 * holt_varlink_serve() - serve all who connect to a listening socket
 * @listen_fd: the listener, of holt_listen() for example; stays the caller's, and open
 * @s: the service
 *
 * Takes connections, each into a task in a group of its own, until it is stopped or canceled; an idle
 * connection costs that task, with one page of stack, and little else.
 *
 * Suspends. Returns 0 after a stop; or:
 * -EINVAL: a method that its interface's description does not have, one twice, a description without a
 *	name, or two interfaces of one name; the log says which at debug level. Or a limit is out of range.
 * -E2BIG: options that this library does not know.
 * -ELIBACC, -ELIBBAD: libjansson.so.4 cannot be loaded; it is too old.
 * -ENOMEM: no memory to begin.
 * -ECANCELED, -EPERM: as always.
 * -errno of holt_accept(), when the listener itself is of no use.
 */
HOLT_EXPORT int holt_varlink_serve(int listen_fd, const struct holt_varlink_service *s);

/**
 * holt_varlink_serve_one() - serve one client, on a socket that is connected already
 * @fd: the socket: of socketpair(2), or inherited by socket activation with Accept=yes; stays the
 *	caller's, and open
 * @s: the service; its .name, .grace and .connections mean nothing here
 *
 * Suspends. Returns 0 when the client has hung up, was hung up on for what it sent, or after a stop; or
 * the errors of holt_varlink_serve().
 */
HOLT_EXPORT int holt_varlink_serve_one(int fd, const struct holt_varlink_service *s);

/**
 * holt_varlink_reply() - answer a call
 * @q: the call
 * @params: the reply's parameters, an object; taken
 *
 * The last, and mostly the only one of a call. The reply to a oneway call is dropped, with 0.
 *
 * Suspends, until the socket has taken the reply. Returns 0, or:
 * -ENOMEM: no memory, or @params is NULL: nothing was sent, and the call still needs an answer.
 * -EINVAL: @params is no object, or nests deeper than .depth_max; the same.
 * -EALREADY: it has been answered.
 * -EBUSY: another task is just answering it.
 * -EPIPE: the client has hung up, or was hung up on.
 * -ETIME: it did not take the reply within .reply_timeout, and is hung up on.
 * -ENOBUFS: .memory_max had been used up, by clients that do not read: this one is hung up on.
 * -ECANCELED: the caller is canceled; what had been sent in part closes the connection.
 * -EPERM: outside tasks.
 */
HOLT_EXPORT int holt_varlink_reply(holt_varlink_request *q, struct json_t *params);

/**
 * holt_varlink_reply_more() - answer a call, with more answers to follow ("continues")
 * @q: the call, whose caller said "more"
 * @params: as for holt_varlink_reply()
 *
 * Suspends, as holt_varlink_reply(), so that a slow reader slows us down and needs no memory. Returns as
 * that does, and -EINVAL also when the caller did not say "more".
 */
HOLT_EXPORT int holt_varlink_reply_more(holt_varlink_request *q, struct json_t *params);

/**
 * holt_varlink_error() - answer a call by an error
 * @q: the call
 * @name: of the error: "com.example.Sum.Overflow"
 * @params: its parameters, an object; taken; NULL: none
 *
 * Suspends, and returns, as holt_varlink_reply(). -EINVAL also: @name is NULL, or no name.
 */
HOLT_EXPORT int holt_varlink_error(holt_varlink_request *q, const char *name, struct json_t *params);

/**
 * holt_varlink_invalid() - answer a call by HOLT_VARLINK_INVALID_PARAMETER
 * @q: the call
 * @parameter: which one is wrong or missing; NULL: not said
 *
 * Suspends, and returns, as holt_varlink_error().
 */
HOLT_EXPORT int holt_varlink_invalid(holt_varlink_request *q, const char *parameter);

/**
 * holt_varlink_method_name() - what was called, in full: "com.example.Sum.Add"
 * @q: the call
 *
 * Does not suspend. Returns a string that lives as long as the call.
 */
HOLT_EXPORT const char *holt_varlink_method_name(const holt_varlink_request *q);

/**
 * holt_varlink_wants_more() - did the caller say "more": does it take several replies
 * @q: the call
 *
 * Does not suspend.
 */
HOLT_EXPORT bool holt_varlink_wants_more(const holt_varlink_request *q);

/**
 * holt_varlink_is_oneway() - did the caller say "oneway": does it take no reply
 * @q: the call
 *
 * Does not suspend.
 */
HOLT_EXPORT bool holt_varlink_is_oneway(const holt_varlink_request *q);

/**
 * struct holt_varlink_peer - who has connected, as the kernel saw it at that moment
 * @uid: the effective user
 * @gid: the effective group
 * @pid: the process, which may have ended since; 0: of another pid namespace
 */
struct holt_varlink_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/**
 * holt_varlink_peer() - who calls
 * @q: the call
 * @ret: where to put it
 *
 * Does not suspend. Returns 0, or -ENODATA: not a unix socket, so nobody knows.
 *
 * From unix(7), SO_PEERCRED.
 */
HOLT_EXPORT int holt_varlink_peer(const holt_varlink_request *q, struct holt_varlink_peer *ret);

/**
 * holt_varlink_peer_in_group() - was a group among those of the process that connected
 * @q: the call
 * @gid: the group
 *
 * Its effective or one of its supplementary groups, at the moment at which it connected.
 *
 * Does not suspend. Returns 1: yes; 0: no; or:
 * -ENODATA: not a unix socket.
 * -ENOMEM: no memory for the list.
 * -errno of getsockopt(2) with SO_PEERGROUPS.
 */
HOLT_EXPORT int holt_varlink_peer_in_group(const holt_varlink_request *q, gid_t gid);

/* ---- clients */

/**
 * struct holt_varlink_options - options of holt_varlink_open()
 * @size: set by the macro
 * @message_max: bytes of a message that comes in; 0: 16 MiB
 * @depth_max: as in struct holt_varlink_service; 0: 32; 2 to 64
 * @memory_max: what one message's values may take, in bytes, by a careful estimate; 0: 8 × @message_max
 */
struct holt_varlink_options {
	size_t size;
	size_t message_max, depth_max, memory_max;
};

/**
 * holt_varlink_open(), holt_varlink_open_with() - connect to a service
 * @ret: the connection, which the caller closes; see holt_auto(varlink)
 * @address: as for holt_dial(): "unix:/run/x", "unix:@abstract", "tcp:127.0.0.1:12345"; what follows a
 *	semicolon, as Varlink's addresses may have it ("unix:/run/x;mode=0600"), counts for nothing
 * @o: options, or NULL; the macro takes them by name
 *
 * There is no time-out but a scope's (see holt_timeout()), here and in the calls below. Those need up to
 * 32 KiB of the caller's stack.
 *
 * Suspends. Returns 0, or:
 * -EINVAL: not an address, or a limit is out of range.
 * -E2BIG: options that this library does not know.
 * -ELIBACC, -ELIBBAD: libjansson.so.4 cannot be loaded; it is too old.
 * -ENOMEM: no memory.
 * -errno of holt_dial(); -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT int holt_varlink_open_with(holt_varlink **ret, const char *address, const struct holt_varlink_options *o);
#ifndef __cplusplus
#define holt_varlink_open(ret, address, ...) \
	holt_varlink_open_with( \
		ret, address, &(struct holt_varlink_options){ .size = sizeof(struct holt_varlink_options), __VA_ARGS__ })
#endif

/**
 * holt_varlink_open_fd(), holt_varlink_open_fd_with() - a client on a socket that is connected already
 * @ret: the connection, which the caller closes
 * @fd: the socket; taken on success, and closed with the connection
 * @o: options, or NULL; the macro takes them by name
 *
 * Does not suspend. Allowed outside tasks. Returns as holt_varlink_open(), without what is holt_dial()'s;
 * and -EBADF when @fd is none.
 */
HOLT_EXPORT int holt_varlink_open_fd_with(holt_varlink **ret, int fd, const struct holt_varlink_options *o);
#ifndef __cplusplus
#define holt_varlink_open_fd(ret, fd, ...) \
	holt_varlink_open_fd_with( \
		ret, fd, &(struct holt_varlink_options){ .size = sizeof(struct holt_varlink_options), __VA_ARGS__ })
#endif

/**
 * holt_varlink_close() - hang up
 * @v: the connection; NULL does nothing
 *
 * A call in flight is given up; a task that waits in it gets -EPIPE. Does not suspend. Allowed outside tasks. Returns NULL.
 */
HOLT_EXPORT holt_varlink *holt_varlink_close(holt_varlink *v);

/**
 * holt_varlink_call() - call a method, and wait for its reply
 * @v: the connection; one call at a time
 * @method: in full: "com.example.Sum.Add"
 * @params: an object, taken; json_object() for none
 * @ret: the reply's parameters, an object always, which the caller drops by json_decref(); may be NULL
 *
 * Canceled (or past a deadline) while it waits for the reply, the call is still in flight:
 * holt_varlink_next() gives the reply, and another call says -EBUSY until that was taken.
 *
 * Suspends. Returns 0, or:
 * -EREMOTEIO: an error was answered; see holt_varlink_error_name(). The connection goes on.
 * -EBUSY: a call of this connection is in flight.
 * -ENOMEM: no memory, or @params is NULL. If the call was not sent, the connection goes on; else it is of no
 *	more use.
 * -EINVAL: @method is no name, or @params is no object, or nests too deep; nothing was sent.
 * -EPIPE: the service has hung up, or the connection is of no more use since an error before.
 * -EBADMSG: what came is no reply (without memory, jansson says so of some that are one); -EMSGSIZE: it is
 *	over a limit. The connection is of no more use.
 * -ECANCELED: see above; where it had been sent in part, the connection is of no more use.
 * -EPERM: outside tasks.
 */
HOLT_EXPORT int holt_varlink_call(holt_varlink *v, const char *method, struct json_t *params, struct json_t **ret);

/**
 * holt_varlink_call_more() - call a method that gives several replies
 * @v: the connection; one call at a time
 * @method: in full
 * @params: an object, taken; json_object() for none
 *
 * Sends the call; its replies are for holt_varlink_next(). To end it before the service does, close the
 * connection.
 *
 * Suspends. Returns 0, or as holt_varlink_call() what may come before the reply.
 */
HOLT_EXPORT int holt_varlink_call_more(holt_varlink *v, const char *method, struct json_t *params);

/**
 * holt_varlink_next() - the next reply to a call
 * @v: the connection
 * @ret: the reply's parameters, an object always, which the caller drops by json_decref(); may be NULL
 *
 * Canceled, it has taken nothing: the next call of it gives what came meanwhile.
 *
 * Suspends. Returns 1: a reply; 0: none is left, the one before was the last; or, the call then being at
 * its end except with -ECANCELED:
 * -EREMOTEIO: an error was answered; see holt_varlink_error_name(). The connection goes on.
 * -ENOMEM, -EPIPE, -EBADMSG, -EMSGSIZE: as holt_varlink_call(); the connection is of no more use.
 * -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT int holt_varlink_next(holt_varlink *v, struct json_t **ret);

/**
 * holt_varlink_oneway() - call a method without wanting to know what comes of it
 * @v: the connection; one call at a time
 * @method: in full
 * @params: an object, taken; json_object() for none
 *
 * Suspends, until the socket has taken the call. Returns 0, or as holt_varlink_call() what may come
 * before the reply.
 */
HOLT_EXPORT int holt_varlink_oneway(holt_varlink *v, const char *method, struct json_t *params);

/**
 * holt_varlink_error_name() - the error that was answered last
 * @v: the connection
 *
 * Does not suspend. Returns its name, valid until the next call on @v; NULL: the last call was not
 * answered by an error.
 */
HOLT_EXPORT const char *holt_varlink_error_name(const holt_varlink *v);

/**
 * holt_varlink_error_params() - the parameters of the error that was answered last
 * @v: the connection
 *
 * Does not suspend. Returns an object, borrowed until the next call on @v; NULL as
 * holt_varlink_error_name(), and when the error came without parameters.
 */
HOLT_EXPORT struct json_t *holt_varlink_error_params(const holt_varlink *v);

/**
 * holt_varlink_error_number() - the error that was answered last, as -errno
 * @v: the connection
 *
 * HOLT_VARLINK_SYSTEM, and io.systemd.System, tell a number: that. Of the others of the list above:
 * -EOPNOTSUPP (not found, not implemented), -EINVAL (InvalidParameter), -EACCES, -EBADE (ExpectedMore). All
 * else, and a number that is none: -EREMOTEIO.
 *
 * Does not suspend. Returns that, or 0 where holt_varlink_error_name() is NULL.
 */
HOLT_EXPORT int holt_varlink_error_number(const holt_varlink *v);

#ifdef __cplusplus
}
#endif
#endif
