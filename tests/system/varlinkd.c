/* SPDX-License-Identifier: MIT */
/*
 * varlinkd - a Varlink service and a client, for trying ours against others'
 *
 *	varlinkd serve ADDRESS
 *	varlinkd call ADDRESS METHOD PARAMETERS     prints the reply, or "error NAME NUMBER"; ends with 1 for an error
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <holt.h>
#include <holt/varlink.h>

static int add(void *arg, holt_varlink_request *q, json_t *params)
{
	json_int_t a, b;

	(void)arg;
	if (json_unpack(params, "{s:I, s:I}", "a", &a, "b", &b) < 0)
		return holt_varlink_invalid(q, "a");
	return holt_varlink_reply(q, json_pack("{s:I}", "sum", a + b));
}

static int count(void *arg, holt_varlink_request *q, json_t *params)
{
	json_int_t to = json_integer_value(json_object_get(params, "to"));
	int r = 0;

	(void)arg;
	for (json_int_t i = 1; i < to && r == 0; i++)
		r = holt_varlink_reply_more(q, json_pack("{s:I}", "n", i));
	return r < 0 ? r : holt_varlink_reply(q, json_pack("{s:I}", "n", to));
}

static int fail(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	(void)q;
	(void)params;
	return -ENOENT;
}

static int overflow(void *arg, holt_varlink_request *q, json_t *params)
{
	(void)arg;
	(void)params;
	return holt_varlink_error(q, "com.example.Sum.Overflow", json_pack("{s:i}", "by", 7));
}

static int big(void *arg, holt_varlink_request *q, json_t *params)
{
	char *text = calloc(1, 1000001);
	json_t *reply;

	(void)arg;
	(void)params;
	reply = json_pack("{s:s}", "text", memset(text, 'x', 1000000));
	free(text);
	return holt_varlink_reply(q, reply);
}

static const struct holt_varlink_method methods[] = {
	{ .name = "Add", .fn = add },
	{ .name = "Count", .fn = count, .flags = HOLT_VARLINK_MORE },
	{ .name = "Fail", .fn = fail },
	{ .name = "Overflow", .fn = overflow },
	{ .name = "Big", .fn = big },
};

static const struct holt_varlink_interface interfaces[] = {
	{
		.idl = "# Sums, and what may become of them.\n"
		       "interface com.example.Sum\n"
		       "\n"
		       "type Pair (a: int, b: ?[]string, c: [string]int, d: (x: float, y: bool), e: (one, two))\n"
		       "\n"
		       "method Add(a: int, b: int) -> (sum: int)\n"
		       "method Count(to: int) -> (n: int)\n"
		       "method Fail() -> ()\n"
		       "method Overflow(pair: ?Pair) -> ()\n"
		       "method Big() -> (text: string)\n"
		       "method Missing() -> ()\n"
		       "\n"
		       "error Overflow (by: int)\n",
		.methods = methods,
		.n_methods = sizeof methods / sizeof *methods,
	},
};

static int serve(void *arg)
{
	static const struct holt_varlink_service service = {
		.size = sizeof service,
		.vendor = "Example",
		.product = "sum",
		.version = "1.0",
		.url = "https://example.com",
		.interfaces = interfaces,
		.n_interfaces = 1,
	};
	holt_auto(fd) fd = holt_listen(arg, .mode = 0600);

	if (fd < 0)
		return fd;
	holt_service_ready("serving");
	return holt_varlink_serve(fd, &service);
}

static int call(void *arg)
{
	char **argv = arg;
	holt_auto(varlink) v = NULL;
	json_t *reply;
	int r;

	r = holt_varlink_open(&v, argv[0]);
	if (r == 0)
		r = holt_varlink_call(v, argv[1], json_loads(argv[2], 0, NULL), &reply);
	if (r == 0) {
		json_dumpf(reply, stdout, JSON_COMPACT);
		json_decref(reply);
	} else if (r == -EREMOTEIO) {
		printf("error %s %d", holt_varlink_error_name(v), holt_varlink_error_number(v));
	}
	putchar('\n');
	return r;
}

int main(int argc, char **argv)
{
	const struct holt_service s = { .size = sizeof s, .name = "varlinkd", .grace = HOLT_SEC };

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return holt_service_run(&s, serve, argv[2]) < 0;
	if (argc == 5 && strcmp(argv[1], "call") == 0)
		return holt_run(call, argv + 2) < 0;
	return 2;
}
