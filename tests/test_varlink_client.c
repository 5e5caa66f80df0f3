/* SPDX-License-Identifier: MIT */
/*
 * Clients of Varlink, on a service of ours or on bytes; then both sides together, with each thing that can fail failing
 * once; and bytes that a fuzzer has found worth keeping.
 */
#include "varlink.h"

#include "fuzz/varlink_bytes.c"

/* ---- clients */

static holt_varlink *client(struct rig *r)
{
	holt_varlink *v;

	rig_start(r);
	ck_assert_int_eq(holt_varlink_open_fd(&v, r->fd[0]), 0);
	return v;
}

static void client_end(struct rig *r, holt_varlink *v)
{
	ck_assert_ptr_null(holt_varlink_close(v));
	ck_assert_int_eq(holt_group_close(r->g, 0), 0);
	ck_assert_int_eq(r->result, 0);
}

static void same(json_t *got, const char *expected)
{
	char *text = json_dumps(got, JSON_COMPACT);

	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(got);
}

CLAIM(a_client_gets_replies_and_errors)
{
	struct rig r;
	holt_varlink *v = client(&r);
	json_t *out = NULL;

	ck_assert_ptr_null(holt_varlink_error_name(v));
	ck_assert_int_eq(holt_varlink_error_number(v), 0);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_pack("{s:[i,i]}", "a", 1, 2), &out), 0);
	same(out, "{\"a\":[1,2]}");
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), 0);

	ck_assert_int_eq(
		holt_varlink_call(v, "io.test.Try.Error", json_pack("{s:s}", "name", "io.test.Try.Bad"), &out), -EREMOTEIO);
	ck_assert_str_eq(holt_varlink_error_name(v), "io.test.Try.Bad");
	ck_assert_str_eq(json_string_value(json_object_get(holt_varlink_error_params(v), "name")), "io.test.Try.Bad");
	ck_assert_int_eq(holt_varlink_error_number(v), -EREMOTEIO);

	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), &out), 0);
	same(out, "{}");
	ck_assert_ptr_null(holt_varlink_error_name(v));
	ck_assert_ptr_null(holt_varlink_error_params(v));
	client_end(&r, v);
	return 0;
}

CLAIM(an_error_has_a_number)
{
	static const struct {
		const char *method, *params;
		int number;
	} errors[] = {
		{ "io.test.Try.Fail", "{\"errno\":2}", -ENOENT },
		{ "io.test.Try.Fail", "{\"errno\":4095}", -4095 },
		{ "io.test.Try.Fail", "{\"errno\":4096}", -EREMOTEIO },
		{ "io.test.Try.Count", "{}", -EBADE },
		{ "io.test.Try.Missing", "{}", -EOPNOTSUPP },
		{ "io.test.Try.Unheard", "{}", -EOPNOTSUPP },
		{ "io.test.Unheard.Of", "{}", -EOPNOTSUPP },
		{ "org.varlink.service.GetInterfaceDescription", "{}", -EINVAL },
		{ "io.test.Try.Error", "{\"name\":\"io.systemd.System\",\"errno\":17}", -EEXIST },
		{ "io.test.Try.Error", "{\"name\":\"io.systemd.System\"}", -EREMOTEIO },
		{ "io.test.Try.Error", "{\"name\":\"io.holt.System\",\"errno\":-1}", -EREMOTEIO },
		{ "io.test.Try.Error", "{\"name\":\"org.varlink.service.PermissionDenied\"}", -EACCES },
	};
	struct rig r;
	holt_varlink *v = client(&r);

	for (size_t i = 0; i < HOLT__N(errors); i++) {
		json_t *params = json_loads(errors[i].params, 0, NULL);

		ck_assert_int_eq(holt_varlink_call(v, errors[i].method, params, NULL), -EREMOTEIO);
		ck_assert_msg(holt_varlink_error_number(v) == errors[i].number, "%zu: %d", i, holt_varlink_error_number(v));
	}
	client_end(&r, v);
	return 0;
}

CLAIM(a_client_gets_many_replies_one_by_one)
{
	struct rig r;
	holt_varlink *v = client(&r);
	json_t *out;

	ck_assert_int_eq(holt_varlink_next(v, &out), 0);
	ck_assert_int_eq(holt_varlink_call_more(v, "io.test.Try.Count", json_pack("{s:i}", "to", 3)), 0);
	for (int i = 1; i <= 3; i++) {
		char expected[32];

		if (i == 2)
			ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EBUSY);
		ck_assert_int_eq(holt_varlink_next(v, &out), 1);
		snprintf(expected, sizeof expected, "{\"n\":%d}", i);
		same(out, expected);
	}
	ck_assert_int_eq(holt_varlink_next(v, &out), 0);
	ck_assert_int_eq(holt_varlink_next(v, &out), 0);

	ck_assert_int_eq(holt_varlink_call_more(v, "io.test.Try.Fail", json_pack("{s:i}", "errno", 2)), 0);
	ck_assert_int_eq(holt_varlink_next(v, &out), -EREMOTEIO);
	ck_assert_int_eq(holt_varlink_error_number(v), -ENOENT);
	ck_assert_int_eq(holt_varlink_next(v, &out), 0);
	client_end(&r, v);
	return 0;
}

CLAIM(a_oneway_call_does_not_wait)
{
	struct rig r;
	holt_varlink *v = client(&r);
	json_t *out;

	ck_assert_int_eq(holt_varlink_oneway(v, "io.test.Try.Wait", json_object()), 0);
	ck_assert_int_eq(holt_varlink_next(v, &out), 0);
	settle();
	ck_assert_int_eq(begun, 1);
	holt_event_set(&gate);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), 0);
	client_end(&r, v);
	return 0;
}

CLAIM(what_is_no_call_is_not_sent)
{
	struct rig r;
	holt_varlink *v = client(&r);
	json_t *deep = json_object();

	for (int i = 0; i < 31; i++)
		deep = json_pack("{s:o}", "a", deep);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", NULL, NULL), -ENOMEM);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_array(), NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", deep, NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_call(v, "Echo", json_object(), NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo\"", json_object(), NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_call_more(v, NULL, json_object()), -EINVAL);
	ck_assert_int_eq(holt_varlink_oneway(v, "", json_object()), -EINVAL);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), 0);
	client_end(&r, v);
	return 0;
}

static int wait_call(void *v)
{
	return holt_varlink_call(v, "io.test.Try.Wait", json_object(), NULL);
}

CLAIM(a_call_that_timed_out_is_still_in_flight)
{
	struct rig r;
	holt_varlink *v = client(&r);
	json_t *out;

	ck_assert_int_eq(holt_timeout(HOLT_SEC, wait_call, v), -ETIME);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EBUSY);
	ck_assert_int_eq(holt_varlink_oneway(v, "io.test.Try.Echo", json_object()), -EBUSY);
	holt_event_set(&gate);
	ck_assert_int_eq(holt_varlink_next(v, &out), 1);
	same(out, "{\"result\":0}");
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), 0);
	client_end(&r, v);
	return 0;
}

static int call_result;

static int call_and_keep(void *v)
{
	call_result = wait_call(v);
	return 0;
}

CLAIM(one_task_at_a_time)
{
	struct rig r;
	holt_varlink *v = client(&r);

	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, call_and_keep, v), 0);
		settle();
		ck_assert_int_eq(holt_varlink_next(v, NULL), -EBUSY);
		ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EBUSY);
		ck_assert_int_eq(holt_varlink_call_more(v, "io.test.Try.Echo", json_object()), -EBUSY);
		ck_assert_int_eq(holt_varlink_oneway(v, "io.test.Try.Echo", json_object()), -EBUSY);
		holt_event_set(&gate);
	}
	ck_assert_int_eq(call_result, 0);
	client_end(&r, v);
	return 0;
}

CLAIM(closing_ends_who_waits)
{
	struct rig r;
	holt_varlink *v = client(&r);

	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, call_and_keep, v), 0);
		settle();
		holt_varlink_close(v);
		holt_varlink_close(v); /* twice does no harm as long as the other one is inside */
	}
	ck_assert_int_eq(call_result, -EPIPE);
	ck_assert_int_eq(holt_group_close(r.g, 0), 0);
	return 0;
}

struct raw {
	int fd;
	const char *text;
	size_t n;
};

static int raw_service(void *arg)
{
	struct raw *w = arg;

	ck_assert_ptr_nonnull(hear(w->fd));
	say_bytes(w->fd, w->text, w->n);
	holt_close(w->fd);
	return 0;
}

#define WHOLE(text) text, sizeof text

CLAIM(a_service_that_answers_rubbish_is_hung_up_on)
{
	static const struct {
		const char *text;
		size_t n;
		int result;
	} answers[] = {
		{ "", 0, -EPIPE },
		{ "{\"para", 6, -EPIPE },
		{ WHOLE(""), -EBADMSG },
		{ WHOLE("[]"), -EBADMSG },
		{ WHOLE("{\"error\":5}"), -EBADMSG },
		{ WHOLE("{\"parameters\":[]}"), -EBADMSG },
		{ WHOLE("{\"continues\":true}"), -EBADMSG },
		{ WHOLE("{\"continues\":1}"), -EBADMSG },
		{ WHOLE("{\"a\":1,\"a\":2}"), -EBADMSG },
		{ WHOLE("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), -EMSGSIZE },
		{ WHOLE("{\"parameters\":{\"a\":\"a text that is over the limit of this client\"}}"), -EMSGSIZE },
		{ WHOLE("{\"a\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}"), -EMSGSIZE },
	};

	for (size_t i = 0; i < HOLT__N(answers); i++) {
		struct raw w = { .text = answers[i].text, .n = answers[i].n };
		json_t *out = NULL;
		holt_varlink *v;
		int fd[2];

		socket_pair(fd);
		w.fd = fd[1];
		ck_assert_int_eq(holt_varlink_open_fd(&v, fd[0], .message_max = 60, .memory_max = 1500), 0);
		with_group(g)
		{
			int r;

			ck_assert_int_eq(holt_spawn(g, raw_service, &w), 0);
			r = holt_varlink_call(v, "io.test.Try.Echo", json_object(), &out);
			ck_assert_msg(r == answers[i].result, "%zu: %d", i, r);
			ck_assert_ptr_null(out);
			ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), &out), -EPIPE);
			ck_assert_int_eq(holt_varlink_next(v, &out), -EPIPE);
			ck_assert_int_eq(holt_varlink_oneway(v, "io.test.Try.Echo", json_object()), -EPIPE);
		}
		holt_varlink_close(v);
	}
	return 0;
}

CLAIM(a_reply_may_leave_out_its_parameters)
{
	static const char *const answers[] = { "{}", "{\"parameters\":null}",
		"{\"parameters\":null,\"error\":null,\"continues\":null}", "{\"continues\":false,\"unknown\":1}" };

	for (size_t i = 0; i < HOLT__N(answers); i++) {
		struct raw w = { .text = answers[i], .n = strlen(answers[i]) + 1 };
		json_t *out = NULL;
		holt_varlink *v;
		int fd[2];

		socket_pair(fd);
		w.fd = fd[1];
		ck_assert_int_eq(holt_varlink_open_fd(&v, fd[0]), 0);
		with_group(g)
		{
			ck_assert_int_eq(holt_spawn(g, raw_service, &w), 0);
			ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), &out), 0);
			same(out, "{}");
		}
		holt_varlink_close(v);
	}
	return 0;
}

CLAIM(an_error_without_parameters_is_one)
{
	struct raw w = { -1, WHOLE("{\"error\":\"org.varlink.service.PermissionDenied\"}") };
	holt_varlink *v;
	int fd[2];

	socket_pair(fd);
	w.fd = fd[1];
	ck_assert_int_eq(holt_varlink_open_fd(&v, fd[0]), 0);
	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, raw_service, &w), 0);
		ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EREMOTEIO);
		ck_assert_str_eq(holt_varlink_error_name(v), HOLT_VARLINK_PERMISSION_DENIED);
		ck_assert_ptr_null(holt_varlink_error_params(v));
	}
	holt_varlink_close(v);
	return 0;
}

CLAIM(a_client_finds_its_service_by_address)
{
	char address[100];
	holt_varlink *v;
	struct house h;

	house_open(&h);
	ck_assert_int_eq(holt_varlink_open(&v, h.address), 0);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), 0);
	holt_varlink_close(v);
	snprintf(address, sizeof address, "%s;mode=0600", h.address);
	ck_assert_int_eq(holt_varlink_open(&v, address), 0);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), 0);
	holt_varlink_close(v);

	v = NULL;
	ck_assert_int_eq(holt_varlink_open(&v, NULL), -EINVAL);
	ck_assert_int_eq(holt_varlink_open(&v, "no address"), -EINVAL);
	ck_assert_int_eq(holt_varlink_open(&v, "unix:@holt-test-nobody"), -ECONNREFUSED);
	ck_assert_int_eq(holt_varlink_open(&v, h.address, .depth_max = 65), -EINVAL);
	ck_assert_int_eq(holt_varlink_open(&v, h.address, .message_max = SIZE_MAX), -EINVAL);
	ck_assert_int_eq(holt_varlink_open_with(&v, h.address, &(struct holt_varlink_options){ .size = 1 }), -EINVAL);
	ck_assert_int_eq(holt_varlink_open_fd(&v, -1), -EBADF);
	ck_assert_ptr_null(v);
	ck_assert_ptr_null(holt_varlink_close(NULL));
	{
		holt_auto(varlink) by_itself = NULL;

		ck_assert_int_eq(holt_varlink_open_with(&by_itself, h.address, NULL), 0);
	}
	house_close(&h);
	return 0;
}

CLAIM(a_call_to_who_has_left_is_told_so)
{
	holt_varlink *v;
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_varlink_open_fd(&v, fd[0]), 0);
	holt_close(fd[1]);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EPIPE);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EPIPE);
	holt_varlink_close(v);
	return 0;
}

static int big_oneway(void *v)
{
	json_t *params = json_object();
	char *text = calloc(1, 1 << 20);

	memset(text, 'x', (1 << 20) - 1);
	json_object_set_new(params, "text", json_string(text));
	free(text);
	return holt_varlink_oneway(v, "io.test.Try.Echo", params);
}

CLAIM(a_call_that_was_sent_in_part_ends_the_connection)
{
	holt_varlink *v;
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_varlink_open_fd(&v, fd[0]), 0);
	ck_assert_int_eq(holt_timeout(HOLT_SEC, big_oneway, v), -ETIME);
	empty(fd[1]);
	ck_assert_int_eq(holt_varlink_oneway(v, "io.test.Try.Echo", json_object()), -EPIPE);
	holt_varlink_close(v);
	holt_close(fd[1]);
	return 0;
}

TEST(outside_tasks_nothing_is_sent)
{
	holt_varlink *v;
	int fd[2];

	socket_pair(fd);
	ck_assert_int_eq(holt_varlink_open(&v, "unix:@x"), -EPERM);
	ck_assert_int_eq(holt_varlink_open_fd(&v, fd[0]), 0);
	ck_assert_int_eq(holt_varlink_call(v, "io.test.Try.Echo", json_object(), NULL), -EPERM);
	ck_assert_int_eq(holt_varlink_call_more(v, "io.test.Try.Echo", json_object()), -EPERM);
	ck_assert_int_eq(holt_varlink_oneway(v, "io.test.Try.Echo", json_object()), -EPERM);
	ck_assert_int_eq(holt_varlink_next(v, NULL), -EPERM);
	holt_varlink_close(v);
	close(fd[1]);
}

/* ---- everything that can fail */

/*
 * A bit of all: clients of each kind with one service. Whatever fails or is canceled in it, it ends, and each step says
 * what the header allows it to say.
 */
static bool is_expected(int r)
{
	return r >= 0 || r == -ENOMEM || r == -ECANCELED || r == -EPIPE || r == -EREMOTEIO || r == -ECONNREFUSED ||
		(r == -EBADMSG && harness_alloc_failed());
}

#define EXPECTED(call) \
	({ \
		int r_ = (call); \
		ck_assert_msg(is_expected(r_), "%s: %d", #call, r_); \
		r_; \
	})

static int big_bytes = 700000; /* so many that they do not go into a socket at once */

static int everything_client(holt_varlink *v)
{
	json_t *out = NULL;
	int r = EXPECTED(holt_varlink_call(v, "io.test.Try.Echo", json_pack("{s:s}", "a", "text"), &out));

	if (r == 0)
		json_decref(out);
	if (r == -EREMOTEIO)
		ck_assert_int_lt(holt_varlink_error_number(v), 0);
	EXPECTED(holt_varlink_call(v, "org.varlink.service.GetInfo", json_object(), NULL));
	EXPECTED(holt_varlink_call(
		v, "org.varlink.service.GetInterfaceDescription", json_pack("{s:s}", "interface", "io.test.Try"), NULL));
	EXPECTED(holt_varlink_call(v, "io.test.No.Such", json_object(), NULL));
	EXPECTED(holt_varlink_oneway(v, "io.test.Try.Forget", json_object()));
	if (EXPECTED(holt_varlink_call_more(v, "io.test.Try.Count", json_pack("{s:i}", "to", 3))) == 0)
		do
			r = EXPECTED(holt_varlink_next(v, NULL));
		while (r > 0);
	return EXPECTED(holt_varlink_call(v, "io.test.Try.Big", json_pack("{s:i}", "bytes", big_bytes), NULL));
}

static int everything(void *arg)
{
	struct house *h = arg;
	holt_auto(varlink) v = NULL;
	int r;

	r = EXPECTED(holt_varlink_open(&v, h->address));
	return r < 0 ? r : everything_client(v);
}

/* ---- at the n-th system call of those that move bytes or wait, something happens */

static struct holt__sys kernel;
static uint64_t n_calls, at_call; /* made, and which one it is */
static void (*then)(void);        /* what happens; NULL: the call fails */

static bool is_the_one(void)
{
	if (++n_calls != at_call)
		return false;
	if (!then)
		return true;
	then();
	return false;
}

static ssize_t swept_recv(int fd, void *buf, size_t n, int flags)
{
	return is_the_one() ? -EIO : kernel.recv(fd, buf, n, flags);
}

static ssize_t swept_send(int fd, const void *buf, size_t n, int flags)
{
	return is_the_one() ? -EIO : kernel.send(fd, buf, n, flags);
}

static int swept_epoll_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
	return op == EPOLL_CTL_ADD && is_the_one() ? -ENOSPC : kernel.epoll_ctl(epfd, op, fd, e);
}

static int swept_epoll_wait(int epfd, struct epoll_event *e, int n, int timeout_ms)
{
	return is_the_one() ? -EINTR : kernel.epoll_wait(epfd, e, n, timeout_ms);
}

static int swept_accept(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	return is_the_one() ? -ECONNABORTED : kernel.accept(fd, a, len, flags);
}

static int swept_poll(int fd, unsigned events, int timeout_ms)
{
	return is_the_one() ? -EIO : kernel.poll(fd, events, timeout_ms);
}

static int swept_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return is_the_one() ? -EIO : kernel.getsockopt(fd, level, name, value, len);
}

static void sweep_calls(void)
{
	kernel = harness_sys;
	harness_sys.recv = swept_recv;
	harness_sys.send = swept_send;
	harness_sys.epoll_ctl = swept_epoll_ctl;
	harness_sys.epoll_wait = swept_epoll_wait;
	harness_sys.accept = swept_accept;
	harness_sys.poll = swept_poll;
	harness_sys.getsockopt = swept_getsockopt;
}

static struct house *swept;
static struct holt_scope part;
static bool part_runs;

static void cancel_service(void)
{
	holt_task_cancel(swept->task, "swept");
}

static void cancel_client(void)
{
	if (part_runs)
		holt_scope_cancel(&part, "swept");
}

static int run_swept(void *arg)
{
	struct house h;
	int r;

	(void)arg;
	at_call = 0;
	for (uint64_t n = 1;; n++) {
		house_open(&h);
		swept = &h;
		n_calls = 0;
		at_call = n;
		holt_scope_begin(&part, HOLT_NEVER, 0);
		part_runs = true;
		r = everything(&h);
		part_runs = false;
		holt_scope_end(&part, r);
		if (n_calls < n)
			break;
		holt_task_cancel(h.task, "over");
		ck_assert_int_eq(holt_group_close(h.g, 0), 0);
		ck_assert(h.result == -ECANCELED || (!then && h.result == -ENOSPC)); /* that is the listener's own */
	}
	ck_assert_uint_gt(at_call, 30);
	at_call = 0;
	house_close(&h);
	return 0;
}

TEST(a_client_canceled_at_any_call_ends_well)
{
	json_set_alloc_funcs(holt__malloc, holt__free);
	then = cancel_client;
	sweep_calls();
	ck_assert_int_eq(harness_run(run_swept, NULL), 0);
}

TEST(a_service_canceled_at_any_call_ends_well)
{
	json_set_alloc_funcs(holt__malloc, holt__free);
	then = cancel_service;
	sweep_calls();
	ck_assert_int_eq(harness_run(run_swept, NULL), 0);
}

TEST(any_system_call_may_fail)
{
	json_set_alloc_funcs(holt__malloc, holt__free);
	then = NULL;
	sweep_calls();
	ck_assert_int_eq(harness_run(run_swept, NULL), 0);
}

static int without_memory(void *arg)
{
	struct house h;

	(void)arg;
	big_bytes = 20000;
	for (uint64_t n = 1;; n++) {
		bool reached;

		harness_fail_alloc(0);
		house_open(&h);
		settle();
		harness_fail_alloc(n);
		everything(&h);
		reached = harness_alloc_failed();
		harness_fail_alloc(0);
		holt_group_stop(h.g, "over");
		ck_assert_int_eq(holt_group_close(h.g, 0), 0);
		ck_assert_int_eq(h.result, 0); /* the service has survived each of them */
		if (!reached)
			return 0;
	}
}

TEST(without_memory_a_call_fails_and_the_service_goes_on)
{
	json_set_alloc_funcs(holt__malloc, holt__free);
	ck_assert_int_eq(harness_run(without_memory, NULL), 0);
}

static int service_without_memory(void *arg)
{
	int fd[2];

	(void)arg;
	socket_pair(fd);
	for (uint64_t n = 1;; n++) {
		struct rig r = { .fd = { -1, dup(fd[1]) }, .service = { TRY_SERVICE } };

		harness_fail_alloc(n);
		ck_assert_int_eq(holt_timeout(HOLT_SEC, rig_task, &r), 0);
		if (!harness_alloc_failed()) {
			ck_assert_int_eq(r.result, -ECANCELED);
			break;
		}
		ck_assert_int_eq(r.result, 0); /* hung up on its client */
	}
	harness_fail_alloc(0);
	close_pair(fd);
	return 0;
}

TEST(a_service_that_finds_no_memory_to_wait_ends)
{
	ck_assert_int_eq(harness_run(service_without_memory, NULL), 0);
}

/* ---- what a fuzzer found */

static void replay(const char *folder, const char *name)
{
	static uint8_t data[1 << 16];
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(data, 1, sizeof data, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	ck_assert_uint_eq(holt_task_count(), 0);
}

TEST(bytes_of_the_fuzzers_corpus_do_no_harm)
{
	static const char folder[] = "tests/fuzz/varlink_corpus";
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;

	if (!d)
		SKIP("there is no %s here", folder);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		replay(folder, e->d_name);
		n++;
	}
	closedir(d);
	ck_assert_uint_gt(n, 20);
}
