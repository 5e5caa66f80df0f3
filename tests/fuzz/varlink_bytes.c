/* SPDX-License-Identifier: MIT */
/*
 * Any bytes, to the parts of Varlink that read what others wrote. The first byte says to which: a service, a client that
 * waits for replies, or the check of a description. Nothing may come of it but a connection that ends.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ilib -Ilib/include tests/fuzz/varlink_bytes.c \
 *		libholt.a -lsystemd -ljansson -o fuzz && ./fuzz tests/fuzz/varlink_corpus
 *
 * tests/test_varlink_client.c replays the corpus.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <holt.h>
#include <holt/varlink.h>

#include "varlink/idl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_echo(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	if (holt_varlink_wants_more(q) && holt_varlink_reply_more(q, json_incref(params)) < 0)
		return 0;
	return holt_varlink_reply(q, json_incref(params));
}

struct fuzz {
	const uint8_t *data;
	size_t size;
	int ours, theirs;
};

static int fuzz_write(void *arg)
{
	const struct fuzz *f = arg;

	holt_write_full(f->ours, f->data, f->size);
	shutdown(f->ours, SHUT_WR);
	return 0;
}

static int fuzz_read(void *arg)
{
	const struct fuzz *f = arg;
	char buf[4096];

	while (holt_read(f->ours, buf, sizeof buf) > 0)
		;
	return 0;
}

static void fuzz_service(struct fuzz *f)
{
	static const struct holt_varlink_method methods[] = { { .name = "Echo", .fn = fuzz_echo } };
	static const struct holt_varlink_interface interfaces[] = {
		{ .idl = "interface a.b\nmethod Echo() -> ()\n", .methods = methods, .n_methods = 1 },
	};
	static const struct holt_varlink_service service = {
		.size = sizeof service, .interfaces = interfaces, .n_interfaces = 1, .message_max = 2000, .memory_max = 50000
	};

	if (holt_varlink_serve_one(f->theirs, &service) != 0)
		abort();
}

static void fuzz_client(struct fuzz *f)
{
	holt_varlink *v;
	json_t *reply;

	if (holt_varlink_open_fd(&v, f->theirs, .message_max = 2000, .memory_max = 50000) != 0)
		abort();
	f->theirs = -1;
	for (int i = 0; i < 20; i++) {
		if (holt_varlink_call_more(v, "a.b.Echo", json_object()) < 0)
			break;
		while (holt_varlink_next(v, &reply) > 0)
			json_decref(reply);
		if (holt_varlink_error_number(v) > 0)
			abort();
	}
	holt_varlink_close(v);
}

static int fuzz_run(void *arg)
{
	struct fuzz *f = arg;
	bool client = *f->data++ % 3 == 1;
	holt_group *g;
	int fd[2];

	f->size--;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0 || holt_group_open(&g) < 0)
		abort();
	f->ours = fd[0];
	f->theirs = fd[1];
	if (holt_spawn(g, fuzz_write, f) < 0 || holt_spawn(g, fuzz_read, f) < 0)
		abort();
	(client ? fuzz_client : fuzz_service)(f);
	if (f->theirs >= 0)
		holt_close(f->theirs);
	holt_group_close(g, 0);
	holt_close(f->ours);
	return 0;
}

static void fuzz_idl(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *name;
	unsigned line;
	size_t n;

	memcpy(text, data, size);
	text[size] = 0;
	name = holt__varlink_idl_name(text, &n);
	if (holt__varlink_idl_check(text, &line) == 0 && !holt__varlink_is_interface(name, n))
		abort();
	holt__varlink_idl_has(text, "Echo");
	holt__varlink_is_member(text, NULL);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .data = data, .size = size };

	signal(SIGPIPE, SIG_IGN);
	if (size == 0)
		return 0;
	if (data[0] % 3 == 2)
		fuzz_idl(data + 1, size - 1);
	else if (holt_run(fuzz_run, &f) != 0)
		abort();
	return 0;
}
