/* SPDX-License-Identifier: MIT */
/*
 * Services of Varlink, as a client sees them that writes the bytes itself: what is answered, what is not, and what is
 * done to clients that do not behave.
 */
#include "varlink.h"

#define ECHO(params) "{\"method\":\"io.test.Try.Echo\",\"parameters\":" params "}"
#define SYSTEM(number, text) "{\"error\":\"io.holt.System\",\"parameters\":{\"errno\":" number ",\"message\":\"" text "\"}}"

/* ---- answers */

CLAIM(a_call_gets_its_reply)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], ECHO("{\"a\":[1,\"zwei\",null]}"));
	hear_that(r.fd[0], "{\"parameters\":{\"a\":[1,\"zwei\",null]}}");
	say(r.fd[0], ECHO("{}"));
	hear_that(r.fd[0], "{\"parameters\":{}}");
	rig_end(&r);
	nothing_was_late();
	return 0;
}

CLAIM(absent_and_null_parameters_are_an_empty_object)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Echo\"}");
	hear_that(r.fd[0], "{\"parameters\":{}}");
	say(r.fd[0], "{\"method\":\"io.test.Try.Echo\",\"parameters\":null,\"more\":null,\"oneway\":false,\"later\":[1]}");
	hear_that(r.fd[0], "{\"parameters\":{}}");
	rig_end(&r);
	return 0;
}

CLAIM(pipelined_calls_are_answered_in_order)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Wait\"}|" ECHO("{\"a\":1}") "|" ECHO("{\"a\":2}"));
	settle();
	ck_assert_int_eq(begun, 1);
	holt_event_set(&gate);
	hear_that(r.fd[0], "{\"parameters\":{\"result\":0}}");
	hear_that(r.fd[0], "{\"parameters\":{\"a\":1}}");
	hear_that(r.fd[0], "{\"parameters\":{\"a\":2}}");
	rig_end(&r);
	return 0;
}

CLAIM(a_message_may_come_byte_by_byte)
{
	static const char text[] = ECHO("{\"a\":\"\\u00e4\"}");
	struct rig r;

	rig_start(&r);
	for (size_t i = 0; i < sizeof text; i++) {
		say_bytes(r.fd[0], text + i, 1);
		settle();
	}
	hear_that(r.fd[0], "{\"parameters\":{\"a\":\"ä\"}}");
	rig_end(&r);
	return 0;
}

CLAIM(a_half_closed_client_gets_all_its_answers)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Wait\"}|" ECHO("{\"a\":1}"));
	ck_assert_int_eq(shutdown(r.fd[0], SHUT_WR), 0);
	settle();
	ck_assert_int_eq(begun, 1);
	holt_event_set(&gate);
	hear_that(r.fd[0], "{\"parameters\":{\"result\":0}}");
	hear_that(r.fd[0], "{\"parameters\":{\"a\":1}}");
	hear_the_end(r.fd[0]);
	rig_end(&r);
	return 0;
}

CLAIM(more_gives_as_many_replies_as_the_method_has)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Count\",\"parameters\":{\"to\":3},\"more\":true}");
	hear_that(r.fd[0], "{\"parameters\":{\"n\":1},\"continues\":true}");
	hear_that(r.fd[0], "{\"parameters\":{\"n\":2},\"continues\":true}");
	hear_that(r.fd[0], "{\"parameters\":{\"n\":3}}");
	say(r.fd[0], "{\"method\":\"io.test.Try.Count\",\"parameters\":{\"to\":1},\"more\":true}");
	hear_that(r.fd[0], "{\"parameters\":{\"n\":1}}");
	say(r.fd[0], "{\"method\":\"io.test.Try.Count\",\"parameters\":{\"to\":3}}");
	hear_that(r.fd[0], "{\"error\":\"org.varlink.service.ExpectedMore\"}");
	rig_end(&r);
	return 0;
}

static int more_unasked(holt_varlink_request *q, json_t *params)
{
	(void)params;
	ck_assert(!holt_varlink_wants_more(q));
	ck_assert_int_eq(holt_varlink_reply_more(q, json_object()), -EINVAL);
	return holt_varlink_reply(q, json_object());
}

CLAIM(more_replies_than_one_are_for_who_asked_for_more)
{
	struct rig r;

	rig_start(&r);
	call_this = more_unasked;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\"}");
	hear_that(r.fd[0], "{\"parameters\":{}}");
	rig_end(&r);
	return 0;
}

static int oneway_call(holt_varlink_request *q, json_t *params)
{
	(void)params;
	ck_assert(holt_varlink_is_oneway(q));
	ck_assert_int_eq(holt_varlink_reply_more(q, json_object()), -EINVAL);
	ck_assert_int_eq(holt_varlink_reply(q, json_object()), 0);
	ck_assert_int_eq(holt_varlink_reply(q, json_object()), -EALREADY);
	begun++;
	return -EINVAL;
}

CLAIM(a_oneway_call_is_done_and_never_answered)
{
	struct rig r;

	rig_start(&r);
	call_this = oneway_call;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\",\"oneway\":true}");
	say(r.fd[0], "{\"method\":\"io.test.Try.Fail\",\"oneway\":true,\"parameters\":{\"errno\":5}}");
	say(r.fd[0], "{\"method\":\"io.test.Try.Forget\",\"oneway\":true}");
	say(r.fd[0], "{\"method\":\"io.test.No.Such\",\"oneway\":true}");
	say(r.fd[0], ECHO("{}"));
	hear_that(r.fd[0], "{\"parameters\":{}}");
	ck_assert_int_eq(begun, 1);
	rig_end(&r);
	return 0;
}

CLAIM(oneway_calls_are_done_even_if_their_client_left_at_once)
{
	struct rig r;

	rig_start(&r);
	for (int i = 0; i < 3; i++)
		say(r.fd[0], "{\"method\":\"io.test.Try.Wait\",\"oneway\":true}");
	holt_close(r.fd[0]);
	settle();
	ck_assert_int_eq(begun, 1);
	ck_assert_int_eq(over, 0);
	holt_event_set(&gate);
	ck_assert_int_eq(holt_group_close(r.g, 0), 0);
	ck_assert_int_eq(over, 3);
	ck_assert_int_eq(wait_result, 0);
	return 0;
}

CLAIM(what_is_not_there_is_told_by_the_protocols_errors)
{
	static const struct {
		const char *call, *answer;
	} calls[] = {
		{ "{\"method\":\"io.test.No.Such\"}",
			"{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"io.test.No\"}}" },
		{ "{\"method\":\"io.test.Try.Such\"}",
			"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.test.Try.Such\"}}" },
		{ "{\"method\":\"io.test.Try.\"}",
			"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.test.Try.\"}}" },
		{ "{\"method\":\"Echo\"}",
			"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"Echo\"}}" },
		{ "{\"method\":\"\"}", "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"\"}}" },
		{ "{\"method\":\".\"}",
			"{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"\"}}" },
		{ "{\"method\":\"io.test.Try.Missing\"}",
			"{\"error\":\"org.varlink.service.MethodNotImplemented\",\"parameters\":{\"method\":\"io.test.Try.Missing\"}}" },
		{ "{\"method\":\"io.test.Try.Echo\",\"upgrade\":true}",
			"{\"error\":\"org.varlink.service.MethodNotImplemented\",\"parameters\":{\"method\":\"io.test.Try.Echo\"}}" },
		{ "{\"method\":\"io.test.Try.Fail\",\"parameters\":{\"errno\":2}}", SYSTEM("2", "No such file or directory") },
		{ "{\"method\":\"io.test.Try.Fail\",\"parameters\":{\"errno\":125}}", SYSTEM("125", "Operation canceled") },
		{ "{\"method\":\"io.test.Try.Forget\"}", SYSTEM("71", "Protocol error") },
		{ "{\"method\":\"io.test.Try.Error\",\"parameters\":{\"name\":\"io.test.Try.Bad\"}}",
			"{\"error\":\"io.test.Try.Bad\",\"parameters\":{\"name\":\"io.test.Try.Bad\"}}" },
		{ "{\"method\":\"io.test.Try.Error\",\"parameters\":{\"name\":\"Bad\"}}", SYSTEM("22", "Invalid argument") },
		{ "{\"method\":\"io.test.Try.Error\",\"parameters\":{\"name\":\"a.b.C\\\"\"}}",
			SYSTEM("22", "Invalid argument") },
		{ "{\"method\":\"io.test.Try.Error\"}", SYSTEM("22", "Invalid argument") },
	};
	struct rig r;

	rig_start(&r);
	for (size_t i = 0; i < HOLT__N(calls); i++) {
		say(r.fd[0], calls[i].call);
		hear_that(r.fd[0], calls[i].answer);
	}
	ck_assert_uint_eq(harness_count(harness_log(), "<4>"), 1);
	ck_assert(harness_logged("io.test.Try.Forget returned without an answer"));
	rig_end(&r);
	return 0;
}

static int misuse(holt_varlink_request *q, json_t *params)
{
	json_t *deep = json_object();

	ck_assert_str_eq(holt_varlink_method_name(q), "io.test.Try.Call");
	ck_assert_int_eq(holt_varlink_reply(q, NULL), -ENOMEM);
	ck_assert_int_eq(holt_varlink_reply(q, json_array()), -EINVAL);
	ck_assert_int_eq(holt_varlink_error(q, NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_error(q, "io.test.Try.Bad", json_string("text")), -EINVAL);
	for (int i = 0; i < 31; i++) /* 32, and the message itself */
		deep = json_pack("{s:o}", "a", deep);
	ck_assert_int_eq(holt_varlink_reply(q, json_incref(deep)), -EINVAL);
	ck_assert_int_eq(holt_varlink_reply(q, json_incref(json_object_get(deep, "a"))), 0);
	ck_assert_int_eq(holt_varlink_reply(q, json_incref(params)), -EALREADY);
	ck_assert_int_eq(holt_varlink_invalid(q, "a"), -EALREADY);
	json_decref(deep);
	return -EIO;
}

CLAIM(an_answer_that_cannot_be_leaves_the_call_to_be_answered)
{
	struct rig r;

	rig_start(&r);
	call_this = misuse;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\"}");
	ck_assert_ptr_nonnull(strstr(hear(r.fd[0]), "{\"a\":{\"a\":{\"a\":"));
	say(r.fd[0], ECHO("{}"));
	hear_that(r.fd[0], "{\"parameters\":{}}");
	rig_end(&r);
	return 0;
}

static holt_varlink_request *the_request;
static int other_result;

static int answer_too(void *arg)
{
	(void)arg;
	other_result = holt_varlink_reply(the_request, json_object());
	return 0;
}

static int two_answer(holt_varlink_request *q, json_t *params)
{
	holt_group *g = open_group();
	char *text = malloc(1 << 19);
	int r;

	(void)params;
	memset(text, 'x', 1 << 19);
	text[(1 << 19) - 1] = 0;
	the_request = q;
	ck_assert_int_eq(holt_spawn(g, answer_too, NULL), 0);
	r = holt_varlink_reply(q, json_pack("{s:s}", "text", text));
	free(text);
	close_group(g);
	return r;
}

CLAIM(two_tasks_do_not_mix_their_answers)
{
	struct rig r;

	rig_start(&r);
	call_this = two_answer;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\"}");
	ck_assert_uint_eq(strlen(hear(r.fd[0])), (1 << 19) - 1 + strlen("{\"parameters\":{\"text\":\"\"}}"));
	settle();
	ck_assert_int_eq(other_result, -EBUSY);
	rig_end(&r);
	return 0;
}

/* ---- who may */

CLAIM(a_call_that_is_not_allowed_does_not_run)
{
	struct rig r;

	rig_start(&r);
	allow_result = -EACCES;
	say(r.fd[0], "{\"method\":\"io.test.Try.Wait\"}");
	hear_that(r.fd[0], "{\"error\":\"org.varlink.service.PermissionDenied\"}");
	allow_result = -EPERM;
	say(r.fd[0], "{\"method\":\"io.test.Try.Count\"}");
	hear_that(r.fd[0], "{\"error\":\"org.varlink.service.PermissionDenied\"}");
	allow_result = -EIO;
	say(r.fd[0], "{\"method\":\"io.test.Try.Wait\"}");
	hear_that(r.fd[0], SYSTEM("5", "Input/output error"));
	say(r.fd[0], ECHO("{}")); /* which only reads */
	hear_that(r.fd[0], "{\"parameters\":{}}");
	say(r.fd[0], "{\"method\":\"org.varlink.service.GetInfo\"}");
	ck_assert_ptr_nonnull(strstr(hear(r.fd[0]), "io.test.Try"));
	ck_assert_int_eq(begun, 0);
	rig_end(&r);
	return 0;
}

CLAIM(a_method_knows_who_calls)
{
	char expected[128];
	struct rig r;

	rig_start(&r);
	snprintf(expected, sizeof expected, "{\"parameters\":{\"uid\":%d,\"pid\":%d}}", (int)getuid(), (int)getpid());
	say(r.fd[0], "{\"method\":\"io.test.Try.Who\"}");
	hear_that(r.fd[0], expected);
	rig_end(&r);
	return 0;
}

static struct ucred fake = { .uid = 4711, .gid = 4711, .pid = 1 };
static gid_t fake_groups[3000];
static int fake_error;

static int fake_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	socklen_t room = *len;

	if (level != SOL_SOCKET || (name != SO_PEERCRED && name != SO_PEERGROUPS))
		return holt__sys_linux.getsockopt(fd, level, name, value, len);
	if (name == SO_PEERCRED) {
		memcpy(value, &fake, sizeof fake);
		return fake_error;
	}
	if (fake_error < 0)
		return fake_error;
	*len = sizeof fake_groups;
	if (room < sizeof fake_groups)
		return -ERANGE;
	memcpy(value, fake_groups, sizeof fake_groups);
	return 0;
}

static int ask_groups(holt_varlink_request *q, json_t *params)
{
	(void)params;
	ck_assert_int_eq(holt_varlink_peer_in_group(q, 4711), 1); /* its own */
	ck_assert_int_eq(holt_varlink_peer_in_group(q, 2999), 1);
	ck_assert_int_eq(holt_varlink_peer_in_group(q, 3000), 0);
	fake_error = -EIO;
	ck_assert_int_eq(holt_varlink_peer_in_group(q, 2999), -EIO);
	fake_error = 0;
	harness_fail_alloc(1);
	ck_assert_int_eq(holt_varlink_peer_in_group(q, 2999), -ENOMEM);
	return holt_varlink_reply(q, json_object());
}

CLAIM(a_method_knows_the_groups_of_who_calls)
{
	struct rig r;

	for (gid_t i = 0; i < HOLT__N(fake_groups); i++)
		fake_groups[i] = i;
	harness_sys.getsockopt = fake_getsockopt;
	rig_start(&r);
	call_this = ask_groups;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\"}");
	hear_that(r.fd[0], "{\"parameters\":{}}");
	rig_end(&r);
	return 0;
}

static int ask_own_groups(holt_varlink_request *q, json_t *params)
{
	int r = holt_varlink_peer_in_group(q, 987654);

	(void)params;
	ck_assert_int_eq(holt_varlink_peer_in_group(q, getgid()), 1);
	ck_assert(r == 0 || r == -ENOPROTOOPT || r == -EOPNOTSUPP); /* an emulator may not know of it */
	return holt_varlink_reply(q, json_object());
}

CLAIM(the_kernels_list_of_groups_is_understood)
{
	struct rig r;

	rig_start(&r);
	call_this = ask_own_groups;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\"}");
	hear_that(r.fd[0], "{\"parameters\":{}}");
	rig_end(&r);
	return 0;
}

static int ask_nobody(holt_varlink_request *q, json_t *params)
{
	struct holt_varlink_peer p;

	(void)params;
	ck_assert_int_eq(holt_varlink_peer(q, &p), -ENODATA);
	ck_assert_int_eq(holt_varlink_peer_in_group(q, 0), -ENODATA);
	return holt_varlink_reply(q, json_object());
}

static int serve_tcp(void *arg)
{
	struct holt_varlink_service s = { TRY_SERVICE };

	ck_assert_int_eq(holt_varlink_serve_one(*(int *)arg, &s), 0);
	return 0;
}

CLAIM_IN_REAL_TIME(of_a_tcp_client_nobody_knows_who_it_is)
{
	int fd[2];

	tcp_pair(fd);
	call_this = ask_nobody;
	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, serve_tcp, &fd[1]), 0);
		say(fd[0], "{\"method\":\"io.test.Try.Call\"}");
		hear_that(fd[0], "{\"parameters\":{}}");
		holt_close(fd[0]);
	}
	holt_close(fd[1]);
	return 0;
}

/* ---- introspection */

CLAIM(a_service_describes_itself)
{
	struct rig r;
	json_t *answer;
	const char *text;
	char *description;

	rig_start(&r, .url = "https://example.com/try");
	say(r.fd[0], "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}");
	hear_that(r.fd[0],
		"{\"parameters\":{\"vendor\":\"nobody\",\"product\":\"try\",\"version\":\"1\",\"url\":\"https://example.com/try\","
		"\"interfaces\":[\"org.varlink.service\",\"io.holt\",\"io.test.Try\"]}}");
	say(r.fd[0],
		"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.test.Try\"}}");
	answer = json_loads(hear(r.fd[0]), 0, NULL);
	ck_assert_int_eq(json_unpack(answer, "{s:{s:s}}", "parameters", "description", &text), 0);
	ck_assert_str_eq(text, try_idl);
	json_decref(answer);

	for (int i = 0; i < 2; i++) {
		say(r.fd[0],
			i ? "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.holt\"}}"
			  : "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			    "\"parameters\":{\"interface\":\"org.varlink.service\"}}");
		answer = json_loads(hear(r.fd[0]), 0, NULL);
		ck_assert_int_eq(json_unpack(answer, "{s:{s:s}}", "parameters", "description", &text), 0);
		description = strdup(text);
		ck_assert_ptr_nonnull(strstr(description, i ? "error System (" : "method GetInterfaceDescription("));
		free(description);
		json_decref(answer);
	}

	say(r.fd[0], "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"io.no\"}}");
	hear_that(r.fd[0], "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"io.no\"}}");
	for (int i = 0; i < 2; i++) {
		say(r.fd[0],
			i ? "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":7}}"
			  : "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}");
		hear_that(r.fd[0],
			"{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"interface\"}}");
	}
	rig_end(&r);
	return 0;
}

static int misdescribed_task(void *arg)
{
	static const struct holt_varlink_method none[] = { { .name = "Echo" } };
	static const struct holt_varlink_method unnamed[] = { { .fn = try_echo } };
	static const struct holt_varlink_method other[] = { { .name = "Other", .fn = try_echo } };
	static const struct holt_varlink_method twice[] = { { .name = "Echo", .fn = try_echo },
		{ .name = "Echo", .fn = try_echo } };
	static const struct holt_varlink_interface wrong[][2] = {
		{ { .idl = NULL } },
		{ { .idl = "interface" } },
		{ { .idl = try_idl, .methods = NULL, .n_methods = 1 } },
		{ { .idl = try_idl, .methods = none, .n_methods = 1 } },
		{ { .idl = try_idl, .methods = unnamed, .n_methods = 1 } },
		{ { .idl = try_idl, .methods = other, .n_methods = 1 } },
		{ { .idl = try_idl, .methods = twice, .n_methods = 2 } },
		{ { .idl = try_idl }, { .idl = try_idl } },
		{ { .idl = "interface org.varlink.service" } },
		{ { .idl = "interface io.holt" } },
	};
	struct {
		struct holt_varlink_service known;
		int unknown;
	} later = { .known = { .size = sizeof later }, .unknown = 1 };

	(void)arg;
	for (size_t i = 0; i < HOLT__N(wrong); i++) {
		struct holt_varlink_service s = {
			.size = sizeof s, .interfaces = wrong[i], .n_interfaces = wrong[i][1].idl ? 2 : 1
		};

		ck_assert_msg(holt_varlink_serve_one(0, &s) == -EINVAL, "%zu", i);
		ck_assert_msg(holt_varlink_serve(0, &s) == -EINVAL, "%zu", i);
	}
	ck_assert_int_eq(holt_varlink_serve_one(0, NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_serve_one(0, &(struct holt_varlink_service){ .size = 1 }), -EINVAL);
	ck_assert_int_eq(holt_varlink_serve_one(0, &later.known), -E2BIG);
	ck_assert_int_eq(holt_varlink_serve_one(0, &(struct holt_varlink_service){ TRY_SERVICE, .depth_max = 1 }), -EINVAL);
	ck_assert_int_eq(holt_varlink_serve_one(0, &(struct holt_varlink_service){ TRY_SERVICE, .depth_max = 65 }), -EINVAL);
	ck_assert_int_eq(
		holt_varlink_serve_one(0, &(struct holt_varlink_service){ TRY_SERVICE, .message_max = SIZE_MAX }), -EINVAL);
	ck_assert_int_eq(
		holt_varlink_serve_one(
			0, &(struct holt_varlink_service){ .size = sizeof(struct holt_varlink_service), .n_interfaces = 1 }),
		-EINVAL);
	return 0;
}

TEST(a_service_that_is_wrong_in_itself_is_not_served)
{
	ck_assert_int_eq(harness_run(misdescribed_task, NULL), 0);
	ck_assert_int_eq(holt_varlink_serve(0, NULL), -EPERM);
	ck_assert_int_eq(holt_varlink_serve_one(0, NULL), -EPERM);
}

/* ---- hostile clients */

struct bad {
	const char *text;
	size_t n; /* 0: a string, with its NUL */
	const char *why;
};

static const struct bad bad_messages[] = {
	{ "", 0, "not JSON" },
	{ "{", 0, "not JSON" },
	{ "rubbish", 0, "not JSON" },
	{ "{}{}", 0, "not JSON" },
	{ "\xff\xfe\0", 3, "not JSON" },
	{ "{\"method\":\"\xc3\x28\"}", 0, "not JSON" },
	{ "{\"method\":\"\xed\xa0\x80\"}", 0, "not JSON" },            /* a lone surrogate */
	{ "{\"method\":\"io.test.Try.Echo\\u0000\"}", 0, "not JSON" }, /* a NUL inside */
	{ "{\"method\":\"io.test.Try.Echo\",\"method\":\"io.test.Try.Wait\"}", 0, "not JSON" },
	{ "{\"method\":\"io.test.Try.Echo\",\"parameters\":{\"a\":1,\"a\":2}}", 0, "not JSON" },
	{ "{\"method\":\"io.test.Try.Echo\",\"parameters\":{\"a\":1e999}}", 0, "not JSON" },
	{ "{\"method\":\"io.test.Try.Echo\",\"parameters\":{\"a\":99999999999999999999}}", 0, "not JSON" },
	{ "[]", 0, "no object" },
	{ "{}", 0, "without a method" },
	{ "{\"method\":1}", 0, "without a method" },
	{ "{\"parameters\":{}}", 0, "without a method" },
	{ "{\"method\":\"io.test.Try.Echo\",\"parameters\":[]}", 0, "parameters are no object" },
	{ "{\"method\":\"io.test.Try.Echo\",\"more\":1}", 0, "is wrong" },
	{ "{\"method\":\"io.test.Try.Echo\",\"oneway\":\"true\"}", 0, "is wrong" },
	{ "{\"method\":\"io.test.Try.Echo\",\"more\":true,\"oneway\":true}", 0, "is wrong" },
	{ "{\"method\":\"io.test.Try.Echo\",\"upgrade\":true,\"oneway\":true}", 0, "is wrong" },
	{ "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, "not JSON" },
};

CLAIM(what_is_no_message_closes_its_connection_alone)
{
	struct rig good;

	rig_start(&good);
	for (size_t i = 0; i < HOLT__N(bad_messages); i++) {
		const struct bad *b = &bad_messages[i];
		struct rig r;

		harness_log_clear();
		rig_start(&r);
		say(r.fd[0], ECHO("{\"a\":1}"));
		hear_that(r.fd[0], "{\"parameters\":{\"a\":1}}");
		say_bytes(r.fd[0], b->text, b->n ? b->n : strlen(b->text) + 1);
		say(r.fd[0], ECHO("{\"a\":2}")); /* is not looked at any more */
		hear_the_end(r.fd[0]);
		rig_end(&r);
		ck_assert_msg(harness_logged(b->why), "%zu: %s", i, harness_log());
		ck_assert_uint_eq(harness_count(harness_log(), "<7>"), 1); /* one line, at debug */
		ck_assert_uint_eq(harness_count(harness_log(), "<"), 1);
		say(good.fd[0], ECHO("{\"a\":3}"));
		hear_that(good.fd[0], "{\"parameters\":{\"a\":3}}");
	}
	rig_end(&good);
	return 0;
}

static char *nested_call(size_t depth)
{
	char *text = malloc(depth * 8 + 100), *p;

	p = stpcpy(text, "{\"method\":\"io.test.Try.Echo\",\"parameters\":{\"a\":");
	for (size_t i = 2; i < depth; i++)
		p = stpcpy(p, i % 2 ? "[" : "{\"a\":");
	p = stpcpy(p, "\"end\"");
	for (size_t i = depth; i-- > 2;)
		p = stpcpy(p, i % 2 ? "]" : "}");
	strcpy(p, "}}");
	return text;
}

CLAIM(nesting_is_taken_up_to_the_limit)
{
	static const size_t limits[] = { 2, 32, 64 };

	for (size_t i = 0; i < 2 * HOLT__N(limits); i++) {
		size_t limit = limits[i / 2];
		char *text = nested_call(limit + i % 2);
		struct rig r;

		rig_start(&r, .depth_max = limit);
		say(r.fd[0], text);
		if (i % 2)
			hear_the_end(r.fd[0]);
		else
			ck_assert_ptr_nonnull(strstr(hear(r.fd[0]), "\"end\""));
		ck_assert_int_eq(harness_logged("nests too deep"), i % 2);
		harness_log_clear();
		rig_end(&r);
		free(text);
	}
	return 0;
}

/* Uses half of a usual stack, and answers from there with what nests deepest, and a number's long text at its bottom. */
static int deep_from_below(holt_varlink_request *q, json_t *params)
{
	volatile char half[32 * 1024];
	json_t *deep = json_pack("{s:f}", "a", 1.2345678901234567e-300);

	(void)params;
	for (size_t i = 0; i < sizeof half; i += 1024)
		half[i] = 1;
	for (int i = 1; i < 63; i++)
		deep = json_pack("{s:o}", "a", deep);
	return holt_varlink_reply(q, deep) + half[0] - 1;
}

CLAIM(half_of_its_stack_is_a_methods_own)
{
	struct rig r;

	rig_start(&r, .depth_max = 64);
	call_this = deep_from_below;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\"}");
	ck_assert_ptr_nonnull(strstr(hear(r.fd[0]), "e-300}"));
	rig_end(&r);
	return 0;
}

/* A hundred thousand brackets do not reach the parser, whose recursion they would drive through the stack. */
CLAIM(endless_nesting_costs_no_stack)
{
	static char text[900000];
	struct rig r;

	memset(text, '[', sizeof text - 1);
	rig_start(&r);
	say(r.fd[0], text);
	hear_the_end(r.fd[0]);
	ck_assert(harness_logged("nests too deep"));
	rig_end(&r);
	return 0;
}

CLAIM(a_message_over_the_limit_closes_its_connection)
{
	static char text[3000];
	struct rig r;

	memset(text, ' ', sizeof text);
	for (int ended = 0; ended < 2; ended++) {
		rig_start(&r, .message_max = 1000);
		if (ended)
			text[1001] = 0;
		say_bytes(r.fd[0], text, ended ? 1002 : 1001);
		hear_the_end(r.fd[0]);
		ck_assert(harness_logged("too long"));
		harness_log_clear();
		rig_end(&r);
	}
	return 0;
}

CLAIM(a_message_that_would_need_too_much_memory_is_not_parsed)
{
	char *text = malloc(200000), *p = text;
	struct rig r;

	p = stpcpy(p, "{\"method\":\"io.test.Try.Echo\",\"parameters\":{\"a\":[{}");
	for (int i = 0; i < 20000; i++)
		p = stpcpy(p, ",{}");
	strcpy(p, "]}}"); /* 60 KB of text, which would be 5 MB of objects */
	rig_start(&r, .memory_max = 1 << 20);
	say(r.fd[0], text);
	hear_the_end(r.fd[0]);
	ck_assert(harness_logged("needs too much memory"));
	rig_end(&r);

	harness_log_clear();
	rig_start(&r, .memory_max = 20000);
	say_bytes(r.fd[0], text, 60000);
	hear_the_end(r.fd[0]);
	ck_assert(harness_logged("its message needs too much memory"));
	rig_end(&r);
	free(text);
	return 0;
}

CLAIM(what_a_call_took_of_the_memory_it_gives_back)
{
	struct rig r;

	rig_start(&r, .memory_max = 20000);
	for (int i = 0; i < 200; i++) {
		say(r.fd[0], ECHO("{\"a\":[{},{},{}]}"));
		hear_that(r.fd[0], "{\"parameters\":{\"a\":[{},{},{}]}}");
	}
	rig_end(&r);
	return 0;
}

CLAIM(an_unfinished_message_has_a_deadline_from_its_first_byte)
{
	struct rig r;

	rig_start(&r, .message_timeout = 10 * HOLT_SEC);
	holt_sleep(HOLT_MIN); /* idle: as long as one likes */
	say_bytes(r.fd[0], "{", 1);
	holt_sleep(9 * HOLT_SEC);
	say_bytes(r.fd[0], " ", 1); /* progress does not help */
	ck_assert(!r.done);
	hear_the_end(r.fd[0]);
	ck_assert(harness_time() >= HOLT_MIN + 10 * HOLT_SEC && harness_time() < HOLT_MIN + 11 * HOLT_SEC);
	ck_assert(harness_logged("takes too long"));
	rig_end(&r);
	return 0;
}

CLAIM(the_rest_of_a_pipelined_message_has_its_deadline_too)
{
	struct rig r;

	rig_start(&r);
	say_bytes(r.fd[0], ECHO("{}") "\0{", sizeof ECHO("{}") + 1);
	hear_that(r.fd[0], "{\"parameters\":{}}");
	hear_the_end(r.fd[0]);
	ck_assert(harness_time() >= 30 * HOLT_SEC && harness_time() < 31 * HOLT_SEC);
	rig_end(&r);
	return 0;
}

CLAIM(an_end_inside_a_message_is_an_end)
{
	struct rig r;

	rig_start(&r);
	say_bytes(r.fd[0], "{\"method\"", 9);
	ck_assert_int_eq(shutdown(r.fd[0], SHUT_WR), 0);
	hear_the_end(r.fd[0]);
	ck_assert(harness_logged("ended inside a message"));
	rig_end(&r);
	return 0;
}

CLAIM(idle_clients_are_hung_up_on_if_the_service_says_so)
{
	struct rig r;

	rig_start(&r, .idle_timeout = HOLT_MIN);
	holt_sleep(50 * HOLT_SEC);
	say(r.fd[0], "{\"method\":\"io.test.Try.Wait\"}");
	holt_sleep(HOLT_HOUR / 2); /* a call is not idle */
	holt_event_set(&gate);
	hear_that(r.fd[0], "{\"parameters\":{\"result\":0}}");
	hear_the_end(r.fd[0]);
	ck_assert(harness_logged("it was idle"));
	ck_assert(harness_time() < HOLT_HOUR / 2 + 120 * HOLT_SEC);
	rig_end(&r);
	return 0;
}

CLAIM(who_does_not_read_holds_up_itself_and_not_for_ever)
{
	struct rig r, other;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Big\",\"parameters\":{\"bytes\":3000000}}|" ECHO("{}"));
	settle();
	ck_assert(!r.done);
	rig_start(&other);
	say(other.fd[0], ECHO("{\"a\":3}"));
	hear_that(other.fd[0], "{\"parameters\":{\"a\":3}}");
	rig_end(&other);
	holt_sleep(31 * HOLT_SEC);
	ck_assert(r.done);
	ck_assert(harness_logged("does not read its answers"));
	ck_assert_int_eq(wait_result, -ETIME);
	rig_end(&r);
	return 0;
}

static holt_varlink_request *cut_request;

static int cut_reply(void *params)
{
	return try_big(NULL, cut_request, params);
}

static int reply_in_a_second(holt_varlink_request *q, json_t *params)
{
	cut_request = q;
	return holt_timeout(HOLT_SEC, cut_reply, params);
}

CLAIM(nothing_follows_a_reply_that_was_cut)
{
	static char text[1 << 20];
	struct rig r;
	ssize_t n;

	rig_start(&r);
	call_this = reply_in_a_second;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\",\"parameters\":{\"bytes\":1000000}}");
	holt_sleep(2 * HOLT_SEC);
	ck_assert(r.done);
	ck_assert_int_eq(wait_result, -ECANCELED);
	n = holt_read_full(r.fd[0], text, sizeof text);
	ck_assert(n > 1000 && n < 1000000);
	ck_assert_ptr_null(memchr(text, 0, (size_t)n));
	ck_assert_ptr_null(memmem(text, (size_t)n, "error", 5));
	ck_assert(harness_logged("canceled in the middle of an answer"));
	rig_end(&r);
	return 0;
}

static int count_for_ever(holt_varlink_request *q, json_t *params)
{
	int r = 0;

	(void)params;
	while (r == 0) {
		r = holt_varlink_reply_more(q, json_pack("{s:i}", "n", begun));
		begun += r == 0;
	}
	wait_result = r;
	return r;
}

CLAIM(a_stream_goes_no_faster_than_its_reader)
{
	struct rig r;
	int before;

	rig_start(&r, .reply_timeout = HOLT_NEVER);
	call_this = count_for_ever;
	say(r.fd[0], "{\"method\":\"io.test.Try.Call\",\"more\":true}");
	holt_sleep(HOLT_HOUR / 4);
	before = begun;
	ck_assert_int_gt(before, 100);
	holt_sleep(HOLT_HOUR / 4);
	ck_assert_int_eq(begun, before);
	for (int i = 0; i < before; i++)
		ck_assert_ptr_nonnull(hear(r.fd[0]));
	settle();
	ck_assert_int_gt(begun, before);
	rig_end(&r);
	ck_assert(wait_result == -ECANCELED || wait_result == -EPIPE);
	return 0;
}

static void big_call(struct rig *r)
{
	say(r->fd[0], "{\"method\":\"io.test.Try.Big\",\"parameters\":{\"bytes\":1000000}}");
	settle();
}

CLAIM(replies_that_are_not_read_are_bounded_in_all)
{
	struct rig r;

	rig_start(&r, .memory_max = 500000); /* one of them is fine, whatever its size */
	big_call(&r);
	ck_assert_uint_gt(strlen(hear(r.fd[0])), 1000000);
	rig_end(&r);
	ck_assert_int_eq(wait_result, 0);
	return 0;
}

/* ---- hanging up */

CLAIM(who_hangs_up_has_given_up_its_call)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Wait\"}");
	settle();
	ck_assert_int_eq(begun, 1);
	ck_assert_int_eq(over, 0);
	rig_end(&r);
	ck_assert_int_eq(over, 1);
	ck_assert_int_eq(wait_result, -ECANCELED);
	nothing_was_late();
	return 0;
}

CLAIM(a_call_that_wants_to_finish_does_so_for_a_client_that_is_gone)
{
	struct rig r;

	rig_start(&r);
	say(r.fd[0], "{\"method\":\"io.test.Try.Finish\"}");
	settle();
	holt_close(r.fd[0]);
	settle();
	ck_assert_int_eq(over, 0);
	holt_event_set(&gate);
	ck_assert_int_eq(holt_group_close(r.g, 0), 0);
	ck_assert_int_eq(wait_result, 0);
	ck_assert_int_eq(r.result, 0);
	return 0;
}

/* ---- many clients */

CLAIM(clients_are_served_side_by_side)
{
	struct house h;
	int a, b;

	house_open(&h);
	a = visit(&h);
	b = visit(&h);
	say(a, "{\"method\":\"io.test.Try.Wait\"}");
	settle();
	say(b, ECHO("{\"b\":1}"));
	hear_that(b, "{\"parameters\":{\"b\":1}}");
	holt_event_set(&gate);
	hear_that(a, "{\"parameters\":{\"result\":0}}");
	holt_close(a);
	holt_close(b);
	house_close(&h);
	nothing_was_late();
	return 0;
}

CLAIM(a_stop_ends_idle_clients_and_lets_calls_finish)
{
	struct house h;
	int idle, partial, busy, fd;

	house_open(&h);
	idle = visit(&h);
	partial = visit(&h);
	busy = visit(&h);
	say_bytes(partial, "{", 1);
	say(busy, "{\"method\":\"io.test.Try.Wait\"}|" ECHO("{\"late\":1}"));
	settle();
	holt_group_stop(h.g, "closing time");
	hear_the_end(idle);
	hear_the_end(partial);
	ck_assert_int_eq(h.result, 1); /* it waits for the call */
	fd = holt_dial(h.address);
	if (fd >= 0) { /* the backlog takes it, nobody else */
		settle();
		ck_assert_int_eq(recv(fd, &(char){ 0 }, 1, MSG_DONTWAIT), -1);
		holt_close(fd);
	}
	holt_event_set(&gate);
	hear_that(busy, "{\"parameters\":{\"result\":0}}");
	hear_the_end(busy); /* the pipelined one has not begun */
	holt_close(idle);
	holt_close(partial);
	holt_close(busy);
	house_close(&h);
	nothing_was_late();
	return 0;
}

CLAIM(a_call_that_does_not_end_is_canceled_after_the_grace)
{
	struct house h;
	int fd;

	house_open(&h, .grace = 5 * HOLT_SEC);
	fd = visit(&h);
	say(fd, "{\"method\":\"io.test.Try.Wait\"}");
	settle();
	holt_group_stop(h.g, "closing time");
	hear_the_end(fd);
	ck_assert_int_eq(wait_result, -ECANCELED);
	ck_assert(harness_time() >= 5 * HOLT_SEC && harness_time() < 6 * HOLT_SEC);
	holt_close(fd);
	house_close(&h);
	return 0;
}

CLAIM(a_canceled_service_says_so)
{
	struct house h;
	int fd;

	house_open(&h);
	fd = visit(&h);
	say(fd, "{\"method\":\"io.test.Try.Wait\"}");
	settle();
	holt_task_cancel(h.task, "enough");
	hear_the_end(fd); /* no longer answered */
	holt_close(fd);
	ck_assert_int_eq(holt_group_close(h.g, 0), 0);
	ck_assert_int_eq(h.result, -ECANCELED);
	ck_assert_int_eq(wait_result, -ECANCELED);
	return 0;
}

CLAIM(more_connections_than_the_limit_wait)
{
	struct house h;
	int fd[4];

	house_open(&h, .connections = 3);
	for (int i = 0; i < 4; i++)
		fd[i] = visit(&h);
	say(fd[3], ECHO("{}"));
	settle();
	ck_assert_int_eq(recv(fd[3], &(char){ 0 }, 1, MSG_DONTWAIT), -1);
	holt_close(fd[0]);
	hear_that(fd[3], "{\"parameters\":{}}");
	for (int i = 1; i < 4; i++)
		holt_close(fd[i]);
	house_close(&h);
	return 0;
}

CLAIM(a_user_has_a_quarter_of_the_connections_and_root_still_gets_in)
{
	struct house h;
	int fd[8], mine;

	harness_sys.getsockopt = fake_getsockopt;
	fake_error = 0;
	house_open(&h, .connections = 8);
	for (int i = 0; i < 8; i++) {
		fake.uid = (uid_t)(4711 + i / 2); /* four users, with two each; the eighth connection is for root alone */
		fd[i] = visit(&h);
		if (i < 7) {
			say(fd[i], ECHO("{}"));
			hear_that(fd[i], "{\"parameters\":{}}");
			continue;
		}
		hear_the_end(fd[i]);
		ck_assert(harness_logged("hung up on pid 1 of user 4714: too many connections"));
	}
	harness_log_clear();
	holt_close(fd[6]);
	settle();
	fake.uid = 4711;
	fd[6] = visit(&h);
	hear_the_end(fd[6]);
	ck_assert(harness_logged("too many connections"));
	fake.uid = 0;
	mine = visit(&h);
	say(mine, ECHO("{}"));
	hear_that(mine, "{\"parameters\":{}}");
	for (int i = 0; i < 8; i++)
		holt_close(fd[i]);
	holt_close(mine);
	house_close(&h);
	return 0;
}

static int big_when_open(holt_varlink_request *q, json_t *params)
{
	int r = holt_event_wait(&gate);

	return r < 0 ? r : try_big(NULL, q, params);
}

CLAIM(unread_replies_of_one_user_do_not_use_up_the_memory_of_others)
{
	struct house h;
	int fd[3], mine;

	harness_sys.getsockopt = fake_getsockopt;
	fake.uid = 4711;
	house_open(&h, .memory_max = 2000000);
	call_this = big_when_open;
	for (int i = 0; i < 2; i++) {
		fd[i] = visit(&h);
		say(fd[i], "{\"method\":\"io.test.Try.Call\",\"parameters\":{\"bytes\":1000000}}");
	}
	settle();
	holt_event_set(&gate); /* the first reply is more than the share already, and lies there */
	hear_the_end(fd[1]);
	ck_assert(harness_logged("too much memory waits for those who do not read"));
	ck_assert_int_eq(wait_result, -ENOBUFS);
	fd[2] = visit(&h);
	say(fd[2], ECHO("{}"));
	hear_the_end(fd[2]);
	ck_assert(harness_logged("a message needs too much memory"));
	fake.uid = 0;
	mine = visit(&h);
	say(mine, "{\"method\":\"io.test.Try.Big\",\"parameters\":{\"bytes\":500000}}");
	ck_assert_uint_gt(strlen(hear(mine)), 500000);
	ck_assert_uint_gt(strlen(hear(fd[0])), 1000000);
	say(fd[0], ECHO("{}"));
	hear_that(fd[0], "{\"parameters\":{}}");
	for (int i = 0; i < 3; i++)
		holt_close(fd[i]);
	holt_close(mine);
	house_close(&h);
	return 0;
}

CLAIM(a_listener_that_is_none_ends_the_service)
{
	struct holt_varlink_service s = { TRY_SERVICE };
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_varlink_serve(fd[0], &s), -EINVAL);
	ck_assert_int_eq(holt_varlink_serve(-1, &s), -EBADF);
	close_pair(fd);
	return 0;
}

/* ---- what an idle client costs */

CLAIM(an_idle_client_costs_no_memory_but_its_task)
{
	struct house h;
	size_t before;
	int fd[20];

	house_open(&h);
	for (int i = 0; i < 20; i++) {
		fd[i] = visit(&h);
		say(fd[i], "{\"method\":\"io.test.Try.Big\",\"parameters\":{\"bytes\":100000}}");
		ck_assert_ptr_nonnull(hear(fd[i]));
		settle();
		if (i == 9)
			before = harness_live();
	}
	ck_assert_uint_le(harness_live(), before + 4); /* the loop's own: more stacks, more records of descriptors */
	for (int i = 0; i < 20; i++)
		holt_close(fd[i]);
	house_close(&h);
	return 0;
}
